/* EU-format certificates from the inside: the input is the COSE message, or after a first byte of FF the CWT, signed here by
 * a trusted key, so that the reader behind the signature is reached. Compressed and put into Base45 on the way. */
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "daemon/credential/base45.h"
#include "daemon/credential/cose.h"
#include "daemon/credential/credential.h"
#include "daemon/credential/utf8.h"

enum { MESSAGE_BYTES = 16384, TEXT_BYTES = 2 * MESSAGE_BYTES };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds, const char *what)
{
    if (holds)
        return;
    (void)fprintf(stderr, "fuzz_dcc: broken: %s\n", what);
    abort();
}

static void check(const struct credential *c)
{
    require((unsigned)c->fault < CREDENTIAL_FAULT_COUNT, "fault");
    require(memchr(c->detail, 0, sizeof c->detail) != NULL, "detail ends");
    require(memchr(c->subject, 0, sizeof c->subject) != NULL && memchr(c->name, 0, sizeof c->name) != NULL, "texts end");
    require(utf8_plain((const uint8_t *)c->name, strlen(c->name)), "name");
    require((c->fault == CREDENTIAL_OK) == (c->detail[0] == '\0'), "detail");
    if (c->fault == CREDENTIAL_OK && c->kind == CREDENTIAL_HEALTH_CERTIFICATE)
        require(c->is_signed && c->health.type != HEALTH_NONE && strncmp(c->subject, "hc1:", 4) == 0, "what it says");
    if (c->fault != CREDENTIAL_OK)
        require(c->subject[0] == '\0' && c->name[0] == '\0' && !c->is_signed && c->health.type == HEALTH_NONE, "left with a fault");
}

static size_t put(uint8_t *dst, size_t used, uint8_t major, const uint8_t *bytes, size_t length)
{
    dst[used++] = (uint8_t)(major << 5 | 25);
    dst[used++] = (uint8_t)(length >> 8);
    dst[used++] = (uint8_t)length;
    if (length > 0)
        memcpy(dst + used, bytes, length);
    return used + length;
}

/* A signature that verifies costs a signing here: DER to r || s by hand. */
static bool sign(EVP_PKEY *key, const uint8_t *bytes, size_t length, uint8_t signature[64])
{
    uint8_t der[128];
    size_t der_bytes = sizeof der;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool good = context != NULL && EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key) == 1 &&
                EVP_DigestSign(context, der, &der_bytes, bytes, length) == 1;
    EVP_MD_CTX_free(context);
    memset(signature, 0, 64);
    const uint8_t *at = der + 2;
    for (int i = 0; i < 2 && good; i++) {
        size_t part = at[1];
        const uint8_t *number = at + 2;
        while (part > 32) {
            part--;
            number++;
        }
        memcpy(signature + 32 * i + (32 - part), number, part);
        at = number + part;
    }
    return good;
}

static size_t sign_claims(EVP_PKEY *key, const uint8_t *claims, size_t claims_bytes, uint8_t *message)
{
    static const uint8_t header[] = {0xa2, 0x01, 0x26, 0x04, 0x48, 1, 2, 3, 4, 5, 6, 7, 8};
    static uint8_t signed_bytes[COSE_TO_BE_SIGNED_MAX_BYTES];
    uint8_t signature[64];
    struct cose_message parts = {.kind = COSE_SIGN1, .alg = COSE_ALG_ES256, .header = header, .header_bytes = sizeof header,
                                 .payload = claims, .payload_bytes = claims_bytes};
    int length = cose_to_be_signed(&parts, signed_bytes, sizeof signed_bytes);
    require(length > 0 && sign(key, signed_bytes, (size_t)length, signature), "sign");
    size_t used = 0;
    message[used++] = 0x84;
    used = put(message, used, 2, header, sizeof header);
    message[used++] = 0xa0;
    used = put(message, used, 2, claims, claims_bytes);
    return put(message, used, 2, signature, sizeof signature);
}

static EVP_PKEY *key; /* libFuzzer has no place to hand one over */

int LLVMFuzzerInitialize(int *argc, char ***argv);

/* OpenSSL reads its configuration at its first use, which is no input's doing. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    uint8_t signature[64];
    (void)argc, (void)argv;
    key = EVP_EC_gen("P-256");
    require(key != NULL && sign(key, (const uint8_t *)"", 0, signature), "key");
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t message[MESSAGE_BYTES], squeezed[2 * MESSAGE_BYTES];
    static char text[2 * TEXT_BYTES];
    uLongf squeezed_bytes = sizeof squeezed;
    size_t message_bytes = size;
    struct trust_certificate signer = {.kid = {1, 2, 3, 4, 5, 6, 7, 8}, .key = key, .cose_alg = COSE_ALG_ES256};
    struct certificate_trust certificates = {.count = 1, .certificates = &signer};
    struct credential_trust trust = {.certificates = &certificates};
    struct credential credential;
    if (size == 0 || size > MESSAGE_BYTES - 256)
        return 0;
    if (data[0] == 0xff)
        message_bytes = sign_claims(key, data + 1, size - 1, message);
    else
        memcpy(message, data, size);
    if (compress2(squeezed, &squeezed_bytes, message, message_bytes, 1) != Z_OK)
        return 0;
    memcpy(text, "HC1:", 4);
    int length = base45_encode(squeezed, squeezed_bytes, text + 4, sizeof text - 4);
    require(length >= 0, "base45");
    credential_read((const uint8_t *)text, (size_t)length + 4, &trust, &credential);
    check(&credential);
    trust.explain = true;
    credential_read((const uint8_t *)text, (size_t)length + 4, &trust, &credential);
    return 0;
}
