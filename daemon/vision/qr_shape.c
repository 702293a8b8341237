/* The fixed parts of a QR code. Pure; used by fit.c and grid.c. */
#include "daemon/vision/qr_shape.h"

#include <string.h>

enum { TIMING = 6, FORMATS = 32, FORMAT_BITS = 15, FORMAT_REST_BITS = 10, FORMAT_POLYNOMIAL = 0x537, FORMAT_MASK = 0x5412,
       VERSION_DRAWN_MIN = 7, VERSION_BITS = 18, VERSION_REST_BITS = 12, VERSION_POLYNOMIAL = 0x1f25 };

int qr_alignments(int side_modules, uint8_t ret_at[QR_ALIGNMENTS_MAX])
{
    const int version = (side_modules - 17) / QR_SIDE_STEP;
    if (version < 2 || version > 40)
        return 0;
    const int count = version / 7 + 2;
    const int step = (version * 8 + count * 3 + 5) / (count * 4 - 4) * 2;
    ret_at[0] = TIMING;
    for (int i = 1; i < count && i < QR_ALIGNMENTS_MAX; i++)
        ret_at[i] = (uint8_t)(side_modules - 7 - (count - 1 - i) * step);
    return count;
}

bool qr_has_alignment(int count, int column, int row)
{
    return !((row == 0 && (column == 0 || column == count - 1)) || (row == count - 1 && column == 0));
}

/* `data` and the rest that makes it divisible. */
static uint32_t with_rest(uint32_t data, int rest_bits, uint32_t polynomial)
{
    uint32_t rest = data << rest_bits;
    for (int i = 31; i >= rest_bits; i--)
        if (rest >> i & 1)
            rest ^= polynomial << (i - rest_bits);
    return data << rest_bits | rest;
}

/* Larger codes say their version, twice; it is as fixed as the rest. */
static void draw_version(uint8_t *modules, int side)
{
    const int version = (side - 17) / QR_SIDE_STEP;
    if (version < VERSION_DRAWN_MIN)
        return;
    const uint32_t bits = with_rest((uint32_t)version, VERSION_REST_BITS, VERSION_POLYNOMIAL);
    for (int i = 0; i < VERSION_BITS; i++) {
        const uint8_t module = bits >> i & 1 ? QR_MODULE_DARK : QR_MODULE_LIGHT;
        modules[i / 3 * side + side - 11 + i % 3] = modules[(side - 11 + i % 3) * side + i / 3] = module;
    }
}

/* Concentric squares: dark at a distance of 0, 1 and 3 from a finder's centre, of 0 and 2 from an alignment's. */
static void draw_squares(uint8_t *modules, int side, int x, int y, int reach, bool is_finder)
{
    for (int dy = -reach; dy <= reach; dy++)
        for (int dx = -reach; dx <= reach; dx++) {
            if (x + dx < 0 || y + dy < 0 || x + dx >= side || y + dy >= side)
                continue;
            const int ax = dx < 0 ? -dx : dx, ay = dy < 0 ? -dy : dy, away = ax > ay ? ax : ay;
            const bool dark = is_finder ? away < 2 || away == 3 : away != 1;
            modules[(y + dy) * side + x + dx] = dark ? QR_MODULE_DARK : QR_MODULE_LIGHT;
        }
}

void qr_fixed_modules(int side_modules, uint8_t *ret_modules)
{
    const int side = side_modules;
    uint8_t at[QR_ALIGNMENTS_MAX];
    memset(ret_modules, QR_MODULE_DATA, (size_t)side * (size_t)side);
    for (int i = 0; i < side; i++)
        ret_modules[TIMING * side + i] = ret_modules[i * side + TIMING] = i % 2 == 0 ? QR_MODULE_DARK : QR_MODULE_LIGHT;
    const int count = qr_alignments(side, at);
    for (int row = 0; row < count; row++)
        for (int column = 0; column < count; column++)
            if (qr_has_alignment(count, column, row))
                draw_squares(ret_modules, side, at[column], at[row], 2, false);
    draw_squares(ret_modules, side, 3, 3, 4, true);
    draw_squares(ret_modules, side, side - 4, 3, 4, true);
    draw_squares(ret_modules, side, 3, side - 4, 4, true);
    ret_modules[(side - 8) * side + 8] = QR_MODULE_DARK;
    draw_version(ret_modules, side);
}

uint32_t qr_format_bits(int format)
{
    return with_rest((uint32_t)format, FORMAT_REST_BITS, FORMAT_POLYNOMIAL) ^ FORMAT_MASK;
}

int qr_format_distance(uint32_t bits, int *ret_format)
{
    int least = FORMAT_BITS;
    for (int format = 0; format < FORMATS; format++) {
        const int distance = __builtin_popcount((bits ^ qr_format_bits(format)) & 0x7fff);
        if (distance < least) {
            least = distance;
            *ret_format = format;
        }
    }
    return least;
}
