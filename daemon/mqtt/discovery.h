/* The lane as a device of Home Assistant: its MQTT device discovery message, with an entity for what is asked of the lane most.
 * Entities are rows of a table, each of a topic and a field of the catalogue. Pure; called by the publisher, in the main thread. */
#ifndef MQTT_DISCOVERY_H
#define MQTT_DISCOVERY_H

#include "daemon/mqtt/topics.h"

struct discovery {
    const struct topics *topics;
    const char *prefix, *site, *lane, *version;
    /* Offer a button that opens. Only where the broker's access list says who may ask (commands.auth = "acl"): Home Assistant can't
     * sign, and whoever may press there, opens here. Without it a button from before is taken away. */
    bool may_open;
};

/* The length, or -EMSGSIZE. MESSAGE_LONG_BYTES are enough for the longest names. */
int discovery_write(const struct discovery *discovery, char *ret_text, size_t text_bytes);

#endif
