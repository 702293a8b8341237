/* The outbox's pump at the publisher: the journal's rows out. Main thread. */
#include <inttypes.h>
#include <stdio.h>

#include "daemon/mqtt/publisher_parts.h"

static void connected(struct publisher *p, const struct mqtt_event *event)
{
    outbox_connected(&p->outbox, event->receive_max);
}

static void disconnected(struct publisher *p)
{
    outbox_disconnected(&p->outbox);
}

static bool wants(struct publisher *p, struct journal_request *ret_request)
{
    return outbox_wants(&p->outbox, p->now_us, ret_request);
}

static void answer(struct publisher *p, const struct journal_answer *answer)
{
    outbox_answer(&p->outbox, answer, p->now_us);
}

static void publish(struct publisher *p)
{
    char text[MESSAGE_BYTES];
    struct outbox_sending row;
    while (outbox_publish(&p->outbox, p->now_us, &row)) {
        int length = message_event(row.event, p->has_sensor, row.historical, text, sizeof text);
        if (publisher_send(p, PUMP_OUTBOX, row.tag, message_topic(row.event->kind), text, length) < 0)
            (void)outbox_acked(&p->outbox, row.tag, OUTBOX_ACK_LOST, p->now_us, publisher_random(p));
        else
            publisher_expect_echo(p, row.event);
    }
}

static void answered(struct publisher *p, uint64_t number, enum outbox_ack ack, const char *why)
{
    if (outbox_acked(&p->outbox, number, ack, p->now_us, publisher_random(p)))
        (void)fprintf(stderr, "<4>mqtt: the broker refuses event seq %" PRId64 ": %s; look at its limits and rights. "
                      "It is kept and sent again\n", outbox_tag_seq(number), why);
}

static bool stuck(const struct publisher *p)
{
    return outbox_stuck(&p->outbox, p->now_us);
}

static int64_t deadline_us(const struct publisher *p, bool may_ask)
{
    /* While the reset is under way nothing in the outbox can be due but questions to the journal. */
    return p->reset_asked ? INT64_MAX : outbox_deadline_us(&p->outbox, may_ask);
}

static bool settled(struct publisher *p)
{
    outbox_end(&p->outbox);
    return outbox_settled(&p->outbox);
}

void publisher_row_committed(struct publisher *p, int64_t seq)
{
    outbox_row_committed(&p->outbox, seq);
}

int64_t publisher_resend(struct publisher *p, int64_t from_seq)
{
    return p->client != NULL ? outbox_resend(&p->outbox, from_seq) : 0;
}

const struct pump publisher_outbox_pump = {
    .connected = connected, .disconnected = disconnected, .wants = wants, .answer = answer, .publish = publish,
    .answered = answered, .stuck = stuck, .deadline_us = deadline_us, .settled = settled,
};
