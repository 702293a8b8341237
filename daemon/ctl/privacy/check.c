/* qrgatectl privacy-check: what this lane stores and why, from its real configuration and database, held against Law
 * 91/2025/QH15 and Decree 356/2025; and warnings where it keeps too much. Read-only in effect. */
#include <errno.h>
#include <grp.h>
#include <json-c/json.h>
#include <pwd.h>
#include <sodium.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/ctl/ctl.h"
#include "daemon/decision/time_text.h"
#include "daemon/journal/database.h"
#include "daemon/journal/site_key_change.h"
#include "daemon/settings/settings.h"
#include "daemon/settings/site_key.h"

enum { JSON };
static const struct ctl_option OPTIONS[] = {
    [JSON] = { "json", NULL, false, "one JSON object" },
    { NULL, NULL, false, NULL },
};

/* How long, in words: the key of a text that takes {days}, or one that takes none. */
enum kept { KEPT_EVENTS, KEPT_REGISTER, KEPT_FIXED };

/* The oldest row in seconds; both statements of one number. The texts are privacy_what.NAME, privacy_why, privacy_erase, and
 * privacy_long where `kept` is KEPT_FIXED. */
static const struct store {
    const char *name, *count, *oldest;
    enum kept kept;
} STORES[] = {
    { "events", "SELECT count(*) FROM event WHERE person <> ''", "SELECT min(at_us) / 1000000 FROM event WHERE person <> ''",
      KEPT_EVENTS },
    { "operators", "SELECT count(*) FROM event WHERE operator_name <> ''",
      "SELECT min(at_us) / 1000000 FROM event WHERE operator_name <> ''", KEPT_EVENTS },
    { "presence", "SELECT count(*) FROM presence", "SELECT min(at_us) / 1000000 FROM presence", KEPT_EVENTS },
    { "declarations", "SELECT count(*) FROM declaration", "SELECT min(declared_at_s) FROM declaration", KEPT_REGISTER },
    { "numbers", "SELECT count(*) FROM identity", NULL, KEPT_REGISTER },
    { "tokens", "SELECT count(*) FROM rotating", "SELECT min(last_step) * 30 FROM rotating", KEPT_FIXED },
    { "revocations", "SELECT count(*) FROM revocation", "SELECT min(revoked_at_s) FROM revocation", KEPT_FIXED },
    { "site_key", "SELECT count(*) FROM old_hash", NULL, KEPT_FIXED },
    { "published", "SELECT count(*) FROM event WHERE sent = 0 AND person <> ''",
      "SELECT min(at_us) / 1000000 FROM event WHERE sent = 0 AND person <> ''", KEPT_FIXED },
};
/* What never is: privacy_what.NAME and privacy_why alone. */
static const char *const NEVER[] = { "names", "pictures", "payloads" };
enum { STORE_COUNT = sizeof(STORES) / sizeof(STORES[0]), NEVER_COUNT = sizeof(NEVER) / sizeof(NEVER[0]), WARNINGS_MAX = 16,
       WARNING_BYTES = 400, AMPLE_DAYS = 31 };

struct check {
    struct ctl *ctl;
    sqlite3 *db;
    struct settings *settings;
    struct site_keys keys;
    bool has_keys;
    int64_t counts[STORE_COUNT], oldest_s[STORE_COUNT];
    const struct lang *lang; /* English for JSON, which is the same in every language */
    char warnings[WARNINGS_MAX][WARNING_BYTES];
    int warning_count;
};

static int64_t ask(struct check *check, const char *sql)
{
    int error = 0;
    const int64_t number = sql ? database_number(check->db, sql, &error) : 0;
    return error < 0 ? -1 : number;
}

/* ---- warnings ---------------------------------------------------------------------------------------------------- */

/* There are fewer kinds than places. */
static char *next_warning(struct check *check)
{
    return check->warnings[check->warning_count < WARNINGS_MAX - 1 ? check->warning_count++ : WARNINGS_MAX - 1];
}

/* The longest time that a declaration or one of its answers counts, in days. */
static int64_t purpose_days(const struct settings *settings)
{
    const struct declaration_policy *policy = &settings->journal.policy.declaration;
    const int64_t windows[] = { policy->validity_s, policy->symptom_window_s, policy->contact_window_s, policy->travel_window_s };
    int64_t most_s = 0;
    for (size_t i = 0; i < sizeof(windows) / sizeof(windows[0]); i++)
        most_s = windows[i] > most_s ? windows[i] : most_s;
    return (most_s + 86399) / 86400;
}

static void warn_of_days(struct check *check, const char *key, int days, int64_t purpose)
{
    const struct lang *lang = check->lang;
    if (days == 0)
        (void)lang_format(lang, next_warning(check), WARNING_BYTES, "privacy.warn.for_ever", "key", key, NULL);
    else if (days > purpose + AMPLE_DAYS)
        (void)lang_format(lang, next_warning(check), WARNING_BYTES, "privacy.warn.too_long", "key", key, "days", LANG_N(days),
                          "purpose", LANG_N(purpose), NULL);
}

static void warn_of_rows(struct check *check)
{
    const struct journal_settings *journal = &check->settings->journal;
    const struct lang *lang = check->lang;
    char sql[200];
    if (journal->keep_days == 0)
        return;
    const int64_t limit_us = (check->ctl->now_s - (journal->keep_days + INT64_C(2)) * 86400) * INT64_C(1000000);
    for (int sent = 0; sent <= 1; sent++) {
        (void)snprintf(sql, sizeof(sql), "SELECT count(*) FROM event WHERE clock_trusted = 1 AND sent = %d AND at_us < %lld",
                       sent, (long long)limit_us);
        const int64_t rows = ask(check, sql);
        if (rows > 0 && (sent || journal->has_no_broker))
            (void)lang_format(lang, next_warning(check), WARNING_BYTES, "privacy.warn.overdue", "rows", LANG_N(rows), "days",
                              LANG_N(journal->keep_days), NULL);
        else if (rows > 0)
            (void)lang_format(lang, next_warning(check), WARNING_BYTES, "privacy.warn.unsent", "rows", LANG_N(rows), "days",
                              LANG_N(journal->keep_days), NULL);
    }
}

static void warn_of_keys(struct check *check)
{
    char id[SITE_KEY_ID_BYTES] = "", sql[120], when[TIME_TEXT_BYTES];
    const struct lang *lang = check->lang;
    if (!check->has_keys)
        return;
    site_key_id(check->keys.current, id);
    (void)snprintf(sql, sizeof(sql), "SELECT EXISTS (SELECT 1 FROM site_key WHERE key_id = '%s')", id);
    if (ask(check, "SELECT count(*) FROM site_key") > 0 && ask(check, sql) == 0)
        (void)lang_format(lang, next_warning(check), WARNING_BYTES, "privacy.warn.key_unknown", "id", id, NULL);
    if (check->keys.has_old && check->keys.old_until_s <= check->ctl->now_s)
        (void)lang_format(lang, next_warning(check), WARNING_BYTES, "privacy.warn.key_overdue", "until",
                          time_text_write(check->keys.old_until_s, when), NULL);
}

static void warn_of_mode(struct check *check, const char *path, mode_t others)
{
    struct stat status;
    if (stat(path, &status) == 0 && (status.st_mode & others) != 0)
        (void)lang_format(check->lang, next_warning(check), WARNING_BYTES, "privacy.warn.mode", "path", path, NULL);
}

static void warn_of_broker(struct check *check)
{
    const struct mqtt_settings *mqtt = &check->settings->mqtt;
    static const char *const here[] = { "localhost", "127.0.0.1", "::1" };
    bool is_here = false;
    for (size_t i = 0; i < sizeof(here) / sizeof(here[0]); i++)
        is_here = is_here || strcmp(mqtt->host, here[i]) == 0;
    if (mqtt->enabled && !is_here && mqtt->ca_file[0] == '\0')
        (void)lang_format(check->lang, next_warning(check), WARNING_BYTES, "privacy.warn.plain", "host", mqtt->host, NULL);
}

static void look_for_warnings(struct check *check)
{
    const struct journal_settings *journal = &check->settings->journal;
    const int64_t purpose = purpose_days(check->settings);
    warn_of_days(check, "journal.keep_days", journal->keep_days, purpose);
    warn_of_days(check, "journal.register_days", journal->register_days, purpose);
    warn_of_rows(check);
    warn_of_keys(check);
    warn_of_mode(check, journal->path, 07);
    warn_of_mode(check, check->settings->site_key_file, 07);
    warn_of_broker(check);
}

/* ---- what is told ------------------------------------------------------------------------------------------------ */

static const char *how_long(const struct check *check, const struct store *store, char *buffer, size_t bytes)
{
    const struct journal_settings *journal = &check->settings->journal;
    const int days = store->kept == KEPT_EVENTS ? journal->keep_days : journal->register_days;
    const char *key = store->kept == KEPT_EVENTS ? "privacy.long.events" : "privacy.long.register";
    if (store->kept == KEPT_FIXED)
        return say_word(check->lang, "privacy_long", store->name);
    return days == 0 ? say(check->lang, "privacy.long.for_ever")
                     : lang_format(check->lang, buffer, bytes, key, "days", LANG_N(days), NULL);
}

/* "qrgate:qrgate 0640" */
static const char *who_may_read(const struct check *check, char *buffer, size_t bytes)
{
    struct stat status;
    if (stat(check->settings->journal.path, &status) < 0)
        return "?";
    const struct passwd *user = getpwuid(status.st_uid);
    const struct group *group = getgrgid(status.st_gid);
    (void)snprintf(buffer, bytes, "%s:%s %04o", user ? user->pw_name : "?", group ? group->gr_name : "?",
                   (unsigned)status.st_mode & 07777);
    return buffer;
}

static const char *oldest(const struct check *check, int i, char buffer[TIME_TEXT_BYTES])
{
    return check->counts[i] > 0 && check->oldest_s[i] > 0 ? time_text_write(check->oldest_s[i], buffer) : "";
}

static void print_part(const struct check *check, const char *label, const char *text)
{
    char padded[80];
    (void)printf("  %s %s\n", lang_pad(padded, sizeof(padded), say(check->lang, label), 12), text);
}

static void print_plain(const struct check *check)
{
    const struct lang *lang = check->lang;
    char buffer[LANG_TEXT_MAX_BYTES], when[TIME_TEXT_BYTES], who[128];
    (void)puts(lang_format(lang, buffer, sizeof(buffer), "privacy.title", "site", check->settings->site, "lane",
                           check->settings->lane, "law", "91/2025/QH15", "decree", "356/2025", NULL));
    (void)puts(lang_format(lang, buffer, sizeof(buffer), "privacy.where", "path", check->settings->journal.path, "who",
                           who_may_read(check, who, sizeof(who)), NULL));
    for (int i = 0; i < STORE_COUNT; i++) {
        const struct store *store = &STORES[i];
        (void)printf("\n%s\n", say_word(check->lang, "privacy_what", store->name));
        print_part(check, "privacy.label.why", say_word(check->lang, "privacy_why", store->name));
        print_part(check, "privacy.label.long", how_long(check, store, buffer, sizeof(buffer)));
        print_part(check, "privacy.label.erase", say_word(check->lang, "privacy_erase", store->name));
        if (oldest(check, i, when)[0] != '\0')
            (void)lang_format(lang, buffer, sizeof(buffer), "privacy.now_since", "rows", LANG_N(check->counts[i]), "oldest", when,
                              NULL);
        else
            (void)lang_format(lang, buffer, sizeof(buffer), "privacy.now", "rows", LANG_N(check->counts[i]), NULL);
        print_part(check, "privacy.label.now", buffer);
    }
    (void)printf("\n%s\n", say(lang, "privacy.never"));
    for (int i = 0; i < NEVER_COUNT; i++)
        (void)printf("  - %s: %s\n", say_word(lang, "privacy_what", NEVER[i]), say_word(lang, "privacy_why", NEVER[i]));
    (void)printf("\n%s\n", say(lang, "privacy.rights"));
    for (int i = 0; i < check->warning_count; i++)
        (void)printf("\n%s %s\n", say(lang, "privacy.warning"), check->warnings[i]);
    if (check->warning_count == 0)
        (void)printf("\n%s\n", say(lang, "privacy.no_warning"));
}

static void add_text(struct json_object *object, const char *key, const char *text)
{
    if (text[0] != '\0')
        (void)json_object_object_add(object, key, json_object_new_string(text)); /* no memory: shows in the output */
}

static void print_json(const struct check *check)
{
    struct json_object *whole = json_object_new_object(), *stores = json_object_new_array(), *never = json_object_new_array(),
                       *warnings = json_object_new_array();
    char buffer[LANG_TEXT_MAX_BYTES], when[TIME_TEXT_BYTES], who[128], id[SITE_KEY_ID_BYTES] = "";
    add_text(whole, "schema", "qrgate/privacy/1");
    add_text(whole, "law", "91/2025/QH15");
    add_text(whole, "decree", "356/2025");
    add_text(whole, "site", check->settings->site);
    add_text(whole, "lane", check->settings->lane);
    add_text(whole, "database", check->settings->journal.path);
    add_text(whole, "readable_by", who_may_read(check, who, sizeof(who)));
    if (check->has_keys)
        site_key_id(check->keys.current, id);
    add_text(whole, "site_key_id", id);
    for (int i = 0; i < STORE_COUNT; i++) {
        struct json_object *store = json_object_new_object();
        add_text(store, "name", STORES[i].name);
        add_text(store, "what", say_word(check->lang, "privacy_what", STORES[i].name));
        add_text(store, "why", say_word(check->lang, "privacy_why", STORES[i].name));
        add_text(store, "how_long", how_long(check, &STORES[i], buffer, sizeof(buffer)));
        add_text(store, "how_to_erase", say_word(check->lang, "privacy_erase", STORES[i].name));
        (void)json_object_object_add(store, "rows", json_object_new_int64(check->counts[i]));
        add_text(store, "oldest", oldest(check, i, when));
        (void)json_object_array_add(stores, store);
    }
    for (int i = 0; i < NEVER_COUNT; i++)
        (void)json_object_array_add(never, json_object_new_string(say_word(check->lang, "privacy_what", NEVER[i])));
    for (int i = 0; i < check->warning_count; i++)
        (void)json_object_array_add(warnings, json_object_new_string(check->warnings[i]));
    (void)json_object_object_add(whole, "stores", stores);
    (void)json_object_object_add(whole, "never_stored", never);
    (void)json_object_object_add(whole, "warnings", warnings);
    (void)puts(json_object_to_json_string_ext(whole, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE));
    (void)json_object_put(whole); /* the last reference: frees it */
}

/* ---- the command ------------------------------------------------------------------------------------------------- */

static enum ctl_exit read_database(struct check *check)
{
    const enum ctl_exit result = ctl_open_database(check->ctl, true, &check->db);
    for (int i = 0; i < STORE_COUNT && result == CTL_OK; i++) {
        check->counts[i] = ask(check, STORES[i].count);
        check->oldest_s[i] = ask(check, STORES[i].oldest);
        if (check->counts[i] < 0 || check->oldest_s[i] < 0)
            return ctl_complain(check->ctl, CTL_FAILED, "database.unreadable", "why", sqlite3_errmsg(check->db), NULL);
    }
    return result;
}

/* The keys belong to the daemon: without them nothing is said of them. */
static void read_keys(struct check *check)
{
    char why[512];
    const char *path = check->ctl->site_key ? check->ctl->site_key : check->settings->site_key_file;
    check->has_keys = site_keys_load(path, &check->keys, why, sizeof(why)) == 0;
}

static enum ctl_exit run(struct ctl *ctl)
{
    struct settings *settings = calloc(1, sizeof(*settings));
    struct check check = { .ctl = ctl, .settings = settings, .lang = ctl->lang };
    struct lang *english = NULL;
    const char *path = ctl->config ? ctl->config : CTL_DEFAULT_CONFIG;
    enum ctl_exit result = settings ? CTL_OK : ctl_complain(ctl, CTL_FAILED, "words.no_memory", NULL);
    if (result == CTL_OK && ctl->values[JSON]) {
        if (lang_open("en", &english, stderr) < 0)
            result = ctl_complain(ctl, CTL_FAILED, "words.no_memory", NULL);
        check.lang = english;
    }
    if (result == CTL_OK && settings_load(path, settings, stderr) != 0)
        result = ctl_complain(ctl, CTL_FAILED, "privacy.config_bad", "file", path, NULL);
    if (result == CTL_OK && ctl->database)
        (void)snprintf(settings->journal.path, sizeof(settings->journal.path), "%s", ctl->database);
    if (result == CTL_OK)
        result = read_database(&check);
    if (result == CTL_OK) {
        read_keys(&check);
        look_for_warnings(&check);
        if (ctl->values[JSON])
            print_json(&check);
        else
            print_plain(&check);
        result = check.warning_count > 0 ? CTL_SOME_BAD : CTL_OK;
    }
    (void)sqlite3_close(check.db); /* accepts NULL; no statement is left */
    sodium_memzero(&check.keys, sizeof(check.keys));
    lang_close(english);
    free(settings);
    return result;
}

const struct ctl_command CTL_PRIVACY_CHECK = {
    .name = "privacy-check",
    .summary = "Say what personal data this lane stores, why, and for how long",
    .details = "From the lane's own configuration and database, for the record that Law 91/2025/QH15 and Decree\n"
               "356/2025 ask for.\n"
               "Exit status 3: there are warnings, where the lane keeps more or for longer than its purpose needs.\n",
    .options = OPTIONS,
    .run = run,
};
