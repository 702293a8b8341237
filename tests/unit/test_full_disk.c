/* The journal on a disk that is really full: a small tmpfs in a mount namespace of this test's own (skipped where
 * that isn't permitted; test_powercut.c then stands alone). What was answered is there, acknowledgements and the
 * purge go on, and when there is room again so does everything else. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "worker_fixture.h"

enum { DISK_MIB = 32, ROWS = 1500 };

static struct journal_batch *batch;
static bool permitted;

/* A namespace of our own; without root one of users too. The latter asks for a process of one thread, which a
 * sanitizer's isn't. */
static bool may_mount(const char *folder)
{
    if (unshare(CLONE_NEWNS) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
        return false;
    if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return false;
    return mount("tmpfs", folder, "tmpfs", 0, "size=1m") == 0 && umount2(folder, MNT_DETACH) == 0;
}

static int group_setup(void **state)
{
    char folder[] = "/tmp/qrgate-disk-XXXXXX";
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    permitted = may_mount(folder);
    (void)rmdir(folder);
    return 0;
}

static int setup(void **state)
{
    batch = calloc(1, sizeof(*batch));
    if (!batch || fixture_setup(state) != 0)
        return -1;
    struct fixture *f = *state;
    if (!permitted)
        return 0;
    char folder[96], options[32];
    (void)snprintf(folder, sizeof(folder), "%s/disk", f->folder);
    (void)snprintf(options, sizeof(options), "size=%dm", DISK_MIB);
    if (mkdir(folder, 0700) < 0 || mount("tmpfs", folder, "tmpfs", 0, options) < 0)
        return -1;
    worker_close(&f->worker);
    (void)snprintf(f->settings.path, sizeof(f->settings.path), "%s/journal.db", folder);
    start(f);
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    char folder[96];
    worker_close(&f->worker);
    (void)snprintf(folder, sizeof(folder), "%s/disk", f->folder);
    if (permitted && umount2(folder, MNT_DETACH) < 0)
        return -1;
    free(batch);
    batch = NULL;
    return fixture_teardown(state);
}

static const char *beside(const struct fixture *f, const char *name, char ret[160])
{
    (void)snprintf(ret, 160, "%s/disk/%s", f->folder, name);
    return ret;
}

static bool is_there(const struct fixture *f, const char *name)
{
    char path[160];
    return access(beside(f, name, path), F_OK) == 0;
}

/* To the last byte. */
static void fill_disk(struct fixture *f)
{
    static const char zeros[4096];
    char path[160];
    const int fd = open(beside(f, "filler", path), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    for (int i = 0; i < DISK_MIB * 256 + 1; i++)
        if (write(fd, zeros, sizeof(zeros)) < (ssize_t)sizeof(zeros))
            break;
    assert_int_equal(write(fd, zeros, 1), -1);
    assert_int_equal(errno, ENOSPC);
    (void)close(fd);
}

static void make_room(struct fixture *f)
{
    char path[160];
    assert_int_equal(unlink(beside(f, "filler", path)), 0);
}

static int try_record(struct fixture *f)
{
    fresh(f, JOURNAL_RECORD)->event.kind = EVENT_START;
    f->request.event.reason = REASON_NONE;
    return ask(f);
}

static int mark(struct fixture *f, int64_t first, int64_t last)
{
    batch->count = 0;
    for (int64_t seq = first; seq <= last; seq++)
        batch->seqs[batch->count++] = seq;
    fresh(f, JOURNAL_MARK)->batch = batch;
    return ask(f);
}

static void holds(struct fixture *f, int64_t rows)
{
    struct chain_report report;
    assert_int_equal(chain_verify(f->worker.store.db, f->settings.site_key, &report), 0);
    if (report.broken_seq != 0)
        fail_msg("broken at %lld: %s", (long long)report.broken_seq, report.why);
    assert_int_equal(report.rows + report.purged_rows, rows);
    assert_int_equal(number_in(f, "SELECT (SELECT group_concat(integrity_check) FROM pragma_integrity_check) = 'ok'"), 1);
}

/* Rows that were answered, then a full disk. */
static int64_t fill_up(struct fixture *f)
{
    int64_t rows = 0;
    int error;
    for (int i = 0; i < ROWS; i++, rows++)
        assert_int_equal(try_record(f), 0);
    fill_disk(f);
    for (int i = 0; (error = try_record(f)) == 0; i++, rows++) /* the log may have a little room left */
        assert_true(i < 10000);
    assert_int_equal(error, -ENOSPC);
    assert_int_equal(f->answer.event.seq, 0);
    assert_int_equal(f->answer.last_seq, rows);
    return rows;
}

static void what_was_answered_stays_and_what_failed_is_told(void **state)
{
    struct fixture *f = *state;
    if (!permitted)
        skip();
    assert_true(is_there(f, "journal.db.reserve"));
    const int64_t rows = fill_up(f);
    struct journal_request *request = fresh(f, JOURNAL_DECIDE); /* as the lane asks: refused, the policy says how */
    request->payload_bytes = (uint32_t)strlen(BINH_CARD);
    memcpy(request->payload, BINH_CARD, strlen(BINH_CARD));
    assert_int_equal(ask(f), -ENOSPC);
    assert_int_equal(f->answer.verdict.action, VERDICT_DENY);
    assert_int_equal(f->answer.verdict.reason, REASON_JOURNAL_FAILED);
    holds(f, rows);
    (void)fresh(f, JOURNAL_PING);
    assert_int_equal(ask(f), 0);
    assert_true(f->answer.room.percent >= 90);
    assert_int_equal(f->answer.room.disk_free_bytes, 0);

    make_room(f);
    assert_int_equal(try_record(f), 0);
    assert_int_equal(f->answer.event.seq, rows + 1);
    holds(f, rows + 1);
}

/* All rows are acknowledged one by one: the log comes round several times. Nothing else may use the reserve up. */
static void acknowledgements_go_on_from_the_reserve(void **state)
{
    struct fixture *f = *state;
    if (!permitted)
        skip();
    const int64_t rows = fill_up(f);
    for (int64_t seq = 1; seq <= rows; seq++) {
        const int error = mark(f, seq, seq);
        if (error != 0)
            fail_msg("row %lld: %s", (long long)seq, strerror(-error));
        if (seq % 10 == 0)
            assert_int_equal(try_record(f), -ENOSPC);
    }
    assert_int_equal(f->answer.unsent_rows, 0);
    assert_false(is_there(f, "journal.db.reserve"));
    holds(f, rows);

    make_room(f);
    (void)fresh(f, JOURNAL_PING);
    assert_int_equal(ask(f), 0);
    assert_true(is_there(f, "journal.db.reserve")); /* for the next time */
    assert_int_equal(try_record(f), 0);
    assert_int_equal(mark(f, rows + 1, rows + 1), 0);
    assert_int_equal(f->answer.unsent_rows, 0);
}

static void purge_all(struct fixture *f)
{
    int requests = 0;
    do {
        (void)fresh(f, JOURNAL_PURGE);
        assert_int_equal(ask(f), 0);
        assert_int_equal(f->answer.room.purged_unsent_rows, 0);
    } while (f->answer.more && ++requests < 200);
    assert_false(f->answer.more);
}

/* Nobody makes room, but the purge does: the lane records again, for days if need be, though the disk is as full as
 * before. */
static void the_purge_of_acknowledged_rows_lets_the_lane_go_on(void **state)
{
    struct fixture *f = *state;
    if (!permitted)
        skip();
    int64_t rows = fill_up(f);
    const int64_t first_rows = rows, unsent = rows - 1400;
    for (int64_t seq = 1; seq <= 1400; seq += 100)
        assert_int_equal(mark(f, seq, seq + 99), 0);
    assert_int_equal(try_record(f), -ENOSPC);
    for (int day = 0; day < 10; day++) {
        const int64_t before = rows;
        purge_all(f);
        for (int i = 0; i < 100 && try_record(f) == 0; i++)
            rows++;
        assert_true(f->answer.error == 0 || f->answer.error == -ENOSPC);
        for (int64_t seq = before + 1; seq <= rows; seq++)
            assert_int_equal(mark(f, seq, seq), 0);
    }
    assert_true(rows >= first_rows + 500);
    holds(f, rows);
    assert_int_equal(number_in(f, "SELECT count(*) FROM event WHERE sent = 0"), unsent); /* none of them was dropped */
}

static void a_start_on_a_full_disk_succeeds(void **state)
{
    struct fixture *f = *state;
    if (!permitted)
        skip();
    const int64_t rows = fill_up(f);
    worker_close(&f->worker);
    char path[160];
    const int fd = open(beside(f, "filler", path), O_WRONLY | O_APPEND | O_CLOEXEC); /* what closing the log has freed too */
    static const char zeros[4096];
    assert_true(fd >= 0);
    for (int i = 0; i < DISK_MIB * 256 && write(fd, zeros, sizeof(zeros)) == (ssize_t)sizeof(zeros); i++)
        continue;
    (void)close(fd);
    start(f);
    assert_int_equal(try_record(f), -ENOSPC);
    assert_int_equal(mark(f, 1, 100), 0);
    holds(f, rows);
    make_room(f);
    assert_int_equal(try_record(f), 0);
    assert_int_equal(f->answer.event.seq, rows + 1);
}

/* An orderly stop takes the log and its index away; making them anew needs space that only the reserve has. */
static void a_start_on_a_disk_that_was_filled_meanwhile_succeeds(void **state)
{
    struct fixture *f = *state;
    if (!permitted)
        skip();
    assert_int_equal(try_record(f), 0);
    worker_close(&f->worker);
    assert_false(is_there(f, "journal.db-wal"));
    fill_disk(f);
    start(f);
    assert_int_equal(f->worker.store.last_seq, 1);
    assert_int_equal(mark(f, 1, 1), 0);
    make_room(f);
    assert_int_equal(try_record(f), 0);
    holds(f, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_answered_stays_and_what_failed_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(acknowledgements_go_on_from_the_reserve, setup, teardown),
        cmocka_unit_test_setup_teardown(the_purge_of_acknowledged_rows_lets_the_lane_go_on, setup, teardown),
        cmocka_unit_test_setup_teardown(a_start_on_a_full_disk_succeeds, setup, teardown),
        cmocka_unit_test_setup_teardown(a_start_on_a_disk_that_was_filled_meanwhile_succeeds, setup, teardown),
    };
    return cmocka_run_group_tests_name("full_disk", tests, group_setup, NULL);
}
