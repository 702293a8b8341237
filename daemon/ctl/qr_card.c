/* Codes drawn with libqrencode and libpng. qrgatectl only. */
#include "daemon/ctl/qr_card.h"

#include <errno.h>
#include <fcntl.h>
#include <png.h>
#include <qrencode.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    QUIET_MODULES = 4 /* the QR standard's margin */,
    PNG_MODULE_PX = 8,
    PATH_BYTES = 1024,
    TITLE_MODULES = 4,
    LINE_MODULES = 3 /* heights of the rows of text in SVG */
};

/* Outside of the code it is light. */
static bool is_dark(const QRcode *qr, int x, int y)
{
    return x >= 0 && y >= 0 && x < qr->width && y < qr->width && (qr->data[y * qr->width + x] & 1) != 0;
}

/* ---- SVG --------------------------------------------------------------------------------------------------------- */

static void print_escaped(const char *text, FILE *out)
{
    for (; *text != '\0'; text++) {
        switch (*text) {
        case '&': (void)fputs("&amp;", out); break;
        case '<': (void)fputs("&lt;", out); break;
        case '>': (void)fputs("&gt;", out); break;
        case '"': (void)fputs("&quot;", out); break;
        default: (void)fputc(*text, out); break;
        }
    }
}

/* `fit` says that the row is as wide as the code: then long names are squeezed into it instead of being cut. */
static void print_row(const char *text, int side, double baseline, double height, FILE *out)
{
    if (text[0] == '\0')
        return;
    size_t characters = 0;
    for (const char *at = text; *at != '\0'; at++)
        characters += ((unsigned char)*at & 0xc0) != 0x80;
    const bool fit = (double)characters * height * 0.6 > side - 2 * QUIET_MODULES;
    (void)fprintf(out, "<text x=\"%g\" y=\"%g\" font-size=\"%g\" text-anchor=\"middle\" font-family=\"sans-serif\"",
                  side / 2.0, baseline, height);
    if (fit)
        (void)fprintf(out, " textLength=\"%d\" lengthAdjust=\"spacingAndGlyphs\"", side - 2 * QUIET_MODULES);
    (void)fputs(">", out);
    print_escaped(text, out);
    (void)fputs("</text>\n", out);
}

static int print_svg(const struct qr_card *card, const QRcode *qr, FILE *out)
{
    const int side = qr->width + 2 * QUIET_MODULES;
    const int title = card->title[0] != '\0' ? TITLE_MODULES : 0, line = card->line[0] != '\0' ? LINE_MODULES : 0;
    const int height = side + title + line + (title + line > 0);

    (void)fprintf(out,
                  "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                  "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%gmm\" height=\"%gmm\" viewBox=\"0 0 %d %d\">\n"
                  "<rect width=\"%d\" height=\"%d\" fill=\"#fff\"/>\n<path fill=\"#000\" d=\"",
                  60.0, 60.0 * height / side, side, height, side, height);
    for (int y = 0; y < qr->width; y++)
        for (int x = 0; x < qr->width; x++) {
            int run = 0;
            while (is_dark(qr, x + run, y))
                run++;
            if (run > 0)
                (void)fprintf(out, "M%d %dh%dv1h-%dz", x + QUIET_MODULES, y + QUIET_MODULES, run, run);
            x += run;
        }
    (void)fputs("\"/>\n", out);
    print_row(card->title, side, side + title * 0.6, 2.8, out);
    print_row(card->line, side, side + title + line * 0.6, 1.9, out);
    (void)fputs("</svg>\n", out);
    return 0;
}

/* ---- PNG --------------------------------------------------------------------------------------------------------- */

static int print_png(const struct qr_card *card, const QRcode *qr, FILE *out)
{
    const int modules = qr->width + 2 * QUIET_MODULES, side = modules * PNG_MODULE_PX;
    png_image image = { .version = PNG_IMAGE_VERSION, .format = PNG_FORMAT_GRAY };
    uint8_t *pixels = malloc((size_t)side * (size_t)side);
    (void)card;
    if (!pixels)
        return -ENOMEM;
    for (int y = 0; y < side; y++)
        for (int x = 0; x < side; x++)
            pixels[(size_t)y * (size_t)side + (size_t)x] =
                is_dark(qr, x / PNG_MODULE_PX - QUIET_MODULES, y / PNG_MODULE_PX - QUIET_MODULES) ? 0 : 255;
    image.width = (png_uint_32)side;
    image.height = (png_uint_32)side;
    const int written = png_image_write_to_stdio(&image, out, 0, pixels, 0, NULL);
    png_image_free(&image);
    free(pixels);
    return written != 0 ? 0 : -EIO;
}

/* ---- text -------------------------------------------------------------------------------------------------------- */

/* Light is what is printed: on the dark ground of a terminal that is how a camera wants it. */
static int print_text(const struct qr_card *card, const QRcode *qr, FILE *out)
{
    static const char *const halves[] = { " ", "\u2584", "\u2580", "\u2588" }; /* neither, lower, upper, both light */

    for (int y = -QUIET_MODULES; y < qr->width + QUIET_MODULES; y += 2) {
        (void)fputs(card->coloured ? "\x1b[40;97m" : "", out);
        for (int x = -QUIET_MODULES; x < qr->width + QUIET_MODULES; x++) {
            /* the side is odd: below the last row is nothing, and the terminal's own ground is as good as any */
            const bool below = y + 1 < qr->width + QUIET_MODULES && !is_dark(qr, x, y + 1);
            (void)fputs(halves[(is_dark(qr, x, y) ? 0 : 2) + (below ? 1 : 0)], out);
        }
        (void)fputs(card->coloured ? "\x1b[0m\n" : "\n", out);
    }
    return 0;
}

/* ---- all --------------------------------------------------------------------------------------------------------- */

static const struct {
    const char *word;
    int (*print)(const struct qr_card *card, const QRcode *qr, FILE *out);
} FORMATS[QR_FORMAT_COUNT] = {
    [QR_SVG] = { "svg", print_svg },
    [QR_PNG] = { "png", print_png },
    [QR_TEXT] = { "txt", print_text },
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

static QRcode *encode(const struct qr_card *card)
{
    static const char alphanumeric[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";
    const size_t length = strlen(card->code);
    const QRencodeMode mode = strspn(card->code, alphanumeric) == length ? QR_MODE_AN : QR_MODE_8;
    QRcode *qr = NULL;
    QRinput *input =
        QRinput_new2(0 /* the smallest version that holds it */, card->robust ? QR_ECLEVEL_M : QR_ECLEVEL_L);
    if (!input)
        return NULL;
    errno = EMSGSIZE;
    if (length <= 4296 && QRinput_append(input, mode, (int)length, (const unsigned char *)card->code) == 0)
        qr = QRcode_encodeInput(input);
    QRinput_free(input);
    return qr;
}

int qr_card_print(const struct qr_card *card, enum qr_format format, FILE *out)
{
    QRcode *qr = encode(card);
    if (!qr)
        return errno == ENOMEM ? -ENOMEM : -EMSGSIZE;
    int error = FORMATS[format].print(card, qr, out);
    QRcode_free(qr);
    if (fflush(out) != 0 && error == 0)
        error = -errno;
    return error == 0 && ferror(out) ? -EIO : error;
}

int qr_card_write(const struct qr_card *card, enum qr_format format, const char *path)
{
    char other[PATH_BYTES];
    const int chars = snprintf(other, sizeof(other), "%s.qrgate-new", path);
    if (chars < 0 || (size_t)chars >= sizeof(other))
        return -ENAMETOOLONG;
    (void)unlink(other); /* of a run that was cut short */
    const int fd = open(other, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    FILE *out = fdopen(fd, "w");
    if (!out) {
        const int error = -errno;
        (void)close(fd);
        (void)unlink(other);
        return error;
    }
    int error = qr_card_print(card, format, out);
    if (error == 0 && fsync(fd) < 0)
        error = -errno;
    if (fclose(out) != 0 && error == 0)
        error = -errno;
    if (error == 0 && rename(other, path) < 0)
        error = -errno;
    if (error < 0)
        (void)unlink(other); /* ours, and not whole */
    return error;
}
