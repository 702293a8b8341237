/* The progress bar of qrgatectl import and export. */
#include "daemon/ctl/progress.h"

#include <stdio.h>
#include <unistd.h>

enum { PROGRESS_ROWS = 2000, BAR_WIDTH = 40 };

void progress_init(struct progress *progress, const struct lang *lang, int64_t total)
{
    *progress = (struct progress){ .on = isatty(STDERR_FILENO) == 1, .lang = lang, .total = total };
}

bool progress_due(const struct progress *progress, int64_t rows)
{
    return progress->on && rows % PROGRESS_ROWS == 0;
}

void progress_show(const struct progress *progress, int64_t done, int64_t rows)
{
    if (!progress->on)
        return;
    if (progress->total <= 0 || done < 0) {
        (void)fputc('\r', stderr);
        lang_print(stderr, progress->lang, "progress.rows", "rows", LANG_N(rows), NULL);
        return;
    }
    const int percent = (int)(done >= progress->total ? 100 : done * 100 / progress->total);
    const int filled = percent * BAR_WIDTH / 100;
    (void)fprintf(stderr, "\r[%.*s%.*s] %3d%% ", filled, "########################################",
                  BAR_WIDTH - filled, "                                        ", percent);
    lang_print(stderr, progress->lang, "progress.rows", "rows", LANG_N(rows), NULL);
}

void progress_clear(const struct progress *progress)
{
    if (progress->on)
        (void)fprintf(stderr, "\r\033[K");
}
