/* Measures the register and the journal on this machine's disk: import, look-up with few and with many people,
 * decide-and-record with its time split into waiting for the disk and the rest, a backlog read and marked by
 * batches, and how long a request of the purge keeps a decision waiting. Run by `make bench`; judges nothing.
 *
 * bench_journal FILE [PERSONS]     FILE.small, FILE.large and FILE.journal are made and removed */
#include <errno.h>
#include <sodium.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "daemon/journal/database.h"
#include "daemon/journal/worker.h"

enum { SMALL = 10000, LARGE = 1000000, PER_TRANSACTION = 10000, LOOK_UPS = 50000, ROUNDS = 7, DECISIONS = 1000,
       BACKLOG = 100000 };
enum { NUMBERS_EVERY = 4 }; /* every fourth person has a second number */

static const uint8_t SITE_KEY[32] = { 1, 2, 3 };

static int64_t now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static int failed(const char *what, int error)
{
    (void)fprintf(stderr, "bench_journal: %s: %s\n", what, strerror(-error));
    return error;
}

static void remove_database(const char *path)
{
    static const char *const ends[] = { "", "-wal", "-shm", ".lock", ".reserve" };
    char name[JOURNAL_PATH_BYTES + 16];
    for (int i = 0; i < 5; i++) {
        (void)snprintf(name, sizeof(name), "%s%s", path, ends[i]);
        (void)unlink(name); /* may not be there */
    }
}

static void subject_of(int64_t i, char ret[CREDENTIAL_SUBJECT_BYTES])
{
    (void)snprintf(ret, CREDENTIAL_SUBJECT_BYTES, "cccd:%012lld", (long long)i);
}

static void alias_of(int64_t i, char ret[CREDENTIAL_SUBJECT_BYTES])
{
    (void)snprintf(ret, CREDENTIAL_SUBJECT_BYTES, "bhyt:%010lld", (long long)i);
}

static int import_people(struct register_writer *writer, int64_t persons)
{
    struct declared declared = { .source = "import", .declaration = { .status = STATUS_GREEN } };
    bool taken;
    int error = 0;
    for (int64_t i = 0; i < persons && error == 0; i++) {
        if (i % PER_TRANSACTION == 0)
            error = database_run(writer->db, "BEGIN IMMEDIATE");
        subject_of(i, declared.identities[0]);
        declared.identities[1][0] = '\0';
        if (i % NUMBERS_EVERY == 0)
            alias_of(i, declared.identities[1]);
        declared.declaration.declared_at_s = 1790000000 + i % 86400;
        declared.declaration.answers.symptoms = i % 50 == 0 ? 1u << SYMPTOM_COUGH : 0;
        if (error == 0)
            error = register_write(writer, &declared, &taken);
        if (error == 0 && (i % PER_TRANSACTION == PER_TRANSACTION - 1 || i == persons - 1))
            error = database_run(writer->db, "COMMIT");
    }
    return error;
}

/* As a decision does it, inside a transaction: who is it, and what did they declare. Nanoseconds each; the best of
 * several rounds, for the machine does other things too. */
static int look_up(struct register_writer *writer, int64_t persons, bool by_second_number, double *ret_ns)
{
    struct credential credential = { .kind = CREDENTIAL_CCCD };
    struct declaration declaration;
    char person[JOURNAL_ID_BYTES];
    bool conflict;
    uint64_t random = 88172645463325252u; /* any but 0: the same people in every run */
    int error = database_run(writer->db, "BEGIN");
    *ret_ns = 1e18;
    for (int round = 0; round < ROUNDS && error == 0; round++) {
        const int64_t began_ns = now_ns();
        for (int i = 0; i < LOOK_UPS && error == 0; i++) {
            random ^= random << 13, random ^= random >> 7, random ^= random << 17;
            const int64_t who = (int64_t)(random % (uint64_t)persons);
            if (by_second_number)
                alias_of(who - who % NUMBERS_EVERY, credential.subject);
            else
                subject_of(who, credential.subject);
            error = register_identify(writer, &credential, person, &conflict);
            if (error == 0)
                error = register_find(writer, person, &declaration);
            if (error == 0 && !declaration.found)
                error = -ENOENT;
        }
        const double ns = (double)(now_ns() - began_ns) / LOOK_UPS;
        *ret_ns = ns < *ret_ns ? ns : *ret_ns;
    }
    const int end_error = database_run(writer->db, "COMMIT");
    return error < 0 ? error : end_error;
}

/* Imports, then looks up on a connection as the daemon's: with its small cache. */
static int measure_register(const char *path, int64_t persons, double ret_ns[2])
{
    struct register_writer writer = { .db = NULL };
    char why[512];
    sqlite3 *db = NULL;
    remove_database(path);
    int error = database_open(path, &db, why, sizeof(why));
    if (error < 0) {
        (void)fprintf(stderr, "bench_journal: %s\n", why);
        return error;
    }
    const int64_t began_ns = now_ns();
    error = database_tune_import(db);
    if (error == 0)
        error = register_writer_open(db, SITE_KEY, &writer);
    if (error == 0)
        error = import_people(&writer, persons);
    register_writer_close(&writer);
    (void)sqlite3_close(db); /* copies the log into the file: part of the price */
    if (error < 0)
        return failed("import", error);
    const double seconds = (double)(now_ns() - began_ns) / 1e9;
    (void)printf("import %lld people: %.1f s, %.0f a second\n", (long long)persons, seconds, (double)persons / seconds);

    error = database_open(path, &db, why, sizeof(why));
    if (error == 0)
        error = register_writer_open(db, SITE_KEY, &writer);
    if (error == 0)
        error = look_up(&writer, persons, false, &ret_ns[0]);
    if (error == 0)
        error = look_up(&writer, persons, true, &ret_ns[1]);
    register_writer_close(&writer);
    (void)sqlite3_close(db);
    if (error < 0)
        return failed("look-up", error);
    (void)printf("look-up with %lld people: %.0f ns; by a second number %.0f ns\n", (long long)persons, ret_ns[0],
                 ret_ns[1]);
    return 0;
}

static int decide_once(struct worker *worker, struct journal_request *request, int number)
{
    struct journal_answer answer;
    char card[128];
    *request = (struct journal_request){ .op = JOURNAL_DECIDE };
    request->event = (struct event){ .at_us = 1790000000000000 + number, .monotonic_us = number, .clock_trusted = true };
    (void)snprintf(request->event.event_id, sizeof(request->event.event_id), "%032x", (unsigned)number);
    const int length = snprintf(card, sizeof(card), "%012d||NGUYEN VAN A|01012001|Nam|Quang Ninh|01082022", number);
    request->payload_bytes = (uint32_t)length;
    memcpy(request->payload, card, (size_t)length);
    worker_do(worker, request, &answer);
    return answer.error;
}

static int decide_many(struct worker *worker, struct journal_request *request, int first, double *ret_us)
{
    const int64_t began_ns = now_ns();
    int error = 0;
    for (int i = 0; i < DECISIONS && error == 0; i++)
        error = decide_once(worker, request, first + i);
    *ret_us = (double)(now_ns() - began_ns) / 1e3 / DECISIONS;
    return error;
}

static int measure_decisions(const char *path, struct journal_settings *settings, struct journal_request *request)
{
    struct worker worker = { .settings = NULL };
    char why[512];
    double rest_us = 0, all_us = 0;
    remove_database(path);
    memcpy(settings->site_key, SITE_KEY, sizeof(SITE_KEY));
    settings->policy.by_status[STATUS_NONE] = VERDICT_HOLD;
    settings->policy.direction = DIRECTION_IN;
    (void)snprintf(settings->path, sizeof(settings->path), "%s", path);
    int error = worker_open(&worker, settings, why, sizeof(why));
    if (error < 0) {
        (void)fprintf(stderr, "bench_journal: %s\n", why);
        return error;
    }
    error = decide_many(&worker, request, 1, &rest_us); /* not counted: caches, the first pages */
    if (error == 0)
        error = database_run(worker.store.db, "PRAGMA synchronous = OFF");
    if (error == 0)
        error = decide_many(&worker, request, 1 + DECISIONS, &rest_us);
    if (error == 0)
        error = database_run(worker.store.db, "PRAGMA synchronous = FULL");
    if (error == 0)
        error = decide_many(&worker, request, 1 + 2 * DECISIONS, &all_us);
    worker_close(&worker);
    if (error < 0)
        return failed("decide and record", error);
    (void)printf("decide and record: %.0f us each, %.0f a second; of that the disk (fsync) %.0f us, the rest %.0f us\n",
                 all_us, 1e6 / all_us, all_us > rest_us ? all_us - rest_us : 0.0, rest_us);
    return 0;
}

/* ---- the backlog ------------------------------------------------------------------------------------------------- */

static int record_backlog(struct worker *worker, struct journal_request *request)
{
    struct journal_answer answer;
    int error = database_run(worker->store.db, "PRAGMA synchronous = OFF"); /* only to get there */
    for (int i = 0; i < BACKLOG && error == 0; i++) {
        *request = (struct journal_request){ .op = JOURNAL_RECORD };
        request->event = (struct event){ .kind = EVENT_ALARM_BEGIN, .reason = REASON_NONE, .alarm = "forced",
                                         .at_us = 1790000000000000 + i, .clock_trusted = true };
        uint8_t id[16];
        randombytes_buf(id, sizeof(id)); /* as real ones: the index of ids is written all over */
        (void)sodium_bin2hex(request->event.event_id, sizeof(request->event.event_id), id, sizeof(id));
        worker_do(worker, request, &answer);
        error = answer.error;
    }
    return error < 0 ? error : database_run(worker->store.db, "PRAGMA synchronous = FULL");
}

/* As the outbox with a broker that acknowledges at once. */
static int drain(struct worker *worker, struct journal_request *request, struct journal_batch *batch)
{
    struct journal_answer answer = { .error = 0 };
    int64_t after_seq = 0, longest_ns = 0;
    const int64_t began_ns = now_ns();
    for (;;) {
        const int64_t at_ns = now_ns();
        *request = (struct journal_request){ .op = JOURNAL_READ, .after_seq = after_seq, .batch = batch };
        batch->count = JOURNAL_BATCH_MAX;
        worker_do(worker, request, &answer);
        if (answer.error < 0 || batch->count == 0)
            break;
        after_seq = batch->events[batch->count - 1].seq;
        for (int i = 0; i < batch->count; i++)
            batch->seqs[i] = batch->events[i].seq;
        request->op = JOURNAL_MARK;
        worker_do(worker, request, &answer);
        if (answer.error < 0)
            break;
        longest_ns = now_ns() - at_ns > longest_ns ? now_ns() - at_ns : longest_ns;
    }
    (void)printf("drain of %d rows, read and marked by %d: %.0f rows a second, the longest step %.1f ms\n", (int)BACKLOG,
                 (int)JOURNAL_BATCH_MAX, BACKLOG / ((double)(now_ns() - began_ns) / 1e9), (double)longest_ns / 1e6);
    return answer.unsent_rows == 0 ? answer.error : -EIO;
}

static int compare_ns(const void *a, const void *b)
{
    const int64_t first = *(const int64_t *)a, second = *(const int64_t *)b;
    return (first > second) - (first < second);
}

static int purge(struct worker *worker, struct journal_request *request)
{
    static int64_t step_ns[BACKLOG];
    struct journal_answer answer = { .more = true };
    int steps = 0;
    const int64_t began_ns = now_ns();
    while (answer.error == 0 && answer.more && steps < BACKLOG) {
        const int64_t at_ns = now_ns();
        *request = (struct journal_request){ .op = JOURNAL_PURGE };
        request->event = (struct event){ .at_us = 1890000000000000, .clock_trusted = true };
        worker_do(worker, request, &answer);
        step_ns[steps++] = now_ns() - at_ns;
    }
    qsort(step_ns, (size_t)steps, sizeof(step_ns[0]), compare_ns);
    (void)printf("purge of %d rows: %.0f rows a second; a step of %d rows p50 %.1f ms, p99 %.1f ms, longest %.1f ms\n",
                 (int)BACKLOG, BACKLOG / ((double)(now_ns() - began_ns) / 1e9), (int)PURGE_ROWS_MAX,
                 (double)step_ns[steps / 2] / 1e6, (double)step_ns[steps * 99 / 100] / 1e6, (double)step_ns[steps - 1] / 1e6);
    return answer.error;
}

static int measure_backlog(const char *path, struct journal_settings *settings, struct journal_request *request)
{
    static struct journal_batch batch;
    struct worker worker = { .settings = NULL };
    char why[512];
    remove_database(path);
    settings->keep_days = 1;
    (void)snprintf(settings->path, sizeof(settings->path), "%s", path);
    int error = worker_open(&worker, settings, why, sizeof(why));
    if (error < 0) {
        (void)fprintf(stderr, "bench_journal: %s\n", why);
        return error;
    }
    error = record_backlog(&worker, request);
    if (error == 0)
        error = drain(&worker, request, &batch);
    if (error == 0)
        error = purge(&worker, request);
    worker_close(&worker);
    return error < 0 ? failed("backlog", error) : 0;
}

int main(int argc, char **argv)
{
    static struct journal_settings settings;
    static struct journal_request request;
    char path[JOURNAL_PATH_BYTES];
    double small_ns[2] = { 0 }, large_ns[2] = { 0 };
    const long long persons = argc == 3 ? strtoll(argv[2], NULL, 10) : LARGE;
    if (argc < 2 || argc > 3 || strlen(argv[1]) > sizeof(path) - 16 || persons < 1 || persons > 100000000) {
        (void)fprintf(stderr, "usage: bench_journal FILE [PERSONS, 1 to 100000000]\n");
        return 2;
    }
    if (sodium_init() < 0)
        return 1;
    (void)snprintf(path, sizeof(path), "%s.small", argv[1]);
    int error = measure_register(path, SMALL, small_ns);
    remove_database(path);
    (void)snprintf(path, sizeof(path), "%s.large", argv[1]);
    if (error == 0)
        error = measure_register(path, persons, large_ns);
    remove_database(path);
    if (error == 0)
        (void)printf("look-up, %lld people to %d: ratio %.2f; by a second number %.2f\n", persons, (int)SMALL,
                     large_ns[0] / small_ns[0], large_ns[1] / small_ns[1]);
    (void)snprintf(path, sizeof(path), "%s.journal", argv[1]);
    if (error == 0)
        error = measure_decisions(path, &settings, &request);
    if (error == 0)
        error = measure_backlog(path, &settings, &request);
    remove_database(path);
    return error == 0 ? 0 : 1;
}
