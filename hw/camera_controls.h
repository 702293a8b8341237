/* The controls of a V4L2 camera: set by name and read back, and the one that makes pictures brighter. For camera_v4l2.c and its
 * test alone; the eye process, one thread. */
#ifndef HW_CAMERA_CONTROLS_H
#define HW_CAMERA_CONTROLS_H

#include <stddef.h>
#include <stdint.h>

#include "hw/camera.h"

/* How the device is asked: an ioctl's request and argument. 0, or a negative errno. */
struct control_device {
    int (*call)(void *userdata, unsigned long request, void *argument);
    void *userdata;
};

/* Sets each and reads it back. How many of them the camera lacks, refuses, or doesn't keep; `why` names those, what the camera
 * allows, and is "" when there are none. */
int controls_apply(const struct control_device *device, const struct camera_controls *wanted, char *why, size_t why_bytes);

/* What controls_find_exposure() found; the members are for camera_controls.c alone. */
struct exposure_control {
    uint32_t id, switch_id; /* switch_id: what turns the automatic off, 0 = nothing does */
    int32_t by_hand;        /* the switch's value for that */
    int32_t lowest, highest, step;
    int32_t switch_usual, value_usual; /* what it is given back with */
    bool is_time;
};

/* highest_us: no exposure longer than that, so that the rate of frames holds. `wanted` was applied: what it names is usual as it is
 * now, else the driver's default is, for a camera keeps what a process that died had told it. 0, or -ENOTSUP. */
int controls_find_exposure(const struct control_device *device, const struct camera_controls *wanted, int32_t highest_us,
                           struct exposure_control *ret);
int controls_exposure(const struct control_device *device, const struct exposure_control *control, struct camera_exposure *ret);
int controls_set_exposure(const struct control_device *device, const struct exposure_control *control, int32_t value);
int controls_release_exposure(const struct control_device *device, const struct exposure_control *control);

#endif
