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

#include "daemon/decision/time_text.h"
#include "daemon/settings/folder_sync.h"

enum { HEX_DIGITS = 2 * SITE_KEY_BYTES, FILE_MAX_BYTES = 256, PATH_BYTES = 1024 };
#define OLD "old "
#define UNTIL " until "

static bool parse_hex(const char *text, uint8_t ret_key[SITE_KEY_BYTES])
{
    size_t bytes = 0;
    const char *end = NULL;
    return sodium_hex2bin(ret_key, SITE_KEY_BYTES, text, HEX_DIGITS, NULL, &bytes, &end) == 0 && bytes == SITE_KEY_BYTES;
}

/* The line's length without its end, and where the next one begins; the file may be of an editor on another system. */
static size_t take_line(const char **at, const char *end)
{
    const char *line = *at, *next = memchr(line, '\n', (size_t)(end - line));
    size_t length = (size_t)((next ? next : end) - line);
    *at = next ? next + 1 : end;
    if (length > 0 && line[length - 1] == '\r')
        length--;
    return length;
}

static bool parse_old(const char *line, size_t length, struct site_keys *ret)
{
    const size_t before = strlen(OLD) + HEX_DIGITS, time_at = before + strlen(UNTIL);
    ret->has_old = length > time_at && memcmp(line, OLD, strlen(OLD)) == 0 &&
                   memcmp(line + before, UNTIL, strlen(UNTIL)) == 0 && parse_hex(line + strlen(OLD), ret->old) &&
                   time_text_read(line + time_at, length - time_at, &ret->old_until_s, NULL);
    return ret->has_old;
}

int site_keys_read(const char *text, size_t length_bytes, struct site_keys *ret)
{
    const char *at = text, *end = text + length_bytes;
    *ret = (struct site_keys){ .has_old = false };
    if (take_line(&at, end) != HEX_DIGITS || !parse_hex(text, ret->current))
        return -EINVAL;
    if (at == end)
        return 0;
    const char *line = at;
    const size_t length = take_line(&at, end);
    return parse_old(line, length, ret) && at == end ? 0 : -EINVAL;
}

int site_keys_load(const char *path, struct site_keys *ret, char *why, size_t why_bytes)
{
    char text[FILE_MAX_BYTES];
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
    } else if (site_keys_read(text, (size_t)length, ret) < 0) {
        error = -EINVAL;
        (void)snprintf(why, why_bytes,
                       "%s: a site key is one line of 64 hexadecimal digits, and while it is being replaced a second one: "
                       "old KEY until 2026-01-31T00:00:00Z; copy it again from another lane", path);
    }
end:
    if (fd >= 0)
        (void)close(fd); /* only read */
    sodium_memzero(text, sizeof(text));
    if (error < 0)
        sodium_memzero(ret, sizeof(*ret));
    return error;
}

int site_key_load(const char *path, uint8_t ret_key[SITE_KEY_BYTES], char *why, size_t why_bytes)
{
    struct site_keys keys;
    const int error = site_keys_load(path, &keys, why, why_bytes);
    memcpy(ret_key, keys.current, SITE_KEY_BYTES); /* zeros after an error */
    sodium_memzero(&keys, sizeof(keys));
    return error;
}

/* ---- replacing --------------------------------------------------------------------------------------------------- */

static size_t write_text(const struct site_keys *keys, char ret_text[FILE_MAX_BYTES])
{
    char current[HEX_DIGITS + 1], old[HEX_DIGITS + 1], when[TIME_TEXT_BYTES];
    (void)sodium_bin2hex(current, sizeof(current), keys->current, SITE_KEY_BYTES);
    (void)sodium_bin2hex(old, sizeof(old), keys->old, SITE_KEY_BYTES);
    const int length = keys->has_old ? snprintf(ret_text, FILE_MAX_BYTES, "%s\n" OLD "%s" UNTIL "%s\n", current, old,
                                                time_text_write(keys->old_until_s, when))
                                     : snprintf(ret_text, FILE_MAX_BYTES, "%s\n", current);
    sodium_memzero(current, sizeof(current));
    sodium_memzero(old, sizeof(old));
    return (size_t)length; /* fits: both keys, a time and the words */
}

static int write_all(int fd, const char *text, size_t length)
{
    const ssize_t written = pwrite(fd, text, length, 0);
    return written < 0 ? -errno : (size_t)written != length ? -ENOSPC : fsync(fd) < 0 ? -errno : 0;
}

/* The new file beside the old one, `was`, then in its place. */
static int put_in_place(const char *path, const struct stat *was, const char *text, size_t length)
{
    char other[PATH_BYTES];
    const int chars = snprintf(other, sizeof(other), "%s.new", path);
    if (chars < 0 || (size_t)chars >= sizeof(other))
        return -ENAMETOOLONG;
    (void)unlink(other); /* of a run that was cut short */
    const int fd = open(other, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    int error = write_all(fd, text, length);
    if (error == 0 && geteuid() == 0 && fchown(fd, was->st_uid, was->st_gid) < 0)
        error = -errno;
    if (error == 0 && fchmod(fd, was->st_mode & 0770) < 0)
        error = -errno;
    if (close(fd) < 0 && error == 0)
        error = -errno;
    if (error == 0 && rename(other, path) < 0)
        error = -errno;
    if (error < 0)
        (void)unlink(other); /* ours, and of no use */
    return error;
}

int site_keys_replace(const char *path, const struct site_keys *keys, char *why, size_t why_bytes)
{
    char text[FILE_MAX_BYTES], zeros[FILE_MAX_BYTES] = "";
    struct stat was;
    int error = 0, left = 0;
    const int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || fstat(fd, &was) < 0)
        error = -errno;
    if (error == 0) {
        const size_t length = write_text(keys, text);
        error = put_in_place(path, &was, text, length);
    }
    if (error == 0) /* before the old bytes go: after a power cut the name may lead to them again */
        left = folder_sync(path);
    if (error == 0 && left == 0) /* a disk may keep copies all the same, an SD card as a rule: qrgate-rules(7) says so */
        left = write_all(fd, zeros, (size_t)was.st_size < sizeof(zeros) ? (size_t)was.st_size : sizeof(zeros));
    if (fd >= 0)
        (void)close(fd); /* written and synced */
    sodium_memzero(text, sizeof(text));
    if (error < 0)
        (void)snprintf(why, why_bytes, "%s: the site key can't be replaced: %s; run this as the file's owner or as root",
                       path, strerror(-error));
    else if (left < 0)
        (void)snprintf(why, why_bytes,
                       "%s: the new site key is in its place, but the old file couldn't be overwritten: %s; this disk may still "
                       "hold what was in it", path, strerror(-left));
    return error < 0 ? error : left < 0;
}

/* ---- making ------------------------------------------------------------------------------------------------------ */

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
    if (error == 0)
        error = folder_sync(path);
    if (error < 0)
        (void)unlink(path); /* ours, and not whole or not sure to stay */
end:
    if (error < 0)
        (void)snprintf(why, why_bytes, "%s: the site key can't be made: %s%s", path, strerror(-error),
                       error == -EEXIST ? "; it is never overwritten, since the register would match nobody any more"
                                        : "");
    sodium_memzero(key, sizeof(key));
    sodium_memzero(text, sizeof(text));
    return error;
}
