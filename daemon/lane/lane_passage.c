/* One person's way through: who waits, the relay for who goes, the turn of the arm, the end. Never two grants for one turn.
 * For lane.c and lane_table.c; main thread. */
#include "daemon/lane/lane_parts.h"

#include <string.h>

static bool verdict_waits(const struct lane *lane)
{
    return lane->waiting_count > 0 && !lane->waiting[lane->waiting_count - 1].is_override;
}

static int overrides_waiting(const struct lane *lane)
{
    return lane->waiting_count - (verdict_waits(lane) ? 1 : 0);
}

static bool may_begin(const struct lane *lane)
{
    return lane->phase == LANE_CLOSED && !lane->relay_on && lane->now_us >= lane->relay_ready_at_us;
}

bool lane_can_open(const struct lane *lane, int open_questions)
{
    int places = (verdict_waits(lane) ? 0 : 1) + (may_begin(lane) && lane->waiting_count == 0 ? 1 : 0);
    if (lane->stopped || lane->emergency || lane->service || lane->alarms[LANE_ALARM_HELD])
        return false;
    return places > open_questions;
}

/* ---- the relay --------------------------------------------------------------------------------------------------- */

static void relay_open(struct lane *lane)
{
    lane->relay_on = true;
    lane->relay_opened_us = lane->now_us;
    lane->relay_off_at_us =
        lane->now_us + lane_us(lane->settings.relay_level ? lane->settings.passage_wait_ms : lane->settings.pulse_ms);
}

void lane_relay_moved(struct lane *lane, int64_t at_us)
{
    const int64_t later_us = at_us - lane->relay_opened_us, most_us = lane_us(LANE_RELAY_LATE_MAX_MS);
    const int64_t shift_us = later_us < most_us ? later_us : most_us;
    if (!lane->relay_on || shift_us <= 0)
        return;
    lane->relay_opened_us += shift_us;
    lane->relay_off_at_us += shift_us;
    lane->wait_until_us += shift_us;
}

/* The gap counts from now, when the wire really moves, not from when it should have. */
void lane_relay_close(struct lane *lane)
{
    if (!lane->relay_on)
        return;
    lane->relay_on = false;
    lane->relay_ready_at_us = lane->now_us + lane_us(lane->settings.pulse_gap_ms);
}

/* ---- ends -------------------------------------------------------------------------------------------------------- */

void lane_grant_ended(struct lane *lane, enum lane_effect_kind end, const struct lane_grant *grant, const char *detail)
{
    struct lane_effect *effect = lane_effect(lane, end, detail);
    memcpy(effect->bound_event_id, grant->event_id, sizeof effect->bound_event_id);
    effect->direction = grant->direction;
}

/* The relay closes with the passage: what is left of a pulse would be a second person's. Without a sensor a grant whose pulse
 * is over took its course: whatever ends it now, nobody can say that nobody went. */
void lane_end_open(struct lane *lane, enum lane_effect_kind end, const char *detail)
{
    if (lane->settings.has_sensor || lane->relay_on)
        lane_grant_ended(lane, end, &lane->open, detail);
    lane->phase = LANE_CLOSED;
    lane_relay_close(lane);
    if (end == LANE_COMPLETED && lane->settings.tailgating_ms > 0)
        lane->tailgating_until_us = lane->now_us + lane_us(lane->settings.tailgating_ms);
}

static struct lane_grant take_waiting(struct lane *lane, int place)
{
    struct lane_grant taken = lane->waiting[place];
    lane->waiting_count--;
    for (int i = place; i < lane->waiting_count; i++)
        lane->waiting[i] = lane->waiting[i + 1];
    return taken;
}

void lane_interrupt(struct lane *lane, bool overrides_and_turning_too, const char *detail)
{
    bool may_cut = overrides_and_turning_too || (lane->phase == LANE_GRANTED && !lane->open.is_override);
    if (lane->phase != LANE_CLOSED && may_cut)
        lane_end_open(lane, LANE_INTERRUPTED, detail);
    while (lane->waiting_count > 0 && (overrides_and_turning_too || verdict_waits(lane))) {
        const struct lane_grant cut = take_waiting(lane, lane->waiting_count - 1);
        lane_grant_ended(lane, LANE_INTERRUPTED, &cut, detail);
    }
}

void lane_withdraw(struct lane *lane, const char *event_id, const char *detail)
{
    if (lane->phase == LANE_GRANTED && strcmp(lane->open.event_id, event_id) == 0)
        lane_end_open(lane, LANE_NOT_USED, detail);
    for (int i = lane->waiting_count - 1; i >= 0; i--)
        if (strcmp(lane->waiting[i].event_id, event_id) == 0) {
            const struct lane_grant withdrawn = take_waiting(lane, i);
            lane_grant_ended(lane, LANE_NOT_USED, &withdrawn, detail);
        }
}

/* ---- beginnings -------------------------------------------------------------------------------------------------- */

bool lane_takes_override(const struct lane *lane)
{
    return overrides_waiting(lane) < LANE_OVERRIDES_WAITING_MAX;
}

/* The guard's word goes before a verdict that waits. */
bool lane_grant(struct lane *lane, const struct lane_grant *grant)
{
    bool room = grant->is_override ? lane_takes_override(lane) : !verdict_waits(lane);
    if (!room) {
        lane_grant_ended(lane, LANE_NOT_USED, grant, "too many wait");
        return false;
    }
    int place = grant->is_override ? overrides_waiting(lane) : lane->waiting_count;
    for (int i = lane->waiting_count; i > place; i--)
        lane->waiting[i] = lane->waiting[i - 1];
    lane->waiting[place] = *grant;
    lane->waiting_count++;
    return true;
}

/* In the gap between two pulses the next person may already push: it is their turn, and no pulse comes after it. */
bool lane_arm_takes_grant(struct lane *lane)
{
    if (lane->phase == LANE_CLOSED && lane->waiting_count > 0) {
        lane->open = take_waiting(lane, 0);
        lane->phase = LANE_GRANTED;
    }
    if (lane->phase != LANE_GRANTED)
        return false;
    lane->phase = LANE_TURNING;
    return true;
}

static void begin_next(struct lane *lane)
{
    lane->open = take_waiting(lane, 0);
    lane->phase = LANE_GRANTED;
    relay_open(lane);
    lane->wait_until_us = lane->settings.has_sensor
                              ? lane->now_us + lane_us(lane->settings.passage_wait_ms)
                              : lane->relay_off_at_us + lane_us(lane->settings.pulse_gap_ms);
}

void lane_passage_begin(struct lane *lane)
{
    /* An arm that never comes to rest must not keep the guard's press from its effect. */
    if (lane->phase == LANE_TURNING && lane->alarms[LANE_ALARM_HELD] && overrides_waiting(lane) > 0)
        lane_end_open(lane, LANE_INTERRUPTED, "the arm was held");
    if (may_begin(lane) && lane->waiting_count > 0)
        begin_next(lane);
}

/* ---- time -------------------------------------------------------------------------------------------------------- */

/* Who waited so long is gone: an opening now would be a stranger's. Three presses before it take their time. */
static int64_t given_up_at_us(const struct lane *lane, const struct lane_grant *grant)
{
    return grant->asked_at_us +
           (grant->is_override ? LANE_WAITING_MAX : 2) * lane_us(lane->settings.passage_wait_ms + lane->settings.pulse_gap_ms);
}

void lane_passage_deadlines(struct lane *lane)
{
    if (lane->relay_on && lane->now_us >= lane->relay_off_at_us)
        lane_relay_close(lane);
    for (int i = lane->waiting_count - 1; i >= 0; i--)
        if (lane->now_us >= given_up_at_us(lane, &lane->waiting[i])) {
            const struct lane_grant gone = take_waiting(lane, i);
            lane_grant_ended(lane, LANE_NOT_USED, &gone, "waited too long");
        }
}

static void sooner(int64_t *next_us, int64_t candidate_us)
{
    if (candidate_us < *next_us)
        *next_us = candidate_us;
}

int64_t lane_passage_next_us(const struct lane *lane)
{
    int64_t next_us = INT64_MAX;
    if (lane->relay_on)
        sooner(&next_us, lane->relay_off_at_us);
    if (lane->phase == LANE_GRANTED)
        sooner(&next_us, lane->wait_until_us);
    if (lane->phase == LANE_CLOSED && lane->waiting_count > 0 && !lane->relay_on)
        sooner(&next_us, lane->relay_ready_at_us);
    for (int i = 0; i < lane->waiting_count; i++)
        sooner(&next_us, given_up_at_us(lane, &lane->waiting[i]));
    return next_us;
}
