/* Who met whom: one sweep over passages in the order of time. Two meet at a gate when they pass it within the window of each
 * other (the moment is the later passage), and inside while both are in. Whom the traced one met is of the first degree; whom
 * one of those met then or later, of the second. Pure: no database, no clock. qrgatectl trace alone. */
#ifndef CTL_TRACE_SWEEP_H
#define CTL_TRACE_SWEEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/decision/decision.h"

enum { SWEEP_HASH_BYTES = 33, SWEEP_LANES_MAX = 64, SWEEP_NOBODY = -1, SWEEP_UNMET = 3 };

struct sweep_person {
    char hash[SWEEP_HASH_BYTES];
    uint8_t degree; /* 0 the traced one, 1, 2; SWEEP_UNMET */
    bool at_gate, inside; /* how they met; of degree 2 the first time */
    int16_t lane;         /* of the first meeting at a gate; -1 = none */
    int32_t via;          /* degree 2: by whom; SWEEP_NOBODY */
    int32_t gate_meetings;          /* degree 1 */
    int64_t together_us;            /* degree 1: inside together in all */
    int64_t first_us, last_us;      /* meetings; of degree 2 both the first one */
    /* while the sweep runs */
    bool is_in;
    int64_t since_us, seen_us;
    struct sweep_link {
        int32_t before, after;
    } all, unmet, close;
};

struct sweep_passage {
    int64_t at_us;
    int32_t person;
    int16_t lane;
    uint8_t direction; /* enum direction */
};

struct sweep {
    struct sweep_person *persons;
    int32_t count, room;
    int32_t *slots; /* of a table from hashes to persons; SWEEP_NOBODY = free */
    size_t slots_count;
    struct sweep_passage *passages;
    size_t passages_count, passages_room;
};

struct sweep_bounds {
    int64_t from_us, until_us; /* meetings in between count; passages of before tell who was in */
    int64_t window_us;
    int64_t stay_us; /* who was seen coming in so long ago and never going out isn't believed to be in any more */
    int degrees;     /* 1 or 2 */
};

/* Takes a zeroed sweep. The person's number, or -ENOMEM. */
int32_t sweep_person(struct sweep *sweep, const char *hash);
int sweep_add(struct sweep *sweep, int64_t at_us, int32_t person, int lane, enum direction direction);
/* Once, after all passages. 0 or -ENOMEM. */
int sweep_run(struct sweep *sweep, int32_t traced, const struct sweep_bounds *bounds);
void sweep_free(struct sweep *sweep);

#endif
