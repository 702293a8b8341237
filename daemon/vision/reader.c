/* The lane's vision: gate, search, looks, hints. Called by eye.c for each frame and by `qrgatectl look`; one thread. */
#include "daemon/vision/reader.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/vision/look.h"
#include "daemon/vision/motion.h"
#include "daemon/vision/plan.h"

enum {
    BUDGET_US = 20000,  /* of 33 ms a frame; the rest is for the camera's JPEG */
    HINT_AFTER_LOOKS = 3, /* a view in motion is often read by the next frame */
    HINT_LOOKS_MAX = 6,   /* so it ends when what was there has gone for a moment */
    SIGHTED_MARKS_MIN = 2 /* finder patterns without a code around them: worth another look */
};

struct reader {
    struct reader_settings settings;
    struct look_room *room;
    struct motion_grid reference; /* of the frame that was looked at last */
    struct plan plan;
    struct reader_result last;
    int hints;             /* looks in a row, nearly, that say what is in the way */
    enum reader_hint hint; /* what the last of them said */
    bool has_centre;
    struct point centre; /* of the code sighted by the last look */
};

const char *reader_hint_name(enum reader_hint hint)
{
    static const char *const names[READER_HINT_COUNT] = {"none",     "unreadable", "too_far", "too_near",
                                                         "too_dark", "glare",      "moving"};
    return (unsigned)hint < READER_HINT_COUNT ? names[hint] : "unknown";
}

const char *reader_stage_name(enum reader_stage stage)
{
    static const char *const names[READER_STAGE_COUNT] = {"gate", "search", "rectify", "decode"};
    return (unsigned)stage < READER_STAGE_COUNT ? names[stage] : "unknown";
}

int reader_new(const struct reader_settings *settings, struct reader **ret_reader)
{
    if (!settings->decoders[0] || !settings->clock_us || settings->budget_us < 0)
        return -EINVAL;
    struct reader *reader = calloc(1, sizeof *reader);
    if (!reader)
        return -ENOMEM;
    reader->settings = *settings;
    if (reader->settings.budget_us == 0)
        reader->settings.budget_us = BUDGET_US;
    const int result = look_room_new(&reader->settings, &reader->room);
    if (result < 0) {
        free(reader);
        return result;
    }
    *ret_reader = reader;
    return 0;
}

void reader_free(struct reader *reader)
{
    if (!reader)
        return;
    look_room_free(reader->room);
    free(reader);
}

static int64_t now_us(const struct reader *reader)
{
    return reader->settings.clock_us(reader->settings.userdata);
}

static bool check_picture(const struct reader *reader, const struct decoder_picture *picture)
{
    return picture->luma && picture->width_px >= 1 && picture->width_px <= reader->settings.width_max_px &&
           picture->height_px >= 1 && picture->height_px <= reader->settings.height_max_px &&
           picture->stride_bytes >= picture->width_px;
}

static bool is_searchable(const struct decoder_picture *picture)
{
    return picture->width_px >= SEARCH_SIDE_MIN_PX && picture->height_px >= SEARCH_SIDE_MIN_PX;
}

/* ---- results ----------------------------------------------------------------------------------------------------- */

static int whole(float value)
{
    return value > -1e6f ? value < 1e6f ? (int)value : 1000000 : -1000000;
}

static void tell_region(const struct sighting *sighting, struct reader_result *ret)
{
    const float side = (float)sighting->fit.side_modules;
    const float u[4] = {0, 0, side, side}, v[4] = {0, side, side, 0};
    ret->has_region = sighting->has_code;
    for (int i = 0; i < 4 && ret->has_region; i++) {
        const struct point at = fit_at(&sighting->fit, u[i], v[i]);
        ret->region_x[i] = whole(at.x);
        ret->region_y[i] = whole(at.y);
    }
}

static void tell_codes(const struct look_room *room, int look, struct reader_result *ret)
{
    ret->codes_count = room->codes_count;
    for (int i = 0; i < room->codes_count; i++) {
        const struct look_code *code = &room->codes[i];
        struct reader_code *told = &ret->codes[i];
        told->code.bytes = code->bytes;
        told->code.length_bytes = code->length_bytes;
        memcpy(told->code.corner_x, code->corner_x, sizeof code->corner_x);
        memcpy(told->code.corner_y, code->corner_y, sizeof code->corner_y);
        told->look = look;
        told->how = code->how;
    }
    if (room->codes_count > 0) {
        ret->has_region = true;
        memcpy(ret->region_x, room->codes[0].corner_x, sizeof ret->region_x);
        memcpy(ret->region_y, room->codes[0].corner_y, sizeof ret->region_y);
    }
}

/* How far the code has gone since the last look. */
static float follow(struct reader *reader, const struct sighting *sighting)
{
    float moved_px = 0;
    if (sighting->has_code) {
        const float middle = (float)sighting->fit.side_modules / 2;
        const struct point now = fit_at(&sighting->fit, middle, middle), before = reader->centre;
        if (reader->has_centre)
            moved_px = sqrtf((now.x - before.x) * (now.x - before.x) + (now.y - before.y) * (now.y - before.y));
        reader->centre = now;
    }
    reader->has_centre = sighting->has_code;
    return moved_px;
}

static int run(struct reader *reader, const struct decoder_picture *picture, int look, struct reader_result *ret,
               struct sighting *ret_sighting)
{
    const int result = look_run(reader->room, look, ret_sighting);
    if (result < 0)
        return result;
    ret->look = look;
    tell_region(ret_sighting, ret);
    tell_codes(reader->room, look, ret);
    ret->hint = result > 0 ? READER_HINT_NONE
                           : sighting_hint(ret_sighting, picture->width_px, picture->height_px, follow(reader, ret_sighting));
    return result;
}

static void begin(struct reader *reader, const struct decoder_picture *picture, int64_t begun_us)
{
    const struct image image = {picture->luma, picture->width_px, picture->height_px, picture->stride_bytes};
    reader->room->deadline_us = begun_us + reader->settings.budget_us;
    memset(reader->room->stage_us, 0, sizeof reader->room->stage_us);
    look_prepare(reader->room, &image);
}

/* ---- frames ------------------------------------------------------------------------------------------------------ */

static enum plan_outcome outcome_of(const struct sighting *sighting, int codes_count)
{
    if (codes_count > 0)
        return PLAN_READ;
    if (sighting->has_code)
        return PLAN_SIGHTED;
    return sighting->marks >= SIGHTED_MARKS_MIN ? PLAN_PERHAPS : PLAN_NOTHING;
}

/* One look that reads ends it; one that sees less than those before it does not at once. */
static enum reader_hint steady_hint(struct reader *reader, enum reader_hint hint, bool is_read)
{
    if (is_read)
        reader->hints = 0;
    else if (hint == READER_HINT_NONE)
        reader->hints -= reader->hints > 0;
    else if (reader->hints < HINT_LOOKS_MAX)
        reader->hints++;
    if (hint != READER_HINT_NONE)
        reader->hint = hint;
    return reader->hints >= HINT_AFTER_LOOKS ? reader->hint : READER_HINT_NONE;
}

int reader_frame(struct reader *reader, const struct decoder_picture *picture, struct reader_result *ret)
{
    if (!check_picture(reader, picture))
        return -EINVAL;
    struct reader_result *last = &reader->last;
    struct motion_grid grid;
    const int64_t begun_us = now_us(reader);
    motion_measure(picture->luma, picture->width_px, picture->height_px, picture->stride_bytes, &grid);
    const bool moved = motion_moved(&reader->reference, &grid);
    const int64_t gate_us = now_us(reader) - begun_us;
    const int look = is_searchable(picture) ? plan_next(&reader->plan, moved) : -1;
    if (look < 0) {
        last->looked = false;
        memset(last->stage_us, 0, sizeof last->stage_us);
        last->stage_us[READER_STAGE_GATE] = gate_us;
        *ret = *last;
        return 0;
    }
    struct sighting sighting;
    *last = (struct reader_result){.looked = true};
    begin(reader, picture, begun_us);
    const int result = run(reader, picture, look, last, &sighting);
    if (result < 0)
        return result;
    memcpy(last->stage_us, reader->room->stage_us, sizeof last->stage_us);
    last->stage_us[READER_STAGE_GATE] = gate_us;
    reader->reference = grid;
    plan_told(&reader->plan, outcome_of(&sighting, result));
    last->hint = steady_hint(reader, last->hint, result > 0);
    *ret = *last;
    return 0;
}

int reader_picture(struct reader *reader, const struct decoder_picture *picture, int looks, struct reader_result *ret)
{
    if (!check_picture(reader, picture) || looks < 1 || looks > READER_LOOKS)
        return -EINVAL;
    *ret = (struct reader_result){.looked = true};
    enum reader_hint hint = READER_HINT_NONE;
    int result = 0;
    look_forget(reader->room);
    for (int look = 0; look < looks && result == 0 && is_searchable(picture); look++) {
        struct sighting sighting;
        struct reader_result one = {.looked = true};
        begin(reader, picture, now_us(reader));
        reader->has_centre = false;
        result = run(reader, picture, look, &one, &sighting);
        for (int i = 0; i < READER_STAGE_COUNT; i++)
            one.stage_us[i] = ret->stage_us[i] + reader->room->stage_us[i];
        const bool keeps_region = ret->has_region && !one.has_region;
        if (keeps_region) {
            one.has_region = true;
            memcpy(one.region_x, ret->region_x, sizeof one.region_x);
            memcpy(one.region_y, ret->region_y, sizeof one.region_y);
        }
        hint = one.hint != READER_HINT_NONE && hint <= READER_HINT_UNREADABLE ? one.hint : hint;
        *ret = one;
    }
    ret->hint = result > 0 ? READER_HINT_NONE : hint;
    return result < 0 ? result : 0;
}
