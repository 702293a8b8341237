/* The purge: finds what is old enough or in the way, deletes it and leaves ranges in its place. Called by worker.c. */
#include "daemon/journal/purge.h"

#include <errno.h>
#include <sqlite3.h>
#include <string.h>

#include "daemon/journal/database.h"

enum { WALK_ROWS_MAX = 1000, KEPT_ROWS = 256 };

#define WALK_COLUMNS "seq, at_us, clock_trusted, sent, ending, prev_hash, hash"
static const char *const SQL[PURGE_STATEMENT_COUNT] = {
    [PURGE_WALK] = "SELECT " WALK_COLUMNS " FROM event NOT INDEXED WHERE seq > ?1 ORDER BY seq LIMIT ?2",
    [PURGE_UNSENT] = "SELECT " WALK_COLUMNS " FROM event INDEXED BY event_unsent WHERE sent = 0 AND seq > ?1 "
                     "ORDER BY seq LIMIT ?2",
    [PURGE_DELETE] = "DELETE FROM event WHERE seq = ?1",
    [PURGE_FIRST] = "SELECT coalesce(min(seq), 0) FROM event",
};

struct row {
    int64_t seq, at_us;
    bool clock_trusted, sent, open;
    uint8_t previous_hash[CHAIN_HASH_BYTES], hash[CHAIN_HASH_BYTES];
};

/* What is to go in this request. */
struct chosen {
    struct row rows[PURGE_ROWS_MAX];
    int count;
};

int purge_open(struct store *store, struct room *room, const struct journal_settings *settings, struct purge *ret)
{
    ret->store = store;
    ret->room = room;
    ret->settings = settings;
    int error = statements_prepare(store->db, SQL, PURGE_STATEMENT_COUNT, ret->statements);
    if (error == 0)
        error = purged_open(store->db, settings->site_key, &ret->ranges);
    if (error == 0)
        error = sweep_open(store->db, &ret->sweep);
    if (error < 0)
        purge_close(ret);
    return error;
}

void purge_close(struct purge *purge)
{
    statements_finalize(purge->statements, PURGE_STATEMENT_COUNT);
    purged_close(&purge->ranges);
    sweep_close(&purge->sweep);
    *purge = (struct purge){ 0 };
}

void purge_committed(struct purge *purge)
{
    purged_committed(&purge->ranges);
    sweep_committed(&purge->sweep);
    purge->round = purge->next_round;
    purge->floor_seq = purge->next_floor_seq;
}

void purge_rolled_back(struct purge *purge)
{
    purged_rolled_back(&purge->ranges);
}

void purge_marked(struct purge *purge, int64_t seq)
{
    if (purge->floor_seq >= seq)
        purge->floor_seq = seq - 1;
    if (purge->round.walked_seq >= seq)
        purge->round.walked_seq = seq - 1;
}

int purge_first_seq(struct purge *purge, int64_t *ret)
{
    sqlite3_stmt *s = purge->statements[PURGE_FIRST];
    const int code = sqlite3_step(s);
    *ret = code == SQLITE_ROW ? sqlite3_column_int64(s, 0) : 0;
    statement_end(s);
    return database_error(code);
}

/* ---- rows -------------------------------------------------------------------------------------------------------- */

static int begin_walk(struct purge *purge, enum purge_statement which, int64_t after_seq, int rows_max)
{
    sqlite3_stmt *s = purge->statements[which];
    const int code = sqlite3_bind_int64(s, 1, after_seq) | sqlite3_bind_int(s, 2, rows_max);
    return code == SQLITE_OK ? 0 : -ENOMEM;
}

/* 1, 0 at the end, or negative errno. */
static int next_row(sqlite3_stmt *s, struct row *ret)
{
    const int code = sqlite3_step(s);
    if (code != SQLITE_ROW)
        return database_error(code);
    *ret = (struct row){ .seq = sqlite3_column_int64(s, 0),
                         .at_us = sqlite3_column_int64(s, 1),
                         .clock_trusted = sqlite3_column_int(s, 2) != 0,
                         .sent = sqlite3_column_int(s, 3) != 0,
                         .open = sqlite3_column_int(s, 4) == STORE_ENDING_AWAITED };
    return column_blob(s, 5, ret->previous_hash, CHAIN_HASH_BYTES) < 0 ||
                   column_blob(s, 6, ret->hash, CHAIN_HASH_BYTES) < 0
               ? -EILSEQ
               : 1;
}

/* Row by row, with a range for each run of neighbours. */
static int remove_chosen(struct purge *purge, const struct chosen *chosen)
{
    struct purged_range range = { .first_seq = 0 };
    sqlite3_stmt *s = purge->statements[PURGE_DELETE];
    int error = 0;
    for (int i = 0; i < chosen->count && error == 0; i++) {
        const struct row *row = &chosen->rows[i];
        error = sqlite3_bind_int64(s, 1, row->seq) == SQLITE_OK ? statement_run(s) : -ENOMEM;
        if (i == 0 || row->seq != range.last_seq + 1) {
            range = (struct purged_range){ .first_seq = row->seq };
            memcpy(range.previous_hash, row->previous_hash, sizeof(range.previous_hash));
        }
        range.last_seq = row->seq;
        range.unsent_rows += !row->sent;
        memcpy(range.hash, row->hash, sizeof(range.hash));
        purge->store->unsent_rows_change -= !row->sent;
        const bool run_ends = i == chosen->count - 1 || chosen->rows[i + 1].seq != row->seq + 1;
        if (error == 0 && run_ends)
            error = purged_add(&purge->ranges, &range);
    }
    return error;
}

/* ---- age --------------------------------------------------------------------------------------------------------- */

/* Looks on for the first row that is known to be young. One from the future says nothing of those before it. */
static int look_for_young(struct purge *purge, int64_t now_us, int64_t keep_us, struct purge_round *round)
{
    sqlite3_stmt *s = purge->statements[PURGE_WALK];
    struct row row;
    int rows = 0, found = begin_walk(purge, PURGE_WALK, round->looked_seq, WALK_ROWS_MAX);
    while (found >= 0 && !round->aged_known && (found = next_row(s, &row)) == 1) {
        rows++;
        round->looked_seq = row.seq;
        if (!row.clock_trusted || row.at_us > now_us)
            continue;
        if (row.at_us < now_us - keep_us)
            round->aged_seq = row.seq;
        else
            round->aged_known = true;
    }
    statement_end(s);
    round->aged_known = round->aged_known || rows < WALK_ROWS_MAX;
    return found < 0 ? found : 0;
}

/* ---- what goes --------------------------------------------------------------------------------------------------- */

/* Acknowledged rows that are old (where no broker ever will, unacknowledged ones too), or any while room is wanted. *ret_done:
 * the walk has come to a row that needn't go. */
static int choose_sent(struct purge *purge, bool for_room, struct purge_round *round, struct chosen *ret,
                       bool *ret_done)
{
    const int64_t last_seq = purge->store->last_seq;
    sqlite3_stmt *s = purge->statements[PURGE_WALK];
    struct row row;
    int rows = 0, found = begin_walk(purge, PURGE_WALK, round->walked_seq, WALK_ROWS_MAX);
    *ret_done = false;
    while (found >= 0 && ret->count < PURGE_ROWS_MAX && !*ret_done && (found = next_row(s, &row)) == 1) {
        rows++;
        if (row.seq >= last_seq || (row.seq > round->aged_seq && !(for_room && row.seq <= last_seq - KEPT_ROWS))) {
            *ret_done = true;
            break;
        }
        round->walked_seq = row.seq;
        if ((row.sent || (purge->settings->has_no_broker && row.seq <= round->aged_seq)) && !row.open)
            ret->rows[ret->count++] = row;
        if (row.open && round->open_seq == 0)
            round->open_seq = row.seq;
    }
    statement_end(s);
    *ret_done = *ret_done || (found == 0 && rows < WALK_ROWS_MAX);
    return found < 0 ? found : 0;
}

static int choose_unsent(struct purge *purge, struct chosen *ret)
{
    const int64_t bound_seq = purge->store->last_seq - KEPT_ROWS;
    sqlite3_stmt *s = purge->statements[PURGE_UNSENT];
    struct row row;
    int found = begin_walk(purge, PURGE_UNSENT, 0, WALK_ROWS_MAX);
    while (found >= 0 && ret->count < PURGE_ROWS_MAX && (found = next_row(s, &row)) == 1 && row.seq <= bound_seq)
        if (!row.open)
            ret->rows[ret->count++] = row;
    statement_end(s);
    return found < 0 ? found : 0;
}

/* What isn't rows: looked at when a round has ended. */
static int tidy(struct purge *purge, int64_t now_us, int64_t keep_us, bool *ret_more)
{
    int64_t first_seq;
    int error = purge_first_seq(purge, &first_seq);
    if (error == 0)
        error = store_forget_seen(purge->store, now_us, first_seq);
    const int64_t days_us = purge->settings->register_days * INT64_C(86400000000);
    const int64_t valid_us = purge->settings->policy.declaration.validity_s * INT64_C(1000000);
    const struct sweep_keep keep = { .events_us = keep_us, /* what still holds stays, however short the days are */
                                     .register_us = days_us > 0 && days_us < valid_us ? valid_us : days_us };
    return error < 0 ? error : sweep_step(&purge->sweep, now_us, &keep, ret_more);
}

static void end_round(struct purge *purge, struct purge_round *round)
{
    purge->next_floor_seq = round->open_seq > 0 ? round->open_seq - 1 : round->walked_seq;
    *round = (struct purge_round){ .under_way = false };
}

int purge_step(struct purge *purge, int64_t now_us, bool clock_trusted, bool *ret_more)
{
    const int64_t keep_us = purge->settings->keep_days * INT64_C(86400000000), floor_seq = purge->floor_seq;
    struct purge_round *round = &purge->next_round;
    struct chosen chosen = { .count = 0 };
    struct journal_room told;
    struct room_excess excess;
    bool done = false;
    int error = room_measure(purge->room, &told, &excess);
    *round = purge->round;
    purge->next_floor_seq = floor_seq;
    purge->sweep.next = purge->sweep.at;
    if (!round->under_way)
        *round = (struct purge_round){ .under_way = true, .looked_seq = floor_seq, .aged_seq = floor_seq,
                                       .walked_seq = floor_seq, .aged_known = keep_us == 0 || !clock_trusted };
    if (error == 0 && !round->aged_known)
        error = look_for_young(purge, now_us, keep_us, round);
    if (error == 0)
        error = choose_sent(purge, excess.sent_bytes > 0, round, &chosen, &done);
    const bool none_is_left = done && chosen.count == 0;
    if (error == 0 && none_is_left && excess.unsent_bytes > 0)
        error = choose_unsent(purge, &chosen);
    *ret_more = chosen.count == PURGE_ROWS_MAX || !done || !round->aged_known;
    if (error == 0)
        error = remove_chosen(purge, &chosen);
    if (error == 0 && done && round->aged_known) {
        end_round(purge, round);
        if (clock_trusted && !*ret_more)
            error = tidy(purge, now_us, keep_us, ret_more);
    }
    return error;
}
