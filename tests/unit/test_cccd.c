/* Citizen cards: the made-up vectors, every day of a leap cycle, and cards cut or bent at every byte. */
#include "tests/unit/vectors.h"

static const char card[] = "022199012345|100200300|Nguy\u1ec5n Th\u1ecb B\u00edch Ph\u01b0\u1ee3ng|15081999|"
                           "N\u1eef|T\u1ed5 3, Khu 2, Ph\u01b0\u1eddng H\u00e0 An, Qu\u1ea3ng Y\u00ean, "
                           "Qu\u1ea3ng Ninh|01082022";

static struct credential read_text(const char *text)
{
    struct credential credential;
    credential_read((const uint8_t *)text, strlen(text), NULL, &credential);
    assert_credential_sound(&credential);
    return credential;
}

static void test_vectors(void **state)
{
    (void)state;
    check_vectors("cccd.tsv", 135);
}

static void test_no_status(void **state)
{
    struct credential credential = read_text(card);

    (void)state;
    assert_int_equal(credential.fault, CREDENTIAL_OK);
    assert_false(credential.has_status);
    assert_int_equal(credential.issued_at_s, 0);
    assert_int_equal(credential.expires_at_s, 0);
}

/* Counted with the rule turned round: what strftime would never print is refused. */
static void test_calendar(void **state)
{
    static const int years[] = {1900, 1999, 2000, 2023, 2024, 2100};
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    (void)state;
    for (size_t y = 0; y < sizeof years / sizeof years[0]; y++) {
        bool leap = years[y] == 2000 || years[y] == 2024;
        for (int month = 0; month <= 13; month++) {
            for (int day = 0; day <= 32; day++) {
                char text[128];
                bool real = month >= 1 && month <= 12 && day >= 1 && day <= days[month - 1] + (leap && month == 2);
                assert_true(snprintf(text, sizeof text, "022199012345||A|%02d%02d%04d|Nam|B|01082022", day, month,
                                     years[y]) > 0);
                assert_int_equal(read_text(text).fault, real ? CREDENTIAL_OK : CREDENTIAL_FAULT_MALFORMED);
            }
        }
    }
}

/* Each fourth digit against both sexes and the year that it stands for. */
static void test_warnings(void **state)
{
    (void)state;
    for (int digit = 0; digit <= 9; digit++) {
        for (int female = 0; female <= 1; female++) {
            for (int century = 19; century <= 23; century++) {
                char text[128];
                unsigned want = (digit % 2 != female ? CREDENTIAL_WARN_SEX_MISMATCH : 0u) |
                                (century != 19 + digit / 2 ? CREDENTIAL_WARN_BIRTH_MISMATCH : 0u);
                assert_true(snprintf(text, sizeof text, "022%d99012345||A|%02d99|%s|B|01082022", digit, century,
                                     female ? "N\u1eef" : "Nam") > 0);
                struct credential credential = read_text(text);
                assert_int_equal(credential.fault, CREDENTIAL_OK);
                assert_int_equal(credential.warnings, want);
            }
        }
    }
}

static void test_cut_and_bent(void **state)
{
    uint8_t bytes[sizeof card];
    struct credential credential;

    (void)state;
    for (size_t length = 0; length < sizeof card - 1; length++) {
        credential_read((const uint8_t *)card, length, NULL, &credential);
        assert_credential_sound(&credential);
        assert_int_not_equal(credential.fault, CREDENTIAL_OK); /* the date of issue is never whole */
    }
    for (size_t at = 0; at < sizeof card - 1; at++) {
        for (int byte = 0; byte < 256; byte++) {
            memcpy(bytes, card, sizeof card);
            bytes[at] = (uint8_t)byte;
            credential_read(bytes, sizeof card - 1, NULL, &credential);
            assert_credential_sound(&credential);
        }
    }
}

/* No part of a card may show in what is logged about it. */
static void test_detail_has_nothing_personal(void **state)
{
    struct credential credential = read_text("02219901234X|999888777|TRAN VAN BA|15131999|Nam|Khu Bay|01082022");

    (void)state;
    assert_int_equal(credential.fault, CREDENTIAL_FAULT_MALFORMED);
    assert_null(strstr(credential.detail, "0221"));
    assert_null(strstr(credential.detail, "TRAN"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors), cmocka_unit_test(test_no_status), cmocka_unit_test(test_calendar),
        cmocka_unit_test(test_warnings), cmocka_unit_test(test_cut_and_bent),
        cmocka_unit_test(test_detail_has_nothing_personal),
    };
    return cmocka_run_group_tests_name("cccd", tests, NULL, NULL);
}
