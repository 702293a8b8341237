/* Lines by libgpiod 2.x (Debian 13, Raspberry Pi OS). Opened by main.c through lines_gpiod_open(), used as lines.h
 * says. Every line is a request of its own, as in lines_gpiod1.c: each input has its own event descriptor. */
#include "hw/lines_wiring.h"

#if QRG_GPIOD_MAJOR >= 2

#include <errno.h>
#include <fcntl.h>
#include <gpiod.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct wire {
    struct gpiod_line_request *request; /* NULL: not wired */
    unsigned offset;
    int event_fd; /* inputs */
    bool told;    /* the level that the last edge told of */
};

struct gpiod2 {
    struct lines base;
    struct wire wires[LINES_WIRED_MAX]; /* outputs, then inputs */
    struct gpiod_edge_event_buffer *events; /* room for one: an edge a call */
};

/* What a library call without an errno of its own counts as. */
static int failure(void)
{
    return errno ? -errno : -EIO;
}

/* ---- finding ----------------------------------------------------------------------------------------------------- */

struct open_chip {
    struct gpiod_chip *chip;
    struct gpiod_chip_info *info; /* owns name and label */
};

static int chip_open(const char *path, struct line_chip *ret_chip)
{
    struct open_chip *open = calloc(1, sizeof *open);
    int error = -ENOMEM;
    if (!open)
        return error;
    errno = 0;
    open->chip = gpiod_chip_open(path);
    if (open->chip)
        open->info = gpiod_chip_get_info(open->chip);
    if (!open->info) {
        error = failure();
        if (open->chip)
            gpiod_chip_close(open->chip);
        free(open);
        return error;
    }
    *ret_chip = (struct line_chip){
        .handle = open,
        .name = gpiod_chip_info_get_name(open->info),
        .label = gpiod_chip_info_get_label(open->info),
        .lines = (unsigned)gpiod_chip_info_get_num_lines(open->info),
    };
    return 0;
}

static bool chip_line_is_named(const struct line_chip *chip, unsigned offset, const char *name)
{
    const struct open_chip *open = chip->handle;
    struct gpiod_line_info *info = gpiod_chip_get_line_info(open->chip, offset);
    if (!info)
        return false;
    const char *line_name = gpiod_line_info_get_name(info);
    bool is_named = line_name && strcmp(line_name, name) == 0;
    gpiod_line_info_free(info);
    return is_named;
}

static void chip_close(struct line_chip *chip)
{
    struct open_chip *open = chip->handle;
    gpiod_chip_info_free(open->info);
    gpiod_chip_close(open->chip);
    free(open);
}

static const struct line_chip_ops chip_ops = {chip_open, chip_line_is_named, chip_close};

/* ---- ops --------------------------------------------------------------------------------------------------------- */

static int gpiod2_set(struct lines *lines, enum line_out line, bool active)
{
    const struct wire *wire = &((struct gpiod2 *)lines)->wires[line];
    if (!wire->request)
        return 0;
    enum gpiod_line_value value = active ? GPIOD_LINE_VALUE_ACTIVE : GPIOD_LINE_VALUE_INACTIVE;
    return gpiod_line_request_set_value(wire->request, wire->offset, value) < 0 ? failure() : 0;
}

static int gpiod2_get(struct lines *lines, enum line_in line, bool *ret_active)
{
    const struct wire *wire = &((struct gpiod2 *)lines)->wires[LINE_OUT_COUNT + line];
    enum gpiod_line_value value = GPIOD_LINE_VALUE_INACTIVE;
    if (wire->request)
        value = gpiod_line_request_get_value(wire->request, wire->offset);
    if (value == GPIOD_LINE_VALUE_ERROR)
        return failure();
    *ret_active = value == GPIOD_LINE_VALUE_ACTIVE;
    return 0;
}

static int gpiod2_fds(struct lines *lines, int ret_fds[LINES_FDS_MAX])
{
    const struct wire *inputs = &((struct gpiod2 *)lines)->wires[LINE_OUT_COUNT];
    int count = 0;
    for (int i = 0; i < LINE_IN_COUNT; i++)
        if (inputs[i].request)
            ret_fds[count++] = inputs[i].event_fd;
    return count;
}

static int gpiod2_read_edge(struct lines *lines, int fd, struct line_edge *ret_edge)
{
    struct gpiod2 *self = (struct gpiod2 *)lines;
    struct wire *inputs = &self->wires[LINE_OUT_COUNT];
    int line = 0;
    while (line < LINE_IN_COUNT && (!inputs[line].request || inputs[line].event_fd != fd))
        line++;
    if (line == LINE_IN_COUNT)
        return -EBADF;

    errno = 0;
    int count = gpiod_line_request_read_edge_events(inputs[line].request, self->events, 1);
    if (count < 0 && errno == EAGAIN)
        return line_untold_edge(lines, (enum line_in)line, &inputs[line].told, ret_edge);
    if (count < 0)
        return errno == EINTR ? 0 : failure();
    if (count == 0)
        return 0;
    struct gpiod_edge_event *event = gpiod_edge_event_buffer_get_event(self->events, 0); /* the buffer owns it */
    if (!event)
        return failure();
    *ret_edge = (struct line_edge){
        .line = (enum line_in)line,
        .active = gpiod_edge_event_get_event_type(event) == GPIOD_EDGE_EVENT_RISING_EDGE, /* active_low is applied */
        .at_us = line_stamp_us(gpiod_edge_event_get_timestamp_ns(event), lines_now_us()),
    };
    inputs[line].told = ret_edge->active;
    return 1;
}

static void gpiod2_close(struct lines *lines)
{
    struct gpiod2 *self = (struct gpiod2 *)lines;
    for (int i = 0; i < LINES_WIRED_MAX; i++) {
        struct wire *wire = &self->wires[i];
        if (!wire->request)
            continue;
        if (i < LINE_OUT_COUNT) /* some kernels keep the level of a released line */
            (void)gpiod_line_request_set_value(wire->request, wire->offset, GPIOD_LINE_VALUE_INACTIVE);
        gpiod_line_request_release(wire->request);
    }
    if (self->events)
        gpiod_edge_event_buffer_free(self->events);
    free(self);
}

static const struct lines_ops gpiod2_ops = {
    .set = gpiod2_set,
    .get = gpiod2_get,
    .fds = gpiod2_fds,
    .read_edge = gpiod2_read_edge,
    .close = gpiod2_close,
};

/* ---- open -------------------------------------------------------------------------------------------------------- */

static int fill_settings(struct gpiod_line_settings *to, const struct line_settings *from, bool is_output)
{
    gpiod_line_settings_set_active_low(to, from->active_low);
    if (is_output) {
        if (gpiod_line_settings_set_direction(to, GPIOD_LINE_DIRECTION_OUTPUT) < 0 ||
            gpiod_line_settings_set_output_value(to, GPIOD_LINE_VALUE_INACTIVE) < 0)
            return failure();
        return 0;
    }
    static const enum gpiod_line_bias bias[] = {
        [LINE_BIAS_AS_IS] = GPIOD_LINE_BIAS_AS_IS,
        [LINE_BIAS_PULL_UP] = GPIOD_LINE_BIAS_PULL_UP,
        [LINE_BIAS_PULL_DOWN] = GPIOD_LINE_BIAS_PULL_DOWN,
    };
    if (gpiod_line_settings_set_direction(to, GPIOD_LINE_DIRECTION_INPUT) < 0 ||
        gpiod_line_settings_set_edge_detection(to, GPIOD_LINE_EDGE_BOTH) < 0 ||
        gpiod_line_settings_set_bias(to, bias[from->bias]) < 0 ||
        gpiod_line_settings_set_event_clock(to, GPIOD_LINE_CLOCK_MONOTONIC) < 0)
        return failure();
    return 0;
}

/* Asks the kernel for one line. The chip itself is needed for this moment only. */
static int request_line(struct gpiod_chip *chip, unsigned offset, const struct line_settings *setting, bool is_output,
                        const char *consumer, struct gpiod_line_request **ret_request)
{
    int error = -ENOMEM;
    struct gpiod_line_settings *line_settings = gpiod_line_settings_new();
    struct gpiod_line_config *line_config = gpiod_line_config_new();
    struct gpiod_request_config *request_config = gpiod_request_config_new();
    if (!line_settings || !line_config || !request_config)
        goto out;
    error = fill_settings(line_settings, setting, is_output);
    if (error < 0)
        goto out;
    gpiod_request_config_set_consumer(request_config, consumer);
    if (gpiod_line_config_add_line_settings(line_config, &offset, 1, line_settings) < 0) {
        error = failure();
        goto out;
    }
    errno = 0;
    *ret_request = gpiod_chip_request_lines(chip, request_config, line_config);
    error = *ret_request ? 0 : failure();
out:
    gpiod_request_config_free(request_config); /* all three accept NULL */
    gpiod_line_config_free(line_config);
    gpiod_line_settings_free(line_settings);
    return error;
}

/* Our own reads must not wait: several edges may have been promised by one wake-up, or none. */
static int make_nonblocking(struct wire *wire)
{
    wire->event_fd = gpiod_line_request_get_fd(wire->request);
    int flags = fcntl(wire->event_fd, F_GETFL);
    return flags < 0 || fcntl(wire->event_fd, F_SETFL, flags | O_NONBLOCK) < 0 ? -errno : 0;
}

static void explain_refusal(int error, struct gpiod_chip *chip, size_t index, const char *name,
                            const struct line_place *place, char *why, size_t why_bytes)
{
    struct gpiod_line_info *info = chip ? gpiod_chip_get_line_info(chip, place->offset) : NULL;
    const char *consumer = info ? gpiod_line_info_get_consumer(info) : NULL;
    line_refused(error, line_role(index), name, place, consumer, why, why_bytes);
    if (info)
        gpiod_line_info_free(info);
}

static int open_wire(struct wire *wire, size_t index, const struct lines_settings *settings,
                     const struct line_place *place, char *why, size_t why_bytes)
{
    bool is_output = index < LINE_OUT_COUNT;
    const struct line_settings *setting = is_output ? &settings->out[index] : &settings->in[index - LINE_OUT_COUNT];
    errno = 0;
    struct gpiod_chip *chip = gpiod_chip_open(place->path);
    int error =
        chip ? request_line(chip, place->offset, setting, is_output, settings->consumer, &wire->request) : failure();
    if (error >= 0) {
        wire->offset = place->offset;
        error = is_output ? 0 : make_nonblocking(wire);
        if (!is_output) /* an edge meanwhile is waiting to be told */
            wire->told = gpiod_line_request_get_value(wire->request, wire->offset) == GPIOD_LINE_VALUE_ACTIVE;
    }
    if (error < 0)
        explain_refusal(error, chip, index, setting->name, place, why, why_bytes);
    if (chip)
        gpiod_chip_close(chip);
    return error;
}

int lines_gpiod_open(const struct lines_settings *settings, struct lines **ret_lines, char *why, size_t why_bytes)
{
    struct line_place places[LINES_WIRED_MAX];
    struct gpiod2 *self = calloc(1, sizeof *self);
    if (self)
        self->events = gpiod_edge_event_buffer_new(1);
    if (!self || !self->events) {
        (void)snprintf(why, why_bytes, "lines: out of memory");
        free(self);
        return -ENOMEM;
    }
    self->base.ops = &gpiod2_ops;
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
