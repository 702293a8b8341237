/* Events that happened and aren't on disk yet, in order, in memory: what the guard did while the journal was away. One is
 * offered at a time and stays until the journal says it is recorded; the event_id makes a repeat harmless. Pure, main thread. */
#ifndef JOURNAL_PENDING_H
#define JOURNAL_PENDING_H

#include "daemon/journal/journal.h"

enum { PENDING_MAX = 256, PENDING_RETRY_MS = 500 };

struct pending {
    struct event events[PENDING_MAX];
    int first, count;
    bool offered;             /* the first is with the journal */
    int64_t not_before_us;    /* after a failure */
    uint64_t dropped;         /* only when PENDING_MAX wait */
    uint64_t refused;         /* by the journal, for good: a second end of one passage, or no event at all */
};

/* False when there's no room: the event is counted in `dropped` and lost, which the caller must say aloud. */
bool pending_add(struct pending *p, const struct event *event);
/* The event to submit now, or NULL. Call pending_offered() once it is submitted. */
const struct event *pending_next(const struct pending *p, int64_t now_us);
void pending_offered(struct pending *p);
void pending_answer(struct pending *p, int error, int64_t now_us);
int64_t pending_next_us(const struct pending *p); /* INT64_MAX: nothing waits for a time */

#endif
