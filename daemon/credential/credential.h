/* Payload bytes -> struct credential. Pure: no I/O, no clock, no allocation. The bytes are a stranger's: lengths
 * first. */
#ifndef CREDENTIAL_CREDENTIAL_H
#define CREDENTIAL_CREDENTIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CREDENTIAL_PAYLOAD_MAX_BYTES = 7089, CREDENTIAL_SUBJECT_BYTES = 72, CREDENTIAL_NAME_BYTES = 128,
       CREDENTIAL_TRUST_KEYS_MAX = 16, CREDENTIAL_KID_MAX_BYTES = 16, CREDENTIAL_ISSUER_BYTES = 64 };

enum credential_kind { CREDENTIAL_UNSUPPORTED, CREDENTIAL_SITE_TOKEN, CREDENTIAL_CCCD, CREDENTIAL_KIND_COUNT };

enum declaration_status {
    STATUS_NONE, STATUS_GREEN, STATUS_YELLOW, STATUS_RED, STATUS_EXPIRED, STATUS_REVOKED, STATUS_COUNT
};

/* Why a payload gives no usable credential; CREDENTIAL_OK is 0. */
enum credential_fault {
    CREDENTIAL_OK,
    CREDENTIAL_FAULT_UNSUPPORTED,   /* not a kind we read */
    CREDENTIAL_FAULT_MALFORMED,     /* a kind we read, broken */
    CREDENTIAL_FAULT_KEY_UNKNOWN,   /* signed by nobody we trust */
    CREDENTIAL_FAULT_SIGNATURE,     /* the signature doesn't hold: forged */
    CREDENTIAL_FAULT_COUNT
};

enum { CREDENTIAL_WARN_SEX_MISMATCH = 1u << 0, CREDENTIAL_WARN_BIRTH_MISMATCH = 1u << 1 };

struct credential {
    enum credential_kind kind;
    enum credential_fault fault;
    char detail[96];                        /* where and what is wrong, for `explain` and the log; no personal data */
    char subject[CREDENTIAL_SUBJECT_BYTES]; /* "cccd:022199012345"; for a token its `sub`, used as it is */
    char name[CREDENTIAL_NAME_BYTES];       /* UTF-8, "" = unknown */
    bool has_status;                        /* tokens: the declaration is inside */
    enum declaration_status status;
    /* Unix time; 0 = not given (never so in a token). Judged by decision/, not here. A token's `nbf`, where later than
     * its `iat`, counts as issued_at_s. A citizen card's own dates don't enter. */
    int64_t issued_at_s, expires_at_s;
    /* First half of SHA-256 over COSE's Sig_structure (protected header and claims), zeros when not a token. Not over
     * the message: its unprotected header, tags and lengths may be rewritten by anyone without breaking the signature,
     * and a revoked token would come back under a new id. */
    uint8_t token_id[16];
    unsigned warnings;                 /* CREDENTIAL_WARN_… */
};

/* Ed25519 public keys of issuers (config/trust). Filled at start-up, const afterwards. */
struct credential_trust_key {
    uint8_t kid[CREDENTIAL_KID_MAX_BYTES];
    size_t kid_bytes;
    uint8_t public_key[32];
    char issuer[CREDENTIAL_ISSUER_BYTES]; /* required `iss`; "" = any */
};
struct credential_trust {
    struct credential_trust_key keys[CREDENTIAL_TRUST_KEYS_MAX];
    size_t count;
};

/* Always fills *ret: with a fault, kind, fault and detail and nothing else, for nothing unverified may leave here.
 * `trust` may be NULL. */
void credential_read(const uint8_t *payload, size_t length_bytes, const struct credential_trust *trust,
                     struct credential *ret);

const char *credential_kind_name(enum credential_kind kind);       /* "cccd", "site_token", "unsupported" */
const char *declaration_status_name(enum declaration_status status); /* "green", … */
bool declaration_status_from_name(const char *name, enum declaration_status *ret);

#endif
