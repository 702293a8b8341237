/* Reads health-insurance cards: split at '|', each field checked by a table, the name taken out of its hex. Called
 * through credential.c's table, on the journal thread in qrgated. */
#include "daemon/credential/bhyt.h"

#include <string.h>

#include "daemon/credential/fields.h"
#include "daemon/credential/recogniser.h"
#include "daemon/credential/utf8.h"

enum {
    NUMBER, NAME, BIRTH, SEX, ADDRESS, FIRST_CARE, VALID_FROM, VALID_TO, ISSUED, AUTHORITY, PARENT, AREA, FIVE_YEARS,
    CHECK, BENEFIT, PLACE, FIELDS_MAX = 17
};
enum { SOCIAL_NUMBER_DIGITS = 10, OLD_LETTERS = 2, OLD_DIGITS = 13, TEXT_MAX_BYTES = 512 };

/* The last field, "$", stands behind these many. */
static const size_t lengths[] = {9, 14, 16};

static struct field behind(struct field field, size_t bytes)
{
    return (struct field){field.bytes + bytes, field.length - bytes};
}

bool bhyt_is_number(const uint8_t *number, size_t length_bytes)
{
    struct field field = {number, length_bytes};

    if (field_is_digits(field, SOCIAL_NUMBER_DIGITS))
        return true;
    if (length_bytes != OLD_LETTERS + OLD_DIGITS || !field_is_digits(behind(field, OLD_LETTERS), OLD_DIGITS))
        return false;
    return number[0] >= 'A' && number[0] <= 'Z' && number[1] >= 'A' && number[1] <= 'Z';
}

/* Of a number that bhyt_is_number(). */
static struct field social_number(const uint8_t *number, size_t length_bytes)
{
    return (struct field){number + length_bytes - SOCIAL_NUMBER_DIGITS, SOCIAL_NUMBER_DIGITS};
}

void bhyt_alias_add(struct credential *ret, const uint8_t *number, size_t length_bytes)
{
    alias_add(ret, "bhyt:", social_number(number, length_bytes));
}

static int hex_digit(uint8_t byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    if (byte >= 'a' && byte <= 'f')
        return byte - 'a' + 10;
    return byte >= 'A' && byte <= 'F' ? byte - 'A' + 10 : -1;
}

/* Bytes of the text, 0 when it isn't hex of plain UTF-8 or is longer than the room. */
static size_t decode_hex(struct field field, uint8_t text[TEXT_MAX_BYTES])
{
    size_t length = field.length / 2;

    if (field.length % 2 != 0 || length > TEXT_MAX_BYTES)
        return 0;
    for (size_t i = 0; i < length; i++) {
        int high = hex_digit(field.bytes[2 * i]), low = hex_digit(field.bytes[2 * i + 1]);
        if (high < 0 || low < 0)
            return 0;
        text[i] = (uint8_t)(high << 4 | low);
    }
    return utf8_plain(text, length) ? length : 0;
}

/* One or two digits, then '/'; -1 when it is something else. Goes on behind it. */
static int take_number(struct field *field)
{
    size_t digits = 0;

    while (digits < field->length && digits < 2 && field->bytes[digits] >= '0' && field->bytes[digits] <= '9')
        digits++;
    if (digits == 0 || digits == field->length || field->bytes[digits] != '/')
        return -1;
    int number = field_number(*field, 0, digits);
    *field = behind(*field, digits + 1);
    return number;
}

static bool is_year(struct field field)
{
    return field_is_digits(field, 4) && year_is_real(field_number(field, 0, 4));
}

/* dd/MM/yyyy or d/M/yyyy. */
static bool is_date(struct field field)
{
    int day = take_number(&field), month = day < 0 ? -1 : take_number(&field);

    return month > 0 && is_year(field) && date_is_real(day, month, field_number(field, 0, 4));
}

static bool is_nothing(struct field field)
{
    return field.length == 0 || field_is(field, "-");
}

/* "22 - 001": province, then '-', an en dash or a space, then the place. */
static bool check_first_care(struct field field)
{
    static const char en_dash[] = "\u2013";
    size_t at = 2, parts = 0;

    if (field.length < 6 || !field_is_digits((struct field){field.bytes, 2}, 2))
        return false;
    while (at < field.length) {
        if (field.bytes[at] == ' ')
            at++;
        else if (parts == 0 && field.bytes[at] == '-')
            at++, parts++;
        else if (parts == 0 && field.length - at >= 3 && memcmp(field.bytes + at, en_dash, 3) == 0)
            at += 3, parts++;
        else
            break;
    }
    return field.length - at == 3 && field_is_letters_or_digits(behind(field, at));
}

static bool check_hex(struct field field)
{
    uint8_t text[TEXT_MAX_BYTES];
    return decode_hex(field, text) > 0;
}

static bool check_five_years(struct field field)
{
    while (field.length > 0 && field.bytes[0] == ' ')
        field = behind(field, 1);
    return is_nothing(field) || is_date(field);
}

static bool check_number(struct field field) { return bhyt_is_number(field.bytes, field.length); }
static bool check_birth(struct field field) { return is_year(field) || is_date(field); }
static bool check_sex(struct field field) { return field_is(field, "1") || field_is(field, "2"); }
static bool check_hex_or_nothing(struct field field) { return is_nothing(field) || check_hex(field); }
static bool check_date_or_nothing(struct field field) { return is_nothing(field) || is_date(field); }
static bool check_benefit(struct field field) { return field_is_digits(field, 1); }

static const char wrong_name[] = "name: hex of 1 to 127 bytes of UTF-8 without control characters allowed";
static const struct field_rule rules[] = {
    {NUMBER, check_number, "number: 10 digits, or 2 capitals and 13 digits allowed"},
    {NAME, check_hex, wrong_name},
    {BIRTH, check_birth, "birth: a real date as dd/MM/yyyy, d/M/yyyy or yyyy allowed, year 1900 to 2399"},
    {SEX, check_sex, "sex: 1 or 2 allowed"},
    {ADDRESS, check_hex_or_nothing, "address: hex of UTF-8 (512 bytes at most), - or nothing allowed"},
    {FIRST_CARE, check_first_care, "first-care place: 2 digits, a dash or space, 3 digits or letters allowed"},
    {VALID_FROM, is_date, "valid from: a real date as dd/MM/yyyy or d/M/yyyy allowed"},
    {VALID_TO, check_date_or_nothing, "valid to: a real date as dd/MM/yyyy or d/M/yyyy, - or nothing allowed"},
    {ISSUED, is_date, "issued: a real date as dd/MM/yyyy or d/M/yyyy allowed"},
    {AUTHORITY, NULL, "authority: text without control characters allowed"},
    {PARENT, check_hex_or_nothing, "parent: hex of UTF-8 (512 bytes at most), - or nothing allowed"},
    {AREA, NULL, "area: text without control characters allowed"},
    {FIVE_YEARS, check_five_years, "five-year date: a real date as dd/MM/yyyy or d/M/yyyy, - or nothing allowed"},
    {CHECK, NULL, "check string: text without control characters allowed"},
    {BENEFIT, check_benefit, "benefit: one digit allowed"},
    {PLACE, check_hex_or_nothing, "place: hex of UTF-8 (512 bytes at most), - or nothing allowed"},
};

static bool is_length(size_t count_before_end)
{
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++)
        if (lengths[i] == count_before_end)
            return true;
    return false;
}

static const char *read_fields(const uint8_t *text, size_t length_bytes, struct credential *ret)
{
    struct field fields[FIELDS_MAX];
    uint8_t name[TEXT_MAX_BYTES];

    if (!utf8_valid(text, length_bytes))
        return "text: must be valid UTF-8";
    size_t count = fields_split(text, length_bytes, '|', fields, FIELDS_MAX);
    if (count > FIELDS_MAX || !is_length(count - 1) || !field_is(fields[count - 1], "$"))
        return "text: 10, 15 or 17 fields allowed, the last of them $";
    const char *wrong = fields_check(rules, sizeof rules / sizeof rules[0], fields, count - 1);
    if (wrong != NULL)
        return wrong;
    const size_t name_bytes = decode_hex(fields[NAME], name);
    if (!credential_take_name(ret, name, name_bytes))
        return wrong_name;
    subject_put(ret->subject, "bhyt:", social_number(fields[NUMBER].bytes, fields[NUMBER].length));
    return NULL;
}

bool bhyt_recognises(const uint8_t *text, size_t length_bytes)
{
    const uint8_t *first_end = memchr(text, '|', length_bytes);

    if (first_end == NULL)
        return false;
    if (length_bytes >= 2 && memcmp(text + length_bytes - 2, "|$", 2) == 0)
        return true;
    return bhyt_is_number(text, (size_t)(first_end - text));
}

void bhyt_read(const uint8_t *text, size_t length_bytes, const struct credential_trust *trust, struct credential *ret)
{
    (void)trust;
    const char *wrong = read_fields(text, length_bytes, ret);
    if (wrong != NULL) {
        credential_fail_check(ret, CHECK_SCHEMA, CREDENTIAL_FAULT_MALFORMED, wrong);
        return;
    }
    ret->checks[CHECK_SCHEMA] = CHECK_PASSED;
}
