/* Colour, on a terminal only, and never where NO_COLOR is set (no-color.org). status, watch. */
#ifndef CTL_PAINT_H
#define CTL_PAINT_H

#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

enum paint { PAINT_NONE, PAINT_GOOD, PAINT_CARE, PAINT_BAD, PAINT_FAINT };

static inline bool paint_wanted(void)
{
    const char *no = getenv("NO_COLOR"), *terminal = getenv("TERM");
    return isatty(STDOUT_FILENO) == 1 && !(no && no[0] != '\0') && terminal && terminal[0] != '\0' && terminal[0] != 'd' /* dumb */;
}

/* What stands before, and behind it paint_code(wanted, PAINT_NONE). */
static inline const char *paint_code(bool wanted, enum paint paint)
{
    static const char *const codes[] = { [PAINT_NONE] = "\x1b[0m", [PAINT_GOOD] = "\x1b[32m", [PAINT_CARE] = "\x1b[33m",
                                         [PAINT_BAD] = "\x1b[1;31m", [PAINT_FAINT] = "\x1b[2m" };
    return wanted ? codes[paint] : "";
}

#endif
