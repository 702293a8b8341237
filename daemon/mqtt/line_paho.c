/* The orders carried out, in the line's thread. Each attempt to connect has a handle of its own, so that what an old one had
 * not yet sent dies with it. What the broker keeps of a session are our subscriptions and what it owes us; what we owe it is in
 * the journal. */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon/health/clock.h"
#include "daemon/mqtt/catalogue.h"
#include "daemon/mqtt/certificates.h"
#include "daemon/mqtt/line_parts.h"

/* A declaration has 2 KiB at the most, and longer ones must still be answerable. Not less than 1 MiB: mosquitto 2.0.11 counts a
 * message it didn't send for its size as unacknowledged until the next connection. One message at a time: in a flood there is the
 * time of a round trip for what we send. 3.1.1 can ask for neither. */
enum { RECEIVE_MAX_BYTES = 1048576, RECEIVE_AT_ONCE = 1, PAUSE_MS = 100, BACKLOG_US = 5000000,
       QUIET_MIN_US = 300000 /* a packet that got lost is sent again within that and a round trip */, QUIET_MAX_US = 2000000 };

void line_tell(const struct line *line, enum ring_kind kind, int index, int code, const char *text)
{
    struct ring_entry entry = {.kind = kind, .epoch = line->attempt, .index = index, .code = code};
    if (text != NULL)
        (void)snprintf(entry.text, sizeof entry.text, "%s", text);
    ring_put(line->ring, &entry);
}

/* Paho calls for each PUBACK; its reason is looked at all the same. 3.1.1 has none: an acknowledged message that the broker
 * threw away, for want of rights, can't be told from others. */
void line_acked(void *context, int index, int reason)
{
    struct line *line = context;
    line->news++;
    line_tell(line, reason < 0x80 ? RING_ACKED : RING_NOT_ACKED, index, reason, NULL);
}

/* A duplicate of `of`, or none with -1, takes the place of the one that was. */
static void set_break_fd(struct line *line, int of)
{
    const int fd = of >= 0 ? fcntl(of, F_DUPFD_CLOEXEC, 3) : -1; /* none: the connection can't be broken from outside, that's all */
    (void)pthread_mutex_lock(&line->lock);
    if (line->break_fd >= 0)
        (void)close(line->break_fd);
    line->break_fd = fd;
    (void)pthread_mutex_unlock(&line->lock);
}

bool line_is_lost(struct line *line)
{
    if (paho_connected(&line->paho))
        return false;
    if (line->stands) {
        line->stands = false;
        set_break_fd(line, -1);
        line_tell(line, RING_LOST, 0, line->paho.goodbye >= 0 ? line->paho.goodbye : MQTTCLIENT_DISCONNECTED,
                  line->paho.goodbye >= 0 ? "the broker disconnected" : "the connection ended");
    }
    return true;
}

/* ---- connecting ---- */

/* What main is to know of the certificates, whether they are of use or not. */
static int inspect(const struct line *line, char *why, size_t why_bytes)
{
    struct ring_entry entry = {.kind = RING_CERTIFICATES, .epoch = line->attempt};
    int r = certificates_read(line->settings, &entry.certificates, why, why_bytes);
    entry.code = r;
    if (r < 0)
        (void)snprintf(entry.text, sizeof entry.text, "%s", why);
    ring_put(line->ring, &entry);
    return r;
}

static const char *reason(const struct line *line, const struct paho_outcome *outcome)
{
    const char *tls_text = line->paho.tls_text;
    switch (outcome->stage) {
    case PAHO_NO_NAME: return "no such host: the name server doesn't know the name of mqtt.host, or can't be asked";
    case PAHO_CLOSED:
        return line->paho.is_tls && tls_text[0] == '\0'
                   ? "closed right after the greeting; does the broker want another certificate, or a password?"
                   : "closed right after the greeting";
    case PAHO_NOT_REACHED:
        if (!line->paho.is_tls)
            return "nobody answers at mqtt.host and mqtt.port";
        if (tls_text[0] == '\0')
            return "not reachable, or its certificate doesn't name the host of mqtt.host, or it wants another one of ours";
        if (strstr(tls_text, "certificate verify failed") != NULL) /* OpenSSL's word; which of them it doesn't say */
            return "the broker's certificate has expired, or is of no CA in mqtt.ca_file, or this machine's clock is wrong";
        return "";
    default: return "";
    }
}

static void tell_outcome(const struct line *line, const struct paho_outcome *outcome)
{
    struct ring_entry entry = {.kind = outcome->stage == PAHO_CONNECTED ? RING_CONNECTED : RING_CONNECT_FAILED,
                               .epoch = line->attempt, .code = outcome->code, .session_present = outcome->session_present,
                               .receive_max = outcome->receive_max, .closed = outcome->stage == PAHO_CLOSED};
    const char *tls_text = line->paho.tls_text, *text = reason(line, outcome);
    if (outcome->stage != PAHO_CONNECTED)
        (void)snprintf(entry.text, sizeof entry.text, "%s%s%s", tls_text, tls_text[0] != '\0' && text[0] != '\0' ? "; " : "", text);
    ring_put(line->ring, &entry);
}

/* A session outlives the connection for the sake of what comes in. Without one, a clean start: a broker that forgot half of
 * something can then do no harm. */
static struct paho_outcome connect_paho(struct line *line, const struct credentials *credentials)
{
    const struct mqtt_settings *settings = line->settings;
    const bool receives = mqtt_receives(settings);
    const struct paho_greeting greeting = {
        .uri = line->uri, .client_id = settings->client_id, .settings = settings, .credentials = credentials,
        .is_5 = line->current.is_5, .clean = settings->session_expiry_s == 0,
        .timeout_ms = settings->connect_timeout_ms > 0 ? settings->connect_timeout_ms : MQTT_CONNECT_TIMEOUT_MS,
        .session_expiry_s = settings->session_expiry_s, .receive_at_once = receives ? RECEIVE_AT_ONCE : 0,
        .receive_max_bytes = receives ? RECEIVE_MAX_BYTES : 0,
        .answer_timeout_ms = settings->ack_timeout_ms > 0 ? settings->ack_timeout_ms : MQTT_ACK_TIMEOUT_MS,
        .will_topic = line->topics->text[TOPIC_AVAILABILITY],
    };
    return paho_connect(&line->paho, &greeting);
}

/* Paho acknowledges what comes while it waits for an answer, and forgets it should the connection die meanwhile. So what the
 * broker kept for us is taken in first, as long as it comes without a pause. */
static void hear_backlog(struct line *line)
{
    const int64_t until_us = clock_monotonic_us() + BACKLOG_US;
    struct pollfd ready = {.events = POLLIN};
    do {
        line_read(line);
        ready.fd = line->paho.socket_fd;
    } while (line_listens(line) && clock_monotonic_us() < until_us && poll(&ready, 1, PAUSE_MS) > 0);
}

/* Whether the broker kept the session Paho doesn't tell of MQTT 5. So there is a subscription to something that nobody ever
 * says: where the broker knows no such, it has forgotten the others too, and what it was to keep for us. */
static bool was_session_kept(struct line *line)
{
    int was, is;
    hear_backlog(line);
    if (line->held_count > 0 || !inbox_is_open(line->inbox))
        return true; /* what comes next would have no place: not asked */
    was = paho_unsubscribe(&line->paho, line->topics->session);
    line_gather(line);
    if (!inbox_is_open(line->inbox))
        return true;
    is = paho_subscribe(&line->paho, line->topics->session, 0, true);
    return was != PAHO_NO_SUBSCRIPTION || is != 0; /* refused, or the connection is gone: it isn't known */
}

static void carry_out_connect(struct line *line)
{
    struct credentials credentials = {0};
    struct paho_outcome outcome;
    char why[MQTT_RING_TEXT_BYTES];
    line->stands = false;
    set_break_fd(line, -1);
    line->attempt = line->current.attempt;
    if (inspect(line, why, sizeof why) < 0 ||
        credentials_load(line->settings, line->credentials_folder, &credentials, why, sizeof why) < 0) {
        paho_disconnect(&line->paho);
        line_tell(line, RING_CONNECT_FAILED, 0, LINE_FILES_BAD, why);
        return;
    }
    outcome = connect_paho(line, &credentials);
    credentials_wipe(&credentials); /* Paho has a copy of its own, as long as the handle lives */
    line->stands = outcome.stage == PAHO_CONNECTED;
    line->came_us = clock_monotonic_us();
    line->quiet_us = line->quiet_after_us = 0;
    if (line->stands)
        set_break_fd(line, line->paho.socket_fd);
    if (line->stands && line->current.is_5 && line->settings->session_expiry_s > 0 && !outcome.session_present)
        outcome.session_present = was_session_kept(line);
    tell_outcome(line, &outcome);
}

/* ---- on a connection ---- */

static void disconnect(struct line *line, const char *text)
{
    line->stands = false;
    paho_disconnect(&line->paho);
    set_break_fd(line, -1);
    line_tell(line, RING_LOST, 0, 0, text);
}

void line_end_if_overfull(struct line *line)
{
    if (line->stands && line_is_overfull(line) &&
        clock_monotonic_us() - line->came_us >= (int64_t)line->settings->keepalive_s * 1000000 / 2)
        disconnect(line, "given up for now: the journal takes nothing in, and no more fits here; the broker keeps the rest");
}

static void carry_out_publish(struct line *line)
{
    const struct line_order *order = &line->current;
    const char *bytes = order->long_text != NULL ? order->long_text : order->text;
    int rc = paho_publish(&line->paho, order->index, line->topics->text[order->topic], bytes, order->length_bytes,
                          catalogue_topic(order->topic)->retained, 0);
    if (rc != 0 && rc != MQTTCLIENT_DISCONNECTED)
        line_tell(line, RING_NOT_ACKED, order->index, rc, "not handed over");
}

/* How long a round trip may take on this connection. */
static void note_distance(struct line *line, int64_t answered_after_us)
{
    const int64_t quiet_us = QUIET_MIN_US + 2 * answered_after_us;
    if (quiet_us > line->quiet_after_us)
        line->quiet_after_us = quiet_us < QUIET_MAX_US ? quiet_us : QUIET_MAX_US;
}

/* Not "no local": our own passages coming back show that the road in is open (publisher_talk.c). In 3.1.1 old retained messages
 * do come, marked as such; one published as retained while we are there comes unmarked. */
static void carry_out_subscribe(struct line *line)
{
    const enum inbound_topic topic = (enum inbound_topic)line->current.index;
    const int64_t since_us = clock_monotonic_us();
    int rc = paho_subscribe(&line->paho, line->topics->filter[topic], catalogue_inbound(topic)->qos, true);
    note_distance(line, clock_monotonic_us() - since_us);
    if (paho_connected(&line->paho))
        line_tell(line, RING_SUBSCRIBED, topic, rc, NULL);
}

bool line_brings_messages(enum line_op op)
{
    return op == LINE_SUBSCRIBE || op == LINE_UNSUBSCRIBE;
}

void line_carry_out(struct line *line)
{
    char why[MQTT_RING_TEXT_BYTES];
    if (line->current.op == LINE_CONNECT) {
        carry_out_connect(line);
        return;
    }
    if (line->current.op == LINE_INSPECT) { /* of no connection */
        (void)inspect(line, why, sizeof why);
        return;
    }
    if (line->current.attempt != line->attempt || line_is_lost(line))
        return;
    if (line_brings_messages(line->current.op) && !inbox_is_open(line->inbox))
        return; /* nobody would take them: they stay the broker's */
    switch (line->current.op) {
    case LINE_CONNECT:
    case LINE_INSPECT: break;
    case LINE_DISCONNECT: disconnect(line, "closed"); break;
    case LINE_PUBLISH: carry_out_publish(line); break;
    case LINE_SUBSCRIBE: carry_out_subscribe(line); break;
    case LINE_UNSUBSCRIBE: (void)paho_unsubscribe(&line->paho, line->topics->filter[line->current.index]); break;
    }
}
