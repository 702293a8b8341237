/* The turnstile's state machine: inputs and deadlines become stimuli of the table, the mode follows from what is so, outputs
 * follow from both. Called by passage.c, main thread. */
#include "daemon/lane/lane.h"

#include <errno.h>
#include <string.h>

#include "daemon/lane/lane_parts.h"

enum { UNREADABLE_PAUSE_MS = 700 }; /* sightings further apart are two codes, or nothing */

/* ---- effects and signals ----------------------------------------------------------------------------------------- */

/* Always somewhere to write: with a full ring the newest is overwritten, counted, and said by the caller. */
struct lane_effect *lane_effect(struct lane *lane, enum lane_effect_kind kind, const char *detail)
{
    if (lane->effects_count < LANE_EFFECTS_MAX)
        lane->effects_count++;
    else
        lane->effects_lost++;
    struct lane_effect *effect = &lane->effects[(lane->effects_first + lane->effects_count - 1) % LANE_EFFECTS_MAX];
    memset(effect, 0, sizeof *effect);
    effect->kind = kind;
    effect->at_us = lane->now_us;
    effect->detail = detail;
    return effect;
}

bool lane_take_effect(struct lane *lane, struct lane_effect *ret_effect)
{
    if (lane->effects_count == 0)
        return false;
    *ret_effect = lane->effects[lane->effects_first];
    lane->effects_first = (lane->effects_first + 1) % LANE_EFFECTS_MAX;
    lane->effects_count--;
    return true;
}

void lane_alarm(struct lane *lane, enum lane_alarm alarm, bool on, const char *detail)
{
    if (lane->alarms[alarm] == on)
        return;
    lane->alarms[alarm] = on;
    struct lane_effect *effect = lane_effect(lane, on ? LANE_ALARM_BEGIN : LANE_ALARM_END, detail);
    effect->alarm = alarm;
    effect->turns = alarm == LANE_ALARM_HOLD_OPEN && !on ? lane->turns : 0;
}

void lane_say(struct lane *lane, enum signal signal)
{
    signal_start(&lane->said, signal, lane->now_us);
}

static int64_t elapsed_us(const struct signal_player *player, int64_t now_us)
{
    return now_us > player->started_at_us ? now_us - player->started_at_us : 0;
}

/* Hints never talk over what is being said to the person in front. */
void lane_say_if_quiet(struct lane *lane, enum signal signal)
{
    const struct signal_pattern *said = &lane->settings.patterns[lane->said.signal];
    int64_t said_us = elapsed_us(&lane->said, lane->now_us);
    if (signal_tone_over(said, said_us) && signal_lamp_over(said, said_us))
        lane_say(lane, signal);
}

/* What the lane is, heard and seen while nothing is said. */
static enum signal state_signal(const struct lane *lane)
{
    static const enum signal by_mode[LANE_MODE_COUNT] = {
        [LANE_NORMAL] = SIGNAL_NONE,           [LANE_HOLD_OPEN] = SIGNAL_HOLD_OPEN, [LANE_LOCK_DOWN] = SIGNAL_LOCK_DOWN,
        [LANE_EMERGENCY] = SIGNAL_EMERGENCY,   [LANE_OUT_OF_ORDER] = SIGNAL_OUT_OF_ORDER,
    };
    bool alarm = lane->alarms[LANE_ALARM_FORCED] || lane->alarms[LANE_ALARM_TAILGATING] || lane->alarms[LANE_ALARM_HELD] ||
                 lane->alarms[LANE_ALARM_TAMPER];
    if (lane->mode == LANE_EMERGENCY)
        return SIGNAL_EMERGENCY;
    if (alarm && !lane->service)
        return SIGNAL_ALARM;
    return lane->phase != LANE_CLOSED ? SIGNAL_PASSING : by_mode[lane->mode];
}

/* ---- the mode ---------------------------------------------------------------------------------------------------- */

static enum lane_mode mode_now(const struct lane *lane)
{
    if (lane->emergency)
        return LANE_EMERGENCY;
    if (lane->lock_down)
        return LANE_LOCK_DOWN;
    if (lane->hold_open_until_us != 0)
        return LANE_HOLD_OPEN;
    return lane->faults != 0 || lane->service ? LANE_OUT_OF_ORDER : LANE_NORMAL;
}

void lane_end_hold_open(struct lane *lane, const char *detail)
{
    lane->hold_open_until_us = 0;
    lane_alarm(lane, LANE_ALARM_HOLD_OPEN, false, detail);
}

static void arm_becomes_free(struct lane *lane, bool is_free)
{
    if (lane->arm_is_free == is_free)
        return;
    lane->arm_is_free = is_free;
    if (is_free) {
        lane_alarm(lane, LANE_ALARM_FORCED, false, "the arm is free");
        lane_alarm(lane, LANE_ALARM_TAILGATING, false, "the arm is free");
        lane_alarm(lane, LANE_ALARM_HELD, false, "the arm is free");
    } else {
        lane->arm_since_us = lane->now_us; /* a turn that began freely is nobody's fault */
    }
}

/* After every stimulus: the mode and what comes with a new one. */
static void settle(struct lane *lane)
{
    enum lane_mode before = lane->mode;
    lane->mode = mode_now(lane);
    arm_becomes_free(lane, lane->mode == LANE_HOLD_OPEN || lane->mode == LANE_EMERGENCY ||
                               (lane->mode == LANE_OUT_OF_ORDER && lane->service));
    if (lane->mode == before)
        return;
    if (before == LANE_HOLD_OPEN || before == LANE_EMERGENCY) /* the arm closes: the next pulse is an edge of its own */
        lane->relay_ready_at_us = lane->now_us + lane_us(lane->settings.pulse_gap_ms);
    if (lane->mode == LANE_EMERGENCY) {
        lane_say(lane, SIGNAL_NONE);
        lane_interrupt(lane, true, "emergency");
    }
    if (lane->mode == LANE_LOCK_DOWN)
        lane_interrupt(lane, false, "lock-down");
}

static int stimulate(struct lane *lane, enum lane_stimulus stimulus, const struct lane_input *input)
{
    int r = lane_act(lane, stimulus, input);
    settle(lane);
    return r;
}

/* ---- time -------------------------------------------------------------------------------------------------------- */

static int64_t held_at_us(const struct lane *lane)
{
    bool counts = lane->arm_active && !lane->arm_is_free && !lane->alarms[LANE_ALARM_HELD];
    return counts ? lane->arm_since_us + lane_us(lane->settings.held_alarm_ms) : INT64_MAX;
}

static int64_t long_press_at_us(const struct lane *lane)
{
    bool counts = lane->button_down && !lane->button_ignored && !lane->button_was_long;
    return counts ? lane->button_since_us + lane_us(lane->settings.long_press_ms) : INT64_MAX;
}

static int64_t stuck_at_us(const struct lane *lane)
{
    bool counts = lane->button_down && !lane->alarms[LANE_ALARM_BUTTON_STUCK];
    return counts ? lane->button_since_us + lane_us(lane->settings.stuck_ms) : INT64_MAX;
}

/* A turn that was in time and is told late, since the caller was held up, is not a turn without a grant. */
static bool turned_in_time(const struct lane *lane, const struct lane_input *input)
{
    return input->kind == LANE_IN_SENSOR && input->on && !lane->arm_active && input->happened_us != 0 &&
           input->happened_us < lane->wait_until_us;
}

/* Each deadline once: late as the caller may be, what didn't happen on the wires is not made up for. */
static void run_deadlines(struct lane *lane, const struct lane_input *input)
{
    const struct lane_input time = {.kind = LANE_IN_TIME, .at_us = lane->now_us};
    lane_passage_deadlines(lane);
    if (lane->now_us >= held_at_us(lane))
        (void)stimulate(lane, LANE_ON_ARM_HELD, &time);
    if (lane->now_us >= stuck_at_us(lane)) /* before the long press, which it isn't */
        (void)stimulate(lane, LANE_ON_STUCK, &time);
    if (lane->now_us >= long_press_at_us(lane)) {
        lane->button_was_long = true;
        (void)stimulate(lane, LANE_ON_LONG_PRESS, &time);
    }
    if (lane->hold_open_until_us != 0 && lane->now_us >= lane->hold_open_until_us)
        (void)stimulate(lane, LANE_ON_HOLD_OPEN_OVER, &time);
    if (lane->phase == LANE_GRANTED && lane->now_us >= lane->wait_until_us && !turned_in_time(lane, input))
        (void)stimulate(lane, LANE_ON_WAIT_OVER, &time);
}

int64_t lane_next_us(const struct lane *lane, int64_t now_us)
{
    const struct signal_player *players[] = {&lane->said, &lane->state};
    const int64_t deadlines_us[] = {lane_passage_next_us(lane), held_at_us(lane), long_press_at_us(lane), stuck_at_us(lane),
                                    lane->hold_open_until_us != 0 ? lane->hold_open_until_us : INT64_MAX};
    int64_t next_us = INT64_MAX;
    if (lane->stopped)
        return INT64_MAX;
    for (size_t i = 0; i < sizeof deadlines_us / sizeof *deadlines_us; i++)
        if (deadlines_us[i] < next_us)
            next_us = deadlines_us[i];
    for (size_t i = 0; i < sizeof players / sizeof *players; i++) {
        const struct signal_pattern *pattern = &lane->settings.patterns[players[i]->signal];
        int64_t change_us = signal_next_us(pattern, elapsed_us(players[i], now_us));
        if (change_us != INT64_MAX && players[i]->started_at_us + change_us < next_us)
            next_us = players[i]->started_at_us + change_us;
    }
    return next_us;
}

/* ---- inputs ------------------------------------------------------------------------------------------------------ */

static bool opens(const struct verdict *verdict)
{
    return verdict->action == VERDICT_OPEN && verdict->reason != REASON_JOURNAL_FAILED; /* which never opens */
}

static int button(struct lane *lane, const struct lane_input *input)
{
    if (lane->button_down == input->on)
        return 0;
    lane->button_down = input->on;
    lane->button_since_us = lane->now_us;
    lane->button_was_long = false;
    return stimulate(lane, input->on ? LANE_ON_PRESS : LANE_ON_RELEASE, input);
}

static int sensor(struct lane *lane, const struct lane_input *input)
{
    if (!lane->settings.has_sensor || lane->arm_active == input->on)
        return 0;
    lane->arm_active = input->on;
    lane->arm_since_us = lane->now_us;
    return stimulate(lane, input->on ? LANE_ON_ARM_TURNS : LANE_ON_ARM_RESTS, input);
}

/* A glimpse is not yet a code that can't be read. */
static int unreadable(struct lane *lane, const struct lane_input *input)
{
    int64_t now_us = lane->now_us;
    if (lane->unreadable_since_us == 0 || now_us - lane->unreadable_last_us > lane_us(UNREADABLE_PAUSE_MS)) {
        lane->unreadable_since_us = now_us;
        memset(lane->hints, 0, sizeof lane->hints);
    }
    lane->unreadable_last_us = now_us;
    lane->hints[signal_is_hint(input->hint) ? input->hint - SIGNAL_UNREADABLE : 0]++;
    if (now_us - lane->unreadable_since_us < lane_us(lane->settings.unreadable_ms))
        return 0;
    int r = stimulate(lane, LANE_ON_UNREADABLE, input);
    if (signal_is_hint(lane->said.signal) && lane->said.started_at_us == now_us)
        lane->unreadable_since_us = 0; /* said; again when it lasts as long again */
    return r;
}

static int verdict(struct lane *lane, const struct lane_input *input)
{
    lane->unreadable_since_us = 0;
    return stimulate(lane, opens(&input->verdict) ? LANE_ON_GRANT : LANE_ON_REFUSAL, input);
}

static int fire(struct lane *lane, const struct lane_input *input)
{
    lane->fire = input->on;
    return stimulate(lane, input->on ? LANE_ON_FIRE : LANE_ON_FIRE_OVER, input);
}

static int hold_open(struct lane *lane, const struct lane_input *input)
{
    if (input->hold_open_s < 1 || input->hold_open_s > lane->settings.hold_open_max_s)
        return -ERANGE;
    return stimulate(lane, LANE_ON_HOLD_OPEN, input);
}

static int take_input(struct lane *lane, const struct lane_input *input)
{
    switch (input->kind) {
    case LANE_IN_TIME: return 0;
    case LANE_IN_VERDICT: return verdict(lane, input);
    case LANE_IN_MUST_WAIT: return stimulate(lane, LANE_ON_MUST_WAIT, input);
    case LANE_IN_UNREADABLE: return unreadable(lane, input);
    case LANE_IN_BUTTON: return button(lane, input);
    case LANE_IN_SENSOR: return sensor(lane, input);
    case LANE_IN_FIRE: return fire(lane, input);
    case LANE_IN_FIRE_RESET: return stimulate(lane, LANE_ON_FIRE_RESET, input);
    case LANE_IN_TAMPER: return stimulate(lane, LANE_ON_TAMPER, input);
    case LANE_IN_SERVICE: return stimulate(lane, LANE_ON_SERVICE, input);
    case LANE_IN_FAULT: return (unsigned)input->fault < LANE_FAULT_COUNT ? stimulate(lane, LANE_ON_FAULT, input) : -EINVAL;
    case LANE_IN_NORMAL: return stimulate(lane, LANE_ON_NORMAL, input);
    case LANE_IN_LOCK_DOWN: return stimulate(lane, LANE_ON_LOCK_DOWN, input);
    case LANE_IN_HOLD_OPEN: return hold_open(lane, input);
    case LANE_IN_OPEN: return stimulate(lane, LANE_ON_OPEN, input);
    case LANE_IN_IDENTIFY: return stimulate(lane, LANE_ON_IDENTIFY, input);
    case LANE_INPUT_COUNT: break;
    }
    return -EINVAL;
}

/* What follows from a change: the next one's way begins, lamps and buzzer show what the lane is. */
static void follow(struct lane *lane)
{
    lane_passage_begin(lane);
    enum signal wanted = state_signal(lane);
    if (wanted != lane->state.signal)
        signal_start(&lane->state, wanted, lane->now_us);
}

int lane_input(struct lane *lane, const struct lane_input *input)
{
    if (lane->stopped)
        return -ESHUTDOWN;
    if (input->at_us > lane->now_us)
        lane->now_us = input->at_us;
    run_deadlines(lane, input);
    follow(lane);
    int r = take_input(lane, input);
    follow(lane);
    return r;
}

bool lane_relay_opens(struct lane *lane, int64_t at_us)
{
    if (!lane->relay_on || at_us - lane->relay_opened_us <= lane_us(LANE_RELAY_LATE_MAX_MS)) {
        lane_relay_moved(lane, at_us);
        return true;
    }
    lane->now_us = at_us > lane->now_us ? at_us : lane->now_us;
    lane_end_open(lane, LANE_NOT_USED, "opened too late");
    lane_say(lane, SIGNAL_FAILURE);
    follow(lane);
    return false;
}

int lane_would(const struct lane *lane, const struct lane_input *input)
{
    struct lane copy = *lane;
    return lane_input(&copy, input);
}

/* ---- outputs ----------------------------------------------------------------------------------------------------- */

bool lane_is_open(const struct lane *lane, int64_t now_us)
{
    if (lane->stopped || !lane->settings.has_relay)
        return false;
    if (lane->mode == LANE_EMERGENCY || (lane->mode == LANE_HOLD_OPEN && now_us < lane->hold_open_until_us))
        return true;
    return lane->relay_on && now_us < lane->relay_off_at_us;
}

int64_t lane_relay_until_us(const struct lane *lane)
{
    if (lane->mode == LANE_EMERGENCY)
        return 0;
    return lane->mode == LANE_HOLD_OPEN ? lane->hold_open_until_us : lane->relay_off_at_us;
}

/* The one place that knows what a wire's level means to the arm. */
static bool relay_level(const struct lane *lane, int64_t now_us, bool is_out)
{
    bool both = lane->mode == LANE_HOLD_OPEN || lane->mode == LANE_EMERGENCY;
    bool goes_out = lane->settings.two_directions && lane->open.direction == DIRECTION_OUT;
    if (lane->stopped || !lane->settings.has_relay || (is_out && !lane->settings.two_directions))
        return false;
    bool open = lane_is_open(lane, now_us) && (both || goes_out == is_out);
    return lane->settings.wiring == LANE_FAIL_SAFE ? !open : open;
}

void lane_outputs(const struct lane *lane, int64_t now_us, bool ret_levels[LANE_OUTPUT_COUNT])
{
    const struct signal_pattern *said = &lane->settings.patterns[lane->said.signal];
    const struct signal_pattern *state = &lane->settings.patterns[lane->state.signal];
    int64_t said_us = elapsed_us(&lane->said, now_us), state_us = elapsed_us(&lane->state, now_us);
    enum signal_lamp lamp = signal_lamp_over(said, said_us) ? signal_lamp(state, state_us) : signal_lamp(said, said_us);
    bool tone = signal_tone_over(said, said_us) ? signal_tone(state, state_us) : signal_tone(said, said_us);
    ret_levels[LANE_RELAY] = relay_level(lane, now_us, false);
    ret_levels[LANE_RELAY_OUT] = relay_level(lane, now_us, true);
    ret_levels[LANE_BUZZER] = tone && !lane->stopped;
    ret_levels[LANE_LAMP_GREEN] = lamp == SIGNAL_LAMP_GREEN && !lane->stopped;
    ret_levels[LANE_LAMP_AMBER] = lamp == SIGNAL_LAMP_AMBER && !lane->stopped;
    ret_levels[LANE_LAMP_RED] = lamp == SIGNAL_LAMP_RED && !lane->stopped;
}

/* ---- beginning, end, change -------------------------------------------------------------------------------------- */

void lane_init(struct lane *lane, const struct lane_settings *settings, const struct lane_at_start *start, int64_t now_us)
{
    const struct lane_input inputs[] = {
        {.kind = LANE_IN_FIRE, .at_us = now_us, .on = start->fire},
        {.kind = LANE_IN_TAMPER, .at_us = now_us, .on = start->tamper},
        {.kind = LANE_IN_SERVICE, .at_us = now_us, .on = start->service},
    };
    memset(lane, 0, sizeof *lane);
    lane->settings = *settings;
    lane->now_us = lane->button_since_us = lane->arm_since_us = now_us;
    lane->button_down = lane->button_ignored = start->button;
    lane->arm_active = settings->has_sensor && start->sensor;
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++)
        (void)lane_input(lane, &inputs[i]); /* levels are never refused */
}

void lane_stop(struct lane *lane, int64_t now_us)
{
    if (lane->stopped)
        return;
    if (now_us > lane->now_us)
        lane->now_us = now_us;
    lane_interrupt(lane, true, "stop");
    lane->stopped = true;
}

bool lane_reconfigure(struct lane *lane, const struct lane_settings *settings)
{
    const struct lane_settings *old = &lane->settings;
    if (old->has_relay != settings->has_relay || old->has_sensor != settings->has_sensor ||
        old->two_directions != settings->two_directions || old->wiring != settings->wiring)
        return false;
    lane->settings = *settings;
    return true;
}
