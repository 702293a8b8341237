/* What looks like a code, read or not: where it is, and how it looks; and from that the hint for the person who holds it. Pure;
 * filled by look.c, judged by reader.c. */
#ifndef VISION_SIGHTING_H
#define VISION_SIGHTING_H

#include "daemon/vision/grid.h"
#include "daemon/vision/reader.h"

struct sighting {
    bool has_code;   /* finders and timing patterns, as surely as can be told */
    struct fit fit;  /* the best, as far as there is one (side_modules > 0) */
    float match;     /* how much of it is as it must be, 0 … 2 */
    int dark, light; /* mean gray levels of its dark and its light modules, in the picture */
    float saturated; /* part of its modules that lie among others all as light as can be: no light module is so large */
    float smear;     /* how many times sharper it is across one direction than across another */
    int marks;       /* finder patterns met */
    struct finder_mark mark; /* the largest of them */
    bool mark_is_sure;       /* found by a strict search */
};

/* A fitted grid; it is kept if it is the best so far. */
void sighting_offer(struct sighting *sighting, const struct fit *fit, const struct grid *grid, float finders);
/* The part of the picture to look at closer. */
void sighting_region(const struct sighting *sighting, int width_px, int height_px, float *ret_left, float *ret_top,
                     float *ret_right, float *ret_bottom);
/* What stands in the way, of a sighting that wasn't read. `moved_px`: since the last frame, or 0. */
enum reader_hint sighting_hint(const struct sighting *sighting, int width_px, int height_px, float moved_px);

#endif
