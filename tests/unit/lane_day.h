/* The ground of test_lane_day.c: what a day knows, its chances, its plan (a heap of events in virtual time) and its text. */
#ifndef TESTS_LANE_DAY_H
#define TESTS_LANE_DAY_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "lane_watch.h"

enum { PEOPLE = 5000, NOBODY = -1, EVENTS_MAX = 16384, FILE_BYTES = 1048576 };
#define SECONDS(n) ((int64_t)(n) * 1000000)
#define CLOCK(h, m, s) SECONDS(((h) * 60 + (m)) * 60 + (s))

enum what { ARRIVE, SHOW, ANSWER, ARM_AWAY, ARM_AT_REST, PRESS, RELEASE, PLAN };

struct event {
    int64_t at_us;
    uint64_t order; /* of two at one time the first planned comes first */
    enum what what;
    int who; /* a person, or the number of a plan's step */
};

struct person {
    enum verdict_action fate;
    bool let_in, no_show, slow, followed, in_company; /* in_company: the next one shows a code at the same time */
};

struct day {
    struct watch watch;
    struct lane_settings settings;
    struct watch_grant *grants;
    uint64_t random, order;
    int64_t now_us;
    struct event events[EVENTS_MAX]; /* a heap */
    int events_count;
    struct person people[PEOPLE];
    int line[PEOPLE], line_first, line_end, owner[WATCH_GRANTS_MAX], ids, going; /* going: whose grant the arm waits for */
    bool show_planned, camera_lost, journal_failing;
    void (*at_next_grant)(struct day *d); /* so that it comes in mid-pulse */
    int arm; /* who has the arm away from rest; NOBODY - 1: at rest */
    /* what people did, by the people */
    int granted, held, denied, failed, went, slipped, gave_up, let_in, forced, free_turns, cut;
    int completed, not_used, interrupted, alarms; /* alarms: forced and tailgating */
    char *text;
    size_t text_bytes;
};

enum { AT_REST = NOBODY - 1 };

/* ---- chance, time, text ------------------------------------------------------------------------------------------ */

static inline uint64_t chance(struct day *d, uint64_t sides)
{
    d->random = d->random * 6364136223846793005U + 1442695040888963407U;
    return (d->random >> 33) % sides;
}

static inline int64_t between_us(struct day *d, int least_ms, int most_ms)
{
    return watch_us(least_ms + (int)chance(d, (uint64_t)(most_ms - least_ms + 1)));
}

static inline bool sooner(const struct event *a, const struct event *b)
{
    return a->at_us < b->at_us || (a->at_us == b->at_us && a->order < b->order);
}

static inline void plan(struct day *d, int64_t at_us, enum what what, int who)
{
    int at = d->events_count++;
    assert_true(at < EVENTS_MAX);
    const struct event event = {at_us, d->order++, what, who};
    for (; at > 0 && sooner(&event, &d->events[(at - 1) / 2]); at = (at - 1) / 2)
        d->events[at] = d->events[(at - 1) / 2];
    d->events[at] = event;
}

static inline struct event next_event(struct day *d)
{
    const struct event first = d->events[0], last = d->events[--d->events_count];
    int at = 0;
    for (int child = 1; child < d->events_count; child = 2 * at + 1) {
        if (child + 1 < d->events_count && sooner(&d->events[child + 1], &d->events[child]))
            child++;
        if (!sooner(&d->events[child], &last))
            break;
        d->events[at] = d->events[child];
        at = child;
    }
    d->events[at] = last;
    return first;
}

__attribute__((format(printf, 2, 3))) static inline void note(struct day *d, const char *format, ...)
{
    int64_t ms = d->now_us / 1000;
    size_t used = strlen(d->text);
    used += (size_t)snprintf(d->text + used, d->text_bytes - used, "%02d:%02d:%02d.%03d ", (int)(ms / 3600000),
                             (int)(ms / 60000 % 60), (int)(ms / 1000 % 60), (int)(ms % 1000));
    va_list values;
    va_start(values, format);
    used += (size_t)vsnprintf(d->text + used, d->text_bytes - used, format, values);
    va_end(values);
    assert_true(used + 2 < d->text_bytes);
    strcat(d->text, "\n");
}

#endif
