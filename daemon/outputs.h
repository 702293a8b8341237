/* Which outputs the gate at work drives, kept where qrgate-safe finds it whatever has become of the configuration since: the
 * file "outputs" in the folder that systemd gives the unit. A line for each wired output: "relay active_low GPIO17". */
#ifndef OUTPUTS_H
#define OUTPUTS_H

#include "hw/lines.h"

enum { OUTPUTS_TEXT_BYTES = LINE_OUT_COUNT * (LINE_NAME_BYTES + 32) };

/* The file's text, without a NUL. Its length, or -EINVAL: a name that no line of a file can hold. */
int outputs_print(const struct line_settings out[LINE_OUT_COUNT], char ret_text[OUTPUTS_TEXT_BYTES]);
/* 0, or -EBADMSG when it isn't exactly what outputs_print() writes; *ret is then all unwired. */
int outputs_parse(const char *text, size_t length_bytes, struct line_settings ret[LINE_OUT_COUNT]);

/* `folders`: $RUNTIME_DIRECTORY, whose first counts; NULL: there is none. By the daemon before it opens its lines; replaces
 * the file as a whole. Without a folder 0, and nothing is kept. */
int outputs_keep(const char *folders, const struct line_settings out[LINE_OUT_COUNT]);
/* By qrgate-safe. -ENOENT: nothing was kept. */
int outputs_kept(const char *folders, struct line_settings ret[LINE_OUT_COUNT]);

#endif
