/* Reads the personal codes of Decision 1405: split at '|', EXT at '<', each field checked by a table, then filled in.
 * Called through credential.c's table, on the journal thread in qrgated. */
#include "daemon/credential/personal_1405.h"

#include <string.h>

#include "daemon/credential/bhyt.h"
#include "daemon/credential/cccd.h"
#include "daemon/credential/fields.h"
#include "daemon/credential/recogniser.h"
#include "daemon/credential/utf8.h"

enum { NUMBER, NAME, BIRTH, DECLARED_BY, QID, EXT, FIELDS };
enum { EXT_PROXY, EXT_GENDER, EXT_BHYT, EXT_PHONE, EXT_SIGNATURE, EXT_FIELDS }; /* fewer when the rest is empty */
enum { NUMBER_MAX_BYTES = 20, MASKABLE_BYTES = 6, QID_MAX_BYTES = 32, DATE_BYTES = 10 };

static struct field part(struct field field, size_t at, size_t length)
{
    return (struct field){field.bytes + at, length};
}

static bool has_mask(struct field field)
{
    return field.length > 0 && memchr(field.bytes, '*', field.length) != NULL;
}

/* Masks may stand in the first six characters alone. */
static bool check_number(struct field field)
{
    size_t at = 0;

    while (at < field.length && at < MASKABLE_BYTES &&
           (field.bytes[at] == '*' || field_is_letters_or_digits(part(field, at, 1))))
        at++;
    return field.length <= NUMBER_MAX_BYTES && field_is_letters_or_digits(part(field, at, field.length - at));
}

/* YYYY-MM-DD in digits and '*'. */
static bool is_date_shape(struct field field)
{
    static const char shape[DATE_BYTES + 1] = "9999-99-99";

    if (field.length != DATE_BYTES)
        return false;
    for (size_t i = 0; i < DATE_BYTES; i++) {
        uint8_t byte = field.bytes[i];
        bool fits = shape[i] == '-' ? byte == '-' : byte == '*' || (byte >= '0' && byte <= '9');
        if (!fits)
            return false;
    }
    return true;
}

/* Month or day: two digits, or 0 for both masked; -1 for half of it. */
static int number_or_mask(struct field field)
{
    if (field_is(field, "**"))
        return 0;
    int number = field_is_digits(field, 2) ? field_number(field, 0, 2) : -1;
    return number == 0 ? -1 : number;
}

static bool check_birth(struct field field)
{
    if (!is_date_shape(field) || !field_is_digits(part(field, 0, 4), 4))
        return false;
    int year = field_number(field, 0, 4), month = number_or_mask(part(field, 5, 2));
    int day = number_or_mask(part(field, 8, 2));
    /* What is masked is taken as what fits: the first day, and January, which has 31. */
    return date_is_real(day == 0 ? 1 : day, month == 0 ? 1 : month, year);
}

static bool check_name(struct field field) { return field.length > 0; } /* whether it fits shows when it is taken */
static bool check_declared_by(struct field field) { return field_is(field, "0") || field_is(field, "1"); }
static bool check_qid(struct field field) { return field.length <= QID_MAX_BYTES && field_is_letters_or_digits(field); }

static bool check_gender(struct field field)
{
    return field.length == 0 || field_is(field, "0") || field_is(field, "1") || field_is(field, "2");
}

static bool check_bhyt(struct field field)
{
    return field.length == 0 || field_is_zeros(field) || bhyt_is_number(field.bytes, field.length);
}

static const char wrong_name[] = "name: 1 to 127 bytes of text without control characters allowed";
static const struct field_rule rules[] = {
    {NUMBER, check_number, "number: up to 20 letters and digits allowed, of them the first six may be *"},
    {NAME, check_name, wrong_name},
    {BIRTH, check_birth, "birth: a real date as YYYY-MM-DD allowed, MM and DD may be **, year 1900 to 2399"},
    {DECLARED_BY, check_declared_by, "declared by: 0 or 1 allowed"},
    {QID, check_qid, "QID: up to 32 letters and digits allowed"},
};
static const struct field_rule ext_rules[] = {
    {EXT_PROXY, check_qid, "EXT, proxy's QID: up to 32 letters and digits allowed"},
    {EXT_GENDER, check_gender, "EXT, gender: 0, 1, 2 or nothing allowed"},
    {EXT_BHYT, check_bhyt, "EXT, insurance number: 10 digits, 2 capitals and 13 digits, 0s or nothing allowed"},
    {EXT_PHONE, NULL, "EXT, phone: text without control characters allowed"},
    {EXT_SIGNATURE, NULL, "EXT, signature: text without control characters allowed"},
};

static enum cccd_sex sex_of(const struct field *ext, size_t ext_count)
{
    if (ext_count <= EXT_GENDER)
        return CCCD_SEX_UNKNOWN;
    if (field_is(ext[EXT_GENDER], "1"))
        return CCCD_SEX_MALE;
    return field_is(ext[EXT_GENDER], "2") ? CCCD_SEX_FEMALE : CCCD_SEX_UNKNOWN;
}

/* The paper's number as an identity: its prefix, or NULL. */
static const char *prefix_of(struct field number)
{
    if (field_is_zeros(number))
        return NULL;
    if (field_is_digits(number, CCCD_NUMBER_DIGITS))
        return "cccd:";
    return field_is_digits(number, CMND_NUMBER_DIGITS) ? "cmnd:" : NULL;
}

/* NULL, or what is wrong: nothing says whose code it is, and nothing is masked either. */
static const char *put_identity(const struct field *fields, const struct field *ext, size_t ext_count,
                                struct credential *ret)
{
    const char *prefix = prefix_of(fields[NUMBER]);
    bool has_qid = fields[QID].length > 0 && !field_is_zeros(fields[QID]);
    bool number_masked = has_mask(fields[NUMBER]);

    if (prefix == NULL && !has_qid && !number_masked)
        return "number: 12 or 9 digits allowed, another paper's or none only beside a QID";
    if (prefix != NULL)
        subject_put(ret->subject, prefix, fields[NUMBER]);
    if (has_qid && prefix != NULL)
        alias_add(ret, "qid:", fields[QID]);
    else if (has_qid)
        subject_put(ret->subject, "qid:", fields[QID]);
    if (ext_count > EXT_BHYT && bhyt_is_number(ext[EXT_BHYT].bytes, ext[EXT_BHYT].length) &&
        !field_is_zeros(ext[EXT_BHYT]))
        bhyt_alias_add(ret, ext[EXT_BHYT].bytes, ext[EXT_BHYT].length);
    if (number_masked || has_mask(fields[BIRTH]))
        ret->warnings |= CREDENTIAL_WARN_MASKED;
    if (prefix != NULL && fields[NUMBER].length == CCCD_NUMBER_DIGITS)
        ret->warnings |= cccd_number_warnings(fields[NUMBER].bytes, sex_of(ext, ext_count),
                                              field_number(fields[BIRTH], 0, 4));
    return NULL;
}

static const char *read_fields(const uint8_t *text, size_t length_bytes, struct credential *ret)
{
    struct field fields[FIELDS], ext[EXT_FIELDS];

    if (!utf8_valid(text, length_bytes))
        return "text: must be valid UTF-8";
    if (fields_split(text, length_bytes, '|', fields, FIELDS) != FIELDS)
        return "text: 6 fields allowed"; /* recognised, so never */
    const char *wrong = fields_check(rules, sizeof rules / sizeof rules[0], fields, FIELDS);
    if (wrong != NULL)
        return wrong;
    size_t ext_count = fields_split(fields[EXT].bytes, fields[EXT].length, '<', ext, EXT_FIELDS);
    if (ext_count > EXT_FIELDS)
        return "EXT: 5 parts divided by < at most are allowed";
    wrong = fields_check(ext_rules, sizeof ext_rules / sizeof ext_rules[0], ext, ext_count);
    if (wrong != NULL)
        return wrong;
    if (!credential_take_name(ret, fields[NAME].bytes, fields[NAME].length))
        return wrong_name;
    return put_identity(fields, ext, ext_count, ret);
}

bool personal_1405_recognises(const uint8_t *text, size_t length_bytes)
{
    struct field fields[FIELDS];

    return fields_split(text, length_bytes, '|', fields, FIELDS) == FIELDS && is_date_shape(fields[BIRTH]) &&
           check_declared_by(fields[DECLARED_BY]);
}

void personal_1405_read(const uint8_t *text, size_t length_bytes, const struct credential_trust *trust,
                        struct credential *ret)
{
    (void)trust;
    const char *wrong = read_fields(text, length_bytes, ret);
    if (wrong != NULL) {
        credential_fail_check(ret, CHECK_SCHEMA, CREDENTIAL_FAULT_MALFORMED, wrong);
        return;
    }
    ret->checks[CHECK_SCHEMA] = CHECK_PASSED;
}
