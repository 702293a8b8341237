/* qrgatectl verify: the check of the journal's hash chain. Read-only in effect. */
#include <errno.h>
#include <sodium.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/credential/utf8.h"
#include "daemon/ctl/ctl.h"
#include "daemon/journal/database.h"
#include "daemon/journal/purged.h"
#include "daemon/journal/store.h"

enum { VERIFY_JSON };
static const struct ctl_option VERIFY_OPTIONS[] = {
    [VERIFY_JSON] = { "json", NULL, false, "one JSON object" },
    { NULL, NULL, false, NULL },
};

static void print_broken(const struct ctl *ctl, const struct chain_report *report)
{
    if (ctl->values[VERIFY_JSON])
        (void)printf("{\"holds\":false,\"broken_seq\":%lld,\"why\":\"%s\",\"rows\":%lld}\n",
                     (long long)report->broken_seq, report->why, (long long)report->rows);
    else
        (void)printf("broken at seq %lld: %s; the %lld rows before hold\n", (long long)report->broken_seq, report->why,
                     (long long)report->rows);
}

static void print_holds(const struct ctl *ctl, const struct chain_report *report)
{
    const long long rows = report->rows, erased = report->erased, purged = report->purged_rows;
    const long long ranges = report->purged_ranges, unsent = report->purged_unsent_rows;
    char hash[2 * CHAIN_HASH_BYTES + 1];
    (void)sodium_bin2hex(hash, sizeof(hash), report->last_hash, sizeof(report->last_hash));
    if (ctl->values[VERIFY_JSON]) {
        (void)printf("{\"holds\":true,\"rows\":%lld,\"erased\":%lld,\"purged_rows\":%lld,\"purged_ranges\":%lld,"
                     "\"purged_unsent_rows\":%lld,\"last_hash\":\"%s\"}\n",
                     rows, erased, purged, ranges, unsent, hash);
        return;
    }
    (void)printf("%lld rows, the chain holds (%lld of them with the person erased); last hash %s\n", rows, erased,
                 hash);
    if (ranges > 0)
        (void)printf("purged by age or for want of room: %lld rows in %lld ranges, each under the lane's seal; %lld of "
                     "the rows were never acknowledged by a broker\n",
                     purged, ranges, unsent);
}

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

static enum ctl_exit run_verify(struct ctl *ctl)
{
    struct chain_report report;
    uint8_t site_key[32];
    sqlite3 *db = NULL;
    enum ctl_exit result = ctl_open_database(ctl, true, &db);
    if (result != CTL_OK)
        return result;
    const int any_range = find_any_range(db);
    if (any_range == 1)
        result = ctl_load_site_key(ctl, site_key);
    const int error = any_range < 0 ? any_range
                      : result == CTL_OK ? chain_verify(db, any_range == 1 ? site_key : NULL, &report)
                                         : 0;
    sodium_memzero(site_key, sizeof(site_key));
    if (error < 0) {
        result = ctl_fail(ctl, CTL_FAILED, "the journal can't be read: %s", sqlite3_errmsg(db));
    } else if (result == CTL_OK && report.broken_seq > 0) {
        print_broken(ctl, &report);
        result = CTL_FAILED;
    } else if (result == CTL_OK) {
        print_holds(ctl, &report);
    }
    (void)sqlite3_close(db); /* no statement is left */
    return result;
}

const struct ctl_command CTL_VERIFY = {
    .name = "verify",
    .summary = "Check the hash chain of the whole journal",
    .details = "Every row must be the one that was written: none changed, none missing. Rows cut off at the newest end "
               "can't be\n"
               "seen from within: keep the number of rows and the last hash that this prints, and compare later.\n"
               "Rows that were purged are counted; that the lane itself did it is checked with the site key.\n",
    .options = VERIFY_OPTIONS,
    .run = run_verify,
};
