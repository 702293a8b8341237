/* The picture of `qrgatectl look --annotate`. Called by look.c, once a file. */
#include <errno.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/ctl/annotation.h"

struct canvas {
    uint8_t *rgb;
    int width_px, height_px, pen_px;
};
static const uint8_t GREEN[3] = { 0, 220, 60 }, ORANGE[3] = { 255, 140, 0 };

const char *annotation_base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static void dot(struct canvas *canvas, int x, int y, int radius_px, const uint8_t colour[3])
{
    for (int row = y - radius_px; row <= y + radius_px; row++)
        for (int column = x - radius_px; column <= x + radius_px; column++)
            if (row >= 0 && column >= 0 && row < canvas->height_px && column < canvas->width_px)
                memcpy(canvas->rgb + 3 * ((size_t)row * (size_t)canvas->width_px + (size_t)column), colour, 3);
}

/* Corners may lie outside of the picture, but not so far that drawing takes long. */
static int within(int value, int side_px)
{
    return value < -side_px ? -side_px : value > 2 * side_px ? 2 * side_px : value;
}

static void outline(struct canvas *canvas, const int corner_x[4], const int corner_y[4], const uint8_t colour[3])
{
    int x[4], y[4];
    for (int i = 0; i < 4; i++) {
        x[i] = within(corner_x[i], canvas->width_px);
        y[i] = within(corner_y[i], canvas->height_px);
    }
    for (int i = 0; i < 4; i++) {
        const int dx = x[(i + 1) % 4] - x[i], dy = y[(i + 1) % 4] - y[i];
        const int steps = abs(dx) > abs(dy) ? abs(dx) : abs(dy);
        for (int step = 0; step <= steps; step++)
            dot(canvas, x[i] + (steps > 0 ? dx * step / steps : 0), y[i] + (steps > 0 ? dy * step / steps : 0),
                canvas->pen_px, colour);
    }
    dot(canvas, x[0], y[0], 3 * canvas->pen_px + 1, colour);
}

static int write_png(const struct canvas *canvas, const char *path)
{
    png_image image = { .version = PNG_IMAGE_VERSION,
                        .width = (png_uint_32)canvas->width_px,
                        .height = (png_uint_32)canvas->height_px,
                        .format = PNG_FORMAT_RGB };
    errno = 0;
    const int written = png_image_write_to_file(&image, path, 0, canvas->rgb, 0, NULL);
    const int error = errno != 0 ? -errno : -EIO;
    png_image_free(&image);
    return written != 0 ? 0 : error;
}

int annotation_draw(const char *folder, const char *name, const struct decoder_picture *picture,
                    const struct reader_result *result, char ret_path[ANNOTATION_PATH_BYTES])
{
    const int chars = snprintf(ret_path, ANNOTATION_PATH_BYTES, "%s/%s.look.png", folder, annotation_base_name(name));
    if (chars < 0 || chars >= ANNOTATION_PATH_BYTES)
        return -ENAMETOOLONG;
    const int side = picture->width_px > picture->height_px ? picture->width_px : picture->height_px;
    struct canvas canvas = { .width_px = picture->width_px, .height_px = picture->height_px, .pen_px = side / 800 };
    canvas.rgb = malloc(3 * (size_t)picture->width_px * (size_t)picture->height_px);
    if (!canvas.rgb)
        return -ENOMEM;
    for (int y = 0; y < picture->height_px; y++)
        for (int x = 0; x < picture->width_px; x++)
            memset(canvas.rgb + 3 * ((size_t)y * (size_t)picture->width_px + (size_t)x),
                   picture->luma[(size_t)y * (size_t)picture->stride_bytes + (size_t)x], 3);
    if (result->has_region && result->codes_count == 0)
        outline(&canvas, result->region_x, result->region_y, ORANGE);
    for (int i = 0; i < result->codes_count; i++)
        outline(&canvas, result->codes[i].code.corner_x, result->codes[i].code.corner_y, GREEN);
    const int error = write_png(&canvas, ret_path);
    free(canvas.rgb);
    return error;
}
