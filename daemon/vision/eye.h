/* The vision process: camera and decoder and nothing else. Main starts it as `qrgated --eye` with a socket on LINK_FD. */
#ifndef VISION_EYE_H
#define VISION_EYE_H

#include "hw/camera.h"

enum eye_camera { EYE_CAMERA_V4L2, EYE_CAMERA_REPLAY };

struct eye_settings {
    enum eye_camera camera;
    struct camera_v4l2_settings v4l2;
    struct camera_replay_settings replay;
};

/* Runs until the camera is lost, the link closes or SIGTERM. Returns the process's exit status: 0 link closed or SIGTERM,
 * 1 camera lost or not there. Drops what it doesn't need (seccomp) once the camera is open. */
int eye_run(const struct eye_settings *settings, int link_fd);

#endif
