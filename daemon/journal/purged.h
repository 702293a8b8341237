/* Ranges of rows that are gone, each with the hashes at its ends, so that the chain can be followed over the gap;
 * sealed with a key that comes from the site key, so that none can be made up without it. Internal to journal/; the
 * journal thread writes, chain_verify() reads. No allocation after purged_open(). */
#ifndef JOURNAL_PURGED_H
#define JOURNAL_PURGED_H

#include "daemon/journal/chain.h"

struct sqlite3;
struct sqlite3_stmt;

struct purged_range {
    int64_t first_seq, last_seq;
    int64_t unsent_rows;                        /* of them: that no broker had */
    uint8_t previous_hash[CHAIN_HASH_BYTES];    /* the first row's */
    uint8_t hash[CHAIN_HASH_BYTES];             /* the last row's */
    uint8_t seal[CHAIN_HASH_BYTES];
};

enum purged_statement { PURGED_BEFORE, PURGED_AFTER, PURGED_REMOVE, PURGED_ADD, PURGED_STATEMENT_COUNT };

struct purged_table {
    struct sqlite3_stmt *statements[PURGED_STATEMENT_COUNT];
    uint8_t key[CHAIN_HASH_BYTES];
    int64_t unsent_rows;        /* of all ranges; committed */
    int64_t unsent_rows_change; /* by the transaction that is open */
};

/* Takes a zeroed table. */
int purged_open(struct sqlite3 *db, const uint8_t site_key[32], struct purged_table *ret);
void purged_close(struct purged_table *table); /* accepts a zeroed one */
/* The transaction's end. */
void purged_committed(struct purged_table *table);
void purged_rolled_back(struct purged_table *table);
/* Inside a transaction: one more range (all but its seal). Joined with its neighbours where their seals are good: a
 * range that somebody made up is never made good by that. */
int purged_add(struct purged_table *table, const struct purged_range *range);

void purged_key(const uint8_t site_key[32], uint8_t ret_key[CHAIN_HASH_BYTES]);
bool purged_seal_good(const uint8_t key[CHAIN_HASH_BYTES], const struct purged_range *range);

/* Inside a transaction, before purged_open(): what is sealed well under the one key is sealed under the other. What isn't
 * stays as it is, for chain_verify() to show. */
int purged_reseal(struct sqlite3 *db, const uint8_t from_site_key[32], const uint8_t to_site_key[32]);

/* The ranges in order, for a walk along the rows. *ret_cursor: finalize it. */
int purged_walk(struct sqlite3 *db, struct sqlite3_stmt **ret_cursor);
int purged_next(struct sqlite3_stmt *cursor, struct purged_range *ret); /* 1, 0 at the end, or negative errno */

#endif
