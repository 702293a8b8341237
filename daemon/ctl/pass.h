/* What the commands for keys, site tokens, rotating tokens and printed cards share: key.c, key_operator.c, key_trust.c, token.c,
 * rotating.c and print/cards.c. */
#ifndef CTL_PASS_H
#define CTL_PASS_H

#include "daemon/ctl/ctl.h"
#include "daemon/ctl/print/qr_card.h"
#include "daemon/settings/key_file.h"

enum { PASS_PATH_BYTES = 1024 };

/* The trust folder: `option` (--trust) when given, else the configuration's. (key_trust.c) */
enum ctl_exit pass_trust_folder(struct ctl *ctl, const char *option, char ret_folder[PASS_PATH_BYTES]);
/* "FOLDER/NAME" + ending. 0, or -ENAMETOOLONG. */
int pass_join(const char *folder, const char *name, const char *ending, char ret_path[PASS_PATH_BYTES]);
/* After key_file_write(). (key.c) */
enum ctl_exit pass_fail_write(const struct ctl *ctl, const char *path, int error);

/* Where the two files of a new pair of keys go: `out` is a file, and `pub` the other one, or a folder for KID.key and KID.pub.
 * (key.c) */
enum ctl_exit pass_pair_paths(const struct ctl *ctl, const char *kid, const char *out, const char *pub,
                              char secret[PASS_PATH_BYTES], char public[PASS_PATH_BYTES]);
/* Both files or none. */
enum ctl_exit pass_write_pair(const struct ctl *ctl, const struct key_file *secret, const struct key_file *public,
                              const char *secret_path, const char *public_path);

/* --subject of a pass: a number in one of the register's forms, or a word of the issuer's own. A wrong one is a usage
 * error. (token.c) */
enum ctl_exit pass_subject(const struct ctl *ctl, const char *text, char ret_subject[CREDENTIAL_SUBJECT_BYTES]);
/* --valid. */
enum ctl_exit pass_valid(const struct ctl *ctl, const char *text, int64_t *ret_s);
/* Without `out` the code as text on standard output; else drawn there. */
enum ctl_exit pass_put(const struct ctl *ctl, const char *out, const struct qr_card *card);
/* Local time as people read it: "31 Jan 2026 08:30 +0700", "31/01/2026 08:30 +0700". */
enum { PASS_TIME_BYTES = 64 };
const char *pass_local_time(const struct lang *lang, int64_t at_s, char buffer[PASS_TIME_BYTES]);
/* The operand, or the first line of standard input when it is "-". The room is the longest code's. False: can't be
 * read, said already. */
bool pass_code(const struct ctl *ctl, const char *operand, char ret_code[CREDENTIAL_PAYLOAD_MAX_BYTES + 2]);

#endif
