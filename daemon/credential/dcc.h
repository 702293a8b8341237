/* EU-format health certificates: "HC1:" Base45(zlib(COSE_Sign1(CWT with claim -260))), signed with ES256 or PS256 by a
 * document signer of the trust folder. Sources: eHealth Network, "Technical Specifications for EU Digital COVID
 * Certificates", volumes 1 and 3; JSON schema 1.3. Only for credential.c's table. Pure; allocates within the call only.
 * Subject: "hc1:" + hex of the first 16 bytes of SHA-256 over standardised family name, '<', given name, '<', birth date: a
 * person's certificates are one subject. Faults: malformed before key before usage before signature. */
#ifndef CREDENTIAL_DCC_H
#define CREDENTIAL_DCC_H

#include "daemon/credential/credential.h"

enum { DCC_INFLATED_MAX_BYTES = 32768 };

bool dcc_recognises(const uint8_t *text, size_t length_bytes); /* "HC1:" */
void dcc_read(const uint8_t *text, size_t length_bytes, const struct credential_trust *trust, struct credential *ret);

#endif
