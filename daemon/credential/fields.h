/* Fields of the Vietnamese cards' texts: split (empty ones kept), compared, counted, and what several cards have alike:
 * digits, dates, identifiers. Used by cccd.c, personal_1405.c and bhyt.c. Private to daemon/credential. Pure. */
#ifndef CREDENTIAL_FIELDS_H
#define CREDENTIAL_FIELDS_H

#include "daemon/credential/credential.h"

/* Points into the payload. */
struct field {
    const uint8_t *bytes;
    size_t length;
};

/* Number of fields found; `max` + 1 stands for any more. */
size_t fields_split(const uint8_t *text, size_t length_bytes, uint8_t separator, struct field *ret_fields, size_t max);

bool field_is(struct field field, const char *text);
bool field_is_plain(struct field field);                 /* utf8_plain() */
bool field_is_digits(struct field field, size_t digits); /* exactly so many */
bool field_is_zeros(struct field field);                 /* "0", "00", …: a filler, and no one's number */
bool field_is_letters_or_digits(struct field field);     /* of ASCII, or empty */
int field_number(struct field field, size_t at, size_t digits); /* the digits are checked */

/* What one field must be; a table of them is what a card must be. */
struct field_rule {
    size_t field;
    bool (*check)(struct field field); /* NULL: any plain text */
    const char *wrong;                 /* a constant for `detail`: the field and what is allowed */
};

/* The first rule broken says what is wrong; NULL when none is. Rules for fields from `count` on are left out. */
const char *fields_check(const struct field_rule *rules, size_t rules_count, const struct field *fields, size_t count);

/* A day of the calendar from 1900 to 2399, the years that a citizen number can express. */
bool date_is_real(int day, int month, int year);
/* The same for a year, or a year and month, alone. */
bool year_is_real(int year);
bool month_is_real(int month);

/* "cccd:" + the number. Wider than the room: cut, which the callers' checks prevent. */
void subject_put(char ret_subject[CREDENTIAL_SUBJECT_BYTES], const char *prefix, struct field number);
/* Into the first free alias; without one it is left out. */
void alias_add(struct credential *ret, const char *prefix, struct field number);

#endif
