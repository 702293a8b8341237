/* Fits a code's grid to a picture. Pure; called by reader.c. */
#include "daemon/vision/fit.h"

#include <math.h>
#include <string.h>

enum { PROFILE = 11, SIDES_TRIED_MAX = 4, TIMING_EDGES_MAX = 24, EDGES_MIN = 70 /* of 132 */, CONTRAST_MIN = 8 * IMAGE_STEPS_PER_LEVEL };

static const float timing_min = 0.6f, timing_sure = 0.8f; /* by chance a half is right */

/* The picture at the level where the code's modules are a few pixels wide. */
struct view {
    const struct image *image;
    float scale;
    bool is_light;
};

static struct view view_of(const struct pyramid *pyramid, float module_px, bool is_light)
{
    const int level = pyramid_level_for(pyramid, module_px, 2.5f);
    return (struct view){&pyramid->level[level], 1 / (float)(1 << level), is_light};
}

/* As if dark on light. */
static inline int view_at(const struct view *view, struct point at)
{
    const int level = image_at(view->image, at.x * view->scale, at.y * view->scale);
    return view->is_light ? 255 * IMAGE_STEPS_PER_LEVEL - level : level;
}

/* ---- three finders ----------------------------------------------------------------------------------------------- */

/* A finder: its centre, and how large a module is towards the right and towards below. */
struct corner_fit {
    struct point at;
    float module_px[2];
};

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
static float outer_edge(const struct view *view, struct point at, struct point way, float module_px, bool is_blurred)
{
    int levels[OUTWARDS], light = 0;
    for (int i = 0; i < OUTWARDS; i++) {
        const float off = module_px * (float)i / FINE_STEPS;
        levels[i] = view_at(view, (struct point){at.x + way.x * off, at.y + way.y * off});
        if (i <= 3 * FINE_STEPS && levels[i] > light)
            light = levels[i];
    }
    if (light - levels[0] < CONTRAST_MIN)
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
static void measure_corner(const struct view *view, struct corner_fit *corner, const struct point ways[2], bool is_blurred)
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

static float distance(struct point a, struct point b)
{
    return sqrtf((a.x - b.x) * (a.x - b.x) + (a.y - b.y) * (a.y - b.y));
}

static bool measure_corners(const struct view *view, const struct finder_mark *const marks[3], bool is_blurred,
                            struct corner_fit corners[3])
{
    for (int i = 0; i < 3; i++)
        corners[i].at = (struct point){marks[i]->x, marks[i]->y};
    for (int round = 0; round < 2; round++) {
        struct point ways[2];
        for (int i = 0; i < 2; i++) {
            const float side = distance(corners[0].at, corners[1 + i].at);
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

/* ---- edges ------------------------------------------------------------------------------------------------------- */

/* How far behind its place, in modules, an edge across u (or v) is. False: none there. */
static bool find_edge(const struct view *view, const struct homography *map, float u, float v, bool is_row, bool falls,
                      float reach, float *ret_off)
{
    int levels[PROFILE], low = INT32_MAX, high = 0;
    for (int i = 0; i < PROFILE; i++) {
        const float off = reach * (float)(2 * i - (PROFILE - 1)) / (PROFILE - 1);
        const int level = view_at(view, homography_at(map, is_row ? u : u + off, is_row ? v + off : v));
        levels[i] = falls ? -level : level;
        low = levels[i] < low || i == 0 ? levels[i] : low;
        high = levels[i] > high || i == 0 ? levels[i] : high;
    }
    if (high - low < CONTRAST_MIN)
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

static void add_edge(const struct view *view, const struct homography *map, struct corrections *corrections, float u,
                     float v, bool is_row, bool falls, float reach)
{
    float off;
    if (find_edge(view, map, u, v, is_row, falls, reach, &off))
        corrections_add(corrections, map, u, v, is_row, off, 1);
}

/* The edges of one finder's rings and centre, each where it is not near to a corner. */
static void add_finder(const struct view *view, const struct homography *map, struct corrections *corrections, float left,
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

static void add_timing(const struct view *view, const struct homography *map, struct corrections *corrections, int side,
                       float reach)
{
    const int edges = side - 15, step = (edges + TIMING_EDGES_MAX - 1) / TIMING_EDGES_MAX;
    for (int i = 8; i <= side - 8; i += step) {
        add_edge(view, map, corrections, (float)i, 6.5f, false, i % 2 == 0, reach);
        add_edge(view, map, corrections, 6.5f, (float)i, true, i % 2 == 0, reach);
    }
}

static void add_fixed(const struct view *view, const struct homography *map, struct corrections *corrections, int side,
                      float reach)
{
    const float far = (float)(side - QR_FINDER_MODULES);
    corrections_begin(corrections);
    add_finder(view, map, corrections, 0, 0, reach);
    add_finder(view, map, corrections, far, 0, reach);
    add_finder(view, map, corrections, 0, far, reach);
}

/* ---- size -------------------------------------------------------------------------------------------------------- */

/* Each timing module against its two neighbours. */
static float timing_match(const struct view *view, const struct homography *map, int side)
{
    int right = 0, count = 0;
    for (int line = 0; line < 2; line++) {
        int levels[3] = {0};
        for (int i = 7; i <= side - 8; i++) {
            const float at = (float)i + 0.5f;
            levels[0] = levels[1];
            levels[1] = levels[2];
            levels[2] = view_at(view, line == 0 ? homography_at(map, at, 6.5f) : homography_at(map, 6.5f, at));
            if (i < 9)
                continue;
            const int lighter = 2 * levels[1] - levels[0] - levels[2];
            right += i % 2 == 1 ? lighter < 0 : lighter > 0; /* the module in the middle is i - 1 */
            count++;
        }
    }
    return count > 0 ? (float)right / (float)count : 0;
}

static float clamp(float value, float least, float most)
{
    return value < least ? least : value > most ? most : value;
}

static void fit_side(const struct view *view, const struct corner_fit corners[3], int side, struct fit *fit)
{
    struct corrections corrections;
    const float right = sqrtf(corners[0].module_px[0] / corners[1].module_px[0]);
    const float below = sqrtf(corners[0].module_px[1] / corners[2].module_px[1]);
    fit->side_modules = side;
    fit->map = homography_begin(side, corners[0].at, corners[1].at, corners[2].at, clamp(right, 0.6f, 1.6f),
                                clamp(below, 0.6f, 1.6f));
    add_fixed(view, &fit->map, &corrections, side, 0.9f);
    fit->timing = 0;
    if (corrections.count < EDGES_MIN) /* these are no finders */
        return;
    (void)corrections_apply(&corrections, &fit->map); /* the first guess may do */
    add_fixed(view, &fit->map, &corrections, side, 0.7f);
    add_timing(view, &fit->map, &corrections, side, 0.6f);
    (void)corrections_apply(&corrections, &fit->map);
    fit->timing = timing_match(view, &fit->map, side);
}

static int side_of(int step)
{
    return QR_SIDE_MIN + QR_SIDE_STEP * step;
}

/* The side that the distances say, and its neighbours, further away the larger it is: the one whose timing patterns fit. */
static bool fit_sides(const struct view *view, const struct corner_fit corners[3], struct fit *ret_fit)
{
    const float across = distance(corners[0].at, corners[1].at) / sqrtf(corners[0].module_px[0] * corners[1].module_px[0]);
    const float down = distance(corners[0].at, corners[2].at) / sqrtf(corners[0].module_px[1] * corners[2].module_px[1]);
    const float side = sqrtf(across * down) + QR_FINDER_MODULES;
    if (!(side > QR_SIDE_MIN - 5 && side < QR_SIDE_MAX + 16))
        return false;
    const float exact = (side - QR_SIDE_MIN) / QR_SIDE_STEP;
    const int nearest = (int)floorf(exact + 0.5f), last = (QR_SIDE_MAX - QR_SIDE_MIN) / QR_SIDE_STEP;
    const int towards = exact > (float)nearest ? 1 : -1;
    const int tries[SIDES_TRIED_MAX] = {nearest, nearest + towards, nearest - towards, nearest + 2 * towards};
    const int count = side > 60 ? 4 : side > 36 ? 3 : 2;
    ret_fit->timing = -1;
    for (int i = 0; i < count; i++) {
        struct fit fit = *ret_fit;
        if (tries[i] < 0 || tries[i] > last)
            continue;
        fit_side(view, corners, side_of(tries[i]), &fit);
        if (fit.timing > ret_fit->timing)
            *ret_fit = fit;
        if (ret_fit->timing > 0.95f)
            break;
    }
    return ret_fit->timing >= 0;
}

/* ---- alignment patterns ------------------------------------------------------------------------------------------ */

enum { FINE = 3, SEARCH_REACH_MAX = 5, WINDOW_MAX = (2 * SEARCH_REACH_MAX + 5) * FINE };

/* How much lighter the ring is than what is around it and in it. */
static int alignment_match(const int *levels, int width)
{
    int dark = 0, light = 0;
    for (int row = -2; row <= 2; row++)
        for (int column = -2; column <= 2; column++) {
            const int level = levels[(row * width + column) * FINE];
            const bool is_ring = row >= -1 && row <= 1 && column >= -1 && column <= 1 && (row != 0 || column != 0);
            if (is_ring)
                light += level;
            else
                dark += row == 0 && column == 0 ? 4 * level : level; /* 20 in all */
        }
    return light / 8 - dark / 20;
}

/* How far the edges of the light ring are from where they should be, on the mean. */
static bool refine_alignment(const struct view *view, const struct homography *map, float u, float v, struct point *off)
{
    static const struct {
        float at, along;
    } edges[] = {{-1.5f, -1}, {-1.5f, 0}, {-1.5f, 1}, {-0.5f, 0}, {0.5f, 0}, {1.5f, -1}, {1.5f, 0}, {1.5f, 1}};
    float sum[2] = {0}, found;
    int count[2] = {0};
    for (int i = 0; i < 16; i++) {
        const bool is_row = i >= 8;
        const float at = edges[i % 8].at, along = edges[i % 8].along;
        const bool falls = at == -0.5f || at == 1.5f;
        if (!find_edge(view, map, u + off->x + (is_row ? along : at), v + off->y + (is_row ? at : along), is_row, falls,
                       0.7f, &found))
            continue;
        sum[is_row] += found;
        count[is_row]++;
    }
    if (count[0] < 5 || count[1] < 5)
        return false;
    off->x += sum[0] / (float)count[0];
    off->y += sum[1] / (float)count[1];
    return true;
}

/* The alignment pattern that should be at u, v: how far from there it is, within `reach` modules. */
static bool find_alignment(const struct view *view, const struct homography *map, float u, float v, int reach, int contrast,
                           struct point *ret_off)
{
    int levels[WINDOW_MAX * WINDOW_MAX];
    const int width = (2 * reach + 4) * FINE + 1, steps = 2 * reach * FINE + 1;
    for (int row = 0; row < width; row++)
        for (int column = 0; column < width; column++) {
            const float du = (float)column / FINE - (float)reach - 2, dv = (float)row / FINE - (float)reach - 2;
            levels[row * width + column] = view_at(view, homography_at(map, u + du, v + dv));
        }
    int best = 0;
    for (int row = 0; row < steps; row++)
        for (int column = 0; column < steps; column++) {
            const struct point off = {(float)column / FINE - (float)reach, (float)row / FINE - (float)reach};
            const int far = (int)(fabsf(off.x) + fabsf(off.y));
            const int match = alignment_match(&levels[(row + 2 * FINE) * width + column + 2 * FINE], width) -
                              far * contrast / 50;
            if (match > best) {
                best = match;
                *ret_off = off;
            }
        }
    return best * 5 > contrast * 2 && refine_alignment(view, map, u, v, ret_off);
}

static int contrast_of(const struct view *view, const struct homography *map, int side)
{
    int sum = 0;
    for (int i = 0; i < 3; i++) {
        const float left = i == 1 ? (float)side - 7 : 0, top = i == 2 ? (float)side - 7 : 0;
        const int dark = view_at(view, homography_at(map, left + 3.5f, top + 3.5f));
        sum += (view_at(view, homography_at(map, left + 1.5f, top + 3.5f)) +
                view_at(view, homography_at(map, left + 5.5f, top + 3.5f))) / 2 - dark;
    }
    return sum / 3;
}

static void add_place(struct corrections *corrections, const struct homography *map, float u, float v, struct point off,
                      float weight)
{
    corrections_add(corrections, map, u, v, false, off.x, weight);
    corrections_add(corrections, map, u, v, true, off.y, weight);
}

/* First the one at the bottom right, the furthest from all finders; then, with it, the others. */
static void fit_alignments(const struct view *view, struct fit *fit)
{
    uint8_t at[QR_ALIGNMENTS_MAX];
    const int side = fit->side_modules, count = qr_alignments(side, at);
    const int contrast = contrast_of(view, &fit->map, side);
    struct corrections corrections;
    struct point off;
    fit->has_alignment = count == 0;
    fit->mesh = 0;
    if (count > 0) {
        const float last = (float)at[count - 1] + 0.5f;
        const int reach = side < 30 ? 3 : side < 60 ? 4 : 5;
        fit->has_alignment = find_alignment(view, &fit->map, last, last, reach, contrast, &off);
        if (fit->has_alignment) {
            add_fixed(view, &fit->map, &corrections, side, 0.7f);
            add_timing(view, &fit->map, &corrections, side, 0.6f);
            add_place(&corrections, &fit->map, last, last, off, 20);
            if (!corrections_apply(&corrections, &fit->map))
                fit->has_alignment = false;
        }
    }
    add_fixed(view, &fit->map, &corrections, side, 0.6f);
    add_timing(view, &fit->map, &corrections, side, 0.5f);
    for (int row = 0; row < count; row++)
        for (int column = 0; column < count; column++) {
            const float u = (float)at[column] + 0.5f, v = (float)at[row] + 0.5f;
            if (qr_has_alignment(count, column, row) && (fit->has_alignment || count > 2) &&
                find_alignment(view, &fit->map, u, v, 1, contrast, &off))
                add_place(&corrections, &fit->map, u, v, off, row == count - 1 && column == count - 1 ? 20 : 6);
        }
    (void)corrections_apply(&corrections, &fit->map);
    if (count < 3)
        return;
    fit->mesh = count;
    for (int row = 0; row < count; row++)
        for (int column = 0; column < count; column++) {
            fit->mesh_at[column] = (float)at[column] + 0.5f;
            fit->off[row][column] = (struct point){0, 0};
            if (qr_has_alignment(count, column, row) &&
                find_alignment(view, &fit->map, (float)at[column] + 0.5f, (float)at[row] + 0.5f, 1, contrast, &off))
                fit->off[row][column] = off;
        }
}

/* ---- the whole --------------------------------------------------------------------------------------------------- */

static float module_at_middle(const struct homography *map)
{
    const float middle = map->half_side;
    const struct point left = homography_at(map, middle - 0.5f, middle), right = homography_at(map, middle + 0.5f, middle);
    const struct point above = homography_at(map, middle, middle - 0.5f), below = homography_at(map, middle, middle + 0.5f);
    return (distance(left, right) + distance(above, below)) / 2;
}

bool fit_code(const struct pyramid *pyramid, const struct finder_mark *corner, const struct finder_mark *right,
              const struct finder_mark *below, struct fit *ret_fit)
{
    const struct finder_mark *const marks[3] = {corner, right, below};
    struct corner_fit corners[3];
    const float module = (corner->module_px + right->module_px + below->module_px) / 3;
    struct view view = view_of(pyramid, module, corner->is_light);
    *ret_fit = (struct fit){.is_light = corner->is_light};
    for (int is_blurred = 0; is_blurred < 2 && ret_fit->timing < timing_sure; is_blurred++) {
        struct fit fit = *ret_fit;
        if (measure_corners(&view, marks, is_blurred, corners) && fit_sides(&view, corners, &fit) &&
            fit.timing > ret_fit->timing)
            *ret_fit = fit;
    }
    if (ret_fit->side_modules == 0)
        return false;
    ret_fit->module_px = module_at_middle(&ret_fit->map);
    if (!isfinite(ret_fit->module_px) || ret_fit->module_px < 0.5f || ret_fit->timing < timing_min)
        return false;
    fit_alignments(&view, ret_fit);
    ret_fit->module_px = module_at_middle(&ret_fit->map);
    return true;
}
