/* The table of configuration keys. Called by settings.c. */
#include "daemon/settings/keys.h"

#include "daemon/settings/settings.h"

#define MEMBER(member) offsetof(struct settings, member), sizeof(((struct settings *)NULL)->member)
#define TEXT(path, member) {path, KEY_TEXT, MEMBER(member), 0, 0, 1, NULL, NULL}
#define NAME(path, member) {path, KEY_NAME, MEMBER(member), 0, 0, 1, NULL, NULL}
#define FLAG(path, member) {path, KEY_FLAG, MEMBER(member), 0, 0, 1, NULL, NULL}
#define INTEGER(path, member, lowest, highest) {path, KEY_INTEGER, MEMBER(member), lowest, highest, 1, NULL, NULL}
#define DAYS_IN_S(path, member, lowest, highest) {path, KEY_INTEGER, MEMBER(member), lowest, highest, 86400, NULL, NULL}
#define CHOICE(path, member, words) {path, KEY_CHOICE, MEMBER(member), 0, 0, 1, words, NULL}
#define ACTION(path, member) {path, KEY_CHOICE, MEMBER(member), VERDICT_OPEN, 0, 1, "open|hold|deny", NULL}
#define REFUSAL(path, member) {path, KEY_CHOICE, MEMBER(member), VERDICT_HOLD, 0, 1, "hold|deny", NULL}
#define ANSWER(path, member) CHOICE("declaration.on." path, journal.policy.declaration.member, "none|green|yellow|red")
#define LIST(path, member, allowed, take) {path, KEY_LIST, MEMBER(member), 0, 0, 1, allowed, take}
#define LINE(key, member)                                                                                              \
    TEXT("lines." key ".line", lines.member.name), FLAG("lines." key ".active_low", lines.member.active_low)
#define INPUT(key, member) LINE(key, member), CHOICE("lines." key ".bias", lines.member.bias, "as-is|pull-up|pull-down")

/* The words are stored as numbers, so they must stand in the enumerations' order. */
_Static_assert(VERDICT_OPEN == 0 && VERDICT_HOLD == 1 && VERDICT_DENY == 2, "ACTION, REFUSAL");
_Static_assert(STATUS_NONE == 0 && STATUS_GREEN == 1 && STATUS_YELLOW == 2 && STATUS_RED == 3, "ANSWER");
_Static_assert(DIRECTION_NONE == 0 && DIRECTION_IN == 1 && DIRECTION_OUT == 2, "direction");
_Static_assert(CLOCK_POLICY_HOLD == 0 && CLOCK_POLICY_DENY == 1 && CLOCK_POLICY_OPEN_IF_SIGNATURE_VALID == 2, "clock_untrusted");
_Static_assert(LINE_BIAS_AS_IS == 0 && LINE_BIAS_PULL_UP == 1 && LINE_BIAS_PULL_DOWN == 2, "bias");

static const struct settings_key keys[] = {
    NAME("site", site),
    NAME("lane", lane),
    CHOICE("direction", journal.policy.direction, "none|in|out"),
    CHOICE("camera.driver", eye.camera, "v4l2|replay"),
    TEXT("camera.device", eye.v4l2.device),
    INTEGER("camera.width_px", eye.v4l2.width_px, 160, 1920),
    INTEGER("camera.height_px", eye.v4l2.height_px, 120, 1080),
    INTEGER("camera.rate_fps", eye.v4l2.rate_fps, 1, 120),
    INTEGER("camera.hang_ms", hang_ms, 500, 60000),
    INTEGER("camera.leave_ms", leave_ms, 300, 60000),
    TEXT("camera.replay.folder", eye.replay.folder),
    INTEGER("camera.replay.hold_ms", eye.replay.hold_ms, 10, 600000),
    INTEGER("camera.replay.gap_ms", eye.replay.gap_ms, 0, 600000),
    FLAG("camera.replay.loop", eye.replay.loop),
    CHOICE("lines.driver", lines_driver, "gpiod|sim"),
    TEXT("lines.panel_input", lines.panel_input),
    LINE("relay", out[LINE_RELAY]),
    LINE("buzzer", out[LINE_BUZZER]),
    LINE("lamp_green", out[LINE_LAMP_GREEN]),
    LINE("lamp_amber", out[LINE_LAMP_AMBER]),
    LINE("lamp_red", out[LINE_LAMP_RED]),
    INPUT("button", in[LINE_BUTTON]),
    INTEGER("lane_timing.pulse_ms", lane_settings.pulse_ms, 100, 10000),
    INTEGER("lane_timing.pulse_gap_ms", lane_settings.pulse_gap_ms, 50, 10000),
    INTEGER("lane_timing.debounce_ms", lane_settings.debounce_ms, 5, 500),
    INTEGER("lane_timing.button_binding_ms", lane_settings.button_binding_ms, 1000, 120000),
    ACTION("policy.green", journal.policy.by_status[STATUS_GREEN]),
    ACTION("policy.yellow", journal.policy.by_status[STATUS_YELLOW]),
    ACTION("policy.red", journal.policy.by_status[STATUS_RED]),
    ACTION("policy.white", journal.policy.by_status[STATUS_WHITE]),
    ACTION("policy.expired", journal.policy.by_status[STATUS_EXPIRED]),
    ACTION("policy.none", journal.policy.by_status[STATUS_NONE]),
    CHOICE("policy.clock_untrusted", journal.policy.clock_untrusted, "hold|deny|open-if-signature-valid"),
    INTEGER("policy.clock_skew_s", journal.policy.clock_skew_s, 0, 3600),
    CHOICE("policy.exit", journal.policy.exit_open, "judge|open"),
    ACTION("policy.number_mismatch", journal.policy.number_mismatch),
    INTEGER("declaration.validity_s", journal.policy.declaration.validity_s, 60, 366 * 86400),
    CHOICE("declaration.validity", journal.policy.declaration.since_midnight, "duration|midnight"),
    DAYS_IN_S("declaration.symptom_window_days", journal.policy.declaration.symptom_window_s, 1, 60),
    DAYS_IN_S("declaration.contact_window_days", journal.policy.declaration.contact_window_s, 1, 60),
    DAYS_IN_S("declaration.travel_window_days", journal.policy.declaration.travel_window_s, 1, 60),
    ANSWER("fever", on_symptom[SYMPTOM_FEVER]),
    ANSWER("cough", on_symptom[SYMPTOM_COUGH]),
    ANSWER("breathlessness", on_symptom[SYMPTOM_BREATHLESSNESS]),
    ANSWER("pneumonia", on_symptom[SYMPTOM_PNEUMONIA]),
    ANSWER("sore_throat", on_symptom[SYMPTOM_SORE_THROAT]),
    ANSWER("tiredness", on_symptom[SYMPTOM_TIREDNESS]),
    ANSWER("contact_patient", on_contact[CONTACT_PATIENT]),
    ANSWER("contact_sick_country", on_contact[CONTACT_SICK_COUNTRY]),
    ANSWER("contact_symptoms", on_contact[CONTACT_SYMPTOMS]),
    ANSWER("travelled", on_travel),
    FLAG("certificate.accept", journal.policy.health.accept),
    LIST("certificate.products", journal.policy.health, "a list of up to 16 products: [ \"EU/1/20/1528\", … ]",
         settings_take_products),
    FLAG("certificate.all_doses", journal.policy.health.all_doses),
    INTEGER("certificate.vaccination_from_days", journal.policy.health.vaccination_from_days, 0, 3650),
    INTEGER("certificate.vaccination_until_days", journal.policy.health.vaccination_until_days, 0, 3650),
    INTEGER("certificate.molecular_test_hours", journal.policy.health.molecular_test_hours, 0, 8760),
    INTEGER("certificate.antigen_test_hours", journal.policy.health.antigen_test_hours, 0, 8760),
    INTEGER("certificate.recovery_from_days", journal.policy.health.recovery_from_days, 0, 3650),
    INTEGER("certificate.recovery_until_days", journal.policy.health.recovery_until_days, 0, 3650),
    REFUSAL("certificate.unmet", journal.policy.health.unmet),
    REFUSAL("schedule.outside", journal.policy.outside_schedule),
    LIST("schedule.holidays", journal.policy.schedule, "a list of up to 128 days: [ \"2026-02-17\", … ]", settings_take_holidays),
    LIST("schedule.rows", journal.policy.schedule,
         "a list of up to 64 rows: ( { group = \"*\"; days = \"mon-fri\"; from = \"06:00\"; to = \"22:00\"; }, … )",
         settings_take_rows),
    INTEGER("antipassback.seconds", journal.policy.antipassback_s, 0, 86400),
    ACTION("antipassback.time", journal.policy.antipassback_time),
    ACTION("antipassback.presence", journal.policy.antipassback_presence),
    INTEGER("occupancy.limit", journal.policy.occupancy_limit, 0, 1000000),
    REFUSAL("occupancy.full", journal.policy.occupancy_full),
    INTEGER("lock.refusals", journal.policy.refusals_lock, 0, 100),
    INTEGER("lock.seconds", journal.policy.refusals_lock_s, 1, 3600),
    CHOICE("clock.trust", clock_trust, "ntp|always"),
    TEXT("journal.path", journal.path),
    INTEGER("journal.deadline_ms", journal_deadline_ms, 100, 10000),
    TEXT("journal.site_key_file", site_key_file),
    TEXT("trust.folder", trust_folder),
    FLAG("mqtt.enabled", mqtt.enabled),
    TEXT("mqtt.host", mqtt.host),
    INTEGER("mqtt.port", mqtt.port, 1, 65535),
    TEXT("mqtt.client_id", mqtt.client_id),
    TEXT("mqtt.username", mqtt.username),
    TEXT("mqtt.password_file", mqtt.password_file),
    TEXT("mqtt.ca_file", mqtt.ca_file),
    INTEGER("mqtt.keepalive_s", mqtt.keepalive_s, 5, 600),
    NAME("mqtt.prefix", mqtt.prefix),
    INTEGER("mqtt.window", mqtt.window, 1, 100),
    INTEGER("mqtt.session_expiry_s", mqtt.session_expiry_s, 60, 31536000),
    FLAG("mqtt.follow", mqtt.follow),
    FLAG("mqtt.declarations", mqtt.declarations),
};

struct settings_table settings_keys(void)
{
    return (struct settings_table){keys, sizeof keys / sizeof keys[0]};
}
