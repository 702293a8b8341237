/* Pages by cairo. */
#include "daemon/ctl/print/sheet.h"

#include <cairo-pdf.h>
#include <cairo-svg.h>
#include <cairo.h>
#include <errno.h>
#include <fontconfig/fontconfig.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#define POINTS_PER_MM (72.0 / 25.4)
#define FONT "DejaVu Sans"
/* Of a line's height: the letters' size, and where they stand. Vietnamese capitals carry two marks above. */
static const double LETTERS = 0.78, BASELINE = 0.80, SHRINK = 0.94, SMALLEST = 0.5;
enum { LINES_MAX = 4, LINE_BYTES = 512 };

static cairo_status_t write_bytes(void *closure, const unsigned char *bytes, unsigned length)
{
    struct sheet *sheet = closure;
    if (fwrite(bytes, 1, length, sheet->out) == length)
        return CAIRO_STATUS_SUCCESS;
    sheet->write_error = errno != 0 ? -errno : -EIO;
    return CAIRO_STATUS_WRITE_ERROR;
}

static int error_of(cairo_status_t status)
{
    return status == CAIRO_STATUS_SUCCESS ? 0 : status == CAIRO_STATUS_NO_MEMORY ? -ENOMEM : -EIO;
}

int sheet_open(struct sheet *sheet, enum sheet_format format, FILE *out, double width_mm, double height_mm)
{
    const double width = width_mm * POINTS_PER_MM, height = height_mm * POINTS_PER_MM;
    *sheet = (struct sheet){ .out = out, .width_mm = width_mm, .height_mm = height_mm };
    sheet->surface = format == SHEET_SVG ? cairo_svg_surface_create_for_stream(write_bytes, sheet, width, height)
                                       : cairo_pdf_surface_create_for_stream(write_bytes, sheet, width, height);
    if (format == SHEET_PDF)
        cairo_pdf_surface_restrict_to_version(sheet->surface, CAIRO_PDF_VERSION_1_4);
    sheet->context = cairo_create(sheet->surface); /* never NULL: errors stick to it and are asked for at the end */
    cairo_scale(sheet->context, POINTS_PER_MM, POINTS_PER_MM);
    cairo_set_source_rgb(sheet->context, 1, 1, 1); /* an SVG on a dark screen would be dark on dark */
    cairo_paint(sheet->context);
    cairo_set_source_rgb(sheet->context, 0, 0, 0);
    return error_of(cairo_status(sheet->context));
}

void sheet_next(struct sheet *sheet)
{
    cairo_show_page(sheet->context);
}

int sheet_close(struct sheet *sheet)
{
    if (!sheet->context)
        return 0;
    int error = error_of(cairo_status(sheet->context));
    cairo_destroy(sheet->context);
    cairo_surface_finish(sheet->surface); /* writes the rest */
    if (error == 0)
        error = error_of(cairo_surface_status(sheet->surface));
    cairo_surface_destroy(sheet->surface);
    sheet->context = sheet->surface = NULL;
    cairo_debug_reset_static_data(); /* both keep fonts for the next drawing: tools that look for leaks would find them */
    FcFini();
    return sheet->write_error < 0 ? sheet->write_error : error;
}

/* ---- shapes ------------------------------------------------------------------------------------------------------ */

/* Runs of a row as one rectangle each, in one path: no hair lines between modules, whatever draws it. */
void sheet_code(struct sheet *sheet, const struct qr *qr, double left_mm, double top_mm, double side_mm)
{
    cairo_t *c = sheet->context;
    const double module = side_mm / qr->side;
    for (int y = 0; y < qr->side; y++)
        for (int x = 0; x < qr->side; x++) {
            int run = 0;
            while (qr_dark(qr, x + run, y))
                run++;
            if (run > 0)
                cairo_rectangle(c, left_mm + x * module, top_mm + y * module, run * module, module);
            x += run;
        }
    cairo_set_antialias(c, CAIRO_ANTIALIAS_NONE);
    cairo_fill(c);
    cairo_set_antialias(c, CAIRO_ANTIALIAS_DEFAULT);
}

void sheet_line(struct sheet *sheet, double x1_mm, double y1_mm, double x2_mm, double y2_mm)
{
    static const double dashes[] = { 1.5, 1.5 };
    cairo_t *c = sheet->context;
    cairo_save(c);
    cairo_set_source_rgb(c, 0.7, 0.7, 0.7);
    cairo_set_line_width(c, 0.15);
    cairo_set_dash(c, dashes, 2, 0);
    cairo_move_to(c, x1_mm, y1_mm);
    cairo_line_to(c, x2_mm, y2_mm);
    cairo_stroke(c);
    cairo_restore(c);
}

void sheet_bar(struct sheet *sheet, double left_mm, double top_mm, double width_mm, double height_mm)
{
    cairo_rectangle(sheet->context, left_mm, top_mm, width_mm, height_mm);
    cairo_fill(sheet->context);
}

/* ---- texts ------------------------------------------------------------------------------------------------------- */

struct lines {
    char text[LINES_MAX][LINE_BYTES];
    int count;
};

static double width_of(cairo_t *c, const char *text)
{
    cairo_text_extents_t extents;
    cairo_text_extents(c, text, &extents);
    return extents.x_advance;
}

/* Up to `most` bytes of text onto a line's end; false: it doesn't fit the buffer. */
static bool join(char line[LINE_BYTES], const char *word, size_t word_bytes)
{
    const size_t used = strlen(line), space = used > 0;
    if (used + space + word_bytes >= LINE_BYTES)
        return false;
    if (space)
        line[used] = ' ';
    memcpy(line + used + space, word, word_bytes);
    line[used + space + word_bytes] = '\0';
    return true;
}

/* Word by word. False: it takes more lines, or a word alone is wider. */
static bool break_lines(cairo_t *c, const char *text, double width_mm, int most, struct lines *ret)
{
    char tried[LINE_BYTES];
    *ret = (struct lines){ .count = 1 };
    for (text += strspn(text, " "); *text; text += strspn(text, " ")) {
        const size_t bytes = strcspn(text, " ");
        memcpy(tried, ret->text[ret->count - 1], LINE_BYTES);
        if (!join(tried, text, bytes))
            return false;
        if (width_of(c, tried) > width_mm) {
            if (ret->count == most || ret->text[ret->count - 1][0] == '\0')
                return false;
            tried[0] = '\0';
            ret->count++;
            if (!join(tried, text, bytes) || width_of(c, tried) > width_mm)
                return false;
        }
        memcpy(ret->text[ret->count - 1], tried, LINE_BYTES);
        text += bytes;
    }
    return true;
}

/* The beginning that fits one line, with "…". */
static void cut(cairo_t *c, const char *text, double width_mm, struct lines *ret)
{
    char *line = ret->text[0];
    size_t length = strlen(text) < LINE_BYTES - 4 ? strlen(text) : LINE_BYTES - 4;
    *ret = (struct lines){ .count = 1 };
    do {
        while (length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80) /* not in the middle of a letter */
            length--;
        memcpy(line, text, length);
        (void)strcpy(line + length, "…");
    } while (width_of(c, line) > width_mm && length-- > 0);
}

/* A letter that no font has is a box on paper: better said than hung on a door. */
static void look_for_missing(struct sheet *sheet, const char *text)
{
    cairo_scaled_font_t *font = cairo_get_scaled_font(sheet->context);
    cairo_glyph_t *glyphs = NULL;
    int count = 0;
    if (cairo_scaled_font_text_to_glyphs(font, 0, 0, text, -1, &glyphs, &count, NULL, NULL, NULL) != CAIRO_STATUS_SUCCESS)
        return;
    const utf8proc_uint8_t *at = (const utf8proc_uint8_t *)text;
    for (int i = 0; i < count && sheet->missing_letter == 0; i++) {
        utf8proc_int32_t letter = 0;
        const utf8proc_ssize_t bytes = utf8proc_iterate(at, -1, &letter);
        if (bytes <= 0)
            break;
        if (glyphs[i].index == 0)
            sheet->missing_letter = (unsigned)letter;
        at += bytes;
    }
    cairo_glyph_free(glyphs);
}

double sheet_text(struct sheet *sheet, const struct sheet_text *box, const char *text)
{
    cairo_t *c = sheet->context;
    /* Letter and mark as one sign, as the font has it. */
    utf8proc_uint8_t *composed = utf8proc_NFC((const utf8proc_uint8_t *)text);
    const char *drawn = composed ? (const char *)composed : text;
    const int most = box->lines < LINES_MAX ? box->lines : LINES_MAX;
    double height = box->height_mm;
    struct lines lines;
    cairo_select_font_face(c, FONT, CAIRO_FONT_SLANT_NORMAL, box->bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
    cairo_set_font_size(c, height * LETTERS);
    while (!break_lines(c, drawn, box->width_mm, most, &lines)) {
        height *= SHRINK;
        cairo_set_font_size(c, height * LETTERS);
        if (height < box->height_mm * SMALLEST) {
            cut(c, drawn, box->width_mm, &lines);
            break;
        }
    }
    cairo_set_source_rgb(c, box->white, box->white, box->white);
    for (int i = 0; i < lines.count && !box->measured; i++) {
        cairo_move_to(c, box->left_mm + (box->width_mm - width_of(c, lines.text[i])) / 2, box->top_mm + (i + BASELINE) * height);
        cairo_show_text(c, lines.text[i]);
        look_for_missing(sheet, lines.text[i]);
    }
    cairo_set_source_rgb(c, 0, 0, 0);
    free(composed);
    return lines.count * height;
}
