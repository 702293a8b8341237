/* A card's picture. */
#include "daemon/ctl/print/card.h"

static const double TEXT_MARGIN_MM = 2.5, TITLE_MM = 4.4, LINE_MM = 3.2;

void card_draw(struct sheet *sheet, const struct qr *qr, double left_mm, double top_mm, const char *title, const char *line)
{
    const double quiet_mm = QR_QUIET_MODULES * CARD_CODE_MM / qr->side;
    struct sheet_text box = { .left_mm = left_mm + TEXT_MARGIN_MM, .top_mm = top_mm + CARD_CODE_MM + 2 * quiet_mm,
                             .width_mm = CARD_WIDTH_MM - 2 * TEXT_MARGIN_MM, .height_mm = TITLE_MM, .lines = 1, .bold = true };
    sheet_code(sheet, qr, left_mm + (CARD_WIDTH_MM - CARD_CODE_MM) / 2, top_mm + quiet_mm, CARD_CODE_MM);
    if (title[0] != '\0')
        box.top_mm += sheet_text(sheet, &box, title);
    box.height_mm = LINE_MM;
    box.bold = false;
    if (line[0] != '\0')
        (void)sheet_text(sheet, &box, line);
}
