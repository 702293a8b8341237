/* The folder of those whose codes open this gate: public keys of token issuers (*.pub) and certificates of document signers
 * (*.pem *.crt *.cer *.der), in any case, hidden files left out. Read at start-up and at a reload, and by qrgatectl. */
#ifndef SETTINGS_TRUST_FOLDER_H
#define SETTINGS_TRUST_FOLDER_H

#include <stdio.h>

#include "daemon/credential/credential.h"

/* 0 (an empty folder is a site without tokens); -EINVAL after printing every mistake, with its file and where it can with
 * its line, to `errors`; or -errno, printed too. Files are read in the order of their names; what ends otherwise is left
 * alone. *ret is overwritten, so what it held must have been freed. ret->certificates is allocated here and belongs to
 * *ret until trust_folder_free(); a copy of *ret borrows it. Certificates out of their validity are loaded: decision/
 * judges that. After a mistake *ret is empty and owns nothing. */
int trust_folder_load(const char *folder, struct credential_trust *ret, FILE *errors);
/* The certificates; accepts a zeroed one, and one already freed. */
void trust_folder_free(struct credential_trust *trust);

#endif
