/* The form of a declaration, asked question by question in Vietnamese and English on a terminal. qrgatectl declare. */
#ifndef CTL_FORM_H
#define CTL_FORM_H

#include "daemon/ctl/ctl.h"

/* False: the input ended (end of file, Ctrl-C) before the form did. Each question is asked until its answer is right. */
bool form_ask(const struct ctl *ctl, struct declared *ret);
/* "Write it? [Y/n]". */
bool form_confirm(const struct ctl *ctl);

#endif
