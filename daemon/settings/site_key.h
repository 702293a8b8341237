/* The site's secret key, 64 hex digits in a file, and while it is being replaced the one before it on a second line: with it
 * identity numbers become the keyed hashes that are stored. All lanes of a site share it; without it the register can't be
 * matched to anybody, which is its use. Start-up, reload and qrgatectl. */
#ifndef SETTINGS_SITE_KEY_H
#define SETTINGS_SITE_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SITE_KEY_BYTES = 32 };

struct site_keys {
    uint8_t current[SITE_KEY_BYTES];
    bool has_old; /* the overlap: "old KEY until TIME" */
    uint8_t old[SITE_KEY_BYTES];
    int64_t old_until_s; /* from then on it may be destroyed, and should be */
};

/* 0; or negative errno with `why`: -ENOENT no such file, -EPERM everybody may read it, -EINVAL not 64 hex digits. */
int site_keys_load(const char *path, struct site_keys *ret, char *why, size_t why_bytes);
/* A file's contents. 0 or -EINVAL. Pure. */
int site_keys_read(const char *text, size_t length_bytes, struct site_keys *ret);
/* The current one alone. */
int site_key_load(const char *path, uint8_t ret_key[SITE_KEY_BYTES], char *why, size_t why_bytes);
/* In the place of the file that is there, whole or not at all, with its owner and mode; once that is on the disk, what stood
 * in the old one is overwritten. 0; 1 with `why`: replaced, but not overwritten; or negative errno with `why`. */
int site_keys_replace(const char *path, const struct site_keys *keys, char *why, size_t why_bytes);
/* Makes a new one from the kernel's random numbers, 0600; never overwrites (-EEXIST). */
int site_key_create(const char *path, char *why, size_t why_bytes);

#endif
