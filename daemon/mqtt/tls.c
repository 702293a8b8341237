/* TLS to a broker, one rule for all who connect. Pure; any thread. */
#include "daemon/mqtt/tls.h"

#include <stdio.h>
#include <string.h>

/* TLS 1.2's that older versions can't use, all with forward secrecy; TLS 1.3's are a list of their own. */
static const char tls_1_2_and_later[] = "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM";

void mqtt_tls_options(const struct mqtt_settings *settings, MQTTClient_SSLOptions *ret)
{
    *ret = (MQTTClient_SSLOptions)MQTTClient_SSLOptions_initializer;
    ret->trustStore = settings->ca_file;
    ret->disableDefaultTrustStore = 1; /* this CA and no other */
    ret->enableServerCertAuth = 1;
    ret->verify = 1; /* the name too; Paho's default is not to look */
    ret->enabledCipherSuites = tls_1_2_and_later;
    ret->keyStore = settings->cert_file[0] != '\0' ? settings->cert_file : NULL;
    ret->privateKey = settings->key_file[0] != '\0' ? settings->key_file : NULL;
}

/* OpenSSL's "thread:error:code:library:function:reason:file:line:" -> its reason. */
void mqtt_tls_reason(const char *text, size_t length, char *ret, size_t ret_bytes)
{
    const char *at = memmem(text, length, ":error:", 7), *end = text + length;
    at = at != NULL ? at + 6 : NULL; /* the colon before the code */
    for (int i = 0; i < 3 && at != NULL; i++)
        at = memchr(at + 1, ':', (size_t)(end - at - 1));
    if (ret[0] == '\0' && at != NULL && at + 1 < end) {
        const char *stop = memchr(at + 1, ':', (size_t)(end - at - 1));
        (void)snprintf(ret, ret_bytes, "TLS: %.*s", (int)((stop != NULL ? stop : end) - at - 1), at + 1);
    }
}
