/* qrgatectl key list, key trust and key retire: whose passes a gate accepts. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/ctl/pass.h"
#include "daemon/ctl/told_files.h"
#include "daemon/mqtt/json_write.h"
#include "daemon/settings/key_file.h"
#include "daemon/settings/settings.h"

#define DEFAULT_CONFIG "/etc/qrgate/qrgate.conf"
#define TRUST_HELP "the folder of trusted keys (default: the configuration's)"

/* ---- the trust folder -------------------------------------------------------------------------------------------- */

enum ctl_exit pass_trust_folder(struct ctl *ctl, const char *option, char ret_folder[PASS_PATH_BYTES])
{
    const char *config = ctl->config ? ctl->config : DEFAULT_CONFIG;
    struct settings *settings = option ? NULL : calloc(1, sizeof(*settings));
    enum ctl_exit result = CTL_OK;
    int length = -1;
    if (!option && !settings)
        return ctl_complain(ctl, CTL_FAILED, "words.no_memory", NULL);
    if (!option && settings_load(config, settings, stderr) != 0)
        result = ctl_complain(ctl, CTL_FAILED, "key.config_bad", "file", config, NULL);
    else
        length = snprintf(ret_folder, PASS_PATH_BYTES, "%s", option ? option : settings->trust_folder);
    if (result == CTL_OK && (length < 0 || length >= PASS_PATH_BYTES))
        result = ctl_complain(ctl, CTL_USAGE, "option.too_long_trust", "most", LANG_N(PASS_PATH_BYTES - 1), NULL);
    free(settings);
    return result;
}

enum { KNOWN_MAX = 64, KEY_JSON_BYTES = 4096 };

struct known {
    char name[256]; /* in the folder */
    struct key_file key;
};

struct known_keys {
    const char *folder;
    int count, bad;
    struct known keys[KNOWN_MAX];
};

static int is_public(const struct dirent *entry)
{
    return key_file_is_public_name(entry->d_name);
}

int pass_join(const char *folder, const char *name, const char *ending, char ret_path[PASS_PATH_BYTES])
{
    const int length = snprintf(ret_path, PASS_PATH_BYTES, "%s/%s%s", folder, name, ending);
    return length < 0 || length >= PASS_PATH_BYTES ? -ENAMETOOLONG : 0;
}

static void load_one(const struct ctl *ctl, struct known_keys *known, const char *name)
{
    char path[PASS_PATH_BYTES];
    struct known *one = &known->keys[known->count];
    if (known->count == KNOWN_MAX || strlen(name) >= sizeof(one->name) ||
        pass_join(known->folder, name, "", path) < 0) {
        lang_print(stderr, ctl->lang, "key.left_out", "folder", known->folder, "file", name, NULL);
        known->bad++;
    } else if (told_key_read(ctl, path, false, &one->key) < 0) {
        known->bad++;
    } else {
        (void)strcpy(one->name, name); /* length checked above */
        known->count++;
    }
}

/* NULL when the folder can't be read, said already. The caller frees. */
static struct known_keys *load_keys(const struct ctl *ctl, const char *folder)
{
    struct known_keys *known = calloc(1, sizeof(*known));
    struct dirent **entries = NULL;
    const int count = known ? scandir(folder, &entries, is_public, alphasort) : -1;
    if (count < 0) {
        (void)ctl_complain(ctl, CTL_FAILED, "key.folder_unreadable", "folder", folder, "why", strerror(errno), NULL);
        free(known);
        return NULL;
    }
    known->folder = folder;
    for (int i = 0; i < count; i++) {
        load_one(ctl, known, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    return known;
}

static const struct known *find_kid(const struct known_keys *known, const char *kid)
{
    for (int i = 0; i < known->count; i++)
        if (strcmp(known->keys[i].key.kid, kid) == 0)
            return &known->keys[i];
    return NULL;
}

/* Does the file hold a secret key, whatever else is in it? */
static bool holds_secret(const char *path)
{
    char start[4096];
    struct stat status;
    bool holds = false;
    FILE *file = stat(path, &status) == 0 && S_ISREG(status.st_mode) ? fopen(path, "re") : NULL;
    if (!file)
        return false;
    const size_t length = fread(start, 1, sizeof(start), file);
    holds = memmem(start, length, "ed25519-secret:", strlen("ed25519-secret:")) != NULL;
    (void)fclose(file); /* only read */
    sodium_memzero(start, sizeof(start));
    return holds;
}

/* ---- key list ---------------------------------------------------------------------------------------------------- */

enum { LIST_TRUST, LIST_JSON };
static const struct ctl_option LIST_OPTIONS[] = {
    [LIST_TRUST] = { "trust", "DIR", false, TRUST_HELP },
    [LIST_JSON] = { "json", NULL, false, "one JSON object a key, on a line of its own" },
    { NULL, NULL, false, NULL },
};

enum key_state { KEY_CURRENT, KEY_NOT_YET, KEY_RETIRED };
/* For JSON, and for people. */
static const char *const STATE_NAMES[] = { "current", "not yet", "retired" };
static const char *const STATE_KEYS[] = { "key_state.current", "key_state.not_yet", "key_state.retired" };

static enum key_state state_of(const struct key_file *key, int64_t now_s)
{
    if (key->from_s != 0 && now_s < key->from_s)
        return KEY_NOT_YET;
    return key->until_s != 0 && now_s > key->until_s ? KEY_RETIRED : KEY_CURRENT;
}

/* Secret keys that somebody copied here by mistake. */
static int warn_of_secrets(const struct ctl *ctl, const char *folder)
{
    char path[PASS_PATH_BYTES];
    struct dirent **entries = NULL;
    const int count = scandir(folder, &entries, NULL, alphasort);
    int found = 0;
    for (int i = 0; i < count; i++) {
        if (!is_public(entries[i]) && pass_join(folder, entries[i]->d_name, "", path) == 0 && holds_secret(path)) {
            lang_print(stderr, ctl->lang, "key.secret_here", "file", path, NULL);
            found++;
        }
        free(entries[i]);
    }
    free(entries);
    return found;
}

enum { LIST_COLUMNS = 6 };

/* What is wider than its column pushes the rest: nothing of a key is cut off. */
static void print_row(const char *const cells[LIST_COLUMNS])
{
    static const int columns[LIST_COLUMNS - 1] = { 16, 20, 20, 10, 24 };
    for (int i = 0; i < LIST_COLUMNS - 1; i++) {
        const int missing = columns[i] - lang_columns(cells[i]);
        (void)printf("%s%*s", cells[i], missing > 0 ? missing + 2 : 2, "");
    }
    (void)puts(cells[LIST_COLUMNS - 1]);
}

static void print_head(const struct lang *lang)
{
    print_row((const char *const[]){ say(lang, "keys.kid"), say(lang, "keys.from"), say(lang, "keys.until"),
                                     say(lang, "keys.state"), say(lang, "keys.issuer"), say(lang, "keys.file") });
}

static void print_key(const struct lang *lang, const struct known *one, int64_t now_s)
{
    char issuer[80], from[32], until[32];
    print_row((const char *const[]){
        one->key.kid, one->key.from_s != 0 ? format_time(one->key.from_s, from) : "-",
        one->key.until_s != 0 ? format_time(one->key.until_s, until) : "-", say(lang, STATE_KEYS[state_of(&one->key, now_s)]),
        one->key.issuer[0] != '\0' ? printable(one->key.issuer, issuer, sizeof(issuer)) : say(lang, "key.any_issuer"), one->name });
}

static void print_key_json(const struct lang *lang, const struct known *one, int64_t now_s)
{
    char text[KEY_JSON_BYTES], when[32];
    struct json json;
    (void)lang; /* the same in every language */
    json_begin(&json, text, sizeof(text));
    json_text(&json, "kid", one->key.kid, sizeof(one->key.kid));
    if (one->key.from_s != 0)
        json_text(&json, "from", format_time(one->key.from_s, when), sizeof(when));
    if (one->key.until_s != 0)
        json_text(&json, "until", format_time(one->key.until_s, when), sizeof(when));
    json_text(&json, "state", STATE_NAMES[state_of(&one->key, now_s)], SIZE_MAX);
    if (one->key.issuer[0] != '\0')
        json_text(&json, "issuer", one->key.issuer, sizeof(one->key.issuer));
    json_text(&json, "file", one->name, sizeof(one->name));
    if (json_end(&json) >= 0) /* it fits: each text is bounded, and the buffer holds the worst of them */
        (void)printf("%s\n", text);
}

static enum ctl_exit run_list(struct ctl *ctl)
{
    char folder[PASS_PATH_BYTES];
    enum ctl_exit result = pass_trust_folder(ctl, ctl->values[LIST_TRUST], folder);
    struct known_keys *known = result == CTL_OK ? load_keys(ctl, folder) : NULL;
    if (!known)
        return CTL_FAILED;
    const bool json = ctl->values[LIST_JSON] != NULL;
    if (known->count > 0 && !json)
        print_head(ctl->lang);
    else if (!json)
        lang_print(stdout, ctl->lang, "key.none", "folder", folder, NULL);
    for (int i = 0; i < known->count; i++)
        (json ? print_key_json : print_key)(ctl->lang, &known->keys[i], ctl->now_s);
    if (known->bad > 0)
        result = ctl_complain(ctl, CTL_FAILED, "key.files_bad", "count", LANG_N(known->bad), NULL);
    else if (known->count > CREDENTIAL_TRUST_KEYS_MAX)
        result = ctl_complain(ctl, CTL_FAILED, "key.too_many", "most", LANG_N(CREDENTIAL_TRUST_KEYS_MAX), NULL);
    if (warn_of_secrets(ctl, folder) > 0)
        result = CTL_FAILED;
    free(known);
    return result;
}

const struct ctl_command CTL_KEY_LIST = {
    .name = "key list",
    .summary = "List the keys whose passes this gate accepts",
    .details =
        "What a key signs is accepted when it is dated between FROM and UNTIL. Passes of a retired key that were\n"
        "signed before its end stay good until they expire.\n",
    .options = LIST_OPTIONS,
    .run = run_list,
};

/* ---- key trust --------------------------------------------------------------------------------------------------- */

enum { TRUST_TRUST };
static const struct ctl_option TRUST_OPTIONS[] = {
    [TRUST_TRUST] = { "trust", "DIR", false, TRUST_HELP },
    { NULL, NULL, false, NULL },
};

/* *ret_already: it is trusted, nothing is left to do. */
static enum ctl_exit check_trust(struct ctl *ctl, const struct known_keys *known, const struct key_file *key,
                                 bool *ret_already)
{
    const struct known *same = find_kid(known, key->kid);
    *ret_already = false;
    if (known->bad > 0)
        return ctl_complain(ctl, CTL_FAILED, "key.mend", "folder", known->folder, NULL);
    if (same && memcmp(same->key.key, key->key, sizeof(key->key)) == 0) {
        lang_print(stdout, ctl->lang, "key.known", "kid", key->kid, "folder", known->folder, "file", same->name, NULL);
        *ret_already = true;
        return CTL_OK;
    }
    if (same)
        return ctl_complain(ctl, CTL_FAILED, "key.kid_taken", "kid", key->kid, "folder", known->folder,
                            "file", same->name, NULL);
    if (known->count >= CREDENTIAL_TRUST_KEYS_MAX)
        return ctl_complain(ctl, CTL_FAILED, "key.full", "folder", known->folder,
                            "count", LANG_N(CREDENTIAL_TRUST_KEYS_MAX), NULL);
    return CTL_OK;
}

static enum ctl_exit install_key(struct ctl *ctl, const char *folder, const struct key_file *key)
{
    char path[PASS_PATH_BYTES], issuer[80];
    if (pass_join(folder, key->kid, ".pub", path) < 0)
        return ctl_complain(ctl, CTL_USAGE, "key.trust_too_long", NULL);
    const int error = key_file_write(path, false, key);
    if (error < 0)
        return pass_fail_write(ctl, path, error);
    lang_print(stdout, ctl->lang, "key.trusted", "kid", key->kid,
               "issuer", key->issuer[0] != '\0' ? printable(key->issuer, issuer, sizeof(issuer)) : say(ctl->lang, "key.any_issuer"),
               "file", path, NULL);
    const enum key_state state = state_of(key, ctl->now_s);
    if (state != KEY_CURRENT)
        lang_print(stdout, ctl->lang, state == KEY_NOT_YET ? "key.mind_not_yet" : "key.mind_over", NULL);
    lang_print(stdout, ctl->lang, "key.tell_lanes", NULL);
    return CTL_OK;
}

static enum ctl_exit run_trust(struct ctl *ctl)
{
    char folder[PASS_PATH_BYTES];
    struct key_file key;
    bool already;
    if (holds_secret(ctl->operand))
        return ctl_complain(ctl, CTL_FAILED, "key.secret_given", "file", ctl->operand, NULL);
    if (told_key_read(ctl, ctl->operand, false, &key) < 0)
        return ctl_complain(ctl, CTL_FAILED, "key.public_bad", NULL);
    enum ctl_exit result = pass_trust_folder(ctl, ctl->values[TRUST_TRUST], folder);
    struct known_keys *known = result == CTL_OK ? load_keys(ctl, folder) : NULL;
    if (!known)
        return CTL_FAILED;
    result = check_trust(ctl, known, &key, &already);
    if (result == CTL_OK && !already)
        result = install_key(ctl, folder, &key);
    free(known);
    return result;
}

const struct ctl_command CTL_KEY_TRUST = {
    .name = "key trust",
    .operand = "FILE.pub",
    .summary = "Accept the passes of an issuer: install its public key on this gate",
    .details = "Example: qrgatectl key trust office-2026.pub\n"
               "Make sure that the file comes from the issuer: whose key this is can let anybody in.\n",
    .options = TRUST_OPTIONS,
    .run = run_trust,
};

/* ---- key retire -------------------------------------------------------------------------------------------------- */

enum { RETIRE_AT, RETIRE_NOW, RETIRE_REMOVE, RETIRE_TRUST };
static const struct ctl_option RETIRE_OPTIONS[] = {
    [RETIRE_AT] = { "at", "TIME", false, "what it signs after TIME is refused" },
    [RETIRE_NOW] = { "now", NULL, false, "what it signs from now on is refused (the default)" },
    [RETIRE_REMOVE] = { "remove", NULL, false, "take it away: all that it ever signed is refused at once" },
    [RETIRE_TRUST] = { "trust", "DIR", false, TRUST_HELP },
    { NULL, NULL, false, NULL },
};

static enum ctl_exit remove_key(struct ctl *ctl, const char *folder, const char *path)
{
    if (unlink(path) < 0)
        return ctl_complain(ctl, CTL_FAILED, "key.not_removed", "file", path, "why", strerror(errno), NULL);
    const int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const bool kept = fd < 0 || fsync(fd) == 0 || errno == EINVAL; /* EINVAL: this file system needs no such thing */
    if (fd >= 0)
        (void)close(fd); /* only read */
    if (!kept)
        return ctl_complain(ctl, CTL_FAILED, "key.removal_unsure", "file", path, "why", strerror(errno), NULL);
    lang_print(stdout, ctl->lang, "key.removed", "kid", ctl->operand, NULL);
    return CTL_OK;
}

static enum ctl_exit end_key(struct ctl *ctl, const char *path, const struct key_file *key, int64_t until_s)
{
    char when[32], before[32];
    if (key->from_s != 0 && until_s < key->from_s)
        return ctl_complain(ctl, CTL_USAGE, "key.end_too_early", "file", path, "end", format_time(until_s, when),
                            "begin", format_time(key->from_s, before), NULL);
    const int error = key_file_set_until(path, until_s);
    if (error < 0)
        return ctl_complain(ctl, CTL_FAILED, "key.not_changed", "file", path, "why", strerror(-error), NULL);
    lang_print(stdout, ctl->lang, "key.ends", "kid", key->kid, "until", format_time(until_s, when),
               "before", key->until_s != 0 ? format_time(key->until_s, before) : say(ctl->lang, "key.no_end"), NULL);
    return CTL_OK;
}

static enum ctl_exit retire_known(struct ctl *ctl, const struct known_keys *known, int64_t until_s)
{
    const struct known *one = find_kid(known, ctl->operand);
    char path[PASS_PATH_BYTES], buffer[80];
    if (!one || pass_join(known->folder, one->name, "", path) < 0)
        return ctl_complain(ctl, CTL_FAILED, "key.unknown", "kid", printable(ctl->operand, buffer, sizeof(buffer)),
                            "folder", known->folder, NULL);
    const enum ctl_exit result =
        ctl->values[RETIRE_REMOVE] ? remove_key(ctl, known->folder, path) : end_key(ctl, path, &one->key, until_s);
    if (result == CTL_OK)
        lang_print(stdout, ctl->lang, "key.tell_lanes", NULL);
    return result;
}

static enum ctl_exit run_retire(struct ctl *ctl)
{
    const char *at = ctl->values[RETIRE_AT];
    char folder[PASS_PATH_BYTES], buffer[80];
    int64_t until_s = ctl->now_s;
    if ((at != NULL) + (ctl->values[RETIRE_NOW] != NULL) + (ctl->values[RETIRE_REMOVE] != NULL) > 1)
        return ctl_complain(ctl, CTL_USAGE, "key.retire_one", NULL);
    if (at && !parse_time(at, &until_s))
        return ctl_complain(ctl, CTL_USAGE, "option.at", "value", printable(at, buffer, sizeof(buffer)),
                            "allowed", say(ctl->lang, "allowed.time"), NULL);
    enum ctl_exit result = pass_trust_folder(ctl, ctl->values[RETIRE_TRUST], folder);
    struct known_keys *known = result == CTL_OK ? load_keys(ctl, folder) : NULL;
    if (!known)
        return CTL_FAILED;
    result = retire_known(ctl, known, until_s);
    free(known);
    return result;
}

const struct ctl_command CTL_KEY_RETIRE = {
    .name = "key retire",
    .operand = "KID",
    .summary = "Let a trusted key end, now or at a time, or take it away",
    .details = "Example: qrgatectl key retire office-2025 --at 2026-01-31T23:59\n",
    .options = RETIRE_OPTIONS,
    .run = run_retire,
};
