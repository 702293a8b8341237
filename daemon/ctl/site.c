/* The place's names and words by the configuration, its days and weeks by the rules of its time zone. */
#include "daemon/ctl/site.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "daemon/settings/settings.h"

enum { DAY_S = 86400, QUARTER_S = 900, OFFSET_MOST_S = 15 * 3600 };
#define ZONES "/usr/share/zoneinfo/"

/* ---- names and words --------------------------------------------------------------------------------------------- */

/* libc takes what it doesn't know for UTC, without a word. */
static enum ctl_exit set_zone(const struct ctl *ctl, const char *zone)
{
    char path[sizeof(ZONES) + sizeof(((struct place_settings *)NULL)->zone)], buffer[80];
    (void)snprintf(path, sizeof(path), ZONES "%s", zone);
    if (zone[0] == '/' || strstr(zone, "..") || access(path, R_OK) < 0)
        return ctl_complain(ctl, CTL_FAILED, "site.zone", "value", printable(zone, buffer, sizeof(buffer)), NULL);
    return setenv("TZ", zone, 1) == 0 ? CTL_OK : ctl_complain(ctl, CTL_FAILED, "words.no_memory", NULL);
}

enum ctl_exit site_read(struct ctl *ctl, bool has_journals, bool report, struct site *ret)
{
    struct settings settings;
    enum ctl_exit result = CTL_OK;
    *ret = (struct site){ .kind = "other", .lang = ctl->lang };
    if (ctl->config || !(ctl->database || has_journals)) {
        if (ctl_load_settings(ctl, &settings) != CTL_OK)
            return CTL_FAILED; /* said */
        memcpy(ret->site, settings.site, sizeof(ret->site));
        ret->publishes = settings.mqtt.enabled;
        memcpy(ret->lane, settings.lane, sizeof(ret->lane));
        memcpy(ret->name, settings.place.name, sizeof(ret->name));
        memcpy(ret->address, settings.place.address, sizeof(ret->address));
        (void)snprintf(ret->kind, sizeof(ret->kind), "%s", settings_place_name((enum settings_place)settings.place.kind));
        if (settings.place.zone[0] != '\0')
            result = set_zone(ctl, settings.place.zone);
        if (result == CTL_OK && report && !ctl->lang_wanted && settings.place.language[0] != '\0' &&
            lang_open(settings.place.language, &ret->own_lang, stderr) < 0)
            return ctl_complain(ctl, CTL_FAILED, "site.language", "value", settings.place.language, NULL);
        if (ret->own_lang)
            ret->lang = ret->own_lang;
    }
    tzset();
    return result;
}

void site_close(struct site *site)
{
    lang_close(site->own_lang);
    site->own_lang = NULL;
}

const char *site_title(const struct site *site)
{
    return site->name[0] ? site->name : site->site;
}

/* ---- moments ----------------------------------------------------------------------------------------------------- */

static int64_t floor_s(int64_t at_us)
{
    return at_us >= 0 ? at_us / 1000000 : (at_us - 999999) / 1000000;
}

static struct tm on_the_wall(int64_t at_s)
{
    struct tm parts = { .tm_mday = 1 };
    const time_t at = (time_t)at_s;
    (void)localtime_r(&at, &parts); /* beyond the year 2^31 it stays what it is */
    return parts;
}

const char *site_offset(int64_t at_s, char buffer[SITE_DATE_BYTES])
{
    const long offset = on_the_wall(at_s).tm_gmtoff;
    const long minutes = labs(offset) / 60;
    (void)snprintf(buffer, SITE_DATE_BYTES, "%c%02ld:%02ld", offset < 0 ? '-' : '+', minutes / 60 % 24, minutes % 60);
    return buffer;
}

const char *site_time(int64_t at_us, bool zone, char buffer[SITE_TIME_BYTES])
{
    char offset[SITE_DATE_BYTES];
    const int64_t at_s = floor_s(at_us);
    const struct tm t = on_the_wall(at_s);
    (void)snprintf(buffer, SITE_TIME_BYTES, "%04d-%02d-%02d %02d:%02d:%02d%s%s", t.tm_year + 1900, t.tm_mon + 1, t.tm_mday,
                   t.tm_hour, t.tm_min, t.tm_sec, zone ? " " : "", zone ? site_offset(at_s, offset) : "");
    return buffer;
}

static bool is_vietnamese(const struct site *site)
{
    return strcmp(lang_name(site->lang), "vi") == 0;
}

static struct tm on_the_calendar(int64_t day)
{
    struct tm parts = { .tm_mday = 1 };
    const time_t at = (time_t)(day * DAY_S);
    (void)gmtime_r(&at, &parts); /* beyond the year 2^31 it stays what it is */
    return parts;
}

static const char *print_date(const struct site *site, const struct tm *t, char buffer[SITE_DATE_BYTES])
{
    if (site && is_vietnamese(site))
        (void)snprintf(buffer, SITE_DATE_BYTES, "%02d/%02d/%04d", t->tm_mday, t->tm_mon + 1, t->tm_year + 1900);
    else
        (void)snprintf(buffer, SITE_DATE_BYTES, "%04d-%02d-%02d", t->tm_year + 1900, t->tm_mon + 1, t->tm_mday);
    return buffer;
}

const char *site_date(const struct site *site, int64_t day, char buffer[SITE_DATE_BYTES])
{
    const struct tm t = on_the_calendar(day);
    return print_date(site, &t, buffer);
}

const char *site_iso_date(int64_t day, char buffer[SITE_DATE_BYTES])
{
    return site_date(NULL, day, buffer);
}

const char *site_day_month(const struct site *site, int64_t day, char buffer[SITE_DATE_BYTES])
{
    const struct tm t = on_the_calendar(day);
    if (is_vietnamese(site))
        (void)snprintf(buffer, SITE_DATE_BYTES, "%02d/%02d", t.tm_mday, t.tm_mon + 1);
    else
        (void)snprintf(buffer, SITE_DATE_BYTES, "%02d-%02d", t.tm_mon + 1, t.tm_mday);
    return buffer;
}

const char *site_minute(const struct site *site, int64_t at_s, char buffer[SITE_TIME_BYTES])
{
    char date[SITE_DATE_BYTES];
    const struct tm t = on_the_wall(at_s);
    (void)snprintf(buffer, SITE_TIME_BYTES, "%s %02d:%02d", print_date(site, &t, date), t.tm_hour, t.tm_min);
    return buffer;
}

/* ---- weeks ------------------------------------------------------------------------------------------------------- */

/* Days since 1970-01-01 of the date on the wall. */
static int64_t local_day(int64_t at_s)
{
    struct tm parts = on_the_wall(at_s);
    parts.tm_hour = parts.tm_min = parts.tm_sec = 0;
    return (int64_t)timegm(&parts) / DAY_S;
}

/* The first moment of a date, by trying: a zone may skip midnight, or have it twice. */
static int64_t day_begins(int64_t day)
{
    int64_t at_s = day * DAY_S - OFFSET_MOST_S;
    while (local_day(at_s) < day)
        at_s += QUARTER_S;
    return at_s;
}

static void fill(int64_t monday, struct week *ret)
{
    struct tm thursday;
    const time_t at = (time_t)((monday + 3) * DAY_S); /* the ISO year is its Thursday's */
    ret->monday = monday;
    for (int i = 0; i < 8; i++)
        ret->days_s[i] = day_begins(monday + i);
    ret->year = ret->number = 0;
    if (gmtime_r(&at, &thursday)) {
        ret->year = thursday.tm_year + 1900;
        ret->number = thursday.tm_yday / 7 + 1;
    }
}

static int64_t monday_of(int64_t day)
{
    const int64_t since_monday = ((day + 3) % 7 + 7) % 7; /* 1970-01-01 was a Thursday */
    return day - since_monday;
}

bool week_from_text(const char *text, struct week *ret)
{
    if (strlen(text) != 8 || strspn(text, "0123456789") != 4 || text[4] != '-' || text[5] != 'W' ||
        strspn(text + 6, "0123456789") != 2)
        return false;
    const int year = atoi(text), number = atoi(text + 6);
    struct tm fourth = { .tm_year = year - 1900, .tm_mon = 0, .tm_mday = 4 }; /* of January: in week 1 */
    if (year < 2000 || year > 2199 || number < 1 || number > 53)
        return false;
    fill(monday_of((int64_t)timegm(&fourth) / DAY_S) + 7 * (number - 1), ret);
    return ret->year == year && ret->number == number;
}

void week_of(int64_t at_s, struct week *ret)
{
    fill(monday_of(local_day(at_s)), ret);
}

void week_before(const struct week *week, struct week *ret)
{
    fill(week->monday - 7, ret);
}

void week_cell(const struct week *week, int64_t at_s, int *ret_day, int *ret_hour)
{
    *ret_day = 0;
    while (*ret_day < 6 && at_s >= week->days_s[*ret_day + 1])
        ++*ret_day;
    *ret_hour = on_the_wall(at_s).tm_hour;
}
