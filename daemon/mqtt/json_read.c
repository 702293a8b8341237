/* One JSON object of a stranger, by json-c and its rows of the catalogue. Called by inbound.c and command.c; main thread in
 * qrgated. */
#include "daemon/mqtt/json_read.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/credential/utf8.h"

enum { DEPTH_MAX = 4, VALUE_SHOWN_CHARS = 32 };

int json_read_refuse(char *why, size_t why_bytes, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(why, why_bytes, format, arguments); /* a cut message is still a message */
    va_end(arguments);
    return -EBADMSG;
}

/* A stranger's text made fit for a log line. */
static const char *shown(const char *text, bool personal, char buffer[VALUE_SHOWN_CHARS + 4])
{
    const size_t length = strnlen(text, VALUE_SHOWN_CHARS);
    for (size_t i = 0; i < length; i++) {
        const char c = text[i];
        buffer[i] = c < 0x20 || c > 0x7e ? '?' : personal && c >= '0' && c <= '9' ? '*' : c;
    }
    (void)strcpy(buffer + length, text[length] != '\0' ? "..." : "");
    return buffer;
}

static int refuse_member(const struct catalogue_field *member, struct json_object *value, const char *allowed, char *why,
                         size_t why_bytes)
{
    char buffer[VALUE_SHOWN_CHARS + 4];
    const char *text = json_object_is_type(value, json_type_string)
                           ? json_object_get_string(value)
                           : json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN);
    return json_read_refuse(why, why_bytes, "%s '%s': %s", member->name, shown(text ? text : "", member->personal, buffer),
                  allowed);
}

/* ---- the JSON itself --------------------------------------------------------------------------------------------- */

/* Walks over the text once, knowing only strings and brackets. *ret_members: how many all its objects are written with, if it is
 * JSON at all. */
static bool scan(const char *text, size_t length_bytes, int *ret_members)
{
    bool in_string = false;
    *ret_members = 0;
    for (size_t i = 0; i < length_bytes; i++) {
        const unsigned char c = (unsigned char)text[i];
        if (in_string) {
            if (c == '\\' && i + 1 < length_bytes && (unsigned char)text[i + 1] >= 0x80)
                return false; /* no escape, and to_ascii() would make one of it */
            if (c < 0x20 || (c == '\\' && length_bytes - i > 5 && memcmp(text + i + 1, "u0000", 5) == 0))
                return false;
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == ':') {
            (*ret_members)++;
        } else if (c == '\'' || (c < 0x20 && c != '\t' && c != '\n' && c != '\r')) {
            return false; /* json-c takes 'name' for "name" */
        }
    }
    return true;
}

/* Of the object and those in it, which json-c has built no deeper than DEPTH_MAX. */
static int count_members(struct json_object *value)
{
    int count = 0;
    if (json_object_is_type(value, json_type_array)) {
        for (size_t i = 0; i < json_object_array_length(value); i++)
            count += count_members(json_object_array_get_idx(value, i));
    } else if (json_object_is_type(value, json_type_object)) {
        json_object_object_foreach(value, name, member)
        {
            (void)name;
            count += 1 + count_members(member);
        }
    }
    return count;
}

/* The next character of valid UTF-8 at text[*at], which is moved behind it. */
static uint32_t next_character(const char *text, size_t *at)
{
    const unsigned char first = (unsigned char)text[(*at)++];
    const int more = first < 0xc0 ? 0 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
    uint32_t character = more == 0 ? first : first & (0x3fu >> more);
    for (int i = 0; i < more; i++)
        character = character << 6 | ((unsigned char)text[(*at)++] & 0x3fu);
    return character;
}

/* Letters beyond ASCII as \u escapes, for json-c 0.18 (Debian 13): where char is signed its strict mode takes each of their
 * bytes for a control character. `room` is 3 * length_bytes + 1, which is the most it can come to. Ends at `stop` bytes of the
 * result (SIZE_MAX: at the end) and answers how far it came in `text`. */
static size_t to_ascii(const char *text, size_t length_bytes, char *ret_ascii, size_t room, size_t stop, size_t *ret_bytes)
{
    size_t at = 0, used = 0;
    while (at < length_bytes && used < stop) {
        const uint32_t c = next_character(text, &at);
        int added = 1;
        if (c < 0x80)
            ret_ascii[used] = (char)c;
        else if (c < 0x10000)
            added = snprintf(ret_ascii + used, room - used, "\\u%04x", (unsigned)c);
        else
            added = snprintf(ret_ascii + used, room - used, "\\u%04x\\u%04x", 0xd800u + ((c - 0x10000) >> 10),
                             0xdc00u + ((c - 0x10000) & 0x3ff));
        used += (size_t)added;
    }
    *ret_bytes = used;
    return at;
}

struct json_object *json_read(const char *text, size_t length_bytes, size_t most_bytes, int *ret_error, char *why,
                              size_t why_bytes)
{
    int members;
    *ret_error = -EBADMSG;
    if (length_bytes == 0 || length_bytes > most_bytes) {
        (void)json_read_refuse(why, why_bytes, "%zu bytes: allowed are 1 to %zu", length_bytes, most_bytes);
        return NULL;
    }
    if (!utf8_valid((const uint8_t *)text, length_bytes) || !scan(text, length_bytes, &members)) {
        (void)json_read_refuse(why, why_bytes, "not JSON in UTF-8, or with control characters; allowed is one JSON object");
        return NULL;
    }
    struct json_tokener *tokener = json_tokener_new_ex(DEPTH_MAX);
    if (!tokener) {
        *ret_error = -ENOMEM;
        (void)json_read_refuse(why, why_bytes, "no memory");
        return NULL;
    }
    const size_t room = 3 * length_bytes + 1;
    size_t ascii_bytes;
    char *ascii = malloc(room);
    if (!ascii) {
        json_tokener_free(tokener);
        *ret_error = -ENOMEM;
        (void)json_read_refuse(why, why_bytes, "no memory");
        return NULL;
    }
    (void)to_ascii(text, length_bytes, ascii, room, SIZE_MAX, &ascii_bytes);
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
    struct json_object *root = json_tokener_parse_ex(tokener, ascii, (int)ascii_bytes);
    const enum json_tokener_error error = json_tokener_get_error(tokener);
    const size_t end = to_ascii(text, length_bytes, ascii, room, json_tokener_get_parse_end(tokener), &ascii_bytes);
    free(ascii);
    json_tokener_free(tokener);
    if (error != json_tokener_success)
        (void)json_read_refuse(why, why_bytes, "not JSON at byte %zu (%s); allowed is one JSON object", end,
                     error == json_tokener_continue ? "it ends too early" : json_tokener_error_desc(error));
    else if (!json_object_is_type(root, json_type_object))
        (void)json_read_refuse(why, why_bytes, "not a JSON object; allowed is {\"name\": value, ...}");
    else if (count_members(root) != members)
        (void)json_read_refuse(why, why_bytes, "a member comes twice; allowed is each name once");
    else
        return root;
    (void)json_object_put(root); /* accepts NULL */
    return NULL;
}

void json_read_free(struct json_object *object)
{
    (void)json_object_put(object);
}

int json_read_members(struct json_object *object, const struct catalogue_message *message, json_read_take *const takes[],
                      void *userdata, unsigned *ret_seen, char *why, size_t why_bytes)
{
    const struct catalogue_field *fields = message->group.fields;
    const int count = message->group.count;
    *ret_seen = 0;
    json_object_object_foreach(object, name, value)
    {
        char buffer[VALUE_SHOWN_CHARS + 4];
        int i = 0;
        while (i < count && strcmp(fields[i].name, name) != 0)
            i++;
        if (message->strict && (i == count || takes[i] == NULL))
            return json_read_refuse(why, why_bytes, "'%s': no such member; see the schema", shown(name, true, buffer));
        if (i == count || takes[i] == NULL)
            continue;
        const char *allowed = takes[i](userdata, &fields[i], value);
        if (allowed)
            return refuse_member(&fields[i], value, allowed, why, why_bytes);
        *ret_seen |= 1u << i;
    }
    return 0;
}

int json_read_required(const struct catalogue_message *message, json_read_take *const takes[], unsigned seen, char *why,
                       size_t why_bytes)
{
    for (int i = 0; i < message->group.count; i++)
        if (message->group.fields[i].required && takes[i] != NULL && (seen & 1u << i) == 0)
            return json_read_refuse(why, why_bytes, "%s is missing", message->group.fields[i].name);
    return 0;
}

/* ---- values ------------------------------------------------------------------------------------------------------ */

const char *json_read_text(struct json_object *value, size_t *ret_bytes)
{
    if (!json_object_is_type(value, json_type_string))
        return NULL;
    const char *text = json_object_get_string(value);
    *ret_bytes = (size_t)json_object_get_string_len(value);
    return utf8_plain((const uint8_t *)text, *ret_bytes) ? text : NULL;
}

bool json_read_hex_id(struct json_object *value, char ret[JSON_READ_HEX_ID_CHARS + 1])
{
    size_t length_bytes;
    const char *text = json_read_text(value, &length_bytes);
    if (!text || length_bytes != JSON_READ_HEX_ID_CHARS || strspn(text, "0123456789abcdef") != length_bytes)
        return false;
    memcpy(ret, text, JSON_READ_HEX_ID_CHARS + 1);
    return true;
}

bool json_read_flag(struct json_object *value, bool *ret)
{
    if (!json_object_is_type(value, json_type_boolean))
        return false;
    *ret = json_object_get_boolean(value);
    return true;
}

bool json_read_integer(struct json_object *value, int64_t *ret)
{
    if (!json_object_is_type(value, json_type_int))
        return false;
    *ret = json_object_get_int64(value);
    return true;
}

bool json_read_bounded(struct json_object *value, const struct catalogue_field *field, int64_t *ret)
{
    return json_read_integer(value, ret) && *ret >= field->least && *ret <= field->most;
}

bool json_read_word(struct json_object *value, const struct catalogue_field *field, int *ret)
{
    size_t length_bytes;
    const char *text = json_read_text(value, &length_bytes);
    for (int i = field->words.from; text && i < field->words.to; i++)
        if (strcmp(field->words.name(i), text) == 0) {
            *ret = i;
            return true;
        }
    return false;
}

bool json_read_member_named(struct json_object *object, const char *name, struct json_object **ret_value)
{
    return json_object_object_get_ex(object, name, ret_value);
}

bool json_read_is_word(const char *text, size_t length_bytes, size_t most_bytes, const char *others)
{
    if (length_bytes < 1 || length_bytes > most_bytes)
        return false;
    for (size_t i = 0; i < length_bytes; i++) {
        const char c = text[i];
        const bool alphanumeric = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        if (!alphanumeric && (c == '\0' || !strchr(others, c)))
            return false;
    }
    return true;
}
