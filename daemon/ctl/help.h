/* qrgatectl --help. */
#ifndef CTL_HELP_H
#define CTL_HELP_H

#include "daemon/ctl/ctl.h"

void help_print(FILE *out, const struct lang *lang);
void help_print_command(FILE *out, const struct lang *lang, const struct ctl_command *command);

/* One line; `command` is the name of the option's, "option" for those of all. */
const char *help_option(const struct lang *lang, const char *command, const struct ctl_option *option);
const char *help_command(const struct lang *lang, const struct ctl_command *command);

#endif
