/* The Paho adapter. The line's thread carries out orders; the callbacks (on_…) run in Paho's threads, with Paho's lock held,
 * and may touch nothing but ring, inbox and what never changes.
 *
 * What Paho 1.3 does and this file works around:
 * - its own reconnection tells neither when nor why an attempt failed: each attempt is ours;
 * - a DISCONNECT from the broker ends the connection without connectionLost: both callbacks are listened to, and a
 *   publish that finds the connection gone says so too;
 * - what it had queued and not yet written when the link died goes out first on the next connection, before what is older:
 *   each attempt has a handle of its own, and the old one's queue dies with it. What the broker keeps of a session are our
 *   subscriptions and what it owes us; what we owe it is in the journal;
 * - it sends the PUBACK of an incoming message when messageArrived returns, whether that says 1 or 0; with 0 the message
 *   stays in a heap queue of the handle, looked at only when the socket has news, and dies with it. So 0 is never said:
 *   on_message() waits until there is room. */
#include "daemon/mqtt/line.h"

#include <MQTTAsync.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* A declaration has 2 KiB at the most, and longer ones must still be answerable. Not less than 1 MiB: mosquitto 2.0.11 counts a
 * message it didn't send for its size as unacknowledged until the next connection. One message at a time: with the next one
 * already in the socket, Paho's receiving thread would hold its lock again before anybody else got it, and in a flood results
 * would hardly leave; so there is the time of a round trip for them. */
enum { EPOCHS = 8, RECEIVE_MAX_BYTES = 1048576, RECEIVE_AT_ONCE = 1 };

/* The context of an attempt's callbacks: a late answer from an old connection is known by its number. Eight are enough, as
 * at least the shortest wait lies between two attempts. */
struct epoch;
struct answer {
    struct epoch *epoch;
    int index;
};
struct epoch {
    struct line *line;
    uint64_t number;
    struct answer publishes[LINE_PUBLISHES_MAX], subscriptions[INBOUND_TOPIC_COUNT];
};

struct line {
    const struct mqtt_settings *settings;
    const struct topics *topics;
    struct ring *ring;
    struct inbox *inbox;
    char uri[160], password[160];
    struct epoch epochs[EPOCHS];
    atomic_uint_fast64_t retained_ignored, heard;
    pthread_t thread;
    MQTTAsync paho;          /* the line's thread */
    struct line_order current; /* the line's thread */
    uint64_t attempt;        /* the line's thread: the epoch that counts */
    pthread_mutex_t lock;    /* of what follows */
    pthread_cond_t changed;
    int first, count;
    bool ending, ended;
    struct line_order orders[LINE_ORDERS_MAX];
};

/* ---- Paho's threads ---- */

static void tell(const struct epoch *epoch, enum ring_kind kind, int index, int code, const char *text)
{
    struct ring_entry entry = {.kind = kind, .epoch = epoch->number, .index = index, .code = code};
    if (text != NULL)
        (void)snprintf(entry.text, sizeof entry.text, "%s", text);
    ring_put(epoch->line->ring, &entry);
}

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

/* The reason the broker gave, or else what Paho knows. */
static int failure_code(const MQTTAsync_failureData5 *response)
{
    if (response == NULL)
        return MQTTASYNC_FAILURE;
    return (int)response->reasonCode >= 0x80 ? (int)response->reasonCode : response->code;
}

static void on_connect_failed(void *context, MQTTAsync_failureData5 *response)
{
    tell(context, RING_CONNECT_FAILED, 0, failure_code(response), response != NULL ? response->message : NULL);
}

static void on_lost(void *context, char *cause)
{
    tell(context, RING_LOST, 0, MQTTASYNC_DISCONNECTED, cause);
}

static void on_broker_left(void *context, MQTTProperties *properties, enum MQTTReasonCodes reason)
{
    (void)properties;
    tell(context, RING_LOST, 0, (int)reason, "the broker disconnected");
}

static void on_closed(void *context, MQTTAsync_successData5 *response)
{
    (void)response;
    tell(context, RING_LOST, 0, 0, "closed");
}

static void on_close_failed(void *context, MQTTAsync_failureData5 *response)
{
    tell(context, RING_LOST, 0, failure_code(response), "closed");
}

static void on_acked(void *context, MQTTAsync_successData5 *response)
{
    const struct answer *answer = context;
    /* Paho calls onSuccess for the PUBACK; its reason is looked at all the same. */
    int reason = response != NULL ? (int)response->reasonCode : 0;
    tell(answer->epoch, reason < 0x80 ? RING_ACKED : RING_NOT_ACKED, answer->index, reason, NULL);
}

static void on_not_acked(void *context, MQTTAsync_failureData5 *response)
{
    const struct answer *answer = context;
    tell(answer->epoch, RING_NOT_ACKED, answer->index, failure_code(response), response != NULL ? response->message : NULL);
}

static void on_subscribed(void *context, MQTTAsync_successData5 *response)
{
    const struct answer *answer = context;
    tell(answer->epoch, RING_SUBSCRIBED, answer->index, response != NULL ? (int)response->reasonCode : MQTTASYNC_FAILURE, NULL);
}

static void on_not_subscribed(void *context, MQTTAsync_failureData5 *response)
{
    const struct answer *answer = context;
    tell(answer->epoch, RING_SUBSCRIBED, answer->index, failure_code(response), response != NULL ? response->message : NULL);
}

static int on_message(void *context, char *topic, int topic_length, MQTTAsync_message *message)
{
    struct line *line = ((const struct epoch *)context)->line;
    size_t length = topic_length > 0 ? (size_t)topic_length : strlen(topic);
    char lane[TOPIC_LANE_BYTES] = "";
    enum inbound_topic which;
    atomic_fetch_add(&line->heard, 1);
    /* Retained means said once upon a time, perhaps long ago: nothing acts on it. */
    if (topics_recognise(line->topics, topic, length, &which, lane)) {
        if (message->retained) {
            atomic_fetch_add(&line->retained_ignored, 1);
        } else {
            inbox_put(line->inbox, which, lane, message->payload, message->payloadlen > 0 ? (size_t)message->payloadlen : 0);
        }
        ring_wake(line->ring);
    }
    MQTTAsync_freeMessage(&message);
    MQTTAsync_free(topic);
    return 1;
}

/* ---- the line's thread ---- */

static int create_paho(const struct line *line, MQTTAsync *ret_paho)
{
    MQTTAsync_createOptions options = MQTTAsync_createOptions_initializer5;
    /* The journal is the store: a second one inside Paho could only disagree with it. */
    options.sendWhileDisconnected = 0;
    options.maxBufferedMessages = LINE_PUBLISHES_MAX + 1;
    return MQTTAsync_createWithOptions(ret_paho, line->uri, line->settings->client_id, MQTTCLIENT_PERSISTENCE_NONE, NULL,
                                       &options);
}

/* A new handle and then no more of the old one, in this order: Paho stops its threads, and waits for that, when its last
 * handle goes. */
static int renew_paho(struct line *line)
{
    MQTTAsync fresh = NULL;
    int rc = create_paho(line, &fresh);
    if (rc == MQTTASYNC_SUCCESS) {
        MQTTAsync_destroy(&line->paho);
        line->paho = fresh;
    }
    return rc;
}

static int add_number(MQTTProperties *properties, enum MQTTPropertyCodes code, int value)
{
    MQTTProperty property = {.identifier = code};
    if (code == MQTTPROPERTY_CODE_RECEIVE_MAXIMUM)
        property.value.integer2 = (unsigned short)value;
    else
        property.value.integer4 = (unsigned)value;
    return MQTTProperties_add(properties, &property);
}

/* What the broker is told about the session, and not to send more or larger than can be taken. */
static int add_properties(const struct line *line, MQTTProperties *properties)
{
    const struct mqtt_settings *settings = line->settings;
    int rc = 0;
    if (settings->session_expiry_s > 0)
        rc = add_number(properties, MQTTPROPERTY_CODE_SESSION_EXPIRY_INTERVAL, settings->session_expiry_s);
    if (rc == 0 && (settings->follow || settings->declarations))
        rc = add_number(properties, MQTTPROPERTY_CODE_RECEIVE_MAXIMUM, RECEIVE_AT_ONCE);
    if (rc == 0 && (settings->follow || settings->declarations))
        rc = add_number(properties, MQTTPROPERTY_CODE_MAXIMUM_PACKET_SIZE, RECEIVE_MAX_BYTES);
    return rc;
}

static int connect_paho(struct line *line, struct epoch *epoch, MQTTProperties *properties)
{
    MQTTAsync_connectOptions options = MQTTAsync_connectOptions_initializer5;
    MQTTAsync_willOptions will = MQTTAsync_willOptions_initializer;
    MQTTAsync_SSLOptions ssl = MQTTAsync_SSLOptions_initializer;
    const struct mqtt_settings *settings = line->settings;
    int timeout_ms = settings->connect_timeout_ms > 0 ? settings->connect_timeout_ms : MQTT_CONNECT_TIMEOUT_MS;
    will.topicName = line->topics->text[TOPIC_AVAILABILITY];
    will.message = "offline";
    will.retained = 1;
    will.qos = 1;
    /* A session outlives the connection for the sake of what comes in. Without one, a clean start: a broker that forgot
     * half of something can then do no harm. */
    options.cleanstart = settings->session_expiry_s == 0;
    options.connectProperties = properties;
    options.keepAliveInterval = settings->keepalive_s;
    options.connectTimeout = (timeout_ms + 999) / 1000;
    options.automaticReconnect = 0;
    options.maxInflight = LINE_PUBLISHES_MAX;
    options.will = &will;
    options.username = settings->username[0] != '\0' ? settings->username : NULL;
    options.password = line->password[0] != '\0' ? line->password : NULL;
    if (settings->ca_file[0] != '\0') {
        ssl.trustStore = settings->ca_file;
        ssl.disableDefaultTrustStore = 1; /* this CA and no other */
        ssl.enableServerCertAuth = 1;
        ssl.verify = 1; /* the name too; Paho's default is not to look */
        options.ssl = &ssl;
    }
    options.onSuccess5 = on_connected;
    options.onFailure5 = on_connect_failed;
    options.context = epoch;
    return MQTTAsync_connect(line->paho, &options);
}

static void carry_out_connect(struct line *line)
{
    struct epoch *epoch = &line->epochs[line->current.attempt % EPOCHS];
    MQTTProperties properties = MQTTProperties_initializer;
    int rc = line->attempt > 0 ? renew_paho(line) : MQTTASYNC_SUCCESS;
    line->attempt = epoch->number = line->current.attempt;
    /* Callbacks that belong to no call: their context changes with the attempt. */
    if (rc == MQTTASYNC_SUCCESS)
        rc = MQTTAsync_setCallbacks(line->paho, epoch, on_lost, on_message, NULL);
    if (rc == MQTTASYNC_SUCCESS)
        rc = MQTTAsync_setDisconnected(line->paho, epoch, on_broker_left);
    if (rc == MQTTASYNC_SUCCESS)
        rc = add_properties(line, &properties);
    if (rc == MQTTASYNC_SUCCESS)
        rc = connect_paho(line, epoch, &properties);
    MQTTProperties_free(&properties);
    if (rc != MQTTASYNC_SUCCESS)
        tell(epoch, RING_CONNECT_FAILED, 0, rc, "not tried");
}

static void carry_out_disconnect(struct line *line, struct epoch *epoch)
{
    MQTTAsync_disconnectOptions options = MQTTAsync_disconnectOptions_initializer5;
    options.timeout = 0; /* Paho looks at timeouts every three seconds only; who must wait does so in client.c */
    options.onSuccess5 = on_closed;
    options.onFailure5 = on_close_failed;
    options.context = epoch;
    if (MQTTAsync_disconnect(line->paho, &options) != MQTTASYNC_SUCCESS)
        tell(epoch, RING_LOST, 0, MQTTASYNC_DISCONNECTED, "already disconnected");
}

static void carry_out_publish(struct line *line, struct epoch *epoch)
{
    MQTTAsync_message message = MQTTAsync_message_initializer;
    MQTTAsync_responseOptions options = MQTTAsync_responseOptions_initializer;
    struct line_order *order = &line->current;
    int rc;
    message.payload = order->text;
    message.payloadlen = (int)order->length_bytes;
    message.qos = 1;
    message.retained = order->retain;
    options.onSuccess5 = on_acked;
    options.onFailure5 = on_not_acked;
    options.context = &epoch->publishes[order->index];
    rc = MQTTAsync_sendMessage(line->paho, line->topics->text[order->topic], &message, &options);
    if (rc == MQTTASYNC_DISCONNECTED)
        tell(epoch, RING_LOST, 0, rc, "found at a publish");
    else if (rc != MQTTASYNC_SUCCESS)
        tell(epoch, RING_NOT_ACKED, order->index, rc, "not handed over");
}

static void carry_out_subscribe(struct line *line, struct epoch *epoch, bool wanted)
{
    MQTTAsync_responseOptions options = MQTTAsync_responseOptions_initializer;
    const char *filter = line->topics->filter[line->current.index];
    int rc;
    if (!wanted) { /* from an earlier configuration; the broker's answer changes nothing */
        (void)MQTTAsync_unsubscribe(line->paho, filter, &options);
        return;
    }
    options.onSuccess5 = on_subscribed;
    options.onFailure5 = on_not_subscribed;
    options.context = &epoch->subscriptions[line->current.index];
    /* Not "no local": our own passages coming back show that the road in is open (publisher.c). */
    options.subscribeOptions.retainAsPublished = 1; /* so that a retained one is known as such even when it comes live */
    options.subscribeOptions.retainHandling = 2;    /* and old ones aren't sent at all */
    rc = MQTTAsync_subscribe(line->paho, filter, 1, &options);
    if (rc != MQTTASYNC_SUCCESS)
        tell(epoch, RING_SUBSCRIBED, line->current.index, rc, "not asked");
}

static void carry_out(struct line *line)
{
    struct epoch *epoch = &line->epochs[line->attempt % EPOCHS];
    if (line->current.op == LINE_CONNECT) {
        carry_out_connect(line);
        return;
    }
    if (line->current.attempt != line->attempt)
        return;
    switch (line->current.op) {
    case LINE_CONNECT: break;
    case LINE_DISCONNECT: carry_out_disconnect(line, epoch); break;
    case LINE_PUBLISH: carry_out_publish(line, epoch); break;
    case LINE_SUBSCRIBE: carry_out_subscribe(line, epoch, true); break;
    case LINE_UNSUBSCRIBE: carry_out_subscribe(line, epoch, false); break;
    }
}

static void copy_order(struct line_order *to, const struct line_order *from)
{
    memcpy(to, from, offsetof(struct line_order, text) + from->length_bytes);
}

static void *run(void *userdata)
{
    struct line *line = userdata;
    (void)pthread_mutex_lock(&line->lock);
    for (;;) {
        while (line->count == 0 && !line->ending)
            (void)pthread_cond_wait(&line->changed, &line->lock);
        if (line->ending)
            break;
        copy_order(&line->current, &line->orders[line->first]);
        line->first = (line->first + 1) % LINE_ORDERS_MAX;
        line->count--;
        (void)pthread_mutex_unlock(&line->lock);
        carry_out(line);
        (void)pthread_mutex_lock(&line->lock);
    }
    (void)pthread_mutex_unlock(&line->lock);
    (void)MQTTAsync_setConnectionLostCallback(line->paho, NULL, NULL);
    (void)MQTTAsync_setDisconnected(line->paho, NULL, NULL);
    MQTTAsync_destroy(&line->paho);
    (void)pthread_mutex_lock(&line->lock);
    line->ended = true;
    (void)pthread_cond_signal(&line->changed);
    (void)pthread_mutex_unlock(&line->lock);
    return NULL;
}

/* ---- the main thread ---- */

static int read_password(struct line *line, char *why, size_t why_bytes)
{
    const char *path = line->settings->password_file;
    ssize_t length;
    int fd, r = 0;
    if (path[0] == '\0')
        return 0;
    fd = open(path, O_RDONLY | O_CLOEXEC);
    length = fd < 0 ? -1 : read(fd, line->password, sizeof line->password - 1);
    if (length < 0) {
        r = -errno;
        (void)snprintf(why, why_bytes, "mqtt.password_file \"%s\": %s; make it readable for the daemon", path, strerror(errno));
    } else {
        line->password[length] = '\0';
        line->password[strcspn(line->password, "\r\n")] = '\0';
        if ((size_t)length == sizeof line->password - 1) {
            r = -EINVAL;
            (void)snprintf(why, why_bytes, "mqtt.password_file \"%s\": longer than %zu bytes", path,
                           sizeof line->password - 2);
        }
    }
    if (fd >= 0)
        (void)close(fd);
    return r;
}

static int create_first(struct line *line, char *why, size_t why_bytes)
{
    const struct mqtt_settings *settings = line->settings;
    bool v6 = strchr(settings->host, ':') != NULL;
    const char *reason;
    int rc;
    (void)snprintf(line->uri, sizeof line->uri, "%s://%s%s%s:%d", settings->ca_file[0] != '\0' ? "ssl" : "tcp",
                   v6 ? "[" : "", settings->host, v6 ? "]" : "", settings->port);
    rc = create_paho(line, &line->paho);
    if (rc == MQTTASYNC_SUCCESS)
        return 0;
    reason = MQTTAsync_strerror(rc);
    (void)snprintf(why, why_bytes, "mqtt: %s as \"%s\": %s; check host, port and client_id", line->uri, settings->client_id,
                   reason != NULL ? reason : "unknown");
    return rc == MQTTASYNC_PERSISTENCE_ERROR ? -ENOMEM : -EINVAL;
}

static int start_thread(struct line *line, char *why, size_t why_bytes)
{
    pthread_condattr_t clock;
    int r = -pthread_condattr_init(&clock);
    if (r < 0)
        goto fail;
    r = -pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    if (r == 0)
        r = -pthread_cond_init(&line->changed, &clock);
    (void)pthread_condattr_destroy(&clock);
    if (r < 0)
        goto fail;
    r = -pthread_mutex_init(&line->lock, NULL);
    if (r < 0)
        goto fail_lock;
    r = -pthread_create(&line->thread, NULL, run, line);
    if (r == 0) {
        (void)pthread_setname_np(line->thread, "mqtt"); /* only for top */
        return 0;
    }
    (void)pthread_mutex_destroy(&line->lock);
fail_lock:
    (void)pthread_cond_destroy(&line->changed);
fail:
    (void)snprintf(why, why_bytes, "mqtt: its thread can't start: %s", strerror(-r));
    return r;
}

static void number_answers(struct line *line)
{
    for (int i = 0; i < EPOCHS; i++) {
        struct epoch *epoch = &line->epochs[i];
        epoch->line = line;
        for (int k = 0; k < LINE_PUBLISHES_MAX; k++)
            epoch->publishes[k] = (struct answer){.epoch = epoch, .index = k};
        for (int k = 0; k < INBOUND_TOPIC_COUNT; k++)
            epoch->subscriptions[k] = (struct answer){.epoch = epoch, .index = k};
    }
}

int line_open(const struct mqtt_settings *settings, const struct topics *topics, struct ring *ring, struct inbox *inbox,
              struct line **ret_line, char *why, size_t why_bytes)
{
    struct line *line = calloc(1, sizeof *line);
    int r = 0;
    *ret_line = NULL;
    if (line == NULL) {
        (void)snprintf(why, why_bytes, "mqtt: no memory");
        return -ENOMEM;
    }
    line->settings = settings;
    line->topics = topics;
    line->ring = ring;
    line->inbox = inbox;
    number_answers(line);
    if (settings->ca_file[0] != '\0' && access(settings->ca_file, R_OK) < 0) {
        r = -errno;
        (void)snprintf(why, why_bytes, "mqtt.ca_file \"%s\": %s", settings->ca_file, strerror(errno));
    }
    if (r == 0)
        r = read_password(line, why, why_bytes);
    if (r == 0)
        r = create_first(line, why, why_bytes);
    if (r < 0)
        goto fail;
    r = start_thread(line, why, why_bytes);
    if (r < 0)
        goto fail_thread;
    *ret_line = line;
    return 0;
fail_thread:
    MQTTAsync_destroy(&line->paho);
fail:
    explicit_bzero(line->password, sizeof line->password);
    free(line);
    return r;
}

bool line_order(struct line *line, const struct line_order *order)
{
    bool room;
    (void)pthread_mutex_lock(&line->lock);
    if (order->op == LINE_CONNECT)
        line->count = 0;
    room = line->count < (order->op == LINE_PUBLISH ? LINE_PUBLISHES_MAX : LINE_ORDERS_MAX);
    if (room) {
        copy_order(&line->orders[(line->first + line->count++) % LINE_ORDERS_MAX], order);
        (void)pthread_cond_signal(&line->changed);
    }
    (void)pthread_mutex_unlock(&line->lock);
    return room;
}

uint64_t line_heard(const struct line *line)
{
    return atomic_load(&line->heard);
}

uint64_t line_retained_ignored(const struct line *line)
{
    return atomic_load(&line->retained_ignored);
}

bool line_close(struct line *line, int64_t deadline_us)
{
    struct timespec until = {.tv_sec = (time_t)(deadline_us / 1000000), .tv_nsec = (long)(deadline_us % 1000000) * 1000};
    bool ended;
    int r = 0;
    (void)pthread_mutex_lock(&line->lock);
    line->ending = true;
    (void)pthread_cond_signal(&line->changed);
    while (!line->ended && r == 0)
        r = pthread_cond_timedwait(&line->changed, &line->lock, &until);
    ended = line->ended;
    (void)pthread_mutex_unlock(&line->lock);
    if (!ended || pthread_join(line->thread, NULL) != 0)
        return false;
    (void)pthread_cond_destroy(&line->changed);
    (void)pthread_mutex_destroy(&line->lock);
    explicit_bzero(line->password, sizeof line->password);
    free(line);
    return true;
}
