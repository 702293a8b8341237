/* A histogram of durations: fixed memory, quantiles within 3 %. Pure. */
#ifndef HEALTH_LATENCY_H
#define HEALTH_LATENCY_H

#include <stdint.h>

enum { LATENCY_BUCKETS = 40 * 32 };

struct latency {
    uint64_t count;
    uint32_t buckets[LATENCY_BUCKETS]; /* 32 to each doubling */
};

void latency_add(struct latency *l, int64_t us);
int64_t latency_quantile_us(const struct latency *l, double quantile); /* upper edge of the bucket; 0 when empty */

#endif
