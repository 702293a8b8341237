/* Between settings.c and libconfig, for the files of this folder alone: a table of keys, and the walk that holds a parsed
 * file against it. Start-up and reload, on the caller's thread. */
#ifndef SETTINGS_KEYS_H
#define SETTINGS_KEYS_H

#include <libconfig.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { SETTINGS_MISTAKES_MAX = 50, SETTINGS_VALUE_BYTES = 80 };

struct settings_walk {
    const char *file;
    FILE *errors;
    int mistakes; /* only the first SETTINGS_MISTAKES_MAX are printed */
};

enum key_kind { KEY_TEXT, KEY_NAME, KEY_INTEGER, KEY_FLAG, KEY_CHOICE, KEY_LIST };
enum key_change { KEY_RESTART, KEY_LIVE }; /* may it change while the lane is at work? */

struct settings;
struct settings_key;
typedef void settings_take_list(struct settings_walk *walk, const struct settings_key *key, const config_setting_t *setting,
                                void *place);

/* One key. The member's own size says how it is stored: int or int64_t, enum or bool; so no key can be wrong about it.
 * TEXT: fits into the member with its NUL. NAME: the same, of letters, digits, _ and -. INTEGER: lowest…highest, stored
 * times `unit`. CHOICE: words separated by '|'; the first is stored as `lowest`, the next as one more. */
struct settings_key {
    const char *path;
    enum key_kind kind;
    enum key_change change;
    size_t offset, bytes;
    int64_t lowest, highest, unit;
    const char *allowed; /* CHOICE: the words; LIST: a sentence */
    settings_take_list *take_list;
};

struct settings_table {
    const struct settings_key *keys;
    size_t count;
};

struct settings_table settings_keys(void);     /* of struct settings */
struct settings_table settings_row_keys(void); /* of one row of schedule.rows */

/* Every key in `group` into `base`, which the table's offsets count from; mistakes are printed and counted. */
void settings_walk_group(struct settings_walk *walk, const struct settings_table *table, const config_setting_t *group,
                         const char *prefix, void *base);
/* The keys that hold lists. */
settings_take_list settings_take_products, settings_take_holidays, settings_take_rows, settings_take_verbs,
    settings_take_decoders, settings_take_controls;

__attribute__((format(printf, 3, 4))) void settings_mistake(struct settings_walk *walk, int line, const char *format, ...);
/* The value as a person may see it: control characters and what isn't UTF-8 shown as '?', cut. */
void settings_value_text(const config_setting_t *setting, char *ret_text, size_t text_bytes);

/* What one key alone can't say: after every key was taken, and what follows from them was derived. */
void settings_check_whole(struct settings_walk *walk, const config_t *config, const struct settings *settings);

/* Before libconfig sees the text: what it would do that no configuration may ask of it. It opens the files an @include
 * names, and it lets numbers wrap around; and its time grows with the square of the number of settings. Texts and comments
 * without an end are found here too. */
void settings_check_text(struct settings_walk *walk, const char *text, size_t length_bytes);

#endif
