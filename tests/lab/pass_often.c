/* People who pass as fast as the gate lets them:  pass_often SCENE RISES PEOPLE TIMES PASSED [PAUSE_MS]  holds a citizen's card
 * before the camera (the file SCENE, see show_frames.c), one of PEOPLE after the other and round again, each until the relay has
 * risen once more, which the case counts in the file RISES by the kernel's record, and a pause longer. PASSED tells how many have
 * passed. Exit 1: one of them did not get through. */
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LOOK_MS = 5, LONGEST_MS = 60000, TEXT_BYTES = 256, PATH_BYTES = 256 };

static bool put(const char *path, const char *text)
{
    char fresh[PATH_BYTES];
    (void)snprintf(fresh, sizeof fresh, "%s.new", path);
    const int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    const bool is_written = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    return fd >= 0 && close(fd) == 0 && is_written && rename(fresh, path) == 0;
}

/* -1: it is just being written. */
static long number_in(const char *path)
{
    char text[32] = "";
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    const ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        (void)close(fd);
    return length > 0 && text[length - 1] == '\n' ? atol(text) : -1;
}

static int64_t now_ms(void)
{
    struct timespec now;
    return clock_gettime(CLOCK_MONOTONIC, &now) == 0 ? (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000 : 0;
}

static void pause_ms(long ms)
{
    const struct timespec pause = {ms / 1000, ms % 1000 * 1000000};
    (void)nanosleep(&pause, NULL);
}

static bool wait_above(const char *rises, long before)
{
    const int64_t until_ms = now_ms() + LONGEST_MS;
    while (number_in(rises) <= before) {
        if (now_ms() > until_ms)
            return false;
        pause_ms(LOOK_MS);
    }
    return true;
}

int main(int argc, char **argv)
{
    const bool is_asked = argc == 6 || argc == 7;
    const int people = is_asked ? atoi(argv[3]) : 0, times = is_asked ? atoi(argv[4]) : 0;
    long before = people > 0 ? number_in(argv[2]) : -1;
    if (before < 0) {
        fprintf(stderr, "usage: pass_often SCENE RISES PEOPLE TIMES PASSED [PAUSE_MS]\n");
        return 2;
    }
    for (int i = 1; i <= times; i++) {
        char card[TEXT_BYTES], passed[32];
        (void)snprintf(card, sizeof card, "0220990%05d||Đoàn Văn Thử|30121999|Nam|Thôn Một, Xã Hai, Quảng Ninh|01082024||||",
                       i % people + 1);
        if (!put(argv[1], card))
            return 2;
        if (!wait_above(argv[2], before)) {
            fprintf(stderr, "passage %d did not come\n", i);
            return 1;
        }
        before++;
        pause_ms(argc == 7 ? atol(argv[6]) : 0);
        (void)snprintf(passed, sizeof passed, "%d\n", i);
        if (!put(argv[5], passed))
            return 2;
    }
    return 0;
}
