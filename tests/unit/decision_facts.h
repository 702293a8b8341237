/* People and policies for the tests of decide(): all made up. */
#ifndef TESTS_UNIT_DECISION_FACTS_H
#define TESTS_UNIT_DECISION_FACTS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "daemon/decision/decision.h"

#define NOW_S INT64_C(1790000000) /* Monday 2026-09-21 14:13:20 UTC */
enum { VALIDITY_S = 86400, SKEW_S = 120, TEST_DAY_S = 86400, TEST_HOUR_S = 3600 };

static inline struct policy usual_policy(void)
{
    return (struct policy){
        .by_status = {[STATUS_NONE] = VERDICT_DENY, [STATUS_GREEN] = VERDICT_OPEN, [STATUS_YELLOW] = VERDICT_HOLD,
                      [STATUS_RED] = VERDICT_DENY, [STATUS_EXPIRED] = VERDICT_HOLD, [STATUS_REVOKED] = VERDICT_DENY,
                      [STATUS_WHITE] = VERDICT_HOLD},
        .declaration = {.validity_s = VALIDITY_S, .symptom_window_s = 14 * TEST_DAY_S, .contact_window_s = 14 * TEST_DAY_S,
                        .travel_window_s = 14 * TEST_DAY_S, .on_symptom = {[SYMPTOM_FEVER] = STATUS_RED}},
        .health = {.accept = true, .all_doses = true, .vaccination_from_days = 14, .vaccination_until_days = 270,
                   .molecular_test_hours = 72, .antigen_test_hours = 48, .recovery_from_days = 11,
                   .recovery_until_days = 180, .unmet = VERDICT_HOLD},
        .clock_untrusted = CLOCK_POLICY_HOLD, .clock_skew_s = SKEW_S,
    };
}

static inline struct policy policy_of_all(enum verdict_action action)
{
    struct policy policy = usual_policy();

    for (int status = 0; status < STATUS_COUNT; status++)
        policy.by_status[status] = action;
    policy.clock_untrusted = action == VERDICT_OPEN ? CLOCK_POLICY_OPEN_IF_SIGNATURE_VALID : CLOCK_POLICY_DENY;
    policy.outside_schedule = policy.antipassback_time = policy.antipassback_presence = policy.occupancy_full =
        policy.number_mismatch = policy.health.unmet = action;
    return policy;
}

static inline struct credential token(enum declaration_status status, int64_t issued_at_s, int64_t expires_at_s)
{
    return (struct credential){.kind = CREDENTIAL_SITE_TOKEN, .is_signed = true, .subject = "n0001", .has_status = true,
                               .status = status, .issued_at_s = issued_at_s, .expires_at_s = expires_at_s};
}

static inline struct credential rotating(int64_t step)
{
    return (struct credential){.kind = CREDENTIAL_ROTATING_TOKEN, .is_signed = true, .subject = "n0002",
                               .rotation_step = step, .expires_at_s = INT64_MAX};
}

static inline struct credential card(void)
{
    return (struct credential){.kind = CREDENTIAL_CCCD, .subject = "cccd:022199012345"};
}

static inline struct credential masked_code(void)
{
    return (struct credential){.kind = CREDENTIAL_PERSONAL_CODE, .warnings = CREDENTIAL_WARN_MASKED};
}

static inline struct credential certificate(void)
{
    return (struct credential){
        .kind = CREDENTIAL_HEALTH_CERTIFICATE, .is_signed = true, .subject = "hc1:00112233445566778899aabbccddeeff",
        .issued_at_s = NOW_S - 30 * TEST_DAY_S, .expires_at_s = NOW_S + 300 * TEST_DAY_S,
        .health = {.type = HEALTH_VACCINATION, .disease = "840539006", .product = "EU/1/20/1528", .dose = 2, .doses = 2,
                   .vaccinated_on_s = (NOW_S / TEST_DAY_S - 30) * TEST_DAY_S}};
}

static inline struct credential positive_test(void)
{
    struct credential credential = certificate();
    credential.health = (struct health_certificate){.type = HEALTH_TEST, .disease = "840539006", .test_type = "LP6464-4",
                                                    .detected = true, .sampled_at_s = NOW_S - TEST_DAY_S};
    return credential;
}

static inline struct credential faulty(enum credential_fault fault)
{
    /* Filled as no reader would, to see that a fault alone decides. */
    struct credential credential = token(STATUS_GREEN, NOW_S - 1, NOW_S + 1);
    credential.fault = fault;
    return credential;
}

static inline struct declaration declared(enum declaration_status status, int64_t declared_at_s)
{
    return (struct declaration){.found = true, .status = status, .declared_at_s = declared_at_s};
}

static inline struct declaration not_found(void)
{
    return (struct declaration){.found = false};
}

static inline struct decision_facts facts_of(const struct credential *credential, const struct declaration *declaration,
                                             bool clock_trusted)
{
    return (struct decision_facts){.credential = credential, .declaration = declaration,
                                   .moment = {.now_s = NOW_S, .clock_trusted = clock_trusted}};
}

static inline struct verdict decide_by(const struct policy *policy, struct credential credential,
                                       struct declaration declaration, bool clock_trusted)
{
    struct decision_facts facts = facts_of(&credential, &declaration, clock_trusted);
    return decide(&facts, policy);
}

static inline struct verdict decide_usual(struct credential credential, struct declaration declaration, bool clock_trusted)
{
    struct policy policy = usual_policy();
    return decide_by(&policy, credential, declaration, clock_trusted);
}

static inline void check(struct verdict got, enum verdict_action action, enum reason reason,
                         enum declaration_status status)
{
    assert_string_equal(reason_name(got.reason), reason_name(reason));
    assert_string_equal(verdict_action_name(got.action), verdict_action_name(action));
    assert_string_equal(declaration_status_name(got.status), declaration_status_name(status));
}

#endif
