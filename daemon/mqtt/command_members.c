/* The members of a request's JSON, by their rows of the catalogue, which say too which of them a verb has. Called by command.c. */
#include <errno.h>
#include <json-c/json.h>
#include <string.h>

#include "daemon/credential/utf8.h"
#include "daemon/decision/time_text.h"
#include "daemon/mqtt/command_parts.h"
#include "daemon/mqtt/json_read.h"

struct reading {
    struct command *command;
    int64_t issued_at_us;
    const char *lane, *verb; /* NULL: not said */
    struct json_object *declaration, *revocation;
};

/* ---- one member -------------------------------------------------------------------------------------------------- */

static bool transaction_valid(struct json_object *value)
{
    size_t length_bytes;
    const char *text = json_read_text(value, &length_bytes);
    return text && json_read_is_word(text, length_bytes, JOURNAL_TRANSACTION_BYTES - 1, "._:-");
}

void command_find_transaction(struct json_object *root, char ret_transaction[JOURNAL_TRANSACTION_BYTES])
{
    struct json_object *value;
    ret_transaction[0] = '\0';
    if (root && json_read_member_named(root, "transaction", &value) && transaction_valid(value))
        (void)strcpy(ret_transaction, json_object_get_string(value));
}

static const char *take_transaction(void *userdata, const struct catalogue_field *field, struct json_object *value)
{
    (void)userdata, (void)field; /* command_find_transaction() has kept it: also of a request that is refused for another member */
    return transaction_valid(value) ? NULL : "allowed are 1 to 64 of A-Z a-z 0-9 . _ : -";
}

static const char *take_schema(void *userdata, const struct catalogue_field *field, struct json_object *value)
{
    size_t length_bytes;
    const char *text = json_read_text(value, &length_bytes);
    (void)userdata, (void)field;
    return text && strcmp(text, catalogue_message(MESSAGE_REQUEST)->schema) == 0 ? NULL : "allowed is qrgate/request/1";
}

static bool take_line(struct json_object *value, const struct catalogue_field *field, char *ret, size_t ret_bytes)
{
    size_t length_bytes;
    const char *text = json_read_text(value, &length_bytes);
    if (!text || length_bytes < 1 || length_bytes > (size_t)field->most || length_bytes >= ret_bytes || text[0] == ' ')
        return false;
    memcpy(ret, text, length_bytes + 1);
    return true;
}

static const char *take_operator(void *userdata, const struct catalogue_field *field, struct json_object *value)
{
    struct reading *reading = userdata;
    return take_line(value, field, reading->command->operator_name, sizeof reading->command->operator_name)
               ? NULL
               : "allowed is who asks, 1 to 32 bytes of text";
}

static const char *take_why(void *userdata, const struct catalogue_field *field, struct json_object *value)
{
    struct reading *reading = userdata;
    return take_line(value, field, reading->command->why, sizeof reading->command->why) ? NULL
                                                                                  : "allowed are 1 to 80 bytes of text";
}

static const char *take_issued_at(void *userdata, const struct catalogue_field *field, struct json_object *value)
{
    struct reading *reading = userdata;
    size_t length_bytes;
    int64_t at_s;
    int32_t us = 0;
    const char *text = json_read_text(value, &length_bytes);
    (void)field;
    if (text ? !time_text_read(text, length_bytes, &at_s, &us) : !json_read_integer(value, &at_s) || !time_text_in_range(at_s))
        return "allowed is 2026-01-31T08:30:00+07:00 or a whole number of Unix seconds";
    reading->issued_at_us = at_s * 1000000 + us;
    return NULL;
}

static const char *take_lane(void *userdata, const struct catalogue_field *field, struct json_object *value)
{
    struct reading *reading = userdata;
    size_t length_bytes;
    (void)field;
    reading->lane = json_read_text(value, &length_bytes);
    return reading->lane ? NULL : "allowed is SITE/LANE";
}

static const char *take_verb(void *userdata, const struct catalogue_field *field, struct json_object *value)
{
    struct reading *reading = userdata;
    size_t length_bytes;
    (void)field;
    reading->verb = json_read_text(value, &length_bytes);
    return reading->verb ? NULL : "allowed is the topic's last level";
}

static const char *take_mode(void *userdata, const struct catalogue_field *field, struct json_object *value)
{
    struct reading *reading = userdata;
    int mode;
    if (!json_read_word(value, field, &mode))
        return "allowed are normal, hold_open, lock_down";
    reading->command->mode = (enum command_mode)mode;
    return NULL;
}

static const char *take_for_s(void *userdata, const struct catalogue_field *field, struct json_object *value)
{
    struct reading *reading = userdata;
    int64_t for_s;
    if (!json_read_bounded(value, field, &for_s))
        return "allowed is a whole number of seconds from 1 to turnstile.hold_open_max_s";
    reading->command->for_s = (int)for_s;
    return NULL;
}

static const char *take_from_seq(void *userdata, const struct catalogue_field *field, struct json_object *value)
{
    struct reading *reading = userdata;
    return json_read_bounded(value, field, &reading->command->from_seq) ? NULL : "allowed is a whole number from 1 on";
}

static const char *take_declaration(void *userdata, const struct catalogue_field *field, struct json_object *value)
{
    struct reading *reading = userdata;
    (void)field;
    reading->declaration = value;
    return json_object_is_type(value, json_type_object) ? NULL : "allowed is an object as on the topic declaration";
}

static const char *take_revocation(void *userdata, const struct catalogue_field *field, struct json_object *value)
{
    struct reading *reading = userdata;
    (void)field;
    reading->revocation = value;
    return json_object_is_type(value, json_type_object) ? NULL : "allowed is an object as on the topic revocation";
}

/* ---- the tables -------------------------------------------------------------------------------------------------- */

static json_read_take *const takes[REQUEST_COUNT] = {
    [REQUEST_SCHEMA] = take_schema,       [REQUEST_TRANSACTION] = take_transaction, [REQUEST_OPERATOR] = take_operator,
    [REQUEST_WHY] = take_why,             [REQUEST_ISSUED_AT] = take_issued_at,     [REQUEST_LANE] = take_lane,
    [REQUEST_VERB] = take_verb,           [REQUEST_MODE] = take_mode,               [REQUEST_FOR_S] = take_for_s,
    [REQUEST_FROM_SEQ] = take_from_seq,   [REQUEST_DECLARATION] = take_declaration, [REQUEST_REVOCATION] = take_revocation,
};
_Static_assert((int)REQUEST_COUNT <= (int)JSON_READ_MEMBERS_MAX, "a bit for each");

#define BIT(member) (1u << (member))

/* Which members a request to `verb` must have, and which else it may have, by the catalogue. */
static void rights_of(enum command_verb verb, unsigned *ret_must, unsigned *ret_may)
{
    const struct catalogue_group *rows = &catalogue_message(MESSAGE_REQUEST)->group;
    *ret_must = *ret_may = 0;
    for (int i = 0; i < rows->count; i++) {
        if (rows->fields[i].required || (rows->fields[i].must_of & BIT(verb)) != 0)
            *ret_must |= BIT(i);
        if ((rows->fields[i].may_of & BIT(verb)) != 0)
            *ret_may |= BIT(i);
    }
}

static int first_of(unsigned bits)
{
    int i = 0;
    while ((bits & BIT(i)) == 0)
        i++;
    return i;
}

/* ---- the whole --------------------------------------------------------------------------------------------------- */

static enum command_error check_seen(unsigned seen, bool is_signed, const struct command *command,
                                     char why[COMMAND_MESSAGE_BYTES])
{
    const struct catalogue_field *rows = catalogue_message(MESSAGE_REQUEST)->group.fields;
    const char *verb = command_verb_name(command->verb);
    unsigned must, may;
    rights_of(command->verb, &must, &may);
    const unsigned foreign = seen & ~(must | may);
    must |= is_signed ? BIT(REQUEST_LANE) | BIT(REQUEST_VERB) : BIT(REQUEST_OPERATOR);
    const bool needs_for_s = command->verb == COMMAND_MODE && command->mode == COMMAND_MODE_HOLD_OPEN;
    if (foreign != 0)
        return command_refuse(why, COMMAND_MALFORMED, "'%s': not a member of a request to %s; leave it out",
                              rows[first_of(foreign)].name, verb);
    if ((must & ~seen) != 0)
        return command_refuse(why, COMMAND_MALFORMED, "%s is missing; %s needs it", rows[first_of(must & ~seen)].name,
                              is_signed ? "a signed request" : "this request");
    if (command->verb == COMMAND_MODE && needs_for_s != ((seen & BIT(REQUEST_FOR_S)) != 0))
        return command_refuse(why, COMMAND_MALFORMED, needs_for_s ? "for_s is missing: hold_open ends by itself"
                                                                  : "for_s: allowed only with hold_open");
    return COMMAND_OK;
}

static enum command_error check_address(const struct reading *reading, const struct command_rules *rules,
                                        char why[COMMAND_MESSAGE_BYTES])
{
    if (reading->verb != NULL && strcmp(reading->verb, command_verb_name(reading->command->verb)) != 0)
        return command_refuse(why, COMMAND_MALFORMED, "verb: another one than the topic's, which is %s",
                              command_verb_name(reading->command->verb));
    if (reading->lane != NULL && strcmp(reading->lane, rules->lane_path) != 0)
        return command_refuse(why, COMMAND_OTHER_LANE, "lane: this is %s", rules->lane_path);
    return COMMAND_OK;
}

static enum command_error take_signer(struct command *command, const struct command_operator *operator,
                                      char why[COMMAND_MESSAGE_BYTES])
{
    if (command->operator_name[0] != '\0' && strcmp(command->operator_name, operator->name) != 0) {
        command->operator_name[0] = '\0';
        return command_refuse(why, COMMAND_NO_RIGHTS, "operator: the key \"%s\" is %s's", operator->kid, operator->name);
    }
    memcpy(command->operator_name, operator->name, sizeof command->operator_name);
    return COMMAND_OK;
}

/* What a declaration or revocation says is read as on its own topic. */
static enum command_error read_inner(const struct reading *reading, const struct command_arrival *arrival,
                                     char why[COMMAND_MESSAGE_BYTES])
{
    const int64_t end_of_time_s = INT64_C(253402300799); /* year 9999 */
    const int64_t now_s = arrival->clock_trusted ? arrival->unix_us / 1000000 : end_of_time_s;
    struct json_object *inner = reading->declaration != NULL ? reading->declaration : reading->revocation;
    char transaction[INBOUND_TRANSACTION_BYTES], inner_why[INBOUND_WHY_BYTES] = "";
    size_t length_bytes;
    if (inner == NULL)
        return COMMAND_OK;
    const char *text = json_object_to_json_string_length(inner, JSON_C_TO_STRING_PLAIN, &length_bytes);
    const int r = text == NULL ? -ENOMEM
                  : reading->declaration != NULL
                      ? inbound_declaration(text, length_bytes, now_s, &reading->command->declared, transaction, inner_why,
                                            sizeof inner_why)
                      : inbound_revocation(text, length_bytes, now_s, &reading->command->revocation, transaction, inner_why,
                                           sizeof inner_why);
    if (r == -ENOMEM)
        return command_refuse(why, COMMAND_FAILED, "no memory");
    return r < 0 ? command_refuse(why, COMMAND_MALFORMED, "%s: %s", reading->declaration != NULL ? "declaration" : "revocation",
                                  inner_why)
                 : COMMAND_OK;
}

enum command_error command_read_members(struct json_object *root, const struct command_rules *rules,
                                        const struct command_arrival *arrival, const struct command_operator *operator,
                                        struct command *ret, int64_t *ret_issued_at_us, char why[COMMAND_MESSAGE_BYTES])
{
    struct reading reading = {.command = ret};
    enum command_error error;
    unsigned seen;
    if (json_read_members(root, catalogue_message(MESSAGE_REQUEST), takes, &reading, &seen, why, COMMAND_MESSAGE_BYTES) < 0)
        error = COMMAND_MALFORMED;
    else
        error = check_seen(seen, operator != NULL, ret, why);
    if (error == COMMAND_OK)
        error = check_address(&reading, rules, why);
    if (error == COMMAND_OK && operator != NULL)
        error = take_signer(ret, operator, why);
    if (error == COMMAND_OK)
        error = read_inner(&reading, arrival, why);
    *ret_issued_at_us = reading.issued_at_us;
    return error;
}
