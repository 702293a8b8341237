/* Databases of older versions: made here by the statements and with the rows that those versions wrote, hashes included,
 * and opened by this one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <errno.h>
#include <sodium.h>
#include <sqlite3.h>

#include "daemon/journal/database.h"
#include "daemon/journal/register.h"
#include "daemon/journal/store.h"

#define PERSON "00112233445566778899aabbccddeeff"
static const char LAST_HASH[] = "acae01d2ccbf6d3cfa2f32b74e9e39808f73175ec1c3cbe3d1fc2cccbdbd7385";

/* Written by qrgate 0.1.0. */
static const char VERSION_1[] =
    "PRAGMA journal_mode = WAL;"
    "CREATE TABLE event (seq INTEGER PRIMARY KEY, event_id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, at_us INTEGER NOT "
    "NULL, monotonic_us INTEGER NOT NULL, clock_trusted INTEGER NOT NULL CHECK (clock_trusted IN (0, 1)), reason TEXT "
    "NOT NULL, status TEXT NOT NULL, credential TEXT NOT NULL, person TEXT, salt BLOB, person_commitment BLOB NOT NULL, "
    "bound_event_id TEXT NOT NULL, alarm TEXT NOT NULL, detail TEXT NOT NULL, prev_hash BLOB NOT NULL, hash BLOB NOT "
    "NULL, sent INTEGER NOT NULL DEFAULT 0 CHECK (sent IN (0, 1))) STRICT;"
    "CREATE TABLE declaration (person TEXT PRIMARY KEY, status TEXT NOT NULL, declared_at_s INTEGER NOT NULL, source "
    "TEXT NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE INDEX event_unsent ON event(seq) WHERE sent = 0;"
    "CREATE INDEX event_person ON event(person) WHERE person <> '';"
    "INSERT INTO event VALUES (1, '00000000000000000000000000000001', 'start', 1790000000000000, 11, 1, 'none', 'none', "
    "'unsupported', '', X'01010101010101010101010101010101', "
    "X'cc8cd41cef907c4d216069122c4b89936211361f9050a717a1e37ad1862e952f', '', '', '0.1.0', zeroblob(32), "
    "X'9b80c2c97bb37e190f92b11e0be82cad4be58f2102a005d6856169e8f098aff6', 1);"
    "INSERT INTO event VALUES (2, '00000000000000000000000000000002', 'held', 1790000001000000, 12, 1, "
    "'no_declaration', 'none', 'cccd', '" PERSON "', X'02020202020202020202020202020202', "
    "X'db1d033e9b0fae226e185d898b6a5e9380c5f8907a54cde18c0235768c6e86b4', '', '', '', "
    "X'9b80c2c97bb37e190f92b11e0be82cad4be58f2102a005d6856169e8f098aff6', "
    "X'ab879321249563d46da5deecc7a8c3061e40bb3f15cb55d7c7d2baa33f31ca28', 0);"
    "INSERT INTO event VALUES (3, '00000000000000000000000000000003', 'override', 1790000002000000, 13, 0, 'button', "
    "'none', 'unsupported', '', X'03030303030303030303030303030303', "
    "X'6399f6d863b08f4652b342c2e1350b4c01e291332d9d84d84b575bf7272897d2', '00000000000000000000000000000002', '', '', "
    "X'ab879321249563d46da5deecc7a8c3061e40bb3f15cb55d7c7d2baa33f31ca28', "
    "X'acae01d2ccbf6d3cfa2f32b74e9e39808f73175ec1c3cbe3d1fc2cccbdbd7385', 0);"
    "INSERT INTO declaration VALUES ('" PERSON "', 'yellow', 1789999000, 'manual');"
    "PRAGMA application_id = 1364346708; PRAGMA user_version = 1;";

/* What led from one version to the next, and a row of the second form. */
static const char TO_VERSION_2[] =
    "ALTER TABLE event ADD COLUMN direction TEXT NOT NULL DEFAULT 'none';ALTER TABLE event ADD COLUMN scope TEXT NOT "
    "NULL DEFAULT 'none';ALTER TABLE event ADD COLUMN form INTEGER NOT NULL DEFAULT 1;ALTER TABLE declaration ADD "
    "COLUMN symptoms TEXT NOT NULL DEFAULT '';ALTER TABLE declaration ADD COLUMN contacts TEXT NOT NULL DEFAULT "
    "'';ALTER TABLE declaration ADD COLUMN travelled INTEGER NOT NULL DEFAULT 0 CHECK (travelled IN (0, 1));ALTER "
    "TABLE declaration ADD COLUMN symptoms_at_s INTEGER NOT NULL DEFAULT 0;ALTER TABLE declaration ADD COLUMN "
    "contact_at_s INTEGER NOT NULL DEFAULT 0;ALTER TABLE declaration ADD COLUMN travel_at_s INTEGER NOT NULL DEFAULT "
    "0;ALTER TABLE declaration ADD COLUMN declared_by TEXT NOT NULL DEFAULT 'self';ALTER TABLE declaration ADD "
    "COLUMN grp TEXT NOT NULL DEFAULT '';ALTER TABLE declaration ADD COLUMN has_numbers INTEGER NOT NULL DEFAULT 0 "
    "CHECK (has_numbers IN (0, 1));CREATE TABLE identity (identity TEXT PRIMARY KEY, person TEXT NOT NULL) STRICT, "
    "WITHOUT ROWID;CREATE TABLE revocation ( token_id BLOB PRIMARY KEY, revoked_at_s INTEGER NOT NULL, lifted "
    "INTEGER NOT NULL CHECK (lifted IN (0, 1)), source TEXT NOT NULL) STRICT, WITHOUT ROWID;CREATE TABLE rotating "
    "(token_id BLOB PRIMARY KEY, last_step INTEGER NOT NULL) STRICT, WITHOUT ROWID;CREATE TABLE presence ( person "
    "TEXT PRIMARY KEY, inside INTEGER CHECK (inside IN (0, 1)), at_us INTEGER NOT NULL, lane TEXT NOT NULL, event_id "
    "TEXT NOT NULL, own_at_us INTEGER NOT NULL, own_direction TEXT NOT NULL, was_inside INTEGER CHECK (was_inside IN "
    "(0, 1)), was_at_us INTEGER NOT NULL, was_own_at_us INTEGER NOT NULL) STRICT, WITHOUT ROWID;CREATE INDEX "
    "presence_inside ON presence(person) WHERE inside = 1; PRAGMA user_version = 2;";
static const char ROW_OF_FORM_2[] =
    "INSERT INTO event (seq, event_id, kind, at_us, monotonic_us, clock_trusted, reason, status, credential, person, "
    "salt, person_commitment, bound_event_id, alarm, detail, prev_hash, hash, sent, direction, scope, form) VALUES "
    "(4, '00000000000000000000000000000004', 'denied', 1790000003000000, 14, 1, 'status_red', 'red', 'cccd', "
    "'00112233445566778899aabbccddeeff', X'04040404040404040404040404040404', "
    "X'944c86da56e22104d2f94fb5e7f384d4207a7e4f259ee421277d9ce4cdca8a46', '', '', '', "
    "X'acae01d2ccbf6d3cfa2f32b74e9e39808f73175ec1c3cbe3d1fc2cccbdbd7385', "
    "X'8d68f574656d7eb9b52a6ed51cec2739d89364c57c36f04a2f548c361ae8365e', 0, 'in', 'own', 2);";
static const char TO_VERSION_3[] =
    "ALTER TABLE event ADD COLUMN ending INTEGER NOT NULL DEFAULT 0 CHECK (ending IN (0, 1, 2));CREATE INDEX "
    "event_open ON event(seq) WHERE ending = 1; PRAGMA user_version = 3;";

struct fixture {
    char folder[64], path[96];
    struct store store;
};

static void run_sql(const char *path, const char *sql)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s", sqlite3_errmsg(db));
    (void)sqlite3_close(db);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    (void)strcpy(f->folder, "/tmp/qrgate-migration-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    (void)snprintf(f->path, sizeof(f->path), "%s/j.db", f->folder);
    assert_true(sodium_init() >= 0);
    run_sql(f->path, VERSION_1);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    char name[160];
    static const char *const ends[] = { "", "-wal", "-shm" };
    store_close(&f->store);
    for (int i = 0; i < 3; i++) {
        (void)snprintf(name, sizeof(name), "%s%s", f->path, ends[i]);
        (void)unlink(name);
    }
    (void)rmdir(f->folder);
    free(f);
    return 0;
}

static void open_store(struct fixture *f)
{
    char why[512] = "";
    if (store_open(&f->store, f->path, why, sizeof(why)) != 0)
        fail_msg("%s", why);
}

static int64_t number_in(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    const int64_t number = sqlite3_column_int64(statement, 0);
    (void)sqlite3_finalize(statement);
    return number;
}

static void rows_and_chain_are_kept(void **state)
{
    struct fixture *f = *state;
    struct chain_report report;
    struct event event = { .kind = EVENT_OVERRIDE, .reason = REASON_BUTTON, .direction = DIRECTION_OUT };
    uint8_t salt[CHAIN_SALT_BYTES] = { 4 };
    char hex[2 * CHAIN_HASH_BYTES + 1];
    open_store(f);
    assert_int_equal(number_in(f->store.db, "PRAGMA user_version"), JOURNAL_SCHEMA_VERSION);
    assert_int_equal(number_in(f->store.db, "SELECT sum(events) FROM tally"), 3);
    assert_int_equal(number_in(f->store.db, "SELECT passages FROM tally WHERE kind = 'override' AND first_seq = 3"), 1);
    assert_int_equal(chain_verify(f->store.db, NULL, &report), 0);
    if (report.broken_seq != 0)
        fail_msg("%lld: %s", (long long)report.broken_seq, report.why);
    assert_int_equal(report.rows, 3);
    (void)sodium_bin2hex(hex, sizeof(hex), report.last_hash, sizeof(report.last_hash));
    assert_string_equal(hex, LAST_HASH);
    assert_int_equal(f->store.unsent_rows, 2);

    assert_int_equal(store_find(&f->store, "00000000000000000000000000000002", &event), 1);
    assert_string_equal(event.person, PERSON);
    assert_int_equal(event.direction, DIRECTION_NONE);
    assert_int_equal(event.scope, PRESENCE_SCOPE_NONE);

    /* rows of both forms in one chain */
    event.direction = DIRECTION_OUT;
    (void)strcpy(event.event_id, "4");
    assert_int_equal(store_begin(&f->store), 0);
    assert_int_equal(store_insert(&f->store, &event, salt), 0);
    assert_int_equal(store_commit(&f->store), 0);
    assert_int_equal(event.seq, 4);
    assert_int_equal(number_in(f->store.db, "SELECT form FROM event WHERE seq = 4"), CHAIN_FORM);
    assert_int_equal(number_in(f->store.db, "SELECT max(form) FROM event WHERE seq < 4"), CHAIN_FORM_FIRST);
    assert_int_equal(chain_verify(f->store.db, NULL, &report), 0);
    assert_int_equal(report.broken_seq, 0);
    assert_int_equal(report.rows, 4);
}

static void old_rows_stay_guarded(void **state)
{
    static const char *const changes[] = {
        "UPDATE event SET reason = 'button' WHERE seq = 2", "UPDATE event SET direction = 'in' WHERE seq = 2",
        "UPDATE event SET scope = 'own' WHERE seq = 2",     "UPDATE event SET form = 2 WHERE seq = 2",
        "UPDATE event SET form = 0 WHERE seq = 2",
    };
    struct fixture *f = *state;
    struct chain_report report;
    open_store(f);
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        assert_int_equal(database_run(f->store.db, "BEGIN"), 0);
        assert_int_equal(database_run(f->store.db, changes[i]), 0);
        assert_int_equal(chain_verify(f->store.db, NULL, &report), 0);
        if (report.broken_seq != 2)
            fail_msg("%s: broken at %lld", changes[i], (long long)report.broken_seq);
        assert_int_equal(database_run(f->store.db, "ROLLBACK"), 0);
    }
}

static void declarations_are_kept(void **state)
{
    struct fixture *f = *state;
    struct register_writer writer;
    struct declaration found;
    struct declared declared = { .person = PERSON, .declaration = { .status = STATUS_GREEN, .declared_at_s = 1789998999 } };
    bool taken = true;
    uint8_t key[32] = { 1 };
    open_store(f);
    assert_int_equal(register_writer_open(f->store.db, key, &writer), 0);
    assert_int_equal(register_find(&writer, PERSON, &found), 0);
    assert_true(found.found);
    assert_int_equal(found.status, STATUS_YELLOW);
    assert_int_equal(found.declared_at_s, 1789999000);
    assert_int_equal(found.answers.symptoms, 0);
    assert_int_equal(found.answers.contacts, 0);
    assert_false(found.answers.travelled);
    assert_int_equal(found.answers.by, DECLARED_BY_SELF);
    assert_string_equal(found.group, "");
    assert_int_equal(register_write(&writer, &declared, &taken), 0);
    assert_false(taken); /* older than the old row */
    register_writer_close(&writer);
}

/* As qrgate of that version left it, with rows of its own. */
static void make_version(struct fixture *f, int version)
{
    if (version >= 2) {
        run_sql(f->path, TO_VERSION_2);
        run_sql(f->path, ROW_OF_FORM_2);
    }
    if (version >= 3)
        run_sql(f->path, TO_VERSION_3);
}

static void check_chain(struct fixture *f, int64_t rows)
{
    struct chain_report report;
    assert_int_equal(chain_verify(f->store.db, NULL, &report), 0);
    if (report.broken_seq != 0)
        fail_msg("%lld: %s", (long long)report.broken_seq, report.why);
    assert_int_equal(report.rows, rows);
}

/* Rows of all forms in one chain; what an older form doesn't cover must be empty. */
static void continue_from_version(struct fixture *f, int version)
{
    const int64_t rows = version == 1 ? 3 : 4;
    struct event event = { .kind = EVENT_COMMAND, .reason = REASON_NONE, .verb = "mode", .operator_name = "office" };
    uint8_t salt[CHAIN_SALT_BYTES] = { 5 };
    struct chain_report report;
    char sql[128];
    make_version(f, version);
    open_store(f);
    assert_int_equal(number_in(f->store.db, "PRAGMA user_version"), JOURNAL_SCHEMA_VERSION);
    assert_int_equal(f->store.last_seq, rows);
    assert_int_equal(f->store.unsent_rows, rows - 1);
    check_chain(f, rows);
    (void)strcpy(event.event_id, "new");
    assert_int_equal(store_begin(&f->store), 0);
    assert_int_equal(store_insert(&f->store, &event, salt), 0);
    assert_int_equal(store_remember(&f->store, "tx", &event), 0);
    assert_int_equal(store_commit(&f->store), 0);
    check_chain(f, rows + 1);
    assert_int_equal(number_in(f->store.db, "SELECT count(*) FROM purged"), 0);
    static const char *const changes[] = { "verb = 'open'", "operator_name = 'x'", "form = 3", "kind = 'command'" };
    for (int64_t seq = 1; seq <= rows; seq++) {
        for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
            (void)snprintf(sql, sizeof(sql), "BEGIN; UPDATE event SET %s WHERE seq = %lld", changes[i], (long long)seq);
            assert_int_equal(sqlite3_exec(f->store.db, sql, NULL, NULL, NULL), SQLITE_OK);
            assert_int_equal(chain_verify(f->store.db, NULL, &report), 0);
            if (report.broken_seq != seq)
                fail_msg("%s: broken at %lld", sql, (long long)report.broken_seq);
            assert_int_equal(sqlite3_exec(f->store.db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
        }
    }
    store_close(&f->store);
}

static void version_1_goes_on(void **state)
{
    continue_from_version(*state, 1);
}

static void version_2_goes_on(void **state)
{
    continue_from_version(*state, 2);
}

static void version_3_goes_on(void **state)
{
    continue_from_version(*state, 3);
}

static void compare_with_new(struct fixture *f);

static void a_file_of_version_2_or_3_is_as_a_new_one(void **state)
{
    struct fixture *f = *state;
    for (int version = 2; version <= 3; version++) {
        (void)unlink(f->path);
        run_sql(f->path, VERSION_1);
        make_version(f, version);
        compare_with_new(f);
        store_close(&f->store);
    }
}

static void compare_with_new(struct fixture *f)
{
    struct store fresh = { 0 };
    char path[128], why[256];
    /* columns in their order, indexes and tables: the statements' spelling may differ */
    static const char shape[] = "SELECT group_concat(s.name || '.' || coalesce(c.name || c.type || c.pk || c.dflt_value, '')) "
                                "FROM (SELECT * FROM sqlite_schema ORDER BY name) s LEFT JOIN pragma_table_info(s.name) c";
    sqlite3_stmt *a = NULL, *b = NULL;
    open_store(f);
    (void)snprintf(path, sizeof(path), "%s/new.db", f->folder);
    assert_int_equal(store_open(&fresh, path, why, sizeof(why)), 0);
    assert_int_equal(sqlite3_prepare_v2(f->store.db, shape, -1, &a, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(fresh.db, shape, -1, &b, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(a), SQLITE_ROW);
    assert_int_equal(sqlite3_step(b), SQLITE_ROW);
    assert_string_equal((const char *)sqlite3_column_text(a, 0), (const char *)sqlite3_column_text(b, 0));
    (void)sqlite3_finalize(a);
    (void)sqlite3_finalize(b);
    store_close(&fresh);
    (void)unlink(path);
}

static void a_migrated_file_is_as_a_new_one(void **state)
{
    compare_with_new(*state);
}

static void a_migration_that_fails_changes_nothing(void **state)
{
    struct fixture *f = *state;
    char why[512] = "";
    sqlite3 *db = NULL;
    run_sql(f->path, "CREATE TABLE presence (x)"); /* in the way of the last statements */
    assert_true(store_open(&f->store, f->path, why, sizeof(why)) < 0);
    assert_non_null(strstr(why, f->path));
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    assert_int_equal(number_in(db, "PRAGMA user_version"), 1);
    assert_int_equal(number_in(db, "SELECT count(*) FROM pragma_table_info('event')"), 18);
    assert_int_equal(number_in(db, "SELECT count(*) FROM sqlite_schema WHERE name = 'identity'"), 0);
    (void)sqlite3_close(db);
    run_sql(f->path, "DROP TABLE presence");
    open_store(f);
    assert_int_equal(f->store.unsent_rows, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(rows_and_chain_are_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(old_rows_stay_guarded, setup, teardown),
        cmocka_unit_test_setup_teardown(declarations_are_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(version_1_goes_on, setup, teardown),
        cmocka_unit_test_setup_teardown(version_2_goes_on, setup, teardown),
        cmocka_unit_test_setup_teardown(version_3_goes_on, setup, teardown),
        cmocka_unit_test_setup_teardown(a_file_of_version_2_or_3_is_as_a_new_one, setup, teardown),
        cmocka_unit_test_setup_teardown(a_migrated_file_is_as_a_new_one, setup, teardown),
        cmocka_unit_test_setup_teardown(a_migration_that_fails_changes_nothing, setup, teardown),
    };
    return cmocka_run_group_tests_name("migration", tests, NULL, NULL);
}
