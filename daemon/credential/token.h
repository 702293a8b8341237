/* The site's own signed token `QG1:`: CWT (RFC 8392) in COSE_Sign1 (RFC 9052), EdDSA with Ed25519, Base45 (RFC 9285), no
 * compression. Reading is credential_read(); this is the issuer's side (qrgatectl) and the test-maker's. Pure. */
#ifndef CREDENTIAL_TOKEN_H
#define CREDENTIAL_TOKEN_H

#include "daemon/credential/credential.h"

enum { TOKEN_TEXT_BYTES = 1024 };

/* CWT claim of the declaration status: a text string, private claim key. */
enum { TOKEN_CLAIM_STATUS = -70001 , TOKEN_CLAIM_NAME = -70002 };

struct token_claims {
    char issuer[CREDENTIAL_ISSUER_BYTES];
    char subject[CREDENTIAL_SUBJECT_BYTES];
    char name[CREDENTIAL_NAME_BYTES]; /* "" = left out */
    enum declaration_status status;
    int64_t issued_at_s, expires_at_s;
};

/* Writes "QG1:…" NUL-terminated. Returns its length or -EMSGSIZE. secret_key is libsodium's 64-byte Ed25519 secret key. */
int token_write(const struct token_claims *claims, const uint8_t *kid, size_t kid_bytes, const uint8_t secret_key[64],
                char *ret_text, size_t text_bytes);

#endif
