/* The lane's TLS files: mqtt.ca_file, mqtt.cert_file, mqtt.key_file. Do they fit, and when do they end? Read by the line's thread
 * before each attempt to connect and when asked, so that a renewed certificate needs no restart; and by --check-config. */
#ifndef MQTT_CERTIFICATES_H
#define MQTT_CERTIFICATES_H

#include <stdio.h>

#include "daemon/mqtt/client.h"

enum { CERTIFICATES_FILE_MAX_BYTES = 1048576, CERTIFICATES_DETAIL_BYTES = 64 };

/* 0; or negative errno with `why`, which names key, file and remedy, and then *ret is empty. Times of validity are no errors
 * here: whoever asks judges them by a clock that can be trusted. */
int certificates_read(const struct mqtt_settings *settings, struct certificates *ret, char *why, size_t why_bytes);
/* For --check-config: everything that keeps the lane from its broker and can be seen without one is printed, also what ends soon
 * or has ended by the clock of this machine. 0, or -EINVAL when something is wrong that a renewal doesn't mend. */
int certificates_check(const struct mqtt_settings *settings, int64_t now_s, FILE *errors);

/* Pure. Does the one that ends first end within warn_days of now, or has it ended? `detail` says which and when. */
bool certificates_end_soon(const struct certificates *certificates, int64_t now_s, int warn_days,
                           char ret_detail[CERTIFICATES_DETAIL_BYTES]);
int64_t certificates_days_left(int64_t ends_s, int64_t now_s); /* whole days; below 0: it has ended */

#endif
