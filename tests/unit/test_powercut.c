/* The journal on a disk whose power is cut, and on one that is full. A lane works; then, for each place in the list
 * of what reached the disk, the disk is made as a power cut there may have left it (power_disk.h), the journal is
 * opened on it, and nothing that was answered may be missing. */
#include "power_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/stat.h>

#include "daemon/journal/chain.h"
#include "daemon/journal/register.h"

/* ---- what the lane does ------------------------------------------------------------------------------------------ */

enum { NOW_S = 1790000000, DEEDS_MAX = 64, ANSWER_WITHIN_MS = 10000, KEEP_DAYS = 30, MARKED_MAX = 5 };

/* Under a sanitizer one place in five will do: it looks for other faults, and takes six times as long. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { STRIDE = 5 };
#else
enum { STRIDE = 1 };
#endif

enum what { START, DECLARE, SHOW, OVERRIDE, END, ALARM, REVOKE, FOLLOW, COMMAND, MARK, PURGE, CHECKPOINT, REOPEN };
struct step {
    enum what what;
    int value; /* a person, an event_kind; REVOKE: a number; MARK: how many */
    int back;  /* so many steps before is what this one is bound to; 0 = nothing */
};

/* All that a lane does, some of it twice; passages are open across a checkpoint, a restart and at the end. */
static const struct step DAY[] = {
    { START, 0, 0 }, { DECLARE, 0, 0 }, { DECLARE, 1, 0 }, { SHOW, 0, 0 }, { END, EVENT_COMPLETED, 1 }, { SHOW, 1, 0 },
    { END, EVENT_NOT_USED, 1 }, { MARK, 1, 0 }, { MARK, 1, 0 }, { SHOW, 2, 0 }, { OVERRIDE, 0, 1 },
    { END, EVENT_COMPLETED, 1 }, { FOLLOW, 0, 0 }, { ALARM, EVENT_ALARM_BEGIN, 0 }, { ALARM, EVENT_ALARM_END, 0 },
    { SHOW, 1, 0 }, { OVERRIDE, 0, 0 }, { END, EVENT_COMPLETED, 2 }, { END, EVENT_COMPLETED, 2 }, { REVOKE, 7, 0 },
    { MARK, 1, 0 }, { SHOW, 0, 0 }, { CHECKPOINT, 0, 0 }, { END, EVENT_INTERRUPTED, 2 }, { DECLARE, 2, 0 },
    { SHOW, 2, 0 }, { REOPEN, 0, 0 }, { START, 0, 0 }, { MARK, 1, 0 }, { SHOW, 3, 0 }, { OVERRIDE, 0, 1 },
    { SHOW, 0, 0 }, { END, EVENT_COMPLETED, 1 }, { END, EVENT_NOT_USED, 3 }, { MARK, 1, 0 }, { CHECKPOINT, 1, 0 },
    { OVERRIDE, 0, 0 }, { MARK, 1, 0 }, { SHOW, 1, 0 }, { END, EVENT_COMPLETED, 3 }, { END, EVENT_COMPLETED, 2 },
    { ALARM, EVENT_ALARM_BEGIN, 0 }, { MARK, 1, 0 }, { SHOW, 2, 0 }, { OVERRIDE, 0, 0 },
};
static const struct step SHORT_DAY[] = {
    { START, 0, 0 }, { DECLARE, 0, 0 }, { SHOW, 0, 0 }, { END, EVENT_COMPLETED, 1 }, { MARK, 1, 0 }, { SHOW, 1, 0 },
    { OVERRIDE, 0, 1 }, { CHECKPOINT, 0, 0 }, { END, EVENT_NOT_USED, 2 }, { FOLLOW, 0, 0 }, { REVOKE, 7, 0 },
    { SHOW, 0, 0 }, { REOPEN, 0, 0 }, { START, 0, 0 }, { MARK, 1, 0 }, { SHOW, 0, 0 }, { END, EVENT_COMPLETED, 1 },
    { OVERRIDE, 0, 0 },
};

/* Operators' commands, acknowledgements by the handful, rows that are purged, also around one that must stay. */
static const struct step BOUNDED_DAY[] = {
    { START, 0, 0 }, { COMMAND, EVENT_COMMAND, 0 }, { DECLARE, 0, 0 }, { SHOW, 0, 0 }, { END, EVENT_COMPLETED, 1 },
    { MARK, 3, 0 }, { COMMAND, EVENT_OVERRIDE, 0 }, { PURGE, 0, 0 }, { END, EVENT_NOT_USED, 2 }, { CHECKPOINT, 0, 0 },
    { SHOW, 0, 0 }, { MARK, 5, 0 }, { PURGE, 0, 0 }, { END, EVENT_COMPLETED, 3 }, { COMMAND, EVENT_COMMAND, 0 },
    { REOPEN, 0, 0 }, { START, 0, 0 }, { ALARM, EVENT_ALARM_BEGIN, 0 }, { ALARM, EVENT_ALARM_END, 0 }, { SHOW, 2, 0 },
    { MARK, 5, 0 }, { COMMAND, EVENT_OVERRIDE, 0 }, { PURGE, 0, 0 }, { CHECKPOINT, 1, 0 }, { END, EVENT_COMPLETED, 3 },
    { MARK, 2, 0 }, { PURGE, 0, 0 }, { START, 0, 0 },
};

/* A step, and from when on it may be, and must be, on the disk: counts of pieces. */
struct deed {
    struct step step;
    char event_id[JOURNAL_ID_BYTES];
    int64_t seq; /* of an event, once it is known; PURGE: how many are gone */
    int64_t marked[MARKED_MAX];
    int marked_count;
    int begun_at, answered_at; /* INT_MAX: never */
};

struct history {
    struct deed deeds[DEEDS_MAX];
    int count;
    bool purges;
};

struct fixture {
    char folder[64];
    struct journal_settings settings, checked; /* the lane's; of the disk after the cut */
    struct journal *journal;
    struct history history;
    struct platter *platter;
    struct journal_batch *batch;
    struct image left[FILES_COUNT], first[FILES_COUNT]; /* after the cut; before the first piece */
    int cuts, states;
    int checking_at; /* -1: not */
    enum fate checking_fate;
};

static const char *card_of(int person, char ret[128])
{
    if (person == 3)
        return strcpy(ret, "no code of ours");
    (void)snprintf(ret, 128, "02219901234%d|100200300|Nguyễn Thị A|15081999|Nữ|Hà Nội|01082022", person);
    return ret;
}

static void subject_of(int person, char ret[CREDENTIAL_SUBJECT_BYTES])
{
    (void)snprintf(ret, CREDENTIAL_SUBJECT_BYTES, "cccd:02219901234%d", person);
}

static void fill_settings(struct journal_settings *settings, const char *folder, const char *name)
{
    struct policy *policy = &settings->policy;
    (void)snprintf(settings->path, sizeof(settings->path), "%s/%s", folder, name);
    (void)strcpy(settings->lane, "lane1");
    memset(settings->site_key, 0x5a, sizeof(settings->site_key));
    for (int status = 0; status < STATUS_COUNT; status++)
        policy->by_status[status] = VERDICT_DENY;
    policy->by_status[STATUS_GREEN] = VERDICT_OPEN;
    policy->by_status[STATUS_NONE] = VERDICT_HOLD;
    policy->declaration.validity_s = 72 * 3600;
    policy->clock_skew_s = 60;
    policy->direction = DIRECTION_IN;
    settings->has_sensor = true;
    settings->keep_days = KEEP_DAYS;
    settings->opened_at_us = NOW_S * INT64_C(1000000);
    settings->opened_clock_trusted = true;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    f->platter = calloc(1, sizeof(*f->platter));
    f->batch = calloc(1, sizeof(*f->batch));
    assert_non_null(f->platter);
    assert_non_null(f->batch);
    (void)strcpy(f->folder, "/tmp/qrgate-powercut-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    fill_settings(&f->settings, f->folder, "lane.db");
    fill_settings(&f->checked, f->folder, "left.db");
    assert_true(sodium_init() >= 0);
    disk_register();
    forget_pieces();
    f->first[THE_DATABASE].exists = true; /* made, empty, by the journal itself */
    f->checking_at = -1;
    *state = f;
    return 0;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *place)
{
    (void)status, (void)type, (void)place;
    return remove(path);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    if (f->checking_at >= 0)
        print_error("powercut: at piece %d of %d, %s\n", f->checking_at, disk.count, FATES[f->checking_fate]);
    journal_close(f->journal);
    forget_pieces();
    for (int file = 0; file < FILES_COUNT; file++) {
        free(f->platter->files[file].bytes);
        free(f->left[file].bytes);
        free(f->first[file].bytes);
    }
    (void)nftw(f->folder, remove_one, 4, FTW_DEPTH | FTW_PHYS);
    free(f->platter);
    free(f->batch);
    free(f);
    return 0;
}

static struct journal_answer ask(struct journal *journal, const struct journal_request *request)
{
    struct journal_answer answer;
    struct pollfd fd = { .fd = journal_fd(journal), .events = POLLIN };
    assert_int_equal(journal_submit(journal, request), 0);
    if (poll(&fd, 1, ANSWER_WITHIN_MS) != 1)
        fail_msg("no answer");
    assert_int_equal(journal_take(journal, &answer), 1);
    return answer;
}

static void fill_event(struct event *event, const struct deed *deed, int number)
{
    event->kind = deed->step.what == START      ? EVENT_START
                  : deed->step.what == OVERRIDE ? EVENT_OVERRIDE
                                                : (enum event_kind)deed->step.value;
    event->reason = deed->step.what == OVERRIDE        ? REASON_BUTTON
                    : event->kind == EVENT_OVERRIDE    ? REASON_OPERATOR
                                                       : REASON_NONE;
    event->at_us = (NOW_S + number) * INT64_C(1000000);
    event->monotonic_us = number * INT64_C(1000000);
    event->clock_trusted = true;
    memcpy(event->event_id, deed->event_id, sizeof(event->event_id));
    if (deed->step.back > 0)
        memcpy(event->bound_event_id, deed[-deed->step.back].event_id, sizeof(event->bound_event_id));
    if (deed->step.what == ALARM)
        (void)strcpy(event->alarm, "forced");
    if (deed->step.what == COMMAND) {
        (void)strcpy(event->verb, event->kind == EVENT_OVERRIDE ? "open" : "mode");
        (void)strcpy(event->operator_name, "office");
    }
}

static bool is_event(enum what what)
{
    return what == START || what == SHOW || what == OVERRIDE || what == END || what == ALARM || what == COMMAND;
}

static void fill_request(const struct fixture *f, const struct deed *deed, int number, struct journal_request *ret)
{
    static const enum journal_op ops[] = { [DECLARE] = JOURNAL_DECLARE, [SHOW] = JOURNAL_DECIDE, 
                                           [REVOKE] = JOURNAL_REVOKE, [FOLLOW] = JOURNAL_FOLLOW,
                                           [COMMAND] = JOURNAL_COMMAND, [MARK] = JOURNAL_MARK, [PURGE] = JOURNAL_PURGE };
    char text[128], subject[CREDENTIAL_SUBJECT_BYTES];
    *ret = (struct journal_request){ .op = is_event(deed->step.what) && deed->step.what != SHOW ? JOURNAL_RECORD
                                                                                               : ops[deed->step.what] };
    if (deed->step.what == COMMAND)
        ret->op = JOURNAL_COMMAND;
    if (is_event(deed->step.what))
        fill_event(&ret->event, deed, number);
    switch (deed->step.what) {
    case DECLARE:
        subject_of(deed->step.value, ret->declared.identities[0]);
        ret->declared.declaration =
            (struct declaration){ .found = true, .status = STATUS_GREEN, .declared_at_s = NOW_S - 60 };
        (void)strcpy(ret->declared.source, "manual");
        break;
    case SHOW:
        ret->payload_bytes = (uint32_t)strlen(card_of(deed->step.value, text));
        memcpy(ret->payload, text, ret->payload_bytes);
        break;
    case COMMAND: memcpy(ret->transaction, deed->event_id, sizeof(deed->event_id)); break;
    case MARK:
        ret->batch = f->batch;
        f->batch->count = deed->marked_count;
        memcpy(f->batch->seqs, deed->marked, sizeof(deed->marked));
        break;
    case PURGE: /* everything of today is old */
        ret->event.at_us = (NOW_S + (KEEP_DAYS + 1) * INT64_C(86400)) * 1000000;
        ret->event.clock_trusted = true;
        break;
    case REVOKE:
        ret->revocation = (struct revocation){ .revoked_at_s = NOW_S, .source = "manual" };
        ret->revocation.token_id[0] = (uint8_t)deed->step.value;
        break;
    case FOLLOW: /* somebody who never comes here */
        (void)strcpy(subject, "badge:1");
        register_person(f->settings.site_key, subject, ret->passage.person);
        memcpy(ret->passage.event_id, deed->event_id, sizeof(ret->passage.event_id));
        (void)strcpy(ret->passage.lane, "lane2");
        ret->passage.direction = DIRECTION_IN;
        ret->passage.at_us = NOW_S * INT64_C(1000000);
        break;
    default: break;
    }
}

static void run_sql(const char *path, const char *sql, bool must)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK && must)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    (void)sqlite3_close(db);
}

static int open_journal(struct fixture *f)
{
    char why[512] = "";
    const int error = journal_open(&f->settings, &f->journal, why, sizeof(why));
    if (error < 0 && !disk.is.failed)
        fail_msg("%s", why);
    return error;
}

static void disk_is_free(void)
{
    (void)pthread_mutex_lock(&disk.mutex);
    disk.is.fail_at = 0;
    (void)pthread_mutex_unlock(&disk.mutex);
}

static void read_unsent(struct fixture *f, struct deed *deed)
{
    f->batch->count = deed->step.value;
    const struct journal_request request = { .op = JOURNAL_READ, .batch = f->batch };
    const struct journal_answer answer = ask(f->journal, &request);
    assert_int_equal(answer.error, 0);
    assert_true(f->batch->count > 0 && f->batch->count <= MARKED_MAX);
    deed->marked_count = f->batch->count;
    for (int i = 0; i < f->batch->count; i++)
        deed->marked[i] = f->batch->events[i].seq;
}

static int64_t number_in(sqlite3 *db, const char *sql, const char *text);

static int64_t purged_rows_of(const char *path)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    const int64_t rows = number_in(db, "SELECT coalesce(sum(last_seq - first_seq + 1), 0) FROM purged", NULL);
    (void)sqlite3_close(db);
    return rows;
}

/* One attempt at a step; its error. */
static int do_step(struct fixture *f, struct deed *deed, int number)
{
    struct journal_request request;
    if (deed->step.what == CHECKPOINT) { /* as another program's connection does it; it may fail without harm */
        run_sql(f->settings.path, deed->step.value ? "PRAGMA wal_checkpoint(TRUNCATE)" : "PRAGMA wal_checkpoint(FULL)",
                !disk.is.failed && disk.is.fail_at == 0);
        return 0;
    }
    if (deed->step.what == REOPEN) {
        journal_close(f->journal);
        f->journal = NULL;
        return open_journal(f);
    }
    if (deed->step.what == MARK && deed->marked_count == 0)
        read_unsent(f, deed);
    fill_request(f, deed, number, &request);
    struct journal_answer answer = ask(f->journal, &request);
    for (int i = 0; answer.more && i < 10; i++)
        answer = ask(f->journal, &request);
    if (answer.error < 0) {
        assert_int_equal(answer.event.seq, 0);
        if (deed->step.what == SHOW)
            assert_int_equal(answer.verdict.action, VERDICT_DENY);
        return answer.error;
    }
    if (is_event(deed->step.what))
        deed->seq = answer.event.seq;
    if (deed->step.what == PURGE) {
        assert_false(answer.more);
        deed->seq = purged_rows_of(f->settings.path);
        f->history.purges = true;
    }
    return 0;
}

static void check_left(struct fixture *f, int at, enum fate fate);

/* From an empty disk. Whatever fails for want of space succeeds when there is space again. */
static void live(struct fixture *f, const struct step *steps, size_t count, int fail_at, bool fail_for_good)
{
    struct history *history = &f->history;
    *history = (struct history){ .count = (int)count };
    disk.is.fail_at = fail_at;
    disk.is.fail_for_good = fail_for_good;
    disk.is.recording = true;
    if (open_journal(f) < 0) {
        disk_is_free();
        assert_int_equal(open_journal(f), 0);
    }
    for (int i = 0; i < history->count; i++)
        history->deeds[i] = (struct deed){ .step = steps[i], .begun_at = INT32_MAX, .answered_at = INT32_MAX };
    for (int i = 0; i < history->count; i++) {
        struct deed *deed = &history->deeds[i];
        (void)snprintf(deed->event_id, sizeof(deed->event_id), "%032x", 0xe000 + i);
        deed->begun_at = pieces_so_far();
        int error = do_step(f, deed, i);
        if (error < 0) {
            assert_true(disk.is.failed);
            assert_int_equal(error, -ENOSPC);
            check_left(f, pieces_so_far(), FATE_NONE); /* no answer without a commit */
            check_left(f, pieces_so_far(), FATE_ALL);
            disk_is_free();
            assert_int_equal(do_step(f, deed, i), 0);
        }
        deed->answered_at = pieces_so_far();
    }
    disk.is.recording = false;
}

/* ---- what must hold on what is left ------------------------------------------------------------------------------ */

static void put_left(const char *database, const struct image left[FILES_COUNT])
{
    char path[JOURNAL_PATH_BYTES + 16];
    for (int file = 0; file < FILES_COUNT; file++) {
        (void)snprintf(path, sizeof(path), "%s%s", database, ENDINGS[file]);
        (void)unlink(path);
        if (!left[file].exists)
            continue;
        const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, left[file].bytes, left[file].size), left[file].size);
        (void)close(fd);
    }
    (void)snprintf(path, sizeof(path), "%s-shm", database); /* memory: gone with the power */
    (void)unlink(path);
}

static int64_t number_in(sqlite3 *db, const char *sql, const char *text)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    if (text)
        assert_int_equal(sqlite3_bind_text(statement, 1, text, -1, SQLITE_STATIC), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    const int64_t number = sqlite3_column_int64(statement, 0);
    (void)sqlite3_finalize(statement);
    return number;
}

#define ENDS "kind IN ('completed', 'not_used', 'interrupted')"

#define PURGED(seq) "EXISTS (SELECT 1 FROM purged WHERE " seq " BETWEEN first_seq AND last_seq)"

/* Each is 0 on a journal that is whole. */
static const char *const FAULTS[] = {
    "SELECT (SELECT group_concat(integrity_check) FROM pragma_integrity_check) <> 'ok'",
    "SELECT (SELECT count(*) FROM event) + (SELECT coalesce(sum(last_seq - first_seq + 1), 0) FROM purged) - "
    "coalesce((SELECT max(seq) FROM event), 0)",
    "SELECT count(*) FROM event WHERE " PURGED("seq"),
    "SELECT coalesce(sum(unsent_rows), 0) FROM purged", /* unsent ones never go by age */
    /* a command is its row and its transaction, or nothing */
    "SELECT count(*) FROM seen WHERE seq NOT IN (SELECT seq FROM event WHERE verb <> '') AND NOT " PURGED("seq"),
    "SELECT count(*) FROM event WHERE verb <> '' AND event_id NOT IN (SELECT transaction_id FROM seen)",
    "SELECT count(*) FROM event WHERE ending = 1",
};
/* And these as long as none of its rows was purged. */
static const char *const FAULTS_OF_ALL_ROWS[] = {
    /* every passage has its one end, a cut one too */
    "SELECT count(*) FROM event g WHERE kind IN ('granted', 'override') AND 1 <> "
    "(SELECT count(*) FROM event e WHERE e.bound_event_id = g.event_id AND " ENDS ")",
    "SELECT count(*) FROM event e WHERE " ENDS " AND bound_event_id NOT IN "
    "(SELECT event_id FROM event g WHERE kind IN ('granted', 'override') AND g.seq < e.seq)",
    /* presence is the sum of completed */
    "SELECT (SELECT count(*) FROM presence WHERE inside = 1 AND lane = 'lane1') - "
    "(SELECT count(DISTINCT person) FROM event WHERE kind = 'completed' AND person <> '')",
    "SELECT count(*) FROM presence p WHERE lane = 'lane1' AND NOT EXISTS "
    "(SELECT 1 FROM event e WHERE e.event_id = p.event_id AND e.kind = 'completed' AND e.person = p.person)",
};

static bool was_purged(sqlite3 *db, int64_t seq)
{
    char text[24];
    (void)snprintf(text, sizeof(text), "%lld", (long long)seq);
    return number_in(db, "SELECT " PURGED("CAST(?1 AS INTEGER)"), text) == 1;
}

/* All of them, or none. */
static bool are_marked(sqlite3 *db, const struct deed *deed)
{
    int marked = 0;
    char text[24];
    for (int i = 0; i < deed->marked_count; i++) {
        (void)snprintf(text, sizeof(text), "%lld", (long long)deed->marked[i]);
        marked += was_purged(db, deed->marked[i]) ||
                  number_in(db, "SELECT count(*) FROM event WHERE seq = CAST(?1 AS INTEGER) AND sent = 1", text) == 1;
    }
    if (marked != 0 && marked != deed->marked_count)
        fail_msg("%d of %d rows are marked", marked, deed->marked_count);
    return marked > 0;
}

static void check_faults(sqlite3 *db, const char *const *faults, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (number_in(db, faults[i], NULL) != 0)
            fail_msg("%s: %lld", faults[i], (long long)number_in(db, faults[i], NULL));
}

/* What was answered is there; what is there was asked. */
static void check_deed(struct fixture *f, sqlite3 *db, const struct deed *deed, int at)
{
    const bool promised = deed->answered_at <= at, possible = deed->begun_at <= at;
    char subject[CREDENTIAL_SUBJECT_BYTES] = "badge:1", person[JOURNAL_ID_BYTES];
    bool there = promised;
    if (is_event(deed->step.what))
        there = number_in(db, "SELECT count(*) FROM event WHERE event_id = ?1", deed->event_id) == 1 ||
                was_purged(db, deed->seq);
    if (deed->step.what == COMMAND && promised && !was_purged(db, deed->seq)) /* it was more than 8 days ago then */
        there = there && number_in(db, "SELECT count(*) FROM seen WHERE transaction_id = ?1", deed->event_id) == 1;
    if (deed->step.what == MARK)
        there = are_marked(db, deed);
    if (deed->step.what == PURGE)
        there = number_in(db, "SELECT coalesce(sum(last_seq - first_seq + 1), 0) FROM purged", NULL) >= deed->seq;
    if (deed->step.what == REVOKE)
        there = number_in(db, "SELECT count(*) FROM revocation", NULL) == 1;
    if (deed->step.what == DECLARE || deed->step.what == FOLLOW) {
        if (deed->step.what == DECLARE)
            subject_of(deed->step.value, subject);
        register_person(f->settings.site_key, subject, person);
        there = number_in(db, deed->step.what == DECLARE ? "SELECT count(*) FROM declaration WHERE person = ?1"
                                                         : "SELECT count(*) FROM presence WHERE person = ?1 AND inside = 1",
                          person) == 1;
    }
    if (promised && !there)
        fail_msg("step %d was answered and is lost", (int)(deed - f->history.deeds));
    if (there && !possible && deed->step.what != PURGE)
        fail_msg("step %d is there and wasn't asked", (int)(deed - f->history.deeds));
}

static void check_rows(struct fixture *f, int at)
{
    struct chain_report report;
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(f->checked.path, &db), SQLITE_OK);
    check_faults(db, FAULTS, sizeof(FAULTS) / sizeof(FAULTS[0]));
    if (!f->history.purges)
        check_faults(db, FAULTS_OF_ALL_ROWS, sizeof(FAULTS_OF_ALL_ROWS) / sizeof(FAULTS_OF_ALL_ROWS[0]));
    assert_int_equal(chain_verify(db, f->settings.site_key, &report), 0);
    if (report.broken_seq != 0)
        fail_msg("chain broken at %lld: %s", (long long)report.broken_seq, report.why);
    assert_int_equal(report.rows, number_in(db, "SELECT count(*) FROM event", NULL));
    for (int i = 0; i < f->history.count; i++)
        check_deed(f, db, &f->history.deeds[i], at);
    (void)sqlite3_close(db);
}

/* The outbox goes on where it was; the next row follows. */
static void check_goes_on(struct fixture *f, struct journal *journal)
{
    sqlite3 *db = NULL;
    struct journal_answer answer;
    int64_t seq = 0;
    assert_int_equal(sqlite3_open(f->checked.path, &db), SQLITE_OK);
    const int64_t rows = number_in(db, "SELECT coalesce(max(seq), 0) FROM event", NULL);
    const int64_t unsent_rows = number_in(db, "SELECT count(*) FROM event WHERE sent = 0", NULL);
    (void)sqlite3_close(db);
    const struct journal_request read = { .op = JOURNAL_READ, .batch = f->batch };
    f->batch->count = JOURNAL_BATCH_MAX; /* more than there are */
    answer = ask(journal, &read);
    assert_int_equal(answer.error, 0);
    assert_int_equal(answer.unsent_rows, unsent_rows);
    assert_int_equal(f->batch->count, unsent_rows);
    for (int i = 0; i < f->batch->count; i++) {
        assert_true(f->batch->events[i].seq > seq);
        seq = f->batch->events[i].seq;
    }
    struct journal_request record = { .op = JOURNAL_RECORD,
                                      .event = { .kind = EVENT_START, .reason = REASON_NONE, .event_id = "after",
                                                 .at_us = (NOW_S + 100) * INT64_C(1000000), .clock_trusted = true } };
    answer = ask(journal, &record);
    assert_int_equal(answer.error, 0);
    assert_int_equal(answer.event.seq, rows + 1);
    assert_int_equal(answer.unsent_rows, unsent_rows + 1);
}

static void check_state(struct fixture *f, int at, enum fate fate)
{
    struct journal *journal = NULL;
    char why[512] = "";
    put_left(f->checked.path, f->left);
    f->checking_at = at;
    f->checking_fate = fate;
    struct disk_switches before = disk.is; /* the lane's journal is at rest: every answer is waited for */
    disk.is = (struct disk_switches){ 0 };
    if (journal_open(&f->checked, &journal, why, sizeof(why)) != 0)
        fail_msg("%s", why);
    check_rows(f, at);
    check_goes_on(f, journal);
    journal_close(journal);
    disk.is = before;
    f->checking_at = -1;
    f->states++;
}

static void first_platter(struct fixture *f)
{
    f->platter->loose_count = 0;
    for (int file = 0; file < FILES_COUNT; file++)
        copy_image(&f->platter->files[file], &f->first[file]);
}

static void check_left(struct fixture *f, int at, enum fate fate)
{
    first_platter(f);
    for (int i = 0; i < at; i++)
        turn(f->platter, i);
    cut(f->platter, fate, (uint32_t)at, f->left);
    check_state(f, at, fate);
}

/* Every place in the list, and at each every fate that differs from those before. */
static void cut_everywhere(struct fixture *f)
{
    struct platter *platter = f->platter;
    first_platter(f);
    for (int at = 0; at <= disk.count; at++) {
        const bool here = at % STRIDE == 0, ends = at == disk.count;
        const bool syncs = !ends && disk.pieces[at].kind >= PIECE_SYNCED;
        const bool written = at > 0 && disk.pieces[at - 1].kind == PIECE_WRITTEN && platter->loose_count > 0;
        const bool wanted[FATE_COUNT] = {
            [FATE_ALL] = true,
            [FATE_NONE] = (syncs || ends) && platter->loose_count > 0, /* at the last moment, when most was promised */
            [FATE_LAST_TORN] = written,
            [FATE_LAST_ONLY] = written && platter->loose_count > 1,
            [FATE_SOME] = written && platter->loose_count > 2,
            [FATE_OTHERS] = written && platter->loose_count > 4,
        };
        f->cuts += here;
        for (int fate = 0; here && fate < FATE_COUNT; fate++) {
            if (!wanted[fate])
                continue;
            cut(platter, (enum fate)fate, (uint32_t)(at * FATE_COUNT + fate), f->left);
            check_state(f, at, (enum fate)fate);
        }
        if (!ends)
            turn(platter, at);
    }
}

/* ---- the tests --------------------------------------------------------------------------------------------------- */

/* That the day was what its table means: else the rest proves little. */
static void check_day(struct fixture *f)
{
    static const struct {
        const char *kind;
        int64_t rows;
    } expected[] = { { "granted", 8 }, { "held", 1 },        { "denied", 1 },  { "override", 5 },
                     { "completed", 7 }, { "not_used", 2 }, { "interrupted", 2 } };
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(f->settings.path, &db), SQLITE_OK);
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        const int64_t rows = number_in(db, "SELECT count(*) FROM event WHERE kind = ?1", expected[i].kind);
        if (rows != expected[i].rows)
            fail_msg("%s: %lld rows", expected[i].kind, (long long)rows);
    }
    (void)sqlite3_close(db);
}

static void a_cut_at_any_write_loses_nothing_that_was_answered(void **state)
{
    struct fixture *f = *state;
    live(f, DAY, sizeof(DAY) / sizeof(DAY[0]), 0, false);
    journal_close(f->journal);
    f->journal = NULL;
    check_day(f);
    cut_everywhere(f);
    print_message("powercut: %d cut points, %d disks checked\n", f->cuts, f->states);
}

static void a_cut_while_rows_are_marked_and_purged_loses_nothing(void **state)
{
    struct fixture *f = *state;
    live(f, BOUNDED_DAY, sizeof(BOUNDED_DAY) / sizeof(BOUNDED_DAY[0]), 0, false);
    journal_close(f->journal);
    f->journal = NULL;
    assert_true(purged_rows_of(f->settings.path) >= 12);
    cut_everywhere(f);
    print_message("powercut: %d cut points, %d disks checked\n", f->cuts, f->states);
}

static void remove_lane(const struct fixture *f)
{
    static const char *const endings[] = { "", "-journal", "-wal", "-shm" };
    char path[JOURNAL_PATH_BYTES + 16];
    for (int i = 0; i < 4; i++) {
        (void)snprintf(path, sizeof(path), "%s%s", f->settings.path, endings[i]);
        (void)unlink(path);
    }
}

static void end_life(struct fixture *f)
{
    journal_close(f->journal);
    f->journal = NULL;
    remove_lane(f);
}

/* With two passages open the power goes; it comes back, and goes again while the journal is being mended. */
static void a_second_cut_while_recovering_loses_nothing_either(void **state)
{
    struct fixture *f = *state;
    struct history *history = &f->history;
    struct deed *again = &history->deeds[sizeof(DAY) / sizeof(DAY[0])];
    live(f, DAY, sizeof(DAY) / sizeof(DAY[0]), 0, false);
    first_platter(f);
    for (int at = 0; at < disk.count; at++)
        turn(f->platter, at);
    cut(f->platter, FATE_ALL, 0, f->first);
    end_life(f);
    forget_pieces();
    for (int i = 0; i < history->count; i++)
        history->deeds[i].begun_at = history->deeds[i].answered_at = 0;

    put_left(f->settings.path, f->first);
    disk.is.recording = true;
    assert_int_equal(open_journal(f), 0);
    *again = (struct deed){ .step = { START, 0, 0 }, .event_id = "again", .begun_at = pieces_so_far() };
    assert_int_equal(do_step(f, again, history->count), 0);
    again->answered_at = pieces_so_far();
    history->count++;
    journal_close(f->journal);
    f->journal = NULL;
    disk.is.recording = false;
    cut_everywhere(f);
    print_message("powercut: %d cut points, %d disks checked\n", f->cuts, f->states);
}

/* Each write in turn is the one that finds the disk full: by itself, or with all that follow until somebody makes
 * room. */
static void fill_at_any_write(struct fixture *f, const struct step *day, size_t steps)
{
    int met = 0;
    live(f, day, steps, 0, false);
    const int writes = disk.is.writes;
    end_life(f);
    for (int number = 1; number <= writes; number += STRIDE) {
        for (int for_good = 0; for_good < 2; for_good++) {
            forget_pieces();
            live(f, day, steps, number, for_good);
            assert_true(disk.is.failed);
            met++;
            check_left(f, disk.count, FATE_NONE);
            end_life(f);
        }
    }
    print_message("powercut: %d full disks (%d writes), %d disks checked\n", met, writes, f->states);
}

static void a_full_disk_at_any_write_loses_nothing_that_was_answered(void **state)
{
    fill_at_any_write(*state, SHORT_DAY, sizeof(SHORT_DAY) / sizeof(SHORT_DAY[0]));
}

static void a_full_disk_while_rows_are_marked_and_purged_loses_nothing(void **state)
{
    fill_at_any_write(*state, BOUNDED_DAY, sizeof(BOUNDED_DAY) / sizeof(BOUNDED_DAY[0]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_cut_at_any_write_loses_nothing_that_was_answered, setup, teardown),
        cmocka_unit_test_setup_teardown(a_cut_while_rows_are_marked_and_purged_loses_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_second_cut_while_recovering_loses_nothing_either, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_disk_at_any_write_loses_nothing_that_was_answered, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_disk_while_rows_are_marked_and_purged_loses_nothing, setup, teardown),
    };
    return cmocka_run_group_tests_name("powercut", tests, NULL, NULL);
}
