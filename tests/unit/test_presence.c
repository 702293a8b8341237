/* Who is inside: what passages here, at other lanes, and the guard's button make of it, and what the rules then see. */
#include "worker_fixture.h"

#include "daemon/journal/person.h"

#include <errno.h>

static void assert_inside(struct fixture *f, const char *subject, int inside, int64_t count)
{
    struct presence presence;
    presence_of(f, subject, &presence);
    assert_int_equal(presence.known, inside >= 0);
    assert_int_equal(presence.inside, inside == 1);
    assert_int_equal(presence.inside_count, count);
    assert_int_equal(number_in(f, "SELECT count(*) FROM presence WHERE inside = 1"), count);
}

static void without_a_sensor_a_grant_is_a_passage(void **state)
{
    struct fixture *f = *state;
    struct presence presence;
    declare_green(f, ANH);
    assert_inside(f, ANH, -1, 0);
    assert_int_equal(show(f, ANH_CARD), REASON_STATUS_GREEN);
    assert_int_equal(f->answer.event.direction, DIRECTION_IN);
    assert_int_equal(f->answer.event.scope, PRESENCE_SCOPE_OWN);
    assert_inside(f, ANH, 1, 1);
    presence_of(f, ANH, &presence);
    assert_int_equal(presence.changed_at_s, FIXTURE_NOW_S);
    assert_int_equal(presence.last_passage_at_s, FIXTURE_NOW_S);
    assert_int_equal(show(f, BINH_CARD), REASON_NO_DECLARATION); /* held: nobody went anywhere */
    assert_inside(f, BINH, -1, 1);
    restart(f);
    assert_inside(f, ANH, 1, 1);
}

static void with_a_sensor_only_completed_is_a_passage(void **state)
{
    struct fixture *f = *state;
    char granted[JOURNAL_ID_BYTES], person[JOURNAL_ID_BYTES];
    f->settings.has_sensor = true;
    restart(f);
    declare_green(f, ANH);
    assert_int_equal(show(f, ANH_CARD), REASON_STATUS_GREEN);
    memcpy(granted, f->answer.event.event_id, sizeof(granted));
    assert_inside(f, ANH, -1, 0);
    record(f, EVENT_COMPLETED, granted);
    person_of(f, ANH, person);
    assert_string_equal(f->answer.event.person, person);
    assert_int_equal(f->answer.event.direction, DIRECTION_IN);
    assert_inside(f, ANH, 1, 1);
}

/* Refused, and nothing of it is written. */
static void refuse_end(struct fixture *f, enum event_kind kind, const char *bound_event_id)
{
    const int64_t rows = number_in(f, "SELECT count(*) FROM event");
    struct journal_request *request = fresh(f, JOURNAL_RECORD);
    request->event.kind = kind;
    request->event.reason = REASON_NONE;
    (void)snprintf(request->event.bound_event_id, sizeof(request->event.bound_event_id), "%s", bound_event_id);
    assert_int_equal(ask(f), -EEXIST);
    assert_int_equal(number_in(f, "SELECT count(*) FROM event"), rows);
}

static void a_passage_ends_once(void **state)
{
    static const enum event_kind ends[] = { EVENT_COMPLETED, EVENT_NOT_USED, EVENT_INTERRUPTED };
    struct fixture *f = *state;
    char granted[JOURNAL_ID_BYTES];
    f->settings.has_sensor = true;
    restart(f);
    declare_green(f, ANH);
    for (int first = 0; first < 3; first++) {
        assert_int_equal(show(f, ANH_CARD), REASON_STATUS_GREEN);
        memcpy(granted, f->answer.event.event_id, sizeof(granted));
        record(f, ends[first], granted);
        const struct journal_request same = f->request;
        for (int second = 0; second < 3; second++)
            refuse_end(f, ends[second], granted);
        f->request = same; /* a retry is no second end */
        assert_int_equal(ask(f), 0);
        assert_int_equal(f->answer.event.kind, ends[first]);
        assert_inside(f, ANH, 1, 1); /* by the first one's completed */
    }
    record(f, EVENT_OVERRIDE, "");
    memcpy(granted, f->answer.event.event_id, sizeof(granted));
    restart(f); /* says interrupted */
    refuse_end(f, EVENT_COMPLETED, granted);
    record(f, EVENT_COMPLETED, ""); /* bound to nothing: nothing to end twice */
    record(f, EVENT_COMPLETED, "");
}

static void assert_interrupted(struct fixture *f, int64_t rows)
{
    struct chain_report report;
    assert_int_equal(number_in(f, "SELECT count(*) FROM event WHERE kind = 'interrupted'"), rows);
    assert_int_equal(chain_verify(f->worker.store.db, NULL, &report), 0);
    assert_int_equal(report.broken_seq, 0);
}

static void a_restart_ends_what_was_open(void **state)
{
    struct fixture *f = *state;
    char granted[JOURNAL_ID_BYTES], person[JOURNAL_ID_BYTES];
    struct event row;
    f->settings.has_sensor = true;
    restart(f);
    declare_green(f, ANH);
    person_of(f, ANH, person);
    assert_int_equal(show(f, ANH_CARD), REASON_STATUS_GREEN);
    record(f, EVENT_COMPLETED, f->answer.event.event_id);
    assert_int_equal(show(f, BINH_CARD), REASON_NO_DECLARATION); /* held: has no passage */
    assert_int_equal(show(f, ANH_CARD), REASON_STATUS_GREEN);
    memcpy(granted, f->answer.event.event_id, sizeof(granted));
    record(f, EVENT_OVERRIDE, "");
    pass_time(f, 90);
    f->settings.opened_at_us = f->at_us;
    f->settings.opened_monotonic_us = 7;
    f->settings.opened_clock_trusted = true;
    restart(f);
    assert_interrupted(f, 2);
    char id[JOURNAL_ID_BYTES];
    sqlite3_stmt *statement = NULL;
    static const char first[] = "SELECT event_id FROM event WHERE kind = 'interrupted' ORDER BY seq";
    assert_int_equal(sqlite3_prepare_v2(f->worker.store.db, first, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    (void)snprintf(id, sizeof(id), "%s", (const char *)sqlite3_column_text(statement, 0));
    (void)sqlite3_finalize(statement);
    assert_int_equal(strlen(id), 32);
    assert_int_equal(store_find(&f->worker.store, id, &row), 1);
    assert_string_equal(row.bound_event_id, granted);
    assert_string_equal(row.person, person);
    assert_int_equal(row.reason, REASON_NONE);
    assert_int_equal(row.status, STATUS_GREEN);
    assert_int_equal(row.direction, DIRECTION_IN);
    assert_int_equal(row.at_us, f->at_us);
    assert_int_equal(row.monotonic_us, 7);
    assert_true(row.clock_trusted);
    assert_inside(f, ANH, 1, 1); /* by the completed passage alone */
    restart(f);
    assert_interrupted(f, 2); /* once */
    f->settings.opened_at_us = f->at_us - 86400000000; /* yesterday: behind the journal */
    assert_int_equal(show(f, ANH_CARD), REASON_STATUS_GREEN);
    restart(f);
    assert_interrupted(f, 3);
    assert_int_equal(number_in(f, "SELECT clock_trusted FROM event ORDER BY seq DESC LIMIT 1"), 0);
}

static void without_a_sensor_a_restart_ends_nothing(void **state)
{
    struct fixture *f = *state;
    declare_green(f, ANH);
    assert_int_equal(show(f, ANH_CARD), REASON_STATUS_GREEN);
    record(f, EVENT_OVERRIDE, "");
    restart(f);
    assert_interrupted(f, 0);
    assert_inside(f, ANH, 1, 1);
    f->settings.has_sensor = true; /* built in later: says nothing of those before */
    restart(f);
    assert_interrupted(f, 0);
    assert_int_equal(show(f, ANH_CARD), REASON_STATUS_GREEN);
    f->settings.has_sensor = false; /* and taken out again */
    restart(f);
    assert_interrupted(f, 1);
    assert_inside(f, ANH, 1, 1);
}

static void an_end_that_cannot_be_written_comes_before_the_next_row(void **state)
{
    struct fixture *f = *state;
    f->settings.has_sensor = true;
    restart(f);
    declare_green(f, ANH);
    assert_int_equal(show(f, ANH_CARD), REASON_STATUS_GREEN);
    run_sql(f, "CREATE TRIGGER fault BEFORE INSERT ON event WHEN new.kind = 'interrupted' "
               "BEGIN SELECT RAISE(ABORT, 'fault'); END");
    restart(f); /* opens all the same: the button must work */
    assert_interrupted(f, 0);
    (void)fresh(f, JOURNAL_PING);
    assert_int_equal(ask(f), 0);
    struct journal_request *request = fresh(f, JOURNAL_RECORD);
    request->event.kind = EVENT_START;
    request->event.reason = REASON_NONE;
    assert_true(ask(f) < 0);
    run_sql(f, "DROP TRIGGER fault");
    assert_int_equal(ask(f), 0);
    assert_interrupted(f, 1);
    assert_int_equal(number_in(f, "SELECT count(*) FROM event WHERE kind = 'interrupted' AND seq = 2"), 1);
    assert_int_equal(number_in(f, "SELECT count(*) FROM event WHERE kind = 'start' AND seq = 3"), 1);
}

static void a_passage_takes_the_person_of_what_it_is_bound_to(void **state)
{
    struct fixture *f = *state;
    char held[JOURNAL_ID_BYTES], person[JOURNAL_ID_BYTES];
    f->settings.has_sensor = true;
    restart(f);
    person_of(f, ANH, person);
    assert_int_equal(show(f, ANH_CARD), REASON_NO_DECLARATION);
    memcpy(held, f->answer.event.event_id, sizeof(held));
    record(f, EVENT_OVERRIDE, held);
    assert_string_equal(f->answer.event.person, person);
    assert_inside(f, ANH, -1, 0);
    record(f, EVENT_COMPLETED, f->answer.event.event_id);
    assert_string_equal(f->answer.event.person, person);
    assert_inside(f, ANH, 1, 1);
    record(f, EVENT_OVERRIDE, "");                /* the button alone: nobody is known */
    assert_string_equal(f->answer.event.person, "");
    record(f, EVENT_OVERRIDE, "no such event");
    assert_string_equal(f->answer.event.person, "");
    record(f, EVENT_ALARM_BEGIN, held);           /* not a passage: stays as it was given */
    assert_string_equal(f->answer.event.person, "");
    assert_int_equal(f->answer.event.direction, DIRECTION_NONE);
    assert_inside(f, ANH, 1, 1);
}

static void links_are_followed_three_times_at_most(void **state)
{
    struct fixture *f = *state;
    char bound[JOURNAL_ID_BYTES], person[JOURNAL_ID_BYTES];
    f->settings.has_sensor = true;
    restart(f);
    person_of(f, ANH, person);
    assert_int_equal(show(f, ANH_CARD), REASON_NO_DECLARATION);
    memcpy(bound, f->answer.event.event_id, sizeof(bound));
    static const char *const chain[] = { "x1", "x2", "x3" }; /* bound one to the other, nobody's name in them */
    for (int i = 0; i < 3; i++) {
        struct journal_request *request = fresh(f, JOURNAL_RECORD);
        request->event.kind = EVENT_ALARM_BEGIN;
        request->event.reason = REASON_NONE;
        (void)strcpy(request->event.event_id, chain[i]);
        memcpy(request->event.bound_event_id, bound, sizeof(bound));
        (void)strcpy(bound, chain[i]);
        assert_int_equal(ask(f), 0);
    }
    record(f, EVENT_COMPLETED, "x2");
    assert_string_equal(f->answer.event.person, person);
    record(f, EVENT_COMPLETED, "x3");
    assert_string_equal(f->answer.event.person, "");
    struct journal_request *request = fresh(f, JOURNAL_RECORD); /* bound to itself: ends */
    request->event.kind = EVENT_COMPLETED;
    (void)strcpy(request->event.bound_event_id, request->event.event_id);
    assert_int_equal(ask(f), 0);
    assert_string_equal(f->answer.event.person, "");
}

static void a_lane_out_takes_people_off_the_count(void **state)
{
    struct fixture *f = *state;
    declare_green(f, ANH);
    declare_green(f, BINH);
    (void)show(f, ANH_CARD);
    (void)show(f, BINH_CARD);
    assert_inside(f, ANH, 1, 2);
    f->settings.policy.direction = DIRECTION_OUT;
    restart(f);
    assert_int_equal(show(f, ANH_CARD), REASON_STATUS_GREEN);
    assert_inside(f, ANH, 0, 1);
    assert_inside(f, BINH, 1, 1);
    assert_int_equal(show(f, ANH_CARD), REASON_STATUS_GREEN); /* out twice is once */
    assert_inside(f, ANH, 0, 1);
}

static void a_lane_without_direction_knows_passages_alone(void **state)
{
    struct fixture *f = *state;
    struct presence presence;
    f->settings.policy.direction = DIRECTION_NONE;
    f->settings.policy.antipassback_s = 60;
    f->settings.policy.antipassback_time = VERDICT_DENY;
    restart(f);
    declare_green(f, ANH);
    assert_int_equal(show(f, ANH_CARD), REASON_STATUS_GREEN);
    assert_int_equal(f->answer.event.scope, PRESENCE_SCOPE_NONE);
    assert_inside(f, ANH, -1, 0);
    presence_of(f, ANH, &presence);
    assert_int_equal(presence.last_passage_at_s, FIXTURE_NOW_S);
    pass_time(f, 10);
    assert_int_equal(show(f, ANH_CARD), REASON_ANTIPASSBACK_TIME);
    assert_int_equal(f->answer.event.kind, EVENT_DENIED);
    pass_time(f, 60);
    assert_int_equal(show(f, ANH_CARD), REASON_STATUS_GREEN);
}

static void last_passage_is_of_this_direction(void **state)
{
    struct fixture *f = *state;
    struct presence presence;
    declare_green(f, ANH);
    (void)show(f, ANH_CARD);
    assert_true(follow_lane(f, "f1", ANH, DIRECTION_OUT, f->at_us + 1000000));
    presence_of(f, ANH, &presence);
    assert_int_equal(presence.last_passage_at_s, FIXTURE_NOW_S); /* another lane's passage is not this lane's */
    f->settings.policy.direction = DIRECTION_OUT;
    restart(f);
    presence_of(f, ANH, &presence);
    assert_int_equal(presence.last_passage_at_s, 0);
}

static void in_twice_is_seen(void **state)
{
    struct fixture *f = *state;
    f->settings.policy.antipassback_presence = VERDICT_DENY;
    f->shared = true;
    restart(f);
    declare_green(f, ANH);
    assert_int_equal(show(f, ANH_CARD), REASON_STATUS_GREEN);
    assert_int_equal(f->answer.event.scope, PRESENCE_SCOPE_SHARED);
    pass_time(f, 100);
    assert_int_equal(show(f, ANH_CARD), REASON_ANTIPASSBACK_PRESENCE);
    assert_true(follow_lane(f, "f1", ANH, DIRECTION_OUT, f->at_us));
    pass_time(f, 100);
    assert_int_equal(show(f, ANH_CARD), REASON_STATUS_GREEN);
    assert_inside(f, ANH, 1, 1);
}

static void occupancy_counts_everybody(void **state)
{
    struct fixture *f = *state;
    f->settings.policy.occupancy_limit = 2;
    f->settings.policy.occupancy_full = VERDICT_DENY;
    restart(f);
    declare_green(f, ANH);
    declare_green(f, BINH);
    assert_true(follow_lane(f, "f1", "badge:1", DIRECTION_IN, f->at_us));
    assert_int_equal(show(f, ANH_CARD), REASON_STATUS_GREEN);
    assert_int_equal(show(f, BINH_CARD), REASON_OCCUPANCY_FULL);
    assert_true(follow_lane(f, "f2", "badge:1", DIRECTION_OUT, f->at_us + 1));
    assert_int_equal(show(f, BINH_CARD), REASON_STATUS_GREEN);
}

static void not_used_takes_a_grant_back(void **state)
{
    struct fixture *f = *state;
    struct presence presence;
    char granted[JOURNAL_ID_BYTES];
    f->settings.policy.antipassback_presence = VERDICT_DENY;
    restart(f);
    declare_green(f, ANH);
    assert_true(follow_lane(f, "f0", ANH, DIRECTION_OUT, f->at_us - 5000000));
    assert_int_equal(show(f, ANH_CARD), REASON_STATUS_GREEN);
    memcpy(granted, f->answer.event.event_id, sizeof(granted));
    assert_inside(f, ANH, 1, 1);
    record(f, EVENT_NOT_USED, granted); /* the answer came too late: the relay never moved */
    assert_inside(f, ANH, 0, 0);
    presence_of(f, ANH, &presence);
    assert_int_equal(presence.last_passage_at_s, 0);
    assert_int_equal(presence.changed_at_s, FIXTURE_NOW_S - 5);
    refuse_end(f, EVENT_NOT_USED, granted); /* once */
    assert_inside(f, ANH, 0, 0);
    pass_time(f, 1);
    assert_int_equal(show(f, ANH_CARD), REASON_STATUS_GREEN);
    assert_inside(f, ANH, 1, 1);
    refuse_end(f, EVENT_INTERRUPTED, granted); /* of the earlier grant: says nothing of this one */
    assert_inside(f, ANH, 1, 1);
    pass_time(f, 1);
    assert_true(follow_lane(f, "f1", ANH, DIRECTION_OUT, f->at_us));
    pass_time(f, 1);
    assert_int_equal(show(f, ANH_CARD), REASON_STATUS_GREEN);
    record(f, EVENT_INTERRUPTED, f->answer.event.event_id); /* a fire cut it */
    assert_inside(f, ANH, 0, 0);
}

static void a_retry_moves_nothing_again(void **state)
{
    struct fixture *f = *state;
    declare_green(f, ANH);
    (void)show(f, ANH_CARD);
    const struct journal_request first = f->request;
    assert_true(follow_lane(f, "f1", ANH, DIRECTION_OUT, f->at_us + 1000000));
    assert_inside(f, ANH, 0, 0);
    struct journal_request *again = fresh(f, JOURNAL_DECIDE);
    memcpy(again->event.event_id, first.event.event_id, sizeof(again->event.event_id));
    again->payload_bytes = (uint32_t)strlen(ANH_CARD);
    memcpy(again->payload, ANH_CARD, strlen(ANH_CARD));
    assert_int_equal(ask(f), 0);
    assert_int_equal(f->answer.event.seq, 1);
    assert_int_equal(f->answer.verdict.action, VERDICT_OPEN);
    assert_inside(f, ANH, 0, 0);
}

/* ---- other lanes ------------------------------------------------------------------------------------------------- */

static void newer_passages_win_in_any_order(void **state)
{
    static const struct {
        int64_t after_us;
        enum direction direction;
    } passages[] = { { 1, DIRECTION_IN }, { 2, DIRECTION_OUT }, { 3, DIRECTION_IN } };
    static const int orders[6][3] = { { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 }, { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 } };
    struct fixture *f = *state;
    for (int i = 0; i < 6; i++) {
        char subject[32], id[16];
        int64_t newest = 0;
        (void)snprintf(subject, sizeof(subject), "badge:%d", i);
        for (int j = 0; j < 3; j++) {
            const int k = orders[i][j];
            (void)snprintf(id, sizeof(id), "f%d-%d", i, k);
            const bool taken = follow_lane(f, id, subject, passages[k].direction, f->at_us - 10 + passages[k].after_us);
            assert_int_equal(taken, passages[k].after_us > newest);
            newest = passages[k].after_us > newest ? passages[k].after_us : newest;
            assert_false(follow_lane(f, id, subject, passages[k].direction, f->at_us - 10 + passages[k].after_us));
        }
        assert_inside(f, subject, 1, i + 1);
    }
}

static void own_passages_are_not_followed(void **state)
{
    struct fixture *f = *state;
    char granted[JOURNAL_ID_BYTES];
    declare_green(f, ANH);
    (void)show(f, ANH_CARD);
    memcpy(granted, f->answer.event.event_id, sizeof(granted));
    assert_false(follow_lane(f, granted, ANH, DIRECTION_OUT, f->at_us + 5));
    assert_inside(f, ANH, 1, 1);
    struct followed_passage *passage = &fresh(f, JOURNAL_FOLLOW)->passage; /* this lane's name */
    (void)strcpy(passage->event_id, "f9");
    person_of(f, ANH, passage->person);
    passage->direction = DIRECTION_OUT;
    passage->at_us = f->at_us + 7;
    (void)strcpy(passage->lane, "lane1");
    assert_int_equal(ask(f), 0);
    assert_false(f->answer.taken);
    assert_false(follow_lane(f, "f8", ANH, DIRECTION_NONE, f->at_us + 8)); /* says nothing of presence */
    assert_inside(f, ANH, 1, 1);
}

static void a_passage_here_is_the_newest_whatever_other_clocks_say(void **state)
{
    struct fixture *f = *state;
    struct presence presence;
    declare_green(f, ANH);
    /* a lane three minutes ahead: its word counts, but not as of a time that is still to come */
    assert_true(follow_lane(f, "f1", ANH, DIRECTION_OUT, f->at_us + 180000000));
    presence_of(f, ANH, &presence);
    assert_int_equal(presence.changed_at_s, FIXTURE_NOW_S + 60);
    pass_time(f, 1);
    assert_int_equal(show(f, ANH_CARD), REASON_STATUS_GREEN);
    assert_inside(f, ANH, 1, 1);
    /* without a clock of its own the lane believes the other one, and still its own eyes more */
    f->clock_trusted = false;
    f->at_us = 1000000;
    pass_time(f, 10);
    assert_true(follow_lane(f, "f2", ANH, DIRECTION_OUT, FIXTURE_NOW_S * INT64_C(1000000) + 500000000));
    assert_inside(f, ANH, 0, 0);
    record(f, EVENT_OVERRIDE, "00000000000000000000000000000003"); /* that grant's */
    assert_string_not_equal(f->answer.event.person, "");
    assert_inside(f, ANH, 1, 1);
    presence_of(f, ANH, &presence);
    assert_int_equal(presence.changed_at_s, FIXTURE_NOW_S + 500);
    assert_false(follow_lane(f, "f3", ANH, DIRECTION_OUT, FIXTURE_NOW_S * INT64_C(1000000) + 400000000));
}

static void an_event_that_waited_undoes_nothing_newer(void **state)
{
    struct fixture *f = *state;
    char held[JOURNAL_ID_BYTES];
    (void)show(f, ANH_CARD);
    memcpy(held, f->answer.event.event_id, sizeof(held));
    const int64_t then_us = f->at_us, then_monotonic_us = f->monotonic_us;
    pass_time(f, 600); /* the journal was away; in the meantime the person left by another lane */
    (void)show(f, BINH_CARD);
    assert_true(follow_lane(f, "f1", ANH, DIRECTION_OUT, f->at_us - 100000000));
    struct journal_request *request = fresh(f, JOURNAL_RECORD);
    request->event.kind = EVENT_OVERRIDE;
    request->event.reason = REASON_BUTTON;
    request->event.at_us = then_us;
    request->event.monotonic_us = then_monotonic_us;
    memcpy(request->event.bound_event_id, held, sizeof(held));
    assert_int_equal(ask(f), 0);
    assert_true(f->answer.event.clock_trusted); /* it waited: the clock did not go back */
    assert_inside(f, ANH, 0, 0);
}

static void bad_passages_are_refused(void **state)
{
    struct fixture *f = *state;
    struct followed_passage *passage = &f->request.passage;
#define REFUSED(statement) \
    do { \
        (void)fresh(f, JOURNAL_FOLLOW); \
        (void)strcpy(passage->event_id, "f1"); \
        person_of(f, ANH, passage->person); \
        passage->direction = DIRECTION_IN; \
        passage->at_us = 5; \
        (void)strcpy(passage->lane, "lane2"); \
        statement; \
        assert_int_equal(ask(f), -EINVAL); \
        assert_false(f->answer.taken); \
    } while (0)
    REFUSED(passage->event_id[0] = '\0');
    REFUSED(memset(passage->event_id, 'x', sizeof(passage->event_id)));
    REFUSED(passage->person[0] = '\0');
    REFUSED(passage->person[31] = '\0');
    REFUSED(passage->person[3] = 'X');
    REFUSED(memset(passage->person, 'a', sizeof(passage->person)));
    REFUSED(passage->direction = DIRECTION_COUNT);
    REFUSED(passage->at_us = 0);
    REFUSED(memset(passage->lane, 'x', sizeof(passage->lane)));
#undef REFUSED
    assert_int_equal(number_in(f, "SELECT count(*) FROM presence"), 0);
}

/* ---- merged and erased people ------------------------------------------------------------------------------------ */

static void presence_goes_with_the_number(void **state)
{
    struct fixture *f = *state;
    assert_true(follow_lane(f, "f1", "bhyt:0123456789", DIRECTION_IN, f->at_us - 100));
    assert_true(follow_lane(f, "f2", ANH, DIRECTION_IN, f->at_us - 200));
    assert_inside(f, ANH, 1, 2);
    assert_int_equal(declare_at(f, ANH, "bhyt:0123456789", STATUS_GREEN, FIXTURE_NOW_S), 0);
    assert_inside(f, ANH, 1, 1); /* they were one all along */
    assert_inside(f, "bhyt:0123456789", -1, 1);
    assert_false(follow_lane(f, "f3", ANH, DIRECTION_OUT, f->at_us - 150)); /* the newer of the two stayed */
    assert_true(follow_lane(f, "f4", "bhyt:0123456789", DIRECTION_OUT, f->at_us - 50)); /* by any number */
    assert_inside(f, ANH, 0, 0);
}

static int muster(struct fixture *f, const char *after_person)
{
    (void)snprintf(fresh(f, JOURNAL_MUSTER)->after_person, JOURNAL_ID_BYTES, "%s", after_person);
    const int error = ask(f);
    return error < 0 ? error : f->answer.muster.count;
}

static void a_muster_names_everybody_inside_once(void **state)
{
    struct fixture *f = *state;
    char number[32], after[JOURNAL_ID_BYTES] = "", person[JOURNAL_ID_BYTES];
    int64_t found = 0;
    assert_int_equal(muster(f, ""), 0);
    assert_int_equal(f->answer.muster.inside_count, 0);
    declare_green(f, ANH);
    assert_int_equal(show(f, ANH_CARD), REASON_STATUS_GREEN); /* here */
    for (int i = 0; i < 40; i++) {                             /* at lane2; each tenth has left */
        (void)snprintf(number, sizeof(number), "badge:%d", i);
        (void)snprintf(after, sizeof(after), "f%d", i);
        assert_true(follow_lane(f, after, number, i % 10 == 0 ? DIRECTION_OUT : DIRECTION_IN, f->at_us - i));
    }
    person_of(f, ANH, person);
    after[0] = '\0';
    bool met = false;
    int count;
    do {
        count = muster(f, after);
        assert_true(count >= 0 && count <= JOURNAL_MUSTER_MAX);
        assert_int_equal(f->answer.muster.inside_count, 37);
        for (int i = 0; i < count; i++) {
            const struct muster_row *row = &f->answer.muster.rows[i];
            assert_true(strcmp(row->person, after) > 0);
            memcpy(after, row->person, sizeof(after));
            const bool is_anh = strcmp(row->person, person) == 0;
            met = met || is_anh;
            assert_string_equal(row->lane, is_anh ? "lane1" : "lane2");
            assert_in_range(row->since_us, f->at_us - 40, f->at_us);
        }
        found += count;
    } while (count == JOURNAL_MUSTER_MAX);
    assert_int_equal(found, 37);
    assert_true(met);
    assert_int_equal(muster(f, "'; DROP TABLE presence"), -EINVAL);
    assert_int_equal(f->answer.muster.count, 0);
}

static void an_erased_person_is_not_inside(void **state)
{
    struct fixture *f = *state;
    char person[JOURNAL_ID_BYTES];
    struct person_rows rows;
    sqlite3 *other = NULL;
    declare_green(f, ANH);
    declare_green(f, BINH);
    (void)show(f, ANH_CARD);
    (void)show(f, BINH_CARD);
    assert_inside(f, ANH, 1, 2);
    person_of(f, ANH, person);
    assert_int_equal(sqlite3_open(f->settings.path, &other), SQLITE_OK); /* as qrgatectl does it */
    assert_int_equal(person_erase(other, person, &rows), 0);
    assert_int_equal(rows.events, 1);
    (void)sqlite3_close(other);
    assert_inside(f, ANH, -1, 1);
    assert_inside(f, BINH, 1, 1);
}

static void nothing_of_a_failed_transaction_stays(void **state)
{
    struct fixture *f = *state;
    declare_green(f, ANH);
    run_sql(f, "CREATE TEMP TRIGGER fault BEFORE INSERT ON main.presence BEGIN SELECT RAISE(ABORT, 'fault'); END");
    struct journal_request *request = fresh(f, JOURNAL_DECIDE);
    request->payload_bytes = (uint32_t)strlen(ANH_CARD);
    memcpy(request->payload, ANH_CARD, strlen(ANH_CARD));
    assert_true(ask(f) < 0);
    assert_int_equal(f->answer.verdict.action, VERDICT_DENY);
    assert_int_equal(f->answer.verdict.reason, REASON_JOURNAL_FAILED);
    assert_int_equal(number_in(f, "SELECT count(*) FROM event"), 0);
    assert_inside(f, ANH, -1, 0);
    run_sql(f, "DROP TRIGGER fault");
    assert_int_equal(show(f, ANH_CARD), REASON_STATUS_GREEN);
    assert_inside(f, ANH, 1, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(without_a_sensor_a_grant_is_a_passage),
        TEST(with_a_sensor_only_completed_is_a_passage),
        TEST(a_passage_ends_once),
        TEST(a_restart_ends_what_was_open),
        TEST(without_a_sensor_a_restart_ends_nothing),
        TEST(an_end_that_cannot_be_written_comes_before_the_next_row),
        TEST(a_passage_takes_the_person_of_what_it_is_bound_to),
        TEST(links_are_followed_three_times_at_most),
        TEST(a_lane_out_takes_people_off_the_count),
        TEST(a_lane_without_direction_knows_passages_alone),
        TEST(last_passage_is_of_this_direction),
        TEST(in_twice_is_seen),
        TEST(occupancy_counts_everybody),
        TEST(not_used_takes_a_grant_back),
        TEST(a_retry_moves_nothing_again),
        TEST(newer_passages_win_in_any_order),
        TEST(own_passages_are_not_followed),
        TEST(a_passage_here_is_the_newest_whatever_other_clocks_say),
        TEST(an_event_that_waited_undoes_nothing_newer),
        TEST(bad_passages_are_refused),
        TEST(presence_goes_with_the_number),
        TEST(a_muster_names_everybody_inside_once),
        TEST(an_erased_person_is_not_inside),
        TEST(nothing_of_a_failed_transaction_stays),
    };
    return cmocka_run_group_tests_name("presence", tests, NULL, NULL);
}
