/* Names of people made comparable: NFC for showing, upper case without marks for comparing ("Đoàn Văn Thử" -> "DOAN VAN
 * THU"). On utf8proc, which allocates nothing in the functions used. Pure. */
#ifndef CREDENTIAL_NAME_H
#define CREDENTIAL_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* utf8_plain() must hold. Writes NUL-terminated NFC; false: doesn't fit, and `dst` is of no use. *ret_changed: it was
 * not NFC before. */
bool name_normalise(const uint8_t *bytes, size_t length_bytes, char *dst, size_t dst_bytes, bool *ret_changed);
/* `name` is valid UTF-8. Runs of spaces become one, ends are trimmed. Cut at the room, never inside a character. */
void name_compare_form(const char *name, char *dst, size_t dst_bytes);

#endif
