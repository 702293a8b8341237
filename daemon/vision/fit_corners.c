/* Three finders: exact centres, and how large a module is there. Pure; called by fit.c. */
#include "daemon/vision/fit_parts.h"

enum { FINE_STEPS = 8, OUTWARDS = 6 * FINE_STEPS + 1 }; /* of a module; six modules */

/* The next place, from `at` on, from which levels have gone back by a turn; signed: 1 a peak, -1 a valley. */
static int next_extreme(const int levels[OUTWARDS], int at, int sign, int turn)
{
    int best = at;
    for (int i = at; i < OUTWARDS && sign * (levels[best] - levels[i]) < turn; i++)
        if (sign * (levels[i] - levels[best]) > 0)
            best = i;
    return best;
}

/* Where levels go from one side of `middle` to the other, between two places; in module_px. 0: nowhere. */
static float crossing(const int levels[OUTWARDS], int from, int to, int middle, float module_px)
{
    for (int i = from + 1; i <= to; i++)
        if ((levels[i - 1] < middle) != (levels[i] < middle)) {
            const float part = (float)(middle - levels[i - 1]) / (float)(levels[i] - levels[i - 1]);
            return module_px * ((float)(i - 1) + part) / FINE_STEPS;
        }
    return 0;
}

/* From the centre of a finder outwards: how far its outer edge is. Either by one level for all of it, which noise and shine hurt
 * least; or half-way between the ring and what is outside: blur leaves the ring paler than the centre. 0: can't be told. */
static float outer_edge(const struct fit_view *view, struct point at, struct point way, float module_px, bool is_blurred)
{
    int levels[OUTWARDS], light = 0;
    for (int i = 0; i < OUTWARDS; i++) {
        const float off = module_px * (float)i / FINE_STEPS;
        levels[i] = fit_view_at(view, (struct point){at.x + way.x * off, at.y + way.y * off});
        if (i <= 3 * FINE_STEPS && levels[i] > light)
            light = levels[i];
    }
    if (light - levels[0] < FIT_CONTRAST_MIN)
        return 0;
    if (is_blurred) {
        const int turn = (light - levels[0]) / 4;
        const int gap = next_extreme(levels, 0, 1, turn), ring = next_extreme(levels, gap, -1, turn);
        const int outside = next_extreme(levels, ring, 1, turn);
        return levels[gap] - levels[ring] < turn || levels[outside] - levels[ring] < turn
                   ? 0 : crossing(levels, ring, outside, (levels[ring] + levels[outside]) / 2, module_px);
    }
    float edge = 0;
    for (int i = 0, found = 0; i + 1 < OUTWARDS && found < 3; i++) {
        const int middle = (light + levels[0]) / 2;
        const float here = crossing(levels, i, i + 1, middle, module_px);
        found += here > 0;
        edge = found == 3 ? here : 0;
    }
    return edge;
}

/* Moves the centre to the middle between the outer edges and takes the size from them, as far as they are plausible. */
static void measure_corner(const struct fit_view *view, struct fit_corner *corner, const struct point ways[2], bool is_blurred)
{
    for (int i = 0; i < 2; i++) {
        const struct point back = {-ways[i].x, -ways[i].y};
        const float guess = corner->module_px[i];
        const float after = outer_edge(view, corner->at, ways[i], guess, is_blurred);
        const float before = outer_edge(view, corner->at, back, guess, is_blurred);
        const float module = (after + before) / 7, off = (after - before) / 2;
        if (after <= 0 || before <= 0 || module < 0.6f * guess || module > 1.6f * guess || fabsf(off) > guess)
            continue;
        corner->module_px[i] = module;
        corner->at.x += ways[i].x * off;
        corner->at.y += ways[i].y * off;
    }
}

bool fit_measure_corners(const struct fit_view *view, const struct finder_mark *const marks[3], bool is_blurred,
                         struct fit_corner corners[3])
{
    for (int i = 0; i < 3; i++)
        corners[i].at = (struct point){marks[i]->x, marks[i]->y};
    for (int round = 0; round < 2; round++) {
        struct point ways[2];
        for (int i = 0; i < 2; i++) {
            const float side = fit_distance(corners[0].at, corners[1 + i].at);
            if (!(side > 1))
                return false;
            ways[i] = (struct point){(corners[1 + i].at.x - corners[0].at.x) / side,
                                     (corners[1 + i].at.y - corners[0].at.y) / side};
        }
        for (int i = 0; i < 3; i++) {
            if (round == 0) /* a mark's size was measured along the axes */
                for (int k = 0; k < 2; k++)
                    corners[i].module_px[k] = marks[i]->module_px * fmaxf(fabsf(ways[k].x), fabsf(ways[k].y));
            measure_corner(view, &corners[i], ways, is_blurred);
        }
    }
    return true;
}
