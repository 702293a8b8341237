/* The hash chain over the journal: each row's hash covers the row and the hash of the row before, so that a changed,
 * removed or inserted row shows. Removal of the newest rows alone can't show from within: compare the last hash with a
 * published one.
 *
 * The row's canonical form is a series of fields, each preceded by its length in bytes (4 bytes, big-endian): numbers
 * as 8 bytes big-endian, enums as their names, texts as they are. A person enters only as SHA-256(salt || person):
 * erasing salt and person leaves the commitment, and the chain holds.
 *
 * Forms: 1 was written by schema version 1; 2 adds direction and scope at its end. A row says its form, and the form's
 * number is the first field, so that no row can pass for one of another form. */
#ifndef JOURNAL_CHAIN_H
#define JOURNAL_CHAIN_H

#include "daemon/journal/journal.h"

struct sqlite3;

enum { CHAIN_HASH_BYTES = 32, CHAIN_SALT_BYTES = 16, CHAIN_FORM_FIRST = 1, CHAIN_FORM = 2 /* of new rows */ };

void chain_commit_person(const uint8_t salt[CHAIN_SALT_BYTES], const char *person, uint8_t ret[CHAIN_HASH_BYTES]);
void chain_hash(const struct event *event, int form, const uint8_t person_commitment[CHAIN_HASH_BYTES],
                const uint8_t previous[CHAIN_HASH_BYTES], uint8_t ret[CHAIN_HASH_BYTES]);

struct chain_report {
    int64_t rows;                        /* that hold */
    int64_t erased;                      /* of them without their person */
    int64_t broken_seq;                  /* 0 = the chain holds */
    char why[128];                       /* what is wrong at broken_seq */
    uint8_t last_hash[CHAIN_HASH_BYTES]; /* of the last row that holds; zeros when there is none */
};
/* Walks the whole journal. 0: *ret_report tells; negative errno: the database couldn't be read. */
int chain_verify(struct sqlite3 *db, struct chain_report *ret_report);

#endif
