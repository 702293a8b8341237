/* The fixed parts of a code and the drawing of one, against codes of libqrencode. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/vision/grid.h"
#include "hw/decoder.h"
#include "tests/unit/qr_picture.h"

enum { VERSIONS = 40 };

static QRcode *code_of(int version, QRecLevel level)
{
    QRcode *code = QRcode_encodeData(5, (const unsigned char *)"MADE?", version, level);
    assert_non_null(code);
    assert_int_equal(code->width, 17 + 4 * version);
    return code;
}

static void take(struct grid *grid, const QRcode *code)
{
    grid->side_modules = code->width;
    qr_fixed_modules(code->width, grid->fixed);
    for (int i = 0; i < code->width * code->width; i++)
        grid->dark[i] = code->data[i] & 1;
}

static void fixed_modules_are_where_the_standard_has_them(void **state)
{
    struct grid *grid = *state;
    for (int version = 1; version <= VERSIONS; version++) {
        QRcode *code = code_of(version, QR_ECLEVEL_L);
        int fixed = 0;
        take(grid, code);
        for (int i = 0; i < code->width * code->width; i++)
            if (grid->fixed[i] != QR_MODULE_DATA) {
                assert_int_equal(grid->fixed[i], grid->dark[i]);
                fixed++;
            }
        /* Finders with their light lines, timing, the dark module; and alignments, less where they lie on timing; the version, twice. */
        uint8_t at[QR_ALIGNMENTS_MAX];
        const int count = qr_alignments(code->width, at), all = count > 0 ? count * count - 3 : 0;
        const int on_timing = count > 2 ? 2 * (count - 2) : 0;
        assert_int_equal(fixed, 3 * 64 + 2 * (code->width - 16) + 1 + 25 * all - 5 * on_timing + (version >= 7 ? 36 : 0));
        assert_true(grid_finder_match(grid) > 0.999f);
        QRcode_free(code);
    }
}

static void every_format_is_known_and_errors_are_counted(void **state)
{
    struct grid *grid = *state;
    int format = 0;
    for (int level = QR_ECLEVEL_L; level <= QR_ECLEVEL_H; level++)
        for (int version = 1; version <= 20; version++) {
            QRcode *code = code_of(version, (QRecLevel)level);
            take(grid, code);
            assert_int_equal(grid_format_distance(grid, &format), 0);
            /* Both copies: bit 0 and bit 14 of each. */
            grid->dark[8] ^= 1;
            grid->dark[8 * code->width] ^= 1;
            assert_int_equal(grid_format_distance(grid, &format), 0); /* the other copy is whole */
            grid->dark[8 * code->width + code->width - 1] ^= 1;
            assert_int_equal(grid_format_distance(grid, &format), 1);
            QRcode_free(code);
        }
    assert_int_equal(qr_format_distance(0x5412, &format), 0); /* level M, mask 0 */
    assert_int_equal(qr_format_distance(0x5412 ^ 0x4101, &format), 3);
}

static void what_is_drawn_is_read(void **state)
{
    struct grid *grid = *state;
    struct decoder *decoder = decoder_zbar_new();
    struct decoder_code found[DECODER_CODES_MAX];
    assert_non_null(decoder);
    for (int version = 1; version <= VERSIONS; version++) {
        QRcode *code = code_of(version, QR_ECLEVEL_M);
        take(grid, code);
        for (int i = 0; i < code->width * code->width; i++) /* fixed modules are drawn as they must be */
            grid->dark[i] ^= grid->fixed[i] != QR_MODULE_DATA;
        const int side = grid_picture_side_px(grid, GRID_PICTURE_MODULE_PX);
        uint8_t *picture = malloc((size_t)side * (size_t)side);
        assert_non_null(picture);
        grid_draw(grid, GRID_PICTURE_MODULE_PX, picture);
        const struct decoder_picture view = {picture, side, side, side, false};
        assert_int_equal(decoder_scan(decoder, &view, found), 1);
        assert_int_equal(found[0].length_bytes, 5);
        assert_memory_equal(found[0].bytes, "MADE?", 5);
        free(picture);
        QRcode_free(code);
    }
    decoder_free(decoder);
}

static void modules_are_decided_by_their_surroundings(void **state)
{
    struct grid *grid = *state;
    QRcode *code = code_of(5, QR_ECLEVEL_M);
    const int side = code->width;
    take(grid, code);
    for (int i = 0; i < side * side; i++) /* light falls off from left to right, more than the code's contrast */
        grid->level[i] = (int16_t)(16 * (200 - 4 * (i % side) - (code->data[i] & 1 ? 40 : 0)));
    const struct grid_rule local = {.reach_modules = 4}, all = {.reach_modules = 0};
    int wrong[2] = {0};
    for (int k = 0; k < 2; k++) {
        grid_decide(grid, k == 0 ? &local : &all);
        for (int i = 0; i < side * side; i++)
            wrong[k] += grid->dark[i] != (code->data[i] & 1);
    }
    assert_true(wrong[0] < side * side / 20);
    assert_true(wrong[1] > side * side / 5);
    QRcode_free(code);
}

/* Blur takes from each module to its neighbours; sharpening gives it back: one light module among dark ones, and the reverse. */
static void sharpening_undoes_blur(void **state)
{
    struct grid *grid = *state;
    enum { SIDE = 21, AT = 10 * SIDE + 10 };
    grid->side_modules = SIDE;
    for (int inverse = 0; inverse < 2; inverse++) {
        for (int i = 0; i < SIDE * SIDE; i++) /* halves, so that the mean is half-way */
            grid->level[i] = (int16_t)(16 * (i % SIDE > 15 || i % SIDE < 5 ? 200 : 50));
        for (int i = 0; i < SIDE * SIDE && inverse; i++)
            grid->level[i] = (int16_t)(16 * 250 - grid->level[i]);
        grid->level[AT] = (int16_t)(16 * (inverse ? 145 : 105)); /* what blur has left of 200, or of 50 */
        const struct grid_rule plain = {.reach_modules = 0}, sharp = {.reach_modules = 0, .sharpen = 8};
        grid_decide(grid, &plain);
        assert_int_equal(grid->dark[AT], !inverse);
        grid_decide(grid, &sharp);
        assert_int_equal(grid->dark[AT], inverse);
        assert_int_equal(grid->dark[AT - 2], !inverse); /* nothing else has changed */
        assert_int_equal(grid->dark[AT + 8], inverse);
    }
}

/* A lamp's reflection on the code: all that is light is at the sensor's limit, and dark becomes paler towards its middle. */
static void dark_is_what_is_below_the_limit_in_a_glare(void **state)
{
    struct grid *grid = *state;
    QRcode *code = code_of(5, QR_ECLEVEL_M);
    const int side = code->width;
    take(grid, code);
    for (int i = 0; i < side * side; i++) {
        const int x = i % side - side / 2, y = i / side - side / 2, far = x * x + y * y;
        const int below = 4 + (far < 200 ? far : 200); /* 37 modules: 340 in the corners */
        grid->level[i] = (int16_t)(16 * (255 - (code->data[i] & 1 ? below : 0)));
    }
    const struct grid_rule glare = {5, GRID_IN_GLARE}, usual = {5, 2};
    int wrong[2] = {0};
    for (int k = 0; k < 2; k++) {
        grid_decide(grid, k == 0 ? &glare : &usual);
        for (int i = 0; i < side * side; i++)
            wrong[k] += grid->dark[i] != (code->data[i] & 1);
    }
    assert_true(wrong[0] < side * side / 50);
    assert_true(wrong[0] * 4 < wrong[1]);
    QRcode_free(code);
}

static int setup(void **state)
{
    *state = calloc(1, sizeof(struct grid));
    return *state ? 0 : -1;
}

static int teardown(void **state)
{
    free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fixed_modules_are_where_the_standard_has_them),
        cmocka_unit_test(every_format_is_known_and_errors_are_counted),
        cmocka_unit_test(what_is_drawn_is_read),
        cmocka_unit_test(modules_are_decided_by_their_surroundings),
        cmocka_unit_test(dark_is_what_is_below_the_limit_in_a_glare),
        cmocka_unit_test(sharpening_undoes_blur),
    };
    return cmocka_run_group_tests_name("qr_shape", tests, setup, teardown);
}
