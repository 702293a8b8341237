/* A code in a frame: geometry, light, lens and sensor. Called by the unit tests of the vision and by bench_vision.c. */
#include "tests/bench/render.h"

#include <errno.h>
#include <math.h>

#include <qrencode.h>

enum { QUIET_MODULES = 4, FINE_SAMPLES = 8, USUAL_SAMPLES = 4, FINE_BELOW_PX = 3, BLUR_TAPS_MAX = 64 };
static const double TILT_FOCAL_PX = 1100; /* 60 degrees across 1280 px, as webcams have */
static const double SENSOR_FILL = 0.5;    /* of a pixel's width, where a screen is looked at */
static const double DEGREE = 3.14159265358979323846 / 180;

int render_encode(const void *payload, size_t length_bytes, int version, int ecc, struct render_matrix *ret_matrix)
{
    if (length_bytes > 2953) /* version 40-L, bytes */
        return -EMSGSIZE;
    QRcode *code = QRcode_encodeData((int)length_bytes, payload, version, (QRecLevel)ecc);
    if (!code)
        return -EMSGSIZE;
    ret_matrix->side_modules = code->width;
    for (int i = 0; i < code->width * code->width; i++)
        ret_matrix->dark[i] = code->data[i] & 1;
    QRcode_free(code);
    return 0;
}

struct render_scene render_usual(void)
{
    return (struct render_scene){.ground = RENDER_SCENE,
                                 .module_px = 4,
                                 .centre_x = RENDER_WIDTH_PX / 2.0,
                                 .centre_y = RENDER_HEIGHT_PX / 2.0,
                                 .brightness = 125,
                                 .contrast = 170,
                                 .moire_pitch_px = 1.06,
                                 .seed = 1};
}

uint64_t render_hash(uint64_t value)
{
    value += UINT64_C(0x9E3779B97F4A7C15);
    value = (value ^ value >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    value = (value ^ value >> 27) * UINT64_C(0x94D049BB133111EB);
    return value ^ value >> 31;
}

double render_normal(uint64_t bits)
{
    /* four uniform numbers of 16 bits, summed */
    const double sum = (double)((bits & 0xFFFF) + (bits >> 16 & 0xFFFF) + (bits >> 32 & 0xFFFF) + (bits >> 48));
    return (sum - 131070) / 37837.2;
}

/* ---- geometry ---------------------------------------------------------------------------------------------------- */

/* The scene's angles, worked out once. */
struct view {
    const struct render_scene *scene;
    const struct render_matrix *matrix;
    double turn_cos, turn_sin, tilt_cos, tilt_sin, axis_cos, axis_sin;
    double motion_x, motion_y; /* px */
    double half_px;            /* of the code's side, without the quiet zone */
};

static struct view view_of(const struct render_scene *scene, const struct render_matrix *matrix)
{
    return (struct view){.scene = scene,
                         .matrix = matrix,
                         .turn_cos = cos(scene->rotation_deg * DEGREE),
                         .turn_sin = sin(scene->rotation_deg * DEGREE),
                         .tilt_cos = cos(scene->tilt_deg * DEGREE),
                         .tilt_sin = sin(scene->tilt_deg * DEGREE),
                         .axis_cos = cos(scene->tilt_axis_deg * DEGREE),
                         .axis_sin = sin(scene->tilt_axis_deg * DEGREE),
                         .motion_x = scene->motion_px * cos(scene->motion_deg * DEGREE),
                         .motion_y = scene->motion_px * sin(scene->motion_deg * DEGREE),
                         .half_px = matrix->side_modules * scene->module_px / 2};
}

/* From the frame to the code's plane, both in px from the code's middle. False: behind the horizon. */
static bool to_plane(const struct view *view, double x, double y, double *ret_x, double *ret_y)
{
    const double along = x * view->axis_cos + y * view->axis_sin, across = y * view->axis_cos - x * view->axis_sin;
    const double depth = TILT_FOCAL_PX * view->tilt_cos - across * view->tilt_sin;
    if (depth <= 1)
        return false;
    const double q = across * TILT_FOCAL_PX / depth;
    const double p = along * (TILT_FOCAL_PX + q * view->tilt_sin) / TILT_FOCAL_PX;
    const double untilted_x = p * view->axis_cos - q * view->axis_sin,
                 untilted_y = p * view->axis_sin + q * view->axis_cos;
    *ret_x = untilted_x * view->turn_cos + untilted_y * view->turn_sin;
    *ret_y = untilted_y * view->turn_cos - untilted_x * view->turn_sin;
    return true;
}

static void to_frame(const struct view *view, double x, double y, double *ret_x, double *ret_y)
{
    const double turned_x = x * view->turn_cos - y * view->turn_sin, turned_y = x * view->turn_sin + y * view->turn_cos;
    const double p = turned_x * view->axis_cos + turned_y * view->axis_sin;
    const double q = turned_y * view->axis_cos - turned_x * view->axis_sin;
    const double scale = TILT_FOCAL_PX / fmax(1, TILT_FOCAL_PX + q * view->tilt_sin);
    const double along = p * scale, across = q * view->tilt_cos * scale;
    *ret_x = view->scene->centre_x + along * view->axis_cos - across * view->axis_sin;
    *ret_y = view->scene->centre_y + along * view->axis_sin + across * view->axis_cos;
}

/* Corners of the code widened by `margin_px`, clockwise. */
static void corners(const struct view *view, double margin_px, double ret_x[4], double ret_y[4])
{
    const double half = view->half_px + margin_px;
    for (int i = 0; i < 4; i++)
        to_frame(view, i == 1 || i == 2 ? half : -half, i >= 2 ? half : -half, &ret_x[i], &ret_y[i]);
}

/* ---- the code ---------------------------------------------------------------------------------------------------- */

/* Light of a screen's pixel at this place of its plane: three stripes of colour as luma sees them, and a dark gap
 * between rows. The mean is 1. */
static double screen_light(const struct render_scene *scene, double x, double y)
{
    static const double stripes[3] = {0.90, 1.77, 0.33}; /* red, green, blue */
    const double column = x / scene->moire_pitch_px, row = y / scene->moire_pitch_px;
    const double lit = row - floor(row) < 0.85 ? 1 / 0.85 : 0;
    const double one = lit * stripes[(int)(3 * (column - floor(column))) % 3];
    return 1 + scene->moire_depth * (one - 1);
}

/* Light of one point of the frame; false: the card doesn't cover it. */
static bool sample(const struct view *view, double x, double y, double *ret_light)
{
    const struct render_scene *scene = view->scene;
    const int side = view->matrix->side_modules, quiet = scene->no_quiet_zone ? 0 : QUIET_MODULES;
    double px, py;
    if (!to_plane(view, x, y, &px, &py))
        return false;
    const double column = (px + view->half_px) / scene->module_px, row = (py + view->half_px) / scene->module_px;
    if (column < -quiet || row < -quiet || column >= side + quiet || row >= side + quiet)
        return false;
    const bool inside = column >= 0 && row >= 0 && column < side && row < side;
    const bool dark = inside && view->matrix->dark[(int)row * side + (int)column] != 0;
    *ret_light = scene->brightness + (dark != scene->inverted ? -0.5 : 0.5) * scene->contrast;
    if (scene->moire_depth > 0)
        *ret_light *= screen_light(scene, px, py);
    return true;
}

/* One pixel: the mean over its area and over the exposure. The background fills what the card leaves free. */
static float expose(const struct view *view, double x, double y, int samples, int times, double fill, float ground)
{
    double sum = 0;
    for (int t = 0; t < times; t++) {
        const double when = (t + 0.5) / times - 0.5;
        for (int i = 0; i < samples * samples; i++) {
            const double dx = ((i % samples + 0.5) / samples - 0.5) * fill,
                         dy = ((i / samples + 0.5) / samples - 0.5) * fill;
            double light = 0;
            sum += sample(view, x + dx - when * view->motion_x, y + dy - when * view->motion_y, &light)
                       ? light
                       : (double)ground;
        }
    }
    return (float)(sum / (samples * samples * times));
}

static int clamp(double value, int low, int high) { return value < low ? low : value > high ? high : (int)value; }

static void draw_code(const struct view *view, float *light)
{
    const struct render_scene *scene = view->scene;
    const int samples = scene->module_px < FINE_BELOW_PX ? FINE_SAMPLES : USUAL_SAMPLES;
    const int times = scene->motion_px > 0 ? 1 + 2 * (int)ceil(scene->motion_px) : 1;
    const double fill = scene->moire_depth > 0 ? SENSOR_FILL : 1, margin = fabs(scene->motion_px) / 2 + 2;
    double cx[4], cy[4];
    corners(view, QUIET_MODULES * scene->module_px, cx, cy);
    const int left = clamp(fmin(fmin(cx[0], cx[1]), fmin(cx[2], cx[3])) - margin, 0, RENDER_WIDTH_PX);
    const int right = clamp(fmax(fmax(cx[0], cx[1]), fmax(cx[2], cx[3])) + margin, 0, RENDER_WIDTH_PX);
    const int top = clamp(fmin(fmin(cy[0], cy[1]), fmin(cy[2], cy[3])) - margin, 0, RENDER_HEIGHT_PX);
    const int bottom = clamp(fmax(fmax(cy[0], cy[1]), fmax(cy[2], cy[3])) + margin, 0, RENDER_HEIGHT_PX);
    for (int y = top; y < bottom; y++)
        for (int x = left; x < right; x++) {
            float *pixel = &light[y * RENDER_WIDTH_PX + x];
            *pixel = expose(view, x + 0.5 - scene->centre_x, y + 0.5 - scene->centre_y, samples, times, fill, *pixel);
        }
}

static void add_glare(const struct view *view, float *light)
{
    const struct render_scene *scene = view->scene;
    const double side = 2 * view->half_px, radius = scene->glare_radius * side;
    const double x = scene->centre_x + scene->glare_x * side, y = scene->centre_y + scene->glare_y * side;
    if (radius <= 0)
        return;
    for (int row = 0; row < RENDER_HEIGHT_PX; row++)
        for (int column = 0; column < RENDER_WIDTH_PX; column++) {
            const double dx = (column + 0.5 - x) / radius, dy = (row + 0.5 - y) / radius, squared = dx * dx + dy * dy;
            if (squared < 4)
                light[row * RENDER_WIDTH_PX + column] += (float)(255 * exp(-2 * squared));
        }
}

/* ---- lens and sensor --------------------------------------------------------------------------------------------- */

/* One direction: rows of `count` pixels that are `step` apart. */
static void blur_lines(const float *from, float *to, const float *taps, int reach, int lines, int line_step, int count,
                       int step)
{
    for (int line = 0; line < lines; line++)
        for (int i = 0; i < count; i++) {
            const float *row = from + (size_t)line * (size_t)line_step;
            float sum = taps[0] * row[i * step];
            for (int k = 1; k <= reach; k++)
                sum +=
                    taps[k] * (row[(i - k < 0 ? 0 : i - k) * step] + row[(i + k >= count ? count - 1 : i + k) * step]);
            to[line * line_step + i * step] = sum;
        }
}

static void blur(double sigma_px, struct render_room *room)
{
    float taps[BLUR_TAPS_MAX];
    double sum = 0;
    const int reach = clamp(ceil(3 * sigma_px), 1, BLUR_TAPS_MAX - 1);
    if (sigma_px <= 0)
        return;
    for (int k = 0; k <= reach; k++) {
        const double tap = exp(-k * k / (2 * sigma_px * sigma_px));
        sum += k == 0 ? tap : 2 * tap;
        taps[k] = (float)tap;
    }
    for (int k = 0; k <= reach; k++)
        taps[k] = (float)((double)taps[k] / sum);
    blur_lines(room->light, room->other, taps, reach, RENDER_HEIGHT_PX, RENDER_WIDTH_PX, RENDER_WIDTH_PX, 1);
    blur_lines(room->other, room->light, taps, reach, RENDER_WIDTH_PX, 1, RENDER_HEIGHT_PX, RENDER_WIDTH_PX);
}

static void develop(const struct render_scene *scene, const float *light, uint8_t *luma)
{
    for (int i = 0; i < RENDER_WIDTH_PX * RENDER_HEIGHT_PX; i++) {
        double level = (double)light[i];
        if (scene->noise_sigma > 0)
            level +=
                scene->noise_sigma * render_normal(render_hash(scene->seed * UINT64_C(0x100000001B3) + (uint64_t)i));
        luma[i] = (uint8_t)clamp(level + 0.5, 0, 255);
    }
}

void render_frame(const struct render_scene *scene, const struct render_matrix *matrix, struct render_room *room,
                  uint8_t *luma, double ret_corner_x[4], double ret_corner_y[4])
{
    render_ground(scene->ground, scene->seed, room->light);
    if (matrix) {
        const struct view view = view_of(scene, matrix);
        draw_code(&view, room->light);
        add_glare(&view, room->light);
        if (ret_corner_x && ret_corner_y)
            corners(&view, 0, ret_corner_x, ret_corner_y);
    }
    blur(scene->blur_sigma_px, room);
    develop(scene, room->light, luma);
}
