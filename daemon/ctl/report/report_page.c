/* The report as a page for the town's office: figures, two plots, tables. */
#include "daemon/ctl/page.h"
#include "daemon/ctl/report/report.h"

static const enum direction DIRECTIONS[DIRECTION_COUNT] = { DIRECTION_IN, DIRECTION_OUT, DIRECTION_NONE };

static void number_cell(FILE *out, int64_t number)
{
    (void)fprintf(out, "<td class=\"n\">%lld</td>", (long long)number);
}

/* `first` columns of text, then numbers. */
static void begin_table(FILE *out, const struct lang *lang, const char *const *keys, int count, int first)
{
    (void)fprintf(out, "<table><thead><tr>");
    for (int i = 0; i < count; i++)
        page_element(out, "th", i >= first ? "n" : NULL, say(lang, keys[i]));
    (void)fprintf(out, "</tr></thead><tbody>\n");
}

static void end_table(FILE *out)
{
    (void)fprintf(out, "</tbody></table>\n");
}

static void heading(FILE *out, const struct week_report *report, const char *key)
{
    page_element(out, "h2", NULL, say(report->site.lang, key));
}

/* ---- the head ------------------------------------------------------------------------------------------------------ */

static void print_header(FILE *out, const struct week_report *report)
{
    const struct lang *lang = report->site.lang;
    char text[REPORT_TEXT_BYTES], when[SITE_TIME_BYTES];
    (void)fprintf(out, "<header>");
    page_element(out, "h1", NULL, say(lang, "report.title"));
    (void)fprintf(out, "<p>");
    if (site_title(&report->site)[0]) {
        page_element(out, "b", NULL, site_title(&report->site));
        (void)fprintf(out, " · ");
    }
    page_text(out, say_word(lang, "place", report->site.kind));
    if (report->site.address[0]) {
        (void)fprintf(out, "<br>");
        page_text(out, report->site.address);
    }
    (void)fprintf(out, "</p>");
    page_element(out, "p", NULL, report_period(report, text));
    page_element(out, "p", "muted small",
                 lang_format(lang, text, sizeof(text), "report.made", "time",
                             site_time(report->ctl->now_s * 1000000, true, when), "lanes", LANG_N(report->reading.count), NULL));
    (void)fprintf(out, "</header>\n");
}

static void print_notes(FILE *out, const struct week_report *report)
{
    struct report_notes notes;
    report_notes(report, &notes);
    for (int i = 0; i < notes.count; i++) {
        page_element(out, "div", "note", notes.texts[i]);
        (void)fputc('\n', out);
    }
}

/* Entries, exits, held, denied, overrides, undeclared, alarms; the other two stand in the tables. */
static void print_tiles(FILE *out, const struct week_report *report)
{
    const struct lang *lang = report->site.lang;
    struct report_figure figures[REPORT_FIGURES];
    char text[REPORT_TEXT_BYTES], when[SITE_TIME_BYTES], change[40];
    report_figures(report, figures);
    (void)fprintf(out, "<div class=\"tiles\">");
    for (int i = 0; i < REPORT_FIGURES - 1; i++) {
        if (i == 2 && figures[i].now + figures[i].before == 0) /* passages without a direction: few lanes have them */
            continue;
        (void)fprintf(out, "<div class=\"tile\"><b>%lld</b>", (long long)figures[i].now);
        page_text(out, say_word(lang, "report", figures[i].name));
        (void)report_change(&figures[i], change);
        (void)fprintf(out, "<div class=\"muted small\">");
        if (change[0])
            page_text(out, lang_format(lang, text, sizeof(text), "report.against", "change", change, "before",
                                       LANG_N(figures[i].before), NULL));
        else
            page_text(out, say(lang, "report.no_last_week"));
        (void)fprintf(out, "</div></div>");
    }
    if (report->busiest > 0) {
        (void)fprintf(out, "<div class=\"tile\"><b>%lld</b>", (long long)report->busiest);
        page_text(out, say(lang, "report.busiest_tile"));
        page_element(out, "div", "muted small", site_minute(&report->site, report->busiest_s, when));
        (void)fprintf(out, "</div>");
    }
    (void)fprintf(out, "</div>\n");
}

/* ---- tables -------------------------------------------------------------------------------------------------------- */

static void print_days(FILE *out, const struct week_report *report)
{
    static const char *const keys[] = { "report.day", "report.entries", "report.exits", "report.undirected" };
    const int columns = report->totals.passages[DIRECTION_NONE] > 0 ? 3 : 2;
    char text[REPORT_TEXT_BYTES];
    begin_table(out, report->site.lang, keys, columns + 1, 1);
    for (int day = 0; day < WEEK_DAYS; day++) {
        (void)fprintf(out, "<tr>");
        page_element(out, "td", NULL, report_day(report, day, text));
        for (int i = 0; i < columns; i++)
            number_cell(out, week_day_sum(report, day, DIRECTIONS[i]));
        (void)fprintf(out, "</tr>\n");
    }
    (void)fprintf(out, "<tr class=\"sum\">");
    page_element(out, "td", NULL, say(report->site.lang, "report.sum"));
    for (int i = 0; i < columns; i++)
        number_cell(out, report->totals.passages[DIRECTIONS[i]]);
    (void)fprintf(out, "</tr>\n");
    end_table(out);
}

static void print_statuses(FILE *out, const struct week_report *report)
{
    static const char *const keys[] = { "report.status", "report.entries", "report.exits", "report.undirected" };
    const int columns = report->totals.passages[DIRECTION_NONE] > 0 ? 3 : 2;
    heading(out, report, "report.by_status");
    begin_table(out, report->site.lang, keys, columns + 1, 1);
    for (int status = 0; status < STATUS_COUNT; status++) {
        const int64_t *row = report->by_status[status];
        if (row[0] + row[1] + row[2] == 0)
            continue;
        (void)fprintf(out, "<tr>");
        page_element(out, "td", NULL, say_word(report->site.lang, "status", declaration_status_name((enum declaration_status)status)));
        for (int i = 0; i < columns; i++)
            number_cell(out, row[DIRECTIONS[i]]);
        (void)fprintf(out, "</tr>\n");
    }
    end_table(out);
}

static void print_reasons(FILE *out, const struct week_report *report)
{
    static const char *const keys[] = { "report.reason", "report.denied", "report.held" };
    heading(out, report, "report.by_reason");
    begin_table(out, report->site.lang, keys, 3, 1);
    for (int reason = 0; reason < REASON_COUNT; reason++) {
        if (report->denied_by[reason] + report->held_by[reason] == 0)
            continue;
        (void)fprintf(out, "<tr>");
        page_element(out, "td", NULL, say_word(report->site.lang, "reason", reason_name((enum reason)reason)));
        number_cell(out, report->denied_by[reason]);
        number_cell(out, report->held_by[reason]);
        (void)fprintf(out, "</tr>\n");
    }
    end_table(out);
}

static void print_lanes(FILE *out, const struct week_report *report)
{
    static const char *const keys[] = { "report.lane", "report.refused", "report.entries", "report.exits", "report.undirected" };
    const int columns = report->totals.passages[DIRECTION_NONE] > 0 ? 3 : 2;
    if (report->reading.count < 2)
        return;
    heading(out, report, "report.by_lane");
    begin_table(out, report->site.lang, keys, columns + 2, 1);
    for (int i = 0; i < report->reading.count; i++) {
        char lane[JOURNAL_LANE_BYTES + 4];
        (void)fprintf(out, "<tr>");
        page_element(out, "td", NULL, printable(report->reading.sources[i].lane, lane, sizeof(lane)));
        number_cell(out, report->refused_by_lane[i]);
        for (int k = 0; k < columns; k++)
            number_cell(out, report->by_lane[i][DIRECTIONS[k]]);
        (void)fprintf(out, "</tr>\n");
    }
    end_table(out);
}

static void print_more(FILE *out, const struct week_report *report, int64_t count)
{
    char text[REPORT_TEXT_BYTES];
    if (count > WEEK_LISTED_MAX)
        page_element(out, "p", NULL, lang_format(report->site.lang, text, sizeof(text), "report.more", "count",
                                                 LANG_N(count - WEEK_LISTED_MAX), NULL));
}

static void print_overrides(FILE *out, const struct week_report *report)
{
    static const char *const keys[] = { "report.time", "report.lane", "report.person", "report.who", "report.why" };
    const struct lang *lang = report->site.lang;
    char text[REPORT_TEXT_BYTES], when[SITE_TIME_BYTES];
    heading(out, report, "report.overrides_head");
    if (report->overrides_count == 0) {
        page_element(out, "p", NULL, say(lang, "report.none"));
        return;
    }
    if (report->overrides_undeclared > 0)
        page_element(out, "p", NULL, lang_format(lang, text, sizeof(text), "report.overrides_undeclared", "count",
                                                 LANG_N(report->overrides_undeclared), NULL));
    begin_table(out, lang, keys, 5, 5);
    for (int64_t i = 0; i < report->overrides_count && i < WEEK_LISTED_MAX; i++) {
        const struct week_override *override = &report->overrides[i];
        (void)fprintf(out, "<tr>");
        page_element(out, "td", "t", site_minute(&report->site, override->at_us / 1000000, when));
        page_element(out, "td", NULL, printable(override->lane, text, sizeof(text)));
        (void)snprintf(text, sizeof(text), "%.8s", override->person);
        (void)fprintf(out, "<td>");
        page_element(out, "code", NULL, text);
        (void)fprintf(out, "</td>");
        page_element(out, "td", NULL, report_override_who(report, override, text));
        page_element(out, "td", NULL, report_override_why(report, override, text));
        (void)fprintf(out, "</tr>\n");
    }
    end_table(out);
    print_more(out, report, report->overrides_count);
}

static void print_alarms(FILE *out, const struct week_report *report)
{
    static const char *const keys[] = { "report.time", "report.lane", "report.alarm", "report.detail" };
    const struct lang *lang = report->site.lang;
    heading(out, report, "report.alarms_head");
    if (report->alarms_count == 0) {
        page_element(out, "p", NULL, say(lang, "report.none"));
        return;
    }
    begin_table(out, lang, keys, 4, 4);
    for (int64_t i = 0; i < report->alarms_count && i < WEEK_LISTED_MAX; i++) {
        const struct week_alarm *alarm = &report->alarms[i];
        char text[REPORT_TEXT_BYTES], when[SITE_TIME_BYTES];
        (void)fprintf(out, "<tr>");
        page_element(out, "td", "t", site_minute(&report->site, alarm->at_us / 1000000, when));
        page_element(out, "td", NULL, printable(alarm->lane, text, sizeof(text)));
        page_element(out, "td", NULL, say_word(lang, "alarm", printable(alarm->alarm, text, sizeof(text))));
        page_element(out, "td", NULL, printable(alarm->detail, text, sizeof(text)));
        (void)fprintf(out, "</tr>\n");
    }
    end_table(out);
    print_more(out, report, report->alarms_count);
}

void report_page(FILE *out, const struct week_report *report)
{
    const struct lang *lang = report->site.lang;
    char title[REPORT_TEXT_BYTES], period[REPORT_TEXT_BYTES];
    (void)snprintf(title, sizeof(title), "%.150s – %.300s", say(lang, "report.title"), report_period(report, period));
    page_begin(out, lang, title);
    print_header(out, report);
    print_notes(out, report);
    print_tiles(out, report);
    heading(out, report, "report.by_day");
    plot_days(out, report);
    heading(out, report, "report.by_hour");
    plot_hours(out, report);
    print_days(out, report);
    (void)fprintf(out, "<div class=\"two\"><div>");
    print_statuses(out, report);
    (void)fprintf(out, "</div><div>");
    print_reasons(out, report);
    (void)fprintf(out, "</div></div>\n");
    print_lanes(out, report);
    print_overrides(out, report);
    print_alarms(out, report);
    (void)fprintf(out, "<div class=\"sign\"><div>");
    page_text(out, say(lang, "report.signed_by"));
    (void)fprintf(out, "</div><div>");
    page_text(out, say(lang, "report.head_of_site"));
    (void)fprintf(out, "</div></div>\n<footer class=\"small muted\">");
    page_text(out, say(lang, "report.remark"));
    (void)fprintf(out, "</footer>\n");
    page_end(out);
}
