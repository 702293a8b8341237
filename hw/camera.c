/* Hands the calls of camera.h on to the driver that opened the camera. Used by the eye process, from its one thread. */
#include "hw/camera.h"

#include <errno.h>

int camera_next(struct camera *camera, int timeout_ms, struct camera_frame *ret_frame)
{
    return camera->ops->next(camera, timeout_ms, ret_frame);
}

int camera_exposure(struct camera *camera, struct camera_exposure *ret)
{
    return camera->ops->exposure ? camera->ops->exposure(camera, ret) : -ENOTSUP;
}

int camera_set_exposure(struct camera *camera, int32_t value)
{
    return camera->ops->set_exposure ? camera->ops->set_exposure(camera, value) : -ENOTSUP;
}

int camera_release_exposure(struct camera *camera)
{
    return camera->ops->release_exposure ? camera->ops->release_exposure(camera) : -ENOTSUP;
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
