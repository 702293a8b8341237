/* The values of CWT claims (RFC 8392) as our own tokens hold them, and the prefix of their text. Shared by token.c and
 * rotating.c; private to daemon/credential. Pure. */
#ifndef CREDENTIAL_CLAIMS_H
#define CREDENTIAL_CLAIMS_H

#include "daemon/credential/cbor_read.h"
#include "daemon/credential/credential.h"

#define CLAIMS_PREFIX "QG1:"
enum { CLAIMS_PREFIX_BYTES = sizeof CLAIMS_PREFIX - 1 };
/* Times are whole seconds from 1 to the end of the year 9999; fractions are cut off. */
#define CLAIMS_BAD_TIME "claims exp, iat, nbf: seconds from 1 to 253402300799 allowed, integer or float"

bool claims_prefix(const uint8_t *text, size_t length_bytes);
/* Text that is utf8_plain(), of at least `least_bytes` and with room for the NUL. */
bool claims_text(const struct cbor_value *value, size_t least_bytes, char *dst, size_t dst_bytes);
bool claims_time(const struct cbor_value *value, int64_t *ret_s);
/* The same rules for what is to be written. */
bool claims_plain(const char *text, size_t least_bytes, size_t size_bytes);
bool claims_time_valid(int64_t at_s);
/* Are the claims of a token that nobody verified to be read nevertheless? */
bool claims_wanted(const struct credential_trust *trust);

#endif
