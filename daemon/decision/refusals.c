/* The lock against trying codes: so many denials in a row close the lane to codes for a while. State and times are the
 * caller's (journal thread); the button is no code and always works. Pure. */
#include "daemon/decision/decision.h"
#include "daemon/decision/time_sums.h"

bool refusals_locked(const struct refusals *refusals, int64_t monotonic_us)
{
    return refusals->locked_until_us != 0 && monotonic_us < refusals->locked_until_us;
}

void refusals_count(struct refusals *refusals, const struct policy *policy, const struct verdict *verdict,
                    int64_t monotonic_us)
{
    if (policy->refusals_lock <= 0 || policy->refusals_lock_s <= 0 || verdict->action == VERDICT_OPEN) {
        *refusals = (struct refusals){0}; /* also what a guard's override does: somebody is there */
        return;
    }
    /* A hold neither counts nor ends the row: an unknown card between two forged ones would keep the lock away. */
    if (verdict->action != VERDICT_DENY || verdict->reason == REASON_LANE_LOCKED || verdict->reason == REASON_LOCK_DOWN)
        return;
    if (refusals->in_a_row < policy->refusals_lock - 1) {
        refusals->in_a_row++;
        return;
    }
    refusals->in_a_row = 0;
    refusals->locked_until_us = add_saturated(monotonic_us, multiply_saturated(policy->refusals_lock_s, 1000000));
}
