/* One look at a picture: search, fit, sample, decode, in one of several ways. reader.c keeps the order of looks over the frames;
 * this keeps each within its bounds. One thread; nothing is allocated but by look_room_new(). */
#ifndef VISION_LOOK_H
#define VISION_LOOK_H

#include "daemon/vision/grid.h"
#include "daemon/vision/mend.h"
#include "daemon/vision/reader.h"
#include "daemon/vision/sighting.h"
#include "daemon/vision/triple.h"

enum { LOOK_RULES_MAX = 8 };

/* How a look goes about it. */
struct look_way {
    const char *how; /* for people */
    struct search_settings search;
    int triples;     /* that may fail before the look gives up */
    int whole_level; /* besides: a level of the pyramid, binarised, to the decoder. -1: no */
    int whole_reach_px;
    bool whole_is_region; /* only where a code seems to be */
    int rules_count;
    struct grid_rule rules[LOOK_RULES_MAX];
};
const struct look_way *look_way(int look); /* 0 … READER_LOOKS - 1 */

/* What was read; bytes are copies. */
struct look_code {
    uint8_t bytes[DECODER_PAYLOAD_MAX_BYTES];
    size_t length_bytes;
    int corner_x[4], corner_y[4];
    const char *how;
    int side_modules; /* of `dark`; 0: read elsewhere than in a grid */
    uint8_t dark[GRID_MODULES_MAX]; /* the same modules again are the same code */
};

struct look_room {
    const struct reader_settings *settings;
    int64_t deadline_us;
    int64_t stage_us[READER_STAGE_COUNT];
    struct pyramid pyramid;
    struct threshold thresholds[PYRAMID_LEVELS];
    struct search search;
    struct grid grid;
    struct mend mend;
    struct look_code codes[DECODER_CODES_MAX]; /* of this look */
    int codes_count;
    struct look_code known[DECODER_CODES_MAX]; /* of earlier ones, in turn: they need no second decoding */
    int known_next;
    int decodes;     /* calls of decoders since the room was made */
    int decodes_left, bends_left, tries; /* of this look */
    uint8_t *memory; /* of pyramid and thresholds */
    uint8_t *threshold_memory, *scratch, *drawing;
    int drawing_bytes;
};

int look_room_new(const struct reader_settings *settings, struct look_room **ret_room); /* 0, -ENOMEM, -EINVAL */
void look_room_free(struct look_room *room);
void look_forget(struct look_room *room); /* the codes of earlier pictures */
/* Before the first look at a picture. */
void look_prepare(struct look_room *room, const struct image *picture);
/* The number of codes read, in room->codes; or a negative errno of a decoder. */
int look_run(struct look_room *room, int look, struct sighting *ret_sighting);

#endif
