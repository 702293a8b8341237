/* The hash chain over the journal: each row's hash covers the row and the hash of the row before, so that a changed,
 * removed or inserted row shows. Removal of the newest rows alone can't show from within: for that the daily head, seq
 * and hash of the newest row, is published (topic chain_head), and whoever kept it can ask for it here.
 *
 * The row's canonical form is a series of fields, each preceded by its length in bytes (4 bytes, big-endian):
 * numbers as 8 bytes big-endian, enums as their names, texts as they are. A person enters only as SHA-256(salt ||
 * person): erasing salt and person leaves the commitment, and the chain holds.
 *
 * Forms: 1 was written by schema version 1; 2 adds direction and scope at its end, 3 verb and operator_name. A row
 * says its form, and the form's number is the first field, so that no row can pass for one of another form.
 *
 * Rows past their age leave a range in their place (purged.h), which carries the chain over the gap and is sealed
 * with a key made from the site key. What that shows: a gap without a range, with another hash at either side, or
 * whose range was written without the site key, is a break. So who has the file alone can't cut off its head any
 * easier than before: they would have to chain all that is left anew, which changes the last hash. What it can't
 * show: a purge by somebody who holds the site key, or who may set the lane's configuration; they could as well have
 * asked the lane for it. Against them compare the rows and the last hash with what the broker's subscribers kept. */
#ifndef JOURNAL_CHAIN_H
#define JOURNAL_CHAIN_H

#include "daemon/journal/journal.h"

struct sqlite3;
struct sqlite3_stmt;

enum { CHAIN_HASH_BYTES = 32, CHAIN_SALT_BYTES = 16, CHAIN_FORM_FIRST = 1, CHAIN_FORM = 3 /* of new rows */ };

void chain_commit_person(const uint8_t salt[CHAIN_SALT_BYTES], const char *person, uint8_t ret[CHAIN_HASH_BYTES]);
void chain_hash(const struct event *event, int form, const uint8_t person_commitment[CHAIN_HASH_BYTES],
                const uint8_t previous[CHAIN_HASH_BYTES], uint8_t ret[CHAIN_HASH_BYTES]);

struct chain_report {
    int64_t rows;                        /* that hold */
    int64_t erased;                      /* of them without their person */
    int64_t purged_rows, purged_ranges;  /* that are gone by age or for want of room */
    int64_t purged_unsent_rows;          /* … and no broker had them */
    int64_t heads_held, heads_purged;    /* of those asked for: found; gone with their row, so not to be compared */
    int64_t broken_seq;                  /* 0 = the chain holds */
    char why[128];                       /* what is wrong at broken_seq */
    uint8_t last_hash[CHAIN_HASH_BYTES]; /* of the last row that holds; zeros when there is none */
};
/* Walks the whole journal. 0: *ret_report tells; negative errno: the database couldn't be read. Without a site key
 * (NULL) the seals of purged ranges go unchecked, which proves little. */
int chain_verify(struct sqlite3 *db, const uint8_t site_key[32], struct chain_report *ret_report);

/* The same, and each head, in the order of seq, must still be there: -EINVAL where they aren't in order. */
int chain_verify_heads(struct sqlite3 *db, const uint8_t site_key[32], const struct journal_head *heads, size_t count,
                       struct chain_report *ret_report);
/* The newest row. 1; 0: there is none; or negative errno. */
int chain_read_head(struct sqlite3_stmt *statement, struct journal_head *ret);
#define CHAIN_HEAD_SQL "SELECT seq, hash FROM event ORDER BY seq DESC LIMIT 1"

#endif
