/* The relay's guard: one mutex, one condition with a deadline on CLOCK_MONOTONIC, two relays. See the header. */
#include "daemon/relay_guard.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "daemon/health/clock.h"

enum { RELAYS = 2 };

struct guarded {
    bool open;         /* the wire is at the level that opens */
    int64_t off_at_us; /* 0: no bound */
};

struct relay_guard {
    struct lines *lines;
    bool closed_level;
    pthread_t thread;
    pthread_mutex_t mutex; /* of everything below, and of the wires themselves */
    pthread_cond_t changed;
    bool closing;
    uint64_t acted;
    struct guarded relays[RELAYS];
};

static enum line_out line_of(int relay)
{
    return relay == 0 ? LINE_RELAY : LINE_RELAY_OUT;
}

static int64_t first_deadline_us(const struct relay_guard *g)
{
    int64_t first_us = INT64_MAX;
    for (int i = 0; i < RELAYS; i++)
        if (g->relays[i].open && g->relays[i].off_at_us > 0 && g->relays[i].off_at_us < first_us)
            first_us = g->relays[i].off_at_us;
    return first_us == INT64_MAX ? INT64_MAX : first_us + (int64_t)RELAY_GUARD_GRACE_MS * 1000;
}

static void close_overdue(struct relay_guard *g)
{
    const int64_t at_us = clock_monotonic_us() - (int64_t)RELAY_GUARD_GRACE_MS * 1000;
    for (int i = 0; i < RELAYS; i++) {
        struct guarded *relay = &g->relays[i];
        if (!relay->open || relay->off_at_us == 0 || relay->off_at_us > at_us)
            continue;
        if (lines_set(g->lines, line_of(i), g->closed_level) == 0)
            relay->open = false;
        else
            relay->off_at_us = at_us + 100000 + (int64_t)RELAY_GUARD_GRACE_MS * 1000; /* tried again in 0.1 s */
        g->acted++;
    }
}

/* Mutex and condition are sound for the thread's whole life, so their results say nothing. */
static void *watch(void *data)
{
    struct relay_guard *g = data;
    (void)pthread_mutex_lock(&g->mutex);
    while (!g->closing) {
        const int64_t deadline_us = first_deadline_us(g);
        const struct timespec until = {.tv_sec = deadline_us / 1000000, .tv_nsec = deadline_us % 1000000 * 1000};
        if (deadline_us == INT64_MAX)
            (void)pthread_cond_wait(&g->changed, &g->mutex);
        else if (pthread_cond_timedwait(&g->changed, &g->mutex, &until) == ETIMEDOUT)
            close_overdue(g);
    }
    (void)pthread_mutex_unlock(&g->mutex);
    return NULL;
}

static int start(struct relay_guard *g)
{
    pthread_condattr_t monotonic;
    sigset_t all, before;
    int r = -pthread_condattr_init(&monotonic);
    if (r < 0)
        return r;
    r = -pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    if (r == 0)
        r = -pthread_cond_init(&g->changed, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    if (r < 0)
        return r;
    r = -pthread_mutex_init(&g->mutex, NULL);
    (void)sigfillset(&all);
    if (r == 0)
        r = -pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the main thread's */
    if (r < 0)
        return r;
    r = -pthread_create(&g->thread, NULL, watch, g);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (r == 0)
        (void)pthread_setname_np(g->thread, "relay-guard"); /* only for top */
    return r;
}

int relay_guard_open(struct lines *lines, bool closed_level, struct relay_guard **ret_guard)
{
    struct relay_guard *g = calloc(1, sizeof *g);
    *ret_guard = NULL;
    if (g == NULL)
        return -ENOMEM;
    g->lines = lines;
    g->closed_level = closed_level;
    int r = start(g);
    if (r < 0) {
        free(g);
        return r;
    }
    *ret_guard = g;
    return 0;
}

static struct guarded *guarded_of(struct relay_guard *g, enum line_out relay)
{
    return &g->relays[relay == LINE_RELAY ? 0 : 1];
}

int relay_guard_set(struct relay_guard *g, enum line_out relay, bool level, int64_t for_us)
{
    struct guarded *guarded = guarded_of(g, relay);
    (void)pthread_mutex_lock(&g->mutex);
    int r = lines_set(g->lines, relay, level);
    if (r == 0) /* from now: main may have been held up before, and the wire may have moved at the end of a long write */
        *guarded = (struct guarded){.open = level != g->closed_level, .off_at_us = for_us > 0 ? clock_monotonic_us() + for_us : 0};
    (void)pthread_cond_signal(&g->changed);
    (void)pthread_mutex_unlock(&g->mutex);
    return r;
}

int relay_guard_refresh(struct relay_guard *g, enum line_out relay)
{
    const struct guarded *guarded = guarded_of(g, relay);
    int r = 0;
    (void)pthread_mutex_lock(&g->mutex);
    if (!guarded->open || guarded->off_at_us == 0 || guarded->off_at_us > clock_monotonic_us())
        r = lines_set(g->lines, relay, guarded->open ? !g->closed_level : g->closed_level);
    (void)pthread_mutex_unlock(&g->mutex);
    return r;
}

void relay_guard_bound(struct relay_guard *g, enum line_out relay, int64_t off_at_us)
{
    struct guarded *guarded = guarded_of(g, relay);
    (void)pthread_mutex_lock(&g->mutex);
    if (guarded->open)
        guarded->off_at_us = off_at_us;
    (void)pthread_cond_signal(&g->changed);
    (void)pthread_mutex_unlock(&g->mutex);
}

uint64_t relay_guard_acted(struct relay_guard *g)
{
    (void)pthread_mutex_lock(&g->mutex);
    const uint64_t acted = g->acted;
    (void)pthread_mutex_unlock(&g->mutex);
    return acted;
}

void relay_guard_close(struct relay_guard *g)
{
    if (g == NULL)
        return;
    (void)pthread_mutex_lock(&g->mutex);
    g->closing = true;
    (void)pthread_cond_signal(&g->changed);
    (void)pthread_mutex_unlock(&g->mutex);
    (void)pthread_join(g->thread, NULL);
    (void)pthread_cond_destroy(&g->changed);
    (void)pthread_mutex_destroy(&g->mutex);
    free(g);
}
