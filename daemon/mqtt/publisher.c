/* Client, outbox, muster, intake and messages put together. Main thread. */
#include "daemon/mqtt/publisher.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "daemon/mqtt/intake.h"
#include "daemon/mqtt/muster.h"
#include "daemon/mqtt/outbox.h"

#ifndef QRGATE_VERSION
#define QRGATE_VERSION "unknown"
#endif

enum { STATE_EVERY_US = 1000000, COUNTS_EVERY_US = 10000000, RETAINED_RETRY_US = 5000000, COMPLAIN_EVERY_US = 10000000 };
#define ECHO_WAIT_MAX_US INT64_C(3600000000)

/* The retained messages; a row's tag is its seq, these, the results and the muster's pages have numbers that no seq reaches. */
enum retained { RETAINED_AVAILABILITY, RETAINED_INFO, RETAINED_STATE, RETAINED_COUNT };
#define RETAINED_TAG (UINT64_C(1) << 63)
#define MUSTER_TAG (UINT64_C(3) << 61)
#define RESULT_TAG (UINT64_C(1) << 62)

static const enum topic retained_topic[RETAINED_COUNT] = {
    [RETAINED_AVAILABILITY] = TOPIC_AVAILABILITY, [RETAINED_INFO] = TOPIC_INFO, [RETAINED_STATE] = TOPIC_STATE};

struct retained_item {
    bool due, in_flight;
    int64_t at_us; /* not before */
};

/* Whose request the journal has. */
enum asker { ASKER_NOBODY, ASKER_OUTBOX, ASKER_INTAKE, ASKER_MUSTER };

struct publisher {
    struct mqtt_client *client; /* NULL: not enabled */
    int idle_fd;                /* stands in for the client's when not enabled */
    struct topics topics;
    struct outbox outbox;
    struct muster muster;
    struct intake intake;
    struct inbox_message message; /* on its way from the inbox to the intake */
    enum asker asker, last_asker;
    bool look_again; /* there may be more in the inbox than was looked at */
    bool has_sensor, keeps_session;
    bool refusal_told[INBOUND_TOPIC_COUNT], retained_told;
    int64_t complained_us;
    int64_t echo_usual_us, echo_wait_us, echo_due_us; /* due 0: no passage of ours is on its way back */
    uint64_t heard_before;
    bool deaf;
    struct mqtt_counts counts, counts_told;
    struct lane_state state;
    bool state_known;
    struct lane_info info;
    struct retained_item retained[RETAINED_COUNT];
    bool connected, reset_asked;
    int64_t now_us, state_told_us;
    uint32_t random;
    char last_failure[128]; /* so that a broker away for a week is one line in the log */
};

/* xorshift32, seeded at open: spreads waits, guards nothing. */
static uint32_t next_random(struct publisher *p)
{
    p->random ^= p->random << 13;
    p->random ^= p->random >> 17;
    p->random ^= p->random << 5;
    return p->random;
}

static void seed(struct publisher *p)
{
    if (getrandom(&p->random, sizeof p->random, GRND_NONBLOCK) != (ssize_t)sizeof p->random || p->random == 0)
        p->random = (uint32_t)getpid() | 1u;
}

static int64_t unix_us(void)
{
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now) < 0)
        return 0;
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void init_pumps(struct publisher *p, const struct mqtt_settings *settings)
{
    int min_ms = settings->reconnect_min_ms > 0 ? settings->reconnect_min_ms : MQTT_RECONNECT_MIN_MS;
    int max_ms = settings->reconnect_max_ms > 0 ? settings->reconnect_max_ms : MQTT_RECONNECT_MAX_MS;
    int ack_ms = settings->ack_timeout_ms > 0 ? settings->ack_timeout_ms : MQTT_ACK_TIMEOUT_MS;
    const struct outbox_settings outbox = {.window = settings->window,
                                           .ack_timeout_us = (int64_t)ack_ms * 1000,
                                           .backoff_min_us = (int64_t)min_ms * 1000,
                                           .backoff_max_us = (int64_t)max_ms * 1000};
    const struct intake_settings intake = {.ack_timeout_us = outbox.ack_timeout_us,
                                           .backoff_min_us = outbox.backoff_min_us,
                                           .backoff_max_us = outbox.backoff_max_us};
    const struct muster_settings muster = {.ack_timeout_us = outbox.ack_timeout_us,
                                           .backoff_min_us = outbox.backoff_min_us,
                                           .backoff_max_us = outbox.backoff_max_us};
    outbox_init(&p->outbox, &outbox);
    muster_init(&p->muster, &muster);
    intake_init(&p->intake, &intake, &p->counts);
    p->has_sensor = settings->has_sensor;
    p->keeps_session = settings->session_expiry_s > 0 && (settings->follow || settings->declarations);
    p->complained_us = INT64_MIN / 2; /* long ago */
    p->echo_usual_us = p->echo_wait_us = 3 * outbox.ack_timeout_us;
}

static void init_info(struct publisher *p, const struct mqtt_settings *settings)
{
    (void)snprintf(p->info.version, sizeof p->info.version, "%s", QRGATE_VERSION);
    (void)snprintf(p->info.site, sizeof p->info.site, "%s", settings->site);
    (void)snprintf(p->info.lane, sizeof p->info.lane, "%s", settings->lane);
    (void)snprintf(p->info.libraries[0].name, sizeof p->info.libraries[0].name, "paho-mqtt");
    (void)snprintf(p->info.libraries[0].version, sizeof p->info.libraries[0].version, "%s", mqtt_client_library());
}

int publisher_open(const struct mqtt_settings *settings, struct publisher **ret_publisher, char *why, size_t why_bytes)
{
    struct publisher *p = calloc(1, sizeof *p);
    int r;
    *ret_publisher = NULL;
    if (p == NULL) {
        (void)snprintf(why, why_bytes, "mqtt: no memory");
        return -ENOMEM;
    }
    p->idle_fd = -1;
    seed(p);
    init_pumps(p, settings);
    if (!settings->enabled) {
        p->idle_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        r = p->idle_fd < 0 ? -errno : 0;
        if (r < 0)
            (void)snprintf(why, why_bytes, "mqtt: %s", strerror(-r));
    } else {
        init_info(p, settings);
        r = topics_init(&p->topics, settings->prefix, settings->site, settings->lane);
        if (r < 0)
            (void)snprintf(why, why_bytes, "mqtt: prefix \"%s\", site \"%s\", lane \"%s\": each 1 to %d of A-Z a-z 0-9 _ -",
                           settings->prefix, settings->site, settings->lane, TOPIC_NAME_MAX_CHARS);
        else
            r = mqtt_client_open(settings, &p->topics, &p->client, why, why_bytes);
    }
    if (r < 0) {
        free(p);
        return r;
    }
    *ret_publisher = p;
    return 0;
}

int publisher_fd(const struct publisher *p)
{
    return p->client != NULL ? mqtt_client_fd(p->client) : p->idle_fd;
}

/* ---- what the client has to tell ---- */

static void state_changed(struct publisher *p)
{
    p->counts.presence_shared = publisher_connected(p);
    p->retained[RETAINED_STATE].due = p->state_known;
}

static void connected(struct publisher *p, const struct mqtt_event *event)
{
    p->connected = true;
    p->reset_asked = false;
    p->counts.broker_connects++;
    p->last_failure[0] = '\0';
    for (int i = 0; i < RETAINED_COUNT; i++)
        p->retained[i] = (struct retained_item){.due = i != RETAINED_STATE || p->state_known, .at_us = p->now_us};
    outbox_connected(&p->outbox, event->receive_max);
    muster_connected(&p->muster);
    (void)fprintf(stderr, "<5>mqtt: connected\n");
    if (p->keeps_session && p->counts.broker_connects > 1 && !event->session_present)
        (void)fprintf(stderr, "<4>mqtt: the broker forgot the session: what was published for this lane meanwhile is lost to "
                      "it. Let the broker keep sessions (persistence, expiry), and send those declarations again\n");
}

static void not_connected(struct publisher *p, const char *what, const char *text)
{
    p->connected = p->reset_asked = false;
    outbox_disconnected(&p->outbox);
    muster_disconnected(&p->muster);
    intake_disconnected(&p->intake);
    p->counts.presence_shared = false;
    p->echo_due_us = 0;
    if (strcmp(p->last_failure, text) != 0)
        (void)fprintf(stderr, "<4>mqtt: %s: %s; trying again\n", what, text);
    (void)snprintf(p->last_failure, sizeof p->last_failure, "%s", text);
}

static void retained_answered(struct publisher *p, enum retained which, enum mqtt_result result)
{
    p->retained[which].in_flight = false;
    if (result != MQTT_RESULT_OK) {
        p->retained[which].due = true;
        p->retained[which].at_us = p->now_us + RETAINED_RETRY_US;
    }
}

static void muster_answered(struct publisher *p, const struct mqtt_event *event, enum outbox_ack ack)
{
    if (ack == OUTBOX_ACK_REFUSED && p->muster.broker_failures == 0)
        (void)fprintf(stderr, "<3>mqtt: the broker refuses the muster list: %s; look at its limits and rights. It is sent "
                      "again. To print it: qrgatectl inside\n", event->text);
    if (muster_acked(&p->muster, (uint32_t)(event->tag - MUSTER_TAG), ack, p->now_us, next_random(p)))
        (void)fprintf(stderr, "<5>mqtt: the muster list is published: %" PRId64 " inside\n", p->muster.inside);
}

static void answered(struct publisher *p, const struct mqtt_event *event)
{
    static const enum outbox_ack ack_of[] = {
        [MQTT_RESULT_OK] = OUTBOX_ACK_OK, [MQTT_RESULT_REFUSED] = OUTBOX_ACK_REFUSED, [MQTT_RESULT_LOST] = OUTBOX_ACK_LOST};
    bool first_refusal = event->tag < RESULT_TAG && event->result == MQTT_RESULT_REFUSED && p->outbox.refusals == 0;
    if (event->tag >= RETAINED_TAG) {
        if (event->tag - RETAINED_TAG < RETAINED_COUNT)
            retained_answered(p, (enum retained)(event->tag - RETAINED_TAG), event->result);
        return;
    }
    if (event->tag >= MUSTER_TAG) {
        muster_answered(p, event, ack_of[event->result]);
        return;
    }
    if (event->tag >= RESULT_TAG) {
        intake_acked(&p->intake, (int)(event->tag - RESULT_TAG), ack_of[event->result], p->now_us);
        return;
    }
    if (first_refusal)
        (void)fprintf(stderr, "<4>mqtt: the broker refuses event seq %" PRIu64 ": %s; look at its limits and rights. "
                      "It is kept and sent again\n", event->tag, event->text);
    outbox_acked(&p->outbox, (int64_t)event->tag, ack_of[event->result], p->now_us, next_random(p));
}

static void subscribed(struct publisher *p, const struct mqtt_event *event)
{
    if (event->result == MQTT_RESULT_OK) {
        p->refusal_told[event->tag] = false;
    } else {
        p->counts.subscriptions_refused++;
        if (!p->refusal_told[event->tag])
            (void)fprintf(stderr, "<4>mqtt: the broker refuses the subscription to \"%s\": %s; let this client read that "
                          "topic with QoS 1. Asked again every %d s\n", p->topics.filter[event->tag], event->text,
                          MQTT_SUBSCRIBE_AGAIN_MS / 1000);
        p->refusal_told[event->tag] = true;
    }
    state_changed(p);
}

static void take_events(struct publisher *p)
{
    struct mqtt_event event;
    while (mqtt_client_take(p->client, &event)) {
        switch (event.kind) {
        case MQTT_CONNECTED: connected(p, &event); break;
        case MQTT_CONNECT_FAILED: not_connected(p, "no connection", event.text); break;
        case MQTT_LOST: not_connected(p, "connection lost", event.text); break;
        case MQTT_ANSWERED: answered(p, &event); break;
        case MQTT_SUBSCRIBED: subscribed(p, &event); break;
        }
    }
    p->counts.retained_ignored = (int64_t)mqtt_client_retained_ignored(p->client);
    if (p->counts.retained_ignored > 0 && !p->retained_told) {
        p->retained_told = true;
        (void)fprintf(stderr, "<4>mqtt: a message published as retained was ignored, as all such are, for it would come again "
                      "and again; publish declarations, revocations and passages without the retain flag\n");
    }
}

/* ---- what goes out ---- */

static int write_retained(struct publisher *p, enum retained which, char text[MESSAGE_BYTES])
{
    switch (which) {
    case RETAINED_AVAILABILITY: return snprintf(text, MESSAGE_BYTES, "online");
    case RETAINED_INFO: return message_info(&p->info, text, MESSAGE_BYTES);
    case RETAINED_STATE: return message_state(&p->state, &p->counts, p->info.version, text, MESSAGE_BYTES);
    case RETAINED_COUNT: break;
    }
    return -EINVAL;
}

static void publish_muster(struct publisher *p)
{
    char text[MESSAGE_BYTES];
    struct message_muster page;
    while (muster_publish(&p->muster, p->now_us, &page)) {
        page.clock_trusted = p->state_known && p->state.clock_trusted;
        page.presence_shared = publisher_connected(p);
        int length = message_muster(&page, text, sizeof text);
        int r = length < 0 ? length : mqtt_client_publish(p->client, TOPIC_MUSTER, text, (size_t)length, false,
                                                          MUSTER_TAG + p->muster.run);
        if (r < 0)
            muster_put_off(&p->muster, p->now_us);
        else
            muster_sent(&p->muster, page.count, p->now_us);
    }
}

static void publish_retained(struct publisher *p)
{
    char text[MESSAGE_BYTES];
    for (int i = 0; i < RETAINED_COUNT; i++) {
        struct retained_item *item = &p->retained[i];
        int length;
        if (!item->due || item->in_flight || p->now_us < item->at_us)
            continue;
        length = write_retained(p, (enum retained)i, text);
        if (length < 0 || mqtt_client_publish(p->client, retained_topic[i], text, (size_t)length, true,
                                              RETAINED_TAG + (uint64_t)i) != 0) {
            item->at_us = p->now_us + RETAINED_RETRY_US;
            continue;
        }
        *item = (struct retained_item){.in_flight = true, .at_us = p->now_us + STATE_EVERY_US};
        if (i == RETAINED_STATE) {
            p->counts_told = p->counts;
            p->state_told_us = p->now_us;
        }
    }
}

/* Our own passages come back by the subscription. A broker may grant that and send nothing: mosquitto for want of rights, and
 * 2.0.11 also after a message larger than we take. Then the other lanes aren't heard either; a new connection mends the
 * latter, and is tried ever more rarely. */
static void expect_echo(struct publisher *p, const struct event *event)
{
    if (p->echo_due_us != 0 || message_topic(event->kind) != TOPIC_PASSAGE ||
        !mqtt_client_subscribed(p->client, INBOUND_PASSAGE))
        return;
    p->heard_before = mqtt_client_heard(p->client);
    p->echo_due_us = p->now_us + p->echo_wait_us;
}

static void listen_for_echo(struct publisher *p)
{
    if ((p->echo_due_us == 0 && !p->deaf) || mqtt_client_heard(p->client) == p->heard_before)
        return;
    p->echo_due_us = 0;
    p->echo_wait_us = p->echo_usual_us;
    if (p->deaf) {
        p->deaf = false;
        state_changed(p);
    }
}

static void publish_rows(struct publisher *p)
{
    char text[MESSAGE_BYTES];
    const struct event *event;
    while ((event = outbox_publish(&p->outbox, p->now_us)) != NULL) {
        int length = message_event(event, p->has_sensor, text, sizeof text);
        int r = length < 0 ? length
                           : mqtt_client_publish(p->client, message_topic(event->kind), text, (size_t)length, false,
                                                 (uint64_t)event->seq);
        if (r < 0)
            outbox_acked(&p->outbox, event->seq, OUTBOX_ACK_LOST, p->now_us, next_random(p));
        else
            expect_echo(p, event);
    }
}

static void publish_results(struct publisher *p)
{
    char text[MESSAGE_BYTES];
    const struct message_result *result;
    int place;
    while ((result = intake_publish(&p->intake, p->now_us, &place)) != NULL) {
        int length = message_result(result, text, sizeof text);
        int r = length < 0 ? length
                           : mqtt_client_publish(p->client, TOPIC_RESULT, text, (size_t)length, false,
                                                 RESULT_TAG + (uint64_t)place);
        if (r < 0)
            intake_acked(&p->intake, place, OUTBOX_ACK_LOST, p->now_us);
    }
}

static void reset_where_stuck(struct publisher *p)
{
    bool stuck = outbox_stuck(&p->outbox, p->now_us) || intake_stuck(&p->intake, p->now_us) ||
                 muster_stuck(&p->muster, p->now_us);
    if (!stuck && (p->echo_due_us == 0 || p->now_us < p->echo_due_us))
        return;
    if (stuck) {
        (void)fprintf(stderr, "<4>mqtt: the broker doesn't acknowledge; connecting anew\n");
    } else {
        (void)fprintf(stderr, "<4>mqtt: the broker sends nothing, not even this lane's own passages; let this client read "
                      "\"%s\". Connecting anew\n", p->topics.filter[INBOUND_PASSAGE]);
        p->deaf = true;
        p->echo_wait_us = p->echo_wait_us < ECHO_WAIT_MAX_US / 2 ? 2 * p->echo_wait_us : ECHO_WAIT_MAX_US;
    }
    p->reset_asked = true;
    mqtt_client_reset(p->client);
}

static bool counts_changed(const struct publisher *p)
{
    return memcmp(&p->counts, &p->counts_told, sizeof p->counts) != 0;
}

void publisher_dispatch(struct publisher *p, int64_t now_us)
{
    p->now_us = now_us;
    if (p->client == NULL)
        return;
    take_events(p);
    mqtt_client_tick(p->client, now_us, next_random(p));
    if (!p->connected)
        return;
    /* The counts change with every passage: told now and then, not each time. */
    if (p->state_known && counts_changed(p) && now_us - p->state_told_us >= COUNTS_EVERY_US)
        p->retained[RETAINED_STATE].due = true;
    publish_muster(p); /* first: people's lives */
    publish_retained(p);
    publish_rows(p);
    publish_results(p);
    listen_for_echo(p);
    if (!p->reset_asked)
        reset_where_stuck(p);
    take_events(p); /* what publishing found out at once */
}

int64_t publisher_deadline_us(const struct publisher *p)
{
    bool may_ask = p->asker == ASKER_NOBODY;
    int64_t at_us, intake_us;
    if (p->client == NULL)
        return INT64_MAX;
    at_us = mqtt_client_deadline_us(p->client);
    /* While the reset is under way nothing in the outbox can be due but questions to the journal. */
    if (!p->reset_asked && outbox_deadline_us(&p->outbox, may_ask) < at_us)
        at_us = outbox_deadline_us(&p->outbox, may_ask);
    if (!p->reset_asked && muster_deadline_us(&p->muster, may_ask) < at_us)
        at_us = muster_deadline_us(&p->muster, may_ask);
    intake_us = intake_deadline_us(&p->intake, p->connected && !p->reset_asked, may_ask);
    if (intake_us < at_us)
        at_us = intake_us;
    if (p->echo_due_us != 0 && !p->reset_asked && p->echo_due_us < at_us)
        at_us = p->echo_due_us;
    if (may_ask && p->look_again && p->now_us < at_us)
        at_us = p->now_us;
    for (int i = 0; i < RETAINED_COUNT && p->connected; i++)
        if (p->retained[i].due && !p->retained[i].in_flight && p->retained[i].at_us < at_us)
            at_us = p->retained[i].at_us;
    return at_us;
}

/* ---- between the journal, the outbox and the intake ---- */

/* Hostile messages come in floods: one line in the log for a while of them. `why` holds no person's number. */
static void complain(struct publisher *p, enum inbound_topic topic, const char *why)
{
    if (why == NULL || p->now_us - p->complained_us < COMPLAIN_EVERY_US)
        return;
    p->complained_us = p->now_us;
    (void)fprintf(stderr, "<4>mqtt: a message on %s was rejected: %s (%" PRId64 " so far)\n", inbound_topic_name(topic), why,
                  p->counts.declarations_rejected + p->counts.revocations_rejected + p->counts.passages_rejected);
}

/* From the inbox until one message is for the journal; not for ever, as others may come as fast as they are refused. */
static void receive(struct publisher *p)
{
    bool clock_trusted = p->state_known && p->state.clock_trusted;
    p->look_again = false;
    for (int i = 0; i < INBOX_MAX && intake_has_room(&p->intake); i++) {
        if (!mqtt_client_receive(p->client, &p->message))
            return;
        complain(p, p->message.topic, intake_give(&p->intake, &p->message, unix_us(), clock_trusted));
    }
    p->look_again = intake_has_room(&p->intake);
}

static bool ask(struct publisher *p, enum asker asker, struct journal_request *ret_request)
{
    bool wanted = asker == ASKER_MUSTER   ? muster_wants(&p->muster, p->now_us, unix_us(), ret_request)
                  : asker == ASKER_OUTBOX ? outbox_wants(&p->outbox, p->now_us, &ret_request->op, &ret_request->after_seq)
                                          : intake_wants(&p->intake, p->now_us, ret_request);
    if (wanted)
        p->asker = asker;
    if (wanted && asker != ASKER_MUSTER)
        p->last_asker = asker;
    return wanted;
}

bool publisher_wants(struct publisher *p, struct journal_request *ret_request)
{
    enum asker first = p->last_asker == ASKER_INTAKE ? ASKER_OUTBOX : ASKER_INTAKE;
    if (p->client == NULL)
        return false;
    if (p->asker != ASKER_NOBODY)
        return ask(p, p->asker, ret_request);
    receive(p);
    return ask(p, ASKER_MUSTER, ret_request) || ask(p, first, ret_request) ||
           ask(p, first == ASKER_OUTBOX ? ASKER_INTAKE : ASKER_OUTBOX, ret_request);
}

void publisher_answer(struct publisher *p, const struct journal_answer *answer)
{
    enum asker asker = p->asker;
    if (answer->error == 0)
        p->counts.unsent_rows = answer->unsent_rows;
    p->asker = ASKER_NOBODY;
    if (asker == ASKER_OUTBOX)
        outbox_answer(&p->outbox, answer, p->now_us);
    else if (asker == ASKER_INTAKE)
        complain(p, p->intake.result.of, intake_answer(&p->intake, answer, p->now_us, unix_us(), next_random(p)));
    else if (asker == ASKER_MUSTER && !muster_answer(&p->muster, answer, p->now_us, next_random(p)))
        (void)fprintf(stderr, "<3>mqtt: the journal doesn't say who is inside (%s); it is asked again. To print it: qrgatectl "
                      "inside\n", strerror(-answer->error));
}

bool publisher_settle(struct publisher *p)
{
    if (p->client == NULL)
        return true;
    mqtt_client_stop_receiving(p->client);
    return p->asker != ASKER_INTAKE && !p->intake.held && mqtt_client_all_received(p->client);
}

bool publisher_connected(const struct publisher *p)
{
    return p->client != NULL && p->connected && !p->deaf && mqtt_client_subscribed(p->client, INBOUND_PASSAGE);
}

void publisher_row_committed(struct publisher *p)
{
    outbox_row_committed(&p->outbox);
}

void publisher_muster(struct publisher *p)
{
    if (p->client != NULL)
        muster_ask(&p->muster);
}

static bool same_state(const struct lane_state *a, const struct lane_state *b)
{
    return a->camera_open == b->camera_open && a->clock_trusted == b->clock_trusted && a->journal_ok == b->journal_ok &&
           a->out_of_order == b->out_of_order && strncmp(a->camera, b->camera, sizeof a->camera) == 0 &&
           strncmp(a->mode, b->mode, sizeof a->mode) == 0;
}

void publisher_state(struct publisher *p, const struct lane_state *state)
{
    if (p->state_known && same_state(&p->state, state))
        return;
    p->state = *state;
    p->state_known = true;
    p->retained[RETAINED_STATE].due = true;
}

void publisher_info(struct publisher *p, const struct lane_info *more)
{
    int free_place = 1;
    memcpy(p->info.lines, more->lines, sizeof p->info.lines);
    for (int i = 0; i < MESSAGE_LIBRARIES_MAX && free_place < MESSAGE_LIBRARIES_MAX; i++)
        if (more->libraries[i].name[0] != '\0')
            p->info.libraries[free_place++] = more->libraries[i];
    p->retained[RETAINED_INFO].due = true;
}

int64_t publisher_unsent_rows(const struct publisher *p)
{
    return p->counts.unsent_rows;
}

void publisher_close(struct publisher *p)
{
    if (p == NULL)
        return;
    mqtt_client_close(p->client);
    if (p->idle_fd >= 0)
        (void)close(p->idle_fd);
    free(p);
}
