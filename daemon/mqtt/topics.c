/* Builds the five topic names. Pure; the publisher's, in the main thread. */
#include "daemon/mqtt/topics.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char *const leaves[TOPIC_COUNT] = {
    [TOPIC_PASSAGE] = "passage", [TOPIC_ALARM] = "alarm",
    [TOPIC_STATE] = "state",     [TOPIC_INFO] = "info",
    [TOPIC_AVAILABILITY] = "availability",
};

bool topic_name_valid(const char *name)
{
    /* Spelt out: isalnum() would ask the locale. */
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
    size_t length = strspn(name, allowed);
    return length >= 1 && length <= TOPIC_NAME_MAX_CHARS && name[length] == '\0';
}

int topics_init(struct topics *topics, const char *prefix, const char *site, const char *lane)
{
    if (!topic_name_valid(prefix) || !topic_name_valid(site) || !topic_name_valid(lane))
        return -EINVAL;
    for (int i = 0; i < TOPIC_COUNT; i++) {
        int length = snprintf(topics->text[i], TOPIC_BYTES, "%s/%s/%s/%s", prefix, site, lane, leaves[i]);
        if (length < 0 || length >= TOPIC_BYTES)
            return -EINVAL;
    }
    return 0;
}
