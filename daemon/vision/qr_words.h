/* Where in a QR code the bytes are, which blocks they form, and what masks them (ISO/IEC 18004). Pure; used by mend.c. */
#ifndef VISION_QR_WORDS_H
#define VISION_QR_WORDS_H

#include "daemon/vision/qr_shape.h"

enum { QR_WORDS_MAX = 3706, QR_BLOCKS_MAX = 81, QR_BLOCK_WORDS_MAX = 153, QR_PARITY_MAX = 30 };

struct qr_words {
    int side_modules; /* 0: of no code yet */
    int count;
    uint16_t module[8 * QR_WORDS_MAX]; /* row * side + column of each bit, the highest of the first byte first */
    int blocks, parity;                /* parity: bytes of each block */
    int short_blocks, short_data;      /* the first blocks, with so many bytes of data; the others have one more */
};

/* fixed: qr_fixed_modules() of that side. */
void qr_words_place(int side_modules, const uint8_t *fixed, struct qr_words *ret_words);
/* By a format's five bits: error correction and mask. */
void qr_words_divide(struct qr_words *words, int format);
int qr_block_words(const struct qr_words *words, int block);
int qr_word_of(const struct qr_words *words, int block, int i); /* its place among all */
bool qr_is_masked(int format, int row, int column);

#endif
