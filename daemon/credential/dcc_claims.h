/* What an EU-format health certificate signs: the claims (CWT, RFC 8392) and the certificate in claim -260, held to the EU's
 * JSON schema 1.3. Only for dcc.c. Pure. */
#ifndef CREDENTIAL_DCC_CLAIMS_H
#define CREDENTIAL_DCC_CLAIMS_H

#include "daemon/credential/credential.h"

/* Inside the payload. */
struct dcc_text {
    const uint8_t *bytes;
    size_t length_bytes;
};

struct dcc_names {
    struct dcc_text family, given;                   /* `fn`, `gn` */
    struct dcc_text standard_family, standard_given; /* `fnt`, `gnt`: A-Z and '<' */
};

struct dcc_claims {
    int64_t issued_at_s, expires_at_s; /* `nbf`, where later than `iat`, counts as issued */
    unsigned kinds;                    /* enum trust_usage, a bit for each of v, t and r that holds an entry */
    struct dcc_names names;
    struct health_certificate health;  /* the newest entry */
    const char *schema_wrong;          /* NULL, or the first thing the schema doesn't allow: a constant for `detail` */
};

/* NULL, or what is wrong with the claims: a constant for `detail`, and *ret is then of no use. The schema doesn't end the
 * reading, so that `kinds` is known for the key's usage. */
const char *dcc_claims_read(const uint8_t *payload, size_t length_bytes, struct dcc_claims *ret);

#endif
