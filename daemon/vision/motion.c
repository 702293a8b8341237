/* The motion gate: coarse means of a picture and their comparison. Pure; called by eye.c for every frame. */
#include "daemon/vision/motion.h"

#include <stddef.h>

enum { STEP_PX = 4 }; /* every fourth pixel of every fourth row: 200 samples a cell at 720p, a sixteenth of the cost */

static uint16_t cell_mean(const uint8_t *luma, int stride_bytes, int left, int right, int top, int bottom)
{
    uint32_t sum = 0, samples = 0;
    for (int y = top; y < bottom; y += STEP_PX) {
        const uint8_t *row = luma + (size_t)y * (size_t)stride_bytes;
        for (int x = left; x < right; x += STEP_PX) {
            sum += row[x];
            samples++;
        }
    }
    /* A side of 4096 gives at most 64 x 64 samples a cell: the product stays within 32 bits. */
    return samples ? (uint16_t)(sum * MOTION_STEPS_PER_LEVEL / samples) : 0;
}

void motion_measure(const uint8_t *luma, int width_px, int height_px, int stride_bytes, struct motion_grid *ret_grid)
{
    for (int row = 0; row < MOTION_GRID_SIDE; row++) {
        const int top = row * height_px / MOTION_GRID_SIDE, bottom = (row + 1) * height_px / MOTION_GRID_SIDE;
        for (int column = 0; column < MOTION_GRID_SIDE; column++)
            ret_grid->mean[row * MOTION_GRID_SIDE + column] =
                cell_mean(luma, stride_bytes, column * width_px / MOTION_GRID_SIDE,
                          (column + 1) * width_px / MOTION_GRID_SIDE, top, bottom);
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
