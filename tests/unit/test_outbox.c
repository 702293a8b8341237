/* The outbox pump: a few told stories, then 100,000 random steps a seed against a model of journal and broker that knows
 * what was acknowledged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "outbox_world.h"

enum { STEPS = 100000 };

static void silent_without_a_connection(void **state)
{
    struct world *w = *state;
    start(w, &usual, 1);
    commit(w);
    assert_false(ask(w, false));
    assert_int_equal(publish(w), 0);
    assert_int_equal(outbox_deadline_us(&w->outbox, true), INT64_MAX);
}

static void window_bounds_and_order(void **state)
{
    struct world *w = *state;
    start(w, &usual, 1);
    connect_broker(w, 65535);
    commit_many(w, 10);
    fill(w);
    for (int64_t seq = 1; seq <= 4; seq++)
        assert_int_equal(publish(w), seq);
    assert_int_equal(publish(w), 0);
    assert_false(w->sending.historical);
    (void)acknowledge(w, 2, OUTBOX_ACK_OK);
    assert_int_equal(publish(w), 5);
    assert_int_equal(publish(w), 0);
    (void)acknowledge(w, 1, OUTBOX_ACK_OK);
    (void)acknowledge(w, 3, OUTBOX_ACK_OK);
    assert_int_equal(publish(w), 6);
    assert_int_equal(publish(w), 7);
    assert_int_equal(publish(w), 0);
}

static void brokers_own_bound_counts(void **state)
{
    struct world *w = *state;
    start(w, &usual, 1);
    connect_broker(w, 2);
    commit_many(w, 4);
    fill(w);
    assert_int_equal(publish(w), 1);
    assert_int_equal(publish(w), 2);
    assert_int_equal(publish(w), 0);
}

static void a_lost_connection_makes_history(void **state)
{
    struct world *w = *state;
    start(w, &usual, 1);
    connect_broker(w, 65535);
    commit_many(w, 4);
    fill(w);
    for (int i = 0; i < 4; i++)
        assert_true(publish(w) > 0);
    (void)acknowledge(w, 3, OUTBOX_ACK_OK);
    disconnect_broker(w);
    assert_int_equal(publish(w), 0);
    commit(w);
    w->now_us += OUTBOX_MARK_US;
    assert_true(ask(w, true)); /* the journal can't mark 3 … */
    assert_int_equal(w->request.op, JOURNAL_MARK);
    answer(w);
    connect_broker(w, 65535);
    fill(w); /* … and has it among those that are unsent */
    assert_int_equal(publish(w), 1);
    assert_true(w->sending.historical);
    assert_int_equal(publish(w), 2);
    assert_int_equal(publish(w), 4);
    (void)acknowledge(w, 1, OUTBOX_ACK_OK);
    assert_int_equal(publish(w), 5);
    assert_true(w->sending.historical);
}

static void an_acknowledgement_overtaken_by_the_loss_counts(void **state)
{
    struct world *w = *state;
    start(w, &usual, 1);
    connect_broker(w, 65535);
    commit_many(w, 2);
    fill(w);
    assert_int_equal(publish(w), 1);
    disconnect_broker(w);
    assert_false(outbox_acked(&w->outbox, 1 * 4 + OUTBOX_LIVE, OUTBOX_ACK_REFUSED, w->now_us, 0)); /* says nothing now */
    assert_false(outbox_acked(&w->outbox, 1 * 4 + OUTBOX_LIVE, OUTBOX_ACK_OK, w->now_us, 0));
    w->acked[1] = true;
    connect_broker(w, 65535);
    fill(w);
    assert_int_equal(publish(w), 2);
}

static void refusals_back_off_one_row_feeling_the_way(void **state)
{
    struct world *w = *state;
    struct outbox_stream *live = &w->outbox.streams[OUTBOX_LIVE];
    int64_t last_wait_us = 0;
    start(w, &usual, 1);
    connect_broker(w, 65535);
    commit_many(w, 8);
    fill(w);
    for (int i = 0; i < 4; i++)
        assert_true(publish(w) > 0);
    assert_true(acknowledge(w, 1, OUTBOX_ACK_REFUSED)); /* the first is told */
    for (int64_t seq = 2; seq <= 4; seq++)
        assert_false(acknowledge(w, seq, OUTBOX_ACK_REFUSED));
    assert_int_equal(live->refusals, 1); /* one failure, though four rows came back */
    for (int i = 0; i < 12; i++) {
        int64_t wait_us = outbox_deadline_us(&w->outbox, true) - w->now_us;
        assert_in_range(wait_us, usual.backoff_min_us, usual.backoff_max_us);
        last_wait_us = wait_us > last_wait_us ? wait_us : last_wait_us;
        w->now_us += wait_us - 1;
        assert_int_equal(publish(w), 0);
        w->now_us++;
        assert_int_equal(publish(w), 1);
        assert_int_equal(publish(w), 0);
        assert_false(acknowledge(w, 1, OUTBOX_ACK_REFUSED));
    }
    assert_true(last_wait_us > 8000000);
    w->now_us = outbox_deadline_us(&w->outbox, true);
    assert_int_equal(publish(w), 1);
    (void)acknowledge(w, 1, OUTBOX_ACK_OK);
    for (int64_t seq = 2; seq <= 5; seq++)
        assert_int_equal(publish(w), seq);
}

static void silence_of_the_broker_is_noticed(void **state)
{
    struct world *w = *state;
    start(w, &usual, 1);
    commit(w);
    connect_broker(w, 65535);
    fill(w);
    assert_int_equal(publish(w), 1);
    w->now_us += usual.ack_timeout_us - 1;
    assert_false(outbox_stuck(&w->outbox, w->now_us));
    assert_int_equal(outbox_deadline_us(&w->outbox, true), w->now_us + 1);
    w->now_us++;
    assert_true(outbox_stuck(&w->outbox, w->now_us));
    disconnect_broker(w);
    assert_false(outbox_stuck(&w->outbox, w->now_us));
}

static void a_failing_journal_is_asked_again_later(void **state)
{
    struct world *w = *state;
    start(w, &usual, 1);
    commit(w);
    connect_broker(w, 65535);
    assert_true(ask(w, true));
    answer(w);
    assert_false(ask(w, false));
    assert_true(outbox_deadline_us(&w->outbox, true) > w->now_us);
    commit(w); /* old rows that can't be read are no reason to leave new ones */
    assert_true(ask(w, false));
    assert_int_equal(w->request.after_seq, 1);
    answer(w);
    assert_int_equal(publish(w), 2);
    w->now_us = outbox_deadline_us(&w->outbox, true);
    fill(w);
    assert_int_equal(publish(w), 1);
    (void)acknowledge(w, 1, OUTBOX_ACK_OK);
    (void)acknowledge(w, 2, OUTBOX_ACK_OK);
    assert_true(ask(w, true));
    answer(w);
    assert_false(w->marked[1]);
    assert_false(ask(w, false));
    w->now_us = outbox_deadline_us(&w->outbox, true);
    assert_true(ask(w, false));
    answer(w);
    assert_true(w->marked[1] && w->marked[2]);
    assert_int_equal(outbox_deadline_us(&w->outbox, true), INT64_MAX);
}

static void a_damaged_row_isnt_passed_over(void **state)
{
    struct world *w = *state;
    start(w, &usual, 1);
    commit_many(w, 3);
    w->unreadable = 2;
    connect_broker(w, 65535);
    assert_true(ask(w, false));
    answer(w);
    assert_true(ask(w, false)); /* one came where three were asked for: that proves nothing */
    answer(w);
    assert_int_equal(w->answer.error, -84);
    assert_false(ask(w, false));
    assert_int_equal(publish(w), 1);
    w->unreadable = 0;
    w->now_us = outbox_deadline_us(&w->outbox, true);
    fill(w);
    for (int64_t seq = 2; seq <= 3; seq++)
        assert_int_equal(publish(w), seq);
}

static void who_may_not_ask_isnt_woken_to_ask(void **state)
{
    struct world *w = *state;
    start(w, &usual, 1);
    commit(w);
    connect_broker(w, 65535);
    assert_true(outbox_deadline_us(&w->outbox, true) <= w->now_us);
    assert_int_equal(outbox_deadline_us(&w->outbox, false), INT64_MAX);
    fill(w);
    assert_int_equal(publish(w), 1);
    assert_int_equal(outbox_deadline_us(&w->outbox, false), w->now_us + usual.ack_timeout_us);
}

static void a_row_committed_while_the_journal_says_none_is_found(void **state)
{
    struct world *w = *state;
    start(w, &usual, 1);
    connect_broker(w, 65535);
    commit(w);
    w->gone[1] = true;
    assert_true(ask(w, false)); /* the answer is "none" … */
    commit(w);                  /* … and out of date when it arrives */
    answer(w);
    fill(w);
    assert_int_equal(publish(w), 2);
}

static void a_row_offered_twice_is_taken_once(void **state)
{
    struct world *w = *state;
    const struct outbox_stream *backfill = &w->outbox.streams[OUTBOX_BACKFILL];
    start(w, &usual, 1);
    commit_many(w, 60);
    connect_broker(w, 65535);
    assert_true(ask(w, false));
    answer(w);
    outbox_answer(&w->outbox, &w->answer, w->now_us); /* nobody asked */
    assert_int_equal(backfill->count, 50);
    assert_true(ask(w, false));
    for (int i = 0; i < 10; i++)
        w->outbox.batch.events[i].seq = i < 5 ? 41 + i : 56 + i; /* read before; never asked for, but for 61 … 65 */
    w->batch = w->outbox.batch;
    answer(w);
    assert_int_equal(backfill->count, 50);
}

static void an_older_hint_says_nothing(void **state)
{
    struct world *w = *state;
    start(w, &usual, 1);
    connect_broker(w, 65535);
    commit_many(w, 5);
    outbox_row_committed(&w->outbox, 3);
    outbox_row_committed(&w->outbox, 0);
    fill(w);
    for (int64_t seq = 1; seq <= 4; seq++)
        assert_int_equal(publish(w), seq);
    (void)acknowledge(w, 1, OUTBOX_ACK_OK);
    assert_int_equal(publish(w), 5);
}

static void an_answer_to_an_earlier_connection_isnt_taken(void **state)
{
    struct world *w = *state;
    start(w, &usual, 1);
    connect_broker(w, 65535);
    commit_many(w, 3);
    assert_true(ask(w, false)); /* as live rows */
    connect_broker(w, 65535);
    answer(w);
    assert_int_equal(publish(w), 0);
    fill(w);
    assert_int_equal(publish(w), 1);
    assert_true(w->sending.historical);
}

static void acknowledge_any(struct world *w, enum outbox_ack ack)
{
    const int64_t places = (int64_t)OUTBOX_STREAM_COUNT * ROWS_MAX, from = draw(w) % places;
    for (int64_t i = 0; i < places && w->flying > 0; i++) {
        int64_t place = (from + i) % places;
        int stream = (int)(place / ROWS_MAX);
        int64_t seq = place % ROWS_MAX + 1;
        if (w->in_flight[stream][seq]) {
            (void)acknowledge_as(w, stream, seq, ack);
            return;
        }
    }
}

/* An answer to what nobody waits for, or that tells the truth about what was lost on the way. */
static void stray(struct world *w)
{
    uint64_t tag = draw(w) % (4 * (ROWS_MAX + 50));
    const uint64_t stream = tag % 4, seq = tag / 4;
    if (stream < OUTBOX_STREAM_COUNT && seq <= ROWS_MAX && w->in_flight[stream][seq])
        (void)acknowledge_as(w, (int)stream, (int64_t)seq, OUTBOX_ACK_REFUSED);
    else
        (void)outbox_acked(&w->outbox, tag, OUTBOX_ACK_REFUSED, w->now_us, 0);
}

static void random_step(struct world *w)
{
    switch (draw(w) % 16) {
    case 0: commit(w); break;
    case 1:
        if (draw(w) % 8 == 0)
            connect_broker(w, draw(w) % 4 == 0 ? (int)(draw(w) % 4) : 65535);
        break;
    case 2:
        if (draw(w) % 32 == 0)
            disconnect_broker(w);
        break;
    case 3:
    case 4: (void)ask(w, draw(w) % 8 == 0); break;
    case 5:
    case 6: answer(w); break;
    case 7:
    case 8:
    case 9: (void)publish(w); break;
    case 10:
    case 11: acknowledge_any(w, OUTBOX_ACK_OK); break;
    case 12: acknowledge_any(w, draw(w) % 2 ? OUTBOX_ACK_REFUSED : OUTBOX_ACK_LOST); break;
    case 13: stray(w); break;
    case 14: w->now_us += draw(w) % 3000000; break;
    default:
        if (draw(w) % 512 == 0)
            (void)ask_again(w, w->committed - (int64_t)(draw(w) % 64));
        break;
    }
    assert_true(w->outbox.acked_count <= OUTBOX_ACKED_MAX);
}

/* A good broker and a good disk: everything must be sent and marked, in a bounded number of steps, by deadlines alone. */
static void settle(struct world *w)
{
    connect_broker(w, 65535);
    for (int i = 0; i < 20 * ROWS_MAX; i++) {
        int64_t at_us;
        (void)ask(w, false);
        answer(w);
        while (publish(w) != 0)
            continue;
        while (w->flying > 0)
            acknowledge_any(w, OUTBOX_ACK_OK);
        if (ask(w, false)) {
            answer(w);
            continue;
        }
        at_us = outbox_deadline_us(&w->outbox, true);
        if (at_us == INT64_MAX)
            return;
        w->now_us = at_us > w->now_us ? at_us : w->now_us;
    }
    fail_msg("doesn't settle");
}

static void random_histories(void **state)
{
    struct world *w = *state;
    for (uint32_t seed = 1; seed <= 5; seed++) {
        struct outbox_settings settings = usual;
        settings.window = (int)(seed * seed * 4);
        start(w, &settings, seed * 2654435761u);
        for (int i = 0; i < STEPS; i++)
            random_step(w);
        settle(w);
        assert_true(w->committed > 1000);
        for (int64_t seq = 1; seq <= w->committed; seq++) {
            assert_true(w->sends[seq] > 0);
            assert_true(w->acked[seq]);
            assert_true(w->marked[seq]);
            assert_false(w->owed[seq]);
        }
        for (int s = 0; s < OUTBOX_STREAM_COUNT; s++) {
            assert_int_equal(w->outbox.streams[s].count, 0);
            assert_int_equal(w->outbox.streams[s].in_flight, 0);
        }
        assert_true(outbox_settled(&w->outbox));
    }
}

int main(void)
{
    const struct CMUnitTest outbox[] = {
        cmocka_unit_test(silent_without_a_connection), cmocka_unit_test(window_bounds_and_order),
        cmocka_unit_test(brokers_own_bound_counts), cmocka_unit_test(a_lost_connection_makes_history),
        cmocka_unit_test(an_acknowledgement_overtaken_by_the_loss_counts),
        cmocka_unit_test(refusals_back_off_one_row_feeling_the_way), cmocka_unit_test(silence_of_the_broker_is_noticed),
        cmocka_unit_test(a_failing_journal_is_asked_again_later), cmocka_unit_test(who_may_not_ask_isnt_woken_to_ask),
        cmocka_unit_test(a_row_committed_while_the_journal_says_none_is_found),
        cmocka_unit_test(a_row_offered_twice_is_taken_once),
        cmocka_unit_test(a_damaged_row_isnt_passed_over), cmocka_unit_test(an_older_hint_says_nothing),
        cmocka_unit_test(an_answer_to_an_earlier_connection_isnt_taken), cmocka_unit_test(random_histories),
    };
    return cmocka_run_group_tests(outbox, setup, teardown);
}
