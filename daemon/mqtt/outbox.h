/* The pump that empties the journal's unsent rows to the broker: which row to read, to publish, to mark. A pure state
 * machine (time and randomness passed in, no allocation); the publisher turns its crank in the main thread.
 *
 * Rows are sent in order of seq, at most `window` of them held. A row is done when the broker said so and the journal
 * knows it. Whatever else happens to it, it is sent again, with the same event_id. A refusal stops the pump for a back-off
 * and then only the refused row is tried: what follows it waits, so that order survives a broker that is full. */
#ifndef MQTT_OUTBOX_H
#define MQTT_OUTBOX_H

#include "daemon/journal/journal.h"

enum { OUTBOX_WINDOW_MAX = 100 };

enum outbox_ack {
    OUTBOX_ACK_OK,      /* PUBACK with a reason below 0x80 */
    OUTBOX_ACK_REFUSED, /* PUBACK with 0x80 and above: back off */
    OUTBOX_ACK_LOST,    /* nobody knows: send again */
};

enum outbox_row_state { OUTBOX_ROW_WAITING, OUTBOX_ROW_IN_FLIGHT, OUTBOX_ROW_ACKED, OUTBOX_ROW_DONE };

struct outbox_row {
    struct event event;
    enum outbox_row_state state;
    bool refused;
    int64_t sent_at_us;
};

struct outbox_settings {
    int window; /* 1 to OUTBOX_WINDOW_MAX */
    int64_t ack_timeout_us, backoff_min_us, backoff_max_us;
};

struct outbox {
    struct outbox_settings settings;
    struct outbox_row rows[OUTBOX_WINDOW_MAX]; /* a ring, in order of seq */
    int first, count, in_flight;
    int receive_max; /* the broker's own bound on what may be in flight */
    bool connected;
    bool more;          /* the journal may hold rows we haven't read */
    bool asked;         /* a request is wanted of the journal and not yet answered: asked_op, asked_seq */
    enum journal_op asked_op;
    int64_t asked_seq;
    int64_t newest_seq; /* read so far */
    int64_t ask_at_us, look_at_us;
    int refusals;       /* in a row */
    int64_t send_at_us; /* not before */
};

void outbox_init(struct outbox *outbox, const struct outbox_settings *settings);
void outbox_connected(struct outbox *outbox, int receive_max);
void outbox_disconnected(struct outbox *outbox); /* all that was in flight will be sent again, in order */
void outbox_row_committed(struct outbox *outbox);

/* True: ask the journal this. The same again until outbox_answer(): one request at a time, so that a backlog never stands
 * between a person and the decision in the journal's queue. */
bool outbox_wants(struct outbox *outbox, int64_t now_us, enum journal_op *ret_op, int64_t *ret_seq);
void outbox_answer(struct outbox *outbox, const struct journal_answer *answer, int64_t now_us);

/* The next row to publish, which is in flight from now on, or NULL. If it couldn't be handed over: OUTBOX_ACK_LOST. */
const struct event *outbox_publish(struct outbox *outbox, int64_t now_us);
void outbox_acked(struct outbox *outbox, int64_t seq, enum outbox_ack ack, int64_t now_us, uint32_t random);

/* True: the broker owes an answer for longer than ack_timeout. MQTT 5 forbids sending again on a living connection, so
 * the connection must be made anew. */
bool outbox_stuck(const struct outbox *outbox, int64_t now_us);
/* When outbox_wants() (if it may be asked), outbox_publish() or outbox_stuck() will have news without an event; INT64_MAX:
 * never. */
int64_t outbox_deadline_us(const struct outbox *outbox, bool may_ask);

#endif
