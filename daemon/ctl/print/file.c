/* Writing beside, then into its place. */
#include "daemon/ctl/print/file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { PATH_BYTES = 1024 };

static int write_and_sync(FILE *out, print_write *write_it, void *userdata)
{
    int error = write_it(out, userdata);
    if (error == 0 && fflush(out) != 0)
        error = -errno;
    if (error == 0 && fsync(fileno(out)) < 0)
        error = -errno;
    if (fclose(out) != 0 && error == 0)
        error = -errno;
    return error;
}

int print_file(const char *path, print_write *write_it, void *userdata)
{
    char other[PATH_BYTES];
    const int chars = snprintf(other, sizeof(other), "%s.qrgate-new", path);
    if (chars < 0 || (size_t)chars >= sizeof(other))
        return -ENAMETOOLONG;
    (void)unlink(other); /* of a run that was cut short */
    const int fd = open(other, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    FILE *out = fdopen(fd, "w");
    int error = out ? write_and_sync(out, write_it, userdata) : -errno;
    if (!out)
        (void)close(fd);
    if (error == 0 && rename(other, path) < 0)
        error = -errno;
    if (error < 0)
        (void)unlink(other); /* ours, and not whole */
    return error;
}
