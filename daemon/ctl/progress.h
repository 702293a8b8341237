/* A progress bar on standard error, only when that is a terminal. qrgatectl import and export. */
#ifndef CTL_PROGRESS_H
#define CTL_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/ctl/lang.h"

struct progress {
    bool on;
    const struct lang *lang;
    int64_t total; /* 0 = unknown: rows are counted without a bar */
};

void progress_init(struct progress *progress, const struct lang *lang, int64_t total);
bool progress_due(const struct progress *progress, int64_t rows); /* not for every row: a terminal is slow */
void progress_show(const struct progress *progress, int64_t done, int64_t rows);
void progress_clear(const struct progress *progress); /* before any other message, and at the end */

#endif
