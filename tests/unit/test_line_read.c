/* What the line does with what comes while the inbox is full, and with orders meanwhile: with a Paho that gives what a test
 * says and a clock of the test's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/mqtt/line.c"
#include "daemon/mqtt/line_paho.c"
#include "daemon/mqtt/line_read.c"

static int64_t now_us;
static int to_give;
static struct line *answers; /* the next read brings the answer to all that this one's Paho has published */
static struct line *ends;    /* … the next publish ends this one */
static int waits;            /* for the socket */

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
    if (answers != NULL) {
        paho->unanswered = 0;
        answers->news++;
        answers = NULL;
    }
    return to_give > 0 && to_give-- > 0;
}

void paho_message_free(struct paho_message *message)
{
    *message = (struct paho_message){0};
}

void paho_init(struct paho *paho, void (*acked)(void *context, int index, int reason), void *context)
{
    *paho = (struct paho){.socket_fd = -1, .acked = acked, .context = context};
}

int paho_tick_ms(const struct paho *paho)
{
    waits++; /* asked for by nothing else */
    return paho->tick_ms;
}

void paho_end(struct paho *paho)
{
    (void)paho;
}

bool paho_has_room(const struct paho *paho)
{
    return paho->unanswered < paho->receive_max;
}

static int asked;       /* what Paho was asked that brings messages */
static int brings;      /* so many come with the next of those … */
static struct inbox *closes; /* … and meanwhile this is closed */

static int ask_paho(struct paho *paho)
{
    asked++;
    to_give += brings;
    paho->ungiven += brings;
    brings = 0;
    if (closes != NULL)
        inbox_close(closes);
    return 0;
}

int paho_subscribe(struct paho *paho, const char *filter, int qos, bool no_retained)
{
    (void)filter, (void)qos, (void)no_retained;
    return ask_paho(paho);
}

int paho_unsubscribe(struct paho *paho, const char *filter)
{
    (void)filter;
    return ask_paho(paho);
}

struct paho_outcome paho_connect(struct paho *paho, const struct paho_greeting *greeting)
{
    (void)paho, (void)greeting;
    return (struct paho_outcome){.stage = PAHO_CONNECTED, .receive_max = 20};
}

int paho_publish(struct paho *paho, int index, const char *topic, const void *bytes, size_t length_bytes, bool retained, int expiry_s)
{
    (void)paho, (void)index, (void)topic, (void)bytes, (void)length_bytes, (void)retained, (void)expiry_s;
    if (ends != NULL)
        ends->ending = true;
    ends = NULL;
    return 0;
}

void paho_disconnect(struct paho *paho)
{
    (void)paho;
}

struct world {
    struct mqtt_settings settings;
    struct topics topics;
    struct inbox inbox;
    struct ring ring;
    struct line line;
    struct inbox_message message;
};

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    if (w == NULL || inbox_init(&w->inbox) != 0 || ring_init(&w->ring) != 0 ||
        topics_init(&w->topics, "qrgate", "site", "lane") != 0 || pthread_mutex_init(&w->line.lock, NULL) != 0)
        return -1;
    w->settings.session_expiry_s = 3600;
    w->line.settings = &w->settings;
    w->line.topics = &w->topics;
    w->line.inbox = &w->inbox;
    w->line.ring = &w->ring;
    w->line.wake_fd = w->line.break_fd = w->line.paho.socket_fd = -1;
    w->line.paho.tick_ms = 1000;
    w->line.paho.receive_max = 20;
    now_us = 1000;
    to_give = asked = brings = 0;
    closes = NULL;
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    inbox_end(&w->inbox);
    ring_end(&w->ring);
    (void)pthread_mutex_destroy(&w->line.lock);
    free(w);
    return 0;
}

static bool take(struct world *w)
{
    bool was_full;
    return inbox_take(&w->inbox, &w->message, &was_full);
}

static void what_is_held_keeps_the_time_it_came_and_all_that_is_acknowledged_is_held(void **state)
{
    struct world *w = *state;
    struct line *line = &w->line;
    to_give = line->paho.ungiven = INBOX_MAX + 3; /* while a subscription was answered */
    line_gather(line);
    assert_int_equal(line->paho.ungiven, 0);
    assert_int_equal(line->held_count, INBOX_MAX + 3);
    line_let_go(line);
    assert_int_equal(inbox_count(&w->inbox), INBOX_MAX);
    assert_int_equal(line->held_count, 3);
    assert_false(line_listens(line)); /* nothing more is read for now */
    now_us = 30000000;
    for (int i = 0; i < INBOX_MAX + 3; i++) {
        assert_true(take(w));
        assert_int_equal(w->message.came.received_at_us, 1000); /* it has grown old meanwhile */
        line_let_go(line);
    }
    assert_int_equal(line->held_count, 0);
    assert_true(line_listens(line));
}

/* The answers to what we publish, and to pings, come behind the messages. */
static void a_message_a_tick_is_read_while_nobody_takes_any_up_to_a_bound(void **state)
{
    struct world *w = *state;
    struct line *line = &w->line;
    to_give = 100000;
    line_read(line);
    assert_int_equal(line->held_count, 1);
    line_read(line);
    assert_int_equal(line->held_count, 1);
    for (int held = 2; held <= LINE_HELD_READ_MAX; held++) {
        now_us += 999999;
        line_read(line);
        assert_int_equal(line->held_count, held - 1);
        now_us += 1;
        line_read(line);
        assert_int_equal(line->held_count, held);
    }
    assert_true(line_is_overfull(line));
    now_us += 3600000000;
    line_read(line);
    assert_int_equal(line->held_count, LINE_HELD_READ_MAX);
    for (int i = 0; i < INBOX_MAX + LINE_HELD_READ_MAX; i++) { /* none is lost */
        assert_true(take(w));
        line_let_go(line);
    }
    assert_false(line_is_overfull(line));
    assert_int_equal(inbox_count(&w->inbox), 0);
}

/* Of a request that is dated by its expiry alone it must be known how old it may be. */
static int64_t sent_after_us(struct world *w)
{
    assert_true(take(w));
    return w->message.came.sent_after_us;
}

static void what_comes_after_a_silence_is_young_and_what_comes_behind_others_may_be_old(void **state)
{
    struct world *w = *state;
    struct line *line = &w->line;
    line->came_us = now_us;
    now_us += 5000000;
    line_read(line); /* how long a silence must be isn't known yet */
    to_give = 1;
    line_read(line);
    assert_int_equal(sent_after_us(w), 0);
    line->quiet_after_us = 300000;
    assert_int_equal(line_wait_ms(line), 301); /* looked at again then */
    for (int i = 0; i < 100; i++) { /* a backlog */
        now_us += 299999;
        line_read(line);
        to_give = 1;
        line_read(line);
        assert_int_equal(sent_after_us(w), 0);
    }
    now_us += 300000;
    line_read(line);
    assert_int_equal(line_wait_ms(line), 1000);
    const int64_t quiet_us = now_us;
    now_us += 900000;
    to_give = 1;
    line_read(line);
    assert_int_equal(sent_after_us(w), quiet_us);
    now_us += 200000;
    to_give = INBOX_MAX + 1; /* the inbox is full, for long */
    line_read(line);
    now_us += 60000000;
    for (int i = 0; i < INBOX_MAX; i++)
        assert_int_equal(sent_after_us(w), quiet_us);
    line_let_go(line);
    to_give = 1; /* so it waited at the broker */
    line_read(line);
    assert_int_equal(sent_after_us(w), quiet_us);
    assert_int_equal(sent_after_us(w), quiet_us);
}

static void ask(struct line *line, enum line_op op, int index)
{
    struct line_order order = {.op = op, .index = index, .length_bytes = op == LINE_PUBLISH ? 1 : 0, .text = {(char)('0' + index)}};
    assert_true(line_order(line, &order));
}

static void comes_next(struct line *line, enum line_op op, int index)
{
    assert_true(next_order(line));
    assert_int_equal(line->current.op, op);
    assert_int_equal(line->current.index, index);
    if (op == LINE_PUBLISH)
        assert_int_equal(line->current.text[0], '0' + index);
}

static void what_brings_messages_waits_for_room_and_nothing_waits_behind_it(void **state)
{
    struct world *w = *state;
    struct line *line = &w->line;
    ask(line, LINE_SUBSCRIBE, 0);
    ask(line, LINE_UNSUBSCRIBE, 1);
    ask(line, LINE_PUBLISH, 2);
    ask(line, LINE_SUBSCRIBE, 1);
    ask(line, LINE_PUBLISH, 3);
    line->held_count = LINE_HELD_READ_MAX;
    comes_next(line, LINE_PUBLISH, 2);
    comes_next(line, LINE_PUBLISH, 3);
    assert_false(next_order(line));
    ask(line, LINE_DISCONNECT, 0);
    comes_next(line, LINE_DISCONNECT, 0);
    ask(line, LINE_PUBLISH, 4);
    line->held_count = 0;
    comes_next(line, LINE_SUBSCRIBE, 0);
    comes_next(line, LINE_UNSUBSCRIBE, 1);
    comes_next(line, LINE_SUBSCRIBE, 1);
    comes_next(line, LINE_PUBLISH, 4);
    assert_false(next_order(line));
}

/* Paho would wait for the answers, and acknowledge what comes. */
static void no_more_is_published_unanswered_than_the_broker_takes_but_a_goodbye(void **state)
{
    struct world *w = *state;
    struct line *line = &w->line;
    line->paho.unanswered = 20;
    ask(line, LINE_PUBLISH, 1);
    ask(line, LINE_PUBLISH, 2);
    ask(line, LINE_SUBSCRIBE, 3);
    comes_next(line, LINE_SUBSCRIBE, 3);
    assert_false(next_order(line) || line_has_orders(line));
    line->paho.unanswered = 19;
    assert_true(line_has_orders(line));
    comes_next(line, LINE_PUBLISH, 1);
    line->paho.unanswered = 20;
    assert_false(next_order(line));
    ask(line, LINE_PUBLISH, 3);
    order_at(line, line->count - 1)->topic = TOPIC_AVAILABILITY; /* "offline" */
    ask(line, LINE_DISCONNECT, 0);
    comes_next(line, LINE_PUBLISH, 3);
    comes_next(line, LINE_DISCONNECT, 0); /* what is left is said on the next connection */
    ask(line, LINE_CONNECT, 0);
    comes_next(line, LINE_CONNECT, 0);
    ask(line, LINE_PUBLISH, 4);
    assert_false(next_order(line));
}

/* Its wake-up was used up when it could not go yet: the answer is what it waits for, not the next tick. */
static void a_publish_that_waited_goes_out_with_the_answer(void **state)
{
    struct world *w = *state;
    w->line.paho.receive_max = w->line.paho.unanswered = 1;
    ask(&w->line, LINE_PUBLISH, 1);
    answers = ends = &w->line;
    waits = 0;
    (void)run(&w->line);
    assert_int_equal(w->line.count, 0);
    assert_int_equal(waits, 0);
}

static void carry_out(struct line *line, enum line_op op)
{
    line->current = (struct line_order){.op = op, .is_5 = true};
    line_carry_out(line);
    line_gather(line); /* as run() does */
    line_let_go(line);
    line_read(line);
}

/* What a main thread that has settled doesn't see any more mustn't be acknowledged. */
static void nothing_is_acknowledged_any_more_once_all_is_settled(void **state)
{
    struct world *w = *state;
    inbox_close(&w->inbox);
    brings = 1;
    carry_out(&w->line, LINE_CONNECT);
    assert_true(inbox_settled(&w->inbox));
    carry_out(&w->line, LINE_SUBSCRIBE);
    carry_out(&w->line, LINE_UNSUBSCRIBE);
    inbox_deafen(&w->inbox);
    carry_out(&w->line, LINE_SUBSCRIBE);
    assert_int_equal(asked, 0);
    assert_true(inbox_settled(&w->inbox));
}

static void what_is_acknowledged_while_the_door_closes_is_still_received(void **state)
{
    struct world *w = *state;
    closes = &w->inbox;
    brings = 2;
    carry_out(&w->line, LINE_CONNECT);
    assert_int_equal(asked, 1); /* and no more */
    carry_out(&w->line, LINE_SUBSCRIBE);
    assert_int_equal(asked, 1);
    assert_int_equal(inbox_count(&w->inbox), 2);
    assert_false(inbox_settled(&w->inbox));
    assert_true(take(w) && take(w));
    assert_true(inbox_settled(&w->inbox));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_held_keeps_the_time_it_came_and_all_that_is_acknowledged_is_held, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_message_a_tick_is_read_while_nobody_takes_any_up_to_a_bound, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_comes_after_a_silence_is_young_and_what_comes_behind_others_may_be_old, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_is_acknowledged_any_more_once_all_is_settled, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_acknowledged_while_the_door_closes_is_still_received, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_more_is_published_unanswered_than_the_broker_takes_but_a_goodbye, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_publish_that_waited_goes_out_with_the_answer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_brings_messages_waits_for_room_and_nothing_waits_behind_it, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
