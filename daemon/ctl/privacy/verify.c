/* qrgatectl verify: the check of the journal's hash chain, and of heads of it that were published. Read-only in effect. */
#include <errno.h>
#include <json-c/json.h>
#include <sodium.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/ctl/ctl.h"
#include "daemon/journal/chain.h"
#include "daemon/journal/purged.h"
#include "daemon/mqtt/json_read.h"
#include "daemon/settings/site_key.h"

enum { LINE_BYTES = 4096, HEADS_MAX = 100000 };

enum { JSON, HEAD, HEADS };
static const struct ctl_option OPTIONS[] = {
    [JSON] = { "json", NULL, false, "one JSON object" },
    [HEAD] = { "head", "HASH@SEQ", false, "a head that was published: it must still be there" },
    [HEADS] = { "heads", "FILE", false, "a file of chain_head messages, one a line, as mosquitto_sub prints them; - is stdin" },
    { NULL, NULL, false, NULL },
};

struct heads {
    struct journal_head *all;
    size_t count, room;
    int64_t others; /* lines without a head of ours */
};

/* ---- heads ------------------------------------------------------------------------------------------------------- */

static bool read_hash(const char *text, size_t length, struct journal_head *ret)
{
    size_t bytes = 0;
    return length == 2 * sizeof(ret->hash) &&
           sodium_hex2bin(ret->hash, sizeof(ret->hash), text, length, NULL, &bytes, NULL) == 0 && bytes == sizeof(ret->hash);
}

static bool read_word(const char *text, struct journal_head *ret)
{
    const char *at = strchr(text, '@');
    if (!at || !read_hash(text, (size_t)(at - text), ret))
        return false;
    const size_t digits = strspn(at + 1, "0123456789");
    ret->seq = digits > 0 && digits <= 18 && at[1 + digits] == '\0' ? strtoll(at + 1, NULL, 10) : 0;
    return ret->seq > 0;
}

static int add(struct heads *heads, const struct journal_head *head)
{
    if (heads->count == heads->room) {
        const size_t room = heads->room > 0 ? 2 * heads->room : 64;
        struct journal_head *more = room <= HEADS_MAX ? realloc(heads->all, room * sizeof(*more)) : NULL;
        if (!more)
            return room <= HEADS_MAX ? -ENOMEM : -E2BIG;
        heads->all = more;
        heads->room = room;
    }
    heads->all[heads->count++] = *head;
    return 0;
}

/* A line of a recording: a topic may stand before the message. False: no head in it. */
static bool read_line(const char *line, struct journal_head *ret)
{
    const char *begin = strchr(line, '{');
    struct json_object *value;
    const char *text;
    size_t length;
    char why[160];
    int error;
    struct json_object *object = begin ? json_read(begin, strcspn(begin, "\r\n"), LINE_BYTES, &error, why, sizeof(why)) : NULL;
    bool is_head = object && json_read_member_named(object, "schema", &value) && (text = json_read_text(value, &length)) &&
                   strcmp(text, "qrgate/chain_head/1") == 0;
    is_head = is_head && json_read_member_named(object, "seq", &value) && json_read_integer(value, &ret->seq) &&
              ret->seq > 0 && json_read_member_named(object, "hash", &value) && (text = json_read_text(value, &length)) &&
              read_hash(text, length, ret);
    json_read_free(object);
    return is_head;
}

static enum ctl_exit read_file(const struct ctl *ctl, struct heads *heads)
{
    const char *path = ctl->values[HEADS];
    const bool from_stdin = strcmp(path, "-") == 0;
    FILE *file = from_stdin ? stdin : fopen(path, "re");
    struct journal_head head;
    char line[LINE_BYTES];
    int error = 0;
    if (!file)
        return ctl_complain(ctl, CTL_FAILED, "verify.heads_unreadable", "file", path, "why", strerror(errno), NULL);
    while (error == 0 && fgets(line, sizeof(line), file)) {
        if (read_line(line, &head))
            error = add(heads, &head);
        else
            heads->others++;
    }
    if (error == 0 && ferror(file))
        error = -EIO;
    if (!from_stdin)
        (void)fclose(file); /* only read */
    if (error < 0)
        return ctl_complain(ctl, CTL_FAILED, "verify.heads_failed", "file", path,
                            "why", error == -E2BIG ? say(ctl->lang, "verify.too_many_heads") : strerror(-error), NULL);
    if (heads->count == 0)
        return ctl_complain(ctl, CTL_FAILED, "verify.no_heads", "file", path, "lines", LANG_N(heads->others), NULL);
    return CTL_OK;
}

static int by_seq(const void *left, const void *right)
{
    const struct journal_head *a = left, *b = right;
    return (a->seq > b->seq) - (a->seq < b->seq);
}

static enum ctl_exit read_heads(const struct ctl *ctl, struct heads *heads)
{
    struct journal_head head;
    char buffer[96];
    if (ctl->values[HEAD]) {
        if (!read_word(ctl->values[HEAD], &head))
            return ctl_complain(ctl, CTL_USAGE, "verify.head",
                                "value", printable(ctl->values[HEAD], buffer, sizeof(buffer)), NULL);
        if (add(heads, &head) < 0)
            return ctl_complain(ctl, CTL_FAILED, "words.no_memory", NULL);
    }
    const enum ctl_exit result = ctl->values[HEADS] ? read_file(ctl, heads) : CTL_OK;
    if (heads->count > 1)
        qsort(heads->all, heads->count, sizeof(*heads->all), by_seq);
    return result;
}

/* ---- the result -------------------------------------------------------------------------------------------------- */

static void print_broken(const struct ctl *ctl, const struct chain_report *report)
{
    if (ctl->values[JSON])
        (void)printf("{\"holds\":false,\"broken_seq\":%lld,\"why\":\"%s\",\"rows\":%lld}\n",
                     (long long)report->broken_seq, report->why, (long long)report->rows);
    else
        lang_print(stdout, ctl->lang, "verify.broken", "seq", LANG_N(report->broken_seq), "why", report->why,
                   "rows", LANG_N(report->rows), NULL);
}

static void print_holds(const struct ctl *ctl, const struct chain_report *report, size_t heads)
{
    const long long rows = report->rows, erased = report->erased, purged = report->purged_rows;
    const long long ranges = report->purged_ranges, unsent = report->purged_unsent_rows;
    const long long held = report->heads_held, gone = report->heads_purged;
    char hash[2 * CHAIN_HASH_BYTES + 1];
    (void)sodium_bin2hex(hash, sizeof(hash), report->last_hash, sizeof(report->last_hash));
    if (ctl->values[JSON]) {
        (void)printf("{\"holds\":true,\"rows\":%lld,\"erased\":%lld,\"purged_rows\":%lld,\"purged_ranges\":%lld,"
                     "\"purged_unsent_rows\":%lld,\"heads\":%zu,\"heads_held\":%lld,\"heads_purged\":%lld,\"last_hash\":\"%s\"}\n",
                     rows, erased, purged, ranges, unsent, heads, held, gone, hash);
        return;
    }
    lang_print(stdout, ctl->lang, "verify.holds", "rows", LANG_N(rows), "erased", LANG_N(erased), "hash", hash, NULL);
    if (ranges > 0)
        lang_print(stdout, ctl->lang, "verify.purged", "rows", LANG_N(purged), "ranges", LANG_N(ranges), "unsent", LANG_N(unsent), NULL);
    if (heads > 0)
        lang_print(stdout, ctl->lang, "verify.published", "held", LANG_N(held), "heads", LANG_N(heads), "gone", LANG_N(gone), NULL);
}

/* ---- the check --------------------------------------------------------------------------------------------------- */

/* Only a journal with purged rows needs the site key: 1 or 0, or negative errno. */
static int find_any_range(sqlite3 *db)
{
    struct purged_range range;
    sqlite3_stmt *ranges = NULL;
    int found = purged_walk(db, &ranges);
    if (found == 0)
        found = purged_next(ranges, &range);
    (void)sqlite3_finalize(ranges); /* accepts NULL; repeats the code of step */
    return found == -EILSEQ ? 1 : found;
}

static enum ctl_exit check(struct ctl *ctl, sqlite3 *db, const struct heads *heads)
{
    struct site_keys keys = { .has_old = false };
    struct chain_report report;
    const int any_range = find_any_range(db);
    enum ctl_exit result = any_range == 1 ? ctl_load_site_keys(ctl, &keys) : CTL_OK;
    if (result != CTL_OK)
        return result;
    int error = any_range < 0 ? any_range
                              : chain_verify_heads(db, any_range == 1 ? keys.current : NULL, heads->all, heads->count, &report);
    /* The key is being replaced, and the lane, which seals the ranges anew, wasn't restarted yet. */
    if (error == 0 && report.broken_seq > 0 && keys.has_old)
        error = chain_verify_heads(db, keys.old, heads->all, heads->count, &report);
    sodium_memzero(&keys, sizeof(keys));
    if (error < 0)
        return ctl_complain(ctl, CTL_FAILED, "verify.unreadable", "why", sqlite3_errmsg(db), NULL);
    if (report.broken_seq > 0) {
        print_broken(ctl, &report);
        return CTL_FAILED;
    }
    print_holds(ctl, &report, heads->count);
    return CTL_OK;
}

static enum ctl_exit run(struct ctl *ctl)
{
    struct heads heads = { .count = 0 };
    sqlite3 *db = NULL;
    enum ctl_exit result = read_heads(ctl, &heads);
    if (result == CTL_OK)
        result = ctl_open_database(ctl, true, &db);
    if (result == CTL_OK)
        result = check(ctl, db, &heads);
    (void)sqlite3_close(db); /* accepts NULL; no statement is left */
    free(heads.all);
    return result;
}

const struct ctl_command CTL_VERIFY = {
    .name = "verify",
    .summary = "Check the hash chain of the whole journal",
    .details = "Every row must be the one that was written: none changed, none missing. Rows cut off at the newest end "
               "can't be\n"
               "seen from within: for that the lane publishes its newest row's hash each day (topic chain_head). Who keeps those\n"
               "messages can ask here whether the journal still contains them:\n"
               "  mosquitto_sub -v -t 'qrgate/SITE/LANE/chain_head' >> heads.txt; qrgatectl verify --heads heads.txt\n"
               "Rows that were purged are counted; that the lane itself did it is checked with the site key.\n",
    .options = OPTIONS,
    .run = run,
};
