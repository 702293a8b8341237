/* A picture and its halvings, by means of 2 x 2 pixels: large codes are searched where they are small, and noise thins out.
 * Pure; made by look.c, used by everything that looks at pixels. Positions are in pixels of the picture itself, of which pixel 0
 * reaches from 0 to 1: a level's own position is that divided by two for each level. */
#ifndef VISION_PYRAMID_H
#define VISION_PYRAMID_H

#include <stddef.h>
#include <stdint.h>

enum {
    PYRAMID_LEVELS = 4,       /* that are searched, at most */
    PYRAMID_SIDE_MIN_PX = 32, /* no level with a shorter side is */
    PYRAMID_COARSER = 2,      /* levels more: means of 4 x 4 pixels of each that is searched (threshold.h) */
    IMAGE_STEPS_PER_LEVEL = 16
};

struct image {
    const uint8_t *luma;
    int width_px, height_px;
    ptrdiff_t stride_bytes;
};

struct pyramid {
    struct image level[PYRAMID_LEVELS + PYRAMID_COARSER]; /* [0] is the picture itself, not a copy */
    int count; /* without the coarser ones */
};

/* The picture's sides are at least 1 << PYRAMID_COARSER. */
size_t pyramid_bytes(int width_max_px, int height_max_px); /* of the memory below */
void pyramid_build(const struct image *picture, uint8_t *memory, struct pyramid *ret_pyramid);
/* The level at which something of `size_px` is at least `least_px` and less than twice that, as far as there is one. */
int pyramid_level_for(const struct pyramid *pyramid, float size_px, float least_px);
void image_halve(const struct image *image, uint8_t *dst); /* dst: rows packed, sides halved, rounded down */

/* Gray level x IMAGE_STEPS_PER_LEVEL at a position in this image's own pixels, between four pixels; outside: the border's. */
static inline int image_at(const struct image *image, float x, float y)
{
    const float right = (float)(image->width_px - 1), bottom = (float)(image->height_px - 1);
    x -= 0.5f;
    y -= 0.5f;
    x = x > 0 ? x : 0; /* not a number: 0 */
    y = y > 0 ? y : 0;
    x = x < right ? x : right;
    y = y < bottom ? y : bottom;
    const int column = (int)x, row = (int)y;
    const int fx = (int)((x - (float)column) * 16), fy = (int)((y - (float)row) * 16);
    const uint8_t *at = image->luma + row * image->stride_bytes + column;
    const int next_x = column + 1 < image->width_px;
    const ptrdiff_t next_y = row + 1 < image->height_px ? image->stride_bytes : 0;
    const int above = at[0] * (16 - fx) + at[next_x] * fx, below = at[next_y] * (16 - fx) + at[next_y + next_x] * fx;
    return (above * (16 - fy) + below * fy + 8) >> 4;
}

#endif
