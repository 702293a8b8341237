/* Names of the MQTT topics, as the catalogue has them: out those of one lane, in those of the site and the lane's requests. Pure;
 * made once by the publisher at start-up, read-only afterwards (the line's thread recognises what arrives by them). */
#ifndef MQTT_TOPICS_H
#define MQTT_TOPICS_H

#include <stdbool.h>
#include <stddef.h>

/* From TOPIC_RESPONSE on: response/VERB in the order of enum command_verb, and response/unknown, for a verb that nobody knows is
 * never repeated in a topic. */
enum { TOPIC_RESPONSES = 10 };
enum topic { TOPIC_PASSAGE, TOPIC_ALARM, TOPIC_STATE, TOPIC_INFO, TOPIC_AVAILABILITY, TOPIC_RESULT, TOPIC_MUSTER, TOPIC_HEALTH,
             TOPIC_CHAIN_HEAD,
             TOPIC_DISCOVERY, /* Home Assistant's */
             TOPIC_RESPONSE, TOPIC_COUNT = TOPIC_RESPONSE + TOPIC_RESPONSES };

/* PREFIX/SITE/declaration, PREFIX/SITE/revocation, PREFIX/SITE/+/passage, PREFIX/SITE/LANE/request/+, homeassistant/status. */
enum inbound_topic { INBOUND_DECLARATION, INBOUND_REVOCATION, INBOUND_PASSAGE, INBOUND_REQUEST, INBOUND_HOME_ASSISTANT,
                     INBOUND_TOPIC_COUNT };

enum { TOPIC_NAME_MAX_CHARS = 32, TOPIC_LANE_BYTES = TOPIC_NAME_MAX_CHARS + 1, TOPIC_BYTES = 3 * TOPIC_NAME_MAX_CHARS + 3 + 32 };

struct topics {
    char text[TOPIC_COUNT][TOPIC_BYTES];
    char filter[INBOUND_TOPIC_COUNT][TOPIC_BYTES];
    char session[TOPIC_BYTES]; /* PREFIX/SITE/LANE/session: subscribed to, never published (line_paho.c) */
    char lane[TOPIC_LANE_BYTES];
};

/* Each of the three is 1 to 32 of [A-Za-z0-9_-]: no level, no wildcard can be smuggled in. Otherwise -EINVAL. */
int topics_init(struct topics *topics, const char *prefix, const char *site, const char *lane);
bool topic_name_valid(const char *name);
/* Which of the topics `topic` is; for a passage *ret_name is whose, for a request its verb, "" when that is no word at all. False:
 * none, or this lane's own passage. */
bool topics_recognise(const struct topics *topics, const char *topic, size_t length_bytes, enum inbound_topic *ret,
                      char ret_name[TOPIC_LANE_BYTES]);
const char *inbound_topic_name(enum inbound_topic topic); /* "declaration", "revocation", "passage", "request", "status" */

#endif
