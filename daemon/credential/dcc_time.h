/* Dates and times of health certificates, ISO 8601 as issuers really write it. Only for dcc_claims.c. Pure. */
#ifndef CREDENTIAL_DCC_TIME_H
#define CREDENTIAL_DCC_TIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* "2021-05-18", or with a time behind it that is then only checked. *ret_s: 00:00 UTC of that day. */
bool dcc_date_read(const uint8_t *text, size_t length_bytes, int64_t *ret_s);
/* "2021-05-18T10:27:15.25+02:00"; seconds, fraction and zone may be missing (UTC), the zone's minutes and colon too; a date
 * alone is its 00:00. */
bool dcc_time_read(const uint8_t *text, size_t length_bytes, int64_t *ret_s);
/* YYYY-MM-DD, YYYY-MM, YYYY or nothing, from 1900 to 2099; what is unknown may be XX. */
bool dcc_birth_date_valid(const uint8_t *text, size_t length_bytes);

#endif
