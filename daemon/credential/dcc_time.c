/* Dates and times of health certificates. Used by dcc_claims.c, on the journal thread in qrgated. */
#include "daemon/credential/dcc_time.h"

#include "daemon/credential/fields.h"

enum { DAY_S = 86400, HOUR_S = 3600, MINUTE_S = 60 };

struct cursor {
    const uint8_t *text;
    size_t length_bytes, at;
};

static bool take_if(struct cursor *cursor, const char *any_of)
{
    if (cursor->at == cursor->length_bytes)
        return false;
    for (; *any_of != '\0'; any_of++) {
        if (cursor->text[cursor->at] != (uint8_t)*any_of)
            continue;
        cursor->at++;
        return true;
    }
    return false;
}

static bool take_number(struct cursor *cursor, size_t digits, int least, int most, int *ret)
{
    int number = 0;

    if (cursor->length_bytes - cursor->at < digits)
        return false;
    for (size_t i = 0; i < digits; i++) {
        uint8_t digit = cursor->text[cursor->at + i];
        if (digit < '0' || digit > '9')
            return false;
        number = number * 10 + (digit - '0');
    }
    cursor->at += digits;
    *ret = number;
    return number >= least && number <= most;
}

/* Days since 1970-01-01 in the Gregorian calendar; March begins the year, so that the leap day ends it. */
static int64_t days_since_epoch(int year, int month, int day)
{
    int64_t y = month > 2 ? year : year - 1, era_year = y % 400, m = (month + 9) % 12;
    int64_t day_of_era = era_year * 365 + era_year / 4 - era_year / 100 + (153 * m + 2) / 5 + day - 1;

    return y / 400 * 146097 + day_of_era - 719468;
}

static bool take_date(struct cursor *cursor, int64_t *ret_s)
{
    int year, month, day;

    if (!take_number(cursor, 4, 1971, 2399, &year) || !take_if(cursor, "-") || !take_number(cursor, 2, 1, 12, &month) ||
        !take_if(cursor, "-") || !take_number(cursor, 2, 1, 31, &day) || !date_is_real(day, month, year))
        return false;
    *ret_s = days_since_epoch(year, month, day) * DAY_S;
    return true;
}

/* "Z", "+02:00", "+0200", "+02" or nothing: seconds east. */
static bool take_zone(struct cursor *cursor, int64_t *ret_s)
{
    int hours, minutes = 0;

    *ret_s = 0;
    if (cursor->at == cursor->length_bytes || take_if(cursor, "Zz"))
        return true;
    bool west = cursor->text[cursor->at] == '-';
    if (!take_if(cursor, "+-") || !take_number(cursor, 2, 0, 23, &hours))
        return false;
    if (cursor->at < cursor->length_bytes) {
        (void)take_if(cursor, ":");
        if (!take_number(cursor, 2, 0, 59, &minutes))
            return false;
    }
    *ret_s = (hours * HOUR_S + minutes * MINUTE_S) * (west ? -1 : 1);
    return true;
}

static bool take_clock(struct cursor *cursor, int64_t *ret_s)
{
    int hours, minutes, seconds = 0, fraction;

    if (!take_number(cursor, 2, 0, 23, &hours) || !take_if(cursor, ":") || !take_number(cursor, 2, 0, 59, &minutes))
        return false;
    if (take_if(cursor, ":") && !take_number(cursor, 2, 0, 60 /* leap second */, &seconds))
        return false;
    if (take_if(cursor, ".,")) {
        if (!take_number(cursor, 1, 0, 9, &fraction))
            return false;
        while (take_if(cursor, "0123456789"))
            continue;
    }
    *ret_s = hours * HOUR_S + minutes * MINUTE_S + seconds;
    return true;
}

static bool read_parts(const uint8_t *text, size_t length_bytes, int64_t *ret_date_s, int64_t *ret_time_s)
{
    struct cursor cursor = {.text = text, .length_bytes = length_bytes};
    int64_t clock_s = 0, east_s = 0;

    if (!take_date(&cursor, ret_date_s))
        return false;
    if (cursor.at < length_bytes &&
        (!take_if(&cursor, "Tt ") || !take_clock(&cursor, &clock_s) || !take_zone(&cursor, &east_s)))
        return false;
    *ret_time_s = *ret_date_s + clock_s - east_s;
    return cursor.at == length_bytes;
}

bool dcc_date_read(const uint8_t *text, size_t length_bytes, int64_t *ret_s)
{
    int64_t time_s;

    return read_parts(text, length_bytes, ret_s, &time_s);
}

bool dcc_time_read(const uint8_t *text, size_t length_bytes, int64_t *ret_s)
{
    int64_t date_s;

    return read_parts(text, length_bytes, &date_s, ret_s);
}

/* A month or day, or "XX" as the first Dutch certificates have for one unknown. */
static bool take_part(struct cursor *cursor, int most, int *ret, bool *ret_unknown)
{
    if (take_if(cursor, "Xx")) {
        *ret_unknown = true;
        return take_if(cursor, "Xx");
    }
    return !*ret_unknown && take_number(cursor, 2, 1, most, ret);
}

bool dcc_birth_date_valid(const uint8_t *text, size_t length_bytes)
{
    struct cursor cursor = {.text = text, .length_bytes = length_bytes};
    int year, month = 1, day = 1;
    bool unknown = false;

    if (length_bytes == 0)
        return true;
    if (!take_number(&cursor, 4, 1900, 2099, &year))
        return false;
    if (cursor.at < length_bytes && (!take_if(&cursor, "-") || !take_part(&cursor, 12, &month, &unknown)))
        return false;
    if (cursor.at < length_bytes && (!take_if(&cursor, "-") || !take_part(&cursor, 31, &day, &unknown)))
        return false;
    return cursor.at == length_bytes && date_is_real(day, month, year);
}
