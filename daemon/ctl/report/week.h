/* The figures of a week, by the tallies of the journals that are read, and the rows that a report names one by one. */
#ifndef CTL_REPORT_WEEK_H
#define CTL_REPORT_WEEK_H

#include "daemon/ctl/lists/lists.h"

enum { WEEK_DAYS = 7, WEEK_HOURS = 24, WEEK_LISTED_MAX = 1000, WEEK_ALARMS_MAX = 24 };

/* What two weeks are compared by. */
struct week_totals {
    int64_t events, untrusted; /* untrusted: of them under a clock that wasn't */
    int64_t passages[DIRECTION_COUNT]; /* entries, exits, and those of lanes without a direction */
    int64_t granted, held, denied, overrides, not_used, interrupted, alarms, undeclared; /* undeclared: held or denied for it */
};

struct week_override {
    int64_t at_us;
    char lane[JOURNAL_LANE_BYTES];
    char person[JOURNAL_ID_BYTES];        /* "" = nobody known */
    char operator_name[JOURNAL_OPERATOR_BYTES]; /* "" = the guard's button */
    char detail[96];                      /* which guard; an operator's why */
    enum reason asked;                    /* of the refusal that it answered; REASON_NONE: of none */
    enum declaration_status status;
};

struct week_alarm {
    int64_t at_us;
    char lane[JOURNAL_LANE_BYTES], alarm[32], detail[96];
};

struct week_report {
    struct ctl *ctl;
    struct site site;
    struct reading reading;
    struct week week, week_before;
    int64_t until_s;  /* the week's end, or now */
    bool ended;       /* the week is over */
    int64_t began_us; /* of the oldest event that any of the journals ever counted; 0 = none */
    struct week_totals totals, before; /* before: of the week before, up to the same time in it */
    int64_t by_hour[WEEK_DAYS][WEEK_HOURS][DIRECTION_COUNT];
    int64_t by_status[STATUS_COUNT][DIRECTION_COUNT]; /* passages */
    int64_t held_by[REASON_COUNT], denied_by[REASON_COUNT];
    int64_t by_lane[READING_SOURCES_MAX][DIRECTION_COUNT], refused_by_lane[READING_SOURCES_MAX];
    int64_t busiest_s, busiest; /* the quarter of an hour with the most passages, the first of them; 0 = none */
    struct week_override *overrides; /* the first WEEK_LISTED_MAX */
    int64_t overrides_count, overrides_undeclared;
    struct week_alarm *alarms;
    int64_t alarms_count;
    struct {
        char name[32];
        int64_t count;
    } by_alarm[WEEK_ALARMS_MAX];
    int by_alarm_count;
};

/* Everything but ctl, site, reading, week and ended is filled in. 0 or negative errno; *ret_source is what failed. */
int week_count(struct week_report *report, const struct reading_source **ret_source);
void week_free(struct week_report *report);

int64_t week_day_sum(const struct week_report *report, int day, enum direction direction);
int64_t week_hour_sum(const struct week_report *report, int hour, enum direction direction);
/* Rows that the tally counts and the journal has no more: purged by age or for want of room. */
int64_t week_overrides_gone(const struct week_report *report);
int64_t week_alarms_gone(const struct week_report *report);

#endif
