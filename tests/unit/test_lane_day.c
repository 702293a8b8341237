/* A day at one lane in virtual time: 5,000 people with their habits, a guard, and one of everything that goes wrong. The events
 * are compared with tests/data/lane/day.expected; LANE_DAY_WRITE=1 writes that file anew (look at the difference before you
 * commit it), otherwise a day that differs is left in LANE_DAY_OUT, if that names a file. lane_watch.h watches all along. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lane_day.h"

#ifndef TESTS_DATA
#define TESTS_DATA "tests/data"
#endif
#define EXPECTED TESTS_DATA "/lane/day.expected"

/* ---- the lane ---------------------------------------------------------------------------------------------------- */

static void note_effects(struct day *d)
{
    for (int i = 0; i < d->watch.effects_count; i++) {
        const struct lane_effect *e = &d->watch.effects[i];
        const char *name = lane_effect_name(e->kind), *pause = e->detail[0] != '\0' ? ", " : "";
        if (e->kind == LANE_ALARM_BEGIN || e->kind == LANE_ALARM_END)
            note(d, "%s %s%s%s", name, lane_alarm_name(e->alarm), pause, e->detail);
        else if (e->kind == LANE_OVERRIDE)
            note(d, "%s %s%s%s", name, e->event_id, e->bound_event_id[0] != '\0' ? " for " : "", e->bound_event_id);
        else if (e->kind == LANE_MUSTER)
            note(d, "%s%s%s", name, pause, e->detail);
        else
            note(d, "%s %s%s%s", name, e->bound_event_id, pause, e->detail);
        d->alarms += e->kind == LANE_ALARM_BEGIN && (e->alarm == LANE_ALARM_FORCED || e->alarm == LANE_ALARM_TAILGATING);
        if (e->turns != 0)
            note(d, "  %d turns", e->turns);
    }
}

/* Whose grant the arm waits for walks, when they come at all. */
static void look_who_goes(struct day *d)
{
    const struct lane *lane = &d->watch.lane;
    int number = lane->phase == LANE_GRANTED ? atoi(lane->open.event_id + 1) : NOBODY;
    if (number == d->going)
        return;
    d->going = number;
    int who = number == NOBODY ? NOBODY : d->owner[number];
    if (who != NOBODY && d->people[who].no_show)
        d->gave_up++;
    else if (who != NOBODY)
        plan(d, d->now_us + between_us(d, 600, 1800), ARM_AWAY, who);
}

static int input(struct day *d, struct lane_input in)
{
    in.at_us = d->now_us;
    if (in.at_us > d->watch.now_us) { /* the deadlines before it are told and noted as its own step */
        const struct lane_input time = {.kind = LANE_IN_TIME, .at_us = in.at_us};
        (void)watch_input(&d->watch, &time);
        note_effects(d);
    }
    int r = watch_input(&d->watch, &in);
    if (d->watch.fault[0] != '\0')
        fail_msg("%s", d->watch.fault);
    note_effects(d);
    look_who_goes(d);
    return r;
}

static const char *new_id(struct day *d, int who, char ret_id[LANE_EVENT_ID_BYTES])
{
    d->owner[d->ids] = who;
    (void)snprintf(ret_id, LANE_EVENT_ID_BYTES, "g%d", d->ids++);
    return ret_id;
}

static void start_lane(struct day *d)
{
    watch_begin(&d->watch, &d->settings, &(struct lane_at_start){0}, d->now_us, d->grants);
    d->going = NOBODY;
    d->arm = AT_REST;
    note(d, "start");
}

static void keep_tally(struct day *d)
{
    d->completed += d->watch.completed;
    d->not_used += d->watch.not_used;
    d->interrupted += d->watch.interrupted;
}

static void restart_lane(struct day *d, bool power_cut)
{
    if (power_cut) {
        d->cut += d->watch.outstanding;
        note(d, "(power cut)");
    } else {
        watch_stop(&d->watch);
        note_effects(d);
        note(d, "stop");
    }
    keep_tally(d);
    d->now_us += SECONDS(8);
    start_lane(d);
}

/* ---- people ------------------------------------------------------------------------------------------------------ */

static void plan_show(struct day *d, int64_t in_us)
{
    if (!d->show_planned && d->line_first < d->line_end)
        plan(d, d->now_us + in_us, SHOW, NOBODY);
    d->show_planned = d->line_first < d->line_end;
}

static void arrive(struct day *d, int who)
{
    d->line[d->line_end++] = who;
    plan_show(d, between_us(d, 300, 900));
}

/* The first of the line holds a code before the camera, and perhaps the next one too. */
static void show(struct day *d)
{
    d->show_planned = false;
    if (d->camera_lost || d->watch.lane.emergency || d->watch.lane.service) {
        plan_show(d, SECONDS(1));
        return;
    }
    for (int questions = 0; d->line_first < d->line_end; questions++) {
        int who = d->line[d->line_first];
        if (!lane_can_open(&d->watch.lane, questions)) {
            (void)input(d, (struct lane_input){.kind = LANE_IN_MUST_WAIT});
            plan_show(d, watch_us(300));
            return;
        }
        d->line_first++;
        plan(d, d->now_us + between_us(d, 5, 20), ANSWER, who);
        if (questions > 0 || !d->people[who].in_company)
            break;
    }
    plan_show(d, between_us(d, 900, 1900));
}

static void answer(struct day *d, int who)
{
    char event_id[LANE_EVENT_ID_BYTES] = "";
    struct verdict verdict = {d->people[who].fate, REASON_STATUS_GREEN, STATUS_GREEN};
    if (verdict.action == VERDICT_HOLD)
        verdict.reason = REASON_NO_DECLARATION;
    if (verdict.action == VERDICT_DENY)
        verdict.reason = REASON_STATUS_RED;
    if (d->watch.lane.lock_down)
        verdict = (struct verdict){VERDICT_DENY, REASON_LANE_LOCKED, STATUS_NONE};
    if (d->journal_failing)
        verdict = (struct verdict){VERDICT_DENY, REASON_JOURNAL_FAILED, STATUS_NONE};
    else
        note(d, "%s %s", verdict.action == VERDICT_OPEN ? "granted" : verdict.action == VERDICT_HOLD ? "held" : "denied",
             new_id(d, who, event_id));
    d->failed += d->journal_failing;
    d->granted += verdict.action == VERDICT_OPEN;
    d->held += verdict.action == VERDICT_HOLD;
    d->denied += verdict.action == VERDICT_DENY && !d->journal_failing;
    if (verdict.action != VERDICT_OPEN && d->people[who].let_in)
        plan(d, d->now_us + between_us(d, 4000, 18000), PRESS, who);
    (void)input(d, (struct lane_input){
                       .kind = LANE_IN_VERDICT, .verdict = verdict, .event_id = event_id, .direction = DIRECTION_IN});
    if (verdict.action == VERDICT_OPEN && d->at_next_grant != NULL) {
        void (*step)(struct day *) = d->at_next_grant;
        d->at_next_grant = NULL;
        step(d);
    }
}

/* `who` may be NOBODY: somebody without a right to. */
static void arm_away(struct day *d, int who)
{
    const struct lane *lane = &d->watch.lane;
    if (d->arm != AT_REST) {
        plan(d, d->now_us + watch_us(200), ARM_AWAY, who);
        return;
    }
    bool may = lane->phase == LANE_GRANTED && d->owner[atoi(lane->open.event_id + 1)] == who;
    if (who != NOBODY && !may) { /* the arm is locked again */
        d->gave_up++;
        return;
    }
    d->arm = who;
    d->forced += who == NOBODY && lane->phase == LANE_CLOSED && !lane->arm_is_free;
    d->free_turns += who == NOBODY && lane->phase == LANE_CLOSED && lane->arm_is_free;
    plan(d, d->now_us + (who != NOBODY && d->people[who].slow ? SECONDS(14) : between_us(d, 400, 1100)), ARM_AT_REST, who);
    (void)input(d, (struct lane_input){.kind = LANE_IN_SENSOR, .on = true});
}

static void arm_at_rest(struct day *d, int who)
{
    bool turning = d->watch.lane.phase == LANE_TURNING;
    if (d->arm == AT_REST)
        return; /* the lane began anew meanwhile */
    d->arm = AT_REST;
    d->went += who != NOBODY && turning;
    d->slipped += who == NOBODY && turning; /* on another's grant: no arm can tell */
    if (who != NOBODY && d->people[who].followed)
        plan(d, d->now_us + between_us(d, 300, 1500), ARM_AWAY, NOBODY);
    (void)input(d, (struct lane_input){.kind = LANE_IN_SENSOR});
}

static void press(struct day *d, int who)
{
    char event_id[LANE_EVENT_ID_BYTES];
    if (d->watch.button) {
        plan(d, d->now_us + SECONDS(5), PRESS, who);
        return;
    }
    d->let_in++;
    plan(d, d->now_us + between_us(d, 120, 400), RELEASE, NOBODY);
    (void)input(d, (struct lane_input){.kind = LANE_IN_BUTTON, .on = true, .event_id = new_id(d, who, event_id),
                                       .guard = LANE_GUARD_A, .direction = DIRECTION_IN});
}

/* ---- what goes wrong, and what is ordered ------------------------------------------------------------------------ */

static void hold_button(struct day *d, int64_t for_us)
{
    char event_id[LANE_EVENT_ID_BYTES];
    if (d->watch.button)
        return;
    d->let_in++;
    plan(d, d->now_us + for_us, RELEASE, NOBODY);
    (void)input(d, (struct lane_input){.kind = LANE_IN_BUTTON, .on = true, .event_id = new_id(d, NOBODY, event_id)});
}

/* People who walk without being asked. */
static void crowd(struct day *d, int count, int every_ms)
{
    for (int i = 0; i < count; i++)
        plan(d, d->now_us + SECONDS(5) + watch_us(i * every_ms), ARM_AWAY, NOBODY);
}

static void level(struct day *d, enum lane_input_kind kind, bool on)
{
    assert_int_equal(input(d, (struct lane_input){.kind = kind, .on = on}), 0);
}

static void fault(struct day *d, enum lane_fault which, bool on)
{
    assert_int_equal(input(d, (struct lane_input){.kind = LANE_IN_FAULT, .fault = which, .on = on}), 0);
}

static void camera_goes(struct day *d) { d->camera_lost = true; fault(d, LANE_FAULT_CAMERA, true); }
static void camera_comes(struct day *d) { fault(d, LANE_FAULT_CAMERA, false); d->camera_lost = false; }
static void guard_lets_one_in(struct day *d)
{
    if (d->line_first < d->line_end)
        press(d, d->line[d->line_first++]);
}
static void journal_fails(struct day *d) { d->journal_failing = true; fault(d, LANE_FAULT_JOURNAL, true); }
static void journal_is_back(struct day *d) { d->journal_failing = false; fault(d, LANE_FAULT_JOURNAL, false); }
static void fire_now(struct day *d) { level(d, LANE_IN_FIRE, true); crowd(d, 150, 1500); }
static void fire(struct day *d) { d->at_next_grant = fire_now; }
static void fire_over(struct day *d) { level(d, LANE_IN_FIRE, false); }
static void reset_too_early(struct day *d)
{
    assert_int_not_equal(input(d, (struct lane_input){.kind = LANE_IN_FIRE_RESET}), 0);
}
static void reset(struct day *d) { assert_int_equal(input(d, (struct lane_input){.kind = LANE_IN_FIRE_RESET}), 0); }
static void long_press(struct day *d) { hold_button(d, watch_us(3500)); }
static void long_press_and_a_lorry(struct day *d) { hold_button(d, watch_us(3300)); crowd(d, 40, 2500); }
static void button_jams(struct day *d) { hold_button(d, SECONDS(50)); }
static void lock_down(struct day *d) { assert_int_equal(input(d, (struct lane_input){.kind = LANE_IN_LOCK_DOWN}), 0); }
static void normal(struct day *d) { assert_int_equal(input(d, (struct lane_input){.kind = LANE_IN_NORMAL}), 0); }
static void hold_open_by_command(struct day *d)
{
    assert_int_equal(input(d, (struct lane_input){.kind = LANE_IN_HOLD_OPEN, .hold_open_s = 300}), 0);
    crowd(d, 60, 1700);
}
static void hold_open_too_long(struct day *d)
{
    assert_int_not_equal(input(d, (struct lane_input){.kind = LANE_IN_HOLD_OPEN, .hold_open_s = 100000}), 0);
}
static void cabinet_open(struct day *d) { level(d, LANE_IN_TAMPER, true); }
static void cabinet_shut(struct day *d) { level(d, LANE_IN_TAMPER, false); }
static void service_begins(struct day *d) { level(d, LANE_IN_SERVICE, true); crowd(d, 5, 4000); }
static void service_ends(struct day *d) { level(d, LANE_IN_SERVICE, false); }
static void somebody_forces(struct day *d) { plan(d, d->now_us, ARM_AWAY, NOBODY); }
static void loop_hangs(struct day *d) { d->now_us += SECONDS(4); } /* nobody tells the lane anything for so long */
static void restart_now(struct day *d) { restart_lane(d, false); }
static void restart(struct day *d) { d->at_next_grant = restart_now; }
static void power_cut_now(struct day *d) { restart_lane(d, true); }
static void power_cut(struct day *d) { d->at_next_grant = power_cut_now; }

static const struct {
    int64_t at_us;
    void (*step)(struct day *d);
    const char *words; /* NULL: its events speak for it */
} steps[] = {
    {CLOCK(6, 20, 0), loop_hangs, "(the loop hangs for 4 s)"},
    {CLOCK(6, 41, 0), somebody_forces, "(somebody forces the arm)"},
    {CLOCK(7, 10, 0), camera_goes, "(the camera is unplugged)"},
    {CLOCK(7, 10, 20), guard_lets_one_in, NULL}, {CLOCK(7, 10, 26), guard_lets_one_in, NULL},
    {CLOCK(7, 10, 32), guard_lets_one_in, NULL}, {CLOCK(7, 10, 33), guard_lets_one_in, NULL},
    {CLOCK(7, 10, 34), guard_lets_one_in, NULL}, {CLOCK(7, 10, 50), guard_lets_one_in, NULL},
    {CLOCK(7, 11, 20), camera_comes, "(and plugged in)"},
    {CLOCK(9, 0, 0), journal_fails, "(the disk stalls)"}, {CLOCK(9, 2, 0), journal_is_back, NULL},
    {CLOCK(10, 0, 0), fire, "(a fire drill)"}, {CLOCK(10, 2, 0), reset_too_early, "(a reset, too early)"},
    {CLOCK(10, 4, 0), fire_over, "(the bell is off)"}, {CLOCK(10, 6, 0), reset, "(reset)"},
    {CLOCK(11, 0, 0), long_press_and_a_lorry, "(held open for a delivery)"}, {CLOCK(11, 8, 0), long_press, NULL},
    {CLOCK(12, 0, 0), restart, "(a new version)"},
    {CLOCK(13, 0, 0), cabinet_open, NULL}, {CLOCK(13, 0, 20), cabinet_shut, NULL},
    {CLOCK(14, 0, 0), service_begins, "(the technician)"}, {CLOCK(14, 15, 0), service_ends, NULL},
    {CLOCK(15, 0, 0), lock_down, NULL}, {CLOCK(15, 10, 0), normal, NULL},
    {CLOCK(16, 0, 0), hold_open_too_long, "(hold-open for a day: refused)"},
    {CLOCK(16, 0, 5), hold_open_by_command, NULL},
    {CLOCK(17, 45, 0), power_cut, NULL},
    {CLOCK(18, 30, 0), long_press, "(held open and forgotten)"},
    {CLOCK(19, 50, 0), somebody_forces, NULL}, {CLOCK(19, 55, 0), somebody_forces, NULL},
    {CLOCK(20, 0, 0), button_jams, "(the button jams)"},
};

/* ---- the day ----------------------------------------------------------------------------------------------------- */

static void plan_people(struct day *d)
{
    static const struct {
        int people;
        int64_t from_us, to_us;
    } shifts[] = {{1150, CLOCK(5, 40, 0), CLOCK(7, 20, 0)}, {1500, CLOCK(7, 20, 0), CLOCK(12, 20, 0)},
                  {1250, CLOCK(12, 20, 0), CLOCK(16, 30, 0)}, {1100, CLOCK(16, 30, 0), CLOCK(21, 30, 0)}};
    int who = 0;
    for (size_t shift = 0; shift < sizeof shifts / sizeof *shifts; shift++)
        for (int i = 0; i < shifts[shift].people; i++, who++) {
            struct person *p = &d->people[who];
            int seconds = (int)((shifts[shift].to_us - shifts[shift].from_us) / 1000000);
            uint64_t fate = chance(d, 100);
            *p = (struct person){.fate = fate < 93 ? VERDICT_OPEN : fate < 97 ? VERDICT_HOLD : VERDICT_DENY};
            p->let_in = p->fate == VERDICT_HOLD && chance(d, 10) < 8;
            p->no_show = chance(d, 100) == 0;
            p->slow = chance(d, 1000) == 0;
            p->followed = chance(d, 400) == 0;
            p->in_company = chance(d, 50) == 0;
            plan(d, shifts[shift].from_us + SECONDS(chance(d, (uint64_t)seconds)) + between_us(d, 0, 999), ARRIVE, who);
        }
    assert_int_equal(who, PEOPLE);
}

static void happen(struct day *d, const struct event *event)
{
    switch (event->what) {
    case ARRIVE: arrive(d, event->who); break;
    case SHOW: show(d); break;
    case ANSWER: answer(d, event->who); break;
    case ARM_AWAY: arm_away(d, event->who); break;
    case ARM_AT_REST: arm_at_rest(d, event->who); break;
    case PRESS: press(d, event->who); break;
    case RELEASE: (void)input(d, (struct lane_input){.kind = LANE_IN_BUTTON}); break;
    case PLAN:
        if (steps[event->who].words != NULL)
            note(d, "%s", steps[event->who].words);
        steps[event->who].step(d);
        break;
    }
}

static void run(struct day *d)
{
    plan_people(d);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        plan(d, steps[i].at_us, PLAN, (int)i);
    while (d->events_count > 0) {
        int64_t due_us = lane_next_us(&d->watch.lane, d->watch.now_us);
        if (due_us < d->events[0].at_us) {
            d->now_us = due_us > d->now_us ? due_us : d->now_us;
            (void)input(d, (struct lane_input){.kind = LANE_IN_TIME});
            continue;
        }
        const struct event event = next_event(d);
        d->now_us = event.at_us > d->now_us ? event.at_us : d->now_us;
        happen(d, &event);
    }
    d->now_us += SECONDS(3600);
    (void)input(d, (struct lane_input){.kind = LANE_IN_TIME});
    watch_stop(&d->watch);
    note(d, "stop");
    keep_tally(d);
}

static void totals(struct day *d)
{
    note(d, "%d people: %d granted, %d held, %d denied, %d met a failing journal", PEOPLE, d->granted, d->held, d->denied,
         d->failed);
    note(d, "%d presses; %d completed, %d not used, %d interrupted, %d cut off by power", d->let_in, d->completed, d->not_used,
         d->interrupted, d->cut);
    note(d,
         "%d went through on their own grant, %d slipped through on another's, %d turned it without one, %d turned a "
         "free arm",
         d->went, d->slipped, d->forced, d->free_turns);
}

static void compare(const struct day *d)
{
    static char expected[FILE_BYTES];
    const char *out = getenv("LANE_DAY_WRITE") != NULL ? EXPECTED : getenv("LANE_DAY_OUT");
    FILE *file = fopen(EXPECTED, "r");
    size_t bytes = 0, line = 1, same = 0;
    if (file != NULL) {
        bytes = fread(expected, 1, sizeof expected - 1, file);
        assert_int_equal(fclose(file), 0);
    }
    expected[bytes] = '\0';
    if (strcmp(expected, d->text) == 0)
        return;
    if (out != NULL) {
        file = fopen(out, "w");
        assert_non_null(file);
        assert_true(fputs(d->text, file) >= 0);
        assert_int_equal(fclose(file), 0);
    }
    if (getenv("LANE_DAY_WRITE") != NULL)
        return;
    for (size_t i = 0; expected[i] == d->text[i]; i++)
        if (expected[i] == '\n') {
            line++;
            same = i + 1;
        }
    fail_msg("%s:%zu: expected '%.*s', was '%.*s'", EXPECTED, line, (int)strcspn(expected + same, "\n"), expected + same,
             (int)strcspn(d->text + same, "\n"), d->text + same);
}

static void a_day_of_five_thousand_people(void **state)
{
    static struct day day;
    static struct watch_grant grants[WATCH_GRANTS_MAX];
    static char text[FILE_BYTES];
    struct day *d = &day;
    (void)state;
    memset(d, 0, sizeof *d);
    d->random = 20211110;
    d->grants = grants;
    d->text = text;
    d->text_bytes = sizeof text;
    text[0] = '\0';
    lane_defaults(&d->settings);
    d->settings.has_sensor = true;
    d->now_us = CLOCK(5, 0, 0);
    start_lane(d);
    run(d);
    totals(d);
    if (d->watch.fault[0] != '\0')
        fail_msg("%s", d->watch.fault);
    assert_int_equal(d->completed, d->went + d->slipped); /* presence is who went */
    assert_int_equal(d->alarms, d->forced);
    assert_int_equal(d->granted + d->let_in, d->completed + d->not_used + d->interrupted + d->cut);
    assert_int_equal(d->granted + d->held + d->denied + d->failed + 6, PEOPLE); /* six the guard let in without a code */
    assert_int_equal(d->cut, 1);
    compare(d);
}

int main(void)
{
    const struct CMUnitTest lane_day[] = {cmocka_unit_test(a_day_of_five_thousand_people)};
    return cmocka_run_group_tests(lane_day, NULL, NULL);
}
