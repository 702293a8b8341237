/* Looks for finder patterns: along any line through its centre such a square is dark, light, dark, light, dark at 1:1:3:1:1.
 * Pure; called by look.c for each level of the pyramid. The work is bounded whatever the picture shows. */
#ifndef VISION_SEARCH_H
#define VISION_SEARCH_H

#include <stdbool.h>

#include "daemon/vision/threshold.h"

enum { SEARCH_MARKS_MAX = 96, SEARCH_SIDE_MIN_PX = 21 };

/* One finder pattern, or something like it; positions in pixels of the picture. */
struct finder_mark {
    float x, y;
    float module_px;
    int rows;      /* in how many searched rows it was met */
    bool is_light; /* light on dark */
};

struct search_settings {
    float tolerance; /* of a run, in modules */
    int row_step;
    int bias;        /* levels below the local mean that make a pixel dark */
    int contrast_min; /* between the centre and the light ring */
    bool is_even;     /* both sides of a square are about equally dark and light */
};

struct search {
    struct finder_mark marks[SEARCH_MARKS_MAX];
    int count;
    int pixels_left; /* for confirming */
    uint8_t *dark;   /* scratch of search_scratch_bytes() */
    uint8_t *levels, *refused;
    uint16_t *edges;
};

size_t search_scratch_bytes(int width_max_px);
void search_begin(struct search *search, void *scratch, int width_max_px, int pixels);
/* Adds the marks of one level. Coarse levels come first. */
void search_level(struct search *search, const struct pyramid *pyramid, int level, const struct threshold *threshold,
                  const struct search_settings *settings);
void search_sort(struct search *search); /* large and often met ones first */

#endif
