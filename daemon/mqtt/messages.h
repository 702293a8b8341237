/* What the lane says over MQTT: JSON texts, described by config/schemas. Pure: into the caller's buffer, no allocation.
 * The publisher calls it, in the main thread. */
#ifndef MQTT_MESSAGES_H
#define MQTT_MESSAGES_H

#include "daemon/journal/journal.h"
#include "daemon/mqtt/inbound.h"
#include "daemon/mqtt/topics.h"

enum { MESSAGE_BYTES = 2048 /* holds every event, worst escapes included */, MESSAGE_LONG_BYTES = 12288 /* discovery.h */,
       MESSAGE_LIBRARIES_MAX = 12 };

/* What main knows about its lane and tells it once a second; retained on the topic `state`. */
struct lane_state {
    bool camera_open, clock_trusted, journal_ok, out_of_order;
    char camera[160]; /* what was opened, or why not */
    char mode[16];    /* the lane's: "normal", …; "" = not known yet */
    uint32_t alarms;  /* those that are on: bits by catalogue_alarm_name() */
};

/* What the publisher adds; all counted since start-up. */
struct mqtt_counts {
    int64_t unsent_rows;     /* now */
    int64_t broker_connects; /* a number that grows shows a flapping link */
    int64_t declarations_taken, declarations_rejected, revocations_taken, revocations_rejected;
    int64_t passages_followed, passages_rejected; /* other lanes' */
    int64_t subscriptions_refused, retained_ignored, results_dropped;
    bool presence_shared; /* now: the other lanes are heard */
};

enum result_kind { RESULT_TAKEN, RESULT_OLDER, RESULT_REJECTED, RESULT_KIND_COUNT };

/* The answer to a declaration or revocation. */
struct message_result {
    enum inbound_topic of;
    enum result_kind kind;
    char transaction[INBOUND_TRANSACTION_BYTES]; /* "" = the message had none */
    char why[INBOUND_WHY_BYTES];
    int64_t at_us;
};

/* A page of who is inside. */
struct message_muster {
    int64_t at_us; /* the list's: the same in all its pages, another in each list */
    bool clock_trusted, presence_shared;
    int page; /* from 1 */
    bool last;
    int64_t inside; /* in all */
    const struct muster_row *rows;
    int count;
};

/* What doesn't change while the daemon runs; retained on the topic `info`. Empty texts are left out. */
struct lane_info {
    char version[32], site[33], lane[33];
    char lines[512]; /* lines_describe() */
    struct {
        char name[16], version[32];
    } libraries[MESSAGE_LIBRARIES_MAX];
};

/* The journal's newest row as it was then, in other hands: who cuts the journal's end off can't take it back. Retained on the
 * topic `chain_head`, each day. */
struct lane_chain_head {
    int64_t at_us;
    bool clock_trusted;
    struct journal_head head;
};

struct lane_times {
    int64_t count, p50_us, p99_us; /* of the last minute */
};

/* How the lane fares; published each minute on the topic `health`, not retained. -1 or has_… false: not known, left out. */
struct lane_health {
    int64_t at_us;
    bool clock_trusted;
    int64_t uptime_s;
    int64_t frames, broken_frames, scans, reads, eye_restarts; /* of all eyes since start-up */
    int64_t frames_per_1000_s;                                 /* of the time since the message before */
    struct lane_times frame_to_relay, publish_to_ack;
    int64_t unsent_rows, pending_events, inbox_messages; /* that wait: for the broker, for the disk, for the journal */
    struct journal_room journal;
    int64_t last_seq;
    bool has_temperature;
    int temperature_thousandths_c;
    int64_t memory_bytes, eye_memory_bytes;
    bool clock_synchronised;
    int64_t clock_error_us, clock_error_max_us; /* the kernel's estimate, and its bound */
    bool is_mqtt_5;
    bool has_certificate, has_ca;
    int64_t certificate_days_left, ca_days_left; /* whole days, below 0: over */
};

/* Every journalled event is published on exactly one of passage and alarm (start and stop on alarm, as alarm "lane"), so
 * that who subscribes to both sees every seq. */
enum topic message_topic(enum event_kind kind);
/* All: the length, or -EMSGSIZE. `has_sensor`: the lane's passages are complete at the sensor, not at the grant. `historical`:
 * it is of before this connection, or sent once more. */
int message_event(const struct event *event, bool has_sensor, bool historical, char *ret_text, size_t text_bytes);
int message_state(const struct lane_state *state, const struct mqtt_counts *counts, const char *version, char *ret_text,
                  size_t text_bytes);
int message_result(const struct message_result *result, char *ret_text, size_t text_bytes);
/* As many of the rows as there is room for: muster->count is what was written, and `last` is cleared if that isn't all. */
int message_muster(struct message_muster *muster, char *ret_text, size_t text_bytes);
/* This event moved a known person in or out: what other lanes of the site follow. */
bool message_changes_presence(const struct event *event, bool has_sensor);
const char *result_kind_name(enum result_kind kind); /* "taken", "older", "rejected" */
int message_health(const struct lane_health *health, char *ret_text, size_t text_bytes);
int message_info(const struct lane_info *info, char *ret_text, size_t text_bytes);
int message_chain_head(const struct lane_chain_head *head, char *ret_text, size_t text_bytes);

enum { MESSAGE_TIME_BYTES = 32 };
/* RFC 3339, UTC, milliseconds (rounded down): 2026-01-31T23:59:59.123Z. Outside of years 1 to 9999: the nearest in it. */
void message_time(int64_t unix_us, char ret_text[MESSAGE_TIME_BYTES]);

#endif
