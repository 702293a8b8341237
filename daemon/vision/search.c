/* The search for finder patterns: rows are searched by their edges, columns and rows confirm. Pure; called by look.c. */
#include "daemon/vision/search.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "edges are found in words whose first byte is the lowest");

enum { WORD = 8, MARGIN = 8, RUNS = 5, SIDE_MIN_PX = 6, SIDE_MAX_PX = 1023, FINE_SIDE_MIN_PX = 7, COARSE_SIDE_MIN_PX = 10,
       CHECK_COST_PX = 3 /* of a run that is about square, as work */ };

/* Modules of 1.5 px are only in the picture itself; what is small at a coarser level is met at a finer one. */
static const float FINE_SLACK_PX = 0.45f, COARSE_SLACK_PX = 0.25f;
static const float LOOSE = 0.6f, SHEAR_MAX = 2.6f;

#define ALL_REFUSED UINT64_C(0x0101010101010101)

/* What belongs together while one level is searched. */
struct line_search {
    struct search *search;
    const struct image *image;
    const struct threshold *threshold;
    const struct search_settings *settings;
    float scale; /* pixels of the picture per pixel here */
    float slack_px;
};

static size_t padded(int width_px)
{
    return ((size_t)width_px + 2 * MARGIN + 2 * WORD) / WORD * WORD;
}

size_t search_scratch_bytes(int width_max_px)
{
    return 3 * padded(width_max_px) + (padded(width_max_px) + WORD) * sizeof(uint16_t);
}

void search_begin(struct search *search, void *scratch, int width_max_px, int pixels)
{
    search->count = 0;
    search->pixels_left = pixels;
    search->dark = scratch;
    search->levels = search->dark + padded(width_max_px);
    search->refused = search->levels + padded(width_max_px);
    search->edges = (uint16_t *)(void *)(search->refused + padded(width_max_px)); /* a multiple of a word */
}

/* ---- one row's edges --------------------------------------------------------------------------------------------- */

/* Four pixels at a time: the levels' memory is aligned for that (search_begin). */
static void spread_levels(const struct threshold *threshold, int block_row, int bias, uint32_t *restrict levels)
{
    const uint8_t *restrict mean = threshold->mean + (ptrdiff_t)block_row * threshold->columns;
    for (int i = 0; i < threshold->columns; i++)
        levels[i] = (uint32_t)(mean[i] > bias ? mean[i] - bias : 0) * 0x01010101u;
}

static void mark_dark(const uint8_t *restrict row, const uint8_t *restrict levels, uint8_t *restrict dark, int width_px)
{
    for (int x = 0; x < width_px; x++)
        dark[x] = row[x] < levels[x];
}

/* Where dark begins and ends, in turn: the even ones begin dark runs. What is beyond the ends counts as light. */
static int list_edges(const uint8_t *dark, int width_px, uint16_t *edges)
{
    int count = 0;
    for (int x = 0; x < width_px; x += WORD) {
        uint64_t here, before;
        memcpy(&here, dark + x, WORD);
        memcpy(&before, dark + x - 1, WORD);
        for (uint64_t turns = here ^ before; turns != 0; turns &= turns - 1)
            edges[count++] = (uint16_t)(x + (__builtin_ctzll(turns) >> 3));
    }
    return count;
}

static float part(int before, int after, int level)
{
    if (before == after)
        return 0.5f;
    const float part = (float)(level - before) / (float)(after - before);
    return part < 0 ? 0 : part > 1 ? 1 : part;
}

/* ---- one mark ---------------------------------------------------------------------------------------------------- */

/* `slack_px`: by how much an edge of a small square may be off besides. */
static bool has_ratio(const float edges[RUNS + 1], float tolerance, float slack_px, float *ret_module)
{
    const float total = edges[RUNS] - edges[0];
    if (!(total >= SIDE_MIN_PX))
        return false;
    const float module = total / 7, off = module * tolerance + slack_px;
    if (fabsf(edges[3] - edges[2] - 3 * module) > 2 * off)
        return false;
    for (int i = 0; i < RUNS; i++)
        if (i != 2 && fabsf(edges[i + 1] - edges[i] - module) > off)
            return false;
    *ret_module = module;
    return true;
}

static int level_at(const struct line_search *line, int x, int y)
{
    return threshold_at(line->threshold, x, y) - line->settings->bias;
}

static int luma_at(const struct line_search *line, int x, int y)
{
    return line->image->luma[y * line->image->stride_bytes + x];
}

/* One half of a line through a mark: the three edges from its centre outwards, none of them further from the one before than
 * `limit`. The border closes the outermost ring. */
static bool half_line(struct line_search *line, int x, int y, int dx, int dy, int limit, bool is_light, float ret_edges[3])
{
    const struct image *image = line->image;
    const uint8_t *at = image->luma + y * image->stride_bytes + x;
    const ptrdiff_t step = dy * image->stride_bytes + dx;
    const int across = dx == 0 ? INT_MAX : dx > 0 ? image->width_px - 1 - x : x;
    const int down = dy == 0 ? INT_MAX : dy > 0 ? image->height_px - 1 - y : y;
    const int to_border = across < down ? across : down;
    bool dark = !is_light;
    int found = 0, i = 1;
    for (int end = limit; i <= end && i <= to_border; i++) {
        at += step;
        const int level = level_at(line, x + i * dx, y + i * dy);
        if ((*at < level) == dark)
            continue;
        const int middle = (level + level_at(line, x + (i - 1) * dx, y + (i - 1) * dy)) / 2;
        ret_edges[found++] = (float)(i - 1) + part(at[-step], *at, middle);
        if (found == 3)
            break;
        dark = !dark;
        end = i + limit;
    }
    line->search->pixels_left -= i;
    if (found == 2 && i > to_border)
        ret_edges[found++] = (float)i - 0.5f;
    return found == 3;
}

struct way {
    int x, y; /* of one step */
};

/* A line through an assumed centre. *ret_off: by how many steps the true centre is further on. */
static bool crosses(struct line_search *line, float x, float y, struct way way, float module, bool is_light,
                    float tolerance, float *ret_off, float *ret_module)
{
    const int column = (int)x, row = (int)y, limit = (int)(module * 3) + 3;
    if (column < 0 || row < 0 || column >= line->image->width_px || row >= line->image->height_px ||
        line->search->pixels_left < 0 || (luma_at(line, column, row) < level_at(line, column, row)) == is_light)
        return false;
    float before[3], after[3];
    if (!half_line(line, column, row, -way.x, -way.y, limit, is_light, before) ||
        !half_line(line, column, row, way.x, way.y, limit, is_light, after))
        return false;
    const float edges[RUNS + 1] = {-before[2], -before[1], -before[0], after[0], after[1], after[2]};
    const float middle = (way.y != 0 ? (float)row : (float)column) + 0.5f + (after[0] - before[0]) / 2;
    *ret_off = middle - (way.y != 0 ? y : x);
    return has_ratio(edges, tolerance, line->slack_px, ret_module);
}

/* What noise or a texture shows along its row and column by chance it seldom shows along a diagonal too. Roughly: a step is 1.4
 * pixels long, and a square that stands on its corner is small that way. */
static bool has_diagonal(struct line_search *line, float x, float y, float module, bool is_light)
{
    const float tolerance = line->settings->tolerance + 0.2f;
    float off, steps;
    return crosses(line, x, y, (struct way){1, 1}, module, is_light, tolerance, &off, &steps) ||
           crosses(line, x, y, (struct way){-1, 1}, module, is_light, tolerance, &off, &steps);
}

/* The centre against the light ring around it. */
static bool has_contrast(const struct line_search *line, float x, float y, float wide, float high, bool is_light)
{
    const struct image *image = line->image;
    const int places[4][2] = {{1, 0}, {-1, 0}, {0, 1}, {0, -1}};
    int sum = 0, count = 0;
    for (int i = 0; i < 4; i++) {
        const int at_x = (int)(x + 2 * wide * (float)places[i][0]), at_y = (int)(y + 2 * high * (float)places[i][1]);
        if (at_x < 0 || at_y < 0 || at_x >= image->width_px || at_y >= image->height_px)
            continue;
        sum += luma_at(line, at_x, at_y);
        count++;
    }
    if (count == 0 || x < 0 || y < 0 || x >= (float)image->width_px || y >= (float)image->height_px)
        return false;
    const int difference = sum / count - luma_at(line, (int)x, (int)y);
    return (is_light ? -difference : difference) >= line->settings->contrast_min;
}

/* The same square met again, in another row or at another level? */
static bool is_known(struct search *search, float x, float y, float module_px, bool is_light)
{
    for (int i = search->count - 1; i >= 0; i--) {
        struct finder_mark *mark = &search->marks[i];
        if (fabsf(mark->x - x) < 1.5f * module_px && fabsf(mark->y - y) < 1.5f * module_px &&
            mark->is_light == is_light && mark->module_px < 2 * module_px && module_px < 2 * mark->module_px) {
            mark->rows++;
            return true;
        }
    }
    return false;
}

static void confirm(struct line_search *line, float x, float y, float module, bool is_light)
{
    struct search *search = line->search;
    const float scale = line->scale, tolerance = line->settings->tolerance;
    search->pixels_left -= search->count / 2; /* to be compared with */
    if (is_known(search, x * scale, y * scale, module * scale, is_light) || search->count == SEARCH_MARKS_MAX)
        return;
    float off, high, wide;
    for (int round = 0; round < 2; round++) {
        /* A row seldom goes through the very centre, and aslant the column through its middle misses it too. */
        const float loose = tolerance + (round == 0 ? LOOSE : 0);
        if (!crosses(line, x, y, (struct way){0, 1}, module, is_light, loose, &off, &high) ||
            high > SHEAR_MAX * module || module > SHEAR_MAX * high)
            return;
        y += off;
        if (!crosses(line, x, y, (struct way){1, 0}, module, is_light, loose, &off, &wide))
            return;
        x += off;
    }
    if (is_known(search, x * scale, y * scale, (wide + high) / 2 * scale, is_light) ||
        !has_contrast(line, x, y, wide, high, is_light) ||
        !has_diagonal(line, x, y, (wide + high) / 2, is_light))
        return;
    search->marks[search->count++] = (struct finder_mark){
        .x = x * scale, .y = y * scale, .module_px = (wide + high) / 2 * scale, .rows = 1, .is_light = is_light};
}

/* ---- a level ----------------------------------------------------------------------------------------------------- */

/* By the pixels in the middle of its five runs. */
static bool has_levels(const uint8_t *row, const uint16_t *edges, bool is_light, const struct search_settings *settings)
{
    int levels[RUNS];
    for (int i = 0; i < RUNS; i++)
        levels[i] = is_light ? -row[(edges[i] + edges[i + 1]) / 2] : row[(edges[i] + edges[i + 1]) / 2];
    const int contrast = (levels[1] + levels[3]) / 2 - levels[2];
    if (contrast < settings->contrast_min)
        return false;
    return !settings->is_even ||
           (4 * abs(levels[1] - levels[3]) <= 3 * contrast && 4 * abs(levels[0] - levels[4]) <= 3 * contrast);
}

static void check_run(struct line_search *line, const uint8_t *row, int y, int i)
{
    const uint16_t *edges = line->search->edges + i;
    line->search->pixels_left -= CHECK_COST_PX;
    if (line->search->pixels_left < 0 || !has_levels(row, edges, (i & 1) != 0, line->settings))
        return;
    const uint8_t *levels = line->search->levels;
    float exact[RUNS + 1], module;
    for (int k = 0; k <= RUNS; k++) {
        const int at = edges[k];
        exact[k] = at == 0 || at >= line->image->width_px
                       ? (float)at
                       : (float)at - 0.5f + part(row[at - 1], row[at], (levels[at - 1] + levels[at]) / 2);
    }
    if (has_ratio(exact, line->settings->tolerance, line->slack_px, &module))
        confirm(line, (exact[2] + exact[3]) / 2, (float)y + 0.5f, module, (i & 1) != 0);
}

/* Negative where x is beyond +-limit. */
static inline int16_t within(int16_t x, int16_t limit)
{
    return (int16_t)((limit - x) | (limit + x));
}

/* At which edges no five runs begin that may be a square's: 1. In whole pixels first, which refuses nearly everything: an edge
 * may be off by one. In 28ths of a pixel, a module being a seventh of the whole; tolerance: sixteenths of a module. In numbers
 * of 16 bits and without a branch, so that a processor does eight at a time; a square of over SIDE_MAX_PX is met at a coarser
 * level. */
static void refuse_runs(const uint16_t *restrict edges, int count, int side_min_px, int tolerance, uint8_t *restrict refused)
{
    const int16_t least = (int16_t)side_min_px, sixteenths = (int16_t)tolerance;
    for (int i = 0; i < count; i++) {
        const int16_t a = (int16_t)(edges[i + 1] - edges[i]), b = (int16_t)(edges[i + 2] - edges[i + 1]);
        const int16_t middle = (int16_t)(edges[i + 3] - edges[i + 2]), total = (int16_t)(edges[i + 5] - edges[i]);
        const int16_t c = (int16_t)(edges[i + 4] - edges[i + 3]), d = (int16_t)(edges[i + 5] - edges[i + 4]);
        const int16_t module = (int16_t)(4 * total);
        const int16_t off = (int16_t)((int16_t)((int16_t)(total * sixteenths) >> 2) + 28);
        const int16_t rings = (int16_t)(within((int16_t)(28 * a - module), off) | within((int16_t)(28 * b - module), off) |
                                        within((int16_t)(28 * c - module), off) | within((int16_t)(28 * d - module), off));
        const int16_t centre = within((int16_t)(28 * middle - 3 * module), (int16_t)(2 * off - 28));
        const int16_t sizes = (int16_t)((middle - b) | (middle - c) | (total - least) | (SIDE_MAX_PX - total));
        refused[i] = (uint16_t)(rings | centre | sizes) >> 15; /* one of them is negative */
    }
}

static void search_row(struct line_search *line, int y)
{
    const int total_min = line->scale > 1 ? COARSE_SIDE_MIN_PX : FINE_SIDE_MIN_PX;
    const int tolerance = (int)(line->settings->tolerance * 16) + 2;
    struct search *search = line->search;
    const struct image *image = line->image;
    const uint8_t *row = image->luma + y * image->stride_bytes;
    uint8_t *dark = search->dark + MARGIN;
    mark_dark(row, search->levels, dark, image->width_px);
    const uint8_t light[WORD] = {0};
    memcpy(dark + image->width_px, light, WORD);
    dark[-1] = 0;
    const int count = list_edges(dark, image->width_px + 1, search->edges) - RUNS; /* with the edge at the row's end */
    if (count <= 0)
        return;
    refuse_runs(search->edges, count, total_min, tolerance, search->refused);
    memset(search->refused + count, 1, WORD);
    for (int i = 0; i < count; i += WORD) {
        uint64_t left;
        memcpy(&left, search->refused + i, WORD);
        for (left ^= ALL_REFUSED; left != 0; left &= left - 1)
            check_run(line, row, y, i + (__builtin_ctzll(left) >> 3));
    }
}

void search_level(struct search *search, const struct pyramid *pyramid, int level, const struct threshold *threshold,
                  const struct search_settings *settings)
{
    struct line_search line = {search, &pyramid->level[level], threshold, settings, (float)(1 << level),
                               level == 0 ? FINE_SLACK_PX : COARSE_SLACK_PX};
    int spread = -1;
    for (int y = settings->row_step / 2; y < line.image->height_px && search->pixels_left >= 0; y += settings->row_step) {
        if (y / THRESHOLD_BLOCK_PX != spread) {
            spread = y / THRESHOLD_BLOCK_PX;
            spread_levels(threshold, spread, settings->bias, (uint32_t *)(void *)search->levels);
        }
        search_row(&line, y);
    }
}

/* By hand: the library's may allocate. */
void search_sort(struct search *search)
{
    for (int i = 1; i < search->count; i++) {
        const struct finder_mark mark = search->marks[i];
        int at = i;
        for (; at > 0 && (float)search->marks[at - 1].rows * search->marks[at - 1].module_px <
                             (float)mark.rows * mark.module_px; at--)
            search->marks[at] = search->marks[at - 1];
        search->marks[at] = mark;
    }
}
