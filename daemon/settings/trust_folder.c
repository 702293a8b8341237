/* The folder of public keys -> struct credential_trust. Start-up only, on the caller's thread. One bad file refuses all
 * of them: a gate that silently trusts fewer keys than its admin thinks is found out by the people before it. */
#include "daemon/settings/trust_folder.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/settings/key_file.h"

enum { PATH_BYTES = 1024 };

static int is_public_key(const struct dirent *entry)
{
    const size_t length = strlen(entry->d_name);
    return length > 4 && entry->d_name[0] != '.' && strcmp(entry->d_name + length - 4, ".pub") == 0;
}

static int add_key(const char *path, struct credential_trust *trust, FILE *errors)
{
    struct key_file file;
    const int error = key_file_read(path, false, &file, errors);
    if (error < 0)
        return error;
    const size_t kid_bytes = strlen(file.kid);
    for (size_t i = 0; i < trust->count; i++)
        if (trust->keys[i].kid_bytes == kid_bytes && memcmp(trust->keys[i].kid, file.kid, kid_bytes) == 0) {
            (void)fprintf(errors, "%s: kid '%s' is in another file of this folder too; each key needs its own\n", path,
                          file.kid);
            return -EINVAL;
        }
    if (trust->count == CREDENTIAL_TRUST_KEYS_MAX) {
        (void)fprintf(errors, "%s: one key too many; up to %d are allowed: remove those out of use\n", path,
                      CREDENTIAL_TRUST_KEYS_MAX);
        return -EINVAL;
    }
    struct credential_trust_key *key = &trust->keys[trust->count++];
    memcpy(key->kid, file.kid, kid_bytes);
    key->kid_bytes = kid_bytes;
    memcpy(key->public_key, file.key, sizeof(key->public_key));
    memcpy(key->issuer, file.issuer, sizeof(key->issuer));
    return 0;
}

int trust_folder_load(const char *folder, struct credential_trust *ret, FILE *errors)
{
    struct dirent **entries = NULL;
    char path[PATH_BYTES];
    int error = 0;

    memset(ret, 0, sizeof(*ret));
    const int count = scandir(folder, &entries, is_public_key, alphasort);
    if (count < 0) {
        error = -errno;
        (void)fprintf(errors,
                      "%s: the folder of public keys can't be read: %s; make it, or name another in trust.folder\n",
                      folder, strerror(-error));
        return error;
    }
    for (int i = 0; i < count; i++) {
        const int length = snprintf(path, sizeof(path), "%s/%s", folder, entries[i]->d_name);
        int one = -ENAMETOOLONG;
        if (length > 0 && (size_t)length < sizeof(path))
            one = add_key(path, ret, errors);
        else
            (void)fprintf(errors, "%s: the path is too long\n", folder);
        if (one < 0 && error == 0)
            error = one;
        free(entries[i]);
    }
    free(entries);
    if (error < 0)
        memset(ret, 0, sizeof(*ret));
    return error;
}
