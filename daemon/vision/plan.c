/* The order of looks over the frames. Pure; called by reader.c. */
#include "daemon/vision/plan.h"

#include "daemon/vision/reader.h"

int plan_next(struct plan *plan, bool moved)
{
    const bool has_more = plan->outcome == PLAN_SIGHTED && plan->unread < READER_LOOKS;
    if (plan->has_looked && !moved && !has_more && ++plan->resting < PLAN_REST_FRAMES)
        return -1;
    plan->resting = 0;
    if (plan->outcome == PLAN_SIGHTED && plan->unread % READER_LOOKS != 0)
        return plan->unread % READER_LOOKS;
    if (plan->outcome == PLAN_PERHAPS && plan->perhaps >= PLAN_PERHAPS_FRAMES - 1)
        return plan->look;
    return 0;
}

/* Something unread, whether it moves or not, gets all looks in turn: another frame is another chance for each of them. What is
 * a code perhaps gets them one by one between first looks. */
void plan_told(struct plan *plan, enum plan_outcome outcome)
{
    const bool was_perhaps = plan->outcome == PLAN_PERHAPS && plan->perhaps >= PLAN_PERHAPS_FRAMES - 1;
    plan->has_looked = true;
    plan->outcome = outcome;
    plan->unread = outcome == PLAN_SIGHTED ? plan->unread + 1 : 0;
    plan->perhaps = outcome == PLAN_PERHAPS && !was_perhaps ? plan->perhaps + 1 : 0;
    if (was_perhaps || plan->look == 0) /* 0: at the beginning */
        plan->look = plan->look % (READER_LOOKS - 1) + 1;
}
