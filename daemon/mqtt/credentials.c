/* User name, password, and the reading of files that hold secrets. The line's thread, and --check-config. */
#include "daemon/mqtt/credentials.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINE_BYTES = 512, PATH_BYTES = 320 };

static const struct {
    mode_t refused;
    bool owner_counts;
    const char *remedy;
} rules[CREDENTIALS_FILE_COUNT] = {
    [CREDENTIALS_PUBLIC] = {002, false, "chmod 644 it"},
    [CREDENTIALS_OWN] = {077, true, "chmod 600 it, and change what it held"},
    [CREDENTIALS_GROUP] = {027, true, "chmod 640 it, and change what it held"},
    [CREDENTIALS_SYSTEMD] = {07, false, "let systemd's LoadCredential= make it"},
};

static int judge(const char *key, const char *path, enum credentials_file kind, const struct stat *file, char *why,
                 size_t why_bytes)
{
    if (!S_ISREG(file->st_mode)) {
        (void)snprintf(why, why_bytes, "%s \"%s\": not a plain file; name the file itself", key, path);
        return -EINVAL;
    }
    if ((file->st_mode & rules[kind].refused) != 0) {
        (void)snprintf(why, why_bytes, "%s \"%s\": others may read or change it (mode %03o); %s", key, path,
                       (unsigned)file->st_mode & 0777, rules[kind].remedy);
        return -EPERM;
    }
    /* To root, who checks the configuration for another user, all owners are alike. */
    if (rules[kind].owner_counts && file->st_uid != 0 && file->st_uid != geteuid() && geteuid() != 0) {
        (void)snprintf(why, why_bytes, "%s \"%s\": it belongs to user %u; chown it to the user of qrgated (%u)", key, path,
                       (unsigned)file->st_uid, (unsigned)geteuid());
        return -EPERM;
    }
    return 0;
}

/* All of it: -EFBIG when there is more. */
static ssize_t read_whole(int fd, char *ret, size_t ret_bytes)
{
    size_t used = 0;
    char more;
    ssize_t got = 1;
    while (got > 0) {
        got = used < ret_bytes ? read(fd, ret + used, ret_bytes - used) : read(fd, &more, 1);
        if (got < 0 && errno == EINTR)
            got = 1;
        else if (got < 0)
            return -errno;
        else if (got > 0 && used == ret_bytes)
            return -EFBIG;
        else
            used += (size_t)got;
    }
    return (ssize_t)used;
}

ssize_t credentials_read(const char *key, const char *path, enum credentials_file kind, char *ret, size_t ret_bytes, char *why,
                         size_t why_bytes)
{
    struct stat file;
    ssize_t length;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 || fstat(fd, &file) < 0) {
        length = -errno;
        (void)snprintf(why, why_bytes, "%s \"%s\": %s; %s", key, path, strerror((int)-length),
                       length == -EACCES ? "make it readable for the user of qrgated" : "put it there, or change the key");
    } else {
        length = judge(key, path, kind, &file, why, why_bytes);
        if (length == 0) {
            length = read_whole(fd, ret, ret_bytes);
            if (length == -EFBIG)
                (void)snprintf(why, why_bytes, "%s \"%s\": longer than %zu bytes; is this the right file?", key, path, ret_bytes);
            else if (length < 0)
                (void)snprintf(why, why_bytes, "%s \"%s\": %s", key, path, strerror((int)-length));
        }
    }
    if (fd >= 0)
        (void)close(fd); /* it was only read */
    return length;
}

/* The first line, without its end. */
static int read_line(const char *key, const char *path, enum credentials_file kind, char *ret, size_t ret_bytes, char *why,
                     size_t why_bytes)
{
    char text[LINE_BYTES];
    int r = 0;
    ssize_t length = credentials_read(key, path, kind, text, sizeof text - 1, why, why_bytes);
    if (length < 0) {
        r = (int)length;
        goto end;
    }
    text[length] = '\0';
    size_t bytes = strcspn(text, "\r\n");
    if (bytes == 0 || bytes >= ret_bytes || (bytes < (size_t)length && text[bytes] == '\0')) {
        r = -EINVAL;
        (void)snprintf(why, why_bytes, "%s \"%s\": its first line must be 1 to %zu bytes, none of them NUL", key, path,
                       ret_bytes - 1);
        goto end;
    }
    memcpy(ret, text, bytes);
    ret[bytes] = '\0';
end:
    explicit_bzero(text, sizeof text);
    return r;
}

/* What systemd was told to hand over; that it wasn't is no mistake. */
static int read_systemd(const char *folder, const char *name, char *ret, size_t ret_bytes, char *why, size_t why_bytes)
{
    char path[PATH_BYTES];
    int r;
    if (folder[0] == '\0' || (size_t)snprintf(path, sizeof path, "%s/%s", folder, name) >= sizeof path)
        return 0;
    r = read_line("systemd credential", path, CREDENTIALS_SYSTEMD, ret, ret_bytes, why, why_bytes);
    return r == -ENOENT ? 0 : r;
}

int credentials_load(const struct mqtt_settings *settings, const char *folder, struct credentials *ret, char *why,
                     size_t why_bytes)
{
    int r = 0;
    memset(ret, 0, sizeof *ret);
    if (settings->username[0] != '\0')
        (void)snprintf(ret->username, sizeof ret->username, "%s", settings->username);
    else
        r = read_systemd(folder, "mqtt-username", ret->username, sizeof ret->username, why, why_bytes);
    if (r == 0 && settings->password_file[0] != '\0')
        r = read_line("mqtt.password_file", settings->password_file, CREDENTIALS_OWN, ret->password, sizeof ret->password, why,
                      why_bytes);
    else if (r == 0)
        r = read_systemd(folder, "mqtt-password", ret->password, sizeof ret->password, why, why_bytes);
    if (r < 0)
        credentials_wipe(ret);
    return r;
}

void credentials_wipe(struct credentials *credentials)
{
    explicit_bzero(credentials, sizeof *credentials);
}
