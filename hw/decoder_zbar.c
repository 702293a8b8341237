/* QR decoder on libzbar. Used by the eye and by qrgatectl look, from their one thread: the library reads pictures that
 * strangers hold up, so nothing of the gate's may live in the same process. */
#include "hw/decoder.h"

#include <errno.h>
#include <iconv.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zbar.h>

#include "hw/camera.h"

enum { SCANS_PER_SCANNER = 1000, ZBAR_WORD_BYTES = 8, ISO8859_PARTS = 16, CHARSETS_MAX = ISO8859_PARTS + 4 };

struct zbar_decoder {
    struct decoder base;
    zbar_image_scanner_t *scanner;
    zbar_image_t *image;
    bool scanner_grows; /* libzbar before 0.23.93 leaks with every scan */
    int scans;          /* of this scanner */
    iconv_t charsets[CHARSETS_MAX];
    int charsets_count;
};

/* QR only: all symbologies cost three times as much, and a gate has no use for them. Binary: text mode guesses at
 * Shift-JIS and Big5 and garbles Vietnamese names. */
static zbar_image_scanner_t *make_scanner(void)
{
    zbar_image_scanner_t *scanner = zbar_image_scanner_create();
    if (!scanner)
        return NULL;

    const struct {
        zbar_symbol_type_t symbol;
        zbar_config_t config;
        int value;
    } settings[] = {
        {ZBAR_NONE, ZBAR_CFG_ENABLE, 0},        {ZBAR_QRCODE, ZBAR_CFG_ENABLE, 1},
        {ZBAR_QRCODE, ZBAR_CFG_BINARY, 1},      {ZBAR_NONE, ZBAR_CFG_X_DENSITY, 1},
        {ZBAR_NONE, ZBAR_CFG_Y_DENSITY, 1},
    };
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        if (zbar_image_scanner_set_config(scanner, settings[i].symbol, settings[i].config, settings[i].value) != 0) {
            zbar_image_scanner_destroy(scanner);
            return NULL;
        }
    zbar_image_scanner_enable_cache(scanner, 0);
    /* Never a payload on the bus; fails where libzbar was built without it, which is as good. */
    (void)zbar_image_scanner_request_dbus(scanner, 0);
    return scanner;
}

/* libzbar opens character sets for every code, binary or not, and further ones that a stranger's code names (ECI);
 * glibc then loads modules from disk, which the eye's sandbox forbids. Held open here, the modules are already there.
 * A set that this system lacks is left out: libzbar does without it too. */
static void hold_charsets(struct zbar_decoder *decoder)
{
    char names[CHARSETS_MAX][24] = {"UTF-8", "SJIS", "BIG-5", "CP437"};
    for (int part = 1; part <= ISO8859_PARTS; part++)
        (void)snprintf(names[3 + part], sizeof names[0], "ISO8859-%d", part);

    for (int i = 0; i < CHARSETS_MAX; i++) {
        const iconv_t charset = iconv_open("UTF-8", names[i]);
        if (charset != (iconv_t)-1)
            decoder->charsets[decoder->charsets_count++] = charset;
    }
}

/* libzbar knows no stride, so a padded row is a wider picture with a crop; but it reads the padding too (the last
 * row's may not exist), and the inverted copy is made in whole words of 8 bytes. The rows that may be read under
 * both conditions: at most a few fewer at the bottom, where a code has its quiet zone. */
static int readable_rows(const struct decoder_picture *picture)
{
    const long stride = picture->stride_bytes;
    const long bytes = stride * (picture->height_px - 1) + picture->width_px;
    long rows = bytes / stride;
    while (rows > 0 && rows * stride % ZBAR_WORD_BYTES != 0)
        rows--;
    return (int)rows;
}

/* A part of a Structured Append is "partial", and all its parts in one picture are a composite: neither is what one
 * person holds up as one code. */
static bool is_whole_code(const zbar_symbol_t *symbol)
{
    return zbar_symbol_get_type(symbol) == ZBAR_QRCODE && !zbar_symbol_get_components(symbol);
}

static bool fill_code(const zbar_symbol_t *symbol, struct decoder_code *code)
{
    const size_t length = zbar_symbol_get_data_length(symbol); /* never strlen: a payload may hold NULs */
    const void *bytes = zbar_symbol_get_data(symbol);
    if (!bytes || length == 0 || length > DECODER_PAYLOAD_MAX_BYTES)
        return false;

    *code = (struct decoder_code){.bytes = bytes, .length_bytes = length};
    const unsigned corners = zbar_symbol_get_loc_size(symbol);
    for (unsigned i = 0; i < 4 && i < corners; i++) {
        code->corner_x[i] = zbar_symbol_get_loc_x(symbol, i);
        code->corner_y[i] = zbar_symbol_get_loc_y(symbol, i);
    }
    return true;
}

static int renew_scanner(struct zbar_decoder *decoder)
{
    zbar_image_scanner_t *fresh = make_scanner();
    if (!fresh)
        return -ENOMEM;
    zbar_image_set_symbols(decoder->image, NULL); /* they go back to the scanner that made them */
    zbar_image_scanner_destroy(decoder->scanner);
    decoder->scanner = fresh;
    decoder->scans = 0;
    return 0;
}

static int zbar_decoder_scan(struct decoder *base, const struct decoder_picture *picture,
                             struct decoder_code ret_codes[DECODER_CODES_MAX])
{
    struct zbar_decoder *decoder = (struct zbar_decoder *)base;
    if (!picture->luma || picture->width_px < 1 || picture->width_px > CAMERA_SIDE_MAX_PX || picture->height_px < 1 ||
        picture->height_px > CAMERA_SIDE_MAX_PX || picture->stride_bytes < picture->width_px)
        return -EINVAL;
    const int rows = readable_rows(picture);
    if (rows == 0)
        return 0;

    if (decoder->scanner_grows && decoder->scans >= SCANS_PER_SCANNER) {
        const int result = renew_scanner(decoder);
        if (result < 0)
            return result;
    }
    decoder->scans++;

    const unsigned stride = (unsigned)picture->stride_bytes;
    zbar_image_set_size(decoder->image, stride, (unsigned)rows);
    zbar_image_set_crop(decoder->image, 0, 0, (unsigned)picture->width_px, (unsigned)rows);
    zbar_image_set_data(decoder->image, picture->luma, (unsigned long)stride * (unsigned long)rows, NULL);
    if (zbar_image_scanner_set_config(decoder->scanner, ZBAR_NONE, ZBAR_CFG_TEST_INVERTED, !picture->is_dark_on_light) != 0)
        return -EIO;
    const int symbols = zbar_scan_image(decoder->scanner, decoder->image);
    zbar_image_set_data(decoder->image, NULL, 0, NULL); /* the picture isn't ours beyond this call */
    if (symbols < 0)
        return -EIO;

    int count = 0;
    for (const zbar_symbol_t *symbol = zbar_image_first_symbol(decoder->image); symbol && count < DECODER_CODES_MAX;
         symbol = zbar_symbol_next(symbol))
        if (is_whole_code(symbol) && fill_code(symbol, &ret_codes[count]))
            count++;
    return count;
}

static void zbar_decoder_free(struct decoder *base)
{
    struct zbar_decoder *decoder = (struct zbar_decoder *)base;
    if (decoder->image)
        zbar_image_destroy(decoder->image);
    if (decoder->scanner)
        zbar_image_scanner_destroy(decoder->scanner);
    for (int i = 0; i < decoder->charsets_count; i++)
        (void)iconv_close(decoder->charsets[i]);
    free(decoder);
}

struct decoder *decoder_zbar_new(void)
{
    static const struct decoder_ops ops = {.scan = zbar_decoder_scan, .free = zbar_decoder_free};

    struct zbar_decoder *decoder = calloc(1, sizeof *decoder);
    if (!decoder)
        return NULL;
    decoder->base.ops = &ops;
    decoder->scanner = make_scanner();
    decoder->image = zbar_image_create();
    if (!decoder->scanner || !decoder->image) {
        zbar_decoder_free(&decoder->base);
        return NULL; // cppcheck-suppress memleak; its base is its first member
    }
    zbar_image_set_format(decoder->image, zbar_fourcc('Y', '8', '0', '0'));

    unsigned major = 0, minor = 0, patch = 0;
    (void)zbar_version(&major, &minor, &patch);
    decoder->scanner_grows = major == 0 && (minor < 23 || (minor == 23 && patch < 93));
    hold_charsets(decoder);
    return &decoder->base;
}

void decoder_zbar_version(char *ret_text, size_t text_bytes)
{
    unsigned major = 0, minor = 0, patch = 0;
    (void)zbar_version(&major, &minor, &patch);
    (void)snprintf(ret_text, text_bytes, "%u.%u.%u", major, minor, patch);
}
