/* What the eye tells main, over a SOCK_SEQPACKET pair: fixed-size messages, eye -> main. Main treats every byte as hostile
 * (link_check). The eye inherits the socket as descriptor LINK_FD, in which one datagram waits for it: struct eye_settings. */
#ifndef VISION_LINK_H
#define VISION_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LINK_FD = 3, LINK_PAYLOAD_MAX_BYTES = 7089, LINK_TEXT_BYTES = 384, LINK_BEAT_MS = 200 };

enum link_kind {
    LINK_BEAT = 1, /* each LINK_BEAT_MS: the loop turns */
    LINK_SEEN,     /* a code is in view: new, or still there (at least each LINK_BEAT_MS while it is) */
    LINK_CAMERA,   /* the camera was opened (text: what) or could not be (text: why); the eye exits after a loss */
    LINK_UNREADABLE, /* something like a code is in view and can't be read: at each sighting, no oftener than LINK_BEAT_MS */
};

struct link_message {
    uint32_t kind; /* enum link_kind */
    uint32_t length_bytes; /* of payload (LINK_SEEN) */
    int64_t captured_at_us, sent_at_us; /* CLOCK_MONOTONIC */
    uint64_t frames, broken_frames, scans, reads; /* since the eye's start */
    int32_t camera_open; /* 0 or 1 */
    int32_t corner_x[4], corner_y[4];
    uint32_t hint; /* enum reader_hint, of LINK_UNREADABLE: why it can't be read; otherwise READER_HINT_NONE */
    char text[LINK_TEXT_BYTES]; /* NUL-terminated */
    uint8_t payload[LINK_PAYLOAD_MAX_BYTES];
};

/* True when a received datagram of `received_bytes` is a message that may be believed: size, kind, length, text ended. */
bool link_check(const struct link_message *message, size_t received_bytes);

#endif
