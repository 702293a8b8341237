/* What others published for this site, on its way from the line's thread to the main thread: a bounded queue, allocated at
 * open. While it is full the line reads little, a message at each tick, and so the broker waits, by TCP: nothing is dropped here.
 * A message is acknowledged to the broker when it is read, so INBOX_MAX and what the line holds, LINE_HELD_MAX at the most, are
 * acknowledged and in memory only. */
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
    int64_t sent_after_us;  /* likewise: then nothing waited at the broker, so it was published later; 0 = nobody knows */
};

struct inbox_message {
    struct inbox_arrival came;
    size_t length_bytes;         /* as it came; more than text holds: too long, and cut */
    char text[INBOX_TEXT_BYTES]; /* not terminated */
};

struct inbox {
    pthread_mutex_t lock;
    int first, count;
    enum inbox_door { INBOX_OPEN, INBOX_CLOSING, INBOX_DRAINED, INBOX_DEAF } door;
    struct inbox_message messages[INBOX_MAX];
};

int inbox_init(struct inbox *inbox); /* 0 or negative errno */

/* The line's thread. */
bool inbox_put(struct inbox *inbox, const struct inbox_arrival *came, const void *text, size_t length_bytes); /* false: it is full */
bool inbox_is_open(struct inbox *inbox);
bool inbox_is_closing(struct inbox *inbox); /* only what is acknowledged already may still come */
void inbox_drained(struct inbox *inbox);  /* what was acknowledged is in here, or there is no connection; matters when it is closing */

/* The main thread; none of them waits. */
/* *ret_was_full: the line may be waiting for room. */
bool inbox_take(struct inbox *inbox, struct inbox_message *ret_message, bool *ret_was_full);
/* Once what has been acknowledged is in here nothing more is read: what still comes stays the broker's, for the next session.
 * For good. inbox_settled(): that is so, and all of it was taken. */
void inbox_close(struct inbox *inbox);
bool inbox_settled(struct inbox *inbox);
void inbox_deafen(struct inbox *inbox); /* nobody will take anything any more: nothing more is read, from now on */
int inbox_count(struct inbox *inbox);
void inbox_end(struct inbox *inbox); /* only when the line's thread has ended */

#endif
