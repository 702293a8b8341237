/* The rows of buzzer and lamp patterns, and what a row gives at a moment. Called by lane.c in the main thread, and by
 * settings when the configuration is read. */
#include "daemon/lane/signals.h"

#include <stddef.h>

/* Different by ear without looking: length and count, since a plain buzzer has one pitch. */
static const struct {
    const char *name;
    struct signal_pattern pattern;
} rows[SIGNAL_COUNT] = {
    [SIGNAL_NONE] = {"none", {0, 0, 0, SIGNAL_LAMP_NONE, 0, 0}},
    [SIGNAL_OPEN] = {"open", {150, 0, 1, SIGNAL_LAMP_GREEN, 2000, 0}},
    [SIGNAL_HOLD] = {"hold", {250, 250, 2, SIGNAL_LAMP_AMBER, 5000, 0}},
    [SIGNAL_DENY] = {"deny", {900, 0, 1, SIGNAL_LAMP_RED, 3000, 0}},
    [SIGNAL_EXPIRED] = {"expired", {450, 200, 2, SIGNAL_LAMP_RED, 3000, 0}},
    [SIGNAL_WRONG_CODE] = {"wrong_code", {80, 80, 3, SIGNAL_LAMP_AMBER, 1500, 0}},
    [SIGNAL_FORGED] = {"forged", {120, 60, 8, SIGNAL_LAMP_RED, 5000, 0}},
    [SIGNAL_FAILURE] = {"failure", {1600, 0, 1, SIGNAL_LAMP_RED, 3000, 0}},
    [SIGNAL_PLACE_CODE] = {"place_code", {150, 150, 4, SIGNAL_LAMP_AMBER, 2500, 0}},
    [SIGNAL_NOT_NOW] = {"not_now", {350, 150, 3, SIGNAL_LAMP_RED, 3000, 0}},
    [SIGNAL_LOCKED] = {"locked", {1000, 250, 3, SIGNAL_LAMP_RED, 5000, 0}},
    [SIGNAL_WAIT] = {"wait", {60, 0, 1, SIGNAL_LAMP_AMBER, 1000, 0}},
    [SIGNAL_UNREADABLE] = {"unreadable", {60, 120, 2, SIGNAL_LAMP_AMBER, 1500, 250}},
    [SIGNAL_TOO_FAR] = {"too_far", {0, 0, 0, SIGNAL_LAMP_NONE, 0, 0}},
    [SIGNAL_TOO_NEAR] = {"too_near", {0, 0, 0, SIGNAL_LAMP_NONE, 0, 0}},
    [SIGNAL_TOO_DARK] = {"too_dark", {0, 0, 0, SIGNAL_LAMP_NONE, 0, 0}},
    [SIGNAL_GLARE] = {"glare", {0, 0, 0, SIGNAL_LAMP_NONE, 0, 0}},
    [SIGNAL_MOVING] = {"moving", {0, 0, 0, SIGNAL_LAMP_NONE, 0, 0}},
    [SIGNAL_IDENTIFY] = {"identify", {200, 200, 12, SIGNAL_LAMP_AMBER, 5000, 200}},
    [SIGNAL_PASSING] = {"passing", {0, 0, 0, SIGNAL_LAMP_GREEN, 0, 0}},
    [SIGNAL_HOLD_OPEN] = {"hold_open", {120, 9880, 0, SIGNAL_LAMP_GREEN, 0, 500}},
    [SIGNAL_LOCK_DOWN] = {"lock_down", {0, 0, 0, SIGNAL_LAMP_RED, 0, 0}},
    [SIGNAL_OUT_OF_ORDER] = {"out_of_order", {500, 29500, 0, SIGNAL_LAMP_RED, 0, 500}},
    [SIGNAL_ALARM] = {"alarm", {250, 250, 0, SIGNAL_LAMP_RED, 0, 250}},
    [SIGNAL_EMERGENCY] = {"emergency", {1000, 500, 0, SIGNAL_LAMP_GREEN, 0, 250}},
};

static const char *const lamp_names[SIGNAL_LAMP_COUNT] = {"none", "green", "amber", "red"};

/* What a denial sounds like. A new code is the way out of an expired, used or out-of-step one alike. */
static const enum signal by_reason[REASON_COUNT] = {
    [REASON_STATUS_GREEN] = SIGNAL_OPEN,                  [REASON_STATUS_YELLOW] = SIGNAL_HOLD,
    [REASON_STATUS_RED] = SIGNAL_DENY,                    [REASON_STATUS_WHITE] = SIGNAL_HOLD,
    [REASON_STATUS_EXPIRED] = SIGNAL_EXPIRED,             [REASON_STATUS_REVOKED] = SIGNAL_FORGED,
    [REASON_NO_DECLARATION] = SIGNAL_HOLD,                [REASON_TOKEN_EXPIRED] = SIGNAL_EXPIRED,
    [REASON_TOKEN_NOT_YET_VALID] = SIGNAL_EXPIRED,        [REASON_TOKEN_REVOKED] = SIGNAL_FORGED,
    [REASON_TOKEN_REPLAYED] = SIGNAL_EXPIRED,             [REASON_TOKEN_OUT_OF_STEP] = SIGNAL_EXPIRED,
    [REASON_SIGNATURE_INVALID] = SIGNAL_FORGED,           [REASON_KEY_UNKNOWN] = SIGNAL_FORGED,
    [REASON_KEY_NOT_VALID] = SIGNAL_FORGED,               [REASON_CODE_MALFORMED] = SIGNAL_WRONG_CODE,
    [REASON_CODE_UNSUPPORTED] = SIGNAL_WRONG_CODE,        [REASON_PLACE_CODE] = SIGNAL_PLACE_CODE,
    [REASON_NUMBER_MASKED] = SIGNAL_WRONG_CODE,           [REASON_NUMBER_MISMATCH] = SIGNAL_DENY,
    [REASON_IDENTITY_CONFLICT] = SIGNAL_DENY,             [REASON_CERTIFICATE_RULE] = SIGNAL_DENY,
    [REASON_OUTSIDE_SCHEDULE] = SIGNAL_NOT_NOW,           [REASON_ANTIPASSBACK_TIME] = SIGNAL_NOT_NOW,
    [REASON_ANTIPASSBACK_PRESENCE] = SIGNAL_NOT_NOW,      [REASON_OCCUPANCY_FULL] = SIGNAL_NOT_NOW,
    [REASON_EXIT_OPEN] = SIGNAL_OPEN,                     [REASON_LANE_LOCKED] = SIGNAL_LOCKED,
    [REASON_LOCK_DOWN] = SIGNAL_LOCKED,
    [REASON_CLOCK_UNTRUSTED] = SIGNAL_HOLD,               [REASON_JOURNAL_FAILED] = SIGNAL_FAILURE,
    [REASON_BUTTON] = SIGNAL_OPEN,                        [REASON_OPERATOR] = SIGNAL_OPEN,
    [REASON_NONE] = SIGNAL_FAILURE,
};

static int64_t us(int ms)
{
    return (int64_t)ms * 1000;
}

/* ---- the rows ---------------------------------------------------------------------------------------------------- */

void signal_defaults(struct signal_pattern ret_patterns[SIGNAL_COUNT])
{
    for (int i = 0; i < SIGNAL_COUNT; i++)
        ret_patterns[i] = rows[i].pattern;
}

const char *signal_name(enum signal signal)
{
    return (unsigned)signal < SIGNAL_COUNT ? rows[signal].name : "?";
}

const char *signal_lamp_name(enum signal_lamp lamp)
{
    return (unsigned)lamp < SIGNAL_LAMP_COUNT ? lamp_names[lamp] : "?";
}

bool signal_lasts(enum signal signal)
{
    return signal >= SIGNAL_PASSING;
}

static bool in_range(int value, int lowest, int highest)
{
    return value >= lowest && value <= highest;
}

const char *signal_pattern_fault(enum signal signal, const struct signal_pattern *p)
{
    bool once = !signal_lasts(signal);
    if (!in_range(p->tone_on_ms, 0, SIGNAL_TONE_ON_MAX_MS) || !in_range(p->tone_off_ms, 0, SIGNAL_TONE_OFF_MAX_MS))
        return "tone_on_ms is 0 to 5000 and tone_off_ms 0 to 600000";
    if (!in_range(p->repeats, 0, SIGNAL_REPEATS_MAX))
        return "repeats is 0 to 20";
    if ((unsigned)p->lamp >= SIGNAL_LAMP_COUNT || !in_range(p->lamp_ms, 0, SIGNAL_LAMP_MAX_MS))
        return "lamp is none, green, amber or red, and lamp_ms 0 to 60000";
    if (p->blink_ms != 0 && !in_range(p->blink_ms, SIGNAL_BLINK_MIN_MS, SIGNAL_BLINK_MAX_MS))
        return "blink_ms is 0 (steady) or 50 to 5000";
    if (once && p->tone_on_ms > 0 && p->repeats == 0)
        return "this signal is said once and must end: repeats is 1 to 20";
    if (once && p->lamp != SIGNAL_LAMP_NONE && p->lamp_ms == 0)
        return "this signal is said once and must end: lamp_ms is 1 to 60000";
    if (once && ((int64_t)p->tone_on_ms + p->tone_off_ms) * p->repeats > SIGNAL_SAID_MAX_MS)
        return "this signal is said once: (tone_on_ms + tone_off_ms) * repeats is at most 15000";
    return NULL;
}

static bool lengths_differ(int a, int b)
{
    return (int64_t)a * 3 <= (int64_t)b * 2 || (int64_t)b * 3 <= (int64_t)a * 2;
}

bool signals_sound_alike(const struct signal_pattern *a, const struct signal_pattern *b)
{
    if (a->tone_on_ms == 0 || b->tone_on_ms == 0)
        return false;
    if (a->repeats != b->repeats || lengths_differ(a->tone_on_ms, b->tone_on_ms))
        return false;
    return a->repeats == 1 || !lengths_differ(a->tone_off_ms, b->tone_off_ms); /* the pause only shows between two tones */
}

bool signal_is_hint(enum signal signal)
{
    return signal >= SIGNAL_UNREADABLE && signal <= SIGNAL_MOVING;
}

enum signal signal_for_hint(enum signal hint, const struct signal_pattern patterns[SIGNAL_COUNT])
{
    const bool has_own = signal_is_hint(hint) && (patterns[hint].tone_on_ms > 0 || patterns[hint].lamp != SIGNAL_LAMP_NONE);
    return has_own ? hint : SIGNAL_UNREADABLE;
}

/* Policy may open or hold for any reason: an opened gate must never sound refused, nor a refusal opened; and a failed journal
 * never opens, whatever action came with it. */
enum signal signal_for_verdict(const struct verdict *verdict)
{
    enum signal signal = (unsigned)verdict->reason < REASON_COUNT ? by_reason[verdict->reason] : SIGNAL_FAILURE;
    if (verdict->reason == REASON_JOURNAL_FAILED)
        return SIGNAL_FAILURE;
    if (verdict->action == VERDICT_OPEN)
        return SIGNAL_OPEN;
    if (verdict->action == VERDICT_HOLD)
        return SIGNAL_HOLD;
    return signal == SIGNAL_OPEN || signal == SIGNAL_HOLD ? SIGNAL_DENY : signal;
}

/* ---- a row at a moment ------------------------------------------------------------------------------------------- */

void signal_start(struct signal_player *player, enum signal signal, int64_t now_us)
{
    player->signal = (unsigned)signal < SIGNAL_COUNT ? signal : SIGNAL_NONE;
    player->started_at_us = now_us;
}

bool signal_tone_over(const struct signal_pattern *p, int64_t elapsed_us)
{
    if (p->tone_on_ms == 0)
        return true;
    return p->repeats != 0 && elapsed_us >= us(p->tone_on_ms + p->tone_off_ms) * p->repeats;
}

bool signal_tone(const struct signal_pattern *p, int64_t elapsed_us)
{
    return !signal_tone_over(p, elapsed_us) && elapsed_us % us(p->tone_on_ms + p->tone_off_ms) < us(p->tone_on_ms);
}

bool signal_lamp_over(const struct signal_pattern *p, int64_t elapsed_us)
{
    return p->lamp == SIGNAL_LAMP_NONE || (p->lamp_ms != 0 && elapsed_us >= us(p->lamp_ms));
}

enum signal_lamp signal_lamp(const struct signal_pattern *p, int64_t elapsed_us)
{
    if (signal_lamp_over(p, elapsed_us) || (p->blink_ms != 0 && elapsed_us / us(p->blink_ms) % 2 != 0))
        return SIGNAL_LAMP_NONE;
    return p->lamp;
}

static int64_t sooner(int64_t a_us, int64_t b_us)
{
    return a_us < b_us ? a_us : b_us;
}

int64_t signal_next_us(const struct signal_pattern *p, int64_t elapsed_us)
{
    int64_t next_us = INT64_MAX;
    if (!signal_tone_over(p, elapsed_us)) {
        int64_t period_us = us(p->tone_on_ms + p->tone_off_ms), begin_us = elapsed_us / period_us * period_us;
        next_us = begin_us + (signal_tone(p, elapsed_us) ? us(p->tone_on_ms) : period_us);
    }
    if (!signal_lamp_over(p, elapsed_us)) {
        if (p->lamp_ms != 0)
            next_us = sooner(next_us, us(p->lamp_ms));
        if (p->blink_ms != 0)
            next_us = sooner(next_us, (elapsed_us / us(p->blink_ms) + 1) * us(p->blink_ms));
    }
    return next_us;
}
