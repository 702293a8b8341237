/* Counting, reading and forgetting one person. Called by qrgatectl. */
#include "daemon/journal/person.h"

#include <errno.h>
#include <sqlite3.h>

#include "daemon/journal/database.h"
#include "daemon/journal/register_row.h"

/* A column of struct person_rows for each; in the order of forgetting: the numbers are needed until everything under them
 * is gone. old_hash has nothing of its own to tell. */
static const struct {
    const char *count, *forget;
    size_t member;
} TABLES[] = {
    { "SELECT count(*) FROM event INDEXED BY event_person WHERE person <> '' AND person IN " PERSON_HASHES,
      "UPDATE event SET person = NULL, salt = NULL WHERE person <> '' AND person IN " PERSON_HASHES,
      offsetof(struct person_rows, events) },
    { "SELECT count(*) FROM presence WHERE person IN " PERSON_HASHES,
      "DELETE FROM presence WHERE person IN " PERSON_HASHES, offsetof(struct person_rows, presence) },
    { "SELECT count(*) FROM rotating WHERE person <> '' AND person IN " PERSON_HASHES,
      "DELETE FROM rotating WHERE person <> '' AND person IN " PERSON_HASHES, offsetof(struct person_rows, tokens) },
    { "SELECT count(*) FROM declaration WHERE person IN " PERSON_HASHES,
      "DELETE FROM declaration WHERE person IN " PERSON_HASHES, offsetof(struct person_rows, declarations) },
    { NULL, "DELETE FROM old_hash WHERE hash IN " PERSON_HASHES, 0 },
    { "SELECT count(*) FROM identity WHERE person = " PERSON_OF, "DELETE FROM identity WHERE person = " PERSON_OF,
      offsetof(struct person_rows, numbers) },
};
enum { TABLE_COUNT = sizeof(TABLES) / sizeof(TABLES[0]) };
static const char UNSENT_SQL[] = "SELECT count(*) FROM event INDEXED BY event_person WHERE person <> '' AND sent = 0 AND "
                                 "person IN " PERSON_HASHES;

static int64_t *member_of(struct person_rows *rows, int table)
{
    return (int64_t *)((char *)rows + TABLES[table].member);
}

/* A statement about one person: what its first column says, or how many rows it changed. */
static int run_for_person(sqlite3 *db, const char *sql, const char *person, int64_t *ret)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
    if (code == SQLITE_OK)
        code = bind_text(statement, 1, person);
    if (code == SQLITE_OK)
        code = sqlite3_step(statement);
    if (ret)
        *ret = code == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : sqlite3_changes64(db);
    (void)sqlite3_finalize(statement); /* repeats the code of step */
    return database_error(code);
}

int person_same(sqlite3 *db, const char *person, const char *hash)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(db, "SELECT ?2 IN " PERSON_HASHES, -1, &statement, NULL), same = 0;
    if (code == SQLITE_OK)
        code = bind_text(statement, 1, person);
    if (code == SQLITE_OK)
        code = bind_text(statement, 2, hash);
    if (code == SQLITE_OK && (code = sqlite3_step(statement)) == SQLITE_ROW)
        same = sqlite3_column_int(statement, 0);
    (void)sqlite3_finalize(statement); /* repeats the code of step */
    return code == SQLITE_ROW ? same : database_error(code);
}

int person_count(sqlite3 *db, const char *person, struct person_rows *ret)
{
    int error = person[0] == '\0' ? -EINVAL : 0;
    *ret = (struct person_rows){ 0 };
    for (int i = 0; i < TABLE_COUNT && error == 0; i++)
        if (TABLES[i].count)
            error = run_for_person(db, TABLES[i].count, person, member_of(ret, i));
    return error < 0 ? error : run_for_person(db, UNSENT_SQL, person, &ret->unsent_events);
}

static int erase(sqlite3 *db, const char *person, struct person_rows *ret)
{
    int error = run_for_person(db, UNSENT_SQL, person, &ret->unsent_events);
    for (int i = 0; i < TABLE_COUNT && error == 0; i++)
        error = run_for_person(db, TABLES[i].forget, person, TABLES[i].count ? member_of(ret, i) : NULL);
    return error < 0 ? error : database_run(db, "COMMIT");
}

int person_erase(sqlite3 *db, const char *person, struct person_rows *ret)
{
    *ret = (struct person_rows){ 0 };
    if (person[0] == '\0') /* would match every row without a person */
        return -EINVAL;
    int error = database_run(db, "BEGIN IMMEDIATE");
    if (error < 0)
        return error;
    error = erase(db, person, ret);
    if (error < 0) {
        if (!sqlite3_get_autocommit(db))
            (void)database_run(db, "ROLLBACK"); /* the first error is the one to tell */
        *ret = (struct person_rows){ 0 };
        return error;
    }
    (void)database_wipe_log(db, true); /* who must be sure asks again, and hears why not */
    return 0;
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

struct reading {
    const struct person_take *take;
    void *userdata;
};

static int read_number(sqlite3_stmt *s, const struct reading *reading)
{
    char hash[JOURNAL_ID_BYTES];
    return column_text(s, 0, hash, sizeof(hash)) < 0 ? -EILSEQ : reading->take->number(hash, reading->userdata);
}

static int read_declaration(sqlite3_stmt *s, const struct reading *reading)
{
    char hash[JOURNAL_ID_BYTES], source[JOURNAL_SOURCE_BYTES];
    struct declaration declaration;
    if (column_text(s, 0, hash, sizeof(hash)) < 0 || column_text(s, 1, source, sizeof(source)) < 0 ||
        register_row_read(s, 2, &declaration) < 0)
        return -EILSEQ;
    return reading->take->declaration(hash, &declaration, source, reading->userdata);
}

static int read_presence(sqlite3_stmt *s, const struct reading *reading)
{
    struct person_presence presence = {
        .inside = sqlite3_column_type(s, 0) == SQLITE_NULL ? -1 : sqlite3_column_int(s, 0) != 0,
        .at_us = sqlite3_column_int64(s, 1),
        .own_at_us = sqlite3_column_int64(s, 2),
    };
    if (column_text(s, 3, presence.lane, sizeof(presence.lane)) < 0 ||
        column_text(s, 4, presence.event_id, sizeof(presence.event_id)) < 0)
        return -EILSEQ;
    return reading->take->presence(&presence, reading->userdata);
}

static int read_token(sqlite3_stmt *s, const struct reading *reading)
{
    struct person_token token = { .last_step = sqlite3_column_int64(s, 1) };
    return column_blob(s, 0, token.token_id, sizeof(token.token_id)) < 0
               ? -EILSEQ
               : reading->take->token(&token, reading->userdata);
}

static int walk(sqlite3 *db, const char *person, const char *sql,
                int (*read_row)(sqlite3_stmt *s, const struct reading *reading), const struct reading *reading)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(db, sql, -1, &statement, NULL), result = 0;
    if (code == SQLITE_OK)
        code = bind_text(statement, 1, person);
    while (result == 0 && (code == SQLITE_OK || code == SQLITE_ROW) && (code = sqlite3_step(statement)) == SQLITE_ROW)
        result = read_row(statement, reading);
    (void)sqlite3_finalize(statement); /* repeats the code of step */
    return result != 0 ? result : database_error(code);
}

int person_walk(sqlite3 *db, const char *person, const struct person_take *take, void *userdata)
{
    const struct reading reading = { take, userdata };
    int result = person[0] == '\0' ? -EINVAL : 0;
    if (result == 0 && take->number)
        result = walk(db, person, "SELECT * FROM " PERSON_HASHES, read_number, &reading);
    if (result == 0 && take->declaration)
        result = walk(db, person, "SELECT person, source, " REGISTER_ROW_COLUMNS " FROM declaration WHERE person IN "
                      PERSON_HASHES, read_declaration, &reading);
    if (result == 0 && take->presence)
        result = walk(db, person, "SELECT inside, at_us, own_at_us, lane, event_id FROM presence WHERE person IN "
                      PERSON_HASHES, read_presence, &reading);
    if (result == 0 && take->token)
        result = walk(db, person, "SELECT token_id, last_step FROM rotating WHERE person <> '' AND person IN "
                      PERSON_HASHES, read_token, &reading);
    return result;
}
