/* The discovery message, from a table of entities. Keys are Home Assistant's, in their published short forms (dev, o, cmps, p …);
 * tests hold them against its list, and topics and fields against the catalogue. Templates are Jinja, run by Home Assistant on
 * each message: what may be missing is asked for by `is defined` or default(), which it takes without a warning. */
#include "daemon/mqtt/discovery.h"

#include <stdio.h>
#include <string.h>

#include "daemon/mqtt/catalogue.h"
#include "daemon/mqtt/command.h"
#include "daemon/mqtt/json_write.h"

enum { ENTITY_BYTES = 4 * TOPIC_LANE_BYTES + 32, TEMPLATE_BYTES = 256, HEALTH_EXPIRES_S = 180 /* three are missing */ };

/* How a field becomes an entity's state. */
enum state_form {
    STATE_VALUE,  /* as it is; unknown where it is left out */
    STATE_MS,     /* microseconds, shown as milliseconds */
    STATE_ALARM,  /* ON: `alarm` is in the list */
    STATE_NOT,    /* ON: the flag is false */
};

static const struct entity {
    const char *id, *platform, *name;
    enum topic topic;
    const char *field;
    enum state_form form;
    const char *device_class, *unit, *state_class; /* NULL: none */
    enum lane_alarm alarm;
} entities[] = {
    {"tamper", "binary_sensor", "Cabinet", TOPIC_STATE, "alarms", STATE_ALARM, "tamper", NULL, NULL, LANE_ALARM_TAMPER},
    {"fire", "binary_sensor", "Fire release", TOPIC_STATE, "alarms", STATE_ALARM, "safety", NULL, NULL, LANE_ALARM_EMERGENCY},
    {"held", "binary_sensor", "Arm held", TOPIC_STATE, "alarms", STATE_ALARM, "problem", NULL, NULL, LANE_ALARM_HELD},
    {"out_of_order", "binary_sensor", "Out of order", TOPIC_STATE, "alarms", STATE_ALARM, "problem", NULL, NULL,
     LANE_ALARM_OUT_OF_ORDER},
    {"mode", "sensor", "Mode", TOPIC_STATE, "mode", STATE_VALUE, NULL, NULL, NULL, 0},
    {"frames", "sensor", "Pictures", TOPIC_HEALTH, "eye.frames", STATE_VALUE, NULL, NULL, "total_increasing", 0},
    {"frames_per_s", "sensor", "Pictures a second", TOPIC_HEALTH, "eye.frames_per_s", STATE_VALUE, NULL, NULL, "measurement", 0},
    {"reads", "sensor", "Codes read", TOPIC_HEALTH, "eye.reads", STATE_VALUE, NULL, NULL, "total_increasing", 0},
    {"relay_p50", "sensor", "Picture to relay, median", TOPIC_HEALTH, "frame_to_relay.p50_us", STATE_MS, "duration", "ms",
     "measurement", 0},
    {"relay_p99", "sensor", "Picture to relay, 99 %", TOPIC_HEALTH, "frame_to_relay.p99_us", STATE_MS, "duration", "ms",
     "measurement", 0},
    {"ack_p99", "sensor", "Broker's answer, 99 %", TOPIC_HEALTH, "publish_to_ack.p99_us", STATE_MS, "duration", "ms",
     "measurement", 0},
    {"unsent", "sensor", "Events unsent", TOPIC_HEALTH, "queues.unsent_rows", STATE_VALUE, NULL, NULL, "measurement", 0},
    {"pending", "sensor", "Events not on disk", TOPIC_HEALTH, "queues.pending_events", STATE_VALUE, NULL, NULL, "measurement", 0},
    {"temperature", "sensor", "Processor", TOPIC_HEALTH, "temperature_c", STATE_VALUE, "temperature", "\u00b0C", "measurement", 0},
    {"journal", "sensor", "Journal", TOPIC_HEALTH, "journal.percent", STATE_VALUE, NULL, "%", "measurement", 0},
    {"disk_free", "sensor", "Disk free", TOPIC_HEALTH, "journal.disk_free_bytes", STATE_VALUE, "data_size", "B", "measurement", 0},
    {"clock", "binary_sensor", "Clock", TOPIC_HEALTH, "clock.synchronised", STATE_NOT, "problem", NULL, NULL, 0},
    {"certificate", "sensor", "Certificate ends in", TOPIC_HEALTH, "mqtt.certificate_days_left", STATE_VALUE, "duration", "d",
     "measurement", 0},
    {"ca", "sensor", "Broker's CA ends in", TOPIC_HEALTH, "mqtt.ca_days_left", STATE_VALUE, "duration", "d", "measurement", 0},
};

/* Requests' members (catalogue_commands.c) by Home Assistant's clock; `why` is what the journal keeps. */
static const char open_template[] =
    "{{ {'schema': 'qrgate/request/1', 'transaction': 'ha-' ~ (now().timestamp() * 1000000) | int ~ '-' ~ range(1000000) | random, "
    "'operator': 'home-assistant', 'why': 'pressed in Home Assistant', 'issued_at': now().isoformat()} | tojson }}";
/* What is history is for the record, not for automations to act on. Nobody's hash goes where it isn't needed. */
static const char passage_template[] =
    "{% if value_json.historical is not defined %}{{ {'event_type': value_json.kind, 'reason': value_json.reason, "
    "'status': value_json.status, 'seq': value_json.seq, 'direction': value_json.direction | default('')} | tojson }}{% endif %}";

static void put(struct json *json, const char *key, const char *text)
{
    if (text != NULL)
        json_text(json, key, text, SIZE_MAX);
}

static void put_id(struct json *json, const struct discovery *d, const char *key, const char *entity)
{
    char id[ENTITY_BYTES];
    (void)snprintf(id, sizeof id, "%s/%s/%s%s%s", d->prefix, d->site, d->lane, entity[0] != '\0' ? "/" : "", entity);
    if (key != NULL)
        json_text(json, key, id, SIZE_MAX);
    else
        json_text_item(json, id);
}

static void begin(struct json *json, const struct discovery *d, const char *id, const char *platform, const char *name)
{
    json_open(json, id);
    put(json, "p", platform);
    put(json, "name", name);
    put_id(json, d, "uniq_id", id);
}

static void put_template(struct json *json, const struct entity *entity)
{
    const char *field = entity->field;
    char text[TEMPLATE_BYTES];
    switch (entity->form) {
    case STATE_VALUE: (void)snprintf(text, sizeof text, "{{ value_json.%s | default(none) }}", field); break;
    case STATE_MS:
        (void)snprintf(text, sizeof text, "{{ (value_json.%s / 1000) | round(1) if value_json.%s is defined else none }}", field,
                       field);
        break;
    case STATE_ALARM:
        (void)snprintf(text, sizeof text, "{{ 'ON' if '%s' in value_json.%s else 'OFF' }}", lane_alarm_name(entity->alarm), field);
        break;
    case STATE_NOT: (void)snprintf(text, sizeof text, "{{ 'OFF' if value_json.%s else 'ON' }}", field); break;
    }
    put(json, "val_tpl", text);
}

static void put_entity(struct json *json, const struct discovery *d, const struct entity *entity)
{
    begin(json, d, entity->id, entity->platform, entity->name);
    put(json, "stat_t", d->topics->text[entity->topic]);
    put_template(json, entity);
    put(json, "dev_cla", entity->device_class);
    put(json, "unit_of_meas", entity->unit);
    put(json, "stat_cla", entity->state_class);
    if (entity->topic == TOPIC_HEALTH) {
        put(json, "ent_cat", "diagnostic");
        json_integer(json, "exp_aft", HEALTH_EXPIRES_S);
    }
    json_close(json);
}

static void put_passage(struct json *json, const struct discovery *d)
{
    const struct catalogue_words *kinds = &catalogue_field(MESSAGE_PASSAGE, "kind")->words;
    begin(json, d, "passage", "event", "Passage");
    put(json, "stat_t", d->topics->text[TOPIC_PASSAGE]);
    put(json, "val_tpl", passage_template);
    json_open_list(json, "evt_typ");
    for (int i = kinds->from; i < kinds->to; i++)
        json_text_item(json, kinds->name(i));
    json_close_list(json);
    json_close(json);
}

static void put_open(struct json *json, const struct discovery *d)
{
    char topic[TOPIC_BYTES];
    if (!d->may_open) { /* a platform alone: taken away, if it was there */
        json_open(json, "open");
        put(json, "p", "button");
        json_close(json);
        return;
    }
    /* What the lane subscribes to, for one verb. */
    (void)snprintf(topic, sizeof topic, "%.*s%s", (int)strcspn(d->topics->filter[INBOUND_REQUEST], "+"),
                   d->topics->filter[INBOUND_REQUEST], command_verb_name(COMMAND_OPEN));
    begin(json, d, "open", "button", "Open once");
    put(json, "cmd_t", topic);
    put(json, "cmd_tpl", open_template);
    json_flag(json, "ret", false); /* the lane would refuse it */
    json_close(json);
}

int discovery_write(const struct discovery *d, char *ret_text, size_t text_bytes)
{
    struct json json;
    char name[2 * TOPIC_LANE_BYTES + 8];
    (void)snprintf(name, sizeof name, "qrgate %s %s", d->site, d->lane);
    json_begin(&json, ret_text, text_bytes);
    json_open(&json, "dev");
    json_open_list(&json, "ids");
    put_id(&json, d, NULL, "");
    json_close_list(&json);
    put(&json, "name", name);
    put(&json, "mf", "qrgate");
    put(&json, "mdl", "gate");
    put(&json, "sw", d->version);
    json_close(&json);
    json_open(&json, "o");
    put(&json, "name", "qrgate");
    put(&json, "sw", d->version);
    json_close(&json);
    put(&json, "avty_t", d->topics->text[TOPIC_AVAILABILITY]);
    json_integer(&json, "qos", 1);
    json_open(&json, "cmps");
    put_passage(&json, d);
    put_open(&json, d);
    for (size_t i = 0; i < sizeof entities / sizeof entities[0]; i++)
        put_entity(&json, d, &entities[i]);
    json_close(&json);
    return json_end(&json);
}
