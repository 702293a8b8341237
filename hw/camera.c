/* Hands the calls of camera.h on to the driver that opened the camera. Used by the eye process, from its one thread. */
#include "hw/camera.h"

int camera_next(struct camera *camera, int timeout_ms, struct camera_frame *ret_frame)
{
    return camera->ops->next(camera, timeout_ms, ret_frame);
}

const char *camera_describe(const struct camera *camera)
{
    return camera->description;
}

void camera_close(struct camera *camera)
{
    if (camera)
        camera->ops->close(camera);
}
