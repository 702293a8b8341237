/* What a lane does by the clock and not for a person: its health each minute, certificates that end, a journal that fills up.
 * Called by main after every event, in the main thread; allocates nothing. */
#ifndef UPKEEP_H
#define UPKEEP_H

#include "daemon/passage.h"
#include "daemon/vision/supervisor.h"

struct upkeep {
    struct passage *passage; /* these three are borrowed */
    struct publisher *publisher;
    const struct supervisor *eye;
    int64_t started_us, look_due_us, health_due_us, hour_due_us, purge_due_us, head_due_us;
    int64_t told_us; /* the last health message, */
    uint64_t frames_told; /* and what it said */
};

void upkeep_init(struct upkeep *u, struct passage *passage, struct publisher *publisher, const struct supervisor *eye,
                 int64_t now_us);
void upkeep_tick(struct upkeep *u, int64_t now_us);
int64_t upkeep_next_us(const struct upkeep *u);
void upkeep_reloaded(struct upkeep *u); /* the configuration's files may be new as well */

#endif
