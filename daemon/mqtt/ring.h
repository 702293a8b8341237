/* What the line has to say, on its way to the main thread: a bounded queue under a mutex, with an eventfd. */
#ifndef MQTT_RING_H
#define MQTT_RING_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/mqtt/client.h"

/* Every unanswered publish of this and the last connection can be answered, and a connection can come and go, unread. */
enum { MQTT_RING_MAX = 400, MQTT_RING_TEXT_BYTES = 384 };

enum ring_kind { RING_CONNECTED, RING_CONNECT_FAILED, RING_LOST, RING_ACKED, RING_NOT_ACKED, RING_SUBSCRIBED, RING_CERTIFICATES };

struct ring_entry {
    enum ring_kind kind;
    uint64_t epoch; /* the connection attempt it belongs to */
    int index;      /* ACKED, NOT_ACKED: the publish's; SUBSCRIBED: which inbound_topic */
    int code, receive_max;
    bool session_present;
    bool closed; /* CONNECT_FAILED: the broker ended the connection right after our CONNECT */
    struct certificates certificates; /* CERTIFICATES; code < 0: they can't be used, see text */
    char text[MQTT_RING_TEXT_BYTES];
};

struct ring {
    pthread_mutex_t lock;
    int fd;
    int first, count;
    bool overrun; /* something was dropped: what is known about the connection is worth nothing */
    struct ring_entry entries[MQTT_RING_MAX];
};

int ring_init(struct ring *ring); /* 0 or negative errno */
void ring_put(struct ring *ring, const struct ring_entry *entry); /* any thread */
void ring_wake(struct ring *ring); /* any thread: makes fd readable for something that isn't in the ring */
/* True: *ret_entry. *ret_overrun is set, once, when entries were dropped before. Main thread. */
bool ring_take(struct ring *ring, struct ring_entry *ret_entry, bool *ret_overrun);
void ring_end(struct ring *ring);

#endif
