/* Ends a pulse that main has not ended: a thread of its own with one deadline, for the case that the main loop hangs while the
 * relay is on (a kernel call that doesn't come back; but for the write of a relay itself). It can only switch off. Main's thread
 * calls; the guard's thread acts. A process that is stopped or killed as a whole is the watchdog's and qrgate-safe's case. */
#ifndef RELAY_GUARD_H
#define RELAY_GUARD_H

#include <stdbool.h>
#include <stdint.h>

#include "hw/lines.h"

enum { RELAY_GUARD_GRACE_MS = 50 }; /* main's own end of the pulse comes first */

struct relay_guard;

/* `closed_level`: the wire's level that locks, false but for fail-safe wiring. `lines` is borrowed until close. */
int relay_guard_open(struct lines *lines, bool closed_level, struct relay_guard **ret_guard);
/* Sets an output relay's wire. `for_us` > 0: it must be closed again so long after this write; 0: no bound, as in an emergency.
 * Everything main does to a relay goes this way, so that the two never interleave. 0 or the line's error. */
int relay_guard_set(struct relay_guard *guard, enum line_out relay, bool level, int64_t for_us);
/* Writes the level again that the wire should have, for a chip that forgot it; one whose bound is over isn't opened again. */
int relay_guard_refresh(struct relay_guard *guard, enum line_out relay);
/* When a relay that is open must be closed (CLOCK_MONOTONIC), if not as relay_guard_set() was told; a wire that the guard has
 * closed stays closed. */
void relay_guard_bound(struct relay_guard *guard, enum line_out relay, int64_t off_at_us);
/* How often it had to act. */
uint64_t relay_guard_acted(struct relay_guard *guard);
void relay_guard_close(struct relay_guard *guard); /* ends the thread, moves nothing; accepts NULL */

#endif
