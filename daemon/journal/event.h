/* Names of a row's enums, and back. Internal to journal/ and qrgatectl. Pure. */
#ifndef JOURNAL_EVENT_H
#define JOURNAL_EVENT_H

#include "daemon/journal/journal.h"

bool event_kind_from_name(const char *name, enum event_kind *ret);
bool reason_from_name(const char *name, enum reason *ret);
bool credential_kind_from_name(const char *name, enum credential_kind *ret);

bool event_is_verdict(enum event_kind kind);
bool event_is_passage(enum event_kind kind); /* what becomes of a verdict */
bool event_ends_passage(enum event_kind kind);
bool event_is_operators(const struct event *event); /* by MQTT: a command, or an override by one */

/* True when every enum is in range, every text ends inside its field, and verb and operator_name stand in an operator's row
 * and in no other. */
bool event_valid(const struct event *event);

#endif
