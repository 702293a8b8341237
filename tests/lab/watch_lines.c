/* Looks at GPIO levels from outside the program under test:  watch_lines NAME=PATH…  reads each sysfs `value` every 2
 * ms and prints "watch t_us=N NAME 0|1" at the start and at every change. Ends when it is killed. Used by the lab's
 * cases. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LINES_MAX = 16, PERIOD_NS = 2000000 };

int main(int argc, char **argv)
{
    int fds[LINES_MAX];
    char last[LINES_MAX] = {0};
    int count = argc - 1;
    if (count < 1 || count > LINES_MAX) {
        fprintf(stderr, "usage: watch_lines NAME=PATH...\n");
        return 2;
    }
    for (int i = 0; i < count; i++) {
        char *path = strchr(argv[i + 1], '=');
        fds[i] = -1;
        if (path) {
            *path++ = '\0';
            fds[i] = open(path, O_RDONLY | O_CLOEXEC);
        }
        if (fds[i] < 0) {
            fprintf(stderr, "watch_lines: cannot open the value of %s\n", argv[i + 1]);
            return 1;
        }
    }
    if (setvbuf(stdout, NULL, _IOLBF, BUFSIZ) != 0)
        return 1;
    for (;;) {
        for (int i = 0; i < count; i++) {
            struct timespec now;
            char value = 0;
            if (pread(fds[i], &value, 1, 0) != 1 || clock_gettime(CLOCK_MONOTONIC, &now) != 0)
                return 1;
            if (value == last[i])
                continue;
            last[i] = value;
            printf("watch t_us=%lld %s %c\n", (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000, argv[i + 1], value);
        }
        const struct timespec pause = {0, PERIOD_NS};
        (void)nanosleep(&pause, NULL);
    }
}
