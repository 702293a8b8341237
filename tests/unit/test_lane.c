/* Each cell of the lane's table of states and stimuli is a case of its own: what is answered, which effects follow, what mode
 * and phase the lane is in then. And the README's table is the program's. */
#include "lane_drive.h"

#include "daemon/lane/lane_parts.h"

#ifndef README
#define README "README.md"
#endif

/* The lane in `mode`, one second after a refusal "r", with the arm at rest. */
static void bring_into(struct drive *d, enum lane_mode mode)
{
    const struct lane_settings settings = drive_settings();
    drive_begin(d, &settings, &all_quiet);
    if (mode == LANE_HOLD_OPEN)
        assert_int_equal(drive_command(d, LANE_IN_HOLD_OPEN), 0);
    if (mode == LANE_LOCK_DOWN)
        assert_int_equal(drive_command(d, LANE_IN_LOCK_DOWN), 0);
    if (mode == LANE_EMERGENCY)
        assert_int_equal(drive_level(d, LANE_IN_FIRE, true), 0);
    if (mode == LANE_OUT_OF_ORDER)
        assert_int_equal(drive_fault(d, LANE_FAULT_CAMERA, true), 0);
    assert_int_equal(d->lane.mode, mode);
    drive_hold(d, "r");
    drive_wait(d, MS(1000));
    drive_forget(d);
}

/* ---- what each stimulus is, done to the lane --------------------------------------------------------------------- */

static int grant(struct drive *d) { return drive_verdict(d, VERDICT_OPEN, REASON_STATUS_GREEN, "g"); }
static int refusal(struct drive *d) { return drive_verdict(d, VERDICT_DENY, REASON_STATUS_RED, "n"); }
static int must_wait(struct drive *d)
{
    drive_wait(d, MS(10000)); /* what is said is over */
    return drive_command(d, LANE_IN_MUST_WAIT);
}
static int unreadable(struct drive *d)
{
    drive_wait(d, MS(10000));
    for (int i = 0; i <= 30; i++) {
        drive_wait(d, MS(100));
        assert_int_equal(drive_command(d, LANE_IN_UNREADABLE), 0);
    }
    return 0;
}
static int press(struct drive *d)
{
    drive_button(d, true, "p");
    return 0;
}
static int long_press(struct drive *d)
{
    drive_button(d, true, "p");
    drive_wait(d, MS(2999));
    drive_forget(d);
    drive_wait(d, MS(1));
    return 0;
}
static int stuck(struct drive *d)
{
    drive_button(d, true, "p");
    drive_wait(d, MS(29999));
    drive_forget(d);
    drive_wait(d, MS(1));
    return 0;
}
static int release(struct drive *d)
{
    (void)stuck(d);
    drive_forget(d);
    drive_button(d, false, "");
    return 0;
}
static int arm_turns(struct drive *d) { return drive_level(d, LANE_IN_SENSOR, true); }
static int arm_rests(struct drive *d)
{
    drive_press(d, "p");
    drive_forget(d);
    drive_arm(d, true);
    drive_wait(d, MS(700));
    return drive_level(d, LANE_IN_SENSOR, false);
}
static int arm_held(struct drive *d)
{
    drive_arm(d, true);
    drive_wait(d, MS(9999));
    drive_forget(d);
    drive_wait(d, MS(1));
    return 0;
}
static int wait_over(struct drive *d)
{
    drive_press(d, "p");
    drive_wait(d, MS(4799));
    drive_forget(d);
    drive_wait(d, MS(1));
    return 0;
}
static int fire(struct drive *d)
{
    (void)grant(d);
    return drive_level(d, LANE_IN_FIRE, true);
}
static int fire_over(struct drive *d) { return drive_level(d, LANE_IN_FIRE, false); }
static int fire_reset(struct drive *d)
{
    assert_int_equal(drive_command(d, LANE_IN_FIRE_RESET), d->lane.fire ? -1 : 0); /* while it burns */
    (void)drive_level(d, LANE_IN_FIRE, false);
    return drive_command(d, LANE_IN_FIRE_RESET);
}
static int tamper(struct drive *d) { return drive_level(d, LANE_IN_TAMPER, true); }
static int service(struct drive *d)
{
    (void)grant(d);
    return drive_level(d, LANE_IN_SERVICE, true);
}
static int fault(struct drive *d)
{
    (void)grant(d);
    return drive_fault(d, LANE_FAULT_JOURNAL, true);
}
static int normal(struct drive *d) { return drive_command(d, LANE_IN_NORMAL); }
static int lock_down(struct drive *d)
{
    (void)grant(d);
    return drive_command(d, LANE_IN_LOCK_DOWN);
}
static int hold_open(struct drive *d) { return drive_command(d, LANE_IN_HOLD_OPEN); }
static int command_open(struct drive *d)
{
    return drive(d, (struct lane_input){.kind = LANE_IN_OPEN, .event_id = "c", .direction = DIRECTION_IN});
}
static int command_identify(struct drive *d) { return drive_command(d, LANE_IN_IDENTIFY); }
static int hold_open_over(struct drive *d)
{
    drive_wait(d, MS(58999));
    drive_forget(d);
    drive_wait(d, MS(1));
    return 0;
}

/* ---- the cells --------------------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    int (*act)(struct drive *d);
    const char *by_mode[LANE_MODE_COUNT]; /* "answer mode phase open|shut said: effects" */
} rows[LANE_STIMULUS_COUNT] = {
    [LANE_ON_GRANT] = {"grant", grant, {
        "ok normal granted open open:",
        "ok hold_open granted open open:",
        "ok lock_down closed shut locked: not_used g",
        "ok emergency closed open none: interrupted g",
        "ok out_of_order granted open open:"}},
    [LANE_ON_REFUSAL] = {"refusal", refusal, {
        "ok normal closed shut deny:",
        "ok hold_open closed open deny:",
        "ok lock_down closed shut deny:",
        "ok emergency closed open none:",
        "ok out_of_order closed shut deny:"}},
    [LANE_ON_MUST_WAIT] = {"must_wait", must_wait, {
        "ok normal closed shut wait:",
        "ok hold_open closed open wait:",
        "ok lock_down closed shut wait:",
        "ok emergency closed open none:",
        "ok out_of_order closed shut wait:"}},
    [LANE_ON_UNREADABLE] = {"unreadable", unreadable, {
        "ok normal closed shut unreadable:",
        "ok hold_open closed open unreadable:",
        "ok lock_down closed shut unreadable:",
        "ok emergency closed open none:",
        "ok out_of_order closed shut unreadable:"}},
    [LANE_ON_PRESS] = {"press", press, {
        "ok normal granted open open: override p for r",
        "ok hold_open granted open open: override p for r",
        "ok lock_down granted open open: override p for r",
        "ok emergency closed open none: override p for r; interrupted p",
        "ok out_of_order granted open open: override p for r"}},
    [LANE_ON_LONG_PRESS] = {"long_press", long_press, {
        "ok hold_open granted open open: begin hold_open",
        "ok normal closed shut open: end hold_open; not_used p",
        "ok lock_down granted shut open:",
        "ok emergency closed open none:",
        "ok hold_open granted open open: begin hold_open"}},
    [LANE_ON_STUCK] = {"stuck", stuck, {
        "ok normal closed shut open: begin button_stuck; end hold_open",
        "ok normal closed shut open: begin button_stuck",
        "ok lock_down closed shut open: begin button_stuck",
        "ok emergency closed open none: begin button_stuck",
        "ok out_of_order closed shut open: begin button_stuck; end hold_open"}},
    [LANE_ON_RELEASE] = {"release", release, {
        "ok normal closed shut open: end button_stuck",
        "ok normal closed shut open: end button_stuck",
        "ok lock_down closed shut open: end button_stuck",
        "ok emergency closed open none: end button_stuck",
        "ok out_of_order closed shut open: end button_stuck"}},
    [LANE_ON_ARM_TURNS] = {"arm_turns", arm_turns, {
        "ok normal closed shut hold: begin forced",
        "ok hold_open closed open hold:",
        "ok lock_down closed shut hold: begin forced",
        "ok emergency closed open none:",
        "ok out_of_order closed shut hold: begin forced"}},
    [LANE_ON_ARM_RESTS] = {"arm_rests", arm_rests, {
        "ok normal closed shut open: completed p",
        "ok hold_open closed open open: completed p",
        "ok lock_down closed shut open: completed p",
        "ok emergency closed open none:",
        "ok out_of_order closed shut open: completed p"}},
    [LANE_ON_ARM_HELD] = {"arm_held", arm_held, {
        "ok normal closed shut hold: begin held",
        "ok hold_open closed open hold:",
        "ok lock_down closed shut hold: begin held",
        "ok emergency closed open none:",
        "ok out_of_order closed shut hold: begin held"}},
    [LANE_ON_WAIT_OVER] = {"wait_over", wait_over, {
        "ok normal closed shut open: not_used p",
        "ok hold_open closed open open: not_used p",
        "ok lock_down closed shut open: not_used p",
        "ok emergency closed open none:",
        "ok out_of_order closed shut open: not_used p"}},
    [LANE_ON_FIRE] = {"fire", fire, {
        "ok emergency closed open none: begin emergency_release; muster; interrupted g",
        "ok emergency closed open none: begin emergency_release; muster; interrupted g",
        "ok emergency closed open none: not_used g; begin emergency_release; muster",
        "ok emergency closed open none: interrupted g",
        "ok emergency closed open none: begin emergency_release; muster; interrupted g"}},
    [LANE_ON_FIRE_OVER] = {"fire_over", fire_over, {
        "ok normal closed shut hold:",
        "ok hold_open closed open hold:",
        "ok lock_down closed shut hold:",
        "ok emergency closed open none:",
        "ok out_of_order closed shut hold:"}},
    [LANE_ON_FIRE_RESET] = {"fire_reset", fire_reset, {
        "ok normal closed shut hold:",
        "ok hold_open closed open hold:",
        "ok lock_down closed shut hold:",
        "ok normal closed shut none: end emergency_release",
        "ok out_of_order closed shut hold:"}},
    [LANE_ON_TAMPER] = {"tamper", tamper, {
        "ok normal closed shut hold: begin tamper",
        "ok hold_open closed open hold: begin tamper",
        "ok lock_down closed shut hold: begin tamper",
        "ok emergency closed open none: begin tamper",
        "ok out_of_order closed shut hold: begin tamper"}},
    [LANE_ON_SERVICE] = {"service", service, {
        "ok out_of_order closed shut open: interrupted g; begin out_of_order",
        "ok hold_open closed open open: interrupted g; begin out_of_order",
        "ok lock_down closed shut locked: not_used g; begin out_of_order",
        "ok emergency closed open none: interrupted g; begin out_of_order",
        "ok out_of_order closed shut open: interrupted g"}},
    [LANE_ON_FAULT] = {"fault", fault, {
        "ok out_of_order granted open open: begin out_of_order",
        "ok hold_open granted open open: begin out_of_order",
        "ok lock_down closed shut locked: not_used g; begin out_of_order",
        "ok emergency closed open none: interrupted g; begin out_of_order",
        "ok out_of_order granted open open:"}},
    [LANE_ON_NORMAL] = {"normal", normal, {
        "ok normal closed shut hold:",
        "ok normal closed shut hold: end hold_open",
        "ok normal closed shut hold: end lock_down",
        "refused emergency closed open none:",
        "ok out_of_order closed shut hold:"}},
    [LANE_ON_LOCK_DOWN] = {"lock_down", lock_down, {
        "ok lock_down closed shut open: begin lock_down; interrupted g",
        "ok lock_down closed shut open: end hold_open; begin lock_down; interrupted g",
        "ok lock_down closed shut locked: not_used g",
        "ok emergency closed open none: interrupted g; begin lock_down",
        "ok lock_down closed shut open: begin lock_down; interrupted g"}},
    [LANE_ON_HOLD_OPEN] = {"hold_open", hold_open, {
        "ok hold_open closed open hold: begin hold_open",
        "ok hold_open closed open hold:",
        "refused lock_down closed shut hold:",
        "refused emergency closed open none:",
        "ok hold_open closed open hold: begin hold_open"}},
    [LANE_ON_HOLD_OPEN_OVER] = {"hold_open_over", hold_open_over, {
        "ok normal closed shut hold:",
        "ok normal closed shut hold: end hold_open",
        "ok lock_down closed shut hold:",
        "ok emergency closed open none:",
        "ok out_of_order closed shut hold:"}},
    [LANE_ON_OPEN] = {"open", command_open, {
        "ok normal granted open open:",
        "ok hold_open granted open open:",
        "refused lock_down closed shut hold:",
        "refused emergency closed open none:",
        "ok out_of_order granted open open:"}},
    [LANE_ON_IDENTIFY] = {"identify", command_identify, {
        "ok normal closed shut identify:",
        "ok hold_open closed open identify:",
        "ok lock_down closed shut identify:",
        "refused emergency closed open none:",
        "ok out_of_order closed shut identify:"}},
};

struct cell {
    enum lane_stimulus stimulus;
    enum lane_mode mode;
    char name[64];
};

static void outcome(const struct drive *d, int r, char *ret_text, size_t text_bytes)
{
    (void)snprintf(ret_text, text_bytes, "%s %s %s %s %s:%s%s", r == 0 ? "ok" : "refused", lane_mode_name(d->lane.mode),
                   lane_phase_name(d->lane.phase), lane_is_open(&d->lane, d->now_us) ? "open" : "shut",
                   signal_name(d->lane.said.signal), d->effects[0] != '\0' ? " " : "", d->effects);
}

static void the_cell(void **state)
{
    const struct cell *cell = *state;
    struct drive d;
    char text[1200];
    bring_into(&d, cell->mode);
    int r = rows[cell->stimulus].act(&d);
    outcome(&d, r, text, sizeof text);
    assert_string_equal(text, rows[cell->stimulus].by_mode[cell->mode]);
}

static void the_readme_shows_this_table(void **state)
{
    static char readme[400000], table[16384];
    FILE *file = fopen(README, "r"), *out = fmemopen(table, sizeof table, "w");
    (void)state;
    assert_non_null(file);
    assert_non_null(out);
    readme[fread(readme, 1, sizeof readme - 1, file)] = '\0';
    assert_true(lane_table_print(out));
    assert_int_equal(fclose(out), 0);
    assert_int_equal(fclose(file), 0);
    for (const char *line = table; *line != '\0'; line = strchr(line, '\n') + 1)
        assert_true(strcspn(line, "\n") <= 120);
    assert_true(strlen(table) > 2000);
    if (strstr(readme, table) == NULL)
        fail_msg("%s has another table; `LANE_PRINT=1 build/unit/test_lane` prints this one", README);
}

int main(void)
{
    static struct cell cells[LANE_STIMULUS_COUNT * LANE_MODE_COUNT];
    static struct CMUnitTest lane[LANE_STIMULUS_COUNT * LANE_MODE_COUNT + 1];
    size_t count = 0;
    if (getenv("LANE_PRINT") != NULL)
        return lane_table_print(stdout) ? 0 : 1;
    for (int stimulus = 0; stimulus < LANE_STIMULUS_COUNT; stimulus++)
        for (int mode = 0; mode < LANE_MODE_COUNT; mode++, count++) {
            cells[count] = (struct cell){.stimulus = (enum lane_stimulus)stimulus, .mode = (enum lane_mode)mode};
            (void)snprintf(cells[count].name, sizeof cells[count].name, "%s_in_%s",
                           rows[stimulus].name, lane_mode_name((enum lane_mode)mode));
            lane[count] = (struct CMUnitTest){cells[count].name, the_cell, NULL, NULL, &cells[count]};
        }
    lane[count] = (struct CMUnitTest)cmocka_unit_test(the_readme_shows_this_table);
    return cmocka_run_group_tests(lane, NULL, NULL);
}
