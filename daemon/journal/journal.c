/* The journal's thread: takes requests from the main thread through a ring, does each in one transaction, answers by
 * eventfd.
 *
 * One ring of slots holds request and answer together. Three counters run along it: taken <= done <= submitted <= taken
 * + the ring's length. So an answer always has its place (it can't overflow), answers keep the order of requests, and
 * the mutex guards only the counters: a slot belongs to the journal thread between submitted and done, to the main
 * thread otherwise. */
#include "daemon/journal/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/journal/register.h"
#include "daemon/journal/store.h"

struct slot {
    struct journal_request request;
    struct journal_answer answer;
};

struct journal {
    struct journal_settings settings; /* const after journal_open() */
    struct store store;               /* the thread's alone while it runs */
    int lock_fd, event_fd;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t submitted_or_closing;
    uint64_t submitted, done, taken; /* under the mutex, and so is: */
    bool closing;
    struct slot slots[JOURNAL_QUEUE_MAX];
};

/* ---- the journal thread ------------------------------------------------------------------------------------------ */

static enum event_kind kind_of_action(enum verdict_action action)
{
    return action == VERDICT_OPEN ? EVENT_GRANTED : action == VERDICT_HOLD ? EVENT_HELD : EVENT_DENIED;
}

static struct verdict verdict_of_event(const struct event *event)
{
    return (struct verdict){
        .action = event->kind == EVENT_GRANTED ? VERDICT_OPEN
                  : event->kind == EVENT_HELD  ? VERDICT_HOLD
                                               : VERDICT_DENY,
        .reason = event->reason,
        .status = event->status,
    };
}

/* Inside a transaction: payload -> credential -> declaration -> verdict, all but event_id and times of *event. */
static int judge(struct journal *journal, const struct journal_request *request, struct event *event)
{
    const struct journal_settings *settings = &journal->settings;
    struct declaration declaration = { .status = STATUS_NONE };
    struct credential credential;
    int error = 0;

    credential_read(request->payload, request->payload_bytes, &settings->trust, &credential);
    /* What a broken or forged code says of a person is not to be believed, and not to be kept. */
    const bool known = credential.fault == CREDENTIAL_OK && credential.subject[0] != '\0';
    if (known)
        register_person(settings->site_key, credential.subject, event->person);
    else
        event->person[0] = '\0';
    if (credential.fault == CREDENTIAL_OK && credential.has_status)
        declaration = (struct declaration){ true, credential.status, credential.issued_at_s };
    else if (known)
        error = store_find_declaration(&journal->store, event->person, &declaration);

    const struct verdict verdict = decide(&credential, &declaration, &settings->policy, request->event.at_us / 1000000,
                                          request->event.clock_trusted);
    event->kind = kind_of_action(verdict.action);
    event->reason = verdict.reason;
    event->status = verdict.status;
    event->credential = credential.kind;
    (void)snprintf(event->detail, sizeof(event->detail), "%s", credential.detail);
    sodium_memzero(&credential, sizeof(credential)); /* a name and a number: no longer than needed */
    return error;
}

/* A retry brings the same event_id: the row that is there is the answer. Another person's or another kind's under that
 * id is a fault of the caller, and must not open. 1: answered; 0: new. */
static int find_repeat(struct journal *journal, const struct event *wanted, bool decided, struct event *ret)
{
    struct event stored;
    const int found = store_find(&journal->store, wanted->event_id, &stored);
    if (found <= 0)
        return found;
    if (decided && (strcmp(stored.person, wanted->person) != 0 || stored.credential != wanted->credential ||
                    (stored.kind != EVENT_GRANTED && stored.kind != EVENT_HELD && stored.kind != EVENT_DENIED)))
        return -EEXIST;
    *ret = stored;
    return 1;
}

static int decide_and_record(struct journal *journal, const struct journal_request *request,
                             struct journal_answer *answer)
{
    const bool decided = request->op == JOURNAL_DECIDE;
    struct event event = request->event;
    uint8_t salt[CHAIN_SALT_BYTES];
    int repeated = 0;

    if (decided && request->payload_bytes > sizeof(request->payload))
        return -EMSGSIZE;
    if (decided) { /* of the caller's event only these count */
        event = (struct event){ .at_us = event.at_us,
                                .monotonic_us = event.monotonic_us,
                                .clock_trusted = event.clock_trusted };
        memcpy(event.event_id, request->event.event_id, sizeof(event.event_id));
    }
    if (!memchr(event.event_id, '\0', sizeof(event.event_id)))
        return -EINVAL;
    randombytes_buf(salt, sizeof(salt));

    int error = store_begin(&journal->store);
    if (error < 0)
        return error;
    if (decided)
        error = judge(journal, request, &event);
    if (error == 0)
        error = repeated = find_repeat(journal, &event, decided, &answer->event);
    if (error == 0)
        error = store_insert(&journal->store, &event, salt);
    if (error < 0 || repeated == 1)
        store_rollback(&journal->store);
    else
        error = store_commit(&journal->store);
    if (error < 0)
        return error;
    if (repeated == 0)
        answer->event = event;
    if (decided)
        answer->verdict = verdict_of_event(&answer->event);
    return 0;
}

static int mark_sent(struct journal *journal, int64_t seq)
{
    int error = store_begin(&journal->store);
    if (error < 0)
        return error;
    error = store_mark_sent(&journal->store, seq);
    if (error < 0)
        store_rollback(&journal->store);
    else
        error = store_commit(&journal->store);
    return error;
}

static void work(struct journal *journal, struct journal_request *request, struct journal_answer *answer)
{
    *answer = (struct journal_answer){ .op = request->op, .tag = request->tag };
    int result = -EINVAL;
    switch (request->op) {
    case JOURNAL_DECIDE:
    case JOURNAL_RECORD:
        result = decide_and_record(journal, request, answer);
        sodium_memzero(request->payload,
                       request->payload_bytes <= sizeof(request->payload) ? request->payload_bytes : 0);
        break;
    case JOURNAL_READ_UNSENT:
        result = store_next_unsent(&journal->store, request->after_seq, &answer->event);
        answer->found = result == 1;
        break;
    case JOURNAL_MARK_SENT: result = mark_sent(journal, request->after_seq); break;
    case JOURNAL_PING: result = 0; break;
    }
    if (result < 0) {
        answer->error = result;
        answer->event = request->event;
        answer->event.seq = 0;
        answer->verdict =
            (struct verdict){ .action = VERDICT_DENY, .reason = REASON_JOURNAL_FAILED, .status = STATUS_NONE };
    }
    answer->unsent_rows = journal->store.unsent_rows;
}

/* Locking an error-free default mutex that its holders always release can't fail; hence the casts. */
static void *run(void *userdata)
{
    struct journal *journal = userdata;
    const uint64_t one = 1;
    (void)pthread_mutex_lock(&journal->mutex);
    for (;;) {
        while (journal->done == journal->submitted && !journal->closing)
            (void)pthread_cond_wait(&journal->submitted_or_closing, &journal->mutex);
        if (journal->done == journal->submitted) /* closing, and nothing is left */
            break;
        struct slot *slot = &journal->slots[journal->done % JOURNAL_QUEUE_MAX];
        (void)pthread_mutex_unlock(&journal->mutex);
        work(journal, &slot->request, &slot->answer);
        (void)pthread_mutex_lock(&journal->mutex);
        journal->done++;
        ssize_t written;
        do /* the count is far from overflow: journal_take() empties it */
            written = write(journal->event_fd, &one, sizeof(one));
        while (written < 0 && errno == EINTR);
    }
    (void)pthread_mutex_unlock(&journal->mutex);
    return NULL;
}

/* ---- the main thread --------------------------------------------------------------------------------------------- */

/* One journal, one daemon: a second one on the same file would publish the same rows. A file of its own, since locks on
 * SQLite's file would mix with SQLite's. */
static int lock_file(struct journal *journal, char *why, size_t why_bytes)
{
    char path[JOURNAL_PATH_BYTES + 8];
    (void)snprintf(path, sizeof(path), "%s.lock", journal->settings.path);
    journal->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (journal->lock_fd < 0) {
        const int error = -errno;
        (void)snprintf(why, why_bytes, "%s: %s; the folder must be writable for the user that runs qrgate", path,
                       strerror(-error));
        return error;
    }
    struct stat database;
    if (geteuid() == 0 && stat(journal->settings.path, &database) == 0 &&
        fchown(journal->lock_fd, database.st_uid, database.st_gid) < 0) {
        const int error = -errno; /* a trial run as root must not lock the daemon's user out afterwards */
        (void)snprintf(why, why_bytes, "%s: can't be given to the database's owner: %s", path, strerror(-error));
        return error;
    }
    if (flock(journal->lock_fd, LOCK_EX | LOCK_NB) == 0)
        return 0;
    const int error = errno == EWOULDBLOCK ? -EBUSY : -errno;
    (void)snprintf(why, why_bytes, "%s: in use by another qrgated; give each lane a journal.path of its own",
                   journal->settings.path);
    return error;
}

static int start_thread(struct journal *journal)
{
    sigset_t all, before;
    (void)sigfillset(&all);
    int error = -pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the main thread's */
    if (error < 0)
        return error;
    error = -pthread_create(&journal->thread, NULL, run, journal);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL); /* fails only for a wrong first argument */
    if (error == 0)
        (void)pthread_setname_np(journal->thread, "journal"); /* only for top */
    return error;
}

int journal_open(const struct journal_settings *settings, struct journal **ret_journal, char *why, size_t why_bytes)
{
    int error;
    *ret_journal = NULL;
    if (why_bytes > 0)
        why[0] = '\0';
    if (sodium_init() < 0) {
        (void)snprintf(why, why_bytes, "libsodium can't start: no source of random numbers");
        return -EIO;
    }
    struct journal *journal = calloc(1, sizeof(*journal));
    if (!journal) {
        (void)snprintf(why, why_bytes, "no memory for the journal's queue");
        return -ENOMEM;
    }
    journal->settings = *settings;
    journal->lock_fd = journal->event_fd = -1;

    /* The store first: its reasons name the cause better than the lock file's. */
    error = store_open(&journal->store, settings->path, why, why_bytes);
    if (error < 0)
        goto fail;
    error = lock_file(journal, why, why_bytes);
    if (error < 0)
        goto fail;
    journal->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (journal->event_fd < 0) {
        error = -errno;
        (void)snprintf(why, why_bytes, "eventfd: %s", strerror(-error));
        goto fail;
    }
    error = -pthread_mutex_init(&journal->mutex, NULL);
    if (error < 0)
        goto fail_thread;
    error = -pthread_cond_init(&journal->submitted_or_closing, NULL);
    if (error < 0)
        goto fail_cond;
    error = start_thread(journal);
    if (error < 0)
        goto fail_start;
    *ret_journal = journal;
    return 0;

fail_start:
    (void)pthread_cond_destroy(&journal->submitted_or_closing);
fail_cond:
    (void)pthread_mutex_destroy(&journal->mutex);
fail_thread:
    (void)snprintf(why, why_bytes, "the journal's thread can't start: %s", strerror(-error));
fail:
    if (journal->event_fd >= 0)
        (void)close(journal->event_fd);
    store_close(&journal->store);
    if (journal->lock_fd >= 0)
        (void)close(journal->lock_fd);
    sodium_memzero(journal, sizeof(*journal));
    free(journal);
    return error;
}

/* Only what the operation uses: a payload is 7 KiB. */
static void copy_request(struct journal_request *to, const struct journal_request *from)
{
    memcpy(to, from, offsetof(struct journal_request, payload));
    if (from->op == JOURNAL_DECIDE && from->payload_bytes <= sizeof(from->payload))
        memcpy(to->payload, from->payload, from->payload_bytes);
    if (from->op != JOURNAL_DECIDE)
        to->payload_bytes = 0;
}

int journal_submit(struct journal *journal, const struct journal_request *request)
{
    int error = 0;
    (void)pthread_mutex_lock(&journal->mutex);
    if (journal->submitted - journal->taken >= JOURNAL_QUEUE_MAX || journal->closing) {
        error = -EAGAIN;
    } else {
        copy_request(&journal->slots[journal->submitted % JOURNAL_QUEUE_MAX].request, request);
        journal->submitted++;
        (void)pthread_cond_signal(&journal->submitted_or_closing);
    }
    (void)pthread_mutex_unlock(&journal->mutex);
    return error;
}

int journal_fd(struct journal *journal)
{
    return journal->event_fd;
}

int journal_take(struct journal *journal, struct journal_answer *ret_answer)
{
    int got = 0;
    uint64_t count;
    (void)pthread_mutex_lock(&journal->mutex);
    if (journal->taken < journal->done) {
        *ret_answer = journal->slots[journal->taken % JOURNAL_QUEUE_MAX].answer;
        journal->taken++;
        got = 1;
    }
    /* Under the mutex, so the descriptor is readable exactly while answers wait. Unread after an EINTR it only wakes
     * once more. */
    if (journal->taken == journal->done && read(journal->event_fd, &count, sizeof(count)) < 0)
        count = 0; /* EAGAIN: was empty already */
    (void)pthread_mutex_unlock(&journal->mutex);
    return got;
}

void journal_close(struct journal *journal)
{
    if (!journal)
        return;
    (void)pthread_mutex_lock(&journal->mutex);
    journal->closing = true;
    (void)pthread_cond_signal(&journal->submitted_or_closing);
    (void)pthread_mutex_unlock(&journal->mutex);
    (void)pthread_join(journal->thread, NULL);
    store_close(&journal->store);
    (void)pthread_cond_destroy(&journal->submitted_or_closing);
    (void)pthread_mutex_destroy(&journal->mutex);
    (void)close(journal->event_fd);
    (void)close(journal->lock_fd);
    sodium_memzero(journal, sizeof(*journal)); /* the site key, and what the slots hold of people */
    free(journal);
}
