/* The outbox pump's three streams: what goes first, what holds up what, what is resent; and how the journal learns of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "outbox_world.h"

static void a_live_row_goes_before_the_backlog(void **state)
{
    struct world *w = *state;
    start(w, &usual, 1);
    commit_many(w, 200);
    connect_broker(w, 65535);
    fill(w);
    for (int64_t seq = 1; seq <= 3; seq++)
        assert_int_equal(publish(w), seq);
    assert_true(w->sending.historical);
    assert_int_equal(publish(w), 0); /* a quarter of the window is for live rows */
    commit_many(w, 2);
    for (int64_t seq = 1; seq <= 3; seq++)
        (void)acknowledge(w, seq, OUTBOX_ACK_OK);
    while (publish(w) != 0) /* room to read history, too */
        (void)acknowledge(w, w->sending.event->seq, OUTBOX_ACK_OK);
    assert_true(ask(w, false)); /* what was acknowledged: a hundred */
    assert_int_equal(w->request.op, JOURNAL_MARK);
    answer(w);
    assert_true(ask(w, false));
    assert_int_equal(w->request.after_seq, 200); /* the live ones are read first */
    answer(w);
    assert_int_equal(publish(w), 201);
    assert_false(w->sending.historical);
    fill(w);
    assert_int_equal(publish(w), 202);
    assert_int_equal(publish(w), 101);
}

static void where_one_fits_live_goes_first(void **state)
{
    struct world *w = *state;
    start(w, &usual, 1);
    commit_many(w, 5);
    connect_broker(w, 1);
    fill(w);
    assert_int_equal(publish(w), 1);
    commit_many(w, 2);
    fill(w);
    assert_int_equal(publish(w), 0);
    (void)acknowledge(w, 1, OUTBOX_ACK_OK);
    assert_int_equal(publish(w), 6);
    (void)acknowledge(w, 6, OUTBOX_ACK_OK);
    assert_int_equal(publish(w), 7);
    (void)acknowledge(w, 7, OUTBOX_ACK_OK);
    assert_int_equal(publish(w), 2);
}

/* One row refused for ever, by the broker's rights or its size. */
static void a_refusal_holds_up_its_own_stream_only(void **state)
{
    struct world *w = *state;
    start(w, &usual, 1);
    commit_many(w, 4);
    connect_broker(w, 65535);
    fill(w);
    assert_int_equal(publish(w), 1);
    assert_true(acknowledge(w, 1, OUTBOX_ACK_REFUSED));
    assert_int_equal(publish(w), 0);
    commit_many(w, 3);
    fill(w);
    for (int64_t seq = 5; seq <= 7; seq++)
        assert_int_equal(publish(w), seq);
    assert_true(acknowledge(w, 6, OUTBOX_ACK_REFUSED)); /* now live is held up … */
    w->now_us = w->outbox.streams[OUTBOX_BACKFILL].send_at_us;
    w->outbox.streams[OUTBOX_LIVE].send_at_us = w->now_us + 5;
    assert_int_equal(publish(w), 1);
    (void)acknowledge(w, 1, OUTBOX_ACK_OK);
    assert_int_equal(publish(w), 2); /* … and the backfill isn't */
    assert_int_equal(w->outbox.streams[OUTBOX_LIVE].refusals, 1);
}

static void resent_rows_come_after_the_backfill(void **state)
{
    struct world *w = *state;
    start(w, &usual, 1);
    connect_broker(w, 65535);
    assert_int_equal(outbox_resend(&w->outbox, 1), 0);
    commit_many(w, 3);
    fill(w);
    for (int64_t seq = 1; seq <= 3; seq++) {
        assert_int_equal(publish(w), seq);
        (void)acknowledge(w, seq, OUTBOX_ACK_OK);
    }
    fill(w);
    assert_true(w->marked[3]);
    disconnect_broker(w);
    commit_many(w, 3);
    w->gone[5] = true;
    assert_int_equal(ask_again(w, 7), 0);
    assert_int_equal(ask_again(w, 2), 6);
    connect_broker(w, 65535);
    commit(w); /* a live one isn't of it */
    fill(w);
    assert_int_equal(publish(w), 7);
    assert_int_equal(publish(w), 4);
    assert_int_equal(publish(w), 6);
    assert_int_equal(publish(w), 0);
    (void)acknowledge(w, 4, OUTBOX_ACK_OK);
    assert_int_equal(publish(w), 0);
    (void)acknowledge(w, 6, OUTBOX_ACK_OK);
    fill(w);
    assert_int_equal(publish(w), 2);
    assert_true(w->sending.historical);
    disconnect_broker(w); /* it isn't forgotten */
    connect_broker(w, 65535);
    fill(w);
    assert_int_equal(publish(w), 7); /* history by now */
    (void)acknowledge(w, 7, OUTBOX_ACK_OK);
    fill(w);
    for (int64_t seq = 2; seq <= 6; seq += seq == 4 ? 2 : 1) {
        assert_int_equal(publish(w), seq);
        (void)acknowledge(w, seq, OUTBOX_ACK_OK);
    }
    fill(w);
    assert_int_equal(publish(w), 0);
    assert_false(ask(w, false));
}

static void two_wishes_to_resend_are_one(void **state)
{
    struct world *w = *state;
    int times[8] = {0};
    start(w, &usual, 1);
    connect_broker(w, 65535);
    commit_many(w, 6);
    fill(w);
    for (int64_t seq; (seq = publish(w)) != 0;)
        (void)acknowledge(w, seq, OUTBOX_ACK_OK);
    fill(w);
    (void)ask_again(w, 4);
    fill(w);
    assert_int_equal(publish(w), 4);
    (void)ask_again(w, 3);
    (void)ask_again(w, 5);
    for (int64_t seq = 4; seq != 0; fill(w), seq = publish(w)) {
        times[seq]++;
        (void)acknowledge(w, seq, OUTBOX_ACK_OK);
    }
    for (int64_t seq = 1; seq <= 6; seq++) {
        assert_int_equal(times[seq], seq < 3 ? 0 : seq == 3 ? 1 : 2);
        assert_false(w->owed[seq]);
    }
}

/* Asked for while the rows of an earlier wish are being read: none is left out. */
static void a_wish_to_resend_in_the_middle_of_one(void **state)
{
    struct world *w = *state;
    start(w, &usual, 1);
    connect_broker(w, 65535);
    for (int i = 0; i < 200; i++) {
        commit(w);
        fill(w);
        assert_int_equal(publish(w), i + 1);
        (void)acknowledge(w, i + 1, OUTBOX_ACK_OK);
    }
    fill(w);
    (void)ask_again(w, 50);
    assert_true(ask(w, false));
    (void)ask_again(w, 20); /* 50 to 99 are on their way, and 150 to 200 aren't even asked for */
    answer(w);
    for (int64_t seq; fill(w), (seq = publish(w)) != 0;)
        (void)acknowledge(w, seq, OUTBOX_ACK_OK);
    for (int64_t seq = 1; seq <= 200; seq++)
        assert_false(w->owed[seq]);
    (void)ask_again(w, 50);
    assert_true(ask(w, false));
    answer(w);
    for (int64_t seq; (seq = publish(w)) != 0;)
        (void)acknowledge(w, seq, OUTBOX_ACK_OK);
    (void)ask_again(w, 20); /* 50 to 99 are through */
    for (int64_t seq; fill(w), (seq = publish(w)) != 0;)
        (void)acknowledge(w, seq, OUTBOX_ACK_OK);
    for (int64_t seq = 1; seq <= 200; seq++)
        assert_false(w->owed[seq]);
}

static void a_live_row_is_read_however_little_room_there_is(void **state)
{
    struct world *w = *state;
    struct outbox_settings wide = usual;
    wide.window = OUTBOX_WINDOW_MAX;
    start(w, &wide, 1);
    connect_broker(w, 65535);
    commit_many(w, 99);
    fill(w);
    for (int64_t seq = 1; seq <= 99; seq++)
        assert_int_equal(publish(w), seq);
    commit_many(w, 2);
    assert_true(ask(w, false));
    assert_int_equal(w->request.batch->count, 1);
    answer(w);
    assert_false(ask(w, false));
    assert_int_equal(publish(w), 100);
}

/* Of what is acknowledged but not marked so much is borne, and of history less, so that it can't stand in the way. */
static void a_journal_that_cant_mark_stops_history_first(void **state)
{
    struct world *w = *state;
    const int history = OUTBOX_ACKED_MAX - JOURNAL_BATCH_MAX;
    int sent = 0;
    start(w, &usual, 1);
    w->cant_mark = true;
    commit_many(w, 400);
    connect_broker(w, 65535);
    for (int turn = 0; turn < 2000; turn++) {
        const int64_t seq = publish(w);
        if (seq != 0)
            (void)acknowledge(w, seq, OUTBOX_ACK_OK);
        sent += seq != 0;
        (void)ask(w, false);
        answer(w);
        if (turn == 1000) {
            assert_int_equal(sent, history);
            commit_many(w, 200);
        }
    }
    assert_int_equal(sent, OUTBOX_ACKED_MAX); /* of live rows a hundred more */
    assert_int_equal(w->outbox.acked_count, OUTBOX_ACKED_MAX);
    assert_true(w->acked[401] && w->acked[500] && !w->acked[501]);
    w->cant_mark = false;
    w->now_us = outbox_deadline_us(&w->outbox, true);
    for (int64_t seq; fill(w), (seq = publish(w)) != 0;)
        (void)acknowledge(w, seq, OUTBOX_ACK_OK);
    fill(w);
    for (int64_t seq = 1; seq <= 600; seq++)
        assert_true(w->marked[seq]);
}

static void a_refused_backfill_doesnt_keep_what_was_asked_for(void **state)
{
    struct world *w = *state;
    start(w, &usual, 1);
    connect_broker(w, 65535);
    commit(w);
    fill(w);
    assert_int_equal(publish(w), 1);
    (void)acknowledge(w, 1, OUTBOX_ACK_OK);
    fill(w);
    commit(w);
    connect_broker(w, 65535);
    fill(w);
    assert_int_equal(publish(w), 2);
    assert_true(acknowledge(w, 2, OUTBOX_ACK_REFUSED));
    (void)ask_again(w, 1);
    fill(w);
    assert_int_equal(publish(w), 1);
    assert_int_equal(w->sending.tag % 4, OUTBOX_RESEND);
}

static void marks_wait_for_company_but_not_long(void **state)
{
    struct world *w = *state;
    start(w, &usual, 1);
    connect_broker(w, 65535);
    commit_many(w, 4);
    fill(w);
    for (int i = 0; i < 4; i++)
        assert_true(publish(w) > 0);
    (void)acknowledge(w, 1, OUTBOX_ACK_OK);
    assert_false(ask(w, false)); /* others may follow soon … */
    assert_int_equal(outbox_deadline_us(&w->outbox, true), w->now_us + OUTBOX_MARK_US);
    w->now_us += OUTBOX_MARK_US - 1;
    (void)acknowledge(w, 3, OUTBOX_ACK_OK);
    assert_false(ask(w, false));
    w->now_us++;
    assert_true(ask(w, false)); /* … but the first of them not later */
    assert_int_equal(w->request.batch->count, 2);
    (void)acknowledge(w, 2, OUTBOX_ACK_OK); /* while the journal is at it */
    answer(w);
    assert_false(ask(w, false));
    (void)acknowledge(w, 4, OUTBOX_ACK_OK);
    assert_true(ask(w, false)); /* nothing else is under way: at once */
    assert_int_equal(w->request.batch->count, 2);
    assert_false(outbox_settled(&w->outbox));
    answer(w);
    assert_true(outbox_settled(&w->outbox));
}

static void a_full_batch_is_marked_at_once(void **state)
{
    struct world *w = *state;
    struct outbox_settings wide = usual;
    wide.window = OUTBOX_WINDOW_MAX;
    start(w, &wide, 1);
    connect_broker(w, 65535);
    commit_many(w, 200);
    for (int acks = 0; acks < JOURNAL_BATCH_MAX; acks++) {
        if (publish(w) == 0) {
            fill(w);
            assert_true(publish(w) > 0);
        }
        (void)acknowledge(w, w->sending.event->seq, OUTBOX_ACK_OK);
        if (acks == JOURNAL_BATCH_MAX - 2) {
            fill(w);
            assert_int_equal(w->outbox.acked_count, JOURNAL_BATCH_MAX - 1);
        }
    }
    assert_true(ask(w, false));
    assert_int_equal(w->request.op, JOURNAL_MARK);
    assert_int_equal(w->request.batch->count, JOURNAL_BATCH_MAX);
}

static void at_the_end_what_is_acknowledged_is_marked(void **state)
{
    struct world *w = *state;
    start(w, &usual, 1);
    connect_broker(w, 65535);
    commit_many(w, 8);
    fill(w);
    assert_int_equal(publish(w), 1);
    assert_int_equal(publish(w), 2);
    (void)acknowledge(w, 1, OUTBOX_ACK_OK);
    outbox_end(&w->outbox);
    assert_int_equal(publish(w), 0);
    assert_false(outbox_settled(&w->outbox));
    commit(w);
    assert_true(ask(w, false));
    assert_int_equal(w->request.op, JOURNAL_MARK);
    answer(w);
    assert_true(outbox_settled(&w->outbox));
    assert_false(ask(w, false));
}

int main(void)
{
    const struct CMUnitTest streams[] = {
        cmocka_unit_test(a_wish_to_resend_in_the_middle_of_one),
        cmocka_unit_test(a_live_row_is_read_however_little_room_there_is),
        cmocka_unit_test(a_journal_that_cant_mark_stops_history_first),
        cmocka_unit_test(a_live_row_goes_before_the_backlog), cmocka_unit_test(where_one_fits_live_goes_first),
        cmocka_unit_test(a_refusal_holds_up_its_own_stream_only), cmocka_unit_test(resent_rows_come_after_the_backfill),
        cmocka_unit_test(two_wishes_to_resend_are_one),
        cmocka_unit_test(a_refused_backfill_doesnt_keep_what_was_asked_for),
        cmocka_unit_test(marks_wait_for_company_but_not_long), cmocka_unit_test(a_full_batch_is_marked_at_once),
        cmocka_unit_test(at_the_end_what_is_acknowledged_is_marked),
    };
    return cmocka_run_group_tests(streams, setup, teardown);
}
