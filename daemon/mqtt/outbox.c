/* The outbox pump. Pure; turned by the publisher in the main thread. */
#include "daemon/mqtt/outbox.h"

#include <string.h>

#include "daemon/mqtt/backoff.h"

enum { RETRY_US = 1000000, TAG_STREAMS = 4 };

static const struct outbox_row *row_const(const struct outbox_stream *stream, int i)
{
    return &stream->rows[(stream->first + i) % OUTBOX_ROWS_MAX];
}

static struct outbox_row *row_at(struct outbox_stream *stream, int i)
{
    return &stream->rows[(stream->first + i) % OUTBOX_ROWS_MAX];
}

/* The first row in `state`, its place, or -1. */
static int oldest(const struct outbox_stream *stream, enum outbox_row_state state)
{
    for (int i = 0; i < stream->count; i++)
        if (row_const(stream, i)->state == state)
            return i;
    return -1;
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* ---- what may be in flight ---- */

static int limit(const struct outbox *outbox)
{
    return outbox->receive_max < outbox->settings.window ? outbox->receive_max : outbox->settings.window;
}

/* A quarter is kept for live rows; where only one fits, they take turns, live first. */
static int history_limit(const struct outbox *outbox)
{
    int most = limit(outbox) - (limit(outbox) + 3) / 4;
    return most < 1 ? 1 : most;
}

/* RESEND's turn: the backfill is done with, or its rows aren't wanted at present. */
static bool has_turn(const struct outbox *outbox, enum outbox_stream_name name)
{
    const struct outbox_stream *backfill = &outbox->streams[OUTBOX_BACKFILL];
    return name != OUTBOX_RESEND || backfill->refusals > 0 ||
           (backfill->count == 0 && backfill->read_seq >= backfill->until_seq);
}

/* But for the time: there is a row to send, and room for it. */
static bool can_send(const struct outbox *outbox, enum outbox_stream_name name)
{
    const struct outbox_stream *stream = &outbox->streams[name];
    const int history = outbox->streams[OUTBOX_BACKFILL].in_flight + outbox->streams[OUTBOX_RESEND].in_flight;
    const int all = outbox->streams[OUTBOX_LIVE].in_flight + history;
    /* Each may come back acknowledged, and must have a place then. Also there live rows find room. */
    const int places = name == OUTBOX_LIVE ? OUTBOX_ACKED_MAX : OUTBOX_ACKED_MAX - JOURNAL_BATCH_MAX;
    if (!outbox->connected || outbox->ending || all >= limit(outbox) || all + outbox->acked_count >= places)
        return false;
    if (name != OUTBOX_LIVE && (history >= history_limit(outbox) || !has_turn(outbox, name)))
        return false;
    if (stream->refusals > 0 && stream->in_flight > 0)
        return false; /* feel the way: one row, the oldest */
    return oldest(stream, OUTBOX_ROW_WAITING) >= 0;
}

/* ---- beginnings and ends ---- */

void outbox_init(struct outbox *outbox, const struct outbox_settings *settings)
{
    memset(outbox, 0, sizeof *outbox);
    outbox->settings = *settings;
    if (outbox->settings.window < 1)
        outbox->settings.window = 1;
    if (outbox->settings.window > OUTBOX_WINDOW_MAX)
        outbox->settings.window = OUTBOX_WINDOW_MAX;
}

static void begin(struct outbox_stream *stream, int64_t read_seq, int64_t until_seq)
{
    stream->first = stream->count = stream->in_flight = stream->refusals = 0;
    stream->send_at_us = stream->read_at_us = 0;
    stream->read_seq = read_seq;
    stream->until_seq = until_seq;
}

void outbox_connected(struct outbox *outbox, int receive_max)
{
    struct outbox_stream *resend = &outbox->streams[OUTBOX_RESEND];
    const int64_t boundary = outbox->newest_seq;
    int64_t resent_seq = resend->read_seq;
    for (int i = resend->count - 1; i >= 0; i--)
        if (row_at(resend, i)->state != OUTBOX_ROW_DONE)
            resent_seq = row_at(resend, i)->event.seq - 1;
    begin(&outbox->streams[OUTBOX_LIVE], boundary, boundary);
    begin(&outbox->streams[OUTBOX_BACKFILL], 0, boundary);
    begin(resend, resent_seq, resend->until_seq);
    outbox->asked_before = outbox->asked;
    outbox->connected = true;
    outbox->receive_max = receive_max < 1 ? 1 : receive_max;
}

void outbox_disconnected(struct outbox *outbox)
{
    for (int s = 0; s < OUTBOX_STREAM_COUNT; s++) {
        struct outbox_stream *stream = &outbox->streams[s];
        for (int i = 0; i < stream->count; i++)
            if (row_at(stream, i)->state == OUTBOX_ROW_IN_FLIGHT)
                row_at(stream, i)->state = OUTBOX_ROW_WAITING;
        stream->in_flight = 0;
    }
    outbox->connected = false;
}

void outbox_row_committed(struct outbox *outbox, int64_t seq)
{
    outbox->newest_seq = later(outbox->newest_seq, seq);
    outbox->streams[OUTBOX_LIVE].until_seq = outbox->newest_seq;
}

/* Before anything is read for it: what was asked for meanwhile. */
static void begin_resend(struct outbox *outbox)
{
    struct outbox_stream *resend = &outbox->streams[OUTBOX_RESEND];
    const bool asked = outbox->asked && outbox->asked_op == JOURNAL_READ && outbox->asked_for == OUTBOX_RESEND;
    if (outbox->resend_from == 0 || resend->count > 0 || asked)
        return;
    if (resend->read_seq >= resend->until_seq || outbox->resend_from <= resend->read_seq)
        resend->read_seq = outbox->resend_from - 1;
    resend->until_seq = outbox->newest_seq;
    outbox->resend_from = 0;
}

int64_t outbox_resend(struct outbox *outbox, int64_t from_seq)
{
    if (from_seq < 1)
        from_seq = 1;
    if (from_seq > outbox->newest_seq)
        return 0;
    if (outbox->resend_from == 0 || from_seq < outbox->resend_from)
        outbox->resend_from = from_seq;
    begin_resend(outbox);
    return outbox->newest_seq;
}

void outbox_end(struct outbox *outbox)
{
    outbox->ending = true;
}

bool outbox_settled(const struct outbox *outbox)
{
    return outbox->acked_count == 0 && !outbox->asked;
}

/* ---- with the journal ---- */

static bool wants_rows(const struct outbox *outbox, enum outbox_stream_name name)
{
    const struct outbox_stream *stream = &outbox->streams[name];
    /* Live rows at once; of history it is enough to fetch a good number now and then. */
    const int room = OUTBOX_ROWS_MAX - stream->count, least = name == OUTBOX_LIVE ? 1 : OUTBOX_READ_ROWS;
    return outbox->connected && !outbox->ending && stream->read_seq < stream->until_seq && room >= least &&
           has_turn(outbox, name);
}

static bool idle(const struct outbox *outbox)
{
    for (int s = 0; s < OUTBOX_STREAM_COUNT; s++)
        if (outbox->streams[s].count > 0 || wants_rows(outbox, (enum outbox_stream_name)s))
            return false;
    return true;
}

/* Marking costs a sync of the disk: many at once, but none held back for long. INT64_MAX: there is none. */
static int64_t mark_due_us(const struct outbox *outbox)
{
    const bool now = outbox->acked_count >= JOURNAL_BATCH_MAX || outbox->ending || idle(outbox);
    if (outbox->acked_count == 0)
        return INT64_MAX;
    return later(outbox->mark_at_us, now ? outbox->acked_since_us : outbox->acked_since_us + OUTBOX_MARK_US);
}

static void ask_to_mark(struct outbox *outbox)
{
    outbox->asked_op = JOURNAL_MARK;
    outbox->asked_count = outbox->acked_count < JOURNAL_BATCH_MAX ? outbox->acked_count : JOURNAL_BATCH_MAX;
    memcpy(outbox->batch.seqs, outbox->acked, (size_t)outbox->asked_count * sizeof outbox->acked[0]);
}

static void ask_for_rows(struct outbox *outbox, enum outbox_stream_name name)
{
    const struct outbox_stream *stream = &outbox->streams[name];
    const int room = OUTBOX_ROWS_MAX - stream->count;
    outbox->asked_op = JOURNAL_READ;
    outbox->asked_for = name;
    outbox->asked_before = false;
    outbox->asked_count = room < OUTBOX_READ_ROWS ? room : OUTBOX_READ_ROWS;
    outbox->asked_seq = stream->read_seq;
    outbox->batch.sent_too = name == OUTBOX_RESEND;
    outbox->batch.until_seq = stream->until_seq;
}

static bool choose(struct outbox *outbox, int64_t now_us)
{
    begin_resend(outbox);
    if (now_us >= mark_due_us(outbox)) {
        ask_to_mark(outbox);
        return true;
    }
    for (int s = 0; s < OUTBOX_STREAM_COUNT; s++) {
        if (wants_rows(outbox, (enum outbox_stream_name)s) && now_us >= outbox->streams[s].read_at_us) {
            ask_for_rows(outbox, (enum outbox_stream_name)s);
            return true;
        }
    }
    return false;
}

bool outbox_wants(struct outbox *outbox, int64_t now_us, struct journal_request *ret_request)
{
    if (!outbox->asked) {
        outbox->asked = choose(outbox, now_us);
        if (!outbox->asked)
            return false;
        outbox->batch.count = outbox->asked_count;
    }
    ret_request->op = outbox->asked_op;
    ret_request->after_seq = outbox->asked_seq;
    ret_request->batch = &outbox->batch;
    return true;
}

static bool is_acked(const struct outbox *outbox, int64_t seq)
{
    for (int i = 0; i < outbox->acked_count; i++)
        if (outbox->acked[i] == seq)
            return true;
    return false;
}

static void take_rows(struct outbox *outbox)
{
    struct outbox_stream *stream = &outbox->streams[outbox->asked_for];
    const struct journal_batch *batch = &outbox->batch;
    for (int i = 0; i < batch->count && i < outbox->asked_count; i++) {
        const struct event *event = &batch->events[i];
        /* A row that isn't newer was read before: taking it twice would send it twice. */
        if (event->seq <= stream->read_seq || event->seq > batch->until_seq)
            continue;
        stream->read_seq = event->seq;
        if (outbox->asked_for != OUTBOX_RESEND && is_acked(outbox, event->seq))
            continue;
        *row_at(stream, stream->count++) = (struct outbox_row){.event = *event, .state = OUTBOX_ROW_WAITING};
    }
    if (batch->count == 0) /* fewer than there was room for prove nothing: the next may be one that can't be read */
        stream->read_seq = batch->until_seq;
}

static void forget_marked(struct outbox *outbox, int64_t now_us)
{
    outbox->acked_count -= outbox->asked_count;
    memmove(outbox->acked, outbox->acked + outbox->asked_count, (size_t)outbox->acked_count * sizeof outbox->acked[0]);
    outbox->acked_since_us = now_us;
}

void outbox_answer(struct outbox *outbox, const struct journal_answer *answer, int64_t now_us)
{
    if (!outbox->asked || answer->op != outbox->asked_op)
        return;
    outbox->asked = false;
    if (answer->error != 0 && outbox->asked_op == JOURNAL_MARK)
        outbox->mark_at_us = now_us + RETRY_US;
    else if (answer->error != 0)
        outbox->streams[outbox->asked_for].read_at_us = now_us + RETRY_US;
    else if (outbox->asked_op == JOURNAL_MARK)
        forget_marked(outbox, now_us);
    else if (!outbox->asked_before)
        take_rows(outbox);
}

/* ---- with the broker ---- */

bool outbox_publish(struct outbox *outbox, int64_t now_us, struct outbox_sending *ret)
{
    for (int s = 0; s < OUTBOX_STREAM_COUNT; s++) {
        struct outbox_stream *stream = &outbox->streams[s];
        struct outbox_row *row;
        if (now_us < stream->send_at_us || !can_send(outbox, (enum outbox_stream_name)s))
            continue;
        row = row_at(stream, oldest(stream, OUTBOX_ROW_WAITING));
        row->state = OUTBOX_ROW_IN_FLIGHT;
        row->sent_at_us = now_us;
        stream->in_flight++;
        *ret = (struct outbox_sending){.event = &row->event, .historical = s != OUTBOX_LIVE,
                                       .tag = (uint64_t)row->event.seq * TAG_STREAMS + (uint64_t)s};
        return true;
    }
    return false;
}

int64_t outbox_tag_seq(uint64_t tag)
{
    return (int64_t)(tag / TAG_STREAMS);
}

static void done(struct outbox *outbox, struct outbox_stream *stream, struct outbox_row *row, int64_t now_us)
{
    row->state = OUTBOX_ROW_DONE;
    if (row->refused) { /* only what was refused can show that the broker changed its mind */
        stream->refusals = 0;
        stream->send_at_us = now_us;
    }
    /* What was resent was marked before, or is still one of the other streams'. */
    if (stream != &outbox->streams[OUTBOX_RESEND] && outbox->acked_count < OUTBOX_ACKED_MAX) {
        if (outbox->acked_count == 0)
            outbox->acked_since_us = now_us;
        outbox->acked[outbox->acked_count++] = row->event.seq;
    }
    while (stream->count > 0 && row_at(stream, 0)->state == OUTBOX_ROW_DONE) {
        stream->first = (stream->first + 1) % OUTBOX_ROWS_MAX;
        stream->count--;
    }
}

static struct outbox_row *find(struct outbox_stream *stream, int64_t seq)
{
    for (int i = 0; i < stream->count; i++)
        if (row_at(stream, i)->event.seq == seq)
            return row_at(stream, i);
    return NULL;
}

bool outbox_acked(struct outbox *outbox, uint64_t tag, enum outbox_ack ack, int64_t now_us, uint32_t random)
{
    const struct outbox_settings *settings = &outbox->settings;
    struct outbox_stream *stream = tag % TAG_STREAMS < OUTBOX_STREAM_COUNT ? &outbox->streams[tag % TAG_STREAMS] : NULL;
    struct outbox_row *row = stream != NULL ? find(stream, outbox_tag_seq(tag)) : NULL;
    int64_t wait_us = settings->backoff_min_us;
    bool first = false;
    /* WAITING too: an acknowledgement that a disconnection overtook is as good as any. */
    if (row == NULL || row->state == OUTBOX_ROW_DONE || (row->state == OUTBOX_ROW_WAITING && ack != OUTBOX_ACK_OK))
        return false;
    if (row->state == OUTBOX_ROW_IN_FLIGHT)
        stream->in_flight--;
    if (ack == OUTBOX_ACK_OK) {
        done(outbox, stream, row, now_us);
        return false;
    }
    row->state = OUTBOX_ROW_WAITING;
    if (ack == OUTBOX_ACK_REFUSED) {
        first = stream->refusals == 0;
        /* A whole window may come back refused: that is one failure of the broker, not twenty. */
        if (now_us >= stream->send_at_us || first)
            stream->refusals++;
        row->refused = true;
        wait_us = backoff_us(stream->refusals, settings->backoff_min_us, settings->backoff_max_us, random);
    }
    stream->send_at_us = later(stream->send_at_us, now_us + wait_us);
    return first;
}

/* The row sent longest ago and not answered; rows sent again are not in order of time. */
static int64_t oldest_sent_us(const struct outbox *outbox)
{
    int64_t sent_us = INT64_MAX;
    for (int s = 0; s < OUTBOX_STREAM_COUNT; s++) {
        const struct outbox_stream *stream = &outbox->streams[s];
        for (int i = 0; i < stream->count && stream->in_flight > 0; i++)
            if (row_const(stream, i)->state == OUTBOX_ROW_IN_FLIGHT)
                sent_us = earlier(sent_us, row_const(stream, i)->sent_at_us);
    }
    return sent_us;
}

bool outbox_stuck(const struct outbox *outbox, int64_t now_us)
{
    int64_t sent_us = oldest_sent_us(outbox);
    return outbox->connected && sent_us != INT64_MAX && now_us - sent_us >= outbox->settings.ack_timeout_us;
}

int64_t outbox_deadline_us(const struct outbox *outbox, bool may_ask)
{
    int64_t at_us = INT64_MAX, sent_us = oldest_sent_us(outbox);
    if (may_ask && !outbox->asked) {
        at_us = mark_due_us(outbox);
        for (int s = 0; s < OUTBOX_STREAM_COUNT; s++)
            if (wants_rows(outbox, (enum outbox_stream_name)s))
                at_us = earlier(at_us, outbox->streams[s].read_at_us);
    }
    if (!outbox->connected)
        return at_us;
    for (int s = 0; s < OUTBOX_STREAM_COUNT; s++)
        if (can_send(outbox, (enum outbox_stream_name)s))
            at_us = earlier(at_us, outbox->streams[s].send_at_us);
    return sent_us == INT64_MAX ? at_us : earlier(at_us, sent_us + outbox->settings.ack_timeout_us);
}
