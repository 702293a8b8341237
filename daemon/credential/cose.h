/* COSE_Sign1 and COSE_Mac0 (RFC 9052) taken apart, and verified: Ed25519 and HMAC by libsodium, ES256 and PS256 by OpenSSL.
 * Used by token.c, rotating.c and dcc.c. Pure (OpenSSL allocates within a call).
 * Unknown headers are ignored; `crit` is refused, for it names headers that must not be ignored. An algorithm the caller
 * doesn't expect is refused as malformed and not as a bad signature: nothing was verified, so nobody is called a forger. */
#ifndef CREDENTIAL_COSE_H
#define CREDENTIAL_COSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct evp_pkey_st;

enum { COSE_MESSAGE_MAX_BYTES = 32768, COSE_SIGNATURE_MAX_BYTES = 512 /* RSA of 4096 bits */,
       COSE_TO_BE_SIGNED_MAX_BYTES = COSE_MESSAGE_MAX_BYTES + 32 };
enum { COSE_ALG_EDDSA = -8, COSE_ALG_ES256 = -7, COSE_ALG_PS256 = -37, COSE_ALG_HMAC256 = 5 };
enum { COSE_HEADER_ALG = 1, COSE_HEADER_CRIT = 2, COSE_HEADER_KID = 4, COSE_TAG_MAC0 = 17, COSE_TAG_SIGN1 = 18,
       COSE_TAG_CWT = 61 };

enum cose_kind { COSE_SIGN1, COSE_MAC0 };

/* All pointers are into the message. */
struct cose_message {
    enum cose_kind kind;
    int64_t alg;
    const uint8_t *header, *payload, *signature; /* header: the protected one, encoded; signature: or MAC */
    size_t header_bytes, payload_bytes, signature_bytes;
    const uint8_t *kid; /* of either header; the protected one wins */
    size_t kid_bytes;   /* 0 = no kid */
};

/* NULL, or what is wrong: a constant string for `detail`. Accepts the kind's own tag, 61 before it, the own tag twice, and
 * none. `alg` may stand in either header for -7 and -37 (some EU issuers), in the protected one only for the others. */
const char *cose_read(const uint8_t *message, size_t length_bytes, enum cose_kind kind, struct cose_message *ret);

/* The Sig_structure or MAC_structure with empty external data: what is signed. Its length, or -EMSGSIZE. */
int cose_to_be_signed(const struct cose_message *message, uint8_t *dst, size_t dst_bytes);

/* All false too for a signature of another length. */
bool cose_verify_eddsa(const uint8_t *to_be_signed, size_t length_bytes, const struct cose_message *message,
                       const uint8_t public_key[32]);
bool cose_verify_hmac(const uint8_t *to_be_signed, size_t length_bytes, const struct cose_message *message,
                      const uint8_t key[32]);
/* ES256: signature r || s of 64 bytes, key on P-256. PS256: RSA-PSS with SHA-256, salt of 32 bytes. `alg` must be the
 * key's. */
bool cose_verify_openssl(const uint8_t *to_be_signed, size_t length_bytes, const struct cose_message *message,
                         struct evp_pkey_st *key, int key_alg);

#endif
