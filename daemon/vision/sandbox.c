/* The walls around the eye: descriptors, limits and the seccomp filter. Called by eye.c at its start, from its one
 * thread. */
#include "daemon/vision/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <seccomp.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define UNDER_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define UNDER_SANITIZER 1
#endif
#endif
#ifndef UNDER_SANITIZER
#define UNDER_SANITIZER 0
#endif

enum { DATA_MAX_BYTES = 256 * 1024 * 1024 }; /* pictures of 4096 x 4096 and a decoder's work on them fit */
enum { FDS_WITHOUT_CLOSE_RANGE = 1024 };
enum { IOCTL_TYPE_MASK = 0xFF00, IOCTL_TYPE_VIDEO = 'V' << 8 };
/* What may stand in the flags of an open for reading; every other bit creates, truncates or writes. (O_LARGEFILE: a 32-bit
 * system's C library adds it. Elsewhere it is 0.) */
enum { OPEN_HARMLESS = O_LARGEFILE | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | O_DIRECTORY };

/* Of an int the kernel sees a whole register, whose upper half may hold anything. */
static const scmp_datum_t INT_ARGUMENT = 0xFFFFFFFF;

static int limit(__rlimit_resource_t resource, rlim_t value)
{
    const struct rlimit both = {.rlim_cur = value, .rlim_max = value};
    return setrlimit(resource, &both) < 0 ? -errno : 0;
}

static int close_from_to(unsigned first, unsigned last)
{
    if (first > last || close_range(first, last, 0) == 0)
        return 0;
    if (errno != ENOSYS) /* a kernel before 5.9 */
        return -errno;
    for (unsigned fd = first; fd <= last && fd < FDS_WITHOUT_CLOSE_RANGE; fd++)
        (void)close((int)fd); /* most aren't open */
    return 0;
}

/* Whose memory grows at a stranger's code shall be the one that the kernel ends when there is none left, never main. A system
 * without this file has no such choice either. */
static void be_the_first_to_go(void)
{
    static const char most[] = "1000";
    const int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    const ssize_t written = write(fd, most, sizeof most - 1);
    (void)written; /* refused: the kernel chooses by size then */
    (void)close(fd);
}

int sandbox_shed(int keep_fd)
{
    const unsigned keep = (unsigned)keep_fd;
    int result = close_from_to(STDERR_FILENO + 1, keep - 1);
    if (result == 0)
        result = close_from_to(keep + 1, ~0U);
    if (result < 0)
        return result;

    be_the_first_to_go(); /* while /proc/self is still ours */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return -errno;
    result = limit(RLIMIT_CORE, 0);
    if (result < 0 || UNDER_SANITIZER) /* which maps terabytes of shadow and traces itself to find leaks */
        return result;
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return -errno;
    result = limit(RLIMIT_DATA, DATA_MAX_BYTES);
    return result < 0 ? result : limit(RLIMIT_NPROC, 0);
}

static int add_plain(scmp_filter_ctx filter)
{
    static const int allowed[] = {
        /* pictures in (descriptors that are open already), time */
        SCMP_SYS(read), SCMP_SYS(pread64), SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(ppoll_time64),
        SCMP_SYS(clock_gettime), SCMP_SYS(clock_gettime64), SCMP_SYS(clock_nanosleep),
        SCMP_SYS(clock_nanosleep_time64), SCMP_SYS(gettimeofday), SCMP_SYS(restart_syscall),
        /* memory; mmap and mprotect have rules of their own */
        SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(brk), SCMP_SYS(madvise), SCMP_SYS(futex), SCMP_SYS(futex_time64),
        SCMP_SYS(getrandom), SCMP_SYS(sysinfo), /* glibc's qsort asks how much memory there is */
        /* the end: SIGTERM, abort() and exit() */
        SCMP_SYS(rt_sigpending), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigreturn),
        SCMP_SYS(sigreturn), SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(close), SCMP_SYS(exit),
        SCMP_SYS(exit_group),
    };
    int result = 0;
    for (size_t i = 0; result == 0 && i < sizeof allowed / sizeof *allowed; i++)
        result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
    return result;
}

static int add_bounded(scmp_filter_ctx filter, int link_fd)
{
    const struct {
        int number;
        struct scmp_arg_cmp bound;
    } allowed[] = {
        {SCMP_SYS(mmap), SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)},
        {SCMP_SYS(mmap2), SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)},
        {SCMP_SYS(mprotect), SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)},
        {SCMP_SYS(sendto), SCMP_A0(SCMP_CMP_MASKED_EQ, INT_ARGUMENT, (scmp_datum_t)link_fd)},
        {SCMP_SYS(write), SCMP_A0(SCMP_CMP_MASKED_EQ, INT_ARGUMENT, STDERR_FILENO)},
        {SCMP_SYS(writev), SCMP_A0(SCMP_CMP_MASKED_EQ, INT_ARGUMENT, STDERR_FILENO)},
        {SCMP_SYS(tgkill), SCMP_A0(SCMP_CMP_MASKED_EQ, INT_ARGUMENT, (scmp_datum_t)getpid())}, /* abort() */
    };
    int result = 0;
    for (size_t i = 0; result == 0 && i < sizeof allowed / sizeof *allowed; i++)
        result = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, allowed[i].number, 1, &allowed[i].bound);
    return result;
}

/* A library that looks for a file of its own (a character set, a locale) can do without it: with a real camera an
 * open for reading fails instead of killing. An open for writing has no rule, and kills. */
static int add_files(scmp_filter_ctx filter, bool reads_files)
{
    const uint32_t opening = reads_files ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(EACCES);
    const scmp_datum_t other_flags = INT_ARGUMENT & ~(scmp_datum_t)OPEN_HARMLESS;
    const struct scmp_arg_cmp at_flags = SCMP_A2(SCMP_CMP_MASKED_EQ, other_flags, 0);
    const struct scmp_arg_cmp flags = SCMP_A1(SCMP_CMP_MASKED_EQ, other_flags, 0);
    int result = seccomp_rule_add_array(filter, opening, SCMP_SYS(openat), 1, &at_flags);
    if (result == 0)
        result = seccomp_rule_add_array(filter, opening, SCMP_SYS(open), 1, &flags);

    static const int about_files[] = {SCMP_SYS(fstat), SCMP_SYS(fstat64), SCMP_SYS(newfstatat), SCMP_SYS(fstatat64),
                                      SCMP_SYS(statx), SCMP_SYS(lseek),   SCMP_SYS(_llseek),    SCMP_SYS(getdents64)};
    for (size_t i = 0; result == 0 && i < sizeof about_files / sizeof *about_files; i++)
        result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, about_files[i], 0);
    if (result == 0 && !reads_files) {
        const struct scmp_arg_cmp video = SCMP_A1(SCMP_CMP_MASKED_EQ, IOCTL_TYPE_MASK, IOCTL_TYPE_VIDEO);
        result = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1, &video);
    }
    return result;
}

int sandbox_enter(int link_fd, bool reads_files)
{
    if (UNDER_SANITIZER)
        return -ENOTSUP;
    if (prctl(PR_GET_SECCOMP, 0, 0, 0, 0) < 0 && errno == EINVAL)
        return -ENOSYS;

    const scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    if (!filter)
        return -ENOMEM;
    int result = add_plain(filter);
    if (result == 0)
        result = add_bounded(filter, link_fd);
    if (result == 0)
        result = add_files(filter, reads_files);
    if (result == 0)
        result = seccomp_load(filter);
    seccomp_release(filter);
    return result;
}
