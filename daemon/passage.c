/* One person's way through: read this file from passage_seen() down. Main thread. */
#include "daemon/passage.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "daemon/decision/time_text.h"
#include "daemon/health/clock.h"
#include "daemon/mqtt/catalogue.h"
#include "daemon/vision/reader.h"

enum { STALE_SEEN_US = 1000000 };
enum { TAG_PUBLISHER = 1, TAG_PENDING = 2, TAG_PING = 3, TAG_RELOAD = 4, TAG_COMMAND = 5, TAG_PURGE = 6, TAG_FIRST_QUESTION = 16,
       PING_EVERY_MS = 1000, BLIND_AFTER_MS = 500,
       QUIET_MS = LINK_BEAT_MS + 75 /* an eye that reads nothing speaks no oftener than at the picture behind its beat */ };

_Static_assert((int)ALARM_FIRST_OF_PASSAGE + (int)PASSAGE_ALARM_COUNT == (int)ALARM_OF_LANE, "a name for each");
static const char *alarm_name(enum passage_alarm alarm)
{
    return catalogue_alarm_name((int)ALARM_FIRST_OF_PASSAGE + (int)alarm);
}
static const enum lane_fault fault_of[PASSAGE_ALARM_COUNT] = { /* LANE_FAULT_COUNT: the lane works on */
    [ALARM_CAMERA_LOST] = LANE_FAULT_CAMERA, [ALARM_JOURNAL_FAILING] = LANE_FAULT_JOURNAL,
    [ALARM_JOURNAL_FULL] = LANE_FAULT_COUNT, [ALARM_CERTIFICATE_EXPIRING] = LANE_FAULT_COUNT};
static const enum event_kind kind_of_effect[LANE_EFFECT_COUNT] = {
    [LANE_OVERRIDE] = EVENT_OVERRIDE,       [LANE_COMPLETED] = EVENT_COMPLETED,     [LANE_NOT_USED] = EVENT_NOT_USED,
    [LANE_INTERRUPTED] = EVENT_INTERRUPTED, [LANE_ALARM_BEGIN] = EVENT_ALARM_BEGIN, [LANE_ALARM_END] = EVENT_ALARM_END,
};

void passage_init(struct passage *p, const struct settings *settings, struct lines *lines, struct relay_guard *guard,
                  struct journal *journal, struct publisher *publisher, struct watchdog *watchdog, int64_t now_us)
{
    memset(p, 0, sizeof *p);
    p->settings = settings;
    wires_init(&p->wires, lines, guard);
    p->journal = journal;
    p->publisher = publisher;
    p->watchdog = watchdog;
    p->next_tag = TAG_FIRST_QUESTION;
    for (int i = 0; i < LINE_IN_COUNT && p->wires.error == 0; i++) {
        bool active = false;
        p->wires.error = lines_get(lines, (enum line_in)i, &active);
        debounce_init(&p->inputs[i], active, now_us);
    }
    const struct lane_at_start start = {.button = p->inputs[LINE_BUTTON].level, .sensor = p->inputs[LINE_ROTATION].level,
                                        .fire = p->inputs[LINE_FIRE].level, .tamper = p->inputs[LINE_TAMPER].level,
                                        .service = p->inputs[LINE_SERVICE].level};
    lane_init(&p->lane, &settings->lane_settings, &start, now_us); /* its first effects are taken with the first input */
}

static void new_event_id(char ret_id[JOURNAL_ID_BYTES])
{
    uint8_t random[16];
    randombytes_buf(random, sizeof random);
    (void)sodium_bin2hex(ret_id, JOURNAL_ID_BYTES, random, sizeof random);
}

void passage_stamp(const struct passage *p, struct event *event, int64_t now_us)
{
    if (event->event_id[0] == '\0')
        new_event_id(event->event_id);
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

void passage_record(struct passage *p, const struct event *event)
{
    if (!pending_add(&p->pending, event))
        (void)fprintf(stderr, "<1>journal: %d events wait and the next is lost (%s); mend the disk\n", PENDING_MAX,
                      event_kind_name(event->kind));
}

void passage_note(struct passage *p, enum event_kind kind, const char *detail, int64_t now_us)
{
    struct event event = {.kind = kind, .reason = REASON_NONE};
    passage_stamp(p, &event, now_us);
    (void)snprintf(event.detail, sizeof event.detail, "%s", detail);
    passage_record(p, &event);
}

/* Only its own edge is measured: a grant while the lane is held open has none, nor one that ends before; a press may go first. */
static void drive_outputs(struct passage *p, int64_t now_us)
{
    const bool opens = wires_drive(&p->wires, &p->lane, now_us);
    if (!opens || p->relay_cause_us == 0 || p->lane.phase != LANE_GRANTED ||
        strcmp(p->lane.open.event_id, p->relay_cause_id) != 0)
        return;
    const int64_t us = clock_monotonic_us() - p->relay_cause_us;
    latency_add(&p->frame_to_relay, us);
    latency_add(&p->frame_to_relay_lately, us);
    p->relay_cause_us = 0;
}

static void show(struct passage *p, const char *kind, enum reason reason, const char *event_id)
{
    char text[128];
    (void)snprintf(text, sizeof text, "%s %s %s", kind, reason_name(reason), event_id);
    lines_show(p->wires.lines, text);
}

/* What the lane made of an input becomes a row of the journal. */
static void take_effect(struct passage *p, const struct lane_effect *effect)
{
    struct event event = {.kind = kind_of_effect[effect->kind], .reason = REASON_NONE};
    const bool is_alarm = effect->kind == LANE_ALARM_BEGIN || effect->kind == LANE_ALARM_END;
    if (effect->kind == LANE_MUSTER) {
        publisher_muster(p->publisher);
        return;
    }
    /* Cut by fire, and nobody saw whether they went: better on the muster list than missing from it. */
    if (effect->kind == LANE_INTERRUPTED && p->lane.emergency && !p->settings->lane_settings.has_sensor)
        return;
    memcpy(event.event_id, effect->event_id, sizeof event.event_id);
    memcpy(event.bound_event_id, effect->bound_event_id, sizeof event.bound_event_id);
    passage_stamp(p, &event, effect->at_us);
    if (is_alarm)
        (void)snprintf(event.alarm, sizeof event.alarm, "%s", lane_alarm_name(effect->alarm));
    if (effect->kind == LANE_OVERRIDE)
        event.reason = REASON_BUTTON;
    if (effect->guard != LANE_GUARD_UNKNOWN)
        (void)snprintf(event.detail, sizeof event.detail, "guard %s", effect->guard == LANE_GUARD_A ? "A" : "B");
    else if (effect->turns > 0)
        (void)snprintf(event.detail, sizeof event.detail, "%s%s%d turns", effect->detail, effect->detail[0] ? ", " : "", effect->turns);
    else
        (void)snprintf(event.detail, sizeof event.detail, "%s", effect->detail ? effect->detail : "");
    passage_record(p, &event);
    if (is_alarm)
        (void)fprintf(stderr, "<%d>alarm: %s %s%s%s\n", effect->kind == LANE_ALARM_BEGIN ? 4 : 5, event.alarm,
                      effect->kind == LANE_ALARM_BEGIN ? "begins" : "ends", event.detail[0] ? ": " : "", event.detail);
    else
        show(p, event_kind_name(event.kind), event.reason, event.event_id);
}

/* Every input goes this way: into the machine, its wishes onto the wires, then its effects to be recorded. */
int passage_tell(struct passage *p, const struct lane_input *input)
{
    struct lane_effect effect;
    int r = lane_input(&p->lane, input);
    drive_outputs(p, input->at_us);
    if (p->lane.effects_lost != p->effects_lost_told)
        (void)fprintf(stderr, "<2>lane: effects were lost; this is a mistake of qrgate, please report it\n");
    p->effects_lost_told = p->lane.effects_lost;
    while (lane_take_effect(&p->lane, &effect))
        take_effect(p, &effect);
    return r;
}

void passage_alarm(struct passage *p, enum passage_alarm alarm, bool on, int64_t now_us)
{
    passage_alarm_about(p, alarm, on, "", now_us);
}

void passage_alarm_about(struct passage *p, enum passage_alarm alarm, bool on, const char *detail, int64_t now_us)
{
    struct event event = {.kind = on ? EVENT_ALARM_BEGIN : EVENT_ALARM_END, .reason = REASON_NONE};
    const struct lane_input input = {.kind = LANE_IN_FAULT, .at_us = now_us, .fault = fault_of[alarm], .on = on};
    if (p->alarms[alarm] == on)
        return;
    p->alarms[alarm] = on;
    passage_stamp(p, &event, now_us);
    (void)snprintf(event.alarm, sizeof event.alarm, "%s", alarm_name(alarm));
    (void)snprintf(event.detail, sizeof event.detail, "%s", detail);
    passage_record(p, &event);
    (void)fprintf(stderr, "<%d>alarm: %s %s%s%s\n", on ? 4 : 5, alarm_name(alarm), on ? "begins" : "ends",
                  detail[0] != '\0' ? ": " : "", detail);
    if (fault_of[alarm] != LANE_FAULT_COUNT)
        (void)passage_tell(p, &input); /* a fault is never refused */
}

static int open_questions(const struct passage *p)
{
    int open = 0;
    for (int i = 0; i < PASSAGE_OPEN_QUESTIONS_MAX; i++)
        open += p->questions[i].used && !p->questions[i].late;
    return open;
}

void passage_unreadable(struct passage *p, const struct link_message *seen, int64_t now_us)
{
    static const enum signal hints[READER_HINT_COUNT] = {
        [READER_HINT_NONE] = SIGNAL_UNREADABLE,  [READER_HINT_UNREADABLE] = SIGNAL_UNREADABLE,
        [READER_HINT_TOO_FAR] = SIGNAL_TOO_FAR,  [READER_HINT_TOO_NEAR] = SIGNAL_TOO_NEAR,
        [READER_HINT_TOO_DARK] = SIGNAL_TOO_DARK, [READER_HINT_GLARE] = SIGNAL_GLARE,
        [READER_HINT_MOVING] = SIGNAL_MOVING,
    };
    const struct lane_input input = {.kind = LANE_IN_UNREADABLE, .at_us = now_us, .hint = hints[seen->hint]};
    if (now_us - seen->sent_at_us <= STALE_SEEN_US)
        (void)passage_tell(p, &input);
}

/* Without this a card held before a camera that is lost for a moment, or whose eye is replaced, would open twice. Pictures may
 * come slowly, though never so slowly that a code seems to have left between two of them. */
void passage_watched(struct passage *p, const struct link_message *message, int64_t now_us)
{
    const int half_ms = p->settings->leave_ms / 2, slow_ms = half_ms < BLIND_AFTER_MS ? half_ms : BLIND_AFTER_MS;
    const int usual_ms = slow_ms > QUIET_MS ? slow_ms : QUIET_MS;
    repeat_watched(&p->repeat, message->captured_at_us < now_us ? message->captured_at_us : now_us, usual_ms);
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
    if (question == NULL || !lane_can_open(&p->lane, open_questions(p))) {
        const struct lane_input wait = {.kind = LANE_IN_MUST_WAIT, .at_us = now_us};
        repeat_forget(&p->repeat, digest); /* asked again at its next sighting */
        (void)passage_tell(p, &wait);
        return;
    }
    memset(request, 0, offsetof(struct journal_request, payload));
    request->op = JOURNAL_DECIDE;
    request->tag = p->next_tag;
    passage_stamp(p, &request->event, now_us);
    request->lock_down = p->lane.lock_down;
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
    const struct lane_input input = {.kind = LANE_IN_VERDICT, .at_us = now_us, .verdict = failed};
    (void)passage_tell(p, &input);
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
    if (question->late || p->wires.stopped) { /* recorded after all, but the relay stays: say that nobody went through */
        if (answer->event.kind == EVENT_GRANTED) {
            struct event event = {.kind = EVENT_NOT_USED, .reason = REASON_JOURNAL_FAILED, .status = answer->event.status};
            passage_stamp(p, &event, now_us);
            memcpy(event.bound_event_id, answer->event.event_id, sizeof event.bound_event_id);
            passage_record(p, &event);
        }
        return;
    }
    const struct lane_input input = {.kind = LANE_IN_VERDICT, .at_us = now_us, .verdict = answer->verdict,
                                     .event_id = answer->event.event_id, .direction = answer->event.direction};
    if (answer->verdict.action == VERDICT_OPEN && p->lane.phase == LANE_CLOSED) {
        p->relay_cause_us = question->captured_at_us; /* who waits for another's turn would be measured by that turn */
        memcpy(p->relay_cause_id, answer->event.event_id, sizeof p->relay_cause_id);
    }
    (void)passage_tell(p, &input); /* the relay first, the telling after */
    show(p, event_kind_name(answer->event.kind), answer->event.reason, answer->event.event_id);
}

void passage_answers(struct passage *p, int64_t now_us)
{
    struct journal_answer answer;
    while (journal_take(p->journal, &answer) > 0) {
        watchdog_progress(p->watchdog, WATCHDOG_JOURNAL, now_us);
        /* The answer to a plain ping says the thread lives, not that the disk takes rows. */
        if (answer.error == 0 &&
            (answer.op == JOURNAL_DECIDE || answer.op == JOURNAL_RECORD || answer.op == JOURNAL_COMMAND))
            passage_alarm(p, ALARM_JOURNAL_FAILING, false, now_us);
        if (answer.error == 0 && (answer.op == JOURNAL_PING || answer.op == JOURNAL_PURGE))
            p->room = answer.room;
        if (answer.last_seq > 0)
            p->last_seq = answer.last_seq;
        if (answer.tag == TAG_PING) {
            p->ping_asked = false;
            if (answer.error == 0)
                p->head = answer.head;
        } else if (answer.tag == TAG_PURGE) {
            p->purge_asked = false;
            p->purge_more = answer.error == 0 && answer.more;
        } else if (answer.tag == TAG_RELOAD) {
            p->reload_answered = true;
            p->reload_error = answer.error;
        } else if (answer.tag == TAG_COMMAND) {
            p->command_answered = true;
            p->command_answer = answer;
        } else if (answer.tag == TAG_PUBLISHER) {
            p->publisher_asking = false;
            publisher_answer(p->publisher, &answer);
        } else if (answer.tag == TAG_PENDING) {
            pending_answer(&p->pending, answer.error, now_us);
            if (answer.error == -EEXIST || answer.error == -EINVAL) /* this one event, not the disk */
                (void)fprintf(stderr, "<3>journal: refused %s (%s); please report it\n", event_kind_name(answer.event.kind),
                              answer.error == -EEXIST ? "its passage has an end already" : "not an event");
            else if (answer.error != 0)
                passage_alarm(p, ALARM_JOURNAL_FAILING, true, now_us);
        } else {
            decided(p, &answer, now_us);
        }
        publisher_row_committed(p->publisher, answer.last_seq);
        if (answer.error == 0)
            publisher_counted(p->publisher, answer.unsent_rows);
    }
}

/* The guard decides: at once, whatever the journal or the eye are doing; recorded as soon as the disk answers. So do the
 * arm, the fire alarm, the cabinet and the technician. */
static void line_settled(struct passage *p, enum line_in line, int64_t happened_us, int64_t now_us)
{
    static const enum lane_input_kind kind_of[LINE_IN_COUNT] = {
        [LINE_BUTTON] = LANE_IN_BUTTON, [LINE_ROTATION] = LANE_IN_SENSOR,  [LINE_FIRE] = LANE_IN_FIRE,
        [LINE_TAMPER] = LANE_IN_TAMPER, [LINE_GUARD] = LANE_IN_TIME /* only asked */, [LINE_SERVICE] = LANE_IN_SERVICE,
    };
    const bool has_guards = p->settings->lines.in[LINE_GUARD].name[0] != '\0';
    char event_id[JOURNAL_ID_BYTES];
    struct lane_input input = {.kind = kind_of[line], .at_us = now_us, .on = p->inputs[line].level, .event_id = event_id,
                               .direction = p->settings->journal.policy.direction, .happened_us = happened_us};
    new_event_id(event_id);
    if (has_guards)
        input.guard = p->inputs[LINE_GUARD].level ? LANE_GUARD_B : LANE_GUARD_A;
    if (line == LINE_SERVICE && input.on && p->lane.emergency) { /* the technician's key resets an emergency that is over */
        const struct lane_input reset = {.kind = LANE_IN_FIRE_RESET, .at_us = now_us};
        (void)passage_tell(p, &reset); /* refused while there is fire */
    }
    (void)passage_tell(p, &input);
}

static void settle(struct passage *p, enum line_in line, int64_t until_us, int64_t now_us)
{
    const int debounce_ms = p->settings->lane_settings.debounce_ms;
    struct debounce *d = &p->inputs[line];
    if (debounce_settle(d, until_us, debounce_ms))
        line_settled(p, line, d->raw_since_us + (int64_t)debounce_ms * 1000, now_us);
}

/* What was steady before this edge counts first: a loop that was held up must not lose a whole press or turn. */
void passage_edge(struct passage *p, const struct line_edge *edge, int64_t now_us)
{
    if ((unsigned)edge->line >= LINE_IN_COUNT)
        return;
    settle(p, edge->line, edge->at_us, now_us);
    debounce_edge(&p->inputs[edge->line], edge->active, edge->at_us);
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
            passage_stamp(p, &p->request.event, now_us);
        submit(p, p->request.op, TAG_PUBLISHER, &p->publisher_asking);
    }
    if (!p->ping_asked && now_us >= p->ping_due_us) {
        submit(p, JOURNAL_PING, TAG_PING, &p->ping_asked);
        p->ping_due_us = now_us + (int64_t)PING_EVERY_MS * 1000;
    }
}

void passage_advance(struct passage *p, int64_t now_us)
{
    const struct lane_input time = {.kind = LANE_IN_TIME, .at_us = now_us};
    drive_outputs(p, now_us); /* a relay that is late goes off before anything else */
    for (int i = 0; i < LINE_IN_COUNT; i++)
        settle(p, (enum line_in)i, now_us, now_us);
    (void)passage_tell(p, &time);
    talk_to_journal(p, now_us);
}

static void sooner(int64_t *next_us, int64_t candidate_us)
{
    if (candidate_us < *next_us)
        *next_us = candidate_us;
}

int64_t passage_next_us(const struct passage *p, int64_t now_us)
{
    int64_t next_us = lane_next_us(&p->lane, now_us);
    for (int i = 0; i < LINE_IN_COUNT; i++)
        sooner(&next_us, debounce_next_us(&p->inputs[i], p->settings->lane_settings.debounce_ms));
    sooner(&next_us, pending_next_us(&p->pending));
    sooner(&next_us, p->ping_asked ? INT64_MAX : p->ping_due_us);
    sooner(&next_us, p->wires.due_us);
    for (int i = 0; i < PASSAGE_OPEN_QUESTIONS_MAX; i++)
        if (p->questions[i].used && !p->questions[i].late)
            sooner(&next_us, p->questions[i].asked_at_us + (int64_t)p->settings->journal_deadline_ms * 1000 + 1000);
    return next_us;
}

bool passage_all_recorded(const struct passage *p)
{
    return p->pending.count == 0;
}

void passage_tell_unrecorded(const struct passage *p)
{
    for (int i = 0; i < p->pending.count; i++) {
        const struct event *event = &p->pending.events[(p->pending.first + i) % PENDING_MAX];
        char at[TIME_TEXT_BYTES];
        (void)fprintf(stderr, "<2>journal: not recorded, and lost with this end: %s %s at %s\n", event_kind_name(event->kind),
                      reason_name(event->reason), time_text_write(event->at_us / 1000000, at));
    }
}

void passage_stop(struct passage *p, int64_t now_us)
{
    struct lane_effect effect;
    lane_stop(&p->lane, now_us);
    while (lane_take_effect(&p->lane, &effect))
        take_effect(p, &effect);
    wires_stop(&p->wires);
}

void passage_line_lost(struct passage *p, int64_t now_us)
{
    const struct lane_input input = {.kind = LANE_IN_FAULT, .at_us = now_us, .fault = LANE_FAULT_LINE, .on = true};
    (void)passage_tell(p, &input);
}

void passage_purge(struct passage *p, int64_t now_us)
{
    if (p->purge_asked)
        return;
    p->purge_more = false;
    memset(&p->request, 0, offsetof(struct journal_request, payload));
    passage_stamp(p, &p->request.event, now_us);
    submit(p, JOURNAL_PURGE, TAG_PURGE, &p->purge_asked);
}

bool passage_ask(struct passage *p, struct journal_request *request)
{
    request->tag = TAG_COMMAND;
    p->command_answered = false;
    return journal_submit(p->journal, request) == 0;
}

const struct journal_answer *passage_command_answer(struct passage *p)
{
    if (!p->command_answered)
        return NULL;
    p->command_answered = false;
    return &p->command_answer;
}

void passage_show_override(struct passage *p, const char *event_id)
{
    show(p, event_kind_name(EVENT_OVERRIDE), REASON_OPERATOR, event_id);
}

int passage_reload_journal(struct passage *p, const struct journal_settings *fresh)
{
    memset(&p->request, 0, offsetof(struct journal_request, payload));
    p->request.op = JOURNAL_RELOAD;
    p->request.tag = TAG_RELOAD;
    p->request.fresh = fresh;
    p->reload_answered = false;
    return journal_submit(p->journal, &p->request);
}

bool passage_journal_reloaded(struct passage *p, int *ret_error)
{
    if (!p->reload_answered)
        return false;
    p->reload_answered = false;
    *ret_error = p->reload_error;
    return true;
}

void passage_reconfigure(struct passage *p, const struct settings *settings)
{
    if (!lane_reconfigure(&p->lane, &settings->lane_settings))
        return; /* settings_reload() refuses such before */
    p->settings = settings;
}
