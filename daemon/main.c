/* qrgated: arguments, and the one visible order of start-up and shutdown. The only file that names concrete devices. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "daemon/health/clock.h"
#include "daemon/health/status_socket.h"
#include "daemon/operator.h"
#include "daemon/mqtt/catalogue.h"
#include "daemon/mqtt/certificates.h"
#include "daemon/outputs.h"
#include "daemon/passage.h"
#include "daemon/settings/settings.h"
#include "daemon/upkeep.h"
#include "daemon/vision/supervisor.h"

enum { EXIT_USAGE = 2, STOP_WAIT_MS = 2000, STATE_EVERY_MS = 1000, CAMERA_GRACE_MS = 2000 };

struct daemon {
    const char *config_path;
    struct settings *settings; /* what counts: one of the two */
    struct settings two[2];
    bool reloading;            /* the other one is with the journal */
    struct supervisor eye;
    struct watchdog watchdog;
    struct lines *lines;
    struct relay_guard *guard;
    struct journal *journal;
    struct publisher *publisher;
    struct passage passage;
    struct operator operator;
    struct upkeep upkeep;
    struct status_socket status;
    char camera_said[LINK_TEXT_BYTES]; /* what the log has about the camera; with none, a new eye says the same each second */
    char reload_said[COMMAND_OUTCOME_BYTES]; /* what an operator's reload had to complain about */
    sd_event *loop;
    int64_t state_due_us;
    int64_t camera_open_us; /* when the camera was last known open; a quick restart of the eye is no alarm */
};

static void log_camera(struct daemon *d)
{
    if (strcmp(d->camera_said, d->eye.camera_text) == 0)
        return;
    (void)snprintf(d->camera_said, sizeof d->camera_said, "%s", d->eye.camera_text);
    (void)fprintf(stderr, "<%d>camera: %s%s\n", d->eye.camera_open ? 6 : 4, d->eye.camera_open ? "opened " : "", d->camera_said);
}

static int on_eye(sd_event_source *source, int fd, uint32_t events, void *data)
{
    struct daemon *d = data;
    int64_t now_us;
    (void)source, (void)fd, (void)events;
    while (supervisor_take(&d->eye, now_us = clock_monotonic_us()) > 0) {
        watchdog_progress(&d->watchdog, WATCHDOG_EYE, now_us);
        passage_watched(&d->passage, &d->eye.message, now_us);
        if (d->eye.message.kind == LINK_SEEN)
            passage_seen(&d->passage, &d->eye.message, now_us);
        else if (d->eye.message.kind == LINK_UNREADABLE)
            passage_unreadable(&d->passage, &d->eye.message, now_us);
        else if (d->eye.message.kind == LINK_CAMERA)
            log_camera(d);
    }
    return 0;
}

static int on_line(sd_event_source *source, int fd, uint32_t events, void *data)
{
    struct daemon *d = data;
    struct line_edge edge;
    int r;
    (void)source, (void)events;
    while ((r = lines_read_edge(d->lines, fd, &edge)) > 0)
        passage_edge(&d->passage, &edge, clock_monotonic_us());
    if (r < 0)
        d->passage.wires.error = r;
    return 0;
}

static int on_journal(sd_event_source *source, int fd, uint32_t events, void *data)
{
    struct daemon *d = data;
    (void)source, (void)fd, (void)events;
    passage_answers(&d->passage, clock_monotonic_us());
    return 0;
}

static int on_publisher(sd_event_source *source, int fd, uint32_t events, void *data)
{
    struct daemon *d = data;
    (void)source, (void)fd, (void)events;
    publisher_dispatch(d->publisher, clock_monotonic_us());
    return 0;
}

static int on_status(sd_event_source *source, int fd, uint32_t events, void *data)
{
    struct daemon *d = data;
    char text[MESSAGE_BYTES];
    int length = publisher_state_text(d->publisher, text);
    (void)source, (void)fd, (void)events;
    status_socket_answer(&d->status, text, length > 0 ? (size_t)length : 0);
    return 0;
}

/* SIGHUP: what may change while people pass, changes at once; else nothing does, and every key that is in the way is named.
 * The journal takes its part first, between two decisions; its answer ends the reload. */
static void begin_reload(struct daemon *d, FILE *errors)
{
    struct settings *fresh = d->settings == &d->two[0] ? &d->two[1] : &d->two[0];
    d->reloading = settings_load(d->config_path, fresh, errors) == 0 && settings_load_keys(fresh, false, errors) == 0 &&
                   settings_reload(d->settings, fresh, errors) == 0 &&
                   passage_reload_journal(&d->passage, &fresh->journal) == 0;
    if (!d->reloading)
        settings_free_keys(fresh);
}

static int on_reload(sd_event_source *source, const struct signalfd_siginfo *info, void *data)
{
    struct daemon *d = data;
    (void)source, (void)info;
    if (d->reloading) {
        (void)fprintf(stderr, "<4>reload: the one before is still under way; send SIGHUP again later\n");
        return 0;
    }
    begin_reload(d, stderr);
    if (!d->reloading)
        (void)fprintf(stderr, "<3>reload: refused, see above; the gate goes on as before\n");
    return 0;
}

/* What is wrong goes into the response, as much as there is room for, and into the log. */
static void reload_for_operator(struct daemon *d)
{
    int64_t now_us = clock_monotonic_us();
    if (d->reloading) {
        operator_reload_ended(&d->operator, now_us, false, "another reload is under way; ask again later");
        return;
    }
    memset(d->reload_said, 0, sizeof d->reload_said);
    FILE *errors = fmemopen(d->reload_said, sizeof d->reload_said - 1, "w");
    if (errors == NULL) {
        operator_reload_ended(&d->operator, now_us, false, "no memory");
        return;
    }
    begin_reload(d, errors);
    (void)fclose(errors); /* what didn't fit is cut */
    if (!d->reloading) {
        (void)fprintf(stderr, "<3>reload: refused; the gate goes on as before:\n%s", d->reload_said);
        operator_reload_ended(&d->operator, now_us, false, d->reload_said);
    }
}

static void finish_reload(struct daemon *d)
{
    struct settings *fresh = d->settings == &d->two[0] ? &d->two[1] : &d->two[0], *old = d->settings;
    int error = 0;
    if (!d->reloading || !passage_journal_reloaded(&d->passage, &error))
        return;
    d->reloading = false;
    if (error == 0) {
        passage_reconfigure(&d->passage, fresh);
        supervisor_reconfigure(&d->eye, &fresh->eye, fresh->hang_ms);
        publisher_command_rules(d->publisher, &fresh->commands);
        publisher_home_assistant(d->publisher, fresh->mqtt.home_assistant);
        upkeep_reloaded(&d->upkeep);
        d->settings = fresh;
        settings_free_keys(old);
        (void)fprintf(stderr, "<5>reload: the new configuration counts\n");
    } else {
        settings_free_keys(fresh);
        (void)fprintf(stderr, "<3>reload: the journal refused (%s); the gate goes on as before\n", strerror(-error));
    }
    operator_reload_ended(&d->operator, clock_monotonic_us(), error == 0,
                          error == 0 ? "" : "the journal refused; the gate goes on as before");
}

static void publish_state(struct daemon *d)
{
    struct lane_state state = {
        .camera_open = d->eye.camera_open,
        .clock_trusted = d->settings->clock_trust == SETTINGS_CLOCK_ALWAYS || clock_synchronised(),
        .journal_ok = !d->passage.alarms[ALARM_JOURNAL_FAILING],
        .out_of_order = d->passage.lane.mode == LANE_OUT_OF_ORDER,
    };
    for (int i = 0; i < LANE_ALARM_COUNT; i++)
        state.alarms |= (uint32_t)d->passage.lane.alarms[i] << i;
    for (int i = 0; i < PASSAGE_ALARM_COUNT; i++)
        state.alarms |= (uint32_t)d->passage.alarms[i] << (ALARM_FIRST_OF_PASSAGE + i);
    (void)snprintf(state.mode, sizeof state.mode, "%s", lane_mode_name(d->passage.lane.mode));
    (void)snprintf(state.camera, sizeof state.camera, "%.*s", (int)sizeof state.camera - 1, d->eye.camera_text);
    publisher_state(d->publisher, &state);
}

/* What time asks for, after whatever events woke the loop. */
static void tick(struct daemon *d)
{
    int64_t now_us = clock_monotonic_us();
    finish_reload(d);
    supervisor_tick(&d->eye, now_us);
    if (supervisor_in_time(&d->eye, now_us))
        watchdog_progress(&d->watchdog, WATCHDOG_EYE, now_us); /* its keeper is at work, which is what is vouched for */
    if (d->eye.camera_open)
        d->camera_open_us = now_us;
    passage_alarm(&d->passage, ALARM_CAMERA_LOST, now_us - d->camera_open_us > (int64_t)CAMERA_GRACE_MS * 1000, now_us);
    publisher_dispatch(d->publisher, now_us); /* before: what it wants of the journal is asked in passage_advance() */
    passage_advance(&d->passage, now_us);
    operator_advance(&d->operator, now_us);
    if (operator_wants_reload(&d->operator))
        reload_for_operator(d);
    upkeep_tick(&d->upkeep, now_us);
    if (now_us >= d->state_due_us) {
        d->state_due_us = now_us + (int64_t)STATE_EVERY_MS * 1000;
        publish_state(d);
    }
    if (watchdog_due(&d->watchdog, now_us))
        (void)sd_notify(0, "WATCHDOG=1");
}

static uint64_t wait_us(struct daemon *d)
{
    int64_t now_us = clock_monotonic_us(), next_us = passage_next_us(&d->passage, now_us);
    const int64_t others[] = {supervisor_next_us(&d->eye), upkeep_next_us(&d->upkeep), operator_next_us(&d->operator),
                              publisher_deadline_us(d->publisher), watchdog_next_us(&d->watchdog), d->state_due_us};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (others[i] < next_us)
            next_us = others[i];
    return next_us > now_us ? (uint64_t)(next_us - now_us) : 0;
}

/* Before the lines are opened, so that there is no moment in which nobody knows what to switch off. A gate works without. */
static void keep_outputs(const struct settings *settings)
{
    const int r = settings->lines_driver == SETTINGS_LINES_GPIOD
                      ? outputs_keep(getenv("RUNTIME_DIRECTORY"), settings->lines.out) : 0;
    if (r < 0)
        (void)fprintf(stderr, "<4>lines: can't be kept in %s (%s): after an end qrgate-safe knows the configuration alone\n",
                      getenv("RUNTIME_DIRECTORY"), strerror(-r));
}

static int open_devices(struct daemon *d)
{
    char why[256] = "";
    keep_outputs(d->settings);
    int r = d->settings->lines_driver == SETTINGS_LINES_SIM
                ? lines_sim_open(&d->settings->lines, STDOUT_FILENO, &d->lines, why, sizeof why)
                : lines_gpiod_open(&d->settings->lines, &d->lines, why, sizeof why);
    if (r == 0)
        r = relay_guard_open(d->lines, d->settings->lane_settings.wiring == LANE_FAIL_SAFE, &d->guard);
    d->settings->journal.opened_monotonic_us = clock_monotonic_us();
    d->settings->journal.opened_at_us = clock_unix_us();
    d->settings->journal.opened_clock_trusted = d->settings->clock_trust == SETTINGS_CLOCK_ALWAYS || clock_synchronised();
    if (r == 0)
        r = journal_open(&d->settings->journal, &d->journal, why, sizeof why);
    if (r == 0)
        r = publisher_open(&d->settings->mqtt, &d->publisher, why, sizeof why);
    if (r == 0)
        publisher_row_committed(d->publisher, journal_last_seq(d->journal)); /* earlier runs' */
    if (r < 0)
        (void)fprintf(stderr, "<2>qrgated: %s\n", why);
    return r;
}

static int watch_descriptors(struct daemon *d)
{
    int fds[LINES_FDS_MAX], count = lines_fds(d->lines, fds), r = 0;
    for (int i = 0; i < count && r >= 0; i++) {
        sd_event_source *source = NULL;
        r = sd_event_add_io(d->loop, &source, fds[i], EPOLLIN, on_line, d);
        if (r >= 0)
            r = sd_event_source_set_priority(source, SD_EVENT_PRIORITY_IMPORTANT); /* the guard before everybody */
        if (r >= 0)
            r = sd_event_source_set_floating(source, 1);
        (void)sd_event_source_unref(source);
    }
    if (r >= 0)
        r = sd_event_add_io(d->loop, NULL, journal_fd(d->journal), EPOLLIN, on_journal, d);
    if (r >= 0 && d->settings->mqtt.enabled)
        r = sd_event_add_io(d->loop, NULL, publisher_fd(d->publisher), EPOLLIN, on_publisher, d);
    if (r >= 0)
        r = sd_event_add_io(d->loop, NULL, d->eye.epoll_fd, EPOLLIN, on_eye, d);
    if (r >= 0)
        r = sd_event_add_signal(d->loop, NULL, SIGTERM, NULL, NULL);
    if (r >= 0)
        r = sd_event_add_signal(d->loop, NULL, SIGHUP, on_reload, d);
    return r >= 0 ? sd_event_add_signal(d->loop, NULL, SIGINT, NULL, NULL) : r;
}

/* Who only wants to know how the lane is waits behind everything else. A lane works without. */
static void offer_status(struct daemon *d)
{
    sd_event_source *source = NULL;
    int r = status_socket_open(d->settings->journal.path, &d->status);
    if (r >= 0)
        r = sd_event_add_io(d->loop, &source, d->status.fd, EPOLLIN, on_status, d);
    if (r >= 0)
        r = sd_event_source_set_priority(source, SD_EVENT_PRIORITY_IDLE);
    if (r >= 0)
        r = sd_event_source_set_floating(source, 1);
    (void)sd_event_source_unref(source); /* accepts NULL */
    if (r < 0)
        (void)fprintf(stderr, "<4>status: no socket beside %s (%s): qrgatectl status --local finds nobody\n",
                      d->settings->journal.path, strerror(-r));
}

static int run_loop(struct daemon *d)
{
    while (sd_event_get_state(d->loop) != SD_EVENT_FINISHED) {
        tick(d);
        if (d->passage.wires.error < 0) {
            (void)fprintf(stderr, "<1>lines: lost (%s); ending, so that a restart can find them again\n",
                          strerror(-d->passage.wires.error));
            passage_line_lost(&d->passage, clock_monotonic_us());
            return d->passage.wires.error;
        }
        int r = sd_event_run(d->loop, wait_us(d));
        if (r < 0)
            return r;
    }
    return 0;
}

/* The last events reach the disk, within a bound: a dead disk must not keep the daemon from ending. */
static void finish_recording(struct daemon *d)
{
    int64_t until_us = clock_monotonic_us() + (int64_t)STOP_WAIT_MS * 1000;
    bool settled = publisher_settle(d->publisher); /* what the broker was told is here reaches the register */
    const bool asked = d->operator.stage != OPERATOR_IDLE;
    bool stopped = operator_stop(&d->operator, clock_monotonic_us());
    passage_note(&d->passage, EVENT_STOP, "stopped", clock_monotonic_us());
    while ((!passage_all_recorded(&d->passage) || !settled || !stopped) && clock_monotonic_us() < until_us) {
        struct pollfd journal = {.fd = journal_fd(d->journal), .events = POLLIN};
        passage_advance(&d->passage, clock_monotonic_us());
        if (poll(&journal, 1, 50) > 0)
            passage_answers(&d->passage, clock_monotonic_us());
        settled = publisher_settle(d->publisher);
        stopped = operator_stop(&d->operator, clock_monotonic_us());
    }
    if (asked)
        publisher_dispatch(d->publisher, clock_monotonic_us()); /* the response */
    passage_tell_unrecorded(&d->passage);
}

static void publish_info(struct daemon *d)
{
    struct lane_info info = {.lines = ""};
    const struct eye_decoders *decoders = &d->settings->eye.decoders;
    (void)snprintf(info.version, sizeof info.version, "%s", QRGATE_VERSION);
    (void)snprintf(info.lines, sizeof info.lines, "%s", lines_describe(d->lines));
    for (int i = 0; i < decoders->count; i++) {
        (void)snprintf(info.libraries[i].name, sizeof info.libraries[i].name, "%s", decoder_name(decoders->kinds[i]));
        decoder_version(decoders->kinds[i], info.libraries[i].version, sizeof info.libraries[i].version);
    }
    publisher_info(d->publisher, &info);
}

static int run(struct daemon *d)
{
    uint64_t watchdog_us = 0;
    int64_t now_us = d->camera_open_us = clock_monotonic_us();
    sigset_t blocked;
    int r = 0;
    (void)sigemptyset(&blocked);
    (void)sigaddset(&blocked, SIGTERM);
    (void)sigaddset(&blocked, SIGINT);
    (void)sigaddset(&blocked, SIGHUP);
    (void)sigprocmask(SIG_BLOCK, &blocked, NULL); /* before any thread: all inherit it, the loop reads them */
    (void)signal(SIGPIPE, SIG_IGN);
    (void)sd_watchdog_enabled(0, &watchdog_us);
    watchdog_init(&d->watchdog, (int64_t)watchdog_us, now_us);
    r = supervisor_init(&d->eye, &d->settings->eye, d->settings->hang_ms, now_us);
    if (r == 0)
        r = open_devices(d);
    if (r < 0)
        goto out;
    passage_init(&d->passage, d->settings, d->lines, d->guard, d->journal, d->publisher, &d->watchdog, now_us);
    upkeep_init(&d->upkeep, &d->passage, d->publisher, &d->eye, now_us);
    operator_init(&d->operator, &d->passage, d->publisher);
    publisher_command_rules(d->publisher, &d->settings->commands);
    r = sd_event_new(&d->loop);
    if (r >= 0)
        r = watch_descriptors(d);
    if (r < 0)
        goto out;
    offer_status(d);
    publish_info(d);
    (void)fprintf(stderr, "<6>qrgated %s: %s/%s, %s\n", QRGATE_VERSION, d->settings->site, d->settings->lane,
                  lines_describe(d->lines));
    passage_note(&d->passage, EVENT_START, "qrgated " QRGATE_VERSION, now_us);
    (void)sd_notify(0, "READY=1");
    r = run_loop(d);
    (void)sd_notify(0, "STOPPING=1");
    passage_stop(&d->passage, clock_monotonic_us());
    supervisor_close(&d->eye);
    finish_recording(d);
    (void)fprintf(stderr, "<6>frame to relay: %" PRIu64 " grants, p50 %" PRId64 " us, p99 %" PRId64 " us\n",
                  d->passage.frame_to_relay.count, latency_quantile_us(&d->passage.frame_to_relay, 0.5),
                  latency_quantile_us(&d->passage.frame_to_relay, 0.99));
out:
    supervisor_close(&d->eye);
    publisher_close(d->publisher);
    journal_close(d->journal);
    publisher_free(d->publisher);
    relay_guard_close(d->guard);
    lines_close(d->lines);
    status_socket_close(&d->status);
    settings_free_keys(&d->two[0]);
    settings_free_keys(&d->two[1]);
    (void)sd_event_unref(d->loop);
    return r < 0 ? 1 : 0;
}

/* The vision process: it reads neither the configuration nor a key. */
static int run_eye(void)
{
    struct eye_settings settings;
    int r = prctl(PR_SET_NAME, "qrgated-eye") == 0 ? 0 : -errno; /* else top shows the link it was started by */
    if (r == 0)
        r = eye_take_settings(LINK_FD, &settings);
    if (r == 0)
        return eye_run(&settings, LINK_FD);
    (void)fprintf(stderr, "<3>eye: has no settings (%s); the daemon starts it itself, with --eye\n", strerror(-r));
    return 1;
}

static void usage(FILE *out)
{
    (void)fputs("usage: qrgated [--config FILE] [--check-config | --keys | --version | --help]\n"
                "The gate: reads QR codes, decides, drives the turnstile, journals and publishes every passage.\n"
                "  --config FILE    default /etc/qrgate/qrgate.conf\n"
                "  --check-config   say whether the configuration is right, and end (exit 1: it isn't)\n"
                "  --keys           list every configuration key with what it allows\n"
                "  --eye            the vision process; the daemon starts it itself\n", out);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'}, {"check-config", no_argument, NULL, 'k'}, {"eye", no_argument, NULL, 'e'},
        {"keys", no_argument, NULL, 'l'}, {"version", no_argument, NULL, 'V'}, {"help", no_argument, NULL, 'h'}, {0}};
    static struct daemon d; /* zeroed; too large for the stack */
    const char *config = "/etc/qrgate/qrgate.conf";
    bool check = false, eye = false;
    int option;
    while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
        switch (option) {
        case 'c': config = optarg; break;
        case 'k': check = true; break;
        case 'e': eye = true; break;
        case 'l': settings_print_keys(stdout); return 0;
        case 'V': (void)puts("qrgated " QRGATE_VERSION); return 0;
        case 'h': usage(stdout); return 0;
        default: usage(stderr); return EXIT_USAGE;
        }
    }
    if (optind != argc) {
        (void)fprintf(stderr, "qrgated: \"%s\" is not an option\n", argv[optind]);
        usage(stderr);
        return EXIT_USAGE;
    }
    if (eye)
        return run_eye();
    d.config_path = config;
    d.status.fd = -1;
    d.settings = &d.two[0];
    if (sodium_init() < 0 || settings_load(config, d.settings, stderr) != 0)
        return 1;
    if (settings_load_keys(d.settings, !check, stderr) != 0)
        return 1;
    if (check && certificates_check(&d.settings->mqtt, clock_unix_us() / 1000000, stderr) != 0)
        return 1;
    if (check) {
        (void)printf("%s: all right\n", config);
        return 0;
    }
    return run(&d);
}
