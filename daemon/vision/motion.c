/* The motion gate: coarse means of a picture and their comparison. Pure; called by reader.c for every frame. */
#include "daemon/vision/motion.h"

#include <stddef.h>

/* 240 pixels a cell at 720p: sensor noise of sigma 20 moves their mean by little more than one level. */
enum { ROWS_PER_CELL = 3, COLUMNS_MAX = 80 };
_Static_assert(ROWS_PER_CELL * COLUMNS_MAX * 255 <= UINT16_MAX, "a cell's sum has room");

/* In words that a processor adds eight at a time. */
static uint16_t sum_of(const uint8_t *a, const uint8_t *b, const uint8_t *c, int count)
{
    uint16_t sum = 0;
    for (int x = 0; x < count; x++)
        sum = (uint16_t)(sum + a[x] + b[x] + c[x]);
    return sum;
}

void motion_measure(const uint8_t *luma, int width_px, int height_px, int stride_bytes, struct motion_grid *ret_grid)
{
    enum { ROWS = MOTION_GRID_SIDE * ROWS_PER_CELL };
    for (int row = 0; row < MOTION_GRID_SIDE; row++) {
        const uint8_t *lines[ROWS_PER_CELL];
        for (int i = 0; i < ROWS_PER_CELL; i++)
            lines[i] = luma + (size_t)((2 * (row * ROWS_PER_CELL + i) + 1) * height_px / (2 * ROWS)) * (size_t)stride_bytes;
        for (int column = 0; column < MOTION_GRID_SIDE; column++) {
            const int left = column * width_px / MOTION_GRID_SIDE, wide = (column + 1) * width_px / MOTION_GRID_SIDE - left;
            const int count = wide < COLUMNS_MAX ? wide : COLUMNS_MAX, spare = wide - count; /* left, middle, right part */
            const uint32_t sum = sum_of(lines[0] + left, lines[1] + left + spare / 2, lines[2] + left + spare, count);
            ret_grid->mean[row * MOTION_GRID_SIDE + column] =
                count > 0 ? (uint16_t)(sum * MOTION_STEPS_PER_LEVEL / (uint32_t)(count * ROWS_PER_CELL)) : 0;
        }
    }
}

bool motion_moved(const struct motion_grid *reference, const struct motion_grid *now)
{
    for (int i = 0; i < MOTION_GRID_SIDE * MOTION_GRID_SIDE; i++) {
        const int difference = (int)reference->mean[i] - (int)now->mean[i];
        if (difference > MOTION_LEVELS * MOTION_STEPS_PER_LEVEL || difference < -MOTION_LEVELS * MOTION_STEPS_PER_LEVEL)
            return true;
    }
    return false;
}
