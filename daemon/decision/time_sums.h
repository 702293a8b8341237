/* Sums of times that come from strangers: none may overflow. For the rules of this folder; pure. */
#ifndef DECISION_TIME_SUMS_H
#define DECISION_TIME_SUMS_H

#include <stdint.h>

enum { DAY_SECONDS = 86400, HOUR_SECONDS = 3600, MINUTE_SECONDS = 60 };

static inline int64_t add_saturated(int64_t a, int64_t b)
{
    int64_t sum;

    if (__builtin_add_overflow(a, b, &sum))
        return b > 0 ? INT64_MAX : INT64_MIN;
    return sum;
}

static inline int64_t subtract_saturated(int64_t a, int64_t b)
{
    int64_t difference;

    if (__builtin_sub_overflow(a, b, &difference))
        return b < 0 ? INT64_MAX : INT64_MIN;
    return difference;
}

static inline int64_t multiply_saturated(int64_t a, int64_t b)
{
    int64_t product;

    if (__builtin_mul_overflow(a, b, &product))
        return (a < 0) == (b < 0) ? INT64_MAX : INT64_MIN;
    return product;
}

/* Towards the past, so that the days before 1970 are whole days too. `divisor` > 0. */
static inline int64_t divide_down(int64_t a, int64_t divisor)
{
    return a / divisor - (a % divisor < 0 ? 1 : 0);
}

/* Days since 1970-01-01 where the clock on the wall is `utc_offset_s` ahead of UTC. */
static inline int64_t local_day(int64_t at_s, int32_t utc_offset_s)
{
    return divide_down(add_saturated(at_s, utc_offset_s), DAY_SECONDS);
}

#endif
