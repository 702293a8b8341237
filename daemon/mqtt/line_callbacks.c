/* What Paho tells, in MQTT 5's dialect and 3.1.1's. All of it runs in Paho's threads, with Paho's lock held, and may touch
 * nothing but ring, inbox, the epoch's tls_text and what never changes. */
#include "daemon/mqtt/line_parts.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "daemon/mqtt/tls.h"

void line_tell(const struct epoch *epoch, enum ring_kind kind, int index, int code, const char *text)
{
    struct ring_entry entry = {.kind = kind, .epoch = epoch->number, .index = index, .code = code};
    if (text != NULL)
        (void)snprintf(entry.text, sizeof entry.text, "%s", text);
    ring_put(epoch->line->ring, &entry);
}

/* ---- the connection ---- */

static void on_connected(void *context, MQTTAsync_successData5 *response)
{
    const struct epoch *epoch = context;
    struct ring_entry entry = {.kind = RING_CONNECTED, .epoch = epoch->number, .receive_max = 65535};
    if (response != NULL) {
        entry.session_present = response->alt.connect.sessionPresent != 0;
        if (MQTTProperties_hasProperty(&response->properties, MQTTPROPERTY_CODE_RECEIVE_MAXIMUM))
            entry.receive_max = MQTTProperties_getNumericValue(&response->properties, MQTTPROPERTY_CODE_RECEIVE_MAXIMUM);
    }
    ring_put(epoch->line->ring, &entry);
}

static void on_connected_3(void *context, MQTTAsync_successData *response)
{
    const struct epoch *epoch = context;
    struct ring_entry entry = {.kind = RING_CONNECTED, .epoch = epoch->number, .receive_max = 65535};
    entry.session_present = response != NULL && response->alt.connect.sessionPresent != 0;
    ring_put(epoch->line->ring, &entry);
}

/* The reason the broker gave, or else what Paho knows. */
static int failure_code(const MQTTAsync_failureData5 *response)
{
    if (response == NULL)
        return MQTTASYNC_FAILURE;
    return (int)response->reasonCode >= 0x80 ? (int)response->reasonCode : response->code;
}

/* Of an attempt's complaints the first. */
int line_tls_complaint(const char *text, size_t length, void *userdata)
{
    struct epoch *epoch = userdata;
    mqtt_tls_reason(text, length, epoch->tls_text, sizeof epoch->tls_text);
    return 1;
}

/* Paho's text is the only thing that tells a connection that ended after our CONNECT from one that never stood. */
static void connect_failed(struct epoch *epoch, int code, const char *message)
{
    static const char after_connect[] = "TCP connect completion failure", not_verified[] = "certificate verify failed";
    struct ring_entry entry = {.kind = RING_CONNECT_FAILED, .epoch = epoch->number, .code = code};
    const char *text = message != NULL ? message : "";
    const bool is_tls = epoch->line->settings->ca_file[0] != '\0';
    entry.closed = code < 0 && strcmp(text, after_connect) == 0;
    if (entry.closed)
        text = is_tls && epoch->tls_text[0] == '\0'
                   ? "closed right after the greeting; does the broker want another certificate, or a password?"
                   : "closed right after the greeting";
    else if (is_tls && code < 0 && epoch->tls_text[0] == '\0')
        text = "not reachable, or its certificate doesn't name the host of mqtt.host, or it wants another one of ours";
    else if (code < 0 && strstr(epoch->tls_text, not_verified) != NULL) /* OpenSSL's word; which of them it doesn't say */
        text = "the broker's certificate has expired, or is of no CA in mqtt.ca_file, or this machine's clock is wrong";
    (void)snprintf(entry.text, sizeof entry.text, "%s%s%s", epoch->tls_text, epoch->tls_text[0] != '\0' ? "; " : "", text);
    ring_put(epoch->line->ring, &entry);
}

static void on_connect_failed(void *context, MQTTAsync_failureData5 *response)
{
    connect_failed(context, failure_code(response), response != NULL ? response->message : NULL);
}

static void on_connect_failed_3(void *context, MQTTAsync_failureData *response)
{
    connect_failed(context, response != NULL ? response->code : MQTTASYNC_FAILURE, response != NULL ? response->message : NULL);
}

static void on_lost(void *context, char *cause)
{
    line_tell(context, RING_LOST, 0, MQTTASYNC_DISCONNECTED, cause);
}

static void on_broker_left(void *context, MQTTProperties *properties, enum MQTTReasonCodes reason)
{
    (void)properties;
    line_tell(context, RING_LOST, 0, (int)reason, "the broker disconnected");
}

static void on_closed(void *context, MQTTAsync_successData5 *response)
{
    (void)response;
    line_tell(context, RING_LOST, 0, 0, "closed");
}

static void on_closed_3(void *context, MQTTAsync_successData *response)
{
    (void)response;
    line_tell(context, RING_LOST, 0, 0, "closed");
}

static void on_close_failed(void *context, MQTTAsync_failureData5 *response)
{
    line_tell(context, RING_LOST, 0, failure_code(response), "closed");
}

static void on_close_failed_3(void *context, MQTTAsync_failureData *response)
{
    line_tell(context, RING_LOST, 0, response != NULL ? response->code : MQTTASYNC_FAILURE, "closed");
}

/* ---- answers ---- */

static void on_acked(void *context, MQTTAsync_successData5 *response)
{
    const struct answer *answer = context;
    /* Paho calls onSuccess for the PUBACK; its reason is looked at all the same. */
    int reason = response != NULL ? (int)response->reasonCode : 0;
    line_tell(answer->epoch, reason < 0x80 ? RING_ACKED : RING_NOT_ACKED, answer->index, reason, NULL);
}

/* 3.1.1 has no reason: an acknowledged message that the broker threw away, for want of rights, can't be told from others. */
static void on_acked_3(void *context, MQTTAsync_successData *response)
{
    const struct answer *answer = context;
    (void)response;
    line_tell(answer->epoch, RING_ACKED, answer->index, 0, NULL);
}

static void on_not_acked(void *context, MQTTAsync_failureData5 *response)
{
    const struct answer *answer = context;
    line_tell(answer->epoch, RING_NOT_ACKED, answer->index, failure_code(response), response != NULL ? response->message : NULL);
}

static void on_not_acked_3(void *context, MQTTAsync_failureData *response)
{
    const struct answer *answer = context;
    line_tell(answer->epoch, RING_NOT_ACKED, answer->index, response != NULL ? response->code : MQTTASYNC_FAILURE,
              response != NULL ? response->message : NULL);
}

static void on_subscribed(void *context, MQTTAsync_successData5 *response)
{
    const struct answer *answer = context;
    line_tell(answer->epoch, RING_SUBSCRIBED, answer->index, response != NULL ? (int)response->reasonCode : MQTTASYNC_FAILURE, NULL);
}

static void on_subscribed_3(void *context, MQTTAsync_successData *response)
{
    const struct answer *answer = context;
    line_tell(answer->epoch, RING_SUBSCRIBED, answer->index, response != NULL ? response->alt.qos : MQTTASYNC_FAILURE, NULL);
}

static void on_not_subscribed(void *context, MQTTAsync_failureData5 *response)
{
    const struct answer *answer = context;
    line_tell(answer->epoch, RING_SUBSCRIBED, answer->index, failure_code(response), response != NULL ? response->message : NULL);
}

static void on_not_subscribed_3(void *context, MQTTAsync_failureData *response)
{
    const struct answer *answer = context;
    line_tell(answer->epoch, RING_SUBSCRIBED, answer->index, response != NULL ? response->code : MQTTASYNC_FAILURE,
              response != NULL ? response->message : NULL);
}

/* ---- what arrives ---- */

static int64_t monotonic_us(void)
{
    struct timespec now;
    if (clock_gettime(CLOCK_MONOTONIC, &now) < 0)
        return 0; /* so long ago that nothing acts on it */
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int on_message(void *context, char *topic, int topic_length, MQTTAsync_message *message)
{
    struct line *line = ((const struct epoch *)context)->line;
    size_t length = topic_length > 0 ? (size_t)topic_length : strlen(topic);
    struct inbox_arrival came = {.retained = message->retained != 0, .expiry_s = -1, .received_at_us = monotonic_us()};
    atomic_fetch_add(&line->heard, 1);
    if (MQTTProperties_hasProperty(&message->properties, MQTTPROPERTY_CODE_MESSAGE_EXPIRY_INTERVAL))
        came.expiry_s = (uint32_t)MQTTProperties_getNumericValue(&message->properties, MQTTPROPERTY_CODE_MESSAGE_EXPIRY_INTERVAL);
    /* Retained means said once upon a time, perhaps long ago: nothing acts on it. Who asks for something is told so. Home
     * Assistant's "online" may be retained by its user's will; all that follows is that its device is published again. */
    if (topics_recognise(line->topics, topic, length, &came.topic, came.name)) {
        if (came.retained && came.topic != INBOUND_REQUEST && came.topic != INBOUND_HOME_ASSISTANT)
            atomic_fetch_add(&line->retained_ignored, 1);
        else
            inbox_put(line->inbox, &came, message->payload, message->payloadlen > 0 ? (size_t)message->payloadlen : 0);
        ring_wake(line->ring);
    }
    MQTTAsync_freeMessage(&message);
    MQTTAsync_free(topic);
    return 1;
}

/* ---- which of them for what ---- */

int line_listen(struct epoch *epoch, MQTTAsync paho)
{
    int rc = MQTTAsync_setCallbacks(paho, epoch, on_lost, on_message, NULL);
    return rc == MQTTASYNC_SUCCESS ? MQTTAsync_setDisconnected(paho, epoch, on_broker_left) : rc;
}

void line_answer_connect(struct epoch *epoch, MQTTAsync_connectOptions *options)
{
    options->context = epoch;
    if (epoch->is_5) {
        options->onSuccess5 = on_connected;
        options->onFailure5 = on_connect_failed;
    } else {
        options->onSuccess = on_connected_3;
        options->onFailure = on_connect_failed_3;
    }
}

void line_answer_close(struct epoch *epoch, MQTTAsync_disconnectOptions *options)
{
    options->context = epoch;
    if (epoch->is_5) {
        options->onSuccess5 = on_closed;
        options->onFailure5 = on_close_failed;
    } else {
        options->onSuccess = on_closed_3;
        options->onFailure = on_close_failed_3;
    }
}

void line_answer_publish(struct epoch *epoch, int index, MQTTAsync_responseOptions *options)
{
    options->context = &epoch->publishes[index];
    if (epoch->is_5) {
        options->onSuccess5 = on_acked;
        options->onFailure5 = on_not_acked;
    } else {
        options->onSuccess = on_acked_3;
        options->onFailure = on_not_acked_3;
    }
}

void line_answer_subscribe(struct epoch *epoch, int topic, MQTTAsync_responseOptions *options)
{
    options->context = &epoch->subscriptions[topic];
    if (epoch->is_5) {
        options->onSuccess5 = on_subscribed;
        options->onFailure5 = on_not_subscribed;
    } else {
        options->onSuccess = on_subscribed_3;
        options->onFailure = on_not_subscribed_3;
    }
}
