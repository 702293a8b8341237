/* The report as the message on PREFIX/SITE/LANE/report: figures alone, no person and no operator. */
#include "daemon/ctl/report/report.h"
#include "daemon/mqtt/catalogue.h"
#include "daemon/mqtt/messages.h"

static const char *const DIRECTION_NAMES[DIRECTION_COUNT] = { "undirected", "entries", "exits" };

struct object {
    FILE *out;
    bool comma;
};

static void put(struct object *object, const char *name, int64_t value)
{
    (void)fprintf(object->out, "%s\"%s\":%lld", object->comma ? "," : "", name, (long long)value);
    object->comma = true;
}

static struct object open(FILE *out, const char *name)
{
    (void)fprintf(out, ",\"%s\":{", name);
    return (struct object){ .out = out };
}

static void put_time(FILE *out, const char *name, int64_t at_s)
{
    char when[MESSAGE_TIME_BYTES];
    message_time(at_s * 1000000, when);
    lists_json_text(out, name, when);
}

static void put_figures(FILE *out, const struct week_report *report)
{
    struct report_figure figures[REPORT_FIGURES];
    report_figures(report, figures);
    for (int i = 0; i < REPORT_FIGURES; i++)
        (void)fprintf(out, ",\"%s\":%lld", figures[i].name, (long long)figures[i].now);
    struct object before = open(out, "last_week");
    for (int i = 0; i < REPORT_FIGURES; i++)
        put(&before, figures[i].name, figures[i].before);
    (void)fputc('}', out);
}

static void put_days(FILE *out, const struct week_report *report)
{
    (void)fprintf(out, ",\"days\":[");
    for (int day = 0; day < WEEK_DAYS; day++) {
        char date[SITE_DATE_BYTES];
        (void)fprintf(out, "%s{\"date\":\"%s\"", day > 0 ? "," : "", site_iso_date(report->week.monday + day, date));
        for (int i = 0; i < DIRECTION_COUNT; i++) {
            (void)fprintf(out, ",\"%s\":[", DIRECTION_NAMES[i]);
            for (int hour = 0; hour < WEEK_HOURS; hour++)
                (void)fprintf(out, "%s%lld", hour > 0 ? "," : "", (long long)report->by_hour[day][hour][i]);
            (void)fputc(']', out);
        }
        (void)fputc('}', out);
    }
    (void)fputc(']', out);
}

static void put_statuses(FILE *out, const struct week_report *report)
{
    for (int i = 0; i < DIRECTION_COUNT; i++) {
        char name[32];
        (void)snprintf(name, sizeof(name), "%s_by_status", DIRECTION_NAMES[i]);
        struct object object = open(out, name);
        for (int status = 0; status < STATUS_COUNT; status++)
            if (report->by_status[status][i] > 0)
                put(&object, declaration_status_name((enum declaration_status)status), report->by_status[status][i]);
        (void)fputc('}', out);
    }
}

static void put_reasons(FILE *out, const char *name, const int64_t counts[REASON_COUNT])
{
    struct object object = open(out, name);
    for (int reason = 0; reason < REASON_COUNT; reason++)
        if (counts[reason] > 0)
            put(&object, reason_name((enum reason)reason), counts[reason]);
    (void)fputc('}', out);
}

static void put_lanes(FILE *out, const struct week_report *report)
{
    (void)fprintf(out, ",\"lanes\":[");
    for (int i = 0; i < report->reading.count; i++) {
        (void)fprintf(out, "%s{\"refused\":%lld", i > 0 ? "," : "", (long long)report->refused_by_lane[i]);
        lists_json_text(out, "lane", report->reading.sources[i].lane);
        for (int k = 0; k < DIRECTION_COUNT; k++)
            (void)fprintf(out, ",\"%s\":%lld", DIRECTION_NAMES[k], (long long)report->by_lane[i][k]);
        if (report->reading.sources[i].last_us > 0)
            put_time(out, "events_until", report->reading.sources[i].last_us / 1000000);
        (void)fputc('}', out);
    }
    (void)fputc(']', out);
}

void report_json(FILE *out, const struct week_report *report)
{
    char offset[SITE_DATE_BYTES];
    (void)fprintf(out, "{\"schema\":\"%s\",\"week\":\"%04d-W%02d\"", catalogue_message(MESSAGE_REPORT)->schema, report->week.year,
                  report->week.number);
    put_time(out, "from", report->week.days_s[0]);
    put_time(out, "until", report->until_s);
    lists_json_text(out, "utc_offset", site_offset(report->week.days_s[0], offset));
    (void)fprintf(out, ",\"complete\":%s", report->ended ? "true" : "false");
    if (report->site.site[0])
        lists_json_text(out, "site", report->site.site);
    if (report->site.name[0])
        lists_json_text(out, "name", report->site.name);
    if (report->site.address[0])
        lists_json_text(out, "address", report->site.address);
    lists_json_text(out, "kind", report->site.kind);
    (void)fprintf(out, ",\"events\":%lld,\"clock_untrusted\":%lld", (long long)report->totals.events,
                  (long long)report->totals.untrusted);
    put_figures(out, report);
    (void)fprintf(out, ",\"overrides_of_undeclared\":%lld", (long long)report->overrides_undeclared);
    put_days(out, report);
    put_statuses(out, report);
    put_reasons(out, "denied_by_reason", report->denied_by);
    put_reasons(out, "held_by_reason", report->held_by);
    struct object alarms = open(out, "alarms_by_name");
    for (int i = 0; i < report->by_alarm_count; i++)
        put(&alarms, report->by_alarm[i].name, report->by_alarm[i].count);
    (void)fputc('}', out);
    if (report->busiest > 0) {
        (void)fprintf(out, ",\"busiest\":{\"passages\":%lld", (long long)report->busiest);
        put_time(out, "at", report->busiest_s);
        (void)fputc('}', out);
    }
    put_lanes(out, report);
    (void)fprintf(out, "}\n");
}
