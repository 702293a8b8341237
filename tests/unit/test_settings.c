/* The configuration: what each key takes and what it refuses, in which words; the defaults; the commented file; and that no
 * text can make libconfig do what a configuration may not. */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/credential/rotating.h"
#include "daemon/settings/keys.h"
#include "daemon/settings/settings.h"
#include "daemon/settings/site_key.h"

enum { TEXT_MAX = 1 << 17 };

struct fixture {
    struct settings settings;
    char *said; /* what was printed */
    char text[TEXT_MAX];
};

static int setup(void **state)
{
    return (*state = calloc(1, sizeof(struct fixture))) == NULL;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    free(f->said);
    free(f);
    return 0;
}

static int read_bytes(struct fixture *f, const char *text, size_t length)
{
    size_t said_bytes = 0;
    free(f->said);
    f->said = NULL;
    FILE *errors = open_memstream(&f->said, &said_bytes);
    assert_non_null(errors);
    /* A block of its exact size, so that a sanitizer sees a byte too far. */
    char *exact = malloc(length > 0 ? length : 1);
    assert_non_null(exact);
    memcpy(exact, text, length);
    int r = settings_read("test.conf", exact, length, &f->settings, errors);
    free(exact);
    assert_int_equal(fclose(errors), 0);
    return r;
}

static int read_text(struct fixture *f, const char *text)
{
    return read_bytes(f, text, strlen(text));
}

static void accepted(struct fixture *f, const char *text)
{
    if (read_text(f, text) != 0)
        fail_msg("refused: %s\n%s", text, f->said);
    assert_string_equal(f->said, "");
}

/* Refused with these very lines and nothing changed. */
static void refused(struct fixture *f, const char *text, const char *said)
{
    struct settings before = f->settings;
    assert_int_equal(read_text(f, text), -EINVAL);
    assert_string_equal(f->said, said);
    assert_memory_equal(&f->settings, &before, sizeof before);
}

/* ---- every key ------------------------------------------------------------------------------------------------------- */

/* A whole file on whose second line the one key is set: "a.b" and "1" -> a = { b = 1; }; `beside` stands in the key's own
 * group, and what every file needs stands before it. */
static void write_file(struct fixture *f, const char *path, const char *value, const char *beside)
{
    char groups[128], *name = groups, *dot;
    size_t used = 0;
    int depth = 0;
    (void)snprintf(groups, sizeof groups, "%s", path);
    used += (size_t)snprintf(f->text, TEXT_MAX, "%s%s%s%s\n", strcmp(path, "site") == 0 ? "" : "site = \"s\"; ",
                             strcmp(path, "lane") == 0 ? "" : "lane = \"l\"; ",
                             strncmp(path, "lines.", 6) == 0 ? "" : "lines = { driver = \"sim\"; }; ",
                             strcmp(path, "direction") == 0 ? "" : "direction = \"in\";");
    for (; (dot = strchr(name, '.')) != NULL; name = dot + 1, depth++)
        used += (size_t)snprintf(f->text + used, TEXT_MAX - used, "%.*s = { %s", (int)(dot - name), name,
                                 strncmp(path, "lines.", 6) == 0 && strcmp(path, "lines.driver") != 0 && depth == 0
                                     ? "driver = \"sim\"; "
                                     : "");
    used += (size_t)snprintf(f->text + used, TEXT_MAX - used, "%s %s = %s;", beside, name, value);
    for (; depth > 0; depth--)
        used += (size_t)snprintf(f->text + used, TEXT_MAX - used, " };");
    assert_true(used < TEXT_MAX);
}

struct taken {
    const char *path, *value, *beside;
    size_t offset, bytes;
    int64_t stored;
};

#define STORED(path, value, member, stored) BESIDE(path, value, member, stored, "")
#define BESIDE(path, value, member, stored, beside)                                                                    \
    {path, value, beside, offsetof(struct settings, member), sizeof(((struct settings *)NULL)->member), stored}
#define ENDS(path, member, lowest, highest)                                                                            \
    STORED(path, #lowest, member, lowest), STORED(path, #highest, member, highest)
#define FLAGS(path, member) STORED(path, "true", member, 1), STORED(path, "false", member, 0)
#define ACTIONS(path, member)                                                                                          \
    STORED(path, "\"open\"", member, VERDICT_OPEN), STORED(path, "\"hold\"", member, VERDICT_HOLD),                  \
        STORED(path, "\"deny\"", member, VERDICT_DENY)
#define REFUSALS(path, member)                                                                                         \
    STORED(path, "\"hold\"", member, VERDICT_HOLD), STORED(path, "\"deny\"", member, VERDICT_DENY)
#define DECLARATION(member) journal.policy.declaration.member
#define ANSWERS(name, member)                                                                                          \
    STORED("declaration.on." name, "\"none\"", DECLARATION(member), STATUS_NONE),                                    \
        STORED("declaration.on." name, "\"green\"", DECLARATION(member), STATUS_GREEN),                              \
        STORED("declaration.on." name, "\"yellow\"", DECLARATION(member), STATUS_YELLOW),                            \
        STORED("declaration.on." name, "\"red\"", DECLARATION(member), STATUS_RED)
#define WINDOW(name, member)                                                                                           \
    STORED("declaration." name, "1", DECLARATION(member), 86400), STORED("declaration." name, "60", DECLARATION(member), 5184000)
#define PATTERN(signal, member) lane_settings.patterns[signal].member
/* Beside a value stands what makes a pattern of it that has an end. */
#define SIGNALS(name, signal) PATTERNS(name, signal, "tone_on_ms = 100; tone_off_ms = 100;")
#define CAUSES(name, signal) PATTERNS(name, signal, "") /* silent by default, so a tone would need its own repeats */
#define PATTERNS(name, signal, a_tone)                                                                                 \
    STORED("signals." name ".tone_on_ms", "0", PATTERN(signal, tone_on_ms), 0),                                      \
        BESIDE("signals." name ".tone_on_ms", "5000", PATTERN(signal, tone_on_ms), 5000, "repeats = 1;"),            \
        BESIDE("signals." name ".tone_off_ms", "0", PATTERN(signal, tone_off_ms), 0, "repeats = 1;"),                \
        BESIDE("signals." name ".tone_off_ms", "10000", PATTERN(signal, tone_off_ms), 10000, "repeats = 1;"),        \
        BESIDE("signals." name ".repeats", "0", PATTERN(signal, repeats), 0, "tone_on_ms = 0;"),                     \
        BESIDE("signals." name ".repeats", "1", PATTERN(signal, repeats), 1, "tone_on_ms = 0;"),                     \
        BESIDE("signals." name ".repeats", "20", PATTERN(signal, repeats), 20, a_tone), \
        BESIDE("signals." name ".lamp", "\"none\"", PATTERN(signal, lamp), SIGNAL_LAMP_NONE, "lamp_ms = 1000;"),       \
        BESIDE("signals." name ".lamp", "\"green\"", PATTERN(signal, lamp), SIGNAL_LAMP_GREEN, "lamp_ms = 1000;"),     \
        BESIDE("signals." name ".lamp", "\"amber\"", PATTERN(signal, lamp), SIGNAL_LAMP_AMBER, "lamp_ms = 1000;"),     \
        BESIDE("signals." name ".lamp", "\"red\"", PATTERN(signal, lamp), SIGNAL_LAMP_RED, "lamp_ms = 1000;"),         \
        BESIDE("signals." name ".lamp_ms", "0", PATTERN(signal, lamp_ms), 0, "lamp = \"none\";"),                    \
        STORED("signals." name ".lamp_ms", "60000", PATTERN(signal, lamp_ms), 60000),                                \
        STORED("signals." name ".blink_ms", "0", PATTERN(signal, blink_ms), 0),                                      \
        STORED("signals." name ".blink_ms", "50", PATTERN(signal, blink_ms), 50),                                    \
        STORED("signals." name ".blink_ms", "5000", PATTERN(signal, blink_ms), 5000)
#define INPUTS(name, line)                                                                                             \
    FLAGS("lines." name ".active_low", lines.in[line].active_low),                                                   \
        STORED("lines." name ".bias", "\"as-is\"", lines.in[line].bias, LINE_BIAS_AS_IS),                            \
        STORED("lines." name ".bias", "\"pull-up\"", lines.in[line].bias, LINE_BIAS_PULL_UP),                        \
        STORED("lines." name ".bias", "\"pull-down\"", lines.in[line].bias, LINE_BIAS_PULL_DOWN)
#define FLAGS_OF_LINE(name, line) FLAGS("lines." name ".active_low", lines.out[line].active_low)

static const struct taken takes[] = {
    STORED("place.kind", "\"other\"", place.kind, SETTINGS_PLACE_OTHER),
    STORED("place.kind", "\"office\"", place.kind, SETTINGS_PLACE_OFFICE),
    STORED("place.kind", "\"industrial_park\"", place.kind, SETTINGS_PLACE_INDUSTRIAL_PARK),
    STORED("place.kind", "\"factory\"", place.kind, SETTINGS_PLACE_FACTORY),
    STORED("place.kind", "\"school\"", place.kind, SETTINGS_PLACE_SCHOOL),
    STORED("place.kind", "\"hospital\"", place.kind, SETTINGS_PLACE_HOSPITAL),
    STORED("place.kind", "\"station\"", place.kind, SETTINGS_PLACE_STATION),
    STORED("place.kind", "\"shop\"", place.kind, SETTINGS_PLACE_SHOP),
    STORED("place.kind", "\"market\"", place.kind, SETTINGS_PLACE_MARKET),
    STORED("place.kind", "\"restaurant\"", place.kind, SETTINGS_PLACE_RESTAURANT),
    STORED("place.kind", "\"lodging\"", place.kind, SETTINGS_PLACE_LODGING),
    STORED("place.kind", "\"culture_sports\"", place.kind, SETTINGS_PLACE_CULTURE_SPORTS),
    STORED("place.kind", "\"meeting\"", place.kind, SETTINGS_PLACE_MEETING),
    STORED("place.kind", "\"wedding\"", place.kind, SETTINGS_PLACE_WEDDING),
    STORED("place.kind", "\"funeral\"", place.kind, SETTINGS_PLACE_FUNERAL),
    STORED("direction", "\"none\"", journal.policy.direction, DIRECTION_NONE),
    STORED("direction", "\"in\"", journal.policy.direction, DIRECTION_IN),
    STORED("direction", "\"out\"", journal.policy.direction, DIRECTION_OUT),
    STORED("camera.driver", "\"v4l2\"", eye.camera, EYE_CAMERA_V4L2),
    BESIDE("camera.driver", "\"replay\"", eye.camera, EYE_CAMERA_REPLAY, "replay = { folder = \"/p\"; };"),
    STORED("camera.exposure", "\"off\"", eye.exposure, EYE_EXPOSURE_OFF),
    STORED("camera.exposure", "\"code\"", eye.exposure, EYE_EXPOSURE_CODE),
    ENDS("camera.width_px", eye.v4l2.width_px, 160, 1920),
    ENDS("camera.height_px", eye.v4l2.height_px, 120, 1080),
    ENDS("camera.rate_fps", eye.v4l2.rate_fps, 1, 120),
    ENDS("camera.hang_ms", hang_ms, 500, 60000),
    ENDS("camera.leave_ms", leave_ms, 300, 60000),
    ENDS("camera.replay.hold_ms", eye.replay.hold_ms, 10, 600000),
    ENDS("camera.replay.gap_ms", eye.replay.gap_ms, 0, 600000),
    FLAGS("camera.replay.loop", eye.replay.loop),
    STORED("lines.driver", "\"sim\"", lines_driver, SETTINGS_LINES_SIM),
    BESIDE("lines.driver", "\"gpiod\"", lines_driver, SETTINGS_LINES_GPIOD, "buzzer = { line = \"B\"; };"),
    FLAGS_OF_LINE("relay", LINE_RELAY),
    FLAGS_OF_LINE("relay_out", LINE_RELAY_OUT),
    FLAGS_OF_LINE("buzzer", LINE_BUZZER),
    FLAGS_OF_LINE("lamp_green", LINE_LAMP_GREEN),
    FLAGS_OF_LINE("lamp_amber", LINE_LAMP_AMBER),
    FLAGS_OF_LINE("lamp_red", LINE_LAMP_RED),
    INPUTS("button", LINE_BUTTON),
    INPUTS("rotation", LINE_ROTATION),
    INPUTS("fire", LINE_FIRE),
    INPUTS("tamper", LINE_TAMPER),
    INPUTS("guard", LINE_GUARD),
    INPUTS("service", LINE_SERVICE),
    STORED("lane_timing.pulse_ms", "100", lane_settings.pulse_ms, 100),
    BESIDE("lane_timing.pulse_ms", "10000", lane_settings.pulse_ms, 10000, "passage_wait_ms = 10000;"),
    ENDS("lane_timing.pulse_gap_ms", lane_settings.pulse_gap_ms, 50, 10000),
    ENDS("lane_timing.debounce_ms", lane_settings.debounce_ms, 5, 500),
    ENDS("lane_timing.button_binding_ms", lane_settings.button_binding_ms, 1000, 120000),
    ENDS("lane_timing.passage_wait_ms", lane_settings.passage_wait_ms, 1000, 60000),
    ENDS("lane_timing.held_alarm_ms", lane_settings.held_alarm_ms, 1000, 600000),
    ENDS("lane_timing.tailgating_ms", lane_settings.tailgating_ms, 0, 30000),
    ENDS("lane_timing.long_press_ms", lane_settings.long_press_ms, 1000, 20000),
    ENDS("lane_timing.stuck_ms", lane_settings.stuck_ms, 5000, 600000),
    ENDS("lane_timing.unreadable_ms", lane_settings.unreadable_ms, 500, 60000),
    STORED("turnstile.relay", "\"pulse\"", lane_settings.relay_level, false),
    STORED("turnstile.relay", "\"level\"", lane_settings.relay_level, true),
    STORED("turnstile.wiring", "\"fail-secure\"", lane_settings.wiring, LANE_FAIL_SECURE),
    STORED("turnstile.wiring", "\"fail-safe\"", lane_settings.wiring, LANE_FAIL_SAFE),
    ENDS("turnstile.hold_open_max_s", lane_settings.hold_open_max_s, 0, 28800),
    SIGNALS("open", SIGNAL_OPEN),
    SIGNALS("hold", SIGNAL_HOLD),
    SIGNALS("deny", SIGNAL_DENY),
    SIGNALS("expired", SIGNAL_EXPIRED),
    SIGNALS("wrong_code", SIGNAL_WRONG_CODE),
    SIGNALS("forged", SIGNAL_FORGED),
    SIGNALS("failure", SIGNAL_FAILURE),
    SIGNALS("place_code", SIGNAL_PLACE_CODE),
    SIGNALS("not_now", SIGNAL_NOT_NOW),
    SIGNALS("locked", SIGNAL_LOCKED),
    SIGNALS("wait", SIGNAL_WAIT),
    SIGNALS("unreadable", SIGNAL_UNREADABLE),
    CAUSES("too_far", SIGNAL_TOO_FAR),
    CAUSES("too_near", SIGNAL_TOO_NEAR),
    CAUSES("too_dark", SIGNAL_TOO_DARK),
    CAUSES("glare", SIGNAL_GLARE),
    CAUSES("moving", SIGNAL_MOVING),
    SIGNALS("identify", SIGNAL_IDENTIFY),
    SIGNALS("passing", SIGNAL_PASSING),
    SIGNALS("hold_open", SIGNAL_HOLD_OPEN),
    SIGNALS("lock_down", SIGNAL_LOCK_DOWN),
    SIGNALS("out_of_order", SIGNAL_OUT_OF_ORDER),
    SIGNALS("alarm", SIGNAL_ALARM),
    SIGNALS("emergency", SIGNAL_EMERGENCY),
    ACTIONS("policy.green", journal.policy.by_status[STATUS_GREEN]),
    ACTIONS("policy.yellow", journal.policy.by_status[STATUS_YELLOW]),
    ACTIONS("policy.red", journal.policy.by_status[STATUS_RED]),
    ACTIONS("policy.white", journal.policy.by_status[STATUS_WHITE]),
    ACTIONS("policy.expired", journal.policy.by_status[STATUS_EXPIRED]),
    ACTIONS("policy.none", journal.policy.by_status[STATUS_NONE]),
    STORED("policy.clock_untrusted", "\"hold\"", journal.policy.clock_untrusted, CLOCK_POLICY_HOLD),
    STORED("policy.clock_untrusted", "\"deny\"", journal.policy.clock_untrusted, CLOCK_POLICY_DENY),
    STORED("policy.clock_untrusted", "\"open-if-signature-valid\"", journal.policy.clock_untrusted,
           CLOCK_POLICY_OPEN_IF_SIGNATURE_VALID),
    ENDS("policy.clock_skew_s", journal.policy.clock_skew_s, 0, 3600),
    STORED("policy.exit", "\"judge\"", journal.policy.exit_open, false),
    STORED("policy.exit", "\"open\"", journal.policy.exit_open, true),
    ACTIONS("policy.number_mismatch", journal.policy.number_mismatch),
    ENDS("declaration.validity_s", DECLARATION(validity_s), 60, 31622400),
    STORED("declaration.validity", "\"duration\"", DECLARATION(since_midnight), false),
    STORED("declaration.validity", "\"midnight\"", DECLARATION(since_midnight), true),
    WINDOW("symptom_window_days", symptom_window_s),
    WINDOW("contact_window_days", contact_window_s),
    WINDOW("travel_window_days", travel_window_s),
    ANSWERS("fever", on_symptom[SYMPTOM_FEVER]),
    ANSWERS("cough", on_symptom[SYMPTOM_COUGH]),
    ANSWERS("breathlessness", on_symptom[SYMPTOM_BREATHLESSNESS]),
    ANSWERS("pneumonia", on_symptom[SYMPTOM_PNEUMONIA]),
    ANSWERS("sore_throat", on_symptom[SYMPTOM_SORE_THROAT]),
    ANSWERS("tiredness", on_symptom[SYMPTOM_TIREDNESS]),
    ANSWERS("contact_patient", on_contact[CONTACT_PATIENT]),
    ANSWERS("contact_sick_country", on_contact[CONTACT_SICK_COUNTRY]),
    ANSWERS("contact_symptoms", on_contact[CONTACT_SYMPTOMS]),
    ANSWERS("travelled", on_travel),
    FLAGS("certificate.accept", journal.policy.health.accept),
    FLAGS("certificate.all_doses", journal.policy.health.all_doses),
    STORED("certificate.vaccination_from_days", "0", journal.policy.health.vaccination_from_days, 0),
    BESIDE("certificate.vaccination_from_days", "3650", journal.policy.health.vaccination_from_days, 3650,
           "vaccination_until_days = 0;"),
    ENDS("certificate.vaccination_until_days", journal.policy.health.vaccination_until_days, 0, 3650),
    ENDS("certificate.molecular_test_hours", journal.policy.health.molecular_test_hours, 0, 8760),
    ENDS("certificate.antigen_test_hours", journal.policy.health.antigen_test_hours, 0, 8760),
    STORED("certificate.recovery_from_days", "0", journal.policy.health.recovery_from_days, 0),
    BESIDE("certificate.recovery_from_days", "3650", journal.policy.health.recovery_from_days, 3650, "recovery_until_days = 3650;"),
    ENDS("certificate.recovery_until_days", journal.policy.health.recovery_until_days, 0, 3650),
    REFUSALS("certificate.unmet", journal.policy.health.unmet),
    REFUSALS("schedule.outside", journal.policy.outside_schedule),
    ENDS("antipassback.seconds", journal.policy.antipassback_s, 0, 86400),
    ACTIONS("antipassback.time", journal.policy.antipassback_time),
    ACTIONS("antipassback.presence", journal.policy.antipassback_presence),
    ENDS("occupancy.limit", journal.policy.occupancy_limit, 0, 1000000),
    REFUSALS("occupancy.full", journal.policy.occupancy_full),
    ENDS("lock.refusals", journal.policy.refusals_lock, 0, 100),
    ENDS("lock.seconds", journal.policy.refusals_lock_s, 1, 3600),
    STORED("clock.trust", "\"ntp\"", clock_trust, SETTINGS_CLOCK_NTP),
    STORED("clock.trust", "\"always\"", clock_trust, SETTINGS_CLOCK_ALWAYS),
    ENDS("journal.deadline_ms", journal_deadline_ms, 100, 10000),
    ENDS("journal.keep_days", journal.keep_days, 0, 3650),
    ENDS("journal.register_days", journal.register_days, 0, 3650),
    FLAGS("mqtt.enabled", mqtt.enabled),
    ENDS("mqtt.port", mqtt.port, 1, 65535),
    ENDS("mqtt.certificate_warn_days", mqtt.certificate_warn_days, 1, 365),
    STORED("mqtt.protocol", "\"auto\"", mqtt.protocol, MQTT_PROTOCOL_AUTO),
    STORED("mqtt.protocol", "\"5\"", mqtt.protocol, MQTT_PROTOCOL_5),
    STORED("mqtt.protocol", "\"3.1.1\"", mqtt.protocol, MQTT_PROTOCOL_3_1_1),
    ENDS("mqtt.keepalive_s", mqtt.keepalive_s, 5, 600),
    ENDS("mqtt.window", mqtt.window, 1, 100),
    ENDS("mqtt.session_expiry_s", mqtt.session_expiry_s, 60, 31536000),
    ENDS("mqtt.reconnect_min_ms", mqtt.reconnect_min_ms, 20, 60000),
    ENDS("mqtt.reconnect_max_ms", mqtt.reconnect_max_ms, 20, 600000),
    ENDS("mqtt.ack_timeout_ms", mqtt.ack_timeout_ms, 200, 600000),
    FLAGS("mqtt.follow", mqtt.follow),
    FLAGS("mqtt.declarations", mqtt.declarations), FLAGS("mqtt.home_assistant", mqtt.home_assistant),
    STORED("commands.auth", "\"off\"", commands.auth, COMMAND_AUTH_OFF),
    STORED("commands.auth", "\"acl\"", mqtt.commands, true),
    STORED("commands.auth", "\"acl\"", commands.auth, COMMAND_AUTH_ACL),
    STORED("commands.auth", "\"signed\"", commands.auth, COMMAND_AUTH_SIGNED),
    STORED("commands.verbs", "[ \"open\", \"time\" ]", commands.verbs, 1 << COMMAND_OPEN | 1 << COMMAND_TIME),
    STORED("commands.verbs", "[ ]", commands.verbs, 0),
};
enum { TAKES = sizeof takes / sizeof takes[0] };

static void test_every_key_is_stored_where_it_belongs(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < TAKES; i++) {
        const struct taken *t = &takes[i];
        int64_t got = 0; /* the machine is little-endian, as every target of ours */
        assert_in_range(t->bytes, 1, sizeof got);
        write_file(f, t->path, t->value, t->beside);
        accepted(f, f->text);
        memcpy(&got, (const char *)&f->settings + t->offset, t->bytes);
        if (got != t->stored)
            fail_msg("%s = %s is stored as %" PRId64, t->path, t->value, got);
    }
}

/* Neighbours: a key of the wrong size would write over the next member. */
static void test_a_key_changes_its_own_member_alone(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < TAKES; i++) {
        const struct taken *t = &takes[i];
        write_file(f, t->path, t->value, t->beside);
        accepted(f, f->text);
        struct settings with = f->settings;
        /* The same file with the key under another name's value: the default, by leaving it out. */
        char *last = strrchr(t->path, '.');
        char pair[160];
        (void)snprintf(pair, sizeof pair, " %s = %s;", last != NULL ? last + 1 : t->path, t->value);
        char *at = strstr(strchr(f->text, '\n'), pair);
        assert_non_null(at);
        memset(at, ' ', strlen(pair));
        if (strcmp(t->path, "lines.driver") == 0)
            continue; /* not a file without it */
        accepted(f, f->text);
        memcpy((char *)&with + t->offset, (const char *)&f->settings + t->offset, t->bytes);
        if (strncmp(t->path, "camera.", 7) == 0) { /* the pictures of a folder are shown in the camera's size */
            with.eye.replay.width_px = f->settings.eye.replay.width_px;
            with.eye.replay.height_px = f->settings.eye.replay.height_px;
            with.eye.replay.rate_fps = f->settings.eye.replay.rate_fps;
        }
        if (strcmp(t->path, "mqtt.enabled") == 0) /* who could acknowledge a row */
            with.journal.has_no_broker = f->settings.journal.has_no_broker;
        if (strcmp(t->path, "commands.auth") == 0) /* what is subscribed to */
            with.mqtt.commands = f->settings.mqtt.commands, with.commands.auth = f->settings.commands.auth;
        assert_memory_equal(&with, &f->settings, sizeof with);
    }
}

static bool is_named(const char *path, const struct taken *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(rows[i].path, path) == 0)
            return true;
    return false;
}

static void test_no_key_is_left_untested(void **state)
{
    struct settings_table table = settings_keys();
    (void)state;
    for (size_t i = 0; i < table.count; i++)
        if (table.keys[i].kind != KEY_LIST && table.keys[i].kind != KEY_TEXT && table.keys[i].kind != KEY_NAME &&
            !is_named(table.keys[i].path, takes, TAKES))
            fail_msg("%s isn't in takes[]", table.keys[i].path);
}

struct refusal {
    const char *path, *value, *said; /* said: behind "test.conf:2: PATH = VALUE: " */
};
#define NUMBER(path, value, allowed) {path, value, "allowed is a whole number from " allowed}
#define WHOLE(path, below, above, allowed)                                                                             \
    NUMBER(path, below, allowed), NUMBER(path, above, allowed), NUMBER(path, "true", allowed)
#define WORD(path, value, words) {path, value, "allowed is one of \"" words "\" (in quotes)"}
#define WORDS(path, words) WORD(path, "\"opne\"", words), WORD(path, "\"\"", words), WORD(path, "1", words)
#define BOOLEAN(path) {path, "1", "allowed are true and false"}, {path, "\"true\"", "allowed are true and false"}
#define THREE "open|hold|deny"
#define LAMPS "none|green|amber|red"
#define INPUT_REFUSALS(name) BOOLEAN("lines." name ".active_low"), WORDS("lines." name ".bias", "as-is|pull-up|pull-down")
#define SIGNAL_REFUSALS(name)                                                                                          \
    WHOLE("signals." name ".tone_on_ms", "-1", "5001", "0 to 5000"),                                                 \
        WHOLE("signals." name ".tone_off_ms", "-1", "600001", "0 to 600000"),                                        \
        WHOLE("signals." name ".repeats", "-1", "21", "0 to 20"), WORDS("signals." name ".lamp", LAMPS),             \
        WHOLE("signals." name ".lamp_ms", "-1", "60001", "0 to 60000"),                                              \
        WHOLE("signals." name ".blink_ms", "-1", "5001", "0 to 5000")
#define COLOURS "none|green|yellow|red"

static const struct refusal refusals[] = {
    WORDS("direction", "none|in|out"),
    WORDS("place.kind", "other|office|industrial_park|factory|school|hospital|station|shop|market|restaurant|lodging|culture_sports|meeting|wedding|funeral"),
    WORDS("camera.driver", "v4l2|replay"),
    WORDS("camera.exposure", "off|code"),
    WHOLE("camera.width_px", "159", "1921", "160 to 1920"),
    WHOLE("camera.height_px", "119", "1081", "120 to 1080"),
    WHOLE("camera.rate_fps", "0", "121", "1 to 120"),
    WHOLE("camera.hang_ms", "499", "60001", "500 to 60000"),
    WHOLE("camera.leave_ms", "299", "60001", "300 to 60000"),
    WHOLE("camera.replay.hold_ms", "9", "600001", "10 to 600000"),
    WHOLE("camera.replay.gap_ms", "-1", "600001", "0 to 600000"),
    BOOLEAN("camera.replay.loop"),
    WORDS("lines.driver", "gpiod|sim"),
    BOOLEAN("lines.relay.active_low"),
    BOOLEAN("lines.relay_out.active_low"),
    BOOLEAN("lines.buzzer.active_low"),
    BOOLEAN("lines.lamp_green.active_low"),
    BOOLEAN("lines.lamp_amber.active_low"),
    BOOLEAN("lines.lamp_red.active_low"),
    INPUT_REFUSALS("button"),
    INPUT_REFUSALS("rotation"),
    INPUT_REFUSALS("fire"),
    INPUT_REFUSALS("tamper"),
    INPUT_REFUSALS("guard"),
    INPUT_REFUSALS("service"),
    WHOLE("lane_timing.pulse_ms", "99", "10001", "100 to 10000"),
    WHOLE("lane_timing.pulse_gap_ms", "49", "10001", "50 to 10000"),
    WHOLE("lane_timing.debounce_ms", "4", "501", "5 to 500"),
    WHOLE("lane_timing.button_binding_ms", "999", "120001", "1000 to 120000"),
    WHOLE("lane_timing.passage_wait_ms", "999", "60001", "1000 to 60000"),
    WHOLE("lane_timing.held_alarm_ms", "999", "600001", "1000 to 600000"),
    WHOLE("lane_timing.tailgating_ms", "-1", "30001", "0 to 30000"),
    WHOLE("lane_timing.long_press_ms", "999", "20001", "1000 to 20000"),
    WHOLE("lane_timing.stuck_ms", "4999", "600001", "5000 to 600000"),
    WHOLE("lane_timing.unreadable_ms", "499", "60001", "500 to 60000"),
    WORDS("turnstile.relay", "pulse|level"),
    WORDS("turnstile.wiring", "fail-secure|fail-safe"),
    WHOLE("turnstile.hold_open_max_s", "-1", "28801", "0 to 28800"),
    SIGNAL_REFUSALS("open"),
    SIGNAL_REFUSALS("hold"),
    SIGNAL_REFUSALS("deny"),
    SIGNAL_REFUSALS("expired"),
    SIGNAL_REFUSALS("wrong_code"),
    SIGNAL_REFUSALS("forged"),
    SIGNAL_REFUSALS("failure"),
    SIGNAL_REFUSALS("place_code"),
    SIGNAL_REFUSALS("not_now"),
    SIGNAL_REFUSALS("locked"),
    SIGNAL_REFUSALS("wait"),
    SIGNAL_REFUSALS("unreadable"),
    SIGNAL_REFUSALS("too_far"),
    SIGNAL_REFUSALS("too_near"),
    SIGNAL_REFUSALS("too_dark"),
    SIGNAL_REFUSALS("glare"),
    SIGNAL_REFUSALS("moving"),
    SIGNAL_REFUSALS("identify"),
    SIGNAL_REFUSALS("passing"),
    SIGNAL_REFUSALS("hold_open"),
    SIGNAL_REFUSALS("lock_down"),
    SIGNAL_REFUSALS("out_of_order"),
    SIGNAL_REFUSALS("alarm"),
    SIGNAL_REFUSALS("emergency"),
    WORDS("policy.green", THREE),
    WORDS("policy.yellow", THREE),
    WORDS("policy.red", THREE),
    WORDS("policy.white", THREE),
    WORDS("policy.expired", THREE),
    WORDS("policy.none", THREE),
    WORDS("policy.clock_untrusted", "hold|deny|open-if-signature-valid"),
    WORD("policy.clock_untrusted", "\"open\"", "hold|deny|open-if-signature-valid"),
    WHOLE("policy.clock_skew_s", "-1", "3601", "0 to 3600"),
    WORDS("policy.exit", "judge|open"),
    WORDS("policy.number_mismatch", THREE),
    WHOLE("declaration.validity_s", "59", "31622401", "60 to 31622400"),
    WORDS("declaration.validity", "duration|midnight"),
    WHOLE("declaration.symptom_window_days", "0", "61", "1 to 60"),
    WHOLE("declaration.contact_window_days", "0", "61", "1 to 60"),
    WHOLE("declaration.travel_window_days", "0", "61", "1 to 60"),
    WORDS("declaration.on.fever", COLOURS),
    WORDS("declaration.on.cough", COLOURS),
    WORDS("declaration.on.breathlessness", COLOURS),
    WORDS("declaration.on.pneumonia", COLOURS),
    WORDS("declaration.on.sore_throat", COLOURS),
    WORDS("declaration.on.tiredness", COLOURS),
    WORDS("declaration.on.contact_patient", COLOURS),
    WORDS("declaration.on.contact_sick_country", COLOURS),
    WORDS("declaration.on.contact_symptoms", COLOURS),
    WORDS("declaration.on.travelled", COLOURS),
    WORD("declaration.on.travelled", "\"white\"", COLOURS),
    WORD("declaration.on.travelled", "\"expired\"", COLOURS),
    BOOLEAN("certificate.accept"),
    BOOLEAN("certificate.all_doses"),
    WHOLE("certificate.vaccination_from_days", "-1", "3651", "0 to 3650"),
    WHOLE("certificate.vaccination_until_days", "-1", "3651", "0 to 3650"),
    WHOLE("certificate.molecular_test_hours", "-1", "8761", "0 to 8760"),
    WHOLE("certificate.antigen_test_hours", "-1", "8761", "0 to 8760"),
    WHOLE("certificate.recovery_from_days", "-1", "3651", "0 to 3650"),
    WHOLE("certificate.recovery_until_days", "-1", "3651", "0 to 3650"),
    WORDS("certificate.unmet", "hold|deny"),
    WORD("certificate.unmet", "\"open\"", "hold|deny"),
    WORDS("schedule.outside", "hold|deny"),
    WORD("schedule.outside", "\"open\"", "hold|deny"),
    WHOLE("antipassback.seconds", "-1", "86401", "0 to 86400"),
    WORDS("antipassback.time", THREE),
    WORDS("antipassback.presence", THREE),
    WHOLE("occupancy.limit", "-1", "1000001", "0 to 1000000"),
    WORDS("occupancy.full", "hold|deny"),
    WORD("occupancy.full", "\"open\"", "hold|deny"),
    WHOLE("lock.refusals", "-1", "101", "0 to 100"),
    WHOLE("lock.seconds", "0", "3601", "1 to 3600"),
    WORDS("clock.trust", "ntp|always"),
    WHOLE("journal.deadline_ms", "99", "10001", "100 to 10000"),
    WHOLE("journal.keep_days", "-1", "3651", "0 to 3650"),
    WHOLE("journal.register_days", "-1", "3651", "0 to 3650"),
    BOOLEAN("mqtt.enabled"),
    WHOLE("mqtt.port", "0", "65536", "1 to 65535"),
    WHOLE("mqtt.port", "1883.0", "\"1883\"", "1 to 65535"),
    WHOLE("mqtt.certificate_warn_days", "0", "366", "1 to 365"),
    WORDS("mqtt.protocol", "auto|5|3.1.1"),
    WHOLE("mqtt.keepalive_s", "4", "601", "5 to 600"),
    WHOLE("mqtt.window", "0", "101", "1 to 100"),
    WHOLE("mqtt.session_expiry_s", "59", "31536001", "60 to 31536000"),
    WHOLE("mqtt.reconnect_min_ms", "19", "60001", "20 to 60000"),
    WHOLE("mqtt.reconnect_max_ms", "19", "600001", "20 to 600000"),
    WHOLE("mqtt.ack_timeout_ms", "199", "600001", "200 to 600000"),
    BOOLEAN("mqtt.follow"),
    BOOLEAN("mqtt.declarations"), BOOLEAN("mqtt.home_assistant"),
    WORDS("commands.auth", "off|acl|signed"),
};
enum { REFUSALS_COUNT = sizeof refusals / sizeof refusals[0] };

static void test_every_key_says_what_it_allows(void **state)
{
    struct fixture *f = *state;
    char said[512];
    for (size_t i = 0; i < REFUSALS_COUNT; i++) {
        const struct refusal *r = &refusals[i];
        write_file(f, r->path, r->value, "");
        (void)snprintf(said, sizeof said, "test.conf:2: %s = %s: %s\n", r->path,
                       strcmp(r->value, "1883.0") == 0 ? "1883" : r->value, r->said);
        refused(f, f->text, said);
    }
}

static void test_no_refusal_is_left_untested(void **state)
{
    struct settings_table table = settings_keys();
    (void)state;
    for (size_t i = 0; i < table.count; i++) {
        bool named = table.keys[i].kind == KEY_LIST || table.keys[i].kind == KEY_TEXT || table.keys[i].kind == KEY_NAME;
        for (size_t k = 0; k < REFUSALS_COUNT && !named; k++)
            named = strcmp(refusals[k].path, table.keys[i].path) == 0;
        if (!named)
            fail_msg("%s isn't in refusals[]", table.keys[i].path);
    }
}

/* Texts: as long as their room and not a byte more, nothing that would break a log line. */
static const struct text_key {
    const char *path;
    size_t offset, bytes;
    bool is_name;
    const char *beside;
} text_keys[] = {
#define TEXT_KEY(path, member, is_name) {path, offsetof(struct settings, member), sizeof(((struct settings *)NULL)->member), is_name, ""}
    TEXT_KEY("site", site, true),
    TEXT_KEY("lane", lane, true),
    TEXT_KEY("place.name", place.name, false),
    TEXT_KEY("place.address", place.address, false),
    TEXT_KEY("place.zone", place.zone, false),
    TEXT_KEY("place.language", place.language, false),
    TEXT_KEY("camera.device", eye.v4l2.device, false),
    TEXT_KEY("camera.replay.folder", eye.replay.folder, false),
    TEXT_KEY("lines.panel_input", lines.panel_input, false),
    TEXT_KEY("lines.relay.line", lines.out[LINE_RELAY].name, false),
    TEXT_KEY("lines.relay_out.line", lines.out[LINE_RELAY_OUT].name, false),
    TEXT_KEY("lines.buzzer.line", lines.out[LINE_BUZZER].name, false),
    TEXT_KEY("lines.lamp_green.line", lines.out[LINE_LAMP_GREEN].name, false),
    TEXT_KEY("lines.lamp_amber.line", lines.out[LINE_LAMP_AMBER].name, false),
    TEXT_KEY("lines.lamp_red.line", lines.out[LINE_LAMP_RED].name, false),
    TEXT_KEY("lines.button.line", lines.in[LINE_BUTTON].name, false),
    TEXT_KEY("lines.rotation.line", lines.in[LINE_ROTATION].name, false),
    TEXT_KEY("lines.fire.line", lines.in[LINE_FIRE].name, false),
    TEXT_KEY("lines.tamper.line", lines.in[LINE_TAMPER].name, false),
    TEXT_KEY("lines.guard.line", lines.in[LINE_GUARD].name, false),
    TEXT_KEY("lines.service.line", lines.in[LINE_SERVICE].name, false),
    TEXT_KEY("journal.path", journal.path, false),
    TEXT_KEY("journal.site_key_file", site_key_file, false),
    TEXT_KEY("trust.folder", trust_folder, false),
    TEXT_KEY("mqtt.host", mqtt.host, false),
    TEXT_KEY("mqtt.client_id", mqtt.client_id, false),
    TEXT_KEY("mqtt.username", mqtt.username, false),
    TEXT_KEY("mqtt.password_file", mqtt.password_file, false),
    TEXT_KEY("mqtt.ca_file", mqtt.ca_file, false),
    {"mqtt.cert_file", offsetof(struct settings, mqtt.cert_file), 256, false, "ca_file = \"/ca\";"},
    {"mqtt.key_file", offsetof(struct settings, mqtt.key_file), 256, false, "ca_file = \"/ca\"; cert_file = \"/cert\";"},
    TEXT_KEY("mqtt.prefix", mqtt.prefix, true),
    TEXT_KEY("commands.operators", operators_folder, false),
};
enum { TEXT_KEYS = sizeof text_keys / sizeof text_keys[0] };

static void test_texts(void **state)
{
    struct fixture *f = *state;
    struct settings_table table = settings_keys();
    size_t texts = 0;
    for (size_t i = 0; i < table.count; i++)
        texts += table.keys[i].kind == KEY_TEXT || table.keys[i].kind == KEY_NAME;
    assert_int_equal(texts, TEXT_KEYS);
    for (size_t i = 0; i < TEXT_KEYS; i++) {
        const struct text_key *key = &text_keys[i];
        char value[300], said[600];
        (void)snprintf(value, sizeof value, "\"%0*d\"", (int)key->bytes - 1, 7);
        write_file(f, key->path, value, key->beside);
        accepted(f, f->text);
        assert_memory_equal((const char *)&f->settings + key->offset, value + 1, key->bytes - 1);
        assert_int_equal(((const char *)&f->settings)[key->offset + key->bytes - 1], '\0');

        (void)snprintf(value, sizeof value, "\"%0*d\"", (int)key->bytes, 7);
        write_file(f, key->path, value, key->beside);
        (void)snprintf(said, sizeof said, "test.conf:2: %s = \"%.*s\": allowed is a text in quotes of at most %zu "
                                          "bytes\n",
                       key->path, key->bytes < 60 ? (int)key->bytes : 60, value + 1, key->bytes - 1);
        refused(f, f->text, said);

        write_file(f, key->path, "\"a\\x1b[31mb\"", key->beside);
        if (key->is_name)
            (void)snprintf(said, sizeof said,
                           "test.conf:2: %s = \"a?[31mb\": allowed are 1 to %zu letters a-z A-Z, digits, - and "
                           "_\n", key->path,
                           key->bytes - 1);
        else
            (void)snprintf(said, sizeof said,
                           "test.conf:2: %s = \"a?[31mb\": allowed is a text in UTF-8 without control "
                           "characters\n", key->path);
        refused(f, f->text, said);
    }
}

static void test_names(void **state)
{
    struct fixture *f = *state;
    static const char *const bad[] = {"", "a b", "a/b", "a+", "#", "đ"};
    char value[32], said[256];
    write_file(f, "site", "\"Factory_2-b\"", "");
    accepted(f, f->text);
    assert_string_equal(f->settings.site, "Factory_2-b");
    assert_string_equal(f->settings.mqtt.site, "Factory_2-b");
    assert_string_equal(f->settings.mqtt.client_id, "qrgate-Factory_2-b-l");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        (void)snprintf(value, sizeof value, "\"%s\"", bad[i]);
        write_file(f, "mqtt.prefix", value, "");
        (void)snprintf(said, sizeof said, "test.conf:2: mqtt.prefix = %s: allowed are 1 to 32 letters a-z A-Z, digits, "
                                          "- and _\n",
                       value);
        refused(f, f->text, said);
    }
}

/* A long value is cut in the message, and never within a character. */
static void test_a_message_shows_whole_characters(void **state)
{
    struct fixture *f = *state;
    char value[256] = "\"x", said[512];
    for (int i = 0; i < 60; i++)
        (void)strcat(value, "đ");
    (void)strcat(value, "\"");
    write_file(f, "clock.trust", value, "");
    (void)snprintf(said, sizeof said, "test.conf:2: clock.trust = \"%.59s\": allowed is one of \"ntp|always\" (in "
                                      "quotes)\n", value + 1);
    refused(f, f->text, said);
}

/* ---- lists ----------------------------------------------------------------------------------------------------------- */

#define FIRST "site = \"s\"; lane = \"l\"; lines = { driver = \"sim\"; };\n"

static void test_products(void **state)
{
    struct fixture *f = *state;
    const struct health_policy *health = &f->settings.journal.policy.health;
    accepted(f, FIRST "certificate = { products = [ \"EU/1/20/1528\", \"CVnCoV\" ]; };");
    assert_int_equal(health->products_count, 2);
    assert_string_equal(health->products[0], "EU/1/20/1528");
    assert_string_equal(health->products[1], "CVnCoV");
    accepted(f, FIRST "certificate = { products = ( ); };");
    assert_int_equal(health->products_count, 0);
    accepted(f, FIRST "certificate = { products = [ \"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\",\"10\",\"11\",\"12\","
                      "\"13\",\"14\",\"15\",\"012345678901234567890123456789012345678\" ]; };");
    assert_int_equal(health->products_count, 16);
    assert_string_equal(health->products[15], "012345678901234567890123456789012345678");
    refused(f,
            FIRST "certificate = { products = [ \"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\",\"10\",\"11\",\"12\","
                  "\"13\",\"14\",\"15\",\"16\",\"17\" ]; };",
            "test.conf:2: certificate.products: 17 entries; allowed are up to 16: leave out what is over\n");
    refused(f, FIRST "certificate = { products = \"EU/1/20/1528\"; };",
            "test.conf:2: certificate.products = \"EU/1/20/1528\": allowed is a list of up to 16 products: [ "
            "\"EU/1/20/1528\", … ]\n");
    refused(f, FIRST "certificate = { products = ( \"a\",\n 7,\n \"\",\n { b = 1; },\n "
                     "\"0123456789012345678901234567890123456789\" ); };",
            "test.conf:3: certificate.products: entry 2, 7: allowed is a product's code in quotes of 1 to 39 bytes, "
            "like \"EU/1/20/1528\"\n"
            "test.conf:4: certificate.products: entry 3, \"\": allowed is a product's code in quotes of 1 to 39 bytes, "
            "like \"EU/1/20/1528\"\n"
            "test.conf:5: certificate.products: entry 4, a group or list: allowed is a product's code in quotes of 1 to "
            "39 bytes, like "
            "\"EU/1/20/1528\"\n"
            "test.conf:6: certificate.products: entry 5, \"0123456789012345678901234567890123456789\": allowed is a "
            "product's code in quotes of "
            "1 to 39 bytes, like \"EU/1/20/1528\"\n");
}

#define NOT_BUILT_IN "\"zbar\" (zxing isn't built in: that needs libzxing-dev 2.3 or later when qrgate is built)"
#define DECODERS_BUILT_IN (decoder_is_built_in(DECODER_ZXING) ? "\"zbar\", \"zxing\"" : NOT_BUILT_IN)

static void test_decoders(void **state)
{
    struct fixture *f = *state;
    const struct eye_decoders *decoders = &f->settings.eye.decoders;
    static const struct {
        const char *list, *entry; /* entry: what is refused of it, and may be "zxing" only where that isn't built in */
    } lists[] = {
        {"[ \"zbar\" ]", NULL},
        {"[ \"quirc\" ]", "1, \"quirc\""},
        {"[ \"zbar\", \"ZXing\" ]", "2, \"ZXing\""},
        {"( \"zbar\", 7 )", "2, 7"},
        {"[ \"\" ]", "1, \"\""},
    };
    char text[256], said[512];
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        (void)snprintf(text, sizeof text, FIRST "vision = { decoders = %s; };", lists[i].list);
        (void)snprintf(said, sizeof said, "test.conf:2: vision.decoders: entry %s: allowed is %s\n",
                       lists[i].entry != NULL ? lists[i].entry : "", DECODERS_BUILT_IN);
        if (lists[i].entry == NULL)
            accepted(f, text);
        else
            refused(f, text, said);
    }
    assert_int_equal(decoders->count, 1);
    assert_int_equal(decoders->kinds[0], DECODER_ZBAR);
    refused(f, FIRST "vision = { decoders = [ \"zbar\", \"zbar\" ]; };",
            "test.conf:2: vision.decoders: entry 2, \"zbar\": allowed is each decoder once; this one stands there already\n");
    refused(f, FIRST "vision = { decoders = [ \"zbar\", \"zxing\", \"zbar\" ]; };",
            "test.conf:2: vision.decoders: 3 entries; allowed are up to 2: leave out what is over\n");
    refused(f, FIRST "vision = { decoders = [ ]; };",
            "test.conf:2: vision.decoders: no entry; allowed is a list of one or both: [ \"zbar\", \"zxing\" ]\n");
    refused(f, FIRST "vision = { decoders = \"zbar\"; };",
            "test.conf:2: vision.decoders = \"zbar\": allowed is a list of one or both: [ \"zbar\", \"zxing\" ]\n");
    if (!decoder_is_built_in(DECODER_ZXING)) {
        refused(f, FIRST "vision = { decoders = [ \"zbar\", \"zxing\" ]; };",
                "test.conf:2: vision.decoders: entry 2, \"zxing\": allowed is " NOT_BUILT_IN "\n");
        return;
    }
    accepted(f, FIRST "vision = { decoders = [ \"zxing\", \"zbar\" ]; };");
    assert_int_equal(decoders->count, 2);
    assert_int_equal(decoders->kinds[0], DECODER_ZXING);
    assert_int_equal(decoders->kinds[1], DECODER_ZBAR);
}

static void test_controls(void **state)
{
    struct fixture *f = *state;
    const struct camera_controls *controls = &f->settings.eye.v4l2.controls;
    accepted(f, FIRST "camera = { controls = { exposure_auto = 1; brightness = -64; a = 2147483647; }; };");
    assert_int_equal(controls->count, 3);
    assert_string_equal(controls->list[0].name, "exposure_auto");
    assert_int_equal(controls->list[0].value, 1);
    assert_string_equal(controls->list[1].name, "brightness");
    assert_int_equal(controls->list[1].value, -64);
    assert_int_equal(controls->list[2].value, INT32_MAX);
    accepted(f, FIRST "camera = { controls = { }; };");
    assert_int_equal(controls->count, 0);
    accepted(f, FIRST "camera = { controls = { a=1;b=1;c=1;d=1;e=1;f=1;g=1;h=1;i=1;j=1;k=1;l=1;m=1;n=1;o=1;"
                      "a2345678901234567890123456789_1=1; }; };");
    assert_int_equal(controls->count, 16);
    assert_string_equal(controls->list[15].name, "a2345678901234567890123456789_1");
#define CONTROLS_ALLOWED "allowed is a group of up to 16 controls of the camera with a whole number each: { exposure_auto = 1; … }\n"
    refused(f, FIRST "camera = { controls = { a=1;b=1;c=1;d=1;e=1;f=1;g=1;h=1;i=1;j=1;k=1;l=1;m=1;n=1;o=1;p=1;q=1; }; };",
            "test.conf:2: camera.controls = a group or list: " CONTROLS_ALLOWED);
    refused(f, FIRST "camera = { controls = 1; };", "test.conf:2: camera.controls = 1: " CONTROLS_ALLOWED);
    refused(f, FIRST "camera = { controls = {\n Exposure = 1;\n focus-auto = 0;\n a23456789012345678901234567890_2 = 1;\n"
                     " gain = true;\n b = \"x\";\n c = 1.5; }; };",
            "test.conf:3: camera.controls: \"Exposure\" is no control's name: allowed are 1 to 31 small letters, digits and _, as "
            "`v4l2-ctl --list-ctrls` shows them\n"
            "test.conf:4: camera.controls: \"focus-auto\" is no control's name: allowed are 1 to 31 small letters, digits and _, as "
            "`v4l2-ctl --list-ctrls` shows them\n"
            "test.conf:5: camera.controls: \"a23456789012345678901234567890_2\" is no control's name: allowed are 1 to 31 small "
            "letters, digits and _, as `v4l2-ctl --list-ctrls` shows them\n"
            "test.conf:6: camera.controls.gain = true: allowed is a whole number\n"
            "test.conf:7: camera.controls.b = \"x\": allowed is a whole number\n"
            "test.conf:8: camera.controls.c = 1.5: allowed is a whole number\n");
}

static void test_holidays(void **state)
{
    struct fixture *f = *state;
    const struct schedule *schedule = &f->settings.journal.policy.schedule;
    accepted(f, FIRST "schedule = { holidays = [ \"2026-09-02\", \"2025-12-31\", \"2026-01-01\" ]; };");
    assert_int_equal(schedule->holidays_count, 3);
    assert_int_equal(schedule->holidays[0], 20453); /* sorted */
    assert_int_equal(schedule->holidays[1], 20454);
    assert_int_equal(schedule->holidays[2], 20698);
    refused(f, FIRST "schedule = { holidays = [ \"2026-01-01\",\n \"2026-02-29\",\n \"1.5.2026\",\n \"2026-01-01\" ]; };",
            "test.conf:3: schedule.holidays: entry 2, \"2026-02-29\": allowed is a day in quotes as YYYY-MM-DD, like "
            "\"2026-02-17\"\n"
            "test.conf:4: schedule.holidays: entry 3, \"1.5.2026\": allowed is a day in quotes as YYYY-MM-DD, like "
            "\"2026-02-17\"\n"
            "test.conf:5: schedule.holidays: entry 4, \"2026-01-01\": allowed is each day once; this one stands there "
            "already\n");
    refused(f, FIRST "schedule = { holidays = [ 20260101 ]; };",
            "test.conf:2: schedule.holidays: entry 1, 20260101: allowed is a day in quotes as YYYY-MM-DD, like "
            "\"2026-02-17\"\n");
    refused(f, FIRST "schedule = {\n holidays = { }; };",
            "test.conf:3: schedule.holidays = a group or list: allowed is a list of up to 128 days: [ \"2026-02-17\", … "
            "]\n");
}

/* 128 days and not one more. */
static void test_how_many_holidays(void **state)
{
    struct fixture *f = *state;
    for (int most = HOLIDAYS_MAX; most <= HOLIDAYS_MAX + 1; most++) {
        size_t used = (size_t)snprintf(f->text, TEXT_MAX, FIRST "schedule = { holidays = [");
        for (int i = 0; i < most; i++)
            used += (size_t)snprintf(f->text + used, TEXT_MAX - used, "%s \"%d-%02d-%02d\"", i ? "," : "", 2026 + i / 280,
                                     i / 28 % 10 + 1, i % 28 + 1);
        (void)snprintf(f->text + used, TEXT_MAX - used, " ]; };");
        if (most == HOLIDAYS_MAX) {
            accepted(f, f->text);
            assert_int_equal(f->settings.journal.policy.schedule.holidays_count, HOLIDAYS_MAX);
        } else {
            refused(f, f->text, "test.conf:2: schedule.holidays: 129 entries; allowed are up to 128: leave out what is "
                                "over\n");
        }
    }
}

static void test_schedule_rows(void **state)
{
    struct fixture *f = *state;
    const struct schedule *schedule = &f->settings.journal.policy.schedule;
    accepted(f, FIRST "schedule = { rows = ( { }, { group = \"ca đêm\"; days = \"mon,wed-fri\"; from = \"21:30\"; to = "
                      "\"06:30\";\n"
                      " on_holidays = true; } ); };");
    assert_int_equal(schedule->count, 2);
    assert_string_equal(schedule->rows[0].group, "*");
    assert_int_equal(schedule->rows[0].days, 0x7f);
    assert_int_equal(schedule->rows[0].from_min, 0);
    assert_int_equal(schedule->rows[0].to_min, 1440);
    assert_false(schedule->rows[0].on_holidays);
    assert_string_equal(schedule->rows[1].group, "ca đêm");
    assert_int_equal(schedule->rows[1].days, 0x1d);
    assert_int_equal(schedule->rows[1].from_min, 21 * 60 + 30);
    assert_int_equal(schedule->rows[1].to_min, 6 * 60 + 30);
    assert_true(schedule->rows[1].on_holidays);
}

static void test_schedule_rows_refused(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *row, *said;
    } bad[] = {
        {"group = \"\";", "schedule.rows.group = \"\": allowed is \"*\", or a group's name of 1 to 32 bytes without * "
                          "and without "
                         "spaces at its ends"},
        {"group = \"a*\";", "schedule.rows.group = \"a*\": allowed is \"*\", or a group's name of 1 to 32 bytes without "
                            "* and without "
                           "spaces at its ends"},
        {"group = \" a\";", "schedule.rows.group = \" a\": allowed is \"*\", or a group's name of 1 to 32 bytes without "
                            "* and without "
                           "spaces at its ends"},
        {"group = \"012345678901234567890123456789012\";",
         "schedule.rows.group = \"012345678901234567890123456789012\": allowed is a text in quotes of at most 32 bytes"},
        {"days = \"mo-fr\";",
         "schedule.rows.days = \"mo-fr\": allowed is days like \"mon-fri\", \"sat,sun\", \"mon,wed-fri\" or \"daily\""},
        {"days = \"\";", "schedule.rows.days = \"\": allowed is days like \"mon-fri\", \"sat,sun\", \"mon,wed-fri\" or "
                         "\"daily\""},
        {"from = \"24:00\";", "schedule.rows.from = \"24:00\": allowed is a time from \"00:00\" to \"23:59\""},
        {"from = \"6:00\";", "schedule.rows.from = \"6:00\": allowed is a time from \"00:00\" to \"23:59\""},
        {"from = 600;", "schedule.rows.from = 600: allowed is a text in quotes of at most 15 bytes"},
        {"to = \"24:01\";", "schedule.rows.to = \"24:01\": allowed is a time from \"00:00\" to \"24:00\""},
        {"on_holidays = \"yes\";", "schedule.rows.on_holidays = \"yes\": allowed are true and false"},
        {"holidays = true;",
         "schedule.rows.holidays: unknown key; the keys are in the commented qrgate.conf (qrgated --keys lists them)"},
    };
    char text[512], said[512];
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        (void)snprintf(text, sizeof text, FIRST "schedule = { rows = ( { },\n {\n %s\n } ); };", bad[i].row);
        (void)snprintf(said, sizeof said, "test.conf:4: %s\n", bad[i].said);
        refused(f, text, said);
    }
    refused(f, FIRST "schedule = { rows = (\n 7,\n \"mon-fri\" ); };",
            "test.conf:3: schedule.rows: entry 1, 7: allowed is a row { group = \"*\"; days = \"mon-fri\"; from = "
            "\"06:00\"; to = \"22:00\"; }\n"
            "test.conf:4: schedule.rows: entry 2, \"mon-fri\": allowed is a row { group = \"*\"; days = \"mon-fri\"; "
            "from = \"06:00\"; to = "
            "\"22:00\"; }\n");
    refused(f, FIRST "schedule = { rows = { group = \"*\"; }; };",
            "test.conf:2: schedule.rows = a group or list: allowed is a list of up to 64 rows: ( { group = \"*\"; days "
            "= \"mon-fri\"; "
            "from = \"06:00\"; to = \"22:00\"; }, … )\n");
}

static void test_how_many_rows(void **state)
{
    struct fixture *f = *state;
    for (int most = SCHEDULE_ROWS_MAX; most <= SCHEDULE_ROWS_MAX + 1; most++) {
        size_t used = (size_t)snprintf(f->text, TEXT_MAX, FIRST "schedule = { rows = (");
        for (int i = 0; i < most; i++)
            used += (size_t)snprintf(f->text + used, TEXT_MAX - used, "%s { group = \"g%d\"; days = \"daily\"; from = "
                                                                      "\"00:00\"; to = \"24:00\"; on_holidays = true; }",
                                     i ? "," : "", i);
        (void)snprintf(f->text + used, TEXT_MAX - used, " ); };");
        if (most == SCHEDULE_ROWS_MAX) {
            accepted(f, f->text);
            assert_int_equal(f->settings.journal.policy.schedule.count, SCHEDULE_ROWS_MAX);
            assert_string_equal(f->settings.journal.policy.schedule.rows[63].group, "g63");
        } else {
            refused(f, f->text, "test.conf:2: schedule.rows: 65 entries; allowed are up to 64: leave out what is over\n");
        }
    }
}

/* ---- the whole file -------------------------------------------------------------------------------------------------- */

static void test_unknown_and_moved_keys(void **state)
{
    struct fixture *f = *state;
    refused(f, FIRST "policy = { validity_s = 3600; };",
            "test.conf:2: policy.validity_s: this key has moved: write it as declaration.validity_s (the same values "
            "are allowed)\n");
    refused(f, FIRST "policy = { revoked = \"open\"; };\nlock = 5;\nsiet = 1;",
            "test.conf:2: policy.revoked: unknown key; the keys are in the commented qrgate.conf (qrgated --keys lists "
            "them)\n"
            "test.conf:3: lock: allowed is a group { … } here\n"
            "test.conf:4: siet: unknown key; the keys are in the commented qrgate.conf (qrgated --keys lists them)\n");
    refused(f, FIRST "declaration = { on = [ \"fever\" ]; };", "test.conf:2: declaration.on: allowed is a group { … } "
                                                               "here\n");
    refused(f, FIRST "mqtt = { port = 1; port = 2; };",
            "test.conf:2: duplicate setting name; libconfig syntax is  key = value;  and  group = { … };\n");
    refused(f, FIRST "mqtt = = { };", "test.conf:2: syntax error; libconfig syntax is  key = value;  and  group = { … "
                                      "};\n");
}

static void test_what_one_key_alone_cannot_say(void **state)
{
    struct fixture *f = *state;
    refused(f, "lines = { driver = \"sim\"; };",
            "test.conf: site and lane are required: site = \"factory-2\"; lane = \"lane1\";\n");
    refused(f, "\nsite = \"s\"; lines = { driver = \"sim\"; };",
            "test.conf:2: site and lane are required: site = \"factory-2\"; lane = \"lane1\";\n");
    refused(f, "site = \"s\"; lane = \"l\"; camera = {\n driver = \"replay\"; };",
            "test.conf:2: camera.driver = \"replay\" needs camera.replay.folder\n"
            "test.conf: lines.driver = \"gpiod\" needs lines.relay.line, or at a checkpoint without a turnstile "
            "lines.buzzer.line\n");
    refused(f, FIRST "antipassback = { seconds = 60;\n presence = \"hold\"; };\noccupancy = { limit = 200; };",
            "test.conf:3: antipassback.presence needs to know which way this lane leads: add direction = \"in\"; or "
            "\"out\"\n"
            "test.conf:4: occupancy.limit needs to know which way this lane leads: add direction = \"in\"; or \"out\"\n");
    accepted(f, FIRST "direction = \"out\"; antipassback = { presence = \"hold\"; }; occupancy = { limit = 200; };");
    accepted(f, FIRST "antipassback = { seconds = 60; presence = \"open\"; }; occupancy = { limit = 0; };");
    refused(f, FIRST "certificate = { vaccination_from_days = 271; recovery_until_days = 10; };",
            "test.conf: certificate.vaccination_until_days must not be less than vaccination_from_days (0 = no bound): "
            "no vaccination "
            "would count\n"
            "test.conf:2: certificate.recovery_until_days must not be less than recovery_from_days (0 = no bound): no "
            "recovery would "
            "count\n");
    accepted(f, FIRST "certificate = { vaccination_from_days = 270; recovery_until_days = 11; };");
}

#define GPIOD "site = \"s\"; lane = \"l\"; lines = {\n driver = \"gpiod\"; "
#define NO_RELAY_FOR_SENSOR "lines.rotation.line is the sensor of a turnstile: name its relay in lines.relay.line too, or leave " \
                            "the sensor out\n"
#define NO_FIRST_RELAY "lines.relay_out.line is the relay of an arm's second direction: name the first in lines.relay.line, or " \
                       "only that one\n"
#define NOTHING_TO_LOCK "turnstile.wiring = \"fail-safe\" needs lines.relay.line: there is nothing to lock\n"

static void has(const struct fixture *f, bool relay, bool sensor, bool two_directions)
{
    assert_int_equal(f->settings.lane_settings.has_relay, relay);
    assert_int_equal(f->settings.lane_settings.has_sensor, sensor);
    assert_int_equal(f->settings.journal.has_sensor, sensor);
    assert_int_equal(f->settings.mqtt.has_sensor, sensor);
    assert_int_equal(f->settings.lane_settings.two_directions, two_directions);
}

static void test_what_is_wired_is_what_the_lane_has(void **state)
{
    struct fixture *f = *state;
    accepted(f, GPIOD "relay = { line = \"R\"; }; };");
    has(f, true, false, false);
    accepted(f, GPIOD "relay = { line = \"R\"; }; relay_out = { line = \"O\"; }; rotation = { line = \"T\"; }; };");
    has(f, true, true, true);
    accepted(f, GPIOD "buzzer = { line = \"B\"; }; };");
    has(f, false, false, false);
    accepted(f, FIRST);
    has(f, true, false, false);
    accepted(f, "site = \"s\"; lane = \"l\"; lines = { driver = \"sim\"; rotation = { line = \"sim\"; }; relay_out = { line = "
                "\"sim\"; }; };");
    has(f, true, true, true);
    accepted(f, "site = \"s\"; lane = \"l\"; lines = { driver = \"sim\"; buzzer = { line = \"sim\"; }; };");
    has(f, false, false, false);
}

static void test_wires_that_do_not_fit_each_other(void **state)
{
    struct fixture *f = *state;
    refused(f, GPIOD "buzzer = { line = \"B\"; };\n rotation = { line = \"T\"; }; };", "test.conf:3: " NO_RELAY_FOR_SENSOR);
    refused(f, "site = \"s\"; lane = \"l\"; lines = { driver = \"sim\"; buzzer = { line = \"B\"; };\n rotation = { line = \"T\"; }; };",
            "test.conf:2: " NO_RELAY_FOR_SENSOR);
    refused(f, GPIOD "buzzer = { line = \"B\"; };\n relay_out = { line = \"O\"; }; };", "test.conf:3: " NO_FIRST_RELAY);
    refused(f, GPIOD "buzzer = { line = \"B\"; }; };\nturnstile = { wiring = \"fail-safe\"; };", "test.conf:3: " NOTHING_TO_LOCK);
    accepted(f, GPIOD "relay = { line = \"R\"; }; };\nturnstile = { wiring = \"fail-safe\"; relay = \"level\"; };");
    refused(f, GPIOD "relay = { line = \"R\"; };\n guard = { line = \"G\"; }; };",
            "test.conf:3: lines.guard.line says who presses the button: name that in lines.button.line too\n");
    accepted(f, GPIOD "relay = { line = \"R\"; }; button = { line = \"P\"; }; guard = { line = \"G\"; }; };");
}

/* Whichever way the contact is wired, a cut wire must be a fire. */
static void test_a_cut_fire_wire_reads_as_fire(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *fire;
        bool good;
    } rows[] = {
        {"", true}, /* the defaults */
        {"active_low = false; bias = \"pull-up\";", true},
        {"active_low = true; bias = \"pull-down\";", true},
        {"active_low = false; bias = \"as-is\";", true}, /* a resistor of its own */
        {"active_low = true; bias = \"as-is\";", true},
        {"active_low = true; bias = \"pull-up\";", false},
        {"active_low = false; bias = \"pull-down\";", false},
    };
    char text[256];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        (void)snprintf(text, sizeof text, GPIOD "relay = { line = \"R\"; };\n fire = { line = \"F\"; %s }; };", rows[i].fire);
        if (rows[i].good)
            accepted(f, text);
        else
            refused(f, text, "test.conf:3: lines.fire: a cut wire would read as no fire: use a contact that is closed at rest, to "
                             "ground with bias = \"pull-up\" and active_low = false, or to 3.3 V with \"pull-down\" and true\n");
    }
    accepted(f, GPIOD "relay = { line = \"R\"; }; fire = { active_low = true; }; };"); /* not wired */
}

static void test_times_that_do_not_fit_each_other(void **state)
{
    struct fixture *f = *state;
    refused(f, FIRST "lane_timing = { pulse_ms = 3000;\n passage_wait_ms = 2999; };",
            "test.conf:3: lane_timing.passage_wait_ms must not be less than pulse_ms: a passage would be over before its pulse\n");
    accepted(f, FIRST "lane_timing = { pulse_ms = 3000; passage_wait_ms = 3000; };");
    accepted(f, FIRST "lane_timing = { pulse_ms = 3000; passage_wait_ms = 2999; }; turnstile = { relay = \"level\"; };");
    refused(f, FIRST "lane_timing = { long_press_ms = 6000;\n stuck_ms = 6000; };",
            "test.conf:3: lane_timing.stuck_ms must be more than long_press_ms: each long press would be an alarm\n");
    accepted(f, FIRST "lane_timing = { long_press_ms = 6000; stuck_ms = 6001; };");
    refused(f, FIRST "mqtt = { cert_file = \"/c\"; };",
            "test.conf:2: mqtt.cert_file is for TLS: name in mqtt.ca_file who signed the broker's certificate, or leave it out\n");
    refused(f, FIRST "mqtt = { ca_file = \"/ca\";\n key_file = \"/k\"; };",
            "test.conf:3: mqtt.key_file needs its certificate in mqtt.cert_file\n");
}

/* Each signal by its name, and none without a key. */
static void test_signals_go_by_their_names(void **state)
{
    struct settings_table table = settings_keys();
    (void)state;
    for (enum signal i = SIGNAL_NONE; i < SIGNAL_COUNT; i++) {
        char path[64];
        (void)snprintf(path, sizeof path, "signals.%s.repeats", signal_name(i));
        const struct settings_key *found = NULL;
        for (size_t k = 0; k < table.count; k++)
            if (strcmp(table.keys[k].path, path) == 0)
                found = &table.keys[k];
        if (i == SIGNAL_NONE) {
            assert_null(found);
            continue;
        }
        if (found == NULL)
            fail_msg("there is no %s", path);
        assert_int_equal(found->offset, offsetof(struct settings, lane_settings.patterns) + i * sizeof(struct signal_pattern) +
                                            offsetof(struct signal_pattern, repeats));
    }
}

#define PAUSES "tones without a pause are one long tone: tone_off_ms is 40 or more, or repeats is 1"

static void test_signals_end_and_have_pauses(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *name, *row, *said; /* NULL: accepted */
    } rows[] = {
        {"open", "repeats = 0;", "this signal is said once and must end: repeats is 1 to 20"},
        {"unreadable", "lamp_ms = 0;", "this signal is said once and must end: lamp_ms is 1 to 60000"},
        {"hold", "tone_on_ms = 5000; tone_off_ms = 2501;",
         "this signal is said once: (tone_on_ms + tone_off_ms) * repeats is at most 15000"},
        {"hold", "tone_on_ms = 5000; tone_off_ms = 2500;", NULL},
        {"hold", "tone_off_ms = 39;", PAUSES},
        {"hold", "tone_off_ms = 40;", NULL},
        {"open", "tone_off_ms = 0;", NULL},
        {"emergency", "tone_off_ms = 0;", PAUSES}, /* it would never pause */
        {"emergency", "tone_on_ms = 5000; tone_off_ms = 40;", NULL},
        {"hold_open", "tone_off_ms = 600000;", NULL},
        {"lock_down", "tone_off_ms = 0;", NULL}, /* silent */
        {"alarm", "blink_ms = 49;", "blink_ms is 0 (steady) or 50 to 5000"},
    };
    char text[256], said[256];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        (void)snprintf(text, sizeof text, FIRST "signals = {\n %s = { %s }; };", rows[i].name, rows[i].row);
        (void)snprintf(said, sizeof said, "test.conf:3: signals.%s: %s\n", rows[i].name, rows[i].said ? rows[i].said : "");
        if (rows[i].said == NULL)
            accepted(f, text);
        else
            refused(f, text, said);
    }
}

#define ALIKE " sound alike: make repeats differ, or tone_on_ms by a half or more, or silence one (tone_on_ms = 0)\n"

static void test_signals_differ_by_ear(void **state)
{
    struct fixture *f = *state;
    static const char *const apart[] = {"open", "hold", "deny", "wrong_code", "unreadable", "too_far", "glare", "moving"};
    char said[256];
    for (size_t i = 0; i < sizeof apart / sizeof apart[0]; i++)
        for (size_t k = i + 1; k < sizeof apart / sizeof apart[0]; k++) {
            for (int on_ms = 1000; on_ms <= 1600; on_ms += 200) {
                (void)snprintf(f->text, TEXT_MAX, FIRST "signals = {\n %s = { tone_on_ms = 1000; tone_off_ms = 100; repeats = 5; };\n"
                                                        " %s = { tone_on_ms = %d; tone_off_ms = 120; repeats = 5; }; };",
                               apart[i], apart[k], on_ms);
                (void)snprintf(said, sizeof said, "test.conf:4: signals.%s and signals.%s" ALIKE, apart[i], apart[k]);
                if (on_ms < 1500)
                    refused(f, f->text, said);
                else
                    accepted(f, f->text);
            }
        }
    refused(f, FIRST "signals = {\n deny = { tone_on_ms = 150; }; };", "test.conf:3: signals.open and signals.deny" ALIKE);
    /* One tone, and long after it another: who is refused hears the same. */
    refused(f, FIRST "signals = { deny = { tone_on_ms = 500; }; };", "test.conf:2: signals.deny and signals.out_of_order" ALIKE);
    accepted(f, FIRST "signals = { deny = { tone_on_ms = 500; };\n out_of_order = { tone_off_ms = 1999; }; };");
    /* A silent school. */
    accepted(f, FIRST "signals = { open = { tone_on_ms = 0; }; hold = { tone_on_ms = 0; }; deny = { tone_on_ms = 0; }; };");
}

static void test_defaults(void **state)
{
    struct fixture *f = *state;
    const struct settings *s = &f->settings;
    const struct policy *policy = &s->journal.policy;
    accepted(f, FIRST);
    static const enum verdict_action by_status[STATUS_COUNT] = {
        [STATUS_NONE] = VERDICT_HOLD, [STATUS_GREEN] = VERDICT_OPEN,  [STATUS_YELLOW] = VERDICT_HOLD, [STATUS_RED] = VERDICT_DENY,
        [STATUS_EXPIRED] = VERDICT_HOLD, [STATUS_REVOKED] = VERDICT_DENY, [STATUS_WHITE] = VERDICT_HOLD};
    assert_memory_equal(policy->by_status, by_status, sizeof by_status);
    assert_int_equal(policy->direction, DIRECTION_NONE);
    assert_int_equal(policy->clock_untrusted, CLOCK_POLICY_HOLD);
    assert_int_equal(policy->clock_skew_s, 60);
    assert_true(policy->exit_open);
    assert_int_equal(policy->number_mismatch, VERDICT_OPEN);
    assert_int_equal(policy->declaration.validity_s, 259200);
    assert_false(policy->declaration.since_midnight);
    assert_int_equal(policy->declaration.symptom_window_s, 14 * 86400);
    assert_int_equal(policy->declaration.contact_window_s, 21 * 86400);
    assert_int_equal(policy->declaration.travel_window_s, 14 * 86400);
    static const enum declaration_status on_symptom[SYMPTOM_COUNT] = {STATUS_RED, STATUS_YELLOW, STATUS_RED,
                                                                      STATUS_RED, STATUS_YELLOW, STATUS_YELLOW};
    static const enum declaration_status on_contact[CONTACT_COUNT] = {STATUS_RED, STATUS_YELLOW, STATUS_YELLOW};
    assert_memory_equal(policy->declaration.on_symptom, on_symptom, sizeof on_symptom);
    assert_memory_equal(policy->declaration.on_contact, on_contact, sizeof on_contact);
    assert_int_equal(policy->declaration.on_travel, STATUS_NONE);
    assert_true(policy->health.accept && policy->health.all_doses);
    assert_int_equal(s->eye.decoders.count, 1);
    assert_int_equal(s->eye.decoders.kinds[0], DECODER_ZBAR);
    assert_int_equal(s->eye.exposure, EYE_EXPOSURE_OFF);
    assert_int_equal(s->eye.v4l2.controls.count, 0);
    assert_int_equal(policy->health.products_count, 0);
    assert_int_equal(policy->health.vaccination_from_days, 14);
    assert_int_equal(policy->health.vaccination_until_days, 270);
    assert_int_equal(policy->health.molecular_test_hours, 72);
    assert_int_equal(policy->health.antigen_test_hours, 48);
    assert_int_equal(policy->health.recovery_from_days, 11);
    assert_int_equal(policy->health.recovery_until_days, 180);
    assert_int_equal(policy->health.unmet, VERDICT_HOLD);
    assert_int_equal(policy->schedule.count + policy->schedule.holidays_count, 0);
    assert_int_equal(policy->outside_schedule, VERDICT_HOLD);
    assert_int_equal(policy->antipassback_s, 0);
    assert_int_equal(policy->antipassback_time, VERDICT_DENY);
    assert_int_equal(policy->antipassback_presence, VERDICT_OPEN);
    assert_int_equal(policy->occupancy_limit, 0);
    assert_int_equal(policy->occupancy_full, VERDICT_HOLD);
    assert_int_equal(policy->refusals_lock, 0);
    assert_int_equal(policy->refusals_lock_s, 60);
    assert_int_equal(s->mqtt.session_expiry_s, 30 * 86400);
    assert_true(s->mqtt.enabled && s->mqtt.follow && s->mqtt.declarations);
    assert_int_equal(s->mqtt.port, 1883);
    assert_string_equal(s->mqtt.client_id, "qrgate-s-l");
    assert_string_equal(s->journal.lane, "l");
    has(f, true, false, false);
    struct lane_settings lane;
    lane_defaults(&lane);
    assert_memory_equal(&s->lane_settings, &lane, sizeof lane);
    assert_int_equal(lane.passage_wait_ms, 5000);
    assert_int_equal(lane.held_alarm_ms, 10000);
    assert_int_equal(lane.unreadable_ms, 3000);
    for (int i = LINE_BUTTON; i < LINE_IN_COUNT; i++) {
        assert_int_equal(s->lines.in[i].bias, i == LINE_BUTTON ? LINE_BIAS_AS_IS : LINE_BIAS_PULL_UP);
        assert_int_equal(s->lines.in[i].active_low, i == LINE_ROTATION || i == LINE_GUARD || i == LINE_SERVICE);
    }
    assert_false(s->journal.trust.has_rotation_key);
    assert_string_equal(s->journal.path, "/var/lib/qrgate/journal.db");
}

/* ---- the commented file ---------------------------------------------------------------------------------------------- */

static size_t commented_file(char *dst)
{
    FILE *file = fopen("config/qrgate.conf", "re");
    assert_non_null(file); /* run from the repository's root */
    size_t length = fread(dst, 1, TEXT_MAX - 1, file);
    assert_int_equal(fclose(file), 0);
    assert_in_range(length, 1000, SETTINGS_FILE_MAX_BYTES);
    dst[length] = '\0';
    return length;
}

/* Takes "# " off the lines that begin with it: their keys are then in force. "## " explains, and stays a comment. */
static void uncomment(char *text)
{
    char *to = text;
    for (char *line = text; *line != '\0';) {
        char *end = strchrnul(line, '\n'), *from = line + strspn(line, " ");
        if (from[0] == '#' && from[1] == ' ')
            from += 2;
        size_t length = (size_t)(end - from) + (*end == '\n');
        line = end + (*end == '\n');
        memmove(to, from, length);
        to += length;
    }
    *to = '\0';
}

static void test_the_commented_file_is_the_defaults(void **state)
{
    struct fixture *f = *state;
    (void)commented_file(f->text);
    accepted(f, f->text);
    struct settings commented = f->settings;
    uncomment(f->text);
    accepted(f, f->text);
    struct settings *all = &f->settings;
    struct policy *policy = &all->journal.policy;
    /* The examples. */
    assert_int_equal(policy->schedule.count, 4);
    assert_int_equal(policy->schedule.holidays_count, 7);
    assert_string_equal(policy->schedule.rows[1].group, "night");
    assert_int_equal(policy->schedule.rows[1].days, 0x4f); /* sun-thu goes over the week's end */
    assert_true(policy->schedule.rows[3].on_holidays);
    memset(&policy->schedule, 0, sizeof policy->schedule);
    assert_string_equal(all->eye.replay.folder, "/srv/pictures");
    assert_int_equal(all->eye.v4l2.controls.count, 4);
    assert_string_equal(all->eye.v4l2.controls.list[1].name, "exposure_absolute");
    memset(&all->eye.v4l2.controls, 0, sizeof all->eye.v4l2.controls);
    assert_string_equal(all->mqtt.client_id, "gate-3");
    has(f, true, true, true);
    assert_string_equal(all->lines.in[LINE_FIRE].name, "GPIO6");
    for (int i = LINE_BUTTON + 1; i < LINE_IN_COUNT; i++) {
        assert_int_not_equal(all->lines.in[i].name[0], '\0');
        memset(all->lines.in[i].name, 0, sizeof all->lines.in[i].name);
    }
    memset(all->lines.out[LINE_RELAY_OUT].name, 0, sizeof all->lines.out[LINE_RELAY_OUT].name);
    all->lane_settings.has_sensor = all->lane_settings.two_directions = false;
    all->journal.has_sensor = all->mqtt.has_sensor = false;
    memset(&all->eye.replay.folder, 0, sizeof all->eye.replay.folder);
    (void)snprintf(all->mqtt.client_id, sizeof all->mqtt.client_id, "%s", commented.mqtt.client_id);
    memset(commented.mqtt.client_id + strlen(commented.mqtt.client_id), 0,
           sizeof commented.mqtt.client_id - strlen(commented.mqtt.client_id));
    assert_memory_equal(&all->journal.policy, &commented.journal.policy, sizeof commented.journal.policy);
    assert_memory_equal(&all->eye, &commented.eye, sizeof commented.eye);
    assert_memory_equal(&all->lane_settings, &commented.lane_settings, sizeof commented.lane_settings);
    assert_string_equal(all->mqtt.client_id, commented.mqtt.client_id);
    all->mqtt = commented.mqtt;
    assert_memory_equal(all, &commented, sizeof commented);
}

/* Every key stands in it, but for a lamp's polarity, which is shown at the relay. */
static void test_the_commented_file_has_every_key(void **state)
{
    struct fixture *f = *state;
    struct settings_table tables[] = {settings_keys(), settings_row_keys()};
    config_t config;
    (void)commented_file(f->text);
    uncomment(f->text);
    config_init(&config);
    assert_int_equal(config_read_string(&config, f->text), CONFIG_TRUE);
    for (size_t t = 0; t < 2; t++)
        for (size_t i = 0; i < tables[t].count; i++) {
            const char *path = tables[t].keys[i].path;
            char place[80];
            (void)snprintf(place, sizeof place, "%s%s", t == 1 ? "schedule.rows.[3]" : path, t == 1 ? strrchr(path, '.') : "");
            if (config_lookup(&config, place) == NULL && strncmp(path, "lines.lamp_", 11) != 0)
                fail_msg("%s isn't in config/qrgate.conf", path);
        }
    config_destroy(&config);
}

static void test_keys_lists_every_key(void **state)
{
    char *text = NULL;
    size_t bytes = 0;
    (void)state;
    FILE *out = open_memstream(&text, &bytes);
    assert_non_null(out);
    settings_print_keys(out);
    assert_int_equal(fclose(out), 0);
    static const char *const wanted[] = {
        "site                                 name\n",
        "camera.device                        text\n",
        "mqtt.session_expiry_s                whole number 60 to 31536000\n",
        "declaration.symptom_window_days      whole number 1 to 60\n",
        "policy.white                         open|hold|deny\n",
        "certificate.unmet                    hold|deny\n",
        "certificate.products                 a list of up to 16 products: [ \"EU/1/20/1528\", … ]\n",
        "schedule.holidays                    a list of up to 128 days: ",
        "schedule.rows                        a list of up to 64 rows: ",
        "schedule.rows.on_holidays            true or false\n",
        "certificate.vaccination_until_days   whole number 0 to 3650\n",
    };
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
        if (strstr(text, wanted[i]) == NULL)
            fail_msg("--keys lacks: %s", wanted[i]);
    free(text);
}

/* ---- what libconfig must not be asked -------------------------------------------------------------------------------- */

#define INCLUDE_SAID "a line that begins with @: @include is not allowed, write everything into this one file\n"

static void test_no_input_reaches_a_file(void **state)
{
    struct fixture *f = *state;
    char path[] = "/tmp/qrgate-settings-XXXXXX", text[512];
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    static const char included[] = "direction = \"in\";\n";
    assert_int_equal(write(fd, included, sizeof included - 1), sizeof included - 1);
    assert_int_equal(close(fd), 0);
    static const char *const before[] = {"", "\n", "\n \t", "\r\n", "# x\n", "/* x\n*/\n", "\n\r", "\n\f\v"};
    for (size_t i = 0; i < sizeof before / sizeof before[0]; i++) {
        int lines = 1;
        for (const char *at = before[i]; *at != '\0'; at++)
            lines += *at == '\n';
        (void)snprintf(text, sizeof text, "%s@include \"%s\"\n" FIRST, before[i], path);
        char said[256];
        (void)snprintf(said, sizeof said, "test.conf:%d: " INCLUDE_SAID, lines);
        refused(f, text, said);
    }
    refused(f, FIRST "@include_dir \"/etc\"\n", "test.conf:2: " INCLUDE_SAID);
    /* Not at a line's beginning it is no directive for libconfig, but nonsense or a comment. */
    (void)snprintf(text, sizeof text, "direction = \"out\"; @include \"%s\"\n" FIRST, path);
    refused(f, text, "test.conf:1: syntax error; libconfig syntax is  key = value;  and  group = { … };\n");
    accepted(f, "# @include \"/etc/passwd\"\n// @include\n" FIRST "/* @include */ mqtt = { username = \"a@include\"; };");
    assert_int_equal(unlink(path), 0);
}

/* libconfig 1.5 would take the first for 1883. */
static void test_numbers_do_not_wrap(void **state)
{
    struct fixture *f = *state;
    refused(f, FIRST "mqtt = { port = 4294969179; };",
            "test.conf:2: 4294969179: the number is too large; no key takes more than 2147483647\n");
    refused(f, FIRST "mqtt = { port = 0x10000075b; };",
            "test.conf:2: 0x10000075b: the number is too large; no key takes more than 2147483647\n");
    refused(f, FIRST "mqtt = { port = 99999999999999999999999999999999999999999999999999L; };",
            "test.conf:2: 9999999999999999999999999999999999999999: the number is too large; no key takes more than "
            "2147483647\n");
    refused(f, FIRST "mqtt = {\n port = -4294965413; };",
            "test.conf:3: 4294965413: the number is too large; no key takes more than 2147483647\n");
    accepted(f, FIRST "mqtt = { port = 0x75b; keepalive_s = 30L; }; # 99999999999\n /* 99999999999 */ trust = { folder = "
                      "\"/99999999999\\\"99999999999\"; };");
    assert_int_equal(f->settings.mqtt.port, 1883);
    accepted(f, FIRST "journal = { path = \"a//b\\\\\"; }; // 99999999999\n");
    assert_string_equal(f->settings.journal.path, "a//b\\");
}

static void test_what_never_ends(void **state)
{
    struct fixture *f = *state;
    refused(f, FIRST "trust = { folder = \"/a\n;\n };\n", "test.conf:2: a text begins here that no \" ends\n");
    refused(f, FIRST "\ntrust = { folder = \"/a\\\"; };\n", "test.conf:3: a text begins here that no \" ends\n");
    refused(f, FIRST "\n/* trust = { folder = \"/a\"; };\n#*\n/", "test.conf:3: a comment begins here that no */ ends\n");
    accepted(f, FIRST "/* \" */ # /* \"\n// \"\n");
}

static void test_texts_that_are_no_configuration(void **state)
{
    struct fixture *f = *state;
    static const char nul[] = FIRST "\0mqtt = 3;";
    assert_int_equal(read_bytes(f, nul, sizeof nul - 1), -EINVAL);
    assert_string_equal(f->said, "test.conf:1: a NUL byte in it; a configuration is text: give the right file with "
                                 "--config\n");
    assert_int_equal(read_bytes(f, "", 0), -EINVAL);
    assert_non_null(strstr(f->said, "site and lane are required"));
    accepted(f, FIRST "# a comment that no newline ends");

    (void)snprintf(f->text, TEXT_MAX, FIRST "#");
    size_t used = strlen(f->text);
    memset(f->text + used, 'x', SETTINGS_FILE_MAX_BYTES + 1 - used);
    assert_int_equal(read_bytes(f, f->text, SETTINGS_FILE_MAX_BYTES), 0);
    assert_int_equal(read_bytes(f, f->text, SETTINGS_FILE_MAX_BYTES + 1), -EINVAL);
    assert_string_equal(f->said, "test.conf: more than 65536 bytes; is this the right file?\n");
}

/* libconfig looks each name up among those before it in its group, and keeps some 100 bytes for each. */
static void test_a_flood_of_settings_is_refused_unparsed(void **state)
{
    struct fixture *f = *state;
    size_t used = 0;
    for (int i = 0; i < 65; i++)
        used += (size_t)snprintf(f->text + used, TEXT_MAX - used, "a%d %c 1;", i, i % 2 ? '=' : ':');
    refused(f, f->text, "test.conf:1: more than 64 settings in one group; is this the right file?\n");
    used = 0;
    for (int i = 0; i < 65; i++) /* groups beside each other are counted each for itself, but they are keys of the root */
        used += (size_t)snprintf(f->text + used, TEXT_MAX - used, "a%d = { b = 1; c = 2; };\n", i);
    refused(f, f->text, "test.conf:65: more than 64 settings in one group; is this the right file?\n");
    refused(f, "a={a={a={a={a={a={a={a={a={a=1;};};};};};};};};};",
            "test.conf:1: more than 8 groups within each other; is this the right file?\n");
    assert_int_equal(read_text(f, "a={a={a={a={a={a={a={a={a=1;};};};};};};};};}}"), -EINVAL);
    assert_null(strstr(f->said, "within each other"));
    memset(f->text, '(', 60000);
    f->text[60000] = '\0';
    refused(f, f->text, "test.conf:1: more than 2000 settings; is this the right file?\n");
}

static void test_only_the_first_mistakes_are_printed(void **state)
{
    struct fixture *f = *state;
    size_t used = 0;
    for (int i = 0; i < 60; i++)
        used += (size_t)snprintf(f->text + used, TEXT_MAX - used, "x%d = 1;\n", i);
    assert_int_equal(read_text(f, f->text), -EINVAL);
    int lines = 0;
    for (const char *at = f->said; *at != '\0'; at++)
        lines += *at == '\n';
    assert_int_equal(lines, SETTINGS_MISTAKES_MAX + 1);
    assert_non_null(strstr(f->said, "test.conf:50: x49: unknown key"));
    assert_string_equal(strstr(f->said, "test.conf: "), "test.conf: there are more mistakes; mend these first\n");
}

/* ---- files ----------------------------------------------------------------------------------------------------------- */

static int load(struct fixture *f, const char *path)
{
    size_t said_bytes = 0;
    free(f->said);
    f->said = NULL;
    FILE *errors = open_memstream(&f->said, &said_bytes);
    assert_non_null(errors);
    int r = settings_load(path, &f->settings, errors);
    assert_int_equal(fclose(errors), 0);
    return r;
}

static void test_files(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(load(f, "config/qrgate.conf"), 0);
    assert_string_equal(f->said, "");
    assert_int_equal(load(f, "/tmp/there is no such file"), -ENOENT);
    assert_string_equal(f->said, "/tmp/there is no such file: No such file or directory; give the right file with "
                                 "--config, or let the "
                                 "qrgate user read it\n");
    assert_int_equal(load(f, "/tmp"), -EISDIR);
    assert_int_equal(load(f, "/dev/zero"), -EINVAL); /* endless */
    assert_string_equal(f->said, "/dev/zero: more than 65536 bytes; is this the right file?\n");
}

static void test_keys_are_loaded_and_wiped(void **state)
{
    struct fixture *f = *state;
    char folder[] = "/tmp/qrgate-settings-XXXXXX", why[128] = "";
    uint8_t rotation_key[ROTATING_KEY_BYTES], zeros[sizeof(struct credential_trust)] = {0};
    assert_non_null(mkdtemp(folder));
    accepted(f, FIRST);
    (void)snprintf(f->settings.site_key_file, sizeof f->settings.site_key_file, "%s/site.key", folder);
    (void)snprintf(f->settings.trust_folder, sizeof f->settings.trust_folder, "%s", folder);
    free(f->said);
    f->said = NULL;
    size_t said_bytes = 0;
    FILE *errors = open_memstream(&f->said, &said_bytes);
    assert_non_null(errors);
    assert_int_equal(settings_load_keys(&f->settings, false, errors), -ENOENT);
    assert_false(f->settings.journal.trust.has_rotation_key);
    settings_free_keys(&f->settings); /* also when nothing was loaded */
    assert_int_equal(settings_load_keys(&f->settings, true, errors), 0);
    assert_int_equal(fclose(errors), 0);
    assert_non_null(strstr(f->said, "site.key"));

    uint8_t site_key[SITE_KEY_BYTES];
    assert_int_equal(site_key_load(f->settings.site_key_file, site_key, why, sizeof why), 0);
    assert_memory_equal(f->settings.journal.site_key, site_key, sizeof site_key);
    rotating_key_from_site_key(site_key, rotation_key);
    assert_true(f->settings.journal.trust.has_rotation_key);
    assert_memory_equal(f->settings.journal.trust.rotation_key, rotation_key, sizeof rotation_key);
    settings_free_keys(&f->settings);
    assert_memory_equal(f->settings.journal.site_key, zeros, SITE_KEY_BYTES);
    assert_memory_equal(&f->settings.journal.trust, zeros, sizeof f->settings.journal.trust);
    assert_int_equal(unlink(f->settings.site_key_file), 0);
    assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_key_is_stored_where_it_belongs),
        cmocka_unit_test(test_a_key_changes_its_own_member_alone),
        cmocka_unit_test(test_no_key_is_left_untested),
        cmocka_unit_test(test_every_key_says_what_it_allows),
        cmocka_unit_test(test_no_refusal_is_left_untested),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_a_message_shows_whole_characters),
        cmocka_unit_test(test_products),
        cmocka_unit_test(test_decoders),
        cmocka_unit_test(test_controls),
        cmocka_unit_test(test_holidays),
        cmocka_unit_test(test_how_many_holidays),
        cmocka_unit_test(test_schedule_rows),
        cmocka_unit_test(test_schedule_rows_refused),
        cmocka_unit_test(test_how_many_rows),
        cmocka_unit_test(test_unknown_and_moved_keys),
        cmocka_unit_test(test_what_one_key_alone_cannot_say),
        cmocka_unit_test(test_what_is_wired_is_what_the_lane_has),
        cmocka_unit_test(test_wires_that_do_not_fit_each_other),
        cmocka_unit_test(test_a_cut_fire_wire_reads_as_fire),
        cmocka_unit_test(test_times_that_do_not_fit_each_other),
        cmocka_unit_test(test_signals_go_by_their_names),
        cmocka_unit_test(test_signals_end_and_have_pauses),
        cmocka_unit_test(test_signals_differ_by_ear),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_the_commented_file_is_the_defaults),
        cmocka_unit_test(test_the_commented_file_has_every_key),
        cmocka_unit_test(test_keys_lists_every_key),
        cmocka_unit_test(test_no_input_reaches_a_file),
        cmocka_unit_test(test_numbers_do_not_wrap),
        cmocka_unit_test(test_what_never_ends),
        cmocka_unit_test(test_texts_that_are_no_configuration),
        cmocka_unit_test(test_a_flood_of_settings_is_refused_unparsed),
        cmocka_unit_test(test_only_the_first_mistakes_are_printed),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_keys_are_loaded_and_wiped),
    };
    return cmocka_run_group_tests_name("settings", tests, setup, teardown);
}
