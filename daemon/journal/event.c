/* Names of a row's enums, and back; the check of a row before it is written. Called by the journal thread and
 * qrgatectl. */
#include "daemon/journal/event.h"

#include <string.h>

static const char *const KIND_NAMES[EVENT_KIND_COUNT] = {
    [EVENT_GRANTED] = "granted",
    [EVENT_HELD] = "held",
    [EVENT_DENIED] = "denied",
    [EVENT_OVERRIDE] = "override",
    [EVENT_COMPLETED] = "completed",
    [EVENT_NOT_USED] = "not_used",
    [EVENT_INTERRUPTED] = "interrupted",
    [EVENT_ALARM_BEGIN] = "alarm_begin",
    [EVENT_ALARM_END] = "alarm_end",
    [EVENT_START] = "start",
    [EVENT_STOP] = "stop",
    [EVENT_COMMAND] = "command",
};

const char *event_kind_name(enum event_kind kind)
{
    return (unsigned)kind < EVENT_KIND_COUNT ? KIND_NAMES[kind] : "unknown";
}

bool event_kind_from_name(const char *name, enum event_kind *ret)
{
    for (int kind = 0; kind < EVENT_KIND_COUNT; kind++)
        if (strcmp(name, KIND_NAMES[kind]) == 0)
            return *ret = (enum event_kind)kind, true;
    return false;
}

bool reason_from_name(const char *name, enum reason *ret)
{
    for (int reason = 0; reason < REASON_COUNT; reason++)
        if (strcmp(name, reason_name((enum reason)reason)) == 0)
            return *ret = (enum reason)reason, true;
    return false;
}

bool credential_kind_from_name(const char *name, enum credential_kind *ret)
{
    for (int kind = 0; kind < CREDENTIAL_KIND_COUNT; kind++)
        if (strcmp(name, credential_kind_name((enum credential_kind)kind)) == 0)
            return *ret = (enum credential_kind)kind, true;
    return false;
}

bool event_is_verdict(enum event_kind kind)
{
    return kind == EVENT_GRANTED || kind == EVENT_HELD || kind == EVENT_DENIED;
}

bool event_is_passage(enum event_kind kind)
{
    return kind == EVENT_OVERRIDE || event_ends_passage(kind);
}

bool event_ends_passage(enum event_kind kind)
{
    return kind == EVENT_COMPLETED || kind == EVENT_NOT_USED || kind == EVENT_INTERRUPTED;
}

bool event_is_operators(const struct event *event)
{
    return event->kind == EVENT_COMMAND || (event->kind == EVENT_OVERRIDE && event->reason == REASON_OPERATOR);
}

static bool ended(const char *text, size_t bytes)
{
    return memchr(text, '\0', bytes) != NULL;
}

/* An operator's row says what and who; another's says neither. */
static bool operator_valid(const struct event *event)
{
    const bool said = event->verb[0] != '\0' && event->operator_name[0] != '\0';
    const bool unsaid = event->verb[0] == '\0' && event->operator_name[0] == '\0';
    return ended(event->verb, sizeof(event->verb)) && ended(event->operator_name, sizeof(event->operator_name)) &&
           (event_is_operators(event) ? said : unsaid);
}

bool event_valid(const struct event *event)
{
    return (unsigned)event->kind < EVENT_KIND_COUNT && (unsigned)event->reason < REASON_COUNT &&
           (unsigned)event->status < STATUS_COUNT && (unsigned)event->credential < CREDENTIAL_KIND_COUNT &&
           (unsigned)event->direction < DIRECTION_COUNT && (unsigned)event->scope < PRESENCE_SCOPE_COUNT &&
           ended(event->event_id, sizeof(event->event_id)) && event->event_id[0] != '\0' &&
           ended(event->person, sizeof(event->person)) && ended(event->bound_event_id, sizeof(event->bound_event_id)) &&
           ended(event->alarm, sizeof(event->alarm)) && ended(event->detail, sizeof(event->detail)) &&
           operator_valid(event);
}
