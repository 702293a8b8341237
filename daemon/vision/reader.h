/* A frame -> the payloads of the codes in it, and where none can be read, what is in the way. The lane's whole vision: motion
 * gate, finder search, rectified patch, plan of looks, with the decoders (hw/decoder.h) for each look. Called by eye.c for each
 * frame and by `qrgatectl look` for pictures; one thread. All memory is allocated by reader_new(). */
#ifndef VISION_READER_H
#define VISION_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "hw/decoder.h"

enum { READER_DECODERS_MAX = 2, READER_LOOKS = 8 };

/* Why a code that is seen isn't read; what a person can do about it. In the order of how sure we are. */
enum reader_hint {
    READER_HINT_NONE, /* nothing that looks like a code, or it was read */
    READER_HINT_UNREADABLE, /* a code, and no idea why not */
    READER_HINT_TOO_FAR,
    READER_HINT_TOO_NEAR,
    READER_HINT_TOO_DARK,
    READER_HINT_GLARE,
    READER_HINT_MOVING,
    READER_HINT_COUNT
};
const char *reader_hint_name(enum reader_hint hint); /* "none", "too_far", … */

enum reader_stage { READER_STAGE_GATE, READER_STAGE_SEARCH, READER_STAGE_RECTIFY, READER_STAGE_DECODE, READER_STAGE_COUNT };
const char *reader_stage_name(enum reader_stage stage);

struct reader_settings {
    int width_max_px, height_max_px;
    struct decoder *decoders[READER_DECODERS_MAX]; /* borrowed; [0] is the usual one, NULL ends */
    int64_t (*clock_us)(void *userdata); /* CLOCK_THREAD_CPUTIME_ID or a test's */
    void *userdata;
    int budget_us; /* per frame, soft: then nothing new begins but, until a first decode, a few tries; 0 = the usual */
};

struct reader_code {
    struct decoder_code code; /* corners in the picture's own pixels, however it was read */
    int look;                 /* which one read it, 0 = first */
    const char *how;          /* a few words, for people: "patch", "patch, contrast", "whole frame" */
};

struct reader_result {
    bool looked;      /* false: nothing has changed since the last frame, what was said then still holds */
    int codes_count;
    struct reader_code codes[DECODER_CODES_MAX]; /* bytes are the reader's until its next frame */
    enum reader_hint hint;
    bool has_region;  /* where the code is or seems to be */
    int region_x[4], region_y[4];
    int look;         /* the plan's step that this frame got */
    int64_t stage_us[READER_STAGE_COUNT];
};

struct reader;
int reader_new(const struct reader_settings *settings, struct reader **ret_reader); /* 0, -ENOMEM, -EINVAL */
/* The next frame of a living view: gate, search, one look of the plan. 0 or a negative errno (a decoder failed). */
int reader_frame(struct reader *reader, const struct decoder_picture *picture, struct reader_result *ret);
/* One picture by itself: looks 0 … looks-1 (at most READER_LOOKS) until one reads it. No gate, no memory of earlier pictures. */
int reader_picture(struct reader *reader, const struct decoder_picture *picture, int looks, struct reader_result *ret);
void reader_free(struct reader *reader); /* accepts NULL */

#endif
