/* One card: a code with its holder's name and a line below. Drawn alone (qr_card.c) or many to a sheet (cards.c). */
#ifndef CTL_PRINT_CARD_H
#define CTL_PRINT_CARD_H

#include "daemon/ctl/print/sheet.h"

/* 5 × 5 cm is the size asked of a personal code (without its margin). Version 4 is the smallest whose margin fits the card. */
#define CARD_WIDTH_MM (190.0 / 3)
#define CARD_HEIGHT_MM 70.0
#define CARD_CODE_MM 50.0
enum { CARD_LEAST_VERSION = 4 };

void card_draw(struct sheet *sheet, const struct qr *qr, double left_mm, double top_mm, const char *title, const char *line);

#endif
