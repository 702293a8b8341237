/* The report as Markdown, and as CSV in a long form: table, day, hour, name, value. */
#include <string.h>

#include "daemon/ctl/page.h"
#include "daemon/ctl/report/report.h"

static const enum direction DIRECTIONS[DIRECTION_COUNT] = { DIRECTION_IN, DIRECTION_OUT, DIRECTION_NONE };

/* ---- Markdown ------------------------------------------------------------------------------------------------------ */

/* In a cell a bar would end it, and a stranger's text must not become markup. */
static void cell(FILE *out, const char *text)
{
    (void)fputs("| ", out);
    for (; *text; text++) {
        if (strchr("|\\`*_<>[]#", *text))
            (void)fputc('\\', out);
        (void)fputc(*text == '\n' ? ' ' : *text, out);
    }
    (void)fputc(' ', out);
}

static void number_cell(FILE *out, int64_t number)
{
    (void)fprintf(out, "| %lld ", (long long)number);
}

static void end_row(FILE *out)
{
    (void)fputs("|\n", out);
}

/* `first` columns of text, then numbers. */
static void head(FILE *out, const struct lang *lang, const char *const *keys, int count, int first)
{
    for (int i = 0; i < count; i++)
        cell(out, say(lang, keys[i]));
    end_row(out);
    for (int i = 0; i < count; i++)
        (void)fputs(i < first ? "|---" : "|---:", out);
    end_row(out);
}

static void heading(FILE *out, const struct lang *lang, const char *key)
{
    (void)fprintf(out, "\n## %s\n\n", say(lang, key));
}

static void markdown_figures(FILE *out, const struct week_report *report)
{
    static const char *const keys[] = { "report.what", "report.this_week", "report.last_week", "report.change" };
    const struct lang *lang = report->site.lang;
    struct report_figure figures[REPORT_FIGURES];
    report_figures(report, figures);
    heading(out, lang, "report.figures");
    head(out, lang, keys, 4, 1);
    for (int i = 0; i < REPORT_FIGURES; i++) {
        char change[40];
        cell(out, say_word(lang, "report", figures[i].name));
        number_cell(out, figures[i].now);
        number_cell(out, figures[i].before);
        cell(out, report_change(&figures[i], change));
        end_row(out);
    }
    if (report->busiest > 0) {
        char text[REPORT_TEXT_BYTES], when[SITE_TIME_BYTES];
        (void)fprintf(out, "\n%s\n", lang_format(lang, text, sizeof(text), "report.busiest", "time",
                                                 site_minute(&report->site, report->busiest_s, when), "count",
                                                 LANG_N(report->busiest), NULL));
    }
}

static void markdown_hours(FILE *out, const struct week_report *report, enum direction direction, const char *key)
{
    const struct lang *lang = report->site.lang;
    char text[REPORT_TEXT_BYTES];
    if (report->totals.passages[direction] == 0)
        return;
    heading(out, lang, key);
    cell(out, say(lang, "report.hour"));
    for (int day = 0; day < WEEK_DAYS; day++)
        cell(out, report_day(report, day, text));
    cell(out, say(lang, "report.sum"));
    (void)fputs("|\n|---:", out);
    for (int day = 0; day <= WEEK_DAYS; day++)
        (void)fputs("|---:", out);
    end_row(out);
    for (int hour = 0; hour < WEEK_HOURS; hour++) {
        if (week_hour_sum(report, hour, direction) == 0)
            continue;
        (void)fprintf(out, "| %02d ", hour);
        for (int day = 0; day < WEEK_DAYS; day++)
            number_cell(out, report->by_hour[day][hour][direction]);
        number_cell(out, week_hour_sum(report, hour, direction));
        end_row(out);
    }
    cell(out, say(lang, "report.sum"));
    for (int day = 0; day < WEEK_DAYS; day++)
        number_cell(out, week_day_sum(report, day, direction));
    number_cell(out, report->totals.passages[direction]);
    end_row(out);
}

static void markdown_status(FILE *out, const struct week_report *report)
{
    static const char *const keys[] = { "report.status", "report.entries", "report.exits", "report.undirected" };
    const struct lang *lang = report->site.lang;
    heading(out, lang, "report.by_status");
    head(out, lang, keys, 4, 1);
    for (int status = 0; status < STATUS_COUNT; status++) {
        const int64_t *row = report->by_status[status];
        if (row[0] + row[1] + row[2] == 0)
            continue;
        cell(out, say_word(lang, "status", declaration_status_name((enum declaration_status)status)));
        for (int i = 0; i < DIRECTION_COUNT; i++)
            number_cell(out, row[DIRECTIONS[i]]);
        end_row(out);
    }
}

static void markdown_reasons(FILE *out, const struct week_report *report)
{
    static const char *const keys[] = { "report.reason", "report.denied", "report.held" };
    const struct lang *lang = report->site.lang;
    heading(out, lang, "report.by_reason");
    head(out, lang, keys, 3, 1);
    for (int reason = 0; reason < REASON_COUNT; reason++) {
        if (report->denied_by[reason] + report->held_by[reason] == 0)
            continue;
        cell(out, say_word(lang, "reason", reason_name((enum reason)reason)));
        number_cell(out, report->denied_by[reason]);
        number_cell(out, report->held_by[reason]);
        end_row(out);
    }
}

static void markdown_lanes(FILE *out, const struct week_report *report)
{
    static const char *const keys[] = { "report.lane", "report.entries", "report.exits", "report.undirected", "report.refused" };
    if (report->reading.count < 2)
        return;
    heading(out, report->site.lang, "report.by_lane");
    head(out, report->site.lang, keys, 5, 1);
    for (int i = 0; i < report->reading.count; i++) {
        char lane[JOURNAL_LANE_BYTES + 4];
        cell(out, printable(report->reading.sources[i].lane, lane, sizeof(lane)));
        for (int k = 0; k < DIRECTION_COUNT; k++)
            number_cell(out, report->by_lane[i][DIRECTIONS[k]]);
        number_cell(out, report->refused_by_lane[i]);
        end_row(out);
    }
}

static void more(FILE *out, const struct lang *lang, int64_t count)
{
    if (count <= WEEK_LISTED_MAX)
        return;
    (void)fputc('\n', out);
    lang_print(out, lang, "report.more", "count", LANG_N(count - WEEK_LISTED_MAX), NULL);
    (void)fputc('\n', out);
}

static void markdown_overrides(FILE *out, const struct week_report *report)
{
    static const char *const keys[] = { "report.time", "report.lane", "report.person", "report.who", "report.why" };
    const struct lang *lang = report->site.lang;
    heading(out, lang, "report.overrides_head");
    if (report->overrides_count == 0) {
        (void)fprintf(out, "%s\n", say(lang, "report.none"));
        return;
    }
    head(out, lang, keys, 5, 5);
    for (int64_t i = 0; i < report->overrides_count && i < WEEK_LISTED_MAX; i++) {
        const struct week_override *override = &report->overrides[i];
        char text[REPORT_TEXT_BYTES], when[SITE_TIME_BYTES];
        cell(out, site_minute(&report->site, override->at_us / 1000000, when));
        cell(out, printable(override->lane, text, sizeof(text)));
        (void)fprintf(out, "| %.8s ", override->person);
        cell(out, report_override_who(report, override, text));
        cell(out, report_override_why(report, override, text));
        end_row(out);
    }
    more(out, lang, report->overrides_count);
}

static void markdown_alarms(FILE *out, const struct week_report *report)
{
    static const char *const keys[] = { "report.time", "report.lane", "report.alarm", "report.detail" };
    const struct lang *lang = report->site.lang;
    heading(out, lang, "report.alarms_head");
    if (report->alarms_count == 0) {
        (void)fprintf(out, "%s\n", say(lang, "report.none"));
        return;
    }
    head(out, lang, keys, 4, 4);
    for (int64_t i = 0; i < report->alarms_count && i < WEEK_LISTED_MAX; i++) {
        const struct week_alarm *alarm = &report->alarms[i];
        char text[REPORT_TEXT_BYTES], when[SITE_TIME_BYTES];
        cell(out, site_minute(&report->site, alarm->at_us / 1000000, when));
        cell(out, printable(alarm->lane, text, sizeof(text)));
        cell(out, say_word(lang, "alarm", printable(alarm->alarm, text, sizeof(text))));
        cell(out, printable(alarm->detail, text, sizeof(text)));
        end_row(out);
    }
    more(out, lang, report->alarms_count);
}

void report_markdown(FILE *out, const struct week_report *report)
{
    const struct lang *lang = report->site.lang;
    struct report_notes notes;
    char text[REPORT_TEXT_BYTES];
    (void)fprintf(out, "# %s\n\n%s%s", say(lang, "report.title"), site_title(&report->site), site_title(&report->site)[0] ? " — " : "");
    (void)fprintf(out, "%s\n", say_word(lang, "place", report->site.kind));
    if (report->site.address[0])
        (void)fprintf(out, "%s\n", report->site.address);
    (void)fprintf(out, "\n%s\n", report_period(report, text));
    report_notes(report, &notes);
    for (int i = 0; i < notes.count; i++)
        (void)fprintf(out, "\n> %s\n", notes.texts[i]);
    markdown_figures(out, report);
    markdown_hours(out, report, DIRECTION_IN, "report.entries_by_hour");
    markdown_hours(out, report, DIRECTION_OUT, "report.exits_by_hour");
    markdown_hours(out, report, DIRECTION_NONE, "report.undirected_by_hour");
    markdown_status(out, report);
    markdown_reasons(out, report);
    markdown_lanes(out, report);
    markdown_overrides(out, report);
    markdown_alarms(out, report);
    (void)fprintf(out, "\n%s\n", say(lang, "report.remark"));
}

/* ---- CSV ----------------------------------------------------------------------------------------------------------- */

static void iso_date(int64_t at_s, char ret[SITE_TIME_BYTES])
{
    (void)site_time(at_s * 1000000, false, ret);
    ret[10] = '\0';
}

static void line(FILE *out, const char *table, const char *day, int hour, const char *name, int64_t value)
{
    (void)fprintf(out, "%s,%s,", table, day);
    if (hour >= 0)
        (void)fprintf(out, "%02d", hour);
    (void)fputc(',', out);
    csv_field(out, name);
    (void)fprintf(out, ",%lld\n", (long long)value);
}

static void csv_hours(FILE *out, const struct week_report *report)
{
    static const char *const names[DIRECTION_COUNT] = { "undirected", "entries", "exits" };
    for (int day = 0; day < WEEK_DAYS; day++) {
        char date[SITE_DATE_BYTES];
        (void)site_iso_date(report->week.monday + day, date);
        for (int hour = 0; hour < WEEK_HOURS; hour++)
            for (int i = 0; i < DIRECTION_COUNT; i++)
                if (report->by_hour[day][hour][i] > 0)
                    line(out, "passages", date, hour, names[i], report->by_hour[day][hour][i]);
    }
    for (int i = 0; i < DIRECTION_COUNT; i++) {
        char table[32];
        (void)snprintf(table, sizeof(table), "%s_by_status", names[i]);
        for (int status = 0; status < STATUS_COUNT; status++)
            if (report->by_status[status][i] > 0)
                line(out, table, "", -1, declaration_status_name((enum declaration_status)status), report->by_status[status][i]);
    }
}

void report_csv(FILE *out, const struct week_report *report)
{
    struct report_figure figures[REPORT_FIGURES];
    char when[SITE_TIME_BYTES];
    report_figures(report, figures);
    (void)fprintf(out, "table,day,hour,name,value\n");
    for (int i = 0; i < REPORT_FIGURES; i++)
        line(out, "this_week", "", -1, figures[i].name, figures[i].now);
    for (int i = 0; i < REPORT_FIGURES; i++)
        line(out, "last_week", "", -1, figures[i].name, figures[i].before);
    csv_hours(out, report);
    for (int reason = 0; reason < REASON_COUNT; reason++) {
        if (report->denied_by[reason] > 0)
            line(out, "denied_by_reason", "", -1, reason_name((enum reason)reason), report->denied_by[reason]);
        if (report->held_by[reason] > 0)
            line(out, "held_by_reason", "", -1, reason_name((enum reason)reason), report->held_by[reason]);
    }
    for (int i = 0; i < report->by_alarm_count; i++)
        line(out, "alarms", "", -1, report->by_alarm[i].name, report->by_alarm[i].count);
    if (report->busiest > 0) {
        iso_date(report->busiest_s, when);
        (void)fprintf(out, "busiest_quarter_hour,%s,", when);
        (void)site_time(report->busiest_s * 1000000, false, when);
        (void)fprintf(out, "%.2s,%.5s,%lld\n", when + 11, when + 11, (long long)report->busiest);
    }
    for (int64_t i = 0; i < report->overrides_count && i < WEEK_LISTED_MAX; i++) {
        char text[REPORT_TEXT_BYTES];
        iso_date(report->overrides[i].at_us / 1000000, when);
        (void)fprintf(out, "override,%s,", when);
        (void)site_time(report->overrides[i].at_us, false, when);
        (void)fprintf(out, "%.2s,", when + 11);
        (void)snprintf(text, sizeof(text), "%.5s %.32s %.32s %.8s %.32s%.96s", when + 11, report->overrides[i].lane,
                       report->overrides[i].operator_name[0] ? report->overrides[i].operator_name : "button",
                       report->overrides[i].person, reason_name(report->overrides[i].asked), report->overrides[i].detail);
        csv_field(out, text);
        (void)fprintf(out, ",1\n");
    }
}
