/* Reads citizen cards: split at '|' (empty fields kept), each field checked by a table, then filled in. Called through
 * credential.c's table, on the journal thread in qrgated. */
#include "daemon/credential/cccd.h"

#include <string.h>

#include "daemon/credential/recogniser.h"
#include "daemon/credential/utf8.h"

enum field { NUMBER, OLD_NUMBER, NAME, BIRTH, SEX, RESIDENCE, ISSUED, FIELDS_BEFORE_2024, FIELDS_SINCE_2024 = 11 };
enum { NUMBER_DIGITS = 12, OLD_NUMBER_DIGITS = 9, YEAR_MIN = 1900, YEAR_MAX = 2399 }; /* what a number can express */

static const char subject_prefix[] = "cccd:";

struct span {
    const uint8_t *bytes;
    size_t length;
};

struct date {
    int day, month, year; /* 0 = not given */
};

/* Number of fields; FIELDS_SINCE_2024 + 1 stands for any more. */
static size_t split(const uint8_t *text, size_t length_bytes, struct span fields[FIELDS_SINCE_2024])
{
    size_t count = 0, start = 0;

    for (size_t at = 0; at <= length_bytes; at++) {
        if (at < length_bytes && text[at] != '|')
            continue;
        if (count == FIELDS_SINCE_2024)
            return FIELDS_SINCE_2024 + 1;
        fields[count++] = (struct span){text + start, at - start};
        start = at + 1;
    }
    return count;
}

static bool is_digits(struct span span)
{
    for (size_t i = 0; i < span.length; i++)
        if (span.bytes[i] < '0' || span.bytes[i] > '9')
            return false;
    return true;
}

static int number_at(struct span span, size_t at, size_t digits)
{
    int number = 0;

    for (size_t i = at; i < at + digits; i++)
        number = number * 10 + (span.bytes[i] - '0');
    return number;
}

static int days_of_month(int month, int year)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return month == 2 && leap ? 29 : days[month - 1];
}

/* ddMMyyyy, MMyyyy or yyyy: what precedes the year may be unknown to its owner. */
static bool parse_date(struct span span, struct date *ret)
{
    struct date date = {0, 0, 0};

    if ((span.length != 4 && span.length != 6 && span.length != 8) || !is_digits(span))
        return false;
    date.year = number_at(span, span.length - 4, 4);
    if (date.year < YEAR_MIN || date.year > YEAR_MAX)
        return false;
    if (span.length >= 6) {
        date.month = number_at(span, span.length - 6, 2);
        if (date.month < 1 || date.month > 12)
            return false;
    }
    if (span.length == 8) {
        date.day = number_at(span, 0, 2);
        if (date.day < 1 || date.day > days_of_month(date.month, date.year))
            return false;
    }
    *ret = date;
    return true;
}

static bool is_text(struct span span, const char *text)
{
    return span.length == strlen(text) && memcmp(span.bytes, text, span.length) == 0;
}

static bool is_male(struct span span)
{
    return is_text(span, "Nam");
}

static bool is_female(struct span span)
{
    /* Composed, and with the horn or the tilde apart: Unicode holds them all for the same word. */
    return is_text(span, "N\u1eef") || is_text(span, "N\u01b0\u0303") || is_text(span, "Nu\u031b\u0303");
}

static bool check_number(struct span span) { return span.length == NUMBER_DIGITS && is_digits(span); }
static bool check_name(struct span span) { return span.length > 0 && span.length < CREDENTIAL_NAME_BYTES; }
static bool check_sex(struct span span) { return is_male(span) || is_female(span); }

static bool check_old_number(struct span span)
{
    return span.length == 0 || (span.length == OLD_NUMBER_DIGITS && is_digits(span));
}

static bool check_birth(struct span span)
{
    struct date date;
    return parse_date(span, &date);
}

static bool check_issued(struct span span)
{
    struct date date;
    return span.length == 8 && parse_date(span, &date);
}

static const struct {
    enum field field;
    bool (*check)(struct span span); /* NULL: any plain text */
    const char *wrong;
} checks[] = {
    {NUMBER, check_number, "number: 12 digits allowed"},
    {OLD_NUMBER, check_old_number, "old number: 9 digits or nothing allowed"},
    {NAME, check_name, "name: 1 to 127 bytes of text without control characters allowed"},
    {BIRTH, check_birth, "birth: a real date as ddMMyyyy, MMyyyy or yyyy allowed, year 1900 to 2399"},
    {SEX, check_sex, "sex: Nam or N\u1eef allowed"},
    {RESIDENCE, NULL, "residence: text without control characters allowed"},
    {ISSUED, check_issued, "issued: a real date as ddMMyyyy allowed, year 1900 to 2399"},
};

/* NULL, or what is wrong with the first field that is. */
static const char *check_fields(const struct span *fields, size_t count)
{
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
        struct span span = fields[checks[i].field];
        if (!utf8_plain(span.bytes, span.length) || (checks[i].check != NULL && !checks[i].check(span)))
            return checks[i].wrong;
    }
    for (size_t i = FIELDS_BEFORE_2024; i < count; i++)
        if (!utf8_plain(fields[i].bytes, fields[i].length))
            return "fields 8 to 11: text without control characters allowed";
    return NULL;
}

/* The number's 4th digit tells sex and century, its 5th and 6th the year of birth. Cards with an error in it exist. */
static unsigned warnings_of(const struct span *fields)
{
    int sex_and_century = number_at(fields[NUMBER], 3, 1), year = number_at(fields[NUMBER], 4, 2);
    struct date birth = {0, 0, 0};
    unsigned warnings = 0;

    if (is_female(fields[SEX]) != (sex_and_century % 2 == 1))
        warnings |= CREDENTIAL_WARN_SEX_MISMATCH;
    if (!parse_date(fields[BIRTH], &birth) || birth.year != (19 + sex_and_century / 2) * 100 + year)
        warnings |= CREDENTIAL_WARN_BIRTH_MISMATCH;
    return warnings;
}

bool cccd_recognises(const uint8_t *text, size_t length_bytes)
{
    struct span fields[FIELDS_SINCE_2024];
    size_t count = split(text, length_bytes, fields);

    if (count != FIELDS_BEFORE_2024 && count != FIELDS_SINCE_2024)
        return false;
    if (is_text(fields[count - 1], "$"))
        return false; /* a health-insurance card's end, which goes before */
    /* Twelve that begin with a digit: with a letter further on it is still this card, and broken. */
    return fields[NUMBER].length == NUMBER_DIGITS && is_digits((struct span){fields[NUMBER].bytes, 1});
}

void cccd_read(const uint8_t *text, size_t length_bytes, const struct credential_trust *trust, struct credential *ret)
{
    struct span fields[FIELDS_SINCE_2024];
    size_t count = split(text, length_bytes, fields);

    (void)trust;
    if (!utf8_valid(text, length_bytes)) {
        credential_fail(ret, CREDENTIAL_FAULT_MALFORMED, "text: must be valid UTF-8");
        return;
    }
    const char *wrong = check_fields(fields, count);
    if (wrong != NULL) {
        credential_fail(ret, CREDENTIAL_FAULT_MALFORMED, wrong);
        return;
    }
    memcpy(ret->subject, subject_prefix, sizeof subject_prefix);
    memcpy(ret->subject + sizeof subject_prefix - 1, fields[NUMBER].bytes, NUMBER_DIGITS);
    memcpy(ret->name, fields[NAME].bytes, fields[NAME].length);
    ret->warnings = warnings_of(fields);
}
