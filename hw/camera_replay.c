/* A camera made of the pictures in a folder, at a frame rate: for tests, demonstrations and machines without a
 * camera. Used by the eye process, from its one thread. The driver to copy for a new kind of camera. */
#include "hw/camera.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "hw/picture.h"

enum { GRAY = 128, LOOK_EVERY_MS = 50, RATE_MAX_FPS = 240, US_PER_S = 1000000, NS_PER_US = 1000 };
enum { UNIT = 256 }; /* one source pixel, in the arithmetic of scaling down */

enum phase { PHASE_LOOK, PHASE_HOLD, PHASE_GAP };

struct replay {
    struct camera base;
    struct camera_replay_settings settings;
    DIR *folder;
    struct picture_loader *loader;
    uint8_t *frame;  /* width x height, what the caller sees */
    uint8_t *loaded; /* the picture in its own size; only what it fills is ever touched */
    char last[NAME_MAX + 1], next[NAME_MAX + 1]; /* names: shown last, found to be next */
    enum phase phase;
    uint64_t hold_frames, gap_frames, look_frames;
    uint64_t phase_end, look_at; /* frame numbers */
    uint64_t number;             /* of the frame to come */
    int64_t start_us;
};

static int64_t now_us(void)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail for this clock */
    return (int64_t)now.tv_sec * US_PER_S + now.tv_nsec / NS_PER_US;
}

/* False when a signal came first. */
static bool sleep_until(int64_t at_us)
{
    const struct timespec at = {.tv_sec = at_us / US_PER_S, .tv_nsec = at_us % US_PER_S * NS_PER_US};
    return clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == 0;
}

static size_t frame_bytes(const struct replay *replay)
{
    return (size_t)replay->settings.width_px * (size_t)replay->settings.height_px;
}

static bool is_picture_name(const char *name)
{
    static const char *const endings[] = {".png", ".jpg", ".jpeg", ".pgm"};
    const char *dot = strrchr(name, '.');
    if (name[0] == '.' || !dot || strlen(name) > NAME_MAX)
        return false;
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (strcasecmp(dot, endings[i]) == 0)
            return true;
    return false;
}

/* The first name behind `last` in byte order goes to `next`. 1: there is one; 0: none; negative errno. */
static int find_next(struct replay *replay)
{
    bool found = false;
    rewinddir(replay->folder);
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(replay->folder);
        if (!entry)
            break;
        if (!is_picture_name(entry->d_name) || strcmp(entry->d_name, replay->last) <= 0)
            continue;
        if (found && strcmp(entry->d_name, replay->next) >= 0)
            continue;
        memcpy(replay->next, entry->d_name, strlen(entry->d_name) + 1);
        found = true;
    }
    return errno ? -errno : found;
}

/* The mean of the source pixels that lie under one frame pixel, the ones at its border in proportion. The sides are in
 * UNITs, so that a scale like 1.7 makes no uneven modules. */
static uint8_t mean_under(const uint8_t *src, int src_width_px, int64_t left, int64_t right, int64_t top,
                         int64_t bottom)
{
    int64_t sum = 0;
    for (int64_t y = top / UNIT; y * UNIT < bottom; y++) {
        const int64_t y_end = (y + 1) * UNIT;
        const int64_t y_weight = (bottom < y_end ? bottom : y_end) - (top > y * UNIT ? top : y * UNIT);
        for (int64_t x = left / UNIT; x * UNIT < right; x++) {
            const int64_t x_end = (x + 1) * UNIT;
            const int64_t x_weight = (right < x_end ? right : x_end) - (left > x * UNIT ? left : x * UNIT);
            sum += x_weight * y_weight * src[y * src_width_px + x];
        }
    }
    return (uint8_t)(sum / ((right - left) * (bottom - top)));
}

/* The loaded picture goes to the middle of the gray frame; one that is too large is scaled down to fit, in
 * proportion. */
static void place(struct replay *replay, int width_px, int height_px)
{
    const int frame_width = replay->settings.width_px, frame_height = replay->settings.height_px;
    int width = width_px, height = height_px;
    if (width > frame_width) {
        height = (int)((int64_t)height * frame_width / width);
        width = frame_width;
    }
    if (height > frame_height) {
        width = (int)((int64_t)width * frame_height / height);
        height = frame_height;
    }
    width = width < 1 ? 1 : width;
    height = height < 1 ? 1 : height;

    const int left = (frame_width - width) / 2, top = (frame_height - height) / 2;
    for (int y = 0; y < height; y++) {
        uint8_t *out = replay->frame + (size_t)(top + y) * (size_t)frame_width + left;
        if (width == width_px && height == height_px) {
            memcpy(out, replay->loaded + (size_t)y * (size_t)width_px, (size_t)width);
            continue;
        }
        const int64_t up = (int64_t)y * height_px * UNIT / height, down = (int64_t)(y + 1) * height_px * UNIT / height;
        for (int x = 0; x < width; x++)
            out[x] = mean_under(replay->loaded, width_px, (int64_t)x * width_px * UNIT / width,
                                (int64_t)(x + 1) * width_px * UNIT / width, up, down);
    }
}

static int show_next(struct replay *replay)
{
    int width_px = 0, height_px = 0;
    memcpy(replay->last, replay->next, sizeof replay->last);
    memset(replay->frame, GRAY, frame_bytes(replay));
    const int result = picture_load(replay->loader, dirfd(replay->folder), replay->next, replay->loaded,
                                    (size_t)CAMERA_SIDE_MAX_PX * CAMERA_SIDE_MAX_PX, &width_px, &height_px);
    if (result < 0)
        return -EBADMSG; /* this picture's fault, whatever it is: the rest of its time is gray */
    place(replay, width_px, height_px);
    return 0;
}

/* Brings the frame up to date for frame `number`. 0, -EBADMSG (a new picture was broken), or another negative errno. */
static int advance(struct replay *replay, uint64_t number)
{
    if (replay->phase == PHASE_HOLD && number >= replay->phase_end) {
        memset(replay->frame, GRAY, frame_bytes(replay));
        replay->phase = PHASE_GAP;
        replay->phase_end = number + replay->gap_frames;
    }
    if (replay->phase == PHASE_GAP && number >= replay->phase_end) {
        replay->phase = PHASE_LOOK;
        replay->look_at = number;
    }
    if (replay->phase != PHASE_LOOK || number < replay->look_at)
        return 0;

    int found = find_next(replay);
    if (found == 0 && replay->settings.loop && replay->last[0]) {
        replay->last[0] = '\0';
        found = find_next(replay);
    }
    if (found < 0)
        return found;
    if (found == 0) {
        replay->look_at = number + replay->look_frames; /* a large folder isn't read for every frame */
        return 0;
    }
    replay->phase = PHASE_HOLD;
    replay->phase_end = number + replay->hold_frames;
    return show_next(replay);
}

static int replay_next(struct camera *camera, int timeout_ms, struct camera_frame *ret_frame)
{
    struct replay *replay = (struct replay *)camera;
    const int rate_fps = replay->settings.rate_fps;
    const int64_t called_us = now_us();

    /* Late callers get the frame that is due now; the ones between are dropped and counted. */
    const uint64_t due = (uint64_t)((called_us - replay->start_us) * rate_fps / US_PER_S);
    const uint64_t number = due > replay->number ? due : replay->number;
    const int64_t at_us = replay->start_us + ((int64_t)number * US_PER_S + rate_fps - 1) / rate_fps;
    const int64_t limit_us = called_us + (int64_t)timeout_ms * 1000;
    if (at_us > limit_us) {
        (void)sleep_until(limit_us);
        return 0;
    }
    if (!sleep_until(at_us))
        return 0;

    replay->number = number + 1;
    const int result = advance(replay, number);
    if (result < 0)
        return result;
    *ret_frame = (struct camera_frame){
        .luma = replay->frame,
        .width_px = replay->settings.width_px,
        .height_px = replay->settings.height_px,
        .stride_bytes = replay->settings.width_px,
        .captured_at_us = now_us(),
        .number = number,
    };
    return 1;
}

static void replay_close(struct camera *camera)
{
    struct replay *replay = (struct replay *)camera;
    if (replay->folder)
        (void)closedir(replay->folder);
    picture_loader_free(replay->loader);
    free(replay->frame);
    free(replay->loaded);
    free(replay);
}

static uint64_t frames_in(int ms, int rate_fps, uint64_t at_least)
{
    const uint64_t frames = ((uint64_t)ms * (uint64_t)rate_fps + 999) / 1000;
    return frames > at_least ? frames : at_least;
}

static int check(const struct camera_replay_settings *settings, char *why, size_t why_bytes)
{
    if (settings->width_px < 1 || settings->width_px > CAMERA_SIDE_MAX_PX || settings->height_px < 1 ||
        settings->height_px > CAMERA_SIDE_MAX_PX || settings->rate_fps < 1 || settings->rate_fps > RATE_MAX_FPS ||
        settings->hold_ms < 0 || settings->gap_ms < 0) {
        (void)snprintf(why, why_bytes, "replay camera of %dx%d at %d/s: allowed are sides of 1 to %d, 1 to %d frames/s",
                       settings->width_px, settings->height_px, settings->rate_fps, (int)CAMERA_SIDE_MAX_PX,
                       (int)RATE_MAX_FPS);
        return -EINVAL;
    }
    return 0;
}

int camera_replay_open(const struct camera_replay_settings *settings, struct camera **ret_camera, char *why,
                       size_t why_bytes)
{
    static const struct camera_ops ops = {.next = replay_next, .close = replay_close};

    int result = check(settings, why, why_bytes);
    if (result < 0)
        return result;
    struct replay *replay = calloc(1, sizeof *replay);
    if (!replay)
        goto no_memory;
    replay->base.ops = &ops;
    replay->settings = *settings;
    replay->hold_frames = frames_in(settings->hold_ms, settings->rate_fps, 1);
    replay->gap_frames = frames_in(settings->gap_ms, settings->rate_fps, 0);
    replay->look_frames = frames_in(LOOK_EVERY_MS, settings->rate_fps, 1);

    replay->folder = opendir(settings->folder);
    if (!replay->folder) {
        result = -errno;
        (void)snprintf(why, why_bytes, "picture folder %s: %s; create it or mend its path in the configuration",
                       settings->folder, strerror(-result));
        goto fail;
    }
    replay->loader = picture_loader_new();
    replay->frame = malloc(frame_bytes(replay));
    replay->loaded = malloc((size_t)CAMERA_SIDE_MAX_PX * CAMERA_SIDE_MAX_PX);
    if (!replay->loader || !replay->frame || !replay->loaded)
        goto no_memory;

    memset(replay->frame, GRAY, frame_bytes(replay));
    (void)snprintf(replay->base.description, sizeof replay->base.description, "replay %.100s %dx%d at %d/s",
                   settings->folder, settings->width_px, settings->height_px, settings->rate_fps);
    replay->start_us = now_us();
    *ret_camera = &replay->base;
    return 0;

no_memory:
    result = -ENOMEM;
    (void)snprintf(why, why_bytes, "replay camera: no memory; ask for a smaller picture");
fail:
    if (replay)
        replay_close(&replay->base);
    return result;
}
