/* Names, sentences and notes that every form of the report has. */
#include <string.h>

#include "daemon/ctl/report/report.h"

enum { QUIET_S = 12 * 3600 }; /* a lane without events for so long at the week's end may be one whose copy is old */

void report_figures(const struct week_report *report, struct report_figure ret[REPORT_FIGURES])
{
    const struct week_totals *now = &report->totals, *before = &report->before;
    const struct report_figure figures[REPORT_FIGURES] = {
        { "entries", now->passages[DIRECTION_IN], before->passages[DIRECTION_IN] },
        { "exits", now->passages[DIRECTION_OUT], before->passages[DIRECTION_OUT] },
        { "undirected", now->passages[DIRECTION_NONE], before->passages[DIRECTION_NONE] },
        { "held", now->held, before->held },
        { "denied", now->denied, before->denied },
        { "overrides", now->overrides, before->overrides },
        { "undeclared", now->undeclared, before->undeclared },
        { "alarms", now->alarms, before->alarms },
        { "not_used", now->not_used + now->interrupted, before->not_used + before->interrupted },
    };
    memcpy(ret, figures, sizeof(figures));
}

const char *report_change(const struct report_figure *figure, char buffer[40])
{
    buffer[0] = '\0';
    if (figure->before > 0) {
        const int64_t more = figure->now - figure->before;
        const int64_t percent = ((more < 0 ? -more : more) * 200 + figure->before) / (2 * figure->before); /* rounded */
        (void)snprintf(buffer, 40, "%s%lld %%", percent == 0 ? "±" : more < 0 ? "−" : "+", (long long)percent);
    }
    return buffer;
}

const char *report_period(const struct week_report *report, char buffer[REPORT_TEXT_BYTES])
{
    char first[SITE_DATE_BYTES], last[SITE_DATE_BYTES];
    return lang_format(report->site.lang, buffer, REPORT_TEXT_BYTES, "report.period", "week", LANG_N(report->week.number), "year",
                       LANG_N(report->week.year), "first", site_date(&report->site, report->week.monday, first), "last",
                       site_date(&report->site, report->week.monday + 6, last), NULL);
}

static const char *weekday(const struct week_report *report, int day)
{
    static const char *const names[WEEK_DAYS] = { "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday" };
    return say_word(report->site.lang, "weekday", names[day]);
}

const char *report_day(const struct week_report *report, int day, char buffer[REPORT_TEXT_BYTES])
{
    char date[SITE_DATE_BYTES];
    (void)snprintf(buffer, REPORT_TEXT_BYTES, "%s %s", weekday(report, day), site_date(&report->site, report->week.monday + day, date));
    return buffer;
}

const char *report_day_short(const struct week_report *report, int day, char buffer[REPORT_TEXT_BYTES])
{
    char date[SITE_DATE_BYTES];
    (void)snprintf(buffer, REPORT_TEXT_BYTES, "%s %s", weekday(report, day),
                   site_day_month(&report->site, report->week.monday + day, date));
    return buffer;
}

/* ---- notes --------------------------------------------------------------------------------------------------------- */

static char *next_note(struct report_notes *notes)
{
    return notes->texts[notes->count < REPORT_NOTES_MAX - 1 ? notes->count++ : REPORT_NOTES_MAX - 1];
}

static void note_lanes(const struct week_report *report, struct report_notes *notes)
{
    const struct lang *lang = report->site.lang;
    for (int i = 0; i < report->reading.count; i++) {
        const struct reading_source *source = &report->reading.sources[i];
        char when[SITE_TIME_BYTES], lane[JOURNAL_LANE_BYTES + 4];
        (void)printable(source->lane, lane, sizeof(lane));
        if (source->last_us > 0 && source->last_us / 1000000 < report->until_s - QUIET_S &&
            reading_is_behind(&report->reading, source))
            (void)lang_format(lang, next_note(notes), REPORT_TEXT_BYTES, "reading.behind", "lane", lane, "time",
                              site_minute(&report->site, source->last_us / 1000000, when), NULL);
        if (source->missing > 0)
            (void)lang_format(lang, next_note(notes), REPORT_TEXT_BYTES, "reading.gaps", "lane", lane, "count",
                              LANG_N(source->missing), NULL);
    }
}

static void note_days(const struct week_report *report, struct report_notes *notes)
{
    for (int day = 0; day < WEEK_DAYS; day++) {
        const int64_t seconds = report->week.days_s[day + 1] - report->week.days_s[day];
        char text[REPORT_TEXT_BYTES], hours[LANG_NUMBER_BYTES];
        if (seconds == 86400)
            continue;
        (void)snprintf(hours, sizeof(hours), seconds % 3600 ? "%lld.5" : "%lld", (long long)(seconds / 3600));
        (void)lang_format(report->site.lang, next_note(notes), REPORT_TEXT_BYTES, "report.note_clock_change", "day",
                          report_day(report, day, text), "hours", hours, NULL);
    }
}

void report_notes(const struct week_report *report, struct report_notes *ret)
{
    const struct lang *lang = report->site.lang;
    char when[SITE_TIME_BYTES];
    *ret = (struct report_notes){ .count = 0 };
    if (!report->ended)
        (void)lang_format(lang, next_note(ret), REPORT_TEXT_BYTES, "report.note_unfinished", "time",
                          site_minute(&report->site, report->until_s, when), NULL);
    if (report->totals.events == 0)
        (void)snprintf(next_note(ret), REPORT_TEXT_BYTES, "%s", say(lang, "report.note_nothing"));
    if (report->began_us / 1000000 > report->week.days_s[0])
        (void)lang_format(lang, next_note(ret), REPORT_TEXT_BYTES, "report.note_began", "time",
                          site_minute(&report->site, report->began_us / 1000000, when), NULL);
    note_lanes(report, ret);
    note_days(report, ret);
    if (report->totals.untrusted > 0)
        (void)lang_format(lang, next_note(ret), REPORT_TEXT_BYTES, "report.note_untrusted", "count",
                          LANG_N(report->totals.untrusted), NULL);
    if (week_overrides_gone(report) + week_alarms_gone(report) > 0)
        (void)lang_format(lang, next_note(ret), REPORT_TEXT_BYTES, "report.note_purged", "overrides",
                          LANG_N(week_overrides_gone(report)), "alarms", LANG_N(week_alarms_gone(report)), NULL);
}

/* ---- overrides ----------------------------------------------------------------------------------------------------- */

const char *report_override_who(const struct week_report *report, const struct week_override *override, char buffer[REPORT_TEXT_BYTES])
{
    char name[128];
    const struct lang *lang = report->site.lang;
    if (override->operator_name[0])
        return lang_format(lang, buffer, REPORT_TEXT_BYTES, "report.by_operator", "name",
                           printable(override->operator_name, name, sizeof(name)), NULL);
    (void)snprintf(buffer, REPORT_TEXT_BYTES, "%s%s%s", say(lang, "report.by_button"), override->detail[0] ? ", " : "",
                   printable(override->detail, name, sizeof(name)));
    return buffer;
}

const char *report_override_why(const struct week_report *report, const struct week_override *override, char buffer[REPORT_TEXT_BYTES])
{
    char said[128];
    const struct lang *lang = report->site.lang;
    if (override->operator_name[0])
        (void)snprintf(buffer, REPORT_TEXT_BYTES, "%s", printable(override->detail, said, sizeof(said)));
    else if (override->asked != REASON_NONE)
        (void)snprintf(buffer, REPORT_TEXT_BYTES, "%s", say_word(lang, "reason", reason_name(override->asked)));
    else
        (void)snprintf(buffer, REPORT_TEXT_BYTES, "%s", say(lang, "report.nobody_before"));
    return buffer;
}
