/* Fuzzes the lane's vision: any bytes as a picture of any legal size, through all looks and as frames of a living view. The first
 * bytes say the size and what the rest is: gray levels, black and white squares, or the modules of a code of which the fixed
 * parts are right, seen aslant. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/vision/qr_shape.h"
#include "daemon/vision/reader.h"

/* The area is kept small, for many inputs a second. */
enum { HEAD_BYTES = 8, SIDE_MAX = 4096, AREA_MAX = 80 * 80, LOOKS_AREA_MAX = 3 * 80 * 80, FRAMES = 2 };
enum kind { GRAYS, SQUARES, CODE, KINDS };

struct shape {
    int width, height, stride, module_px, looks;
    enum kind kind;
    bool is_inverted;
    int shear; /* of a code: sixteenths of a pixel a row */
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* For limits.c: up to eight looks at a picture, with sanitizers that make each several times slower. */
extern const int64_t fuzz_limit_us;
const int64_t fuzz_limit_us = 500000;

static struct decoder *decoder;
static int64_t now_us, step_us;

/* libzbar opens its character sets here, before the wall of runner.c. */
__attribute__((constructor)) static void begin(void)
{
    decoder = decoder_new(DECODER_ZBAR);
    if (!decoder)
        abort();
}

static int64_t tell_us(void *userdata)
{
    (void)userdata;
    return now_us += step_us;
}

static void require(bool holds, const char *what)
{
    if (holds)
        return;
    (void)fprintf(stderr, "fuzz_vision: broken: %s\n", what);
    abort();
}

static struct shape shape_of(const uint8_t head[HEAD_BYTES])
{
    struct shape shape = {.width = 1 + (head[0] | (head[1] & 15) << 8), .kind = (enum kind)(head[2] % KINDS),
                          .module_px = 1 + head[3] % 6, .is_inverted = (head[4] & 8) != 0, .looks = 1 + (head[4] & 7),
                          .shear = head[5] % 16};
    shape.height = 1 + head[6] * (head[1] >> 4) / 4;
    const int looks_area = LOOKS_AREA_MAX / (shape.looks + FRAMES), area = looks_area < AREA_MAX ? looks_area : AREA_MAX;
    if (shape.height > area / shape.width)
        shape.height = area / shape.width;
    shape.height = shape.height > 0 ? shape.height : 1;
    shape.stride = shape.width + head[7] % 9;
    return shape;
}

static bool bit_of(const uint8_t *data, size_t size, size_t at)
{
    return size > 0 && (data[at / 8 % size] >> at % 8 & 1) != 0;
}

static void draw(const struct shape *shape, const uint8_t *data, size_t size, uint8_t *luma)
{
    static uint8_t fixed[QR_SIDE_MAX * QR_SIDE_MAX];
    const int side = QR_SIDE_MIN + QR_SIDE_STEP * (size > 0 ? data[0] % 4 : 0);
    qr_fixed_modules(side, fixed);
    for (int y = 0; y < shape->height; y++)
        for (int x = 0; x < shape->width; x++) {
            const int column = (x - y * shape->shear / 16) / shape->module_px - 2, row = y / shape->module_px - 2;
            const bool inside = column >= 0 && row >= 0 && column < side && row < side;
            const size_t i = (size_t)y * (size_t)shape->width + (size_t)x;
            const size_t square = (size_t)(y / shape->module_px) * (size_t)shape->width + (size_t)(x / shape->module_px);
            uint8_t level = 230;
            if (shape->kind == GRAYS)
                level = size > 0 ? data[i % size] : 0;
            else if (shape->kind == SQUARES)
                level = bit_of(data, size, square) ? 20 : 235;
            else if (inside && fixed[row * side + column] != QR_MODULE_DATA)
                level = fixed[row * side + column] ? 30 : 220;
            else if (inside)
                level = bit_of(data, size, (size_t)(row * side + column)) ? 30 : 220;
            luma[(size_t)y * (size_t)shape->stride + (size_t)x] = shape->is_inverted ? (uint8_t)(255 - level) : level;
        }
}

static void check(const struct reader_result *result)
{
    require(result->codes_count >= 0 && result->codes_count <= DECODER_CODES_MAX, "a number of codes");
    require((unsigned)result->hint < READER_HINT_COUNT && strcmp(reader_hint_name(result->hint), "unknown") != 0, "a hint");
    require(result->look >= 0 && result->look < READER_LOOKS, "a look");
    require(result->codes_count == 0 || (result->hint == READER_HINT_NONE && result->has_region), "what is read is in nobody's way");
    for (int i = 0; i < result->codes_count; i++)
        require(result->codes[i].code.bytes != NULL && result->codes[i].code.length_bytes > 0 &&
                    result->codes[i].code.length_bytes <= DECODER_PAYLOAD_MAX_BYTES && result->codes[i].how != NULL, "a payload");
    for (int i = 0; i < 4 && result->has_region; i++)
        require(abs(result->region_x[i]) <= 1000000 && abs(result->region_y[i]) <= 1000000, "a region");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < HEAD_BYTES)
        return 0;
    const struct shape shape = shape_of(data);
    step_us = 2000 + 500 * (data[4] >> 4); /* of a budget of 20 ms: it ends in the middle of looks */
    require(shape.width <= SIDE_MAX, "a legal size");
    /* Its exact size, the last row without padding, so that a sanitizer sees a byte too far. */
    const size_t bytes = (size_t)(shape.height - 1) * (size_t)shape.stride + (size_t)shape.width;
    uint8_t *luma = calloc(1, bytes);
    struct reader *reader = NULL;
    const struct reader_settings settings = {.width_max_px = shape.width, .height_max_px = shape.height,
                                             .decoders = {decoder}, .clock_us = tell_us};
    require(luma != NULL && reader_new(&settings, &reader) == 0, "a reader");
    draw(&shape, data + HEAD_BYTES, size - HEAD_BYTES, luma);
    const struct decoder_picture picture = {luma, shape.width, shape.height, shape.stride, false};
    struct reader_result result;
    require(reader_picture(reader, &picture, shape.looks, &result) == 0, "a picture is looked at");
    check(&result);
    for (int frame = 0; frame < FRAMES; frame++) {
        require(reader_frame(reader, &picture, &result) == 0, "a frame is looked at");
        check(&result);
        luma[bytes / 2] ^= 0xff;
    }
    reader_free(reader);
    free(luma);
    return 0;
}
