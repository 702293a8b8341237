/* The orders carried out: the only calls of Paho but for the callbacks (line_callbacks.c). The line's thread.
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
 *   on_message() waits until there is room;
 * - of a connection that ends while it is being made it sometimes tells nothing at all: client.c ends such a silence;
 * - with OpenSSL 1.1 and later it doesn't look at sslVersion: the oldest TLS is set by what ciphers there are (tls.c).
 *
 * And what it can't: a handle that is destroyed forgets to free the topics and payloads of publishes that it was given and hadn't
 * begun to write (MQTTAsync_NULLPublishCommands). So a connection that dies loses some memory, a window's messages at the most. And its
 * sending thread looks whether there is work and then waits, without a lock over both: what comes between is sent a second later, or
 * with the next thing to send. And its list of commands is changed under two different locks: once in some hundred connections that die
 * while something is handed over, its threads crash, and the process with them. The unit starts the lane again; nothing is lost. */
#include "daemon/mqtt/line_parts.h"

#include <string.h>
#include <time.h>

#include "daemon/mqtt/catalogue.h"
#include "daemon/mqtt/certificates.h"
#include "daemon/mqtt/credentials.h"
#include "daemon/mqtt/tls.h"

/* A declaration has 2 KiB at the most, and longer ones must still be answerable. Not less than 1 MiB: mosquitto 2.0.11 counts a
 * message it didn't send for its size as unacknowledged until the next connection. One message at a time: with the next one
 * already in the socket, Paho's receiving thread would hold its lock again before anybody else got it, and in a flood results
 * would hardly leave; so there is the time of a round trip for them. 3.1.1 can ask for neither. */
enum { RECEIVE_MAX_BYTES = 1048576, RECEIVE_AT_ONCE = 1, REST_US = 1200000 };

int line_create_paho(const struct line *line, bool is_5, MQTTAsync *ret_paho)
{
    MQTTAsync_createOptions options = MQTTAsync_createOptions_initializer5;
    options.MQTTVersion = is_5 ? MQTTVERSION_5 : MQTTVERSION_3_1_1;
    /* The journal is the store: a second one inside Paho could only disagree with it. */
    options.sendWhileDisconnected = 0;
    options.maxBufferedMessages = LINE_PUBLISHES_MAX + 1;
    return MQTTAsync_createWithOptions(ret_paho, line->uri, line->settings->client_id, MQTTCLIENT_PERSISTENCE_NONE, NULL,
                                       &options);
}

static int64_t monotonic_us(void)
{
    struct timespec now;
    if (clock_gettime(CLOCK_MONOTONIC, &now) < 0)
        return 0;
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* Paho's threads look through its list of handles without its lock where a socket has become writable: who destroys one just then
 * crashes the daemon. So a handle rests until they have been round (a second at the most), and goes when no socket is open. */
static void destroy_rested(struct line *line)
{
    for (int i = 0; i < LINE_RETIRED_MAX; i++)
        if (line->retired[i].paho != NULL && monotonic_us() - line->retired[i].since_us >= REST_US)
            MQTTAsync_destroy(&line->retired[i].paho); /* makes it NULL */
}

static int free_place(const struct line *line)
{
    for (int i = 0; i < LINE_RETIRED_MAX; i++)
        if (line->retired[i].paho == NULL)
            return i;
    return -1;
}

/* A new handle beside the old one, in this order: Paho stops its threads, and waits for that, when its last handle goes. With no
 * place left the line, which is a thread of its own, waits: so quick in a row only a test's attempts are. */
static int renew_paho(struct line *line, bool is_5)
{
    const struct timespec a_while = {.tv_nsec = REST_US / 4 * 1000};
    MQTTAsync fresh = NULL;
    int place, rc;
    destroy_rested(line);
    for (place = free_place(line); place < 0; place = free_place(line)) {
        (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &a_while, NULL);
        destroy_rested(line);
    }
    rc = line_create_paho(line, is_5, &fresh);
    if (rc == MQTTASYNC_SUCCESS) {
        line->retired[place].paho = line->paho;
        line->retired[place].since_us = monotonic_us();
        line->paho = fresh;
    }
    return rc;
}

void line_destroy_all(struct line *line)
{
    for (int i = 0; i < LINE_RETIRED_MAX; i++)
        if (line->retired[i].paho != NULL)
            MQTTAsync_destroy(&line->retired[i].paho);
    MQTTAsync_destroy(&line->paho);
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
    if (rc == 0 && mqtt_receives(settings))
        rc = add_number(properties, MQTTPROPERTY_CODE_RECEIVE_MAXIMUM, RECEIVE_AT_ONCE);
    if (rc == 0 && mqtt_receives(settings))
        rc = add_number(properties, MQTTPROPERTY_CODE_MAXIMUM_PACKET_SIZE, RECEIVE_MAX_BYTES);
    return rc;
}

/* A session outlives the connection for the sake of what comes in. Without one, a clean start: a broker that forgot half of
 * something can then do no harm. 3.1.1 has no time for it: the broker keeps it as long as it likes. */
static int set_dialect(const struct line *line, const struct epoch *epoch, MQTTProperties *properties,
                       MQTTAsync_connectOptions *options)
{
    const bool clean = line->settings->session_expiry_s == 0;
    if (!epoch->is_5) {
        *options = (MQTTAsync_connectOptions)MQTTAsync_connectOptions_initializer;
        options->MQTTVersion = MQTTVERSION_3_1_1;
        options->cleansession = clean;
        return MQTTASYNC_SUCCESS;
    }
    *options = (MQTTAsync_connectOptions)MQTTAsync_connectOptions_initializer5;
    options->cleanstart = clean;
    options->connectProperties = properties;
    return add_properties(line, properties);
}

static int connect_paho(struct line *line, struct epoch *epoch, const struct credentials *credentials)
{
    MQTTAsync_connectOptions options;
    MQTTAsync_willOptions will = MQTTAsync_willOptions_initializer;
    MQTTAsync_SSLOptions ssl = MQTTAsync_SSLOptions_initializer;
    MQTTProperties properties = MQTTProperties_initializer;
    const struct mqtt_settings *settings = line->settings;
    int timeout_ms = settings->connect_timeout_ms > 0 ? settings->connect_timeout_ms : MQTT_CONNECT_TIMEOUT_MS;
    int rc = set_dialect(line, epoch, &properties, &options);
    will.topicName = line->topics->text[TOPIC_AVAILABILITY];
    will.message = "offline";
    will.retained = catalogue_topic(TOPIC_AVAILABILITY)->retained;
    will.qos = catalogue_topic(TOPIC_AVAILABILITY)->qos;
    options.keepAliveInterval = settings->keepalive_s;
    options.connectTimeout = (timeout_ms + 999) / 1000;
    options.automaticReconnect = 0;
    options.maxInflight = LINE_PUBLISHES_MAX;
    options.will = &will;
    options.username = credentials->username[0] != '\0' ? credentials->username : NULL;
    options.password = credentials->password[0] != '\0' ? credentials->password : NULL;
    if (settings->ca_file[0] != '\0') {
        mqtt_tls_options(settings, &ssl);
        ssl.ssl_error_cb = line_tls_complaint;
        ssl.ssl_error_context = epoch;
        options.ssl = &ssl;
    }
    line_answer_connect(epoch, &options);
    if (rc == MQTTASYNC_SUCCESS)
        rc = MQTTAsync_connect(line->paho, &options);
    MQTTProperties_free(&properties);
    return rc;
}

/* What main is to know of the certificates, whether they are of use or not. */
static int inspect(const struct line *line, const struct epoch *epoch, char *why, size_t why_bytes)
{
    struct ring_entry entry = {.kind = RING_CERTIFICATES, .epoch = epoch->number};
    int r = certificates_read(line->settings, &entry.certificates, why, why_bytes);
    entry.code = r;
    if (r < 0)
        (void)snprintf(entry.text, sizeof entry.text, "%s", why);
    ring_put(line->ring, &entry);
    return r;
}

static void carry_out_connect(struct line *line)
{
    struct epoch *epoch = &line->epochs[line->current.attempt % LINE_EPOCHS];
    struct credentials credentials = {0};
    char why[MQTT_RING_TEXT_BYTES] = "not tried";
    int rc = line->attempt > 0 || !line->current.is_5 ? renew_paho(line, line->current.is_5) : MQTTASYNC_SUCCESS;
    line->attempt = epoch->number = line->current.attempt;
    epoch->is_5 = line->current.is_5;
    epoch->tls_text[0] = '\0';
    /* Callbacks that belong to no call: their context changes with the attempt. */
    if (rc == MQTTASYNC_SUCCESS)
        rc = line_listen(epoch, line->paho);
    if (rc == MQTTASYNC_SUCCESS && inspect(line, epoch, why, sizeof why) < 0)
        rc = LINE_FILES_BAD;
    if (rc == MQTTASYNC_SUCCESS && credentials_load(line->settings, line->credentials_folder, &credentials, why, sizeof why) < 0)
        rc = LINE_FILES_BAD;
    if (rc == MQTTASYNC_SUCCESS)
        rc = connect_paho(line, epoch, &credentials);
    credentials_wipe(&credentials); /* Paho has a copy of its own, as long as the handle lives */
    if (rc != MQTTASYNC_SUCCESS)
        line_tell(epoch, RING_CONNECT_FAILED, 0, rc, why);
}

static void carry_out_disconnect(struct line *line, struct epoch *epoch)
{
    MQTTAsync_disconnectOptions options = MQTTAsync_disconnectOptions_initializer;
    if (epoch->is_5)
        options = (MQTTAsync_disconnectOptions)MQTTAsync_disconnectOptions_initializer5;
    options.timeout = 0; /* Paho looks at timeouts every three seconds only; who must wait does so in client.c */
    line_answer_close(epoch, &options);
    if (MQTTAsync_disconnect(line->paho, &options) != MQTTASYNC_SUCCESS)
        line_tell(epoch, RING_LOST, 0, MQTTASYNC_DISCONNECTED, "already disconnected");
}

static void carry_out_publish(struct line *line, struct epoch *epoch)
{
    MQTTAsync_message message = MQTTAsync_message_initializer;
    MQTTAsync_responseOptions options = MQTTAsync_responseOptions_initializer;
    struct line_order *order = &line->current;
    int rc;
    /* Paho copies it before it returns. */
    message.payload = order->long_text != NULL ? (void *)(uintptr_t)order->long_text : order->text;
    message.payloadlen = (int)order->length_bytes;
    message.qos = catalogue_topic(order->topic)->qos;
    message.retained = catalogue_topic(order->topic)->retained;
    line_answer_publish(epoch, order->index, &options);
    rc = MQTTAsync_sendMessage(line->paho, line->topics->text[order->topic], &message, &options);
    if (rc == MQTTASYNC_DISCONNECTED)
        line_tell(epoch, RING_LOST, 0, rc, "found at a publish");
    else if (rc != MQTTASYNC_SUCCESS)
        line_tell(epoch, RING_NOT_ACKED, order->index, rc, "not handed over");
}

/* In 3.1.1 old retained messages do come, marked as such; one published as retained while we are there comes unmarked. */
static void carry_out_subscribe(struct line *line, struct epoch *epoch, bool wanted)
{
    MQTTAsync_responseOptions options = MQTTAsync_responseOptions_initializer;
    const char *filter = line->topics->filter[line->current.index];
    int rc;
    if (!wanted) { /* from an earlier configuration; the broker's answer changes nothing */
        (void)MQTTAsync_unsubscribe(line->paho, filter, &options);
        return;
    }
    line_answer_subscribe(epoch, line->current.index, &options);
    /* Not "no local": our own passages coming back show that the road in is open (publisher_talk.c). */
    options.subscribeOptions.retainAsPublished = 1; /* so that a retained one is known as such even when it comes live */
    options.subscribeOptions.retainHandling = 2;    /* and old ones aren't sent at all */
    rc = MQTTAsync_subscribe(line->paho, filter, catalogue_inbound((enum inbound_topic)line->current.index)->qos, &options);
    if (rc != MQTTASYNC_SUCCESS)
        line_tell(epoch, RING_SUBSCRIBED, line->current.index, rc, "not asked");
}

void line_carry_out(struct line *line)
{
    struct epoch *epoch = &line->epochs[line->attempt % LINE_EPOCHS];
    char why[MQTT_RING_TEXT_BYTES];
    if (line->current.op == LINE_CONNECT) {
        carry_out_connect(line);
        return;
    }
    if (line->current.op == LINE_INSPECT) { /* of no connection */
        (void)inspect(line, epoch, why, sizeof why);
        return;
    }
    if (line->current.attempt != line->attempt)
        return;
    switch (line->current.op) {
    case LINE_CONNECT:
    case LINE_INSPECT: break;
    case LINE_DISCONNECT: carry_out_disconnect(line, epoch); break;
    case LINE_PUBLISH: carry_out_publish(line, epoch); break;
    case LINE_SUBSCRIBE: carry_out_subscribe(line, epoch, true); break;
    case LINE_UNSUBSCRIBE: carry_out_subscribe(line, epoch, false); break;
    }
}
