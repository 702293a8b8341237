/* The page's two plots, as SVG in units of its viewBox. */
#include "daemon/ctl/page.h"
#include "daemon/ctl/report/report.h"

enum { WIDTH = 180, DAYS_HEIGHT = 58, LEFT = 14, TOP = 4, BASE = 46, CELL = 6, CELL_TOP = 5 };

/* 1, 2 or 5 times a power of ten, so that about four lines cover the highest. */
static int64_t step_for(int64_t highest)
{
    static const int64_t steps[] = { 1, 2, 5 };
    for (int64_t power = 1; power <= INT64_MAX / 400; power *= 10)
        for (int i = 0; i < 3; i++)
            if (steps[i] * power * 4 >= highest)
                return steps[i] * power;
    return highest;
}

static void text_at(FILE *out, double x, double y, const char *anchor, const char *text)
{
    (void)fprintf(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" fill=\"#57606a\">", x, y, anchor);
    page_text(out, text);
    (void)fprintf(out, "</text>");
}

static void number_at(FILE *out, double x, double y, const char *anchor, int64_t number)
{
    char text[24];
    (void)snprintf(text, sizeof(text), "%lld", (long long)number);
    text_at(out, x, y, anchor, text);
}

static void bar(FILE *out, double x, double width, double height, const char *fill, int64_t number)
{
    (void)fprintf(out, "<rect x=\"%.1f\" y=\"%.2f\" width=\"%.1f\" height=\"%.2f\" rx=\".6\" fill=\"%s\"/>", x, BASE - height, width,
                  height, fill);
    if (number > 0)
        number_at(out, x + width / 2, BASE - height - 1, "middle", number);
}

void plot_days(FILE *out, const struct week_report *report)
{
    static const char *const fills[DIRECTION_COUNT] = { "#9ca3af", "#15803d", "#93c5fd" };
    static const enum direction order[DIRECTION_COUNT] = { DIRECTION_IN, DIRECTION_OUT, DIRECTION_NONE };
    const struct lang *lang = report->site.lang;
    const double day_width = (double)(WIDTH - LEFT - 2) / WEEK_DAYS;
    const bool undirected = report->totals.passages[DIRECTION_NONE] > 0;
    const int bars = undirected ? 3 : 2;
    int64_t highest = 1;
    for (int day = 0; day < WEEK_DAYS; day++)
        for (int i = 0; i < DIRECTION_COUNT; i++)
            highest = week_day_sum(report, day, (enum direction)i) > highest ? week_day_sum(report, day, (enum direction)i) : highest;
    const int64_t step = step_for(highest), top = (highest + step - 1) / step * step;
    (void)fprintf(out, "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"", WIDTH, DAYS_HEIGHT);
    page_text(out, say(lang, "report.by_day"));
    (void)fprintf(out, "\">");
    for (int64_t value = 0; value <= top; value += step) {
        const double y = BASE - (double)(BASE - TOP - 4) * (double)value / (double)top;
        (void)fprintf(out, "<path d=\"M%d %.2fH%d\" stroke=\"#d7dce0\" stroke-width=\".2\"/>", LEFT, y, WIDTH);
        number_at(out, LEFT - 1.5, y + 1, "end", value);
    }
    for (int day = 0; day < WEEK_DAYS; day++) {
        const double x = LEFT + 1 + day * day_width, width = (day_width - 4) / bars;
        char name[REPORT_TEXT_BYTES];
        for (int i = 0; i < bars; i++) {
            const int64_t sum = week_day_sum(report, day, order[i]);
            bar(out, x + 2 + i * width, width - .4, (double)(BASE - TOP - 4) * (double)sum / (double)top, fills[order[i]], sum);
        }
        text_at(out, x + day_width / 2, BASE + 4.5, "middle", report_day_short(report, day, name));
    }
    for (int i = 0; i < bars; i++) {
        (void)fprintf(out, "<rect x=\"%d\" y=\"%d\" width=\"3\" height=\"3\" rx=\".5\" fill=\"%s\"/>", LEFT + 1 + i * 38, BASE + 8,
                      fills[order[i]]);
        text_at(out, LEFT + 5.5 + i * 38, BASE + 10.6, "start",
                say(lang, order[i] == DIRECTION_IN    ? "report.entries"
                          : order[i] == DIRECTION_OUT ? "report.exits"
                                                      : "report.undirected"));
    }
    (void)fprintf(out, "</svg>\n");
}

static int64_t cell_sum(const struct week_report *report, int day, int hour)
{
    int64_t sum = 0;
    for (int i = 0; i < DIRECTION_COUNT; i++)
        sum += report->by_hour[day][hour][i];
    return sum;
}

void plot_hours(FILE *out, const struct week_report *report)
{
    const double width = (double)(WIDTH - 30) / WEEK_HOURS;
    int64_t highest = 1;
    for (int day = 0; day < WEEK_DAYS; day++)
        for (int hour = 0; hour < WEEK_HOURS; hour++)
            highest = cell_sum(report, day, hour) > highest ? cell_sum(report, day, hour) : highest;
    (void)fprintf(out, "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"", WIDTH, CELL_TOP + WEEK_DAYS * CELL + 2);
    page_text(out, say(report->site.lang, "report.by_hour"));
    (void)fprintf(out, "\">");
    for (int hour = 0; hour < WEEK_HOURS; hour++)
        number_at(out, 30 + (hour + .5) * width, CELL_TOP - 1.2, "middle", hour);
    for (int day = 0; day < WEEK_DAYS; day++) {
        const double y = CELL_TOP + day * CELL;
        char name[REPORT_TEXT_BYTES];
        text_at(out, 28.5, y + 4.2, "end", report_day_short(report, day, name));
        for (int hour = 0; hour < WEEK_HOURS; hour++) {
            const int64_t sum = cell_sum(report, day, hour);
            const double share = (double)sum / (double)highest;
            (void)fprintf(out, "<rect x=\"%.2f\" y=\"%.1f\" width=\"%.2f\" height=\"%.1f\" rx=\".6\" fill=\"#15803d\" "
                          "fill-opacity=\"%.3f\"/>", 30 + hour * width + .15, y + .15, width - .3, CELL - .3,
                          sum == 0 ? .04 : .12 + .88 * share);
            if (sum > 0)
                (void)fprintf(out, "<text x=\"%.2f\" y=\"%.1f\" text-anchor=\"middle\" style=\"font-size:2.5px\" fill=\"%s\">%lld</text>",
                              30 + (hour + .5) * width, y + 3.9, share > .45 ? "#fff" : "#1b1f23", (long long)sum);
        }
    }
    (void)fprintf(out, "</svg>\n");
}
