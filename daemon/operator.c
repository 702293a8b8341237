/* Operators' commands, from the queue at the publisher to the lane and back. Main thread. */
#include "daemon/operator.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { TOLD_EVERY_US = 1000000 };

static const char NOT_REGISTERED[] = "the register doesn't take it";

static const enum lane_input_kind mode_input[] = {[COMMAND_MODE_NORMAL] = LANE_IN_NORMAL,
                                                  [COMMAND_MODE_HOLD_OPEN] = LANE_IN_HOLD_OPEN,
                                                  [COMMAND_MODE_LOCK_DOWN] = LANE_IN_LOCK_DOWN};
static const enum lane_mode mode_wanted[] = {[COMMAND_MODE_NORMAL] = LANE_NORMAL, [COMMAND_MODE_HOLD_OPEN] = LANE_HOLD_OPEN,
                                             [COMMAND_MODE_LOCK_DOWN] = LANE_LOCK_DOWN};

void operator_init(struct operator *o, struct passage *passage, struct publisher *publisher)
{
    memset(o, 0, sizeof *o);
    o->passage = passage;
    o->publisher = publisher;
}

static int64_t deadline_us(const struct operator *o)
{
    return o->asked_at_us + (int64_t)o->passage->settings->journal_deadline_ms * 1000;
}

/* ---- ends -------------------------------------------------------------------------------------------------------- */

/* The journal has every one; the log some of a flood. */
static void tell_log(struct operator *o, int64_t now_us)
{
    const struct command *command = &o->command;
    const bool done = o->outcome.error == COMMAND_OK;
    if (o->told_us != 0 && now_us - o->told_us < TOLD_EVERY_US)
        return;
    o->told_us = now_us;
    (void)fprintf(stderr, "<%d>command: %s by %s%s%s: %s%s%s\n", done ? 5 : 4, command_verb_name(command->verb),
                  command->operator_name, command->why[0] != '\0' ? ", " : "", command->why,
                  done ? "done" : command_error_name(o->outcome.error), o->outcome.message[0] != '\0' && !done ? ": " : "",
                  done ? "" : o->outcome.message);
}

__attribute__((format(printf, 4, 5)))
static void finish(struct operator *o, int64_t now_us, enum command_error error, const char *format, ...)
{
    va_list arguments;
    o->outcome.error = error;
    va_start(arguments, format);
    (void)vsnprintf(o->outcome.message, sizeof o->outcome.message, format, arguments);
    va_end(arguments);
    if (o->command.verb == COMMAND_OPEN || o->command.verb == COMMAND_MODE)
        (void)snprintf(o->outcome.mode, sizeof o->outcome.mode, "%s", lane_mode_name(o->passage->lane.mode));
    o->stage = OPERATOR_IDLE;
    tell_log(o, now_us);
    publisher_command_done(o->publisher, &o->outcome);
}

/* Its row is on disk, and it isn't carried out: another row says so. Nobody can go by an opening, as after a verdict that came
 * too late; any other command has a second row of its verb and operator. */
static void is_not_done(struct operator *o, const char *event_id, const char *detail, int64_t now_us)
{
    const bool open = o->command.verb == COMMAND_OPEN;
    struct event event = {.kind = open ? EVENT_NOT_USED : EVENT_COMMAND, .reason = REASON_NONE};
    passage_stamp(o->passage, &event, now_us);
    memcpy(event.bound_event_id, event_id, sizeof event.bound_event_id);
    (void)snprintf(event.detail, sizeof event.detail, "%s%s", open ? "" : "not done: ", detail);
    if (!open) {
        (void)snprintf(event.verb, sizeof event.verb, "%s", command_verb_name(o->command.verb));
        memcpy(event.operator_name, o->command.operator_name, sizeof event.operator_name);
    }
    passage_record(o->passage, &event);
}

/* ---- the lane ---------------------------------------------------------------------------------------------------- */

/* False: the command is nothing to the lane. */
static bool lane_input_of(const struct operator *o, int64_t now_us, struct lane_input *ret)
{
    *ret = (struct lane_input){.at_us = now_us, .event_id = o->outcome.event_id,
                               .direction = o->passage->settings->journal.policy.direction,
                               .hold_open_s = o->command.for_s};
    switch (o->command.verb) {
    case COMMAND_OPEN: ret->kind = LANE_IN_OPEN; return true;
    case COMMAND_MODE: ret->kind = mode_input[o->command.mode]; return true;
    case COMMAND_IDENTIFY: ret->kind = LANE_IN_IDENTIFY; return true;
    default: return false;
    }
}

static void refused_by_lane(struct operator *o, int r, const char *when, int64_t now_us)
{
    const struct lane *lane = &o->passage->lane;
    if (r == -ERANGE)
        finish(o, now_us, COMMAND_REFUSED, "%sfor_s %d: allowed are 1 to %d (turnstile.hold_open_max_s)", when, o->command.for_s,
               lane->settings.hold_open_max_s);
    else if (r == -EBUSY)
        finish(o, now_us, COMMAND_REFUSED, "%s%d openings wait already; ask again when they are used", when,
               LANE_OVERRIDES_WAITING_MAX);
    else
        finish(o, now_us, COMMAND_REFUSED, "%sthe lane refuses it in %s%s", when, lane_mode_name(lane->mode),
               lane->service && lane->mode != LANE_EMERGENCY && lane->mode != LANE_LOCK_DOWN
                   ? ", while a technician is at work" : "");
}

/* ---- to the journal ---------------------------------------------------------------------------------------------- */

static void fill_event(struct operator *o, struct event *event, int64_t now_us)
{
    const struct command *command = &o->command;
    const bool open = command->verb == COMMAND_OPEN;
    *event = (struct event){.kind = open ? EVENT_OVERRIDE : EVENT_COMMAND, .reason = open ? REASON_OPERATOR : REASON_NONE};
    passage_stamp(o->passage, event, now_us);
    memcpy(o->outcome.event_id, event->event_id, sizeof o->outcome.event_id);
    (void)snprintf(event->verb, sizeof event->verb, "%s", command_verb_name(command->verb));
    memcpy(event->operator_name, command->operator_name, sizeof event->operator_name);
    if (command->verb == COMMAND_MODE)
        (void)snprintf(event->detail, sizeof event->detail, "%s: %s", lane_mode_name(mode_wanted[command->mode]), command->why);
    else
        (void)snprintf(event->detail, sizeof event->detail, "%s", command->why);
}

static void ask_journal(struct operator *o, enum operator_stage stage, int64_t now_us)
{
    o->asked_at_us = now_us;
    o->stage = stage;
    if (!passage_ask(o->passage, &o->request))
        finish(o, now_us, COMMAND_BUSY, "the journal has too much to do; ask again later");
}

static void begin(struct operator *o, int64_t now_us)
{
    struct lane_input input;
    memset(&o->outcome, 0, sizeof o->outcome);
    const int r = lane_input_of(o, now_us, &input) ? lane_would(&o->passage->lane, &input) : 0;
    if (r != 0) { /* before the journal: no row says that it was done */
        refused_by_lane(o, r, "", now_us);
        return;
    }
    memset(&o->request, 0, offsetof(struct journal_request, payload));
    o->request.op = JOURNAL_COMMAND;
    memcpy(o->request.transaction, o->command.transaction, sizeof o->request.transaction);
    fill_event(o, &o->request.event, now_us);
    ask_journal(o, OPERATOR_RECORDING, now_us);
}

/* ---- after its row is on disk ------------------------------------------------------------------------------------- */

static void register_it(struct operator *o, int64_t now_us)
{
    memset(&o->request, 0, offsetof(struct journal_request, payload));
    if (o->command.verb == COMMAND_DECLARE) {
        o->request.op = JOURNAL_DECLARE;
        o->request.declared = o->command.declared;
    } else {
        o->request.op = JOURNAL_REVOKE;
        o->request.revocation = o->command.revocation;
    }
    ask_journal(o, OPERATOR_REGISTERING, now_us);
}

static void resend(struct operator *o, int64_t now_us)
{
    o->outcome.to_seq = publisher_resend(o->publisher, o->command.from_seq);
    o->outcome.from_seq = o->outcome.to_seq > 0 ? o->command.from_seq : 0;
    finish(o, now_us, COMMAND_OK, "%s", o->outcome.to_seq > 0 ? "" : "there is no event from that seq on");
}

static void tell_lane(struct operator *o, int64_t now_us)
{
    struct lane_input input;
    const bool open = o->command.verb == COMMAND_OPEN;
    (void)lane_input_of(o, now_us, &input);
    const int r = passage_tell(o->passage, &input);
    if (r != 0) {
        is_not_done(o, o->outcome.event_id, "the lane changed meanwhile", now_us);
        refused_by_lane(o, r, "the lane changed while it was journalled: ", now_us);
        return;
    }
    if (open)
        passage_show_override(o->passage, o->outcome.event_id);
    finish(o, now_us, COMMAND_OK, "%s", o->command.verb == COMMAND_MODE && o->passage->lane.mode != mode_wanted[o->command.mode]
                                            ? "it counts when what else is so has ended" : "");
}

static void carry_out(struct operator *o, int64_t now_us)
{
    switch (o->command.verb) {
    case COMMAND_OPEN:
    case COMMAND_MODE:
    case COMMAND_IDENTIFY: tell_lane(o, now_us); break;
    case COMMAND_DECLARE:
    case COMMAND_REVOKE: register_it(o, now_us); break;
    case COMMAND_RELOAD: o->stage = OPERATOR_TO_RELOAD; break;
    case COMMAND_REPORT:
        publisher_report(o->publisher);
        o->stage = OPERATOR_REPORTING; /* the response carries what main finds */
        break;
    case COMMAND_RESEND: resend(o, now_us); break;
    case COMMAND_TIME:
    case COMMAND_VERB_COUNT: finish(o, now_us, COMMAND_OK, "%s", ""); break;
    }
}

static void recorded(struct operator *o, const struct journal_answer *answer, int64_t now_us)
{
    const bool too_old = now_us > o->command.until_us;
    if (answer->error == -EALREADY) {
        o->outcome.event_id[0] = '\0';
        finish(o, now_us, COMMAND_REPEATED, "this transaction was seen before; a new command needs a new one");
        return;
    }
    if (answer->error != 0) {
        finish(o, now_us, COMMAND_FAILED, "the journal can't record it (%s), so it isn't done; mend the disk",
               strerror(-answer->error));
        return;
    }
    o->outcome.seq = answer->event.seq;
    if (!too_old) {
        carry_out(o, now_us);
        return;
    }
    is_not_done(o, o->outcome.event_id, "too old", now_us);
    finish(o, now_us, COMMAND_STALE, "it was journalled too late, and isn't carried out; ask again");
}

static void registered(struct operator *o, const struct journal_answer *answer, int64_t now_us)
{
    if (answer->error != 0)
        is_not_done(o, o->outcome.event_id, NOT_REGISTERED, now_us);
    if (answer->error == 0)
        finish(o, now_us, COMMAND_OK, "%s", answer->taken ? "" : "the register has one that is as new or newer, and keeps it");
    else if (answer->error == -EEXIST)
        finish(o, now_us, COMMAND_MALFORMED, "declaration: identities: they belong to different people of the register; declare "
               "each by one number");
    else if (answer->error == -EINVAL)
        finish(o, now_us, COMMAND_MALFORMED, "the register doesn't take it: not a declaration of anybody");
    else
        finish(o, now_us, COMMAND_FAILED, "the register can't take it (%s); mend the disk", strerror(-answer->error));
}

/* ---- the crank --------------------------------------------------------------------------------------------------- */

static void take_answer(struct operator *o, const struct journal_answer *answer, int64_t now_us)
{
    if (o->stage == OPERATOR_RECORDING) {
        recorded(o, answer, now_us);
    } else if (o->stage == OPERATOR_REGISTERING) {
        registered(o, answer, now_us);
    } else if (o->stage == OPERATOR_LATE) {
        if (o->late_at == OPERATOR_RECORDING && answer->error == 0)
            is_not_done(o, answer->event.event_id, "the journal was late", now_us);
        if (o->late_at == OPERATOR_REGISTERING && answer->error != 0)
            is_not_done(o, o->outcome.event_id, NOT_REGISTERED, now_us);
        o->stage = OPERATOR_IDLE;
    }
}

static void journal_is_late(struct operator *o, int64_t now_us)
{
    o->late_at = o->stage;
    if (o->stage == OPERATOR_RECORDING) {
        o->outcome.event_id[0] = '\0';
        finish(o, now_us, COMMAND_FAILED, "the journal doesn't answer, so it isn't done");
    } else { /* what was given to the register may still come into it */
        finish(o, now_us, COMMAND_FAILED, "the register doesn't answer, and may still take it; send it again, which does no "
               "harm");
    }
    o->stage = OPERATOR_LATE;
}

void operator_advance(struct operator *o, int64_t now_us)
{
    const struct journal_answer *answer = passage_command_answer(o->passage);
    if (o->stage == OPERATOR_REPORTING)
        finish(o, now_us, COMMAND_OK, "%s", "");
    if (answer != NULL)
        take_answer(o, answer, now_us);
    if ((o->stage == OPERATOR_RECORDING || o->stage == OPERATOR_REGISTERING) && now_us > deadline_us(o))
        journal_is_late(o, now_us);
    while (o->stage == OPERATOR_IDLE && publisher_command(o->publisher, &o->command)) /* bounded: by the queue */
        begin(o, now_us);
}

int64_t operator_next_us(const struct operator *o)
{
    if (o->stage == OPERATOR_TO_RELOAD || o->stage == OPERATOR_REPORTING)
        return 0;
    return o->stage == OPERATOR_RECORDING || o->stage == OPERATOR_REGISTERING ? deadline_us(o) + 1 : INT64_MAX;
}

bool operator_wants_reload(struct operator *o)
{
    if (o->stage != OPERATOR_TO_RELOAD)
        return false;
    o->stage = OPERATOR_RELOADING;
    return true;
}

void operator_reload_ended(struct operator *o, int64_t now_us, bool taken, const char *messages)
{
    if (o->stage != OPERATOR_RELOADING)
        return;
    if (!taken)
        is_not_done(o, o->outcome.event_id, "the configuration is refused", now_us);
    finish(o, now_us, taken ? COMMAND_OK : COMMAND_FAILED, "%s", messages);
}

/* ---- the end ----------------------------------------------------------------------------------------------------- */

static void is_stopped(struct operator *o, int64_t now_us)
{
    is_not_done(o, o->outcome.event_id, "the gate stopped", now_us);
    finish(o, now_us, COMMAND_FAILED, "the gate stops, so it isn't done; ask again when it is back");
}

bool operator_stop(struct operator *o, int64_t now_us)
{
    const struct journal_answer *answer = passage_command_answer(o->passage);
    if (answer != NULL && answer->error == 0 && o->stage == OPERATOR_RECORDING) {
        o->outcome.seq = answer->event.seq;
        is_stopped(o, now_us);
    } else if (answer != NULL) {
        take_answer(o, answer, now_us);
    } else if (o->stage == OPERATOR_REPORTING || o->stage == OPERATOR_TO_RELOAD || o->stage == OPERATOR_RELOADING) {
        is_stopped(o, now_us);
    }
    return o->stage == OPERATOR_IDLE;
}
