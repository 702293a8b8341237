/* Which look the next frame gets, if any: a still view in which nothing is rests, a code that can't be read gets one look after
 * another, and then rests too. Pure; called by reader.c for each frame. */
#ifndef VISION_PLAN_H
#define VISION_PLAN_H

#include <stdbool.h>

enum {
    PLAN_REST_FRAMES = 15,   /* a view at rest is looked at again after that many */
    PLAN_PERHAPS_FRAMES = 4 /* where a code may be: so often another look than the first */
};

enum plan_outcome { PLAN_NOTHING, PLAN_PERHAPS, PLAN_SIGHTED, PLAN_READ };

struct plan {
    bool has_looked;
    enum plan_outcome outcome; /* of the last look */
    int look;       /* the next of those after the first */
    int perhaps;    /* looks since something that may be a code got another than the first */
    int unread;     /* looks in a row that sighted something and read nothing */
    int resting;    /* frames since the last look */
};

/* The look that this frame gets, or -1: none. */
int plan_next(struct plan *plan, bool moved);
void plan_told(struct plan *plan, enum plan_outcome outcome);

#endif
