/* What the readers of the kinds of credential share with credential.c: one row of its table, and the one way to refuse.
 * Private to daemon/credential. Pure; journal thread in qrgated. */
#ifndef CREDENTIAL_RECOGNISER_H
#define CREDENTIAL_RECOGNISER_H

#include "daemon/credential/credential.h"

/* `text` is the payload without the NUL, CR and LF at its end. recognises() looks at the shape only; read() fills *ret,
 * which comes zeroed but for its kind. */
struct recogniser {
    enum credential_kind kind;
    bool (*recognises)(const uint8_t *text, size_t length_bytes);
    void (*read)(const uint8_t *text, size_t length_bytes, const struct credential_trust *trust,
                 struct credential *ret);
};

/* Wipes *ret but for its kind and checks, so that nothing read so far leaves with a fault. `detail` is always one of
 * our own constants, never a part of the payload: that is how it holds no personal data. */
void credential_fail(struct credential *ret, enum credential_fault fault, const char *detail);
/* The same after CHECK_FAILED at `check`. */
void credential_fail_check(struct credential *ret, enum credential_check check, enum credential_fault fault,
                           const char *detail);
/* As credential_fail_check(), but what was read stays for now; for KEY_UNKNOWN, SIGNATURE and KEY_NOT_VALID. The first
 * fault wins, so that reading may go on after it. credential_read() wipes in the end unless trust->explain. */
void credential_mark_fault(struct credential *ret, enum credential_check check, enum credential_fault fault,
                           const char *detail);

/* Fills ret->name in NFC and warns when it wasn't; false: not utf8_plain(), or longer than the room; it
 * is empty then. */
bool credential_take_name(struct credential *ret, const uint8_t *bytes, size_t length_bytes);

#endif
