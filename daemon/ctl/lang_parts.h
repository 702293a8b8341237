/* The inside of lang*.c, and nobody else's. */
#ifndef CTL_LANG_PARTS_H
#define CTL_LANG_PARTS_H

#include "daemon/ctl/lang.h"

extern const char lang_english_begin[], lang_english_end[];

struct lang_row {
    const char *key, *text; /* in the table's own bytes */
};

struct lang_table {
    char *bytes; /* the file, cut up into keys and texts */
    int count;
    struct lang_row rows[LANG_KEYS_MAX]; /* sorted by key */
};

/* lang_table.c. Reads a table; `english` is what it is held against, NULL for the English one itself. Answers the number of
 * mistakes, each told; or -ENOMEM, -EINVAL (too large). */
int lang_table_read(const char *name, const char *text, size_t length_bytes, const struct lang_table *english,
                    struct lang_table *ret, FILE *errors);
#define LANG_TOLD "told."
/* lang_told.c. lang_told() of the two tables. */
const char *lang_table_tell(const struct lang_table *english, const struct lang_table *own, char *buffer, size_t bytes,
                            const char *text);
/* lang.c. The most of `bytes` that doesn't end inside a letter. */
size_t lang_whole_letters(const char *text, size_t bytes);
const char *lang_table_find(const struct lang_table *table, const char *key); /* or NULL */

/* The next "{name}" at or after `text`, or NULL. *ret_bytes is its length with the braces. A brace that begins no name is text. */
const char *lang_next_fill(const char *text, size_t *ret_bytes);

#endif
