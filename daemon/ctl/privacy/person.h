/* Whom a command's operand names, and what commands about one person share: qrgatectl export-person and erase-person. */
#ifndef CTL_PRIVACY_PERSON_H
#define CTL_PRIVACY_PERSON_H

#include "daemon/ctl/ctl.h"

#define PRIVACY_PERSON_HELP \
    "PERSON is a number (cccd:022199012345, bhyt:, badge:, …), or the hash that lists print (32 hex digits), or - to read\n" \
    "it from standard input, so that it stands in no history.\n"

/* A person's hashes: under the present key, and, while that is being replaced and nobody showed the number since, under the
 * old one. */
struct privacy_person {
    int count; /* 0: nothing is stored about them */
    char hashes[2][JOURNAL_ID_BYTES];
};

/* ctl->operand -> *ret. An operand that is none is a usage error; of somebody unknown count is 0. */
enum ctl_exit privacy_person(struct ctl *ctl, struct sqlite3 *db, struct privacy_person *ret);
/* "nothing is stored …", CTL_FAILED. */
enum ctl_exit privacy_nobody(const struct ctl *ctl);

#endif
