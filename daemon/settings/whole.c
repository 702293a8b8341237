/* What one key alone can't say: wires, rules, times and signals that must fit each other. Called by settings_read(). Pure, but
 * for the messages. */
#include "daemon/settings/keys.h"
#include "daemon/settings/settings.h"

enum { PATH_BYTES = 64, PAUSE_MIN_MS = 40 /* shorter, and two tones are one */, ALONE_MS = 2000 };

static bool has_no_name(const struct settings *s)
{
    return s->site[0] == '\0' || s->lane[0] == '\0';
}
static bool has_no_pictures(const struct settings *s)
{
    return s->eye.camera == EYE_CAMERA_REPLAY && s->eye.replay.folder[0] == '\0';
}
static bool has_no_wires(const struct settings *s)
{
    return s->lines_driver == SETTINGS_LINES_GPIOD && s->lines.out[LINE_RELAY].name[0] == '\0' &&
           s->lines.out[LINE_BUZZER].name[0] == '\0';
}
static bool presence_lacks_direction(const struct settings *s)
{
    return s->journal.policy.antipassback_presence != VERDICT_OPEN && s->journal.policy.direction == DIRECTION_NONE;
}
static bool occupancy_lacks_direction(const struct settings *s)
{
    return s->journal.policy.occupancy_limit != 0 && s->journal.policy.direction == DIRECTION_NONE;
}
static bool vaccination_never_counts(const struct settings *s)
{
    const struct health_policy *health = &s->journal.policy.health;
    return health->vaccination_until_days != 0 && health->vaccination_from_days > health->vaccination_until_days;
}
static bool recovery_never_counts(const struct settings *s)
{
    const struct health_policy *health = &s->journal.policy.health;
    return health->recovery_until_days != 0 && health->recovery_from_days > health->recovery_until_days;
}
static bool is_wired(const struct line_settings *line)
{
    return line->name[0] != '\0';
}
static bool sensor_lacks_relay(const struct settings *s)
{
    return s->lane_settings.has_sensor && !s->lane_settings.has_relay;
}
static bool second_relay_lacks_first(const struct settings *s)
{
    return s->lane_settings.two_directions && !s->lane_settings.has_relay;
}
static bool guard_lacks_button(const struct settings *s)
{
    const struct line_settings *in = s->lines.in;
    return s->lines_driver == SETTINGS_LINES_GPIOD && is_wired(&in[LINE_GUARD]) && !is_wired(&in[LINE_BUTTON]);
}
/* A cut wire must read as fire; with bias "as-is" a resistor outside sees to that. */
static bool fire_misses_a_cut_wire(const struct settings *s)
{
    const struct line_settings *fire = &s->lines.in[LINE_FIRE];
    return is_wired(fire) && ((fire->bias == LINE_BIAS_PULL_UP && fire->active_low) ||
                              (fire->bias == LINE_BIAS_PULL_DOWN && !fire->active_low));
}
static bool fail_safe_lacks_relay(const struct settings *s)
{
    return s->lane_settings.wiring == LANE_FAIL_SAFE && !s->lane_settings.has_relay;
}
static bool wait_ends_in_pulse(const struct settings *s)
{
    return !s->lane_settings.relay_level && s->lane_settings.passage_wait_ms < s->lane_settings.pulse_ms;
}
static bool stuck_before_long_press(const struct settings *s)
{
    return s->lane_settings.stuck_ms <= s->lane_settings.long_press_ms;
}
static bool certificate_lacks_ca(const struct settings *s)
{
    return s->mqtt.cert_file[0] != '\0' && s->mqtt.ca_file[0] == '\0';
}
static bool key_lacks_certificate(const struct settings *s)
{
    return s->mqtt.key_file[0] != '\0' && s->mqtt.cert_file[0] == '\0';
}

static const struct whole_check {
    bool (*broken)(const struct settings *settings);
    const char *at; /* the key whose line is named, where the file has it */
    const char *complaint;
} whole_checks[] = {
    {has_no_name, "site", "site and lane are required: site = \"factory-2\"; lane = \"lane1\";"},
    {has_no_pictures, "camera.driver", "camera.driver = \"replay\" needs camera.replay.folder"},
    {has_no_wires, "lines.driver",
     "lines.driver = \"gpiod\" needs lines.relay.line, or at a checkpoint without a turnstile lines.buzzer.line"},
    {presence_lacks_direction, "antipassback.presence",
     "antipassback.presence needs to know which way this lane leads: add direction = \"in\"; or \"out\""},
    {occupancy_lacks_direction, "occupancy.limit",
     "occupancy.limit needs to know which way this lane leads: add direction = \"in\"; or \"out\""},
    {vaccination_never_counts, "certificate.vaccination_until_days",
     "certificate.vaccination_until_days must not be less than vaccination_from_days (0 = no bound): no vaccination would count"},
    {recovery_never_counts, "certificate.recovery_until_days",
     "certificate.recovery_until_days must not be less than recovery_from_days (0 = no bound): no recovery would count"},
    {sensor_lacks_relay, "lines.rotation.line",
     "lines.rotation.line is the sensor of a turnstile: name its relay in lines.relay.line too, or leave the sensor out"},
    {second_relay_lacks_first, "lines.relay_out.line",
     "lines.relay_out.line is the relay of an arm's second direction: name the first in lines.relay.line, or only that one"},
    {guard_lacks_button, "lines.guard.line",
     "lines.guard.line says who presses the button: name that in lines.button.line too"},
    {fire_misses_a_cut_wire, "lines.fire.line",
     "lines.fire: a cut wire would read as no fire: use a contact that is closed at rest, to ground with bias = \"pull-up\" and "
     "active_low = false, or to 3.3 V with \"pull-down\" and true"},
    {fail_safe_lacks_relay, "turnstile.wiring", "turnstile.wiring = \"fail-safe\" needs lines.relay.line: there is nothing to lock"},
    {wait_ends_in_pulse, "lane_timing.passage_wait_ms",
     "lane_timing.passage_wait_ms must not be less than pulse_ms: a passage would be over before its pulse"},
    {stuck_before_long_press, "lane_timing.stuck_ms",
     "lane_timing.stuck_ms must be more than long_press_ms: each long press would be an alarm"},
    {certificate_lacks_ca, "mqtt.cert_file",
     "mqtt.cert_file is for TLS: name in mqtt.ca_file who signed the broker's certificate, or leave it out"},
    {key_lacks_certificate, "mqtt.key_file", "mqtt.key_file needs its certificate in mqtt.cert_file"},
};

static int line_of(const config_t *config, const char *path)
{
    const config_setting_t *at = config_lookup(config, path);
    return at != NULL ? (int)config_setting_source_line(at) : 0;
}

/* ---- signals ----------------------------------------------------------------------------------------------------- */

static const char *pattern_fault(enum signal signal, const struct signal_pattern *pattern)
{
    const char *fault = signal_pattern_fault(signal, pattern);
    if (fault == NULL && pattern->tone_on_ms > 0 && pattern->repeats != 1 && pattern->tone_off_ms < PAUSE_MIN_MS)
        return "tones without a pause are one long tone: tone_off_ms is 40 or more, or repeats is 1";
    return fault;
}

/* A tone that comes back after a long pause is heard as a single one. */
static struct signal_pattern as_heard(struct signal_pattern pattern)
{
    if (pattern.repeats == 0 && pattern.tone_off_ms >= ALONE_MS)
        pattern.repeats = 1;
    return pattern;
}

/* The line of the one that stands later in the file, which is as a rule the one just changed. */
static void check_alike(struct settings_walk *walk, const config_t *config, const struct settings *settings, enum signal a,
                        enum signal b)
{
    struct signal_pattern first = as_heard(settings->lane_settings.patterns[a]);
    struct signal_pattern second = as_heard(settings->lane_settings.patterns[b]);
    char path_a[PATH_BYTES], path_b[PATH_BYTES];
    if (!signals_sound_alike(&first, &second))
        return;
    (void)snprintf(path_a, sizeof path_a, "signals.%s", signal_name(a));
    (void)snprintf(path_b, sizeof path_b, "signals.%s", signal_name(b));
    int line_a = line_of(config, path_a), line_b = line_of(config, path_b);
    settings_mistake(walk, line_a > line_b ? line_a : line_b,
                     "%s and %s sound alike: make repeats differ, or tone_on_ms by a half or more, or silence one (tone_on_ms = 0)",
                     path_a, path_b);
}

static void check_signals(struct settings_walk *walk, const config_t *config, const struct settings *settings)
{
    static const enum signal apart[] = {SIGNAL_OPEN, SIGNAL_HOLD, SIGNAL_DENY, SIGNAL_WRONG_CODE, SIGNAL_UNREADABLE,
                                        SIGNAL_TOO_FAR, SIGNAL_TOO_NEAR, SIGNAL_TOO_DARK, SIGNAL_GLARE, SIGNAL_MOVING,
                                        SIGNAL_OUT_OF_ORDER};
    enum { APART = sizeof apart / sizeof apart[0] };
    int before = walk->mistakes;
    for (enum signal i = SIGNAL_NONE; i < SIGNAL_COUNT; i++) {
        const char *fault = pattern_fault(i, &settings->lane_settings.patterns[i]);
        char path[PATH_BYTES];
        (void)snprintf(path, sizeof path, "signals.%s", signal_name(i));
        if (fault != NULL)
            settings_mistake(walk, line_of(config, path), "%s: %s", path, fault);
    }
    if (walk->mistakes != before)
        return;
    for (int i = 0; i < APART; i++)
        for (int k = i + 1; k < APART; k++)
            check_alike(walk, config, settings, apart[i], apart[k]);
}

void settings_check_whole(struct settings_walk *walk, const config_t *config, const struct settings *settings)
{
    for (size_t i = 0; i < sizeof whole_checks / sizeof whole_checks[0]; i++)
        if (whole_checks[i].broken(settings))
            settings_mistake(walk, line_of(config, whole_checks[i].at), "%s", whole_checks[i].complaint);
    check_signals(walk, config, settings);
}
