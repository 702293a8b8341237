/* Messages from the broker, and the lines of qrgatectl's JSON files: a take for each field of the three kinds, whose names and
 * bounds are the catalogue's. Main thread in qrgated. */
#include "daemon/mqtt/inbound.h"

#include <errno.h>
#include <json-c/json.h>
#include <string.h>

#include "daemon/credential/subject.h"
#include "daemon/credential/utf8.h"
#include "daemon/decision/time_text.h"
#include "daemon/mqtt/json_read.h"

#define ALLOWED_TIME_JSON "allowed is 2026-01-31T08:30:00+07:00 or a whole number of Unix seconds, from 2000 to 2200"
#define ALLOWED_NOW "is in the future; mend it, or the sender's or this machine's clock"
#define ALLOWED_FLAG "allowed are true, false"
_Static_assert(JSON_READ_HEX_ID_CHARS == JOURNAL_ID_BYTES - 1, "ids and hashes are 32 hex digits");

/* One message while it is read; of the results only the wanted one is set. */
struct message {
    int64_t now_s;
    const char *schema;
    struct declared *declared;
    struct revocation *revocation;
    struct followed_passage *passage;
    bool changes_presence;
};

/* ---- what several kinds have ------------------------------------------------------------------------------------- */

static const char *take_time(const struct message *message, struct json_object *value, int64_t *ret_s)
{
    size_t length_bytes;
    int64_t at_s;
    const char *text = json_read_text(value, &length_bytes);
    if (text ? !time_text_read(text, length_bytes, &at_s, NULL)
             : !json_read_integer(value, &at_s) || !time_text_in_range(at_s))
        return ALLOWED_TIME_JSON;
    if (at_s - INBOUND_FUTURE_TOLERATED_S > message->now_s) /* in range, so this can't overflow */
        return ALLOWED_NOW;
    *ret_s = at_s;
    return NULL;
}

static const char *take_schema(void *userdata, const struct catalogue_field *field, struct json_object *value)
{
    const struct message *message = userdata;
    size_t length_bytes;
    const char *text = json_read_text(value, &length_bytes);
    (void)field;
    return text && strcmp(text, message->schema) == 0 ? NULL : "another kind or version than this topic's";
}

static bool transaction_valid(struct json_object *value)
{
    size_t length_bytes;
    const char *text = json_read_text(value, &length_bytes);
    return text && json_read_is_word(text, length_bytes, INBOUND_TRANSACTION_BYTES - 1, "_-");
}

static const char *take_transaction(void *userdata, const struct catalogue_field *field, struct json_object *value)
{
    (void)userdata, (void)field; /* find_transaction() has kept it: also of a message that is refused for another member */
    return transaction_valid(value) ? NULL : "allowed are 1 to 64 of A-Z a-z 0-9 _ -";
}

static void find_transaction(struct json_object *root, char ret_transaction[INBOUND_TRANSACTION_BYTES])
{
    struct json_object *value;
    if (json_read_member_named(root, "transaction_id", &value) && transaction_valid(value))
        (void)strcpy(ret_transaction, json_object_get_string(value));
}

bool inbound_group_valid(const char *group, size_t length_bytes)
{
    if (length_bytes < 1 || length_bytes >= CREDENTIAL_GROUP_BYTES || group[0] == ' ' ||
        group[length_bytes - 1] == ' ' || !utf8_plain((const uint8_t *)group, length_bytes))
        return false;
    for (size_t i = 0; i < length_bytes; i++)
        if ((unsigned char)group[i] < 0x80 && !json_read_is_word(&group[i], 1, 1, "_.- "))
            return false;
    return true;
}

/* ---- a declaration ----------------------------------------------------------------------------------------------- */

static const char *take_subject(void *userdata, const struct catalogue_field *field, struct json_object *value)
{
    struct message *message = userdata;
    size_t length_bytes;
    const char *text = json_read_text(value, &length_bytes);
    (void)field;
    return text && subject_read(text, length_bytes, message->declared->identities[0]) ? NULL : SUBJECT_ALLOWED;
}

static const char *take_identities(void *userdata, const struct catalogue_field *field, struct json_object *value)
{
    struct message *message = userdata;
    char(*kept)[CREDENTIAL_SUBJECT_BYTES] = message->declared->identities;
    const size_t count = json_object_is_type(value, json_type_array) ? json_object_array_length(value) : 0;
    if (count < (size_t)field->least || count > (size_t)field->most)
        return "allowed is a list of 1 to 4 numbers";
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        struct json_object *item = json_object_array_get_idx(value, i);
        size_t length_bytes, same = 0;
        const char *text = json_read_text(item, &length_bytes);
        if (!text || !subject_read(text, length_bytes, kept[used]))
            return SUBJECT_ALLOWED;
        for (size_t before = 0; before < i; before++)
            if (json_object_equal(json_object_array_get_idx(value, before), item))
                return "allowed is each number once";
        while (same < used && strcmp(kept[same], kept[used]) != 0)
            same++;
        used += same == used; /* a BHYT number in its old and new form is one */
    }
    if (used < JOURNAL_IDENTITIES_MAX)
        kept[used][0] = '\0'; /* where the repeat was read to */
    return NULL;
}

static const char *take_person(void *userdata, const struct catalogue_field *field, struct json_object *value)
{
    struct message *message = userdata;
    (void)field;
    return json_read_hex_id(value, message->declared->person) ? NULL : JSON_READ_HEX_ALLOWED;
}

static const char *take_status(void *userdata, const struct catalogue_field *field, struct json_object *value)
{
    struct message *message = userdata;
    int word;
    /* "none" and "expired" are names too, but not something that can be declared */
    return json_read_word(value, field, &word) &&
                   declaration_status_from_name(field->words.name(word), &message->declared->declaration.status)
               ? NULL
               : "allowed are green, yellow, red, white, revoked";
}

static const char *take_declared_at(void *userdata, const struct catalogue_field *field, struct json_object *value)
{
    struct message *message = userdata;
    (void)field;
    return take_time(message, value, &message->declared->declaration.declared_at_s);
}

/* A list of names, each once, as bits. */
static bool take_names(struct json_object *value, const struct catalogue_field *field, uint16_t *ret)
{
    const struct catalogue_field *name = &field->inside->fields[0];
    if (!json_object_is_type(value, json_type_array) || json_object_array_length(value) > (size_t)field->most)
        return false;
    *ret = 0;
    for (size_t i = 0; i < json_object_array_length(value); i++) {
        int bit;
        if (!json_read_word(json_object_array_get_idx(value, i), name, &bit) || (*ret & 1u << bit))
            return false;
        *ret = (uint16_t)(*ret | 1u << bit);
    }
    return true;
}

static const char *take_symptoms(void *userdata, const struct catalogue_field *field, struct json_object *value)
{
    struct message *message = userdata;
    return take_names(value, field, &message->declared->declaration.answers.symptoms)
               ? NULL
               : "allowed is a list of fever, cough, breathlessness, pneumonia, sore_throat, tiredness, each once";
}

static const char *take_contacts(void *userdata, const struct catalogue_field *field, struct json_object *value)
{
    struct message *message = userdata;
    return take_names(value, field, &message->declared->declaration.answers.contacts)
               ? NULL
               : "allowed is a list of patient, sick_country, symptoms, each once";
}

static const char *take_travelled(void *userdata, const struct catalogue_field *field, struct json_object *value)
{
    struct message *message = userdata;
    (void)field;
    return json_read_flag(value, &message->declared->declaration.answers.travelled) ? NULL : ALLOWED_FLAG;
}

static const char *take_symptoms_at(void *userdata, const struct catalogue_field *field, struct json_object *value)
{
    struct message *message = userdata;
    (void)field;
    return take_time(message, value, &message->declared->declaration.answers.symptoms_at_s);
}

static const char *take_contact_at(void *userdata, const struct catalogue_field *field, struct json_object *value)
{
    struct message *message = userdata;
    (void)field;
    return take_time(message, value, &message->declared->declaration.answers.contact_at_s);
}

static const char *take_travel_at(void *userdata, const struct catalogue_field *field, struct json_object *value)
{
    struct message *message = userdata;
    (void)field;
    return take_time(message, value, &message->declared->declaration.answers.travel_at_s);
}

static const char *take_by(void *userdata, const struct catalogue_field *field, struct json_object *value)
{
    struct message *message = userdata;
    int by;
    if (!json_read_word(value, field, &by))
        return "allowed are self, guard";
    message->declared->declaration.answers.by = (enum declared_by)by;
    return NULL;
}

static const char *take_group(void *userdata, const struct catalogue_field *field, struct json_object *value)
{
    struct message *message = userdata;
    size_t length_bytes;
    const char *text = json_read_text(value, &length_bytes);
    (void)field;
    if (!text || !inbound_group_valid(text, length_bytes))
        return "allowed are 1 to 32 bytes of letters, digits, _ . - and spaces between them";
    (void)strcpy(message->declared->declaration.group, text);
    return NULL;
}

static json_read_take *const declaration_takes[DECLARATION_COUNT] = {
    [DECLARATION_SCHEMA] = take_schema,
    [DECLARATION_TRANSACTION_ID] = take_transaction,
    [DECLARATION_SUBJECT] = take_subject,
    [DECLARATION_IDENTITIES] = take_identities,
    [DECLARATION_PERSON] = take_person,
    [DECLARATION_STATUS] = take_status,
    [DECLARATION_DECLARED_AT] = take_declared_at,
    [DECLARATION_SYMPTOMS] = take_symptoms,
    [DECLARATION_CONTACTS] = take_contacts,
    [DECLARATION_TRAVELLED] = take_travelled,
    [DECLARATION_SYMPTOMS_AT] = take_symptoms_at,
    [DECLARATION_CONTACT_AT] = take_contact_at,
    [DECLARATION_TRAVEL_AT] = take_travel_at,
    [DECLARATION_BY] = take_by,
    [DECLARATION_GROUP] = take_group,
};
_Static_assert((int)DECLARATION_COUNT <= (int)JSON_READ_MEMBERS_MAX, "a bit for each");

const char *inbound_declaration_check(const struct declared *declared, bool answered)
{
    const struct declaration_answers *answers = &declared->declaration.answers;
    if ((declared->person[0] != '\0') == (declared->identities[0][0] != '\0'))
        return "whose: allowed is one of subject, identities, person";
    if (declared->declaration.declared_at_s == 0)
        return "declared_at is missing";
    if (declared->declaration.status == STATUS_NONE && !answered)
        return "status is missing; it may be left out when symptoms, contacts or travelled are answered";
    if (answers->symptoms_at_s != 0 && answers->symptoms == 0)
        return "symptoms_at: allowed only with a symptom";
    if (answers->contact_at_s != 0 && answers->contacts == 0)
        return "contact_at: allowed only with a contact";
    if (answers->travel_at_s != 0 && !answers->travelled)
        return "travel_at: allowed only with travelled";
    return NULL;
}

int inbound_declaration(const char *text, size_t length_bytes, int64_t now_s, struct declared *ret,
                        char ret_transaction[INBOUND_TRANSACTION_BYTES], char *why, size_t why_bytes)
{
    const struct catalogue_message *rows = catalogue_message(MESSAGE_DECLARATION);
    struct message message = { .now_s = now_s, .schema = rows->schema, .declared = ret };
    const unsigned whose = 1u << DECLARATION_SUBJECT | 1u << DECLARATION_IDENTITIES | 1u << DECLARATION_PERSON;
    const unsigned answers = 1u << DECLARATION_SYMPTOMS | 1u << DECLARATION_CONTACTS | 1u << DECLARATION_TRAVELLED;
    unsigned seen;
    int error;
    *ret = (struct declared){ .declaration.found = true, .source = "mqtt" };
    ret_transaction[0] = '\0';
    struct json_object *root = json_read(text, length_bytes, INBOUND_MESSAGE_MAX_BYTES, &error, why, why_bytes);
    if (!root)
        goto refused;
    find_transaction(root, ret_transaction);
    error = json_read_members(root, rows, declaration_takes, &message, &seen, why, why_bytes);
    json_read_free(root);
    if (error < 0)
        goto refused;
    const unsigned named = seen & whose;
    const char *wrong = named & (named - 1) /* more than one */ ? "whose: allowed is one of subject, identities, person"
                                                                : inbound_declaration_check(ret, seen & answers);
    if (!wrong)
        return 0;
    error = json_read_refuse(why, why_bytes, "%s", wrong);
refused:
    *ret = (struct declared){ 0 };
    return error;
}

/* ---- a revocation ------------------------------------------------------------------------------------------------ */

static const char *take_token_id(void *userdata, const struct catalogue_field *field, struct json_object *value)
{
    struct message *message = userdata;
    static const uint8_t none[CREDENTIAL_TOKEN_ID_BYTES];
    uint8_t *id = message->revocation->token_id;
    char hex[JOURNAL_ID_BYTES];
    _Static_assert(2 * CREDENTIAL_TOKEN_ID_BYTES == JSON_READ_HEX_ID_CHARS, "an id is as long as a person's hash");
    (void)field;
    if (!json_read_hex_id(value, hex))
        return JSON_READ_HEX_ALLOWED;
    for (size_t i = 0; i < JSON_READ_HEX_ID_CHARS; i++) {
        const int digit = hex[i] <= '9' ? hex[i] - '0' : hex[i] - 'a' + 10;
        id[i / 2] = (uint8_t)(i % 2 == 0 ? digit << 4 : id[i / 2] | digit);
    }
    return memcmp(id, none, sizeof(none)) == 0 ? "all zeros is no token's id" : NULL;
}

static const char *take_revoked_at(void *userdata, const struct catalogue_field *field, struct json_object *value)
{
    struct message *message = userdata;
    (void)field;
    return take_time(message, value, &message->revocation->revoked_at_s);
}

static const char *take_lifted(void *userdata, const struct catalogue_field *field, struct json_object *value)
{
    struct message *message = userdata;
    (void)field;
    return json_read_flag(value, &message->revocation->lifted) ? NULL : ALLOWED_FLAG;
}

int inbound_revocation(const char *text, size_t length_bytes, int64_t now_s, struct revocation *ret,
                       char ret_transaction[INBOUND_TRANSACTION_BYTES], char *why, size_t why_bytes)
{
    static json_read_take *const takes[REVOCATION_COUNT] = {
        [REVOCATION_SCHEMA] = take_schema,       [REVOCATION_TRANSACTION_ID] = take_transaction,
        [REVOCATION_TOKEN_ID] = take_token_id,   [REVOCATION_REVOKED_AT] = take_revoked_at,
        [REVOCATION_LIFTED] = take_lifted,
    };
    const struct catalogue_message *rows = catalogue_message(MESSAGE_REVOCATION);
    struct message message = { .now_s = now_s, .schema = rows->schema, .revocation = ret };
    unsigned seen;
    int error;
    *ret = (struct revocation){ .source = "mqtt" };
    ret_transaction[0] = '\0';
    struct json_object *root = json_read(text, length_bytes, INBOUND_MESSAGE_MAX_BYTES, &error, why, why_bytes);
    if (root) {
        find_transaction(root, ret_transaction);
        error = json_read_members(root, rows, takes, &message, &seen, why, why_bytes);
        json_read_free(root);
        if (error == 0)
            error = json_read_required(rows, takes, seen, why, why_bytes);
    }
    if (error < 0)
        *ret = (struct revocation){ 0 };
    return error;
}

/* ---- another lane's passage -------------------------------------------------------------------------------------- */

static const char *take_event_id(void *userdata, const struct catalogue_field *field, struct json_object *value)
{
    struct message *message = userdata;
    (void)field;
    return json_read_hex_id(value, message->passage->event_id) ? NULL : JSON_READ_HEX_ALLOWED;
}

static const char *take_passenger(void *userdata, const struct catalogue_field *field, struct json_object *value)
{
    struct message *message = userdata;
    (void)field;
    return json_read_hex_id(value, message->passage->person) ? NULL : JSON_READ_HEX_ALLOWED;
}

static const char *take_direction(void *userdata, const struct catalogue_field *field, struct json_object *value)
{
    struct message *message = userdata;
    size_t length_bytes;
    const char *text = json_read_text(value, &length_bytes);
    (void)field;
    return text && direction_from_name(text, &message->passage->direction) ? NULL : "allowed are in, out, none";
}

static const char *take_at(void *userdata, const struct catalogue_field *field, struct json_object *value)
{
    struct message *message = userdata;
    size_t length_bytes;
    int64_t at_s;
    int32_t us;
    const char *text = json_read_text(value, &length_bytes);
    (void)field;
    if (!text || !time_text_read(text, length_bytes, &at_s, &us))
        return "allowed is 2026-01-31T01:30:00.000Z";
    message->passage->at_us = at_s * 1000000 + us;
    return NULL;
}

static const char *take_changes_presence(void *userdata, const struct catalogue_field *field, struct json_object *value)
{
    struct message *message = userdata;
    (void)field;
    return json_read_flag(value, &message->changes_presence) ? NULL : ALLOWED_FLAG;
}

int inbound_passage(const char *text, size_t length_bytes, const char *lane, struct followed_passage *ret, char *why,
                    size_t why_bytes)
{
    static json_read_take *const takes[PASSAGE_COUNT] = { /* the others are no concern of ours */
        [PASSAGE_SCHEMA] = take_schema,       [PASSAGE_EVENT_ID] = take_event_id,
        [PASSAGE_AT] = take_at,               [PASSAGE_PERSON] = take_passenger,
        [PASSAGE_DIRECTION] = take_direction, [PASSAGE_CHANGES_PRESENCE] = take_changes_presence,
    };
    const struct catalogue_message *rows = catalogue_message(MESSAGE_PASSAGE);
    const unsigned needed = 1u << PASSAGE_EVENT_ID | 1u << PASSAGE_AT;
    struct message message = { .schema = rows->schema, .passage = ret };
    unsigned seen;
    int result;
    *ret = (struct followed_passage){ .direction = DIRECTION_NONE };
    const size_t lane_bytes = strlen(lane);
    if (lane_bytes == 0 || lane_bytes >= sizeof(ret->lane))
        return json_read_refuse(why, why_bytes, "the topic's lane: allowed are 1 to %zu characters", sizeof(ret->lane) - 1);
    struct json_object *root = json_read(text, length_bytes, INBOUND_MESSAGE_MAX_BYTES, &result, why, why_bytes);
    if (root) {
        result = json_read_members(root, rows, takes, &message, &seen, why, why_bytes);
        json_read_free(root);
        if (result == 0 && (seen & needed) != needed)
            result = json_read_refuse(why, why_bytes, "event_id or at is missing");
    }
    if (result == 0 && message.changes_presence && ret->person[0] != '\0' && ret->direction != DIRECTION_NONE) {
        memcpy(ret->lane, lane, lane_bytes + 1);
        return 1;
    }
    *ret = (struct followed_passage){ .direction = DIRECTION_NONE };
    return result;
}
