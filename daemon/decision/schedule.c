/* Weekly windows by group, and holidays, by local time. Called by decide() in the journal thread; the readers of texts by
 * settings/ at start-up. Pure. */
#include "daemon/decision/schedule.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/decision/time_sums.h"
#include "daemon/decision/time_text.h"

enum { WEEK_DAYS = 7, DAY_MINUTES = 1440, ALL_DAYS = 0x7f, MONDAY_OF_EPOCH = 3 /* 1970-01-01 was a Thursday */ };

static bool is_group(const struct schedule_row *row, const char *group)
{
    return strncmp(row->group, group, sizeof row->group) == 0;
}

static bool has_rows(const struct schedule *schedule, size_t count, const char *group)
{
    for (size_t i = 0; i < count; i++)
        if (is_group(&schedule->rows[i], group))
            return true;
    return false;
}

static int compare_days(const void *key, const void *element)
{
    int64_t day = *(const int64_t *)key, other = *(const int32_t *)element;
    return (day > other) - (day < other);
}

static bool is_holiday(const struct schedule *schedule, int64_t day)
{
    size_t count = schedule->holidays_count < HOLIDAYS_MAX ? schedule->holidays_count : HOLIDAYS_MAX;
    return bsearch(&day, schedule->holidays, count, sizeof schedule->holidays[0], compare_days) != NULL;
}

/* Does this row's window begin on that day? */
static bool begins_on(const struct schedule *schedule, const struct schedule_row *row, int64_t day)
{
    int64_t from_monday = day + MONDAY_OF_EPOCH;
    int week_day = (int)(from_monday - divide_down(from_monday, WEEK_DAYS) * WEEK_DAYS);

    return (row->days >> week_day & 1) && (row->on_holidays || !is_holiday(schedule, day));
}

static bool row_allows(const struct schedule *schedule, const struct schedule_row *row, int64_t day, int minute)
{
    if (row->from_min < row->to_min)
        return minute >= row->from_min && minute < row->to_min && begins_on(schedule, row, day);
    return (minute >= row->from_min && begins_on(schedule, row, day)) ||
           (minute < row->to_min && begins_on(schedule, row, day - 1));
}

bool schedule_allows(const struct schedule *schedule, const char *group, const struct moment *moment)
{
    size_t count = schedule->count < SCHEDULE_ROWS_MAX ? schedule->count : SCHEDULE_ROWS_MAX;
    int64_t minutes = divide_down(add_saturated(moment->now_s, moment->utc_offset_s), MINUTE_SECONDS);
    int64_t day = divide_down(minutes, DAY_MINUTES);
    int minute = (int)(minutes - day * DAY_MINUTES);

    if (group[0] == '\0' || !has_rows(schedule, count, group))
        group = "*";
    if (!has_rows(schedule, count, group))
        return true;
    for (size_t i = 0; i < count; i++)
        if (is_group(&schedule->rows[i], group) && row_allows(schedule, &schedule->rows[i], day, minute))
            return true;
    return false;
}

/* ---- from text ---- */

static const char week_days[WEEK_DAYS][4] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};

static bool take_day(const char **text, int *ret)
{
    for (int day = 0; day < WEEK_DAYS; day++) {
        if (strncmp(*text, week_days[day], 3) == 0) {
            *text += 3;
            *ret = day;
            return true;
        }
    }
    return false;
}

/* "fri" or "fri-mon", which goes over the week's end. */
static bool take_days(const char **text, uint8_t *bits)
{
    int first, last;

    if (!take_day(text, &first))
        return false;
    last = first;
    if (**text == '-') {
        (*text)++;
        if (!take_day(text, &last))
            return false;
    }
    for (int day = first;; day = (day + 1) % WEEK_DAYS) {
        *bits |= (uint8_t)(1u << day);
        if (day == last)
            return true;
    }
}

bool schedule_days_from_text(const char *text, uint8_t *ret)
{
    uint8_t bits = 0;

    if (strcmp(text, "daily") == 0) {
        *ret = ALL_DAYS;
        return true;
    }
    while (take_days(&text, &bits)) {
        if (*text == '\0') {
            *ret = bits;
            return true;
        }
        if (*text++ != ',')
            return false;
        text += *text == ' ';
    }
    return false;
}

static bool is_pattern(const char *text, const char *pattern)
{
    for (; *pattern != '\0'; text++, pattern++)
        if (*pattern == '9' ? *text < '0' || *text > '9' : *text != *pattern)
            return false;
    return *text == '\0';
}

bool schedule_minutes_from_text(const char *text, int *ret)
{
    if (!is_pattern(text, "99:99"))
        return false;
    int hours = (text[0] - '0') * 10 + text[1] - '0', minutes = (text[3] - '0') * 10 + text[4] - '0';
    if (minutes > 59 || hours * 60 + minutes > DAY_MINUTES)
        return false;
    *ret = hours * 60 + minutes;
    return true;
}

bool schedule_date_from_text(const char *text, int32_t *ret)
{
    char midnight[TIME_TEXT_BYTES];
    int64_t at_s;

    if (!is_pattern(text, "9999-99-99"))
        return false;
    int length = snprintf(midnight, sizeof midnight, "%sT00:00:00Z", text);
    if (length < 0 || !time_text_read(midnight, (size_t)length, &at_s, NULL))
        return false;
    *ret = (int32_t)(at_s / DAY_SECONDS);
    return true;
}
