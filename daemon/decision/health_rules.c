/* The rules for vaccination, test and recovery: a function each, in a table. Called by decide(). Pure. Codes are the EU value
 * sets': SNOMED CT for the disease, LOINC for the type of test. */
#include "daemon/decision/health_rules.h"

#include <string.h>

#include "daemon/decision/time_sums.h"

struct question {
    const struct health_certificate *health;
    const struct health_policy *policy;
    const struct moment *moment;
    int64_t clock_skew_s;
};

static bool is_covid(const struct health_certificate *health)
{
    return strncmp(health->disease, "840539006", sizeof health->disease) == 0;
}

/* From so many days after `since_s` until so many; 0 = no bound, but nothing counts before its day. */
static bool in_days(const struct question *q, int64_t since_s, int from_days, int until_days)
{
    if (since_s == 0)
        return false; /* a rule that can't be judged isn't met */
    if (!q->moment->clock_trusted)
        return true;
    int64_t days = subtract_saturated(local_day(q->moment->now_s, q->moment->utc_offset_s), local_day(since_s, 0));
    return days >= (from_days > 0 ? from_days : 0) && (until_days <= 0 || days <= until_days);
}

static bool is_product(const struct health_policy *policy, const char *product)
{
    size_t count = policy->products_count < HEALTH_PRODUCTS_MAX ? policy->products_count : HEALTH_PRODUCTS_MAX;

    for (size_t i = 0; i < count; i++)
        if (strncmp(policy->products[i], product, sizeof policy->products[i]) == 0)
            return true;
    return count == 0;
}

static bool vaccination_met(const struct question *q)
{
    const struct health_certificate *health = q->health;

    if (!is_product(q->policy, health->product) || health->dose < 1 || health->doses < 1)
        return false;
    if (q->policy->all_doses && health->dose < health->doses)
        return false;
    return in_days(q, health->vaccinated_on_s, q->policy->vaccination_from_days, q->policy->vaccination_until_days);
}

static bool in_hours(const struct question *q, int64_t since_s, int hours)
{
    if (since_s == 0)
        return false;
    if (!q->moment->clock_trusted)
        return true;
    int64_t age_s = subtract_saturated(q->moment->now_s, since_s);
    return add_saturated(age_s, q->clock_skew_s) >= 0 && (hours <= 0 || age_s <= (int64_t)hours * HOUR_SECONDS);
}

static bool test_met(const struct question *q)
{
    const struct {
        const char *type;
        int hours;
    } tests[] = {
        {"LP6464-4", q->policy->molecular_test_hours},  /* nucleic acid amplification with probe detection */
        {"LP217198-3", q->policy->antigen_test_hours}, /* rapid immunoassay */
    };

    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
        if (strncmp(q->health->test_type, tests[i].type, sizeof q->health->test_type) == 0)
            return in_hours(q, q->health->sampled_at_s, tests[i].hours);
    return false;
}

static bool recovery_met(const struct question *q)
{
    const struct health_certificate *health = q->health;

    if (!in_days(q, health->first_positive_s, q->policy->recovery_from_days, q->policy->recovery_until_days))
        return false;
    if (!q->moment->clock_trusted)
        return true;
    int64_t today = local_day(q->moment->now_s, q->moment->utc_offset_s);
    return (health->from_s == 0 || today >= local_day(health->from_s, 0)) &&
           (health->until_s == 0 || today <= local_day(health->until_s, 0));
}

enum health_judgement health_judge(const struct health_certificate *health, const struct health_policy *policy,
                                   const struct moment *moment, int64_t clock_skew_s)
{
    static bool (*const met[])(const struct question *) = {
        [HEALTH_NONE] = NULL, [HEALTH_VACCINATION] = vaccination_met, [HEALTH_TEST] = test_met,
        [HEALTH_RECOVERY] = recovery_met,
    };
    const struct question question = {health, policy, moment, clock_skew_s};
    unsigned type = (unsigned)health->type;

    if (type >= sizeof met / sizeof met[0] || met[type] == NULL || !is_covid(health))
        return HEALTH_RULES_UNMET;
    if (type == HEALTH_TEST && health->detected)
        return HEALTH_POSITIVE;
    return policy->accept && met[type](&question) ? HEALTH_RULES_MET : HEALTH_RULES_UNMET;
}
