/* LD_PRELOAD: has SQLite explain every query that the program prepares, on the program's own connection, into $QRG_PLANS: a line with
 * the query, then one with a tab for each step of its plan. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef int prepare2(sqlite3 *, const char *, int, sqlite3_stmt **, const char **);
typedef int prepare3(sqlite3 *, const char *, int, unsigned, sqlite3_stmt **, const char **);

static void explain(sqlite3 *db, const char *sql)
{
    prepare2 *real = (prepare2 *)dlsym(RTLD_NEXT, "sqlite3_prepare_v2");
    const char *path = getenv("QRG_PLANS");
    char *query = NULL;
    sqlite3_stmt *s = NULL;
    FILE *out = path ? fopen(path, "ae") : NULL;
    if (!out)
        return;
    if (asprintf(&query, "EXPLAIN QUERY PLAN %s", sql) > 0 && real(db, query, -1, &s, NULL) == SQLITE_OK) {
        fprintf(out, "%s\n", sql);
        while (sqlite3_step(s) == SQLITE_ROW)
            fprintf(out, "\t%s\n", (const char *)sqlite3_column_text(s, 3));
    }
    sqlite3_finalize(s);
    free(query);
    fclose(out);
}

int sqlite3_prepare_v2(sqlite3 *db, const char *sql, int bytes, sqlite3_stmt **ret, const char **tail)
{
    prepare2 *real = (prepare2 *)dlsym(RTLD_NEXT, "sqlite3_prepare_v2");
    explain(db, sql);
    return real(db, sql, bytes, ret, tail);
}

int sqlite3_prepare_v3(sqlite3 *db, const char *sql, int bytes, unsigned flags, sqlite3_stmt **ret, const char **tail)
{
    prepare3 *real = (prepare3 *)dlsym(RTLD_NEXT, "sqlite3_prepare_v3");
    explain(db, sql);
    return real(db, sql, bytes, flags, ret, tail);
}
