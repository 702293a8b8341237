/* The exposure controller: reading -> wanted value. Pure; called by eye.c for each frame, from its one thread. */
#include "daemon/vision/exposure.h"

#include <string.h>

enum {
    SAMPLES_A_SIDE = 32,
    SATURATED = 235, /* white of a camera that keeps to 16…235; one that goes to 255 is close to its end there */
    /* Between these all is well; what is outside is brought to within the narrow ones, so that nothing swings at a border. A
     * code is about half light, half dark. */
    WIDE_DARK = 45, WIDE_LIGHT = 175, WIDE_SATURATED = 250,
    NARROW_DARK = 70, NARROW_LIGHT = 150, NARROW_SATURATED = 100,
    TARGET = 110,
    WHOLE = 256, /* factors and shares are of this */
    FACTOR_MAX = 4 * WHOLE,
};

/* ---- the reading -------------------------------------------------------------------------------------------------- */

/* The quadrangle is cut into SAMPLES_A_SIDE² cells: the middle of one. Corners go round, from any of them. */
static int64_t middle_of(const int corner[4], int across, int down)
{
    const int64_t side = 2 * SAMPLES_A_SIDE, right = 2 * across + 1, below = 2 * down + 1;
    const int64_t on_left = corner[0] * (side - below) + corner[1] * below;
    const int64_t on_right = corner[3] * (side - below) + corner[2] * below;
    const int64_t both = on_left * (side - right) + on_right * right;
    return both < 0 ? -1 : both / (side * side);
}

bool exposure_read(const struct decoder_picture *picture, const int corner_x[4], const int corner_y[4],
                   struct exposure_reading *ret)
{
    int64_t sum = 0;
    int count = 0, saturated = 0;
    for (int down = 0; down < SAMPLES_A_SIDE; down++)
        for (int across = 0; across < SAMPLES_A_SIDE; across++) {
            const int64_t x = middle_of(corner_x, across, down);
            const int64_t y = middle_of(corner_y, across, down);
            if (x < 0 || x >= picture->width_px || y < 0 || y >= picture->height_px)
                continue;
            const uint8_t luma = picture->luma[y * picture->stride_bytes + x];
            sum += luma;
            saturated += luma >= SATURATED;
            count++;
        }
    if (count < SAMPLES_A_SIDE * SAMPLES_A_SIDE / 4)
        return false;
    ret->mean = (int)(sum / count);
    ret->saturated_permille = saturated * 1000 / count;
    return true;
}

/* ---- the controller ------------------------------------------------------------------------------------------------ */

void exposure_init(struct exposure *exposure, const struct camera_exposure *range)
{
    memset(exposure, 0, sizeof *exposure);
    exposure->range = *range;
    exposure->value = range->value;
    if (exposure->range.step < 1)
        exposure->range.step = 1;
}

/* -1: too light, 1: too dark, 0: well. */
static int fault_of(const struct exposure_reading *reading, bool is_adjusting)
{
    if (reading->saturated_permille > (is_adjusting ? NARROW_SATURATED : WIDE_SATURATED) ||
        reading->mean > (is_adjusting ? NARROW_LIGHT : WIDE_LIGHT))
        return -1;
    return reading->mean < (is_adjusting ? NARROW_DARK : WIDE_DARK) ? 1 : 0;
}

/* How much light is wanted, of WHOLE. What is cut off at white says not by how much, so the more of it, the bolder. */
static int wanted_factor(const struct exposure_reading *reading, int direction)
{
    if (direction < 0 && reading->saturated_permille > 700)
        return WHOLE / 4;
    if (direction < 0 && reading->saturated_permille > 350)
        return WHOLE / 2;
    if (direction < 0 && reading->mean <= NARROW_LIGHT)
        return WHOLE * 3 / 4;
    const int factor = TARGET * WHOLE / (reading->mean > 0 ? reading->mean : 1);
    return factor < FACTOR_MAX ? factor : FACTOR_MAX;
}

/* Each turn halves the steps. Time is multiplied; of a level, black to white is taken to be its whole range. */
static int32_t wanted_value(const struct exposure *exposure, const struct exposure_reading *reading, int direction)
{
    const struct camera_exposure *range = &exposure->range;
    const int factor = WHOLE + (wanted_factor(reading, direction) - WHOLE) / (1 << exposure->turns);
    const int64_t span = (int64_t)range->highest - range->lowest;
    int64_t change = range->is_time ? (int64_t)exposure->value * (factor - WHOLE) / WHOLE
                                    : span * (factor - WHOLE) / (direction < 0 ? 2 * WHOLE : 8 * WHOLE);
    if (change * direction < range->step)
        change = (int64_t)direction * range->step;
    int64_t value = exposure->value + change;
    value = value < range->lowest ? range->lowest : value > range->highest ? range->highest : value;
    return (int32_t)(range->lowest + (value - range->lowest) / range->step * range->step);
}

static enum exposure_act without_code(struct exposure *exposure, int64_t now_us)
{
    if (now_us - exposure->code_at_us < (int64_t)EXPOSURE_RELEASE_MS * 1000)
        return EXPOSURE_KEEP;
    const bool was_ours = exposure->is_ours;
    const struct camera_exposure range = exposure->range;
    exposure_init(exposure, &range);
    return was_ours ? EXPOSURE_RELEASE : EXPOSURE_KEEP;
}

enum exposure_act exposure_step(struct exposure *exposure, const struct exposure_reading *reading, int64_t now_us,
                                int32_t *ret_value)
{
    if (!reading)
        return without_code(exposure, now_us);
    exposure->code_at_us = now_us;
    if (exposure->settle_frames > 0) {
        exposure->settle_frames--;
        return EXPOSURE_KEEP;
    }
    if (now_us < exposure->rest_until_us)
        return EXPOSURE_KEEP;

    const int direction = fault_of(reading, exposure->is_adjusting);
    exposure->is_adjusting = direction != 0;
    if (direction == 0)
        return EXPOSURE_KEEP;
    if (exposure->direction == -direction && ++exposure->turns > EXPOSURE_TURNS_MAX) {
        exposure->turns = 0;
        exposure->direction = 0;
        exposure->is_adjusting = false;
        exposure->rest_until_us = now_us + (int64_t)EXPOSURE_REST_MS * 1000;
        return EXPOSURE_KEEP;
    }
    exposure->direction = direction;
    const int32_t value = wanted_value(exposure, reading, direction);
    if (value == exposure->value)
        return EXPOSURE_KEEP;
    exposure->value = *ret_value = value;
    exposure->is_ours = true;
    exposure->settle_frames = EXPOSURE_SETTLE_FRAMES;
    return EXPOSURE_SET;
}
