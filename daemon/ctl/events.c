/* qrgatectl events: the journal as a list. Read-only in effect. */
#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/credential/utf8.h"
#include "daemon/ctl/ctl.h"
#include "daemon/journal/database.h"
#include "daemon/journal/purged.h"
#include "daemon/journal/store.h"

enum { DEFAULT_LIMIT = 100 };

enum { EVENTS_JSON, EVENTS_LIMIT };
static const struct ctl_option EVENTS_OPTIONS[] = {
    [EVENTS_JSON] = { "json", NULL, false, "one JSON object a line" },
    [EVENTS_LIMIT] = { "limit", "N", false, "only the newest N (default 100; 0 = all)" },
    { NULL, NULL, false, NULL },
};
/* ---- events ------------------------------------------------------------------------------------------------------ */

static void print_json_text(const char *name, const char *text)
{
    const bool valid = utf8_valid((const uint8_t *)text, strlen(text));
    (void)printf(",\"%s\":\"", name);
    for (; *text; text++) {
        const unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            (void)printf("\\%c", c);
        else if (c < 0x20 || c == 0x7f || (c >= 0x80 && !valid))
            (void)printf("\\u%04x", c);
        else
            (void)putchar(c);
    }
    (void)putchar('"');
}

/* "2026-01-31T08:30:00.123456Z" */
static const char *format_time_us(int64_t at_us, char buffer[48])
{
    char seconds[32];
    const int64_t us = (at_us % 1000000 + 1000000) % 1000000;
    (void)format_time((at_us - us) / 1000000, seconds);
    seconds[strcspn(seconds, "Z")] = '\0';
    (void)snprintf(buffer, 48, "%s.%06lldZ", seconds, (long long)us);
    return buffer;
}

/* The ranges of purged rows, told where their rows would stand. */
struct list {
    bool json;
    sqlite3_stmt *ranges;
    struct purged_range range; /* the next one, when has_range */
    bool has_range;
};

static int next_range(struct list *list)
{
    const int found = purged_next(list->ranges, &list->range);
    list->has_range = found == 1;
    return found < 0 ? found : 0;
}

static void print_range(const struct list *list)
{
    const struct purged_range *range = &list->range;
    const long long first = range->first_seq, last = range->last_seq, unsent = range->unsent_rows;
    if (list->json)
        (void)printf("{\"seq\":%lld,\"kind\":\"purged\",\"last_seq\":%lld,\"unsent_rows\":%lld}\n", first, last,
                     unsent);
    else
        (void)printf("%6lld  to %lld: purged, %lld rows, %lld of them never acknowledged by a broker\n", first, last,
                     last - first + 1, unsent);
}

/* Those before seq; the last row is never purged. */
static int print_ranges(struct list *list, int64_t before_seq)
{
    int error = 0;
    while (error == 0 && list->has_range && list->range.first_seq < before_seq) {
        print_range(list);
        error = next_range(list);
    }
    return error;
}

static int print_json(const struct stored_event *row, void *userdata)
{
    const struct event *event = &row->event;
    char when[48];
    const int error = print_ranges(userdata, event->seq);
    if (error < 0)
        return error;
    (void)printf("{\"seq\":%lld", (long long)event->seq);
    print_json_text("event_id", event->event_id);
    print_json_text("kind", event_kind_name(event->kind));
    print_json_text("at", format_time_us(event->at_us, when));
    (void)printf(",\"at_us\":%lld,\"clock_trusted\":%s", (long long)event->at_us,
                 event->clock_trusted ? "true" : "false");
    print_json_text("reason", reason_name(event->reason));
    print_json_text("status", declaration_status_name(event->status));
    print_json_text("credential", credential_kind_name(event->credential));
    print_json_text("person", event->person);
    print_json_text("bound_event_id", event->bound_event_id);
    print_json_text("alarm", event->alarm);
    print_json_text("detail", event->detail);
    print_json_text("verb", event->verb);
    print_json_text("operator", event->operator_name);
    (void)printf(",\"erased\":%s,\"sent\":%s}\n", row->erased ? "true" : "false", row->sent ? "true" : "false");
    return ferror(stdout) ? -EIO : 0;
}

static int print_plain(const struct stored_event *row, void *userdata)
{
    const struct event *event = &row->event;
    char when[48], detail[sizeof(event->detail) + 4], alarm[sizeof(event->alarm) + 4];
    char who[sizeof(event->operator_name) + 4];
    const int error = print_ranges(userdata, event->seq);
    if (error < 0)
        return error;
    (void)printf("%6lld  %s%c %-11s %-22s %-7s %-11s %-8.8s", (long long)event->seq, format_time_us(event->at_us, when),
                 event->clock_trusted ? ' ' : '?', event_kind_name(event->kind), reason_name(event->reason),
                 declaration_status_name(event->status), credential_kind_name(event->credential),
                 row->erased        ? "erased"
                 : event->person[0] ? event->person
                                    : "-");
    if (event->bound_event_id[0])
        (void)printf("  of %.8s", event->bound_event_id);
    if (event->verb[0]) {
        (void)printf("  %s", printable(event->verb, alarm, sizeof(alarm)));
        (void)printf(" by %s", printable(event->operator_name, who, sizeof(who)));
    }
    if (event->alarm[0])
        (void)printf("  %s", printable(event->alarm, alarm, sizeof(alarm)));
    if (event->detail[0])
        (void)printf("  %s", printable(event->detail, detail, sizeof(detail)));
    (void)printf("\n");
    return ferror(stdout) ? -EIO : 0;
}

/* Of the newest `limit` rows the first; 0 = all, from the beginning. */
static int find_first_seq(sqlite3 *db, int64_t limit, int64_t *ret_seq)
{
    sqlite3_stmt *statement = NULL;
    *ret_seq = 0;
    if (limit == 0)
        return 0;
    static const char sql[] = "SELECT coalesce(min(seq), 0) FROM (SELECT seq FROM event ORDER BY seq DESC LIMIT ?1)";
    int code = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_bind_int64(statement, 1, limit);
    if (code == SQLITE_OK && (code = sqlite3_step(statement)) == SQLITE_ROW)
        *ret_seq = sqlite3_column_int64(statement, 0);
    (void)sqlite3_finalize(statement); /* repeats the code of step */
    return database_error(code);
}

/* Rows and ranges as they were at one moment: the daemon may be purging. */
static int print_list(sqlite3 *db, int64_t limit, struct list *list)
{
    int64_t first_seq = 0;
    int error = database_run(db, "BEGIN");
    if (error == 0)
        error = find_first_seq(db, limit, &first_seq);
    if (error == 0)
        error = purged_walk(db, &list->ranges);
    if (error == 0)
        error = next_range(list);
    while (error == 0 && list->has_range && list->range.last_seq < first_seq - 1)
        error = next_range(list);
    if (error == 0)
        error = store_walk(db, first_seq - 1, list->json ? print_json : print_plain, list);
    (void)sqlite3_finalize(list->ranges); /* accepts NULL; repeats the code of step */
    if (!sqlite3_get_autocommit(db))
        (void)database_run(db, "COMMIT"); /* ends a reading: nothing can be lost */
    return error;
}

static enum ctl_exit run_events(struct ctl *ctl)
{
    const char *limit_text = ctl->values[EVENTS_LIMIT];
    struct list list = { .json = ctl->values[EVENTS_JSON] != NULL };
    int64_t limit = DEFAULT_LIMIT;
    char buffer[80];
    sqlite3 *db = NULL;
    if (limit_text) {
        const size_t digits = strspn(limit_text, "0123456789");
        if (digits == 0 || digits > 12 || limit_text[digits] != '\0')
            return ctl_fail(ctl, CTL_USAGE, "--limit '%s': allowed is a number from 0 (all) on",
                            printable(limit_text, buffer, sizeof(buffer)));
        limit = strtoll(limit_text, NULL, 10);
    }
    enum ctl_exit result = ctl_open_database(ctl, true, &db);
    if (result != CTL_OK)
        return result;
    const int error = print_list(db, limit, &list);
    if (error == -EILSEQ)
        result = ctl_fail(ctl, CTL_FAILED, "a row holds a value that qrgate never wrote; see: qrgatectl verify");
    else if (error < 0)
        result = ctl_fail(ctl, CTL_FAILED, "the journal can't be listed: %s",
                          ferror(stdout) ? "the output can't be written" : sqlite3_errmsg(db));
    (void)sqlite3_close(db); /* no statement is left */
    return result;
}

const struct ctl_command CTL_EVENTS = {
    .name = "events",
    .summary = "List the journal, the newest last",
    .details = "Columns: seq, time (UTC; ? = the clock wasn't trusted), kind, reason, status, credential, person's "
               "hash (first 8),\n"
               "then what it belongs to, an operator's verb and name, alarm and detail (of an operator: why) where "
               "there are any.\n"
               "Rows that were purged are told as a range.\n",
    .options = EVENTS_OPTIONS,
    .run = run_events,
};
