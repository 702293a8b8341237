/* The site's own signed token `QG1:`: CWT (RFC 8392) in COSE_Sign1 (RFC 9052), EdDSA with Ed25519, Base45 (RFC 9285),
 * no compression. token_write() is for the issuer (qrgatectl) and the tests; reading goes through credential_read().
 * Pure; sodium_init() is the caller's, once, at start-up. */
#ifndef CREDENTIAL_TOKEN_H
#define CREDENTIAL_TOKEN_H

#include "daemon/credential/credential.h"

enum { TOKEN_TEXT_BYTES = 1024 };

/* Claims of RFC 8392 that we read. All of iss, sub, exp, iat and the status are required; others are ignored. */
enum { TOKEN_CLAIM_ISS = 1, TOKEN_CLAIM_SUB = 2, TOKEN_CLAIM_EXP = 4, TOKEN_CLAIM_NBF = 5, TOKEN_CLAIM_IAT = 6 };

/* Private claims, all text: a name of declaration_status_name(); the person's name and the group for schedules, which
 * may be left out. */
enum { TOKEN_CLAIM_STATUS = -70001, TOKEN_CLAIM_NAME = -70002, TOKEN_CLAIM_GROUP = -70003 };

struct token_claims {
    char issuer[CREDENTIAL_ISSUER_BYTES];
    char subject[CREDENTIAL_SUBJECT_BYTES];
    char name[CREDENTIAL_NAME_BYTES]; /* "" = left out */
    char group[CREDENTIAL_GROUP_BYTES]; /* "" = left out */
    enum declaration_status status;
    int64_t issued_at_s, expires_at_s;
};

/* Times are whole seconds from 1 to TOKEN_TIME_MAX_S (the end of the year 9999); fractions are cut off. */
#define TOKEN_TIME_MAX_S INT64_C(253402300799)

/* Writes "QG1:…" NUL-terminated. Returns its length, -EMSGSIZE, or -EINVAL for claims or a kid (1 to 16 bytes) that no
 * gate would read. secret_key is libsodium's 64-byte Ed25519 secret key. */
int token_write(const struct token_claims *claims, const uint8_t *kid, size_t kid_bytes, const uint8_t secret_key[64],
                char *ret_text, size_t text_bytes);

/* For credential.c's table of recognisers. Faults in this order: malformed message, key unknown, signature, malformed
 * claims, issuer (key unknown), `iat` out of the key's time (key not valid). */
bool token_recognises(const uint8_t *text, size_t length_bytes);
void token_read(const uint8_t *text, size_t length_bytes, const struct credential_trust *trust, struct credential *ret);

#endif
