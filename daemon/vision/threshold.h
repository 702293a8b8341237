/* What is dark and what is light, place by place: the mean of about 20 x 20 pixels around each block of 4 x 4. Pure; made by
 * look.c for each level of the pyramid, used by search.c and triple.c. */
#ifndef VISION_THRESHOLD_H
#define VISION_THRESHOLD_H

#include "daemon/vision/pyramid.h"

enum { THRESHOLD_BLOCK_PX = 4, THRESHOLD_REACH_BLOCKS = 2 };

struct threshold {
    uint8_t *mean; /* columns x rows */
    int columns, rows;
};

size_t threshold_bytes(int width_px, int height_px); /* of `memory` */
size_t threshold_scratch_bytes(int width_px);        /* of `scratch` */
/* For one level of the pyramid, by the means of its blocks, which are two levels further on. */
void threshold_measure(const struct image *image, const struct image *means, uint8_t *memory, void *scratch,
                       struct threshold *ret_threshold);

static inline int threshold_at(const struct threshold *threshold, int x, int y)
{
    const unsigned row = (unsigned)y / THRESHOLD_BLOCK_PX, column = (unsigned)x / THRESHOLD_BLOCK_PX; /* shifts */
    return threshold->mean[row * (unsigned)threshold->columns + column];
}

#endif
