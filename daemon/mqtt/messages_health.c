/* The lane's health as JSON. Pure; called by the publisher, in the main thread. */
#include <stdio.h>

#include "daemon/mqtt/catalogue.h"
#include "daemon/mqtt/json_write.h"
#include "daemon/mqtt/messages.h"

static void put_times(struct json *json, const char *key, const struct lane_times *times)
{
    json_open(json, key);
    json_integer(json, "count", times->count);
    if (times->count > 0) {
        json_integer(json, "p50_us", times->p50_us);
        json_integer(json, "p99_us", times->p99_us);
    }
    json_close(json);
}

static void put_where_known(struct json *json, const char *key, int64_t value)
{
    if (value >= 0)
        json_integer(json, key, value);
}

static void put_camera(struct json *json, const struct lane_health *health)
{
    json_open(json, "eye");
    json_integer(json, "frames", health->frames);
    json_integer(json, "broken_frames", health->broken_frames);
    json_integer(json, "scans", health->scans);
    json_integer(json, "reads", health->reads);
    json_thousandths(json, "frames_per_s", health->frames_per_1000_s);
    json_integer(json, "restarts", health->eye_restarts);
    json_close(json);
}

static void put_journal(struct json *json, const struct lane_health *health)
{
    json_open(json, "journal");
    json_integer(json, "used_bytes", health->journal.used_bytes);
    json_integer(json, "percent", health->journal.percent);
    json_integer(json, "first_seq", health->journal.first_seq);
    json_integer(json, "last_seq", health->last_seq);
    json_integer(json, "purged_unsent", health->journal.purged_unsent_rows);
    json_integer(json, "disk_free_bytes", health->journal.disk_free_bytes);
    json_close(json);
}

static void put_machine(struct json *json, const struct lane_health *health)
{
    if (health->has_temperature)
        json_thousandths(json, "temperature_c", health->temperature_thousandths_c);
    json_open(json, "memory");
    put_where_known(json, "main_bytes", health->memory_bytes);
    put_where_known(json, "eye_bytes", health->eye_memory_bytes);
    json_close(json);
    json_open(json, "clock");
    json_flag(json, "synchronised", health->clock_synchronised);
    put_where_known(json, "error_us", health->clock_error_us);
    put_where_known(json, "error_max_us", health->clock_error_max_us);
    json_close(json);
}

int message_health(const struct lane_health *health, char *ret_text, size_t text_bytes)
{
    struct json json;
    char at[MESSAGE_TIME_BYTES];
    message_time(health->at_us, at);
    json_begin(&json, ret_text, text_bytes);
    json_text(&json, "schema", catalogue_message(MESSAGE_HEALTH)->schema, SIZE_MAX);
    json_text(&json, "at", at, sizeof at);
    json_flag(&json, "clock_trusted", health->clock_trusted);
    json_integer(&json, "uptime_s", health->uptime_s);
    put_camera(&json, health);
    put_times(&json, "frame_to_relay", &health->frame_to_relay);
    put_times(&json, "publish_to_ack", &health->publish_to_ack);
    json_open(&json, "queues");
    json_integer(&json, "unsent_rows", health->unsent_rows);
    json_integer(&json, "pending_events", health->pending_events);
    json_integer(&json, "inbox_messages", health->inbox_messages);
    json_close(&json);
    put_journal(&json, health);
    put_machine(&json, health);
    json_open(&json, "mqtt");
    json_text(&json, "protocol", health->is_mqtt_5 ? "5" : "3.1.1", SIZE_MAX);
    if (health->has_certificate)
        json_integer(&json, "certificate_days_left", health->certificate_days_left);
    if (health->has_ca)
        json_integer(&json, "ca_days_left", health->ca_days_left);
    json_close(&json);
    return json_end(&json);
}
