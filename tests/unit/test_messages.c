/* Topics and JSON messages: exact texts, escapes, broken UTF-8, time, that the longest row always fits; and the muster list's way
 * out. What is written is held against the catalogue by test_catalogue.c, the schemas against real messages by
 * tests/e2e/test_catalogue.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/lane/lane.h"
#include "daemon/mqtt/command.h"
#include "daemon/mqtt/backoff.h"
#include "daemon/mqtt/catalogue.h"
#include "daemon/mqtt/json_write.h"
#include "daemon/mqtt/messages.h"
#include "daemon/mqtt/muster.h"

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
    assert_string_equal(topics.text[TOPIC_MUSTER], "qrgate/site_1/lane-2/muster");
    assert_string_equal(topics.text[TOPIC_HEALTH], "qrgate/site_1/lane-2/health");
    assert_string_equal(topics.text[TOPIC_DISCOVERY], "homeassistant/device/qrgate_site_1/lane-2/config");
    assert_string_equal(topics.filter[INBOUND_HOME_ASSISTANT], "homeassistant/status");
    assert_string_equal(topics.filter[INBOUND_DECLARATION], "qrgate/site_1/declaration");
    assert_string_equal(topics.filter[INBOUND_REVOCATION], "qrgate/site_1/revocation");
    assert_string_equal(topics.filter[INBOUND_PASSAGE], "qrgate/site_1/+/passage");
    assert_string_equal(topics.filter[INBOUND_REQUEST], "qrgate/site_1/lane-2/request/+");
    for (int verb = 0; verb <= COMMAND_VERB_COUNT; verb++) { /* the last: unknown */
        char expected[TOPIC_BYTES];
        (void)snprintf(expected, sizeof expected, "qrgate/site_1/lane-2/response/%s", command_verb_name((enum command_verb)verb));
        assert_string_equal(topics.text[TOPIC_RESPONSE + verb], expected);
    }
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
    assert_true(topics_recognise(&topics, "q/s/mine/request/open", 21, &topic, lane));
    assert_int_equal(topic, INBOUND_REQUEST);
    assert_string_equal(lane, "open");
    static const char *const verbless[] = {"q/s/mine/request/", "q/s/mine/request/a b", "q/s/mine/request/+",
                                           "q/s/mine/request/123456789012345678901234567890123"};
    for (size_t i = 0; i < sizeof verbless / sizeof verbless[0]; i++) {
        assert_true(topics_recognise(&topics, verbless[i], strlen(verbless[i]), &topic, lane));
        assert_int_equal(topic, INBOUND_REQUEST);
        assert_string_equal(lane, "");
    }
    assert_true(topics_recognise(&topics, "q/s/mine/request/o\0n", 20, &topic, lane));
    assert_string_equal(lane, "");
    assert_false(topics_recognise(&topics, "q/s/lane-2/request/open", 23, &topic, lane)); /* another's */
    assert_false(topics_recognise(&topics, "q/s/mine/request", 16, &topic, lane));
    assert_true(topics_recognise(&topics, "homeassistant/status", 20, &topic, lane));
    assert_int_equal(topic, INBOUND_HOME_ASSISTANT);
    assert_false(topics_recognise(&topics, "homeassistant/status/x", 22, &topic, lane));
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
    int length = message_event(&event, false, false, text, sizeof text);
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
    assert_true(message_event(&event, false, false, text, sizeof text) > 0);
    assert_string_equal(text, "{\"schema\":\"qrgate/passage/1\",\"event_id\":\"" ID "\",\"seq\":7,\"kind\":\"granted\","
                              "\"at\":\"2025-12-31T23:59:59.123Z\",\"monotonic_us\":42,\"clock_trusted\":false,"
                              "\"bound_event_id\":\"" ID "\"}");
}

static void only_history_is_marked_as_such(void **state)
{
    char live[MESSAGE_BYTES], historical[MESSAGE_BYTES], expected[MESSAGE_BYTES];
    (void)state;
    for (int kind = 0; kind < EVENT_KIND_COUNT; kind++) {
        static const char flag[] = ",\"historical\":true";
        struct event event = granted();
        event.kind = (enum event_kind)kind;
        assert_true(message_event(&event, false, false, live, sizeof live) > 0);
        assert_true(message_event(&event, false, true, historical, sizeof historical) > 0);
        assert_null(strstr(live, "historical"));
        const char *at = strstr(historical, flag);
        assert_non_null(at);
        (void)snprintf(expected, sizeof expected, "%.*s%s", (int)(at - historical), historical, at + sizeof flag - 1);
        assert_string_equal(live, expected); /* and nothing else differs */
    }
}

static void operators_are_named(void **state)
{
    char text[MESSAGE_BYTES];
    struct event event = granted();
    (void)state;
    event.kind = EVENT_COMMAND;
    (void)snprintf(event.verb, sizeof event.verb, "mode");
    (void)snprintf(event.operator_name, sizeof event.operator_name, "control-room");
    (void)snprintf(event.detail, sizeof event.detail, "shift change");
    assert_true(message_event(&event, false, false, text, sizeof text) > 0);
    assert_non_null(strstr(text, "\"clock_trusted\":true,\"verb\":\"mode\",\"operator\":\"control-room\","
                                 "\"detail\":\"shift change\"}"));
    event.kind = EVENT_OVERRIDE;
    (void)snprintf(event.verb, sizeof event.verb, "open");
    assert_true(message_event(&event, false, false, text, sizeof text) > 0);
    assert_non_null(strstr(text, "\"verb\":\"open\",\"operator\":\"control-room\""));
}

static void credential_is_told_where_one_was_shown(void **state)
{
    static const bool told[] = {[EVENT_GRANTED] = true,    [EVENT_HELD] = true,       [EVENT_DENIED] = true,
                                [EVENT_OVERRIDE] = false, [EVENT_COMPLETED] = false, [EVENT_NOT_USED] = false,
                                [EVENT_INTERRUPTED] = false};
    (void)state;
    for (size_t kind = 0; kind < sizeof told / sizeof told[0]; kind++) {
        char text[MESSAGE_BYTES] = "";
        struct event event = granted();
        event.kind = (enum event_kind)kind;
        assert_true(message_event(&event, false, false, text, sizeof text) > 0);
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
        assert_true(message_event(&event, sensor, false, text, sizeof text) > 0);
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
    assert_true(message_event(&event, false, false, text, sizeof text) > 0);
    assert_non_null(strstr(text, "\"direction\":\"out\",\"presence\":\"shared\",\"changes_presence\":true}"));
    event.scope = PRESENCE_SCOPE_OWN;
    event.direction = DIRECTION_IN;
    assert_true(message_event(&event, true, false, text, sizeof text) > 0);
    assert_non_null(strstr(text, "\"direction\":\"in\",\"presence\":\"own\"}"));
    event.scope = (enum presence_scope)77;
    event.direction = (enum direction)77;
    assert_true(message_event(&event, true, false, text, sizeof text) > 0);
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
    assert_true(message_event(&event, false, false, text, sizeof text) > 0);
    assert_string_equal(text, "{\"schema\":\"qrgate/alarm/1\",\"event_id\":\"" ID "\",\"seq\":7,\"kind\":\"alarm_begin\","
                              "\"at\":\"2025-12-31T23:59:59.123Z\",\"monotonic_us\":42,\"clock_trusted\":true,"
                              "\"alarm\":\"camera_lost\"}");
    event.kind = EVENT_START;
    (void)snprintf(event.detail, sizeof event.detail, "qrgated 1");
    assert_true(message_event(&event, false, false, text, sizeof text) > 0);
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
        int length = message_event(&event, false, false, text, sizeof text);
        assert_in_range(length, 300, MESSAGE_BYTES - 1);
        for (int room = 0; room <= length; room++) {
            char small[MESSAGE_BYTES];
            memset(small, '#', sizeof small);
            assert_int_equal(message_event(&event, false, false, small, (size_t)room), -90 /* EMSGSIZE */);
            assert_int_equal(small[room], '#');
        }
        assert_int_equal(message_event(&event, false, false, text, (size_t)length + 1), length);
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
    struct lane_state lane = {.camera_open = true, .clock_trusted = true, .journal_ok = true, .camera = "USB \"eye\"",
                              .mode = "hold_open", .alarms = 1u << LANE_ALARM_TAMPER | 1u << LANE_ALARM_HOLD_OPEN |
                              1u << (ALARM_FIRST_OF_PASSAGE + 2)};
    struct mqtt_counts counts = {.unsent_rows = 3,          .broker_connects = 2,      .declarations_taken = 4,
                                 .declarations_rejected = 5, .revocations_taken = 6,    .revocations_rejected = 7,
                                 .passages_followed = 8,     .passages_rejected = 9,    .subscriptions_refused = 10,
                                 .retained_ignored = 11,     .results_dropped = 12,     .presence_shared = true};
    struct lane_info info = {.version = "0.1.0", .site = "s", .lane = "l", .libraries = {{"zbar", "0.23.92"}, {"sqlite", "3"}}};
    (void)state;
    assert_true(message_state(&lane, &counts, "0.1.0", text, sizeof text) > 0);
    assert_string_equal(text, "{\"schema\":\"qrgate/state/1\",\"version\":\"0.1.0\",\"mode\":\"hold_open\","
                              "\"alarms\":[\"tamper\",\"hold_open\",\"journal_full\"],\"out_of_order\":false,\"camera\":\"ok\","
                              "\"camera_detail\":\"USB \\\"eye\\\"\",\"clock_trusted\":true,\"journal\":\"ok\","
                              "\"presence\":\"shared\",\"outbox_unsent\":3,\"broker_connects\":2,\"declarations_taken\":4,"
                              "\"declarations_rejected\":5,\"revocations_taken\":6,\"revocations_rejected\":7,"
                              "\"passages_followed\":8,\"passages_rejected\":9,\"subscriptions_refused\":10,"
                              "\"retained_ignored\":11,\"results_dropped\":12}");
    lane = (struct lane_state){.out_of_order = true, .mode = "out_of_order"};
    counts.presence_shared = false;
    assert_true(message_state(&lane, &counts, "0.1.0", text, sizeof text) > 0);
    assert_non_null(strstr(text, "\"mode\":\"out_of_order\",\"alarms\":[],\"out_of_order\":true,\"camera\":\"missing\",\"clock_trusted\":false,\"journal\":\"failing\""));
    assert_non_null(strstr(text, "\"presence\":\"own\""));
    memset(&counts, 0x80, sizeof counts); /* the longest numbers, */
    counts.presence_shared = true;
    memset(lane.mode, 1, sizeof lane.mode);
    lane.alarms = UINT32_MAX;
    memset(lane.camera, 1, sizeof lane.camera); /* the longest text, every byte six characters: they fit */
    assert_in_range(message_state(&lane, &counts, "0.1.0", text, sizeof text), 1300, MESSAGE_BYTES - 1);
    assert_true(message_info(&info, text, sizeof text) > 0);
    assert_string_equal(text, "{\"schema\":\"qrgate/info/1\",\"version\":\"0.1.0\",\"site\":\"s\",\"lane\":\"l\","
                              "\"libraries\":{\"zbar\":\"0.23.92\",\"sqlite\":\"3\"}}");
}

/* ---- the muster list ---- */

enum { MS = 1000, ACK_US = 20000 * MS };

static struct muster_row inside(int number, const char *lane)
{
    struct muster_row row = {.since_us = INT64_C(1767225599123999)};
    (void)snprintf(row.person, sizeof row.person, "%032d", number);
    (void)snprintf(row.lane, sizeof row.lane, "%s", lane);
    return row;
}

static void muster_is_exact(void **state)
{
    char text[MESSAGE_BYTES];
    const struct muster_row rows[2] = {inside(1, "gate-1"), inside(2, "")};
    struct message_muster page = {.at_us = 1000, .clock_trusted = true, .presence_shared = true, .page = 2, .last = true,
                                  .inside = 18, .rows = rows, .count = 2};
    (void)state;
    assert_true(message_muster(&page, text, sizeof text) > 0);
    assert_string_equal(text, "{\"schema\":\"qrgate/muster/1\",\"at\":\"1970-01-01T00:00:00.001Z\",\"clock_trusted\":true,"
                              "\"presence\":\"shared\",\"page\":2,\"last\":true,\"inside\":18,\"persons\":["
                              "{\"person\":\"00000000000000000000000000000001\",\"since\":\"2025-12-31T23:59:59.123Z\","
                              "\"lane\":\"gate-1\"},"
                              "{\"person\":\"00000000000000000000000000000002\",\"since\":\"2025-12-31T23:59:59.123Z\"}]}");
    page = (struct message_muster){.page = 1, .last = true};
    assert_true(message_muster(&page, text, sizeof text) > 0);
    assert_non_null(strstr(text, "\"clock_trusted\":false,\"presence\":\"own\",\"page\":1,\"last\":true,\"inside\":0,"
                                 "\"persons\":[]}"));
}

static void a_page_of_the_muster_takes_what_fits(void **state)
{
    char text[MESSAGE_BYTES];
    struct muster_row rows[JOURNAL_MUSTER_MAX];
    struct message_muster page = {.rows = rows, .count = JOURNAL_MUSTER_MAX, .last = true, .page = INT32_MIN,
                                  .inside = INT64_MIN, .at_us = INT64_MIN};
    (void)state;
    for (int i = 0; i < JOURNAL_MUSTER_MAX; i++)
        rows[i] = inside(i, "a-lane-of-24-characters_");
    assert_true(message_muster(&page, text, sizeof text) > 0);
    assert_int_equal(page.count, JOURNAL_MUSTER_MAX); /* as a rule one message is one page of the journal's */
    assert_true(page.last);
    for (int i = 0; i < JOURNAL_MUSTER_MAX; i++)
        rows[i] = inside(i, "a-lane-of-32-characters_________");
    assert_true(message_muster(&page, text, sizeof text) > 0);
    assert_int_equal(page.count, JOURNAL_MUSTER_MAX / 2);
    assert_false(page.last);
    assert_non_null(strstr(text, "00000007")); /* its last */
    assert_null(strstr(text, "00000008"));
    memset(rows, 1, sizeof rows); /* never written by us: unterminated, every byte six characters */
    page.count = JOURNAL_MUSTER_MAX;
    assert_true(message_muster(&page, text, sizeof text) > 0);
    assert_true(page.count >= 1);
    page.count = 1;
    assert_int_equal(message_muster(&page, text, 100), -90 /* EMSGSIZE */);
}

/* A journal with `people` inside, and a broker that acknowledges what it is sent. */
struct muster_fixture {
    struct muster muster;
    int people;
    int64_t now_us, unix_us;
    char seen[600]; /* by number: how often published in this run */
    int messages, lasts;
    int64_t at_us;
};

static void muster_begins(struct muster_fixture *f, int people)
{
    const struct muster_settings settings = {.ack_timeout_us = ACK_US, .backoff_min_us = 1000 * MS, .backoff_max_us = 30000 * MS};
    *f = (struct muster_fixture){.people = people, .now_us = 5, .unix_us = INT64_C(1767225600000000)};
    muster_init(&f->muster, &settings);
}

static struct journal_answer muster_page_after(const struct muster_fixture *f, const struct journal_request *request)
{
    struct journal_answer answer = {.op = JOURNAL_MUSTER, .muster.inside_count = f->people};
    int first = 0;
    assert_int_equal(request->op, JOURNAL_MUSTER);
    if (request->after_person[0] != '\0')
        assert_int_equal(sscanf(request->after_person, "%d", &first), 1);
    for (int i = first + 1; i <= f->people && answer.muster.count < JOURNAL_MUSTER_MAX; i++)
        answer.muster.rows[answer.muster.count++] = inside(i, "gate-1");
    return answer;
}

/* One turn: a page is read, if one is wanted. */
static bool muster_reads(struct muster_fixture *f)
{
    struct journal_request request = {.after_person = "?"};
    struct journal_answer answer;
    if (!muster_wants(&f->muster, f->now_us, f->unix_us, &request))
        return false;
    answer = muster_page_after(f, &request);
    assert_true(muster_answer(&f->muster, &answer, f->now_us, 0));
    return true;
}

static bool muster_sends(struct muster_fixture *f)
{
    struct message_muster page;
    if (!muster_publish(&f->muster, f->now_us, &page))
        return false;
    assert_int_equal(page.page, ++f->messages);
    assert_int_equal(page.inside, f->people);
    if (page.page == 1)
        f->at_us = page.at_us;
    assert_int_equal(page.at_us, f->at_us);
    f->lasts += page.last;
    if (page.count == JOURNAL_MUSTER_MAX && page.page == 2)
        page.count = 5; /* as if no more had fitted */
    for (int i = 0; i < page.count; i++) {
        int number = 0;
        assert_int_equal(sscanf(page.rows[i].person, "%d", &number), 1);
        f->seen[number]++;
    }
    muster_sent(&f->muster, page.count, f->now_us);
    return true;
}

static bool muster_ack(struct muster_fixture *f, enum outbox_ack ack)
{
    return muster_acked(&f->muster, f->muster.run, ack, f->now_us, 0);
}

/* Everything goes well until there is nothing left to do; was it said to be done? */
static bool muster_goes_on(struct muster_fixture *f)
{
    bool done = false;
    for (int turns = 0; turns < 1000; turns++) {
        bool moved = muster_reads(f) || muster_sends(f);
        if (!moved && f->muster.in_flight > 0) {
            assert_false(done);
            done = muster_ack(f, OUTBOX_ACK_OK);
            moved = true;
        }
        if (!moved)
            return done;
        assert_in_range(f->muster.in_flight, 0, MUSTER_IN_FLIGHT_MAX);
    }
    fail_msg("the list has no end");
    return false;
}

static void everybody_was_named_once(const struct muster_fixture *f)
{
    for (int i = 1; i < (int)sizeof f->seen; i++)
        assert_int_equal(f->seen[i], i <= f->people ? 1 : 0);
    assert_int_equal(f->lasts, 1);
}

static void a_muster_names_everybody_and_ends(void **state)
{
    static const int crowds[] = {0, 1, 15, 16, 17, 32, 33, 500};
    (void)state;
    for (size_t i = 0; i < sizeof crowds / sizeof crowds[0]; i++) {
        struct muster_fixture f;
        muster_begins(&f, crowds[i]);
        muster_connected(&f.muster);
        assert_false(muster_goes_on(&f)); /* nobody asked */
        assert_int_equal(f.messages, 0);
        muster_ask(&f.muster);
        assert_int_equal(muster_deadline_us(&f.muster, true), 0);
        assert_true(muster_goes_on(&f));
        everybody_was_named_once(&f);
        assert_true(f.messages >= crowds[i] / JOURNAL_MUSTER_MAX + 1);
        assert_int_equal(muster_deadline_us(&f.muster, true), INT64_MAX);
        assert_false(muster_goes_on(&f));
    }
}

static void a_muster_waits_for_the_broker_and_tells_what_is_so_then(void **state)
{
    struct muster_fixture f;
    (void)state;
    muster_begins(&f, 40);
    muster_ask(&f.muster);
    assert_false(muster_reads(&f)); /* an old list would help nobody */
    assert_int_equal(muster_deadline_us(&f.muster, true), INT64_MAX);
    f.people = 50;
    muster_connected(&f.muster);
    assert_true(muster_reads(&f) && muster_sends(&f) && muster_reads(&f) && muster_sends(&f));
    muster_disconnected(&f.muster); /* two pages out, perhaps heard, perhaps not */
    assert_false(muster_ack(&f, OUTBOX_ACK_OK));
    assert_false(muster_reads(&f) || muster_sends(&f));
    const int64_t first_at_us = f.at_us;
    f = (struct muster_fixture){.muster = f.muster, .people = 30, .now_us = f.now_us, .unix_us = f.unix_us};
    muster_connected(&f.muster);
    assert_true(muster_goes_on(&f));
    everybody_was_named_once(&f);
    assert_int_not_equal(f.at_us / 1000, first_at_us / 1000); /* the clock stood still, and yet they are told apart */
}

static void a_muster_asked_for_again_begins_anew(void **state)
{
    struct muster_fixture f;
    struct journal_request request = {.op = JOURNAL_PING};
    struct journal_answer answer;
    (void)state;
    muster_begins(&f, 40);
    muster_connected(&f.muster);
    muster_ask(&f.muster);
    assert_true(muster_reads(&f) && muster_sends(&f));
    assert_true(muster_wants(&f.muster, f.now_us, f.unix_us, &request));
    answer = muster_page_after(&f, &request);
    const uint32_t old_run = f.muster.run;
    muster_ask(&f.muster);
    assert_true(muster_wants(&f.muster, f.now_us, f.unix_us, &request)); /* the same until it is answered */
    assert_true(muster_answer(&f.muster, &answer, f.now_us, 0));        /* of the list before: not taken */
    assert_false(muster_sends(&f));
    f = (struct muster_fixture){.muster = f.muster, .people = 41, .now_us = f.now_us, .unix_us = f.unix_us};
    assert_false(muster_acked(&f.muster, old_run, OUTBOX_ACK_OK, f.now_us, 0));
    assert_false(muster_acked(&f.muster, old_run, OUTBOX_ACK_REFUSED, f.now_us, 0));
    assert_true(muster_goes_on(&f));
    everybody_was_named_once(&f);
}

static void a_muster_outlives_a_failing_journal(void **state)
{
    const struct journal_answer failed = {.op = JOURNAL_MUSTER, .error = -5};
    struct journal_request request;
    struct muster_fixture f;
    (void)state;
    muster_begins(&f, 20);
    muster_connected(&f.muster);
    muster_ask(&f.muster);
    assert_true(muster_reads(&f) && muster_sends(&f)); /* the second page fails */
    for (int i = 0; i < 5; i++) {
        assert_true(muster_wants(&f.muster, f.now_us, f.unix_us, &request));
        assert_int_equal(muster_answer(&f.muster, &failed, f.now_us, UINT32_MAX), i > 0);
        assert_false(muster_wants(&f.muster, f.now_us, f.unix_us, &request));
        assert_in_range(f.muster.ask_at_us - f.now_us, 1000 * MS, 30000 * MS);
        assert_int_equal(muster_deadline_us(&f.muster, false), 5 + ACK_US); /* the page that is out */
        f.now_us = f.muster.ask_at_us;
    }
    assert_true(muster_goes_on(&f));
    everybody_was_named_once(&f);
}

static void a_refused_muster_is_sent_again_and_a_silent_broker_is_noticed(void **state)
{
    struct muster_fixture f;
    (void)state;
    muster_begins(&f, 20);
    muster_connected(&f.muster);
    muster_ask(&f.muster);
    assert_true(muster_reads(&f) && muster_sends(&f));
    assert_false(muster_ack(&f, OUTBOX_ACK_REFUSED));
    assert_false(muster_reads(&f) || muster_sends(&f));
    assert_int_equal(muster_deadline_us(&f.muster, true), f.now_us + 1000 * MS);
    f = (struct muster_fixture){.muster = f.muster, .people = 20, .now_us = f.now_us + 1000 * MS, .unix_us = f.unix_us};
    assert_true(muster_reads(&f));
    muster_put_off(&f.muster, f.now_us); /* the line is full */
    assert_false(muster_sends(&f));
    f.now_us = muster_deadline_us(&f.muster, true);
    assert_true(muster_sends(&f));
    assert_false(muster_stuck(&f.muster, f.now_us + ACK_US - 1));
    assert_true(muster_stuck(&f.muster, f.now_us + ACK_US));
    f.now_us += ACK_US / 2;
    assert_true(muster_reads(&f) && muster_sends(&f));
    assert_false(muster_ack(&f, OUTBOX_ACK_OK)); /* a sign of life */
    assert_false(muster_stuck(&f.muster, f.now_us + ACK_US - 1));
    assert_true(muster_goes_on(&f));
    everybody_was_named_once(&f);
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
        cmocka_unit_test(only_history_is_marked_as_such), cmocka_unit_test(operators_are_named),
        cmocka_unit_test(passage_is_exact), cmocka_unit_test(presence_changes_where_it_does),
        cmocka_unit_test(direction_and_presence_are_exact), cmocka_unit_test(results_are_exact_and_fit),
        cmocka_unit_test(credential_is_told_where_one_was_shown), cmocka_unit_test(alarm_is_exact),
        cmocka_unit_test(every_kind_has_one_topic), cmocka_unit_test(the_longest_row_fits_and_less_room_is_an_error),
        cmocka_unit_test(texts_are_escaped_and_always_utf8), cmocka_unit_test(objects_nest), cmocka_unit_test(time_is_rfc3339),
        cmocka_unit_test(muster_is_exact), cmocka_unit_test(a_page_of_the_muster_takes_what_fits),
        cmocka_unit_test(a_muster_names_everybody_and_ends),
        cmocka_unit_test(a_muster_waits_for_the_broker_and_tells_what_is_so_then),
        cmocka_unit_test(a_muster_asked_for_again_begins_anew), cmocka_unit_test(a_muster_outlives_a_failing_journal),
        cmocka_unit_test(a_refused_muster_is_sent_again_and_a_silent_broker_is_noticed),
        cmocka_unit_test(state_and_info), cmocka_unit_test(waits_double_spread_and_stay_in_bounds),
    };
    return cmocka_run_group_tests(messages, NULL, NULL);
}
