/* luma -> payloads of the QR codes in it. Used by the eye process only: a decoder is a stranger's C fed by strangers. */
#ifndef HW_DECODER_H
#define HW_DECODER_H

#include <stddef.h>
#include <stdint.h>

enum { DECODER_PAYLOAD_MAX_BYTES = 7089, /* ISO/IEC 18004: version 40-L, numeric */
       DECODER_CODES_MAX = 4 };

struct decoder_picture {
    const uint8_t *luma;
    int width_px, height_px, stride_bytes;
};

/* One code. `bytes` belongs to the decoder until its next scan or free; any byte value, not terminated. */
struct decoder_code {
    const uint8_t *bytes;
    size_t length_bytes;
    int corner_x[4], corner_y[4];
};

struct decoder;
struct decoder *decoder_zbar_new(void); /* NULL: no memory */
/* Number of codes found (0…DECODER_CODES_MAX), or a negative errno. Parts of a Structured Append are no codes. */
int decoder_scan(struct decoder *decoder, const struct decoder_picture *picture,
                 struct decoder_code ret_codes[DECODER_CODES_MAX]);
void decoder_free(struct decoder *decoder); /* accepts NULL */

struct decoder_ops {
    int (*scan)(struct decoder *decoder, const struct decoder_picture *picture,
                struct decoder_code ret_codes[DECODER_CODES_MAX]);
    void (*free)(struct decoder *decoder);
};
struct decoder { /* first member of every decoder's own struct */
    const struct decoder_ops *ops;
};

#endif
