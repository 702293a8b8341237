/* What the GPIO drivers share: reading a line's name, finding the one line that bears it, judging a kernel's timestamp.
 * For hw/lines*.c and their test only; the rest of the program sees hw/lines.h. Runs in the main thread, at open. */
#ifndef HW_LINES_WIRING_H
#define HW_LINES_WIRING_H

#include "hw/lines.h"

enum { LINES_WIRED_MAX = LINE_OUT_COUNT + LINE_IN_COUNT, LINE_CHIP_BYTES = 64 };

enum line_name_form { LINE_UNWIRED, LINE_BY_NAME, LINE_BY_OFFSET };

struct line_name {
    enum line_name_form form;
    char text[LINE_NAME_BYTES]; /* the line's name, or the chip's label or name */
    unsigned offset; /* LINE_BY_OFFSET */
};

/* Splits at the last colon when only digits follow it (labels bear colons too). -EINVAL: no chip, or an absurd offset.
 */
int line_name_parse(const char *text, struct line_name *ret);

/* A GPIO chip as a driver sees it; strings belong to the driver until close(). */
struct line_chip {
    void *handle;
    const char *name, *label; /* "gpiochip0", "pinctrl-bcm2711" */
    unsigned lines;
};

struct line_chip_ops {
    int (*open)(const char *path, struct line_chip *ret_chip); /* negative errno on failure; -ENOTTY: not a GPIO chip */
    bool (*line_is_named)(const struct line_chip *chip, unsigned offset, const char *name);
    void (*close)(struct line_chip *chip);
};

struct line_place {
    char path[LINE_CHIP_BYTES], chip[LINE_CHIP_BYTES], label[LINE_CHIP_BYTES];
    unsigned offset;
};

/* Finds the one line of that name among folder/gpiochip* ("/dev"). -ENOENT, -ENOTUNIQ, -EACCES, -EINVAL with `why`. */
int line_find(const struct line_chip_ops *chips, const char *folder, const char *line_name,
              struct line_place *ret_place, char *why, size_t why_bytes);

/* Places of all wired lines: outputs first, then inputs (LINE_OUT_COUNT + line_in). Two settings for one wire: -EINVAL.
 * An unwired line's place has an empty path. Fills `description` too. */
int lines_find_all(const struct line_chip_ops *chips, const struct lines_settings *settings,
                   struct line_place ret_places[LINES_WIRED_MAX], char *description, size_t description_bytes,
                   char *why, size_t why_bytes);

/* Why the kernel refused to hand over a line, with the remedy; `consumer` holds it when it is busy (may be NULL). */
void line_refused(int error, const char *role, const char *name, const struct line_place *place, const char *consumer,
                  char *why, size_t why_bytes);

const char *line_role(size_t wired); /* name of entry `wired` of the places */

/* What read_edge() answers when the kernel has no edge: it keeps 16 of them for libgpiod 1.6 and then loses the newest. When the
 * level isn't the one that was told last, that is an edge, seen now. */
int line_untold_edge(struct lines *lines, enum line_in line, bool *told, struct line_edge *ret_edge);

int64_t lines_now_us(void); /* CLOCK_MONOTONIC */
/* A kernel's event time as CLOCK_MONOTONIC: kernels before 5.7 gave the wall clock, for those the time of reading. */
int64_t line_stamp_us(uint64_t kernel_ns, int64_t now_us);

#endif
