/* The folder of public keys (*.pub) of those whose tokens open this gate. Read once at start-up, and by qrgatectl. */
#ifndef SETTINGS_TRUST_FOLDER_H
#define SETTINGS_TRUST_FOLDER_H

#include <stdio.h>

#include "daemon/credential/credential.h"

/* 0 (an empty folder is a site without tokens); -EINVAL after printing every mistake as file:line to `errors`; or
 * -errno, printed too. Files are read in the order of their names; what doesn't end in .pub is left alone. */
int trust_folder_load(const char *folder, struct credential_trust *ret, FILE *errors);

#endif
