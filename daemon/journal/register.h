/* The register: who declared what and when, keyed by the person's hash; which numbers are one person; which tokens are
 * revoked. In the journal's database file. Used by the journal thread, and by qrgatectl in its own process (SQLite's locking
 * keeps them apart). No allocation of our own after register_writer_open(). */
#ifndef JOURNAL_REGISTER_H
#define JOURNAL_REGISTER_H

#include "daemon/journal/journal.h"

struct sqlite3;
struct sqlite3_stmt;

/* Opens/creates and migrates the database at `path`: tables of journal and register. Same errors as journal_open(). */
int database_open(const char *path, struct sqlite3 **ret_db, char *why, size_t why_bytes);

/* Lower-case hex of the first 128 bits of HMAC-SHA-256(site_key, subject): the hash of one number. A person's hash is that
 * of the number first declared; the others are kept as identities that lead to it. */
void register_person(const uint8_t site_key[32], const char *subject, char ret_person[JOURNAL_ID_BYTES]);

enum register_statement {
    REGISTER_IDENTITY, REGISTER_BIND_IDENTITY, REGISTER_DECLARE, REGISTER_FIND, REGISTER_REVOKE, REGISTER_REVOKED,
    REGISTER_FORGET /* the declaration of a hash that became another person's number */, REGISTER_HAS_NUMBERS,
    REGISTER_SET_HAS_NUMBERS, REGISTER_MOVE /* that declaration, where it is newer */, REGISTER_MOVE_PRESENCE, REGISTER_FORGET_PRESENCE,
    REGISTER_OLD_HASH, REGISTER_OLD_MOVED, REGISTER_MOVE_NUMBERS, /* register_rekey.c */
    REGISTER_STATEMENT_COUNT
};
/* The statements prepared once. */
struct register_writer {
    struct sqlite3 *db;
    struct sqlite3_stmt *statements[REGISTER_STATEMENT_COUNT];
    uint8_t site_key[32];
    bool has_old_key; /* site_key_change.h */
    uint8_t old_site_key[32];
    bool presence_moved; /* two rows of one person may have become one: who remembers how many are inside counts anew */
};
int register_writer_open(struct sqlite3 *db, const uint8_t site_key[32], struct register_writer *ret);
void register_writer_close(struct register_writer *writer); /* accepts a zeroed one */
/* Numbers are looked for under this key, too, and what is found is moved to the present one. NULL: no longer. */
void register_writer_old_key(struct register_writer *writer, const uint8_t *old_site_key);

/* All inside the caller's transaction. An older declaration never overwrites a newer one: 0 and *ret_taken false; its
 * numbers are bound all the same. A number that was a person of its own, without other numbers, becomes this person's: its
 * declaration and presence move where they are newer. -EEXIST: the numbers belong to different people already (nothing was
 * written): two of them have numbers bound to them, or two known ones are of one kind ("cccd:"). -EINVAL: no person and no
 * identity, or a status that can't be declared (expired; none is the answers alone). */
int register_write(struct register_writer *writer, const struct declared *declared, bool *ret_taken);
int register_revoke(struct register_writer *writer, const struct revocation *revocation, bool *ret_taken);
int register_is_revoked(struct register_writer *writer, const uint8_t token_id[CREDENTIAL_TOKEN_ID_BYTES], bool *ret);
/* The person a credential shows: its subject and aliases looked up; what is known of them under the old key is moved.
 * *ret_conflict: they lead to different people who are known; then ret_person is the subject's. Nobody known: the subject's own
 * hash. */
int register_identify(struct register_writer *writer, const struct credential *credential,
                      char ret_person[JOURNAL_ID_BYTES], bool *ret_conflict);
/* The person that a number's hash leads to; the hash itself when it is nobody else's number. */
int register_resolve(struct register_writer *writer, const char *hash, char ret_person[JOURNAL_ID_BYTES]);
/* The person of a number in clear, under either key; nothing is moved. Nobody known: the number's own hash. */
int register_of_subject(struct register_writer *writer, const char *subject, char ret_person[JOURNAL_ID_BYTES]);
int register_find(struct register_writer *writer, const char *person, struct declaration *ret);

/* For export: every declaration in the order of the hash; until `each` answers other than 0. */
typedef int register_each(const char *person, const struct declaration *declaration, const char *source, void *userdata);
int register_walk(struct sqlite3 *db, register_each *each, void *userdata);
typedef int revocation_each(const struct revocation *revocation, void *userdata);
int register_walk_revocations(struct sqlite3 *db, revocation_each *each, void *userdata);
int register_count(struct sqlite3 *db, int64_t *ret_declarations);

#endif
