/* The bytes of a code, and what its redundancy puts right, against codes of libqrencode. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/vision/mend.h"
#include "tests/unit/qr_picture.h"

enum { VERSIONS = 40, TEXT_BYTES = 40, SURE = 100 };

struct room {
    struct grid grid, whole;
    struct mend mend;
};

/* Each another text, so that all masks are met. */
static void take(struct room *room, int version, QRecLevel level, unsigned seed)
{
    unsigned char text[TEXT_BYTES];
    const int length = version == 1 ? 7 : version < 5 ? 14 : TEXT_BYTES;
    for (int i = 0; i < length; i++)
        text[i] = (unsigned char)(seed = seed * 1664525 + 1013904223) >> 1;
    QRcode *code = QRcode_encodeData(length, text, version, level);
    assert_non_null(code);
    assert_int_equal(code->width, 17 + 4 * version);
    struct grid *grid = &room->grid;
    grid->side_modules = code->width;
    qr_fixed_modules(code->width, grid->fixed);
    for (int i = 0; i < code->width * code->width; i++) {
        grid->dark[i] = code->data[i] & 1;
        grid->sure[i] = SURE;
    }
    QRcode_free(code);
    room->whole = *grid;
    mend_begin_look(&room->mend);
    mend_begin_code(&room->mend, grid);
}

/* What is fixed is drawn as it must be, whatever was seen. */
static bool is_whole(const struct room *room)
{
    for (int i = 0; i < room->grid.side_modules * room->grid.side_modules; i++)
        if (room->grid.fixed[i] == QR_MODULE_DATA && room->grid.dark[i] != room->whole.dark[i])
            return false;
    return true;
}

static void every_size_has_its_bytes_where_the_standard_has_them(void **state)
{
    struct room *room = *state;
    unsigned masks = 0;
    for (int version = 1; version <= VERSIONS; version++)
        for (int level = QR_ECLEVEL_L; level <= QR_ECLEVEL_H; level++)
            for (unsigned seed = 0; seed < 3; seed++) {
                int format = 0;
                take(room, version, (QRecLevel)level, seed);
                assert_int_equal(grid_format_distance(&room->grid, &format), 0);
                masks |= 1u << (format & 7);
                assert_true(mend_try(&room->mend, &room->grid));
                assert_true(is_whole(room));
                /* One of them wrong: so it was looked at. */
                const int at = room->mend.words.module[8 * (room->mend.words.count - 1) + 7];
                room->grid.dark[at] ^= 1;
                mend_begin_code(&room->mend, &room->grid);
                assert_true(mend_try(&room->mend, &room->grid));
                assert_true(is_whole(room));
            }
    assert_int_equal(masks, 0xff);
}

/* As if all of a square were saturated: light, and nothing to tell it by. */
static int saturate(struct room *room, int from, int to)
{
    const int side = room->grid.side_modules;
    int wrong = 0;
    for (int row = from; row < to; row++)
        for (int column = from; column < to; column++) {
            wrong += room->grid.dark[row * side + column];
            room->grid.dark[row * side + column] = room->grid.sure[row * side + column] = 0;
        }
    return wrong;
}

static void what_cannot_be_told_costs_half_as_much(void **state)
{
    struct room *room = *state;
    int read[2] = {0};
    for (unsigned seed = 0; seed < 8; seed++)
        for (int is_told = 0; is_told < 2; is_told++) {
            take(room, 7, QR_ECLEVEL_M, seed); /* 45 modules */
            assert_true(saturate(room, 14, 32) > 60);
            for (int i = 0; i < room->grid.side_modules * room->grid.side_modules && is_told; i++)
                room->grid.sure[i] = SURE;
            const bool whole = mend_try(&room->mend, &room->grid);
            read[is_told] += whole;
            assert_true(!whole || is_whole(room));
        }
    assert_int_equal(read[0], 8);
    assert_int_equal(read[1], 0);
}

static void blocks_may_come_from_different_decisions(void **state)
{
    struct room *room = *state;
    for (int way = 0; way < 2; way++) {
        take(room, 10, QR_ECLEVEL_Q, 5);
        const int side = room->grid.side_modules, words = room->mend.words.count;
        for (int time = 0; time < 2; time++) {
            room->grid = room->whole;
            mend_begin_look(&room->mend);
            for (int block = time; block < 6; block += 2) /* of 24 bytes that mend, 16 are wrong */
                for (int i = 0; i < 16; i++)
                    room->grid.dark[room->mend.words.module[(ptrdiff_t)8 * (words - 8 * (i + 1) + block)]] ^= 1;
            if (way == 1) /* and nothing is kept */
                mend_begin_code(&room->mend, &room->grid);
            const bool whole = mend_try(&room->mend, &room->grid);
            assert_int_equal(whole, way == 0 && time == 1);
        }
        assert_int_equal(words, 346);
        assert_int_equal(is_whole(room), way == 0);
        assert_int_equal(side, 57);
    }
}

/* Nobody's code: what looks like one but for its data is never made one. */
static void noise_is_never_made_a_code(void **state)
{
    struct room *room = *state;
    uint64_t random = 1;
    for (int i = 0; i < 4000; i++) {
        take(room, 1 + i % 4, (QRecLevel)(i / 4 % 4), (unsigned)i);
        struct grid *grid = &room->grid;
        for (int m = 0; m < grid->side_modules * grid->side_modules; m++) {
            random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
            if (grid->fixed[m] == QR_MODULE_DATA) {
                grid->dark[m] = random >> 63;
                grid->sure[m] = random >> 40 & 255;
            }
        }
        int format = 0;
        (void)grid_format_distance(&room->whole, &format);
        grid_set_format(grid, format);
        room->whole = *grid;
        assert_false(mend_try(&room->mend, grid));
        assert_true(is_whole(room)); /* as it was */
    }
}

/* ---- the arithmetic ---------------------------------------------------------------------------------------------- */

static bool is_word(const struct rs_field *field, const uint8_t *words, int count, int parity)
{
    uint8_t syndromes[RS_PARITY_MAX];
    return !rs_syndromes(field, words, count, parity, syndromes);
}

/* Nothing but zeros is a code word; so is what the field makes of any. */
static void all_that_is_promised_is_corrected(void **state)
{
    struct room *room = *state;
    const struct rs_field *field = &room->mend.field;
    enum { COUNT = 44 };
    unsigned random = 7;
    for (int parity = 7; parity <= RS_PARITY_MAX; parity++)
        for (int erased = 0; erased <= parity; erased++) {
            const int errors = (parity - erased) / 2;
            uint8_t words[COUNT] = {0}, places[COUNT], syndromes[RS_PARITY_MAX];
            for (int i = 0; i < COUNT; i++)
                places[i] = (uint8_t)i;
            for (int i = 0; i < COUNT; i++) {
                random = random * 1664525 + 1013904223;
                const int other = (int)(random >> 8) % COUNT;
                const uint8_t kept = places[i];
                places[i] = places[other];
                places[other] = kept;
            }
            for (int i = 0; i < erased + errors; i++) {
                random = random * 1664525 + 1013904223;
                words[places[i]] = (uint8_t)(random >> 16 | (i >= erased)); /* of an erased one it may be right */
            }
            if (is_word(field, words, COUNT, parity))
                continue;
            (void)rs_syndromes(field, words, COUNT, parity, syndromes);
            assert_true(rs_correct(field, syndromes, words, COUNT, parity, places, erased, errors));
            for (int i = 0; i < COUNT; i++)
                assert_int_equal(words[i], 0);
        }
}

static int setup(void **state)
{
    struct room *room = calloc(1, sizeof *room);
    if (!room)
        return -1;
    mend_begin(&room->mend);
    *state = room;
    return 0;
}

static int teardown(void **state)
{
    free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_size_has_its_bytes_where_the_standard_has_them),
        cmocka_unit_test(what_cannot_be_told_costs_half_as_much),
        cmocka_unit_test(blocks_may_come_from_different_decisions),
        cmocka_unit_test(noise_is_never_made_a_code),
        cmocka_unit_test(all_that_is_promised_is_corrected),
    };
    return cmocka_run_group_tests_name("mend", tests, setup, teardown);
}
