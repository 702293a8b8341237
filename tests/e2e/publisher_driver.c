/* Runs the publisher as main.c would, against a real or scripted broker, with a journal of N rows in memory. Prints one JSON
 * line for each row marked as sent; ends with 0 when all are, 1 when the time was up. --messages prints one of each kind of
 * message with its topic instead, for the check against the schemas. A test's tool, single-threaded but for Paho. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/mqtt/publisher.h"

enum { DRIVER_ROWS_MAX = 20000 };

/* The journal in memory: what is marked stays marked. The answer to a request waits for the next turn, as a thread's would. */
struct fake_journal {
    int64_t rows, committed;
    bool sent[DRIVER_ROWS_MAX + 1];
    int64_t unsent;
    bool asked;
    struct journal_request request;
};

struct driver {
    struct mqtt_settings settings;
    int64_t rows, row_every_us, deadline_us, linger_us;
    int64_t slowest_call_us; /* the longest that any publisher_… call kept the main thread */
    struct fake_journal journal;
};

static volatile sig_atomic_t stop_asked;

static void on_signal(int number)
{
    (void)number;
    stop_asked = 1;
}

static int64_t now_us(void)
{
    struct timespec now;
    if (clock_gettime(CLOCK_MONOTONIC, &now) < 0)
        abort();
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static struct event make_row(int64_t seq)
{
    struct event event = {.seq = seq, .kind = (enum event_kind)(seq % EVENT_KIND_COUNT), .at_us = INT64_C(1767225600000000) + seq,
                          .monotonic_us = seq, .clock_trusted = seq % 2 == 0, .reason = (enum reason)(seq % REASON_COUNT),
                          .status = (enum declaration_status)(seq % STATUS_COUNT),
                          .credential = (enum credential_kind)(seq % CREDENTIAL_KIND_COUNT)};
    (void)snprintf(event.event_id, sizeof event.event_id, "%032" PRIx64, (uint64_t)seq);
    if (seq % 3 == 0)
        (void)snprintf(event.person, sizeof event.person, "%032" PRIx64, UINT64_MAX - (uint64_t)seq);
    if (event.kind == EVENT_COMPLETED || event.kind == EVENT_NOT_USED)
        (void)snprintf(event.bound_event_id, sizeof event.bound_event_id, "%032" PRIx64, (uint64_t)seq - 1);
    if (event.kind == EVENT_ALARM_BEGIN || event.kind == EVENT_ALARM_END)
        (void)snprintf(event.alarm, sizeof event.alarm, "camera_lost");
    (void)snprintf(event.detail, sizeof event.detail, "row \"%" PRId64 "\"\n", seq);
    return event;
}

static int print_messages(void)
{
    static const char *const names[TOPIC_COUNT] = {"passage", "alarm", "state", "info", "availability"};
    const struct lane_state lane[2] = {{.camera = "no \"camera\""}, {true, true, true, true, ""}};
    const struct outbox_state outbox = {.unsent_rows = 5, .broker_connects = 1};
    const struct lane_info info[2] = {{.version = "1", .site = "s", .lane = "l"},
                                      {.version = "1", .site = "s", .lane = "l", .lines = "relay=…", .libraries = {{"zbar", "0"}}}};
    char text[MESSAGE_BYTES];
    for (int64_t seq = 1; seq <= EVENT_KIND_COUNT * REASON_COUNT * STATUS_COUNT; seq++) {
        struct event event = make_row(seq);
        if (message_event(&event, text, sizeof text) < 0)
            return 1;
        (void)printf("%s %s\n", names[message_topic(event.kind)], text);
    }
    for (int i = 0; i < 2; i++) {
        if (message_state(&lane[i], &outbox, "1", text, sizeof text) < 0)
            return 1;
        (void)printf("state %s\n", text);
        if (message_info(&info[i], text, sizeof text) < 0)
            return 1;
        (void)printf("info %s\n", text);
    }
    return 0;
}

static void journal_answers(struct fake_journal *journal, struct publisher *publisher)
{
    struct journal_answer answer = {.op = journal->request.op, .tag = journal->request.tag};
    int64_t seq = journal->request.after_seq;
    if (!journal->asked)
        return;
    journal->asked = false;
    if (answer.op == JOURNAL_MARK_SENT) {
        if (!journal->sent[seq]) {
            journal->sent[seq] = true;
            journal->unsent--;
            (void)printf("{\"marked\":%" PRId64 "}\n", seq);
        }
    } else {
        while (++seq <= journal->committed && journal->sent[seq])
            continue;
        answer.found = seq <= journal->committed;
        if (answer.found)
            answer.event = make_row(seq);
    }
    answer.unsent_rows = journal->unsent;
    publisher_answer(publisher, &answer);
}

static void commit_rows(struct driver *d, struct publisher *publisher, int64_t started_us, int64_t at_us)
{
    struct fake_journal *journal = &d->journal;
    int64_t due = d->row_every_us > 0 ? (at_us - started_us) / d->row_every_us + 1 : d->rows;
    while (journal->committed < d->rows && journal->committed < due) {
        journal->committed++;
        journal->unsent++;
        publisher_row_committed(publisher);
    }
}

static void took(struct driver *d, int64_t since_us)
{
    int64_t us = now_us() - since_us;
    if (us > d->slowest_call_us)
        d->slowest_call_us = us;
}

/* One turn of main's loop. */
static int turn(struct driver *d, struct publisher *publisher, int64_t started_us)
{
    struct pollfd ready = {.fd = publisher_fd(publisher), .events = POLLIN};
    struct lane_state state = {.camera_open = true, .journal_ok = true, .clock_trusted = d->journal.committed % 2 == 0};
    int64_t at_us = now_us(), wait_us;
    commit_rows(d, publisher, started_us, at_us);
    journal_answers(&d->journal, publisher);
    publisher_state(publisher, &state);
    publisher_dispatch(publisher, at_us);
    if (!d->journal.asked)
        d->journal.asked = publisher_wants(publisher, &d->journal.request);
    took(d, at_us);
    wait_us = publisher_deadline_us(publisher) - now_us();
    if (wait_us > 20000)
        wait_us = 20000;
    if (wait_us < 0 || d->journal.asked)
        wait_us = 0;
    if (poll(&ready, 1, (int)((wait_us + 999) / 1000)) < 0 && errno != EINTR)
        return -errno;
    return 0;
}

static int run(struct driver *d)
{
    struct publisher *publisher = NULL;
    char why[256] = "";
    int64_t started_us = now_us(), closing_us, done_us = 0, turns = 0;
    int r = publisher_open(&d->settings, &publisher, why, sizeof why);
    if (r < 0) {
        (void)fprintf(stderr, "publisher_driver: %s\n", why);
        return 2;
    }
    while (r == 0 && !stop_asked && now_us() < d->deadline_us && (done_us == 0 || now_us() - done_us < d->linger_us)) {
        r = turn(d, publisher, started_us);
        turns++;
        if (done_us == 0 && d->journal.committed == d->rows && d->journal.unsent == 0)
            done_us = now_us();
    }
    closing_us = now_us();
    publisher_close(publisher);
    (void)printf("{\"unsent\":%" PRId64 ",\"turns\":%" PRId64 ",\"slowest_call_us\":%" PRId64 ",\"close_us\":%" PRId64
                 ",\"run_us\":%" PRId64 "}\n", d->journal.unsent, turns, d->slowest_call_us, now_us() - closing_us,
                 closing_us - started_us);
    return r < 0 ? 2 : done_us != 0 ? 0 : 1;
}

static void take_option(struct driver *d, int option, const char *value)
{
    struct mqtt_settings *s = &d->settings;
    int64_t number = strtoll(value, NULL, 10);
    switch (option) {
    case 'H': (void)snprintf(s->host, sizeof s->host, "%s", value); break;
    case 'p': s->port = (int)number; break;
    case 'u': (void)snprintf(s->username, sizeof s->username, "%s", value); break;
    case 'P': (void)snprintf(s->password_file, sizeof s->password_file, "%s", value); break;
    case 'c': (void)snprintf(s->ca_file, sizeof s->ca_file, "%s", value); break;
    case 'w': s->window = (int)number; break;
    case 'a': s->ack_timeout_ms = (int)number; break;
    case 'k': s->keepalive_s = (int)number; break;
    case 'r': d->rows = number < DRIVER_ROWS_MAX ? number : DRIVER_ROWS_MAX; break;
    case 'e': d->row_every_us = number * 1000; break;
    case 's': d->deadline_us = now_us() + number * 1000000; break;
    case 'l': d->linger_us = number * 1000; break;
    default: break;
    }
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"host", 1, NULL, 'H'},    {"port", 1, NULL, 'p'},        {"username", 1, NULL, 'u'}, {"password-file", 1, NULL, 'P'},
        {"ca-file", 1, NULL, 'c'}, {"window", 1, NULL, 'w'},      {"ack-ms", 1, NULL, 'a'},   {"keepalive", 1, NULL, 'k'},
        {"rows", 1, NULL, 'r'},    {"row-every-ms", 1, NULL, 'e'}, {"seconds", 1, NULL, 's'},  {"linger-ms", 1, NULL, 'l'},
        {"messages", 0, NULL, 'm'}, {0}};
    static struct driver d = {.settings = {.enabled = true, .host = "127.0.0.1", .client_id = "qrgate-test-driver",
                                           .prefix = "qrgate", .site = "test", .lane = "lane1", .keepalive_s = 30, .window = 20,
                                           .reconnect_min_ms = 20, .reconnect_max_ms = 200, .connect_timeout_ms = 2000},
                              .rows = 100};
    struct sigaction action = {.sa_handler = on_signal};
    int option;
    d.deadline_us = now_us() + 20000000;
    if (sigaction(SIGTERM, &action, NULL) < 0)
        return 2;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'm')
            return print_messages();
        if (option == '?')
            return 2;
        take_option(&d, option, optarg);
    }
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    return run(&d);
}
