/* What a decision looks up and remembers: people with several numbers, revoked tokens, rotating steps, a clock that went
 * back, the lock after refusals and its survival of a restart. */
#include "worker_fixture.h"

#include <errno.h>

#include "daemon/credential/rotating.h"
#include "daemon/credential/token.h"
#include "daemon/journal/register_row.h"

#define INSURED "bhyt:0123456789"
/* The personal code of Decision 1405, with the health-insurance number in its last field. */
#define ANH_1405 "022199012345|NGUYEN THI BICH PHUONG|1999-08-15|0|162979388586171100|<2<0123456789<0123232422"

static void number(struct fixture *f, const char *person_sql, int64_t expected)
{
    assert_int_equal(number_in(f, person_sql), expected);
}

/* ---- people ------------------------------------------------------------------------------------------------------ */

static void any_number_leads_to_the_person(void **state)
{
    struct fixture *f = *state;
    char person[JOURNAL_ID_BYTES];
    assert_int_equal(declare_at(f, INSURED, ANH, STATUS_GREEN, FIXTURE_NOW_S - 60), 0);
    person_of(f, INSURED, person); /* the one named first */
    assert_int_equal(show(f, ANH_CARD), REASON_STATUS_GREEN);
    assert_string_equal(f->answer.event.person, person);
    assert_int_equal(show(f, ANH_1405), REASON_STATUS_GREEN);
    assert_int_equal(f->answer.event.credential, CREDENTIAL_PERSONAL_CODE);
    assert_string_equal(f->answer.event.person, person);
    number(f, "SELECT count(*) FROM presence", 1);
}

static void a_code_with_two_peoples_numbers_never_opens(void **state)
{
    struct fixture *f = *state;
    char person[JOURNAL_ID_BYTES];
    declare_green(f, ANH);
    declare_green(f, INSURED); /* as far as the register knows, somebody else */
    assert_int_equal(show(f, ANH_1405), REASON_IDENTITY_CONFLICT);
    assert_int_not_equal(f->answer.verdict.action, VERDICT_OPEN);
    person_of(f, ANH, person);
    assert_string_equal(f->answer.event.person, person); /* the subject's */
    assert_int_equal(declare_at(f, ANH, INSURED, STATUS_GREEN, FIXTURE_NOW_S - 30), 0); /* one, it says */
    assert_int_equal(show(f, ANH_1405), REASON_STATUS_GREEN);
}

static void declarations_come_by_request(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(declare_at(f, ANH, "", STATUS_RED, FIXTURE_NOW_S - 10), 0);
    assert_true(f->answer.taken);
    assert_int_equal(declare_at(f, ANH, "", STATUS_GREEN, FIXTURE_NOW_S - 20), 0);
    assert_false(f->answer.taken);
    assert_int_equal(show(f, ANH_CARD), REASON_STATUS_RED);
    assert_int_equal(declare_at(f, ANH, "", STATUS_EXPIRED, FIXTURE_NOW_S), -EINVAL);
    assert_int_equal(declare_at(f, "", "", STATUS_GREEN, FIXTURE_NOW_S), -EINVAL);
    assert_int_equal(declare_at(f, BINH, "cmnd:100200300", STATUS_GREEN, FIXTURE_NOW_S), 0);
    assert_int_equal(declare_at(f, ANH, "cmnd:123123123", STATUS_GREEN, FIXTURE_NOW_S), 0);
    assert_int_equal(declare_at(f, ANH, "cmnd:100200300", STATUS_GREEN, FIXTURE_NOW_S), -EEXIST);
    assert_false(f->answer.taken);
    static const struct declared wiped;
    assert_memory_equal(&f->request.declared, &wiped, sizeof(wiped)); /* numbers don't stay in memory */
}

static void answers_are_judged_by_the_policy(void **state)
{
    struct fixture *f = *state;
    f->settings.policy.declaration.on_symptom[SYMPTOM_FEVER] = STATUS_RED;
    f->settings.policy.declaration.symptom_window_s = 14 * 86400;
    restart(f);
    struct declared *declared = &fresh(f, JOURNAL_DECLARE)->declared;
    (void)strcpy(declared->identities[0], ANH);
    declared->declaration = (struct declaration){ .declared_at_s = FIXTURE_NOW_S - 60 };
    declared->declaration.answers.symptoms = 1u << SYMPTOM_FEVER;
    assert_int_equal(ask(f), 0);
    assert_int_equal(show(f, ANH_CARD), REASON_STATUS_RED);
}

/* ---- tokens ------------------------------------------------------------------------------------------------------ */

static void make_token(struct fixture *f, const char *subject, char ret_text[TOKEN_TEXT_BYTES])
{
    struct token_claims claims = { .issuer = "ward",
                                   .status = STATUS_GREEN,
                                   .issued_at_s = FIXTURE_NOW_S - 10,
                                   .expires_at_s = FIXTURE_NOW_S + 3600 };
    struct credential_trust_key *key = &f->settings.trust.keys[0];
    uint8_t seed[crypto_sign_SEEDBYTES] = { 7 }, signing_key[crypto_sign_SECRETKEYBYTES];
    assert_int_equal(crypto_sign_seed_keypair(key->public_key, signing_key, seed), 0);
    memcpy(key->kid, "k1", 2);
    key->kid_bytes = 2;
    f->settings.trust.count = 1;
    (void)strcpy(claims.subject, subject);
    assert_true(token_write(&claims, (const uint8_t *)"k1", 2, signing_key, ret_text, TOKEN_TEXT_BYTES) > 0);
}

static bool revoke_token(struct fixture *f, const char *token, int64_t at_s, bool lifted)
{
    struct credential credential;
    credential_read((const uint8_t *)token, strlen(token), &f->settings.trust, &credential);
    assert_int_equal(credential.fault, CREDENTIAL_OK);
    struct revocation *revocation = &fresh(f, JOURNAL_REVOKE)->revocation;
    memcpy(revocation->token_id, credential.token_id, sizeof(revocation->token_id));
    revocation->revoked_at_s = at_s;
    revocation->lifted = lifted;
    (void)strcpy(revocation->source, "mqtt");
    assert_int_equal(ask(f), 0);
    return f->answer.taken;
}

static void a_revoked_token_is_denied_until_lifted(void **state)
{
    struct fixture *f = *state;
    char token[TOKEN_TEXT_BYTES], other[TOKEN_TEXT_BYTES];
    make_token(f, "staff:18", other);
    make_token(f, "staff:17", token);
    assert_int_equal(show(f, token), REASON_STATUS_GREEN);
    assert_true(revoke_token(f, token, 1000, false));
    assert_int_equal(show(f, token), REASON_TOKEN_REVOKED);
    assert_int_equal(f->answer.event.kind, EVENT_DENIED);
    assert_int_equal(show(f, other), REASON_STATUS_GREEN);
    assert_false(revoke_token(f, token, 999, true)); /* older than what the list says */
    assert_int_equal(show(f, token), REASON_TOKEN_REVOKED);
    assert_true(revoke_token(f, token, 1001, true));
    assert_int_equal(show(f, token), REASON_STATUS_GREEN);
    restart(f);
    assert_false(revoke_token(f, token, 1000, false));
    assert_int_equal(show(f, token), REASON_STATUS_GREEN);
    struct journal_request *request = fresh(f, JOURNAL_REVOKE); /* no token at all */
    request->revocation.revoked_at_s = 5;
    assert_int_equal(ask(f), -EINVAL);
}

static void set_up_rotation(struct fixture *f, struct rotating_holder *holder)
{
    rotating_key_from_site_key(f->settings.site_key, f->settings.trust.rotation_key);
    f->settings.trust.has_rotation_key = true;
    *holder = (struct rotating_holder){ .serial = { 1, 2, 3 }, .expires_at_s = FIXTURE_NOW_S + 86400 };
    (void)strcpy(holder->subject, "staff:17");
    rotating_derive(f->settings.trust.rotation_key, holder);
    restart(f);
}

static enum reason show_step(struct fixture *f, const struct rotating_holder *holder, int64_t step)
{
    char text[ROTATING_TEXT_BYTES];
    assert_true(rotating_write(holder, step, text, sizeof(text)) > 0);
    return show(f, text);
}

static void a_rotating_step_is_good_once(void **state)
{
    struct fixture *f = *state;
    struct rotating_holder holder, other;
    const int64_t step = FIXTURE_NOW_S / ROTATING_STEP_S;
    set_up_rotation(f, &holder);
    declare_green(f, "staff:17");
    assert_int_equal(show_step(f, &holder, step), REASON_STATUS_GREEN);
    assert_int_equal(f->answer.event.kind, EVENT_GRANTED);
    assert_int_equal(show_step(f, &holder, step), REASON_TOKEN_REPLAYED); /* a screenshot of it */
    assert_int_equal(f->answer.event.kind, EVENT_DENIED);
    assert_int_equal(show_step(f, &holder, step - 1), REASON_TOKEN_REPLAYED);
    assert_int_equal(show_step(f, &holder, step + 1), REASON_STATUS_GREEN);
    assert_int_equal(show_step(f, &holder, step), REASON_TOKEN_REPLAYED);
    restart(f);
    assert_int_equal(show_step(f, &holder, step + 1), REASON_TOKEN_REPLAYED);
    other = holder; /* the same person's second phone */
    other.serial[0] = 9;
    rotating_derive(f->settings.trust.rotation_key, &other);
    assert_int_equal(show_step(f, &other, step), REASON_STATUS_GREEN);
}

static void a_step_is_burnt_with_its_row(void **state)
{
    struct fixture *f = *state;
    struct rotating_holder holder;
    const int64_t step = FIXTURE_NOW_S / ROTATING_STEP_S;
    set_up_rotation(f, &holder);
    assert_int_equal(show_step(f, &holder, step + 50), REASON_TOKEN_OUT_OF_STEP); /* denied: nothing is used up */
    number(f, "SELECT count(*) FROM rotating", 0);
    assert_int_equal(show_step(f, &holder, step), REASON_NO_DECLARATION); /* held for staff: used */
    number(f, "SELECT count(*) FROM rotating", 1);
    assert_int_equal(show_step(f, &holder, step), REASON_TOKEN_REPLAYED);

    declare_green(f, "staff:17");
    pass_time(f, 30);
    run_sql(f, "CREATE TEMP TRIGGER fault BEFORE INSERT ON main.presence BEGIN SELECT RAISE(ABORT, 'fault'); END");
    struct journal_request *request = fresh(f, JOURNAL_DECIDE);
    char text[ROTATING_TEXT_BYTES];
    assert_true(rotating_write(&holder, step + 1, text, sizeof(text)) > 0);
    request->payload_bytes = (uint32_t)strlen(text);
    memcpy(request->payload, text, strlen(text));
    assert_true(ask(f) < 0);
    run_sql(f, "DROP TRIGGER fault");
    number(f, "SELECT max(last_step) FROM rotating", step);
    /* the same question again, and once more as a retry whose answer was lost */
    struct event first;
    for (int i = 0; i < 2; i++) {
        request->payload_bytes = (uint32_t)strlen(text);
        memcpy(request->payload, text, strlen(text));
        assert_int_equal(ask(f), 0);
        assert_int_equal(f->answer.verdict.action, VERDICT_OPEN);
        if (i == 0)
            first = f->answer.event;
        assert_int_equal(f->answer.event.seq, first.seq);
    }
    number(f, "SELECT max(last_step) FROM rotating", step + 1);
}

/* ---- the clock --------------------------------------------------------------------------------------------------- */

static void a_clock_that_went_back_is_not_trusted(void **state)
{
    struct fixture *f = *state;
    declare_green(f, ANH);
    assert_int_equal(show(f, ANH_CARD), REASON_STATUS_GREEN);
    assert_true(f->answer.event.clock_trusted);
    f->at_us -= 60 * INT64_C(1000000); /* within the skew */
    assert_int_equal(show(f, ANH_CARD), REASON_STATUS_GREEN);
    assert_true(f->answer.event.clock_trusted);
    f->at_us -= 1;
    assert_int_equal(show(f, ANH_CARD), REASON_CLOCK_UNTRUSTED);
    assert_int_equal(f->answer.event.kind, EVENT_HELD);
    assert_false(f->answer.event.clock_trusted);
    restart(f); /* the journal remembers */
    assert_int_equal(show(f, ANH_CARD), REASON_CLOCK_UNTRUSTED);
    record(f, EVENT_OVERRIDE, "");
    assert_false(f->answer.event.clock_trusted);
    f->monotonic_us = 1; /* another boot */
    assert_int_equal(show(f, ANH_CARD), REASON_CLOCK_UNTRUSTED);
    pass_time(f, 61);
    assert_int_equal(show(f, ANH_CARD), REASON_STATUS_GREEN);
}

static void an_untrusted_clock_is_no_evidence(void **state)
{
    struct fixture *f = *state;
    declare_green(f, ANH);
    f->clock_trusted = false;
    pass_time(f, 1000000000); /* a battery-less clock's fancy */
    assert_int_equal(show(f, ANH_CARD), REASON_CLOCK_UNTRUSTED);
    f->clock_trusted = true;
    f->at_us = FIXTURE_NOW_S * INT64_C(1000000);
    assert_int_equal(show(f, ANH_CARD), REASON_STATUS_GREEN);
    restart(f);
    assert_int_equal(show(f, ANH_CARD), REASON_STATUS_GREEN);
}

static void an_event_that_waited_keeps_its_time(void **state)
{
    struct fixture *f = *state;
    const int64_t at_us = f->at_us, monotonic_us = f->monotonic_us;
    pass_time(f, 600);
    (void)show(f, ANH_CARD);
    f->at_us = at_us;
    f->monotonic_us = monotonic_us;
    record(f, EVENT_OVERRIDE, "");
    assert_true(f->answer.event.clock_trusted);
    f->at_us -= 100 * INT64_C(1000000); /* more than it can have waited */
    record(f, EVENT_OVERRIDE, "");
    assert_false(f->answer.event.clock_trusted);
}

static void bad_offsets_are_refused(void **state)
{
    struct fixture *f = *state;
    fresh(f, JOURNAL_DECIDE)->utc_offset_s = 86401;
    assert_int_equal(ask(f), -EINVAL);
    fresh(f, JOURNAL_DECIDE)->utc_offset_s = -86401;
    assert_int_equal(ask(f), -EINVAL);
    fresh(f, JOURNAL_DECIDE)->event.event_id[0] = '\0';
    assert_int_equal(ask(f), -EINVAL);
    fresh(f, JOURNAL_DECIDE)->utc_offset_s = 7 * 3600;
    assert_int_equal(ask(f), 0);
}

/* ---- the lock ---------------------------------------------------------------------------------------------------- */

static void set_up_lock(struct fixture *f)
{
    f->settings.policy.refusals_lock = 3;
    f->settings.policy.refusals_lock_s = 300;
    restart(f);
    declare_green(f, ANH);
}

static void refuse(struct fixture *f, int times)
{
    for (int i = 0; i < times; i++) {
        assert_int_equal(show(f, "hello"), REASON_CODE_UNSUPPORTED);
        pass_time(f, 1);
    }
}

static void refusals_in_a_row_lock_the_lane(void **state)
{
    struct fixture *f = *state;
    set_up_lock(f);
    refuse(f, 2);
    assert_int_equal(show(f, ANH_CARD), REASON_STATUS_GREEN); /* ends the row */
    refuse(f, 3);
    assert_int_equal(show(f, ANH_CARD), REASON_LANE_LOCKED);
    assert_int_equal(f->answer.event.kind, EVENT_DENIED);
    pass_time(f, 298);
    assert_int_equal(show(f, ANH_CARD), REASON_LANE_LOCKED); /* itself it doesn't count */
    pass_time(f, 2);
    assert_int_equal(show(f, ANH_CARD), REASON_STATUS_GREEN);
}

static void lock_down_denies_and_locks_nobody_out(void **state)
{
    struct fixture *f = *state;
    set_up_lock(f);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(show(f, ANH_CARD), REASON_STATUS_GREEN);
        struct journal_request *request = fresh(f, JOURNAL_DECIDE);
        request->lock_down = true;
        for (int times = 0; times < 4; times++) {
            (void)snprintf(request->event.event_id, sizeof(request->event.event_id), "d%d.%d", i, times);
            request->payload_bytes = sizeof(ANH_CARD) - 1;
            memcpy(request->payload, ANH_CARD, sizeof(ANH_CARD) - 1); /* wiped by the last one */
            assert_int_equal(ask(f), 0);
            assert_int_equal(f->answer.verdict.action, VERDICT_DENY);
            assert_int_equal(f->answer.verdict.reason, REASON_LOCK_DOWN);
            assert_int_equal(f->answer.event.kind, EVENT_DENIED);
        }
        if (i == 3)
            restart(f);
    }
    refuse(f, 3);
    assert_int_equal(show(f, ANH_CARD), REASON_LANE_LOCKED);
}

static void the_guard_ends_the_lock(void **state)
{
    struct fixture *f = *state;
    set_up_lock(f);
    refuse(f, 3);
    record(f, EVENT_OVERRIDE, "");
    assert_int_equal(show(f, ANH_CARD), REASON_STATUS_GREEN);
    refuse(f, 3);
    restart(f);
    record(f, EVENT_OVERRIDE, ""); /* the first thing after a restart */
    assert_int_equal(show(f, ANH_CARD), REASON_STATUS_GREEN);
}

static void a_restart_does_not_end_the_lock(void **state)
{
    struct fixture *f = *state;
    set_up_lock(f);
    refuse(f, 3);
    for (int i = 0; i < 5; i++)
        assert_int_equal(show(f, ANH_CARD), REASON_LANE_LOCKED);
    pass_time(f, 100);
    f->monotonic_us = 5000000; /* the whole Pi */
    restart(f);
    assert_int_equal(show(f, ANH_CARD), REASON_LANE_LOCKED);
    pass_time(f, 198);
    assert_int_equal(show(f, ANH_CARD), REASON_LANE_LOCKED);
    restart(f);
    assert_int_equal(show(f, ANH_CARD), REASON_LANE_LOCKED);
    pass_time(f, 2);
    assert_int_equal(show(f, ANH_CARD), REASON_STATUS_GREEN);
    restart(f);
    assert_int_equal(show(f, ANH_CARD), REASON_STATUS_GREEN);
}

static void a_restart_does_not_end_the_row(void **state)
{
    struct fixture *f = *state;
    set_up_lock(f);
    refuse(f, 2);
    restart(f);
    refuse(f, 1);
    assert_int_equal(show(f, ANH_CARD), REASON_LANE_LOCKED);
}

static void without_a_clock_the_lock_is_the_longer_one(void **state)
{
    struct fixture *f = *state;
    set_up_lock(f);
    refuse(f, 3);
    pass_time(f, 1000); /* long over … */
    f->clock_trusted = false;
    restart(f); /* … but nobody can say so now */
    assert_int_equal(show(f, ANH_CARD), REASON_LANE_LOCKED);
    pass_time(f, 301); /* and never longer than from the start on */
    assert_int_not_equal(show(f, ANH_CARD), REASON_LANE_LOCKED);
    f->clock_trusted = true;
    restart(f);
    assert_int_equal(show(f, ANH_CARD), REASON_STATUS_GREEN);
    f->at_us -= 7200 * INT64_C(1000000); /* a clock that went back counts for none */
    restart(f);
    assert_int_not_equal(show(f, ANH_CARD), REASON_STATUS_GREEN);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(any_number_leads_to_the_person),
        TEST(a_code_with_two_peoples_numbers_never_opens),
        TEST(declarations_come_by_request),
        TEST(answers_are_judged_by_the_policy),
        TEST(a_revoked_token_is_denied_until_lifted),
        TEST(a_rotating_step_is_good_once),
        TEST(a_step_is_burnt_with_its_row),
        TEST(a_clock_that_went_back_is_not_trusted),
        TEST(an_untrusted_clock_is_no_evidence),
        TEST(an_event_that_waited_keeps_its_time),
        TEST(bad_offsets_are_refused),
        TEST(refusals_in_a_row_lock_the_lane),
        TEST(lock_down_denies_and_locks_nobody_out),
        TEST(the_guard_ends_the_lock),
        TEST(a_restart_does_not_end_the_lock),
        TEST(a_restart_does_not_end_the_row),
        TEST(without_a_clock_the_lock_is_the_longer_one),
    };
    return cmocka_run_group_tests_name("judge", tests, NULL, NULL);
}
