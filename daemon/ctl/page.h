/* Printed pages: one HTML file that needs nothing else, for A4 and for a screen. qrgatectl alone. */
#ifndef CTL_PAGE_H
#define CTL_PAGE_H

#include <stdio.h>

#include "daemon/ctl/lang.h"

/* From <!doctype> to the open <main>, with the style sheet. `title` is a text, not yet escaped. */
void page_begin(FILE *out, const struct lang *lang, const char *title);
void page_end(FILE *out); /* closes main and the rest */
/* A text, escaped: in a cell or an attribute nothing of it can be markup. */
void page_text(FILE *out, const char *text);
/* <TAG CLASS>text</TAG>; `class` NULL or "" = none. */
void page_element(FILE *out, const char *tag, const char *class_name, const char *text);
/* A field of RFC 4180; one that a spreadsheet would take for a formula gets a ' before it. */
void csv_field(FILE *out, const char *text);

#endif
