/* The relay's guard against a main loop that hangs: it ends an overdue pulse, and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "daemon/relay_guard.h"

enum { WAIT_MS = 10000, QUIET_MS = 300 };

/* A panel that signals each change by an eventfd and can fail. */
struct panel {
    struct lines lines;
    pthread_mutex_t mutex;
    int changed_fd, fail;
    bool level[LINE_OUT_COUNT];
    int64_t at_us[LINE_OUT_COUNT];
};

static int64_t now_us(void)
{
    struct timespec now;
    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &now), 0);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int set(struct lines *lines, enum line_out line, bool active)
{
    struct panel *panel = (struct panel *)lines;
    const uint64_t one = 1;
    int r = 0;
    (void)pthread_mutex_lock(&panel->mutex);
    if (panel->fail > 0) {
        panel->fail--;
        r = -EIO;
    } else {
        panel->level[line] = active;
        panel->at_us[line] = now_us();
    }
    (void)pthread_mutex_unlock(&panel->mutex);
    if (write(panel->changed_fd, &one, sizeof one) != (ssize_t)sizeof one)
        abort();
    return r;
}

static const struct lines_ops ops = {.set = set};

static int setup(void **state)
{
    struct panel *panel = calloc(1, sizeof *panel);
    assert_non_null(panel);
    panel->lines.ops = &ops;
    panel->changed_fd = eventfd(0, EFD_NONBLOCK | EFD_SEMAPHORE);
    assert_int_equal(pthread_mutex_init(&panel->mutex, NULL), 0);
    *state = panel;
    return panel->changed_fd < 0;
}

static int teardown(void **state)
{
    struct panel *panel = *state;
    (void)close(panel->changed_fd);
    (void)pthread_mutex_destroy(&panel->mutex);
    free(panel);
    return 0;
}

/* True when the wires were touched once more within the time. */
static bool touched(struct panel *panel, int wait_ms)
{
    struct pollfd ready = {.fd = panel->changed_fd, .events = POLLIN};
    uint64_t count;
    return poll(&ready, 1, wait_ms) == 1 && read(panel->changed_fd, &count, sizeof count) == (ssize_t)sizeof count;
}

static void ends_an_overdue_pulse(void **state)
{
    struct panel *panel = *state;
    struct relay_guard *guard;
    assert_int_equal(relay_guard_open(&panel->lines, false, &guard), 0);
    const int64_t off_at_us = now_us() + 100000;
    assert_int_equal(relay_guard_set(guard, LINE_RELAY, true, 100000), 0);
    assert_true(touched(panel, WAIT_MS) && panel->level[LINE_RELAY]);
    assert_true(touched(panel, WAIT_MS)); /* main hangs here */
    assert_false(panel->level[LINE_RELAY]);
    assert_true(panel->at_us[LINE_RELAY] >= off_at_us + RELAY_GUARD_GRACE_MS * 1000);
    assert_int_equal(relay_guard_acted(guard), 1);
    relay_guard_close(guard);
    assert_false(touched(panel, 0));
}

static void leaves_a_pulse_alone_that_main_ends(void **state)
{
    struct panel *panel = *state;
    struct relay_guard *guard;
    assert_int_equal(relay_guard_open(&panel->lines, false, &guard), 0);
    assert_int_equal(relay_guard_set(guard, LINE_RELAY, true, 100000), 0);
    assert_int_equal(relay_guard_set(guard, LINE_RELAY, false, 0), 0);
    assert_true(touched(panel, WAIT_MS) && touched(panel, WAIT_MS));
    assert_false(touched(panel, QUIET_MS));
    assert_int_equal(relay_guard_acted(guard), 0);
    relay_guard_close(guard);
}

static void leaves_hold_open_alone(void **state)
{
    struct panel *panel = *state;
    struct relay_guard *guard;
    assert_int_equal(relay_guard_open(&panel->lines, false, &guard), 0);
    assert_int_equal(relay_guard_set(guard, LINE_RELAY, true, 0), 0);
    assert_true(touched(panel, WAIT_MS));
    assert_false(touched(panel, QUIET_MS));
    assert_true(panel->level[LINE_RELAY]);
    relay_guard_close(guard);
}

static void each_relay_has_its_own_deadline(void **state)
{
    struct panel *panel = *state;
    struct relay_guard *guard;
    assert_int_equal(relay_guard_open(&panel->lines, false, &guard), 0);
    assert_int_equal(relay_guard_set(guard, LINE_RELAY, true, 0), 0);
    assert_int_equal(relay_guard_set(guard, LINE_RELAY_OUT, true, 50000), 0);
    assert_true(touched(panel, WAIT_MS) && touched(panel, WAIT_MS) && touched(panel, WAIT_MS));
    assert_true(panel->level[LINE_RELAY]);
    assert_false(panel->level[LINE_RELAY_OUT]);
    relay_guard_close(guard);
}

static void tries_again_when_the_wire_fails(void **state)
{
    struct panel *panel = *state;
    struct relay_guard *guard;
    assert_int_equal(relay_guard_open(&panel->lines, false, &guard), 0);
    assert_int_equal(relay_guard_set(guard, LINE_RELAY, true, 50000), 0);
    (void)pthread_mutex_lock(&panel->mutex);
    panel->fail = 2;
    (void)pthread_mutex_unlock(&panel->mutex);
    for (int i = 0; i < 4; i++)
        assert_true(touched(panel, WAIT_MS));
    assert_false(panel->level[LINE_RELAY]);
    assert_int_equal(relay_guard_acted(guard), 3);
    relay_guard_close(guard);
}

static void a_new_bound_is_for_a_relay_that_is_open(void **state)
{
    struct panel *panel = *state;
    struct relay_guard *guard;
    assert_int_equal(relay_guard_open(&panel->lines, false, &guard), 0);
    relay_guard_bound(guard, LINE_RELAY, now_us() + 10000); /* it is closed */
    assert_false(touched(panel, QUIET_MS));
    assert_int_equal(relay_guard_set(guard, LINE_RELAY, true, 10 * WAIT_MS * 1000), 0);
    const int64_t off_at_us = now_us() + 50000;
    relay_guard_bound(guard, LINE_RELAY, off_at_us);
    assert_true(touched(panel, WAIT_MS) && touched(panel, WAIT_MS));
    assert_false(panel->level[LINE_RELAY]);
    assert_true(panel->at_us[LINE_RELAY] >= off_at_us + RELAY_GUARD_GRACE_MS * 1000);
    relay_guard_bound(guard, LINE_RELAY, 0); /* too late: it stays closed */
    assert_false(touched(panel, QUIET_MS));
    relay_guard_close(guard);
}

/* A chip that forgot its levels, and one whose relay is overdue or was closed by the guard. */
static void a_level_is_written_again_but_never_beyond_its_bound(void **state)
{
    struct panel *panel = *state;
    struct relay_guard *guard;
    assert_int_equal(relay_guard_open(&panel->lines, false, &guard), 0);
    assert_int_equal(relay_guard_set(guard, LINE_RELAY, true, 0), 0);
    assert_true(touched(panel, WAIT_MS));
    panel->level[LINE_RELAY] = false;
    assert_int_equal(relay_guard_refresh(guard, LINE_RELAY), 0);
    assert_true(touched(panel, WAIT_MS) && panel->level[LINE_RELAY]);
    assert_int_equal(relay_guard_refresh(guard, LINE_RELAY_OUT), 0);
    assert_true(touched(panel, WAIT_MS) && !panel->level[LINE_RELAY_OUT]);
    relay_guard_bound(guard, LINE_RELAY, now_us() - 1); /* over, and the guard's grace runs or has run */
    assert_int_equal(relay_guard_refresh(guard, LINE_RELAY), 0);
    assert_true(touched(panel, WAIT_MS) && !panel->level[LINE_RELAY]);
    assert_int_equal(relay_guard_refresh(guard, LINE_RELAY), 0);
    assert_true(touched(panel, WAIT_MS) && !panel->level[LINE_RELAY]);
    assert_int_equal(relay_guard_acted(guard), 1);
    relay_guard_close(guard);
}

/* Fail-safe wiring: the level that locks is the active one. */
static void closes_to_the_level_that_locks(void **state)
{
    struct panel *panel = *state;
    struct relay_guard *guard;
    assert_int_equal(relay_guard_open(&panel->lines, true, &guard), 0);
    assert_int_equal(relay_guard_set(guard, LINE_RELAY, true, 0), 0);
    assert_int_equal(relay_guard_set(guard, LINE_RELAY, false, 50000), 0);
    assert_true(touched(panel, WAIT_MS) && touched(panel, WAIT_MS) && touched(panel, WAIT_MS));
    assert_true(panel->level[LINE_RELAY]);
    relay_guard_close(guard);
}

static void an_error_of_the_wire_is_told(void **state)
{
    struct panel *panel = *state;
    struct relay_guard *guard;
    assert_int_equal(relay_guard_open(&panel->lines, false, &guard), 0);
    panel->fail = 1;
    assert_int_equal(relay_guard_set(guard, LINE_RELAY, true, 50000), -EIO);
    assert_true(touched(panel, WAIT_MS));
    assert_false(touched(panel, QUIET_MS)); /* it isn't on, so there is nothing to end */
    relay_guard_close(guard);
    relay_guard_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(ends_an_overdue_pulse, setup, teardown),
        cmocka_unit_test_setup_teardown(leaves_a_pulse_alone_that_main_ends, setup, teardown),
        cmocka_unit_test_setup_teardown(leaves_hold_open_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(each_relay_has_its_own_deadline, setup, teardown),
        cmocka_unit_test_setup_teardown(tries_again_when_the_wire_fails, setup, teardown),
        cmocka_unit_test_setup_teardown(a_new_bound_is_for_a_relay_that_is_open, setup, teardown),
        cmocka_unit_test_setup_teardown(a_level_is_written_again_but_never_beyond_its_bound, setup, teardown),
        cmocka_unit_test_setup_teardown(closes_to_the_level_that_locks, setup, teardown),
        cmocka_unit_test_setup_teardown(an_error_of_the_wire_is_told, setup, teardown),
    };
    return cmocka_run_group_tests_name("relay_guard", tests, NULL, NULL);
}
