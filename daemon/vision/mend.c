/* Puts a sampled code right. Pure; called by look.c. */
#include "daemon/vision/mend.h"

#include <string.h>

enum {
    FORMAT_BITS_MAX = 3, /* more wrong ones can't be corrected */
    SPARE = 4,           /* parity that no guess may use up: one in 2^32 wrong guesses passes */
    GUESSES_MAX = 400,   /* of a look */
    WRONG_BLOCKS_MAX = 4, /* blocks lie all over a code: where so many are beyond help, so are others */
    GUESS_STEP = 2
};

void mend_begin(struct mend *mend)
{
    rs_field_begin(&mend->field);
    mend->words.side_modules = 0;
}

void mend_begin_look(struct mend *mend)
{
    mend->guesses_left = GUESSES_MAX;
}

void mend_begin_code(struct mend *mend, const struct grid *grid)
{
    if (mend->words.side_modules != grid->side_modules)
        qr_words_place(grid->side_modules, grid->fixed, &mend->words);
    mend->format = -1;
}

static void take_format(struct mend *mend, int format)
{
    mend->format = format;
    qr_words_divide(&mend->words, format);
    mend->blocks_left = mend->words.blocks;
    memset(mend->is_right, 0, sizeof mend->is_right);
}

/* The bytes of one block, with the mask taken off. */
static void read_block(struct mend *mend, const struct grid *grid, int block, uint8_t *words, uint16_t *sure)
{
    const int side = grid->side_modules, count = qr_block_words(&mend->words, block);
    for (int i = 0; i < count; i++) {
        const uint16_t *module = mend->words.module + (ptrdiff_t)8 * qr_word_of(&mend->words, block, i);
        unsigned word = 0, least = UINT16_MAX;
        for (int bit = 0; bit < 8; bit++) {
            const int at = module[bit];
            word = word << 1 | (grid->dark[at] != qr_is_masked(mend->format, at / side, at % side));
            least = grid->sure[at] < least ? grid->sure[at] : least;
        }
        words[i] = (uint8_t)word;
        sure[i] = (uint16_t)least;
    }
}

/* The places of the `most` least sure, the least first. */
static void find_unsure(const uint16_t *sure, int count, int most, uint8_t *ret_places)
{
    int found = 0;
    for (int i = 0; i < count; i++) {
        int at = found < most ? found++ : most - 1;
        if (at == most - 1 && found == most && i >= most && sure[ret_places[at]] <= sure[i])
            continue;
        for (; at > 0 && sure[ret_places[at - 1]] > sure[i]; at--)
            ret_places[at] = ret_places[at - 1];
        ret_places[at] = (uint8_t)i;
    }
}

static bool correct_block(struct mend *mend, uint8_t *words, const uint16_t *sure, int count)
{
    const int parity = mend->words.parity, most = parity - SPARE;
    uint8_t syndromes[RS_PARITY_MAX], unsure[RS_PARITY_MAX];
    if (!rs_syndromes(&mend->field, words, count, parity, syndromes) ||
        rs_correct(&mend->field, syndromes, words, count, parity, NULL, 0, parity / 2))
        return true;
    find_unsure(sure, count, most, unsure);
    for (int erased = GUESS_STEP; erased <= most && mend->guesses_left > 0; erased += GUESS_STEP, mend->guesses_left--)
        if (rs_correct(&mend->field, syndromes, words, count, parity, unsure, erased, (most - erased) / 2))
            return true;
    return false;
}

static void write_words(const struct mend *mend, struct grid *grid)
{
    const int side = grid->side_modules;
    for (int i = 0; i < mend->words.count; i++)
        for (int bit = 0; bit < 8; bit++) {
            const int at = mend->words.module[8 * i + bit];
            grid->dark[at] = (uint8_t)((mend->word[i] >> (7 - bit) & 1) != qr_is_masked(mend->format, at / side, at % side));
        }
    grid_set_format(grid, mend->format);
}

bool mend_try(struct mend *mend, struct grid *grid)
{
    int format = 0, wrong = 0;
    mend->is_hopeless = false;
    if (grid_format_distance(grid, &format) > FORMAT_BITS_MAX)
        return false;
    if (format != mend->format)
        take_format(mend, format);
    for (int block = 0; block < mend->words.blocks && wrong < WRONG_BLOCKS_MAX; block++) {
        uint8_t words[QR_BLOCK_WORDS_MAX];
        uint16_t sure[QR_BLOCK_WORDS_MAX];
        const int count = qr_block_words(&mend->words, block);
        if (mend->is_right[block])
            continue;
        read_block(mend, grid, block, words, sure);
        if (!correct_block(mend, words, sure, count)) {
            wrong++;
            continue;
        }
        for (int i = 0; i < count; i++)
            mend->word[qr_word_of(&mend->words, block, i)] = words[i];
        mend->is_right[block] = true;
        mend->blocks_left--;
    }
    mend->is_hopeless = wrong == WRONG_BLOCKS_MAX;
    if (mend->blocks_left > 0)
        return false;
    write_words(mend, grid);
    return true;
}
