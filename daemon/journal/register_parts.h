/* What register.c and register_rekey.c share. */
#ifndef JOURNAL_REGISTER_PARTS_H
#define JOURNAL_REGISTER_PARTS_H

#include "daemon/journal/register.h"

/* 1: there is a row; 0: none; or negative errno. Of a statement that asks by one text. */
int register_exists(struct sqlite3_stmt *statement, const char *text);
/* Of a statement that answers no rows; `second` may be NULL. */
int register_run(struct sqlite3_stmt *statement, const char *first, const char *second);
/* The hash is a number of this person from now on. `known`: it has a declaration. */
int register_bind(struct register_writer *writer, const char *hash, bool known, const char *person);

/* Of a number in clear whose hash under the present key is `hash` (register_rekey.c): what is known of it under the old key
 * is moved. Once; after that one look-up. */
int register_rekey(struct register_writer *writer, const char *subject, const char *hash);
/* 1: it was not moved yet, and `hash` is now its hash under the old key; 0: or it isn't known there. */
int register_unmoved(struct register_writer *writer, const char *subject, char hash[JOURNAL_ID_BYTES]);

#endif
