/* termios, and signals let in only while it waits: one that comes between two looks isn't lost. */
#include "daemon/ctl/declare/terminal.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { ESCAPE = 27, DELETE = 127, END = 4, ESCAPE_MS = 30 };

static const int ENDING[] = { SIGINT, SIGTERM, SIGHUP };
enum { ENDING_COUNT = sizeof(ENDING) / sizeof(ENDING[0]) };

static void wake(int signal_number)
{
    (void)signal_number; /* it is enough that waiting ends */
}

int terminal_begin(struct terminal *terminal)
{
    struct sigaction action = { .sa_handler = wake };
    struct termios raw;
    sigset_t ending;
    if (tcgetattr(STDIN_FILENO, &terminal->before) < 0)
        return -errno;
    (void)sigemptyset(&ending); /* none of these can fail: the signals exist */
    (void)sigemptyset(&action.sa_mask);
    for (int i = 0; i < ENDING_COUNT; i++)
        (void)sigaddset(&ending, ENDING[i]);
    if (sigprocmask(SIG_BLOCK, &ending, &terminal->before_mask) < 0)
        return -errno;
    terminal->waiting = terminal->before_mask;
    for (int i = 0; i < ENDING_COUNT; i++) {
        (void)sigaction(ENDING[i], &action, &terminal->before_actions[i]);
        (void)sigdelset(&terminal->waiting, ENDING[i]);
    }
    terminal->begun = true;
    raw = terminal->before;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    if (tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0)
        return 0;
    const int error = -errno;
    terminal_end(terminal);
    return error;
}

void terminal_end(struct terminal *terminal)
{
    if (!terminal->begun)
        return;
    (void)tcsetattr(STDIN_FILENO, TCSADRAIN, &terminal->before); /* gone terminals need nothing */
    for (int i = 0; i < ENDING_COUNT; i++)
        (void)sigaction(ENDING[i], &terminal->before_actions[i], NULL); /* both were taken before */
    (void)sigprocmask(SIG_SETMASK, &terminal->before_mask, NULL);
    terminal->begun = false;
}

/* One byte; false: the input or the patience ended, or a signal came. */
static bool read_byte(struct terminal *terminal, int wait_ms, unsigned char *ret)
{
    struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
    const struct timespec wait = { .tv_nsec = wait_ms * 1000000L };
    return ppoll(&input, 1, wait_ms < 0 ? NULL : &wait, &terminal->waiting) == 1 && read(STDIN_FILENO, ret, 1) == 1;
}

/* "ESC [ D" is the left arrow; what else begins so is read to its end. True: it was the left one. */
static bool is_left_arrow(struct terminal *terminal)
{
    unsigned char c = 0;
    bool left = false;
    if (!read_byte(terminal, ESCAPE_MS, &c) || (c != '[' && c != 'O'))
        return false;
    while (read_byte(terminal, ESCAPE_MS, &c)) {
        left = c == 'D';
        if (c >= 0x40 && c <= 0x7e)
            break;
    }
    return left;
}

int terminal_key(struct terminal *terminal)
{
    unsigned char c;
    while (read_byte(terminal, -1, &c)) {
        if (c == END)
            return KEY_ENDED;
        if (c == ESCAPE && !is_left_arrow(terminal))
            continue;
        return c == ESCAPE || c == DELETE || c == KEY_BACK ? KEY_BACK : c == '\r' ? KEY_ENTER : c;
    }
    return KEY_ENDED;
}

/* The last letter, of whatever bytes, goes: here and on the screen. */
static void rub_out(char *line, size_t *used)
{
    while (*used > 0 && ((unsigned char)line[*used - 1] & 0xc0) == 0x80)
        --*used;
    if (*used > 0)
        --*used;
    line[*used] = '\0';
    (void)fputs("\b \b", stdout);
}

int terminal_line(struct terminal *terminal, char *ret, size_t ret_bytes)
{
    size_t used = 0;
    ret[0] = '\0';
    for (;;) {
        (void)fflush(stdout); /* an error shows at the end */
        const int key = terminal_key(terminal);
        if (key == KEY_ENDED || (key == KEY_BACK && used == 0))
            return key;
        if (key == KEY_ENTER)
            break;
        if (key == KEY_BACK) {
            rub_out(ret, &used);
        } else if (key >= ' ' && used + 1 < ret_bytes && (used > 0 || key != ' ')) {
            ret[used++] = (char)key;
            ret[used] = '\0';
            (void)putchar(key);
        }
    }
    while (used > 0 && ret[used - 1] == ' ')
        ret[--used] = '\0';
    (void)putchar('\n');
    return KEY_ENTER;
}
