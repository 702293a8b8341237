/* Incoming messages from the inbox to the journal and back: what is asked, counted and answered, and that neither a failing
 * journal nor a broker that is away loses one. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/mqtt/intake.h"

#define ID "00112233445566778899aabbccddeeff"
#define NOW_US INT64_C(1769900000000000) /* 2026-01-31 */

static const struct intake_settings usual = {.ack_timeout_us = 20000000, .backoff_min_us = 1000000, .backoff_max_us = 30000000};

struct world {
    struct intake intake;
    struct mqtt_counts counts;
    struct journal_request request;
    struct inbox_message message;
};

static void start(struct world *w)
{
    memset(w, 0, sizeof *w);
    intake_init(&w->intake, &usual, &w->counts);
}

static const char *give(struct world *w, enum inbound_topic topic, const char *text)
{
    w->message = (struct inbox_message){.came.topic = topic, .length_bytes = strlen(text)};
    (void)snprintf(w->message.came.name, sizeof w->message.came.name, "%s", topic == INBOUND_PASSAGE ? "lane2" : "");
    memcpy(w->message.text, text, strlen(text));
    assert_true(intake_has_room(&w->intake));
    return intake_give(&w->intake, &w->message, NOW_US, true);
}

static const char *declare(struct world *w, const char *transaction)
{
    char text[512];
    (void)snprintf(text, sizeof text, "{\"schema\":\"qrgate/declaration/1\",%s%s%s\"subject\":\"cccd:022199012345\","
                   "\"status\":\"green\",\"declared_at\":\"2026-01-30T08:00:00+07:00\"}", transaction[0] ? "\"transaction_id\":\"" : "",
                   transaction, transaction[0] ? "\"," : "");
    return give(w, INBOUND_DECLARATION, text);
}

static bool wants(struct world *w, int64_t now_us)
{
    memset(&w->request, 0, sizeof w->request);
    return intake_wants(&w->intake, now_us, &w->request);
}

static const char *answer(struct world *w, int error, bool taken, int64_t now_us)
{
    const struct journal_answer reply = {.op = w->request.op, .error = error, .taken = taken};
    return intake_answer(&w->intake, &reply, now_us, NOW_US, 7);
}

static const struct message_result *published(struct world *w, int64_t now_us)
{
    int place = -1;
    const struct message_result *result = intake_publish(&w->intake, now_us, &place);
    if (result != NULL)
        intake_acked(&w->intake, place, OUTBOX_ACK_OK, now_us);
    return result;
}

static void a_declaration_goes_to_the_journal_and_is_answered(void **state)
{
    static struct world w;
    const struct message_result *result;
    (void)state;
    start(&w);
    assert_null(declare(&w, "t-1"));
    assert_false(intake_has_room(&w.intake));
    assert_true(wants(&w, 5));
    assert_int_equal(w.request.op, JOURNAL_DECLARE);
    assert_string_equal(w.request.declared.identities[0], "cccd:022199012345");
    assert_int_equal(w.request.declared.declaration.status, STATUS_GREEN);
    assert_string_equal(w.request.declared.source, "mqtt");
    assert_true(wants(&w, 5)); /* the same, until it is answered */
    assert_null(published(&w, 6));
    assert_null(answer(&w, 0, true, 6));
    assert_false(wants(&w, 6));
    result = published(&w, 6);
    assert_non_null(result);
    assert_string_equal(result->transaction, "t-1");
    assert_int_equal(result->kind, RESULT_TAKEN);
    assert_string_equal(result->why, "");
    assert_int_equal(result->at_us, NOW_US);
    assert_int_equal(w.counts.declarations_taken, 1);
    assert_null(declare(&w, "t-2"));
    assert_true(wants(&w, 7));
    assert_null(answer(&w, 0, false, 7));
    result = published(&w, 7);
    assert_non_null(result);
    assert_int_equal(result->kind, RESULT_OLDER);
    assert_int_equal(w.counts.declarations_taken, 1);
    assert_int_equal(w.counts.declarations_rejected, 0);
}

static void without_a_transaction_only_a_rejection_is_answered(void **state)
{
    static struct world w;
    const struct message_result *result;
    const char *why;
    (void)state;
    start(&w);
    assert_null(declare(&w, ""));
    assert_true(wants(&w, 1));
    assert_null(answer(&w, 0, true, 1));
    assert_null(published(&w, 1));
    why = give(&w, INBOUND_DECLARATION, "{\"status\":");
    assert_non_null(why);
    assert_true(strlen(why) > 0);
    assert_false(wants(&w, 2));
    result = published(&w, 2);
    assert_non_null(result);
    assert_int_equal(result->kind, RESULT_REJECTED);
    assert_string_equal(result->transaction, "");
    assert_true(strlen(result->why) > 0);
    assert_int_equal(w.counts.declarations_rejected, 1);
}

static void too_long_a_message_is_rejected_unread(void **state)
{
    static struct world w;
    const char *why;
    (void)state;
    start(&w);
    w.message = (struct inbox_message){.came.topic = INBOUND_REVOCATION, .length_bytes = INBOUND_MESSAGE_MAX_BYTES + 1};
    why = intake_give(&w.intake, &w.message, NOW_US, true);
    assert_non_null(why);
    assert_string_equal(why, "2049 bytes; allowed are 2048");
    assert_int_equal(w.counts.revocations_rejected, 1);
}

static void revocations_have_their_own_road(void **state)
{
    static struct world w;
    const struct message_result *result;
    (void)state;
    start(&w);
    assert_null(give(&w, INBOUND_REVOCATION, "{\"schema\":\"qrgate/revocation/1\",\"transaction_id\":\"r\",\"token_id\":\"" ID "\","
                                             "\"revoked_at\":\"2026-01-30T08:00:00Z\"}"));
    assert_true(wants(&w, 1));
    assert_int_equal(w.request.op, JOURNAL_REVOKE);
    assert_int_equal(w.request.revocation.token_id[15], 0xff);
    assert_null(answer(&w, 0, true, 1));
    result = published(&w, 1);
    assert_non_null(result);
    assert_int_equal(result->of, INBOUND_REVOCATION);
    assert_int_equal(w.counts.revocations_taken, 1);
}

static void passages_are_followed_and_never_answered(void **state)
{
    static struct world w;
    const char *why;
    (void)state;
    start(&w);
    assert_null(give(&w, INBOUND_PASSAGE, "{\"schema\":\"qrgate/passage/1\",\"event_id\":\"" ID "\",\"kind\":\"denied\","
                                          "\"at\":\"2026-01-30T08:00:00.000Z\"}"));
    assert_false(wants(&w, 1)); /* moves nobody */
    assert_null(give(&w, INBOUND_PASSAGE, "{\"schema\":\"qrgate/passage/1\",\"event_id\":\"" ID "\",\"kind\":\"granted\","
                                          "\"at\":\"2026-01-30T08:00:00.000Z\",\"person\":\"" ID "\",\"direction\":\"in\","
                                          "\"changes_presence\":true}"));
    assert_true(wants(&w, 1));
    assert_int_equal(w.request.op, JOURNAL_FOLLOW);
    assert_string_equal(w.request.passage.lane, "lane2");
    assert_int_equal(w.request.passage.direction, DIRECTION_IN);
    assert_null(answer(&w, 0, true, 1));
    assert_int_equal(w.counts.passages_followed, 1);
    why = give(&w, INBOUND_PASSAGE, "[]");
    assert_non_null(why);
    assert_int_equal(w.counts.passages_rejected, 1);
    assert_null(published(&w, 1));
}

static void a_failing_journal_is_tried_again_and_nothing_dropped(void **state)
{
    static struct world w;
    int64_t now_us = 1000, longest_us = 0;
    (void)state;
    start(&w);
    assert_null(declare(&w, "t"));
    for (int i = 0; i < 12; i++) {
        int64_t at_us;
        assert_true(wants(&w, now_us));
        assert_null(answer(&w, i % 2 ? -EIO : -ENOSPC, false, now_us));
        assert_false(intake_has_room(&w.intake));
        at_us = intake_deadline_us(&w.intake, true, true);
        assert_in_range(at_us - now_us, usual.backoff_min_us, usual.backoff_max_us);
        assert_int_equal(intake_deadline_us(&w.intake, true, false), INT64_MAX);
        longest_us = at_us - now_us > longest_us ? at_us - now_us : longest_us;
        assert_false(wants(&w, at_us - 1));
        now_us = at_us;
    }
    assert_true(longest_us >= usual.backoff_min_us);
    assert_true(wants(&w, now_us));
    assert_string_equal(w.request.declared.identities[0], "cccd:022199012345");
    assert_null(answer(&w, 0, true, now_us));
    assert_non_null(published(&w, now_us));
}

static void the_registers_refusals_are_answered(void **state)
{
    static struct world w;
    static const int errors[] = {-EEXIST, -EINVAL};
    (void)state;
    start(&w);
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        const struct message_result *result;
        assert_null(declare(&w, "t"));
        assert_true(wants(&w, 1));
        assert_non_null(answer(&w, errors[i], false, 1));
        assert_true(intake_has_room(&w.intake));
        result = published(&w, 1);
        assert_non_null(result);
        assert_int_equal(result->kind, RESULT_REJECTED);
        assert_non_null(strstr(result->why, errors[i] == -EEXIST ? "different people" : "not a declaration"));
    }
    assert_int_equal(w.counts.declarations_rejected, 2);
}

static void answers_to_others_change_nothing(void **state)
{
    static struct world w;
    const struct journal_answer stray = {.op = JOURNAL_DECLARE, .taken = true}, other = {.op = JOURNAL_MARK};
    (void)state;
    start(&w);
    assert_null(intake_answer(&w.intake, &stray, 1, NOW_US, 1));
    assert_null(declare(&w, "t"));
    assert_null(intake_answer(&w.intake, &stray, 1, NOW_US, 1)); /* not asked yet */
    assert_true(wants(&w, 1));
    assert_null(intake_answer(&w.intake, &other, 1, NOW_US, 1));
    assert_int_equal(w.counts.declarations_taken, 0);
    assert_false(intake_has_room(&w.intake));
}

static void settle_one(struct world *w, const char *transaction)
{
    assert_null(declare(w, transaction));
    assert_true(wants(w, 1));
    assert_null(answer(w, 0, true, 1));
}

static void assert_next(struct world *w, int64_t now_us, const char *transaction, int *ret_place)
{
    const struct message_result *result = intake_publish(&w->intake, now_us, ret_place);
    assert_non_null(result);
    assert_string_equal(result->transaction, transaction);
}

static void results_wait_for_the_broker_in_order(void **state)
{
    static struct world w;
    int places[4], again;
    (void)state;
    start(&w);
    settle_one(&w, "t0"), settle_one(&w, "t1"), settle_one(&w, "t2"), settle_one(&w, "t3");
    assert_int_equal(intake_deadline_us(&w.intake, false, true), INT64_MAX);
    assert_int_equal(intake_deadline_us(&w.intake, true, true), 0);
    assert_next(&w, 100, "t0", &places[0]);
    assert_next(&w, 100, "t1", &places[1]);
    assert_next(&w, 100, "t2", &places[2]);
    assert_next(&w, 100, "t3", &places[3]);
    assert_null(intake_publish(&w.intake, 100, &again));
    assert_false(intake_stuck(&w.intake, 100 + usual.ack_timeout_us - 1));
    assert_true(intake_stuck(&w.intake, 100 + usual.ack_timeout_us));
    assert_int_equal(intake_deadline_us(&w.intake, true, true), 100 + usual.ack_timeout_us);
    intake_acked(&w.intake, places[1], OUTBOX_ACK_OK, 200);
    intake_disconnected(&w.intake);
    assert_false(intake_stuck(&w.intake, INT64_MAX));
    assert_next(&w, 300, "t0", &places[0]);
    assert_next(&w, 300, "t2", &places[2]);
    assert_next(&w, 300, "t3", &places[3]);
    intake_acked(&w.intake, places[0], OUTBOX_ACK_LOST, 400);
    assert_null(intake_publish(&w.intake, 400, &again));
    assert_next(&w, 400 + usual.backoff_min_us, "t0", &again);
    intake_acked(&w.intake, again, OUTBOX_ACK_REFUSED, 500); /* given up */
    intake_acked(&w.intake, again, OUTBOX_ACK_LOST, 500);    /* and not found again */
    intake_acked(&w.intake, -1, OUTBOX_ACK_LOST, 500);
    intake_acked(&w.intake, INTAKE_RESULTS_MAX, OUTBOX_ACK_LOST, 500);
    assert_null(intake_publish(&w.intake, INT64_MAX, &again));
    assert_int_equal(w.intake.in_flight, 2);
}

/* Held back by results, a full inbox would keep Paho from reading the acknowledgements that make room for them. */
static void a_broker_that_doesnt_acknowledge_stops_results_and_not_messages(void **state)
{
    static struct world w;
    int place, published_count = 0;
    (void)state;
    start(&w);
    for (int i = 0; i < INTAKE_RESULTS_MAX + 5; i++) {
        settle_one(&w, "t");
        published_count += intake_publish(&w.intake, 1, &place) != NULL;
    }
    assert_int_equal(published_count, INTAKE_IN_FLIGHT_MAX);
    assert_int_equal(w.counts.results_dropped, 5);
    assert_int_equal(w.counts.declarations_taken, INTAKE_RESULTS_MAX + 5);
    assert_int_equal(intake_deadline_us(&w.intake, true, true), 1 + usual.ack_timeout_us);
    intake_acked(&w.intake, place, OUTBOX_ACK_OK, 2);
    assert_non_null(intake_publish(&w.intake, 2, &place));
}

static void the_future_is_refused_by_a_clock_that_is_trusted(void **state)
{
    static struct world w;
    static const char text[] = "{\"schema\":\"qrgate/declaration/1\",\"subject\":\"cccd:022199012345\",\"status\":\"green\","
                               "\"declared_at\":\"2026-03-30T08:00:00Z\"}";
    (void)state;
    start(&w);
    assert_non_null(give(&w, INBOUND_DECLARATION, text));
    /* A lane without a clock that runs ahead of its network: it would refuse all that waited for it. */
    w.message = (struct inbox_message){.came.topic = INBOUND_DECLARATION, .length_bytes = sizeof text - 1};
    memcpy(w.message.text, text, sizeof text - 1);
    assert_null(intake_give(&w.intake, &w.message, NOW_US, false));
    assert_true(wants(&w, 1));
}

int main(void)
{
    const struct CMUnitTest intake[] = {
        cmocka_unit_test(a_declaration_goes_to_the_journal_and_is_answered),
        cmocka_unit_test(without_a_transaction_only_a_rejection_is_answered),
        cmocka_unit_test(too_long_a_message_is_rejected_unread),
        cmocka_unit_test(revocations_have_their_own_road),
        cmocka_unit_test(passages_are_followed_and_never_answered),
        cmocka_unit_test(a_failing_journal_is_tried_again_and_nothing_dropped),
        cmocka_unit_test(the_registers_refusals_are_answered),
        cmocka_unit_test(answers_to_others_change_nothing),
        cmocka_unit_test(results_wait_for_the_broker_in_order),
        cmocka_unit_test(a_broker_that_doesnt_acknowledge_stops_results_and_not_messages),
        cmocka_unit_test(the_future_is_refused_by_a_clock_that_is_trusted),
    };
    return cmocka_run_group_tests(intake, NULL, NULL);
}
