/* COSE_Sign1, of which Debian packages no library: small enough over the pull reader. Used by token.c, on the journal
 * thread in qrgated. */
#include "daemon/credential/cose.h"

#include <cbor.h>
#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "daemon/credential/cbor_read.h"

/* What the two header maps say together. */
struct headers {
    bool has_alg, has_kid;
    const uint8_t *kid;
    size_t kid_bytes;
};

static const char *read_header(struct cbor_reader *reader, const struct cbor_value *key, bool is_protected,
                               struct headers *headers)
{
    struct cbor_value value;
    int64_t label, alg;

    if (!cbor_read_int64(key, &label))
        label = 0; /* a text label: none of ours */
    if (label == COSE_HEADER_CRIT)
        return "header crit: not allowed";
    if (label != COSE_HEADER_ALG && label != COSE_HEADER_KID)
        return cbor_read_skip(reader, is_protected ? 1 : 2) < 0 ? "header: a value is not the CBOR allowed" : NULL;
    if (cbor_read_next(reader, &value) < 0)
        return "header: a value is not the CBOR allowed";
    if (label == COSE_HEADER_ALG) {
        if (!is_protected)
            return "header alg: allowed in the protected header only";
        if (!cbor_read_int64(&value, &alg) || alg != COSE_ALG_EDDSA)
            return "header alg: only -8 (EdDSA) is allowed";
        headers->has_alg = true;
        return NULL;
    }
    if (value.kind != CBOR_READ_BYTES)
        return "header kid: only a byte string is allowed";
    if (headers->has_kid)
        return "header kid: allowed once only";
    headers->has_kid = true;
    headers->kid = value.bytes;
    headers->kid_bytes = (size_t)value.number;
    return NULL;
}

static const char *read_headers(struct cbor_reader *reader, bool is_protected, struct headers *headers)
{
    struct cbor_value map, key;
    struct cbor_keys keys;

    keys.count = 0;
    if (cbor_read_next(reader, &map) < 0 || map.kind != CBOR_READ_MAP)
        return is_protected ? "protected header: must be a CBOR map" : "unprotected header: must be a CBOR map";
    for (uint64_t i = 0; i < map.number; i++) {
        if (cbor_read_key(reader, &keys, &key) < 0)
            return "header: labels must be integers or text, each once, 32 at most";
        const char *wrong = read_header(reader, &key, is_protected, headers);
        if (wrong != NULL)
            return wrong;
    }
    return NULL;
}

static const char *read_protected(const struct cose_sign1 *sign1, struct headers *headers)
{
    struct cbor_reader reader = {.bytes = sign1->header, .length_bytes = sign1->header_bytes};
    const char *wrong = read_headers(&reader, true, headers);

    if (wrong != NULL)
        return wrong;
    if (!cbor_read_ended(&reader))
        return "protected header: bytes after its end";
    return headers->has_alg ? NULL : "header alg: missing, must be -8 (EdDSA) in the protected header";
}

/* The array's head, behind tag 18, tags 61 and 18, or none. */
static bool read_opening(struct cbor_reader *reader)
{
    struct cbor_value value;

    if (cbor_read_next(reader, &value) < 0)
        return false;
    if (value.kind == CBOR_READ_TAG && value.number == COSE_TAG_CWT) {
        if (cbor_read_next(reader, &value) < 0 || value.kind != CBOR_READ_TAG || value.number != COSE_TAG_SIGN1)
            return false;
    }
    if (value.kind == CBOR_READ_TAG) {
        if (value.number != COSE_TAG_SIGN1 || cbor_read_next(reader, &value) < 0)
            return false;
    }
    return value.kind == CBOR_READ_ARRAY && value.number == 4;
}

static bool read_bytes(struct cbor_reader *reader, const uint8_t **ret_bytes, size_t *ret_length)
{
    struct cbor_value value;

    if (cbor_read_next(reader, &value) < 0 || value.kind != CBOR_READ_BYTES)
        return false;
    *ret_bytes = value.bytes;
    *ret_length = (size_t)value.number;
    return true;
}

const char *cose_sign1_read(const uint8_t *message, size_t length_bytes, struct cose_sign1 *ret)
{
    struct cbor_reader reader = {.bytes = message, .length_bytes = length_bytes};
    struct headers headers = {.has_alg = false};
    size_t signature_bytes;
    const char *wrong;

    if (length_bytes > COSE_MESSAGE_MAX_BYTES)
        return "message: 1024 bytes at most are allowed";
    if (!read_opening(&reader))
        return "message: must be an array of 4, untagged or with tag 18 or 61(18)";
    if (!read_bytes(&reader, &ret->header, &ret->header_bytes))
        return "protected header: must be a byte string of definite length";
    wrong = read_protected(ret, &headers);
    if (wrong == NULL)
        wrong = read_headers(&reader, false, &headers);
    if (wrong != NULL)
        return wrong;
    if (!read_bytes(&reader, &ret->payload, &ret->payload_bytes))
        return "payload: must be a byte string of definite length";
    if (!read_bytes(&reader, &ret->signature, &signature_bytes) || signature_bytes != COSE_SIGNATURE_BYTES)
        return "signature: must be a byte string of 64";
    if (!cbor_read_ended(&reader))
        return "message: bytes after its end";
    ret->kid = headers.kid;
    ret->kid_bytes = headers.kid_bytes;
    return NULL;
}

static bool put_bytes(const uint8_t *bytes, size_t length_bytes, uint8_t *dst, size_t dst_bytes, size_t *used)
{
    size_t head = cbor_encode_bytestring_start(length_bytes, dst + *used, dst_bytes - *used);

    if (head == 0 || dst_bytes - *used - head < length_bytes)
        return false;
    if (length_bytes > 0)
        memcpy(dst + *used + head, bytes, length_bytes);
    *used += head + length_bytes;
    return true;
}

int cose_to_be_signed(const struct cose_sign1 *sign1, uint8_t *dst, size_t dst_bytes)
{
    static const uint8_t opening[] = {0x84, 0x6a, 'S', 'i', 'g', 'n', 'a', 't', 'u', 'r', 'e', '1'};
    size_t used = sizeof opening;

    if (dst_bytes < sizeof opening)
        return -EMSGSIZE;
    memcpy(dst, opening, sizeof opening);
    if (!put_bytes(sign1->header, sign1->header_bytes, dst, dst_bytes, &used) ||
        !put_bytes(NULL, 0, dst, dst_bytes, &used) ||
        !put_bytes(sign1->payload, sign1->payload_bytes, dst, dst_bytes, &used))
        return -EMSGSIZE;
    return (int)used;
}

bool cose_verify(const uint8_t *to_be_signed, size_t length_bytes, const uint8_t signature[COSE_SIGNATURE_BYTES],
                 const uint8_t public_key[32])
{
    return crypto_sign_verify_detached(signature, to_be_signed, length_bytes, public_key) == 0;
}
