/* Rows of the journal and the statements that carry them. Used by the journal thread; the walk at the end also by
 * qrgatectl on its own connection. */
#include "daemon/journal/store.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "daemon/journal/database.h"
#include "daemon/journal/event.h"
#include "daemon/journal/person.h"
#include "daemon/journal/register.h"

static const char *const SQL[STORE_STATEMENT_COUNT] = {
    [STORE_BEGIN] = "BEGIN IMMEDIATE",
    [STORE_COMMIT] = "COMMIT",
    [STORE_ROLLBACK] = "ROLLBACK",
    [STORE_LAST] = CHAIN_HEAD_SQL,
    [STORE_INSERT] =
        "INSERT INTO event (" STORE_EVENT_COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, "
        "?15, ?16, ?17, 0, ?18, ?19, ?20, ?21, ?22)",
    [STORE_FIND] = "SELECT " STORE_EVENT_COLUMNS " FROM event WHERE event_id = ?1",
    [STORE_MARK_SENT] = "UPDATE event SET sent = 1 WHERE seq = ?1 AND sent = 0",
    [STORE_ENDING] = "SELECT ending FROM event WHERE event_id = ?1",
    [STORE_SET_ENDING] = "UPDATE event SET ending = ?2 WHERE event_id = ?1",
    [STORE_NEXT_OPEN] = "SELECT " STORE_EVENT_COLUMNS " FROM event INDEXED BY event_open WHERE ending = 1 AND seq > ?1 "
                        "ORDER BY seq LIMIT 1",
    /* INDEXED BY: fails at open, not by slowness after a month without the broker, should the index ever not fit */
    [STORE_READ_UNSENT] = "SELECT " STORE_EVENT_COLUMNS " FROM event INDEXED BY event_unsent WHERE sent = 0 AND seq > ?1 AND "
                          "seq <= ?2 ORDER BY seq LIMIT ?3",
    [STORE_READ_ALL] = "SELECT " STORE_EVENT_COLUMNS " FROM event NOT INDEXED WHERE seq > ?1 AND seq <= ?2 "
                       "ORDER BY seq LIMIT ?3",
    [STORE_SEEN_FIND] = "SELECT 1 FROM seen WHERE transaction_id = ?1",
    [STORE_SEEN_ADD] = "INSERT INTO seen (transaction_id, at_us, seq) VALUES (?1, ?2, ?3)",
    [STORE_SEEN_DATE] = "UPDATE seen INDEXED BY seen_at SET at_us = ?1 WHERE at_us = 0",
    [STORE_SEEN_FORGET] = ("DELETE FROM seen WHERE transaction_id IN (SELECT transaction_id FROM seen INDEXED BY "
                           "seen_at WHERE at_us < ?1 AND seq < ?2 ORDER BY at_us LIMIT 64)"),
};

/* The current row of a statement over EVENT_COLUMNS. */
int store_read_row(sqlite3_stmt *statement, struct stored_event *ret)
{
    struct event *event = &ret->event;
    *ret = (struct stored_event){ 0 };
    event->seq = sqlite3_column_int64(statement, 0);
    event->at_us = sqlite3_column_int64(statement, 3);
    event->monotonic_us = sqlite3_column_int64(statement, 4);
    event->clock_trusted = sqlite3_column_int(statement, 5) != 0;
    ret->sent = sqlite3_column_int(statement, 17) != 0;
    const int64_t form = sqlite3_column_int64(statement, 20);
    ret->erased = sqlite3_column_type(statement, 9) == SQLITE_NULL && sqlite3_column_type(statement, 10) == SQLITE_NULL;
    if (!event_kind_from_name(column_name(statement, 2), &event->kind) ||
        !reason_from_name(column_name(statement, 6), &event->reason) ||
        !declaration_status_from_name(column_name(statement, 7), &event->status) ||
        !credential_kind_from_name(column_name(statement, 8), &event->credential) ||
        !direction_from_name(column_name(statement, 18), &event->direction) ||
        !presence_scope_from_name(column_name(statement, 19), &event->scope) || form < CHAIN_FORM_FIRST ||
        form > CHAIN_FORM)
        return -EILSEQ;
    ret->form = (int)form;
    if (column_text(statement, 1, event->event_id, sizeof(event->event_id)) < 0 ||
        column_text(statement, 12, event->bound_event_id, sizeof(event->bound_event_id)) < 0 ||
        column_text(statement, 13, event->alarm, sizeof(event->alarm)) < 0 ||
        column_text(statement, 14, event->detail, sizeof(event->detail)) < 0 ||
        column_text(statement, 21, event->verb, sizeof(event->verb)) < 0 ||
        column_text(statement, 22, event->operator_name, sizeof(event->operator_name)) < 0 ||
        column_blob(statement, 11, ret->person_commitment, sizeof(ret->person_commitment)) < 0 ||
        column_blob(statement, 15, ret->previous_hash, sizeof(ret->previous_hash)) < 0 ||
        column_blob(statement, 16, ret->hash, sizeof(ret->hash)) < 0)
        return -EILSEQ;
    if (ret->erased)
        return 0;
    return column_text(statement, 9, event->person, sizeof(event->person)) < 0 ||
                   column_blob(statement, 10, ret->salt, sizeof(ret->salt)) < 0
               ? -EILSEQ
               : 0;
}

static int count_unsent(sqlite3 *db, int64_t *ret)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(db, "SELECT count(*) FROM event INDEXED BY event_unsent WHERE sent = 0", -1,
                                  &statement, NULL);
    if (code == SQLITE_OK && (code = sqlite3_step(statement)) == SQLITE_ROW)
        *ret = sqlite3_column_int64(statement, 0);
    (void)sqlite3_finalize(statement); /* repeats the code of step */
    return database_error(code);
}

/* The first row is chained to zeros. */
static int read_last(struct store *store, int64_t *ret_seq, uint8_t ret_hash[CHAIN_HASH_BYTES])
{
    struct journal_head head = { .seq = 0 };
    const int found = chain_read_head(store->statements[STORE_LAST], &head);
    *ret_seq = head.seq;
    memcpy(ret_hash, head.hash, CHAIN_HASH_BYTES);
    return found < 0 ? found : 0;
}

static int find_last_seq(struct store *store)
{
    uint8_t hash[CHAIN_HASH_BYTES];
    const int error = read_last(store, &store->last_seq, hash);
    return error == -EILSEQ ? 0 : error; /* a damaged hash is the next insert's error: what is there can be sent */
}

int store_open(struct store *store, const char *path, char *why, size_t why_bytes)
{
    int error = database_open(path, &store->db, why, why_bytes);
    if (error < 0)
        return error;
    error = statements_prepare(store->db, SQL, STORE_STATEMENT_COUNT, store->statements);
    if (error == 0)
        error = count_unsent(store->db, &store->unsent_rows);
    if (error == 0)
        error = find_last_seq(store);
    if (error < 0) {
        (void)snprintf(why, why_bytes,
                       "%s: %s; the file is damaged or was changed by another program: restore it or move it away",
                       path, sqlite3_errmsg(store->db));
        store_close(store);
    }
    return error;
}

void store_close(struct store *store)
{
    statements_finalize(store->statements, STORE_STATEMENT_COUNT);
    if (store->db)
        (void)sqlite3_close(store->db); /* all statements are finalized: can't be busy */
    *store = (struct store){ 0 };
}

int store_begin(struct store *store)
{
    if (!sqlite3_get_autocommit(store->db)) /* an earlier rollback failed */
        store_rollback(store);
    store->unsent_rows_change = store->inserted_seq = 0;
    return statement_run(store->statements[STORE_BEGIN]);
}

int store_commit(struct store *store)
{
    const int error = statement_run(store->statements[STORE_COMMIT]);
    if (error < 0) {
        store_rollback(store);
        return error;
    }
    store->unsent_rows += store->unsent_rows_change;
    if (store->inserted_seq > 0)
        store->last_seq = store->inserted_seq;
    store->unsent_rows_change = store->inserted_seq = 0;
    return 0;
}

void store_rollback(struct store *store)
{
    store->unsent_rows_change = store->inserted_seq = 0;
    if (!sqlite3_get_autocommit(store->db))                 /* else SQLite has rolled back by itself */
        (void)statement_run(store->statements[STORE_ROLLBACK]); /* failing, the next store_begin() tries again */
}

int store_insert(struct store *store, struct event *event, const uint8_t salt[CHAIN_SALT_BYTES])
{
    uint8_t previous[CHAIN_HASH_BYTES], commitment[CHAIN_HASH_BYTES], hash[CHAIN_HASH_BYTES];
    sqlite3_stmt *s = store->statements[STORE_INSERT];
    int64_t last_seq;
    int error = event_valid(event) ? 0 : -EINVAL;
    if (error == 0) /* read here, not remembered: what is in the file decides */
        error = read_last(store, &last_seq, previous);
    if (error < 0)
        return error;
    event->seq = last_seq + 1;
    chain_commit_person(salt, event->person, commitment);
    chain_hash(event, CHAIN_FORM, commitment, previous, hash);

    int code = SQLITE_OK; /* a bind fails only for want of memory; any failure ends in one place */
    code |= sqlite3_bind_int64(s, 1, event->seq);
    code |= bind_text(s, 2, event->event_id);
    code |= bind_text(s, 3, event_kind_name(event->kind));
    code |= sqlite3_bind_int64(s, 4, event->at_us);
    code |= sqlite3_bind_int64(s, 5, event->monotonic_us);
    code |= sqlite3_bind_int(s, 6, event->clock_trusted ? 1 : 0);
    code |= bind_text(s, 7, reason_name(event->reason));
    code |= bind_text(s, 8, declaration_status_name(event->status));
    code |= bind_text(s, 9, credential_kind_name(event->credential));
    code |= bind_text(s, 10, event->person);
    code |= sqlite3_bind_blob(s, 11, salt, CHAIN_SALT_BYTES, SQLITE_STATIC);
    code |= sqlite3_bind_blob(s, 12, commitment, CHAIN_HASH_BYTES, SQLITE_STATIC);
    code |= bind_text(s, 13, event->bound_event_id);
    code |= bind_text(s, 14, event->alarm);
    code |= bind_text(s, 15, event->detail);
    code |= sqlite3_bind_blob(s, 16, previous, CHAIN_HASH_BYTES, SQLITE_STATIC);
    code |= sqlite3_bind_blob(s, 17, hash, CHAIN_HASH_BYTES, SQLITE_STATIC);
    code |= bind_text(s, 18, direction_name(event->direction));
    code |= bind_text(s, 19, presence_scope_name(event->scope));
    code |= sqlite3_bind_int(s, 20, CHAIN_FORM);
    code |= bind_text(s, 21, event->verb);
    code |= bind_text(s, 22, event->operator_name);
    error = code == SQLITE_OK ? statement_run(s) : -ENOMEM;
    statement_end(s); /* what is bound lies in this frame */
    if (error == 0) {
        store->unsent_rows_change++;
        store->inserted_seq = event->seq;
    }
    return error;
}

/* 1 and the row, 0, or negative errno; of a statement whose one parameter is bound. */
static int take_row(sqlite3_stmt *statement, struct event *ret)
{
    struct stored_event row;
    const int code = sqlite3_step(statement);
    int result = database_error(code);
    if (code == SQLITE_ROW) {
        result = store_read_row(statement, &row);
        if (result == 0) {
            *ret = row.event;
            result = 1;
        }
    }
    statement_end(statement);
    return result;
}

int store_find(struct store *store, const char *event_id, struct event *ret)
{
    sqlite3_stmt *statement = store->statements[STORE_FIND];
    return bind_text(statement, 1, event_id) == SQLITE_OK ? take_row(statement, ret) : -ENOMEM;
}

int store_mark_sent(struct store *store, int64_t seq)
{
    sqlite3_stmt *mark = store->statements[STORE_MARK_SENT];
    if (seq < 1 || seq > store->last_seq)
        return -ENOENT;
    if (sqlite3_bind_int64(mark, 1, seq) != SQLITE_OK)
        return -ENOMEM;
    const int error = statement_run(mark);
    if (error == 0 && sqlite3_changes(store->db) > 0)
        store->unsent_rows_change--;
    return error;
}

int store_ending(struct store *store, const char *event_id, enum store_ending *ret)
{
    sqlite3_stmt *statement = store->statements[STORE_ENDING];
    *ret = STORE_ENDING_NOT_AWAITED;
    if (bind_text(statement, 1, event_id) != SQLITE_OK)
        return -ENOMEM;
    const int code = sqlite3_step(statement);
    if (code == SQLITE_ROW)
        *ret = (enum store_ending)sqlite3_column_int(statement, 0); /* the table's CHECK bounds it */
    statement_end(statement);
    return database_error(code);
}

int store_set_ending(struct store *store, const char *event_id, enum store_ending ending)
{
    sqlite3_stmt *statement = store->statements[STORE_SET_ENDING];
    if (bind_text(statement, 1, event_id) != SQLITE_OK || sqlite3_bind_int(statement, 2, (int)ending) != SQLITE_OK)
        return -ENOMEM;
    return statement_run(statement);
}

int store_next_open(struct store *store, int64_t after_seq, struct event *ret)
{
    sqlite3_stmt *statement = store->statements[STORE_NEXT_OPEN];
    return sqlite3_bind_int64(statement, 1, after_seq) == SQLITE_OK ? take_row(statement, ret) : -ENOMEM;
}

static int walk_rows(sqlite3_stmt *statement, store_each *each, void *userdata)
{
    struct stored_event row;
    int result = 0;
    while (result == 0) {
        const int code = sqlite3_step(statement);
        if (code != SQLITE_ROW) {
            result = database_error(code);
            break;
        }
        result = store_read_row(statement, &row);
        if (result == 0)
            result = each(&row, userdata);
    }
    return result;
}

int store_walk(sqlite3 *db, int64_t after_seq, store_each *each, void *userdata)
{
    sqlite3_stmt *statement = NULL;
    int result = database_error(sqlite3_prepare_v2(
        db, "SELECT " STORE_EVENT_COLUMNS " FROM event WHERE seq > ?1 ORDER BY seq", -1, &statement, NULL));
    if (result == 0)
        result = database_error(sqlite3_bind_int64(statement, 1, after_seq));
    if (result == 0)
        result = walk_rows(statement, each, userdata);
    (void)sqlite3_finalize(statement); /* repeats the code of step */
    return result;
}

int store_walk_person(sqlite3 *db, const char *person, store_each *each, void *userdata)
{
    static const char sql[] = "SELECT " STORE_EVENT_COLUMNS " FROM event INDEXED BY event_person "
                              "WHERE person <> '' AND person IN " PERSON_HASHES " ORDER BY seq";
    sqlite3_stmt *statement = NULL;
    int result = person[0] == '\0' ? -EINVAL : database_error(sqlite3_prepare_v2(db, sql, -1, &statement, NULL));
    if (result == 0)
        result = database_error(bind_text(statement, 1, person));
    if (result == 0)
        result = walk_rows(statement, each, userdata);
    (void)sqlite3_finalize(statement); /* repeats the code of step */
    return result;
}
