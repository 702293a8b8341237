/* Events, state, info, results and muster lists as JSON. Pure; called by the publisher, in the main thread. */
#include "daemon/mqtt/messages.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "daemon/mqtt/catalogue.h"
#include "daemon/mqtt/json_write.h"

enum topic message_topic(enum event_kind kind)
{
    switch (kind) {
    case EVENT_ALARM_BEGIN:
    case EVENT_ALARM_END:
    case EVENT_START:
    case EVENT_STOP:
    case EVENT_COMMAND: return TOPIC_ALARM;
    default: return TOPIC_PASSAGE;
    }
}

void message_time(int64_t unix_us, char ret_text[MESSAGE_TIME_BYTES])
{
    const int64_t year_1 = INT64_C(-62135596800) * 1000000, year_9999_end = INT64_C(253402300799) * 1000000 + 999999;
    int64_t bounded_us = unix_us < year_1 ? year_1 : unix_us > year_9999_end ? year_9999_end : unix_us;
    int64_t micros = bounded_us % 1000000;
    time_t seconds = (time_t)(bounded_us / 1000000);
    struct tm utc;
    if (micros < 0) { /* before 1970 the remainder is negative */
        micros += 1000000;
        seconds--;
    }
    if (gmtime_r(&seconds, &utc) == NULL)
        memset(&utc, 0, sizeof utc);
    /* The masks tell the compiler how many digits there can be. */
    (void)snprintf(ret_text, MESSAGE_TIME_BYTES, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ", (unsigned)(utc.tm_year + 1900) & 0x3fff,
                   (unsigned)(utc.tm_mon + 1) & 15, (unsigned)utc.tm_mday & 31, (unsigned)utc.tm_hour & 31,
                   (unsigned)utc.tm_min & 63, (unsigned)utc.tm_sec & 63, (unsigned)(micros / 1000) & 1023);
}

static void put_text(struct json *json, const char *key, const char *text, size_t text_bytes)
{
    if (text[0] != '\0')
        json_text(json, key, text, text_bytes);
}

/* What passages and alarms have in common. */
static void put_head(struct json *json, enum message_name name, const struct event *event, bool historical)
{
    const char *kind = event_kind_name(event->kind);
    char at[MESSAGE_TIME_BYTES];
    message_time(event->at_us, at);
    json_text(json, "schema", catalogue_message(name)->schema, SIZE_MAX);
    json_text(json, "event_id", event->event_id, sizeof event->event_id);
    json_integer(json, "seq", event->seq);
    json_text(json, "kind", kind, SIZE_MAX);
    json_text(json, "at", at, sizeof at);
    json_integer(json, "monotonic_us", event->monotonic_us);
    json_flag(json, "clock_trusted", event->clock_trusted);
    if (historical)
        json_flag(json, "historical", true);
}

/* Who sent the request that this event is about, and which. */
static void put_operator(struct json *json, const struct event *event)
{
    put_text(json, "verb", event->verb, sizeof event->verb);
    put_text(json, "operator", event->operator_name, sizeof event->operator_name);
}

bool message_changes_presence(const struct event *event, bool has_sensor)
{
    bool counts = has_sensor ? event->kind == EVENT_COMPLETED
                             : event->kind == EVENT_GRANTED || event->kind == EVENT_OVERRIDE;
    return counts && event->person[0] != '\0' &&
           (event->direction == DIRECTION_IN || event->direction == DIRECTION_OUT);
}

static void put_passage(struct json *json, const struct event *event, bool has_sensor, bool historical)
{
    put_head(json, MESSAGE_PASSAGE, event, historical);
    /* Rows come from a file: a number the tables don't know is left out rather than trusted. */
    if ((unsigned)event->reason < REASON_COUNT)
        json_text(json, "reason", reason_name(event->reason), SIZE_MAX);
    if ((unsigned)event->status < STATUS_COUNT)
        json_text(json, "status", declaration_status_name(event->status), SIZE_MAX);
    bool code_shown = event->kind == EVENT_GRANTED || event->kind == EVENT_HELD || event->kind == EVENT_DENIED;
    if (code_shown && (unsigned)event->credential < CREDENTIAL_KIND_COUNT)
        json_text(json, "credential", credential_kind_name(event->credential), SIZE_MAX);
    put_text(json, "person", event->person, sizeof event->person);
    put_text(json, "bound_event_id", event->bound_event_id, sizeof event->bound_event_id);
    if (event->kind == EVENT_OVERRIDE) /* which guard; a code's detail stays in the journal */
        put_text(json, "detail", event->detail, sizeof event->detail);
    put_operator(json, event);
    if (event->direction == DIRECTION_IN || event->direction == DIRECTION_OUT)
        json_text(json, "direction", direction_name(event->direction), SIZE_MAX);
    if (event->scope == PRESENCE_SCOPE_OWN || event->scope == PRESENCE_SCOPE_SHARED)
        json_text(json, "presence", presence_scope_name(event->scope), SIZE_MAX);
    if (message_changes_presence(event, has_sensor))
        json_flag(json, "changes_presence", true);
}

static void put_alarm(struct json *json, const struct event *event, bool historical)
{
    bool lane = event->kind == EVENT_START || event->kind == EVENT_STOP;
    put_head(json, MESSAGE_ALARM, event, historical);
    if (event->kind != EVENT_COMMAND)
        json_text(json, "alarm", lane ? "lane" : event->alarm, lane ? SIZE_MAX : sizeof event->alarm);
    put_operator(json, event);
    put_text(json, "detail", event->detail, sizeof event->detail);
}

int message_event(const struct event *event, bool has_sensor, bool historical, char *ret_text, size_t text_bytes)
{
    struct json json;
    json_begin(&json, ret_text, text_bytes);
    if (message_topic(event->kind) == TOPIC_ALARM)
        put_alarm(&json, event, historical);
    else
        put_passage(&json, event, has_sensor, historical);
    return json_end(&json);
}

int message_state(const struct lane_state *state, const struct mqtt_counts *counts, const char *version, char *ret_text,
                  size_t text_bytes)
{
    struct json json;
    json_begin(&json, ret_text, text_bytes);
    json_text(&json, "schema", catalogue_message(MESSAGE_STATE)->schema, SIZE_MAX);
    json_text(&json, "version", version, SIZE_MAX);
    put_text(&json, "mode", state->mode, sizeof state->mode);
    json_open_list(&json, "alarms");
    for (int i = 0; i < (int)ALARM_OF_LANE; i++)
        if ((state->alarms & 1u << i) != 0)
            json_text_item(&json, catalogue_alarm_name(i));
    json_close_list(&json);
    json_flag(&json, "out_of_order", state->out_of_order);
    json_text(&json, "camera", state->camera_open ? "ok" : "missing", SIZE_MAX);
    put_text(&json, "camera_detail", state->camera, sizeof state->camera);
    json_flag(&json, "clock_trusted", state->clock_trusted);
    json_text(&json, "journal", state->journal_ok ? "ok" : "failing", SIZE_MAX);
    json_text(&json, "presence", counts->presence_shared ? "shared" : "own", SIZE_MAX);
    json_integer(&json, "outbox_unsent", counts->unsent_rows);
    json_integer(&json, "broker_connects", counts->broker_connects);
    json_integer(&json, "declarations_taken", counts->declarations_taken);
    json_integer(&json, "declarations_rejected", counts->declarations_rejected);
    json_integer(&json, "revocations_taken", counts->revocations_taken);
    json_integer(&json, "revocations_rejected", counts->revocations_rejected);
    json_integer(&json, "passages_followed", counts->passages_followed);
    json_integer(&json, "passages_rejected", counts->passages_rejected);
    json_integer(&json, "subscriptions_refused", counts->subscriptions_refused);
    json_integer(&json, "retained_ignored", counts->retained_ignored);
    json_integer(&json, "results_dropped", counts->results_dropped);
    return json_end(&json);
}

const char *result_kind_name(enum result_kind kind)
{
    static const char *const names[RESULT_KIND_COUNT] = {
        [RESULT_TAKEN] = "taken", [RESULT_OLDER] = "older", [RESULT_REJECTED] = "rejected"};
    return (unsigned)kind < RESULT_KIND_COUNT ? names[kind] : "?";
}

int message_result(const struct message_result *result, char *ret_text, size_t text_bytes)
{
    struct json json;
    char at[MESSAGE_TIME_BYTES];
    message_time(result->at_us, at);
    json_begin(&json, ret_text, text_bytes);
    json_text(&json, "schema", catalogue_message(MESSAGE_RESULT)->schema, SIZE_MAX);
    json_text(&json, "of", inbound_topic_name(result->of), SIZE_MAX);
    put_text(&json, "transaction_id", result->transaction, sizeof result->transaction);
    json_text(&json, "result", result_kind_name(result->kind), SIZE_MAX);
    put_text(&json, "why", result->why, sizeof result->why);
    json_text(&json, "at", at, sizeof at);
    return json_end(&json);
}

static int write_muster(const struct message_muster *muster, char *ret_text, size_t text_bytes)
{
    struct json json;
    char at[MESSAGE_TIME_BYTES];
    message_time(muster->at_us, at);
    json_begin(&json, ret_text, text_bytes);
    json_text(&json, "schema", catalogue_message(MESSAGE_MUSTER)->schema, SIZE_MAX);
    json_text(&json, "at", at, sizeof at);
    json_flag(&json, "clock_trusted", muster->clock_trusted);
    json_text(&json, "presence", muster->presence_shared ? "shared" : "own", SIZE_MAX);
    json_integer(&json, "page", muster->page);
    json_flag(&json, "last", muster->last);
    json_integer(&json, "inside", muster->inside);
    json_open_list(&json, "persons");
    for (int i = 0; i < muster->count; i++) {
        const struct muster_row *row = &muster->rows[i];
        char since[MESSAGE_TIME_BYTES];
        message_time(row->since_us, since);
        json_open_item(&json);
        json_text(&json, "person", row->person, sizeof row->person);
        json_text(&json, "since", since, sizeof since);
        put_text(&json, "lane", row->lane, sizeof row->lane);
        json_close(&json);
    }
    json_close_list(&json);
    return json_end(&json);
}

int message_muster(struct message_muster *muster, char *ret_text, size_t text_bytes)
{
    int length = write_muster(muster, ret_text, text_bytes);
    while (length == -EMSGSIZE && muster->count > 1) { /* long names of lanes */
        muster->count /= 2;
        muster->last = false;
        length = write_muster(muster, ret_text, text_bytes);
    }
    return length;
}

int message_chain_head(const struct lane_chain_head *head, char *ret_text, size_t text_bytes)
{
    struct json json;
    char at[MESSAGE_TIME_BYTES], hash[2 * sizeof head->head.hash + 1];
    message_time(head->at_us, at);
    for (size_t i = 0; i < sizeof head->head.hash; i++)
        (void)snprintf(hash + 2 * i, 3, "%02x", head->head.hash[i]);
    json_begin(&json, ret_text, text_bytes);
    json_text(&json, "schema", catalogue_message(MESSAGE_CHAIN_HEAD)->schema, SIZE_MAX);
    json_text(&json, "at", at, sizeof at);
    json_flag(&json, "clock_trusted", head->clock_trusted);
    json_integer(&json, "seq", head->head.seq);
    json_text(&json, "hash", hash, sizeof hash);
    return json_end(&json);
}

int message_info(const struct lane_info *info, char *ret_text, size_t text_bytes)
{
    struct json json;
    json_begin(&json, ret_text, text_bytes);
    json_text(&json, "schema", catalogue_message(MESSAGE_INFO)->schema, SIZE_MAX);
    json_text(&json, "version", info->version, sizeof info->version);
    json_text(&json, "site", info->site, sizeof info->site);
    json_text(&json, "lane", info->lane, sizeof info->lane);
    put_text(&json, "lines", info->lines, sizeof info->lines);
    json_open(&json, "libraries");
    for (int i = 0; i < MESSAGE_LIBRARIES_MAX; i++)
        if (info->libraries[i].name[0] != '\0' && memchr(info->libraries[i].name, '\0', sizeof info->libraries[i].name))
            json_text(&json, info->libraries[i].name, info->libraries[i].version, sizeof info->libraries[i].version);
    json_close(&json);
    return json_end(&json);
}
