/* The site token `QG1:`, read (credential.c's table, journal thread) and written (qrgatectl, tests). */
#include "daemon/credential/token.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "daemon/credential/base45.h"
#include "daemon/credential/cbor_write.h"
#include "daemon/credential/claims.h"
#include "daemon/credential/cose.h"
#include "daemon/credential/recogniser.h"

enum { MESSAGE_MAX_BYTES = CBOR_WRITE_MAX_BYTES, TO_BE_SIGNED_MAX_BYTES = MESSAGE_MAX_BYTES + 32,
       BODY_MAX_BYTES = MESSAGE_MAX_BYTES / 2 * 3, STATUS_NAME_BYTES = 16 };

/* ---- reading ---- */

struct claims_found {
    bool iss, sub, exp, iat, status;
    int64_t not_before_s;
};

static bool copy_status(const struct cbor_value *value, enum declaration_status *ret)
{
    char name[STATUS_NAME_BYTES];

    return claims_text(value, 1, name, sizeof name) && declaration_status_from_name(name, ret);
}

static bool is_ours(int64_t label)
{
    static const int64_t ours[] = {TOKEN_CLAIM_ISS, TOKEN_CLAIM_SUB, TOKEN_CLAIM_EXP, TOKEN_CLAIM_NBF, TOKEN_CLAIM_IAT,
                                   TOKEN_CLAIM_STATUS, TOKEN_CLAIM_NAME, TOKEN_CLAIM_GROUP};

    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++)
        if (ours[i] == label)
            return true;
    return false;
}

static const char *take_claim(int64_t label, const struct cbor_value *value, struct token_claims *claims,
                              struct claims_found *found)
{
    switch (label) {
    case TOKEN_CLAIM_ISS:
        found->iss = claims_text(value, 1, claims->issuer, sizeof claims->issuer);
        return found->iss ? NULL : "claim iss: text of 1 to 63 bytes without control characters allowed";
    case TOKEN_CLAIM_SUB:
        found->sub = claims_text(value, 1, claims->subject, sizeof claims->subject);
        return found->sub ? NULL : "claim sub: text of 1 to 71 bytes without control characters allowed";
    case TOKEN_CLAIM_EXP:
        found->exp = claims_time(value, &claims->expires_at_s);
        return found->exp ? NULL : CLAIMS_BAD_TIME;
    case TOKEN_CLAIM_IAT:
        found->iat = claims_time(value, &claims->issued_at_s);
        return found->iat ? NULL : CLAIMS_BAD_TIME;
    case TOKEN_CLAIM_NBF:
        return claims_time(value, &found->not_before_s) ? NULL : CLAIMS_BAD_TIME;
    case TOKEN_CLAIM_STATUS:
        found->status = copy_status(value, &claims->status);
        return found->status ? NULL : "claim status: green, yellow, red, white, expired, none or revoked allowed";
    case TOKEN_CLAIM_GROUP:
        return claims_text(value, 0, claims->group, sizeof claims->group)
                   ? NULL : "claim group: text of at most 32 bytes without control characters allowed";
    default:
        return claims_text(value, 0, claims->name, sizeof claims->name)
                   ? NULL : "claim name: text of at most 127 bytes without control characters allowed";
    }
}

static const char *read_claim(struct cbor_reader *reader, const struct cbor_value *key, struct token_claims *claims,
                              struct claims_found *found)
{
    static const char broken[] = "claims: a value is not the CBOR allowed";
    struct cbor_value value;
    int64_t label;

    if (!cbor_read_int64(key, &label) || !is_ours(label))
        return cbor_read_skip(reader, 1) < 0 ? broken : NULL;
    return cbor_read_next(reader, &value) < 0 ? broken : take_claim(label, &value, claims, found);
}

/* NULL, or what is wrong. *ret_not_before_s: 0 = the claim isn't there. */
static const char *read_claims(const uint8_t *payload, size_t length_bytes, struct token_claims *claims,
                               int64_t *ret_not_before_s)
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
    *ret_not_before_s = found.not_before_s;
    return NULL;
}

/* The key that verifies. NULL: none does; *ret_named then is the first under this kid, or NULL too. Key ids are not
 * unique by nature: try each. */
static const struct credential_trust_key *find_key(const struct credential_trust *trust,
                                                   const struct cose_message *message, const uint8_t *signed_bytes,
                                                   size_t signed_length, const struct credential_trust_key **ret_named)
{
    *ret_named = NULL;
    if (trust == NULL || message->kid_bytes == 0)
        return NULL;
    for (size_t i = 0; i < trust->count && i < CREDENTIAL_TRUST_KEYS_MAX; i++) {
        const struct credential_trust_key *key = &trust->keys[i];
        if (key->kid_bytes != message->kid_bytes || key->kid_bytes > sizeof key->kid ||
            memcmp(key->kid, message->kid, key->kid_bytes) != 0)
            continue;
        if (*ret_named == NULL)
            *ret_named = key;
        if (cose_verify_eddsa(signed_bytes, signed_length, message, key->public_key))
            return key;
    }
    return NULL;
}

/* Marks how key and signature ended; true when the signature holds. */
static bool verify(const struct credential_trust *trust, const struct cose_message *message,
                   const uint8_t *signed_bytes, size_t signed_length, const struct credential_trust_key **ret_key,
                   struct credential *ret)
{
    const struct credential_trust_key *named;

    *ret_key = find_key(trust, message, signed_bytes, signed_length, &named);
    if (named == NULL) {
        credential_mark_fault(ret, CHECK_KEY, CREDENTIAL_FAULT_KEY_UNKNOWN,
                              message->kid_bytes == 0 ? "header kid: missing" : "header kid: no such key in trust");
        return false;
    }
    ret->checks[CHECK_KEY] = CHECK_PASSED;
    if (*ret_key == NULL) {
        credential_mark_fault(ret, CHECK_SIGNATURE, CREDENTIAL_FAULT_SIGNATURE, "signature: does not hold");
        return false;
    }
    ret->checks[CHECK_SIGNATURE] = CHECK_PASSED;
    ret->is_signed = true;
    return true;
}

/* May this key speak for this issuer, and did it at that time? The day the office signed counts (iat), not the day the
 * token begins (nbf). */
static void check_usage(const struct credential_trust_key *key, const struct token_claims *claims,
                        struct credential *ret)
{
    if (key->issuer[0] != '\0' && strncmp(key->issuer, claims->issuer, sizeof key->issuer) != 0)
        credential_mark_fault(ret, CHECK_KEY_USAGE, CREDENTIAL_FAULT_KEY_UNKNOWN,
                              "claim iss: not the issuer that this key is trusted for");
    else if (key->from_s != 0 && claims->issued_at_s < key->from_s)
        credential_mark_fault(ret, CHECK_KEY_USAGE, CREDENTIAL_FAULT_KEY_NOT_VALID,
                              "claim iat: before the time from which this key is trusted");
    else if (key->until_s != 0 && claims->issued_at_s > key->until_s)
        credential_mark_fault(ret, CHECK_KEY_USAGE, CREDENTIAL_FAULT_KEY_NOT_VALID,
                              "claim iat: after the time until which this key is trusted");
    else
        ret->checks[CHECK_KEY_USAGE] = CHECK_PASSED;
}

static void fill(const struct token_claims *claims, int64_t not_before_s, const uint8_t *signed_bytes,
                 size_t signed_length, struct credential *ret)
{
    uint8_t digest[crypto_hash_sha256_BYTES];

    memcpy(ret->subject, claims->subject, sizeof ret->subject);
    memcpy(ret->group, claims->group, sizeof ret->group);
    ret->has_status = true;
    ret->status = claims->status;
    ret->issued_at_s = not_before_s > claims->issued_at_s ? not_before_s : claims->issued_at_s;
    ret->expires_at_s = claims->expires_at_s;
    (void)crypto_hash_sha256(digest, signed_bytes, signed_length); /* cannot fail: always 0 */
    memcpy(ret->token_id, digest, sizeof ret->token_id);
}

static void read_message(const uint8_t *bytes, size_t length_bytes, const struct credential_trust *trust,
                         struct credential *ret)
{
    uint8_t signed_bytes[TO_BE_SIGNED_MAX_BYTES];
    struct token_claims claims = {.status = STATUS_NONE};
    const struct credential_trust_key *key;
    struct cose_message message;
    int64_t not_before_s;

    const char *wrong = cose_read(bytes, length_bytes, COSE_SIGN1, &message);
    if (wrong == NULL && message.alg != COSE_ALG_EDDSA)
        wrong = "header alg: only -8 (EdDSA) is allowed";
    int signed_length = wrong == NULL ? cose_to_be_signed(&message, signed_bytes, sizeof signed_bytes) : 0;
    if (wrong != NULL || signed_length < 0) {
        credential_fail_check(ret, CHECK_COSE, CREDENTIAL_FAULT_MALFORMED,
                              wrong != NULL ? wrong : "message: 1024 bytes at most are allowed");
        return;
    }
    ret->checks[CHECK_COSE] = CHECK_PASSED;
    bool verified = verify(trust, &message, signed_bytes, (size_t)signed_length, &key, ret);
    if (!verified && !claims_wanted(trust))
        return;
    wrong = read_claims(message.payload, message.payload_bytes, &claims, &not_before_s);
    if (wrong == NULL && !credential_take_name(ret, (const uint8_t *)claims.name, strlen(claims.name)))
        wrong = "claim name: text of at most 127 bytes in NFC allowed";
    if (wrong != NULL) {
        credential_mark_fault(ret, CHECK_CLAIMS, CREDENTIAL_FAULT_MALFORMED, wrong);
        return;
    }
    ret->checks[CHECK_CLAIMS] = CHECK_PASSED;
    if (verified)
        check_usage(key, &claims, ret);
    fill(&claims, not_before_s, signed_bytes, (size_t)signed_length, ret);
}

bool token_recognises(const uint8_t *text, size_t length_bytes)
{
    return claims_prefix(text, length_bytes);
}

void token_read(const uint8_t *text, size_t length_bytes, const struct credential_trust *trust, struct credential *ret)
{
    const char *body = (const char *)text + CLAIMS_PREFIX_BYTES;
    size_t body_bytes = length_bytes - CLAIMS_PREFIX_BYTES;
    uint8_t message[MESSAGE_MAX_BYTES];

    if (body_bytes > BODY_MAX_BYTES) {
        credential_fail_check(ret, CHECK_BASE45, CREDENTIAL_FAULT_MALFORMED,
                              "text: 1536 characters at most are allowed after QG1:");
        return;
    }
    int message_bytes = base45_decode(body, body_bytes, message, sizeof message);
    if (message_bytes < 0) {
        credential_fail_check(ret, CHECK_BASE45, CREDENTIAL_FAULT_MALFORMED,
                              "text: only Base45 of RFC 9285 is allowed after QG1:");
        return;
    }
    ret->checks[CHECK_BASE45] = CHECK_PASSED;
    read_message(message, (size_t)message_bytes, trust, ret);
}

/* ---- writing ---- */

static bool writable(const struct token_claims *claims)
{
    return claims_plain(claims->issuer, 1, sizeof claims->issuer) &&
           claims_plain(claims->subject, 1, sizeof claims->subject) &&
           claims_plain(claims->name, 0, sizeof claims->name) && claims_plain(claims->group, 0, sizeof claims->group) &&
           (unsigned)claims->status < STATUS_COUNT && claims_time_valid(claims->issued_at_s) &&
           claims_time_valid(claims->expires_at_s);
}

/* Keys in the order of RFC 8949's deterministic encoding: the same claims always give the same token. */
static void write_claims(struct cbor_writer *writer, const struct token_claims *claims)
{
    bool named = claims->name[0] != '\0', grouped = claims->group[0] != '\0';

    cbor_write_map(writer, 5u + named + grouped);
    cbor_write_int(writer, TOKEN_CLAIM_ISS);
    cbor_write_text(writer, claims->issuer);
    cbor_write_int(writer, TOKEN_CLAIM_SUB);
    cbor_write_text(writer, claims->subject);
    cbor_write_int(writer, TOKEN_CLAIM_EXP);
    cbor_write_int(writer, claims->expires_at_s);
    cbor_write_int(writer, TOKEN_CLAIM_IAT);
    cbor_write_int(writer, claims->issued_at_s);
    cbor_write_int(writer, TOKEN_CLAIM_STATUS);
    cbor_write_text(writer, declaration_status_name(claims->status));
    if (named) {
        cbor_write_int(writer, TOKEN_CLAIM_NAME);
        cbor_write_text(writer, claims->name);
    }
    if (grouped) {
        cbor_write_int(writer, TOKEN_CLAIM_GROUP);
        cbor_write_text(writer, claims->group);
    }
}

/* The kid goes into the protected header, where nobody can exchange it. */
static void write_header(struct cbor_writer *writer, const uint8_t *kid, size_t kid_bytes)
{
    cbor_write_map(writer, 2);
    cbor_write_int(writer, COSE_HEADER_ALG);
    cbor_write_int(writer, COSE_ALG_EDDSA);
    cbor_write_int(writer, COSE_HEADER_KID);
    cbor_write_bytes(writer, kid, kid_bytes);
}

int token_write(const struct token_claims *claims, const uint8_t *kid, size_t kid_bytes, const uint8_t secret_key[64],
                char *ret_text, size_t text_bytes)
{
    struct cbor_writer header = {.used = 0}, payload = {.used = 0}, whole = {.used = 0};
    uint8_t signed_bytes[TO_BE_SIGNED_MAX_BYTES], signature[crypto_sign_BYTES];

    if (!writable(claims) || kid_bytes == 0 || kid_bytes > CREDENTIAL_KID_MAX_BYTES)
        return -EINVAL;
    write_header(&header, kid, kid_bytes);
    write_claims(&payload, claims);
    struct cose_message message = {.kind = COSE_SIGN1, .header = header.bytes, .header_bytes = header.used,
                                   .payload = payload.bytes, .payload_bytes = payload.used};
    int signed_length = cose_to_be_signed(&message, signed_bytes, sizeof signed_bytes);
    if (header.full || payload.full || signed_length < 0)
        return -EMSGSIZE;
    if (crypto_sign_detached(signature, NULL, signed_bytes, (unsigned long long)signed_length, secret_key) != 0)
        return -EINVAL;

    cbor_write_tag(&whole, COSE_TAG_SIGN1);
    cbor_write_array(&whole, 4);
    cbor_write_bytes(&whole, header.bytes, header.used);
    cbor_write_map(&whole, 0);
    cbor_write_bytes(&whole, payload.bytes, payload.used);
    cbor_write_bytes(&whole, signature, sizeof signature);
    if (whole.full || text_bytes <= CLAIMS_PREFIX_BYTES)
        return -EMSGSIZE;
    memcpy(ret_text, CLAIMS_PREFIX, CLAIMS_PREFIX_BYTES);
    int body = base45_encode(whole.bytes, whole.used, ret_text + CLAIMS_PREFIX_BYTES, text_bytes - CLAIMS_PREFIX_BYTES);
    return body < 0 ? body : body + CLAIMS_PREFIX_BYTES;
}
