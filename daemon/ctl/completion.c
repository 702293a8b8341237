/* What could stand next on a command line, by the table that --help is made of, so that the two can't differ; and the shells'
 * scripts, which ask for it: config/completion. */
#include "daemon/ctl/completion.h"

#include <string.h>

#include "daemon/ctl/help.h"
#include "daemon/mqtt/command.h"

enum { NAME_BYTES = 64 };

/* What may stand for a value, by its name in the table. "a|b" says so itself; a name that isn't here is free text. */
static const struct {
    const char *name, *answer; /* words with spaces between; ":files" and ":folders" are the shell's to look up */
} values[] = {
    { "FILE", ":files" },      { "PATH", ":files" },     { "PUB_FILE", ":files" },
    { "SECRET_FILE", ":files" }, { "DIR", ":folders" },  { "MODE", "normal hold_open lock_down" },
    { "STATUS", "green yellow red white revoked" },      { "SHELL", "bash zsh fish" },
    { "A4|A5", "A4 A5" },
};

/* ---- answers ----------------------------------------------------------------------------------------------------- */

/* A line: the word, a tab and its help, for shells that show it. */
static void offer(const char *before, const char *word, size_t bytes, const char *begun, const char *help)
{
    if (strncmp(word, begun, strlen(begun)) == 0 && strlen(begun) <= bytes)
        (void)printf("%s%.*s\t%s\n", before, (int)bytes, word, help);
}

static void offer_words(const char *before, const char *words, const char *separators, const char *begun)
{
    for (words += strspn(words, separators); *words; words += strspn(words, separators)) {
        const size_t length = strcspn(words, separators);
        offer(before, words, length, begun, "");
        words += length;
    }
}

/* `before`: "--option=", where that is part of the word. */
static void offer_value(const char *name, const char *before, const char *begun)
{
    if (strcmp(name, "VERB") == 0)
        for (int i = 0; i < COMMAND_VERB_COUNT; i++) {
            const char *verb = command_verb_name((enum command_verb)i);
            offer(before, verb, strlen(verb), begun, "");
        }
    else if (strchr(name, '|') && name[strcspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")] == '\0')
        offer_words(before, name, "|", begun);
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        if (strcmp(values[i].name, name) == 0 && values[i].answer[0] == ':')
            (void)printf("%s\n", values[i].answer);
        else if (strcmp(values[i].name, name) == 0)
            offer_words(before, values[i].answer, " ", begun);
}

static void offer_options(const struct lang *lang, const char *command, const struct ctl_option *options, const char *begun)
{
    char word[NAME_BYTES];
    for (; options->name; options++) {
        (void)snprintf(word, sizeof(word), "--%s", options->name);
        offer("", word, strlen(word), begun, help_option(lang, command, options));
    }
}

/* The first words of commands, each once; or the second ones behind `first`. */
static void offer_commands(const struct lang *lang, const char *first, const char *begun)
{
    for (int i = 0; CTL_COMMANDS[i]; i++) {
        const char *name = CTL_COMMANDS[i]->name, *space = strchr(name, ' ');
        const size_t word = strcspn(name, " ");
        bool told = false;
        for (int k = 0; k < i; k++)
            told = told || (strncmp(CTL_COMMANDS[k]->name, name, word) == 0 && CTL_COMMANDS[k]->name[word] == ' ');
        if (!first && !told)
            offer("", name, word, begun, space ? "" : help_command(lang, CTL_COMMANDS[i]));
        else if (first && space && strlen(first) == word && strncmp(first, name, word) == 0)
            offer("", space + 1, strlen(space + 1), begun, help_command(lang, CTL_COMMANDS[i]));
    }
}

/* "[FILE]" -> "FILE" */
static void offer_operand(const struct ctl_command *command, const char *begun)
{
    char name[NAME_BYTES];
    const char *operand = command->operand ? command->operand : "";
    (void)snprintf(name, sizeof(name), "%.*s", (int)strcspn(operand + (operand[0] == '['), "]"), operand + (operand[0] == '['));
    offer_value(name, "", begun);
}

/* ---- the line so far --------------------------------------------------------------------------------------------- */

struct line {
    const struct ctl_command *command;
    const char *first;                /* of a command of two words, while the second is missing */
    const struct ctl_option *pending; /* its value comes next */
};

static const struct ctl_option *find_in(const struct ctl_option *options, const char *name, size_t bytes)
{
    for (; options->name; options++)
        if (strlen(options->name) == bytes && memcmp(options->name, name, bytes) == 0)
            return options;
    return NULL;
}

static const struct ctl_option *find_option(const struct line *line, const char *word)
{
    const size_t bytes = strcspn(word + 2, "=");
    const struct ctl_option *own = line->command ? find_in(line->command->options, word + 2, bytes) : NULL;
    return own ? own : find_in(CTL_GLOBAL_OPTIONS, word + 2, bytes);
}

static void take_name(struct line *line, const char *word)
{
    char name[NAME_BYTES];
    (void)snprintf(name, sizeof(name), "%s%s%s", line->first ? line->first : "", line->first ? " " : "", word);
    for (int i = 0; CTL_COMMANDS[i] && !line->command; i++)
        if (strcmp(CTL_COMMANDS[i]->name, name) == 0)
            line->command = CTL_COMMANDS[i];
    line->first = word;
}

static void take_word(struct line *line, const char *word)
{
    if (strcmp(word, "=") == 0) /* bash cuts "--mode=normal" into three */
        return;
    if (line->pending) {
        line->pending = NULL;
    } else if (strncmp(word, "--", 2) == 0) {
        const struct ctl_option *option = find_option(line, word);
        line->pending = option && option->value && !strchr(word, '=') ? option : NULL;
    } else if (word[0] != '-' && !line->command) {
        take_name(line, word);
    }
}

void completion_offer(const struct lang *lang, char **words, int count)
{
    struct line line = { .command = NULL };
    const char *begun = count > 0 && strcmp(words[count - 1], "=") != 0 ? words[count - 1] : "";
    for (int i = 0; i + 1 < count; i++)
        take_word(&line, words[i]);
    const char *equals = strncmp(begun, "--", 2) == 0 ? strchr(begun, '=') : NULL;
    const struct ctl_option *inside = equals ? find_option(&line, begun) : NULL;
    char before[NAME_BYTES] = "";
    if (inside && inside->value) {
        (void)snprintf(before, sizeof(before), "--%s=", inside->name);
        offer_value(inside->value, before, equals + 1);
    } else if (line.pending) {
        offer_value(line.pending->value, "", begun);
    } else if (begun[0] == '-') {
        if (line.command)
            offer_options(lang, line.command->name, line.command->options, begun);
        offer_options(lang, "option", CTL_GLOBAL_OPTIONS, begun);
    } else if (line.command) {
        offer_operand(line.command, begun);
    } else {
        offer_commands(lang, line.first, begun);
    }
}

/* ---- the shells' scripts ----------------------------------------------------------------------------------------- */

#define SCRIPT(shell)                                                                                                             \
    extern const char completion_##shell##_begin[], completion_##shell##_end[];                                                   \
    __asm__(".section .rodata\n.global completion_" #shell "_begin\ncompletion_" #shell "_begin:\n.incbin \"config/completion/"  \
            "qrgatectl." #shell "\"\n.global completion_" #shell "_end\ncompletion_" #shell "_end:\n.byte 0\n.previous\n")
SCRIPT(bash);
SCRIPT(zsh);
SCRIPT(fish);

static const struct {
    const char *shell, *begin, *end;
} scripts[] = {
    { "bash", completion_bash_begin, completion_bash_end },
    { "zsh", completion_zsh_begin, completion_zsh_end },
    { "fish", completion_fish_begin, completion_fish_end },
};

static const struct ctl_option OPTIONS[] = { { NULL, NULL, false, NULL } };

static enum ctl_exit run(struct ctl *ctl)
{
    char buffer[80];
    for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++)
        if (strcmp(scripts[i].shell, ctl->operand) == 0) {
            (void)fwrite(scripts[i].begin, 1, (size_t)((uintptr_t)scripts[i].end - (uintptr_t)scripts[i].begin), stdout);
            return CTL_OK;
        }
    return ctl_complain(ctl, CTL_USAGE, "completion.shell", "shell", printable(ctl->operand, buffer, sizeof(buffer)), NULL);
}

const struct ctl_command CTL_COMPLETION = {
    .name = "completion",
    .operand = "SHELL",
    .summary = "Print the script by which a shell completes our command lines",
    .details = "SHELL is bash, zsh or fish. `make install` has put them where the shells look; without that:\n"
               "  source <(qrgatectl completion bash)\n"
               "The scripts ask the program itself (qrgatectl --complete WORD…), whose table is the one of --help.\n",
    .options = OPTIONS,
    .run = run,
};
