/* The vision process: camera and decoder and nothing else. Main starts it as `qrgated --eye` with a socket on LINK_FD. */
#ifndef VISION_EYE_H
#define VISION_EYE_H

#include "hw/camera.h"
#include "hw/decoder.h"

enum eye_camera { EYE_CAMERA_V4L2, EYE_CAMERA_REPLAY };
enum eye_exposure { EYE_EXPOSURE_OFF, EYE_EXPOSURE_CODE }; /* the camera's own way, or by the brightness of the code */

/* In the order of their turns; at least one. */
struct eye_decoders {
    int count;
    enum decoder_kind kinds[DECODER_KINDS];
};

struct eye_settings {
    enum eye_camera camera;
    struct camera_v4l2_settings v4l2;
    struct camera_replay_settings replay;
    enum eye_exposure exposure;
    struct eye_decoders decoders;
};

/* What main has sent before it started this process of the same program. Negative errno: it wasn't main who did. */
int eye_take_settings(int link_fd, struct eye_settings *ret);
/* Runs until the camera is lost, the link closes or SIGTERM. Returns the process's exit status: 0 link closed or SIGTERM,
 * 1 camera lost or not there. Drops what it doesn't need (seccomp) once the camera is open. */
int eye_run(const struct eye_settings *settings, int link_fd);

#endif
