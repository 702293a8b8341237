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

#include "daemon/journal/database.h"
#include "daemon/journal/worker.h"

struct slot {
    struct journal_request request;
    struct journal_answer answer;
};

struct journal {
    struct journal_settings settings; /* the thread's alone while it runs */
    struct worker worker;             /* the thread's alone while it runs */
    int lock_fd, event_fd;
    int64_t opened_last_seq;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t submitted_or_closing;
    uint64_t submitted, done, taken; /* under the mutex, and so is: */
    bool closing;
    struct slot slots[JOURNAL_QUEUE_MAX];
};

/* ---- the journal thread ------------------------------------------------------------------------------------------ */

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
        worker_do(&journal->worker, &slot->request, &slot->answer);
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

    /* The file first: its reasons name the cause better than the lock's, and the lock's file gets its owner. Of a full disk
     * the worker has a reserve. The lock before whatever writes: another lane's passages are none of ours to end. */
    error = database_create(settings->path, why, why_bytes);
    if (error < 0 && error != -ENOSPC)
        goto fail;
    error = lock_file(journal, why, why_bytes);
    if (error < 0)
        goto fail;
    error = worker_open(&journal->worker, &journal->settings, why, why_bytes);
    if (error < 0)
        goto fail;
    journal->opened_last_seq = journal->worker.store.last_seq;
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
    worker_close(&journal->worker);
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

int64_t journal_last_seq(const struct journal *journal)
{
    return journal->opened_last_seq;
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
    worker_close(&journal->worker);
    (void)pthread_cond_destroy(&journal->submitted_or_closing);
    (void)pthread_mutex_destroy(&journal->mutex);
    (void)close(journal->event_fd);
    (void)close(journal->lock_fd);
    sodium_memzero(journal, sizeof(*journal)); /* the site key, and what the slots hold of people */
    free(journal);
}
