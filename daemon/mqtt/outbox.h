/* The pump that empties the journal to the broker: which rows to read, to publish, to mark. A pure state machine (time and
 * randomness passed in, no allocation); the publisher turns its crank in the main thread.
 *
 * Three streams from one journal, each in order of seq, with its own rows and its own back-off:
 *   LIVE      what was committed after the connection stood. It goes before all else and finds room in the window
 *   BACKFILL  what is unsent of before that; `historical`
 *   RESEND    what was asked for once more, sent or not; `historical`; while the backfill has nothing that it could send
 *
 * A row is done when the broker said so and the journal knows it. Whatever else happens to it, it is sent again, with the same
 * event_id; after a lost connection it is read anew, and is historical then. A refusal stops its stream for a back-off and then
 * only the refused row is tried: what follows it waits, so that order survives a broker that is full; the others go on. */
#ifndef MQTT_OUTBOX_H
#define MQTT_OUTBOX_H

#include "daemon/journal/journal.h"

/* A read of OUTBOX_READ_ROWS is what a decision may have to wait for in the journal's queue: well under a millisecond. */
enum { OUTBOX_WINDOW_MAX = 100, OUTBOX_ROWS_MAX = 100, OUTBOX_READ_ROWS = 50, OUTBOX_ACKED_MAX = 3 * JOURNAL_BATCH_MAX,
       OUTBOX_MARK_US = 50000 };

enum outbox_ack {
    OUTBOX_ACK_OK,      /* PUBACK with a reason below 0x80 */
    OUTBOX_ACK_REFUSED, /* PUBACK with 0x80 and above: back off */
    OUTBOX_ACK_LOST,    /* nobody knows: send again */
};

enum outbox_row_state { OUTBOX_ROW_WAITING, OUTBOX_ROW_IN_FLIGHT, OUTBOX_ROW_DONE };

struct outbox_row {
    struct event event;
    enum outbox_row_state state;
    bool refused;
    int64_t sent_at_us;
};

/* In the order in which they are served. */
enum outbox_stream_name { OUTBOX_LIVE, OUTBOX_BACKFILL, OUTBOX_RESEND, OUTBOX_STREAM_COUNT };

struct outbox_stream {
    struct outbox_row rows[OUTBOX_ROWS_MAX]; /* a ring, in order of seq */
    int first, count, in_flight;
    int64_t read_seq, until_seq; /* up to the one is read, up to the other is wanted */
    int64_t read_at_us;          /* not before: the journal failed */
    int refusals;                /* in a row */
    int64_t send_at_us;          /* not before */
};

struct outbox_settings {
    int window; /* in flight at once: 1 to OUTBOX_WINDOW_MAX */
    int64_t ack_timeout_us, backoff_min_us, backoff_max_us;
};

struct outbox {
    struct outbox_settings settings;
    struct outbox_stream streams[OUTBOX_STREAM_COUNT];
    int receive_max; /* the broker's own bound on what may be in flight */
    bool connected, ending;
    int64_t newest_seq;  /* known to be committed */
    int64_t resend_from; /* 0: nobody asked; else RESEND begins there as soon as it has no rows */
    int acked_count;
    int64_t acked[OUTBOX_ACKED_MAX], acked_since_us; /* by the broker, and the journal doesn't know yet */
    int64_t mark_at_us; /* not before: the journal failed */
    bool asked; /* a request is wanted of the journal and not yet answered: */
    enum journal_op asked_op;
    enum outbox_stream_name asked_for; /* READ */
    bool asked_before; /* READ: of a connection that is gone; its answer is of no use */
    int64_t asked_seq;
    int asked_count;
    struct journal_batch batch; /* the journal's while `asked` */
};

void outbox_init(struct outbox *outbox, const struct outbox_settings *settings);
/* What is committed by now is history for this connection. */
void outbox_connected(struct outbox *outbox, int receive_max);
void outbox_disconnected(struct outbox *outbox);
/* Rows up to `seq` are in the journal. Said before the first connection, it tells what earlier runs left. */
void outbox_row_committed(struct outbox *outbox, int64_t seq);
/* All rows from `from_seq` on that are in the journal now, once more. Returns the last of them, 0 = there is none. Survives
 * a lost connection, not a restart. A second one counts as if both had been asked for together. */
int64_t outbox_resend(struct outbox *outbox, int64_t from_seq);
/* Nothing more is read or published, and what is acknowledged is marked at once. */
void outbox_end(struct outbox *outbox);
bool outbox_settled(const struct outbox *outbox); /* the journal knows it all, and has nothing of ours in its hands */

/* True: ask the journal this (its op, seq and batch are filled in). The same again until outbox_answer(): one request at a
 * time, so that a backlog never stands between a person and the decision in the journal's queue. The batch is the journal's
 * until the answer: the outbox must live until then. */
bool outbox_wants(struct outbox *outbox, int64_t now_us, struct journal_request *ret_request);
void outbox_answer(struct outbox *outbox, const struct journal_answer *answer, int64_t now_us);

/* What is to be published: in flight from now on. */
struct outbox_sending {
    const struct event *event;
    bool historical;
    uint64_t tag; /* for outbox_acked(); below 2^56 */
};
/* False: nothing now. If it couldn't be handed over: OUTBOX_ACK_LOST. */
bool outbox_publish(struct outbox *outbox, int64_t now_us, struct outbox_sending *ret);
/* True: refused, and it is the first refusal of that stream in a row. */
bool outbox_acked(struct outbox *outbox, uint64_t tag, enum outbox_ack ack, int64_t now_us, uint32_t random);
int64_t outbox_tag_seq(uint64_t tag);

/* True: the broker owes an answer for longer than ack_timeout. MQTT 5 forbids sending again on a living connection, so
 * the connection must be made anew. */
bool outbox_stuck(const struct outbox *outbox, int64_t now_us);
/* When outbox_wants() (if it may be asked), outbox_publish() or outbox_stuck() will have news without an event; INT64_MAX:
 * never. */
int64_t outbox_deadline_us(const struct outbox *outbox, bool may_ask);

#endif
