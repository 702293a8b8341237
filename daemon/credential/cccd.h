/* The citizen card of Vietnam, CCCD or Căn cước: fields divided by '|', 7 of them, or 11 since 2024. It says who
 * somebody is and nothing of a declaration, and it is not signed: anyone can print one. Only for
 * credential.c's table. Pure. */
#ifndef CREDENTIAL_CCCD_H
#define CREDENTIAL_CCCD_H

#include "daemon/credential/credential.h"

bool cccd_recognises(const uint8_t *text, size_t length_bytes);
/* `trust` is not used. */
void cccd_read(const uint8_t *text, size_t length_bytes, const struct credential_trust *trust, struct credential *ret);

#endif
