/* Values of claims, checked. Used by token.c and rotating.c, on the journal thread in qrgated. */
#include "daemon/credential/claims.h"

#include <string.h>

#include "daemon/credential/token.h"
#include "daemon/credential/utf8.h"

bool claims_prefix(const uint8_t *text, size_t length_bytes)
{
    return length_bytes >= CLAIMS_PREFIX_BYTES && memcmp(text, CLAIMS_PREFIX, CLAIMS_PREFIX_BYTES) == 0;
}

bool claims_text(const struct cbor_value *value, size_t least_bytes, char *dst, size_t dst_bytes)
{
    if (value->kind != CBOR_READ_TEXT || value->number < least_bytes || value->number >= dst_bytes)
        return false;
    size_t length = (size_t)value->number;
    if (!utf8_plain(value->bytes, length))
        return false;
    if (length > 0)
        memcpy(dst, value->bytes, length);
    dst[length] = '\0';
    return true;
}

bool claims_time_valid(int64_t at_s)
{
    return at_s >= 1 && at_s <= TOKEN_TIME_MAX_S;
}

/* A NumericDate: an integer or a float. Comparing before the cast keeps NaN, infinities and giants out of it. */
bool claims_time(const struct cbor_value *value, int64_t *ret_s)
{
    int64_t seconds;

    if (value->kind == CBOR_READ_FLOAT) {
        if (!(value->real >= 1.0 && value->real <= (double)TOKEN_TIME_MAX_S))
            return false;
        *ret_s = (int64_t)value->real;
        return true;
    }
    if (!cbor_read_int64(value, &seconds) || !claims_time_valid(seconds))
        return false;
    *ret_s = seconds;
    return true;
}

bool claims_plain(const char *text, size_t least_bytes, size_t size_bytes)
{
    size_t length = strnlen(text, size_bytes);

    return length >= least_bytes && length < size_bytes && utf8_plain((const uint8_t *)text, length);
}

bool claims_wanted(const struct credential_trust *trust)
{
    return trust != NULL && trust->explain;
}
