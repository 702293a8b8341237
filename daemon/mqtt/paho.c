/* What Paho 1.3's synchronous client does and this file works around:
 * - a connect's failure is one number for everything: how far it came is read from what Paho traces meanwhile;
 * - a publish on a connection that dies counts as handed over, for a session that we don't keep: so the connection is looked at
 *   after each call;
 * - the broker's DISCONNECT is read and thrown away, and a few bytes of memory with it: on plain TCP it is looked at before;
 * - 3.1.1's PUBACKs are told to nobody: the list of what is still unanswered is;
 * - with OpenSSL 1.1 and later it doesn't look at sslVersion: the oldest TLS is set by what ciphers there are (tls.c). */
#include "daemon/mqtt/paho.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/health/clock.h"
#include "daemon/mqtt/tls.h"

enum { DESCRIPTORS_MAX = 1024, TLS_IDLE_READS = 3, SUBSCRIBE_TIMEOUT_MIN_MS = 5000, GOODBYE = 0xe0,
       LAST_WORDS_BYTES = 4096,
       TICK_MIN_MS = 100, TICK_MAX_MS = 1000, LINGER_US = 500000 };

/* What Paho says by its trace alone: how far a connect came, and how many messages it took in. The trace has no context of
 * ours, so what is written to is the calling thread's, for as long as it is in the call. */
struct overheard {
    bool greeted, no_name;
    int messages;
};
static _Thread_local struct overheard *overhearing;

static void trace(enum MQTTCLIENT_TRACE_LEVELS level, char *text)
{
    (void)level;
    if (overhearing == NULL)
        return;
    overhearing->greeted = overhearing->greeted || strstr(text, "-> CONNECT ") != NULL;
    overhearing->no_name = overhearing->no_name || strstr(text, "getaddrinfo failed") != NULL;
    overhearing->messages += strstr(text, "<- PUBLISH msgid: ") != NULL;
}

static void overhear(struct overheard *overheard)
{
    overhearing = overheard;
    MQTTClient_setTraceLevel(overheard != NULL ? MQTTCLIENT_TRACE_PROTOCOL : MQTTCLIENT_TRACE_ERROR);
    MQTTClient_setTraceCallback(overheard != NULL ? trace : NULL);
}

/* ---- the socket ---- */

static bool is_tcp(int fd)
{
    int protocol = 0;
    socklen_t bytes = sizeof protocol;
    return getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &bytes) == 0 && protocol == IPPROTO_TCP;
}

static void note_sockets(bool ret_is_tcp[DESCRIPTORS_MAX])
{
    for (int fd = 0; fd < DESCRIPTORS_MAX; fd++)
        ret_is_tcp[fd] = is_tcp(fd);
}

/* A duplicate of the new one stays ours whatever Paho does with its own; -1 = there is none. */
static int find_socket(const bool was_tcp[DESCRIPTORS_MAX])
{
    for (int fd = 0; fd < DESCRIPTORS_MAX; fd++) {
        struct sockaddr_storage peer;
        socklen_t bytes = sizeof peer;
        if (!was_tcp[fd] && is_tcp(fd) && getpeername(fd, (struct sockaddr *)&peer, &bytes) == 0)
            return fcntl(fd, F_DUPFD_CLOEXEC, 3);
    }
    return -1;
}

/* The reason in a DISCONNECT at `bytes`, 0 where it has none; -1: it is something else, perhaps the middle of a packet: in UTF-8
 * such a first byte is followed by 0x80 or more. Of a signed request it may look like one, once in a great while: then the
 * connection is made anew, and the broker sends it again. */
static int goodbye_of(const unsigned char *bytes, size_t length)
{
    if (length < 2 || bytes[0] != GOODBYE || bytes[1] >= 0x80)
        return -1;
    return bytes[1] > 0 && length > 2 ? bytes[2] : 0;
}

/* "Session taken over", "server shutting down": behind other packets, when Paho found the connection gone while it wrote. */
static void look_for_goodbye(struct paho *paho)
{
    unsigned char bytes[LAST_WORDS_BYTES];
    const ssize_t n = paho->is_5 && !paho->is_tls && paho->goodbye < 0 ? recv(paho->socket_fd, bytes, sizeof bytes, MSG_DONTWAIT) : 0;
    for (size_t at = 0; n > 0 && at + 1 < (size_t)n && bytes[at + 1] < 0x80; at += 2 + (size_t)bytes[at + 1])
        paho->goodbye = goodbye_of(bytes + at, (size_t)n - at); /* the last one counts; none of ours is longer than this knows */
}

/* While the duplicate is open the broker isn't told that the connection has ended. */
static void let_go_if_lost(struct paho *paho)
{
    if (paho->socket_fd < 0 || MQTTClient_isConnected(paho->client))
        return;
    look_for_goodbye(paho);
    (void)close(paho->socket_fd);
    paho->socket_fd = -1;
}

/* ---- answers to publishes ---- */

static void answered(struct paho *paho, int token, int reason)
{
    for (int i = 0; i < PAHO_PUBLISHES_MAX; i++) {
        if (paho->tokens[i] != token)
            continue;
        paho->tokens[i] = 0;
        paho->unanswered--;
        paho->acked(paho->context, i, reason);
        return;
    }
    paho->early_token = token;
    paho->early_reason = reason;
}

static void on_published(void *context, int token, int packet_type, MQTTProperties *properties, enum MQTTReasonCodes reason)
{
    (void)packet_type, (void)properties;
    answered(context, token, (int)reason);
}

static bool is_among(const int *tokens, int token)
{
    for (int i = 0; tokens != NULL && tokens[i] != -1; i++)
        if (tokens[i] == token)
            return true;
    return false;
}

static void look_for_answers(struct paho *paho)
{
    MQTTClient_deliveryToken *pending = NULL;
    if (paho->is_5 || paho->unanswered == 0 || !paho_connected(paho) ||
        MQTTClient_getPendingDeliveryTokens(paho->client, &pending) != MQTTCLIENT_SUCCESS)
        return;
    for (int i = 0; i < PAHO_PUBLISHES_MAX; i++)
        if (paho->tokens[i] != 0 && !is_among(pending, paho->tokens[i]))
            answered(paho, paho->tokens[i], 0);
    MQTTClient_free(pending);
}

/* ---- connecting ---- */

void paho_init(struct paho *paho, void (*acked)(void *context, int index, int reason), void *context)
{
    *paho = (struct paho){.socket_fd = -1, .acked = acked, .context = context};
}

static int create(struct paho *paho, const struct paho_greeting *greeting)
{
    MQTTClient_createOptions options = MQTTClient_createOptions_initializer;
    int rc;
    options.MQTTVersion = greeting->is_5 ? MQTTVERSION_5 : MQTTVERSION_3_1_1;
    /* No store of Paho's: a second one beside the journal could only disagree with it. */
    rc = MQTTClient_createWithOptions(&paho->client, greeting->uri, greeting->client_id, MQTTCLIENT_PERSISTENCE_NONE, NULL, &options);
    if (rc == MQTTCLIENT_SUCCESS && greeting->is_5)
        rc = MQTTClient_setPublished(paho->client, paho, on_published);
    if (rc == MQTTCLIENT_SUCCESS && greeting->answer_timeout_ms > SUBSCRIBE_TIMEOUT_MIN_MS)
        rc = MQTTClient_setCommandTimeout(paho->client, (unsigned long)greeting->answer_timeout_ms);
    return rc;
}

static int add_number(MQTTProperties *properties, enum MQTTPropertyCodes code, int value)
{
    MQTTProperty property = {.identifier = code};
    if (value == 0)
        return 0;
    if (code == MQTTPROPERTY_CODE_RECEIVE_MAXIMUM)
        property.value.integer2 = (unsigned short)value;
    else
        property.value.integer4 = (unsigned)value;
    return MQTTProperties_add(properties, &property);
}

/* In 3.1.1 a session has no time, the broker keeps it as long as it likes; and nothing can be asked of what it sends. */
static int set_dialect(const struct paho_greeting *greeting, MQTTProperties *properties, MQTTClient_connectOptions *options)
{
    int rc;
    if (!greeting->is_5) {
        *options = (MQTTClient_connectOptions)MQTTClient_connectOptions_initializer;
        options->MQTTVersion = MQTTVERSION_3_1_1;
        options->cleansession = greeting->clean;
        return 0;
    }
    *options = (MQTTClient_connectOptions)MQTTClient_connectOptions_initializer5;
    options->cleanstart = greeting->clean;
    rc = add_number(properties, MQTTPROPERTY_CODE_SESSION_EXPIRY_INTERVAL, greeting->session_expiry_s);
    if (rc == 0)
        rc = add_number(properties, MQTTPROPERTY_CODE_RECEIVE_MAXIMUM, greeting->receive_at_once);
    if (rc == 0)
        rc = add_number(properties, MQTTPROPERTY_CODE_MAXIMUM_PACKET_SIZE, greeting->receive_max_bytes);
    return rc;
}

static int on_tls_complaint(const char *text, size_t length, void *context)
{
    struct paho *paho = context;
    mqtt_tls_reason(text, length, paho->tls_text, sizeof paho->tls_text);
    return 1;
}

static int greet(struct paho *paho, const struct paho_greeting *greeting, MQTTProperties *properties, struct paho_outcome *ret)
{
    MQTTClient_connectOptions options;
    MQTTClient_willOptions will = MQTTClient_willOptions_initializer;
    MQTTClient_SSLOptions ssl;
    MQTTResponse response;
    int rc = set_dialect(greeting, properties, &options);
    if (rc != MQTTCLIENT_SUCCESS)
        return rc;
    will.topicName = greeting->will_topic;
    will.message = "offline";
    will.retained = 1;
    will.qos = 1;
    options.will = greeting->will_topic != NULL ? &will : NULL;
    options.keepAliveInterval = greeting->settings->keepalive_s;
    options.connectTimeout = (greeting->timeout_ms + 999) / 1000;
    options.reliable = 0;
    options.maxInflightMessages = PAHO_PUBLISHES_MAX + 1; /* the caller counts; at its own bound Paho would wait */
    options.username = greeting->credentials->username[0] != '\0' ? greeting->credentials->username : NULL;
    options.password = greeting->credentials->password[0] != '\0' ? greeting->credentials->password : NULL;
    if (paho->is_tls) {
        mqtt_tls_options(greeting->settings, &ssl);
        ssl.ssl_error_cb = on_tls_complaint;
        ssl.ssl_error_context = paho;
        options.ssl = &ssl;
    }
    if (!greeting->is_5) {
        rc = MQTTClient_connect(paho->client, &options);
        ret->session_present = rc == 0 && options.returned.sessionPresent != 0;
        return rc;
    }
    response = MQTTClient_connect5(paho->client, &options, properties, NULL);
    ret->session_present = response.reasonCode == 0 && options.returned.sessionPresent != 0;
    if (response.properties != NULL && MQTTProperties_hasProperty(response.properties, MQTTPROPERTY_CODE_RECEIVE_MAXIMUM))
        ret->receive_max = MQTTProperties_getNumericValue(response.properties, MQTTPROPERTY_CODE_RECEIVE_MAXIMUM);
    MQTTResponse_free(response);
    return (int)response.reasonCode;
}

static enum paho_stage stage(int code, const struct overheard *overheard)
{
    if (code == 0)
        return PAHO_CONNECTED;
    if (code > 0)
        return PAHO_REFUSED;
    if (code != MQTTCLIENT_FAILURE)
        return PAHO_NOT_TRIED;
    return overheard->greeted ? PAHO_CLOSED : overheard->no_name ? PAHO_NO_NAME : PAHO_NOT_REACHED;
}

struct paho_outcome paho_connect(struct paho *paho, const struct paho_greeting *greeting)
{
    struct paho_outcome outcome = {.receive_max = 65535};
    MQTTProperties properties = MQTTProperties_initializer;
    struct overheard overheard = {0};
    bool was_tcp[DESCRIPTORS_MAX];
    paho_end(paho);
    paho_init(paho, paho->acked, paho->context);
    paho->is_5 = greeting->is_5;
    paho->is_tls = greeting->settings->ca_file[0] != '\0';
    paho->goodbye = -1;
    const int tenth_ms = greeting->settings->keepalive_s * 100;
    paho->tick_ms = tenth_ms < TICK_MIN_MS ? TICK_MIN_MS : tenth_ms > TICK_MAX_MS ? TICK_MAX_MS : tenth_ms;
    note_sockets(was_tcp);
    outcome.code = create(paho, greeting);
    if (outcome.code != MQTTCLIENT_SUCCESS) {
        outcome.stage = PAHO_NOT_TRIED;
        return outcome;
    }
    overhear(&overheard);
    outcome.code = greet(paho, greeting, &properties, &outcome);
    overhear(NULL);
    MQTTProperties_free(&properties);
    outcome.stage = stage(outcome.code, &overheard);
    paho->receive_max = outcome.receive_max;
    if (outcome.stage == PAHO_CONNECTED)
        paho->socket_fd = find_socket(was_tcp);
    if (outcome.stage == PAHO_CONNECTED && paho->socket_fd < 0) { /* gone already, or too many descriptors are open */
        paho_disconnect(paho);
        outcome.stage = PAHO_CLOSED;
        outcome.code = MQTTCLIENT_FAILURE;
    }
    return outcome;
}

bool paho_connected(const struct paho *paho)
{
    return paho->socket_fd >= 0;
}

/* ---- out ---- */

int paho_publish(struct paho *paho, int index, const char *topic, const void *bytes, size_t length_bytes, bool retained, int expiry_s)
{
    MQTTClient_message message = MQTTClient_message_initializer;
    MQTTClient_deliveryToken token = 0;
    struct overheard overheard = {0};
    int rc = MQTTCLIENT_SUCCESS;
    message.payload = (void *)(uintptr_t)bytes; /* Paho copies it */
    message.payloadlen = (int)length_bytes;
    message.qos = 1;
    message.retained = retained;
    paho->early_token = 0;
    overhear(&overheard); /* who must wait for the broker reads meanwhile */
    if (paho->is_5) {
        MQTTResponse response;
        rc = add_number(&message.properties, MQTTPROPERTY_CODE_MESSAGE_EXPIRY_INTERVAL, expiry_s);
        if (rc == 0) {
            response = MQTTClient_publishMessage5(paho->client, topic, &message, &token);
            rc = (int)response.reasonCode;
            MQTTResponse_free(response);
        }
        MQTTProperties_free(&message.properties);
    } else {
        rc = MQTTClient_publishMessage(paho->client, topic, &message, &token);
    }
    overhear(NULL);
    paho->ungiven += overheard.messages;
    let_go_if_lost(paho);
    if (!paho_connected(paho))
        return MQTTCLIENT_DISCONNECTED;
    if (rc != MQTTCLIENT_SUCCESS)
        return rc;
    paho->tokens[index] = token;
    paho->unanswered++;
    if (paho->early_token == token)
        answered(paho, token, paho->early_reason);
    return 0;
}

bool paho_has_room(const struct paho *paho)
{
    return !paho_connected(paho) || paho->unanswered < paho->receive_max;
}

int paho_subscribe(struct paho *paho, const char *filter, int qos, bool no_retained)
{
    MQTTSubscribe_options options = MQTTSubscribe_options_initializer;
    struct overheard overheard = {0};
    int rc;
    overhear(&overheard);
    if (paho->is_5) {
        MQTTResponse response;
        options.retainAsPublished = 1; /* so that a retained one is known as such even when it comes live */
        options.retainHandling = no_retained ? 2 : 0; /* old ones aren't sent at all */
        response = MQTTClient_subscribe5(paho->client, filter, qos, &options, NULL);
        rc = (int)response.reasonCode;
        MQTTResponse_free(response);
    } else {
        char *one = (char *)(uintptr_t)filter;
        int granted = qos;
        rc = MQTTClient_subscribeMany(paho->client, 1, &one, &granted);
        rc = rc == MQTTCLIENT_SUCCESS ? granted : rc;
    }
    overhear(NULL);
    paho->ungiven += overheard.messages;
    let_go_if_lost(paho);
    return paho_connected(paho) ? rc : MQTTCLIENT_DISCONNECTED;
}

int paho_unsubscribe(struct paho *paho, const char *filter)
{
    struct overheard overheard = {0};
    int rc;
    overhear(&overheard);
    if (paho->is_5) {
        MQTTResponse response = MQTTClient_unsubscribe5(paho->client, filter, NULL);
        rc = (int)response.reasonCode;
        MQTTResponse_free(response);
    } else {
        rc = MQTTClient_unsubscribe(paho->client, filter);
    }
    overhear(NULL);
    paho->ungiven += overheard.messages;
    let_go_if_lost(paho);
    return paho_connected(paho) ? rc : MQTTCLIENT_DISCONNECTED;
}

/* ---- in ---- */

enum next { NEXT_UNKNOWN, NEXT_NOTHING, NEXT_GOODBYE /* that and nothing more */ };

/* Where it can be known. */
static enum next look_at_next(struct paho *paho)
{
    unsigned char bytes[4];
    int waiting_bytes = 0;
    if (!paho->is_5 || paho->is_tls)
        return NEXT_UNKNOWN;
    const ssize_t n = recv(paho->socket_fd, bytes, sizeof bytes, MSG_PEEK | MSG_DONTWAIT);
    if (n <= 0)
        return n < 0 && errno == EAGAIN ? NEXT_NOTHING : NEXT_UNKNOWN;
    paho->goodbye = goodbye_of(bytes, (size_t)n);
    if (paho->goodbye < 0 || ioctl(paho->socket_fd, FIONREAD, &waiting_bytes) < 0 || waiting_bytes != 2 + bytes[1])
        return NEXT_UNKNOWN;
    return NEXT_GOODBYE;
}

/* Paho isn't asked for what isn't there: it would read a goodbye that comes in just this moment, and tell nobody. */
static bool needs_paho(struct paho *paho, enum next next)
{
    const int64_t now_us = clock_monotonic_us();
    if (next == NEXT_NOTHING && paho->ungiven <= 0 && now_us < paho->keepalive_due_us)
        return false;
    paho->keepalive_due_us = now_us + (int64_t)paho->tick_ms * 1000;
    return true;
}

bool paho_read(struct paho *paho, struct paho_message *ret)
{
    struct overheard overheard = {0};
    const bool counts = paho->ungiven > 0;
    int topic_bytes = 0;
    *ret = (struct paho_message){0};
    if (!paho_connected(paho))
        return false;
    const enum next next = look_at_next(paho);
    if (next == NEXT_GOODBYE && paho_all_given(paho)) { /* else its reason is known, and what Paho still has comes first */
        paho_disconnect(paho);
        return false;
    }
    if (!needs_paho(paho, next))
        return false;
    if (counts)
        overhear(&overheard);
    (void)MQTTClient_receive(paho->client, &ret->topic, &topic_bytes, &ret->message, 0); /* an error shows as a lost connection */
    if (counts)
        overhear(NULL);
    ret->topic_bytes = topic_bytes > 0 ? (size_t)topic_bytes : 0;
    if (counts) /* otherwise a message that came in went out */
        paho->ungiven += overheard.messages - (ret->message != NULL);
    let_go_if_lost(paho); /* before: with the connection its list is emptied */
    look_for_answers(paho);
    return ret->message != NULL;
}

bool paho_all_given(const struct paho *paho)
{
    return paho->ungiven <= 0 || !paho_connected(paho);
}

int paho_tick_ms(const struct paho *paho)
{
    return paho_connected(paho) ? paho->tick_ms : -1;
}

int paho_idle_reads(const struct paho *paho)
{
    return paho->is_tls ? TLS_IDLE_READS : 1;
}

void paho_message_free(struct paho_message *message)
{
    if (message->message == NULL)
        return;
    MQTTClient_freeMessage(&message->message);
    MQTTClient_free(message->topic);
    *message = (struct paho_message){0};
}

/* ---- the end ---- */

/* A socket that is closed with something unread in it resets the connection, and the broker may lose what was said last. So the
 * rest is thrown away, unacknowledged, until the broker has hung up. */
static void linger(int fd)
{
    const int64_t until_us = clock_monotonic_us() + LINGER_US;
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    char rest[LAST_WORDS_BYTES];
    (void)shutdown(fd, SHUT_WR);
    for (int64_t left_us = LINGER_US; left_us > 0; left_us = until_us - clock_monotonic_us())
        if (poll(&ready, 1, (int)(left_us / 1000) + 1) <= 0 || recv(fd, rest, sizeof rest, MSG_DONTWAIT) <= 0)
            return;
}

void paho_disconnect(struct paho *paho)
{
    if (paho->client == NULL)
        return;
    if (paho->is_5)
        (void)MQTTClient_disconnect5(paho->client, 0, MQTTREASONCODE_NORMAL_DISCONNECTION, NULL);
    else
        (void)MQTTClient_disconnect(paho->client, 0);
    if (paho_connected(paho))
        linger(paho->socket_fd);
    let_go_if_lost(paho);
}

void paho_end(struct paho *paho)
{
    paho_disconnect(paho);
    MQTTClient_destroy(&paho->client); /* accepts NULL */
}

const char *paho_version(void)
{
    const MQTTClient_nameValue *info = MQTTClient_getVersionInfo();
    for (; info != NULL && info->name != NULL; info++)
        if (strcmp(info->name, "Version") == 0)
            return info->value;
    return "unknown";
}
