/* Counts a week: the tally for the figures, the journal's rows for overrides and alarms. */
#include "daemon/ctl/report/week.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/journal/database.h"
#include "daemon/journal/event.h"

enum { QUARTER_S = 900, DAY_QUARTERS = 110 /* of the longest day */, QUARTERS_MAX = 8 * DAY_QUARTERS };

static const char TALLY[] = "SELECT quarter, kind, reason, status, direction, clock_trusted, events, passages FROM tally WHERE "
                            "quarter >= ?1 AND quarter < ?2 ORDER BY quarter";

struct tally_row {
    int64_t quarter, events, passages;
    enum event_kind kind;
    enum reason reason;
    enum declaration_status status;
    enum direction direction;
    bool trusted;
};
typedef void take_tally(const struct tally_row *row, int source, void *userdata);

static int read_tally_row(sqlite3_stmt *s, struct tally_row *ret)
{
    *ret = (struct tally_row){ .quarter = sqlite3_column_int64(s, 0),
                               .trusted = sqlite3_column_int(s, 5) != 0,
                               .events = sqlite3_column_int64(s, 6),
                               .passages = sqlite3_column_int64(s, 7) };
    return event_kind_from_name(column_name(s, 1), &ret->kind) && reason_from_name(column_name(s, 2), &ret->reason) &&
                   declaration_status_from_name(column_name(s, 3), &ret->status) &&
                   direction_from_name(column_name(s, 4), &ret->direction)
               ? 0
               : -EILSEQ;
}

static int walk_tally(const struct reading *reading, int64_t from_s, int64_t until_s, const struct reading_source **ret_source,
                      take_tally *take, void *userdata)
{
    int error = 0;
    for (int i = 0; i < reading->count && error == 0; i++) {
        struct tally_row row;
        sqlite3_stmt *s = NULL;
        int code = SQLITE_DONE;
        *ret_source = &reading->sources[i];
        error = database_error(sqlite3_prepare_v2(reading->sources[i].db, TALLY, -1, &s, NULL));
        if (error == 0 && (sqlite3_bind_int64(s, 1, from_s / QUARTER_S) != SQLITE_OK ||
                           sqlite3_bind_int64(s, 2, (until_s + QUARTER_S - 1) / QUARTER_S) != SQLITE_OK))
            error = -ENOMEM;
        while (error == 0 && (code = sqlite3_step(s)) == SQLITE_ROW) {
            error = read_tally_row(s, &row);
            if (error == 0)
                take(&row, i, userdata);
        }
        if (error == 0)
            error = database_error(code);
        (void)sqlite3_finalize(s); /* accepts NULL; repeats the code of step */
    }
    return error;
}

/* ---- the figures --------------------------------------------------------------------------------------------------- */

static void add_totals(struct week_totals *totals, const struct tally_row *row)
{
    totals->events += row->events;
    totals->untrusted += row->trusted ? 0 : row->events;
    totals->passages[row->direction] += row->passages;
    switch (row->kind) {
    case EVENT_GRANTED: totals->granted += row->events; break;
    case EVENT_HELD: totals->held += row->events; break;
    case EVENT_DENIED: totals->denied += row->events; break;
    case EVENT_OVERRIDE: totals->overrides += row->events; break;
    case EVENT_NOT_USED: totals->not_used += row->events; break;
    case EVENT_INTERRUPTED: totals->interrupted += row->events; break;
    case EVENT_ALARM_BEGIN: totals->alarms += row->events; break;
    default: break;
    }
    if (event_is_verdict(row->kind) && row->reason == REASON_NO_DECLARATION)
        totals->undeclared += row->events;
}

static void take_before(const struct tally_row *row, int source, void *userdata)
{
    (void)source; /* both weeks are of all lanes */
    add_totals(userdata, row);
}

struct counting {
    struct week_report *report;
    int64_t quarters[QUARTERS_MAX]; /* passages of each since the week began */
    int64_t at_quarter;             /* whose cell is … */
    int day, hour;
};

static void take_row(const struct tally_row *row, int source, void *userdata)
{
    struct counting *counting = userdata;
    struct week_report *report = counting->report;
    const int64_t place = row->quarter - report->week.days_s[0] / QUARTER_S;
    add_totals(&report->totals, row);
    if (row->quarter != counting->at_quarter) {
        counting->at_quarter = row->quarter;
        week_cell(&report->week, row->quarter * QUARTER_S, &counting->day, &counting->hour);
    }
    report->by_hour[counting->day][counting->hour][row->direction] += row->passages;
    report->by_status[row->status][row->direction] += row->passages;
    report->by_lane[source][row->direction] += row->passages;
    if (row->kind == EVENT_HELD)
        report->held_by[row->reason] += row->events;
    if (row->kind == EVENT_DENIED)
        report->denied_by[row->reason] += row->events;
    if (row->kind == EVENT_HELD || row->kind == EVENT_DENIED)
        report->refused_by_lane[source] += row->events;
    if (place >= 0 && place < QUARTERS_MAX)
        counting->quarters[place] += row->passages;
}

static void find_busiest(struct week_report *report, const struct counting *counting)
{
    for (int i = 0; i < QUARTERS_MAX; i++) {
        if (counting->quarters[i] > report->busiest) {
            report->busiest = counting->quarters[i];
            report->busiest_s = report->week.days_s[0] + (int64_t)i * QUARTER_S;
        }
    }
}

static int read_began(struct week_report *report)
{
    int error = 0;
    for (int i = 0; i < report->reading.count && error == 0; i++) {
        sqlite3_stmt *s = NULL;
        int code = sqlite3_prepare_v2(report->reading.sources[i].db, "SELECT min(quarter) FROM tally", -1, &s, NULL);
        if (code == SQLITE_OK && (code = sqlite3_step(s)) == SQLITE_ROW && sqlite3_column_type(s, 0) != SQLITE_NULL) {
            const int64_t us = sqlite3_column_int64(s, 0) * QUARTER_S * 1000000;
            report->began_us = report->began_us == 0 || us < report->began_us ? us : report->began_us;
        }
        error = database_error(code);
        (void)sqlite3_finalize(s); /* repeats the code of step */
    }
    return error;
}

/* ---- rows one by one ------------------------------------------------------------------------------------------------ */

/* What an override answered: reason and status of the refusal it is bound to. */
static int find_asked(const struct reading_source *source, const char *event_id, struct week_override *ret)
{
    sqlite3_stmt *s = NULL;
    int code = sqlite3_prepare_v2(source->db, "SELECT reason, status FROM event WHERE event_id = ?1", -1, &s, NULL);
    int error = database_error(code);
    ret->asked = REASON_NONE;
    if (error == 0)
        error = bind_text(s, 1, event_id) == SQLITE_OK ? 0 : -ENOMEM;
    if (error == 0 && (code = sqlite3_step(s)) == SQLITE_ROW)
        error = reason_from_name(column_name(s, 0), &ret->asked) && declaration_status_from_name(column_name(s, 1), &ret->status)
                    ? 0
                    : -EILSEQ;
    else if (error == 0)
        error = database_error(code);
    (void)sqlite3_finalize(s); /* accepts NULL; repeats the code of step */
    return error;
}

static int take_override(const struct reading_source *source, const struct stored_event *row, void *userdata)
{
    struct week_report *report = userdata;
    const struct event *event = &row->event;
    struct week_override override = { .at_us = event->at_us, .status = event->status };
    const int error = event->bound_event_id[0] ? find_asked(source, event->bound_event_id, &override)
                                               : (override.asked = REASON_NONE, 0);
    if (error < 0)
        return error;
    memcpy(override.lane, source->lane, sizeof(override.lane));
    memcpy(override.person, event->person, sizeof(override.person));
    memcpy(override.operator_name, event->operator_name, sizeof(override.operator_name));
    memcpy(override.detail, event->detail, sizeof(override.detail));
    report->overrides_undeclared += override.asked == REASON_NO_DECLARATION;
    if (report->overrides_count < WEEK_LISTED_MAX)
        report->overrides[report->overrides_count] = override;
    report->overrides_count++;
    return 0;
}

static int take_alarm(const struct reading_source *source, const struct stored_event *row, void *userdata)
{
    struct week_report *report = userdata;
    const struct event *event = &row->event;
    int i = 0;
    if (report->alarms_count < WEEK_LISTED_MAX) {
        struct week_alarm *alarm = &report->alarms[report->alarms_count];
        alarm->at_us = event->at_us;
        memcpy(alarm->lane, source->lane, sizeof(alarm->lane));
        memcpy(alarm->alarm, event->alarm, sizeof(alarm->alarm));
        memcpy(alarm->detail, event->detail, sizeof(alarm->detail));
    }
    report->alarms_count++;
    const size_t length = strlen(event->alarm); /* of a file of messages it may be anything */
    const char *name = length > 0 && strspn(event->alarm, "abcdefghijklmnopqrstuvwxyz_") == length ? event->alarm : "other";
    while (i < report->by_alarm_count && strcmp(report->by_alarm[i].name, name) != 0)
        i++;
    if (i == WEEK_ALARMS_MAX)
        i--; /* more kinds than there are: the last one takes them */
    else if (i == report->by_alarm_count)
        (void)snprintf(report->by_alarm[report->by_alarm_count++].name, sizeof(report->by_alarm[0].name), "%s", name);
    report->by_alarm[i].count++;
    return 0;
}

static int list_rows(struct week_report *report, const struct reading_source **ret_source)
{
    const struct reading_filter overrides = { .from_us = report->week.days_s[0] * 1000000,
                                              .until_us = report->week.days_s[WEEK_DAYS] * 1000000,
                                              .kind = event_kind_name(EVENT_OVERRIDE) };
    struct reading_filter alarms = overrides;
    alarms.kind = event_kind_name(EVENT_ALARM_BEGIN);
    report->overrides = calloc(WEEK_LISTED_MAX, sizeof(*report->overrides));
    report->alarms = calloc(WEEK_LISTED_MAX, sizeof(*report->alarms));
    if (!report->overrides || !report->alarms)
        return -ENOMEM;
    const int error = reading_events(&report->reading, &overrides, 0, ret_source, take_override, report);
    return error < 0 ? error : reading_events(&report->reading, &alarms, 0, ret_source, take_alarm, report);
}

int week_count(struct week_report *report, const struct reading_source **ret_source)
{
    struct counting *counting = calloc(1, sizeof(*counting));
    if (!counting)
        return -ENOMEM;
    counting->report = report;
    counting->at_quarter = INT64_MIN;
    const int64_t begin_s = report->week.days_s[0], before_s = report->week_before.days_s[0];
    int64_t before_until_s = before_s + (report->until_s - begin_s);
    if (report->ended || before_until_s > begin_s)
        before_until_s = begin_s;
    int error = walk_tally(&report->reading, begin_s, report->until_s, ret_source, take_row, counting);
    if (error == 0)
        error = walk_tally(&report->reading, before_s, before_until_s, ret_source, take_before, &report->before);
    if (error == 0)
        find_busiest(report, counting);
    free(counting);
    if (error == 0)
        error = read_began(report);
    return error < 0 ? error : list_rows(report, ret_source);
}

void week_free(struct week_report *report)
{
    free(report->overrides);
    free(report->alarms);
    report->overrides = NULL;
    report->alarms = NULL;
}

/* ---- sums ----------------------------------------------------------------------------------------------------------- */

int64_t week_day_sum(const struct week_report *report, int day, enum direction direction)
{
    int64_t sum = 0;
    for (int hour = 0; hour < WEEK_HOURS; hour++)
        sum += report->by_hour[day][hour][direction];
    return sum;
}

int64_t week_hour_sum(const struct week_report *report, int hour, enum direction direction)
{
    int64_t sum = 0;
    for (int day = 0; day < WEEK_DAYS; day++)
        sum += report->by_hour[day][hour][direction];
    return sum;
}

static int64_t gone(int64_t counted, int64_t listed)
{
    return counted > listed ? counted - listed : 0;
}

int64_t week_overrides_gone(const struct week_report *report)
{
    return gone(report->totals.overrides, report->overrides_count);
}

int64_t week_alarms_gone(const struct week_report *report)
{
    return gone(report->totals.alarms, report->alarms_count);
}
