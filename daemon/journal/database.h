/* Opening the database file, SQLite's result codes as errno, and prepared statements. Internal to journal/; the door for
 * others is register.h, but for what qrgatectl's import needs. */
#ifndef JOURNAL_DATABASE_H
#define JOURNAL_DATABASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sqlite3;
struct sqlite3_stmt;

enum { DATABASE_BUSY_MS = 2000 }; /* how long a writer waits for another process's transaction before -EBUSY */

/* A SQLite result code as negative errno; 0 for SQLITE_OK, _ROW and _DONE. */
int database_error(int sqlite_code);
/* Runs statements that answer no rows. */
int database_run(struct sqlite3 *db, const char *sql);
/* The first column of its first row; 0 when there is none. */
int64_t database_number(struct sqlite3 *db, const char *sql, int *ret_error);
/* Moves all that the write-ahead log holds into the file and cuts it to nothing, so that no copy of what was erased stays
 * in it. -EBUSY: another program is reading; `wait`: only after DATABASE_BUSY_MS. Outside of a transaction. */
int database_wipe_log(struct sqlite3 *db, bool wait);
/* Makes the file where there is none, empty. Errors as database_open(). */
int database_create(const char *path, char *why, size_t why_bytes);
/* Reading alone, of one moment: beside a daemon that writes, and from a medium that can't be written. The schema must be
 * of this version. The reader's transaction has begun. Errors as database_open(). */
int database_open_reading(const char *path, struct sqlite3 **ret_db, char *why, size_t why_bytes);
/* An empty database with the tables of a journal, in memory or, as it grows, in a file that nobody sees; for rows that
 * came by another road. Without the triggers: database_count_tally() when all rows are there. */
int database_open_scratch(struct sqlite3 **ret_db);
int database_count_tally(struct sqlite3 *db);
/* For a connection that writes many declarations and then ends: more memory, fewer copies. */
int database_tune_import(struct sqlite3 *db);

/* All of `sql` or none; what was prepared before a failure stays for statements_finalize(). */
int statements_prepare(struct sqlite3 *db, const char *const *sql, int count, struct sqlite3_stmt **ret);
void statements_finalize(struct sqlite3_stmt **statements, int count); /* accepts NULLs, leaves NULLs */
/* Steps a statement that answers no rows; it is then free for the next use, its parameters unbound. */
int statement_run(struct sqlite3_stmt *statement);
/* Ends a use: reset and unbound. The codes of both repeat what step has said. */
void statement_end(struct sqlite3_stmt *statement);
/* A text bound without a copy: it must live until the statement's end. SQLite's code. */
int bind_text(struct sqlite3_stmt *statement, int parameter, const char *text);
/* 0, or -EILSEQ: no such text or blob came from any version of ours. */
int column_text(struct sqlite3_stmt *statement, int column, char *ret, size_t ret_bytes);
int column_blob(struct sqlite3_stmt *statement, int column, uint8_t *ret, size_t bytes);
/* Never NULL; lives until the statement's next step. */
const char *column_name(struct sqlite3_stmt *statement, int column);

#endif
