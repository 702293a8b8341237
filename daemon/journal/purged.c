/* The table of purged ranges: its seals, and how a new range joins its neighbours. Called by purge.c (journal
 * thread) and, to read, by chain.c. */
#include "daemon/journal/purged.h"

#include <errno.h>
#include <sodium.h>
#include <sqlite3.h>
#include <string.h>

#include "daemon/journal/database.h"

#define RANGE_COLUMNS "first_seq, last_seq, unsent_rows, prev_hash, hash, seal"

static const char *const SQL[PURGED_STATEMENT_COUNT] = {
    [PURGED_BEFORE] = "SELECT " RANGE_COLUMNS " FROM purged WHERE first_seq < ?1 ORDER BY first_seq DESC LIMIT 1",
    [PURGED_AFTER] = "SELECT " RANGE_COLUMNS " FROM purged WHERE first_seq > ?1 ORDER BY first_seq LIMIT 1",
    [PURGED_REMOVE] = "DELETE FROM purged WHERE first_seq = ?1",
    [PURGED_ADD] = "INSERT INTO purged (" RANGE_COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
};
static const char ALL_SQL[] = "SELECT " RANGE_COLUMNS " FROM purged ORDER BY first_seq";
static const char UNSENT_SQL[] = "SELECT coalesce(sum(unsent_rows), 0) FROM purged";

/* ---- seals ------------------------------------------------------------------------------------------------------- */

/* libsodium's HMAC functions can't fail; their int is for symmetry with others. */
static void add_number(crypto_auth_hmacsha256_state *state, int64_t number)
{
    uint8_t bytes[8];
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)((uint64_t)number >> (56 - 8 * i));
    (void)crypto_auth_hmacsha256_update(state, bytes, sizeof(bytes));
}

static void seal(const uint8_t key[CHAIN_HASH_BYTES], const struct purged_range *range, uint8_t ret[CHAIN_HASH_BYTES])
{
    crypto_auth_hmacsha256_state state;
    (void)crypto_auth_hmacsha256_init(&state, key, CHAIN_HASH_BYTES);
    add_number(&state, range->first_seq);
    add_number(&state, range->last_seq);
    add_number(&state, range->unsent_rows);
    (void)crypto_auth_hmacsha256_update(&state, range->previous_hash, sizeof(range->previous_hash));
    (void)crypto_auth_hmacsha256_update(&state, range->hash, sizeof(range->hash));
    (void)crypto_auth_hmacsha256_final(&state, ret);
    sodium_memzero(&state, sizeof(state));
}

void purged_key(const uint8_t site_key[32], uint8_t ret_key[CHAIN_HASH_BYTES])
{
    static const char purpose[] = "qrgate purged range 1"; /* so that no person's hash is ever a seal */
    crypto_auth_hmacsha256_state state;
    (void)crypto_auth_hmacsha256_init(&state, site_key, 32);
    (void)crypto_auth_hmacsha256_update(&state, (const uint8_t *)purpose, sizeof(purpose) - 1);
    (void)crypto_auth_hmacsha256_final(&state, ret_key);
    sodium_memzero(&state, sizeof(state));
}

bool purged_seal_good(const uint8_t key[CHAIN_HASH_BYTES], const struct purged_range *range)
{
    uint8_t expected[CHAIN_HASH_BYTES];
    seal(key, range, expected);
    return sodium_memcmp(expected, range->seal, sizeof(expected)) == 0;
}

/* ---- the table --------------------------------------------------------------------------------------------------- */

static int sum_unsent(sqlite3 *db, int64_t *ret)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(db, UNSENT_SQL, -1, &statement, NULL);
    if (code == SQLITE_OK && (code = sqlite3_step(statement)) == SQLITE_ROW)
        *ret = sqlite3_column_int64(statement, 0);
    (void)sqlite3_finalize(statement); /* repeats the code of step */
    return database_error(code);
}

int purged_open(sqlite3 *db, const uint8_t site_key[32], struct purged_table *ret)
{
    purged_key(site_key, ret->key);
    int error = statements_prepare(db, SQL, PURGED_STATEMENT_COUNT, ret->statements);
    if (error == 0)
        error = sum_unsent(db, &ret->unsent_rows);
    if (error < 0)
        purged_close(ret);
    return error;
}

void purged_close(struct purged_table *table)
{
    statements_finalize(table->statements, PURGED_STATEMENT_COUNT);
    sodium_memzero(table, sizeof(*table));
}

void purged_committed(struct purged_table *table)
{
    table->unsent_rows += table->unsent_rows_change;
    table->unsent_rows_change = 0;
}

void purged_rolled_back(struct purged_table *table)
{
    table->unsent_rows_change = 0;
}

int purged_next(sqlite3_stmt *cursor, struct purged_range *ret)
{
    const int code = sqlite3_step(cursor);
    if (code != SQLITE_ROW)
        return database_error(code);
    *ret = (struct purged_range){ .first_seq = sqlite3_column_int64(cursor, 0),
                                  .last_seq = sqlite3_column_int64(cursor, 1),
                                  .unsent_rows = sqlite3_column_int64(cursor, 2) };
    return column_blob(cursor, 3, ret->previous_hash, sizeof(ret->previous_hash)) < 0 ||
                   column_blob(cursor, 4, ret->hash, sizeof(ret->hash)) < 0 ||
                   column_blob(cursor, 5, ret->seal, sizeof(ret->seal)) < 0
               ? -EILSEQ
               : 1;
}

int purged_walk(sqlite3 *db, sqlite3_stmt **ret_cursor)
{
    return database_error(sqlite3_prepare_v2(db, ALL_SQL, -1, ret_cursor, NULL));
}

/* 1: the nearest range on that side touches seq and is ours. */
static int find_neighbour(struct purged_table *table, enum purged_statement side, int64_t seq, struct purged_range *ret)
{
    sqlite3_stmt *s = table->statements[side];
    int found = sqlite3_bind_int64(s, 1, seq) == SQLITE_OK ? purged_next(s, ret) : -ENOMEM;
    statement_end(s);
    if (found == -EILSEQ)
        found = 0; /* left as it is, for chain_verify() to show */
    if (found == 1 && (side == PURGED_BEFORE ? ret->last_seq != seq - 1 : ret->first_seq != seq + 1))
        found = 0;
    return found == 1 && !purged_seal_good(table->key, ret) ? 0 : found;
}

static int remove_range(struct purged_table *table, int64_t first_seq)
{
    sqlite3_stmt *s = table->statements[PURGED_REMOVE];
    return sqlite3_bind_int64(s, 1, first_seq) == SQLITE_OK ? statement_run(s) : -ENOMEM;
}

static int insert_range(struct purged_table *table, const struct purged_range *range)
{
    sqlite3_stmt *s = table->statements[PURGED_ADD];
    int code = SQLITE_OK; /* a bind fails only for want of memory */
    code |= sqlite3_bind_int64(s, 1, range->first_seq);
    code |= sqlite3_bind_int64(s, 2, range->last_seq);
    code |= sqlite3_bind_int64(s, 3, range->unsent_rows);
    code |= sqlite3_bind_blob(s, 4, range->previous_hash, sizeof(range->previous_hash), SQLITE_STATIC);
    code |= sqlite3_bind_blob(s, 5, range->hash, sizeof(range->hash), SQLITE_STATIC);
    code |= sqlite3_bind_blob(s, 6, range->seal, sizeof(range->seal), SQLITE_STATIC);
    const int error = code == SQLITE_OK ? statement_run(s) : -ENOMEM;
    statement_end(s); /* what is bound lies in the caller's frame */
    return error;
}

int purged_add(struct purged_table *table, const struct purged_range *range)
{
    struct purged_range joined = *range, neighbour;
    int found = find_neighbour(table, PURGED_BEFORE, range->first_seq, &neighbour);
    int error = found < 0 ? found : 0;
    if (found == 1) {
        joined.first_seq = neighbour.first_seq;
        joined.unsent_rows += neighbour.unsent_rows;
        memcpy(joined.previous_hash, neighbour.previous_hash, sizeof(joined.previous_hash));
        error = remove_range(table, neighbour.first_seq);
    }
    found = error == 0 ? find_neighbour(table, PURGED_AFTER, range->last_seq, &neighbour) : error;
    error = found < 0 ? found : 0;
    if (found == 1) {
        joined.last_seq = neighbour.last_seq;
        joined.unsent_rows += neighbour.unsent_rows;
        memcpy(joined.hash, neighbour.hash, sizeof(joined.hash));
        error = remove_range(table, neighbour.first_seq);
    }
    seal(table->key, &joined, joined.seal);
    if (error == 0)
        error = insert_range(table, &joined);
    if (error == 0)
        table->unsent_rows_change += range->unsent_rows;
    return error;
}

static int reseal_range(sqlite3 *db, const struct purged_range *range, const uint8_t new_seal[CHAIN_HASH_BYTES])
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(db, "UPDATE purged SET seal = ?2 WHERE first_seq = ?1", -1, &statement, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_bind_int64(statement, 1, range->first_seq);
    if (code == SQLITE_OK)
        code = sqlite3_bind_blob(statement, 2, new_seal, CHAIN_HASH_BYTES, SQLITE_STATIC);
    if (code == SQLITE_OK)
        code = sqlite3_step(statement);
    (void)sqlite3_finalize(statement); /* repeats the code of step */
    return database_error(code);
}

int purged_reseal(sqlite3 *db, const uint8_t from_site_key[32], const uint8_t to_site_key[32])
{
    uint8_t from[CHAIN_HASH_BYTES], to[CHAIN_HASH_BYTES], new_seal[CHAIN_HASH_BYTES];
    struct purged_range range;
    sqlite3_stmt *ranges = NULL;
    purged_key(from_site_key, from);
    purged_key(to_site_key, to);
    int found = purged_walk(db, &ranges), error = found;
    while (error == 0 && (found = purged_next(ranges, &range)) != 0) {
        if (found < 0 && found != -EILSEQ)
            break;
        if (found != 1 || !purged_seal_good(from, &range))
            continue;
        seal(to, &range, new_seal);
        error = reseal_range(db, &range, new_seal); /* of a row that the walk has passed: its key stays */
    }
    (void)sqlite3_finalize(ranges); /* accepts NULL; repeats the code of step */
    sodium_memzero(from, sizeof(from));
    sodium_memzero(to, sizeof(to));
    return error < 0 ? error : found < 0 && found != -EILSEQ ? found : 0;
}
