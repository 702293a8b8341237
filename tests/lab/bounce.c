/* A contact that bounces:  bounce PULL FLIPS PERIOD_US LAST  turns a simulated input (its sysfs `pull`) over FLIPS times,
 * PERIOD_US between two, so that its last level is LAST (1: pull-up). Prints "bounced t_us=N" of the last. */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    const int pull = argc == 5 ? open(argv[1], O_WRONLY | O_CLOEXEC) : -1;
    struct timespec at;
    if (pull < 0 || clock_gettime(CLOCK_MONOTONIC, &at) != 0) {
        fprintf(stderr, "usage: bounce PULL FLIPS PERIOD_US LAST\n");
        return 2;
    }
    const long period_ns = atol(argv[3]) * 1000;
    for (int left = atoi(argv[2]); left > 0; left--) {
        const bool up = (atoi(argv[4]) + left - 1) % 2 != 0;
        const char *text = up ? "pull-up" : "pull-down";
        if (pwrite(pull, text, strlen(text), 0) != (ssize_t)strlen(text))
            return 1;
        if (left == 1)
            break;
        at.tv_nsec += period_ns;
        at.tv_sec += at.tv_nsec / 1000000000;
        at.tv_nsec %= 1000000000;
        (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
    }
    (void)clock_gettime(CLOCK_MONOTONIC, &at);
    printf("bounced t_us=%lld\n", (long long)at.tv_sec * 1000000 + at.tv_nsec / 1000);
    return 0;
}
