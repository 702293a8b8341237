/* The fields of fields.h, for the readers of cards; on the journal thread in qrgated. */
#include "daemon/credential/fields.h"

#include <string.h>

#include "daemon/credential/utf8.h"

enum { YEAR_MIN = 1900, YEAR_MAX = 2399 };

size_t fields_split(const uint8_t *text, size_t length_bytes, uint8_t separator, struct field *ret_fields, size_t max)
{
    size_t count = 0, start = 0;

    for (size_t at = 0; at <= length_bytes; at++) {
        if (at < length_bytes && text[at] != separator)
            continue;
        if (count == max)
            return max + 1;
        ret_fields[count++] = (struct field){text + start, at - start};
        start = at + 1;
    }
    return count;
}

bool field_is(struct field field, const char *text)
{
    return field.length == strlen(text) && memcmp(field.bytes, text, field.length) == 0;
}

bool field_is_plain(struct field field)
{
    return utf8_plain(field.bytes, field.length);
}

bool field_is_digits(struct field field, size_t digits)
{
    if (field.length != digits)
        return false;
    for (size_t i = 0; i < digits; i++)
        if (field.bytes[i] < '0' || field.bytes[i] > '9')
            return false;
    return true;
}

bool field_is_zeros(struct field field)
{
    for (size_t i = 0; i < field.length; i++)
        if (field.bytes[i] != '0')
            return false;
    return field.length > 0;
}

bool field_is_letters_or_digits(struct field field)
{
    for (size_t i = 0; i < field.length; i++) {
        uint8_t byte = field.bytes[i];
        bool taken = (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z');
        if (!taken)
            return false;
    }
    return true;
}

int field_number(struct field field, size_t at, size_t digits)
{
    int number = 0;

    for (size_t i = at; i < at + digits; i++)
        number = number * 10 + (field.bytes[i] - '0');
    return number;
}

const char *fields_check(const struct field_rule *rules, size_t rules_count, const struct field *fields, size_t count)
{
    for (size_t i = 0; i < rules_count; i++) {
        if (rules[i].field >= count)
            continue;
        struct field field = fields[rules[i].field];
        if (!field_is_plain(field) || (rules[i].check != NULL && !rules[i].check(field)))
            return rules[i].wrong;
    }
    return NULL;
}

bool year_is_real(int year)
{
    return year >= YEAR_MIN && year <= YEAR_MAX;
}

bool month_is_real(int month)
{
    return month >= 1 && month <= 12;
}

bool date_is_real(int day, int month, int year)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return year_is_real(year) && month_is_real(month) && day >= 1 &&
           day <= days[month - 1] + (month == 2 && leap ? 1 : 0);
}

void subject_put(char ret_subject[CREDENTIAL_SUBJECT_BYTES], const char *prefix, struct field number)
{
    size_t prefix_bytes = strlen(prefix), room = CREDENTIAL_SUBJECT_BYTES - 1 - prefix_bytes;
    size_t length = number.length < room ? number.length : room;

    memset(ret_subject, 0, CREDENTIAL_SUBJECT_BYTES);
    memcpy(ret_subject, prefix, prefix_bytes);
    memcpy(ret_subject + prefix_bytes, number.bytes, length);
}

void alias_add(struct credential *ret, const char *prefix, struct field number)
{
    for (size_t i = 0; i < CREDENTIAL_ALIASES_MAX; i++) {
        if (ret->aliases[i][0] != '\0')
            continue;
        subject_put(ret->aliases[i], prefix, number);
        return;
    }
}
