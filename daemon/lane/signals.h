/* What a person hears and sees: patterns as rows. Pure. */
#ifndef LANE_SIGNALS_H
#define LANE_SIGNALS_H

#include "daemon/decision/decision.h"

enum signal { SIGNAL_NONE, SIGNAL_OPEN, SIGNAL_HOLD, SIGNAL_DENY, SIGNAL_EXPIRED, SIGNAL_WRONG_CODE, SIGNAL_FORGED, SIGNAL_FAILURE,
              SIGNAL_PLACE_CODE /* show your own */, SIGNAL_NOT_NOW /* the person is right, the moment isn't */, SIGNAL_LOCKED,
              SIGNAL_COUNT };
enum signal_lamp { SIGNAL_LAMP_NONE, SIGNAL_LAMP_GREEN, SIGNAL_LAMP_AMBER, SIGNAL_LAMP_RED };

struct signal_pattern {
    const char *name;
    int tone_on_ms, tone_off_ms, repeats;
    enum signal_lamp lamp;
    int lamp_ms;
};

/* The pattern being played: a new one replaces it at once. */
struct signal_player {
    enum signal signal;
    int64_t started_at_us;
};

const struct signal_pattern *signal_pattern(enum signal signal);
enum signal signal_for_verdict(const struct verdict *verdict);
void signal_start(struct signal_player *player, enum signal signal, int64_t now_us);
bool signal_tone(const struct signal_player *player, int64_t now_us);
enum signal_lamp signal_lamp(const struct signal_player *player, int64_t now_us);
int64_t signal_next_us(const struct signal_player *player, int64_t now_us); /* next change, INT64_MAX: none */

#endif
