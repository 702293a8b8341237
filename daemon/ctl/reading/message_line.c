/* One line of a file of messages -> an event and its lane. Strict where it matters: what is taken has every enum in range and
 * every text within its field. */
#include "daemon/ctl/reading/message_line.h"

#include <errno.h>
#include <json-c/json_object.h>
#include <string.h>

#include "daemon/ctl/ctl.h"
#include "daemon/decision/time_text.h"
#include "daemon/journal/event.h"
#include "daemon/mqtt/json_read.h"
#include "daemon/mqtt/topics.h"

struct message {
    struct event event;
    char schema[32];
    int64_t at_s;
    int32_t at_part_us;
};


/* ---- one message ------------------------------------------------------------------------------------------------- */

static bool take_text(struct json_object *value, char *ret, size_t ret_bytes)
{
    size_t length;
    const char *text = json_read_text(value, &length);
    if (!text || length >= ret_bytes)
        return false;
    memcpy(ret, text, length + 1);
    return true;
}

#define TAKE(name, allowed, ...)                                                    \
    static const char *take_##name(void *userdata, struct json_object *value)       \
    {                                                                               \
        struct message *m = userdata;                                               \
        char text[64] = "";                                                         \
        (void)text; /* not all need it */                                           \
        return (__VA_ARGS__) ? NULL : (allowed);                                    \
    }
#define NAMED(convert) (take_text(value, text, sizeof(text)) && (convert))

TAKE(schema, "allowed are qrgate/passage/1 and qrgate/alarm/1", take_text(value, m->schema, sizeof(m->schema)))
TAKE(event_id, JSON_READ_HEX_ALLOWED, json_read_hex_id(value, m->event.event_id))
TAKE(seq, "allowed are whole numbers from 1 on", json_read_integer(value, &m->event.seq) && m->event.seq > 0)
TAKE(kind, "allowed are the kinds of the schema", NAMED(event_kind_from_name(text, &m->event.kind)))
TAKE(at, "allowed is a time such as 2026-01-31T08:30:00.000Z",
     take_text(value, text, sizeof(text)) && time_text_read(text, strlen(text), &m->at_s, &m->at_part_us))
TAKE(clock_trusted, "allowed are true and false", json_read_flag(value, &m->event.clock_trusted))
TAKE(reason, "allowed are the reasons of the schema", NAMED(reason_from_name(text, &m->event.reason)))
TAKE(status, "allowed are the statuses of the schema", NAMED(declaration_status_from_name(text, &m->event.status)))
TAKE(credential, "allowed are the credentials of the schema", NAMED(credential_kind_from_name(text, &m->event.credential)))
TAKE(person, JSON_READ_HEX_ALLOWED, json_read_hex_id(value, m->event.person))
TAKE(bound, JSON_READ_HEX_ALLOWED, json_read_hex_id(value, m->event.bound_event_id))
TAKE(detail, "allowed is a text of 95 bytes", take_text(value, m->event.detail, sizeof(m->event.detail)))
TAKE(verb, "allowed are the verbs of the schema", take_text(value, m->event.verb, sizeof(m->event.verb)))
TAKE(operator, "allowed is a name of 32 bytes", take_text(value, m->event.operator_name, sizeof(m->event.operator_name)))
TAKE(direction, "allowed are in and out", NAMED(direction_from_name(text, &m->event.direction)))
TAKE(alarm, "allowed are the alarms of the schema", take_text(value, m->event.alarm, sizeof(m->event.alarm)))

struct member {
    const char *name;
    const char *(*take)(void *message, struct json_object *value); /* NULL, or what is allowed */
};
enum { NEEDED = 6 }; /* the first of the table */
static const struct member MEMBERS[] = {
    { "event_id", take_event_id }, { "seq", take_seq },       { "kind", take_kind },
    { "at", take_at },             { "schema", take_schema }, { "clock_trusted", take_clock_trusted },
    { "reason", take_reason },     { "status", take_status }, { "credential", take_credential },
    { "person", take_person },     { "bound_event_id", take_bound }, { "detail", take_detail },
    { "verb", take_verb },         { "operator", take_operator },    { "direction", take_direction },
    { "alarm", take_alarm },
};

/* 1; 0: of another topic; or -EBADMSG. Members that aren't in the table are ignored: messages may grow. */
static int take_message(struct json_object *object, struct message *ret, char *why, size_t why_bytes)
{
    char shown[48];
    struct json_object *value;
    int error = 0;
    *ret = (struct message){ .event = { .reason = REASON_NONE, .credential = CREDENTIAL_UNSUPPORTED } };
    for (int i = 0; i < (int)(sizeof(MEMBERS) / sizeof(MEMBERS[0])) && error == 0; i++) {
        const bool there = json_read_member_named(object, MEMBERS[i].name, &value);
        const char *allowed = there ? MEMBERS[i].take(ret, value) : NULL;
        if (!there && i < NEEDED)
            error = json_read_refuse(why, why_bytes, "'%s' is missing", MEMBERS[i].name);
        else if (allowed)
            error = json_read_refuse(why, why_bytes, "%s %s: %s", MEMBERS[i].name,
                                     printable(json_object_to_json_string(value), shown, sizeof(shown)), allowed);
    }
    if (error == 0 && strcmp(ret->schema, "qrgate/passage/1") != 0 && strcmp(ret->schema, "qrgate/alarm/1") != 0)
        return 0; /* of another topic */
    ret->event.at_us = ret->at_s * 1000000 + ret->at_part_us;
    return error < 0 ? error : 1;
}

/* ---- one line ---------------------------------------------------------------------------------------------------- */

/* "qrgate/SITE/LANE/passage" -> "LANE"; false: another topic. */
static bool lane_of_topic(const char *topic, size_t length, char ret[JOURNAL_LANE_BYTES])
{
    const char *parts[8];
    int count = 0;
    parts[count++] = topic;
    for (const char *c = topic; c < topic + length && count < 8; c++)
        if (*c == '/')
            parts[count++] = c + 1;
    if (count < 4)
        return false;
    const char *leaf = parts[count - 1], *lane = parts[count - 2];
    const size_t leaf_bytes = (size_t)(topic + length - leaf), lane_bytes = (size_t)(leaf - 1 - lane);
    const bool ours = (leaf_bytes == 7 && memcmp(leaf, "passage", 7) == 0) || (leaf_bytes == 5 && memcmp(leaf, "alarm", 5) == 0);
    if (!ours || lane_bytes == 0 || lane_bytes >= JOURNAL_LANE_BYTES)
        return false;
    (void)snprintf(ret, JOURNAL_LANE_BYTES, "%.*s", (int)lane_bytes, lane);
    return topic_name_valid(ret);
}

static int read_line(const char *line, size_t length, struct message *ret, char ret_lane[JOURNAL_LANE_BYTES], char *why,
                     size_t why_bytes)
{
    const size_t topic = line[0] == '{' ? 0 : strcspn(line, " \t");
    ret_lane[0] = '\0';
    if (topic > 0 && !lane_of_topic(line, topic, ret_lane))
        return memchr(line, '/', topic) ? 0 : json_read_refuse(why, why_bytes, "not a message");
    const char *brace = line + topic + strspn(line + topic, " \t");
    const size_t before = (size_t)(brace - line);
    int error;
    struct json_object *object = json_read(brace, length - before, MESSAGE_LINE_BYTES, &error, why, why_bytes), *inner = object;
    struct json_object *value, *unwrapped = NULL;
    size_t text_bytes;
    if (!object)
        return error;
    int result = 1;
    if (json_read_member_named(object, "topic", &value)) {
        const char *text = json_read_text(value, &text_bytes);
        result = text && lane_of_topic(text, text_bytes, ret_lane);
        if (result == 1 && !json_read_member_named(object, "payload", &inner))
            result = json_read_refuse(why, why_bytes, "'payload' is missing");
        const char *payload = result == 1 ? json_read_text(inner, &text_bytes) : NULL;
        if (payload) {
            inner = unwrapped = json_read(payload, text_bytes, MESSAGE_LINE_BYTES, &error, why, why_bytes);
            result = unwrapped ? 1 : error;
        }
    }
    if (result == 1 && !json_object_is_type(inner, json_type_object))
        result = json_read_refuse(why, why_bytes, "'payload': not an object");
    if (result == 1)
        result = take_message(inner, ret, why, why_bytes);
    json_read_free(unwrapped);
    json_read_free(object);
    return result;
}

int message_line_read(const char *line, size_t length, struct event *ret, char ret_lane[JOURNAL_LANE_BYTES], char *why,
                      size_t why_bytes)
{
    struct message message;
    const int result = read_line(line, length, &message, ret_lane, why, why_bytes);
    if (result == 1)
        *ret = message.event;
    return result;
}
