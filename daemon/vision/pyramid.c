/* Halves a picture a few times. Pure; called by look.c for every picture that is looked at. */
#include "daemon/vision/pyramid.h"

size_t pyramid_bytes(int width_max_px, int height_max_px)
{
    size_t bytes = 0;
    for (int level = 1; level < PYRAMID_LEVELS + PYRAMID_COARSER; level++) {
        width_max_px /= 2;
        height_max_px /= 2;
        bytes += (size_t)width_max_px * (size_t)height_max_px;
    }
    return bytes;
}

static void halve_row(const uint8_t *restrict above, const uint8_t *restrict below, uint8_t *restrict dst, int width_px)
{
    for (int x = 0; x < width_px; x++)
        dst[x] = (uint8_t)((above[2 * x] + above[2 * x + 1] + below[2 * x] + below[2 * x + 1] + 2) >> 2);
}

void image_halve(const struct image *image, uint8_t *dst)
{
    const int width_px = image->width_px / 2;
    for (int y = 0; y < image->height_px / 2; y++) {
        const uint8_t *row = image->luma + 2 * y * image->stride_bytes;
        halve_row(row, row + image->stride_bytes, dst + (ptrdiff_t)y * width_px, width_px);
    }
}

void pyramid_build(const struct image *picture, uint8_t *memory, struct pyramid *ret_pyramid)
{
    ret_pyramid->level[0] = *picture;
    ret_pyramid->count = 1;
    for (int i = 1; i < ret_pyramid->count + PYRAMID_COARSER + 1 && i < PYRAMID_LEVELS + PYRAMID_COARSER; i++) {
        const struct image *finer = &ret_pyramid->level[i - 1];
        const int width_px = finer->width_px / 2, height_px = finer->height_px / 2;
        image_halve(finer, memory);
        ret_pyramid->level[i] = (struct image){memory, width_px, height_px, width_px};
        if (i < PYRAMID_LEVELS && width_px >= PYRAMID_SIDE_MIN_PX && height_px >= PYRAMID_SIDE_MIN_PX)
            ret_pyramid->count = i + 1;
        memory += (size_t)width_px * (size_t)height_px;
    }
}

int pyramid_level_for(const struct pyramid *pyramid, float size_px, float least_px)
{
    int level = 0;
    while (level + 1 < pyramid->count && size_px >= 2 * least_px) {
        size_px /= 2;
        level++;
    }
    return level;
}
