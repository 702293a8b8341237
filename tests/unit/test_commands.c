/* The queue of requests before the operator: one at a time, none too old, none for ever; and that what was taken has its response
 * whatever a flood or a broker does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/mqtt/commands.h"
#include "daemon/mqtt/messages.h"

#define NOW_S INT64_C(1790000000)
#define S(n) ((int64_t)(n) * 1000000)

struct world {
    struct commands commands;
    struct inbox_message message;
    struct commands_now now;
    char why[COMMAND_MESSAGE_BYTES];
    struct command command;
};

static const struct command_rules acl = {.auth = COMMAND_AUTH_ACL, .verbs = (1u << COMMAND_VERB_COUNT) - 1, .lane_path = "s/l"};

static int setup(void **state)
{
    static struct world w;
    memset(&w, 0, sizeof w);
    commands_init(&w.commands, S(20), S(1));
    commands_rules(&w.commands, &acl);
    w.now = (struct commands_now){.now_us = S(1000), .unix_us = NOW_S * 1000000, .clock_trusted = true};
    *state = &w;
    return 0;
}

static void pass(struct world *w, int64_t us)
{
    w->now.now_us += us;
    w->now.unix_us += us;
}

/* `age_s`: of issued_at; negative: none, and a message expiry of 10 s. `quiet_us`: so long ago nothing waited at the broker;
 * negative: that isn't known. */
static const char *give_after(struct world *w, const char *verb, const char *transaction, int age_s, int64_t quiet_us)
{
    struct inbox_message *message = &w->message;
    char issued_at[64] = "";
    if (age_s >= 0)
        (void)snprintf(issued_at, sizeof issued_at, ",\"issued_at\":%lld", (long long)(w->now.unix_us / 1000000 - age_s));
    message->came = (struct inbox_arrival){.topic = INBOUND_REQUEST, .expiry_s = age_s < 0 ? 10 : -1,
                                           .received_at_us = w->now.now_us,
                                           .sent_after_us = quiet_us < 0 ? 0 : w->now.now_us - quiet_us};
    (void)snprintf(message->came.name, sizeof message->came.name, "%s", verb);
    int length = snprintf(message->text, sizeof message->text, "{\"transaction\":\"%s\",\"operator\":\"anna\"%s}", transaction,
                          issued_at);
    assert_true(length > 0);
    message->length_bytes = (size_t)length;
    return commands_give(&w->commands, message, &w->now, w->why);
}

static const char *give(struct world *w, const char *verb, const char *transaction, int age_s)
{
    return give_after(w, verb, transaction, age_s, 0);
}

static bool next(struct world *w)
{
    return commands_next(&w->commands, &w->now, &w->command);
}

static void done(struct world *w, enum command_error error)
{
    struct command_outcome outcome = {.error = error, .seq = 7, .event_id = "00112233445566778899aabbccddeeff"};
    commands_done(&w->commands, &w->now, &outcome);
}

/* The next response, acknowledged at once. */
static const struct response *response(struct world *w)
{
    int place = -1;
    const struct response *found = commands_publish(&w->commands, w->now.now_us, &place);
    if (found != NULL)
        commands_acked(&w->commands, place, OUTBOX_ACK_OK, w->now.now_us);
    return found;
}

static void assert_response(struct world *w, const char *transaction, enum command_error error)
{
    const struct response *found = response(w);
    assert_non_null(found);
    assert_string_equal(found->transaction, transaction);
    assert_int_equal(found->outcome.error, error);
}

static void one_at_a_time_in_their_order(void **state)
{
    struct world *w = *state;
    assert_true(commands_idle(&w->commands));
    assert_false(next(w));
    assert_null(give(w, "time", "a", 0));
    assert_null(give(w, "report", "b", 0));
    assert_false(commands_idle(&w->commands));
    assert_true(next(w));
    assert_string_equal(w->command.transaction, "a");
    assert_false(next(w)); /* a is under way */
    assert_null(response(w));
    done(w, COMMAND_OK);
    assert_response(w, "a", COMMAND_OK);
    assert_true(next(w));
    assert_int_equal(w->command.verb, COMMAND_REPORT);
    done(w, COMMAND_FAILED);
    assert_response(w, "b", COMMAND_FAILED);
    done(w, COMMAND_OK); /* nobody's */
    assert_null(response(w));
    assert_true(commands_idle(&w->commands));
    assert_int_equal(w->commands.taken, 2);
    assert_int_equal(w->commands.refused, 1);
}

static void what_is_wrong_is_answered_at_once(void **state)
{
    struct world *w = *state;
    assert_non_null(give(w, "dance", "a", 0));
    const struct response *found = response(w);
    assert_non_null(found);
    assert_int_equal(found->outcome.error, COMMAND_UNKNOWN_VERB);
    assert_int_equal(response_topic(found), TOPIC_RESPONSE + COMMAND_VERB_COUNT);
    assert_non_null(give(w, "time", "b", 11));
    found = response(w);
    assert_int_equal(found->outcome.error, COMMAND_STALE);
    assert_int_equal(response_topic(found), TOPIC_RESPONSE + COMMAND_TIME);
    w->message.came.retained = true;
    assert_non_null(commands_give(&w->commands, &w->message, &w->now, w->why));
    assert_response(w, "b", COMMAND_RETAINED);
    w->message.came.retained = false;
    w->message.length_bytes = COMMAND_REQUEST_MAX_BYTES + 1; /* cut by the inbox */
    assert_non_null(commands_give(&w->commands, &w->message, &w->now, w->why));
    assert_response(w, "", COMMAND_TOO_LARGE);
    assert_false(next(w));
}

static void too_long_in_the_queue_is_too_old(void **state)
{
    struct world *w = *state;
    assert_null(give(w, "time", "a", 4));
    assert_null(give(w, "time", "b", 4));
    assert_null(give(w, "time", "c", 0));
    assert_true(next(w));
    pass(w, S(6)); /* exactly ten seconds */
    done(w, COMMAND_OK);
    assert_response(w, "a", COMMAND_OK);
    assert_true(next(w));
    assert_string_equal(w->command.transaction, "b");
    assert_int_equal(w->command.until_us, w->now.now_us);
    done(w, COMMAND_OK);
    assert_response(w, "b", COMMAND_OK);
    pass(w, S(4) + 1);
    assert_false(next(w));
    assert_response(w, "c", COMMAND_STALE);
    /* What waited in the inbox before counts too; the clock on the wall may jump meanwhile. */
    (void)give(w, "time", "d", 0);
    assert_true(next(w));
    done(w, COMMAND_OK);
    assert_response(w, "d", COMMAND_OK);
    assert_null(give(w, "time", "e", 3));
    w->now.unix_us -= S(3600);
    w->now.now_us += S(8);
    assert_false(next(w));
    assert_response(w, "e", COMMAND_STALE);
}

static void a_flood_is_busy_and_those_taken_are_answered(void **state)
{
    struct world *w = *state;
    char name[16];
    for (int i = 0; i < COMMANDS_WAITING_MAX; i++) {
        (void)snprintf(name, sizeof name, "t%d", i);
        assert_null(give(w, "time", name, 0));
    }
    for (int i = 0; i < 1000; i++)
        assert_non_null(give(w, "time", "flood", 0));
    assert_non_null(strstr(w->why, "8 requests wait already"));
    for (int i = 0; i < 1000; i++)
        assert_non_null(give(w, "time", "bad\"", 0));
    assert_int_equal(w->commands.responses_dropped, 2000 - (COMMANDS_RESPONSES_MAX - COMMANDS_RESPONSES_KEPT));
    for (int i = 0; i < COMMANDS_WAITING_MAX; i++) {
        (void)snprintf(name, sizeof name, "t%d", i);
        assert_true(next(w));
        assert_string_equal(w->command.transaction, name);
        done(w, COMMAND_OK);
    }
    int answered = 0;
    for (const struct response *found; (found = response(w)) != NULL;)
        answered += found->outcome.error == COMMAND_OK;
    assert_int_equal(answered, COMMANDS_WAITING_MAX);
}

static void what_may_have_waited_at_the_broker_isnt_dated_by_its_expiry(void **state)
{
    struct world *w = *state;
    assert_non_null(give_after(w, "time", "a", -1, -1)); /* the connection is young */
    assert_response(w, "a", COMMAND_UNDATED);
    assert_non_null(give_after(w, "time", "b", -1, S(10) + 1)); /* others came all the time, for longer */
    assert_response(w, "b", COMMAND_UNDATED);
    assert_null(give_after(w, "time", "c", 0, -1)); /* its own date is enough */
    assert_true(next(w));
    done(w, COMMAND_OK);
    assert_response(w, "c", COMMAND_OK);
    assert_null(give_after(w, "time", "d", -1, S(7))); /* it may be 7 s old: 3 are left, whatever its expiry says */
    pass(w, S(3) + 1);
    assert_false(next(w));
    assert_response(w, "d", COMMAND_STALE);
    assert_null(give_after(w, "time", "e", -1, S(7)));
    pass(w, S(3));
    assert_true(next(w));
    assert_string_equal(w->command.transaction, "e");
}

static void other_rights_count_for_what_waits(void **state)
{
    struct world *w = *state;
    struct command_rules fewer = acl;
    fewer.auth = COMMAND_AUTH_SIGNED;
    assert_null(give(w, "time", "a", 0));
    assert_null(give(w, "time", "b", 0));
    assert_true(next(w));
    commands_rules(&w->commands, &fewer);
    done(w, COMMAND_OK);
    assert_response(w, "a", COMMAND_OK);
    assert_false(next(w));
    assert_response(w, "b", COMMAND_NO_RIGHTS);
    assert_non_null(give(w, "time", "c", 0));
    assert_response(w, "c", COMMAND_NOT_SIGNED);
    commands_rules(&w->commands, &acl);
    assert_null(give(w, "time", "d", 0));
    assert_true(next(w));
}

static void responses_outlive_a_lost_link_and_a_silent_broker(void **state)
{
    struct world *w = *state;
    int place, again;
    for (int i = 0; i < 2; i++)
        (void)give(w, "dance", i == 0 ? "a" : "b", 0);
    assert_int_equal(commands_deadline_us(&w->commands, false), INT64_MAX);
    assert_true(commands_deadline_us(&w->commands, true) <= w->now.now_us);
    assert_string_equal(commands_publish(&w->commands, w->now.now_us, &place)->transaction, "a");
    commands_disconnected(&w->commands);
    assert_string_equal(commands_publish(&w->commands, w->now.now_us, &again)->transaction, "a");
    assert_int_equal(again, place);
    commands_acked(&w->commands, place, OUTBOX_ACK_LOST, w->now.now_us);
    assert_null(commands_publish(&w->commands, w->now.now_us, &again)); /* not at once again */
    assert_int_equal(commands_deadline_us(&w->commands, true), w->now.now_us + S(1));
    pass(w, S(1));
    assert_string_equal(commands_publish(&w->commands, w->now.now_us, &place)->transaction, "a");
    assert_string_equal(commands_publish(&w->commands, w->now.now_us, &again)->transaction, "b");
    assert_int_equal(commands_deadline_us(&w->commands, true), w->now.now_us + S(20));
    assert_false(commands_stuck(&w->commands, w->now.now_us + S(20) - 1));
    assert_true(commands_stuck(&w->commands, w->now.now_us + S(20)));
    commands_acked(&w->commands, place, OUTBOX_ACK_REFUSED, w->now.now_us); /* given up */
    commands_acked(&w->commands, again, OUTBOX_ACK_OK, w->now.now_us);
    commands_acked(&w->commands, again, OUTBOX_ACK_OK, w->now.now_us); /* told twice */
    commands_acked(&w->commands, 99, OUTBOX_ACK_OK, w->now.now_us);
    commands_acked(&w->commands, -1, OUTBOX_ACK_OK, w->now.now_us);
    assert_null(commands_publish(&w->commands, w->now.now_us, &again));
    assert_int_equal(w->commands.places.free, COMMANDS_RESPONSES_MAX);
    assert_int_equal(w->commands.places.in_flight, 0);
}

/* ---- the response as JSON ---------------------------------------------------------------------------------------- */

static void a_response_says_what_its_verb_has(void **state)
{
    char text[MESSAGE_BYTES];
    struct response r = {.verb = COMMAND_MODE, .transaction = "t", .at_us = NOW_S * 1000000, .clock_trusted = true,
                         .monotonic_us = 5, .outcome = {.seq = 3, .event_id = "ab", .mode = "hold_open"}};
    (void)state;
    assert_true(response_write(&r, "{\"x\":1}", text, sizeof text) > 0);
    assert_string_equal(text, "{\"schema\":\"qrgate/response/1\",\"transaction\":\"t\",\"verb\":\"mode\",\"status\":\"ok\","
                              "\"at\":\"2026-09-21T14:13:20.000Z\",\"clock_trusted\":true,\"seq\":3,\"event_id\":\"ab\","
                              "\"mode\":\"hold_open\"}");
    r.verb = COMMAND_REPORT;
    assert_true(response_write(&r, "{\"x\":1}", text, sizeof text) > 0);
    assert_non_null(strstr(text, ",\"health\":{\"x\":1}}"));
    assert_true(response_write(&r, "{\"x\":1}", text, strlen(text)) > 0); /* no room for all: without it */
    assert_null(strstr(text, "health"));
    r = (struct response){.verb = COMMAND_VERB_COUNT, .outcome = {.error = COMMAND_UNKNOWN_VERB, .message = "no"}};
    assert_true(response_write(&r, "{\"x\":1}", text, sizeof text) > 0);
    assert_string_equal(text, "{\"schema\":\"qrgate/response/1\",\"verb\":\"unknown\",\"status\":\"refused\","
                              "\"error\":\"unknown_verb\",\"message\":\"no\",\"at\":\"1970-01-01T00:00:00.000Z\","
                              "\"clock_trusted\":false}");
    r = (struct response){.verb = COMMAND_RESEND, .transaction = "t", .outcome = {.from_seq = 2, .to_seq = 9}};
    assert_true(response_write(&r, "", text, sizeof text) > 0);
    assert_non_null(strstr(text, "\"from\":2,\"to\":9}"));
    r = (struct response){.verb = COMMAND_TIME, .transaction = "t", .monotonic_us = 5};
    assert_true(response_write(&r, "", text, sizeof text) > 0);
    assert_non_null(strstr(text, "\"clock\":{\"at\":\"1970-01-01T00:00:00.000Z\",\"trusted\":false,\"monotonic_us\":5}}"));
    r.outcome.error = COMMAND_FAILED;
    assert_true(response_write(&r, "", text, sizeof text) > 0);
    assert_non_null(strstr(text, "\"status\":\"failed\",\"error\":\"failed\""));
    assert_null(strstr(text, "clock\":"));
}

static void a_message_too_long_is_cut_and_said(void **state)
{
    char text[MESSAGE_BYTES], small[64];
    static struct response r = {.verb = COMMAND_RELOAD, .transaction = "t", .outcome = {.error = COMMAND_FAILED}};
    (void)state;
    memset(r.outcome.message, 1, sizeof r.outcome.message); /* each an escape of six bytes, and no NUL */
    int length = response_write(&r, "", text, sizeof text);
    assert_true(length > 400);
    assert_int_equal(strlen(text), length);
    assert_non_null(strstr(text, "\"transaction\":\"t\""));
    assert_true(response_write(&r, "", small, sizeof small) < 0);
}

int main(void)
{
    const struct CMUnitTest commands[] = {
        cmocka_unit_test_setup(one_at_a_time_in_their_order, setup),
        cmocka_unit_test_setup(what_is_wrong_is_answered_at_once, setup),
        cmocka_unit_test_setup(too_long_in_the_queue_is_too_old, setup),
        cmocka_unit_test_setup(a_flood_is_busy_and_those_taken_are_answered, setup),
        cmocka_unit_test_setup(what_may_have_waited_at_the_broker_isnt_dated_by_its_expiry, setup),
        cmocka_unit_test_setup(other_rights_count_for_what_waits, setup),
        cmocka_unit_test_setup(responses_outlive_a_lost_link_and_a_silent_broker, setup),
        cmocka_unit_test(a_response_says_what_its_verb_has),
        cmocka_unit_test(a_message_too_long_is_cut_and_said),
    };
    return cmocka_run_group_tests(commands, NULL, NULL);
}
