/* The configuration's text, looked at before libconfig parses it. Called by settings_read(). */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/settings/keys.h"

/* The largest sensible file has some 900 values and groups: 64 schedule rows of five keys, 128 holidays, every key once. The
 * table's largest group has some 20 keys and lies three deep. */
enum { SETTINGS_IN_FILE_MAX = 2000, SETTINGS_IN_GROUP_MAX = 64, GROUPS_DEEP_MAX = 8 };

enum state { PLAIN, TEXT, LINE_COMMENT, BLOCK_COMMENT };

struct scan {
    struct settings_walk *walk;
    enum state state;
    int line, settings;
    int begun_at; /* line of the text or comment we are in */
    int depth, in_group[GROUPS_DEEP_MAX + 1]; /* settings so far in each group we are in */
};

static const char name_start[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ*";
static const char name_rest[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ*0123456789_-";

/* libconfig knows @include at a line's beginning only. Inside of a text or a comment it means nothing, and is refused all
 * the same: nobody misses it, and so nothing depends on reading texts and comments exactly as libconfig does. */
static void check_line_start(struct scan *scan, const char *at)
{
    at += strspn(at, " \t\r\f\v");
    if (*at == '@')
        settings_mistake(scan->walk, scan->line,
                         "a line that begins with @: @include is not allowed, write everything into this one file");
}

/* libconfig 1.5 keeps the low 32 bits of a number too large, so that port = 4294969179 would be 1883. */
static const char *check_number(struct scan *scan, const char *at)
{
    int base = at[0] == '0' && (at[1] == 'x' || at[1] == 'X') ? 16 : 10;
    char *end;
    unsigned long long number = strtoull(at, &end, base); /* too large for it: ULLONG_MAX */
    if (number > INT32_MAX)
        settings_mistake(scan->walk, scan->line, "%.*s: the number is too large; no key takes more than %d",
                         (int)(end - at < 40 ? end - at : 40), at, INT32_MAX);
    return end;
}

static void count(struct scan *scan, char sign)
{
    struct settings_walk *walk = scan->walk;
    if (sign == '}' && scan->depth > 0)
        scan->depth--;
    else if (sign == '{' && scan->depth == GROUPS_DEEP_MAX)
        settings_mistake(walk, scan->line, "more than %d groups within each other; is this the right file?", GROUPS_DEEP_MAX);
    else if (sign == '{')
        scan->in_group[++scan->depth] = 0;
    else if ((sign == '=' || sign == ':') && ++scan->in_group[scan->depth] == SETTINGS_IN_GROUP_MAX + 1)
        settings_mistake(walk, scan->line, "more than %d settings in one group; is this the right file?", SETTINGS_IN_GROUP_MAX);
    if (strchr("=:,([{", sign) != NULL && ++scan->settings == SETTINGS_IN_FILE_MAX + 1)
        settings_mistake(walk, scan->line, "more than %d settings; is this the right file?", SETTINGS_IN_FILE_MAX);
}

static const char *scan_plain(struct scan *scan, const char *at)
{
    scan->begun_at = scan->line;
    if (*at == '"')
        scan->state = TEXT;
    else if (*at == '#' || (at[0] == '/' && at[1] == '/'))
        scan->state = LINE_COMMENT;
    else if (at[0] == '/' && at[1] == '*') {
        scan->state = BLOCK_COMMENT;
        return at + 2;
    } else if (*at >= '0' && *at <= '9')
        return check_number(scan, at);
    else if (strchr(name_start, *at) != NULL)
        return at + strspn(at, name_rest);
    else
        count(scan, *at);
    return at + 1;
}

static const char *scan_next(struct scan *scan, const char *at)
{
    switch (scan->state) {
    case PLAIN:
        return scan_plain(scan, at);
    case TEXT:
        if (*at == '\\' && at[1] != '\0' && at[1] != '\n')
            return at + 2;
        if (*at == '"')
            scan->state = PLAIN;
        break;
    case LINE_COMMENT:
        if (*at == '\n')
            scan->state = PLAIN;
        break;
    case BLOCK_COMMENT:
        if (at[0] == '*' && at[1] == '/') {
            scan->state = PLAIN;
            return at + 2;
        }
        break;
    }
    return at + 1;
}

void settings_check_text(struct settings_walk *walk, const char *text, size_t length_bytes)
{
    struct scan scan = {.walk = walk, .state = PLAIN, .line = 1};
    if (strlen(text) != length_bytes) {
        settings_mistake(walk, scan.line, "a NUL byte in it; a configuration is text: give the right file with --config");
        return;
    }
    check_line_start(&scan, text);
    for (const char *at = text; *at != '\0';) {
        bool line_ends = *at == '\n';
        at = scan_next(&scan, at);
        if (line_ends) {
            scan.line++;
            check_line_start(&scan, at);
        }
    }
    /* libconfig would leak the one and take the other for the rest of the file. */
    if (scan.state == TEXT)
        settings_mistake(walk, scan.begun_at, "a text begins here that no \" ends");
    else if (scan.state == BLOCK_COMMENT)
        settings_mistake(walk, scan.begun_at, "a comment begins here that no */ ends");
}
