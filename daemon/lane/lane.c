/* The lane: one pulse for one grant, patterns by verdict, the button bound to the person refused before it. Main thread. */
#include "daemon/lane/lane.h"

#include <stdio.h>
#include <string.h>

void lane_init(struct lane *lane, const struct lane_settings *settings)
{
    memset(lane, 0, sizeof *lane);
    lane->settings = *settings;
}

static void pulse(struct lane *lane)
{
    if (lane->pulses_waiting < LANE_PULSES_WAITING_MAX)
        lane->pulses_waiting++;
}

bool lane_can_open(const struct lane *lane)
{
    return lane->pulses_waiting < LANE_PULSES_WAITING_MAX - 1; /* one place is always the guard's */
}

void lane_verdict(struct lane *lane, const struct verdict *verdict, const char *event_id, int64_t now_us)
{
    signal_start(&lane->player, signal_for_verdict(verdict), now_us);
    /* A failed journal never opens, whatever action came with it. */
    if (verdict->action == VERDICT_OPEN && verdict->reason != REASON_JOURNAL_FAILED) {
        pulse(lane);
        lane->refused_event_id[0] = '\0'; /* the next press is about nobody who has gone through */
        return;
    }
    (void)snprintf(lane->refused_event_id, sizeof lane->refused_event_id, "%s", event_id);
    lane->refused_at_us = now_us;
}

void lane_button(struct lane *lane, int64_t now_us, char ret_bound_event_id[LANE_EVENT_ID_BYTES])
{
    bool bound = lane->refused_event_id[0] != '\0' &&
                 now_us - lane->refused_at_us <= (int64_t)lane->settings.button_binding_ms * 1000;
    memcpy(ret_bound_event_id, bound ? lane->refused_event_id : "", bound ? LANE_EVENT_ID_BYTES : 1);
    lane->refused_event_id[0] = '\0'; /* one press answers one person once */
    signal_start(&lane->player, SIGNAL_OPEN, now_us);
    pulse(lane);
}

void lane_set_out_of_order(struct lane *lane, bool out_of_order)
{
    lane->out_of_order = out_of_order;
}

static void advance_relay(struct lane *lane, int64_t now_us)
{
    if (lane->relay_off_at_us != 0 && now_us >= lane->relay_off_at_us) {
        lane->relay_off_at_us = 0;
        lane->relay_ready_at_us = now_us + (int64_t)lane->settings.pulse_gap_ms * 1000;
    }
    if (lane->relay_off_at_us == 0 && lane->pulses_waiting > 0 && now_us >= lane->relay_ready_at_us) {
        lane->pulses_waiting--;
        lane->relay_off_at_us = now_us + (int64_t)lane->settings.pulse_ms * 1000;
    }
}

void lane_outputs(struct lane *lane, int64_t now_us, bool ret_levels[LANE_OUTPUT_COUNT])
{
    advance_relay(lane, now_us);
    enum signal_lamp lamp = signal_lamp(&lane->player, now_us);
    if (lamp == SIGNAL_LAMP_NONE && lane->out_of_order)
        lamp = SIGNAL_LAMP_RED;
    ret_levels[LANE_RELAY] = lane->relay_off_at_us != 0;
    ret_levels[LANE_BUZZER] = signal_tone(&lane->player, now_us);
    ret_levels[LANE_LAMP_GREEN] = lamp == SIGNAL_LAMP_GREEN;
    ret_levels[LANE_LAMP_AMBER] = lamp == SIGNAL_LAMP_AMBER;
    ret_levels[LANE_LAMP_RED] = lamp == SIGNAL_LAMP_RED;
}

int64_t lane_next_us(const struct lane *lane, int64_t now_us)
{
    int64_t next_us = signal_next_us(&lane->player, now_us);
    if (lane->relay_off_at_us != 0 && lane->relay_off_at_us < next_us)
        next_us = lane->relay_off_at_us;
    if (lane->relay_off_at_us == 0 && lane->pulses_waiting > 0 && lane->relay_ready_at_us < next_us)
        next_us = lane->relay_ready_at_us;
    return next_us;
}
