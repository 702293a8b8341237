/* A guard's finger that doesn't tire:  press_often PULL VALUE TIMES  presses the simulated button (its sysfs `pull`) so
 * often, each time until the relay's `value` is on, and releases it until the relay is off and a little longer. A pulse
 * that it misses is no matter: the case counts them by the kernel's record. */
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LOOK_MS = 1, LONGEST_MS = 1000 /* three seconds would hold the gate open */, PAUSE_MS = 100 };

static void pause_ms(long ms)
{
    const struct timespec pause = {ms / 1000, ms % 1000 * 1000000};
    (void)nanosleep(&pause, NULL);
}

static bool put(int fd, const char *text)
{
    return pwrite(fd, text, strlen(text), 0) == (ssize_t)strlen(text);
}

static int64_t now_ms(void)
{
    struct timespec now;
    return clock_gettime(CLOCK_MONOTONIC, &now) == 0 ? (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000 : 0;
}

static void wait_until(int fd, char level)
{
    const int64_t until_ms = now_ms() + LONGEST_MS;
    char value = 0;
    while (now_ms() < until_ms && pread(fd, &value, 1, 0) == 1 && value != level)
        pause_ms(LOOK_MS);
}

int main(int argc, char **argv)
{
    const int pull = argc == 4 ? open(argv[1], O_WRONLY | O_CLOEXEC) : -1;
    const int value = argc == 4 ? open(argv[2], O_RDONLY | O_CLOEXEC) : -1;
    if (pull < 0 || value < 0) {
        fprintf(stderr, "usage: press_often PULL VALUE TIMES\n");
        return 2;
    }
    for (int i = atoi(argv[3]); i > 0; i--) {
        if (!put(pull, "pull-up"))
            return 1;
        wait_until(value, '1');
        if (!put(pull, "pull-down"))
            return 1;
        wait_until(value, '0');
        pause_ms(PAUSE_MS);
    }
    return 0;
}
