/* The folder of a file, waited for. Called where a file was just made or took another's place, on the caller's thread. */
#include "daemon/settings/folder_sync.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PATH_BYTES = 1024 };

int folder_sync(const char *path)
{
    char folder[PATH_BYTES];
    const char *slash = strrchr(path, '/');
    const int length =
        snprintf(folder, sizeof(folder), "%.*s", slash ? (int)(slash - path) + 1 : 1, slash ? path : ".");
    if (length < 0 || (size_t)length >= sizeof(folder))
        return -ENAMETOOLONG;
    const int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    const int error = fsync(fd) < 0 && errno != EINVAL ? -errno : 0; /* EINVAL: this file system needs no such thing */
    (void)close(fd); /* only read */
    return error;
}
