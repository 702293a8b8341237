/* The commands' pump at the publisher: operators' requests from the inbox to daemon/operator.c, responses out. What the journal
 * has to do with them the operator asks itself. Main thread. */
#include <inttypes.h>
#include <stdio.h>

#include "daemon/mqtt/publisher_parts.h"

enum { REFUSED_TOLD_EVERY_US = 10000000 };

static struct commands_now moment(const struct publisher *p)
{
    return (struct commands_now){.now_us = p->now_us, .unix_us = publisher_unix_us(),
                                 .clock_trusted = p->state_known && p->state.clock_trusted};
}

/* Strangers' requests come in floods: one line in the log for a while of them. */
void publisher_take_request(struct publisher *p, const struct inbox_message *message)
{
    char why[COMMAND_MESSAGE_BYTES];
    const struct commands_now now = moment(p);
    if (commands_give(&p->commands, message, &now, why) == NULL || p->now_us < p->refused_told_us)
        return;
    p->refused_told_us = p->now_us + REFUSED_TOLD_EVERY_US;
    (void)fprintf(stderr, "<4>command: a request was refused: %s (%" PRId64 " so far)\n", why, p->commands.refused);
}

static void disconnected(struct publisher *p)
{
    commands_disconnected(&p->commands);
}

static void publish(struct publisher *p)
{
    char text[MESSAGE_BYTES], health[MESSAGE_BYTES] = "";
    const struct response *response;
    int place;
    while ((response = commands_publish(&p->commands, p->now_us, &place)) != NULL) {
        if (response->verb == COMMAND_REPORT && p->health_known && message_health(&p->health, health, sizeof health) < 0)
            health[0] = '\0';
        const int length = response_write(response, health, text, sizeof text);
        if (publisher_send(p, PUMP_COMMANDS, (uint64_t)place, response_topic(response), text, length) < 0)
            commands_acked(&p->commands, place, OUTBOX_ACK_LOST, p->now_us);
    }
}

static void answered(struct publisher *p, uint64_t number, enum outbox_ack ack, const char *why)
{
    (void)why;
    commands_acked(&p->commands, (int)number, ack, p->now_us);
}

static bool stuck(const struct publisher *p)
{
    return commands_stuck(&p->commands, p->now_us);
}

static int64_t deadline_us(const struct publisher *p, bool may_ask)
{
    (void)may_ask;
    return commands_deadline_us(&p->commands, p->connected && !p->reset_asked);
}

void publisher_command_rules(struct publisher *p, const struct command_rules *rules)
{
    commands_rules(&p->commands, rules);
    publisher_discovery_rules(p, rules);
}

bool publisher_command(struct publisher *p, struct command *ret)
{
    const struct commands_now now = moment(p);
    return p->client != NULL && commands_next(&p->commands, &now, ret);
}

void publisher_command_done(struct publisher *p, const struct command_outcome *outcome)
{
    const struct commands_now now = moment(p);
    commands_done(&p->commands, &now, outcome);
}

const struct pump publisher_commands_pump = {
    .disconnected = disconnected, .publish = publish, .answered = answered, .stuck = stuck,
    .deadline_us = deadline_us,
};
