/* The turnstile's state machine: inputs in, wanted output levels and effects out. Pure: no clock, no allocation, no globals;
 * time is passed in (CLOCK_MONOTONIC microseconds). Owned by passage.c in the main thread.
 *
 * The caller, after every event and at lane_next_us():
 *   1. lane_input() for what happened, oldest first; LANE_IN_TIME when nothing did;
 *   2. lane_take_effect() until it is false, recording each effect;
 *   3. lane_outputs() onto the wires, with lane_relay_opens() before the edge that opens and lane_relay_moved() after it.
 * Two tables say what the machine does: states and stimuli in lane_table.c (in the README, printed by lane_table_print()), and
 * the passage of one person:
 *   closed -> granted (open, waits for the arm) -> turning (the arm is under way) -> closed.
 * One grant or press is one such way and has one end: completed, not_used or interrupted. The next one waits for it.
 *
 * Without a sensor (has_sensor false; a checkpoint without an arm as a rule) nobody can know who went: a grant that took its
 * course then ends without an effect, after its pulse and the gap. One that was never opened, or cut, still ends not_used or
 * interrupted, so that the caller can take back a presence booked at `granted`. */
#ifndef LANE_LANE_H
#define LANE_LANE_H

#include <stdio.h>

#include "daemon/decision/decision.h"
#include "daemon/lane/signals.h"

enum lane_output {
    LANE_RELAY,
    LANE_RELAY_OUT, /* the arm's other direction; only with two_directions */
    LANE_BUZZER,
    LANE_LAMP_GREEN,
    LANE_LAMP_AMBER,
    LANE_LAMP_RED,
    LANE_OUTPUT_COUNT
};

enum {
    LANE_EVENT_ID_BYTES = 33,
    LANE_OVERRIDES_WAITING_MAX = 3,
    LANE_WAITING_MAX = LANE_OVERRIDES_WAITING_MAX + 1, /* presses and one verdict */
    LANE_EFFECTS_MAX = 32,                             /* more than one input can cause */
    LANE_HOLD_OPEN_MAX_S = 8 * 3600,
    LANE_RELAY_LATE_MAX_MS = 1000,                     /* later than that after its decision nothing is opened */
    LANE_HINTS = SIGNAL_MOVING - SIGNAL_UNREADABLE + 1
};

/* What inactive means to the arm: locked, or free. An output is inactive before start, after stop and when power is gone. */
enum lane_wiring { LANE_FAIL_SECURE, LANE_FAIL_SAFE };

struct lane_settings {
    int pulse_ms;         /* relay on for so long */
    int pulse_gap_ms;     /* between two pulses, so that a turnstile counts two */
    int debounce_ms;      /* an input must be steady for so long (the caller's business) */
    int button_binding_ms; /* a press so soon after a hold or denial is about that person */
    bool has_relay;       /* false: a checkpoint, lamps and buzzer only, the same effects */
    bool has_sensor;      /* of the arm's rotation */
    bool two_directions;  /* grants out move LANE_RELAY_OUT */
    enum lane_wiring wiring;
    bool relay_level;     /* open until the arm turned or the wait is over, instead of a pulse */
    int passage_wait_ms;  /* from the relay's edge to not_used; a little longer than the turnstile's own */
    int held_alarm_ms;    /* the arm away from rest for so long */
    int tailgating_ms;    /* an arm that turns again so soon after a passage: somebody followed. 0: it is forced */
    int long_press_ms;    /* 3 s: hold-open on or off */
    int stuck_ms;         /* 30 s: nobody presses so long */
    int unreadable_ms;    /* a code in view that can't be read for so long gets a hint */
    int hold_open_max_s;  /* 0: never; at most LANE_HOLD_OPEN_MAX_S */
    struct signal_pattern patterns[SIGNAL_COUNT];
};

enum lane_mode { LANE_NORMAL, LANE_HOLD_OPEN, LANE_LOCK_DOWN, LANE_EMERGENCY, LANE_OUT_OF_ORDER, LANE_MODE_COUNT };
enum lane_phase { LANE_CLOSED, LANE_GRANTED, LANE_TURNING };
enum lane_fault { LANE_FAULT_CAMERA, LANE_FAULT_JOURNAL, LANE_FAULT_LINE, LANE_FAULT_COUNT };
enum lane_guard { LANE_GUARD_UNKNOWN, LANE_GUARD_A, LANE_GUARD_B };

/* Each begins and ends once per time, never twice in a row. One that is on at lane_stop() has no end: a start means that no
 * alarm is on. */
enum lane_alarm {
    LANE_ALARM_FORCED,      /* the arm turned without a grant */
    LANE_ALARM_TAILGATING,  /* … right after a passage */
    LANE_ALARM_HELD,        /* the arm is away from rest too long */
    LANE_ALARM_TAMPER,
    LANE_ALARM_BUTTON_STUCK,
    LANE_ALARM_HOLD_OPEN,
    LANE_ALARM_LOCK_DOWN,
    LANE_ALARM_EMERGENCY,
    LANE_ALARM_OUT_OF_ORDER,
    LANE_ALARM_COUNT
};

/* What can happen. A level may be told as often as one likes: only its change counts. */
enum lane_input_kind {
    LANE_IN_TIME,       /* nothing but time */
    LANE_IN_VERDICT,    /* verdict, event_id, direction. On disk; or REASON_JOURNAL_FAILED, which is not and has event_id "" */
    LANE_IN_MUST_WAIT,  /* a code is in view and lane_can_open() is false; at every sighting */
    LANE_IN_UNREADABLE, /* something like a code is in view and can't be read; at every sighting. hint: why, if known */
    LANE_IN_BUTTON,     /* on (debounced), event_id: a fresh one for the override; guard; direction of an unbound press */
    LANE_IN_SENSOR,     /* on (debounced): the arm is away from rest */
    LANE_IN_FIRE,       /* on (debounced): fire. The normally closed contact is turned round by the line's active_low */
    LANE_IN_FIRE_RESET, /* by key or command; refused while the fire input is on */
    LANE_IN_TAMPER,     /* on: the cabinet is open */
    LANE_IN_SERVICE,    /* on: a technician is at work */
    LANE_IN_FAULT,      /* fault, on */
    LANE_IN_NORMAL,     /* command: ends hold-open and lock-down; refused in an emergency */
    LANE_IN_LOCK_DOWN,  /* command; in an emergency it waits for the reset */
    LANE_IN_HOLD_OPEN,  /* command: hold_open_s from now; refused in lock-down and emergency */
    LANE_IN_OPEN,       /* command: one opening, like a press, bound to nobody and on disk already: event_id, direction. Refused in
                         * lock-down, in an emergency and while a technician is at work */
    LANE_IN_IDENTIFY,   /* command: a signal; refused in an emergency */
    LANE_INPUT_COUNT
};

/* at_us is now: what an input opens is open from then on. One that is older than the last input counts as that. */
struct lane_input {
    enum lane_input_kind kind;
    int64_t at_us;
    int64_t happened_us;  /* BUTTON, SENSOR: when the level settled, if the caller comes late with it; 0: at_us */
    const char *event_id; /* borrowed for the call; NULL is "" */
    struct verdict verdict;
    enum direction direction;
    bool on;
    enum lane_fault fault;
    enum lane_guard guard;
    int hold_open_s;
    enum signal hint; /* SIGNAL_UNREADABLE to SIGNAL_MOVING; anything else is SIGNAL_UNREADABLE */
};

enum lane_effect_kind {
    LANE_OVERRIDE,    /* of a press, not of LANE_IN_OPEN: event_id is the press's; bound_event_id the hold or denial it answers, or ""; guard */
    LANE_COMPLETED,   /* these three: bound_event_id is the grant's or the override's; direction */
    LANE_NOT_USED,
    LANE_INTERRUPTED,
    LANE_ALARM_BEGIN, /* alarm; detail: by what */
    LANE_ALARM_END,   /* alarm; detail: by what; hold-open: turns */
    LANE_MUSTER,      /* an emergency begins: publish who is inside */
    LANE_EFFECT_COUNT
};

/* To be recorded, in order, with at_us as its time: an override's is the press's own. */
struct lane_effect {
    enum lane_effect_kind kind;
    int64_t at_us;
    char event_id[LANE_EVENT_ID_BYTES], bound_event_id[LANE_EVENT_ID_BYTES];
    enum direction direction;
    enum lane_guard guard;
    enum lane_alarm alarm;
    const char *detail; /* a few words, "" = none; lives for ever */
    int turns;          /* of the arm while it was held open */
};

struct lane_at_start { /* levels when the lane begins */
    bool button, sensor, fire, tamper, service;
};

/* ---- the lane itself: its members are for lane*.c and for looking at ------------------------------------------------- */

struct lane_grant {
    char event_id[LANE_EVENT_ID_BYTES];
    bool is_override;
    enum direction direction;
    int64_t asked_at_us;
};

struct lane {
    struct lane_settings settings;
    int64_t now_us; /* never goes back */
    bool stopped;

    /* What is so, whatever the mode: the mode follows from these. */
    enum lane_mode mode;
    bool fire, emergency, lock_down, service;
    unsigned faults;             /* bits by enum lane_fault */
    int64_t hold_open_until_us;  /* 0: not held open */
    bool arm_is_free;            /* its turning needs no grant */

    enum lane_phase phase;
    struct lane_grant open;      /* not CLOSED: whose way it is */
    int64_t wait_until_us;       /* GRANTED */
    struct lane_grant waiting[LANE_WAITING_MAX]; /* overrides first, then the verdict */
    int waiting_count;
    bool relay_on;
    int64_t relay_opened_us, relay_off_at_us, relay_ready_at_us; /* this pulse's begin and end; earliest next one */

    bool arm_active;
    int64_t arm_since_us;        /* since when its being away from rest counts */
    int64_t tailgating_until_us; /* 0: no passage just now */
    int turns;                   /* of the arm, in this hold-open */

    bool button_down, button_ignored, button_was_long;
    int64_t button_since_us;
    bool press_began_hold_open;
    char press_event_id[LANE_EVENT_ID_BYTES];

    char refused_event_id[LANE_EVENT_ID_BYTES]; /* the last hold or denial, for the button */
    enum direction refused_direction;
    int64_t refused_at_us;

    bool alarms[LANE_ALARM_COUNT];
    struct signal_player said, state;
    int64_t unreadable_since_us, unreadable_last_us; /* 0: none */
    unsigned hints[LANE_HINTS]; /* how often each was seen since, in the signals' order */

    struct lane_effect effects[LANE_EFFECTS_MAX];
    int effects_first, effects_count;
    unsigned effects_lost; /* the caller didn't take them: a mistake of the caller */
};

void lane_defaults(struct lane_settings *ret_settings);
/* Closed, silent, its relay inactive (with LANE_FAIL_SAFE: active, which locks). Fire, tamper and service at start have their
 * effects at once; an arm away from rest is no alarm until held_alarm_ms; a button that is down is no press. */
void lane_init(struct lane *lane, const struct lane_settings *settings, const struct lane_at_start *start, int64_t now_us);
/* 0; -EPERM: refused in this mode; -ERANGE: hold_open_s isn't 1 to hold_open_max_s; -EBUSY: LANE_OVERRIDES_WAITING_MAX openings
 * wait; -EINVAL: no such input; -ESHUTDOWN after lane_stop(). Only commands and the fire's reset can be refused, and a refusal
 * changes nothing. */
int lane_input(struct lane *lane, const struct lane_input *input);
/* What lane_input() would answer, were it called now; changes nothing. */
int lane_would(const struct lane *lane, const struct lane_input *input);
/* False: none is left. */
bool lane_take_effect(struct lane *lane, struct lane_effect *ret_effect);
/* The levels for the wires at now_us. A deadline that nobody told the lane of yet is kept all the same: the relay is off. */
void lane_outputs(const struct lane *lane, int64_t now_us, bool ret_levels[LANE_OUTPUT_COUNT]);
/* Right before the relay is opened, at_us being now. False: LANE_RELAY_LATE_MAX_MS have gone by since the decision, who was to go
 * may be another by now: the grant has ended not_used, the person hears of a failure, and nothing is to be opened. */
bool lane_relay_opens(struct lane *lane, int64_t at_us);
/* Right after, before the next input: the pulse and the wait for the arm count from there and not from the decision, so that what
 * held the caller up isn't taken from the person. Where no pulse runs it does nothing. */
void lane_relay_moved(struct lane *lane, int64_t at_us);
/* When LANE_IN_TIME is due at the latest; INT64_MAX: nothing is. After an input at now_us it is later than now_us. */
int64_t lane_next_us(const struct lane *lane, int64_t now_us);
/* May another code be asked about, when open_questions are asked and not answered yet? False: tell it LANE_IN_MUST_WAIT, and
 * ask at its next sighting. */
bool lane_can_open(const struct lane *lane, int open_questions);
/* Everything inactive, for good. Grants end interrupted: take those effects too. */
void lane_stop(struct lane *lane, int64_t now_us);
/* A new configuration while people pass: a pulse, a wait and a hold-open that run keep their ends, all else follows the new
 * values from the next input on. False, and nothing is changed: relay, sensor, directions or wiring differ, which needs a
 * restart. */
bool lane_reconfigure(struct lane *lane, const struct lane_settings *settings);

bool lane_is_open(const struct lane *lane, int64_t now_us); /* the arm can be turned, as far as the relay goes */
/* When the relay that is open now must be closed again; 0: no bound, as in an emergency. Meaningless while it is closed. */
int64_t lane_relay_until_us(const struct lane *lane);
const char *lane_mode_name(enum lane_mode mode);            /* "normal", "hold_open", … */
const char *lane_phase_name(enum lane_phase phase);         /* "closed", … */
const char *lane_alarm_name(enum lane_alarm alarm);         /* "forced", … */
const char *lane_fault_name(enum lane_fault fault);         /* "camera", … */
const char *lane_effect_name(enum lane_effect_kind kind);   /* "override", "completed", … */
const char *lane_input_name(enum lane_input_kind kind);     /* "time", "verdict", … */
/* The table of states and stimuli as text of at most 120 columns, for the README. False: it could not be written. */
bool lane_table_print(FILE *out);

#endif
