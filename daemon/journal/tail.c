/* Reads the end of the journal once at each start, so that a restart neither trusts a clock that went back nor opens a
 * locked lane. Called by judge.c. */
#include "daemon/journal/tail.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>

#include "daemon/journal/database.h"
#include "daemon/journal/event.h"

enum { VERDICTS_MAX = 256 };

/* Bounded: rows come in the order of time, but for a skew, as long as the clock is trusted. */
static const char NEWEST_SQL[] = "SELECT max(at_us) FROM (SELECT at_us, clock_trusted FROM event ORDER BY seq DESC "
                                 "LIMIT 4096) WHERE clock_trusted = 1";
static const char VERDICTS_SQL[] =
    "SELECT kind, reason, at_us, clock_trusted FROM (SELECT * FROM event ORDER BY seq DESC LIMIT 4096) "
    "WHERE kind IN ('granted', 'held', 'denied', 'override') AND reason NOT IN ('lane_locked', 'lock_down') "
    "ORDER BY seq DESC LIMIT 256";

struct past_verdict {
    enum event_kind kind;
    enum reason reason;
    int64_t at_us;
    bool clock_trusted;
};

int64_t saturated_difference(int64_t a, int64_t b)
{
    int64_t difference;
    return !__builtin_sub_overflow(a, b, &difference) ? difference : a > b ? INT64_MAX : INT64_MIN;
}

int tail_newest_at_us(sqlite3 *db, int64_t *ret)
{
    sqlite3_stmt *statement = NULL;
    *ret = INT64_MIN;
    int code = sqlite3_prepare_v2(db, NEWEST_SQL, -1, &statement, NULL);
    if (code == SQLITE_OK && (code = sqlite3_step(statement)) == SQLITE_ROW &&
        sqlite3_column_type(statement, 0) != SQLITE_NULL)
        *ret = sqlite3_column_int64(statement, 0);
    (void)sqlite3_finalize(statement); /* repeats the code of step */
    return database_error(code);
}

/* Newest first. */
static int read_verdicts(sqlite3 *db, struct past_verdict ret[VERDICTS_MAX], int *ret_count)
{
    sqlite3_stmt *s = NULL;
    int code = sqlite3_prepare_v2(db, VERDICTS_SQL, -1, &s, NULL), error = database_error(code);
    *ret_count = 0;
    while (error == 0 && *ret_count < VERDICTS_MAX && (code = sqlite3_step(s)) == SQLITE_ROW) {
        struct past_verdict *row = &ret[*ret_count];
        if (!event_kind_from_name(column_name(s, 0), &row->kind) || !reason_from_name(column_name(s, 1), &row->reason))
            error = -EILSEQ;
        row->at_us = sqlite3_column_int64(s, 2);
        row->clock_trusted = sqlite3_column_int(s, 3) != 0;
        ++*ret_count;
    }
    (void)sqlite3_finalize(s); /* repeats the code of step */
    return error < 0 ? error : database_error(code);
}

int tail_refusals(sqlite3 *db, const struct policy *policy, const struct event *now, struct refusals *ret)
{
    struct past_verdict rows[VERDICTS_MAX];
    int count;
    *ret = (struct refusals){ 0 };
    if (policy->refusals_lock <= 0)
        return 0;
    const int error = read_verdicts(db, rows, &count);
    if (error < 0)
        return error;
    for (int i = count - 1; i >= 0; i--) {
        const struct past_verdict *row = &rows[i];
        const struct verdict verdict = {
            .action = row->kind == EVENT_DENIED ? VERDICT_DENY : row->kind == EVENT_HELD ? VERDICT_HOLD : VERDICT_OPEN,
            .reason = row->reason,
            .status = STATUS_NONE,
        };
        const int64_t ago_us = saturated_difference(now->at_us, row->at_us);
        const bool passed = row->clock_trusted && now->clock_trusted && ago_us > 0;
        refusals_count(ret, policy, &verdict, saturated_difference(now->monotonic_us, passed ? ago_us : 0));
    }
    return 0;
}
