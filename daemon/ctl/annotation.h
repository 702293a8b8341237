/* A picture with what the vision found drawn in. look.c and annotation.c only. */
#ifndef CTL_ANNOTATION_H
#define CTL_ANNOTATION_H

#include "daemon/vision/reader.h"

enum { ANNOTATION_PATH_BYTES = 1024 };

/* Writes FOLDER/NAME.look.png, NAME without its own folder: the picture in gray, outlines of codes in green with a dot
 * at the first corner, an unread code's place in orange. 0 or a negative errno; ret_path is for the message. */
int annotation_draw(const char *folder, const char *name, const struct decoder_picture *picture,
                    const struct reader_result *result, char ret_path[ANNOTATION_PATH_BYTES]);
const char *annotation_base_name(const char *path); /* behind the last '/' */

#endif
