/* The Unix socket that says how the lane is: both of its ends. */
#include "daemon/health/status_socket.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 8, MODE = 0660 /* user and group of the journal's folder */ };

static int make_address(const char *journal_path, struct sockaddr_un *ret)
{
    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    int length = snprintf(ret->sun_path, sizeof ret->sun_path, "%s.status", journal_path);
    return length < 0 || (size_t)length >= sizeof ret->sun_path ? -ENAMETOOLONG : 0;
}

/* ---- the lane's ---- */

int status_socket_open(const char *journal_path, struct status_socket *ret)
{
    struct sockaddr_un address;
    int r = make_address(journal_path, &address);
    *ret = (struct status_socket){.fd = -1};
    if (r < 0)
        return r;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    if (unlink(address.sun_path) < 0 && errno != ENOENT)
        r = -errno;
    else if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || chmod(address.sun_path, MODE) < 0 ||
             listen(fd, BACKLOG) < 0)
        r = -errno;
    if (r < 0) {
        (void)close(fd); /* nobody is connected */
        return r;
    }
    ret->fd = fd;
    (void)snprintf(ret->path, sizeof ret->path, "%s", address.sun_path);
    return 0;
}

void status_socket_answer(const struct status_socket *socket, const char *text, size_t length_bytes)
{
    int fd = accept4(socket->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    struct iovec parts[] = {{.iov_base = (void *)(size_t)text, .iov_len = length_bytes}, {.iov_base = (char[]){"\n"}, .iov_len = 1}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    if (fd < 0)
        return; /* they left already */
    (void)sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT); /* who gets half of it sees no line's end */
    (void)close(fd);
}

void status_socket_close(struct status_socket *socket)
{
    if (socket->fd < 0)
        return;
    (void)unlink(socket->path); /* the next start replaces it anyway */
    (void)close(socket->fd);
    socket->fd = -1;
}

/* ---- qrgatectl's ---- */

/* Until the end, each wait bounded; the lane sends everything at once. */
static int read_all(int fd, int timeout_ms, char *text, size_t text_bytes)
{
    size_t used = 0;
    for (;;) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        int r = poll(&ready, 1, timeout_ms);
        if (r == 0)
            return -ETIME;
        ssize_t more = r < 0 ? -1 : recv(fd, text + used, text_bytes - used, 0);
        if (more < 0 && errno == EINTR)
            continue;
        if (more < 0)
            return -errno;
        used += (size_t)more;
        if (used == text_bytes)
            return -EMSGSIZE;
        if (more == 0)
            break;
    }
    if (used == 0 || text[used - 1] != '\n')
        return -EIO;
    text[used - 1] = '\0';
    return (int)used - 1;
}

int status_socket_ask(const char *journal_path, int timeout_ms, char *ret_text, size_t text_bytes)
{
    struct sockaddr_un address;
    int r = make_address(journal_path, &address);
    if (r < 0)
        return r;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    r = connect(fd, (struct sockaddr *)&address, sizeof address) < 0 ? -errno : read_all(fd, timeout_ms, ret_text, text_bytes);
    (void)close(fd);
    return r;
}
