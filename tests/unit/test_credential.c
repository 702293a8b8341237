/* What a code is taken for: the order of recognition, endings, limits; names of kinds and statuses; strict UTF-8. */
#include "tests/unit/vectors.h"

static void test_vectors(void **state)
{
    (void)state;
    check_vectors("recognition.tsv", 40);
}

static void test_nothing_at_all(void **state)
{
    struct credential credential;

    (void)state;
    credential_read(NULL, 0, NULL, &credential);
    assert_int_equal(credential.fault, CREDENTIAL_FAULT_UNSUPPORTED);
    assert_credential_sound(&credential);
}

/* A length beyond the limit is refused before a byte is looked at. */
static void test_length_first(void **state)
{
    static const uint8_t one = 'Q';
    struct credential credential;

    (void)state;
    credential_read(&one, SIZE_MAX, NULL, &credential);
    assert_int_equal(credential.fault, CREDENTIAL_FAULT_UNSUPPORTED);
    assert_credential_sound(&credential);
}

/* The same bytes always give the same, texts to the last byte: nothing of what was there before shines through. */
static void test_result_is_whole(void **state)
{
    static const char text[] = "022099054321||A|30121999|Nam|B|01082024||||";
    struct credential first, second;

    (void)state;
    memset(&first, 0x00, sizeof first);
    memset(&second, 0xff, sizeof second);
    credential_read((const uint8_t *)text, sizeof text - 1, NULL, &first);
    credential_read((const uint8_t *)text, sizeof text, NULL, &second); /* with the NUL */
    assert_credential_equal(&first, &second);
}

static void test_names(void **state)
{
    (void)state;
    for (int status = 0; status < STATUS_COUNT; status++) {
        enum declaration_status got = STATUS_COUNT;
        assert_true(declaration_status_from_name(declaration_status_name((enum declaration_status)status), &got));
        assert_int_equal(got, status);
    }
    enum declaration_status untouched = STATUS_RED;
    assert_false(declaration_status_from_name("", &untouched));
    assert_false(declaration_status_from_name("Green", &untouched));
    assert_false(declaration_status_from_name("?", &untouched));
    assert_int_equal(untouched, STATUS_RED);
    assert_string_equal(declaration_status_name(STATUS_COUNT), "?");
    assert_string_equal(credential_kind_name(CREDENTIAL_KIND_COUNT), "?");
    assert_string_equal(credential_kind_name(CREDENTIAL_SITE_TOKEN), "site_token");
    assert_string_equal(credential_kind_name(CREDENTIAL_CCCD), "cccd");
    assert_string_equal(credential_kind_name(CREDENTIAL_UNSUPPORTED), "unsupported");
}

static size_t put_point(uint32_t point, uint8_t *dst)
{
    if (point < 0x80)
        return dst[0] = (uint8_t)point, 1;
    if (point < 0x800)
        return dst[0] = (uint8_t)(0xc0 | point >> 6), dst[1] = (uint8_t)(0x80 | (point & 63)), 2;
    if (point < 0x10000)
        return dst[0] = (uint8_t)(0xe0 | point >> 12), dst[1] = (uint8_t)(0x80 | (point >> 6 & 63)),
               dst[2] = (uint8_t)(0x80 | (point & 63)), 3;
    return dst[0] = (uint8_t)(0xf0 | point >> 18), dst[1] = (uint8_t)(0x80 | (point >> 12 & 63)),
           dst[2] = (uint8_t)(0x80 | (point >> 6 & 63)), dst[3] = (uint8_t)(0x80 | (point & 63)), 4;
}

static void test_utf8_every_point(void **state)
{
    (void)state;
    for (uint32_t point = 0; point < 0x1fffff; point++) {
        uint8_t bytes[4];
        size_t size = put_point(point, bytes);
        bool valid = point <= 0x10ffff && (point < 0xd800 || point > 0xdfff);
        if (utf8_valid(bytes, size) != valid)
            fail_msg("U+%04X", point);
        if (size > 1 && utf8_valid(bytes, size - 1))
            fail_msg("U+%04X cut", point);
    }
}

/* All two-byte strings: valid are two ASCII, or a lead C2 to DF with a continuation. */
static void test_utf8_every_pair(void **state)
{
    (void)state;
    for (int a = 0; a < 256; a++) {
        for (int b = 0; b < 256; b++) {
            uint8_t bytes[2] = {(uint8_t)a, (uint8_t)b};
            bool valid = (a < 0x80 && b < 0x80) || (a >= 0xc2 && a <= 0xdf && b >= 0x80 && b <= 0xbf);
            assert_int_equal(utf8_valid(bytes, 2), valid);
        }
    }
}

static void test_utf8_plain(void **state)
{
    static const uint32_t refused[] = {0x00, 0x09, 0x0a, 0x1f, 0x7f, 0x80, 0x9f, 0x61c, 0x200e, 0x200f, 0x2028,
                                       0x2029, 0x202a, 0x202e, 0x2066, 0x2069};
    static const uint32_t taken[] = {0x20, 0x7e, 0xa0, 0x1ea0, 0x300, 0x200b, 0x2027, 0x202f, 0x2065, 0x206a, 0x20000};
    uint8_t bytes[4];

    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        assert_false(utf8_plain(bytes, put_point(refused[i], bytes)));
    for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++)
        assert_true(utf8_plain(bytes, put_point(taken[i], bytes)));
    assert_true(utf8_plain(NULL, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors), cmocka_unit_test(test_nothing_at_all), cmocka_unit_test(test_length_first),
        cmocka_unit_test(test_result_is_whole), cmocka_unit_test(test_names), cmocka_unit_test(test_utf8_every_point),
        cmocka_unit_test(test_utf8_every_pair), cmocka_unit_test(test_utf8_plain),
    };
    return cmocka_run_group_tests_name("credential", tests, NULL, NULL);
}
