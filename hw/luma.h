/* Raw camera formats -> luma. Pure; broken input is -EBADMSG, never a crash. Called by the camera drivers. */
#ifndef HW_LUMA_H
#define HW_LUMA_H

#include <stddef.h>
#include <stdint.h>

/* YUYV 4:2:2 rows of src_stride_bytes -> packed luma. 0 or -EBADMSG when src_bytes is too short for the size. */
int luma_from_yuyv(const uint8_t *src, size_t src_bytes, int src_stride_bytes, int width_px, int height_px, uint8_t *dst);

/* JPEG decoder that is created once and used for every frame; gray only (chroma is skipped). */
struct luma_jpeg;
struct luma_jpeg *luma_jpeg_new(void); /* NULL: no memory */
void luma_jpeg_free(struct luma_jpeg *jpeg);
/* Decodes into dst (dst_bytes large). Writes size to ret_*. -EBADMSG: truncated or not a JPEG; -E2BIG: larger than
 * dst or CAMERA_SIDE_MAX_PX. */
int luma_from_jpeg(struct luma_jpeg *jpeg, const uint8_t *src, size_t src_bytes, uint8_t *dst, size_t dst_bytes,
                   int *ret_width_px, int *ret_height_px);

#endif
