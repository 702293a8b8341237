/* The forms of a person's number that the register takes: one reader for the command line, CSV and JSON, so that a
 * number written by any of them is the same subject that a card shows. Pure. */
#ifndef CREDENTIAL_SUBJECT_H
#define CREDENTIAL_SUBJECT_H

#include "daemon/credential/credential.h"

#define SUBJECT_ALLOWED                                                        \
    "allowed is cccd:+12 digits, cmnd:+9, bhyt:+10 or the card's 15 characters, " \
    "qid:+1-18, badge:+1-32 of [A-Za-z0-9_.-], hc1:+32 hex"

/* False: none of the forms; ret_subject is "" then. Of a BHYT number of 15 characters the last ten are kept, as
 * bhyt.h says. */
bool subject_read(const char *text, size_t length_bytes, char ret_subject[CREDENTIAL_SUBJECT_BYTES]);

#endif
