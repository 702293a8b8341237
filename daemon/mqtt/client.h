/* The connection to the broker, MQTT 5 or 3.1.1: when to try, whether it stands, what is unanswered, what is subscribed to.
 * Called by the publisher in the main thread. Paho is behind line.h, in a thread of its own, which only copies what happened
 * into bounded queues and signals mqtt_client_fd(). Nothing here waits for the network or for Paho, except mqtt_client_close(),
 * which waits 2 s at the most. Signals must be blocked before mqtt_client_open(): the threads inherit the mask. */
#ifndef MQTT_CLIENT_H
#define MQTT_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/health/latency.h"
#include "daemon/mqtt/inbox.h"
#include "daemon/mqtt/topics.h"

enum mqtt_protocol { MQTT_PROTOCOL_AUTO, MQTT_PROTOCOL_5, MQTT_PROTOCOL_3_1_1 };

/* Unix times; 0 = there is none, or it couldn't be read. Of several in a file the soonest end and the latest beginning. */
struct certificates {
    int64_t client_ends_s, client_from_s, ca_ends_s, ca_from_s;
};

struct mqtt_settings {
    bool enabled;
    char host[128]; /* a name or an address, IPv6 without brackets */
    int port;
    char client_id[80];
    char username[64];
    char password_file[256]; /* its first line; "" = systemd's credential, or none */
    char ca_file[256];       /* set: TLS, with the broker's certificate and name checked */
    char cert_file[256], key_file[256]; /* ours, for a broker that asks for one; key "" = in cert_file too */
    int certificate_warn_days;
    int protocol; /* enum mqtt_protocol */
    int keepalive_s;
    char prefix[33], site[33], lane[33];
    int window; /* rows in flight */
    int session_expiry_s; /* how long the broker keeps for us what was published while we were away; 0 = it doesn't */
    bool follow;          /* other lanes' passages */
    bool declarations;    /* declarations and revocations */
    bool commands;        /* operators' requests */
    bool home_assistant;  /* the lane is made known to Home Assistant, and its start listened for */
    bool has_sensor;      /* the lane's: what its passages' changes_presence goes by */
    /* 0 = the usual: 1000, 30000, 20000, 10000. Tests set them. */
    int reconnect_min_ms, reconnect_max_ms, ack_timeout_ms, connect_timeout_ms;
};

/* Anything at all. */
static inline bool mqtt_receives(const struct mqtt_settings *settings)
{
    return settings->follow || settings->declarations || settings->commands;
}

enum { MQTT_RECONNECT_MIN_MS = 1000, MQTT_RECONNECT_MAX_MS = 30000, MQTT_ACK_TIMEOUT_MS = 20000,
       MQTT_CONNECT_TIMEOUT_MS = 10000, MQTT_CLOSE_WAIT_MS = 2000, MQTT_SUBSCRIBE_AGAIN_MS = 60000 };

enum mqtt_event_kind {
    MQTT_CONNECTED,      /* receive_max, session_present */
    MQTT_CONNECT_FAILED, /* text; it will be tried again for ever */
    MQTT_LOST,           /* text; nothing that is unanswered will be answered */
    MQTT_ANSWERED,       /* tag, result, code: the end of one mqtt_client_publish() */
    MQTT_FILES_BAD,      /* text: certificate, key or CA file, just looked at, are of no use for the next connection */
    MQTT_SUBSCRIBED,     /* tag: an inbound_topic; result OK or REFUSED, text; a refused one is asked for again later */
};

enum mqtt_result { MQTT_RESULT_OK, MQTT_RESULT_REFUSED /* PUBACK or SUBACK >= 0x80 */, MQTT_RESULT_LOST };

enum { MQTT_TEXT_BYTES = 448 };

struct mqtt_event {
    enum mqtt_event_kind kind;
    uint64_t tag;
    enum mqtt_result result;
    int code; /* MQTT reason code, or Paho's negative error */
    int receive_max;
    bool session_present;
    bool unreached; /* CONNECT_FAILED: nobody answered at all */
    char text[MQTT_TEXT_BYTES];
};

struct mqtt_client;

/* Connects nothing yet, mqtt_client_tick() does. The will (retained "offline" on `availability`) is the broker's to publish
 * when the link dies. Errors: no memory, no thread. A host that can't be one is told as an
 * attempt that failed. What is wrong with files is told at each attempt
 * (MQTT_CONNECT_FAILED): nothing about the broker keeps a gate from starting, and who mends a file needs no restart. */
int mqtt_client_open(const struct mqtt_settings *settings, const struct topics *topics, struct mqtt_client **ret_client,
                     char *why, size_t why_bytes);
/* eventfd, readable when mqtt_client_take() or mqtt_client_receive() has something new. */
int mqtt_client_fd(const struct mqtt_client *client);
bool mqtt_client_take(struct mqtt_client *client, struct mqtt_event *ret_event);
/* Starts the attempts to connect. Call whenever mqtt_client_deadline_us() has come and after every take. */
void mqtt_client_tick(struct mqtt_client *client, int64_t now_us, uint32_t random);
int64_t mqtt_client_deadline_us(const struct mqtt_client *client);
/* QoS 1, retained where the catalogue says so. 0: one MQTT_ANSWERED with `tag` or one MQTT_LOST will follow. -ENOTCONN, -EAGAIN:
 * too many unanswered, or of more than MESSAGE_BYTES one, -EMSGSIZE: more than MESSAGE_LONG_BYTES. */
int mqtt_client_publish(struct mqtt_client *client, enum topic topic, const char *payload, size_t payload_bytes, uint64_t tag);
/* Whether Home Assistant's start is listened for, from now on. */
void mqtt_client_home_assistant(struct mqtt_client *client, bool on);
/* The next message of a topic that was asked for, in the order of arrival. It is the publisher's now: the broker believes
 * it delivered. Who takes none for a while makes the broker wait. */
bool mqtt_client_receive(struct mqtt_client *client, struct inbox_message *ret_message);
/* Nothing more is read or asked for from now on, so nothing is acknowledged but what Paho takes in while a publish waits
 * for a broker that doesn't read; what was acknowledged is still to be received. */
void mqtt_client_stop_receiving(struct mqtt_client *client);
bool mqtt_client_all_received(struct mqtt_client *client);
int mqtt_client_waiting(struct mqtt_client *client); /* messages that mqtt_client_receive() will give */
bool mqtt_client_subscribed(const struct mqtt_client *client, enum inbound_topic topic); /* on this connection, QoS 1 */
uint64_t mqtt_client_heard(const struct mqtt_client *client); /* messages that came at all, this lane's own passages too */
uint64_t mqtt_client_retained_ignored(const struct mqtt_client *client);
/* The certificates as they were when last looked at: at each attempt to connect, and after mqtt_client_inspect(). */
struct certificates mqtt_client_certificates(const struct mqtt_client *client);
void mqtt_client_inspect(struct mqtt_client *client);
bool mqtt_client_speaks_5(const struct mqtt_client *client); /* on this connection, or at the last attempt */
/* Times from publish to acknowledgement since the last mqtt_client_forget_acks(). */
const struct latency *mqtt_client_acks(const struct mqtt_client *client);
void mqtt_client_forget_acks(struct mqtt_client *client);
/* Breaks the connection; MQTT_LOST follows, then the next attempt. */
void mqtt_client_reset(struct mqtt_client *client);
/* Says "offline" when connected, disconnects, frees. NULL is accepted. */
void mqtt_client_close(struct mqtt_client *client);
const char *mqtt_reason_text(int code); /* of an event's code */
const char *mqtt_client_library(void); /* Paho's version, for info */

#endif
