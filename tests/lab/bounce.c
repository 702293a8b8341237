/* A contact that bounces:  bounce PULL FLIPS PERIOD_US LAST [HELD_MS]  turns a simulated input (its sysfs `pull`) over FLIPS
 * times, PERIOD_US between two, so that its last level is LAST (1: pull-up). With HELD_MS it stays so long, and bounces back
 * with a flip less: a press and its end from one program, which a slow machine need not start in between. Prints
 * "bounced t_us=N" of the last. */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void wait_ns(struct timespec *at, long long ns)
{
    ns += at->tv_nsec;
    at->tv_sec += ns / 1000000000;
    at->tv_nsec = ns % 1000000000;
    (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, at, NULL);
}

static bool bounce(int pull, int flips, long long period_ns, bool last, struct timespec *at)
{
    for (int left = flips; left > 0; left--) {
        const bool up = ((last ? 1 : 0) + left - 1) % 2 != 0;
        const char *text = up ? "pull-up" : "pull-down";
        if (pwrite(pull, text, strlen(text), 0) != (ssize_t)strlen(text))
            return false;
        if (left > 1)
            wait_ns(at, period_ns);
    }
    return true;
}

int main(int argc, char **argv)
{
    const int pull = argc == 5 || argc == 6 ? open(argv[1], O_WRONLY | O_CLOEXEC) : -1;
    struct timespec at;
    if (pull < 0 || clock_gettime(CLOCK_MONOTONIC, &at) != 0) {
        fprintf(stderr, "usage: bounce PULL FLIPS PERIOD_US LAST [HELD_MS]\n");
        return 2;
    }
    const int flips = atoi(argv[2]);
    const long long period_ns = atoll(argv[3]) * 1000;
    const bool last = atoi(argv[4]) != 0;
    if (!bounce(pull, flips, period_ns, last, &at))
        return 1;
    if (argc == 6) {
        wait_ns(&at, atoll(argv[5]) * 1000000);
        if (!bounce(pull, flips - 1, period_ns, !last, &at))
            return 1;
    }
    (void)clock_gettime(CLOCK_MONOTONIC, &at);
    printf("bounced t_us=%lld\n", (long long)at.tv_sec * 1000000 + at.tv_nsec / 1000);
    return 0;
}
