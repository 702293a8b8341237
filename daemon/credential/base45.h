/* Base45, RFC 9285. Strict: -EBADMSG on a foreign character, a bad length or an overflowing group. Pure. */
#ifndef CREDENTIAL_BASE45_H
#define CREDENTIAL_BASE45_H

#include <stddef.h>
#include <stdint.h>

/* Bytes written, -EBADMSG, or -EMSGSIZE when dst_bytes is too small. */
int base45_decode(const char *text, size_t text_bytes, uint8_t *dst, size_t dst_bytes);
int base45_encode(const uint8_t *src, size_t src_bytes, char *dst, size_t dst_bytes); /* NUL-terminates */

#endif
