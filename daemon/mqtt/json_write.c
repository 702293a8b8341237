/* The bounded JSON writer. Pure; used by messages.c. */
#include "daemon/mqtt/json_write.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "daemon/credential/utf8.h"

static void put(struct json *json, const char *text, size_t length)
{
    /* One byte stays free for the NUL. */
    if (json->full || length >= json->bytes - json->used) {
        json->full = true;
        return;
    }
    memcpy(json->text + json->used, text, length);
    json->used += length;
}

static void put_escaped(struct json *json, const char *text, size_t length)
{
    bool valid = utf8_valid((const uint8_t *)text, length);
    put(json, "\"", 1);
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        char escape[8];
        if (c == '"' || c == '\\') {
            const char pair[2] = {'\\', (char)c};
            put(json, pair, sizeof pair);
        } else if (c < 0x20 || c == 0x7f) {
            (void)snprintf(escape, sizeof escape, "\\u%04x", (unsigned)c);
            put(json, escape, 6);
        } else if (c >= 0x80 && !valid) {
            put(json, "\\ufffd", 6);
        } else {
            put(json, &text[i], 1);
        }
    }
    put(json, "\"", 1);
}

static void put_key(struct json *json, const char *key)
{
    if (json->comma)
        put(json, ",", 1);
    json->comma = true;
    put_escaped(json, key, strlen(key));
    put(json, ":", 1);
}

void json_begin(struct json *json, char *text, size_t bytes)
{
    *json = (struct json){.text = text, .bytes = bytes, .full = bytes == 0 || bytes > INT_MAX};
    put(json, "{", 1);
}

void json_open(struct json *json, const char *key)
{
    put_key(json, key);
    put(json, "{", 1);
    json->comma = false;
}

void json_close(struct json *json)
{
    put(json, "}", 1);
    json->comma = true;
}

void json_open_list(struct json *json, const char *key)
{
    put_key(json, key);
    put(json, "[", 1);
    json->comma = false;
}

void json_open_item(struct json *json)
{
    if (json->comma)
        put(json, ",", 1);
    put(json, "{", 1);
    json->comma = false;
}

void json_text_item(struct json *json, const char *text)
{
    if (json->comma)
        put(json, ",", 1);
    json->comma = true;
    put_escaped(json, text, strlen(text));
}

void json_close_list(struct json *json)
{
    put(json, "]", 1);
    json->comma = true;
}

void json_text(struct json *json, const char *key, const char *text, size_t text_bytes)
{
    put_key(json, key);
    put_escaped(json, text, strnlen(text, text_bytes));
}

void json_integer(struct json *json, const char *key, int64_t value)
{
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%" PRId64, value);
    put_key(json, key);
    put(json, digits, length > 0 ? (size_t)length : 0);
}

void json_thousandths(struct json *json, const char *key, int64_t thousandths)
{
    const uint64_t size = thousandths < 0 ? -(uint64_t)thousandths : (uint64_t)thousandths;
    char digits[32];
    int length = snprintf(digits, sizeof digits, "%s%" PRIu64 ".%03u", thousandths < 0 ? "-" : "", size / 1000,
                          (unsigned)(size % 1000));
    put_key(json, key);
    put(json, digits, length > 0 ? (size_t)length : 0);
}

void json_flag(struct json *json, const char *key, bool value)
{
    put_key(json, key);
    put(json, value ? "true" : "false", value ? 4 : 5);
}

void json_object_text(struct json *json, const char *key, const char *text, size_t text_bytes)
{
    put_key(json, key);
    put(json, text, text_bytes);
}

int json_end(struct json *json)
{
    put(json, "}", 1);
    if (json->full) {
        if (json->bytes > 0)
            json->text[0] = '\0';
        return -EMSGSIZE;
    }
    json->text[json->used] = '\0';
    return (int)json->used;
}
