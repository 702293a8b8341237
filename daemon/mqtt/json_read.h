/* Strangers' JSON, one object read by its rows of the catalogue. json-c does the reading; what its strict mode lets
 * through is refused here: a member that comes twice (it keeps the last), control characters inside a text, "\u0000"
 * (it ends a name early), names in single quotes. A number with a fraction is simply no integer. Used by inbound.c.
 * json-c allocates within a call, bounded by the text's length. */
#ifndef MQTT_JSON_READ_H
#define MQTT_JSON_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/mqtt/catalogue.h"

struct json_object;

enum { JSON_READ_MEMBERS_MAX = 32, JSON_READ_HEX_ID_CHARS = 32 };
#define JSON_READ_HEX_ALLOWED "allowed are 32 hex digits, lower case"

/* Takes one member's value into *userdata; `field` is its row. NULL, or what is allowed. */
typedef const char *json_read_take(void *userdata, const struct catalogue_field *field, struct json_object *value);

/* The object, to be freed with json_read_free(); or NULL with *ret_error -EBADMSG or -ENOMEM and `why`. */
struct json_object *json_read(const char *text, size_t length_bytes, size_t most_bytes, int *ret_error, char *why,
                              size_t why_bytes);
void json_read_free(struct json_object *object); /* accepts NULL */
/* Each member to the take of its row: takes[i] is of message->group.fields[i]. *ret_seen: bit i = that one was there. 0, or
 * -EBADMSG with `why` = member, value (cut, printable; of a personal one with '*' for digits), what is allowed. Members that
 * have no row or no take are refused where the message is strict, else ignored. */
int json_read_members(struct json_object *object, const struct catalogue_message *message, json_read_take *const takes[],
                      void *userdata, unsigned *ret_seen, char *why, size_t why_bytes);
/* Whether all that must be there (and has a take) was: 0, or -EBADMSG with `why`. */
int json_read_required(const struct catalogue_message *message, json_read_take *const takes[], unsigned seen, char *why,
                       size_t why_bytes);
/* -EBADMSG, for return. */
int json_read_refuse(char *why, size_t why_bytes, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The string's bytes, which are plain text (utf8_plain) and end with a NUL; NULL: not one. */
const char *json_read_text(struct json_object *value, size_t *ret_bytes);
bool json_read_hex_id(struct json_object *value, char ret[JSON_READ_HEX_ID_CHARS + 1]);
bool json_read_flag(struct json_object *value, bool *ret);
/* Which of the row's words it is, by its number there. */
bool json_read_word(struct json_object *value, const struct catalogue_field *field, int *ret);
bool json_read_bounded(struct json_object *value, const struct catalogue_field *field, int64_t *ret); /* an integer */
bool json_read_integer(struct json_object *value, int64_t *ret); /* too large ones are cut to INT64_MAX or INT64_MIN */
bool json_read_member_named(struct json_object *object, const char *name, struct json_object **ret_value);
/* 1 to most_bytes of A-Z a-z 0-9 and `others`. */
bool json_read_is_word(const char *text, size_t length_bytes, size_t most_bytes, const char *others);

#endif
