/* The rows of buzzer and lamp patterns and the player that reads them. Called by lane.c, main thread. */
#include "daemon/lane/signals.h"

/* Different by ear without looking: length and count, since a plain buzzer has one pitch. */
static const struct signal_pattern patterns[SIGNAL_COUNT] = {
    [SIGNAL_NONE] = {"none", 0, 0, 0, SIGNAL_LAMP_NONE, 0},
    [SIGNAL_OPEN] = {"open", 150, 0, 1, SIGNAL_LAMP_GREEN, 2000},
    [SIGNAL_HOLD] = {"hold", 250, 250, 2, SIGNAL_LAMP_AMBER, 5000},
    [SIGNAL_DENY] = {"deny", 900, 0, 1, SIGNAL_LAMP_RED, 3000},
    [SIGNAL_EXPIRED] = {"expired", 450, 200, 2, SIGNAL_LAMP_RED, 3000},
    [SIGNAL_WRONG_CODE] = {"wrong_code", 80, 80, 3, SIGNAL_LAMP_AMBER, 1500},
    [SIGNAL_FORGED] = {"forged", 120, 60, 8, SIGNAL_LAMP_RED, 5000},
    [SIGNAL_FAILURE] = {"failure", 1600, 0, 1, SIGNAL_LAMP_RED, 3000},
    [SIGNAL_PLACE_CODE] = {"place_code", 150, 150, 4, SIGNAL_LAMP_AMBER, 2500},
    [SIGNAL_NOT_NOW] = {"not_now", 350, 150, 3, SIGNAL_LAMP_RED, 3000},
    [SIGNAL_LOCKED] = {"locked", 1000, 250, 3, SIGNAL_LAMP_RED, 5000},
};

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
    [REASON_CLOCK_UNTRUSTED] = SIGNAL_HOLD,               [REASON_JOURNAL_FAILED] = SIGNAL_FAILURE,
    [REASON_BUTTON] = SIGNAL_OPEN,                        [REASON_NONE] = SIGNAL_FAILURE,
};

const struct signal_pattern *signal_pattern(enum signal signal)
{
    return &patterns[signal < SIGNAL_COUNT ? signal : SIGNAL_NONE];
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

void signal_start(struct signal_player *player, enum signal signal, int64_t now_us)
{
    player->signal = signal;
    player->started_at_us = now_us;
}

bool signal_tone(const struct signal_player *player, int64_t now_us)
{
    const struct signal_pattern *p = signal_pattern(player->signal);
    int64_t period_us = (int64_t)(p->tone_on_ms + p->tone_off_ms) * 1000, at_us = now_us - player->started_at_us;
    if (period_us == 0 || at_us < 0 || at_us >= period_us * p->repeats)
        return false;
    return at_us % period_us < (int64_t)p->tone_on_ms * 1000;
}

enum signal_lamp signal_lamp(const struct signal_player *player, int64_t now_us)
{
    const struct signal_pattern *p = signal_pattern(player->signal);
    return now_us - player->started_at_us < (int64_t)p->lamp_ms * 1000 ? p->lamp : SIGNAL_LAMP_NONE;
}

int64_t signal_next_us(const struct signal_player *player, int64_t now_us)
{
    const struct signal_pattern *p = signal_pattern(player->signal);
    int64_t period_us = (int64_t)(p->tone_on_ms + p->tone_off_ms) * 1000, at_us = now_us - player->started_at_us;
    int64_t lamp_us = (int64_t)p->lamp_ms * 1000, next_us = INT64_MAX;
    if (period_us > 0 && at_us < period_us * p->repeats) {
        int64_t begin_us = at_us / period_us * period_us, on_us = begin_us + (int64_t)p->tone_on_ms * 1000;
        next_us = player->started_at_us + (at_us < on_us ? on_us : begin_us + period_us);
    }
    if (at_us < lamp_us && player->started_at_us + lamp_us < next_us)
        next_us = player->started_at_us + lamp_us;
    return next_us;
}
