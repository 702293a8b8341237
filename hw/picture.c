/* A picture file -> luma. Called by the replay camera when a picture is first shown, by qrgatectl look and by tests; one
 * thread. */
#include "hw/picture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <png.h>

#include "hw/camera.h"
#include "hw/luma.h"

enum { HEAD_BYTES = 512 }; /* a PGM header with a comment or two fits */

struct picture_loader {
    struct luma_jpeg *jpeg;
    uint8_t *file; /* PICTURE_FILE_MAX_BYTES, of which only what a file fills is ever touched */
};

struct picture_loader *picture_loader_new(void)
{
    struct picture_loader *loader = calloc(1, sizeof *loader);
    if (!loader)
        return NULL;
    loader->jpeg = luma_jpeg_new();
    loader->file = malloc(PICTURE_FILE_MAX_BYTES);
    if (!loader->jpeg || !loader->file) {
        picture_loader_free(loader);
        return NULL;
    }
    return loader;
}

void picture_loader_free(struct picture_loader *loader)
{
    if (!loader)
        return;
    luma_jpeg_free(loader->jpeg);
    free(loader->file);
    free(loader);
}

/* Reads until `bytes` are there or the file ends; returns how many, or a negative errno. */
static ssize_t read_at(int fd, uint8_t *dst, size_t bytes, off_t offset)
{
    size_t done = 0;
    while (done < bytes) {
        const ssize_t got = pread(fd, dst + done, bytes - done, offset + (off_t)done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (got == 0)
            break;
        done += (size_t)got;
    }
    return (ssize_t)done;
}

static bool is_space(uint8_t byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

/* The next number of a PGM header; comments run from '#' to the end of the line. */
static bool pgm_number(const uint8_t *head, size_t head_bytes, size_t *position, int *ret_number)
{
    size_t at = *position;
    while (at < head_bytes && (is_space(head[at]) || head[at] == '#')) {
        if (head[at] == '#')
            while (at < head_bytes && head[at] != '\n')
                at++;
        else
            at++;
    }

    int number = 0, digits = 0;
    for (; at < head_bytes && head[at] >= '0' && head[at] <= '9' && digits < 6; at++, digits++)
        number = 10 * number + (head[at] - '0');
    *position = at;
    *ret_number = number;
    return digits > 0;
}

static int load_pgm(int fd, const uint8_t *head, size_t head_bytes, uint8_t *dst, size_t dst_bytes, int *ret_width_px,
                    int *ret_height_px)
{
    size_t position = 2; /* behind "P5" */
    int width = 0, height = 0, white = 0;
    if (!pgm_number(head, head_bytes, &position, &width) || !pgm_number(head, head_bytes, &position, &height) ||
        !pgm_number(head, head_bytes, &position, &white))
        return -EBADMSG;
    if (position >= head_bytes || !is_space(head[position]) || width < 1 || height < 1 || white < 1 || white > 255)
        return -EBADMSG;
    position++; /* one white space, then the pixels */

    const size_t bytes = (size_t)width * (size_t)height;
    if (width > CAMERA_SIDE_MAX_PX || height > CAMERA_SIDE_MAX_PX || bytes > dst_bytes)
        return -E2BIG;
    const ssize_t got = read_at(fd, dst, bytes, (off_t)position);
    if (got < 0)
        return (int)got;
    if ((size_t)got != bytes)
        return -EBADMSG;

    for (size_t i = 0; white < 255 && i < bytes; i++)
        dst[i] = dst[i] >= white ? 255 : (uint8_t)(dst[i] * 255 / white);
    *ret_width_px = width;
    *ret_height_px = height;
    return 0;
}

static int load_png(const uint8_t *file, size_t file_bytes, uint8_t *dst, size_t dst_bytes, int *ret_width_px,
                    int *ret_height_px)
{
    png_image image = {.version = PNG_IMAGE_VERSION};
    const png_color white = {255, 255, 255};
    int result = -EBADMSG;
    if (!png_image_begin_read_from_memory(&image, file, file_bytes))
        goto out;

    image.format = PNG_FORMAT_GRAY;
    result = -E2BIG;
    if (image.width > CAMERA_SIDE_MAX_PX || image.height > CAMERA_SIDE_MAX_PX ||
        (size_t)image.width * image.height > dst_bytes)
        goto out;

    result = -EBADMSG;
    if (!png_image_finish_read(&image, &white, dst, (png_int_32)image.width, NULL))
        goto out;
    *ret_width_px = (int)image.width;
    *ret_height_px = (int)image.height;
    result = 0;
out:
    png_image_free(&image);
    return result;
}

static int load_packed(struct picture_loader *loader, int fd, bool is_png, uint8_t *dst, size_t dst_bytes,
                       int *ret_width_px, int *ret_height_px)
{
    const ssize_t got = read_at(fd, loader->file, PICTURE_FILE_MAX_BYTES, 0);
    if (got < 0)
        return (int)got;
    if (got == PICTURE_FILE_MAX_BYTES)
        return -E2BIG;
    if (is_png)
        return load_png(loader->file, (size_t)got, dst, dst_bytes, ret_width_px, ret_height_px);
    return luma_from_jpeg(loader->jpeg, loader->file, (size_t)got, dst, dst_bytes, ret_width_px, ret_height_px);
}

int picture_load(struct picture_loader *loader, int folder_fd, const char *name, uint8_t *dst, size_t dst_bytes,
                 int *ret_width_px, int *ret_height_px)
{
    static const uint8_t png_magic[] = {0x89, 'P', 'N', 'G'}, jpeg_magic[] = {0xFF, 0xD8}, pgm_magic[] = {'P', '5'};
    /* O_NONBLOCK: a FIFO of that name must not hang the camera. */
    const int fd = openat(folder_fd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return -errno;

    int result = -EBADMSG;
    struct stat status;
    if (fstat(fd, &status) < 0) {
        result = -errno;
        goto out;
    }
    if (!S_ISREG(status.st_mode))
        goto out;

    uint8_t head[HEAD_BYTES];
    const ssize_t got = read_at(fd, head, sizeof head, 0);
    if (got < (ssize_t)sizeof png_magic) {
        result = got < 0 ? (int)got : -EBADMSG;
        goto out;
    }
    if (memcmp(head, pgm_magic, sizeof pgm_magic) == 0)
        result = load_pgm(fd, head, (size_t)got, dst, dst_bytes, ret_width_px, ret_height_px);
    else if (memcmp(head, png_magic, sizeof png_magic) == 0)
        result = load_packed(loader, fd, true, dst, dst_bytes, ret_width_px, ret_height_px);
    else if (memcmp(head, jpeg_magic, sizeof jpeg_magic) == 0)
        result = load_packed(loader, fd, false, dst, dst_bytes, ret_width_px, ret_height_px);
out:
    close(fd);
    return result;
}
