/* What the journal's newest rows say of the time before this start. Internal to journal/; the journal thread. */
#ifndef JOURNAL_TAIL_H
#define JOURNAL_TAIL_H

#include "daemon/journal/journal.h"

struct sqlite3;

/* The newest time of a row with a trusted clock; INT64_MIN: there is none. An untrusted clock's time is no evidence: a wrong
 * date in the future would else make every right one look wrong for ever. */
int tail_newest_at_us(struct sqlite3 *db, int64_t *ret);

/* The lock as it would be had the lane not been restarted, for *now (times, clock_trusted). Time since a row is taken by
 * Unix time; where the clock of either isn't trusted or went back, no time counts as passed: the lock is then rather too
 * long than gone, at most refusals_lock_s from now. */
int tail_refusals(struct sqlite3 *db, const struct policy *policy, const struct event *now, struct refusals *ret);

/* a - b, at the ends of the range instead of beyond. */
int64_t saturated_difference(int64_t a, int64_t b);

#endif
