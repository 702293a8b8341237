/* The systemd watchdog is fed only while the eye's keeper, the journal and the main loop all make progress: a thread that
 * pings by itself would hide a hang. Pure: main feeds it. */
#ifndef HEALTH_WATCHDOG_H
#define HEALTH_WATCHDOG_H

#include <stdbool.h>
#include <stdint.h>

enum watchdog_part { WATCHDOG_EYE, WATCHDOG_JOURNAL, WATCHDOG_PART_COUNT };

struct watchdog {
    int64_t period_us; /* WatchdogSec; 0: systemd asks for none */
    int64_t next_at_us;
    int64_t progress_us[WATCHDOG_PART_COUNT]; /* last sign of life */
};

void watchdog_init(struct watchdog *w, int64_t period_us, int64_t now_us);
void watchdog_progress(struct watchdog *w, enum watchdog_part part, int64_t now_us);
/* True when it is time to feed and every part may be vouched for. */
bool watchdog_due(struct watchdog *w, int64_t now_us);
int64_t watchdog_next_us(const struct watchdog *w);

#endif
