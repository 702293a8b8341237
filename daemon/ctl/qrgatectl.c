/* qrgatectl, the admin's tool: the table of subcommands, and the command line. One process, one thread. */
#include <errno.h>
#include <sodium.h>
#include <sqlite3.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "daemon/ctl/completion.h"
#include "daemon/ctl/ctl.h"
#include "daemon/ctl/help.h"
#include "daemon/journal/register.h"
#include "daemon/settings/settings.h"
#include "daemon/settings/site_key.h"

#ifndef QRGATE_VERSION
#define QRGATE_VERSION "unknown"
#endif

#define DEFAULT_CONFIG "/etc/qrgate/qrgate.conf"

const struct ctl_command *const CTL_COMMANDS[] = {
    &CTL_DECLARE, &CTL_IMPORT, &CTL_EXPORT, &CTL_REVOKE, &CTL_CODE_EXPLAIN,
    &CTL_EVENTS, &CTL_INSIDE, &CTL_MUSTER, &CTL_TRACE, &CTL_REPORT_WEEK, &CTL_VERIFY,
    &CTL_EXPORT_PERSON, &CTL_ERASE_PERSON, &CTL_PRIVACY_CHECK,
    &CTL_STATUS, &CTL_WATCH, &CTL_SEND,
    &CTL_KEY_NEW, &CTL_KEY_OPERATOR, &CTL_KEY_SITE, &CTL_KEY_LIST, &CTL_KEY_TRUST, &CTL_KEY_RETIRE, &CTL_KEY_ROTATE,
    &CTL_TOKEN_ISSUE, &CTL_TOKEN_SHOW, &CTL_TOKEN_PROVISION, &CTL_TOKEN_ROTATE_DEMO,
    &CTL_POSTER, &CTL_CARDS,
    &CTL_LOOK,
    &CTL_SCHEMA, &CTL_COMPLETION,
    NULL,
};

const struct ctl_option CTL_GLOBAL_OPTIONS[] = {
    { "config", "FILE", false, "the configuration (default " DEFAULT_CONFIG "): names database and site key" },
    { "database", "PATH", false, "the database; the configuration isn't asked for it" },
    { "site-key", "FILE", false, "the site key; the configuration isn't asked for it" },
    { "lang", "NAME", false, "en, vi …, or a table's path; default: LC_ALL, LC_MESSAGES or LANG" },
    { "help", NULL, false, "this help; after a command, that command's" },
    { "version", NULL, false, "the version" },
    { NULL, NULL, false, NULL },
};

/* ---- messages ------------------------------------------------------------------------------------------- */

enum ctl_exit ctl_complain_fills(const struct ctl *ctl, enum ctl_exit code, const char *key, const char *const fills[])
{
    (void)fprintf(stderr, "qrgatectl%s%s: ", ctl->command ? " " : "", ctl->command ? ctl->command->name : "");
    lang_print_fills(stderr, ctl->lang, key, fills);
    (void)fputc('\n', stderr);
    return code;
}

/* `key` is filled in with {word}, and {command} ("send " or nothing) for "see: qrgatectl {command}--help". */
static enum ctl_exit fail_usage(const struct ctl *ctl, const char *key, const char *word)
{
    char buffer[80], command[64];
    (void)snprintf(command, sizeof(command), "%s%s", ctl->command ? ctl->command->name : "", ctl->command ? " " : "");
    return ctl_complain(ctl, CTL_USAGE, key, "word", printable(word, buffer, sizeof(buffer)), "command", command, NULL);
}

/* ---- what several commands need ---------------------------------------------------------------------------------- */

bool ctl_has_config(const struct ctl *ctl)
{
    return ctl->config || access(DEFAULT_CONFIG, F_OK) == 0 || errno != ENOENT;
}

enum ctl_exit ctl_load_settings(const struct ctl *ctl, struct settings *ret)
{
    const char *path = ctl->config ? ctl->config : DEFAULT_CONFIG;
    if (settings_load(path, ret, stderr) == 0)
        return CTL_OK;
    return ctl_complain(ctl, CTL_FAILED, "main.config_bad", "file", path, NULL);
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
        return ctl_complain(ctl, CTL_FAILED, "main.no_journal", "file", path, "why", strerror(errno), NULL);
    if (database_open(path, ret_db, why, sizeof(why)) < 0)
        return ctl_complain(ctl, CTL_FAILED, "words.failed", "why", why, NULL);
    return CTL_OK;
}

enum ctl_exit ctl_site_key_path(struct ctl *ctl, char *ret_path, size_t path_bytes)
{
    struct settings settings;
    const char *path = ctl->site_key;
    if (!path) {
        if (ctl_load_settings(ctl, &settings) != CTL_OK)
            return CTL_FAILED;
        path = settings.site_key_file;
    }
    if (strlen(path) >= path_bytes)
        return ctl_complain(ctl, CTL_FAILED, "main.path_too_long", "file", path, NULL);
    (void)strcpy(ret_path, path);
    return CTL_OK;
}

enum ctl_exit ctl_load_site_keys(struct ctl *ctl, struct site_keys *ret)
{
    char why[512] = "", path[1024];
    const enum ctl_exit result = ctl_site_key_path(ctl, path, sizeof(path));
    if (result != CTL_OK)
        return result;
    return site_keys_load(path, ret, why, sizeof(why)) < 0 ? ctl_complain(ctl, CTL_FAILED, "words.failed", "why", why, NULL) : CTL_OK;
}

enum ctl_exit ctl_load_site_key(struct ctl *ctl, uint8_t ret_key[32])
{
    struct site_keys keys;
    const enum ctl_exit result = ctl_load_site_keys(ctl, &keys);
    if (result == CTL_OK)
        memcpy(ret_key, keys.current, sizeof(keys.current));
    sodium_memzero(&keys, sizeof(keys));
    return result;
}

/* ---- the command line -------------------------------------------------------------------------------------------- */

struct line {
    char **words;
    int count, next;
    bool help, version;
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
        return; /* looked for before all else: find_lang() */
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
    const struct ctl_option *option = own ? own : find_option(CTL_GLOBAL_OPTIONS, name, name_bytes);
    if (!option)
        return fail_usage(ctl, "main.unknown_option", word);
    const char *value = name[name_bytes] == '=' ? name + name_bytes + 1 : NULL;
    if (option->value && !value) {
        if (line->next >= line->count)
            return fail_usage(ctl, "main.value_missing", word);
        value = line->words[line->next++];
    } else if (!option->value && value) {
        return fail_usage(ctl, "main.no_value", word);
    }
    if (option->value && value[0] == '\0')
        return fail_usage(ctl, "main.empty_value", word);
    if (own && strcmp(own->name, "journal") == 0) {
        if (ctl->journals_count == CTL_JOURNALS_MAX)
            return fail_usage(ctl, "main.too_many_journals", value);
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
    for (int i = 0; CTL_COMMANDS[i] && !ctl->command; i++) {
        const char *name = CTL_COMMANDS[i]->name;
        if (strcmp(name, first) == 0 || strcmp(name, two) == 0) {
            ctl->command = CTL_COMMANDS[i];
            line->next += strchr(name, ' ') ? 2 : 1;
        }
        begins = begins || (strncmp(name, first, strlen(first)) == 0 && name[strlen(first)] == ' ');
    }
    if (ctl->command)
        return CTL_OK;
    return fail_usage(ctl, begins ? "main.incomplete_command" : "main.unknown_command", begins ? two : first);
}

/* The operands are moved to the front of the words, over what has been taken already. */
static bool take_operand(struct ctl *ctl, struct line *line)
{
    const char *name = ctl->command->operand;
    if (!name || (ctl->operands_count > 0 && !strstr(name, "...")))
        return false;
    line->words[ctl->operands_count++] = line->words[line->next++];
    ctl->operands = line->words;
    ctl->operand = ctl->operands[0];
    return true;
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
        } else if (!take_operand(ctl, line)) {
            result = fail_usage(ctl, "main.one_too_many", word);
        }
    }
    return result;
}

static enum ctl_exit check_complete(const struct ctl *ctl)
{
    for (int i = 0; ctl->command->options[i].name; i++)
        if (ctl->command->options[i].required && !ctl->values[i])
            return ctl_complain(ctl, CTL_USAGE, "main.option_missing", "option", ctl->command->options[i].name, "value",
                                ctl->command->options[i].value, "command", ctl->command->name, NULL);
    if (ctl->command->operand && ctl->command->operand[0] != '[' && !ctl->operand)
        return ctl_complain(ctl, CTL_USAGE, "main.operand_missing", "operand", ctl->command->operand, "command",
                            ctl->command->name, NULL);
    return CTL_OK;
}

/* Before the line is read, so that what is wrong with the line is said in that language. NULL: the environment's. */
static const char *find_lang(const struct line *line)
{
    if (line->count > 1 && strcmp(line->words[1], "--complete") == 0)
        return NULL; /* half a line */
    for (int i = 1; i < line->count && strcmp(line->words[i], "--") != 0; i++) {
        if (strcmp(line->words[i], "--lang") == 0 && i + 1 < line->count)
            return line->words[i + 1];
        if (strncmp(line->words[i], "--lang=", strlen("--lang=")) == 0)
            return line->words[i] + strlen("--lang=");
    }
    return NULL;
}

static enum ctl_exit run(struct ctl *ctl, struct line *line)
{
    enum ctl_exit result = take_line(ctl, line);
    if (result != CTL_OK) {
        /* said already */
    } else if (line->version) {
        (void)printf("qrgatectl %s\n", QRGATE_VERSION);
    } else if (line->help && ctl->command) {
        help_print_command(stdout, ctl->lang, ctl->command);
    } else if (line->help) {
        help_print(stdout, ctl->lang);
    } else if (!ctl->command) {
        help_print(stderr, ctl->lang);
        result = CTL_USAGE;
    } else if ((result = check_complete(ctl)) == CTL_OK) {
        result = sodium_init() < 0 ? ctl_complain(ctl, CTL_FAILED, "main.no_random", NULL) : ctl->command->run(ctl);
    }
    if ((fflush(stdout) != 0 || ferror(stdout)) && (result == CTL_OK || result == CTL_SOME_BAD))
        result = ctl_complain(ctl, CTL_FAILED, "main.output_failed", "why", strerror(errno), NULL);
    return result;
}

int main(int argc, char **argv)
{
    struct line line = { .words = argv, .count = argc, .next = 1 };
    struct lang *lang = NULL;
    const int error = lang_open(find_lang(&line), &lang, stderr);
    if (error < 0) /* said already */
        return error == -EINVAL || error == -ENOENT ? CTL_USAGE : CTL_FAILED;
    struct ctl ctl = { .now_s = (int64_t)time(NULL), .lang = lang, .lang_wanted = find_lang(&line) };
    enum ctl_exit result = CTL_OK;
    if (argc > 1 && strcmp(argv[1], "--complete") == 0)
        completion_offer(lang, argv + 2, argc - 2);
    else
        result = run(&ctl, &line);
    lang_close(lang);
    return (int)result;
}
