/* The eye's keeper with real processes for eyes: this program, started again as the daemon starts itself. What such an eye is to
 * do stands in its settings. The clock is invented. */
#include "daemon/vision/supervisor.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { HANG_MS = 900, PATIENCE_MS = 10000 };
static const int64_t START_US = 1000000, HANG_US = HANG_MS * 1000;

/* ---- eyes -------------------------------------------------------------------------------------------------------- */

/* False: main is gone. */
static bool say(struct link_message *message, size_t bytes)
{
    struct pollfd room = {.fd = LINK_FD, .events = POLLOUT};
    while (send(LINK_FD, message, bytes, MSG_NOSIGNAL) < 0) {
        if (errno != EAGAIN || poll(&room, 1, -1) < 0)
            return false;
    }
    return true;
}

static int be_an_eye(void)
{
    static struct link_message message;
    struct eye_settings settings;
    struct pollfd end = {.fd = LINK_FD};
    if (eye_take_settings(LINK_FD, &settings) != 0)
        return 2;
    message.kind = LINK_CAMERA;
    message.camera_open = 1;
    (void)snprintf(message.text, sizeof message.text, "%s", settings.replay.folder);
    (void)say(&message, sizeof message);
    message.kind = LINK_BEAT;
    if (strcmp(settings.replay.folder, "flood") == 0)
        while (say(&message, sizeof message))
            ;
    if (strcmp(settings.replay.folder, "nonsense") == 0)
        while (say(&message, 1))
            ;
    (void)poll(&end, 1, -1);
    return 0;
}

/* ---- main -------------------------------------------------------------------------------------------------------- */

struct keeper {
    struct supervisor s;
    struct eye_settings settings;
};

static int setup(void **state)
{
    *state = calloc(1, sizeof(struct keeper));
    return *state == NULL;
}

static int teardown(void **state)
{
    struct keeper *k = *state;
    supervisor_close(&k->s);
    free(k);
    return 0;
}

static void start_eye(struct keeper *k, const char *what)
{
    (void)snprintf(k->settings.replay.folder, sizeof k->settings.replay.folder, "%s", what);
    assert_int_equal(supervisor_init(&k->s, &k->settings, HANG_MS, START_US), 0);
    supervisor_tick(&k->s, START_US);
    assert_true(k->s.pid > 0);
}

static void wait_for_news(struct keeper *k)
{
    struct pollfd news = {.fd = k->s.epoll_fd, .events = POLLIN};
    if (poll(&news, 1, PATIENCE_MS) != 1)
        fail_msg("no news of the eye");
}

/* As main takes them: until there are none, or it has had enough. */
static int take_all(struct keeper *k, int64_t now_us)
{
    int count = 0;
    while (count < 1000 && supervisor_take(&k->s, now_us) > 0)
        count++;
    return count;
}

static void each_eye_is_told_the_settings_in_force(void **state)
{
    struct keeper *k = *state;
    struct eye_settings fresh = {.camera = EYE_CAMERA_REPLAY, .replay.folder = "fresh"};
    start_eye(k, "first");
    wait_for_news(k);
    assert_int_equal(take_all(k, START_US), 1);
    assert_string_equal(k->s.camera_text, "first");
    supervisor_reconfigure(&k->s, &fresh, HANG_MS);
    assert_int_equal(kill(k->s.pid, SIGKILL), 0);
    while (k->s.link_fd >= 0) {
        wait_for_news(k);
        (void)take_all(k, START_US);
    }
    supervisor_tick(&k->s, k->s.start_due_us);
    wait_for_news(k);
    assert_int_equal(take_all(k, START_US), 1);
    assert_string_equal(k->s.camera_text, "fresh");
    assert_int_equal(k->s.starts, 2);
}

/* The button, the fire alarm and the watchdog get their turn. */
static void an_eye_that_sends_without_a_pause_is_left_after_some_messages(void **state)
{
    struct keeper *k = *state;
    start_eye(k, "flood");
    for (int turn = 0; turn < 20; turn++) {
        wait_for_news(k);
        assert_in_range(take_all(k, START_US), 1, SUPERVISOR_TURN);
    }
    assert_int_equal(k->s.starts, 1);
}

static void a_silent_eye_is_replaced(void **state)
{
    struct keeper *k = *state;
    start_eye(k, "silent but for one word");
    wait_for_news(k);
    assert_int_equal(take_all(k, START_US), 1);
    supervisor_tick(&k->s, START_US + HANG_US);
    assert_true(k->s.link_fd >= 0);
    supervisor_tick(&k->s, START_US + HANG_US + 1);
    assert_true(k->s.link_fd < 0);
    supervisor_tick(&k->s, k->s.start_due_us);
    assert_int_equal(k->s.starts, 2);
}

/* A large trust folder is read anew, say: the eye wasn't silent, nobody listened. */
static void an_eye_that_nobody_listened_to_is_kept(void **state)
{
    struct keeper *k = *state;
    start_eye(k, "flood");
    wait_for_news(k);
    assert_true(take_all(k, START_US) > 0);
    const pid_t pid = k->s.pid;
    wait_for_news(k);
    const int64_t late_us = START_US + 10 * HANG_US;
    supervisor_tick(&k->s, late_us);
    assert_int_equal(k->s.pid, pid);
    assert_true(k->s.link_fd >= 0);
    assert_true(supervisor_next_us(&k->s) <= late_us); /* main looks at the link at once */
    assert_true(take_all(k, late_us) > 0);
    supervisor_tick(&k->s, late_us + HANG_US);
    assert_int_equal(k->s.starts, 1);
}

static void an_eye_that_talks_nonsense_is_replaced_as_a_silent_one(void **state)
{
    struct keeper *k = *state;
    start_eye(k, "nonsense");
    while (k->s.bad_messages == 0) {
        wait_for_news(k);
        (void)take_all(k, START_US);
    }
    wait_for_news(k); /* there is always more of it */
    supervisor_tick(&k->s, START_US + HANG_US);
    assert_true(k->s.link_fd >= 0);
    supervisor_tick(&k->s, START_US + HANG_US + 1);
    assert_true(k->s.link_fd < 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_eye_is_told_the_settings_in_force, setup, teardown),
        cmocka_unit_test_setup_teardown(an_eye_that_sends_without_a_pause_is_left_after_some_messages, setup, teardown),
        cmocka_unit_test_setup_teardown(a_silent_eye_is_replaced, setup, teardown),
        cmocka_unit_test_setup_teardown(an_eye_that_nobody_listened_to_is_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(an_eye_that_talks_nonsense_is_replaced_as_a_silent_one, setup, teardown),
    };
    if (argc == 2 && strcmp(argv[1], "--eye") == 0)
        return be_an_eye();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
