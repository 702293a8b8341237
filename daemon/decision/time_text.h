/* Times as text, one reader for the command line, CSV and JSON: RFC 3339, and what people type. Pure: no time zone is
 * asked for; a text without one says so, and the caller who knows the zone does the rest. */
#ifndef DECISION_TIME_TEXT_H
#define DECISION_TIME_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TIME_TEXT_BYTES = 32 };
/* From the beginning of 2000 to the end of 2200: further off it is a slip of the pen, or not a time at all. */
#define TIME_TEXT_LEAST_S INT64_C(946684800)
#define TIME_TEXT_MOST_S INT64_C(7289654399)

bool time_text_in_range(int64_t at_s);
/* RFC 3339 with seconds and zone: "2026-01-31T08:30:00.25+07:00". `ret_us` receives the fraction cut to microseconds;
 * NULL: not wanted. */
bool time_text_read(const char *text, size_t length_bytes, int64_t *ret_s, int32_t *ret_us);
/* What people type, too: "2026-01-31 08:30", zones "+0700" and "+07", Unix seconds. *ret_local: no zone was given,
 * and *ret_s is the clock on the wall counted as if it were UTC. */
bool time_text_read_typed(const char *text, size_t length_bytes, int64_t *ret_s, bool *ret_local);
/* "2026-01-31T01:30:00Z"; out of range the bare number. */
const char *time_text_write(int64_t at_s, char buffer[TIME_TEXT_BYTES]);

#endif
