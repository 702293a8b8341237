/* The line's inside, shared by line*.c and nobody else. */
#ifndef MQTT_LINE_PARTS_H
#define MQTT_LINE_PARTS_H

#include <pthread.h>
#include <stdatomic.h>

#include "daemon/mqtt/line.h"
#include "daemon/mqtt/paho.h"

/* What there is no room for in the inbox. READ: so many are taken in when nothing takes from the inbox, for the sake of what comes
 * behind them. MAX: and what Paho acknowledges while a subscription is answered, some round trips' worth. */
enum { LINE_HELD_READ_MAX = 128, LINE_HELD_MAX = LINE_HELD_READ_MAX + 256 };

_Static_assert((int)LINE_PUBLISHES_MAX == (int)PAHO_PUBLISHES_MAX, "a token for each");

struct held {
    struct paho_message message;
    int64_t received_at_us; /* not when there was room at last: a request grows old while it is held */
    int64_t sent_after_us;
};

struct line {
    const struct mqtt_settings *settings;
    const struct topics *topics;
    struct ring *ring;
    struct inbox *inbox;
    char uri[160];
    char credentials_folder[256]; /* systemd's; "" = none */
    atomic_uint_fast64_t retained_ignored, heard;
    pthread_t thread;
    int wake_fd; /* an eventfd: an order, room in the inbox, the end */

    /* the line's thread */
    struct paho paho;
    struct held held[LINE_HELD_MAX]; /* the inbox had no room for them */
    int held_first, held_count;
    int64_t came_us;  /* the last message; at first the connection itself */
    int64_t quiet_us; /* last seen that nothing waits at the broker; 0 = not yet on this connection */
    int64_t quiet_after_us; /* silence that shows it: the next message would have come; 0 = how far the broker is isn't known yet */
    struct line_order current;
    uint64_t attempt; /* the connection that counts */
    bool stands;      /* it was told as made, and not yet as lost */
    int news;         /* answers and messages, of one round of reading */

    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t changed;
    int first, count;
    bool ending, ended;
    bool leaving; /* a DISCONNECT was ordered: "offline" is said before it, whatever is unanswered */
    int64_t busy_since_us; /* the thread carries out an order; 0 = it doesn't */
    int break_fd;          /* a duplicate of the connection's socket, for shutdown(); -1 = none */
    bool long_taken, long_current; /* long_text is in use; by the order that is being carried out */
    char long_text[MESSAGE_LONG_BYTES];
    struct line_order orders[LINE_ORDERS_MAX];
};

bool line_has_orders(struct line *line); /* such as don't wait for what is read */
void line_tell(const struct line *line, enum ring_kind kind, int index, int code, const char *text);

/* line_paho.c: the orders carried out. */
void line_carry_out(struct line *line);
bool line_brings_messages(enum line_op op); /* Paho always waits in it, and acknowledges whatever comes meanwhile */
void line_acked(void *context, int index, int reason);
/* Tells that the connection has gone, once. True: there is none. */
bool line_is_lost(struct line *line);
/* So much is held that nothing more is read, answers neither. What is to be said is said on one connection after the other,
 * none of which lasts so long that the broker would miss our pings. */
void line_end_if_overfull(struct line *line);

/* line_read.c: what comes. */
bool line_listens(const struct line *line); /* there is a connection, and room for what it brings, or it is time for one more */
bool line_is_overfull(const struct line *line); /* nothing more is taken in, whatever comes behind it */
void line_read(struct line *line);
int line_wait_ms(const struct line *line); /* for the socket, at the most; -1 = for ever: not connected */
void line_gather(struct line *line); /* what Paho has acknowledged, whether there is room for it or not: it would end with the connection */
void line_let_go(struct line *line); /* into the inbox, as far as that has room */
void line_forget_held(struct line *line);

#endif
