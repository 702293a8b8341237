/* What lane.c, lane_passage.c, lane_table.c and lane_print.c share. Internal to lane/. */
#ifndef LANE_LANE_PARTS_H
#define LANE_LANE_PARTS_H

#include "daemon/lane/lane.h"

/* Rows of the table: what an input or a deadline is to the machine. */
enum lane_stimulus {
    LANE_ON_GRANT,
    LANE_ON_REFUSAL,
    LANE_ON_MUST_WAIT,
    LANE_ON_UNREADABLE,
    LANE_ON_PRESS,
    LANE_ON_LONG_PRESS,
    LANE_ON_STUCK,
    LANE_ON_RELEASE,
    LANE_ON_ARM_TURNS,
    LANE_ON_ARM_RESTS,
    LANE_ON_ARM_HELD,
    LANE_ON_WAIT_OVER,
    LANE_ON_FIRE,
    LANE_ON_FIRE_OVER,
    LANE_ON_FIRE_RESET,
    LANE_ON_TAMPER,
    LANE_ON_SERVICE,
    LANE_ON_FAULT,
    LANE_ON_NORMAL,
    LANE_ON_LOCK_DOWN,
    LANE_ON_HOLD_OPEN,
    LANE_ON_HOLD_OPEN_OVER,
    LANE_ON_OPEN,
    LANE_ON_IDENTIFY,
    LANE_STIMULUS_COUNT
};

static inline int64_t lane_us(int ms)
{
    return (int64_t)ms * 1000;
}

/* lane_table.c: what the cell of stimulus and mode does, and its words. */
int lane_act(struct lane *lane, enum lane_stimulus stimulus, const struct lane_input *input);
const char *lane_cell_words(enum lane_stimulus stimulus, enum lane_mode mode);
const char *lane_stimulus_words(enum lane_stimulus stimulus);

/* lane.c */
struct lane_effect *lane_effect(struct lane *lane, enum lane_effect_kind kind, const char *detail);
void lane_alarm(struct lane *lane, enum lane_alarm alarm, bool on, const char *detail);
void lane_say(struct lane *lane, enum signal signal);
void lane_say_if_quiet(struct lane *lane, enum signal signal);
void lane_end_hold_open(struct lane *lane, const char *detail);

/* lane_passage.c. A grant that finds no place ends not_used at once: false. */
bool lane_grant(struct lane *lane, const struct lane_grant *grant);
bool lane_takes_override(const struct lane *lane); /* one more may wait */
void lane_grant_ended(struct lane *lane, enum lane_effect_kind end, const struct lane_grant *grant, const char *detail);
void lane_end_open(struct lane *lane, enum lane_effect_kind end, const char *detail);
void lane_interrupt(struct lane *lane, bool overrides_and_turning_too, const char *detail);
void lane_withdraw(struct lane *lane, const char *event_id, const char *detail);
bool lane_arm_takes_grant(struct lane *lane); /* the arm begins to turn: true when that is somebody's way */
void lane_relay_close(struct lane *lane);
void lane_passage_deadlines(struct lane *lane); /* the relay's end, those who waited too long */
void lane_passage_begin(struct lane *lane);     /* the next one's way, when it may */
int64_t lane_passage_next_us(const struct lane *lane);

#endif
