/* Many rows at once on their way to the broker, and their acknowledgements. Called by the journal thread. */
#include <errno.h>
#include <sqlite3.h>

#include "daemon/journal/database.h"
#include "daemon/journal/store.h"

int store_read_batch(struct store *store, int64_t after_seq, struct journal_batch *batch)
{
    sqlite3_stmt *s = store->statements[batch->sent_too ? STORE_READ_ALL : STORE_READ_UNSENT];
    const int room = batch->count < 0                   ? 0
                     : batch->count > JOURNAL_BATCH_MAX ? JOURNAL_BATCH_MAX
                                                        : batch->count;
    struct stored_event row;
    int code = SQLITE_DONE, error = 0;
    batch->count = 0;
    if (sqlite3_bind_int64(s, 1, after_seq) != SQLITE_OK ||
        sqlite3_bind_int64(s, 2, batch->until_seq > 0 ? batch->until_seq : INT64_MAX) != SQLITE_OK ||
        sqlite3_bind_int(s, 3, room) != SQLITE_OK)
        error = -ENOMEM;
    while (error == 0 && batch->count < room && (code = sqlite3_step(s)) == SQLITE_ROW) {
        error = store_read_row(s, &row);
        if (error == 0)
            batch->events[batch->count++] = row.event;
    }
    statement_end(s);
    if (error == 0)
        error = database_error(code);
    /* What came before a row that can't be read is worth sending; the row itself is the next request's error. */
    return batch->count > 0 ? 0 : error;
}

int store_mark_batch(struct store *store, const struct journal_batch *batch)
{
    int error = batch->count < 0 || batch->count > JOURNAL_BATCH_MAX ? -EINVAL : 0;
    for (int i = 0; i < batch->count && error == 0; i++)
        error = store_mark_sent(store, batch->seqs[i]);
    return error;
}
