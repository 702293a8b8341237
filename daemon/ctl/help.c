/* qrgatectl --help, from the table of commands and options, in the user's language: a table's own texts help.COMMAND and
 * help.COMMAND.OPTION (a space of a command is a "-"; help.option.OPTION serves all commands), else those of the program. */
#include "daemon/ctl/help.h"

#include <string.h>

enum { LEFT_COLUMNS = 28, EXIT_STATUSES = 6 };

/* "key new" + "out" -> "help.key-new.out" */
static const char *help_of(const struct lang *lang, const char *command, const char *option, const char *otherwise)
{
    char key[LANG_KEY_MAX_BYTES + 1];
    const int length = snprintf(key, sizeof(key), "help.%s%s%s", command, option[0] ? "." : "", option);
    for (char *space = strchr(key, ' '); space; space = strchr(space, ' '))
        *space = '-';
    return length > 0 && (size_t)length < sizeof(key) ? say_or(lang, key, otherwise) : otherwise;
}

const char *help_option(const struct lang *lang, const char *command, const struct ctl_option *option)
{
    return help_of(lang, command, option->name, help_of(lang, "option", option->name, option->help));
}

const char *help_command(const struct lang *lang, const struct ctl_command *command)
{
    return help_of(lang, command->name, "", command->summary);
}

static void print_options(FILE *out, const struct lang *lang, const char *command, const struct ctl_option *options)
{
    char left[48];
    for (; options->name; options++) {
        (void)snprintf(left, sizeof(left), "--%s%s%s", options->name, options->value ? " " : "",
                       options->value ? options->value : "");
        (void)fprintf(out, "  %-*s %s%s%s\n", LEFT_COLUMNS, left, help_option(lang, command, options), options->required ? " " : "",
                      options->required ? say(lang, "main.required") : "");
    }
}

/* A text of several lines stands below its number. */
static void print_exit(FILE *out, const struct lang *lang)
{
    static const char *const keys[EXIT_STATUSES] = { "exit.0", "exit.1", "exit.2", "exit.3", "exit.4", "exit.5" };
    (void)fprintf(out, "\n%s\n", say(lang, "exit.title"));
    for (int i = 0; i < EXIT_STATUSES; i++) {
        const char *text = say(lang, keys[i]);
        (void)fprintf(out, "  %d  ", i);
        for (; *text; text++) {
            (void)fputc(*text, out);
            if (*text == '\n')
                (void)fputs("     ", out);
        }
        (void)fputc('\n', out);
    }
}

void help_print(FILE *out, const struct lang *lang)
{
    (void)fprintf(out, "%s\n\n%s\n", say(lang, "main.usage"), say(lang, "main.commands"));
    for (int i = 0; CTL_COMMANDS[i]; i++)
        (void)fprintf(out, "  %-*s %s\n", LEFT_COLUMNS, CTL_COMMANDS[i]->name,
                      help_command(lang, CTL_COMMANDS[i]));
    (void)fprintf(out, "\n%s\n", say(lang, "main.options_of_all"));
    print_options(out, lang, "option", CTL_GLOBAL_OPTIONS);
    print_exit(out, lang);
    (void)fprintf(out, "\n%s\n", say(lang, "main.more_help"));
}

void help_print_command(FILE *out, const struct lang *lang, const struct ctl_command *command)
{
    const char *details = help_of(lang, command->name, "details", command->details ? command->details : "");
    const size_t length = strlen(details);
    lang_print(out, lang, "main.usage_of", "command", command->name, NULL);
    (void)fprintf(out, "%s%s\n\n%s.\n%s%s", command->operand ? " " : "", command->operand ? command->operand : "",
                  help_command(lang, command), details,
                  length > 0 && details[length - 1] != '\n' ? "\n" : "");
    (void)fprintf(out, "\n%s\n", say(lang, "main.options"));
    print_options(out, lang, command->name, command->options);
    print_options(out, lang, "option", CTL_GLOBAL_OPTIONS);
    print_exit(out, lang);
}
