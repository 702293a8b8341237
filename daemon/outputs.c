/* The outputs that qrgate-safe has to drive inactive, out of the daemon's hands into a file and back. */
#include "daemon/outputs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PATH_BYTES = 4096 };

static const char *const levels[] = {"active_high", "active_low"}; /* by active_low */

static bool name_fits(const char *name, size_t bytes)
{
    if (bytes == 0 || bytes >= LINE_NAME_BYTES)
        return false;
    for (size_t i = 0; i < bytes; i++)
        if ((unsigned char)name[i] < ' ' || name[i] == 0x7f)
            return false;
    return true;
}

static size_t print_head(int line, bool active_low, char *ret_text, size_t text_bytes)
{
    return (size_t)snprintf(ret_text, text_bytes, "%s %s ", line_out_name((enum line_out)line), levels[active_low]);
}

int outputs_print(const struct line_settings out[LINE_OUT_COUNT], char ret_text[OUTPUTS_TEXT_BYTES])
{
    size_t used = 0;
    for (int i = 0; i < LINE_OUT_COUNT; i++) {
        const size_t bytes = strnlen(out[i].name, LINE_NAME_BYTES);
        if (bytes == 0)
            continue;
        if (!name_fits(out[i].name, bytes))
            return -EINVAL;
        used += print_head(i, out[i].active_low, ret_text + used, OUTPUTS_TEXT_BYTES - used);
        memcpy(ret_text + used, out[i].name, bytes);
        used += bytes;
        ret_text[used++] = '\n';
    }
    return (int)used;
}

static bool take_line(const char *line, size_t bytes, struct line_settings ret[LINE_OUT_COUNT])
{
    for (int i = 0; i < 2 * LINE_OUT_COUNT; i++) {
        struct line_settings *out = &ret[i / 2];
        char head[64];
        const size_t head_bytes = print_head(i / 2, i % 2, head, sizeof head);
        if (bytes < head_bytes || memcmp(line, head, head_bytes) != 0)
            continue;
        if (out->name[0] != '\0' || !name_fits(line + head_bytes, bytes - head_bytes))
            return false;
        memcpy(out->name, line + head_bytes, bytes - head_bytes);
        out->active_low = i % 2;
        return true;
    }
    return false;
}

int outputs_parse(const char *text, size_t length_bytes, struct line_settings ret[LINE_OUT_COUNT])
{
    const char *line = text, *const end = text + length_bytes;
    memset(ret, 0, LINE_OUT_COUNT * sizeof *ret);
    while (line < end) {
        const char *line_end = memchr(line, '\n', (size_t)(end - line));
        if (line_end == NULL || !take_line(line, (size_t)(line_end - line), ret)) {
            memset(ret, 0, LINE_OUT_COUNT * sizeof *ret);
            return -EBADMSG;
        }
        line = line_end + 1;
    }
    return 0;
}

/* ---- the file ---------------------------------------------------------------------------------------------------- */

static int path_of(const char *folders, const char *name, char ret_path[PATH_BYTES])
{
    const int folder_bytes = folders != NULL ? (int)strcspn(folders, ":") : 0;
    if (folder_bytes == 0)
        return -ENOENT;
    return snprintf(ret_path, PATH_BYTES, "%.*s/%s", folder_bytes, folders, name) < PATH_BYTES ? 0 : -ENAMETOOLONG;
}

static int write_file(const char *path, const char *text, size_t bytes)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (fd < 0)
        return -errno;
    const ssize_t written = write(fd, text, bytes);
    int r = written == (ssize_t)bytes ? 0 : written < 0 ? -errno : -ENOSPC;
    if (close(fd) != 0 && r == 0)
        r = -errno;
    return r;
}

int outputs_keep(const char *folders, const struct line_settings out[LINE_OUT_COUNT])
{
    char fresh[PATH_BYTES], path[PATH_BYTES], text[OUTPUTS_TEXT_BYTES];
    int r = path_of(folders, "outputs.new", fresh);
    if (r == -ENOENT)
        return 0;
    const int bytes = outputs_print(out, text);
    if (r == 0)
        r = path_of(folders, "outputs", path);
    if (r == 0)
        r = bytes < 0 ? bytes : write_file(fresh, text, (size_t)bytes);
    if (r == 0 && rename(fresh, path) != 0)
        r = -errno;
    return r;
}

int outputs_kept(const char *folders, struct line_settings ret[LINE_OUT_COUNT])
{
    char path[PATH_BYTES], text[OUTPUTS_TEXT_BYTES + 1];
    memset(ret, 0, LINE_OUT_COUNT * sizeof *ret);
    int r = path_of(folders, "outputs", path);
    if (r < 0)
        return r;
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return -errno;
    const ssize_t got = read(fd, text, sizeof text); /* in one piece: it is small, and a file */
    r = got < 0 ? -errno : got == sizeof text ? -EBADMSG : outputs_parse(text, (size_t)got, ret);
    (void)close(fd); /* it was only read */
    return r;
}
