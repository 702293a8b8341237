/* A bare capture-and-decode program:  see DEVICE SECONDS [WIDTH HEIGHT [lane]]  opens the camera as qrgated's eye does and
 * prints each code it reads that isn't the last one again, with the time, then what it counted. What decodes is ZBar, QR codes only, on
 * each whole picture; or with `lane` the lane's own vision (daemon/vision), still with no process, no lane and no wire around it.
 * Exit 3: the camera was lost. Used by the lab's cases. */
#include "daemon/vision/reader.h"
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

static int64_t spent_us(void *userdata)
{
    struct timespec spent;
    (void)userdata;
    return clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spent) == 0 ? (int64_t)spent.tv_sec * 1000000 + spent.tv_nsec / 1000 : 0;
}

struct sight {
    struct decoder *decoder;
    struct reader *reader; /* NULL: ZBar alone */
    struct reader_result view;
    struct decoder_code codes[DECODER_CODES_MAX];
};

/* The first code in view, or NULL. */
static const struct decoder_code *look(struct sight *sight, const struct decoder_picture *picture)
{
    if (!sight->reader)
        return decoder_scan(sight->decoder, picture, sight->codes) > 0 ? &sight->codes[0] : NULL;
    return reader_frame(sight->reader, picture, &sight->view) == 0 && sight->view.codes_count > 0 ? &sight->view.codes[0].code : NULL;
}

static bool make_sight(struct sight *sight, bool as_the_lane)
{
    sight->decoder = decoder_zbar_new();
    const struct reader_settings settings = {.width_max_px = CAMERA_SIDE_MAX_PX, .height_max_px = CAMERA_SIDE_MAX_PX,
                                             .decoders = {sight->decoder}, .clock_us = spent_us};
    return sight->decoder && (!as_the_lane || reader_new(&settings, &sight->reader) == 0);
}

int main(int argc, char **argv)
{
    struct camera_v4l2_settings settings = {.width_px = 1280, .height_px = 720, .rate_fps = 25};
    struct camera *camera = NULL;
    static struct sight sight;
    char why[256] = "", last[256] = "";
    int frames = 0, reads = 0, result = 0;
    if ((argc != 3 && argc != 5 && argc != 6) || !make_sight(&sight, argc == 6) || setvbuf(stdout, NULL, _IOLBF, BUFSIZ) != 0)
        return 2;
    (void)snprintf(settings.device, sizeof settings.device, "%s", argv[1]);
    settings.width_px = argc >= 5 ? atoi(argv[3]) : settings.width_px;
    settings.height_px = argc >= 5 ? atoi(argv[4]) : settings.height_px;
    if (camera_v4l2_open(&settings, &camera, why, sizeof why) < 0) {
        printf("see: %s\n", why);
        return 1;
    }
    printf("see: %s\n", camera_describe(camera));
    const int64_t begin_us = now_us(), end_us = begin_us + (int64_t)atoi(argv[2]) * 1000000;
    while (now_us() < end_us && (result >= 0 || result == -EBADMSG)) {
        struct camera_frame frame;
        result = camera_next(camera, 500, &frame);
        if (result != 1)
            continue;
        frames++;
        const struct decoder_picture picture = {frame.luma, frame.width_px, frame.height_px, frame.stride_bytes, false};
        const struct decoder_code *code = look(&sight, &picture);
        if (!code)
            continue;
        reads++;
        char text[256];
        (void)snprintf(text, sizeof text, "%.*s", (int)code->length_bytes, (const char *)code->bytes);
        if (strcmp(text, last) != 0)
            printf("see: t_us=%lld age_ms=%lld %s\n", (long long)now_us(), (long long)(now_us() - frame.captured_at_us) / 1000, text);
        memcpy(last, text, sizeof last);
    }
    printf("see: %d frames, %d with a code, in %.1f s\n", frames, reads, (double)(now_us() - begin_us) / 1e6);
    if (result < 0)
        printf("see: the camera is lost: %s\n", strerror(-result));
    reader_free(sight.reader);
    decoder_free(sight.decoder);
    camera_close(camera);
    return result < 0 ? 3 : 0;
}
