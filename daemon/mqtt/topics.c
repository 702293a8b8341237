/* Builds the topic names and recognises them. Pure; the publisher's, in the main thread, and Paho's for what arrives. */
#include "daemon/mqtt/topics.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char *const leaves[TOPIC_COUNT] = {
    [TOPIC_PASSAGE] = "passage", [TOPIC_ALARM] = "alarm",
    [TOPIC_STATE] = "state",     [TOPIC_INFO] = "info",
    [TOPIC_AVAILABILITY] = "availability", [TOPIC_RESULT] = "result",
    [TOPIC_MUSTER] = "muster", [TOPIC_HEALTH] = "health",
    [TOPIC_CHAIN_HEAD] = "chain_head",
    [TOPIC_RESPONSE] = "response/open", "response/mode", "response/declare", "response/revoke", "response/reload",
    "response/report", "response/resend", "response/identify", "response/time", "response/unknown",
};
static const char *const inbound_leaves[INBOUND_TOPIC_COUNT] = {
    [INBOUND_DECLARATION] = "declaration", [INBOUND_REVOCATION] = "revocation", [INBOUND_PASSAGE] = "passage",
    [INBOUND_REQUEST] = "request"};

bool topic_name_valid(const char *name)
{
    /* Spelt out: isalnum() would ask the locale. */
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
    size_t length = strspn(name, allowed);
    return length >= 1 && length <= TOPIC_NAME_MAX_CHARS && name[length] == '\0';
}

const char *inbound_topic_name(enum inbound_topic topic)
{
    return (unsigned)topic < INBOUND_TOPIC_COUNT ? inbound_leaves[topic] : "?";
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
    for (int i = 0; i < INBOUND_TOPIC_COUNT; i++) {
        const bool is_request = i == INBOUND_REQUEST;
        int length = snprintf(topics->filter[i], TOPIC_BYTES, "%s/%s/%s%s%s%s", prefix, site, is_request ? lane : "",
                              is_request ? "/" : i == INBOUND_PASSAGE ? "+/" : "", inbound_leaves[i], is_request ? "/+" : "");
        if (length < 0 || length >= TOPIC_BYTES)
            return -EINVAL;
    }
    (void)snprintf(topics->lane, sizeof topics->lane, "%s", lane);
    return 0;
}

static bool recognise_lane(const struct topics *topics, const char *topic, size_t length, char ret_lane[TOPIC_LANE_BYTES])
{
    const char *wildcard = strchr(topics->filter[INBOUND_PASSAGE], '+'), *end = wildcard + 1;
    size_t before = (size_t)(wildcard - topics->filter[INBOUND_PASSAGE]), after = strlen(end), lane;
    if (length <= before + after || memcmp(topic, topics->filter[INBOUND_PASSAGE], before) != 0 ||
        memcmp(topic + length - after, end, after) != 0)
        return false;
    lane = length - before - after;
    if (lane > TOPIC_NAME_MAX_CHARS)
        return false;
    memcpy(ret_lane, topic + before, lane);
    ret_lane[lane] = '\0';
    return strlen(ret_lane) == lane && topic_name_valid(ret_lane) && strcmp(ret_lane, topics->lane) != 0;
}

/* A verb that can't be one is a request all the same: it has an answer. */
static bool recognise_verb(const struct topics *topics, const char *topic, size_t length, char ret_verb[TOPIC_LANE_BYTES])
{
    size_t before = strlen(topics->filter[INBOUND_REQUEST]) - 1, verb;
    if (length < before || memcmp(topic, topics->filter[INBOUND_REQUEST], before) != 0)
        return false;
    verb = length - before;
    if (verb > TOPIC_NAME_MAX_CHARS)
        return true;
    memcpy(ret_verb, topic + before, verb);
    ret_verb[verb] = '\0';
    if (strlen(ret_verb) != verb || !topic_name_valid(ret_verb))
        ret_verb[0] = '\0';
    return true;
}

bool topics_recognise(const struct topics *topics, const char *topic, size_t length_bytes, enum inbound_topic *ret,
                      char ret_name[TOPIC_LANE_BYTES])
{
    ret_name[0] = '\0';
    for (int i = 0; i < INBOUND_PASSAGE; i++) {
        if (length_bytes == strlen(topics->filter[i]) && memcmp(topic, topics->filter[i], length_bytes) == 0) {
            *ret = (enum inbound_topic)i;
            return true;
        }
    }
    *ret = INBOUND_REQUEST;
    if (recognise_verb(topics, topic, length_bytes, ret_name))
        return true;
    *ret = INBOUND_PASSAGE;
    return recognise_lane(topics, topic, length_bytes, ret_name);
}
