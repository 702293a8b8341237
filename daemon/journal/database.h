/* Opening the database file, and SQLite's result codes as errno. Internal to journal/; the door for others is
 * register.h. */
#ifndef JOURNAL_DATABASE_H
#define JOURNAL_DATABASE_H

struct sqlite3;

enum { DATABASE_BUSY_MS = 2000 }; /* how long a writer waits for another process's transaction before -EBUSY */

/* A SQLite result code as negative errno; 0 for SQLITE_OK, _ROW and _DONE. */
int database_error(int sqlite_code);
/* Runs statements that answer no rows. */
int database_run(struct sqlite3 *db, const char *sql);

#endif
