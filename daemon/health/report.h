/* What the machine itself has to tell for the topic `health`: /sys, /proc and the clock. Read by daemon/upkeep.c each minute, in
 * the main thread: none of it is on a disk. The readers of texts are pure. */
#ifndef HEALTH_REPORT_H
#define HEALTH_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REPORT_TEMPERATURE_PATH "/sys/class/thermal/thermal_zone0/temp"
#define REPORT_MEMORY_PATH "/proc/self/statm"

/* A thermal zone's file: thousandths of a degree Celsius, between -100 and 200 °C. */
bool report_parse_temperature(const char *text, size_t length_bytes, int *ret_thousandths_c);
/* A process's statm: its second number is the pages in memory. */
bool report_parse_memory(const char *text, size_t length_bytes, int64_t page_bytes, int64_t *ret_bytes);

/* False: there is none, or it can't be read or believed. */
bool report_temperature(const char *path, int *ret_thousandths_c);
bool report_memory(const char *path, int64_t *ret_bytes);
bool report_memory_of(int statm_fd, int64_t *ret_bytes); /* an open statm; stays open */

struct report_clock {
    bool synchronised;
    int64_t error_us, error_max_us; /* the kernel's estimate, and its bound; -1 = it doesn't say */
};
struct report_clock report_clock(void);

#endif
