/* The two queues between Paho's threads and the main thread: the inbox makes who puts wait and loses nothing, the ring never
 * makes anybody wait and says what it dropped. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "daemon/mqtt/inbox.h"
#include "daemon/mqtt/ring.h"

enum { PUT_MANY = 20000 };

struct both {
    struct inbox inbox;
    struct ring ring;
    pthread_t putter;
    int put_count;
};

static int setup(void **state)
{
    struct both *both = calloc(1, sizeof *both);
    *state = both;
    return both != NULL && inbox_init(&both->inbox) == 0 && ring_init(&both->ring) == 0 ? 0 : -1;
}

static int teardown(void **state)
{
    struct both *both = *state;
    inbox_end(&both->inbox);
    ring_end(&both->ring);
    free(both);
    return 0;
}

static bool readable(const struct both *both)
{
    struct pollfd ready = {.fd = both->ring.fd, .events = POLLIN};
    return poll(&ready, 1, 0) == 1;
}

static void messages_keep_order_lane_and_length(void **state)
{
    struct both *both = *state;
    struct inbox_message message;
    char long_text[INBOX_TEXT_BYTES + 10];
    const struct inbox_arrival passage = {.topic = INBOUND_PASSAGE, .name = "lane7", .expiry_s = -1, .received_at_us = 5},
                               request = {.topic = INBOUND_REQUEST, .name = "open", .retained = true, .expiry_s = 9};
    memset(long_text, 'x', sizeof long_text);
    assert_false(inbox_take(&both->inbox, &message));
    assert_true(inbox_empty(&both->inbox));
    inbox_put(&both->inbox, &passage, "one", 3);
    inbox_put(&both->inbox, &(struct inbox_arrival){.topic = INBOUND_DECLARATION}, NULL, 0);
    inbox_put(&both->inbox, &request, long_text, sizeof long_text);
    assert_false(inbox_empty(&both->inbox));
    assert_true(inbox_take(&both->inbox, &message));
    assert_int_equal(message.came.topic, INBOUND_PASSAGE);
    assert_string_equal(message.came.name, "lane7");
    assert_false(message.came.retained);
    assert_int_equal(message.came.expiry_s, -1);
    assert_int_equal(message.came.received_at_us, 5);
    assert_int_equal(message.length_bytes, 3);
    assert_memory_equal(message.text, "one", 3);
    assert_true(inbox_take(&both->inbox, &message));
    assert_int_equal(message.came.topic, INBOUND_DECLARATION);
    assert_int_equal(message.length_bytes, 0);
    assert_true(inbox_take(&both->inbox, &message));
    assert_true(message.came.retained);
    assert_int_equal(message.came.expiry_s, 9);
    assert_string_equal(message.came.name, "open");
    assert_int_equal(message.length_bytes, sizeof long_text); /* told, though cut */
    assert_memory_equal(message.text, long_text, sizeof message.text);
    assert_false(inbox_take(&both->inbox, &message));
}

static void *put_many(void *userdata)
{
    struct both *both = userdata;
    const struct inbox_arrival none = {.topic = INBOUND_DECLARATION};
    for (int i = 0; i < both->put_count; i++) {
        inbox_put(&both->inbox, &none, &i, sizeof i);
        ring_wake(&both->ring);
    }
    return NULL;
}

static void who_puts_waits_and_nothing_is_lost(void **state)
{
    struct both *both = *state;
    struct inbox_message message;
    both->put_count = PUT_MANY;
    assert_int_equal(pthread_create(&both->putter, NULL, put_many, both), 0);
    for (int expected = 0; expected < PUT_MANY;) {
        struct pollfd ready = {.fd = both->ring.fd, .events = POLLIN};
        struct ring_entry entry;
        bool overrun;
        int number;
        assert_int_equal(poll(&ready, 1, 20000), 1); /* no wake-up is lost */
        assert_false(ring_take(&both->ring, &entry, &overrun));
        assert_false(overrun);
        while (inbox_take(&both->inbox, &message)) {
            memcpy(&number, message.text, sizeof number);
            assert_int_equal(number, expected++);
        }
    }
    assert_int_equal(pthread_join(both->putter, NULL), 0);
}

/* True when the putter ends by itself. */
static bool putter_ends(struct both *both, int milliseconds)
{
    struct timespec until;
    assert_int_equal(clock_gettime(CLOCK_REALTIME, &until), 0);
    until.tv_nsec += (long)(milliseconds % 1000) * 1000000;
    until.tv_sec += milliseconds / 1000 + until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    return pthread_timedjoin_np(both->putter, NULL, &until) == 0;
}

static void shut_it_takes_nothing_and_gives_what_it_has(void **state)
{
    struct both *both = *state;
    struct inbox_message message;
    const struct inbox_arrival none = {.topic = INBOUND_DECLARATION};
    inbox_put(&both->inbox, &none, "before", 6);
    inbox_shut(&both->inbox);
    both->put_count = 1;
    assert_int_equal(pthread_create(&both->putter, NULL, put_many, both), 0);
    assert_false(putter_ends(both, 100));
    assert_true(inbox_take(&both->inbox, &message));
    assert_false(putter_ends(both, 100)); /* room doesn't let it in */
    assert_true(inbox_empty(&both->inbox));
    /* In the daemon the thread ends with the process; here it is let go. */
    (void)pthread_mutex_lock(&both->inbox.lock);
    both->inbox.shut = false;
    (void)pthread_cond_signal(&both->inbox.room);
    (void)pthread_mutex_unlock(&both->inbox.lock);
    assert_true(putter_ends(both, 20000));
    assert_true(inbox_take(&both->inbox, &message));
}

static void the_ring_tells_what_it_dropped(void **state)
{
    struct both *both = *state;
    struct ring_entry entry = {.kind = RING_ACKED};
    bool overrun;
    assert_false(readable(both));
    for (int i = 0; i < MQTT_RING_MAX + 3; i++) {
        entry.index = i;
        ring_put(&both->ring, &entry);
    }
    assert_true(readable(both));
    for (int i = 0; i < MQTT_RING_MAX; i++) {
        assert_true(ring_take(&both->ring, &entry, &overrun));
        assert_int_equal(entry.index, i);
        assert_int_equal(overrun, i == 0); /* said once */
    }
    assert_true(readable(both)); /* until somebody has seen that it is empty */
    assert_false(ring_take(&both->ring, &entry, &overrun));
    assert_false(overrun);
    assert_false(readable(both));
    ring_wake(&both->ring);
    assert_true(readable(both));
    assert_false(ring_take(&both->ring, &entry, &overrun));
    assert_false(readable(both));
}

int main(void)
{
    const struct CMUnitTest inbox[] = {
        cmocka_unit_test_setup_teardown(messages_keep_order_lane_and_length, setup, teardown),
        cmocka_unit_test_setup_teardown(who_puts_waits_and_nothing_is_lost, setup, teardown),
        cmocka_unit_test_setup_teardown(shut_it_takes_nothing_and_gives_what_it_has, setup, teardown),
        cmocka_unit_test_setup_teardown(the_ring_tells_what_it_dropped, setup, teardown),
    };
    return cmocka_run_group_tests(inbox, NULL, NULL);
}
