/* A document signer's certificate, PEM or DER bytes -> struct trust_certificate, by OpenSSL. No chain is built: what lies
 * in the trust folder is trusted. Start-up and qrgatectl. Allocates the key. */
#ifndef CREDENTIAL_X509_H
#define CREDENTIAL_X509_H

#include "daemon/credential/credential.h"

/* NULL, or what is wrong: a constant string with the remedy (an RSA key under 2048 bits, a curve other than P-256, …). Usage
 * by the extended key usages 1.3.6.1.4.1.1847.2021.1.1-3 and 1.3.6.1.4.1.0.1847.2021.1.1-3. */
const char *x509_read(const uint8_t *bytes, size_t length_bytes, struct trust_certificate *ret);
void x509_sort(struct certificate_trust *trust); /* by kid, for the look-up */
void x509_free(struct certificate_trust *trust); /* the keys and the array; accepts a zeroed one */

#endif
