/* A request as qrgatectl makes it, held against the lane's reader: every length of payload, both ways, and what is too large. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/ctl/request.c"

static struct request usual(void)
{
    return (struct request){ .verb = "open", .transaction = "t1", .lane_path = "site/lane1", .issued_at_us = INT64_C(1790000000123456),
                             .operator_name = "Chị Hoa", .why = "x" };
}

static struct key_file key(void)
{
    struct key_file secret = { .kid = "hoa1" };
    memset(secret.key, 7, sizeof secret.key);
    return secret;
}

static void what_is_written_is_what_a_lane_reads(void **state)
{
    struct request request = usual();
    char json[1024], why[COMMAND_MESSAGE_BYTES];
    const int length = request_write(&request, json, sizeof json);
    (void)state;
    assert_string_equal(json, "{\"schema\":\"qrgate/request/1\",\"transaction\":\"t1\",\"operator\":\"Chị Hoa\",\"why\":\"x\","
                              "\"issued_at\":\"2026-09-21T14:13:20.123Z\",\"lane\":\"site/lane1\",\"verb\":\"open\"}");
    assert_int_equal(request_check(&request, NULL, json, (size_t)length, why), COMMAND_OK);
    request.why = NULL;
    const int shorter = request_write(&request, json, sizeof json);
    assert_int_equal(request_check(&request, NULL, json, (size_t)shorter, why), COMMAND_MALFORMED);
    assert_string_equal(why, "why is missing; this request needs it");
    assert_int_equal(request_write(&request, json, 64), -EMSGSIZE);
}

/* From short to long payloads the head of a byte string has three forms. */
static void every_length_is_signed_right(void **state)
{
    static uint8_t bytes[REQUEST_SIGNED_MAX_BYTES];
    const struct key_file secret = key();
    struct cose_message message;
    (void)state;
    for (size_t length = 0; length < 600; length++) {
        char json[600];
        memset(json, ' ', sizeof json);
        const int whole = request_sign(&secret, json, length, bytes, sizeof bytes);
        assert_true(whole > 0);
        assert_null(cose_read(bytes, (size_t)whole, COSE_SIGN1, &message));
        assert_int_equal(message.payload_bytes, length);
        assert_int_equal(request_sign(&secret, json, length, bytes, (size_t)whole - 1), -EMSGSIZE);
    }
}

static void a_signed_one_is_taken_and_a_changed_one_is_not(void **state)
{
    struct request request = usual();
    struct key_file secret = key();
    char json[1024], why[COMMAND_MESSAGE_BYTES];
    uint8_t bytes[2048];
    (void)state;
    request.operator_name = NULL; /* the key's */
    const int length = request_write(&request, json, sizeof json);
    const int whole = request_sign(&secret, json, (size_t)length, bytes, sizeof bytes);
    assert_int_equal(request_check(&request, &secret, bytes, (size_t)whole, why), COMMAND_OK);
    bytes[whole - 1] ^= 1;
    assert_int_equal(request_check(&request, &secret, bytes, (size_t)whole, why), COMMAND_SIGNATURE_INVALID);
    bytes[whole - 1] ^= 1;
    secret.key[0] ^= 1;
    assert_int_equal(request_check(&request, &secret, bytes, (size_t)whole, why), COMMAND_SIGNATURE_INVALID);
}

static void what_a_lane_would_not_take_is_not_sent(void **state)
{
    static char json[COMMAND_REQUEST_MAX_BYTES + 1], why_long[COMMAND_REQUEST_MAX_BYTES];
    static uint8_t bytes[REQUEST_SIGNED_MAX_BYTES];
    struct request request = usual();
    const struct key_file secret = key();
    char why[COMMAND_MESSAGE_BYTES];
    (void)state;
    memset(why_long, 'x', sizeof why_long - 1);
    request.why = why_long;
    assert_int_equal(request_write(&request, json, sizeof json), -EMSGSIZE);
    why_long[sizeof why_long - 200] = '\0'; /* fits as JSON, but not with a signature */
    const int length = request_write(&request, json, sizeof json);
    assert_true(length > 0);
    assert_int_equal(request_sign(&secret, json, (size_t)length, bytes, sizeof bytes), -EMSGSIZE);
    assert_int_equal(request_check(&request, NULL, json, (size_t)length, why), COMMAND_MALFORMED);
    request = usual();
    request.declaration = "{\"subject\":\"badge:1\"},\"verb\":\"mode\""; /* an object's text can't smuggle members in */
    const int smuggled = request_write(&request, json, sizeof json);
    assert_int_equal(request_check(&request, NULL, json, (size_t)smuggled, why), COMMAND_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_what_a_lane_reads),
        cmocka_unit_test(every_length_is_signed_right),
        cmocka_unit_test(a_signed_one_is_taken_and_a_changed_one_is_not),
        cmocka_unit_test(what_a_lane_would_not_take_is_not_sent),
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests_name("request", tests, NULL, NULL);
}
