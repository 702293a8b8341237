/* The projective map from a code's modules to a picture's pixels, and its correction by measured errors (least squares). Pure;
 * used by fit.c and grid.c. */
#ifndef VISION_HOMOGRAPHY_H
#define VISION_HOMOGRAPHY_H

#include <stdbool.h>

enum { HOMOGRAPHY_UNKNOWNS = 8 };

struct point {
    float x, y;
};

/* Modules are taken relative to the code's middle, in half sides, which keeps the sums below well-conditioned. */
struct homography {
    float m[9];
    float half_side; /* in modules */
};

/* Sums of the equations so far. */
struct corrections {
    double squares[HOMOGRAPHY_UNKNOWNS][HOMOGRAPHY_UNKNOWNS], values[HOMOGRAPHY_UNKNOWNS];
    int count;
};

/* Three finder centres, and by how much a module is larger at the corner than at the others (1: seen straight on). */
struct homography homography_begin(int side_modules, struct point corner, struct point right, struct point below,
                                   float larger_than_right, float larger_than_below);
void corrections_begin(struct corrections *corrections);
/* What should be at column u (or, `is_row`, row v) is `off` modules further on. */
void corrections_add(struct corrections *corrections, const struct homography *map, float u, float v, bool is_row,
                     float off, float weight);
/* False: the sums give no sane map; *map is as before. */
bool corrections_apply(const struct corrections *corrections, struct homography *map);

static inline struct point homography_at(const struct homography *map, float u, float v)
{
    const float x = u / map->half_side - 1, y = v / map->half_side - 1, *m = map->m;
    const float w = m[6] * x + m[7] * y + m[8], scale = 1 / (w > 0.05f ? w : 0.05f);
    return (struct point){(m[0] * x + m[1] * y + m[2]) * scale, (m[3] * x + m[4] * y + m[5]) * scale};
}

#endif
