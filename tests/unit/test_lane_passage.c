/* One person's way through the lane: pulses, turns, who goes next, the arm, the guard's button. */
#include "lane_drive.h"

#include <errno.h>

static void begin(struct drive *d)
{
    const struct lane_settings settings = drive_settings();
    drive_begin(d, &settings, &all_quiet);
}

/* ---- a passage --------------------------------------------------------------------------------------------------- */

static void a_grant_is_one_pulse_and_not_used_after_the_wait(void **state)
{
    (void)state;
    struct drive d;
    begin(&d);
    drive_grant(&d, "a");
    drive_wait(&d, MS(4999));
    assert_effects(&d, "");
    assert_true(drive_output(&d, LANE_LAMP_GREEN)); /* as long as it may be used */
    drive_wait(&d, MS(1));
    assert_effects(&d, "not_used a");
    assert_false(drive_output(&d, LANE_LAMP_GREEN));
    drive_wait(&d, MS(60000));
    assert_effects(&d, "");
    assert_int_equal(d.opened, 1);
    assert_int_equal(d.open_us, MS(300));
}

static void a_pulse_and_its_wait_count_from_the_wires_edge(void **state)
{
    (void)state;
    struct drive d;
    const struct {
        int before_ms, after_ms, shift_ms;
    } lates[] = {{40, 45, 45}, {0, 700, 700}, {900, 2500, 900 + LANE_RELAY_LATE_MAX_MS}, {-5, 0, 0}};
    for (size_t i = 0; i < sizeof lates / sizeof *lates; i++) {
        begin(&d);
        const int64_t granted_us = d.now_us;
        drive_grant(&d, "a");
        assert_true(lane_relay_opens(&d.lane, granted_us + MS(lates[i].before_ms)));
        lane_relay_moved(&d.lane, granted_us + MS(lates[i].after_ms));
        assert_int_equal(lane_relay_until_us(&d.lane), granted_us + MS(300 + lates[i].shift_ms));
        drive_wait(&d, MS(4999 + lates[i].shift_ms));
        assert_int_equal(d.open_us, MS(300 + lates[i].shift_ms));
        assert_effects(&d, "");
        lane_relay_moved(&d.lane, d.now_us); /* its pulse is over: nothing */
        drive_wait(&d, MS(1));
        assert_effects(&d, "not_used a");
        assert_int_equal(d.opened, 1);
    }
}

/* With a sensor or without, by pulse or by level: who was never let in is not booked inside. */
static void what_is_opened_too_late_is_not_opened(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < 4; kind++) {
        struct lane_settings settings = drive_settings();
        struct drive d;
        settings.has_sensor = kind % 2 == 0;
        settings.relay_level = kind / 2 == 1;
        drive_begin(&d, &settings, &all_quiet);
        const int64_t granted_us = d.now_us;
        drive_grant(&d, "a");
        d.now_us = granted_us + MS(LANE_RELAY_LATE_MAX_MS) + 1;
        assert_false(lane_relay_opens(&d.lane, d.now_us));
        drive_take(&d);
        assert_effects(&d, "not_used a");
        assert_false(d.open);
        assert_int_equal(d.lane.said.signal, SIGNAL_FAILURE);
        assert_false(drive_output(&d, LANE_LAMP_GREEN));
        drive_wait(&d, MS(1000));
        drive_grant(&d, "b"); /* and the next one goes */
        assert_true(d.open && lane_relay_opens(&d.lane, d.now_us));
        drive_wait(&d, MS(60000));
        assert_effects(&d, settings.has_sensor ? "not_used b" : "");
    }
    struct drive d;
    begin(&d);
    assert_int_equal(drive_command(&d, LANE_IN_HOLD_OPEN), 0);
    assert_true(lane_relay_opens(&d.lane, d.now_us + MS(5000))); /* who holds it open isn't waiting before it */
}

static void the_arm_turned_is_completed_when_it_rests(void **state)
{
    (void)state;
    struct drive d;
    begin(&d);
    drive_grant(&d, "a");
    drive_wait(&d, MS(4990));
    drive_arm(&d, true);
    drive_wait(&d, MS(2000)); /* beyond the wait: under way is under way */
    assert_effects(&d, "");
    assert_int_equal(d.lane.phase, LANE_TURNING);
    drive_arm(&d, false);
    assert_effects(&d, "completed a");
    assert_int_equal(d.lane.phase, LANE_CLOSED);
}

static void a_turn_told_late_counts_when_it_was_in_time(void **state)
{
    (void)state;
    struct drive d;
    for (int late_ms = 0; late_ms <= 1; late_ms++) {
        begin(&d);
        const int64_t granted_us = d.now_us;
        drive_grant(&d, "a");
        drive_wait(&d, MS(400));
        drive_sleep(&d, MS(7600)); /* the loop is held up; then the edges come, oldest first */
        assert_int_equal(drive(&d, (struct lane_input){.kind = LANE_IN_SENSOR, .on = true,
                                                       .happened_us = granted_us + MS(4999 + late_ms)}), 0);
        assert_int_equal(drive(&d, (struct lane_input){.kind = LANE_IN_SENSOR, .happened_us = granted_us + MS(6000)}), 0);
        assert_effects(&d, late_ms == 0 ? "completed a" : "not_used a; begin forced; end forced");
    }
}

static void a_press_told_late_opens_now_and_keeps_its_time(void **state)
{
    (void)state;
    struct drive d;
    struct lane_effect e;
    begin(&d);
    drive_sleep(&d, MS(8000));
    const struct lane_input press = {.kind = LANE_IN_BUTTON, .at_us = d.now_us, .happened_us = d.now_us - MS(3000), .on = true,
                                     .event_id = "p"};
    assert_int_equal(lane_input(&d.lane, &press), 0);
    assert_true(lane_take_effect(&d.lane, &e));
    assert_int_equal(e.at_us, d.now_us - MS(3000));
    drive_take(&d);
    drive_wait(&d, MS(1000));
    assert_int_equal(d.open_us, MS(300));
}

static void a_turn_ends_its_pulse(void **state)
{
    (void)state;
    struct lane_settings settings = drive_settings();
    struct drive d;
    settings.pulse_ms = 4000;
    drive_begin(&d, &settings, &all_quiet);
    drive_grant(&d, "a");
    drive_wait(&d, MS(500));
    drive_turn(&d);
    assert_false(d.open);
    drive_wait(&d, MS(10000));
    assert_int_equal(d.open_us, MS(1200));
}

static void a_level_relay_stays_until_the_arm_has_turned_or_the_wait_is_over(void **state)
{
    (void)state;
    struct lane_settings settings = drive_settings();
    struct drive d;
    settings.relay_level = true;
    drive_begin(&d, &settings, &all_quiet);
    drive_grant(&d, "a");
    drive_wait(&d, MS(2000));
    drive_turn(&d);
    drive_wait(&d, MS(10000));
    assert_int_equal(d.open_us, MS(2700));
    drive_grant(&d, "b");
    drive_wait(&d, MS(10000));
    assert_int_equal(d.longest_us, MS(5000));
    drive_grant(&d, "c");
    drive_wait(&d, MS(4000));
    drive_arm(&d, true);
    drive_wait(&d, MS(9000)); /* the arm never rests: the relay does */
    assert_false(d.open);
    assert_int_equal(d.longest_us, MS(5000));
}

/* ---- the next one ------------------------------------------------------------------------------------------------ */

static void a_second_grant_waits_for_the_first_turn_and_a_gap(void **state)
{
    (void)state;
    struct drive d;
    begin(&d);
    assert_true(lane_can_open(&d.lane, 0));
    assert_true(lane_can_open(&d.lane, 1)); /* one goes, one waits */
    assert_false(lane_can_open(&d.lane, 2));
    drive_grant(&d, "a");
    assert_true(lane_can_open(&d.lane, 0));
    assert_false(lane_can_open(&d.lane, 1));
    drive_grant(&d, "b");
    assert_false(lane_can_open(&d.lane, 0));
    drive_wait(&d, MS(3000));
    assert_int_equal(d.opened, 1);
    drive_turn(&d);
    assert_effects(&d, "completed a");
    drive_wait(&d, MS(1));
    assert_int_equal(d.opened, 2); /* its pulse and the gap were long over */
    assert_true(lane_can_open(&d.lane, 0));
    drive_turn(&d);
    assert_effects(&d, "completed b");
}

static void two_pulses_have_a_gap_between_them(void **state)
{
    (void)state;
    struct drive d;
    begin(&d);
    drive_grant(&d, "a");
    drive_grant(&d, "b");
    drive_wait(&d, MS(100));
    drive_arm(&d, true);
    drive_wait(&d, MS(50));
    drive_arm(&d, false); /* in mid-pulse, which ends */
    assert_false(d.open);
    drive_wait(&d, MS(199));
    assert_false(d.open);
    drive_wait(&d, MS(1));
    assert_true(d.open);
}

static void who_pushes_in_the_gap_uses_their_own_grant(void **state)
{
    (void)state;
    struct drive d;
    begin(&d);
    drive_grant(&d, "a");
    drive_grant(&d, "b");
    drive_wait(&d, MS(100));
    drive_arm(&d, true);
    drive_wait(&d, MS(50));
    drive_arm(&d, false);
    drive_wait(&d, MS(50));
    drive_turn(&d); /* the gap isn't over */
    drive_wait(&d, MS(20000));
    assert_effects(&d, "completed a; completed b");
    assert_int_equal(d.opened, 1); /* and no pulse comes after it */
}

static void a_grant_too_many_ends_at_once_and_is_told_to_wait(void **state)
{
    (void)state;
    struct drive d;
    begin(&d);
    drive_grant(&d, "a");
    drive_grant(&d, "b");
    drive_grant(&d, "c");
    assert_effects(&d, "not_used c");
    assert_int_equal(d.lane.said.signal, SIGNAL_WAIT);
    drive_press(&d, "p"); /* the guard may let them in */
    assert_effects(&d, "override p for c");
}

static void a_turn_is_one_persons(void **state)
{
    (void)state;
    struct drive d;
    begin(&d);
    drive_grant(&d, "a");
    drive_press(&d, "p");
    drive_turn(&d);
    assert_effects(&d, "override p; completed a");
    drive_wait(&d, MS(6000));
    assert_effects(&d, "not_used p");
}

static void the_guards_presses_wait_before_a_verdict_and_three_at_most(void **state)
{
    (void)state;
    struct drive d;
    begin(&d);
    drive_grant(&d, "a");
    drive_grant(&d, "b");
    drive_press(&d, "p1");
    drive_press(&d, "p2");
    drive_press(&d, "p3");
    assert_effects(&d, "override p1; override p2; override p3");
    drive_press(&d, "p4");
    assert_effects(&d, "override p4; not_used p4");
    for (int i = 0; i < 4; i++) {
        drive_turn(&d);
        drive_wait(&d, MS(300));
    }
    assert_effects(&d, "completed a; completed p1; completed p2; completed p3");
    drive_turn(&d);
    assert_effects(&d, "completed b");
}

static void who_waited_too_long_is_gone(void **state)
{
    (void)state;
    struct drive d;
    begin(&d);
    drive_grant(&d, "a");
    drive_wait(&d, MS(1000));
    drive_arm(&d, true); /* and stays there, but not so long that it is held */
    drive_grant(&d, "b");
    drive_wait(&d, MS(9999));
    assert_effects(&d, "");
    drive_wait(&d, MS(401)); /* 2 * (5 s + 0.2 s) */
    assert_effects(&d, "begin held; not_used b");
    drive_wait(&d, MS(60000));
    drive_arm(&d, false);
    assert_effects(&d, "completed a; end held");
    drive_wait(&d, MS(60000));
    assert_int_equal(d.opened, 1);
}

static void lock_down_cuts_verdicts_and_leaves_the_guard_and_who_is_under_way(void **state)
{
    (void)state;
    struct drive d;
    begin(&d);
    drive_grant(&d, "a");
    drive_arm(&d, true);
    drive_grant(&d, "b");
    drive_press(&d, "p");
    drive_press(&d, "q");
    assert_int_equal(drive_command(&d, LANE_IN_LOCK_DOWN), 0);
    drive_arm(&d, false);
    assert_effects(&d, "override p; override q; begin lock_down; interrupted b; completed a");
    drive_wait(&d, MS(300));
    assert_int_equal(drive_command(&d, LANE_IN_NORMAL), 0);
    assert_int_equal(drive_command(&d, LANE_IN_LOCK_DOWN), 0); /* while p is granted */
    drive_turn(&d);
    drive_wait(&d, MS(300));
    drive_turn(&d);
    assert_effects(&d, "end lock_down; begin lock_down; completed p; completed q");
}

/* ---- the arm ----------------------------------------------------------------------------------------------------- */

static void forced_and_tailgating(void **state)
{
    (void)state;
    struct drive d;
    begin(&d);
    drive_turn(&d);
    assert_effects(&d, "begin forced; end forced");
    drive_grant(&d, "a");
    drive_turn(&d);
    drive_wait(&d, MS(2000));
    drive_arm(&d, true);
    assert_effects(&d, "completed a; begin tailgating");
    assert_int_equal(d.lane.state.signal, SIGNAL_ALARM);
    drive_arm(&d, false);
    assert_effects(&d, "end tailgating");
    drive_grant(&d, "b");
    drive_turn(&d);
    drive_wait(&d, MS(2001));
    drive_turn(&d);
    assert_effects(&d, "completed b; begin forced; end forced");
}

static void a_forced_turn_under_way_is_not_the_next_ones(void **state)
{
    (void)state;
    struct drive d;
    begin(&d);
    drive_arm(&d, true);
    drive_grant(&d, "a");
    assert_true(d.open);
    drive_arm(&d, false);
    assert_effects(&d, "begin forced; end forced");
    drive_turn(&d);
    assert_effects(&d, "completed a");
}

static void an_arm_held_away_from_rest_is_an_alarm_until_it_rests(void **state)
{
    (void)state;
    struct drive d;
    begin(&d);
    drive_grant(&d, "a");
    drive_arm(&d, true);
    drive_wait(&d, MS(9999));
    assert_effects(&d, "");
    drive_wait(&d, MS(1));
    assert_effects(&d, "begin held");
    assert_false(lane_can_open(&d.lane, 0)); /* nobody gets through there */
    drive_press(&d, "p");                    /* but the guard may know how */
    assert_effects(&d, "override p; interrupted a");
    assert_int_equal(d.opened, 2);
    drive_arm(&d, false);
    assert_effects(&d, "end held");
    drive_turn(&d);
    assert_effects(&d, "completed p");
}

static void held_open_counts_its_turns_and_the_rest_of_one_is_nobodys_fault(void **state)
{
    (void)state;
    struct drive d;
    struct lane_effect e;
    begin(&d);
    assert_int_equal(drive_command(&d, LANE_IN_HOLD_OPEN), 0);
    drive_turn(&d);
    drive_turn(&d);
    drive_grant(&d, "a");
    drive_turn(&d);
    drive_arm(&d, true);
    drive_wait(&d, MS(50000));
    assert_effects(&d, "begin hold_open; completed a");
    const struct lane_input end = {.kind = LANE_IN_NORMAL, .at_us = d.now_us};
    assert_int_equal(lane_input(&d.lane, &end), 0);
    assert_true(lane_take_effect(&d.lane, &e));
    assert_int_equal(e.kind, LANE_ALARM_END);
    assert_int_equal(e.alarm, LANE_ALARM_HOLD_OPEN);
    assert_int_equal(e.turns, 4);
    assert_string_equal(e.detail, "command");
    assert_false(lane_take_effect(&d.lane, &e));
    drive_wait(&d, MS(9999));
    assert_effects(&d, "");
    drive_wait(&d, MS(1));
    assert_effects(&d, "begin held");
    drive_arm(&d, false);
    assert_effects(&d, "end held");
}

static void in_service_the_arm_is_the_technicians_and_the_button_the_guards(void **state)
{
    (void)state;
    struct drive d;
    begin(&d);
    drive_arm(&d, true);
    (void)drive_level(&d, LANE_IN_SERVICE, true);
    assert_effects(&d, "begin forced; begin out_of_order; end forced");
    drive_arm(&d, false);
    drive_turn(&d);
    assert_false(lane_can_open(&d.lane, 0));
    drive_grant(&d, "a");
    assert_effects(&d, "not_used a");
    assert_int_equal(d.opened, 0);
    drive_press(&d, "p");
    assert_effects(&d, "override p for a");
    assert_int_equal(d.opened, 1);
    drive_turn(&d);
    (void)drive_fault(&d, LANE_FAULT_LINE, true);
    (void)drive_level(&d, LANE_IN_SERVICE, false);
    drive_turn(&d);
    (void)drive_fault(&d, LANE_FAULT_LINE, false);
    assert_effects(&d, "completed p; begin tailgating; end tailgating; end out_of_order");
}

/* ---- the button -------------------------------------------------------------------------------------------------- */

static void a_press_answers_the_person_held_before_it_once(void **state)
{
    (void)state;
    struct drive d;
    begin(&d);
    drive_press(&d, "p1");
    drive_wait(&d, MS(20000));
    drive_hold(&d, "h1");
    drive_wait(&d, MS(15000));
    drive_press(&d, "p2");
    drive_press(&d, "p3");
    assert_effects(&d, "override p1; not_used p1; override p2 for h1; override p3");
    drive_wait(&d, MS(20000));
    drive_forget(&d);
    drive_hold(&d, "h2");
    drive_wait(&d, MS(15001));
    drive_press(&d, "p4");
    assert_effects(&d, "override p4");
    drive_wait(&d, MS(20000));
    drive_forget(&d);
    drive_hold(&d, "h3");
    drive_grant(&d, "a"); /* somebody else goes through */
    drive_press(&d, "p5");
    assert_effects(&d, "override p5");
}

static void a_press_tells_who_pressed_and_goes_the_way_of_the_person(void **state)
{
    (void)state;
    struct lane_settings settings = drive_settings();
    struct drive d;
    struct lane_effect e;
    settings.two_directions = true;
    drive_begin(&d, &settings, &all_quiet);
    (void)drive(&d, (struct lane_input){.kind = LANE_IN_VERDICT, .verdict = {VERDICT_HOLD, REASON_STATUS_YELLOW, STATUS_YELLOW},
                                        .event_id = "h", .direction = DIRECTION_OUT});
    const struct lane_input press = {.kind = LANE_IN_BUTTON,
                                     .at_us = d.now_us,
                                     .on = true,
                                     .event_id = "p",
                                     .guard = LANE_GUARD_B,
                                     .direction = DIRECTION_IN};
    assert_int_equal(lane_input(&d.lane, &press), 0);
    assert_true(lane_take_effect(&d.lane, &e));
    assert_int_equal(e.kind, LANE_OVERRIDE);
    assert_int_equal(e.guard, LANE_GUARD_B);
    assert_int_equal(e.direction, DIRECTION_OUT);
    assert_int_equal(e.at_us, d.now_us);
    assert_false(drive_output(&d, LANE_RELAY));
    assert_true(drive_output(&d, LANE_RELAY_OUT));
    drive_turn(&d);
    drive_wait(&d, MS(1000));
    const struct lane_input up = {.kind = LANE_IN_BUTTON, .at_us = d.now_us};
    struct lane_input again = press;
    again.at_us = d.now_us;
    again.event_id = "q";
    assert_int_equal(lane_input(&d.lane, &up), 0);
    assert_int_equal(lane_input(&d.lane, &again), 0); /* of nobody: the lane's own direction */
    assert_true(drive_output(&d, LANE_RELAY));
    assert_false(drive_output(&d, LANE_RELAY_OUT));
}

static void held_down_it_opens_once_then_holds_open_and_closes_the_same_way(void **state)
{
    (void)state;
    struct drive d;
    begin(&d);
    drive_button(&d, true, "p");
    assert_true(d.open); /* at the press, not at its end */
    drive_wait(&d, MS(2999));
    assert_effects(&d, "override p");
    drive_wait(&d, MS(1));
    assert_effects(&d, "begin hold_open");
    drive_button(&d, false, "");
    drive_wait(&d, MS(1000000));
    assert_effects(&d, "not_used p");
    assert_true(d.open);
    drive_button(&d, true, "q");
    drive_wait(&d, MS(3000));
    assert_effects(&d, "override q; end hold_open; not_used q");
    assert_false(d.open);
    drive_wait(&d, MS(3000)); /* still down: one toggle for one press */
    drive_button(&d, false, "");
    drive_wait(&d, MS(10000));
    assert_effects(&d, "");
    assert_false(d.open);
}

static void without_hold_open_a_long_press_is_a_press(void **state)
{
    (void)state;
    struct lane_settings settings = drive_settings();
    struct drive d;
    settings.hold_open_max_s = 0;
    drive_begin(&d, &settings, &all_quiet);
    drive_button(&d, true, "p");
    drive_wait(&d, MS(20000));
    assert_effects(&d, "override p; not_used p");
    assert_int_equal(drive_command(&d, LANE_IN_HOLD_OPEN), -ERANGE);
}

static void hold_opens_seconds_have_bounds(void **state)
{
    (void)state;
    struct drive d;
    begin(&d);
    assert_int_equal(drive(&d, (struct lane_input){.kind = LANE_IN_HOLD_OPEN, .hold_open_s = 0}), -ERANGE);
    assert_int_equal(drive(&d, (struct lane_input){.kind = LANE_IN_HOLD_OPEN, .hold_open_s = 3601}), -ERANGE);
    assert_effects(&d, "");
    assert_int_equal(drive(&d, (struct lane_input){.kind = LANE_IN_HOLD_OPEN, .hold_open_s = 3600}), 0);
    drive_wait(&d, MS(1000000));
    assert_int_equal(drive(&d, (struct lane_input){.kind = LANE_IN_HOLD_OPEN, .hold_open_s = 10}), 0); /* from now */
    drive_wait(&d, MS(9999));
    assert_effects(&d, "begin hold_open");
    drive_wait(&d, MS(1));
    assert_effects(&d, "end hold_open");
    assert_false(d.open);
}

int main(void)
{
    const struct CMUnitTest lane_passage[] = {
        cmocka_unit_test(a_grant_is_one_pulse_and_not_used_after_the_wait),
        cmocka_unit_test(a_pulse_and_its_wait_count_from_the_wires_edge),
        cmocka_unit_test(what_is_opened_too_late_is_not_opened),
        cmocka_unit_test(the_arm_turned_is_completed_when_it_rests),
        cmocka_unit_test(a_turn_told_late_counts_when_it_was_in_time),
        cmocka_unit_test(a_press_told_late_opens_now_and_keeps_its_time),
        cmocka_unit_test(a_turn_ends_its_pulse),
        cmocka_unit_test(a_level_relay_stays_until_the_arm_has_turned_or_the_wait_is_over),
        cmocka_unit_test(a_second_grant_waits_for_the_first_turn_and_a_gap),
        cmocka_unit_test(two_pulses_have_a_gap_between_them),
        cmocka_unit_test(who_pushes_in_the_gap_uses_their_own_grant),
        cmocka_unit_test(a_grant_too_many_ends_at_once_and_is_told_to_wait),
        cmocka_unit_test(a_turn_is_one_persons),
        cmocka_unit_test(the_guards_presses_wait_before_a_verdict_and_three_at_most),
        cmocka_unit_test(who_waited_too_long_is_gone),
        cmocka_unit_test(lock_down_cuts_verdicts_and_leaves_the_guard_and_who_is_under_way),
        cmocka_unit_test(forced_and_tailgating),
        cmocka_unit_test(a_forced_turn_under_way_is_not_the_next_ones),
        cmocka_unit_test(an_arm_held_away_from_rest_is_an_alarm_until_it_rests),
        cmocka_unit_test(held_open_counts_its_turns_and_the_rest_of_one_is_nobodys_fault),
        cmocka_unit_test(in_service_the_arm_is_the_technicians_and_the_button_the_guards),
        cmocka_unit_test(a_press_answers_the_person_held_before_it_once),
        cmocka_unit_test(a_press_tells_who_pressed_and_goes_the_way_of_the_person),
        cmocka_unit_test(held_down_it_opens_once_then_holds_open_and_closes_the_same_way),
        cmocka_unit_test(without_hold_open_a_long_press_is_a_press),
        cmocka_unit_test(hold_opens_seconds_have_bounds),
    };
    return cmocka_run_group_tests(lane_passage, NULL, NULL);
}
