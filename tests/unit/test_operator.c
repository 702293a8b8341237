/* The operator by an invented clock, with a journal that answers as the test says: nothing is done before its row is on disk,
 * what isn't done after that has a second row that says so, and each command has one response. passage.c and the publisher are
 * stood in for here; the lane is the real one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/journal/event.h"
#include "daemon/operator.c"

enum { ROWS_MAX = 8, DEADLINE_MS = 200 };
static const int64_t TEN_S_US = 10000000;

static struct world {
    struct settings settings;
    struct passage passage;
    struct operator operator;
    struct command waiting;
    bool has_waiting, journal_is_full, has_answer;
    struct journal_request asked; /* by the operator, the last */
    struct journal_answer answer;
    int asks, told, resends, reports, shown;
    struct event rows[ROWS_MAX]; /* beside the command's own */
    int rows_count;
    struct command_outcome outcome;
    int responses;
    int64_t now_us;
} w;

void passage_stamp(const struct passage *p, struct event *event, int64_t now_us)
{
    static int number;
    (void)p;
    event->monotonic_us = now_us;
    (void)snprintf(event->event_id, sizeof event->event_id, "%032d", ++number);
}

void passage_record(struct passage *p, const struct event *event)
{
    (void)p;
    assert_true(w.rows_count < ROWS_MAX);
    assert_true(event_valid(event)); /* else the journal would not take it */
    w.rows[w.rows_count++] = *event;
}

int passage_tell(struct passage *p, const struct lane_input *input)
{
    w.told++;
    return lane_input(&p->lane, input);
}

bool passage_ask(struct passage *p, struct journal_request *request)
{
    (void)p;
    if (w.journal_is_full)
        return false;
    w.asked = *request;
    w.asks++;
    return true;
}

const struct journal_answer *passage_command_answer(struct passage *p)
{
    const bool has_answer = w.has_answer;
    (void)p;
    w.has_answer = false;
    return has_answer ? &w.answer : NULL;
}

void passage_show_override(struct passage *p, const char *event_id)
{
    (void)p;
    assert_string_equal(event_id, w.asked.event.event_id);
    w.shown++;
}

bool publisher_command(struct publisher *publisher, struct command *ret)
{
    const bool has_waiting = w.has_waiting;
    (void)publisher;
    w.has_waiting = false;
    *ret = w.waiting;
    return has_waiting;
}

void publisher_command_done(struct publisher *publisher, const struct command_outcome *outcome)
{
    (void)publisher;
    w.outcome = *outcome;
    w.responses++;
    assert_true(outcome->seq == 0 || outcome->event_id[0] != '\0'); /* a response never has the one without the other */
}

int64_t publisher_resend(struct publisher *publisher, int64_t from_seq)
{
    (void)publisher;
    w.resends++;
    return from_seq + 9;
}

void publisher_report(struct publisher *publisher)
{
    (void)publisher;
    w.reports++;
}

static int begin_test(void **state)
{
    const struct lane_at_start at_start = {0};
    (void)state;
    memset(&w, 0, sizeof w);
    w.now_us = 1000000;
    w.settings.journal_deadline_ms = DEADLINE_MS;
    lane_defaults(&w.settings.lane_settings);
    w.settings.lane_settings.has_relay = true;
    w.passage.settings = &w.settings;
    lane_init(&w.passage.lane, &w.settings.lane_settings, &at_start, w.now_us);
    operator_init(&w.operator, &w.passage, NULL);
    return 0;
}

/* ---- what the tests do ------------------------------------------------------------------------------------------- */

static void request(enum command_verb verb)
{
    w.waiting = (struct command){.verb = verb, .transaction = "t-1", .operator_name = "anna", .why = "a reason",
                                 .mode = COMMAND_MODE_LOCK_DOWN, .from_seq = 1, .until_us = w.now_us + TEN_S_US};
    w.has_waiting = true;
    operator_advance(&w.operator, w.now_us);
}

static void answer(int error)
{
    w.answer = (struct journal_answer){.error = error, .taken = true};
    if (error == 0) {
        w.answer.event = w.asked.event;
        w.answer.event.seq = 7;
    }
    w.has_answer = true;
    operator_advance(&w.operator, w.now_us);
}

static bool anything_done(void)
{
    return w.told > 0 || w.resends > 0 || w.reports > 0 || w.shown > 0 || operator_wants_reload(&w.operator) ||
           w.passage.lane.mode != LANE_NORMAL;
}

static void each(void (*one)(enum command_verb verb))
{
    for (int verb = 0; verb < COMMAND_VERB_COUNT; verb++) {
        (void)begin_test(NULL);
        one((enum command_verb)verb);
    }
}

/* One row more, bound to the command's, that says it wasn't done. */
static void assert_not_done(enum command_verb verb, const char *event_id)
{
    assert_int_equal(w.rows_count, 1);
    const struct event *row = &w.rows[0];
    assert_string_equal(row->bound_event_id, event_id);
    assert_int_equal(row->kind, verb == COMMAND_OPEN ? EVENT_NOT_USED : EVENT_COMMAND);
    if (verb != COMMAND_OPEN) {
        assert_string_equal(row->verb, command_verb_name(verb));
        assert_string_equal(row->operator_name, "anna");
        assert_ptr_equal(strstr(row->detail, "not done: "), row->detail);
    }
}

/* ---- the tests --------------------------------------------------------------------------------------------------- */

static void row_first(enum command_verb verb)
{
    request(verb);
    assert_int_equal(w.asks, 1);
    assert_int_equal(w.asked.op, JOURNAL_COMMAND);
    assert_string_equal(w.asked.transaction, "t-1");
    assert_string_equal(w.asked.event.operator_name, "anna");
    assert_string_equal(w.asked.event.verb, command_verb_name(verb));
    assert_non_null(strstr(w.asked.event.detail, "a reason"));
    assert_true(event_valid(&w.asked.event));
    assert_false(anything_done());
    assert_int_equal(w.responses, 0);
    answer(0);
    if (verb == COMMAND_DECLARE || verb == COMMAND_REVOKE) {
        assert_int_equal(w.asks, 2);
        assert_int_equal(w.asked.op, verb == COMMAND_DECLARE ? JOURNAL_DECLARE : JOURNAL_REVOKE);
        assert_int_equal(w.responses, 0);
        answer(0);
    } else if (verb == COMMAND_RELOAD) {
        assert_true(operator_wants_reload(&w.operator));
        assert_int_equal(w.responses, 0);
        operator_reload_ended(&w.operator, w.now_us, true, "");
    } else if (verb == COMMAND_REPORT) {
        operator_advance(&w.operator, w.now_us);
    }
    assert_int_equal(w.told, verb == COMMAND_OPEN || verb == COMMAND_MODE || verb == COMMAND_IDENTIFY);
    assert_int_equal(w.resends, verb == COMMAND_RESEND);
    assert_int_equal(w.reports, verb == COMMAND_REPORT);
    assert_int_equal(w.responses, 1);
    assert_int_equal(w.outcome.error, COMMAND_OK);
    assert_int_equal(w.outcome.seq, 7);
    assert_int_equal(w.rows_count, 0);
}

static void nothing_is_done_before_its_row_is_on_disk(void **state)
{
    (void)state;
    each(row_first);
}

static void refused_by_journal(enum command_verb verb)
{
    static const struct {
        int error;
        enum command_error response;
    } cases[] = {{-EALREADY, COMMAND_REPEATED}, {-ENOSPC, COMMAND_FAILED}, {-EIO, COMMAND_FAILED}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        request(verb);
        answer(cases[i].error);
        assert_int_equal(w.responses, i + 1);
        assert_int_equal(w.outcome.error, cases[i].response);
        assert_int_equal(w.outcome.seq, 0);
    }
    w.journal_is_full = true;
    request(verb);
    assert_int_equal(w.outcome.error, COMMAND_BUSY);
    assert_false(anything_done());
    assert_int_equal(w.rows_count, 0); /* no row says that it was to be done, so none that it wasn't */
}

static void without_its_row_nothing_is_done(void **state)
{
    (void)state;
    each(refused_by_journal);
}

static void late(enum command_verb verb)
{
    request(verb);
    w.now_us += DEADLINE_MS * 1000;
    operator_advance(&w.operator, w.now_us);
    assert_int_equal(w.responses, 0); /* to the microsecond */
    w.now_us += 1;
    operator_advance(&w.operator, w.now_us);
    assert_int_equal(w.responses, 1);
    assert_int_equal(w.outcome.error, COMMAND_FAILED);
    assert_int_equal(w.rows_count, 0);
    answer(0);
    assert_false(anything_done());
    assert_int_equal(w.responses, 1);
    assert_not_done(verb, w.asked.event.event_id);
}

static void a_row_that_comes_late_does_nothing_and_another_says_so(void **state)
{
    (void)state;
    each(late);
}

static void too_old(enum command_verb verb)
{
    request(verb);
    w.settings.journal_deadline_ms = 60000;
    w.now_us += TEN_S_US + 1;
    answer(0);
    assert_false(anything_done());
    assert_int_equal(w.outcome.error, COMMAND_STALE);
    assert_int_equal(w.asks, 1);
    assert_not_done(verb, w.asked.event.event_id);
}

static void what_grew_old_at_the_journal_is_not_done_and_a_row_says_so(void **state)
{
    (void)state;
    each(too_old);
}

static void changed_meanwhile(enum command_verb verb)
{
    struct lane_input locked = {.at_us = w.now_us, .kind = LANE_IN_LOCK_DOWN};
    if (verb != COMMAND_OPEN)
        return;
    request(verb);
    assert_int_equal(lane_input(&w.passage.lane, &locked), 0);
    answer(0);
    assert_int_equal(w.outcome.error, COMMAND_REFUSED);
    assert_int_equal(w.shown, 0);
    assert_not_done(verb, w.asked.event.event_id);
}

static void a_lane_that_changed_meanwhile_refuses_and_a_row_says_so(void **state)
{
    (void)state;
    each(changed_meanwhile);
}

static void what_the_register_or_the_configuration_refuses_has_a_row_that_says_so(void **state)
{
    char event_id[JOURNAL_ID_BYTES];
    (void)state;
    request(COMMAND_DECLARE);
    memcpy(event_id, w.asked.event.event_id, sizeof event_id);
    answer(0);
    answer(-EEXIST);
    assert_int_equal(w.outcome.error, COMMAND_MALFORMED);
    assert_not_done(COMMAND_DECLARE, event_id);

    (void)begin_test(NULL);
    request(COMMAND_RELOAD);
    answer(0);
    assert_true(operator_wants_reload(&w.operator));
    assert_false(operator_wants_reload(&w.operator)); /* once */
    operator_reload_ended(&w.operator, w.now_us, false, "mqtt.port = 0");
    assert_int_equal(w.outcome.error, COMMAND_FAILED);
    assert_string_equal(w.outcome.message, "mqtt.port = 0");
    assert_not_done(COMMAND_RELOAD, w.asked.event.event_id);
}

/* The row is on disk, the response names it; what the register says later decides whether another is needed. */
static void a_register_that_is_late(void **state)
{
    static const int later[] = {0, -EIO};
    (void)state;
    for (size_t i = 0; i < sizeof later / sizeof later[0]; i++) {
        char event_id[JOURNAL_ID_BYTES];
        (void)begin_test(NULL);
        request(COMMAND_REVOKE);
        memcpy(event_id, w.asked.event.event_id, sizeof event_id);
        answer(0);
        w.now_us += DEADLINE_MS * 1000 + 1;
        operator_advance(&w.operator, w.now_us);
        assert_int_equal(w.outcome.error, COMMAND_FAILED);
        assert_int_equal(w.outcome.seq, 7);
        assert_string_equal(w.outcome.event_id, event_id);
        request(COMMAND_TIME); /* waits: one at a time */
        assert_int_equal(w.asks, 2);
        answer(later[i]);
        assert_int_equal(w.asks, 3);
        if (later[i] == 0)
            assert_int_equal(w.rows_count, 0);
        else
            assert_not_done(COMMAND_REVOKE, event_id);
    }
}

static void stop_with(int error)
{
    w.answer = (struct journal_answer){.error = error};
    if (error == 0) {
        w.answer.event = w.asked.event;
        w.answer.event.seq = 7;
    }
    w.has_answer = true;
    assert_true(operator_stop(&w.operator, w.now_us));
    assert_true(operator_stop(&w.operator, w.now_us)); /* says nothing twice */
    assert_int_equal(w.responses, 1);
}

static void stopped_while_recording(enum command_verb verb)
{
    request(verb);
    assert_false(operator_stop(&w.operator, w.now_us));
    assert_int_equal(w.responses, 0);
    stop_with(0);
    assert_false(anything_done());
    assert_int_equal(w.outcome.error, COMMAND_FAILED);
    assert_int_equal(w.outcome.seq, 7);
    assert_not_done(verb, w.asked.event.event_id);
}

static void stopped_with_a_late_row(enum command_verb verb)
{
    request(verb);
    w.now_us += DEADLINE_MS * 1000 + 1;
    operator_advance(&w.operator, w.now_us);
    assert_false(operator_stop(&w.operator, w.now_us));
    stop_with(0);
    assert_false(anything_done());
    assert_not_done(verb, w.asked.event.event_id);
}

static void stopped_without_a_row(enum command_verb verb)
{
    assert_true(operator_stop(&w.operator, w.now_us));
    request(verb);
    stop_with(-EIO);
    assert_int_equal(w.outcome.error, COMMAND_FAILED);
    assert_int_equal(w.rows_count, 0);
}

static void what_a_stop_undoes_has_a_row_that_says_so(void **state)
{
    (void)state;
    each(stopped_while_recording);
    each(stopped_with_a_late_row);
    each(stopped_without_a_row);
}

static void stopped_at_the_register(int error)
{
    char event_id[JOURNAL_ID_BYTES];
    (void)begin_test(NULL);
    request(COMMAND_DECLARE);
    memcpy(event_id, w.asked.event.event_id, sizeof event_id);
    answer(0);
    assert_false(operator_stop(&w.operator, w.now_us));
    stop_with(error);
    assert_int_equal(w.outcome.error, error == 0 ? COMMAND_OK : COMMAND_FAILED);
    if (error != 0)
        assert_not_done(COMMAND_DECLARE, event_id);
    else
        assert_int_equal(w.rows_count, 0);
}

static void stopped_after_its_row(enum command_verb verb, bool begun)
{
    (void)begin_test(NULL);
    request(verb);
    answer(0);
    if (begun)
        assert_true(operator_wants_reload(&w.operator));
    assert_true(operator_stop(&w.operator, w.now_us));
    assert_int_equal(w.responses, 1);
    assert_int_equal(w.outcome.error, COMMAND_FAILED);
    assert_not_done(verb, w.asked.event.event_id);
    operator_reload_ended(&w.operator, w.now_us, true, ""); /* too late to be anybody's */
    assert_int_equal(w.responses, 1);
    assert_false(operator_wants_reload(&w.operator));
}

static void what_a_stop_cuts_has_a_row_that_says_so(void **state)
{
    (void)state;
    stopped_at_the_register(0);
    stopped_at_the_register(-EIO);
    stopped_after_its_row(COMMAND_RELOAD, false);
    stopped_after_its_row(COMMAND_RELOAD, true);
    stopped_after_its_row(COMMAND_REPORT, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(nothing_is_done_before_its_row_is_on_disk, begin_test),
        cmocka_unit_test_setup(without_its_row_nothing_is_done, begin_test),
        cmocka_unit_test_setup(a_row_that_comes_late_does_nothing_and_another_says_so, begin_test),
        cmocka_unit_test_setup(what_grew_old_at_the_journal_is_not_done_and_a_row_says_so, begin_test),
        cmocka_unit_test_setup(a_lane_that_changed_meanwhile_refuses_and_a_row_says_so, begin_test),
        cmocka_unit_test_setup(what_the_register_or_the_configuration_refuses_has_a_row_that_says_so, begin_test),
        cmocka_unit_test_setup(a_register_that_is_late, begin_test),
        cmocka_unit_test_setup(what_a_stop_undoes_has_a_row_that_says_so, begin_test),
        cmocka_unit_test_setup(what_a_stop_cuts_has_a_row_that_says_so, begin_test),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
