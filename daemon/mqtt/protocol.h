/* Which MQTT the broker is spoken to in: 5, or 3.1.1 to one that doesn't know 5. Pure; the client's, in the main thread.
 *
 * A broker that refuses the version says so. Some old ones close the connection without a word, which a broker that is just
 * restarting, or one that doesn't like our certificate, does as well: so after two such closes 3.1.1 is only tried; if that is
 * accepted, 5 is tried once more, and 3.1.1 stays only when the broker, alive as it is now known to be, closes again. */
#ifndef MQTT_PROTOCOL_H
#define MQTT_PROTOCOL_H

#include "daemon/mqtt/client.h"

#define PROTOCOL_OLD_US INT64_C(86400000000) /* then 5 is tried again: brokers get renewed */

enum protocol_phase {
    PROTOCOL_NEW,     /* 5 */
    PROTOCOL_TRIAL,   /* 3.1.1 */
    PROTOCOL_CONFIRM, /* 5 */
    PROTOCOL_OLD,     /* 3.1.1 */
};

enum protocol_failure {
    PROTOCOL_REFUSED, /* the broker: not this version */
    PROTOCOL_CLOSED,  /* the connection ended right after our CONNECT */
    PROTOCOL_OTHER,
};

struct protocol {
    enum mqtt_protocol wanted;
    enum protocol_phase phase;
    int closed;           /* in a row */
    bool has_spoken_5;    /* it did accept it once: it closes for another reason */
    int64_t old_until_us; /* CLOCK_MONOTONIC */
};

void protocol_init(struct protocol *protocol, enum mqtt_protocol wanted);
bool protocol_is_5(struct protocol *protocol, int64_t now_us); /* of the next attempt */
/* True: from now on 3.1.1 is spoken, which is worth a line in the log. */
bool protocol_failed(struct protocol *protocol, enum protocol_failure failure, int64_t now_us);
/* True: stay. False: this connection was only to see whether the broker lives; end it and connect again. */
bool protocol_connected(struct protocol *protocol);

#endif
