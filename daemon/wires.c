/* See the header. */
#include "daemon/wires.h"

#include <string.h>

#include "daemon/health/clock.h"

enum { LOOK_EVERY_US = 1000000 };

static const enum line_out wire_of[LANE_OUTPUT_COUNT] = {
    [LANE_RELAY] = LINE_RELAY,           [LANE_RELAY_OUT] = LINE_RELAY_OUT,   [LANE_BUZZER] = LINE_BUZZER,
    [LANE_LAMP_GREEN] = LINE_LAMP_GREEN, [LANE_LAMP_AMBER] = LINE_LAMP_AMBER, [LANE_LAMP_RED] = LINE_LAMP_RED,
};

static bool is_relay(enum lane_output output)
{
    return output == LANE_RELAY || output == LANE_RELAY_OUT;
}

void wires_init(struct wires *wires, struct lines *lines, struct relay_guard *guard)
{
    memset(wires, 0, sizeof *wires);
    wires->lines = lines;
    wires->guard = guard;
}

/* A chip that went away says nothing by itself: an input is asked for its level, whatever it is. */
static void look_for_inputs(struct wires *wires)
{
    for (int i = 0; i < LINE_IN_COUNT; i++) {
        bool active;
        const int r = lines_get(wires->lines, (enum line_in)i, &active);
        if (r < 0)
            wires->error = r;
    }
}

static void write_level(struct wires *wires, enum lane_output output, bool level, int64_t for_us)
{
    const int r = is_relay(output) ? relay_guard_set(wires->guard, wire_of[output], level, for_us)
                                   : lines_set(wires->lines, wire_of[output], level);
    if (r < 0)
        wires->error = r;
    else
        wires->levels[output] = level;
}

static void write_again(struct wires *wires, enum lane_output output)
{
    const int r = is_relay(output) ? relay_guard_refresh(wires->guard, wire_of[output])
                                   : lines_set(wires->lines, wire_of[output], wires->levels[output]);
    if (r < 0)
        wires->error = r;
}

static void write_levels(struct wires *wires, const struct lane *lane, int64_t now_us, bool again)
{
    bool wanted[LANE_OUTPUT_COUNT];
    lane_outputs(lane, now_us, wanted);
    wires->relay_is_open = lane_is_open(lane, now_us);
    const int64_t until_us = wires->relay_is_open ? lane_relay_until_us(lane) : 0;
    const bool bound_moved = until_us != wires->relay_until_us; /* a pulse became a hold-open, say */
    wires->relay_until_us = until_us;
    const int64_t for_us = until_us > now_us ? until_us - now_us : 0;
    for (enum lane_output i = 0; i < LANE_OUTPUT_COUNT; i++)
        if (wanted[i] != wires->levels[i] || (is_relay(i) && bound_moved))
            write_level(wires, i, wanted[i], for_us);
        else if (again)
            write_again(wires, i);
}

/* The lane's own deadline, too, is counted from after the write. */
static void count_pulse_from_here(struct wires *wires, struct lane *lane)
{
    lane_relay_moved(lane, clock_monotonic_us());
    wires->relay_until_us = lane_relay_until_us(lane);
    relay_guard_bound(wires->guard, LINE_RELAY, wires->relay_until_us);
    relay_guard_bound(wires->guard, LINE_RELAY_OUT, wires->relay_until_us);
}

bool wires_drive(struct wires *wires, struct lane *lane, int64_t now_us)
{
    const bool again = now_us >= wires->due_us;
    bool opens = lane_is_open(lane, now_us) && !wires->relay_is_open;
    if (wires->stopped)
        return false;
    if (again) {
        wires->due_us = now_us + LOOK_EVERY_US;
        look_for_inputs(wires);
    }
    if (opens) { /* now_us may be long ago */
        now_us = clock_monotonic_us();
        opens = lane_relay_opens(lane, now_us);
    }
    write_levels(wires, lane, now_us, again);
    if (opens)
        count_pulse_from_here(wires, lane);
    return opens;
}

void wires_stop(struct wires *wires)
{
    wires->stopped = true;
    for (enum lane_output i = 0; i < LANE_OUTPUT_COUNT; i++)
        write_level(wires, i, false, 0);
}
