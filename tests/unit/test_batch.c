/* Many rows at once to the broker and back, and operators' commands, each of which is carried out once. */
#include <errno.h>

#include "worker_fixture.h"

static struct journal_batch *batch; /* 60 KiB: not on a stack */

static int setup(void **state)
{
    batch = calloc(1, sizeof(*batch));
    assert_non_null(batch);
    return fixture_setup(state);
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

static int read_rows(struct fixture *f, int64_t after_seq, int room, bool sent_too)
{
    struct journal_request *request = fresh(f, JOURNAL_READ);
    request->after_seq = after_seq;
    request->batch = batch;
    batch->count = room;
    batch->sent_too = sent_too;
    assert_int_equal(ask(f), 0);
    return batch->count;
}

static int mark(struct fixture *f, int64_t first, int64_t last)
{
    batch->count = 0;
    for (int64_t seq = first; seq <= last; seq++)
        batch->seqs[batch->count++] = seq;
    fresh(f, JOURNAL_MARK)->batch = batch;
    return ask(f);
}

static void rows_come_in_order_as_many_as_there_is_room_for(void **state)
{
    struct fixture *f = *state;
    add_rows(f, 150);
    assert_int_equal(f->answer.last_seq, 150);
    assert_int_equal(read_rows(f, 0, JOURNAL_BATCH_MAX, false), JOURNAL_BATCH_MAX);
    for (int i = 0; i < JOURNAL_BATCH_MAX; i++)
        assert_int_equal(batch->events[i].seq, i + 1);
    assert_int_equal(batch->events[3].kind, EVENT_START);
    assert_int_equal(read_rows(f, 100, JOURNAL_BATCH_MAX, false), 50);
    assert_int_equal(batch->events[0].seq, 101);
    assert_int_equal(f->answer.last_seq, 150);
    assert_int_equal(read_rows(f, 0, 3, false), 3);
    assert_int_equal(read_rows(f, 150, 3, false), 0);
    batch->until_seq = 42;
    assert_int_equal(read_rows(f, 40, JOURNAL_BATCH_MAX, false), 2);
    assert_int_equal(read_rows(f, 40, JOURNAL_BATCH_MAX, true), 2);
    assert_int_equal(read_rows(f, 0, 1000000, false), 42); /* never beyond the batch */
    batch->until_seq = 0;
    assert_int_equal(read_rows(f, 0, 1000000, false), JOURNAL_BATCH_MAX);
    assert_int_equal(read_rows(f, 0, -1, false), 0);
}

static void acknowledged_rows_come_only_when_they_are_wanted(void **state)
{
    struct fixture *f = *state;
    add_rows(f, 10);
    assert_int_equal(mark(f, 1, 4), 0);
    assert_int_equal(f->answer.unsent_rows, 6);
    assert_int_equal(mark(f, 6, 6), 0);
    assert_int_equal(read_rows(f, 0, 100, false), 5);
    assert_int_equal(batch->events[0].seq, 5);
    assert_int_equal(batch->events[1].seq, 7);
    assert_int_equal(read_rows(f, 0, 100, true), 10);
    assert_int_equal(read_rows(f, 8, 100, true), 2);
}

static void a_batch_is_marked_whole_or_not_at_all(void **state)
{
    struct fixture *f = *state;
    add_rows(f, 5);
    assert_int_equal(mark(f, 4, 6), -ENOENT); /* 6 never was */
    assert_int_equal(f->answer.unsent_rows, 5);
    assert_int_equal(number_in(f, "SELECT count(*) FROM event WHERE sent = 1"), 0);
    assert_int_equal(mark(f, 0, 2), -ENOENT);
    assert_int_equal(mark(f, 1, 5), 0);
    assert_int_equal(mark(f, 1, 5), 0); /* twice is once */
    assert_int_equal(f->answer.unsent_rows, 0);
    batch->count = JOURNAL_BATCH_MAX + 1;
    fresh(f, JOURNAL_MARK)->batch = batch;
    assert_int_equal(ask(f), -EINVAL);
    (void)fresh(f, JOURNAL_MARK); /* no batch */
    assert_int_equal(ask(f), -EINVAL);
    (void)fresh(f, JOURNAL_READ);
    assert_int_equal(ask(f), -EINVAL);
}

/* Pages of the log: each commit writes some, however many rows it was for. */
static int64_t log_bytes(struct fixture *f)
{
    struct stat status;
    char path[300];
    (void)snprintf(path, sizeof(path), "%s-wal", f->settings.path);
    assert_int_equal(stat(path, &status), 0);
    return status.st_size;
}

static int commits_of(void *count)
{
    ++*(int *)count;
    return 0;
}

static void a_batch_is_one_transaction(void **state)
{
    struct fixture *f = *state;
    int commits = 0;
    add_rows(f, 100);
    (void)sqlite3_commit_hook(f->worker.store.db, commits_of, &commits);
    assert_int_equal(mark(f, 1, 100), 0);
    assert_int_equal(commits, 1);
    assert_int_equal(f->answer.unsent_rows, 0);
    const int64_t before = log_bytes(f);
    assert_int_equal(mark(f, 1, 100), 0); /* nothing new: nothing is written */
    assert_int_equal(commits, 1);
    assert_int_equal(log_bytes(f), before);
}

/* With 100,000 acknowledged rows before the three that wait: by the index, not by a walk. Steps of SQLite's machine are
 * counted, so that no clock is needed. */
static void a_read_does_not_walk_over_what_was_sent(void **state)
{
    struct fixture *f = *state;
    add_rows(f, 3);
    run_sql(f, "WITH RECURSIVE n(i) AS (SELECT 4 UNION ALL SELECT i + 1 FROM n WHERE i < 100003) INSERT INTO event "
               "(seq, event_id, kind, at_us, monotonic_us, clock_trusted, reason, status, credential, person, salt, "
               "person_commitment, bound_event_id, alarm, detail, prev_hash, hash, sent, form) SELECT i, 'x' || i, "
               "'start', 1, 1, 1, 'none', 'none', 'unsupported', '', zeroblob(16), zeroblob(32), '', '', '', zeroblob(32), "
               "zeroblob(32), 1, 3 FROM n");
    restart(f);
    add_rows(f, 2);
    sqlite3_stmt *read = f->worker.store.statements[STORE_READ_UNSENT];
    (void)sqlite3_stmt_status(read, SQLITE_STMTSTATUS_VM_STEP, 1);
    assert_int_equal(read_rows(f, 0, JOURNAL_BATCH_MAX, false), 5);
    assert_int_equal(batch->events[3].seq, 100004);
    assert_true(sqlite3_stmt_status(read, SQLITE_STMTSTATUS_VM_STEP, 1) < 1000);
    assert_int_equal(read_rows(f, 50000, JOURNAL_BATCH_MAX, true), JOURNAL_BATCH_MAX);
    read = f->worker.store.statements[STORE_READ_ALL];
    assert_true(sqlite3_stmt_status(read, SQLITE_STMTSTATUS_VM_STEP, 0) < 10000);
    assert_int_equal(sqlite3_stmt_status(read, SQLITE_STMTSTATUS_SORT, 0), 0);
    assert_int_equal(sqlite3_stmt_status(read, SQLITE_STMTSTATUS_FULLSCAN_STEP, 0), 0);
    batch->seqs[0] = 2, batch->seqs[1] = 100005, batch->count = 2;
    fresh(f, JOURNAL_MARK)->batch = batch;
    assert_int_equal(ask(f), 0);
    assert_int_equal(f->answer.unsent_rows, 3);
}

static void a_damaged_row_does_not_hide_those_before_it(void **state)
{
    struct fixture *f = *state;
    add_rows(f, 4);
    run_sql(f, "UPDATE event SET kind = 'nonsense' WHERE seq = 3");
    assert_int_equal(read_rows(f, 0, 100, false), 2);
    struct journal_request *request = fresh(f, JOURNAL_READ);
    request->after_seq = 2;
    request->batch = batch;
    batch->count = 100;
    assert_int_equal(ask(f), -EILSEQ);
    assert_int_equal(batch->count, 0);
}

/* ---- commands ---------------------------------------------------------------------------------------------------- */

static struct journal_request *command(struct fixture *f, enum event_kind kind, const char *transaction)
{
    struct journal_request *request = fresh(f, JOURNAL_COMMAND);
    request->event.kind = kind;
    request->event.reason = kind == EVENT_OVERRIDE ? REASON_OPERATOR : REASON_NONE;
    (void)strcpy(request->event.verb, kind == EVENT_OVERRIDE ? "open" : "mode");
    (void)strcpy(request->event.operator_name, "control.room");
    (void)strcpy(request->event.detail, "a driver rings");
    (void)snprintf(request->transaction, sizeof(request->transaction), "%s", transaction);
    return request;
}

static void a_command_is_recorded_with_who_and_why(void **state)
{
    struct fixture *f = *state;
    (void)command(f, EVENT_COMMAND, "tx-1");
    assert_int_equal(ask(f), 0);
    assert_int_equal(f->answer.event.seq, 1);
    assert_int_equal(f->answer.last_seq, 1);
    assert_int_equal(read_rows(f, 0, 100, false), 1);
    assert_int_equal(batch->events[0].kind, EVENT_COMMAND);
    assert_string_equal(batch->events[0].verb, "mode");
    assert_string_equal(batch->events[0].operator_name, "control.room");
    assert_string_equal(batch->events[0].detail, "a driver rings");
    assert_int_equal(number_in(f, "SELECT at_us FROM seen WHERE transaction_id = 'tx-1' AND seq = 1"), f->at_us);
}

static void an_operators_open_is_an_override_like_the_buttons(void **state)
{
    struct fixture *f = *state;
    worker_close(&f->worker);
    f->settings.has_sensor = true;
    start(f);
    (void)command(f, EVENT_OVERRIDE, "tx-1");
    assert_int_equal(ask(f), 0);
    assert_int_equal(f->answer.event.direction, DIRECTION_IN);
    assert_int_equal(number_in(f, "SELECT ending FROM event WHERE seq = 1"), STORE_ENDING_AWAITED);
    (void)command(f, EVENT_OVERRIDE, "tx-2");
    assert_int_equal(ask(f), 0);
    restart(f); /* cut: each has its end */
    assert_int_equal(number_in(f, "SELECT count(*) FROM event WHERE kind = 'interrupted' AND bound_event_id IN "
                                  "(SELECT event_id FROM event WHERE kind = 'override')"), 2);
    assert_int_equal(f->worker.store.last_seq, 4); /* two rows in one transaction */
}

static void a_transaction_is_taken_once(void **state)
{
    struct fixture *f = *state;
    (void)command(f, EVENT_OVERRIDE, "tx-1");
    assert_int_equal(ask(f), 0);
    for (int round = 0; round < 2; round++) {
        (void)command(f, EVENT_OVERRIDE, "tx-1"); /* a new event, the old transaction */
        assert_int_equal(ask(f), -EALREADY);
        assert_int_equal(f->answer.event.seq, 0);
        assert_int_equal(number_in(f, "SELECT count(*) FROM event"), 1);
        assert_int_equal(f->answer.unsent_rows, 1);
        restart(f);
    }
    (void)command(f, EVENT_OVERRIDE, "tx-2");
    assert_int_equal(ask(f), 0);
    (void)strcpy(f->request.transaction, "tx-3"); /* another transaction under the same event_id: the caller's fault */
    assert_int_equal(ask(f), -EEXIST);
    assert_int_equal(number_in(f, "SELECT count(*) FROM seen"), 2);
}

static void neither_row_nor_transaction_is_kept_alone(void **state)
{
    struct fixture *f = *state;
    run_sql(f, "CREATE TRIGGER no_room BEFORE INSERT ON seen BEGIN SELECT RAISE(FAIL, 'no'); END");
    (void)command(f, EVENT_COMMAND, "tx-1");
    assert_true(ask(f) < 0);
    assert_int_equal(number_in(f, "SELECT count(*) FROM event"), 0);
    assert_int_equal(f->answer.last_seq, 0);
    run_sql(f, "DROP TRIGGER no_room; CREATE TRIGGER no_row BEFORE INSERT ON event BEGIN SELECT RAISE(FAIL, 'no'); END");
    (void)command(f, EVENT_COMMAND, "tx-1");
    assert_true(ask(f) < 0);
    assert_int_equal(number_in(f, "SELECT count(*) FROM seen"), 0);
    run_sql(f, "DROP TRIGGER no_row");
    (void)command(f, EVENT_COMMAND, "tx-1");
    assert_int_equal(ask(f), 0);
}

static void what_is_no_command_is_refused(void **state)
{
    struct fixture *f = *state;
    (void)command(f, EVENT_COMMAND, "");
    assert_int_equal(ask(f), -EINVAL);
    memset(command(f, EVENT_COMMAND, "")->transaction, 'x', JOURNAL_TRANSACTION_BYTES);
    assert_int_equal(ask(f), -EINVAL);
    (void)command(f, EVENT_START, "tx");
    assert_int_equal(ask(f), -EINVAL);
    command(f, EVENT_OVERRIDE, "tx")->event.reason = REASON_BUTTON;
    assert_int_equal(ask(f), -EINVAL);
    command(f, EVENT_COMMAND, "tx")->event.verb[0] = '\0';
    assert_int_equal(ask(f), -EINVAL);
    command(f, EVENT_COMMAND, "tx")->event.operator_name[0] = '\0';
    assert_int_equal(ask(f), -EINVAL);
    memset(command(f, EVENT_COMMAND, "tx")->event.operator_name, 'x', JOURNAL_OPERATOR_BYTES);
    assert_int_equal(ask(f), -EINVAL);
    command(f, EVENT_START, "")->op = JOURNAL_RECORD; /* nobody else's row has a verb */
    assert_int_equal(ask(f), -EINVAL);
    assert_int_equal(number_in(f, "SELECT count(*) FROM event"), 0);
    assert_int_equal(number_in(f, "SELECT count(*) FROM seen"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(rows_come_in_order_as_many_as_there_is_room_for, setup, teardown),
        cmocka_unit_test_setup_teardown(acknowledged_rows_come_only_when_they_are_wanted, setup, teardown),
        cmocka_unit_test_setup_teardown(a_batch_is_marked_whole_or_not_at_all, setup, teardown),
        cmocka_unit_test_setup_teardown(a_batch_is_one_transaction, setup, teardown),
        cmocka_unit_test_setup_teardown(a_read_does_not_walk_over_what_was_sent, setup, teardown),
        cmocka_unit_test_setup_teardown(a_damaged_row_does_not_hide_those_before_it, setup, teardown),
        cmocka_unit_test_setup_teardown(a_command_is_recorded_with_who_and_why, setup, teardown),
        cmocka_unit_test_setup_teardown(an_operators_open_is_an_override_like_the_buttons, setup, teardown),
        cmocka_unit_test_setup_teardown(a_transaction_is_taken_once, setup, teardown),
        cmocka_unit_test_setup_teardown(neither_row_nor_transaction_is_kept_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_no_command_is_refused, setup, teardown),
    };
    return cmocka_run_group_tests_name("batch", tests, NULL, NULL);
}
