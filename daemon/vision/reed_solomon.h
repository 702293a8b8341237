/* Reed-Solomon over the 256 elements that QR codes use (x^8 + x^4 + x^3 + x^2 + 1, roots from 1 on): puts right wrong bytes and
 * bytes of which it is known that they may be wrong, which cost half as much. Pure; called by mend.c. */
#ifndef VISION_REED_SOLOMON_H
#define VISION_REED_SOLOMON_H

#include <stdbool.h>
#include <stdint.h>

enum { RS_PARITY_MAX = 30, RS_WORDS_MAX = 255 };

struct rs_field {
    uint8_t power[2 * 255]; /* of 2 */
    uint8_t log[256];
};
void rs_field_begin(struct rs_field *field);

/* What the parity says of `count` words; all zero: nothing is wrong. False then. */
bool rs_syndromes(const struct rs_field *field, const uint8_t *words, int count, int parity, uint8_t ret_syndromes[RS_PARITY_MAX]);
/* Puts the words right, if that takes no more than `errors_max` besides those at the places in `erased`. False: it can't be
 * done, the words are as they were. */
bool rs_correct(const struct rs_field *field, const uint8_t syndromes[RS_PARITY_MAX], uint8_t *words, int count, int parity,
                const uint8_t *erased, int erased_count, int errors_max);

#endif
