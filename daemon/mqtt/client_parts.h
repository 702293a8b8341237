/* The client's inside, shared by client*.c and nobody else. Main thread. */
#ifndef MQTT_CLIENT_PARTS_H
#define MQTT_CLIENT_PARTS_H

#include "daemon/mqtt/line.h"
#include "daemon/mqtt/protocol.h"

enum link { LINK_IDLE, LINK_CONNECTING, LINK_CONNECTED, LINK_CLOSING };
enum subscribed { SUBSCRIBED_NOT, SUBSCRIBED_ASKED, SUBSCRIBED_YES, SUBSCRIBED_REFUSED };

struct sent {
    bool used;
    uint64_t tag;
    int64_t at_us;
};

struct subscription {
    enum subscribed state;
    int64_t since_us;
};

struct mqtt_client {
    struct mqtt_settings settings;
    struct topics topics;
    struct line *line;
    struct ring ring;
    struct inbox inbox;
    uint64_t attempt; /* the epoch that counts */
    struct protocol protocol;
    bool home_assistant; /* what counts now; the settings are those of the start */
    bool is_5;    /* this attempt's */
    bool is_told; /* this connection was, as MQTT_CONNECTED */
    struct certificates certificates;
    char files_told[MQTT_TEXT_BYTES]; /* the last complaint about them */
    struct latency acks;
    enum link link;
    int64_t now_us;     /* of the last tick */
    int64_t since_us;   /* link has been what it is */
    int64_t attempt_at_us; /* IDLE: when to connect; 0: to be drawn at the next tick */
    int failures;
    struct sent sent[LINE_PUBLISHES_MAX];
    int last_sent; /* places are used in turn: an answer told twice finds nobody rather than another */
    struct subscription subscriptions[INBOUND_TOPIC_COUNT];
    struct line_order order; /* filled and copied by line_order() */
};

/* client.c */
void client_set_link(struct mqtt_client *client, enum link link);
bool client_order(struct mqtt_client *client, enum line_op op, int index);
void client_forget_connection(struct mqtt_client *client);
void client_subscribe_all(struct mqtt_client *client, bool session_present);

#endif
