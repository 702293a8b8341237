/* The catalogue's rows of what is journalled and published: passage, alarm; and the muster list. */
#include "daemon/mqtt/catalogue_rows.h"
#include "daemon/mqtt/command.h"

#define TEXT_MAX(member) (sizeof(((struct event *)NULL)->member) - 1)

static const char *kind_name(int kind)
{
    return event_kind_name((enum event_kind)kind);
}
static const char *reason_of(int reason)
{
    return reason_name((enum reason)reason);
}
static const char *status_of(int status)
{
    return declaration_status_name((enum declaration_status)status);
}
static const char *credential_of(int kind)
{
    return credential_kind_name((enum credential_kind)kind);
}
static const char *direction_of(int direction)
{
    return direction_name((enum direction)direction);
}

#define EVENT_ID                                                                                                         \
    FORM("event_id", MUST, FORM_ID, "Names the event for ever. The same event may come more than once: act on the first, ignore " \
         "the rest.")
#define SEQ                                                                                                              \
    INTEGER("seq", MUST, 1, INT64_MAX, "1, 2, 3 … of this lane's journal. passage and alarm together have no gap; order by it, " \
            "not by arrival.")
#define AT FORM("at", MUST, FORM_TIME, NULL)
#define MONOTONIC                                                                                                        \
    ANY_INTEGER("monotonic_us", MUST, "CLOCK_MONOTONIC of the same moment: differences are right even when the clock was not.")
#define CLOCK_TRUSTED FLAG("clock_trusted", MUST, "false: `at` may be wrong.")
#define HISTORICAL                                                                                                       \
    TRUE_ONLY("historical", "Of before the lane's connection stood (after an outage, a restart), or sent once more on request: for " \
              "the record, not for acting on. Ordered by seq among themselves, beside the live ones, which are too. Left out with " \
              "live events. An event seen live may come again as historical, under its event_id.")
#define OPERATOR TEXT("operator", MAY, TEXT_MAX(operator_name), "Who sent it.")

static const struct catalogue_field passage_rows[PASSAGE_COUNT] = {
    [PASSAGE_SCHEMA] = SCHEMA(MUST),
    [PASSAGE_EVENT_ID] = EVENT_ID,
    [PASSAGE_SEQ] = SEQ,
    [PASSAGE_KIND] = WORD("kind", MUST, kind_name, 0, EVENT_ALARM_BEGIN, NULL),
    [PASSAGE_AT] = AT,
    [PASSAGE_MONOTONIC_US] = MONOTONIC,
    [PASSAGE_CLOCK_TRUSTED] = CLOCK_TRUSTED,
    [PASSAGE_HISTORICAL] = HISTORICAL,
    [PASSAGE_REASON] = WORD("reason", MUST, reason_of, 0, REASON_COUNT, "Why; stable names."),
    [PASSAGE_STATUS] = WORD("status", MUST, status_of, 0, STATUS_COUNT, "Of the person's declaration."),
    [PASSAGE_CREDENTIAL] = WORD("credential", MAY, credential_of, 0, CREDENTIAL_KIND_COUNT,
                                "What was shown; with granted, held and denied."),
    [PASSAGE_PERSON] = FORM("person", MAY, FORM_ID,
                            "Keyed hash of the person's number; left out when nobody is known. The same person has the same hash at "
                            "every lane of a site. With override, completed, not_used and interrupted: the person of the event they "
                            "are bound to."),
    [PASSAGE_BOUND_EVENT_ID] = FORM("bound_event_id", MAY, FORM_ID,
                                    "The event this one belongs to: the refusal that an override answered; the grant or override "
                                    "whose passage was completed, not used or interrupted (cut by a restart, a crash or an "
                                    "emergency): each has one of these ends at most, at a lane with a passage sensor exactly one."),
    [PASSAGE_DETAIL] = TEXT("detail", MAY, TEXT_MAX(detail),
                            "For people; with override: which guard pressed, where the lane can tell; an operator's reason."),
    [PASSAGE_VERB] = WORD("verb", MAY, catalogue_verb_name, COMMAND_OPEN, COMMAND_OPEN + 1,
                          "With an override by an operator's request."),
    [PASSAGE_OPERATOR] = OPERATOR,
    [PASSAGE_DIRECTION] = WORD("direction", MAY, direction_of, DIRECTION_NONE + 1, DIRECTION_COUNT,
                               "Which way the lane leads; left out when it isn't configured."),
    [PASSAGE_PRESENCE] = WORD("presence", MAY, catalogue_scope_name, PRESENCE_SCOPE_NONE + 1, PRESENCE_SCOPE_COUNT,
                              "What was known of where people are: shared, the site's other lanes were heard; own, only this lane's "
                              "passages, as it was cut off from them. Left out where the rules didn't look."),
    [PASSAGE_CHANGES_PRESENCE] = TRUE_ONLY("changes_presence",
                                           "This event moved `person` in or out: completed at a lane with a passage sensor, granted "
                                           "and override at one without. The site's other lanes follow these. Left out otherwise."),
};
const struct catalogue_message catalogue_passage = MESSAGE(
    "passage", 1, false, passage_rows,
    "{\"if\":{\"properties\":{\"kind\":{\"enum\":[\"granted\",\"held\",\"denied\"]}}},\"then\":{\"required\":[\"credential\"]},"
    "\"else\":{\"not\":{\"required\":[\"credential\"]}},"
    "\"dependentRequired\":{\"verb\":[\"operator\"],\"changes_presence\":[\"person\",\"direction\"]}}",
    "who was let through, held or refused, and why.");

static const struct catalogue_field alarm_rows[] = {
    SCHEMA(MUST),
    EVENT_ID,
    SEQ,
    WORD("kind", MUST, kind_name, EVENT_ALARM_BEGIN, EVENT_KIND_COUNT, NULL),
    AT,
    MONOTONIC,
    CLOCK_TRUSTED,
    HISTORICAL,
    WORD("alarm", MAY, catalogue_alarm_name, 0, ALARM_NAME_COUNT,
         "forced: the arm turned without a grant; tailgating: so right after a passage; held: the arm is away from its rest too "
         "long; tamper: the cabinet is open; button_stuck: the guard's button is ignored until it is released; hold_open, "
         "lock_down, out_of_order: the lane's modes; emergency_release: the arm is released, and a muster list goes out on "
         "PREFIX/SITE/LANE/muster; camera_lost; journal_failing; journal_full: from 90 % of what it may take on, until 85 %; "
         "certificate_expiring: the lane's own, or one of those it trusts the broker by, ends soon, detail says which and when; "
         "lane: start and stop. A start means that no alarm is on: what was on before it has no end."),
    WORD("verb", MAY, catalogue_verb_name, 0, COMMAND_VERB_COUNT,
         "With command: what an operator asked for, on PREFIX/SITE/LANE/request/VERB. It was done, unless another command of the "
         "same verb and operator follows whose detail begins with \"not done: \". An `open` is an override on passage."),
    OPERATOR,
    TEXT("detail", MAY, TEXT_MAX(detail), "For people; with command: why it was asked for, or \"not done: \" and why not."),
};
const struct catalogue_message catalogue_alarm = MESSAGE(
    "alarm", 1, false, alarm_rows,
    "{\"if\":{\"properties\":{\"kind\":{\"const\":\"command\"}}},"
    "\"then\":{\"required\":[\"verb\",\"operator\"],\"not\":{\"required\":[\"alarm\"]}},"
    "\"else\":{\"required\":[\"alarm\"],\"if\":{\"properties\":{\"kind\":{\"enum\":[\"start\",\"stop\"]}}},"
    "\"then\":{\"properties\":{\"alarm\":{\"const\":\"lane\"}}}}}",
    "what begins or ends to be wrong with the lane, its starts and stops, and what operators asked of it.");

static const struct catalogue_field muster_person_rows[] = {
    FORM("person", MUST, FORM_ID,
         "Keyed hash of the person's number, as in passages. qrgatectl inside --subjects prints whose it is from a list of numbers."),
    FORM("since", MUST, FORM_TIME, "When they came in."),
    TEXT("lane", MAY, JOURNAL_LANE_BYTES - 1, "Where they came in."),
};
static const struct catalogue_group muster_person = GROUP(muster_person_rows, NULL);
static const struct catalogue_field muster_persons_rows[] = {OBJECT("", MUST, &muster_person, NULL)};
static const struct catalogue_group muster_persons = GROUP(muster_persons_rows, NULL);
static const struct catalogue_field muster_rows[] = {
    SCHEMA(MUST),
    FORM("at", MUST, FORM_TIME, "When the list was begun; the same in all its pages."),
    CLOCK_TRUSTED,
    WORD("presence", MUST, catalogue_scope_name, PRESENCE_SCOPE_NONE + 1, PRESENCE_SCOPE_COUNT,
         "shared: the site's other lanes are heard; own: not now, so who passed there lately may be missing or may have left."),
    INTEGER("page", MUST, 1, INT64_MAX, NULL),
    FLAG("last", MUST, "true: no page of this list follows."),
    COUNT("inside", MUST, "How many, on all pages. Who came or went while the list was read may be on none."),
    LIST("persons", MUST, 0, JOURNAL_MUSTER_MAX, &muster_persons, false, "In the order of the hash. Empty: nobody, or nobody more."),
};
const struct catalogue_message catalogue_muster = MESSAGE(
    "muster", 1, false, muster_rows, NULL,
    "who is inside as far as this lane knows, when an emergency begins; one message for each page of the list. While the broker is "
    "away it waits, and tells what is so when the broker is back. Pages of one list have the same `at`, and another list has "
    "another. A list that was cut begins anew: count on one only when page 1 up to the page with last true are there.");
