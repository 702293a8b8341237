/* Transactions of operators' commands that this lane has seen, so that none is carried out twice, over restarts too.
 * Called by the journal thread. */
#include <errno.h>
#include <sqlite3.h>

#include "daemon/journal/database.h"
#include "daemon/journal/store.h"

/* What is older than 10 s is refused by its age anyway; this holds where the lane's clock was set back, by a week at most. */
static const int64_t KEEP_US = 8 * INT64_C(86400000000);

int store_seen(struct store *store, const char *transaction)
{
    sqlite3_stmt *s = store->statements[STORE_SEEN_FIND];
    if (bind_text(s, 1, transaction) != SQLITE_OK)
        return -ENOMEM;
    const int code = sqlite3_step(s);
    statement_end(s);
    return code == SQLITE_ROW ? 1 : database_error(code);
}

int store_remember(struct store *store, const char *transaction, const struct event *event)
{
    sqlite3_stmt *s = store->statements[STORE_SEEN_ADD];
    /* A time that isn't trusted is none: the first purge with a trusted clock begins the count. */
    if (bind_text(s, 1, transaction) != SQLITE_OK ||
        sqlite3_bind_int64(s, 2, event->clock_trusted ? event->at_us : 0) != SQLITE_OK ||
        sqlite3_bind_int64(s, 3, event->seq) != SQLITE_OK)
        return -ENOMEM;
    return statement_run(s);
}

int store_forget_seen(struct store *store, int64_t now_us, int64_t first_seq)
{
    sqlite3_stmt *date = store->statements[STORE_SEEN_DATE], *forget = store->statements[STORE_SEEN_FORGET];
    if (sqlite3_bind_int64(date, 1, now_us) != SQLITE_OK ||
        sqlite3_bind_int64(forget, 1, now_us - KEEP_US) != SQLITE_OK ||
        sqlite3_bind_int64(forget, 2, first_seq) != SQLITE_OK)
        return -ENOMEM;
    const int error = statement_run(date);
    return error < 0 ? error : statement_run(forget);
}
