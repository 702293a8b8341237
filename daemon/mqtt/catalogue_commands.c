/* The catalogue's rows of what an operator asks of a lane, and its answer: request, response. */
#include "daemon/mqtt/catalogue_rows.h"
#include "daemon/mqtt/command.h"

#define OF(verb) (1u << COMMAND_##verb)
#define OF_ALL ((1u << COMMAND_VERB_COUNT) - 1)

static const char *error_of(int error)
{
    return command_error_name((enum command_error)error);
}
static const char *status_word(int i)
{
    static const char *const words[] = {"ok", "refused", "failed"};
    return words[i];
}

const char *catalogue_wanted_mode_name(int mode)
{
    static const char *const names[] = {[COMMAND_MODE_NORMAL] = "normal", [COMMAND_MODE_HOLD_OPEN] = "hold_open",
                                        [COMMAND_MODE_LOCK_DOWN] = "lock_down"};
    return names[mode];
}

#define OF_EACH(row_kind, ...) {.kind = row_kind, .may_of = OF_ALL, __VA_ARGS__}
static const struct catalogue_field request_rows[REQUEST_COUNT] = {
    [REQUEST_SCHEMA] = OF_EACH(FIELD_SCHEMA, .name = "schema"),
    [REQUEST_TRANSACTION] = OF_EACH(FIELD_TEXT, .name = "transaction", .form = FORM_TRANSACTION, .required = MUST,
                                    .what = "The sender's own word for this request, never used before: a second one of that name is "
                                            "refused, also after a restart. It comes back in the response."),
    [REQUEST_OPERATOR] = OF_EACH(FIELD_TEXT, .name = "operator", .form = FORM_LINE, .most = JOURNAL_OPERATOR_BYTES - 1,
                                 .what = "Who asks, at most 32 bytes. Required with auth = acl; with signed it is the key's, and may be "
                                         "left out."),
    [REQUEST_WHY] = {.name = "why", .kind = FIELD_TEXT, .form = FORM_LINE, .most = COMMAND_WHY_BYTES - 1,
                     .must_of = OF(OPEN) | OF(MODE), .may_of = OF_ALL,
                     .what = "At most 80 bytes. Required for open and mode. It is journalled."},
    [REQUEST_ISSUED_AT] = OF_EACH(FIELD_TEXT, .name = "issued_at", .form = FORM_ANY_TIME,
                                  .what = "At most 10 s ago. With auth = acl an MQTT 5 message expiry of at most 10 s will do."),
    [REQUEST_LANE] = OF_EACH(FIELD_TEXT, .name = "lane", .what = "SITE/LANE, as in the topic."),
    [REQUEST_VERB] = OF_EACH(FIELD_WORD, .name = "verb", .words = {catalogue_verb_name, 0, COMMAND_VERB_COUNT},
                             .what = "As in the topic."),
    [REQUEST_MODE] = {.name = "mode", .kind = FIELD_WORD, .words = {catalogue_wanted_mode_name, 0, COMMAND_MODE_LOCK_DOWN + 1},
                      .must_of = OF(MODE), .what = "mode: the one wanted."},
    [REQUEST_FOR_S] = {.name = "for_s", .kind = FIELD_INTEGER, .least = 1, .most = 86400, .may_of = OF(MODE),
                       .what = "mode: with hold_open, and only then; at most turnstile.hold_open_max_s."},
    [REQUEST_FROM_SEQ] = {.name = "from_seq", .kind = FIELD_INTEGER, .least = 1, .most = INT64_MAX, .must_of = OF(RESEND),
                          .what = "resend: the first event wanted."},
    [REQUEST_DECLARATION] = {.name = "declaration", .kind = FIELD_OBJECT, .personal = true, .must_of = OF(DECLARE),
                             .what = "declare: as qrgate/declaration/1."},
    [REQUEST_REVOCATION] = {.name = "revocation", .kind = FIELD_OBJECT, .personal = true, .must_of = OF(REVOKE),
                            .what = "revoke: as qrgate/revocation/1."},
};
const struct catalogue_message catalogue_request = MESSAGE(
    "request", 1, true, request_rows,
    "{\"allOf\":[{\"if\":{\"properties\":{\"mode\":{\"const\":\"hold_open\"}},\"required\":[\"mode\"]},"
    "\"then\":{\"required\":[\"for_s\",\"why\"]},\"else\":{\"not\":{\"required\":[\"for_s\"]}}},"
    "{\"if\":{\"required\":[\"mode\"]},\"then\":{\"required\":[\"why\"]}}]}",
    "what an operator asks of a lane. At most 16384 bytes; each member once; members that aren't of that verb are refused too. With "
    "commands.auth = signed it is the payload of a COSE_Sign1 (tag 18, EdDSA, kid in the protected header) and must name lane, verb "
    "and issued_at. The answer comes on PREFIX/SITE/LANE/response/VERB.");

static const struct catalogue_field clock_rows[] = {
    FORM("at", MUST, FORM_TIME, "By the lane's clock."),
    FLAG("trusted", MUST, NULL),
    ANY_INTEGER("monotonic_us", MUST, NULL),
};
static const struct catalogue_group clock_group = GROUP(clock_rows, NULL);
static const struct catalogue_field response_rows[] = {
    SCHEMA(MUST),
    FORM("transaction", MAY, FORM_TRANSACTION, "The request's own; left out when it had none, or none that can be read."),
    WORD("verb", MUST, catalogue_verb_name, 0, COMMAND_VERB_COUNT + 1, NULL),
    WORD("status", MUST, status_word, 0, 3, "refused: nothing was done. failed: journal or configuration were in the way."),
    WORD("error", MAY, error_of, COMMAND_OK + 1, COMMAND_ERROR_COUNT, NULL),
    TEXT("message", MAY, 0,
         "For people: what is wrong, what is allowed; of a reload every complaint about the file, as far as there is room."),
    FORM("at", MUST, FORM_TIME, "By the lane's clock."),
    FLAG("clock_trusted", MUST, NULL),
    INTEGER("seq", MAY, 1, INT64_MAX, "Of the row that says who asked and why, on disk before it was done."),
    FORM("event_id", MAY, FORM_ID, "Of that row; an opening's completed or not_used is bound to it."),
    WORD("mode", MAY, catalogue_mode_name, 0, LANE_MODE_COUNT, "open, mode: the lane's, now."),
    INTEGER("from", MAY, 1, INT64_MAX, "resend: the first event that is sent again …"),
    INTEGER("to", MAY, 1, INT64_MAX, "… and the last."),
    OBJECT("health", MAY, NULL, "report: as qrgate/health/1."),
    OBJECT("clock", MAY, &clock_group, "time."),
};
const struct catalogue_message catalogue_response = MESSAGE(
    "response", 1, false, response_rows,
    "{\"dependentRequired\":{\"seq\":[\"event_id\"],\"from\":[\"to\"],\"to\":[\"from\"]},"
    "\"if\":{\"properties\":{\"status\":{\"const\":\"ok\"}}},"
    "\"then\":{\"required\":[\"transaction\"],\"not\":{\"required\":[\"error\"]}},\"else\":{\"required\":[\"error\"]}}",
    "what became of a request; on response/unknown, of one whose verb nobody knows. It may come twice.");
