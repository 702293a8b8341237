/* A picture file (PNG, JPEG, PGM "P5") -> luma. Used by the replay camera, in the eye process, by qrgatectl look
 * and by tests; one thread. */
#ifndef HW_PICTURE_H
#define HW_PICTURE_H

#include <stddef.h>
#include <stdint.h>

enum { PICTURE_FILE_MAX_BYTES = 8 * 1024 * 1024 }; /* of a PNG or JPEG */

struct picture_loader;
struct picture_loader *picture_loader_new(void); /* NULL: no memory */
void picture_loader_free(struct picture_loader *loader); /* accepts NULL */

/* Loads `name` in the folder `folder_fd` (openat rules) into dst, rows packed; the format is told from the content.
 * A PGM costs no allocation and no copy; libpng and libjpeg allocate for themselves. -EBADMSG: broken or of no known
 * format; -E2BIG: more than dst_bytes or CAMERA_SIDE_MAX_PX; any other negative errno: the file can't be read. */
int picture_load(struct picture_loader *loader, int folder_fd, const char *name, uint8_t *dst, size_t dst_bytes,
                 int *ret_width_px, int *ret_height_px);

#endif
