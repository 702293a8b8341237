/* A list with people's names that a command was given: said where everybody on the machine may read it. */
#ifndef CTL_PRIVACY_PEOPLE_LIST_H
#define CTL_PRIVACY_PEOPLE_LIST_H

#include "daemon/ctl/ctl.h"

void people_list_note(const struct ctl *ctl, FILE *file, const char *path);

#endif
