/* The motion gate: noise is no motion, a card that comes into view is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/vision/motion.h"

enum { WIDTH = 640, HEIGHT = 480 };

static uint8_t *gray(uint8_t level)
{
    uint8_t *luma = malloc(WIDTH * HEIGHT);
    assert_non_null(luma);
    memset(luma, level, WIDTH * HEIGHT);
    return luma;
}

static void same_picture_is_still(void **state)
{
    (void)state;
    uint8_t *luma = gray(100);
    struct motion_grid a, b;
    motion_measure(luma, WIDTH, HEIGHT, WIDTH, &a);
    motion_measure(luma, WIDTH, HEIGHT, WIDTH, &b);
    assert_false(motion_moved(&a, &b));
    assert_int_equal(a.mean[0], 100 * MOTION_STEPS_PER_LEVEL);
    assert_int_equal(a.mean[255], 100 * MOTION_STEPS_PER_LEVEL);
    free(luma);
}

static void three_levels_are_the_border(void **state)
{
    (void)state;
    uint8_t *luma = gray(100);
    struct motion_grid before, after;
    motion_measure(luma, WIDTH, HEIGHT, WIDTH, &before);
    memset(luma, 103, WIDTH * HEIGHT);
    motion_measure(luma, WIDTH, HEIGHT, WIDTH, &after);
    assert_false(motion_moved(&before, &after));
    assert_false(motion_moved(&after, &before));
    memset(luma, 104, WIDTH * HEIGHT);
    motion_measure(luma, WIDTH, HEIGHT, WIDTH, &after);
    assert_true(motion_moved(&before, &after));
    assert_true(motion_moved(&after, &before));
    free(luma);
}

static void sensor_noise_is_still(void **state)
{
    (void)state;
    uint8_t *luma = gray(100);
    struct motion_grid before, after;
    motion_measure(luma, WIDTH, HEIGHT, WIDTH, &before);
    uint32_t value = 7;
    for (int i = 0; i < WIDTH * HEIGHT; i++) {
        value = value * 1664525 + 1013904223;
        luma[i] = (uint8_t)(100 + (int)(value >> 24) % 17 - 8);
    }
    motion_measure(luma, WIDTH, HEIGHT, WIDTH, &after);
    assert_false(motion_moved(&before, &after));
    free(luma);
}

static void one_cell_is_enough(void **state)
{
    (void)state;
    for (int cell = 0; cell < MOTION_GRID_SIDE * MOTION_GRID_SIDE; cell++) {
        uint8_t *luma = gray(100);
        struct motion_grid before, after;
        motion_measure(luma, WIDTH, HEIGHT, WIDTH, &before);
        const int x = cell % MOTION_GRID_SIDE * (WIDTH / MOTION_GRID_SIDE);
        const int y = cell / MOTION_GRID_SIDE * (HEIGHT / MOTION_GRID_SIDE);
        for (int row = 0; row < 12; row++)
            memset(luma + (y + row) * WIDTH + x, 255, 12);
        motion_measure(luma, WIDTH, HEIGHT, WIDTH, &after);
        assert_true(motion_moved(&before, &after));
        free(luma);
    }
}

/* Of a wide picture only a part of each cell's width is added up. */
static void a_card_in_a_wide_picture_is_met(void **state)
{
    (void)state;
    enum { WIDE = 4096, HIGH = 1024, CARD = 120 };
    uint8_t *luma = malloc((size_t)WIDE * HIGH);
    assert_non_null(luma);
    for (int x = 0; x + CARD <= WIDE; x += 61) {
        struct motion_grid before, after;
        memset(luma, 100, (size_t)WIDE * HIGH);
        motion_measure(luma, WIDE, HIGH, WIDE, &before);
        for (int row = 0; row < CARD; row++)
            memset(luma + (size_t)(300 + row) * WIDE + x, row % 2 == 0 ? 230 : 90, CARD);
        motion_measure(luma, WIDE, HIGH, WIDE, &after);
        assert_true(motion_moved(&before, &after));
    }
    free(luma);
}

static void padding_is_not_looked_at(void **state)
{
    (void)state;
    uint8_t *luma = gray(100);
    struct motion_grid before, after;
    motion_measure(luma, WIDTH - 40, HEIGHT, WIDTH, &before);
    for (int y = 0; y < HEIGHT; y++)
        memset(luma + y * WIDTH + WIDTH - 40, 255, 40);
    motion_measure(luma, WIDTH - 40, HEIGHT, WIDTH, &after);
    assert_false(motion_moved(&before, &after));
    free(luma);
}

static void extreme_sizes_are_safe(void **state)
{
    (void)state;
    const uint8_t pixel = 255;
    struct motion_grid grid;
    motion_measure(&pixel, 1, 1, 1, &grid);
    assert_int_equal(grid.mean[255], 255 * MOTION_STEPS_PER_LEVEL);
    assert_int_equal(grid.mean[0], 0);

    uint8_t *large = malloc(4096 * 4096);
    assert_non_null(large);
    memset(large, 255, 4096 * 4096);
    motion_measure(large, 4096, 4096, 4096, &grid);
    for (int i = 0; i < 256; i++)
        assert_int_equal(grid.mean[i], 255 * MOTION_STEPS_PER_LEVEL);
    free(large);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_picture_is_still), cmocka_unit_test(three_levels_are_the_border),
        cmocka_unit_test(sensor_noise_is_still), cmocka_unit_test(one_cell_is_enough),
        cmocka_unit_test(padding_is_not_looked_at), cmocka_unit_test(extreme_sizes_are_safe),
        cmocka_unit_test(a_card_in_a_wide_picture_is_met),
    };
    return cmocka_run_group_tests_name("motion", tests, NULL, NULL);
}
