/* The eye without its process, or a bare capture-and-decode program:  see DEVICE SECONDS [WIDTH HEIGHT]  opens the camera
 * as qrgated's eye does and prints each code it reads once per appearance, with the time, then what it counted. Exit 3: the
 * camera was lost. Used by the lab's cases. */
#include "hw/camera.h"
#include "hw/decoder.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int64_t now_us(void)
{
    struct timespec now;
    return clock_gettime(CLOCK_MONOTONIC, &now) == 0 ? (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000 : 0;
}

int main(int argc, char **argv)
{
    struct camera_v4l2_settings settings = {.width_px = 1280, .height_px = 720, .rate_fps = 25};
    struct camera *camera = NULL;
    struct decoder *decoder = decoder_zbar_new();
    char why[256] = "", last[256] = "";
    int frames = 0, reads = 0, result = 0;
    if ((argc != 3 && argc != 5) || !decoder || setvbuf(stdout, NULL, _IOLBF, BUFSIZ) != 0)
        return 2;
    (void)snprintf(settings.device, sizeof settings.device, "%s", argv[1]);
    settings.width_px = argc == 5 ? atoi(argv[3]) : settings.width_px;
    settings.height_px = argc == 5 ? atoi(argv[4]) : settings.height_px;
    if (camera_v4l2_open(&settings, &camera, why, sizeof why) < 0) {
        printf("see: %s\n", why);
        return 1;
    }
    printf("see: %s\n", camera_describe(camera));
    const int64_t begin_us = now_us(), end_us = begin_us + (int64_t)atoi(argv[2]) * 1000000;
    while (now_us() < end_us && (result >= 0 || result == -EBADMSG)) {
        struct camera_frame frame;
        struct decoder_code codes[DECODER_CODES_MAX];
        result = camera_next(camera, 500, &frame);
        if (result != 1)
            continue;
        frames++;
        const struct decoder_picture picture = {frame.luma, frame.width_px, frame.height_px, frame.stride_bytes, false};
        int count = decoder_scan(decoder, &picture, codes);
        if (count <= 0) {
            last[0] = '\0';
            continue;
        }
        reads++;
        char text[256];
        (void)snprintf(text, sizeof text, "%.*s", (int)codes[0].length_bytes, (const char *)codes[0].bytes);
        if (strcmp(text, last) != 0)
            printf("see: t_us=%lld age_ms=%lld %s\n", (long long)now_us(), (long long)(now_us() - frame.captured_at_us) / 1000, text);
        memcpy(last, text, sizeof last);
    }
    printf("see: %d frames, %d with a code, in %.1f s\n", frames, reads, (double)(now_us() - begin_us) / 1e6);
    if (result < 0)
        printf("see: the camera is lost: %s\n", strerror(-result));
    decoder_free(decoder);
    camera_close(camera);
    return result < 0 ? 3 : 0;
}
