/* Vietnam's health-insurance card BHYT in its three lengths: 10, 15 or 17 fields divided by '|', the last "$". Not
 * signed in any way we could check. Only for credential.c's table. Pure.
 * Subject: "bhyt:" + the 10 digits of the social-insurance number, which of the old 15-character number are its last
 * ten, so that one person's old and new card are one subject. Its dates are checked for form alone: an insurance that
 * has run out doesn't make its holder somebody else. */
#ifndef CREDENTIAL_BHYT_H
#define CREDENTIAL_BHYT_H

#include "daemon/credential/credential.h"

bool bhyt_recognises(const uint8_t *text, size_t length_bytes);
/* `trust` is not used. */
void bhyt_read(const uint8_t *text, size_t length_bytes, const struct credential_trust *trust, struct credential *ret);

/* 10 digits, or two capitals and 13 digits. */
bool bhyt_is_number(const uint8_t *number, size_t length_bytes);
/* The subject of such a number as an alias of another code. */
void bhyt_alias_add(struct credential *ret, const uint8_t *number, size_t length_bytes);

#endif
