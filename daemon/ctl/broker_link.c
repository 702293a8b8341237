/* The connection through Paho's asynchronous client: one step at a time, each waited for. Callbacks run in Paho's threads, with its
 * lock held; they touch only what `lock` guards. */
#include "daemon/ctl/broker_link.h"

#include <errno.h>
#include <MQTTAsync.h>
#include <poll.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "daemon/mqtt/certificates.h"
#include "daemon/mqtt/credentials.h"
#include "daemon/mqtt/tls.h"

enum { CLOSE_WAIT_MS = 1000, URI_BYTES = 160 };

struct broker_link {
    const struct broker *broker;
    MQTTAsync paho;
    bool is_5;
    int fd, stop_fd; /* fd: an eventfd, written after each change */
    char uri[URI_BYTES], client_id[32], text[BROKER_TEXT_BYTES];
    pthread_mutex_t lock; /* of what follows */
    bool answered, lost;
    int code; /* of the present step */
    char answer_text[BROKER_TEXT_BYTES / 2 - 8], tls_text[BROKER_TEXT_BYTES / 2];
    int first, count;
    size_t queued_bytes;
    int64_t dropped;
    struct broker_message *queue[BROKER_QUEUE_MAX];
};

/* ---- what Paho tells --------------------------------------------------------------------------------------------- */

static void wake(struct broker_link *link)
{
    const uint64_t one = 1;
    if (write(link->fd, &one, sizeof(one)) < 0)
        return; /* it is readable already */
}

static void answer(struct broker_link *link, int code, const char *text)
{
    (void)pthread_mutex_lock(&link->lock);
    link->answered = true;
    link->code = code;
    (void)snprintf(link->answer_text, sizeof(link->answer_text), "%s", text ? text : "");
    (void)pthread_mutex_unlock(&link->lock);
    wake(link);
}

static void on_success_5(void *context, MQTTAsync_successData5 *data)
{
    answer(context, data ? (int)data->reasonCode : 0, NULL);
}

static void on_success_3(void *context, MQTTAsync_successData *data)
{
    (void)data;
    answer(context, 0, NULL);
}

static void on_subscribed_3(void *context, MQTTAsync_successData *data)
{
    answer(context, data ? data->alt.qos : 0, NULL);
}

static void on_failure_5(void *context, MQTTAsync_failureData5 *data)
{
    const int code = !data ? MQTTASYNC_FAILURE : (int)data->reasonCode >= 0x80 ? (int)data->reasonCode : data->code;
    answer(context, code, data ? data->message : NULL);
}

static void on_failure_3(void *context, MQTTAsync_failureData *data)
{
    answer(context, data ? data->code : MQTTASYNC_FAILURE, data ? data->message : NULL);
}

static void lose(struct broker_link *link)
{
    (void)pthread_mutex_lock(&link->lock);
    link->lost = true;
    (void)pthread_mutex_unlock(&link->lock);
    wake(link);
}

static void on_lost(void *context, char *cause)
{
    (void)cause;
    lose(context);
}

static void on_broker_left(void *context, MQTTProperties *properties, enum MQTTReasonCodes reason)
{
    (void)properties, (void)reason;
    lose(context);
}

static int on_tls(const char *text, size_t length, void *context)
{
    struct broker_link *link = context;
    (void)pthread_mutex_lock(&link->lock);
    mqtt_tls_reason(text, length, link->tls_text, sizeof(link->tls_text));
    (void)pthread_mutex_unlock(&link->lock);
    return 1;
}

static struct broker_message *copy_message(const char *topic, size_t topic_bytes, const MQTTAsync_message *from)
{
    struct broker_message *message = malloc(sizeof(*message) + (size_t)from->payloadlen + 1);
    if (!message)
        return NULL;
    memcpy(message->topic, topic, topic_bytes);
    message->topic[topic_bytes] = '\0';
    message->retained = from->retained != 0;
    message->length_bytes = (size_t)from->payloadlen;
    if (from->payloadlen > 0)
        memcpy(message->payload, from->payload, message->length_bytes);
    message->payload[message->length_bytes] = '\0';
    return message;
}

static int on_message(void *context, char *topic, int topic_length, MQTTAsync_message *from)
{
    struct broker_link *link = context;
    const size_t bytes = topic_length > 0 ? (size_t)topic_length : strlen(topic);
    const bool fits = bytes <= TOPIC_BYTES && from->payloadlen >= 0 && from->payloadlen <= BROKER_PAYLOAD_MAX_BYTES;
    struct broker_message *message = fits ? copy_message(topic, bytes, from) : NULL;
    (void)pthread_mutex_lock(&link->lock);
    if (message && link->count < BROKER_QUEUE_MAX && link->queued_bytes + message->length_bytes <= BROKER_QUEUE_MAX_BYTES) {
        link->queue[(link->first + link->count++) % BROKER_QUEUE_MAX] = message;
        link->queued_bytes += message->length_bytes;
        message = NULL;
    } else {
        link->dropped++;
    }
    (void)pthread_mutex_unlock(&link->lock);
    free(message);
    MQTTAsync_freeMessage(&from);
    MQTTAsync_free(topic);
    wake(link);
    return 1;
}

/* ---- waiting ----------------------------------------------------------------------------------------------------- */

static int64_t clock_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* can't fail with this clock */
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Until something changed: BROKER_OK, or TIME_OVER, or STOPPED. */
static enum broker_result wait_change(struct broker_link *link, int64_t until_ms)
{
    struct pollfd fds[] = { { .fd = link->fd, .events = POLLIN }, { .fd = link->stop_fd, .events = POLLIN } };
    const int64_t left_ms = until_ms == INT64_MAX ? -1 : until_ms - clock_ms();
    uint64_t changes;
    if (until_ms != INT64_MAX && left_ms <= 0)
        return BROKER_TIME_OVER;
    if (poll(fds, 2, (int)left_ms) < 0 && errno != EINTR)
        return BROKER_LOST;
    if (fds[1].revents != 0)
        return BROKER_STOPPED;
    if (fds[0].revents != 0 && read(link->fd, &changes, sizeof(changes)) < 0)
        return BROKER_OK; /* somebody took it: looked at again */
    return BROKER_OK;
}

static int64_t until(int timeout_ms)
{
    return timeout_ms < 0 ? INT64_MAX : clock_ms() + timeout_ms;
}

static void begin_step(struct broker_link *link)
{
    (void)pthread_mutex_lock(&link->lock);
    link->answered = false;
    link->code = 0;
    link->answer_text[0] = '\0';
    (void)pthread_mutex_unlock(&link->lock);
    link->text[0] = '\0';
}

/* *ret_code: what the broker or Paho said, negative Paho's. */
static enum broker_result end_step(struct broker_link *link, int timeout_ms, int *ret_code)
{
    const int64_t until_ms = until(timeout_ms);
    for (;;) {
        (void)pthread_mutex_lock(&link->lock);
        const bool answered = link->answered, lost = link->lost;
        *ret_code = link->code;
        (void)pthread_mutex_unlock(&link->lock);
        if (answered)
            return BROKER_OK;
        if (lost)
            return BROKER_LOST;
        const enum broker_result result = wait_change(link, until_ms);
        if (result != BROKER_OK)
            return result;
    }
}

/* ---- connecting -------------------------------------------------------------------------------------------------- */

static bool is_refused_version(int code)
{
    return code == 1 || code == 0x84;
}

static bool is_not_let_in(int code)
{
    return code == 4 || code == 5 || code == 0x86 || code == 0x87 || code == 0x8a || code == 0x8c;
}

static int create(struct broker_link *link)
{
    MQTTAsync_createOptions options = MQTTAsync_createOptions_initializer5;
    options.MQTTVersion = link->is_5 ? MQTTVERSION_5 : MQTTVERSION_3_1_1;
    MQTTAsync_destroy(&link->paho); /* accepts NULL */
    int code = MQTTAsync_createWithOptions(&link->paho, link->uri, link->client_id, MQTTCLIENT_PERSISTENCE_NONE, NULL, &options);
    if (code == MQTTASYNC_SUCCESS)
        code = MQTTAsync_setCallbacks(link->paho, link, on_lost, on_message, NULL);
    if (code == MQTTASYNC_SUCCESS && link->is_5)
        code = MQTTAsync_setDisconnected(link->paho, link, on_broker_left);
    return code;
}

static int connect_paho(struct broker_link *link, const struct credentials *credentials, int timeout_ms)
{
    MQTTAsync_connectOptions options = MQTTAsync_connectOptions_initializer;
    MQTTAsync_SSLOptions ssl;
    if (link->is_5) {
        options = (MQTTAsync_connectOptions)MQTTAsync_connectOptions_initializer5;
        options.cleanstart = 1;
        options.onSuccess5 = on_success_5;
        options.onFailure5 = on_failure_5;
    } else {
        options.MQTTVersion = MQTTVERSION_3_1_1;
        options.cleansession = 1;
        options.onSuccess = on_success_3;
        options.onFailure = on_failure_3;
    }
    options.context = link;
    options.keepAliveInterval = link->broker->mqtt.keepalive_s;
    options.connectTimeout = (timeout_ms + 999) / 1000;
    options.username = credentials->username[0] ? credentials->username : NULL;
    options.password = credentials->password[0] ? credentials->password : NULL;
    if (link->broker->mqtt.ca_file[0]) {
        mqtt_tls_options(&link->broker->mqtt, &ssl);
        ssl.ssl_error_cb = on_tls;
        ssl.ssl_error_context = link;
        options.ssl = &ssl;
    }
    return MQTTAsync_connect(link->paho, &options);
}

static void describe(struct broker_link *link, int code)
{
    (void)pthread_mutex_lock(&link->lock);
    (void)snprintf(link->text, sizeof(link->text), "%s%s%s", link->tls_text[0] ? link->tls_text : mqtt_reason_text(code),
                   link->answer_text[0] ? "; " : "", link->answer_text);
    (void)pthread_mutex_unlock(&link->lock);
}

static bool has_tls_complaint(struct broker_link *link)
{
    (void)pthread_mutex_lock(&link->lock);
    const bool has = link->tls_text[0] != '\0';
    (void)pthread_mutex_unlock(&link->lock);
    return has;
}

static enum broker_result attempt(struct broker_link *link, bool is_5, const struct credentials *credentials, int timeout_ms,
                                  int *ret_code)
{
    begin_step(link);
    link->is_5 = is_5;
    *ret_code = create(link);
    if (*ret_code == MQTTASYNC_SUCCESS)
        *ret_code = connect_paho(link, credentials, timeout_ms);
    enum broker_result result = *ret_code == MQTTASYNC_SUCCESS ? end_step(link, timeout_ms, ret_code) : BROKER_UNREACHABLE;
    if (result == BROKER_OK && *ret_code != 0)
        result = is_not_let_in(*ret_code) ? BROKER_NOT_LET_IN : BROKER_UNREACHABLE;
    if (result == BROKER_LOST || (result == BROKER_TIME_OVER && has_tls_complaint(link)))
        result = BROKER_UNREACHABLE;
    if (result == BROKER_UNREACHABLE || result == BROKER_NOT_LET_IN)
        describe(link, *ret_code);
    return result;
}

static enum broker_result connect_link(struct broker_link *link, int timeout_ms)
{
    const struct mqtt_settings *mqtt = &link->broker->mqtt;
    struct credentials credentials;
    struct certificates certificates;
    int code = 0;
    if (mqtt->ca_file[0] && certificates_read(mqtt, &certificates, link->text, sizeof(link->text)) < 0)
        return BROKER_FILES_BAD;
    if (credentials_load(mqtt, "", &credentials, link->text, sizeof(link->text)) < 0)
        return BROKER_FILES_BAD;
    enum broker_result result = attempt(link, mqtt->protocol != MQTT_PROTOCOL_3_1_1, &credentials, timeout_ms, &code);
    if (result == BROKER_UNREACHABLE && link->is_5 && mqtt->protocol == MQTT_PROTOCOL_AUTO && is_refused_version(code))
        result = attempt(link, false, &credentials, timeout_ms, &code);
    credentials_wipe(&credentials);
    return result;
}

static struct broker_link *make(const struct broker *broker, int stop_fd)
{
    struct broker_link *link = calloc(1, sizeof(*link));
    const bool is_v6 = strchr(broker->mqtt.host, ':') != NULL;
    if (!link)
        return NULL;
    link->broker = broker;
    link->stop_fd = stop_fd;
    link->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (link->fd < 0 || pthread_mutex_init(&link->lock, NULL) != 0) {
        if (link->fd >= 0)
            (void)close(link->fd); /* nothing was written */
        free(link);
        return NULL;
    }
    (void)snprintf(link->uri, sizeof(link->uri), "%s://%s%s%s:%d", broker->mqtt.ca_file[0] ? "ssl" : "tcp", is_v6 ? "[" : "",
                   broker->mqtt.host, is_v6 ? "]" : "", broker->mqtt.port);
    (void)snprintf(link->client_id, sizeof(link->client_id), "qrgatectl-%08x%08x", randombytes_random(), randombytes_random());
    return link;
}

enum broker_result broker_open(const struct broker *broker, int stop_fd, int timeout_ms, struct broker_link **ret, char *text)
{
    struct broker_link *link = make(broker, stop_fd);
    *ret = NULL;
    text[0] = '\0';
    if (!link) {
        (void)snprintf(text, BROKER_TEXT_BYTES, "%s", strerror(ENOMEM));
        return BROKER_UNREACHABLE;
    }
    const enum broker_result result = connect_link(link, timeout_ms);
    if (result == BROKER_OK) {
        *ret = link;
        return BROKER_OK;
    }
    (void)snprintf(text, BROKER_TEXT_BYTES, "%s", link->text);
    if (result != BROKER_TIME_OVER && result != BROKER_STOPPED)
        broker_close(link); /* else Paho is at work, perhaps in a name look-up: it is left with what its threads use until the end */
    return result;
}

/* ---- steps on a connection --------------------------------------------------------------------------------------- */

static void set_answers(struct broker_link *link, bool is_subscription, MQTTAsync_responseOptions *ret)
{
    *ret = (MQTTAsync_responseOptions)MQTTAsync_responseOptions_initializer;
    ret->context = link;
    if (link->is_5) {
        ret->onSuccess5 = on_success_5;
        ret->onFailure5 = on_failure_5;
    } else {
        ret->onSuccess = is_subscription ? on_subscribed_3 : on_success_3;
        ret->onFailure = on_failure_3;
    }
}

/* What a broker may say to a subscription or a publish. */
static enum broker_result judge(struct broker_link *link, enum broker_result result, int code)
{
    if (result != BROKER_OK)
        return result;
    if (code >= 0 && code < 0x80)
        return BROKER_OK;
    describe(link, code);
    /* 3.1.1's refusal of a subscription has no reason: Paho says "failure" of it, and of a connection that is gone as well. */
    return code < 0 && !MQTTAsync_isConnected(link->paho) ? BROKER_LOST : BROKER_NO_RIGHTS;
}

enum broker_result broker_subscribe(struct broker_link *link, const char *filter, int qos, int timeout_ms)
{
    MQTTAsync_responseOptions options;
    int code;
    begin_step(link);
    set_answers(link, true, &options);
    if (MQTTAsync_subscribe(link->paho, filter, qos, &options) != MQTTASYNC_SUCCESS)
        return BROKER_LOST;
    const enum broker_result result = end_step(link, timeout_ms, &code);
    return judge(link, result, code);
}

enum broker_result broker_publish(struct broker_link *link, const char *topic, const void *bytes, size_t length_bytes, bool retain,
                                  int expiry_s, int timeout_ms)
{
    MQTTAsync_message message = MQTTAsync_message_initializer;
    MQTTAsync_responseOptions options;
    MQTTProperty expiry = { .identifier = MQTTPROPERTY_CODE_MESSAGE_EXPIRY_INTERVAL };
    int code = 0;
    begin_step(link);
    set_answers(link, false, &options);
    message.payload = (void *)(uintptr_t)bytes; /* Paho copies it */
    message.payloadlen = (int)length_bytes;
    message.qos = 1;
    message.retained = retain;
    expiry.value.integer4 = (unsigned)expiry_s;
    if (link->is_5 && expiry_s > 0 && MQTTProperties_add(&message.properties, &expiry) != 0)
        return BROKER_LOST;
    const bool taken = MQTTAsync_sendMessage(link->paho, topic, &message, &options) == MQTTASYNC_SUCCESS;
    MQTTProperties_free(&message.properties);
    const enum broker_result result = taken ? end_step(link, timeout_ms, &code) : BROKER_LOST;
    return judge(link, result, code);
}

static struct broker_message *take_message(struct broker_link *link, bool *ret_lost)
{
    struct broker_message *message = NULL;
    (void)pthread_mutex_lock(&link->lock);
    if (link->count > 0) {
        message = link->queue[link->first];
        link->first = (link->first + 1) % BROKER_QUEUE_MAX;
        link->count--;
        link->queued_bytes -= message->length_bytes;
    }
    *ret_lost = link->lost;
    (void)pthread_mutex_unlock(&link->lock);
    return message;
}

enum broker_result broker_receive(struct broker_link *link, int timeout_ms, struct broker_message **ret)
{
    const int64_t until_ms = until(timeout_ms);
    for (;;) {
        bool lost;
        *ret = take_message(link, &lost);
        if (*ret)
            return BROKER_OK;
        const enum broker_result result = lost ? BROKER_LOST : wait_change(link, until_ms);
        if (result != BROKER_OK)
            return result;
    }
}

int64_t broker_dropped(struct broker_link *link)
{
    (void)pthread_mutex_lock(&link->lock);
    const int64_t dropped = link->dropped;
    (void)pthread_mutex_unlock(&link->lock);
    return dropped;
}

const char *broker_text(const struct broker_link *link)
{
    return link->text;
}

void broker_close(struct broker_link *link)
{
    struct broker_message *message;
    bool lost;
    int code;
    if (!link)
        return;
    MQTTAsync_disconnectOptions options = MQTTAsync_disconnectOptions_initializer;
    if (link->is_5)
        options = (MQTTAsync_disconnectOptions)MQTTAsync_disconnectOptions_initializer5;
    begin_step(link);
    options.context = link;
    if (link->is_5)
        options.onSuccess5 = on_success_5, options.onFailure5 = on_failure_5;
    else
        options.onSuccess = on_success_3, options.onFailure = on_failure_3;
    link->stop_fd = -1; /* the goodbye is said all the same */
    if (link->paho && MQTTAsync_isConnected(link->paho) && MQTTAsync_disconnect(link->paho, &options) == MQTTASYNC_SUCCESS)
        (void)end_step(link, CLOSE_WAIT_MS, &code); /* a courtesy: without it the connection just ends */
    MQTTAsync_destroy(&link->paho);
    while ((message = take_message(link, &lost)) != NULL)
        free(message);
    (void)close(link->fd);
    (void)pthread_mutex_destroy(&link->lock);
    free(link);
}

enum ctl_exit broker_complain(const struct ctl *ctl, const struct broker *broker, enum broker_result result, const char *text)
{
    static const char *const keys[BROKER_RESULT_COUNT] = {
        [BROKER_OK] = "broker.lost",           [BROKER_TIME_OVER] = "broker.time_over", [BROKER_STOPPED] = "broker.stopped",
        [BROKER_UNREACHABLE] = "broker.unreachable", [BROKER_NOT_LET_IN] = "broker.not_let_in",
        [BROKER_FILES_BAD] = "broker.files_bad",     [BROKER_NO_RIGHTS] = "broker.no_rights", [BROKER_LOST] = "broker.lost",
    };
    const char *key = keys[result];
    char where[URI_BYTES], buffer[BROKER_TEXT_BYTES], host[132];
    (void)snprintf(where, sizeof(where), "%s:%d", printable(broker->mqtt.host, host, sizeof(host)), broker->mqtt.port);
    /* Paho doesn't say that the name is wrong: nothing but that the greeting failed. */
    if (result == BROKER_UNREACHABLE && broker->mqtt.ca_file[0] && strncmp(text, "TLS:", 4) != 0)
        key = "broker.unreachable_tls";
    return ctl_complain(ctl, result == BROKER_TIME_OVER ? CTL_NO_ANSWER : CTL_FAILED, key, "broker", where, "why",
                        printable(text, buffer, sizeof(buffer)), NULL);
}
