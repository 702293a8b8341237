/* The publisher's inside, shared by publisher*.c and nobody else. A pump brings one kind of message between journal and broker;
 * it is a row of the table in publisher.c and a file publisher_PUMP.c of its own. Main thread. */
#ifndef MQTT_PUBLISHER_PARTS_H
#define MQTT_PUBLISHER_PARTS_H

#include "daemon/mqtt/commands.h"
#include "daemon/mqtt/intake.h"
#include "daemon/mqtt/muster.h"
#include "daemon/mqtt/outbox.h"
#include "daemon/mqtt/publisher.h"

/* In the order in which they publish; those that are urgent are also the first to ask the journal. */
enum pump_name { PUMP_MUSTER, PUMP_RETAINED, PUMP_OUTBOX, PUMP_INTAKE, PUMP_COMMANDS, PUMP_DISCOVERY, PUMP_COUNT };

/* What a pump leaves out (NULL) it has no use for. */
struct pump {
    bool urgent; /* asks before the others, who ask by turns */
    void (*connected)(struct publisher *p, const struct mqtt_event *event);
    void (*disconnected)(struct publisher *p);
    bool (*wants)(struct publisher *p, struct journal_request *ret_request); /* the same again until answer() */
    void (*answer)(struct publisher *p, const struct journal_answer *answer);
    void (*publish)(struct publisher *p); /* connected; with publisher_send() */
    void (*answered)(struct publisher *p, uint64_t number, enum outbox_ack ack, const char *why); /* to a publisher_send() */
    bool (*stuck)(const struct publisher *p); /* the broker owes an answer for too long */
    int64_t (*deadline_us)(const struct publisher *p, bool may_ask); /* INT64_MAX: never */
    bool (*settled)(struct publisher *p); /* at the end: nothing that the broker was told or told us is missing in the journal */
};
extern const struct pump publisher_muster_pump, publisher_retained_pump, publisher_outbox_pump, publisher_intake_pump,
    publisher_commands_pump, publisher_discovery_pump;

/* Messages of which only the newest counts: a row of the table in publisher_retained.c each. */
enum retained { RETAINED_AVAILABILITY, RETAINED_INFO, RETAINED_STATE, RETAINED_HEALTH, RETAINED_CHAIN_HEAD, RETAINED_COUNT };
struct retained_item {
    bool due, in_flight;
    int64_t at_us; /* not before */
};

/* What Home Assistant knows of the lane. */
struct publisher_discovery {
    bool on, may_open; /* may_open: requests to open are taken from whom the broker lets ask */
    bool due, in_flight, refusal_told;
    int64_t at_us; /* not before */
};

struct publisher {
    struct mqtt_client *client; /* NULL: not enabled */
    int idle_fd;                /* stands in for the client's when not enabled */
    struct topics topics;
    struct outbox outbox;
    struct muster muster;
    struct intake intake;
    struct commands commands;
    int64_t refused_told_us; /* not again before */
    struct inbox_message message; /* on its way from the inbox to the intake */
    enum pump_name asker, last_asker; /* whose request the journal has, PUMP_COUNT: nobody's */
    bool look_again; /* there may be more in the inbox than was looked at */
    bool has_sensor, keeps_session;
    bool refusal_told[INBOUND_TOPIC_COUNT], retained_told;
    int64_t complained_us;
    int64_t echo_usual_us, echo_wait_us, echo_due_us; /* due 0: no passage of ours is on its way back */
    uint64_t heard_before;
    bool deaf;
    struct mqtt_counts counts, counts_told;
    struct lane_state state;
    bool state_known, health_known, health_asked;
    struct lane_health health;
    struct lane_info info;
    struct lane_chain_head chain_head; /* seq 0: none yet */
    struct retained_item retained[RETAINED_COUNT];
    struct publisher_discovery discovery;
    char prefix[TOPIC_LANE_BYTES];
    bool connected, reset_asked;
    int64_t now_us, state_told_us;
    uint32_t random;
    char last_failure[MQTT_TEXT_BYTES]; /* so that a broker away for a week is one line in the log */
    bool is_elsewhere; /* mqtt.host isn't this machine, and nobody was told yet what that asks of the unit */
};

enum { PUBLISHER_NUMBER_BITS = 56 };

/* publisher.c */
uint32_t publisher_random(struct publisher *p);
int64_t publisher_unix_us(void);
/* `number`, below 2^56, is the pump's own and comes back in its answered(). Negative: not sent; nothing follows. */
int publisher_send(struct publisher *p, enum pump_name pump, uint64_t number, enum topic topic, const char *text, int length);
const struct pump *publisher_pump(int name);

/* publisher_talk.c: what the client has to tell, and a broker that says nothing */
void publisher_take_events(struct publisher *p);
void publisher_expect_echo(struct publisher *p, const struct event *event);
void publisher_listen_for_echo(struct publisher *p);
void publisher_reset_where_stuck(struct publisher *p);

/* publisher_commands.c */
void publisher_take_request(struct publisher *p, const struct inbox_message *message);

/* publisher_discovery.c */
void publisher_take_status(struct publisher *p, const struct inbox_message *message); /* Home Assistant's */
void publisher_discovery_rules(struct publisher *p, const struct command_rules *rules);

/* publisher_retained.c */
void publisher_state_changed(struct publisher *p); /* something in `state` did */

#endif
