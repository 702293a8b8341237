/* What beside events grows old: steps of rotating tokens long past, presence of people who aren't inside, declarations but for
 * those of revoked people, who would be let in again, and the numbers bound to them. A table at a time, a page at a time, once
 * a day. Internal to journal/; the journal thread, inside its transactions. */
#ifndef JOURNAL_SWEEP_H
#define JOURNAL_SWEEP_H

#include <stdbool.h>
#include <stdint.h>

struct sqlite3;
struct sqlite3_stmt;

/* Numbers before the declarations that they belong to: a number whose person nobody knows leads nowhere. */
enum sweep_table { SWEEP_ROTATING, SWEEP_PRESENCE, SWEEP_IDENTITY, SWEEP_DECLARATION, SWEEP_TABLE_COUNT };

/* How long; 0 = for ever. */
struct sweep_keep {
    int64_t events_us /* presence goes with them */, register_us;
};

struct sweep_place {
    enum sweep_table table; /* SWEEP_TABLE_COUNT: done */
    uint8_t after[40];      /* the last key of the page before */
    int after_bytes;
    int64_t begun_at_us;
};

struct sweep {
    struct sqlite3_stmt *page[SWEEP_TABLE_COUNT], *remove[SWEEP_TABLE_COUNT];
    struct sweep_place at, next; /* next: when the open transaction is committed */
};

int sweep_open(struct sqlite3 *db, struct sweep *ret);
void sweep_close(struct sweep *sweep); /* accepts a zeroed one */
int sweep_step(struct sweep *sweep, int64_t now_us, const struct sweep_keep *keep, bool *ret_more); /* one page */
void sweep_committed(struct sweep *sweep);

#endif
