/* Walks the tables by their keys, a page in each request, and deletes what has grown old. Called by purge.c. */
#include "daemon/journal/sweep.h"

#include <errno.h>
#include <sqlite3.h>
#include <string.h>

#include "daemon/credential/rotating.h"
#include "daemon/journal/database.h"

#define PAGE_ROWS "500"
static const int64_t DAY_US = INT64_C(86400000000);
enum { STEPS_KEPT_DAYS = 8 };

static const char *const PAGE_SQL[SWEEP_TABLE_COUNT] = {
    [SWEEP_ROTATING] = "SELECT max(token_id) FROM (SELECT token_id FROM rotating WHERE token_id > ?1 ORDER BY token_id "
                       "LIMIT " PAGE_ROWS ")",
    [SWEEP_PRESENCE] = "SELECT max(person) FROM (SELECT person FROM presence WHERE person > ?1 ORDER BY person "
                       "LIMIT " PAGE_ROWS ")",
    [SWEEP_IDENTITY] = "SELECT max(identity) FROM (SELECT identity FROM identity WHERE identity > ?1 ORDER BY identity "
                       "LIMIT " PAGE_ROWS ")",
    [SWEEP_DECLARATION] = "SELECT max(person) FROM (SELECT person FROM declaration WHERE person > ?1 ORDER BY person "
                          "LIMIT " PAGE_ROWS ")",
};
static const char *const REMOVE_SQL[SWEEP_TABLE_COUNT] = {
    [SWEEP_ROTATING] = "DELETE FROM rotating WHERE token_id > ?1 AND token_id <= ?2 AND last_step < ?3",
    [SWEEP_PRESENCE] = "DELETE FROM presence WHERE person > ?1 AND person <= ?2 AND coalesce(inside, 0) = 0 AND "
                       "at_us < ?3 AND own_at_us < ?3",
    [SWEEP_IDENTITY] = "DELETE FROM identity WHERE identity > ?1 AND identity <= ?2 AND NOT EXISTS (SELECT 1 FROM "
                       "declaration WHERE declaration.person = identity.person AND (declared_at_s >= ?3 OR "
                       "status = 'revoked'))",
    [SWEEP_DECLARATION] = "DELETE FROM declaration WHERE person > ?1 AND person <= ?2 AND declared_at_s < ?3 AND "
                          "status <> 'revoked'",
};

int sweep_open(sqlite3 *db, struct sweep *ret)
{
    int error = statements_prepare(db, PAGE_SQL, SWEEP_TABLE_COUNT, ret->page);
    if (error == 0)
        error = statements_prepare(db, REMOVE_SQL, SWEEP_TABLE_COUNT, ret->remove);
    ret->at.table = SWEEP_TABLE_COUNT;
    if (error < 0)
        sweep_close(ret);
    return error;
}

void sweep_close(struct sweep *sweep)
{
    statements_finalize(sweep->page, SWEEP_TABLE_COUNT);
    statements_finalize(sweep->remove, SWEEP_TABLE_COUNT);
    *sweep = (struct sweep){ 0 };
}

void sweep_committed(struct sweep *sweep)
{
    sweep->at = sweep->next;
}

/* Keys of the one table are blobs, of the other texts; only like compares with like. */
static int bind_key(sqlite3_stmt *statement, int parameter, enum sweep_table table, const void *key, int bytes)
{
    return table == SWEEP_ROTATING ? sqlite3_bind_blob(statement, parameter, key, bytes, SQLITE_STATIC)
                                   : sqlite3_bind_text(statement, parameter, key, bytes, SQLITE_STATIC);
}

/* 1 and the page's last key, 0: there is no further page, or negative errno. */
static int find_page(struct sweep *sweep, const struct sweep_place *at, struct sweep_place *ret)
{
    sqlite3_stmt *s = sweep->page[at->table];
    *ret = *at;
    if (bind_key(s, 1, at->table, at->after, at->after_bytes) != SQLITE_OK)
        return -ENOMEM;
    int code = sqlite3_step(s), found = database_error(code);
    if (code == SQLITE_ROW && sqlite3_column_type(s, 0) != SQLITE_NULL) {
        const void *key = at->table == SWEEP_ROTATING ? sqlite3_column_blob(s, 0) : sqlite3_column_text(s, 0);
        ret->after_bytes = sqlite3_column_bytes(s, 0);
        found = key && ret->after_bytes > 0 && ret->after_bytes <= (int)sizeof(ret->after) ? 1 : -EILSEQ;
        if (found == 1)
            memcpy(ret->after, key, (size_t)ret->after_bytes);
    }
    statement_end(s);
    return found;
}

static int remove_old(struct sweep *sweep, const struct sweep_place *from, const struct sweep_place *to, int64_t limit)
{
    sqlite3_stmt *s = sweep->remove[from->table];
    if (bind_key(s, 1, from->table, from->after, from->after_bytes) != SQLITE_OK ||
        bind_key(s, 2, from->table, to->after, to->after_bytes) != SQLITE_OK ||
        sqlite3_bind_int64(s, 3, limit) != SQLITE_OK)
        return -ENOMEM;
    return statement_run(s);
}

/* In the table's own unit: what is older goes. INT64_MIN: nothing does. */
static int64_t limit_of(enum sweep_table table, int64_t now_us, const struct sweep_keep *keep)
{
    switch (table) {
    case SWEEP_ROTATING: return (now_us - STEPS_KEPT_DAYS * DAY_US) / 1000000 / ROTATING_STEP_S;
    case SWEEP_PRESENCE: return keep->events_us > 0 ? now_us - keep->events_us : INT64_MIN;
    case SWEEP_IDENTITY:
    case SWEEP_DECLARATION: return keep->register_us > 0 ? (now_us - keep->register_us) / 1000000 : INT64_MIN;
    case SWEEP_TABLE_COUNT: break;
    }
    return INT64_MIN;
}

int sweep_step(struct sweep *sweep, int64_t now_us, const struct sweep_keep *keep, bool *ret_more)
{
    struct sweep_place at = sweep->at, *next = &sweep->next;
    const int64_t since_us = now_us - at.begun_at_us;
    *next = at;
    *ret_more = false;
    if (at.table == SWEEP_TABLE_COUNT) {
        if (since_us >= 0 && since_us < DAY_US)
            return 0;
        at = (struct sweep_place){ .table = SWEEP_ROTATING, .begun_at_us = now_us };
    }
    const int64_t limit = limit_of(at.table, now_us, keep);
    const int found = limit != INT64_MIN ? find_page(sweep, &at, next) : 0;
    if (found < 0)
        return found;
    if (found == 0)
        *next = (struct sweep_place){ .table = (enum sweep_table)(at.table + 1), .begun_at_us = at.begun_at_us };
    *ret_more = next->table < SWEEP_TABLE_COUNT;
    return found == 1 ? remove_old(sweep, &at, next, limit) : 0;
}
