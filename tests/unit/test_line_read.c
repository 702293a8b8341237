/* What the line does with what comes while the inbox is full, with a Paho that gives what a test says and a clock of the test's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/mqtt/line_read.c"

static int64_t now_us;
static int to_give;

int64_t clock_monotonic_us(void)
{
    return now_us;
}

bool paho_connected(const struct paho *paho)
{
    (void)paho;
    return true;
}

bool paho_all_given(const struct paho *paho)
{
    return paho->ungiven == 0;
}

int paho_idle_reads(const struct paho *paho)
{
    (void)paho;
    return 1;
}

bool paho_read(struct paho *paho, struct paho_message *ret)
{
    static MQTTClient_message message = MQTTClient_message_initializer;
    static char topic[] = "qrgate/site/lane/request/open";
    *ret = (struct paho_message){.topic = topic, .topic_bytes = sizeof topic - 1, .message = &message};
    paho->ungiven -= paho->ungiven > 0;
    return to_give-- > 0;
}

void paho_message_free(struct paho_message *message)
{
    *message = (struct paho_message){0};
}

static void what_is_held_keeps_the_time_it_came_and_all_that_is_acknowledged_is_held(void **state)
{
    struct line *line = calloc(1, sizeof *line);
    struct inbox *inbox = calloc(1, sizeof *inbox);
    struct inbox_message *message = calloc(1, sizeof *message);
    struct ring *ring = calloc(1, sizeof *ring);
    struct topics topics;
    (void)state;
    assert_true(line != NULL && inbox != NULL && message != NULL && ring != NULL);
    assert_int_equal(inbox_init(inbox), 0);
    assert_int_equal(ring_init(ring), 0);
    assert_int_equal(topics_init(&topics, "qrgate", "site", "lane"), 0);
    line->topics = &topics;
    line->inbox = inbox;
    line->ring = ring;
    now_us = 1000;
    to_give = line->paho.ungiven = INBOX_MAX + 3; /* while a subscription was answered */
    line_gather(line);
    assert_int_equal(line->paho.ungiven, 0);
    assert_int_equal(line->held_count, INBOX_MAX + 3);
    line_let_go(line);
    assert_int_equal(inbox_count(inbox), INBOX_MAX);
    assert_int_equal(line->held_count, 3);
    assert_false(line_listens(line)); /* nothing more is read */
    now_us = 30000000;
    for (int i = 0; i < INBOX_MAX + 3; i++) {
        assert_true(inbox_take(inbox, message));
        assert_int_equal(message->came.received_at_us, 1000); /* it has grown old meanwhile */
        line_let_go(line);
    }
    assert_int_equal(line->held_count, 0);
    assert_true(line_listens(line));
    inbox_end(inbox);
    ring_end(ring);
    free(ring);
    free(message);
    free(inbox);
    free(line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_held_keeps_the_time_it_came_and_all_that_is_acknowledged_is_held),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
