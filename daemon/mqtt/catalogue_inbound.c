/* The catalogue's rows of what a site tells its lanes: declaration, revocation; and the lane's answer, result. */
#include "daemon/mqtt/catalogue_rows.h"
#include "daemon/mqtt/inbound.h"
#include "daemon/mqtt/messages.h"

static const char *declared_status(int i)
{
    static const enum declaration_status declarable[] = {STATUS_GREEN, STATUS_YELLOW, STATUS_RED, STATUS_WHITE, STATUS_REVOKED};
    return declaration_status_name(declarable[i]);
}
static const char *symptom_of(int symptom)
{
    return symptom_name((enum symptom)symptom);
}
static const char *contact_of(int contact)
{
    return contact_name((enum contact)contact);
}
static const char *by_name(int by)
{
    return declared_by_name((enum declared_by)by);
}
static const char *inbound_of(int topic)
{
    return inbound_topic_name((enum inbound_topic)topic);
}
static const char *result_of(int kind)
{
    return result_kind_name((enum result_kind)kind);
}

static const struct catalogue_field subject_rows[] = {FORM("", MUST, FORM_SUBJECT, NULL)};
static const struct catalogue_field symptom_rows[] = {WORD("", MUST, symptom_of, 0, SYMPTOM_COUNT, NULL)};
static const struct catalogue_field contact_rows[] = {WORD("", MUST, contact_of, 0, CONTACT_COUNT, NULL)};
static const struct catalogue_group subjects = GROUP(subject_rows, NULL), symptoms = GROUP(symptom_rows, NULL),
                                    contacts = GROUP(contact_rows, NULL);

#define PERSONAL(text, kind_, form_, most_, inside_, means)                                                              \
    {.name = text, .kind = kind_, .form = form_, .least = 1, .most = most_, .inside = inside_, .unique = true, .personal = true, \
     .what = means}
#define TRANSACTION_ID                                                                                                   \
    FORM("transaction_id", MAY, FORM_TRANSACTION_ID, "The sender's own word for this message; comes back in the answer.")

static const struct catalogue_field declaration_rows[DECLARATION_COUNT] = {
    [DECLARATION_SCHEMA] = SCHEMA(MAY),
    [DECLARATION_TRANSACTION_ID] = TRANSACTION_ID,
    [DECLARATION_SUBJECT] = PERSONAL("subject", FIELD_TEXT, FORM_SUBJECT, 0, NULL, "Whose, by one number."),
    [DECLARATION_IDENTITIES] = PERSONAL("identities", FIELD_LIST, FORM_NONE, JOURNAL_IDENTITIES_MAX, &subjects,
                                        "Numbers of one person: whichever is shown leads to this declaration."),
    [DECLARATION_PERSON] = PERSONAL("person", FIELD_TEXT, FORM_ID, 0, NULL,
                                    "Keyed hash, as qrgatectl export and the passage messages have it."),
    [DECLARATION_STATUS] = WORD("status", MAY, declared_status, 0, 5,
                                "The colour declared. Left out: what the site's policy makes of the answers."),
    [DECLARATION_DECLARED_AT] = FORM("declared_at", MUST, FORM_ANY_TIME, "When it was declared."),
    [DECLARATION_SYMPTOMS] = LIST("symptoms", MAY, 0, SYMPTOM_COUNT, &symptoms, true,
                                  "What was answered with yes; []: asked, all no."),
    [DECLARATION_CONTACTS] = LIST("contacts", MAY, 0, CONTACT_COUNT, &contacts, true,
                                  "Contact with a patient, with somebody from a country with the disease, with somebody with its "
                                  "signs; []: asked, all no."),
    [DECLARATION_TRAVELLED] = FLAG("travelled", MAY, NULL),
    [DECLARATION_SYMPTOMS_AT] = FORM("symptoms_at", MAY, FORM_ANY_TIME,
                                     "When the symptoms were last there; left out: when declared. Only with a symptom."),
    [DECLARATION_CONTACT_AT] = FORM("contact_at", MAY, FORM_ANY_TIME,
                                    "When the contact last was; left out: when declared. Only with a contact."),
    [DECLARATION_TRAVEL_AT] = FORM("travel_at", MAY, FORM_ANY_TIME,
                                   "When the journey ended; left out: when declared. Only with travelled: true."),
    [DECLARATION_BY] = {.name = "by", .kind = FIELD_WORD, .words = {by_name, 0, DECLARED_BY_COUNT}, .more = "{\"default\":\"self\"}",
                        .what = "Who answered the questions."},
    [DECLARATION_GROUP] = FORM("group", MAY, FORM_GROUP, "For schedules."),
};
const struct catalogue_message catalogue_declaration = MESSAGE(
    "declaration", 1, true, declaration_rows,
    "{\"allOf\":[{\"oneOf\":[{\"required\":[\"subject\"]},{\"required\":[\"identities\"]},{\"required\":[\"person\"]}]},"
    "{\"anyOf\":[{\"required\":[\"status\"]},{\"required\":[\"symptoms\"]},{\"required\":[\"contacts\"]},"
    "{\"required\":[\"travelled\"]}]}],"
    "\"dependentSchemas\":{"
    "\"symptoms_at\":{\"properties\":{\"symptoms\":{\"minItems\":1}},\"required\":[\"symptoms\"]},"
    "\"contact_at\":{\"properties\":{\"contacts\":{\"minItems\":1}},\"required\":[\"contacts\"]},"
    "\"travel_at\":{\"properties\":{\"travelled\":{\"const\":true}},\"required\":[\"travelled\"]}}}",
    "what a person declared. Also a line of qrgatectl's JSON files. At most 2048 bytes; each member once. An older declaration never "
    "overwrites a newer one.");

static const struct catalogue_field revocation_rows[REVOCATION_COUNT] = {
    [REVOCATION_SCHEMA] = SCHEMA(MAY),
    [REVOCATION_TRANSACTION_ID] = TRANSACTION_ID,
    [REVOCATION_TOKEN_ID] = {.name = "token_id", .kind = FIELD_TEXT, .form = FORM_ID, .required = MUST,
                             .more = "{\"not\":{\"const\":\"00000000000000000000000000000000\"}}",
                             .what = "As qrgatectl token show prints it; not all zeros."},
    [REVOCATION_REVOKED_AT] = FORM("revoked_at", MUST, FORM_ANY_TIME, "Since when."),
    [REVOCATION_LIFTED] = {.name = "lifted", .kind = FIELD_FLAG, .more = "{\"default\":false}",
                           .what = "true: takes the token off the list again."},
};
const struct catalogue_message catalogue_revocation = MESSAGE(
    "revocation", 1, true, revocation_rows, NULL,
    "a token that no longer opens, whatever its status. Also a line of qrgatectl's JSON files. At most 2048 bytes; each member once. "
    "The newest entry for a token wins.");

static const struct catalogue_field result_rows[] = {
    SCHEMA(MUST),
    WORD("of", MUST, inbound_of, 0, INBOUND_PASSAGE, NULL),
    FORM("transaction_id", MAY, FORM_TRANSACTION_ID, "The message's own; left out when it had none, or none that can be read."),
    WORD("result", MUST, result_of, 0, RESULT_KIND_COUNT, "older: the register has one that is as new or newer, and keeps it."),
    TEXT("why", MAY, INBOUND_WHY_BYTES - 1, "With rejected: the member, what is wrong with it, what is allowed. For people."),
    FORM("at", MUST, FORM_TIME, "By the lane's clock."),
};
const struct catalogue_message catalogue_result = MESSAGE(
    "result", 1, false, result_rows,
    "{\"if\":{\"properties\":{\"result\":{\"const\":\"rejected\"}}},\"then\":{\"required\":[\"why\"]},"
    "\"else\":{\"required\":[\"transaction_id\"],\"not\":{\"required\":[\"why\"]}}}",
    "what became of a declaration or revocation at this lane. It comes once the lane has it on disk, for messages with a "
    "transaction_id and for all that were rejected. It may come twice; if it doesn't come, publish the declaration again.");
