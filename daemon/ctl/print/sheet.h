/* Paper: pages in millimetres, drawn once and written as SVG or PDF by cairo. Codes to the exact size, texts that fit their
 * place whatever the name. For posters and cards, in qrgatectl. Texts are UTF-8 and are drawn as shapes, so that a page looks
 * alike wherever it is printed. */
#ifndef CTL_PRINT_SHEET_H
#define CTL_PRINT_SHEET_H

#include <stdio.h>

#include "daemon/ctl/print/qr.h"

enum sheet_format { SHEET_SVG /* one page */, SHEET_PDF };

struct sheet {
    void *surface, *context; /* cairo's */
    FILE *out;
    double width_mm, height_mm;
    int write_error;
    unsigned missing_letter; /* the first that no font on this machine has; 0: none */
};

/* Takes a zeroed page; `out` is borrowed. Negative errno. */
int sheet_open(struct sheet *sheet, enum sheet_format format, FILE *out, double width_mm, double height_mm);
/* Ends this page and begins the next. */
void sheet_next(struct sheet *sheet);
/* 0 or negative errno: all is written, or not. Accepts a zeroed page. */
int sheet_close(struct sheet *sheet);

/* The code's dark modules, without its margin, which is the caller's to keep white. */
void sheet_code(struct sheet *sheet, const struct qr *qr, double left_mm, double top_mm, double side_mm);
void sheet_line(struct sheet *sheet, double x1_mm, double y1_mm, double x2_mm, double y2_mm); /* thin, grey: where to cut */
void sheet_bar(struct sheet *sheet, double left_mm, double top_mm, double width_mm, double height_mm); /* black */

/* A text in a box, each line in its middle, the lines from the top: as large as `height_mm` of a line where it fits, smaller
 * where it doesn't, in as many lines as `lines`. */
struct sheet_text {
    double left_mm, top_mm, width_mm;
    double height_mm; /* of one line */
    int lines;
    bool bold, white;
    bool measured; /* only: nothing is drawn */
};
/* How much of the box it takes, in mm from the top; a text too long for it at half the size is cut with "…". */
double sheet_text(struct sheet *sheet, const struct sheet_text *box, const char *text);

#endif
