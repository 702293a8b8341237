/* A COSE_Sign1 of a request's JSON, as an operator's tool makes it. Shared by the tests of daemon/mqtt/command*.c and the fuzzer. */
#ifndef TESTS_SIGNED_REQUEST_H
#define TESTS_SIGNED_REQUEST_H

#include <sodium.h>
#include <string.h>

#include "daemon/credential/cose.h"

enum { SIGNED_REQUEST_MAX_BYTES = 17000 };

static inline size_t signed_request_head(uint8_t *dst, uint8_t major, size_t length)
{
    if (length < 24) {
        dst[0] = (uint8_t)(major | length);
        return 1;
    }
    if (length < 256) {
        dst[0] = major | 24;
        dst[1] = (uint8_t)length;
        return 2;
    }
    dst[0] = major | 25;
    dst[1] = (uint8_t)(length >> 8);
    dst[2] = (uint8_t)length;
    return 3;
}

/* The key pair of `seed`. */
static inline void signed_request_keys(uint8_t seed_byte, uint8_t ret_public[32], uint8_t ret_secret[64])
{
    uint8_t seed[32];
    memset(seed, seed_byte, sizeof seed);
    (void)crypto_sign_seed_keypair(ret_public, ret_secret, seed);
}

/* {1: alg, 4: kid} protected. The length. */
static inline size_t signed_request(const char *json, const char *kid, int alg, const uint8_t secret[64],
                                    uint8_t ret_bytes[SIGNED_REQUEST_MAX_BYTES])
{
    static uint8_t to_be_signed[SIGNED_REQUEST_MAX_BYTES];
    uint8_t header[64] = {0xa2, 1, (uint8_t)(0x20 | (-1 - alg)), 4}, signature[64];
    size_t header_bytes = 4 + signed_request_head(header + 4, 0x40, strlen(kid)), used = 0, json_bytes = strlen(json);
    memcpy(header + header_bytes, kid, strlen(kid));
    header_bytes += strlen(kid);
    const struct cose_message message = {.kind = COSE_SIGN1, .header = header, .header_bytes = header_bytes,
                                         .payload = (const uint8_t *)json, .payload_bytes = json_bytes};
    int length = cose_to_be_signed(&message, to_be_signed, sizeof to_be_signed);
    if (length < 0)
        return 0;
    (void)crypto_sign_detached(signature, NULL, to_be_signed, (unsigned long long)length, secret);
    ret_bytes[used++] = 0xd2;
    ret_bytes[used++] = 0x84;
    used += signed_request_head(ret_bytes + used, 0x40, header_bytes);
    memcpy(ret_bytes + used, header, header_bytes);
    used += header_bytes;
    ret_bytes[used++] = 0xa0;
    used += signed_request_head(ret_bytes + used, 0x40, json_bytes);
    memcpy(ret_bytes + used, json, json_bytes);
    used += json_bytes;
    used += signed_request_head(ret_bytes + used, 0x40, sizeof signature);
    memcpy(ret_bytes + used, signature, sizeof signature);
    return used + sizeof signature;
}

#endif
