/* qrgatectl events and verify: the journal as a list, and the check of its hash chain. Read-only in effect. */
#include <errno.h>
#include <sodium.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/credential/utf8.h"
#include "daemon/ctl/ctl.h"
#include "daemon/journal/database.h"
#include "daemon/journal/store.h"

enum { DEFAULT_LIMIT = 100 };

enum { EVENTS_JSON, EVENTS_LIMIT };
static const struct ctl_option EVENTS_OPTIONS[] = {
    [EVENTS_JSON] = { "json", NULL, false, "one JSON object a line" },
    [EVENTS_LIMIT] = { "limit", "N", false, "only the newest N (default 100; 0 = all)" },
    { NULL, NULL, false, NULL },
};
static const struct ctl_option VERIFY_OPTIONS[] = { { NULL, NULL, false, NULL } };

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

static int print_json(const struct stored_event *row, void *unused)
{
    const struct event *event = &row->event;
    char when[48];
    (void)unused;
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
    (void)printf(",\"erased\":%s,\"sent\":%s}\n", row->erased ? "true" : "false", row->sent ? "true" : "false");
    return ferror(stdout) ? -EIO : 0;
}

static int print_plain(const struct stored_event *row, void *unused)
{
    const struct event *event = &row->event;
    char when[48], detail[sizeof(event->detail) + 4], alarm[sizeof(event->alarm) + 4];
    (void)unused;
    (void)printf("%6lld  %s%c %-11s %-22s %-7s %-11s %-8.8s", (long long)event->seq, format_time_us(event->at_us, when),
                 event->clock_trusted ? ' ' : '?', event_kind_name(event->kind), reason_name(event->reason),
                 declaration_status_name(event->status), credential_kind_name(event->credential),
                 row->erased        ? "erased"
                 : event->person[0] ? event->person
                                    : "-");
    if (event->bound_event_id[0])
        (void)printf("  of %.8s", event->bound_event_id);
    if (event->alarm[0])
        (void)printf("  %s", printable(event->alarm, alarm, sizeof(alarm)));
    if (event->detail[0])
        (void)printf("  %s", printable(event->detail, detail, sizeof(detail)));
    (void)printf("\n");
    return ferror(stdout) ? -EIO : 0;
}

static int find_last_seq(sqlite3 *db, int64_t *ret_seq)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(db, "SELECT coalesce(max(seq), 0) FROM event", -1, &statement, NULL);
    if (code == SQLITE_OK && (code = sqlite3_step(statement)) == SQLITE_ROW)
        *ret_seq = sqlite3_column_int64(statement, 0);
    (void)sqlite3_finalize(statement); /* repeats the code of step */
    return database_error(code);
}

static enum ctl_exit run_events(struct ctl *ctl)
{
    const char *limit_text = ctl->values[EVENTS_LIMIT];
    int64_t limit = DEFAULT_LIMIT, last_seq = 0;
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
    int error = find_last_seq(db, &last_seq);
    if (error == 0)
        error = store_walk(db, limit == 0 || limit > last_seq ? 0 : last_seq - limit,
                           ctl->values[EVENTS_JSON] ? print_json : print_plain, NULL);
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
               "then what it belongs to, alarm and detail where there are any.\n",
    .options = EVENTS_OPTIONS,
    .run = run_events,
};

/* ---- verify ------------------------------------------------------------------------------------------------------ */

static enum ctl_exit run_verify(struct ctl *ctl)
{
    struct chain_report report;
    char hash[2 * CHAIN_HASH_BYTES + 1];
    sqlite3 *db = NULL;
    enum ctl_exit result = ctl_open_database(ctl, true, &db);
    if (result != CTL_OK)
        return result;
    const int error = chain_verify(db, &report);
    if (error < 0) {
        result = ctl_fail(ctl, CTL_FAILED, "the journal can't be read: %s", sqlite3_errmsg(db));
    } else if (report.broken_seq > 0) {
        (void)printf("broken at seq %lld: %s; the %lld rows before hold\n", (long long)report.broken_seq, report.why,
                     (long long)report.rows);
        result = CTL_FAILED;
    } else {
        (void)sodium_bin2hex(hash, sizeof(hash), report.last_hash, sizeof(report.last_hash));
        (void)printf("%lld rows, the chain holds (%lld of them with the person erased); last hash %s\n",
                     (long long)report.rows, (long long)report.erased, hash);
    }
    (void)sqlite3_close(db); /* no statement is left */
    return result;
}

const struct ctl_command CTL_VERIFY = {
    .name = "verify",
    .summary = "Check the hash chain of the whole journal",
    .details = "Every row must be the one that was written: none changed, none missing. Rows cut off at the newest end "
               "can't be\n"
               "seen from within: keep the number of rows and the last hash that this prints, and compare later.\n",
    .options = VERIFY_OPTIONS,
    .run = run_verify,
};
