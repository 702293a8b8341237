/* The line: its thread, and what the main thread calls. Orders go through a bounded queue; line_paho.c carries them out. */
#include "daemon/mqtt/line_parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void copy_order(struct line_order *to, const struct line_order *from)
{
    memcpy(to, from, offsetof(struct line_order, text) + (from->long_text == NULL ? from->length_bytes : 0));
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
        line->long_current = line->current.long_text != NULL;
        (void)pthread_mutex_unlock(&line->lock);
        line_carry_out(line);
        (void)pthread_mutex_lock(&line->lock);
        if (line->long_current)
            line->long_current = line->long_taken = false;
    }
    (void)pthread_mutex_unlock(&line->lock);
    (void)MQTTAsync_setConnectionLostCallback(line->paho, NULL, NULL);
    (void)MQTTAsync_setDisconnected(line->paho, NULL, NULL);
    line_destroy_all(line);
    (void)pthread_mutex_lock(&line->lock);
    line->ended = true;
    (void)pthread_cond_signal(&line->changed);
    (void)pthread_mutex_unlock(&line->lock);
    return NULL;
}

/* ---- the main thread ---- */

static int create_first(struct line *line, char *why, size_t why_bytes)
{
    const struct mqtt_settings *settings = line->settings;
    bool v6 = strchr(settings->host, ':') != NULL;
    const char *reason;
    int rc;
    (void)snprintf(line->uri, sizeof line->uri, "%s://%s%s%s:%d", settings->ca_file[0] != '\0' ? "ssl" : "tcp",
                   v6 ? "[" : "", settings->host, v6 ? "]" : "", settings->port);
    rc = line_create_paho(line, true, &line->paho);
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
    for (int i = 0; i < LINE_EPOCHS; i++) {
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
    const char *folder = getenv("CREDENTIALS_DIRECTORY"); /* systemd's */
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
    if (folder != NULL && strlen(folder) < sizeof line->credentials_folder)
        memcpy(line->credentials_folder, folder, strlen(folder) + 1);
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
    free(line);
    return r;
}

bool line_order(struct line *line, const struct line_order *order)
{
    struct line_order *place;
    bool room;
    (void)pthread_mutex_lock(&line->lock);
    if (order->op == LINE_CONNECT) {
        line->count = 0;
        line->long_taken = line->long_current;
    }
    room = line->count < (order->op == LINE_PUBLISH ? LINE_PUBLISHES_MAX : LINE_ORDERS_MAX) &&
           (order->long_text == NULL || (!line->long_taken && order->length_bytes <= sizeof line->long_text));
    if (room) {
        place = &line->orders[(line->first + line->count++) % LINE_ORDERS_MAX];
        copy_order(place, order);
        if (order->long_text != NULL) {
            memcpy(line->long_text, order->long_text, order->length_bytes);
            place->long_text = line->long_text;
            line->long_taken = true;
        }
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
    free(line);
    return true;
}
