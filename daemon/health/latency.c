/* Log-linear buckets, as HDR histograms have them. Main thread. */
#include "daemon/health/latency.h"

static int bucket_of(uint64_t us)
{
    if (us < 32)
        return (int)us;
    int shift = 63 - __builtin_clzll(us) - 5;
    int bucket = (shift + 1) * 32 + (int)(us >> shift) - 32;
    return bucket < LATENCY_BUCKETS ? bucket : LATENCY_BUCKETS - 1;
}

static int64_t upper_edge_us(int bucket)
{
    if (bucket < 32)
        return bucket;
    int shift = bucket / 32 - 1;
    return (((int64_t)(bucket % 32) + 33) << shift) - 1;
}

void latency_add(struct latency *l, int64_t us)
{
    l->count++;
    l->buckets[bucket_of(us < 0 ? 0 : (uint64_t)us)]++;
}

int64_t latency_quantile_us(const struct latency *l, double quantile)
{
    uint64_t wanted = (uint64_t)(quantile * (double)l->count + 0.999999), seen = 0;
    if (l->count == 0)
        return 0;
    for (int i = 0; i < LATENCY_BUCKETS; i++) {
        seen += l->buckets[i];
        if (seen >= wanted && seen > 0)
            return upper_edge_us(i);
    }
    return upper_edge_us(LATENCY_BUCKETS - 1);
}
