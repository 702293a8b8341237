/* The alignment patterns: perspective by the furthest, bulges by all. Pure; called by fit.c. */
#include "daemon/vision/fit_parts.h"

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
static bool refine_alignment(const struct fit_view *view, const struct homography *map, float u, float v, struct point *off)
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
        if (!fit_find_edge(view, map, u + off->x + (is_row ? along : at), v + off->y + (is_row ? at : along), is_row, falls,
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
static bool find_alignment(const struct fit_view *view, const struct homography *map, float u, float v, int reach, int contrast,
                           struct point *ret_off)
{
    int levels[WINDOW_MAX * WINDOW_MAX];
    const int width = (2 * reach + 4) * FINE + 1, steps = 2 * reach * FINE + 1;
    for (int row = 0; row < width; row++)
        for (int column = 0; column < width; column++) {
            const float du = (float)column / FINE - (float)reach - 2, dv = (float)row / FINE - (float)reach - 2;
            levels[row * width + column] = fit_view_at(view, homography_at(map, u + du, v + dv));
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

static int contrast_of(const struct fit_view *view, const struct homography *map, int side)
{
    int sum = 0;
    for (int i = 0; i < 3; i++) {
        const float left = i == 1 ? (float)side - 7 : 0, top = i == 2 ? (float)side - 7 : 0;
        const int dark = fit_view_at(view, homography_at(map, left + 3.5f, top + 3.5f));
        sum += (fit_view_at(view, homography_at(map, left + 1.5f, top + 3.5f)) +
                fit_view_at(view, homography_at(map, left + 5.5f, top + 3.5f))) / 2 - dark;
    }
    return sum / 3;
}

static void add_place(struct corrections *corrections, const struct homography *map, float u, float v, struct point off,
                      float weight)
{
    corrections_add(corrections, map, u, v, false, off.x, weight);
    corrections_add(corrections, map, u, v, true, off.y, weight);
}

void fit_alignments(const struct fit_view *view, struct fit *fit)
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
            fit_add_fixed(view, &fit->map, &corrections, side, 0.7f);
            fit_add_timing(view, &fit->map, &corrections, side, 0.6f);
            add_place(&corrections, &fit->map, last, last, off, 20);
            if (!corrections_apply(&corrections, &fit->map))
                fit->has_alignment = false;
        }
    }
    fit_add_fixed(view, &fit->map, &corrections, side, 0.6f);
    fit_add_timing(view, &fit->map, &corrections, side, 0.5f);
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
