/* The rotating token, read (credential.c's table, journal thread) and written (the holder's side: qrgatectl, tests). */
#include "daemon/credential/rotating.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "daemon/credential/base45.h"
#include "daemon/credential/cbor_write.h"
#include "daemon/credential/claims.h"
#include "daemon/credential/cose.h"
#include "daemon/credential/recogniser.h"
#include "daemon/credential/token.h"

/* The widest message that rotating_write() makes has 162 bytes; the rest is for claims yet to be invented. */
enum { MESSAGE_MAX_BYTES = 256, TO_BE_SIGNED_MAX_BYTES = MESSAGE_MAX_BYTES + 32,
       BODY_MAX_CHARS = MESSAGE_MAX_BYTES / 2 * 3,
       OPENING_CHARS = 6, OPENING_BYTES = 4, /* as much of the Base45 as two tags may need */
       HOLDER_MAX_BYTES = 2 + CREDENTIAL_SUBJECT_BYTES + 8 + ROTATING_SERIAL_BYTES };
#define STEP_MAX (TOKEN_TIME_MAX_S / ROTATING_STEP_S)

static const char provision_prefix[] = "QGS1:";
enum { PROVISION_PREFIX_BYTES = sizeof provision_prefix - 1 };

/* ---- keys ---- */

void rotating_key_from_site_key(const uint8_t site_key[32], uint8_t ret_rotation_key[ROTATING_KEY_BYTES])
{
    static const uint8_t label[] = "qrgate rotation key 1";

    (void)crypto_auth_hmacsha256(ret_rotation_key, label, sizeof label - 1, site_key); /* cannot fail: always 0 */
}

/* What the secret is made from and an id is given to: every claim but the step. */
static size_t put_holder(const struct rotating_holder *holder, uint8_t dst[HOLDER_MAX_BYTES])
{
    size_t length = strnlen(holder->subject, sizeof holder->subject - 1), used = 0;

    dst[used++] = (uint8_t)(length >> 8);
    dst[used++] = (uint8_t)length;
    memcpy(dst + used, holder->subject, length);
    used += length;
    for (int shift = 56; shift >= 0; shift -= 8)
        dst[used++] = (uint8_t)((uint64_t)holder->expires_at_s >> shift);
    memcpy(dst + used, holder->serial, sizeof holder->serial);
    return used + sizeof holder->serial;
}

void rotating_derive(const uint8_t rotation_key[ROTATING_KEY_BYTES], struct rotating_holder *holder)
{
    static const uint8_t label[] = "qrgate rotating token 1";
    crypto_auth_hmacsha256_state state;
    uint8_t bytes[HOLDER_MAX_BYTES];

    /* none of the three can fail: always 0 */
    (void)crypto_auth_hmacsha256_init(&state, rotation_key, ROTATING_KEY_BYTES);
    (void)crypto_auth_hmacsha256_update(&state, label, sizeof label - 1);
    (void)crypto_auth_hmacsha256_update(&state, bytes, put_holder(holder, bytes));
    (void)crypto_auth_hmacsha256_final(&state, holder->secret);
    sodium_memzero(&state, sizeof state);
}

void rotating_token_id(const struct rotating_holder *holder, uint8_t ret_id[CREDENTIAL_TOKEN_ID_BYTES])
{
    static const uint8_t label[] = "qrgate rotating token id 1";
    uint8_t bytes[sizeof label - 1 + HOLDER_MAX_BYTES], digest[crypto_hash_sha256_BYTES];

    memcpy(bytes, label, sizeof label - 1);
    size_t length = sizeof label - 1 + put_holder(holder, bytes + sizeof label - 1);
    (void)crypto_hash_sha256(digest, bytes, length); /* cannot fail: always 0 */
    memcpy(ret_id, digest, CREDENTIAL_TOKEN_ID_BYTES);
}

/* ---- claims, of the code and of the provisioning text ---- */

struct claims {
    struct rotating_holder *holder;
    int64_t step;
    bool sub, exp, serial, step_found, secret;
};

static bool take_bytes(const struct cbor_value *value, uint8_t *dst, size_t dst_bytes)
{
    if (value->kind != CBOR_READ_BYTES || value->number != dst_bytes)
        return false;
    memcpy(dst, value->bytes, dst_bytes);
    return true;
}

static const char *take_claim(int64_t label, const struct cbor_value *value, struct claims *claims)
{
    struct rotating_holder *holder = claims->holder;

    switch (label) {
    case ROTATING_CLAIM_SUB:
        claims->sub = claims_text(value, 1, holder->subject, sizeof holder->subject);
        return claims->sub ? NULL : "claim sub: text of 1 to 71 bytes without control characters allowed";
    case ROTATING_CLAIM_EXP:
        claims->exp = claims_time(value, &holder->expires_at_s);
        return claims->exp ? NULL : CLAIMS_BAD_TIME;
    case ROTATING_CLAIM_SERIAL:
        claims->serial = take_bytes(value, holder->serial, sizeof holder->serial);
        return claims->serial ? NULL : "claim cti: a byte string of 8 allowed";
    case ROTATING_CLAIM_STEP:
        claims->step_found = cbor_read_int64(value, &claims->step) && claims->step >= 1 && claims->step <= STEP_MAX;
        return claims->step_found ? NULL : "claim step: an integer from 1 to 8446743359 allowed";
    default:
        claims->secret = take_bytes(value, holder->secret, sizeof holder->secret);
        return claims->secret ? NULL : "claim secret: a byte string of 32 allowed";
    }
}

static const char *read_claim(struct cbor_reader *reader, const struct cbor_value *key, struct claims *claims)
{
    static const char broken[] = "claims: a value is not the CBOR allowed";
    struct cbor_value value;
    int64_t label;

    if (!cbor_read_int64(key, &label))
        label = 0; /* a text key: none of ours */
    bool ours = label == ROTATING_CLAIM_SUB || label == ROTATING_CLAIM_EXP || label == ROTATING_CLAIM_SERIAL ||
                label == ROTATING_CLAIM_STEP || label == ROTATING_CLAIM_SECRET;
    if (!ours)
        return cbor_read_skip(reader, 1) < 0 ? broken : NULL;
    return cbor_read_next(reader, &value) < 0 ? broken : take_claim(label, &value, claims);
}

/* NULL, or what is wrong. Which claims must be there is the caller's question. */
static const char *read_claims(const uint8_t *bytes, size_t length_bytes, struct claims *claims)
{
    struct cbor_reader reader = {.bytes = bytes, .length_bytes = length_bytes};
    struct cbor_value map, key;
    struct cbor_keys keys;

    keys.count = 0;
    if (cbor_read_next(&reader, &map) < 0 || map.kind != CBOR_READ_MAP)
        return "claims: must be a CBOR map of definite length";
    for (uint64_t i = 0; i < map.number; i++) {
        if (cbor_read_key(&reader, &keys, &key) < 0)
            return "claims: keys must be integers or text, each once, 32 at most";
        const char *wrong = read_claim(&reader, &key, claims);
        if (wrong != NULL)
            return wrong;
    }
    return cbor_read_ended(&reader) ? NULL : "claims: bytes after their end";
}

/* ---- reading a code ---- */

/* Tag 17 is the first thing in the message, behind 61 at most. Six characters say so, whatever comes after them. */
bool rotating_recognises(const uint8_t *text, size_t length_bytes)
{
    uint8_t opening[OPENING_BYTES];
    struct cbor_value value = {.kind = CBOR_READ_SIMPLE};

    if (!claims_prefix(text, length_bytes) || length_bytes < CLAIMS_PREFIX_BYTES + OPENING_CHARS ||
        base45_decode((const char *)text + CLAIMS_PREFIX_BYTES, OPENING_CHARS, opening, sizeof opening) < 0)
        return false;
    struct cbor_reader reader = {.bytes = opening, .length_bytes = sizeof opening};
    if (cbor_read_next(&reader, &value) == 0 && value.kind == CBOR_READ_TAG && value.number == COSE_TAG_CWT &&
        cbor_read_next(&reader, &value) < 0)
        return false;
    return value.kind == CBOR_READ_TAG && value.number == COSE_TAG_MAC0;
}

/* NULL, or what is wrong, with the check that found it. */
static const char *read_message(const uint8_t *bytes, size_t length_bytes, struct cose_message *message,
                                struct claims *claims, enum credential_check *ret_check)
{
    *ret_check = CHECK_COSE;
    const char *wrong = cose_read(bytes, length_bytes, COSE_MAC0, message);
    if (wrong == NULL && message->alg != COSE_ALG_HMAC256)
        wrong = "header alg: only 5 (HMAC 256/256) is allowed";
    if (wrong != NULL)
        return wrong;
    *ret_check = CHECK_CLAIMS;
    wrong = read_claims(message->payload, message->payload_bytes, claims);
    if (wrong == NULL && claims->secret)
        wrong = "claim secret: never allowed in a code that is shown";
    if (wrong == NULL && (!claims->sub || !claims->exp || !claims->serial || !claims->step_found))
        wrong = "claims: sub, exp, cti and step are all required";
    return wrong;
}

/* Marks how key and MAC ended. The secret is made anew from what the code claims, so a claim that was changed after the
 * provisioning asks for a secret that its holder doesn't have. */
static void verify(const struct credential_trust *trust, const struct cose_message *message,
                   struct rotating_holder *holder, struct credential *ret)
{
    uint8_t to_be_signed[TO_BE_SIGNED_MAX_BYTES];

    if (trust == NULL || !trust->has_rotation_key) {
        credential_mark_fault(ret, CHECK_KEY, CREDENTIAL_FAULT_KEY_UNKNOWN,
                              "key: this reader has no site key, so no rotating code can be checked");
        return;
    }
    ret->checks[CHECK_KEY] = CHECK_PASSED;
    int length = cose_to_be_signed(message, to_be_signed, sizeof to_be_signed);
    const uint8_t *const keys[] = {trust->rotation_key, trust->has_old_rotation_key ? trust->old_rotation_key : NULL};
    bool holds = false;
    for (int i = 0; i < 2 && keys[i] != NULL && !holds; i++) {
        rotating_derive(keys[i], holder);
        holds = length >= 0 && cose_verify_hmac(to_be_signed, (size_t)length, message, holder->secret);
    }
    sodium_memzero(holder->secret, sizeof holder->secret);
    if (!holds) {
        credential_mark_fault(ret, CHECK_SIGNATURE, CREDENTIAL_FAULT_SIGNATURE,
                              "MAC: does not hold: of another site, or changed");
        return;
    }
    ret->checks[CHECK_SIGNATURE] = CHECK_PASSED;
    ret->is_signed = true;
}

static void fill(const struct rotating_holder *holder, int64_t step, struct credential *ret)
{
    memcpy(ret->subject, holder->subject, sizeof ret->subject);
    ret->expires_at_s = holder->expires_at_s;
    ret->rotation_step = step;
    rotating_token_id(holder, ret->token_id);
}

void rotating_read(const uint8_t *text, size_t length_bytes, const struct credential_trust *trust, struct credential *ret)
{
    const char *body = (const char *)text + CLAIMS_PREFIX_BYTES;
    size_t body_chars = length_bytes - CLAIMS_PREFIX_BYTES;
    uint8_t bytes[MESSAGE_MAX_BYTES];
    struct rotating_holder holder = {.expires_at_s = 0};
    struct claims claims = {.holder = &holder};
    struct cose_message message;
    enum credential_check check;

    int message_bytes = body_chars > BODY_MAX_CHARS ? -EMSGSIZE : base45_decode(body, body_chars, bytes, sizeof bytes);
    if (message_bytes < 0) {
        credential_fail_check(ret, CHECK_BASE45, CREDENTIAL_FAULT_MALFORMED,
                              "text: at most 384 characters of Base45 (RFC 9285) are allowed after QG1:");
        return;
    }
    ret->checks[CHECK_BASE45] = CHECK_PASSED;
    const char *wrong = read_message(bytes, (size_t)message_bytes, &message, &claims, &check);
    if (check == CHECK_CLAIMS)
        ret->checks[CHECK_COSE] = CHECK_PASSED;
    if (wrong != NULL) {
        credential_fail_check(ret, check, CREDENTIAL_FAULT_MALFORMED, wrong);
        return;
    }
    ret->checks[CHECK_CLAIMS] = CHECK_PASSED;
    verify(trust, &message, &holder, ret);
    if (ret->fault == CREDENTIAL_OK || claims_wanted(trust))
        fill(&holder, claims.step, ret);
}

/* ---- the holder's side ---- */

static bool writable(const struct rotating_holder *holder)
{
    return claims_plain(holder->subject, 1, sizeof holder->subject) && claims_time_valid(holder->expires_at_s);
}

static void write_holder(struct cbor_writer *writer, const struct rotating_holder *holder)
{
    cbor_write_map(writer, 4);
    cbor_write_int(writer, ROTATING_CLAIM_SUB);
    cbor_write_text(writer, holder->subject);
    cbor_write_int(writer, ROTATING_CLAIM_EXP);
    cbor_write_int(writer, holder->expires_at_s);
    cbor_write_int(writer, ROTATING_CLAIM_SERIAL);
    cbor_write_bytes(writer, holder->serial, sizeof holder->serial);
}

static int write_text(const char *prefix, const struct cbor_writer *writer, char *ret_text, size_t text_bytes)
{
    size_t prefix_bytes = strlen(prefix);

    if (writer->full || text_bytes <= prefix_bytes)
        return -EMSGSIZE;
    memcpy(ret_text, prefix, prefix_bytes);
    int body = base45_encode(writer->bytes, writer->used, ret_text + prefix_bytes, text_bytes - prefix_bytes);
    return body < 0 ? body : body + (int)prefix_bytes;
}

int rotating_write(const struct rotating_holder *holder, int64_t step, char *ret_text, size_t text_bytes)
{
    static const uint8_t header[] = {0xa1, COSE_HEADER_ALG, COSE_ALG_HMAC256};
    struct cbor_writer payload = {.used = 0}, whole = {.used = 0};
    uint8_t to_be_signed[TO_BE_SIGNED_MAX_BYTES], tag[crypto_auth_hmacsha256_BYTES];

    if (!writable(holder) || step < 1 || step > STEP_MAX)
        return -EINVAL;
    write_holder(&payload, holder);
    cbor_write_int(&payload, ROTATING_CLAIM_STEP);
    cbor_write_int(&payload, step);
    struct cose_message message = {.kind = COSE_MAC0, .header = header, .header_bytes = sizeof header,
                                   .payload = payload.bytes, .payload_bytes = payload.used};
    int length = cose_to_be_signed(&message, to_be_signed, sizeof to_be_signed);
    if (payload.full || length < 0)
        return -EMSGSIZE;
    (void)crypto_auth_hmacsha256(tag, to_be_signed, (unsigned long long)length, holder->secret); /* always 0 */

    cbor_write_tag(&whole, COSE_TAG_MAC0);
    cbor_write_array(&whole, 4);
    cbor_write_bytes(&whole, header, sizeof header);
    cbor_write_map(&whole, 0);
    cbor_write_bytes(&whole, payload.bytes, payload.used);
    cbor_write_bytes(&whole, tag, sizeof tag);
    return write_text(CLAIMS_PREFIX, &whole, ret_text, text_bytes);
}

int rotating_provision_write(const struct rotating_holder *holder, char *ret_text, size_t text_bytes)
{
    struct cbor_writer writer = {.used = 0};

    if (!writable(holder))
        return -EINVAL;
    write_holder(&writer, holder);
    cbor_write_int(&writer, ROTATING_CLAIM_SECRET);
    cbor_write_bytes(&writer, holder->secret, sizeof holder->secret);
    int length = write_text(provision_prefix, &writer, ret_text, text_bytes);
    sodium_memzero(&writer, sizeof writer);
    return length;
}

int rotating_provision_read(const char *text, struct rotating_holder *ret)
{
    uint8_t bytes[MESSAGE_MAX_BYTES];
    struct claims claims = {.holder = ret};
    int result = -EBADMSG;

    memset(ret, 0, sizeof *ret);
    size_t length = strnlen(text, ROTATING_PROVISION_BYTES);
    if (length == ROTATING_PROVISION_BYTES || strncmp(text, provision_prefix, PROVISION_PREFIX_BYTES) != 0)
        return -EBADMSG;
    int decoded = base45_decode(text + PROVISION_PREFIX_BYTES, length - PROVISION_PREFIX_BYTES, bytes, sizeof bytes);
    if (decoded >= 0 && read_claims(bytes, (size_t)decoded, &claims) == NULL && claims.sub && claims.exp &&
        claims.serial && claims.secret && !claims.step_found)
        result = 0;
    sodium_memzero(bytes, sizeof bytes);
    if (result < 0)
        sodium_memzero(ret, sizeof *ret);
    return result;
}
