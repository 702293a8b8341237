/* Requests about rows that are there: to the broker and back, the purge, the room. Called by worker.c. */
#include <errno.h>
#include <sqlite3.h>

#include "daemon/journal/database.h"
#include "daemon/journal/worker_parts.h"

int worker_end(struct worker *worker, int error, bool keep)
{
    if (error == 0 && keep)
        error = store_commit(&worker->store);
    else
        store_rollback(&worker->store);
    if (error == 0 && keep)
        presence_committed(&worker->presence);
    else
        presence_rolled_back(&worker->presence);
    if (worker->people.presence_moved) /* and perhaps moved back */
        presence_recount(&worker->presence);
    worker->people.presence_moved = false;
    return error;
}

int worker_mark(struct worker *worker, const struct journal_batch *batch)
{
    if (!batch)
        return -EINVAL;
    int error = store_begin(&worker->store);
    if (error < 0)
        return error;
    error = store_mark_batch(&worker->store, batch);
    error = worker_end(worker, error, worker->store.unsent_rows_change != 0);
    for (int i = 0; i < batch->count && error == 0; i++)
        purge_marked(&worker->purge, batch->seqs[i]);
    return error;
}

int worker_read(struct worker *worker, const struct journal_request *request)
{
    return request->batch ? store_read_batch(&worker->store, request->after_seq, request->batch) : -EINVAL;
}

/* Of a row that can't be read nothing is told: the next insert's error says it. */
void worker_tell_head(struct worker *worker, struct journal_head *ret)
{
    if (chain_read_head(worker->store.statements[STORE_LAST], ret) != 1)
        *ret = (struct journal_head){ .seq = 0 };
}

/* ---- room -------------------------------------------------------------------------------------------------------- */

int worker_purge(struct worker *worker, const struct event *now, bool *ret_more)
{
    const sqlite3_int64 changes = sqlite3_total_changes64(worker->store.db);
    int error = store_begin(&worker->store);
    if (error < 0)
        return error;
    error = purge_step(&worker->purge, now->at_us, now->clock_trusted && now->at_us > 0, ret_more);
    const bool changed = sqlite3_total_changes64(worker->store.db) != changes;
    error = worker_end(worker, error, changed);
    if (error == 0)
        purge_committed(&worker->purge);
    else
        purge_rolled_back(&worker->purge);
    worker->wipe_due = worker->wipe_due || (error == 0 && changed);
    /* Another program that is reading keeps the log from being cut: then after the next purge. */
    if (error == 0 && !*ret_more && worker->wipe_due && database_wipe_log(worker->store.db, false) == 0)
        worker->wipe_due = false;
    return error;
}

/* For the alarm, and for who looks on; the thread's being alive doesn't hang on it. */
void worker_tell_room(struct worker *worker, struct journal_room *ret)
{
    struct room_excess unused;
    room_keep_reserve(&worker->room);
    if (room_measure(&worker->room, ret, &unused) < 0 || purge_first_seq(&worker->purge, &ret->first_seq) < 0)
        *ret = (struct journal_room){ .percent = 0 };
    ret->purged_unsent_rows = worker->purge.ranges.unsent_rows;
}
