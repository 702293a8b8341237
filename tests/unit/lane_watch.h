/* Watches a lane while a test drives it: every input goes through watch_input(), which keeps its own simple account of what
 * must be so and holds the lane's effects, mode and wires to it. The first breach is kept in `fault`; nothing is asserted here,
 * so that a failing run can be shortened. Shared by the property test and the day's simulation. */
#ifndef TESTS_LANE_WATCH_H
#define TESTS_LANE_WATCH_H

#include "lane_account.h"

/* ---- wires ------------------------------------------------------------------------------------------------------- */

static inline bool watch_opens(const struct watch *w, const bool levels[LANE_OUTPUT_COUNT], enum lane_output relay)
{
    bool wired = w->settings.has_relay && (relay == LANE_RELAY || w->settings.two_directions);
    return wired && levels[relay] == (w->settings.wiring == LANE_FAIL_SECURE);
}

static inline int64_t watch_bound_us(const struct lane_settings *settings)
{
    return watch_us(settings->relay_level ? settings->passage_wait_ms : settings->pulse_ms);
}

static inline void watch_rise(struct watch *w, bool in, bool out)
{
    struct watch_grant *grant = watch_grant(w, w->lane.open.event_id);
    w->opened++;
    w->open_since_us = w->now_us;
    w->bound_us = watch_bound_us(&w->settings);
    WATCH(w, w->now_us - w->closed_since_us >= w->shortest_gap_us, "opened again after %lld us",
          (long long)(w->now_us - w->closed_since_us));
    WATCH(w, w->opened <= w->asked, "opened %d times for %d grants", w->opened, w->asked);
    WATCH(w, w->outstanding > 0 && grant != NULL && grant->state == WATCH_OUTSTANDING, "opened for nobody");
    WATCH(w, in != out, "both directions for one");
    if (grant == NULL)
        return;
    grant->opened = true;
    WATCH(w, w->lane.mode != LANE_LOCK_DOWN || grant->is_override, "a verdict opened in lock-down");
    WATCH(w, out == (w->settings.two_directions && grant->direction == DIRECTION_OUT), "the wrong direction opened");
}

static inline void watch_wires(struct watch *w)
{
    lane_outputs(&w->lane, w->now_us, w->levels);
    bool in = watch_opens(w, w->levels, LANE_RELAY), out = watch_opens(w, w->levels, LANE_RELAY_OUT), was = w->open;
    bool held = w->lane.mode == LANE_HOLD_OPEN || w->lane.mode == LANE_EMERGENCY;
    WATCH(w, w->settings.has_relay || (!w->levels[LANE_RELAY] && !w->levels[LANE_RELAY_OUT]), "no relay, but a level");
    WATCH(w, w->settings.two_directions || !w->levels[LANE_RELAY_OUT], "one direction, but a level for the other");
    WATCH(w, w->levels[LANE_LAMP_GREEN] + w->levels[LANE_LAMP_AMBER] + w->levels[LANE_LAMP_RED] <= 1, "two lamps at once");
    w->open = in || out;
    if (held) {
        WATCH(w, !w->settings.has_relay || (in && (out || !w->settings.two_directions)), "%s, but shut",
              lane_mode_name(w->lane.mode));
        w->open_since_us = w->now_us; /* what is left of a pulse counts from here */
        w->bound_us = w->longest_bound_us;
    } else if (w->open && !was) {
        watch_rise(w, in, out);
    } else if (w->open) {
        WATCH(w, w->now_us - w->open_since_us < w->bound_us, "open for %lld us", (long long)(w->now_us - w->open_since_us));
    }
    WATCH(w, !w->open || held || !w->settings.has_sensor || w->outstanding > 0, "open for nobody");
    if (was && !w->open)
        w->closed_since_us = w->now_us;
}

/* Nothing moves between two deadlines. */
static inline void watch_quiet(struct watch *w)
{
    bool levels[LANE_OUTPUT_COUNT];
    int64_t next_us = lane_next_us(&w->lane, w->now_us);
    WATCH(w, next_us > w->now_us, "due at %lld, which was", (long long)next_us);
    if (next_us == INT64_MAX)
        next_us = w->now_us + watch_us(100000);
    int64_t shut_us = w->now_us + w->longest_bound_us; /* for a caller who forgets */
    if (w->lane.mode == LANE_HOLD_OPEN && w->hold_open_until_us > shut_us)
        shut_us = w->hold_open_until_us;
    lane_outputs(&w->lane, shut_us, levels);
    WATCH(w, w->emergency || (!watch_opens(w, levels, LANE_RELAY) && !watch_opens(w, levels, LANE_RELAY_OUT)), "open for ever");
    for (int i = 1; i <= 2; i++) {
        lane_outputs(&w->lane, i == 1 ? next_us - 1 : w->now_us + (next_us - w->now_us) / 2, levels);
        WATCH(w, memcmp(levels, w->levels, sizeof levels) == 0, "a wire moves before the deadline at %lld", (long long)next_us);
    }
}

/* ---- the account against the lane -------------------------------------------------------------------------------- */

static inline void watch_state(struct watch *w)
{
    bool held_open = w->alarms[LANE_ALARM_HOLD_OPEN], disturbed = w->faults != 0 || w->service;
    enum lane_mode mode = w->emergency ? LANE_EMERGENCY : w->lock_down ? LANE_LOCK_DOWN : held_open ? LANE_HOLD_OPEN
                        : disturbed ? LANE_OUT_OF_ORDER : LANE_NORMAL;
    bool is_free = watch_is_free(w);
    w->modes[mode]++;
    WATCH(w, w->lane.mode == mode, "mode %s instead of %s", lane_mode_name(w->lane.mode), lane_mode_name(mode));
    if (w->was_free && !is_free)
        w->sensor_since_us = w->now_us;
    w->was_free = is_free;
    const bool wanted[LANE_ALARM_COUNT] = {
        [LANE_ALARM_FORCED] = w->alarms[LANE_ALARM_FORCED] && w->sensor && !is_free,
        [LANE_ALARM_TAILGATING] = w->alarms[LANE_ALARM_TAILGATING] && w->sensor && !is_free,
        [LANE_ALARM_HELD] = w->sensor && !is_free && w->now_us - w->sensor_since_us >= watch_us(w->settings.held_alarm_ms),
        [LANE_ALARM_TAMPER] = w->tamper,
        [LANE_ALARM_BUTTON_STUCK] = w->button && w->now_us - w->button_since_us >= watch_us(w->settings.stuck_ms),
        [LANE_ALARM_HOLD_OPEN] = held_open && w->now_us < w->hold_open_until_us,
        [LANE_ALARM_LOCK_DOWN] = w->lock_down,
        [LANE_ALARM_EMERGENCY] = w->emergency,
        [LANE_ALARM_OUT_OF_ORDER] = disturbed,
    };
    for (int i = 0; i < LANE_ALARM_COUNT; i++)
        WATCH(w, w->alarms[i] == wanted[i] && w->lane.alarms[i] == wanted[i], "alarm %s should be %s",
              lane_alarm_name((enum lane_alarm)i), wanted[i] ? "on" : "off");
    WATCH(w, !w->alarms[LANE_ALARM_BUTTON_STUCK] || !w->held_by_press || !held_open, "held open by a jammed button");
    WATCH(w, !w->emergency || w->outstanding == 0 || !w->settings.has_sensor, "a grant is under way in an emergency");
    WATCH(w, w->inside == w->completed, "presence %d, completed %d", w->inside, w->completed);
    WATCH(w, w->lane.effects_lost == 0, "effects lost");
    WATCH(w, w->lane.waiting_count >= 0 && w->lane.waiting_count <= LANE_WAITING_MAX, "%d wait", w->lane.waiting_count);
}

/* With a sensor every grant has its end, and in time unless the arm is under way with it. */
static inline void watch_grants(struct watch *w, bool service_begins)
{
    int64_t most_us = (LANE_WAITING_MAX + 1) * w->longest_wait_us;
    if (!w->settings.has_sensor)
        return;
    while (w->grants_first < w->grants_end && w->grants[w->grants_first].state != WATCH_OUTSTANDING)
        w->grants_first++;
    for (int i = w->grants_first, left = w->outstanding; i < w->grants_end && left > 0; i++) {
        if (w->grants[i].state != WATCH_OUTSTANDING)
            continue;
        left--;
        bool turning = w->turn_owner[0] != '\0' && watch_grant(w, w->turn_owner) == &w->grants[i];
        WATCH(w, turning || w->grants[i].is_override || (w->lane.mode != LANE_LOCK_DOWN && !service_begins),
              "g%d goes on in %s", i, service_begins ? "service" : "lock-down");
        WATCH(w, turning || w->now_us - w->grants[i].asked_at_us < most_us, "g%d never ends", i);
    }
    WATCH(w, w->outstanding <= LANE_WAITING_MAX + 1, "%d grants under way", w->outstanding);
}

static inline void watch_verdict(struct watch *w, const struct lane_input *input, bool had_place)
{
    bool grant = input->verdict.action == VERDICT_OPEN && input->verdict.reason != REASON_JOURNAL_FAILED;
    bool ended = grant && watch_ended_now(w, input->event_id);
    WATCH(w, !grant || !had_place || w->lane.mode == LANE_LOCK_DOWN || !ended, "%s had a place and was sent away",
          input->event_id);
    WATCH(w, !grant || (w->lane.mode != LANE_LOCK_DOWN && w->lane.mode != LANE_EMERGENCY) || ended, "%s goes on",
          input->event_id);
    (void)snprintf(w->refused, sizeof w->refused, "%s", grant && !ended ? "" : input->event_id);
    w->refused_at_us = w->now_us;
    w->refused_direction = input->direction;
}

static inline void watch_press(struct watch *w, const struct lane_input *input, bool could_open)
{
    bool bound = w->refused[0] != '\0' && w->now_us - w->refused_at_us <= watch_us(w->settings.button_binding_ms);
    const struct lane_effect *press = NULL;
    for (int i = 0; i < w->effects_count; i++)
        if (w->effects[i].kind == LANE_OVERRIDE)
            press = &w->effects[i];
    WATCH(w, press != NULL && watch_count(w, LANE_OVERRIDE) == 1, "press %s is %d overrides", input->event_id,
          watch_count(w, LANE_OVERRIDE));
    WATCH(w, press == NULL || strcmp(press->bound_event_id, bound ? w->refused : "") == 0,
          "press bound to '%s' instead of '%s'", press == NULL ? "" : press->bound_event_id, bound ? w->refused : "");
    WATCH(w, press == NULL || press->direction == (bound ? w->refused_direction : input->direction),
          "press goes the wrong way");
    WATCH(w, !could_open || w->open, "press %s didn't open", input->event_id);
    w->refused[0] = '\0';
}

static inline void watch_turn(struct watch *w, bool somebodys, int64_t tailgating_until_us)
{
    bool forced = watch_alarm_began(w, LANE_ALARM_FORCED), followed = watch_alarm_began(w, LANE_ALARM_TAILGATING);
    bool in_time = w->settings.tailgating_ms > 0 && tailgating_until_us != 0 && w->now_us <= tailgating_until_us;
    bool wanted = !somebodys && !watch_is_free(w);
    WATCH(w, (forced || followed) == wanted, wanted ? "a turn without a grant is no alarm" : "somebody's turn is an alarm");
    WATCH(w, !wanted || followed == in_time, "forced and tailgating mixed up");
    (void)snprintf(w->turn_owner, sizeof w->turn_owner, "%s", somebodys ? w->lane.open.event_id : "");
    WATCH(w, !somebodys || (w->lane.phase == LANE_TURNING && !watch_ended_now(w, w->turn_owner)), "the turn is nobody's");
}

static inline void watch_rest(struct watch *w)
{
    int wanted = w->turn_owner[0] != '\0';
    WATCH(w, watch_count(w, LANE_COMPLETED) == wanted, "%d completed by the turn of '%s'", watch_count(w, LANE_COMPLETED),
          w->turn_owner);
    w->turn_owner[0] = '\0';
}

/* One number for all effects so far: two lanes with the same story had the same effects. */
static inline uint64_t watch_story(uint64_t story, const struct lane_effect *e)
{
    char text[256];
    int length = snprintf(text, sizeof text, "%d %lld %s %s %d %d %d %s %d", (int)e->kind, (long long)e->at_us, e->event_id,
                          e->bound_event_id, (int)e->direction, (int)e->guard, (int)e->alarm, e->detail, e->turns);
    for (int i = 0; i < length; i++)
        story = (story ^ (uint8_t)text[i]) * 0x100000001B3U; /* FNV-1a */
    return story;
}

/* ---- driving ----------------------------------------------------------------------------------------------------- */

static inline void watch_drain(struct watch *w, const struct lane_input *input)
{
    struct lane_effect effect;
    w->effects_count = 0;
    while (lane_take_effect(&w->lane, &effect)) {
        if (w->effects_count < WATCH_EFFECTS_MAX)
            w->effects[w->effects_count++] = effect;
        w->story = watch_story(w->story, &effect);
        watch_effect(w, &effect, input);
    }
    if (w->effects_count > w->effects_most)
        w->effects_most = w->effects_count;
}

/* What an input makes true, whatever the lane thinks. */
static inline void watch_note(struct watch *w, const struct lane_input *input, int r)
{
    switch (input->kind) {
    case LANE_IN_FIRE: w->fire = input->on; w->emergency = w->emergency || input->on; break;
    case LANE_IN_FIRE_RESET: w->emergency = w->emergency && r != 0; break;
    case LANE_IN_TAMPER: w->tamper = input->on; break;
    case LANE_IN_SERVICE: w->service = input->on; break;
    case LANE_IN_FAULT:
        w->faults = input->on ? w->faults | 1U << (unsigned)input->fault : w->faults & ~(1U << (unsigned)input->fault);
        break;
    case LANE_IN_NORMAL: w->lock_down = w->lock_down && r != 0; break;
    case LANE_IN_LOCK_DOWN: w->lock_down = true; break;
    case LANE_IN_HOLD_OPEN:
        if (r == 0) {
            w->hold_open_until_us = w->now_us + (int64_t)input->hold_open_s * 1000000;
            w->held_by_press = false;
        }
        break;
    default: break;
    }
}

static inline bool watch_should_refuse(const struct watch *w, const struct lane_input *input)
{
    int overrides = 0;
    for (int i = 0; i < w->lane.waiting_count; i++)
        overrides += w->lane.waiting[i].is_override;
    if (input->kind == LANE_IN_IDENTIFY)
        return w->emergency;
    if (input->kind == LANE_IN_OPEN)
        return w->emergency || w->lock_down || w->service || overrides >= LANE_OVERRIDES_WAITING_MAX;
    bool range = input->hold_open_s < 1 || input->hold_open_s > w->settings.hold_open_max_s;
    return (input->kind == LANE_IN_FIRE_RESET && w->emergency && w->fire) || (input->kind == LANE_IN_NORMAL && w->emergency) ||
           (input->kind == LANE_IN_HOLD_OPEN && (range || w->emergency || w->lock_down));
}

static inline int watch_step(struct watch *w, const struct lane_input *input)
{
    bool press = input->kind == LANE_IN_BUTTON && input->on && !w->button, was_emergency = w->emergency;
    bool turn = input->kind == LANE_IN_SENSOR && w->settings.has_sensor && input->on != w->sensor;
    bool grant = input->kind == LANE_IN_VERDICT && input->verdict.action == VERDICT_OPEN &&
                 input->verdict.reason != REASON_JOURNAL_FAILED;
    bool had_place = lane_can_open(&w->lane, 0), somebodys = w->outstanding > 0, refuse = watch_should_refuse(w, input);
    int64_t tailgating_until_us = w->tailgating_until_us;
    bool could_open = w->settings.has_relay && w->settings.has_sensor && w->outstanding == 0 && !w->emergency &&
                      (w->open || w->now_us - w->closed_since_us >= 2 * w->longest_wait_us);
    if (turn || (input->kind == LANE_IN_SENSOR && w->settings.has_sensor && input->on != w->sensor)) {
        w->sensor = input->on;
        w->sensor_since_us = w->now_us;
    }
    if (input->kind == LANE_IN_BUTTON && input->on != w->button) {
        w->button = w->button_pressed = input->on;
        w->button_since_us = w->now_us;
        w->held_by_press = w->held_by_press && input->on;
    }
    if (grant || (input->kind == LANE_IN_OPEN && !refuse))
        watch_asked(w, input->event_id, !grant, input->direction);
    int r = lane_input(&w->lane, input);
    WATCH(w, (r != 0) == refuse, "%s answers %d", lane_input_name(input->kind), r);
    watch_drain(w, input);
    watch_note(w, input, r);
    watch_state(w);
    watch_wires(w);
    watch_grants(w, input->kind == LANE_IN_SERVICE && input->on);
    WATCH(w, watch_count(w, LANE_MUSTER) == (w->emergency && !was_emergency), "no muster, or a second one");
    WATCH(w, press || watch_count(w, LANE_OVERRIDE) == 0, "an override without a press");
    if (input->kind == LANE_IN_VERDICT)
        watch_verdict(w, input, had_place);
    if (press)
        watch_press(w, input, could_open);
    if (turn && input->on)
        watch_turn(w, somebodys, tailgating_until_us);
    else if (turn)
        watch_rest(w);
    watch_quiet(w);
    return r;
}

/* Deadlines up to the input first, as an input of their own, so that each effect has one cause. */
static inline int watch_input(struct watch *w, const struct lane_input *input)
{
    const struct lane_input time = {.kind = LANE_IN_TIME, .at_us = input->at_us};
    if (input->at_us > w->now_us) {
        w->now_us = input->at_us;
        if (input->kind != LANE_IN_TIME)
            (void)watch_step(w, &time);
    }
    return w->fault[0] == '\0' ? watch_step(w, input) : 0;
}

static inline void watch_limits(struct watch *w, const struct lane_settings *settings)
{
    int64_t wait_us = watch_us(settings->passage_wait_ms + settings->pulse_gap_ms), gap_us = watch_us(settings->pulse_gap_ms);
    w->settings = *settings;
    w->longest_bound_us = watch_bound_us(settings) > w->longest_bound_us ? watch_bound_us(settings) : w->longest_bound_us;
    w->longest_wait_us = wait_us > w->longest_wait_us ? wait_us : w->longest_wait_us;
    w->shortest_gap_us = gap_us < w->shortest_gap_us ? gap_us : w->shortest_gap_us;
}

/* `grants` has WATCH_GRANTS_MAX members; cleared here. */
static inline void watch_begin(struct watch *w, const struct lane_settings *settings, const struct lane_at_start *start,
                               int64_t now_us, struct watch_grant *grants)
{
    const struct lane_input begin = {.kind = LANE_IN_TIME, .at_us = now_us};
    memset(w, 0, sizeof *w);
    memset(grants, 0, sizeof *grants * WATCH_GRANTS_MAX);
    w->grants = grants;
    w->now_us = now_us;
    w->shortest_gap_us = INT64_MAX;
    w->closed_since_us = INT64_MIN / 2;
    watch_limits(w, settings);
    w->button = start->button;
    w->sensor = start->sensor && settings->has_sensor;
    w->button_since_us = w->sensor_since_us = now_us;
    w->fire = w->emergency = start->fire;
    w->tamper = start->tamper;
    w->service = start->service;
    lane_init(&w->lane, settings, start, now_us);
    /* The effects of a start have the start as their cause: only the account of alarms takes them. */
    struct lane_effect effect;
    while (lane_take_effect(&w->lane, &effect)) {
        WATCH(w, effect.kind == LANE_ALARM_BEGIN || effect.kind == LANE_MUSTER, "a start causes %s",
              lane_effect_name(effect.kind));
        if (effect.kind == LANE_ALARM_BEGIN)
            w->alarms[effect.alarm] = true;
    }
    w->was_free = watch_is_free(w);
    (void)watch_step(w, &begin);
}

static inline void watch_stop(struct watch *w)
{
    const struct lane_input stop = {.kind = LANE_INPUT_COUNT, .at_us = w->now_us};
    lane_stop(&w->lane, w->now_us);
    watch_drain(w, &stop);
    lane_outputs(&w->lane, w->now_us, w->levels);
    for (int i = 0; i < LANE_OUTPUT_COUNT; i++)
        WATCH(w, !w->levels[i], "an output is on after the end");
    WATCH(w, !w->settings.has_sensor || w->outstanding == 0, "%d grants without an end", w->outstanding);
    WATCH(w, !w->settings.has_sensor || w->asked == w->completed + w->not_used + w->interrupted, "the ends don't add up");
    WATCH(w, lane_input(&w->lane, &stop) != 0 && lane_next_us(&w->lane, w->now_us) == INT64_MAX, "it goes on after the end");
}

#endif
