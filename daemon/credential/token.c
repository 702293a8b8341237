/* The site token `QG1:`, read (credential.c's table, journal thread) and written (qrgatectl, tests). */
#include "daemon/credential/token.h"

#include <cbor.h>
#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "daemon/credential/base45.h"
#include "daemon/credential/cbor_read.h"
#include "daemon/credential/cose.h"
#include "daemon/credential/recogniser.h"
#include "daemon/credential/utf8.h"

static const char prefix[] = "QG1:";
enum { PREFIX_BYTES = sizeof prefix - 1, BODY_MAX_BYTES = COSE_MESSAGE_MAX_BYTES / 2 * 3, STATUS_NAME_BYTES = 16 };

/* ---- reading ---- */

struct claims_found {
    bool iss, sub, exp, iat, status;
    int64_t not_before_s;
};

static bool copy_text(const struct cbor_value *value, size_t least_bytes, char *dst, size_t dst_bytes)
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

/* A NumericDate: an integer or a float. Comparing before the cast keeps NaN, infinities and giants out of it. */
static bool copy_time(const struct cbor_value *value, int64_t *ret_s)
{
    int64_t seconds;

    if (value->kind == CBOR_READ_FLOAT) {
        if (!(value->real >= 1.0 && value->real <= (double)TOKEN_TIME_MAX_S))
            return false;
        *ret_s = (int64_t)value->real;
        return true;
    }
    if (!cbor_read_int64(value, &seconds) || seconds < 1 || seconds > TOKEN_TIME_MAX_S)
        return false;
    *ret_s = seconds;
    return true;
}

static bool copy_status(const struct cbor_value *value, enum declaration_status *ret)
{
    char name[STATUS_NAME_BYTES];

    return copy_text(value, 1, name, sizeof name) && declaration_status_from_name(name, ret);
}

static const char *read_claim(struct cbor_reader *reader, const struct cbor_value *key, struct token_claims *claims,
                              struct claims_found *found)
{
    static const char bad_time[] = "claims exp, iat, nbf: seconds from 1 to 253402300799 allowed, integer or float";
    struct cbor_value value;
    int64_t label;

    if (!cbor_read_int64(key, &label))
        label = 0; /* a text key: none of ours */
    switch (label) {
    case TOKEN_CLAIM_ISS: case TOKEN_CLAIM_SUB: case TOKEN_CLAIM_EXP: case TOKEN_CLAIM_NBF: case TOKEN_CLAIM_IAT:
    case TOKEN_CLAIM_STATUS: case TOKEN_CLAIM_NAME:
        break;
    default:
        return cbor_read_skip(reader, 1) < 0 ? "claims: a value is not the CBOR allowed" : NULL;
    }
    if (cbor_read_next(reader, &value) < 0)
        return "claims: a value is not the CBOR allowed";
    switch (label) {
    case TOKEN_CLAIM_ISS:
        found->iss = copy_text(&value, 1, claims->issuer, sizeof claims->issuer);
        return found->iss ? NULL : "claim iss: text of 1 to 63 bytes without control characters allowed";
    case TOKEN_CLAIM_SUB:
        found->sub = copy_text(&value, 1, claims->subject, sizeof claims->subject);
        return found->sub ? NULL : "claim sub: text of 1 to 71 bytes without control characters allowed";
    case TOKEN_CLAIM_EXP:
        found->exp = copy_time(&value, &claims->expires_at_s);
        return found->exp ? NULL : bad_time;
    case TOKEN_CLAIM_IAT:
        found->iat = copy_time(&value, &claims->issued_at_s);
        return found->iat ? NULL : bad_time;
    case TOKEN_CLAIM_NBF:
        return copy_time(&value, &found->not_before_s) ? NULL : bad_time;
    case TOKEN_CLAIM_STATUS:
        found->status = copy_status(&value, &claims->status);
        return found->status ? NULL : "claim status: green, yellow, red, expired, none or revoked allowed";
    default:
        return copy_text(&value, 0, claims->name, sizeof claims->name)
                   ? NULL : "claim name: text of at most 127 bytes without control characters allowed";
    }
}

/* NULL, or what is wrong. */
static const char *read_claims(const uint8_t *payload, size_t length_bytes, struct token_claims *claims)
{
    struct cbor_reader reader = {.bytes = payload, .length_bytes = length_bytes};
    struct claims_found found = {.not_before_s = 0};
    struct cbor_value map, key;
    struct cbor_keys keys;

    keys.count = 0;
    if (cbor_read_next(&reader, &map) < 0 || map.kind != CBOR_READ_MAP)
        return "claims: must be a CBOR map of definite length";
    for (uint64_t i = 0; i < map.number; i++) {
        if (cbor_read_key(&reader, &keys, &key) < 0)
            return "claims: keys must be integers or text, each once, 32 at most";
        const char *wrong = read_claim(&reader, &key, claims, &found);
        if (wrong != NULL)
            return wrong;
    }
    if (!cbor_read_ended(&reader))
        return "claims: bytes after their end";
    if (!found.iss || !found.sub || !found.exp || !found.iat || !found.status)
        return "claims: iss, sub, exp, iat and status are all required";
    if (found.not_before_s > claims->issued_at_s)
        claims->issued_at_s = found.not_before_s;
    return NULL;
}

/* The key that verifies; NULL with *ret_fault says why there is none. Key ids are not unique by nature: try each. */
static const struct credential_trust_key *find_key(const struct credential_trust *trust, const struct cose_sign1 *sign1,
                                                   const uint8_t *signed_bytes, size_t signed_length,
                                                   enum credential_fault *ret_fault)
{
    *ret_fault = CREDENTIAL_FAULT_KEY_UNKNOWN;
    if (trust == NULL || sign1->kid_bytes == 0)
        return NULL;
    for (size_t i = 0; i < trust->count && i < CREDENTIAL_TRUST_KEYS_MAX; i++) {
        const struct credential_trust_key *key = &trust->keys[i];
        if (key->kid_bytes != sign1->kid_bytes || key->kid_bytes > sizeof key->kid ||
            memcmp(key->kid, sign1->kid, key->kid_bytes) != 0)
            continue;
        *ret_fault = CREDENTIAL_FAULT_SIGNATURE;
        if (cose_verify(signed_bytes, signed_length, sign1->signature, key->public_key))
            return key;
    }
    return NULL;
}

static void fill(const struct token_claims *claims, const uint8_t *signed_bytes, size_t signed_length,
                 struct credential *ret)
{
    uint8_t digest[crypto_hash_sha256_BYTES];

    memcpy(ret->subject, claims->subject, sizeof ret->subject);
    memcpy(ret->name, claims->name, sizeof ret->name);
    ret->has_status = true;
    ret->status = claims->status;
    ret->issued_at_s = claims->issued_at_s;
    ret->expires_at_s = claims->expires_at_s;
    (void)crypto_hash_sha256(digest, signed_bytes, signed_length); /* cannot fail: always 0 */
    memcpy(ret->token_id, digest, sizeof ret->token_id);
}

bool token_recognises(const uint8_t *text, size_t length_bytes)
{
    return length_bytes >= PREFIX_BYTES && memcmp(text, prefix, PREFIX_BYTES) == 0;
}

void token_read(const uint8_t *text, size_t length_bytes, const struct credential_trust *trust, struct credential *ret)
{
    const char *body = (const char *)text + PREFIX_BYTES;
    size_t body_bytes = length_bytes - PREFIX_BYTES;
    uint8_t message[COSE_MESSAGE_MAX_BYTES], signed_bytes[COSE_TO_BE_SIGNED_MAX_BYTES];
    struct token_claims claims = {.status = STATUS_NONE};
    struct cose_sign1 sign1;
    enum credential_fault fault;

    if (body_bytes > BODY_MAX_BYTES) {
        credential_fail(ret, CREDENTIAL_FAULT_MALFORMED, "text: 1536 characters at most are allowed after QG1:");
        return;
    }
    int message_bytes = base45_decode(body, body_bytes, message, sizeof message);
    if (message_bytes < 0) {
        credential_fail(ret, CREDENTIAL_FAULT_MALFORMED, "text: only Base45 of RFC 9285 is allowed after QG1:");
        return;
    }
    const char *wrong = cose_sign1_read(message, (size_t)message_bytes, &sign1);
    if (wrong != NULL) {
        credential_fail(ret, CREDENTIAL_FAULT_MALFORMED, wrong);
        return;
    }
    int signed_length = cose_to_be_signed(&sign1, signed_bytes, sizeof signed_bytes);
    if (signed_length < 0) {
        credential_fail(ret, CREDENTIAL_FAULT_MALFORMED, "message: 1024 bytes at most are allowed");
        return;
    }
    const struct credential_trust_key *key = find_key(trust, &sign1, signed_bytes, (size_t)signed_length, &fault);
    if (key == NULL) {
        const char *unknown = sign1.kid_bytes == 0 ? "header kid: missing" : "header kid: no such key in trust";
        credential_fail(ret, fault, fault == CREDENTIAL_FAULT_SIGNATURE ? "signature: does not hold" : unknown);
        return;
    }
    wrong = read_claims(sign1.payload, sign1.payload_bytes, &claims);
    if (wrong != NULL) {
        credential_fail(ret, CREDENTIAL_FAULT_MALFORMED, wrong);
        return;
    }
    if (key->issuer[0] != '\0' && strncmp(key->issuer, claims.issuer, sizeof key->issuer) != 0) {
        credential_fail(ret, CREDENTIAL_FAULT_KEY_UNKNOWN, "claim iss: not the issuer that this key is trusted for");
        return;
    }
    fill(&claims, signed_bytes, (size_t)signed_length, ret);
}

/* ---- writing ---- */

/* Bytes that grow until they don't fit; then `full`, looked at once at the end. */
struct writer {
    uint8_t bytes[COSE_MESSAGE_MAX_BYTES];
    size_t used;
    bool full;
};

static uint8_t *room(struct writer *writer)
{
    return writer->bytes + writer->used;
}

static size_t left(const struct writer *writer)
{
    return sizeof writer->bytes - writer->used;
}

static void advance(struct writer *writer, size_t written)
{
    writer->used += written;
    if (written == 0)
        writer->full = true;
}

static void put_raw(struct writer *writer, const void *bytes, size_t length_bytes)
{
    if (length_bytes > left(writer)) {
        writer->full = true;
        return;
    }
    memcpy(room(writer), bytes, length_bytes);
    writer->used += length_bytes;
}

static void put_int(struct writer *writer, int64_t number)
{
    advance(writer, number >= 0 ? cbor_encode_uint((uint64_t)number, room(writer), left(writer))
                                : cbor_encode_negint((uint64_t)(-1 - number), room(writer), left(writer)));
}

static void put_text(struct writer *writer, const char *text)
{
    advance(writer, cbor_encode_string_start(strlen(text), room(writer), left(writer)));
    put_raw(writer, text, strlen(text));
}

static void put_bytes(struct writer *writer, const void *bytes, size_t length_bytes)
{
    advance(writer, cbor_encode_bytestring_start(length_bytes, room(writer), left(writer)));
    put_raw(writer, bytes, length_bytes);
}

static bool plain(const char *text, size_t least_bytes, size_t size_bytes)
{
    size_t length = strnlen(text, size_bytes);
    return length >= least_bytes && length < size_bytes && utf8_plain((const uint8_t *)text, length);
}

static bool writable(const struct token_claims *claims)
{
    return plain(claims->issuer, 1, sizeof claims->issuer) && plain(claims->subject, 1, sizeof claims->subject) &&
           plain(claims->name, 0, sizeof claims->name) && (unsigned)claims->status < STATUS_COUNT &&
           claims->issued_at_s >= 1 && claims->issued_at_s <= TOKEN_TIME_MAX_S &&
           claims->expires_at_s >= 1 && claims->expires_at_s <= TOKEN_TIME_MAX_S;
}

/* Keys in the order of RFC 8949's deterministic encoding: the same claims always give the same token. */
static void put_claims(struct writer *writer, const struct token_claims *claims)
{
    bool named = claims->name[0] != '\0';

    advance(writer, cbor_encode_map_start(named ? 6 : 5, room(writer), left(writer)));
    put_int(writer, TOKEN_CLAIM_ISS);
    put_text(writer, claims->issuer);
    put_int(writer, TOKEN_CLAIM_SUB);
    put_text(writer, claims->subject);
    put_int(writer, TOKEN_CLAIM_EXP);
    put_int(writer, claims->expires_at_s);
    put_int(writer, TOKEN_CLAIM_IAT);
    put_int(writer, claims->issued_at_s);
    put_int(writer, TOKEN_CLAIM_STATUS);
    put_text(writer, declaration_status_name(claims->status));
    if (named) {
        put_int(writer, TOKEN_CLAIM_NAME);
        put_text(writer, claims->name);
    }
}

/* The kid goes into the protected header, where nobody can exchange it. */
static void put_header(struct writer *writer, const uint8_t *kid, size_t kid_bytes)
{
    advance(writer, cbor_encode_map_start(2, room(writer), left(writer)));
    put_int(writer, COSE_HEADER_ALG);
    put_int(writer, COSE_ALG_EDDSA);
    put_int(writer, COSE_HEADER_KID);
    put_bytes(writer, kid, kid_bytes);
}

int token_write(const struct token_claims *claims, const uint8_t *kid, size_t kid_bytes, const uint8_t secret_key[64],
                char *ret_text, size_t text_bytes)
{
    struct writer header = {.used = 0}, payload = {.used = 0}, message = {.used = 0};
    uint8_t signed_bytes[COSE_TO_BE_SIGNED_MAX_BYTES], signature[COSE_SIGNATURE_BYTES];

    if (!writable(claims) || kid_bytes == 0 || kid_bytes > CREDENTIAL_KID_MAX_BYTES)
        return -EINVAL;
    put_header(&header, kid, kid_bytes);
    put_claims(&payload, claims);
    struct cose_sign1 sign1 = {.header = header.bytes, .header_bytes = header.used,
                               .payload = payload.bytes, .payload_bytes = payload.used};
    int signed_length = cose_to_be_signed(&sign1, signed_bytes, sizeof signed_bytes);
    if (header.full || payload.full || signed_length < 0)
        return -EMSGSIZE;
    if (crypto_sign_detached(signature, NULL, signed_bytes, (unsigned long long)signed_length, secret_key) != 0)
        return -EINVAL;

    advance(&message, cbor_encode_tag(COSE_TAG_SIGN1, room(&message), left(&message)));
    advance(&message, cbor_encode_array_start(4, room(&message), left(&message)));
    put_bytes(&message, header.bytes, header.used);
    advance(&message, cbor_encode_map_start(0, room(&message), left(&message)));
    put_bytes(&message, payload.bytes, payload.used);
    put_bytes(&message, signature, sizeof signature);
    if (message.full || text_bytes <= PREFIX_BYTES)
        return -EMSGSIZE;
    memcpy(ret_text, prefix, PREFIX_BYTES);
    int body = base45_encode(message.bytes, message.used, ret_text + PREFIX_BYTES, text_bytes - PREFIX_BYTES);
    return body < 0 ? body : body + PREFIX_BYTES;
}
