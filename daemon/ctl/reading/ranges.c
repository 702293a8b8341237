/* From a time, a kind or a reason to the rows: the tally says between which seqs each quarter of an hour has them. */
#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>

#include "daemon/ctl/reading/reading.h"
#include "daemon/journal/database.h"

enum { QUARTER_US = 900000000, NEAR_ROWS = 64 /* a gap so small is read over rather than jumped */ };

static const char SQL[] = "SELECT first_seq, last_seq FROM tally WHERE quarter >= ?1 AND quarter <= ?2 AND "
                          "(?3 IS NULL OR kind = ?3) AND (?4 IS NULL OR reason = ?4) AND (?5 = 0 OR passages > 0) "
                          "ORDER BY first_seq";

static int add(struct reading_range **ranges, int *count, int *room, int64_t first, int64_t last)
{
    if (*count > 0 && first <= (*ranges)[*count - 1].last_seq + NEAR_ROWS) {
        if (last > (*ranges)[*count - 1].last_seq)
            (*ranges)[*count - 1].last_seq = last;
        return 0;
    }
    if (*count == *room) {
        const int more = *room > 0 ? 2 * *room : 16;
        struct reading_range *grown = realloc(*ranges, (size_t)more * sizeof(**ranges));
        if (!grown)
            return -ENOMEM;
        *ranges = grown;
        *room = more;
    }
    (*ranges)[(*count)++] = (struct reading_range){ first, last };
    return 0;
}

int reading_ranges(const struct reading_source *source, const struct reading_filter *filter, bool passages,
                   struct reading_range **ret_ranges, int *ret_count)
{
    sqlite3_stmt *s = NULL;
    int room = 0, count = 0, code;
    struct reading_range *ranges = NULL;
    *ret_ranges = NULL;
    *ret_count = 0;
    if (filter->from_us == 0 && filter->until_us == 0 && !filter->kind && !filter->reason && !passages)
        return add(ret_ranges, ret_count, &room, 0, INT64_MAX);
    int error = database_error(sqlite3_prepare_v2(source->db, SQL, -1, &s, NULL));
    if (error == 0) {
        code = sqlite3_bind_int64(s, 1, filter->from_us == 0 ? INT64_MIN : filter->from_us / QUARTER_US);
        code |= sqlite3_bind_int64(s, 2, filter->until_us == 0 ? INT64_MAX : filter->until_us / QUARTER_US);
        code |= filter->kind ? bind_text(s, 3, filter->kind) : sqlite3_bind_null(s, 3);
        code |= filter->reason ? bind_text(s, 4, filter->reason) : sqlite3_bind_null(s, 4);
        code |= sqlite3_bind_int(s, 5, passages ? 1 : 0);
        error = code == SQLITE_OK ? 0 : -ENOMEM;
    }
    while (error == 0 && (code = sqlite3_step(s)) != SQLITE_DONE)
        error = code == SQLITE_ROW ? add(&ranges, &count, &room, sqlite3_column_int64(s, 0), sqlite3_column_int64(s, 1))
                                   : database_error(code);
    (void)sqlite3_finalize(s); /* repeats the code of step */
    if (error < 0) {
        free(ranges);
        return error;
    }
    *ret_ranges = ranges;
    *ret_count = count;
    return 0;
}
