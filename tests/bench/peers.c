/* The lane's vision and ZBar in its several ways as bench_vision.c calls them; quirc where it is installed. */
#include "tests/bench/peers.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <zbar.h>
#if QRG_PEER_QUIRC
#include <quirc.h>
#endif

#include "daemon/vision/reader.h"
#include "hw/camera.h"
#include "tests/bench/render.h"

void peer_texts_clear(struct peer_texts *texts)
{
    texts->count = 0;
    texts->start[0] = 0;
}

void peer_texts_add(struct peer_texts *texts, const void *bytes, size_t length_bytes)
{
    const size_t from = texts->start[texts->count];
    if (texts->count == PEER_TEXTS_MAX || length_bytes > PEER_STORE_BYTES - from)
        return;
    memcpy(texts->store + from, bytes, length_bytes);
    texts->start[++texts->count] = from + length_bytes;
}

/* ---- the lane's -------------------------------------------------------------------------------------------------- */

struct lane {
    struct decoder *decoder;
    struct reader *reader;
    int width_px, height_px;
};

/* The reader's time limits are held in processor time, so that a busy machine doesn't change the figures. Under
 * valgrind, where everything takes fifty times as long, QRG_BENCH_CLOCK=stopped takes them away. */
static int64_t processor_us(void *userdata)
{
    struct timespec now;
    (void)userdata;
    if (getenv("QRG_BENCH_CLOCK"))
        return 0;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now); /* can't fail with this clock */
    return now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000;
}

static void lane_close(void *self)
{
    struct lane *lane = self;
    reader_free(lane->reader);
    decoder_free(lane->decoder);
    free(lane);
}

static void *lane_open(void)
{
    struct lane *lane = calloc(1, sizeof *lane);
    if (!lane)
        return NULL;
    lane->decoder = decoder_new(DECODER_ZBAR);
    if (!lane->decoder) {
        lane_close(lane);
        return NULL;
    }
    return lane;
}

/* A reader is made for its frames' size; a bench that can't go on says so by ending. */
static void fit(struct lane *lane, const struct decoder_picture *picture)
{
    if (lane->reader && picture->width_px == lane->width_px && picture->height_px == lane->height_px)
        return;
    reader_free(lane->reader);
    lane->width_px = picture->width_px;
    lane->height_px = picture->height_px;
    const struct reader_settings settings = {.width_max_px = picture->width_px,
                                             .height_max_px = picture->height_px,
                                             .decoders = {lane->decoder},
                                             .clock_us = processor_us};
    if (reader_new(&settings, &lane->reader) < 0)
        abort();
}

static void take(const struct reader_result *result, struct peer_texts *ret_texts)
{
    for (int i = 0; i < result->codes_count; i++)
        peer_texts_add(ret_texts, result->codes[i].code.bytes, result->codes[i].code.length_bytes);
}

static void lane_looks(void *self, const struct decoder_picture *picture, int looks, struct peer_texts *ret_texts)
{
    struct lane *lane = self;
    struct reader_result result;
    peer_texts_clear(ret_texts);
    fit(lane, picture);
    if (reader_picture(lane->reader, picture, looks, &result) < 0)
        abort();
    take(&result, ret_texts);
}

static void lane_first(void *self, const struct decoder_picture *picture, struct peer_texts *ret_texts)
{
    lane_looks(self, picture, 1, ret_texts);
}

static void lane_two(void *self, const struct decoder_picture *picture, struct peer_texts *ret_texts)
{
    lane_looks(self, picture, 2, ret_texts);
}

static void lane_eight(void *self, const struct decoder_picture *picture, struct peer_texts *ret_texts)
{
    lane_looks(self, picture, READER_LOOKS, ret_texts);
}

static void lane_frame(void *self, const struct decoder_picture *picture, struct peer_texts *ret_texts)
{
    struct lane *lane = self;
    struct reader_result result;
    peer_texts_clear(ret_texts);
    fit(lane, picture);
    if (reader_frame(lane->reader, picture, &result) < 0)
        abort();
    take(&result, ret_texts);
}

/* ---- ZBar -------------------------------------------------------------------------------------------------------- */

struct zbar {
    zbar_image_scanner_t *scanner;
    zbar_processor_t *processor;
    zbar_image_t *image;
};

static void zbar_close(void *self)
{
    struct zbar *zbar = self;
    if (zbar->image)
        zbar_image_destroy(zbar->image);
    if (zbar->scanner)
        zbar_image_scanner_destroy(zbar->scanner);
    if (zbar->processor)
        zbar_processor_destroy(zbar->processor);
    free(zbar);
}

static void *zbar_open(void)
{
    struct zbar *zbar = calloc(1, sizeof *zbar);
    if (!zbar)
        return NULL;
    zbar->scanner = zbar_image_scanner_create();
    zbar->image = zbar_image_create();
    if (!zbar->scanner || !zbar->image) {
        zbar_close(zbar);
        return NULL;
    }
    (void)zbar_image_scanner_request_dbus(zbar->scanner, 0); /* fails where it was built without, which is as good */
    return zbar;
}

/* Binary too: in text mode it guesses at the character set, and most of its wrong texts are that. */
static void *zbar_open_qr(void)
{
    struct zbar *zbar = zbar_open();
    if (zbar && (zbar_image_scanner_set_config(zbar->scanner, ZBAR_NONE, ZBAR_CFG_ENABLE, 0) != 0 ||
                 zbar_image_scanner_set_config(zbar->scanner, ZBAR_QRCODE, ZBAR_CFG_ENABLE, 1) != 0 ||
                 zbar_image_scanner_set_config(zbar->scanner, ZBAR_QRCODE, ZBAR_CFG_BINARY, 1) != 0)) {
        zbar_close(zbar);
        return NULL;
    }
    return zbar;
}

/* As the command zbarimg does it: a processor without window or camera, every symbology. */
static void *zbar_open_processor(void)
{
    struct zbar *zbar = calloc(1, sizeof *zbar);
    if (!zbar)
        return NULL;
    zbar->processor = zbar_processor_create(0);
    zbar->image = zbar_image_create();
    if (!zbar->processor || !zbar->image || zbar_processor_init(zbar->processor, NULL, 0) != 0) {
        zbar_close(zbar);
        return NULL;
    }
    (void)zbar_processor_request_dbus(zbar->processor, 0); /* as above */
    return zbar;
}

static void take_symbols(const zbar_image_t *image, struct peer_texts *ret_texts)
{
    for (const zbar_symbol_t *symbol = zbar_image_first_symbol(image); symbol; symbol = zbar_symbol_next(symbol))
        if (zbar_symbol_get_type(symbol) == ZBAR_QRCODE)
            peer_texts_add(ret_texts, zbar_symbol_get_data(symbol), zbar_symbol_get_data_length(symbol));
}

static void zbar_read(void *self, const struct decoder_picture *picture, struct peer_texts *ret_texts)
{
    struct zbar *zbar = self;
    peer_texts_clear(ret_texts);
    zbar_image_set_format(zbar->image, zbar_fourcc('Y', '8', '0', '0'));
    zbar_image_set_size(zbar->image, (unsigned)picture->width_px, (unsigned)picture->height_px);
    zbar_image_set_data(zbar->image, picture->luma,
                        (unsigned long)picture->width_px * (unsigned long)picture->height_px, NULL);
    const int found = zbar->processor ? zbar_process_image(zbar->processor, zbar->image)
                                      : zbar_scan_image(zbar->scanner, zbar->image);
    if (found >= 0)
        take_symbols(zbar->image, ret_texts);
    zbar_image_set_data(zbar->image, NULL, 0, NULL);
}

/* zbarcam's way from a camera's JPEG: ZBar converts it itself. */
static void zbar_read_jpeg(void *self, const uint8_t *jpeg, size_t jpeg_bytes, struct peer_texts *ret_texts)
{
    struct zbar *zbar = self;
    peer_texts_clear(ret_texts);
    zbar_image_set_format(zbar->image, zbar_fourcc('J', 'P', 'E', 'G'));
    zbar_image_set_size(zbar->image, RENDER_WIDTH_PX, RENDER_HEIGHT_PX);
    zbar_image_set_data(zbar->image, jpeg, jpeg_bytes, NULL);
    if (zbar_process_image(zbar->processor, zbar->image) >= 0)
        take_symbols(zbar->image, ret_texts);
    zbar_image_set_data(zbar->image, NULL, 0, NULL);
}

/* ---- quirc ------------------------------------------------------------------------------------------------------- */

#if QRG_PEER_QUIRC
static void *quirc_open(void) { return quirc_new(); }

static void quirc_close(void *self) { quirc_destroy(self); }

static void quirc_read(void *self, const struct decoder_picture *picture, struct peer_texts *ret_texts)
{
    struct quirc_code code;
    struct quirc_data data;
    peer_texts_clear(ret_texts);
    if (quirc_resize(self, picture->width_px, picture->height_px) < 0)
        return;
    memcpy(quirc_begin(self, NULL, NULL), picture->luma, (size_t)picture->width_px * (size_t)picture->height_px);
    quirc_end(self);
    for (int i = 0; i < quirc_count(self); i++) {
        quirc_extract(self, i, &code);
        if (quirc_decode(&code, &data) == QUIRC_SUCCESS)
            peer_texts_add(ret_texts, data.payload, (size_t)data.payload_len);
    }
}
#endif

/* ---- all --------------------------------------------------------------------------------------------------------- */

static const struct peer ours[] = {
    {"lane, first look", lane_open, lane_first, lane_close, NULL, NULL},
    {"lane, two looks", lane_open, lane_two, lane_close, NULL, NULL},
    {"lane, eight looks", lane_open, lane_eight, lane_close, NULL, NULL},
    {"lane, living view", lane_open, lane_frame, lane_close, NULL, NULL},
    {"ZBar default", zbar_open, zbar_read, zbar_close, NULL, NULL},
    {"ZBar QR only", zbar_open_qr, zbar_read, zbar_close, NULL, NULL},
    {"zbarimg's way", zbar_open_processor, zbar_read, zbar_close, NULL, zbar_read_jpeg},
#if QRG_PEER_QUIRC
    {"quirc", quirc_open, quirc_read, quirc_close, NULL, NULL},
#else
    {"quirc", NULL, NULL, NULL, "not installed when this was built (libquirc-dev)", NULL},
#endif
#if !QRG_PEER_ZXING
    {"zxing-cpp", NULL, NULL, NULL, "not installed when this was built (libzxing-dev)", NULL},
#endif
#if !QRG_PEER_OPENCV
    {"OpenCV", NULL, NULL, NULL, "not installed when this was built (libopencv-dev)", NULL},
#endif
};
static const struct peer *const others[] = {
#if QRG_PEER_ZXING
    &peer_zxing,  &peer_zxing_fast,
#endif
#if QRG_PEER_OPENCV
    &peer_opencv, &peer_wechat, &peer_wechat_plain,
#endif
    NULL,
};
enum { OURS = sizeof ours / sizeof *ours, OTHERS = sizeof others / sizeof *others - 1 };

int peers_count(void) { return OURS + OTHERS; }

const struct peer *peer_at(int index) { return index < OURS ? &ours[index] : others[index - OURS]; }

const struct peer *peer_named(const char *name)
{
    for (int i = 0; i < peers_count(); i++)
        if (strcmp(peer_at(i)->name, name) == 0)
            return peer_at(i);
    return NULL;
}
