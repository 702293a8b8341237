/* The controls of a V4L2 camera. Called by camera_v4l2.c at open, and for the exposure between frames; the eye process, one
 * thread. */
#include "hw/camera_controls.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <linux/videodev2.h>

enum { CONTROLS_LOOKED_AT_MAX = 256, US_PER_EXPOSURE_UNIT = 100 };

/* Kernels have renamed some over the years, and a configuration should outlive its kernel: both names, any kernel. */
static const struct {
    const char *name;
    uint32_t id;
} known_names[] = {
    {"exposure_auto", V4L2_CID_EXPOSURE_AUTO},
    {"auto_exposure", V4L2_CID_EXPOSURE_AUTO},
    {"exposure_absolute", V4L2_CID_EXPOSURE_ABSOLUTE},
    {"exposure_time_absolute", V4L2_CID_EXPOSURE_ABSOLUTE},
    {"exposure_auto_priority", V4L2_CID_EXPOSURE_AUTO_PRIORITY},
    {"exposure_dynamic_framerate", V4L2_CID_EXPOSURE_AUTO_PRIORITY},
    {"focus_auto", V4L2_CID_FOCUS_AUTO},
    {"focus_automatic_continuous", V4L2_CID_FOCUS_AUTO},
    {"white_balance_temperature_auto", V4L2_CID_AUTO_WHITE_BALANCE},
    {"white_balance_automatic", V4L2_CID_AUTO_WHITE_BALANCE},
};

static int call(const struct control_device *device, unsigned long request, void *argument)
{
    return device->call(device->userdata, request, argument);
}

/* ---- by name ----------------------------------------------------------------------------------------------------- */

/* "Exposure, Auto" -> "exposure_auto" */
static void plain_name(const uint8_t *name, size_t name_bytes, char ret_name[CAMERA_CONTROL_NAME_BYTES])
{
    size_t used = 0;
    bool gap = false;
    for (size_t i = 0; i < name_bytes && name[i] != '\0' && used < CAMERA_CONTROL_NAME_BYTES - 1; i++) {
        if (!isalnum(name[i])) {
            gap = used > 0;
            continue;
        }
        if (gap && used < CAMERA_CONTROL_NAME_BYTES - 2)
            ret_name[used++] = '_';
        gap = false;
        ret_name[used++] = (char)tolower(name[i]);
    }
    ret_name[used] = '\0';
}

static bool is_settable(const struct v4l2_queryctrl *found)
{
    const bool is_number = found->type == V4L2_CTRL_TYPE_INTEGER || found->type == V4L2_CTRL_TYPE_BOOLEAN ||
                           found->type == V4L2_CTRL_TYPE_MENU || found->type == V4L2_CTRL_TYPE_INTEGER_MENU ||
                           found->type == V4L2_CTRL_TYPE_BITMASK;
    return is_number && !(found->flags & (V4L2_CTRL_FLAG_DISABLED | V4L2_CTRL_FLAG_READ_ONLY));
}

static bool is_called(const struct v4l2_queryctrl *found, const char *name)
{
    char own_name[CAMERA_CONTROL_NAME_BYTES];
    plain_name(found->name, sizeof found->name, own_name);
    if (strcmp(own_name, name) == 0)
        return true;
    for (size_t i = 0; i < sizeof known_names / sizeof known_names[0]; i++)
        if (known_names[i].id == found->id && strcmp(known_names[i].name, name) == 0)
            return true;
    return false;
}

static bool find(const struct control_device *device, const char *name, struct v4l2_queryctrl *ret)
{
    struct v4l2_queryctrl found = {.id = V4L2_CTRL_FLAG_NEXT_CTRL};
    for (int i = 0; i < CONTROLS_LOOKED_AT_MAX && call(device, VIDIOC_QUERYCTRL, &found) == 0; i++) {
        if (is_settable(&found) && is_called(&found, name)) {
            *ret = found;
            return true;
        }
        found = (struct v4l2_queryctrl){.id = found.id | V4L2_CTRL_FLAG_NEXT_CTRL};
    }
    return false;
}

__attribute__((format(printf, 3, 4))) static void complain(char *why, size_t why_bytes, const char *format, ...)
{
    const size_t used = strlen(why);
    const size_t gap = used > 0 ? 2 : 0;
    if (used + gap + 1 >= why_bytes)
        return;
    memcpy(why + used, "; ", gap);
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(why + used + gap, why_bytes - used - gap, format, arguments);
    va_end(arguments);
}

static int set(const struct control_device *device, uint32_t id, int32_t value)
{
    struct v4l2_control control = {.id = id, .value = value};
    return call(device, VIDIOC_S_CTRL, &control);
}

static int get(const struct control_device *device, uint32_t id, int32_t *ret_value)
{
    struct v4l2_control control = {.id = id};
    const int result = call(device, VIDIOC_G_CTRL, &control);
    *ret_value = control.value;
    return result;
}

static bool apply(const struct control_device *device, const char *name, int32_t value, char *why, size_t why_bytes)
{
    struct v4l2_queryctrl found = {0};
    int32_t kept = 0;
    if (!find(device, name, &found)) {
        complain(why, why_bytes, "control %s: this camera has none of that name, `v4l2-ctl --list-ctrls` shows what it has", name);
        return false;
    }
    if (value < found.minimum || value > found.maximum) {
        complain(why, why_bytes, "control %s = %d: this camera allows %d to %d", name, value, found.minimum, found.maximum);
        return false;
    }
    int result = set(device, found.id, value);
    if (result < 0) {
        complain(why, why_bytes, "control %s = %d: refused (%s); is there one that turns an automatic off and must come first?", name,
                 value, strerror(-result));
        return false;
    }
    result = get(device, found.id, &kept);
    if (result == 0 && kept == value)
        return true;
    if (result < 0)
        complain(why, why_bytes, "control %s = %d: can't be read back (%s)", name, value, strerror(-result));
    else
        complain(why, why_bytes, "control %s = %d: the camera made it %d", name, value, kept);
    return false;
}

int controls_apply(const struct control_device *device, const struct camera_controls *wanted, char *why, size_t why_bytes)
{
    int failed = 0;
    if (why_bytes > 0)
        why[0] = '\0';
    for (int i = 0; i < wanted->count; i++)
        if (!apply(device, wanted->list[i].name, wanted->list[i].value, why, why_bytes))
            failed++;
    return failed;
}

/* ---- exposure ---------------------------------------------------------------------------------------------------- */

static bool query(const struct control_device *device, uint32_t id, struct v4l2_queryctrl *ret)
{
    *ret = (struct v4l2_queryctrl){.id = id};
    return call(device, VIDIOC_QUERYCTRL, ret) == 0 && is_settable(ret) && ret->maximum > ret->minimum;
}

/* False: the device doesn't say. */
static bool usual_value(const struct control_device *device, const struct camera_controls *wanted,
                        const struct v4l2_queryctrl *found, int32_t *ret_value)
{
    for (int i = 0; i < wanted->count; i++)
        if (is_called(found, wanted->list[i].name))
            return get(device, found->id, ret_value) == 0;
    *ret_value = found->default_value;
    return true;
}

static bool take(const struct control_device *device, const struct camera_controls *wanted, const struct v4l2_queryctrl *found,
                 struct exposure_control *control)
{
    control->id = found->id;
    control->lowest = found->minimum;
    control->highest = found->maximum;
    control->step = found->step > 0 ? found->step : 1;
    return usual_value(device, wanted, found, &control->value_usual);
}

/* The sensor's own time: what it cuts off above white, nothing behind it brings back. */
static bool find_time(const struct control_device *device, const struct camera_controls *wanted, int32_t highest_us,
                      struct exposure_control *control)
{
    struct v4l2_queryctrl time, automatic;
    if (!query(device, V4L2_CID_EXPOSURE_ABSOLUTE, &time))
        return false;
    *control = (struct exposure_control){.is_time = true, .by_hand = V4L2_EXPOSURE_MANUAL};
    if (query(device, V4L2_CID_EXPOSURE_AUTO, &automatic)) {
        control->switch_id = automatic.id;
        if (!usual_value(device, wanted, &automatic, &control->switch_usual))
            return false;
    }
    if (!take(device, wanted, &time, control) || control->lowest < 0)
        return false;
    if (control->highest > highest_us / US_PER_EXPOSURE_UNIT)
        control->highest = highest_us / US_PER_EXPOSURE_UNIT;
    return control->highest > control->lowest;
}

/* One that an automatic moves at the same time can't be ours. */
static bool find_level(const struct control_device *device, const struct camera_controls *wanted, uint32_t id,
                       struct exposure_control *control)
{
    struct v4l2_queryctrl level;
    *control = (struct exposure_control){0};
    return query(device, id, &level) && !(level.flags & (V4L2_CTRL_FLAG_INACTIVE | V4L2_CTRL_FLAG_VOLATILE)) &&
           take(device, wanted, &level, control);
}

int controls_find_exposure(const struct control_device *device, const struct camera_controls *wanted, int32_t highest_us,
                           struct exposure_control *ret)
{
    struct exposure_control control = {0};
    if (!find_time(device, wanted, highest_us, &control) && !find_level(device, wanted, V4L2_CID_GAIN, &control) &&
        !find_level(device, wanted, V4L2_CID_BRIGHTNESS, &control))
        return -ENOTSUP;
    *ret = control;
    return 0;
}

static int32_t bounded(const struct exposure_control *control, int32_t value)
{
    return value < control->lowest ? control->lowest : value > control->highest ? control->highest : value;
}

int controls_exposure(const struct control_device *device, const struct exposure_control *control, struct camera_exposure *ret)
{
    int32_t value = 0;
    const int result = get(device, control->id, &value);
    if (result < 0)
        return result;
    *ret = (struct camera_exposure){.lowest = control->lowest, .highest = control->highest, .step = control->step,
                                    .value = bounded(control, value), .is_time = control->is_time};
    return 0;
}

int controls_set_exposure(const struct control_device *device, const struct exposure_control *control, int32_t value)
{
    int result = 0;
    int32_t automatic = control->by_hand;
    if (control->switch_id != 0)
        result = get(device, control->switch_id, &automatic);
    if (result == 0 && automatic != control->by_hand)
        result = set(device, control->switch_id, control->by_hand);
    return result < 0 ? result : set(device, control->id, bounded(control, value));
}

/* The value first: an automatic, once on, may refuse it, and begins there. */
int controls_release_exposure(const struct control_device *device, const struct exposure_control *control)
{
    const int result = controls_set_exposure(device, control, control->value_usual);
    if (result < 0 || control->switch_id == 0 || control->switch_usual == control->by_hand)
        return result;
    return set(device, control->switch_id, control->switch_usual);
}
