/* Is there something like a QR code in view? A cheap look for a code's three finder squares, for the hint to a person whose
 * code can't be read. Pure; called by eye.c for frames in which the decoder found nothing. */
#ifndef VISION_FINDER_H
#define VISION_FINDER_H

#include <stdbool.h>
#include <stdint.h>

/* Dark on light or light on dark, at any angle, blurred or pale, as long as all three squares can be made out. The work is
 * bounded whatever the picture shows, nothing is allocated, and padding between rows isn't looked at. */
bool finder_sees_code(const uint8_t *luma, int width_px, int height_px, int stride_bytes);

#endif
