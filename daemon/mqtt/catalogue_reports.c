/* The catalogue's rows of what the lane tells about itself: health, state, info. */
#include "daemon/mqtt/catalogue_rows.h"
#include "daemon/mqtt/messages.h"

static const char *camera_word(int i)
{
    static const char *const words[] = {"ok", "missing"};
    return words[i];
}
static const char *journal_word(int i)
{
    static const char *const words[] = {"ok", "failing"};
    return words[i];
}
static const char *protocol_word(int i)
{
    static const char *const words[] = {"5", "3.1.1"};
    return words[i];
}

/* ---- health ---- */

static const struct catalogue_field eye_rows[] = {
    COUNT("frames", MUST, "Pictures taken."),
    COUNT("broken_frames", MUST, "Of these, those that couldn't be used."),
    COUNT("scans", MUST, "Pictures in which codes were looked for."),
    COUNT("reads", MUST, "Codes read; a code that stays in view counts again and again."),
    NUMBER("frames_per_s", MUST, 0, INT64_MAX, "Since the health message before."),
    COUNT("restarts", MUST, "Eyes that had to be replaced: growing, the camera or a code makes trouble."),
};
static const struct catalogue_field times_rows[] = {
    COUNT("count", MUST, "How many there were."),
    COUNT("p50_us", MAY, "Half of them took no longer, within 3 %; left out when there were none."),
    COUNT("p99_us", MAY, "99 of 100 took no longer."),
};
static const struct catalogue_field queues_rows[] = {
    COUNT("unsent_rows", MUST, "Events the broker hasn't acknowledged."),
    COUNT("pending_events", MUST, "Events that wait for the disk."),
    COUNT("inbox_messages", MUST, "Messages of the broker's that wait for the journal."),
};
static const struct catalogue_field journal_rows[] = {
    COUNT("used_bytes", MUST, NULL),
    COUNT("percent", MUST, "Of the nearest bound: the journal's own (journal.size_max_bytes), or the disk. 90: alarm journal_full."),
    COUNT("first_seq", MUST, "The oldest event that is kept; 0 = none."),
    COUNT("last_seq", MUST, "The newest."),
    COUNT("purged_unsent", MUST, "Events that were removed before any broker had them."),
    COUNT("disk_free_bytes", MUST, NULL),
};
static const struct catalogue_field memory_rows[] = {
    COUNT("main_bytes", MAY, "In memory, not swapped: the daemon."),
    COUNT("eye_bytes", MAY, "The eye."),
};
static const struct catalogue_field clock_rows[] = {
    FLAG("synchronised", MUST, "The kernel's word: a time service disciplines the clock."),
    COUNT("error_us", MAY, "The kernel's estimate of its error; not every time service sets it."),
    COUNT("error_max_us", MAY, "Its bound; grows while no time service is heard."),
};
static const struct catalogue_field mqtt_rows[] = {
    WORD("protocol", MUST, protocol_word, 0, 2, "What the broker is spoken to in."),
    ANY_INTEGER("certificate_days_left", MAY,
                "Whole days until the lane's own certificate (mqtt.cert_file) ends; below 0: it has. Left out without one, or when "
                "the clock isn't trusted."),
    ANY_INTEGER("ca_days_left", MAY, "The same of the first to end in mqtt.ca_file."),
};
static const struct catalogue_group eye_group = GROUP(eye_rows, NULL), queues_group = GROUP(queues_rows, NULL),
                                    journal_group = GROUP(journal_rows, NULL), memory_group = GROUP(memory_rows, NULL),
                                    clock_group = GROUP(clock_rows, NULL), mqtt_group = GROUP(mqtt_rows, NULL);
static const struct catalogue_group times_group =
    GROUP(times_rows, "{\"dependentRequired\":{\"p50_us\":[\"p99_us\"],\"p99_us\":[\"p50_us\"]}}");
static const struct catalogue_field health_rows[] = {
    SCHEMA(MUST),
    FORM("at", MUST, FORM_TIME, NULL),
    FLAG("clock_trusted", MUST, "false: `at` may be wrong."),
    COUNT("uptime_s", MUST, "Of the daemon."),
    OBJECT("eye", MUST, &eye_group, "The camera's process. Counts are of all eyes since the daemon started."),
    OBJECT("frame_to_relay", MUST, &times_group,
           "From the frame's capture to the relay's edge, of the grants since the message before."),
    OBJECT("publish_to_ack", MUST, &times_group,
           "From the handing over of a message to the broker's acknowledgement, since the message before."),
    OBJECT("queues", MUST, &queues_group, NULL),
    OBJECT("journal", MUST, &journal_group, NULL),
    NUMBER("temperature_c", MAY, -100, 200, "The processor's; a Pi slows down from 80 on. Left out where the kernel doesn't tell."),
    OBJECT("memory", MUST, &memory_group, NULL),
    OBJECT("clock", MUST, &clock_group, NULL),
    OBJECT("mqtt", MUST, &mqtt_group, NULL),
};
const struct catalogue_message catalogue_health = MESSAGE(
    "health", 1, false, health_rows, NULL,
    "how the lane fares, 5 s after its start, then each minute, and when an operator asks for a report. While the broker is away "
    "none is kept but the newest. What isn't known is left out.");

/* ---- the journal's head ---- */

static const struct catalogue_field chain_head_rows[] = {
    SCHEMA(MUST),
    FORM("at", MUST, FORM_TIME, NULL),
    FLAG("clock_trusted", MUST, "false: `at` may be wrong."),
    INTEGER("seq", MUST, 1, INT64_MAX, "The row's number."),
    FORM("hash", MUST, FORM_HASH, "Its SHA-256 in the chain, as `qrgatectl verify` prints the last one."),
};
const struct catalogue_message catalogue_chain_head = MESSAGE(
    "chain_head", 1, false, chain_head_rows, NULL,
    "the journal's newest row, soon after the start and then each day. Keep all of them out of the lane's reach: `qrgatectl verify "
    "--heads` shows with them whether the journal's end was cut off.");

/* ---- state and info ---- */

static const struct catalogue_field alarms_rows[] = {WORD("", MUST, catalogue_alarm_name, 0, ALARM_OF_LANE, NULL)};
static const struct catalogue_group alarms = GROUP(alarms_rows, NULL);
static const struct catalogue_field state_rows[] = {
    SCHEMA(MUST),
    TEXT("version", MUST, 0, NULL),
    WORD("mode", MUST, catalogue_mode_name, 0, LANE_MODE_COUNT,
         "What the lane does: normal, codes decide; hold_open, the arm is free by the guard's or an operator's will, for a bounded "
         "time; lock_down, codes are refused; emergency, the arm is released until fire is off and the lane was reset; "
         "out_of_order, a fault or a technician at work. The guard's button works in each."),
    LIST("alarms", MUST, 0, ALARM_OF_LANE, &alarms, true, "Those that are on, as the topic alarm told them; []: none."),
    FLAG("out_of_order", MUST, "true: an alarm keeps the lane from its work; the guard's button still opens."),
    WORD("camera", MUST, camera_word, 0, 2, NULL),
    TEXT("camera_detail", MAY, sizeof(((struct lane_state *)NULL)->camera) - 1, "What was opened, or why not."),
    FLAG("clock_trusted", MUST, NULL),
    WORD("journal", MUST, journal_word, 0, 2, NULL),
    WORD("presence", MUST, catalogue_scope_name, PRESENCE_SCOPE_NONE + 1, PRESENCE_SCOPE_COUNT,
         "Whether the site's other lanes are heard: own, this lane knows its own passages only."),
    COUNT("outbox_unsent", MUST, "Events the broker hasn't acknowledged yet; counts are told at most every 10 s."),
    INTEGER("broker_connects", MUST, 1, INT64_MAX,
            "Connections to the broker since the lane started: growing fast, the link is flapping."),
    COUNT("declarations_taken", MUST,
          "Since the lane started, as all counts: declarations newer than what the register had."),
    COUNT("declarations_rejected", MUST,
          "Declarations that broke the schema or the register's rules; each was answered on the topic result."),
    COUNT("revocations_taken", MUST, "Revoked token ids, and lifted ones."),
    COUNT("revocations_rejected", MUST, "As declarations_rejected."),
    COUNT("passages_followed", MUST, "Other lanes' passages that changed where somebody is."),
    COUNT("passages_rejected", MUST, "Messages on other lanes' topic passage that break its schema."),
    COUNT("subscriptions_refused", MUST,
          "Answers of the broker that refused one; more than 0: let this client read the topics."),
    COUNT("retained_ignored", MUST, "Messages published as retained; nothing acts on those."),
    COUNT("results_dropped", MUST, "Results never published, as the broker didn't acknowledge those before them."),
};
const struct catalogue_message catalogue_state = MESSAGE(
    "state", 1, false, state_rows, NULL,
    "how the lane is now. It may be old: PREFIX/SITE/LANE/availability (\"online\" or \"offline\", retained) says whether the lane "
    "still speaks.");

static const struct catalogue_field info_rows[] = {
    SCHEMA(MUST),
    TEXT("version", MUST, 0, NULL),
    FORM("site", MUST, FORM_NAME, NULL),
    FORM("lane", MUST, FORM_NAME, NULL),
    TEXT("lines", MAY, 0, "The wires found."),
    {.name = "libraries", .kind = FIELD_TEXTS, .required = MUST, .what = "Name to version."},
};
const struct catalogue_message catalogue_info = MESSAGE("info", 1, false, info_rows, NULL, "what doesn't change while the lane runs.");
