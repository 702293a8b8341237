/* Names made comparable: one name in every encoding is one name, room that runs out, all of Unicode without harm. */
#include "tests/unit/vectors.h"

#include "daemon/credential/name.h"

static void compare(const char *name, char form[CREDENTIAL_NAME_BYTES])
{
    name_compare_form(name, form, CREDENTIAL_NAME_BYTES);
}

static void assert_form(const char *name, const char *wanted)
{
    char form[CREDENTIAL_NAME_BYTES];

    compare(name, form);
    assert_string_equal(form, wanted);
}

/* Each row is one name as different keyboards and phones write it; the first one is NFC. */
static void test_encodings_are_one_name(void **state)
{
    static const struct {
        const char *compare, *written[5];
    } names[] = {
        {"NGUYEN THI BICH PHUONG",
         {"Nguy\u1ec5n Th\u1ecb B\u00edch Ph\u01b0\u1ee3ng",
          "Nguye\u0302\u0303n Thi\u0323 Bi\u0301ch Phu\u031bo\u031b\u0323ng",
          "Nguy\u00ea\u0303n Thi\u0323 B\u00edch Ph\u01b0\u01a1\u0323ng",
          "Nguy\u1ebd\u0302n Th\u1ecb B\u00edch Ph\u01b0\u1ecd\u031bng", NULL}},
        {"DOAN VAN THU",
         {"\u0110o\u00e0n V\u0103n Th\u1eed", "\u0110oa\u0300n Va\u0306n Thu\u031b\u0309",
          "\u0110oa\u0340n V\u0103n Th\u01b0\u0309", NULL}},
        {"BUI DINH TRANG", {"B\u00f9i \u0110\u00ecnh Trang", "Bu\u0300i \u0110i\u0300nh Trang", NULL}},
        {"LE O", {"L\u00ea \u1ed8", "Le\u0302 O\u0323\u0302", "Le\u0302 O\u0302\u0323", "Le\u0302 \u1ecc\u0302", NULL}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        for (size_t k = 0; names[i].written[k] != NULL; k++) {
            const char *name = names[i].written[k];
            char nfc[CREDENTIAL_NAME_BYTES];
            bool changed;
            assert_form(name, names[i].compare);
            assert_true(name_normalise((const uint8_t *)name, strlen(name), nfc, sizeof nfc, &changed));
            /* A tilde before a circumflex is another letter to Unicode, and stays one; its compare form is alike. */
            if (strstr(name, "\u1ebd\u0302") == NULL) {
                assert_string_equal(nfc, names[i].written[0]);
                assert_int_equal(changed, k > 0);
            }
            assert_form(nfc, names[i].compare);
        }
    }
}

static void test_compare(void **state)
{
    (void)state;
    assert_form("", "");
    assert_form("   ", "");
    assert_form("\u0301", "");
    assert_form(" a  b\u00a0 c ", "A B C");
    assert_form("\u00d0inh \u0111\u1ee9c \u0189", "DINH DUC D");
    assert_form("O\u2019Neil \u02bcAli", "O'NEIL 'ALI");
    assert_form("stra\u00dfe \u1e9e", "STRASSE SS");
    assert_form("\u00e6\u0153\u00f8\u0142\u00fe\u0131", "AEOEOLTHI");
    assert_form("\u01fd", "AE");
    assert_form("\ufb01", "FI");
    assert_form("\uff2c\uff45", "LE");
    assert_form("A\u200b\u00adB\ufeff", "AB");
    assert_form("\u0418\u0432\u0430\u043d", "\u0418\u0412\u0410\u041d");
    assert_form("\u738b\u5c0f\u660e", "\u738b\u5c0f\u660e");
    assert_form("a1-b2", "A1-B2");
}

/* For every room: NUL-terminated, whole characters, the beginning of what a wide room gives, no space at its end. */
static void test_compare_cut(void **state)
{
    static const char name[] = "\u0110\u1ed7 \u738b \u00c6 \u0418\u0432 \U00020000 x";
    char whole[64], cut[64];

    (void)state;
    name_compare_form(name, whole, sizeof whole);
    assert_string_equal(whole, "DO \u738b AE \u0418\u0412 \U00020000 X");
    for (size_t room = 1; room <= sizeof cut; room++) {
        memset(cut, 'q', sizeof cut);
        name_compare_form(name, cut, room);
        assert_non_null(memchr(cut, '\0', room));
        size_t length = strlen(cut);
        assert_memory_equal(cut, whole, length);
        assert_true(utf8_valid((const uint8_t *)cut, length));
        assert_true(length == 0 || cut[length - 1] != ' ');
        if (room < sizeof cut)
            assert_int_equal(cut[room], 'q');
        if (room > strlen(whole))
            assert_string_equal(cut, whole);
        else
            assert_true(length + 6 > room); /* cut late: a space and a character of four bytes at most are missing */
    }
    memset(cut, 'q', sizeof cut);
    name_compare_form(name, cut, 0);
    assert_int_equal(cut[0], 'q');
}

static void test_normalise_room(void **state)
{
    static const char apart[] = "O\u0302\u0323"; /* three bytes when composed */
    char dst[8];
    bool changed;

    (void)state;
    for (size_t room = 0; room <= sizeof dst; room++) {
        memset(dst, 'q', sizeof dst);
        bool fits = name_normalise((const uint8_t *)apart, sizeof apart - 1, dst, room, &changed);
        assert_int_equal(fits, room >= 4);
        if (fits) {
            assert_string_equal(dst, "\u1ed8");
            assert_true(changed);
        }
        if (room < sizeof dst)
            assert_int_equal(dst[room], 'q');
        assert_int_equal(name_normalise((const uint8_t *)"abc", 3, dst, room, &changed), room >= 4);
        assert_false(changed);
        assert_int_equal(name_normalise((const uint8_t *)"", 0, dst, room, &changed), room >= 1);
    }
}

/* The widest that a name's room can hold comes out of the most bytes there can be; a byte more doesn't. */
static void test_normalise_widest(void **state)
{
    static const char syllable[] = "\u1112\u1161\u11ab"; /* one syllable of Hangul in three parts, 9 bytes to 3 */
    char source[9 * 43 + 1], dst[CREDENTIAL_NAME_BYTES];
    bool changed;

    (void)state;
    for (size_t i = 0; i < 43; i++)
        memcpy(source + 9 * i, syllable, 9);
    assert_true(name_normalise((const uint8_t *)source, 9 * 42, dst, sizeof dst, &changed));
    assert_int_equal(strlen(dst), 126);
    assert_true(changed);
    assert_false(name_normalise((const uint8_t *)source, 9 * 43, dst, sizeof dst, &changed));
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

/* Every character alone: what is plain stays plain, and what was made is not changed when it is made again. */
static void test_every_point(void **state)
{
    (void)state;
    for (uint32_t point = 0; point <= 0x10ffff; point++) {
        char name[8], nfc[CREDENTIAL_NAME_BYTES], again[CREDENTIAL_NAME_BYTES], form[CREDENTIAL_NAME_BYTES];
        size_t length = put_point(point, (uint8_t *)name);
        bool changed;
        name[length] = '\0';
        if (!utf8_plain((const uint8_t *)name, length))
            continue;
        if (!name_normalise((const uint8_t *)name, length, nfc, sizeof nfc, &changed) ||
            !utf8_plain((const uint8_t *)nfc, strlen(nfc)) || changed != (strcmp(nfc, name) != 0))
            fail_msg("U+%04X normalised", point);
        if (!name_normalise((const uint8_t *)nfc, strlen(nfc), again, sizeof again, &changed) || changed ||
            strcmp(again, nfc) != 0)
            fail_msg("U+%04X normalised twice", point);
        compare(name, form);
        if (!utf8_plain((const uint8_t *)form, strlen(form)))
            fail_msg("U+%04X compared", point);
        compare(nfc, again);
        if (strcmp(again, form) != 0)
            fail_msg("U+%04X compared in NFC", point);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_encodings_are_one_name), cmocka_unit_test(test_compare),
        cmocka_unit_test(test_compare_cut), cmocka_unit_test(test_normalise_room),
        cmocka_unit_test(test_normalise_widest), cmocka_unit_test(test_every_point),
    };
    return cmocka_run_group_tests_name("name", tests, NULL, NULL);
}
