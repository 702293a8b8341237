/* The text file of one Ed25519 key, read line by line with file:line in every complaint. Start-up and qrgatectl only.
 */
#include "daemon/settings/key_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/credential/utf8.h"

enum { LINE_MAX_BYTES = 512, LINES_MAX = 200 };

struct reading {
    const char *path;
    int line;
    bool secret;
    FILE *errors;
    int mistakes;
    bool has_kid, has_issuer, has_key;
    struct key_file *key;
};

bool key_file_kid_valid(const char *kid)
{
    const size_t length = strlen(kid);
    return length > 0 && length <= CREDENTIAL_KID_MAX_BYTES &&
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
    const char *hint = "allowed are kid, issuer and ed25519";
    if (reading->secret)
        hint = strcmp(name, "ed25519") == 0 ? "this is the public file; give the secret one (ed25519-secret)"
                                            : "allowed are kid, issuer and ed25519-secret";
    else if (strcmp(name, "ed25519-secret") == 0)
        hint = "this is a SECRET key: take it out of here; the public file made with it belongs here";
    (void)fprintf(reading->errors, "%s:%d: '%.40s': %s\n", reading->path, reading->line, name, hint);
    reading->mistakes++;
}

static void take_kid(struct reading *reading, const char *value)
{
    if (reading->has_kid)
        complain(reading, "a second kid; one is allowed");
    else if (!key_file_kid_valid(value))
        complain(reading, "kid: allowed are 1 to 16 of A-Z a-z 0-9 . _ -");
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
    if (strcmp(line, "kid") == 0)
        take_kid(reading, value);
    else if (strcmp(line, "issuer") == 0)
        take_issuer(reading, value);
    else if (strcmp(line, reading->secret ? "ed25519-secret" : "ed25519") == 0)
        take_key(reading, value);
    else
        complain_name(reading, line);
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
    while (reading.line < LINES_MAX && fgets(line, sizeof(line), file)) {
        reading.line++;
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

int key_file_write(const char *path, bool secret, const struct key_file *key)
{
    char hex[2 * KEY_FILE_KEY_BYTES + 1], text[LINE_MAX_BYTES];
    int error = 0;
    (void)sodium_bin2hex(hex, sizeof(hex), key->key, sizeof(key->key));
    const int length = snprintf(text, sizeof(text), "# qrgate %s key (Ed25519)%s\nkid: %s\nissuer: %s\n%s: %s\n",
                                secret ? "SECRET" : "public", secret ? ": whoever has it can sign passes" : "",
                                key->kid, key->issuer, secret ? "ed25519-secret" : "ed25519", hex);
    if (length < 0 || (size_t)length >= sizeof(text)) {
        error = -EMSGSIZE;
        goto end;
    }
    const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, secret ? 0600 : 0644);
    if (fd < 0) {
        error = -errno;
        goto end;
    }
    const ssize_t written = write(fd, text, (size_t)length);
    if (written != length)
        error = written < 0 ? -errno : -ENOSPC;
    if (error == 0 && fsync(fd) < 0)
        error = -errno;
    if (close(fd) < 0 && error == 0)
        error = -errno;
    if (error < 0)
        (void)unlink(path); /* ours, and of no use */
end:
    sodium_memzero(hex, sizeof(hex));
    sodium_memzero(text, sizeof(text));
    return error;
}
