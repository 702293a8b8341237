/* What a shell may offer at TAB. */
#ifndef CTL_COMPLETION_H
#define CTL_COMPLETION_H

#include "daemon/ctl/ctl.h"

/* The words behind the program's name, the last of them, perhaps empty, begun. To stdout a line for each that it could be, with a
 * tab and its help; or ":files" or ":folders". (qrgatectl --complete WORD…) */
void completion_offer(const struct lang *lang, char **words, int count);

#endif
