/* Which of a few messages wait to be published, are in flight, or were acknowledged: in the order in which they were put, sent
 * again when the link was lost. What a message is, its owner keeps beside it, by the place's number. Pure; main thread. */
#ifndef MQTT_PLACES_H
#define MQTT_PLACES_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/mqtt/outbox.h"

enum { PLACES_MAX = 64 };

enum place_state { PLACE_FREE, PLACE_WAITING, PLACE_IN_FLIGHT };
struct places {
    int64_t ack_timeout_us, again_us; /* the owner sets these two: unanswered for so long is stuck; wait before the next try */
    int count, free, in_flight;       /* count: how many there are, up to PLACES_MAX */
    uint64_t orders;
    int64_t send_at_us;
    struct place {
        enum place_state state;
        uint64_t order;
        int64_t sent_at_us;
    } all[PLACES_MAX];
};

void places_init(struct places *places, int count, int64_t ack_timeout_us, int64_t again_us);
int places_put(struct places *places); /* a free place, waiting from now on; or -1 */
int places_send(struct places *places, int in_flight_max, int64_t now_us); /* the oldest that waits, in flight from now on; or -1 */
/* LOST: sent again. Else free. True: it was in flight. */
bool places_acked(struct places *places, int place, enum outbox_ack ack, int64_t now_us);
void places_disconnected(struct places *places);
bool places_stuck(const struct places *places, int64_t now_us);
int64_t places_deadline_us(const struct places *places, int in_flight_max); /* while connected; INT64_MAX: never */

#endif
