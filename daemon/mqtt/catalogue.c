/* The catalogue's topics, and the way to its rows. Pure. */
#include <string.h>

#include "daemon/mqtt/catalogue_rows.h"
#include "daemon/mqtt/command.h"

static const struct catalogue_message *const messages[MESSAGE_COUNT] = {
    [MESSAGE_DECLARATION] = &catalogue_declaration, [MESSAGE_REVOCATION] = &catalogue_revocation,
    [MESSAGE_RESULT] = &catalogue_result,           [MESSAGE_REQUEST] = &catalogue_request,
    [MESSAGE_RESPONSE] = &catalogue_response,       [MESSAGE_PASSAGE] = &catalogue_passage,
    [MESSAGE_ALARM] = &catalogue_alarm,             [MESSAGE_MUSTER] = &catalogue_muster,
    [MESSAGE_HEALTH] = &catalogue_health,           [MESSAGE_STATE] = &catalogue_state,
    [MESSAGE_INFO] = &catalogue_info,               [MESSAGE_CHAIN_HEAD] = &catalogue_chain_head,
    [MESSAGE_REPORT] = &catalogue_report,
};

enum row {
    ROW_DECLARATION, ROW_REVOCATION, ROW_RESULT, ROW_REQUEST, ROW_RESPONSE, ROW_PASSAGE, ROW_ALARM, ROW_MUSTER, ROW_HEALTH,
    ROW_CHAIN_HEAD, ROW_STATE, ROW_INFO, ROW_REPORT, ROW_AVAILABILITY, ROW_DISCOVERY, ROW_HOME_ASSISTANT, ROW_COUNT
};
#define IN .is_in = true, .qos = 1
#define OUT .is_out = true, .qos = 1
#define RETAINED .is_out = true, .qos = 1, .retained = true
static const struct catalogue_topic rows[ROW_COUNT] = {
    [ROW_DECLARATION] = {"PREFIX/SITE/declaration", IN, .message = MESSAGE_DECLARATION, .what = "what a person declared"},
    [ROW_REVOCATION] = {"PREFIX/SITE/revocation", IN, .message = MESSAGE_REVOCATION, .what = "a token that no longer opens"},
    [ROW_RESULT] = {"PREFIX/SITE/LANE/result", OUT, .message = MESSAGE_RESULT, .what = "what became of those at this lane"},
    [ROW_REQUEST] = {"PREFIX/SITE/LANE/request/VERB", IN, .message = MESSAGE_REQUEST,
                     .what = "an operator's request, where commands.auth is on"},
    [ROW_RESPONSE] = {"PREFIX/SITE/LANE/response/VERB", OUT, .message = MESSAGE_RESPONSE, .what = "what became of it"},
    [ROW_PASSAGE] = {"PREFIX/SITE/LANE/passage", OUT, .is_in = true, .message = MESSAGE_PASSAGE,
                     .what = "who was let through, held or refused; the site's other lanes follow it"},
    [ROW_ALARM] = {"PREFIX/SITE/LANE/alarm", OUT, .message = MESSAGE_ALARM,
                   .what = "what begins or ends to be wrong; start, stop; what operators asked for"},
    [ROW_MUSTER] = {"PREFIX/SITE/LANE/muster", OUT, .message = MESSAGE_MUSTER, .what = "who is inside, when an emergency begins"},
    [ROW_HEALTH] = {"PREFIX/SITE/LANE/health", OUT, .message = MESSAGE_HEALTH, .what = "each minute: how the lane fares"},
    [ROW_CHAIN_HEAD] = {"PREFIX/SITE/LANE/chain_head", RETAINED, .message = MESSAGE_CHAIN_HEAD,
                        .what = "each day: the journal's newest row and its hash"},
    [ROW_STATE] = {"PREFIX/SITE/LANE/state", RETAINED, .message = MESSAGE_STATE, .what = "how the lane is now, its mode, its alarms"},
    [ROW_INFO] = {"PREFIX/SITE/LANE/info", RETAINED, .message = MESSAGE_INFO, .what = "version, site, lane"},
    [ROW_REPORT] = {"PREFIX/SITE/LANE/report", RETAINED, .message = MESSAGE_REPORT,
                    .what = "the site's week in figures; qrgatectl publishes it, not the lane"},
    [ROW_AVAILABILITY] = {"PREFIX/SITE/LANE/availability", RETAINED, .message = MESSAGE_COUNT,
                          .what = "the word online, or offline (last will)"},
    [ROW_DISCOVERY] = {"homeassistant/device/PREFIX_SITE/LANE/config", RETAINED, .message = MESSAGE_COUNT,
                       .what = "the lane as a device of Home Assistant, with mqtt.home_assistant; the keys are Home Assistant's"},
    [ROW_HOME_ASSISTANT] = {"homeassistant/status", IN, .message = MESSAGE_COUNT,
                            .what = "the word online: Home Assistant has started, and is sent that device again"},
};

static const enum row row_of_topic[TOPIC_COUNT] = {
    [TOPIC_PASSAGE] = ROW_PASSAGE, [TOPIC_ALARM] = ROW_ALARM, [TOPIC_STATE] = ROW_STATE, [TOPIC_INFO] = ROW_INFO,
    [TOPIC_AVAILABILITY] = ROW_AVAILABILITY, [TOPIC_RESULT] = ROW_RESULT, [TOPIC_MUSTER] = ROW_MUSTER,
    [TOPIC_HEALTH] = ROW_HEALTH, [TOPIC_CHAIN_HEAD] = ROW_CHAIN_HEAD, [TOPIC_DISCOVERY] = ROW_DISCOVERY,
    /* from TOPIC_RESPONSE on: ROW_RESPONSE */
};
static const enum row row_of_inbound[INBOUND_TOPIC_COUNT] = {
    [INBOUND_DECLARATION] = ROW_DECLARATION, [INBOUND_REVOCATION] = ROW_REVOCATION, [INBOUND_PASSAGE] = ROW_PASSAGE,
    [INBOUND_REQUEST] = ROW_REQUEST, [INBOUND_HOME_ASSISTANT] = ROW_HOME_ASSISTANT,
};

const struct catalogue_message *catalogue_message(enum message_name name)
{
    return messages[name];
}

const struct catalogue_message *catalogue_message_named(const char *name)
{
    for (int i = 0; i < MESSAGE_COUNT; i++)
        if (strcmp(messages[i]->name, name) == 0)
            return messages[i];
    return NULL;
}

const struct catalogue_topic *catalogue_topic_row(int row)
{
    return row >= 0 && row < ROW_COUNT ? &rows[row] : NULL;
}

const struct catalogue_topic *catalogue_topic(enum topic topic)
{
    return &rows[topic >= TOPIC_RESPONSE ? ROW_RESPONSE : row_of_topic[topic]];
}

const struct catalogue_topic *catalogue_inbound(enum inbound_topic topic)
{
    return &rows[row_of_inbound[topic]];
}

const struct catalogue_field *catalogue_field(enum message_name message, const char *path)
{
    const struct catalogue_group *group = &messages[message]->group;
    const struct catalogue_field *found = NULL;
    while (group != NULL) {
        const size_t length = strcspn(path, ".");
        found = NULL;
        for (int i = 0; i < group->count && found == NULL; i++)
            if (strlen(group->fields[i].name) == length && memcmp(group->fields[i].name, path, length) == 0)
                found = &group->fields[i];
        if (found == NULL || path[length] == '\0')
            return found;
        group = found->kind == FIELD_OBJECT ? found->inside : NULL;
        path += length + 1;
    }
    return NULL;
}

/* ---- names ---- */

const char *catalogue_alarm_name(int alarm)
{
    static const char *const others[ALARM_NAME_COUNT - ALARM_FIRST_OF_PASSAGE] = {"camera_lost", "journal_failing", "journal_full",
                                                                                 "certificate_expiring", "lane"};
    if (alarm < 0 || alarm >= (int)ALARM_NAME_COUNT)
        return "?";
    return alarm < (int)LANE_ALARM_COUNT ? lane_alarm_name((enum lane_alarm)alarm) : others[alarm - (int)ALARM_FIRST_OF_PASSAGE];
}

const char *catalogue_scope_name(int scope)
{
    return presence_scope_name((enum presence_scope)scope);
}

const char *catalogue_mode_name(int mode)
{
    return lane_mode_name((enum lane_mode)mode);
}

const char *catalogue_verb_name(int verb)
{
    return command_verb_name((enum command_verb)verb);
}
