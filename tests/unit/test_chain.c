/* The hash chain: what enters a row's hash, what the walk finds, and that an erased person leaves it whole. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <sodium.h>
#include <sqlite3.h>

#include "daemon/journal/person.h"
#include "daemon/journal/register.h"
#include "daemon/journal/store.h"

enum { ROWS = 5 };
#define ALIAS "cdef0123456789abcdef0123456789ab"
static const char PERSON[] = "00112233445566778899aabbccddeeff";

struct fixture {
    char folder[64], path[96];
    struct store store;
};

static void make_event(int i, struct event *ret)
{
    *ret = (struct event){ .kind = EVENT_GRANTED,
                           .at_us = 1790000000000000 + i,
                           .monotonic_us = 1000 + i,
                           .clock_trusted = true,
                           .reason = REASON_STATUS_GREEN,
                           .status = STATUS_GREEN,
                           .credential = CREDENTIAL_CCCD,
                           .direction = DIRECTION_IN,
                           .scope = PRESENCE_SCOPE_OWN };
    (void)snprintf(ret->event_id, sizeof(ret->event_id), "%032x", i);
    (void)snprintf(ret->person, sizeof(ret->person), "%s", i % 2 ? PERSON : "");
    (void)snprintf(ret->alarm, sizeof(ret->alarm), "alarm");
    (void)snprintf(ret->detail, sizeof(ret->detail), "detail %d", i);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    char why[256];
    struct event event;
    uint8_t salt[CHAIN_SALT_BYTES];
    assert_non_null(f);
    (void)strcpy(f->folder, "/tmp/qrgate-chain-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    (void)snprintf(f->path, sizeof(f->path), "%s/j.db", f->folder);
    assert_true(sodium_init() >= 0);
    if (store_open(&f->store, f->path, why, sizeof(why)) != 0)
        fail_msg("%s", why);
    for (int i = 1; i <= ROWS; i++) {
        make_event(i, &event);
        memset(salt, i, sizeof(salt));
        assert_int_equal(store_begin(&f->store), 0);
        assert_int_equal(store_insert(&f->store, &event, salt), 0);
        assert_int_equal(event.seq, i);
        assert_int_equal(store_commit(&f->store), 0);
    }
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

static void run_sql(struct fixture *f, const char *sql)
{
    if (sqlite3_exec(f->store.db, sql, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(f->store.db));
}

static int64_t broken_at(struct fixture *f)
{
    struct chain_report report;
    assert_int_equal(chain_verify(f->store.db, NULL, &report), 0);
    if (report.broken_seq > 0)
        assert_true(report.why[0] != '\0');
    else
        assert_int_equal(report.rows, ROWS);
    return report.broken_seq;
}

static void whole_chain_holds(void **state)
{
    struct chain_report report;
    struct fixture *f = *state;
    assert_int_equal(broken_at(f), 0);
    assert_int_equal(chain_verify(f->store.db, NULL, &report), 0);
    assert_int_equal(report.erased, 0);
}

static void empty_chain_holds(void **state)
{
    struct fixture *f = *state;
    struct chain_report report;
    run_sql(f, "DELETE FROM event");
    assert_int_equal(chain_verify(f->store.db, NULL, &report), 0);
    assert_int_equal(report.broken_seq, 0);
    assert_int_equal(report.rows, 0);
}

static void each_field_enters_the_hash(void **state)
{
    uint8_t commitment[CHAIN_HASH_BYTES] = { 1 }, previous[CHAIN_HASH_BYTES] = { 2 }, plain[CHAIN_HASH_BYTES],
            other[CHAIN_HASH_BYTES];
    struct event base, changed;
    (void)state;
    make_event(1, &base);
    base.seq = 7;
    chain_hash(&base, CHAIN_FORM, commitment, previous, plain);
#define CHANGES(statement) \
    do { \
        changed = base; \
        statement; \
        chain_hash(&changed, CHAIN_FORM, commitment, previous, other); \
        assert_memory_not_equal(plain, other, sizeof(plain)); \
    } while (0)
    CHANGES(changed.seq++);
    CHANGES(changed.event_id[31] = 'f');
    CHANGES(changed.kind = EVENT_DENIED);
    CHANGES(changed.at_us--);
    CHANGES(changed.monotonic_us = -1);
    CHANGES(changed.clock_trusted = false);
    CHANGES(changed.reason = REASON_BUTTON);
    CHANGES(changed.status = STATUS_RED);
    CHANGES(changed.credential = CREDENTIAL_SITE_TOKEN);
    CHANGES(changed.bound_event_id[0] = '1');
    CHANGES(changed.alarm[0] = 'A');
    CHANGES(changed.detail[0] = 'D');
    CHANGES(changed.direction = DIRECTION_OUT);
    CHANGES(changed.scope = PRESENCE_SCOPE_SHARED);
    CHANGES(changed.verb[0] = 'v');
    CHANGES(changed.operator_name[0] = 'o');
    /* what leaves one field and enters the next isn't the same row */
    CHANGES((strcpy(changed.alarm, "alar"), snprintf(changed.detail, sizeof(changed.detail), "mdetail 1")));
#undef CHANGES
    commitment[31] ^= 1;
    chain_hash(&base, CHAIN_FORM, commitment, previous, other);
    assert_memory_not_equal(plain, other, sizeof(plain));
    commitment[31] ^= 1;
    previous[31] ^= 1;
    chain_hash(&base, CHAIN_FORM, commitment, previous, other);
    assert_memory_not_equal(plain, other, sizeof(plain));
    /* a row of one form is none of the other; the first form knew no direction */
    previous[31] ^= 1;
    chain_hash(&base, CHAIN_FORM_FIRST, commitment, previous, other);
    assert_memory_not_equal(plain, other, sizeof(plain));
    changed = base;
    changed.direction = DIRECTION_OUT;
    changed.scope = PRESENCE_SCOPE_OWN;
    chain_hash(&changed, CHAIN_FORM_FIRST, commitment, previous, plain);
    assert_memory_equal(plain, other, sizeof(plain));
    chain_hash(&base, 2, commitment, previous, other); /* the second knew no operator */
    assert_memory_not_equal(plain, other, sizeof(plain));
    (void)strcpy(changed.verb, "open");
    changed.direction = base.direction, changed.scope = base.scope;
    chain_hash(&changed, 2, commitment, previous, plain);
    assert_memory_equal(plain, other, sizeof(plain));
    chain_hash(&base, CHAIN_FORM, commitment, previous, plain);
    previous[31] ^= 1;
    /* the person itself isn't in it: only the commitment is */
    previous[31] ^= 1;
    changed = base;
    changed.person[0] = '\0';
    chain_hash(&changed, CHAIN_FORM, commitment, previous, other);
    assert_memory_equal(plain, other, sizeof(plain));
}

static void changed_byte_is_found(void **state)
{
    static const struct {
        const char *sql;
        int64_t seq;
    } cases[] = {
        { "UPDATE event SET detail = 'detail 9' WHERE seq = 3", 3 },
        { "UPDATE event SET kind = 'denied' WHERE seq = 1", 1 },
        { "UPDATE event SET kind = 'nonsense' WHERE seq = 2", 2 },
        { "UPDATE event SET at_us = at_us + 1 WHERE seq = 5", 5 },
        { "UPDATE event SET clock_trusted = 0 WHERE seq = 4", 4 },
        { "UPDATE event SET reason = 'button' WHERE seq = 4", 4 },
        { "UPDATE event SET direction = 'out' WHERE seq = 2", 2 },
        { "UPDATE event SET scope = 'shared' WHERE seq = 2", 2 },
        { "UPDATE event SET direction = 'up' WHERE seq = 2", 2 },
        { "UPDATE event SET form = 1 WHERE seq = 2", 2 },
        { "UPDATE event SET form = 2 WHERE seq = 2", 2 },
        { "UPDATE event SET verb = 'open' WHERE seq = 2", 2 },
        { "UPDATE event SET operator_name = 'x' WHERE seq = 2", 2 },
        { "UPDATE event SET form = 4 WHERE seq = 2", 2 },
        { "UPDATE event SET form = 4294967298 WHERE seq = 2", 2 },
        { "UPDATE event SET person = 'ffffffffffffffffffffffffffffffff' WHERE seq = 3", 3 },
        { "UPDATE event SET person = 'ffffffffffffffffffffffffffffffff' WHERE seq = 2", 2 },
        { "UPDATE event SET salt = zeroblob(16) WHERE seq = 3", 3 },
        { "UPDATE event SET person = NULL WHERE seq = 3", 3 }, /* erasing takes the salt too */
        { "UPDATE event SET person_commitment = zeroblob(32) WHERE seq = 3", 3 },
        { "UPDATE event SET prev_hash = zeroblob(32) WHERE seq = 2", 2 },
        { "UPDATE event SET hash = zeroblob(32) WHERE seq = 5", 5 },
        { "UPDATE event SET hash = zeroblob(31) WHERE seq = 2", 2 },
        { "DELETE FROM event WHERE seq = 3", 3 },
        { "DELETE FROM event WHERE seq = 1", 1 },
        { "UPDATE event SET seq = 9 WHERE seq = 5", 5 },
        { "UPDATE event SET event_id = 'x' WHERE seq = 5", 5 },
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        run_sql(f, "BEGIN");
        run_sql(f, cases[i].sql);
        if (broken_at(f) != cases[i].seq)
            fail_msg("%s: broken at %lld", cases[i].sql, (long long)broken_at(f));
        run_sql(f, "ROLLBACK");
    }
    assert_int_equal(broken_at(f), 0);
    run_sql(f, "UPDATE event SET sent = 1"); /* the outbox's flag isn't history */
    assert_int_equal(broken_at(f), 0);
}

static int keep_third(const struct stored_event *row, void *userdata)
{
    *(struct stored_event *)userdata = *row;
    return row->event.seq == 3;
}

static void forged_row_is_found(void **state)
{
    /* Someone who can compute hashes and rewrites one row consistently is betrayed by the next row. */
    struct fixture *f = *state;
    struct stored_event row;
    sqlite3_stmt *update = NULL;
    assert_int_equal(store_walk(f->store.db, 0, keep_third, &row), 1);
    row.event.kind = EVENT_DENIED;
    chain_hash(&row.event, row.form, row.person_commitment, row.previous_hash, row.hash);
    assert_int_equal(
        sqlite3_prepare_v2(f->store.db, "UPDATE event SET kind = 'denied', hash = ?1 WHERE seq = 3", -1, &update, NULL),
        SQLITE_OK);
    assert_int_equal(sqlite3_bind_blob(update, 1, row.hash, sizeof(row.hash), SQLITE_STATIC), SQLITE_OK);
    assert_int_equal(sqlite3_step(update), SQLITE_DONE);
    (void)sqlite3_finalize(update);
    assert_int_equal(broken_at(f), 4);
}

/* PERSON with two more numbers, one of which was shown before it was known whose it is, and inside. */
static void know_person(struct fixture *f)
{
    run_sql(f, "INSERT INTO declaration (person, status, declared_at_s, source) VALUES "
               "('00112233445566778899aabbccddeeff', 'green', 1, 'x'), "
               "('ffeeddccbbaa99887766554433221100', 'red', 1, 'x')");
    run_sql(f, "INSERT INTO identity VALUES ('" ALIAS "', '00112233445566778899aabbccddeeff'), "
               "('ab' || substr('" ALIAS "', 3), '00112233445566778899aabbccddeeff'), "
               "('other', 'ffeeddccbbaa99887766554433221100')");
    run_sql(f, "INSERT INTO presence VALUES "
               "('00112233445566778899aabbccddeeff', 1, 5, 'lane1', 'e', 5, 'in', NULL, 0, 0), "
               "('ffeeddccbbaa99887766554433221100', 1, 5, 'lane1', 'e', 5, 'in', NULL, 0, 0)");
}

static void add_event_of_alias(struct fixture *f)
{
    struct event event;
    uint8_t salt[CHAIN_SALT_BYTES] = { 9 };
    make_event(ROWS + 1, &event);
    (void)strcpy(event.person, ALIAS);
    assert_int_equal(store_begin(&f->store), 0);
    assert_int_equal(store_insert(&f->store, &event, salt), 0);
    assert_int_equal(store_commit(&f->store), 0);
}

static int64_t number_in(struct fixture *f, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    assert_int_equal(sqlite3_prepare_v2(f->store.db, sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    const int64_t number = sqlite3_column_int64(statement, 0);
    (void)sqlite3_finalize(statement);
    return number;
}

/* ---- heads ------------------------------------------------------------------------------------------------------- */

static struct chain_report with_heads(struct fixture *f, const struct journal_head *heads, size_t count)
{
    struct chain_report report;
    assert_int_equal(chain_verify_heads(f->store.db, NULL, heads, count, &report), 0);
    return report;
}

static void read_head(struct fixture *f, int64_t seq, struct journal_head *ret)
{
    char sql[80];
    sqlite3_stmt *statement = NULL;
    (void)snprintf(sql, sizeof(sql), "SELECT seq, hash FROM event WHERE seq = %lld", (long long)seq);
    assert_int_equal(sqlite3_prepare_v2(f->store.db, sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(chain_read_head(statement, ret), 1);
    (void)sqlite3_finalize(statement);
}

static void a_tail_that_was_cut_off_shows(void **state)
{
    struct fixture *f = *state;
    struct journal_head heads[2];
    char cut[80];
    read_head(f, ROWS / 2, &heads[0]);
    read_head(f, ROWS, &heads[1]);
    assert_int_equal(with_heads(f, heads, 2).heads_held, 2);
    (void)snprintf(cut, sizeof(cut), "DELETE FROM event WHERE seq > %d", ROWS - 2);
    run_sql(f, cut);
    struct chain_report report;
    assert_int_equal(chain_verify(f->store.db, NULL, &report), 0);
    assert_int_equal(report.broken_seq, 0); /* unseen from within */
    assert_int_equal(with_heads(f, heads, 1).broken_seq, 0);
    report = with_heads(f, heads, 2);
    assert_int_equal(report.broken_seq, ROWS - 1);
    assert_non_null(strstr(report.why, "cut off"));
    run_sql(f, "DELETE FROM event");
    assert_int_equal(with_heads(f, heads, 2).broken_seq, 1);
}

static void a_journal_written_anew_shows(void **state)
{
    struct fixture *f = *state;
    struct journal_head heads[3];
    read_head(f, 2, &heads[0]);
    heads[1] = heads[0]; /* the same day's message twice */
    read_head(f, 3, &heads[2]);
    heads[2].hash[31] ^= 1;
    struct chain_report report = with_heads(f, heads, 3);
    assert_int_equal(report.heads_held, 2);
    assert_int_equal(report.broken_seq, 3);
    assert_non_null(strstr(report.why, "written anew"));
    heads[0].seq = 4; /* not in order */
    assert_int_equal(chain_verify_heads(f->store.db, NULL, heads, 2, &report), -EINVAL);
}

static void erase_and_check(struct fixture *f, const char *hash)
{
    struct chain_report before, after;
    struct person_rows rows;
    struct event event;
    know_person(f);
    add_event_of_alias(f);
    assert_int_equal(chain_verify(f->store.db, NULL, &before), 0);
    assert_int_equal(person_erase(f->store.db, "", &rows), -EINVAL);
    assert_int_equal(person_erase(f->store.db, hash, &rows), 0);
    assert_int_equal(rows.events, 4);
    assert_int_equal(chain_verify(f->store.db, NULL, &after), 0);
    assert_int_equal(after.broken_seq, 0);
    assert_int_equal(after.rows, ROWS + 1);
    assert_int_equal(after.erased, 4);
    assert_memory_equal(before.last_hash, after.last_hash, CHAIN_HASH_BYTES);
    static const char *const tables[] = { "declaration", "identity", "presence" };
    for (int i = 0; i < 3; i++) { /* the other person stays, in each */
        char sql[64];
        (void)snprintf(sql, sizeof(sql), "SELECT count(*) FROM %s", tables[i]);
        assert_int_equal(number_in(f, sql), 1);
        (void)snprintf(sql, sizeof(sql), "SELECT person LIKE 'ffee%%' FROM %s", tables[i]);
        assert_int_equal(number_in(f, sql), 1);
    }
    assert_int_equal(store_find(&f->store, "00000000000000000000000000000003", &event), 1);
    assert_string_equal(event.person, "");
    run_sql(f, "UPDATE event SET detail = '' WHERE seq = 3"); /* erased rows are still guarded */
    assert_int_equal(broken_at(f), 3);
}

static void erased_person_leaves_the_chain_whole(void **state)
{
    erase_and_check(*state, PERSON);
}

static void any_number_erases_the_person(void **state)
{
    erase_and_check(*state, ALIAS);
}

static void erased_person_is_nowhere_in_the_files(void **state)
{
    struct fixture *f = *state;
    static const char *const ends[] = { "", "-wal" };
    char name[160], *bytes;
    struct person_rows rows;
    know_person(f);
    add_event_of_alias(f);
    assert_int_equal(person_erase(f->store.db, PERSON, &rows), 0);
    for (int i = 0; i < 2; i++) {
        (void)snprintf(name, sizeof(name), "%s%s", f->path, ends[i]);
        FILE *file = fopen(name, "re");
        assert_non_null(file);
        bytes = malloc(1 << 20);
        assert_non_null(bytes);
        const size_t length = fread(bytes, 1, 1 << 20, file);
        assert_null(memmem(bytes, length, PERSON, strlen(PERSON)));
        assert_null(memmem(bytes, length, &ALIAS[2], strlen(ALIAS) - 2)); /* of both numbers */
        free(bytes);
        (void)fclose(file);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(whole_chain_holds, setup, teardown),
        cmocka_unit_test_setup_teardown(empty_chain_holds, setup, teardown),
        cmocka_unit_test(each_field_enters_the_hash),
        cmocka_unit_test_setup_teardown(changed_byte_is_found, setup, teardown),
        cmocka_unit_test_setup_teardown(forged_row_is_found, setup, teardown),
        cmocka_unit_test_setup_teardown(a_tail_that_was_cut_off_shows, setup, teardown),
        cmocka_unit_test_setup_teardown(a_journal_written_anew_shows, setup, teardown),
        cmocka_unit_test_setup_teardown(erased_person_leaves_the_chain_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(any_number_erases_the_person, setup, teardown),
        cmocka_unit_test_setup_teardown(erased_person_is_nowhere_in_the_files, setup, teardown),
    };
    return cmocka_run_group_tests_name("chain", tests, NULL, NULL);
}
