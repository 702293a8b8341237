/* The place that lists and reports are about: its names, its words, and its clock on the wall. The time zone is this process's
 * (TZ) once site_read() has answered; qrgatectl has one thread. */
#ifndef CTL_SITE_H
#define CTL_SITE_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/ctl/ctl.h"

enum { SITE_TIME_BYTES = 112, SITE_DATE_BYTES = 40 };

struct site {
    char site[33], lane[33]; /* "" = not known: no configuration was asked */
    char name[128], address[192];
    char kind[20];           /* "factory", …; "other" */
    const struct lang *lang; /* by --lang, else the place's, else the environment's */
    struct lang *own_lang;
    bool publishes;          /* mqtt.enabled */
};

/* By the configuration; without one where --database, --journal or --messages say what is read and --config isn't given. With
 * `report` the place's language counts before the environment's. */
enum ctl_exit site_read(struct ctl *ctl, bool has_journals, bool report, struct site *ret);
void site_close(struct site *site); /* accepts a zeroed one */
const char *site_title(const struct site *site); /* its name, or its site's, or "" */

/* ---- its clock ----------------------------------------------------------------------------------------------------- */

/* "2026-11-16 08:30:05", at the place; with `zone` " +07:00" behind. */
const char *site_time(int64_t at_us, bool zone, char buffer[SITE_TIME_BYTES]);
/* A date, by days since 1970-01-01 of its calendar: "16/11/2026" in Vietnamese, "2026-11-16" else; "16/11" and "11-16". */
const char *site_date(const struct site *site, int64_t day, char buffer[SITE_DATE_BYTES]);
const char *site_day_month(const struct site *site, int64_t day, char buffer[SITE_DATE_BYTES]);
const char *site_iso_date(int64_t day, char buffer[SITE_DATE_BYTES]); /* "2026-11-16" */
/* "16/11/2026 08:30", "2026-11-16 08:30" */
const char *site_minute(const struct site *site, int64_t at_s, char buffer[SITE_TIME_BYTES]);
const char *site_offset(int64_t at_s, char buffer[SITE_DATE_BYTES]); /* "+07:00" */

/* A week of ISO 8601, Monday to Sunday by the place's calendar. */
struct week {
    int year, number;   /* of ISO: 2026, 47 */
    int64_t monday;     /* days since 1970-01-01 */
    int64_t days_s[8];  /* when each day begins; [7]: when the next week does. A day may have 23 or 25 hours, or none at all */
};
bool week_from_text(const char *text, struct week *ret); /* "2026-W47"; false: not one, or that year has no such week */
void week_of(int64_t at_s, struct week *ret);
void week_before(const struct week *week, struct week *ret);
/* Day of the week, 0 = Monday, and hour on the wall, at a moment in this week. */
void week_cell(const struct week *week, int64_t at_s, int *ret_day, int *ret_hour);

#endif
