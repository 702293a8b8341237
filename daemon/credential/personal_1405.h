/* The personal code of Decision 1405/QĐ-BTTTT (2021): SoGiayTo|HoTen|NgaySinh|LoaiDinhDanh|QID|EXT. Not signed in any
 * way we could check. Number and date may be masked with '*'. Only for credential.c's table. Pure.
 * Subject: "cccd:" + 12 digits or "cmnd:" + 9 digits when the number is whole, else "qid:" + QID, else none (WARN_MASKED).
 * Another paper's number (a passport's) or none is taken beside a QID alone, for nothing else says whose code it is.
 * Aliases: "qid:" and EXT's "bhyt:" where given. Numbers of zeros alone are fillers and count as not given. */
#ifndef CREDENTIAL_PERSONAL_1405_H
#define CREDENTIAL_PERSONAL_1405_H

#include "daemon/credential/credential.h"

bool personal_1405_recognises(const uint8_t *text, size_t length_bytes);
/* `trust` is not used. */
void personal_1405_read(const uint8_t *text, size_t length_bytes, const struct credential_trust *trust,
                        struct credential *ret);

#endif
