/* The machine's own state. Main thread. */
#include "daemon/health/report.h"

#include <fcntl.h>
#include <sys/timex.h>
#include <unistd.h>

enum { TEXT_BYTES = 128, DIGITS_MAX = 15 };

/* A decimal number at *at, at most DIGITS_MAX digits; *at moves behind it. */
static bool take_number(const char **at, const char *end, int64_t *ret)
{
    const bool negative = *at < end && **at == '-';
    int64_t value = 0;
    int digits = 0;
    *at += negative;
    for (; *at < end && **at >= '0' && **at <= '9'; (*at)++) {
        if (++digits > DIGITS_MAX)
            return false;
        value = value * 10 + (**at - '0');
    }
    *ret = negative ? -value : value;
    return digits > 0;
}

bool report_parse_temperature(const char *text, size_t length_bytes, int *ret_thousandths_c)
{
    const char *at = text, *end = text + length_bytes;
    int64_t value;
    if (!take_number(&at, end, &value) || value < -100000 || value > 200000 || (at < end && *at != '\n'))
        return false;
    *ret_thousandths_c = (int)value;
    return true;
}

bool report_parse_memory(const char *text, size_t length_bytes, int64_t page_bytes, int64_t *ret_bytes)
{
    const char *at = text, *end = text + length_bytes;
    int64_t all, resident;
    if (!take_number(&at, end, &all) || at == end || *at++ != ' ' || !take_number(&at, end, &resident) || resident < 0 ||
        page_bytes <= 0 || resident > INT64_MAX / page_bytes)
        return false;
    *ret_bytes = resident * page_bytes;
    return true;
}

/* These files are made anew at each read from the start. */
static size_t read_text(int fd, char ret[TEXT_BYTES])
{
    ssize_t length = fd < 0 ? -1 : pread(fd, ret, TEXT_BYTES, 0);
    return length > 0 ? (size_t)length : 0;
}

static size_t read_path(const char *path, char ret[TEXT_BYTES])
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    const size_t length = read_text(fd, ret);
    if (fd >= 0)
        (void)close(fd); /* it was only read */
    return length;
}

bool report_temperature(const char *path, int *ret_thousandths_c)
{
    char text[TEXT_BYTES];
    const size_t length = read_path(path, text);
    return report_parse_temperature(text, length, ret_thousandths_c);
}

bool report_memory(const char *path, int64_t *ret_bytes)
{
    char text[TEXT_BYTES];
    const size_t length = read_path(path, text);
    return report_parse_memory(text, length, sysconf(_SC_PAGESIZE), ret_bytes);
}

bool report_memory_of(int statm_fd, int64_t *ret_bytes)
{
    char text[TEXT_BYTES];
    const size_t length = read_text(statm_fd, text);
    return report_parse_memory(text, length, sysconf(_SC_PAGESIZE), ret_bytes);
}

struct report_clock report_clock(void)
{
    struct timex t = {.modes = 0};
    const int state = ntp_adjtime(&t);
    if (state < 0)
        return (struct report_clock){.error_us = -1, .error_max_us = -1};
    return (struct report_clock){.synchronised = state != TIME_ERROR && (t.status & STA_UNSYNC) == 0, .error_us = t.esterror,
                                 .error_max_us = t.maxerror};
}
