/* The renderer of made-up frames: what the figures of the vision are measured on must itself be right. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "hw/decoder.h"
#include "tests/bench/render.h"

enum { PIXELS = RENDER_WIDTH_PX * RENDER_HEIGHT_PX };
static const char TEXT[] = "QRGATE TEST 0123456789";

struct studio {
    struct decoder *decoder;
    struct render_room room;
    struct render_matrix matrix;
    uint8_t luma[PIXELS], other[PIXELS];
    double x[4], y[4];
};

static int setup(void **state)
{
    struct studio *studio = malloc(sizeof *studio);
    if (!studio)
        return -1;
    studio->decoder = decoder_zbar_new();
    *state = studio;
    return studio->decoder ? render_encode(TEXT, sizeof TEXT - 1, 0, 1, &studio->matrix) : -1;
}

static int teardown(void **state)
{
    struct studio *studio = *state;
    decoder_free(studio->decoder);
    free(studio);
    return 0;
}

static void shoot(struct studio *studio, const struct render_scene *scene)
{
    render_frame(scene, &studio->matrix, &studio->room, studio->luma, studio->x, studio->y);
}

static bool zbar_reads(struct studio *studio)
{
    const struct decoder_picture view = {studio->luma, RENDER_WIDTH_PX, RENDER_HEIGHT_PX, RENDER_WIDTH_PX, false};
    struct decoder_code codes[DECODER_CODES_MAX];
    const int count = decoder_scan(studio->decoder, &view, codes);
    return count == 1 && codes[0].length_bytes == sizeof TEXT - 1 && memcmp(codes[0].bytes, TEXT, sizeof TEXT - 1) == 0;
}

/* Mean and standard deviation of a box. */
static void statistics(const struct studio *studio, int x, int y, int side, double *ret_mean, double *ret_sigma)
{
    double sum = 0, squares = 0;
    for (int row = y; row < y + side; row++)
        for (int column = x; column < x + side; column++) {
            const double level = studio->luma[row * RENDER_WIDTH_PX + column];
            sum += level;
            squares += level * level;
        }
    *ret_mean = sum / (side * side);
    *ret_sigma = sqrt(fmax(0, squares / (side * side) - *ret_mean * *ret_mean));
}

/* The level at a place of the code, in modules from its top left corner, upright codes only. */
static int level_at(const struct studio *studio, double column, double row)
{
    const double size = (studio->x[1] - studio->x[0]) / studio->matrix.side_modules;
    return studio->luma[(int)(studio->y[0] + row * size) * RENDER_WIDTH_PX + (int)(studio->x[0] + column * size)];
}

static void easy_codes_are_read(void **state)
{
    struct studio *studio = *state;
    for (int ground = 0; ground < RENDER_GROUND_COUNT; ground++) {
        struct render_scene scene = render_usual();
        scene.ground = (enum render_ground)ground;
        shoot(studio, &scene);
        assert_true(zbar_reads(studio));
        render_frame(&scene, NULL, &studio->room, studio->luma, NULL, NULL);
        assert_false(zbar_reads(studio));
    }
}

static void same_seed_same_bytes(void **state)
{
    struct studio *studio = *state;
    struct render_scene scene = render_usual();
    scene.noise_sigma = 8;
    scene.blur_sigma_px = 1;
    shoot(studio, &scene);
    memcpy(studio->other, studio->luma, PIXELS);
    memset(&studio->room, 0x5A, sizeof studio->room);
    shoot(studio, &scene);
    assert_memory_equal(studio->other, studio->luma, PIXELS);
    scene.seed++;
    shoot(studio, &scene);
    assert_memory_not_equal(studio->other, studio->luma, PIXELS);
}

static void payloads_fit_or_are_refused(void **state)
{
    static uint8_t payload[3000];
    static struct render_matrix matrix;
    (void)state;
    assert_int_equal(render_encode(payload, 2953, 0, 0, &matrix), 0);
    assert_int_equal(matrix.side_modules, RENDER_MODULES_MAX);
    assert_true(render_encode(payload, 2954, 0, 0, &matrix) < 0);
    assert_true(render_encode(payload, 2000, 0, 3, &matrix) < 0);
    assert_int_equal(render_encode(payload, 5, 7, 1, &matrix), 0);
    assert_int_equal(matrix.side_modules, 45);
    for (int i = 0; i < 7; i++)
        assert_int_equal(matrix.dark[i], 1); /* the first finder's upper edge */
    assert_int_equal(matrix.dark[7], 0);
}

static void levels_are_as_asked(void **state)
{
    struct studio *studio = *state;
    struct render_scene scene = render_usual();
    scene.brightness = 90;
    scene.contrast = 60;
    shoot(studio, &scene);
    assert_int_equal(level_at(studio, 3.5, 3.5), 60);
    assert_int_equal(level_at(studio, 1.5, 1.5), 120);
    assert_int_equal(level_at(studio, -2, -2), 120);
    scene.inverted = true;
    shoot(studio, &scene);
    assert_int_equal(level_at(studio, 3.5, 3.5), 120);
    assert_int_equal(level_at(studio, 1.5, 1.5), 60);
    scene.contrast = 600; /* a sensor has an end */
    shoot(studio, &scene);
    assert_int_equal(level_at(studio, 3.5, 3.5), 255);
    assert_int_equal(level_at(studio, 1.5, 1.5), 0);
}

/* Modules smaller than the pixels' raster keep their share of the light: the mean is that of the sharp code. */
static void small_modules_are_honest(void **state)
{
    static const double sizes[] = {1.25, 1.5, 1.75, 2, 3.3, 6};
    struct studio *studio = *state;
    double dark = 0;
    for (int i = 0; i < studio->matrix.side_modules * studio->matrix.side_modules; i++)
        dark += studio->matrix.dark[i];
    const double share = dark / (studio->matrix.side_modules * studio->matrix.side_modules);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct render_scene scene = render_usual();
        scene.module_px = sizes[i];
        scene.rotation_deg = 5;
        shoot(studio, &scene);
        double mean = 0, sigma, expected = 0;
        /* everything of the card: its sum against that of the same card left blank */
        const int box = (int)((studio->matrix.side_modules + 4) * sizes[i]);
        statistics(studio, (RENDER_WIDTH_PX - box) / 2, (RENDER_HEIGHT_PX - box) / 2, box, &mean, &sigma);
        const double code_px = studio->matrix.side_modules * studio->matrix.side_modules * sizes[i] * sizes[i];
        expected = 210 - 170 * share * code_px / (box * box);
        assert_true(fabs(mean - expected) < 1);
    }
}

static void corners_are_where_the_code_is(void **state)
{
    struct studio *studio = *state;
    struct render_scene scene = render_usual();
    const double side = studio->matrix.side_modules * 4.0;
    shoot(studio, &scene);
    assert_float_equal(studio->x[0], 640 - side / 2, 0.01);
    assert_float_equal(studio->y[2], 360 + side / 2, 0.01);
    assert_int_equal(level_at(studio, 0.5, 0.5), 40);
    assert_int_equal(level_at(studio, -0.5, -0.5), 210);
    scene.rotation_deg = 90; /* the printed top left is now at the top right */
    shoot(studio, &scene);
    assert_float_equal(studio->x[0], 640 + side / 2, 0.01);
    assert_float_equal(studio->y[0], 360 - side / 2, 0.01);
    assert_true(zbar_reads(studio));
    scene.centre_x = 300.5;
    scene.centre_y = 200.25;
    shoot(studio, &scene);
    assert_float_equal((studio->x[0] + studio->x[2]) / 2, 300.5, 0.01);
    assert_float_equal((studio->y[0] + studio->y[2]) / 2, 200.25, 0.01);
    assert_true(zbar_reads(studio));
}

/* Tilted about the horizontal line: upper and lower edge differ in length, the height shrinks by the cosine, and the
 * corners told are those in the picture. */
static void tilt_is_seen_in_perspective(void **state)
{
    struct studio *studio = *state;
    struct render_scene scene = render_usual();
    scene.module_px = 8;
    scene.ground = RENDER_FLAT;
    scene.tilt_deg = 40;
    shoot(studio, &scene);
    const double upper = studio->x[1] - studio->x[0], lower = studio->x[2] - studio->x[3],
                 side = studio->matrix.side_modules * 8;
    assert_true(upper > side * 1.03 && lower < side * 0.97);
    assert_float_equal((studio->y[2] - studio->y[0]) / side, cos(40 * 3.14159265358979 / 180), 0.05);
    for (int i = 0; i < 4; i++) { /* the finders' and the last module's corner, just inside and just outside */
        const double dx = i == 1 || i == 2 ? -3 : 3, dy = i >= 2 ? -2 : 2;
        const int inside = (int)(studio->y[i] + dy) * RENDER_WIDTH_PX + (int)(studio->x[i] + dx);
        const int outside = (int)(studio->y[i] - dy) * RENDER_WIDTH_PX + (int)(studio->x[i] - dx);
        assert_true(i == 2 || studio->luma[inside] < 100);
        assert_true(studio->luma[outside] > 180);
    }
    scene.tilt_deg = 15;
    scene.tilt_axis_deg = 60;
    shoot(studio, &scene);
    assert_true(zbar_reads(studio));
}

static void noise_and_blur_have_their_sigma(void **state)
{
    struct studio *studio = *state;
    struct render_scene scene = render_usual();
    double mean, sigma;
    scene.ground = RENDER_FLAT;
    render_frame(&scene, NULL, &studio->room, studio->luma, NULL, NULL);
    statistics(studio, 100, 100, 200, &mean, &sigma);
    assert_float_equal(mean, 110, 0.3);
    assert_float_equal(sigma, 2, 0.3);
    scene.noise_sigma = 20;
    render_frame(&scene, NULL, &studio->room, studio->luma, NULL, NULL);
    statistics(studio, 100, 100, 200, &mean, &sigma);
    assert_float_equal(sigma, sqrt(404), 0.7);

    /* an edge after a blur of sigma s: 16 % of the step is reached s before it, 84 % s behind it */
    scene = render_usual();
    scene.module_px = 20;
    scene.blur_sigma_px = 3;
    shoot(studio, &scene);
    const int y = (int)studio->y[0] + 70, edge = (int)studio->x[0];
    const uint8_t *row = studio->luma + y * RENDER_WIDTH_PX;
    assert_float_equal((row[edge - 4] + row[edge - 3]) / 2.0, 40 + 0.84 * 170, 4);
    assert_float_equal((row[edge + 2] + row[edge + 3]) / 2.0, 40 + 0.16 * 170, 4);
}

static void motion_smears_along_its_way(void **state)
{
    struct studio *studio = *state;
    struct render_scene scene = render_usual();
    scene.module_px = 20;
    scene.motion_px = 10;
    shoot(studio, &scene);
    const uint8_t *row = studio->luma + ((int)studio->y[0] + 70) * RENDER_WIDTH_PX;
    const int edge = (int)studio->x[0];
    assert_float_equal(row[edge - 1], 125, 12); /* half-way */
    assert_int_equal(row[edge - 7], 210);
    assert_int_equal(row[edge + 7], 40);
    const uint8_t *column = studio->luma + (int)studio->x[0] + 70; /* across it the edge stays sharp */
    assert_int_equal(column[((int)studio->y[0] - 2) * RENDER_WIDTH_PX], 210);
    assert_int_equal(column[((int)studio->y[0] + 2) * RENDER_WIDTH_PX], 40);
}

static void glare_saturates_and_ends(void **state)
{
    struct studio *studio = *state;
    struct render_scene scene = render_usual();
    scene.module_px = 8;
    shoot(studio, &scene);
    memcpy(studio->other, studio->luma, PIXELS);
    scene.glare_radius = 0.4;
    scene.glare_x = 0.1;
    shoot(studio, &scene);
    const double side = studio->matrix.side_modules * 8;
    const int x = (int)(640 + 0.1 * side), radius = (int)(0.4 * side);
    assert_int_equal(studio->luma[360 * RENDER_WIDTH_PX + x], 255);
    double mean, sigma;
    statistics(studio, x - radius / 5, 360 - radius / 5, 2 * radius / 5, &mean, &sigma);
    assert_true(mean > 250);                   /* blind in the middle */
    for (int y = 0; y < RENDER_HEIGHT_PX; y++) /* and nothing beyond twice the radius */
        assert_memory_equal(studio->luma + y * RENDER_WIDTH_PX, studio->other + y * RENDER_WIDTH_PX,
                            (size_t)(x - 2 * radius - 1));
}

static void moire_makes_waves(void **state)
{
    struct studio *studio = *state;
    struct render_scene scene = render_usual();
    double mean, plain, waves;
    scene.module_px = 10;
    shoot(studio, &scene);
    statistics(studio, (int)studio->x[0] - 38, (int)studio->y[0], 30, &mean, &plain); /* the quiet zone */
    assert_true(plain < 0.01);
    scene.moire_depth = 0.5;
    scene.brightness = 100;
    scene.contrast = 120;
    shoot(studio, &scene);
    statistics(studio, (int)studio->x[0] - 38, (int)studio->y[0], 30, &mean, &waves);
    assert_true(waves > 8);
    assert_float_equal(mean, 160, 25);
}

static void quiet_zone_can_be_missing(void **state)
{
    struct studio *studio = *state;
    struct render_scene scene = render_usual();
    scene.ground = RENDER_FLAT;
    scene.no_quiet_zone = true;
    shoot(studio, &scene);
    assert_in_range(level_at(studio, -2, 3), 95, 125);
    scene.no_quiet_zone = false;
    shoot(studio, &scene);
    assert_int_equal(level_at(studio, -2, 3), 210);
}

static void half_outside_is_cut_not_written(void **state)
{
    struct studio *studio = *state;
    struct render_scene scene = render_usual();
    static const double places[][2] = {
        {0, 0}, {RENDER_WIDTH_PX, 360}, {-500, -500}, {640, RENDER_HEIGHT_PX}, {9000, 9000}};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        scene.centre_x = places[i][0];
        scene.centre_y = places[i][1];
        scene.tilt_deg = 60;
        scene.module_px = 9;
        shoot(studio, &scene);
        assert_false(zbar_reads(studio));
    }
}

static void walls_hold_no_code(void **state)
{
    struct studio *studio = *state;
    assert_true(render_walls_count() >= 20);
    for (int i = 0; i < render_walls_count(); i++) {
        double mean, sigma;
        render_wall(render_wall_at(i), studio->luma);
        statistics(studio, 200, 100, 300, &mean, &sigma);
        assert_true(sigma > 30);
        for (int other = 0; other < i; other++)
            assert_string_not_equal(render_wall_at(i)->name, render_wall_at(other)->name);
        if (i % 6 == 0) /* ZBar takes its time over walls */
            assert_false(zbar_reads(studio));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(easy_codes_are_read),
        cmocka_unit_test(same_seed_same_bytes),
        cmocka_unit_test(payloads_fit_or_are_refused),
        cmocka_unit_test(levels_are_as_asked),
        cmocka_unit_test(small_modules_are_honest),
        cmocka_unit_test(corners_are_where_the_code_is),
        cmocka_unit_test(tilt_is_seen_in_perspective),
        cmocka_unit_test(noise_and_blur_have_their_sigma),
        cmocka_unit_test(motion_smears_along_its_way),
        cmocka_unit_test(glare_saturates_and_ends),
        cmocka_unit_test(moire_makes_waves),
        cmocka_unit_test(quiet_zone_can_be_missing),
        cmocka_unit_test(half_outside_is_cut_not_written),
        cmocka_unit_test(walls_hold_no_code),
    };
    return cmocka_run_group_tests_name("render", tests, setup, teardown);
}
