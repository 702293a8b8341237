/* The table of states and stimuli: what the lane does for each, and the same in words for the README. Called by lane.c,
 * main thread. The mode itself isn't set here: it follows from what is so (lane.c, mode_now). */
#include <errno.h>
#include <string.h>

#include "daemon/lane/lane_parts.h"

typedef int (*handler)(struct lane *lane, const struct lane_input *input);

static int nothing(struct lane *lane, const struct lane_input *input)
{
    (void)lane;
    (void)input;
    return 0;
}

static int refuse(struct lane *lane, const struct lane_input *input)
{
    (void)lane;
    (void)input;
    return -EPERM;
}

/* ---- verdicts and hints ------------------------------------------------------------------------------------------ */

static void copy_id(char ret_id[LANE_EVENT_ID_BYTES], const char *event_id)
{
    size_t bytes = event_id == NULL ? 0 : strnlen(event_id, LANE_EVENT_ID_BYTES - 1);
    if (bytes > 0)
        memcpy(ret_id, event_id, bytes);
    memset(ret_id + bytes, 0, LANE_EVENT_ID_BYTES - bytes);
}

static struct lane_grant grant_of(const struct lane *lane, const struct lane_input *input)
{
    struct lane_grant grant = {.direction = input->direction, .asked_at_us = lane->now_us};
    copy_id(grant.event_id, input->event_id);
    return grant;
}

/* The guard's next press is about this person. */
static void remember_refused(struct lane *lane, const struct lane_input *input)
{
    copy_id(lane->refused_event_id, input->event_id);
    lane->refused_direction = input->direction;
    lane->refused_at_us = lane->now_us;
}

static int refusal(struct lane *lane, const struct lane_input *input)
{
    lane_say(lane, signal_for_verdict(&input->verdict));
    remember_refused(lane, input);
    return 0;
}

static int quiet_refusal(struct lane *lane, const struct lane_input *input)
{
    remember_refused(lane, input);
    return 0;
}

static int grant_opens(struct lane *lane, const struct lane_input *input)
{
    const struct lane_grant grant = grant_of(lane, input);
    if (lane_grant(lane, &grant)) {
        lane_say(lane, SIGNAL_OPEN);
        lane->refused_event_id[0] = '\0'; /* the next press is about nobody who has gone through */
    } else {
        lane_say(lane, SIGNAL_WAIT);
        remember_refused(lane, input);
    }
    return 0;
}

static int grant_ends(struct lane *lane, const struct lane_input *input, enum lane_effect_kind end, const char *detail)
{
    const struct lane_grant grant = grant_of(lane, input);
    lane_grant_ended(lane, end, &grant, detail);
    remember_refused(lane, input);
    return 0;
}

static int grant_in_lock_down(struct lane *lane, const struct lane_input *input)
{
    lane_say(lane, SIGNAL_LOCKED);
    return grant_ends(lane, input, LANE_NOT_USED, "lock-down");
}

static int grant_in_emergency(struct lane *lane, const struct lane_input *input)
{
    return grant_ends(lane, input, LANE_INTERRUPTED, "emergency");
}

/* A fault alone takes nothing from a verdict that is on disk. */
static int grant_out_of_order(struct lane *lane, const struct lane_input *input)
{
    if (!lane->service)
        return grant_opens(lane, input);
    lane_say(lane, SIGNAL_NOT_NOW);
    return grant_ends(lane, input, LANE_NOT_USED, "service");
}

static int tell_to_wait(struct lane *lane, const struct lane_input *input)
{
    (void)input;
    lane_say_if_quiet(lane, SIGNAL_WAIT);
    return 0;
}

/* The cause seen most since the code came into view; of two seen alike, one that a person can do something about. */
static int hint_unreadable(struct lane *lane, const struct lane_input *input)
{
    int most = 0;
    (void)input;
    for (int i = 1; i < LANE_HINTS; i++)
        if (lane->hints[i] > lane->hints[most] || (most == 0 && lane->hints[i] == lane->hints[0]))
            most = i;
    lane_say_if_quiet(lane, signal_for_hint((enum signal)(SIGNAL_UNREADABLE + most), lane->settings.patterns));
    return 0;
}

/* ---- the guard's button ------------------------------------------------------------------------------------------ */

static struct lane_grant override_of(struct lane *lane, const struct lane_input *input)
{
    struct lane_grant grant = grant_of(lane, input);
    struct lane_effect *effect = lane_effect(lane, LANE_OVERRIDE, "");
    bool bound = lane->refused_event_id[0] != '\0' &&
                 lane->now_us - lane->refused_at_us <= lane_us(lane->settings.button_binding_ms);
    grant.is_override = true;
    if (bound) {
        grant.direction = lane->refused_direction;
        copy_id(effect->bound_event_id, lane->refused_event_id);
    }
    lane->refused_event_id[0] = '\0'; /* one press answers one person once */
    copy_id(effect->event_id, grant.event_id);
    copy_id(lane->press_event_id, grant.event_id);
    effect->direction = grant.direction;
    effect->guard = input->guard;
    if (input->happened_us != 0 && input->happened_us < effect->at_us)
        effect->at_us = input->happened_us;
    return grant;
}

static int press(struct lane *lane, const struct lane_input *input)
{
    const struct lane_grant grant = override_of(lane, input);
    lane_say(lane, lane_grant(lane, &grant) ? SIGNAL_OPEN : SIGNAL_WAIT);
    return 0;
}

static int press_in_emergency(struct lane *lane, const struct lane_input *input)
{
    const struct lane_grant grant = override_of(lane, input);
    lane_grant_ended(lane, LANE_INTERRUPTED, &grant, "emergency");
    return 0;
}

static void begin_hold_open(struct lane *lane, int seconds, const char *detail)
{
    if (lane->hold_open_until_us == 0)
        lane->turns = 0;
    lane->hold_open_until_us = lane->now_us + (int64_t)seconds * 1000000;
    lane_alarm(lane, LANE_ALARM_HOLD_OPEN, true, detail);
}

static int long_press_opens(struct lane *lane, const struct lane_input *input)
{
    (void)input;
    if (lane->settings.hold_open_max_s <= 0)
        return 0;
    begin_hold_open(lane, lane->settings.hold_open_max_s, "button");
    lane->press_began_hold_open = true;
    return 0;
}

/* The opening that the press began with is part of it: who closes the gate doesn't want one more through. */
static int long_press_closes(struct lane *lane, const struct lane_input *input)
{
    (void)input;
    lane_end_hold_open(lane, "button");
    lane_withdraw(lane, lane->press_event_id, "the press ended hold-open");
    return 0;
}

/* What a jammed button has opened isn't what a guard wanted. */
static int stuck(struct lane *lane, const struct lane_input *input)
{
    (void)input;
    lane->button_ignored = true;
    lane_alarm(lane, LANE_ALARM_BUTTON_STUCK, true, "");
    if (lane->press_began_hold_open && lane->hold_open_until_us != 0)
        lane_end_hold_open(lane, "button stuck");
    return 0;
}

static int release(struct lane *lane, const struct lane_input *input)
{
    (void)input;
    lane->button_ignored = lane->press_began_hold_open = false;
    lane_alarm(lane, LANE_ALARM_BUTTON_STUCK, false, "");
    return 0;
}

/* ---- the arm ----------------------------------------------------------------------------------------------------- */

static int turn_needs_grant(struct lane *lane, const struct lane_input *input)
{
    bool follows = lane->tailgating_until_us != 0 && lane->now_us <= lane->tailgating_until_us;
    (void)input;
    if (!lane_arm_takes_grant(lane))
        lane_alarm(lane, follows ? LANE_ALARM_TAILGATING : LANE_ALARM_FORCED, true, "");
    return 0;
}

static int turn_is_counted(struct lane *lane, const struct lane_input *input)
{
    (void)input;
    lane->turns++;
    (void)lane_arm_takes_grant(lane); /* nobody's: the arm is free */
    return 0;
}

static int turn_out_of_order(struct lane *lane, const struct lane_input *input)
{
    if (!lane->service)
        return turn_needs_grant(lane, input);
    (void)lane_arm_takes_grant(lane); /* nobody's: the technician's */
    return 0;
}

static int arm_rests(struct lane *lane, const struct lane_input *input)
{
    (void)input;
    if (lane->phase == LANE_TURNING)
        lane_end_open(lane, LANE_COMPLETED, "");
    lane_alarm(lane, LANE_ALARM_FORCED, false, "");
    lane_alarm(lane, LANE_ALARM_TAILGATING, false, "");
    lane_alarm(lane, LANE_ALARM_HELD, false, "");
    return 0;
}

static int arm_held(struct lane *lane, const struct lane_input *input)
{
    (void)input;
    lane_alarm(lane, LANE_ALARM_HELD, true, "");
    return 0;
}

static int wait_over(struct lane *lane, const struct lane_input *input)
{
    (void)input;
    lane_end_open(lane, LANE_NOT_USED, "");
    return 0;
}

/* ---- fire, cabinet, faults --------------------------------------------------------------------------------------- */

static int fire(struct lane *lane, const struct lane_input *input)
{
    (void)input;
    lane->emergency = true;
    lane_alarm(lane, LANE_ALARM_EMERGENCY, true, "fire");
    (void)lane_effect(lane, LANE_MUSTER, "fire");
    return 0;
}

static int fire_reset(struct lane *lane, const struct lane_input *input)
{
    (void)input;
    if (lane->fire)
        return -EPERM;
    lane->emergency = false;
    lane_alarm(lane, LANE_ALARM_EMERGENCY, false, "reset");
    return 0;
}

static int tamper(struct lane *lane, const struct lane_input *input)
{
    lane_alarm(lane, LANE_ALARM_TAMPER, input->on, "");
    return 0;
}

static void say_out_of_order(struct lane *lane, const char *detail)
{
    lane_alarm(lane, LANE_ALARM_OUT_OF_ORDER, lane->faults != 0 || lane->service, detail);
}

static int service(struct lane *lane, const struct lane_input *input)
{
    lane->service = input->on;
    if (input->on) /* a technician's hands may be in the arm */
        lane_interrupt(lane, false, "service");
    say_out_of_order(lane, "service");
    return 0;
}

static int fault(struct lane *lane, const struct lane_input *input)
{
    unsigned bit = 1U << (unsigned)input->fault;
    lane->faults = input->on ? lane->faults | bit : lane->faults & ~bit;
    say_out_of_order(lane, lane_fault_name(input->fault));
    return 0;
}

/* ---- commands ---------------------------------------------------------------------------------------------------- */

static int lock_down(struct lane *lane, const struct lane_input *input)
{
    (void)input;
    lane->lock_down = true;
    lane_end_hold_open(lane, "lock-down");
    lane_alarm(lane, LANE_ALARM_LOCK_DOWN, true, "command");
    return 0;
}

static int normal(struct lane *lane, const struct lane_input *input)
{
    (void)input;
    lane->lock_down = false;
    lane_end_hold_open(lane, "command");
    lane_alarm(lane, LANE_ALARM_LOCK_DOWN, false, "command");
    return 0;
}

static int hold_open(struct lane *lane, const struct lane_input *input)
{
    begin_hold_open(lane, input->hold_open_s, "command");
    lane->press_began_hold_open = false; /* whatever the button did before: this is an order */
    return 0;
}

static int hold_open_over(struct lane *lane, const struct lane_input *input)
{
    (void)input;
    lane_end_hold_open(lane, "expired");
    return 0;
}

/* One opening for nobody in particular: the person just refused stays the guard's to decide about. */
static int command_opens(struct lane *lane, const struct lane_input *input)
{
    struct lane_grant grant = grant_of(lane, input);
    grant.is_override = true;
    if (!lane_takes_override(lane))
        return -EBUSY;
    (void)lane_grant(lane, &grant); /* there is room */
    lane_say(lane, SIGNAL_OPEN);
    return 0;
}

/* Nobody far away may move an arm that a technician has his hands in. */
static int command_opens_no_service(struct lane *lane, const struct lane_input *input)
{
    return lane->service ? -EPERM : command_opens(lane, input);
}

static int identify(struct lane *lane, const struct lane_input *input)
{
    (void)input;
    lane_say(lane, SIGNAL_IDENTIFY);
    return 0;
}

/* ---- the table --------------------------------------------------------------------------------------------------- */

struct action {
    handler handler;
    const char *words;
};

static const struct action NEVER = {nothing, "-"}, NOTHING = {nothing, "nothing"}, REFUSED = {refuse, "refused"},
                           OPENS = {grant_opens, "opens once"}, COUNTS = {grant_opens, "its turn counts"},
                           SHUT = {grant_in_lock_down, "not used"}, CUT = {grant_in_emergency, "interrupted"},
                           OPENS_NO_SERVICE = {grant_out_of_order, "opens once (1)"}, SAY = {refusal, "signal (2)"},
                           QUIET = {quiet_refusal, "no signal (2)"}, WAIT = {tell_to_wait, "\"wait\""},
                           HINT = {hint_unreadable, "hint"}, PRESS = {press, "opens once (3)"},
                           PRESS_CUT = {press_in_emergency, "recorded (3)"}, TO_HOLD = {long_press_opens, "-> hold-open"},
                           END_HOLD = {long_press_closes, "hold-open ends"}, STUCK = {stuck, "alarm (4)"},
                           RELEASE = {release, "alarm ends"}, TURN = {turn_needs_grant, "granted, or alarm"},
                           TURN_COUNTED = {turn_is_counted, "free, counted"}, TURN_FREE = {nothing, "free"},
                           TURN_SERVICE = {turn_out_of_order, "as normal (1)"}, RESTS = {arm_rests, "completed"},
                           HELD = {arm_held, "alarm"}, OVER = {wait_over, "not used"}, FIRE = {fire, "-> emergency"},
                           RESET = {fire_reset, "ends (5)"}, TAMPER = {tamper, "alarm"},
                           SERVICE = {service, "-> out of order"}, SERVICE_TOO = {service, "alarm (6)"},
                           SERVICE_ENDS = {service, "alarm, or ends"}, FAULT = {fault, "-> out of order"},
                           FAULT_TOO = {fault, "alarm (6)"}, FAULT_ENDS = {fault, "alarm, or ends"},
                           NORMAL_ENDS = {normal, "ends"}, LOCK = {lock_down, "-> lock-down"},
                           LOCK_LATER = {lock_down, "after the reset"}, HOLD = {hold_open, "-> hold-open"},
                           HOLD_ON = {hold_open, "new deadline"}, HOLD_OVER = {hold_open_over, "ends"},
                           COMMAND_OPENS = {command_opens_no_service, "opens once (7)"},
                           COMMAND_COUNTS = {command_opens_no_service, "turn counts (7)"}, IDENTIFY = {identify, "signal"};

static const struct {
    const char *words;
    const struct action *by_mode[LANE_MODE_COUNT]; /* normal, hold-open, lock-down, emergency, out of order */
} table[LANE_STIMULUS_COUNT] = {
    [LANE_ON_GRANT] = {"verdict: open", {&OPENS, &COUNTS, &SHUT, &CUT, &OPENS_NO_SERVICE}},
    [LANE_ON_REFUSAL] = {"verdict: hold, deny", {&SAY, &SAY, &SAY, &QUIET, &SAY}},
    [LANE_ON_MUST_WAIT] = {"code, but no place", {&WAIT, &WAIT, &WAIT, &NOTHING, &WAIT}},
    [LANE_ON_UNREADABLE] = {"unreadable for 3 s", {&HINT, &HINT, &HINT, &NOTHING, &HINT}},
    [LANE_ON_PRESS] = {"button pressed", {&PRESS, &PRESS, &PRESS, &PRESS_CUT, &PRESS}},
    [LANE_ON_LONG_PRESS] = {"  held for 3 s", {&TO_HOLD, &END_HOLD, &NOTHING, &NOTHING, &TO_HOLD}},
    [LANE_ON_STUCK] = {"  held for 30 s", {&STUCK, &STUCK, &STUCK, &STUCK, &STUCK}},
    [LANE_ON_RELEASE] = {"  released", {&RELEASE, &RELEASE, &RELEASE, &RELEASE, &RELEASE}},
    [LANE_ON_ARM_TURNS] = {"arm turns", {&TURN, &TURN_COUNTED, &TURN, &TURN_FREE, &TURN_SERVICE}},
    [LANE_ON_ARM_RESTS] = {"arm rests again", {&RESTS, &RESTS, &RESTS, &RESTS, &RESTS}},
    [LANE_ON_ARM_HELD] = {"  not for 10 s", {&HELD, &NEVER, &HELD, &NEVER, &HELD}},
    [LANE_ON_WAIT_OVER] = {"no turn for 5 s", {&OVER, &OVER, &OVER, &NEVER, &OVER}},
    [LANE_ON_FIRE] = {"fire begins", {&FIRE, &FIRE, &FIRE, &NOTHING, &FIRE}},
    [LANE_ON_FIRE_OVER] = {"fire ends", {&NEVER, &NEVER, &NEVER, &NOTHING, &NEVER}},
    [LANE_ON_FIRE_RESET] = {"fire reset", {&NOTHING, &NOTHING, &NOTHING, &RESET, &NOTHING}},
    [LANE_ON_TAMPER] = {"cabinet opened", {&TAMPER, &TAMPER, &TAMPER, &TAMPER, &TAMPER}},
    [LANE_ON_SERVICE] = {"service switch", {&SERVICE, &SERVICE_TOO, &SERVICE_TOO, &SERVICE_TOO, &SERVICE_ENDS}},
    [LANE_ON_FAULT] = {"camera, journal, line", {&FAULT, &FAULT_TOO, &FAULT_TOO, &FAULT_TOO, &FAULT_ENDS}},
    [LANE_ON_NORMAL] = {"command: normal", {&NOTHING, &NORMAL_ENDS, &NORMAL_ENDS, &REFUSED, &NOTHING}},
    [LANE_ON_LOCK_DOWN] = {"command: lock-down", {&LOCK, &LOCK, &NOTHING, &LOCK_LATER, &LOCK}},
    [LANE_ON_HOLD_OPEN] = {"command: hold-open", {&HOLD, &HOLD_ON, &REFUSED, &REFUSED, &HOLD}},
    [LANE_ON_HOLD_OPEN_OVER] = {"hold-open's time over", {&NEVER, &HOLD_OVER, &NEVER, &HOLD_OVER, &NEVER}},
    [LANE_ON_OPEN] = {"command: open", {&COMMAND_OPENS, &COMMAND_COUNTS, &REFUSED, &REFUSED, &COMMAND_OPENS}},
    [LANE_ON_IDENTIFY] = {"command: identify", {&IDENTIFY, &IDENTIFY, &IDENTIFY, &REFUSED, &IDENTIFY}},
};

int lane_act(struct lane *lane, enum lane_stimulus stimulus, const struct lane_input *input)
{
    return table[stimulus].by_mode[lane->mode]->handler(lane, input);
}

const char *lane_cell_words(enum lane_stimulus stimulus, enum lane_mode mode)
{
    return table[stimulus].by_mode[mode]->words;
}

const char *lane_stimulus_words(enum lane_stimulus stimulus)
{
    return table[stimulus].words;
}
