/* The outbox pump: a few told stories, then 100,000 random steps a seed against a model of journal and broker that knows
 * what was acknowledged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/mqtt/outbox.h"

enum { ROWS_MAX = 4096, STEPS = 100000 };
static const struct outbox_settings usual = {
    .window = 4, .ack_timeout_us = 20000000, .backoff_min_us = 1000000, .backoff_max_us = 30000000};

/* Journal and broker as the pump should see them. */
struct world {
    struct outbox outbox;
    int64_t now_us;
    uint32_t random;
    int64_t committed;                 /* rows 1 … committed exist */
    bool acked[ROWS_MAX + 1];          /* the broker said yes */
    bool marked[ROWS_MAX + 1];         /* the journal was told */
    bool in_flight[ROWS_MAX + 1];      /* handed over on this connection, unanswered */
    int sends[ROWS_MAX + 1];
    int64_t newest_first_send;
    int flying;
    bool asked; /* main carried a request to the journal */
    struct journal_answer answer;
};

static uint32_t draw(struct world *w)
{
    w->random ^= w->random << 13;
    w->random ^= w->random >> 17;
    w->random ^= w->random << 5;
    return w->random;
}

static void start(struct world *w, const struct outbox_settings *settings, uint32_t seed)
{
    memset(w, 0, sizeof *w);
    w->random = seed;
    w->now_us = 1;
    outbox_init(&w->outbox, settings);
}

static void commit(struct world *w)
{
    if (w->committed == ROWS_MAX)
        return;
    w->committed++;
    outbox_row_committed(&w->outbox);
}

/* main's publisher_wants() -> journal_submit(); `fail`: the disk does. */
static void ask(struct world *w, bool fail)
{
    enum journal_op op = JOURNAL_PING, again_op = JOURNAL_PING;
    int64_t seq = -1, again_seq = -2;
    if (w->asked || !outbox_wants(&w->outbox, w->now_us, &op, &seq))
        return;
    assert_true(outbox_wants(&w->outbox, w->now_us, &again_op, &again_seq));
    assert_int_equal(op, again_op);
    assert_int_equal(seq, again_seq);
    w->asked = true;
    w->answer = (struct journal_answer){.op = op, .error = fail ? -5 : 0};
    if (fail)
        return;
    if (op == JOURNAL_MARK_SENT) {
        assert_true(w->acked[seq]); /* never marked without an acknowledgement */
        w->marked[seq] = true;
        return;
    }
    assert_int_equal(op, JOURNAL_READ_UNSENT);
    for (int64_t row = seq + 1; row <= w->committed && !w->answer.found; row++) {
        if (w->marked[row])
            continue;
        w->answer.found = true;
        w->answer.event.seq = row;
        (void)snprintf(w->answer.event.event_id, sizeof w->answer.event.event_id, "%032x", (unsigned)row);
    }
}

static void answer(struct world *w)
{
    if (!w->asked)
        return;
    w->asked = false;
    outbox_answer(&w->outbox, &w->answer, w->now_us);
}

static int64_t publish(struct world *w)
{
    const struct event *event = outbox_publish(&w->outbox, w->now_us);
    char id[JOURNAL_ID_BYTES];
    if (event == NULL)
        return 0;
    assert_in_range(event->seq, 1, w->committed);
    (void)snprintf(id, sizeof id, "%032x", (unsigned)event->seq);
    assert_string_equal(event->event_id, id);
    assert_false(w->marked[event->seq]);
    assert_false(w->acked[event->seq]); /* what is acknowledged is never sent again while we run */
    assert_false(w->in_flight[event->seq]);
    if (w->sends[event->seq]++ == 0) {
        assert_true(event->seq > w->newest_first_send);
        w->newest_first_send = event->seq;
    }
    w->in_flight[event->seq] = true;
    w->flying++;
    assert_true(w->flying <= w->outbox.settings.window && w->flying <= w->outbox.receive_max);
    return event->seq;
}

static void acknowledge(struct world *w, int64_t seq, enum outbox_ack ack)
{
    if (!w->in_flight[seq])
        return;
    w->in_flight[seq] = false;
    w->flying--;
    w->acked[seq] = ack == OUTBOX_ACK_OK;
    outbox_acked(&w->outbox, seq, ack, w->now_us, draw(w));
}

static void connect_broker(struct world *w, int receive_max)
{
    memset(w->in_flight, 0, sizeof w->in_flight);
    w->flying = 0;
    outbox_connected(&w->outbox, receive_max);
}

static void disconnect_broker(struct world *w)
{
    memset(w->in_flight, 0, sizeof w->in_flight);
    w->flying = 0;
    outbox_disconnected(&w->outbox);
}

static void fill(struct world *w)
{
    for (int i = 0; i < 2 * OUTBOX_WINDOW_MAX; i++) {
        ask(w, false);
        answer(w);
    }
}

static void silent_without_a_connection(void **state)
{
    struct world *w = *state;
    enum journal_op op;
    int64_t seq;
    start(w, &usual, 1);
    commit(w);
    assert_false(outbox_wants(&w->outbox, w->now_us, &op, &seq));
    assert_int_equal(publish(w), 0);
    assert_int_equal(outbox_deadline_us(&w->outbox, true), INT64_MAX);
}

static void window_bounds_and_order(void **state)
{
    struct world *w = *state;
    start(w, &usual, 1);
    for (int i = 0; i < 10; i++)
        commit(w);
    connect_broker(w, 65535);
    fill(w);
    for (int64_t seq = 1; seq <= 4; seq++)
        assert_int_equal(publish(w), seq);
    assert_int_equal(publish(w), 0);
    acknowledge(w, 2, OUTBOX_ACK_OK);
    fill(w);
    assert_int_equal(publish(w), 0); /* 2 is done, but 1 still holds the window's edge */
    acknowledge(w, 1, OUTBOX_ACK_OK);
    fill(w);
    assert_int_equal(publish(w), 5);
    assert_int_equal(publish(w), 6);
    assert_int_equal(publish(w), 0);
}

static void brokers_own_bound_counts(void **state)
{
    struct world *w = *state;
    start(w, &usual, 1);
    for (int i = 0; i < 4; i++)
        commit(w);
    connect_broker(w, 2);
    fill(w);
    assert_int_equal(publish(w), 1);
    assert_int_equal(publish(w), 2);
    assert_int_equal(publish(w), 0);
}

static void a_lost_connection_sends_again_in_order(void **state)
{
    struct world *w = *state;
    start(w, &usual, 1);
    for (int i = 0; i < 4; i++)
        commit(w);
    connect_broker(w, 65535);
    fill(w);
    for (int i = 0; i < 4; i++)
        assert_true(publish(w) > 0);
    acknowledge(w, 3, OUTBOX_ACK_OK);
    disconnect_broker(w);
    assert_int_equal(publish(w), 0);
    connect_broker(w, 65535);
    fill(w);
    assert_int_equal(publish(w), 1);
    assert_int_equal(publish(w), 2);
    assert_int_equal(publish(w), 4);
    assert_int_equal(publish(w), 0);
}

static void refusals_back_off_one_row_feeling_the_way(void **state)
{
    struct world *w = *state;
    int64_t last_wait_us = 0;
    start(w, &usual, 1);
    for (int i = 0; i < 8; i++)
        commit(w);
    connect_broker(w, 65535);
    fill(w);
    for (int i = 0; i < 4; i++)
        assert_true(publish(w) > 0);
    for (int64_t seq = 1; seq <= 4; seq++)
        acknowledge(w, seq, OUTBOX_ACK_REFUSED);
    assert_int_equal(w->outbox.refusals, 1); /* one failure, though four rows came back */
    for (int i = 0; i < 12; i++) {
        int64_t wait_us = outbox_deadline_us(&w->outbox, true) - w->now_us;
        assert_in_range(wait_us, usual.backoff_min_us, usual.backoff_max_us);
        last_wait_us = wait_us > last_wait_us ? wait_us : last_wait_us;
        w->now_us += wait_us - 1;
        assert_int_equal(publish(w), 0);
        w->now_us++;
        assert_int_equal(publish(w), 1);
        assert_int_equal(publish(w), 0);
        acknowledge(w, 1, OUTBOX_ACK_REFUSED);
    }
    assert_true(last_wait_us > 8000000);
    w->now_us = outbox_deadline_us(&w->outbox, true);
    assert_int_equal(publish(w), 1);
    acknowledge(w, 1, OUTBOX_ACK_OK);
    for (int64_t seq = 2; seq <= 4; seq++)
        assert_int_equal(publish(w), seq);
    fill(w);
    assert_int_equal(publish(w), 5);
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
    ask(w, true);
    answer(w);
    ask(w, false);
    assert_false(w->asked);
    w->now_us = outbox_deadline_us(&w->outbox, true);
    fill(w);
    assert_int_equal(publish(w), 1);
    acknowledge(w, 1, OUTBOX_ACK_OK);
    ask(w, true);
    answer(w);
    assert_false(w->marked[1]);
    w->now_us = outbox_deadline_us(&w->outbox, true);
    ask(w, false);
    answer(w);
    assert_true(w->marked[1]);
    assert_int_equal(w->outbox.count, 0);
}

static void who_may_not_ask_isnt_woken_to_ask(void **state)
{
    struct world *w = *state;
    start(w, &usual, 1);
    commit(w);
    connect_broker(w, 65535);
    assert_int_equal(outbox_deadline_us(&w->outbox, true), 0);
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
    ask(w, false); /* the answer is "none" … */
    commit(w);     /* … and out of date when it arrives */
    answer(w);
    fill(w);
    assert_int_equal(publish(w), 1);
}

static void a_row_offered_twice_is_taken_once(void **state)
{
    struct world *w = *state;
    struct journal_answer again;
    start(w, &usual, 1);
    commit(w);
    connect_broker(w, 65535);
    ask(w, false);
    again = w->answer;
    answer(w);
    outbox_answer(&w->outbox, &again, w->now_us); /* nobody asked */
    ask(w, false);
    outbox_answer(&w->outbox, &again, w->now_us); /* asked, but for newer ones */
    assert_int_equal(w->outbox.count, 1);
}

static void acknowledge_any(struct world *w, enum outbox_ack ack)
{
    int64_t from = 1 + draw(w) % ROWS_MAX;
    for (int64_t i = 0; i < ROWS_MAX && w->flying > 0; i++) {
        int64_t seq = (from + i - 1) % ROWS_MAX + 1;
        if (w->in_flight[seq]) {
            acknowledge(w, seq, ack);
            return;
        }
    }
}

static void random_step(struct world *w)
{
    switch (draw(w) % 16) {
    case 0: commit(w); break;
    case 1: connect_broker(w, draw(w) % 4 == 0 ? (int)(draw(w) % 4) : 65535); break;
    case 2:
        if (draw(w) % 4 == 0)
            disconnect_broker(w);
        break;
    case 3:
    case 4: ask(w, draw(w) % 8 == 0); break;
    case 5:
    case 6: answer(w); break;
    case 7:
    case 8:
    case 9: (void)publish(w); break;
    case 10:
    case 11: acknowledge_any(w, OUTBOX_ACK_OK); break;
    case 12: acknowledge_any(w, draw(w) % 2 ? OUTBOX_ACK_REFUSED : OUTBOX_ACK_LOST); break;
    case 13: outbox_acked(&w->outbox, (int64_t)(draw(w) % (ROWS_MAX + 50)) - 20, OUTBOX_ACK_REFUSED, w->now_us, 0); break;
    case 14: w->now_us += draw(w) % 3000000; break;
    default: outbox_row_committed(&w->outbox); break;
    }
    assert_true(w->outbox.count <= w->outbox.settings.window);
}

/* Case 13 answers rows nobody is waiting for, or that were lost on the way: the model has to know of the second kind. */
static void forget_stray(struct world *w)
{
    for (int i = 0; i < w->outbox.count; i++) {
        const struct outbox_row *row = &w->outbox.rows[(w->outbox.first + i) % OUTBOX_WINDOW_MAX];
        if (row->state != OUTBOX_ROW_IN_FLIGHT && w->in_flight[row->event.seq]) {
            w->in_flight[row->event.seq] = false;
            w->flying--;
        }
    }
}

/* A good broker and a good disk: everything must be sent and marked, in a bounded number of steps, by deadlines alone. */
static void settle(struct world *w)
{
    connect_broker(w, 65535);
    for (int i = 0; i < 20 * ROWS_MAX; i++) {
        int64_t at_us;
        ask(w, false);
        answer(w);
        while (publish(w) != 0)
            continue;
        acknowledge_any(w, OUTBOX_ACK_OK);
        at_us = outbox_deadline_us(&w->outbox, true);
        if (at_us > w->now_us && w->flying == 0 && !w->asked) {
            if (at_us > w->now_us + 40000000) /* nothing but the look once a minute is left */
                return;
            w->now_us = at_us;
        }
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
        for (int i = 0; i < STEPS; i++) {
            random_step(w);
            forget_stray(w);
        }
        settle(w);
        assert_true(w->committed > 1000);
        for (int64_t seq = 1; seq <= w->committed; seq++) {
            assert_true(w->sends[seq] > 0);
            assert_true(w->acked[seq]);
            assert_true(w->marked[seq]);
        }
        assert_int_equal(w->outbox.count, 0);
        assert_int_equal(w->outbox.in_flight, 0);
    }
}

static int setup(void **state)
{
    *state = malloc(sizeof(struct world));
    return *state == NULL ? -1 : 0;
}

static int teardown(void **state)
{
    free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest outbox[] = {
        cmocka_unit_test(silent_without_a_connection), cmocka_unit_test(window_bounds_and_order),
        cmocka_unit_test(brokers_own_bound_counts), cmocka_unit_test(a_lost_connection_sends_again_in_order),
        cmocka_unit_test(refusals_back_off_one_row_feeling_the_way), cmocka_unit_test(silence_of_the_broker_is_noticed),
        cmocka_unit_test(a_failing_journal_is_asked_again_later),
        cmocka_unit_test(who_may_not_ask_isnt_woken_to_ask),
        cmocka_unit_test(a_row_committed_while_the_journal_says_none_is_found),
        cmocka_unit_test(a_row_offered_twice_is_taken_once), cmocka_unit_test(random_histories),
    };
    return cmocka_run_group_tests(outbox, setup, teardown);
}
