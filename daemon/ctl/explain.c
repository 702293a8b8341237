/* qrgatectl code explain: what the gate reads in a code, and why it would refuse it, by the lane's own recognisers and
 * rules. For people who wonder about a card, and for running test vectors through. The register is not asked. */
#include <errno.h>
#include <json-c/json.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "daemon/credential/rotating.h"
#include "daemon/ctl/ctl.h"
#include "daemon/ctl/told_files.h"
#include "daemon/decision/decision.h"
#include "daemon/settings/settings.h"
#include "daemon/settings/site_key.h"
#include "daemon/settings/trust_folder.h"

/* Where there is no configuration: the least that one must say, so that all its defaults hold. */
static const char DEFAULTS[] = "site = \"none\"; lane = \"none\"; lines = { driver = \"sim\"; };";

enum { LABEL_COLUMNS = 13 };

enum { TRUST, AT, JSON, NUL_SEPARATED };
static const struct ctl_option OPTIONS[] = {
    [TRUST] = { "trust", "DIR", false, "keys and certificates that are trusted (default: the configuration's)" },
    [AT] = { "at", "TIME", false, "judge as if it were TIME (default now)" },
    [JSON] = { "json", NULL, false, "one JSON object a code, on a line of its own" },
    [NUL_SEPARATED] = { "null", NULL, false, "codes end with NUL instead of a line's end; -0 for short" },
    { NULL, NULL, false, NULL },
};

/* The checks that time decides, beside those of credential.h. */
enum time_check { KEY_CURRENT, NOT_BEFORE, NOT_EXPIRED, TIME_CHECK_COUNT };
static const char *const time_check_names[TIME_CHECK_COUNT] = { "key_current", "not_before", "not_expired" };
static const char *const result_names[] = { "not_reached", "passed", "failed" };
static const struct {
    unsigned bit;
    const char *name;
} warnings[] = {
    { CREDENTIAL_WARN_SEX_MISMATCH, "sex_mismatch" },
    { CREDENTIAL_WARN_BIRTH_MISMATCH, "birth_mismatch" },
    { CREDENTIAL_WARN_MASKED, "masked" },
    { CREDENTIAL_WARN_NAME_NOT_NFC, "name_not_nfc" },
};

struct explained {
    struct credential credential;
    enum check_result times[TIME_CHECK_COUNT];
    struct verdict verdict;
};

struct explain {
    struct ctl *ctl;
    struct settings settings;
    int64_t at_s;
    int64_t number, refused;
    bool no_trust; /* there is no folder of trusted keys, and nobody has been told yet */
    struct explained one;
};

/* ---- one code ---------------------------------------------------------------------------------------------------- */

static enum check_result passed_if(bool holds)
{
    return holds ? CHECK_PASSED : CHECK_FAILED;
}

static void judge(struct explain *explain, const uint8_t *payload, size_t length_bytes)
{
    struct explained *one = &explain->one;
    const struct policy *policy = &explain->settings.journal.policy;
    const time_t at = (time_t)explain->at_s;
    struct tm local;
    const struct moment moment = { .now_s = explain->at_s,
                                   .utc_offset_s = localtime_r(&at, &local) ? (int32_t)local.tm_gmtoff : 0,
                                   .clock_trusted = true };

    *one = (struct explained){ .verdict = { 0 } };
    credential_read(payload, length_bytes, &explain->settings.journal.trust, &one->credential);
    const struct credential *c = &one->credential;
    if (c->key_from_s != 0 || c->key_until_s != 0)
        one->times[KEY_CURRENT] = passed_if((c->key_from_s == 0 || explain->at_s >= c->key_from_s) &&
                                            (c->key_until_s == 0 || explain->at_s <= c->key_until_s));
    if (c->issued_at_s != 0)
        one->times[NOT_BEFORE] = passed_if(c->issued_at_s - policy->clock_skew_s <= explain->at_s);
    if (c->expires_at_s != 0)
        one->times[NOT_EXPIRED] = passed_if(explain->at_s < c->expires_at_s);
    const struct decision_facts facts = { .credential = c, .moment = moment };
    one->verdict = decide(&facts, policy);
    explain->number++;
    explain->refused += one->credential.fault != CREDENTIAL_OK;
}

/* Nobody's key is known then: that says nothing of the code. */
static void tell_no_trust(struct explain *explain)
{
    const struct credential *c = &explain->one.credential;
    if (!explain->no_trust || c->fault != CREDENTIAL_FAULT_KEY_UNKNOWN || c->kind == CREDENTIAL_ROTATING_TOKEN)
        return;
    lang_print(stderr, explain->ctl->lang, "explain.no_trust", "folder", explain->settings.trust_folder, NULL);
    explain->no_trust = false;
}

static bool has_token_id(const struct credential *c)
{
    return sodium_is_zero(c->token_id, sizeof(c->token_id)) == 0;
}

/* ---- as JSON ----------------------------------------------------------------------------------------------------- */

static void add(struct json_object *object, const char *key, struct json_object *value)
{
    if (value)
        (void)json_object_object_add(object, key, value); /* fails only without memory; the line then lacks a member */
}

static void add_text(struct json_object *object, const char *key, const char *text)
{
    if (text[0] != '\0')
        add(object, key, json_object_new_string(text));
}

static void add_time(struct json_object *object, const char *key, int64_t at_s)
{
    char when[32];
    if (at_s != 0)
        add(object, key, json_object_new_string(format_time(at_s, when)));
}

static void add_health(struct json_object *object, const struct health_certificate *health)
{
    static const char *const types[] = { "none", "vaccination", "test", "recovery" };
    struct json_object *h = json_object_new_object();
    add_text(h, "type", types[health->type]);
    add_text(h, "country", health->country);
    add_text(h, "birth_date", health->birth_date);
    add_text(h, "disease", health->disease);
    add_text(h, "certificate_id", health->certificate_id);
    if (health->type == HEALTH_VACCINATION) {
        add_text(h, "product", health->product);
        add(h, "dose", json_object_new_int(health->dose));
        add(h, "doses", json_object_new_int(health->doses));
        add_time(h, "vaccinated_on", health->vaccinated_on_s);
    } else if (health->type == HEALTH_TEST) {
        add_text(h, "test_type", health->test_type);
        add(h, "detected", json_object_new_boolean(health->detected));
        add_time(h, "sampled_at", health->sampled_at_s);
    } else if (health->type == HEALTH_RECOVERY) {
        add_time(h, "first_positive", health->first_positive_s);
        add_time(h, "from", health->from_s);
        add_time(h, "until", health->until_s);
    }
    add(object, "health", h);
}

static void add_fields(struct json_object *object, const struct credential *c)
{
    char hex[2 * CREDENTIAL_TOKEN_ID_BYTES + 1];
    struct json_object *aliases = json_object_new_array();
    add_text(object, "subject", c->subject);
    for (int i = 0; i < CREDENTIAL_ALIASES_MAX; i++)
        if (c->aliases[i][0] != '\0')
            (void)json_object_array_add(aliases, json_object_new_string(c->aliases[i]));
    add(object, "aliases", aliases);
    add_text(object, "name", c->name);
    add_text(object, "name_compare", c->name_compare);
    add_text(object, "group", c->group);
    if (c->has_status)
        add_text(object, "status", declaration_status_name(c->status));
    add_time(object, "issued_at", c->issued_at_s);
    add_time(object, "expires_at", c->expires_at_s);
    add_time(object, "key_from", c->key_from_s);
    add_time(object, "key_until", c->key_until_s);
    if (has_token_id(c))
        add_text(object, "token_id", sodium_bin2hex(hex, sizeof(hex), c->token_id, sizeof(c->token_id)));
    if (c->kind == CREDENTIAL_ROTATING_TOKEN && c->rotation_step != 0)
        add(object, "rotation_step", json_object_new_int64(c->rotation_step));
    if (c->health.type != HEALTH_NONE)
        add_health(object, &c->health);
}

static int print_json(const struct explain *explain)
{
    const struct explained *one = &explain->one;
    const struct credential *c = &one->credential;
    struct json_object *object = json_object_new_object(), *checks = json_object_new_object(),
                       *warned = json_object_new_array(), *verdict = json_object_new_object();
    if (!object || !checks || !warned || !verdict)
        return -ENOMEM; /* the process ends */
    add(object, "number", json_object_new_int64(explain->number));
    add_text(object, "kind", credential_kind_name(c->kind));
    add_text(object, "fault", credential_fault_name(c->fault));
    add_text(object, "detail", c->detail);
    add(object, "signed", json_object_new_boolean(c->is_signed));
    add_fields(object, c);
    for (size_t i = 0; i < sizeof(warnings) / sizeof(warnings[0]); i++)
        if (c->warnings & warnings[i].bit)
            (void)json_object_array_add(warned, json_object_new_string(warnings[i].name));
    add(object, "warnings", warned);
    for (int i = 0; i < CREDENTIAL_CHECK_COUNT; i++)
        add_text(checks, credential_check_name((enum credential_check)i), result_names[c->checks[i]]);
    for (int i = 0; i < TIME_CHECK_COUNT; i++)
        add_text(checks, time_check_names[i], result_names[one->times[i]]);
    add(object, "checks", checks);
    add_text(verdict, "action", verdict_action_name(one->verdict.action));
    add_text(verdict, "reason", reason_name(one->verdict.reason));
    add_text(verdict, "status", declaration_status_name(one->verdict.status));
    add(object, "verdict", verdict);
    (void)puts(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
    (void)json_object_put(object);
    return 0;
}

/* ---- for a person ------------------------------------------------------------------------------------------------ */

/* "  label         ", in columns of a screen; a longer label pushes its text on. */
static void print_label(const struct lang *lang, const char *key)
{
    const char *label = say(lang, key);
    const int columns = lang_columns(label);
    (void)printf("  %s%*s", label, columns < LABEL_COLUMNS ? LABEL_COLUMNS - columns + 1 : 1, "");
}

static void line_text(const struct lang *lang, const char *key, const char *text)
{
    char buffer[160];
    if (text[0] == '\0')
        return;
    print_label(lang, key);
    (void)printf("%s\n", printable(text, buffer, sizeof(buffer)));
}

static void line_time(const struct lang *lang, const char *key, int64_t at_s)
{
    char when[32];
    if (at_s != 0)
        line_text(lang, key, format_time(at_s, when));
}

static void line_date(const struct lang *lang, const char *key, int64_t at_s)
{
    char when[32];
    if (at_s == 0)
        return;
    print_label(lang, key);
    (void)printf("%.10s\n", format_time(at_s, when));
}

static void print_health(const struct lang *lang, const struct health_certificate *h)
{
    char text[80];
    switch (h->type) {
    case HEALTH_NONE: return;
    case HEALTH_VACCINATION:
        line_text(lang, "explain.vaccination",
                  lang_format(lang, text, sizeof(text), "explain.dose", "dose", LANG_N(h->dose), "doses", LANG_N(h->doses), NULL));
        line_text(lang, "explain.product", h->product);
        line_date(lang, "explain.on", h->vaccinated_on_s);
        break;
    case HEALTH_TEST:
        line_text(lang, "explain.test", say(lang, h->detected ? "explain.positive" : "explain.negative"));
        line_text(lang, "explain.type", h->test_type);
        line_time(lang, "explain.sampled", h->sampled_at_s);
        break;
    case HEALTH_RECOVERY:
        (void)printf("  %s\n", say(lang, "explain.recovery"));
        line_date(lang, "explain.positive_on", h->first_positive_s);
        line_date(lang, "explain.from", h->from_s);
        line_date(lang, "explain.until", h->until_s);
        break;
    }
    line_text(lang, "explain.born", h->birth_date);
    line_text(lang, "explain.country", h->country);
    line_text(lang, "explain.certificate", h->certificate_id);
}

/* Checks are named as --json names them. */
static void print_check(const struct lang *lang, const char *name, enum check_result result)
{
    if (result != CHECK_NOT_REACHED)
        (void)printf("  %-*s %s\n", LABEL_COLUMNS, name, say_word(lang, "check", result_names[result]));
}

static void print_checks(const struct lang *lang, const struct explained *one)
{
    for (int i = 0; i < CREDENTIAL_CHECK_COUNT; i++)
        print_check(lang, credential_check_name((enum credential_check)i), one->credential.checks[i]);
    for (int i = 0; i < TIME_CHECK_COUNT; i++)
        print_check(lang, time_check_names[i], one->times[i]);
}

/* A stable name as it is in English, for it is looked up in the manual; in another language its words. */
static const char *word_of(const struct lang *lang, const char *family, const char *name, const char *english)
{
    char key[LANG_KEY_MAX_BYTES + 1];
    (void)snprintf(key, sizeof(key), "%s.%s", family, name); /* our own names are short */
    return say_or(lang, key, english);
}

/* The register isn't asked, so that what it would say for a person unknown there is no answer for one who is known. */
static void print_verdict(const struct lang *lang, const struct explained *one)
{
    const struct credential *c = &one->credential;
    const struct verdict *verdict = &one->verdict;
    const char *name = verdict_action_name(verdict->action), *reason = reason_name(verdict->reason);
    const char *action = word_of(lang, "verdict", name, name);
    if (c->fault != CREDENTIAL_OK && c->subject[0] != '\0')
        line_text(lang, "explain.note", say(lang, "explain.unproven"));
    print_label(lang, "explain.gate");
    if (c->fault == CREDENTIAL_OK && verdict->reason == REASON_NO_DECLARATION) {
        lang_print(stdout, lang, "explain.asks_register", "verdict", action, "reason", reason, NULL);
        return;
    }
    (void)printf("%s (%s): %s\n", action, reason, word_of(lang, "reason", reason, reason_meaning(verdict->reason)));
    if (verdict->action != VERDICT_OPEN) {
        print_label(lang, "explain.what_to_do");
        (void)printf("%s\n", say_word(lang, "remedy", reason));
    }
}

static void print_heading(const struct lang *lang, int64_t number, const struct credential *c)
{
    const char *kind = credential_kind_name(c->kind);
    (void)printf("%s%lld: %s, ", number > 1 ? "\n" : "", (long long)number, word_of(lang, "credential", kind, kind));
    if (c->fault == CREDENTIAL_OK)
        (void)puts(say(lang, "explain.readable"));
    else
        lang_print(stdout, lang, "explain.refused", "fault", credential_fault_name(c->fault), "why", c->detail, NULL);
}

static void print_plain(const struct explain *explain)
{
    const struct lang *lang = explain->ctl->lang;
    const struct explained *one = &explain->one;
    const struct credential *c = &one->credential;
    char hex[2 * CREDENTIAL_TOKEN_ID_BYTES + 1];
    print_heading(lang, explain->number, c);
    line_text(lang, "explain.subject", c->subject);
    for (int i = 0; i < CREDENTIAL_ALIASES_MAX; i++)
        line_text(lang, "explain.also", c->aliases[i]);
    line_text(lang, "explain.name", c->name);
    line_text(lang, "explain.compared_as", c->name_compare);
    line_text(lang, "explain.group", c->group);
    if (c->has_status)
        line_text(lang, "explain.status", say_word(lang, "status", declaration_status_name(c->status)));
    print_health(lang, &c->health);
    line_time(lang, "explain.issued", c->issued_at_s);
    line_time(lang, "explain.expires", c->expires_at_s);
    if (c->kind == CREDENTIAL_ROTATING_TOKEN)
        line_time(lang, "explain.made_for", c->rotation_step * ROTATING_STEP_S);
    if (has_token_id(c))
        line_text(lang, "explain.token_id", sodium_bin2hex(hex, sizeof(hex), c->token_id, sizeof(c->token_id)));
    for (size_t i = 0; i < sizeof(warnings) / sizeof(warnings[0]); i++)
        if (c->warnings & warnings[i].bit)
            line_text(lang, "explain.warning", warnings[i].name);
    print_checks(lang, one);
    print_verdict(lang, one);
}

/* ---- all codes --------------------------------------------------------------------------------------------------- */

static enum ctl_exit explain_all(struct explain *explain, const char *name, FILE *in)
{
    const bool null_ends = explain->ctl->values[NUL_SEPARATED] != NULL, as_json = explain->ctl->values[JSON] != NULL;
    static const int LIMIT = CREDENTIAL_PAYLOAD_MAX_BYTES + 1; /* one more: too long is told from as long as may be */
    uint8_t payload[CREDENTIAL_PAYLOAD_MAX_BYTES + 1];
    int length = 0, c;
    do {
        c = getc(in);
        if (c != EOF && c != (null_ends ? '\0' : '\n')) {
            if (length < LIMIT)
                payload[length++] = (uint8_t)c;
            continue;
        }
        if (length > 0 && !(length == 1 && payload[0] == '\r')) {
            judge(explain, payload, (size_t)length);
            tell_no_trust(explain);
            if (as_json && print_json(explain) < 0)
                return ctl_complain(explain->ctl, CTL_FAILED, "words.no_memory", NULL);
            if (!as_json)
                print_plain(explain);
        }
        length = 0;
    } while (c != EOF);
    if (ferror(in))
        return ctl_complain(explain->ctl, CTL_FAILED, "file.unreadable", "file", name, "why", strerror(errno), NULL);
    if (explain->number == 0)
        return ctl_complain(explain->ctl, CTL_FAILED, "explain.no_code", NULL);
    if (fflush(stdout) != 0 || ferror(stdout)) /* here, for a refused code must not hide it */
        return ctl_complain(explain->ctl, CTL_FAILED, "main.output_failed", "why", strerror(errno), NULL);
    return explain->refused > 0 ? CTL_SOME_BAD : CTL_OK;
}

/* The policy and trust of the configuration when there is one; without, the defaults and --trust. The site key is only
 * needed for rotating codes. */
static enum ctl_exit load(struct explain *explain)
{
    struct ctl *ctl = explain->ctl;
    const char *config = ctl->config ? ctl->config : CTL_DEFAULT_CONFIG;
    struct credential_trust *trust = &explain->settings.journal.trust;
    struct site_keys keys;

    explain->at_s = ctl->now_s;
    if (ctl->values[AT] && !parse_time(ctl->values[AT], &explain->at_s))
        return ctl_complain(ctl, CTL_USAGE, "option.at", "value", ctl->values[AT], "allowed", say(ctl->lang,
                            "allowed.time"), NULL);
    if (ctl_has_config(ctl) ? settings_load(config, &explain->settings, stderr) != 0
                            : settings_read("defaults", DEFAULTS, sizeof(DEFAULTS) - 1, &explain->settings, stderr) != 0)
        return ctl_complain(ctl, CTL_FAILED, "explain.config_bad", "file", config, NULL);
    const char *folder = ctl->values[TRUST] ? ctl->values[TRUST] : explain->settings.trust_folder;
    explain->no_trust = !ctl->values[TRUST] && access(folder, F_OK) < 0 && errno == ENOENT;
    if (!explain->no_trust && told_trust_load(ctl, folder, trust) < 0)
        return ctl_complain(ctl, CTL_FAILED, "key.trusted_bad", "folder", folder, NULL);
    /* by path, for without a configuration ctl_load_site_key() would ask for one */
    const char *key_file = ctl->site_key ? ctl->site_key : explain->settings.site_key_file;
    if (ctl->site_key || access(key_file, R_OK) == 0) {
        char why[512] = "";
        if (site_keys_load(key_file, &keys, why, sizeof(why)) < 0)
            return ctl_complain(ctl, CTL_FAILED, "words.failed", "why", why, NULL);
        rotating_key_from_site_key(keys.current, trust->rotation_key);
        rotating_key_from_site_key(keys.old, trust->old_rotation_key);
        trust->has_rotation_key = true;
        trust->has_old_rotation_key = keys.has_old;
        sodium_memzero(&keys, sizeof(keys));
    }
    trust->explain = true;
    return CTL_OK;
}

static enum ctl_exit run(struct ctl *ctl)
{
    struct explain *explain = calloc(1, sizeof(*explain));
    const bool from_stdin = !ctl->operand || strcmp(ctl->operand, "-") == 0;
    if (!explain)
        return ctl_complain(ctl, CTL_FAILED, "words.no_memory", NULL);
    explain->ctl = ctl;
    enum ctl_exit result = load(explain);
    FILE *in = result == CTL_OK && !from_stdin ? fopen(ctl->operand, "re") : stdin;
    if (!in)
        result = ctl_complain(ctl, CTL_FAILED, "file.unreadable", "file", ctl->operand, "why", strerror(errno), NULL);
    if (result == CTL_OK && from_stdin && isatty(STDIN_FILENO) == 1 && isatty(STDERR_FILENO) == 1)
        lang_print(stderr, ctl->lang, "explain.paste", NULL);
    if (result == CTL_OK)
        result = explain_all(explain, from_stdin ? say(ctl->lang, "words.stdin") : ctl->operand, in);
    if (in && in != stdin)
        (void)fclose(in); /* only read */
    trust_folder_free(&explain->settings.journal.trust);
    sodium_memzero(explain, sizeof(*explain));
    free(explain);
    return result;
}

const struct ctl_command CTL_CODE_EXPLAIN = {
    .name = "code explain",
    .operand = "[FILE]",
    .summary = "Say what a code holds, which checks it passes, and why a gate would refuse it",
    .details = "Reads codes from FILE or standard input, one a line, and takes them apart with the gate's own code:\n"
               "kind, fields, warnings, each check and its result, and what the rules of the configuration say at\n"
               "that time. The register isn't asked. What a code says whose key is unknown or whose signature fails\n"
               "is shown for help, though the gate believes none of it. In full: man 7 qrgate-codes\n",
    .options = OPTIONS,
    .run = run,
};
