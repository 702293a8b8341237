/* Short words for driving a lane in tests: one lane, its time, and the effects of what was done last as text. Shared by the
 * tests of daemon/lane. */
#ifndef TESTS_LANE_DRIVE_H
#define TESTS_LANE_DRIVE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/lane/lane.h"

#define MS(n) ((int64_t)(n) * 1000)

static const struct lane_at_start all_quiet;

struct drive {
    struct lane lane;
    int64_t now_us;
    char effects[1024]; /* since drive_forget(): "override p for r1; not_used p; begin held; muster" */
    int opened;         /* edges of the relay, either one */
    int64_t open_us;    /* how long all together */
    int64_t longest_us; /* … at a stretch */
    int64_t open_since_us;
    bool open;
};

/* With a sensor, pulse 300 ms, gap 200 ms, wait 5 s. */
static inline struct lane_settings drive_settings(void)
{
    struct lane_settings settings;
    lane_defaults(&settings);
    settings.has_sensor = true;
    settings.pulse_gap_ms = 200;
    return settings;
}

static inline void drive_take(struct drive *d)
{
    struct lane_effect e;
    while (lane_take_effect(&d->lane, &e)) {
        char text[160];
        bool alarm = e.kind == LANE_ALARM_BEGIN || e.kind == LANE_ALARM_END;
        const char *kind = e.kind == LANE_ALARM_BEGIN ? "begin" : e.kind == LANE_ALARM_END ? "end" : lane_effect_name(e.kind);
        (void)snprintf(text, sizeof text, "%s%s%s%s%s%s", d->effects[0] != '\0' ? "; " : "", kind,
                       e.kind == LANE_MUSTER ? "" : " ",
                       alarm                     ? lane_alarm_name(e.alarm)
                       : e.kind == LANE_OVERRIDE ? e.event_id
                                                 : e.bound_event_id,
                       e.kind == LANE_OVERRIDE && e.bound_event_id[0] != '\0' ? " for " : "",
                       e.kind == LANE_OVERRIDE ? e.bound_event_id : "");
        assert_true(strlen(d->effects) + strlen(text) < sizeof d->effects);
        strcat(d->effects, text);
    }
    bool open = lane_is_open(&d->lane, d->now_us);
    if (open && !d->open) {
        d->opened++;
        d->open_since_us = d->now_us;
    }
    d->open = open;
}

static inline void drive_forget(struct drive *d)
{
    d->effects[0] = '\0';
}

static inline void drive_begin(struct drive *d, const struct lane_settings *settings, const struct lane_at_start *start)
{
    memset(d, 0, sizeof *d);
    d->now_us = MS(1000);
    lane_init(&d->lane, settings, start, d->now_us);
    drive_take(d);
}

static inline void drive_open_time(struct drive *d, int64_t until_us)
{
    if (d->open) {
        d->open_us += until_us - d->now_us;
        d->longest_us = until_us - d->open_since_us > d->longest_us ? until_us - d->open_since_us : d->longest_us;
    }
}

/* Follows the lane's own deadlines. */
static inline void drive_wait(struct drive *d, int64_t us)
{
    int64_t until_us = d->now_us + us;
    while (d->now_us < until_us) {
        int64_t next_us = lane_next_us(&d->lane, d->now_us);
        assert_true(next_us > d->now_us); /* never a spin */
        if (next_us > until_us)
            next_us = until_us;
        drive_open_time(d, next_us);
        d->now_us = next_us;
        const struct lane_input time = {.kind = LANE_IN_TIME, .at_us = d->now_us};
        assert_int_equal(lane_input(&d->lane, &time), 0);
        drive_take(d);
    }
}

/* Time passes and nobody tells the lane. */
static inline void drive_sleep(struct drive *d, int64_t us)
{
    drive_open_time(d, d->now_us + us);
    d->now_us += us;
}

static inline int drive(struct drive *d, struct lane_input input)
{
    input.at_us = d->now_us;
    int r = lane_input(&d->lane, &input);
    drive_take(d);
    return r;
}

static inline int drive_level(struct drive *d, enum lane_input_kind kind, bool on)
{
    return drive(d, (struct lane_input){.kind = kind, .on = on});
}

static inline int drive_command(struct drive *d, enum lane_input_kind kind)
{
    return drive(d, (struct lane_input){.kind = kind, .hold_open_s = 60});
}

static inline int drive_fault(struct drive *d, enum lane_fault fault, bool on)
{
    return drive(d, (struct lane_input){.kind = LANE_IN_FAULT, .fault = fault, .on = on});
}

static inline int drive_verdict(struct drive *d, enum verdict_action action, enum reason reason, const char *event_id)
{
    return drive(d, (struct lane_input){.kind = LANE_IN_VERDICT, .verdict = {action, reason, STATUS_NONE}, .event_id = event_id,
                                        .direction = DIRECTION_IN});
}

static inline void drive_grant(struct drive *d, const char *event_id)
{
    assert_int_equal(drive_verdict(d, VERDICT_OPEN, REASON_STATUS_GREEN, event_id), 0);
}

static inline void drive_hold(struct drive *d, const char *event_id)
{
    assert_int_equal(drive_verdict(d, VERDICT_HOLD, REASON_STATUS_YELLOW, event_id), 0);
}

static inline void drive_button(struct drive *d, bool down, const char *event_id)
{
    assert_int_equal(drive(d, (struct lane_input){.kind = LANE_IN_BUTTON, .on = down, .event_id = event_id}), 0);
}

static inline void drive_press(struct drive *d, const char *event_id)
{
    drive_button(d, true, event_id);
    drive_wait(d, MS(200));
    drive_button(d, false, "");
}

static inline void drive_arm(struct drive *d, bool away)
{
    assert_int_equal(drive_level(d, LANE_IN_SENSOR, away), 0);
}

static inline void drive_turn(struct drive *d)
{
    drive_arm(d, true);
    drive_wait(d, MS(700));
    drive_arm(d, false);
}

static inline bool drive_output(const struct drive *d, enum lane_output output)
{
    bool levels[LANE_OUTPUT_COUNT];
    lane_outputs(&d->lane, d->now_us, levels);
    return levels[output];
}

#define assert_effects(d, text)                                                                                        \
    do {                                                                                                               \
        assert_string_equal((d)->effects, text);                                                                       \
        drive_forget(d);                                                                                               \
    } while (0)

#endif
