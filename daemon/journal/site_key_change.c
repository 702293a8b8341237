/* The change of the site key in the database. Called by worker.c at its start and by qrgatectl. */
#include "daemon/journal/site_key_change.h"

#include <errno.h>
#include <sodium.h>
#include <sqlite3.h>
#include <string.h>

#include "daemon/journal/database.h"
#include "daemon/journal/purged.h"

static const char LATEST_SQL[] = "SELECT key_id FROM site_key ORDER BY since_us DESC, key_id LIMIT 1";
/* The latest is the one that came last, also by a clock that has gone back to 1970. */
static const char ADD_SQL[] = "INSERT OR REPLACE INTO site_key (key_id, since_us) "
                              "SELECT ?1, max(?2, coalesce(max(since_us) + 1, ?2)) FROM site_key";
static const char LIST_SQL[] = "INSERT OR IGNORE INTO old_hash (hash) SELECT person FROM declaration UNION "
                               "SELECT identity FROM identity UNION SELECT person FROM presence";
/* In this order: old_hash is needed until the end. A number bound to who was never seen again leads nowhere. */
static const char *const FINISH_SQL[] = {
    "DELETE FROM identity WHERE identity IN (SELECT hash FROM old_hash) OR person IN (SELECT hash FROM old_hash)",
    "DELETE FROM declaration WHERE person IN (SELECT hash FROM old_hash)",
    "DELETE FROM presence WHERE person IN (SELECT hash FROM old_hash)",
};

void site_key_id(const uint8_t site_key[32], char ret_id[SITE_KEY_ID_BYTES])
{
    static const char purpose[] = "qrgate site key id 1";
    crypto_hash_sha256_state state;
    uint8_t hash[crypto_hash_sha256_BYTES];
    (void)crypto_hash_sha256_init(&state); /* these can't fail */
    (void)crypto_hash_sha256_update(&state, (const uint8_t *)purpose, sizeof(purpose) - 1);
    (void)crypto_hash_sha256_update(&state, site_key, 32);
    (void)crypto_hash_sha256_final(&state, hash);
    (void)sodium_bin2hex(ret_id, SITE_KEY_ID_BYTES, hash, (SITE_KEY_ID_BYTES - 1) / 2);
}

/* "" = none yet. */
static int read_latest(sqlite3 *db, char ret_id[SITE_KEY_ID_BYTES])
{
    sqlite3_stmt *statement = NULL;
    ret_id[0] = '\0';
    int code = sqlite3_prepare_v2(db, LATEST_SQL, -1, &statement, NULL), error = database_error(code);
    if (code == SQLITE_OK && (code = sqlite3_step(statement)) == SQLITE_ROW)
        error = column_text(statement, 0, ret_id, SITE_KEY_ID_BYTES);
    else if (error == 0)
        error = database_error(code);
    (void)sqlite3_finalize(statement); /* repeats the code of step */
    return error;
}

static int add(sqlite3 *db, const char *id, int64_t now_us)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(db, ADD_SQL, -1, &statement, NULL);
    if (code == SQLITE_OK)
        code = bind_text(statement, 1, id);
    if (code == SQLITE_OK)
        code = sqlite3_bind_int64(statement, 2, now_us);
    if (code == SQLITE_OK)
        code = sqlite3_step(statement);
    (void)sqlite3_finalize(statement); /* repeats the code of step */
    return database_error(code);
}

static int change(sqlite3 *db, const uint8_t current[32], const uint8_t *old, const char *latest, int64_t now_us)
{
    char id[SITE_KEY_ID_BYTES], old_id[SITE_KEY_ID_BYTES] = "";
    int error = 0;
    site_key_id(current, id);
    if (old)
        site_key_id(old, old_id);
    if (old && strcmp(latest, old_id) == 0) {
        error = database_run(db, LIST_SQL);
        if (error == 0)
            error = purged_reseal(db, old, current);
    }
    return error < 0 ? error : add(db, id, now_us);
}

int site_key_adopt(sqlite3 *db, const uint8_t current[32], const uint8_t *old, int64_t now_us)
{
    char id[SITE_KEY_ID_BYTES], latest[SITE_KEY_ID_BYTES];
    int64_t rows;
    int error = read_latest(db, latest);
    site_key_id(current, id);
    if (error == 0 && strcmp(latest, id) != 0) {
        error = database_run(db, "BEGIN IMMEDIATE");
        if (error == 0)
            error = change(db, current, old, latest, now_us);
        if (error == 0)
            error = database_run(db, "COMMIT");
        if (!sqlite3_get_autocommit(db))
            (void)database_run(db, "ROLLBACK"); /* the first error is the one to tell */
    }
    if (error == 0 && !old && database_number(db, "SELECT EXISTS (SELECT 1 FROM old_hash)", &error) == 1)
        error = site_key_finish(db, &rows);
    return error;
}

int site_key_finish(sqlite3 *db, int64_t *ret_rows)
{
    int error = database_run(db, "BEGIN IMMEDIATE");
    const int64_t before = sqlite3_total_changes64(db);
    *ret_rows = 0;
    for (size_t i = 0; i < sizeof(FINISH_SQL) / sizeof(FINISH_SQL[0]) && error == 0; i++)
        error = database_run(db, FINISH_SQL[i]);
    const int64_t rows = sqlite3_total_changes64(db) - before;
    if (error == 0)
        error = database_run(db, "DELETE FROM old_hash; COMMIT");
    if (!sqlite3_get_autocommit(db))
        (void)database_run(db, "ROLLBACK"); /* the first error is the one to tell */
    if (error < 0)
        return error;
    *ret_rows = rows;
    (void)database_wipe_log(db, true); /* who must be sure asks again */
    return 0;
}
