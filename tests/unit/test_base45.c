/* Base45: the examples of RFC 9285, every value, every kind of broken text, every size of room. */
#include "daemon/credential/base45.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct {
    const char *bytes, *text;
} examples[] = {
    {"", ""}, {"AB", "BB8"}, {"Hello!!", "%69 VD92EX0"}, {"base-45", "UJCLQE7W581"}, {"ietf!", "QED8WEX0"},
};

static void test_examples(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof examples / sizeof examples[0]; i++) {
        size_t size = strlen(examples[i].bytes);
        uint8_t bytes[16];
        char text[32];
        assert_int_equal(base45_encode((const uint8_t *)examples[i].bytes, size, text, sizeof text),
                         (int)strlen(examples[i].text));
        assert_string_equal(text, examples[i].text);
        assert_int_equal(base45_decode(text, strlen(text), bytes, sizeof bytes), (int)size);
        assert_memory_equal(bytes, examples[i].bytes, size);
    }
}

static void test_all_pairs_and_singles(void **state)
{
    (void)state;
    for (unsigned number = 0; number <= 0xffff; number++) {
        uint8_t in[2] = {(uint8_t)(number >> 8), (uint8_t)number}, out[2];
        char text[4];
        assert_int_equal(base45_encode(in, 2, text, sizeof text), 3);
        assert_int_equal(base45_decode(text, 3, out, sizeof out), 2);
        assert_memory_equal(in, out, 2);
    }
    for (unsigned number = 0; number <= 0xff; number++) {
        uint8_t in = (uint8_t)number, out;
        char text[3];
        assert_int_equal(base45_encode(&in, 1, text, sizeof text), 2);
        assert_int_equal(base45_decode(text, 2, &out, 1), 1);
        assert_int_equal(in, out);
    }
}

static void test_overflowing_groups(void **state)
{
    uint8_t bytes[4];

    (void)state;
    assert_int_equal(base45_decode("FGW", 3, bytes, sizeof bytes), 2); /* 65535, the last */
    assert_int_equal(base45_decode("GGW", 3, bytes, sizeof bytes), -EBADMSG);
    assert_int_equal(base45_decode(":::", 3, bytes, sizeof bytes), -EBADMSG);
    assert_int_equal(base45_decode("U5", 2, bytes, sizeof bytes), 1); /* 255, the last */
    assert_int_equal(base45_decode("V5", 2, bytes, sizeof bytes), -EBADMSG);
    assert_int_equal(base45_decode("::", 2, bytes, sizeof bytes), -EBADMSG);
}

static void test_bad_lengths(void **state)
{
    uint8_t bytes[16];

    (void)state;
    assert_int_equal(base45_decode("A", 1, bytes, sizeof bytes), -EBADMSG);
    assert_int_equal(base45_decode("BB8B", 4, bytes, sizeof bytes), -EBADMSG);
    assert_int_equal(base45_decode("BB8BB8B", 7, bytes, sizeof bytes), -EBADMSG);
}

/* Each of the 256 bytes in each place: 45 are digits, all others are foreign, NUL and lower case among them. */
static void test_foreign_characters(void **state)
{
    static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";

    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        bool is_digit = byte != 0 && strchr(digits, byte) != NULL;
        for (size_t place = 0; place < 5; place++) {
            char text[5] = {'0', '0', '0', '0', '0'};
            uint8_t bytes[4];
            text[place] = (char)byte;
            int got = base45_decode(text, 5, bytes, sizeof bytes);
            if (!is_digit)
                assert_int_equal(got, -EBADMSG);
            else
                assert_true(got == 3 || ((place == 2 || place == 4) && got == -EBADMSG)); /* may overflow its group */
        }
    }
}

static void test_room(void **state)
{
    uint8_t bytes[5] = {0};
    char text[9];

    (void)state;
    assert_int_equal(base45_decode("QED8WEX0", 8, bytes, 5), 5);
    for (size_t room = 0; room < 5; room++)
        assert_int_equal(base45_decode("QED8WEX0", 8, bytes, room), -EMSGSIZE);
    assert_int_equal(base45_encode(bytes, 5, text, 9), 8);
    for (size_t room = 0; room < 9; room++)
        assert_int_equal(base45_encode(bytes, 5, text, room), -EMSGSIZE);
    assert_int_equal(base45_encode(bytes, SIZE_MAX, text, sizeof text), -EMSGSIZE);
    assert_int_equal(base45_decode("", 0, NULL, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples), cmocka_unit_test(test_all_pairs_and_singles),
        cmocka_unit_test(test_overflowing_groups), cmocka_unit_test(test_bad_lengths),
        cmocka_unit_test(test_foreign_characters), cmocka_unit_test(test_room),
    };
    return cmocka_run_group_tests_name("base45", tests, NULL, NULL);
}
