/* Holds a parsed configuration against a table of keys: type, range, words; every mistake with file:line, value and what is
 * allowed. Called by settings_read() and, for the rows of a list, by lists.c. Start-up and reload. */
#include <string.h>

#include "daemon/credential/utf8.h"
#include "daemon/settings/keys.h"

enum { PATH_BYTES = 128, SHOWN_BYTES = 60 };

void settings_mistake(struct settings_walk *walk, int line, const char *format, ...)
{
    va_list args;
    walk->mistakes++;
    if (walk->mistakes > SETTINGS_MISTAKES_MAX) {
        if (walk->mistakes == SETTINGS_MISTAKES_MAX + 1)
            (void)fprintf(walk->errors, "%s: there are more mistakes; mend these first\n", walk->file);
        return;
    }
    if (line > 0)
        (void)fprintf(walk->errors, "%s:%d: ", walk->file, line);
    else
        (void)fprintf(walk->errors, "%s: ", walk->file);
    va_start(args, format);
    (void)vfprintf(walk->errors, format, args);
    va_end(args);
    (void)fputc('\n', walk->errors);
}

static void shown_text(const char *text, char *ret_text, size_t text_bytes)
{
    char cut[SHOWN_BYTES + 1];
    (void)snprintf(cut, sizeof cut, "%s", text);
    for (size_t length = strlen(cut); strlen(text) > length && length > 0 && (text[length] & 0xc0) == 0x80;)
        cut[--length] = '\0'; /* not in the middle of a character */
    if (!utf8_plain((const uint8_t *)cut, strlen(cut)))
        for (char *at = cut; *at != '\0'; at++)
            if ((unsigned char)*at < ' ' || (unsigned char)*at > '~')
                *at = '?';
    (void)snprintf(ret_text, text_bytes, "\"%s\"", cut);
}

void settings_value_text(const config_setting_t *setting, char *ret_text, size_t text_bytes)
{
    switch (config_setting_type(setting)) {
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_INT64:
        (void)snprintf(ret_text, text_bytes, "%lld", config_setting_get_int64(setting));
        break;
    case CONFIG_TYPE_FLOAT:
        (void)snprintf(ret_text, text_bytes, "%g", config_setting_get_float(setting));
        break;
    case CONFIG_TYPE_BOOL:
        (void)snprintf(ret_text, text_bytes, "%s", config_setting_get_bool(setting) ? "true" : "false");
        break;
    case CONFIG_TYPE_STRING:
        shown_text(config_setting_get_string(setting), ret_text, text_bytes);
        break;
    default:
        (void)snprintf(ret_text, text_bytes, "a group or list");
    }
}

static int line_of(const config_setting_t *setting)
{
    return (int)config_setting_source_line(setting);
}

static bool is_name(const char *text)
{
    return text[0] != '\0' &&
           text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")] == '\0';
}

/* Index of `word` in "a|b|c", or -1. */
static int choice_index(const char *words, const char *word)
{
    size_t length = strlen(word);
    for (int i = 0; length > 0; i++) {
        size_t part = strcspn(words, "|");
        if (part == length && memcmp(words, word, length) == 0)
            return i;
        if (words[part] == '\0')
            return -1;
        words += part + 1;
    }
    return -1;
}

static void take_text(struct settings_walk *walk, const struct settings_key *key, const config_setting_t *setting,
                      const char *value, char *place)
{
    const char *text = config_setting_type(setting) == CONFIG_TYPE_STRING ? config_setting_get_string(setting) : NULL;
    if (text == NULL || strlen(text) >= key->bytes)
        settings_mistake(walk, line_of(setting), "%s = %s: allowed is a text in quotes of at most %zu bytes", key->path, value,
                         key->bytes - 1);
    else if (key->kind == KEY_NAME && !is_name(text))
        settings_mistake(walk, line_of(setting), "%s = %s: allowed are 1 to %zu letters a-z A-Z, digits, - and _", key->path,
                         value, key->bytes - 1);
    else if (!utf8_plain((const uint8_t *)text, strlen(text)))
        settings_mistake(walk, line_of(setting), "%s = %s: allowed is a text in UTF-8 without control characters", key->path,
                         value);
    else
        (void)snprintf(place, key->bytes, "%s", text);
}

static void take_integer(struct settings_walk *walk, const struct settings_key *key, const config_setting_t *setting,
                         const char *value, char *place)
{
    int type = config_setting_type(setting);
    int64_t number = config_setting_get_int64(setting);
    if ((type != CONFIG_TYPE_INT && type != CONFIG_TYPE_INT64) || number < key->lowest || number > key->highest) {
        settings_mistake(walk, line_of(setting), "%s = %s: allowed is a whole number from %lld to %lld", key->path, value,
                         (long long)key->lowest, (long long)key->highest);
        return;
    }
    number *= key->unit;
    int narrow = (int)number;
    memcpy(place, key->bytes == sizeof number ? (void *)&number : (void *)&narrow, key->bytes);
}

static void take_choice(struct settings_walk *walk, const struct settings_key *key, const config_setting_t *setting,
                        const char *value, char *place)
{
    const char *word = config_setting_type(setting) == CONFIG_TYPE_STRING ? config_setting_get_string(setting) : "";
    int index = choice_index(key->allowed, word);
    if (index < 0) {
        settings_mistake(walk, line_of(setting), "%s = %s: allowed is one of \"%s\" (in quotes)", key->path, value,
                         key->allowed);
        return;
    }
    int number = index + (int)key->lowest;
    bool flag = number != 0;
    memcpy(place, key->bytes == sizeof flag ? (void *)&flag : (void *)&number, key->bytes);
}

static void take(struct settings_walk *walk, const struct settings_key *key, const config_setting_t *setting, void *base)
{
    char *place = (char *)base + key->offset, value[SETTINGS_VALUE_BYTES];
    settings_value_text(setting, value, sizeof value);
    switch (key->kind) {
    case KEY_TEXT:
    case KEY_NAME:
        take_text(walk, key, setting, value, place);
        break;
    case KEY_INTEGER:
        take_integer(walk, key, setting, value, place);
        break;
    case KEY_FLAG:
        if (config_setting_type(setting) != CONFIG_TYPE_BOOL)
            settings_mistake(walk, line_of(setting), "%s = %s: allowed are true and false", key->path, value);
        else
            *(bool *)place = config_setting_get_bool(setting) != 0;
        break;
    case KEY_CHOICE:
        take_choice(walk, key, setting, value, place);
        break;
    case KEY_LIST:
        key->take_list(walk, key, setting, place);
        break;
    }
}

static const struct settings_key *find_key(const struct settings_table *table, const char *path)
{
    for (size_t i = 0; i < table->count; i++)
        if (strcmp(table->keys[i].path, path) == 0)
            return &table->keys[i];
    return NULL;
}

static bool is_group(const struct settings_table *table, const char *path)
{
    size_t length = strlen(path);
    for (size_t i = 0; i < table->count; i++)
        if (strncmp(table->keys[i].path, path, length) == 0 && table->keys[i].path[length] == '.')
            return true;
    return false;
}

/* Keys of earlier versions, so that who upgrades is told what to write. */
static const char *moved_to(const char *path)
{
    static const struct {
        const char *from, *to;
    } moved[] = {{"policy.validity_s", "declaration.validity_s"}};
    for (size_t i = 0; i < sizeof moved / sizeof moved[0]; i++)
        if (strcmp(moved[i].from, path) == 0)
            return moved[i].to;
    return NULL;
}

static void unknown_key(struct settings_walk *walk, const config_setting_t *setting, const char *path)
{
    const char *to = moved_to(path);
    if (to != NULL)
        settings_mistake(walk, line_of(setting), "%s: this key has moved: write it as %s (the same values are allowed)", path,
                         to);
    else
        settings_mistake(walk, line_of(setting),
                         "%s: unknown key; the keys are in the commented qrgate.conf (qrgated --keys lists them)", path);
}

/* Only groups that the table knows are gone into, so the depth is the table's. */
void settings_walk_group(struct settings_walk *walk, const struct settings_table *table, const config_setting_t *group,
                         const char *prefix, void *base)
{
    for (int i = 0; i < config_setting_length(group); i++) {
        const config_setting_t *setting = config_setting_get_elem(group, (unsigned)i);
        const char *name = config_setting_name(setting);
        char path[PATH_BYTES];
        int length = snprintf(path, sizeof path, "%s%s%s", prefix, prefix[0] ? "." : "", name ? name : "?");
        const struct settings_key *key = length < PATH_BYTES ? find_key(table, path) : NULL;
        bool group_known = key == NULL && length < PATH_BYTES && is_group(table, path);
        if (key != NULL)
            take(walk, key, setting, base);
        else if (group_known && config_setting_is_group(setting))
            settings_walk_group(walk, table, setting, path, base);
        else if (group_known)
            settings_mistake(walk, line_of(setting), "%s: allowed is a group { … } here", path);
        else
            unknown_key(walk, setting, path);
    }
}
