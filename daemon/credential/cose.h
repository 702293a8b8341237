/* COSE_Sign1 (RFC 9052) with EdDSA over Ed25519: taken apart, and verified. Used by token.c. Pure.
 * Unknown headers are ignored; `crit` is refused, for it names headers that must not be ignored. An algorithm other
 * than -8 is refused as malformed and not as a bad signature: nothing was verified, so nobody is called a forger. */
#ifndef CREDENTIAL_COSE_H
#define CREDENTIAL_COSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { COSE_MESSAGE_MAX_BYTES = 1024, COSE_SIGNATURE_BYTES = 64, COSE_ALG_EDDSA = -8,
       COSE_TO_BE_SIGNED_MAX_BYTES = COSE_MESSAGE_MAX_BYTES + 32 };
enum { COSE_HEADER_ALG = 1, COSE_HEADER_CRIT = 2, COSE_HEADER_KID = 4, COSE_TAG_SIGN1 = 18, COSE_TAG_CWT = 61 };

/* All pointers are into the message. */
struct cose_sign1 {
    const uint8_t *header, *payload, *signature; /* header: the protected one, encoded */
    size_t header_bytes, payload_bytes;          /* signature: COSE_SIGNATURE_BYTES */
    const uint8_t *kid;
    size_t kid_bytes; /* 0 = no kid */
};

/* NULL, or what is wrong: a constant string for `detail`. Accepts tag 18, 61 before 18, and none. */
const char *cose_sign1_read(const uint8_t *message, size_t length_bytes, struct cose_sign1 *ret);

/* The Sig_structure with empty external data: what is signed. Its length, or -EMSGSIZE. */
int cose_to_be_signed(const struct cose_sign1 *sign1, uint8_t *dst, size_t dst_bytes);

bool cose_verify(const uint8_t *to_be_signed, size_t length_bytes, const uint8_t signature[COSE_SIGNATURE_BYTES],
                 const uint8_t public_key[32]);

#endif
