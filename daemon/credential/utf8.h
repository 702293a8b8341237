/* UTF-8 of strangers, checked as RFC 3629 says: no overlong forms, no surrogates, nothing above U+10FFFF. Pure. */
#ifndef CREDENTIAL_UTF8_H
#define CREDENTIAL_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool utf8_valid(const uint8_t *bytes, size_t length_bytes);

/* Valid, and nothing in it that would break a log line or lie on a guard's screen: no control characters (NUL among
 * them), no line or paragraph separators, no marks that turn the direction of writing. */
bool utf8_plain(const uint8_t *bytes, size_t length_bytes);

#endif
