/* qrgatectl, the admin's tool: the table of subcommands, options and help. One process, one thread. */
#include <errno.h>
#include <sodium.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "daemon/ctl/ctl.h"
#include "daemon/journal/register.h"
#include "daemon/settings/settings.h"
#include "daemon/settings/site_key.h"

#ifndef QRGATE_VERSION
#define QRGATE_VERSION "unknown"
#endif

#define DEFAULT_CONFIG "/etc/qrgate/qrgate.conf"

static const struct ctl_command *const COMMANDS[] = {
    &CTL_DECLARE,    &CTL_IMPORT,     &CTL_EXPORT,      &CTL_REVOKE,     &CTL_CODE_EXPLAIN,    &CTL_EVENTS,
    &CTL_INSIDE,     &CTL_MUSTER,     &CTL_TRACE,       &CTL_REPORT_WEEK, &CTL_VERIFY,     &CTL_SEND,
    &CTL_KEY_NEW,    &CTL_KEY_OPERATOR,     &CTL_KEY_SITE,   &CTL_KEY_LIST,        &CTL_KEY_TRUST,
    &CTL_KEY_RETIRE, &CTL_TOKEN_ISSUE, &CTL_TOKEN_SHOW, &CTL_TOKEN_PROVISION, &CTL_TOKEN_ROTATE_DEMO,
};
enum { COMMAND_COUNT = sizeof(COMMANDS) / sizeof(COMMANDS[0]) };

static const struct ctl_option GLOBAL_OPTIONS[] = {
    { "config", "FILE", false, "the configuration (default " DEFAULT_CONFIG "): names database and site key" },
    { "database", "PATH", false, "the database; the configuration isn't asked for it" },
    { "site-key", "FILE", false, "the site key; the configuration isn't asked for it" },
    { "lang", "NAME", false, "en, vi …, or a table's path; default: LC_ALL, LC_MESSAGES or LANG" },
    { "help", NULL, false, "this help; after a command, that command's" },
    { "version", NULL, false, "the version" },
    { NULL, NULL, false, NULL },
};

static const char EXIT_HELP[] = "Exit status:\n"
                                "  0  done\n"
                                "  1  failed; the message says why (verify: the chain is broken)\n"
                                "  2  the command line is wrong\n"
                                "  3  import: some rows were bad and left out, the good ones are taken;\n"
                                "     explain: some codes were refused; inside: some lines of the list were bad\n"
                                "  4  send: the lane refused; nothing was done\n"
                                "  5  send: no answer in time\n";

/* ---- help and messages ------------------------------------------------------------------------------------------- */

enum ctl_exit ctl_fail(const struct ctl *ctl, enum ctl_exit code, const char *format, ...)
{
    va_list arguments;
    (void)fprintf(stderr, "qrgatectl%s%s: ", ctl->command ? " " : "", ctl->command ? ctl->command->name : "");
    va_start(arguments, format);
    (void)vfprintf(stderr, format, arguments);
    va_end(arguments);
    (void)fputc('\n', stderr);
    return code;
}

enum ctl_exit ctl_complain(const struct ctl *ctl, enum ctl_exit code, const char *key, ...)
{
    va_list arguments;
    (void)fprintf(stderr, "qrgatectl%s%s: ", ctl->command ? " " : "", ctl->command ? ctl->command->name : "");
    va_start(arguments, key);
    lang_print_list(stderr, ctl->lang, key, arguments);
    va_end(arguments);
    (void)fputc('\n', stderr);
    return code;
}

static enum ctl_exit fail_usage(const struct ctl *ctl, const char *what, const char *word)
{
    char buffer[80];
    return ctl_fail(ctl, CTL_USAGE, "%s '%s'; see: qrgatectl%s%s --help", what, printable(word, buffer, sizeof(buffer)),
                    ctl->command ? " " : "", ctl->command ? ctl->command->name : "");
}

static void print_options(FILE *out, const struct ctl_option *options)
{
    char left[48];
    for (; options->name; options++) {
        (void)snprintf(left, sizeof(left), "--%s%s%s", options->name, options->value ? " " : "",
                       options->value ? options->value : "");
        (void)fprintf(out, "  %-28s %s%s\n", left, options->help, options->required ? " (required)" : "");
    }
}

static void print_help(FILE *out)
{
    (void)fprintf(
        out,
        "Usage: qrgatectl [OPTIONS] COMMAND ...\n\nThe admin's tool of qrgate, the turnstile gate.\n\nCommands:\n");
    for (int i = 0; i < COMMAND_COUNT; i++)
        (void)fprintf(out, "  %-28s %s\n", COMMANDS[i]->name, COMMANDS[i]->summary);
    (void)fprintf(out, "\nOptions, before or after the command:\n");
    print_options(out, GLOBAL_OPTIONS);
    (void)fprintf(out, "\n%s\nHelp for one command: qrgatectl COMMAND --help\n", EXIT_HELP);
}

static void print_command_help(FILE *out, const struct ctl_command *command)
{
    (void)fprintf(out, "Usage: qrgatectl %s [OPTIONS]%s%s\n\n%s.\n", command->name, command->operand ? " " : "",
                  command->operand ? command->operand : "", command->summary);
    if (command->details)
        (void)fprintf(out, "%s", command->details);
    (void)fprintf(out, "\nOptions:\n");
    print_options(out, command->options);
    print_options(out, GLOBAL_OPTIONS);
    (void)fprintf(out, "\n%s", EXIT_HELP);
}

/* ---- what several commands need ---------------------------------------------------------------------------------- */

enum ctl_exit ctl_load_settings(const struct ctl *ctl, struct settings *ret)
{
    const char *path = ctl->config ? ctl->config : DEFAULT_CONFIG;
    if (settings_load(path, ret, stderr) == 0)
        return CTL_OK;
    return ctl_fail(ctl, CTL_FAILED,
                    "%s can't be used (see above); name another with --config, or give --database and --site-key",
                    path);
}

enum ctl_exit ctl_open_database(struct ctl *ctl, bool must_exist, sqlite3 **ret_db)
{
    struct settings settings;
    char why[512] = "";
    const char *path = ctl->database;
    *ret_db = NULL;
    if (!path) {
        if (ctl_load_settings(ctl, &settings) != CTL_OK)
            return CTL_FAILED;
        path = settings.journal.path;
    }
    if (must_exist && access(path, F_OK) < 0)
        return ctl_fail(ctl, CTL_FAILED, "%s: %s; name the journal with --database or the right --config", path,
                        strerror(errno));
    if (database_open(path, ret_db, why, sizeof(why)) < 0)
        return ctl_fail(ctl, CTL_FAILED, "%s", why);
    return CTL_OK;
}

enum ctl_exit ctl_load_site_key(struct ctl *ctl, uint8_t ret_key[32])
{
    struct settings settings;
    char why[512] = "";
    const char *path = ctl->site_key;
    if (!path) {
        if (ctl_load_settings(ctl, &settings) != CTL_OK)
            return CTL_FAILED;
        path = settings.site_key_file;
    }
    if (site_key_load(path, ret_key, why, sizeof(why)) < 0)
        return ctl_fail(ctl, CTL_FAILED, "%s", why);
    return CTL_OK;
}

/* ---- the command line -------------------------------------------------------------------------------------------- */

struct line {
    char **words;
    int count, next;
    bool help, version;
    const char *lang; /* --lang */
};

static const struct ctl_option *find_option(const struct ctl_option *options, const char *name, size_t name_bytes)
{
    for (; options->name; options++)
        if (strlen(options->name) == name_bytes && memcmp(options->name, name, name_bytes) == 0)
            return options;
    return NULL;
}

static void set_global(struct ctl *ctl, struct line *line, const char *name, const char *value)
{
    if (strcmp(name, "config") == 0)
        ctl->config = value;
    else if (strcmp(name, "database") == 0)
        ctl->database = value;
    else if (strcmp(name, "site-key") == 0)
        ctl->site_key = value;
    else if (strcmp(name, "lang") == 0)
        line->lang = value;
    else if (strcmp(name, "help") == 0)
        line->help = true;
    else
        line->version = true;
}

/* The option at line->next, with its value: "--name value" or "--name=value". */
static enum ctl_exit take_option(struct ctl *ctl, struct line *line)
{
    const char *word = line->words[line->next++];
    if (strcmp(word, "-h") == 0)
        word = "--help";
    else if (strcmp(word, "-0") == 0)
        word = "--null";
    const char *name = strncmp(word, "--", 2) == 0 ? word + 2 : "";
    const size_t name_bytes = strcspn(name, "=");
    const struct ctl_option *own = ctl->command ? find_option(ctl->command->options, name, name_bytes) : NULL;
    const struct ctl_option *option = own ? own : find_option(GLOBAL_OPTIONS, name, name_bytes);
    if (!option)
        return fail_usage(ctl, "unknown option", word);
    const char *value = name[name_bytes] == '=' ? name + name_bytes + 1 : NULL;
    if (option->value && !value) {
        if (line->next >= line->count)
            return fail_usage(ctl, "a value is missing after", word);
        value = line->words[line->next++];
    } else if (!option->value && value) {
        return fail_usage(ctl, "no value is allowed with", word);
    }
    if (option->value && value[0] == '\0')
        return fail_usage(ctl, "an empty value for", word);
    if (own && strcmp(own->name, "journal") == 0) {
        if (ctl->journals_count == CTL_JOURNALS_MAX)
            return fail_usage(ctl, "more journals than this tool reads at once, at", value);
        ctl->journals[ctl->journals_count++] = value;
    }
    if (own)
        ctl->values[own - ctl->command->options] = option->value ? value : "";
    else
        set_global(ctl, line, option->name, value);
    return CTL_OK;
}

static bool is_option(const char *word)
{
    return word[0] == '-' && word[1] != '\0'; /* "-" is stdin */
}

static enum ctl_exit take_command(struct ctl *ctl, struct line *line)
{
    char two[64];
    const char *first = line->words[line->next];
    const bool has_second = line->next + 1 < line->count && !is_option(line->words[line->next + 1]);
    bool begins = false;
    (void)snprintf(two, sizeof(two), "%.30s %.30s", first, has_second ? line->words[line->next + 1] : "");
    for (int i = 0; i < COMMAND_COUNT && !ctl->command; i++) {
        const char *name = COMMANDS[i]->name;
        if (strcmp(name, first) == 0 || strcmp(name, two) == 0) {
            ctl->command = COMMANDS[i];
            line->next += strchr(name, ' ') ? 2 : 1;
        }
        begins = begins || (strncmp(name, first, strlen(first)) == 0 && name[strlen(first)] == ' ');
    }
    if (ctl->command)
        return CTL_OK;
    return fail_usage(ctl, begins ? "incomplete or unknown command" : "unknown command", begins ? two : first);
}

static enum ctl_exit take_line(struct ctl *ctl, struct line *line)
{
    enum ctl_exit result = CTL_OK;
    while (result == CTL_OK && line->next < line->count && is_option(line->words[line->next]))
        result = take_option(ctl, line);
    if (result != CTL_OK || line->help || line->version || line->next == line->count)
        return result;
    result = take_command(ctl, line);
    bool only_operands = false;
    while (result == CTL_OK && line->next < line->count) {
        const char *word = line->words[line->next];
        if (!only_operands && strcmp(word, "--") == 0) {
            only_operands = true;
            line->next++;
        } else if (!only_operands && is_option(word)) {
            result = take_option(ctl, line);
        } else if (ctl->command->operand && !ctl->operand) {
            ctl->operand = word;
            line->next++;
        } else {
            result = fail_usage(ctl, "one word too many:", word);
        }
    }
    return result;
}

static enum ctl_exit check_complete(const struct ctl *ctl)
{
    for (int i = 0; ctl->command->options[i].name; i++)
        if (ctl->command->options[i].required && !ctl->values[i])
            return ctl_fail(ctl, CTL_USAGE, "--%s %s is missing; see: qrgatectl %s --help",
                            ctl->command->options[i].name, ctl->command->options[i].value, ctl->command->name);
    if (ctl->command->operand && ctl->command->operand[0] != '[' && !ctl->operand)
        return ctl_fail(ctl, CTL_USAGE, "%s is missing; see: qrgatectl %s --help", ctl->command->operand,
                        ctl->command->name);
    return CTL_OK;
}

static enum ctl_exit run(struct ctl *ctl, const char *wanted)
{
    struct lang *lang = NULL;
    if (sodium_init() < 0)
        return ctl_fail(ctl, CTL_FAILED, "libsodium can't start: no source of random numbers");
    const int error = lang_open(wanted, &lang, stderr);
    if (error < 0) /* said already */
        return error == -EINVAL || error == -ENOENT ? CTL_USAGE : CTL_FAILED;
    ctl->lang_wanted = wanted;
    ctl->lang = lang;
    const enum ctl_exit result = ctl->command->run(ctl);
    lang_close(lang);
    ctl->lang = NULL;
    return result;
}

int main(int argc, char **argv)
{
    struct ctl ctl = { .now_s = (int64_t)time(NULL) };
    struct line line = { .words = argv, .count = argc, .next = 1 };
    enum ctl_exit result = take_line(&ctl, &line);

    if (result != CTL_OK) {
        /* said already */
    } else if (line.version) {
        (void)printf("qrgatectl %s\n", QRGATE_VERSION);
    } else if (line.help && ctl.command) {
        print_command_help(stdout, ctl.command);
    } else if (line.help) {
        print_help(stdout);
    } else if (!ctl.command) {
        print_help(stderr);
        result = CTL_USAGE;
    } else if ((result = check_complete(&ctl)) == CTL_OK) {
        result = run(&ctl, line.lang);
    }
    if ((fflush(stdout) != 0 || ferror(stdout)) && (result == CTL_OK || result == CTL_SOME_BAD))
        result = ctl_fail(&ctl, CTL_FAILED, "the output can't be written: %s", strerror(errno));
    return (int)result;
}
