/* The line: its thread, and what the main thread calls. Orders go through a bounded queue; line_paho.c carries them out. */
#include "daemon/mqtt/line_parts.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "daemon/health/clock.h"

enum { STUCK_US = 200000 };

static void copy_order(struct line_order *to, const struct line_order *from)
{
    memcpy(to, from, offsetof(struct line_order, text) + (from->long_text == NULL ? from->length_bytes : 0));
}

static struct line_order *order_at(struct line *line, int at)
{
    return &line->orders[(line->first + at) % LINE_ORDERS_MAX];
}

/* In Paho they would wait too, and it would acknowledge whatever comes meanwhile. But "offline" is not left unsaid. */
static bool must_wait(const struct line *line, const struct line_order *order)
{
    if (order->op == LINE_PUBLISH)
        return !paho_has_room(&line->paho) && !(line->leaving && order->topic == TOPIC_AVAILABILITY);
    return line_brings_messages(order->op) && line_is_overfull(line);
}

/* With the lock. Those that must wait are overtaken. -1: there are no others. */
static int next_at(struct line *line)
{
    for (int at = 0; at < line->count && !line->ending; at++)
        if (!must_wait(line, order_at(line, at)))
            return at;
    return -1;
}

bool line_has_orders(struct line *line)
{
    bool has;
    (void)pthread_mutex_lock(&line->lock);
    has = line->ending || next_at(line) >= 0;
    (void)pthread_mutex_unlock(&line->lock);
    return has;
}

static bool next_order(struct line *line)
{
    bool found;
    int at;
    (void)pthread_mutex_lock(&line->lock);
    at = next_at(line);
    found = at >= 0;
    if (found) {
        copy_order(&line->current, order_at(line, at));
        for (; at > 0; at--)
            copy_order(order_at(line, at), order_at(line, at - 1));
        line->first = (line->first + 1) % LINE_ORDERS_MAX;
        line->count--;
        line->long_current = line->current.long_text != NULL;
        line->busy_since_us = clock_monotonic_us();
    }
    (void)pthread_mutex_unlock(&line->lock);
    return found;
}

static void end_order(struct line *line)
{
    (void)pthread_mutex_lock(&line->lock);
    line->busy_since_us = 0;
    if (line->long_current)
        line->long_current = line->long_taken = false;
    (void)pthread_mutex_unlock(&line->lock);
}

static bool is_ending(struct line *line)
{
    bool ending;
    (void)pthread_mutex_lock(&line->lock);
    ending = line->ending;
    (void)pthread_mutex_unlock(&line->lock);
    return ending;
}

static void wait_for_something(const struct line *line)
{
    struct pollfd ready[] = {{.fd = line->wake_fd, .events = POLLIN},
                             {.fd = line_listens(line) ? line->paho.socket_fd : -1, .events = POLLIN}};
    uint64_t wakes;
    if (poll(ready, 2, line_wait_ms(line)) > 0 && ready[0].revents != 0 && read(line->wake_fd, &wakes, sizeof wakes) < 0)
        return; /* reset already: all is looked at anyway */
}

static void *run(void *userdata)
{
    struct line *line = userdata;
    while (!is_ending(line)) {
        line_let_go(line);
        while (next_order(line)) {
            line_carry_out(line);
            end_order(line);
            (void)line_is_lost(line);
            line_gather(line);
            line_let_go(line);
        }
        line_read(line);
        (void)line_is_lost(line);
        line_end_if_overfull(line);
        if (!line_has_orders(line)) /* one that waited for an answer was woken for long ago */
            wait_for_something(line);
    }
    paho_end(&line->paho);
    line_forget_held(line);
    (void)pthread_mutex_lock(&line->lock);
    line->ended = true;
    (void)pthread_cond_signal(&line->changed);
    (void)pthread_mutex_unlock(&line->lock);
    return NULL;
}

/* ---- the main thread ---- */

static void write_uri(struct line *line)
{
    const struct mqtt_settings *settings = line->settings;
    bool v6 = strchr(settings->host, ':') != NULL;
    (void)snprintf(line->uri, sizeof line->uri, "%s://%s%s%s:%d", settings->ca_file[0] != '\0' ? "ssl" : "tcp",
                   v6 ? "[" : "", settings->host, v6 ? "]" : "", settings->port);
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
    line->break_fd = -1;
    paho_init(&line->paho, line_acked, line);
    write_uri(line);
    if (folder != NULL && strlen(folder) < sizeof line->credentials_folder)
        memcpy(line->credentials_folder, folder, strlen(folder) + 1);
    line->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (line->wake_fd < 0) {
        r = -errno;
        (void)snprintf(why, why_bytes, "mqtt: %s", strerror(errno));
        goto fail;
    }
    r = start_thread(line, why, why_bytes);
    if (r < 0)
        goto fail_thread;
    *ret_line = line;
    return 0;
fail_thread:
    (void)close(line->wake_fd);
fail:
    free(line);
    return r;
}

void line_wake(struct line *line)
{
    const uint64_t one = 1;
    if (write(line->wake_fd, &one, sizeof one) < 0)
        return; /* it is readable already */
}

/* A publish to a broker that doesn't read, a subscription that isn't answered: the thread would stay in it. With the lock. */
static void break_if_stuck(const struct line *line, int64_t patience_us)
{
    if (line->break_fd >= 0 && line->busy_since_us != 0 && clock_monotonic_us() - line->busy_since_us >= patience_us)
        (void)shutdown(line->break_fd, SHUT_RDWR); /* fails where the link is dead anyway */
}

bool line_order(struct line *line, const struct line_order *order)
{
    struct line_order *place;
    bool room;
    (void)pthread_mutex_lock(&line->lock);
    if (order->op == LINE_CONNECT) {
        line->count = 0;
        line->long_taken = line->long_current;
        line->leaving = false;
    }
    line->leaving = line->leaving || order->op == LINE_DISCONNECT;
    if (order->op == LINE_CONNECT || order->op == LINE_DISCONNECT)
        break_if_stuck(line, order->op == LINE_CONNECT ? 0 : STUCK_US);
    room = line->count < (order->op == LINE_PUBLISH ? LINE_PUBLISHES_MAX : LINE_ORDERS_MAX) &&
           (order->long_text == NULL || (!line->long_taken && order->length_bytes <= sizeof line->long_text));
    if (room) {
        place = order_at(line, line->count++);
        copy_order(place, order);
        if (order->long_text != NULL) {
            memcpy(line->long_text, order->long_text, order->length_bytes);
            place->long_text = line->long_text;
            line->long_taken = true;
        }
    }
    (void)pthread_mutex_unlock(&line->lock);
    line_wake(line);
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
    line_wake(line);
    break_if_stuck(line, STUCK_US);
    while (!line->ended && r == 0)
        r = pthread_cond_timedwait(&line->changed, &line->lock, &until);
    ended = line->ended;
    (void)pthread_mutex_unlock(&line->lock);
    if (!ended || pthread_join(line->thread, NULL) != 0)
        return false;
    (void)pthread_cond_destroy(&line->changed);
    (void)pthread_mutex_destroy(&line->lock);
    if (line->break_fd >= 0)
        (void)close(line->break_fd);
    (void)close(line->wake_fd);
    free(line);
    return true;
}
