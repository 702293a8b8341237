/* Forgetting one person. Called by qrgatectl on its own connection; the daemon's thread sees it by SQLite. */
#include <errno.h>
#include <sqlite3.h>

#include "daemon/journal/database.h"
#include "daemon/journal/register.h"
#include "daemon/journal/store.h"

/* In this order: the numbers are needed until everything under them is gone. ?1 is any of the person's hashes. */
#define WHO "(SELECT coalesce((SELECT person FROM identity WHERE identity = ?1), ?1))"
#define ALL_HASHES "(SELECT " WHO " UNION ALL SELECT identity FROM identity WHERE person = " WHO ")"
static const char ERASE_EVENTS[] =
    "UPDATE event SET person = NULL, salt = NULL WHERE person <> '' AND person IN " ALL_HASHES;
static const char *const ERASE_REST[] = {
    "DELETE FROM presence WHERE person IN " ALL_HASHES,
    "DELETE FROM declaration WHERE person IN " ALL_HASHES,
    ("DELETE FROM identity WHERE person = " WHO),
};

static int run_for_person(sqlite3 *db, const char *sql, const char *person)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
    if (code == SQLITE_OK)
        code = bind_text(statement, 1, person);
    if (code == SQLITE_OK)
        code = sqlite3_step(statement);
    (void)sqlite3_finalize(statement);
    return database_error(code);
}

int store_erase_person(sqlite3 *db, const char *person, int64_t *ret_rows)
{
    *ret_rows = 0;
    if (person[0] == '\0') /* would match every row without a person */
        return -EINVAL;
    int error = database_run(db, "BEGIN IMMEDIATE");
    if (error < 0)
        return error;
    error = run_for_person(db, ERASE_EVENTS, person);
    if (error == 0)
        *ret_rows = sqlite3_changes64(db);
    for (size_t i = 0; i < sizeof(ERASE_REST) / sizeof(ERASE_REST[0]) && error == 0; i++)
        error = run_for_person(db, ERASE_REST[i], person);
    if (error == 0)
        error = database_run(db, "COMMIT");
    if (error < 0) {
        if (!sqlite3_get_autocommit(db))
            (void)database_run(db, "ROLLBACK"); /* the first error is the one to tell */
        *ret_rows = 0;
        return error;
    }
    /* Fails only while another reader holds the log; it is then cut by the next checkpoint. */
    (void)database_run(db, "PRAGMA wal_checkpoint(TRUNCATE)");
    return 0;
}
