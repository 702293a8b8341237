/* The citizen card of Vietnam, CCCD or Căn cước: fields divided by '|', 7 of them, or 11 since 2024. It says who
 * somebody is and nothing of a declaration, and it is not signed: anyone can print one. Only for
 * credential.c's table. Pure.
 * Subject: "cccd:" + 12 digits. Alias: "cmnd:" + the 9 digits of the older card, where given. */
#ifndef CREDENTIAL_CCCD_H
#define CREDENTIAL_CCCD_H

#include "daemon/credential/credential.h"

enum { CCCD_NUMBER_DIGITS = 12, CMND_NUMBER_DIGITS = 9 };
enum cccd_sex { CCCD_SEX_UNKNOWN, CCCD_SEX_MALE, CCCD_SEX_FEMALE };

bool cccd_recognises(const uint8_t *text, size_t length_bytes);
/* `trust` is not used. */
void cccd_read(const uint8_t *text, size_t length_bytes, const struct credential_trust *trust, struct credential *ret);

/* CREDENTIAL_WARN_SEX_MISMATCH and …_BIRTH_MISMATCH of a number of 12 digits against what else a code says. */
unsigned cccd_number_warnings(const uint8_t number[CCCD_NUMBER_DIGITS], enum cccd_sex sex, int birth_year);

#endif
