/* One request, one transaction, one answer: what the journal's thread does between two looks at its queue. Internal to
 * journal/; no thread of its own, so that a test can call it. No allocation after worker_open(). */
#ifndef JOURNAL_WORKER_H
#define JOURNAL_WORKER_H

#include "daemon/journal/judge.h"
#include "daemon/journal/purge.h"
#include "daemon/journal/store.h"

struct worker {
    struct journal_settings *settings;
    bool wipe_due;  /* rows were purged whose copies the log still holds */
    bool caught_up; /* passages that had no end when this journal was opened have one */
    struct store store;
    struct register_writer people;
    struct presence_table presence;
    struct judge judge;
    struct room room;
    struct purge purge;
};

/* Takes a zeroed worker; the settings are borrowed, and changed by JOURNAL_RELOAD. On failure nothing is left open. */
int worker_open(struct worker *worker, struct journal_settings *settings, char *why, size_t why_bytes);
void worker_close(struct worker *worker); /* accepts a zeroed one */
/* Wipes what the request says of people. */
void worker_do(struct worker *worker, struct journal_request *request, struct journal_answer *answer);

#endif
