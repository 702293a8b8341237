/* Runs the publisher as main.c would, against a real or scripted broker, with a journal of N rows in memory, or (--journal FILE)
 * a real one. Prints one JSON line for each row marked as sent and for each message that reached the journal; ends with 0 when
 * all rows are marked, 1 when the time was up; at SIGTERM as main.c does, taking in what was acknowledged. --backlog N rows are
 * there before it begins; --resend SEQ is asked for once all is sent. --messages prints one of each kind of message with its
 * topic instead, for the check against the schemas. A test's tool, single-threaded but for Paho and the journal. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/health/latency.h"
#include "daemon/mqtt/publisher.h"
#include "driver_backlog.h"

enum { DRIVER_ROWS_MAX = 20000, RECORD_TAG = 7 };

/* The journal in memory: what is marked stays marked. The answer to a request waits for the next turn, as a thread's would. */
struct fake_journal {
    int64_t committed;
    bool sent[DRIVER_ROWS_MAX + 1];
    int64_t unsent;
    bool asked;
    int64_t asked_us;
    struct journal_request request;
    /* For what comes in: so many answers are -EIO, and each takes so long. */
    int64_t fail, answer_us;
    struct journal *real; /* else in memory */
    bool recording;
};

struct driver {
    struct mqtt_settings settings;
    int64_t rows, backlog, resend, row_every_us, deadline_us, linger_us;
    const char *path; /* of a real journal */
    struct latency record; /* how long the journal took for a row, its queue included */
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
    if (event.kind == EVENT_COMMAND || (event.kind == EVENT_OVERRIDE && event.reason == REASON_OPERATOR)) {
        (void)snprintf(event.verb, sizeof event.verb, "%s", event.kind == EVENT_COMMAND ? "mode" : "open");
        (void)snprintf(event.operator_name, sizeof event.operator_name, "control-room");
    }
    if (event.kind == EVENT_ALARM_BEGIN || event.kind == EVENT_ALARM_END)
        (void)snprintf(event.alarm, sizeof event.alarm, "camera_lost");
    (void)snprintf(event.detail, sizeof event.detail, "row \"%" PRId64 "\"\n", seq);
    return event;
}

static int print_health(void)
{
    const struct lane_health health[] = {
        {.memory_bytes = -1, .eye_memory_bytes = -1, .clock_error_us = -1, .clock_error_max_us = -1},
        {.at_us = 1, .clock_trusted = true, .uptime_s = 60, .frames = 1800, .broken_frames = 1, .scans = 900, .reads = 4,
         .eye_restarts = 1, .frames_per_1000_s = 29970, .frame_to_relay = {3, 6527, 8447}, .publish_to_ack = {9, 800, 2100},
         .unsent_rows = 1, .pending_events = 2, .inbox_messages = 3, .journal = {.used_bytes = 4096, .percent = 1, .first_seq = 1,
         .disk_free_bytes = 5}, .last_seq = 9, .has_temperature = true, .temperature_thousandths_c = -312, .memory_bytes = 1,
         .eye_memory_bytes = 2, .clock_synchronised = true, .clock_error_max_us = 16, .is_mqtt_5 = true, .has_certificate = true,
         .certificate_days_left = -1, .has_ca = true, .ca_days_left = 3650}};
    char text[MESSAGE_BYTES];
    for (size_t i = 0; i < sizeof health / sizeof health[0]; i++) {
        if (message_health(&health[i], text, sizeof text) < 0)
            return 1;
        (void)printf("health %s\n", text);
    }
    return 0;
}

static int print_responses(void)
{
    static const char id[] = "00112233445566778899aabbccddeeff";
    struct response responses[] = {
        {.verb = COMMAND_OPEN, .transaction = "a", .at_us = 1, .clock_trusted = true, .outcome = {.seq = 7, .mode = "normal"}},
        {.verb = COMMAND_RESEND, .transaction = "b", .outcome = {.from_seq = 1, .to_seq = 9}},
        {.verb = COMMAND_TIME, .transaction = "c", .monotonic_us = 5},
        {.verb = COMMAND_REPORT, .transaction = "d"},
        {.verb = COMMAND_VERB_COUNT, .outcome = {.error = COMMAND_UNKNOWN_VERB, .message = "no \"verb\""}}};
    char text[MESSAGE_BYTES];
    memcpy(responses[0].outcome.event_id, id, sizeof id);
    for (int error = COMMAND_OK; error < COMMAND_ERROR_COUNT; error++)
        for (size_t i = 0; i < sizeof responses / sizeof responses[0]; i++) {
            struct response response = responses[i];
            response.outcome.error = response.outcome.error != COMMAND_OK ? response.outcome.error : (enum command_error)error;
            if (response_write(&response, "{\"schema\":\"qrgate/health/1\"}", text, sizeof text) < 0)
                return 1;
            (void)printf("response %s\n", text);
        }
    return 0;
}

/* What qrgatectl export writes. */
static int print_exported(void)
{
    const struct declared declared[2] = {
        {.identities = {"cccd:022199012345", "badge:7"}, .declaration = {.status = STATUS_GREEN, .declared_at_s = 1767225600, .group = "night",
         .answers = {.symptoms = 1, .contacts = 1, .travelled = true, .symptoms_at_s = 1767225600, .contact_at_s = 1767225600,
                     .travel_at_s = 1767225600, .by = DECLARED_BY_GUARD}}},
        {.person = "00112233445566778899aabbccddeeff", .declaration = {.status = STATUS_REVOKED, .declared_at_s = 1767225600}}};
    const struct revocation revocations[2] = {{.token_id = {1}, .revoked_at_s = 1767225600},
                                              {.token_id = {2}, .revoked_at_s = 1767225601, .lifted = true}};
    char text[MESSAGE_BYTES];
    for (int i = 0; i < 2; i++) {
        if (inbound_declaration_write(&declared[i], text, sizeof text) < 0)
            return 1;
        (void)printf("declaration %s\n", text);
        if (inbound_revocation_write(&revocations[i], text, sizeof text) < 0)
            return 1;
        (void)printf("revocation %s\n", text);
    }
    return 0;
}

static int print_messages(void)
{
    static const char *const names[TOPIC_COUNT] = {"passage", "alarm"};
    const struct lane_state lane[2] = {
        {.camera = "no \"camera\"", .mode = "normal"},
        {.camera_open = true, .clock_trusted = true, .journal_ok = true, .out_of_order = true, .mode = "normal", .alarms = UINT32_MAX}};
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
        if (message_event(&event, seq / 2 % 2 == 0, seq % 5 == 0, text, sizeof text) < 0)
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
    if (print_health() != 0 || print_responses() != 0 || print_exported() != 0)
        return 1;
    const struct lane_chain_head head = {.at_us = 4, .clock_trusted = true, .head = {.seq = 5, .hash = {0xab, [31] = 1}}};
    if (message_chain_head(&head, text, sizeof text) < 0)
        return 1;
    (void)printf("chain_head %s\n", text);
    for (size_t i = 0; i < sizeof results / sizeof results[0]; i++) {
        if (message_result(&results[i], text, sizeof text) < 0)
            return 1;
        (void)printf("result %s\n", text);
    }
    return 0;
}

static void answer_outbox(struct fake_journal *journal, const struct journal_answer *answer)
{
    struct journal_batch *batch = journal->request.batch;
    const int room = batch->count;
    for (int i = 0; i < batch->count && answer->op == JOURNAL_MARK; i++) {
        int64_t seq = batch->seqs[i];
        journal->unsent -= !journal->sent[seq];
        if (!journal->sent[seq])
            (void)printf("{\"marked\":%" PRId64 "}\n", seq);
        journal->sent[seq] = true;
    }
    if (answer->op == JOURNAL_MARK)
        return;
    batch->count = 0;
    for (int64_t seq = journal->request.after_seq + 1; seq <= journal->committed && seq <= batch->until_seq; seq++)
        if (batch->count < room && (batch->sent_too || !journal->sent[seq]))
            batch->events[batch->count++] = make_row(seq);
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
    struct journal_answer answer = {.op = journal->request.op, .tag = journal->request.tag, .last_seq = journal->committed};
    bool outbox = answer.op == JOURNAL_MARK || answer.op == JOURNAL_READ;
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
    while (journal->committed < d->rows + d->backlog && journal->committed < due + d->backlog) {
        journal->committed++;
        journal->unsent++;
        publisher_row_committed(publisher, journal->committed);
    }
}

/* ---- a real journal ---- */

static int open_real(struct driver *d)
{
    static struct journal_settings settings;
    char why[256] = "";
    int r = d->backlog > 0 ? fill(d->path, d->backlog) : 0;
    (void)snprintf(settings.path, sizeof settings.path, "%s", d->path);
    (void)snprintf(settings.lane, sizeof settings.lane, "lane1");
    if (r == 0)
        r = journal_open(&settings, &d->journal.real, why, sizeof why);
    if (r < 0)
        (void)fprintf(stderr, "publisher_driver: %s\n", why);
    else
        d->backlog = d->journal.committed = journal_last_seq(d->journal.real);
    d->journal.unsent = 1; /* not known before its first answer */
    return r;
}

/* One row after the other, each with the time of its asking as monotonic_us. */
static void record_row(struct driver *d, int64_t started_us, int64_t at_us)
{
    struct fake_journal *journal = &d->journal;
    static struct journal_request request;
    int64_t next = journal->committed + 1, row = next - d->backlog;
    if (journal->recording || row > d->rows || at_us < started_us + row * d->row_every_us)
        return;
    request.op = JOURNAL_RECORD;
    request.tag = RECORD_TAG;
    request.event = plain_row(next);
    request.event.monotonic_us = at_us;
    journal->recording = journal_submit(journal->real, &request) == 0;
}

static void real_answers(struct driver *d, struct publisher *publisher)
{
    struct fake_journal *journal = &d->journal;
    struct journal_answer answer;
    while (journal_take(journal->real, &answer) > 0) {
        if (answer.error != 0)
            (void)fprintf(stderr, "publisher_driver: the journal: %s\n", strerror(-answer.error));
        journal->unsent = answer.unsent_rows;
        publisher_row_committed(publisher, answer.last_seq);
        if (answer.tag == RECORD_TAG) {
            journal->recording = false;
            journal->committed = answer.last_seq;
            latency_add(&d->record, now_us() - answer.event.monotonic_us);
        } else {
            journal->asked = false;
            publisher_answer(publisher, &answer);
        }
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
    struct pollfd ready[2] = {{.fd = publisher_fd(publisher), .events = POLLIN}, {.fd = -1, .events = POLLIN}};
    struct lane_state state = {.camera_open = true, .journal_ok = true, .clock_trusted = d->journal.committed % 2 == 0};
    int64_t at_us = now_us(), wait_us;
    if (d->journal.real != NULL) {
        ready[1].fd = journal_fd(d->journal.real);
        real_answers(d, publisher);
        record_row(d, started_us, at_us);
    } else {
        commit_rows(d, publisher, started_us, at_us);
        journal_answers(&d->journal, publisher);
    }
    publisher_state(publisher, &state);
    publisher_dispatch(publisher, at_us);
    if (!d->journal.asked) {
        memset(&d->journal.request, 0, offsetof(struct journal_request, payload));
        d->journal.asked = publisher_wants(publisher, &d->journal.request) &&
                           (d->journal.real == NULL || journal_submit(d->journal.real, &d->journal.request) == 0);
        d->journal.asked_us = now_us();
    }
    took(d, at_us);
    wait_us = publisher_deadline_us(publisher) - now_us();
    if (wait_us > 20000)
        wait_us = 20000;
    if (wait_us < 0)
        wait_us = 0;
    if (d->journal.asked && d->journal.real == NULL)
        wait_us = wait_us < d->journal.answer_us ? wait_us : d->journal.answer_us;
    if (poll(ready, 2, (int)((wait_us + 999) / 1000)) < 0 && errno != EINTR)
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
    int64_t started_us, closing_us, done_us = 0, turns = 0;
    bool settled, shared = false;
    int r = d->path != NULL ? open_real(d) : 0;
    if (r == 0)
        r = publisher_open(&d->settings, &publisher, why, sizeof why);
    if (r < 0) {
        (void)fprintf(stderr, "publisher_driver: %s\n", why);
        return 2;
    }
    if (d->path == NULL)
        d->journal.committed = d->journal.unsent = d->backlog;
    publisher_row_committed(publisher, d->journal.committed);
    started_us = now_us();
    while (r == 0 && !stop_asked && now_us() < d->deadline_us && (done_us == 0 || now_us() - done_us < d->linger_us)) {
        r = turn(d, publisher, started_us);
        turns++;
        if (publisher_connected(publisher) != shared) {
            shared = !shared;
            (void)printf("{\"shared\":%s}\n", shared ? "true" : "false");
        }
        if (done_us == 0 && d->journal.committed >= d->rows + d->backlog && d->journal.unsent == 0) {
            done_us = now_us();
            if (d->resend > 0)
                (void)printf("{\"resent_until\":%" PRId64 "}\n", publisher_resend(publisher, d->resend));
        }
    }
    settled = settle(d, publisher, started_us);
    closing_us = now_us();
    publisher_close(publisher);
    (void)printf("{\"settled\":%s,\"unsent\":%" PRId64 ",\"turns\":%" PRId64 ",\"slowest_call_us\":%" PRId64 ",\"close_us\":%" PRId64
                 ",\"run_us\":%" PRId64 ",\"done_us\":%" PRId64 ",\"record_p50_us\":%" PRId64 ",\"record_p99_us\":%" PRId64 "}\n",
                 settled ? "true" : "false", d->journal.unsent, turns, d->slowest_call_us, now_us() - closing_us,
                 closing_us - started_us, done_us == 0 ? 0 : done_us - started_us, latency_quantile_us(&d->record, 0.5),
                 latency_quantile_us(&d->record, 0.99));
    journal_close(d->journal.real);
    publisher_free(publisher);
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
    case 'C': (void)snprintf(s->cert_file, sizeof s->cert_file, "%s", value); break;
    case 'K': (void)snprintf(s->key_file, sizeof s->key_file, "%s", value); break;
    case 'V': s->protocol = strcmp(value, "5") == 0 ? MQTT_PROTOCOL_5 : strcmp(value, "3.1.1") == 0 ? MQTT_PROTOCOL_3_1_1 : 0; break;
    case 'w': s->window = (int)number; break;
    case 'a': s->ack_timeout_ms = (int)number; break;
    case 'k': s->keepalive_s = (int)number; break;
    case 'r': d->rows = number < DRIVER_ROWS_MAX ? number : DRIVER_ROWS_MAX; break;
    case 'b': d->backlog = number; break;
    case 'R': d->resend = number; break;
    case 'j': d->path = value; break;
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
        {"backlog", 1, NULL, 'b'}, {"resend", 1, NULL, 'R'},      {"journal", 1, NULL, 'j'},
        {"cert-file", 1, NULL, 'C'}, {"key-file", 1, NULL, 'K'},  {"protocol", 1, NULL, 'V'},
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
    if (d.path == NULL && d.rows + d.backlog > DRIVER_ROWS_MAX)
        return 2;
    return run(&d);
}
