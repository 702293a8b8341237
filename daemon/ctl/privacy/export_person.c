/* qrgatectl export-person: all that the lane stores about one person, for them to see. Read-only in effect, one moment of
 * the database, beside a daemon that works. */
#include <errno.h>
#include <json-c/json.h>
#include <sodium.h>
#include <sqlite3.h>
#include <string.h>

#include "daemon/ctl/privacy/person.h"
#include "daemon/decision/time_text.h"
#include "daemon/journal/database.h"
#include "daemon/journal/event.h"
#include "daemon/journal/person.h"
#include "daemon/journal/register_row.h"
#include "daemon/journal/store.h"
#include "daemon/mqtt/messages.h"

static const struct ctl_option OPTIONS[] = {
    { NULL, NULL, false, NULL },
};

/* json-c answers no memory by NULL, which add() takes: the export is then told to have failed. */
struct export {
    struct json_object *hashes, *declarations, *presence, *tokens, *events;
    bool failed;
};

static void add(struct export *export, struct json_object *object, const char *key, struct json_object *value)
{
    export->failed = export->failed || !object || !value || json_object_object_add(object, key, value) != 0;
}

static void add_text(struct export *export, struct json_object *object, const char *key, const char *text)
{
    if (text[0] != '\0')
        add(export, object, key, json_object_new_string(text));
}

static int append(struct export *export, struct json_object *list, struct json_object *value)
{
    export->failed = export->failed || !value || json_object_array_add(list, value) != 0;
    return export->failed ? -ENOMEM : 0;
}

static void add_time_s(struct export *export, struct json_object *object, const char *key, int64_t at_s)
{
    char text[TIME_TEXT_BYTES];
    if (at_s != 0)
        add_text(export, object, key, time_text_write(at_s, text));
}

static void add_time_us(struct export *export, struct json_object *object, const char *key, int64_t at_us)
{
    char text[MESSAGE_TIME_BYTES];
    message_time(at_us, text);
    if (at_us != 0)
        add_text(export, object, key, text);
}

/* ---- rows -------------------------------------------------------------------------------------------------------- */

static int take_number(const char *hash, void *userdata)
{
    struct export *export = userdata;
    return append(export, export->hashes, json_object_new_string(hash));
}

static int take_declaration(const char *hash, const struct declaration *declaration, const char *source, void *userdata)
{
    struct export *export = userdata;
    struct json_object *object = json_object_new_object();
    const struct declaration_answers *answers = &declaration->answers;
    char names[REGISTER_NAMES_BYTES];
    add_text(export, object, "person", hash);
    add_text(export, object, "status", declaration_status_name(declaration->status));
    add_time_s(export, object, "declared_at", declaration->declared_at_s);
    add_text(export, object, "declared_by", declared_by_name(answers->by));
    register_symptom_names(answers->symptoms, names);
    add(export, object, "symptoms", json_object_new_string(names));
    add_time_s(export, object, "symptoms_at", answers->symptoms_at_s);
    register_contact_names(answers->contacts, names);
    add(export, object, "contacts", json_object_new_string(names));
    add_time_s(export, object, "contact_at", answers->contact_at_s);
    add(export, object, "travelled", json_object_new_boolean(answers->travelled));
    add_time_s(export, object, "travel_at", answers->travel_at_s);
    add_text(export, object, "group", declaration->group);
    add_text(export, object, "source", source);
    return append(export, export->declarations, object);
}

static int take_presence(const struct person_presence *presence, void *userdata)
{
    struct export *export = userdata;
    struct json_object *object = json_object_new_object();
    if (presence->inside >= 0)
        add(export, object, "inside", json_object_new_boolean(presence->inside));
    add_time_us(export, object, "since", presence->at_us);
    add_text(export, object, "lane", presence->lane);
    add_text(export, object, "event_id", presence->event_id);
    add_time_us(export, object, "last_passage_here", presence->own_at_us);
    return append(export, export->presence, object);
}

static int take_token(const struct person_token *token, void *userdata)
{
    struct export *export = userdata;
    struct json_object *object = json_object_new_object();
    char hex[2 * CREDENTIAL_TOKEN_ID_BYTES + 1];
    add_text(export, object, "token_id", sodium_bin2hex(hex, sizeof(hex), token->token_id, sizeof(token->token_id)));
    add(export, object, "last_step", json_object_new_int64(token->last_step));
    return append(export, export->tokens, object);
}

static int take_event(const struct stored_event *row, void *userdata)
{
    struct export *export = userdata;
    struct json_object *object = json_object_new_object();
    const struct event *event = &row->event;
    add(export, object, "seq", json_object_new_int64(event->seq));
    add_text(export, object, "event_id", event->event_id);
    add_text(export, object, "kind", event_kind_name(event->kind));
    add_time_us(export, object, "at", event->at_us);
    add(export, object, "clock_trusted", json_object_new_boolean(event->clock_trusted));
    add_text(export, object, "reason", reason_name(event->reason));
    add_text(export, object, "status", declaration_status_name(event->status));
    add_text(export, object, "credential", credential_kind_name(event->credential));
    add_text(export, object, "person", event->person);
    add_text(export, object, "direction", direction_name(event->direction));
    add_text(export, object, "bound_event_id", event->bound_event_id);
    add_text(export, object, "detail", event->detail);
    add_text(export, object, "verb", event->verb);
    add_text(export, object, "operator", event->operator_name);
    add(export, object, "published", json_object_new_boolean(row->sent));
    return append(export, export->events, object);
}

/* ---- the whole --------------------------------------------------------------------------------------------------- */

static int read_all(sqlite3 *db, const struct privacy_person *person, struct export *export)
{
    static const struct person_take take = { take_number, take_declaration, take_presence, take_token };
    int error = 0;
    for (int i = 0; i < person->count && error == 0; i++) {
        error = person_walk(db, person->hashes[i], &take, export);
        if (error == 0)
            error = store_walk_person(db, person->hashes[i], take_event, export);
    }
    return error;
}

static struct json_object *make(const struct ctl *ctl, struct export *export)
{
    struct json_object *whole = json_object_new_object();
    struct json_object **lists[] = { &export->hashes, &export->declarations, &export->presence, &export->tokens,
                                     &export->events };
    static const char *const names[] = { "hashes", "declarations", "presence", "rotating_tokens", "events" };
    add_text(export, whole, "schema", "qrgate/person/1");
    add_time_s(export, whole, "made_at", ctl->now_s);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        *lists[i] = json_object_new_array();
        add(export, whole, names[i], *lists[i]);
    }
    add_text(export, whole, "note", say(ctl->lang, "privacy.export.note"));
    return whole;
}

static enum ctl_exit print(struct ctl *ctl, sqlite3 *db, const struct privacy_person *person)
{
    struct export export = { .failed = false };
    struct json_object *whole = make(ctl, &export);
    enum ctl_exit result = CTL_OK;
    const int error = export.failed ? -ENOMEM : read_all(db, person, &export);
    const char *text = error == 0 && !export.failed
                           ? json_object_to_json_string_ext(whole, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE)
                           : NULL;
    if (text)
        (void)puts(text);
    else
        result = ctl_complain(ctl, CTL_FAILED, "privacy.export_failed",
                              "why", error == -EILSEQ                       ? say(ctl->lang, "why.foreign_row")
                          : error == -ENOMEM || export.failed ? say(ctl->lang,
                              "words.no_memory")
                                                                 : sqlite3_errmsg(db),
                              NULL);
    (void)json_object_put(whole); /* the last reference: frees it */
    return result;
}

static enum ctl_exit run(struct ctl *ctl)
{
    struct privacy_person person;
    sqlite3 *db = NULL;
    enum ctl_exit result = ctl_open_database(ctl, true, &db);
    if (result == CTL_OK && database_run(db, "BEGIN") < 0) /* one moment */
        result = ctl_complain(ctl, CTL_FAILED, "database.unreadable", "why", sqlite3_errmsg(db), NULL);
    if (result == CTL_OK)
        result = privacy_person(ctl, db, &person);
    if (result == CTL_OK)
        result = person.count > 0 ? print(ctl, db, &person) : privacy_nobody(ctl);
    (void)sqlite3_close(db); /* accepts NULL; no statement is left, and what was begun only read */
    return result;
}

const struct ctl_command CTL_EXPORT_PERSON = {
    .name = "export-person",
    .operand = "PERSON",
    .summary = "Print all that this lane stores about one person, as JSON",
    .details = PRIVACY_PERSON_HELP
    "Answers a person who asks what is kept about them. Their other numbers are known as hashes alone. Exit status 1: nothing\n"
    "is stored about them.\n",
    .options = OPTIONS,
    .run = run,
};
