/* The register read from end to end, for export. Called by qrgatectl on its own connection. */
#include <errno.h>
#include <sqlite3.h>

#include "daemon/journal/database.h"
#include "daemon/journal/register.h"
#include "daemon/journal/register_row.h"

/* One row handed on: what `each` answered, or negative errno. */
typedef int row_taker(sqlite3_stmt *statement, const void *each, void *userdata);

struct declaration_taker {
    register_each *each;
};
struct revocation_taker {
    revocation_each *each;
};

static int take_declaration(sqlite3_stmt *statement, const void *taker, void *userdata)
{
    const struct declaration_taker *to = taker;
    struct declaration declaration;
    char person[JOURNAL_ID_BYTES], source[JOURNAL_SOURCE_BYTES];
    if (register_row_read(statement, 2, &declaration) < 0 ||
        column_text(statement, 0, person, sizeof(person)) < 0 || column_text(statement, 1, source, sizeof(source)) < 0)
        return -EILSEQ;
    return to->each(person, &declaration, source, userdata);
}

static int take_revocation(sqlite3_stmt *statement, const void *taker, void *userdata)
{
    const struct revocation_taker *to = taker;
    struct revocation revocation = { .revoked_at_s = sqlite3_column_int64(statement, 1),
                                     .lifted = sqlite3_column_int(statement, 2) != 0 };
    if (column_blob(statement, 0, revocation.token_id, sizeof(revocation.token_id)) < 0 ||
        column_text(statement, 3, revocation.source, sizeof(revocation.source)) < 0)
        return -EILSEQ;
    return to->each(&revocation, userdata);
}

static int walk(sqlite3 *db, const char *sql, row_taker *take, const void *taker, void *userdata)
{
    sqlite3_stmt *statement = NULL;
    int result = database_error(sqlite3_prepare_v2(db, sql, -1, &statement, NULL));
    while (result == 0) {
        const int code = sqlite3_step(statement);
        if (code != SQLITE_ROW) {
            result = database_error(code);
            break;
        }
        result = take(statement, taker, userdata);
    }
    (void)sqlite3_finalize(statement); /* repeats the code of step */
    return result;
}

int register_walk(sqlite3 *db, register_each *each, void *userdata)
{
    const struct declaration_taker taker = { each };
    return walk(db, "SELECT person, source, " REGISTER_ROW_COLUMNS " FROM declaration ORDER BY person",
                take_declaration, &taker, userdata);
}

int register_walk_revocations(sqlite3 *db, revocation_each *each, void *userdata)
{
    const struct revocation_taker taker = { each };
    return walk(db, "SELECT token_id, revoked_at_s, lifted, source FROM revocation ORDER BY token_id", take_revocation,
                &taker, userdata);
}

int register_count(sqlite3 *db, int64_t *ret_declarations)
{
    sqlite3_stmt *statement = NULL;
    *ret_declarations = 0;
    int code = sqlite3_prepare_v2(db, "SELECT count(*) FROM declaration", -1, &statement, NULL);
    if (code == SQLITE_OK && (code = sqlite3_step(statement)) == SQLITE_ROW)
        *ret_declarations = sqlite3_column_int64(statement, 0);
    (void)sqlite3_finalize(statement); /* repeats the code of step */
    return database_error(code);
}
