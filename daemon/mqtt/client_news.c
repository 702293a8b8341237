/* What the line told, made into events for the publisher. Main thread. */
#include <MQTTClient.h>
#include <stdio.h>
#include <string.h>

#include "daemon/health/clock.h"
#include "daemon/mqtt/client_parts.h"

/* Paho's codes are negative, 3.1.1's answers to a CONNECT 1 to 5, MQTT 5's reasons 0x80 and above. */
const char *mqtt_reason_text(int code)
{
    static const char *const answers[] = {"", "unacceptable protocol version", "client id rejected", "server unavailable",
                                          "bad user name or password", "not authorised"};
    const char *text = code >= 0x80                                                  ? MQTTReasonCode_toString((enum MQTTReasonCodes)code)
                       : code > 0 && code < (int)(sizeof answers / sizeof answers[0]) ? answers[code]
                                                                                     : MQTTClient_strerror(code);
    return text != NULL ? text : "unknown";
}

static void describe(struct mqtt_event *event, const struct ring_entry *entry)
{
    const char *separator = entry->text[0] != '\0' ? ", " : "";
    if (entry->code == LINE_FILES_BAD || (entry->code == 0 && entry->text[0] != '\0')) /* "Success" would say nothing */
        (void)snprintf(event->text, sizeof event->text, "%s", entry->text);
    else if (entry->code >= 0x80)
        (void)snprintf(event->text, sizeof event->text, "%s (0x%02x)%s%.200s", mqtt_reason_text(entry->code), (unsigned)entry->code,
                       separator, entry->text);
    else
        (void)snprintf(event->text, sizeof event->text, "%s (%d)%s%.200s", mqtt_reason_text(entry->code), entry->code, separator,
                       entry->text);
}

static bool answered(struct mqtt_client *client, const struct ring_entry *entry, struct mqtt_event *ret_event)
{
    struct sent *sent = entry->index >= 0 && entry->index < LINE_PUBLISHES_MAX ? &client->sent[entry->index] : NULL;
    if (sent == NULL || !sent->used)
        return false;
    sent->used = false;
    ret_event->kind = MQTT_ANSWERED;
    ret_event->tag = sent->tag;
    ret_event->result = entry->kind == RING_ACKED ? MQTT_RESULT_OK
                        : entry->code >= 0x80     ? MQTT_RESULT_REFUSED
                                                  : MQTT_RESULT_LOST;
    if (ret_event->result == MQTT_RESULT_OK)
        latency_add(&client->acks, clock_monotonic_us() - sent->at_us);
    return true;
}

static bool subscribed(struct mqtt_client *client, const struct ring_entry *entry, struct mqtt_event *ret_event)
{
    struct subscription *subscription;
    bool granted = entry->code == 1; /* QoS 0 would be a promise that messages may get lost */
    if (client->link != LINK_CONNECTED || entry->index < 0 || entry->index >= INBOUND_TOPIC_COUNT)
        return false;
    subscription = &client->subscriptions[entry->index];
    if (subscription->state != SUBSCRIBED_ASKED)
        return false;
    *subscription = (struct subscription){.state = granted ? SUBSCRIBED_YES : SUBSCRIBED_REFUSED, .since_us = client->now_us};
    ret_event->kind = MQTT_SUBSCRIBED;
    ret_event->tag = (uint64_t)entry->index;
    ret_event->result = granted ? MQTT_RESULT_OK : MQTT_RESULT_REFUSED;
    if (entry->code == 0)
        (void)snprintf(ret_event->text, sizeof ret_event->text, "granted with QoS 0 only");
    return true;
}

/* A failure is told where it is news; the attempts to connect tell it themselves. */
static bool inspected(struct mqtt_client *client, const struct ring_entry *entry, struct mqtt_event *ret_event)
{
    const bool is_news = entry->code < 0 && client->link == LINK_CONNECTED && strcmp(client->files_told, entry->text) != 0;
    if (entry->code >= 0)
        client->certificates = entry->certificates;
    (void)snprintf(client->files_told, sizeof client->files_told, "%s", entry->code < 0 ? entry->text : "");
    ret_event->kind = MQTT_FILES_BAD;
    (void)snprintf(ret_event->text, sizeof ret_event->text, "%s", entry->text);
    return is_news;
}

static bool connected(struct mqtt_client *client, const struct ring_entry *entry, struct mqtt_event *ret_event)
{
    if (client->link != LINK_CONNECTING)
        return false;
    client_set_link(client, LINK_CONNECTED);
    client->is_told = protocol_connected(&client->protocol);
    if (!client->is_told) {
        mqtt_client_reset(client);
        return false;
    }
    client_subscribe_all(client, entry->session_present);
    ret_event->kind = MQTT_CONNECTED;
    return true;
}

static bool connect_failed(struct mqtt_client *client, const struct ring_entry *entry, struct mqtt_event *ret_event)
{
    const bool refused = entry->code == MQTTREASONCODE_UNSUPPORTED_PROTOCOL_VERSION || entry->code == 1;
    size_t used = strlen(ret_event->text);
    if (client->link != LINK_CONNECTING)
        return false;
    client_set_link(client, LINK_IDLE);
    ret_event->kind = MQTT_CONNECT_FAILED;
    ret_event->unreached = entry->code < 0 && entry->code != LINE_FILES_BAD && !entry->closed;
    if (protocol_failed(&client->protocol, refused ? PROTOCOL_REFUSED : entry->closed ? PROTOCOL_CLOSED : PROTOCOL_OTHER,
                        client->now_us))
        (void)snprintf(ret_event->text + used, sizeof ret_event->text - used,
                       "; this broker doesn't know MQTT 5: from now on 3.1.1 is spoken, and 5 tried again in a day (mqtt.protocol)");
    return true;
}

static bool lost(struct mqtt_client *client, struct mqtt_event *ret_event)
{
    if (client->link != LINK_CONNECTED && client->link != LINK_CLOSING)
        return false;
    client_set_link(client, LINK_IDLE);
    client_forget_connection(client);
    ret_event->kind = MQTT_LOST;
    return client->is_told;
}

/* True when the entry is news for the publisher. */
static bool interpret(struct mqtt_client *client, const struct ring_entry *entry, struct mqtt_event *ret_event)
{
    *ret_event = (struct mqtt_event){.code = entry->code, .receive_max = entry->receive_max,
                                     .session_present = entry->session_present};
    if (entry->kind == RING_CERTIFICATES)
        return inspected(client, entry, ret_event);
    if (entry->epoch != client->attempt)
        return false;
    describe(ret_event, entry);
    switch (entry->kind) {
    case RING_CONNECTED: return connected(client, entry, ret_event);
    case RING_CONNECT_FAILED: return connect_failed(client, entry, ret_event);
    case RING_LOST: return lost(client, ret_event);
    case RING_SUBSCRIBED: return subscribed(client, entry, ret_event);
    case RING_ACKED:
    case RING_NOT_ACKED: return answered(client, entry, ret_event);
    case RING_CERTIFICATES: break;
    }
    return false;
}

bool mqtt_client_take(struct mqtt_client *client, struct mqtt_event *ret_event)
{
    struct ring_entry entry;
    bool overrun = false, found;
    do {
        found = ring_take(&client->ring, &entry, &overrun);
        if (overrun)
            mqtt_client_reset(client);
    } while (found && !interpret(client, &entry, ret_event));
    return found;
}
