/* Debouncing, the repeat rule, the ring of events not yet on disk, the watchdog's rule, the latency histogram. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/health/latency.h"
#include "daemon/health/watchdog.h"
#include "daemon/journal/pending.h"
#include "daemon/lane/debounce.h"
#include "daemon/lane/repeat.h"

#define MS(n) ((int64_t)(n) * 1000)

static void a_bouncing_press_is_one_press(void **state)
{
    (void)state;
    struct debounce d;
    int presses = 0;
    debounce_init(&d, false, 0);
    for (int64_t t = 0; t < 20; t++) { /* 1 kHz bounce for 20 ms, then pressed */
        debounce_edge(&d, t % 2 == 0, MS(100 + t));
        presses += debounce_settle(&d, MS(100 + t), 30) && d.level;
    }
    debounce_edge(&d, true, MS(120));
    for (int64_t t = 120; t < 400; t++)
        presses += debounce_settle(&d, MS(t), 30) && d.level;
    assert_int_equal(presses, 1);
    assert_int_equal(debounce_next_us(&d, 30), INT64_MAX);
}

static void a_spike_is_nothing(void **state)
{
    (void)state;
    struct debounce d;
    debounce_init(&d, false, 0);
    debounce_edge(&d, true, MS(10));
    assert_int_equal(debounce_next_us(&d, 30), MS(40));
    debounce_edge(&d, false, MS(39));
    for (int64_t t = 39; t < 200; t++)
        assert_false(debounce_settle(&d, MS(t), 30));
}

static void held_at_start_is_no_press(void **state)
{
    (void)state;
    struct debounce d;
    debounce_init(&d, true, 0);
    assert_false(debounce_settle(&d, MS(1000), 30));
    debounce_edge(&d, false, MS(1000));
    assert_true(debounce_settle(&d, MS(1030), 30));
    assert_false(d.level);
}

static void a_code_counts_once_until_it_left_the_view(void **state)
{
    (void)state;
    struct repeat r = {0};
    uint8_t a[REPEAT_DIGEST_BYTES] = {1}, b[REPEAT_DIGEST_BYTES] = {2};
    assert_true(repeat_is_new(&r, a, MS(1000), 1500));
    for (int64_t t = 1200; t < 60000; t += 200) /* held for a minute */
        assert_false(repeat_is_new(&r, a, MS(t), 1500));
    assert_true(repeat_is_new(&r, b, MS(60000), 1500)); /* another person's code is not delayed */
    assert_true(repeat_is_new(&r, a, MS(61400), 1500));
    assert_false(repeat_is_new(&r, a, MS(61500), 1500));
    repeat_forget(&r, a);
    assert_true(repeat_is_new(&r, a, MS(61600), 1500));
}

static void a_code_does_not_leave_while_nobody_looks(void **state)
{
    (void)state;
    struct repeat r = {0};
    uint8_t held[REPEAT_DIGEST_BYTES] = {1}, gone[REPEAT_DIGEST_BYTES] = {2};
    repeat_watched(&r, MS(1000), 200);
    assert_true(repeat_is_new(&r, gone, MS(1000), 1500));
    for (int64_t t = 1200; t < 4000; t += 200) {
        repeat_watched(&r, MS(t), 200);
        assert_int_equal(repeat_is_new(&r, held, MS(t), 1500), t == 1200);
    }
    repeat_watched(&r, MS(4000), 200);
    repeat_watched(&r, MS(3000), 200);  /* a lie or a late word moves nothing */
    repeat_watched(&r, MS(64000), 200); /* the camera was lost for a minute */
    assert_false(repeat_is_new(&r, held, MS(64000), 1500));
    assert_true(repeat_is_new(&r, gone, MS(64000), 1500)); /* it had left before */
    repeat_watched(&r, MS(65600), 200); /* 1.4 s without a picture, and a code that is not in that one */
    repeat_watched(&r, MS(65800), 200);
    assert_false(repeat_is_new(&r, held, MS(65900), 1500));
    for (int64_t t = 66000; t < 67600; t += 200)
        repeat_watched(&r, MS(t), 200);
    assert_true(repeat_is_new(&r, held, MS(67500), 1500));
}

static void repeats_survive_a_crowd_of_codes(void **state)
{
    (void)state;
    struct repeat r = {0};
    uint8_t digest[REPEAT_DIGEST_BYTES] = {0};
    for (int i = 0; i < 1000; i++) { /* more codes than places: the oldest gives way */
        memcpy(digest, &i, sizeof i);
        digest[31] = 1;
        assert_true(repeat_is_new(&r, digest, MS(1000 + i), 1500));
        assert_false(repeat_is_new(&r, digest, MS(1000 + i), 1500));
    }
}

static void pending_events_stay_in_order_until_recorded(void **state)
{
    (void)state;
    struct pending *p = calloc(1, sizeof *p);
    assert_non_null(p);
    for (int i = 0; i < 3; i++) {
        struct event e = {.kind = EVENT_OVERRIDE, .monotonic_us = i};
        assert_true(pending_add(p, &e));
    }
    for (int i = 0; i < 3; i++) {
        const struct event *e = pending_next(p, MS(1000 * i));
        assert_non_null(e);
        assert_int_equal(e->monotonic_us, i);
        pending_offered(p);
        assert_null(pending_next(p, MS(1000 * i))); /* one at a time */
        if (i == 1) {
            pending_answer(p, -5, MS(1000));
            assert_null(pending_next(p, MS(1000)));
            assert_int_equal(pending_next_us(p), MS(1000 + PENDING_RETRY_MS));
            e = pending_next(p, MS(1000 + PENDING_RETRY_MS));
            assert_non_null(e);
            assert_int_equal(e->monotonic_us, 1); /* the same again */
            pending_offered(p);
        }
        pending_answer(p, 0, MS(2000));
    }
    assert_int_equal(p->count, 0);
    for (int i = 0; i < PENDING_MAX + 2; i++) {
        struct event e = {.kind = EVENT_OVERRIDE};
        assert_int_equal(pending_add(p, &e), i < PENDING_MAX);
    }
    assert_int_equal(p->dropped, 2);
    free(p);
}

static void the_watchdog_is_fed_only_when_all_progress(void **state)
{
    (void)state;
    for (int silent = -1; silent < WATCHDOG_PART_COUNT; silent++) {
        struct watchdog w;
        int fed_late = 0;
        watchdog_init(&w, MS(9000), 0);
        for (int64_t t = 0; t < 60000; t += 100) {
            for (int part = 0; part < WATCHDOG_PART_COUNT; part++)
                if (part != silent || t < 5000)
                    watchdog_progress(&w, (enum watchdog_part)part, MS(t));
            if (watchdog_due(&w, MS(t)) && t > 10000)
                fed_late++;
        }
        if (silent < 0)
            assert_in_range(fed_late, 15, 17);
        else
            assert_int_equal(fed_late, 0);
    }
}

/* The journal hangs for 6 of 9 s and goes on: the next word must come before systemd's patience ends. */
static void a_hang_that_ends_in_time_is_forgiven(void **state)
{
    (void)state;
    struct watchdog w;
    int64_t fed_ms = 0, longest_ms = 0;
    watchdog_init(&w, MS(9000), 0);
    for (int64_t t = 0; t < 40000; t += 50) {
        for (int part = 0; part < WATCHDOG_PART_COUNT; part++)
            if (part != WATCHDOG_JOURNAL || t < 10000 || t >= 16000)
                watchdog_progress(&w, (enum watchdog_part)part, MS(t));
        if (!watchdog_due(&w, MS(t)))
            continue;
        if (t - fed_ms > longest_ms)
            longest_ms = t - fed_ms;
        fed_ms = t;
    }
    assert_in_range(longest_ms, 3000, 8000);
}

static void quantiles_are_within_their_bucket(void **state)
{
    (void)state;
    struct latency *l = calloc(1, sizeof *l);
    assert_non_null(l);
    assert_int_equal(latency_quantile_us(l, 0.5), 0);
    for (int i = 1; i <= 10000; i++)
        latency_add(l, i);
    assert_in_range(latency_quantile_us(l, 0.5), 5000, 5160);
    assert_in_range(latency_quantile_us(l, 0.99), 9900, 10230);
    latency_add(l, -5);
    latency_add(l, INT64_MAX); /* neither crashes nor is lost */
    assert_int_equal(l->count, 10002);
    free(l);
}

int main(void)
{
    const struct CMUnitTest inputs[] = {
        cmocka_unit_test(a_bouncing_press_is_one_press), cmocka_unit_test(a_spike_is_nothing),
        cmocka_unit_test(held_at_start_is_no_press), cmocka_unit_test(a_code_counts_once_until_it_left_the_view),
        cmocka_unit_test(a_code_does_not_leave_while_nobody_looks),
        cmocka_unit_test(repeats_survive_a_crowd_of_codes), cmocka_unit_test(pending_events_stay_in_order_until_recorded),
        cmocka_unit_test(the_watchdog_is_fed_only_when_all_progress),
        cmocka_unit_test(a_hang_that_ends_in_time_is_forgiven),
        cmocka_unit_test(quantiles_are_within_their_bucket),
    };
    return cmocka_run_group_tests(inputs, NULL, NULL);
}
