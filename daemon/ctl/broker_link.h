/* qrgatectl's own connection to a broker: a short one, with no session and no will, so that a tool never speaks for a lane. All
 * of it for one thread, which waits here. MQTT 5, and 3.1.1 to a broker that refuses it. send, status, watch, report week. */
#ifndef CTL_BROKER_LINK_H
#define CTL_BROKER_LINK_H

#include "daemon/ctl/broker.h"

enum { BROKER_PAYLOAD_MAX_BYTES = 65536, BROKER_QUEUE_MAX = 65536, BROKER_QUEUE_MAX_BYTES = 67108864, BROKER_TEXT_BYTES = 384 };

enum broker_result {
    BROKER_OK,
    BROKER_TIME_OVER,
    BROKER_STOPPED,      /* stop_fd is readable */
    BROKER_UNREACHABLE,  /* text says why */
    BROKER_NOT_LET_IN,   /* name, password, certificate */
    BROKER_FILES_BAD,    /* text names file and remedy */
    BROKER_NO_RIGHTS,    /* to this topic */
    BROKER_LOST,
    BROKER_RESULT_COUNT
};

struct broker_message {
    char topic[TOPIC_BYTES + 1]; /* longer ones are none of ours: dropped */
    bool retained;
    size_t length_bytes;
    char payload[]; /* and a NUL */
};

struct broker_link;

/* `broker` is copied; stop_fd: -1 = none. Connects. On failure *ret is NULL and `text` (BROKER_TEXT_BYTES) says why. */
enum broker_result broker_open(const struct broker *broker, int stop_fd, int timeout_ms, struct broker_link **ret, char *text);
/* Retained messages that the broker has come as such. qos 0 where many of them are wanted: of QoS 1 a broker drops what is
 * beyond its queue for us (mosquitto: 1000), and over a connection that stands nothing of QoS 0 gets lost. */
enum broker_result broker_subscribe(struct broker_link *link, const char *filter, int qos, int timeout_ms);
/* QoS 1, until it is acknowledged. expiry_s: MQTT 5's message expiry, 0 = none. */
enum broker_result broker_publish(struct broker_link *link, const char *topic, const void *bytes, size_t length_bytes, bool retain,
                                  int expiry_s, int timeout_ms);
/* The next message, to be freed; *ret is NULL but for BROKER_OK. timeout_ms 0: what is there; -1: waits for ever. What came
 * before a loss comes first. */
enum broker_result broker_receive(struct broker_link *link, int timeout_ms, struct broker_message **ret);
int64_t broker_dropped(struct broker_link *link); /* messages for which there was no room */
const char *broker_text(const struct broker_link *link); /* of the last failure; "" = nothing to add */
void broker_close(struct broker_link *link);            /* accepts NULL */

/* Tells a failure. Answers the exit status for it: CTL_NO_ANSWER for BROKER_TIME_OVER, else CTL_FAILED. */
enum ctl_exit broker_complain(const struct ctl *ctl, const struct broker *broker, enum broker_result result, const char *text);

#endif
