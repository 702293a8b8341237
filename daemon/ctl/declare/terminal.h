/* A terminal read key by key, without Enter and without echo. However the reading ends, terminal_end() gives the terminal
 * back as it was. qrgatectl declare. */
#ifndef CTL_DECLARE_TERMINAL_H
#define CTL_DECLARE_TERMINAL_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <termios.h>

enum terminal_key { KEY_ENDED = -1 /* end of file, Ctrl-C, Ctrl-D, hangup */, KEY_BACK = 8, KEY_ENTER = 10 }; /* else the byte */

struct terminal {
    struct termios before;
    sigset_t before_mask, waiting; /* waiting: what is let in while it waits for a key */
    struct sigaction before_actions[3];
    bool begun;
};

/* Standard input must be a terminal. Negative errno. */
int terminal_begin(struct terminal *terminal);
void terminal_end(struct terminal *terminal); /* accepts a zeroed one */
/* The next key; arrows and the like are passed over, but for the left one, which is KEY_BACK. */
int terminal_key(struct terminal *terminal);
/* A line, echoed and edited by backspace; spaces around it go. KEY_ENTER; KEY_BACK: backspace in an empty line; KEY_ENDED. A line
 * too long is cut. */
int terminal_line(struct terminal *terminal, char *ret, size_t ret_bytes);

#endif
