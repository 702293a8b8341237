/* The line's inside, shared by line*.c and nobody else. */
#ifndef MQTT_LINE_PARTS_H
#define MQTT_LINE_PARTS_H

#include <MQTTAsync.h>
#include <stdatomic.h>

#include "daemon/mqtt/line.h"

/* The context of an attempt's callbacks: a late answer from an old connection is known by its number. Eight are enough, as
 * at least the shortest wait lies between two attempts. */
enum { LINE_EPOCHS = 8, LINE_TLS_TEXT_BYTES = 128 };
/* Handles that are no longer used and not yet destroyed, fewer than epochs: each still has its own. */
enum { LINE_RETIRED_MAX = 5 };

struct epoch;
struct answer {
    struct epoch *epoch;
    int index;
};
struct epoch {
    struct line *line;
    uint64_t number;
    bool is_5; /* MQTT 5, else 3.1.1 */
    char tls_text[LINE_TLS_TEXT_BYTES]; /* Paho's threads: what OpenSSL complained of first */
    struct answer publishes[LINE_PUBLISHES_MAX], subscriptions[INBOUND_TOPIC_COUNT];
};

struct line {
    const struct mqtt_settings *settings;
    const struct topics *topics;
    struct ring *ring;
    struct inbox *inbox;
    char uri[160];
    char credentials_folder[256]; /* systemd's; "" = none */
    struct epoch epochs[LINE_EPOCHS];
    atomic_uint_fast64_t retained_ignored, heard;
    pthread_t thread;
    MQTTAsync paho;            /* the line's thread */
    struct {
        MQTTAsync paho; /* NULL: free */
        int64_t since_us;
    } retired[LINE_RETIRED_MAX]; /* the line's thread */
    struct line_order current; /* the line's thread */
    uint64_t attempt;          /* the line's thread: the epoch that counts */
    pthread_mutex_t lock;      /* of what follows */
    pthread_cond_t changed;
    int first, count;
    bool ending, ended;
    bool long_taken, long_current; /* long_text is in use; by the order that is being carried out */
    char long_text[MESSAGE_LONG_BYTES];
    struct line_order orders[LINE_ORDERS_MAX];
};

/* line_callbacks.c: what Paho tells, each in both of its dialects. */
void line_tell(const struct epoch *epoch, enum ring_kind kind, int index, int code, const char *text);
int line_listen(struct epoch *epoch, MQTTAsync paho); /* to what belongs to no call */
void line_answer_connect(struct epoch *epoch, MQTTAsync_connectOptions *options);
void line_answer_close(struct epoch *epoch, MQTTAsync_disconnectOptions *options);
void line_answer_publish(struct epoch *epoch, int index, MQTTAsync_responseOptions *options);
void line_answer_subscribe(struct epoch *epoch, int topic, MQTTAsync_responseOptions *options);
int line_tls_complaint(const char *text, size_t length, void *userdata); /* an epoch */

/* line_paho.c: the orders carried out, in the line's thread. */
int line_create_paho(const struct line *line, bool is_5, MQTTAsync *ret_paho);
void line_carry_out(struct line *line);
void line_destroy_all(struct line *line); /* at the end */

#endif
