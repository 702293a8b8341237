/* decide(): a row for each reason, every status with every action, boundaries at the second, hostile times, and what
 * must never open. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "daemon/decision/decision.h"

#define NOW_S INT64_C(1790000000)
enum { VALIDITY_S = 86400, SKEW_S = 120 };

static struct policy usual_policy(void)
{
    return (struct policy){
        .by_status = {[STATUS_NONE] = VERDICT_DENY, [STATUS_GREEN] = VERDICT_OPEN, [STATUS_YELLOW] = VERDICT_HOLD,
                      [STATUS_RED] = VERDICT_DENY, [STATUS_EXPIRED] = VERDICT_HOLD, [STATUS_REVOKED] = VERDICT_DENY},
        .validity_s = VALIDITY_S, .clock_untrusted = VERDICT_HOLD, .clock_skew_s = SKEW_S,
    };
}

static struct policy policy_of_all(enum verdict_action action)
{
    struct policy policy = {.validity_s = VALIDITY_S, .clock_skew_s = SKEW_S, .clock_untrusted = action};

    for (int status = 0; status < STATUS_COUNT; status++)
        policy.by_status[status] = action;
    return policy;
}

static struct credential token(enum declaration_status status, int64_t issued_at_s, int64_t expires_at_s)
{
    return (struct credential){.kind = CREDENTIAL_SITE_TOKEN, .subject = "n0001", .has_status = true, .status = status,
                               .issued_at_s = issued_at_s, .expires_at_s = expires_at_s};
}

static struct credential card(void)
{
    return (struct credential){.kind = CREDENTIAL_CCCD, .subject = "cccd:022199012345"};
}

static struct declaration declared(enum declaration_status status, int64_t declared_at_s)
{
    return (struct declaration){.found = true, .status = status, .declared_at_s = declared_at_s};
}

static struct declaration not_found(void)
{
    return (struct declaration){.found = false};
}

static struct credential faulty(enum credential_fault fault)
{
    /* Filled as no reader would, to see that a fault alone decides. */
    struct credential credential = token(STATUS_GREEN, NOW_S - 1, NOW_S + 1);
    credential.fault = fault;
    return credential;
}

static void check(struct verdict got, enum verdict_action action, enum reason reason, enum declaration_status status)
{
    assert_string_equal(reason_name(got.reason), reason_name(reason));
    assert_string_equal(verdict_action_name(got.action), verdict_action_name(action));
    assert_int_equal(got.status, status);
}

static struct verdict decide_usual(struct credential credential, struct declaration declaration, bool clock_trusted)
{
    struct policy policy = usual_policy();
    return decide(&credential, &declaration, &policy, NOW_S, clock_trusted);
}

static void test_reasons_table(void **state)
{
    (void)state;
    for (int reason = 0; reason < REASON_COUNT; reason++) {
        const char *name = reason_name((enum reason)reason), *meaning = reason_meaning((enum reason)reason);
        assert_non_null(name);
        assert_non_null(meaning);
        assert_true(strlen(name) > 0 && strspn(name, "abcdefghijklmnopqrstuvwxyz_") == strlen(name));
        assert_true(strlen(meaning) > 10 && meaning[strlen(meaning) - 1] == '.');
        for (int other = 0; other < reason; other++) {
            assert_string_not_equal(name, reason_name((enum reason)other));
            assert_string_not_equal(meaning, reason_meaning((enum reason)other));
        }
    }
    assert_string_equal(reason_name(REASON_COUNT), "?");
    assert_string_equal(reason_meaning(REASON_COUNT), "?");
}

static void test_action_names(void **state)
{
    enum verdict_action got = VERDICT_DENY;

    (void)state;
    for (int action = 0; action < VERDICT_ACTION_COUNT; action++) {
        assert_true(verdict_action_from_name(verdict_action_name((enum verdict_action)action), &got));
        assert_int_equal(got, action);
    }
    got = VERDICT_DENY;
    assert_false(verdict_action_from_name("Open", &got));
    assert_false(verdict_action_from_name("", &got));
    assert_int_equal(got, VERDICT_DENY);
    assert_string_equal(verdict_action_name(VERDICT_ACTION_COUNT), "?");
}

/* One row for each reason that decide() gives; the three that it never gives are counted out. */
static void test_row_per_reason(void **state)
{
    const struct {
        struct credential credential;
        struct declaration declaration;
        bool clock_trusted;
        enum verdict_action action;
        enum reason reason;
        enum declaration_status status;
    } rows[] = {
        {card(), declared(STATUS_GREEN, NOW_S), true, VERDICT_OPEN, REASON_STATUS_GREEN, STATUS_GREEN},
        {card(), declared(STATUS_YELLOW, NOW_S), true, VERDICT_HOLD, REASON_STATUS_YELLOW, STATUS_YELLOW},
        {card(), declared(STATUS_RED, NOW_S), true, VERDICT_DENY, REASON_STATUS_RED, STATUS_RED},
        {card(), declared(STATUS_GREEN, 1), true, VERDICT_HOLD, REASON_STATUS_EXPIRED, STATUS_EXPIRED},
        {card(), declared(STATUS_REVOKED, NOW_S), true, VERDICT_DENY, REASON_STATUS_REVOKED, STATUS_REVOKED},
        {card(), not_found(), true, VERDICT_DENY, REASON_NO_DECLARATION, STATUS_NONE},
        {token(STATUS_GREEN, 1, 2), not_found(), true, VERDICT_DENY, REASON_TOKEN_EXPIRED, STATUS_EXPIRED},
        {token(STATUS_GREEN, NOW_S + 999, NOW_S + 9999), not_found(), true, VERDICT_DENY, REASON_TOKEN_NOT_YET_VALID,
         STATUS_GREEN},
        {faulty(CREDENTIAL_FAULT_SIGNATURE), not_found(), true, VERDICT_DENY, REASON_SIGNATURE_INVALID, STATUS_NONE},
        {faulty(CREDENTIAL_FAULT_KEY_UNKNOWN), not_found(), true, VERDICT_DENY, REASON_KEY_UNKNOWN, STATUS_NONE},
        {faulty(CREDENTIAL_FAULT_MALFORMED), not_found(), true, VERDICT_DENY, REASON_CODE_MALFORMED, STATUS_NONE},
        {faulty(CREDENTIAL_FAULT_UNSUPPORTED), not_found(), true, VERDICT_DENY, REASON_CODE_UNSUPPORTED, STATUS_NONE},
        {card(), declared(STATUS_GREEN, NOW_S), false, VERDICT_HOLD, REASON_CLOCK_UNTRUSTED, STATUS_GREEN},
    };
    bool seen[REASON_COUNT] = {[REASON_JOURNAL_FAILED] = true, [REASON_BUTTON] = true, [REASON_NONE] = true};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        check(decide_usual(rows[i].credential, rows[i].declaration, rows[i].clock_trusted), rows[i].action,
              rows[i].reason, rows[i].status);
        assert_false(seen[rows[i].reason]);
        seen[rows[i].reason] = true;
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
    };

    (void)state;
    for (int status = 0; status < STATUS_COUNT; status++) {
        for (int action = 0; action < VERDICT_ACTION_COUNT; action++) {
            enum declaration_status s = (enum declaration_status)status;
            struct policy policy = policy_of_all(action == VERDICT_OPEN ? VERDICT_DENY : VERDICT_OPEN);
            policy.by_status[status] = (enum verdict_action)action;
            struct credential by_token = token(s, NOW_S - 10, NOW_S + 10), by_card = card();
            struct declaration declaration = declared(s, NOW_S - 10), none = not_found();
            check(decide(&by_token, &none, &policy, NOW_S, true), (enum verdict_action)action, reasons[s], s);
            check(decide(&by_token, NULL, &policy, NOW_S, true), (enum verdict_action)action, reasons[s], s);
            check(decide(&by_card, &declaration, &policy, NOW_S, true), (enum verdict_action)action, reasons[s], s);
        }
    }
}

/* A token speaks for itself; the register's row for the same person does not enter. */
static void test_token_goes_before_register(void **state)
{
    (void)state;
    check(decide_usual(token(STATUS_GREEN, NOW_S, NOW_S + 1), declared(STATUS_RED, NOW_S), true), VERDICT_OPEN,
          REASON_STATUS_GREEN, STATUS_GREEN);
    check(decide_usual(token(STATUS_RED, NOW_S, NOW_S + 1), declared(STATUS_GREEN, NOW_S), true), VERDICT_DENY,
          REASON_STATUS_RED, STATUS_RED);
}

/* A token without a status asks the register, and its own times hold all the same. */
static void test_token_without_status(void **state)
{
    struct credential credential = token(STATUS_NONE, NOW_S, NOW_S + 1);

    (void)state;
    credential.has_status = false;
    check(decide_usual(credential, declared(STATUS_GREEN, NOW_S), true), VERDICT_OPEN, REASON_STATUS_GREEN,
          STATUS_GREEN);
    credential.expires_at_s = NOW_S;
    check(decide_usual(credential, declared(STATUS_GREEN, NOW_S), true), VERDICT_DENY, REASON_TOKEN_EXPIRED,
          STATUS_EXPIRED);
}

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

/* An old token may be a photograph: it never opens, and isn't held either, however mild the policy. */
static void test_expired_token_always_denied(void **state)
{
    struct policy policy = policy_of_all(VERDICT_OPEN);

    (void)state;
    for (int status = 0; status < STATUS_COUNT; status++) {
        struct credential credential = token((enum declaration_status)status, 1, NOW_S);
        assert_int_equal(decide(&credential, NULL, &policy, NOW_S, true).action, VERDICT_DENY);
        credential = token((enum declaration_status)status, NOW_S + SKEW_S + 1, INT64_MAX);
        assert_int_equal(decide(&credential, NULL, &policy, NOW_S, true).action, VERDICT_DENY);
    }
}

static bool verdict_is_bad(struct verdict verdict)
{
    return verdict.status == STATUS_RED || verdict.status == STATUS_REVOKED;
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

static struct policy numbered_policy(unsigned number)
{
    struct policy policy = {.validity_s = VALIDITY_S, .clock_skew_s = SKEW_S};

    for (int status = 0; status < STATUS_COUNT; status++, number /= VERDICT_ACTION_COUNT)
        policy.by_status[status] = (enum verdict_action)(number % VERDICT_ACTION_COUNT);
    policy.clock_untrusted = (enum verdict_action)(number % VERDICT_ACTION_COUNT);
    return policy;
}

/* Over all 2,187 policies: time never makes a verdict milder than the status alone, and a red or revoked one that is
 * expired, or that no clock can judge, never opens. */
static void test_all_policies(void **state)
{
    (void)state;
    for (unsigned number = 0; number < 2187; number++) {
        struct policy policy = numbered_policy(number);
        for (int status = 0; status < STATUS_COUNT; status++) {
            enum declaration_status s = (enum declaration_status)status;
            const struct credential credentials[] = {token(s, 1, 2), token(s, NOW_S, NOW_S + 9), card(), card(),
                                                     card()};
            const struct declaration declarations[] = {not_found(), not_found(), declared(s, 1), declared(s, NOW_S),
                                                       declared(s, NOW_S + 999)};
            for (int i = 0; i < 10; i++) {
                bool trusted = i < 5, fresh = trusted && (i % 5 == 1 || i % 5 == 3);
                struct verdict got = decide(&credentials[i % 5], &declarations[i % 5], &policy, NOW_S, trusted);
                assert_true(got.action >= policy.by_status[s]);
                if ((s == STATUS_RED || s == STATUS_REVOKED) && !fresh)
                    assert_int_not_equal(got.action, VERDICT_OPEN);
                if (!trusted && s != STATUS_NONE)
                    assert_true(got.action >= policy.clock_untrusted);
                if (verdict_is_bad(got))
                    assert_int_equal(got.status, s);
                assert_int_not_equal(got.reason, REASON_JOURNAL_FAILED);
                assert_int_not_equal(got.reason, REASON_BUTTON);
                assert_int_not_equal(got.reason, REASON_NONE);
            }
        }
    }
}

static void test_untrusted_clock(void **state)
{
    struct credential fresh = token(STATUS_GREEN, NOW_S, NOW_S + 1), old = token(STATUS_GREEN, 1, 2), by_card = card();
    struct declaration ancient = declared(STATUS_GREEN, 1), none = not_found();

    (void)state;
    for (int action = 0; action < VERDICT_ACTION_COUNT; action++) {
        struct policy policy = usual_policy();
        policy.clock_untrusted = (enum verdict_action)action;
        check(decide(&fresh, NULL, &policy, NOW_S, false), policy.clock_untrusted, REASON_CLOCK_UNTRUSTED,
              STATUS_GREEN);
        check(decide(&old, NULL, &policy, NOW_S, false), policy.clock_untrusted, REASON_CLOCK_UNTRUSTED, STATUS_GREEN);
        check(decide(&by_card, &ancient, &policy, NOW_S, false), policy.clock_untrusted, REASON_CLOCK_UNTRUSTED,
              STATUS_GREEN);
        /* nothing declared, a fault: no clock is needed to say so */
        check(decide(&by_card, &none, &policy, NOW_S, false), VERDICT_DENY, REASON_NO_DECLARATION, STATUS_NONE);
        struct credential forged = faulty(CREDENTIAL_FAULT_SIGNATURE);
        check(decide(&forged, NULL, &policy, NOW_S, false), VERDICT_DENY, REASON_SIGNATURE_INVALID, STATUS_NONE);
    }
    struct policy mild = usual_policy();
    mild.clock_untrusted = VERDICT_OPEN; /* yellow is held all the same */
    fresh.status = STATUS_YELLOW;
    check(decide(&fresh, NULL, &mild, NOW_S, false), VERDICT_HOLD, REASON_STATUS_YELLOW, STATUS_YELLOW);
}

static void test_faults_under_the_mildest_policy(void **state)
{
    struct policy policy = policy_of_all(VERDICT_OPEN);
    struct declaration declaration = declared(STATUS_GREEN, NOW_S);

    (void)state;
    for (int fault = 1; fault <= CREDENTIAL_FAULT_COUNT; fault++) { /* one more than there are */
        struct credential credential = faulty((enum credential_fault)fault);
        assert_int_equal(decide(&credential, &declaration, &policy, NOW_S, true).action, VERDICT_DENY);
    }
    struct credential zeroed = {.kind = CREDENTIAL_UNSUPPORTED}; /* never read at all */
    check(decide(&zeroed, &declaration, &policy, NOW_S, true), VERDICT_DENY, REASON_CODE_UNSUPPORTED, STATUS_NONE);
}

/* Every pair of extreme times, as times, policy and clock; the sanitizer watches the sums. */
static void test_hostile_times(void **state)
{
    static const int64_t extremes[] = {INT64_MIN, INT64_MIN + 1, -1, 0, 1, NOW_S, INT64_MAX - 1, INT64_MAX};
    enum { COUNT = sizeof extremes / sizeof extremes[0] };

    (void)state;
    for (unsigned i = 0; i < COUNT * COUNT * COUNT * COUNT; i++) {
        int64_t a = extremes[i % COUNT], b = extremes[i / COUNT % COUNT], now = extremes[i / COUNT / COUNT % COUNT];
        int64_t span = extremes[i / COUNT / COUNT / COUNT];
        struct policy policy = usual_policy();
        policy.validity_s = policy.clock_skew_s = span;
        struct credential by_token = token(STATUS_GREEN, a, b), by_card = card();
        struct declaration declaration = declared(STATUS_GREEN, a);
        struct verdict got = decide(&by_token, NULL, &policy, now, true);
        if (now >= b)
            assert_int_equal(got.action, VERDICT_DENY);
        got = decide(&by_card, &declaration, &policy, now, true);
        if (span > 0 && a <= 0 && now == INT64_MAX && span < INT64_MAX - 1)
            assert_int_equal(got.reason, REASON_STATUS_EXPIRED);
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
    struct credential by_card = card();
    struct declaration declaration = declared((enum declaration_status)99, NOW_S);

    (void)state;
    check(decide(&by_card, &declaration, &policy, NOW_S, true), VERDICT_DENY, REASON_NO_DECLARATION, STATUS_NONE);
    declaration.status = STATUS_GREEN;
    policy.by_status[STATUS_GREEN] = (enum verdict_action)99;
    assert_int_equal(decide(&by_card, &declaration, &policy, NOW_S, true).action, VERDICT_DENY);
    policy = usual_policy();
    policy.clock_untrusted = (enum verdict_action)99;
    assert_int_equal(decide(&by_card, &declaration, &policy, NOW_S, false).action, VERDICT_DENY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reasons_table), cmocka_unit_test(test_action_names),
        cmocka_unit_test(test_row_per_reason), cmocka_unit_test(test_every_status_by_every_action),
        cmocka_unit_test(test_token_goes_before_register), cmocka_unit_test(test_token_without_status),
        cmocka_unit_test(test_boundaries), cmocka_unit_test(test_expired_token_always_denied),
        cmocka_unit_test(test_red_stays_red), cmocka_unit_test(test_all_policies),
        cmocka_unit_test(test_untrusted_clock), cmocka_unit_test(test_faults_under_the_mildest_policy),
        cmocka_unit_test(test_hostile_times), cmocka_unit_test(test_values_out_of_range),
    };
    return cmocka_run_group_tests_name("decision", tests, NULL, NULL);
}
