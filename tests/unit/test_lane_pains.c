/* What users of such systems complain of, as far as the lane can help it: each complaint and each figure from manuals and from
 * IEC 60839-11-1 is a case. */
#include "lane_drive.h"

#include "daemon/lane/debounce.h"
#include "daemon/lane/repeat.h"

static void begin(struct drive *d)
{
    const struct lane_settings settings = drive_settings();
    drive_begin(d, &settings, &all_quiet);
}

static void double_scans_of_one_code_are_one_passage(void **state)
{
    (void)state;
    struct repeat repeat = {0};
    const uint8_t digest[REPEAT_DIGEST_BYTES] = {1};
    struct drive d;
    int asked = 0;
    begin(&d);
    for (int frame = 0; frame < 300; frame++) { /* held there for ten seconds */
        if (repeat_is_new(&repeat, digest, d.now_us, 1500) && lane_can_open(&d.lane, 0)) {
            drive_grant(&d, "a");
            asked++;
        }
        drive_wait(&d, MS(33));
    }
    assert_int_equal(asked, 1);
    assert_int_equal(d.opened, 1);
    assert_effects(&d, "not_used a");
}

static void a_relay_that_fires_at_boot(void **state)
{
    (void)state;
    const struct lane_settings settings = drive_settings();
    for (int pressed = 0; pressed <= 1; pressed++) {
        const struct lane_at_start start = {.button = pressed != 0};
        struct drive d;
        drive_begin(&d, &settings, &start);
        for (int i = 0; i < LANE_OUTPUT_COUNT; i++)
            assert_false(drive_output(&d, (enum lane_output)i));
        assert_true(pressed || lane_next_us(&d.lane, d.now_us) == INT64_MAX);
        drive_wait(&d, MS(20000));
        assert_int_equal(d.opened, 0);
        assert_effects(&d, "");
    }
}

static void a_line_left_on(void **state)
{
    (void)state;
    struct drive d;
    begin(&d);
    drive_grant(&d, "a");
    drive_press(&d, "p");
    assert_true(d.open);
    drive_sleep(&d, MS(10000)); /* the program was held up in mid-pulse: first of all the relay goes off */
    assert_false(drive_output(&d, LANE_RELAY));
    (void)drive_command(&d, LANE_IN_TIME);
    assert_effects(&d, "override p; not_used a");
    assert_false(d.open); /* and the next one has the whole gap */
    drive_wait(&d, MS(200));
    assert_true(d.open);
    lane_stop(&d.lane, d.now_us);
    for (int i = 0; i < LANE_OUTPUT_COUNT; i++)
        assert_false(drive_output(&d, (enum lane_output)i));
}

static void a_power_cut_in_mid_pulse_is_a_fresh_start(void **state)
{
    (void)state;
    struct drive d;
    begin(&d);
    drive_grant(&d, "a");
    assert_true(d.open);
    begin(&d); /* nothing of before is left: the journal, not the lane, knows of `a` */
    assert_false(d.open);
    drive_wait(&d, MS(60000));
    assert_int_equal(d.opened, 0);
    assert_effects(&d, "");
}

static void no_battery_backed_clock(void **state)
{
    (void)state;
    const struct lane_settings settings = drive_settings();
    struct drive d[2];
    for (int i = 0; i < 2; i++) { /* whatever the time is, only its passing counts */
        memset(&d[i], 0, sizeof d[i]);
        d[i].now_us = i == 0 ? 0 : INT64_MAX / 2;
        lane_init(&d[i].lane, &settings, &all_quiet, d[i].now_us);
        drive_grant(&d[i], "a");
        drive_wait(&d[i], MS(1000));
        drive_turn(&d[i]);
        drive_wait(&d[i], MS(1000));
        drive_turn(&d[i]);
    }
    assert_string_equal(d[0].effects, "completed a; begin tailgating; end tailgating");
    assert_string_equal(d[1].effects, d[0].effects);
}

static void the_broker_or_the_journal_is_gone_and_the_button_opens(void **state)
{
    (void)state;
    struct drive d;
    begin(&d);
    (void)drive_fault(&d, LANE_FAULT_JOURNAL, true);
    (void)drive_fault(&d, LANE_FAULT_CAMERA, true);
    drive_forget(&d);
    for (int i = 0; i < 10; i++) {
        drive_press(&d, "p");
        drive_turn(&d);
        drive_wait(&d, MS(1000));
        assert_effects(&d, "override p; completed p");
    }
    assert_int_equal(d.opened, 10);
}

static void a_failed_journal_never_opens(void **state)
{
    (void)state;
    struct drive d;
    begin(&d);
    for (int action = 0; action < VERDICT_ACTION_COUNT; action++) {
        assert_int_equal(drive_verdict(&d, (enum verdict_action)action, REASON_JOURNAL_FAILED, ""), 0);
        assert_int_equal(d.lane.said.signal, SIGNAL_FAILURE);
        drive_wait(&d, MS(10000));
    }
    drive_press(&d, "p"); /* the guard's press opens, bound to nothing: there is no row */
    assert_effects(&d, "override p");
    assert_int_equal(d.opened, 1);
}

static void a_camera_that_stops_after_hours(void **state)
{
    (void)state;
    struct drive d;
    begin(&d);
    drive_wait(&d, MS(5 * 3600 * 1000));
    (void)drive_fault(&d, LANE_FAULT_CAMERA, true);
    assert_effects(&d, "begin out_of_order");
    assert_int_equal(d.lane.mode, LANE_OUT_OF_ORDER);
    assert_int_equal(d.lane.state.signal, SIGNAL_OUT_OF_ORDER);
    assert_true(drive_output(&d, LANE_LAMP_RED));
    assert_true(drive_output(&d, LANE_BUZZER));
    drive_wait(&d, MS(600));
    assert_false(drive_output(&d, LANE_LAMP_RED)); /* it blinks */
    assert_false(drive_output(&d, LANE_BUZZER));
    drive_wait(&d, MS(3600 * 1000));
    (void)drive_fault(&d, LANE_FAULT_CAMERA, false); /* by itself */
    assert_effects(&d, "end out_of_order");
    assert_int_equal(d.lane.mode, LANE_NORMAL);
    assert_false(drive_output(&d, LANE_LAMP_RED));
    drive_grant(&d, "a");
    assert_int_equal(d.opened, 1);
}

static void one_code_or_one_opening_shared_by_two_people(void **state)
{
    (void)state;
    struct drive d;
    begin(&d);
    drive_grant(&d, "a");
    drive_wait(&d, MS(1000));
    drive_turn(&d);
    drive_wait(&d, MS(300));
    drive_turn(&d); /* the second one presses close behind */
    assert_effects(&d, "completed a; begin tailgating; end tailgating");
    assert_int_equal(d.opened, 1);
}

static void two_codes_at_once_are_two_turns(void **state)
{
    (void)state;
    struct drive d;
    begin(&d);
    drive_grant(&d, "a");
    drive_grant(&d, "b");
    drive_wait(&d, MS(800));
    drive_turn(&d);
    drive_wait(&d, MS(800));
    drive_turn(&d);
    drive_wait(&d, MS(10000));
    assert_effects(&d, "completed a; completed b");
    assert_int_equal(d.opened, 2);
}

static void a_door_opened_by_a_stale_command(void **state)
{
    (void)state;
    struct drive d;
    begin(&d);
    drive_grant(&d, "a");
    drive_arm(&d, true);
    drive_grant(&d, "b");       /* waits behind an arm that is jammed … */
    drive_wait(&d, MS(600000));
    drive_arm(&d, false);       /* … until the mechanic comes, and b is long gone */
    drive_wait(&d, MS(10000));
    assert_effects(&d, "begin held; not_used b; completed a; end held");
    assert_int_equal(d.opened, 1);
    assert_int_equal(drive_command(&d, LANE_IN_LOCK_DOWN), 0);
    drive_grant(&d, "c"); /* decided before the lock-down, answered after it */
    drive_wait(&d, MS(1000));
    assert_int_equal(drive_command(&d, LANE_IN_NORMAL), 0);
    drive_wait(&d, MS(10000));
    assert_effects(&d, "begin lock_down; not_used c; end lock_down");
    assert_int_equal(d.opened, 1);
}

static void an_emergency_does_not_end_by_itself_or_by_a_reset_too_early(void **state)
{
    (void)state;
    struct drive d;
    begin(&d);
    (void)drive_level(&d, LANE_IN_FIRE, true);
    assert_int_not_equal(drive_command(&d, LANE_IN_FIRE_RESET), 0);
    drive_wait(&d, MS(3600 * 1000));
    (void)drive_level(&d, LANE_IN_FIRE, false);
    drive_wait(&d, MS(3600 * 1000));
    assert_true(d.open);
    assert_int_not_equal(drive_command(&d, LANE_IN_NORMAL), 0);
    assert_effects(&d, "begin emergency_release; muster");
    assert_int_equal(drive_command(&d, LANE_IN_FIRE_RESET), 0);
    assert_effects(&d, "end emergency_release");
    assert_false(d.open);
}

static void held_open_and_forgotten(void **state)
{
    (void)state;
    struct drive d;
    int tones = 0;
    bool was = false;
    begin(&d);
    drive_button(&d, true, "p");
    drive_wait(&d, MS(3000));
    drive_button(&d, false, "");
    for (int second_10th = 0; second_10th < 36000; second_10th++) { /* loud about it, all the hour */
        drive_wait(&d, MS(100));
        bool tone = drive_output(&d, LANE_BUZZER);
        tones += tone && !was;
        was = tone;
    }
    assert_true(tones >= 355 && tones <= 365);
    assert_effects(&d, "override p; begin hold_open; not_used p; end hold_open");
    assert_false(d.open);
}

static void a_jammed_button(void **state)
{
    (void)state;
    struct drive d;
    begin(&d);
    drive_button(&d, true, "p");
    drive_wait(&d, MS(3600 * 1000));
    assert_effects(&d, "override p; begin hold_open; not_used p; begin button_stuck; end hold_open");
    assert_false(d.open);
    assert_int_equal(d.opened, 2); /* the press, and what it began: half a minute in all */
    assert_true(d.open_us <= MS(30000));
    drive_button(&d, false, "");
    drive_press(&d, "q");
    assert_effects(&d, "end button_stuck; override q");
}

static void lane_timing_of_turnstile_manuals(void **state)
{
    (void)state;
    struct lane_settings settings;
    lane_defaults(&settings);
    assert_true(settings.pulse_ms >= 100);
    assert_int_equal(settings.passage_wait_ms, 5000);
    assert_int_equal(settings.held_alarm_ms, 10000);
    assert_int_equal(settings.long_press_ms, 3000);
    assert_int_equal(settings.stuck_ms, 30000);
    assert_true(settings.hold_open_max_s <= LANE_HOLD_OPEN_MAX_S);
    settings.has_sensor = true;
    settings.held_alarm_ms = 30000; /* the other value one meets */
    struct drive d;
    drive_begin(&d, &settings, &all_quiet);
    drive_grant(&d, "a");
    drive_arm(&d, true);
    drive_wait(&d, MS(29999));
    assert_effects(&d, "");
    drive_wait(&d, MS(1));
    assert_effects(&d, "begin held");
}

/* 3 s a person, which is 1,200 an hour, and the next one's code is read while the one before goes. */
static void twelve_hundred_people_an_hour(void **state)
{
    (void)state;
    struct drive d;
    int completed = 0;
    begin(&d);
    const int64_t end_us = d.now_us + MS(3600 * 1000);
    drive_grant(&d, "a");
    while (d.now_us < end_us) {
        drive_wait(&d, MS(900)); /* walks up */
        drive_arm(&d, true);
        assert_true(lane_can_open(&d.lane, 0));
        drive_grant(&d, "a");
        drive_wait(&d, MS(2100)); /* a slow turn */
        drive_arm(&d, false);
        assert_effects(&d, "completed a");
        completed++;
    }
    assert_int_equal(completed, 1200);
}

static void communication_lost_or_back_never_releases_the_portal(void **state)
{
    (void)state;
    struct drive d;
    begin(&d);
    for (int round = 0; round < 3; round++)
        for (int fault = 0; fault < LANE_FAULT_COUNT; fault++) {
            (void)drive_fault(&d, (enum lane_fault)fault, true);
            drive_wait(&d, MS(7000));
            (void)drive_fault(&d, (enum lane_fault)fault, false);
            drive_wait(&d, MS(7000));
        }
    assert_int_equal(drive_command(&d, LANE_IN_LOCK_DOWN), 0);
    (void)drive_fault(&d, LANE_FAULT_JOURNAL, true);
    (void)drive_fault(&d, LANE_FAULT_JOURNAL, false);
    assert_int_equal(d.lane.mode, LANE_LOCK_DOWN);
    assert_int_equal(d.opened, 0);
}

static void inputs_active_for_400_ms_are_processed(void **state)
{
    (void)state;
    struct lane_settings settings;
    struct debounce button;
    struct drive d;
    begin(&d);
    lane_defaults(&settings);
    debounce_init(&button, false, d.now_us);
    debounce_edge(&button, true, d.now_us);
    drive_wait(&d, MS(400));
    assert_true(debounce_settle(&button, d.now_us, settings.debounce_ms));
    drive_button(&d, button.level, "p");
    assert_effects(&d, "override p");
}

int main(void)
{
    const struct CMUnitTest lane_pains[] = {
        cmocka_unit_test(double_scans_of_one_code_are_one_passage),
        cmocka_unit_test(a_relay_that_fires_at_boot),
        cmocka_unit_test(a_line_left_on),
        cmocka_unit_test(a_power_cut_in_mid_pulse_is_a_fresh_start),
        cmocka_unit_test(no_battery_backed_clock),
        cmocka_unit_test(the_broker_or_the_journal_is_gone_and_the_button_opens),
        cmocka_unit_test(a_failed_journal_never_opens),
        cmocka_unit_test(a_camera_that_stops_after_hours),
        cmocka_unit_test(one_code_or_one_opening_shared_by_two_people),
        cmocka_unit_test(two_codes_at_once_are_two_turns),
        cmocka_unit_test(a_door_opened_by_a_stale_command),
        cmocka_unit_test(an_emergency_does_not_end_by_itself_or_by_a_reset_too_early),
        cmocka_unit_test(held_open_and_forgotten),
        cmocka_unit_test(a_jammed_button),
        cmocka_unit_test(lane_timing_of_turnstile_manuals),
        cmocka_unit_test(twelve_hundred_people_an_hour),
        cmocka_unit_test(communication_lost_or_back_never_releases_the_portal),
        cmocka_unit_test(inputs_active_for_400_ms_are_processed),
    };
    return cmocka_run_group_tests(lane_pains, NULL, NULL);
}
