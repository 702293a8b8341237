/* The rotating token against screenshots: "QG1:" Base45 of a COSE_Mac0 (tag 17, HMAC 256/256) whose CWT carries the step, the
 * Unix time / 30 by the holder's clock (RFC 6238's counter). The holder's secret is made from the rotation key and all
 * claims but the step, so a lane needs no table of holders and no claim can be changed by the holder. Written down with
 * test vectors in qrgate-codes(7). rotating_write() is the holder's side (rotate-demo, tests). Pure.
 * What it rests on: who steals a lane's disk has the rotation key and can make rotating codes until the site key is
 * replaced; so such a code never carries a status, the register alone does. */
#ifndef CREDENTIAL_ROTATING_H
#define CREDENTIAL_ROTATING_H

#include "daemon/credential/credential.h"

/* Claims, all required; others are ignored. */
enum { ROTATING_CLAIM_SUB = 2, ROTATING_CLAIM_EXP = 4, ROTATING_CLAIM_SERIAL = 7 /* cti: 8 bytes */,
       ROTATING_CLAIM_STEP = -70004, ROTATING_CLAIM_SECRET = -70005 /* in the provisioning text alone */ };

enum { ROTATING_KEY_BYTES = 32, ROTATING_SERIAL_BYTES = 8, ROTATING_TEXT_BYTES = 512, ROTATING_PROVISION_BYTES = 512,
       ROTATING_STEP_S = 30 };

/* What a holder is given once. */
struct rotating_holder {
    char subject[CREDENTIAL_SUBJECT_BYTES];
    uint8_t serial[ROTATING_SERIAL_BYTES]; /* random; another one for each phone */
    int64_t expires_at_s;
    uint8_t secret[ROTATING_KEY_BYTES];
};

void rotating_key_from_site_key(const uint8_t site_key[32], uint8_t ret_rotation_key[ROTATING_KEY_BYTES]);
/* Fills holder->secret from the rest. */
void rotating_derive(const uint8_t rotation_key[ROTATING_KEY_BYTES], struct rotating_holder *holder);
/* "QG1:…" for a step, NUL-terminated. Its length, -EMSGSIZE, or -EINVAL. */
int rotating_write(const struct rotating_holder *holder, int64_t step, char *ret_text, size_t text_bytes);
/* The text that provisions a phone, "QGS1:" + Base45(CBOR), shown to its holder once as a QR; and back. It is a secret; a
 * gate that is shown it refuses it as unsupported. */
int rotating_provision_write(const struct rotating_holder *holder, char *ret_text, size_t text_bytes);
int rotating_provision_read(const char *text, struct rotating_holder *ret); /* 0 or -EBADMSG */
void rotating_token_id(const struct rotating_holder *holder, uint8_t ret_id[CREDENTIAL_TOKEN_ID_BYTES]);

/* How the keys are made, so that another program can do it (HMAC is HMAC-SHA-256(key, data)):
 *   rotation key = HMAC(site key, "qrgate rotation key 1")
 *   secret       = HMAC(rotation key, "qrgate rotating token 1" || holder)
 *   token id     = first 16 bytes of SHA-256("qrgate rotating token id 1" || holder)
 *   holder       = length of sub, 2 bytes, big-endian || sub || exp, 8 bytes, big-endian || serial
 * Message: 17([<<{1: 5}>>, {}, <<{2: sub, 4: exp, 7: serial, -70004: step}>>, tag]), tag = HMAC(secret, MAC_structure).
 * Provisioning: "QGS1:" Base45({2: sub, 4: exp, 7: serial, -70005: secret}).
 * Numbers and order as RFC 8949's deterministic encoding, though any definite encoding is read. */

/* For credential.c's table, before token_recognises: "QG1:" and a COSE_Mac0 inside. */
bool rotating_recognises(const uint8_t *text, size_t length_bytes);
/* Faults in this order: malformed, key unknown (no rotation key), signature (another site's code, or a changed one). */
void rotating_read(const uint8_t *text, size_t length_bytes, const struct credential_trust *trust, struct credential *ret);

#endif
