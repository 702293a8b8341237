/* What the daemon keeps of its outputs for qrgate-safe: written and read back, and nothing else is taken for it. */
#include "daemon/outputs.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static const struct line_settings WIRED[LINE_OUT_COUNT] = {
    [LINE_RELAY] = {.name = "GPIO17", .active_low = true},
    [LINE_BUZZER] = {.name = "pinctrl-bcm2711:18"},
    [LINE_LAMP_RED] = {.name = "QRG RED \xc4\x91", .active_low = true}};
static const char TEXT[] = "relay active_low GPIO17\nbuzzer active_high pinctrl-bcm2711:18\nlamp_red active_low QRG RED \xc4\x91\n";

static void is_wired(const struct line_settings out[LINE_OUT_COUNT])
{
    for (int i = 0; i < LINE_OUT_COUNT; i++) {
        assert_string_equal(out[i].name, WIRED[i].name);
        assert_int_equal(out[i].active_low, WIRED[i].active_low);
    }
}

static void what_is_printed_is_parsed(void **state)
{
    char text[OUTPUTS_TEXT_BYTES];
    struct line_settings out[LINE_OUT_COUNT], longest[LINE_OUT_COUNT] = {0};
    (void)state;
    int length = outputs_print(WIRED, text);
    assert_int_equal(length, strlen(TEXT));
    assert_memory_equal(text, TEXT, (size_t)length);
    assert_int_equal(outputs_parse(text, (size_t)length, out), 0);
    is_wired(out);
    for (int i = 0; i < LINE_OUT_COUNT; i++)
        memset(longest[i].name, 'A' + i, LINE_NAME_BYTES - 1);
    length = outputs_print(longest, text);
    assert_true(length > 0 && length < OUTPUTS_TEXT_BYTES);
    assert_int_equal(outputs_parse(text, (size_t)length, out), 0);
    for (int i = 0; i < LINE_OUT_COUNT; i++)
        assert_string_equal(out[i].name, longest[i].name);
    assert_int_equal(outputs_parse("", 0, out), 0); /* nothing is wired */
    longest[0].name[3] = '\n';
    assert_int_equal(outputs_print(longest, text), -EINVAL);
}

static void nothing_else_is_taken_for_it(void **state)
{
    static const char *const texts[] = {
        "relay active_low GPIO17",           /* without its end */
        "relay active_low GPIO17\n\n",
        "relay active_low \n",
        "relay active_low\n",
        "relay low GPIO17\n",
        " relay active_low GPIO17\n",
        "button active_low GPIO17\n",        /* no output */
        "relay active_low GPIO17\r\n",
        "relay active_low GPIO17\nrelay active_high GPIO18\n",
        "relay active_low 0123456789012345678901234567890123456789012345678901234567890123\n",
        "buzzer active_high GPIO18\nanything\n"};
    struct line_settings out[LINE_OUT_COUNT];
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        assert_int_equal(outputs_parse(texts[i], strlen(texts[i]), out), -EBADMSG);
        for (int line = 0; line < LINE_OUT_COUNT; line++)
            assert_string_equal(out[line].name, "");
    }
    assert_int_equal(outputs_parse("relay active_low A\0B\n", 21, out), -EBADMSG);
}

static void the_file_comes_back(void **state)
{
    char folder[] = "/tmp/test_outputs.XXXXXX", folders[64], path[64], more[OUTPUTS_TEXT_BYTES + 1];
    struct line_settings out[LINE_OUT_COUNT];
    struct stat status;
    (void)state;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(folders, sizeof folders, "%s:/no/such/folder", folder); /* as systemd names several */
    (void)snprintf(path, sizeof path, "%s/outputs", folder);
    assert_int_equal(outputs_kept(folders, out), -ENOENT);
    for (int again = 0; again < 2; again++)
        assert_int_equal(outputs_keep(folders, WIRED), 0);
    assert_int_equal(outputs_kept(folders, out), 0);
    is_wired(out);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07, 0);
    memset(more, '\n', sizeof more);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(more, 1, sizeof more, file), sizeof more);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(outputs_kept(folders, out), -EBADMSG);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("/dev/zero", path), 0);
    assert_int_equal(outputs_kept(folders, out), -ELOOP);
    assert_int_equal(outputs_keep(folders, WIRED), 0); /* replaces whatever is there */
    assert_int_equal(outputs_kept(folders, out), 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0); /* nothing else was left in it */
}

static void without_a_folder_nothing_is_kept(void **state)
{
    struct line_settings out[LINE_OUT_COUNT];
    (void)state;
    assert_int_equal(outputs_keep(NULL, WIRED), 0);
    assert_int_equal(outputs_keep("", WIRED), 0);
    assert_int_equal(outputs_kept(NULL, out), -ENOENT);
    assert_int_equal(outputs_keep("/no/such/folder", WIRED), -ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_printed_is_parsed),
        cmocka_unit_test(nothing_else_is_taken_for_it),
        cmocka_unit_test(the_file_comes_back),
        cmocka_unit_test(without_a_folder_nothing_is_kept),
    };
    return cmocka_run_group_tests_name("outputs", tests, NULL, NULL);
}
