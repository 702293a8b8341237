/* The exposure controller before a simulated camera whose brightness follows its control: a phone's glaring screen becomes
 * readable, nothing swings, and the camera gets its own way back. */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "daemon/vision/exposure.h"
#include "tests/unit/qr_picture.h"

enum { WIDTH = 320, HEIGHT = 240, DELAY_FRAMES = 2, FRAME_US = 33333, ROOM = 8, CODE_LEFT = 86, CODE_TOP = 46, CODE_PX = 148 };

/* A scene in a room: luma = light x control / unit, cut off at white; what is cut off spreads as a veil over everything. */
struct sim_camera {
    struct camera base;
    int light[2]; /* of the screen's dark and light modules, for a control at `unit` and the room at ROOM */
    int unit;
    bool adds; /* the control is a level that is added, not a time that is multiplied */
    struct camera_exposure range;
    int32_t asked[DELAY_FRAMES + 1]; /* the control's way through the camera */
    int sets, releases, turns, direction;
    int noise;
    uint32_t random;
    struct qr_picture code, picture;
};

static int sim_exposure(struct camera *base, struct camera_exposure *ret)
{
    *ret = ((struct sim_camera *)base)->range;
    return 0;
}

static int sim_set(struct camera *base, int32_t value)
{
    struct sim_camera *sim = (struct sim_camera *)base;
    assert_in_range(value - sim->range.lowest, 0, sim->range.highest - sim->range.lowest);
    assert_int_equal((value - sim->range.lowest) % sim->range.step, 0);
    assert_int_not_equal(value, sim->asked[0]);
    const int direction = value > sim->asked[0] ? 1 : -1;
    sim->turns += sim->sets > 0 && direction != sim->direction;
    sim->direction = direction;
    sim->asked[0] = value;
    sim->sets++;
    return 0;
}

static int sim_release(struct camera *base)
{
    struct sim_camera *sim = (struct sim_camera *)base;
    sim->releases++;
    sim->asked[0] = sim->range.value;
    return 0;
}

static int brightness(const struct sim_camera *sim, int light)
{
    const int32_t control = sim->asked[DELAY_FRAMES];
    return sim->adds ? light + control : (int)((int64_t)light * control / sim->unit);
}

static int next_noise(struct sim_camera *sim)
{
    sim->random = sim->random * 1664525 + 1013904223;
    return sim->noise > 0 ? (int)(sim->random >> 16) % (2 * sim->noise + 1) - sim->noise : 0;
}

static void sim_render(struct sim_camera *sim)
{
    for (int i = DELAY_FRAMES; i > 0; i--)
        sim->asked[i] = sim->asked[i - 1];
    const int white = brightness(sim, sim->light[1]);
    const int veil = white > 255 ? (white - 255) / 6 : 0;
    for (int i = 0; i < WIDTH * HEIGHT; i++) {
        const bool on_screen = sim->code.luma[i] != 128;
        const int light = on_screen ? sim->light[sim->code.luma[i] != 0] : ROOM;
        const int level = brightness(sim, light) + veil + next_noise(sim);
        sim->picture.luma[i] = (uint8_t)(level < 0 ? 0 : level > 255 ? 255 : level);
    }
}

static const struct camera_ops sim_ops = {
    .exposure = sim_exposure, .set_exposure = sim_set, .release_exposure = sim_release};

static void sim_begin(struct sim_camera *sim, int dark, int light, struct camera_exposure range)
{
    memset(sim, 0, sizeof *sim);
    sim->base.ops = &sim_ops;
    sim->light[0] = dark;
    sim->light[1] = light;
    sim->unit = 100;
    sim->range = range;
    for (int i = 0; i <= DELAY_FRAMES; i++)
        sim->asked[i] = range.value;
    sim->code = qr_centred(qr_bytes("on a phone", 10), WIDTH, HEIGHT, 6);
    sim->picture = qr_blank(WIDTH, HEIGHT, WIDTH, 0);
}

static void sim_end(struct sim_camera *sim)
{
    free(sim->code.luma);
    free(sim->picture.luma);
}

static const int corner_x[4] = {CODE_LEFT, CODE_LEFT, CODE_LEFT + CODE_PX, CODE_LEFT + CODE_PX};
static const int corner_y[4] = {CODE_TOP, CODE_TOP + CODE_PX, CODE_TOP + CODE_PX, CODE_TOP};

static struct decoder_picture view_of(const struct sim_camera *sim)
{
    return (struct decoder_picture){sim->picture.luma, WIDTH, HEIGHT, WIDTH, false};
}

/* As the eye does it. */
static void frame(struct sim_camera *sim, struct exposure *exposure, bool shows_code, int64_t *now_us)
{
    struct exposure_reading reading;
    int32_t value = INT32_MIN;
    *now_us += FRAME_US;
    sim_render(sim);
    const struct decoder_picture view = view_of(sim);
    const bool has = shows_code && exposure_read(&view, corner_x, corner_y, &reading);
    switch (exposure_step(exposure, has ? &reading : NULL, *now_us, &value)) {
    case EXPOSURE_SET:
        assert_int_equal(camera_set_exposure(&sim->base, value), 0);
        break;
    case EXPOSURE_RELEASE:
        assert_int_equal(camera_release_exposure(&sim->base), 0);
        break;
    case EXPOSURE_KEEP:
        assert_int_equal(value, INT32_MIN);
        break;
    }
}

static bool is_read(struct decoder *decoder, const struct sim_camera *sim)
{
    struct decoder_code codes[DECODER_CODES_MAX];
    const struct decoder_picture view = view_of(sim);
    return decoder_scan(decoder, &view, codes) == 1 && codes[0].length_bytes == 10 &&
           memcmp(codes[0].bytes, "on a phone", 10) == 0;
}

static const struct camera_exposure time_range = {.lowest = 1, .highest = 333, .step = 1, .value = 160, .is_time = true};
static const struct camera_exposure level_range = {.lowest = -128, .highest = 127, .step = 1, .value = 0};

/* Frames until it is read, and then no change any more. */
static int frames_until_read(struct sim_camera *sim)
{
    struct exposure exposure;
    struct camera_exposure range;
    struct decoder *decoder = decoder_new(DECODER_ZBAR);
    int64_t now_us = 1000000;
    int frames = 0;
    assert_int_equal(camera_exposure(&sim->base, &range), 0);
    exposure_init(&exposure, &range);
    sim_render(sim);
    assert_false(is_read(decoder, sim));
    do
        frame(sim, &exposure, true, &now_us);
    while (++frames < 60 && !is_read(decoder, sim));
    for (int i = 0; i < 60; i++) /* to the end of its way */
        frame(sim, &exposure, true, &now_us);
    const int sets = sim->sets;
    for (int i = 0; i < 600; i++) {
        frame(sim, &exposure, true, &now_us);
        assert_true(is_read(decoder, sim));
    }
    assert_int_equal(sim->sets, sets);
    decoder_free(decoder);
    return frames;
}

static void a_glaring_screen_becomes_readable(void **state)
{
    (void)state;
    static const int lights[] = {300, 500, 1000, 3000, 8000};
    for (size_t i = 0; i < sizeof lights / sizeof *lights; i++)
        for (int noise = 0; noise <= 5; noise += 5) {
            struct sim_camera sim;
            sim_begin(&sim, lights[i] / 2, lights[i], time_range);
            sim.noise = noise;
            const int frames = frames_until_read(&sim);
            assert_in_range(frames, 1, 5 * (EXPOSURE_SETTLE_FRAMES + 1));
            assert_in_range(sim.sets, 1, 6);
            assert_int_equal(sim.turns, 0);
            sim_end(&sim);
        }
}

static void a_dark_code_becomes_readable(void **state)
{
    (void)state;
    struct sim_camera sim;
    sim_begin(&sim, 1, 6, (struct camera_exposure){.lowest = 1, .highest = 3000, .step = 1, .value = 100, .is_time = true});
    sim.noise = 4;
    assert_in_range(frames_until_read(&sim), 1, 5 * (EXPOSURE_SETTLE_FRAMES + 1));
    assert_int_equal(sim.turns, 0);
    sim_end(&sim);
}

/* Once at it, it goes on to the middle, and doesn't stop at the border where it began. */
static void the_way_ends_in_the_middle(void **state)
{
    (void)state;
    static const struct {
        int dark, light;
    } screens[] = {{1, 20}, {2, 25}, {20, 270}, {500, 1000}, {1000, 2500}};
    for (size_t i = 0; i < sizeof screens / sizeof *screens; i++) {
        struct sim_camera sim;
        struct exposure exposure;
        struct exposure_reading reading;
        int64_t now_us = 1000000;
        sim_begin(&sim, screens[i].dark, screens[i].light,
                  (struct camera_exposure){.lowest = 1, .highest = 3000, .step = 1, .value = 100, .is_time = true});
        exposure_init(&exposure, &sim.range);
        for (int frames = 0; frames < 100; frames++)
            frame(&sim, &exposure, true, &now_us);
        const struct decoder_picture view = view_of(&sim);
        assert_true(exposure_read(&view, corner_x, corner_y, &reading));
        assert_true(sim.sets > 0);
        assert_in_range(reading.mean, 70, 150);
        assert_in_range(reading.saturated_permille, 0, 100);
        sim_end(&sim);
    }
}

static void brightness_serves_where_time_cannot_be_set(void **state)
{
    (void)state;
    struct sim_camera sim;
    sim_begin(&sim, 270, 330, level_range);
    sim.adds = true;
    assert_in_range(frames_until_read(&sim), 1, 5 * (EXPOSURE_SETTLE_FRAMES + 1));
    sim_end(&sim);
}

/* Every flat level, on cameras fine and coarse: where it can't be made right it ends at a limit, and stays there. */
static void a_flat_scene_does_not_swing(void **state)
{
    (void)state;
    for (int light = 0; light <= 600; light += 7)
        for (int step = 1; step <= 64; step *= 4)
            for (int adds = 0; adds < 2; adds++) {
                struct sim_camera sim;
                struct exposure exposure;
                int64_t now_us = 1000000;
                sim_begin(&sim, light, light, adds ? level_range : time_range);
                sim.range.step = step;
                sim.adds = adds;
                exposure_init(&exposure, &sim.range);
                for (int i = 0; i < 100; i++)
                    frame(&sim, &exposure, true, &now_us);
                const int sets = sim.sets;
                for (int i = 0; i < 60; i++)
                    frame(&sim, &exposure, true, &now_us);
                assert_int_equal(sim.sets, sets);
                assert_in_range(sim.turns, 0, EXPOSURE_TURNS_MAX);
                if (light >= 45 && light <= 175 && !adds && step == 1 && light * 16 / 10 <= 175 && light * 16 / 10 >= 45)
                    assert_int_equal(sets, 0);
                sim_end(&sim);
            }
}

/* A control with two values, one too dark and one too light: it tries, and rests. */
static void a_coarse_control_rests(void **state)
{
    (void)state;
    struct sim_camera sim;
    struct exposure exposure;
    int64_t now_us = 1000000;
    sim_begin(&sim, 30, 30, (struct camera_exposure){.lowest = 1, .highest = 1001, .step = 1000, .value = 1001, .is_time = true});
    exposure_init(&exposure, &sim.range);
    const int64_t until_us = now_us + 60 * 1000000LL;
    while (now_us < until_us)
        frame(&sim, &exposure, true, &now_us);
    assert_in_range(sim.sets, 2, (EXPOSURE_TURNS_MAX + 2) * 6); /* a minute: six rests */
    sim_end(&sim);
}

static void without_a_code_the_camera_gets_its_way_back(void **state)
{
    (void)state;
    struct sim_camera sim;
    struct exposure exposure;
    int64_t now_us = 1000000;
    sim_begin(&sim, 600, 1000, time_range);
    exposure_init(&exposure, &sim.range);
    for (int i = 0; i < 300; i++)
        frame(&sim, &exposure, false, &now_us);
    assert_int_equal(sim.sets + sim.releases, 0); /* nothing was changed, nothing is given back */
    for (int i = 0; i < 60; i++)
        frame(&sim, &exposure, true, &now_us);
    const int sets = sim.sets;
    assert_true(sets > 0);
    const int64_t code_at_us = now_us;
    while (sim.releases == 0) {
        frame(&sim, &exposure, false, &now_us);
        assert_true(now_us - code_at_us < 4000000);
    }
    assert_true(now_us - code_at_us >= EXPOSURE_RELEASE_MS * 1000LL);
    for (int i = 0; i < 300; i++)
        frame(&sim, &exposure, false, &now_us);
    assert_int_equal(sim.releases, 1);
    assert_int_equal(sim.sets, sets);
    for (int i = 0; i < 60; i++) /* the next phone */
        frame(&sim, &exposure, true, &now_us);
    assert_int_equal(sim.sets, 2 * sets);
    sim_end(&sim);
}

/* What a camera says of itself may be anything. */
static void any_range_and_reading_is_borne(void **state)
{
    (void)state;
    static const struct camera_exposure ranges[] = {
        {.lowest = INT32_MIN, .highest = INT32_MAX, .step = 1, .value = 0},
        {.lowest = 0, .highest = INT32_MAX, .step = INT32_MAX, .value = INT32_MAX, .is_time = true},
        {.lowest = 5, .highest = 6, .step = 0, .value = 5, .is_time = true},
        {.lowest = 0, .highest = 255, .step = -1, .value = 9},
        {.lowest = 0, .highest = 10, .step = 3, .value = 0, .is_time = true},
    };
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        struct exposure exposure;
        uint32_t random = 1;
        exposure_init(&exposure, &ranges[i]);
        for (int64_t now_us = 0; now_us < 3000 * (int64_t)FRAME_US; now_us += FRAME_US) {
            random = random * 1664525 + 1013904223;
            const struct exposure_reading reading = {(int)(random >> 24), (int)(random >> 12) % 1001};
            int32_t value = 0;
            if (exposure_step(&exposure, &reading, now_us, &value) == EXPOSURE_SET)
                assert_true(value >= ranges[i].lowest && value <= ranges[i].highest);
        }
    }
}

static void only_the_code_is_read(void **state)
{
    (void)state;
    uint8_t luma[40 * 64];
    memset(luma, 255, sizeof luma);
    for (int y = 10; y < 20; y++)
        memset(luma + y * 64 + 10, 100, 10);
    const struct decoder_picture picture = {luma, 48, 40, 64, false};
    struct exposure_reading reading = {0};
    const int x[4] = {10, 10, 20, 20}, y[4] = {10, 20, 20, 10};
    assert_true(exposure_read(&picture, x, y, &reading));
    assert_int_equal(reading.mean, 100);
    assert_int_equal(reading.saturated_permille, 0);
    const int half_x[4] = {10, 10, 30, 30};
    assert_true(exposure_read(&picture, half_x, y, &reading));
    assert_in_range(reading.mean, 170, 185);
    assert_in_range(reading.saturated_permille, 480, 520);
    const int turned_x[4] = {20, 10, 10, 20}, turned_y[4] = {10, 10, 20, 20};
    assert_true(exposure_read(&picture, turned_x, turned_y, &reading));
    assert_int_equal(reading.mean, 100);
    /* A part within the picture is enough; padding is none of it. */
    const int partly_x[4] = {-10, -10, 10, 10};
    assert_true(exposure_read(&picture, partly_x, y, &reading));
    assert_int_equal(reading.mean, 255);
    const int padding_x[4] = {48, 48, 64, 64}, below_y[4] = {40, 60, 60, 40}, far[4] = {INT_MIN, INT_MAX, INT_MAX, INT_MIN};
    assert_false(exposure_read(&picture, padding_x, y, &reading));
    assert_false(exposure_read(&picture, x, below_y, &reading));
    assert_false(exposure_read(&picture, far, far, &reading));
}

static void a_camera_may_have_no_control(void **state)
{
    (void)state;
    static const struct camera_ops none = {.close = NULL};
    struct camera camera = {.ops = &none};
    struct camera_exposure range;
    assert_int_equal(camera_exposure(&camera, &range), -ENOTSUP);
    assert_int_equal(camera_set_exposure(&camera, 1), -ENOTSUP);
    assert_int_equal(camera_release_exposure(&camera), -ENOTSUP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_glaring_screen_becomes_readable),
        cmocka_unit_test(a_dark_code_becomes_readable),
        cmocka_unit_test(the_way_ends_in_the_middle),
        cmocka_unit_test(brightness_serves_where_time_cannot_be_set),
        cmocka_unit_test(a_flat_scene_does_not_swing),
        cmocka_unit_test(a_coarse_control_rests),
        cmocka_unit_test(without_a_code_the_camera_gets_its_way_back),
        cmocka_unit_test(any_range_and_reading_is_borne),
        cmocka_unit_test(only_the_code_is_read),
        cmocka_unit_test(a_camera_may_have_no_control),
    };
    return cmocka_run_group_tests_name("exposure", tests, NULL, NULL);
}
