/* Single values of a health certificate. Used by dcc_claims.c, on the journal thread in qrgated. */
#include "daemon/credential/dcc_value.h"

#include <errno.h>
#include <string.h>

#include "daemon/credential/dcc_time.h"
#include "daemon/credential/utf8.h"

enum { TAG_TIME_TEXT = 0, TAG_TIME_NUMBER = 1, TAG_DATE_TEXT = 1004, TEXT_MAX_CHARACTERS = 80, DOSES_MAX = 1000 };
#define TIME_MAX_S INT64_C(253402300799) /* the end of the year 9999 */
#define MILLISECONDS_LEAST INT64_C(1500000000000) /* of the year 2017; as seconds it would be far in the future */

int dcc_scalar_read(struct cbor_reader *reader, struct dcc_scalar *ret)
{
    struct cbor_reader before = *reader;

    ret->tagged = false;
    if (cbor_read_next(reader, &ret->value) < 0)
        return -EBADMSG;
    uint64_t tag = ret->value.number;
    if (ret->value.kind == CBOR_READ_TAG && (tag == TAG_TIME_TEXT || tag == TAG_TIME_NUMBER || tag == TAG_DATE_TEXT)) {
        if (cbor_read_next(reader, &ret->value) < 0)
            return -EBADMSG;
        ret->tagged = true;
    }
    if (ret->value.kind != CBOR_READ_TAG && ret->value.kind != CBOR_READ_ARRAY && ret->value.kind != CBOR_READ_MAP)
        return 0;
    *reader = before;
    return cbor_read_skip(reader, DCC_NESTED_DEPTH);
}

/* Comparing before the cast keeps NaN, infinities and giants out of it. */
bool dcc_seconds_read(const struct cbor_value *value, int64_t *ret_s)
{
    int64_t seconds;

    if (value->kind == CBOR_READ_FLOAT) {
        if (!(value->real >= 1.0 && value->real <= (double)TIME_MAX_S))
            return false;
        *ret_s = (int64_t)value->real;
        return true;
    }
    if (!cbor_read_int64(value, &seconds) || seconds < 1 || seconds > TIME_MAX_S)
        return false;
    *ret_s = seconds;
    return true;
}

static size_t characters(const struct cbor_value *text)
{
    size_t count = 0;

    for (size_t i = 0; i < text->number; i++)
        count += (text->bytes[i] & 0xc0) != 0x80;
    return count;
}

/* Cut at the room, never inside a character. */
static bool keep_text(const struct cbor_value *text, char *dst, size_t room)
{
    size_t length = (size_t)text->number;

    if (room == 0)
        return true;
    if (!utf8_plain(text->bytes, length))
        return false;
    if (length >= room) {
        length = room - 1;
        while (length > 0 && (text->bytes[length] & 0xc0) == 0x80)
            length--;
    }
    memcpy(dst, text->bytes, length);
    dst[length] = '\0';
    return true;
}

/* No rule of ours looks at it, so one that an issuer left empty is no reason to refuse its holder. */
static bool keep_country(const struct cbor_value *text, char *dst, size_t room)
{
    bool has_letter = text->number == 0;

    for (size_t i = 0; i < text->number; i++)
        has_letter = has_letter || (text->bytes[i] >= 'A' && text->bytes[i] <= 'Z');
    return has_letter && (text->number >= room || keep_text(text, dst, room));
}

static bool is_standard(const struct cbor_value *text)
{
    for (size_t i = 0; i < text->number; i++)
        if (text->bytes[i] != '<' && (text->bytes[i] < 'A' || text->bytes[i] > 'Z'))
            return false;
    return true;
}

static bool is_version(const struct cbor_value *text)
{
    size_t parts = 1, digits = 0;

    for (size_t i = 0; i < text->number; i++) {
        if (text->bytes[i] == '.' && digits > 0) {
            parts++;
            digits = 0;
        } else if (text->bytes[i] >= '0' && text->bytes[i] <= '9') {
            digits++;
        } else {
            return false;
        }
    }
    return parts == 3 && digits > 0;
}

bool dcc_text_is(const struct cbor_value *text, const char *other)
{
    return text->number == strlen(other) && memcmp(text->bytes, other, (size_t)text->number) == 0;
}

static bool keep_result(const struct cbor_value *text, bool *ret_detected)
{
    *ret_detected = dcc_text_is(text, "260373001");
    return *ret_detected || dcc_text_is(text, "260415000");
}

static bool keep_slice(const struct cbor_value *text, struct dcc_text *ret)
{
    *ret = (struct dcc_text){text->bytes, (size_t)text->number};
    return true;
}

static bool keep_count(const struct cbor_value *value, int *ret)
{
    int64_t count;

    if (value->kind == CBOR_READ_FLOAT) { /* JSON knows one kind of number, and some issuers come from there */
        if (!(value->real >= 1.0 && value->real <= DOSES_MAX))
            return false;
        *ret = (int)value->real;
        return (double)*ret == value->real;
    }
    if (!cbor_read_int64(value, &count) || count < 1 || count > DOSES_MAX)
        return false;
    *ret = (int)count;
    return true;
}

/* The first issuers wrote a test's time as an integer of milliseconds; the schema never knew it. */
static bool keep_milliseconds(const struct cbor_value *value, int64_t *ret_s)
{
    int64_t milliseconds;

    if (!cbor_read_int64(value, &milliseconds) || milliseconds < MILLISECONDS_LEAST || milliseconds / 1000 > TIME_MAX_S)
        return false;
    *ret_s = milliseconds / 1000;
    return true;
}

static bool keep_time(const struct dcc_scalar *scalar, enum dcc_form form, int64_t *ret_s)
{
    const struct cbor_value *value = &scalar->value;

    if (value->kind == CBOR_READ_TEXT)
        return form == DCC_FORM_DATE ? dcc_date_read(value->bytes, (size_t)value->number, ret_s)
                                 : dcc_time_read(value->bytes, (size_t)value->number, ret_s);
    if (scalar->tagged)
        return dcc_seconds_read(value, ret_s);
    return form == DCC_FORM_TIME && keep_milliseconds(value, ret_s);
}

bool dcc_value_keep(const struct dcc_scalar *scalar, enum dcc_form form, void *ret, size_t room)
{
    const struct cbor_value *value = &scalar->value;
    bool is_text = value->kind == CBOR_READ_TEXT && !scalar->tagged;
    bool is_short = is_text && characters(value) <= TEXT_MAX_CHARACTERS;

    switch (form) {
    case DCC_FORM_TEXT: return is_text && keep_text(value, ret, room);
    case DCC_FORM_SHORT: return is_short && keep_text(value, ret, room);
    case DCC_FORM_COUNTRY: return is_text && keep_country(value, ret, room);
    case DCC_FORM_NAME: return is_short && utf8_plain(value->bytes, (size_t)value->number) && keep_slice(value, ret);
    case DCC_FORM_STANDARD: return is_short && is_standard(value) && keep_slice(value, ret);
    case DCC_FORM_VERSION: return is_text && is_version(value);
    case DCC_FORM_BIRTH:
        return is_text && dcc_birth_date_valid(value->bytes, (size_t)value->number) && keep_text(value, ret, room);
    case DCC_FORM_DATE: case DCC_FORM_TIME: return keep_time(scalar, form, ret);
    case DCC_FORM_COUNT: return keep_count(value, ret);
    case DCC_FORM_RESULT: return is_text && keep_result(value, ret);
    case DCC_FORM_NAMES: case DCC_FORM_ENTRIES: break;
    }
    return false;
}
