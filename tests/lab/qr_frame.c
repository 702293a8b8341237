/* What a camera would see:  qr_frame [TEXT]  writes one 1280x720 GREY picture to stdout, a gray wall or, held before
 * it, TEXT as a QR code on white. Used by the lab's cases to feed the simulated camera. */
#include <qrencode.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH_PX = 1280, HEIGHT_PX = 720, MODULE_PX = 8, QUIET_MODULES = 4, WALL = 128, WHITE = 235, BLACK = 16 };

static uint8_t luma_at(const QRcode *code, int x, int y)
{
    if (!code)
        return WALL;
    int paper_px = (code->width + 2 * QUIET_MODULES) * MODULE_PX;
    int paper_x = x - (WIDTH_PX - paper_px) / 2, paper_y = y - (HEIGHT_PX - paper_px) / 2;
    if (paper_x < 0 || paper_y < 0 || paper_x >= paper_px || paper_y >= paper_px)
        return WALL;
    int column = paper_x / MODULE_PX - QUIET_MODULES, row = paper_y / MODULE_PX - QUIET_MODULES;
    if (column < 0 || row < 0 || column >= code->width || row >= code->width)
        return WHITE;
    return code->data[row * code->width + column] & 1 ? BLACK : WHITE;
}

int main(int argc, char **argv)
{
    QRcode *code = NULL;
    if (argc == 2 &&
        !(code = QRcode_encodeData((int)strlen(argv[1]), (const unsigned char *)argv[1], 0, QR_ECLEVEL_M))) {
        perror("qr_frame: this is no QR code");
        return 1;
    }
    for (int y = 0; y < HEIGHT_PX; y++) {
        uint8_t row[WIDTH_PX];
        for (int x = 0; x < WIDTH_PX; x++)
            row[x] = luma_at(code, x, y);
        if (fwrite(row, sizeof row, 1, stdout) != 1)
            return 1;
    }
    QRcode_free(code);
    return fflush(stdout) == 0 ? 0 : 1;
}
