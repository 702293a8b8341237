/* The rules for vaccination, test and recovery: each interval to its first and last day or second, products, doses, kinds of
 * test, the disease, and positive tests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "daemon/decision/health_rules.h"

#define NOW_S INT64_C(1790000000)
#define TODAY (NOW_S / DAY_S)
enum { DAY_S = 86400, HOUR_S = 3600, SKEW_S = 120 };

static struct health_policy usual(void)
{
    return (struct health_policy){.accept = true, .all_doses = true, .vaccination_from_days = 14,
                                  .vaccination_until_days = 270, .molecular_test_hours = 72, .antigen_test_hours = 48,
                                  .recovery_from_days = 11, .recovery_until_days = 180};
}

static struct health_certificate vaccination(int64_t days_ago)
{
    return (struct health_certificate){.type = HEALTH_VACCINATION, .disease = "840539006", .product = "EU/1/20/1528",
                                       .dose = 2, .doses = 2, .vaccinated_on_s = (TODAY - days_ago) * DAY_S};
}

static struct health_certificate test_of(const char *type, int64_t sampled_at_s)
{
    struct health_certificate health = {.type = HEALTH_TEST, .disease = "840539006", .sampled_at_s = sampled_at_s};
    (void)strcpy(health.test_type, type);
    return health;
}

static struct health_certificate recovery(int64_t days_ago)
{
    return (struct health_certificate){.type = HEALTH_RECOVERY, .disease = "840539006",
                                       .first_positive_s = (TODAY - days_ago) * DAY_S};
}

static enum health_judgement judge(struct health_certificate health, struct health_policy policy)
{
    const struct moment moment = {.now_s = NOW_S, .clock_trusted = true};
    return health_judge(&health, &policy, &moment, SKEW_S);
}

static bool met(struct health_certificate health, struct health_policy policy)
{
    enum health_judgement judgement = judge(health, policy);
    assert_int_not_equal(judgement, HEALTH_POSITIVE);
    return judgement == HEALTH_RULES_MET;
}

static void test_days_after_the_dose(void **state)
{
    struct health_policy policy = usual();

    (void)state;
    for (int days = -400; days <= 400; days++)
        assert_int_equal(met(vaccination(days), policy), days >= 14 && days <= 270);
    policy.vaccination_until_days = 0;
    for (int days = -400; days <= 4000; days++)
        assert_int_equal(met(vaccination(days), policy), days >= 14);
    policy.vaccination_from_days = 0; /* from its own day, not before */
    for (int days = -400; days <= 400; days++)
        assert_int_equal(met(vaccination(days), policy), days >= 0);
    struct health_certificate undated = vaccination(20);
    undated.vaccinated_on_s = 0;
    assert_false(met(undated, policy));
}

/* The day begins at the gate's midnight. */
static void test_days_are_local(void **state)
{
    struct health_policy policy = usual();
    struct health_certificate health = vaccination(14);
    const int64_t midnight_s = TODAY * DAY_S;
    static const int32_t offsets_s[] = {0, 7 * HOUR_S, -8 * HOUR_S, 14 * HOUR_S};

    (void)state;
    for (size_t i = 0; i < sizeof offsets_s / sizeof offsets_s[0]; i++) {
        struct moment moment = {.now_s = midnight_s - offsets_s[i], .utc_offset_s = offsets_s[i], .clock_trusted = true};
        assert_int_equal(health_judge(&health, &policy, &moment, SKEW_S), HEALTH_RULES_MET);
        moment.now_s--;
        assert_int_equal(health_judge(&health, &policy, &moment, SKEW_S), HEALTH_RULES_UNMET);
    }
}

static void test_doses(void **state)
{
    static const struct {
        int dose, doses;
        bool all, any;
    } rows[] = {{1, 2, false, true}, {2, 2, true, true}, {3, 2, true, true}, {1, 1, true, true}, {3, 3, true, true},
                {2, 3, false, true}, {0, 2, false, false}, {1, 0, false, false}, {0, 0, false, false}, {-1, -1, false, false},
                {-1, -2, false, false}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct health_policy policy = usual();
        struct health_certificate health = vaccination(30);
        health.dose = rows[i].dose;
        health.doses = rows[i].doses;
        assert_int_equal(met(health, policy), rows[i].all);
        policy.all_doses = false;
        assert_int_equal(met(health, policy), rows[i].any);
    }
}

static void test_products(void **state)
{
    struct health_policy policy = usual();
    struct health_certificate health = vaccination(30);

    (void)state;
    policy.products_count = 2;
    (void)strcpy(policy.products[0], "EU/1/20/1507");
    (void)strcpy(policy.products[1], "EU/1/20/1525");
    assert_false(met(health, policy));
    (void)strcpy(health.product, "EU/1/20/1525");
    assert_true(met(health, policy));
    (void)strcpy(health.product, "EU/1/20/152");
    assert_false(met(health, policy));
    (void)strcpy(health.product, "EU/1/20/15255");
    assert_false(met(health, policy));
    health.product[0] = '\0';
    assert_false(met(health, policy));
    policy.products_count = SIZE_MAX; /* damaged: never read beyond the table */
    (void)strcpy(health.product, "EU/1/20/1507");
    assert_true(met(health, policy));
    memset(policy.products[0], 'x', sizeof policy.products[0]); /* a text that fills its room has no end */
    memset(health.product, 'x', sizeof health.product);
    assert_true(met(health, policy));
}

static void test_kinds_and_hours_of_tests(void **state)
{
    static const struct {
        const char *type;
        int hours; /* 0: no such kind */
    } rows[] = {{"LP6464-4", 72}, {"LP217198-3", 48}, {"LP6464-5", 0}, {"LP6464-44", 0}, {"LP6464", 0}, {"", 0},
                {"94558-4", 0}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct health_policy policy = usual();
        int64_t last_s = NOW_S - rows[i].hours * HOUR_S;
        assert_int_equal(met(test_of(rows[i].type, last_s), policy), rows[i].hours > 0);
        assert_false(met(test_of(rows[i].type, last_s - 1), policy));
        assert_int_equal(met(test_of(rows[i].type, NOW_S + SKEW_S), policy), rows[i].hours > 0);
        assert_false(met(test_of(rows[i].type, NOW_S + SKEW_S + 1), policy));
        assert_false(met(test_of(rows[i].type, 0), policy));
        policy.molecular_test_hours = policy.antigen_test_hours = 0; /* no bound */
        assert_int_equal(met(test_of(rows[i].type, 1), policy), rows[i].hours > 0);
    }
}

static void test_recovery(void **state)
{
    struct health_policy policy = usual();
    struct health_certificate health = recovery(30);

    (void)state;
    for (int days = -400; days <= 400; days++)
        assert_int_equal(met(recovery(days), policy), days >= 11 && days <= 180);
    for (int from = -3; from <= 3; from++) {
        for (int until = -3; until <= 3; until++) {
            health.from_s = (TODAY + from) * DAY_S;
            health.until_s = (TODAY + until) * DAY_S;
            assert_int_equal(met(health, policy), from <= 0 && until >= 0);
        }
    }
    health.from_s = health.until_s = 0; /* not given */
    assert_true(met(health, policy));
    health.first_positive_s = 0;
    assert_false(met(health, policy));
}

static void test_positive_is_positive(void **state)
{
    static const char *const types[] = {"LP6464-4", "LP217198-3", "LP1-1", ""};
    static const int64_t times_s[] = {0, 1, NOW_S - 100 * DAY_S, NOW_S, NOW_S + DAY_S, INT64_MAX};

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        for (size_t j = 0; j < sizeof times_s / sizeof times_s[0]; j++) {
            struct health_policy policy = usual();
            struct health_certificate health = test_of(types[i], times_s[j]);
            health.detected = true;
            assert_int_equal(judge(health, policy), HEALTH_POSITIVE);
            policy.accept = false;
            assert_int_equal(judge(health, policy), HEALTH_POSITIVE);
            (void)strcpy(health.disease, "6142004"); /* of something else */
            assert_int_equal(judge(health, policy), HEALTH_RULES_UNMET);
        }
    }
    struct health_certificate odd = vaccination(30);
    odd.detected = true; /* no such field in a vaccination */
    assert_int_equal(judge(odd, usual()), HEALTH_RULES_MET);
}

static void test_disease_and_acceptance(void **state)
{
    const struct health_certificate all[] = {vaccination(30), test_of("LP6464-4", NOW_S), recovery(30)};
    static const char *const others[] = {"", "84053900", "8405390061", "840539007", "6142004"};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct health_policy policy = usual();
        struct health_certificate health = all[i];
        assert_true(met(health, policy));
        policy.accept = false;
        assert_false(met(health, policy));
        policy.accept = true;
        for (size_t j = 0; j < sizeof others / sizeof others[0]; j++) {
            (void)strcpy(health.disease, others[j]);
            assert_false(met(health, policy));
        }
        health = all[i];
        health.type = HEALTH_NONE;
        assert_false(met(health, policy));
        health.type = (enum health_type)(HEALTH_RECOVERY + 1);
        assert_false(met(health, policy));
        health.type = (enum health_type)-1;
        assert_false(met(health, policy));
    }
}

/* Without a clock: all but the intervals. */
static void test_untrusted_clock(void **state)
{
    const struct moment moment = {.now_s = 1};
    struct health_policy policy = usual();
    struct health_certificate health = vaccination(1), sample = test_of("LP6464-4", NOW_S), past = recovery(1);

    (void)state;
    past.until_s = DAY_S;
    assert_int_equal(health_judge(&health, &policy, &moment, 0), HEALTH_RULES_MET);
    assert_int_equal(health_judge(&sample, &policy, &moment, 0), HEALTH_RULES_MET);
    assert_int_equal(health_judge(&past, &policy, &moment, 0), HEALTH_RULES_MET);
    health.dose = 1;
    (void)strcpy(sample.test_type, "LP1-1");
    past.first_positive_s = 0;
    assert_int_equal(health_judge(&health, &policy, &moment, 0), HEALTH_RULES_UNMET);
    assert_int_equal(health_judge(&sample, &policy, &moment, 0), HEALTH_RULES_UNMET);
    assert_int_equal(health_judge(&past, &policy, &moment, 0), HEALTH_RULES_UNMET);
}

static void test_hostile_times(void **state)
{
    static const int64_t extremes[] = {INT64_MIN, INT64_MIN + 1, -1, 1, INT64_MAX - 1, INT64_MAX};
    static const int spans[] = {INT32_MIN, -1, 0, 1, INT32_MAX};
    static const int32_t offsets_s[] = {INT32_MIN, 0, INT32_MAX};
    enum { TIMES = 6, SPANS = 5, OFFSETS = 3 };

    (void)state;
    for (int i = 0; i < TIMES * TIMES * TIMES * SPANS * OFFSETS; i++) {
        int64_t a = extremes[i % TIMES], now_s = extremes[i / TIMES % TIMES], skew_s = extremes[i / TIMES / TIMES % TIMES];
        int span = spans[i / TIMES / TIMES / TIMES % SPANS];
        struct moment moment = {now_s, offsets_s[i / TIMES / TIMES / TIMES / SPANS], true};
        struct health_policy policy = {.accept = true, .vaccination_from_days = span, .vaccination_until_days = span,
                                       .molecular_test_hours = span, .recovery_from_days = span};
        struct health_certificate health = vaccination(0), sample = test_of("LP6464-4", a), past = recovery(0);
        health.vaccinated_on_s = past.first_positive_s = past.from_s = past.until_s = a;
        if (span > 1 && a > 0 && now_s < 0)
            assert_int_equal(health_judge(&health, &policy, &moment, skew_s), HEALTH_RULES_UNMET);
        (void)health_judge(&health, &policy, &moment, skew_s);
        (void)health_judge(&past, &policy, &moment, skew_s);
        if (health_judge(&sample, &policy, &moment, skew_s) == HEALTH_RULES_MET && skew_s <= 1)
            assert_true(a <= now_s || a - now_s <= skew_s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_days_after_the_dose), cmocka_unit_test(test_days_are_local), cmocka_unit_test(test_doses),
        cmocka_unit_test(test_products), cmocka_unit_test(test_kinds_and_hours_of_tests), cmocka_unit_test(test_recovery),
        cmocka_unit_test(test_positive_is_positive), cmocka_unit_test(test_disease_and_acceptance),
        cmocka_unit_test(test_untrusted_clock), cmocka_unit_test(test_hostile_times),
    };
    return cmocka_run_group_tests_name("health_rules", tests, NULL, NULL);
}
