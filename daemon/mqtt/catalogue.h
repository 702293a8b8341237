/* Every topic, message and field of the lane's MQTT, in one table. From it are made: the topics' names and flags (topics.c), the
 * JSON Schemas of config/schemas (schema.h, `make schemas`) and the manual page qrgate-messages(7). Readers of what comes in
 * take names, bounds and rights from it (json_read.h); what is written is held against it by tests. Constant; any thread.
 * A field that is added: its row here, its reader or writer, `make schemas`. */
#ifndef MQTT_CATALOGUE_H
#define MQTT_CATALOGUE_H

#include "daemon/journal/journal.h"
#include "daemon/lane/lane.h"
#include "daemon/mqtt/topics.h"

/* What a text must look like; each is a definition in the schemas. */
enum field_form {
    FORM_NONE, FORM_ID, FORM_TIME, FORM_ANY_TIME /* or a number */, FORM_NAME, FORM_SUBJECT, FORM_GROUP, FORM_LINE,
    FORM_TRANSACTION_ID, FORM_TRANSACTION, FORM_HASH, FORM_WEEK, FORM_DATE, FORM_OFFSET, FORM_COUNT
};

enum field_kind {
    FIELD_SCHEMA,  /* the message's own schema */
    FIELD_TEXT,    /* form; or 1 to `most` characters, 0 = any */
    FIELD_WORD,    /* one of words */
    FIELD_INTEGER, /* least to most; INT64_MIN, INT64_MAX: no bound */
    FIELD_NUMBER,  /* likewise, with a fraction */
    FIELD_FLAG,
    FIELD_TRUE,    /* true, or left out */
    FIELD_OBJECT,  /* inside; NULL: of another message, see what */
    FIELD_LIST,    /* least to most of inside's one field, whose name is nobody's; `unique`: each once */
    FIELD_TEXTS,   /* an object of texts under names of their own */
    FIELD_COUNTS,  /* likewise, of counts */
};

struct catalogue_words {
    const char *(*name)(int index);
    int from, to; /* names from `from` to below `to` */
};

struct catalogue_field {
    const char *name;
    enum field_kind kind;
    enum field_form form;
    bool required, unique;
    bool personal; /* a reader doesn't repeat its digits in a log */
    int64_t least, most;
    struct catalogue_words words;
    const struct catalogue_group *inside;
    unsigned must_of, may_of; /* request: bits by enum command_verb, of the verbs that need it, and of others that may have it */
    const char *more;         /* further members of its schema, as JSON, or NULL */
    const char *what;         /* or NULL, where the name says it */
};

struct catalogue_group {
    const struct catalogue_field *fields;
    int count;
    const char *rules; /* what no single field can say, as members of a JSON Schema, or NULL */
};

enum message_name {
    MESSAGE_DECLARATION, MESSAGE_REVOCATION, MESSAGE_RESULT, MESSAGE_REQUEST, MESSAGE_RESPONSE, MESSAGE_PASSAGE, MESSAGE_ALARM,
    MESSAGE_MUSTER, MESSAGE_HEALTH, MESSAGE_CHAIN_HEAD, MESSAGE_STATE, MESSAGE_INFO, MESSAGE_REPORT, MESSAGE_COUNT
};

struct catalogue_message {
    const char *name;   /* "passage" */
    const char *schema; /* "qrgate/passage/1": what its field `schema` says */
    int version;
    bool strict; /* a field that isn't here is refused; else it may be added within the version, and readers ignore it */
    const char *what;
    struct catalogue_group group;
};

struct catalogue_topic {
    const char *levels; /* with PREFIX, SITE, LANE and VERB for what changes */
    bool is_in, is_out; /* to the lane, from it */
    bool retained;
    int qos;
    enum message_name message; /* MESSAGE_COUNT: no JSON of ours */
    const char *what;
};

/* Places of fields in what is read; the readers' tables go by them. */
enum declaration_field {
    DECLARATION_SCHEMA, DECLARATION_TRANSACTION_ID, DECLARATION_SUBJECT, DECLARATION_IDENTITIES, DECLARATION_PERSON,
    DECLARATION_STATUS, DECLARATION_DECLARED_AT, DECLARATION_SYMPTOMS, DECLARATION_CONTACTS, DECLARATION_TRAVELLED,
    DECLARATION_SYMPTOMS_AT, DECLARATION_CONTACT_AT, DECLARATION_TRAVEL_AT, DECLARATION_BY, DECLARATION_GROUP, DECLARATION_COUNT
};
enum revocation_field {
    REVOCATION_SCHEMA, REVOCATION_TRANSACTION_ID, REVOCATION_TOKEN_ID, REVOCATION_REVOKED_AT, REVOCATION_LIFTED, REVOCATION_COUNT
};
enum request_field {
    REQUEST_SCHEMA, REQUEST_TRANSACTION, REQUEST_OPERATOR, REQUEST_WHY, REQUEST_ISSUED_AT, REQUEST_LANE, REQUEST_VERB,
    REQUEST_MODE, REQUEST_FOR_S, REQUEST_FROM_SEQ, REQUEST_DECLARATION, REQUEST_REVOCATION, REQUEST_COUNT
};
enum passage_field {
    PASSAGE_SCHEMA, PASSAGE_EVENT_ID, PASSAGE_SEQ, PASSAGE_KIND, PASSAGE_AT, PASSAGE_MONOTONIC_US, PASSAGE_CLOCK_TRUSTED,
    PASSAGE_HISTORICAL, PASSAGE_REASON, PASSAGE_STATUS, PASSAGE_CREDENTIAL, PASSAGE_PERSON, PASSAGE_BOUND_EVENT_ID,
    PASSAGE_DETAIL, PASSAGE_VERB, PASSAGE_OPERATOR, PASSAGE_DIRECTION, PASSAGE_PRESENCE, PASSAGE_CHANGES_PRESENCE, PASSAGE_COUNT
};

const struct catalogue_message *catalogue_message(enum message_name name);
const struct catalogue_message *catalogue_message_named(const char *name); /* or NULL */
/* Row by row, in the manual's order; NULL at the end. */
const struct catalogue_topic *catalogue_topic_row(int row);
const struct catalogue_topic *catalogue_topic(enum topic topic);
const struct catalogue_topic *catalogue_inbound(enum inbound_topic topic);
/* A field by its path, "frame_to_relay.p50_us"; NULL: there is none. */
const struct catalogue_field *catalogue_field(enum message_name message, const char *path);

/* The alarms: lane.h's, then those of passage.h in its order, then what starts and stops are called. */
enum { ALARM_FIRST_OF_PASSAGE = LANE_ALARM_COUNT, ALARM_OF_LANE = ALARM_FIRST_OF_PASSAGE + 4, ALARM_NAME_COUNT };
const char *catalogue_alarm_name(int alarm);

/* The rows of each message, for catalogue.c: catalogue_events.c, catalogue_reports.c, catalogue_inbound.c, catalogue_commands.c,
 * catalogue_week.c. */
extern const struct catalogue_message catalogue_declaration, catalogue_revocation, catalogue_result, catalogue_request,
    catalogue_response, catalogue_passage, catalogue_alarm, catalogue_muster, catalogue_health, catalogue_chain_head, catalogue_state,
    catalogue_info, catalogue_report;

#endif
