/* What comes on the line: read by its thread, a packet at a time, and handed to the main thread through inbox and ring. */
#include <poll.h>

#include "daemon/health/clock.h"
#include "daemon/mqtt/line_parts.h"

/* Retained means said once upon a time, perhaps long ago: nothing acts on it. Who asks for something is told so. Home Assistant's
 * "online" may be retained by its user's will; all that follows is that its device is published again. */
static bool is_stale(const struct inbox_arrival *came)
{
    return came->retained && came->topic != INBOUND_REQUEST && came->topic != INBOUND_HOME_ASSISTANT;
}

/* False: there is no room. */
static bool hand_over(struct line *line, const struct held *held)
{
    const struct paho_message *message = &held->message;
    const MQTTClient_message *from = message->message;
    struct inbox_arrival came = {.retained = from->retained != 0, .expiry_s = -1, .received_at_us = held->received_at_us,
                                 .sent_after_us = held->sent_after_us};
    if (MQTTProperties_hasProperty((MQTTProperties *)(uintptr_t)&from->properties, MQTTPROPERTY_CODE_MESSAGE_EXPIRY_INTERVAL))
        came.expiry_s = (uint32_t)MQTTProperties_getNumericValue((MQTTProperties *)(uintptr_t)&from->properties,
                                                                 MQTTPROPERTY_CODE_MESSAGE_EXPIRY_INTERVAL);
    if (topics_recognise(line->topics, message->topic, message->topic_bytes, &came.topic, came.name)) {
        if (is_stale(&came))
            atomic_fetch_add(&line->retained_ignored, 1);
        else if (!inbox_put(line->inbox, &came, from->payload, from->payloadlen > 0 ? (size_t)from->payloadlen : 0))
            return false;
        ring_wake(line->ring);
    }
    atomic_fetch_add(&line->heard, 1);
    return true;
}

static void hold(struct line *line, const struct paho_message *message)
{
    const int place = (line->held_first + line->held_count++) % LINE_HELD_MAX;
    line->held[place].message = *message;
    line->held[place].received_at_us = line->came_us = clock_monotonic_us();
    line->held[place].sent_after_us = line->quiet_us;
}

static void release(struct line *line)
{
    paho_message_free(&line->held[line->held_first].message);
    line->held_first = (line->held_first + 1) % LINE_HELD_MAX;
    line->held_count--;
}

void line_let_go(struct line *line)
{
    while (line->held_count > 0 && hand_over(line, &line->held[line->held_first]))
        release(line);
}

void line_forget_held(struct line *line)
{
    while (line->held_count > 0)
        release(line);
}

void line_gather(struct line *line)
{
    struct paho_message message;
    while (line->paho.ungiven > 0 && line->held_count < LINE_HELD_MAX && paho_read(&line->paho, &message))
        hold(line, &message);
}

bool line_is_overfull(const struct line *line)
{
    return line->held_count >= LINE_HELD_READ_MAX;
}

/* A journal that fails fills the inbox, perhaps for hours, and what is said most is said then: the answers to our publishes and to
 * pings come behind the messages. So one message is taken in at each tick although there is no room. */
static bool is_time_for_one(const struct line *line)
{
    return line->held_count == 0 ||
           (!line_is_overfull(line) && clock_monotonic_us() - line->came_us >= (int64_t)line->paho.tick_ms * 1000);
}

bool line_listens(const struct line *line)
{
    return paho_connected(&line->paho) && is_time_for_one(line) &&
           (inbox_is_open(line->inbox) || (inbox_is_closing(line->inbox) && !paho_all_given(&line->paho)));
}

static bool is_readable(const struct line *line)
{
    struct pollfd ready = {.fd = line->paho.socket_fd, .events = POLLIN};
    return poll(&ready, 1, 0) > 0;
}

/* The broker sends one message at a time and the next one when that is acknowledged: where none comes for so long, none waits
 * there. What comes later was published later, whatever of its expiry is left: so its age has a bound. */
static void note_quiet(struct line *line, int64_t looked_us)
{
    if (line->quiet_after_us > 0 && looked_us - line->came_us >= line->quiet_after_us)
        line->quiet_us = looked_us;
}

int line_wait_ms(const struct line *line)
{
    const int tick_ms = paho_tick_ms(&line->paho);
    const int64_t left_us = line->came_us + line->quiet_after_us - clock_monotonic_us();
    const bool is_unsure = line->quiet_us < line->came_us && left_us > 0;
    return is_unsure && left_us / 1000 < tick_ms ? (int)(left_us / 1000) + 1 : tick_ms;
}

/* Until nothing more is there, or there is something to be sent. */
void line_read(struct line *line)
{
    int64_t looked_us = 0;
    int idle = 0;
    while (line_listens(line) && idle < paho_idle_reads(&line->paho)) {
        struct paho_message message;
        bool found;
        line->news = 0;
        if (idle == 0)
            looked_us = clock_monotonic_us();
        found = paho_read(&line->paho, &message);
        if (found)
            hold(line, &message);
        line_let_go(line);
        idle = found || line->news > 0 ? 0 : idle + 1;
        if (idle == 0 && paho_all_given(&line->paho) && line_has_orders(line))
            return;
        if (!found && !line->paho.is_tls && paho_connected(&line->paho) && !is_readable(line))
            break;
    }
    if (line->held_count == 0 && paho_all_given(&line->paho)) {
        note_quiet(line, looked_us);
        inbox_drained(line->inbox);
    }
}
