/* Lines without hardware: a panel that prints what a person would see and hear, and reads button presses as text.
 * Opened by main.c for the demo and by the tests, used by the main thread alone. Every line counts as wired, whatever
 * its name. */
#include "hw/lines_wiring.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

enum { INPUT_LINE_BYTES = 128, PRINT_BYTES = 1024, SHOWN_BYTES = 768, READ_AT_ONCE_BYTES = 4096 };

struct sim {
    struct lines base;
    int out_fd;
    int input_fd; /* -1: none, or ended */
    bool input_is_ours;
    int wake_fd; /* an epoll set around input_fd: it stays when the input ends, and falls silent */
    int always_fd; /* an eventfd that is always readable: stands in for files, which epoll doesn't take */
    bool out[LINE_OUT_COUNT], in[LINE_IN_COUNT];
    char input[INPUT_LINE_BYTES]; /* the line that is being read; what doesn't fit is dropped, input_bytes stays */
    size_t input_bytes;
};

/* ---- printing ---------------------------------------------------------------------------------------------------- */

/* One write() per line, so that lines of several writers on one terminal or pipe stay whole. */
__attribute__((format(printf, 2, 3))) static int print_line(const struct sim *sim, const char *format, ...)
{
    char line[PRINT_BYTES];
    int used = snprintf(line, sizeof line, "panel t_us=%lld ", (long long)lines_now_us());
    va_list values;
    va_start(values, format);
    int added = used < 0 ? -1 : vsnprintf(line + used, sizeof line - (size_t)used - 1, format, values);
    va_end(values);
    if (used < 0 || added < 0)
        return -EIO;
    size_t length = strlen(line);
    line[length++] = '\n';
    for (;;) {
        ssize_t written = write(sim->out_fd, line, length);
        if (written >= 0)
            return (size_t)written == length ? 0 : -EIO;
        if (errno != EINTR)
            return -errno;
    }
}

/* Length of the UTF-8 character at `text` if it may stand on a terminal as it is; 0: escape its first byte. Controls
 * and direction marks (U+200E, U+200F, U+2028 to U+202E, U+2066 to U+2069) could forge what the panel shows. */
static size_t printable_bytes(const unsigned char *text, size_t left)
{
    unsigned char first = text[0];
    if (first < 0x80)
        return first >= 0x20 && first != 0x7f && first != '\\' ? 1 : 0;
    size_t length = first >= 0xc2 && first <= 0xdf   ? 2
                    : (first & 0xf0) == 0xe0         ? 3
                    : first >= 0xf0 && first <= 0xf4 ? 4
                                                     : 0;
    if (length == 0 || length > left)
        return 0;
    uint32_t character = first & (0xffu >> (length + 1));
    for (size_t i = 1; i < length; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
        character = character << 6 | (text[i] & 0x3fu);
    }
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    bool is_valid = character >= least[length] && character <= 0x10ffff && (character < 0xd800 || character > 0xdfff);
    bool is_control = character < 0xa0 || character == 0x200e || character == 0x200f ||
                      (character >= 0x2028 && character <= 0x202e) || (character >= 0x2066 && character <= 0x2069);
    return is_valid && !is_control ? length : 0;
}

/* Copies `text` with everything else than printable UTF-8 as \xNN; a text too long ends in "...". */
static void escape(const char *text, size_t text_bytes, char *ret, size_t ret_bytes)
{
    size_t used = 0, at = 0;
    while (at < text_bytes) {
        size_t length = printable_bytes((const unsigned char *)text + at, text_bytes - at);
        if (used + 8 > ret_bytes) { /* 4 for a character, 4 for the ellipsis */
            memcpy(ret + used, "...", 3);
            used += 3;
            break;
        }
        if (length > 0) {
            memcpy(ret + used, text + at, length);
            used += length;
            at += length;
        } else {
            static const char digits[] = "0123456789abcdef";
            unsigned char byte = (unsigned char)text[at++];
            char escaped[4] = {'\\', 'x', digits[byte >> 4], digits[byte & 15]};
            memcpy(ret + used, escaped, sizeof escaped);
            used += sizeof escaped;
        }
    }
    ret[used] = '\0';
}

/* ---- outputs ----------------------------------------------------------------------------------------------------- */

static int sim_set(struct lines *lines, enum line_out line, bool active)
{
    struct sim *sim = (struct sim *)lines;
    if (sim->out[line] == active)
        return 0;
    sim->out[line] = active;
    return print_line(sim, "%s %s", line_out_name(line), active ? "on" : "off");
}

static void sim_show(struct lines *lines, const char *text)
{
    char shown[SHOWN_BYTES];
    escape(text, strlen(text), shown, sizeof shown);
    (void)print_line((struct sim *)lines, "display %s", shown); /* nobody looks: nothing to be done */
}

/* ---- inputs ------------------------------------------------------------------------------------------------------ */

static int sim_get(struct lines *lines, enum line_in line, bool *ret_active)
{
    *ret_active = ((struct sim *)lines)->in[line];
    return 0;
}

static int sim_fds(struct lines *lines, int ret_fds[LINES_FDS_MAX])
{
    struct sim *sim = (struct sim *)lines;
    if (sim->wake_fd < 0)
        return 0;
    ret_fds[0] = sim->wake_fd;
    return 1;
}

/* What a person at the panel can say about an input. */
static const struct {
    const char *word; /* with the blank before the input's name */
    bool active;
    const char *already; /* a level again: a wire gives no edge either */
} panel_verbs[] = {
    {"activate ", true, "active"},
    {"press ", true, "pressed"},
    {"release ", false, "released"},
};

static enum line_in input_named(const char *name)
{
    int line = 0;
    while (line < LINE_IN_COUNT && strcmp(name, line_in_name((enum line_in)line)) != 0)
        line++;
    return (enum line_in)line;
}

/* Ends the line that was read: its length without '\r' in *ret_length; false: it was too long, or has a NUL in it. */
static bool end_line(struct sim *sim, size_t *ret_length)
{
    bool fits = sim->input_bytes < sizeof sim->input;
    size_t length = fits ? sim->input_bytes : sizeof sim->input - 1;
    if (fits && length > 0 && sim->input[length - 1] == '\r')
        length--;
    sim->input[length] = '\0';
    sim->input_bytes = 0;
    *ret_length = length;
    return fits && strlen(sim->input) == length;
}

static void complain(const struct sim *sim, size_t length, bool is_whole)
{
    char shown[SHOWN_BYTES];
    escape(sim->input, length, shown, sizeof shown);
    (void)print_line(sim, "error unknown input '%s%s'; try: press button", shown,
                     is_whole || length < sizeof sim->input - 1 ? "" : "...");
}

/* "press button" -> true; anything else is said on the panel and changes nothing. */
static bool take_line(struct sim *sim, struct line_edge *ret_edge)
{
    size_t length;
    bool is_whole = end_line(sim, &length);
    if (length == 0)
        return false;
    for (size_t i = 0; is_whole && i < sizeof panel_verbs / sizeof *panel_verbs; i++) {
        const char *word = panel_verbs[i].word;
        if (strncmp(sim->input, word, strlen(word)) != 0)
            continue;
        enum line_in line = input_named(sim->input + strlen(word));
        if (line == LINE_IN_COUNT)
            break;
        if (sim->in[line] == panel_verbs[i].active) {
            (void)print_line(sim, "error %s is already %s", line_in_name(line), panel_verbs[i].already);
            return false;
        }
        sim->in[line] = panel_verbs[i].active;
        *ret_edge = (struct line_edge){.line = line, .active = sim->in[line], .at_us = lines_now_us()};
        return true;
    }
    complain(sim, length, is_whole);
    return false;
}

static void end_input(struct sim *sim)
{
    (void)epoll_ctl(sim->wake_fd, EPOLL_CTL_DEL, sim->always_fd >= 0 ? sim->always_fd : sim->input_fd, NULL);
    if (sim->input_is_ours)
        (void)close(sim->input_fd);
    sim->input_fd = -1;
}

/* Byte by byte: a line that we had read but not yet handed out would not make the descriptor readable again. 1: *ret_byte;
 * 0: none waits; -EPIPE: the input has ended. */
static int read_byte(struct sim *sim, char *ret_byte)
{
    struct pollfd waiting = {.fd = sim->input_fd, .events = POLLIN}; /* stdin is not ours to make non-blocking */
    if (poll(&waiting, 1, 0) <= 0)
        return 0;
    ssize_t count = read(sim->input_fd, ret_byte, 1);
    if (count < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    return count == 1 ? 1 : -EPIPE;
}

static void add_byte(struct sim *sim, char byte)
{
    if (sim->input_bytes < sizeof sim->input)
        sim->input[sim->input_bytes++] = byte;
}

/* Bounded, so that an endless file can't hold the caller; what is left keeps the descriptor readable. */
static int sim_read_edge(struct lines *lines, int fd, struct line_edge *ret_edge)
{
    struct sim *sim = (struct sim *)lines;
    if (fd != sim->wake_fd)
        return -EBADF;
    for (int i = 0; i < READ_AT_ONCE_BYTES && sim->input_fd >= 0; i++) {
        char byte;
        int result = read_byte(sim, &byte);
        if (result == 0)
            return 0;
        if (result < 0) {
            end_input(sim);
            return sim->input_bytes > 0 && take_line(sim, ret_edge) ? 1 : 0; /* the last line may lack its newline */
        }
        if (byte != '\n')
            add_byte(sim, byte);
        else if (take_line(sim, ret_edge))
            return 1;
    }
    return 0;
}

/* The lines "initially NAME" at the beginning. Stops at the first byte of anything else, which stays the first byte of the
 * next line. An end of the input is found again by sim_read_edge(). */
static void read_initial_levels(struct sim *sim)
{
    static const char word[] = "initially ";
    char byte;
    for (int i = 0; i < READ_AT_ONCE_BYTES && read_byte(sim, &byte) == 1; i++) {
        if (byte != '\n') {
            add_byte(sim, byte);
            if (sim->input_bytes == 1 && byte != word[0])
                return;
            continue;
        }
        size_t length;
        bool is_whole = end_line(sim, &length);
        enum line_in line = LINE_IN_COUNT;
        if (is_whole && strncmp(sim->input, word, sizeof word - 1) == 0)
            line = input_named(sim->input + sizeof word - 1);
        if (line != LINE_IN_COUNT)
            sim->in[line] = true;
        else if (length > 0)
            complain(sim, length, is_whole);
    }
}

/* ---- open and close ---------------------------------------------------------------------------------------------- */

static void sim_close(struct lines *lines)
{
    struct sim *sim = (struct sim *)lines;
    for (int line = 0; line < LINE_OUT_COUNT; line++)
        (void)sim_set(lines, (enum line_out)line, false);
    if (sim->input_fd >= 0 && sim->input_is_ours)
        (void)close(sim->input_fd);
    if (sim->always_fd >= 0)
        (void)close(sim->always_fd);
    if (sim->wake_fd >= 0)
        (void)close(sim->wake_fd);
    free(sim);
}

static const struct lines_ops sim_ops = {
    .set = sim_set,
    .get = sim_get,
    .fds = sim_fds,
    .read_edge = sim_read_edge,
    .show = sim_show,
    .close = sim_close,
};

static int open_input(struct sim *sim, const char *path)
{
    if (strcmp(path, "-") == 0) {
        sim->input_fd = STDIN_FILENO;
        return 0;
    }
    if (mkfifo(path, 0600) < 0 && errno != EEXIST)
        return -errno;
    /* Read and write: then the FIFO never ends when a writer goes away. */
    sim->input_fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    sim->input_is_ours = sim->input_fd >= 0;
    return sim->input_fd < 0 ? -errno : 0;
}

static int watch_input(struct sim *sim)
{
    struct epoll_event wanted = {.events = EPOLLIN};
    sim->wake_fd = epoll_create1(EPOLL_CLOEXEC);
    if (sim->wake_fd < 0)
        return -errno;
    if (epoll_ctl(sim->wake_fd, EPOLL_CTL_ADD, sim->input_fd, &wanted) == 0)
        return 0;
    if (errno != EPERM)
        return -errno;
    sim->always_fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
    if (sim->always_fd < 0 || epoll_ctl(sim->wake_fd, EPOLL_CTL_ADD, sim->always_fd, &wanted) < 0)
        return -errno;
    return 0;
}

int lines_sim_open(const struct lines_settings *settings, int out_fd, struct lines **ret_lines, char *why,
                   size_t why_bytes)
{
    struct sim *sim = calloc(1, sizeof *sim);
    if (!sim) {
        (void)snprintf(why, why_bytes, "lines: out of memory");
        return -ENOMEM;
    }
    sim->base.ops = &sim_ops;
    sim->out_fd = out_fd;
    sim->input_fd = sim->wake_fd = sim->always_fd = -1;
    const char *path = settings->panel_input;
    if (path[0] != '\0') {
        int error = open_input(sim, path);
        if (error >= 0)
            error = watch_input(sim);
        if (error < 0) {
            (void)snprintf(why, why_bytes, "lines.panel_input '%s': %s; give a FIFO (made when absent), \"-\" or \"\"",
                           path, strerror(-error));
            lines_close(&sim->base);
            return error;
        }
        read_initial_levels(sim);
    }
    (void)snprintf(sim->base.description, sizeof sim->base.description, "simulated panel, input %s",
                   path[0] == '\0'          ? "none"
                   : strcmp(path, "-") == 0 ? "stdin"
                                            : path);
    *ret_lines = &sim->base;
    return 0;
}
