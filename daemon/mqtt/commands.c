/* Requests on their way to the operator, and their responses. Pure; turned by the publisher in the main thread. */
#include "daemon/mqtt/commands.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/mqtt/catalogue.h"
#include "daemon/mqtt/json_write.h"
#include "daemon/mqtt/messages.h"

void commands_init(struct commands *c, int64_t ack_timeout_us, int64_t backoff_min_us)
{
    memset(c, 0, sizeof *c);
    _Static_assert((int)COMMANDS_RESPONSES_MAX <= (int)PLACES_MAX, "a place for each");
    places_init(&c->places, COMMANDS_RESPONSES_MAX, ack_timeout_us, backoff_min_us);
}

void commands_rules(struct commands *c, const struct command_rules *rules)
{
    c->rules = *rules;
    c->old_rules = c->count;
}

/* ---- responses --------------------------------------------------------------------------------------------------- */

static void respond(struct commands *c, const struct command *command, const struct commands_now *now,
                    const struct command_outcome *outcome, int kept)
{
    int place = c->places.free > kept ? places_put(&c->places) : -1;
    if (place < 0) { /* a broker that acknowledges nothing, or a flood: the sender learns by silence */
        c->responses_dropped++;
        return;
    }
    struct response *response = &c->responses[place];
    response->verb = command->verb;
    memcpy(response->transaction, command->transaction, sizeof response->transaction);
    response->at_us = now->unix_us;
    response->clock_trusted = now->clock_trusted;
    response->monotonic_us = now->now_us;
    response->outcome = *outcome;
}

static void refuse(struct commands *c, const struct command *command, const struct commands_now *now, enum command_error error,
                   const char *why, int kept)
{
    struct command_outcome outcome = {.error = error};
    (void)snprintf(outcome.message, sizeof outcome.message, "%s", why);
    c->refused++;
    respond(c, command, now, &outcome, kept);
}

/* ---- the queue --------------------------------------------------------------------------------------------------- */

const char *commands_give(struct commands *c, const struct inbox_message *message, const struct commands_now *now,
                          char why[COMMAND_MESSAGE_BYTES])
{
    const struct inbox_arrival *came = &message->came;
    const struct command_arrival arrival = {.verb = came->name,
                                            .retained = came->retained,
                                            .expiry_s = came->expiry_s,
                                            .waited_us = now->now_us - came->received_at_us,
                                            .age_max_us = came->sent_after_us > 0 ? now->now_us - came->sent_after_us : INT64_MAX,
                                            .now_us = now->now_us,
                                            .unix_us = now->unix_us,
                                            .clock_trusted = now->clock_trusted};
    struct command *command = &c->waiting[(c->first + c->count) % COMMANDS_WAITING_MAX], none;
    const bool room = c->count < COMMANDS_WAITING_MAX;
    enum command_error error = command_read(&c->rules, &arrival, (const uint8_t *)message->text, message->length_bytes,
                                            room ? command : &none, why);
    if (error == COMMAND_OK && !room)
        error = COMMAND_BUSY;
    if (error == COMMAND_OK) {
        c->count++;
        c->taken++;
        return NULL;
    }
    if (error == COMMAND_BUSY)
        (void)snprintf(why, COMMAND_MESSAGE_BYTES, "%d requests wait already; allowed are as many: ask again later",
                       COMMANDS_WAITING_MAX);
    refuse(c, room ? command : &none, now, error, why, COMMANDS_RESPONSES_KEPT);
    return why;
}

bool commands_next(struct commands *c, const struct commands_now *now, struct command *ret)
{
    while (!c->under_way && c->count > 0) {
        const bool old_rules = c->old_rules > 0;
        c->current = c->waiting[c->first];
        c->first = (c->first + 1) % COMMANDS_WAITING_MAX;
        c->count--;
        c->old_rules -= old_rules;
        if (old_rules) {
            refuse(c, &c->current, now, COMMAND_NO_RIGHTS, "the lane's rights changed while it waited; ask again", 0);
        } else if (now->now_us > c->current.until_us) {
            refuse(c, &c->current, now, COMMAND_STALE, "it waited too long in this lane's queue; ask again", 0);
        } else {
            *ret = c->current;
            c->under_way = true;
            return true;
        }
    }
    return false;
}

void commands_done(struct commands *c, const struct commands_now *now, const struct command_outcome *outcome)
{
    if (!c->under_way)
        return;
    c->under_way = false;
    c->refused += outcome->error != COMMAND_OK;
    respond(c, &c->current, now, outcome, 0);
}

bool commands_idle(const struct commands *c)
{
    return c->count == 0 && !c->under_way;
}

/* ---- to the broker ----------------------------------------------------------------------------------------------- */

const struct response *commands_publish(struct commands *c, int64_t now_us, int *ret_place)
{
    *ret_place = places_send(&c->places, COMMANDS_IN_FLIGHT_MAX, now_us);
    return *ret_place < 0 ? NULL : &c->responses[*ret_place];
}

void commands_acked(struct commands *c, int place, enum outbox_ack ack, int64_t now_us)
{
    (void)places_acked(&c->places, place, ack, now_us); /* one that was answered twice, or after a reconnection */
}

void commands_disconnected(struct commands *c)
{
    places_disconnected(&c->places);
}

bool commands_stuck(const struct commands *c, int64_t now_us)
{
    return places_stuck(&c->places, now_us);
}

int64_t commands_deadline_us(const struct commands *c, bool connected)
{
    return connected ? places_deadline_us(&c->places, COMMANDS_IN_FLIGHT_MAX) : INT64_MAX;
}

enum topic response_topic(const struct response *response)
{
    const unsigned verb = (unsigned)response->verb < COMMAND_VERB_COUNT ? (unsigned)response->verb : COMMAND_VERB_COUNT;
    return (enum topic)(TOPIC_RESPONSE + verb);
}

/* ---- as JSON ----------------------------------------------------------------------------------------------------- */

static const char *status_of(enum command_error error)
{
    return error == COMMAND_OK ? "ok" : error == COMMAND_FAILED ? "failed" : "refused";
}

static int write_cut(const struct response *response, size_t message_bytes, const char *health, char *ret_text,
                     size_t text_bytes)
{
    const struct command_outcome *outcome = &response->outcome;
    struct json json;
    char at[MESSAGE_TIME_BYTES];
    message_time(response->at_us, at);
    json_begin(&json, ret_text, text_bytes);
    json_text(&json, "schema", catalogue_message(MESSAGE_RESPONSE)->schema, SIZE_MAX);
    if (response->transaction[0] != '\0')
        json_text(&json, "transaction", response->transaction, sizeof response->transaction);
    json_text(&json, "verb", command_verb_name(response->verb), SIZE_MAX);
    json_text(&json, "status", status_of(outcome->error), SIZE_MAX);
    if (outcome->error != COMMAND_OK)
        json_text(&json, "error", command_error_name(outcome->error), SIZE_MAX);
    if (outcome->message[0] != '\0' && message_bytes > 0)
        json_text(&json, "message", outcome->message, message_bytes);
    json_text(&json, "at", at, sizeof at);
    json_flag(&json, "clock_trusted", response->clock_trusted);
    if (outcome->seq > 0) {
        json_integer(&json, "seq", outcome->seq);
        json_text(&json, "event_id", outcome->event_id, sizeof outcome->event_id);
    }
    if (outcome->mode[0] != '\0')
        json_text(&json, "mode", outcome->mode, sizeof outcome->mode);
    if (outcome->to_seq > 0) {
        json_integer(&json, "from", outcome->from_seq);
        json_integer(&json, "to", outcome->to_seq);
    }
    if (response->verb == COMMAND_TIME && outcome->error == COMMAND_OK) {
        json_open(&json, "clock");
        json_text(&json, "at", at, sizeof at);
        json_flag(&json, "trusted", response->clock_trusted);
        json_integer(&json, "monotonic_us", response->monotonic_us);
        json_close(&json);
    }
    if (health[0] != '\0' && response->verb == COMMAND_REPORT && outcome->error == COMMAND_OK)
        json_object_text(&json, "health", health, strlen(health));
    return json_end(&json);
}

int response_write(const struct response *response, const char *health, char *ret_text, size_t text_bytes)
{
    size_t message_bytes = sizeof response->outcome.message;
    int length = write_cut(response, message_bytes, health, ret_text, text_bytes);
    if (length == -EMSGSIZE && health[0] != '\0')
        return response_write(response, "", ret_text, text_bytes);
    while (length == -EMSGSIZE && message_bytes > 1) { /* long names, many escapes */
        message_bytes /= 2;
        length = write_cut(response, message_bytes, "", ret_text, text_bytes);
    }
    return length;
}
