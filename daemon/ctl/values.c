/* Values of command lines and CSV fields, checked; and texts made fit for a terminal. qrgatectl only. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/credential/utf8.h"
#include "daemon/ctl/ctl.h"

enum { CCCD_DIGITS = 12 };

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool parse_subject(const char *text)
{
    if (strncmp(text, "cccd:", 5) != 0)
        return false;
    return strspn(text + 5, "0123456789") == CCCD_DIGITS && text[5 + CCCD_DIGITS] == '\0';
}

bool parse_status(const char *text, enum declaration_status *ret)
{
    /* "none", "expired", "revoked" are names too, but not something a person declares */
    return declaration_status_from_name(text, ret) &&
           (*ret == STATUS_GREEN || *ret == STATUS_YELLOW || *ret == STATUS_RED);
}

/* `count` digits at *text, which is moved behind them. */
static bool take_number(const char **text, int count, int *ret)
{
    *ret = 0;
    for (int i = 0; i < count; i++, (*text)++) {
        if (!is_digit(**text))
            return false;
        *ret = *ret * 10 + (**text - '0');
    }
    return true;
}

static bool take_char(const char **text, const char *allowed)
{
    if (**text == '\0' || !strchr(allowed, **text))
        return false;
    (*text)++;
    return true;
}

/* The rest after the seconds: "", "Z", "+07:00", "+0700" or "+07". */
static bool take_zone(const char *text, bool *ret_local, int *ret_offset_s)
{
    int hours, minutes = 0;
    *ret_local = *text == '\0';
    *ret_offset_s = 0;
    if (*ret_local || strcmp(text, "Z") == 0 || strcmp(text, "z") == 0)
        return true;
    const int sign = *text == '-' ? -1 : 1;
    if (!take_char(&text, "+-") || !take_number(&text, 2, &hours))
        return false;
    if (*text == ':')
        text++;
    if (*text != '\0' && !take_number(&text, 2, &minutes))
        return false;
    *ret_offset_s = sign * (hours * 3600 + minutes * 60);
    return *text == '\0' && hours <= 14 && minutes <= 59;
}

static bool parse_iso_time(const char *text, int64_t *ret_s)
{
    struct tm wanted = { 0 };
    bool local;
    int year, month, offset_s, fraction;
    if (!take_number(&text, 4, &year) || !take_char(&text, "-") || !take_number(&text, 2, &month) ||
        !take_char(&text, "-") || !take_number(&text, 2, &wanted.tm_mday) || !take_char(&text, "Tt ") ||
        !take_number(&text, 2, &wanted.tm_hour) || !take_char(&text, ":") || !take_number(&text, 2, &wanted.tm_min))
        return false;
    if (*text == ':') {
        text++;
        if (!take_number(&text, 2, &wanted.tm_sec))
            return false;
        if (*text == '.') {
            text++;
            if (!take_number(&text, 1, &fraction)) /* fractions of a second are read and dropped */
                return false;
            text += strspn(text, "0123456789");
        }
    }
    if (!take_zone(text, &local, &offset_s) || year < 2000 || year > 2200 || wanted.tm_sec > 59 || wanted.tm_min > 59 ||
        wanted.tm_hour > 23)
        return false;
    wanted.tm_year = year - 1900;
    wanted.tm_mon = month - 1;
    wanted.tm_isdst = -1;
    struct tm normal = wanted;
    const time_t at = local ? mktime(&normal) : timegm(&normal);
    if (at == (time_t)-1 || normal.tm_mday != wanted.tm_mday || normal.tm_mon != wanted.tm_mon) /* 31 February moves */
        return false;
    *ret_s = (int64_t)at - offset_s;
    return true;
}

bool parse_time(const char *text, int64_t *ret_s)
{
    const size_t digits = strspn(text, "0123456789");
    if (text[digits] != '\0')
        return parse_iso_time(text, ret_s);
    /* 9 digits begin in 1973: a year or a date without dashes isn't taken for seconds */
    if (digits < 9 || digits > 11)
        return false;
    *ret_s = strtoll(text, NULL, 10);
    return true;
}

bool parse_duration(const char *text, int64_t *ret_s)
{
    const size_t digits = strspn(text, "0123456789");
    if (digits < 1 || digits > 8 || text[digits] == '\0' || text[digits + 1] != '\0')
        return false;
    int64_t unit_s;
    switch (text[digits]) {
    case 's': unit_s = 1; break;
    case 'm': unit_s = 60; break;
    case 'h': unit_s = 3600; break;
    case 'd': unit_s = 86400; break;
    default: return false;
    }
    *ret_s = strtoll(text, NULL, 10) * unit_s;
    return *ret_s >= 60 && *ret_s <= 366LL * 86400;
}

const char *printable(const char *text, char *buffer, size_t buffer_bytes)
{
    const size_t length = strlen(text);
    const bool plain = utf8_plain((const uint8_t *)text, length);
    size_t used = 0;
    while (used < length && used + 4 < buffer_bytes) { /* room for "..." */
        const unsigned char c = (unsigned char)text[used];
        buffer[used] = !plain && (c < 0x20 || c >= 0x7f) ? '?' : (char)c;
        used++;
    }
    if (used < length) {
        while (plain && used > 0 && ((unsigned char)text[used] & 0xc0) == 0x80) /* not in the middle of a character */
            used--;
        memcpy(buffer + used, "...", 3);
        used += 3;
    }
    buffer[used] = '\0';
    return buffer;
}

const char *format_time(int64_t at_s, char buffer[32])
{
    struct tm parts;
    const time_t at = (time_t)at_s;
    if (!gmtime_r(&at, &parts) || strftime(buffer, 32, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
        (void)snprintf(buffer, 32, "%lld", (long long)at_s); /* a year with five digits */
    return buffer;
}
