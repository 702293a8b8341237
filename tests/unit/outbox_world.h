/* Journal and broker as the outbox pump should see them: a model that knows what was acknowledged, and asserts at each step
 * what always holds. For test_outbox*.c, after cmocka.h. */
#ifndef TEST_OUTBOX_WORLD_H
#define TEST_OUTBOX_WORLD_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/mqtt/outbox.h"

enum { ROWS_MAX = 4096 };
static const struct outbox_settings usual = {
    .window = 4, .ack_timeout_us = 20000000, .backoff_min_us = 1000000, .backoff_max_us = 30000000};

struct world {
    struct outbox outbox;
    int64_t now_us;
    uint32_t random;
    int64_t committed;                 /* rows 1 … committed exist */
    int64_t boundary;                  /* … and so many did when the connection stood */
    bool gone[ROWS_MAX + 1];           /* but for these */
    int64_t unreadable;                /* this one is damaged, 0: none */
    bool cant_mark;                    /* the disk takes nothing, but can be read */
    bool acked[ROWS_MAX + 1];          /* the broker said yes, to the first sending */
    bool marked[ROWS_MAX + 1];         /* the journal was told */
    bool owed[ROWS_MAX + 1];           /* asked for again, and not acknowledged since */
    int sends[ROWS_MAX + 1];
    /* By stream: handed over on this connection and unanswered; handed over on it at all; the newest such. */
    bool in_flight[OUTBOX_STREAM_COUNT][ROWS_MAX + 1];
    int connections, sent_on[OUTBOX_STREAM_COUNT][ROWS_MAX + 1];
    int64_t newest[OUTBOX_STREAM_COUNT];
    int flying, flying_history;
    bool asked; /* main carried a request to the journal */
    struct journal_request request;
    struct journal_answer answer;
    struct journal_batch batch; /* as the journal left it: nobody may touch it before the answer */
    struct outbox_sending sending; /* the last one */
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
    outbox_row_committed(&w->outbox, w->committed);
}

static void commit_many(struct world *w, int count)
{
    for (int i = 0; i < count; i++)
        commit(w);
}

static void journal_marks(struct world *w, const struct journal_batch *batch)
{
    assert_in_range(batch->count, 1, JOURNAL_BATCH_MAX);
    for (int i = 0; i < batch->count; i++) {
        assert_true(w->acked[batch->seqs[i]]); /* never marked without an acknowledgement */
        assert_false(w->marked[batch->seqs[i]]);
        w->marked[batch->seqs[i]] = true;
    }
}

static void journal_reads(struct world *w, int64_t after_seq, struct journal_batch *batch)
{
    const int room = batch->count;
    assert_in_range(room, 1, OUTBOX_READ_ROWS);
    assert_in_range(batch->until_seq, after_seq + 1, w->committed);
    batch->count = 0;
    for (int64_t row = after_seq + 1; row <= batch->until_seq && batch->count < room; row++) {
        if (row == w->unreadable) {
            w->answer.error = batch->count == 0 ? -84 : 0;
            return;
        }
        if (w->gone[row] || (w->marked[row] && !batch->sent_too))
            continue;
        batch->events[batch->count] = (struct event){.seq = row};
        (void)snprintf(batch->events[batch->count++].event_id, JOURNAL_ID_BYTES, "%032x", (unsigned)row);
    }
}

/* main's publisher_wants() -> journal_submit(); `fail`: the disk does. True: something was asked. */
static bool ask(struct world *w, bool fail)
{
    struct journal_request again = {.op = JOURNAL_PING};
    w->request = again;
    if (w->asked || !outbox_wants(&w->outbox, w->now_us, &w->request))
        return false;
    assert_true(outbox_wants(&w->outbox, w->now_us, &again));
    assert_memory_equal(&again, &w->request, offsetof(struct journal_request, payload));
    w->asked = true;
    fail = fail || (w->cant_mark && w->request.op == JOURNAL_MARK);
    w->answer = (struct journal_answer){.op = w->request.op, .error = fail ? -5 : 0};
    if (!fail && w->request.op == JOURNAL_MARK)
        journal_marks(w, w->request.batch);
    else if (!fail && w->request.op == JOURNAL_READ)
        journal_reads(w, w->request.after_seq, w->request.batch);
    else
        assert_true(fail);
    w->batch = *w->request.batch;
    return true;
}

static void answer(struct world *w)
{
    if (!w->asked)
        return;
    w->asked = false;
    assert_memory_equal(&w->batch, &w->outbox.batch, sizeof w->batch);
    outbox_answer(&w->outbox, &w->answer, w->now_us);
}

static bool live_could_go(const struct world *w)
{
    const struct outbox_stream *live = &w->outbox.streams[OUTBOX_LIVE];
    for (int i = 0; i < live->count; i++)
        if (live->rows[(live->first + i) % OUTBOX_ROWS_MAX].state == OUTBOX_ROW_WAITING)
            return w->now_us >= live->send_at_us && (live->refusals == 0 || live->in_flight == 0);
    return false;
}

/* The seq of what was published, 0: nothing. */
static int64_t publish(struct world *w)
{
    const int window = w->outbox.settings.window, most = w->outbox.receive_max < window ? w->outbox.receive_max : window;
    char id[JOURNAL_ID_BYTES];
    if (!outbox_publish(&w->outbox, w->now_us, &w->sending))
        return 0;
    const struct event *event = w->sending.event;
    const int64_t seq = event->seq;
    const int stream = (int)(w->sending.tag % 4);
    assert_in_range(seq, 1, w->committed);
    assert_int_equal(outbox_tag_seq(w->sending.tag), seq);
    assert_int_equal(w->sending.historical, stream != OUTBOX_LIVE);
    (void)snprintf(id, sizeof id, "%032x", (unsigned)seq);
    assert_string_equal(event->event_id, id);
    assert_false(w->in_flight[stream][seq]);
    if (stream != OUTBOX_RESEND) {
        assert_int_equal(w->sending.historical, seq <= w->boundary);
        assert_false(w->acked[seq]); /* what is acknowledged is never sent again while we run */
    }
    if (w->sending.historical)
        assert_false(live_could_go(w));
    if (w->sent_on[stream][seq] != w->connections && stream != OUTBOX_RESEND) {
        assert_true(seq > w->newest[stream]); /* in order, but for what is sent again on this connection */
        w->newest[stream] = seq;
    }
    w->sent_on[stream][seq] = w->connections;
    w->sends[seq]++;
    w->in_flight[stream][seq] = true;
    w->flying++;
    w->flying_history += w->sending.historical;
    assert_true(w->flying <= most);
    assert_true(w->flying_history <= (most == 1 ? 1 : most - (most + 3) / 4));
    return seq;
}

static bool acknowledge_as(struct world *w, int stream, int64_t seq, enum outbox_ack ack)
{
    if (!w->in_flight[stream][seq])
        return false;
    w->in_flight[stream][seq] = false;
    w->flying--;
    w->flying_history -= stream != OUTBOX_LIVE;
    if (ack == OUTBOX_ACK_OK && stream != OUTBOX_RESEND)
        w->acked[seq] = true;
    if (ack == OUTBOX_ACK_OK && stream == OUTBOX_RESEND)
        w->owed[seq] = false;
    return outbox_acked(&w->outbox, (uint64_t)seq * 4 + (uint64_t)stream, ack, w->now_us, draw(w));
}

/* Where a row is in flight once only. */
static bool acknowledge(struct world *w, int64_t seq, enum outbox_ack ack)
{
    for (int s = 0; s < OUTBOX_STREAM_COUNT; s++)
        if (w->in_flight[s][seq])
            return acknowledge_as(w, s, seq, ack);
    fail_msg("%d isn't in flight", (int)seq);
    return false;
}

static void cut(struct world *w)
{
    memset(w->in_flight, 0, sizeof w->in_flight);
    w->flying = w->flying_history = 0;
}

static void connect_broker(struct world *w, int receive_max)
{
    cut(w);
    w->connections++;
    w->boundary = w->committed;
    memset(w->newest, 0, sizeof w->newest);
    outbox_connected(&w->outbox, receive_max);
}

static void disconnect_broker(struct world *w)
{
    cut(w);
    outbox_disconnected(&w->outbox);
}

static void fill(struct world *w)
{
    while (ask(w, false))
        answer(w);
}

static int64_t ask_again(struct world *w, int64_t from)
{
    for (int64_t seq = from < 1 ? 1 : from; seq <= w->committed; seq++)
        w->owed[seq] = !w->gone[seq];
    return outbox_resend(&w->outbox, from);
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

#endif
