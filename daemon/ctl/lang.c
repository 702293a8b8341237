/* The tables in use: which one, a key's text, texts filled in, and padded to columns. Called by every command of qrgatectl. */
#include "daemon/ctl/lang.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utf8proc.h>

#include "daemon/ctl/lang_parts.h"

enum { NAME_BYTES = 9, PATH_BYTES = 512 };
#define NAME_LETTERS "abcdefghijklmnopqrstuvwxyz"
/* Beside the program: where `make install` puts the tables, and where make leaves them. */
static const char *const PLACES[] = { "/../share/qrgate/lang", "/lang" };
enum { PLACE_COUNT = sizeof(PLACES) / sizeof(PLACES[0]) };

struct lang {
    char name[NAME_BYTES];
    struct lang_table english, own;
};

/* ---- opening ----------------------------------------------------------------------------------------------------- */

static int read_english(struct lang *lang, FILE *errors)
{
    const size_t length = (size_t)((uintptr_t)lang_english_end - (uintptr_t)lang_english_begin);
    const int mistakes = lang_table_read("en.lang (built in)", lang_english_begin, length, NULL, &lang->english, errors);
    return mistakes > 0 ? -EINVAL : mistakes;
}

int lang_read(const char *name, const char *text, size_t length_bytes, struct lang **ret, int *ret_mistakes, FILE *errors)
{
    struct lang *lang = calloc(1, sizeof(*lang));
    int error = lang ? read_english(lang, errors) : -ENOMEM;
    *ret = NULL;
    *ret_mistakes = 0;
    if (error == 0 && text) {
        error = lang_table_read(name, text, length_bytes, &lang->english, &lang->own, errors);
        *ret_mistakes = error > 0 ? error : 0;
    }
    if (error < 0) {
        lang_close(lang);
        return error;
    }
    const char *base = strrchr(name, '/') ? strrchr(name, '/') + 1 : name;
    (void)snprintf(lang->name, sizeof(lang->name), "%.*s", (int)strspn(base, NAME_LETTERS), base);
    *ret = lang;
    return 0;
}

void lang_close(struct lang *lang)
{
    if (!lang)
        return;
    free(lang->english.bytes);
    free(lang->own.bytes);
    free(lang);
}

/* "vi_VN.UTF-8" -> "vi". False: no name of a language, as "C" or "POSIX" aren't. */
static bool language_of(const char *locale, char ret[NAME_BYTES])
{
    const size_t length = strcspn(locale, "_.@");
    if (length < 2 || length >= NAME_BYTES || strspn(locale, NAME_LETTERS) < length)
        return false;
    memcpy(ret, locale, length);
    ret[length] = '\0';
    return true;
}

/* As gettext has it: the first of these that is set counts. */
static bool language_of_environment(char ret[NAME_BYTES])
{
    static const char *const names[] = { "LC_ALL", "LC_MESSAGES", "LANG" };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *value = getenv(names[i]);
        if (value && value[0] != '\0')
            return language_of(value, ret);
    }
    return false;
}

/* Opens NAME.lang beside the program: the descriptor, or -ENOENT. */
static int open_table(const char *name, char ret_path[PATH_BYTES])
{
    char program[PATH_BYTES / 2];
    const ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 1);
    if (length <= 0)
        return -ENOENT;
    program[length] = '\0';
    *strrchr(program, '/') = '\0'; /* an absolute path */
    for (int i = 0; i < PLACE_COUNT; i++) {
        (void)snprintf(ret_path, PATH_BYTES, "%s%s/%s.lang", program, PLACES[i], name); /* fits: half, and a short rest */
        const int fd = open(ret_path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        if (fd >= 0)
            return fd;
    }
    (void)snprintf(ret_path, PATH_BYTES, "%s%s", program, PLACES[0]);
    return -ENOENT;
}

static int read_file(int fd, const char *path, struct lang **ret, FILE *errors)
{
    char *text = malloc(LANG_FILE_MAX_BYTES + 1);
    struct stat status;
    size_t used = 0;
    ssize_t more = 1;
    int mistakes, error = text ? 0 : -ENOMEM;
    if (error == 0 && (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode)))
        error = -EINVAL;
    while (error == 0 && more > 0 && used <= LANG_FILE_MAX_BYTES) {
        more = read(fd, text + used, LANG_FILE_MAX_BYTES + 1 - used);
        if (more < 0)
            error = -errno;
        used += more > 0 ? (size_t)more : 0;
    }
    if (error < 0)
        (void)fprintf(errors, "%s: can't be read: %s\n", path, error == -EINVAL ? "not a file" : strerror(-error));
    else
        error = lang_read(path, text, used, ret, &mistakes, errors);
    free(text);
    return error;
}

static int open_named(const char *wanted, bool must_exist, struct lang **ret, FILE *errors)
{
    char path[PATH_BYTES];
    int mistakes;
    const bool is_path = strchr(wanted, '/') != NULL;
    if (!is_path && strcmp(wanted, "en") == 0)
        return lang_read("en", NULL, 0, ret, &mistakes, errors);
    int fd = is_path ? open(wanted, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : open_table(wanted, path);
    if (is_path && fd < 0)
        fd = -errno;
    if (fd < 0 && !must_exist)
        return lang_read("en", NULL, 0, ret, &mistakes, errors);
    if (fd < 0) {
        (void)fprintf(errors, is_path ? "--lang %s: %s\n" : "--lang %s: no such table in %s; en is always there\n", wanted,
                      is_path ? strerror(-fd) : path);
        return fd;
    }
    const int error = read_file(fd, is_path ? wanted : path, ret, errors);
    (void)close(fd); /* only read */
    return error;
}

int lang_open(const char *wanted, struct lang **ret, FILE *errors)
{
    char name[NAME_BYTES];
    *ret = NULL;
    if (!wanted)
        return open_named(language_of_environment(name) ? name : "en", false, ret, errors);
    if (strchr(wanted, '/'))
        return open_named(wanted, true, ret, errors);
    if (!language_of(wanted, name)) {
        (void)fprintf(errors, "--lang: allowed is a language's name, as en or vi, or the path of a table, with a '/'\n");
        return -EINVAL;
    }
    return open_named(name, true, ret, errors);
}

/* ---- texts ------------------------------------------------------------------------------------------------------- */

const char *lang_name(const struct lang *lang)
{
    return lang->name;
}

static const char *find(const struct lang *lang, const char *key)
{
    const char *text = lang_table_find(&lang->own, key);
    return text ? text : lang_table_find(&lang->english, key);
}

const char *say(const struct lang *lang, const char *key)
{
    const char *text = find(lang, key);
    return text ? text : key;
}

const char *say_word(const struct lang *lang, const char *family, const char *name)
{
    char key[LANG_KEY_MAX_BYTES + 1];
    const int length = snprintf(key, sizeof(key), "%s.%s", family, name);
    const char *text = length > 0 && (size_t)length < sizeof(key) ? find(lang, key) : NULL;
    return text ? text : name;
}

const char *say_or(const struct lang *lang, const char *key, const char *otherwise)
{
    const char *text = lang_table_find(&lang->own, key);
    return text ? text : otherwise;
}

const char *lang_told(const struct lang *lang, char *buffer, size_t bytes, const char *text)
{
    return lang_table_tell(&lang->english, &lang->own, buffer, bytes, text);
}

/* Values that are whole texts, by the name that is theirs in every table. */
static bool is_told(const char *name)
{
    static const char *const names[] = { "why", "allowed", "message" };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

/* The next piece of a text: what stands there, or what is filled in, put into `told` when it is a text. NULL: it is over. */
static const char *next_piece(const struct lang *lang, const char **text, const char *const fills[], char told[LANG_TOLD_BYTES],
                              size_t *ret_bytes)
{
    size_t bytes = 0;
    const char *at = *text, *fill = lang_next_fill(at, &bytes);
    if (*at == '\0')
        return NULL;
    if (fill != at) {
        *ret_bytes = fill ? (size_t)(fill - at) : strlen(at);
        *text += *ret_bytes;
        return at;
    }
    *text += bytes;
    for (; fills[0]; fills += 2)
        if (strlen(fills[0]) == bytes - 2 && memcmp(fills[0], at + 1, bytes - 2) == 0) {
            const char *value = fills[1] ? fills[1] : "";
            if (is_told(fills[0]))
                value = lang_told(lang, told, LANG_TOLD_BYTES, value);
            *ret_bytes = strlen(value);
            return value;
        }
    *ret_bytes = bytes; /* nobody gave it: it stays visible */
    return at;
}

size_t lang_whole_letters(const char *text, size_t bytes)
{
    while (bytes > 0 && ((unsigned char)text[bytes] & 0xc0) == 0x80)
        bytes--;
    return bytes;
}

const char *lang_format_fills(const struct lang *lang, char *buffer, size_t bytes, const char *key, const char *const fills[])
{
    const char *text = say(lang, key), *piece;
    char told[LANG_TOLD_BYTES];
    size_t used = 0, length;
    while ((piece = next_piece(lang, &text, fills, told, &length)) != NULL) {
        const size_t room = bytes - 1 - used;
        const size_t taken = length <= room ? length : lang_whole_letters(piece, room);
        memcpy(buffer + used, piece, taken);
        used += taken;
        if (taken < length)
            break;
    }
    buffer[used] = '\0';
    return buffer;
}

void lang_print_fills(FILE *out, const struct lang *lang, const char *key, const char *const fills[])
{
    const char *text = say(lang, key), *piece;
    char told[LANG_TOLD_BYTES];
    size_t length;
    while ((piece = next_piece(lang, &text, fills, told, &length)) != NULL)
        (void)fwrite(piece, 1, length, out); /* the program looks at ferror() once, at its end */
}

const char *lang_number(char buffer[LANG_NUMBER_BYTES], int64_t number)
{
    (void)snprintf(buffer, LANG_NUMBER_BYTES, "%" PRId64, number);
    return buffer;
}

/* ---- columns ----------------------------------------------------------------------------------------------------- */

/* One letter: its bytes, and in how many columns a terminal shows it. What isn't UTF-8 counts as one each. */
static size_t letter(const char *text, int *ret_columns)
{
    utf8proc_int32_t code;
    const utf8proc_ssize_t bytes = utf8proc_iterate((const utf8proc_uint8_t *)text, -1, &code);
    *ret_columns = bytes > 0 ? utf8proc_charwidth(code) : 1;
    return bytes > 0 ? (size_t)bytes : 1;
}

int lang_columns(const char *text)
{
    int all = 0, columns;
    while (*text) {
        text += letter(text, &columns);
        all += columns;
    }
    return all;
}

const char *lang_pad(char *buffer, size_t bytes, const char *text, int columns)
{
    static const char more[] = "…";
    const int wanted = columns < 0 ? -columns : columns, has = lang_columns(text);
    const bool cut = has > wanted;
    size_t used = 0;
    int at = 0, width;
    if (columns < 0)
        for (; at < wanted - has && used + 1 < bytes; at++)
            buffer[used++] = ' ';
    while (*text) {
        const size_t length = letter(text, &width);
        if ((cut && at + width > wanted - 1) || used + length + sizeof(more) > bytes)
            break;
        memcpy(buffer + used, text, length);
        used += length;
        at += width;
        text += length;
    }
    if (*text && used + sizeof(more) <= bytes) {
        memcpy(buffer + used, more, sizeof(more) - 1);
        used += sizeof(more) - 1;
        at++;
    }
    for (; at < wanted && used + 1 < bytes; at++)
        buffer[used++] = ' ';
    buffer[used] = '\0';
    return buffer;
}
