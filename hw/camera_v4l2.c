/* A real camera through libv4l2, streaming. Used by the eye process, from its one thread. Formats with a luma plane
 * (GREY, NV12) are handed out where they lie; YUYV and MJPEG are unpacked here; whatever else a camera speaks,
 * libv4l2 converts. */
#include "hw/camera.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include <libv4l2.h>
#include <linux/videodev2.h>

#include "hw/camera_controls.h"
#include "hw/luma.h"

enum { BUFFERS_WANTED = 4, BUFFERS_MIN = 2, NO_BUFFER = -1, STAMP_AGE_MAX_US = 2000000, US_PER_S = 1000000 };

struct v4l2_camera {
    struct camera base;
    int fd;
    struct v4l2_pix_format format;
    struct luma_jpeg *jpeg;
    uint8_t *luma; /* for the formats that have to be unpacked */
    size_t luma_bytes;
    struct {
        uint8_t *start;
        size_t bytes;
    } buffers[BUFFERS_WANTED];
    unsigned buffers_count;
    struct exposure_control exposure;
    bool has_exposure, exposure_is_set;
    int held; /* the buffer that the last frame points into, or NO_BUFFER */
    bool streaming;
    uint64_t number;
    uint32_t last_sequence;
};

/* How well a format serves; a larger rank is a better one. */
enum rank { RANK_NONE, RANK_OTHER_SIZE, RANK_CONVERTED, RANK_SLOW, RANK_PACKED, RANK_PLAIN };

static int64_t now_us(void)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail for this clock */
    return (int64_t)now.tv_sec * US_PER_S + now.tv_nsec / 1000;
}

static int call(int fd, unsigned long request, void *argument)
{
    int result;
    do
        result = v4l2_ioctl(fd, request, argument);
    while (result < 0 && errno == EINTR);
    return result < 0 ? -errno : 0;
}

static int control_call(void *userdata, unsigned long request, void *argument)
{
    const struct v4l2_camera *camera = userdata;
    return call(camera->fd, request, argument);
}

static struct control_device controls_of(struct v4l2_camera *camera)
{
    return (struct control_device){.call = control_call, .userdata = camera};
}

static const char *remedy(int error)
{
    switch (error) {
    case ENOENT:
    case ENODEV:
    case ENXIO:
        return "plug it in, or take a path that `ls /dev/v4l/by-id` shows";
    case EACCES:
    case EPERM:
        return "put the service's user into the group video";
    case EBUSY:
        return "another program has it: `fuser` with that path names it";
    default:
        return "try it with `v4l2-ctl --all -d` and that path";
    }
}

static int fail(const char *device, const char *doing, int error, char *why, size_t why_bytes)
{
    (void)snprintf(why, why_bytes, "camera %.100s: %s: %s; %s", device, doing, strerror(error), remedy(error));
    return -error;
}

static bool is_packed_jpeg(uint32_t pixelformat)
{
    return pixelformat == V4L2_PIX_FMT_MJPEG || pixelformat == V4L2_PIX_FMT_JPEG;
}

static struct v4l2_format wanted_format(const struct camera_v4l2_settings *settings, uint32_t pixelformat)
{
    struct v4l2_format format = {.type = V4L2_BUF_TYPE_VIDEO_CAPTURE};
    format.fmt.pix.width = (uint32_t)settings->width_px;
    format.fmt.pix.height = (uint32_t)settings->height_px;
    format.fmt.pix.pixelformat = pixelformat;
    format.fmt.pix.field = V4L2_FIELD_NONE;
    return format;
}

/* An interval is no longer than the wanted one, with 5 % for cameras that say 29.97. */
static bool is_fast(struct v4l2_fract interval, int rate_fps)
{
    return interval.numerator == 0 ||
           (uint64_t)interval.numerator * (uint64_t)rate_fps * 100 <= (uint64_t)interval.denominator * 105;
}

/* True too where the driver keeps its rates to itself. */
static bool holds_rate(int fd, const struct v4l2_pix_format *format, int rate_fps)
{
    struct v4l2_frmivalenum rate = {
        .pixel_format = format->pixelformat, .width = format->width, .height = format->height};
    for (; call(fd, VIDIOC_ENUM_FRAMEINTERVALS, &rate) == 0 && rate.index < 256; rate.index++) {
        if (rate.type != V4L2_FRMIVAL_TYPE_DISCRETE)
            return is_fast(rate.stepwise.min, rate_fps);
        if (is_fast(rate.discrete, rate_fps))
            return true;
    }
    return rate.index == 0;
}

static enum rank rank_format(int fd, const struct camera_v4l2_settings *settings, uint32_t pixelformat, bool converted)
{
    struct v4l2_format format = wanted_format(settings, pixelformat);
    if (call(fd, VIDIOC_TRY_FMT, &format) < 0 || format.fmt.pix.pixelformat != pixelformat)
        return RANK_NONE;
    if (format.fmt.pix.width != (uint32_t)settings->width_px || format.fmt.pix.height != (uint32_t)settings->height_px)
        return RANK_OTHER_SIZE;
    if (converted)
        return RANK_CONVERTED;
    if (!holds_rate(fd, &format.fmt.pix, settings->rate_fps))
        return RANK_SLOW;
    return is_packed_jpeg(pixelformat) ? RANK_PACKED : RANK_PLAIN;
}

static bool offers(int fd, uint32_t pixelformat, bool converted)
{
    struct v4l2_fmtdesc offer = {.type = V4L2_BUF_TYPE_VIDEO_CAPTURE};
    for (; offer.index < 512 && call(fd, VIDIOC_ENUM_FMT, &offer) == 0; offer.index++)
        if (offer.pixelformat == pixelformat && converted == !!(offer.flags & V4L2_FMT_FLAG_EMULATED))
            return true;
    return false;
}

/* Plain luma beats YUYV beats JPEG, as long as the size and the rate hold: USB 2 can't carry 720p30 unpacked. libv4l2
 * converts to planar YUV 4:2:0 (it has no way to YUYV), whose first plane is the luma. 0: nothing fits. */
static uint32_t choose_format(int fd, const struct camera_v4l2_settings *settings)
{
    static const struct {
        uint32_t pixelformat;
        bool converted;
    } known[] = {
        {V4L2_PIX_FMT_GREY, false},   {V4L2_PIX_FMT_NV12, false},  {V4L2_PIX_FMT_YUV420, false},
        {V4L2_PIX_FMT_YUYV, false},   {V4L2_PIX_FMT_MJPEG, false}, {V4L2_PIX_FMT_JPEG, false},
        {V4L2_PIX_FMT_YUV420, true},
    };
    uint32_t best = 0;
    enum rank best_rank = RANK_NONE;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (!offers(fd, known[i].pixelformat, known[i].converted))
            continue;
        const enum rank rank = rank_format(fd, settings, known[i].pixelformat, known[i].converted);
        if (rank > best_rank) {
            best_rank = rank;
            best = known[i].pixelformat;
        }
    }
    return best;
}

/* A USB camera has metadata nodes with the same name as its video node: tell them apart before anything else. */
static int check_device(int fd, const char *device, struct v4l2_capability *ret_capability, char *why, size_t why_bytes)
{
    const int result = call(fd, VIDIOC_QUERYCAP, ret_capability);
    if (result < 0) {
        (void)snprintf(why, why_bytes, "camera %.100s: not a video device; take a path that `ls /dev/v4l/by-id` shows",
                       device);
        return -ENODEV;
    }

    const uint32_t can = ret_capability->capabilities & V4L2_CAP_DEVICE_CAPS ? ret_capability->device_caps
                                                                            : ret_capability->capabilities;
    const char *lacks = NULL;
    if (can & V4L2_CAP_META_CAPTURE)
        lacks = "a metadata node, not the picture";
    else if (!(can & V4L2_CAP_VIDEO_CAPTURE))
        lacks = "not a (single-plane) video capture node";
    else if (!(can & V4L2_CAP_STREAMING))
        lacks = "without streaming";
    if (!lacks)
        return 0;
    (void)snprintf(why, why_bytes, "camera %.100s: %s; take the node that ends in video-index0", device, lacks);
    return -ENODEV;
}

static int set_format(struct v4l2_camera *camera, const struct camera_v4l2_settings *settings, char *why,
                      size_t why_bytes)
{
    const uint32_t pixelformat = choose_format(camera->fd, settings);
    if (pixelformat == 0)
        return fail(settings->device, "no format of its is known here", ENOTSUP, why, why_bytes);

    struct v4l2_format format = wanted_format(settings, pixelformat);
    const int result = call(camera->fd, VIDIOC_S_FMT, &format);
    if (result < 0)
        return fail(settings->device, "setting the format", -result, why, why_bytes);
    camera->format = format.fmt.pix;

    const struct v4l2_pix_format *got = &camera->format;
    const uint32_t row_bytes = got->pixelformat == V4L2_PIX_FMT_YUYV ? 2 * got->width : got->width;
    if (got->pixelformat != pixelformat || got->width == 0 || got->width > CAMERA_SIDE_MAX_PX || got->height == 0 ||
        got->height > CAMERA_SIDE_MAX_PX)
        return fail(settings->device, "it changed its mind about the format", ENOTSUP, why, why_bytes);
    if (is_packed_jpeg(pixelformat))
        camera->format.bytesperline = 0;
    else if (got->bytesperline < row_bytes)
        camera->format.bytesperline = row_bytes; /* drivers that leave it 0 mean "packed" */
    return 0;
}

/* The camera may know better or not know rates at all: neither is a reason to stay closed. Returns what it runs at. */
static double set_rate(int fd, int rate_fps)
{
    struct v4l2_streamparm parameters = {.type = V4L2_BUF_TYPE_VIDEO_CAPTURE};
    parameters.parm.capture.timeperframe = (struct v4l2_fract){.numerator = 1, .denominator = (uint32_t)rate_fps};
    if (call(fd, VIDIOC_S_PARM, &parameters) < 0 || parameters.parm.capture.timeperframe.numerator == 0)
        return 0;
    const struct v4l2_fract got = parameters.parm.capture.timeperframe;
    return (double)got.denominator / got.numerator;
}

static int queue_buffer(struct v4l2_camera *camera, unsigned index)
{
    struct v4l2_buffer buffer = {
        .type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .memory = V4L2_MEMORY_MMAP, .index = index};
    return call(camera->fd, VIDIOC_QBUF, &buffer);
}

static int map_buffers(struct v4l2_camera *camera, const char *device, char *why, size_t why_bytes)
{
    struct v4l2_requestbuffers request = {
        .count = BUFFERS_WANTED, .type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .memory = V4L2_MEMORY_MMAP};
    int result = call(camera->fd, VIDIOC_REQBUFS, &request);
    if (result < 0)
        return fail(device, "asking for buffers", -result, why, why_bytes);
    if (request.count < BUFFERS_MIN)
        return fail(device, "it gave too few buffers", ENOMEM, why, why_bytes);

    const unsigned count = request.count < BUFFERS_WANTED ? request.count : BUFFERS_WANTED;
    for (unsigned i = 0; i < count; i++) {
        struct v4l2_buffer buffer = {
            .type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .memory = V4L2_MEMORY_MMAP, .index = i};
        result = call(camera->fd, VIDIOC_QUERYBUF, &buffer);
        if (result < 0)
            return fail(device, "asking for a buffer", -result, why, why_bytes);
        void *start = v4l2_mmap(NULL, buffer.length, PROT_READ | PROT_WRITE, MAP_SHARED, camera->fd,
                                (int64_t)buffer.m.offset);
        if (start == MAP_FAILED)
            return fail(device, "mapping a buffer", errno, why, why_bytes);
        camera->buffers[i].start = start;
        camera->buffers[i].bytes = buffer.length;
        camera->buffers_count = i + 1;
    }
    for (unsigned i = 0; i < count; i++) {
        result = queue_buffer(camera, i);
        if (result < 0)
            return fail(device, "queueing a buffer", -result, why, why_bytes);
    }
    return 0;
}

static int make_luma(struct v4l2_camera *camera)
{
    const bool is_jpeg = is_packed_jpeg(camera->format.pixelformat);
    if (!is_jpeg && camera->format.pixelformat != V4L2_PIX_FMT_YUYV)
        return 0;
    camera->luma_bytes = (size_t)camera->format.width * camera->format.height;
    camera->luma = malloc(camera->luma_bytes);
    if (is_jpeg)
        camera->jpeg = luma_jpeg_new();
    return camera->luma && (!is_jpeg || camera->jpeg) ? 0 : -ENOMEM;
}

/* The driver counts the frames that it had to drop; one that doesn't count, or starts again, counts as one each. */
static void count_frame(struct v4l2_camera *camera, uint32_t sequence)
{
    const uint32_t ahead = sequence - camera->last_sequence;
    camera->number += camera->number > 0 && ahead > 0 && ahead < 1000 ? ahead : 1;
    camera->last_sequence = sequence;
}

static bool another_waits(int fd)
{
    struct pollfd waiting = {.fd = fd, .events = POLLIN};
    return poll(&waiting, 1, 0) == 1 && waiting.revents == POLLIN; /* an error is for the next call to find */
}

/* Takes what has arrived and gives all but the newest back to the driver. 1, 0 (nothing there) or a negative errno. */
static int dequeue_newest(struct v4l2_camera *camera, struct v4l2_buffer *ret_newest)
{
    int have = 0;
    for (unsigned i = 0; i < camera->buffers_count; i++) {
        if (have && !another_waits(camera->fd)) /* libv4l2 writes a line to the log for each fruitless try */
            break;
        struct v4l2_buffer buffer = {.type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .memory = V4L2_MEMORY_MMAP};
        const int result = call(camera->fd, VIDIOC_DQBUF, &buffer);
        if (result == -EAGAIN)
            break;
        if (result < 0)
            return result;
        if (buffer.index >= camera->buffers_count)
            return -EIO;
        count_frame(camera, buffer.sequence);
        if (have) {
            const int queued = queue_buffer(camera, ret_newest->index);
            if (queued < 0)
                return queued;
        }
        *ret_newest = buffer;
        have = 1;
    }
    return have;
}

/* The driver's stamp where it is of our clock and believable; some USB cameras' clocks jump. */
static int64_t capture_time(const struct v4l2_buffer *buffer, int64_t dequeued_us)
{
    if ((buffer->flags & V4L2_BUF_FLAG_TIMESTAMP_MASK) != V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC)
        return dequeued_us;
    const int64_t stamp_us = (int64_t)buffer->timestamp.tv_sec * US_PER_S + buffer->timestamp.tv_usec;
    return stamp_us > dequeued_us || stamp_us < dequeued_us - STAMP_AGE_MAX_US ? dequeued_us : stamp_us;
}

/* Points ret_frame at the luma of a buffer. 0, or -EBADMSG when the camera sent less than a picture. */
static int unpack(struct v4l2_camera *camera, const struct v4l2_buffer *buffer, struct camera_frame *ret_frame)
{
    const uint8_t *start = camera->buffers[buffer->index].start;
    const size_t bytes = buffer->bytesused < camera->buffers[buffer->index].bytes
                             ? buffer->bytesused
                             : camera->buffers[buffer->index].bytes;
    int width = (int)camera->format.width, height = (int)camera->format.height;
    int stride = (int)camera->format.bytesperline;
    int result = 0;

    if (buffer->flags & V4L2_BUF_FLAG_ERROR || bytes == 0)
        return -EBADMSG;
    if (is_packed_jpeg(camera->format.pixelformat)) {
        result = luma_from_jpeg(camera->jpeg, start, bytes, camera->luma, camera->luma_bytes, &width, &height);
        ret_frame->luma = camera->luma;
        stride = width;
    } else if (camera->format.pixelformat == V4L2_PIX_FMT_YUYV) {
        result = luma_from_yuyv(start, bytes, stride, width, height, camera->luma);
        ret_frame->luma = camera->luma;
        stride = width;
    } else {
        if (bytes < (size_t)stride * ((size_t)height - 1) + (size_t)width)
            result = -EBADMSG;
        ret_frame->luma = start;
    }
    ret_frame->width_px = width;
    ret_frame->height_px = height;
    ret_frame->stride_bytes = stride;
    return result < 0 ? -EBADMSG : 0;
}

static int v4l2_camera_next(struct camera *base, int timeout_ms, struct camera_frame *ret_frame)
{
    struct v4l2_camera *camera = (struct v4l2_camera *)base;
    if (camera->held != NO_BUFFER) {
        const int result = queue_buffer(camera, (unsigned)camera->held);
        camera->held = NO_BUFFER;
        if (result < 0)
            return result;
    }

    struct pollfd waiting = {.fd = camera->fd, .events = POLLIN};
    const int ready = poll(&waiting, 1, timeout_ms);
    if (ready < 0)
        return errno == EINTR ? 0 : -errno;
    if (ready == 0)
        return 0;
    if (waiting.revents & (POLLERR | POLLHUP | POLLNVAL)) /* how unplugging and a broken stream show */
        return -EIO;

    struct v4l2_buffer newest = {0};
    int result = dequeue_newest(camera, &newest);
    if (result <= 0)
        return result;

    const int64_t dequeued_us = now_us();
    struct camera_frame frame = {.captured_at_us = capture_time(&newest, dequeued_us), .number = camera->number};
    result = unpack(camera, &newest, &frame);
    if (result == 0 && frame.luma == camera->buffers[newest.index].start) {
        camera->held = (int)newest.index; /* the picture lies in it: it goes back at the next call */
    } else {
        const int queued = queue_buffer(camera, newest.index);
        if (queued < 0)
            return queued;
    }
    if (result < 0)
        return result;
    *ret_frame = frame;
    return 1;
}

static int v4l2_camera_exposure(struct camera *base, struct camera_exposure *ret)
{
    struct v4l2_camera *camera = (struct v4l2_camera *)base;
    const struct control_device device = controls_of(camera);
    return camera->has_exposure ? controls_exposure(&device, &camera->exposure, ret) : -ENOTSUP;
}

static int v4l2_camera_set_exposure(struct camera *base, int32_t value)
{
    struct v4l2_camera *camera = (struct v4l2_camera *)base;
    const struct control_device device = controls_of(camera);
    camera->exposure_is_set = camera->has_exposure;
    return camera->has_exposure ? controls_set_exposure(&device, &camera->exposure, value) : -ENOTSUP;
}

static int v4l2_camera_release_exposure(struct camera *base)
{
    struct v4l2_camera *camera = (struct v4l2_camera *)base;
    const struct control_device device = controls_of(camera);
    camera->exposure_is_set = false;
    return camera->has_exposure ? controls_release_exposure(&device, &camera->exposure) : -ENOTSUP;
}

static void v4l2_camera_close(struct camera *base)
{
    struct v4l2_camera *camera = (struct v4l2_camera *)base;
    if (camera->exposure_is_set)
        (void)v4l2_camera_release_exposure(base); /* fails when it was unplugged: nothing left to release */
    if (camera->streaming) {
        int type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
        (void)call(camera->fd, VIDIOC_STREAMOFF, &type); /* fails when it was unplugged: nothing left to stop */
    }
    for (unsigned i = 0; i < camera->buffers_count; i++)
        (void)v4l2_munmap(camera->buffers[i].start, camera->buffers[i].bytes);
    if (camera->fd >= 0)
        (void)v4l2_close(camera->fd);
    luma_jpeg_free(camera->jpeg);
    free(camera->luma);
    free(camera);
}

/* Once it streams: some cameras forget at STREAMON what they were told before. A camera without a control still reads codes. */
static void set_controls(struct v4l2_camera *camera, const struct camera_v4l2_settings *settings, char *why, size_t why_bytes)
{
    const struct control_device device = controls_of(camera);
    (void)controls_apply(&device, &settings->controls, why, why_bytes); /* `why` says what failed */
    camera->has_exposure = controls_find_exposure(&device, &settings->controls, US_PER_S / settings->rate_fps,
                                                  &camera->exposure) == 0;
}

static int start(struct v4l2_camera *camera, const struct camera_v4l2_settings *settings, char *why, size_t why_bytes)
{
    struct v4l2_capability capability = {0};
    int result = check_device(camera->fd, settings->device, &capability, why, why_bytes);
    if (result < 0)
        return result;
    result = set_format(camera, settings, why, why_bytes);
    if (result < 0)
        return result;
    const double rate_fps = set_rate(camera->fd, settings->rate_fps);
    if (make_luma(camera) < 0)
        return fail(settings->device, "unpacking pictures", ENOMEM, why, why_bytes);
    result = map_buffers(camera, settings->device, why, why_bytes);
    if (result < 0)
        return result;

    int type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
    result = call(camera->fd, VIDIOC_STREAMON, &type);
    if (result < 0)
        return fail(settings->device, "starting the stream", -result, why, why_bytes);
    camera->streaming = true;
    set_controls(camera, settings, why, why_bytes);

    const uint32_t code = camera->format.pixelformat;
    (void)snprintf(camera->base.description, sizeof camera->base.description, "%.80s (%.32s) %.4s %ux%u at %.4g/s",
                   settings->device, (const char *)capability.card,
                   (const char[]){(char)code, (char)(code >> 8), (char)(code >> 16), (char)(code >> 24), '\0'},
                   camera->format.width, camera->format.height, rate_fps);
    return 0;
}

int camera_v4l2_open(const struct camera_v4l2_settings *settings, struct camera **ret_camera, char *why,
                     size_t why_bytes)
{
    static const struct camera_ops ops = {.next = v4l2_camera_next,
                                          .close = v4l2_camera_close,
                                          .exposure = v4l2_camera_exposure,
                                          .set_exposure = v4l2_camera_set_exposure,
                                          .release_exposure = v4l2_camera_release_exposure};

    if (settings->width_px < 1 || settings->width_px > CAMERA_SIDE_MAX_PX || settings->height_px < 1 ||
        settings->height_px > CAMERA_SIDE_MAX_PX || settings->rate_fps < 1)
        return fail(settings->device, "size or rate out of range", EINVAL, why, why_bytes);
    struct v4l2_camera *camera = calloc(1, sizeof *camera);
    if (!camera)
        return fail(settings->device, "opening", ENOMEM, why, why_bytes);
    camera->base.ops = &ops;
    camera->held = NO_BUFFER;

    int result;
    camera->fd = v4l2_open(settings->device, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (camera->fd < 0)
        result = fail(settings->device, "opening", errno, why, why_bytes);
    else
        result = start(camera, settings, why, why_bytes);
    if (result < 0) {
        v4l2_camera_close(&camera->base);
        return result;
    }
    *ret_camera = &camera->base;
    return 0;
}
