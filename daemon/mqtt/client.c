/* The Paho adapter. All functions run in the main thread, but for the callbacks (on_…), which run in Paho's threads and
 * may touch nothing but the ring.
 *
 * What Paho 1.3 does and this file works around:
 * - its connect thread resolves the broker's name with Paho's one lock held, and every other call would wait for that
 *   (up to half a minute with a dead name server): while CONNECTING nothing of Paho is called;
 * - its own reconnection tells neither when nor why an attempt failed: each attempt is ours;
 * - a DISCONNECT from the broker ends the connection without connectionLost: both callbacks are listened to, and a
 *   publish that finds the connection gone says so too;
 * - what it had queued and not yet written when the link died goes out first on the next connection, before what is older:
 *   each attempt has a handle of its own, and the old one's queue dies with it;
 * - the outcome of a disconnect may never be told when the link dies meanwhile: CLOSING has an end of its own. */
#include "daemon/mqtt/client.h"

#include <MQTTAsync.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "daemon/mqtt/backoff.h"
#include "daemon/mqtt/ring.h"

enum { IN_FLIGHT_MAX = 110, EPOCHS = 8, SILENT_CONNECT_US = 300000000, SILENT_CLOSE_US = 5000000 };

#define OFFLINE_TAG UINT64_MAX

enum link { LINK_IDLE, LINK_CONNECTING, LINK_CONNECTED, LINK_CLOSING };

/* The context of an attempt's callbacks: a late answer from an old connection is known by its number. Eight are enough, as
 * at least the shortest wait lies between two attempts. */
struct epoch {
    struct mqtt_client *client;
    uint64_t number;
};

struct sent {
    bool used;
    int token;
    uint64_t tag;
};

struct mqtt_client {
    struct mqtt_settings settings;
    char uri[160], availability_topic[160], password[160];
    MQTTAsync paho;
    struct ring ring;
    struct epoch epochs[EPOCHS];
    uint64_t attempt; /* the epoch that counts */
    enum link link;
    int64_t now_us;     /* of the last tick */
    int64_t since_us;   /* link has been what it is */
    int64_t attempt_at_us; /* IDLE: when to connect; 0: to be drawn at the next tick */
    int failures;
    struct sent sent[IN_FLIGHT_MAX];
};

/* ---- Paho's threads ---- */

static void tell(const struct epoch *epoch, enum ring_kind kind, int token, int code, const char *text)
{
    struct ring_entry entry = {.kind = kind, .epoch = epoch->number, .token = token, .code = code};
    if (text != NULL)
        (void)snprintf(entry.text, sizeof entry.text, "%s", text);
    ring_put(&epoch->client->ring, &entry);
}

static void on_connected(void *context, MQTTAsync_successData5 *response)
{
    const struct epoch *epoch = context;
    struct ring_entry entry = {.kind = RING_CONNECTED, .epoch = epoch->number, .receive_max = 65535};
    if (response != NULL && MQTTProperties_hasProperty(&response->properties, MQTTPROPERTY_CODE_RECEIVE_MAXIMUM))
        entry.receive_max = MQTTProperties_getNumericValue(&response->properties, MQTTPROPERTY_CODE_RECEIVE_MAXIMUM);
    ring_put(&epoch->client->ring, &entry);
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
    /* Paho calls onSuccess for the PUBACK; its reason is looked at all the same. */
    int reason = response != NULL ? (int)response->reasonCode : 0;
    if (response != NULL)
        tell(context, reason < 0x80 ? RING_ACKED : RING_NOT_ACKED, response->token, reason, NULL);
}

static void on_not_acked(void *context, MQTTAsync_failureData5 *response)
{
    if (response != NULL)
        tell(context, RING_NOT_ACKED, response->token, failure_code(response), response->message);
}

static int on_message(void *context, char *topic, int topic_length, MQTTAsync_message *message)
{
    /* Nothing is subscribed to: a message is a broker's mistake and moves nothing. */
    (void)context, (void)topic_length;
    MQTTAsync_freeMessage(&message);
    MQTTAsync_free(topic);
    return 1;
}

/* ---- the main thread ---- */

static int64_t clock_us(void)
{
    struct timespec now;
    if (clock_gettime(CLOCK_MONOTONIC, &now) < 0)
        return 0;
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void set_link(struct mqtt_client *client, enum link link)
{
    client->link = link;
    client->since_us = client->now_us;
    client->attempt_at_us = 0;
}

static int read_password(struct mqtt_client *client, char *why, size_t why_bytes)
{
    const char *path = client->settings.password_file;
    ssize_t length;
    int fd, r = 0;
    if (path[0] == '\0')
        return 0;
    fd = open(path, O_RDONLY | O_CLOEXEC);
    length = fd < 0 ? -1 : read(fd, client->password, sizeof client->password - 1);
    if (length < 0) {
        r = -errno;
        (void)snprintf(why, why_bytes, "mqtt.password_file \"%s\": %s; make it readable for the daemon", path, strerror(errno));
    } else {
        client->password[length] = '\0';
        client->password[strcspn(client->password, "\r\n")] = '\0';
        if ((size_t)length == sizeof client->password - 1) {
            r = -EINVAL;
            (void)snprintf(why, why_bytes, "mqtt.password_file \"%s\": longer than %zu bytes", path,
                           sizeof client->password - 2);
        }
    }
    if (fd >= 0)
        (void)close(fd);
    return r;
}

static const char *reason_text(int code)
{
    const char *text = code >= 0x80 ? MQTTReasonCode_toString((enum MQTTReasonCodes)code) : MQTTAsync_strerror(code);
    return text != NULL ? text : "unknown";
}

static int create_paho(const struct mqtt_client *client, MQTTAsync *ret_paho)
{
    MQTTAsync_createOptions options = MQTTAsync_createOptions_initializer5;
    /* The journal is the store: a second one inside Paho could only disagree with it. */
    options.sendWhileDisconnected = 0;
    options.maxBufferedMessages = IN_FLIGHT_MAX + 1;
    return MQTTAsync_createWithOptions(ret_paho, client->uri, client->settings.client_id, MQTTCLIENT_PERSISTENCE_NONE, NULL,
                                       &options);
}

static int create_first(struct mqtt_client *client, char *why, size_t why_bytes)
{
    bool v6 = strchr(client->settings.host, ':') != NULL;
    int rc;
    (void)snprintf(client->uri, sizeof client->uri, "%s://%s%s%s:%d", client->settings.ca_file[0] != '\0' ? "ssl" : "tcp",
                   v6 ? "[" : "", client->settings.host, v6 ? "]" : "", client->settings.port);
    rc = create_paho(client, &client->paho);
    if (rc == MQTTASYNC_SUCCESS)
        return 0;
    (void)snprintf(why, why_bytes, "mqtt: %s as \"%s\": %s; check host, port and client_id", client->uri,
                   client->settings.client_id, reason_text(rc));
    return rc == MQTTASYNC_PERSISTENCE_ERROR ? -ENOMEM : -EINVAL;
}

/* A new handle and then no more of the old one, in this order: Paho stops its threads, and waits for that, when its last
 * handle goes. Never while CONNECTING. */
static int renew_paho(struct mqtt_client *client)
{
    MQTTAsync fresh = NULL;
    int rc = create_paho(client, &fresh);
    if (rc == MQTTASYNC_SUCCESS) {
        MQTTAsync_destroy(&client->paho);
        client->paho = fresh;
    }
    return rc;
}

/* Callbacks that belong to no call: their context changes with the attempt. Only while no connection is up or under way. */
static int listen_as(struct mqtt_client *client, struct epoch *epoch)
{
    int rc = MQTTAsync_setCallbacks(client->paho, epoch, on_lost, on_message, NULL);
    return rc == MQTTASYNC_SUCCESS ? MQTTAsync_setDisconnected(client->paho, epoch, on_broker_left) : rc;
}

int mqtt_client_open(const struct mqtt_settings *settings, const char *availability_topic, struct mqtt_client **ret_client,
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
    (void)snprintf(client->availability_topic, sizeof client->availability_topic, "%s", availability_topic);
    r = ring_init(&client->ring);
    if (r < 0) {
        (void)snprintf(why, why_bytes, "mqtt: %s", strerror(-r));
        free(client);
        return r;
    }
    if (settings->ca_file[0] != '\0' && access(settings->ca_file, R_OK) < 0) {
        r = -errno;
        (void)snprintf(why, why_bytes, "mqtt.ca_file \"%s\": %s", settings->ca_file, strerror(errno));
        goto fail;
    }
    r = read_password(client, why, why_bytes);
    if (r == 0)
        r = create_first(client, why, why_bytes);
    if (r < 0)
        goto fail;
    for (int i = 0; i < EPOCHS; i++)
        client->epochs[i].client = client;
    client->attempt_at_us = 1; /* the first attempt at once */
    *ret_client = client;
    return 0;
fail:
    explicit_bzero(client->password, sizeof client->password);
    ring_end(&client->ring);
    free(client);
    return r;
}

int mqtt_client_fd(const struct mqtt_client *client)
{
    return client->ring.fd;
}

static void forget_sent(struct mqtt_client *client)
{
    memset(client->sent, 0, sizeof client->sent);
}

static void disconnect(struct mqtt_client *client)
{
    MQTTAsync_disconnectOptions options = MQTTAsync_disconnectOptions_initializer5;
    options.timeout = 0; /* Paho looks at timeouts every three seconds only; who must wait does so here */
    options.onSuccess5 = on_closed;
    options.onFailure5 = on_close_failed;
    options.context = &client->epochs[client->attempt % EPOCHS];
    set_link(client, LINK_CLOSING);
    if (MQTTAsync_disconnect(client->paho, &options) != MQTTASYNC_SUCCESS)
        tell(options.context, RING_LOST, 0, MQTTASYNC_DISCONNECTED, "already disconnected");
}

void mqtt_client_reset(struct mqtt_client *client)
{
    if (client->link == LINK_CONNECTED)
        disconnect(client);
}

static int milliseconds(int setting_ms, int usual_ms)
{
    return setting_ms > 0 ? setting_ms : usual_ms;
}

static int start_attempt(struct mqtt_client *client)
{
    MQTTAsync_connectOptions options = MQTTAsync_connectOptions_initializer5;
    MQTTAsync_willOptions will = MQTTAsync_willOptions_initializer;
    MQTTAsync_SSLOptions ssl = MQTTAsync_SSLOptions_initializer;
    struct epoch *epoch = &client->epochs[++client->attempt % EPOCHS];
    int rc;
    epoch->number = client->attempt;
    forget_sent(client);
    will.topicName = client->availability_topic;
    will.message = "offline";
    will.retained = 1;
    will.qos = 1;
    /* A clean start and a session that ends with the connection: what the broker would remember for us is in the journal
     * anyway, and a broker that forgot half of it can then do no harm. */
    options.cleanstart = 1;
    options.keepAliveInterval = client->settings.keepalive_s;
    options.connectTimeout = (milliseconds(client->settings.connect_timeout_ms, MQTT_CONNECT_TIMEOUT_MS) + 999) / 1000;
    options.automaticReconnect = 0;
    options.maxInflight = IN_FLIGHT_MAX;
    options.will = &will;
    options.username = client->settings.username[0] != '\0' ? client->settings.username : NULL;
    options.password = client->password[0] != '\0' ? client->password : NULL;
    if (client->settings.ca_file[0] != '\0') {
        ssl.trustStore = client->settings.ca_file;
        ssl.disableDefaultTrustStore = 1; /* this CA and no other */
        ssl.enableServerCertAuth = 1;
        ssl.verify = 1; /* the name too; Paho's default is not to look */
        options.ssl = &ssl;
    }
    options.onSuccess5 = on_connected;
    options.onFailure5 = on_connect_failed;
    options.context = epoch;
    rc = listen_as(client, epoch);
    return rc == MQTTASYNC_SUCCESS ? MQTTAsync_connect(client->paho, &options) : rc;
}

static void connect_now(struct mqtt_client *client)
{
    int rc = client->attempt > 0 ? renew_paho(client) : MQTTASYNC_SUCCESS;
    if (rc == MQTTASYNC_SUCCESS)
        rc = start_attempt(client);
    set_link(client, LINK_CONNECTING);
    if (rc != MQTTASYNC_SUCCESS)
        tell(&client->epochs[client->attempt % EPOCHS], RING_CONNECT_FAILED, 0, rc, "not tried");
}

/* A callback that never came must not end the trying. */
static int64_t silence_ends_us(const struct mqtt_client *client)
{
    if (client->link == LINK_CONNECTING)
        return client->since_us + SILENT_CONNECT_US;
    return client->link == LINK_CLOSING ? client->since_us + SILENT_CLOSE_US : INT64_MAX;
}

void mqtt_client_tick(struct mqtt_client *client, int64_t now_us, uint32_t random)
{
    int64_t min_us = (int64_t)milliseconds(client->settings.reconnect_min_ms, MQTT_RECONNECT_MIN_MS) * 1000;
    int64_t max_us = (int64_t)milliseconds(client->settings.reconnect_max_ms, MQTT_RECONNECT_MAX_MS) * 1000;
    client->now_us = now_us;
    /* Only a connection that held proves that all is well: one that dies at once mustn't be made again at once. */
    if (client->link == LINK_CONNECTED && now_us - client->since_us >= max_us)
        client->failures = 0;
    if (now_us >= silence_ends_us(client))
        tell(&client->epochs[client->attempt % EPOCHS],
             client->link == LINK_CONNECTING ? RING_CONNECT_FAILED : RING_LOST, 0, MQTTASYNC_FAILURE, "no outcome was told");
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
    return client->link == LINK_IDLE ? client->attempt_at_us : silence_ends_us(client);
}

static void describe(struct mqtt_event *event, const struct ring_entry *entry)
{
    const char *separator = entry->text[0] != '\0' ? ", " : "";
    if (entry->code >= 0x80)
        (void)snprintf(event->text, sizeof event->text, "%s (0x%02x)%s%.64s", reason_text(entry->code), (unsigned)entry->code,
                       separator, entry->text);
    else
        (void)snprintf(event->text, sizeof event->text, "%s (%d)%s%.64s", reason_text(entry->code), entry->code, separator,
                       entry->text);
}

/* The publish that `token` stands for, or NULL: an answer to a connection that is gone. */
static struct sent *find_sent(struct mqtt_client *client, int token)
{
    for (int i = 0; i < IN_FLIGHT_MAX; i++)
        if (client->sent[i].used && client->sent[i].token == token)
            return &client->sent[i];
    return NULL;
}

static bool answered(struct mqtt_client *client, const struct ring_entry *entry, struct mqtt_event *ret_event)
{
    struct sent *sent = find_sent(client, entry->token);
    if (sent == NULL)
        return false;
    sent->used = false;
    ret_event->kind = MQTT_ANSWERED;
    ret_event->tag = sent->tag;
    ret_event->result = entry->kind == RING_ACKED ? MQTT_RESULT_OK
                        : entry->code >= 0x80     ? MQTT_RESULT_REFUSED
                                                  : MQTT_RESULT_LOST;
    return true;
}

/* True when the entry is news for the publisher. */
static bool interpret(struct mqtt_client *client, const struct ring_entry *entry, struct mqtt_event *ret_event)
{
    *ret_event = (struct mqtt_event){.code = entry->code, .receive_max = entry->receive_max};
    if (entry->epoch != client->attempt)
        return false;
    describe(ret_event, entry);
    switch (entry->kind) {
    case RING_CONNECTED:
        if (client->link != LINK_CONNECTING)
            return false;
        set_link(client, LINK_CONNECTED);
        ret_event->kind = MQTT_CONNECTED;
        return true;
    case RING_CONNECT_FAILED:
        if (client->link != LINK_CONNECTING)
            return false;
        set_link(client, LINK_IDLE);
        ret_event->kind = MQTT_CONNECT_FAILED;
        return true;
    case RING_LOST:
        if (client->link != LINK_CONNECTED && client->link != LINK_CLOSING)
            return false;
        set_link(client, LINK_IDLE);
        forget_sent(client);
        ret_event->kind = MQTT_LOST;
        return true;
    case RING_ACKED:
    case RING_NOT_ACKED: return answered(client, entry, ret_event);
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

int mqtt_client_publish(struct mqtt_client *client, const char *topic, const char *payload, size_t payload_bytes, bool retain,
                        uint64_t tag)
{
    MQTTAsync_message message = MQTTAsync_message_initializer;
    MQTTAsync_responseOptions options = MQTTAsync_responseOptions_initializer;
    struct epoch *epoch = &client->epochs[client->attempt % EPOCHS];
    struct sent *sent = NULL;
    char copy[4096]; /* Paho's struct wants a pointer to what may be changed */
    int rc;
    if (client->link != LINK_CONNECTED)
        return -ENOTCONN;
    for (int i = 0; i < IN_FLIGHT_MAX && sent == NULL; i++)
        if (!client->sent[i].used)
            sent = &client->sent[i];
    if (sent == NULL)
        return -EAGAIN;
    if (payload_bytes > sizeof copy)
        return -EMSGSIZE;
    memcpy(copy, payload, payload_bytes);
    message.payload = copy;
    message.payloadlen = (int)payload_bytes;
    message.qos = 1;
    message.retained = retain;
    options.onSuccess5 = on_acked;
    options.onFailure5 = on_not_acked;
    options.context = epoch;
    rc = MQTTAsync_sendMessage(client->paho, topic, &message, &options);
    if (rc == MQTTASYNC_DISCONNECTED)
        tell(epoch, RING_LOST, 0, rc, "found at a publish");
    if (rc != MQTTASYNC_SUCCESS)
        return rc == MQTTASYNC_DISCONNECTED ? -ENOTCONN : rc == MQTTASYNC_MAX_BUFFERED_MESSAGES ? -EAGAIN : -EIO;
    /* The answer may be in the ring by now; it is read by this thread, later. */
    *sent = (struct sent){.used = true, .token = options.token, .tag = tag};
    return 0;
}

/* Turns the crank until the link is no longer `link`, the publish with `tag` is answered, or the time is up. */
static void wait_while(struct mqtt_client *client, enum link link, uint64_t tag, int64_t deadline_us)
{
    struct mqtt_event event;
    for (;;) {
        struct pollfd ready = {.fd = client->ring.fd, .events = POLLIN};
        int64_t now_us = clock_us();
        while (mqtt_client_take(client, &event))
            if (event.kind == MQTT_ANSWERED && event.tag == tag)
                return;
        if (client->link != link || now_us >= deadline_us)
            return;
        if (poll(&ready, 1, (int)((deadline_us - now_us) / 1000) + 1) < 0 && errno != EINTR)
            return;
    }
}

void mqtt_client_close(struct mqtt_client *client)
{
    static const char offline[] = "offline";
    int64_t deadline_us = clock_us() + (int64_t)MQTT_CLOSE_WAIT_MS * 1000;
    if (client == NULL)
        return;
    if (client->link == LINK_CONNECTING)
        wait_while(client, LINK_CONNECTING, OFFLINE_TAG, deadline_us);
    /* An orderly goodbye makes the broker drop the will, so "offline" is said in person. Half of the time is for that. */
    if (client->link == LINK_CONNECTED &&
        mqtt_client_publish(client, client->availability_topic, offline, sizeof offline - 1, true, OFFLINE_TAG) == 0)
        wait_while(client, LINK_CONNECTED, OFFLINE_TAG, deadline_us - (int64_t)MQTT_CLOSE_WAIT_MS * 500);
    if (client->link == LINK_CONNECTED)
        disconnect(client);
    if (client->link == LINK_CLOSING)
        wait_while(client, LINK_CLOSING, OFFLINE_TAG, deadline_us);
    explicit_bzero(client->password, sizeof client->password);
    if (client->link != LINK_IDLE) {
        /* Paho is busy, perhaps in a name look-up: to destroy it would wait for that. The process is about to end and its
         * threads may still call back, so what they use stays. */
        return;
    }
    (void)MQTTAsync_setConnectionLostCallback(client->paho, NULL, NULL);
    (void)MQTTAsync_setDisconnected(client->paho, NULL, NULL);
    MQTTAsync_destroy(&client->paho);
    ring_end(&client->ring);
    free(client);
}

const char *mqtt_client_library(void)
{
    const MQTTAsync_nameValue *info = MQTTAsync_getVersionInfo();
    for (; info != NULL && info->name != NULL; info++)
        if (strcmp(info->name, "Version") == 0)
            return info->value;
    return "unknown";
}
