/* Patterns: every verdict has one that fits, the defaults differ by ear, tones and lamps follow their row, a row of the
 * configuration that can't be is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/lane/signals.h"

#define MS(n) ((int64_t)(n) * 1000)
static struct signal_pattern patterns[SIGNAL_COUNT];

static int defaults(void **state)
{
    (void)state;
    signal_defaults(patterns);
    return 0;
}

static void every_reason_has_a_signal_that_fits_its_action(void **state)
{
    (void)state;
    for (int reason = 0; reason < REASON_COUNT; reason++)
        for (int action = 0; action < VERDICT_ACTION_COUNT; action++) {
            struct verdict v = {(enum verdict_action)action, (enum reason)reason, STATUS_NONE};
            enum signal s = signal_for_verdict(&v);
            assert_int_not_equal(s, SIGNAL_NONE);
            assert_false(signal_lasts(s));
            assert_int_equal(s == SIGNAL_OPEN, action == VERDICT_OPEN && reason != REASON_JOURNAL_FAILED);
        }
}

static void defaults_are_different_by_ear(void **state)
{
    (void)state;
    for (int a = SIGNAL_OPEN; a < SIGNAL_COUNT; a++)
        for (int b = a + 1; b < SIGNAL_COUNT; b++)
            if (signals_sound_alike(&patterns[a], &patterns[b]))
                fail_msg("%s and %s sound alike", signal_name((enum signal)a), signal_name((enum signal)b));
}

static void alike_means_count_and_lengths(void **state)
{
    (void)state;
    const struct signal_pattern a = {200, 200, 2, SIGNAL_LAMP_NONE, 0, 0}, longer = {290, 200, 2, SIGNAL_LAMP_NONE, 0, 0},
                                much_longer = {300, 200, 2, SIGNAL_LAMP_NONE, 0, 0},
                                thrice = {200, 200, 3, SIGNAL_LAMP_RED, 9, 0},
                                slower = {200, 300, 2, SIGNAL_LAMP_NONE, 0, 0},
                                silent = {0, 0, 0, SIGNAL_LAMP_RED, 100, 0}, one = {200, 0, 1, SIGNAL_LAMP_NONE, 0, 0},
                                one_and_pause = {200, 900, 1, SIGNAL_LAMP_NONE, 0, 0};
    assert_true(signals_sound_alike(&a, &a));
    assert_true(signals_sound_alike(&a, &longer));
    assert_false(signals_sound_alike(&a, &much_longer));
    assert_false(signals_sound_alike(&much_longer, &a));
    assert_false(signals_sound_alike(&a, &thrice));
    assert_false(signals_sound_alike(&a, &slower));
    assert_false(signals_sound_alike(&silent, &silent));
    assert_true(signals_sound_alike(&one, &one_and_pause)); /* nobody hears a pause after the last tone */
}

static void a_cause_without_a_row_is_said_as_unreadable(void **state)
{
    (void)state;
    struct signal_pattern rows[SIGNAL_COUNT];
    memcpy(rows, patterns, sizeof rows);
    for (int s = SIGNAL_NONE; s <= SIGNAL_COUNT; s++) {
        const enum signal signal = (enum signal)s;
        assert_int_equal(signal_is_hint(signal), s >= SIGNAL_UNREADABLE && s <= SIGNAL_MOVING);
        assert_int_equal(signal_for_hint(signal, rows), SIGNAL_UNREADABLE);
        if (s <= SIGNAL_UNREADABLE || s > SIGNAL_MOVING)
            continue;
        assert_false(signal_lasts(signal));
        rows[s].lamp = SIGNAL_LAMP_RED; /* a lamp alone is a row */
        assert_int_equal(signal_for_hint(signal, rows), signal);
        rows[s].lamp = SIGNAL_LAMP_NONE;
        rows[s].tone_on_ms = 100;
        assert_int_equal(signal_for_hint(signal, rows), signal);
        rows[s].tone_on_ms = 0;
    }
}

static void every_signal_has_a_name_and_a_row_without_fault(void **state)
{
    (void)state;
    for (int a = SIGNAL_NONE; a < SIGNAL_COUNT; a++) {
        const char *fault = signal_pattern_fault((enum signal)a, &patterns[a]);
        assert_non_null(signal_name((enum signal)a));
        assert_string_not_equal(signal_name((enum signal)a), "?");
        if (fault != NULL)
            fail_msg("%s: %s", signal_name((enum signal)a), fault);
        for (int b = a + 1; b < SIGNAL_COUNT; b++)
            assert_string_not_equal(signal_name((enum signal)a), signal_name((enum signal)b));
    }
    assert_string_equal(signal_name(SIGNAL_COUNT), "?");
    assert_string_equal(signal_lamp_name(SIGNAL_LAMP_AMBER), "amber");
    assert_string_equal(signal_lamp_name(SIGNAL_LAMP_COUNT), "?");
}

static void rows_that_cannot_be_are_refused(void **state)
{
    (void)state;
    static const struct {
        enum signal signal;
        struct signal_pattern pattern;
        const char *about; /* NULL: fine */
    } rows[] = {
        {SIGNAL_OPEN, {5000, 0, 3, SIGNAL_LAMP_GREEN, 60000, 5000}, NULL},
        {SIGNAL_OPEN, {5001, 0, 1, SIGNAL_LAMP_GREEN, 1, 0}, "tone_on_ms"},
        {SIGNAL_OPEN, {-1, 0, 1, SIGNAL_LAMP_GREEN, 1, 0}, "tone_on_ms"},
        {SIGNAL_ALARM, {1, 600001, 0, SIGNAL_LAMP_RED, 0, 0}, "tone_off_ms"},
        {SIGNAL_ALARM, {1, 600000, 0, SIGNAL_LAMP_RED, 0, 0}, NULL},
        {SIGNAL_OPEN, {100, 100, 21, SIGNAL_LAMP_GREEN, 1, 0}, "repeats"},
        {SIGNAL_OPEN, {100, 100, 0, SIGNAL_LAMP_GREEN, 1, 0}, "said once"},
        {SIGNAL_OPEN, {0, 0, 0, SIGNAL_LAMP_GREEN, 1, 0}, NULL},
        {SIGNAL_OPEN, {100, 0, 1, SIGNAL_LAMP_GREEN, 0, 0}, "lamp_ms"},
        {SIGNAL_OPEN, {100, 0, 1, SIGNAL_LAMP_NONE, 0, 0}, NULL},
        {SIGNAL_OPEN, {100, 0, 1, SIGNAL_LAMP_COUNT, 100, 0}, "green"},
        {SIGNAL_OPEN, {100, 0, 1, SIGNAL_LAMP_GREEN, 60001, 0}, "60000"},
        {SIGNAL_OPEN, {100, 0, 1, SIGNAL_LAMP_GREEN, 100, 49}, "blink_ms"},
        {SIGNAL_OPEN, {100, 0, 1, SIGNAL_LAMP_GREEN, 100, 5001}, "blink_ms"},
        {SIGNAL_OPEN, {1000, 1001, 8, SIGNAL_LAMP_GREEN, 100, 0}, "15000"},
        {SIGNAL_OPEN, {1000, 875, 8, SIGNAL_LAMP_GREEN, 100, 0}, NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *fault = signal_pattern_fault(rows[i].signal, &rows[i].pattern);
        if (rows[i].about == NULL ? fault != NULL : fault == NULL || strstr(fault, rows[i].about) == NULL)
            fail_msg("row %zu: %s", i, fault == NULL ? "no fault" : fault);
    }
}

/* Each millisecond against the plain meaning of a row, and no change that signal_next_us() didn't tell. */
static void tones_and_lamps_follow_their_row(void **state)
{
    (void)state;
    for (int s = SIGNAL_NONE; s < SIGNAL_COUNT; s++) {
        const struct signal_pattern *p = &patterns[s];
        int period_ms = p->tone_on_ms + p->tone_off_ms;
        int64_t next_us = 0;
        bool tone = false;
        enum signal_lamp lamp = SIGNAL_LAMP_NONE;
        for (int ms = 0; ms < 70000; ms++) {
            bool sounds =
                p->tone_on_ms > 0 && (p->repeats == 0 || ms < period_ms * p->repeats) && ms % period_ms < p->tone_on_ms;
            bool shines = (p->lamp_ms == 0 || ms < p->lamp_ms) && (p->blink_ms == 0 || ms % (2 * p->blink_ms) < p->blink_ms);
            assert_int_equal(signal_tone(p, MS(ms)), sounds);
            assert_int_equal(signal_lamp(p, MS(ms)), shines ? p->lamp : SIGNAL_LAMP_NONE);
            if (MS(ms) < next_us) {
                assert_int_equal(signal_tone(p, MS(ms)), tone);
                assert_int_equal(signal_lamp(p, MS(ms)), lamp);
            } else {
                next_us = signal_next_us(p, MS(ms));
                assert_true(next_us > MS(ms));
                assert_true(signal_lasts((enum signal)s) || ms < 20000 || next_us == INT64_MAX); /* what is said once ends */
            }
            tone = signal_tone(p, MS(ms));
            lamp = signal_lamp(p, MS(ms));
        }
    }
}

int main(void)
{
    const struct CMUnitTest signals[] = {
        cmocka_unit_test(every_reason_has_a_signal_that_fits_its_action), cmocka_unit_test(defaults_are_different_by_ear),
        cmocka_unit_test(a_cause_without_a_row_is_said_as_unreadable),
        cmocka_unit_test(alike_means_count_and_lengths), cmocka_unit_test(every_signal_has_a_name_and_a_row_without_fault),
        cmocka_unit_test(rows_that_cannot_be_are_refused), cmocka_unit_test(tones_and_lamps_follow_their_row),
    };
    return cmocka_run_group_tests(signals, defaults, NULL);
}
