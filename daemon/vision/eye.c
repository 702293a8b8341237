/* The vision process: frame -> reader -> link. main.c runs eye_run() in a process of its own, which
 * has one thread, no keys and no network; what goes wrong in here costs a restart of the eye and nothing else. */
#include "daemon/vision/eye.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "daemon/vision/exposure.h"
#include "daemon/vision/link.h"
#include "daemon/vision/reader.h"
#include "daemon/vision/sandbox.h"
#include "hw/decoder.h"

enum {
    FRAME_WAIT_MS = 100,
    SEEN_REPEAT_MS = LINK_BEAT_MS / 2, /* so that a frame's time later is still within LINK_BEAT_MS */
    UNREADABLE_REPEAT_MS = LINK_BEAT_MS,
    CAMERA_SILENCE_MAX_MS = 5000,
    US_PER_MS = 1000,
    WHY_BYTES = 512 /* for the log; the link carries its beginning */
};

/* What one turn of the loop came to. */
enum outcome { GO_ON, LINK_CLOSED, LOST };

struct eye {
    int link_fd;
    struct camera *camera;
    struct decoder *decoders[READER_DECODERS_MAX];
    struct reader *reader;
    struct exposure exposure;
    bool meters;               /* the exposure follows the code */
    struct reader_result view; /* what is in view; the codes' bytes are the reader's until its next frame */
    int codes_told;            /* how many the link has taken this round */
    int64_t captured_at_us;      /* of the frame that showed the codes last */
    int64_t seen_at_us, beat_at_us, frame_at_us, unreadable_at_us; /* last time of each */
    struct link_message message;
    char why[WHY_BYTES]; /* of LOST */
};

static int64_t now_us(void)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail for this clock */
    return (int64_t)now.tv_sec * 1000 * US_PER_MS + now.tv_nsec / 1000;
}

/* `level` is a syslog level, which the journal reads from the line's prefix. Never a payload. */
__attribute__((format(printf, 2, 3))) static void say(int level, const char *format, ...)
{
    char line[512];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    (void)fprintf(stderr, "<%d>eye: %s\n", level, line); /* there is nobody to tell that this failed */
}

/* 0: sent. -EAGAIN: main is behind, the message is gone. Any other negative errno: nobody listens any more. */
static int send_message(struct eye *eye, enum link_kind kind)
{
    eye->message.kind = kind;
    eye->message.sent_at_us = now_us();
    const ssize_t sent = send(eye->link_fd, &eye->message, sizeof eye->message, MSG_NOSIGNAL | MSG_DONTWAIT);
    const int error = errno;
    /* No message carries what an earlier one was about. */
    memset(eye->message.payload, 0, eye->message.length_bytes);
    memset(eye->message.text, 0, sizeof eye->message.text);
    eye->message.length_bytes = 0;
    eye->message.hint = READER_HINT_NONE;
    if (sent >= 0)
        return 0;
    return error == EWOULDBLOCK || error == ENOBUFS || error == EINTR ? -EAGAIN : -error;
}

static int tell_camera(struct eye *eye, bool open, const char *text)
{
    eye->message.camera_open = open;
    (void)snprintf(eye->message.text, sizeof eye->message.text, "%.*s", (int)sizeof eye->message.text - 1, text);
    return send_message(eye, LINK_CAMERA);
}

/* Tells of the codes that the link hasn't taken yet. A full link is no error: the next frame tries again. */
static enum outcome tell_codes(struct eye *eye)
{
    for (; eye->codes_told < eye->view.codes_count; eye->codes_told++) {
        const struct decoder_code *code = &eye->view.codes[eye->codes_told].code;
        if (code->length_bytes > sizeof eye->message.payload)
            continue;
        memcpy(eye->message.payload, code->bytes, code->length_bytes);
        eye->message.length_bytes = (uint32_t)code->length_bytes;
        memcpy(eye->message.corner_x, code->corner_x, sizeof eye->message.corner_x);
        memcpy(eye->message.corner_y, code->corner_y, sizeof eye->message.corner_y);
        eye->message.captured_at_us = eye->captured_at_us;
        const int result = send_message(eye, LINK_SEEN);
        if (result < 0)
            return result == -EAGAIN ? GO_ON : LINK_CLOSED;
    }
    return GO_ON;
}

static enum outcome read_frame(struct eye *eye, const struct camera_frame *frame)
{
    const struct decoder_picture picture = {.luma = frame->luma,
                                            .width_px = frame->width_px,
                                            .height_px = frame->height_px,
                                            .stride_bytes = frame->stride_bytes};
    const int result = reader_frame(eye->reader, &picture, &eye->view);
    if (result < 0) {
        eye->view.codes_count = 0;
        (void)snprintf(eye->why, sizeof eye->why, "decoder failed: %s; the eye starts afresh", strerror(-result));
        return LOST;
    }
    if (!eye->view.looked)
        return GO_ON;
    eye->codes_told = 0;
    eye->message.scans++;
    eye->message.reads += (uint64_t)eye->view.codes_count;
    eye->seen_at_us = 0; /* what was read is told at once */
    return GO_ON;
}

/* Something like a code that can't be read: told again as long as it is in view, though no new look was needed. */
static enum outcome tell_unreadable(struct eye *eye, int64_t now)
{
    if (eye->view.hint == READER_HINT_NONE || now - eye->unreadable_at_us < UNREADABLE_REPEAT_MS * US_PER_MS)
        return GO_ON;
    eye->unreadable_at_us = now;
    eye->message.hint = (uint32_t)eye->view.hint;
    eye->message.captured_at_us = eye->captured_at_us;
    const int result = send_message(eye, LINK_UNREADABLE);
    return result < 0 && result != -EAGAIN ? LINK_CLOSED : GO_ON;
}

/* A control that can't be set costs a picture's quality and nothing more: a lost camera shows at its next frame. */
static void meter(struct eye *eye, const struct camera_frame *frame)
{
    const struct decoder_picture picture = {frame->luma, frame->width_px, frame->height_px, frame->stride_bytes, false};
    struct exposure_reading reading;
    int32_t value = 0;
    const bool has_code =
        eye->view.has_region && exposure_read(&picture, eye->view.region_x, eye->view.region_y, &reading);
    switch (exposure_step(&eye->exposure, has_code ? &reading : NULL, frame->captured_at_us, &value)) {
    case EXPOSURE_SET:
        (void)camera_set_exposure(eye->camera, value);
        break;
    case EXPOSURE_RELEASE:
        (void)camera_release_exposure(eye->camera);
        break;
    case EXPOSURE_KEEP:
        break;
    }
}

static enum outcome look(struct eye *eye, const struct camera_frame *frame)
{
    enum outcome outcome = tell_codes(eye); /* what a full link refused, before its bytes are gone */
    if (outcome == GO_ON)
        outcome = read_frame(eye, frame);
    if (outcome != GO_ON)
        return outcome;
    if (eye->meters)
        meter(eye, frame);
    eye->captured_at_us = frame->captured_at_us; /* what was in view still is, as of this frame */

    const int64_t now = now_us();
    if (eye->view.codes_count == 0)
        return tell_unreadable(eye, now);
    if (now - eye->seen_at_us >= SEEN_REPEAT_MS * US_PER_MS) {
        eye->seen_at_us = now;
        eye->codes_told = 0;
        outcome = tell_codes(eye);
    }
    return outcome;
}

/* Beats keep to their rhythm; after a long decoding one is sent, not a burst. A full link just loses one. */
static enum outcome beat(struct eye *eye)
{
    const int64_t now = now_us(), late_us = now - eye->beat_at_us - LINK_BEAT_MS * US_PER_MS;
    if (late_us < 0)
        return GO_ON;
    eye->beat_at_us = late_us < LINK_BEAT_MS * US_PER_MS ? now - late_us : now;
    eye->message.captured_at_us = eye->captured_at_us;
    const int result = send_message(eye, LINK_BEAT);
    return result < 0 && result != -EAGAIN ? LINK_CLOSED : GO_ON;
}

static int wait_ms(const struct eye *eye)
{
    const int64_t to_beat_ms = (eye->beat_at_us - now_us()) / US_PER_MS + LINK_BEAT_MS;
    if (to_beat_ms < 0)
        return 0;
    return to_beat_ms < FRAME_WAIT_MS ? (int)to_beat_ms : FRAME_WAIT_MS;
}

/* SIGTERM and SIGINT are blocked and looked for here, so that no handler and no global flag is needed. */
static bool asked_to_end(void)
{
    sigset_t pending;
    if (sigpending(&pending) < 0)
        return true;
    return sigismember(&pending, SIGTERM) == 1 || sigismember(&pending, SIGINT) == 1;
}

static int block_end_signals(void)
{
    sigset_t signals;
    if (sigemptyset(&signals) < 0 || sigaddset(&signals, SIGTERM) < 0 || sigaddset(&signals, SIGINT) < 0 ||
        sigprocmask(SIG_BLOCK, &signals, NULL) < 0)
        return -errno;
    return 0;
}

static enum outcome take_frame(struct eye *eye)
{
    struct camera_frame frame;
    const int result = camera_next(eye->camera, wait_ms(eye), &frame);
    if (result < 0 && result != -EBADMSG) {
        (void)snprintf(eye->why, sizeof eye->why, "camera lost: %s; check its cable and its power", strerror(-result));
        return LOST;
    }
    if (result != 0)
        eye->message.frames++;
    if (result == -EBADMSG)
        eye->message.broken_frames++;

    const int64_t now = now_us();
    if (result == 1) {
        eye->frame_at_us = now;
        return look(eye, &frame);
    }
    if (now - eye->frame_at_us > CAMERA_SILENCE_MAX_MS * US_PER_MS) {
        (void)snprintf(eye->why, sizeof eye->why,
                       "camera lost: no whole picture for %d s; check its cable and its power",
                       CAMERA_SILENCE_MAX_MS / 1000);
        return LOST;
    }
    return GO_ON;
}

static enum outcome loop(struct eye *eye)
{
    enum outcome outcome = GO_ON;
    while (outcome == GO_ON && !asked_to_end()) {
        outcome = beat(eye);
        if (outcome == GO_ON)
            outcome = take_frame(eye);
    }
    return outcome;
}

/* What an eye that died had told the camera isn't where to begin. */
static void begin_metering(struct eye *eye)
{
    struct camera_exposure range;
    (void)camera_release_exposure(eye->camera); /* the next call tells */
    eye->meters = camera_exposure(eye->camera, &range) == 0;
    if (eye->meters)
        exposure_init(&eye->exposure, &range);
    else
        say(4, "camera.exposure = \"code\": this camera lets neither time nor gain nor brightness be set; it keeps its own way");
}

static int open_camera(struct eye *eye, const struct eye_settings *settings)
{
    const int result = settings->camera == EYE_CAMERA_REPLAY
                           ? camera_replay_open(&settings->replay, &eye->camera, eye->why, sizeof eye->why)
                           : camera_v4l2_open(&settings->v4l2, &eye->camera, eye->why, sizeof eye->why);
    if (result < 0)
        return result;
    if (eye->why[0] != '\0')
        say(4, "%s", eye->why); /* it is open all the same */
    eye->why[0] = '\0';
    if (settings->exposure == EYE_EXPOSURE_CODE)
        begin_metering(eye);
    return 0;
}

/* The filter is a wall, not a wish: without it the eye runs only where it cannot be had at all. */
static int enter_sandbox(struct eye *eye, bool reads_files)
{
    const int result = sandbox_enter(eye->link_fd, reads_files);
    if (result == -ENOTSUP || result == -ENOSYS) {
        say(4, "runs without a system call filter: %s",
            result == -ENOTSUP ? "built with a sanitizer" : "this kernel has no seccomp");
        return 0;
    }
    if (result < 0)
        (void)snprintf(eye->why, sizeof eye->why, "system call filter: %s", strerror(-result));
    return result;
}

/* Work done, not time passed: on a busy machine a look that was interrupted still gets its share, and a code is read. */
static int64_t reader_clock_us(void *userdata)
{
    struct timespec spent;
    (void)userdata;
    if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spent) < 0)
        return now_us();
    return (int64_t)spent.tv_sec * 1000000 + spent.tv_nsec / 1000;
}

static int make_reader(struct eye *eye, const struct eye_settings *settings)
{
    const int count = settings->decoders.count < READER_DECODERS_MAX ? settings->decoders.count : READER_DECODERS_MAX;
    struct reader_settings wanted = {
        .width_max_px = CAMERA_SIDE_MAX_PX, .height_max_px = CAMERA_SIDE_MAX_PX, .clock_us = reader_clock_us};
    for (int i = 0; i < (count > 0 ? count : 1); i++) {
        eye->decoders[i] = decoder_new(count > 0 ? settings->decoders.kinds[i] : DECODER_ZBAR);
        wanted.decoders[i] = eye->decoders[i];
        if (!eye->decoders[i]) {
            (void)snprintf(eye->why, sizeof eye->why, "decoder: no memory, or not built in");
            return -ENOMEM;
        }
    }
    const int result = reader_new(&wanted, &eye->reader);
    if (result < 0)
        (void)snprintf(eye->why, sizeof eye->why, "reader: %s", strerror(-result));
    return result;
}

/* Everything that needs more than the loop does: descriptors, memory, the device. On failure eye->why says what. */
static int prepare(struct eye *eye, const struct eye_settings *settings)
{
    int result = block_end_signals();
    if (result == 0)
        result = sandbox_shed(eye->link_fd);
    if (result < 0) {
        (void)snprintf(eye->why, sizeof eye->why, "giving up privileges: %s", strerror(-result));
        return result;
    }
    result = open_camera(eye, settings);
    if (result == 0)
        result = make_reader(eye, settings);
    if (result < 0)
        return result;
    return enter_sandbox(eye, settings->camera == EYE_CAMERA_REPLAY);
}

int eye_take_settings(int link_fd, struct eye_settings *ret)
{
    const ssize_t got = recv(link_fd, ret, sizeof *ret, MSG_DONTWAIT | MSG_TRUNC);
    if (got < 0)
        return -errno;
    return got == sizeof *ret ? 0 : -EPROTO;
}

int eye_run(const struct eye_settings *settings, int link_fd)
{
    struct eye eye = {.link_fd = link_fd};
    enum outcome outcome = LOST;

    if (prepare(&eye, settings) == 0) {
        eye.frame_at_us = eye.beat_at_us = now_us();
        const int told = tell_camera(&eye, true, camera_describe(eye.camera));
        outcome = told == 0 || told == -EAGAIN ? loop(&eye) : LINK_CLOSED;
    }
    if (outcome == LOST) {
        if (tell_camera(&eye, false, eye.why) < 0) /* main knows what is news, an eye doesn't: it lives but once */
            say(4, "%s", eye.why);
    }
    camera_close(eye.camera);
    reader_free(eye.reader);
    for (int i = 0; i < READER_DECODERS_MAX; i++)
        decoder_free(eye.decoders[i]);
    return outcome == LOST ? 1 : 0;
}
