/* The site's secret key, 64 hex digits in a file: with it identity numbers become the keyed hashes that are stored. All
 * lanes of a site share it; without it the register can't be matched to anybody, which is its use. Start-up,
 * reload and qrgatectl. */
#ifndef SETTINGS_SITE_KEY_H
#define SETTINGS_SITE_KEY_H

#include <stddef.h>
#include <stdint.h>

enum { SITE_KEY_BYTES = 32 };

/* 0; or negative errno with `why`: -ENOENT no such file, -EPERM everybody may read it, -EINVAL not 64 hex digits. */
int site_key_load(const char *path, uint8_t ret_key[SITE_KEY_BYTES], char *why, size_t why_bytes);
/* Makes a new one from the kernel's random numbers, 0600; never overwrites (-EEXIST). */
int site_key_create(const char *path, char *why, size_t why_bytes);

#endif
