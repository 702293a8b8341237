/* What a camera is shown:  show_frames DEVICE FOURCC WIDTH HEIGHT SCENE [torn]  feeds a video output node (vivid's, or
 * v4l2loopback's) with pictures of the format: a gray wall, or the text of the file SCENE held before it as a QR code on
 * white; with `torn` a part of every second picture is missing, as a cheap camera sends them. SCENE may be replaced by a rename at any time; each first picture of a scene is told as "shown t_us=N bytes=N".
 * Used by the lab's cases. Ends when the device goes, or when it is killed. */
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <poll.h>
#include <qrencode.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <jpeglib.h>

enum { QUIET_MODULES = 4, WALL = 128, WHITE = 235, BLACK = 16, NO_COLOUR = 128, PERIOD_MS = 40, TEXT_BYTES = 2048, BUFFERS = 4 };

struct picture {
    uint32_t fourcc;
    int width, height;
    uint8_t *luma;
    uint8_t *bytes; /* in the wanted format */
    unsigned long length, room;
};

struct sink { /* the device's buffers: `used` have been given to it at least once */
    uint8_t *start[BUFFERS];
    size_t bytes[BUFFERS];
    unsigned count, used;
    bool streams;
};

static int64_t now_us(void)
{
    struct timespec now;
    return clock_gettime(CLOCK_MONOTONIC, &now) == 0 ? (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000 : 0;
}

static void draw(struct picture *p, const char *text, size_t length)
{
    QRcode *code = length ? QRcode_encodeData((int)length, (const unsigned char *)text, 0, QR_ECLEVEL_M) : NULL;
    memset(p->luma, WALL, (size_t)p->width * (size_t)p->height);
    if (!code)
        return;
    const int modules = code->width + 2 * QUIET_MODULES, fits = p->height / modules;
    const int module_px = fits < 8 ? fits : 8, side = modules * module_px;
    const int left = (p->width - side) / 2, top = (p->height - side) / 2;
    for (int y = 0; y < side; y++) {
        for (int x = 0; x < side; x++) {
            const int column = x / module_px - QUIET_MODULES, row = y / module_px - QUIET_MODULES;
            const bool dark = column >= 0 && row >= 0 && column < code->width && row < code->width &&
                              (code->data[row * code->width + column] & 1);
            p->luma[(size_t)(top + y) * (size_t)p->width + (size_t)(left + x)] = dark ? BLACK : WHITE;
        }
    }
    QRcode_free(code);
}

static void pack_jpeg(struct picture *p)
{
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors;
    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_compress(&jpeg);
    p->length = p->room;
    jpeg_mem_dest(&jpeg, &p->bytes, &p->length);
    jpeg.image_width = (JDIMENSION)p->width;
    jpeg.image_height = (JDIMENSION)p->height;
    jpeg.input_components = 3;
    jpeg.in_color_space = JCS_YCbCr; /* as a camera's: with colour, sampled 4:2:0 */
    jpeg_set_defaults(&jpeg);
    jpeg_set_quality(&jpeg, 80, TRUE);
    jpeg_start_compress(&jpeg, TRUE);
    uint8_t *row = malloc((size_t)p->width * 3);
    while (row && jpeg.next_scanline < jpeg.image_height) {
        for (int x = 0; x < p->width; x++) {
            row[3 * x] = p->luma[(size_t)jpeg.next_scanline * (size_t)p->width + (size_t)x];
            row[3 * x + 1] = row[3 * x + 2] = NO_COLOUR;
        }
        (void)jpeg_write_scanlines(&jpeg, &row, 1);
    }
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    free(row);
}

static void pack(struct picture *p)
{
    const size_t pixels = (size_t)p->width * (size_t)p->height;
    if (p->fourcc == V4L2_PIX_FMT_MJPEG) {
        pack_jpeg(p);
        return;
    }
    if (p->fourcc == V4L2_PIX_FMT_YUYV) {
        for (size_t i = 0; i < pixels; i++) {
            p->bytes[2 * i] = p->luma[i];
            p->bytes[2 * i + 1] = NO_COLOUR;
        }
        p->length = 2 * pixels;
        return;
    }
    memcpy(p->bytes, p->luma, pixels); /* GREY; NV12 has the colours after it */
    p->length = pixels;
    if (p->fourcc == V4L2_PIX_FMT_NV12) {
        memset(p->bytes + pixels, NO_COLOUR, pixels / 2);
        p->length += pixels / 2;
    }
}

static bool set_format(int fd, const struct picture *p)
{
    struct v4l2_format format = {.type = V4L2_BUF_TYPE_VIDEO_OUTPUT};
    format.fmt.pix.width = (uint32_t)p->width;
    format.fmt.pix.height = (uint32_t)p->height;
    format.fmt.pix.pixelformat = p->fourcc;
    format.fmt.pix.field = V4L2_FIELD_NONE;
    format.fmt.pix.sizeimage = p->fourcc == V4L2_PIX_FMT_MJPEG ? (uint32_t)p->room : 0;
    if (ioctl(fd, VIDIOC_S_FMT, &format) != 0) {
        perror("show_frames: VIDIOC_S_FMT");
        return false;
    }
    return format.fmt.pix.pixelformat == p->fourcc && format.fmt.pix.width == (uint32_t)p->width;
}

static size_t read_scene(const char *path, char text[TEXT_BYTES])
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    const ssize_t length = fd < 0 ? 0 : read(fd, text, TEXT_BYTES);
    if (fd >= 0)
        (void)close(fd);
    return length > 0 ? (size_t)length : 0;
}

static bool call(int fd, unsigned long request, void *argument, const char *name)
{
    if (ioctl(fd, request, argument) == 0)
        return true;
    fprintf(stderr, "show_frames: %s: %s\n", name, strerror(errno));
    return false;
}

static bool map_buffers(int fd, struct sink *sink)
{
    struct v4l2_requestbuffers request = {
        .count = BUFFERS, .type = V4L2_BUF_TYPE_VIDEO_OUTPUT, .memory = V4L2_MEMORY_MMAP};
    if (!call(fd, VIDIOC_REQBUFS, &request, "VIDIOC_REQBUFS"))
        return false;
    sink->count = request.count < BUFFERS ? request.count : BUFFERS;
    for (unsigned i = 0; i < sink->count; i++) {
        struct v4l2_buffer buffer = {.type = V4L2_BUF_TYPE_VIDEO_OUTPUT, .memory = V4L2_MEMORY_MMAP, .index = i};
        if (!call(fd, VIDIOC_QUERYBUF, &buffer, "VIDIOC_QUERYBUF"))
            return false;
        sink->start[i] = mmap(NULL, buffer.length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)buffer.m.offset);
        sink->bytes[i] = buffer.length;
        if (sink->start[i] == MAP_FAILED)
            return false;
    }
    return sink->count >= 2;
}

/* Waits for a free buffer when all are on their way. */
static bool put(int fd, const struct picture *p, struct sink *sink)
{
    struct v4l2_buffer buffer = {.type = V4L2_BUF_TYPE_VIDEO_OUTPUT, .memory = V4L2_MEMORY_MMAP, .index = sink->used};
    if (sink->used < sink->count)
        sink->used++;
    else if (!call(fd, VIDIOC_DQBUF, &buffer, "VIDIOC_DQBUF"))
        return false;
    if (p->length > sink->bytes[buffer.index])
        return false;
    memcpy(sink->start[buffer.index], p->bytes, p->length);
    buffer.bytesused = (uint32_t)p->length;
    buffer.field = V4L2_FIELD_NONE;
    if (!call(fd, VIDIOC_QBUF, &buffer, "VIDIOC_QBUF"))
        return false;
    int type = V4L2_BUF_TYPE_VIDEO_OUTPUT;
    sink->streams = sink->streams || call(fd, VIDIOC_STREAMON, &type, "VIDIOC_STREAMON");
    return sink->streams;
}

int main(int argc, char **argv)
{
    char text[TEXT_BYTES], folder[256] = "";
    struct picture p = {0};
    struct sink sink = {0};
    struct v4l2_capability capability = {0};
    const bool is_torn = argc == 7;
    const int fd = argc == 6 || argc == 7 ? open(argv[1], O_RDWR | O_CLOEXEC) : -1;
    const int changes = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (fd < 0 || strlen(argv[2]) != 4 || ioctl(fd, VIDIOC_QUERYCAP, &capability) != 0) {
        fprintf(stderr, "usage: show_frames DEVICE GREY|NV12|YUYV|MJPG WIDTH HEIGHT SCENE [torn] (%s)\n", strerror(errno));
        return 2;
    }
    p.fourcc = v4l2_fourcc(argv[2][0], argv[2][1], argv[2][2], argv[2][3]);
    p.width = atoi(argv[3]);
    p.height = atoi(argv[4]);
    p.room = (unsigned long)p.width * (unsigned long)p.height * 2;
    p.luma = malloc(p.room);
    p.bytes = malloc(p.room);
    (void)snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(argv[5], '/') - argv[5]), argv[5]);
    if (!p.luma || !p.bytes || !set_format(fd, &p) || !map_buffers(fd, &sink) || inotify_add_watch(changes, folder, IN_MOVED_TO) < 0 ||
        setvbuf(stdout, NULL, _IOLBF, BUFSIZ) != 0)
        return 1;
    /* vivid goes on showing the last picture it was given; v4l2loopback shows each one once. */
    const bool keeps = strcmp((const char *)capability.driver, "vivid") == 0;
    unsigned long whole = 0, number = 0;
    for (bool fresh = true, first = true;; first = false) {
        const size_t length = fresh ? read_scene(argv[5], text) : 0;
        if (fresh) {
            draw(&p, text, length);
            pack(&p);
            whole = p.length;
        }
        if (is_torn)
            p.length = number++ % 2 ? whole : whole / 2;
        if ((fresh || !keeps) && !put(fd, &p, &sink))
            return 1;
        if (first && keeps && !put(fd, &p, &sink)) /* it doesn't begin with less than two */
            return 1;
        if (fresh)
            printf("shown t_us=%lld bytes=%zu\n", (long long)now_us(), length);
        struct pollfd waiting = {.fd = changes, .events = POLLIN};
        char events[4096];
        (void)poll(&waiting, 1, keeps ? -1 : PERIOD_MS);
        for (fresh = false; read(changes, events, sizeof events) > 0;)
            fresh = true;
    }
}
