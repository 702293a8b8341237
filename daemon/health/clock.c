/* The edges where time enters the program. */
#include "daemon/health/clock.h"

#include <sys/timex.h>
#include <time.h>

static int64_t read_us(clockid_t id)
{
    struct timespec t = {0};
    (void)clock_gettime(id, &t); /* can't fail for these ids */
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t clock_monotonic_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}

int64_t clock_unix_us(void)
{
    return read_us(CLOCK_REALTIME);
}

bool clock_synchronised(void)
{
    struct timex t = {.modes = 0};
    int state = ntp_adjtime(&t);
    return state >= 0 && state != TIME_ERROR && (t.status & STA_UNSYNC) == 0;
}
