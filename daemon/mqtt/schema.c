/* A message's rows of the catalogue -> its JSON Schema. Called by qrgatectl. json-c keeps members in the order in which they were
 * added; running out of memory, which it tells by NULL, ends in a schema that is not written. */
#include "daemon/mqtt/schema.h"

#include <errno.h>
#include <json-c/json.h>
#include <string.h>

#define TIME_PATTERN                                                                                                     \
    "^(20[0-9]{2}|21[0-9]{2}|2200)-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|"             \
    "02-(0[1-9]|[12][0-9]))[Tt]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\\\.[0-9]+)?([Zz]|[+-](0[0-9]|1[0-4]):[0-5][0-9])$"
#define ANYTHING_BUT_LETTERS "\\\\u0000-,/:-@\\\\[-\\\\^`\\\\{-\\\\u009f"
#define NOR_SPACES_BETWEEN "\\\\u0000-\\\\u001f!-,/:-@\\\\[-\\\\^`\\\\{-\\\\u009f"

static const struct {
    const char *name, *schema;
} forms[FORM_COUNT] = {
    [FORM_ID] = {"id", "{\"description\":\"32 hex digits, lower case.\",\"type\":\"string\",\"pattern\":\"^[0-9a-f]{32}$\"}"},
    [FORM_TIME] = {"time", "{\"description\":\"RFC 3339, UTC, with milliseconds.\",\"type\":\"string\","
                           "\"pattern\":\"^\\\\d{4}-\\\\d{2}-\\\\d{2}T\\\\d{2}:\\\\d{2}:\\\\d{2}\\\\.\\\\d{3}Z$\"}"},
    [FORM_ANY_TIME] = {"any_time", "{\"description\":\"RFC 3339 with a zone, or Unix seconds as a whole number without fraction or "
                                   "exponent; from 2000 to 2200.\",\"anyOf\":[{\"type\":\"string\",\"pattern\":\"" TIME_PATTERN "\"},"
                                   "{\"type\":\"integer\",\"minimum\":946684800,\"maximum\":7289654399}]}"},
    [FORM_NAME] = {"name", "{\"description\":\"1 to 32 of A-Z a-z 0-9 _ -\",\"type\":\"string\","
                           "\"pattern\":\"^[A-Za-z0-9_-]{1,32}$\"}"},
    [FORM_SUBJECT] = {"subject", "{\"description\":\"A person's number: citizen card, old identity card, health-insurance card (10 "
                                 "digits, or the old card's 15 characters), national platform's QID, the site's badge, hash of an "
                                 "EU-format certificate's holder. Kept as a keyed hash only.\",\"type\":\"string\","
                                 "\"pattern\":\"^(cccd:[0-9]{12}|cmnd:[0-9]{9}|bhyt:([0-9]{10}|[A-Z]{2}[0-9]{13})|qid:[0-9]{1,18}|"
                                 "badge:[A-Za-z0-9_.-]{1,32}|hc1:[0-9a-f]{32})$\"}"},
    [FORM_GROUP] = {"group", "{\"description\":\"Letters of any script, digits, _ . - and spaces between them; at most 32 bytes of "
                             "UTF-8; no marks that turn the direction of writing.\",\"type\":\"string\",\"pattern\":\"^["
                             "^" ANYTHING_BUT_LETTERS "]([^" NOR_SPACES_BETWEEN "]*[^" ANYTHING_BUT_LETTERS "])?$\","
                             "\"maxLength\":32}"},
    [FORM_LINE] = {"line", "{\"description\":\"Text on one line that doesn't begin with a space.\",\"type\":\"string\","
                           "\"minLength\":1,\"pattern\":\"^[^ ]\"}"},
    [FORM_TRANSACTION_ID] = {"transaction_id", "{\"description\":\"1 to 64 of A-Z a-z 0-9 _ -\",\"type\":\"string\","
                                               "\"pattern\":\"^[A-Za-z0-9_-]{1,64}$\"}"},
    [FORM_WEEK] = {"week", "{\"description\":\"2025-W09, ISO 8601.\",\"type\":\"string\",\"pattern\":\"^\\\\d{4}-W\\\\d{2}$\"}"},
    [FORM_DATE] = {"date", "{\"description\":\"2025-03-03\",\"type\":\"string\",\"pattern\":\"^\\\\d{4}-\\\\d{2}-\\\\d{2}$\"}"},
    [FORM_OFFSET] = {"offset", "{\"description\":\"+07:00\",\"type\":\"string\",\"pattern\":\"^[+-]\\\\d{2}:\\\\d{2}$\"}"},
    [FORM_HASH] = {"hash", "{\"description\":\"64 hex digits, lower case.\",\"type\":\"string\",\"pattern\":\"^[0-9a-f]{64}$\"}"},
    [FORM_TRANSACTION] = {"transaction", "{\"description\":\"1 to 64 of A-Z a-z 0-9 . _ : -\",\"type\":\"string\","
                                         "\"pattern\":\"^[A-Za-z0-9._:-]{1,64}$\"}"},
};

struct writing {
    const struct catalogue_message *message;
    unsigned forms_used; /* bits */
    bool failed;
};

/* Takes the value over; also a NULL, which is no memory. */
static void add(struct writing *w, struct json_object *to, const char *name, struct json_object *value)
{
    if (value == NULL || json_object_object_add(to, name, value) != 0)
        w->failed = true;
}

static void add_text(struct writing *w, struct json_object *to, const char *name, const char *text)
{
    add(w, to, name, json_object_new_string(text));
}

static void add_number(struct writing *w, struct json_object *to, const char *name, int64_t value)
{
    if (value != INT64_MIN && value != INT64_MAX) /* no bound */
        add(w, to, name, json_object_new_int64(value));
}

/* The members of a JSON object that is written in the catalogue. */
static void merge(struct writing *w, struct json_object *to, const char *text)
{
    struct json_object *object = text != NULL ? json_tokener_parse(text) : NULL;
    if (text == NULL)
        return;
    w->failed = w->failed || !json_object_is_type(object, json_type_object);
    if (!w->failed) {
        json_object_object_foreach(object, name, value)
        {
            add(w, to, name, json_object_get(value));
        }
    }
    (void)json_object_put(object);
}

static void add_words(struct writing *w, struct json_object *to, const struct catalogue_words *words)
{
    struct json_object *list = json_object_new_array();
    if (words->to - words->from == 1)
        add_text(w, to, "const", words->name(words->from));
    for (int i = words->from; i < words->to && list != NULL; i++)
        w->failed = json_object_array_add(list, json_object_new_string(words->name(i))) != 0 || w->failed;
    if (words->to - words->from == 1)
        (void)json_object_put(list);
    else
        add(w, to, "enum", list);
}

static struct json_object *field_schema(struct writing *w, const struct catalogue_field *field);

static void add_group(struct writing *w, struct json_object *to, const struct catalogue_group *group)
{
    struct json_object *properties = json_object_new_object(), *required = json_object_new_array();
    for (int i = 0; i < group->count && properties != NULL && required != NULL; i++) {
        const struct catalogue_field *field = &group->fields[i];
        add(w, properties, field->name, field_schema(w, field));
        if (field->required)
            w->failed = json_object_array_add(required, json_object_new_string(field->name)) != 0 || w->failed;
    }
    const bool some_required = required != NULL && json_object_array_length(required) > 0;
    add(w, to, "properties", properties);
    if (some_required)
        add(w, to, "required", required);
    else
        (void)json_object_put(required);
}

static void add_text_field(struct writing *w, struct json_object *to, const struct catalogue_field *field)
{
    char reference[48];
    if (field->form == FORM_NONE) {
        add_text(w, to, "type", "string");
        add_number(w, to, "minLength", 1);
    } else {
        w->forms_used |= 1u << field->form;
        (void)snprintf(reference, sizeof reference, "#/$defs/%s", forms[field->form].name);
        add_text(w, to, "$ref", reference);
    }
    if (field->most > 0 && field->kind == FIELD_TEXT && (field->form == FORM_NONE || field->form == FORM_LINE))
        add_number(w, to, "maxLength", field->most);
}

static void add_list_field(struct writing *w, struct json_object *to, const struct catalogue_field *field)
{
    add_text(w, to, "type", "array");
    add(w, to, "items", field_schema(w, &field->inside->fields[0]));
    if (field->least > 0)
        add_number(w, to, "minItems", field->least);
    add_number(w, to, "maxItems", field->most);
    if (field->unique)
        add(w, to, "uniqueItems", json_object_new_boolean(true));
}

/* An object under whose names, whatever they are, stands the same. */
static void add_named(struct writing *w, struct json_object *to, const char *rules)
{
    add_text(w, to, "type", "object");
    merge(w, to, rules);
}

static void add_kind(struct writing *w, struct json_object *to, const struct catalogue_field *field)
{
    switch (field->kind) {
    case FIELD_SCHEMA: add_text(w, to, "const", w->message->schema); break;
    case FIELD_TEXT: add_text_field(w, to, field); break;
    case FIELD_WORD: add_words(w, to, &field->words); break;
    case FIELD_INTEGER:
    case FIELD_NUMBER:
        add_text(w, to, "type", field->kind == FIELD_INTEGER ? "integer" : "number");
        add_number(w, to, "minimum", field->least);
        add_number(w, to, "maximum", field->most);
        break;
    case FIELD_FLAG: add_text(w, to, "type", "boolean"); break;
    case FIELD_TRUE: add(w, to, "const", json_object_new_boolean(true)); break;
    case FIELD_OBJECT:
        add_text(w, to, "type", "object");
        if (field->inside != NULL) {
            add_group(w, to, field->inside);
            merge(w, to, field->inside->rules);
        }
        break;
    case FIELD_LIST: add_list_field(w, to, field); break;
    case FIELD_TEXTS: add_named(w, to, "{\"additionalProperties\":{\"type\":\"string\"}}"); break;
    case FIELD_COUNTS:
        add_named(w, to, "{\"propertyNames\":{\"pattern\":\"^[a-z0-9_]+$\"},"
                         "\"additionalProperties\":{\"type\":\"integer\",\"minimum\":0}}");
        break;
    }
}

static struct json_object *field_schema(struct writing *w, const struct catalogue_field *field)
{
    struct json_object *object = json_object_new_object();
    if (object == NULL)
        return NULL;
    if (field->what != NULL)
        add_text(w, object, "description", field->what);
    add_kind(w, object, field);
    merge(w, object, field->more);
    return object;
}

static void add_description(struct writing *w, struct json_object *root, const struct catalogue_topic *topic)
{
    char text[1200];
    const int length = snprintf(text, sizeof text, "%s, QoS %d, %s: %s %s", topic->levels, topic->qos,
                                topic->retained ? "retained" : "not retained", w->message->what,
                                w->message->strict ? "Members not named here are refused."
                                                   : "Fields may be added within this version: ignore those you don't know.");
    w->failed = w->failed || length < 0 || (size_t)length >= sizeof text;
    add_text(w, root, "description", text);
}

static const struct catalogue_topic *topic_of(const struct catalogue_message *message)
{
    const struct catalogue_topic *topic = NULL;
    for (int row = 0; (topic = catalogue_topic_row(row)) != NULL; row++)
        if (topic->message != MESSAGE_COUNT && catalogue_message(topic->message) == message)
            break;
    return topic;
}

static void add_definitions(struct writing *w, struct json_object *root)
{
    if (w->forms_used == 0)
        return;
    struct json_object *definitions = json_object_new_object();
    for (int form = 0; form < FORM_COUNT && definitions != NULL; form++)
        if ((w->forms_used & 1u << form) != 0)
            add(w, definitions, forms[form].name, json_tokener_parse(forms[form].schema));
    add(w, root, "$defs", definitions);
}

int schema_write(const struct catalogue_message *message, FILE *out)
{
    struct writing w = {.message = message};
    const struct catalogue_topic *topic = topic_of(message);
    struct json_object *root = json_object_new_object();
    char id[64];
    if (root == NULL || topic == NULL) {
        (void)json_object_put(root);
        return -ENOMEM;
    }
    (void)snprintf(id, sizeof id, "urn:qrgate:schema:%s:%d", message->name, message->version);
    add_text(&w, root, "$schema", "https://json-schema.org/draft/2020-12/schema");
    add_text(&w, root, "$id", id);
    add_text(&w, root, "title", message->schema);
    add_description(&w, root, topic);
    add_text(&w, root, "type", "object");
    add_group(&w, root, &message->group);
    if (message->strict)
        add(&w, root, "additionalProperties", json_object_new_boolean(false));
    merge(&w, root, message->group.rules);
    add_definitions(&w, root);
    const char *text = w.failed ? NULL : json_object_to_json_string_ext(root, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
                                                                                  JSON_C_TO_STRING_NOSLASHESCAPE);
    const int r = text == NULL ? -ENOMEM : fprintf(out, "%s\n", text) < 0 ? -EIO : 0;
    (void)json_object_put(root);
    return r;
}
