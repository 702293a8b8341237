/* The catalogue's messages as JSON Schemas (draft 2020-12). Allocates by json-c; for qrgatectl, not for the daemon. */
#ifndef MQTT_SCHEMA_H
#define MQTT_SCHEMA_H

#include <stdio.h>

#include "daemon/mqtt/catalogue.h"

/* The whole schema and a line's end. 0, -ENOMEM, or -EIO: not written. */
int schema_write(const struct catalogue_message *message, FILE *out);

#endif
