/* The folder of operators' public keys: *.pub in any case, text files as of key_file.h (kid, ed25519) with the lines `operator: NAME` and
 * `verbs: open mode …` (a list of request verbs, or all). Read at start-up and at a reload. */
#ifndef SETTINGS_OPERATORS_H
#define SETTINGS_OPERATORS_H

#include <stdio.h>

#include "daemon/mqtt/command.h"

/* 0, or -EINVAL after printing every mistake with file and line to `errors`, or -errno, printed too. Files are read in the order
 * of their names; what ends otherwise is left alone. A folder without a key is a mistake: nobody could sign. Only
 * rules->operators and operators_count are set; after a mistake there is none. */
int operators_load(const char *folder, struct command_rules *rules, FILE *errors);
/* One file. */
int operator_file_read(const char *path, struct command_operator *ret, FILE *errors);

#endif
