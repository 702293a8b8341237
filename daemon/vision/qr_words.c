/* The bytes of a QR code. Pure; used by mend.c. */
#include "daemon/vision/qr_words.h"

enum { TIMING = 6, LEVELS = 4, VERSIONS = 40 };

/* By a format's two bits for it: M, L, H, Q. */
static const uint8_t parities[LEVELS][VERSIONS] = {
    {10, 16, 26, 18, 24, 16, 18, 22, 22, 26, 30, 22, 22, 24, 24, 28, 28, 26, 26, 26,
     26, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28},
    {7, 10, 15, 20, 26, 18, 20, 24, 30, 18, 20, 24, 26, 30, 22, 24, 28, 30, 28, 28,
     28, 28, 30, 30, 26, 28, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30},
    {17, 28, 22, 16, 22, 28, 26, 26, 24, 28, 24, 28, 22, 24, 24, 30, 28, 28, 26, 28,
     30, 24, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30},
    {13, 22, 18, 26, 18, 24, 18, 22, 20, 24, 28, 26, 24, 20, 30, 24, 28, 28, 26, 30,
     28, 30, 30, 30, 30, 28, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30},
};
static const uint8_t blocks[LEVELS][VERSIONS] = {
    {1, 1, 1, 2, 2, 4, 4, 4, 5, 5, 5, 8, 9, 9, 10, 10, 11, 13, 14, 16,
     17, 17, 18, 20, 21, 23, 25, 26, 28, 29, 31, 33, 35, 37, 38, 40, 43, 45, 47, 49},
    {1, 1, 1, 1, 1, 2, 2, 2, 2, 4, 4, 4, 4, 4, 6, 6, 6, 6, 7, 8,
     8, 9, 9, 10, 12, 12, 12, 13, 14, 15, 16, 17, 18, 19, 19, 20, 21, 22, 24, 25},
    {1, 1, 2, 4, 4, 4, 5, 6, 8, 8, 11, 11, 16, 16, 18, 16, 19, 21, 25, 25,
     25, 34, 30, 32, 35, 37, 40, 42, 45, 48, 51, 54, 57, 60, 63, 66, 70, 74, 77, 81},
    {1, 1, 2, 2, 4, 4, 6, 6, 8, 8, 8, 10, 12, 16, 12, 17, 16, 18, 21, 20,
     23, 23, 25, 27, 29, 34, 34, 35, 38, 40, 43, 45, 48, 51, 53, 56, 59, 62, 65, 68},
};

static bool is_format(int side, int row, int column)
{
    return (row == 8 && (column <= 8 || column >= side - 8)) || (column == 8 && (row <= 8 || row >= side - 8));
}

/* Two columns at a time from the right, upwards and downwards in turn; the timing pattern's column is left out. */
void qr_words_place(int side_modules, const uint8_t *fixed, struct qr_words *ret_words)
{
    const int side = side_modules;
    int bits = 0;
    ret_words->side_modules = side;
    for (int right = side - 1, is_up = 1; right > 0; right -= 2, is_up = !is_up) {
        right -= right == TIMING;
        for (int step = 0; step < side; step++)
            for (int column = right; column > right - 2; column--) {
                const int row = is_up ? side - 1 - step : step, i = row * side + column;
                if (fixed[i] == QR_MODULE_DATA && !is_format(side, row, column) && bits < 8 * QR_WORDS_MAX)
                    ret_words->module[bits++] = (uint16_t)i;
            }
    }
    ret_words->count = bits / 8; /* a few bits are left over in some sizes */
}

void qr_words_divide(struct qr_words *words, int format)
{
    const int level = format >> 3 & 3, version = (words->side_modules - 17) / QR_SIDE_STEP - 1;
    words->blocks = blocks[level][version];
    words->parity = parities[level][version];
    words->short_data = words->count / words->blocks - words->parity;
    words->short_blocks = words->blocks - words->count % words->blocks;
}

int qr_block_words(const struct qr_words *words, int block)
{
    return words->short_data + (block >= words->short_blocks) + words->parity;
}

/* They take turns: a byte of each block, then the next. */
int qr_word_of(const struct qr_words *words, int block, int i)
{
    const int data = qr_block_words(words, block) - words->parity;
    if (i < words->short_data)
        return i * words->blocks + block;
    if (i < data)
        return words->short_data * words->blocks + block - words->short_blocks;
    return words->count - (words->parity - (i - data)) * words->blocks + block;
}

bool qr_is_masked(int format, int row, int column)
{
    const int both = row * column;
    switch (format & 7) {
    case 0: return (row + column) % 2 == 0;
    case 1: return row % 2 == 0;
    case 2: return column % 3 == 0;
    case 3: return (row + column) % 3 == 0;
    case 4: return (row / 2 + column / 3) % 2 == 0;
    case 5: return both % 2 + both % 3 == 0;
    case 6: return (both % 2 + both % 3) % 2 == 0;
    default: return ((row + column) % 2 + both % 3) % 2 == 0;
    }
}
