/* A bounded JSON object writer: into the caller's buffer, no allocation, commas and escapes right by construction. Pure.
 * Overflow is remembered and reported once, by json_end(). */
#ifndef MQTT_JSON_WRITE_H
#define MQTT_JSON_WRITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json {
    char *text;
    size_t bytes, used;
    bool full, comma;
};

void json_begin(struct json *json, char *text, size_t bytes); /* opens the outermost object */
void json_open(struct json *json, const char *key);           /* an object inside */
void json_close(struct json *json);
void json_open_list(struct json *json, const char *key); /* of objects, or of texts */
void json_text_item(struct json *json, const char *text);
void json_open_item(struct json *json);                  /* an object in it; ended by json_close() */
void json_close_list(struct json *json);
/* Reads at most text_bytes of text, less if a NUL comes first. Text that isn't UTF-8 keeps its ASCII; each other byte
 * becomes U+FFFD: a message must always be valid, and a row that can't be written would block the outbox for ever. */
void json_text(struct json *json, const char *key, const char *text, size_t text_bytes);
void json_integer(struct json *json, const char *key, int64_t value);
void json_thousandths(struct json *json, const char *key, int64_t thousandths); /* 48312 -> 48.312 */
void json_flag(struct json *json, const char *key, bool value);
/* A whole object that this writer has made. */
void json_object_text(struct json *json, const char *key, const char *text, size_t text_bytes);
/* Closes the outermost object, terminates. The length without the NUL, or -EMSGSIZE (then the text is ""). */
int json_end(struct json *json);

#endif
