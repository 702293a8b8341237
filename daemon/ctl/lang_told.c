/* What other parts of the program, which know English alone, have to tell, in the table's language: rows told.… hold
 * their texts, with {names} where a printf has its %s. Called by lang.c for each value that is such a text. Pure. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "daemon/ctl/lang_parts.h"

enum { CAPTURES_MAX = 4, CAPTURE_BYTES = 320, DEPTH_MAX = 2 };

/* What stands in a text where its template has a {name}; both in somebody else's bytes. */
struct capture {
    const char *name, *value;
    size_t name_bytes, value_bytes;
};

struct match {
    int count;
    struct capture captures[CAPTURES_MAX];
    size_t literal_bytes; /* which are the template's own: the more, the better it fits */
};

struct output {
    char *buffer;
    size_t bytes, used;
    bool cut; /* nothing may follow what didn't fit */
};

/* Where a template's literal stands: for the last one at the text's end, else the first place behind one byte at least. */
static const char *find_literal(const char *text, const char *literal, size_t bytes, bool is_last)
{
    const size_t length = strlen(text);
    if (length < bytes + 1)
        return NULL;
    if (is_last)
        return memcmp(text + length - bytes, literal, bytes) == 0 ? text + length - bytes : NULL;
    return bytes > 0 ? memmem(text + 1, length - 1, literal, bytes) : NULL; /* two names side by side: nobody could part them */
}

static bool fits(const char *template, const char *text, struct match *ret)
{
    *ret = (struct match){ .count = 0 };
    for (;;) {
        size_t name_bytes = 0;
        const char *fill = lang_next_fill(template, &name_bytes);
        const size_t literal = fill ? (size_t)(fill - template) : strlen(template);
        const char *at = ret->count > 0 ? find_literal(text, template, literal, !fill) : text;
        if (!at || strncmp(at, template, literal) != 0)
            return false;
        if (ret->count > 0) {
            ret->captures[ret->count - 1].value = text;
            ret->captures[ret->count - 1].value_bytes = (size_t)(at - text);
        }
        ret->literal_bytes += literal;
        text = at + literal;
        if (!fill)
            return text[0] == '\0';
        if (ret->count == CAPTURES_MAX || text[0] == '\0')
            return false;
        ret->captures[ret->count++] = (struct capture){ .name = fill, .name_bytes = name_bytes };
        template = fill + name_bytes;
    }
}

static void put(struct output *out, const char *text, size_t length)
{
    const size_t room = out->cut ? 0 : out->bytes - 1 - out->used;
    const size_t taken = length <= room ? length : lang_whole_letters(text, room);
    memcpy(out->buffer + out->used, text, taken);
    out->used += taken;
    out->cut = out->cut || taken < length;
}

static void tell(const struct lang_table *english, const struct lang_table *own, const char *text, int depth, struct output *out);

/* A value may be such a text itself, as what a file's reader says of a line. */
static void put_value(const struct lang_table *english, const struct lang_table *own, const struct capture *capture, int depth,
                      struct output *out)
{
    char text[CAPTURE_BYTES];
    if (depth == DEPTH_MAX || capture->value_bytes >= sizeof(text)) {
        put(out, capture->value, capture->value_bytes);
        return;
    }
    memcpy(text, capture->value, capture->value_bytes);
    text[capture->value_bytes] = '\0';
    tell(english, own, text, depth + 1, out);
}

static void tell(const struct lang_table *english, const struct lang_table *own, const char *text, int depth, struct output *out)
{
    struct match best = { .literal_bytes = 0 }, match;
    const char *template = NULL;
    for (int i = 0; i < english->count; i++) {
        const char *key = english->rows[i].key, *found;
        if (strncmp(key, LANG_TOLD, strlen(LANG_TOLD)) == 0 && fits(english->rows[i].text, text, &match) &&
            match.literal_bytes > best.literal_bytes && (found = lang_table_find(own, key)) != NULL) {
            best = match;
            template = found;
        }
    }
    if (!template) {
        put(out, text, strlen(text));
        return;
    }
    size_t bytes;
    for (const char *fill; (fill = lang_next_fill(template, &bytes)) != NULL; template = fill + bytes) {
        put(out, template, (size_t)(fill - template));
        for (int i = 0; i < best.count; i++)
            if (best.captures[i].name_bytes == bytes && memcmp(best.captures[i].name, fill, bytes) == 0)
                put_value(english, own, &best.captures[i], depth, out);
    }
    put(out, template, strlen(template));
}

const char *lang_table_tell(const struct lang_table *english, const struct lang_table *own, char *buffer, size_t bytes,
                            const char *text)
{
    struct output out = { .buffer = buffer, .bytes = bytes };
    if (own->count == 0)
        return text;
    tell(english, own, text, 0, &out);
    buffer[out.used] = '\0';
    return buffer;
}
