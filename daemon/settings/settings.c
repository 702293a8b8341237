/* The configuration file -> struct settings: reads it, fills the defaults, holds it against the table (keys.c), looks at the
 * whole (whole.c). Called by main at start-up and at a reload, and by qrgatectl; on their main thread. */
#include "daemon/settings/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/credential/rotating.h"
#include "daemon/settings/keys.h"
#include "daemon/settings/operators.h"
#include "daemon/settings/site_key.h"
#include "daemon/settings/trust_folder.h"

static const struct policy default_policy = {
    .by_status = {[STATUS_NONE] = VERDICT_HOLD, [STATUS_GREEN] = VERDICT_OPEN, [STATUS_YELLOW] = VERDICT_HOLD,
                  [STATUS_RED] = VERDICT_DENY, [STATUS_EXPIRED] = VERDICT_HOLD, [STATUS_REVOKED] = VERDICT_DENY,
                  [STATUS_WHITE] = VERDICT_HOLD},
    .declaration = {.validity_s = 72 * 3600,
                    .symptom_window_s = 14 * 86400,
                    .contact_window_s = 21 * 86400,
                    .travel_window_s = 14 * 86400,
                    .on_symptom = {[SYMPTOM_FEVER] = STATUS_RED, [SYMPTOM_COUGH] = STATUS_YELLOW,
                                   [SYMPTOM_BREATHLESSNESS] = STATUS_RED, [SYMPTOM_PNEUMONIA] = STATUS_RED,
                                   [SYMPTOM_SORE_THROAT] = STATUS_YELLOW, [SYMPTOM_TIREDNESS] = STATUS_YELLOW},
                    .on_contact = {[CONTACT_PATIENT] = STATUS_RED, [CONTACT_SICK_COUNTRY] = STATUS_YELLOW,
                                   [CONTACT_SYMPTOMS] = STATUS_YELLOW},
                    .on_travel = STATUS_NONE},
    .health = {.accept = true, .all_doses = true, .vaccination_from_days = 14, .vaccination_until_days = 270,
               .molecular_test_hours = 72, .antigen_test_hours = 48, .recovery_from_days = 11, .recovery_until_days = 180,
               .unmet = VERDICT_HOLD},
    .outside_schedule = VERDICT_HOLD,
    .exit_open = true,
    .antipassback_time = VERDICT_DENY,
    .antipassback_presence = VERDICT_OPEN,
    .occupancy_full = VERDICT_HOLD,
    .number_mismatch = VERDICT_OPEN,
    /* Off: guessing gains nothing against signed codes, while a poster in the camera's view would lock out the morning shift. */
    .refusals_lock = 0,
    .refusals_lock_s = 60,
    .clock_untrusted = CLOCK_POLICY_HOLD,
    .clock_skew_s = 60,
};

static void defaults(struct settings *s)
{
    memset(s, 0, sizeof *s);
    s->eye.v4l2 = (struct camera_v4l2_settings){.device = "/dev/video0", .width_px = 1280, .height_px = 720, .rate_fps = 30};
    s->eye.decoders = (struct eye_decoders){.count = 1, .kinds = {DECODER_ZBAR}};
    s->eye.replay.hold_ms = 1500;
    s->eye.replay.gap_ms = 1700;
    s->hang_ms = 900;
    s->leave_ms = 1500;
    lane_defaults(&s->lane_settings);
    /* Switches and sensors close to ground; fire and tamper contacts are closed at rest, so that a cut wire reads as fire. */
    s->lines.in[LINE_FIRE].bias = s->lines.in[LINE_TAMPER].bias = LINE_BIAS_PULL_UP;
    s->lines.in[LINE_ROTATION] = s->lines.in[LINE_GUARD] = s->lines.in[LINE_SERVICE] =
        (struct line_settings){.active_low = true, .bias = LINE_BIAS_PULL_UP};
    s->journal.policy = default_policy;
    (void)snprintf(s->journal.path, sizeof s->journal.path, "/var/lib/qrgate/journal.db");
    (void)snprintf(s->site_key_file, sizeof s->site_key_file, "/var/lib/qrgate/site.key");
    (void)snprintf(s->trust_folder, sizeof s->trust_folder, "/etc/qrgate/trust");
    /* The 21 days of Decision 2666 and a weekly report: no purpose of the gate's asks for more. */
    s->journal.keep_days = s->journal.register_days = 30;
    s->journal_deadline_ms = 1000;
    (void)snprintf(s->lines.consumer, sizeof s->lines.consumer, "qrgated");
    s->mqtt.enabled = true;
    (void)snprintf(s->mqtt.host, sizeof s->mqtt.host, "localhost");
    (void)snprintf(s->mqtt.prefix, sizeof s->mqtt.prefix, "qrgate");
    s->mqtt.port = 1883;
    s->mqtt.keepalive_s = 30;
    s->mqtt.certificate_warn_days = 30;
    s->mqtt.window = 20;
    s->mqtt.session_expiry_s = 30 * 86400;
    s->mqtt.reconnect_min_ms = MQTT_RECONNECT_MIN_MS;
    s->mqtt.reconnect_max_ms = MQTT_RECONNECT_MAX_MS;
    s->mqtt.ack_timeout_ms = MQTT_ACK_TIMEOUT_MS;
    s->mqtt.follow = true;
    s->mqtt.declarations = true;
    s->commands.verbs = (1u << COMMAND_VERB_COUNT) - 1; /* once commands.auth is on */
    (void)snprintf(s->operators_folder, sizeof s->operators_folder, "/etc/qrgate/operators");
}

/* What the lane has to work with is what is wired. The panel has everything at hand, so there a lane without a turnstile is
 * one that names its buzzer and no relay, as it does where there are wires. */
static void complete_lane(struct settings *s)
{
    struct lane_settings *lane = &s->lane_settings;
    bool is_sim = s->lines_driver == SETTINGS_LINES_SIM;
    lane->has_relay = s->lines.out[LINE_RELAY].name[0] != '\0' || (is_sim && s->lines.out[LINE_BUZZER].name[0] == '\0');
    lane->two_directions = s->lines.out[LINE_RELAY_OUT].name[0] != '\0';
    lane->has_sensor = s->lines.in[LINE_ROTATION].name[0] != '\0';
    s->journal.has_sensor = s->mqtt.has_sensor = lane->has_sensor;
}

/* What follows from what was read. */
static void complete(struct settings *s)
{
    s->eye.replay.width_px = s->eye.v4l2.width_px;
    s->eye.replay.height_px = s->eye.v4l2.height_px;
    s->eye.replay.rate_fps = s->eye.v4l2.rate_fps;
    (void)snprintf(s->journal.lane, sizeof s->journal.lane, "%s", s->lane);
    complete_lane(s);
    (void)snprintf(s->mqtt.site, sizeof s->mqtt.site, "%s", s->site);
    (void)snprintf(s->mqtt.lane, sizeof s->mqtt.lane, "%s", s->lane);
    if (s->mqtt.client_id[0] == '\0')
        (void)snprintf(s->mqtt.client_id, sizeof s->mqtt.client_id, "qrgate-%.32s-%.32s", s->site, s->lane);
    s->mqtt.commands = s->commands.auth != COMMAND_AUTH_OFF;
    s->journal.has_no_broker = !s->mqtt.enabled;
    (void)snprintf(s->commands.lane_path, sizeof s->commands.lane_path, "%s/%s", s->site, s->lane);
}

static void parse(struct settings_walk *walk, const char *text, struct settings *settings)
{
    config_t config;
    config_init(&config);
    if (config_read_string(&config, text) != CONFIG_TRUE) {
        settings_mistake(walk, config_error_line(&config), "%s; libconfig syntax is  key = value;  and  group = { … };",
                         config_error_text(&config));
    } else {
        struct settings_table table = settings_keys();
        settings_walk_group(walk, &table, config_root_setting(&config), "", settings);
        if (walk->mistakes == 0) {
            complete(settings);
            settings_check_whole(walk, &config, settings);
        }
    }
    config_destroy(&config);
}

int settings_read(const char *name, const char *text, size_t length_bytes, struct settings *ret, FILE *errors)
{
    struct settings_walk walk = {.file = name, .errors = errors};
    struct settings loaded;
    if (length_bytes > SETTINGS_FILE_MAX_BYTES) {
        settings_mistake(&walk, 0, "more than %d bytes; is this the right file?", SETTINGS_FILE_MAX_BYTES);
        return -EINVAL;
    }
    char *copy = malloc(length_bytes + 2);
    if (copy == NULL)
        return -ENOMEM;
    if (length_bytes > 0)
        memcpy(copy, text, length_bytes);
    memcpy(copy + length_bytes, "\n", 2); /* libconfig takes a comment for one only when its line ends */
    settings_check_text(&walk, copy, length_bytes + 1);
    defaults(&loaded);
    if (walk.mistakes == 0)
        parse(&walk, copy, &loaded);
    free(copy);
    if (walk.mistakes != 0)
        return -EINVAL;
    *ret = loaded;
    return 0;
}

/* Its length, at most SETTINGS_FILE_MAX_BYTES + 1, or -errno. */
static ssize_t read_file(const char *path, char *dst)
{
    size_t used = 0;
    ssize_t got = 1;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    while (got > 0 && used <= SETTINGS_FILE_MAX_BYTES) {
        got = read(fd, dst + used, SETTINGS_FILE_MAX_BYTES + 1 - used);
        if (got < 0 && errno == EINTR)
            got = 1;
        else if (got < 0)
            break;
        else
            used += (size_t)got;
    }
    int error = got < 0 ? errno : 0;
    (void)close(fd); /* it was only read */
    return error != 0 ? -error : (ssize_t)used;
}

int settings_load(const char *path, struct settings *ret, FILE *errors)
{
    char *text = malloc(SETTINGS_FILE_MAX_BYTES + 1);
    if (text == NULL)
        return -ENOMEM;
    ssize_t length = read_file(path, text);
    int r = (int)length;
    if (length < 0)
        (void)fprintf(errors, "%s: %s; give the right file with --config, or let the qrgate user read it\n", path,
                      strerror((int)-length));
    else
        r = settings_read(path, text, (size_t)length, ret, errors);
    free(text);
    return r;
}

static void print_key(const struct settings_key *key, FILE *out)
{
    static const char *const kinds[] = {[KEY_TEXT] = "text", [KEY_NAME] = "name", [KEY_FLAG] = "true or false"};
    if (key->kind == KEY_INTEGER)
        (void)fprintf(out, "%-36s whole number %lld to %lld\n", key->path, (long long)key->lowest, (long long)key->highest);
    else
        (void)fprintf(out, "%-36s %s\n", key->path, key->allowed != NULL ? key->allowed : kinds[key->kind]);
}

void settings_print_keys(FILE *out)
{
    struct settings_table tables[] = {settings_keys(), settings_row_keys()};
    for (size_t t = 0; t < sizeof tables / sizeof tables[0]; t++)
        for (size_t i = 0; i < tables[t].count; i++)
            print_key(&tables[t].keys[i], out);
}

int settings_load_keys(struct settings *settings, bool create, FILE *errors)
{
    char why[256] = "";
    struct credential_trust *trust = &settings->journal.trust;
    struct site_keys keys;
    int r = site_keys_load(settings->site_key_file, &keys, why, sizeof why);
    if (r == -ENOENT && create) {
        r = site_key_create(settings->site_key_file, why, sizeof why);
        if (r == 0)
            r = site_keys_load(settings->site_key_file, &keys, why, sizeof why);
    }
    memcpy(settings->journal.site_key, keys.current, sizeof settings->journal.site_key);
    memcpy(settings->journal.old_site_key, keys.old, sizeof settings->journal.old_site_key);
    settings->journal.has_old_site_key = keys.has_old;
    sodium_memzero(&keys, sizeof keys);
    if (r < 0) {
        (void)fprintf(errors, "%s\n", why);
        return r;
    }
    r = trust_folder_load(settings->trust_folder, trust, errors);
    if (r < 0)
        return r;
    rotating_key_from_site_key(settings->journal.site_key, trust->rotation_key); /* after the folder, which clears *trust */
    trust->has_rotation_key = true;
    trust->has_old_rotation_key = settings->journal.has_old_site_key;
    if (trust->has_old_rotation_key)
        rotating_key_from_site_key(settings->journal.old_site_key, trust->old_rotation_key);
    return settings->commands.auth == COMMAND_AUTH_SIGNED
               ? operators_load(settings->operators_folder, &settings->commands, errors)
               : 0;
}

void settings_free_keys(struct settings *settings)
{
    trust_folder_free(&settings->journal.trust);
    sodium_memzero(&settings->journal.trust, sizeof settings->journal.trust);
    sodium_memzero(settings->journal.site_key, sizeof settings->journal.site_key);
    sodium_memzero(settings->journal.old_site_key, sizeof settings->journal.old_site_key);
    settings->journal.has_old_site_key = false;
}
