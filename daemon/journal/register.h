/* The register of declarations: who declared what and when, keyed by the person's hash. In the journal's database file.
 * Used by the journal thread, and by qrgatectl in its own process (SQLite's locking keeps them apart). */
#ifndef JOURNAL_REGISTER_H
#define JOURNAL_REGISTER_H

#include "daemon/journal/journal.h"

struct sqlite3;
struct sqlite3_stmt;

/* Opens/creates and migrates the database at `path`: tables of journal and register. Same errors as journal_open(). */
int database_open(const char *path, struct sqlite3 **ret_db, char *why, size_t why_bytes);

/* Lower-case hex of the first 128 bits of HMAC-SHA-256(site_key, subject). */
void register_person(const uint8_t site_key[32], const char *subject, char ret_person[JOURNAL_ID_BYTES]);

/* Upsert; an older declaration never overwrites a newer one (then 0 and *ret_taken false). */
int register_declare(struct sqlite3 *db, const char *person, enum declaration_status status, int64_t declared_at_s,
                     bool *ret_taken);
int register_find(struct sqlite3 *db, const char *person, struct declaration *ret);

/* The same with a statement prepared once: for the journal thread and for imports. `source` is a word for the reader of
 * the table: "manual", "import". */
#define REGISTER_FIND_SQL "SELECT status, declared_at_s FROM declaration WHERE person = ?1"
#define REGISTER_DECLARE_SQL \
    "INSERT INTO declaration (person, status, declared_at_s, source) VALUES (?1, ?2, ?3, ?4) " \
    "ON CONFLICT (person) DO UPDATE SET status = excluded.status, declared_at_s = excluded.declared_at_s, " \
    "source = excluded.source WHERE excluded.declared_at_s >= declaration.declared_at_s"
int register_find_with(struct sqlite3_stmt *find, const char *person, struct declaration *ret);
int register_declare_with(struct sqlite3_stmt *declare, const char *person, enum declaration_status status,
                          int64_t declared_at_s, const char *source, bool *ret_taken);

#endif
