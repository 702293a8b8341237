/* The folder of operators' keys: what a file may say, and each mistake with its file and line. And commands.auth at a reload. */
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
#include <sodium.h>

#include "daemon/settings/operators.h"
#include "daemon/settings/settings.h"

/* The curve's base point: a public key that nobody has the secret of. */
#define KEY "5866666666666666666666666666666666666666666666666666666666666666"
#define GOOD "kid: anna1\ned25519: " KEY "\noperator: Chị Hoa\nverbs: open mode\n"

struct fixture {
    char folder[64], *said;
    size_t said_bytes;
    struct command_rules rules;
    int files;
};

static int setup(void **state)
{
    static struct fixture f;
    memset(&f, 0, sizeof f);
    (void)snprintf(f.folder, sizeof f.folder, "/tmp/qrgate-operators-XXXXXX");
    *state = &f;
    return mkdtemp(f.folder) == NULL;
}

static void path_of(const struct fixture *f, const char *name, char ret_path[128])
{
    (void)snprintf(ret_path, 128, "%s/%s", f->folder, name);
}

static void write_file(const struct fixture *f, const char *name, const char *text)
{
    char path[128];
    path_of(f, name, path);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void remove_file(const struct fixture *f, const char *name)
{
    char path[128];
    path_of(f, name, path);
    (void)unlink(path); /* not every test makes each */
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    char name[32];
    remove_file(f, "a.pub");
    remove_file(f, "b.pub");
    remove_file(f, "b.PUB");
    remove_file(f, "notes.txt");
    for (int i = 0; i < f->files; i++) {
        (void)snprintf(name, sizeof name, "n%02d.pub", i);
        remove_file(f, name);
    }
    free(f->said);
    return rmdir(f->folder);
}

static int load(struct fixture *f)
{
    free(f->said);
    f->said = NULL;
    FILE *errors = open_memstream(&f->said, &f->said_bytes);
    assert_non_null(errors);
    int r = operators_load(f->folder, &f->rules, errors);
    assert_int_equal(fclose(errors), 0);
    assert_int_equal(r == 0, f->said[0] == '\0');
    assert_true(r == 0 || f->rules.operators_count == 0);
    return r;
}

static void good_files_are_read(void **state)
{
    struct fixture *f = *state;
    write_file(f, "a.pub", "# Hoa's\n\n" GOOD "issuer: site\n");
    write_file(f, "b.PUB", "verbs:all\r\noperator: ben \r\nkid: ben1\r\ned25519: " KEY "\r\n");
    write_file(f, "notes.txt", "nothing of a key\n");
    assert_int_equal(load(f), 0);
    assert_int_equal(f->rules.operators_count, 2);
    assert_string_equal(f->rules.operators[0].kid, "anna1");
    assert_string_equal(f->rules.operators[0].name, "Chị Hoa");
    assert_int_equal(f->rules.operators[0].verbs, 1u << COMMAND_OPEN | 1u << COMMAND_MODE);
    assert_int_equal(f->rules.operators[0].public_key[0], 0x58);
    assert_int_equal(f->rules.operators[0].public_key[31], 0x66);
    assert_string_equal(f->rules.operators[1].name, "ben");
    assert_int_equal(f->rules.operators[1].verbs, (1u << COMMAND_VERB_COUNT) - 1);
}

static void each_mistake_has_its_file_and_line(void **state)
{
    static const struct {
        const char *text, *said;
    } rows[] = {
        {"", ":0: the line `kid: …` is missing"},
        {"kid: a\ned25519: " KEY "\nverbs: all\n", ":3: the line `operator: …` is missing"},
        {"kid: a\ned25519: " KEY "\noperator: a\n", ":3: the line `verbs: …` is missing"},
        {"kid: a\noperator: a\nverbs: all\n", ":3: the line `ed25519: …` is missing"},
        {GOOD "kid: b\n", ":5: this line comes a second time"},
        {GOOD "hello\n", ":5: a line must be NAME: VALUE"},
        {GOOD "from: 2026-01-01\n", ":5: 'from': allowed are kid, ed25519, operator, verbs and issuer"},
        {"kid: a b\n", ":1: kid: allowed are 1 to 16"},
        {"kid: .a\n", ":1: kid: allowed are 1 to 16"},
        {"operator:\n", ":1: operator: allowed is a name"},
        {"operator: 123456789012345678901234567890123\n", ":1: operator: allowed is a name"},
        {"verbs: open dance\n", ":1: verbs: allowed are all, or open"},
        {"verbs:\n", ":1: verbs: allowed"},
        {"ed25519: 00\n", ":1: the key must be exactly 64"},
        {"ed25519: 0200000000000000000000000000000000000000000000000000000000000000\n", ":1: these 64 digits are no Ed25519"},
        {"ed25519-secret: " KEY "\n", ":1: this is a SECRET key"},
    };
    struct fixture *f = *state;
    char line[2000];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        write_file(f, "a.pub", rows[i].text);
        assert_int_equal(load(f), -EINVAL);
        char wanted[256];
        (void)snprintf(wanted, sizeof wanted, "%s/a.pub%s", f->folder, rows[i].said);
        if (strstr(f->said, wanted) == NULL)
            fail_msg("'%s' lacks '%s'", f->said, wanted);
    }
    memset(line, 'x', sizeof line);
    line[sizeof line - 1] = '\0';
    write_file(f, "a.pub", line);
    assert_int_equal(load(f), -EINVAL);
    assert_non_null(strstr(f->said, "a.pub:1: the line is too long"));
    (void)strcpy(line, GOOD);
    for (int i = 5; i <= 200; i++)
        (void)strcat(line, "#\n");
    write_file(f, "a.pub", line);
    assert_int_equal(load(f), 0);
    write_file(f, "a.pub", strcat(line, "verbs: all\n"));
    assert_int_equal(load(f), -EINVAL);
    assert_non_null(strstr(f->said, "a.pub:201: too many lines; up to 200 are allowed\n"));
}

static void the_folder_as_a_whole(void **state)
{
    struct fixture *f = *state;
    char text[300], name[32];
    assert_int_equal(load(f), -EINVAL);
    assert_non_null(strstr(f->said, "needs an operator's public key here"));
    write_file(f, "a.pub", GOOD);
    write_file(f, "b.pub", GOOD);
    assert_int_equal(load(f), -EINVAL);
    assert_non_null(strstr(f->said, "b.pub: kid 'anna1' is in another file"));
    remove_file(f, "b.pub");
    write_file(f, "b.pub", "kid: b\n");
    assert_int_equal(load(f), -EINVAL); /* one bad one refuses all */
    remove_file(f, "a.pub");
    remove_file(f, "b.pub");
    for (f->files = 0; f->files < COMMAND_OPERATORS_MAX + 1; f->files++) {
        (void)snprintf(name, sizeof name, "n%02d.pub", f->files);
        (void)snprintf(text, sizeof text, "kid: k%d\ned25519: " KEY "\noperator: o\nverbs: time\n", f->files);
        write_file(f, name, text);
        if (f->files == COMMAND_OPERATORS_MAX - 1)
            assert_int_equal(load(f), 0);
    }
    assert_int_equal(load(f), -EINVAL);
    assert_non_null(strstr(f->said, "one key too many; up to 16 are allowed"));
    char folder[64];
    memcpy(folder, f->folder, sizeof folder);
    (void)snprintf(f->folder, sizeof f->folder, "/tmp/qrgate-no-such-folder");
    assert_int_equal(load(f), -ENOENT);
    assert_non_null(strstr(f->said, "name another in commands.operators"));
    memcpy(f->folder, folder, sizeof folder);
}

static int reload(struct fixture *f, enum command_auth from, enum command_auth to)
{
    static struct settings old, fresh;
    memset(&old, 0, sizeof old);
    fresh = old;
    old.commands.auth = from;
    fresh.commands.auth = to;
    (void)snprintf(old.lane, sizeof old.lane, "lane1");
    (void)snprintf(fresh.lane, sizeof fresh.lane, "lane1");
    free(f->said);
    f->said = NULL;
    FILE *errors = open_memstream(&f->said, &f->said_bytes);
    assert_non_null(errors);
    int r = settings_reload(&old, &fresh, errors);
    assert_int_equal(fclose(errors), 0);
    return r;
}

static void auth_changes_live_but_from_off(void **state)
{
    struct fixture *f = *state;
    for (int from = COMMAND_AUTH_OFF; from <= COMMAND_AUTH_SIGNED; from++)
        for (int to = COMMAND_AUTH_OFF; to <= COMMAND_AUTH_SIGNED; to++) {
            bool refused = from == COMMAND_AUTH_OFF && to != COMMAND_AUTH_OFF;
            assert_int_equal(reload(f, (enum command_auth)from, (enum command_auth)to), refused ? -EPERM : 0);
            assert_int_equal(strstr(f->said, "commands.auth: from \"off\" needs a restart") != NULL, refused);
        }
}

int main(void)
{
    const struct CMUnitTest operators[] = {
        cmocka_unit_test_setup_teardown(good_files_are_read, setup, teardown),
        cmocka_unit_test_setup_teardown(each_mistake_has_its_file_and_line, setup, teardown),
        cmocka_unit_test_setup_teardown(the_folder_as_a_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(auth_changes_live_but_from_off, setup, teardown),
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(operators, NULL, NULL);
}
