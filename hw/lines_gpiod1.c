/* Lines by libgpiod 1.6 (Debian 12). Opened by main.c through lines_gpiod_open(), used as lines.h says.
 * Every line is a request of its own: each input has its own event descriptor. */
#include "hw/lines_wiring.h"

#if QRG_GPIOD_MAJOR == 1

#include <errno.h>
#include <fcntl.h>
#include <gpiod.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct wire {
    struct gpiod_chip *chip; /* NULL: not wired */
    struct gpiod_line *line; /* belongs to chip; NULL until the kernel gave it to us */
    int event_fd; /* inputs */
    bool told;    /* the level that the last edge told of */
};

struct gpiod1 {
    struct lines base;
    struct wire wires[LINES_WIRED_MAX]; /* outputs, then inputs */
};

/* ---- finding ----------------------------------------------------------------------------------------------------- */

static int chip_open(const char *path, struct line_chip *ret_chip)
{
    struct gpiod_chip *chip = gpiod_chip_open(path);
    if (!chip)
        return errno ? -errno : -EIO;
    *ret_chip = (struct line_chip){chip, gpiod_chip_name(chip), gpiod_chip_label(chip), gpiod_chip_num_lines(chip)};
    return 0;
}

static bool chip_line_is_named(const struct line_chip *chip, unsigned offset, const char *name)
{
    struct gpiod_line *line = gpiod_chip_get_line(chip->handle, offset);
    const char *line_name = line ? gpiod_line_name(line) : NULL;
    return line_name && strcmp(line_name, name) == 0;
}

static void chip_close(struct line_chip *chip)
{
    gpiod_chip_close(chip->handle);
}

static const struct line_chip_ops chip_ops = {chip_open, chip_line_is_named, chip_close};

/* ---- ops --------------------------------------------------------------------------------------------------------- */

static int gpiod1_set(struct lines *lines, enum line_out line, bool active)
{
    const struct wire *wire = &((struct gpiod1 *)lines)->wires[line];
    if (!wire->line)
        return 0;
    return gpiod_line_set_value(wire->line, active) < 0 ? -errno : 0;
}

static int gpiod1_get(struct lines *lines, enum line_in line, bool *ret_active)
{
    const struct wire *wire = &((struct gpiod1 *)lines)->wires[LINE_OUT_COUNT + line];
    int value = wire->line ? gpiod_line_get_value(wire->line) : 0;
    if (value < 0)
        return -errno;
    *ret_active = value != 0;
    return 0;
}

static int gpiod1_fds(struct lines *lines, int ret_fds[LINES_FDS_MAX])
{
    const struct wire *inputs = &((struct gpiod1 *)lines)->wires[LINE_OUT_COUNT];
    int count = 0;
    for (int i = 0; i < LINE_IN_COUNT; i++)
        if (inputs[i].line)
            ret_fds[count++] = inputs[i].event_fd;
    return count;
}

static int gpiod1_read_edge(struct lines *lines, int fd, struct line_edge *ret_edge)
{
    struct wire *inputs = &((struct gpiod1 *)lines)->wires[LINE_OUT_COUNT];
    int line = 0;
    while (line < LINE_IN_COUNT && (!inputs[line].line || inputs[line].event_fd != fd))
        line++;
    if (line == LINE_IN_COUNT)
        return -EBADF;

    struct gpiod_line_event event;
    if (gpiod_line_event_read_fd(fd, &event) < 0) {
        if (errno == EAGAIN)
            return line_untold_edge(lines, (enum line_in)line, &inputs[line].told, ret_edge);
        return errno == EINTR ? 0 : -errno;
    }
    uint64_t kernel_ns = (uint64_t)event.ts.tv_sec * 1000000000u + (uint64_t)event.ts.tv_nsec;
    *ret_edge = (struct line_edge){
        .line = (enum line_in)line,
        .active = event.event_type == GPIOD_LINE_EVENT_RISING_EDGE, /* the kernel has applied active_low */
        .at_us = line_stamp_us(kernel_ns, lines_now_us()),
    };
    inputs[line].told = ret_edge->active;
    return 1;
}

static void gpiod1_close(struct lines *lines)
{
    struct gpiod1 *self = (struct gpiod1 *)lines;
    for (int i = 0; i < LINES_WIRED_MAX; i++) {
        struct wire *wire = &self->wires[i];
        if (wire->line && i < LINE_OUT_COUNT) /* some kernels keep the level of a released line */
            (void)gpiod_line_set_value(wire->line, 0);
        if (wire->line)
            gpiod_line_release(wire->line);
        if (wire->chip)
            gpiod_chip_close(wire->chip);
    }
    free(self);
}

static const struct lines_ops gpiod1_ops = {
    .set = gpiod1_set,
    .get = gpiod1_get,
    .fds = gpiod1_fds,
    .read_edge = gpiod1_read_edge,
    .close = gpiod1_close,
};

/* ---- open -------------------------------------------------------------------------------------------------------- */

static int request_output(struct gpiod_line *line, const struct line_settings *setting, const char *consumer)
{
    int flags = setting->active_low ? GPIOD_LINE_REQUEST_FLAG_ACTIVE_LOW : 0;
    return gpiod_line_request_output_flags(line, consumer, flags, 0) < 0 ? -errno : 0;
}

static int request_input(struct gpiod_line *line, const struct line_settings *setting, const char *consumer,
                         int *ret_fd)
{
    static const int bias_flags[] = {
        [LINE_BIAS_AS_IS] = 0,
        [LINE_BIAS_PULL_UP] = GPIOD_LINE_REQUEST_FLAG_BIAS_PULL_UP,
        [LINE_BIAS_PULL_DOWN] = GPIOD_LINE_REQUEST_FLAG_BIAS_PULL_DOWN,
    };
    int flags = (setting->active_low ? GPIOD_LINE_REQUEST_FLAG_ACTIVE_LOW : 0) | bias_flags[setting->bias];
    if (gpiod_line_request_both_edges_events_flags(line, consumer, flags) < 0)
        return -errno;
    int fd = gpiod_line_event_get_fd(line);
    int status_flags = fd < 0 ? -1 : fcntl(fd, F_GETFL);
    if (status_flags < 0 || fcntl(fd, F_SETFL, status_flags | O_NONBLOCK) < 0) {
        int error = -errno;
        gpiod_line_release(line);
        return error;
    }
    *ret_fd = fd;
    return 0;
}

static int open_wire(struct wire *wire, size_t index, const struct lines_settings *settings,
                     const struct line_place *place, char *why, size_t why_bytes)
{
    bool is_output = index < LINE_OUT_COUNT;
    const struct line_settings *setting = is_output ? &settings->out[index] : &settings->in[index - LINE_OUT_COUNT];
    int error = -EIO;
    struct gpiod_line *line = NULL;

    errno = 0;
    wire->chip = gpiod_chip_open(place->path);
    if (wire->chip)
        line = gpiod_chip_get_line(wire->chip, place->offset);
    if (!line)
        error = errno ? -errno : -EIO;
    else if (is_output)
        error = request_output(line, setting, settings->consumer);
    else
        error = request_input(line, setting, settings->consumer, &wire->event_fd);
    if (error < 0)
        line_refused(error, line_role(index), setting->name, place, line ? gpiod_line_consumer(line) : NULL, why,
                     why_bytes);
    else
        wire->line = line;
    if (wire->line && !is_output) /* an edge meanwhile is waiting to be told */
        wire->told = gpiod_line_get_value(line) > 0;
    return error;
}

int lines_gpiod_open(const struct lines_settings *settings, struct lines **ret_lines, char *why, size_t why_bytes)
{
    struct line_place places[LINES_WIRED_MAX];
    struct gpiod1 *self = calloc(1, sizeof *self);
    if (!self) {
        (void)snprintf(why, why_bytes, "lines: out of memory");
        return -ENOMEM;
    }
    self->base.ops = &gpiod1_ops;
    int error = lines_find_all(&chip_ops, settings, places, self->base.description, sizeof self->base.description, why,
                               why_bytes);
    for (size_t i = 0; error >= 0 && i < LINES_WIRED_MAX; i++)
        if (places[i].path[0])
            error = open_wire(&self->wires[i], i, settings, &places[i], why, why_bytes);
    if (error < 0) {
        lines_close(&self->base);
        return error;
    }
    *ret_lines = &self->base;
    return 0;
}

#endif
