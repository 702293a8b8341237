/* Stands between libFuzzer (or runner.c) and a target, whose LLVMFuzzerTestOneInput is compiled as fuzz_target: no input may
 * take longer than 50 ms, or what the target itself says. The thread's own processor time, so that a busy machine doesn't
 * count. (Memory: -malloc_limit_mb and -rss_limit_mb in run.sh.) */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { LIMIT_US = 50000 };

extern const int64_t fuzz_limit_us __attribute__((weak)); /* a target's, where it has one */
int fuzz_target(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int64_t spent_us(void)
{
    struct timespec now;
    if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now) != 0)
        abort();
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int64_t before_us = spent_us(), took_us;
    int result = fuzz_target(data, size);
    took_us = spent_us() - before_us;
    const int64_t limit_us = &fuzz_limit_us != NULL ? fuzz_limit_us : LIMIT_US;
    if (took_us > limit_us) {
        (void)fprintf(stderr, "fuzz: this input took %lld us of processor time, %lld are allowed\n", (long long)took_us,
                      (long long)limit_us);
        abort();
    }
    return result;
}
