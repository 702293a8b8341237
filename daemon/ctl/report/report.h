/* The weekly report's forms. Each takes the same figures and writes one whole document. */
#ifndef CTL_REPORT_REPORT_H
#define CTL_REPORT_REPORT_H

#include <stdio.h>

#include "daemon/ctl/report/week.h"

void report_markdown(FILE *out, const struct week_report *report);
void report_csv(FILE *out, const struct week_report *report);
void report_page(FILE *out, const struct week_report *report);
void report_json(FILE *out, const struct week_report *report); /* config/schemas/report.json; one line, without a person in it */

/* ---- what the forms share (report_words.c) --------------------------------------------------------------------------- */

enum { REPORT_TEXT_BYTES = 512, REPORT_NOTES_MAX = 80 };

/* The figures that stand at the head of every form, beside those of the week before. */
struct report_figure {
    const char *name; /* stable: "entries", … */
    int64_t now, before;
};
enum { REPORT_FIGURES = 9 };
void report_figures(const struct week_report *report, struct report_figure ret[REPORT_FIGURES]);
/* "+12 %", "−3 %", "" when there is nothing to compare with. */
const char *report_change(const struct report_figure *figure, char buffer[40]);

/* "Week 47 of 2026: 2026-11-16 to 2026-11-22" */
const char *report_period(const struct week_report *report, char buffer[REPORT_TEXT_BYTES]);
const char *report_day(const struct week_report *report, int day, char buffer[REPORT_TEXT_BYTES]); /* "Mon 2026-11-16" */
const char *report_day_short(const struct week_report *report, int day, char buffer[REPORT_TEXT_BYTES]); /* "Mon 11-16" */
/* What must be known to read the figures rightly: an unfinished week, lanes that end earlier, rows that are purged … */
struct report_notes {
    int count;
    char texts[REPORT_NOTES_MAX][REPORT_TEXT_BYTES];
};
void report_notes(const struct week_report *report, struct report_notes *ret);
/* "guard's button, guard B" or "operator NAME"; and why: what was refused, or what the operator said. */
const char *report_override_who(const struct week_report *report, const struct week_override *override, char buffer[REPORT_TEXT_BYTES]);
const char *report_override_why(const struct week_report *report, const struct week_override *override, char buffer[REPORT_TEXT_BYTES]);

/* ---- plots (report_plot.c): SVG inside a page ------------------------------------------------------------------------- */

void plot_days(FILE *out, const struct week_report *report);  /* entries and exits of each day */
void plot_hours(FILE *out, const struct week_report *report); /* passages of each day and hour, darker is more */

#endif
