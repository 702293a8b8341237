/* Paper: pages in millimetres, drawn once and written as SVG or PDF by cairo. Codes to the exact size, texts that fit their
 * place whatever the name. For posters and cards, in qrgatectl. Texts are UTF-8 and are drawn as shapes, so that a page looks
 * alike wherever it is printed. */
#ifndef CTL_PRINT_PAGE_H
#define CTL_PRINT_PAGE_H

#include <stdio.h>

#include "daemon/ctl/print/qr.h"

enum page_format { PAGE_SVG /* one page */, PAGE_PDF };

struct page {
    void *surface, *context; /* cairo's */
    FILE *out;
    double width_mm, height_mm;
    int write_error;
    unsigned missing_letter; /* the first that no font on this machine has; 0: none */
};

/* Takes a zeroed page; `out` is borrowed. Negative errno. */
int page_open(struct page *page, enum page_format format, FILE *out, double width_mm, double height_mm);
/* Ends this page and begins the next. */
void page_next(struct page *page);
/* 0 or negative errno: all is written, or not. Accepts a zeroed page. */
int page_close(struct page *page);

/* The code's dark modules, without its margin, which is the caller's to keep white. */
void page_code(struct page *page, const struct qr *qr, double left_mm, double top_mm, double side_mm);
void page_line(struct page *page, double x1_mm, double y1_mm, double x2_mm, double y2_mm); /* thin, grey: where to cut */
void page_bar(struct page *page, double left_mm, double top_mm, double width_mm, double height_mm); /* black */

/* A text in a box, each line in its middle, the lines from the top: as large as `height_mm` of a line where it fits, smaller
 * where it doesn't, in as many lines as `lines`. */
struct page_text {
    double left_mm, top_mm, width_mm;
    double height_mm; /* of one line */
    int lines;
    bool bold, white;
    bool measured; /* only: nothing is drawn */
};
/* How much of the box it takes, in mm from the top; a text too long for it at half the size is cut with "…". */
double page_text(struct page *page, const struct page_text *box, const char *text);

#endif
