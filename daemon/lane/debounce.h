/* An input counts when it has been steady for a while. Pure; time passed in. A spike shorter than that is nothing: a gate
 * must not open by the contactor next door. */
#ifndef LANE_DEBOUNCE_H
#define LANE_DEBOUNCE_H

#include <stdbool.h>
#include <stdint.h>

struct debounce {
    bool level, raw;      /* believed; last seen */
    int64_t raw_since_us; /* when `raw` came */
};

void debounce_init(struct debounce *d, bool level, int64_t now_us);
void debounce_edge(struct debounce *d, bool active, int64_t at_us);
/* True when the believed level changes at now_us (read it from d->level). */
bool debounce_settle(struct debounce *d, int64_t now_us, int steady_ms);
int64_t debounce_next_us(const struct debounce *d, int steady_ms); /* INT64_MAX: settled */

#endif
