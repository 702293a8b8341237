/* QR decoder on zxing-cpp's C API, built in where that is installed. Used by the eye and by qrgatectl look, from their one
 * thread, as one more look beside libzbar: what was said there of libraries that read strangers' pictures holds here too. */
#include "hw/decoder.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ZXing/ZXingC.h>

#include "hw/camera.h"

/* Parts of a Structured Append count against the library's bound, so it is larger than ours. */
enum { SYMBOLS_MAX = 4 * DECODER_CODES_MAX };

/* The C API doesn't tell a part of a Structured Append from a whole code. The library does, in a member function that takes the
 * symbol alone: the very object behind the C API's pointer. The build looks whether the library has it. -1: a whole code. */
int zxing_sequence_size(const ZXing_Barcode *symbol) __asm__("_ZNK5ZXing6Result12sequenceSizeEv");

struct zxing_decoder {
    struct decoder base;
    ZXing_ReaderOptions *options;
    uint8_t bytes[DECODER_CODES_MAX][DECODER_PAYLOAD_MAX_BYTES]; /* what the library gave, until the next scan */
};

static ZXing_ReaderOptions *make_options(void)
{
    ZXing_ReaderOptions *options = ZXing_ReaderOptions_new();
    if (!options)
        return NULL;
    ZXing_ReaderOptions_setFormats(options, ZXing_BarcodeFormat_QRCode);
    ZXing_ReaderOptions_setTryHarder(options, true);
    ZXing_ReaderOptions_setTryRotate(options, true);
    ZXing_ReaderOptions_setTryInvert(options, true);
    ZXing_ReaderOptions_setTryDownscale(options, true);
    ZXing_ReaderOptions_setReturnErrors(options, false);
    ZXing_ReaderOptions_setMaxNumberOfSymbols(options, SYMBOLS_MAX);
    return options;
}

static bool is_whole_code(const ZXing_Barcode *symbol)
{
    return ZXing_Barcode_isValid(symbol) && ZXing_Barcode_format(symbol) == ZXing_BarcodeFormat_QRCode &&
           zxing_sequence_size(symbol) < 0;
}

/* The bytes as they stand in the code, never the text: the library guesses at character sets for that. */
static bool fill_code(const ZXing_Barcode *symbol, uint8_t place[DECODER_PAYLOAD_MAX_BYTES], struct decoder_code *code)
{
    int length = 0;
    uint8_t *bytes = ZXing_Barcode_bytes(symbol, &length);
    const bool fits = bytes && length > 0 && length <= DECODER_PAYLOAD_MAX_BYTES;
    if (fits) {
        memcpy(place, bytes, (size_t)length);
        const ZXing_Position at = ZXing_Barcode_position(symbol);
        *code = (struct decoder_code){
            .bytes = place,
            .length_bytes = (size_t)length,
            .corner_x = {at.topLeft.x, at.bottomLeft.x, at.bottomRight.x, at.topRight.x},
            .corner_y = {at.topLeft.y, at.bottomLeft.y, at.bottomRight.y, at.topRight.y},
        };
    }
    ZXing_free(bytes);
    return fits;
}

static int zxing_decoder_scan(struct decoder *base, const struct decoder_picture *picture,
                              struct decoder_code ret_codes[DECODER_CODES_MAX])
{
    struct zxing_decoder *decoder = (struct zxing_decoder *)base;
    if (!picture->luma || picture->width_px < 1 || picture->width_px > CAMERA_SIDE_MAX_PX || picture->height_px < 1 ||
        picture->height_px > CAMERA_SIDE_MAX_PX || picture->stride_bytes < picture->width_px)
        return -EINVAL;

    ZXing_ImageView *view = ZXing_ImageView_new(picture->luma, picture->width_px, picture->height_px, ZXing_ImageFormat_Lum,
                                                picture->stride_bytes, 1);
    if (!view)
        return -ENOMEM;
    ZXing_Barcodes *symbols = ZXing_ReadBarcodes(view, decoder->options);
    ZXing_ImageView_delete(view);
    if (!symbols)
        return -EIO;

    const int found = ZXing_Barcodes_size(symbols);
    int count = 0;
    for (int i = 0; i < found && count < DECODER_CODES_MAX; i++) {
        const ZXing_Barcode *symbol = ZXing_Barcodes_at(symbols, i);
        if (is_whole_code(symbol) && fill_code(symbol, decoder->bytes[count], &ret_codes[count]))
            count++;
    }
    ZXing_Barcodes_delete(symbols);
    return count;
}

static void zxing_decoder_free(struct decoder *base)
{
    struct zxing_decoder *decoder = (struct zxing_decoder *)base;
    if (decoder->options)
        ZXing_ReaderOptions_delete(decoder->options);
    free(decoder);
}

struct decoder *decoder_zxing_new(void)
{
    static const struct decoder_ops ops = {.scan = zxing_decoder_scan, .free = zxing_decoder_free};

    struct zxing_decoder *decoder = calloc(1, sizeof *decoder);
    if (!decoder)
        return NULL;
    decoder->base.ops = &ops;
    decoder->options = make_options();
    if (!decoder->options) {
        zxing_decoder_free(&decoder->base);
        return NULL; // cppcheck-suppress memleak; its base is its first member
    }
    return &decoder->base;
}

void decoder_zxing_version(char *ret_text, size_t text_bytes)
{
    (void)snprintf(ret_text, text_bytes, "%s", ZXing_Version());
}
