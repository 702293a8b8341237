/* Which broker, as whom, and which site and lane: from the lane's configuration, or from options. send, status, watch. */
#ifndef CTL_BROKER_H
#define CTL_BROKER_H

#include "daemon/ctl/ctl.h"
#include "daemon/mqtt/client.h"
#include "daemon/mqtt/command.h"

/* The first rows of the options of each command that talks to a broker. */
enum {
    BROKER_SITE, BROKER_LANE, BROKER_HOST, BROKER_PORT, BROKER_CA, BROKER_CERT, BROKER_CERT_KEY, BROKER_USERNAME,
    BROKER_PASSWORD_FILE, BROKER_PREFIX, BROKER_OPTIONS
};
#define BROKER_OPTION_ROWS                                                                                                        \
    [BROKER_SITE] = { "site", "NAME", false, "the site (default: the configuration's)" },                                         \
    [BROKER_HOST] = { "host", "NAME", false, "the broker; the configuration isn't asked for it, nor for what follows" },          \
    [BROKER_PORT] = { "port", "N", false, "its port (default 1883; 8883 with --ca)" },                                            \
    [BROKER_CA] = { "ca", "FILE", false, "TLS; the CA by which the broker's certificate, and its name, are checked" },            \
    [BROKER_CERT] = { "cert", "FILE", false, "our certificate, for a broker that wants one" },                                    \
    [BROKER_CERT_KEY] = { "cert-key", "FILE", false, "its key (default: in the same file)" },                                     \
    [BROKER_USERNAME] = { "username", "NAME", false, "our name at the broker" },                                                  \
    [BROKER_PASSWORD_FILE] = { "password-file", "FILE", false, "its first line is the password; mode 0600" },                     \
    [BROKER_PREFIX] = { "prefix", "NAME", false, "the topics' first level (default: the configuration's, else qrgate)" }

struct broker {
    struct mqtt_settings mqtt; /* site and prefix are set; lane: "" = not said by --lane nor, with `lane_of_config`, by a file */
    bool has_config;
    char config_site[33], config_lane[33]; /* of the file; "" = no file was read */
    enum command_auth auth;    /* of the file, for its own lane */
};

/* The options are at ctl->values[BROKER_…]. With `lane_of_config` a lane that isn't named is the configuration's. What is wrong is
 * told. */
enum ctl_exit broker_read_options(struct ctl *ctl, bool lane_of_config, struct broker *ret);
/* PREFIX/SITE/LANE/LEAF; an empty lane is every one ("+"). `leaf` is short: a word or two. */
void broker_topic(const struct broker *broker, const char *lane, const char *leaf, char ret_topic[TOPIC_BYTES]);

#endif
