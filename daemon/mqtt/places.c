/* Places of messages that wait for the broker. For commands.c, main thread. */
#include "daemon/mqtt/places.h"

#include <string.h>

void places_init(struct places *places, int count, int64_t ack_timeout_us, int64_t again_us)
{
    memset(places, 0, sizeof *places);
    places->count = places->free = count;
    places->ack_timeout_us = ack_timeout_us;
    places->again_us = again_us;
}

int places_put(struct places *places)
{
    for (int i = 0; i < places->count; i++) {
        if (places->all[i].state != PLACE_FREE)
            continue;
        places->all[i] = (struct place){.state = PLACE_WAITING, .order = places->orders++};
        places->free--;
        return i;
    }
    return -1;
}

int places_send(struct places *places, int in_flight_max, int64_t now_us)
{
    int next = -1;
    if (now_us < places->send_at_us || places->in_flight >= in_flight_max)
        return -1;
    for (int i = 0; i < places->count; i++)
        if (places->all[i].state == PLACE_WAITING && (next < 0 || places->all[i].order < places->all[next].order))
            next = i;
    if (next < 0)
        return -1;
    places->all[next].state = PLACE_IN_FLIGHT;
    places->all[next].sent_at_us = now_us;
    places->in_flight++;
    return next;
}

bool places_acked(struct places *places, int place, enum outbox_ack ack, int64_t now_us)
{
    if (place < 0 || place >= places->count || places->all[place].state != PLACE_IN_FLIGHT)
        return false;
    places->in_flight--;
    if (ack == OUTBOX_ACK_LOST) {
        places->all[place].state = PLACE_WAITING;
        places->send_at_us = now_us + places->again_us;
    } else {
        places->all[place].state = PLACE_FREE;
        places->free++;
    }
    return true;
}

void places_disconnected(struct places *places)
{
    for (int i = 0; i < places->count; i++)
        if (places->all[i].state == PLACE_IN_FLIGHT)
            places->all[i].state = PLACE_WAITING;
    places->in_flight = 0;
}

static int64_t oldest_sent_us(const struct places *places)
{
    int64_t sent_us = INT64_MAX;
    for (int i = 0; i < places->count; i++)
        if (places->all[i].state == PLACE_IN_FLIGHT && places->all[i].sent_at_us < sent_us)
            sent_us = places->all[i].sent_at_us;
    return sent_us;
}

bool places_stuck(const struct places *places, int64_t now_us)
{
    int64_t sent_us = oldest_sent_us(places);
    return sent_us != INT64_MAX && now_us - sent_us >= places->ack_timeout_us;
}

int64_t places_deadline_us(const struct places *places, int in_flight_max)
{
    int64_t at_us = INT64_MAX, sent_us = oldest_sent_us(places);
    for (int i = 0; i < places->count && places->in_flight < in_flight_max; i++)
        if (places->all[i].state == PLACE_WAITING)
            at_us = places->send_at_us;
    if (sent_us != INT64_MAX && sent_us + places->ack_timeout_us < at_us)
        at_us = sent_us + places->ack_timeout_us;
    return at_us;
}
