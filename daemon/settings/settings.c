/* The table of configuration keys and the walk that holds a file against it. Called at start-up by main and qrgatectl. */
#include "daemon/settings/settings.h"

#include <errno.h>
#include <libconfig.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "daemon/settings/site_key.h"
#include "daemon/settings/trust_folder.h"

enum kind { TEXT, NAME, INTEGER, FLAG, CHOICE, ACTION };

/* One key. TEXT: `limit` bytes with the NUL. NAME: the same, of letters, digits, _ and -. INTEGER: lowest…highest.
 * CHOICE: words separated by '|' , stored as their index. ACTION: a verdict word. */
struct key {
    const char *path;
    enum kind kind;
    size_t offset;
    int64_t lowest, highest; /* INTEGER; TEXT and NAME: highest is the room in bytes */
    const char *words;
};

#define AT(member) offsetof(struct settings, member)
#define ROOM(member) 0, sizeof(((struct settings *)NULL)->member), NULL
#define LINE(key, member)                                                                                              \
    {"lines." key ".line", TEXT, AT(lines.member.name), ROOM(lines.member.name)},                                     \
    {"lines." key ".active_low", FLAG, AT(lines.member.active_low), 0, 0, NULL}
#define INPUT(key, member)                                                                                             \
    LINE(key, member), {"lines." key ".bias", CHOICE, AT(lines.member.bias), 0, 0, "as-is|pull-up|pull-down"}

static const struct key keys[] = {
    {"site", NAME, AT(site), ROOM(site)},
    {"lane", NAME, AT(lane), ROOM(lane)},
    {"camera.driver", CHOICE, AT(eye.camera), 0, 0, "v4l2|replay"},
    {"camera.device", TEXT, AT(eye.v4l2.device), ROOM(eye.v4l2.device)},
    {"camera.width_px", INTEGER, AT(eye.v4l2.width_px), 160, 1920, NULL},
    {"camera.height_px", INTEGER, AT(eye.v4l2.height_px), 120, 1080, NULL},
    {"camera.rate_fps", INTEGER, AT(eye.v4l2.rate_fps), 1, 120, NULL},
    {"camera.hang_ms", INTEGER, AT(hang_ms), 500, 60000, NULL},
    {"camera.leave_ms", INTEGER, AT(leave_ms), 300, 60000, NULL},
    {"camera.replay.folder", TEXT, AT(eye.replay.folder), ROOM(eye.replay.folder)},
    {"camera.replay.hold_ms", INTEGER, AT(eye.replay.hold_ms), 10, 600000, NULL},
    {"camera.replay.gap_ms", INTEGER, AT(eye.replay.gap_ms), 0, 600000, NULL},
    {"camera.replay.loop", FLAG, AT(eye.replay.loop), 0, 0, NULL},
    {"lines.driver", CHOICE, AT(lines_driver), 0, 0, "gpiod|sim"},
    {"lines.panel_input", TEXT, AT(lines.panel_input), ROOM(lines.panel_input)},
    LINE("relay", out[LINE_RELAY]),
    LINE("buzzer", out[LINE_BUZZER]),
    LINE("lamp_green", out[LINE_LAMP_GREEN]),
    LINE("lamp_amber", out[LINE_LAMP_AMBER]),
    LINE("lamp_red", out[LINE_LAMP_RED]),
    INPUT("button", in[LINE_BUTTON]),
    {"lane_timing.pulse_ms", INTEGER, AT(lane_settings.pulse_ms), 100, 10000, NULL},
    {"lane_timing.pulse_gap_ms", INTEGER, AT(lane_settings.pulse_gap_ms), 50, 10000, NULL},
    {"lane_timing.debounce_ms", INTEGER, AT(lane_settings.debounce_ms), 5, 500, NULL},
    {"lane_timing.button_binding_ms", INTEGER, AT(lane_settings.button_binding_ms), 1000, 120000, NULL},
    {"policy.green", ACTION, AT(journal.policy.by_status[STATUS_GREEN]), 0, 0, NULL},
    {"policy.yellow", ACTION, AT(journal.policy.by_status[STATUS_YELLOW]), 0, 0, NULL},
    {"policy.red", ACTION, AT(journal.policy.by_status[STATUS_RED]), 0, 0, NULL},
    {"policy.expired", ACTION, AT(journal.policy.by_status[STATUS_EXPIRED]), 0, 0, NULL},
    {"policy.none", ACTION, AT(journal.policy.by_status[STATUS_NONE]), 0, 0, NULL},
    {"policy.clock_untrusted", ACTION, AT(journal.policy.clock_untrusted), 0, 0, NULL},
    {"policy.validity_s", INTEGER, AT(journal.policy.validity_s), 60, 366 * 86400, NULL},
    {"policy.clock_skew_s", INTEGER, AT(journal.policy.clock_skew_s), 0, 3600, NULL},
    {"clock.trust", CHOICE, AT(clock_trust), 0, 0, "ntp|always"},
    {"journal.path", TEXT, AT(journal.path), ROOM(journal.path)},
    {"journal.deadline_ms", INTEGER, AT(journal_deadline_ms), 100, 10000, NULL},
    {"journal.site_key_file", TEXT, AT(site_key_file), ROOM(site_key_file)},
    {"trust.folder", TEXT, AT(trust_folder), ROOM(trust_folder)},
    {"mqtt.enabled", FLAG, AT(mqtt.enabled), 0, 0, NULL},
    {"mqtt.host", TEXT, AT(mqtt.host), ROOM(mqtt.host)},
    {"mqtt.port", INTEGER, AT(mqtt.port), 1, 65535, NULL},
    {"mqtt.client_id", TEXT, AT(mqtt.client_id), ROOM(mqtt.client_id)},
    {"mqtt.username", TEXT, AT(mqtt.username), ROOM(mqtt.username)},
    {"mqtt.password_file", TEXT, AT(mqtt.password_file), ROOM(mqtt.password_file)},
    {"mqtt.ca_file", TEXT, AT(mqtt.ca_file), ROOM(mqtt.ca_file)},
    {"mqtt.keepalive_s", INTEGER, AT(mqtt.keepalive_s), 5, 600, NULL},
    {"mqtt.prefix", NAME, AT(mqtt.prefix), ROOM(mqtt.prefix)},
    {"mqtt.window", INTEGER, AT(mqtt.window), 1, 100, NULL},
};
enum { KEYS_COUNT = sizeof keys / sizeof keys[0], PATH_BYTES = 128 };

/* int64_t members of the table; every other INTEGER is an int. */
static bool is_wide(size_t offset)
{
    return offset == AT(journal.policy.validity_s) || offset == AT(journal.policy.clock_skew_s);
}

struct walk {
    const char *file;
    FILE *errors;
    struct settings *settings;
    int mistakes;
};

__attribute__((format(printf, 3, 4))) static void mistake(struct walk *walk, const config_setting_t *at, const char *format,
                                                          ...)
{
    va_list args;
    (void)fprintf(walk->errors, "%s:%d: ", walk->file, (int)config_setting_source_line(at));
    va_start(args, format);
    (void)vfprintf(walk->errors, format, args);
    va_end(args);
    (void)fputc('\n', walk->errors);
    walk->mistakes++;
}

static void value_text(const config_setting_t *setting, char *text, size_t text_bytes)
{
    switch (config_setting_type(setting)) {
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_INT64:
        (void)snprintf(text, text_bytes, "%lld", config_setting_get_int64(setting));
        break;
    case CONFIG_TYPE_FLOAT:
        (void)snprintf(text, text_bytes, "%g", config_setting_get_float(setting));
        break;
    case CONFIG_TYPE_BOOL:
        (void)snprintf(text, text_bytes, "%s", config_setting_get_bool(setting) ? "true" : "false");
        break;
    case CONFIG_TYPE_STRING:
        (void)snprintf(text, text_bytes, "\"%.60s\"", config_setting_get_string(setting));
        break;
    default:
        (void)snprintf(text, text_bytes, "a group or list");
    }
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

static void take_string(struct walk *walk, const struct key *key, const config_setting_t *setting, char *place)
{
    const char *text = config_setting_type(setting) == CONFIG_TYPE_STRING ? config_setting_get_string(setting) : NULL;
    char value[80];
    value_text(setting, value, sizeof value);
    if (text == NULL || strlen(text) >= (size_t)key->highest)
        mistake(walk, setting, "%s = %s: allowed is a text in quotes of at most %d bytes", key->path, value,
                (int)key->highest - 1);
    else if (key->kind == NAME && !is_name(text))
        mistake(walk, setting, "%s = %s: allowed are 1 to %d letters a-z A-Z, digits, - and _", key->path, value,
                (int)key->highest - 1);
    else
        (void)snprintf(place, (size_t)key->highest, "%s", text);
}

static void take_integer(struct walk *walk, const struct key *key, const config_setting_t *setting, char *place)
{
    int type = config_setting_type(setting);
    int64_t number = config_setting_get_int64(setting);
    char value[80];
    value_text(setting, value, sizeof value);
    if ((type != CONFIG_TYPE_INT && type != CONFIG_TYPE_INT64) || number < key->lowest || number > key->highest) {
        mistake(walk, setting, "%s = %s: allowed is a whole number from %lld to %lld", key->path, value,
                (long long)key->lowest, (long long)key->highest);
        return;
    }
    int narrow = (int)number;
    memcpy(place, is_wide(key->offset) ? (void *)&number : (void *)&narrow, is_wide(key->offset) ? sizeof number : sizeof narrow);
}

static void take(struct walk *walk, const struct key *key, const config_setting_t *setting)
{
    char *place = (char *)walk->settings + key->offset, value[80];
    const char *word = config_setting_type(setting) == CONFIG_TYPE_STRING ? config_setting_get_string(setting) : "";
    value_text(setting, value, sizeof value);
    switch (key->kind) {
    case TEXT:
    case NAME:
        take_string(walk, key, setting, place);
        break;
    case INTEGER:
        take_integer(walk, key, setting, place);
        break;
    case FLAG:
        if (config_setting_type(setting) != CONFIG_TYPE_BOOL)
            mistake(walk, setting, "%s = %s: allowed are true and false", key->path, value);
        else
            *(bool *)place = config_setting_get_bool(setting) != 0;
        break;
    case CHOICE: {
        int index = choice_index(key->words, word);
        if (index < 0)
            mistake(walk, setting, "%s = %s: allowed is one of \"%s\" (in quotes)", key->path, value, key->words);
        else
            memcpy(place, &index, sizeof index);
        break;
    }
    case ACTION: {
        enum verdict_action action;
        if (!verdict_action_from_name(word, &action))
            mistake(walk, setting, "%s = %s: allowed is one of \"open|hold|deny\" (in quotes)", key->path, value);
        else
            memcpy(place, &action, sizeof action);
        break;
    }
    }
}

static const struct key *find_key(const char *path)
{
    for (size_t i = 0; i < KEYS_COUNT; i++)
        if (strcmp(keys[i].path, path) == 0)
            return &keys[i];
    return NULL;
}

static bool is_group(const char *path)
{
    size_t length = strlen(path);
    for (size_t i = 0; i < KEYS_COUNT; i++)
        if (strncmp(keys[i].path, path, length) == 0 && keys[i].path[length] == '.')
            return true;
    return false;
}

/* The groups are three deep at the most; libconfig has bounded its own nesting before this is called. */
static void walk_group(struct walk *walk, const config_setting_t *group, const char *prefix)
{
    for (int i = 0; i < config_setting_length(group); i++) {
        const config_setting_t *setting = config_setting_get_elem(group, (unsigned)i);
        const char *name = config_setting_name(setting);
        char path[PATH_BYTES];
        int length = snprintf(path, sizeof path, "%s%s%s", prefix, prefix[0] ? "." : "", name ? name : "?");
        const struct key *key = length < PATH_BYTES ? find_key(path) : NULL;
        if (key != NULL)
            take(walk, key, setting);
        else if (length < PATH_BYTES && is_group(path) && config_setting_is_group(setting))
            walk_group(walk, setting, path);
        else if (length < PATH_BYTES && is_group(path))
            mistake(walk, setting, "%s: allowed is a group { … } here", path);
        else
            mistake(walk, setting, "%s: unknown key; the keys are in the commented qrgate.conf (qrgated --keys lists them)",
                    path);
    }
}

static void defaults(struct settings *s)
{
    memset(s, 0, sizeof *s);
    s->eye.v4l2 = (struct camera_v4l2_settings){.device = "/dev/video0", .width_px = 1280, .height_px = 720, .rate_fps = 30};
    s->eye.replay.hold_ms = 1500;
    s->eye.replay.gap_ms = 1700;
    s->hang_ms = 900;
    s->leave_ms = 1500;
    s->lane_settings = (struct lane_settings){.pulse_ms = 300, .pulse_gap_ms = 300, .debounce_ms = 30, .button_binding_ms = 15000};
    s->journal.policy = (struct policy){.by_status = {[STATUS_NONE] = VERDICT_HOLD, [STATUS_GREEN] = VERDICT_OPEN,
                                                      [STATUS_YELLOW] = VERDICT_HOLD, [STATUS_RED] = VERDICT_DENY,
                                                      [STATUS_EXPIRED] = VERDICT_HOLD, [STATUS_REVOKED] = VERDICT_DENY},
                                        .validity_s = 72 * 3600, .clock_untrusted = VERDICT_HOLD, .clock_skew_s = 60};
    (void)snprintf(s->journal.path, sizeof s->journal.path, "/var/lib/qrgate/journal.db");
    (void)snprintf(s->site_key_file, sizeof s->site_key_file, "/var/lib/qrgate/site.key");
    (void)snprintf(s->trust_folder, sizeof s->trust_folder, "/etc/qrgate/trust");
    s->journal_deadline_ms = 1000;
    (void)snprintf(s->lines.consumer, sizeof s->lines.consumer, "qrgated");
    s->mqtt.enabled = true;
    (void)snprintf(s->mqtt.host, sizeof s->mqtt.host, "localhost");
    (void)snprintf(s->mqtt.prefix, sizeof s->mqtt.prefix, "qrgate");
    s->mqtt.port = 1883;
    s->mqtt.keepalive_s = 30;
    s->mqtt.window = 20;
}

/* What one key alone can't say. */
static void check_whole(struct walk *walk)
{
    struct settings *s = walk->settings;
    const char *complaint = NULL;
    if (s->site[0] == '\0' || s->lane[0] == '\0')
        complaint = "site and lane are required: site = \"factory-2\"; lane = \"lane1\";";
    else if (s->eye.camera == EYE_CAMERA_REPLAY && s->eye.replay.folder[0] == '\0')
        complaint = "camera.driver = \"replay\" needs camera.replay.folder";
    else if (s->lines_driver == SETTINGS_LINES_GPIOD && s->lines.out[LINE_RELAY].name[0] == '\0' &&
             s->lines.out[LINE_BUZZER].name[0] == '\0')
        complaint = "lines.driver = \"gpiod\" needs lines.relay.line, or at a checkpoint without a turnstile lines.buzzer.line";
    if (complaint != NULL) {
        (void)fprintf(walk->errors, "%s: %s\n", walk->file, complaint);
        walk->mistakes++;
    }
}

int settings_load(const char *path, struct settings *ret, FILE *errors)
{
    config_t config;
    struct settings loaded;
    struct walk walk = {.file = path, .errors = errors, .settings = &loaded};
    if (access(path, R_OK) != 0) {
        int error = errno;
        (void)fprintf(errors, "%s: %s; give the right file with --config, or let the qrgate user read it\n", path,
                      strerror(error));
        return -error;
    }
    defaults(&loaded);
    config_init(&config);
    if (config_read_file(&config, path) != CONFIG_TRUE) {
        (void)fprintf(errors, "%s:%d: %s; libconfig syntax is  key = value;  and  group = { … };\n", path,
                      config_error_line(&config), config_error_text(&config));
        walk.mistakes = 1;
    } else {
        walk_group(&walk, config_root_setting(&config), "");
        if (walk.mistakes == 0)
            check_whole(&walk);
    }
    config_destroy(&config);
    if (walk.mistakes != 0)
        return -EINVAL;
    loaded.eye.replay.width_px = loaded.eye.v4l2.width_px;
    loaded.eye.replay.height_px = loaded.eye.v4l2.height_px;
    loaded.eye.replay.rate_fps = loaded.eye.v4l2.rate_fps;
    (void)snprintf(loaded.mqtt.site, sizeof loaded.mqtt.site, "%s", loaded.site);
    (void)snprintf(loaded.mqtt.lane, sizeof loaded.mqtt.lane, "%s", loaded.lane);
    if (loaded.mqtt.client_id[0] == '\0')
        (void)snprintf(loaded.mqtt.client_id, sizeof loaded.mqtt.client_id, "qrgate-%.32s-%.32s", loaded.site, loaded.lane);
    *ret = loaded;
    return 0;
}

void settings_print_keys(FILE *out)
{
    static const char *const kinds[] = {"text", "name", "whole number", "true or false", "", "open|hold|deny"};
    for (size_t i = 0; i < KEYS_COUNT; i++) {
        const struct key *key = &keys[i];
        if (key->kind == INTEGER)
            (void)fprintf(out, "%-34s %s %lld to %lld\n", key->path, kinds[key->kind], (long long)key->lowest,
                          (long long)key->highest);
        else
            (void)fprintf(out, "%-34s %s\n", key->path, key->kind == CHOICE ? key->words : kinds[key->kind]);
    }
}

int settings_load_keys(struct settings *settings, bool create, FILE *errors)
{
    char why[256] = "";
    int r = site_key_load(settings->site_key_file, settings->journal.site_key, why, sizeof why);
    if (r == -ENOENT && create) {
        r = site_key_create(settings->site_key_file, why, sizeof why);
        if (r == 0)
            r = site_key_load(settings->site_key_file, settings->journal.site_key, why, sizeof why);
    }
    if (r < 0) {
        (void)fprintf(errors, "%s\n", why);
        return r;
    }
    return trust_folder_load(settings->trust_folder, &settings->journal.trust, errors);
}
