/* Names of the MQTT topics: out PREFIX/SITE/LANE/LEAF of one lane, in those of the site. Pure; made once by the publisher at
 * start-up, read-only afterwards (Paho's thread recognises what arrives by them). */
#ifndef MQTT_TOPICS_H
#define MQTT_TOPICS_H

#include <stdbool.h>
#include <stddef.h>

enum topic { TOPIC_PASSAGE, TOPIC_ALARM, TOPIC_STATE, TOPIC_INFO, TOPIC_AVAILABILITY, TOPIC_RESULT, TOPIC_MUSTER, TOPIC_COUNT };

/* PREFIX/SITE/declaration, PREFIX/SITE/revocation, PREFIX/SITE/+/passage. */
enum inbound_topic { INBOUND_DECLARATION, INBOUND_REVOCATION, INBOUND_PASSAGE, INBOUND_TOPIC_COUNT };

enum { TOPIC_NAME_MAX_CHARS = 32, TOPIC_LANE_BYTES = TOPIC_NAME_MAX_CHARS + 1, TOPIC_BYTES = 3 * TOPIC_NAME_MAX_CHARS + 3 + 16 };

struct topics {
    char text[TOPIC_COUNT][TOPIC_BYTES];
    char filter[INBOUND_TOPIC_COUNT][TOPIC_BYTES];
    char lane[TOPIC_LANE_BYTES];
};

/* Each of the three is 1 to 32 of [A-Za-z0-9_-]: no level, no wildcard can be smuggled in. Otherwise -EINVAL. */
int topics_init(struct topics *topics, const char *prefix, const char *site, const char *lane);
bool topic_name_valid(const char *name);
/* Which of the site's topics `topic` is; for a passage *ret_lane is whose. False: none, or this lane's own passage. */
bool topics_recognise(const struct topics *topics, const char *topic, size_t length_bytes, enum inbound_topic *ret,
                      char ret_lane[TOPIC_LANE_BYTES]);
const char *inbound_topic_name(enum inbound_topic topic); /* "declaration", "revocation", "passage" */

#endif
