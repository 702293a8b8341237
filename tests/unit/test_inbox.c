/* The two queues between the line's thread and the main thread: the inbox refuses what it has no room for and loses nothing, the ring
 * takes everything and says what it dropped. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/mqtt/inbox.h"
#include "daemon/mqtt/ring.h"

enum { PUT_MANY = 20000 };

struct both {
    struct inbox inbox;
    struct ring ring;
    int room_fd;
};

static bool take(struct both *both, struct inbox_message *ret)
{
    bool was_full;
    return inbox_take(&both->inbox, ret, &was_full);
}

static int setup(void **state)
{
    struct both *both = calloc(1, sizeof *both);
    *state = both;
    if (both == NULL)
        return -1;
    both->room_fd = eventfd(0, EFD_CLOEXEC);
    return both->room_fd >= 0 && inbox_init(&both->inbox) == 0 && ring_init(&both->ring) == 0 ? 0 : -1;
}

static int teardown(void **state)
{
    struct both *both = *state;
    inbox_end(&both->inbox);
    ring_end(&both->ring);
    (void)close(both->room_fd);
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
    assert_false(take(both, &message));
    assert_int_equal(inbox_count(&both->inbox), 0);
    assert_true(inbox_put(&both->inbox, &passage, "one", 3));
    assert_true(inbox_put(&both->inbox, &(struct inbox_arrival){.topic = INBOUND_DECLARATION}, NULL, 0));
    assert_true(inbox_put(&both->inbox, &request, long_text, sizeof long_text));
    assert_int_equal(inbox_count(&both->inbox), 3);
    assert_true(take(both, &message));
    assert_int_equal(message.came.topic, INBOUND_PASSAGE);
    assert_string_equal(message.came.name, "lane7");
    assert_false(message.came.retained);
    assert_int_equal(message.came.expiry_s, -1);
    assert_int_equal(message.came.received_at_us, 5);
    assert_int_equal(message.length_bytes, 3);
    assert_memory_equal(message.text, "one", 3);
    assert_true(take(both, &message));
    assert_int_equal(message.came.topic, INBOUND_DECLARATION);
    assert_int_equal(message.length_bytes, 0);
    assert_true(take(both, &message));
    assert_true(message.came.retained);
    assert_int_equal(message.came.expiry_s, 9);
    assert_string_equal(message.came.name, "open");
    assert_int_equal(message.length_bytes, sizeof long_text); /* told, though cut */
    assert_memory_equal(message.text, long_text, sizeof message.text);
    assert_false(take(both, &message));
}

/* As the line's thread: what has no room is held, and put again when it is woken. */
static void *put_many(void *userdata)
{
    struct both *both = userdata;
    const struct inbox_arrival none = {.topic = INBOUND_DECLARATION};
    for (int i = 0; i < PUT_MANY; i++) {
        while (!inbox_put(&both->inbox, &none, &i, sizeof i)) {
            struct pollfd room = {.fd = both->room_fd, .events = POLLIN};
            uint64_t wakes;
            if (poll(&room, 1, 20000) != 1 || read(both->room_fd, &wakes, sizeof wakes) < 0)
                return both; /* a wake-up was lost */
        }
        ring_wake(&both->ring);
    }
    return NULL;
}

static void what_has_no_room_waits_and_nothing_is_lost(void **state)
{
    struct both *both = *state;
    struct inbox_message message;
    const uint64_t one = 1;
    pthread_t putter;
    void *lost;
    assert_int_equal(pthread_create(&putter, NULL, put_many, both), 0);
    for (int expected = 0; expected < PUT_MANY;) {
        struct pollfd ready = {.fd = both->ring.fd, .events = POLLIN};
        struct ring_entry entry;
        bool overrun;
        int number;
        assert_int_equal(poll(&ready, 1, 20000), 1); /* no wake-up is lost */
        assert_false(ring_take(&both->ring, &entry, &overrun));
        assert_false(overrun);
        for (;;) { /* as mqtt_client_receive() */
            bool was_full;
            if (!inbox_take(&both->inbox, &message, &was_full))
                break;
            if (was_full)
                assert_int_equal(write(both->room_fd, &one, sizeof one), sizeof one);
            memcpy(&number, message.text, sizeof number);
            assert_int_equal(number, expected++);
        }
    }
    assert_int_equal(pthread_join(putter, &lost), 0);
    assert_null(lost);
}

static void closing_it_takes_what_was_acknowledged_and_is_settled_when_that_was_taken(void **state)
{
    struct both *both = *state;
    struct inbox_message message;
    const struct inbox_arrival none = {.topic = INBOUND_DECLARATION};
    inbox_drained(&both->inbox); /* nobody asked */
    assert_true(inbox_is_open(&both->inbox));
    assert_true(inbox_put(&both->inbox, &none, "before", 6));
    inbox_close(&both->inbox);
    assert_false(inbox_is_open(&both->inbox));
    assert_true(inbox_is_closing(&both->inbox)); /* what the line has in its hand must still come */
    assert_true(inbox_put(&both->inbox, &none, "acknowledged", 12));
    inbox_drained(&both->inbox);
    assert_false(inbox_is_closing(&both->inbox));
    assert_false(inbox_settled(&both->inbox));
    assert_true(take(both, &message));
    assert_true(take(both, &message));
    assert_true(inbox_settled(&both->inbox));
    inbox_close(&both->inbox); /* asked again: for good */
    assert_false(inbox_is_closing(&both->inbox));
    assert_false(inbox_is_open(&both->inbox));
}

static void empty_it_is_not_settled_before_the_line_has_said_so(void **state)
{
    struct both *both = *state;
    assert_false(inbox_settled(&both->inbox));
    inbox_close(&both->inbox);
    assert_false(inbox_settled(&both->inbox));
    inbox_drained(&both->inbox);
    assert_true(inbox_settled(&both->inbox));
}

static void deaf_nothing_more_is_read(void **state)
{
    struct both *both = *state;
    inbox_deafen(&both->inbox);
    inbox_close(&both->inbox);
    inbox_drained(&both->inbox);
    assert_false(inbox_is_open(&both->inbox));
    assert_false(inbox_is_closing(&both->inbox));
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
        cmocka_unit_test_setup_teardown(what_has_no_room_waits_and_nothing_is_lost, setup, teardown),
        cmocka_unit_test_setup_teardown(closing_it_takes_what_was_acknowledged_and_is_settled_when_that_was_taken, setup, teardown),
        cmocka_unit_test_setup_teardown(empty_it_is_not_settled_before_the_line_has_said_so, setup, teardown),
        cmocka_unit_test_setup_teardown(deaf_nothing_more_is_read, setup, teardown),
        cmocka_unit_test_setup_teardown(the_ring_tells_what_it_dropped, setup, teardown),
    };
    return cmocka_run_group_tests(inbox, NULL, NULL);
}
