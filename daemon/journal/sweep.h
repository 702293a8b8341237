/* What beside events grows old: steps of rotating tokens long past, and presence of people who aren't inside. A
 * table at a time, a page at a time, once a day. Internal to journal/; the journal thread, inside its transactions. */
#ifndef JOURNAL_SWEEP_H
#define JOURNAL_SWEEP_H

#include <stdbool.h>
#include <stdint.h>

struct sqlite3;
struct sqlite3_stmt;

enum sweep_table { SWEEP_ROTATING, SWEEP_PRESENCE, SWEEP_TABLE_COUNT };

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
/* One page. keep_us: how long presence is kept; 0 = for ever. */
int sweep_step(struct sweep *sweep, int64_t now_us, int64_t keep_us, bool *ret_more);
void sweep_committed(struct sweep *sweep);

#endif
