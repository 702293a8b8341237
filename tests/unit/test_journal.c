/* The journal through its door: requests in, answers out, and what is in the file afterwards. Faults are real ones:
 * another connection's lock, a file that may not grow, a process killed at work. */
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
#include <ftw.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sodium.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "daemon/credential/token.h"
#include "daemon/journal/chain.h"
#include "daemon/journal/database.h"
#include "daemon/journal/pending.h"
#include "daemon/journal/register.h"

enum { NOW_S = 1790000000, ANSWER_WITHIN_MS = 10000 };

static const char CCCD[] =
    "022199012345|100200300|Nguyễn Thị Bích Phượng|15081999|Nữ|Tổ 3, Khu 2, Phường Hà An, Quảng Yên, "
    "Quảng Ninh|01082022";
static const char SUBJECT[] = "cccd:022199012345";

struct fixture {
    char folder[64];
    struct journal_settings settings;
    struct journal *journal;
    uint8_t signing_key[crypto_sign_SECRETKEYBYTES];
};

/* ---- helpers ----------------------------------------------------------------------------------------------------- */

static int64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void fill_settings(struct journal_settings *settings, const char *path)
{
    *settings = (struct journal_settings){ 0 };
    (void)snprintf(settings->path, sizeof(settings->path), "%s", path);
    memset(settings->site_key, 0x5a, sizeof(settings->site_key));
    for (int status = 0; status < STATUS_COUNT; status++)
        settings->policy.by_status[status] = VERDICT_DENY;
    settings->policy.by_status[STATUS_GREEN] = VERDICT_OPEN;
    settings->policy.by_status[STATUS_YELLOW] = VERDICT_HOLD;
    settings->policy.by_status[STATUS_NONE] = VERDICT_HOLD;
    settings->policy.declaration.validity_s = 72 * 3600;
    settings->policy.clock_untrusted = CLOCK_POLICY_HOLD;
    settings->policy.clock_skew_s = 60;
}

static void reopen(struct fixture *f)
{
    char why[512] = "";
    journal_close(f->journal);
    if (journal_open(&f->settings, &f->journal, why, sizeof(why)) != 0)
        fail_msg("%s", why);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    char path[96];
    assert_non_null(f);
    (void)strcpy(f->folder, "/tmp/qrgate-journal-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    (void)snprintf(path, sizeof(path), "%s/journal.db", f->folder);
    fill_settings(&f->settings, path);
    assert_true(sodium_init() >= 0);
    struct credential_trust_key *key = &f->settings.trust.keys[0];
    assert_int_equal(crypto_sign_keypair(key->public_key, f->signing_key), 0);
    memcpy(key->kid, "k1", 2);
    key->kid_bytes = 2;
    f->settings.trust.count = 1;
    reopen(f);
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
    journal_close(f->journal);
    (void)nftw(f->folder, remove_one, 4, FTW_DEPTH | FTW_PHYS);
    free(f);
    return 0;
}

static void wait_answer(struct journal *journal, struct journal_answer *ret)
{
    struct pollfd fd = { .fd = journal_fd(journal), .events = POLLIN };
    if (poll(&fd, 1, ANSWER_WITHIN_MS) != 1)
        fail_msg("no answer");
    assert_int_equal(journal_take(journal, ret), 1);
}

static void ask(struct journal *journal, const struct journal_request *request, struct journal_answer *ret)
{
    assert_int_equal(journal_submit(journal, request), 0);
    wait_answer(journal, ret);
    assert_int_equal(ret->op, request->op);
    assert_int_equal(ret->tag, request->tag);
}

static void record_request(int number, struct journal_request *ret)
{
    *ret = (struct journal_request){ .op = JOURNAL_RECORD, .tag = (uint64_t)number + 1000 };
    ret->event = (struct event){ .kind = EVENT_OVERRIDE,
                                 .at_us = NOW_S * 1000000LL + number,
                                 .monotonic_us = number,
                                 .clock_trusted = true,
                                 .reason = REASON_BUTTON };
    (void)snprintf(ret->event.event_id, sizeof(ret->event.event_id), "%032x", (unsigned)number);
}

static int64_t record(struct journal *journal, int number)
{
    struct journal_request request;
    struct journal_answer answer;
    record_request(number, &request);
    ask(journal, &request, &answer);
    if (answer.error != 0)
        fail_msg("record %d: %s", number, strerror(-answer.error));
    return answer.event.seq;
}

static void decide_request(int number, const char *payload, struct journal_request *ret)
{
    *ret = (struct journal_request){ .op = JOURNAL_DECIDE,
                                     .tag = (uint64_t)number,
                                     .payload_bytes = (uint32_t)strlen(payload) };
    memcpy(ret->payload, payload, strlen(payload));
    ret->event = (struct event){ .at_us = NOW_S * 1000000LL, .monotonic_us = 5, .clock_trusted = true };
    (void)snprintf(ret->event.event_id, sizeof(ret->event.event_id), "d%031x", (unsigned)number);
}

static void decide_payload(struct fixture *f, int number, const char *payload, struct journal_answer *ret)
{
    struct journal_request request;
    decide_request(number, payload, &request);
    ask(f->journal, &request, ret);
}

static sqlite3 *open_other(const char *path)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL), SQLITE_OK);
    return db;
}

static void run_sql(sqlite3 *db, const char *sql)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
}

static void declare(struct fixture *f, const char *subject, enum declaration_status status, int64_t at_s)
{
    struct register_writer writer;
    struct declared declared = { .source = "manual", .declaration = { .status = status, .declared_at_s = at_s } };
    bool taken;
    sqlite3 *db = open_other(f->settings.path);
    (void)snprintf(declared.identities[0], sizeof(declared.identities[0]), "%s", subject);
    assert_int_equal(register_writer_open(db, f->settings.site_key, &writer), 0);
    assert_int_equal(register_write(&writer, &declared, &taken), 0);
    assert_true(taken);
    register_writer_close(&writer);
    (void)sqlite3_close(db);
}

static int64_t rows_that_hold(const char *path)
{
    struct chain_report report;
    char why[256];
    sqlite3 *db = NULL;
    if (database_open(path, &db, why, sizeof(why)) != 0)
        fail_msg("%s", why);
    assert_int_equal(chain_verify(db, NULL, &report), 0);
    if (report.broken_seq != 0)
        fail_msg("broken at %lld: %s", (long long)report.broken_seq, report.why);
    (void)sqlite3_close(db);
    return report.rows;
}

/* ---- recording --------------------------------------------------------------------------------------------------- */

static void ping_is_answered(void **state)
{
    struct fixture *f = *state;
    const struct journal_request ping = { .op = JOURNAL_PING, .tag = 77 };
    struct journal_answer answer;
    struct pollfd fd = { .fd = journal_fd(f->journal), .events = POLLIN };
    assert_int_equal(journal_take(f->journal, &answer), 0);
    ask(f->journal, &ping, &answer);
    assert_int_equal(answer.error, 0);
    assert_int_equal(answer.unsent_rows, 0);
    assert_int_equal(poll(&fd, 1, 0), 0); /* readable only while answers wait */
    assert_int_equal(journal_take(f->journal, &answer), 0);
}

static int reload(struct fixture *f, const struct journal_settings *fresh)
{
    struct journal_answer answer;
    const struct journal_request request = { .op = JOURNAL_RELOAD, .tag = 31, .fresh = fresh };
    ask(f->journal, &request, &answer);
    return answer.error;
}

static void seq_has_no_gap_and_reopening_keeps_all(void **state)
{
    struct fixture *f = *state;
    struct journal_request request;
    struct journal_answer answer;
    for (int i = 1; i <= 20; i++)
        assert_int_equal(record(f->journal, i), i);
    record_request(99, &request);
    request.event.kind = EVENT_KIND_COUNT; /* refused: takes no number */
    ask(f->journal, &request, &answer);
    assert_int_equal(answer.error, -EINVAL);
    reopen(f);
    for (int i = 21; i <= 25; i++)
        assert_int_equal(record(f->journal, i), i);
    const struct journal_request ping = { .op = JOURNAL_PING };
    ask(f->journal, &ping, &answer);
    assert_int_equal(answer.unsent_rows, 25);
    assert_int_equal(rows_that_hold(f->settings.path), 25);
}

static void each_answer_tells_the_newest_row_and_the_open_journal_where_this_run_began(void **state)
{
    struct fixture *f = *state;
    struct journal_answer answer;
    const struct journal_request ping = { .op = JOURNAL_PING };
    assert_int_equal(journal_last_seq(f->journal), 0);
    ask(f->journal, &ping, &answer);
    assert_int_equal(answer.last_seq, 0);
    for (int i = 1; i <= 3; i++)
        assert_int_equal(record(f->journal, i), i);
    ask(f->journal, &ping, &answer);
    assert_int_equal(answer.last_seq, 3);
    assert_int_equal(journal_last_seq(f->journal), 0);
    reopen(f);
    assert_int_equal(journal_last_seq(f->journal), 3);
    assert_int_equal(record(f->journal, 4), 4);
    assert_int_equal(journal_last_seq(f->journal), 3);
}

static void ping_tells_the_room(void **state)
{
    struct fixture *f = *state;
    struct journal_answer answer;
    struct journal_settings *fresh = malloc(sizeof(*fresh));
    const struct journal_request ping = { .op = JOURNAL_PING };
    assert_non_null(fresh);
    assert_int_equal(record(f->journal, 1), 1);
    ask(f->journal, &ping, &answer);
    assert_true(answer.room.used_bytes > 4096 && answer.room.used_bytes < 4 << 20);
    assert_true(answer.room.disk_free_bytes > 0);
    assert_true(answer.room.most_bytes > answer.room.used_bytes);
    assert_int_equal(answer.room.first_seq, 1);
    *fresh = f->settings;
    fresh->size_max_bytes = answer.room.used_bytes * 2; /* a new bound counts at once */
    assert_int_equal(reload(f, fresh), 0);
    ask(f->journal, &ping, &answer);
    assert_int_equal(answer.room.most_bytes, fresh->size_max_bytes);
    assert_int_equal(answer.room.percent, 50);
    fresh->size_max_bytes = 1;
    assert_int_equal(reload(f, fresh), 0);
    ask(f->journal, &ping, &answer);
    assert_int_equal(answer.room.percent, 100);
    assert_int_equal(answer.error, 0);
    free(fresh);
}

static void every_field_comes_back(void **state)
{
    struct fixture *f = *state;
    struct journal_batch *batch = calloc(1, sizeof(*batch));
    struct journal_request request = { .op = JOURNAL_RECORD }, read = { .op = JOURNAL_READ, .batch = batch };
    struct journal_answer answer;
    struct event *event = &request.event;
    assert_non_null(batch);
    *event = (struct event){ .kind = EVENT_ALARM_BEGIN,
                             .at_us = -1,
                             .monotonic_us = INT64_MAX,
                             .clock_trusted = true,
                             .reason = REASON_CODE_MALFORMED,
                             .status = STATUS_REVOKED,
                             .credential = CREDENTIAL_SITE_TOKEN,
                             .scope = PRESENCE_SCOPE_SHARED };
    memset(event->event_id, 'a', sizeof(event->event_id) - 1);
    memset(event->person, 'b', sizeof(event->person) - 1);
    memset(event->bound_event_id, 'c', sizeof(event->bound_event_id) - 1);
    memset(event->alarm, 'd', sizeof(event->alarm) - 1);
    memset(event->detail, 'e', sizeof(event->detail) - 1);
    ask(f->journal, &request, &answer);
    assert_int_equal(answer.error, 0);
    event->seq = 1;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(answer.event.seq, 1);
        assert_string_equal(answer.event.event_id, event->event_id);
        assert_int_equal(answer.event.kind, event->kind);
        assert_int_equal(answer.event.at_us, event->at_us);
        assert_int_equal(answer.event.monotonic_us, event->monotonic_us);
        assert_int_equal(answer.event.clock_trusted, event->clock_trusted);
        assert_int_equal(answer.event.reason, event->reason);
        assert_int_equal(answer.event.status, event->status);
        assert_int_equal(answer.event.credential, event->credential);
        assert_int_equal(answer.event.scope, event->scope);
        assert_int_equal(answer.event.direction, DIRECTION_NONE); /* an alarm has none */
        assert_string_equal(answer.event.person, event->person);
        assert_string_equal(answer.event.bound_event_id, event->bound_event_id);
        assert_string_equal(answer.event.alarm, event->alarm);
        assert_string_equal(answer.event.detail, event->detail);
        batch->count = 5;
        ask(f->journal, &read, &answer);
        assert_int_equal(batch->count, 1);
        answer.event = batch->events[0];
    }
    free(batch);
    assert_int_equal(rows_that_hold(f->settings.path), 1);
}

static void bad_events_are_refused(void **state)
{
    struct fixture *f = *state;
    struct journal_request request;
    struct journal_answer answer;
#define REFUSED(statement) \
    do { \
        record_request(1, &request); \
        statement; \
        ask(f->journal, &request, &answer); \
        assert_int_equal(answer.error, -EINVAL); \
        assert_int_equal(answer.event.seq, 0); \
        assert_int_equal(answer.verdict.action, VERDICT_DENY); \
        assert_int_equal(answer.verdict.reason, REASON_JOURNAL_FAILED); \
    } while (0)
    REFUSED(request.event.event_id[0] = '\0');
    REFUSED(memset(request.event.event_id, 'x', sizeof(request.event.event_id)));
    REFUSED(memset(request.event.detail, 'x', sizeof(request.event.detail)));
    REFUSED(memset(request.event.alarm, 'x', sizeof(request.event.alarm)));
    REFUSED(memset(request.event.person, 'x', sizeof(request.event.person)));
    REFUSED(request.event.reason = REASON_COUNT);
    REFUSED(request.event.status = STATUS_COUNT);
    REFUSED(request.event.credential = CREDENTIAL_KIND_COUNT);
    REFUSED(request.event.scope = PRESENCE_SCOPE_COUNT);
    REFUSED(memset(request.event.bound_event_id, 'x', sizeof(request.event.bound_event_id)));
    REFUSED(request.op = (enum journal_op)99);
#undef REFUSED
    assert_int_equal(record(f->journal, 1), 1);
}

static void retry_is_recorded_once(void **state)
{
    struct fixture *f = *state;
    struct journal_request request;
    struct journal_answer answer;
    assert_int_equal(record(f->journal, 1), 1);
    assert_int_equal(record(f->journal, 2), 2);
    record_request(1, &request);
    request.event.at_us++; /* the stored row is the answer */
    ask(f->journal, &request, &answer);
    assert_int_equal(answer.error, 0);
    assert_int_equal(answer.event.seq, 1);
    assert_int_equal(answer.event.at_us, NOW_S * 1000000LL + 1);
    assert_int_equal(answer.unsent_rows, 2);
    assert_int_equal(record(f->journal, 3), 3);
    assert_int_equal(rows_that_hold(f->settings.path), 3);
}

/* ---- the outbox -------------------------------------------------------------------------------------------------- */

static int64_t next_unsent(struct fixture *f, struct journal_batch *batch, int64_t after_seq, struct journal_answer *ret)
{
    const struct journal_request request = { .op = JOURNAL_READ, .after_seq = after_seq, .batch = batch };
    batch->count = 1;
    ask(f->journal, &request, ret);
    assert_int_equal(ret->error, 0);
    return batch->count == 0 ? 0 : batch->events[0].seq;
}

static int mark(struct fixture *f, struct journal_batch *batch, int64_t seq, struct journal_answer *ret)
{
    const struct journal_request request = { .op = JOURNAL_MARK, .batch = batch };
    batch->count = 1;
    batch->seqs[0] = seq;
    ask(f->journal, &request, ret);
    return ret->error;
}

static void unsent_rows_come_in_order_until_marked(void **state)
{
    struct fixture *f = *state;
    struct journal_batch *batch = calloc(1, sizeof(*batch));
    struct journal_answer answer;
    assert_non_null(batch);
    assert_int_equal(next_unsent(f, batch, 0, &answer), 0);
    for (int i = 1; i <= 4; i++)
        assert_int_equal(record(f->journal, i), i);
    for (int i = 0; i < 2; i++) { /* out of order; twice is once */
        assert_int_equal(mark(f, batch, 2, &answer), 0);
        assert_int_equal(answer.unsent_rows, 3);
    }
    static const int64_t expected[][2] = { { 0, 1 }, { 1, 3 }, { 2, 3 }, { 3, 4 }, { 4, 0 } };
    for (int i = 0; i < 5; i++)
        assert_int_equal(next_unsent(f, batch, expected[i][0], &answer), expected[i][1]);
    assert_int_equal(mark(f, batch, 5, &answer), -ENOENT);
    assert_int_equal(answer.unsent_rows, 3);
    reopen(f); /* the counter is rebuilt from the file */
    assert_int_equal(next_unsent(f, batch, 1, &answer), 3);
    assert_int_equal(answer.unsent_rows, 3);
    free(batch);
}

/* ---- deciding ---------------------------------------------------------------------------------------------------- */

static void card_is_decided_by_the_register(void **state)
{
    struct fixture *f = *state;
    struct journal_answer answer;
    char person[JOURNAL_ID_BYTES];
    register_person(f->settings.site_key, SUBJECT, person);

    decide_payload(f, 1, CCCD, &answer);
    assert_int_equal(answer.error, 0);
    assert_int_equal(answer.verdict.action, VERDICT_HOLD);
    assert_int_equal(answer.verdict.reason, REASON_NO_DECLARATION);
    assert_int_equal(answer.event.kind, EVENT_HELD);
    assert_int_equal(answer.event.credential, CREDENTIAL_CCCD);
    assert_string_equal(answer.event.person, person);
    assert_int_equal(answer.event.seq, 1);

    declare(f, SUBJECT, STATUS_GREEN, NOW_S - 60);
    decide_payload(f, 2, CCCD, &answer);
    assert_int_equal(answer.verdict.action, VERDICT_OPEN);
    assert_int_equal(answer.verdict.reason, REASON_STATUS_GREEN);
    assert_int_equal(answer.event.kind, EVENT_GRANTED);
    assert_int_equal(answer.event.status, STATUS_GREEN);

    declare(f, SUBJECT, STATUS_RED, NOW_S - 30);
    decide_payload(f, 3, CCCD, &answer);
    assert_int_equal(answer.verdict.action, VERDICT_DENY);
    assert_int_equal(answer.event.kind, EVENT_DENIED);
    assert_int_equal(answer.event.reason, REASON_STATUS_RED);
    assert_int_equal(answer.unsent_rows, 3);
    assert_int_equal(rows_that_hold(f->settings.path), 3);
}

static void old_declaration_has_expired(void **state)
{
    struct fixture *f = *state;
    struct journal_answer answer;
    declare(f, SUBJECT, STATUS_GREEN, NOW_S - 73 * 3600);
    decide_payload(f, 1, CCCD, &answer);
    assert_int_equal(answer.verdict.reason, REASON_STATUS_EXPIRED);
    assert_int_equal(answer.event.kind, EVENT_DENIED);
}

static void token_carries_its_declaration(void **state)
{
    struct fixture *f = *state;
    struct journal_answer answer;
    char text[TOKEN_TEXT_BYTES], person[JOURNAL_ID_BYTES];
    struct token_claims claims = { .issuer = "ward",
                                   .subject = "staff:17",
                                   .status = STATUS_GREEN,
                                   .issued_at_s = NOW_S - 10,
                                   .expires_at_s = NOW_S + 3600 };
    assert_true(token_write(&claims, (const uint8_t *)"k1", 2, f->signing_key, text, sizeof(text)) > 0);
    decide_payload(f, 1, text, &answer);
    assert_int_equal(answer.error, 0);
    assert_int_equal(answer.verdict.action, VERDICT_OPEN);
    assert_int_equal(answer.event.credential, CREDENTIAL_SITE_TOKEN);
    register_person(f->settings.site_key, "staff:17", person);
    assert_string_equal(answer.event.person, person);

    /* a stranger's key under our kid */
    uint8_t public_key[crypto_sign_PUBLICKEYBYTES], forger[crypto_sign_SECRETKEYBYTES];
    assert_int_equal(crypto_sign_keypair(public_key, forger), 0);
    assert_true(token_write(&claims, (const uint8_t *)"k1", 2, forger, text, sizeof(text)) > 0);
    decide_payload(f, 2, text, &answer);
    assert_int_equal(answer.error, 0);
    assert_int_equal(answer.verdict.action, VERDICT_DENY);
    assert_int_equal(answer.verdict.reason, REASON_SIGNATURE_INVALID);
    assert_string_equal(answer.event.person, ""); /* a forger's word about a person isn't kept */
}

static void nonsense_is_denied_and_recorded(void **state)
{
    struct fixture *f = *state;
    struct journal_request request;
    struct journal_answer answer;
    decide_payload(f, 1, "hello", &answer);
    assert_int_equal(answer.error, 0);
    assert_int_equal(answer.event.kind, EVENT_DENIED);
    assert_int_equal(answer.event.reason, REASON_CODE_UNSUPPORTED);
    decide_payload(f, 2, "", &answer);
    assert_int_equal(answer.error, 0);
    assert_int_equal(answer.event.kind, EVENT_DENIED);
    decide_request(3, "x", &request);
    request.payload_bytes = CREDENTIAL_PAYLOAD_MAX_BYTES;
    memset(request.payload, 0xff, sizeof(request.payload));
    ask(f->journal, &request, &answer);
    assert_int_equal(answer.error, 0);
    assert_int_equal(answer.event.kind, EVENT_DENIED);
    request.payload_bytes = CREDENTIAL_PAYLOAD_MAX_BYTES + 1;
    ask(f->journal, &request, &answer);
    assert_int_equal(answer.error, -EMSGSIZE);
    assert_int_equal(answer.verdict.action, VERDICT_DENY);
    assert_int_equal(answer.verdict.reason, REASON_JOURNAL_FAILED);
    assert_int_equal(answer.unsent_rows, 3);
}

/* The register's requests through the queue; what they do is tested without the thread (test_judge.c, test_presence.c). */
static void register_requests_are_answered(void **state)
{
    struct fixture *f = *state;
    struct journal_request request = { .op = JOURNAL_DECLARE, .tag = 5 };
    struct journal_answer answer;
    (void)strcpy(request.declared.identities[0], SUBJECT);
    request.declared.declaration = (struct declaration){ .status = STATUS_GREEN, .declared_at_s = NOW_S - 60 };
    ask(f->journal, &request, &answer);
    assert_int_equal(answer.error, 0);
    assert_true(answer.taken);
    decide_payload(f, 1, CCCD, &answer);
    assert_int_equal(answer.verdict.action, VERDICT_OPEN);
    request.declared.declaration.status = STATUS_EXPIRED;
    ask(f->journal, &request, &answer);
    assert_int_equal(answer.error, -EINVAL);
    assert_false(answer.taken);
    request = (struct journal_request){ .op = JOURNAL_REVOKE };
    request.revocation = (struct revocation){ .token_id = { 1 }, .revoked_at_s = 5, .source = "mqtt" };
    ask(f->journal, &request, &answer);
    assert_int_equal(answer.error, 0);
    assert_true(answer.taken);
    request = (struct journal_request){ .op = JOURNAL_FOLLOW };
    request.passage = (struct followed_passage){
        .event_id = "f1", .direction = DIRECTION_OUT, .at_us = 5, .lane = "lane2" };
    register_person(f->settings.site_key, SUBJECT, request.passage.person);
    ask(f->journal, &request, &answer);
    assert_int_equal(answer.error, 0);
    assert_true(answer.taken);
    ask(f->journal, &request, &answer);
    assert_false(answer.taken);
}

static void decision_retried_is_the_same_decision(void **state)
{
    struct fixture *f = *state;
    struct journal_answer answer;
    declare(f, SUBJECT, STATUS_GREEN, NOW_S - 60);
    decide_payload(f, 1, CCCD, &answer);
    assert_int_equal(answer.verdict.action, VERDICT_OPEN);
    declare(f, SUBJECT, STATUS_RED, NOW_S - 30);
    decide_payload(f, 1, CCCD, &answer);
    assert_int_equal(answer.error, 0);
    assert_int_equal(answer.event.seq, 1);
    assert_int_equal(answer.verdict.action, VERDICT_OPEN);
    assert_int_equal(answer.unsent_rows, 1);
    /* another code under the same id never opens on the first one's verdict */
    decide_payload(f, 1, "022054000001||NGUYEN VAN A|01011954|Nam|Quang Ninh|01082022", &answer);
    assert_int_equal(answer.error, -EEXIST);
    assert_int_equal(answer.verdict.action, VERDICT_DENY);
    assert_int_equal(answer.unsent_rows, 1);
}

static void damaged_register_never_opens(void **state)
{
    struct fixture *f = *state;
    struct journal_answer answer;
    declare(f, SUBJECT, STATUS_GREEN, NOW_S - 60);
    sqlite3 *db = open_other(f->settings.path);
    run_sql(db, "UPDATE declaration SET status = 'purple'");
    (void)sqlite3_close(db);
    decide_payload(f, 1, CCCD, &answer);
    assert_int_equal(answer.error, -EILSEQ);
    assert_int_equal(answer.verdict.action, VERDICT_DENY);
    assert_int_equal(answer.verdict.reason, REASON_JOURNAL_FAILED);
    assert_int_equal(answer.unsent_rows, 0);
}

/* ---- faults ------------------------------------------------------------------------------------------------------ */

static void answers_wait_for_another_writer(void **state)
{
    struct fixture *f = *state;
    struct journal_request request;
    struct journal_answer answer;
    sqlite3 *db = open_other(f->settings.path);
    run_sql(db, "BEGIN IMMEDIATE");
    record_request(1, &request);
    const int64_t began_ms = now_ms();
    assert_int_equal(journal_submit(f->journal, &request), 0);
    assert_true(now_ms() - began_ms < 100); /* submitting never waits for the disk */
    (void)usleep(300000);
    assert_int_equal(journal_take(f->journal, &answer), 0);
    run_sql(db, "COMMIT");
    wait_answer(f->journal, &answer);
    assert_int_equal(answer.error, 0);
    assert_int_equal(answer.event.seq, 1);
    (void)sqlite3_close(db);
}

static void writer_that_never_ends_is_given_up(void **state)
{
    struct fixture *f = *state;
    struct journal_request request;
    struct journal_answer answer;
    sqlite3 *db = open_other(f->settings.path);
    run_sql(db, "BEGIN IMMEDIATE");
    decide_request(1, CCCD, &request);
    const int64_t began_ms = now_ms();
    ask(f->journal, &request, &answer);
    assert_int_equal(answer.error, -EBUSY);
    assert_true(now_ms() - began_ms >= DATABASE_BUSY_MS - 100);
    assert_int_equal(answer.verdict.action, VERDICT_DENY);
    assert_int_equal(answer.verdict.reason, REASON_JOURNAL_FAILED);
    run_sql(db, "ROLLBACK");
    (void)sqlite3_close(db);
    assert_int_equal(record(f->journal, 2), 1); /* the failed one took no number */
    assert_int_equal(rows_that_hold(f->settings.path), 1);
}

static void failed_commit_is_never_a_success(void **state)
{
    struct fixture *f = *state;
    struct journal_request request;
    struct journal_answer answer;
    struct rlimit limit, small;
    char wal[JOURNAL_PATH_BYTES + 8];
    struct stat status;
    assert_int_equal(record(f->journal, 1), 1);
    (void)snprintf(wal, sizeof(wal), "%s-wal", f->settings.path);
    assert_int_equal(stat(wal, &status), 0);

    /* The log may not grow any more: the write fails in the middle of the commit. (The journal's thread blocks
     * SIGXFSZ.) */
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    small = limit;
    small.rlim_cur = (rlim_t)status.st_size + 4096;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    record_request(2, &request);
    const int submitted = journal_submit(f->journal, &request);
    struct pollfd fd = { .fd = journal_fd(f->journal), .events = POLLIN };
    const int ready = poll(&fd, 1, ANSWER_WITHIN_MS);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_int_equal(submitted, 0);
    assert_int_equal(ready, 1);
    assert_int_equal(journal_take(f->journal, &answer), 1);
    assert_true(answer.error < 0);
    assert_int_equal(answer.verdict.action, VERDICT_DENY);
    assert_int_equal(answer.unsent_rows, 1);

    assert_int_equal(record(f->journal, 2), 2); /* the retry, once there is room */
    reopen(f);
    assert_int_equal(record(f->journal, 3), 3);
    assert_int_equal(rows_that_hold(f->settings.path), 3);
}

static void full_queue_says_so_and_loses_nothing(void **state)
{
    struct fixture *f = *state;
    struct journal_request request;
    struct journal_answer answer;
    sqlite3 *db = open_other(f->settings.path);
    run_sql(db, "BEGIN IMMEDIATE"); /* the thread stands still */
    for (int i = 1; i <= JOURNAL_QUEUE_MAX; i++) {
        record_request(i, &request);
        assert_int_equal(journal_submit(f->journal, &request), 0);
    }
    record_request(1000, &request);
    assert_int_equal(journal_submit(f->journal, &request), -EAGAIN);
    run_sql(db, "COMMIT");
    (void)sqlite3_close(db);
    /* answered but not taken: still no room, since its answer would have none */
    (void)usleep(500000);
    assert_int_equal(journal_submit(f->journal, &request), -EAGAIN);
    for (int i = 1; i <= JOURNAL_QUEUE_MAX; i++) {
        wait_answer(f->journal, &answer);
        assert_int_equal(answer.error, 0);
        assert_int_equal(answer.tag, 1000 + i);
        assert_int_equal(answer.event.seq, i);
    }
    assert_int_equal(journal_take(f->journal, &answer), 0);
    assert_int_equal(record(f->journal, 1000), JOURNAL_QUEUE_MAX + 1);
}

static void closing_finishes_the_queue(void **state)
{
    struct fixture *f = *state;
    struct journal_request request;
    for (int i = 1; i <= 40; i++) {
        record_request(i, &request);
        assert_int_equal(journal_submit(f->journal, &request), 0);
    }
    journal_close(f->journal);
    f->journal = NULL;
    assert_int_equal(rows_that_hold(f->settings.path), 40);
    journal_close(NULL);
}

struct producer {
    struct journal *journal;
    const struct journal_settings *fresh;
    int submitted;
};

static void *produce(void *userdata)
{
    struct producer *producer = userdata;
    const struct journal_request requests[2] = { { .op = JOURNAL_PING },
                                                 { .op = JOURNAL_RELOAD, .fresh = producer->fresh } };
    while (producer->submitted < 3000)
        if (journal_submit(producer->journal, &requests[producer->submitted % 7 == 0]) == 0)
            producer->submitted++;
    return NULL;
}

/* ---- new settings ------------------------------------------------------------------------------------------------ */

static void new_policy_and_keys_count_from_the_next_code_on(void **state)
{
    struct fixture *f = *state;
    struct journal_answer answer;
    struct journal_settings *fresh = malloc(sizeof(*fresh));
    assert_non_null(fresh);
    declare(f, SUBJECT, STATUS_YELLOW, NOW_S - 60);
    decide_payload(f, 1, CCCD, &answer);
    assert_int_equal(answer.verdict.action, VERDICT_HOLD);
    *fresh = f->settings;
    fresh->policy.by_status[STATUS_YELLOW] = VERDICT_OPEN;
    fresh->trust.count = 0;
    assert_int_equal(reload(f, fresh), 0);
    memset(fresh, 0xff, sizeof(*fresh)); /* was borrowed until the answer, no longer */
    decide_payload(f, 2, CCCD, &answer);
    assert_int_equal(answer.verdict.action, VERDICT_OPEN);
    assert_int_equal(answer.event.seq, 2);

    assert_int_equal(reload(f, NULL), -EINVAL);
    for (int change = 0; change < 4; change++) {
        *fresh = f->settings;
        fresh->policy.by_status[STATUS_YELLOW] = VERDICT_DENY;
        if (change == 0)
            (void)strcat(fresh->path, "2");
        else if (change == 1)
            fresh->site_key[31] ^= 1;
        else if (change == 2)
            fresh->has_sensor = !fresh->has_sensor;
        else
            (void)strcpy(fresh->lane, "lane9");
        assert_int_equal(reload(f, fresh), -EPERM);
    }
    decide_payload(f, 3, CCCD, &answer); /* a refused one changed nothing */
    assert_int_equal(answer.verdict.action, VERDICT_OPEN);
    free(fresh);
}

static void a_refused_event_does_not_stop_those_behind_it(void **state)
{
    static const int answers[] = { -EEXIST, -EINVAL, -ENOSPC, 0 };
    struct pending *pending = calloc(1, sizeof(*pending));
    (void)state;
    assert_non_null(pending);
    for (int i = 0; i < 3; i++)
        assert_true(pending_add(pending, &(struct event){ .kind = EVENT_COMPLETED, .seq = i }));
    for (int i = 0; i < 4; i++) {
        const struct event *event = pending_next(pending, i * INT64_C(1000000));
        assert_non_null(event);
        assert_int_equal(event->seq, i < 2 ? i : 2); /* a full disk may have room later */
        pending_offered(pending);
        pending_answer(pending, answers[i], i * INT64_C(1000000));
    }
    assert_int_equal(pending->count, 0);
    assert_int_equal(pending->refused, 2);
    assert_int_equal(pending->dropped, 0);
    free(pending);
}

static void threads_agree(void **state) /* for -fsanitize=thread: the ring at full speed, full and empty by turns */
{
    struct fixture *f = *state;
    struct producer producer = { .journal = f->journal, .fresh = &f->settings };
    struct journal_answer answer;
    pthread_t thread;
    int taken = 0;
    assert_int_equal(pthread_create(&thread, NULL, produce, &producer), 0);
    while (taken < 3000) {
        wait_answer(f->journal, &answer);
        do
            taken++;
        while (journal_take(f->journal, &answer) == 1);
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(taken, 3000);
}

/* ---- opening ----------------------------------------------------------------------------------------------------- */

static void refused(struct fixture *f, int error, const char *const words[])
{
    struct journal *journal = NULL;
    char why[512] = "";
    const int result = journal_open(&f->settings, &journal, why, sizeof(why));
    if (result != error)
        fail_msg("%d (%s) instead of %d: %s", result, strerror(-result), error, why);
    assert_null(journal);
    for (; *words; words++)
        if (!strstr(why, *words))
            fail_msg("'%s' isn't in: %s", *words, why);
}

static void newer_version_is_refused(void **state)
{
    struct fixture *f = *state;
    char ours[32];
    journal_close(f->journal);
    f->journal = NULL;
    sqlite3 *db = open_other(f->settings.path);
    run_sql(db, "PRAGMA user_version = 99");
    (void)sqlite3_close(db);
    (void)snprintf(ours, sizeof(ours), "up to %d", JOURNAL_SCHEMA_VERSION);
    refused(f, -EPROTO, (const char *const[]){ f->settings.path, "99", ours, "install the newer qrgate", NULL });
}

static void foreign_files_are_refused_and_left_alone(void **state)
{
    struct fixture *f = *state;
    journal_close(f->journal);
    f->journal = NULL;
    (void)snprintf(f->settings.path, sizeof(f->settings.path), "%s/text", f->folder);
    FILE *file = fopen(f->settings.path, "we");
    assert_non_null(file);
    for (int i = 0; i < 100; i++)
        assert_true(fputs("This is not a database, it is a letter.\n", file) >= 0);
    assert_int_equal(fclose(file), 0);
    refused(f, -EBADMSG, (const char *const[]){ f->settings.path, "not a", "move it away", NULL });
    struct stat status;
    assert_int_equal(stat(f->settings.path, &status), 0);
    assert_int_equal(status.st_size, 4000);

    (void)snprintf(f->settings.path, sizeof(f->settings.path), "%s/other.db", f->folder);
    sqlite3 *db = open_other(f->settings.path);
    run_sql(db, "CREATE TABLE recipes (name TEXT)");
    (void)sqlite3_close(db);
    refused(f, -EPROTO, (const char *const[]){ f->settings.path, "another program", "journal.path", NULL });
}

static void missing_folder_is_named(void **state)
{
    struct fixture *f = *state;
    (void)snprintf(f->settings.path, sizeof(f->settings.path), "%s/no/such/journal.db", f->folder);
    refused(f, -ENOENT,
            (const char *const[]){ f->settings.path, "there is no folder", "/no/such;", "journal.path", NULL });
}

static int64_t number_in(const char *path, const char *sql)
{
    int error;
    sqlite3 *db = open_other(path);
    const int64_t number = database_number(db, sql, &error);
    assert_int_equal(error, 0);
    (void)sqlite3_close(db);
    return number;
}

/* Another lane's daemon, with another lane's name and key, while somebody is on the way through this one. */
static void second_daemon_is_refused_and_writes_nothing(void **state)
{
    struct fixture *f = *state;
    struct journal_request request;
    struct journal_answer answer;
    f->settings.has_sensor = true;
    (void)strcpy(f->settings.lane, "lane1");
    reopen(f);
    declare(f, SUBJECT, STATUS_GREEN, NOW_S - 60);
    decide_payload(f, 1, CCCD, &answer);
    assert_int_equal(answer.event.kind, EVENT_GRANTED);

    const struct journal_settings first = f->settings;
    (void)strcpy(f->settings.lane, "lane2");
    memset(f->settings.site_key, 0x77, sizeof(f->settings.site_key));
    refused(f, -EBUSY, (const char *const[]){ f->settings.path, "another qrgated", "journal.path", NULL });
    f->settings = first;
    assert_int_equal(number_in(f->settings.path, "SELECT count(*) FROM event"), 1);
    assert_int_equal(number_in(f->settings.path, "SELECT count(*) FROM about WHERE value = 'lane1'"), 1);
    assert_int_equal(number_in(f->settings.path, "SELECT count(*) FROM site_key"), 1);
    record_request(2, &request);
    request.event.kind = EVENT_COMPLETED; /* the passage under way still has its own end */
    request.event.reason = REASON_NONE;
    memcpy(request.event.bound_event_id, answer.event.event_id, sizeof(request.event.bound_event_id));
    ask(f->journal, &request, &answer);
    assert_int_equal(answer.error, 0);
    assert_int_equal(rows_that_hold(f->settings.path), 2);
}

/* As at a first start by root: the lock is the folder's owner's as the journal is, also when the start then fails. */
static void lock_belongs_to_the_folders_owner(void **state)
{
    struct fixture *f = *state;
    char lock[JOURNAL_PATH_BYTES + 8];
    struct stat status;
    const uid_t owner = geteuid() == 0 ? 65534 : geteuid();
    journal_close(f->journal);
    f->journal = NULL;
    assert_int_equal(chown(f->folder, owner, (gid_t)-1), 0);
    for (int damaged = 0; damaged < 2; damaged++) {
        (void)snprintf(f->settings.path, sizeof(f->settings.path), "%s/%d.db", f->folder, damaged);
        if (damaged) {
            sqlite3 *db = open_other(f->settings.path);
            run_sql(db, "CREATE TABLE recipes (name TEXT)");
            (void)sqlite3_close(db);
            assert_int_equal(chown(f->settings.path, owner, (gid_t)-1), 0);
            refused(f, -EPROTO, (const char *const[]){ "another program", NULL });
        } else {
            reopen(f);
        }
        (void)snprintf(lock, sizeof(lock), "%s.lock", f->settings.path);
        assert_int_equal(stat(lock, &status), 0);
        assert_int_equal(status.st_uid, owner);
    }
}

static void file_is_not_for_everybody(void **state)
{
    struct fixture *f = *state;
    struct stat status;
    assert_int_equal(stat(f->settings.path, &status), 0);
    assert_int_equal(status.st_mode & 07, 0);
}

/* As a user without rights: 0 when the journal was refused for the right reason. */
static int refused_as_nobody(const struct journal_settings *settings)
{
    struct journal *journal = NULL;
    char why[512] = "";
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (geteuid() == 0 && (setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0))
            _exit(9);
        const int error = journal_open(settings, &journal, why, sizeof(why));
        const bool good = error == -EACCES && strstr(why, settings->path) && strstr(why, "user that runs qrgate");
        if (!good)
            (void)fprintf(stderr, "%d: %s\n", error, why);
        _exit(good ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 99;
}

static void unwritable_is_explained(void **state)
{
    struct fixture *f = *state;
    journal_close(f->journal);
    f->journal = NULL;
    assert_int_equal(chmod(f->settings.path, 0444), 0);
    assert_int_equal(chmod(f->folder, 0555), 0);
    assert_int_equal(refused_as_nobody(&f->settings), 0); /* a file that may only be read */
    (void)snprintf(f->settings.path, sizeof(f->settings.path), "%s/new.db", f->folder);
    assert_int_equal(refused_as_nobody(&f->settings), 0); /* a folder that may only be read */
    assert_int_equal(chmod(f->folder, 0755), 0);
}

/* ---- kill -9 ----------------------------------------------------------------------------------------------------- */

/* The child of the next test, a program of its own: records for ever, and prints each seq once it is answered. */
static int record_until_killed(const char *path)
{
    struct journal_settings settings;
    struct journal *journal;
    struct journal_request request;
    struct journal_answer answer;
    char why[512];
    fill_settings(&settings, path);
    if (journal_open(&settings, &journal, why, sizeof(why)) < 0)
        return 1;
    for (;;) {
        struct pollfd fd = { .fd = journal_fd(journal), .events = POLLIN };
        uint8_t id[16];
        record_request(1, &request);
        randombytes_buf(id, sizeof(id));
        (void)sodium_bin2hex(request.event.event_id, sizeof(request.event.event_id), id, sizeof(id));
        if (journal_submit(journal, &request) < 0 || poll(&fd, 1, ANSWER_WITHIN_MS) != 1 ||
            journal_take(journal, &answer) != 1 || answer.error < 0)
            return 2;
        if (write(STDOUT_FILENO, &answer.event.seq, sizeof(answer.event.seq)) != sizeof(answer.event.seq))
            return 3;
    }
}

static void what_was_answered_survives_kill(void **state)
{
    struct fixture *f = *state;
    int64_t seq, last = 0;
    journal_close(f->journal);
    f->journal = NULL;
    for (int round = 0; round < 5; round++) {
        int ends[2];
        assert_int_equal(pipe(ends), 0);
        const pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            if (dup2(ends[1], STDOUT_FILENO) < 0 || close(ends[0]) < 0 || close(ends[1]) < 0)
                _exit(9);
            (void)execl("/proc/self/exe", "test_journal", "--record-until-killed", f->settings.path, (char *)NULL);
            _exit(9);
        }
        (void)close(ends[1]);
        for (int answered = 0; answered < 20 + round * 7; answered++) {
            assert_int_equal(read(ends[0], &seq, sizeof(seq)), sizeof(seq));
            assert_int_equal(seq, last + 1);
            last = seq;
        }
        assert_int_equal(kill(child, SIGKILL), 0);
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        while (read(ends[0], &seq, sizeof(seq)) == sizeof(seq))
            last = seq;
        (void)close(ends[0]);
        /* The chain is checked from 1 on without a gap; one row may be there whose answer came no more. */
        const int64_t rows = rows_that_hold(f->settings.path);
        assert_true(rows >= last && rows <= last + 1);
        last = rows;
    }
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "--record-until-killed") == 0)
        return record_until_killed(argv[2]);
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(ping_is_answered),
        TEST(seq_has_no_gap_and_reopening_keeps_all),
        TEST(each_answer_tells_the_newest_row_and_the_open_journal_where_this_run_began),
        TEST(ping_tells_the_room),
        TEST(every_field_comes_back),
        TEST(bad_events_are_refused),
        TEST(retry_is_recorded_once),
        TEST(unsent_rows_come_in_order_until_marked),
        TEST(card_is_decided_by_the_register),
        TEST(old_declaration_has_expired),
        TEST(token_carries_its_declaration),
        TEST(nonsense_is_denied_and_recorded),
        TEST(register_requests_are_answered),
        TEST(decision_retried_is_the_same_decision),
        TEST(damaged_register_never_opens),
        TEST(answers_wait_for_another_writer),
        TEST(writer_that_never_ends_is_given_up),
        TEST(failed_commit_is_never_a_success),
        TEST(full_queue_says_so_and_loses_nothing),
        TEST(closing_finishes_the_queue),
        TEST(new_policy_and_keys_count_from_the_next_code_on),
        TEST(a_refused_event_does_not_stop_those_behind_it),
        TEST(threads_agree),
        TEST(newer_version_is_refused),
        TEST(foreign_files_are_refused_and_left_alone),
        TEST(missing_folder_is_named),
        TEST(second_daemon_is_refused_and_writes_nothing),
        TEST(lock_belongs_to_the_folders_owner),
        TEST(file_is_not_for_everybody),
        TEST(unwritable_is_explained),
        TEST(what_was_answered_survives_kill),
    };
    return cmocka_run_group_tests_name("journal", tests, NULL, NULL);
}
