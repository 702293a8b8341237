/* Local means by blocks. Pure; called by look.c. */
#include "daemon/vision/threshold.h"

enum { BLOCK = THRESHOLD_BLOCK_PX, REACH = THRESHOLD_REACH_BLOCKS, SIDE = 2 * REACH + 1 };

static int blocks(int side_px)
{
    return (side_px + BLOCK - 1) / BLOCK;
}

size_t threshold_bytes(int width_px, int height_px)
{
    return (size_t)blocks(width_px) * (size_t)blocks(height_px);
}

size_t threshold_scratch_bytes(int width_px)
{
    return ((size_t)blocks(width_px) + 2 * REACH) * sizeof(uint16_t);
}

static int inside(int i, int count)
{
    return i < 0 ? 0 : i >= count ? count - 1 : i;
}

/* Where a side is no multiple of a block the last one is like the one before. */
static void mean_row(const struct image *means, int row, int columns, uint16_t *restrict sums, uint8_t *restrict dst)
{
    const uint8_t *of[SIDE];
    for (int i = 0; i < SIDE; i++)
        of[i] = means->luma + inside(row - REACH + i, means->height_px) * means->stride_bytes;
    const uint8_t *restrict a = of[0], *restrict b = of[1], *restrict c = of[2], *restrict d = of[3], *restrict e = of[4];
    uint16_t *restrict middle = sums + REACH;
    const int known = means->width_px < columns ? means->width_px : columns;
    for (int x = 0; x < known; x++)
        middle[x] = (uint16_t)(a[x] + b[x] + c[x] + d[x] + e[x]);
    for (int i = 1; i <= REACH; i++)
        middle[-i] = middle[0];
    for (int x = known; x < columns + REACH; x++)
        middle[x] = middle[known - 1];
    enum { SCALE = 65536 / (SIDE * SIDE) + 1 };
    for (int x = 0; x < columns; x++) {
        const uint32_t sum = (uint32_t)sums[x] + sums[x + 1] + sums[x + 2] + sums[x + 3] + sums[x + 4];
        dst[x] = (uint8_t)(sum * SCALE >> 16);
    }
}

void threshold_measure(const struct image *image, const struct image *means, uint8_t *memory, void *scratch,
                       struct threshold *ret_threshold)
{
    const int columns = blocks(image->width_px), rows = blocks(image->height_px);
    *ret_threshold = (struct threshold){memory, columns, rows};
    for (int row = 0; row < rows; row++)
        mean_row(means, row, columns, scratch, memory + (ptrdiff_t)row * columns);
}
