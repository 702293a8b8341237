/* The folder of operators' public keys, each file with file:line in every complaint. Start-up and reload, on the caller's thread.
 * One bad file refuses all of them, as with the trust folder. */
#include "daemon/settings/operators.h"

#include <dirent.h>
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/credential/utf8.h"
#include "daemon/settings/key_file.h"

enum { LINE_MAX_BYTES = 512, LINES_MAX = 200 /* as the complaint says */, PATH_BYTES = 1024 };

struct reading {
    const char *path;
    int line, mistakes;
    FILE *errors;
    unsigned seen; /* bits by the table's rows */
    struct command_operator *operator;
};

static void complain(struct reading *reading, const char *what)
{
    (void)fprintf(reading->errors, "%s:%d: %s\n", reading->path, reading->line, what);
    reading->mistakes++;
}

/* ---- one line ---------------------------------------------------------------------------------------------------- */

static const char *take_kid(struct command_operator *operator, char *value)
{
    if (!key_file_kid_valid(value))
        return "kid: allowed are 1 to 16 of A-Z a-z 0-9 . _ -, no dot first";
    (void)strcpy(operator->kid, value); /* length checked above */
    return NULL;
}

static const char *take_operator(struct command_operator *operator, char *value)
{
    const size_t length = strlen(value);
    if (length < 1 || length >= sizeof operator->name || !utf8_plain((const uint8_t *)value, length))
        return "operator: allowed is a name, 1 to 32 bytes of UTF-8";
    memcpy(operator->name, value, length + 1);
    return NULL;
}

static const char *take_verbs(struct command_operator *operator, char *value)
{
    char *rest = NULL;
    for (char *word = strtok_r(value, " ,\t", &rest); word != NULL; word = strtok_r(NULL, " ,\t", &rest)) {
        enum command_verb verb;
        if (strcmp(word, "all") == 0)
            operator->verbs = (1u << COMMAND_VERB_COUNT) - 1;
        else if (command_verb_from_name(word, &verb))
            operator->verbs |= 1u << verb;
        else
            operator->verbs = 0;
        if (operator->verbs == 0)
            break;
    }
    return operator->verbs != 0 ? NULL
                                : "verbs: allowed are all, or open, mode, declare, revoke, reload, report, resend, identify, time "
                                  "with spaces between";
}

static const char *take_key(struct command_operator *operator, char *value)
{
    size_t bytes = 0;
    if (strlen(value) != 2 * sizeof operator->public_key ||
        sodium_hex2bin(operator->public_key, sizeof operator->public_key, value, strlen(value), NULL, &bytes, NULL) != 0 ||
        bytes != sizeof operator->public_key)
        return "the key must be exactly 64 hexadecimal digits";
    return crypto_core_ed25519_is_valid_point(operator->public_key)
               ? NULL
               : "these 64 digits are no Ed25519 public key; copy the file again from where it was made";
}

static const char *take_nothing(struct command_operator *operator, char *value)
{
    (void)operator, (void)value;
    return NULL;
}

static const char *take_secret(struct command_operator *operator, char *value)
{
    (void)operator, (void)value;
    return "this is a SECRET key: take it off this machine; the public file made with it belongs here";
}

static const struct {
    const char *name;
    const char *(*take)(struct command_operator *operator, char *value); /* NULL, or what is allowed */
    bool needed;
} names[] = {
    {"kid", take_kid, true},          {"ed25519", take_key, true},    {"operator", take_operator, true},
    {"verbs", take_verbs, true},      {"issuer", take_nothing, false} /* `qrgatectl key new` writes it */,
    {"ed25519-secret", take_secret, false},
};
enum { NAMES = sizeof names / sizeof names[0] };

static void take_value(struct reading *reading, const char *name, char *value)
{
    int i = 0;
    while (i < NAMES && strcmp(names[i].name, name) != 0)
        i++;
    if (i == NAMES) {
        (void)fprintf(reading->errors, "%s:%d: '%.40s': allowed are kid, ed25519, operator, verbs and issuer\n", reading->path,
                      reading->line, utf8_plain((const uint8_t *)name, strlen(name)) ? name : "?");
        reading->mistakes++;
        return;
    }
    if (reading->seen & 1u << i) {
        complain(reading, "this line comes a second time; one is allowed");
        return;
    }
    reading->seen |= 1u << i;
    const char *wrong = names[i].take(reading->operator, value);
    if (wrong != NULL)
        complain(reading, wrong);
}

static void take_line(struct reading *reading, char *line)
{
    line[strcspn(line, "\r\n")] = '\0';
    line += strspn(line, " \t");
    if (line[0] == '\0' || line[0] == '#')
        return;
    char *colon = strchr(line, ':');
    if (colon == NULL) {
        complain(reading, "a line must be NAME: VALUE, or begin with #");
        return;
    }
    *colon = '\0';
    char *value = colon + 1 + strspn(colon + 1, " \t");
    for (size_t length = strlen(value); length > 0 && (value[length - 1] == ' ' || value[length - 1] == '\t'); length--)
        value[length - 1] = '\0';
    take_value(reading, line, value);
}

/* ---- one file ---------------------------------------------------------------------------------------------------- */

static void take_lines(struct reading *reading, FILE *file)
{
    char line[LINE_MAX_BYTES];
    while (fgets(line, sizeof line, file) != NULL) {
        if (++reading->line > LINES_MAX) {
            complain(reading, "too many lines; up to 200 are allowed");
            break;
        }
        if (strchr(line, '\n') == NULL && !feof(file)) {
            complain(reading, "the line is too long");
            break;
        }
        take_line(reading, line);
    }
    sodium_memzero(line, sizeof line); /* it may have been a secret one */
    for (int i = 0; i < NAMES && reading->mistakes == 0; i++)
        if (names[i].needed && (reading->seen & 1u << i) == 0) {
            (void)fprintf(reading->errors, "%s:%d: the line `%s: …` is missing\n", reading->path, reading->line, names[i].name);
            reading->mistakes++;
        }
}

int operator_file_read(const char *path, struct command_operator *ret, FILE *errors)
{
    struct reading reading = {.path = path, .errors = errors, .operator = ret};
    struct stat status;
    int error = 0;
    memset(ret, 0, sizeof *ret);
    if (sodium_init() < 0)
        return -EIO;
    FILE *file = fopen(path, "re");
    if (file == NULL || fstat(fileno(file), &status) < 0) {
        error = -errno;
        (void)fprintf(errors, "%s: can't be read: %s\n", path, strerror(-error));
    } else if (!S_ISREG(status.st_mode)) {
        error = -EINVAL;
        (void)fprintf(errors, "%s: isn't a file\n", path);
    } else {
        take_lines(&reading, file);
        if (ferror(file)) {
            error = -EIO;
            (void)fprintf(errors, "%s: can't be read\n", path);
        } else if (reading.mistakes > 0) {
            error = -EINVAL;
        }
    }
    if (file != NULL)
        (void)fclose(file); /* only read */
    if (error < 0)
        memset(ret, 0, sizeof *ret);
    return error;
}

/* ---- the folder -------------------------------------------------------------------------------------------------- */

static int is_key(const struct dirent *entry)
{
    return key_file_is_public_name(entry->d_name);
}

static int add(const char *folder, const char *name, struct command_rules *rules, FILE *errors)
{
    struct command_operator operator;
    char path[PATH_BYTES];
    const int length = snprintf(path, sizeof path, "%s/%s", folder, name);
    if (length <= 0 || (size_t)length >= sizeof path) {
        (void)fprintf(errors, "%s: the path is too long; up to %d bytes are allowed\n", folder, PATH_BYTES - 1);
        return -ENAMETOOLONG;
    }
    const int error = operator_file_read(path, &operator, errors);
    if (error < 0)
        return error;
    for (int i = 0; i < rules->operators_count; i++)
        if (strcmp(rules->operators[i].kid, operator.kid) == 0) {
            (void)fprintf(errors, "%s: kid '%s' is in another file of this folder too; each key needs its own\n", path,
                          operator.kid);
            return -EINVAL;
        }
    if (rules->operators_count == COMMAND_OPERATORS_MAX) {
        (void)fprintf(errors, "%s: one key too many; up to %d are allowed: remove those out of use\n", path,
                      COMMAND_OPERATORS_MAX);
        return -EINVAL;
    }
    rules->operators[rules->operators_count++] = operator;
    return 0;
}

int operators_load(const char *folder, struct command_rules *rules, FILE *errors)
{
    struct dirent **entries = NULL;
    int error = 0;
    rules->operators_count = 0;
    const int count = scandir(folder, &entries, is_key, alphasort);
    if (count < 0) {
        error = -errno;
        (void)fprintf(errors, "%s: the folder of operators' public keys can't be read: %s; make it, or name another in "
                      "commands.operators\n", folder, strerror(-error));
        return error;
    }
    for (int i = 0; i < count; i++) {
        const int one = add(folder, entries[i]->d_name, rules, errors);
        if (one < 0 && error == 0)
            error = one;
        free(entries[i]);
    }
    free(entries);
    if (error == 0 && rules->operators_count == 0) {
        (void)fprintf(errors, "%s: commands.auth = \"signed\" needs an operator's public key here (a file NAME.pub), or nobody "
                      "can sign; or set commands.auth = \"off\"\n", folder);
        error = -EINVAL;
    }
    if (error < 0) {
        memset(rules->operators, 0, sizeof rules->operators);
        rules->operators_count = 0;
    }
    return error;
}
