/* qrgatectl's words: what a table may hold, what a hostile one can't do, and that each table in config/lang has each word of the
 * program's enumerations. Which keys the program's texts need is tests/lang.py's. */
#include <setjmp.h>
#include <stddef.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>
#include <glob.h>
#include <stdbool.h>
#include <stdlib.h>

#include "daemon/ctl/lang.c"
#include "daemon/ctl/lang_english.c"
#include "daemon/ctl/lang_table.c"
#include "daemon/ctl/lang_told.c"
#include "daemon/decision/decision.h"
#include "daemon/journal/event.h"
#include "daemon/lane/lane.h"
#include "daemon/mqtt/command.h"

static int read_text(const char *text, size_t bytes, struct lang **ret, char **ret_said)
{
    size_t said_bytes;
    int mistakes;
    FILE *errors = open_memstream(ret_said, &said_bytes);
    const int error = lang_read("xx.lang", text, bytes, ret, &mistakes, errors);
    assert_int_equal(fclose(errors), 0);
    return error < 0 ? error : mistakes;
}

/* ---- the shipped tables ------------------------------------------------------------------------------------------ */

/* Each family with the names that the program has for it. */
static const char *name_of_reason(int i) { return reason_name((enum reason)i); }
static const char *name_of_status(int i) { return declaration_status_name((enum declaration_status)i); }
static const char *name_of_verdict(int i) { return verdict_action_name((enum verdict_action)i); }
static const char *name_of_kind(int i) { return event_kind_name((enum event_kind)i); }
static const char *name_of_credential(int i) { return credential_kind_name((enum credential_kind)i); }
static const char *name_of_direction(int i) { return direction_name((enum direction)i); }
static const char *name_of_mode(int i) { return lane_mode_name((enum lane_mode)i); }
static const char *name_of_alarm(int i) { return lane_alarm_name((enum lane_alarm)i); }
static const char *name_of_verb(int i) { return command_verb_name((enum command_verb)i); }
static const char *name_of_error(int i) { return command_error_name((enum command_error)i); }

static const struct {
    const char *family;
    const char *(*name)(int i);
    int first, count;
} families[] = {
    { "reason", name_of_reason, 0, REASON_COUNT },
    { "remedy", name_of_reason, 0, REASON_COUNT },
    { "status", name_of_status, 0, STATUS_COUNT },
    { "verdict", name_of_verdict, 0, VERDICT_ACTION_COUNT },
    { "kind", name_of_kind, 0, EVENT_KIND_COUNT },
    { "credential", name_of_credential, 0, CREDENTIAL_KIND_COUNT },
    { "direction", name_of_direction, 0, DIRECTION_COUNT },
    { "mode", name_of_mode, 0, LANE_MODE_COUNT },
    { "alarm", name_of_alarm, 0, LANE_ALARM_COUNT },
    { "verb", name_of_verb, 0, COMMAND_VERB_COUNT },
    { "error", name_of_error, COMMAND_OK + 1, COMMAND_ERROR_COUNT },
};

static void check_table(const struct lang_table *table, const struct lang_table *english, const char *path)
{
    char key[LANG_KEY_MAX_BYTES + 1];
    for (int i = 0; i < english->count; i++)
        if (!lang_table_find(table, english->rows[i].key))
            fail_msg("%s: %s is missing", path, english->rows[i].key);
    for (size_t f = 0; f < sizeof families / sizeof families[0]; f++)
        for (int i = families[f].first; i < families[f].count; i++) {
            (void)snprintf(key, sizeof key, "%s.%s", families[f].family, families[f].name(i));
            if (!lang_table_find(table, key))
                fail_msg("%s: %s is missing", path, key);
        }
}

static void each_table_is_whole(void **state)
{
    glob_t found;
    (void)state;
    assert_int_equal(glob("config/lang/*.lang", 0, NULL, &found), 0);
    assert_true(found.gl_pathc >= 2);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        char *said = NULL;
        size_t said_bytes;
        struct lang *lang = NULL;
        FILE *errors = open_memstream(&said, &said_bytes);
        const char *path = found.gl_pathv[i];
        const int error = lang_open(path, &lang, errors);
        assert_int_equal(fclose(errors), 0);
        assert_string_equal(said, "");
        assert_int_equal(error, 0);
        check_table(&lang->own, &lang->english, path);
        lang_close(lang);
        free(said);
    }
    globfree(&found);
}

static void english_remedies_are_the_program_s(void **state)
{
    struct lang *lang;
    (void)state;
    assert_int_equal(lang_open("en", &lang, stderr), 0);
    for (int i = 0; i < REASON_COUNT; i++)
        assert_string_equal(say_word(lang, "remedy", reason_name((enum reason)i)), reason_remedy((enum reason)i));
    lang_close(lang);
}

/* Words of a list stay short enough for their columns (watch.c, events.c). */
static void words_fit_their_columns(void **state)
{
    static const struct {
        const char *family;
        int columns;
    } most[] = { { "status.", 10 }, { "kind.", 15 }, { "credential.", 17 }, { "direction.", 4 }, { "mode.", 30 }, { "reason.", 44 } };
    glob_t found;
    (void)state;
    assert_int_equal(glob("config/lang/*.lang", 0, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        struct lang *lang;
        assert_int_equal(lang_open(found.gl_pathv[i], &lang, stderr), 0);
        for (int row = 0; row < lang->own.count; row++)
            for (size_t m = 0; m < sizeof most / sizeof most[0]; m++)
                if (strncmp(lang->own.rows[row].key, most[m].family, strlen(most[m].family)) == 0 &&
                    lang_columns(lang->own.rows[row].text) > most[m].columns)
                    fail_msg("%s: %s: more than %d columns", found.gl_pathv[i], lang->own.rows[row].key, most[m].columns);
        lang_close(lang);
    }
    globfree(&found);
}

/* ---- a table ----------------------------------------------------------------------------------------------------- */

static void a_table_is_read(void **state)
{
    static const char text[] = "# ein Kommentar\r\n\r\nstatus.green = grün\r\nremedy.none=Nichts\n  zu\\n\n\ttun\n \\n  jetzt.\nstatus.red =   rot  ";
    struct lang *lang;
    char *said;
    (void)state;
    assert_int_equal(read_text(text, sizeof text - 1, &lang, &said), 0);
    assert_string_equal(said, "");
    assert_string_equal(say(lang, "status.green"), "grün");
    assert_string_equal(say(lang, "remedy.none"), "Nichts zu\ntun\n  jetzt.");
    assert_string_equal(say(lang, "status.red"), "rot");
    assert_string_equal(say(lang, "status.yellow"), "yellow"); /* English stands in */
    assert_string_equal(say(lang, "no.such"), "no.such");
    assert_string_equal(say_word(lang, "status", "green"), "grün");
    assert_string_equal(say_word(lang, "status", "violet"), "violet");
    assert_string_equal(lang_name(lang), "xx");
    lang_close(lang);
    free(said);
}

static void bad_lines_are_told_and_left_out(void **state)
{
    static const struct {
        const char *text, *said;
    } cases[] = {
        { "status.green", "xx.lang:1: allowed is: key = text\n" },
        { "\n  more\n", "xx.lang:2: allowed is: key = text\n" },
        { "Status.green = x", "xx.lang:1: a key is words of a-z 0-9 _ - with dots between, up to 64 bytes\n" },
        { "status..green = x", "xx.lang:1: a key is words of a-z 0-9 _ - with dots between, up to 64 bytes\n" },
        { "= x", "xx.lang:1: a key is words of a-z 0-9 _ - with dots between, up to 64 bytes\n" },
        { "status.violet = x", "xx.lang:1: status.violet: no such key; allowed are those of en.lang\n" },
        { "status.green =", "xx.lang:1: status.green: a text has 1 to 4096 bytes\n" },
        { "status.green = a\\t", "xx.lang:1: status.green: behind a backslash allowed are n and another backslash\n" },
        { "status.green = a\\", "xx.lang:1: status.green: behind a backslash allowed are n and another backslash\n" },
        { "status.green = {n}", "xx.lang:1: status.green: {n} isn't in the English text\n" },
        { "status.green = a\nstatus.green = b", "xx.lang:2: status.green: the key comes twice\n" },
        { "status.green = \x1b[31m", "xx.lang:1: allowed is UTF-8 text without control characters\n" },
        { "\nstatus.green = \xc0\xaf", "xx.lang:2: allowed is UTF-8 text without control characters\n" },
        { "status.green = \xe2\x80\xaex", "xx.lang:1: allowed is UTF-8 text without control characters\n" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct lang *lang;
        char *said;
        assert_int_equal(read_text(cases[i].text, strlen(cases[i].text), &lang, &said), 1);
        assert_string_equal(said, cases[i].said);
        if (!strstr(cases[i].said, "twice"))
            assert_string_equal(say(lang, "status.green"), "green");
        lang_close(lang);
        free(said);
    }
}

static void names_to_fill_in_must_be_the_english_ones(void **state)
{
    struct lang_table english, other;
    char *said;
    size_t bytes;
    FILE *errors = open_memstream(&said, &bytes);
    static const char en[] = "a.b = {n} of {all}\na.c = {x}\n", xx[] = "a.b = von {all} {n}, {n}\na.c = ohne\n";
    (void)state;
    assert_int_equal(lang_table_read("en.lang", en, sizeof en - 1, NULL, &english, errors), 0);
    assert_int_equal(lang_table_read("xx.lang", xx, sizeof xx - 1, &english, &other, errors), 1);
    assert_int_equal(fclose(errors), 0);
    assert_string_equal(said, "xx.lang:2: a.c: {x} of the English text is missing\n");
    assert_string_equal(lang_table_find(&other, "a.b"), "von {all} {n}, {n}");
    assert_null(lang_table_find(&other, "a.c"));
    free(english.bytes);
    free(other.bytes);
    free(said);
}

static void bounds_hold(void **state)
{
    char *text = malloc(LANG_FILE_MAX_BYTES + 1), *said;
    struct lang *lang = NULL;
    (void)state;
    memset(text, 'x', LANG_FILE_MAX_BYTES + 1);
    assert_int_equal(read_text(text, LANG_FILE_MAX_BYTES + 1, &lang, &said), -EINVAL);
    assert_null(lang);
    free(said);
    memset(text, '\n', LANG_FILE_MAX_BYTES); /* nothing but lines */
    assert_int_equal(read_text(text, LANG_FILE_MAX_BYTES, &lang, &said), 0);
    lang_close(lang);
    free(said);
    for (int i = 0; i + 1 < LANG_FILE_MAX_BYTES; i += 2)
        memcpy(text + i, "a\n", 2);
    assert_int_equal(read_text(text, LANG_FILE_MAX_BYTES, &lang, &said), LANG_FILE_MAX_BYTES / 2);
    assert_int_equal(strlen(strstr(said, "xx.lang: ")), strlen("xx.lang: 131052 more mistakes\n")); /* twenty were told */
    lang_close(lang);
    free(said);
    free(text);
}

/* ---- filling in and columns -------------------------------------------------------------------------------------- */

static struct lang *made_of(const char *english)
{
    struct lang *lang = calloc(1, sizeof(*lang));
    assert_int_equal(lang_table_read("en.lang", english, strlen(english), NULL, &lang->english, stderr), 0);
    return lang;
}

static void texts_are_filled_in(void **state)
{
    struct lang *lang = made_of("a.b = {n} of {all} { x {N} {}%s%n\n");
    char buffer[64], small[12];
    char *printed;
    size_t bytes;
    FILE *out = open_memstream(&printed, &bytes);
    (void)state;
    assert_string_equal(lang_format(lang, buffer, sizeof buffer, "a.b", "all", LANG_N(-7), "n", "{all}", NULL),
                        "{all} of -7 { x {N} {}%s%n"); /* a value is no text to be filled in again */
    assert_string_equal(lang_format(lang, buffer, sizeof buffer, "a.b", "n", NULL, NULL), " of {all} { x {N} {}%s%n");
    assert_string_equal(lang_format(lang, small, sizeof small, "a.b", "n", "1234567890ế", "all", "x", NULL), "1234567890");
    assert_string_equal(lang_format(lang, small, sizeof small, "a.b", "n", "12345678ế", "all", "x", NULL), "12345678ế");
    lang_print(out, lang, "a.b", "n", "1", "all", "2", NULL);
    assert_int_equal(fclose(out), 0);
    assert_string_equal(printed, "1 of 2 { x {N} {}%s%n");
    free(printed);
    lang_close(lang);
}

/* A language's table that has `own` for the texts of `english`. */
static struct lang *told_by(const char *english, const char *own)
{
    struct lang *lang = made_of(english);
    assert_int_equal(lang_table_read("xx.lang", own, strlen(own), &lang->english, &lang->own, stderr), 0);
    return lang;
}

static void close_told(struct lang *lang)
{
    free(lang->own.bytes);
    free(lang->english.bytes);
    free(lang);
}

static void what_others_made_is_told_in_the_language(void **state)
{
    static const char english[] = "told.a = too many fields\ntold.b = {n} bytes: allowed are 1 to {most}\ntold.c = {name} is missing\n"
                                  "told.d = status is missing\ntold.e = {file}: can't be read: {why}\ntold.f = {why}; make one\n"
                                  "told.g = No such file\ntold.h = {one}{two}\nx.why = <{why}> {file}\n";
    static const char own[] = "told.a = zu viele\ntold.b = {n} Bytes, höchstens {most}\ntold.c = {name} fehlt\ntold.d = Status fehlt\n"
                              "told.e = {why} ({file})\ntold.f = {why}, eine machen\ntold.g = keine Datei\ntold.h = {two}{one}\nx.why = {file} <{why}>\n";
    static const struct {
        const char *text, *wanted;
    } cases[] = {
        { "too many fields", "zu viele" },
        { "too many fields!", "too many fields!" },
        { "7 bytes: allowed are 1 to 5", "7 Bytes, höchstens 5" },
        { " bytes: allowed are 1 to ", " bytes: allowed are 1 to " }, /* nothing stands where the names do */
        { "declared_at is missing", "declared_at fehlt" },
        { "status is missing", "Status fehlt" }, /* the row that says the most itself */
        { "a.key: can't be read: No such file; make one", "keine Datei, eine machen (a.key)" },
        { "{n}: can't be read: {why}%s", "{why}%s ({n})" }, /* a value is no text to be filled in */
        { "", "" },
    };
    struct lang *lang = told_by(english, own), *plain = made_of(english);
    char buffer[LANG_TOLD_BYTES], small[12];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_string_equal(lang_told(lang, buffer, sizeof buffer, cases[i].text), cases[i].wanted);
        assert_ptr_equal(lang_told(plain, buffer, sizeof buffer, cases[i].text), cases[i].text);
    }
    assert_string_equal(lang_told(lang, small, sizeof small, "7 bytes: allowed are 1 to 5"), "7 Bytes, h"); /* ö wouldn't fit whole */
    assert_string_equal(lang_format(lang, buffer, sizeof buffer, "x.why", "why", "too many fields", "file", "too many fields", NULL),
                        "too many fields <zu viele>");
    close_told(lang);
    close_told(plain);
}

static void columns_are_counted_as_a_screen_does(void **state)
{
    char buffer[64], small[8];
    (void)state;
    assert_int_equal(lang_columns("đã qua"), 6);
    assert_int_equal(lang_columns("e\xcc\x81"), 1); /* a letter and its accent, apart */
    assert_int_equal(lang_columns("\xff"), 1);
    assert_string_equal(lang_pad(buffer, sizeof buffer, "đã qua", 8), "đã qua  ");
    assert_string_equal(lang_pad(buffer, sizeof buffer, "đã qua", -8), "  đã qua");
    assert_string_equal(lang_pad(buffer, sizeof buffer, "đã qua", 6), "đã qua");
    assert_string_equal(lang_pad(buffer, sizeof buffer, "đã qua", 4), "đã …");
    assert_string_equal(lang_pad(small, sizeof small, "ếếếếếế", 6), "ế… "); /* 3 + 3 bytes, a space and the NUL: never half a letter */
}

/* ---- which one --------------------------------------------------------------------------------------------------- */

static void the_environment_chooses(void **state)
{
    static const struct {
        const char *all, *messages, *lang, *wanted;
    } cases[] = {
        { NULL, NULL, "vi_VN.UTF-8", "vi" }, { "", "vi_VN", "en_US.UTF-8", "vi" }, { "C.UTF-8", "vi_VN", "vi", NULL },
        { NULL, NULL, "../../etc/passwd", NULL }, { NULL, NULL, "abcdefghijk", NULL }, { NULL, NULL, NULL, NULL },
        { NULL, NULL, "vi", "vi" }, { NULL, NULL, "de@euro", "de" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char name[NAME_BYTES] = "";
        const char *const values[] = { cases[i].all, cases[i].messages, cases[i].lang };
        static const char *const names[] = { "LC_ALL", "LC_MESSAGES", "LANG" };
        for (int n = 0; n < 3; n++)
            assert_int_equal(values[n] ? setenv(names[n], values[n], 1) : unsetenv(names[n]), 0);
        assert_int_equal(language_of_environment(name), cases[i].wanted != NULL);
        if (cases[i].wanted)
            assert_string_equal(name, cases[i].wanted);
    }
}

static void what_is_no_table_is_refused(void **state)
{
    struct lang *lang = NULL;
    FILE *nowhere = fopen("/dev/null", "w");
    (void)state;
    assert_non_null(nowhere);
    assert_int_equal(lang_open("zz", &lang, nowhere), -ENOENT);
    assert_int_equal(lang_open("EN", &lang, nowhere), -EINVAL);
    assert_int_equal(lang_open("/dev/zero", &lang, nowhere), -EINVAL);
    assert_int_equal(lang_open("/nonexistent/x.lang", &lang, nowhere), -ENOENT);
    assert_null(lang);
    assert_int_equal(fclose(nowhere), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_table_is_whole),
        cmocka_unit_test(english_remedies_are_the_program_s),
        cmocka_unit_test(words_fit_their_columns),
        cmocka_unit_test(a_table_is_read),
        cmocka_unit_test(bad_lines_are_told_and_left_out),
        cmocka_unit_test(names_to_fill_in_must_be_the_english_ones),
        cmocka_unit_test(bounds_hold),
        cmocka_unit_test(texts_are_filled_in),
        cmocka_unit_test(what_others_made_is_told_in_the_language),
        cmocka_unit_test(columns_are_counted_as_a_screen_does),
        cmocka_unit_test(the_environment_chooses),
        cmocka_unit_test(what_is_no_table_is_refused),
    };
    return cmocka_run_group_tests_name("lang", tests, NULL, NULL);
}
