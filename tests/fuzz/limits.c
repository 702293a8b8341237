/* Stands between libFuzzer (or runner.c) and a target, whose LLVMFuzzerTestOneInput is compiled as fuzz_target: no input may
 * take longer than 50 ms. The thread's own processor time, so that a busy machine doesn't count. (Memory: -malloc_limit_mb
 * and -rss_limit_mb in run.sh.) */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { LIMIT_US = 50000 };

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
    if (took_us > LIMIT_US) {
        (void)fprintf(stderr, "fuzz: this input took %lld us of processor time, %d are allowed\n", (long long)took_us, LIMIT_US);
        abort();
    }
    return result;
}
