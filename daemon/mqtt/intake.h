/* What became of each incoming message: read, brought to the journal, answered with a result. A pure state machine like
 * outbox.h (time and randomness passed in; json-c allocates within intake_give() alone); the publisher turns its crank in
 * the main thread.
 *
 * One message at a time is held until the journal settled it: a disk that fails is tried again with a back-off, and nothing is
 * dropped; the inbox fills, and the broker waits. Results wait for the broker's acknowledgement in many places, for
 * all that inbox and line hold when the journal works again, but taking messages never waits for that: while the inbox is
 * full Paho reads little, so the acknowledgement would be seen late. Only a broker that doesn't acknowledge, or sends more at
 * once than it was told to, fills the places; then results are dropped and counted, and the sender learns by silence. */
#ifndef MQTT_INTAKE_H
#define MQTT_INTAKE_H

#include "daemon/mqtt/inbox.h"
#include "daemon/mqtt/messages.h"
#include "daemon/mqtt/outbox.h"

enum { INTAKE_RESULTS_MAX = 8 * INBOX_MAX, INTAKE_IN_FLIGHT_MAX = 60 };

struct intake_settings {
    int64_t ack_timeout_us, backoff_min_us, backoff_max_us;
};

enum intake_place_state { INTAKE_PLACE_FREE, INTAKE_PLACE_WAITING, INTAKE_PLACE_IN_FLIGHT };
struct intake_place {
    enum intake_place_state state;
    uint64_t order; /* results go out in the order of their messages */
    int64_t sent_at_us;
    struct message_result result;
};

struct intake {
    struct intake_settings settings;
    struct mqtt_counts *counts; /* borrowed */
    bool held, asked;
    enum journal_op op;
    union {
        struct declared declared;
        struct revocation revocation;
        struct followed_passage passage;
    } content; /* of the held message, by op */
    struct message_result result; /* what will be said of it */
    int failures; /* of the journal, in a row */
    int64_t ask_at_us;
    int64_t send_at_us;
    uint64_t orders;
    int in_flight;
    struct intake_place places[INTAKE_RESULTS_MAX];
};

void intake_init(struct intake *intake, const struct intake_settings *settings, struct mqtt_counts *counts);
/* True: intake_give() may be called. */
bool intake_has_room(const struct intake *intake);
/* `unix_us`: now; trusted false: messages from the future can't be told, and aren't looked for. Returns what is wrong with
 * the message for the log, or NULL; valid until the next call. */
const char *intake_give(struct intake *intake, const struct inbox_message *message, int64_t unix_us, bool clock_trusted);
/* True: *ret_request is what the journal is asked; the same again until intake_answer(). */
bool intake_wants(struct intake *intake, int64_t now_us, struct journal_request *ret_request);
/* Returns what was wrong with the message for the log, or NULL. */
const char *intake_answer(struct intake *intake, const struct journal_answer *answer, int64_t now_us, int64_t unix_us,
                          uint32_t random);
/* The next result to publish, in flight from now on, and its number; or NULL. */
const struct message_result *intake_publish(struct intake *intake, int64_t now_us, int *ret_place);
/* LOST: sent again, as a duplicate harms nobody. REFUSED: given up, for the sender learns by silence too. */
void intake_acked(struct intake *intake, int place, enum outbox_ack ack, int64_t now_us);
void intake_disconnected(struct intake *intake);
bool intake_stuck(const struct intake *intake, int64_t now_us); /* the broker owes an answer for too long */
/* When intake_wants() (if it may be asked), intake_publish() or intake_stuck() will have news; INT64_MAX: never. */
int64_t intake_deadline_us(const struct intake *intake, bool connected, bool may_ask);

#endif
