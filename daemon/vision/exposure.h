/* The exposure that a code on a phone's screen needs: metered on the code, not on the scene behind it. Pure: a measurement of each
 * frame in, the value wanted of the camera's control out. Called by eye.c for each frame; one thread. */
#ifndef VISION_EXPOSURE_H
#define VISION_EXPOSURE_H

#include <stdbool.h>
#include <stdint.h>

#include "hw/camera.h"
#include "hw/decoder.h"

enum {
    EXPOSURE_SETTLE_FRAMES = 3, /* until a camera's pictures show what it was told */
    EXPOSURE_RELEASE_MS = 3000, /* no code for so long: the camera's own way again */
    EXPOSURE_REST_MS = 10000,   /* after turning round too often: no change for so long */
    EXPOSURE_TURNS_MAX = 3
};

/* Of the luma within the code's corners. */
struct exposure_reading {
    int mean;               /* 0 to 255 */
    int saturated_permille; /* of 235 and more, where a camera has little or no more to give */
};

enum exposure_act { EXPOSURE_KEEP, EXPOSURE_SET, EXPOSURE_RELEASE };

/* The members are for exposure.c and for looking at. */
struct exposure {
    struct camera_exposure range;
    int32_t value;
    bool is_ours;       /* the control was set, and not released yet */
    bool is_adjusting;
    int settle_frames;
    int direction, turns; /* of the last change: -1 darker, 1 brighter; how often that changed */
    int64_t code_at_us, rest_until_us;
};

/* False: too little of the quadrangle lies within the picture. */
bool exposure_read(const struct decoder_picture *picture, const int corner_x[4], const int corner_y[4],
                   struct exposure_reading *ret);
/* range: what the camera says of its control, with its present value. */
void exposure_init(struct exposure *exposure, const struct camera_exposure *range);
/* reading: NULL when this frame shows no code. SET: *ret_value is to be set. RELEASE: the camera may have its control back. */
enum exposure_act exposure_step(struct exposure *exposure, const struct exposure_reading *reading, int64_t now_us,
                                int32_t *ret_value);

#endif
