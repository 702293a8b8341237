/* What looks like a code: what can't be read is noticed all the same, what is no code isn't. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/vision/reader.h"
#include "hw/decoder.h"
#include "tests/unit/qr_picture.h"

enum { WIDTH = 640, HEIGHT = 480 };

static uint32_t next_random(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    return *seed ^= *seed << 5;
}

static int64_t no_time(void *userdata)
{
    (void)userdata;
    return 0;
}

/* As the lane does, in a round of looks; a code that is read has been seen. */
static bool sees(const struct qr_picture *picture)
{
    struct decoder *decoder = decoder_zbar_new();
    assert_non_null(decoder);
    const struct reader_settings settings = {
        .width_max_px = 4096, .height_max_px = 4096, .decoders = {decoder}, .clock_us = no_time};
    const struct decoder_picture view = {picture->luma, picture->width_px, picture->height_px, picture->stride_bytes, false};
    struct reader *reader = NULL;
    struct reader_result result;
    assert_int_equal(reader_new(&settings, &reader), 0);
    assert_int_equal(reader_picture(reader, &view, READER_LOOKS, &result), 0);
    const bool seen = result.has_region;
    assert_true(seen || result.codes_count == 0);
    reader_free(reader);
    decoder_free(decoder);
    return seen;
}

static bool reads(struct decoder *decoder, const struct qr_picture *picture)
{
    struct decoder_code codes[DECODER_CODES_MAX];
    const struct decoder_picture view = {picture->luma, picture->width_px, picture->height_px, picture->stride_bytes, false};
    return decoder_scan(decoder, &view, codes) > 0;
}

/* ---- pictures of codes ------------------------------------------------------------------------------------------- */

/* Made-up payloads from short to long: versions 1 to about 10. */
static QRcode *card(int number)
{
    static const char letters[] = "022199012345|made up|ABCDEFGHIJKLMNOPQRSTUVWXYZ/0123456789-abcdefghijklmnopqrstuvwxyz";
    char payload[256];
    const int length = 10 + 36 * number;
    for (int i = 0; i < length; i++)
        payload[i] = letters[(i * 7 + number * 11) % (int)(sizeof letters - 1)];
    return qr_bytes(payload, (size_t)length);
}

struct look {
    double module_px, degrees;
    int dark, light;
    int covered_percent;  /* of the side, at the corner that has no square: gray */
    int blur_px;          /* radius of a box, three times over */
    int noise;            /* levels up and down */
};

static bool is_dark(const QRcode *code, double x, double y)
{
    const int mx = (int)floor(x), my = (int)floor(y);
    return mx >= 0 && my >= 0 && mx < code->width && my < code->width && code->data[my * code->width + mx] & 1;
}

/* A code on its own white card, turned about the picture's middle, by 3 x 3 samples a pixel. */
static struct qr_picture draw(int number, const struct look *look)
{
    enum { SAMPLES = 3 };
    struct qr_picture picture = qr_blank(WIDTH, HEIGHT, WIDTH, 120);
    QRcode *code = card(number);
    assert_non_null(code);
    const double turn = look->degrees * 3.14159265358979 / 180, c = cos(turn), s = sin(turn);
    const double side = code->width, quiet = QR_QUIET_MODULES, clear = side * (100 - look->covered_percent) / 100;
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++) {
            int sum = 0;
            for (int i = 0; i < SAMPLES * SAMPLES; i++) {
                const double dx = (x + (i % SAMPLES + 0.5) / SAMPLES - WIDTH / 2.0) / look->module_px;
                const double dy = (y + (i / SAMPLES + 0.5) / SAMPLES - HEIGHT / 2.0) / look->module_px;
                const double u = c * dx + s * dy + side / 2, v = c * dy - s * dx + side / 2;
                if (u < -quiet || v < -quiet || u >= side + quiet || v >= side + quiet)
                    sum += 120;
                else if (u > clear && v > clear)
                    sum += (look->dark + look->light) / 2;
                else
                    sum += is_dark(code, u, v) ? look->dark : look->light;
            }
            picture.luma[y * WIDTH + x] = (uint8_t)(sum / (SAMPLES * SAMPLES));
        }
    QRcode_free(code);
    return picture;
}

static void blur_line(uint8_t *first, ptrdiff_t step, int length, int radius, uint8_t *scratch)
{
    for (int i = 0; i < length; i++)
        scratch[i] = first[i * step];
    for (int i = 0; i < length; i++) {
        int sum = 0;
        for (int j = i - radius; j <= i + radius; j++)
            sum += scratch[j < 0 ? 0 : j >= length ? length - 1 : j];
        first[i * step] = (uint8_t)(sum / (2 * radius + 1));
    }
}

static void spoil(struct qr_picture *picture, int blur_px, int noise)
{
    uint8_t scratch[WIDTH];
    uint32_t seed = 4711;
    for (int pass = 0; pass < 3 && blur_px > 0; pass++) {
        for (int y = 0; y < HEIGHT; y++)
            blur_line(picture->luma + y * WIDTH, 1, WIDTH, blur_px, scratch);
        for (int x = 0; x < WIDTH; x++)
            blur_line(picture->luma + x, WIDTH, HEIGHT, blur_px, scratch);
    }
    for (int i = 0; i < WIDTH * HEIGHT && noise > 0; i++) {
        const int level = picture->luma[i] + (int)(next_random(&seed) % (2 * (unsigned)noise + 1)) - noise;
        picture->luma[i] = (uint8_t)(level < 0 ? 0 : level > 255 ? 255 : level);
    }
}

static struct qr_picture taken(int number, const struct look *look)
{
    struct qr_picture picture = draw(number, look);
    spoil(&picture, look->blur_px, look->noise);
    return picture;
}


static bool fits(int number, double module_px)
{
    QRcode *code = card(number);
    assert_non_null(code);
    const double side = (code->width + 2 * QR_QUIET_MODULES) * module_px;
    QRcode_free(code);
    return side * 1.3 < HEIGHT; /* turned */
}

/* ---- what is a code ---------------------------------------------------------------------------------------------- */

static void every_code_that_can_be_read_is_seen_too(void **state)
{
    (void)state;
    static const struct look looks[] = {
        {.module_px = 3, .dark = 10, .light = 240},   {.module_px = 4, .dark = 240, .light = 10},
        {.module_px = 4, .dark = 100, .light = 150},  {.module_px = 5, .dark = 20, .light = 230, .noise = 12},
        {.module_px = 9, .dark = 20, .light = 230},
    };
    struct decoder *decoder = decoder_zbar_new();
    assert_non_null(decoder);
    int read = 0;
    for (size_t i = 0; i < sizeof looks / sizeof *looks; i++)
        for (int number = 0; number < 5; number += 2)
            for (int degrees = 0; degrees < 90 && fits(number, looks[i].module_px); degrees += 21) {
                struct look look = looks[i];
                look.degrees = degrees;
                struct qr_picture picture = taken(number, &look);
                if (!sees(&picture))
                    fail_msg("look %zu, card %d, %d degrees: not seen", i, number, degrees);
                read += reads(decoder, &picture);
                free(picture.luma);
            }
    assert_in_range(read, 40, 100); /* the pictures are what they are meant to be */
    decoder_free(decoder);
}

static void a_code_that_cannot_be_read_is_seen(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct look look;
        int seen_at_least_percent;
    } cases[] = {
        {"a thumb on it", {.module_px = 4, .dark = 20, .light = 230, .covered_percent = 45}, 95},
        {"a thumb, light on dark", {.module_px = 4, .dark = 235, .light = 30, .covered_percent = 45}, 95},
        {"a thumb, pale", {.module_px = 4, .dark = 110, .light = 150, .covered_percent = 45}, 95},
        {"a thumb, small", {.module_px = 2, .dark = 20, .light = 230, .covered_percent = 45}, 95},
        {"a thumb, near", {.module_px = 9, .dark = 20, .light = 230, .covered_percent = 45}, 95},
        {"a thumb, noisy", {.module_px = 5, .dark = 60, .light = 180, .covered_percent = 45, .noise = 12}, 95},
        {"blurred, half a module", {.module_px = 3, .dark = 20, .light = 230, .blur_px = 1}, 95},
        {"blurred and turned round", {.module_px = 5, .dark = 235, .light = 30, .blur_px = 2}, 95},
        {"blurred heavily", {.module_px = 6, .dark = 20, .light = 230, .blur_px = 3}, 75},
    };
    struct decoder *decoder = decoder_zbar_new();
    assert_non_null(decoder);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int count = 0, read = 0, seen = 0;
        for (int number = 0; number < 5; number += 2)
            for (int degrees = 0; degrees < 90 && fits(number, cases[i].look.module_px); degrees += 17) {
                struct look look = cases[i].look;
                look.degrees = degrees;
                struct qr_picture picture = taken(number, &look);
                count++;
                read += reads(decoder, &picture);
                seen += sees(&picture);
                free(picture.luma);
            }
        print_message("    %-26s %d pictures, %d read, %d seen\n", cases[i].name, count, read, seen);
        assert_true(count >= 6);
        assert_true(read * 10 <= count); /* the damage is one */
        assert_true(seen * 100 >= count * cases[i].seen_at_least_percent);
    }
    decoder_free(decoder);
}

/* ---- what is none ------------------------------------------------------------------------------------------------ */

static void fill(struct qr_picture *picture, int x, int y, int width, int height, int level)
{
    for (int row = y < 0 ? 0 : y; row < y + height && row < HEIGHT; row++)
        for (int column = x < 0 ? 0 : x; column < x + width && column < WIDTH; column++)
            picture->luma[row * WIDTH + column] = (uint8_t)level;
}

static void draw_square(struct qr_picture *picture, int x, int y, int module_px)
{
    fill(picture, x, y, 9 * module_px, 9 * module_px, 240);
    fill(picture, x + module_px, y + module_px, 7 * module_px, 7 * module_px, 10);
    fill(picture, x + 2 * module_px, y + 2 * module_px, 5 * module_px, 5 * module_px, 240);
    fill(picture, x + 3 * module_px, y + 3 * module_px, 3 * module_px, 3 * module_px, 10);
}

static void nothing(struct qr_picture *picture, int variant, uint32_t *seed)
{
    (void)seed;
    fill(picture, 0, 0, WIDTH, HEIGHT, variant * 25);
}

static void noise(struct qr_picture *picture, int variant, uint32_t *seed)
{
    const int grain = 1 + variant; /* in pixels */
    for (int y = 0; y < HEIGHT; y += grain)
        for (int x = 0; x < WIDTH; x += grain)
            fill(picture, x, y, grain, grain, (int)(next_random(seed) % 256));
}

static void black_and_white_grains(struct qr_picture *picture, int variant, uint32_t *seed)
{
    const int grain = 2 + variant; /* what a code's data look like, without its squares */
    for (int y = 0; y < HEIGHT; y += grain)
        for (int x = 0; x < WIDTH; x += grain)
            fill(picture, x, y, grain, grain, next_random(seed) & 1 ? 230 : 20);
}

static void grid(struct qr_picture *picture, int variant, uint32_t *seed)
{
    (void)seed;
    const int pitch = 8 + 5 * variant, width = 1 + variant % 4;
    for (int x = 0; x < WIDTH; x += pitch)
        fill(picture, x, 0, width, HEIGHT, 30);
    for (int y = 0; y < HEIGHT; y += pitch)
        fill(picture, 0, y, WIDTH, width, 30);
}

static void chessboard(struct qr_picture *picture, int variant, uint32_t *seed)
{
    (void)seed;
    const int side = 3 + 4 * variant;
    for (int y = 0; y < HEIGHT; y += side)
        for (int x = 0; x < WIDTH; x += side)
            fill(picture, x, y, side, side, (x / side + y / side) % 2 ? 30 : 220);
}

static void barcode(struct qr_picture *picture, int variant, uint32_t *seed)
{
    const bool lies = variant % 2;
    const int module_px = 1 + variant / 2;
    for (int at = 60; at < 420;) {
        const int bar = (1 + (int)(next_random(seed) % 3)) * module_px, gap = (1 + (int)(next_random(seed) % 3)) * module_px;
        fill(picture, lies ? 100 : at, lies ? at : 100, lies ? 200 : bar, lies ? bar : 200, 20);
        at += bar + gap;
    }
}

static void text(struct qr_picture *picture, int variant, uint32_t *seed)
{
    static const uint8_t letters[][7] = {
        /* 0 to 5, A, B, E, H, M, N, T: a row of five dots each byte */
        {14, 17, 19, 21, 25, 17, 14}, {4, 12, 4, 4, 4, 4, 14},       {14, 17, 1, 2, 4, 8, 31},
        {31, 2, 4, 2, 1, 17, 14},     {2, 6, 10, 18, 31, 2, 2},      {31, 16, 30, 1, 1, 17, 14},
        {14, 17, 17, 31, 17, 17, 17}, {30, 17, 17, 30, 17, 17, 30},  {31, 16, 16, 30, 16, 16, 31},
        {17, 17, 17, 31, 17, 17, 17}, {17, 27, 21, 21, 17, 17, 17},  {17, 25, 21, 19, 17, 17, 17},
        {31, 4, 4, 4, 4, 4, 4},
    };
    const int dot = 1 + variant / 3;
    for (int y = 20; y + 9 * dot < HEIGHT; y += 10 * dot)
        for (int x = 20; x + 6 * dot < WIDTH; x += 6 * dot) {
            const uint32_t letter = next_random(seed) % 15; /* two of them are blanks */
            for (int i = 0; i < 35 && letter < sizeof letters / sizeof *letters; i++)
                if ((letters[letter][i / 5] >> (4 - i % 5) & 1) != 0)
                    fill(picture, x + i % 5 * dot, y + i / 5 * dot, dot, dot, 25);
        }
}

static void rings(struct qr_picture *picture, int variant, uint32_t *seed)
{
    (void)seed;
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++) {
            const double r = hypot(x - WIDTH / 2.0, y - HEIGHT / 2.0);
            picture->luma[y * WIDTH + x] = (uint8_t)(128 + 100 * sin(r / (1 + variant)));
        }
}

static void squares_that_make_no_code(struct qr_picture *picture, int variant, uint32_t *seed)
{
    static const struct {
        int x[4], y[4], module_px[4];
    } cases[10] = {
        {{100}, {100}, {5}},
        {{100, 300}, {100, 100}, {5, 5}},
        {{100, 300}, {100, 300}, {5, 5}},
        {{50, 200, 350}, {100, 100, 100}, {5, 5, 5}},       /* in a row */
        {{50, 200, 350}, {50, 200, 350}, {5, 5, 5}},        /* in a slanting row */
        {{50, 300, 50}, {50, 50, 300}, {5, 5, 10}},         /* of different size */
        {{50, 450, 50}, {50, 50, 150}, {5, 5, 5}},          /* an oblong */
        {{50, 300, 550}, {400, 50, 400}, {5, 5, 5}},        /* no right angle */
        {{50, 95, 50}, {50, 50, 95}, {5, 5, 5}},            /* too near each other for their size */
        {{10, 600, 10, 0}, {10, 10, 440, 0}, {2, 2, 2, 0}}, /* too far */
    };
    (void)seed;
    for (int i = 0; i < 4 && cases[variant].module_px[i] > 0; i++)
        draw_square(picture, cases[variant].x[i], cases[variant].y[i], cases[variant].module_px[i]);
}

static void what_is_no_code_is_not_seen(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        void (*draw)(struct qr_picture *picture, int variant, uint32_t *seed);
    } views[] = {
        {"nothing", nothing},
        {"noise", noise},
        {"black and white grains", black_and_white_grains},
        {"a grid", grid},
        {"a chessboard", chessboard},
        {"a barcode", barcode},
        {"text", text},
        {"rings", rings},
        {"squares", squares_that_make_no_code},
    };
    uint32_t seed = 20240229;
    for (size_t i = 0; i < sizeof views / sizeof *views; i++)
        for (int variant = 0; variant < 10; variant++)
            for (int blur_px = 0; blur_px < 2; blur_px++) {
                struct qr_picture picture = qr_blank(WIDTH, HEIGHT, WIDTH, 200);
                views[i].draw(&picture, variant, &seed);
                spoil(&picture, blur_px, 3);
                if (sees(&picture))
                    fail_msg("%s %d, blur %d: seen as a code", views[i].name, variant, blur_px);
                free(picture.luma);
            }
}

static void padding_is_not_looked_at(void **state)
{
    (void)state;
    const struct look look = {.module_px = 4, .dark = 20, .light = 230};
    struct qr_picture picture = taken(1, &look), padded = qr_blank(WIDTH, HEIGHT, WIDTH + 64, 0);
    for (int y = 0; y < HEIGHT; y++)
        memcpy(padded.luma + y * padded.stride_bytes, picture.luma + y * WIDTH, WIDTH);
    assert_true(sees(&picture));
    assert_true(sees(&padded));
    /* A code of which a square lies in the padding isn't one. */
    padded.width_px = WIDTH / 2;
    assert_false(sees(&padded));
    free(picture.luma);
    free(padded.luma);
}

int main(void)
{
    const struct CMUnitTest sighting[] = {
        cmocka_unit_test(every_code_that_can_be_read_is_seen_too),
        cmocka_unit_test(a_code_that_cannot_be_read_is_seen),
        cmocka_unit_test(what_is_no_code_is_not_seen),
        cmocka_unit_test(padding_is_not_looked_at),
    };
    return cmocka_run_group_tests_name("sighting", sighting, NULL, NULL);
}
