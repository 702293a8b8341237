/* The lane's vision as a whole: frames and pictures with codes under all conditions, what is in the way, and what it may cost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "daemon/vision/reader.h"
#include "tests/bench/render.h"
#include "tests/unit/qr_picture.h"

enum { WIDTH = RENDER_WIDTH_PX, HEIGHT = RENDER_HEIGHT_PX, PAYLOAD_BYTES = 40, CARD_BYTES = 150 /* a citizen's card: 49 modules */ };

/* A decoder that counts, in front of libzbar. */
struct counting {
    struct decoder base;
    struct decoder *inner;
    int scans, fails_from; /* 0: never */
    int64_t pixels;
};

struct bench {
    struct counting decoder;
    struct reader *reader;
    int64_t now_us, step_us; /* of a clock that goes on a step at each look at it */
    struct render_room room;
    struct render_matrix matrix;
    char payload[CARD_BYTES + 1];
    size_t payload_bytes;
    uint8_t luma[WIDTH * HEIGHT];
};

static int count_scan(struct decoder *base, const struct decoder_picture *picture,
                      struct decoder_code ret_codes[DECODER_CODES_MAX])
{
    struct counting *counting = (struct counting *)base;
    counting->scans++;
    counting->pixels += (int64_t)picture->width_px * picture->height_px;
    if (counting->fails_from > 0 && counting->scans >= counting->fails_from)
        return -5;
    return decoder_scan(counting->inner, picture, ret_codes);
}

static void count_free(struct decoder *base)
{
    decoder_free(((struct counting *)base)->inner);
}

static int64_t tell_us(void *userdata)
{
    struct bench *bench = userdata;
    bench->now_us += bench->step_us;
    return bench->now_us;
}

static int setup(void **state)
{
    static const struct decoder_ops ops = {.scan = count_scan, .free = count_free};
    struct bench *bench = calloc(1, sizeof *bench);
    if (!bench)
        return -1;
    bench->decoder.base.ops = &ops;
    bench->payload_bytes = PAYLOAD_BYTES;
    bench->decoder.inner = decoder_zbar_new();
    const struct reader_settings settings = {.width_max_px = WIDTH, .height_max_px = HEIGHT,
                                             .decoders = {&bench->decoder.base}, .clock_us = tell_us, .userdata = bench};
    *state = bench;
    return bench->decoder.inner && reader_new(&settings, &bench->reader) == 0 ? 0 : -1;
}

static int teardown(void **state)
{
    struct bench *bench = *state;
    reader_free(bench->reader);
    decoder_free(&bench->decoder.base);
    free(bench);
    return 0;
}

static void put(struct bench *bench, const struct render_scene *scene, int number)
{
    for (int i = 0; i < CARD_BYTES; i++)
        bench->payload[i] = (char)('A' + (i * 7 + number * 11) % 26);
    assert_int_equal(render_encode(bench->payload, bench->payload_bytes, 0, 1, &bench->matrix), 0);
    render_frame(scene, &bench->matrix, &bench->room, bench->luma, NULL, NULL);
}

static struct decoder_picture view_of(const struct bench *bench)
{
    return (struct decoder_picture){bench->luma, WIDTH, HEIGHT, WIDTH, false};
}

static struct reader_result frame(struct bench *bench)
{
    const struct decoder_picture view = view_of(bench);
    struct reader_result result;
    assert_int_equal(reader_frame(bench->reader, &view, &result), 0);
    return result;
}

static struct reader_result picture(struct bench *bench, int looks)
{
    const struct decoder_picture view = view_of(bench);
    struct reader_result result;
    assert_int_equal(reader_picture(bench->reader, &view, looks, &result), 0);
    return result;
}

static bool is_read(const struct bench *bench, const struct reader_result *result)
{
    if (result->codes_count == 0)
        return false;
    assert_int_equal(result->codes_count, 1);
    assert_int_equal(result->codes[0].code.length_bytes, bench->payload_bytes); /* read wrong is worse than not read */
    assert_memory_equal(result->codes[0].code.bytes, bench->payload, bench->payload_bytes);
    return true;
}

/* ---- what is read ------------------------------------------------------------------------------------------------ */

struct limit {
    const char *name;
    struct render_scene scene; /* what differs from the usual; 0: the usual */
    int looks, least_percent;
    bool is_card; /* the larger code */
};

static struct render_scene scene_of(const struct render_scene *different, int number)
{
    struct render_scene scene = render_usual();
    scene.seed = (uint64_t)number * 77 + 5;
    scene.ground = number % 2 == 0 ? RENDER_FLAT : RENDER_SCENE;
    scene.rotation_deg = number * 37.3;
    scene.tilt_axis_deg = number * 53;
    scene.module_px = different->module_px > 0 ? different->module_px : scene.module_px;
    scene.contrast = different->contrast > 0 ? different->contrast : scene.contrast;
    scene.brightness = different->brightness > 0 ? different->brightness : scene.brightness;
    scene.tilt_deg = different->tilt_deg;
    scene.blur_sigma_px = different->blur_sigma_px;
    scene.noise_sigma = different->noise_sigma > 0 ? different->noise_sigma : scene.noise_sigma;
    scene.glare_radius = different->glare_radius;
    scene.moire_depth = different->moire_depth;
    scene.moire_pitch_px = different->moire_pitch_px;
    scene.inverted = different->inverted;
    return scene;
}

static void limits_of_light_and_place(void **state)
{
    struct bench *bench = *state;
    static const struct limit limits[] = {
        {"2 px a module", {.module_px = 2}, 1, 98, false},
        {"1.75 px", {.module_px = 1.75}, 1, 85, false},
        {"1.5 px", {.module_px = 1.5}, 1, 50, false},
        {"tilt of 30 degrees", {.tilt_deg = 30}, 1, 90, false},
        {"tilt of 50 degrees", {.tilt_deg = 50}, 1, 83, false},
        {"blur of 1.75 px", {.blur_sigma_px = 1.75}, 1, 90, false},
        {"24 levels", {.contrast = 24}, 1, 90, false},
        {"noise of 20 levels", {.noise_sigma = 20}, 2, 90, false},
        {"glare of 0.6 of the side", {.glare_radius = 0.6}, 2, 90, false},
        {"card, glare of 0.6", {.glare_radius = 0.6, .module_px = 5}, 2, 90, true},
        {"little light", {.brightness = 30, .contrast = 18, .noise_sigma = 1}, 1, 90, false},
        {"inverted", {.inverted = true}, 1, 98, false},
        {"a screen", {.moire_depth = 0.6, .moire_pitch_px = 2.3}, 8, 75, false},
        {"card, 2 px, a lens", {.module_px = 2, .blur_sigma_px = 0.5}, 1, 98, true},
        {"card, 1.75 px, a lens", {.module_px = 1.75, .blur_sigma_px = 0.5}, 1, 85, true},
        {"card, 1.5 px, a lens", {.module_px = 1.5, .blur_sigma_px = 0.5}, 1, 50, true},
        {"card, tilt of 50 degrees", {.tilt_deg = 50, .module_px = 5}, 1, 90, true},
        {"card, tilt of 55 degrees", {.tilt_deg = 55, .module_px = 5}, 2, 75, true},
    };
    enum { COUNT = 12 };
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        int read = 0;
        for (int number = 0; number < COUNT; number++) {
            const struct render_scene scene = scene_of(&limits[i].scene, number);
            bench->payload_bytes = limits[i].is_card ? CARD_BYTES : PAYLOAD_BYTES;
            put(bench, &scene, number);
            const struct reader_result result = picture(bench, limits[i].looks);
            read += is_read(bench, &result);
        }
        print_message("    %-24s %d of %d\n", limits[i].name, read, COUNT);
        assert_true(read * 100 >= limits[i].least_percent * COUNT);
    }
}

static void corners_are_those_of_the_code(void **state)
{
    struct bench *bench = *state;
    for (int number = 0; number < 8; number++) {
        const struct render_scene different = {.tilt_deg = 5 * number}, scene = scene_of(&different, number);
        double x[4], y[4];
        put(bench, &scene, number);
        render_frame(&scene, &bench->matrix, &bench->room, bench->luma, x, y);
        const struct reader_result result = picture(bench, 1);
        assert_true(is_read(bench, &result));
        static const int clockwise[4] = {0, 3, 2, 1}; /* ours: top left, bottom left, bottom right, top right */
        for (int i = 0; i < 4; i++) {
            assert_in_range(result.codes[0].code.corner_x[i] - (int)x[clockwise[i]] + 8, 0, 16);
            assert_in_range(result.codes[0].code.corner_y[i] - (int)y[clockwise[i]] + 8, 0, 16);
            assert_int_equal(result.region_x[i], result.codes[0].code.corner_x[i]);
        }
        assert_true(result.has_region);
    }
}

static void two_codes_are_both_read(void **state)
{
    struct bench *bench = *state;
    memset(bench->luma, 200, sizeof bench->luma);
    struct qr_picture canvas = {bench->luma, WIDTH, HEIGHT, WIDTH};
    qr_draw(&canvas, qr_bytes("left", 4), 100, 40, 5, false);
    qr_draw(&canvas, qr_bytes("right", 5), 600, 300, 3, true);
    const struct reader_result result = picture(bench, 1);
    assert_int_equal(result.codes_count, 2);
    const bool is_left = result.codes[0].code.length_bytes == 4;
    assert_memory_equal(result.codes[is_left ? 0 : 1].code.bytes, "left", 4);
    assert_memory_equal(result.codes[is_left ? 1 : 0].code.bytes, "right", 5);
}

static void a_part_of_several_codes_is_none(void **state)
{
    struct bench *bench = *state;
    QRinput_Struct *parts = QRinput_Struct_new();
    assert_non_null(parts);
    for (int i = 0; i < 2; i++) {
        QRinput *input = QRinput_new2(2, QR_ECLEVEL_L);
        assert_non_null(input);
        assert_int_equal(QRinput_append(input, QR_MODE_8, 6, (const unsigned char *)"a part"), 0);
        assert_true(QRinput_Struct_appendInput(parts, input) >= 0);
    }
    assert_int_equal(QRinput_Struct_insertStructuredAppendHeaders(parts), 0);
    QRcode_List *codes = QRcode_encodeInputStructured(parts);
    assert_non_null(codes);
    memset(bench->luma, 200, sizeof bench->luma);
    struct qr_picture canvas = {bench->luma, WIDTH, HEIGHT, WIDTH};
    qr_draw(&canvas, codes->code, 300, 200, 5, false);
    codes->code = NULL; /* taken over */
    assert_int_equal(picture(bench, READER_LOOKS).codes_count, 0);
    QRcode_List_free(codes);
    QRinput_Struct_free(parts);
}

/* ---- frames ------------------------------------------------------------------------------------------------------ */

static void an_empty_view_costs_no_decoding(void **state)
{
    struct bench *bench = *state;
    for (int ground = 0; ground < RENDER_GROUND_COUNT; ground++) {
        render_ground((enum render_ground)ground, 3, bench->room.light);
        struct render_scene scene = render_usual();
        scene.ground = (enum render_ground)ground;
        render_frame(&scene, NULL, &bench->room, bench->luma, NULL, NULL);
        int looked = 0;
        for (int i = 0; i < 30; i++) {
            const struct reader_result result = frame(bench);
            looked += result.looked;
            assert_int_equal(result.codes_count, 0);
            assert_int_equal(result.hint, READER_HINT_NONE);
        }
        assert_in_range(looked, 1, 4);
    }
    assert_int_equal(bench->decoder.scans, 0);
}

static void a_code_that_stays_is_decoded_once(void **state)
{
    struct bench *bench = *state;
    struct render_scene scene = render_usual();
    int looked = 0;
    for (int i = 0; i < 30; i++) {
        scene.centre_x = WIDTH / 2.0 + (i % 5) * 40; /* it moves, too */
        scene.noise_sigma = 0;
        put(bench, &scene, 1);
        const struct reader_result result = frame(bench);
        assert_true(is_read(bench, &result));
        assert_int_equal(result.hint, READER_HINT_NONE);
        looked += result.looked;
    }
    assert_int_equal(looked, 30);
    assert_int_equal(bench->decoder.scans, 1);
    /* Still: not even looked at, and still told. */
    looked = 0;
    for (int i = 0; i < 30; i++) {
        const struct reader_result result = frame(bench);
        assert_true(is_read(bench, &result));
        looked += result.looked;
    }
    assert_in_range(looked, 1, 3);
    put(bench, &scene, 2); /* another person's, in the same place */
    scene.centre_x += 60;
    put(bench, &scene, 2);
    const struct reader_result other = frame(bench);
    assert_true(is_read(bench, &other));
    assert_int_equal(bench->decoder.scans, 2);
}

/* A thumb on the corner that has no finder: what is seen is mostly read, whatever else is wrong with it. */
static void cover(struct bench *bench, const struct render_scene *scene)
{
    const int size = (int)(scene->module_px * 17), left = (int)(scene->centre_x - scene->module_px * 2);
    const int top = (int)(scene->centre_y - scene->module_px * 2);
    for (int y = top; y < top + size && y < HEIGHT; y++)
        memset(bench->luma + y * WIDTH + left, (int)scene->brightness, (size_t)(left + size < WIDTH ? size : WIDTH - left));
}

static void what_cannot_be_read_gets_its_looks_and_a_hint(void **state)
{
    struct bench *bench = *state;
    const struct render_scene scene = render_usual();
    put(bench, &scene, 1);
    cover(bench, &scene);
    int looked = 0, hinted = 0;
    for (int i = 0; i < READER_LOOKS; i++) {
        const struct reader_result result = frame(bench);
        assert_int_equal(result.codes_count, 0);
        assert_int_equal(result.look, i);
        looked += result.looked;
        hinted += result.hint == READER_HINT_UNREADABLE;
    }
    assert_int_equal(looked, READER_LOOKS);
    assert_in_range(hinted, READER_LOOKS - 3, READER_LOOKS - 2); /* not of the first ones */
    looked = 0;
    for (int i = 0; i < 30; i++) {
        const struct reader_result result = frame(bench);
        looked += result.looked;
        assert_int_equal(result.hint, READER_HINT_UNREADABLE);
        assert_true(result.has_region);
    }
    assert_in_range(looked, 1, 3);
    put(bench, &scene, 1); /* the thumb is gone */
    const struct reader_result result = frame(bench);
    assert_true(is_read(bench, &result));
}

/* Whatever the budget, the first code found is decoded; and what can't be read gets that one try in a look. */
static void after_the_budget_there_is_one_decode(void **state)
{
    struct bench *bench = *state;
    const struct render_scene scene = render_usual();
    put(bench, &scene, 1);
    bench->step_us = 30000; /* each look at the clock is a frame's time later, as on a throttled processor */
    const struct reader_result slow = frame(bench);
    assert_true(is_read(bench, &slow));
    assert_int_equal(bench->decoder.scans, 1);
    cover(bench, &scene);
    for (int i = 0; i < READER_LOOKS; i++) {
        const int before = bench->decoder.scans;
        assert_int_equal(frame(bench).codes_count, 0);
        assert_in_range(bench->decoder.scans, before, before + 1);
    }
    bench->step_us = 10;
    put(bench, &scene, 1);
    const struct reader_result result = picture(bench, 1);
    assert_true(is_read(bench, &result));
    assert_true(result.stage_us[READER_STAGE_SEARCH] > 0 && result.stage_us[READER_STAGE_DECODE] > 0);
}

static void a_failing_decoder_is_told_of(void **state)
{
    struct bench *bench = *state;
    const struct render_scene scene = render_usual();
    const struct decoder_picture view = view_of(bench);
    struct reader_result result;
    put(bench, &scene, 1);
    bench->decoder.fails_from = 1;
    assert_int_equal(reader_picture(bench->reader, &view, 1, &result), -5);
    assert_int_equal(reader_frame(bench->reader, &view, &result), -5);
}

/* ---- hints ------------------------------------------------------------------------------------------------------- */

static void what_is_in_the_way_is_told(void **state)
{
    struct bench *bench = *state;
    struct {
        enum reader_hint hint;
        bool covered;
        struct render_scene scene;
    } cases[] = {{READER_HINT_UNREADABLE, true, render_usual()}, {READER_HINT_TOO_FAR, true, render_usual()},
                 {READER_HINT_TOO_NEAR, false, render_usual()},  {READER_HINT_TOO_DARK, true, render_usual()},
                 {READER_HINT_GLARE, false, render_usual()},     {READER_HINT_MOVING, true, render_usual()}};
    cases[1].scene.module_px = 1.7;
    cases[2].scene.module_px = 34;
    cases[2].scene.centre_x += 250;
    cases[2].scene.centre_y += 250;
    cases[3].scene.brightness = 24;
    cases[3].scene.contrast = 24;
    cases[4].scene.glare_radius = 0.9;
    cases[5].scene.motion_px = 7;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int told = 0;
        for (int number = 0; number < 6; number++) {
            cases[i].scene.seed = (uint64_t)number;
            put(bench, &cases[i].scene, number);
            if (cases[i].covered)
                cover(bench, &cases[i].scene);
            const struct reader_result result = picture(bench, READER_LOOKS);
            assert_int_equal(result.codes_count, 0);
            told += result.hint == cases[i].hint;
        }
        print_message("    %-10s told %d of 6\n", reader_hint_name(cases[i].hint), told);
        assert_in_range(told, 5, 6);
    }
}

static void a_code_that_crosses_the_view_is_told_to_keep_still(void **state)
{
    struct bench *bench = *state;
    struct render_scene scene = render_usual();
    int told = 0;
    for (int i = 0; i < 10; i++) {
        scene.centre_x = 300 + i * 25;
        put(bench, &scene, 1);
        cover(bench, &scene);
        told += frame(bench).hint == READER_HINT_MOVING;
    }
    assert_in_range(told, 5, 8);
}

static void nothing_is_told_where_nothing_is(void **state)
{
    struct bench *bench = *state;
    struct render_scene scene = render_usual();
    for (int i = 0; i < 3 * RENDER_GROUND_COUNT; i++) {
        scene.ground = (enum render_ground)(i % RENDER_GROUND_COUNT);
        scene.seed = (uint64_t)i;
        render_frame(&scene, NULL, &bench->room, bench->luma, NULL, NULL);
        const struct reader_result result = picture(bench, READER_LOOKS);
        assert_int_equal(result.hint, READER_HINT_NONE);
        assert_false(result.has_region);
    }
}

static void names_are_names(void **state)
{
    (void)state;
    assert_string_equal(reader_hint_name(READER_HINT_TOO_FAR), "too_far");
    assert_string_equal(reader_hint_name(READER_HINT_MOVING), "moving");
    assert_string_equal(reader_stage_name(READER_STAGE_DECODE), "decode");
    assert_string_equal(reader_hint_name((enum reader_hint)99), "unknown");
}

/* ---- what it may cost -------------------------------------------------------------------------------------------- */

static int64_t spent_us(void)
{
    struct timespec now;
    assert_int_equal(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now), 0);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* Processor time of libzbar with QR codes only and dark on light only, the cheapest it has: the least of some rounds. */
static int64_t plain_us(struct bench *bench)
{
    struct decoder_picture view = view_of(bench);
    struct decoder_code codes[DECODER_CODES_MAX];
    int64_t least_us = INT64_MAX;
    view.is_dark_on_light = true;
    for (int round = 0; round < 2; round++) {
        const int64_t begun_us = spent_us();
        (void)decoder_scan(bench->decoder.inner, &view, codes);
        const int64_t took_us = spent_us() - begun_us;
        least_us = took_us < least_us ? took_us : least_us;
    }
    return least_us;
}

enum { FRAMES = 2 * READER_LOOKS, ROUNDS_MAX = 12 };

/* One more round of frames that go through all looks; of each frame the least so far, for noise only adds. The dearest of them. */
static int64_t dearest_us(struct bench *bench, int64_t least_us[FRAMES])
{
    int64_t worst_us = 0;
    for (int number = 0; number < FRAMES; number++) {
        for (int i = 0; i < WIDTH * HEIGHT; i++) /* nothing is below 20: all of it has moved, to the gate */
            bench->luma[i] = (uint8_t)(bench->luma[i] + (number % 2 == 0 ? -8 : 8));
        const int64_t begun_us = spent_us();
        assert_true(frame(bench).looked);
        const int64_t took_us = spent_us() - begun_us;
        least_us[number] = took_us < least_us[number] ? took_us : least_us[number];
        worst_us = least_us[number] > worst_us ? least_us[number] : worst_us;
    }
    return worst_us;
}

/* No frame of a picture made to be dear costs more than a third of what libzbar alone takes for it. The bench has 0.27 for the dearest. An
 * emulator turns one instruction on many pixels into many: there it says nothing of the processor that is emulated. */
static void walls_cost_a_third_of_plain_zbar(void **state)
{
    struct bench *bench = *state;
    if (getenv("QRG_PLATFORM") != NULL)
        skip();
    for (int i = 0; i < render_walls_count(); i++) {
        int64_t least_us[FRAMES], ours_us = INT64_MAX / 5;
        for (int number = 0; number < FRAMES; number++)
            least_us[number] = INT64_MAX;
        render_wall(render_wall_at(i), bench->luma);
        const int64_t theirs_us = plain_us(bench);
        for (int round = 0; round < ROUNDS_MAX && ours_us * 3 > theirs_us; round++)
            ours_us = dearest_us(bench, least_us);
        if (ours_us * 3 > theirs_us)
            fail_msg("%s: %lld us a frame, libzbar %lld us", render_wall_at(i)->name, (long long)ours_us,
                     (long long)theirs_us);
    }
}

/* zxing-cpp takes minutes for a wall of finders; what isn't crowded it gets, a view without marks too. */
static void a_crowd_is_shown_to_no_second_decoder(void **state)
{
    struct bench *bench = *state;
    struct counting second = {.base.ops = bench->decoder.base.ops, .inner = decoder_zbar_new()};
    const struct reader_settings settings = {.width_max_px = WIDTH, .height_max_px = HEIGHT, .clock_us = tell_us,
                                             .decoders = {&bench->decoder.base, &second.base}, .userdata = bench};
    struct reader *reader;
    struct reader_result result;
    const struct decoder_picture view = view_of(bench);
    assert_non_null(second.inner);
    assert_int_equal(reader_new(&settings, &reader), 0);
    for (int i = 0; i < render_walls_count(); i++) {
        if (render_wall_at(i)->kind != WALL_FINDERS && render_wall_at(i)->kind != WALL_CODES)
            continue;
        render_wall(render_wall_at(i), bench->luma);
        assert_int_equal(reader_picture(reader, &view, READER_LOOKS, &result), 0);
        assert_int_equal(second.scans, 0);
    }
    memset(bench->luma, 200, sizeof bench->luma);
    assert_int_equal(reader_picture(reader, &view, READER_LOOKS, &result), 0);
    assert_int_equal(second.scans, READER_LOOKS - 1);
    assert_true(second.pixels >= (int64_t)WIDTH * HEIGHT); /* once all of it */
    reader_free(reader);
    decoder_free(&second.base);
}

/* Memory ends with the last pixel, which a sanitizer watches. */
static void no_pixel_outside_is_looked_at(void **state)
{
    struct bench *bench = *state;
    static const int sides[] = {1, 2, 8, 20, 21, 22, 33, 64, 100, 257, 719};
    enum { SIDES = sizeof sides / sizeof *sides };
    for (int i = 0; i < SIDES * SIDES; i++) {
        const int width = sides[i / SIDES], height = sides[i % SIDES], stride = width + (i % 3) * 7;
        const size_t bytes = (size_t)stride * (size_t)(height - 1) + (size_t)width;
        uint8_t *luma = malloc(bytes);
        assert_non_null(luma);
        for (size_t at = 0; at < bytes; at++) /* runs of a few pixels: many false squares, some at the edges */
            luma[at] = at % 3 != 0 && at > 0 ? luma[at - 1] : render_hash(at + (uint64_t)i * 1000003) & 1 ? 255 : 0;
        const struct decoder_picture view = {luma, width, height, stride, false};
        struct reader_result result;
        assert_int_equal(reader_picture(bench->reader, &view, READER_LOOKS, &result), 0);
        assert_int_equal(result.codes_count, 0);
        assert_int_equal(reader_frame(bench->reader, &view, &result), 0);
        free(luma);
    }
    struct reader_result result;
    const uint8_t pixels[100] = {0};
    const struct decoder_picture bad[] = {
        {NULL, 10, 10, 10, false}, {pixels, 10, 10, 9, false}, {pixels, 0, 10, 10, false}, {pixels, 10, -1, 10, false},
        {pixels, WIDTH + 1, 1, WIDTH + 1, false}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(reader_frame(bench->reader, &bad[i], &result), -22);
        assert_int_equal(reader_picture(bench->reader, &bad[i], 1, &result), -22);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(limits_of_light_and_place),
        TEST(corners_are_those_of_the_code),
        TEST(two_codes_are_both_read),
        TEST(a_part_of_several_codes_is_none),
        TEST(an_empty_view_costs_no_decoding),
        TEST(a_code_that_stays_is_decoded_once),
        TEST(what_cannot_be_read_gets_its_looks_and_a_hint),
        TEST(after_the_budget_there_is_one_decode),
        TEST(a_failing_decoder_is_told_of),
        TEST(a_crowd_is_shown_to_no_second_decoder),
        TEST(what_is_in_the_way_is_told),
        TEST(a_code_that_crosses_the_view_is_told_to_keep_still),
        TEST(nothing_is_told_where_nothing_is),
        TEST(names_are_names),
        TEST(no_pixel_outside_is_looked_at),
    };
    int failed = cmocka_run_group_tests_name("reader", tests, NULL, NULL);
    /* A sanitizer slows us, and not the library. */
    const struct CMUnitTest timed[] = {TEST(walls_cost_a_third_of_plain_zbar)};
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    failed += cmocka_run_group_tests_name("reader_timed", timed, NULL, NULL);
#else
    (void)timed;
#endif
    return failed;
}
