/* How this lane is now, for who stands beside it, with the broker gone: a Unix socket beside the journal, and as readable as
 * that. Who connects is sent one JSON object (the one of the topic `state`) and a line's end; nothing is read from them, so
 * nothing can be asked of the lane here. The daemon's main thread, and qrgatectl status --local at the other end. */
#ifndef HEALTH_STATUS_SOCKET_H
#define HEALTH_STATUS_SOCKET_H

#include <stddef.h>

enum { STATUS_SOCKET_PATH_BYTES = 108 }; /* sun_path's */

struct status_socket {
    int fd;
    char path[STATUS_SOCKET_PATH_BYTES];
};

/* "JOURNAL.status"; what an earlier run left there is replaced. 0, or negative errno (-ENAMETOOLONG) and fd -1: a lane works
 * without. */
int status_socket_open(const char *journal_path, struct status_socket *ret);
/* Call when fd is readable: answers one, never waits. */
void status_socket_answer(const struct status_socket *socket, const char *text, size_t length_bytes);
void status_socket_close(struct status_socket *socket);

/* The other end: the length of what was read, without the line's end, or negative errno: -ENOENT and -ECONNREFUSED, no lane runs
 * there; -EACCES; -ETIME, it doesn't answer; -EMSGSIZE. */
int status_socket_ask(const char *journal_path, int timeout_ms, char *ret_text, size_t text_bytes);

#endif
