/* LD_PRELOAD: counts calls of malloc and its sisters, those made by the program's own code apart from those of its
 * libraries, into the shared file $QRG_ALLOCATIONS.PID (two uint64: own, all), which a test reads while the program runs. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static uint64_t nothing[2], *counts = nothing;
static uintptr_t own_begin, own_end;

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);

static int first_object(struct dl_phdr_info *info, size_t size, void *data)
{
    (void)size, (void)data;
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_LOAD && (info->dlpi_phdr[i].p_flags & PF_X)) {
            own_begin = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
            own_end = own_begin + info->dlpi_phdr[i].p_memsz;
        }
    return 1; /* the first is the program itself */
}

__attribute__((constructor)) static void begin(void)
{
    char path[512];
    const char *prefix = getenv("QRG_ALLOCATIONS");
    if (prefix == NULL)
        return;
    (void)snprintf(path, sizeof path, "%s.%d", prefix, (int)getpid());
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, sizeof nothing) != 0)
        abort();
    uint64_t *shared = mmap(NULL, sizeof nothing, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    (void)close(fd);
    if (shared == MAP_FAILED)
        abort();
    (void)dl_iterate_phdr(first_object, NULL);
    counts = shared;
}

static void count(const void *caller)
{
    uintptr_t at = (uintptr_t)caller;
    __atomic_fetch_add(&counts[1], 1, __ATOMIC_RELAXED);
    if (at >= own_begin && at < own_end)
        __atomic_fetch_add(&counts[0], 1, __ATOMIC_RELAXED);
}

void *malloc(size_t bytes)
{
    count(__builtin_return_address(0));
    return __libc_malloc(bytes);
}

void *calloc(size_t items, size_t bytes)
{
    count(__builtin_return_address(0));
    return __libc_calloc(items, bytes);
}

void *realloc(void *old, size_t bytes)
{
    count(__builtin_return_address(0));
    return __libc_realloc(old, bytes);
}
