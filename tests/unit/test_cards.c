/* Personal codes, health-insurance cards and places' posters: the made-up vectors, one person by several cards, and
 * codes cut or bent at every byte. */
#include "tests/unit/vectors.h"

static const char citizen[] = "022199012345|100200300|Nguy\u1ec5n Th\u1ecb B\u00edch Ph\u01b0\u1ee3ng|15081999|N\u1eef|"
                              "T\u1ed5 3, Khu 2|01082022";
static const char personal[] =
    "022199012345|NGUYEN THI BICH PHUONG|1999-08-15|0|162979388586171100|<2<0123456789<0900000000<";
static const char old_personal[] = "100200300|NGUYEN THI BICH PHUONG|1999-08-15|0||";
static const char insurance[] =
    "0123456789|4e677579e1bb856e205468e1bb8b2042c3ad636820506868c6b0e1bba36e67|15/08/1999|2|-|22 - 001|01/01/2026|-|"
    "05/01/2026|22012200123456|-|4| 01/01/2027|0123456789abcdef-1202|4|5468e1bb8b2078c3a3|$";
static const char old_insurance[] = "GD4220123456789|4e677579|1999|2|-|22 \u2013 001|1/1/2015|31/12/2015|1/1/2015|$";

static struct credential read_bytes(const void *bytes, size_t length)
{
    struct credential credential;
    credential_read(bytes, length, NULL, &credential);
    assert_credential_sound(&credential);
    return credential;
}

static struct credential read_text(const char *text)
{
    return read_bytes(text, strlen(text));
}

static void test_personal_1405_vectors(void **state)
{
    (void)state;
    check_vectors("personal_1405.tsv", 105);
}

static void test_bhyt_vectors(void **state)
{
    (void)state;
    check_vectors("bhyt.tsv", 140);
}

static void test_place_vectors(void **state)
{
    (void)state;
    check_vectors("place.tsv", 40);
}

/* Is `number` the code's subject or one of its aliases? */
static bool shows(const struct credential *credential, const char *number)
{
    bool shown = strcmp(credential->subject, number) == 0;

    for (int i = 0; i < CREDENTIAL_ALIASES_MAX; i++)
        shown = shown || strcmp(credential->aliases[i], number) == 0;
    return shown;
}

/* One person by five codes: each next one shares a number with what came before. */
static void test_one_person(void **state)
{
    struct credential cccd = read_text(citizen), code = read_text(personal), old_code = read_text(old_personal);
    struct credential card = read_text(insurance), old_card = read_text(old_insurance);

    (void)state;
    assert_string_equal(cccd.subject, code.subject);
    assert_true(shows(&cccd, old_code.subject));
    assert_true(shows(&code, card.subject));
    assert_string_equal(card.subject, old_card.subject);
    assert_true(shows(&code, "qid:162979388586171100"));
    assert_string_equal(cccd.name_compare, code.name_compare);
    assert_int_equal(code.warnings, 0);
}

/* What these codes say of themselves is no declaration, and nothing about them is signed. */
static void test_nothing_is_promised(void **state)
{
    static const char *const texts[] = {citizen, personal, old_personal, insurance, old_insurance};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct credential credential = read_text(texts[i]);
        assert_int_equal(credential.fault, CREDENTIAL_OK);
        assert_false(credential.has_status);
        assert_false(credential.is_signed);
        assert_int_equal(credential.issued_at_s, 0);
        assert_int_equal(credential.expires_at_s, 0);
        for (int check = 0; check < CREDENTIAL_CHECK_COUNT; check++)
            assert_int_equal(credential.checks[check], check == CHECK_SCHEMA ? CHECK_PASSED : CHECK_NOT_REACHED);
    }
}

/* Each fourth digit, both genders, the centuries, and what masks and unknown genders leave to compare. */
static void test_personal_warnings(void **state)
{
    (void)state;
    for (int digit = 0; digit <= 9; digit++) {
        for (int gender = 0; gender <= 2; gender++) {
            for (int century = 19; century <= 23; century++) {
                char text[128];
                unsigned sex = gender > 0 && digit % 2 != gender - 1 ? CREDENTIAL_WARN_SEX_MISMATCH : 0u;
                unsigned birth = century != 19 + digit / 2 ? CREDENTIAL_WARN_BIRTH_MISMATCH : 0u;
                assert_true(snprintf(text, sizeof text, "022%d99012345|A|%02d99-05-06|0|1|<%d", digit, century,
                                     gender) > 0);
                assert_int_equal(read_text(text).warnings, sex | birth);
                assert_true(snprintf(text, sizeof text, "022%d99012345|A|%02d99-**-**|0|1|<%d", digit, century,
                                     gender) > 0);
                assert_int_equal(read_text(text).warnings, sex | birth | CREDENTIAL_WARN_MASKED);
                assert_true(snprintf(text, sizeof text, "******012345|A|%02d99-05-06|0|1|<%d", century, gender) > 0);
                assert_int_equal(read_text(text).warnings, CREDENTIAL_WARN_MASKED);
            }
        }
    }
}

/* A mask at each place of the number: in the first six it hides who it is, behind them it is an error. */
static void test_personal_masks(void **state)
{
    (void)state;
    for (size_t at = 0; at < 12; at++) {
        char text[] = "001093029317|NGUYEN VAN A|1993-01-18|0|42|";
        text[at] = '*';
        struct credential credential = read_text(text);
        assert_int_equal(credential.fault, at < 6 ? CREDENTIAL_OK : CREDENTIAL_FAULT_MALFORMED);
        assert_string_equal(credential.subject, at < 6 ? "qid:42" : "");
        assert_int_equal(credential.warnings, at < 6 ? CREDENTIAL_WARN_MASKED : 0);
    }
}

/* All days of two years in the insurance card's two ways of writing, against the calendar. */
static void test_bhyt_calendar(void **state)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    (void)state;
    for (int year = 1999; year <= 2000; year++) {
        for (int month = 0; month <= 13; month++) {
            for (int day = 0; day <= 32; day++) {
                char text[128];
                bool real = month >= 1 && month <= 12 && day >= 1 &&
                            day <= days[month - 1] + (year == 2000 && month == 2);
                enum credential_fault fault = real ? CREDENTIAL_OK : CREDENTIAL_FAULT_MALFORMED;
                assert_true(snprintf(text, sizeof text, "0123456789|41|%02d/%02d/%d|1|-|22 - 001|1/1/2026|-|1/1/2026|$",
                                     day, month, year) > 0);
                assert_int_equal(read_text(text).fault, fault);
                assert_true(snprintf(text, sizeof text, "0123456789|41|%d/%d/%d|1|-|22 - 001|1/1/2026|-|1/1/2026|$",
                                     day, month, year) > 0);
                assert_int_equal(read_text(text).fault, fault);
            }
        }
    }
}

/* In exact blocks, for the sanitizers. A sound result is all that is asked. */
static void check_cut_and_bent(const char *text, size_t cut_at_least)
{
    size_t length = strlen(text);

    for (size_t cut = 0; cut < length; cut++) {
        char *exact = malloc(cut > 0 ? cut : 1);
        assert_non_null(exact);
        memcpy(exact, text, cut);
        struct credential credential = read_bytes(exact, cut);
        free(exact);
        if (cut < cut_at_least)
            assert_int_not_equal(credential.fault, CREDENTIAL_OK);
    }
    char *bent = malloc(length);
    assert_non_null(bent);
    for (size_t at = 0; at < length; at++) {
        for (int byte = 0; byte < 256; byte++) {
            memcpy(bent, text, length);
            bent[at] = (char)byte;
            (void)read_bytes(bent, length);
        }
    }
    free(bent);
}

static void test_cut_and_bent(void **state)
{
    (void)state;
    check_cut_and_bent(personal, strlen("022199012345|NGUYEN THI BICH PHUONG|1999-08-15|0|162979388586171100|"));
    check_cut_and_bent(insurance, strlen(insurance)); /* without its end it is never whole */
    check_cut_and_bent(old_insurance, strlen(old_insurance));
    check_cut_and_bent("https://qr.tokhaiyte.vn/x", SIZE_MAX);
}

/* No part of a code may show in what is logged about it. */
static void test_detail_has_nothing_personal(void **state)
{
    static const char *const texts[] = {
        "00109302931X|TRAN VAN BA|1993-01-18|0||", "001093029317|TRAN VAN BA|1993-13-18|0|42|<1<00<0900",
        "001093029317|TRAN VAN BA|1993-01-18|0|42|<1<TRAN<0900", "0123456789|TRAN|1993|1|-|22 - 001|1993|-|1993|$",
        "https://tokhaiyte.vn/TRAN?0010", "shc:/TRAN0010",
    };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct credential credential = read_text(texts[i]);
        assert_int_not_equal(credential.fault, CREDENTIAL_OK);
        assert_null(strstr(credential.detail, "TRAN"));
        assert_null(strstr(credential.detail, "0010"));
        assert_null(strstr(credential.detail, "1993"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_personal_1405_vectors), cmocka_unit_test(test_bhyt_vectors),
        cmocka_unit_test(test_place_vectors), cmocka_unit_test(test_one_person),
        cmocka_unit_test(test_nothing_is_promised), cmocka_unit_test(test_personal_warnings),
        cmocka_unit_test(test_personal_masks), cmocka_unit_test(test_bhyt_calendar),
        cmocka_unit_test(test_cut_and_bent), cmocka_unit_test(test_detail_has_nothing_personal),
    };
    return cmocka_run_group_tests_name("cards", tests, NULL, NULL);
}
