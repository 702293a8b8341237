/* Codes recognised only to be refused by their right name: a place's poster (tokhaiyte.vn, pccovid.gov.vn) shown instead of
 * a person's code, and SMART Health Cards. Only for credential.c's table. Pure. */
#ifndef CREDENTIAL_PLACE_H
#define CREDENTIAL_PLACE_H

#include "daemon/credential/credential.h"

/* http:// or https://, in any case, and as host tokhaiyte.vn or pccovid.gov.vn or a name below them; the host ends at '/',
 * ':', '?', '#' or the end. */
bool place_recognises(const uint8_t *text, size_t length_bytes);
void place_read(const uint8_t *text, size_t length_bytes, const struct credential_trust *trust, struct credential *ret);
bool smart_health_card_recognises(const uint8_t *text, size_t length_bytes); /* "shc:/" in any case */
void smart_health_card_read(const uint8_t *text, size_t length_bytes, const struct credential_trust *trust,
                            struct credential *ret);

#endif
