/* One lane under load: the real passage, journal, outbox and Paho code; the camera is a clock that shows another card each time,
 * the lines are a panel that nobody sees. Run N times by load.py; speaks with it by lines:
 *
 *     load_lane --config FILE --passages N --every-ms MS
 *     < "ready"           connected, and the other lanes of its site are heard
 *     > "go MONOTONIC_US" its first passage is at that time
 *     < one JSON object   all passages are published and acknowledged, or the time for that is over
 *     > end of file       it ends, as qrgated does
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "daemon/health/clock.h"
#include "daemon/passage.h"

enum { STATE_EVERY_US = 1000000, PATIENCE_US = 60000000, SETTLE_US = 2000000, CARDS = 50, WAIT_MAX_US = 100000 };

struct load {
    struct settings settings;
    struct lines *lines;
    struct relay_guard *guard;
    struct journal *journal;
    struct publisher *publisher;
    struct watchdog watchdog;
    struct passage passage;
    struct link_message seen;
    int64_t passages, every_us, shown, next_at_us, last_at_us, state_at_us; /* next_at_us 0: "go" hasn't come */
    bool ready, done, end;
};

static int open_devices(struct load *l)
{
    char why[256] = "";
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    int r = nowhere < 0 ? -errno : lines_sim_open(&l->settings.lines, nowhere, &l->lines, why, sizeof why);
    if (r == 0)
        r = relay_guard_open(l->lines, false, &l->guard);
    l->settings.journal.opened_monotonic_us = clock_monotonic_us();
    l->settings.journal.opened_at_us = clock_unix_us();
    if (r == 0)
        r = journal_open(&l->settings.journal, &l->journal, why, sizeof why);
    if (r == 0)
        r = publisher_open(&l->settings.mqtt, &l->publisher, why, sizeof why);
    if (r < 0)
        (void)fprintf(stderr, "load_lane: %s %s\n", strerror(-r), why);
    return r;
}

/* As if the eye had read the next person's card. */
static void show_card(struct load *l, int64_t now_us)
{
    int length = snprintf((char *)l->seen.payload, sizeof l->seen.payload, "0220990%05d||Nguoi Thu %d|30121999|Nam|Xa Hai|01082024",
                          (int)(l->shown % CARDS), (int)(l->shown % CARDS));
    l->seen.kind = LINK_SEEN;
    l->seen.length_bytes = (uint32_t)length;
    l->seen.captured_at_us = l->seen.sent_at_us = now_us;
    passage_seen(&l->passage, &l->seen, now_us);
    l->shown++;
    l->last_at_us = now_us;
    l->next_at_us += l->every_us;
}

static void tell(struct load *l, int64_t now_us)
{
    struct rusage used;
    if (!l->ready && publisher_connected(l->publisher)) {
        l->ready = true;
        (void)puts("ready");
    }
    if (l->done || l->shown < l->passages || !passage_all_recorded(&l->passage))
        return;
    /* A moment for the last answer of the journal, then until nothing waits for the broker. */
    if (now_us - l->last_at_us < l->every_us ||
        (publisher_unsent_rows(l->publisher) > 0 && now_us - l->last_at_us < PATIENCE_US) || getrusage(RUSAGE_SELF, &used) < 0)
        return;
    l->done = true;
    (void)printf("{\"shown\":%" PRId64 ",\"granted\":%" PRIu64 ",\"last_seq\":%" PRId64 ",\"unsent\":%" PRId64
                 ",\"cpu_us\":%" PRId64 ",\"rss_kb\":%ld,\"relay_p50_us\":%" PRId64 ",\"relay_p99_us\":%" PRId64 "}\n",
                 l->shown, l->passage.frame_to_relay.count,
                 l->passage.last_seq, publisher_unsent_rows(l->publisher),
                 (int64_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000 + used.ru_utime.tv_usec + used.ru_stime.tv_usec,
                 used.ru_maxrss, latency_quantile_us(&l->passage.frame_to_relay, 0.5),
                 latency_quantile_us(&l->passage.frame_to_relay, 0.99));
}

static void listen_to_load(struct load *l)
{
    char line[64] = "";
    ssize_t got = read(STDIN_FILENO, line, sizeof line - 1);
    int64_t at_us;
    if (got <= 0)
        l->end = true;
    else if (sscanf(line, "go %" SCNd64, &at_us) == 1)
        l->next_at_us = at_us;
}

/* One turn of main's loop. */
static int turn(struct load *l)
{
    int64_t now_us = clock_monotonic_us(), until_us = now_us + WAIT_MAX_US, next_us;
    struct pollfd ready[] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = journal_fd(l->journal), .events = POLLIN},
                             {.fd = publisher_fd(l->publisher), .events = POLLIN}};
    const struct lane_state state = {.camera_open = true, .clock_trusted = true, .journal_ok = true, .mode = "normal"};
    publisher_dispatch(l->publisher, now_us);
    passage_answers(&l->passage, now_us);
    if (l->next_at_us != 0 && now_us >= l->next_at_us && l->shown < l->passages)
        show_card(l, now_us);
    passage_advance(&l->passage, now_us);
    if (now_us >= l->state_at_us) {
        l->state_at_us = now_us + STATE_EVERY_US;
        publisher_state(l->publisher, &state);
    }
    tell(l, now_us);
    next_us = passage_next_us(&l->passage, now_us);
    until_us = next_us < until_us ? next_us : until_us;
    next_us = publisher_deadline_us(l->publisher);
    until_us = next_us < until_us ? next_us : until_us;
    if (l->next_at_us != 0 && l->shown < l->passages && l->next_at_us < until_us)
        until_us = l->next_at_us;
    now_us = clock_monotonic_us();
    if (poll(ready, 3, until_us > now_us ? (int)((until_us - now_us + 999) / 1000) : 0) < 0 && errno != EINTR)
        return -errno;
    if ((ready[0].revents & (POLLIN | POLLHUP)) != 0)
        listen_to_load(l);
    return l->passage.wires.error;
}

static void finish(struct load *l)
{
    int64_t until_us = clock_monotonic_us() + SETTLE_US;
    passage_stop(&l->passage, clock_monotonic_us());
    while (!publisher_settle(l->publisher) && clock_monotonic_us() < until_us) {
        struct pollfd journal = {.fd = journal_fd(l->journal), .events = POLLIN};
        passage_advance(&l->passage, clock_monotonic_us());
        if (poll(&journal, 1, 50) > 0)
            passage_answers(&l->passage, clock_monotonic_us());
    }
}

static int run(struct load *l)
{
    int r = open_devices(l);
    if (r == 0) {
        watchdog_init(&l->watchdog, 0, clock_monotonic_us());
        passage_init(&l->passage, &l->settings, l->lines, l->guard, l->journal, l->publisher, &l->watchdog, clock_monotonic_us());
        publisher_row_committed(l->publisher, journal_last_seq(l->journal));
        while (r == 0 && !l->end)
            r = turn(l);
        finish(l);
    }
    publisher_close(l->publisher);
    journal_close(l->journal);
    publisher_free(l->publisher);
    relay_guard_close(l->guard);
    lines_close(l->lines);
    settings_free_keys(&l->settings);
    return r < 0 || !l->done ? 1 : 0;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"config", 1, NULL, 'c'}, {"passages", 1, NULL, 'n'}, {"every-ms", 1, NULL, 'e'}, {0}};
    static struct load l;
    const char *config = NULL;
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'c')
            config = optarg;
        else if (option == 'n')
            l.passages = strtoll(optarg, NULL, 10);
        else if (option == 'e')
            l.every_us = strtoll(optarg, NULL, 10) * 1000;
        else
            return 2;
    }
    if (config == NULL || l.passages < 1 || l.every_us < 1000) {
        (void)fprintf(stderr, "usage: load_lane --config FILE --passages N --every-ms MS\n");
        return 2;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    if (sodium_init() < 0 || settings_load(config, &l.settings, stderr) != 0 || settings_load_keys(&l.settings, true, stderr) != 0)
        return 1;
    return run(&l);
}
