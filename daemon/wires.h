/* The lane's wishes onto its wires: at each change, and each second again, so that a chip that is gone is known before the next
 * person comes, and one that forgot its levels, as an expander at a dip of its supply, has them back. Main's thread; relays go by
 * relay_guard.h. Owned by passage.c. */
#ifndef WIRES_H
#define WIRES_H

#include "daemon/lane/lane.h"
#include "daemon/relay_guard.h"

struct wires {
    struct lines *lines; /* these two are borrowed */
    struct relay_guard *guard;
    bool levels[LANE_OUTPUT_COUNT]; /* as last written */
    bool relay_is_open;             /* either of them */
    int64_t relay_until_us;         /* what the guard was told last */
    int64_t due_us;                 /* the next look, when nothing changes */
    bool stopped;                   /* outputs are inactive and stay so */
    int error;                      /* negative: a line was lost, the lane can't go on */
};

void wires_init(struct wires *wires, struct lines *lines, struct relay_guard *guard);
/* True: a relay was opened now. The lane is told when, for its pulse counts from there. */
bool wires_drive(struct wires *wires, struct lane *lane, int64_t now_us);
void wires_stop(struct wires *wires); /* everything inactive, for good */

#endif
