/* The folder of public keys and certificates -> struct credential_trust. Start-up, reload and qrgatectl, on the caller's
 * thread. One bad file refuses all of them: a gate that silently trusts fewer keys than its admin thinks is found out by the
 * people before it. */
#include "daemon/settings/trust_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/credential/x509.h"
#include "daemon/settings/key_file.h"

enum { PATH_BYTES = 1024, CERTIFICATE_FILE_MAX_BYTES = 8 * 1024 * 1024 /* all that is allowed, with room */ };

struct loading {
    struct credential_trust *trust;
    struct certificate_trust *certificates; /* NULL until there is one */
    FILE *errors;
};

static bool ends_with(const char *name, const char *ending)
{
    const size_t length = strlen(name), ending_length = strlen(ending);
    return length > ending_length && strcasecmp(name + length - ending_length, ending) == 0;
}

static bool is_certificate_name(const char *name)
{
    return ends_with(name, ".pem") || ends_with(name, ".crt") || ends_with(name, ".cer") || ends_with(name, ".der");
}

static int is_trusted(const struct dirent *entry)
{
    return key_file_is_public_name(entry->d_name) || (entry->d_name[0] != '.' && is_certificate_name(entry->d_name));
}

/* ---- keys ---- */

static int add_key(const char *path, struct loading *loading)
{
    struct credential_trust *trust = loading->trust;
    struct key_file file;
    const int error = key_file_read(path, false, &file, loading->errors);
    if (error < 0)
        return error;
    const size_t kid_bytes = strlen(file.kid);
    for (size_t i = 0; i < trust->count; i++)
        if (trust->keys[i].kid_bytes == kid_bytes && memcmp(trust->keys[i].kid, file.kid, kid_bytes) == 0) {
            (void)fprintf(loading->errors,
                          "%s: kid '%s' is in another file of this folder too; each key needs its own\n", path, file.kid);
            return -EINVAL;
        }
    if (trust->count == CREDENTIAL_TRUST_KEYS_MAX) {
        (void)fprintf(loading->errors, "%s: one key too many; up to %d are allowed: remove those out of use\n", path,
                      CREDENTIAL_TRUST_KEYS_MAX);
        return -EINVAL;
    }
    struct credential_trust_key *key = &trust->keys[trust->count++];
    memcpy(key->kid, file.kid, kid_bytes);
    key->kid_bytes = kid_bytes;
    memcpy(key->public_key, file.key, sizeof(key->public_key));
    memcpy(key->issuer, file.issuer, sizeof(key->issuer));
    key->from_s = file.from_s;
    key->until_s = file.until_s;
    return 0;
}

/* ---- certificates ---- */

/* The array has its full size from the first certificate on: nothing moves, and nothing is too small. */
static int make_room(const char *path, struct loading *loading)
{
    struct certificate_trust *all = loading->certificates;
    if (!all) {
        all = calloc(1, sizeof(*all));
        loading->certificates = all;
        if (all)
            all->certificates = calloc(TRUST_CERTIFICATES_MAX, sizeof(*all->certificates));
    }
    if (!all || !all->certificates) {
        (void)fprintf(loading->errors, "%s: no memory for certificates\n", path);
        return -ENOMEM;
    }
    if (all->count == TRUST_CERTIFICATES_MAX) {
        (void)fprintf(loading->errors, "%s: more than the %d certificates allowed; remove those out of use\n", path,
                      TRUST_CERTIFICATES_MAX);
        return -EINVAL;
    }
    return 0;
}

static int add_certificate(const char *path, int number, const uint8_t *bytes, size_t length_bytes,
                           struct loading *loading)
{
    struct certificate_trust *all = loading->certificates;
    const char *wrong = x509_read(bytes, length_bytes, &all->certificates[all->count]);
    if (wrong) {
        (void)fprintf(loading->errors, "%s: certificate %d: %s\n", path, number, wrong);
        return -EINVAL;
    }
    all->count++;
    return 0;
}

static const uint8_t *find(const uint8_t *bytes, size_t length_bytes, const char *text)
{
    return memmem(bytes, length_bytes, text, strlen(text));
}

/* One DER certificate, or PEM blocks one after another, each handed on with its own BEGIN and END. */
static int add_blocks(const char *path, const uint8_t *bytes, size_t length_bytes, struct loading *loading)
{
    static const char end_line[] = "-----END CERTIFICATE-----";
    int result = 0, number = 0;
    if (find(bytes, length_bytes, "PRIVATE KEY-----")) {
        (void)fprintf(loading->errors, "%s: this holds a PRIVATE key: take it off this machine; only the certificate "
                      "belongs here\n", path);
        return -EINVAL;
    }
    do {
        const uint8_t *end = find(bytes, length_bytes, end_line);
        const size_t block_bytes = end ? (size_t)(end - bytes) + sizeof(end_line) - 1 : length_bytes;
        const int room = make_room(path, loading);
        if (room < 0)
            return room; /* said once, not for each block to come */
        const int one = add_certificate(path, ++number, bytes, block_bytes, loading);
        if (one < 0)
            result = one;
        bytes += block_bytes;
        length_bytes -= block_bytes;
    } while (find(bytes, length_bytes, "-----BEGIN CERTIFICATE-----"));
    return result;
}

static ssize_t read_whole(int fd, uint8_t *bytes, size_t length_bytes)
{
    size_t used = 0;
    while (used < length_bytes) {
        const ssize_t got = read(fd, bytes + used, length_bytes - used);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (got == 0)
            break;
        used += (size_t)got;
    }
    return (ssize_t)used;
}

static int add_open_file(const char *path, int fd, struct loading *loading)
{
    struct stat info;
    if (fstat(fd, &info) < 0 || !S_ISREG(info.st_mode) || info.st_size <= 0 ||
        info.st_size > CERTIFICATE_FILE_MAX_BYTES) {
        (void)fprintf(loading->errors,
                      "%s: must be a file of 1 to %d bytes with certificates; remove it or put one there\n", path,
                      CERTIFICATE_FILE_MAX_BYTES);
        return -EINVAL;
    }
    uint8_t *bytes = malloc((size_t)info.st_size);
    if (!bytes) {
        (void)fprintf(loading->errors, "%s: no memory for its %lld bytes\n", path, (long long)info.st_size);
        return -ENOMEM;
    }
    const ssize_t length = read_whole(fd, bytes, (size_t)info.st_size);
    int result = length < 0 ? (int)length : 0;
    if (length < 0)
        (void)fprintf(loading->errors, "%s: can't be read: %s\n", path, strerror(-result));
    else
        result = add_blocks(path, bytes, (size_t)length, loading);
    free(bytes);
    return result;
}

static int add_certificates(const char *path, struct loading *loading)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        const int error = -errno;
        (void)fprintf(loading->errors, "%s: can't be opened: %s; give qrgate the right to read it, or remove it\n",
                      path, strerror(-error));
        return error;
    }
    const int result = add_open_file(path, fd, loading);
    (void)close(fd); /* only read */
    return result;
}

/* ---- folder ---- */

static int add_entry(const char *folder, const char *name, struct loading *loading)
{
    char path[PATH_BYTES];
    const int length = snprintf(path, sizeof(path), "%s/%s", folder, name);
    if (length <= 0 || (size_t)length >= sizeof(path)) {
        (void)fprintf(loading->errors, "%s: the path is too long; up to %d bytes are allowed\n", folder,
                      PATH_BYTES - 1);
        return -ENAMETOOLONG;
    }
    return is_certificate_name(name) ? add_certificates(path, loading) : add_key(path, loading);
}

static void free_certificates(struct certificate_trust *certificates)
{
    if (certificates)
        x509_free(certificates);
    free(certificates);
}

int trust_folder_load(const char *folder, struct credential_trust *ret, FILE *errors)
{
    struct loading loading = { .trust = ret, .errors = errors };
    struct dirent **entries = NULL;
    int error = 0;

    memset(ret, 0, sizeof(*ret));
    const int count = scandir(folder, &entries, is_trusted, alphasort);
    if (count < 0) {
        error = -errno;
        (void)fprintf(errors,
                      "%s: the folder of public keys can't be read: %s; make it, or name another in trust.folder\n",
                      folder, strerror(-error));
        return error;
    }
    for (int i = 0; i < count; i++) {
        const int one = add_entry(folder, entries[i]->d_name, &loading);
        if (one < 0 && error == 0)
            error = one;
        free(entries[i]);
    }
    free(entries);
    if (error < 0) {
        free_certificates(loading.certificates);
        memset(ret, 0, sizeof(*ret));
        return error;
    }
    if (loading.certificates)
        x509_sort(loading.certificates);
    ret->certificates = loading.certificates;
    return 0;
}

void trust_folder_free(struct credential_trust *trust)
{
    /* Const for those who borrow it; made in trust_folder_load() as what can be freed. */
    free_certificates((struct certificate_trust *)(uintptr_t)trust->certificates);
    trust->certificates = NULL;
}
