/* The journal's requests, each in one transaction: all of it is on disk when the answer says so, or none. Called by the
 * journal thread. */
#include "daemon/journal/worker.h"

#include <errno.h>
#include <sodium.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "daemon/journal/database.h"
#include "daemon/journal/event.h"
#include "daemon/journal/register_row.h"
#include "daemon/journal/site_key_change.h"
#include "daemon/journal/worker_parts.h"

enum { BOUND_LINKS_MAX = 3 }; /* completed -> override -> held */

static int interrupt_open_passages(struct worker *worker);

/* The lane's name into the journal, for who reads a copy of it. Nothing hangs on it, so a full disk is no reason to fail. */
static void write_lane(struct worker *worker)
{
    static const char *const sql = "INSERT INTO about (name, value) VALUES ('lane', ?1) ON CONFLICT DO UPDATE SET "
                                   "value = excluded.value WHERE value <> excluded.value";
    sqlite3_stmt *statement = NULL;
    if (statements_prepare(worker->store.db, &sql, 1, &statement) == 0 &&
        bind_text(statement, 1, worker->settings->lane) == SQLITE_OK)
        (void)statement_run(statement); /* the next start tries again */
    statements_finalize(&statement, 1);
}

int worker_open(struct worker *worker, struct journal_settings *settings, char *why, size_t why_bytes)
{
    worker->settings = settings;
    int error = store_open(&worker->store, settings->path, why, why_bytes);
    if ((error == -ENOSPC || error == -EIO) && room_give_up_reserve_of(settings->path)) /* the log's index needs space */
        error = store_open(&worker->store, settings->path, why, why_bytes);
    if (error < 0)
        return error;
    const uint8_t *old_key = settings->has_old_site_key ? settings->old_site_key : NULL;
    error = site_key_adopt(worker->store.db, settings->site_key, old_key, settings->opened_at_us);
    if (error == -ENOSPC) /* a full disk must not keep the guard's button away: at the next start, then */
        error = 0;
    if (error == 0)
        error = register_writer_open(worker->store.db, settings->site_key, &worker->people);
    if (error == 0)
        register_writer_old_key(&worker->people, old_key);
    if (error == 0)
        error = presence_open(worker->store.db, &worker->presence);
    if (error == 0)
        write_lane(worker);
    if (error == 0)
        error = judge_open(&worker->judge, settings, worker->store.db, &worker->people, &worker->presence);
    if (error == 0)
        error = room_open(worker->store.db, settings, &worker->room);
    if (error == 0)
        error = purge_open(&worker->store, &worker->room, settings, &worker->purge);
    if (error == 0) {
        error = interrupt_open_passages(worker);
        if (error != -EILSEQ && error != -EBADMSG)
            error = 0; /* a full disk must not keep the guard's button away: done before the next row instead */
    }
    if (error < 0) {
        (void)snprintf(why, why_bytes,
                       "%s: %s; the file is damaged or was changed by another program: restore it or move it away",
                       settings->path, sqlite3_errmsg(worker->store.db));
        worker_close(worker);
    }
    return error;
}

void worker_close(struct worker *worker)
{
    purge_close(&worker->purge);
    room_close(&worker->room);
    judge_close(&worker->judge);
    presence_close(&worker->presence);
    register_writer_close(&worker->people);
    store_close(&worker->store);
    worker->settings = NULL;
    worker->caught_up = false;
}

/* ---- events ------------------------------------------------------------------------------------------------------ */

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

/* A retry brings the same event_id: the row that is there is the answer. Another person's or another kind's under that
 * id is a fault of the caller, and must not open. 1: answered; 0: new. */
static int find_repeat(struct worker *worker, const struct event *wanted, bool decided, struct event *ret)
{
    struct event stored;
    const int found = store_find(&worker->store, wanted->event_id, &stored);
    if (found <= 0)
        return found;
    if (decided && (strcmp(stored.person, wanted->person) != 0 || stored.credential != wanted->credential ||
                    !event_is_verdict(stored.kind)))
        return -EEXIST;
    *ret = stored;
    return 1;
}

/* Whose passage it is: the button and the sensor know nobody, but what they are bound to may. */
static int inherit_person(struct worker *worker, struct event *event)
{
    char bound[JOURNAL_ID_BYTES];
    struct event row;
    int found = 1;
    memcpy(bound, event->bound_event_id, sizeof(bound));
    for (int i = 0; i < BOUND_LINKS_MAX && found == 1 && event->person[0] == '\0' && bound[0] != '\0'; i++) {
        found = store_find(&worker->store, bound, &row);
        if (found == 1) {
            memcpy(event->person, row.person, sizeof(event->person));
            memcpy(bound, row.bound_event_id, sizeof(bound));
        }
    }
    return found < 0 ? found : 0;
}

/* What the event makes of the table of presence. Without a sensor nobody can say more than that the arm was opened. */
static int move_presence(struct worker *worker, const struct event *event, bool late)
{
    const bool has_sensor = worker->settings->has_sensor;
    const bool passes = has_sensor ? event->kind == EVENT_COMPLETED
                                   : event->kind == EVENT_GRANTED || event->kind == EVENT_OVERRIDE;
    struct event theirs = *event;
    if (event->person[0] == '\0' || (!passes && event->kind != EVENT_NOT_USED && event->kind != EVENT_INTERRUPTED))
        return 0;
    const int error = register_resolve(&worker->people, event->person, theirs.person);
    if (error < 0)
        return error;
    return passes ? presence_pass(&worker->presence, &theirs, worker->settings->lane, late)
                  : presence_undo(&worker->presence, &theirs);
}

/* The row, and what it makes of the passage it is about. */
static int write_event(struct worker *worker, struct event *event, bool late)
{
    uint8_t salt[CHAIN_SALT_BYTES];
    randombytes_buf(salt, sizeof(salt));
    int error = store_insert(&worker->store, event, salt);
    if (error == 0 && event_ends_passage(event->kind) && event->bound_event_id[0] != '\0')
        error = store_set_ending(&worker->store, event->bound_event_id, STORE_ENDED);
    if (error == 0 && worker->settings->has_sensor && (event->kind == EVENT_GRANTED || event->kind == EVENT_OVERRIDE))
        error = store_set_ending(&worker->store, event->event_id, STORE_ENDING_AWAITED);
    return error < 0 ? error : move_presence(worker, event, late);
}

static int refuse_second_end(struct worker *worker, const struct event *event)
{
    enum store_ending ending = STORE_ENDING_NOT_AWAITED;
    int error = 0;
    if (event_ends_passage(event->kind) && event->bound_event_id[0] != '\0')
        error = store_ending(&worker->store, event->bound_event_id, &ending);
    return error < 0 ? error : ending == STORE_ENDED ? -EEXIST : 0;
}

/* A command is carried out once. A new one under an old event_id is a fault of the caller. */
static int refuse_seen(struct worker *worker, const struct journal_request *request, int repeated)
{
    const int seen = store_seen(&worker->store, request->transaction);
    return seen < 0 ? seen : seen == 1 ? -EALREADY : repeated == 1 ? -EEXIST : 0;
}

/* Of the caller's event only what the header names. */
static int prepare_event(const struct journal_request *request, const struct policy *policy, struct event *ret)
{
    const struct event *given = &request->event;
    *ret = (struct event){ .at_us = given->at_us,
                           .monotonic_us = given->monotonic_us,
                           .clock_trusted = given->clock_trusted };
    if (request->op == JOURNAL_COMMAND && (!event_is_operators(given) || request->transaction[0] == '\0' ||
                                           !memchr(request->transaction, '\0', sizeof(request->transaction))))
        return -EINVAL;
    if (request->op == JOURNAL_DECIDE) {
        if (request->payload_bytes > sizeof(request->payload))
            return -EMSGSIZE;
        memcpy(ret->event_id, given->event_id, sizeof(ret->event_id));
    } else {
        *ret = *given;
        const bool of_a_person = event_is_verdict(ret->kind) || event_is_passage(ret->kind);
        ret->direction = of_a_person ? policy->direction : DIRECTION_NONE;
    }
    return event_valid(ret) ? 0 : -EINVAL;
}

static int decide_and_record(struct worker *worker, const struct journal_request *request,
                             struct journal_answer *answer)
{
    const bool decided = request->op == JOURNAL_DECIDE;
    struct judged judged = { .burn = false };
    struct event event;
    int repeated = 0;
    int error = prepare_event(request, &worker->settings->policy, &event);
    if (error == 0 && !worker->caught_up)
        error = interrupt_open_passages(worker);
    if (error < 0)
        return error;
    const bool late = judge_clock(&worker->judge, &event);

    error = store_begin(&worker->store);
    if (error < 0)
        return error;
    if (decided)
        error = judge_decide(&worker->judge, request, &event, &judged);
    else if (event_is_passage(event.kind))
        error = inherit_person(worker, &event);
    if (error == 0) {
        repeated = find_repeat(worker, &event, decided, &answer->event);
        error = repeated < 0 ? repeated : 0;
    }
    if (error == 0 && repeated == 0)
        error = refuse_second_end(worker, &event);
    if (error == 0 && request->op == JOURNAL_COMMAND)
        error = refuse_seen(worker, request, repeated);
    if (error == 0 && repeated == 0)
        error = write_event(worker, &event, late);
    if (error == 0 && request->op == JOURNAL_COMMAND)
        error = store_remember(&worker->store, request->transaction, &event);
    if (error == 0 && repeated == 0)
        error = judge_burn(&worker->judge, &judged);
    error = worker_end(worker, error, repeated == 0);
    if (error < 0)
        return error;
    if (repeated == 0) {
        judge_recorded(&worker->judge, &event);
        answer->event = event;
    }
    if (decided)
        answer->verdict = verdict_of_event(&answer->event);
    return 0;
}

/* Whose passage was under way when the journal was last left: nobody can say any more whether they went. */
static int interrupt(struct worker *worker, const struct event *grant, struct event *ret)
{
    const struct journal_settings *settings = worker->settings;
    uint8_t id[(JOURNAL_ID_BYTES - 1) / 2];
    randombytes_buf(id, sizeof(id));
    *ret = (struct event){ .kind = EVENT_INTERRUPTED,
                           .at_us = settings->opened_at_us,
                           .monotonic_us = settings->opened_monotonic_us,
                           .clock_trusted = settings->opened_clock_trusted,
                           .reason = REASON_NONE,
                           .status = grant->status,
                           .direction = grant->direction };
    (void)sodium_bin2hex(ret->event_id, sizeof(ret->event_id), id, sizeof(id));
    memcpy(ret->person, grant->person, sizeof(ret->person));
    memcpy(ret->bound_event_id, grant->event_id, sizeof(ret->bound_event_id));
    return write_event(worker, ret, judge_clock(&worker->judge, ret));
}

static int interrupt_open_passages(struct worker *worker)
{
    struct event grant = { .seq = 0 }, last = { .clock_trusted = false };
    int found = store_next_open(&worker->store, 0, &grant), error = 0;
    if (found == 1) {
        error = store_begin(&worker->store);
        if (error < 0)
            return error;
        while (found == 1 && error == 0) {
            error = interrupt(worker, &grant, &last);
            if (error == 0)
                found = store_next_open(&worker->store, grant.seq, &grant);
        }
        error = worker_end(worker, found < 0 ? found : error, true);
        if (error == 0)
            judge_recorded(&worker->judge, &last);
    } else if (found < 0) {
        error = found;
    }
    worker->caught_up = error == 0;
    return error;
}

/* ---- what others tell -------------------------------------------------------------------------------------------- */

static int declare(struct worker *worker, const struct declared *declared, bool *ret_taken)
{
    const int error = store_begin(&worker->store);
    return error < 0 ? error : worker_end(worker, register_write(&worker->people, declared, ret_taken), true);
}

static int revoke_token(struct worker *worker, const struct revocation *revocation, bool *ret_taken)
{
    const int error = store_begin(&worker->store);
    return error < 0 ? error : worker_end(worker, register_revoke(&worker->people, revocation, ret_taken), true);
}

static bool ended(const char *text, size_t bytes)
{
    return memchr(text, '\0', bytes) != NULL;
}

static bool passage_valid(const struct followed_passage *passage)
{
    return person_valid(passage->person) && ended(passage->event_id, sizeof(passage->event_id)) &&
           passage->event_id[0] != '\0' && ended(passage->lane, sizeof(passage->lane)) &&
           (unsigned)passage->direction < DIRECTION_COUNT && passage->at_us > 0;
}

static int follow(struct worker *worker, const struct journal_request *request, bool *ret_taken)
{
    struct followed_passage passage = request->passage;
    struct event ours;
    if (!passage_valid(&passage))
        return -EINVAL;
    if (passage.direction == DIRECTION_NONE || strcmp(passage.lane, worker->settings->lane) == 0)
        return 0;
    /* A lane whose clock is ahead must not be the last word until its time has come. */
    const int64_t now_us = request->event.at_us, skew_us = judge_skew_us(&worker->judge);
    if (request->event.clock_trusted && now_us > 0 && passage.at_us > now_us && passage.at_us - now_us > skew_us)
        passage.at_us = now_us + skew_us;
    int error = store_begin(&worker->store);
    if (error < 0)
        return error;
    const int is_ours = store_find(&worker->store, passage.event_id, &ours);
    error = is_ours < 0 ? is_ours : 0;
    if (is_ours == 0) {
        error = register_resolve(&worker->people, request->passage.person, passage.person);
        if (error == 0)
            error = presence_follow(&worker->presence, &passage, ret_taken);
    }
    return worker_end(worker, error, *ret_taken);
}

/* ---- settings, and who is inside --------------------------------------------------------------------------------- */

static int reload(struct worker *worker, const struct journal_settings *fresh)
{
    struct journal_settings *settings = worker->settings;
    if (!fresh)
        return -EINVAL;
    if (strncmp(fresh->path, settings->path, sizeof(settings->path)) != 0 ||
        strncmp(fresh->lane, settings->lane, sizeof(settings->lane)) != 0 ||
        memcmp(fresh->site_key, settings->site_key, sizeof(settings->site_key)) != 0 ||
        fresh->has_sensor != settings->has_sensor)
        return -EPERM;
    settings->has_old_site_key = fresh->has_old_site_key; /* gone: the change is over */
    memcpy(settings->old_site_key, fresh->old_site_key, sizeof(settings->old_site_key));
    register_writer_old_key(&worker->people, fresh->has_old_site_key ? fresh->old_site_key : NULL);
    settings->policy = fresh->policy;
    settings->trust = fresh->trust;
    settings->keep_days = fresh->keep_days;
    settings->register_days = fresh->register_days;
    settings->size_max_bytes = fresh->size_max_bytes;
    return 0;
}

static int muster(struct worker *worker, const char after_person[JOURNAL_ID_BYTES], struct muster_page *ret)
{
    return after_person[0] != '\0' && !person_valid(after_person) ? -EINVAL
                                                                  : presence_muster(&worker->presence, after_person, ret);
}

/* ---- the door ---------------------------------------------------------------------------------------------------- */

static bool writes_more(enum journal_op op)
{
    return op == JOURNAL_DECIDE || op == JOURNAL_RECORD || op == JOURNAL_COMMAND || op == JOURNAL_DECLARE ||
           op == JOURNAL_REVOKE || op == JOURNAL_FOLLOW;
}

static bool frees_room(enum journal_op op)
{
    return op == JOURNAL_MARK || op == JOURNAL_PURGE;
}

static int answer_request(struct worker *worker, const struct journal_request *request, struct journal_answer *answer)
{
    switch (request->op) {
    case JOURNAL_DECIDE:
    case JOURNAL_RECORD:
    case JOURNAL_COMMAND: return decide_and_record(worker, request, answer);
    case JOURNAL_READ: return worker_read(worker, request);
    case JOURNAL_MARK: return worker_mark(worker, request->batch);
    case JOURNAL_PURGE: return worker_purge(worker, &request->event, &answer->more);
    case JOURNAL_PING: return 0;
    case JOURNAL_DECLARE: return declare(worker, &request->declared, &answer->taken);
    case JOURNAL_REVOKE: return revoke_token(worker, &request->revocation, &answer->taken);
    case JOURNAL_FOLLOW: return follow(worker, request, &answer->taken);
    case JOURNAL_RELOAD: return reload(worker, request->fresh);
    case JOURNAL_MUSTER: return muster(worker, request->after_person, &answer->muster);
    }
    return -EINVAL;
}

void worker_do(struct worker *worker, struct journal_request *request, struct journal_answer *answer)
{
    *answer = (struct journal_answer){ .op = request->op, .tag = request->tag };
    int error = writes_more(request->op) ? room_admit(&worker->room) : 0;
    if (error == 0)
        error = answer_request(worker, request, answer);
    if (error == -ENOSPC && frees_room(request->op) && room_give_up_reserve(&worker->room))
        error = answer_request(worker, request, answer);
    if (request->op == JOURNAL_PING || request->op == JOURNAL_PURGE)
        worker_tell_room(worker, &answer->room);
    if (request->op == JOURNAL_PING)
        worker_tell_head(worker, &answer->head);
    if (error < 0) {
        answer->error = error;
        answer->taken = answer->more = false;
        answer->muster = (struct muster_page){ .count = 0 };
        answer->event = request->event;
        answer->event.seq = 0;
        answer->verdict =
            (struct verdict){ .action = VERDICT_DENY, .reason = REASON_JOURNAL_FAILED, .status = STATUS_NONE };
    }
    answer->unsent_rows = worker->store.unsent_rows;
    answer->last_seq = worker->store.last_seq;
    if (request->op == JOURNAL_DECIDE && request->payload_bytes <= sizeof(request->payload))
        sodium_memzero(request->payload, request->payload_bytes);
    if (request->op == JOURNAL_DECLARE)
        sodium_memzero(&request->declared, sizeof(request->declared));
}
