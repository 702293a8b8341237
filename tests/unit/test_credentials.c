/* Files that hold secrets: who may have them, what may be in them; and when certificates end. */
#include <errno.h>
#include <fcntl.h>
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

#include "daemon/mqtt/certificates.h"
#include "daemon/mqtt/credentials.h"

struct folder {
    char path[32], file[64];
    struct mqtt_settings settings;
    char why[CREDENTIALS_WHY_BYTES];
};

static int make_folder(void **state)
{
    struct folder *f = calloc(1, sizeof *f);
    *state = f;
    if (f == NULL)
        return -1;
    (void)snprintf(f->path, sizeof f->path, "/tmp/credentials.XXXXXX");
    if (mkdtemp(f->path) == NULL)
        return -1;
    (void)snprintf(f->file, sizeof f->file, "%s/password", f->path);
    (void)snprintf(f->settings.password_file, sizeof f->settings.password_file, "%s", f->file);
    return 0;
}

static int remove_folder(void **state)
{
    struct folder *f = *state;
    char command[64];
    (void)snprintf(command, sizeof command, "rm -rf %s", f->path);
    int r = system(command);
    free(f);
    return r;
}

static void write_file(const char *path, const void *text, size_t length, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, length), length);
    assert_int_equal(fchmod(fd, mode), 0);
    assert_int_equal(close(fd), 0);
}

static int load(struct folder *f, const char *systemd, struct credentials *ret)
{
    f->why[0] = '\0';
    memset(ret, 'x', sizeof *ret);
    return credentials_load(&f->settings, systemd, ret, f->why, sizeof f->why);
}

static void first_line_counts(void **state)
{
    static const struct {
        const char *text;
        size_t length;
        const char *password; /* NULL: refused */
    } cases[] = {
        {"secret", 6, "secret"},      {"secret\n", 7, "secret"}, {"secret\r\n", 8, "secret"}, {"a b\tc \n", 7, "a b\tc "},
        {"one\ntwo\n", 8, "one"}, {"", 0, NULL},             {"\n", 1, NULL},             {"\nsecret\n", 8, NULL},
        {"se\0cret\n", 8, NULL},      {"secret\0", 7, NULL},
    };
    struct folder *f = *state;
    struct credentials credentials;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        write_file(f->file, cases[i].text, cases[i].length, 0600);
        int r = load(f, "", &credentials);
        assert_int_equal(r, cases[i].password != NULL ? 0 : -EINVAL);
        assert_string_equal(credentials.password, cases[i].password != NULL ? cases[i].password : "");
        if (r < 0)
            assert_non_null(strstr(f->why, f->file));
    }
}

static void length_is_bounded(void **state)
{
    struct folder *f = *state;
    struct credentials credentials;
    char text[600];
    memset(text, 'p', sizeof text);
    write_file(f->file, text, CREDENTIALS_PASSWORD_BYTES - 1, 0600);
    assert_int_equal(load(f, "", &credentials), 0);
    assert_int_equal(strlen(credentials.password), CREDENTIALS_PASSWORD_BYTES - 1);
    write_file(f->file, text, CREDENTIALS_PASSWORD_BYTES, 0600);
    assert_int_equal(load(f, "", &credentials), -EINVAL);
    assert_string_equal(credentials.password, "");
    write_file(f->file, text, sizeof text, 0600);
    assert_int_equal(load(f, "", &credentials), -EFBIG);
    assert_non_null(strstr(f->why, "longer than 511 bytes"));
}

static void modes_decide(void **state)
{
    static const struct {
        enum credentials_file kind;
        mode_t most; /* every bit of it may be set, and no other */
    } kinds[] = {{CREDENTIALS_PUBLIC, 0775}, {CREDENTIALS_OWN, 0700}, {CREDENTIALS_GROUP, 0750}, {CREDENTIALS_SYSTEMD, 0770}};
    struct folder *f = *state;
    char text[16];
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        for (mode_t bit = 0400; bit > 0; bit >>= 1) {
            write_file(f->file, "secret\n", 7, 0400 | bit);
            ssize_t length = credentials_read("k", f->file, kinds[i].kind, text, sizeof text, f->why, sizeof f->why);
            assert_int_equal(length, (kinds[i].most & bit) != 0 ? 7 : -EPERM);
            if (length < 0)
                assert_non_null(strstr(f->why, "others may read or change it"));
        }
    }
}

static void owner_decides(void **state)
{
    struct folder *f = *state;
    struct credentials credentials;
    if (geteuid() != 0)
        skip(); /* only root can give files away */
    write_file(f->file, "secret\n", 7, 0600);
    assert_int_equal(chown(f->file, 4711, (gid_t)-1), 0);
    assert_int_equal(load(f, "", &credentials), 0); /* root checks for others */
    assert_int_equal(chmod(f->path, 0755), 0);
    assert_int_equal(seteuid(4712), 0);
    assert_int_equal(load(f, "", &credentials), -EACCES);
    assert_non_null(strstr(f->why, "readable for the user of qrgated"));
    assert_int_equal(seteuid(0), 0);
    write_file(f->file, "secret\n", 7, 0640);
    assert_int_equal(chown(f->file, 4711, 4712), 0);
    assert_int_equal(setegid(4712), 0);
    assert_int_equal(seteuid(4712), 0);
    char text[16];
    assert_int_equal(credentials_read("k", f->file, CREDENTIALS_GROUP, text, sizeof text, f->why, sizeof f->why), -EPERM);
    assert_non_null(strstr(f->why, "it belongs to user 4711"));
    assert_int_equal(seteuid(0), 0);
    assert_int_equal(chown(f->file, 0, 4712), 0); /* root's own is as good as ours */
    assert_int_equal(seteuid(4712), 0);
    assert_int_equal(credentials_read("k", f->file, CREDENTIALS_GROUP, text, sizeof text, f->why, sizeof f->why), 7);
    assert_int_equal(seteuid(0), 0);
    assert_int_equal(setegid(0), 0);
}

static void what_a_link_leads_to_is_judged(void **state)
{
    struct folder *f = *state;
    struct credentials credentials;
    char target[80];
    (void)snprintf(target, sizeof target, "%s/target", f->path);
    write_file(target, "secret\n", 7, 0600);
    assert_int_equal(symlink(target, f->file), 0);
    assert_int_equal(load(f, "", &credentials), 0);
    assert_string_equal(credentials.password, "secret");
    assert_int_equal(chmod(target, 0644), 0);
    assert_int_equal(load(f, "", &credentials), -EPERM);
    assert_int_equal(unlink(target), 0);
    assert_int_equal(load(f, "", &credentials), -ENOENT);
    assert_int_equal(mkfifo(target, 0600), 0); /* nobody writes to it: must not wait */
    assert_int_equal(load(f, "", &credentials), -EINVAL);
    assert_non_null(strstr(f->why, "not a plain file"));
    assert_int_equal(unlink(target), 0);
    assert_int_equal(symlink(f->file, target), 0);
    assert_int_equal(load(f, "", &credentials), -ELOOP);
    assert_int_equal(unlink(f->file), 0);
    assert_int_equal(mkdir(f->file, 0700), 0);
    assert_int_equal(load(f, "", &credentials), -EINVAL);
    assert_int_equal(rmdir(f->file), 0);
}

static void systemd_fills_what_is_unset(void **state)
{
    struct folder *f = *state;
    struct credentials credentials;
    char name[80], password[80];
    (void)snprintf(name, sizeof name, "%s/mqtt-username", f->path);
    (void)snprintf(password, sizeof password, "%s/mqtt-password", f->path);
    f->settings.password_file[0] = '\0';
    assert_int_equal(load(f, f->path, &credentials), 0); /* none there */
    assert_string_equal(credentials.username, "");
    assert_string_equal(credentials.password, "");
    write_file(name, "lane 7\n", 7, 0440);
    write_file(password, "secret\n", 7, 0440);
    assert_int_equal(load(f, f->path, &credentials), 0);
    assert_string_equal(credentials.username, "lane 7");
    assert_string_equal(credentials.password, "secret");
    assert_int_equal(load(f, "", &credentials), 0); /* not under systemd */
    assert_string_equal(credentials.password, "");
    (void)snprintf(f->settings.username, sizeof f->settings.username, "named");
    (void)snprintf(f->settings.password_file, sizeof f->settings.password_file, "%s", f->file);
    write_file(f->file, "own\n", 4, 0600);
    assert_int_equal(load(f, f->path, &credentials), 0);
    assert_string_equal(credentials.username, "named");
    assert_string_equal(credentials.password, "own");
    f->settings.password_file[0] = '\0';
    write_file(password, "secret\n", 7, 0444);
    assert_int_equal(load(f, f->path, &credentials), -EPERM);
    assert_string_equal(credentials.username, ""); /* all or nothing */
}

static void days_are_counted_down(void **state)
{
    (void)state;
    assert_int_equal(certificates_days_left(86400 * 30, 0), 30);
    assert_int_equal(certificates_days_left(86400 * 30 - 1, 0), 29);
    assert_int_equal(certificates_days_left(1000, 1000), 0);
    assert_int_equal(certificates_days_left(1000, 1001), -1);
    assert_int_equal(certificates_days_left(1000, 1000 + 86400), -1);
    assert_int_equal(certificates_days_left(1000, 1001 + 86400), -2);
}

static void the_first_to_end_counts(void **state)
{
    const int64_t day = 86400, now = 20000 * day;
    struct certificates c = {.client_ends_s = now + 40 * day, .ca_ends_s = now + 50 * day};
    char detail[CERTIFICATES_DETAIL_BYTES];
    (void)state;
    assert_false(certificates_end_soon(&c, now, 30, detail));
    assert_true(certificates_end_soon(&c, now, 41, detail));
    assert_string_equal(detail, "mqtt.cert_file ends on 2024-11-13");
    c.ca_ends_s = now + 30 * day - 1;
    assert_true(certificates_end_soon(&c, now, 30, detail));
    assert_string_equal(detail, "mqtt.ca_file ends on 2024-11-02");
    c.ca_ends_s++;
    assert_false(certificates_end_soon(&c, now, 30, detail));
    c.ca_ends_s = now;
    assert_true(certificates_end_soon(&c, now, 30, detail));
    assert_string_equal(detail, "mqtt.ca_file expired on 2024-10-04");
    c = (struct certificates){.client_ends_s = now + day};
    assert_true(certificates_end_soon(&c, now, 30, detail));
    assert_string_equal(detail, "mqtt.cert_file ends on 2024-10-05");
    c = (struct certificates){0};
    assert_false(certificates_end_soon(&c, now, 30, detail));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(first_line_counts, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(length_is_bounded, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(modes_decide, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(owner_decides, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(what_a_link_leads_to_is_judged, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(systemd_fills_what_is_unset, make_folder, remove_folder),
        cmocka_unit_test(days_are_counted_down),
        cmocka_unit_test(the_first_to_end_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
