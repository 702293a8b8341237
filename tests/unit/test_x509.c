/* Certificates of document signers, one by one and as a folder: what is read of each, and what is said of a bad one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/credential/cose.h"
#include "daemon/credential/x509.h"
#include "daemon/settings/trust_folder.h"

#ifndef TESTS_DATA
#define TESTS_DATA "tests/data"
#endif
#define HC1 TESTS_DATA "/credentials/hc1"

enum { FILE_BYTES = 8192, SAID_BYTES = 8192, PATH_BYTES = 512, FIRST_S = 1767225600 /* 2026-01-01 */,
       LAST_S = 1830297600 /* 2028-01-01 */ };

static size_t read_file(const char *path, uint8_t bytes[FILE_BYTES])
{
    FILE *file = fopen(path, "rb");

    assert_non_null(file);
    size_t length = fread(bytes, 1, FILE_BYTES, file);
    assert_int_equal(fclose(file), 0);
    assert_true(length > 0 && length < FILE_BYTES);
    return length;
}

/* ---- one by one ---- */

static void test_fields(void **state)
{
    static const struct {
        const char *file;
        int alg;
        unsigned usage;
        const char *country;
    } cases[] = {
        {"all.pem", COSE_ALG_ES256, TRUST_USAGE_TEST | TRUST_USAGE_VACCINATION | TRUST_USAGE_RECOVERY, "XA"},
        {"test.crt", COSE_ALG_ES256, TRUST_USAGE_TEST, "XA"},
        {"recovery.cer", COSE_ALG_ES256, TRUST_USAGE_RECOVERY, "XB"}, /* the issuer's: the subject has none */
        {"rsa.der", COSE_ALG_PS256, 0, "XA"},
    };
    uint8_t bytes[FILE_BYTES];
    char path[PATH_BYTES];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct trust_certificate one;
        (void)snprintf(path, sizeof path, HC1 "/trust/%s", cases[i].file);
        const char *wrong = x509_read(bytes, read_file(path, bytes), &one);
        if (wrong != NULL)
            fail_msg("%s: %s", path, wrong);
        assert_non_null(one.key);
        assert_int_equal(one.cose_alg, cases[i].alg);
        assert_int_equal(one.usage, cases[i].usage);
        assert_string_equal(one.country, cases[i].country);
        assert_int_equal(one.not_before_s, FIRST_S);
        assert_int_equal(one.not_after_s, LAST_S);
        struct certificate_trust trust = {.count = 1, .certificates = malloc(sizeof one)};
        assert_non_null(trust.certificates);
        trust.certificates[0] = one;
        x509_free(&trust);
        assert_null(trust.certificates);
        x509_free(&trust);
    }
}

static void test_kid(void **state)
{
    uint8_t bytes[FILE_BYTES], digest[crypto_hash_sha256_BYTES];
    size_t length = read_file(HC1 "/trust/rsa.der", bytes);
    struct certificate_trust trust = {.count = 1, .certificates = calloc(1, sizeof *trust.certificates)};

    (void)state;
    assert_non_null(trust.certificates);
    assert_null(x509_read(bytes, length, trust.certificates));
    assert_int_equal(crypto_hash_sha256(digest, bytes, length), 0);
    assert_memory_equal(trust.certificates[0].kid, digest, TRUST_CERTIFICATE_KID_BYTES);
    x509_free(&trust);
}

/* Every file of hc1/bad, and what is said of it. */
static const struct {
    const char *file, *wrong;
} bad[] = {
    {"rsa1024.der", "under 2048"}, {"p384.der", "P-256"}, {"ed25519.der", "neither EC nor RSA"},
    {"behind.der", "not one X.509"}, {"cut.der", "not one X.509"}, {"two-in-one.pem", "not one X.509"},
    {"cut.pem", "END CERTIFICATE----- is missing"}, {"letters.pem", "base64"}, {"text.pem", "neither DER nor PEM"},
};

static void test_bad_certificates(void **state)
{
    uint8_t bytes[FILE_BYTES];
    char path[PATH_BYTES];

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct trust_certificate one;
        (void)snprintf(path, sizeof path, HC1 "/bad/%s", bad[i].file);
        const char *wrong = x509_read(bytes, read_file(path, bytes), &one);
        if (wrong == NULL || strstr(wrong, bad[i].wrong) == NULL)
            fail_msg("%s: %s", path, wrong == NULL ? "taken" : wrong);
        assert_null(one.key);
    }
}

/* Each cut and each changed byte is read or refused; a sanitizer sees what is read too far or lost. */
static void test_broken_bytes(void **state)
{
    uint8_t bytes[FILE_BYTES];
    size_t length = read_file(HC1 "/trust/recovery.cer", bytes);
    struct trust_certificate one;

    (void)state;
    for (size_t cut = 0; cut < length; cut++)
        assert_non_null(x509_read(bytes, cut, &one));
    for (size_t at = 0; at < length; at++) {
        struct certificate_trust trust = {.count = 1, .certificates = calloc(1, sizeof one)};
        assert_non_null(trust.certificates);
        bytes[at] ^= 0x41;
        (void)x509_read(bytes, length, trust.certificates); /* either way */
        bytes[at] ^= 0x41;
        x509_free(&trust);
    }
}

/* ---- a folder ---- */

struct folder {
    char path[64];
    char said[SAID_BYTES];
    struct credential_trust trust;
};

static int make_folder(void **state)
{
    struct folder *folder = calloc(1, sizeof *folder);

    if (folder == NULL)
        return -1;
    (void)snprintf(folder->path, sizeof folder->path, "/tmp/qrgate-x509-XXXXXX");
    *state = folder;
    return mkdtemp(folder->path) == NULL ? -1 : 0;
}

static int remove_folder(void **state)
{
    struct folder *folder = *state;
    char command[PATH_BYTES];

    (void)snprintf(command, sizeof command, "rm -r '%s'", folder->path);
    int result = system(command);
    free(folder);
    return result;
}

static const char *in_folder(const struct folder *folder, const char *name, char path[PATH_BYTES])
{
    (void)snprintf(path, PATH_BYTES, "%s/%s", folder->path, name);
    return path;
}

static void put(const struct folder *folder, const char *name, const void *bytes, size_t length)
{
    char path[PATH_BYTES];
    FILE *file = fopen(in_folder(folder, name, path), "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

static int load(struct folder *folder, const char *path)
{
    memset(folder->said, 0, sizeof folder->said);
    FILE *errors = fmemopen(folder->said, sizeof folder->said, "w");
    assert_non_null(errors);
    int result = trust_folder_load(path, &folder->trust, errors);
    assert_int_equal(fclose(errors), 0);
    return result;
}

static void assert_refused(struct folder *folder, const char *said)
{
    assert_int_equal(load(folder, folder->path), -EINVAL);
    if (strstr(folder->said, said) == NULL)
        fail_msg("'%s' is not said, but: %s", said, folder->said);
    assert_null(folder->trust.certificates);
}

static void test_folder(void **state)
{
    struct folder *folder = *state;

    assert_int_equal(load(folder, HC1 "/trust"), 0);
    assert_string_equal(folder->said, "");
    assert_int_equal(folder->trust.count, 0);
    const struct certificate_trust *all = folder->trust.certificates;
    assert_non_null(all);
    assert_int_equal(all->count, 8); /* four of one, and several.pem with four, one of them on a single line */
    for (size_t i = 1; i < all->count; i++)
        assert_true(memcmp(all->certificates[i - 1].kid, all->certificates[i].kid, TRUST_CERTIFICATE_KID_BYTES) < 0);
    trust_folder_free(&folder->trust);
    assert_null(folder->trust.certificates);
    trust_folder_free(&folder->trust);
}

static void test_empty_folder(void **state)
{
    struct folder *folder = *state;

    put(folder, "README.md", "x", 1);
    put(folder, ".hidden.pem", "x", 1);
    put(folder, "pem", "x", 1);
    assert_int_equal(load(folder, folder->path), 0);
    assert_null(folder->trust.certificates);
    trust_folder_free(&folder->trust);
}

/* Every mistake is said at once, each with its file. */
static void test_bad_files_are_named(void **state)
{
    struct folder *folder = *state;
    uint8_t bytes[FILE_BYTES];
    char path[PATH_BYTES];

    put(folder, "good.pem", bytes, read_file(HC1 "/trust/all.pem", bytes));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        (void)snprintf(path, sizeof path, HC1 "/bad/%s", bad[i].file);
        put(folder, bad[i].file, bytes, read_file(path, bytes));
    }
    assert_refused(folder, "text.pem");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char said[PATH_BYTES];
        (void)snprintf(said, sizeof said, "/%s: certificate 1: ", bad[i].file);
        const char *line = strstr(folder->said, said);
        if (line == NULL || strstr(line, bad[i].wrong) == NULL)
            fail_msg("'%s' … '%s' is not said, but: %s", said, bad[i].wrong, folder->said);
    }
    assert_null(strstr(folder->said, "good.pem"));
}

static void test_second_block_bad(void **state)
{
    struct folder *folder = *state;
    uint8_t bytes[2 * FILE_BYTES];
    size_t length = read_file(HC1 "/trust/all.pem", bytes);

    length += read_file(HC1 "/bad/letters.pem", bytes + length);
    put(folder, "two.CRT", bytes, length);
    assert_refused(folder, "two.CRT: certificate 2: ");
    length = read_file(HC1 "/trust/all.pem", bytes);
    length += read_file(HC1 "/bad/cut.pem", bytes + length);
    put(folder, "two.CRT", bytes, length);
    assert_refused(folder, "two.CRT: certificate 2: ");
}

static void test_odd_files(void **state)
{
    struct folder *folder = *state;
    static const char private_key[] = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    char path[PATH_BYTES];

    put(folder, "a.pem", private_key, sizeof private_key - 1);
    assert_refused(folder, "a.pem: this holds a PRIVATE key");
    put(folder, "a.pem", "", 0);
    assert_refused(folder, "a.pem: must be a file of 1 to");
    assert_int_equal(truncate(in_folder(folder, "a.pem", path), 8 * 1024 * 1024 + 1), 0);
    assert_refused(folder, "a.pem: must be a file of 1 to 8388608 bytes");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0755), 0);
    assert_refused(folder, "a.pem: must be a file");
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0); /* must not hang */
    assert_refused(folder, "a.pem: must be a file");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("nowhere", path), 0);
    assert_int_equal(load(folder, folder->path), -ENOENT);
    assert_non_null(strstr(folder->said, "a.pem: can't be opened"));
}

static void test_too_many(void **state)
{
    struct folder *folder = *state;
    uint8_t bytes[FILE_BYTES];
    size_t length = read_file(HC1 "/trust/all.pem", bytes);
    char path[PATH_BYTES];
    FILE *file = fopen(in_folder(folder, "many.pem", path), "wb");

    assert_non_null(file);
    for (int i = 0; i < TRUST_CERTIFICATES_MAX; i++)
        assert_int_equal(fwrite(bytes, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(load(folder, folder->path), 0);
    assert_int_equal(folder->trust.certificates->count, TRUST_CERTIFICATES_MAX);
    trust_folder_free(&folder->trust);
    put(folder, "one.pem", bytes, length);
    assert_refused(folder, "one.pem: more than the 4096 certificates");
}

int main(void)
{
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields), cmocka_unit_test(test_kid), cmocka_unit_test(test_bad_certificates),
        cmocka_unit_test(test_broken_bytes), IN_FOLDER(test_folder), IN_FOLDER(test_empty_folder),
        IN_FOLDER(test_bad_files_are_named), IN_FOLDER(test_second_block_bad), IN_FOLDER(test_odd_files),
        IN_FOLDER(test_too_many),
    };
    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests_name("x509", tests, NULL, NULL);
}
