/* What the quick form leaves out, line by line: when it last was, the colour, who declares, the group, since when. And numbers
 * as they are typed. qrgatectl declare. */
#ifndef CTL_DECLARE_MORE_H
#define CTL_DECLARE_MORE_H

#include "daemon/ctl/ctl.h"
#include "daemon/ctl/declare/terminal.h"

/* Numbers of one person, with spaces between; bare digits are told apart by their length. False: not allowed. */
bool more_take_numbers(const char *text, struct declared *ret);
/* Each question until its answer is right. False: the input ended. */
bool more_ask(const struct ctl *ctl, struct declared *declared, struct terminal *terminal);

#endif
