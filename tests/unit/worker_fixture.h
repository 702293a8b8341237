/* For tests of the journal's requests without its thread: a worker on a new database, and requests made short. */
#ifndef UNIT_WORKER_FIXTURE_H
#define UNIT_WORKER_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <ftw.h>
#include <sodium.h>
#include <sqlite3.h>

#include "daemon/journal/worker.h"

enum { FIXTURE_NOW_S = 1790000000 };

/* Made-up people. */
#define ANH "cccd:022199012345"
#define ANH_CARD "022199012345|100200300|Nguyễn Thị Bích Phượng|15081999|Nữ|Tổ 3, Khu 2, Quảng Ninh|01082022"
#define BINH "cccd:022054000001"
#define BINH_CARD "022054000001||NGUYEN VAN A|01011954|Nam|Quang Ninh|01082022"

struct fixture {
    char folder[64];
    struct journal_settings settings;
    struct worker worker;
    int64_t at_us, monotonic_us; /* of the next request; moved on by pass_time() */
    bool clock_trusted, shared;
    int next_id;
    struct journal_request request;
    struct journal_answer answer;
};

static inline void start(struct fixture *f)
{
    char why[512] = "";
    f->worker = (struct worker){ 0 };
    if (worker_open(&f->worker, &f->settings, why, sizeof(why)) != 0)
        fail_msg("%s", why);
}

static inline void restart(struct fixture *f)
{
    worker_close(&f->worker);
    start(f);
}

static inline int fixture_setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    (void)strcpy(f->folder, "/tmp/qrgate-worker-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    (void)snprintf(f->settings.path, sizeof(f->settings.path), "%s/journal.db", f->folder);
    (void)strcpy(f->settings.lane, "lane1");
    memset(f->settings.site_key, 0x5a, sizeof(f->settings.site_key));
    struct policy *policy = &f->settings.policy;
    for (int status = 0; status < STATUS_COUNT; status++)
        policy->by_status[status] = VERDICT_DENY;
    policy->by_status[STATUS_GREEN] = VERDICT_OPEN;
    policy->by_status[STATUS_YELLOW] = VERDICT_HOLD;
    policy->by_status[STATUS_NONE] = VERDICT_HOLD;
    policy->declaration.validity_s = 72 * 3600;
    policy->clock_untrusted = CLOCK_POLICY_HOLD;
    policy->clock_skew_s = 60;
    policy->direction = DIRECTION_IN;
    f->at_us = FIXTURE_NOW_S * INT64_C(1000000);
    f->monotonic_us = 1000000000;
    f->clock_trusted = true;
    assert_true(sodium_init() >= 0);
    start(f);
    *state = f;
    return 0;
}

static inline int fixture_remove(const char *path, const struct stat *status, int type, struct FTW *place)
{
    (void)status, (void)type, (void)place;
    return remove(path);
}

static inline int fixture_teardown(void **state)
{
    struct fixture *f = *state;
    worker_close(&f->worker);
    (void)nftw(f->folder, fixture_remove, 4, FTW_DEPTH | FTW_PHYS);
    free(f);
    return 0;
}

static inline void pass_time(struct fixture *f, int64_t seconds)
{
    f->at_us += seconds * 1000000;
    f->monotonic_us += seconds * 1000000;
}

static inline void person_of(const struct fixture *f, const char *subject, char ret[JOURNAL_ID_BYTES])
{
    register_person(f->settings.site_key, subject, ret);
}

/* f->request with op, times and a new event_id. */
static inline struct journal_request *fresh(struct fixture *f, enum journal_op op)
{
    memset(&f->request, 0, sizeof(f->request));
    f->request.op = op;
    f->request.presence_shared = f->shared;
    f->request.event.at_us = f->at_us;
    f->request.event.monotonic_us = f->monotonic_us;
    f->request.event.clock_trusted = f->clock_trusted;
    (void)snprintf(f->request.event.event_id, sizeof(f->request.event.event_id), "%032x", (unsigned)++f->next_id);
    return &f->request;
}

static inline int ask(struct fixture *f)
{
    worker_do(&f->worker, &f->request, &f->answer);
    return f->answer.error;
}

/* A code shown: its reason; the rest is in f->answer. */
static inline enum reason show(struct fixture *f, const char *payload)
{
    struct journal_request *request = fresh(f, JOURNAL_DECIDE);
    request->payload_bytes = (uint32_t)strlen(payload);
    memcpy(request->payload, payload, strlen(payload));
    const int error = ask(f);
    if (error != 0)
        fail_msg("%s: %s", payload, strerror(-error));
    return f->answer.verdict.reason;
}

static inline void record(struct fixture *f, enum event_kind kind, const char *bound_event_id)
{
    struct journal_request *request = fresh(f, JOURNAL_RECORD);
    request->event.kind = kind;
    request->event.reason = kind == EVENT_OVERRIDE ? REASON_BUTTON : REASON_NONE;
    (void)snprintf(request->event.bound_event_id, sizeof(request->event.bound_event_id), "%s", bound_event_id);
    assert_int_equal(ask(f), 0);
}

static inline int declare_at(struct fixture *f, const char *first, const char *second, enum declaration_status status,
                             int64_t at_s)
{
    struct declared *declared = &fresh(f, JOURNAL_DECLARE)->declared;
    (void)snprintf(declared->identities[0], sizeof(declared->identities[0]), "%s", first);
    (void)snprintf(declared->identities[1], sizeof(declared->identities[1]), "%s", second);
    declared->declaration = (struct declaration){ .found = true, .status = status, .declared_at_s = at_s };
    (void)strcpy(declared->source, "manual");
    return ask(f);
}

static inline void declare_green(struct fixture *f, const char *subject)
{
    assert_int_equal(declare_at(f, subject, "", STATUS_GREEN, f->at_us / 1000000 - 60), 0);
    assert_true(f->answer.taken);
}

/* Another lane's message about somebody: taken? */
static inline bool follow_lane(struct fixture *f, const char *event_id, const char *subject, enum direction direction,
                               int64_t at_us)
{
    struct followed_passage *passage = &fresh(f, JOURNAL_FOLLOW)->passage;
    (void)snprintf(passage->event_id, sizeof(passage->event_id), "%s", event_id);
    person_of(f, subject, passage->person);
    passage->direction = direction;
    passage->at_us = at_us;
    (void)strcpy(passage->lane, "lane2");
    const int error = ask(f);
    if (error != 0)
        fail_msg("follow: %s", strerror(-error));
    return f->answer.taken;
}

static inline int64_t number_in(struct fixture *f, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(f->worker.store.db, sql, -1, &statement, NULL) != SQLITE_OK ||
        sqlite3_step(statement) != SQLITE_ROW)
        fail_msg("%s: %s", sql, sqlite3_errmsg(f->worker.store.db));
    const int64_t number = sqlite3_column_int64(statement, 0);
    (void)sqlite3_finalize(statement);
    return number;
}

static inline void run_sql(struct fixture *f, const char *sql)
{
    if (sqlite3_exec(f->worker.store.db, sql, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(f->worker.store.db));
}

static inline void presence_of(struct fixture *f, const char *subject, struct presence *ret)
{
    char person[JOURNAL_ID_BYTES];
    person_of(f, subject, person);
    assert_int_equal(presence_read(&f->worker.presence, person, f->settings.policy.direction, ret), 0);
}

#endif
