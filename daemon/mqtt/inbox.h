/* What others published for this site, on its way from Paho's receiving thread to the main thread: a bounded queue, allocated
 * at open. When it is full inbox_put() waits, and so does the broker, by TCP: nothing is dropped here. It may wait, as the
 * main thread never does for Paho (line.h). A message is acknowledged to the broker once inbox_put() returned, so at most
 * INBOX_MAX acknowledged messages are in memory only. */
#ifndef MQTT_INBOX_H
#define MQTT_INBOX_H

#include <pthread.h>

#include "daemon/mqtt/inbound.h"
#include "daemon/mqtt/topics.h"

enum { INBOX_MAX = 32, INBOX_TEXT_BYTES = 16384 /* the longest request */ };

/* How a message came. */
struct inbox_arrival {
    enum inbound_topic topic;
    char name[TOPIC_LANE_BYTES]; /* of a passage: whose; of a request: its verb, "" when it is no word */
    bool retained;
    int64_t expiry_s;       /* MQTT 5 message expiry as received; -1 = none */
    int64_t received_at_us; /* CLOCK_MONOTONIC */
};

struct inbox_message {
    struct inbox_arrival came;
    size_t length_bytes;         /* as it came; more than text holds: too long, and cut */
    char text[INBOX_TEXT_BYTES]; /* not terminated */
};

struct inbox {
    pthread_mutex_t lock;
    pthread_cond_t room;
    int first, count;
    bool shut;
    struct inbox_message messages[INBOX_MAX];
};

int inbox_init(struct inbox *inbox); /* 0 or negative errno */
/* Paho's thread. Waits for room, for ever once the inbox is shut. */
void inbox_put(struct inbox *inbox, const struct inbox_arrival *came, const void *text, size_t length_bytes);
bool inbox_take(struct inbox *inbox, struct inbox_message *ret_message); /* main thread; never waits */
/* From now on nothing more is acknowledged: what still comes stays the broker's, for the next session. For good. */
void inbox_shut(struct inbox *inbox);
bool inbox_empty(struct inbox *inbox);
int inbox_count(struct inbox *inbox);
void inbox_end(struct inbox *inbox); /* only when nobody can call inbox_put() any more */

#endif
