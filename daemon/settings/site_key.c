/* The site's secret key: load and make. Start-up, reload and qrgatectl. */
#include "daemon/settings/site_key.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HEX_DIGITS = 2 * SITE_KEY_BYTES };

static int parse(const char *text, size_t length, uint8_t ret_key[SITE_KEY_BYTES])
{
    size_t bytes = 0;
    const char *end = NULL;
    if (length == HEX_DIGITS + 2 && text[HEX_DIGITS] == '\r') /* written by an editor on another system */
        length = text[HEX_DIGITS + 1] == '\n' ? HEX_DIGITS + 1 : 0;
    if ((length != HEX_DIGITS && length != HEX_DIGITS + 1) ||
        (length == HEX_DIGITS + 1 && !strchr("\r\n", text[HEX_DIGITS])))
        return -EINVAL;
    return sodium_hex2bin(ret_key, SITE_KEY_BYTES, text, HEX_DIGITS, NULL, &bytes, &end) == 0 && bytes == SITE_KEY_BYTES
               ? 0
               : -EINVAL;
}

int site_key_load(const char *path, uint8_t ret_key[SITE_KEY_BYTES], char *why, size_t why_bytes)
{
    char text[HEX_DIGITS + 4];
    struct stat status;
    int error = 0;

    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) < 0) {
        error = -errno;
        (void)snprintf(why, why_bytes, "%s: the site key can't be read: %s%s", path, strerror(-error),
                       error == -ENOENT ? "; make one with `qrgatectl key site`, or copy that of the site's other lanes"
                                        : "");
        goto end;
    }
    if ((status.st_mode & 07) != 0) {
        error = -EPERM;
        (void)snprintf(why, why_bytes,
                       "%s: everybody may read the site key; chmod 640 it (and give it to the group of qrgate)", path);
        goto end;
    }
    const ssize_t length = read(fd, text, sizeof(text));
    if (length < 0) {
        error = -errno;
        (void)snprintf(why, why_bytes, "%s: the site key can't be read: %s", path, strerror(-error));
    } else if (parse(text, (size_t)length, ret_key) < 0) {
        error = -EINVAL;
        (void)snprintf(why, why_bytes,
                       "%s: a site key is one line of 64 hexadecimal digits; copy it again from another lane", path);
    }
end:
    if (fd >= 0)
        (void)close(fd); /* only read */
    sodium_memzero(text, sizeof(text));
    if (error < 0)
        sodium_memzero(ret_key, SITE_KEY_BYTES);
    return error;
}

int site_key_create(const char *path, char *why, size_t why_bytes)
{
    uint8_t key[SITE_KEY_BYTES];
    char text[HEX_DIGITS + 2];
    int fd = -1, error = 0;

    if (getrandom(key, sizeof(key), 0) != (ssize_t)sizeof(key)) { /* up to 256 bytes it is all or an error */
        error = -errno;
        goto end;
    }
    (void)sodium_bin2hex(text, sizeof(text), key, sizeof(key));
    text[HEX_DIGITS] = '\n';
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        error = -errno;
        goto end;
    }
    const ssize_t written = write(fd, text, HEX_DIGITS + 1);
    if (written != HEX_DIGITS + 1)
        error = written < 0 ? -errno : -ENOSPC;
    if (error == 0 && fsync(fd) < 0)
        error = -errno;
    if (close(fd) < 0 && error == 0)
        error = -errno;
    if (error < 0)
        (void)unlink(path); /* ours, and not whole */
end:
    if (error < 0)
        (void)snprintf(why, why_bytes, "%s: the site key can't be made: %s%s", path, strerror(-error),
                       error == -EEXIST ? "; it is never overwritten, since the register would match nobody any more"
                                        : "");
    sodium_memzero(key, sizeof(key));
    sodium_memzero(text, sizeof(text));
    return error;
}
