/* Names of the MQTT topics of one lane: PREFIX/SITE/LANE/LEAF. Pure; made once by the publisher at start-up. */
#ifndef MQTT_TOPICS_H
#define MQTT_TOPICS_H

#include <stdbool.h>

enum topic { TOPIC_PASSAGE, TOPIC_ALARM, TOPIC_STATE, TOPIC_INFO, TOPIC_AVAILABILITY, TOPIC_COUNT };

enum { TOPIC_NAME_MAX_CHARS = 32, TOPIC_BYTES = 3 * TOPIC_NAME_MAX_CHARS + 3 + 16 };

struct topics {
    char text[TOPIC_COUNT][TOPIC_BYTES];
};

/* Each of the three is 1 to 32 of [A-Za-z0-9_-]: no level, no wildcard can be smuggled in. Otherwise -EINVAL. */
int topics_init(struct topics *topics, const char *prefix, const char *site, const char *lane);
bool topic_name_valid(const char *name);

#endif
