/* The catalogue's rows of the week's report, which qrgatectl report week --publish sends (daemon/ctl/report/report_json.c). */
#include "daemon/mqtt/catalogue_rows.h"

enum { DAYS = 7, HOURS = 24 };

/* place.kind's words (settings/keys.c). */
static const char *place_word(int kind)
{
    static const char *const words[] = {"other", "office", "industrial_park", "factory", "school", "hospital", "station", "shop",
                                        "market", "restaurant", "lodging", "culture_sports", "meeting", "wedding", "funeral"};
    return words[kind];
}

#define COUNTS(text, need, means) {.name = text, .kind = FIELD_COUNTS, .required = need, .what = means}

static const struct catalogue_field hour_rows[] = {COUNT("", MUST, NULL)};
static const struct catalogue_group hours = GROUP(hour_rows, NULL);
static const struct catalogue_field day_rows[] = {
    FORM("date", MUST, FORM_DATE, NULL),
    LIST("entries", MUST, HOURS, HOURS, &hours, false, "By the hour on the wall, 0 to 23; an hour that came twice is one."),
    LIST("exits", MUST, HOURS, HOURS, &hours, false, "Likewise."),
    LIST("undirected", MUST, HOURS, HOURS, &hours, false, "Likewise."),
};
static const struct catalogue_group day = GROUP(day_rows, NULL);
static const struct catalogue_field days_rows[] = {OBJECT("", MUST, &day, NULL)};
static const struct catalogue_group days = GROUP(days_rows, NULL);
static const struct catalogue_field busiest_rows[] = {
    INTEGER("passages", MUST, 1, INT64_MAX, NULL),
    FORM("at", MUST, FORM_TIME, NULL),
};
static const struct catalogue_group busiest = GROUP(busiest_rows, NULL);
static const struct catalogue_field lane_rows[] = {
    TEXT("lane", MUST, 0, NULL),
    COUNT("entries", MUST, NULL),
    COUNT("exits", MUST, NULL),
    COUNT("undirected", MUST, NULL),
    COUNT("refused", MUST, "Held or denied."),
    FORM("events_until", MAY, FORM_TIME,
         "The lane's newest event under a trusted clock: earlier than until, its journal may be an old copy."),
};
static const struct catalogue_group lane = GROUP(lane_rows, NULL);
static const struct catalogue_field lanes_rows[] = {OBJECT("", MUST, &lane, NULL)};
static const struct catalogue_group lanes = GROUP(lanes_rows, NULL);

static const struct catalogue_field report_rows[] = {
    SCHEMA(MUST),
    FORM("week", MUST, FORM_WEEK, "Monday to Sunday at the place."),
    FORM("from", MUST, FORM_TIME, NULL),
    FORM("until", MUST, FORM_TIME, "The week's end, or the moment of the report when complete is false."),
    FORM("utc_offset", MUST, FORM_OFFSET, "Of the place when the week began."),
    FLAG("complete", MUST, "false: the week hasn't ended."),
    TEXT("site", MAY, 0, "As in the topic."),
    TEXT("name", MAY, 0, NULL),
    TEXT("address", MAY, 0, NULL),
    WORD("kind", MUST, place_word, 0, 15, NULL),
    COUNT("events", MUST, NULL),
    COUNT("clock_untrusted", MAY, "Events whose time may be wrong."),
    COUNT("entries", MUST, NULL),
    COUNT("exits", MUST, NULL),
    COUNT("undirected", MUST, "Passages of lanes without a direction."),
    COUNT("held", MUST, NULL),
    COUNT("denied", MUST, NULL),
    COUNT("overrides", MUST, "Opened by the guard's button or an operator."),
    COUNT("undeclared", MUST, "Codes shown by people without a declaration."),
    COUNT("alarms", MUST, NULL),
    COUNT("not_used", MUST, "Let through and not gone, or cut short."),
    COUNT("overrides_of_undeclared", MAY, NULL),
    COUNTS("last_week", MUST, "The same figures of the week before, to the same time of its week when complete is false."),
    LIST("days", MUST, DAYS, DAYS, &days, false, NULL),
    COUNTS("entries_by_status", MAY, NULL),
    COUNTS("exits_by_status", MAY, NULL),
    COUNTS("undirected_by_status", MAY, NULL),
    COUNTS("denied_by_reason", MAY, NULL),
    COUNTS("held_by_reason", MAY, NULL),
    COUNTS("alarms_by_name", MAY, NULL),
    OBJECT("busiest", MAY, &busiest, "The quarter of an hour with the most passages, the first of them; left out when there was none."),
    LIST("lanes", MUST, 0, INT64_MAX, &lanes, false, NULL),
};
const struct catalogue_message catalogue_report = MESSAGE(
    "report", 1, false, report_rows, NULL,
    "the site's week in figures, by qrgatectl report week --publish. No person and no operator is in it.");
