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

/* Wipes *ret but for its kind, so that nothing read so far leaves with a fault. `detail` is always one of our own
 * constants, never a part of the payload: that is how it holds no personal data. */
void credential_fail(struct credential *ret, enum credential_fault fault, const char *detail);

#endif
