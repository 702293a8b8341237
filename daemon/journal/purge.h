/* Which rows go, by age and for want of room, a bounded number at a time. Internal to journal/; the journal thread,
 * inside its transactions. No allocation after purge_open().
 *
 * By age: acknowledged rows (all, where there is no broker), older than keep_days. A row's age is its own time where its clock was trusted; a
 * row of an untrusted clock is as old as the next trusted row after it at least. For room: acknowledged rows, oldest
 * first; where none is left, unsent ones, oldest first. The newest row always stays, and so do rows whose passage is
 * open; for room the newest 256, from which a restart takes its time and its lock. */
#ifndef JOURNAL_PURGE_H
#define JOURNAL_PURGE_H

#include "daemon/journal/purged.h"
#include "daemon/journal/room.h"
#include "daemon/journal/store.h"
#include "daemon/journal/sweep.h"

enum { PURGE_ROWS_MAX = 32 }; /* in one request: a decision may be waiting */

enum purge_statement { PURGE_WALK, PURGE_UNSENT, PURGE_DELETE, PURGE_FIRST, PURGE_STATEMENT_COUNT };

/* Several requests make a round along the rows. */
struct purge_round {
    bool under_way, aged_known;
    int64_t looked_seq, aged_seq; /* rows up to looked_seq were asked for their age; those up to aged_seq are old */
    int64_t walked_seq;           /* rows up to here are gone, or stay */
    int64_t open_seq;             /* the first that stays only until its passage ends; 0 = none */
};

struct purge {
    struct sqlite3_stmt *statements[PURGE_STATEMENT_COUNT];
    const struct journal_settings *settings;
    struct store *store;
    struct room *room;
    struct purged_table ranges;
    struct sweep sweep;
    struct purge_round round;
    int64_t floor_seq; /* no row up to here can go but for want of room */
    struct purge_round next_round; /* when the open transaction is committed */
    int64_t next_floor_seq;
};

/* Takes a zeroed purge; store, room and settings are borrowed. */
int purge_open(struct store *store, struct room *room, const struct journal_settings *settings, struct purge *ret);
void purge_close(struct purge *purge); /* accepts a zeroed one */
/* Inside a transaction: one step. Without a trusted clock nothing goes by age. */
int purge_step(struct purge *purge, int64_t now_us, bool clock_trusted, bool *ret_more);
/* The transaction's end. */
void purge_committed(struct purge *purge);
void purge_rolled_back(struct purge *purge);
/* A row was acknowledged: it can go now. */
void purge_marked(struct purge *purge, int64_t seq);
int purge_first_seq(struct purge *purge, int64_t *ret); /* 0 = no row */

#endif
