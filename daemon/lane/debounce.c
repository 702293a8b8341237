/* Steady-for-a-while debouncing, alike over all line drivers. Called from the main thread. */
#include "daemon/lane/debounce.h"

void debounce_init(struct debounce *d, bool level, int64_t now_us)
{
    *d = (struct debounce){.level = level, .raw = level, .raw_since_us = now_us};
}

void debounce_edge(struct debounce *d, bool active, int64_t at_us)
{
    d->raw = active;
    d->raw_since_us = at_us; /* an edge restarts the wait even when one in between was lost */
}

bool debounce_settle(struct debounce *d, int64_t now_us, int steady_ms)
{
    if (d->raw == d->level || now_us - d->raw_since_us < (int64_t)steady_ms * 1000)
        return false;
    d->level = d->raw;
    return true;
}

int64_t debounce_next_us(const struct debounce *d, int steady_ms)
{
    return d->raw == d->level ? INT64_MAX : d->raw_since_us + (int64_t)steady_ms * 1000;
}
