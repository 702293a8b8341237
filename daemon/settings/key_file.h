/* The text file of one Ed25519 key: lines `kid: …`, `issuer: …`, `ed25519: <64 hex digits>` (public) or
 * `ed25519-secret: <64 hex digits>` (the seed), and `from: …` and `until: …`, which may be left out: RFC 3339 with a
 * zone, a date (its first second in UTC for from, its last for until), or Unix seconds. Read at start-up and reload
 * (trust_folder.c) and by qrgatectl, which also writes it. */
#ifndef SETTINGS_KEY_FILE_H
#define SETTINGS_KEY_FILE_H

#include <stdio.h>

#include "daemon/credential/credential.h"

enum { KEY_FILE_KEY_BYTES = 32 };

struct key_file {
    char kid[CREDENTIAL_KID_MAX_BYTES + 1];
    char issuer[CREDENTIAL_ISSUER_BYTES]; /* "" = any */
    uint8_t key[KEY_FILE_KEY_BYTES];      /* public key, or secret seed */
    int64_t from_s, until_s;              /* what it signs is dated in between, both included; 0 = no bound */
};

/* 0; -EINVAL after printing every mistake as file:line to `errors`; or -errno, printed too. A secret file that others
 * can read is -EPERM. */
int key_file_read(const char *path, bool secret, struct key_file *ret, FILE *errors);
/* Makes the file (never overwrites: -EEXIST), 0600 when secret, else 0644, and waits for the disk. Prints nothing. */
int key_file_write(const char *path, bool secret, const struct key_file *key);
/* Gives the file another `until` and leaves its other lines as they are: a new file, on the disk, takes the old one's
 * place at once or not at all. 0, or negative errno. The file must be one that key_file_read() takes. -EFBIG: it has
 * no room for one more line. Prints nothing. */
int key_file_set_until(const char *path, int64_t until_s);

/* NAME.pub, in any case, and not hidden: what counts as a public key's file in a folder of them. */
bool key_file_is_public_name(const char *name);
bool key_file_kid_valid(const char *kid);       /* 1 to 16 of A-Z a-z 0-9 . _ -, no dot first: KID.pub would be hidden */
bool key_file_issuer_valid(const char *issuer); /* UTF-8 on one line, up to 63 bytes; may be "" */

#endif
