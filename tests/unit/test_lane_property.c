/* A million random inputs over random settings; lane_watch.h says what must hold. LANE_SEED=n and LANE_INPUTS=n choose another
 * run. A failure is shortened to the inputs it needs and printed, at most the last 40. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lane_watch.h"

enum { RUN_INPUTS = 400, SHOWN_INPUTS = 40, RECONFIGURE = LANE_INPUT_COUNT };

struct script {
    struct lane_settings settings, other; /* `other`: what RECONFIGURE changes to and back */
    struct lane_at_start start;
    struct lane_input inputs[RUN_INPUTS]; /* kind RECONFIGURE isn't the lane's */
    int numbers[RUN_INPUTS];              /* of the event id */
    int count;
    unsigned left_out; /* kinds that don't happen in this run, so that each mode has its day */
};

static struct watch_grant grants[WATCH_GRANTS_MAX];

/* The same lane told of inputs alone, never of a deadline that passed before one: it must come to the same. */
struct direct {
    struct lane lane;
    uint64_t story;
};

/* ---- chance ------------------------------------------------------------------------------------------------------ */

static uint64_t random_next(uint64_t *state) /* splitmix64 */
{
    uint64_t z = *state += 0x9E3779B97F4A7C15U;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31);
}

static int upto(uint64_t *state, int most) /* 0 to most */
{
    return (int)(random_next(state) % ((uint64_t)most + 1));
}

static int one_of(uint64_t *state, const int *values, int count)
{
    return values[upto(state, count - 1)];
}
#define ONE_OF(state, ...) one_of(state, (const int[]){__VA_ARGS__}, (int)(sizeof((const int[]){__VA_ARGS__}) / sizeof(int)))

static void random_timing(uint64_t *r, struct lane_settings *s)
{
    s->pulse_ms = ONE_OF(r, 100, 300, 1000, 7000); /* also one longer than the wait */
    s->pulse_gap_ms = ONE_OF(r, 50, 300, 2000);
    s->passage_wait_ms = ONE_OF(r, 1000, 5000, 30000);
    s->button_binding_ms = ONE_OF(r, 1000, 15000);
    s->unreadable_ms = ONE_OF(r, 500, 3000);
}

static void random_settings(uint64_t *r, struct script *script)
{
    struct lane_settings *s = &script->settings;
    lane_defaults(s);
    random_timing(r, s);
    s->has_relay = upto(r, 7) != 0;
    s->has_sensor = upto(r, 4) != 0;
    s->two_directions = upto(r, 1) != 0;
    s->wiring = upto(r, 1) != 0 ? LANE_FAIL_SAFE : LANE_FAIL_SECURE;
    s->relay_level = upto(r, 2) == 0;
    s->held_alarm_ms = ONE_OF(r, 2000, 10000, 30000);
    s->tailgating_ms = ONE_OF(r, 0, 500, 2000);
    s->long_press_ms = ONE_OF(r, 500, 3000);
    s->stuck_ms = ONE_OF(r, 5000, 30000);
    s->hold_open_max_s = ONE_OF(r, 0, 5, 60, LANE_HOLD_OPEN_MAX_S);
    script->other = *s;
    random_timing(r, &script->other);
    script->other.relay_level = !s->relay_level;
    static const enum lane_input_kind rare[] = {LANE_IN_FIRE, LANE_IN_SERVICE, LANE_IN_FAULT, LANE_IN_LOCK_DOWN,
                                                LANE_IN_HOLD_OPEN};
    script->left_out = 0;
    for (size_t i = 0; i < sizeof rare / sizeof *rare; i++)
        if (upto(r, 2) != 0)
            script->left_out |= 1U << (unsigned)rare[i];
    script->start =
        (struct lane_at_start){upto(r, 9) == 0, upto(r, 9) == 0, upto(r, 39) == 0, upto(r, 9) == 0, upto(r, 19) == 0};
}

/* Often just before, at or after a deadline; sometimes far beyond all of them. */
static int64_t random_time(uint64_t *r, const struct watch *w)
{
    int64_t next_us = lane_next_us(&w->lane, w->now_us), ahead_us = next_us - w->now_us;
    switch (upto(r, 11)) {
    case 0: case 1: case 2:
        if (next_us != INT64_MAX)
            return next_us;
        break;
    case 3: return next_us != INT64_MAX && ahead_us > 1 ? next_us - 1 : w->now_us;
    case 4: return next_us != INT64_MAX ? next_us + upto(r, 50000) : w->now_us;
    case 5: return w->now_us;
    case 6: return w->now_us + watch_us(upto(r, 40000));
    case 7: return upto(r, 9) == 0 ? w->now_us + watch_us(upto(r, 2000000)) : w->now_us + watch_us(upto(r, 6000));
    case 8: case 9: return w->now_us + watch_us(upto(r, 3000));
    default: break;
    }
    return w->now_us + watch_us(upto(r, 400));
}

static enum lane_input_kind random_kind(uint64_t *r)
{
    static const struct {
        enum lane_input_kind kind;
        int weight;
    } kinds[] = {
        {LANE_IN_TIME, 7}, {LANE_IN_VERDICT, 24}, {LANE_IN_MUST_WAIT, 3}, {LANE_IN_UNREADABLE, 4}, {LANE_IN_BUTTON, 18},
        {LANE_IN_SENSOR, 26}, {LANE_IN_FIRE, 2}, {LANE_IN_FIRE_RESET, 3}, {LANE_IN_TAMPER, 1}, {LANE_IN_SERVICE, 2},
        {LANE_IN_FAULT, 3}, {LANE_IN_NORMAL, 2}, {LANE_IN_LOCK_DOWN, 1}, {LANE_IN_HOLD_OPEN, 1},
        {LANE_IN_OPEN, 2}, {LANE_IN_IDENTIFY, 1},
    };
    int at = upto(r, 99);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if ((at -= kinds[i].weight) < 0)
            return kinds[i].kind;
    return LANE_IN_TIME;
}

static struct lane_input random_input(uint64_t *r, const struct watch *w, unsigned left_out)
{
    struct lane_input input = {.kind = upto(r, 300) == 0 ? (enum lane_input_kind)RECONFIGURE : random_kind(r),
                               .at_us = random_time(r, w)};
    if ((left_out >> (unsigned)input.kind & 1U) != 0)
        input.kind = LANE_IN_TIME;
    bool is_on = input.kind == LANE_IN_BUTTON   ? w->button
                 : input.kind == LANE_IN_SENSOR ? w->sensor
                 : input.kind == LANE_IN_FIRE   ? w->fire
                 : input.kind == LANE_IN_TAMPER ? w->tamper
                                                : w->service;
    input.on = upto(r, 7) == 0 ? is_on : !is_on; /* mostly a change */
    input.fault = (enum lane_fault)upto(r, LANE_FAULT_COUNT - 1);
    if (input.kind == LANE_IN_FAULT)
        input.on = upto(r, 2) == 0;
    if (input.kind == LANE_IN_BUTTON && upto(r, 3) == 0)
        input.happened_us = input.at_us - watch_us(upto(r, 900));
    input.guard = (enum lane_guard)upto(r, 2);
    input.hold_open_s = upto(r, 9) == 0 ? upto(r, 100000) - 1 : upto(r, 60);
    input.direction = (enum direction)upto(r, DIRECTION_COUNT - 1);
    input.hint = (enum signal)(input.at_us % (SIGNAL_COUNT + 3)); /* no draw: the days of the record stay as they are */
    input.verdict.action = upto(r, 2) != 0 ? VERDICT_OPEN : (enum verdict_action)upto(r, VERDICT_ACTION_COUNT - 1);
    input.verdict.reason = upto(r, 5) != 0 ? REASON_STATUS_GREEN : (enum reason)upto(r, REASON_COUNT - 1);
    return input;
}

/* ---- playing a script -------------------------------------------------------------------------------------------- */

static void compare(struct watch *w, struct direct *d, const struct lane_input *input)
{
    bool levels[LANE_OUTPUT_COUNT];
    struct lane_effect effect;
    (void)lane_input(&d->lane, input);
    while (lane_take_effect(&d->lane, &effect))
        d->story = watch_story(d->story, &effect);
    lane_outputs(&d->lane, w->now_us, levels);
    WATCH(w, d->lane.mode == w->lane.mode && d->lane.phase == w->lane.phase,
          "another mode or phase when deadlines aren't told");
    WATCH(w, d->story == w->story, "other effects when deadlines aren't told");
    WATCH(w, memcmp(levels, w->levels, sizeof levels) == 0, "other levels when deadlines aren't told");
    WATCH(w, lane_next_us(&d->lane, w->now_us) == lane_next_us(&w->lane, w->now_us),
          "another deadline when deadlines aren't told");
}

static void begin(struct watch *w, struct direct *d, const struct script *script)
{
    struct lane_effect effect;
    watch_begin(w, &script->settings, &script->start, watch_us(1000), grants);
    d->story = 0;
    lane_init(&d->lane, &script->settings, &script->start, watch_us(1000));
    while (lane_take_effect(&d->lane, &effect))
        continue;
}

static void play_one(struct watch *w, struct direct *d, const struct script *script, int i)
{
    struct lane_input input = script->inputs[i];
    char event_id[LANE_EVENT_ID_BYTES];
    (void)snprintf(event_id, sizeof event_id, "g%d", script->numbers[i]);
    input.event_id = event_id;
    if (input.kind != (enum lane_input_kind)RECONFIGURE) {
        (void)watch_input(w, &input);
        compare(w, d, &input);
        return;
    }
    const struct lane_settings *next =
        w->settings.relay_level == script->settings.relay_level ? &script->other : &script->settings;
    WATCH(w, lane_reconfigure(&w->lane, next) && lane_reconfigure(&d->lane, next), "not reconfigured");
    watch_limits(w, next);
    input.kind = LANE_IN_TIME;
    (void)watch_input(w, &input);
    compare(w, d, &input);
}

static bool breaks(struct watch *w, const struct script *script)
{
    static struct direct direct;
    begin(w, &direct, script);
    for (int i = 0; i < script->count && w->fault[0] == '\0'; i++)
        play_one(w, &direct, script, i);
    if (w->fault[0] == '\0')
        watch_stop(w);
    return w->fault[0] != '\0';
}

static void random_run(uint64_t *r, struct watch *w, struct script *script)
{
    static struct direct direct;
    random_settings(r, script);
    begin(w, &direct, script);
    for (script->count = 0; script->count < RUN_INPUTS && w->fault[0] == '\0'; script->count++) {
        script->inputs[script->count] = random_input(r, w, script->left_out);
        script->numbers[script->count] = script->count;
        play_one(w, &direct, script, script->count);
    }
    if (w->fault[0] == '\0')
        watch_stop(w);
}

/* ---- a failure --------------------------------------------------------------------------------------------------- */

static void remove_inputs(struct script *script, int from, int count)
{
    int after = script->count - from - count;
    memmove(&script->inputs[from], &script->inputs[from + count], sizeof *script->inputs * (size_t)after);
    memmove(&script->numbers[from], &script->numbers[from + count], sizeof *script->numbers * (size_t)after);
    script->count -= count;
}

static void shorten(struct watch *w, struct script *script)
{
    static struct script trial;
    for (int piece = script->count / 2; piece >= 1; piece /= 2)
        for (int from = script->count - piece; from >= 0; from -= piece) {
            trial = *script;
            remove_inputs(&trial, from, piece);
            if (breaks(w, &trial))
                *script = trial;
            if (from > script->count)
                from = script->count;
        }
}

static void print_failure(struct watch *w, struct script *script, uint64_t seed, uint64_t run)
{
    const struct lane_settings *s = &script->settings;
    char found[sizeof w->fault];
    (void)snprintf(found, sizeof found, "%s", w->fault);
    shorten(w, script);
    (void)breaks(w, script);
    print_message("seed %llu, run %llu: %s; shortened to %d inputs: %s\n", (unsigned long long)seed,
                  (unsigned long long)run, found, script->count, w->fault);
    print_message(
        "relay %d sensor %d two_directions %d wiring %d level %d pulse %d gap %d wait %d held %d tailgating %d long %d "
        "stuck %d hold_open_max_s %d\n",
        s->has_relay, s->has_sensor, s->two_directions, s->wiring, s->relay_level, s->pulse_ms, s->pulse_gap_ms,
        s->passage_wait_ms, s->held_alarm_ms, s->tailgating_ms, s->long_press_ms, s->stuck_ms, s->hold_open_max_s);
    print_message("at start: button %d sensor %d fire %d tamper %d service %d\n", script->start.button, script->start.sensor,
                  script->start.fire, script->start.tamper, script->start.service);
    for (int i = script->count > SHOWN_INPUTS ? script->count - SHOWN_INPUTS : 0; i < script->count; i++) {
        const struct lane_input *in = &script->inputs[i];
        print_message("%12.6f s %-11s on %d g%-3d %s %s fault %d guard %d hold_open_s %d direction %d\n",
                      (double)in->at_us / 1e6,
                      in->kind == (enum lane_input_kind)RECONFIGURE ? "reconfigure" : lane_input_name(in->kind), in->on,
                      script->numbers[i], verdict_action_name(in->verdict.action), reason_name(in->verdict.reason),
                      in->fault, in->guard, in->hold_open_s, in->direction);
    }
}

static uint64_t number_from_environment(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text != NULL ? strtoull(text, NULL, 10) : otherwise;
}

static void a_million_random_inputs_keep_every_rule(void **state)
{
    static struct watch watch;
    static struct script script;
    uint64_t seed = number_from_environment("LANE_SEED", 4), inputs = number_from_environment("LANE_INPUTS", 1000000);
    uint64_t done = 0, checks = 0, ends[3] = {0}, overrides = 0, modes[LANE_MODE_COUNT] = {0};
    int effects_most = 0;
    (void)state;
    for (uint64_t run = 0; done < inputs; run++) {
        uint64_t random = seed * 1000003 + run;
        random_run(&random, &watch, &script);
        if (watch.fault[0] != '\0') {
            print_failure(&watch, &script, seed, run);
            fail();
        }
        done += (uint64_t)script.count;
        checks += watch.checks;
        ends[0] += (uint64_t)watch.completed;
        ends[1] += (uint64_t)watch.not_used;
        ends[2] += (uint64_t)watch.interrupted;
        overrides += (uint64_t)watch.overrides;
        for (int i = 0; i < LANE_MODE_COUNT; i++)
            modes[i] += watch.modes[i];
        effects_most = watch.effects_most > effects_most ? watch.effects_most : effects_most;
    }
    print_message(
        "lane: %llu inputs, %llu checks, seed %llu; %llu completed, %llu not used, %llu interrupted, %llu by the button; "
        "at most %d effects of one input\n",
        (unsigned long long)done, (unsigned long long)checks, (unsigned long long)seed, (unsigned long long)ends[0],
        (unsigned long long)ends[1], (unsigned long long)ends[2], (unsigned long long)overrides, effects_most);
    for (int i = 0; i < 3; i++)
        assert_true(ends[i] > inputs / 100); /* the chances reach every end … */
    for (int i = 0; i < LANE_MODE_COUNT; i++) {
        print_message("  %s: %llu inputs\n", lane_mode_name((enum lane_mode)i), (unsigned long long)modes[i]);
        assert_true(modes[i] > inputs / 20); /* … and every mode */
    }
}

int main(void)
{
    const struct CMUnitTest lane_property[] = {cmocka_unit_test(a_million_random_inputs_keep_every_rule)};
    return cmocka_run_group_tests(lane_property, NULL, NULL);
}
