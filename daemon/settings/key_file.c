/* The text file of one Ed25519 key, read line by line with file:line in every complaint. Start-up, reload and qrgatectl.
 */
#include "daemon/settings/key_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/credential/utf8.h"
#include "daemon/decision/time_text.h"
#include "daemon/settings/folder_sync.h"

enum { LINE_MAX_BYTES = 512, LINES_MAX = 200 /* as the complaint says */, TEXT_MAX_BYTES = LINE_MAX_BYTES * LINES_MAX };
enum { PATH_BYTES = 1024, DATE_CHARS = 10 };

struct reading {
    const char *path;
    int line;
    bool secret;
    FILE *errors;
    int mistakes;
    bool has_kid, has_issuer, has_key, has_from, has_until;
    struct key_file *key;
};

bool key_file_is_public_name(const char *name)
{
    const size_t length = strlen(name), ending = strlen(".pub");
    return name[0] != '.' && length > ending && strcasecmp(name + length - ending, ".pub") == 0;
}

bool key_file_kid_valid(const char *kid)
{
    const size_t length = strlen(kid);
    return length > 0 && length <= CREDENTIAL_KID_MAX_BYTES && kid[0] != '.' &&
           strspn(kid, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") == length;
}

bool key_file_issuer_valid(const char *issuer)
{
    const size_t length = strlen(issuer);
    return length < CREDENTIAL_ISSUER_BYTES && utf8_plain((const uint8_t *)issuer, length);
}

static void complain(struct reading *reading, const char *what)
{
    (void)fprintf(reading->errors, "%s:%d: %s\n", reading->path, reading->line, what);
    reading->mistakes++;
}

static void complain_name(struct reading *reading, const char *name)
{
    const char *hint = "allowed are kid, issuer, from, until and ed25519";
    if (reading->secret)
        hint = strcmp(name, "ed25519") == 0 ? "this is the public file; give the secret one (ed25519-secret)"
                                            : "allowed are kid, issuer, from, until and ed25519-secret";
    else if (strcmp(name, "ed25519-secret") == 0)
        hint = "this is a SECRET key: take it out of here; the public file made with it belongs here";
    (void)fprintf(reading->errors, "%s:%d: '%.40s': %s\n", reading->path, reading->line,
                  utf8_plain((const uint8_t *)name, strlen(name)) ? name : "?", hint);
    reading->mistakes++;
}

static void take_kid(struct reading *reading, const char *value)
{
    if (reading->has_kid)
        complain(reading, "a second kid; one is allowed");
    else if (!key_file_kid_valid(value))
        complain(reading, "kid: allowed are 1 to 16 of A-Z a-z 0-9 . _ -, no dot first");
    else
        (void)strcpy(reading->key->kid, value); /* length checked above */
    reading->has_kid = true;
}

static void take_issuer(struct reading *reading, const char *value)
{
    if (reading->has_issuer)
        complain(reading, "a second issuer; one is allowed");
    else if (!key_file_issuer_valid(value))
        complain(reading, "issuer: allowed is UTF-8 text of up to 63 bytes");
    else
        (void)strcpy(reading->key->issuer, value); /* length checked above */
    reading->has_issuer = true;
}

static void take_key(struct reading *reading, const char *value)
{
    uint8_t *key = reading->key->key;
    size_t bytes = 0;
    const char *end = NULL;
    if (reading->has_key)
        complain(reading, "a second key; one file holds one key");
    else if (strlen(value) != 2 * KEY_FILE_KEY_BYTES ||
             sodium_hex2bin(key, KEY_FILE_KEY_BYTES, value, 2 * KEY_FILE_KEY_BYTES, NULL, &bytes, &end) != 0 ||
             bytes != KEY_FILE_KEY_BYTES)
        complain(reading, "the key must be exactly 64 hexadecimal digits");
    else if (!reading->secret && !crypto_core_ed25519_is_valid_point(key))
        complain(reading, "these 64 digits are no Ed25519 public key; copy the file again from where it was made");
    reading->has_key = true;
}

/* A bare date means the whole day: `until: 2026-12-31` is good on New Year's Eve. */
static bool read_time(const char *text, bool is_until, int64_t *ret_s)
{
    char whole[DATE_CHARS + sizeof("T00:00:00Z")];
    const size_t length = strlen(text);
    bool local = false;
    if (length == DATE_CHARS && strspn(text, "0123456789") == 4) { /* more digits are Unix seconds */
        (void)snprintf(whole, sizeof(whole), "%sT%sZ", text, is_until ? "23:59:59" : "00:00:00");
        return time_text_read(whole, strlen(whole), ret_s, NULL);
    }
    return time_text_read_typed(text, length, ret_s, &local) && !local;
}

static void take_time(struct reading *reading, const char *value, bool is_until)
{
    bool *has = is_until ? &reading->has_until : &reading->has_from;
    int64_t *at_s = is_until ? &reading->key->until_s : &reading->key->from_s;
    if (*has)
        complain(reading, is_until ? "a second until; one is allowed" : "a second from; one is allowed");
    else if (!read_time(value, is_until, at_s))
        complain(reading,
                 "from and until: allowed are 2026-01-31, 2026-01-31T08:30:00Z or Unix seconds, from 2000 to 2200");
    else if (reading->key->from_s != 0 && reading->key->until_s != 0 && reading->key->until_s < reading->key->from_s)
        complain(reading, "until is before from: such a key is never good; to be rid of a key, remove its file");
    *has = true;
}

static void take_value(struct reading *reading, const char *name, const char *value)
{
    if (strcmp(name, "kid") == 0)
        take_kid(reading, value);
    else if (strcmp(name, "issuer") == 0)
        take_issuer(reading, value);
    else if (strcmp(name, "from") == 0)
        take_time(reading, value, false);
    else if (strcmp(name, "until") == 0)
        take_time(reading, value, true);
    else if (strcmp(name, reading->secret ? "ed25519-secret" : "ed25519") == 0)
        take_key(reading, value);
    else
        complain_name(reading, name);
}

static void take_line(struct reading *reading, char *line)
{
    line[strcspn(line, "\r\n")] = '\0';
    line += strspn(line, " \t");
    if (line[0] == '\0' || line[0] == '#')
        return;
    char *colon = strchr(line, ':');
    if (!colon) {
        complain(reading, "a line must be NAME: VALUE, or begin with #");
        return;
    }
    *colon = '\0';
    char *value = colon + 1 + strspn(colon + 1, " \t");
    for (size_t length = strlen(value); length > 0 && (value[length - 1] == ' ' || value[length - 1] == '\t'); length--)
        value[length - 1] = '\0';
    take_value(reading, line, value);
}

int key_file_read(const char *path, bool secret, struct key_file *ret, FILE *errors)
{
    struct reading reading = { .path = path, .secret = secret, .errors = errors, .key = ret };
    char line[LINE_MAX_BYTES];
    struct stat status;
    int error = 0;

    *ret = (struct key_file){ 0 };
    if (sodium_init() < 0)
        return -EIO;
    FILE *file = fopen(path, "re");
    if (!file || fstat(fileno(file), &status) < 0) {
        error = -errno;
        (void)fprintf(errors, "%s: can't be read: %s\n", path, strerror(-error));
        goto end;
    }
    if (!S_ISREG(status.st_mode)) {
        (void)fprintf(errors, "%s: isn't a file\n", path);
        error = -EINVAL;
        goto end;
    }
    if (secret && (status.st_mode & 077) != 0) {
        (void)fprintf(errors, "%s: others may read this secret key; chmod 600 it, and think of it as known\n", path);
        error = -EPERM;
        goto end;
    }
    while (fgets(line, sizeof(line), file)) {
        if (++reading.line > LINES_MAX) {
            complain(&reading, "too many lines; up to 200 are allowed");
            break;
        }
        if (!strchr(line, '\n') && !feof(file)) {
            complain(&reading, "the line is too long");
            break;
        }
        take_line(&reading, line);
    }
    if (ferror(file)) {
        (void)fprintf(errors, "%s: can't be read\n", path);
        error = -EIO;
        goto end;
    }
    if (reading.mistakes == 0 && (!reading.has_kid || !reading.has_key))
        complain(&reading, !reading.has_kid ? "the line `kid: …` is missing"
                           : secret         ? "the line `ed25519-secret: …` is missing"
                                            : "the line `ed25519: …` is missing");
    if (reading.mistakes > 0)
        error = -EINVAL;
end:
    if (file)
        (void)fclose(file); /* only read */
    sodium_memzero(line, sizeof(line));
    if (error < 0)
        sodium_memzero(ret, sizeof(*ret));
    return error;
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

/* A file while it is written: beside the one it becomes, so that no lane that starts right now reads half a key, and
 * not ending in .pub, so that it reads nothing of it at all. */
struct placing {
    const char *path;
    char other[PATH_BYTES];
    mode_t mode;
    const struct stat *like; /* takes its owner; NULL: ours */
    bool replace;
};

static int write_other(const struct placing *placing, const char *text, size_t length)
{
    int error = 0;
    const int fd = open(placing->other, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    const ssize_t written = write(fd, text, length);
    if (written < 0)
        error = -errno;
    else if ((size_t)written != length)
        error = -ENOSPC;
    else if (placing->like && fchown(fd, placing->like->st_uid, placing->like->st_gid) < 0)
        error = -errno;
    else if (fchmod(fd, placing->mode) < 0 || fsync(fd) < 0)
        error = -errno;
    if (close(fd) < 0 && error == 0)
        error = -errno;
    return error;
}

/* Memory cards and other plain file systems can't refuse to replace by themselves: there we look first. */
static int rename_other(const struct placing *placing)
{
    if (placing->replace)
        return rename(placing->other, placing->path) < 0 ? -errno : 0;
    if (renameat2(AT_FDCWD, placing->other, AT_FDCWD, placing->path, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return -errno;
    struct stat status;
    if (lstat(placing->path, &status) == 0)
        return -EEXIST;
    return rename(placing->other, placing->path) < 0 ? -errno : 0;
}

static int put_in_place(struct placing *placing, const char *text, size_t length)
{
    const int chars = snprintf(placing->other, sizeof(placing->other), "%s.qrgate-new", placing->path);
    if (chars < 0 || (size_t)chars >= sizeof(placing->other))
        return -ENAMETOOLONG;
    (void)unlink(placing->other); /* of a run that was cut short */
    int error = write_other(placing, text, length);
    if (error == 0)
        error = rename_other(placing);
    if (error < 0)
        (void)unlink(placing->other); /* ours, and of no use */
    return error == 0 ? folder_sync(placing->path) : error;
}

static const char *put_time(const char *name, int64_t at_s, char *line, size_t line_bytes)
{
    char when[TIME_TEXT_BYTES];
    line[0] = '\0';
    if (at_s != 0)
        (void)snprintf(line, line_bytes, "%s: %s\n", name, time_text_write(at_s, when));
    return line;
}

int key_file_write(const char *path, bool secret, const struct key_file *key)
{
    struct placing placing = { .path = path, .mode = secret ? 0600 : 0644 };
    char hex[2 * KEY_FILE_KEY_BYTES + 1], from[64], until[64], text[LINE_MAX_BYTES];
    (void)sodium_bin2hex(hex, sizeof(hex), key->key, sizeof(key->key));
    const int length =
        snprintf(text, sizeof(text), "# qrgate %s key (Ed25519)%s\nkid: %s\nissuer: %s\n%s: %s\n%s%s",
                 secret ? "SECRET" : "public", secret ? ": whoever has it can sign passes" : "", key->kid, key->issuer,
                 secret ? "ed25519-secret" : "ed25519", hex, put_time("from", key->from_s, from, sizeof(from)),
                 put_time("until", key->until_s, until, sizeof(until)));
    const int error =
        length < 0 || (size_t)length >= sizeof(text) ? -EMSGSIZE : put_in_place(&placing, text, (size_t)length);
    sodium_memzero(hex, sizeof(hex));
    sodium_memzero(text, sizeof(text));
    return error;
}

/* Copies every line but `until`, and puts the new one at the end. The length, or negative errno. */
static int copy_with_until(FILE *from, int64_t until_s, char *text, size_t text_bytes)
{
    char line[LINE_MAX_BYTES], until[64];
    size_t used = 0;
    int lines = 1; /* the new one */
    while (fgets(line, sizeof(line), from)) {
        const size_t length = strlen(line);
        if (strncmp(line + strspn(line, " \t"), "until:", 6) == 0)
            continue;
        if (++lines > LINES_MAX || used + length + sizeof(until) + 1 > text_bytes)
            return -EFBIG;
        memcpy(text + used, line, length);
        used += length;
    }
    sodium_memzero(line, sizeof(line));
    if (ferror(from))
        return -EIO;
    if (used > 0 && text[used - 1] != '\n')
        text[used++] = '\n';
    const char *last = put_time("until", until_s, until, sizeof(until));
    memcpy(text + used, last, strlen(last));
    return (int)(used + strlen(last));
}

int key_file_set_until(const char *path, int64_t until_s)
{
    char text[TEXT_MAX_BYTES];
    struct stat status;
    int error;

    FILE *file = fopen(path, "re");
    if (!file || fstat(fileno(file), &status) < 0) {
        error = -errno;
    } else {
        struct placing placing = { .path = path, .mode = status.st_mode & 0777, .like = &status, .replace = true };
        error = copy_with_until(file, until_s, text, sizeof(text));
        if (error >= 0)
            error = put_in_place(&placing, text, (size_t)error);
    }
    if (file)
        (void)fclose(file); /* only read */
    sodium_memzero(text, sizeof(text)); /* it may be a secret one */
    return error;
}
