/* What worker.c and worker_rows.c share. */
#ifndef JOURNAL_WORKER_PARTS_H
#define JOURNAL_WORKER_PARTS_H

#include "daemon/journal/worker.h"

/* The transaction's end: what it did is kept when it went well and there is anything to keep. */
int worker_end(struct worker *worker, int error, bool keep);

int worker_read(struct worker *worker, const struct journal_request *request);
int worker_mark(struct worker *worker, const struct journal_batch *batch);
int worker_purge(struct worker *worker, const struct event *now, bool *ret_more);
void worker_tell_head(struct worker *worker, struct journal_head *ret);
void worker_tell_room(struct worker *worker, struct journal_room *ret);

#endif
