/* Payload bytes -> struct credential. Pure: no I/O, no clock, no allocation. The bytes are a stranger's: lengths
 * first. */
#ifndef CREDENTIAL_CREDENTIAL_H
#define CREDENTIAL_CREDENTIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CREDENTIAL_PAYLOAD_MAX_BYTES = 7089, CREDENTIAL_SUBJECT_BYTES = 72, CREDENTIAL_NAME_BYTES = 128,
       CREDENTIAL_ALIASES_MAX = 3, CREDENTIAL_GROUP_BYTES = 33, CREDENTIAL_TRUST_KEYS_MAX = 16,
       CREDENTIAL_KID_MAX_BYTES = 16, CREDENTIAL_ISSUER_BYTES = 64, CREDENTIAL_TOKEN_ID_BYTES = 16 };

enum credential_kind {
    CREDENTIAL_UNSUPPORTED,
    CREDENTIAL_SITE_TOKEN,         /* QG1: signed by the site's issuer */
    CREDENTIAL_CCCD,               /* citizen card, 7 or 11 fields */
    CREDENTIAL_ROTATING_TOKEN,     /* QG1: with a keyed MAC that changes every 30 s */
    CREDENTIAL_HEALTH_CERTIFICATE, /* HC1: EU format */
    CREDENTIAL_PERSONAL_CODE,      /* Decision 1405 */
    CREDENTIAL_BHYT,               /* health-insurance card */
    CREDENTIAL_PLACE_CODE,         /* a place's poster: always refused, with a reason of its own */
    CREDENTIAL_SMART_HEALTH_CARD,  /* shc:/ recognised, refused as unsupported */
    CREDENTIAL_KIND_COUNT
};

/* STATUS_WHITE: the colour some provinces gave to people not yet judged. */
enum declaration_status {
    STATUS_NONE, STATUS_GREEN, STATUS_YELLOW, STATUS_RED, STATUS_EXPIRED, STATUS_REVOKED, STATUS_WHITE, STATUS_COUNT
};

/* Why a payload gives no usable credential; CREDENTIAL_OK is 0. */
enum credential_fault {
    CREDENTIAL_OK,
    CREDENTIAL_FAULT_UNSUPPORTED,   /* not a kind we read */
    CREDENTIAL_FAULT_MALFORMED,     /* a kind we read, broken */
    CREDENTIAL_FAULT_KEY_UNKNOWN,   /* signed by nobody we trust */
    CREDENTIAL_FAULT_SIGNATURE,     /* the signature doesn't hold: forged */
    CREDENTIAL_FAULT_KEY_NOT_VALID, /* signed by a key that may not sign this: its usage, its validity */
    CREDENTIAL_FAULT_PLACE_CODE,    /* a place's code where a person's is wanted */
    CREDENTIAL_FAULT_COUNT
};

enum {
    CREDENTIAL_WARN_SEX_MISMATCH = 1u << 0,    /* the citizen number disagrees with the card's sex */
    CREDENTIAL_WARN_BIRTH_MISMATCH = 1u << 1,  /* … with its birth year */
    CREDENTIAL_WARN_MASKED = 1u << 2,          /* personal code: number or date partly hidden, so not an identity */
    CREDENTIAL_WARN_NAME_NOT_NFC = 1u << 3,    /* was normalised */
};

/* The checks a code goes through, for `qrgatectl code explain`: what was reached, and how it ended. */
enum credential_check {
    CHECK_BASE45, CHECK_ZLIB, CHECK_COSE, CHECK_KEY /* known */, CHECK_SIGNATURE, CHECK_KEY_USAGE, CHECK_CLAIMS /* CWT */,
    CHECK_SCHEMA /* the certificate in it, or the card's fields */, CREDENTIAL_CHECK_COUNT
};
enum check_result { CHECK_NOT_REACHED, CHECK_PASSED, CHECK_FAILED };

enum health_type { HEALTH_NONE, HEALTH_VACCINATION, HEALTH_TEST, HEALTH_RECOVERY };

/* What an EU-format certificate says (the newest entry, where there are several). Dates are Unix time of 00:00 UTC,
 * 0 = not given. Texts are cut at their room; the codes are the EU value sets' ("EU/1/20/1528", "LP6464-4"). */
struct health_certificate {
    enum health_type type;
    char country[3], birth_date[11], disease[16], certificate_id[81];
    char product[40];                  /* vaccination `mp` */
    int dose, doses;                   /* vaccination `dn`, `sd` */
    int64_t vaccinated_on_s;
    char test_type[16];                /* test `tt` */
    bool detected;                     /* test `tr` */
    int64_t sampled_at_s;
    int64_t first_positive_s, from_s, until_s; /* recovery `fr`, `df`, `du` */
};

struct credential {
    enum credential_kind kind;
    enum credential_fault fault;
    char detail[96];                        /* where and what is wrong, for `explain` and the log; no personal data */
    uint8_t checks[CREDENTIAL_CHECK_COUNT]; /* enum check_result */
    bool is_signed;                         /* signature or MAC verified */
    char subject[CREDENTIAL_SUBJECT_BYTES]; /* "cccd:022199012345", "cmnd:", "bhyt:" + 10 digits, "qid:", "hc1:" + hash; for a
                                             * token its `sub`, used as it is */
    char aliases[CREDENTIAL_ALIASES_MAX][CREDENTIAL_SUBJECT_BYTES]; /* the same code's other numbers; "" = none */
    char name[CREDENTIAL_NAME_BYTES];         /* UTF-8 in NFC, "" = unknown */
    char name_compare[CREDENTIAL_NAME_BYTES]; /* upper case, without marks: "NGUYEN THI BICH PHUONG" */
    char group[CREDENTIAL_GROUP_BYTES];     /* tokens: for schedules; "" = none */
    bool has_status;                        /* tokens: the declaration is inside */
    enum declaration_status status;
    /* Unix time; 0 = not given (never so in a token). Judged by decision/, not here. A token's `nbf`, where later than
     * its `iat`, counts as issued_at_s. A citizen card's own dates don't enter. */
    int64_t issued_at_s, expires_at_s;
    int64_t key_from_s, key_until_s;   /* validity of the certificate that signed; 0 = no bound. Judged by decision/ */
    /* First half of SHA-256 over COSE's Sig_structure (protected header and claims) of a token or a health certificate;
     * zeros for other codes. Not over the message: its unprotected header, tags and lengths may be rewritten by anyone
     * without breaking the signature, and a revoked token would come back under a new id. A rotating token's is of its
     * holder, the same at every step. */
    uint8_t token_id[CREDENTIAL_TOKEN_ID_BYTES];
    int64_t rotation_step;             /* ROTATING_TOKEN: Unix time / 30 by the holder's clock. Judged by decision/ */
    struct health_certificate health;  /* HEALTH_CERTIFICATE */
    unsigned warnings;                 /* CREDENTIAL_WARN_… */
};

/* Ed25519 public keys of issuers (config/trust). Filled at start-up, const afterwards. */
struct credential_trust_key {
    uint8_t kid[CREDENTIAL_KID_MAX_BYTES];
    size_t kid_bytes;
    uint8_t public_key[32];
    char issuer[CREDENTIAL_ISSUER_BYTES]; /* required `iss`; "" = any */
    int64_t from_s, until_s;              /* a token's `iat` must lie in it; 0 = no bound */
};

struct evp_pkey_st; /* OpenSSL's EVP_PKEY */
enum { TRUST_CERTIFICATES_MAX = 4096, TRUST_CERTIFICATE_KID_BYTES = 8 };
enum trust_usage { TRUST_USAGE_TEST = 1u << 0, TRUST_USAGE_VACCINATION = 1u << 1, TRUST_USAGE_RECOVERY = 1u << 2 };
/* A document signer of EU-format certificates (x509.h makes it). */
struct trust_certificate {
    uint8_t kid[TRUST_CERTIFICATE_KID_BYTES]; /* first bytes of SHA-256 over the DER */
    struct evp_pkey_st *key;                  /* owned by the certificate_trust */
    int cose_alg;                             /* -7 ES256, -37 PS256 */
    unsigned usage;                           /* enum trust_usage; 0 = not limited */
    int64_t not_before_s, not_after_s;
    char country[3];
};
struct certificate_trust {
    size_t count;
    struct trust_certificate *certificates; /* sorted by kid; several may share one */
};

struct credential_trust {
    struct credential_trust_key keys[CREDENTIAL_TRUST_KEYS_MAX];
    size_t count;
    const struct certificate_trust *certificates; /* borrowed; NULL = none */
    bool has_rotation_key, has_old_rotation_key;
    uint8_t rotation_key[32];     /* rotating.h; derived from the site key */
    uint8_t old_rotation_key[32]; /* … from the one before, while that is still there */
    /* qrgatectl explain only: after a key or signature fault the fields read so far stay. Never set in a daemon. */
    bool explain;
};

/* Always fills *ret: with a fault, kind, fault, detail and checks and nothing else, for nothing unverified may leave here.
 * `trust` may be NULL. Allocates nothing that outlives the call (OpenSSL allocates within it, for certificates alone). */
void credential_read(const uint8_t *payload, size_t length_bytes, const struct credential_trust *trust,
                     struct credential *ret);

const char *credential_kind_name(enum credential_kind kind); /* "cccd", "site_token", "personal_code_1405", … */
const char *credential_fault_name(enum credential_fault fault); /* "ok", "malformed", … */
const char *credential_check_name(enum credential_check check); /* "base45", "zlib", … */
const char *declaration_status_name(enum declaration_status status); /* "green", … */
bool declaration_status_from_name(const char *name, enum declaration_status *ret);

#endif
