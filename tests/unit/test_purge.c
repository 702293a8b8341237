/* What the purge takes and what it leaves, by age and for want of room; and that the chain says so. */
#include <errno.h>

#include "worker_fixture.h"

#include "daemon/journal/person.h"

enum { DAY_S = 86400, KEPT_FOR_ROOM = 256 };

static struct journal_batch *batch;

static int setup(void **state)
{
    batch = calloc(1, sizeof(*batch));
    assert_non_null(batch);
    const int result = fixture_setup(state);
    struct fixture *f = *state;
    f->settings.keep_days = 30;
    run_sql(f, "PRAGMA synchronous = OFF"); /* thousands of rows, and no power cut */
    return result;
}

static int teardown(void **state)
{
    free(batch);
    batch = NULL;
    return fixture_teardown(state);
}

static void add_rows(struct fixture *f, int count)
{
    for (int i = 0; i < count; i++)
        record(f, EVENT_START, "");
}

static void mark(struct fixture *f, int64_t first, int64_t last)
{
    while (first <= last) {
        batch->count = 0;
        while (first <= last && batch->count < JOURNAL_BATCH_MAX)
            batch->seqs[batch->count++] = first++;
        fresh(f, JOURNAL_MARK)->batch = batch;
        assert_int_equal(ask(f), 0);
    }
}

/* One request; how many rows it took. */
static int64_t purge_once(struct fixture *f)
{
    const int64_t before = number_in(f, "SELECT count(*) FROM event");
    (void)fresh(f, JOURNAL_PURGE);
    const int error = ask(f);
    if (error != 0)
        fail_msg("purge: %s", strerror(-error));
    return before - number_in(f, "SELECT count(*) FROM event");
}

static int64_t purge_all(struct fixture *f)
{
    int64_t rows = 0;
    for (int i = 0; i < 2000; i++) {
        rows += purge_once(f);
        if (!f->answer.more)
            return rows;
    }
    fail_msg("the purge has no end");
    return 0;
}

static struct chain_report verify(struct fixture *f)
{
    struct chain_report report;
    assert_int_equal(chain_verify(f->worker.store.db, f->settings.site_key, &report), 0);
    return report;
}

static struct chain_report holds(struct fixture *f)
{
    const struct chain_report report = verify(f);
    if (report.broken_seq != 0)
        fail_msg("broken at %lld: %s", (long long)report.broken_seq, report.why);
    assert_int_equal(report.rows, number_in(f, "SELECT count(*) FROM event"));
    assert_int_equal(report.rows + report.purged_rows, f->worker.store.last_seq);
    assert_int_equal(report.purged_ranges, number_in(f, "SELECT count(*) FROM purged"));
    assert_int_equal(f->worker.store.unsent_rows, number_in(f, "SELECT count(*) FROM event WHERE sent = 0"));
    return report;
}

/* ---- by age ------------------------------------------------------------------------------------------------------ */

static void old_rows_go_once_they_are_acknowledged(void **state)
{
    struct fixture *f = *state;
    add_rows(f, 10);
    pass_time(f, 31 * DAY_S);
    add_rows(f, 5);
    assert_int_equal(purge_all(f), 0); /* no broker has them */
    mark(f, 1, 3);
    mark(f, 6, 10);
    assert_int_equal(purge_all(f), 8);
    assert_int_equal(number_in(f, "SELECT group_concat(seq) = '4,5,11,12,13,14,15' FROM event"), 1);
    struct chain_report report = holds(f);
    assert_int_equal(report.purged_rows, 8);
    assert_int_equal(report.purged_ranges, 2);
    assert_int_equal(report.purged_unsent_rows, 0);
    assert_int_equal(f->answer.room.first_seq, 4);

    mark(f, 4, 5); /* the two ranges become one */
    mark(f, 11, 15);
    assert_int_equal(purge_all(f), 2);
    report = holds(f);
    assert_int_equal(report.purged_ranges, 1);
    assert_int_equal(report.purged_rows, 10);
    const struct journal_head gone = { .seq = 6 }; /* its row went by age: nothing to compare it with */
    assert_int_equal(chain_verify_heads(f->worker.store.db, f->settings.site_key, &gone, 1, &report), 0);
    assert_int_equal(report.broken_seq, 0);
    assert_int_equal(report.heads_purged, 1);
    restart(f);
    (void)holds(f);
    add_rows(f, 1);
    assert_int_equal(f->answer.event.seq, 16);
    assert_int_equal(holds(f).rows, 6);
    mark(f, 1, 2); /* an acknowledgement that comes late is none the worse */
    assert_int_equal(f->answer.unsent_rows, 1);
}

static void the_age_is_counted_to_the_microsecond_and_0_keeps_all(void **state)
{
    struct fixture *f = *state;
    add_rows(f, 2);
    mark(f, 1, 2);
    pass_time(f, 30 * DAY_S);
    add_rows(f, 1);
    assert_int_equal(purge_all(f), 0); /* exactly 30 days */
    f->at_us++;
    f->settings.keep_days = 0;
    assert_int_equal(purge_all(f), 0);
    f->settings.keep_days = 30;
    assert_int_equal(purge_all(f), 2);
}

static void the_newest_row_and_open_passages_stay(void **state)
{
    struct fixture *f = *state;
    char granted[JOURNAL_ID_BYTES];
    worker_close(&f->worker);
    f->settings.has_sensor = true;
    start(f);
    declare_green(f, ANH);
    (void)show(f, ANH_CARD);
    memcpy(granted, f->answer.event.event_id, sizeof(granted));
    add_rows(f, 4);
    mark(f, 1, 5);
    pass_time(f, 31 * DAY_S);
    assert_int_equal(purge_all(f), 3); /* 2 to 4 */
    assert_int_equal(number_in(f, "SELECT group_concat(seq) = '1,5' FROM event"), 1);
    record(f, EVENT_COMPLETED, granted);
    assert_int_equal(f->answer.event.seq, 6);
    assert_true(f->answer.event.person[0] != '\0'); /* known by the row that stayed */
    assert_int_equal(purge_all(f), 2);
    assert_int_equal(holds(f).purged_ranges, 1);
}

static void a_row_without_a_clock_is_as_old_as_the_next_that_has_one(void **state)
{
    struct fixture *f = *state;
    const int64_t now_us = f->at_us;
    add_rows(f, 1);
    f->clock_trusted = false;
    f->at_us = 1000000; /* 1970 */
    add_rows(f, 2);
    f->clock_trusted = true;
    f->at_us = now_us + 1000000;
    add_rows(f, 1); /* 4 */
    f->clock_trusted = false;
    f->at_us = 2000000;
    add_rows(f, 2); /* 5, 6: nobody knows */
    mark(f, 1, 6);
    f->at_us = now_us + 40 * DAY_S * INT64_C(1000000);
    assert_int_equal(purge_all(f), 0); /* now isn't known either */
    f->clock_trusted = true;
    assert_int_equal(purge_all(f), 4);
    add_rows(f, 1); /* 7: young, and 5 and 6 may be too */
    mark(f, 7, 7);
    assert_int_equal(purge_all(f), 0);
    pass_time(f, 31 * DAY_S);
    add_rows(f, 1);
    assert_int_equal(purge_all(f), 3);
    assert_int_equal(holds(f).rows, 1);
}

static void a_row_from_the_future_does_not_keep_the_old_ones(void **state)
{
    struct fixture *f = *state;
    add_rows(f, 4);
    run_sql(f, "UPDATE event SET at_us = at_us + 4000 * 86400000000 WHERE seq = 2"); /* what a clock once said */
    pass_time(f, 31 * DAY_S);
    add_rows(f, 2);
    mark(f, 1, 6);
    assert_int_equal(purge_all(f), 4);
}

static void a_request_takes_a_bounded_number_of_rows(void **state)
{
    struct fixture *f = *state;
    int requests = 0;
    add_rows(f, 2500);
    mark(f, 1, 2500);
    pass_time(f, 31 * DAY_S);
    add_rows(f, 1);
    int64_t rows = 0;
    do {
        const int64_t taken = purge_once(f);
        assert_true(taken <= PURGE_ROWS_MAX);
        (void)holds(f); /* at any time */
        rows += taken;
        requests++;
    } while (f->answer.more && requests < 100);
    assert_int_equal(rows, 2500);
    assert_in_range(requests, 2500 / PURGE_ROWS_MAX, 2500 / PURGE_ROWS_MAX + 8);
    assert_int_equal(holds(f).purged_ranges, 1);
}

/* ---- for room ---------------------------------------------------------------------------------------------------- */

/* The log is cut first, so that the size is that of the rows. */
static void cut_log(struct fixture *f)
{
    run_sql(f, "PRAGMA wal_checkpoint(TRUNCATE)");
}

static struct journal_room room_of(struct fixture *f)
{
    (void)fresh(f, JOURNAL_PING);
    assert_int_equal(ask(f), 0);
    return f->answer.room;
}

static void bound_size(struct fixture *f, int64_t percent_used)
{
    cut_log(f);
    f->settings.size_max_bytes = 0;
    f->settings.size_max_bytes = room_of(f).used_bytes * 100 / percent_used;
}

static void purge_cutting_log(struct fixture *f)
{
    for (int i = 0; i < 1000; i++) {
        cut_log(f);
        (void)purge_once(f);
        if (!f->answer.more)
            return;
    }
    fail_msg("the purge has no end");
}

static void for_room_acknowledged_rows_go_first_and_only_as_many_as_needed(void **state)
{
    struct fixture *f = *state;
    f->settings.keep_days = 0;
    add_rows(f, 3000);
    mark(f, 501, 1500); /* not the oldest */
    bound_size(f, 84);
    assert_int_equal(purge_all(f), 0);
    assert_int_equal(room_of(f).percent, 84);
    bound_size(f, 99);
    purge_cutting_log(f);
    const int64_t sent = number_in(f, "SELECT count(*) FROM event WHERE sent = 1");
    assert_in_range(sent, 1, 999); /* enough is enough */
    assert_int_equal(number_in(f, "SELECT count(*) FROM event WHERE sent = 0"), 2000);
    assert_int_equal(number_in(f, "SELECT min(seq) FROM event WHERE sent = 1"), 1501 - sent); /* the oldest of them */
    cut_log(f);
    assert_in_range(room_of(f).percent, 80, 85);
    assert_int_equal(room_of(f).purged_unsent_rows, 0);
    assert_int_equal(holds(f).purged_rows, 1000 - sent);
}

static void unsent_rows_go_when_nothing_else_is_left_and_are_counted(void **state)
{
    struct fixture *f = *state;
    f->settings.keep_days = 0;
    add_rows(f, 3000);
    mark(f, 2900, 2950); /* among the newest: these stay */
    mark(f, 101, 200);
    bound_size(f, 98);
    purge_cutting_log(f);
    assert_int_equal(number_in(f, "SELECT count(*) FROM event WHERE seq BETWEEN 101 AND 200"), 0);
    assert_int_equal(number_in(f, "SELECT count(*) FROM event"), 2900); /* below the bound: the rest is the alarm's */
    assert_true(room_of(f).percent >= 90);
    f->settings.size_max_bytes = f->settings.size_max_bytes * 3 / 4;
    assert_int_equal(room_of(f).percent, 100);
    purge_cutting_log(f);
    const struct journal_room room = room_of(f);
    const int64_t kept = number_in(f, "SELECT count(*) FROM event");
    assert_in_range(kept, KEPT_FOR_ROOM, 2600);
    assert_int_equal(room.purged_unsent_rows, 2900 - kept);
    assert_int_equal(room.first_seq, 3000 - kept + 1); /* the oldest went */
    assert_true(room.used_bytes <= room.most_bytes);
    assert_int_equal(holds(f).purged_unsent_rows, room.purged_unsent_rows);
    restart(f);
    assert_int_equal(room_of(f).purged_unsent_rows, room.purged_unsent_rows);
    f->settings.size_max_bytes = 1; /* impossible: what must stay stays */
    assert_true(purge_all(f) > 0);
    assert_int_equal(number_in(f, "SELECT count(*) FROM event"), KEPT_FOR_ROOM);
}

/* The walk has passed rows that nobody had; then the broker comes back for some of them. */
static void a_row_acknowledged_later_goes_before_older_unsent_ones(void **state)
{
    struct fixture *f = *state;
    f->settings.keep_days = 0;
    add_rows(f, 2000);
    bound_size(f, 95);
    purge_cutting_log(f);
    assert_int_equal(number_in(f, "SELECT count(*) FROM event"), 2000);
    mark(f, 1001, 1030);
    f->settings.size_max_bytes = f->settings.size_max_bytes * 9 / 10;
    cut_log(f);
    assert_int_equal(purge_once(f), 30);
    assert_int_equal(number_in(f, "SELECT count(*) FROM event WHERE seq BETWEEN 1001 AND 1030"), 0);
    assert_int_equal(room_of(f).purged_unsent_rows, 0);
}

static void the_file_does_not_grow_while_the_purge_keeps_pace(void **state)
{
    struct fixture *f = *state;
    int64_t pages = 0;
    f->settings.keep_days = 0;
    add_rows(f, 2000);
    mark(f, 1, 2000);
    bound_size(f, 86);
    for (int64_t seq = 2001; seq < 5000; seq += 100) {
        add_rows(f, 100);
        mark(f, seq, seq + 99);
        purge_cutting_log(f);
        if (seq == 2001)
            pages = number_in(f, "PRAGMA page_count");
    }
    assert_in_range(number_in(f, "PRAGMA page_count"), pages / 2, pages + pages / 20);
    assert_int_equal(holds(f).purged_ranges, 1);
}

/* A long log that another program keeps from being cut is no reason to drop a single row. */
static void a_reader_that_holds_the_log_costs_no_row(void **state)
{
    struct fixture *f = *state;
    sqlite3 *reader = NULL;
    f->settings.keep_days = 0;
    f->settings.size_max_bytes = 6 << 20;
    add_rows(f, 10);
    assert_int_equal(sqlite3_open(f->settings.path, &reader), SQLITE_OK);
    assert_int_equal(sqlite3_exec(reader, "BEGIN; SELECT count(*) FROM event", NULL, NULL, NULL), SQLITE_OK);
    add_rows(f, 800);
    mark(f, 1, 810);
    assert_true(room_of(f).used_bytes > f->settings.size_max_bytes);
    assert_int_equal(purge_all(f), 0);
    (void)sqlite3_close(reader);
}

/* ---- the chain over the gaps ------------------------------------------------------------------------------------- */

/* Rows 1 to 10 are gone, 11 to 15 there. */
static void make_gap(struct fixture *f)
{
    add_rows(f, 10);
    mark(f, 1, 10);
    pass_time(f, 31 * DAY_S);
    add_rows(f, 5);
    assert_int_equal(purge_all(f), 10);
    assert_int_equal(holds(f).purged_rows, 10);
}

static void what_is_no_purge_of_ours_is_broken(void **state)
{
    static const struct {
        const char *sql;
        int64_t seq;
    } cases[] = {
        { "DELETE FROM event WHERE seq = 11", 11 },
        { "DELETE FROM event WHERE seq = 13", 13 },
        { "DELETE FROM purged", 1 },
        /* more of the head, and a range that says so, with the right hash */
        { "UPDATE purged SET last_seq = 12, hash = (SELECT hash FROM event WHERE seq = 12); "
          "DELETE FROM event WHERE seq < 13", 1 },
        { "INSERT INTO purged SELECT 11, 12, 0, p.hash, e.hash, p.seal FROM purged p, event e WHERE e.seq = 12; "
          "DELETE FROM event WHERE seq < 13", 11 },
        { "UPDATE purged SET last_seq = 9", 1 },
        { "UPDATE purged SET last_seq = 11", 1 },
        { "UPDATE purged SET first_seq = 2", 1 },
        { "UPDATE purged SET unsent_rows = 1", 1 },
        { "UPDATE purged SET unsent_rows = 11", 1 },
        { "UPDATE purged SET hash = zeroblob(32)", 1 },
        { "UPDATE purged SET prev_hash = hash", 1 },
        { "UPDATE purged SET seal = zeroblob(31)", 1 },
        { "INSERT INTO purged SELECT 13, 14, 0, hash, hash, seal FROM purged", 13 },
        { "INSERT INTO purged SELECT 5, 6, 0, hash, hash, seal FROM purged", 11 },
        { "INSERT INTO purged SELECT 16, 17, 0, hash, hash, seal FROM purged", 16 },
        { "DELETE FROM event", 11 },
    };
    struct fixture *f = *state;
    make_gap(f);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        run_sql(f, "BEGIN");
        run_sql(f, cases[i].sql);
        const struct chain_report report = verify(f);
        if (report.broken_seq != cases[i].seq)
            fail_msg("%s: broken at %lld: %s", cases[i].sql, (long long)report.broken_seq, report.why);
        run_sql(f, "ROLLBACK");
    }
    (void)holds(f);
}

/* Seals apart, a range must fit where it stands. */
static void without_the_site_key_the_chain_is_followed_all_the_same(void **state)
{
    static const struct {
        const char *sql;
        int64_t seq;
    } cases[] = {
        { "UPDATE purged SET seal = zeroblob(32)", 0 },
        { "UPDATE purged SET prev_hash = hash", 1 },
        { "UPDATE purged SET hash = zeroblob(32)", 11 },
        { "UPDATE purged SET last_seq = 9", 10 },
        { "INSERT INTO purged SELECT 5, 6, 0, hash, hash, seal FROM purged", 11 },
        { "DELETE FROM event WHERE seq = 12", 12 },
    };
    struct fixture *f = *state;
    struct chain_report report;
    make_gap(f);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        run_sql(f, "BEGIN");
        run_sql(f, cases[i].sql);
        assert_int_equal(chain_verify(f->worker.store.db, NULL, &report), 0);
        if (report.broken_seq != cases[i].seq)
            fail_msg("%s: broken at %lld: %s", cases[i].sql, (long long)report.broken_seq, report.why);
        run_sql(f, "ROLLBACK");
    }
}

static void another_site_key_is_no_seal(void **state)
{
    struct fixture *f = *state;
    struct chain_report report;
    uint8_t other[32] = { 1 };
    make_gap(f);
    assert_int_equal(chain_verify(f->worker.store.db, other, &report), 0);
    assert_int_equal(report.broken_seq, 1);
    assert_non_null(strstr(report.why, "site key"));
}

/* A range without a good seal stands beside the lane's own; joining them would make it good. */
static void a_false_range_is_not_made_good_by_the_next_purge(void **state)
{
    struct fixture *f = *state;
    make_gap(f);
    run_sql(f, "INSERT INTO purged SELECT 11, 11, 0, p.hash, e.hash, p.seal FROM purged p, event e WHERE e.seq = 11; "
               "DELETE FROM event WHERE seq = 11");
    assert_int_equal(verify(f).broken_seq, 11);
    restart(f);
    mark(f, 12, 15);
    pass_time(f, 31 * DAY_S);
    add_rows(f, 1);
    assert_int_equal(purge_all(f), 4);
    assert_int_equal(verify(f).broken_seq, 11);
    assert_int_equal(number_in(f, "SELECT group_concat(first_seq) = '1,11,12' FROM purged"), 1);
}

static void an_erased_person_and_a_purge_agree(void **state)
{
    struct fixture *f = *state;
    char person[JOURNAL_ID_BYTES];
    struct person_rows rows;
    declare_green(f, ANH);
    (void)show(f, ANH_CARD);
    add_rows(f, 2);
    pass_time(f, 31 * DAY_S);
    declare_green(f, ANH);
    (void)show(f, ANH_CARD);
    person_of(f, ANH, person);
    assert_int_equal(person_erase(f->worker.store.db, person, &rows), 0);
    assert_int_equal(rows.events, 2);
    mark(f, 1, 4);
    assert_int_equal(purge_all(f), 3);
    assert_int_equal(holds(f).erased, 1);
}

/* ---- what isn't rows --------------------------------------------------------------------------------------------- */

static int give_command(struct fixture *f, const char *transaction)
{
    struct journal_request *request = fresh(f, JOURNAL_COMMAND);
    request->event.kind = EVENT_COMMAND;
    request->event.reason = REASON_NONE;
    (void)strcpy(request->event.verb, "mode");
    (void)strcpy(request->event.operator_name, "office");
    (void)snprintf(request->transaction, sizeof(request->transaction), "%s", transaction);
    return ask(f);
}

static void a_transaction_outlives_its_row_by_eight_days_at_least(void **state)
{
    struct fixture *f = *state;
    f->settings.keep_days = 1;
    assert_int_equal(give_command(f, "tx"), 0);
    mark(f, 1, 1);
    pass_time(f, 2 * DAY_S);
    add_rows(f, 1);
    assert_int_equal(purge_all(f), 1);
    assert_int_equal(give_command(f, "tx"), -EALREADY); /* its row is gone, it isn't */
    pass_time(f, 6 * DAY_S);
    (void)purge_all(f);
    assert_int_equal(give_command(f, "tx"), -EALREADY);
    pass_time(f, 1);
    (void)purge_all(f);
    assert_int_equal(number_in(f, "SELECT count(*) FROM seen"), 0);
    /* and as long as its row is there, it stays with it */
    f->settings.keep_days = 30;
    assert_int_equal(give_command(f, "tx"), 0);
    pass_time(f, 20 * DAY_S);
    add_rows(f, 1);
    (void)purge_all(f);
    assert_int_equal(give_command(f, "tx"), -EALREADY);
}

static void without_a_clock_the_eight_days_begin_when_there_is_one(void **state)
{
    struct fixture *f = *state;
    const int64_t now_us = f->at_us;
    f->settings.keep_days = 1;
    f->clock_trusted = false;
    f->at_us = 1000000;
    assert_int_equal(give_command(f, "tx"), 0);
    mark(f, 1, 1);
    f->clock_trusted = true;
    f->at_us = now_us;
    add_rows(f, 1);
    mark(f, 2, 2);
    pass_time(f, 2 * DAY_S);
    add_rows(f, 1);
    assert_int_equal(purge_all(f), 2);
    assert_int_equal(give_command(f, "tx"), -EALREADY);
    pass_time(f, 8 * DAY_S + 1);
    (void)purge_all(f);
    assert_int_equal(number_in(f, "SELECT count(*) FROM seen"), 0);
}

static void presence_of_those_inside_and_young_steps_stay(void **state)
{
    struct fixture *f = *state;
    char sql[512];
    const int64_t now_s = f->at_us / 1000000;
    /* 1200 people and as many phones, on several pages; every third is inside, every second was here only just now */
    (void)snprintf(sql, sizeof(sql),
                   "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 1199) INSERT INTO presence "
                   "SELECT printf('%%032x', i), iif(i %% 3 = 0, 1, iif(i %% 3 = 1, 0, NULL)), t, 'lane1', 'e', t, 'in', NULL, "
                   "0, 0 "
                   "FROM (SELECT i, (%lld - iif(i %% 2, 0, 40 * 86400)) * 1000000 AS t FROM n)", (long long)now_s);
    run_sql(f, sql);
    (void)snprintf(sql, sizeof(sql),
                   "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 1199) INSERT INTO rotating (token_id, last_step) "
                   "SELECT CAST(printf('%%016d', i) AS BLOB), %lld - iif(i %% 2, 0, 9 * 2880) FROM n",
                   (long long)now_s / 30);
    run_sql(f, sql);
    int64_t inside = number_in(f, "SELECT count(*) FROM presence WHERE inside = 1");
    (void)purge_all(f);
    assert_int_equal(number_in(f, "SELECT count(*) FROM presence"), 600 + 200);
    assert_int_equal(number_in(f, "SELECT count(*) FROM presence WHERE inside = 1"), inside);
    assert_int_equal(number_in(f, "SELECT count(*) FROM rotating"), 600);
    /* once a day */
    run_sql(f, "UPDATE rotating SET last_step = 1");
    (void)purge_all(f);
    assert_int_equal(number_in(f, "SELECT count(*) FROM rotating"), 600);
    pass_time(f, DAY_S);
    f->clock_trusted = false;
    (void)purge_all(f);
    assert_int_equal(number_in(f, "SELECT count(*) FROM rotating"), 600);
    f->clock_trusted = true;
    f->settings.keep_days = 0; /* presence for ever, steps not */
    run_sql(f, "UPDATE presence SET at_us = 1, own_at_us = 1");
    (void)purge_all(f);
    assert_int_equal(number_in(f, "SELECT count(*) FROM rotating"), 0);
    assert_int_equal(number_in(f, "SELECT count(*) FROM presence"), 800);
}

static void nothing_to_do_writes_nothing(void **state)
{
    struct fixture *f = *state;
    add_rows(f, 100);
    mark(f, 1, 100);
    (void)purge_all(f);
    const int changes = sqlite3_total_changes(f->worker.store.db);
    cut_log(f);
    assert_int_equal(purge_all(f), 0);
    assert_int_equal(sqlite3_total_changes(f->worker.store.db), changes);
    struct stat status;
    char path[300];
    (void)snprintf(path, sizeof(path), "%s-wal", f->settings.path);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_size, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(old_rows_go_once_they_are_acknowledged, setup, teardown),
        cmocka_unit_test_setup_teardown(the_age_is_counted_to_the_microsecond_and_0_keeps_all, setup, teardown),
        cmocka_unit_test_setup_teardown(the_newest_row_and_open_passages_stay, setup, teardown),
        cmocka_unit_test_setup_teardown(a_row_without_a_clock_is_as_old_as_the_next_that_has_one, setup, teardown),
        cmocka_unit_test_setup_teardown(a_row_from_the_future_does_not_keep_the_old_ones, setup, teardown),
        cmocka_unit_test_setup_teardown(a_request_takes_a_bounded_number_of_rows, setup, teardown),
        cmocka_unit_test_setup_teardown(for_room_acknowledged_rows_go_first_and_only_as_many_as_needed, setup, teardown),
        cmocka_unit_test_setup_teardown(unsent_rows_go_when_nothing_else_is_left_and_are_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(a_row_acknowledged_later_goes_before_older_unsent_ones, setup, teardown),
        cmocka_unit_test_setup_teardown(the_file_does_not_grow_while_the_purge_keeps_pace, setup, teardown),
        cmocka_unit_test_setup_teardown(a_reader_that_holds_the_log_costs_no_row, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_no_purge_of_ours_is_broken, setup, teardown),
        cmocka_unit_test_setup_teardown(without_the_site_key_the_chain_is_followed_all_the_same, setup, teardown),
        cmocka_unit_test_setup_teardown(another_site_key_is_no_seal, setup, teardown),
        cmocka_unit_test_setup_teardown(a_false_range_is_not_made_good_by_the_next_purge, setup, teardown),
        cmocka_unit_test_setup_teardown(an_erased_person_and_a_purge_agree, setup, teardown),
        cmocka_unit_test_setup_teardown(a_transaction_outlives_its_row_by_eight_days_at_least, setup, teardown),
        cmocka_unit_test_setup_teardown(without_a_clock_the_eight_days_begin_when_there_is_one, setup, teardown),
        cmocka_unit_test_setup_teardown(presence_of_those_inside_and_young_steps_stay, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_to_do_writes_nothing, setup, teardown),
    };
    return cmocka_run_group_tests_name("purge", tests, NULL, NULL);
}
