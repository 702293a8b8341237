/* The lane's wires: relay, buzzer and lamps out; button and sensors in. Owned by the main thread of qrgated; the relays are
 * written by relay_guard.c's thread as well, never by both at once.
 * Outputs are requested inactive and left inactive by lines_close(). Errors as in camera.h: negative errno and `why`. */
#ifndef HW_LINES_H
#define HW_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum line_out {
    LINE_RELAY,
    LINE_RELAY_OUT, /* the arm's other direction, for a lane that leads both ways */
    LINE_BUZZER,
    LINE_LAMP_GREEN,
    LINE_LAMP_AMBER,
    LINE_LAMP_RED,
    LINE_OUT_COUNT
};
enum line_in {
    LINE_BUTTON,
    LINE_ROTATION, /* active: the arm is away from rest */
    LINE_FIRE,
    LINE_TAMPER,
    LINE_GUARD,    /* a key switch beside the button. Active: guard B has the button, else guard A */
    LINE_SERVICE,  /* active: a technician is at work */
    LINE_IN_COUNT
};
enum { LINE_NAME_BYTES = 64, LINES_FDS_MAX = LINE_IN_COUNT + 1 };

enum line_bias { LINE_BIAS_AS_IS, LINE_BIAS_PULL_UP, LINE_BIAS_PULL_DOWN };

/* name: "" = not wired; "GPIO17" = the one line of that name on any chip; "LABEL:17" = offset 17 of the chip whose label or
 * name is LABEL. A name that two lines bear is refused. */
struct line_settings {
    char name[LINE_NAME_BYTES];
    bool active_low;
    enum line_bias bias; /* inputs only */
};

struct lines_settings {
    struct line_settings out[LINE_OUT_COUNT];
    struct line_settings in[LINE_IN_COUNT];
    char consumer[32];        /* shown by gpioinfo */
    char panel_input[256];    /* sim only: file or FIFO, see lines_sim_open(); "-" stdin; "" none */
};

struct line_edge {
    enum line_in line;
    bool active; /* after active_low */
    int64_t at_us; /* CLOCK_MONOTONIC, from the kernel where it gives one */
};

struct lines;

int lines_gpiod_open(const struct lines_settings *settings, struct lines **ret_lines, char *why, size_t why_bytes);
/* The panel prints one line per change on `out_fd`: "panel t_us=N relay on", "panel t_us=N display TEXT". It takes lines
 * "activate NAME" ("press NAME" is the same) and "release NAME" for every input. "initially NAME" is an input that is active
 * before anybody looks: no edge, only lines_get() tells; it must be waiting, before all else, when the panel is opened. */
int lines_sim_open(const struct lines_settings *settings, int out_fd, struct lines **ret_lines, char *why, size_t why_bytes);

int lines_set(struct lines *lines, enum line_out line, bool active); /* an unwired line is 0 and nothing */
int lines_get(struct lines *lines, enum line_in line, bool *ret_active); /* an unwired line is inactive */
/* File descriptors that become readable when edges wait; returns how many (<= LINES_FDS_MAX). Fixed after open. */
int lines_fds(struct lines *lines, int ret_fds[LINES_FDS_MAX]);
/* 1: an edge was read from `fd`; 0: none waits, and the last one told the level that the line has; negative: the line is lost. */
int lines_read_edge(struct lines *lines, int fd, struct line_edge *ret_edge);
/* Text for a person at the panel (sim prints it; gpiod has no display and ignores it). */
void lines_show(struct lines *lines, const char *text);
const char *lines_describe(const struct lines *lines); /* "relay=GPIO17@gpiochip0:17 …" */
void lines_close(struct lines *lines);                 /* accepts NULL */

const char *line_out_name(enum line_out line); /* "relay", "relay_out", "buzzer", "lamp_green", … */
const char *line_in_name(enum line_in line);   /* "button", "rotation", "fire", "tamper", "guard", "service" */

struct lines_ops {
    int (*set)(struct lines *lines, enum line_out line, bool active);
    int (*get)(struct lines *lines, enum line_in line, bool *ret_active);
    int (*fds)(struct lines *lines, int ret_fds[LINES_FDS_MAX]);
    int (*read_edge)(struct lines *lines, int fd, struct line_edge *ret_edge);
    void (*show)(struct lines *lines, const char *text); /* may be NULL */
    void (*close)(struct lines *lines);
};

struct lines { /* first member of every driver's own struct */
    const struct lines_ops *ops;
    char description[512];
};

#endif
