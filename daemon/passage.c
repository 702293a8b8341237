/* One person's way through: read this file from passage_seen() down. Main thread. */
#include "daemon/passage.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "daemon/health/clock.h"

enum { STALE_SEEN_US = 1000000 };
enum { TAG_PUBLISHER = 1, TAG_PENDING = 2, TAG_PING = 3, TAG_FIRST_QUESTION = 16, PING_EVERY_MS = 1000 };

static const enum line_out wire_of[LANE_OUTPUT_COUNT] = {
    [LANE_RELAY] = LINE_RELAY,           [LANE_BUZZER] = LINE_BUZZER,     [LANE_LAMP_GREEN] = LINE_LAMP_GREEN,
    [LANE_LAMP_AMBER] = LINE_LAMP_AMBER, [LANE_LAMP_RED] = LINE_LAMP_RED,
};
static const char *const alarm_names[PASSAGE_ALARM_COUNT] = {
    [ALARM_CAMERA_LOST] = "camera_lost", [ALARM_JOURNAL_FAILING] = "journal_failing"};

void passage_init(struct passage *p, const struct settings *settings, struct lines *lines, struct journal *journal,
                  struct publisher *publisher, struct watchdog *watchdog, int64_t now_us)
{
    bool pressed = false;
    memset(p, 0, sizeof *p);
    p->settings = settings;
    p->lines = lines;
    p->journal = journal;
    p->publisher = publisher;
    p->watchdog = watchdog;
    p->next_tag = TAG_FIRST_QUESTION;
    lane_init(&p->lane, &settings->lane_settings);
    p->lines_error = lines_get(lines, LINE_BUTTON, &pressed);
    debounce_init(&p->button, pressed, now_us); /* held down at start: no press until it was released */
}

static void stamp(const struct passage *p, struct event *event, int64_t now_us)
{
    uint8_t random[16];
    randombytes_buf(random, sizeof random);
    (void)sodium_bin2hex(event->event_id, sizeof event->event_id, random, sizeof random);
    event->monotonic_us = now_us;
    event->at_us = clock_unix_us() - (clock_monotonic_us() - now_us);
    event->clock_trusted = p->settings->clock_trust == SETTINGS_CLOCK_ALWAYS || clock_synchronised();
}

/* Local time's, for schedules and midnight. 0 when the C library knows no zone. */
static int32_t utc_offset_s(int64_t at_us)
{
    const time_t at_s = (time_t)(at_us / 1000000);
    struct tm local;
    return localtime_r(&at_s, &local) != NULL ? (int32_t)local.tm_gmtoff : 0;
}

static void record(struct passage *p, const struct event *event)
{
    if (!pending_add(&p->pending, event))
        (void)fprintf(stderr, "<1>journal: %d events wait and the next is lost (%s); mend the disk\n", PENDING_MAX,
                      event_kind_name(event->kind));
}

void passage_note(struct passage *p, enum event_kind kind, const char *detail, int64_t now_us)
{
    struct event event = {.kind = kind, .reason = REASON_NONE};
    stamp(p, &event, now_us);
    (void)snprintf(event.detail, sizeof event.detail, "%s", detail);
    record(p, &event);
}

void passage_alarm(struct passage *p, enum passage_alarm alarm, bool on, int64_t now_us)
{
    struct event event = {.kind = on ? EVENT_ALARM_BEGIN : EVENT_ALARM_END, .reason = REASON_NONE};
    bool any = false;
    if (p->alarms[alarm] == on)
        return;
    p->alarms[alarm] = on;
    stamp(p, &event, now_us);
    (void)snprintf(event.alarm, sizeof event.alarm, "%s", alarm_names[alarm]);
    record(p, &event);
    (void)fprintf(stderr, "<%d>alarm: %s %s\n", on ? 4 : 5, alarm_names[alarm], on ? "begins" : "ends");
    for (int i = 0; i < PASSAGE_ALARM_COUNT; i++)
        any = any || p->alarms[i];
    lane_set_out_of_order(&p->lane, any);
}

static void show(struct passage *p, const char *kind, enum reason reason, const char *event_id)
{
    char text[128];
    (void)snprintf(text, sizeof text, "%s %s %s", kind, reason_name(reason), event_id);
    lines_show(p->lines, text);
}

/* 1. A code is in view. Asked once; while it stays in view it is the same showing. */
void passage_seen(struct passage *p, const struct link_message *seen, int64_t now_us)
{
    uint8_t digest[REPEAT_DIGEST_BYTES];
    struct passage_question *question = NULL;
    struct journal_request *request = &p->request;
    if (now_us - seen->sent_at_us > STALE_SEEN_US)
        return; /* this loop was held up: whoever showed it may be gone, and who still stands there is seen again */
    (void)crypto_hash_sha256(digest, seen->payload, seen->length_bytes);
    if (!repeat_is_new(&p->repeat, digest, now_us, p->settings->leave_ms))
        return;
    for (int i = 0; i < PASSAGE_OPEN_QUESTIONS_MAX && question == NULL; i++)
        if (!p->questions[i].used)
            question = &p->questions[i];
    if (question == NULL || !lane_can_open(&p->lane)) {
        repeat_forget(&p->repeat, digest); /* asked again at its next sighting */
        return;
    }
    memset(request, 0, offsetof(struct journal_request, payload));
    request->op = JOURNAL_DECIDE;
    request->tag = p->next_tag;
    stamp(p, &request->event, now_us);
    request->utc_offset_s = utc_offset_s(request->event.at_us);
    request->presence_shared = publisher_connected(p->publisher);
    request->payload_bytes = seen->length_bytes;
    memcpy(request->payload, seen->payload, seen->length_bytes);
    if (journal_submit(p->journal, request) != 0) {
        repeat_forget(&p->repeat, digest);
        return;
    }
    *question = (struct passage_question){.used = true, .tag = p->next_tag++, .captured_at_us = seen->captured_at_us,
                                          .asked_at_us = now_us};
    memcpy(question->digest, digest, sizeof digest);
}

static void fail_question(struct passage *p, struct passage_question *question, int64_t now_us)
{
    const struct verdict failed = {.action = VERDICT_DENY, .reason = REASON_JOURNAL_FAILED, .status = STATUS_NONE};
    question->late = true;
    repeat_forget(&p->repeat, question->digest); /* held there, it is tried again */
    lane_verdict(&p->lane, &failed, "", now_us);
    show(p, "failed", REASON_JOURNAL_FAILED, "-");
    passage_alarm(p, ALARM_JOURNAL_FAILING, true, now_us);
}

/* 2. The answer is on disk: only now may the relay move. */
static void decided(struct passage *p, const struct journal_answer *answer, int64_t now_us)
{
    struct passage_question *question = NULL;
    for (int i = 0; i < PASSAGE_OPEN_QUESTIONS_MAX; i++)
        if (p->questions[i].used && p->questions[i].tag == answer->tag)
            question = &p->questions[i];
    if (question == NULL)
        return;
    question->used = false;
    if (answer->error != 0) {
        if (!question->late)
            fail_question(p, question, now_us);
        return;
    }
    /* Overdue though nobody has said so yet: this loop itself was held up, and the person may be gone. */
    if (!question->late && now_us - question->asked_at_us > (int64_t)p->settings->journal_deadline_ms * 1000)
        fail_question(p, question, now_us);
    if (question->late || p->stopping) { /* recorded after all, but the relay stays: say that nobody went through */
        if (answer->event.kind == EVENT_GRANTED) {
            struct event event = {.kind = EVENT_NOT_USED, .reason = REASON_JOURNAL_FAILED, .status = answer->event.status};
            stamp(p, &event, now_us);
            memcpy(event.bound_event_id, answer->event.event_id, sizeof event.bound_event_id);
            record(p, &event);
        }
        return;
    }
    lane_verdict(&p->lane, &answer->verdict, answer->event.event_id, now_us);
    if (answer->verdict.action == VERDICT_OPEN)
        p->relay_cause_us = question->captured_at_us;
    passage_advance(p, now_us); /* the relay first, the telling after */
    show(p, event_kind_name(answer->event.kind), answer->event.reason, answer->event.event_id);
}

void passage_answers(struct passage *p, int64_t now_us)
{
    struct journal_answer answer;
    while (journal_take(p->journal, &answer) > 0) {
        watchdog_progress(p->watchdog, WATCHDOG_JOURNAL, now_us);
        /* The answer to a plain ping says the thread lives, not that the disk takes rows. */
        if (answer.error == 0 && (answer.op == JOURNAL_DECIDE || answer.op == JOURNAL_RECORD))
            passage_alarm(p, ALARM_JOURNAL_FAILING, false, now_us);
        if (answer.tag == TAG_PING) {
            p->ping_asked = false;
        } else if (answer.tag == TAG_PUBLISHER) {
            p->publisher_asking = false;
            publisher_answer(p->publisher, &answer);
        } else if (answer.tag == TAG_PENDING) {
            pending_answer(&p->pending, answer.error, now_us);
            if (answer.error != 0)
                passage_alarm(p, ALARM_JOURNAL_FAILING, true, now_us);
        } else {
            decided(p, &answer, now_us);
        }
        if (answer.op == JOURNAL_DECIDE || answer.op == JOURNAL_RECORD)
            publisher_row_committed(p->publisher);
    }
}

/* The guard decides: at once, whatever the journal or the eye are doing; recorded as soon as the disk answers. */
static void pressed(struct passage *p, int64_t now_us)
{
    struct event event = {.kind = EVENT_OVERRIDE, .reason = REASON_BUTTON};
    lane_button(&p->lane, now_us, event.bound_event_id);
    passage_advance(p, now_us);
    stamp(p, &event, now_us);
    record(p, &event);
    show(p, event_kind_name(event.kind), event.reason, event.event_id);
}

void passage_edge(struct passage *p, const struct line_edge *edge)
{
    if (edge->line == LINE_BUTTON)
        debounce_edge(&p->button, edge->active, edge->at_us);
}

/* 3. What the lane wants on its wires. */
static void drive_outputs(struct passage *p, int64_t now_us)
{
    bool wanted[LANE_OUTPUT_COUNT];
    if (p->stopping)
        return;
    lane_outputs(&p->lane, now_us, wanted);
    for (int i = 0; i < LANE_OUTPUT_COUNT; i++) {
        if (wanted[i] == p->levels[i])
            continue;
        int r = lines_set(p->lines, wire_of[i], wanted[i]);
        if (r < 0) {
            p->lines_error = r;
            continue;
        }
        p->levels[i] = wanted[i];
        if (i == LANE_RELAY && wanted[i] && p->relay_cause_us != 0) {
            latency_add(&p->frame_to_relay, clock_monotonic_us() - p->relay_cause_us);
            p->relay_cause_us = 0;
        }
    }
}

static void submit(struct passage *p, enum journal_op op, uint64_t tag, bool *outstanding)
{
    p->request.op = op;
    p->request.tag = tag;
    if (journal_submit(p->journal, &p->request) == 0)
        *outstanding = true;
}

/* Deadlines of open questions, events to record, the outbox's wishes, the ping that proves the thread alive. */
static void talk_to_journal(struct passage *p, int64_t now_us)
{
    const struct event *event = pending_next(&p->pending, now_us);
    for (int i = 0; i < PASSAGE_OPEN_QUESTIONS_MAX; i++) {
        struct passage_question *q = &p->questions[i];
        if (q->used && !q->late && now_us - q->asked_at_us > (int64_t)p->settings->journal_deadline_ms * 1000)
            fail_question(p, q, now_us);
    }
    memset(&p->request, 0, offsetof(struct journal_request, payload));
    if (event != NULL) {
        bool submitted = false;
        p->request.event = *event;
        submit(p, JOURNAL_RECORD, TAG_PENDING, &submitted);
        if (submitted)
            pending_offered(&p->pending);
    }
    if (!p->publisher_asking && publisher_wants(p->publisher, &p->request)) {
        if (p->request.op == JOURNAL_FOLLOW) /* so that another lane's clock can be held against ours */
            stamp(p, &p->request.event, now_us);
        submit(p, p->request.op, TAG_PUBLISHER, &p->publisher_asking);
    }
    if (!p->ping_asked && now_us >= p->ping_due_us) {
        submit(p, JOURNAL_PING, TAG_PING, &p->ping_asked);
        p->ping_due_us = now_us + (int64_t)PING_EVERY_MS * 1000;
    }
}

void passage_advance(struct passage *p, int64_t now_us)
{
    int debounce_ms = p->settings->lane_settings.debounce_ms;
    drive_outputs(p, now_us);
    if (debounce_settle(&p->button, now_us, debounce_ms) && p->button.level)
        pressed(p, now_us);
    talk_to_journal(p, now_us);
    drive_outputs(p, now_us); /* a deadline may have changed the lamps */
}

static void sooner(int64_t *next_us, int64_t candidate_us)
{
    if (candidate_us < *next_us)
        *next_us = candidate_us;
}

int64_t passage_next_us(const struct passage *p, int64_t now_us)
{
    int64_t next_us = lane_next_us(&p->lane, now_us);
    sooner(&next_us, debounce_next_us(&p->button, p->settings->lane_settings.debounce_ms));
    sooner(&next_us, pending_next_us(&p->pending));
    sooner(&next_us, p->ping_asked ? INT64_MAX : p->ping_due_us);
    for (int i = 0; i < PASSAGE_OPEN_QUESTIONS_MAX; i++)
        if (p->questions[i].used && !p->questions[i].late)
            sooner(&next_us, p->questions[i].asked_at_us + (int64_t)p->settings->journal_deadline_ms * 1000 + 1000);
    return next_us;
}

bool passage_all_recorded(const struct passage *p)
{
    return p->pending.count == 0;
}

void passage_outputs_inactive(struct passage *p)
{
    p->stopping = true;
    for (int i = 0; i < LANE_OUTPUT_COUNT; i++) {
        int r = lines_set(p->lines, wire_of[i], false);
        if (r < 0)
            p->lines_error = r;
        p->levels[i] = false;
    }
}
