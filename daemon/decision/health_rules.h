/* Does an EU-format certificate meet the site's rules? For decision.c's table. Pure. */
#ifndef DECISION_HEALTH_RULES_H
#define DECISION_HEALTH_RULES_H

#include "daemon/decision/decision.h"

/* A positive test is bad news whatever the rules say. */
enum health_judgement { HEALTH_RULES_MET, HEALTH_RULES_UNMET, HEALTH_POSITIVE };

/* With a clock that isn't trusted all but the intervals is judged. A dose counts from its day to the last day, both
 * included, by the calendar at the gate; so does a recovery; a test to the second. */
enum health_judgement health_judge(const struct health_certificate *health, const struct health_policy *policy,
                                   const struct moment *moment, int64_t clock_skew_s);

#endif
