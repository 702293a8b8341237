/* The outbox pump. Pure; turned by the publisher in the main thread. */
#include "daemon/mqtt/outbox.h"

#include <string.h>

#include "daemon/mqtt/backoff.h"

enum { OUTBOX_RETRY_US = 1000000, OUTBOX_LOOK_US = 60000000 };

static struct outbox_row *row_at(struct outbox *outbox, int i)
{
    return &outbox->rows[(outbox->first + i) % OUTBOX_WINDOW_MAX];
}

static const struct outbox_row *row_const(const struct outbox *outbox, int i)
{
    return &outbox->rows[(outbox->first + i) % OUTBOX_WINDOW_MAX];
}

/* The oldest row in `state`, or NULL. */
static const struct outbox_row *oldest(const struct outbox *outbox, enum outbox_row_state state)
{
    for (int i = 0; i < outbox->count; i++)
        if (row_const(outbox, i)->state == state)
            return row_const(outbox, i);
    return NULL;
}

static struct outbox_row *find(struct outbox *outbox, int64_t seq)
{
    for (int i = 0; i < outbox->count; i++)
        if (row_at(outbox, i)->event.seq == seq)
            return row_at(outbox, i);
    return NULL;
}

static int limit(const struct outbox *outbox)
{
    if (outbox->refusals > 0)
        return 1; /* feel the way: one row, the oldest */
    return outbox->receive_max < outbox->settings.window ? outbox->receive_max : outbox->settings.window;
}

void outbox_init(struct outbox *outbox, const struct outbox_settings *settings)
{
    memset(outbox, 0, sizeof *outbox);
    outbox->settings = *settings;
    if (outbox->settings.window < 1)
        outbox->settings.window = 1;
    if (outbox->settings.window > OUTBOX_WINDOW_MAX)
        outbox->settings.window = OUTBOX_WINDOW_MAX;
    outbox->more = true;
}

void outbox_connected(struct outbox *outbox, int receive_max)
{
    outbox_disconnected(outbox); /* a lost "disconnected" must not leave rows in flight for ever */
    outbox->connected = true;
    outbox->receive_max = receive_max < 1 ? 1 : receive_max;
}

void outbox_disconnected(struct outbox *outbox)
{
    for (int i = 0; i < outbox->count; i++)
        if (row_at(outbox, i)->state == OUTBOX_ROW_IN_FLIGHT)
            row_at(outbox, i)->state = OUTBOX_ROW_WAITING;
    outbox->in_flight = 0;
    outbox->connected = false;
}

void outbox_row_committed(struct outbox *outbox)
{
    outbox->more = true;
}

static bool has_room(const struct outbox *outbox)
{
    return outbox->connected && outbox->count < outbox->settings.window;
}

bool outbox_wants(struct outbox *outbox, int64_t now_us, enum journal_op *ret_op, int64_t *ret_seq)
{
    if (!outbox->asked) {
        const struct outbox_row *acked = oldest(outbox, OUTBOX_ROW_ACKED);
        if (now_us < outbox->ask_at_us)
            return false;
        if (acked != NULL) {
            outbox->asked_op = JOURNAL_MARK_SENT;
            outbox->asked_seq = acked->event.seq;
        } else if (has_room(outbox) && (outbox->more || now_us >= outbox->look_at_us)) {
            outbox->asked_op = JOURNAL_READ_UNSENT;
            outbox->asked_seq = outbox->newest_seq;
            outbox->more = false; /* a hint that comes while the answer is under way counts for the next one */
            outbox->look_at_us = now_us + OUTBOX_LOOK_US;
        } else {
            return false;
        }
        outbox->asked = true;
    }
    *ret_op = outbox->asked_op;
    *ret_seq = outbox->asked_seq;
    return true;
}

static void drop_done(struct outbox *outbox)
{
    while (outbox->count > 0 && row_at(outbox, 0)->state == OUTBOX_ROW_DONE) {
        outbox->first = (outbox->first + 1) % OUTBOX_WINDOW_MAX;
        outbox->count--;
    }
}

static void take_row(struct outbox *outbox, const struct event *event)
{
    /* A row that isn't newer was read before: taking it twice would send it twice. */
    if (event->seq <= outbox->newest_seq || outbox->count >= outbox->settings.window)
        return;
    *row_at(outbox, outbox->count++) = (struct outbox_row){.event = *event, .state = OUTBOX_ROW_WAITING};
    outbox->newest_seq = event->seq;
    outbox->more = true;
}

void outbox_answer(struct outbox *outbox, const struct journal_answer *answer, int64_t now_us)
{
    struct outbox_row *row;
    if (!outbox->asked || answer->op != outbox->asked_op)
        return;
    outbox->asked = false;
    if (answer->error != 0) {
        outbox->ask_at_us = now_us + OUTBOX_RETRY_US;
        outbox->more = true;
        return;
    }
    if (answer->op == JOURNAL_READ_UNSENT) {
        if (answer->found)
            take_row(outbox, &answer->event);
        return;
    }
    row = find(outbox, outbox->asked_seq);
    if (row != NULL && row->state == OUTBOX_ROW_ACKED)
        row->state = OUTBOX_ROW_DONE;
    drop_done(outbox);
}

const struct event *outbox_publish(struct outbox *outbox, int64_t now_us)
{
    struct outbox_row *row = NULL;
    if (!outbox->connected || now_us < outbox->send_at_us || outbox->in_flight >= limit(outbox))
        return NULL;
    for (int i = 0; i < outbox->count && row == NULL; i++)
        if (row_at(outbox, i)->state == OUTBOX_ROW_WAITING)
            row = row_at(outbox, i);
    if (row == NULL)
        return NULL;
    row->state = OUTBOX_ROW_IN_FLIGHT;
    row->sent_at_us = now_us;
    outbox->in_flight++;
    return &row->event;
}

void outbox_acked(struct outbox *outbox, int64_t seq, enum outbox_ack ack, int64_t now_us, uint32_t random)
{
    struct outbox_row *row = find(outbox, seq);
    int64_t wait_us;
    /* WAITING too: an acknowledgement that a disconnection overtook is as good as any. */
    if (row == NULL || row->state == OUTBOX_ROW_ACKED || row->state == OUTBOX_ROW_DONE ||
        (row->state == OUTBOX_ROW_WAITING && ack != OUTBOX_ACK_OK))
        return;
    if (row->state == OUTBOX_ROW_IN_FLIGHT)
        outbox->in_flight--;
    if (ack == OUTBOX_ACK_OK) {
        row->state = OUTBOX_ROW_ACKED;
        if (row->refused) { /* only what was refused can show that the broker changed its mind */
            outbox->refusals = 0;
            outbox->send_at_us = now_us;
        }
        row->refused = false;
        return;
    }
    row->state = OUTBOX_ROW_WAITING;
    if (ack == OUTBOX_ACK_REFUSED) {
        /* A whole window may come back refused: that is one failure of the broker, not twenty. */
        if (now_us >= outbox->send_at_us || outbox->refusals == 0)
            outbox->refusals++;
        row->refused = true;
        wait_us = backoff_us(outbox->refusals, outbox->settings.backoff_min_us, outbox->settings.backoff_max_us, random);
    } else {
        wait_us = outbox->settings.backoff_min_us;
    }
    if (outbox->send_at_us < now_us + wait_us)
        outbox->send_at_us = now_us + wait_us;
}

/* The row sent longest ago and not answered; rows sent again are not in order of time. */
static int64_t oldest_sent_us(const struct outbox *outbox)
{
    int64_t sent_us = INT64_MAX;
    for (int i = 0; i < outbox->count; i++) {
        const struct outbox_row *row = row_const(outbox, i);
        if (row->state == OUTBOX_ROW_IN_FLIGHT && row->sent_at_us < sent_us)
            sent_us = row->sent_at_us;
    }
    return sent_us;
}

bool outbox_stuck(const struct outbox *outbox, int64_t now_us)
{
    int64_t sent_us = oldest_sent_us(outbox);
    return outbox->connected && sent_us != INT64_MAX && now_us - sent_us >= outbox->settings.ack_timeout_us;
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t outbox_deadline_us(const struct outbox *outbox, bool may_ask)
{
    int64_t at_us = INT64_MAX, sent_us = oldest_sent_us(outbox);
    if (may_ask && !outbox->asked) {
        if (oldest(outbox, OUTBOX_ROW_ACKED) != NULL || (has_room(outbox) && outbox->more))
            at_us = outbox->ask_at_us;
        else if (has_room(outbox))
            at_us = outbox->look_at_us > outbox->ask_at_us ? outbox->look_at_us : outbox->ask_at_us;
    }
    if (!outbox->connected)
        return at_us;
    if (outbox->in_flight < limit(outbox) && oldest(outbox, OUTBOX_ROW_WAITING) != NULL)
        at_us = earlier(at_us, outbox->send_at_us);
    if (sent_us != INT64_MAX)
        at_us = earlier(at_us, sent_us + outbox->settings.ack_timeout_us);
    return at_us;
}
