/* The connection through Paho's synchronous client (daemon/mqtt/paho.h). What Paho waits in, a step, is done by a thread of its
 * own, so that a signal or the end of the time is heeded; between steps the connection is the caller's thread's. A connect may be
 * left behind, perhaps in a name look-up; whoever of the two is done with the link last ends it. */
#include "daemon/ctl/broker_link.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/health/clock.h"
#include "daemon/mqtt/certificates.h"
#include "daemon/mqtt/paho.h"

/* Paho gives up sooner than we do: so no more is left behind than a name look-up. */
enum { URI_BYTES = 160, TICK_MS = 1000, PAHO_SOONER_MS = 1000 };

struct broker_link {
    struct mqtt_settings mqtt; /* a copy, like all that a step needs */
    struct credentials credentials;
    struct paho paho;
    int stop_fd, done_fd; /* done_fd: an eventfd, written when a step has ended */
    bool left; /* a step's thread is still in Paho */
    atomic_bool is_last; /* of the caller who leaves and the step's thread one has done so already: the other ends all this */
    char uri[URI_BYTES], client_id[32], text[BROKER_TEXT_BYTES];
    int first, count;
    size_t queued_bytes;
    int64_t dropped;
    struct broker_message *queue[BROKER_QUEUE_MAX];
    struct step {
        void (*run)(struct broker_link *link);
        int code; /* what the broker said, or Paho's negative error */
        bool is_answered;
        /* of a connect */
        bool is_5;
        int timeout_ms;
        enum paho_stage stage;
        /* of a subscription or publish */
        const char *topic;
        int qos, expiry_s;
        const void *bytes;
        size_t length_bytes;
        bool retain;
    } step;
};

/* ---- what comes -------------------------------------------------------------------------------------------------- */

static void on_acked(void *context, int index, int reason)
{
    struct broker_link *link = context;
    (void)index; /* one at a time */
    link->step.code = reason;
    link->step.is_answered = true;
}

static struct broker_message *copy_message(const struct paho_message *from)
{
    const MQTTClient_message *paho = from->message;
    struct broker_message *message = malloc(sizeof(*message) + (size_t)paho->payloadlen + 1);
    if (!message)
        return NULL;
    memcpy(message->topic, from->topic, from->topic_bytes);
    message->topic[from->topic_bytes] = '\0';
    message->retained = paho->retained != 0;
    message->length_bytes = (size_t)paho->payloadlen;
    if (paho->payloadlen > 0)
        memcpy(message->payload, paho->payload, message->length_bytes);
    message->payload[message->length_bytes] = '\0';
    return message;
}

static void enqueue(struct broker_link *link, const struct paho_message *from)
{
    const int length = from->message->payloadlen;
    const bool fits = from->topic_bytes <= TOPIC_BYTES && length >= 0 && length <= BROKER_PAYLOAD_MAX_BYTES;
    struct broker_message *message = fits ? copy_message(from) : NULL;
    if (message && link->count < BROKER_QUEUE_MAX && link->queued_bytes + message->length_bytes <= BROKER_QUEUE_MAX_BYTES) {
        link->queue[(link->first + link->count++) % BROKER_QUEUE_MAX] = message;
        link->queued_bytes += message->length_bytes;
        return;
    }
    link->dropped++;
    free(message);
}

static bool is_readable(const struct broker_link *link)
{
    struct pollfd ready = { .fd = link->paho.socket_fd, .events = POLLIN };
    return poll(&ready, 1, 0) > 0;
}

/* All that is there, without waiting: a broker throws away what a reader is too slow for. */
static void read_all(struct broker_link *link)
{
    struct paho_message message;
    int idle = 0;
    while (paho_connected(&link->paho) && idle < paho_idle_reads(&link->paho)) {
        const bool was_answered = link->step.is_answered, found = paho_read(&link->paho, &message);
        if (found)
            enqueue(link, &message);
        paho_message_free(&message);
        idle = found || link->step.is_answered != was_answered || is_readable(link) ? 0 : idle + 1;
    }
}

static struct broker_message *take_message(struct broker_link *link)
{
    struct broker_message *message = link->count > 0 ? link->queue[link->first] : NULL;
    if (message) {
        link->first = (link->first + 1) % BROKER_QUEUE_MAX;
        link->count--;
        link->queued_bytes -= message->length_bytes;
    }
    return message;
}

/* ---- waiting ----------------------------------------------------------------------------------------------------- */

/* Until `fd` is readable, or a tick has gone by: BROKER_OK; or TIME_OVER, or STOPPED. */
static enum broker_result wait_for(const struct broker_link *link, int fd, int tick_ms, int64_t until_ms)
{
    struct pollfd fds[] = { { .fd = fd, .events = POLLIN }, { .fd = link->stop_fd, .events = POLLIN } };
    const int64_t left_ms = until_ms == INT64_MAX ? INT32_MAX : until_ms - clock_monotonic_us() / 1000;
    if (left_ms <= 0)
        return BROKER_TIME_OVER;
    if (poll(fds, 2, (int)(left_ms < tick_ms ? left_ms : tick_ms)) < 0 && errno != EINTR)
        return BROKER_LOST;
    return fds[1].revents != 0 ? BROKER_STOPPED : BROKER_OK;
}

static int64_t until(int timeout_ms)
{
    return timeout_ms < 0 ? INT64_MAX : clock_monotonic_us() / 1000 + timeout_ms;
}

/* ---- a step ------------------------------------------------------------------------------------------------------ */

static void end(struct broker_link *link)
{
    struct broker_message *message;
    paho_end(&link->paho);
    credentials_wipe(&link->credentials);
    while ((message = take_message(link)) != NULL)
        free(message);
    (void)close(link->done_fd);
    free(link);
}

/* The caller touches the link no more. */
static void leave(struct broker_link *link)
{
    if (!link->left || atomic_exchange(&link->is_last, true))
        end(link);
}

static void *run_step(void *userdata)
{
    struct broker_link *link = userdata;
    const uint64_t one = 1;
    link->step.run(link);
    (void)!write(link->done_fd, &one, sizeof(one)); /* a counter of one has room */
    if (atomic_exchange(&link->is_last, true))
        end(link);
    return NULL;
}

static bool is_done(const struct broker_link *link)
{
    uint64_t ends;
    return read(link->done_fd, &ends, sizeof(ends)) == (ssize_t)sizeof(ends);
}

/* On TIME_OVER and STOPPED Paho may be left at work, perhaps in a name look-up. A connection that stands is broken so that it
 * ends. */
static enum broker_result do_step(struct broker_link *link, int socket_fd, int timeout_ms)
{
    const int64_t until_ms = until(timeout_ms);
    enum broker_result result = BROKER_OK;
    pthread_t thread;
    link->text[0] = '\0';
    if (link->left)
        return BROKER_LOST;
    atomic_store(&link->is_last, false);
    if (pthread_create(&thread, NULL, run_step, link) != 0) {
        (void)snprintf(link->text, sizeof(link->text), "%s", strerror(EAGAIN));
        return BROKER_UNREACHABLE;
    }
    while (!is_done(link) && result == BROKER_OK)
        result = wait_for(link, link->done_fd, INT32_MAX, until_ms);
    if (result != BROKER_OK && socket_fd < 0) {
        link->left = true;
        (void)pthread_detach(thread);
        return result;
    }
    if (result != BROKER_OK)
        (void)shutdown(socket_fd, SHUT_RDWR); /* fails where the link is dead anyway */
    (void)pthread_join(thread, NULL);
    return result;
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

static int paho_timeout_ms(int timeout_ms)
{
    return timeout_ms > 2 * PAHO_SOONER_MS ? timeout_ms - PAHO_SOONER_MS : PAHO_SOONER_MS;
}

static void greet(struct broker_link *link)
{
    struct step *step = &link->step;
    const struct paho_greeting greeting = {
        .uri = link->uri, .client_id = link->client_id, .settings = &link->mqtt, .credentials = &link->credentials,
        .is_5 = step->is_5, .clean = true, .timeout_ms = paho_timeout_ms(step->timeout_ms), .answer_timeout_ms = step->timeout_ms,
    };
    const struct paho_outcome outcome = paho_connect(&link->paho, &greeting);
    step->stage = outcome.stage;
    step->code = outcome.code;
}

static const char *connect_text(const struct broker_link *link)
{
    switch (link->step.stage) {
    case PAHO_NO_NAME: return "no such host: the name server doesn't know it, or can't be asked";
    case PAHO_CLOSED: return "it closed the connection right after the greeting";
    case PAHO_NOT_REACHED: return "nobody answers there";
    default: return mqtt_reason_text(link->step.code);
    }
}

static enum broker_result attempt(struct broker_link *link, bool is_5, int timeout_ms)
{
    const int64_t over_ms = until(paho_timeout_ms(timeout_ms));
    link->step = (struct step){ .run = greet, .is_5 = is_5, .timeout_ms = timeout_ms };
    const enum broker_result result = do_step(link, -1, timeout_ms);
    if (result != BROKER_OK || link->step.stage == PAHO_CONNECTED)
        return result;
    if (link->step.code == MQTTCLIENT_FAILURE && clock_monotonic_us() / 1000 >= over_ms)
        return BROKER_TIME_OVER;
    (void)snprintf(link->text, sizeof(link->text), "%s", link->paho.tls_text[0] ? link->paho.tls_text : connect_text(link));
    return is_not_let_in(link->step.code) ? BROKER_NOT_LET_IN : BROKER_UNREACHABLE;
}

static enum broker_result connect_link(struct broker_link *link, int timeout_ms)
{
    const struct mqtt_settings *mqtt = &link->mqtt;
    struct certificates certificates;
    if (mqtt->ca_file[0] && certificates_read(mqtt, &certificates, link->text, sizeof(link->text)) < 0)
        return BROKER_FILES_BAD;
    if (credentials_load(mqtt, "", &link->credentials, link->text, sizeof(link->text)) < 0)
        return BROKER_FILES_BAD;
    enum broker_result result = attempt(link, mqtt->protocol != MQTT_PROTOCOL_3_1_1, timeout_ms);
    if (result == BROKER_UNREACHABLE && link->step.is_5 && mqtt->protocol == MQTT_PROTOCOL_AUTO && is_refused_version(link->step.code))
        result = attempt(link, false, timeout_ms);
    return result;
}

static struct broker_link *make(const struct broker *broker, int stop_fd)
{
    struct broker_link *link = calloc(1, sizeof(*link));
    const bool is_v6 = strchr(broker->mqtt.host, ':') != NULL;
    if (!link)
        return NULL;
    link->mqtt = broker->mqtt;
    link->stop_fd = stop_fd;
    paho_init(&link->paho, on_acked, link);
    link->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (link->done_fd < 0) {
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
    enum broker_result result = BROKER_UNREACHABLE;
    *ret = NULL;
    (void)snprintf(text, BROKER_TEXT_BYTES, "%s", strerror(ENOMEM));
    if (!link)
        return result;
    result = connect_link(link, timeout_ms);
    (void)snprintf(text, BROKER_TEXT_BYTES, "%s", link->text);
    if (result != BROKER_OK) {
        leave(link);
        return result;
    }
    credentials_wipe(&link->credentials);
    *ret = link;
    return result;
}

/* ---- steps on a connection --------------------------------------------------------------------------------------- */

/* What a broker may say to a subscription or a publish. */
static enum broker_result judge(struct broker_link *link, enum broker_result result)
{
    if (result != BROKER_OK)
        return result;
    if (link->step.code >= 0 && link->step.code < 0x80)
        return BROKER_OK;
    if (link->step.code < 0 && !paho_connected(&link->paho))
        return BROKER_LOST;
    (void)snprintf(link->text, sizeof(link->text), "%s", mqtt_reason_text(link->step.code));
    return BROKER_NO_RIGHTS;
}

static void subscribe(struct broker_link *link)
{
    link->step.code = paho_subscribe(&link->paho, link->step.topic, link->step.qos, false);
}

enum broker_result broker_subscribe(struct broker_link *link, const char *filter, int qos, int timeout_ms)
{
    link->step = (struct step){ .run = subscribe, .topic = filter, .qos = qos };
    const int socket_fd = link->paho.socket_fd;
    return socket_fd < 0 ? BROKER_LOST : judge(link, do_step(link, socket_fd, timeout_ms));
}

/* Until it is acknowledged: who gave up breaks the connection. */
static void publish(struct broker_link *link)
{
    struct step *step = &link->step;
    const int code = paho_publish(&link->paho, 0, step->topic, step->bytes, step->length_bytes, step->retain, step->expiry_s);
    while (code == 0 && !step->is_answered && paho_connected(&link->paho)) {
        struct pollfd ready = { .fd = link->paho.socket_fd, .events = POLLIN };
        if (poll(&ready, 1, TICK_MS) < 0 && errno != EINTR)
            break;
        read_all(link);
    }
    if (!step->is_answered)
        step->code = code != 0 ? code : MQTTCLIENT_DISCONNECTED;
}

enum broker_result broker_publish(struct broker_link *link, const char *topic, const void *bytes, size_t length_bytes, bool retain,
                                  int expiry_s, int timeout_ms)
{
    link->step = (struct step){ .run = publish, .topic = topic, .bytes = bytes, .length_bytes = length_bytes, .retain = retain,
                                .expiry_s = expiry_s };
    const int socket_fd = link->paho.socket_fd;
    return socket_fd < 0 ? BROKER_LOST : judge(link, do_step(link, socket_fd, timeout_ms));
}

enum broker_result broker_receive(struct broker_link *link, int timeout_ms, struct broker_message **ret)
{
    const int64_t until_ms = until(timeout_ms);
    for (;;) {
        read_all(link);
        *ret = take_message(link);
        if (*ret)
            return BROKER_OK;
        const enum broker_result result =
            !paho_connected(&link->paho) ? BROKER_LOST : wait_for(link, link->paho.socket_fd, TICK_MS, until_ms);
        if (result != BROKER_OK)
            return result;
    }
}

int64_t broker_dropped(struct broker_link *link)
{
    return link->dropped;
}

const char *broker_text(const struct broker_link *link)
{
    return link->text;
}

void broker_close(struct broker_link *link)
{
    if (link)
        leave(link);
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
    /* Paho doesn't say that the certificate is of another host: nothing but that the greeting failed. */
    if (result == BROKER_UNREACHABLE && broker->mqtt.ca_file[0] && strncmp(text, "TLS:", 4) != 0)
        key = "broker.unreachable_tls";
    return ctl_complain(ctl, result == BROKER_TIME_OVER ? CTL_NO_ANSWER : CTL_FAILED, key, "broker", where, "why",
                        printable(text, buffer, sizeof(buffer)), NULL);
}
