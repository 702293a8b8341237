/* A language's file -> rows sorted by key; every bad line is told with its place and left out. For lang.c. Pure but for the
 * messages. */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/credential/utf8.h"
#include "daemon/ctl/lang_parts.h"

#define KEY_LETTERS "abcdefghijklmnopqrstuvwxyz0123456789_-"
#define FILL_LETTERS "abcdefghijklmnopqrstuvwxyz_"
#define HELP "help."
enum { MISTAKES_TOLD = 20 };

struct reading {
    const char *name;
    const struct lang_table *english;
    struct lang_table *table;
    FILE *errors;
    int line, mistakes;
};

static void mistake(struct reading *reading, int line, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void mistake(struct reading *reading, int line, const char *format, ...)
{
    va_list arguments;
    if (reading->mistakes++ >= MISTAKES_TOLD)
        return;
    (void)fprintf(reading->errors, "%s:%d: ", reading->name, line);
    va_start(arguments, format);
    (void)vfprintf(reading->errors, format, arguments);
    va_end(arguments);
    (void)fputc('\n', reading->errors);
}

/* ---- what is to be filled in ------------------------------------------------------------------------------------- */

const char *lang_next_fill(const char *text, size_t *ret_bytes)
{
    for (const char *at = strchr(text, '{'); at; at = strchr(at + 1, '{')) {
        const size_t length = strspn(at + 1, FILL_LETTERS);
        if (length > 0 && at[1 + length] == '}') {
            *ret_bytes = length + 2;
            return at;
        }
    }
    return NULL;
}

static bool has_fill(const char *text, const char *fill, size_t fill_bytes)
{
    size_t bytes;
    for (const char *at = lang_next_fill(text, &bytes); at; at = lang_next_fill(at + bytes, &bytes))
        if (bytes == fill_bytes && memcmp(at, fill, bytes) == 0)
            return true;
    return false;
}

/* A fill of `text` that isn't in `other`; NULL: none. */
static const char *lone_fill(const char *text, const char *other, size_t *ret_bytes)
{
    for (const char *at = lang_next_fill(text, ret_bytes); at; at = lang_next_fill(at + *ret_bytes, ret_bytes))
        if (!has_fill(other, at, *ret_bytes))
            return at;
    return NULL;
}

/* ---- a line ------------------------------------------------------------------------------------------------------ */

static bool is_key(const char *key)
{
    const char *at = key;
    for (;;) {
        const size_t length = strspn(at, KEY_LETTERS);
        if (length == 0)
            return false;
        if (at[length] == '\0')
            return strlen(key) <= LANG_KEY_MAX_BYTES;
        if (at[length] != '.')
            return false;
        at += length + 1;
    }
}

static char *trim(char *text)
{
    text += strspn(text, " \t");
    size_t length = strlen(text);
    while (length > 0 && strchr(" \t\r", text[length - 1]))
        text[--length] = '\0';
    return text;
}

/* "\n" and "\\", in place: never longer than before. False: another letter behind a backslash. */
static bool unescape(char *text)
{
    char *to = text;
    for (const char *from = text; *from; from++) {
        if (*from != '\\') {
            *to++ = *from;
            continue;
        }
        from++;
        if (*from != 'n' && *from != '\\')
            return false;
        *to++ = *from == 'n' ? '\n' : '\\';
    }
    *to = '\0';
    return true;
}

static void take(struct reading *reading, int line, char *key, char *text)
{
    struct lang_table *table = reading->table;
    size_t bytes;
    const bool is_help = strncmp(key, HELP, strlen(HELP)) == 0; /* its English is the program's */
    const char *english = reading->english && !is_help ? lang_table_find(reading->english, key) : text, *fill;
    if (!is_key(key))
        mistake(reading, line, "a key is words of a-z 0-9 _ - with dots between, up to %d bytes", LANG_KEY_MAX_BYTES);
    else if (text[0] == '\0' || strlen(text) > LANG_TEXT_MAX_BYTES)
        mistake(reading, line, "%s: a text has 1 to %d bytes", key, LANG_TEXT_MAX_BYTES);
    else if (!unescape(text))
        mistake(reading, line, "%s: behind a backslash allowed are n and another backslash", key);
    else if (!english)
        mistake(reading, line, "%s: no such key; allowed are those of en.lang", key);
    else if ((fill = lone_fill(text, english, &bytes)) != NULL)
        mistake(reading, line, "%s: %.*s isn't in the English text", key, (int)bytes, fill);
    else if ((fill = lone_fill(english, text, &bytes)) != NULL)
        mistake(reading, line, "%s: %.*s of the English text is missing", key, (int)bytes, fill);
    else if (table->count == LANG_KEYS_MAX)
        mistake(reading, line, "%s: more than %d keys", key, LANG_KEYS_MAX);
    else
        table->rows[table->count++] = (struct lang_row){ key, text };
}

/* ---- the file ---------------------------------------------------------------------------------------------------- */

/* The line at `at`, ended with a NUL; *ret_next is the one behind it, or NULL. */
static char *cut_line(char *at, char **ret_next)
{
    char *end = strchr(at, '\n');
    if (end)
        *end = '\0';
    *ret_next = end ? end + 1 : NULL;
    return at;
}

/* Lines that begin with a space belong to the text before them: moved up to it, with one space between where no \\n
 * ends the one line or begins the next. */
static char *join_lines(struct reading *reading, char *text, char *next)
{
    char *end = text + strlen(text);
    while (next && (next[0] == ' ' || next[0] == '\t')) {
        char *more = trim(cut_line(next, &next));
        const size_t length = strlen(more);
        reading->line++;
        if (length == 0)
            continue;
        if (end > text && strcmp(end - (end - text >= 2 ? 2 : 0), "\\n") != 0 && strncmp(more, "\\n", 2) != 0)
            *end++ = ' '; /* there is room: a line's end and a space stood between */
        memmove(end, more, length + 1);
        end += length;
    }
    return next;
}

static int by_key(const void *left, const void *right)
{
    const struct lang_row *a = left, *b = right;
    return strcmp(a->key, b->key);
}

static void drop_doubles(struct reading *reading)
{
    struct lang_table *table = reading->table;
    int kept = 0;
    qsort(table->rows, (size_t)table->count, sizeof(table->rows[0]), by_key);
    for (int i = 0; i < table->count; i++) {
        if (kept > 0 && strcmp(table->rows[kept - 1].key, table->rows[i].key) == 0)
            mistake(reading, reading->line, "%s: the key comes twice", table->rows[i].key);
        else
            table->rows[kept++] = table->rows[i];
    }
    table->count = kept;
}

static void read_lines(struct reading *reading, char *next)
{
    while (next) {
        char *line = cut_line(next, &next);
        const int number = ++reading->line;
        char *equals = strchr(line, '=');
        if (trim(line)[0] == '\0' || line[0] == '#')
            continue;
        if (line[0] == ' ' || line[0] == '\t' || !equals) {
            mistake(reading, number, "allowed is: key = text");
            continue;
        }
        *equals = '\0';
        char *text = trim(equals + 1);
        next = join_lines(reading, text, next);
        take(reading, number, trim(line), text);
    }
}

/* A file of lines each of which is plain text. */
static void check_text(struct reading *reading, const char *bytes, size_t length_bytes)
{
    int line = 1;
    for (size_t at = 0, length; at < length_bytes; at += length + 1, line++) {
        const char *end = memchr(bytes + at, '\n', length_bytes - at);
        length = end ? (size_t)(end - (bytes + at)) : length_bytes - at;
        const size_t shown = length > 0 && bytes[at + length - 1] == '\r' ? length - 1 : length;
        for (size_t i = 0, part; i < shown; i += part + 1) { /* tabs are allowed, other controls aren't */
            const char *tab = memchr(bytes + at + i, '\t', shown - i);
            part = tab ? (size_t)(tab - (bytes + at + i)) : shown - i;
            if (!utf8_plain((const uint8_t *)bytes + at + i, part)) {
                mistake(reading, line, "allowed is UTF-8 text without control characters");
                break;
            }
        }
    }
}

int lang_table_read(const char *name, const char *text, size_t length_bytes, const struct lang_table *english,
                    struct lang_table *ret, FILE *errors)
{
    struct reading reading = { .name = name, .english = english, .table = ret, .errors = errors };
    *ret = (struct lang_table){ .bytes = NULL };
    if (length_bytes > LANG_FILE_MAX_BYTES) {
        (void)fprintf(errors, "%s: the table is too large; up to %d bytes are allowed\n", name, LANG_FILE_MAX_BYTES);
        return -EINVAL;
    }
    ret->bytes = malloc(length_bytes + 1);
    if (!ret->bytes)
        return -ENOMEM;
    memcpy(ret->bytes, text, length_bytes);
    ret->bytes[length_bytes] = '\0';
    check_text(&reading, ret->bytes, length_bytes);
    if (reading.mistakes > 0)
        return reading.mistakes; /* not one of ours: nothing of it is shown */
    read_lines(&reading, ret->bytes + (strncmp(ret->bytes, "\xef\xbb\xbf", 3) == 0 ? 3 : 0));
    drop_doubles(&reading);
    if (reading.mistakes > MISTAKES_TOLD)
        (void)fprintf(errors, "%s: %d more mistakes\n", name, reading.mistakes - MISTAKES_TOLD);
    return reading.mistakes;
}

const char *lang_table_find(const struct lang_table *table, const char *key)
{
    const struct lang_row wanted = { key, NULL };
    const struct lang_row *row =
        table->count > 0 ? bsearch(&wanted, table->rows, (size_t)table->count, sizeof(*row), by_key) : NULL;
    return row ? row->text : NULL;
}
