/* What the lane does to its wires and around them: wiring and directions, lanes without a sensor or a relay, the beginning
 * and the end of the program, a new configuration, inputs that can't be. */
#include "lane_drive.h"

#include <errno.h>

static void begin(struct drive *d)
{
    const struct lane_settings settings = drive_settings();
    drive_begin(d, &settings, &all_quiet);
}

/* ---- wires ------------------------------------------------------------------------------------------------------- */

static void fail_safe_turns_the_wire_round_and_nothing_else(void **state)
{
    (void)state;
    for (int fail_safe = 0; fail_safe <= 1; fail_safe++) {
        struct lane_settings settings = drive_settings();
        struct drive d;
        settings.wiring = fail_safe ? LANE_FAIL_SAFE : LANE_FAIL_SECURE;
        drive_begin(&d, &settings, &all_quiet);
        assert_int_equal(drive_output(&d, LANE_RELAY), fail_safe);
        drive_grant(&d, "a");
        assert_int_equal(drive_output(&d, LANE_RELAY), !fail_safe);
        drive_wait(&d, MS(300));
        assert_int_equal(drive_output(&d, LANE_RELAY), fail_safe);
        (void)drive_level(&d, LANE_IN_FIRE, true);
        assert_int_equal(drive_output(&d, LANE_RELAY), !fail_safe);
        assert_false(drive_output(&d, LANE_RELAY_OUT)); /* not wired, not turned round */
        lane_stop(&d.lane, d.now_us);
        assert_false(drive_output(&d, LANE_RELAY)); /* inactive: what the wiring means by it */
    }
}

static void each_direction_has_its_relay_and_both_hold_open(void **state)
{
    (void)state;
    struct lane_settings settings = drive_settings();
    struct drive d;
    settings.two_directions = true;
    drive_begin(&d, &settings, &all_quiet);
    drive_grant(&d, "in");
    assert_true(drive_output(&d, LANE_RELAY));
    assert_false(drive_output(&d, LANE_RELAY_OUT));
    drive_turn(&d);
    drive_wait(&d, MS(1000));
    (void)drive(&d, (struct lane_input){.kind = LANE_IN_VERDICT, .verdict = {VERDICT_OPEN, REASON_EXIT_OPEN, STATUS_NONE},
                                        .event_id = "out", .direction = DIRECTION_OUT});
    assert_false(drive_output(&d, LANE_RELAY));
    assert_true(drive_output(&d, LANE_RELAY_OUT));
    drive_turn(&d);
    (void)drive_command(&d, LANE_IN_HOLD_OPEN);
    assert_true(drive_output(&d, LANE_RELAY));
    assert_true(drive_output(&d, LANE_RELAY_OUT));
    assert_effects(&d, "completed in; completed out; begin hold_open");
}

static void without_a_sensor_a_grant_ends_quietly(void **state)
{
    (void)state;
    struct lane_settings settings = drive_settings();
    struct drive d;
    settings.has_sensor = false;
    drive_begin(&d, &settings, &all_quiet);
    drive_grant(&d, "a");
    drive_grant(&d, "b");
    drive_arm(&d, true); /* there is no such input */
    drive_wait(&d, MS(100000));
    assert_effects(&d, "");
    assert_int_equal(d.opened, 2);
    assert_int_equal(d.open_us, MS(600));
    assert_int_equal(d.lane.phase, LANE_CLOSED);
    drive_grant(&d, "c");
    (void)drive_level(&d, LANE_IN_FIRE, true); /* in mid-pulse: they may not have gone */
    assert_effects(&d, "begin emergency_release; muster; interrupted c");
    (void)drive_level(&d, LANE_IN_FIRE, false);
    (void)drive_command(&d, LANE_IN_FIRE_RESET);
    drive_wait(&d, MS(1000));
    drive_forget(&d);
    drive_grant(&d, "e");
    drive_wait(&d, MS(301));
    (void)drive_level(&d, LANE_IN_FIRE, true); /* after the pulse: they may have */
    assert_effects(&d, "begin emergency_release; muster");
}

static void a_checkpoint_has_lamps_and_the_same_effects(void **state)
{
    (void)state;
    struct lane_settings settings = drive_settings();
    struct drive d;
    settings.has_relay = settings.has_sensor = false;
    drive_begin(&d, &settings, &all_quiet);
    drive_grant(&d, "a");
    assert_true(drive_output(&d, LANE_LAMP_GREEN));
    assert_true(drive_output(&d, LANE_BUZZER));
    drive_wait(&d, MS(3000));
    drive_hold(&d, "h");
    assert_true(drive_output(&d, LANE_LAMP_AMBER));
    drive_press(&d, "p");
    assert_true(drive_output(&d, LANE_LAMP_GREEN));
    drive_button(&d, true, "q");
    drive_wait(&d, MS(3000));
    (void)drive_level(&d, LANE_IN_FIRE, true);
    drive_wait(&d, MS(1000));
    assert_effects(&d, "override p for h; override q; begin hold_open; begin emergency_release; muster");
    assert_int_equal(d.opened, 0);
    assert_false(drive_output(&d, LANE_RELAY));
}

/* ---- beginning, end, change -------------------------------------------------------------------------------------- */

static void a_start_takes_levels_as_they_are(void **state)
{
    (void)state;
    const struct lane_settings settings = drive_settings();
    const struct lane_at_start all = {true, true, true, true, true}, two = {.button = true, .sensor = true};
    struct drive d;
    drive_begin(&d, &settings, &all);
    assert_effects(&d, "begin emergency_release; muster; begin tamper; begin out_of_order");
    drive_begin(&d, &settings, &two);
    drive_wait(&d, MS(9999));
    assert_effects(&d, "");
    assert_int_equal(d.opened, 0);
    drive_wait(&d, MS(20001));
    assert_effects(&d, "begin held; begin button_stuck");
    drive_arm(&d, false);
    drive_button(&d, false, "");
    drive_press(&d, "p");
    assert_effects(&d, "end held; end button_stuck; override p");
    assert_int_equal(d.opened, 1);
}

static void the_end_is_inactive_and_final(void **state)
{
    (void)state;
    struct drive d;
    begin(&d);
    drive_grant(&d, "a");
    drive_grant(&d, "b");
    drive_press(&d, "p");
    drive_forget(&d);
    lane_stop(&d.lane, d.now_us);
    lane_stop(&d.lane, d.now_us);
    drive_take(&d);
    assert_effects(&d, "interrupted a; interrupted b; interrupted p");
    for (int i = 0; i < LANE_OUTPUT_COUNT; i++)
        assert_false(drive_output(&d, (enum lane_output)i));
    assert_int_equal(lane_next_us(&d.lane, d.now_us), INT64_MAX);
    assert_false(lane_can_open(&d.lane, 0));
    assert_int_equal(drive_level(&d, LANE_IN_FIRE, true), -ESHUTDOWN);
    assert_effects(&d, "");
}

static void a_new_configuration_drops_no_passage(void **state)
{
    (void)state;
    struct lane_settings settings = drive_settings(), other;
    struct drive d;
    drive_begin(&d, &settings, &all_quiet);
    drive_grant(&d, "a");
    drive_grant(&d, "b");
    drive_wait(&d, MS(100));
    settings.pulse_ms = 1000;
    settings.passage_wait_ms = 8000;
    assert_true(lane_reconfigure(&d.lane, &settings));
    drive_wait(&d, MS(200));
    assert_false(d.open); /* the pulse that ran */
    drive_turn(&d);
    drive_wait(&d, MS(1000));
    assert_int_equal(d.open_us, MS(1300));
    drive_wait(&d, MS(6999));
    assert_effects(&d, "completed a");
    drive_wait(&d, MS(1));
    assert_effects(&d, "not_used b");
    for (int i = 0; i < 4; i++) {
        other = settings;
        other.pulse_ms = 123;
        other.has_relay = i == 0 ? !settings.has_relay : settings.has_relay;
        other.has_sensor = i == 1 ? !settings.has_sensor : settings.has_sensor;
        other.two_directions = i == 2 ? !settings.two_directions : settings.two_directions;
        other.wiring = i == 3 ? LANE_FAIL_SAFE : settings.wiring;
        assert_false(lane_reconfigure(&d.lane, &other));
        assert_int_equal(d.lane.settings.pulse_ms, 1000);
    }
}

static void inputs_that_cannot_be_change_nothing(void **state)
{
    (void)state;
    struct drive d;
    begin(&d);
    assert_int_equal(drive(&d, (struct lane_input){.kind = LANE_INPUT_COUNT}), -EINVAL);
    assert_int_equal(drive_fault(&d, LANE_FAULT_COUNT, true), -EINVAL);
    assert_int_equal(drive(&d, (struct lane_input){.kind = LANE_IN_FAULT, .fault = (enum lane_fault)-1, .on = true}), -EINVAL);
    drive_grant(&d, "a-longer-event-id-than-there-can-ever-be");
    drive_wait(&d, MS(5000));
    assert_effects(&d, "not_used a-longer-event-id-than-there-can");
    drive_hold(&d, NULL);
    drive_button(&d, true, NULL);
    assert_effects(&d, "override ");
    assert_int_equal(d.lane.mode, LANE_NORMAL);
}

static void an_input_older_than_the_last_counts_as_now(void **state)
{
    (void)state;
    struct drive d;
    begin(&d);
    drive_wait(&d, MS(10000));
    const struct lane_input late = {.kind = LANE_IN_VERDICT, .at_us = MS(1000), .event_id = "a",
                                    .verdict = {VERDICT_OPEN, REASON_STATUS_GREEN, STATUS_GREEN}};
    assert_int_equal(lane_input(&d.lane, &late), 0);
    drive_take(&d);
    drive_wait(&d, MS(4999));
    assert_effects(&d, "");
    drive_wait(&d, MS(1));
    assert_effects(&d, "not_used a");
}

static void hints_are_quiet_while_something_is_said(void **state)
{
    (void)state;
    struct drive d;
    begin(&d);
    drive_grant(&d, "a");
    for (int i = 0; i < 19; i++) {
        drive_wait(&d, MS(100));
        (void)drive_command(&d, LANE_IN_MUST_WAIT);
        assert_int_equal(d.lane.said.signal, SIGNAL_OPEN);
    }
    drive_wait(&d, MS(101));
    (void)drive_command(&d, LANE_IN_MUST_WAIT);
    assert_int_equal(d.lane.said.signal, SIGNAL_WAIT);
    drive_wait(&d, MS(20000));
    for (int i = 0; i < 100; i++) { /* seen now and then is not held there unreadable */
        drive_wait(&d, MS(701));
        (void)drive_command(&d, LANE_IN_UNREADABLE);
        assert_int_equal(d.lane.said.signal, SIGNAL_WAIT);
    }
    for (int i = 0; i < 5; i++) {
        drive_wait(&d, MS(600));
        assert_int_equal(d.lane.said.signal, SIGNAL_WAIT);
        (void)drive_command(&d, LANE_IN_UNREADABLE);
    }
    assert_int_equal(d.lane.said.signal, SIGNAL_UNREADABLE);
}

static enum signal said_for(struct drive *d, const enum signal *hints, int count, int sightings)
{
    drive_wait(d, MS(20000)); /* what was said is over, and what was seen is forgotten */
    for (int i = 0; i < sightings; i++) {
        drive_wait(d, MS(100));
        assert_int_equal(drive(d, (struct lane_input){.kind = LANE_IN_UNREADABLE, .hint = hints[i % count]}), 0);
    }
    return d->lane.said.started_at_us == d->now_us ? d->lane.said.signal : SIGNAL_NONE;
}

static void the_cause_seen_most_is_said(void **state)
{
    (void)state;
    struct drive d;
    struct lane_settings settings = drive_settings();
    settings.patterns[SIGNAL_TOO_FAR] = (struct signal_pattern){60, 120, 5, SIGNAL_LAMP_AMBER, 1500, 0};
    settings.patterns[SIGNAL_MOVING] = (struct signal_pattern){0, 0, 0, SIGNAL_LAMP_RED, 1500, 0};
    static const struct {
        enum signal hints[4], said;
    } rows[] = {
        {{SIGNAL_TOO_FAR, SIGNAL_TOO_FAR, SIGNAL_TOO_FAR, SIGNAL_TOO_FAR}, SIGNAL_TOO_FAR},
        {{SIGNAL_MOVING, SIGNAL_TOO_FAR, SIGNAL_MOVING, SIGNAL_UNREADABLE}, SIGNAL_MOVING},
        {{SIGNAL_TOO_FAR, SIGNAL_UNREADABLE, SIGNAL_UNREADABLE, SIGNAL_UNREADABLE}, SIGNAL_UNREADABLE},
        {{SIGNAL_GLARE, SIGNAL_GLARE, SIGNAL_GLARE, SIGNAL_TOO_FAR}, SIGNAL_UNREADABLE}, /* glare has no row here */
        {{SIGNAL_OPEN, SIGNAL_OPEN, SIGNAL_EMERGENCY, (enum signal)99}, SIGNAL_UNREADABLE}, /* no hints */
    };
    drive_begin(&d, &settings, &all_quiet);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(said_for(&d, rows[i].hints, 4, 31), rows[i].said);
    /* As many of one as of the other: the one that a person can do something about. */
    static const enum signal draw[] = {SIGNAL_UNREADABLE, SIGNAL_MOVING};
    settings.unreadable_ms = 1900;
    assert_true(lane_reconfigure(&d.lane, &settings));
    assert_int_equal(said_for(&d, draw, 2, 20), SIGNAL_MOVING);
    /* Said, and again when it lasts as long again: what was seen before counts no more. */
    static const enum signal far[] = {SIGNAL_TOO_FAR}, moving[] = {SIGNAL_MOVING};
    settings.patterns[SIGNAL_TOO_FAR].lamp_ms = 1000;
    settings.unreadable_ms = 3000;
    assert_true(lane_reconfigure(&d.lane, &settings));
    assert_int_equal(said_for(&d, far, 1, 31), SIGNAL_TOO_FAR);
    for (int i = 0; i < 31; i++) {
        drive_wait(&d, MS(100));
        (void)drive(&d, (struct lane_input){.kind = LANE_IN_UNREADABLE, .hint = moving[0]});
    }
    assert_int_equal(d.lane.said.signal, SIGNAL_MOVING);
    assert_int_equal(d.lane.said.started_at_us, d.now_us);
}

/* ---- an operator's commands -------------------------------------------------------------------------------------- */

static int open_by_command(struct drive *d, const char *event_id)
{
    return drive(d, (struct lane_input){.kind = LANE_IN_OPEN, .event_id = event_id, .direction = DIRECTION_IN});
}

static void an_operators_opening_is_one_turn_of_its_own(void **state)
{
    const struct lane_settings settings = drive_settings();
    struct drive d;
    (void)state;
    drive_begin(&d, &settings, &all_quiet);
    drive_hold(&d, "r");
    drive_forget(&d);
    assert_int_equal(open_by_command(&d, "c1"), 0);
    assert_effects(&d, ""); /* its row is on disk already */
    assert_int_equal(d.opened, 1);
    drive_turn(&d);
    assert_effects(&d, "completed c1");
    drive_wait(&d, MS(500));
    drive_press(&d, "p"); /* who was held before is still the guard's */
    assert_effects(&d, "override p for r");
    drive_wait(&d, MS(6000));
    assert_effects(&d, "not_used p");
    assert_int_equal(open_by_command(&d, "c2"), 0);
    drive_wait(&d, MS(6000));
    assert_effects(&d, "not_used c2");
    assert_int_equal(d.opened, 3);
}

static void openings_from_afar_have_bounds_and_are_refused_before_anything_changes(void **state)
{
    const struct lane_settings settings = drive_settings();
    struct drive d;
    struct lane before;
    (void)state;
    drive_begin(&d, &settings, &all_quiet);
    for (int i = 0; i < 1 + LANE_OVERRIDES_WAITING_MAX; i++)
        assert_int_equal(open_by_command(&d, "c"), 0);
    const struct lane_input again = {.kind = LANE_IN_OPEN, .at_us = d.now_us, .event_id = "c"};
    before = d.lane;
    assert_int_equal(lane_would(&d.lane, &again), -EBUSY);
    assert_memory_equal(&before, &d.lane, sizeof before);
    assert_int_equal(open_by_command(&d, "c"), -EBUSY);
    assert_effects(&d, "");
    drive_begin(&d, &settings, &all_quiet);
    assert_int_equal(drive_level(&d, LANE_IN_SERVICE, true), 0);
    assert_int_equal(open_by_command(&d, "c"), -EPERM);
    assert_int_equal(drive_level(&d, LANE_IN_SERVICE, false), 0);
    assert_int_equal(drive_command(&d, LANE_IN_HOLD_OPEN), 0);
    assert_int_equal(drive_level(&d, LANE_IN_SERVICE, true), 0);
    assert_int_equal(open_by_command(&d, "c"), -EPERM);
    const struct lane_input too_long = {.kind = LANE_IN_HOLD_OPEN, .at_us = d.now_us, .hold_open_s = 3601};
    assert_int_equal(lane_would(&d.lane, &too_long), -ERANGE);
}

int main(void)
{
    const struct CMUnitTest lane_wires[] = {
        cmocka_unit_test(fail_safe_turns_the_wire_round_and_nothing_else),
        cmocka_unit_test(each_direction_has_its_relay_and_both_hold_open),
        cmocka_unit_test(without_a_sensor_a_grant_ends_quietly),
        cmocka_unit_test(a_checkpoint_has_lamps_and_the_same_effects),
        cmocka_unit_test(a_start_takes_levels_as_they_are),
        cmocka_unit_test(the_end_is_inactive_and_final),
        cmocka_unit_test(a_new_configuration_drops_no_passage),
        cmocka_unit_test(inputs_that_cannot_be_change_nothing),
        cmocka_unit_test(an_input_older_than_the_last_counts_as_now),
        cmocka_unit_test(hints_are_quiet_while_something_is_said),
        cmocka_unit_test(the_cause_seen_most_is_said),
        cmocka_unit_test(an_operators_opening_is_one_turn_of_its_own),
        cmocka_unit_test(openings_from_afar_have_bounds_and_are_refused_before_anything_changes),
    };
    return cmocka_run_group_tests(lane_wires, NULL, NULL);
}
