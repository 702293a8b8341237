/* The prepared statements of the journal and the rows they carry. Used by the journal thread; store_walk() also by
 * qrgatectl. No allocation of our own after store_open(). */
#ifndef JOURNAL_STORE_H
#define JOURNAL_STORE_H

#include "daemon/journal/chain.h"
#include "daemon/journal/journal.h"

struct sqlite3;
struct sqlite3_stmt;

/* What store_read_row() takes. */
#define STORE_EVENT_COLUMNS \
    "seq, event_id, kind, at_us, monotonic_us, clock_trusted, reason, status, credential, person, salt, " \
    "person_commitment, bound_event_id, alarm, detail, prev_hash, hash, sent, direction, " \
    "scope, form, verb, operator_name"

struct stored_event {
    struct event event; /* erased: person is "" */
    uint8_t salt[CHAIN_SALT_BYTES];
    uint8_t person_commitment[CHAIN_HASH_BYTES], previous_hash[CHAIN_HASH_BYTES], hash[CHAIN_HASH_BYTES];
    int form; /* chain.h */
    bool erased, sent;
};

enum store_statement {
    STORE_BEGIN,
    STORE_COMMIT,
    STORE_ROLLBACK,
    STORE_LAST,
    STORE_INSERT,
    STORE_FIND,
    STORE_MARK_SENT,
    STORE_ENDING,
    STORE_SET_ENDING,
    STORE_NEXT_OPEN,
    STORE_READ_UNSENT, /* batch.c */
    STORE_READ_ALL,
    STORE_SEEN_FIND, /* seen.c */
    STORE_SEEN_ADD,
    STORE_SEEN_DATE,
    STORE_SEEN_FORGET,
    STORE_STATEMENT_COUNT
};

/* Of a row's passage; outside of the chain, as `sent` is. */
enum store_ending { STORE_ENDING_NOT_AWAITED, STORE_ENDING_AWAITED, STORE_ENDED };

struct store {
    struct sqlite3 *db;
    struct sqlite3_stmt *statements[STORE_STATEMENT_COUNT];
    int64_t unsent_rows;        /* committed */
    int64_t unsent_rows_change; /* by the transaction that is open */
    int64_t last_seq;           /* committed; 0 = none */
    int64_t inserted_seq;       /* by the transaction that is open; 0 = none */
};

/* Takes a zeroed store. On failure nothing is left open. */
int store_open(struct store *store, const char *path, char *why, size_t why_bytes);
void store_close(struct store *store); /* accepts a zeroed one */

/* A transaction that can write. After a failed commit nothing of it is in the database. */
int store_begin(struct store *store);
int store_commit(struct store *store);
void store_rollback(struct store *store);

/* Inside a transaction: gives the row its seq and chains it. `salt` is random. */
int store_insert(struct store *store, struct event *event, const uint8_t salt[CHAIN_SALT_BYTES]);
/* 1: *ret is the row; 0: there is none; or negative errno. */
int store_find(struct store *store, const char *event_id, struct event *ret);
/* Inside a transaction; twice is once, and so is a row that was purged meanwhile. -ENOENT: there never was such a
 * row. */
int store_mark_sent(struct store *store, int64_t seq);
/* Up to batch->count rows after after_seq, in order; by an index, however many rows were sent before. (batch.c) */
int store_read_batch(struct store *store, int64_t after_seq, struct journal_batch *batch);
int store_mark_batch(struct store *store, const struct journal_batch *batch); /* inside a transaction: all, or none */
/* Transactions of commands. (seen.c) 1: seen; 0: not. */
int store_seen(struct store *store, const char *transaction);
int store_remember(struct store *store, const char *transaction, const struct event *event); /* inside a transaction */
/* Inside a transaction: of those whose event is gone (before first_seq), the ones older than any that could be
 * repeated. */
int store_forget_seen(struct store *store, int64_t now_us, int64_t first_seq);
/* The current row of a statement that answers all columns of an event. -EILSEQ: no version of ours wrote it. */
int store_read_row(struct sqlite3_stmt *statement, struct stored_event *ret);
/* STORE_ENDING_NOT_AWAITED too when there is no such row. */
int store_ending(struct store *store, const char *event_id, enum store_ending *ret);
int store_set_ending(struct store *store, const char *event_id, enum store_ending ending); /* inside a transaction */
int store_next_open(struct store *store, int64_t after_seq, struct event *ret); /* STORE_ENDING_AWAITED; as store_find() */

/* Rows with seq > after_seq, in order, until `each` answers other than 0, which is then the result; -EILSEQ: a row
 * holds a value that no version of ours wrote. */
typedef int store_each(const struct stored_event *row, void *userdata);
int store_walk(struct sqlite3 *db, int64_t after_seq, store_each *each, void *userdata);
/* The same for the rows of one person, by the hash of any of their numbers. */
int store_walk_person(struct sqlite3 *db, const char *person, store_each *each, void *userdata);

#endif
