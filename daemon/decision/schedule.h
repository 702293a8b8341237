/* When whom: weekly schedules by group, and holidays. Pure; local time by the moment's offset. */
#ifndef DECISION_SCHEDULE_H
#define DECISION_SCHEDULE_H

#include "daemon/decision/declaration.h"

enum { SCHEDULE_ROWS_MAX = 64, HOLIDAYS_MAX = 128 };

/* One window: group "*" is everybody who has no row of their own. from_min < to_min: on the days themselves; from_min >=
 * to_min: over midnight, belonging to the day it begins. Minutes of the day, to_min up to 1440 and not included. */
struct schedule_row {
    char group[CREDENTIAL_GROUP_BYTES];
    uint8_t days;      /* bit 0 = Monday … bit 6 = Sunday */
    int from_min, to_min;
    bool on_holidays;  /* true: also when the day it begins is a holiday */
};

struct schedule {
    struct schedule_row rows[SCHEDULE_ROWS_MAX];
    size_t count; /* 0: always open for everybody */
    int32_t holidays[HOLIDAYS_MAX]; /* local days since 1970-01-01, sorted */
    size_t holidays_count;
};

/* May this group pass now? A group without rows falls under "*"; without rows for "*" it may always pass. */
bool schedule_allows(const struct schedule *schedule, const char *group, const struct moment *moment);
/* "mon-fri", "sat,sun", "daily", "mon,wed-fri" -> bits; "06:00" -> minutes ("24:00" = 1440); "2026-02-17" -> days. */
bool schedule_days_from_text(const char *text, uint8_t *ret);
bool schedule_minutes_from_text(const char *text, int *ret);
bool schedule_date_from_text(const char *text, int32_t *ret);

#endif
