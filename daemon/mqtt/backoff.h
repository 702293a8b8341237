/* How long to wait before trying again: doubling, capped, spread so that a site's lanes don't come back in one moment. Pure. */
#ifndef MQTT_BACKOFF_H
#define MQTT_BACKOFF_H

#include <stdint.h>

/* failures: how many in a row, 1 at the first. Between min_us and min(max_us, min_us * 2^failures), by `random`. */
static inline int64_t backoff_us(int failures, int64_t min_us, int64_t max_us, uint32_t random)
{
    int64_t ceiling_us = min_us;
    for (int i = 0; i < failures && ceiling_us < max_us; i++)
        ceiling_us *= 2;
    if (ceiling_us > max_us)
        ceiling_us = max_us;
    return ceiling_us <= min_us ? ceiling_us : min_us + (int64_t)((uint64_t)random % (uint64_t)(ceiling_us - min_us + 1));
}

#endif
