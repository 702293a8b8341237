/* One code in four forms; cairo and libpng write. qrgatectl only. */
#include "daemon/ctl/print/qr_card.h"

#include <errno.h>
#include <png.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/ctl/print/card.h"
#include "daemon/ctl/print/file.h"

enum { PNG_MODULE_PX = 8 };

/* ---- SVG and PDF ------------------------------------------------------------------------------------------------- */

static int print_page(const struct qr_card *card, const struct qr *qr, enum sheet_format format, FILE *out)
{
    struct sheet sheet = { .out = NULL };
    int error = sheet_open(&sheet, format, out, CARD_WIDTH_MM, CARD_HEIGHT_MM);
    if (error == 0)
        card_draw(&sheet, qr, 0, 0, card->title, card->line);
    const int closed = sheet_close(&sheet);
    return error < 0 ? error : closed;
}

static int print_svg(const struct qr_card *card, const struct qr *qr, FILE *out)
{
    return print_page(card, qr, SHEET_SVG, out);
}

static int print_pdf(const struct qr_card *card, const struct qr *qr, FILE *out)
{
    return print_page(card, qr, SHEET_PDF, out);
}

/* ---- PNG --------------------------------------------------------------------------------------------------------- */

static int print_png(const struct qr_card *card, const struct qr *qr, FILE *out)
{
    const int modules = qr->side + 2 * QR_QUIET_MODULES, side = modules * PNG_MODULE_PX;
    png_image image = { .version = PNG_IMAGE_VERSION, .format = PNG_FORMAT_GRAY };
    uint8_t *pixels = malloc((size_t)side * (size_t)side);
    (void)card;
    if (!pixels)
        return -ENOMEM;
    for (int y = 0; y < side; y++)
        for (int x = 0; x < side; x++)
            pixels[(size_t)y * (size_t)side + (size_t)x] =
                qr_dark(qr, x / PNG_MODULE_PX - QR_QUIET_MODULES, y / PNG_MODULE_PX - QR_QUIET_MODULES) ? 0 : 255;
    image.width = (png_uint_32)side;
    image.height = (png_uint_32)side;
    const int written = png_image_write_to_stdio(&image, out, 0, pixels, 0, NULL);
    png_image_free(&image);
    free(pixels);
    return written != 0 ? 0 : -EIO;
}

/* ---- text -------------------------------------------------------------------------------------------------------- */

/* Light is what is printed: on the dark ground of a terminal that is how a camera wants it. */
static int print_text(const struct qr_card *card, const struct qr *qr, FILE *out)
{
    static const char *const halves[] = { " ", "\u2584", "\u2580", "\u2588" }; /* neither, lower, upper, both light */
    const int end = qr->side + QR_QUIET_MODULES;

    for (int y = -QR_QUIET_MODULES; y < end; y += 2) {
        (void)fputs(card->coloured ? "\x1b[40;97m" : "", out);
        for (int x = -QR_QUIET_MODULES; x < end; x++) {
            /* the side is odd: below the last row is nothing, and the terminal's own ground is as good as any */
            const bool below = y + 1 < end && !qr_dark(qr, x, y + 1);
            (void)fputs(halves[(qr_dark(qr, x, y) ? 0 : 2) + (below ? 1 : 0)], out);
        }
        (void)fputs(card->coloured ? "\x1b[0m\n" : "\n", out);
    }
    return 0;
}

/* ---- all --------------------------------------------------------------------------------------------------------- */

static const struct {
    const char *word;
    int least_version;
    int (*print)(const struct qr_card *card, const struct qr *qr, FILE *out);
} FORMATS[QR_FORMAT_COUNT] = {
    [QR_SVG] = { "svg", CARD_LEAST_VERSION, print_svg },
    [QR_PDF] = { "pdf", CARD_LEAST_VERSION, print_pdf },
    [QR_PNG] = { "png", 0, print_png },
    [QR_TEXT] = { "txt", 0, print_text },
};

bool qr_format_from_name(const char *name, enum qr_format *ret_format, bool *ret_to_stdout)
{
    const char *dot = strrchr(name, '.');
    *ret_to_stdout = !dot;
    for (int i = 0; i < QR_FORMAT_COUNT; i++)
        if (strcmp(dot ? dot + 1 : name, FORMATS[i].word) == 0) {
            *ret_format = (enum qr_format)i;
            return true;
        }
    return false;
}

int qr_card_print(const struct qr_card *card, enum qr_format format, FILE *out)
{
    struct qr qr;
    int error = qr_encode(card->code, card->robust ? QR_LEVEL_M : QR_LEVEL_L, FORMATS[format].least_version, &qr);
    if (error < 0)
        return error;
    error = FORMATS[format].print(card, &qr, out);
    qr_free(&qr);
    if (fflush(out) != 0 && error == 0)
        error = -errno;
    return error == 0 && ferror(out) ? -EIO : error;
}

struct job {
    const struct qr_card *card;
    enum qr_format format;
};

static int write_card(FILE *out, void *userdata)
{
    const struct job *job = userdata;
    return qr_card_print(job->card, job->format, out);
}

int qr_card_write(const struct qr_card *card, enum qr_format format, const char *path)
{
    struct job job = { card, format };
    return print_file(path, write_card, &job);
}
