/* The table of presence: read a row, work out the next one, write it back. Called by the journal thread (worker.c,
 * judge.c). */
#include "daemon/journal/presence.h"

#include <errno.h>
#include <sqlite3.h>
#include <string.h>

#include "daemon/journal/database.h"

enum inside { INSIDE_UNKNOWN = -1, INSIDE_NO = 0, INSIDE_YES = 1 };

struct row {
    bool found;
    enum inside inside, was_inside;
    int64_t at_us, own_at_us, was_at_us, was_own_at_us;
    enum direction own_direction;
    char lane[JOURNAL_LANE_BYTES], event_id[JOURNAL_ID_BYTES];
};

static const char *const SQL[PRESENCE_STATEMENT_COUNT] = {
    [PRESENCE_FIND] = "SELECT inside, at_us, lane, event_id, own_at_us, own_direction, was_inside, was_at_us, "
                      "was_own_at_us FROM presence WHERE person = ?1",
    [PRESENCE_WRITE] = "INSERT OR REPLACE INTO presence (person, inside, at_us, lane, event_id, own_at_us, "
                       "own_direction, was_inside, was_at_us, was_own_at_us) "
                       "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    [PRESENCE_COUNT] = "SELECT count(*) FROM presence INDEXED BY presence_inside WHERE inside = 1",
    [PRESENCE_DATA_VERSION] = "PRAGMA data_version",
    [PRESENCE_MUSTER] = "SELECT person, at_us, lane FROM presence INDEXED BY presence_inside WHERE inside = 1 AND "
                        "person > ?1 ORDER BY person LIMIT ?2",
};

static int number_of(sqlite3_stmt *statement, int64_t *ret)
{
    const int code = sqlite3_step(statement);
    if (code == SQLITE_ROW)
        *ret = sqlite3_column_int64(statement, 0);
    statement_end(statement);
    return code == SQLITE_ROW ? 0 : code == SQLITE_DONE ? -EIO : database_error(code);
}

int presence_open(sqlite3 *db, struct presence_table *ret)
{
    ret->db = db;
    const int error = statements_prepare(db, SQL, PRESENCE_STATEMENT_COUNT, ret->statements);
    if (error < 0)
        presence_close(ret);
    return error;
}

void presence_close(struct presence_table *table)
{
    statements_finalize(table->statements, PRESENCE_STATEMENT_COUNT);
    *table = (struct presence_table){ 0 };
}

void presence_committed(struct presence_table *table)
{
    table->inside_count += table->inside_change;
    table->inside_change = 0;
}

void presence_rolled_back(struct presence_table *table)
{
    table->inside_change = 0;
}

void presence_recount(struct presence_table *table)
{
    table->counted = false;
}

/* The count is remembered, for a site may have thousands inside; qrgatectl, in its own process, may erase one of them. */
static int count(struct presence_table *table)
{
    int64_t version = 0;
    int error = number_of(table->statements[PRESENCE_DATA_VERSION], &version);
    if (error < 0 || (table->counted && version == table->data_version))
        return error;
    error = number_of(table->statements[PRESENCE_COUNT], &table->inside_count);
    if (error < 0)
        return error;
    table->inside_count -= table->inside_change; /* of this transaction, so in the table already */
    table->data_version = version;
    table->counted = true;
    return 0;
}

static enum inside column_inside(sqlite3_stmt *s, int column)
{
    return sqlite3_column_type(s, column) == SQLITE_NULL ? INSIDE_UNKNOWN
           : sqlite3_column_int(s, column) != 0          ? INSIDE_YES
                                                         : INSIDE_NO;
}

static int find(struct presence_table *table, const char *person, struct row *ret)
{
    sqlite3_stmt *s = table->statements[PRESENCE_FIND];
    *ret = (struct row){ .inside = INSIDE_UNKNOWN, .was_inside = INSIDE_UNKNOWN };
    if (bind_text(s, 1, person) != SQLITE_OK)
        return -ENOMEM;
    const int code = sqlite3_step(s);
    int error = database_error(code);
    if (code == SQLITE_ROW) {
        ret->found = true;
        ret->inside = column_inside(s, 0);
        ret->at_us = sqlite3_column_int64(s, 1);
        ret->own_at_us = sqlite3_column_int64(s, 4);
        ret->was_inside = column_inside(s, 6);
        ret->was_at_us = sqlite3_column_int64(s, 7);
        ret->was_own_at_us = sqlite3_column_int64(s, 8);
        if (column_text(s, 2, ret->lane, sizeof(ret->lane)) < 0 ||
            column_text(s, 3, ret->event_id, sizeof(ret->event_id)) < 0 ||
            !direction_from_name(column_name(s, 5), &ret->own_direction))
            error = -EILSEQ;
    }
    statement_end(s);
    return error;
}

static int bind_inside(sqlite3_stmt *s, int parameter, enum inside inside)
{
    return inside == INSIDE_UNKNOWN ? sqlite3_bind_null(s, parameter) : sqlite3_bind_int(s, parameter, (int)inside);
}

static int write_row(struct presence_table *table, const char *person, const struct row *row, enum inside before)
{
    sqlite3_stmt *s = table->statements[PRESENCE_WRITE];
    int code = SQLITE_OK; /* a bind fails only for want of memory */
    code |= bind_text(s, 1, person);
    code |= bind_inside(s, 2, row->inside);
    code |= sqlite3_bind_int64(s, 3, row->at_us);
    code |= bind_text(s, 4, row->lane);
    code |= bind_text(s, 5, row->event_id);
    code |= sqlite3_bind_int64(s, 6, row->own_at_us);
    code |= bind_text(s, 7, direction_name(row->own_direction));
    code |= bind_inside(s, 8, row->was_inside);
    code |= sqlite3_bind_int64(s, 9, row->was_at_us);
    code |= sqlite3_bind_int64(s, 10, row->was_own_at_us);
    const int error = code == SQLITE_OK ? statement_run(s) : -ENOMEM;
    statement_end(s); /* what is bound lies in the callers' frames */
    if (error == 0)
        table->inside_change += (row->inside == INSIDE_YES) - (before == INSIDE_YES);
    return error;
}

int presence_read(struct presence_table *table, const char *person, enum direction direction, struct presence *ret)
{
    struct row row = { .inside = INSIDE_UNKNOWN };
    *ret = (struct presence){ 0 };
    int error = count(table);
    if (error == 0 && person[0] != '\0')
        error = find(table, person, &row);
    if (error < 0)
        return error;
    *ret = (struct presence){
        .known = row.inside != INSIDE_UNKNOWN,
        .inside = row.inside == INSIDE_YES,
        .changed_at_s = row.inside != INSIDE_UNKNOWN ? row.at_us / 1000000 : 0,
        .last_passage_at_s = row.own_direction == direction ? row.own_at_us / 1000000 : 0,
        .inside_count = table->inside_count + table->inside_change,
    };
    return 0;
}

int presence_muster(struct presence_table *table, const char *after_person, struct muster_page *ret)
{
    sqlite3_stmt *s = table->statements[PRESENCE_MUSTER];
    int code = SQLITE_DONE, error = count(table);
    *ret = (struct muster_page){ .inside_count = table->inside_count };
    if (error == 0 && (bind_text(s, 1, after_person) != SQLITE_OK ||
                       sqlite3_bind_int(s, 2, JOURNAL_MUSTER_MAX) != SQLITE_OK))
        error = -ENOMEM;
    while (error == 0 && ret->count < JOURNAL_MUSTER_MAX && (code = sqlite3_step(s)) == SQLITE_ROW) {
        struct muster_row *row = &ret->rows[ret->count++];
        row->since_us = sqlite3_column_int64(s, 1);
        if (column_text(s, 0, row->person, sizeof(row->person)) < 0 || column_text(s, 2, row->lane, sizeof(row->lane)) < 0)
            error = -EILSEQ;
    }
    statement_end(s);
    return error < 0 ? error : database_error(code);
}

int presence_pass(struct presence_table *table, const struct event *event, const char *lane, bool late)
{
    struct row row;
    int error = find(table, event->person, &row);
    if (error < 0)
        return error;
    if (late && event->at_us < (row.at_us > row.own_at_us ? row.at_us : row.own_at_us))
        return 0; /* what came later is known already */
    const enum inside before = row.inside;
    row.was_inside = row.inside;
    row.was_at_us = row.at_us;
    row.was_own_at_us = row.own_direction == event->direction ? row.own_at_us : 0;
    row.own_at_us = event->at_us;
    row.own_direction = event->direction;
    if (event->direction != DIRECTION_NONE) {
        row.inside = event->direction == DIRECTION_IN ? INSIDE_YES : INSIDE_NO;
        /* It is happening now, whatever other lanes' clocks have said. But an untrusted clock, of 1970 perhaps, must not
         * make passages older than what other lanes told before. */
        row.at_us = event->clock_trusted || event->at_us > row.at_us ? event->at_us : row.at_us;
    }
    (void)strncpy(row.lane, lane, sizeof(row.lane) - 1); /* the last byte is 0 */
    memcpy(row.event_id, event->event_id, sizeof(row.event_id));
    return write_row(table, event->person, &row, before);
}

int presence_undo(struct presence_table *table, const struct event *event)
{
    struct row row;
    const int error = find(table, event->person, &row);
    if (error < 0 || !row.found || event->bound_event_id[0] == '\0' ||
        strcmp(row.event_id, event->bound_event_id) != 0)
        return error;
    const enum inside before = row.inside;
    row.inside = row.was_inside;
    row.at_us = row.was_at_us;
    row.own_at_us = row.was_own_at_us;
    row.event_id[0] = '\0';
    return write_row(table, event->person, &row, before);
}

int presence_follow(struct presence_table *table, const struct followed_passage *passage, bool *ret_taken)
{
    struct row row;
    int error = find(table, passage->person, &row);
    *ret_taken = false;
    if (error < 0 || (row.inside != INSIDE_UNKNOWN && passage->at_us <= row.at_us))
        return error;
    const enum inside before = row.inside;
    row.inside = passage->direction == DIRECTION_IN ? INSIDE_YES : INSIDE_NO;
    row.at_us = passage->at_us;
    memcpy(row.lane, passage->lane, sizeof(row.lane));
    memcpy(row.event_id, passage->event_id, sizeof(row.event_id));
    error = write_row(table, passage->person, &row, before);
    *ret_taken = error == 0;
    return error;
}
