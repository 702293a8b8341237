/* Members of a stranger's JSON object that json_read() has let in. send, status, watch. */
#ifndef CTL_MEMBERS_H
#define CTL_MEMBERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_object;

/* Fit for a terminal; "" when there is none, or no text. Answers `buffer`. */
const char *member_text(struct json_object *object, const char *name, char *buffer, size_t bytes);
bool member_number(struct json_object *object, const char *name, int64_t *ret);
bool member_flag(struct json_object *object, const char *name); /* false when there is none */
struct json_object *member_object(struct json_object *object, const char *name); /* or NULL */

#endif
