/* A camera's controls before a device that is made up: found by any of their names, set in order, read back; what is in the way
 * is said. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <linux/videodev2.h>

#include "hw/camera_controls.h"

enum { CONTROLS_MAX = 12, CALLS_MAX = 32 };

struct fake_control {
    uint32_t id, type, flags;
    const char *name;
    int32_t lowest, highest, step, usual, value;
    int refuses; /* errno of a setting */
    int32_t keeps; /* what it makes of every value, 0 = the value */
};

struct fake {
    struct fake_control controls[CONTROLS_MAX];
    int count;
    uint32_t set_ids[CALLS_MAX];
    int sets;
    bool lost;
};

static struct fake_control *control_of(struct fake *fake, uint32_t id)
{
    for (int i = 0; i < fake->count; i++)
        if (fake->controls[i].id == id)
            return &fake->controls[i];
    return NULL;
}

static int query(struct fake *fake, struct v4l2_queryctrl *asked)
{
    const struct fake_control *found = NULL;
    if (asked->id & V4L2_CTRL_FLAG_NEXT_CTRL) {
        const uint32_t behind = asked->id & ~V4L2_CTRL_FLAG_NEXT_CTRL;
        for (int i = 0; i < fake->count; i++)
            if (fake->controls[i].id > behind && (!found || fake->controls[i].id < found->id))
                found = &fake->controls[i];
    } else {
        found = control_of(fake, asked->id);
    }
    if (!found)
        return -EINVAL;
    *asked = (struct v4l2_queryctrl){.id = found->id, .type = found->type, .flags = found->flags, .minimum = found->lowest,
                                     .maximum = found->highest, .step = found->step, .default_value = found->usual};
    memcpy(asked->name, found->name, strlen(found->name) < sizeof asked->name ? strlen(found->name) : sizeof asked->name);
    return 0;
}

static int fake_call(void *userdata, unsigned long request, void *argument)
{
    struct fake *fake = userdata;
    struct v4l2_control *control = argument;
    if (fake->lost)
        return -ENODEV;
    if (request == VIDIOC_QUERYCTRL)
        return query(fake, argument);
    struct fake_control *found = control_of(fake, control->id);
    if (!found)
        return -EINVAL;
    if (request == VIDIOC_G_CTRL) {
        control->value = found->value;
        return 0;
    }
    assert_int_equal(request, VIDIOC_S_CTRL);
    if (found->refuses != 0)
        return -found->refuses;
    assert_true(fake->sets < CALLS_MAX);
    fake->set_ids[fake->sets++] = control->id;
    found->value = found->keeps != 0 ? found->keeps : control->value;
    return 0;
}

#define INTEGER V4L2_CTRL_TYPE_INTEGER
static const struct fake usual_camera = {
    .controls = {{V4L2_CID_BRIGHTNESS, INTEGER, 0, "Brightness", -64, 64, 1, 0, 0, 0, 0},
                 {V4L2_CID_GAIN, INTEGER, 0, "Gain", 0, 100, 1, 10, 10, 0, 0},
                 {V4L2_CID_POWER_LINE_FREQUENCY, V4L2_CTRL_TYPE_MENU, 0, "Power Line Frequency", 0, 2, 1, 2, 2, 0, 0},
                 {V4L2_CID_EXPOSURE_AUTO, V4L2_CTRL_TYPE_MENU, 0, "Auto Exposure", 0, 3, 1, 3, 3, 0, 0},
                 {V4L2_CID_EXPOSURE_ABSOLUTE, INTEGER, V4L2_CTRL_FLAG_INACTIVE, "Exposure Time, Absolute", 3, 2047, 1, 250, 250, 0, 0},
                 {V4L2_CID_FOCUS_AUTO, V4L2_CTRL_TYPE_BOOLEAN, 0, "Focus, Automatic Continuous", 0, 1, 1, 1, 1, 0, 0},
                 {V4L2_CID_PRIVATE_BASE, V4L2_CTRL_TYPE_BUTTON, 0, "Reset", 0, 0, 0, 0, 0, 0, 0},
                 {V4L2_CID_PRIVATE_BASE + 1, INTEGER, V4L2_CTRL_FLAG_READ_ONLY, "Lens (warm)", 0, 9, 1, 0, 0, 0, 0},
                 {V4L2_CID_PRIVATE_BASE + 2, INTEGER, 0, "A name of all thirty-two bytes...", 0, 9, 1, 0, 0, 0, 0}},
    .count = 9,
};

static struct camera_controls one(const char *name, int32_t value)
{
    struct camera_controls controls = {.count = 1};
    strcpy(controls.list[0].name, name);
    controls.list[0].value = value;
    return controls;
}

static void expect(struct fake fake, const char *name, int32_t value, uint32_t id, const char *said)
{
    const struct control_device device = {fake_call, &fake};
    const struct camera_controls wanted = one(name, value);
    char why[256] = "?";
    assert_int_equal(controls_apply(&device, &wanted, why, sizeof why), said[0] != '\0');
    assert_string_equal(why, said);
    if (said[0] == '\0') {
        assert_int_equal(fake.sets, 1);
        assert_int_equal(fake.set_ids[0], id);
        assert_int_equal(control_of(&fake, id)->value, value);
    }
}

static void every_name_finds_its_control(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint32_t id;
    } names[] = {
        {"brightness", V4L2_CID_BRIGHTNESS}, {"power_line_frequency", V4L2_CID_POWER_LINE_FREQUENCY},
        {"auto_exposure", V4L2_CID_EXPOSURE_AUTO}, {"exposure_auto", V4L2_CID_EXPOSURE_AUTO},
        {"focus_automatic_continuous", V4L2_CID_FOCUS_AUTO}, {"focus_auto", V4L2_CID_FOCUS_AUTO},
        {"a_name_of_all_thirty_two_bytes", V4L2_CID_PRIVATE_BASE + 2},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        expect(usual_camera, names[i].name, 1, names[i].id, "");
    expect(usual_camera, "exposure_time_absolute", 2047, V4L2_CID_EXPOSURE_ABSOLUTE, "");
    expect(usual_camera, "exposure_absolute", 3, V4L2_CID_EXPOSURE_ABSOLUTE, "");
    expect(usual_camera, "brightness", -64, V4L2_CID_BRIGHTNESS, "");
}

#define NONE_OF_IT ": this camera has none of that name, `v4l2-ctl --list-ctrls` shows what it has"

static void what_is_in_the_way_is_said(void **state)
{
    (void)state;
    struct fake fake = usual_camera;
    expect(fake, "zoom", 1, 0, "control zoom" NONE_OF_IT);
    expect(fake, "reset", 1, 0, "control reset" NONE_OF_IT);
    expect(fake, "lens_warm", 1, 0, "control lens_warm" NONE_OF_IT);
    expect(fake, "bright", 1, 0, "control bright" NONE_OF_IT);
    expect(fake, "gain", 101, 0, "control gain = 101: this camera allows 0 to 100");
    expect(fake, "gain", -1, 0, "control gain = -1: this camera allows 0 to 100");
    fake.controls[1].refuses = EACCES;
    expect(fake, "gain", 5, 0, "control gain = 5: refused (Permission denied); is there one that turns an automatic off and must "
                               "come first?");
    fake.controls[1].refuses = 0;
    fake.controls[1].keeps = 8;
    expect(fake, "gain", 5, 0, "control gain = 5: the camera made it 8");
    expect(fake, "gain", 8, V4L2_CID_GAIN, "");
    fake.controls[1].flags = V4L2_CTRL_FLAG_DISABLED;
    expect(fake, "gain", 8, 0, "control gain" NONE_OF_IT);
    fake.lost = true;
    expect(fake, "brightness", 8, 0, "control brightness" NONE_OF_IT);
}

/* Each one that can be is set, in the order of the configuration, whatever became of the one before. */
static void all_are_tried_in_their_order(void **state)
{
    (void)state;
    struct fake fake = usual_camera;
    const struct control_device device = {fake_call, &fake};
    struct camera_controls wanted = {.list = {{"exposure_auto", 1}, {"zoom", 1}, {"exposure_absolute", 80}, {"gain", 999},
                                              {"brightness", 5}}, .count = 5};
    char why[512];
    assert_int_equal(controls_apply(&device, &wanted, why, sizeof why), 2);
    assert_string_equal(why, "control zoom" NONE_OF_IT "; control gain = 999: this camera allows 0 to 100");
    assert_int_equal(fake.sets, 3);
    assert_int_equal(fake.set_ids[0], V4L2_CID_EXPOSURE_AUTO);
    assert_int_equal(fake.set_ids[1], V4L2_CID_EXPOSURE_ABSOLUTE);
    assert_int_equal(fake.set_ids[2], V4L2_CID_BRIGHTNESS);
    char little[24]; /* what finds no room is cut, within the room */
    assert_int_equal(controls_apply(&device, &wanted, little, sizeof little), 2);
    assert_int_equal(strlen(little), sizeof little - 1);
    wanted.count = 0;
    assert_int_equal(controls_apply(&device, &wanted, why, sizeof why), 0);
    assert_string_equal(why, "");
}

static const struct camera_controls none_named;

static void time_is_turned_by_hand_and_given_back(void **state)
{
    (void)state;
    struct fake fake = usual_camera;
    const struct control_device device = {fake_call, &fake};
    struct exposure_control control;
    struct camera_exposure exposure;
    assert_int_equal(controls_find_exposure(&device, &none_named, 33333, &control), 0);
    assert_int_equal(fake.sets, 0); /* nothing is touched before it must be */
    assert_int_equal(controls_exposure(&device, &control, &exposure), 0);
    assert_true(exposure.is_time);
    assert_int_equal(exposure.lowest, 3);
    assert_int_equal(exposure.highest, 333); /* no longer than a frame */
    assert_int_equal(exposure.value, 250);
    assert_int_equal(controls_set_exposure(&device, &control, 100), 0);
    assert_int_equal(fake.sets, 2);
    assert_int_equal(fake.set_ids[0], V4L2_CID_EXPOSURE_AUTO);
    assert_int_equal(control_of(&fake, V4L2_CID_EXPOSURE_AUTO)->value, V4L2_EXPOSURE_MANUAL);
    assert_int_equal(control_of(&fake, V4L2_CID_EXPOSURE_ABSOLUTE)->value, 100);
    assert_int_equal(controls_set_exposure(&device, &control, 9999), 0);
    assert_int_equal(fake.sets, 3); /* by hand it is already */
    assert_int_equal(control_of(&fake, V4L2_CID_EXPOSURE_ABSOLUTE)->value, 333);
    assert_int_equal(controls_release_exposure(&device, &control), 0);
    assert_int_equal(control_of(&fake, V4L2_CID_EXPOSURE_AUTO)->value, 3);
    assert_int_equal(fake.set_ids[fake.sets - 1], V4L2_CID_EXPOSURE_AUTO); /* last: on, it may refuse the time */
    assert_int_equal(control_of(&fake, V4L2_CID_EXPOSURE_ABSOLUTE)->value, 250);
    fake.lost = true;
    assert_int_equal(controls_exposure(&device, &control, &exposure), -ENODEV);
    assert_int_equal(controls_set_exposure(&device, &control, 50), -ENODEV);
    assert_int_equal(controls_release_exposure(&device, &control), -ENODEV);
}

/* As a site set it by name: that comes back. */
static void a_time_set_by_name_comes_back(void **state)
{
    (void)state;
    struct fake fake = usual_camera;
    const struct control_device device = {fake_call, &fake};
    const struct camera_controls wanted = {.list = {{"exposure_auto", 1}, {"exposure_time_absolute", 80}}, .count = 2};
    struct exposure_control control;
    struct camera_exposure exposure;
    char why[256];
    assert_int_equal(controls_apply(&device, &wanted, why, sizeof why), 0);
    assert_int_equal(controls_find_exposure(&device, &wanted, 33333, &control), 0);
    assert_int_equal(controls_exposure(&device, &control, &exposure), 0);
    assert_int_equal(exposure.value, 80);
    assert_int_equal(controls_set_exposure(&device, &control, 20), 0);
    assert_int_equal(controls_release_exposure(&device, &control), 0);
    assert_int_equal(control_of(&fake, V4L2_CID_EXPOSURE_ABSOLUTE)->value, 80);
    assert_int_equal(control_of(&fake, V4L2_CID_EXPOSURE_AUTO)->value, V4L2_EXPOSURE_MANUAL);
}

/* A process that died had it by hand: that is nobody's wish, and the camera finds its own way again. */
static void what_was_left_behind_is_not_usual(void **state)
{
    (void)state;
    struct fake fake = usual_camera;
    const struct control_device device = {fake_call, &fake};
    struct exposure_control control;
    control_of(&fake, V4L2_CID_EXPOSURE_AUTO)->value = V4L2_EXPOSURE_MANUAL;
    control_of(&fake, V4L2_CID_EXPOSURE_ABSOLUTE)->value = 3;
    assert_int_equal(controls_find_exposure(&device, &none_named, 33333, &control), 0);
    assert_int_equal(controls_release_exposure(&device, &control), 0);
    assert_int_equal(control_of(&fake, V4L2_CID_EXPOSURE_ABSOLUTE)->value, 250);
    assert_int_equal(control_of(&fake, V4L2_CID_EXPOSURE_AUTO)->value, 3);
}

static void levels_serve_where_there_is_no_time(void **state)
{
    (void)state;
    struct fake fake = usual_camera;
    const struct control_device device = {fake_call, &fake};
    struct exposure_control control;
    struct camera_exposure exposure;
    control_of(&fake, V4L2_CID_EXPOSURE_ABSOLUTE)->flags = V4L2_CTRL_FLAG_DISABLED;
    assert_int_equal(controls_find_exposure(&device, &none_named, 33333, &control), 0);
    assert_int_equal(control.id, V4L2_CID_GAIN);
    control_of(&fake, V4L2_CID_GAIN)->flags = V4L2_CTRL_FLAG_VOLATILE; /* an automatic's */
    assert_int_equal(controls_find_exposure(&device, &none_named, 33333, &control), 0);
    assert_int_equal(control.id, V4L2_CID_BRIGHTNESS);
    assert_int_equal(controls_exposure(&device, &control, &exposure), 0);
    assert_false(exposure.is_time);
    assert_int_equal(exposure.lowest, -64);
    assert_int_equal(exposure.highest, 64);
    assert_int_equal(controls_set_exposure(&device, &control, -30), 0);
    assert_int_equal(fake.sets, 1);
    assert_int_equal(control_of(&fake, V4L2_CID_BRIGHTNESS)->value, -30);
    assert_int_equal(controls_release_exposure(&device, &control), 0);
    assert_int_equal(control_of(&fake, V4L2_CID_BRIGHTNESS)->value, 0);
    control_of(&fake, V4L2_CID_BRIGHTNESS)->highest = -64;
    assert_int_equal(controls_find_exposure(&device, &none_named, 33333, &control), -ENOTSUP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_name_finds_its_control),
        cmocka_unit_test(what_is_in_the_way_is_said),
        cmocka_unit_test(all_are_tried_in_their_order),
        cmocka_unit_test(time_is_turned_by_hand_and_given_back),
        cmocka_unit_test(a_time_set_by_name_comes_back),
        cmocka_unit_test(what_was_left_behind_is_not_usual),
        cmocka_unit_test(levels_serve_where_there_is_no_time),
    };
    return cmocka_run_group_tests_name("camera_controls", tests, NULL, NULL);
}
