/* Raw camera formats -> luma. Called by the camera drivers and the picture loader, in the eye process and in qrgatectl
 * look, from their one thread. Knows nothing of devices; the JPEG decoder is libjpeg, kept for the life of the camera. */
#include "hw/luma.h"

#include <errno.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <jpeglib.h>
#include <jerror.h>

#include "hw/camera.h"

struct luma_jpeg {
    struct jpeg_decompress_struct decompress;
    struct jpeg_error_mgr errors;
    struct jpeg_source_mgr source;
    jmp_buf escape;
    bool broken;  /* a warning that means pixels are missing or wrong */
    bool ran_dry; /* the data ended before the end-of-image marker */
};

int luma_from_yuyv(const uint8_t *src, size_t src_bytes, int src_stride_bytes, int width_px, int height_px,
                   uint8_t *dst)
{
    if (width_px <= 0 || height_px <= 0 || width_px > CAMERA_SIDE_MAX_PX || height_px > CAMERA_SIDE_MAX_PX ||
        src_stride_bytes < 2 * width_px)
        return -EBADMSG;

    const size_t width = (size_t)width_px, height = (size_t)height_px, stride = (size_t)src_stride_bytes;
    if (src_bytes < stride * (height - 1) + 2 * width)
        return -EBADMSG;

    for (size_t y = 0; y < height; y++) {
        const uint8_t *row = src + y * stride;
        uint8_t *out = dst + y * width;
        for (size_t x = 0; x < width; x++)
            out[x] = row[2 * x];
    }
    return 0;
}

static void on_error(j_common_ptr info)
{
    struct luma_jpeg *jpeg = info->client_data;
    longjmp(jpeg->escape, 1);
}

/* A camera's frame may carry stray bytes before a marker or an odd JFIF version and still be whole; every other warning
 * is data lost on the wire. */
static void on_message(j_common_ptr info, int level)
{
    struct luma_jpeg *jpeg = info->client_data;
    if (level >= 0)
        return;
    const int code = info->err->msg_code;
    if (code != JWRN_EXTRANEOUS_DATA && code != JWRN_JFIF_MAJOR && code != JWRN_ADOBE_XFORM)
        jpeg->broken = true;
}

static void print_nothing(j_common_ptr info)
{
    (void)info;
}

static void source_nothing(j_decompress_ptr info)
{
    (void)info;
}

/* All data is in memory from the start, so a wish for more means that it was cut off. The made-up marker lets libjpeg
 * come to an end; whether pixels were missing shows in its warnings (a frame that lacks only the marker is whole). */
static boolean source_fill(j_decompress_ptr info)
{
    static const JOCTET end_of_image[2] = {0xFF, JPEG_EOI};
    struct luma_jpeg *jpeg = info->client_data;
    jpeg->ran_dry = true;
    info->src->next_input_byte = end_of_image;
    info->src->bytes_in_buffer = sizeof end_of_image;
    return TRUE;
}

static void source_skip(j_decompress_ptr info, long count)
{
    if (count <= 0)
        return;
    if ((size_t)count >= info->src->bytes_in_buffer) {
        (void)source_fill(info);
        return;
    }
    info->src->next_input_byte += count;
    info->src->bytes_in_buffer -= (size_t)count;
}

/* On its own because of setjmp: libjpeg says "no memory" that way only. */
static bool create_decompress(struct luma_jpeg *jpeg)
{
    if (setjmp(jpeg->escape))
        return false;
    jpeg_create_decompress(&jpeg->decompress);
    return true;
}

struct luma_jpeg *luma_jpeg_new(void)
{
    struct luma_jpeg *jpeg = calloc(1, sizeof *jpeg);
    if (!jpeg)
        return NULL;

    jpeg->decompress.err = jpeg_std_error(&jpeg->errors);
    jpeg->errors.error_exit = on_error;
    jpeg->errors.emit_message = on_message;
    jpeg->errors.output_message = print_nothing;
    jpeg->decompress.client_data = jpeg;
    if (!create_decompress(jpeg)) {
        luma_jpeg_free(jpeg);
        return NULL;
    }

    jpeg->source.init_source = source_nothing;
    jpeg->source.fill_input_buffer = source_fill;
    jpeg->source.skip_input_data = source_skip;
    jpeg->source.resync_to_restart = jpeg_resync_to_restart;
    jpeg->source.term_source = source_nothing;
    jpeg->decompress.src = &jpeg->source;
    return jpeg;
}

void luma_jpeg_free(struct luma_jpeg *jpeg)
{
    if (!jpeg)
        return;
    jpeg_destroy_decompress(&jpeg->decompress);
    free(jpeg);
}

/* Runs under the setjmp of its caller: no resources of its own. */
static int decode(struct luma_jpeg *jpeg, uint8_t *dst, size_t dst_bytes)
{
    struct jpeg_decompress_struct *info = &jpeg->decompress;
    if (jpeg_read_header(info, TRUE) != JPEG_HEADER_OK)
        return -EBADMSG;
    if (info->image_width > CAMERA_SIDE_MAX_PX || info->image_height > CAMERA_SIDE_MAX_PX ||
        (size_t)info->image_width * info->image_height > dst_bytes)
        return -E2BIG;

    info->out_color_space = JCS_GRAYSCALE;
    if (!jpeg_start_decompress(info))
        return -EBADMSG;
    const size_t width = info->output_width;
    while (info->output_scanline < info->output_height) {
        JSAMPROW row = dst + info->output_scanline * width;
        if (jpeg_read_scanlines(info, &row, 1) != 1)
            return -EBADMSG;
    }
    /* A progressive picture that ends early is blurred without a warning. */
    return jpeg->broken || (jpeg->ran_dry && info->progressive_mode) ? -EBADMSG : 0;
}

int luma_from_jpeg(struct luma_jpeg *jpeg, const uint8_t *src, size_t src_bytes, uint8_t *dst, size_t dst_bytes,
                   int *ret_width_px, int *ret_height_px)
{
    jpeg->broken = false;
    jpeg->ran_dry = false;
    jpeg->source.next_input_byte = src;
    jpeg->source.bytes_in_buffer = src_bytes;

    if (setjmp(jpeg->escape)) {
        jpeg_abort_decompress(&jpeg->decompress);
        return -EBADMSG;
    }
    const int result = decode(jpeg, dst, dst_bytes);
    if (result == 0) {
        *ret_width_px = (int)jpeg->decompress.output_width;
        *ret_height_px = (int)jpeg->decompress.output_height;
    }
    jpeg_abort_decompress(&jpeg->decompress); /* not finish: what follows the last row is no concern of ours */
    return result;
}
