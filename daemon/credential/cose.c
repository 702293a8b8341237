/* COSE_Sign1 and COSE_Mac0, of which Debian packages no library: small enough over the pull reader. Used by token.c,
 * rotating.c and dcc.c, on the journal thread in qrgated. */
#include "daemon/credential/cose.h"

#include <cbor.h>
#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <sodium.h>
#include <string.h>

#include "daemon/credential/cbor_read.h"

enum { ES256_HALF_BYTES = 32, ES256_BYTES = 2 * ES256_HALF_BYTES, EDDSA_BYTES = 64, HMAC256_BYTES = 32,
       ES256_DER_MAX_BYTES = 72 };

/* What differs between the kinds. */
static const struct {
    uint64_t tag;
    const char *wrong_opening;
    const char *context; /* what the signed structure begins with, CBOR already: an array of 4 and a text */
} kinds[] = {
    [COSE_SIGN1] = {COSE_TAG_SIGN1, "message: must be an array of 4, untagged or with tag 18 or 61(18)",
                    "\x84\x6a" "Signature1"},
    [COSE_MAC0] = {COSE_TAG_MAC0, "message: must be an array of 4, untagged or with tag 17 or 61(17)",
                   "\x84\x64" "MAC0"},
};

/* What the two header maps say together. `lenient`: something was met that only EU issuers are allowed. */
struct headers {
    bool has_alg, has_kid, empty;
    int64_t alg;
    const uint8_t *kid;
    size_t kid_bytes;
    const char *lenient;
};

/* The EU's algorithms: its issuers write things that a site's own issuer has no reason to. */
static bool is_lenient(int64_t alg)
{
    return alg == COSE_ALG_ES256 || alg == COSE_ALG_PS256;
}

/* The protected header is read first, so what it says is there already and wins. */
static const char *take_alg(const struct cbor_value *value, bool is_protected, struct headers *headers)
{
    int64_t alg;

    if (!cbor_read_int64(value, &alg))
        return "header alg: only the integer of an algorithm is allowed";
    if (!is_protected)
        headers->lenient = "header alg: allowed in the protected header only";
    if (!headers->has_alg)
        headers->alg = alg;
    headers->has_alg = true;
    return NULL;
}

static const char *take_kid(const struct cbor_value *value, struct headers *headers)
{
    if (value->kind != CBOR_READ_BYTES)
        return "header kid: only a byte string is allowed";
    if (headers->has_kid) {
        headers->lenient = "header kid: allowed once only";
        return NULL;
    }
    headers->has_kid = true;
    headers->kid = value->bytes;
    headers->kid_bytes = (size_t)value->number;
    return NULL;
}

static const char *read_header(struct cbor_reader *reader, const struct cbor_value *key, bool is_protected,
                               struct headers *headers)
{
    struct cbor_value value;
    int64_t label;

    if (!cbor_read_int64(key, &label))
        label = 0; /* a text label: none of ours */
    if (label == COSE_HEADER_CRIT)
        return "header crit: not allowed";
    if (label != COSE_HEADER_ALG && label != COSE_HEADER_KID)
        return cbor_read_skip(reader, is_protected ? 1 : 2) < 0 ? "header: a value is not the CBOR allowed" : NULL;
    if (cbor_read_next(reader, &value) < 0)
        return "header: a value is not the CBOR allowed";
    return label == COSE_HEADER_ALG ? take_alg(&value, is_protected, headers) : take_kid(&value, headers);
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
    if (is_protected)
        headers->empty = map.number == 0;
    return NULL;
}

/* No protected headers may be written as an empty map or as no bytes at all; what is signed then is no bytes at all. */
static const char *read_protected(struct cose_message *message, struct headers *headers)
{
    struct cbor_reader reader = {.bytes = message->header, .length_bytes = message->header_bytes};

    if (message->header_bytes == 0)
        return NULL;
    const char *wrong = read_headers(&reader, true, headers);
    if (wrong != NULL)
        return wrong;
    if (!cbor_read_ended(&reader))
        return "protected header: bytes after its end";
    if (headers->empty)
        message->header_bytes = 0;
    return NULL;
}

/* The array's head, behind its own tag, 61 and its own, its own twice, or none. */
static bool read_opening(struct cbor_reader *reader, uint64_t tag, struct headers *headers)
{
    struct cbor_value value;

    if (cbor_read_next(reader, &value) < 0)
        return false;
    bool tagged = value.kind == CBOR_READ_TAG;
    if (tagged) {
        uint64_t first = value.number;
        if ((first != COSE_TAG_CWT && first != tag) || cbor_read_next(reader, &value) < 0)
            return false;
        if (first == COSE_TAG_CWT && value.kind != CBOR_READ_TAG)
            return false;
        if (value.kind == CBOR_READ_TAG) {
            if (first == tag)
                headers->lenient = "message: a tag is allowed once only";
            if (value.number != tag || cbor_read_next(reader, &value) < 0)
                return false;
        }
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

/* Of -7 and -37 the length is left to the verifying: there a wrong one is a signature that doesn't hold. */
static const char *check_alg(const struct cose_message *message, const struct headers *headers)
{
    if (!headers->has_alg)
        return "header alg: missing, must be in the protected header";
    if (is_lenient(message->alg))
        return message->signature_bytes <= COSE_SIGNATURE_MAX_BYTES ? NULL
                                                                    : "signature: 512 bytes at most are allowed";
    if (headers->lenient != NULL)
        return headers->lenient;
    if (message->kind == COSE_SIGN1 && message->alg == COSE_ALG_EDDSA && message->signature_bytes != EDDSA_BYTES)
        return "signature: must be a byte string of 64";
    if (message->kind == COSE_MAC0 && message->alg == COSE_ALG_HMAC256 && message->signature_bytes != HMAC256_BYTES)
        return "signature: must be a byte string of 32";
    return NULL;
}

const char *cose_read(const uint8_t *message, size_t length_bytes, enum cose_kind kind, struct cose_message *ret)
{
    struct cbor_reader reader = {.bytes = message, .length_bytes = length_bytes};
    struct headers headers = {.has_alg = false};
    const char *wrong;

    *ret = (struct cose_message){.kind = kind};
    if (length_bytes > COSE_MESSAGE_MAX_BYTES)
        return "message: 32768 bytes at most are allowed";
    if (!read_opening(&reader, kinds[kind].tag, &headers))
        return kinds[kind].wrong_opening;
    if (!read_bytes(&reader, &ret->header, &ret->header_bytes))
        return "protected header: must be a byte string of definite length";
    wrong = read_protected(ret, &headers);
    if (wrong == NULL)
        wrong = read_headers(&reader, false, &headers);
    if (wrong != NULL)
        return wrong;
    if (!read_bytes(&reader, &ret->payload, &ret->payload_bytes))
        return "payload: must be a byte string of definite length";
    if (!read_bytes(&reader, &ret->signature, &ret->signature_bytes))
        return "signature: must be a byte string of definite length";
    if (!cbor_read_ended(&reader))
        return "message: bytes after its end";
    ret->alg = headers.alg;
    ret->kid = headers.kid;
    ret->kid_bytes = headers.kid_bytes;
    return check_alg(ret, &headers);
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

int cose_to_be_signed(const struct cose_message *message, uint8_t *dst, size_t dst_bytes)
{
    const char *context = kinds[message->kind].context;
    size_t used = strlen(context);

    if (dst_bytes < used)
        return -EMSGSIZE;
    memcpy(dst, context, used);
    if (!put_bytes(message->header, message->header_bytes, dst, dst_bytes, &used) ||
        !put_bytes(NULL, 0, dst, dst_bytes, &used) ||
        !put_bytes(message->payload, message->payload_bytes, dst, dst_bytes, &used))
        return -EMSGSIZE;
    return (int)used;
}

bool cose_verify_eddsa(const uint8_t *to_be_signed, size_t length_bytes, const struct cose_message *message,
                       const uint8_t public_key[32])
{
    return message->alg == COSE_ALG_EDDSA && message->signature_bytes == EDDSA_BYTES &&
           crypto_sign_verify_detached(message->signature, to_be_signed, length_bytes, public_key) == 0;
}

bool cose_verify_hmac(const uint8_t *to_be_signed, size_t length_bytes, const struct cose_message *message,
                      const uint8_t key[32])
{
    return message->alg == COSE_ALG_HMAC256 && message->signature_bytes == HMAC256_BYTES &&
           crypto_auth_hmacsha256_verify(message->signature, to_be_signed, length_bytes, key) == 0;
}

/* One half of r || s as a DER integer: no zeros before it but the one that keeps it positive. */
static size_t put_der_integer(const uint8_t half[ES256_HALF_BYTES], uint8_t *dst)
{
    size_t skipped = 0;

    while (skipped < ES256_HALF_BYTES - 1 && half[skipped] == 0)
        skipped++;
    size_t length = ES256_HALF_BYTES - skipped, sign = half[skipped] >> 7;
    dst[0] = 0x02;
    dst[1] = (uint8_t)(length + sign);
    dst[2] = 0;
    memcpy(dst + 2 + sign, half + skipped, length);
    return 2 + sign + length;
}

/* OpenSSL wants ECDSA signatures as a DER sequence, COSE has the bare numbers. */
static size_t es256_to_der(const uint8_t *signature, uint8_t dst[ES256_DER_MAX_BYTES])
{
    size_t used = 2;

    used += put_der_integer(signature, dst + used);
    used += put_der_integer(signature + ES256_HALF_BYTES, dst + used);
    dst[0] = 0x30;
    dst[1] = (uint8_t)(used - 2);
    return used;
}

static bool set_pss(EVP_PKEY_CTX *key_context)
{
    return EVP_PKEY_CTX_set_rsa_padding(key_context, RSA_PKCS1_PSS_PADDING) > 0 &&
           EVP_PKEY_CTX_set_rsa_pss_saltlen(key_context, RSA_PSS_SALTLEN_DIGEST) > 0;
}

bool cose_verify_openssl(const uint8_t *to_be_signed, size_t length_bytes, const struct cose_message *message,
                         struct evp_pkey_st *key, int key_alg)
{
    uint8_t der[ES256_DER_MAX_BYTES];
    const uint8_t *signature = message->signature;
    size_t signature_bytes = message->signature_bytes;
    EVP_PKEY_CTX *key_context; /* the digest context owns it */
    bool holds = false;

    if (message->alg != key_alg || !is_lenient(key_alg) || (key_alg == COSE_ALG_ES256 && signature_bytes != ES256_BYTES))
        return false;
    if (key_alg == COSE_ALG_ES256) {
        signature_bytes = es256_to_der(signature, der);
        signature = der;
    }
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (context != NULL &&
        EVP_DigestVerifyInit_ex(context, &key_context, OSSL_DIGEST_NAME_SHA2_256, NULL, NULL, key, NULL) > 0 &&
        (key_alg == COSE_ALG_ES256 || set_pss(key_context)))
        holds = EVP_DigestVerify(context, signature, signature_bytes, to_be_signed, length_bytes) == 1;
    EVP_MD_CTX_free(context);
    ERR_clear_error(); /* a forged signature is no error to keep for this thread's next caller */
    return holds;
}
