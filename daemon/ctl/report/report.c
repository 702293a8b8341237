/* qrgatectl report week: the weekly report to commune and town. Read-only but for the files it is told to write, and the message
 * it is told to publish. Run by hand, and by systemd/qrgate-report@.timer. */
#include "daemon/ctl/report/report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/ctl/broker_link.h"

enum { PUBLISH_TIMEOUT_MS = 20000, PATH_BYTES = 512 };

enum { JOURNAL, MESSAGES, ISO, FORMAT, JSON, FOLDER, PUBLISH };
static const struct ctl_option OPTIONS[] = {
    [JOURNAL] = READING_JOURNAL_OPTION,
    [MESSAGES] = READING_MESSAGES_OPTION,
    [ISO] = { "iso", "WEEK", false, "which week: 2026-W47 (default: the last one that has ended)" },
    [FORMAT] = { "format", "md|csv|html|json", false, "Markdown by default; html is a page to print" },
    [JSON] = { "json", NULL, false, "as --format json: one object, the one that is published" },
    [FOLDER] = { "folder", "FOLDER", false, "write all four there, as SITE-2026-W47.html …, and print nothing" },
    [PUBLISH] = { "publish", NULL, false, "also to the configuration's broker, on PREFIX/SITE/LANE/report" },
    { NULL, NULL, false, NULL },
};

enum format { MARKDOWN, CSV, HTML, JSON_OBJECT, FORMAT_COUNT };
static const char *const FORMATS[FORMAT_COUNT] = { "md", "csv", "html", "json" };
static void (*const WRITERS[FORMAT_COUNT])(FILE *, const struct week_report *) = { report_markdown, report_csv, report_page,
                                                                                   report_json };

static enum ctl_exit take_format(struct ctl *ctl, enum format *ret)
{
    const char *format = ctl->values[FORMAT];
    char buffer[80];
    *ret = ctl->values[JSON] ? JSON_OBJECT : MARKDOWN;
    for (int i = 0; format && i < FORMAT_COUNT; i++) {
        if (strcmp(format, FORMATS[i]) == 0) {
            *ret = (enum format)i;
            return CTL_OK;
        }
    }
    return !format ? CTL_OK
                   : ctl_complain(ctl, CTL_USAGE, "report.format",
                                  "value", printable(format, buffer, sizeof(buffer)), NULL);
}

static enum ctl_exit take_week(struct ctl *ctl, struct week_report *report)
{
    char buffer[80], when[SITE_TIME_BYTES];
    struct week present;
    week_of(ctl->now_s, &present);
    week_before(&present, &report->week);
    if (ctl->values[ISO] && !week_from_text(ctl->values[ISO], &report->week))
        return ctl_complain(ctl, CTL_USAGE, "report.iso",
                            "value", printable(ctl->values[ISO], buffer, sizeof(buffer)), NULL);
    if (report->week.days_s[0] > ctl->now_s)
        return ctl_complain(ctl, CTL_USAGE, "report.to_come", "week", ctl->values[ISO],
                            "time", site_time(report->week.days_s[0] * 1000000, true, when), NULL);
    report->ended = report->week.days_s[WEEK_DAYS] <= ctl->now_s;
    report->until_s = report->ended ? report->week.days_s[WEEK_DAYS] : ctl->now_s;
    week_before(&report->week, &report->week_before);
    return CTL_OK;
}

/* ---- where it goes -------------------------------------------------------------------------------------------------- */

/* Whole or not at all: who looks into the folder never sees half a page. */
static enum ctl_exit write_file(const struct week_report *report, enum format format)
{
    struct ctl *ctl = report->ctl;
    char path[PATH_BYTES], fresh[PATH_BYTES + 8];
    const int length = snprintf(path, sizeof(path), "%s/%s-%04d-W%02d.%s", ctl->values[FOLDER],
                                report->site.site[0] ? report->site.site : "week", report->week.year, report->week.number,
                                FORMATS[format]);
    if (length >= (int)sizeof(path))
        return ctl_complain(ctl, CTL_FAILED, "report.folder_too_long", NULL);
    (void)snprintf(fresh, sizeof(fresh), "%s.new", path);
    FILE *out = fopen(fresh, "we");
    if (!out)
        return ctl_complain(ctl, CTL_FAILED, "file.unwritable", "file", fresh, "why", strerror(errno), NULL);
    WRITERS[format](out, report);
    const bool written = fflush(out) == 0 && !ferror(out) && fsync(fileno(out)) == 0;
    const int error = errno;
    if (fclose(out) == 0 && written && rename(fresh, path) == 0)
        return CTL_OK;
    (void)unlink(fresh); /* whatever is left of it is no use */
    return ctl_complain(ctl, CTL_FAILED, "file.unwritable", "file", path, "why", strerror(written ? errno : error),
                        NULL);
}

static enum ctl_exit write_out(const struct week_report *report, enum format format)
{
    enum ctl_exit result = CTL_OK;
    if (!report->ctl->values[FOLDER]) {
        WRITERS[format](stdout, report);
        return CTL_OK;
    }
    for (int i = 0; i < FORMAT_COUNT && result == CTL_OK; i++)
        result = write_file(report, (enum format)i);
    return result;
}

/* The broker of the configuration, under the lane's own topic and, as far as its access list goes, the lane's own name. */
static enum ctl_exit publish(const struct week_report *report)
{
    if (!report->site.publishes) /* a lane without a broker; its timer is no failure */
        return ctl_complain(report->ctl, CTL_OK, "report.not_published", NULL);
    struct ctl ctl = *report->ctl;
    struct broker broker;
    struct broker_link *link = NULL;
    char topic[TOPIC_BYTES], why[BROKER_TEXT_BYTES] = "";
    char *text = NULL;
    size_t bytes = 0;
    memset(ctl.values, 0, sizeof(ctl.values)); /* none of the broker's options is given */
    enum ctl_exit result = broker_read_options(&ctl, true, &broker);
    if (result != CTL_OK)
        return result;
    FILE *out = open_memstream(&text, &bytes);
    if (!out)
        return ctl_complain(&ctl, CTL_FAILED, "words.no_memory", NULL);
    report_json(out, report);
    if (fclose(out) != 0 || bytes < 2) {
        free(text);
        return ctl_complain(&ctl, CTL_FAILED, "words.no_memory", NULL);
    }
    broker_topic(&broker, broker.mqtt.lane, "report", topic);
    enum broker_result sent = broker_open(&broker, -1, PUBLISH_TIMEOUT_MS, &link, why);
    if (sent == BROKER_OK) {
        sent = broker_publish(link, topic, text, bytes - 1 /* the line's end */, true, 0, PUBLISH_TIMEOUT_MS);
        (void)snprintf(why, sizeof(why), "%s", broker_text(link));
    }
    broker_close(link);
    free(text);
    return sent == BROKER_OK ? CTL_OK : broker_complain(&ctl, &broker, sent, why);
}

/* ---- the command ---------------------------------------------------------------------------------------------------- */

static enum ctl_exit run_with(struct ctl *ctl, struct week_report *report)
{
    const struct reading_source *source = NULL;
    enum format format;
    enum ctl_exit result = take_format(ctl, &format);
    if (result == CTL_OK)
        result = site_read(ctl, ctl->journals_count > 0 || ctl->values[MESSAGES], true, &report->site);
    if (result == CTL_OK && ctl->values[PUBLISH] && report->site.site[0] == '\0')
        result = ctl_complain(ctl, CTL_USAGE, "report.publish_config", NULL);
    if (result == CTL_OK)
        result = take_week(ctl, report);
    if (result == CTL_OK)
        result = reading_open(ctl, ctl->values[MESSAGES], &report->reading);
    if (result == CTL_OK) {
        const int error = week_count(report, &source);
        result = error < 0 ? reading_fail(&report->reading, source, error) : CTL_OK;
    }
    if (result == CTL_OK)
        result = write_out(report, format);
    if (result == CTL_OK && ctl->values[PUBLISH])
        result = publish(report);
    return result == CTL_OK && report->reading.bad_lines > 0 ? CTL_SOME_BAD : result;
}

static enum ctl_exit run(struct ctl *ctl)
{
    struct week_report *report = calloc(1, sizeof(*report));
    if (!report)
        return ctl_complain(ctl, CTL_FAILED, "words.no_memory", NULL);
    report->ctl = ctl;
    const enum ctl_exit result = run_with(ctl, report);
    week_free(report);
    reading_close(&report->reading);
    site_close(&report->site);
    free(report);
    return result;
}

const struct ctl_command CTL_REPORT_WEEK = {
    .name = "report week",
    .summary = "Write the weekly report to the commune and the town",
    .details = "Entries and exits by day and hour and by status, refusals by reason, overrides with who and why, alarms, the\n"
               "undeclared, the busiest quarter of an hour, and the week before. A week is Monday to Sunday at the place\n"
               "(place.zone), in its language (place.language) unless --lang says another. Give the journals of all lanes of the\n"
               "site: --journal gate-a.db --journal gate-b.db. By a timer: systemctl enable --now qrgate-report@LANE.timer.\n",
    .options = OPTIONS,
    .run = run,
};
