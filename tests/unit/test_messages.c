/* Topics and JSON messages: exact texts, escapes, broken UTF-8, time, that the longest row always fits, and that the schemas
 * name what the tables name. The schemas are checked against the same writer by tests/e2e/test_outbox.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <json-c/json.h>

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
    assert_string_equal(topics.text[TOPIC_RESULT], "qrgate/site_1/lane-2/result");
    assert_string_equal(topics.filter[INBOUND_DECLARATION], "qrgate/site_1/declaration");
    assert_string_equal(topics.filter[INBOUND_REVOCATION], "qrgate/site_1/revocation");
    assert_string_equal(topics.filter[INBOUND_PASSAGE], "qrgate/site_1/+/passage");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_true(topics_init(&topics, bad[i], "s", "l") < 0);
        assert_true(topics_init(&topics, "p", bad[i], "l") < 0);
        assert_true(topics_init(&topics, "p", "s", bad[i]) < 0);
    }
    assert_int_equal(topics_init(&topics, "12345678901234567890123456789012", "12345678901234567890123456789012",
                                 "12345678901234567890123456789012"), 0);
}

static void topics_are_recognised(void **state)
{
    static const char long_lane[] = "q/s/123456789012345678901234567890123/passage";
    const char *const none[] = {"",           "q/s",           "q/s/declaration/", "q/s/declarations", "q/s/passage",
                                "q/s//passage", "q/s/mine/passage", "q/s/a/b/passage", "q/t/a/passage",    "x/s/a/passage",
                                "q/s/a/passages", "q/s/a b/passage", "q/s/+/passage",  "q/s/a/result",     "q/s/a/declaration",
                                long_lane};
    struct topics topics;
    enum inbound_topic topic;
    char lane[TOPIC_LANE_BYTES];
    (void)state;
    assert_int_equal(topics_init(&topics, "q", "s", "mine"), 0);
    assert_true(topics_recognise(&topics, "q/s/declaration", 15, &topic, lane));
    assert_int_equal(topic, INBOUND_DECLARATION);
    assert_string_equal(lane, "");
    assert_true(topics_recognise(&topics, "q/s/revocation", 14, &topic, lane));
    assert_int_equal(topic, INBOUND_REVOCATION);
    assert_true(topics_recognise(&topics, "q/s/lane-2/passage", 18, &topic, lane));
    assert_int_equal(topic, INBOUND_PASSAGE);
    assert_string_equal(lane, "lane-2");
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        assert_false(topics_recognise(&topics, none[i], strlen(none[i]), &topic, lane));
    assert_false(topics_recognise(&topics, "q/s/a\0b/passage", 15, &topic, lane));
    assert_false(topics_recognise(&topics, "q/s/declaration", 14, &topic, lane)); /* not beyond its length */
}

static void passage_is_exact(void **state)
{
    char text[MESSAGE_BYTES];
    struct event event = granted();
    int length = message_event(&event, false, text, sizeof text);
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
    assert_true(message_event(&event, false, text, sizeof text) > 0);
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
        assert_true(message_event(&event, false, text, sizeof text) > 0);
        assert_int_equal(strstr(text, "\"credential\":\"cccd\"") != NULL, told[kind]);
    }
}

/* kind, sensor, person known, direction -> does the message say that presence changed? */
static void presence_changes_where_it_does(void **state)
{
    (void)state;
    for (int i = 0; i < EVENT_KIND_COUNT * 2 * 2 * DIRECTION_COUNT; i++) {
        bool sensor = i / EVENT_KIND_COUNT % 2, known = i / EVENT_KIND_COUNT / 2 % 2;
        char text[MESSAGE_BYTES] = "";
        struct event event = granted();
        event.kind = (enum event_kind)(i % EVENT_KIND_COUNT);
        event.direction = (enum direction)(i / EVENT_KIND_COUNT / 4);
        event.person[0] = known ? 'a' : '\0';
        bool passed = sensor ? event.kind == EVENT_COMPLETED : event.kind == EVENT_GRANTED || event.kind == EVENT_OVERRIDE;
        assert_true(message_event(&event, sensor, text, sizeof text) > 0);
        assert_int_equal(strstr(text, "\"changes_presence\":true") != NULL,
                         passed && known && event.direction != DIRECTION_NONE);
        assert_null(strstr(text, "\"changes_presence\":false"));
        if (message_topic(event.kind) == TOPIC_PASSAGE)
            assert_int_equal(strstr(text, "\"direction\":") != NULL, event.direction != DIRECTION_NONE);
    }
}

static void direction_and_presence_are_exact(void **state)
{
    char text[MESSAGE_BYTES];
    struct event event = granted();
    (void)state;
    event.direction = DIRECTION_OUT;
    event.scope = PRESENCE_SCOPE_SHARED;
    assert_true(message_event(&event, false, text, sizeof text) > 0);
    assert_non_null(strstr(text, "\"direction\":\"out\",\"presence\":\"shared\",\"changes_presence\":true}"));
    event.scope = PRESENCE_SCOPE_OWN;
    event.direction = DIRECTION_IN;
    assert_true(message_event(&event, true, text, sizeof text) > 0);
    assert_non_null(strstr(text, "\"direction\":\"in\",\"presence\":\"own\"}"));
    event.scope = (enum presence_scope)77;
    event.direction = (enum direction)77;
    assert_true(message_event(&event, true, text, sizeof text) > 0);
    assert_null(strstr(text, "direction"));
    assert_null(strstr(text, "presence"));
}

static void results_are_exact_and_fit(void **state)
{
    char text[MESSAGE_BYTES];
    struct message_result result = {.of = INBOUND_REVOCATION, .kind = RESULT_OLDER, .transaction = "a-1", .at_us = 1000};
    (void)state;
    assert_true(message_result(&result, text, sizeof text) > 0);
    assert_string_equal(text, "{\"schema\":\"qrgate/result/1\",\"of\":\"revocation\",\"transaction_id\":\"a-1\","
                              "\"result\":\"older\",\"at\":\"1970-01-01T00:00:00.001Z\"}");
    result = (struct message_result){.of = INBOUND_DECLARATION, .kind = RESULT_REJECTED, .why = "no \"status\""};
    assert_true(message_result(&result, text, sizeof text) > 0);
    assert_string_equal(text, "{\"schema\":\"qrgate/result/1\",\"of\":\"declaration\",\"result\":\"rejected\","
                              "\"why\":\"no \\\"status\\\"\",\"at\":\"1970-01-01T00:00:00.000Z\"}");
    memset(result.transaction, 1, sizeof result.transaction);
    memset(result.why, 1, sizeof result.why);
    result.at_us = INT64_MIN;
    assert_in_range(message_result(&result, text, sizeof text), 1500, MESSAGE_BYTES - 1);
    assert_int_equal(message_result(&result, text, 100), -90 /* EMSGSIZE */);
}

static void alarm_is_exact(void **state)
{
    char text[MESSAGE_BYTES];
    struct event event = granted();
    (void)state;
    event.kind = EVENT_ALARM_BEGIN;
    (void)snprintf(event.alarm, sizeof event.alarm, "camera_lost");
    assert_true(message_event(&event, false, text, sizeof text) > 0);
    assert_string_equal(text, "{\"schema\":\"qrgate/alarm/1\",\"event_id\":\"" ID "\",\"seq\":7,\"kind\":\"alarm_begin\","
                              "\"at\":\"2025-12-31T23:59:59.123Z\",\"monotonic_us\":42,\"clock_trusted\":true,"
                              "\"alarm\":\"camera_lost\"}");
    event.kind = EVENT_START;
    (void)snprintf(event.detail, sizeof event.detail, "qrgated 1");
    assert_true(message_event(&event, false, text, sizeof text) > 0);
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
    event.direction = DIRECTION_OUT;
    event.scope = PRESENCE_SCOPE_SHARED;
    for (int kind = 0; kind < EVENT_KIND_COUNT; kind++) {
        event.kind = (enum event_kind)kind;
        int length = message_event(&event, false, text, sizeof text);
        assert_in_range(length, 300, MESSAGE_BYTES - 1);
        for (int room = 0; room <= length; room++) {
            char small[MESSAGE_BYTES];
            memset(small, '#', sizeof small);
            assert_int_equal(message_event(&event, false, small, (size_t)room), -90 /* EMSGSIZE */);
            assert_int_equal(small[room], '#');
        }
        assert_int_equal(message_event(&event, false, text, (size_t)length + 1), length);
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
    struct mqtt_counts counts = {.unsent_rows = 3,          .broker_connects = 2,      .declarations_taken = 4,
                                 .declarations_rejected = 5, .revocations_taken = 6,    .revocations_rejected = 7,
                                 .passages_followed = 8,     .passages_rejected = 9,    .subscriptions_refused = 10,
                                 .retained_ignored = 11,     .results_dropped = 12,     .presence_shared = true};
    struct lane_info info = {.version = "0.1.0", .site = "s", .lane = "l", .libraries = {{"zbar", "0.23.92"}, {"sqlite", "3"}}};
    (void)state;
    assert_true(message_state(&lane, &counts, "0.1.0", text, sizeof text) > 0);
    assert_string_equal(text, "{\"schema\":\"qrgate/state/1\",\"version\":\"0.1.0\",\"out_of_order\":false,\"camera\":\"ok\","
                              "\"camera_detail\":\"USB \\\"eye\\\"\",\"clock_trusted\":true,\"journal\":\"ok\","
                              "\"presence\":\"shared\",\"outbox_unsent\":3,\"broker_connects\":2,\"declarations_taken\":4,"
                              "\"declarations_rejected\":5,\"revocations_taken\":6,\"revocations_rejected\":7,"
                              "\"passages_followed\":8,\"passages_rejected\":9,\"subscriptions_refused\":10,"
                              "\"retained_ignored\":11,\"results_dropped\":12}");
    lane = (struct lane_state){.out_of_order = true};
    counts.presence_shared = false;
    assert_true(message_state(&lane, &counts, "0.1.0", text, sizeof text) > 0);
    assert_non_null(strstr(text, "\"out_of_order\":true,\"camera\":\"missing\",\"clock_trusted\":false,\"journal\":\"failing\""));
    assert_non_null(strstr(text, "\"presence\":\"own\""));
    memset(&counts, 0x80, sizeof counts); /* the longest numbers, */
    counts.presence_shared = true;
    memset(lane.camera, 1, sizeof lane.camera); /* the longest text, every byte six characters: they fit */
    assert_in_range(message_state(&lane, &counts, "0.1.0", text, sizeof text), 1300, MESSAGE_BYTES - 1);
    assert_true(message_info(&info, text, sizeof text) > 0);
    assert_string_equal(text, "{\"schema\":\"qrgate/info/1\",\"version\":\"0.1.0\",\"site\":\"s\",\"lane\":\"l\","
                              "\"libraries\":{\"zbar\":\"0.23.92\",\"sqlite\":\"3\"}}");
}

/* ---- the schemas name what the tables name, no more and no less ---- */

static const char *event_name(int i)
{
    return event_kind_name((enum event_kind)i);
}
static const char *reason_of(int i)
{
    return reason_name((enum reason)i);
}
static const char *status_of(int i)
{
    return declaration_status_name((enum declaration_status)i);
}
static const char *credential_of(int i)
{
    return credential_kind_name((enum credential_kind)i);
}
static const char *direction_of(int i)
{
    return direction_name((enum direction)i);
}
static const char *scope_of(int i)
{
    return presence_scope_name((enum presence_scope)i);
}
static const char *result_of(int i)
{
    return result_kind_name((enum result_kind)i);
}
static const char *inbound_of(int i)
{
    return inbound_topic_name((enum inbound_topic)i);
}

static void enum_names_table(const char *file, const char *property, const char *(*name)(int), int from, int to)
{
    struct json_object *root = json_object_from_file(file), *at = root, *list;
    assert_non_null(root); /* run from the repository's root */
    assert_true(json_object_object_get_ex(at, "properties", &at));
    assert_true(json_object_object_get_ex(at, property, &at));
    assert_true(json_object_object_get_ex(at, "enum", &list));
    assert_int_equal(json_object_array_length(list), to - from);
    for (int i = from; i < to; i++)
        assert_string_equal(json_object_get_string(json_object_array_get_idx(list, (size_t)(i - from))), name(i));
    assert_int_equal(json_object_put(root), 1);
}

static void schemas_name_what_the_tables_name(void **state)
{
    static const char passage[] = "config/schemas/passage.json", alarm[] = "config/schemas/alarm.json",
                      lane[] = "config/schemas/state.json", result[] = "config/schemas/result.json";
    (void)state;
    enum_names_table(passage, "kind", event_name, 0, EVENT_ALARM_BEGIN);
    enum_names_table(alarm, "kind", event_name, EVENT_ALARM_BEGIN, EVENT_KIND_COUNT);
    enum_names_table(passage, "reason", reason_of, 0, REASON_COUNT);
    enum_names_table(passage, "status", status_of, 0, STATUS_COUNT);
    enum_names_table(passage, "credential", credential_of, 0, CREDENTIAL_KIND_COUNT);
    enum_names_table(passage, "direction", direction_of, DIRECTION_NONE + 1, DIRECTION_COUNT);
    enum_names_table(passage, "presence", scope_of, PRESENCE_SCOPE_NONE + 1, PRESENCE_SCOPE_COUNT);
    enum_names_table(lane, "presence", scope_of, PRESENCE_SCOPE_NONE + 1, PRESENCE_SCOPE_COUNT);
    enum_names_table(result, "result", result_of, 0, RESULT_KIND_COUNT);
    enum_names_table(result, "of", inbound_of, 0, INBOUND_PASSAGE);
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
        cmocka_unit_test(topics_are_built_and_guarded), cmocka_unit_test(topics_are_recognised),
        cmocka_unit_test(passage_is_exact), cmocka_unit_test(presence_changes_where_it_does),
        cmocka_unit_test(direction_and_presence_are_exact), cmocka_unit_test(results_are_exact_and_fit),
        cmocka_unit_test(schemas_name_what_the_tables_name),
        cmocka_unit_test(credential_is_told_where_one_was_shown), cmocka_unit_test(alarm_is_exact),
        cmocka_unit_test(every_kind_has_one_topic), cmocka_unit_test(the_longest_row_fits_and_less_room_is_an_error),
        cmocka_unit_test(texts_are_escaped_and_always_utf8), cmocka_unit_test(objects_nest), cmocka_unit_test(time_is_rfc3339),
        cmocka_unit_test(state_and_info), cmocka_unit_test(waits_double_spread_and_stay_in_bounds),
    };
    return cmocka_run_group_tests(messages, NULL, NULL);
}
