/* Topics and JSON messages: exact texts, escapes, broken UTF-8, time, and that the longest row always fits. The schemas are
 * checked against the same writer by tests/e2e/test_outbox.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/mqtt/backoff.h"
#include "daemon/mqtt/json_write.h"
#include "daemon/mqtt/messages.h"

#define ID "00112233445566778899aabbccddeeff"

static struct event granted(void)
{
    return (struct event){.seq = 7, .event_id = ID, .kind = EVENT_GRANTED, .at_us = INT64_C(1767225599123999),
                          .monotonic_us = 42, .clock_trusted = true, .reason = REASON_STATUS_GREEN, .status = STATUS_GREEN,
                          .credential = CREDENTIAL_CCCD, .person = "ffeeddccbbaa99887766554433221100"};
}

static void topics_are_built_and_guarded(void **state)
{
    struct topics topics;
    const char *const bad[] = {"", "a/b", "+", "#", "a b", "\xc4\x91", "123456789012345678901234567890123"};
    (void)state;
    assert_int_equal(topics_init(&topics, "qrgate", "site_1", "lane-2"), 0);
    assert_string_equal(topics.text[TOPIC_PASSAGE], "qrgate/site_1/lane-2/passage");
    assert_string_equal(topics.text[TOPIC_ALARM], "qrgate/site_1/lane-2/alarm");
    assert_string_equal(topics.text[TOPIC_STATE], "qrgate/site_1/lane-2/state");
    assert_string_equal(topics.text[TOPIC_INFO], "qrgate/site_1/lane-2/info");
    assert_string_equal(topics.text[TOPIC_AVAILABILITY], "qrgate/site_1/lane-2/availability");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_true(topics_init(&topics, bad[i], "s", "l") < 0);
        assert_true(topics_init(&topics, "p", bad[i], "l") < 0);
        assert_true(topics_init(&topics, "p", "s", bad[i]) < 0);
    }
    assert_int_equal(topics_init(&topics, "12345678901234567890123456789012", "12345678901234567890123456789012",
                                 "12345678901234567890123456789012"), 0);
}

static void passage_is_exact(void **state)
{
    char text[MESSAGE_BYTES];
    struct event event = granted();
    int length = message_event(&event, text, sizeof text);
    (void)state;
    assert_int_equal(length, (int)strlen(text));
    assert_string_equal(text, "{\"schema\":\"qrgate/passage/1\",\"event_id\":\"" ID "\",\"seq\":7,\"kind\":\"granted\","
                              "\"at\":\"2025-12-31T23:59:59.123Z\",\"monotonic_us\":42,\"clock_trusted\":true,"
                              "\"reason\":\"status_green\",\"status\":\"green\",\"credential\":\"cccd\","
                              "\"person\":\"ffeeddccbbaa99887766554433221100\"}");
    event.person[0] = '\0';
    event.reason = (enum reason)999;
    event.status = (enum declaration_status)-1;
    event.credential = CREDENTIAL_KIND_COUNT;
    event.clock_trusted = false;
    (void)snprintf(event.bound_event_id, sizeof event.bound_event_id, ID);
    assert_true(message_event(&event, text, sizeof text) > 0);
    assert_string_equal(text, "{\"schema\":\"qrgate/passage/1\",\"event_id\":\"" ID "\",\"seq\":7,\"kind\":\"granted\","
                              "\"at\":\"2025-12-31T23:59:59.123Z\",\"monotonic_us\":42,\"clock_trusted\":false,"
                              "\"bound_event_id\":\"" ID "\"}");
}

static void credential_is_told_where_one_was_shown(void **state)
{
    static const bool told[] = {[EVENT_GRANTED] = true,    [EVENT_HELD] = true,       [EVENT_DENIED] = true,
                                [EVENT_OVERRIDE] = false, [EVENT_COMPLETED] = false, [EVENT_NOT_USED] = false};
    (void)state;
    for (size_t kind = 0; kind < sizeof told / sizeof told[0]; kind++) {
        char text[MESSAGE_BYTES] = "";
        struct event event = granted();
        event.kind = (enum event_kind)kind;
        assert_true(message_event(&event, text, sizeof text) > 0);
        assert_int_equal(strstr(text, "\"credential\":\"cccd\"") != NULL, told[kind]);
    }
}

static void alarm_is_exact(void **state)
{
    char text[MESSAGE_BYTES];
    struct event event = granted();
    (void)state;
    event.kind = EVENT_ALARM_BEGIN;
    (void)snprintf(event.alarm, sizeof event.alarm, "camera_lost");
    assert_true(message_event(&event, text, sizeof text) > 0);
    assert_string_equal(text, "{\"schema\":\"qrgate/alarm/1\",\"event_id\":\"" ID "\",\"seq\":7,\"kind\":\"alarm_begin\","
                              "\"at\":\"2025-12-31T23:59:59.123Z\",\"monotonic_us\":42,\"clock_trusted\":true,"
                              "\"alarm\":\"camera_lost\"}");
    event.kind = EVENT_START;
    (void)snprintf(event.detail, sizeof event.detail, "qrgated 1");
    assert_true(message_event(&event, text, sizeof text) > 0);
    assert_non_null(strstr(text, "\"kind\":\"start\""));
    assert_non_null(strstr(text, "\"alarm\":\"lane\",\"detail\":\"qrgated 1\"}"));
}

static void every_kind_has_one_topic(void **state)
{
    (void)state;
    for (int kind = 0; kind < EVENT_KIND_COUNT; kind++)
        assert_int_equal(message_topic((enum event_kind)kind), kind >= EVENT_ALARM_BEGIN ? TOPIC_ALARM : TOPIC_PASSAGE);
}

static void the_longest_row_fits_and_less_room_is_an_error(void **state)
{
    char text[MESSAGE_BYTES];
    struct event event = granted();
    (void)state;
    event.seq = event.at_us = event.monotonic_us = INT64_MIN;
    memset(event.event_id, 1, sizeof event.event_id); /* unterminated, every byte six characters */
    memset(event.person, 1, sizeof event.person);
    memset(event.bound_event_id, 0xff, sizeof event.bound_event_id);
    memset(event.alarm, 1, sizeof event.alarm);
    memset(event.detail, 0xc0, sizeof event.detail);
    for (int kind = 0; kind < EVENT_KIND_COUNT; kind++) {
        event.kind = (enum event_kind)kind;
        int length = message_event(&event, text, sizeof text);
        assert_in_range(length, 300, MESSAGE_BYTES - 1);
        for (int room = 0; room <= length; room++) {
            char small[MESSAGE_BYTES];
            memset(small, '#', sizeof small);
            assert_int_equal(message_event(&event, small, (size_t)room), -90 /* EMSGSIZE */);
            assert_int_equal(small[room], '#');
        }
        assert_int_equal(message_event(&event, text, (size_t)length + 1), length);
    }
}

static const char *one_text(char *buffer, size_t bytes, const char *value, size_t value_bytes)
{
    struct json json;
    json_begin(&json, buffer, bytes);
    json_text(&json, "k", value, value_bytes);
    assert_true(json_end(&json) > 0);
    return buffer;
}

static void texts_are_escaped_and_always_utf8(void **state)
{
    char b[256];
    (void)state;
    assert_string_equal(one_text(b, sizeof b, "a\"b\\c/d\n\t\x01\x7f", 99), "{\"k\":\"a\\\"b\\\\c/d\\u000a\\u0009\\u0001\\u007f\"}");
    assert_string_equal(one_text(b, sizeof b, "\xc4\x90o\xc3\xa0n \xf0\x9f\x9a\xaa", 99), "{\"k\":\"\xc4\x90o\xc3\xa0n \xf0\x9f\x9a\xaa\"}");
    assert_string_equal(one_text(b, sizeof b, "a\xff" "b", 99), "{\"k\":\"a\\ufffdb\"}");
    assert_string_equal(one_text(b, sizeof b, "\xed\xa0\x80", 99), "{\"k\":\"\\ufffd\\ufffd\\ufffd\"}"); /* a surrogate */
    assert_string_equal(one_text(b, sizeof b, "\xc0\xaf", 99), "{\"k\":\"\\ufffd\\ufffd\"}");           /* overlong */
    assert_string_equal(one_text(b, sizeof b, "abcdef", 3), "{\"k\":\"abc\"}");                          /* no NUL in reach */
    assert_string_equal(one_text(b, sizeof b, "\xc4\x90", 1), "{\"k\":\"\\ufffd\"}");                    /* cut in two */
}

static void objects_nest(void **state)
{
    char b[128];
    struct json json;
    int length;
    (void)state;
    json_begin(&json, b, sizeof b);
    json_integer(&json, "a", INT64_MIN);
    json_open(&json, "o");
    json_close(&json);
    json_open(&json, "p");
    json_flag(&json, "x", true);
    json_flag(&json, "y", false);
    json_close(&json);
    json_integer(&json, "z", 0);
    length = json_end(&json);
    assert_int_equal(length, (int)strlen(b));
    assert_string_equal(b, "{\"a\":-9223372036854775808,\"o\":{},\"p\":{\"x\":true,\"y\":false},\"z\":0}");
}

static void time_is_rfc3339(void **state)
{
    static const struct {
        int64_t us;
        const char *text;
    } cases[] = {{0, "1970-01-01T00:00:00.000Z"},
                 {-1, "1969-12-31T23:59:59.999Z"},
                 {-1000000, "1969-12-31T23:59:59.000Z"},
                 {INT64_C(951782400000000), "2000-02-29T00:00:00.000Z"},
                 {INT64_C(4107542399999999), "2100-02-28T23:59:59.999Z"},
                 {INT64_MAX, "9999-12-31T23:59:59.999Z"},
                 {INT64_MIN, "0001-01-01T00:00:00.000Z"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[MESSAGE_TIME_BYTES];
        message_time(cases[i].us, text);
        assert_string_equal(text, cases[i].text);
    }
}

static void state_and_info(void **state)
{
    char text[MESSAGE_BYTES];
    struct lane_state lane = {.camera_open = true, .clock_trusted = true, .journal_ok = true, .camera = "USB \"eye\""};
    const struct outbox_state outbox = {.unsent_rows = 3, .broker_connects = 2};
    struct lane_info info = {.version = "0.1.0", .site = "s", .lane = "l", .libraries = {{"zbar", "0.23.92"}, {"sqlite", "3"}}};
    (void)state;
    assert_true(message_state(&lane, &outbox, "0.1.0", text, sizeof text) > 0);
    assert_string_equal(text, "{\"schema\":\"qrgate/state/1\",\"version\":\"0.1.0\",\"out_of_order\":false,\"camera\":\"ok\","
                              "\"camera_detail\":\"USB \\\"eye\\\"\",\"clock_trusted\":true,\"journal\":\"ok\","
                              "\"outbox_unsent\":3,\"broker_connects\":2}");
    lane = (struct lane_state){.out_of_order = true};
    assert_true(message_state(&lane, &outbox, "0.1.0", text, sizeof text) > 0);
    assert_non_null(strstr(text, "\"out_of_order\":true,\"camera\":\"missing\",\"clock_trusted\":false,\"journal\":\"failing\""));
    assert_true(message_info(&info, text, sizeof text) > 0);
    assert_string_equal(text, "{\"schema\":\"qrgate/info/1\",\"version\":\"0.1.0\",\"site\":\"s\",\"lane\":\"l\","
                              "\"libraries\":{\"zbar\":\"0.23.92\",\"sqlite\":\"3\"}}");
}

static void waits_double_spread_and_stay_in_bounds(void **state)
{
    (void)state;
    for (int failures = 0; failures < 100; failures++) {
        int64_t ceiling = failures >= 5 ? 30 : 1 << failures;
        assert_int_equal(backoff_us(failures, 1000000, 30000000, 0), 1000000);
        for (uint32_t random = 1; random < UINT32_MAX / 2; random *= 3)
            assert_in_range(backoff_us(failures, 1000000, 30000000, random), 1000000, ceiling * 1000000);
    }
    assert_int_equal(backoff_us(3, 1000, 1000, 77), 1000);
}

int main(void)
{
    const struct CMUnitTest messages[] = {
        cmocka_unit_test(topics_are_built_and_guarded), cmocka_unit_test(passage_is_exact),
        cmocka_unit_test(credential_is_told_where_one_was_shown), cmocka_unit_test(alarm_is_exact),
        cmocka_unit_test(every_kind_has_one_topic), cmocka_unit_test(the_longest_row_fits_and_less_room_is_an_error),
        cmocka_unit_test(texts_are_escaped_and_always_utf8), cmocka_unit_test(objects_nest), cmocka_unit_test(time_is_rfc3339),
        cmocka_unit_test(state_and_info), cmocka_unit_test(waits_double_spread_and_stay_in_bounds),
    };
    return cmocka_run_group_tests(messages, NULL, NULL);
}
