/* What is behind a code, and walls that only look like codes. Called by render.c, the unit tests of the vision and
 * bench_vision.c. */
#include <math.h>

#include "tests/bench/render.h"

enum { SHAPES = 24, OCTAVES = 6, FINDER_MODULES = 7, CODE_MODULES = 29 };

const char *render_ground_name(enum render_ground ground)
{
    static const char *const names[RENDER_GROUND_COUNT] = {"flat", "scene", "texture"};
    return names[ground];
}

static double uniform(uint64_t value) /* 0 … 1 */ { return (double)(render_hash(value) >> 11) / 9007199254740992.0; }

static void add_noise(uint64_t seed, double sigma, float *light)
{
    for (int i = 0; i < RENDER_WIDTH_PX * RENDER_HEIGHT_PX; i++)
        light[i] += (float)(sigma * render_normal(render_hash(seed ^ (uint64_t)i << 20)));
}

/* Light from one side, then people and things: ellipses and boxes, some with an edge as hard as a poster's. */
static void scene(uint64_t seed, float *light)
{
    for (int y = 0; y < RENDER_HEIGHT_PX; y++)
        for (int x = 0; x < RENDER_WIDTH_PX; x++)
            light[y * RENDER_WIDTH_PX + x] = (float)(170 - 90.0 * x / RENDER_WIDTH_PX - 30.0 * y / RENDER_HEIGHT_PX);
    for (uint64_t s = 0; s < SHAPES; s++) {
        const uint64_t key = seed * 1000 + s * 10;
        const double cx = uniform(key) * RENDER_WIDTH_PX, cy = uniform(key + 1) * RENDER_HEIGHT_PX;
        const double a = 15 + uniform(key + 2) * 140, b = 15 + uniform(key + 3) * 140,
                     level = 20 + uniform(key + 4) * 200;
        const bool box = s % 2 != 0;
        for (int y = (int)fmax(0, cy - b); y < (int)fmin(RENDER_HEIGHT_PX, cy + b); y++)
            for (int x = (int)fmax(0, cx - a); x < (int)fmin(RENDER_WIDTH_PX, cx + a); x++) {
                const double dx = (x - cx) / a, dy = (y - cy) / b;
                if (box || dx * dx + dy * dy < 1)
                    light[y * RENDER_WIDTH_PX + x] = (float)(level + 20 * dx);
            }
    }
}

static double corner_of(uint64_t key, int column, int row)
{
    return uniform(key + (uint64_t)column * 7919 + (uint64_t)row * 104729);
}

/* Value noise, interpolated between the corners of a lattice of `pitch_px`, added with this height. */
static void add_octave(uint64_t key, int pitch_px, double height, float *light)
{
    for (int y = 0; y < RENDER_HEIGHT_PX; y++) {
        const int row = y / pitch_px;
        const double down = (double)(y % pitch_px) / pitch_px;
        double left = 0, right = 0; /* of this cell, at the height of y */
        for (int x = 0; x < RENDER_WIDTH_PX; x++) {
            const int column = x / pitch_px, in_cell = x % pitch_px;
            if (in_cell == 0) {
                left = corner_of(key, column, row) * (1 - down) + corner_of(key, column, row + 1) * down;
                right = corner_of(key, column + 1, row) * (1 - down) + corner_of(key, column + 1, row + 1) * down;
            }
            light[y * RENDER_WIDTH_PX + x] += (float)(height * (left + (right - left) * in_cell / pitch_px - 0.5));
        }
    }
}

static void texture(uint64_t seed, float *light)
{
    double height = 96;
    for (int i = 0; i < RENDER_WIDTH_PX * RENDER_HEIGHT_PX; i++)
        light[i] = 128;
    for (int octave = 0, pitch = 96; octave < OCTAVES; octave++, pitch /= 2, height *= 0.85)
        add_octave(seed * 31 + (uint64_t)octave * 1000003, pitch, height, light);
}

void render_ground(enum render_ground ground, uint64_t seed, float *ret_light)
{
    switch (ground) {
    case RENDER_SCENE: scene(seed, ret_light); break;
    case RENDER_TEXTURE: texture(seed, ret_light); break;
    case RENDER_FLAT:
    case RENDER_GROUND_COUNT:
        for (int i = 0; i < RENDER_WIDTH_PX * RENDER_HEIGHT_PX; i++)
            ret_light[i] = 110;
        break;
    }
    add_noise(seed, 2, ret_light);
}

/* ---- walls ------------------------------------------------------------------------------------------------------- */

static const struct render_wall WALLS[] = {
    {"finders 1.5 px", WALL_FINDERS, 1.5, 1, 0, false, 0},
    {"finders 2 px", WALL_FINDERS, 2, 1, 0, false, 0},
    {"finders 3 px", WALL_FINDERS, 3, 1, 0, false, 0},
    {"finders 3 px, wide apart", WALL_FINDERS, 3, 14, 0, false, 0},
    {"finders 4 px", WALL_FINDERS, 4, 1, 0, false, 0},
    {"finders 4 px, wide apart", WALL_FINDERS, 4, 14, 0, false, 0},
    {"finders 6 px", WALL_FINDERS, 6, 2, 0, false, 0},
    {"finders 10 px", WALL_FINDERS, 10, 2, 0, false, 0},
    {"finders 3 px, turned 30 degrees", WALL_FINDERS, 3, 1, 30, false, 0},
    {"finders 3 px, turned 45 degrees", WALL_FINDERS, 3, 1, 45, false, 0},
    {"finders 3 px, inverted", WALL_FINDERS, 3, 1, 0, true, 0},
    {"finders 5 px, inverted, turned", WALL_FINDERS, 5, 2, 20, true, 0},
    {"broken codes 2 px", WALL_CODES, 2, 4, 0, false, 0},
    {"broken codes 3 px", WALL_CODES, 3, 4, 0, false, 0},
    {"broken codes 4 px, turned", WALL_CODES, 4, 4, 15, false, 0},
    {"broken codes 6 px", WALL_CODES, 6, 4, 0, false, 0},
    {"broken codes 3 px, inverted", WALL_CODES, 3, 4, 0, true, 0},
    {"broken codes of 177 modules, 3.9 px", WALL_CODES, 3.9, 4, 0, false, 177},
    {"broken codes of 85 modules, 2.5 px", WALL_CODES, 2.5, 4, 0, false, 85},
    {"checkerboard 1 px", WALL_CHECKER, 1, 0, 0, false, 0},
    {"checkerboard 2 px", WALL_CHECKER, 2, 0, 0, false, 0},
    {"checkerboard 8 px", WALL_CHECKER, 8, 0, 0, false, 0},
    {"checkerboard 3 px, turned", WALL_CHECKER, 3, 0, 20, false, 0},
    {"stripes 1:1:3:1:1 of 2 px", WALL_STRIPES, 2, 1, 0, false, 0},
    {"stripes 1:1:3:1:1 of 3 px, turned", WALL_STRIPES, 3, 1, 90, false, 0},
    {"stripes 1:1:3:1:1 of 4 px, aslant", WALL_STRIPES, 4, 1, 37, false, 0},
    {"stripes 1:1:3:1:1 crossed, 2 px", WALL_CROSSED, 2, 1, 0, false, 0},
    {"stripes 1:1:3:1:1 crossed, 4 px", WALL_CROSSED, 4, 1, 10, false, 0},
    {"rings 2 px", WALL_RINGS, 2, 1, 0, false, 0},
    {"rings 4 px", WALL_RINGS, 4, 1, 0, false, 0},
    {"black and white noise 1 px", WALL_NOISE, 1, 0, 0, false, 0},
    {"black and white noise 3 px", WALL_NOISE, 3, 0, 0, false, 0},
};
enum { WALLS_COUNT = sizeof WALLS / sizeof *WALLS };

int render_walls_count(void) { return WALLS_COUNT; }

const struct render_wall *render_wall_at(int index) { return &WALLS[index]; }

static int modulo(int value, int by)
{
    const int rest = value % by;
    return rest < 0 ? rest + by : rest;
}

static bool finder_dark(int column, int row)
{
    const int dx = column > 3 ? column - 3 : 3 - column, dy = row > 3 ? row - 3 : 3 - row, ring = dx > dy ? dx : dy;
    return ring == 3 || ring <= 1;
}

static bool stripe_dark(int at) /* a finder's middle row */ { return at < FINDER_MODULES && finder_dark(at, 3); }

/* A code to the eye: finders, separators and timing patterns are right, the rest is noise that no code is. */
static bool broken_code_dark(int column, int row, int side, uint64_t tile)
{
    const int far = side - FINDER_MODULES;
    if (column < 8 && row < 8)
        return column < 7 && row < 7 && finder_dark(column, row);
    if (column >= far - 1 && row < 8)
        return column >= far && row < 7 && finder_dark(column - far, row);
    if (column < 8 && row >= far - 1)
        return column < 7 && row >= far && finder_dark(column, row - far);
    if (row == 6 || column == 6)
        return (row + column) % 2 == 0;
    return (render_hash(tile * 32768 + (uint64_t)(row * side + column)) & 1) != 0;
}

static bool wall_dark(const struct render_wall *wall, int column, int row)
{
    const int side = wall->code_modules > 0 ? wall->code_modules : CODE_MODULES;
    const int width = (wall->kind == WALL_CODES ? side : FINDER_MODULES) + wall->gap_modules;
    const int in_column = modulo(column, width), in_row = modulo(row, width);
    const uint64_t tile = (uint64_t)(uint32_t)((column - in_column) / width) << 32 | (uint32_t)((row - in_row) / width);
    switch (wall->kind) {
    case WALL_FINDERS: return in_column < FINDER_MODULES && in_row < FINDER_MODULES && finder_dark(in_column, in_row);
    case WALL_CODES:
        return in_column < side && in_row < side && broken_code_dark(in_column, in_row, side, tile);
    case WALL_CHECKER: return (column + row) % 2 != 0;
    case WALL_STRIPES: return stripe_dark(in_column);
    case WALL_CROSSED: return stripe_dark(in_column) != stripe_dark(in_row);
    case WALL_RINGS: {
        const double dx = in_column - 3, dy = in_row - 3, r = sqrt(dx * dx + dy * dy);
        return r < 1.6 || (r > 2.5 && r < 3.6);
    }
    case WALL_NOISE: return (render_hash((uint64_t)(uint32_t)column << 32 | (uint32_t)row) & 1) != 0;
    }
    return false;
}

void render_wall(const struct render_wall *wall, uint8_t *luma)
{
    enum { SAMPLES = 2 };
    const double degree = 3.14159265358979323846 / 180;
    const double c = cos(wall->rotation_deg * degree) / wall->module_px,
                 s = sin(wall->rotation_deg * degree) / wall->module_px;
    for (int y = 0; y < RENDER_HEIGHT_PX; y++)
        for (int x = 0; x < RENDER_WIDTH_PX; x++) {
            int dark = 0;
            for (int i = 0; i < SAMPLES * SAMPLES; i++) {
                const double px = x + (i % SAMPLES + 0.5) / SAMPLES, py = y + (i / SAMPLES + 0.5) / SAMPLES;
                dark += wall_dark(wall, (int)floor(px * c + py * s), (int)floor(py * c - px * s)) != wall->inverted;
            }
            luma[y * RENDER_WIDTH_PX + x] = (uint8_t)(235 - 215 * dark / (SAMPLES * SAMPLES));
        }
}
