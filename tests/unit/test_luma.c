/* Raw formats -> luma: right when whole, -EBADMSG when not. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

#include <cmocka.h>

#include "hw/luma.h"

enum { WIDTH = 64, HEIGHT = 48 };

/* A colour JPEG whose gray runs from dark to bright; the caller frees it. */
static uint8_t *make_jpeg(int width, int height, bool progressive, size_t *ret_bytes)
{
    struct jpeg_compress_struct info;
    struct jpeg_error_mgr errors;
    uint8_t *file = NULL;
    unsigned long bytes = 0;
    info.err = jpeg_std_error(&errors);
    jpeg_create_compress(&info);
    jpeg_mem_dest(&info, &file, &bytes);
    info.image_width = (JDIMENSION)width;
    info.image_height = (JDIMENSION)height;
    info.input_components = 3;
    info.in_color_space = JCS_RGB;
    jpeg_set_defaults(&info);
    if (progressive)
        jpeg_simple_progression(&info);
    jpeg_start_compress(&info, TRUE);
    uint8_t *row = calloc((size_t)width, 3);
    assert_non_null(row);
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < 3 * width; x++)
            row[x] = (uint8_t)(20 + (x / 3 * 200) / width);
        jpeg_write_scanlines(&info, &row, 1);
    }
    free(row);
    jpeg_finish_compress(&info);
    jpeg_destroy_compress(&info);
    *ret_bytes = bytes;
    return file;
}

static int setup(void **state)
{
    *state = luma_jpeg_new();
    return *state ? 0 : -1;
}

static int teardown(void **state)
{
    luma_jpeg_free(*state);
    return 0;
}

/* Decodes from a buffer of exactly that size, so that a sanitizer sees a read beyond it. */
static int decode(struct luma_jpeg *jpeg, const uint8_t *file, size_t bytes, uint8_t *dst, size_t dst_bytes)
{
    uint8_t *exact = malloc(bytes ? bytes : 1);
    assert_non_null(exact);
    memcpy(exact, file, bytes);
    int width = -1, height = -1;
    const int result = luma_from_jpeg(jpeg, exact, bytes, dst, dst_bytes, &width, &height);
    free(exact);
    assert_int_equal(width, result == 0 ? WIDTH : -1);
    assert_int_equal(height, result == 0 ? HEIGHT : -1);
    return result;
}

static void expect_ramp(const uint8_t *luma)
{
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++)
            assert_in_range(luma[y * WIDTH + x] + 10, 20 + x * 200 / WIDTH, 40 + x * 200 / WIDTH);
}

static void yuyv_gives_every_second_byte(void **state)
{
    (void)state;
    const uint8_t src[] = {1, 99, 2, 99, 3, 99, 4, 99, 77, 77, 5, 99, 6, 99, 7, 99, 8, 99};
    const uint8_t expected[] = {1, 2, 3, 4, 5, 6, 7, 8};
    uint8_t luma[8] = {0};
    assert_int_equal(luma_from_yuyv(src, sizeof src, 10, 4, 2, luma), 0); /* padded; the last row needs no padding */
    assert_memory_equal(luma, expected, sizeof expected);
}

static void short_yuyv_is_refused(void **state)
{
    (void)state;
    uint8_t src[64] = {0}, luma[16] = {0};
    assert_int_equal(luma_from_yuyv(src, 15, 8, 4, 2, luma), -EBADMSG);
    assert_int_equal(luma_from_yuyv(src, 16, 8, 4, 2, luma), 0);
    assert_int_equal(luma_from_yuyv(src, 0, 8, 4, 2, luma), -EBADMSG);
    assert_int_equal(luma_from_yuyv(src, 64, 7, 4, 2, luma), -EBADMSG);
    assert_int_equal(luma_from_yuyv(src, 64, 8, 0, 2, luma), -EBADMSG);
    assert_int_equal(luma_from_yuyv(src, 64, 8, 4, -1, luma), -EBADMSG);
    assert_int_equal(luma_from_yuyv(src, 64, 10000, 5000, 1, luma), -EBADMSG);
}

static void jpeg_is_decoded_again_and_again(void **state)
{
    for (int progressive = 0; progressive < 2; progressive++) {
        size_t bytes = 0;
        uint8_t *file = make_jpeg(WIDTH, HEIGHT, progressive, &bytes), luma[WIDTH * HEIGHT];
        for (int i = 0; i < 3; i++) {
            memset(luma, 0, sizeof luma);
            assert_int_equal(decode(*state, file, bytes, luma, sizeof luma), 0);
            expect_ramp(luma);
        }
        free(file);
    }
}

/* Every way to cut a frame off, but for the end marker's two bytes, is noticed; a whole frame afterwards is fine. */
static void truncated_jpeg_is_broken(void **state)
{
    for (int progressive = 0; progressive < 2; progressive++) {
        size_t bytes = 0;
        uint8_t *file = make_jpeg(WIDTH, HEIGHT, progressive, &bytes), luma[WIDTH * HEIGHT];
        for (size_t cut = 0; cut + 3 < bytes; cut++)
            assert_int_equal(decode(*state, file, cut, luma, sizeof luma), -EBADMSG);
        assert_int_equal(decode(*state, file, bytes, luma, sizeof luma), 0);
        free(file);
    }
}

static void missing_end_marker_is_forgiven(void **state)
{
    size_t bytes = 0;
    uint8_t *file = make_jpeg(WIDTH, HEIGHT, false, &bytes), luma[WIDTH * HEIGHT];
    assert_int_equal(decode(*state, file, bytes - 2, luma, sizeof luma), 0);
    expect_ramp(luma);
    free(file);
}

/* Cameras leave the standard Huffman tables out. */
static void jpeg_without_tables_is_decoded(void **state)
{
    size_t bytes = 0;
    uint8_t *file = make_jpeg(WIDTH, HEIGHT, false, &bytes), luma[WIDTH * HEIGHT];
    size_t at = 2;
    int removed = 0;
    while (at + 4 < bytes && file[at + 1] != 0xDA) {
        const size_t length = 2 + (size_t)(file[at + 2] << 8 | file[at + 3]);
        if (file[at + 1] == 0xC4) {
            memmove(file + at, file + at + length, bytes - at - length);
            bytes -= length;
            removed++;
        } else {
            at += length;
        }
    }
    assert_true(removed > 0);
    assert_int_equal(decode(*state, file, bytes, luma, sizeof luma), 0);
    expect_ramp(luma);
    free(file);
}

static void broken_jpeg_never_crashes(void **state)
{
    size_t bytes = 0;
    uint8_t *file = make_jpeg(WIDTH, HEIGHT, false, &bytes), luma[WIDTH * HEIGHT];
    uint8_t *bad = malloc(bytes);
    assert_non_null(bad);
    for (size_t i = 0; i < bytes; i++) {
        memcpy(bad, file, bytes);
        bad[i] ^= 0xFF;
        int width = 0, height = 0;
        const int result = luma_from_jpeg(*state, bad, bytes, luma, sizeof luma, &width, &height);
        assert_true(result == 0 || result == -EBADMSG || result == -E2BIG);
    }
    assert_int_equal(decode(*state, file, bytes, luma, sizeof luma), 0);
    free(bad);
    free(file);

    static const uint8_t text[] = "this is no picture at all";
    assert_int_equal(decode(*state, text, sizeof text, luma, sizeof luma), -EBADMSG);
}

static void large_jpeg_is_refused(void **state)
{
    size_t bytes = 0;
    uint8_t *file = make_jpeg(WIDTH, HEIGHT, false, &bytes), luma[WIDTH * HEIGHT];
    assert_int_equal(decode(*state, file, bytes, luma, sizeof luma - 1), -E2BIG);
    assert_int_equal(decode(*state, file, bytes, luma, sizeof luma), 0);
    free(file);

    file = make_jpeg(4104, 8, false, &bytes);
    uint8_t *wide = malloc(4104 * 8);
    assert_non_null(wide);
    assert_int_equal(decode(*state, file, bytes, wide, 4104 * 8), -E2BIG);
    free(wide);
    free(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(yuyv_gives_every_second_byte),
        cmocka_unit_test(short_yuyv_is_refused),
        cmocka_unit_test_setup_teardown(jpeg_is_decoded_again_and_again, setup, teardown),
        cmocka_unit_test_setup_teardown(truncated_jpeg_is_broken, setup, teardown),
        cmocka_unit_test_setup_teardown(missing_end_marker_is_forgiven, setup, teardown),
        cmocka_unit_test_setup_teardown(jpeg_without_tables_is_decoded, setup, teardown),
        cmocka_unit_test_setup_teardown(broken_jpeg_never_crashes, setup, teardown),
        cmocka_unit_test_setup_teardown(large_jpeg_is_refused, setup, teardown),
    };
    luma_jpeg_free(NULL);
    return cmocka_run_group_tests_name("luma", tests, NULL, NULL);
}
