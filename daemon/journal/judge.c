/* Reads a code, finds its person and all that the rules ask for, lets decide() judge. Called by worker.c in the
 * transaction of the decision, so that facts and row belong together. */
#include "daemon/journal/judge.h"

#include <errno.h>
#include <sodium.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "daemon/journal/database.h"
#include "daemon/journal/tail.h"

enum { UTC_OFFSET_MAX_S = 86400 };

static const char *const SQL[JUDGE_STATEMENT_COUNT] = {
    [JUDGE_LAST_STEP] = "SELECT last_step FROM rotating WHERE token_id = ?1",
    [JUDGE_BURN_STEP] = "INSERT INTO rotating (token_id, last_step, person) VALUES (?1, ?2, ?3) "
                        "ON CONFLICT (token_id) DO UPDATE SET last_step = max(last_step, excluded.last_step), "
                        "person = excluded.person",
};

int judge_open(struct judge *judge, const struct journal_settings *settings, sqlite3 *db,
               struct register_writer *people, struct presence_table *presence)
{
    judge->settings = settings;
    judge->db = db;
    judge->people = people;
    judge->presence = presence;
    int error = statements_prepare(db, SQL, JUDGE_STATEMENT_COUNT, judge->statements);
    if (error == 0)
        error = tail_newest_at_us(db, &judge->newest_at_us);
    if (error < 0)
        judge_close(judge);
    return error;
}

void judge_close(struct judge *judge)
{
    statements_finalize(judge->statements, JUDGE_STATEMENT_COUNT);
    *judge = (struct judge){ 0 };
}

/* ---- time -------------------------------------------------------------------------------------------------------- */

int64_t judge_skew_us(const struct judge *judge)
{
    int64_t us;
    return __builtin_mul_overflow(judge->settings->policy.clock_skew_s, (int64_t)1000000, &us) ? INT64_MAX : us;
}

bool judge_clock(const struct judge *judge, struct event *event)
{
    const int64_t behind_us = saturated_difference(judge->newest_at_us, event->at_us);
    const int64_t tolerated_us = judge_skew_us(judge);
    if (judge->newest_at_us == INT64_MIN || behind_us <= tolerated_us)
        return false;
    const int64_t waited_us = saturated_difference(judge->newest_monotonic_us, event->monotonic_us);
    if (judge->newest_is_of_this_run && waited_us > 0 && saturated_difference(behind_us, waited_us) <= tolerated_us)
        return true;
    event->clock_trusted = false;
    return false;
}

void judge_recorded(struct judge *judge, const struct event *event)
{
    if (event->clock_trusted && event->at_us >= judge->newest_at_us) {
        judge->newest_at_us = event->at_us;
        judge->newest_monotonic_us = event->monotonic_us;
        judge->newest_is_of_this_run = true;
    }
    const bool is_override = event->kind == EVENT_OVERRIDE;
    if (!is_override && event->kind != EVENT_GRANTED && event->kind != EVENT_HELD && event->kind != EVENT_DENIED)
        return;
    const struct verdict verdict = {
        .action = event->kind == EVENT_DENIED ? VERDICT_DENY : event->kind == EVENT_HELD ? VERDICT_HOLD : VERDICT_OPEN,
        .reason = event->reason,
        .status = event->status,
    };
    judge->refusals_restored = judge->refusals_restored || is_override; /* the guard ends whatever was before */
    refusals_count(&judge->refusals, &judge->settings->policy, &verdict, event->monotonic_us);
}

/* ---- facts ------------------------------------------------------------------------------------------------------- */

static int find_step_used(struct judge *judge, const struct credential *credential, bool *ret)
{
    sqlite3_stmt *s = judge->statements[JUDGE_LAST_STEP];
    *ret = false;
    if (sqlite3_bind_blob(s, 1, credential->token_id, sizeof(credential->token_id), SQLITE_STATIC) != SQLITE_OK)
        return -ENOMEM;
    const int code = sqlite3_step(s);
    if (code == SQLITE_ROW)
        *ret = credential->rotation_step <= sqlite3_column_int64(s, 0);
    statement_end(s);
    return database_error(code);
}

/* Everything that the tables know of this credential. A broken or forged code asks nothing: what it says of a person is
 * not to be believed, and not to be kept. */
static int gather(struct judge *judge, const struct credential *credential, char person[JOURNAL_ID_BYTES],
                  struct declaration *declaration, struct decision_facts *facts)
{
    const enum direction direction = judge->settings->policy.direction;
    int error = 0;
    person[0] = '\0';
    if (credential->fault == CREDENTIAL_OK)
        error = register_identify(judge->people, credential, person, &facts->identity_conflict);
    if (error == 0 && person[0] != '\0')
        error = register_find(judge->people, person, declaration);
    if (error == 0 && declaration->found)
        facts->declaration = declaration;
    if (error == 0 && credential->fault == CREDENTIAL_OK && credential->is_signed)
        error = register_is_revoked(judge->people, credential->token_id, &facts->revoked);
    if (error == 0 && credential->fault == CREDENTIAL_OK && credential->kind == CREDENTIAL_ROTATING_TOKEN)
        error = find_step_used(judge, credential, &facts->step_used);
    if (judge->people->presence_moved)
        presence_recount(judge->presence);
    if (error == 0)
        error = presence_read(judge->presence, person, direction, &facts->presence);
    return error;
}

static int find_locked(struct judge *judge, const struct event *event, bool *ret)
{
    if (!judge->refusals_restored) { /* only now is there a time to compare the rows with */
        const int error = tail_refusals(judge->db, &judge->settings->policy, event, &judge->refusals);
        if (error < 0)
            return error;
        judge->refusals_restored = true;
    }
    *ret = refusals_locked(&judge->refusals, event->monotonic_us);
    return 0;
}

static enum event_kind kind_of_action(enum verdict_action action)
{
    return action == VERDICT_OPEN ? EVENT_GRANTED : action == VERDICT_HOLD ? EVENT_HELD : EVENT_DENIED;
}

int judge_decide(struct judge *judge, const struct journal_request *request, struct event *event, struct judged *ret)
{
    const struct policy *policy = &judge->settings->policy;
    struct declaration declaration = { .status = STATUS_NONE };
    struct credential credential;
    struct decision_facts facts = {
        .credential = &credential,
        .moment = { .now_s = event->at_us / 1000000,
                    .utc_offset_s = request->utc_offset_s,
                    .clock_trusted = event->clock_trusted },
    };
    *ret = (struct judged){ .burn = false };
    if (request->utc_offset_s > UTC_OFFSET_MAX_S || request->utc_offset_s < -UTC_OFFSET_MAX_S)
        return -EINVAL;
    credential_read(request->payload, request->payload_bytes, &judge->settings->trust, &credential);
    facts.lock_down = request->lock_down;
    int error = gather(judge, &credential, event->person, &declaration, &facts);
    if (error == 0)
        error = find_locked(judge, event, &facts.locked);
    if (error == 0) {
        const struct verdict verdict = decide(&facts, policy);
        event->kind = kind_of_action(verdict.action);
        event->reason = verdict.reason;
        event->status = verdict.status;
        event->credential = credential.kind;
        event->direction = policy->direction;
        event->scope = policy->direction == DIRECTION_NONE ? PRESENCE_SCOPE_NONE
                       : request->presence_shared          ? PRESENCE_SCOPE_SHARED
                                                           : PRESENCE_SCOPE_OWN;
        (void)snprintf(event->detail, sizeof(event->detail), "%s", credential.detail);
        ret->burn = credential.kind == CREDENTIAL_ROTATING_TOKEN && verdict.action != VERDICT_DENY;
        ret->step = credential.rotation_step;
        memcpy(ret->token_id, credential.token_id, sizeof(ret->token_id));
        memcpy(ret->person, event->person, sizeof(ret->person));
    }
    sodium_memzero(&credential, sizeof(credential)); /* a name and a number: no longer than needed */
    return error;
}

int judge_burn(struct judge *judge, const struct judged *judged)
{
    sqlite3_stmt *s = judge->statements[JUDGE_BURN_STEP];
    if (!judged->burn)
        return 0;
    if (sqlite3_bind_blob(s, 1, judged->token_id, sizeof(judged->token_id), SQLITE_STATIC) != SQLITE_OK ||
        sqlite3_bind_int64(s, 2, judged->step) != SQLITE_OK || bind_text(s, 3, judged->person) != SQLITE_OK)
        return -ENOMEM;
    return statement_run(s);
}
