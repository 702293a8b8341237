/* The register of declarations, and the files of keys beside it: site key and trust folder. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <ftw.h>
#include <sodium.h>
#include <sqlite3.h>

#include "daemon/journal/register.h"
#include "daemon/settings/key_file.h"
#include "daemon/settings/site_key.h"
#include "daemon/settings/trust_folder.h"

struct fixture {
    char folder[64];
    sqlite3 *db;
};

static char *in_folder(const struct fixture *f, const char *name, char path[128])
{
    (void)snprintf(path, 128, "%s/%s", f->folder, name);
    return path;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    char path[128], why[256];
    assert_non_null(f);
    (void)strcpy(f->folder, "/tmp/qrgate-register-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    assert_true(sodium_init() >= 0);
    if (database_open(in_folder(f, "j.db", path), &f->db, why, sizeof(why)) != 0)
        fail_msg("%s", why);
    *state = f;
    return 0;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *place)
{
    (void)status, (void)type, (void)place;
    return remove(path);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    (void)sqlite3_close(f->db);
    (void)nftw(f->folder, remove_one, 4, FTW_DEPTH | FTW_PHYS);
    free(f);
    return 0;
}

static void person_is_the_keyed_hash(void **state)
{
    /* RFC 4231 has no 32-byte key; this value is Python's hmac over the same bytes. */
    uint8_t key[32], other_key[32] = { 0 };
    char person[JOURNAL_ID_BYTES], again[JOURNAL_ID_BYTES];
    (void)state;
    for (int i = 0; i < 32; i++)
        key[i] = (uint8_t)i;
    register_person(key, "cccd:022199012345", person);
    assert_string_equal(person, "39266480f6047697c1029708778aef18");
    register_person(key, "cccd:022199012345", again);
    assert_string_equal(person, again);
    register_person(key, "cccd:022199012346", again);
    assert_string_not_equal(person, again);
    register_person(other_key, "cccd:022199012345", again);
    assert_string_not_equal(person, again);
}

static void declares_and_finds(void **state)
{
    struct fixture *f = *state;
    struct declaration found;
    bool taken = false;
    assert_int_equal(register_find(f->db, "p", &found), 0);
    assert_false(found.found);
    assert_int_equal(found.status, STATUS_NONE);
    assert_int_equal(register_declare(f->db, "p", STATUS_YELLOW, 1000, &taken), 0);
    assert_true(taken);
    assert_int_equal(register_find(f->db, "p", &found), 0);
    assert_true(found.found);
    assert_int_equal(found.status, STATUS_YELLOW);
    assert_int_equal(found.declared_at_s, 1000);
    assert_int_equal(register_find(f->db, "q", &found), 0);
    assert_false(found.found);
}

static void older_never_overwrites_newer(void **state)
{
    struct fixture *f = *state;
    struct declaration found;
    bool taken;
    assert_int_equal(register_declare(f->db, "p", STATUS_RED, 1000, &taken), 0);
    assert_int_equal(register_declare(f->db, "p", STATUS_GREEN, 999, &taken), 0);
    assert_false(taken);
    assert_int_equal(register_find(f->db, "p", &found), 0);
    assert_int_equal(found.status, STATUS_RED);
    assert_int_equal(register_declare(f->db, "p", STATUS_YELLOW, 1000, &taken),
                     0); /* a correction of the same moment */
    assert_true(taken);
    assert_int_equal(register_declare(f->db, "p", STATUS_GREEN, 1001, &taken), 0);
    assert_true(taken);
    assert_int_equal(register_find(f->db, "p", &found), 0);
    assert_int_equal(found.status, STATUS_GREEN);
    assert_int_equal(found.declared_at_s, 1001);
}

static void refuses_what_nobody_declares(void **state)
{
    struct fixture *f = *state;
    bool taken = true;
    assert_int_equal(register_declare(f->db, "p", STATUS_NONE, 1, &taken), -EINVAL);
    assert_int_equal(register_declare(f->db, "p", STATUS_EXPIRED, 1, &taken), -EINVAL);
    assert_int_equal(register_declare(f->db, "", STATUS_GREEN, 1, &taken), -EINVAL);
    assert_false(taken);
}

static void foreign_status_is_an_error_not_a_guess(void **state)
{
    struct fixture *f = *state;
    struct declaration found;
    assert_int_equal(sqlite3_exec(f->db, "INSERT INTO declaration VALUES ('p', 'purple', 1, 'x')", NULL, NULL, NULL),
                     SQLITE_OK);
    assert_int_equal(register_find(f->db, "p", &found), -EILSEQ);
    assert_false(found.found);
}

static void write_file(const struct fixture *f, const char *name, const char *text, mode_t mode)
{
    char path[128];
    FILE *file = fopen(in_folder(f, name, path), "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static void site_key_is_made_once_and_read(void **state)
{
    struct fixture *f = *state;
    uint8_t key[32] = { 0 }, again[32] = { 0 }, zeros[32] = { 0 };
    char path[128], why[256] = "";
    struct stat status;
    assert_int_equal(site_key_load(in_folder(f, "site.key", path), key, why, sizeof(why)), -ENOENT);
    assert_non_null(strstr(why, path));
    assert_int_equal(site_key_create(path, why, sizeof(why)), 0);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_int_equal(status.st_size, 65);
    assert_int_equal(site_key_load(path, key, why, sizeof(why)), 0);
    assert_memory_not_equal(key, zeros, 32);
    assert_int_equal(site_key_create(path, why, sizeof(why)), -EEXIST);
    assert_int_equal(site_key_load(path, again, why, sizeof(why)), 0);
    assert_memory_equal(key, again, 32);
    assert_int_equal(chmod(path, 0644), 0);
    assert_int_equal(site_key_load(path, key, why, sizeof(why)), -EPERM);
    assert_non_null(strstr(why, "chmod"));
    assert_memory_equal(key, zeros, 32);
}

#define HEX "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

static void bad_site_keys_are_refused(void **state)
{
    static const char *const bad[] = {
        "",        "\n", HEX "00\n",   HEX "\n\n",
        HEX " \n", "zz", HEX HEX "\n", "g00102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n"
    };
    struct fixture *f = *state;
    uint8_t key[32];
    char path[128], why[256];
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        write_file(f, "k", bad[i], 0600);
        if (site_key_load(in_folder(f, "k", path), key, why, sizeof(why)) != -EINVAL)
            fail_msg("taken: '%s'", bad[i]);
    }
    write_file(f, "k", HEX, 0640);
    assert_int_equal(site_key_load(in_folder(f, "k", path), key, why, sizeof(why)), 0);
    assert_int_equal(key[31], 0x1f);
    write_file(f, "k", HEX "\r\n", 0640);
    assert_int_equal(site_key_load(path, key, why, sizeof(why)), 0);
}

/* A valid Ed25519 public key (that of RFC 8032, test 1) */
#define PUB "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"

static int load(const struct fixture *f, struct credential_trust *trust, char *said, size_t said_bytes)
{
    char path[128];
    memset(said, 0, said_bytes);
    FILE *errors = fmemopen(said, said_bytes, "w");
    assert_non_null(errors);
    const int result = trust_folder_load(in_folder(f, "trust", path), trust, errors);
    (void)fclose(errors);
    return result;
}

static void trust_folder_is_read(void **state)
{
    struct fixture *f = *state;
    struct credential_trust trust;
    char path[128], said[2048];
    assert_int_equal(load(f, &trust, said, sizeof(said)), -ENOENT);
    assert_non_null(strstr(said, "trust.folder"));
    assert_int_equal(mkdir(in_folder(f, "trust", path), 0755), 0);
    assert_int_equal(load(f, &trust, said, sizeof(said)), 0);
    assert_int_equal(trust.count, 0);
    write_file(f, "trust/b.pub", "# comment\r\n\r\nkid: two\r\ned25519: " PUB "\r\n", 0644);
    write_file(f, "trust/a.pub", "kid: one\nissuer:  Ward 3, \xC3\x82u \ned25519: " PUB, 0644);
    write_file(f, "trust/README.md", "not a key", 0644);
    write_file(f, "trust/.hidden.pub", "not a key", 0644);
    assert_int_equal(load(f, &trust, said, sizeof(said)), 0);
    assert_string_equal(said, "");
    assert_int_equal(trust.count, 2);
    assert_int_equal(trust.keys[0].kid_bytes, 3);
    assert_memory_equal(trust.keys[0].kid, "one", 3);
    assert_string_equal(trust.keys[0].issuer, "Ward 3, \xC3\x82u");
    assert_int_equal(trust.keys[0].public_key[0], 0xd7);
    assert_memory_equal(trust.keys[1].kid, "two", 3);
    assert_string_equal(trust.keys[1].issuer, "");
}

static void bad_trust_files_are_named_with_line(void **state)
{
    static const struct {
        const char *text, *said;
    } cases[] = {
        { "", "a.pub:0: " },
        { "kid: one\n", "`ed25519: …` is missing" },
        { "ed25519: " PUB "\n", "`kid: …` is missing" },
        { "kid: one\ned25519: 12\n", "a.pub:2: the key must be exactly 64" },
        { "kid: one\ned25519: " PUB "00\n", "a.pub:2: the key must be exactly 64" },
        { "kid: one\n\ned25519: 0000000000000000000000000000000000000000000000000000000000000000\n",
          "a.pub:3: these 64 digits" },
        { "kid: one two\ned25519: " PUB "\n", "a.pub:1: kid" },
        { "kid: 12345678901234567\ned25519: " PUB "\n", "a.pub:1: kid" },
        { "kid: one\nkid: two\ned25519: " PUB "\n", "a.pub:2: a second kid" },
        { "kid: one\nissuer: \xff\ned25519: " PUB "\n", "a.pub:2: issuer" },
        { "kid: one\nhello\ned25519: " PUB "\n", "a.pub:2: a line must be" },
        { "kid: one\ned25519-secret: " PUB "\n", "a.pub:2: 'ed25519-secret': this is a SECRET key" },
        { "kid: one\ncolour: blue\ned25519: " PUB "\n", "a.pub:2: 'colour': allowed are" },
    };
    struct fixture *f = *state;
    struct credential_trust trust;
    char path[128], said[2048];
    assert_int_equal(mkdir(in_folder(f, "trust", path), 0755), 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        write_file(f, "trust/a.pub", cases[i].text, 0644);
        if (load(f, &trust, said, sizeof(said)) != -EINVAL || !strstr(said, cases[i].said))
            fail_msg("case %zu said: %s", i, said);
        assert_int_equal(trust.count, 0);
    }
    write_file(f, "trust/a.pub", "kid: one\ned25519: " PUB "\n", 0644);
    write_file(f, "trust/b.pub", "kid: one\ned25519: " PUB "\n", 0644);
    assert_int_equal(load(f, &trust, said, sizeof(said)), -EINVAL);
    assert_non_null(strstr(said, "b.pub: kid 'one' is in another file"));
}

static void too_many_keys_are_refused(void **state)
{
    struct fixture *f = *state;
    struct credential_trust trust;
    char path[128], said[2048], name[32], text[128];
    assert_int_equal(mkdir(in_folder(f, "trust", path), 0755), 0);
    for (int i = 0; i <= CREDENTIAL_TRUST_KEYS_MAX; i++) {
        assert_int_equal(load(f, &trust, said, sizeof(said)), 0);
        (void)snprintf(name, sizeof(name), "trust/%02d.pub", i);
        (void)snprintf(text, sizeof(text), "kid: k%d\ned25519: " PUB "\n", i);
        write_file(f, name, text, 0644);
    }
    assert_int_equal(load(f, &trust, said, sizeof(said)), -EINVAL);
    assert_non_null(strstr(said, "16.pub: one key too many"));
}

static void key_files_round_trip(void **state)
{
    struct fixture *f = *state;
    struct key_file wrote = { .kid = "k-1", .issuer = "Ward 3" }, read;
    char path[128], said[512];
    struct stat status;
    memset(wrote.key, 7, sizeof(wrote.key));
    assert_int_equal(key_file_write(in_folder(f, "s.key", path), true, &wrote), 0);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_int_equal(key_file_write(path, true, &wrote), -EEXIST);
    memset(said, 0, sizeof(said));
    FILE *errors = fmemopen(said, sizeof(said), "w");
    assert_non_null(errors);
    assert_int_equal(key_file_read(path, true, &read, errors), 0);
    assert_memory_equal(&wrote, &read, sizeof(read));
    assert_int_equal(key_file_read(path, false, &read, errors), -EINVAL); /* a secret isn't taken for a public key */
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(key_file_read(path, true, &read, errors), -EPERM);
    (void)fclose(errors);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(person_is_the_keyed_hash),
        cmocka_unit_test_setup_teardown(declares_and_finds, setup, teardown),
        cmocka_unit_test_setup_teardown(older_never_overwrites_newer, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_what_nobody_declares, setup, teardown),
        cmocka_unit_test_setup_teardown(foreign_status_is_an_error_not_a_guess, setup, teardown),
        cmocka_unit_test_setup_teardown(site_key_is_made_once_and_read, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_site_keys_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(trust_folder_is_read, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_trust_files_are_named_with_line, setup, teardown),
        cmocka_unit_test_setup_teardown(too_many_keys_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(key_files_round_trip, setup, teardown),
    };
    return cmocka_run_group_tests_name("register", tests, NULL, NULL);
}
