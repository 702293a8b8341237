/* Prepared statements: the few moves that everybody in journal/ makes with them. Called by the journal thread, and by
 * qrgatectl on its own connection. */
#include <errno.h>
#include <sqlite3.h>
#include <string.h>

#include "daemon/journal/database.h"

int statements_prepare(sqlite3 *db, const char *const *sql, int count, sqlite3_stmt **ret)
{
    int code = SQLITE_OK;
    for (int i = 0; i < count && code == SQLITE_OK; i++)
        code = sqlite3_prepare_v3(db, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &ret[i], NULL);
    return database_error(code);
}

void statements_finalize(sqlite3_stmt **statements, int count)
{
    for (int i = 0; i < count; i++) {
        (void)sqlite3_finalize(statements[i]); /* accepts NULL; repeats an old code */
        statements[i] = NULL;
    }
}

void statement_end(sqlite3_stmt *statement)
{
    (void)sqlite3_reset(statement);
    (void)sqlite3_clear_bindings(statement);
}

int statement_run(sqlite3_stmt *statement)
{
    const int code = sqlite3_step(statement);
    statement_end(statement);
    return database_error(code);
}

int bind_text(sqlite3_stmt *statement, int parameter, const char *text)
{
    return sqlite3_bind_text(statement, parameter, text, -1, SQLITE_STATIC);
}

int column_text(sqlite3_stmt *statement, int column, char *ret, size_t ret_bytes)
{
    const char *text = (const char *)sqlite3_column_text(statement, column);
    const size_t length = (size_t)sqlite3_column_bytes(statement, column);
    if (!text || length >= ret_bytes || memchr(text, '\0', length))
        return -EILSEQ;
    memcpy(ret, text, length + 1);
    return 0;
}

int column_blob(sqlite3_stmt *statement, int column, uint8_t *ret, size_t bytes)
{
    const void *blob = sqlite3_column_blob(statement, column);
    if (!blob || (size_t)sqlite3_column_bytes(statement, column) != bytes)
        return -EILSEQ;
    memcpy(ret, blob, bytes);
    return 0;
}

const char *column_name(sqlite3_stmt *statement, int column)
{
    const char *name = (const char *)sqlite3_column_text(statement, column);
    return name ? name : "";
}
