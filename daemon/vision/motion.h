/* Has the picture changed? Block means on a coarse grid, compared with those of the picture that was decoded last,
 * so that a still view costs no decoding. Pure; called by reader.c for every frame. */
#ifndef VISION_MOTION_H
#define VISION_MOTION_H

#include <stdbool.h>
#include <stdint.h>

enum { MOTION_GRID_SIDE = 16, MOTION_STEPS_PER_LEVEL = 16, MOTION_LEVELS = 3 };

struct motion_grid {
    uint16_t mean[MOTION_GRID_SIDE * MOTION_GRID_SIDE]; /* gray levels x MOTION_STEPS_PER_LEVEL */
};

void motion_measure(const uint8_t *luma, int width_px, int height_px, int stride_bytes, struct motion_grid *ret_grid);
/* True when any cell differs by more than MOTION_LEVELS. */
bool motion_moved(const struct motion_grid *reference, const struct motion_grid *now);

#endif
