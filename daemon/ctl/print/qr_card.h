/* A code drawn: as a card with the holder's name and its validity below, SVG or PDF; as PNG; or as text of half blocks. For
 * the commands that make passes, in qrgatectl. */
#ifndef CTL_PRINT_QR_CARD_H
#define CTL_PRINT_QR_CARD_H

#include <stdbool.h>
#include <stdio.h>

enum qr_format { QR_SVG, QR_PDF, QR_PNG, QR_TEXT, QR_FORMAT_COUNT };

struct qr_card {
    const char *code;               /* in QR's alphanumeric set, as Base45 is; UTF-8 otherwise */
    const char *title, *line;       /* UTF-8 on one line each, SVG and PDF alone; "" = none */
    bool robust;                    /* for paper: bears dirt and creases (level M instead of L) */
    bool coloured;                  /* QR_TEXT: terminal colours, so that light is light on any terminal */
};

/* What --out says: a file's name by its ending, or the bare word svg, pdf, png or txt for standard output. */
bool qr_format_from_name(const char *name, enum qr_format *ret_format, bool *ret_to_stdout);
#define QR_ALLOWED_OUT \
    "allowed is a file that ends in .svg, .pdf, .png or .txt, or the word svg, pdf, png or txt for standard output"

/* 0 or negative errno: -EMSGSIZE when the code is too long for a QR. */
int qr_card_print(const struct qr_card *card, enum qr_format format, FILE *out);
/* Into a file, 0600 since who holds a pass is let in; an old one of that name is replaced, whole or not at all. */
int qr_card_write(const struct qr_card *card, enum qr_format format, const char *path);

#endif
