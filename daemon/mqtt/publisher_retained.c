/* Messages of which only the newest counts, at the publisher: a row of the table each. Main thread. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/mqtt/publisher_parts.h"

enum { EVERY_US = 1000000, COUNTS_EVERY_US = 10000000, RETRY_US = 5000000 };

static int write_availability(struct publisher *p, char text[MESSAGE_BYTES])
{
    (void)p;
    return snprintf(text, MESSAGE_BYTES, "online");
}

static int write_info(struct publisher *p, char text[MESSAGE_BYTES])
{
    return message_info(&p->info, text, MESSAGE_BYTES);
}

static int write_state(struct publisher *p, char text[MESSAGE_BYTES])
{
    if (!p->state_known)
        return 0;
    p->counts_told = p->counts;
    p->state_told_us = p->now_us;
    return message_state(&p->state, &p->counts, p->info.version, text, MESSAGE_BYTES);
}

static int write_health(struct publisher *p, char text[MESSAGE_BYTES])
{
    return p->health_known ? message_health(&p->health, text, MESSAGE_BYTES) : 0;
}

static int write_chain_head(struct publisher *p, char text[MESSAGE_BYTES])
{
    return p->chain_head.head.seq > 0 ? message_chain_head(&p->chain_head, text, MESSAGE_BYTES) : 0;
}

/* Each is sent after every connection, and when .due was set, at most once a second. */
static const struct {
    enum topic topic;
    int (*write)(struct publisher *p, char text[MESSAGE_BYTES]); /* the length; 0: nothing is known yet */
} table[RETAINED_COUNT] = {
    [RETAINED_AVAILABILITY] = {TOPIC_AVAILABILITY, write_availability},
    [RETAINED_INFO] = {TOPIC_INFO, write_info},
    [RETAINED_STATE] = {TOPIC_STATE, write_state},
    [RETAINED_HEALTH] = {TOPIC_HEALTH, write_health},
    [RETAINED_CHAIN_HEAD] = {TOPIC_CHAIN_HEAD, write_chain_head},
};

static void connected(struct publisher *p, const struct mqtt_event *event)
{
    (void)event;
    for (int i = 0; i < RETAINED_COUNT; i++)
        p->retained[i] = (struct retained_item){.due = true, .at_us = p->now_us};
}

static void publish(struct publisher *p)
{
    char text[MESSAGE_BYTES];
    /* The counts change with every passage: told now and then, not each time. */
    if (memcmp(&p->counts, &p->counts_told, sizeof p->counts) != 0 && p->now_us - p->state_told_us >= COUNTS_EVERY_US)
        p->retained[RETAINED_STATE].due = true;
    for (int i = 0; i < RETAINED_COUNT; i++) {
        struct retained_item *item = &p->retained[i];
        int length;
        if (!item->due || item->in_flight || p->now_us < item->at_us)
            continue;
        length = table[i].write(p, text);
        if (length == 0)
            item->due = false;
        else if (publisher_send(p, PUMP_RETAINED, (uint64_t)i, table[i].topic, text, length) < 0)
            item->at_us = p->now_us + RETRY_US;
        else
            *item = (struct retained_item){.in_flight = true, .at_us = p->now_us + EVERY_US};
    }
}

static void answered(struct publisher *p, uint64_t number, enum outbox_ack ack, const char *why)
{
    (void)why;
    if (number >= RETAINED_COUNT)
        return;
    p->retained[number].in_flight = false;
    if (ack != OUTBOX_ACK_OK) {
        p->retained[number].due = true;
        p->retained[number].at_us = p->now_us + RETRY_US;
    }
}

static int64_t deadline_us(const struct publisher *p, bool may_ask)
{
    int64_t at_us = INT64_MAX;
    (void)may_ask;
    for (int i = 0; i < RETAINED_COUNT && p->connected; i++)
        if (p->retained[i].due && !p->retained[i].in_flight && p->retained[i].at_us < at_us)
            at_us = p->retained[i].at_us;
    return at_us;
}

const struct pump publisher_retained_pump = {
    .connected = connected, .publish = publish, .answered = answered, .deadline_us = deadline_us,
};

void publisher_state_changed(struct publisher *p)
{
    p->counts.presence_shared = publisher_connected(p);
    p->retained[RETAINED_STATE].due = true;
}

void publisher_report(struct publisher *p)
{
    for (int i = 0; i < RETAINED_COUNT; i++)
        p->retained[i].due = p->retained[i].due || (i != RETAINED_AVAILABILITY && i != RETAINED_HEALTH);
    p->health_asked = true; /* a fresh one */
}

static bool same_state(const struct lane_state *a, const struct lane_state *b)
{
    return a->camera_open == b->camera_open && a->clock_trusted == b->clock_trusted && a->journal_ok == b->journal_ok &&
           a->out_of_order == b->out_of_order && a->alarms == b->alarms && strncmp(a->camera, b->camera, sizeof a->camera) == 0 &&
           strncmp(a->mode, b->mode, sizeof a->mode) == 0;
}

void publisher_state(struct publisher *p, const struct lane_state *state)
{
    if (p->state_known && same_state(&p->state, state))
        return;
    p->state = *state;
    p->state_known = true;
    p->retained[RETAINED_STATE].due = true;
}

int publisher_state_text(const struct publisher *p, char ret_text[MESSAGE_BYTES])
{
    return p->state_known ? message_state(&p->state, &p->counts, p->info.version, ret_text, MESSAGE_BYTES) : 0;
}

void publisher_info(struct publisher *p, const struct lane_info *more)
{
    int free_place = 1;
    memcpy(p->info.lines, more->lines, sizeof p->info.lines);
    for (int i = 0; i < MESSAGE_LIBRARIES_MAX && free_place < MESSAGE_LIBRARIES_MAX; i++)
        if (more->libraries[i].name[0] != '\0')
            p->info.libraries[free_place++] = more->libraries[i];
    p->retained[RETAINED_INFO].due = true;
}

void publisher_chain_head(struct publisher *p, const struct lane_chain_head *head)
{
    p->chain_head = *head;
    p->retained[RETAINED_CHAIN_HEAD].due = true;
}

void publisher_health(struct publisher *p, const struct lane_health *health)
{
    const struct latency *acks;
    if (p->client == NULL)
        return;
    acks = mqtt_client_acks(p->client);
    p->health = *health;
    p->health.unsent_rows = p->counts.unsent_rows;
    p->health.inbox_messages = mqtt_client_waiting(p->client);
    p->health.publish_to_ack = (struct lane_times){.count = (int64_t)acks->count, .p50_us = latency_quantile_us(acks, 0.5),
                                                   .p99_us = latency_quantile_us(acks, 0.99)};
    p->health.is_mqtt_5 = mqtt_client_speaks_5(p->client);
    mqtt_client_forget_acks(p->client);
    p->health_known = true;
    p->health_asked = false;
    p->retained[RETAINED_HEALTH].due = true;
}

bool publisher_health_asked(struct publisher *p)
{
    const bool asked = p->health_asked;
    p->health_asked = false;
    return asked;
}

struct certificates publisher_certificates(const struct publisher *p)
{
    return p->client != NULL ? mqtt_client_certificates(p->client) : (struct certificates){0};
}

void publisher_inspect(struct publisher *p)
{
    if (p->client != NULL)
        mqtt_client_inspect(p->client);
}
