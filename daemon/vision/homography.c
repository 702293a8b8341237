/* Projective maps and their correction. Pure; used by fit.c. */
#include "daemon/vision/homography.h"

#include <math.h>
#include <string.h>

enum { N = HOMOGRAPHY_UNKNOWNS };

static const float finder_centre = 3.5f; /* modules from the code's edge */

struct homography homography_begin(int side_modules, struct point corner, struct point right, struct point below,
                                   float larger_than_right, float larger_than_below)
{
    const float half = (float)side_modules / 2, n = (float)side_modules - 2 * finder_centre;
    /* From the corner finder's centre, in modules: (corner + u a + v b) / (1 + g u + h v). */
    const float g = (larger_than_right - 1) / n, h = (larger_than_below - 1) / n;
    const struct point a = {(right.x * larger_than_right - corner.x) / n, (right.y * larger_than_right - corner.y) / n};
    const struct point b = {(below.x * larger_than_below - corner.x) / n, (below.y * larger_than_below - corner.y) / n};
    const float middle = half - finder_centre; /* where the new origin is */
    struct homography map = {.half_side = half,
                             .m = {a.x * half, b.x * half, corner.x + (a.x + b.x) * middle,
                                   a.y * half, b.y * half, corner.y + (a.y + b.y) * middle,
                                   g * half, h * half, 1 + (g + h) * middle}};
    const float scale = 1 / map.m[8];
    for (int i = 0; i < 9; i++)
        map.m[i] *= scale;
    return map;
}

void corrections_begin(struct corrections *corrections)
{
    memset(corrections, 0, sizeof *corrections);
}

/* The corrected map is map(K(x, y)) with K = [1+k0 k1 k2; k3 1+k4 k5; k6 k7 1], linear in small k. */
void corrections_add(struct corrections *corrections, const struct homography *map, float u, float v, bool is_row,
                     float off, float weight)
{
    const double x = u / map->half_side - 1, y = v / map->half_side - 1, error = off / map->half_side;
    const double column[N] = {x, y, 1, 0, 0, 0, -x * x, -x * y}, row[N] = {0, 0, 0, x, y, 1, -x * y, -y * y};
    const double *factors = is_row ? row : column;
    for (int i = 0; i < N; i++) {
        for (int j = 0; j <= i; j++)
            corrections->squares[i][j] += (double)weight * factors[i] * factors[j];
        corrections->values[i] += (double)weight * factors[i] * error;
    }
    corrections->count++;
}

/* Cholesky's way, in place; false where the matrix is singular. */
static bool solve(double squares[N][N], double values[N])
{
    for (int i = 0; i < N; i++)
        for (int j = 0; j <= i; j++) {
            double sum = squares[i][j];
            for (int k = 0; k < j; k++)
                sum -= squares[i][k] * squares[j][k];
            if (i == j && !(sum > 1e-9))
                return false;
            squares[i][j] = i == j ? sqrt(sum) : sum / squares[j][j];
        }
    for (int i = 0; i < N; i++) {
        for (int k = 0; k < i; k++)
            values[i] -= squares[i][k] * values[k];
        values[i] /= squares[i][i];
    }
    for (int i = N - 1; i >= 0; i--) {
        for (int k = i + 1; k < N; k++)
            values[i] -= squares[k][i] * values[k];
        values[i] /= squares[i][i];
    }
    return true;
}

/* Nothing of the code may be behind the lens, nor much nearer to it than the rest. */
static bool is_sane(const float m[9])
{
    for (int i = 0; i < 9; i++)
        if (!isfinite(m[i]))
            return false;
    const float w[4] = {m[8] - m[6] - m[7], m[8] + m[6] - m[7], m[8] + m[6] + m[7], m[8] - m[6] + m[7]};
    for (int i = 0; i < 4; i++)
        if (w[i] < 0.25f || w[i] > 4)
            return false;
    return m[0] * m[4] - m[1] * m[3] > 0;
}

bool corrections_apply(const struct corrections *corrections, struct homography *map)
{
    double squares[N][N], k[N];
    if (corrections->count < N)
        return false;
    memcpy(squares, corrections->squares, sizeof squares);
    memcpy(k, corrections->values, sizeof k);
    for (int i = 0; i < N; i++) /* the two of perspective are the least certain, and go wild first */
        squares[i][i] += (i < 6 ? 1e-4 : 4e-3) * corrections->count;
    if (!solve(squares, k))
        return false;
    const double change[9] = {1 + k[0], k[1], k[2], k[3], 1 + k[4], k[5], k[6], k[7], 1};
    double product[9];
    for (int row = 0; row < 3; row++)
        for (int column = 0; column < 3; column++) {
            product[3 * row + column] = 0;
            for (int i = 0; i < 3; i++)
                product[3 * row + column] += (double)map->m[3 * row + i] * change[3 * i + column];
        }
    float m[9];
    for (int i = 0; i < 9; i++)
        m[i] = (float)(product[i] / product[8]);
    if (!is_sane(m))
        return false;
    memcpy(map->m, m, sizeof m);
    return true;
}
