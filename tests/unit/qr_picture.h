/* Pictures with QR codes in them, for the tests of the eye. The caller frees `luma`. */
#ifndef TESTS_QR_PICTURE_H
#define TESTS_QR_PICTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <qrencode.h>

enum { QR_QUIET_MODULES = 4 };

struct qr_picture {
    uint8_t *luma;
    int width_px, height_px, stride_bytes;
};

static inline struct qr_picture qr_blank(int width_px, int height_px, int stride_bytes, uint8_t level)
{
    struct qr_picture picture = {NULL, width_px, height_px, stride_bytes};
    const size_t bytes = (size_t)stride_bytes * (size_t)height_px;
    picture.luma = malloc(bytes);
    if (!picture.luma)
        abort();
    memset(picture.luma, level, bytes);
    return picture;
}

/* Draws the code with its quiet zone, top left at x, y; takes over `code`. */
static inline void qr_draw(struct qr_picture *picture, QRcode *code, int x, int y, int module_px, bool inverted)
{
    if (!code)
        abort();
    const int side = code->width + 2 * QR_QUIET_MODULES;
    if (x + side * module_px > picture->width_px || y + side * module_px > picture->height_px)
        abort();
    for (int row = 0; row < side * module_px; row++)
        for (int column = 0; column < side * module_px; column++) {
            const int my = row / module_px - QR_QUIET_MODULES, mx = column / module_px - QR_QUIET_MODULES;
            const bool inside = my >= 0 && my < code->width && mx >= 0 && mx < code->width;
            const bool dark = inside && code->data[my * code->width + mx] & 1;
            picture->luma[(y + row) * picture->stride_bytes + x + column] = dark != inverted ? 0 : 255;
        }
    QRcode_free(code);
}

static inline QRcode *qr_bytes(const void *payload, size_t length)
{
    return QRcode_encodeData((int)length, payload, 0, QR_ECLEVEL_M);
}

/* One code in the middle of a gray picture. */
static inline struct qr_picture qr_centred(QRcode *code, int width_px, int height_px, int module_px)
{
    struct qr_picture picture = qr_blank(width_px, height_px, width_px, 128);
    if (!code)
        abort();
    const int side = (code->width + 2 * QR_QUIET_MODULES) * module_px;
    qr_draw(&picture, code, (width_px - side) / 2, (height_px - side) / 2, module_px, false);
    return picture;
}

/* Written under a hidden name and renamed: how a picture has to enter a replay folder. */
static inline void qr_write_pgm(const struct qr_picture *picture, const char *folder, const char *name)
{
    char hidden[512], path[512];
    snprintf(hidden, sizeof hidden, "%s/.%s", folder, name);
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(hidden, "wb");
    if (!file)
        abort();
    fprintf(file, "P5\n# a test\n%d %d\n255\n", picture->width_px, picture->height_px);
    for (int y = 0; y < picture->height_px; y++)
        if (fwrite(picture->luma + (size_t)y * (size_t)picture->stride_bytes, 1, (size_t)picture->width_px, file) !=
            (size_t)picture->width_px)
            abort();
    if (fclose(file) != 0 || rename(hidden, path) != 0)
        abort();
}

#endif
