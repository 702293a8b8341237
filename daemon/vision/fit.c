/* Fits a code's grid to a picture. Pure; called by look.c. */
#include "daemon/vision/fit_parts.h"

enum { SIDES_TRIED_MAX = 4, EDGES_MIN = 70 /* of 132 */ };

static const float timing_min = 0.6f, timing_sure = 0.8f; /* by chance a half is right */

static struct fit_view view_of(const struct pyramid *pyramid, float module_px, bool is_light)
{
    const int level = pyramid_level_for(pyramid, module_px, 2.5f);
    return (struct fit_view){&pyramid->level[level], 1 / (float)(1 << level), is_light};
}

/* ---- size -------------------------------------------------------------------------------------------------------- */

/* Each timing module against its two neighbours. */
static float timing_match(const struct fit_view *view, const struct homography *map, int side)
{
    int right = 0, count = 0;
    for (int line = 0; line < 2; line++) {
        int levels[3] = {0};
        for (int i = 7; i <= side - 8; i++) {
            const float at = (float)i + 0.5f;
            levels[0] = levels[1];
            levels[1] = levels[2];
            levels[2] = fit_view_at(view, line == 0 ? homography_at(map, at, 6.5f) : homography_at(map, 6.5f, at));
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

static void fit_side(const struct fit_view *view, const struct fit_corner corners[3], int side, struct fit *fit)
{
    struct corrections corrections;
    const float right = sqrtf(corners[0].module_px[0] / corners[1].module_px[0]);
    const float below = sqrtf(corners[0].module_px[1] / corners[2].module_px[1]);
    fit->side_modules = side;
    fit->map = homography_begin(side, corners[0].at, corners[1].at, corners[2].at, clamp(right, 0.6f, 1.6f),
                                clamp(below, 0.6f, 1.6f));
    fit_add_fixed(view, &fit->map, &corrections, side, 0.9f);
    fit->timing = 0;
    if (corrections.count < EDGES_MIN) /* these are no finders */
        return;
    (void)corrections_apply(&corrections, &fit->map); /* the first guess may do */
    fit_add_fixed(view, &fit->map, &corrections, side, 0.7f);
    fit_add_timing(view, &fit->map, &corrections, side, 0.6f);
    (void)corrections_apply(&corrections, &fit->map);
    fit->timing = timing_match(view, &fit->map, side);
}

static int side_of(int step)
{
    return QR_SIDE_MIN + QR_SIDE_STEP * step;
}

/* The side that the distances say, and its neighbours, further away the larger it is: the one whose timing patterns fit. */
static bool fit_sides(const struct fit_view *view, const struct fit_corner corners[3], struct fit *ret_fit)
{
    const float across = fit_distance(corners[0].at, corners[1].at) / sqrtf(corners[0].module_px[0] * corners[1].module_px[0]);
    const float down = fit_distance(corners[0].at, corners[2].at) / sqrtf(corners[0].module_px[1] * corners[2].module_px[1]);
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

/* ---- the whole --------------------------------------------------------------------------------------------------- */

static float module_at_middle(const struct homography *map)
{
    const float middle = map->half_side;
    const struct point left = homography_at(map, middle - 0.5f, middle), right = homography_at(map, middle + 0.5f, middle);
    const struct point above = homography_at(map, middle, middle - 0.5f), below = homography_at(map, middle, middle + 0.5f);
    return (fit_distance(left, right) + fit_distance(above, below)) / 2;
}

bool fit_code(const struct pyramid *pyramid, const struct finder_mark *corner, const struct finder_mark *right,
              const struct finder_mark *below, bool hastily, struct fit *ret_fit)
{
    const struct finder_mark *const marks[3] = {corner, right, below};
    struct fit_corner corners[3];
    const float module = (corner->module_px + right->module_px + below->module_px) / 3;
    struct fit_view view = view_of(pyramid, module, corner->is_light);
    *ret_fit = (struct fit){.is_light = corner->is_light};
    for (int is_blurred = 0; is_blurred < (hastily ? 1 : 2) && ret_fit->timing < timing_sure; is_blurred++) {
        struct fit fit = *ret_fit;
        if (fit_measure_corners(&view, marks, is_blurred, corners) && fit_sides(&view, corners, &fit) &&
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
