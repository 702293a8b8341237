/* Builds the topic names and recognises them. Pure; the publisher's, in the main thread, and Paho's for what arrives. */
#include "daemon/mqtt/topics.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/mqtt/catalogue.h"
#include "daemon/mqtt/command.h"

bool topic_name_valid(const char *name)
{
    /* Spelt out: isalnum() would ask the locale. */
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
    size_t length = strspn(name, allowed);
    return length >= 1 && length <= TOPIC_NAME_MAX_CHARS && name[length] == '\0';
}

const char *inbound_topic_name(enum inbound_topic topic)
{
    static const char *const names[INBOUND_TOPIC_COUNT] = {
        [INBOUND_DECLARATION] = "declaration", [INBOUND_REVOCATION] = "revocation", [INBOUND_PASSAGE] = "passage",
        [INBOUND_REQUEST] = "request", [INBOUND_HOME_ASSISTANT] = "status"};
    return (unsigned)topic < INBOUND_TOPIC_COUNT ? names[topic] : "?";
}

/* What stands for the words that change in the catalogue's topics. */
struct substitutes {
    const char *prefix, *site, *lane, *verb;
};

static const char *substitute(const struct substitutes *with, const char *text, size_t *ret_bytes)
{
    const struct {
        const char *word, *name;
    } words[] = {{"PREFIX", with->prefix}, {"SITE", with->site}, {"LANE", with->lane}, {"VERB", with->verb}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        *ret_bytes = strlen(words[i].word);
        if (strncmp(text, words[i].word, *ret_bytes) == 0)
            return words[i].name;
    }
    return NULL;
}

static int expand(const char *levels, const struct substitutes *with, char ret_text[TOPIC_BYTES])
{
    size_t used = 0, word_bytes = 0;
    while (*levels != '\0') {
        const char *name = substitute(with, levels, &word_bytes);
        const size_t bytes = name != NULL ? strlen(name) : 1;
        if (used + bytes >= TOPIC_BYTES)
            return -EINVAL;
        memcpy(ret_text + used, name != NULL ? name : levels, bytes);
        used += bytes;
        levels += name != NULL ? word_bytes : 1;
    }
    ret_text[used] = '\0';
    return 0;
}

int topics_init(struct topics *topics, const char *prefix, const char *site, const char *lane)
{
    struct substitutes with = {.prefix = prefix, .site = site, .lane = lane};
    int r = 0;
    if (!topic_name_valid(prefix) || !topic_name_valid(site) || !topic_name_valid(lane))
        return -EINVAL;
    for (int i = 0; i < TOPIC_COUNT && r == 0; i++) {
        with.verb = i >= TOPIC_RESPONSE ? command_verb_name((enum command_verb)(i - TOPIC_RESPONSE)) : "";
        r = expand(catalogue_topic((enum topic)i)->levels, &with, topics->text[i]);
    }
    with.verb = "+";
    for (int i = 0; i < INBOUND_TOPIC_COUNT && r == 0; i++) {
        with.lane = i == INBOUND_PASSAGE ? "+" : lane; /* everybody's */
        r = expand(catalogue_inbound((enum inbound_topic)i)->levels, &with, topics->filter[i]);
    }
    (void)snprintf(topics->lane, sizeof topics->lane, "%s", lane);
    (void)snprintf(topics->session, sizeof topics->session, "%s/%s/%s/session", prefix, site, lane);
    return r;
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
    static const enum inbound_topic whole[] = {INBOUND_DECLARATION, INBOUND_REVOCATION, INBOUND_HOME_ASSISTANT};
    for (size_t i = 0; i < sizeof whole / sizeof whole[0]; i++) {
        const char *filter = topics->filter[whole[i]];
        if (length_bytes == strlen(filter) && memcmp(topic, filter, length_bytes) == 0) {
            *ret = whole[i];
            return true;
        }
    }
    *ret = INBOUND_REQUEST;
    if (recognise_verb(topics, topic, length_bytes, ret_name))
        return true;
    *ret = INBOUND_PASSAGE;
    return recognise_lane(topics, topic, length_bytes, ret_name);
}
