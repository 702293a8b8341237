/* A camera gives luma pictures, the newest first, never a backlog. Called by the eye process only, from one thread.
 *
 * Errors: 0 or a positive count is success, a negative errno is failure. Where a person has to mend something, `why`
 * (of `why_bytes`) receives one line that names the thing and the remedy. */
#ifndef HW_CAMERA_H
#define HW_CAMERA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CAMERA_PATH_BYTES = 256, CAMERA_SIDE_MAX_PX = 4096, CAMERA_CONTROLS_MAX = 16, CAMERA_CONTROL_NAME_BYTES = 32 };

/* One luma picture. `luma` belongs to the camera and is valid until the next camera_next() or camera_close(). */
struct camera_frame {
    const uint8_t *luma;
    int width_px, height_px, stride_bytes;
    int64_t captured_at_us; /* CLOCK_MONOTONIC, when the frame's last byte arrived */
    uint64_t number;        /* counts frames since open, dropped ones included */
};

/* Controls to be set at open, in this order. A name is the driver's in small letters with _ between words, as
 * `v4l2-ctl --list-ctrls` prints it; what newer kernels call otherwise has its older name too ("exposure_auto"). */
struct camera_controls {
    struct {
        char name[CAMERA_CONTROL_NAME_BYTES];
        int32_t value;
    } list[CAMERA_CONTROLS_MAX];
    int count;
};

struct camera_v4l2_settings {
    char device[CAMERA_PATH_BYTES]; /* a stable path: /dev/v4l/by-id/… or /dev/videoN */
    int width_px, height_px, rate_fps;
    struct camera_controls controls;
};

/* The one control that makes pictures brighter or darker: the exposure time where it can be set, else gain or brightness. */
struct camera_exposure {
    int32_t lowest, highest, step;
    int32_t value; /* at the time of asking */
    bool is_time;  /* twice the value is twice the light; otherwise each step adds as much as the last */
};

/* Pictures (PNG, JPEG, PGM) of a folder in name order, each held for hold_ms, then gray for gap_ms. Names that sort after
 * the last one shown may be added (by rename) at any time: they are shown when they come. Broken pictures are frames with
 * -EBADMSG. All pictures are centred in width_px x height_px; larger ones are scaled down. */
struct camera_replay_settings {
    char folder[CAMERA_PATH_BYTES];
    int width_px, height_px, rate_fps;
    int hold_ms, gap_ms;
    bool loop; /* begin again after the last */
};

struct camera;

/* On success *ret_camera is owned by the caller until camera_close(). `why` is then "", or a line about controls that the camera
 * lacks or didn't take: no reason to stay closed, but one for the log. */
int camera_v4l2_open(const struct camera_v4l2_settings *settings, struct camera **ret_camera, char *why, size_t why_bytes);
int camera_replay_open(const struct camera_replay_settings *settings, struct camera **ret_camera, char *why,
                       size_t why_bytes);

/* 1: *ret_frame is the newest frame. 0: none within timeout_ms. -EBADMSG: a frame came and was broken (carry on).
 * Any other negative errno: the camera is lost, close it. ret_frame is untouched unless 1 is returned. */
int camera_next(struct camera *camera, int timeout_ms, struct camera_frame *ret_frame);
/* -ENOTSUP: this camera has no such control. */
int camera_exposure(struct camera *camera, struct camera_exposure *ret);
int camera_set_exposure(struct camera *camera, int32_t value); /* by hand from now on */
int camera_release_exposure(struct camera *camera);            /* as configured, else as the driver has it by default */
/* What was opened, for the log: device, format, size, rate. Valid until close. */
const char *camera_describe(const struct camera *camera);
void camera_close(struct camera *camera); /* accepts NULL */

/* The ops behind struct camera; a new driver fills these (camera_replay.c is the one to copy). */
struct camera_ops {
    int (*next)(struct camera *camera, int timeout_ms, struct camera_frame *ret_frame);
    void (*close)(struct camera *camera);
    /* These three may be NULL, all or none. */
    int (*exposure)(struct camera *camera, struct camera_exposure *ret);
    int (*set_exposure)(struct camera *camera, int32_t value);
    int (*release_exposure)(struct camera *camera);
};

struct camera { /* first member of every driver's own struct */
    const struct camera_ops *ops;
    char description[160];
};

#endif
