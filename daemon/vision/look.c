/* One look at a picture. Called by reader.c. */
#include "daemon/vision/look.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/vision/binarise.h"
#include "hw/camera.h"

enum {
    CONFIRM_SHARE = 3,         /* confirming marks may look at one in three of a picture's pixels … */
    CONFIRM_PX_MIN = 100000,   /* … but of a small one at all */
    WHOLE_SHARE = 4,           /* of the picture's area goes to a decoder binarised, at most … */
    REGION_SHARE = 12,         /* … and of a region */
    WHOLE_MARKS_MAX = 12,      /* more in a picture: is_crowded() */
    BENDS_MAX = 2, DECODES_MAX = 12, TRIES_ANYWAY = 8, /* of a look */
    HOPELESS_MAX = 2,          /* rules that leave nearly all of a code wrong */
    TRIES_AFTER_CODE = 2,      /* triples that may fail once something is read: there may be a second code */
    DIM_LEVEL = 100, DIM_BIAS = 2, DIM_CONTRAST_MIN = 5, /* nothing is lighter: how it is searched then */
    CROWD_MARKS = 24, CROWD_TRIES = 3 /* so many marks are a texture or many codes: of these the best triples are right */
};

/* Of what is fixed in a code; what is read has seldom less than 1.7 of finders and timing together. */
static const float fault_max = 3; /* of a triple: nothing beyond was ever read */
static const float finders_min = 0.7f, finders_hopeless = 0.6f, match_min = 1.55f, match_usual = 1.8f;
static const float bend_min = 0.75f, bend_finders_min = 0.85f;

/* Cheapest first. Chosen on photographs: each reads some of what those before it don't. */
static const struct look_way ways[READER_LOOKS] = {
    {"patch", {0.45f, 2, 4, 10, true}, 6, -1, 0, false, 8,
     {{5, 2}, {5, 0}, {5, GRID_IN_GLARE}, {0, 4}, {3, 4}, {8, 6}, {2, 2}, {4, 8}}},
    {"patch, loose", {0.8f, 2, 4, 8, false}, 8, -1, 0, false, 7,
     {{5, 2}, {3, 1}, {5, GRID_IN_GLARE}, {0, 3}, {4, 6}, {8, 6}, {5, 10}}},
    {"patch, every row", {0.6f, 1, 2, 8, false}, 12, -1, 0, false, 6, {{5, 2}, {3, 1}, {0, 3}, {4, 6}, {8, 6}, {5, 10}}},
    {"half size", {0.45f, 2, 4, 10, true}, 4, 1, 16, false, 2, {{5, 2}, {5, 8}}},
    {"region", {0.45f, 2, 4, 10, true}, 4, 0, 8, true, 2, {{5, 2}, {5, 8}}},
    {"patch, faint", {0.7f, 1, 1, 4, false}, 12, -1, 0, false, 6, {{5, 3}, {2, 1}, {6, 1}, {4, 8}, {0, 8}, {12, 4}}},
    {"region, wide", {0.6f, 2, 6, 10, false}, 4, 0, 32, true, 2, {{5, 2}, {5, 8}}},
    {"half size, wide", {0.8f, 2, 6, 10, false}, 8, 1, 32, false, 3, {{5, 2}, {4, 4}, {7, 8}}},
};

const struct look_way *look_way(int look)
{
    return &ways[look];
}

/* ---- memory ------------------------------------------------------------------------------------------------------ */

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

int look_room_new(const struct reader_settings *settings, struct look_room **ret_room)
{
    const int width = settings->width_max_px, height = settings->height_max_px;
    if (width < 1 || height < 1 || width > CAMERA_SIDE_MAX_PX || height > CAMERA_SIDE_MAX_PX)
        return -EINVAL;
    enum { SIDE = (QR_SIDE_MAX + 2 * GRID_QUIET_MODULES) * GRID_PICTURE_MODULE_PX };
    size_t thresholds = 0;
    for (int i = 0; i < PYRAMID_LEVELS; i++)
        thresholds += threshold_bytes(width >> i, height >> i);
    const size_t drawing = larger((size_t)SIDE * SIDE, (size_t)width * (size_t)height / WHOLE_SHARE);
    const size_t scratch = larger(larger(threshold_scratch_bytes(width), search_scratch_bytes(width)),
                                  binarise_scratch_bytes(width));
    struct look_room *room = calloc(1, sizeof *room);
    if (!room)
        return -ENOMEM;
    room->settings = settings;
    room->memory = malloc(pyramid_bytes(width, height) + 1);
    room->threshold_memory = malloc(thresholds);
    room->scratch = malloc(scratch);
    room->drawing = malloc(drawing);
    room->drawing_bytes = (int)drawing;
    mend_begin(&room->mend);
    if (!room->memory || !room->threshold_memory || !room->scratch || !room->drawing) {
        look_room_free(room);
        return -ENOMEM;
    }
    *ret_room = room;
    return 0;
}

void look_room_free(struct look_room *room)
{
    if (!room)
        return;
    free(room->memory);
    free(room->threshold_memory);
    free(room->scratch);
    free(room->drawing);
    free(room);
}

static int64_t now_us(const struct look_room *room)
{
    return room->settings->clock_us(room->settings->userdata);
}

/* The search alone may spend the budget, on a slow processor or one that is throttled: a look goes on to its first decode, or
 * through its first tries, all the same, else a code in plain view would never be read. */
static bool may_try(const struct look_room *room)
{
    return (room->decodes_left == DECODES_MAX && room->tries < TRIES_ANYWAY) || now_us(room) < room->deadline_us;
}

void look_forget(struct look_room *room)
{
    for (int i = 0; i < DECODER_CODES_MAX; i++)
        room->known[i].side_modules = 0;
}

void look_prepare(struct look_room *room, const struct image *picture)
{
    const int64_t begun_us = now_us(room);
    pyramid_build(picture, room->memory, &room->pyramid);
    uint8_t *memory = room->threshold_memory;
    for (int i = 0; i < room->pyramid.count; i++) {
        const struct image *image = &room->pyramid.level[i];
        threshold_measure(image, image + PYRAMID_COARSER, memory, room->scratch, &room->thresholds[i]);
        memory += threshold_bytes(image->width_px, image->height_px);
    }
    room->stage_us[READER_STAGE_SEARCH] += now_us(room) - begun_us;
}

/* ---- decoding ---------------------------------------------------------------------------------------------------- */

/* From where a decoder saw a corner to where it is. */
struct placing {
    const struct fit *fit; /* the code fills the picture; NULL: a part of it, at */
    int left, top, factor;
};

static bool is_new(const struct look_room *room, const struct decoder_code *code)
{
    for (int i = 0; i < room->codes_count; i++)
        if (room->codes[i].length_bytes == code->length_bytes &&
            memcmp(room->codes[i].bytes, code->bytes, code->length_bytes) == 0)
            return false;
    return true;
}

static void place_corners(const struct placing *placing, const struct decoder_code *found, struct look_code *code)
{
    const float side = placing->fit ? (float)placing->fit->side_modules : 0;
    const float u[4] = {0, 0, side, side}, v[4] = {0, side, side, 0}; /* the order in which libzbar has them */
    for (int i = 0; i < 4; i++) {
        if (placing->fit) {
            const struct point at = fit_at(placing->fit, u[i], v[i]);
            code->corner_x[i] = (int)at.x;
            code->corner_y[i] = (int)at.y;
        } else {
            code->corner_x[i] = placing->left + found->corner_x[i] * placing->factor;
            code->corner_y[i] = placing->top + found->corner_y[i] * placing->factor;
        }
    }
}

static int decode(struct look_room *room, struct decoder *decoder, const struct decoder_picture *picture,
                  const struct placing *placing, const char *how)
{
    struct decoder_code found[DECODER_CODES_MAX];
    const int64_t begun_us = now_us(room);
    const int count = decoder_scan(decoder, picture, found);
    room->stage_us[READER_STAGE_DECODE] += now_us(room) - begun_us;
    room->decodes++;
    for (int i = 0; i < count && room->codes_count < DECODER_CODES_MAX; i++) {
        if (found[i].length_bytes > sizeof room->codes[0].bytes || !is_new(room, &found[i]))
            continue;
        struct look_code *code = &room->codes[room->codes_count++];
        memcpy(code->bytes, found[i].bytes, found[i].length_bytes);
        code->length_bytes = found[i].length_bytes;
        code->how = how;
        code->side_modules = 0;
        place_corners(placing, &found[i], code);
    }
    return count;
}

static size_t modules_of(const struct grid *grid)
{
    return (size_t)grid->side_modules * (size_t)grid->side_modules;
}

/* A code that stays in view is decoded once: the same modules are the same text. */
static const struct look_code *known_code(const struct look_room *room, const struct grid *grid)
{
    for (int i = 0; i < DECODER_CODES_MAX; i++)
        if (room->known[i].side_modules == grid->side_modules &&
            memcmp(room->known[i].dark, grid->dark, modules_of(grid)) == 0)
            return &room->known[i];
    return NULL;
}

static void take_known(struct look_room *room, const struct look_code *known, const struct placing *placing,
                       const char *how)
{
    const struct decoder_code found = {.bytes = known->bytes, .length_bytes = known->length_bytes};
    if (room->codes_count == DECODER_CODES_MAX || !is_new(room, &found))
        return;
    struct look_code *code = &room->codes[room->codes_count++];
    *code = *known;
    code->how = how;
    place_corners(placing, &found, code);
}

static int decode_grid(struct look_room *room, const struct fit *fit, const char *how)
{
    struct grid *grid = &room->grid;
    const struct placing placing = {.fit = fit};
    const struct look_code *known = known_code(room, grid);
    if (known) {
        take_known(room, known, &placing, how);
        return 1;
    }
    const int side = grid_picture_side_px(grid, GRID_PICTURE_MODULE_PX);
    const struct decoder_picture picture = {room->drawing, side, side, side, .is_dark_on_light = true};
    const int before = room->codes_count;
    room->decodes_left--;
    grid_draw(grid, GRID_PICTURE_MODULE_PX, room->drawing);
    const int result = decode(room, room->settings->decoders[0], &picture, &placing, how);
    if (result > 0 && room->codes_count > before) {
        struct look_code *code = &room->codes[room->codes_count - 1];
        code->side_modules = grid->side_modules;
        memcpy(code->dark, grid->dark, modules_of(grid));
        room->known[room->known_next] = *code;
        room->known_next = (room->known_next + 1) % DECODER_CODES_MAX;
    }
    return result;
}

/* ---- patches ----------------------------------------------------------------------------------------------------- */

static bool is_first(uint64_t hash, uint64_t *tried, int *count)
{
    for (int i = 0; i < *count; i++)
        if (tried[i] == hash)
            return false;
    tried[(*count)++] = hash;
    return true;
}

/* What a rule makes of the grid. */
enum tried { TRIED_HOPELESS, TRIED_NOT_A_CODE, TRIED_HARDLY_A_CODE, TRIED_UNREADABLE, TRIED_MENDED };

static enum tried try_rule(struct look_room *room, const struct grid_rule *rule, const struct fit *fit, uint64_t *tried,
                           int *tried_count, float *ret_finders)
{
    grid_decide(&room->grid, rule);
    const float finders = *ret_finders = grid_finder_match(&room->grid);
    if (finders < finders_hopeless)
        return TRIED_HOPELESS;
    if (finders < finders_min || finders + fit->timing < match_min || !is_first(grid_hash(&room->grid), tried, tried_count))
        return TRIED_NOT_A_CODE;
    room->tries++;
    if (mend_try(&room->mend, &room->grid))
        return TRIED_MENDED;
    return finders + fit->timing < match_usual ? TRIED_HARDLY_A_CODE : TRIED_UNREADABLE;
}

/* The rules one after another, as long as they tell something new and something that may be a code; one try is enough for what is
 * hardly one. Only what is right in all its blocks goes to a decoder. */
static int try_grid(struct look_room *room, const struct look_way *way, const struct fit *fit, struct sighting *sighting)
{
    uint64_t tried_hashes[LOOK_RULES_MAX];
    int tried_count = 0, result = 0, hopeless = 0;
    for (int i = 0; i < way->rules_count && hopeless < HOPELESS_MAX && room->decodes_left > 0 && result == 0; i++) {
        const int64_t begun_us = now_us(room);
        float finders;
        if (!may_try(room))
            break;
        if (way->rules[i].sharpen == GRID_IN_GLARE && !grid_has_glare(&room->grid))
            continue;
        const enum tried tried = try_rule(room, &way->rules[i], fit, tried_hashes, &tried_count, &finders);
        if (i == 0)
            sighting_offer(sighting, fit, &room->grid, finders);
        room->stage_us[READER_STAGE_RECTIFY] += now_us(room) - begun_us;
        hopeless += tried == TRIED_UNREADABLE && room->mend.is_hopeless;
        if (tried == TRIED_MENDED)
            result = decode_grid(room, fit, way->how);
        if (tried == TRIED_HOPELESS || tried == TRIED_HARDLY_A_CODE ||
            (tried == TRIED_MENDED && finders + fit->timing < match_usual))
            break;
    }
    return result;
}

/* The best triples; those of which a mark belongs to a code already read are out. */
static int try_triples(struct look_room *room, const struct look_way *way, struct sighting *sighting)
{
    struct search *search = &room->search;
    struct triple triples[TRIPLES_MAX];
    bool used[SEARCH_MARKS_MAX] = {false};
    const int marks = search->count < TRIPLE_MARKS_MAX ? search->count : TRIPLE_MARKS_MAX;
    const int64_t begun_us = now_us(room);
    const int count = triples_rank(search->marks, marks, &room->pyramid, room->thresholds, triples);
    room->stage_us[READER_STAGE_SEARCH] += now_us(room) - begun_us;
    const bool is_crowd = search->count > CROWD_MARKS;
    int left = is_crowd && way->triples > CROWD_TRIES ? CROWD_TRIES : way->triples, result = 0;
    for (int i = 0; i < count && left > 0 && room->codes_count < DECODER_CODES_MAX; i++) {
        const struct triple *triple = &triples[i];
        if (used[triple->corner] || used[triple->right] || used[triple->below])
            continue;
        if (triple->fault > fault_max || !may_try(room))
            break;
        left--;
        struct fit fit;
        const int64_t fit_begun_us = now_us(room);
        const bool fits = fit_code(&room->pyramid, &search->marks[triple->corner], &search->marks[triple->right],
                                   &search->marks[triple->below], is_crowd, &fit);
        if (fits)
            grid_sample(&room->pyramid, &fit, &room->grid);
        room->stage_us[READER_STAGE_RECTIFY] += now_us(room) - fit_begun_us;
        if (!fits)
            continue;
        mend_begin_code(&room->mend, &room->grid);
        result = try_grid(room, way, &fit, sighting);
        if (result == 0 && fit.timing >= bend_min && grid_finder_match(&room->grid) >= bend_finders_min && room->bends_left > 0) {
            const int64_t bend_begun_us = now_us(room);
            room->bends_left--;
            fit_bend(&room->pyramid, room->grid.fixed, &fit);
            grid_sample(&room->pyramid, &fit, &room->grid);
            room->stage_us[READER_STAGE_RECTIFY] += now_us(room) - bend_begun_us;
            result = try_grid(room, way, &fit, sighting);
        }
        if (result < 0)
            return result;
        if (result > 0) {
            used[triple->corner] = used[triple->right] = used[triple->below] = true;
            left = left < TRIES_AFTER_CODE ? left : TRIES_AFTER_CODE;
        }
    }
    return 0;
}

/* ---- whole pictures ---------------------------------------------------------------------------------------------- */

/* Where a code seems to be, or else the middle; at most a part of the picture's area. */
static struct image region_of(const struct look_room *room, const struct sighting *sighting, struct placing *ret_placing)
{
    const struct image *picture = &room->pyramid.level[0];
    float left, top, right, bottom;
    sighting_region(sighting, picture->width_px, picture->height_px, &left, &top, &right, &bottom);
    int level = 0;
    while (level + 1 < room->pyramid.count && (right - left) * (bottom - top) / (float)(1 << 2 * level) * REGION_SHARE >
                                                  (float)picture->width_px * (float)picture->height_px)
        level++;
    const struct image *image = &room->pyramid.level[level];
    const int x = (int)left >> level, y = (int)top >> level;
    int width = (int)(right - left) >> level, height = (int)(bottom - top) >> level;
    width = width < image->width_px - x ? width : image->width_px - x;
    height = height < image->height_px - y ? height : image->height_px - y;
    *ret_placing = (struct placing){.left = x << level, .top = y << level, .factor = 1 << level};
    return (struct image){image->luma + y * image->stride_bytes + x, width, height, image->stride_bytes};
}

/* A wall of finders or a texture: decoders would search it for long, zxing-cpp for minutes. */
static bool is_crowded(const struct look_room *room)
{
    return room->search.count > WHOLE_MARKS_MAX || room->search.pixels_left < 0;
}

static int try_whole(struct look_room *room, const struct look_way *way, const struct sighting *sighting)
{
    struct placing placing = {.factor = 1 << way->whole_level};
    struct image image = {NULL, 0, 0, 0};
    if (way->whole_is_region)
        image = region_of(room, sighting, &placing);
    else if (way->whole_level < room->pyramid.count)
        image = room->pyramid.level[way->whole_level];
    if (image.width_px < QR_SIDE_MIN || image.height_px < QR_SIDE_MIN ||
        (int64_t)image.width_px * image.height_px > room->drawing_bytes || sighting->marks == 0 ||
        is_crowded(room) || now_us(room) >= room->deadline_us)
        return 0;
    const bool inverted = sighting->has_code ? sighting->fit.is_light : sighting->marks > 0 && sighting->mark.is_light;
    const int64_t begun_us = now_us(room);
    binarise(&image, way->whole_reach_px, 3, inverted, room->scratch, room->drawing);
    room->stage_us[READER_STAGE_RECTIFY] += now_us(room) - begun_us;
    const struct decoder_picture drawn = {room->drawing, image.width_px, image.height_px, image.width_px,
                                          .is_dark_on_light = sighting->has_code};
    return decode(room, room->settings->decoders[0], &drawn, &placing, way->how);
}

/* Another decoder has ways of its own: it gets what the camera saw; once all of it, for its search finds other codes than ours. */
static int try_second(struct look_room *room, bool is_whole, const struct sighting *sighting)
{
    struct decoder *decoder = room->settings->decoders[1];
    struct placing placing = {.factor = 1};
    const struct image image = is_whole ? room->pyramid.level[0] : region_of(room, sighting, &placing);
    if (!decoder || image.width_px < QR_SIDE_MIN || image.height_px < QR_SIDE_MIN || is_crowded(room) ||
        now_us(room) >= room->deadline_us)
        return 0;
    const struct decoder_picture part = {image.luma, image.width_px, image.height_px, (int)image.stride_bytes, false};
    return decode(room, decoder, &part, &placing, "second decoder");
}

/* ---- the whole --------------------------------------------------------------------------------------------------- */

/* In little light all differences are smaller, but so is the noise of what is dark. */
static struct search_settings settings_for(const struct look_room *room, const struct look_way *way)
{
    const struct image *coarse = &room->pyramid.level[room->pyramid.count - 1 + PYRAMID_COARSER];
    struct search_settings settings = way->search;
    bool is_dim = true;
    for (int y = 0; y < coarse->height_px && is_dim; y++)
        for (int x = 0; x < coarse->width_px; x++)
            is_dim = is_dim && coarse->luma[y * coarse->stride_bytes + x] < DIM_LEVEL;
    if (is_dim) {
        settings.bias = settings.bias < DIM_BIAS ? settings.bias : DIM_BIAS;
        settings.contrast_min = settings.contrast_min < DIM_CONTRAST_MIN ? settings.contrast_min : DIM_CONTRAST_MIN;
    }
    return settings;
}

static void search_marks(struct look_room *room, const struct look_way *way)
{
    const struct search_settings settings = settings_for(room, way);
    const struct image *picture = &room->pyramid.level[0];
    const int share = picture->width_px * picture->height_px / CONFIRM_SHARE;
    const int64_t begun_us = now_us(room);
    search_begin(&room->search, room->scratch, room->settings->width_max_px, share > CONFIRM_PX_MIN ? share : CONFIRM_PX_MIN);
    for (int level = room->pyramid.count - 1; level >= 0; level--)
        search_level(&room->search, &room->pyramid, level, &room->thresholds[level], &settings);
    search_sort(&room->search);
    room->stage_us[READER_STAGE_SEARCH] += now_us(room) - begun_us;
}

int look_run(struct look_room *room, int look, struct sighting *ret_sighting)
{
    const struct look_way *way = look_way(look);
    *ret_sighting = (struct sighting){.marks = 0};
    room->codes_count = 0;
    room->decodes_left = DECODES_MAX;
    room->tries = 0;
    room->bends_left = BENDS_MAX;
    mend_begin_look(&room->mend);
    search_marks(room, way);
    ret_sighting->marks = room->search.count;
    ret_sighting->mark_is_sure = room->search.count > 0 && way->search.is_even;
    if (room->search.count > 0)
        ret_sighting->mark = room->search.marks[0];
    int result = room->search.count >= 3 ? try_triples(room, way, ret_sighting) : 0;
    if (result >= 0 && room->codes_count == 0 && way->whole_level >= 0)
        result = try_whole(room, way, ret_sighting);
    if (result >= 0 && room->codes_count == 0 && look > 0)
        result = try_second(room, look == 1, ret_sighting);
    return result < 0 ? result : room->codes_count;
}
