/* decide(): a case for each reason, the precedence of the rules, boundaries at the second, hostile times, the lock. What
 * must hold for every policy is searched for in test_decision_search.c. */
#include "tests/unit/decision_facts.h"

/* ---- the tables ---- */

static void check_texts(const char *(*text)(enum reason reason))
{
    for (int reason = 0; reason < REASON_COUNT; reason++) {
        const char *sentence = text((enum reason)reason);
        assert_non_null(sentence);
        assert_true(strlen(sentence) > 10 && sentence[strlen(sentence) - 1] == '.');
    }
    assert_string_equal(text(REASON_COUNT), "?");
    assert_string_equal(text((enum reason)-1), "?");
}

static void test_reasons_table(void **state)
{
    (void)state;
    for (int reason = 0; reason < REASON_COUNT; reason++) {
        const char *name = reason_name((enum reason)reason), *meaning = reason_meaning((enum reason)reason);
        assert_non_null(name);
        assert_true(strlen(name) > 0 && strspn(name, "abcdefghijklmnopqrstuvwxyz_") == strlen(name));
        assert_non_null(meaning);
        for (int other = 0; other < reason; other++) {
            assert_string_not_equal(name, reason_name((enum reason)other));
            assert_string_not_equal(meaning, reason_meaning((enum reason)other));
            assert_string_not_equal(reason_example((enum reason)reason), reason_example((enum reason)other));
        }
    }
    assert_string_equal(reason_name(REASON_COUNT), "?");
    check_texts(reason_meaning);
    check_texts(reason_remedy);
    check_texts(reason_example);
}

static void test_names(void **state)
{
    enum verdict_action action = VERDICT_DENY;
    enum direction direction = DIRECTION_OUT;
    enum presence_scope scope = PRESENCE_SCOPE_OWN;

    (void)state;
    for (int i = 0; i < VERDICT_ACTION_COUNT; i++) {
        assert_true(verdict_action_from_name(verdict_action_name((enum verdict_action)i), &action));
        assert_int_equal(action, i);
    }
    for (int i = 0; i < DIRECTION_COUNT; i++) {
        assert_true(direction_from_name(direction_name((enum direction)i), &direction));
        assert_int_equal(direction, i);
    }
    for (int i = 0; i < PRESENCE_SCOPE_COUNT; i++) {
        assert_true(presence_scope_from_name(presence_scope_name((enum presence_scope)i), &scope));
        assert_int_equal(scope, i);
    }
    assert_false(verdict_action_from_name("Open", &action) || direction_from_name("", &direction) ||
                 presence_scope_from_name("owner", &scope));
    assert_int_equal(action, VERDICT_DENY); /* as the last good one left it */
    assert_string_equal(verdict_action_name(VERDICT_ACTION_COUNT), "?");
    assert_string_equal(direction_name(DIRECTION_COUNT), "?");
    assert_string_equal(presence_scope_name((enum presence_scope)-1), "?");
    assert_string_equal(direction_name(DIRECTION_IN), "in");
    assert_string_equal(presence_scope_name(PRESENCE_SCOPE_SHARED), "shared");
}

/* Every reason of a rule is in the table that the manual prints; what only a status says is in the two last rows. */
static void test_rules_table(void **state)
{
    bool seen[REASON_COUNT] = {false};
    struct decision_rule rule = {REASON_COUNT, NULL, false};
    size_t count = 0, of_status = 0;

    (void)state;
    for (; decision_rule(count, &rule); count++) {
        assert_true((unsigned)rule.reason < REASON_COUNT);
        assert_true(strlen(rule.action) > 3);
        seen[rule.reason] = true;
        of_status += rule.reason == REASON_NONE;
        if (of_status > 0)
            assert_int_equal(rule.reason, REASON_NONE);
    }
    assert_int_equal(of_status, 2);
    for (int reason = REASON_STATUS_EXPIRED; reason < REASON_JOURNAL_FAILED; reason++)
        assert_true(seen[reason] || reason == REASON_STATUS_REVOKED);
    assert_false(seen[REASON_JOURNAL_FAILED] || seen[REASON_BUTTON]);
    assert_false(decision_rule(SIZE_MAX, &rule));
}

/* ---- a case for each reason ---- */

/* A lane with every rule switched on; the facts of a case are changed by `twist`. */
static struct policy strict_policy(enum direction direction)
{
    struct policy policy = usual_policy();

    policy.direction = direction;
    policy.outside_schedule = policy.antipassback_time = policy.antipassback_presence = policy.occupancy_full =
        policy.number_mismatch = VERDICT_HOLD;
    policy.antipassback_s = 60;
    policy.occupancy_limit = 100;
    policy.exit_open = direction == DIRECTION_OUT;
    policy.schedule.count = 1; /* Mondays, all day: NOW_S is one */
    policy.schedule.rows[0] = (struct schedule_row){.group = "*", .days = 1, .from_min = 0, .to_min = 1440};
    return policy;
}

static void nothing(struct decision_facts *f) { (void)f; }
static void a_lock(struct decision_facts *f) { f->locked = true; }
static void a_lock_down(struct decision_facts *f) { f->lock_down = true; }
static void a_revocation(struct decision_facts *f) { f->revoked = true; }
static void a_used_step(struct decision_facts *f) { f->step_used = true; }
static void a_conflict(struct decision_facts *f) { f->identity_conflict = true; }
static void no_clock(struct decision_facts *f) { f->moment.clock_trusted = false; }
static void tuesday(struct decision_facts *f) { f->moment.utc_offset_s = 10 * TEST_HOUR_S; }
static void just_before(struct decision_facts *f) { f->presence.last_passage_at_s = NOW_S - 59; }
static void inside(struct decision_facts *f) { f->presence.known = f->presence.inside = true; }
static void full(struct decision_facts *f) { f->presence.inside_count = 100; }

static struct credential mismatched(void)
{
    struct credential credential = card();
    credential.warnings = CREDENTIAL_WARN_BIRTH_MISMATCH;
    return credential;
}

static struct credential single_dose(void)
{
    struct credential credential = certificate();
    credential.health.dose = 1;
    return credential;
}

static void test_case_per_reason(void **state)
{
    const struct {
        struct credential credential;
        struct declaration declaration;
        void (*twist)(struct decision_facts *facts);
        enum direction direction;
        enum verdict_action action;
        enum reason reason;
        enum declaration_status status;
    } cases[] = {
        {card(), declared(STATUS_GREEN, NOW_S), nothing, DIRECTION_IN, VERDICT_OPEN, REASON_STATUS_GREEN, STATUS_GREEN},
        {card(), declared(STATUS_YELLOW, NOW_S), nothing, DIRECTION_IN, VERDICT_HOLD, REASON_STATUS_YELLOW, STATUS_YELLOW},
        {card(), declared(STATUS_RED, NOW_S), nothing, DIRECTION_IN, VERDICT_DENY, REASON_STATUS_RED, STATUS_RED},
        {card(), declared(STATUS_WHITE, NOW_S), nothing, DIRECTION_IN, VERDICT_HOLD, REASON_STATUS_WHITE, STATUS_WHITE},
        {card(), declared(STATUS_GREEN, 1), nothing, DIRECTION_IN, VERDICT_HOLD, REASON_STATUS_EXPIRED, STATUS_EXPIRED},
        {card(), declared(STATUS_REVOKED, NOW_S), nothing, DIRECTION_IN, VERDICT_DENY, REASON_STATUS_REVOKED,
         STATUS_REVOKED},
        {card(), not_found(), nothing, DIRECTION_IN, VERDICT_DENY, REASON_NO_DECLARATION, STATUS_NONE},
        {token(STATUS_GREEN, 1, NOW_S), not_found(), nothing, DIRECTION_IN, VERDICT_DENY, REASON_TOKEN_EXPIRED,
         STATUS_EXPIRED},
        {token(STATUS_GREEN, NOW_S + 999, NOW_S + 9999), not_found(), nothing, DIRECTION_IN, VERDICT_DENY,
         REASON_TOKEN_NOT_YET_VALID, STATUS_GREEN},
        {token(STATUS_GREEN, 1, NOW_S + 1), not_found(), a_revocation, DIRECTION_IN, VERDICT_DENY, REASON_TOKEN_REVOKED,
         STATUS_GREEN},
        {rotating(NOW_S / 30), declared(STATUS_GREEN, NOW_S), a_used_step, DIRECTION_IN, VERDICT_DENY,
         REASON_TOKEN_REPLAYED, STATUS_GREEN},
        {rotating(NOW_S / 30 - 2), declared(STATUS_GREEN, NOW_S), nothing, DIRECTION_IN, VERDICT_DENY,
         REASON_TOKEN_OUT_OF_STEP, STATUS_GREEN},
        {faulty(CREDENTIAL_FAULT_SIGNATURE), not_found(), nothing, DIRECTION_IN, VERDICT_DENY, REASON_SIGNATURE_INVALID,
         STATUS_NONE},
        {faulty(CREDENTIAL_FAULT_KEY_UNKNOWN), not_found(), nothing, DIRECTION_IN, VERDICT_DENY, REASON_KEY_UNKNOWN,
         STATUS_NONE},
        {faulty(CREDENTIAL_FAULT_KEY_NOT_VALID), not_found(), nothing, DIRECTION_IN, VERDICT_DENY, REASON_KEY_NOT_VALID,
         STATUS_NONE},
        {faulty(CREDENTIAL_FAULT_MALFORMED), not_found(), nothing, DIRECTION_IN, VERDICT_DENY, REASON_CODE_MALFORMED,
         STATUS_NONE},
        {faulty(CREDENTIAL_FAULT_UNSUPPORTED), not_found(), nothing, DIRECTION_IN, VERDICT_DENY, REASON_CODE_UNSUPPORTED,
         STATUS_NONE},
        {faulty(CREDENTIAL_FAULT_PLACE_CODE), not_found(), nothing, DIRECTION_IN, VERDICT_DENY, REASON_PLACE_CODE,
         STATUS_NONE},
        {masked_code(), not_found(), nothing, DIRECTION_IN, VERDICT_DENY, REASON_NUMBER_MASKED, STATUS_NONE},
        {mismatched(), declared(STATUS_GREEN, NOW_S), nothing, DIRECTION_IN, VERDICT_HOLD, REASON_NUMBER_MISMATCH,
         STATUS_GREEN},
        {card(), declared(STATUS_GREEN, NOW_S), a_conflict, DIRECTION_IN, VERDICT_HOLD, REASON_IDENTITY_CONFLICT,
         STATUS_GREEN},
        {single_dose(), not_found(), nothing, DIRECTION_IN, VERDICT_HOLD, REASON_CERTIFICATE_RULE, STATUS_NONE},
        {card(), declared(STATUS_GREEN, NOW_S), tuesday, DIRECTION_IN, VERDICT_HOLD, REASON_OUTSIDE_SCHEDULE,
         STATUS_GREEN},
        {card(), declared(STATUS_GREEN, NOW_S), just_before, DIRECTION_IN, VERDICT_HOLD, REASON_ANTIPASSBACK_TIME,
         STATUS_GREEN},
        {card(), declared(STATUS_GREEN, NOW_S), inside, DIRECTION_IN, VERDICT_HOLD, REASON_ANTIPASSBACK_PRESENCE,
         STATUS_GREEN},
        {card(), declared(STATUS_GREEN, NOW_S), full, DIRECTION_IN, VERDICT_HOLD, REASON_OCCUPANCY_FULL, STATUS_GREEN},
        {card(), declared(STATUS_RED, NOW_S), nothing, DIRECTION_OUT, VERDICT_OPEN, REASON_EXIT_OPEN, STATUS_RED},
        {card(), declared(STATUS_GREEN, NOW_S), a_lock, DIRECTION_IN, VERDICT_DENY, REASON_LANE_LOCKED, STATUS_NONE},
        {card(), declared(STATUS_GREEN, NOW_S), a_lock_down, DIRECTION_OUT, VERDICT_DENY, REASON_LOCK_DOWN, STATUS_NONE},
        {card(), declared(STATUS_GREEN, NOW_S), no_clock, DIRECTION_IN, VERDICT_HOLD, REASON_CLOCK_UNTRUSTED,
         STATUS_GREEN},
    };
    bool seen[REASON_COUNT] = {[REASON_JOURNAL_FAILED] = true, [REASON_BUTTON] = true, [REASON_OPERATOR] = true,
                               [REASON_NONE] = true};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct policy policy = strict_policy(cases[i].direction);
        struct decision_facts facts = facts_of(&cases[i].credential, &cases[i].declaration, true);
        cases[i].twist(&facts);
        check(decide(&facts, &policy), cases[i].action, cases[i].reason, cases[i].status);
        assert_false(seen[cases[i].reason]);
        seen[cases[i].reason] = true;
    }
    for (int reason = 0; reason < REASON_COUNT; reason++)
        assert_true(seen[reason]);
}

static void test_every_status_by_every_action(void **state)
{
    static const enum reason reasons[STATUS_COUNT] = {
        [STATUS_NONE] = REASON_NO_DECLARATION, [STATUS_GREEN] = REASON_STATUS_GREEN,
        [STATUS_YELLOW] = REASON_STATUS_YELLOW, [STATUS_RED] = REASON_STATUS_RED,
        [STATUS_EXPIRED] = REASON_STATUS_EXPIRED, [STATUS_REVOKED] = REASON_STATUS_REVOKED,
        [STATUS_WHITE] = REASON_STATUS_WHITE,
    };

    (void)state;
    for (int status = 0; status < STATUS_COUNT; status++) {
        for (int action = 0; action < VERDICT_ACTION_COUNT; action++) {
            enum declaration_status s = (enum declaration_status)status;
            enum verdict_action asked = (enum verdict_action)action;
            struct policy policy = policy_of_all(action == VERDICT_OPEN ? VERDICT_DENY : VERDICT_OPEN);
            policy.by_status[status] = asked;
            if (s == STATUS_REVOKED && asked == VERDICT_OPEN)
                asked = VERDICT_HOLD;
            check(decide_by(&policy, token(s, NOW_S - 10, NOW_S + 10), not_found(), true), asked, reasons[s], s);
            if (s != STATUS_NONE)
                check(decide_by(&policy, card(), declared(s, NOW_S - 10), true), asked, reasons[s], s);
            struct credential credential = token(s, NOW_S - 10, NOW_S + 10);
            struct decision_facts facts = facts_of(&credential, NULL, true);
            check(decide(&facts, &policy), asked, reasons[s], s);
        }
    }
}

/* A form without a colour and without a yes is a green one; a fever makes it red here. */
static void test_answers_alone(void **state)
{
    struct declaration declaration = declared(STATUS_NONE, NOW_S);

    (void)state;
    check(decide_usual(card(), declaration, true), VERDICT_OPEN, REASON_STATUS_GREEN, STATUS_GREEN);
    declaration.answers.symptoms = 1u << SYMPTOM_FEVER;
    check(decide_usual(card(), declaration, true), VERDICT_DENY, REASON_STATUS_RED, STATUS_RED);
    /* without a clock nobody can say that the fever was long ago: not even who brings a green token opens */
    declaration.answers.symptoms_at_s = declaration.declared_at_s = NOW_S - 20 * TEST_DAY_S;
    struct policy policy = usual_policy();
    policy.clock_untrusted = CLOCK_POLICY_OPEN_IF_SIGNATURE_VALID;
    struct credential older_token = token(STATUS_GREEN, NOW_S - 30 * TEST_DAY_S, NOW_S + 1);
    check(decide_by(&policy, older_token, declaration, true), VERDICT_OPEN, REASON_STATUS_GREEN, STATUS_GREEN);
    check(decide_by(&policy, older_token, declaration, false), VERDICT_DENY, REASON_STATUS_RED, STATUS_RED);
}

/* ---- whose status ---- */

static void test_token_and_register(void **state)
{
    struct credential green = token(STATUS_GREEN, NOW_S - 100, NOW_S + 1), red = token(STATUS_RED, NOW_S - 100, NOW_S + 1);

    (void)state;
    /* older than the token: the token knew */
    check(decide_usual(green, declared(STATUS_RED, NOW_S - 101), true), VERDICT_OPEN, REASON_STATUS_GREEN, STATUS_GREEN);
    check(decide_usual(green, declared(STATUS_REVOKED, NOW_S - 101), true), VERDICT_OPEN, REASON_STATUS_GREEN, STATUS_GREEN);
    /* not older: both */
    check(decide_usual(green, declared(STATUS_RED, NOW_S - 100), true), VERDICT_DENY, REASON_STATUS_RED, STATUS_RED);
    check(decide_usual(green, declared(STATUS_YELLOW, NOW_S), true), VERDICT_HOLD, REASON_STATUS_YELLOW, STATUS_YELLOW);
    check(decide_usual(green, declared(STATUS_GREEN, NOW_S), true), VERDICT_OPEN, REASON_STATUS_GREEN, STATUS_GREEN);
    check(decide_usual(red, declared(STATUS_GREEN, NOW_S), true), VERDICT_DENY, REASON_STATUS_RED, STATUS_RED);
    check(decide_usual(red, declared(STATUS_REVOKED, NOW_S), true), VERDICT_DENY, REASON_STATUS_REVOKED, STATUS_REVOKED);
    /* even from the future, beyond the skew: bad news is taken, and no news stays none */
    check(decide_usual(green, declared(STATUS_RED, NOW_S + 999), true), VERDICT_DENY, REASON_STATUS_RED, STATUS_RED);
    check(decide_usual(green, declared(STATUS_GREEN, NOW_S + 999), true), VERDICT_OPEN, REASON_STATUS_GREEN, STATUS_GREEN);
    /* the register's validity is not the token's */
    struct credential old_token = token(STATUS_GREEN, NOW_S - 9 * VALIDITY_S, NOW_S + 1);
    check(decide_usual(old_token, declared(STATUS_GREEN, NOW_S - 8 * VALIDITY_S), true), VERDICT_OPEN,
          REASON_STATUS_GREEN, STATUS_GREEN);
    /* of two alike the worse gives the name */
    check(decide_usual(token(STATUS_WHITE, NOW_S - 9, NOW_S + 9), declared(STATUS_YELLOW, NOW_S), true), VERDICT_HOLD,
          REASON_STATUS_YELLOW, STATUS_YELLOW);
    check(decide_usual(token(STATUS_YELLOW, NOW_S - 9, NOW_S + 9), declared(STATUS_WHITE, NOW_S), true), VERDICT_HOLD,
          REASON_STATUS_YELLOW, STATUS_YELLOW);
}

/* A token without a status asks the register, and its own times hold all the same. */
static void test_token_without_status(void **state)
{
    struct credential credential = token(STATUS_NONE, NOW_S, NOW_S + 1);

    (void)state;
    credential.has_status = false;
    check(decide_usual(credential, declared(STATUS_GREEN, NOW_S), true), VERDICT_OPEN, REASON_STATUS_GREEN,
          STATUS_GREEN);
    check(decide_usual(credential, declared(STATUS_GREEN, 1), true), VERDICT_HOLD, REASON_STATUS_EXPIRED,
          STATUS_EXPIRED);
    credential.expires_at_s = NOW_S;
    check(decide_usual(credential, declared(STATUS_GREEN, NOW_S), true), VERDICT_DENY, REASON_TOKEN_EXPIRED,
          STATUS_EXPIRED);
}

static void test_rotating_token(void **state)
{
    int64_t step = NOW_S / ROTATION_STEP_S;
    struct credential lying = rotating(step);

    (void)state;
    for (int64_t off = -3; off <= 3; off++) {
        struct verdict got = decide_usual(rotating(step + off), declared(STATUS_GREEN, NOW_S), true);
        if (off >= -1 && off <= 1)
            check(got, VERDICT_OPEN, REASON_STATUS_GREEN, STATUS_GREEN);
        else
            check(got, VERDICT_DENY, REASON_TOKEN_OUT_OF_STEP, STATUS_GREEN);
    }
    check(decide_usual(rotating(INT64_MIN), not_found(), true), VERDICT_DENY, REASON_TOKEN_OUT_OF_STEP, STATUS_NONE);
    check(decide_usual(rotating(INT64_MAX), not_found(), true), VERDICT_DENY, REASON_TOKEN_OUT_OF_STEP, STATUS_NONE);
    check(decide_usual(rotating(step), not_found(), true), VERDICT_DENY, REASON_NO_DECLARATION, STATUS_NONE);
    lying.has_status = true; /* such a code never carries a status */
    lying.status = STATUS_GREEN;
    check(decide_usual(lying, not_found(), true), VERDICT_DENY, REASON_NO_DECLARATION, STATUS_NONE);
    lying.expires_at_s = NOW_S;
    check(decide_usual(lying, declared(STATUS_GREEN, NOW_S), true), VERDICT_DENY, REASON_TOKEN_EXPIRED, STATUS_EXPIRED);
}

/* The card's lookup found somebody although the code shows nobody: not believed. */
static void test_masked_number(void **state)
{
    struct policy policy = policy_of_all(VERDICT_OPEN);
    struct credential with_qid = masked_code();

    (void)state;
    check(decide_by(&policy, masked_code(), declared(STATUS_GREEN, NOW_S), true), VERDICT_HOLD, REASON_NUMBER_MASKED,
          STATUS_NONE);
    (void)strcpy(with_qid.subject, "qid:100000000000000001"); /* another number leads to the person */
    check(decide_by(&policy, with_qid, declared(STATUS_GREEN, NOW_S), true), VERDICT_OPEN, REASON_STATUS_GREEN,
          STATUS_GREEN);
    with_qid.subject[0] = '\0';
    (void)strcpy(with_qid.aliases[0], "bhyt:0123456789");
    check(decide_by(&policy, with_qid, declared(STATUS_GREEN, NOW_S), true), VERDICT_OPEN, REASON_STATUS_GREEN,
          STATUS_GREEN);
}

/* ---- certificates ---- */

static void test_certificates(void **state)
{
    struct credential ended = certificate(), endless = certificate(), early = certificate(), unsigned_one = certificate();
    struct policy policy = usual_policy();

    (void)state;
    check(decide_usual(certificate(), not_found(), true), VERDICT_OPEN, REASON_STATUS_GREEN, STATUS_GREEN);
    check(decide_usual(positive_test(), not_found(), true), VERDICT_DENY, REASON_STATUS_RED, STATUS_RED);
    check(decide_usual(certificate(), declared(STATUS_RED, NOW_S), true), VERDICT_DENY, REASON_STATUS_RED, STATUS_RED);
    check(decide_usual(single_dose(), declared(STATUS_GREEN, NOW_S), true), VERDICT_HOLD, REASON_CERTIFICATE_RULE,
          STATUS_GREEN);
    check(decide_usual(single_dose(), declared(STATUS_RED, NOW_S), true), VERDICT_DENY, REASON_STATUS_RED, STATUS_RED);
    ended.expires_at_s = NOW_S;
    check(decide_usual(ended, not_found(), true), VERDICT_DENY, REASON_TOKEN_EXPIRED, STATUS_EXPIRED);
    endless.expires_at_s = endless.issued_at_s = 0; /* not given: no bound */
    check(decide_usual(endless, not_found(), true), VERDICT_OPEN, REASON_STATUS_GREEN, STATUS_GREEN);
    early.issued_at_s = NOW_S + SKEW_S + 1;
    check(decide_usual(early, not_found(), true), VERDICT_DENY, REASON_TOKEN_NOT_YET_VALID, STATUS_GREEN);
    unsigned_one.is_signed = false;
    check(decide_usual(unsigned_one, not_found(), true), VERDICT_DENY, REASON_SIGNATURE_INVALID, STATUS_NONE);
    /* not met never opens, and `none` has no say in it */
    policy = policy_of_all(VERDICT_OPEN);
    check(decide_by(&policy, single_dose(), not_found(), true), VERDICT_HOLD, REASON_CERTIFICATE_RULE, STATUS_NONE);
    policy.by_status[STATUS_NONE] = VERDICT_DENY;
    check(decide_by(&policy, single_dose(), not_found(), true), VERDICT_HOLD, REASON_CERTIFICATE_RULE, STATUS_NONE);
    policy.health.unmet = VERDICT_DENY;
    check(decide_by(&policy, single_dose(), not_found(), true), VERDICT_DENY, REASON_CERTIFICATE_RULE, STATUS_NONE);
    policy.health.accept = false;
    check(decide_by(&policy, certificate(), not_found(), true), VERDICT_DENY, REASON_CERTIFICATE_RULE, STATUS_NONE);
    policy = usual_policy();
    policy.health.accept = false; /* bad news is taken from a kind that isn't accepted, too */
    check(decide_by(&policy, positive_test(), not_found(), true), VERDICT_DENY, REASON_STATUS_RED, STATUS_RED);
}

static void test_signer_out_of_its_validity(void **state)
{
    static const struct {
        int64_t from_s, until_s;
        bool is_valid;
    } rows[] = {{0, 0, true}, {NOW_S, 0, true}, {NOW_S + 1, 0, false}, {0, NOW_S, true}, {0, NOW_S - 1, false},
                {NOW_S, NOW_S, true}, {INT64_MIN, INT64_MAX, true}, {INT64_MAX, INT64_MIN, false}};
    struct policy policy = policy_of_all(VERDICT_OPEN);

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct credential credential = certificate();
        credential.key_from_s = rows[i].from_s;
        credential.key_until_s = rows[i].until_s;
        check(decide_by(&policy, credential, not_found(), true), rows[i].is_valid ? VERDICT_OPEN : VERDICT_DENY,
              rows[i].is_valid ? REASON_STATUS_GREEN : REASON_KEY_NOT_VALID, STATUS_GREEN);
    }
}

/* ---- time ---- */

static void test_boundaries(void **state)
{
    (void)state;
    /* exp: the second before is good, the second itself isn't */
    check(decide_usual(token(STATUS_GREEN, 1, NOW_S + 1), not_found(), true), VERDICT_OPEN, REASON_STATUS_GREEN,
          STATUS_GREEN);
    check(decide_usual(token(STATUS_GREEN, 1, NOW_S), not_found(), true), VERDICT_DENY, REASON_TOKEN_EXPIRED,
          STATUS_EXPIRED);
    /* iat: as far ahead as the skew is good */
    check(decide_usual(token(STATUS_GREEN, NOW_S + SKEW_S, NOW_S + 9999), not_found(), true), VERDICT_OPEN,
          REASON_STATUS_GREEN, STATUS_GREEN);
    check(decide_usual(token(STATUS_GREEN, NOW_S + SKEW_S + 1, NOW_S + 9999), not_found(), true), VERDICT_DENY,
          REASON_TOKEN_NOT_YET_VALID, STATUS_GREEN);
    /* register: the last second of its validity is good */
    check(decide_usual(card(), declared(STATUS_GREEN, NOW_S - VALIDITY_S), true), VERDICT_OPEN, REASON_STATUS_GREEN,
          STATUS_GREEN);
    check(decide_usual(card(), declared(STATUS_GREEN, NOW_S - VALIDITY_S - 1), true), VERDICT_HOLD,
          REASON_STATUS_EXPIRED, STATUS_EXPIRED);
    check(decide_usual(card(), declared(STATUS_GREEN, NOW_S + SKEW_S), true), VERDICT_OPEN, REASON_STATUS_GREEN,
          STATUS_GREEN);
    check(decide_usual(card(), declared(STATUS_GREEN, NOW_S + SKEW_S + 1), true), VERDICT_DENY, REASON_NO_DECLARATION,
          STATUS_NONE);
}

/* Under the usual policy red and revoked are denied under their own name, whatever the time and the clock. */
static void test_red_stays_red(void **state)
{
    static const int64_t declared_at[] = {INT64_MIN, 1, NOW_S - VALIDITY_S - 1, NOW_S, NOW_S + SKEW_S + 1, INT64_MAX};

    (void)state;
    for (size_t i = 0; i < sizeof declared_at / sizeof declared_at[0]; i++) {
        for (int trusted = 0; trusted <= 1; trusted++) {
            check(decide_usual(card(), declared(STATUS_RED, declared_at[i]), trusted), VERDICT_DENY, REASON_STATUS_RED,
                  STATUS_RED);
            check(decide_usual(card(), declared(STATUS_REVOKED, declared_at[i]), trusted), VERDICT_DENY,
                  REASON_STATUS_REVOKED, STATUS_REVOKED);
            check(decide_usual(token(STATUS_RED, declared_at[i], NOW_S), not_found(), trusted), VERDICT_DENY,
                  REASON_STATUS_RED, STATUS_RED);
        }
    }
}

static void test_untrusted_clock(void **state)
{
    static const struct {
        enum clock_policy policy;
        enum verdict_action for_signed, for_others;
    } rows[] = {
        {CLOCK_POLICY_HOLD, VERDICT_HOLD, VERDICT_HOLD},
        {CLOCK_POLICY_DENY, VERDICT_DENY, VERDICT_DENY},
        {CLOCK_POLICY_OPEN_IF_SIGNATURE_VALID, VERDICT_OPEN, VERDICT_HOLD},
        {(enum clock_policy)99, VERDICT_DENY, VERDICT_DENY},
    };
    struct credential fresh = token(STATUS_GREEN, NOW_S, NOW_S + 1), old = token(STATUS_GREEN, 1, 2), bare = fresh;
    struct credential signer_ended = certificate();
    bare.has_status = false;
    signer_ended.key_until_s = 1;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct policy policy = usual_policy();
        policy.clock_untrusted = rows[i].policy;
        const struct credential by_signature[] = {fresh, old, certificate(), signer_ended};
        for (size_t j = 0; j < 4; j++)
            check(decide_by(&policy, by_signature[j], not_found(), false), rows[i].for_signed, REASON_CLOCK_UNTRUSTED,
                  STATUS_GREEN);
        /* the register's row may be a year old, and a changing code's step can't be judged */
        const struct credential by_register[] = {card(), bare, rotating(NOW_S / 30), rotating(7)};
        for (size_t j = 0; j < 4; j++)
            check(decide_by(&policy, by_register[j], declared(STATUS_GREEN, NOW_S), false), rows[i].for_others,
                  REASON_CLOCK_UNTRUSTED, STATUS_GREEN);
        /* nothing declared, a fault, a step used: no clock is needed to say so */
        check(decide_by(&policy, card(), not_found(), false), VERDICT_DENY, REASON_NO_DECLARATION, STATUS_NONE);
        check(decide_by(&policy, faulty(CREDENTIAL_FAULT_SIGNATURE), not_found(), false), VERDICT_DENY,
              REASON_SIGNATURE_INVALID, STATUS_NONE);
    }
    struct policy mild = usual_policy();
    mild.clock_untrusted = CLOCK_POLICY_OPEN_IF_SIGNATURE_VALID;
    fresh.status = STATUS_YELLOW; /* held all the same */
    check(decide_by(&mild, fresh, not_found(), false), VERDICT_HOLD, REASON_STATUS_YELLOW, STATUS_YELLOW);
    /* what the clock says is not asked */
    check(decide_by(&mild, token(STATUS_GREEN, INT64_MAX, INT64_MAX), not_found(), false), VERDICT_OPEN,
          REASON_CLOCK_UNTRUSTED, STATUS_GREEN);
    mild.by_status[STATUS_EXPIRED] = VERDICT_DENY;
    check(decide_by(&mild, card(), declared(STATUS_GREEN, 1), false), VERDICT_HOLD, REASON_CLOCK_UNTRUSTED, STATUS_GREEN);
    check(decide_by(&mild, card(), declared(STATUS_GREEN, INT64_MAX), false), VERDICT_HOLD, REASON_CLOCK_UNTRUSTED,
          STATUS_GREEN);
    check(decide_by(&mild, single_dose(), not_found(), false), VERDICT_HOLD, REASON_CLOCK_UNTRUSTED, STATUS_NONE);
    check(decide_by(&mild, positive_test(), not_found(), false), VERDICT_DENY, REASON_STATUS_RED, STATUS_RED);
}

/* Where hours are set, somebody whom nobody knows and `none` lets in is held too: the hour is not known. */
static void test_untrusted_clock_and_hours(void **state)
{
    struct policy policy = strict_policy(DIRECTION_IN);

    (void)state;
    policy.by_status[STATUS_NONE] = VERDICT_OPEN;
    check(decide_by(&policy, card(), not_found(), true), VERDICT_OPEN, REASON_NO_DECLARATION, STATUS_NONE);
    check(decide_by(&policy, card(), not_found(), false), VERDICT_HOLD, REASON_CLOCK_UNTRUSTED, STATUS_NONE);
    /* a signature is judged without time: on a day that would be outside */
    policy.clock_untrusted = CLOCK_POLICY_OPEN_IF_SIGNATURE_VALID;
    policy.schedule.rows[0].days = 0;
    struct credential green = token(STATUS_GREEN, 1, 2);
    check(decide_by(&policy, green, not_found(), false), VERDICT_OPEN, REASON_CLOCK_UNTRUSTED, STATUS_GREEN);
    struct decision_facts facts = facts_of(&green, NULL, false); /* but with presence */
    inside(&facts);
    check(decide(&facts, &policy), VERDICT_HOLD, REASON_ANTIPASSBACK_PRESENCE, STATUS_GREEN);
}

/* ---- hours, presence, occupancy, exits ---- */

static struct verdict with_presence(const struct policy *policy, struct presence presence)
{
    struct credential credential = card();
    struct declaration declaration = declared(STATUS_GREEN, NOW_S);
    struct decision_facts facts = facts_of(&credential, &declaration, true);

    facts.presence = presence;
    return decide(&facts, policy);
}

static void test_antipassback(void **state)
{
    struct policy policy = usual_policy();

    (void)state;
    policy.antipassback_s = 60;
    policy.antipassback_time = VERDICT_DENY;
    static const struct {
        int64_t last_at_s;
        bool opens;
    } rows[] = {{0, true}, {NOW_S - 60, true}, {NOW_S - 59, false}, {NOW_S, false}, {NOW_S + SKEW_S, false},
                {NOW_S + SKEW_S + 1, true}, {INT64_MIN, true}, {INT64_MAX, true}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(with_presence(&policy, (struct presence){.last_passage_at_s = rows[i].last_at_s}).action,
                         rows[i].opens ? VERDICT_OPEN : VERDICT_DENY);
    policy.antipassback_s = 0; /* off */
    assert_int_equal(with_presence(&policy, (struct presence){.last_passage_at_s = NOW_S}).action, VERDICT_OPEN);
    policy.antipassback_s = 60;
    policy.antipassback_time = VERDICT_OPEN; /* off */
    assert_int_equal(with_presence(&policy, (struct presence){.last_passage_at_s = NOW_S}).reason, REASON_STATUS_GREEN);

    policy.antipassback_presence = VERDICT_DENY;
    for (int direction = 0; direction < DIRECTION_COUNT; direction++) {
        policy.direction = (enum direction)direction;
        for (int known = 0; known <= 1; known++) {
            for (int in = 0; in <= 1; in++) {
                bool wrong = known && ((direction == DIRECTION_IN && in) || (direction == DIRECTION_OUT && !in));
                struct verdict got = with_presence(&policy, (struct presence){.known = known, .inside = in});
                check(got, wrong ? VERDICT_DENY : VERDICT_OPEN,
                      wrong ? REASON_ANTIPASSBACK_PRESENCE : REASON_STATUS_GREEN, STATUS_GREEN);
            }
        }
    }
}

static void test_occupancy(void **state)
{
    struct policy policy = usual_policy();

    (void)state;
    policy.occupancy_limit = 3;
    policy.occupancy_full = VERDICT_DENY;
    for (int direction = 0; direction < DIRECTION_COUNT; direction++) {
        policy.direction = (enum direction)direction;
        for (int64_t count = 0; count < 6; count++) {
            bool is_full = direction == DIRECTION_IN && count >= 3;
            check(with_presence(&policy, (struct presence){.inside_count = count}), is_full ? VERDICT_DENY : VERDICT_OPEN,
                  is_full ? REASON_OCCUPANCY_FULL : REASON_STATUS_GREEN, STATUS_GREEN);
        }
    }
    policy.direction = DIRECTION_IN;
    policy.occupancy_limit = 0; /* off */
    assert_int_equal(with_presence(&policy, (struct presence){.inside_count = INT64_MAX}).action, VERDICT_OPEN);
}

static void test_group_of_token_or_register(void **state)
{
    struct policy policy = strict_policy(DIRECTION_IN);
    struct declaration of_night = declared(STATUS_GREEN, NOW_S);
    struct credential by_token = token(STATUS_GREEN, NOW_S, NOW_S + 9), by_card = card();

    (void)state;
    policy.schedule.count = 2;
    policy.schedule.rows[1] = (struct schedule_row){.group = "night", .days = 0x7f, .from_min = 22 * 60, .to_min = 6 * 60};
    assert_int_equal(decide_by(&policy, by_card, of_night, true).action, VERDICT_OPEN);
    (void)strcpy(of_night.group, "night");
    check(decide_by(&policy, by_card, of_night, true), VERDICT_HOLD, REASON_OUTSIDE_SCHEDULE, STATUS_GREEN);
    (void)strcpy(by_token.group, "night");
    check(decide_by(&policy, by_token, not_found(), true), VERDICT_HOLD, REASON_OUTSIDE_SCHEDULE, STATUS_GREEN);
    (void)strcpy(by_token.group, "day"); /* the code's own goes before the register's */
    assert_int_equal(decide_by(&policy, by_token, of_night, true).action, VERDICT_OPEN);
}

static void test_exit_open(void **state)
{
    struct policy policy = strict_policy(DIRECTION_OUT);
    struct credential old_token = token(STATUS_RED, 1, 2), by_card = card();
    struct decision_facts facts = facts_of(&by_card, NULL, true);

    (void)state;
    check(decide_by(&policy, card(), declared(STATUS_REVOKED, 1), true), VERDICT_OPEN, REASON_EXIT_OPEN, STATUS_REVOKED);
    check(decide_by(&policy, old_token, not_found(), false), VERDICT_OPEN, REASON_EXIT_OPEN, STATUS_RED);
    check(decide_by(&policy, rotating(1), not_found(), true), VERDICT_OPEN, REASON_EXIT_OPEN, STATUS_NONE);
    /* a stranger is judged like everywhere, unless the gate saw them come in */
    check(decide(&facts, &policy), VERDICT_DENY, REASON_NO_DECLARATION, STATUS_NONE);
    inside(&facts);
    check(decide(&facts, &policy), VERDICT_OPEN, REASON_EXIT_OPEN, STATUS_NONE);
    /* what is asked at an exit too */
    facts.identity_conflict = true;
    check(decide(&facts, &policy), VERDICT_DENY, REASON_NO_DECLARATION, STATUS_NONE);
    policy.by_status[STATUS_NONE] = VERDICT_OPEN;
    check(decide(&facts, &policy), VERDICT_HOLD, REASON_IDENTITY_CONFLICT, STATUS_NONE);
    facts.step_used = true;
    check(decide(&facts, &policy), VERDICT_DENY, REASON_TOKEN_REPLAYED, STATUS_NONE);
    facts.revoked = true;
    check(decide(&facts, &policy), VERDICT_DENY, REASON_TOKEN_REVOKED, STATUS_NONE);
    by_card.fault = CREDENTIAL_FAULT_MALFORMED;
    check(decide(&facts, &policy), VERDICT_DENY, REASON_CODE_MALFORMED, STATUS_NONE);
    facts.lock_down = true;
    check(decide(&facts, &policy), VERDICT_DENY, REASON_LOCK_DOWN, STATUS_NONE);
    facts.locked = true;
    check(decide(&facts, &policy), VERDICT_DENY, REASON_LANE_LOCKED, STATUS_NONE);
    /* only at a lane out */
    policy.direction = DIRECTION_IN;
    check(decide_by(&policy, card(), declared(STATUS_RED, NOW_S), true), VERDICT_DENY, REASON_STATUS_RED, STATUS_RED);
}

/* ---- precedence ---- */

/* A person with whom everything is wrong, mended step by step: each time the next rule gives the reason. */
static void test_precedence(void **state)
{
    struct policy policy = strict_policy(DIRECTION_IN);
    struct credential credential = rotating(1);
    struct declaration declaration = declared(STATUS_YELLOW, 1);
    struct decision_facts facts = facts_of(&credential, &declaration, true);

    (void)state;
    policy.schedule.rows[0].days = 0;
    credential.fault = CREDENTIAL_FAULT_PLACE_CODE;
    credential.expires_at_s = 1;
    credential.warnings = CREDENTIAL_WARN_SEX_MISMATCH;
    facts.locked = facts.lock_down = facts.revoked = facts.step_used = facts.identity_conflict = true;
    facts.presence = (struct presence){.known = true, .inside = true, .last_passage_at_s = NOW_S, .inside_count = 500};
#define NEXT(reason_code, mend) \
    assert_string_equal(reason_name(decide(&facts, &policy).reason), reason_name(reason_code)); \
    mend
    NEXT(REASON_LANE_LOCKED, facts.locked = false);
    NEXT(REASON_LOCK_DOWN, facts.lock_down = false);
    NEXT(REASON_PLACE_CODE, credential.fault = CREDENTIAL_OK);
    NEXT(REASON_TOKEN_REVOKED, facts.revoked = false);
    NEXT(REASON_TOKEN_REPLAYED, facts.step_used = false);
    NEXT(REASON_TOKEN_OUT_OF_STEP, credential.rotation_step = NOW_S / 30); /* a denial goes before the conflict's hold */
    NEXT(REASON_TOKEN_EXPIRED, credential.expires_at_s = INT64_MAX);
    NEXT(REASON_IDENTITY_CONFLICT, facts.identity_conflict = false);
    NEXT(REASON_STATUS_EXPIRED, declaration.declared_at_s = NOW_S);
    NEXT(REASON_OUTSIDE_SCHEDULE, policy.schedule.rows[0].days = 1);
    NEXT(REASON_ANTIPASSBACK_TIME, facts.presence.last_passage_at_s = 0);
    NEXT(REASON_ANTIPASSBACK_PRESENCE, facts.presence.inside = false);
    NEXT(REASON_OCCUPANCY_FULL, facts.presence.inside_count = 0);
    NEXT(REASON_NUMBER_MISMATCH, credential.warnings = 0);
    NEXT(REASON_STATUS_YELLOW, declaration.status = STATUS_GREEN);
    NEXT(REASON_STATUS_GREEN, (void)0);
#undef NEXT
    /* the strictest wins, wherever it stands */
    policy.occupancy_full = VERDICT_DENY;
    facts.presence = (struct presence){.known = true, .inside = true, .inside_count = 500};
    check(decide(&facts, &policy), VERDICT_DENY, REASON_OCCUPANCY_FULL, STATUS_GREEN);
    declaration.status = STATUS_RED;
    check(decide(&facts, &policy), VERDICT_DENY, REASON_STATUS_RED, STATUS_RED);
}

/* Where a denial ends the matter its reason stands, however bad the status; a hold leaves the others their say. */
static void test_denials_that_end(void **state)
{
    static const enum reason of_fault[CREDENTIAL_FAULT_COUNT] = {
        [CREDENTIAL_FAULT_UNSUPPORTED] = REASON_CODE_UNSUPPORTED, [CREDENTIAL_FAULT_MALFORMED] = REASON_CODE_MALFORMED,
        [CREDENTIAL_FAULT_KEY_UNKNOWN] = REASON_KEY_UNKNOWN, [CREDENTIAL_FAULT_SIGNATURE] = REASON_SIGNATURE_INVALID,
        [CREDENTIAL_FAULT_KEY_NOT_VALID] = REASON_KEY_NOT_VALID, [CREDENTIAL_FAULT_PLACE_CODE] = REASON_PLACE_CODE,
    };
    const struct declaration red = declared(STATUS_RED, NOW_S);
    struct credential by_card = card(), hidden = masked_code(), signer_ended = certificate();
    struct decision_facts facts = facts_of(&by_card, &red, true);
    struct policy policy = strict_policy(DIRECTION_IN);

    (void)state;
    for (int fault = 1; fault < CREDENTIAL_FAULT_COUNT; fault++)
        check(decide_usual(faulty((enum credential_fault)fault), red, true), VERDICT_DENY, of_fault[fault], STATUS_NONE);
    facts.revoked = true;
    check(decide(&facts, &policy), VERDICT_DENY, REASON_TOKEN_REVOKED, STATUS_RED);
    facts.revoked = false;
    facts.step_used = true;
    check(decide(&facts, &policy), VERDICT_DENY, REASON_TOKEN_REPLAYED, STATUS_RED);
    check(decide_usual(rotating(1), red, true), VERDICT_DENY, REASON_TOKEN_OUT_OF_STEP, STATUS_RED);
    signer_ended.key_until_s = 1;
    check(decide_usual(signer_ended, red, true), VERDICT_DENY, REASON_KEY_NOT_VALID, STATUS_RED);
    policy.by_status[STATUS_NONE] = VERDICT_OPEN;
    policy.occupancy_full = VERDICT_DENY;
    facts = facts_of(&hidden, &red, true);
    check(decide(&facts, &policy), VERDICT_HOLD, REASON_NUMBER_MASKED, STATUS_NONE);
    facts.presence.inside_count = 100;
    check(decide(&facts, &policy), VERDICT_DENY, REASON_OCCUPANCY_FULL, STATUS_NONE);
}

/* ---- hostile values ---- */

/* Every pair of extreme times, as times, policy and clock; the sanitizer watches the sums. */
static void test_hostile_times(void **state)
{
    static const int64_t extremes[] = {INT64_MIN, INT64_MIN + 1, -1, 0, 1, NOW_S, INT64_MAX - 1, INT64_MAX};
    static const int32_t offsets[] = {INT32_MIN, 0, INT32_MAX};
    enum { COUNT = sizeof extremes / sizeof extremes[0] };

    (void)state;
    for (unsigned i = 0; i < COUNT * COUNT * COUNT * COUNT; i++) {
        int64_t a = extremes[i % COUNT], b = extremes[i / COUNT % COUNT], now = extremes[i / COUNT / COUNT % COUNT];
        int64_t span = extremes[i / COUNT / COUNT / COUNT];
        struct policy policy = strict_policy(DIRECTION_IN);
        policy.declaration.validity_s = policy.declaration.symptom_window_s = policy.clock_skew_s = span;
        policy.antipassback_s = policy.occupancy_limit = span;
        policy.declaration.since_midnight = i % 2;
        struct credential credentials[] = {token(STATUS_GREEN, a, b), card(), rotating(a), certificate()};
        credentials[2].expires_at_s = b;
        credentials[3].issued_at_s = credentials[3].key_from_s = credentials[3].health.vaccinated_on_s = a;
        credentials[3].expires_at_s = credentials[3].key_until_s = b;
        struct declaration declaration = declared(STATUS_GREEN, a);
        declaration.answers = (struct declaration_answers){.symptoms = 1, .symptoms_at_s = b};
        for (int j = 0; j < 4; j++) {
            struct decision_facts facts = facts_of(&credentials[j], &declaration, true);
            facts.moment.now_s = now;
            facts.moment.utc_offset_s = offsets[i % 3];
            facts.presence = (struct presence){.known = true, .last_passage_at_s = a, .inside_count = b};
            struct verdict got = decide(&facts, &policy);
            assert_true((unsigned)got.reason < REASON_COUNT);
            if ((j == 0 || j == 2) && now >= b)
                assert_int_equal(got.action, VERDICT_DENY);
        }
    }
    check(decide_usual(token(STATUS_GREEN, NOW_S, INT64_MAX), not_found(), true), VERDICT_OPEN, REASON_STATUS_GREEN,
          STATUS_GREEN);
    check(decide_usual(token(STATUS_GREEN, INT64_MAX, INT64_MAX), not_found(), true), VERDICT_DENY,
          REASON_TOKEN_NOT_YET_VALID, STATUS_GREEN);
    check(decide_usual(token(STATUS_GREEN, INT64_MIN, INT64_MIN), not_found(), true), VERDICT_DENY,
          REASON_TOKEN_EXPIRED, STATUS_EXPIRED);
    check(decide_usual(token(STATUS_GREEN, 0, 0), not_found(), true), VERDICT_DENY, REASON_TOKEN_EXPIRED,
          STATUS_EXPIRED); /* 0 is no "not given" in a token */
    check(decide_usual(card(), declared(STATUS_GREEN, INT64_MAX), true), VERDICT_DENY, REASON_NO_DECLARATION,
          STATUS_NONE);
    check(decide_usual(card(), declared(STATUS_GREEN, INT64_MIN), true), VERDICT_HOLD, REASON_STATUS_EXPIRED,
          STATUS_EXPIRED);
}

/* Values that no enum has, from a damaged row or a forgotten setting, close. */
static void test_values_out_of_range(void **state)
{
    struct policy policy = usual_policy();
    struct credential odd = card();
    enum verdict_action *const actions[] = {&policy.by_status[STATUS_GREEN], &policy.outside_schedule,
                                            &policy.antipassback_time, &policy.antipassback_presence,
                                            &policy.occupancy_full, &policy.number_mismatch};

    (void)state;
    static const enum declaration_status no_status[] = {STATUS_COUNT, (enum declaration_status)-1};
    for (size_t i = 0; i < 2; i++) {
        check(decide_by(&policy, card(), declared(no_status[i], NOW_S), true), VERDICT_DENY, REASON_NO_DECLARATION,
              STATUS_NONE);
        check(decide_by(&policy, token(no_status[i], NOW_S, NOW_S + 1), not_found(), true), VERDICT_DENY,
              REASON_NO_DECLARATION, STATUS_NONE);
    }
    odd.warnings = CREDENTIAL_WARN_SEX_MISMATCH;
    struct declaration declaration = declared(STATUS_GREEN, NOW_S);
    struct decision_facts facts = facts_of(&odd, &declaration, true);
    facts.presence = (struct presence){.known = true, .inside = true, .last_passage_at_s = NOW_S, .inside_count = 9};
    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++) {
        policy = usual_policy();
        policy.direction = DIRECTION_IN;
        policy.occupancy_limit = policy.antipassback_s = 1;
        policy.schedule.count = 1;
        policy.schedule.rows[0] = (struct schedule_row){.group = "*"};
        assert_int_equal(decide(&facts, &policy).action, VERDICT_OPEN);
        *actions[i] = VERDICT_ACTION_COUNT;
        assert_int_equal(decide(&facts, &policy).action, VERDICT_DENY);
        *actions[i] = (enum verdict_action)-1;
        assert_int_equal(decide(&facts, &policy).action, VERDICT_DENY);
    }
    policy = usual_policy();
    for (int fault = 1; fault <= CREDENTIAL_FAULT_COUNT; fault++) /* one more than there are */
        assert_int_equal(decide_by(&policy, faulty((enum credential_fault)fault), declaration, true).action, VERDICT_DENY);
    odd = (struct credential){.kind = CREDENTIAL_UNSUPPORTED}; /* never read at all */
    check(decide_by(&policy, odd, declaration, true), VERDICT_DENY, REASON_CODE_UNSUPPORTED, STATUS_NONE);
    odd = card();
    odd.kind = CREDENTIAL_KIND_COUNT;
    check(decide_by(&policy, odd, declaration, true), VERDICT_DENY, REASON_CODE_UNSUPPORTED, STATUS_NONE);
    odd.kind = CREDENTIAL_SMART_HEALTH_CARD;
    check(decide_by(&policy, odd, declaration, true), VERDICT_DENY, REASON_CODE_UNSUPPORTED, STATUS_NONE);
    odd.kind = CREDENTIAL_PLACE_CODE;
    check(decide_by(&policy, odd, declaration, true), VERDICT_DENY, REASON_PLACE_CODE, STATUS_NONE);
}

/* ---- the lock ---- */

static void test_refusals(void **state)
{
    struct policy policy = {.refusals_lock = 3, .refusals_lock_s = 60};
    struct refusals refusals = {0};
    const struct verdict deny = {VERDICT_DENY, REASON_SIGNATURE_INVALID, STATUS_NONE};
    const struct verdict hold = {VERDICT_HOLD, REASON_NO_DECLARATION, STATUS_NONE};
    const struct verdict open = {VERDICT_OPEN, REASON_STATUS_GREEN, STATUS_GREEN};
    const struct verdict locked = {VERDICT_DENY, REASON_LANE_LOCKED, STATUS_NONE};
    const struct verdict lock_down = {VERDICT_DENY, REASON_LOCK_DOWN, STATUS_NONE};
    const int64_t at_us = 5000000, until_us = at_us + 60000000;

    (void)state;
    refusals_count(&refusals, &policy, &deny, at_us);
    refusals_count(&refusals, &policy, &deny, at_us);
    refusals_count(&refusals, &policy, &open, at_us); /* ends the row */
    refusals_count(&refusals, &policy, &deny, at_us);
    refusals_count(&refusals, &policy, &hold, at_us); /* doesn't */
    refusals_count(&refusals, &policy, &deny, at_us);
    refusals_count(&refusals, &policy, &lock_down, at_us); /* nor does this one count */
    assert_false(refusals_locked(&refusals, at_us));
    refusals_count(&refusals, &policy, &deny, at_us);
    assert_true(refusals_locked(&refusals, at_us));
    for (int i = 0; i < 9; i++)
        refusals_count(&refusals, &policy, &locked, at_us + 30000000); /* doesn't make it longer */
    assert_true(refusals_locked(&refusals, until_us - 1));
    assert_false(refusals_locked(&refusals, until_us));
    refusals_count(&refusals, &policy, &deny, until_us); /* a new row begins at one */
    refusals_count(&refusals, &policy, &deny, until_us);
    assert_false(refusals_locked(&refusals, until_us));
    refusals_count(&refusals, &policy, &deny, until_us);
    assert_true(refusals_locked(&refusals, until_us));
    refusals_count(&refusals, &policy, &open, until_us + 1); /* the guard's override */
    assert_false(refusals_locked(&refusals, until_us + 1));
}

static void test_refusals_extremes(void **state)
{
    struct policy policy = {.refusals_lock = 0, .refusals_lock_s = 60};
    struct refusals refusals = {0};
    const struct verdict deny = {VERDICT_DENY, REASON_CODE_MALFORMED, STATUS_NONE};

    (void)state;
    for (int i = 0; i < 1000; i++)
        refusals_count(&refusals, &policy, &deny, i);
    assert_false(refusals_locked(&refusals, 0)); /* off */
    policy = (struct policy){.refusals_lock = 1, .refusals_lock_s = INT64_MAX};
    refusals_count(&refusals, &policy, &deny, INT64_MAX);
    assert_true(refusals_locked(&refusals, INT64_MAX - 1));
    refusals = (struct refusals){.in_a_row = INT32_MAX};
    policy = (struct policy){.refusals_lock = INT32_MAX, .refusals_lock_s = 1};
    refusals_count(&refusals, &policy, &deny, 0);
    assert_true(refusals_locked(&refusals, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reasons_table), cmocka_unit_test(test_names), cmocka_unit_test(test_rules_table),
        cmocka_unit_test(test_case_per_reason), cmocka_unit_test(test_every_status_by_every_action),
        cmocka_unit_test(test_answers_alone), cmocka_unit_test(test_token_and_register),
        cmocka_unit_test(test_token_without_status), cmocka_unit_test(test_rotating_token),
        cmocka_unit_test(test_masked_number), cmocka_unit_test(test_certificates),
        cmocka_unit_test(test_signer_out_of_its_validity), cmocka_unit_test(test_boundaries),
        cmocka_unit_test(test_red_stays_red), cmocka_unit_test(test_untrusted_clock),
        cmocka_unit_test(test_untrusted_clock_and_hours), cmocka_unit_test(test_antipassback),
        cmocka_unit_test(test_occupancy), cmocka_unit_test(test_group_of_token_or_register),
        cmocka_unit_test(test_exit_open), cmocka_unit_test(test_precedence), cmocka_unit_test(test_denials_that_end),
        cmocka_unit_test(test_hostile_times),
        cmocka_unit_test(test_values_out_of_range), cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_refusals_extremes),
    };
    return cmocka_run_group_tests_name("decision", tests, NULL, NULL);
}
