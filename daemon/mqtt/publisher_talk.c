/* What the client has to tell the publisher, and what a broker that says nothing leads to. Main thread. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "daemon/mqtt/publisher_parts.h"

#define ECHO_WAIT_MAX_US INT64_C(3600000000)

static void connected(struct publisher *p, const struct mqtt_event *event)
{
    p->connected = true;
    p->reset_asked = false;
    p->counts.broker_connects++;
    p->last_failure[0] = '\0';
    for (int i = 0; i < PUMP_COUNT; i++)
        if (publisher_pump(i)->connected != NULL)
            publisher_pump(i)->connected(p, event);
    (void)fprintf(stderr, "<5>mqtt: connected\n");
    if (p->keeps_session && p->counts.broker_connects > 1 && !event->session_present)
        (void)fprintf(stderr, "<4>mqtt: the broker forgot the session: what was published for this lane meanwhile is lost to "
                      "it. Let the broker keep sessions (persistence, expiry), and send those declarations again\n");
}

static void not_connected(struct publisher *p, const char *what, const char *text)
{
    p->connected = p->reset_asked = false;
    for (int i = 0; i < PUMP_COUNT; i++)
        if (publisher_pump(i)->disconnected != NULL)
            publisher_pump(i)->disconnected(p);
    p->counts.presence_shared = false;
    p->echo_due_us = 0;
    if (strcmp(p->last_failure, text) != 0)
        (void)fprintf(stderr, "<4>mqtt: %s: %s; trying again\n", what, text);
    (void)snprintf(p->last_failure, sizeof p->last_failure, "%s", text);
}

/* A broker that never answered: the unit, as shipped, reaches this machine alone, and the kernel doesn't say that it was the
 * unit. */
static void tell_of_unit(struct publisher *p, const struct mqtt_event *event)
{
    if (!p->is_elsewhere || p->counts.broker_connects > 0 || !event->unreached)
        return;
    p->is_elsewhere = false;
    (void)fprintf(stderr, "<4>mqtt: mqtt.host isn't this machine: is its address, and the name server's, in the unit's IPAddressAllow "
                  "(systemctl edit qrgated@LANE)?\n");
}

static void answered(struct publisher *p, const struct mqtt_event *event)
{
    static const enum outbox_ack ack_of[] = {
        [MQTT_RESULT_OK] = OUTBOX_ACK_OK, [MQTT_RESULT_REFUSED] = OUTBOX_ACK_REFUSED, [MQTT_RESULT_LOST] = OUTBOX_ACK_LOST};
    const uint64_t pump = event->tag >> PUBLISHER_NUMBER_BITS;
    if (pump < PUMP_COUNT && publisher_pump((int)pump)->answered != NULL)
        publisher_pump((int)pump)->answered(p, event->tag & ((UINT64_C(1) << PUBLISHER_NUMBER_BITS) - 1), ack_of[event->result],
                                            event->text);
}

static void subscribed(struct publisher *p, const struct mqtt_event *event)
{
    if (event->result == MQTT_RESULT_OK) {
        p->refusal_told[event->tag] = false;
    } else {
        p->counts.subscriptions_refused++;
        if (!p->refusal_told[event->tag])
            (void)fprintf(stderr, "<4>mqtt: the broker refuses the subscription to \"%s\": %s; let this client read that "
                          "topic with QoS 1. Asked again every %d s\n", p->topics.filter[event->tag], event->text,
                          MQTT_SUBSCRIBE_AGAIN_MS / 1000);
        p->refusal_told[event->tag] = true;
    }
    publisher_state_changed(p);
}

void publisher_take_events(struct publisher *p)
{
    struct mqtt_event event;
    while (mqtt_client_take(p->client, &event)) {
        switch (event.kind) {
        case MQTT_CONNECTED: connected(p, &event); break;
        case MQTT_CONNECT_FAILED:
            not_connected(p, "no connection", event.text);
            tell_of_unit(p, &event);
            break;
        case MQTT_LOST: not_connected(p, "connection lost", event.text); break;
        case MQTT_ANSWERED: answered(p, &event); break;
        case MQTT_FILES_BAD: (void)fprintf(stderr, "<4>mqtt: %s\n", event.text); break;
        case MQTT_SUBSCRIBED: subscribed(p, &event); break;
        }
    }
    p->counts.retained_ignored = (int64_t)mqtt_client_retained_ignored(p->client);
    if (p->counts.retained_ignored > 0 && !p->retained_told) {
        p->retained_told = true;
        (void)fprintf(stderr, "<4>mqtt: a message published as retained was ignored, as all such are, for it would come again "
                      "and again; publish declarations, revocations and passages without the retain flag\n");
    }
}

/* Our own passages come back by the subscription. A broker may grant that and send nothing: mosquitto for want of rights, and
 * 2.0.11 also after a message larger than we take. Then the other lanes aren't heard either; a new connection mends the
 * latter, and is tried ever more rarely. */
void publisher_expect_echo(struct publisher *p, const struct event *event)
{
    if (p->echo_due_us != 0 || message_topic(event->kind) != TOPIC_PASSAGE ||
        !mqtt_client_subscribed(p->client, INBOUND_PASSAGE))
        return;
    p->heard_before = mqtt_client_heard(p->client);
    p->echo_due_us = p->now_us + p->echo_wait_us;
}

void publisher_listen_for_echo(struct publisher *p)
{
    if ((p->echo_due_us == 0 && !p->deaf) || mqtt_client_heard(p->client) == p->heard_before)
        return;
    p->echo_due_us = 0;
    p->echo_wait_us = p->echo_usual_us;
    if (p->deaf) {
        p->deaf = false;
        publisher_state_changed(p);
    }
}

void publisher_reset_where_stuck(struct publisher *p)
{
    bool stuck = false;
    for (int i = 0; i < PUMP_COUNT; i++)
        stuck = stuck || (publisher_pump(i)->stuck != NULL && publisher_pump(i)->stuck(p));
    if (!stuck && (p->echo_due_us == 0 || p->now_us < p->echo_due_us))
        return;
    if (stuck) {
        (void)fprintf(stderr, "<4>mqtt: the broker doesn't acknowledge; connecting anew\n");
    } else {
        (void)fprintf(stderr, "<4>mqtt: the broker sends nothing, not even this lane's own passages; let this client read "
                      "\"%s\". Connecting anew\n", p->topics.filter[INBOUND_PASSAGE]);
        p->deaf = true;
        p->echo_wait_us = p->echo_wait_us < ECHO_WAIT_MAX_US / 2 ? 2 * p->echo_wait_us : ECHO_WAIT_MAX_US;
    }
    p->reset_asked = true;
    mqtt_client_reset(p->client);
}
