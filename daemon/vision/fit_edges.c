/* The edges of what is fixed in a code, against where the map has them. Pure; called by fit.c and fit_alignment.c. */
#include "daemon/vision/fit_parts.h"

enum { PROFILE = 11, TIMING_EDGES_MAX = 24 };

bool fit_find_edge(const struct fit_view *view, const struct homography *map, float u, float v, bool is_row, bool falls,
                   float reach, float *ret_off)
{
    /* So short a way is as good as straight. */
    const struct point from = homography_at(map, is_row ? u : u - reach, is_row ? v - reach : v);
    const struct point to = homography_at(map, is_row ? u : u + reach, is_row ? v + reach : v);
    const struct point step = {(to.x - from.x) / (PROFILE - 1), (to.y - from.y) / (PROFILE - 1)};
    int levels[PROFILE], low = INT32_MAX, high = 0;
    for (int i = 0; i < PROFILE; i++) {
        const int level = fit_view_at(view, (struct point){from.x + step.x * (float)i, from.y + step.y * (float)i});
        levels[i] = falls ? -level : level;
        low = levels[i] < low || i == 0 ? levels[i] : low;
        high = levels[i] > high || i == 0 ? levels[i] : high;
    }
    if (high - low < FIT_CONTRAST_MIN)
        return false;
    const int middle = low + (high - low) / 2;
    float nearest = 2 * reach;
    for (int i = 1; i < PROFILE; i++) {
        if (levels[i - 1] >= middle || levels[i] < middle)
            continue;
        const float at = (float)(i - 1) + (float)(middle - levels[i - 1]) / (float)(levels[i] - levels[i - 1]);
        const float off = reach * (2 * at - (PROFILE - 1)) / (PROFILE - 1);
        if (fabsf(off) < fabsf(nearest))
            nearest = off;
    }
    *ret_off = nearest;
    return fabsf(nearest) <= reach;
}

static void add_edge(const struct fit_view *view, const struct homography *map, struct corrections *corrections, float u,
                     float v, bool is_row, bool falls, float reach)
{
    float off;
    if (fit_find_edge(view, map, u, v, is_row, falls, reach, &off))
        corrections_add(corrections, map, u, v, is_row, off, 1);
}

/* The edges of one finder's rings and centre, each where it is not near to a corner. */
static void add_finder(const struct fit_view *view, const struct homography *map, struct corrections *corrections, float left,
                       float top, float reach)
{
    static const float edges[] = {0, 1, 2, 5, 6, 7};
    static const float places[3][5] = {{0.8f, 2.2f, 3.5f, 4.8f, 6.2f}, {1.7f, 3.5f, 5.3f}, {2.6f, 3.5f, 4.4f}};
    for (int i = 0; i < 6; i++) {
        const int ring = i < 3 ? i : 5 - i;
        for (int k = 0; k < (ring == 0 ? 5 : 3); k++) {
            const float along = places[ring][k];
            add_edge(view, map, corrections, left + edges[i], top + along, false, i % 2 == 0, reach);
            add_edge(view, map, corrections, left + along, top + edges[i], true, i % 2 == 0, reach);
        }
    }
}

void fit_add_timing(const struct fit_view *view, const struct homography *map, struct corrections *corrections, int side,
                    float reach)
{
    const int edges = side - 15, step = (edges + TIMING_EDGES_MAX - 1) / TIMING_EDGES_MAX;
    for (int i = 8; i <= side - 8; i += step) {
        add_edge(view, map, corrections, (float)i, 6.5f, false, i % 2 == 0, reach);
        add_edge(view, map, corrections, 6.5f, (float)i, true, i % 2 == 0, reach);
    }
}

void fit_add_fixed(const struct fit_view *view, const struct homography *map, struct corrections *corrections, int side,
                   float reach)
{
    const float far = (float)(side - QR_FINDER_MODULES);
    corrections_begin(corrections);
    add_finder(view, map, corrections, 0, 0, reach);
    add_finder(view, map, corrections, far, 0, reach);
    add_finder(view, map, corrections, 0, far, reach);
}
