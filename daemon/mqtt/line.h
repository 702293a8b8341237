/* The connection's own thread, and the only one that calls Paho (paho.h): it waits for a name, for a greeting's answer, for a
 * broker that doesn't read, and nobody else does. The main thread (client.c) leaves orders here and learns from the ring what
 * became of them. */
#ifndef MQTT_LINE_H
#define MQTT_LINE_H

#include "daemon/mqtt/client.h"
#include "daemon/mqtt/messages.h"
#include "daemon/mqtt/ring.h"

/* Unanswered: the outbox's window, results, the muster's pages, the retained ones, "offline". */
enum { LINE_PUBLISHES_MAX = 180 /* PAHO_PUBLISHES_MAX */, LINE_ORDERS_MAX = LINE_PUBLISHES_MAX + 18 };

enum line_op {
    LINE_CONNECT,   /* forgets all earlier orders. RING_CONNECTED or RING_CONNECT_FAILED follows */
    LINE_DISCONNECT, /* RING_LOST follows, as when the link dies meanwhile */
    LINE_PUBLISH,   /* RING_ACKED or RING_NOT_ACKED with `index`; nothing of it where RING_LOST or another CONNECT comes first */
    LINE_SUBSCRIBE, /* RING_SUBSCRIBED with `index`, an inbound_topic; likewise, nor once the inbox closes */
    LINE_UNSUBSCRIBE, /* nothing follows */
    LINE_INSPECT,     /* RING_CERTIFICATES follows, of no connection in particular; so it does at each CONNECT */
};

struct line_order {
    enum line_op op;
    uint64_t attempt; /* the connection it is meant for */
    bool is_5;        /* CONNECT: MQTT 5, else 3.1.1 */
    int index;        /* PUBLISH: below LINE_PUBLISHES_MAX, not used by another unanswered one */
    enum topic topic;
    size_t length_bytes;
    /* PUBLISH of more than MESSAGE_BYTES, up to MESSAGE_LONG_BYTES: where it is, else NULL. Copied by line_order(), which has room
     * for one at a time. */
    const char *long_text;
    char text[MESSAGE_BYTES];
};

/* RING_CONNECT_FAILED's code, far from Paho's: certificates, key or password weren't fit to try; text says what to mend. */
enum { LINE_FILES_BAD = -1000 };

struct line;

/* The settings, topics, ring and inbox are borrowed. Errors as mqtt_client_open(). */
int line_open(const struct mqtt_settings *settings, const struct topics *topics, struct ring *ring, struct inbox *inbox,
              struct line **ret_line, char *why, size_t why_bytes);
/* False: no room, LINE_ORDERS_MAX wait, or a long one is on its way. The last of them are kept for all but publishes. */
bool line_order(struct line *line, const struct line_order *order);
void line_wake(struct line *line); /* the inbox has room again, or takes in no more */
uint64_t line_retained_ignored(const struct line *line); /* messages that came as retained: nothing acts on those */
uint64_t line_heard(const struct line *line);            /* messages that came at all, this lane's own passages too */
/* Ends Paho and the thread, within the time. False: it is busy, perhaps in a name look-up. Then everything that was borrowed
 * must stay, for the thread may still use it; the process is about to end. */
bool line_close(struct line *line, int64_t deadline_us /* CLOCK_MONOTONIC */);

#endif
