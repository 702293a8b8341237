/* The connection's state machine by an invented clock, with a line that does nothing but note its orders: what Paho doesn't tell. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/mqtt/client.c"

enum { SECOND_US = 1000000, CONNECT_TIMEOUT_MS = 3000, SILENCE_US = 3 * SECOND_US + LOOK_UP_US };

static struct world {
    struct mqtt_client *client;
    int64_t now_us;
    int orders[LINE_UNSUBSCRIBE + 2];
    uint64_t attempt; /* of the last order */
} w;

int line_open(const struct mqtt_settings *settings, const struct topics *topics, struct ring *ring, struct inbox *inbox,
              struct line **ret_line, char *why, size_t why_bytes)
{
    (void)settings, (void)topics, (void)ring, (void)inbox, (void)why, (void)why_bytes;
    *ret_line = NULL;
    return 0;
}

bool line_order(struct line *line, const struct line_order *order)
{
    (void)line;
    w.orders[order->op]++;
    w.attempt = order->attempt;
    return true;
}

void line_wake(struct line *line)
{
    (void)line;
}

uint64_t line_heard(const struct line *line)
{
    (void)line;
    return 0;
}

uint64_t line_retained_ignored(const struct line *line)
{
    (void)line;
    return 0;
}

bool line_close(struct line *line, int64_t deadline_us)
{
    (void)line, (void)deadline_us;
    return true;
}

static int begin(void **state)
{
    static const struct mqtt_settings settings = {.connect_timeout_ms = CONNECT_TIMEOUT_MS, .reconnect_min_ms = 100, .reconnect_max_ms = 1000};
    struct topics topics;
    char why[128];
    (void)state;
    memset(&w, 0, sizeof w);
    w.now_us = 1000 * (int64_t)SECOND_US;
    return topics_init(&topics, "qrgate", "site", "lane") < 0 || mqtt_client_open(&settings, &topics, &w.client, why, sizeof why) < 0;
}

static int end(void **state)
{
    (void)state;
    client_set_link(w.client, LINK_IDLE); /* nobody is there to answer a goodbye */
    mqtt_client_close(w.client);
    return 0;
}

/* As main's loop: at each deadline, and no sooner. Returns how many connections were told as made. */
static int pass_us(int64_t us)
{
    const int64_t until_us = w.now_us + us;
    struct mqtt_event event;
    int connected = 0;
    for (;;) {
        mqtt_client_tick(w.client, w.now_us, 7);
        while (mqtt_client_take(w.client, &event))
            connected += event.kind == MQTT_CONNECTED;
        const int64_t next_us = mqtt_client_deadline_us(w.client);
        if (next_us > until_us)
            break;
        w.now_us = next_us > w.now_us ? next_us : w.now_us;
    }
    w.now_us = until_us;
    return connected;
}

static void line_says(enum ring_kind kind, uint64_t attempt)
{
    const struct ring_entry entry = {.kind = kind, .epoch = attempt, .receive_max = 20};
    ring_put(&w.client->ring, &entry);
}

/* Found by test_line_cut_at_any_byte: the broker hung up while the connection was being made, and Paho said nothing of it. */
static void a_connect_whose_outcome_is_never_told_is_tried_again(void **state)
{
    (void)state;
    assert_int_equal(pass_us(0), 0);
    assert_int_equal(w.orders[LINE_CONNECT], 1);
    assert_int_equal(pass_us(SILENCE_US - 1), 0);
    assert_int_equal(w.orders[LINE_CONNECT], 1); /* Paho has its time, and the resolver */
    assert_int_equal(pass_us(SECOND_US + 1), 0); /* and the back-off */
    assert_int_equal(w.orders[LINE_CONNECT], 2);
    assert_int_equal(w.attempt, 2);
    line_says(RING_CONNECTED, 1); /* the lost one, after all: nobody's */
    assert_int_equal(pass_us(0), 0);
    line_says(RING_CONNECTED, 2);
    assert_int_equal(pass_us(0), 1);
}

static void a_goodbye_that_is_never_answered_ends_too(void **state)
{
    (void)state;
    assert_int_equal(pass_us(0), 0);
    line_says(RING_CONNECTED, 1);
    assert_int_equal(pass_us(0), 1);
    mqtt_client_reset(w.client);
    assert_int_equal(w.orders[LINE_DISCONNECT], 1);
    assert_int_equal(pass_us(SILENT_CLOSE_US - 1), 0);
    assert_int_equal(w.orders[LINE_CONNECT], 1);
    assert_int_equal(pass_us(SECOND_US + 1), 0);
    assert_int_equal(w.orders[LINE_CONNECT], 2);
}

/* What follows from it is looked for in the network, not in a file or at a broker that hung up. */
static void a_broker_that_was_not_reached_is_told_from_one_that_was(void **state)
{
    const struct {
        struct ring_entry entry;
        bool unreached;
    } cases[] = {{{.code = MQTTCLIENT_FAILURE}, true},
                 {{.code = MQTTCLIENT_FAILURE, .closed = true}, false},
                 {{.code = LINE_FILES_BAD}, false},
                 {{.code = 0x87}, false},
                 {{.code = 5}, false}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ring_entry entry = cases[i].entry;
        struct mqtt_event event;
        assert_int_equal(pass_us(i > 0 ? 60 * (int64_t)SECOND_US : 0), 0);
        client_set_link(w.client, LINK_CONNECTING);
        entry.kind = RING_CONNECT_FAILED;
        entry.epoch = w.attempt;
        ring_put(&w.client->ring, &entry);
        assert_true(mqtt_client_take(w.client, &event));
        assert_int_equal(event.kind, MQTT_CONNECT_FAILED);
        assert_int_equal(event.unreached, cases[i].unreached);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_connect_whose_outcome_is_never_told_is_tried_again, begin, end),
        cmocka_unit_test_setup_teardown(a_goodbye_that_is_never_answered_ends_too, begin, end),
        cmocka_unit_test_setup_teardown(a_broker_that_was_not_reached_is_told_from_one_that_was, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
