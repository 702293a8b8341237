/* luma -> payloads of the QR codes in it. A decoder is a stranger's C fed by strangers: of the daemon's processes only the eye
 * uses one; qrgatectl look, which has no gate to lose, does too. */
#ifndef HW_DECODER_H
#define HW_DECODER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DECODER_PAYLOAD_MAX_BYTES = 7089, /* ISO/IEC 18004: version 40-L, numeric */
       DECODER_CODES_MAX = 4 };

struct decoder_picture {
    const uint8_t *luma;
    int width_px, height_px, stride_bytes;
    bool is_dark_on_light; /* for certain: a decoder needn't look for the inverse too. False: it may be either */
};

/* One code. `bytes` belongs to the decoder until its next scan or free; any byte value, not terminated. */
struct decoder_code {
    const uint8_t *bytes;
    size_t length_bytes;
    int corner_x[4], corner_y[4];
};

/* zxing is built in where its C API was found at build time; the names are the configuration's words. */
enum decoder_kind { DECODER_ZBAR, DECODER_ZXING, DECODER_KINDS };
const char *decoder_name(enum decoder_kind kind); /* "zbar", "zxing" */
bool decoder_is_built_in(enum decoder_kind kind);
void decoder_version(enum decoder_kind kind, char *ret_text, size_t text_bytes); /* the library's, "0.23.92"; "" without it */

struct decoder;
struct decoder *decoder_new(enum decoder_kind kind); /* NULL: no memory, or not built in */
struct decoder *decoder_zbar_new(void);              /* NULL: no memory */
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

/* For decoder.c alone, which knows what is built in. */
void decoder_zbar_version(char *ret_text, size_t text_bytes);
struct decoder *decoder_zxing_new(void);
void decoder_zxing_version(char *ret_text, size_t text_bytes);

#endif
