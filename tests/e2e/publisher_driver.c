/* Runs the publisher as main.c would, against a real or scripted broker, with a journal of N rows in memory. Prints one JSON
 * line for each row marked as sent and for each message that reached the journal; ends with 0 when all rows are marked, 1 when
 * the time was up; at SIGTERM as main.c does, taking in what was acknowledged. --messages prints one of each kind of
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
    int64_t asked_us;
    struct journal_request request;
    /* For what comes in: so many answers are -EIO, and each takes so long. */
    int64_t fail, answer_us;
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
                          .monotonic_us = seq, .clock_trusted = seq % 2 == 0, .reason = (enum reason)(seq / EVENT_KIND_COUNT % REASON_COUNT),
                          .status = (enum declaration_status)(seq % STATUS_COUNT),
                          .credential = (enum credential_kind)(seq % CREDENTIAL_KIND_COUNT),
                          .direction = (enum direction)(seq / 3 % DIRECTION_COUNT),
                          .scope = (enum presence_scope)(seq % PRESENCE_SCOPE_COUNT)};
    (void)snprintf(event.event_id, sizeof event.event_id, "%032" PRIx64, (uint64_t)seq);
    if (seq % 3 == 0)
        (void)snprintf(event.person, sizeof event.person, "%032" PRIx64, UINT64_MAX - (uint64_t)seq);
    if (event.kind == EVENT_COMPLETED || event.kind == EVENT_NOT_USED || event.kind == EVENT_INTERRUPTED)
        (void)snprintf(event.bound_event_id, sizeof event.bound_event_id, "%032" PRIx64, (uint64_t)seq - 1);
    if (event.kind == EVENT_ALARM_BEGIN || event.kind == EVENT_ALARM_END)
        (void)snprintf(event.alarm, sizeof event.alarm, "camera_lost");
    (void)snprintf(event.detail, sizeof event.detail, "row \"%" PRId64 "\"\n", seq);
    return event;
}

static int print_messages(void)
{
    static const char *const names[TOPIC_COUNT] = {"passage", "alarm", "state", "info", "availability", "result", "muster"};
    const struct lane_state lane[2] = {{.camera = "no \"camera\"", .mode = "normal"}, {true, true, true, true, "", "normal"}};
    const struct mqtt_counts counts[2] = {{.unsent_rows = 5, .broker_connects = 1},
                                          {.broker_connects = 2, .declarations_taken = 1, .presence_shared = true}};
    const struct message_result results[] = {
        {.of = INBOUND_DECLARATION, .kind = RESULT_TAKEN, .transaction = "a", .at_us = 1},
        {.of = INBOUND_REVOCATION, .kind = RESULT_OLDER, .transaction = "b"},
        {.of = INBOUND_DECLARATION, .kind = RESULT_REJECTED, .why = "not \"JSON\""}};
    const struct lane_info info[2] = {{.version = "1", .site = "s", .lane = "l"},
                                      {.version = "1", .site = "s", .lane = "l", .lines = "relay=…", .libraries = {{"zbar", "0"}}}};
    struct muster_row rows[2] = {{.since_us = 1, .lane = "gate-1"}, {.since_us = 2}};
    struct message_muster list[2] = {{.at_us = 3, .page = 1, .rows = rows, .count = 2, .inside = 2, .presence_shared = true},
                                     {.at_us = 3, .page = 2, .last = true, .inside = 2, .clock_trusted = true}};
    char text[MESSAGE_BYTES];
    for (int i = 0; i < 2; i++)
        (void)snprintf(rows[i].person, sizeof rows[i].person, "%032d", i);
    for (int64_t seq = 1; seq <= EVENT_KIND_COUNT * REASON_COUNT * STATUS_COUNT; seq++) {
        struct event event = make_row(seq);
        if (message_event(&event, seq / 2 % 2 == 0, text, sizeof text) < 0)
            return 1;
        (void)printf("%s %s\n", names[message_topic(event.kind)], text);
    }
    for (int i = 0; i < 2; i++) {
        if (message_state(&lane[i], &counts[i], "1", text, sizeof text) < 0)
            return 1;
        (void)printf("state %s\n", text);
        if (message_info(&info[i], text, sizeof text) < 0)
            return 1;
        (void)printf("info %s\n", text);
        if (message_muster(&list[i], text, sizeof text) < 0)
            return 1;
        (void)printf("muster %s\n", text);
    }
    for (size_t i = 0; i < sizeof results / sizeof results[0]; i++) {
        if (message_result(&results[i], text, sizeof text) < 0)
            return 1;
        (void)printf("result %s\n", text);
    }
    return 0;
}

static void answer_outbox(struct fake_journal *journal, struct journal_answer *answer)
{
    int64_t seq = journal->request.after_seq;
    if (answer->op == JOURNAL_MARK_SENT) {
        if (!journal->sent[seq]) {
            journal->sent[seq] = true;
            journal->unsent--;
            (void)printf("{\"marked\":%" PRId64 "}\n", seq);
        }
        return;
    }
    while (++seq <= journal->committed && journal->sent[seq])
        continue;
    answer->found = seq <= journal->committed;
    if (answer->found)
        answer->event = make_row(seq);
}

/* A register that forgets: what was declared before 2026 is older than what it has, and a person with two numbers is two. */
static void answer_intake(struct fake_journal *journal, struct journal_answer *answer)
{
    const struct declared *declared = &journal->request.declared;
    const struct followed_passage *passage = &journal->request.passage;
    if (journal->fail > 0) {
        journal->fail--;
        answer->error = -EIO;
        return;
    }
    answer->taken = true;
    if (answer->op == JOURNAL_DECLARE) {
        answer->taken = declared->declaration.declared_at_s >= 1767225600;
        answer->error = declared->identities[1][0] != '\0' ? -EEXIST : 0;
        (void)printf("{\"declared\":\"%s\",\"source\":\"%s\"}\n",
                     declared->person[0] != '\0' ? declared->person : declared->identities[0], declared->source);
    } else if (answer->op == JOURNAL_REVOKE) {
        (void)printf("{\"revoked\":%d}\n", journal->request.revocation.token_id[0]);
    } else {
        (void)printf("{\"followed\":\"%s\",\"lane\":\"%s\",\"direction\":\"%s\",\"person\":\"%s\"}\n", passage->event_id,
                     passage->lane, direction_name(passage->direction), passage->person);
    }
}

static void journal_answers(struct fake_journal *journal, struct publisher *publisher)
{
    struct journal_answer answer = {.op = journal->request.op, .tag = journal->request.tag};
    bool outbox = answer.op == JOURNAL_MARK_SENT || answer.op == JOURNAL_READ_UNSENT;
    if (!journal->asked || (!outbox && now_us() - journal->asked_us < journal->answer_us))
        return;
    journal->asked = false;
    if (outbox)
        answer_outbox(journal, &answer);
    else
        answer_intake(journal, &answer);
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
    if (!d->journal.asked) {
        memset(&d->journal.request, 0, offsetof(struct journal_request, payload));
        d->journal.asked = publisher_wants(publisher, &d->journal.request);
        d->journal.asked_us = now_us();
    }
    took(d, at_us);
    wait_us = publisher_deadline_us(publisher) - now_us();
    if (wait_us > 20000)
        wait_us = 20000;
    if (wait_us < 0)
        wait_us = 0;
    if (d->journal.asked)
        wait_us = wait_us < d->journal.answer_us ? wait_us : d->journal.answer_us;
    if (poll(&ready, 1, (int)((wait_us + 999) / 1000)) < 0 && errno != EINTR)
        return -errno;
    return 0;
}

/* As main.c: what the broker believes delivered reaches the journal, within a bound. */
static bool settle(struct driver *d, struct publisher *publisher, int64_t started_us)
{
    int64_t until_us = now_us() + 2000000;
    int r = 0;
    while (!publisher_settle(publisher) && r == 0 && now_us() < until_us)
        r = turn(d, publisher, started_us);
    return publisher_settle(publisher);
}

static int run(struct driver *d)
{
    struct publisher *publisher = NULL;
    char why[256] = "";
    int64_t started_us = now_us(), closing_us, done_us = 0, turns = 0;
    bool settled, shared = false;
    int r = publisher_open(&d->settings, &publisher, why, sizeof why);
    if (r < 0) {
        (void)fprintf(stderr, "publisher_driver: %s\n", why);
        return 2;
    }
    while (r == 0 && !stop_asked && now_us() < d->deadline_us && (done_us == 0 || now_us() - done_us < d->linger_us)) {
        r = turn(d, publisher, started_us);
        turns++;
        if (publisher_connected(publisher) != shared) {
            shared = !shared;
            (void)printf("{\"shared\":%s}\n", shared ? "true" : "false");
        }
        if (done_us == 0 && d->journal.committed == d->rows && d->journal.unsent == 0)
            done_us = now_us();
    }
    settled = settle(d, publisher, started_us);
    closing_us = now_us();
    publisher_close(publisher);
    (void)printf("{\"settled\":%s,\"unsent\":%" PRId64 ",\"turns\":%" PRId64 ",\"slowest_call_us\":%" PRId64 ",\"close_us\":%" PRId64
                 ",\"run_us\":%" PRId64 "}\n", settled ? "true" : "false", d->journal.unsent, turns, d->slowest_call_us, now_us() - closing_us,
                 closing_us - started_us);
    return r < 0 ? 2 : done_us != 0 ? 0 : 1;
}

static void take_option(struct driver *d, int option, const char *value)
{
    struct mqtt_settings *s = &d->settings;
    int64_t number = value != NULL ? strtoll(value, NULL, 10) : 0;
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
    case 'S': s->session_expiry_s = (int)number; break;
    case 'f': s->follow = true; break;
    case 'd': s->declarations = true; break;
    case 'F': d->journal.fail = number; break;
    case 'A': d->journal.answer_us = number * 1000; break;
    case 'L':
        (void)snprintf(s->lane, sizeof s->lane, "%s", value);
        (void)snprintf(s->client_id, sizeof s->client_id, "qrgate-test-%s", value);
        break;
    default: break;
    }
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"host", 1, NULL, 'H'},    {"port", 1, NULL, 'p'},        {"username", 1, NULL, 'u'}, {"password-file", 1, NULL, 'P'},
        {"ca-file", 1, NULL, 'c'}, {"window", 1, NULL, 'w'},      {"ack-ms", 1, NULL, 'a'},   {"keepalive", 1, NULL, 'k'},
        {"rows", 1, NULL, 'r'},    {"row-every-ms", 1, NULL, 'e'}, {"seconds", 1, NULL, 's'},  {"linger-ms", 1, NULL, 'l'},
        {"messages", 0, NULL, 'm'}, {"session-s", 1, NULL, 'S'},  {"follow", 0, NULL, 'f'},   {"declarations", 0, NULL, 'd'},
        {"fail", 1, NULL, 'F'},    {"answer-ms", 1, NULL, 'A'},   {"lane", 1, NULL, 'L'},     {0}};
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
