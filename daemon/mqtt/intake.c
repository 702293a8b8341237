/* Incoming messages on their way to the journal, and their results. Pure; turned by the publisher in the main thread. */
#include "daemon/mqtt/intake.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/mqtt/backoff.h"

static const enum journal_op op_of[INBOUND_TOPIC_COUNT] = {
    [INBOUND_DECLARATION] = JOURNAL_DECLARE, [INBOUND_REVOCATION] = JOURNAL_REVOKE, [INBOUND_PASSAGE] = JOURNAL_FOLLOW};

void intake_init(struct intake *intake, const struct intake_settings *settings, struct mqtt_counts *counts)
{
    memset(intake, 0, sizeof *intake);
    intake->settings = *settings;
    intake->counts = counts;
}

static struct intake_place *free_place(struct intake *intake)
{
    for (int i = 0; i < INTAKE_RESULTS_MAX; i++)
        if (intake->places[i].state == INTAKE_PLACE_FREE)
            return &intake->places[i];
    return NULL;
}

bool intake_has_room(const struct intake *intake)
{
    return !intake->held;
}

static void count(struct mqtt_counts *counts, enum inbound_topic of, enum result_kind kind)
{
    int64_t *const counter[INBOUND_TOPIC_COUNT][RESULT_KIND_COUNT] = {
        [INBOUND_DECLARATION] = {[RESULT_TAKEN] = &counts->declarations_taken, [RESULT_REJECTED] = &counts->declarations_rejected},
        [INBOUND_REVOCATION] = {[RESULT_TAKEN] = &counts->revocations_taken, [RESULT_REJECTED] = &counts->revocations_rejected},
        [INBOUND_PASSAGE] = {[RESULT_TAKEN] = &counts->passages_followed, [RESULT_REJECTED] = &counts->passages_rejected},
    };
    if (counter[of][kind] != NULL)
        ++*counter[of][kind];
}

/* The held message is done with: counted, and answered where somebody may be waiting for that. */
static const char *settle(struct intake *intake, enum result_kind kind, int64_t unix_us)
{
    struct message_result *result = &intake->result;
    struct intake_place *place = free_place(intake);
    bool answer = result->of != INBOUND_PASSAGE && (kind == RESULT_REJECTED || result->transaction[0] != '\0');
    intake->held = intake->asked = false;
    intake->failures = 0;
    result->kind = kind;
    result->at_us = unix_us;
    count(intake->counts, result->of, kind);
    if (answer && place == NULL)
        intake->counts->results_dropped++;
    else if (answer)
        *place = (struct intake_place){.state = INTAKE_PLACE_WAITING, .order = intake->orders++, .result = *result};
    memset(&intake->content, 0, sizeof intake->content);
    return kind == RESULT_REJECTED ? result->why : NULL;
}

/* 1: it is for the journal; 0: it concerns nobody; negative: it is refused. */
static int read_message(struct intake *intake, const struct inbox_message *message, int64_t now_s)
{
    char *transaction = intake->result.transaction, *why = intake->result.why;
    if (message->length_bytes > INBOUND_MESSAGE_MAX_BYTES) {
        (void)snprintf(why, INBOUND_WHY_BYTES, "%zu bytes; allowed are %d", message->length_bytes, (int)INBOUND_MESSAGE_MAX_BYTES);
        return -EMSGSIZE;
    }
    switch (message->came.topic) {
    case INBOUND_DECLARATION: {
        int r = inbound_declaration(message->text, message->length_bytes, now_s, &intake->content.declared, transaction, why,
                                    INBOUND_WHY_BYTES);
        return r < 0 ? r : 1;
    }
    case INBOUND_REVOCATION: {
        int r = inbound_revocation(message->text, message->length_bytes, now_s, &intake->content.revocation, transaction, why,
                                   INBOUND_WHY_BYTES);
        return r < 0 ? r : 1;
    }
    case INBOUND_PASSAGE:
        return inbound_passage(message->text, message->length_bytes, message->came.name, &intake->content.passage, why,
                               INBOUND_WHY_BYTES);
    case INBOUND_REQUEST:        /* commands.h */
    case INBOUND_HOME_ASSISTANT: /* publisher_discovery.c */
    case INBOUND_TOPIC_COUNT: break;
    }
    return 0;
}

const char *intake_give(struct intake *intake, const struct inbox_message *message, int64_t unix_us, bool clock_trusted)
{
    const int64_t end_of_time_s = INT64_C(253402300799); /* year 9999 */
    int r;
    intake->result = (struct message_result){.of = message->came.topic};
    memset(&intake->content, 0, sizeof intake->content);
    r = read_message(intake, message, clock_trusted ? unix_us / 1000000 : end_of_time_s);
    if (r < 0)
        return settle(intake, RESULT_REJECTED, unix_us);
    if (r == 0)
        return NULL;
    intake->result.why[0] = '\0';
    intake->op = op_of[message->came.topic];
    intake->held = true;
    intake->ask_at_us = 0;
    return NULL;
}

bool intake_wants(struct intake *intake, int64_t now_us, struct journal_request *ret_request)
{
    if (!intake->held || (!intake->asked && now_us < intake->ask_at_us))
        return false;
    intake->asked = true;
    ret_request->op = intake->op;
    if (intake->op == JOURNAL_DECLARE)
        ret_request->declared = intake->content.declared;
    else if (intake->op == JOURNAL_REVOKE)
        ret_request->revocation = intake->content.revocation;
    else
        ret_request->passage = intake->content.passage;
    return true;
}

const char *intake_answer(struct intake *intake, const struct journal_answer *answer, int64_t now_us, int64_t unix_us,
                          uint32_t random)
{
    const struct intake_settings *settings = &intake->settings;
    char *why = intake->result.why;
    if (!intake->asked || answer->op != intake->op)
        return NULL;
    if (answer->error == 0)
        return settle(intake, answer->taken ? RESULT_TAKEN : RESULT_OLDER, unix_us);
    if (answer->error == -EEXIST || answer->error == -EINVAL) { /* the message's fault: again would be no better */
        (void)snprintf(why, INBOUND_WHY_BYTES, "%s", answer->error == -EEXIST
                           ? "identities: they belong to different people of the register; declare each by one number"
                           : "the register doesn't take it: not a declaration of anybody");
        return settle(intake, RESULT_REJECTED, unix_us);
    }
    intake->asked = false;
    intake->failures += intake->failures < 30;
    intake->ask_at_us = now_us + backoff_us(intake->failures, settings->backoff_min_us, settings->backoff_max_us, random);
    return NULL;
}

static struct intake_place *next_waiting(struct intake *intake)
{
    struct intake_place *next = NULL;
    for (int i = 0; i < INTAKE_RESULTS_MAX; i++) {
        struct intake_place *place = &intake->places[i];
        if (place->state == INTAKE_PLACE_WAITING && (next == NULL || place->order < next->order))
            next = place;
    }
    return next;
}

const struct message_result *intake_publish(struct intake *intake, int64_t now_us, int *ret_place)
{
    struct intake_place *place = next_waiting(intake);
    if (place == NULL || now_us < intake->send_at_us || intake->in_flight >= INTAKE_IN_FLIGHT_MAX)
        return NULL;
    place->state = INTAKE_PLACE_IN_FLIGHT;
    intake->in_flight++;
    place->sent_at_us = now_us;
    *ret_place = (int)(place - intake->places);
    return &place->result;
}

void intake_acked(struct intake *intake, int place, enum outbox_ack ack, int64_t now_us)
{
    if (place < 0 || place >= INTAKE_RESULTS_MAX || intake->places[place].state != INTAKE_PLACE_IN_FLIGHT)
        return;
    intake->in_flight--;
    if (ack == OUTBOX_ACK_LOST) {
        intake->places[place].state = INTAKE_PLACE_WAITING;
        intake->send_at_us = now_us + intake->settings.backoff_min_us;
    } else {
        intake->places[place].state = INTAKE_PLACE_FREE;
    }
}

void intake_disconnected(struct intake *intake)
{
    for (int i = 0; i < INTAKE_RESULTS_MAX; i++)
        if (intake->places[i].state == INTAKE_PLACE_IN_FLIGHT)
            intake->places[i].state = INTAKE_PLACE_WAITING;
    intake->in_flight = 0;
}

static int64_t oldest_sent_us(const struct intake *intake)
{
    int64_t sent_us = INT64_MAX;
    for (int i = 0; i < INTAKE_RESULTS_MAX; i++)
        if (intake->places[i].state == INTAKE_PLACE_IN_FLIGHT && intake->places[i].sent_at_us < sent_us)
            sent_us = intake->places[i].sent_at_us;
    return sent_us;
}

bool intake_stuck(const struct intake *intake, int64_t now_us)
{
    int64_t sent_us = oldest_sent_us(intake);
    return sent_us != INT64_MAX && now_us - sent_us >= intake->settings.ack_timeout_us;
}

int64_t intake_deadline_us(const struct intake *intake, bool connected, bool may_ask)
{
    int64_t at_us = may_ask && intake->held ? intake->ask_at_us : INT64_MAX, sent_us = oldest_sent_us(intake);
    if (!connected)
        return at_us;
    for (int i = 0; i < INTAKE_RESULTS_MAX && intake->in_flight < INTAKE_IN_FLIGHT_MAX; i++)
        if (intake->places[i].state == INTAKE_PLACE_WAITING && intake->send_at_us < at_us)
            at_us = intake->send_at_us;
    if (sent_us != INT64_MAX && sent_us + intake->settings.ack_timeout_us < at_us)
        at_us = sent_us + intake->settings.ack_timeout_us;
    return at_us;
}
