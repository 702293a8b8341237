/* The choice between MQTT 5 and 3.1.1. Pure. */
#include "daemon/mqtt/protocol.h"

enum { CLOSED_ENOUGH = 2 };

void protocol_init(struct protocol *protocol, enum mqtt_protocol wanted)
{
    *protocol = (struct protocol){.wanted = wanted};
}

bool protocol_is_5(struct protocol *protocol, int64_t now_us)
{
    if (protocol->wanted != MQTT_PROTOCOL_AUTO)
        return protocol->wanted == MQTT_PROTOCOL_5;
    if (protocol->phase == PROTOCOL_OLD && now_us >= protocol->old_until_us)
        protocol_init(protocol, protocol->wanted);
    return protocol->phase == PROTOCOL_NEW || protocol->phase == PROTOCOL_CONFIRM;
}

static bool become_old(struct protocol *protocol, int64_t now_us)
{
    protocol->phase = PROTOCOL_OLD;
    protocol->old_until_us = now_us + PROTOCOL_OLD_US;
    return true;
}

bool protocol_failed(struct protocol *protocol, enum protocol_failure failure, int64_t now_us)
{
    if (protocol->wanted != MQTT_PROTOCOL_AUTO)
        return false;
    switch (protocol->phase) {
    case PROTOCOL_NEW:
        if (failure == PROTOCOL_REFUSED)
            return become_old(protocol, now_us);
        protocol->closed = failure == PROTOCOL_CLOSED && !protocol->has_spoken_5 ? protocol->closed + 1 : 0;
        if (protocol->closed >= CLOSED_ENOUGH)
            protocol->phase = PROTOCOL_TRIAL;
        return false;
    case PROTOCOL_CONFIRM:
        if (failure != PROTOCOL_OTHER)
            return become_old(protocol, now_us);
        protocol_init(protocol, protocol->wanted);
        return false;
    case PROTOCOL_TRIAL: protocol_init(protocol, protocol->wanted); return false;
    case PROTOCOL_OLD:
        if (failure == PROTOCOL_REFUSED)
            protocol_init(protocol, protocol->wanted);
        return false;
    }
    return false;
}

bool protocol_connected(struct protocol *protocol)
{
    if (protocol->phase == PROTOCOL_TRIAL) {
        protocol->phase = PROTOCOL_CONFIRM;
        return false;
    }
    if (protocol->phase != PROTOCOL_OLD) {
        protocol_init(protocol, protocol->wanted);
        protocol->has_spoken_5 = true;
    }
    return true;
}
