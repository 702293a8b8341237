/* Times as text, read character by character: a stranger's file may hold a million of them. Called by qrgatectl and
 * by the reader of MQTT messages. */
#include "daemon/decision/time_text.h"

#include <stdio.h>
#include <string.h>

enum { DAY_S = 86400, HOUR_S = 3600, MINUTE_S = 60, ZONE_HOURS_MAX = 14 };

struct cursor {
    const char *at, *end;
};

struct wall_clock {
    int year, month, day, hour, minute, second;
};

static bool at_digit(const struct cursor *cursor)
{
    return cursor->at < cursor->end && *cursor->at >= '0' && *cursor->at <= '9';
}

static bool take_number(struct cursor *cursor, int digits, int *ret)
{
    *ret = 0;
    for (int i = 0; i < digits; i++, cursor->at++) {
        if (!at_digit(cursor))
            return false;
        *ret = *ret * 10 + (*cursor->at - '0');
    }
    return true;
}

static bool take_char(struct cursor *cursor, const char *allowed)
{
    if (cursor->at >= cursor->end || *cursor->at == '\0' || !strchr(allowed, *cursor->at))
        return false;
    cursor->at++;
    return true;
}

static int days_of_month(int year, int month)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && leap ? 29 : days[month - 1];
}

/* Years counted from March, so that the leap day is a year's last. */
static int64_t days_since_1970(int year, int month, int day)
{
    const int64_t years = month <= 2 ? year - 1 : year;
    const int64_t months = month <= 2 ? month + 9 : month - 3;
    return 365 * years + years / 4 - years / 100 + years / 400 + (153 * months + 2) / 5 + day - 1 - 719468;
}

static bool clock_to_seconds(const struct wall_clock *clock, int64_t *ret_s)
{
    if (clock->year < 2000 || clock->year > 2200 || clock->month < 1 || clock->month > 12 || clock->day < 1 ||
        clock->day > days_of_month(clock->year, clock->month) || clock->hour > 23 || clock->minute > 59 ||
        clock->second > 59)
        return false;
    *ret_s = days_since_1970(clock->year, clock->month, clock->day) * DAY_S + clock->hour * HOUR_S +
             clock->minute * MINUTE_S + clock->second;
    return true;
}

static bool take_date_and_minutes(struct cursor *cursor, const char *between, struct wall_clock *ret)
{
    return take_number(cursor, 4, &ret->year) && take_char(cursor, "-") && take_number(cursor, 2, &ret->month) &&
           take_char(cursor, "-") && take_number(cursor, 2, &ret->day) && take_char(cursor, between) &&
           take_number(cursor, 2, &ret->hour) && take_char(cursor, ":") && take_number(cursor, 2, &ret->minute);
}

/* ":05", ":05.25": what comes after the sixth digit is read and dropped. */
static bool take_seconds(struct cursor *cursor, int *ret_s, int32_t *ret_us)
{
    *ret_us = 0;
    if (!take_char(cursor, ":") || !take_number(cursor, 2, ret_s))
        return false;
    if (!take_char(cursor, "."))
        return true;
    if (!at_digit(cursor))
        return false;
    for (int32_t place = 100000; at_digit(cursor); cursor->at++, place /= 10)
        *ret_us += (*cursor->at - '0') * place;
    return true;
}

/* "Z", "+07:00"; loosely also "+0700", "+07". To the end of the text. */
static bool take_zone(struct cursor *cursor, bool loosely, int *ret_offset_s)
{
    int hours, minutes = 0;
    *ret_offset_s = 0;
    if (take_char(cursor, "Zz"))
        return cursor->at == cursor->end;
    const int sign = cursor->at < cursor->end && *cursor->at == '-' ? -1 : 1;
    if (!take_char(cursor, "+-") || !take_number(cursor, 2, &hours))
        return false;
    const bool colon = take_char(cursor, ":");
    const bool short_form = loosely && !colon && cursor->at == cursor->end;
    if ((!colon && !loosely) || (!short_form && !take_number(cursor, 2, &minutes)))
        return false;
    *ret_offset_s = sign * (hours * HOUR_S + minutes * MINUTE_S);
    return cursor->at == cursor->end && hours <= ZONE_HOURS_MAX && minutes <= 59;
}

bool time_text_in_range(int64_t at_s)
{
    return at_s >= TIME_TEXT_LEAST_S && at_s <= TIME_TEXT_MOST_S;
}

bool time_text_read(const char *text, size_t length_bytes, int64_t *ret_s, int32_t *ret_us)
{
    struct cursor cursor = { text, text + length_bytes };
    struct wall_clock clock = { 0 };
    int64_t at_s;
    int32_t us;
    int offset_s;
    if (!take_date_and_minutes(&cursor, "Tt", &clock) || !take_seconds(&cursor, &clock.second, &us) ||
        !take_zone(&cursor, false, &offset_s) || !clock_to_seconds(&clock, &at_s) ||
        !time_text_in_range(at_s - offset_s))
        return false;
    *ret_s = at_s - offset_s;
    if (ret_us)
        *ret_us = us;
    return true;
}

static bool read_unix_seconds(const char *text, size_t length_bytes, int64_t *ret_s)
{
    int64_t at_s = 0;
    if (length_bytes == 0 || length_bytes > 10 || text[0] == '0') /* the range has no longer ones */
        return false;
    for (size_t i = 0; i < length_bytes; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        at_s = at_s * 10 + (text[i] - '0');
    }
    *ret_s = at_s;
    /* the range begins with nine digits: a year, or a date without dashes, is never taken for seconds */
    return time_text_in_range(at_s);
}

bool time_text_read_typed(const char *text, size_t length_bytes, int64_t *ret_s, bool *ret_local)
{
    struct cursor cursor = { text, text + length_bytes };
    struct wall_clock clock = { 0 };
    int64_t at_s;
    int32_t us;
    int offset_s = 0;
    *ret_local = false;
    if (read_unix_seconds(text, length_bytes, ret_s))
        return true;
    if (!take_date_and_minutes(&cursor, "Tt ", &clock) ||
        (cursor.at < cursor.end && *cursor.at == ':' && !take_seconds(&cursor, &clock.second, &us)))
        return false;
    const bool local = cursor.at == cursor.end;
    if ((!local && !take_zone(&cursor, true, &offset_s)) || !clock_to_seconds(&clock, &at_s) ||
        !time_text_in_range(at_s - offset_s))
        return false;
    *ret_s = at_s - offset_s;
    *ret_local = local;
    return true;
}

const char *time_text_write(int64_t at_s, char buffer[TIME_TEXT_BYTES])
{
    if (!time_text_in_range(at_s)) {
        (void)snprintf(buffer, TIME_TEXT_BYTES, "%lld", (long long)at_s);
        return buffer;
    }
    /* days_since_1970() backwards: 146097 days are 400 years, counted from 1 March 2000 = day 11017 */
    int64_t days = at_s / DAY_S - 11017 + 146097; /* one cycle up, for January and February of 2000 */
    const int64_t of_day = at_s % DAY_S;
    const int64_t cycle = days / 146097;
    days %= 146097;
    const int64_t years = (days - days / 1460 + days / 36524 - days / 146096) / 365;
    const int64_t of_year = days - (365 * years + years / 4 - years / 100);
    const int64_t months = (5 * of_year + 2) / 153;
    const int day = (int)(of_year - (153 * months + 2) / 5 + 1);
    const int month = (int)(months < 10 ? months + 3 : months - 9);
    const int year = (int)(1600 + 400 * cycle + years + (month <= 2));
    (void)snprintf(buffer, TIME_TEXT_BYTES, "%04d-%02d-%02dT%02d:%02d:%02dZ", year % 10000, month % 100, day % 100,
                   (int)(of_day / HOUR_S), (int)(of_day % HOUR_S / MINUTE_S), (int)(of_day % MINUTE_S));
    return buffer;
}
