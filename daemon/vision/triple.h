/* Which three finder patterns may be the corners of one code: by geometry, then by the timing patterns between them. Pure;
 * called by look.c between search.c and fit.c. */
#ifndef VISION_TRIPLE_H
#define VISION_TRIPLE_H

#include "daemon/vision/search.h"

enum { TRIPLES_MAX = 64, TRIPLE_MARKS_MAX = 48 };

/* Marks by their number: the corner, and then right and below as the code is printed. */
struct triple {
    uint8_t corner, right, below;
    float fault; /* 0 is best */
};

/* How many, best first. `marks` are at most TRIPLE_MARKS_MAX; thresholds are one for each level of the pyramid. */
int triples_rank(const struct finder_mark *marks, int count, const struct pyramid *pyramid,
                 const struct threshold *thresholds, struct triple ret_triples[TRIPLES_MAX]);

#endif
