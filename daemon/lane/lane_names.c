/* The stable names of the lane's enumerations, for journal, messages and the README; and its settings' defaults. Pure; any
 * thread. */
#include "daemon/lane/lane.h"

static const char *const mode_names[LANE_MODE_COUNT] = {
    [LANE_NORMAL] = "normal",       [LANE_HOLD_OPEN] = "hold_open",       [LANE_LOCK_DOWN] = "lock_down",
    [LANE_EMERGENCY] = "emergency", [LANE_OUT_OF_ORDER] = "out_of_order",
};
static const char *const phase_names[] = {[LANE_CLOSED] = "closed", [LANE_GRANTED] = "granted", [LANE_TURNING] = "turning"};
static const char *const fault_names[LANE_FAULT_COUNT] = {"camera", "journal", "line"};
static const char *const alarm_names[LANE_ALARM_COUNT] = {
    [LANE_ALARM_FORCED] = "forced",
    [LANE_ALARM_TAILGATING] = "tailgating",
    [LANE_ALARM_HELD] = "held",
    [LANE_ALARM_TAMPER] = "tamper",
    [LANE_ALARM_BUTTON_STUCK] = "button_stuck",
    [LANE_ALARM_HOLD_OPEN] = "hold_open",
    [LANE_ALARM_LOCK_DOWN] = "lock_down",
    [LANE_ALARM_EMERGENCY] = "emergency_release",
    [LANE_ALARM_OUT_OF_ORDER] = "out_of_order",
};
static const char *const effect_names[LANE_EFFECT_COUNT] = {
    [LANE_OVERRIDE] = "override",       [LANE_COMPLETED] = "completed",     [LANE_NOT_USED] = "not_used",
    [LANE_INTERRUPTED] = "interrupted", [LANE_ALARM_BEGIN] = "alarm_begin", [LANE_ALARM_END] = "alarm_end",
    [LANE_MUSTER] = "muster",
};
static const char *const input_names[LANE_INPUT_COUNT] = {
    [LANE_IN_TIME] = "time",           [LANE_IN_VERDICT] = "verdict",     [LANE_IN_MUST_WAIT] = "must_wait",
    [LANE_IN_UNREADABLE] = "unreadable", [LANE_IN_BUTTON] = "button",     [LANE_IN_SENSOR] = "sensor",
    [LANE_IN_FIRE] = "fire",           [LANE_IN_FIRE_RESET] = "fire_reset", [LANE_IN_TAMPER] = "tamper",
    [LANE_IN_SERVICE] = "service",     [LANE_IN_FAULT] = "fault",         [LANE_IN_NORMAL] = "normal",
    [LANE_IN_LOCK_DOWN] = "lock_down", [LANE_IN_HOLD_OPEN] = "hold_open",
    [LANE_IN_OPEN] = "open",           [LANE_IN_IDENTIFY] = "identify",
};

static const char *name_of(const char *const *names, unsigned count, unsigned value)
{
    return value < count ? names[value] : "?";
}

const char *lane_mode_name(enum lane_mode mode)
{
    return name_of(mode_names, LANE_MODE_COUNT, (unsigned)mode);
}

const char *lane_phase_name(enum lane_phase phase)
{
    return name_of(phase_names, LANE_TURNING + 1, (unsigned)phase);
}

const char *lane_alarm_name(enum lane_alarm alarm)
{
    return name_of(alarm_names, LANE_ALARM_COUNT, (unsigned)alarm);
}

const char *lane_fault_name(enum lane_fault fault)
{
    return name_of(fault_names, LANE_FAULT_COUNT, (unsigned)fault);
}

const char *lane_effect_name(enum lane_effect_kind kind)
{
    return name_of(effect_names, LANE_EFFECT_COUNT, (unsigned)kind);
}

const char *lane_input_name(enum lane_input_kind kind)
{
    return name_of(input_names, LANE_INPUT_COUNT, (unsigned)kind);
}

void lane_defaults(struct lane_settings *ret_settings)
{
    *ret_settings = (struct lane_settings){
        .pulse_ms = 300, .pulse_gap_ms = 300, .debounce_ms = 30, .button_binding_ms = 15000,
        .has_relay = true, .has_sensor = false, .two_directions = false, .wiring = LANE_FAIL_SECURE, .relay_level = false,
        .passage_wait_ms = 5000, .held_alarm_ms = 10000, .tailgating_ms = 2000,
        .long_press_ms = 3000, .stuck_ms = 30000, .unreadable_ms = 3000, .hold_open_max_s = 3600,
    };
    signal_defaults(ret_settings->patterns);
}
