/* A picture in black and white, by the mean around each pixel: what a decoder gets where no finder could be made out. Pure; called
 * by look.c. */
#ifndef VISION_BINARISE_H
#define VISION_BINARISE_H

#include <stdbool.h>

#include "daemon/vision/pyramid.h"

size_t binarise_scratch_bytes(int width_max_px);
/* dst: rows packed, 0 or 255. A pixel is dark that is `bias` levels below the mean of the (2 reach + 1)² around it. */
void binarise(const struct image *image, int reach_px, int bias, bool inverted, void *scratch, uint8_t *dst);

#endif
