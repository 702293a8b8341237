/* From the lane's wish to the wire, when the main loop is late: a pulse counts from its edge, and one that is too late doesn't begin. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "daemon/health/clock.h"
#include "daemon/wires.h"

enum { PULSE_MS = 300, WAIT_US = 20000000 };

/* A panel that keeps the time of the relay's edges: the second of two threads is the relay's guard. */
struct panel {
    struct lines lines;
    pthread_mutex_t mutex;
    bool relay, fail;
    int opened, written;
    int64_t opened_us, closed_us;
    int64_t stall_us; /* the next opening takes so long after it has moved */
};

static struct world {
    struct lane_settings settings;
    struct panel panel;
    struct relay_guard *guard;
    struct lane lane;
    struct wires wires;
} w;

static void sleep_us(int64_t us)
{
    const struct timespec time = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
    assert_int_equal(clock_nanosleep(CLOCK_MONOTONIC, 0, &time, NULL), 0);
}

static int set(struct lines *lines, enum line_out line, bool active)
{
    struct panel *panel = (struct panel *)lines;
    int64_t stall_us = 0;
    (void)pthread_mutex_lock(&panel->mutex);
    panel->written++;
    if (line != LINE_RELAY)
        goto out;
    if (active && !panel->relay) {
        panel->opened++;
        panel->opened_us = clock_monotonic_us();
        stall_us = panel->stall_us;
    }
    if (!active && panel->relay)
        panel->closed_us = clock_monotonic_us();
    panel->relay = active;
out:
    (void)pthread_mutex_unlock(&panel->mutex);
    sleep_us(stall_us);
    return 0;
}

static int get(struct lines *lines, enum line_in line, bool *ret_active)
{
    (void)line;
    *ret_active = false;
    return ((const struct panel *)lines)->fail ? -ENODEV : 0;
}

static const struct lines_ops ops = {.set = set, .get = get};

static int setup(void **state)
{
    (void)state;
    memset(&w, 0, sizeof w);
    lane_defaults(&w.settings);
    w.settings.pulse_ms = PULSE_MS;
    w.settings.has_sensor = true;
    w.panel.lines.ops = &ops;
    (void)pthread_mutex_init(&w.panel.mutex, NULL);
    assert_int_equal(relay_guard_open(&w.panel.lines, false, &w.guard), 0);
    lane_init(&w.lane, &w.settings, &(struct lane_at_start){0}, clock_monotonic_us() - WAIT_US);
    wires_init(&w.wires, &w.panel.lines, w.guard);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    relay_guard_close(w.guard);
    (void)pthread_mutex_destroy(&w.panel.mutex);
    return 0;
}

/* True: a relay was opened. */
static bool tell(enum lane_input_kind kind, int64_t at_us)
{
    const struct lane_input input = {.kind = kind, .at_us = at_us, .event_id = "e", .direction = DIRECTION_IN, .hold_open_s = 60};
    assert_int_equal(lane_input(&w.lane, &input), 0);
    return wires_drive(&w.wires, &w.lane, at_us);
}

static bool is_open(void)
{
    bool open;
    (void)pthread_mutex_lock(&w.panel.mutex);
    open = w.panel.relay;
    (void)pthread_mutex_unlock(&w.panel.mutex);
    return open;
}

/* As main does it, until the relay is closed. */
static void run_until_closed(void)
{
    const int64_t until_us = clock_monotonic_us() + WAIT_US;
    while (is_open()) {
        const int64_t now_us = clock_monotonic_us(), next_us = lane_next_us(&w.lane, now_us);
        assert_true(now_us < until_us);
        if (next_us > now_us)
            sleep_us(next_us - now_us < WAIT_US ? next_us - now_us : 1000);
        assert_false(tell(LANE_IN_TIME, clock_monotonic_us()));
    }
}

static void a_pulse_is_whole_however_late_the_loop_is(void **state)
{
    for (int late_ms = 0; late_ms <= 900; late_ms += 450) { /* the second and third decision are older than the pulse is long */
        (void)teardown(state);
        (void)setup(state);
        assert_true(tell(LANE_IN_OPEN, clock_monotonic_us() - late_ms * 1000LL));
        assert_true(is_open());
        run_until_closed();
        assert_true(w.panel.closed_us - w.panel.opened_us >= PULSE_MS * 1000);
        assert_int_equal(w.panel.opened, 1);
    }
}

static void nobody_is_let_in_by_a_decision_of_long_ago(void **state)
{
    (void)state;
    assert_false(tell(LANE_IN_OPEN, clock_monotonic_us() - (LANE_RELAY_LATE_MAX_MS + 1) * 1000LL));
    assert_false(is_open());
    assert_int_equal(w.panel.opened, 0);
}

/* Perhaps it moved at its end: the pulse is whole from there. */
static void a_write_that_takes_long_doesnt_cut_the_pulse(void **state)
{
    (void)state;
    w.panel.stall_us = 2 * PULSE_MS * 1000;
    assert_true(tell(LANE_IN_OPEN, clock_monotonic_us()));
    run_until_closed();
    assert_true(w.panel.closed_us - w.panel.opened_us >= 3 * PULSE_MS * 1000);
    assert_int_equal(w.panel.opened, 1);
}

static void a_pulse_that_becomes_a_hold_open_stays(void **state)
{
    (void)state;
    assert_true(tell(LANE_IN_OPEN, clock_monotonic_us()));
    assert_false(tell(LANE_IN_HOLD_OPEN, clock_monotonic_us()));
    const int64_t opened_us = w.panel.opened_us;
    while (clock_monotonic_us() < opened_us + 2 * PULSE_MS * 1000) {
        sleep_us(10000);
        assert_false(tell(LANE_IN_TIME, clock_monotonic_us()));
        assert_true(is_open());
    }
    assert_int_equal(w.panel.opened, 1);
    assert_int_equal(relay_guard_acted(w.guard), 0);
    assert_false(tell(LANE_IN_NORMAL, clock_monotonic_us()));
    assert_false(is_open());
}

/* What a chip forgot it has back within a second. */
static void levels_are_written_again(void **state)
{
    (void)state;
    const int64_t now_us = clock_monotonic_us();
    assert_false(tell(LANE_IN_TIME, now_us));
    const int written = w.panel.written;
    assert_false(tell(LANE_IN_TIME, now_us + 999999));
    assert_int_equal(w.panel.written, written);
    assert_false(tell(LANE_IN_TIME, now_us + 1000000));
    assert_int_equal(w.panel.written, written + LANE_OUTPUT_COUNT);
    assert_true(tell(LANE_IN_HOLD_OPEN, now_us + 1000000));
    w.panel.relay = false;
    assert_false(tell(LANE_IN_TIME, now_us + 2000000));
    assert_true(is_open());
}

static void stopped_is_for_good(void **state)
{
    (void)state;
    assert_true(tell(LANE_IN_OPEN, clock_monotonic_us()));
    wires_stop(&w.wires);
    assert_false(is_open());
    assert_false(tell(LANE_IN_TIME, clock_monotonic_us()));
    assert_false(is_open());
}

static void a_lost_line_is_told(void **state)
{
    (void)state;
    w.panel.fail = true;
    assert_false(tell(LANE_IN_TIME, clock_monotonic_us()));
    assert_int_equal(w.wires.error, -ENODEV);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_pulse_is_whole_however_late_the_loop_is, setup, teardown),
        cmocka_unit_test_setup_teardown(nobody_is_let_in_by_a_decision_of_long_ago, setup, teardown),
        cmocka_unit_test_setup_teardown(a_write_that_takes_long_doesnt_cut_the_pulse, setup, teardown),
        cmocka_unit_test_setup_teardown(levels_are_written_again, setup, teardown),
        cmocka_unit_test_setup_teardown(stopped_is_for_good, setup, teardown),
        cmocka_unit_test_setup_teardown(a_lost_line_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(a_pulse_that_becomes_a_hold_open_stays, setup, teardown),
    };
    return cmocka_run_group_tests_name("wires", tests, NULL, NULL);
}
