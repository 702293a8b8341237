/* The QR decoders, each that is built in: any bytes in, the same bytes out; what is no whole code is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "hw/decoder.h"
#include "tests/unit/qr_picture.h"

static int setup_zbar(void **state)
{
    *state = decoder_new(DECODER_ZBAR);
    return *state ? 0 : -1;
}

static int setup_zxing(void **state)
{
    *state = decoder_new(DECODER_ZXING);
    return *state ? 0 : -1;
}

static int teardown(void **state)
{
    decoder_free(*state);
    return 0;
}

static int scan(struct decoder *decoder, const struct qr_picture *picture, struct decoder_code codes[DECODER_CODES_MAX])
{
    const struct decoder_picture view = {picture->luma, picture->width_px, picture->height_px, picture->stride_bytes, false};
    return decoder_scan(decoder, &view, codes);
}

static void expect_only(struct decoder *decoder, struct qr_picture picture, const void *payload, size_t length)
{
    struct decoder_code codes[DECODER_CODES_MAX];
    assert_int_equal(scan(decoder, &picture, codes), 1);
    assert_int_equal(codes[0].length_bytes, length);
    assert_memory_equal(codes[0].bytes, payload, length);
    free(picture.luma);
}

static void expect_none(struct decoder *decoder, struct qr_picture picture)
{
    struct decoder_code codes[DECODER_CODES_MAX];
    assert_int_equal(scan(decoder, &picture, codes), 0);
    free(picture.luma);
}

static void any_byte_survives(void **state)
{
    uint8_t payload[256];
    for (int i = 0; i < 256; i++)
        payload[i] = (uint8_t)i;
    expect_only(*state, qr_centred(qr_bytes(payload, sizeof payload), 640, 480, 4), payload, sizeof payload);
    expect_only(*state, qr_centred(qr_bytes("\0a\0\0", 4), 640, 480, 4), "\0a\0\0", 4);
}

static void vietnamese_is_not_guessed_at(void **state)
{
    static const char text[] = "022068520528|191321738|Bùi Đình Trang|10041968|Nam|"
                               "Khu 7, Phường Yên Giang, Quảng Yên, Quảng Ninh|06122022";
    expect_only(*state, qr_centred(qr_bytes(text, sizeof text - 1), 1280, 720, 5), text, sizeof text - 1);
}

static void largest_codes_fit(void **state)
{
    static char digits[DECODER_PAYLOAD_MAX_BYTES + 1];
    for (int i = 0; i < DECODER_PAYLOAD_MAX_BYTES; i++)
        digits[i] = (char)('0' + i * 7 % 10);
    QRcode *code = QRcode_encodeString(digits, 40, QR_ECLEVEL_L, QR_MODE_8, 1);
    assert_non_null(code);
    expect_only(*state, qr_centred(code, 800, 760, 4), digits, DECODER_PAYLOAD_MAX_BYTES);

    static uint8_t bytes[2953];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 31 >> 3);
    code = QRcode_encodeData(sizeof bytes, bytes, 40, QR_ECLEVEL_L);
    assert_non_null(code);
    expect_only(*state, qr_centred(code, 800, 760, 4), bytes, sizeof bytes);
}

static void inverted_code_is_read(void **state)
{
    struct qr_picture picture = qr_blank(640, 480, 640, 30);
    qr_draw(&picture, qr_bytes("dark mode", 9), 200, 120, 6, true);
    expect_only(*state, picture, "dark mode", 9);
}

static void blank_pictures_hold_nothing(void **state)
{
    expect_none(*state, qr_blank(640, 480, 640, 0));
    expect_none(*state, qr_blank(640, 480, 640, 128));
    expect_none(*state, qr_blank(1, 1, 1, 255));
    expect_none(*state, qr_blank(7, 3, 7, 255));
}

static void noise_holds_nothing(void **state)
{
    struct qr_picture picture = qr_blank(320, 240, 320, 0);
    uint32_t value = 1;
    for (int i = 0; i < 320 * 240; i++) {
        value = value * 1664525 + 1013904223;
        picture.luma[i] = (uint8_t)(value >> 24);
    }
    expect_none(*state, picture);
}

/* Odd sizes and padded rows; the last row's padding doesn't exist, and a sanitizer or valgrind says if it is read. */
static void stride_is_respected(void **state)
{
    static const struct {
        int width, height, stride;
    } sizes[] = {{640, 480, 704}, {641, 479, 643}, {639, 477, 639}, {637, 480, 1024}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct qr_picture picture = qr_blank(sizes[i].width, sizes[i].height, sizes[i].stride, 255);
        for (int y = 0; y < picture.height_px; y++) /* padding that would spoil a decoding */
            for (int x = picture.width_px; x < picture.stride_bytes; x++)
                picture.luma[y * picture.stride_bytes + x] = (uint8_t)(x * 97 + y * 31);
        qr_draw(&picture, qr_bytes("padded", 6), picture.width_px - 29 * 8, 100, 8, false);
        const size_t needed =
            (size_t)picture.stride_bytes * (size_t)(picture.height_px - 1) + (size_t)picture.width_px;
        uint8_t *exact = malloc(needed);
        assert_non_null(exact);
        memcpy(exact, picture.luma, needed);
        free(picture.luma);
        picture.luma = exact;
        expect_only(*state, picture, "padded", 6);
    }
}

static void corners_enclose_the_code(void **state)
{
    struct qr_picture picture = qr_blank(640, 480, 640, 200);
    qr_draw(&picture, qr_bytes("corner", 6), 100, 50, 8, false); /* 21 modules: 132…300 x 82…250 */
    struct decoder_code codes[DECODER_CODES_MAX];
    assert_int_equal(scan(*state, &picture, codes), 1);
    for (int i = 0; i < 4; i++) {
        assert_in_range(codes[0].corner_x[i], 120, 312);
        assert_in_range(codes[0].corner_y[i], 70, 262);
    }
    free(picture.luma);
}

static void several_codes_are_all_told(void **state)
{
    struct qr_picture picture = qr_blank(1280, 720, 1280, 255);
    for (int i = 0; i < 6; i++) {
        const char payload[] = {'c', 'o', 'd', 'e', (char)('0' + i)};
        qr_draw(&picture, qr_bytes(payload, sizeof payload), 40 + i % 3 * 400, 40 + i / 3 * 330, 8, false);
    }
    struct decoder_code codes[DECODER_CODES_MAX];
    assert_int_equal(scan(*state, &picture, codes), DECODER_CODES_MAX);
    free(picture.luma);
}

static QRcode *sequence_part(QRcode_List *list, int part)
{
    for (; list && part > 0; part--)
        list = list->next;
    assert_non_null(list);
    QRcode *code = list->code;
    list->code = NULL; /* it goes to the one who draws it */
    return code;
}

/* Parts of a Structured Append, some or all in one picture, are no code; and the decoder lives on. */
static void structured_append_is_no_code(void **state)
{
    static const unsigned shown[] = {1, 2, 4, 3, 5, 6, 7, 1}; /* bit i: part i is in the picture */
    uint8_t payload[60];
    for (size_t i = 0; i < sizeof payload; i++)
        payload[i] = (uint8_t)('a' + i % 26);

    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++) {
        QRcode_List *list = QRcode_encodeDataStructured(sizeof payload, payload, 2, QR_ECLEVEL_M);
        assert_non_null(list);
        assert_int_equal(QRcode_List_size(list), 3);
        struct qr_picture picture = qr_blank(1280, 720, 1280, 255);
        int drawn = 0;
        for (int part = 0; part < 3; part++)
            if (shown[i] & 1u << part) {
                qr_draw(&picture, sequence_part(list, part), 20 + drawn % 3 * 400, 20 + drawn / 3 * 330, 7, false);
                drawn++;
            }
        QRcode_List_free(list);
        expect_none(*state, picture);
    }
    expect_only(*state, qr_centred(qr_bytes("alone", 5), 640, 480, 6), "alone", 5);
}

/* A whole code beside a part is told; the part isn't. */
static void whole_code_beside_a_part(void **state)
{
    static const uint8_t payload[] = "a sequence of parts that no single symbol of this size can hold";
    QRcode_List *list = QRcode_encodeDataStructured(sizeof payload, payload, 2, QR_ECLEVEL_M);
    struct qr_picture picture = qr_blank(1280, 720, 1280, 255);
    qr_draw(&picture, sequence_part(list, 0), 40, 40, 8, false);
    qr_draw(&picture, qr_bytes("whole", 5), 640, 40, 8, false);
    QRcode_List_free(list);
    expect_only(*state, picture, "whole", 5);
}

static void named_character_sets_do_no_harm(void **state)
{
    for (unsigned set = 0; set <= 40; set++) {
        QRinput *input = QRinput_new2(0, QR_ECLEVEL_M);
        assert_int_equal(QRinput_appendECIheader(input, set), 0);
        assert_int_equal(QRinput_append(input, QR_MODE_8, 5, (const unsigned char *)"plain"), 0);
        struct qr_picture picture = qr_centred(QRcode_encodeInput(input), 320, 320, 6);
        QRinput_free(input);
        struct decoder_code codes[DECODER_CODES_MAX];
        assert_in_range(scan(*state, &picture, codes), 0, 1);
        free(picture.luma);
    }
}

static void scanner_is_renewed(void **state)
{
    struct qr_picture picture = qr_centred(qr_bytes("again", 5), 96, 96, 3);
    struct decoder_code codes[DECODER_CODES_MAX];
    for (int i = 0; i < 2100; i++)
        assert_int_equal(scan(*state, &picture, codes), 1);
    assert_memory_equal(codes[0].bytes, "again", 5);
    free(picture.luma);
}

static void bad_pictures_are_refused(void **state)
{
    uint8_t pixel[4] = {0};
    struct decoder_code codes[DECODER_CODES_MAX];
    const struct decoder_picture bad[] = {{NULL, 2, 2, 2, false}, {pixel, 0, 2, 2, false},       {pixel, 2, 0, 2, false},
                                          {pixel, 2, 2, 1, false}, {pixel, 5000, 1, 5000, false}, {pixel, -1, 2, 2, false}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_true(decoder_scan(*state, &bad[i], codes) < 0);
}

static void turned_codes_are_read(void **state)
{
    for (int quarter = 0; quarter < 4; quarter++) {
        const struct qr_picture from = qr_centred(qr_bytes("turned", 6), 400, 400, 6);
        struct qr_picture to = qr_blank(400, 400, 400, 0);
        for (int y = 0; y < 400; y++)
            for (int x = 0; x < 400; x++) {
                const int u = quarter == 0 ? x : quarter == 1 ? y : quarter == 2 ? 399 - x : 399 - y;
                const int v = quarter == 0 ? y : quarter == 1 ? 399 - x : quarter == 2 ? 399 - y : x;
                to.luma[v * 400 + u] = from.luma[y * 400 + x];
            }
        free(from.luma);
        expect_only(*state, to, "turned", 6);
    }
}

static void drivers_have_names_and_versions(void **state)
{
    (void)state;
    char text[32];
    assert_string_equal(decoder_name(DECODER_ZBAR), "zbar");
    assert_string_equal(decoder_name(DECODER_ZXING), "zxing");
    assert_string_equal(decoder_name(DECODER_KINDS), "?");
    assert_true(decoder_is_built_in(DECODER_ZBAR));
    assert_false(decoder_is_built_in(DECODER_KINDS));
    assert_null(decoder_new(DECODER_KINDS));
    for (enum decoder_kind kind = DECODER_ZBAR; kind < DECODER_KINDS; kind++) {
        (void)snprintf(text, sizeof text, "?");
        decoder_version(kind, text, sizeof text);
        assert_int_equal(strchr(text, '.') != NULL, decoder_is_built_in(kind));
        assert_int_equal(text[0] == '\0', !decoder_is_built_in(kind));
        struct decoder *made = decoder_new(kind);
        assert_int_equal(made != NULL, decoder_is_built_in(kind));
        decoder_free(made);
    }
}

#define EACH_CASE(setup)                                                                                               \
    cmocka_unit_test_setup_teardown(any_byte_survives, setup, teardown),                                               \
    cmocka_unit_test_setup_teardown(vietnamese_is_not_guessed_at, setup, teardown),                                    \
    cmocka_unit_test_setup_teardown(largest_codes_fit, setup, teardown),                                               \
    cmocka_unit_test_setup_teardown(inverted_code_is_read, setup, teardown),                                           \
    cmocka_unit_test_setup_teardown(blank_pictures_hold_nothing, setup, teardown),                                     \
    cmocka_unit_test_setup_teardown(noise_holds_nothing, setup, teardown),                                             \
    cmocka_unit_test_setup_teardown(stride_is_respected, setup, teardown),                                             \
    cmocka_unit_test_setup_teardown(corners_enclose_the_code, setup, teardown),                                        \
    cmocka_unit_test_setup_teardown(several_codes_are_all_told, setup, teardown),                                      \
    cmocka_unit_test_setup_teardown(structured_append_is_no_code, setup, teardown),                                    \
    cmocka_unit_test_setup_teardown(whole_code_beside_a_part, setup, teardown),                                        \
    cmocka_unit_test_setup_teardown(named_character_sets_do_no_harm, setup, teardown),                                 \
    cmocka_unit_test_setup_teardown(scanner_is_renewed, setup, teardown),                                              \
    cmocka_unit_test_setup_teardown(bad_pictures_are_refused, setup, teardown),                                        \
    cmocka_unit_test_setup_teardown(turned_codes_are_read, setup, teardown)

int main(void)
{
    const struct CMUnitTest drivers[] = {cmocka_unit_test(drivers_have_names_and_versions)};
    const struct CMUnitTest zbar[] = {EACH_CASE(setup_zbar)};
    const struct CMUnitTest zxing[] = {EACH_CASE(setup_zxing)};
    decoder_free(NULL);
    int failed = cmocka_run_group_tests_name("decoder", drivers, NULL, NULL);
    failed += cmocka_run_group_tests_name("decoder zbar", zbar, NULL, NULL);
    if (decoder_is_built_in(DECODER_ZXING))
        failed += cmocka_run_group_tests_name("decoder zxing", zxing, NULL, NULL);
    return failed;
}
