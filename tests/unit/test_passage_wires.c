/* From the lane's wish to the wire, when the main loop is late: a pulse counts from its edge, and one that is too late doesn't begin. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "daemon/passage.c"

enum { PULSE_MS = 300, WAIT_US = 20000000 };

/* Wires that keep the time of the relay's edges; the second of two threads is the relay's guard. */
struct wires {
    struct lines lines;
    pthread_mutex_t mutex;
    bool relay;
    int opened;
    int64_t opened_us, closed_us;
    int64_t stall_us; /* the next opening takes so long after it has moved */
};

static struct world {
    struct settings settings;
    struct wires wires;
    struct relay_guard *guard;
    struct passage passage;
} w;

static void sleep_us(int64_t us)
{
    const struct timespec time = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
    assert_int_equal(clock_nanosleep(CLOCK_MONOTONIC, 0, &time, NULL), 0);
}

static int set(struct lines *lines, enum line_out line, bool active)
{
    struct wires *wires = (struct wires *)lines;
    int64_t stall_us = 0;
    if (line != LINE_RELAY)
        return 0;
    (void)pthread_mutex_lock(&wires->mutex);
    if (active && !wires->relay) {
        wires->opened++;
        wires->opened_us = clock_monotonic_us();
        stall_us = wires->stall_us;
    }
    if (!active && wires->relay)
        wires->closed_us = clock_monotonic_us();
    wires->relay = active;
    (void)pthread_mutex_unlock(&wires->mutex);
    sleep_us(stall_us);
    return 0;
}

static int get(struct lines *lines, enum line_in line, bool *ret_active)
{
    (void)lines, (void)line;
    *ret_active = false;
    return 0;
}

static const struct lines_ops ops = {.set = set, .get = get};

static int setup(void **state)
{
    (void)state;
    memset(&w, 0, sizeof w);
    lane_defaults(&w.settings.lane_settings);
    w.settings.lane_settings.pulse_ms = PULSE_MS;
    w.settings.lane_settings.has_sensor = true;
    w.wires.lines.ops = &ops;
    (void)pthread_mutex_init(&w.wires.mutex, NULL);
    assert_int_equal(relay_guard_open(&w.wires.lines, false, &w.guard), 0);
    passage_init(&w.passage, &w.settings, &w.wires.lines, w.guard, NULL, NULL, NULL,
                 clock_monotonic_us() - WAIT_US);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    relay_guard_close(w.guard);
    (void)pthread_mutex_destroy(&w.wires.mutex);
    return 0;
}

static void tell(enum lane_input_kind kind, int64_t at_us)
{
    const struct lane_input input = {.kind = kind, .at_us = at_us, .event_id = "e", .direction = DIRECTION_IN, .hold_open_s = 60};
    assert_int_equal(passage_tell(&w.passage, &input), 0);
}

static bool is_open(void)
{
    bool open;
    (void)pthread_mutex_lock(&w.wires.mutex);
    open = w.wires.relay;
    (void)pthread_mutex_unlock(&w.wires.mutex);
    return open;
}

/* As main does it, until the relay is closed. */
static void run_until_closed(void)
{
    const int64_t until_us = clock_monotonic_us() + WAIT_US;
    while (is_open()) {
        const int64_t now_us = clock_monotonic_us(), next_us = lane_next_us(&w.passage.lane, now_us);
        assert_true(now_us < until_us);
        if (next_us > now_us)
            sleep_us(next_us - now_us < WAIT_US ? next_us - now_us : 1000);
        tell(LANE_IN_TIME, clock_monotonic_us());
    }
}

static void a_pulse_is_whole_however_late_the_loop_is(void **state)
{
    for (int late_ms = 0; late_ms <= 900; late_ms += 450) { /* the second and third decision are older than the pulse is long */
        (void)teardown(state);
        (void)setup(state);
        tell(LANE_IN_OPEN, clock_monotonic_us() - late_ms * 1000LL);
        assert_true(is_open());
        run_until_closed();
        assert_true(w.wires.closed_us - w.wires.opened_us >= PULSE_MS * 1000);
        assert_int_equal(w.wires.opened, 1);
    }
}

static void nobody_is_let_in_by_a_decision_of_long_ago(void **state)
{
    (void)state;
    tell(LANE_IN_OPEN, clock_monotonic_us() - (LANE_RELAY_LATE_MAX_MS + PULSE_MS + 1) * 1000LL);
    assert_false(is_open());
    assert_int_equal(w.wires.opened, 0);
}

/* The write itself took longer than the pulse: its guard has closed the wire meanwhile, and it stays closed. */
static void what_the_guard_closed_stays_closed(void **state)
{
    (void)state;
    w.wires.stall_us = (PULSE_MS + 10 * RELAY_GUARD_GRACE_MS) * 1000;
    tell(LANE_IN_OPEN, clock_monotonic_us());
    while (is_open())
        sleep_us(1000);
    w.wires.stall_us = 0;
    tell(LANE_IN_TIME, clock_monotonic_us());
    assert_false(is_open());
    assert_int_equal(w.wires.opened, 1);
}

static void a_pulse_that_becomes_a_hold_open_stays(void **state)
{
    (void)state;
    tell(LANE_IN_OPEN, clock_monotonic_us());
    tell(LANE_IN_HOLD_OPEN, clock_monotonic_us());
    const int64_t opened_us = w.wires.opened_us;
    while (clock_monotonic_us() < opened_us + 2 * PULSE_MS * 1000) {
        sleep_us(10000);
        tell(LANE_IN_TIME, clock_monotonic_us());
        assert_true(is_open());
    }
    assert_int_equal(w.wires.opened, 1);
    assert_int_equal(relay_guard_acted(w.guard), 0);
    tell(LANE_IN_NORMAL, clock_monotonic_us());
    assert_false(is_open());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_pulse_is_whole_however_late_the_loop_is, setup, teardown),
        cmocka_unit_test_setup_teardown(nobody_is_let_in_by_a_decision_of_long_ago, setup, teardown),
        cmocka_unit_test_setup_teardown(what_the_guard_closed_stays_closed, setup, teardown),
        cmocka_unit_test_setup_teardown(a_pulse_that_becomes_a_hold_open_stays, setup, teardown),
    };
    return cmocka_run_group_tests_name("passage_wires", tests, NULL, NULL);
}
