/* The eye's keeper: spawn, listen, kill, back off. Called by main's event loop. */
#include "daemon/vision/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* FIRST_WORD: opening a USB camera may take seconds. A life without a camera, or shorter than STEADY (a code that kills the
 * decoder is still in view), doubles the next wait. */
enum { BACKOFF_FIRST_MS = 100, BACKOFF_MAX_MS = 1000, FIRST_WORD_MS = 10000, STEADY_MS = 500, KILL_MS = 20, CLOSE_MS = 1000, ENDING_LOOKS = 3 };

extern char **environ;

static int watch(struct supervisor *s, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    return epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : -errno;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd); /* also takes it out of the epoll set */
    *fd = -1;
}

int supervisor_init(struct supervisor *s, const struct eye_settings *settings, int hang_ms, int64_t now_us)
{
    memset(s, 0, sizeof *s);
    s->settings = settings;
    s->hang_ms = hang_ms;
    s->link_fd = s->pid_fd = s->statm_fd = -1;
    s->start_due_us = now_us;
    s->backoff_ms = BACKOFF_FIRST_MS;
    s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    return s->epoll_fd >= 0 ? 0 : -errno;
}

static int spawn(int child_end, pid_t *ret_pid)
{
    char name[] = "qrgated", eye[] = "--eye"; /* exec wants them writable */
    char *const arguments[] = {name, eye, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    int r = posix_spawn_file_actions_init(&actions);
    if (r != 0)
        return -r;
    r = posix_spawnattr_init(&attributes);
    if (r == 0) {
        (void)sigemptyset(&none);
        /* dup2 onto itself would keep close-on-exec, so the child's end is never LINK_FD here (main holds it). */
        r = posix_spawn_file_actions_adddup2(&actions, child_end, LINK_FD);
        if (r == 0)
            r = posix_spawnattr_setsigmask(&attributes, &none);
        if (r == 0)
            r = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
        if (r == 0)
            r = posix_spawn(ret_pid, "/proc/self/exe", &actions, &attributes, arguments, environ);
        (void)posix_spawnattr_destroy(&attributes);
    }
    (void)posix_spawn_file_actions_destroy(&actions);
    return -r;
}

static void schedule(struct supervisor *s, int64_t now_us)
{
    if (s->had_camera && now_us - s->started_at_us > (int64_t)STEADY_MS * 1000)
        s->backoff_ms = BACKOFF_FIRST_MS;
    s->start_due_us = now_us + (int64_t)s->backoff_ms * 1000;
    s->backoff_ms = s->backoff_ms * 2 > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : s->backoff_ms * 2;
}

static int open_statm(pid_t pid)
{
    char path[32];
    (void)snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
    return open(path, O_RDONLY | O_CLOEXEC);
}

static uint64_t believed(uint64_t count)
{
    return count < UINT32_MAX ? count : UINT32_MAX;
}

struct supervisor_counts supervisor_counts(const struct supervisor *s)
{
    return (struct supervisor_counts){.frames = s->before.frames + s->lately.frames,
                                      .broken_frames = s->before.broken_frames + s->lately.broken_frames,
                                      .scans = s->before.scans + s->lately.scans, .reads = s->before.reads + s->lately.reads};
}

static int start(struct supervisor *s, int64_t now_us)
{
    int ends[2], r;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0)
        return -errno;
    /* Waits in the socket for the eye. Never the file: that may hold what no reload has taken, or mistakes. */
    r = send(ends[0], s->settings, sizeof *s->settings, MSG_NOSIGNAL) < 0 ? -errno : 0;
    if (r == 0)
        r = spawn(ends[1], &s->pid);
    (void)close(ends[1]);
    if (r != 0) {
        (void)close(ends[0]);
        s->pid = 0;
        return r;
    }
    s->link_fd = ends[0];
    s->pid_fd = (int)syscall(SYS_pidfd_open, s->pid, 0);
    s->statm_fd = open_statm(s->pid); /* now: soon it is nobody's to look at */
    s->started_at_us = s->heard_at_us = now_us;
    s->heard = s->had_camera = s->nonsense = false;
    s->starts++;
    r = s->pid_fd < 0 ? -errno : watch(s, s->pid_fd);
    return r == 0 ? watch(s, s->link_fd) : r;
}

/* True once the eye that was killed is gone. One that is inside a driver which doesn't come back goes only when that does: it is
 * waited for no longer than that long, for here the lane stands still. */
static bool reap(struct supervisor *s, int patience_ms)
{
    struct pollfd gone = {.fd = s->pid_fd, .events = POLLIN};
    int status = 0;
    if (s->pid > 0) {
        if (s->pid_fd >= 0 && patience_ms > 0)
            (void)poll(&gone, 1, patience_ms);
        const pid_t ended = waitpid(s->pid, &status, s->pid_fd >= 0 ? WNOHANG : 0);
        if (ended == 0 || (ended < 0 && errno == EINTR))
            return false;
        if (ended > 0 && WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL)
            (void)fprintf(stderr, "<4>eye: ended by signal %d (%s)\n", WTERMSIG(status), strsignal(WTERMSIG(status)));
    }
    s->pid = 0;
    s->ending = false;
    close_fd(&s->pid_fd);
    return true;
}

/* Idempotent; SIGKILL because a hung or taken-over eye needn't be asked. */
static void end(struct supervisor *s)
{
    if (s->pid > 0)
        (void)kill(s->pid, SIGKILL);
    s->camera_open = false;
    s->before = supervisor_counts(s);
    s->lately = (struct supervisor_counts){0};
    close_fd(&s->statm_fd);
    close_fd(&s->link_fd);
    s->ending = !reap(s, KILL_MS);
    s->ending_looks = 0;
}

/* It has the camera, another would find that busy: so the next one waits. */
static void wait_for_end(struct supervisor *s, int64_t now_us)
{
    if (now_us < s->start_due_us)
        return;
    s->start_due_us = now_us + (int64_t)BACKOFF_MAX_MS * 1000;
    if (++s->ending_looks != ENDING_LOOKS)
        return;
    (void)snprintf(s->camera_text, sizeof s->camera_text,
                   "its driver does not come back; pull the camera's cable, or start the machine again");
    (void)fprintf(stderr, "<3>eye: can't be ended: %s\n", s->camera_text);
}

static int allowed_ms_of(const struct supervisor *s)
{
    return s->heard || s->hang_ms > FIRST_WORD_MS ? s->hang_ms : FIRST_WORD_MS;
}

bool supervisor_in_time(const struct supervisor *s, int64_t now_us)
{
    return s->pid == 0 || s->ending || now_us - s->heard_at_us <= (int64_t)allowed_ms_of(s) * 1000;
}

/* Main itself was held up: what the eye said meanwhile still waits. Nonsense may wait there for ever. */
static bool is_unheard(const struct supervisor *s)
{
    struct pollfd link = {.fd = s->link_fd, .events = POLLIN};
    return !s->nonsense && poll(&link, 1, 0) > 0;
}

void supervisor_tick(struct supervisor *s, int64_t now_us)
{
    if (s->ending && !reap(s, 0)) {
        wait_for_end(s, now_us);
        return;
    }
    if (s->pid > 0) {
        const int allowed_ms = allowed_ms_of(s);
        if (!supervisor_in_time(s, now_us) && !is_unheard(s)) {
            (void)fprintf(stderr, "<4>eye: silent for %d ms, replaced\n", allowed_ms);
            end(s);
            schedule(s, now_us);
        }
        return;
    }
    if (now_us < s->start_due_us)
        return;
    int r = start(s, now_us);
    if (r != 0) {
        (void)fprintf(stderr, "<3>eye: can't be started: %s\n", strerror(-r));
        end(s);
        schedule(s, now_us);
    }
}

int64_t supervisor_next_us(const struct supervisor *s)
{
    if (s->pid > 0 && !s->ending)
        return s->heard_at_us + (int64_t)allowed_ms_of(s) * 1000 + 1000;
    return s->start_due_us;
}

/* A dead child's last words are still in the socket: it is drained before the death is acted on. */
static int take(struct supervisor *s, int64_t now_us)
{
    if (s->ending)
        (void)reap(s, 0);
    if (s->link_fd < 0)
        return 0;
    ssize_t n = recv(s->link_fd, &s->message, sizeof s->message, MSG_DONTWAIT | MSG_TRUNC);
    if (n > 0) {
        s->nonsense = !link_check(&s->message, (size_t)n);
        if (s->nonsense) {
            s->bad_messages++;
            return 0; /* heard_at_us stands still: an eye that talks nonsense is replaced as a silent one */
        }
        s->heard = true;
        s->heard_at_us = now_us;
        s->lately = (struct supervisor_counts){.frames = believed(s->message.frames),
                                               .broken_frames = believed(s->message.broken_frames),
                                               .scans = believed(s->message.scans), .reads = believed(s->message.reads)};
        if (s->message.kind == LINK_CAMERA)
            memcpy(s->camera_text, s->message.text, sizeof s->camera_text);
        s->camera_open = s->message.camera_open != 0;
        s->had_camera = s->had_camera || s->camera_open;
        return 1;
    }
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    end(s); /* end of file or error: the eye is gone or going */
    schedule(s, now_us);
    return 0;
}

/* An eye that sends without a pause must not keep the button, the fire and the watchdog waiting. */
int supervisor_take(struct supervisor *s, int64_t now_us)
{
    if (s->taken < SUPERVISOR_TURN && take(s, now_us) > 0) {
        s->taken++;
        return 1;
    }
    s->taken = 0;
    return 0;
}

void supervisor_close(struct supervisor *s)
{
    end(s);
    if (s->ending)
        (void)reap(s, CLOSE_MS);
    close_fd(&s->epoll_fd);
}

void supervisor_reconfigure(struct supervisor *s, const struct eye_settings *settings, int hang_ms)
{
    s->settings = settings;
    s->hang_ms = hang_ms;
}
