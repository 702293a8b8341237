/* Fuzzes all that a stranger's code reaches before the verdict: credential_read() and decide(). With libFuzzer:
 *   clang -fsanitize=fuzzer,address,undefined …
 * An input that begins with byte 00, 01 or 02 is turned into a token first:
 *   00  the rest is the COSE message, put into Base45
 *   01  the rest is the claims, signed with a trusted key, so that the parser behind the signature is reached
 *   02  the next byte is the length of a protected header, then it, then the claims; signed too
 * Anything else is the code as it was read. */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/credential/base45.h"
#include "daemon/credential/cose.h"
#include "daemon/credential/utf8.h"
#include "daemon/decision/decision.h"

enum { NOW_S = 1790000000, TEXT_BYTES = 1 << 16 };

static void require(bool holds, const char *what)
{
    if (holds)
        return;
    (void)fprintf(stderr, "fuzz_credential: broken: %s\n", what);
    abort();
}

static void make_trust(struct credential_trust *trust, uint8_t secret_key[64])
{
    static const uint8_t seed[32] = {1};

    *trust = (struct credential_trust){.count = 1, .keys = {{.kid = "qg01", .kid_bytes = 4}}};
    require(crypto_sign_seed_keypair(trust->keys[0].public_key, secret_key, seed) == 0, "key");
}

static size_t put(uint8_t *dst, size_t used, const uint8_t *bytes, size_t length)
{
    dst[used++] = 0x59; /* a byte string with its length in two bytes */
    dst[used++] = (uint8_t)(length >> 8);
    dst[used++] = (uint8_t)length;
    if (length > 0)
        memcpy(dst + used, bytes, length);
    return used + length;
}

/* The message of header and claims, signed; 0 when too long to be worth it. */
static size_t sign(const uint8_t *header, size_t header_bytes, const uint8_t *claims, size_t claims_bytes,
                   const uint8_t secret_key[64], uint8_t *message)
{
    struct cose_message sign1 = {.kind = COSE_SIGN1, .alg = COSE_ALG_EDDSA, .header = header, .header_bytes = header_bytes,
                               .payload = claims, .payload_bytes = claims_bytes};
    static uint8_t signed_bytes[COSE_TO_BE_SIGNED_MAX_BYTES];
    uint8_t signature[64];
    int length = cose_to_be_signed(&sign1, signed_bytes, sizeof signed_bytes);

    if (length < 0)
        return 0;
    require(crypto_sign_detached(signature, NULL, signed_bytes, (unsigned long long)length, secret_key) == 0, "sign");
    size_t used = 0;
    message[used++] = 0x84;
    used = put(message, used, header, header_bytes);
    message[used++] = 0xa0;
    used = put(message, used, claims, claims_bytes);
    return put(message, used, signature, sizeof signature);
}

static size_t make_token(const uint8_t *data, size_t size, const uint8_t secret_key[64], char *text)
{
    static const uint8_t header[] = {0xa2, 0x01, 0x27, 0x04, 0x44, 'q', 'g', '0', '1'};
    static uint8_t message[COSE_TO_BE_SIGNED_MAX_BYTES + 128];
    size_t used = 0;

    if (data[0] == 0 && size - 1 <= sizeof message) {
        memcpy(message, data + 1, size - 1);
        used = size - 1;
    } else if (data[0] == 1) {
        used = sign(header, sizeof header, data + 1, size - 1, secret_key, message);
    } else if (data[0] == 2 && size >= 2) {
        size_t header_bytes = data[1] < size - 2 ? data[1] : size - 2;
        used = sign(data + 2, header_bytes, data + 2 + header_bytes, size - 2 - header_bytes, secret_key, message);
    }
    memcpy(text, "QG1:", 4);
    int body = base45_encode(message, used, text + 4, TEXT_BYTES - 4);
    require(body >= 0, "base45_encode");
    return (size_t)body + 4;
}

static bool is_zero(const void *bytes, size_t count)
{
    const uint8_t *at = bytes;

    for (size_t i = 0; i < count; i++)
        if (at[i] != 0)
            return false;
    return true;
}

static void check(const struct credential *credential)
{
    require((unsigned)credential->kind < CREDENTIAL_KIND_COUNT, "kind");
    require((unsigned)credential->fault < CREDENTIAL_FAULT_COUNT, "fault");
    require((unsigned)credential->status < STATUS_COUNT, "status");
    require(memchr(credential->detail, 0, sizeof credential->detail) != NULL, "detail ends");
    const char *end = memchr(credential->subject, 0, sizeof credential->subject);
    require(end != NULL && utf8_plain((const uint8_t *)credential->subject, strlen(credential->subject)), "subject");
    end = memchr(credential->name, 0, sizeof credential->name);
    require(end != NULL && utf8_plain((const uint8_t *)credential->name, strlen(credential->name)), "name");
    if (credential->fault == CREDENTIAL_OK) {
        require(credential->detail[0] == '\0', "a detail without fault");
        require(credential->subject[0] != '\0' || (credential->warnings & CREDENTIAL_WARN_MASKED) != 0, "nobody, unmasked");
        require(credential->is_signed == (credential->kind == CREDENTIAL_SITE_TOKEN || credential->kind == CREDENTIAL_ROTATING_TOKEN ||
                                          credential->kind == CREDENTIAL_HEALTH_CERTIFICATE), "who is signed");
        require(credential->has_status == (credential->kind == CREDENTIAL_SITE_TOKEN), "who has a status");
        require(!credential->has_status || (credential->issued_at_s > 0 && credential->expires_at_s > 0), "times");
        return;
    }
    require(credential->detail[0] != '\0', "detail with a fault");
    require(is_zero(credential->subject, sizeof credential->subject) &&
            is_zero(credential->name, sizeof credential->name) && !credential->has_status &&
            credential->status == STATUS_NONE && is_zero(credential->token_id, sizeof credential->token_id) &&
            credential->issued_at_s == 0 && credential->expires_at_s == 0 && credential->warnings == 0,
            "nothing leaves with a fault");
}

/* What the decision makes of it: a fault never opens, nor does a card without a declaration. */
static void check_decision(const struct credential *credential)
{
    static const struct policy policy = {.by_status = {[STATUS_NONE] = VERDICT_DENY}, .declaration = {.validity_s = 86400},
                                         .health = {.unmet = VERDICT_DENY}, .clock_untrusted = CLOCK_POLICY_HOLD, .clock_skew_s = 120};
    const struct decision_facts facts = {.credential = credential, .moment = {.now_s = NOW_S, .clock_trusted = true}};
    struct verdict verdict = decide(&facts, &policy);

    require((unsigned)verdict.reason < REASON_COUNT && verdict.reason != REASON_BUTTON, "reason");
    if (credential->fault != CREDENTIAL_OK)
        require(verdict.action == VERDICT_DENY, "not denied with a fault");
    if (!credential->is_signed)
        require(verdict.action != VERDICT_OPEN, "opened without ground");
    if (verdict.action == VERDICT_OPEN)
        require(credential->expires_at_s > NOW_S && credential->issued_at_s <= NOW_S + 120, "opened out of time");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct credential_trust nobody = {.count = 0};
    struct credential_trust trust;
    struct credential credential;
    uint8_t secret_key[64];
    char text[TEXT_BYTES];

    make_trust(&trust, secret_key);
    if (size > 0 && data[0] <= 2) {
        size = make_token(data, size, secret_key, text);
        data = (const uint8_t *)text;
    }
    credential_read(data, size, &trust, &credential);
    check(&credential);
    check_decision(&credential);
    if (credential.kind == CREDENTIAL_SITE_TOKEN && credential.fault == CREDENTIAL_OK) {
        credential_read(data, size, &nobody, &credential);
        require(credential.fault == CREDENTIAL_FAULT_KEY_UNKNOWN, "a token without trust");
    }
    return 0;
}
