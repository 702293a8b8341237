/* qrgatectl token provision and token rotate-demo: the rotating pass, given to its holder once and shown changing. */
#include "daemon/credential/rotating.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "daemon/ctl/pass.h"

/* ---- token provision --------------------------------------------------------------------------------------------- */

enum { PROVISION_SUBJECT, PROVISION_VALID, PROVISION_OUT };
static const struct ctl_option PROVISION_OPTIONS[] = {
    [PROVISION_SUBJECT] = { "subject", "SUBJECT", true,
                            "whose: cccd:NUMBER, cmnd:, bhyt:, qid:, badge:, as the register knows them" },
    [PROVISION_VALID] = { "valid", "TIME", true, "for how long from now: 72h, 30d" },
    [PROVISION_OUT] = { "out", "FILE", false, "a picture (.svg, .pdf, .png, .txt) instead of the text" },
    { NULL, NULL, false, NULL },
};

/* A new holder, whose secret follows from the site key. */
static enum ctl_exit make_holder(struct ctl *ctl, const char *subject, int64_t valid_s, struct rotating_holder *ret)
{
    uint8_t site_key[32], rotation_key[ROTATING_KEY_BYTES];
    memset(ret, 0, sizeof(*ret));
    enum ctl_exit result = pass_subject(ctl, subject, ret->subject);
    if (result != CTL_OK)
        return result;
    result = ctl_load_site_key(ctl, site_key);
    if (result != CTL_OK)
        return result;
    randombytes_buf(ret->serial, sizeof(ret->serial));
    ret->expires_at_s = ctl->now_s + valid_s;
    rotating_key_from_site_key(site_key, rotation_key);
    rotating_derive(rotation_key, ret);
    sodium_memzero(site_key, sizeof(site_key));
    sodium_memzero(rotation_key, sizeof(rotation_key));
    return CTL_OK;
}

static void print_advice(const struct lang *lang, const struct rotating_holder *holder)
{
    uint8_t id[CREDENTIAL_TOKEN_ID_BYTES];
    char hex[2 * CREDENTIAL_TOKEN_ID_BYTES + 1], when[32];
    rotating_token_id(holder, id);
    lang_print(stderr, lang, "rotating.advice", "until", format_time(holder->expires_at_s, when),
               "id", sodium_bin2hex(hex, sizeof(hex), id, sizeof(id)), NULL);
}

static enum ctl_exit run_provision(struct ctl *ctl)
{
    struct rotating_holder holder;
    char text[ROTATING_PROVISION_BYTES];
    int64_t valid_s = 0;
    enum ctl_exit result = pass_valid(ctl, ctl->values[PROVISION_VALID], &valid_s);
    if (result == CTL_OK)
        result = make_holder(ctl, ctl->values[PROVISION_SUBJECT], valid_s, &holder);
    if (result != CTL_OK)
        return result;
    const int length = rotating_provision_write(&holder, text, sizeof(text));
    const struct qr_card card = {
        .code = text, .title = "", .line = say(ctl->lang, "rotating.card"), .robust = false
    };
    if (length < 0)
        result = ctl_complain(ctl, CTL_FAILED, "rotating.provision_unwritable", "why", strerror(-length), NULL);
    else
        result = pass_put(ctl, ctl->values[PROVISION_OUT], &card);
    if (result == CTL_OK)
        print_advice(ctl->lang, &holder);
    sodium_memzero(&holder, sizeof(holder));
    sodium_memzero(text, sizeof(text));
    return result;
}

const struct ctl_command CTL_TOKEN_PROVISION = {
    .name = "token provision",
    .summary = "Give a person's phone the secret of a pass that changes every 30 s (QGS1:...)",
    .details = "Example: qrgatectl token provision --subject badge:0042 --valid 30d --out txt\n"
               "Needs the site key, which the gate checks such passes with. The pass carries no status: the register "
               "decides.\n"
               "A gate refuses this text itself; `token rotate-demo` makes the passes from it.\n",
    .options = PROVISION_OPTIONS,
    .run = run_provision,
};

/* ---- token rotate-demo ------------------------------------------------------------------------------------------- */

enum { DEMO_CODE, DEMO_SUBJECT, DEMO_ONCE, DEMO_STEP };
enum { DEMO_VALID_S = 3600 };
static const struct ctl_option DEMO_OPTIONS[] = {
    [DEMO_CODE] = { "code", "QGS1:...", false, "the holder's provisioning text; - reads it from standard input" },
    [DEMO_SUBJECT] = { "subject", "SUBJECT", false, "without one: a holder made up for an hour (needs the site key)" },
    [DEMO_ONCE] = { "once", NULL, false, "print the text of the code of this moment and end" },
    [DEMO_STEP] = { "step", "N", false, "the same for another step (Unix time / 30)" },
    { NULL, NULL, false, NULL },
};

struct demo {
    struct ctl *ctl;
    struct rotating_holder holder;
    bool on_terminal;
    int64_t shown_step;
    char text[ROTATING_TEXT_BYTES];
};

static enum ctl_exit demo_write(struct demo *demo, int64_t step)
{
    const int length = rotating_write(&demo->holder, step, demo->text, sizeof(demo->text));
    if (length < 0)
        return ctl_complain(demo->ctl, CTL_FAILED, "rotating.unwritable", "why", strerror(-length), NULL);
    demo->shown_step = step;
    return CTL_OK;
}

static enum ctl_exit demo_holder(struct demo *demo)
{
    struct ctl *ctl = demo->ctl;
    char code[CREDENTIAL_PAYLOAD_MAX_BYTES + 2], when[32];
    if ((ctl->values[DEMO_CODE] != NULL) == (ctl->values[DEMO_SUBJECT] != NULL))
        return ctl_complain(ctl, CTL_USAGE, "rotating.one_of", NULL);
    if (ctl->values[DEMO_SUBJECT])
        return make_holder(ctl, ctl->values[DEMO_SUBJECT], DEMO_VALID_S, &demo->holder);
    if (!pass_code(ctl, ctl->values[DEMO_CODE], code))
        return CTL_FAILED;
    const int error = rotating_provision_read(code, &demo->holder);
    sodium_memzero(code, sizeof(code));
    if (error < 0)
        return ctl_complain(ctl, CTL_USAGE, "rotating.code", NULL);
    if (demo->holder.expires_at_s <= ctl->now_s)
        lang_print(stderr, ctl->lang, "rotating.expired", "time", format_time(demo->holder.expires_at_s, when), NULL);
    return CTL_OK;
}

static bool read_step(const char *text, int64_t *ret)
{
    const size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 12 || text[digits] != '\0')
        return false;
    *ret = 0;
    for (size_t i = 0; i < digits; i++)
        *ret = *ret * 10 + (text[i] - '0');
    return *ret >= 1 && *ret <= INT64_C(253402300799) / ROTATING_STEP_S;
}

static enum ctl_exit demo_once(struct demo *demo)
{
    const char *step_text = demo->ctl->values[DEMO_STEP];
    int64_t step = demo->ctl->now_s / ROTATING_STEP_S;
    char buffer[80];
    if (step_text && !read_step(step_text, &step))
        return ctl_complain(demo->ctl, CTL_USAGE, "rotating.step",
                            "value", printable(step_text, buffer, sizeof(buffer)), NULL);
    const enum ctl_exit result = demo_write(demo, step);
    if (result == CTL_OK)
        (void)puts(demo->text);
    return result;
}

static void show_countdown(const struct demo *demo, int64_t now_s)
{
    char subject[80], seconds[8];
    (void)snprintf(seconds, sizeof(seconds), "%2d", (int)(ROTATING_STEP_S - now_s % ROTATING_STEP_S));
    (void)fputc('\r', stdout);
    lang_print(stdout, demo->ctl->lang, "rotating.countdown", "subject", printable(demo->holder.subject, subject, sizeof(subject)),
               "step", LANG_N(demo->shown_step), "seconds", seconds, NULL);
}

/* A new code when its time has come, else the countdown alone. */
static enum ctl_exit demo_turn(struct demo *demo)
{
    const int64_t now_s = (int64_t)time(NULL), step = now_s / ROTATING_STEP_S;
    const bool changed = step != demo->shown_step;
    if (changed && demo_write(demo, step) != CTL_OK)
        return CTL_FAILED;
    if (!demo->on_terminal && changed)
        (void)puts(demo->text);
    if (demo->on_terminal && changed) {
        const struct qr_card card = { .code = demo->text, .title = "", .line = "", .coloured = true };
        (void)fputs("\x1b[H\x1b[2J", stdout); /* home, clear */
        const int error = qr_card_print(&card, QR_TEXT, stdout);
        if (error < 0)
            return ctl_complain(demo->ctl, CTL_FAILED, "rotating.undrawable", "why", strerror(-error), NULL);
    }
    if (demo->on_terminal)
        show_countdown(demo, now_s);
    if (fflush(stdout) != 0)
        return ctl_complain(demo->ctl, CTL_FAILED, "main.output_failed", "why", strerror(errno), NULL);
    return CTL_OK;
}

/* Ticks with the clock's own seconds, so that the code changes when the gate's step does, also after the clock was
 * set. */
static int start_timer(int timer_fd)
{
    const struct itimerspec each_second = { .it_interval = { .tv_sec = 1 }, .it_value = { .tv_sec = time(NULL) + 1 } };
    return timerfd_settime(timer_fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &each_second, NULL);
}

static enum ctl_exit demo_loop(struct demo *demo, int signal_fd, int timer_fd)
{
    struct pollfd fds[] = { { .fd = signal_fd, .events = POLLIN }, { .fd = timer_fd, .events = POLLIN } };
    enum ctl_exit result =
        start_timer(timer_fd) < 0 ? ctl_complain(demo->ctl, CTL_FAILED, "rotating.timer", "why", strerror(errno),
                                                 NULL) : demo_turn(demo);
    uint64_t ticks;
    while (result == CTL_OK && poll(fds, 2, -1) >= 0 && fds[0].revents == 0) {
        if (read(timer_fd, &ticks, sizeof(ticks)) < 0 && (errno != ECANCELED || start_timer(timer_fd) < 0))
            result = ctl_complain(demo->ctl, CTL_FAILED, "rotating.timer_failed", "why", strerror(errno), NULL);
        else
            result = demo_turn(demo);
    }
    return result;
}

static enum ctl_exit demo_run(struct demo *demo)
{
    sigset_t ending;
    (void)sigemptyset(&ending); /* these can't fail with signals that exist */
    (void)sigaddset(&ending, SIGINT);
    (void)sigaddset(&ending, SIGTERM);
    (void)sigaddset(&ending, SIGHUP);
    if (sigprocmask(SIG_BLOCK, &ending, NULL) < 0)
        return ctl_complain(demo->ctl, CTL_FAILED, "rotating.signals", "why", strerror(errno), NULL);
    const int signal_fd = signalfd(-1, &ending, SFD_CLOEXEC), timer_fd = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC);
    enum ctl_exit result = signal_fd < 0 || timer_fd < 0
                               ? ctl_complain(demo->ctl, CTL_FAILED, "rotating.timer", "why", strerror(errno), NULL)
                               : demo_loop(demo, signal_fd, timer_fd);
    if (demo->on_terminal)
        (void)fputs("\x1b[H\x1b[2J", stdout); /* a pass isn't left on the screen */
    if (signal_fd >= 0)
        (void)close(signal_fd);
    if (timer_fd >= 0)
        (void)close(timer_fd);
    return result;
}

static enum ctl_exit run_demo(struct ctl *ctl)
{
    struct demo demo = { .ctl = ctl, .on_terminal = isatty(STDOUT_FILENO) == 1 };
    enum ctl_exit result = demo_holder(&demo);
    if (result == CTL_OK)
        result = ctl->values[DEMO_ONCE] || ctl->values[DEMO_STEP] ? demo_once(&demo) : demo_run(&demo);
    sodium_memzero(&demo, sizeof(demo));
    return result;
}

const struct ctl_command CTL_TOKEN_ROTATE_DEMO = {
    .name = "token rotate-demo",
    .summary = "Show a pass that changes every 30 s, as a phone would",
    .details =
        "Example: qrgatectl token provision --subject badge:0042 --valid 1d | qrgatectl token rotate-demo --code -\n"
        "On a terminal it draws the QR code with a countdown until Ctrl-C; elsewhere it prints each code on a line.\n"
        "A gate accepts a step either side of its own clock, and none twice: a photograph is of no use a minute on.\n",
    .options = DEMO_OPTIONS,
    .run = run_demo,
};
