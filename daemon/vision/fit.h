/* Three finder patterns -> where each module of the code is: size by the timing patterns, perspective by the edges of all fixed
 * patterns, bulges by the alignment patterns. Pure; called by look.c for the best triples. */
#ifndef VISION_FIT_H
#define VISION_FIT_H

#include "daemon/vision/homography.h"
#include "daemon/vision/qr_shape.h"
#include "daemon/vision/search.h"

enum { FIT_MESH_MAX = 10 };

/* A code as it lies in the picture. */
struct fit {
    struct homography map; /* modules -> pixels of the picture */
    int side_modules;
    float module_px;       /* at the code's middle, the mean of both directions */
    bool is_light;         /* light on dark */
    float timing;          /* part of the timing patterns' modules that are as they should be, 0 … 1 */
    bool has_alignment;    /* the one at the bottom right was found, or there is none */
    int mesh;              /* columns and rows of `off`, at `mesh_at`; 0: the map alone says where a module is */
    float mesh_at[FIT_MESH_MAX];
    struct point off[FIT_MESH_MAX][FIT_MESH_MAX]; /* [row][column], in modules: where the paper bulges */
};

/* False: no code can lie like that. `hastily`: without the second attempt that blurred finders get. */
bool fit_code(const struct pyramid *pyramid, const struct finder_mark *corner, const struct finder_mark *right,
              const struct finder_mark *below, bool hastily, struct fit *ret_fit);
/* Follows a surface that isn't flat: from the finders outwards each part of the code is moved to where its modules stand out best.
 * fixed: qr_fixed_modules() of its size. */
void fit_bend(const struct pyramid *pyramid, const uint8_t *fixed, struct fit *fit);
/* Where a place in the code, in modules from its top left corner, is in the picture. */
struct point fit_at(const struct fit *fit, float u, float v);

#endif
