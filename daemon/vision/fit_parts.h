/* What the parts of the fit share: the picture as they see it, and what each finds in it. For fit*.c alone. */
#ifndef VISION_FIT_PARTS_H
#define VISION_FIT_PARTS_H

#include <math.h>

#include "daemon/vision/fit.h"

enum { FIT_CONTRAST_MIN = 8 * IMAGE_STEPS_PER_LEVEL };

/* The picture at the level where the code's modules are a few pixels wide. */
struct fit_view {
    const struct image *image;
    float scale;
    bool is_light;
};

/* As if dark on light. */
static inline int fit_view_at(const struct fit_view *view, struct point at)
{
    const int level = image_at(view->image, at.x * view->scale, at.y * view->scale);
    return view->is_light ? 255 * IMAGE_STEPS_PER_LEVEL - level : level;
}

static inline float fit_distance(struct point a, struct point b)
{
    return sqrtf((a.x - b.x) * (a.x - b.x) + (a.y - b.y) * (a.y - b.y));
}

/* ---- fit_corners.c ----------------------------------------------------------------------------------------------- */

/* A finder: its centre, and how large a module is towards the right and towards below. */
struct fit_corner {
    struct point at;
    float module_px[2];
};

/* The corner, right and below. False: they lie on one another. */
bool fit_measure_corners(const struct fit_view *view, const struct finder_mark *const marks[3], bool is_blurred,
                         struct fit_corner corners[3]);

/* ---- fit_edges.c ------------------------------------------------------------------------------------------------- */

/* How far behind its place, in modules, an edge across u (or v) is. False: none there. */
bool fit_find_edge(const struct fit_view *view, const struct homography *map, float u, float v, bool is_row, bool falls,
                   float reach, float *ret_off);
/* Begins the corrections with the edges of all three finders. */
void fit_add_fixed(const struct fit_view *view, const struct homography *map, struct corrections *corrections, int side,
                   float reach);
void fit_add_timing(const struct fit_view *view, const struct homography *map, struct corrections *corrections, int side,
                    float reach);

/* ---- fit_alignment.c --------------------------------------------------------------------------------------------- */

/* First the one at the bottom right, the furthest from all finders; then, with it, the others. */
void fit_alignments(const struct fit_view *view, struct fit *fit);

#endif
