/* Local means by running sums, and a comparison with them. Pure; called by look.c. */
#include "daemon/vision/binarise.h"

#include <string.h>

size_t binarise_scratch_bytes(int width_max_px)
{
    return ((size_t)width_max_px * 2 + 1) * sizeof(uint32_t);
}

static const uint8_t *row_at(const struct image *image, int y)
{
    const int row = y < 0 ? 0 : y >= image->height_px ? image->height_px - 1 : y;
    return image->luma + row * image->stride_bytes;
}

static void add_row(uint32_t *restrict sums, const uint8_t *restrict row, int width_px)
{
    for (int x = 0; x < width_px; x++)
        sums[x] += row[x];
}

static void shift_rows(uint32_t *restrict sums, const uint8_t *restrict enters, const uint8_t *restrict leaves, int width_px)
{
    for (int x = 0; x < width_px; x++)
        sums[x] += (uint32_t)enters[x] - leaves[x];
}

/* before[x]: of all columns left of x. A window is narrower at the ends. */
static void compare_row(const uint8_t *restrict row, const uint32_t *restrict before, int width_px, int reach_px, int bias,
                        uint8_t dark, uint8_t *restrict dst)
{
    const int rows = 2 * reach_px + 1;
    for (int x = 0; x < width_px; x++) {
        const int left = x > reach_px ? x - reach_px : 0, right = x + reach_px < width_px ? x + reach_px + 1 : width_px;
        const int64_t area = (int64_t)(right - left) * rows;
        dst[x] = (row[x] + bias) * area < (int64_t)(before[right] - before[left]) ? dark : (uint8_t)~dark;
    }
}

void binarise(const struct image *image, int reach_px, int bias, bool inverted, void *scratch, uint8_t *dst)
{
    const int width_px = image->width_px;
    uint32_t *sums = scratch, *before = sums + width_px;
    memset(sums, 0, (size_t)width_px * sizeof *sums);
    for (int y = -reach_px; y <= reach_px; y++)
        add_row(sums, row_at(image, y), width_px);
    for (int y = 0; y < image->height_px; y++) {
        before[0] = 0;
        for (int x = 0; x < width_px; x++)
            before[x + 1] = before[x] + sums[x];
        compare_row(row_at(image, y), before, width_px, reach_px, inverted ? -bias : bias, inverted ? 255 : 0,
                    dst + (ptrdiff_t)y * width_px);
        shift_rows(sums, row_at(image, y + reach_px + 1), row_at(image, y - reach_px), width_px);
    }
}
