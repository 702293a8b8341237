/* Keys and folders of keys, read by the daemon's own readers, whose mistakes are told in the user's language. For qrgatectl's
 * commands. */
#ifndef CTL_TOLD_FILES_H
#define CTL_TOLD_FILES_H

#include "daemon/credential/credential.h"
#include "daemon/ctl/ctl.h"
#include "daemon/settings/key_file.h"

/* As key_file_read() and trust_folder_load(); what is wrong goes to stderr. */
int told_key_read(const struct ctl *ctl, const char *path, bool secret, struct key_file *ret);
int told_trust_load(const struct ctl *ctl, const char *folder, struct credential_trust *ret);

#endif
