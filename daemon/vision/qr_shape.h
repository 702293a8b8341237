/* What is the same in all QR codes of one size (ISO/IEC 18004): finder, timing and alignment patterns, the version, and the
 * words that a format may be. Pure; used by fit.c and grid.c. Positions are in modules from the code's top left corner. */
#ifndef VISION_QR_SHAPE_H
#define VISION_QR_SHAPE_H

#include <stdbool.h>
#include <stdint.h>

enum { QR_SIDE_MIN = 21, QR_SIDE_MAX = 177, QR_SIDE_STEP = 4, QR_ALIGNMENTS_MAX = 7, QR_FINDER_MODULES = 7 };

enum qr_module { QR_MODULE_LIGHT, QR_MODULE_DARK, QR_MODULE_DATA };

/* Rows and columns in which alignment patterns have their centres; 0 for the smallest code. */
int qr_alignments(int side_modules, uint8_t ret_at[QR_ALIGNMENTS_MAX]);
bool qr_has_alignment(int count, int column, int row); /* of the count x count places: not where finders are */
/* side x side of enum qr_module. */
void qr_fixed_modules(int side_modules, uint8_t *ret_modules);
/* Bits by which 15 bits, as drawn, differ from the nearest format that exists; which one that is (five bits: error correction and
 * mask). */
int qr_format_distance(uint32_t bits, int *ret_format);
uint32_t qr_format_bits(int format); /* as drawn */

#endif
