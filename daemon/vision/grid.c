/* Samples a code's modules and decides about them. Pure; called by look.c. */
#include "daemon/vision/grid.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { FORMAT_BITS = 15, SATURATED = 245 * IMAGE_STEPS_PER_LEVEL };

void grid_sample(const struct pyramid *pyramid, const struct fit *fit, struct grid *ret_grid)
{
    const int side = fit->side_modules, level = pyramid_level_for(pyramid, fit->module_px, 2.5f);
    const struct image *image = &pyramid->level[level];
    const float scale = 1 / (float)(1 << level);
    int lightest = 0;
    ret_grid->side_modules = side;
    for (int row = 0; row < side; row++)
        for (int column = 0; column < side; column++) {
            const struct point at = fit_at(fit, (float)column + 0.5f, (float)row + 0.5f);
            const int seen = image_at(image, at.x * scale, at.y * scale);
            const int upright = fit->is_light ? 255 * IMAGE_STEPS_PER_LEVEL - seen : seen;
            ret_grid->level[row * side + column] = (int16_t)upright;
            lightest = upright > lightest ? upright : lightest;
        }
    ret_grid->lightest = lightest;
    qr_fixed_modules(side, ret_grid->fixed);
}

/* sums[r][c]: of all levels above row r and left of column c. */
static void sum_up(struct grid *grid)
{
    const int side = grid->side_modules, width = side + 1;
    memset(grid->sums, 0, (size_t)width * sizeof *grid->sums);
    for (int row = 0; row < side; row++) {
        int32_t sum = 0;
        grid->sums[(row + 1) * width] = 0;
        for (int column = 0; column < side; column++) {
            sum += grid->level[row * side + column];
            grid->sums[(row + 1) * width + column + 1] = grid->sums[row * width + column + 1] + sum;
        }
    }
}

static int local_mean(const struct grid *grid, int row, int column, int reach)
{
    const int side = grid->side_modules, width = side + 1;
    const int top = row > reach ? row - reach : 0, bottom = row + reach < side ? row + reach + 1 : side;
    const int left = column > reach ? column - reach : 0, right = column + reach < side ? column + reach + 1 : side;
    const int32_t *sums = grid->sums;
    const int32_t sum = sums[bottom * width + right] - sums[top * width + right] - sums[bottom * width + left] +
                        sums[top * width + left];
    return sum / ((bottom - top) * (right - left));
}

bool grid_has_glare(const struct grid *grid)
{
    return grid->lightest >= SATURATED;
}

/* In a glare light is all of one level, which nothing exceeds, and dark is paler the nearer to its middle, where no local mean
 * can follow: dark is what is below by a part of what the dark modules around are, but more than by noise. -1: no glare here. */
static int limit_in_glare(const struct grid *grid, int row, int column)
{
    enum { REACH = 2, NOISE = 2 * IMAGE_STEPS_PER_LEVEL };
    const int side = grid->side_modules;
    const int top = row > REACH ? row - REACH : 0, bottom = row + REACH < side ? row + REACH : side - 1;
    const int left = column > REACH ? column - REACH : 0, right = column + REACH < side ? column + REACH : side - 1;
    int light = 0, sum = 0, count = 0;
    for (int y = top; y <= bottom; y++)
        for (int x = left; x <= right; x++)
            light = grid->level[y * side + x] > light ? grid->level[y * side + x] : light;
    if (light < SATURATED)
        return -1;
    for (int y = top; y <= bottom; y++)
        for (int x = left; x <= right; x++) {
            const int below = light - grid->level[y * side + x];
            sum += below > NOISE ? below : 0;
            count += below > NOISE;
        }
    const int part = count > 0 ? sum / (3 * count) : 0;
    return light - (part > NOISE ? part : NOISE);
}

void grid_decide(struct grid *grid, const struct grid_rule *rule)
{
    const int side = grid->side_modules, reach = rule->reach_modules > 0 ? rule->reach_modules : side;
    const bool in_glare = rule->sharpen == GRID_IN_GLARE;
    const int sharpen = in_glare ? 0 : rule->sharpen;
    const int16_t *level = grid->level;
    sum_up(grid);
    for (int row = 0; row < side; row++)
        for (int column = 0; column < side; column++) {
            const int i = row * side + column;
            const int left = column > 0 ? level[i - 1] : level[i], right = column + 1 < side ? level[i + 1] : level[i];
            const int above = row > 0 ? level[i - side] : level[i], below = row + 1 < side ? level[i + side] : level[i];
            const int sharp = level[i] + (4 * level[i] - left - right - above - below) * sharpen / 32;
            const int shine = in_glare ? limit_in_glare(grid, row, column) : -1;
            const int limit = shine >= 0 ? shine : local_mean(grid, row, column, reach);
            grid->dark[i] = sharp < limit;
            grid->sure[i] = (uint16_t)abs(sharp - limit);
        }
}

float grid_finder_match(const struct grid *grid)
{
    const int side = grid->side_modules;
    int right = 0, count = 0;
    for (int i = 0; i < 3; i++) {
        const int left = i == 1 ? side - 8 : 0, top = i == 2 ? side - 8 : 0; /* with the light line around it */
        for (int row = top; row < top + 8; row++)
            for (int column = left; column < left + 8; column++, count++)
                right += grid->dark[row * side + column] == grid->fixed[row * side + column];
    }
    return (float)right / (float)count;
}

/* Bit i of one copy of the format; the standard's figure of their places. */
static int format_at(int side, int copy, int i)
{
    const int row = i < 6 ? i : i < 8 ? i + 1 : 8, column = i < 8 ? 8 : i == 8 ? 7 : 14 - i;
    if (copy == 0)
        return row * side + column;
    return i < 8 ? 8 * side + side - 1 - i : (side - 15 + i) * side + 8;
}

int grid_format_distance(const struct grid *grid, int *ret_format)
{
    int least = INT_MAX;
    for (int copy = 0; copy < 2; copy++) {
        uint32_t bits = 0;
        int format = 0;
        for (int i = 0; i < FORMAT_BITS; i++)
            bits |= (uint32_t)grid->dark[format_at(grid->side_modules, copy, i)] << i;
        const int distance = qr_format_distance(bits, &format);
        if (distance < least) {
            least = distance;
            *ret_format = format;
        }
    }
    return least;
}

void grid_set_format(struct grid *grid, int format)
{
    const uint32_t bits = qr_format_bits(format);
    for (int copy = 0; copy < 2; copy++)
        for (int i = 0; i < FORMAT_BITS; i++)
            grid->dark[format_at(grid->side_modules, copy, i)] = bits >> i & 1;
}

uint64_t grid_hash(const struct grid *grid)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (int i = 0; i < grid->side_modules * grid->side_modules; i++)
        hash = (hash ^ grid->dark[i]) * 0x100000001b3u;
    return hash;
}

int grid_picture_side_px(const struct grid *grid, int module_px)
{
    return (grid->side_modules + 2 * GRID_QUIET_MODULES) * module_px;
}

void grid_draw(const struct grid *grid, int module_px, uint8_t *dst)
{
    enum { DARK = 0, LIGHT = 255 };
    const int side = grid->side_modules, width = grid_picture_side_px(grid, module_px);
    const int quiet = GRID_QUIET_MODULES * module_px;
    memset(dst, LIGHT, (size_t)width * (size_t)width);
    for (int row = 0; row < side; row++) {
        uint8_t *line = dst + (ptrdiff_t)(quiet + row * module_px) * width + quiet;
        for (int column = 0; column < side; column++) {
            const int i = row * side + column;
            if (grid->fixed[i] == QR_MODULE_DATA ? grid->dark[i] : grid->fixed[i])
                memset(line + column * module_px, DARK, (size_t)module_px);
        }
        for (int copy = 1; copy < module_px; copy++)
            memcpy(line + (ptrdiff_t)copy * width, line, (size_t)(side * module_px));
    }
}
