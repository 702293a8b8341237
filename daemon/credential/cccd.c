/* Reads citizen cards: split at '|' (empty fields kept), each field checked by a table, then filled in. Called through
 * credential.c's table, on the journal thread in qrgated. */
#include "daemon/credential/cccd.h"

#include <string.h>

#include "daemon/credential/fields.h"
#include "daemon/credential/name.h"
#include "daemon/credential/recogniser.h"
#include "daemon/credential/utf8.h"

enum { NUMBER, OLD_NUMBER, NAME, BIRTH, SEX, RESIDENCE, ISSUED, FIELDS_BEFORE_2024, FIELDS_SINCE_2024 = 11 };

/* ddMMyyyy, MMyyyy or yyyy: what precedes the year may be unknown to its owner. The year, 0 = not a date. */
static int year_of(struct field field)
{
    size_t length = field.length;

    if ((length != 4 && length != 6 && length != 8) || !field_is_digits(field, length))
        return 0;
    int year = field_number(field, length - 4, 4), month = length >= 6 ? field_number(field, length - 6, 2) : 1;
    int day = length == 8 ? field_number(field, 0, 2) : 1;
    return date_is_real(day, month, year) ? year : 0;
}

static enum cccd_sex sex_of(struct field field)
{
    char sex[8]; /* "Nữ" and a few that are neither */
    bool changed;

    if (!name_normalise(field.bytes, field.length, sex, sizeof sex, &changed))
        return CCCD_SEX_UNKNOWN;
    if (strcmp(sex, "Nam") == 0)
        return CCCD_SEX_MALE;
    return strcmp(sex, "N\u1eef") == 0 ? CCCD_SEX_FEMALE : CCCD_SEX_UNKNOWN;
}

static bool check_number(struct field field) { return field_is_digits(field, CCCD_NUMBER_DIGITS); }
static bool check_old(struct field field) { return field.length == 0 || field_is_digits(field, CMND_NUMBER_DIGITS); }
static bool check_name(struct field field) { return field.length > 0; } /* whether it fits shows when it is taken */
static bool check_birth(struct field field) { return year_of(field) != 0; }
static bool check_sex(struct field field) { return sex_of(field) != CCCD_SEX_UNKNOWN; }
static bool check_issued(struct field field) { return field.length == 8 && year_of(field) != 0; }

static const char wrong_name[] = "name: 1 to 127 bytes of text without control characters allowed";
static const char wrong_empty[] = "fields 8 to 11: text without control characters allowed";
static const struct field_rule rules[] = {
    {NUMBER, check_number, "number: 12 digits allowed"},
    {OLD_NUMBER, check_old, "old number: 9 digits or nothing allowed"},
    {NAME, check_name, wrong_name},
    {BIRTH, check_birth, "birth: a real date as ddMMyyyy, MMyyyy or yyyy allowed, year 1900 to 2399"},
    {SEX, check_sex, "sex: Nam or N\u1eef allowed"},
    {RESIDENCE, NULL, "residence: text without control characters allowed"},
    {ISSUED, check_issued, "issued: a real date as ddMMyyyy allowed, year 1900 to 2399"},
    {7, NULL, wrong_empty}, {8, NULL, wrong_empty}, {9, NULL, wrong_empty}, {10, NULL, wrong_empty},
};

/* The number's 4th digit tells sex and century, its 5th and 6th the year of birth. Cards with an error in it exist. */
unsigned cccd_number_warnings(const uint8_t number[CCCD_NUMBER_DIGITS], enum cccd_sex sex, int birth_year)
{
    int sex_and_century = number[3] - '0', year = (number[4] - '0') * 10 + (number[5] - '0');
    unsigned warnings = 0;

    if (sex != CCCD_SEX_UNKNOWN && (sex == CCCD_SEX_FEMALE) != (sex_and_century % 2 == 1))
        warnings |= CREDENTIAL_WARN_SEX_MISMATCH;
    if (birth_year != (19 + sex_and_century / 2) * 100 + year)
        warnings |= CREDENTIAL_WARN_BIRTH_MISMATCH;
    return warnings;
}

bool cccd_recognises(const uint8_t *text, size_t length_bytes)
{
    struct field fields[FIELDS_SINCE_2024];
    size_t count = fields_split(text, length_bytes, '|', fields, FIELDS_SINCE_2024);

    if (count != FIELDS_BEFORE_2024 && count != FIELDS_SINCE_2024)
        return false;
    /* Twelve that begin with a digit: with a letter further on it is still this card, and broken. */
    return fields[NUMBER].length == CCCD_NUMBER_DIGITS && field_is_digits((struct field){fields[NUMBER].bytes, 1}, 1);
}

void cccd_read(const uint8_t *text, size_t length_bytes, const struct credential_trust *trust, struct credential *ret)
{
    struct field fields[FIELDS_SINCE_2024];
    size_t count = fields_split(text, length_bytes, '|', fields, FIELDS_SINCE_2024);

    (void)trust;
    const char *wrong = NULL;
    if (!utf8_valid(text, length_bytes))
        wrong = "text: must be valid UTF-8";
    else if (count != FIELDS_BEFORE_2024 && count != FIELDS_SINCE_2024)
        wrong = "text: 7 or 11 fields allowed"; /* recognised, so never */
    else
        wrong = fields_check(rules, sizeof rules / sizeof rules[0], fields, count);
    if (wrong == NULL && !credential_take_name(ret, fields[NAME].bytes, fields[NAME].length))
        wrong = wrong_name;
    if (wrong != NULL) {
        credential_fail_check(ret, CHECK_SCHEMA, CREDENTIAL_FAULT_MALFORMED, wrong);
        return;
    }
    subject_put(ret->subject, "cccd:", fields[NUMBER]);
    if (fields[OLD_NUMBER].length > 0 && !field_is_zeros(fields[OLD_NUMBER]))
        alias_add(ret, "cmnd:", fields[OLD_NUMBER]);
    ret->warnings |= cccd_number_warnings(fields[NUMBER].bytes, sex_of(fields[SEX]), year_of(fields[BIRTH]));
    ret->checks[CHECK_SCHEMA] = CHECK_PASSED;
}
