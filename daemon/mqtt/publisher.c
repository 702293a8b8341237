/* The publisher: client and pumps put together. Main thread. */
#include "daemon/mqtt/publisher.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "daemon/mqtt/publisher_parts.h"

#ifndef QRGATE_VERSION
#define QRGATE_VERSION "unknown"
#endif

static const struct pump *const pumps[PUMP_COUNT] = {
    [PUMP_MUSTER] = &publisher_muster_pump, /* first: people's lives */
    [PUMP_RETAINED] = &publisher_retained_pump,
    [PUMP_OUTBOX] = &publisher_outbox_pump,
    [PUMP_INTAKE] = &publisher_intake_pump,
    [PUMP_COMMANDS] = &publisher_commands_pump,
    [PUMP_DISCOVERY] = &publisher_discovery_pump,
};

const struct pump *publisher_pump(int name)
{
    return pumps[name];
}

/* xorshift32, seeded at open: spreads waits, guards nothing. */
uint32_t publisher_random(struct publisher *p)
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

int64_t publisher_unix_us(void)
{
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now) < 0)
        return 0;
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static bool is_this_machine(const char *host)
{
    return strcmp(host, "localhost") == 0 || strcmp(host, "::1") == 0 || strncmp(host, "127.", 4) == 0;
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
    commands_init(&p->commands, outbox.ack_timeout_us, outbox.backoff_min_us);
    p->asker = PUMP_COUNT;
    p->has_sensor = settings->has_sensor;
    p->is_elsewhere = !is_this_machine(settings->host);
    p->discovery.on = settings->home_assistant;
    p->keeps_session = settings->session_expiry_s > 0 && mqtt_receives(settings);
    p->complained_us = INT64_MIN / 2; /* long ago */
    p->echo_usual_us = p->echo_wait_us = 3 * outbox.ack_timeout_us;
}

static void init_info(struct publisher *p, const struct mqtt_settings *settings)
{
    (void)snprintf(p->info.version, sizeof p->info.version, "%s", QRGATE_VERSION);
    (void)snprintf(p->prefix, sizeof p->prefix, "%s", settings->prefix);
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

int publisher_send(struct publisher *p, enum pump_name pump, uint64_t number, enum topic topic, const char *text, int length)
{
    return length < 0 ? length
                      : mqtt_client_publish(p->client, topic, text, (size_t)length,
                                            (uint64_t)pump << PUBLISHER_NUMBER_BITS | number);
}

void publisher_dispatch(struct publisher *p, int64_t now_us)
{
    p->now_us = now_us;
    if (p->client == NULL)
        return;
    publisher_take_events(p);
    mqtt_client_tick(p->client, now_us, publisher_random(p));
    if (!p->connected)
        return;
    for (int i = 0; i < PUMP_COUNT; i++)
        if (pumps[i]->publish != NULL)
            pumps[i]->publish(p);
    publisher_listen_for_echo(p);
    if (!p->reset_asked)
        publisher_reset_where_stuck(p);
    publisher_take_events(p); /* what publishing found out at once */
}

int64_t publisher_deadline_us(const struct publisher *p)
{
    bool may_ask = p->asker == PUMP_COUNT;
    int64_t at_us, pump_us;
    if (p->client == NULL)
        return INT64_MAX;
    at_us = mqtt_client_deadline_us(p->client);
    for (int i = 0; i < PUMP_COUNT; i++) {
        pump_us = pumps[i]->deadline_us != NULL ? pumps[i]->deadline_us(p, may_ask) : INT64_MAX;
        if (pump_us < at_us)
            at_us = pump_us;
    }
    return p->echo_due_us != 0 && !p->reset_asked && p->echo_due_us < at_us ? p->echo_due_us : at_us;
}

/* ---- between the journal and the pumps ---- */

static bool ask(struct publisher *p, enum pump_name asker, struct journal_request *ret_request)
{
    if (pumps[asker]->wants == NULL || !pumps[asker]->wants(p, ret_request))
        return false;
    p->asker = asker;
    if (!pumps[asker]->urgent)
        p->last_asker = asker;
    return true;
}

bool publisher_wants(struct publisher *p, struct journal_request *ret_request)
{
    if (p->client == NULL)
        return false;
    if (p->asker != PUMP_COUNT)
        return ask(p, p->asker, ret_request);
    for (int i = 0; i < PUMP_COUNT; i++)
        if (pumps[i]->urgent && ask(p, (enum pump_name)i, ret_request))
            return true;
    for (int i = 1; i <= PUMP_COUNT; i++) {
        int turn = ((int)p->last_asker + i) % PUMP_COUNT;
        if (!pumps[turn]->urgent && ask(p, (enum pump_name)turn, ret_request))
            return true;
    }
    return false;
}

void publisher_answer(struct publisher *p, const struct journal_answer *answer)
{
    enum pump_name asker = p->asker;
    if (answer->error == 0)
        publisher_counted(p, answer->unsent_rows);
    publisher_row_committed(p, answer->last_seq);
    p->asker = PUMP_COUNT;
    if (asker != PUMP_COUNT)
        pumps[asker]->answer(p, answer);
}

bool publisher_settle(struct publisher *p)
{
    bool settled = true;
    if (p->client == NULL)
        return true;
    publisher_take_events(p); /* a last look at what the broker said */
    for (int i = 0; i < PUMP_COUNT; i++)
        settled = (pumps[i]->settled == NULL || pumps[i]->settled(p)) && settled;
    return settled;
}

bool publisher_connected(const struct publisher *p)
{
    return p->client != NULL && p->connected && !p->deaf && mqtt_client_subscribed(p->client, INBOUND_PASSAGE);
}

void publisher_muster(struct publisher *p)
{
    if (p->client != NULL)
        muster_ask(&p->muster);
}

void publisher_counted(struct publisher *p, int64_t unsent_rows)
{
    p->counts.unsent_rows = unsent_rows;
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
    p->client = NULL;
}

void publisher_free(struct publisher *p)
{
    if (p == NULL)
        return;
    publisher_close(p);
    if (p->idle_fd >= 0)
        (void)close(p->idle_fd);
    free(p);
}
