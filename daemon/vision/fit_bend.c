/* Codes on surfaces that aren't flat. Pure; called by look.c and grid.c. */
#include "daemon/vision/fit.h"

#include <math.h>

enum { PART_MODULES = 5, PART_REACH_MAX = 3, WIDEST = 2 * PART_REACH_MAX + 1 };

static float clamp(float value, float least, float most)
{
    return value < least ? least : value > most ? most : value;
}

/* Between the four nearest points of the mesh; beyond the outermost: as there. */
static struct point mesh_off(const struct fit *fit, float u, float v)
{
    const float *at = fit->mesh_at;
    int column = 0, row = 0;
    while (column + 2 < fit->mesh && u > at[column + 1])
        column++;
    while (row + 2 < fit->mesh && v > at[row + 1])
        row++;
    const float x = clamp((u - at[column]) / (at[column + 1] - at[column]), 0, 1);
    const float y = clamp((v - at[row]) / (at[row + 1] - at[row]), 0, 1);
    const struct point *above = &fit->off[row][column], *below = &fit->off[row + 1][column];
    return (struct point){(above[0].x * (1 - x) + above[1].x * x) * (1 - y) + (below[0].x * (1 - x) + below[1].x * x) * y,
                          (above[0].y * (1 - x) + above[1].y * x) * (1 - y) + (below[0].y * (1 - x) + below[1].y * x) * y};
}

struct point fit_at(const struct fit *fit, float u, float v)
{
    if (fit->mesh < 2)
        return homography_at(&fit->map, u, v);
    const struct point off = mesh_off(fit, u, v);
    return homography_at(&fit->map, u + off.x, v + off.y);
}

/* ---- bending ----------------------------------------------------------------------------------------------------- */

struct bend {
    const struct image *image;
    float scale;
    const struct fit *fit;
    int left, top, width, height; /* the modules of the part at hand */
    uint8_t fixed[WIDEST * WIDEST];
};

static int level_at(const struct bend *bend, float u, float v)
{
    const struct point at = homography_at(&bend->fit->map, u, v);
    const int level = image_at(bend->image, at.x * bend->scale, at.y * bend->scale);
    return bend->fit->is_light ? 255 * IMAGE_STEPS_PER_LEVEL - level : level;
}

/* What is always dark or light is worth more than what may be either, but is one of them. */
static int stand_out(const struct bend *bend, struct point off)
{
    int levels[WIDEST * WIDEST], sum = 0, score = 0;
    const int count = bend->width * bend->height;
    for (int i = 0; i < count; i++) {
        levels[i] = level_at(bend, (float)(bend->left + i % bend->width) + 0.5f + off.x,
                             (float)(bend->top + i / bend->width) + 0.5f + off.y);
        sum += levels[i];
    }
    const int mean = sum / count;
    for (int i = 0; i < count; i++) {
        const int lighter = levels[i] - mean;
        if (bend->fixed[i] == QR_MODULE_DATA)
            score += lighter > 0 ? lighter : -lighter;
        else
            score += bend->fixed[i] == QR_MODULE_LIGHT ? 2 * lighter : -2 * lighter;
    }
    return score;
}

static struct point best_near(const struct bend *bend, struct point start)
{
    struct point best = start;
    float best_score = (float)stand_out(bend, start);
    for (float step = 0.3f; step > 0.1f; step /= 2) {
        const struct point middle = best;
        const int reach = step > 0.2f ? 2 : 1;
        for (int y = -reach; y <= reach; y++)
            for (int x = -reach; x <= reach; x++) {
                const struct point off = {middle.x + step * (float)x, middle.y + step * (float)y};
                const float dx = off.x - start.x, dy = off.y - start.y;
                if (x == 0 && y == 0)
                    continue;
                const float score = (float)stand_out(bend, off) * (1 - 0.15f * (dx * dx + dy * dy)); /* rather the nearest */
                if (score > best_score) {
                    best_score = score;
                    best = off;
                }
            }
    }
    return best;
}

/* The modules around a point of the mesh, a few more than a part has: parts overlap. */
static void take_part(struct bend *bend, const uint8_t *fixed, float u, float v)
{
    const int side = bend->fit->side_modules, column = (int)u, row = (int)v;
    bend->left = column > PART_REACH_MAX ? column - PART_REACH_MAX : 0;
    bend->top = row > PART_REACH_MAX ? row - PART_REACH_MAX : 0;
    bend->width = (column + PART_REACH_MAX < side ? column + PART_REACH_MAX + 1 : side) - bend->left;
    bend->height = (row + PART_REACH_MAX < side ? row + PART_REACH_MAX + 1 : side) - bend->top;
    for (int i = 0; i < bend->width * bend->height; i++)
        bend->fixed[i] = fixed[(bend->top + i / bend->width) * side + bend->left + i % bend->width];
}

/* What the parts around it, as far as they are done, say. */
static struct point guess(const struct fit *bent, bool done[FIT_MESH_MAX][FIT_MESH_MAX], int row, int column)
{
    struct point sum = {0, 0};
    float count = 0;
    for (int y = row > 0 ? row - 1 : 0; y <= row + 1 && y < bent->mesh; y++)
        for (int x = column > 0 ? column - 1 : 0; x <= column + 1 && x < bent->mesh; x++)
            if (done[y][x]) {
                sum.x += bent->off[y][x].x;
                sum.y += bent->off[y][x].y;
                count++;
            }
    return count > 0 ? (struct point){sum.x / count, sum.y / count} : sum;
}

/* The part not done that is nearest to a corner with a finder. */
static bool next_part(const struct fit *bent, bool done[FIT_MESH_MAX][FIT_MESH_MAX], int *ret_row, int *ret_column)
{
    int nearest = 2 * FIT_MESH_MAX;
    const int last = bent->mesh - 1;
    for (int row = 0; row <= last; row++)
        for (int column = 0; column <= last; column++) {
            const int left = row + column, right = row + last - column, below = last - row + column;
            const int away = left < right ? (left < below ? left : below) : right < below ? right : below;
            if (!done[row][column] && away < nearest) {
                nearest = away;
                *ret_row = row;
                *ret_column = column;
            }
        }
    return nearest < 2 * FIT_MESH_MAX;
}

void fit_bend(const struct pyramid *pyramid, const uint8_t *fixed, struct fit *fit)
{
    const int side = fit->side_modules, level = pyramid_level_for(pyramid, fit->module_px, 2.5f);
    const int parts = side / PART_MODULES < FIT_MESH_MAX ? side / PART_MODULES : FIT_MESH_MAX;
    bool done[FIT_MESH_MAX][FIT_MESH_MAX] = {{false}};
    struct fit bent = *fit;
    struct bend bend = {.image = &pyramid->level[level], .scale = 1 / (float)(1 << level), .fit = fit};
    bent.mesh = parts;
    for (int i = 0; i < parts; i++)
        bent.mesh_at[i] = ((float)i + 0.5f) * (float)side / (float)parts;
    for (int row = 0, column = 0; next_part(&bent, done, &row, &column);) {
        const float u = bent.mesh_at[column], v = bent.mesh_at[row];
        const struct point known = fit->mesh > 0 ? mesh_off(fit, u, v) : (struct point){0, 0};
        const struct point near = guess(&bent, done, row, column);
        take_part(&bend, fixed, u, v);
        const struct point one = best_near(&bend, near), other = best_near(&bend, known);
        bent.off[row][column] = stand_out(&bend, one) >= stand_out(&bend, other) ? one : other;
        done[row][column] = true;
    }
    *fit = bent;
}
