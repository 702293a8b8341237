/* Times, and whether the wall clock may be believed. */
#ifndef HEALTH_CLOCK_H
#define HEALTH_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

int64_t clock_monotonic_us(void);
int64_t clock_unix_us(void);
/* The kernel's own word (ntp_adjtime): some time service disciplines the clock. A Pi without a battery-backed clock starts
 * with an invented time, and this is false until the network has told it better. */
bool clock_synchronised(void);

#endif
