/* Ranks triples of finder patterns. Pure; called by look.c. */
#include "daemon/vision/triple.h"

#include <math.h>
#include <stdbool.h>

/* What a view from aslant leaves of one size, a right angle and two like sides. */
static const float size_ratio_max = 2.2f, side_ratio_max = 2.4f, cosine_max = 0.72f;
static const float modules_min = 8.5f, modules_max = 190; /* between two centres, as roughly as a mark's size is known */

static float apart(const struct finder_mark *a, const struct finder_mark *b)
{
    const float x = a->x - b->x, y = a->y - b->y;
    return sqrtf(x * x + y * y);
}

static bool are_of_one_size(const struct finder_mark *a, const struct finder_mark *b)
{
    return a->is_light == b->is_light && a->module_px < size_ratio_max * b->module_px &&
           b->module_px < size_ratio_max * a->module_px;
}

static void keep(struct triple *triples, int *count, struct triple triple)
{
    if (*count == TRIPLES_MAX && triples[*count - 1].fault <= triple.fault)
        return;
    int at = *count < TRIPLES_MAX ? (*count)++ : *count - 1;
    for (; at > 0 && triples[at - 1].fault > triple.fault; at--)
        triples[at] = triples[at - 1];
    triples[at] = triple;
}

/* By the marks' numbers: a crowd has thousands of triples of a few hundred distances. */
struct distances {
    float px[TRIPLE_MARKS_MAX][TRIPLE_MARKS_MAX];
};

static void measure(const struct finder_mark *marks, int count, struct distances *ret)
{
    for (int i = 0; i < count; i++)
        for (int j = 0; j < i; j++)
            ret->px[i][j] = ret->px[j][i] = apart(&marks[i], &marks[j]);
}

static void try_corner(const struct finder_mark *marks, const struct distances *distances, int corner, int a, int b,
                       struct triple *triples, int *count)
{
    const struct finder_mark *at = &marks[corner], *one = &marks[a], *other = &marks[b];
    const float first = distances->px[corner][a], second = distances->px[corner][b], across = distances->px[a][b];
    const float ratio = first > second ? first / second : second / first;
    if (!(ratio < side_ratio_max))
        return;
    const float cosine = (first * first + second * second - across * across) / (2 * first * second);
    const float module = (at->module_px + one->module_px + other->module_px) / 3;
    const float modules = (first + second) / 2 / module;
    if (fabsf(cosine) > cosine_max || modules < modules_min || modules > modules_max)
        return;
    const float least = fminf(at->module_px, fminf(one->module_px, other->module_px));
    const float most = fmaxf(at->module_px, fmaxf(one->module_px, other->module_px));
    const int rows = at->rows + one->rows + other->rows;
    /* As printed: from the right one to the one below is a turn clockwise, y growing downwards. */
    const float turn = (one->x - at->x) * (other->y - at->y) - (one->y - at->y) * (other->x - at->x);
    keep(triples, count, (struct triple){(uint8_t)corner, (uint8_t)(turn > 0 ? a : b), (uint8_t)(turn > 0 ? b : a),
                                         ratio - 1 + 2 * fabsf(cosine) + 1.5f * (most / least - 1) -
                                             0.02f * (float)(rows < 40 ? rows : 40)});
}

/* ---- timing ------------------------------------------------------------------------------------------------------ */

struct place {
    float x, y;
};

/* How often light and dark change along a line. */
static int count_changes(const struct image *image, const struct threshold *threshold, struct place from, struct place to,
                         float scale)
{
    const float dx = (to.x - from.x) * scale, dy = (to.y - from.y) * scale;
    const int steps = (int)(fmaxf(fabsf(dx), fabsf(dy)) * 1.5f) + 1;
    int changes = 0, before = -1;
    for (int i = 0; i <= steps; i++) {
        const int x = (int)(from.x * scale + dx * (float)i / (float)steps);
        const int y = (int)(from.y * scale + dy * (float)i / (float)steps);
        if (x < 0 || y < 0 || x >= image->width_px || y >= image->height_px)
            continue;
        const int dark = image->luma[y * image->stride_bytes + x] < threshold_at(threshold, x, y);
        changes += before >= 0 && dark != before;
        before = dark;
    }
    return changes;
}

/* A module of a mark along a line through its centre, from where the outer edges are: aslant it isn't what it is along the axes.
 * `guess_px` where they can't be made out. */
static float module_along(const struct image *image, const struct threshold *threshold, const struct finder_mark *mark,
                          struct place along, float scale, float guess_px)
{
    const int steps = (int)(2 * 6 * 2 * guess_px * scale); /* of half a pixel */
    float edges = 0;
    for (int way = -1; way <= 1; way += 2) {
        int changes = 0, i = 0;
        bool before = !mark->is_light;
        for (; i < steps && changes < 3; i++) {
            const float off = (float)(way * i) / 2;
            const int x = (int)(mark->x * scale + along.x * off), y = (int)(mark->y * scale + along.y * off);
            if (x < 0 || y < 0 || x >= image->width_px || y >= image->height_px)
                return guess_px;
            const bool dark = image->luma[y * image->stride_bytes + x] < threshold_at(threshold, x, y);
            changes += dark != before;
            before = dark;
        }
        if (changes < 3)
            return guess_px;
        edges += (float)(i - 1) / 2;
    }
    return edges / (7 * scale);
}

/* How far the counts are from what the distances ask for: 0 and up. */
static float timing_fault(const struct finder_mark *marks, const struct triple *triple, const struct pyramid *pyramid,
                          const struct threshold *thresholds, int *ret_changes)
{
    const struct finder_mark *at = &marks[triple->corner], *ends[2] = {&marks[triple->right], &marks[triple->below]};
    const float sides[2] = {apart(at, ends[0]), apart(at, ends[1])};
    struct place along[2];
    for (int i = 0; i < 2; i++)
        along[i] = (struct place){(ends[i]->x - at->x) / sides[i], (ends[i]->y - at->y) / sides[i]};
    /* A mark's size is measured along the axes: a turned one seems larger. */
    const float turned = fmaxf(fabsf(along[0].x), fabsf(along[0].y));
    const float module = (at->module_px + ends[0]->module_px + ends[1]->module_px) / 3 * turned;
    const int level = pyramid_level_for(pyramid, module, 3);
    const float scale = 1 / (float)(1 << level);
    float near[2], far[2];
    for (int i = 0; i < 2; i++) {
        const struct image *image = &pyramid->level[level];
        near[i] = module_along(image, &thresholds[level], at, along[i], scale, at->module_px * turned);
        far[i] = module_along(image, &thresholds[level], ends[i], along[i], scale, ends[i]->module_px * turned);
    }
    float least = 1e9f;
    for (int try = 0; try < 3; try++) {
        const float off = 2.6f + 0.4f * (float)try;
        int changes[2];
        float fault = 0;
        for (int i = 0; i < 2; i++) {
            const float modules = sides[i] / ((near[i] + far[i]) / 2);
            const struct place from = {at->x + (along[i].x * near[i] * 4.5f + along[1 - i].x * near[1 - i] * off),
                                       at->y + (along[i].y * near[i] * 4.5f + along[1 - i].y * near[1 - i] * off)};
            const float across = off * near[1 - i] * far[i] / near[i];
            const struct place to = {ends[i]->x - along[i].x * far[i] * 4.5f + along[1 - i].x * across,
                                     ends[i]->y - along[i].y * far[i] * 4.5f + along[1 - i].y * across};
            changes[i] = count_changes(&pyramid->level[level], &thresholds[level], from, to, scale);
            fault += fabsf((float)changes[i] - (modules - 10)) / fmaxf(modules - 6, 4);
        }
        const int most = changes[0] > changes[1] ? changes[0] : changes[1];
        fault += fabsf((float)(changes[0] - changes[1])) / (float)(most > 4 ? most : 4);
        if (fault < least) {
            least = fault;
            *ret_changes = changes[0] + changes[1];
        }
    }
    return least;
}

int triples_rank(const struct finder_mark *marks, int count, const struct pyramid *pyramid,
                 const struct threshold *thresholds, struct triple ret_triples[TRIPLES_MAX])
{
    struct triple found[TRIPLES_MAX];
    struct distances distances;
    int found_count = 0, ranked = 0;
    measure(marks, count, &distances);
    for (int i = 0; i < count; i++)
        for (int j = 0; j < i; j++)
            for (int k = 0; k < j && are_of_one_size(&marks[i], &marks[j]); k++) {
                if (!are_of_one_size(&marks[i], &marks[k]) || !are_of_one_size(&marks[j], &marks[k]))
                    continue;
                try_corner(marks, &distances, i, j, k, found, &found_count);
                try_corner(marks, &distances, j, i, k, found, &found_count);
                try_corner(marks, &distances, k, i, j, found, &found_count);
            }
    for (int i = 0; i < found_count; i++) {
        int changes = 0;
        const float fault = timing_fault(marks, &found[i], pyramid, thresholds, &changes);
        /* Marks come the surest first; noise makes many small ones, some of which fit together by chance. */
        const float behind = 0.01f * (float)(found[i].corner + found[i].right + found[i].below);
        found[i].fault = found[i].fault / 2 + 2 * fault - 0.01f * (float)(changes < 60 ? changes : 60) + behind;
        keep(ret_triples, &ranked, found[i]);
    }
    return ranked;
}
