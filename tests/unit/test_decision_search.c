/* decide() over all policies for the statuses, and over a few hundred thousand drawn situations and policies: what must
 * hold for each, and that nothing that goes wrong, and no stricter setting, makes a verdict milder. */
#include "tests/unit/decision_facts.h"

#include <stdlib.h>

/* The same numbers at every run. */
static uint64_t drawn_from;

static unsigned draw(unsigned below)
{
    drawn_from ^= drawn_from << 13;
    drawn_from ^= drawn_from >> 7;
    drawn_from ^= drawn_from << 17;
    return (unsigned)(drawn_from >> 32) % below;
}

static bool one_in(unsigned n) { return draw(n) == 0; }
static enum verdict_action any_action(void) { return (enum verdict_action)draw(VERDICT_ACTION_COUNT); }

static int64_t any_time(void)
{
    static const int64_t times_s[] = {INT64_MIN, 0, 1, NOW_S - 40 * TEST_DAY_S, NOW_S - VALIDITY_S - 1, NOW_S - VALIDITY_S,
                                      NOW_S - 10, NOW_S, NOW_S + SKEW_S, NOW_S + SKEW_S + 1, NOW_S + VALIDITY_S, INT64_MAX};
    return times_s[draw(sizeof times_s / sizeof times_s[0])];
}

struct drawn {
    struct policy policy;
    struct credential credential;
    struct declaration declaration;
    struct decision_facts facts;
};

static void draw_policy(struct policy *policy)
{
    *policy = usual_policy();
    for (int status = 0; status < STATUS_COUNT; status++)
        policy->by_status[status] = any_action();
    policy->declaration.since_midnight = one_in(3);
    policy->declaration.on_symptom[SYMPTOM_COUGH] = STATUS_YELLOW;
    policy->declaration.on_travel = STATUS_WHITE;
    policy->health.unmet = any_action();
    policy->health.accept = !one_in(4);
    policy->direction = (enum direction)draw(DIRECTION_COUNT);
    policy->exit_open = one_in(3);
    policy->outside_schedule = any_action();
    policy->schedule.count = draw(2);
    policy->schedule.rows[0] = (struct schedule_row){.group = "*", .days = (uint8_t)draw(128), .to_min = 1440};
    policy->antipassback_s = one_in(2) ? 60 : 0;
    policy->antipassback_time = any_action();
    policy->antipassback_presence = any_action();
    policy->occupancy_limit = one_in(2) ? 10 : 0;
    policy->occupancy_full = any_action();
    policy->number_mismatch = any_action();
    policy->clock_untrusted = (enum clock_policy)draw(3);
}

static void draw_credential(struct credential *credential)
{
    switch (draw(6)) {
    case 0: *credential = rotating(NOW_S / 30 - 2 + draw(5)); break;
    case 1: *credential = certificate(); break;
    case 2: *credential = positive_test(); break;
    case 3: *credential = masked_code(); break;
    case 4: *credential = card(); break;
    default: *credential = token((enum declaration_status)draw(STATUS_COUNT), any_time(), any_time()); break;
    }
    if (credential->kind == CREDENTIAL_HEALTH_CERTIFICATE) {
        credential->health.dose = 1 + (int)draw(3);
        credential->health.detected = one_in(2);
        credential->expires_at_s = any_time();
    }
    if (one_in(8))
        credential->fault = (enum credential_fault)draw(CREDENTIAL_FAULT_COUNT);
    if (one_in(8))
        credential->is_signed = false;
    if (one_in(4))
        credential->warnings |= draw(16);
}

static void draw_one(struct drawn *one)
{
    draw_policy(&one->policy);
    draw_credential(&one->credential);
    one->declaration = declared((enum declaration_status)draw(STATUS_COUNT), any_time());
    one->declaration.found = !one_in(3);
    one->declaration.answers = (struct declaration_answers){.symptoms = (uint16_t)draw(4), .travelled = one_in(4)};
    one->facts = facts_of(&one->credential, one_in(9) ? NULL : &one->declaration, !one_in(3));
    one->facts.presence = (struct presence){.known = one_in(2), .inside = one_in(2), .inside_count = draw(20),
                                            .last_passage_at_s = any_time()};
    one->facts.revoked = one_in(12);
    one->facts.step_used = one_in(12);
    one->facts.identity_conflict = one_in(8);
    one->facts.locked = one_in(12);
    one->facts.lock_down = one_in(12);
}

static struct verdict decide_one(const struct drawn *one)
{
    struct decision_facts facts = one->facts; /* a copy of a drawn one still points at the first */
    facts.credential = &one->credential;
    if (facts.declaration != NULL)
        facts.declaration = &one->declaration;
    return decide(&facts, &one->policy);
}

static bool is_exit(const struct drawn *one)
{
    return one->policy.exit_open && one->policy.direction == DIRECTION_OUT;
}

static bool is_token(const struct drawn *one)
{
    return one->credential.kind == CREDENTIAL_SITE_TOKEN || one->credential.kind == CREDENTIAL_ROTATING_TOKEN;
}

/* ---- what holds for each ---- */

static void check_one(const struct drawn *one, struct verdict got)
{
    const struct credential *credential = &one->credential;
    const struct decision_facts *facts = &one->facts;
    bool trusted = facts->moment.clock_trusted, is_rotating = credential->kind == CREDENTIAL_ROTATING_TOKEN;

    assert_true((unsigned)got.action < VERDICT_ACTION_COUNT && (unsigned)got.status < STATUS_COUNT);
    assert_true((unsigned)got.reason < REASON_JOURNAL_FAILED);
    if (got.reason == REASON_EXIT_OPEN)
        assert_true(is_exit(one) && got.action == VERDICT_OPEN);
    if (facts->locked)
        assert_int_equal(got.reason, REASON_LANE_LOCKED);
    else if (facts->lock_down)
        assert_int_equal(got.reason, REASON_LOCK_DOWN);
    bool is_unverified = !credential->is_signed && (is_token(one) || credential->kind == CREDENTIAL_HEALTH_CERTIFICATE);
    if (facts->locked || facts->lock_down || facts->revoked || facts->step_used || credential->fault != CREDENTIAL_OK || is_unverified)
        assert_int_equal(got.action, VERDICT_DENY);
    if (facts->identity_conflict || credential->kind == CREDENTIAL_PERSONAL_CODE)
        assert_int_not_equal(got.action, VERDICT_OPEN); /* the drawn personal codes show nobody */
    if (got.reason == REASON_EXIT_OPEN)
        return; /* the rest isn't asked there */
    if (trusted && is_token(one) && NOW_S >= credential->expires_at_s)
        assert_int_equal(got.action, VERDICT_DENY);
    if (trusted && is_rotating && llabs(NOW_S / 30 - credential->rotation_step) > 1)
        assert_int_equal(got.action, VERDICT_DENY);
    if (!trusted && is_rotating)
        assert_int_not_equal(got.action, VERDICT_OPEN);
    if (!trusted && got.action == VERDICT_OPEN && got.reason != REASON_NO_DECLARATION && got.reason != REASON_OUTSIDE_SCHEDULE)
        assert_true(one->policy.clock_untrusted == CLOCK_POLICY_OPEN_IF_SIGNATURE_VALID && credential->is_signed);
    if (got.status == STATUS_RED && got.action == VERDICT_OPEN)
        assert_true(got.reason == REASON_STATUS_RED && one->policy.by_status[STATUS_RED] == VERDICT_OPEN);
    assert_false(got.status == STATUS_REVOKED && got.action == VERDICT_OPEN);
    if (got.reason == REASON_STATUS_RED)
        assert_true(got.action >= one->policy.by_status[STATUS_RED]);
}

static void test_what_holds_for_each(void **state)
{
    struct drawn one;
    unsigned seen[REASON_COUNT] = {0};

    (void)state;
    drawn_from = 88172645463325252u;
    for (int i = 0; i < 300000; i++) {
        draw_one(&one);
        struct verdict got = decide_one(&one), again = decide_one(&one);
        assert_true(got.action == again.action && got.reason == again.reason && got.status == again.status);
        check_one(&one, got);
        seen[got.reason]++;
    }
    for (int reason = 0; reason < REASON_JOURNAL_FAILED; reason++) /* or the search looks at too little */
        if (seen[reason] < 20)
            fail_msg("%s was drawn %u times", reason_name((enum reason)reason), seen[reason]);
}

/* ---- what goes wrong never makes it milder ---- */

static bool lock(struct drawn *one)
{
    one->facts.locked = true;
    return true;
}

static bool revoke(struct drawn *one)
{
    one->facts.revoked = true;
    return true;
}

static bool use_step(struct drawn *one)
{
    one->facts.step_used = true;
    return true;
}

static bool conflict(struct drawn *one)
{
    one->facts.identity_conflict = true;
    return true;
}

static bool unsign(struct drawn *one)
{
    one->credential.is_signed = false;
    return true;
}

static bool warn(struct drawn *one)
{
    one->credential.warnings |= 1u << draw(4);
    return true;
}

static bool fill_up(struct drawn *one)
{
    one->facts.presence.inside_count = 1000;
    return true;
}

static bool pass_just_now(struct drawn *one)
{
    one->facts.presence.last_passage_at_s = NOW_S;
    return true;
}

static bool break_code(struct drawn *one)
{
    one->credential.fault = (enum credential_fault)(1 + draw(CREDENTIAL_FAULT_COUNT - 1));
    return true;
}

static bool be_where_one_is_not_due(struct drawn *one)
{
    one->facts.presence.known = true;
    one->facts.presence.inside = one->policy.direction == DIRECTION_IN;
    return true;
}

static bool end_token(struct drawn *one)
{
    one->credential.expires_at_s = NOW_S;
    return one->facts.moment.clock_trusted && is_token(one);
}

static bool begin_token_later(struct drawn *one)
{
    one->credential.issued_at_s = NOW_S + SKEW_S + 1;
    return one->facts.moment.clock_trusted && is_token(one);
}

static bool lose_step(struct drawn *one)
{
    one->credential.rotation_step = 5;
    return one->facts.moment.clock_trusted;
}

static bool end_signer(struct drawn *one)
{
    one->credential.key_until_s = NOW_S - 1;
    return true;
}

static bool close_hours(struct drawn *one)
{
    one->policy.schedule.count = 1;
    one->policy.schedule.rows[0].days = 0;
    return true;
}

/* A row that counts as it is grows old: where the register alone speaks, by its colour. */
static bool grow_old(struct drawn *one)
{
    bool is_fresh = one->declaration.found && one->declaration.declared_at_s == NOW_S;
    one->declaration.declared_at_s = NOW_S - 3 * VALIDITY_S;
    return is_fresh && !one->credential.has_status && one->credential.kind != CREDENTIAL_HEALTH_CERTIFICATE;
}

/* A fresh row is added, of the status with the strictest action; a known person may leave, a stranger not. */
static bool declare_worst(struct drawn *one)
{
    if (one->declaration.found || is_exit(one) || one->facts.declaration == NULL)
        return false;
    for (int status = 0; status < STATUS_COUNT; status++)
        one->policy.by_status[status] = status == STATUS_RED ? VERDICT_DENY : one->policy.by_status[status];
    one->declaration = declared(STATUS_RED, NOW_S);
    return one->credential.issued_at_s <= NOW_S; /* else the token is newer, and knew */
}

static bool answer_yes(struct drawn *one)
{
    one->policy.by_status[STATUS_RED] = VERDICT_DENY;
    one->declaration.answers.symptoms |= 1u << SYMPTOM_FEVER;
    return true;
}

static bool test_positive(struct drawn *one)
{
    if (one->credential.kind != CREDENTIAL_HEALTH_CERTIFICATE)
        return false;
    one->policy.by_status[STATUS_RED] = VERDICT_DENY;
    one->credential.health.type = HEALTH_TEST;
    one->credential.health.detected = true;
    return true;
}

/* One setting is made stricter. */
static bool tighten(struct drawn *one)
{
    struct policy *policy = &one->policy;
    enum verdict_action *const others[] = {&policy->outside_schedule, &policy->antipassback_time,
                                           &policy->antipassback_presence, &policy->occupancy_full,
                                           &policy->number_mismatch, &policy->health.unmet};
    unsigned which = draw(STATUS_COUNT + 6);
    enum verdict_action *setting = which < STATUS_COUNT ? &policy->by_status[which] : others[which - STATUS_COUNT];

    if (*setting < VERDICT_DENY)
        *setting = (enum verdict_action)(*setting + 1);
    return true;
}

static bool close_exit(struct drawn *one)
{
    one->policy.exit_open = false;
    return true;
}

static void test_nothing_makes_it_milder(void **state)
{
    static const struct {
        const char *name;
        bool (*change)(struct drawn *one); /* false: says nothing about this one */
    } changes[] = {
        {"lock", lock}, {"revoke", revoke}, {"use_step", use_step}, {"conflict", conflict}, {"unsign", unsign},
        {"warn", warn}, {"fill_up", fill_up}, {"pass_just_now", pass_just_now}, {"break_code", break_code},
        {"be_where_one_is_not_due", be_where_one_is_not_due}, {"end_token", end_token},
        {"begin_token_later", begin_token_later}, {"lose_step", lose_step}, {"end_signer", end_signer},
        {"close_hours", close_hours}, {"grow_old", grow_old}, {"declare_worst", declare_worst},
        {"answer_yes", answer_yes}, {"test_positive", test_positive}, {"tighten", tighten}, {"close_exit", close_exit},
    };

    (void)state;
    drawn_from = 1181783497276652981u;
    for (size_t c = 0; c < sizeof changes / sizeof changes[0]; c++) {
        unsigned said = 0, stricter = 0;
        for (int i = 0; i < 40000; i++) {
            struct drawn before, after;
            draw_one(&before);
            after = before;
            if (!changes[c].change(&after))
                continue;
            struct verdict was = decide_one(&before), is = decide_one(&after);
            if (is.action < was.action)
                fail_msg("%s: %s %s became %s %s", changes[c].name, verdict_action_name(was.action), reason_name(was.reason),
                         verdict_action_name(is.action), reason_name(is.reason));
            said++;
            stricter += is.action > was.action;
        }
        if (said < 200 || stricter < 5)
            fail_msg("%s: looked at %u, of which %u became stricter", changes[c].name, said, stricter);
    }
}

/* Who isn't known to be in or out is judged as if presence were off. */
static void test_unknown_presence_passes(void **state)
{
    (void)state;
    drawn_from = 362436069362436069u;
    for (int i = 0; i < 40000; i++) {
        struct drawn with, without;
        draw_one(&with);
        with.facts.presence.known = false;
        without = with;
        without.policy.antipassback_presence = VERDICT_OPEN;
        struct verdict a = decide_one(&with), b = decide_one(&without);
        assert_true(a.action == b.action && a.reason == b.reason && a.status == b.status);
    }
}

/* ---- all policies for the statuses ---- */

enum { STATUS_POLICIES = 2187, CLOCK_POLICIES = 3 };

static struct policy numbered_policy(unsigned number)
{
    struct policy policy = usual_policy();

    for (int status = 0; status < STATUS_COUNT; status++, number /= VERDICT_ACTION_COUNT)
        policy.by_status[status] = (enum verdict_action)(number % VERDICT_ACTION_COUNT);
    policy.clock_untrusted = (enum clock_policy)(number % CLOCK_POLICIES);
    return policy;
}

static bool is_shut(enum declaration_status status) { return status == STATUS_RED || status == STATUS_REVOKED; }

static enum verdict_action by_clock(const struct policy *policy, bool has_signature)
{
    if (policy->clock_untrusted == CLOCK_POLICY_DENY)
        return VERDICT_DENY;
    return policy->clock_untrusted == CLOCK_POLICY_HOLD || !has_signature ? VERDICT_HOLD : VERDICT_OPEN;
}

/* Time never makes a verdict milder than the status alone; a red or revoked one that is expired, or that no clock can judge,
 * never opens; an old or early token is denied. */
static void test_all_policies(void **state)
{
    (void)state;
    for (unsigned number = 0; number < STATUS_POLICIES * CLOCK_POLICIES; number++) {
        struct policy policy = numbered_policy(number);
        for (int status = 0; status < STATUS_COUNT; status++) {
            enum declaration_status s = (enum declaration_status)status;
            const struct credential credentials[] = {token(s, 1, 2), token(s, NOW_S, NOW_S + 9), token(s, NOW_S + 999, NOW_S + 9999),
                                                     card(), card(), card()};
            const struct declaration declarations[] = {not_found(), not_found(), not_found(), declared(s, 1),
                                                       declared(s, NOW_S), declared(s, NOW_S + 999)};
            for (int i = 0; i < 12; i++) {
                bool trusted = i < 6, is_fresh = i == 1 || i == 4, by_token = i % 6 < 3;
                if (s == STATUS_NONE && !by_token)
                    continue; /* no colour: the answers alone, which are green */
                struct verdict got = decide_by(&policy, credentials[i % 6], declarations[i % 6], trusted);
                assert_true(got.action >= policy.by_status[s]);
                if (is_shut(s) && !is_fresh)
                    assert_int_not_equal(got.action, VERDICT_OPEN);
                if (trusted && (i == 0 || i == 2))
                    assert_int_equal(got.action, VERDICT_DENY);
                if (!trusted)
                    assert_true(got.action >= by_clock(&policy, by_token));
                if (trusted && is_fresh && s != STATUS_REVOKED)
                    assert_int_equal(got.action, policy.by_status[s]);
                if (is_shut(got.status))
                    assert_int_equal(got.status, s);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_holds_for_each), cmocka_unit_test(test_nothing_makes_it_milder),
        cmocka_unit_test(test_unknown_presence_passes), cmocka_unit_test(test_all_policies),
    };
    return cmocka_run_group_tests_name("decision_search", tests, NULL, NULL);
}
