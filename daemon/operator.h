/* Carries out operators' commands: asks the lane whether it would, journals who and why, and only then does it. One at a time.
 * Main thread; allocates nothing. commands.h holds requests against the rules before they come here. */
#ifndef OPERATOR_H
#define OPERATOR_H

#include "daemon/passage.h"

enum operator_stage {
    OPERATOR_IDLE,
    OPERATOR_RECORDING,   /* the journal has the row */
    OPERATOR_REGISTERING, /* … the declaration or revocation */
    OPERATOR_REPORTING,   /* main looks at its health in this turn of its loop */
    OPERATOR_TO_RELOAD,   /* main is to begin a reload */
    OPERATOR_RELOADING,
    OPERATOR_LATE         /* the response is out; the journal's answer is still to come, and only a row can follow from it */
};

struct operator {
    struct passage *passage;     /* these two are borrowed */
    struct publisher *publisher;
    enum operator_stage stage;
    struct command command;
    struct command_outcome outcome;
    int64_t asked_at_us;
    int64_t told_us; /* the last line in the log */
    enum operator_stage late_at; /* LATE: RECORDING or REGISTERING, whose answer is still to come */
    struct journal_request request; /* too large for a stack frame */
};

void operator_init(struct operator *o, struct passage *passage, struct publisher *publisher);
/* All that is due. Call after every event, when the journal's answers were taken. */
void operator_advance(struct operator *o, int64_t now_us);
int64_t operator_next_us(const struct operator *o); /* INT64_MAX: nothing waits for a time */
/* True once: main is to begin a reload, and to tell how it ended. `messages`: what was refused, "" = nothing. */
bool operator_wants_reload(struct operator *o);
void operator_reload_ended(struct operator *o, int64_t now_us, bool taken, const char *messages);

/* In place of operator_advance() when the gate stops: nothing is carried out any more, and what is on disk and won't be has a row
 * that says so. False: the journal's answer is still to come; call again with it. */
bool operator_stop(struct operator *o, int64_t now_us);

#endif
