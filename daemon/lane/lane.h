/* The turnstile's state machine. Pure: events in, wanted output levels and notes out, time passed in (CLOCK_MONOTONIC
 * microseconds, never decreasing). Owned by the main thread. */
#ifndef LANE_LANE_H
#define LANE_LANE_H

#include "daemon/decision/decision.h"
#include "daemon/lane/signals.h"

enum lane_output { LANE_RELAY, LANE_BUZZER, LANE_LAMP_GREEN, LANE_LAMP_AMBER, LANE_LAMP_RED, LANE_OUTPUT_COUNT };

enum { LANE_EVENT_ID_BYTES = 33, LANE_PULSES_WAITING_MAX = 4 };

struct lane_settings {
    int pulse_ms;          /* relay on for so long */
    int pulse_gap_ms;      /* between two pulses, so that a turnstile counts two */
    int debounce_ms;       /* an input must be steady for so long */
    int button_binding_ms; /* a press so soon after a hold or denial is about that person */
};

struct lane {
    struct lane_settings settings;
    int64_t relay_off_at_us;   /* 0: relay off */
    int64_t relay_ready_at_us; /* earliest next pulse */
    int pulses_waiting;
    struct signal_player player;
    char refused_event_id[LANE_EVENT_ID_BYTES]; /* the last hold or denial, for the button */
    int64_t refused_at_us;
    bool out_of_order;
};

void lane_init(struct lane *lane, const struct lane_settings *settings);
/* A verdict that is on disk (or REASON_JOURNAL_FAILED, which is not). event_id is the journal row's. */
void lane_verdict(struct lane *lane, const struct verdict *verdict, const char *event_id, int64_t now_us);
/* A debounced press: opens once. ret_bound_event_id receives the hold or denial it answers, or "". */
void lane_button(struct lane *lane, int64_t now_us, char ret_bound_event_id[LANE_EVENT_ID_BYTES]);
void lane_set_out_of_order(struct lane *lane, bool out_of_order);
/* Levels wanted at now_us; call at every event and at lane_next_us(). */
void lane_outputs(struct lane *lane, int64_t now_us, bool ret_levels[LANE_OUTPUT_COUNT]);
int64_t lane_next_us(const struct lane *lane, int64_t now_us); /* INT64_MAX: nothing is due */
bool lane_can_open(const struct lane *lane); /* false: as many pulses wait as may; ask again later */

#endif
