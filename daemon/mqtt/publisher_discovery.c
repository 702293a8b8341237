/* Home Assistant at the publisher: the lane's device on its discovery topic, retained, after each connection, when it changed, and
 * when Home Assistant says that it has started (a broker may have lost what it kept); an empty message when it is switched off,
 * which takes the device away. Main thread. */
#include <stdio.h>
#include <string.h>

#include "daemon/mqtt/discovery.h"
#include "daemon/mqtt/publisher_parts.h"

/* SPREAD: all lanes hear Home Assistant start at once, and it has its hands full then. REFUSED: somebody may have mended the
 * broker's rights meanwhile. */
enum { RETRY_US = 5000000, SPREAD_US = 3000000, REFUSED_US = 60000000 };

static void set_due(struct publisher *p, int64_t at_us)
{
    p->discovery.due = true;
    p->discovery.at_us = at_us;
}

static void connected(struct publisher *p, const struct mqtt_event *event)
{
    (void)event;
    if (p->discovery.on)
        set_due(p, p->now_us);
}

static void disconnected(struct publisher *p)
{
    p->discovery.due = p->discovery.due || p->discovery.in_flight;
    p->discovery.in_flight = false;
}

static int write_device(struct publisher *p, char text[MESSAGE_LONG_BYTES])
{
    const struct discovery discovery = {.topics = &p->topics, .prefix = p->prefix, .site = p->info.site, .lane = p->info.lane,
                                        .version = p->info.version, .may_open = p->discovery.may_open};
    text[0] = '\0';
    return p->discovery.on ? discovery_write(&discovery, text, MESSAGE_LONG_BYTES) : 0;
}

static void publish(struct publisher *p)
{
    char text[MESSAGE_LONG_BYTES];
    if (!p->discovery.due || p->discovery.in_flight || p->now_us < p->discovery.at_us)
        return;
    const int length = write_device(p, text);
    if (publisher_send(p, PUMP_DISCOVERY, 0, TOPIC_DISCOVERY, text, length) < 0) {
        p->discovery.at_us = p->now_us + RETRY_US;
        return;
    }
    p->discovery.due = false;
    p->discovery.in_flight = true;
}

static void answered(struct publisher *p, uint64_t number, enum outbox_ack ack, const char *why)
{
    (void)number;
    p->discovery.in_flight = false;
    if (ack == OUTBOX_ACK_OK) {
        p->discovery.refusal_told = false;
        return;
    }
    if (ack == OUTBOX_ACK_REFUSED && !p->discovery.refusal_told) {
        p->discovery.refusal_told = true;
        (void)fprintf(stderr, "<4>mqtt: the broker refuses what mqtt.home_assistant publishes: %s; let this client write "
                      "\"%s\"\n", why, p->topics.text[TOPIC_DISCOVERY]);
    }
    set_due(p, p->now_us + (ack == OUTBOX_ACK_REFUSED ? REFUSED_US : RETRY_US));
}

static int64_t deadline_us(const struct publisher *p, bool may_ask)
{
    (void)may_ask;
    return p->connected && p->discovery.due && !p->discovery.in_flight ? p->discovery.at_us : INT64_MAX;
}

const struct pump publisher_discovery_pump = {
    .connected = connected, .disconnected = disconnected, .publish = publish, .answered = answered, .deadline_us = deadline_us,
};

void publisher_take_status(struct publisher *p, const struct inbox_message *message)
{
    static const char online[] = "online";
    if (p->discovery.on && message->length_bytes == sizeof online - 1 && memcmp(message->text, online, sizeof online - 1) == 0 &&
        !p->discovery.due)
        set_due(p, p->now_us + (int64_t)(publisher_random(p) % SPREAD_US));
}

void publisher_discovery_rules(struct publisher *p, const struct command_rules *rules)
{
    const bool may_open = rules->auth == COMMAND_AUTH_ACL && (rules->verbs & 1u << COMMAND_OPEN) != 0;
    if (p->discovery.on && p->discovery.may_open != may_open)
        set_due(p, p->now_us);
    p->discovery.may_open = may_open;
}

void publisher_home_assistant(struct publisher *p, bool on)
{
    if (p->client == NULL || p->discovery.on == on)
        return;
    p->discovery.on = on;
    set_due(p, p->now_us);
    mqtt_client_home_assistant(p->client, on);
}
