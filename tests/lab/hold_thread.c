/* Stops one thread of a process, as a call that doesn't come back would:  hold_thread TID SECONDS [VALUE]  stops it by ptrace,
 * with VALUE as soon as that wire is on, prints "held t_us=N" and, SECONDS later or when it is told to end, lets go; it ends with
 * the thread. The other threads run on. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int wait_until_on(const char *path)
{
    const struct timespec pause = {0, 1000000};
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    char value = 0;
    ssize_t got;
    while ((got = pread(fd, &value, 1, 0)) == 1 && value != '1')
        (void)nanosleep(&pause, NULL);
    return got == 1 ? close(fd) : -1;
}

int main(int argc, char **argv)
{
    const pid_t thread = argc == 3 || argc == 4 ? (pid_t)atoi(argv[1]) : 0;
    const struct timespec look = {0, 100000000};
    int looks = thread > 0 ? 10 * atoi(argv[2]) : 0;
    struct timespec now;
    sigset_t ends;
    int status = 0;
    if (thread <= 0 || looks <= 0) {
        fprintf(stderr, "usage: hold_thread TID SECONDS [VALUE]\n");
        return 2;
    }
    (void)sigemptyset(&ends);
    (void)sigaddset(&ends, SIGTERM);
    (void)sigaddset(&ends, SIGINT);
    if ((argc == 4 && wait_until_on(argv[3]) != 0) || sigprocmask(SIG_BLOCK, &ends, NULL) != 0 || ptrace(PTRACE_SEIZE, thread, 0, 0) != 0 ||
        ptrace(PTRACE_INTERRUPT, thread, 0, 0) != 0 || waitpid(thread, &status, __WALL) != thread ||
        !WIFSTOPPED(status) || clock_gettime(CLOCK_MONOTONIC, &now) != 0) {
        fprintf(stderr, "hold_thread: thread %d: %s\n", (int)thread, strerror(errno));
        return 1;
    }
    printf("held t_us=%lld\n", (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
    (void)fflush(stdout);
    while (looks-- > 0 && sigtimedwait(&ends, NULL, &look) < 0)
        if (waitpid(thread, &status, __WALL | WNOHANG) == thread && !WIFSTOPPED(status))
            return 0; /* killed meanwhile: nobody else can have its end before we have */
    return ptrace(PTRACE_DETACH, thread, 0, 0) == 0 ? 0 : 1;
}
