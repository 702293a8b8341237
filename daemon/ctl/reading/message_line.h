/* A line of a file of messages: a message of passage or alarm alone, or with its topic before it (mosquitto_sub -v, or -F '%t %p'),
 * or an object with both (mosquitto_sub -F %J). Pure; a stranger's text. Also fuzzed (tests/fuzz/fuzz_messages.c). */
#ifndef CTL_READING_MESSAGE_LINE_H
#define CTL_READING_MESSAGE_LINE_H

#include "daemon/journal/journal.h"

enum { MESSAGE_LINE_BYTES = 8192 };

/* `line` ends with a NUL at `length`. 1: *ret is an event, ret_lane whose, "" when no topic says; 0: a message of another topic;
 * -EBADMSG: `why` names member, value and what is allowed; -ENOMEM. */
int message_line_read(const char *line, size_t length, struct event *ret, char ret_lane[JOURNAL_LANE_BYTES], char *why,
                      size_t why_bytes);

#endif
