/* The account that lane_watch.h keeps of a lane, and what each effect must look like in it. */
#ifndef TESTS_LANE_ACCOUNT_H
#define TESTS_LANE_ACCOUNT_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/lane/lane.h"

enum { WATCH_GRANTS_MAX = 16384, WATCH_EFFECTS_MAX = 64 };
enum watch_grant_state { WATCH_NOT_ASKED, WATCH_OUTSTANDING, WATCH_ENDED };

struct watch_grant {
    uint8_t state; /* enum watch_grant_state */
    bool is_override, opened; /* opened: the relay moved for it */
    enum direction direction;
    int64_t asked_at_us;
};

struct watch {
    struct lane lane;
    struct lane_settings settings;
    int64_t now_us;
    char fault[160]; /* "": none */
    uint64_t checks;
    int effects_most; /* that one input caused */
    uint64_t modes[LANE_MODE_COUNT]; /* inputs that ended in each */

    /* the account */
    bool fire, emergency, lock_down, service, tamper, sensor, button, alarms[LANE_ALARM_COUNT];
    unsigned faults;
    int64_t hold_open_until_us, button_since_us, sensor_since_us, tailgating_until_us;
    bool was_free, button_pressed, held_by_press; /* the button went down in our time; what that press began */
    char turn_owner[LANE_EVENT_ID_BYTES]; /* whose turn the arm is in; "": nobody's */
    char refused[LANE_EVENT_ID_BYTES];
    enum direction refused_direction;
    int64_t refused_at_us;
    struct watch_grant *grants; /* by the number in "g12" */
    int grants_first;           /* all before it have ended */
    int grants_end, outstanding, inside, completed, not_used, interrupted, overrides, asked;
    bool open;
    int opened;
    int64_t open_since_us, closed_since_us, bound_us, longest_bound_us, longest_wait_us, shortest_gap_us;

    /* of the last input */
    struct lane_effect effects[WATCH_EFFECTS_MAX];
    int effects_count;
    uint64_t story; /* of all effects: watch_story() */
    bool levels[LANE_OUTPUT_COUNT];
};

#define WATCH(w, condition, ...)                                                                                       \
    do {                                                                                                               \
        (w)->checks++;                                                                                                 \
        if (!(condition) && (w)->fault[0] == '\0')                                                                     \
            (void)snprintf((w)->fault, sizeof(w)->fault, __VA_ARGS__);                                                 \
    } while (0)

static inline int64_t watch_us(int ms)
{
    return (int64_t)ms * 1000;
}

static inline struct watch_grant *watch_grant(struct watch *w, const char *event_id)
{
    int number = event_id[0] == 'g' ? atoi(event_id + 1) : -1;
    return number >= 0 && number < WATCH_GRANTS_MAX ? &w->grants[number] : NULL;
}

static inline bool watch_is_free(const struct watch *w)
{
    enum lane_mode mode = w->lane.mode;
    return mode == LANE_HOLD_OPEN || mode == LANE_EMERGENCY || (mode == LANE_OUT_OF_ORDER && w->service);
}

static inline void watch_asked(struct watch *w, const char *event_id, bool is_override, enum direction direction)
{
    struct watch_grant *grant = watch_grant(w, event_id);
    int number = grant == NULL ? 0 : (int)(grant - w->grants);
    WATCH(w, grant != NULL && grant->state == WATCH_NOT_ASKED, "%s was asked before, or isn't a grant", event_id);
    if (grant == NULL)
        return;
    *grant = (struct watch_grant){WATCH_OUTSTANDING, is_override, false, direction, w->now_us};
    w->grants_end = number >= w->grants_end ? number + 1 : w->grants_end;
    w->outstanding++;
    w->overrides += is_override;
    w->asked++;
}

/* ---- effects ----------------------------------------------------------------------------------------------------- */

static inline int watch_count(const struct watch *w, enum lane_effect_kind kind)
{
    int count = 0;
    for (int i = 0; i < w->effects_count; i++)
        count += w->effects[i].kind == kind;
    return count;
}

static inline bool watch_ended_now(const struct watch *w, const char *event_id)
{
    for (int i = 0; i < w->effects_count; i++)
        if (w->effects[i].kind >= LANE_COMPLETED && w->effects[i].kind <= LANE_INTERRUPTED &&
            strcmp(w->effects[i].bound_event_id, event_id) == 0)
            return true;
    return false;
}

static inline bool watch_alarm_began(const struct watch *w, enum lane_alarm alarm)
{
    for (int i = 0; i < w->effects_count; i++)
        if (w->effects[i].kind == LANE_ALARM_BEGIN && w->effects[i].alarm == alarm)
            return true;
    return false;
}

/* A verdict not yet under way by lock-down and service; everybody by fire and the end; and a guard's press by time alone or by
 * another press, when the arm has been held. */
static inline bool watch_may_interrupt(struct watch *w, const struct watch_grant *grant, const struct lane_input *input)
{
    bool turning = w->turn_owner[0] != '\0' && watch_grant(w, w->turn_owner) == grant;
    if (input->kind == LANE_IN_LOCK_DOWN || (input->kind == LANE_IN_SERVICE && input->on))
        return !grant->is_override && !turning;
    if (input->kind == LANE_IN_TIME || input->kind == LANE_IN_OPEN || (input->kind == LANE_IN_BUTTON && !w->emergency))
        return turning && w->alarms[LANE_ALARM_HELD];
    return input->kind == LANE_IN_FIRE || w->emergency || input->kind == LANE_INPUT_COUNT;
}

static inline void watch_end(struct watch *w, const struct lane_effect *e, const struct lane_input *input)
{
    struct watch_grant *grant = watch_grant(w, e->bound_event_id);
    const char *name = lane_effect_name(e->kind);
    WATCH(w, grant != NULL && grant->state == WATCH_OUTSTANDING, "%s of %s, which isn't under way", name, e->bound_event_id);
    if (grant == NULL || grant->state != WATCH_OUTSTANDING)
        return;
    WATCH(w, e->direction == grant->direction, "%s of %s: another direction", name, e->bound_event_id);
    WATCH(w, w->settings.has_sensor || !grant->opened || w->open, "%s of %s, and nobody can know", name, e->bound_event_id);
    WATCH(w, e->kind != LANE_INTERRUPTED || watch_may_interrupt(w, grant, input), "%s interrupted by %s", e->bound_event_id,
          lane_input_name(input->kind));
    grant->state = WATCH_ENDED;
    w->outstanding--;
    w->completed += e->kind == LANE_COMPLETED;
    w->not_used += e->kind == LANE_NOT_USED;
    w->interrupted += e->kind == LANE_INTERRUPTED;
    if (e->kind != LANE_COMPLETED) {
        if (strcmp(w->turn_owner, e->bound_event_id) == 0) {
            WATCH(w, e->kind == LANE_INTERRUPTED, "%s turned and is %s", e->bound_event_id, name);
            w->turn_owner[0] = '\0';
        }
        return;
    }
    w->inside++;
    WATCH(w, input->kind == LANE_IN_SENSOR && !input->on, "%s completed by %s", e->bound_event_id,
          lane_input_name(input->kind));
    WATCH(w, strcmp(w->turn_owner, e->bound_event_id) == 0, "%s completed, but the turn was '%s'", e->bound_event_id,
          w->turn_owner);
    w->tailgating_until_us = w->now_us + watch_us(w->settings.tailgating_ms);
}

/* Which input may cause which alarm; TIME: a deadline. */
static inline bool watch_may_cause(enum lane_alarm alarm, bool begin, const struct lane_input *input)
{
    enum lane_input_kind kind = input->kind;
    bool mode_change = kind == LANE_IN_FIRE || kind == LANE_IN_FIRE_RESET || kind == LANE_IN_SERVICE ||
                       kind == LANE_IN_NORMAL || kind == LANE_IN_LOCK_DOWN || kind == LANE_IN_HOLD_OPEN ||
                       kind == LANE_IN_FAULT || kind == LANE_IN_TIME;
    switch (alarm) {
    case LANE_ALARM_FORCED:
    case LANE_ALARM_TAILGATING: return kind == LANE_IN_SENSOR ? input->on == begin : !begin && mode_change;
    case LANE_ALARM_HELD: return begin ? kind == LANE_IN_TIME : mode_change || (kind == LANE_IN_SENSOR && !input->on);
    case LANE_ALARM_TAMPER: return kind == LANE_IN_TAMPER && input->on == begin;
    case LANE_ALARM_BUTTON_STUCK: return begin ? kind == LANE_IN_TIME : kind == LANE_IN_BUTTON && !input->on;
    case LANE_ALARM_HOLD_OPEN:
        return kind == LANE_IN_TIME ||
               (begin ? kind == LANE_IN_HOLD_OPEN : kind == LANE_IN_NORMAL || kind == LANE_IN_LOCK_DOWN);
    case LANE_ALARM_LOCK_DOWN: return kind == (begin ? LANE_IN_LOCK_DOWN : LANE_IN_NORMAL);
    case LANE_ALARM_EMERGENCY: return kind == (begin ? LANE_IN_FIRE : LANE_IN_FIRE_RESET);
    case LANE_ALARM_OUT_OF_ORDER: return (kind == LANE_IN_FAULT || kind == LANE_IN_SERVICE) && input->on == begin;
    case LANE_ALARM_COUNT: break;
    }
    return false;
}

static inline void watch_effect(struct watch *w, const struct lane_effect *e, const struct lane_input *input)
{
    bool begin = e->kind == LANE_ALARM_BEGIN;
    bool late_press = e->kind == LANE_OVERRIDE && input->happened_us != 0;
    WATCH(w, e->at_us == (late_press ? input->happened_us : w->now_us), "%s at %lld", lane_effect_name(e->kind), (long long)e->at_us);
    WATCH(w, e->detail != NULL, "%s without detail", lane_effect_name(e->kind));
    switch (e->kind) {
    case LANE_OVERRIDE:
        WATCH(w, input->kind == LANE_IN_BUTTON && input->on && strcmp(e->event_id, input->event_id) == 0,
              "override of nobody's press");
        WATCH(w, e->guard == input->guard, "override by another guard");
        watch_asked(w, e->event_id, true, e->direction);
        break;
    case LANE_COMPLETED:
    case LANE_NOT_USED:
    case LANE_INTERRUPTED: watch_end(w, e, input); break;
    case LANE_ALARM_BEGIN:
    case LANE_ALARM_END:
        WATCH(w, w->alarms[e->alarm] != begin, "alarm %s %s twice", lane_alarm_name(e->alarm), begin ? "begins" : "ends");
        WATCH(w, watch_may_cause(e->alarm, begin, input), "alarm %s %s by %s", lane_alarm_name(e->alarm),
              begin ? "begins" : "ends", lane_input_name(input->kind));
        w->alarms[e->alarm] = begin;
        if (e->alarm == LANE_ALARM_HOLD_OPEN) { /* by the button, unless the input says otherwise */
            bool by_button = begin && input->kind == LANE_IN_TIME;
            WATCH(w, !by_button || (w->button_pressed && w->now_us - w->button_since_us >= watch_us(w->settings.long_press_ms)),
                  "held open, but not by a long press");
            w->held_by_press = by_button;
            w->hold_open_until_us = begin ? w->now_us + (int64_t)w->settings.hold_open_max_s * 1000000 : 0;
            w->sensor_since_us = w->now_us; /* free until now, however short */
        }
        break;
    case LANE_MUSTER:
        WATCH(w, input->kind == LANE_IN_FIRE && input->on, "muster without fire");
        break;
    case LANE_EFFECT_COUNT: WATCH(w, false, "no such effect"); break;
    }
}

#endif
