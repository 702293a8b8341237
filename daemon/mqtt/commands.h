/* What became of each request: read, held back in a short queue, given to the operator (daemon/operator.h) one at a time, answered.
 * A pure state machine like intake.h (json-c allocates within commands_give() alone); the publisher turns its crank in the main
 * thread. A request never waits long: it is too old before that. So a full queue answers `busy`, and nothing is kept for later. */
#ifndef MQTT_COMMANDS_H
#define MQTT_COMMANDS_H

#include "daemon/mqtt/command.h"
#include "daemon/mqtt/inbox.h"
#include "daemon/mqtt/places.h"

/* Of the responses' places so many are kept for requests that were taken: those have an answer whatever flood is refused. */
enum { COMMANDS_WAITING_MAX = 8, COMMANDS_RESPONSES_MAX = 48, COMMANDS_RESPONSES_KEPT = COMMANDS_WAITING_MAX + 1,
       COMMANDS_IN_FLIGHT_MAX = 16, COMMAND_OUTCOME_BYTES = 768, COMMAND_MODE_BYTES = 16 };

/* How a command ended, from the operator. */
struct command_outcome {
    enum command_error error;
    char message[COMMAND_OUTCOME_BYTES]; /* "" = nothing to say; more than fits into a response is cut */
    int64_t seq;                         /* of the journalled row, 0 = none */
    char event_id[JOURNAL_ID_BYTES];
    char mode[COMMAND_MODE_BYTES]; /* the lane's after it; "" = not told */
    int64_t from_seq, to_seq;      /* resend; 0 = none */
};

struct response {
    enum command_verb verb; /* COMMAND_VERB_COUNT: unknown */
    char transaction[JOURNAL_TRANSACTION_BYTES];
    int64_t at_us;
    bool clock_trusted;
    int64_t monotonic_us;
    struct command_outcome outcome;
};

/* The moment, by all clocks. */
struct commands_now {
    int64_t now_us; /* CLOCK_MONOTONIC */
    int64_t unix_us;
    bool clock_trusted;
};

struct commands {
    struct command_rules rules;
    bool under_way; /* the operator has one */
    int first, count, old_rules; /* old_rules: so many of the first came under other rules */
    struct command waiting[COMMANDS_WAITING_MAX], current; /* current: under way */
    int64_t taken, refused, responses_dropped;             /* since start-up */
    struct places places;
    struct response responses[COMMANDS_RESPONSES_MAX];
};

void commands_init(struct commands *c, int64_t ack_timeout_us, int64_t backoff_min_us);
void commands_rules(struct commands *c, const struct command_rules *rules); /* copied; what waits since before is refused */
/* Never refuses to take one. Returns what is wrong with it for the log, or NULL; written to `why`. */
const char *commands_give(struct commands *c, const struct inbox_message *message, const struct commands_now *now,
                          char why[COMMAND_MESSAGE_BYTES]);
/* True: *ret is to be carried out, now, and commands_done() told. False: none waits, or one is under way. What waited too long is
 * answered. */
bool commands_next(struct commands *c, const struct commands_now *now, struct command *ret);
void commands_done(struct commands *c, const struct commands_now *now, const struct command_outcome *outcome);
bool commands_idle(const struct commands *c); /* none waits, none is under way */
/* The next response to publish, in flight from now on, and its place; or NULL. */
const struct response *commands_publish(struct commands *c, int64_t now_us, int *ret_place);
void commands_acked(struct commands *c, int place, enum outbox_ack ack, int64_t now_us);
void commands_disconnected(struct commands *c);
bool commands_stuck(const struct commands *c, int64_t now_us);
int64_t commands_deadline_us(const struct commands *c, bool connected); /* INT64_MAX: never */

enum topic response_topic(const struct response *response);
/* As JSON: the length, or -EMSGSIZE. `health`: as message_health() wrote it, "" = none; left out where it doesn't fit. */
int response_write(const struct response *response, const char *health, char *ret_text, size_t text_bytes);

#endif
