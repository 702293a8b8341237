/* The vision process: frame -> motion gate -> decoder -> link. main.c runs eye_run() in a process of its own, which
 * has one thread, no keys and no network; what goes wrong in here costs a restart of the eye and nothing else. */
#include "daemon/vision/eye.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "daemon/vision/finder.h"
#include "daemon/vision/link.h"
#include "daemon/vision/motion.h"
#include "daemon/vision/sandbox.h"
#include "hw/decoder.h"

enum {
    FRAME_WAIT_MS = 100,
    SEEN_REPEAT_MS = LINK_BEAT_MS / 2, /* so that a frame's time later is still within LINK_BEAT_MS */
    UNREADABLE_REPEAT_MS = LINK_BEAT_MS,
    STILL_FRAMES_PER_SCAN = 10,
    CAMERA_SILENCE_MAX_MS = 5000,
    US_PER_MS = 1000,
    WHY_BYTES = 512 /* for the log; the link carries its beginning */
};

/* What one turn of the loop came to. */
enum outcome { GO_ON, LINK_CLOSED, LOST };

struct eye {
    int link_fd;
    struct camera *camera;
    struct decoder *decoder;
    struct motion_grid reference; /* of the frame that was decoded last */
    bool has_reference;
    int still_frames; /* since the last decoding */
    struct decoder_code codes[DECODER_CODES_MAX]; /* in view; the bytes are the decoder's until its next scan */
    int codes_count, codes_told; /* told: how many the link has taken this round */
    bool unreadable, unreadable_is_known; /* is there something like a code? Of no interest while codes_count > 0 */
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
    for (; eye->codes_told < eye->codes_count; eye->codes_told++) {
        const struct decoder_code *code = &eye->codes[eye->codes_told];
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

static enum outcome scan(struct eye *eye, const struct camera_frame *frame, const struct motion_grid *grid)
{
    const struct decoder_picture picture = {.luma = frame->luma,
                                            .width_px = frame->width_px,
                                            .height_px = frame->height_px,
                                            .stride_bytes = frame->stride_bytes};
    eye->codes_count = 0; /* their bytes go with the scan */
    eye->codes_told = 0;
    eye->unreadable_is_known = false;
    eye->message.scans++;
    const int count = decoder_scan(eye->decoder, &picture, eye->codes);
    if (count < 0) {
        (void)snprintf(eye->why, sizeof eye->why, "decoder failed: %s; the eye starts afresh", strerror(-count));
        return LOST;
    }
    eye->codes_count = count;
    eye->message.reads += (uint64_t)count;
    eye->reference = *grid;
    eye->has_reference = true;
    eye->still_frames = 0;
    eye->seen_at_us = 0; /* what was read is told at once */
    return GO_ON;
}

/* What the decoder found nothing in may still show a code. A view that is still is told of again without another look at it. */
static enum outcome tell_unreadable(struct eye *eye, const struct camera_frame *frame, int64_t now)
{
    if (now - eye->unreadable_at_us < UNREADABLE_REPEAT_MS * US_PER_MS)
        return GO_ON;
    eye->unreadable_at_us = now;
    if (!eye->unreadable_is_known)
        eye->unreadable = finder_sees_code(frame->luma, frame->width_px, frame->height_px, frame->stride_bytes);
    eye->unreadable_is_known = true;
    if (!eye->unreadable)
        return GO_ON;
    eye->message.captured_at_us = eye->captured_at_us;
    const int result = send_message(eye, LINK_UNREADABLE);
    return result < 0 && result != -EAGAIN ? LINK_CLOSED : GO_ON;
}

static enum outcome look(struct eye *eye, const struct camera_frame *frame)
{
    struct motion_grid grid;
    motion_measure(frame->luma, frame->width_px, frame->height_px, frame->stride_bytes, &grid);
    eye->still_frames++;
    const bool due = !eye->has_reference || eye->still_frames >= STILL_FRAMES_PER_SCAN;

    enum outcome outcome = tell_codes(eye); /* what a full link refused, before its bytes are gone */
    if (outcome == GO_ON && (due || motion_moved(&eye->reference, &grid)))
        outcome = scan(eye, frame, &grid);
    if (outcome != GO_ON)
        return outcome;
    eye->captured_at_us = frame->captured_at_us; /* what was in view still is, as of this frame */

    const int64_t now = now_us();
    if (eye->codes_count == 0)
        return tell_unreadable(eye, frame, now);
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

static int open_camera(struct eye *eye, const struct eye_settings *settings)
{
    if (settings->camera == EYE_CAMERA_REPLAY)
        return camera_replay_open(&settings->replay, &eye->camera, eye->why, sizeof eye->why);
    return camera_v4l2_open(&settings->v4l2, &eye->camera, eye->why, sizeof eye->why);
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
    eye->decoder = decoder_zbar_new();
    if (!eye->decoder) {
        (void)snprintf(eye->why, sizeof eye->why, "decoder: no memory");
        return -ENOMEM;
    }
    result = open_camera(eye, settings);
    if (result < 0)
        return result;
    return enter_sandbox(eye, settings->camera == EYE_CAMERA_REPLAY);
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
    decoder_free(eye.decoder);
    return outcome == LOST ? 1 : 0;
}
