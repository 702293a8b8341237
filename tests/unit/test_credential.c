/* What a code is taken for: the order of recognition, endings, limits; names of kinds, faults, checks and statuses; how
 * a reader refuses; strict UTF-8. */
#include "tests/unit/vectors.h"

#include "daemon/credential/recogniser.h"

static void test_vectors(void **state)
{
    (void)state;
    check_vectors("recognition.tsv", 85);
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
}

static const char *kind_name(int kind) { return credential_kind_name((enum credential_kind)kind); }
static const char *fault_name(int fault) { return credential_fault_name((enum credential_fault)fault); }
static const char *check_name(int check) { return credential_check_name((enum credential_check)check); }

/* They stand in messages and the journal: what is renamed here is renamed for everybody who reads those. */
static void test_names_are_fixed(void **state)
{
    static const char *const kinds[] = {"unsupported", "site_token", "cccd", "rotating_token", "health_certificate",
                                        "personal_code_1405", "bhyt", "place_code", "smart_health_card"};
    static const char *const faults[] = {"ok", "unsupported", "malformed", "key_unknown", "signature", "key_not_valid",
                                         "place_code"};
    static const char *const checks[] = {"base45", "zlib", "cose", "key", "signature", "key_usage", "claims", "schema"};
    static const struct {
        const char *(*name)(int value);
        const char *const *names;
        int count, names_count;
    } tables[] = {
        {kind_name, kinds, CREDENTIAL_KIND_COUNT, sizeof kinds / sizeof kinds[0]},
        {fault_name, faults, CREDENTIAL_FAULT_COUNT, sizeof faults / sizeof faults[0]},
        {check_name, checks, CREDENTIAL_CHECK_COUNT, sizeof checks / sizeof checks[0]},
    };

    (void)state;
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        assert_int_equal(tables[i].count, tables[i].names_count);
        for (int value = 0; value < tables[i].count; value++)
            assert_string_equal(tables[i].name(value), tables[i].names[value]);
        assert_string_equal(tables[i].name(tables[i].count), "?");
        assert_string_equal(tables[i].name(-1), "?");
    }
}

/* Full of things read, with one check passed. */
static struct credential half_read(void)
{
    struct credential credential;

    memset(&credential, 0x41, sizeof credential);
    credential.kind = CREDENTIAL_HEALTH_CERTIFICATE;
    credential.fault = CREDENTIAL_OK;
    credential.is_signed = credential.has_status = credential.health.detected = false; /* 0x41 is no bool */
    credential.status = STATUS_GREEN;
    credential.health.type = HEALTH_TEST;
    memset(credential.detail, 0, sizeof credential.detail);
    memset(credential.checks, CHECK_NOT_REACHED, sizeof credential.checks);
    credential.checks[CHECK_BASE45] = CHECK_PASSED;
    return credential;
}

static void test_refusal_wipes(void **state)
{
    struct credential credential = half_read();

    (void)state;
    credential_fail_check(&credential, CHECK_COSE, CREDENTIAL_FAULT_MALFORMED, "message: broken");
    assert_credential_sound(&credential);
    assert_int_equal(credential.kind, CREDENTIAL_HEALTH_CERTIFICATE);
    assert_int_equal(credential.fault, CREDENTIAL_FAULT_MALFORMED);
    assert_string_equal(credential.detail, "message: broken");
    assert_int_equal(credential.checks[CHECK_BASE45], CHECK_PASSED);
    assert_int_equal(credential.checks[CHECK_ZLIB], CHECK_NOT_REACHED);
    assert_int_equal(credential.checks[CHECK_COSE], CHECK_FAILED);

    char wide[200];
    memset(wide, 'x', sizeof wide);
    wide[sizeof wide - 1] = '\0';
    credential_fail(&credential, CREDENTIAL_FAULT_UNSUPPORTED, wide);
    assert_int_equal(strlen(credential.detail), sizeof credential.detail - 1);
    assert_int_equal(credential.checks[CHECK_COSE], CHECK_FAILED);
}

static void test_mark_keeps_the_first_fault(void **state)
{
    struct credential credential = half_read();

    (void)state;
    credential_mark_fault(&credential, CHECK_KEY, CREDENTIAL_FAULT_KEY_UNKNOWN, "kid: unknown");
    credential_mark_fault(&credential, CHECK_SIGNATURE, CREDENTIAL_FAULT_SIGNATURE, "signature: does not hold");
    assert_int_equal(credential.fault, CREDENTIAL_FAULT_KEY_UNKNOWN);
    assert_string_equal(credential.detail, "kid: unknown");
    assert_int_equal(credential.checks[CHECK_KEY], CHECK_FAILED);
    assert_int_equal(credential.checks[CHECK_SIGNATURE], CHECK_FAILED);
    assert_int_equal(credential.subject[0], 'A');
    assert_int_equal(credential.health.type, HEALTH_TEST);
}

static void test_take_name(void **state)
{
    static const char apart[] = "Vu\u0303";
    struct credential credential = {.kind = CREDENTIAL_CCCD};

    (void)state;
    assert_true(credential_take_name(&credential, (const uint8_t *)"A B", 3));
    assert_string_equal(credential.name, "A B");
    assert_int_equal(credential.warnings, 0);
    assert_true(credential_take_name(&credential, (const uint8_t *)apart, sizeof apart - 1));
    assert_string_equal(credential.name, "V\u0169");
    assert_int_equal(credential.warnings, CREDENTIAL_WARN_NAME_NOT_NFC);
    assert_false(credential_take_name(&credential, (const uint8_t *)"A\tB", 3));
    assert_false(credential_take_name(&credential, (const uint8_t *)"A\xff", 2));

    /* Too long, composed or not: nothing of it stays, and nothing of what was there before. */
    uint8_t wide[3 * CREDENTIAL_NAME_BYTES];
    memset(wide, 'N', sizeof wide);
    memcpy(wide, "\u0110", 2);
    for (size_t length = CREDENTIAL_NAME_BYTES - 1; length < sizeof wide; length++) {
        bool fits = credential_take_name(&credential, wide, length);
        assert_int_equal(fits, length < CREDENTIAL_NAME_BYTES);
        if (!fits)
            assert_true(bytes_are_zero(credential.name, sizeof credential.name));
    }
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
        cmocka_unit_test(test_result_is_whole), cmocka_unit_test(test_names), cmocka_unit_test(test_names_are_fixed),
        cmocka_unit_test(test_refusal_wipes), cmocka_unit_test(test_mark_keeps_the_first_fault),
        cmocka_unit_test(test_take_name), cmocka_unit_test(test_utf8_every_point),
        cmocka_unit_test(test_utf8_every_pair), cmocka_unit_test(test_utf8_plain),
    };
    return cmocka_run_group_tests_name("credential", tests, NULL, NULL);
}
