/* Options and configuration -> which broker, as whom, which site and lane. For send, status and watch. */
#include "daemon/ctl/broker.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/settings/settings.h"

enum { PORT_PLAIN = 1883, PORT_TLS = 8883, KEEPALIVE_S = 30 };

/* Options that are texts of the settings; of one group (a name and its password, a certificate and its key) both are the option's
 * or both the configuration's. */
static const struct {
    int option, group; /* an option of the same group; -1 = none */
    size_t offset, bytes;
} texts[] = {
#define TEXT(option, group, member) { option, group, offsetof(struct mqtt_settings, member), sizeof(((struct mqtt_settings *)0)->member) }
    TEXT(BROKER_HOST, -1, host),
    TEXT(BROKER_CA, -1, ca_file),
    TEXT(BROKER_CERT, BROKER_CERT_KEY, cert_file),
    TEXT(BROKER_CERT_KEY, BROKER_CERT, key_file),
    TEXT(BROKER_USERNAME, BROKER_PASSWORD_FILE, username),
    TEXT(BROKER_PASSWORD_FILE, BROKER_USERNAME, password_file),
    TEXT(BROKER_PREFIX, -1, prefix),
    TEXT(BROKER_SITE, -1, site),
    TEXT(BROKER_LANE, -1, lane),
#undef TEXT
};

static enum ctl_exit take_texts(struct ctl *ctl, struct mqtt_settings *mqtt)
{
    char limit[LANG_NUMBER_BYTES];
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        const char *value = ctl->values[texts[i].option];
        char *text = (char *)mqtt + texts[i].offset;
        if (value && strlen(value) >= texts[i].bytes)
            return ctl_complain(ctl, CTL_USAGE, "option.too_long", "option", ctl->command->options[texts[i].option].name, "most",
                                lang_number(limit, (int64_t)texts[i].bytes - 1), NULL);
        if (value)
            (void)strcpy(text, value); /* length checked above */
        else if (texts[i].group >= 0 && ctl->values[texts[i].group])
            text[0] = '\0';
    }
    return CTL_OK;
}

static enum ctl_exit take_port(struct ctl *ctl, struct mqtt_settings *mqtt)
{
    const char *text = ctl->values[BROKER_PORT];
    const size_t digits = text ? strspn(text, "0123456789") : 0;
    char buffer[80];
    if (!text) {
        if (ctl->values[BROKER_HOST] || mqtt->port == 0)
            mqtt->port = mqtt->ca_file[0] ? PORT_TLS : PORT_PLAIN;
        return CTL_OK;
    }
    mqtt->port = digits > 0 && digits <= 5 && text[digits] == '\0' ? atoi(text) : 0;
    if (mqtt->port < 1 || mqtt->port > 65535)
        return ctl_complain(ctl, CTL_USAGE, "option.number", "option", "port", "value", printable(text, buffer, sizeof(buffer)), "least",
                            "1", "most", "65535", NULL);
    return CTL_OK;
}

static enum ctl_exit check_names(struct ctl *ctl, const struct mqtt_settings *mqtt)
{
    const struct {
        const char *option, *value;
        bool may_lack;
    } names[] = { { "site", mqtt->site, false }, { "lane", mqtt->lane, true }, { "prefix", mqtt->prefix, false } };
    char buffer[80];
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (names[i].value[0] == '\0' && names[i].may_lack)
            continue;
        if (names[i].value[0] == '\0')
            return ctl_complain(ctl, CTL_USAGE, "broker.name_missing", "option", names[i].option, NULL);
        if (!topic_name_valid(names[i].value))
            return ctl_complain(ctl, CTL_USAGE, "broker.name_bad", "option", names[i].option, "value",
                                printable(names[i].value, buffer, sizeof(buffer)), NULL);
    }
    return CTL_OK;
}

/* A --host without --config means another machine than a lane: its configuration isn't looked for. */
static enum ctl_exit read_config(struct ctl *ctl, bool lane_of_config, struct broker *ret)
{
    const char *path = ctl->config ? ctl->config : CTL_DEFAULT_CONFIG;
    struct settings *settings = NULL;
    enum ctl_exit result = CTL_OK;
    if (ctl->values[BROKER_HOST] && !ctl->config)
        return CTL_OK;
    settings = calloc(1, sizeof(*settings));
    if (!settings)
        return ctl_complain(ctl, CTL_FAILED, "words.no_memory", NULL);
    if (settings_load(path, settings, stderr) != 0) {
        result = ctl_complain(ctl, CTL_FAILED, "broker.config_bad", "file", path, NULL);
    } else {
        if (!ctl->values[BROKER_HOST])
            ret->mqtt = settings->mqtt;
        memcpy(ret->mqtt.prefix, settings->mqtt.prefix, sizeof(ret->mqtt.prefix));
        memcpy(ret->mqtt.site, settings->site, sizeof(ret->mqtt.site));
        memcpy(ret->config_site, settings->site, sizeof(ret->config_site));
        memcpy(ret->config_lane, settings->lane, sizeof(ret->config_lane));
        memcpy(ret->mqtt.lane, lane_of_config ? settings->lane : "", lane_of_config ? sizeof(ret->mqtt.lane) : 1);
        ret->auth = settings->commands.auth;
        ret->has_config = true;
        if (!settings->mqtt.enabled && !ctl->values[BROKER_HOST])
            result = ctl_complain(ctl, CTL_FAILED, "broker.none", "file", path, NULL);
    }
    free(settings);
    return result;
}

enum ctl_exit broker_read_options(struct ctl *ctl, bool lane_of_config, struct broker *ret)
{
    *ret = (struct broker){ .mqtt = { .prefix = "qrgate" } };
    enum ctl_exit result = read_config(ctl, lane_of_config, ret);
    if (result == CTL_OK)
        result = take_texts(ctl, &ret->mqtt);
    if (result == CTL_OK)
        result = take_port(ctl, &ret->mqtt);
    if (result == CTL_OK)
        result = check_names(ctl, &ret->mqtt);
    ret->mqtt.keepalive_s = KEEPALIVE_S;
    return result;
}

void broker_topic(const struct broker *broker, const char *lane, const char *leaf, char ret_topic[TOPIC_BYTES])
{
    (void)snprintf(ret_topic, TOPIC_BYTES, "%s/%s/%s/%s", broker->mqtt.prefix, broker->mqtt.site, lane[0] ? lane : "+", leaf);
}
