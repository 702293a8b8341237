/* What a person hears and sees: patterns as rows, the defaults here, a site's own in the configuration. Pure: a pattern and
 * the time since it began give the tone and the lamp of this moment. Used by lane.c (main thread) and by settings. */
#ifndef LANE_SIGNALS_H
#define LANE_SIGNALS_H

#include "daemon/decision/decision.h"

/* Up to SIGNAL_IDENTIFY: said once, to whoever stands there. From SIGNAL_PASSING on: what the lane is, as long as it is. */
enum signal {
    SIGNAL_NONE,
    SIGNAL_OPEN,
    SIGNAL_HOLD,
    SIGNAL_DENY,
    SIGNAL_EXPIRED,
    SIGNAL_WRONG_CODE,
    SIGNAL_FORGED,
    SIGNAL_FAILURE,
    SIGNAL_PLACE_CODE, /* show your own */
    SIGNAL_NOT_NOW,    /* the person is right, the moment isn't */
    SIGNAL_LOCKED,
    SIGNAL_WAIT,       /* somebody else goes first */
    SIGNAL_UNREADABLE, /* a code is there and can't be read: hold it still, closer, less bright */
    SIGNAL_TOO_FAR,    /* these five: the same, and why is known. With neither tone nor lamp: said as SIGNAL_UNREADABLE */
    SIGNAL_TOO_NEAR,
    SIGNAL_TOO_DARK,
    SIGNAL_GLARE,
    SIGNAL_MOVING,
    SIGNAL_IDENTIFY,   /* this is the gate an operator asked for */
    SIGNAL_PASSING,
    SIGNAL_HOLD_OPEN,
    SIGNAL_LOCK_DOWN,
    SIGNAL_OUT_OF_ORDER,
    SIGNAL_ALARM,
    SIGNAL_EMERGENCY,
    SIGNAL_COUNT
};
enum signal_lamp { SIGNAL_LAMP_NONE, SIGNAL_LAMP_GREEN, SIGNAL_LAMP_AMBER, SIGNAL_LAMP_RED, SIGNAL_LAMP_COUNT };

/* One row. What is said once has an end: repeats and lamp_ms are above 0 where there is a tone or a lamp. For what the lane
 * is, repeats 0 and lamp_ms 0 mean "while it lasts". */
struct signal_pattern {
    int tone_on_ms, tone_off_ms; /* tone_on_ms 0: silent */
    int repeats;
    enum signal_lamp lamp;
    int lamp_ms;
    int blink_ms; /* lamp on so long, off so long; 0: steady */
};

/* The bounds of a row's members, for the configuration. */
enum {
    SIGNAL_TONE_ON_MAX_MS = 5000,
    SIGNAL_TONE_OFF_MAX_MS = 600000,
    SIGNAL_REPEATS_MAX = 20,
    SIGNAL_LAMP_MAX_MS = 60000,
    SIGNAL_BLINK_MIN_MS = 50,
    SIGNAL_BLINK_MAX_MS = 5000,
    SIGNAL_SAID_MAX_MS = 15000 /* the tones of what is said once, all together */
};

/* The pattern being played: a new one replaces it at once. */
struct signal_player {
    enum signal signal;
    int64_t started_at_us;
};

void signal_defaults(struct signal_pattern ret_patterns[SIGNAL_COUNT]);
const char *signal_name(enum signal signal);         /* "open", "out_of_order", …: the configuration's key */
const char *signal_lamp_name(enum signal_lamp lamp); /* "none", "green", "amber", "red" */
bool signal_lasts(enum signal signal);               /* what the lane is */
/* NULL, or what is wrong with a row of the configuration and what is allowed. */
const char *signal_pattern_fault(enum signal signal, const struct signal_pattern *pattern);
/* Two rows that nobody could tell apart by ear; silence is like nothing. For the configuration's check. */
bool signals_sound_alike(const struct signal_pattern *a, const struct signal_pattern *b);
bool signal_is_hint(enum signal signal); /* SIGNAL_UNREADABLE to SIGNAL_MOVING */
/* What to say for a hint: it, or SIGNAL_UNREADABLE where its row is empty or it is no hint. */
enum signal signal_for_hint(enum signal hint, const struct signal_pattern patterns[SIGNAL_COUNT]);
enum signal signal_for_verdict(const struct verdict *verdict);

void signal_start(struct signal_player *player, enum signal signal, int64_t now_us);
/* The rest is asked with the time since the pattern began, >= 0. */
bool signal_tone(const struct signal_pattern *pattern, int64_t elapsed_us);
bool signal_tone_over(const struct signal_pattern *pattern, int64_t elapsed_us);
enum signal_lamp signal_lamp(const struct signal_pattern *pattern, int64_t elapsed_us);
bool signal_lamp_over(const struct signal_pattern *pattern, int64_t elapsed_us);
int64_t signal_next_us(const struct signal_pattern *pattern, int64_t elapsed_us); /* next change; INT64_MAX: none */

#endif
