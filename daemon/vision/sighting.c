/* Judges what looks like a code. Pure; called by look.c and reader.c. */
#include "daemon/vision/sighting.h"

#include <math.h>
#include <stdlib.h>

enum {
    SATURATED_LEVEL = 245,
    DIM_LEVEL = 70,   /* the light modules of a code in too little light */
    FAINT_LEVELS = 24,     /* contrast that no look needs more than */
    NEAR_ROWS = 5,         /* fewer are met of what only looks like a finder */
    CODE_MODULES = 25      /* of a usual code, where only one finder is seen */
};

static const float finders_min = 0.85f, timing_min = 0.75f;
static const float module_min_px = 2.1f, glare_min = 0.06f, smear_min = 1.6f, moved_min_modules = 1.5f;

static int raw_level(const struct grid *grid, int i, bool is_light)
{
    const int level = grid->level[i] / IMAGE_STEPS_PER_LEVEL;
    return is_light ? 255 - level : level;
}

static bool is_saturated(const struct grid *grid, int row, int column, bool is_light)
{
    for (int y = row - 1; y <= row + 1; y++)
        for (int x = column - 1; x <= column + 1; x++)
            if (raw_level(grid, y * grid->side_modules + x, is_light) < SATURATED_LEVEL)
                return false;
    return true;
}

static float share_saturated(const struct grid *grid, bool is_light)
{
    const int side = grid->side_modules;
    int count = 0;
    for (int row = 1; row < side - 1; row++)
        for (int column = 1; column < side - 1; column++)
            count += is_saturated(grid, row, column, is_light);
    return (float)count / (float)(side * side);
}

/* Differences of neighbours in four directions: a code has about the same in each, unless it was moved along one. */
static float smear_of(const struct grid *grid)
{
    const int side = grid->side_modules, steps[4] = {1, side, side + 1, side - 1};
    float least = 0, most = 0;
    for (int i = 0; i < 4; i++) {
        float sum = 0;
        for (int row = 0; row < side - 1; row++)
            for (int column = 1; column < side - 1; column++) {
                const int at = row * side + column;
                sum += (float)abs(grid->level[at] - grid->level[at + steps[i]]);
            }
        least = i == 0 || sum < least ? sum : least;
        most = i == 0 || sum > most ? sum : most;
    }
    return least > 0 ? most / least : 1;
}

static void measure(struct sighting *sighting, const struct grid *grid)
{
    int64_t sum[2] = {0}, count[2] = {0};
    for (int i = 0; i < grid->side_modules * grid->side_modules; i++) {
        sum[grid->dark[i]] += raw_level(grid, i, false);
        count[grid->dark[i]]++;
    }
    sighting->dark = count[1] > 0 ? (int)(sum[1] / count[1]) : 0;
    sighting->light = count[0] > 0 ? (int)(sum[0] / count[0]) : 0;
    if (sighting->fit.is_light) {
        const int dark = 255 - sighting->light;
        sighting->light = 255 - sighting->dark;
        sighting->dark = dark;
    }
    sighting->saturated = share_saturated(grid, sighting->fit.is_light);
    sighting->smear = smear_of(grid);
}

void sighting_offer(struct sighting *sighting, const struct fit *fit, const struct grid *grid, float finders)
{
    if (finders + fit->timing <= sighting->match)
        return;
    sighting->match = finders + fit->timing;
    sighting->has_code = finders >= finders_min && fit->timing >= timing_min;
    sighting->fit = *fit;
    measure(sighting, grid);
}

static void clip(float least, float most, float *value)
{
    *value = *value > least ? *value : least; /* not a number: least */
    *value = *value < most ? *value : most;
}

static void corners_of(const struct fit *fit, struct point ret[4])
{
    const float side = (float)fit->side_modules;
    ret[0] = fit_at(fit, 0, 0);
    ret[1] = fit_at(fit, 0, side);
    ret[2] = fit_at(fit, side, side);
    ret[3] = fit_at(fit, side, 0);
}

void sighting_region(const struct sighting *sighting, int width_px, int height_px, float *ret_left, float *ret_top,
                     float *ret_right, float *ret_bottom)
{
    *ret_left = (float)width_px / 4;
    *ret_top = (float)height_px / 4;
    *ret_right = (float)width_px * 3 / 4;
    *ret_bottom = (float)height_px * 3 / 4;
    if (sighting->fit.side_modules > 0) {
        struct point corners[4];
        corners_of(&sighting->fit, corners);
        *ret_left = fminf(fminf(corners[0].x, corners[1].x), fminf(corners[2].x, corners[3].x));
        *ret_right = fmaxf(fmaxf(corners[0].x, corners[1].x), fmaxf(corners[2].x, corners[3].x));
        *ret_top = fminf(fminf(corners[0].y, corners[1].y), fminf(corners[2].y, corners[3].y));
        *ret_bottom = fmaxf(fmaxf(corners[0].y, corners[1].y), fmaxf(corners[2].y, corners[3].y));
        const float margin = 8 * sighting->fit.module_px;
        *ret_left -= margin;
        *ret_right += margin;
        *ret_top -= margin;
        *ret_bottom += margin;
    } else if (sighting->marks > 0) {
        const float reach = 2 * CODE_MODULES * sighting->mark.module_px;
        *ret_left = sighting->mark.x - reach;
        *ret_right = sighting->mark.x + reach;
        *ret_top = sighting->mark.y - reach;
        *ret_bottom = sighting->mark.y + reach;
    }
    clip(0, (float)width_px, ret_left);
    clip(*ret_left, (float)width_px, ret_right);
    clip(0, (float)height_px, ret_top);
    clip(*ret_top, (float)height_px, ret_bottom);
}

/* A code of which a corner is outside; or a finder so large that no code around it fits in. */
static bool is_too_near(const struct sighting *sighting, int width_px, int height_px)
{
    const float side = (float)(width_px < height_px ? width_px : height_px);
    if (!sighting->has_code)
        return sighting->mark_is_sure && sighting->mark.rows >= NEAR_ROWS &&
               sighting->mark.module_px * CODE_MODULES > side;
    struct point corners[4];
    corners_of(&sighting->fit, corners);
    const float margin = sighting->fit.module_px;
    for (int i = 0; i < 4; i++)
        if (corners[i].x < -margin || corners[i].y < -margin || corners[i].x > (float)width_px + margin ||
            corners[i].y > (float)height_px + margin)
            return true;
    return false;
}

enum reader_hint sighting_hint(const struct sighting *sighting, int width_px, int height_px, float moved_px)
{
    if (is_too_near(sighting, width_px, height_px))
        return READER_HINT_TOO_NEAR;
    if (!sighting->has_code)
        return READER_HINT_NONE;
    const struct fit *fit = &sighting->fit;
    if (sighting->saturated > glare_min)
        return READER_HINT_GLARE;
    if (moved_px > moved_min_modules * fit->module_px)
        return READER_HINT_MOVING;
    if (sighting->light < DIM_LEVEL && sighting->light - sighting->dark < 2 * FAINT_LEVELS)
        return READER_HINT_TOO_DARK;
    if (fit->module_px < module_min_px)
        return READER_HINT_TOO_FAR;
    if (sighting->smear > smear_min)
        return READER_HINT_MOVING;
    return READER_HINT_UNREADABLE;
}
