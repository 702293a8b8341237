/* The connection to the broker as the main thread sees it: a small state machine over the line's orders and the ring's news.
 * The line may be kept waiting, by the resolver or by a link that died: so each silence has an end of our own. */
#include "daemon/mqtt/client.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/health/clock.h"
#include "daemon/mqtt/backoff.h"
#include "daemon/mqtt/client_parts.h"
#include "daemon/mqtt/paho.h"

/* LOOK_UP: what the resolver may need before Paho begins to count its time for a connect. Should it need more, the next attempt
 * waits behind it in the line's thread and nothing is lost but the attempt. */
enum { LOOK_UP_US = 10000000, SILENT_CLOSE_US = 5000000 };

#define OFFLINE_TAG UINT64_MAX

void client_set_link(struct mqtt_client *client, enum link link)
{
    client->link = link;
    client->since_us = client->now_us;
    client->attempt_at_us = 0;
}

int mqtt_client_open(const struct mqtt_settings *settings, const struct topics *topics, struct mqtt_client **ret_client,
                     char *why, size_t why_bytes)
{
    struct mqtt_client *client = calloc(1, sizeof *client);
    int r = -ENOMEM;
    *ret_client = NULL;
    if (client == NULL) {
        (void)snprintf(why, why_bytes, "mqtt: no memory");
        return r;
    }
    client->settings = *settings;
    client->home_assistant = settings->home_assistant;
    protocol_init(&client->protocol, (enum mqtt_protocol)settings->protocol);
    client->topics = *topics;
    r = ring_init(&client->ring);
    if (r < 0) {
        (void)snprintf(why, why_bytes, "mqtt: %s", strerror(-r));
        goto fail;
    }
    r = inbox_init(&client->inbox);
    if (r < 0) {
        (void)snprintf(why, why_bytes, "mqtt: %s", strerror(-r));
        goto fail_inbox;
    }
    r = line_open(&client->settings, &client->topics, &client->ring, &client->inbox, &client->line, why, why_bytes);
    if (r < 0)
        goto fail_line;
    client->attempt_at_us = 1; /* the first attempt at once */
    *ret_client = client;
    return 0;
fail_line:
    inbox_end(&client->inbox);
fail_inbox:
    ring_end(&client->ring);
fail:
    free(client);
    return r;
}

int mqtt_client_fd(const struct mqtt_client *client)
{
    return client->ring.fd;
}

/* False can't be for want of room: the line keeps some for all but publishes, and forgets all at a connect. */
bool client_order(struct mqtt_client *client, enum line_op op, int index)
{
    client->order.op = op;
    client->order.attempt = client->attempt;
    client->order.index = index;
    client->order.is_5 = client->is_5;
    client->order.length_bytes = 0;
    return line_order(client->line, &client->order);
}

void client_forget_connection(struct mqtt_client *client)
{
    memset(client->sent, 0, sizeof client->sent);
    memset(client->subscriptions, 0, sizeof client->subscriptions);
}

void mqtt_client_reset(struct mqtt_client *client)
{
    if (client->link != LINK_CONNECTED)
        return;
    client_set_link(client, LINK_CLOSING);
    (void)client_order(client, LINE_DISCONNECT, 0); /* not taken: silence_ends_us() ends it */
}

static int64_t milliseconds_us(int setting_ms, int usual_ms)
{
    return (int64_t)(setting_ms > 0 ? setting_ms : usual_ms) * 1000;
}

static void connect_now(struct mqtt_client *client)
{
    client->attempt++;
    client->is_5 = protocol_is_5(&client->protocol, client->now_us);
    client->is_told = false;
    client_forget_connection(client);
    client_set_link(client, LINK_CONNECTING);
    (void)client_order(client, LINE_CONNECT, 0);
}

/* ---- subscriptions ---- */

static bool wants(const struct mqtt_client *client, int topic)
{
    switch (topic) {
    case INBOUND_PASSAGE: return client->settings.follow;
    case INBOUND_REQUEST: return client->settings.commands;
    case INBOUND_HOME_ASSISTANT: return client->home_assistant;
    default: return client->settings.declarations;
    }
}

static void subscribe(struct mqtt_client *client, int topic)
{
    if (client_order(client, LINE_SUBSCRIBE, topic))
        client->subscriptions[topic] = (struct subscription){.state = SUBSCRIBED_ASKED, .since_us = client->now_us};
}

/* Made anew on each connection, even where the broker kept the session: it may have forgotten, or not be the same one. */
void client_subscribe_all(struct mqtt_client *client, bool session_present)
{
    for (int i = 0; i < INBOUND_TOPIC_COUNT; i++) {
        if (wants(client, i))
            subscribe(client, i);
        else if (session_present)
            (void)client_order(client, LINE_UNSUBSCRIBE, i);
    }
}

static int64_t subscription_due_us(const struct mqtt_client *client, const struct subscription *subscription)
{
    switch (subscription->state) {
    case SUBSCRIBED_ASKED:
        return subscription->since_us + milliseconds_us(client->settings.ack_timeout_ms, MQTT_ACK_TIMEOUT_MS);
    case SUBSCRIBED_REFUSED: return subscription->since_us + (int64_t)MQTT_SUBSCRIBE_AGAIN_MS * 1000;
    default: return INT64_MAX;
    }
}

/* A SUBACK that doesn't come: connect anew. One that refused: somebody may have mended the broker's rights meanwhile. */
static void tick_subscriptions(struct mqtt_client *client)
{
    for (int i = 0; i < INBOUND_TOPIC_COUNT && client->link == LINK_CONNECTED; i++) {
        if (client->now_us < subscription_due_us(client, &client->subscriptions[i]))
            continue;
        if (client->subscriptions[i].state == SUBSCRIBED_ASKED)
            mqtt_client_reset(client);
        else
            subscribe(client, i);
    }
}

void mqtt_client_home_assistant(struct mqtt_client *client, bool on)
{
    if (client->home_assistant == on)
        return;
    client->home_assistant = on;
    if (client->link != LINK_CONNECTED)
        return; /* client_subscribe_all() will */
    if (on) {
        subscribe(client, INBOUND_HOME_ASSISTANT);
    } else {
        (void)client_order(client, LINE_UNSUBSCRIBE, INBOUND_HOME_ASSISTANT);
        client->subscriptions[INBOUND_HOME_ASSISTANT] = (struct subscription){.state = SUBSCRIBED_NOT};
    }
}

bool mqtt_client_subscribed(const struct mqtt_client *client, enum inbound_topic topic)
{
    return client->link == LINK_CONNECTED && client->subscriptions[topic].state == SUBSCRIBED_YES;
}

/* ---- time ---- */

/* An outcome that isn't told must not end the trying. */
static int64_t silence_ends_us(const struct mqtt_client *client)
{
    if (client->link == LINK_CONNECTING)
        return client->since_us + milliseconds_us(client->settings.connect_timeout_ms, MQTT_CONNECT_TIMEOUT_MS) + LOOK_UP_US;
    return client->link == LINK_CLOSING ? client->since_us + SILENT_CLOSE_US : INT64_MAX;
}

static void tell_silence(struct mqtt_client *client)
{
    struct ring_entry entry = {.kind = client->link == LINK_CONNECTING ? RING_CONNECT_FAILED : RING_LOST,
                               .epoch = client->attempt, .code = MQTTCLIENT_FAILURE, .text = "no outcome was told"};
    ring_put(&client->ring, &entry);
}

void mqtt_client_tick(struct mqtt_client *client, int64_t now_us, uint32_t random)
{
    int64_t min_us = milliseconds_us(client->settings.reconnect_min_ms, MQTT_RECONNECT_MIN_MS);
    int64_t max_us = milliseconds_us(client->settings.reconnect_max_ms, MQTT_RECONNECT_MAX_MS);
    client->now_us = now_us;
    /* Only a connection that held proves that all is well: one that dies at once mustn't be made again at once. */
    if (client->link == LINK_CONNECTED && now_us - client->since_us >= max_us)
        client->failures = 0;
    tick_subscriptions(client);
    if (now_us >= silence_ends_us(client))
        tell_silence(client);
    if (client->link != LINK_IDLE)
        return;
    if (client->attempt_at_us == 0) {
        client->failures += client->failures < 30;
        client->attempt_at_us = now_us + backoff_us(client->failures, min_us, max_us, random);
    }
    if (now_us >= client->attempt_at_us)
        connect_now(client);
}

int64_t mqtt_client_deadline_us(const struct mqtt_client *client)
{
    int64_t at_us = client->link == LINK_IDLE ? client->attempt_at_us : silence_ends_us(client);
    for (int i = 0; i < INBOUND_TOPIC_COUNT && client->link == LINK_CONNECTED; i++)
        if (subscription_due_us(client, &client->subscriptions[i]) < at_us)
            at_us = subscription_due_us(client, &client->subscriptions[i]);
    return at_us;
}

/* ---- out and in ---- */

static int free_place(const struct mqtt_client *client)
{
    for (int i = 1; i <= LINE_PUBLISHES_MAX; i++) {
        int place = (client->last_sent + i) % LINE_PUBLISHES_MAX;
        if (!client->sent[place].used)
            return place;
    }
    return -EAGAIN;
}

int mqtt_client_publish(struct mqtt_client *client, enum topic topic, const char *payload, size_t payload_bytes, uint64_t tag)
{
    struct line_order *publish = &client->order;
    int place = free_place(client);
    if (client->link != LINK_CONNECTED)
        return -ENOTCONN;
    if (place < 0)
        return place;
    if (payload_bytes > MESSAGE_LONG_BYTES)
        return -EMSGSIZE;
    publish->op = LINE_PUBLISH;
    publish->attempt = client->attempt;
    publish->index = place;
    publish->topic = topic;
    publish->length_bytes = payload_bytes;
    publish->long_text = payload_bytes > sizeof publish->text ? payload : NULL;
    if (publish->long_text == NULL)
        memcpy(publish->text, payload, payload_bytes);
    const bool taken = line_order(client->line, publish);
    publish->long_text = NULL;
    if (!taken)
        return -EAGAIN;
    client->sent[place] = (struct sent){.used = true, .tag = tag, .at_us = clock_monotonic_us()};
    client->last_sent = place;
    return 0;
}

bool mqtt_client_receive(struct mqtt_client *client, struct inbox_message *ret_message)
{
    bool was_full;
    const bool found = inbox_take(&client->inbox, ret_message, &was_full);
    if (was_full)
        line_wake(client->line);
    return found;
}

void mqtt_client_stop_receiving(struct mqtt_client *client)
{
    inbox_close(&client->inbox);
    line_wake(client->line);
}

bool mqtt_client_all_received(struct mqtt_client *client)
{
    return inbox_settled(&client->inbox);
}

int mqtt_client_waiting(struct mqtt_client *client)
{
    return inbox_count(&client->inbox);
}

uint64_t mqtt_client_heard(const struct mqtt_client *client)
{
    return line_heard(client->line);
}

uint64_t mqtt_client_retained_ignored(const struct mqtt_client *client)
{
    return line_retained_ignored(client->line);
}

/* ---- for health ---- */

struct certificates mqtt_client_certificates(const struct mqtt_client *client)
{
    return client->certificates;
}

void mqtt_client_inspect(struct mqtt_client *client)
{
    (void)client_order(client, LINE_INSPECT, 0); /* no room: so busy that it will be asked again before it matters */
}

bool mqtt_client_speaks_5(const struct mqtt_client *client)
{
    return client->is_5;
}

const struct latency *mqtt_client_acks(const struct mqtt_client *client)
{
    return &client->acks;
}

void mqtt_client_forget_acks(struct mqtt_client *client)
{
    memset(&client->acks, 0, sizeof client->acks);
}

/* ---- the end ---- */

/* Turns the crank until the link is no longer `link`, or the time is up. */
static void wait_while(struct mqtt_client *client, enum link link, int64_t deadline_us)
{
    struct mqtt_event event;
    for (;;) {
        struct pollfd ready = {.fd = client->ring.fd, .events = POLLIN};
        int64_t now_us = clock_monotonic_us();
        while (mqtt_client_take(client, &event))
            continue;
        if (client->link != link || now_us >= deadline_us)
            return;
        if (poll(&ready, 1, (int)((deadline_us - now_us) / 1000) + 1) < 0 && errno != EINTR)
            return;
    }
}

void mqtt_client_close(struct mqtt_client *client)
{
    static const char offline[] = "offline";
    int64_t deadline_us = clock_monotonic_us() + (int64_t)MQTT_CLOSE_WAIT_MS * 1000;
    if (client == NULL)
        return;
    inbox_deafen(&client->inbox); /* what still comes is for the next session */
    if (client->link == LINK_CONNECTING)
        wait_while(client, LINK_CONNECTING, deadline_us);
    /* An orderly goodbye makes the broker drop the will, so "offline" is said in person. No answer is read any more, and none
     * is needed: the broker takes both in their order, or sees the link die and publishes the will. */
    if (client->link == LINK_CONNECTED)
        (void)mqtt_client_publish(client, TOPIC_AVAILABILITY, offline, sizeof offline - 1, OFFLINE_TAG);
    mqtt_client_reset(client);
    if (client->link == LINK_CLOSING)
        wait_while(client, LINK_CLOSING, deadline_us);
    /* The line may be busy, perhaps in a name look-up: then it is left as it is, with what it uses, and ends with the process. */
    if (client->link != LINK_IDLE || !line_close(client->line, deadline_us))
        return;
    inbox_end(&client->inbox);
    ring_end(&client->ring);
    free(client);
}

const char *mqtt_client_library(void)
{
    return paho_version();
}
