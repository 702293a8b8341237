/* Who vouches for whom. Called from the main loop, whose own progress is that it gets here. */
#include "daemon/health/watchdog.h"

void watchdog_init(struct watchdog *w, int64_t period_us, int64_t now_us)
{
    *w = (struct watchdog){.period_us = period_us, .next_at_us = now_us + period_us / 3};
    for (int i = 0; i < WATCHDOG_PART_COUNT; i++)
        w->progress_us[i] = now_us;
}

void watchdog_progress(struct watchdog *w, enum watchdog_part part, int64_t now_us)
{
    w->progress_us[part] = now_us;
}

bool watchdog_due(struct watchdog *w, int64_t now_us)
{
    if (w->period_us == 0 || now_us < watchdog_next_us(w))
        return false;
    for (int i = 0; i < WATCHDOG_PART_COUNT; i++) {
        if (now_us - w->progress_us[i] > w->period_us / 2) {
            w->next_at_us = now_us + w->period_us / 20; /* who recovers in time is vouched for in time; not in a spin */
            return false;
        }
    }
    w->next_at_us = now_us + w->period_us / 3;
    return true;
}

int64_t watchdog_next_us(const struct watchdog *w)
{
    return w->period_us == 0 ? INT64_MAX : w->next_at_us;
}
