/* The text file of one Ed25519 key: lines `kid: …`, `issuer: …` and `ed25519: <64 hex digits>` (public) or
 * `ed25519-secret: <64 hex digits>` (the seed). Read at start-up (trust_folder.c) and by qrgatectl, which also writes
 * it. */
#ifndef SETTINGS_KEY_FILE_H
#define SETTINGS_KEY_FILE_H

#include <stdio.h>

#include "daemon/credential/credential.h"

enum { KEY_FILE_KEY_BYTES = 32 };

struct key_file {
    char kid[CREDENTIAL_KID_MAX_BYTES + 1];
    char issuer[CREDENTIAL_ISSUER_BYTES]; /* "" = any */
    uint8_t key[KEY_FILE_KEY_BYTES];      /* public key, or secret seed */
};

/* 0; -EINVAL after printing every mistake as file:line to `errors`; or -errno, printed too. A secret file that others
 * can read is -EPERM. */
int key_file_read(const char *path, bool secret, struct key_file *ret, FILE *errors);
/* Makes the file (never overwrites: -EEXIST), 0600 when secret, else 0644, and waits for the disk. Prints nothing. */
int key_file_write(const char *path, bool secret, const struct key_file *key);

bool key_file_kid_valid(const char *kid);       /* 1 to 16 of A-Z a-z 0-9 . _ - */
bool key_file_issuer_valid(const char *issuer); /* UTF-8 on one line, up to 63 bytes; may be "" */

#endif
