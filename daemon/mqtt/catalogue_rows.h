/* How a row of the catalogue is written: for catalogue_*.c and nobody else. A row reads: name, whether it must be there, what
 * bounds it, what it means. */
#ifndef MQTT_CATALOGUE_ROWS_H
#define MQTT_CATALOGUE_ROWS_H

#include "daemon/mqtt/catalogue.h"

#define MUST true
#define MAY false

#define SCHEMA(need) {.name = "schema", .kind = FIELD_SCHEMA, .required = need}
#define TEXT(text, need, most_, means) {.name = text, .kind = FIELD_TEXT, .required = need, .most = most_, .what = means}
#define FORM(text, need, form_, means) {.name = text, .kind = FIELD_TEXT, .form = form_, .required = need, .what = means}
#define WORD(text, need, from_, first, end, means)                                                                       \
    {.name = text, .kind = FIELD_WORD, .required = need, .words = {from_, first, end}, .what = means}
#define INTEGER(text, need, least_, most_, means)                                                                        \
    {.name = text, .kind = FIELD_INTEGER, .required = need, .least = least_, .most = most_, .what = means}
#define COUNT(text, need, means) INTEGER(text, need, 0, INT64_MAX, means)
#define ANY_INTEGER(text, need, means) INTEGER(text, need, INT64_MIN, INT64_MAX, means)
#define NUMBER(text, need, least_, most_, means)                                                                         \
    {.name = text, .kind = FIELD_NUMBER, .required = need, .least = least_, .most = most_, .what = means}
#define FLAG(text, need, means) {.name = text, .kind = FIELD_FLAG, .required = need, .what = means}
#define TRUE_ONLY(text, means) {.name = text, .kind = FIELD_TRUE, .what = means}
#define OBJECT(text, need, group_, means) {.name = text, .kind = FIELD_OBJECT, .required = need, .inside = group_, .what = means}
#define LIST(text, need, least_, most_, item, once, means)                                                               \
    {.name = text, .kind = FIELD_LIST, .required = need, .least = least_, .most = most_, .inside = item, .unique = once,   \
     .what = means}

#define GROUP(rows, rules_) {.fields = (rows), .count = (int)(sizeof(rows) / sizeof((rows)[0])), .rules = rules_}
#define MESSAGE(text, number, is_strict, rows, rules_, means)                                                            \
    {.name = text, .schema = "qrgate/" text "/" #number, .version = number, .strict = is_strict, .what = means,            \
     .group = GROUP(rows, rules_)}

/* Names that others' enumerations have, by number. */
const char *catalogue_scope_name(int scope);   /* "own", "shared" from PRESENCE_SCOPE_NONE + 1 on */
const char *catalogue_mode_name(int mode);     /* the lane's */
const char *catalogue_verb_name(int verb);     /* "open", …, "unknown" */
const char *catalogue_wanted_mode_name(int mode); /* a request's: "normal", "hold_open", "lock_down" */

#endif
