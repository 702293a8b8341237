/* The muster list's pump at the publisher. Main thread. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "daemon/mqtt/publisher_parts.h"

static void connected(struct publisher *p, const struct mqtt_event *event)
{
    (void)event;
    muster_connected(&p->muster);
}

static void disconnected(struct publisher *p)
{
    muster_disconnected(&p->muster);
}

static bool wants(struct publisher *p, struct journal_request *ret_request)
{
    return muster_wants(&p->muster, p->now_us, publisher_unix_us(), ret_request);
}

static void answer(struct publisher *p, const struct journal_answer *answer)
{
    if (!muster_answer(&p->muster, answer, p->now_us, publisher_random(p)))
        (void)fprintf(stderr, "<3>mqtt: the journal doesn't say who is inside (%s); it is asked again. To print it: qrgatectl "
                      "inside\n", strerror(-answer->error));
}

static void publish(struct publisher *p)
{
    char text[MESSAGE_BYTES];
    struct message_muster page;
    while (muster_publish(&p->muster, p->now_us, &page)) {
        page.clock_trusted = p->state_known && p->state.clock_trusted;
        page.presence_shared = publisher_connected(p);
        int length = message_muster(&page, text, sizeof text);
        if (publisher_send(p, PUMP_MUSTER, p->muster.run, TOPIC_MUSTER, text, length) < 0)
            muster_put_off(&p->muster, p->now_us);
        else
            muster_sent(&p->muster, page.count, p->now_us);
    }
}

static void answered(struct publisher *p, uint64_t number, enum outbox_ack ack, const char *why)
{
    if (ack == OUTBOX_ACK_REFUSED && p->muster.broker_failures == 0)
        (void)fprintf(stderr, "<3>mqtt: the broker refuses the muster list: %s; look at its limits and rights. It is sent "
                      "again. To print it: qrgatectl inside\n", why);
    if (muster_acked(&p->muster, (uint32_t)number, ack, p->now_us, publisher_random(p)))
        (void)fprintf(stderr, "<5>mqtt: the muster list is published: %" PRId64 " inside\n", p->muster.inside);
}

static bool stuck(const struct publisher *p)
{
    return muster_stuck(&p->muster, p->now_us);
}

static int64_t deadline_us(const struct publisher *p, bool may_ask)
{
    return p->reset_asked ? INT64_MAX : muster_deadline_us(&p->muster, may_ask);
}

const struct pump publisher_muster_pump = {
    .urgent = true, .connected = connected, .disconnected = disconnected, .wants = wants, .answer = answer,
    .publish = publish, .answered = answered, .stuck = stuck, .deadline_us = deadline_us,
};
