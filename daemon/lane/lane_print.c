/* Draws the lane's table for the README. Called by the unit test that holds the README against it. */
#include "daemon/lane/lane_parts.h"

static const char notes[] =
    "  (1) not while the service switch is on: then a grant ends not used, and the arm turns freely\n"
    "  (2) the next press within 15 s is about this person\n"
    "  (3) at the press; recorded with its true time, bound to the person held or refused just before\n"
    "  (4) ignored until it is released; a hold-open that this press began ends\n"
    "  (5) refused while the fire input is on\n"
    "  (6) and out of order when this mode ends\n"
    "  (7) refused while the service switch is on, or when three openings wait\n"
    "  The times are the configuration's defaults.\n"
    "\n"
    "Of what is so at once the first gives the mode: fire not yet reset, lock-down, hold-open, a fault or service, normal.\n"
    "\n"
    "closed --(verdict, press)--> granted --(arm turns)--> turning --(arm rests)--> closed: completed\n"
    "                               |                         |\n"
    "                               |                         '--(emergency, stop, a press while the arm is held)\n"
    "                               |                                                  --> closed: interrupted\n"
    "                               |--(no turn for 5 s)--> closed: not_used\n"
    "                               '--(emergency, stop; of a verdict: lock-down, service)--> closed: interrupted\n";

bool lane_table_print(FILE *out)
{
    bool fine = fprintf(out, "%-23s", "") > 0;
    for (int mode = 0; mode < LANE_MODE_COUNT; mode++)
        fine = fprintf(out, mode < LANE_MODE_COUNT - 1 ? "%-19s" : "%s\n", lane_mode_name((enum lane_mode)mode)) > 0 && fine;
    for (int row = 0; row < LANE_STIMULUS_COUNT; row++) {
        const enum lane_stimulus stimulus = (enum lane_stimulus)row;
        fine = fprintf(out, "%-23s", lane_stimulus_words(stimulus)) > 0 && fine;
        for (int mode = 0; mode < LANE_MODE_COUNT; mode++)
            fine = fprintf(out, mode < LANE_MODE_COUNT - 1 ? "%-19s" : "%s\n",
                           lane_cell_words(stimulus, (enum lane_mode)mode)) > 0 && fine;
    }
    return fprintf(out, "\n%s", notes) > 0 && fine;
}
