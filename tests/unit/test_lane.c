/* The lane's rules: one pulse for one grant, bounded, never for a failed journal; the button's binding; signals by verdict. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/lane/lane.h"

#define MS(n) ((int64_t)(n) * 1000)
static const struct lane_settings timing = {.pulse_ms = 300, .pulse_gap_ms = 200, .debounce_ms = 30, .button_binding_ms = 15000};
static const struct verdict open_verdict = {VERDICT_OPEN, REASON_STATUS_GREEN, STATUS_GREEN};
static const struct verdict hold_verdict = {VERDICT_HOLD, REASON_STATUS_YELLOW, STATUS_YELLOW};
static const struct verdict deny_verdict = {VERDICT_DENY, REASON_STATUS_RED, STATUS_RED};

static bool level(struct lane *lane, enum lane_output output, int64_t now_us)
{
    bool levels[LANE_OUTPUT_COUNT];
    lane_outputs(lane, now_us, levels);
    return levels[output];
}

/* Follows the lane's own deadlines to `until_us`; counts rising edges and the time on of the relay. */
static int follow(struct lane *lane, int64_t *now_us, int64_t until_us, int64_t *ret_on_us)
{
    int edges = 0;
    bool on = level(lane, LANE_RELAY, *now_us);
    edges += on;
    while (*now_us < until_us) {
        int64_t next_us = lane_next_us(lane, *now_us);
        assert_true(next_us > *now_us); /* never a spin */
        if (next_us > until_us)
            next_us = until_us;
        if (on)
            *ret_on_us += next_us - *now_us;
        *now_us = next_us;
        bool now_on = level(lane, LANE_RELAY, *now_us);
        edges += now_on && !on;
        on = now_on;
    }
    return edges;
}

static void nothing_moves_at_start(void **state)
{
    (void)state;
    struct lane lane;
    lane_init(&lane, &timing);
    for (int i = 0; i < LANE_OUTPUT_COUNT; i++)
        assert_false(level(&lane, (enum lane_output)i, MS(1)));
    assert_int_equal(lane_next_us(&lane, MS(1)), INT64_MAX);
}

static void a_grant_is_one_pulse_of_its_length(void **state)
{
    (void)state;
    struct lane lane;
    int64_t now_us = MS(1000), on_us = 0;
    lane_init(&lane, &timing);
    lane_verdict(&lane, &open_verdict, "a", now_us);
    assert_int_equal(follow(&lane, &now_us, MS(5000), &on_us), 1);
    assert_int_equal(on_us, MS(300));
}

static void two_grants_are_two_pulses_with_a_gap(void **state)
{
    (void)state;
    struct lane lane;
    int64_t now_us = MS(1000), on_us = 0;
    lane_init(&lane, &timing);
    lane_verdict(&lane, &open_verdict, "a", now_us);
    (void)level(&lane, LANE_RELAY, now_us);
    lane_verdict(&lane, &open_verdict, "b", now_us + MS(10));
    now_us += MS(10);
    assert_int_equal(follow(&lane, &now_us, MS(5000), &on_us), 2);
    assert_int_equal(on_us, MS(590));
    assert_false(level(&lane, LANE_RELAY, now_us));
}

static void hold_and_denial_never_open(void **state)
{
    (void)state;
    struct lane lane;
    const struct verdict failed = {VERDICT_OPEN, REASON_JOURNAL_FAILED, STATUS_GREEN}; /* even if one said open */
    const struct verdict *verdicts[] = {&hold_verdict, &deny_verdict, &failed};
    for (size_t i = 0; i < 3; i++) {
        int64_t now_us = MS(1000), on_us = 0;
        lane_init(&lane, &timing);
        lane_verdict(&lane, verdicts[i], "a", now_us);
        assert_int_equal(follow(&lane, &now_us, MS(20000), &on_us), 0);
    }
}

static void button_is_bound_to_the_person_refused_before(void **state)
{
    (void)state;
    struct lane lane;
    char bound[LANE_EVENT_ID_BYTES];
    lane_init(&lane, &timing);
    lane_button(&lane, MS(1), bound);
    assert_string_equal(bound, "");
    lane_verdict(&lane, &hold_verdict, "held-1", MS(10000));
    lane_button(&lane, MS(10000 + 15000), bound);
    assert_string_equal(bound, "held-1");
    lane_button(&lane, MS(10000 + 15000), bound); /* once */
    assert_string_equal(bound, "");
    lane_verdict(&lane, &deny_verdict, "denied-2", MS(30000));
    lane_button(&lane, MS(30000 + 15001), bound); /* too late */
    assert_string_equal(bound, "");
    lane_verdict(&lane, &hold_verdict, "held-3", MS(50000));
    lane_verdict(&lane, &open_verdict, "granted", MS(51000)); /* somebody else went through */
    lane_button(&lane, MS(52000), bound);
    assert_string_equal(bound, "");
}

static void the_guard_always_has_a_place(void **state)
{
    (void)state;
    struct lane lane;
    char bound[LANE_EVENT_ID_BYTES];
    int64_t now_us = MS(1), on_us = 0;
    int grants = 0;
    lane_init(&lane, &timing);
    while (lane_can_open(&lane)) {
        lane_verdict(&lane, &open_verdict, "x", now_us);
        grants++;
    }
    lane_button(&lane, now_us, bound);
    assert_int_equal(follow(&lane, &now_us, MS(20000), &on_us), grants + 1);
}

static void out_of_order_is_a_red_lamp(void **state)
{
    (void)state;
    struct lane lane;
    lane_init(&lane, &timing);
    lane_set_out_of_order(&lane, true);
    assert_true(level(&lane, LANE_LAMP_RED, MS(1)));
    lane_set_out_of_order(&lane, false);
    assert_false(level(&lane, LANE_LAMP_RED, MS(2)));
}

static void every_reason_has_a_signal_that_fits_its_action(void **state)
{
    (void)state;
    for (int reason = 0; reason < REASON_COUNT; reason++)
        for (int action = 0; action < VERDICT_ACTION_COUNT; action++) {
            struct verdict v = {(enum verdict_action)action, (enum reason)reason, STATUS_NONE};
            enum signal s = signal_for_verdict(&v);
            assert_int_not_equal(s, SIGNAL_NONE);
            /* nothing recorded, nothing opened: see hold_and_denial_never_open */
            assert_int_equal(s == SIGNAL_OPEN, action == VERDICT_OPEN && reason != REASON_JOURNAL_FAILED);
            assert_int_equal(s == SIGNAL_HOLD, action == VERDICT_HOLD && reason != REASON_JOURNAL_FAILED);
        }
    struct verdict unknown = {VERDICT_DENY, REASON_COUNT, STATUS_NONE};
    assert_int_equal(signal_for_verdict(&unknown), SIGNAL_FAILURE);
}

/* What a person does next differs: show your own code, come back later, wait for the guard. */
static void denials_are_told_apart(void **state)
{
    (void)state;
    static const struct {
        enum reason reason;
        enum signal signal;
    } rows[] = {
        {REASON_PLACE_CODE, SIGNAL_PLACE_CODE}, {REASON_LANE_LOCKED, SIGNAL_LOCKED},
        {REASON_OUTSIDE_SCHEDULE, SIGNAL_NOT_NOW}, {REASON_ANTIPASSBACK_TIME, SIGNAL_NOT_NOW},
        {REASON_ANTIPASSBACK_PRESENCE, SIGNAL_NOT_NOW}, {REASON_OCCUPANCY_FULL, SIGNAL_NOT_NOW},
        {REASON_TOKEN_REVOKED, SIGNAL_FORGED}, {REASON_KEY_NOT_VALID, SIGNAL_FORGED},
        {REASON_TOKEN_REPLAYED, SIGNAL_EXPIRED}, {REASON_TOKEN_OUT_OF_STEP, SIGNAL_EXPIRED},
        {REASON_STATUS_RED, SIGNAL_DENY}, {REASON_STATUS_WHITE, SIGNAL_DENY}, {REASON_CERTIFICATE_RULE, SIGNAL_DENY},
        {REASON_IDENTITY_CONFLICT, SIGNAL_DENY}, {REASON_NUMBER_MASKED, SIGNAL_WRONG_CODE},
        {REASON_CODE_UNSUPPORTED, SIGNAL_WRONG_CODE}, {REASON_JOURNAL_FAILED, SIGNAL_FAILURE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct verdict v = {VERDICT_DENY, rows[i].reason, STATUS_NONE};
        assert_int_equal(signal_for_verdict(&v), rows[i].signal);
    }
}

static void names_of_patterns_differ(void **state)
{
    (void)state;
    for (int a = 0; a < SIGNAL_COUNT; a++)
        for (int b = 0; b < a; b++)
            assert_string_not_equal(signal_pattern((enum signal)a)->name, signal_pattern((enum signal)b)->name);
    assert_ptr_equal(signal_pattern(SIGNAL_COUNT), signal_pattern(SIGNAL_NONE));
}

static void patterns_are_different_by_ear(void **state)
{
    (void)state;
    for (int a = SIGNAL_OPEN; a < SIGNAL_COUNT; a++)
        for (int b = a + 1; b < SIGNAL_COUNT; b++) {
            const struct signal_pattern *p = signal_pattern((enum signal)a), *q = signal_pattern((enum signal)b);
            bool count = p->repeats != q->repeats, length = p->tone_on_ms * 3 <= q->tone_on_ms * 2 || q->tone_on_ms * 3 <= p->tone_on_ms * 2;
            if (!count && !length)
                fail_msg("%s and %s sound alike", p->name, q->name);
        }
}

static void tones_follow_their_row(void **state)
{
    (void)state;
    for (int s = SIGNAL_OPEN; s < SIGNAL_COUNT; s++) {
        const struct signal_pattern *p = signal_pattern((enum signal)s);
        struct signal_player player;
        int64_t on_us = 0, now_us = MS(7);
        int tones = 0;
        bool was = false;
        signal_start(&player, (enum signal)s, now_us);
        for (int i = 0; i < 20000; i++, now_us += 1000) {
            bool on = signal_tone(&player, now_us);
            on_us += on ? 1000 : 0;
            tones += on && !was;
            was = on;
        }
        assert_int_equal(on_us, MS(p->tone_on_ms * p->repeats));
        assert_int_equal(tones, p->repeats);
        assert_int_equal(signal_next_us(&player, now_us), INT64_MAX);
    }
}

int main(void)
{
    const struct CMUnitTest lane[] = {
        cmocka_unit_test(nothing_moves_at_start), cmocka_unit_test(a_grant_is_one_pulse_of_its_length),
        cmocka_unit_test(two_grants_are_two_pulses_with_a_gap), cmocka_unit_test(hold_and_denial_never_open),
        cmocka_unit_test(button_is_bound_to_the_person_refused_before), cmocka_unit_test(the_guard_always_has_a_place),
        cmocka_unit_test(out_of_order_is_a_red_lamp), cmocka_unit_test(every_reason_has_a_signal_that_fits_its_action),
        cmocka_unit_test(denials_are_told_apart), cmocka_unit_test(names_of_patterns_differ),
        cmocka_unit_test(patterns_are_different_by_ear), cmocka_unit_test(tones_follow_their_row),
    };
    return cmocka_run_group_tests_name("lane", lane, NULL, NULL);
}
