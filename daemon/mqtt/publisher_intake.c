/* The intake's pump at the publisher: declarations, revocations and other lanes' passages in, results out. Main thread. */
#include <inttypes.h>
#include <stdio.h>

#include "daemon/mqtt/publisher_parts.h"

enum { COMPLAIN_EVERY_US = 10000000, REQUESTS_AT_ONCE = 4 /* a signature takes its time, and a relay may be due */ };

static void disconnected(struct publisher *p)
{
    intake_disconnected(&p->intake);
}

/* Hostile messages come in floods: one line in the log for a while of them. `why` holds no person's number. */
static void complain(struct publisher *p, enum inbound_topic topic, const char *why)
{
    if (why == NULL || p->now_us - p->complained_us < COMPLAIN_EVERY_US)
        return;
    p->complained_us = p->now_us;
    (void)fprintf(stderr, "<4>mqtt: a message on %s was rejected: %s (%" PRId64 " so far)\n", inbound_topic_name(topic), why,
                  p->counts.declarations_rejected + p->counts.revocations_rejected + p->counts.passages_rejected);
}

/* From the inbox until one message is for the journal; not for ever, as others may come as fast as they are refused. */
static void receive(struct publisher *p)
{
    bool clock_trusted = p->state_known && p->state.clock_trusted;
    int requests = 0;
    p->look_again = false;
    for (int i = 0; i < INBOX_MAX && intake_has_room(&p->intake); i++) {
        if (!mqtt_client_receive(p->client, &p->message))
            return;
        if (p->message.came.topic == INBOUND_REQUEST) {
            publisher_take_request(p, &p->message);
            if (++requests == REQUESTS_AT_ONCE)
                break;
            continue;
        }
        if (p->message.came.topic == INBOUND_HOME_ASSISTANT) {
            publisher_take_status(p, &p->message);
            continue;
        }
        complain(p, p->message.came.topic, intake_give(&p->intake, &p->message, publisher_unix_us(), clock_trusted));
    }
    p->look_again = intake_has_room(&p->intake);
}

static bool wants(struct publisher *p, struct journal_request *ret_request)
{
    receive(p);
    return intake_wants(&p->intake, p->now_us, ret_request);
}

static void answer(struct publisher *p, const struct journal_answer *answer)
{
    complain(p, p->intake.result.of,
             intake_answer(&p->intake, answer, p->now_us, publisher_unix_us(), publisher_random(p)));
}

static void publish(struct publisher *p)
{
    char text[MESSAGE_BYTES];
    const struct message_result *result;
    int place;
    while ((result = intake_publish(&p->intake, p->now_us, &place)) != NULL) {
        const int length = message_result(result, text, sizeof text);
        if (publisher_send(p, PUMP_INTAKE, (uint64_t)place, TOPIC_RESULT, text, length) < 0)
            intake_acked(&p->intake, place, OUTBOX_ACK_LOST, p->now_us);
    }
}

static void answered(struct publisher *p, uint64_t number, enum outbox_ack ack, const char *why)
{
    (void)why;
    intake_acked(&p->intake, (int)number, ack, p->now_us);
}

static bool stuck(const struct publisher *p)
{
    return intake_stuck(&p->intake, p->now_us);
}

static int64_t deadline_us(const struct publisher *p, bool may_ask)
{
    int64_t at_us = intake_deadline_us(&p->intake, p->connected && !p->reset_asked, may_ask);
    return may_ask && p->look_again && p->now_us < at_us ? p->now_us : at_us;
}

static bool settled(struct publisher *p)
{
    mqtt_client_stop_receiving(p->client);
    return p->asker != PUMP_INTAKE && !p->intake.held && mqtt_client_all_received(p->client);
}

const struct pump publisher_intake_pump = {
    .disconnected = disconnected, .wants = wants, .answer = answer, .publish = publish, .answered = answered,
    .stuck = stuck, .deadline_us = deadline_us, .settled = settled,
};
