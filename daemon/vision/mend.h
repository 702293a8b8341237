/* Puts a sampled code right by its own redundancy: what no light or dark can be told of (glare, blur, a fold) costs half as much as
 * what is wrong, and each of a code's blocks may come from another way of deciding. A decoder then gets a code without a fault.
 * Pure; called by look.c. */
#ifndef VISION_MEND_H
#define VISION_MEND_H

#include "daemon/vision/grid.h"
#include "daemon/vision/qr_words.h"
#include "daemon/vision/reed_solomon.h"

struct mend {
    struct rs_field field;
    struct qr_words words; /* of the last code's size */
    int format;            /* of this code; -1: not known yet */
    int blocks_left;
    bool is_hopeless;      /* the last decision left too much wrong */
    bool is_right[QR_BLOCKS_MAX];
    uint8_t word[QR_WORDS_MAX]; /* of the blocks that are right */
    int guesses_left;            /* of this look: sets of words taken for erased */
};

void mend_begin(struct mend *mend); /* once */
void mend_begin_look(struct mend *mend);
void mend_begin_code(struct mend *mend, const struct grid *grid);
/* With what was decided now and before. True: all of it is right now, and grid->dark is. */
bool mend_try(struct mend *mend, struct grid *grid);

#endif
