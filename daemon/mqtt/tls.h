/* TLS to a broker, one rule for the lane and for qrgatectl: this CA and no other, the host's name checked, TLS 1.2 at least. For
 * paho.c, which both speak through. */
#ifndef MQTT_TLS_H
#define MQTT_TLS_H

#include <MQTTClient.h>

#include "daemon/mqtt/client.h"

/* For settings with a ca_file; *ret points into them. The caller sets ssl_error_cb. */
void mqtt_tls_options(const struct mqtt_settings *settings, MQTTClient_SSLOptions *ret);
/* What OpenSSL complained of, out of the text that ssl_error_cb is given, as "TLS: reason"; a `ret` that holds one already, the
 * first, is left as it is. */
void mqtt_tls_reason(const char *text, size_t length, char *ret, size_t ret_bytes);

#endif
