/* A new configuration beside the one in force: may it take its place while people pass? Called by main at SIGHUP, in the main
 * thread. */
#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "daemon/settings/keys.h"
#include "daemon/settings/settings.h"

enum { VALUE_BYTES = 300 };

static const char *place_of(const struct settings_key *key, const struct settings *settings)
{
    return (const char *)settings + key->offset;
}

/* Of a text only what stands before its NUL: behind it a longer default may have left its end. */
static bool is_same(const struct settings_key *key, const struct settings *a, const struct settings *b)
{
    if (key->kind == KEY_TEXT || key->kind == KEY_NAME)
        return strcmp(place_of(key, a), place_of(key, b)) == 0;
    return memcmp(place_of(key, a), place_of(key, b), key->bytes) == 0;
}

static int64_t number_of(const struct settings_key *key, const struct settings *settings)
{
    const char *place = place_of(key, settings);
    int64_t wide = 0;
    int narrow = 0;
    bool flag = false;
    if (key->bytes == sizeof wide) {
        memcpy(&wide, place, sizeof wide);
        return wide;
    }
    if (key->bytes == sizeof flag) {
        memcpy(&flag, place, sizeof flag);
        return flag;
    }
    memcpy(&narrow, place, sizeof narrow);
    return narrow;
}

static void word_text(const char *words, int64_t index, char *ret_text, size_t text_bytes)
{
    for (; index > 0 && strchr(words, '|') != NULL; index--)
        words = strchr(words, '|') + 1;
    (void)snprintf(ret_text, text_bytes, "\"%.*s\"", (int)strcspn(words, "|"), words);
}

/* As it is written in the file. */
static void value_text(const struct settings_key *key, const struct settings *settings, char *ret_text, size_t text_bytes)
{
    switch (key->kind) {
    case KEY_TEXT:
    case KEY_NAME:
        (void)snprintf(ret_text, text_bytes, "\"%s\"", place_of(key, settings));
        break;
    case KEY_INTEGER:
        (void)snprintf(ret_text, text_bytes, "%lld", (long long)(number_of(key, settings) / key->unit));
        break;
    case KEY_FLAG:
        (void)snprintf(ret_text, text_bytes, "%s", number_of(key, settings) != 0 ? "true" : "false");
        break;
    case KEY_CHOICE:
        word_text(key->allowed, number_of(key, settings) - key->lowest, ret_text, text_bytes);
        break;
    case KEY_LIST:
        (void)snprintf(ret_text, text_bytes, "a list");
        break;
    }
}

static void name_key(const struct settings_key *key, const struct settings *old, const struct settings *fresh, FILE *errors)
{
    char was[VALUE_BYTES], is[VALUE_BYTES];
    value_text(key, old, was, sizeof was);
    value_text(key, fresh, is, sizeof is);
    (void)fprintf(errors, "%s: from %s to %s needs a restart: systemctl restart qrgated@%s\n", key->path, was, is, old->lane);
}

int settings_reload(const struct settings *old, const struct settings *fresh, FILE *errors)
{
    struct settings_table table = settings_keys();
    int refused = 0;
    for (size_t i = 0; i < table.count; i++) {
        const struct settings_key *key = &table.keys[i];
        if (key->change == KEY_LIVE || is_same(key, old, fresh))
            continue;
        name_key(key, old, fresh, errors);
        refused++;
    }
    if (old->commands.auth == COMMAND_AUTH_OFF && fresh->commands.auth != COMMAND_AUTH_OFF) {
        (void)fprintf(errors, "commands.auth: from \"off\" needs a restart, for requests are subscribed to at the start: "
                      "systemctl restart qrgated@%s\n", old->lane);
        refused++;
    }
    if (strcmp(old->site_key_file, fresh->site_key_file) == 0 &&
        sodium_memcmp(old->journal.site_key, fresh->journal.site_key, sizeof fresh->journal.site_key) != 0) {
        (void)fprintf(errors, "journal.site_key_file: another key in %s needs a restart: systemctl restart qrgated@%s\n",
                      fresh->site_key_file, old->lane);
        refused++;
    }
    return refused == 0 ? 0 : -EPERM;
}
