/* Looks for finder squares: along any line through its centre such a square is dark, light, dark, light, dark at 1:1:3:1:1.
 * Rows are searched, columns confirm, and three squares of one size in the corners of a square make a code. */
#include "daemon/vision/finder.h"

#include <stddef.h>
#include <stdlib.h>

enum {
    PART = 16,            /* positions are in sixteenths of a pixel: a module may be two pixels only */
    ROWS_WANTED = 240,    /* every 3rd row at 720p */
    ROW_STEP_MIN = 2,
    SQUARE_MIN_PX = 9,    /* of seven modules: below, no camera shows more than noise */
    SQUARE_OF_HEIGHT = 2, /* a square is at most half as high as the picture */
    CHECK_PX_MAX = 120000, /* of all confirming, whatever the picture shows */
    SQUARES_MAX = 48,
    EDGES = 6             /* around five runs */
};

/* How much the levels have to turn round before it counts. The fine one sees through blur, the coarse one through noise:
 * rows take turns. Both chosen on photographs. */
static const int turns[] = {16, 40};

/* ---- edges along a line of pixels -------------------------------------------------------------------------------- */

/* Finds the peaks and valleys of the levels, and the edges half-way between them: unlike a threshold this needs no guess
 * about light and shade, and blur moves such edges little. */
struct walk {
    const uint8_t *first;
    ptrdiff_t step; /* bytes from one pixel to the next */
    int length, turn;
    int at;
    int extreme, extreme_at;   /* since the last turn */
    int previous, previous_at; /* the extreme before, where the next edge begins */
    bool rises;
};

/* Up to where the levels have first moved by a turn. */
static void walk_begin(struct walk *walk, const uint8_t *first, ptrdiff_t step, int length, int turn)
{
    int low = first[0], low_at = 0, high = low, high_at = 0, x = 1;
    *walk = (struct walk){.first = first, .step = step, .length = length, .turn = turn};
    for (; x < length && high - low < turn; x++) {
        const int level = first[x * step];
        if (level <= low) {
            low = level;
            low_at = x;
        } else if (level >= high) {
            high = level;
            high_at = x;
        }
    }
    walk->rises = high_at > low_at;
    walk->previous = walk->rises ? low : high;
    walk->previous_at = walk->rises ? low_at : high_at;
    walk->extreme = walk->rises ? high : low;
    walk->extreme_at = walk->rises ? high_at : low_at;
    walk->at = high - low < turn ? length + 1 : x; /* beyond the end: there is nothing in this line */
}

/* Where the levels cross the middle between two extremes. */
static int crossing(const struct walk *walk)
{
    const int middle = walk->previous + walk->extreme; /* doubled */
    int before = walk->previous, i = walk->previous_at;
    while (++i < walk->extreme_at) {
        const int level = walk->first[i * walk->step];
        if (walk->rises ? 2 * level >= middle : 2 * level <= middle)
            break;
        before = level;
    }
    const int level = walk->first[i * walk->step], rise = level - before;
    const int part = rise != 0 ? PART * (middle - 2 * before) / (2 * rise) : 0;
    return (i - 1) * PART + part;
}

struct edge {
    int at;     /* in PART */
    int level;  /* the extreme behind it */
    bool rises;
};

/* False: the line has ended. Its end counts as a turn, so that a light margin there closes a square. */
static inline bool walk_edge(struct walk *walk, struct edge *ret_edge)
{
    int level = 0, x = walk->at;
    for (; x < walk->length; x++) {
        level = walk->first[x * walk->step];
        const int further = walk->rises ? level - walk->extreme : walk->extreme - level;
        if (further >= 0) {
            walk->extreme = level;
            walk->extreme_at = x;
        } else if (-further >= walk->turn) {
            break;
        }
    }
    walk->at = x + 1;
    if (x > walk->length)
        return false;
    *ret_edge = (struct edge){crossing(walk), walk->extreme, walk->rises};
    walk->previous = walk->extreme;
    walk->previous_at = walk->extreme_at;
    walk->extreme = level;
    walk->extreme_at = x;
    walk->rises = !walk->rises;
    return true;
}

/* ---- one square -------------------------------------------------------------------------------------------------- */

struct square {
    int x, y;      /* its centre, in PART */
    int size;      /* seven modules, in PART */
    bool is_light; /* a light square on dark */
};

static bool are_alike(int a, int b, int contrast)
{
    return 2 * abs(a - b) <= contrast;
}

/* Every dark part darker than every light one, and what is alike in a square is about alike here. */
static bool has_levels(const struct edge edges[EDGES])
{
    const int sign = edges[0].rises ? -1 : 1; /* of a light square: turned round */
    const int dark[3] = {sign * edges[0].level, sign * edges[2].level, sign * edges[4].level};
    const int light[2] = {sign * edges[1].level, sign * edges[3].level};
    for (int i = 0; i < 6; i++)
        if (dark[i / 2] >= light[i % 2])
            return false;
    const int contrast = (light[0] + light[1]) / 2 - dark[1];
    return are_alike(dark[0], dark[2], contrast) && are_alike(light[0], light[1], contrast);
}

/* 1:1:3:1:1, as far as blur and slant leave it so? */
static bool is_square(const struct edge edges[EDGES])
{
    const int size = edges[5].at - edges[0].at;
    if (size < SQUARE_MIN_PX * PART)
        return false;
    for (int i = 0; i < 5; i++) {
        const int run = (edges[i + 1].at - edges[i].at) * 7; /* in sevenths: one module is `size` */
        const int least = i == 2 ? 2 * size : size * 2 / 5, most = i == 2 ? size * 17 / 4 : size * 8 / 5;
        if (run < least || run > most)
            return false;
    }
    return has_levels(edges);
}

static void shift_in(struct edge edges[EDGES], const struct edge *edge)
{
    for (int i = 0; i + 1 < EDGES; i++)
        edges[i] = edges[i + 1];
    edges[EDGES - 1] = *edge;
}

struct view {
    const uint8_t *luma;
    int width_px, height_px;
    ptrdiff_t stride_bytes;
    int pixels_left;
    struct square squares[SQUARES_MAX];
    int count;
};

struct direction {
    int x, y;        /* of one step. x: 0 or 1; y: -1, 0 or 1 */
    int least, most; /* how long the square may be along it, in tenths of what the row said, seen aslant */
};

static int least_of(int a, int b)
{
    return a < b ? a : b;
}

/* Looks along another line through a square that a row has found: concentric squares are 1:1:3:1:1 on every line through
 * their centre. True: so it is; *ret_off is how far the centre is from the one assumed, *ret_size seven modules, both in PART
 * of this line's own steps. */
static bool crosses(struct view *view, const struct square *square, struct direction direction, int turn, int *ret_off,
                    int *ret_size)
{
    const int x = square->x / PART, y = square->y / PART, reach = square->size / PART * 5 / 4 + 2;
    const int above = y, below = view->height_px - 1 - y;
    int before = reach, after = reach;
    if (direction.x != 0) {
        before = least_of(before, x);
        after = least_of(after, view->width_px - 1 - x);
    }
    if (direction.y != 0) {
        before = least_of(before, direction.y > 0 ? above : below);
        after = least_of(after, direction.y > 0 ? below : above);
    }
    const int length = before + 1 + after;
    if (length < SQUARE_MIN_PX || view->pixels_left < length)
        return false;
    view->pixels_left -= length;

    const ptrdiff_t step = direction.x + direction.y * view->stride_bytes;
    struct walk walk;
    struct edge edges[EDGES] = {0}, edge;
    walk_begin(&walk, view->luma + y * view->stride_bytes + x - before * step, step, length, turn);
    for (int i = 0; walk_edge(&walk, &edge); i++) {
        edge.at -= before * PART;
        shift_in(edges, &edge);
        if (i < EDGES - 1 || edge.rises == square->is_light || !is_square(edges))
            continue;
        const int size = edges[5].at - edges[0].at;
        if (edges[2].at > PART / 2 || edges[3].at < -PART / 2 || size * 10 > square->size * direction.most ||
            size * 10 < square->size * direction.least)
            continue;
        *ret_off = (edges[2].at + edges[3].at) / 2;
        *ret_size = size;
        return true;
    }
    return false;
}

/* A row says it is a square: so must its column, its row again at the right height, and both diagonals. */
static bool is_confirmed(struct view *view, struct square *square, int turn)
{
    /* A square that stands on its corner is twice as many steps wide as it is along a diagonal. */
    static const struct direction down = {0, 1, 6, 17}, right = {1, 0, 6, 17};
    static const struct direction falling = {1, 1, 4, 14}, rising = {1, -1, 4, 14};
    int off = 0, high = 0, wide = 0, falls = 0, rises = 0;
    if (!crosses(view, square, down, turn, &off, &high))
        return false;
    square->y += off;
    if (!crosses(view, square, right, turn, &off, &wide))
        return false;
    square->x += off;
    square->size = (high + wide) / 2;
    if (!crosses(view, square, falling, turn, &off, &falls) || !crosses(view, square, rising, turn, &off, &rises))
        return false;
    /* The least over all lines is within a tenth of its side, however it is turned. A diagonal step is 1.4 pixels. */
    square->size = least_of(square->size, least_of(falls, rises) * 7 / 5);
    return true;
}

static void note_square(struct view *view, const struct square *found)
{
    for (int i = 0; i < view->count; i++) {
        const struct square *known = &view->squares[i];
        const int near = known->size / 3;
        if (known->is_light == found->is_light && abs(known->x - found->x) <= near && abs(known->y - found->y) <= near)
            return;
    }
    if (view->count < SQUARES_MAX)
        view->squares[view->count++] = *found;
}

static void search_row(struct view *view, int y, int turn)
{
    struct walk walk;
    struct edge edges[EDGES] = {0}, edge;
    walk_begin(&walk, view->luma + y * view->stride_bytes, 1, view->width_px, turn);
    for (int i = 0; walk_edge(&walk, &edge); i++) {
        shift_in(edges, &edge);
        if (i < EDGES - 1 || !is_square(edges))
            continue;
        struct square found = {.x = (edges[2].at + edges[3].at) / 2, .y = y * PART,
                               .size = edges[5].at - edges[0].at, .is_light = !edge.rises};
        if (found.size <= view->height_px * PART / SQUARE_OF_HEIGHT && is_confirmed(view, &found, turn))
            note_square(view, &found);
    }
}

/* ---- three squares ----------------------------------------------------------------------------------------------- */

static int64_t apart(const struct square *a, const struct square *b) /* squared */
{
    const int64_t dx = a->x - b->x, dy = a->y - b->y;
    return dx * dx + dy * dy;
}

static bool are_of_one_size(const struct square *a, const struct square *b)
{
    return a->is_light == b->is_light && a->size * 10 < b->size * 15 && b->size * 10 < a->size * 15;
}

/* `corner` between two others: legs of like length at about a right angle, of 14 to 170 modules, seen aslant. */
static bool is_code(const struct square *corner, const struct square *a, const struct square *b)
{
    const int64_t leg_a = apart(corner, a), leg_b = apart(corner, b), far = apart(a, b);
    const int64_t size = (corner->size + a->size + b->size) / 3, least = size * 3 / 2, most = size * 27;
    if (leg_a * 10 > leg_b * 18 || leg_b * 10 > leg_a * 18)
        return false;
    const int64_t off = far - leg_a - leg_b; /* -2 |a| |b| cos: 0 at a right angle */
    if (off * 10 > (leg_a + leg_b) * 3 || off * 10 < (leg_a + leg_b) * -3)
        return false;
    return leg_a > least * least && leg_b > least * least && leg_a < most * most && leg_b < most * most;
}

static bool make_code(const struct square *a, const struct square *b, const struct square *c)
{
    return are_of_one_size(a, c) && are_of_one_size(b, c) &&
           (is_code(a, b, c) || is_code(b, a, c) || is_code(c, a, b));
}

static bool has_code(const struct view *view)
{
    const struct square *squares = view->squares;
    for (int i = 0; i < view->count; i++)
        for (int j = 0; j < i; j++)
            for (int k = 0; k < j && are_of_one_size(&squares[i], &squares[j]); k++)
                if (make_code(&squares[i], &squares[j], &squares[k]))
                    return true;
    return false;
}

bool finder_sees_code(const uint8_t *luma, int width_px, int height_px, int stride_bytes)
{
    if (!luma || width_px < SQUARE_MIN_PX || height_px < SQUARE_MIN_PX || stride_bytes < width_px)
        return false;
    struct view view = {.luma = luma, .width_px = width_px, .height_px = height_px, .stride_bytes = stride_bytes,
                        .pixels_left = CHECK_PX_MAX};
    const int step = height_px / ROWS_WANTED > ROW_STEP_MIN ? height_px / ROWS_WANTED : ROW_STEP_MIN;
    for (int y = step / 2, row = 0; y < height_px; y += step, row++)
        search_row(&view, y, turns[row % 2]);
    return has_code(&view);
}
