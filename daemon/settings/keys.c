/* The table of configuration keys. Called by settings.c. */
#include "daemon/settings/keys.h"

#include "daemon/settings/settings.h"

#define MEMBER(member) offsetof(struct settings, member), sizeof(((struct settings *)NULL)->member)
/* LIVE or RESTART: whether the lane takes a new value while it is at work (reload.c). What is bound to a wire, a file, a
 * connection or a name needs a restart; so does what events on record were judged by (direction). */
#define LIVE KEY_LIVE
#define RESTART KEY_RESTART
#define TEXT(change, path, member) {path, KEY_TEXT, change, MEMBER(member), 0, 0, 1, NULL, NULL}
#define NAME(change, path, member) {path, KEY_NAME, change, MEMBER(member), 0, 0, 1, NULL, NULL}
#define FLAG(change, path, member) {path, KEY_FLAG, change, MEMBER(member), 0, 0, 1, NULL, NULL}
#define INTEGER(change, path, member, lowest, highest)                                                                 \
    {path, KEY_INTEGER, change, MEMBER(member), lowest, highest, 1, NULL, NULL}
#define DAYS_IN_S(change, path, member, lowest, highest)                                                               \
    {path, KEY_INTEGER, change, MEMBER(member), lowest, highest, 86400, NULL, NULL}
#define CHOICE(change, path, member, words) {path, KEY_CHOICE, change, MEMBER(member), 0, 0, 1, words, NULL}
#define ACTION(change, path, member) {path, KEY_CHOICE, change, MEMBER(member), VERDICT_OPEN, 0, 1, "open|hold|deny", NULL}
#define REFUSAL(change, path, member) {path, KEY_CHOICE, change, MEMBER(member), VERDICT_HOLD, 0, 1, "hold|deny", NULL}
#define ANSWER(change, path, member)                                                                                   \
    CHOICE(change, "declaration.on." path, journal.policy.declaration.member, "none|green|yellow|red")
#define LIST(change, path, member, allowed, take) {path, KEY_LIST, change, MEMBER(member), 0, 0, 1, allowed, take}
#define LINE(change, key, member)                                                                                      \
    TEXT(change, "lines." key ".line", lines.member.name), FLAG(change, "lines." key ".active_low", lines.member.active_low)
#define INPUT(change, key, member)                                                                                     \
    LINE(change, key, member), CHOICE(change, "lines." key ".bias", lines.member.bias, "as-is|pull-up|pull-down")
#define SIGNAL(change, key, signal)                                                                                    \
    INTEGER(change, "signals." key ".tone_on_ms", lane_settings.patterns[signal].tone_on_ms, 0, SIGNAL_TONE_ON_MAX_MS),     \
        INTEGER(change, "signals." key ".tone_off_ms", lane_settings.patterns[signal].tone_off_ms, 0, SIGNAL_TONE_OFF_MAX_MS), \
        INTEGER(change, "signals." key ".repeats", lane_settings.patterns[signal].repeats, 0, SIGNAL_REPEATS_MAX),          \
        CHOICE(change, "signals." key ".lamp", lane_settings.patterns[signal].lamp, "none|green|amber|red"),                \
        INTEGER(change, "signals." key ".lamp_ms", lane_settings.patterns[signal].lamp_ms, 0, SIGNAL_LAMP_MAX_MS),          \
        INTEGER(change, "signals." key ".blink_ms", lane_settings.patterns[signal].blink_ms, 0, SIGNAL_BLINK_MAX_MS)

/* The words are stored as numbers, so they must stand in the enumerations' order. */
_Static_assert(VERDICT_OPEN == 0 && VERDICT_HOLD == 1 && VERDICT_DENY == 2, "ACTION, REFUSAL");
_Static_assert(STATUS_NONE == 0 && STATUS_GREEN == 1 && STATUS_YELLOW == 2 && STATUS_RED == 3, "ANSWER");
_Static_assert(DIRECTION_NONE == 0 && DIRECTION_IN == 1 && DIRECTION_OUT == 2, "direction");
_Static_assert(CLOCK_POLICY_HOLD == 0 && CLOCK_POLICY_DENY == 1 && CLOCK_POLICY_OPEN_IF_SIGNATURE_VALID == 2, "clock_untrusted");
_Static_assert(LINE_BIAS_AS_IS == 0 && LINE_BIAS_PULL_UP == 1 && LINE_BIAS_PULL_DOWN == 2, "bias");
_Static_assert(MQTT_PROTOCOL_AUTO == 0 && MQTT_PROTOCOL_5 == 1 && MQTT_PROTOCOL_3_1_1 == 2, "mqtt.protocol");
_Static_assert(LANE_FAIL_SECURE == 0 && LANE_FAIL_SAFE == 1, "turnstile.wiring");
_Static_assert(COMMAND_AUTH_OFF == 0 && COMMAND_AUTH_ACL == 1 && COMMAND_AUTH_SIGNED == 2, "commands.auth");
_Static_assert(EYE_EXPOSURE_OFF == 0 && EYE_EXPOSURE_CODE == 1, "camera.exposure");
_Static_assert(SIGNAL_LAMP_NONE == 0 && SIGNAL_LAMP_GREEN == 1 && SIGNAL_LAMP_AMBER == 2 && SIGNAL_LAMP_RED == 3, "lamp");

#define PLACES                                                                                                             \
    "other|office|industrial_park|factory|school|hospital|station|shop|market|restaurant|lodging|culture_sports|meeting|"    \
    "wedding|funeral"

static const struct settings_key keys[] = {
    NAME(RESTART, "site", site),
    NAME(RESTART, "lane", lane),
    CHOICE(LIVE, "place.kind", place.kind, PLACES),
    TEXT(LIVE, "place.name", place.name),
    TEXT(LIVE, "place.address", place.address),
    TEXT(LIVE, "place.zone", place.zone),
    TEXT(LIVE, "place.language", place.language),
    CHOICE(RESTART, "direction", journal.policy.direction, "none|in|out"),
    CHOICE(RESTART, "camera.driver", eye.camera, "v4l2|replay"),
    TEXT(RESTART, "camera.device", eye.v4l2.device),
    INTEGER(RESTART, "camera.width_px", eye.v4l2.width_px, 160, 1920),
    INTEGER(RESTART, "camera.height_px", eye.v4l2.height_px, 120, 1080),
    INTEGER(RESTART, "camera.rate_fps", eye.v4l2.rate_fps, 1, 120),
    INTEGER(LIVE, "camera.hang_ms", hang_ms, 500, 60000),
    INTEGER(LIVE, "camera.leave_ms", leave_ms, 300, 60000),
    CHOICE(RESTART, "camera.exposure", eye.exposure, "off|code"),
    LIST(RESTART, "camera.controls", eye.v4l2.controls,
         "a group of up to 16 controls of the camera with a whole number each: { exposure_auto = 1; … }", settings_take_controls),
    TEXT(RESTART, "camera.replay.folder", eye.replay.folder),
    INTEGER(RESTART, "camera.replay.hold_ms", eye.replay.hold_ms, 10, 600000),
    INTEGER(RESTART, "camera.replay.gap_ms", eye.replay.gap_ms, 0, 600000),
    FLAG(RESTART, "camera.replay.loop", eye.replay.loop),
    LIST(RESTART, "vision.decoders", eye.decoders, "a list of one or both: [ \"zbar\", \"zxing\" ]", settings_take_decoders),
    CHOICE(RESTART, "lines.driver", lines_driver, "gpiod|sim"),
    TEXT(RESTART, "lines.panel_input", lines.panel_input),
    LINE(RESTART, "relay", out[LINE_RELAY]),
    LINE(RESTART, "relay_out", out[LINE_RELAY_OUT]),
    LINE(RESTART, "buzzer", out[LINE_BUZZER]),
    LINE(RESTART, "lamp_green", out[LINE_LAMP_GREEN]),
    LINE(RESTART, "lamp_amber", out[LINE_LAMP_AMBER]),
    LINE(RESTART, "lamp_red", out[LINE_LAMP_RED]),
    INPUT(RESTART, "button", in[LINE_BUTTON]),
    INPUT(RESTART, "rotation", in[LINE_ROTATION]),
    INPUT(RESTART, "fire", in[LINE_FIRE]),
    INPUT(RESTART, "tamper", in[LINE_TAMPER]),
    INPUT(RESTART, "guard", in[LINE_GUARD]),
    INPUT(RESTART, "service", in[LINE_SERVICE]),
    INTEGER(LIVE, "lane_timing.pulse_ms", lane_settings.pulse_ms, 100, 10000),
    INTEGER(LIVE, "lane_timing.pulse_gap_ms", lane_settings.pulse_gap_ms, 50, 10000),
    INTEGER(LIVE, "lane_timing.debounce_ms", lane_settings.debounce_ms, 5, 500),
    INTEGER(LIVE, "lane_timing.button_binding_ms", lane_settings.button_binding_ms, 1000, 120000),
    INTEGER(LIVE, "lane_timing.passage_wait_ms", lane_settings.passage_wait_ms, 1000, 60000),
    INTEGER(LIVE, "lane_timing.held_alarm_ms", lane_settings.held_alarm_ms, 1000, 600000),
    INTEGER(LIVE, "lane_timing.tailgating_ms", lane_settings.tailgating_ms, 0, 30000),
    INTEGER(LIVE, "lane_timing.long_press_ms", lane_settings.long_press_ms, 1000, 20000),
    INTEGER(LIVE, "lane_timing.stuck_ms", lane_settings.stuck_ms, 5000, 600000),
    INTEGER(LIVE, "lane_timing.unreadable_ms", lane_settings.unreadable_ms, 500, 60000),
    CHOICE(LIVE, "turnstile.relay", lane_settings.relay_level, "pulse|level"),
    CHOICE(RESTART, "turnstile.wiring", lane_settings.wiring, "fail-secure|fail-safe"),
    INTEGER(LIVE, "turnstile.hold_open_max_s", lane_settings.hold_open_max_s, 0, LANE_HOLD_OPEN_MAX_S),
    SIGNAL(LIVE, "open", SIGNAL_OPEN),
    SIGNAL(LIVE, "hold", SIGNAL_HOLD),
    SIGNAL(LIVE, "deny", SIGNAL_DENY),
    SIGNAL(LIVE, "expired", SIGNAL_EXPIRED),
    SIGNAL(LIVE, "wrong_code", SIGNAL_WRONG_CODE),
    SIGNAL(LIVE, "forged", SIGNAL_FORGED),
    SIGNAL(LIVE, "failure", SIGNAL_FAILURE),
    SIGNAL(LIVE, "place_code", SIGNAL_PLACE_CODE),
    SIGNAL(LIVE, "not_now", SIGNAL_NOT_NOW),
    SIGNAL(LIVE, "locked", SIGNAL_LOCKED),
    SIGNAL(LIVE, "wait", SIGNAL_WAIT),
    SIGNAL(LIVE, "unreadable", SIGNAL_UNREADABLE),
    SIGNAL(LIVE, "too_far", SIGNAL_TOO_FAR),
    SIGNAL(LIVE, "too_near", SIGNAL_TOO_NEAR),
    SIGNAL(LIVE, "too_dark", SIGNAL_TOO_DARK),
    SIGNAL(LIVE, "glare", SIGNAL_GLARE),
    SIGNAL(LIVE, "moving", SIGNAL_MOVING),
    SIGNAL(LIVE, "identify", SIGNAL_IDENTIFY),
    SIGNAL(LIVE, "passing", SIGNAL_PASSING),
    SIGNAL(LIVE, "hold_open", SIGNAL_HOLD_OPEN),
    SIGNAL(LIVE, "lock_down", SIGNAL_LOCK_DOWN),
    SIGNAL(LIVE, "out_of_order", SIGNAL_OUT_OF_ORDER),
    SIGNAL(LIVE, "alarm", SIGNAL_ALARM),
    SIGNAL(LIVE, "emergency", SIGNAL_EMERGENCY),
    ACTION(LIVE, "policy.green", journal.policy.by_status[STATUS_GREEN]),
    ACTION(LIVE, "policy.yellow", journal.policy.by_status[STATUS_YELLOW]),
    ACTION(LIVE, "policy.red", journal.policy.by_status[STATUS_RED]),
    ACTION(LIVE, "policy.white", journal.policy.by_status[STATUS_WHITE]),
    ACTION(LIVE, "policy.expired", journal.policy.by_status[STATUS_EXPIRED]),
    ACTION(LIVE, "policy.none", journal.policy.by_status[STATUS_NONE]),
    CHOICE(LIVE, "policy.clock_untrusted", journal.policy.clock_untrusted, "hold|deny|open-if-signature-valid"),
    INTEGER(LIVE, "policy.clock_skew_s", journal.policy.clock_skew_s, 0, 3600),
    CHOICE(LIVE, "policy.exit", journal.policy.exit_open, "judge|open"),
    ACTION(LIVE, "policy.number_mismatch", journal.policy.number_mismatch),
    INTEGER(LIVE, "declaration.validity_s", journal.policy.declaration.validity_s, 60, 366 * 86400),
    CHOICE(LIVE, "declaration.validity", journal.policy.declaration.since_midnight, "duration|midnight"),
    DAYS_IN_S(LIVE, "declaration.symptom_window_days", journal.policy.declaration.symptom_window_s, 1, 60),
    DAYS_IN_S(LIVE, "declaration.contact_window_days", journal.policy.declaration.contact_window_s, 1, 60),
    DAYS_IN_S(LIVE, "declaration.travel_window_days", journal.policy.declaration.travel_window_s, 1, 60),
    ANSWER(LIVE, "fever", on_symptom[SYMPTOM_FEVER]),
    ANSWER(LIVE, "cough", on_symptom[SYMPTOM_COUGH]),
    ANSWER(LIVE, "breathlessness", on_symptom[SYMPTOM_BREATHLESSNESS]),
    ANSWER(LIVE, "pneumonia", on_symptom[SYMPTOM_PNEUMONIA]),
    ANSWER(LIVE, "sore_throat", on_symptom[SYMPTOM_SORE_THROAT]),
    ANSWER(LIVE, "tiredness", on_symptom[SYMPTOM_TIREDNESS]),
    ANSWER(LIVE, "contact_patient", on_contact[CONTACT_PATIENT]),
    ANSWER(LIVE, "contact_sick_country", on_contact[CONTACT_SICK_COUNTRY]),
    ANSWER(LIVE, "contact_symptoms", on_contact[CONTACT_SYMPTOMS]),
    ANSWER(LIVE, "travelled", on_travel),
    FLAG(LIVE, "certificate.accept", journal.policy.health.accept),
    LIST(LIVE, "certificate.products", journal.policy.health, "a list of up to 16 products: [ \"EU/1/20/1528\", … ]",
         settings_take_products),
    FLAG(LIVE, "certificate.all_doses", journal.policy.health.all_doses),
    INTEGER(LIVE, "certificate.vaccination_from_days", journal.policy.health.vaccination_from_days, 0, 3650),
    INTEGER(LIVE, "certificate.vaccination_until_days", journal.policy.health.vaccination_until_days, 0, 3650),
    INTEGER(LIVE, "certificate.molecular_test_hours", journal.policy.health.molecular_test_hours, 0, 8760),
    INTEGER(LIVE, "certificate.antigen_test_hours", journal.policy.health.antigen_test_hours, 0, 8760),
    INTEGER(LIVE, "certificate.recovery_from_days", journal.policy.health.recovery_from_days, 0, 3650),
    INTEGER(LIVE, "certificate.recovery_until_days", journal.policy.health.recovery_until_days, 0, 3650),
    REFUSAL(LIVE, "certificate.unmet", journal.policy.health.unmet),
    REFUSAL(LIVE, "schedule.outside", journal.policy.outside_schedule),
    LIST(LIVE, "schedule.holidays", journal.policy.schedule, "a list of up to 128 days: [ \"2026-02-17\", … ]", settings_take_holidays),
    LIST(LIVE, "schedule.rows", journal.policy.schedule,
         "a list of up to 64 rows: ( { group = \"*\"; days = \"mon-fri\"; from = \"06:00\"; to = \"22:00\"; }, … )",
         settings_take_rows),
    INTEGER(LIVE, "antipassback.seconds", journal.policy.antipassback_s, 0, 86400),
    ACTION(LIVE, "antipassback.time", journal.policy.antipassback_time),
    ACTION(LIVE, "antipassback.presence", journal.policy.antipassback_presence),
    INTEGER(LIVE, "occupancy.limit", journal.policy.occupancy_limit, 0, 1000000),
    REFUSAL(LIVE, "occupancy.full", journal.policy.occupancy_full),
    INTEGER(LIVE, "lock.refusals", journal.policy.refusals_lock, 0, 100),
    INTEGER(LIVE, "lock.seconds", journal.policy.refusals_lock_s, 1, 3600),
    CHOICE(LIVE, "clock.trust", clock_trust, "ntp|always"),
    TEXT(RESTART, "journal.path", journal.path),
    INTEGER(LIVE, "journal.deadline_ms", journal_deadline_ms, 100, 10000),
    INTEGER(LIVE, "journal.keep_days", journal.keep_days, 0, 3650),
    INTEGER(LIVE, "journal.register_days", journal.register_days, 0, 3650),
    TEXT(RESTART, "journal.site_key_file", site_key_file),
    TEXT(LIVE, "trust.folder", trust_folder),
    FLAG(RESTART, "mqtt.enabled", mqtt.enabled),
    TEXT(RESTART, "mqtt.host", mqtt.host),
    INTEGER(RESTART, "mqtt.port", mqtt.port, 1, 65535),
    TEXT(RESTART, "mqtt.client_id", mqtt.client_id),
    TEXT(RESTART, "mqtt.username", mqtt.username),
    TEXT(RESTART, "mqtt.password_file", mqtt.password_file),
    TEXT(RESTART, "mqtt.ca_file", mqtt.ca_file),
    TEXT(RESTART, "mqtt.cert_file", mqtt.cert_file),
    TEXT(RESTART, "mqtt.key_file", mqtt.key_file),
    INTEGER(LIVE, "mqtt.certificate_warn_days", mqtt.certificate_warn_days, 1, 365),
    CHOICE(RESTART, "mqtt.protocol", mqtt.protocol, "auto|5|3.1.1"),
    INTEGER(RESTART, "mqtt.keepalive_s", mqtt.keepalive_s, 5, 600),
    NAME(RESTART, "mqtt.prefix", mqtt.prefix),
    INTEGER(RESTART, "mqtt.window", mqtt.window, 1, 100),
    INTEGER(RESTART, "mqtt.session_expiry_s", mqtt.session_expiry_s, 60, 31536000),
    INTEGER(RESTART, "mqtt.reconnect_min_ms", mqtt.reconnect_min_ms, 20, 60000),
    INTEGER(RESTART, "mqtt.reconnect_max_ms", mqtt.reconnect_max_ms, 20, 600000),
    INTEGER(RESTART, "mqtt.ack_timeout_ms", mqtt.ack_timeout_ms, 200, 600000),
    FLAG(RESTART, "mqtt.follow", mqtt.follow),
    FLAG(RESTART, "mqtt.declarations", mqtt.declarations),
    FLAG(LIVE, "mqtt.home_assistant", mqtt.home_assistant),
    CHOICE(LIVE, "commands.auth", commands.auth, "off|acl|signed"), /* from off: reload.c */
    LIST(LIVE, "commands.verbs", commands.verbs, "a list of request verbs: [ \"open\", \"mode\", … ]", settings_take_verbs),
    TEXT(LIVE, "commands.operators", operators_folder),
};

struct settings_table settings_keys(void)
{
    return (struct settings_table){keys, sizeof keys / sizeof keys[0]};
}

const char *settings_place_name(enum settings_place place)
{
    static const char *const names[] = {"other", "office", "industrial_park", "factory", "school", "hospital", "station", "shop",
                                        "market", "restaurant", "lodging", "culture_sports", "meeting", "wedding", "funeral"};
    _Static_assert(sizeof names / sizeof names[0] == SETTINGS_PLACE_COUNT, "one name each, in the order of PLACES");
    return (unsigned)place < SETTINGS_PLACE_COUNT ? names[place] : "other";
}
