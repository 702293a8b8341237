/* Paho's synchronous client: one connection, all of it in the caller's thread. Without callbacks of its own kind Paho starts no
 * thread here and shares nothing with one. Its asynchronous client does, and in 1.3.12 its threads change lists under different
 * locks: the daemon crashed once in some hundred connections that died in the wrong moment. One connection a process: Paho
 * doesn't tell its socket, so it is known by being the process's new TCP connection. The lane's line.h, qrgatectl's
 * broker_link.h. */
#ifndef MQTT_PAHO_H
#define MQTT_PAHO_H

#include <MQTTClient.h>
#include <stdbool.h>
#include <stddef.h>

#include "daemon/mqtt/client.h"
#include "daemon/mqtt/credentials.h"

enum { PAHO_PUBLISHES_MAX = 180, PAHO_TLS_TEXT_BYTES = 128, PAHO_NO_SUBSCRIPTION = 0x11 };

struct paho {
    MQTTClient client; /* NULL: never connected */
    int socket_fd;     /* a duplicate, to wait at and to break the connection by; -1 = not connected */
    bool is_5, is_tls;
    /* A publish was answered: called within paho_publish(), paho_subscribe() and paho_read(). 3.1.1 has no reason: always 0. */
    void (*acked)(void *context, int index, int reason);
    void *context;
    int tokens[PAHO_PUBLISHES_MAX]; /* of the unanswered publishes, by index; 0 = none */
    int unanswered, receive_max; /* receive_max: so many the broker takes; beyond that Paho waits in paho_publish() */
    int early_token, early_reason; /* answered before Paho said what its token is; 0 = none */
    int tick_ms;              /* how often the keep-alive is looked after */
    int64_t keepalive_due_us; /* CLOCK_MONOTONIC */
    int ungiven; /* messages acknowledged and still in Paho */
    int goodbye; /* the reason of a DISCONNECT that was seen coming; -1 = none */
    char tls_text[PAHO_TLS_TEXT_BYTES]; /* what OpenSSL complained of first; "" = nothing */
};

struct paho_greeting {
    const char *uri, *client_id;
    const struct mqtt_settings *settings; /* keepalive_s, TLS's files */
    const struct credentials *credentials;
    bool is_5, clean;
    int timeout_ms;
    int session_expiry_s;   /* 0 = the session ends with the connection */
    int receive_at_once;    /* 0 = as many as the broker likes */
    int receive_max_bytes;  /* 0 = as long as they are */
    int answer_timeout_ms;  /* of a subscription; Paho knows nothing below 5000 */
    const char *will_topic; /* NULL = none; its text is "offline", QoS 1, retained */
};

enum paho_stage {
    PAHO_CONNECTED,
    PAHO_NOT_TRIED,   /* code: Paho's, of the options */
    PAHO_NO_NAME,     /* the host's name leads nowhere */
    PAHO_NOT_REACHED, /* nobody there, or TLS failed: tls_text */
    PAHO_CLOSED,      /* the connection ended after our CONNECT, without a word */
    PAHO_REFUSED,     /* code: the broker's */
};

struct paho_outcome {
    enum paho_stage stage;
    int code; /* 0; negative: Paho's; else the CONNACK's */
    bool session_present; /* false of MQTT 5 says nothing: before 1.4 Paho keeps it to itself */
    int receive_max; /* publishes that the broker takes unanswered */
};

struct paho_message {
    char *topic;
    size_t topic_bytes;
    MQTTClient_message *message;
};

void paho_init(struct paho *paho, void (*acked)(void *context, int index, int reason), void *context);
/* Ends what was before, forgets what was unanswered, and waits for the outcome: the resolver's time and timeout_ms at the most. */
struct paho_outcome paho_connect(struct paho *paho, const struct paho_greeting *greeting);
bool paho_connected(const struct paho *paho);
/* QoS 1. 0, and acked() will follow unless the connection ends; or Paho's negative error. Waits where the broker doesn't read,
 * until the keep-alive is over or the socket is shut down. expiry_s: MQTT 5's message expiry, 0 = none. */
int paho_publish(struct paho *paho, int index, const char *topic, const void *bytes, size_t length_bytes, bool retained, int expiry_s);
bool paho_has_room(const struct paho *paho); /* for one more unanswered */
/* Waits for the SUBACK; what comes meanwhile paho_read() gives. 0 to 2: the QoS granted; 0x80 and above: refused; negative: Paho's,
 * perhaps the connection is gone. */
int paho_subscribe(struct paho *paho, const char *filter, int qos, bool no_retained);
/* Waits likewise. MQTT 5: PAHO_NO_SUBSCRIPTION where there was none, 0 where there was; else 0 or negative. */
int paho_unsubscribe(struct paho *paho, const char *filter);
/* Reads a packet, if there is one: true, and *ret is a message, the caller's to free. It is acknowledged already. Call it also
 * at each tick, for the keep-alive's sake: who doesn't is taken for dead by the broker. */
bool paho_read(struct paho *paho, struct paho_message *ret);
/* Every message that is acknowledged was given by paho_read(): who reads no more leaves the rest to the broker. */
bool paho_all_given(const struct paho *paho);
/* How long to wait for the socket at the most; -1 = for ever: not connected. */
int paho_tick_ms(const struct paho *paho);
/* Reads in a row that may bring nothing although there is more: what TLS holds back doesn't show at the socket. */
int paho_idle_reads(const struct paho *paho);
void paho_message_free(struct paho_message *message);
void paho_disconnect(struct paho *paho); /* with a goodbye; waits half a second at the most for the broker's hanging up */
void paho_end(struct paho *paho);
const char *paho_version(void);

#endif
