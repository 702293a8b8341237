/* The passage of one person, as main's event loop drives it: a code seen -> decided and journalled -> relay and sound ->
 * published. Owns the lane, the outputs and the open questions to the journal. Main thread; allocates nothing. */
#ifndef PASSAGE_H
#define PASSAGE_H

#include "daemon/health/latency.h"
#include "daemon/health/watchdog.h"
#include "daemon/journal/pending.h"
#include "daemon/lane/debounce.h"
#include "daemon/lane/repeat.h"
#include "daemon/mqtt/publisher.h"
#include "daemon/settings/settings.h"
#include "daemon/vision/link.h"
#include "daemon/wires.h"

enum { PASSAGE_OPEN_QUESTIONS_MAX = 2 };

/* The lane's own alarms are lane.h's; these are of what it stands on. */
enum passage_alarm { ALARM_CAMERA_LOST, ALARM_JOURNAL_FAILING, ALARM_JOURNAL_FULL, ALARM_CERTIFICATE_EXPIRING,
                     PASSAGE_ALARM_COUNT };

/* A decision asked of the journal and not yet answered. */
struct passage_question {
    bool used, late; /* late: the deadline passed, whatever comes may not open */
    uint64_t tag;
    int64_t captured_at_us, asked_at_us;
    uint8_t digest[REPEAT_DIGEST_BYTES];
};

struct passage {
    const struct settings *settings; /* these three are borrowed, and the watchdog */
    struct journal *journal;
    struct publisher *publisher;
    struct lane lane;
    struct wires wires;
    struct repeat repeat;
    struct debounce inputs[LINE_IN_COUNT];
    struct pending pending;
    struct watchdog *watchdog;
    struct latency frame_to_relay, frame_to_relay_lately; /* of the whole run; since upkeep.c's last report */
    struct passage_question questions[PASSAGE_OPEN_QUESTIONS_MAX];
    unsigned effects_lost_told;
    bool alarms[PASSAGE_ALARM_COUNT];
    uint64_t next_tag;
    int64_t relay_cause_us;    /* captured_at_us of the last grant that may still have a relay edge of its own, 0: none */
    char relay_cause_id[JOURNAL_ID_BYTES]; /* and its event_id */
    struct journal_room room;  /* the journal's, at its last answer that told; zeros: not yet */
    int64_t last_seq;
    struct journal_head head;  /* as of the last ping; seq 0: not known yet, or no row */
    bool purge_asked, purge_more;
    bool publisher_asking, ping_asked, reload_answered, command_answered;
    struct journal_answer command_answer;
    int reload_error;
    int64_t ping_due_us;
    struct journal_request request; /* filled and copied by journal_submit(); too large for a stack frame */
};

void passage_init(struct passage *p, const struct settings *settings, struct lines *lines, struct relay_guard *guard,
                  struct journal *journal, struct publisher *publisher, struct watchdog *watchdog, int64_t now_us);
/* Of each message of the eye, before what it is about: when its last picture was taken. */
void passage_watched(struct passage *p, const struct link_message *message, int64_t now_us);
void passage_seen(struct passage *p, const struct link_message *seen, int64_t now_us);
void passage_unreadable(struct passage *p, const struct link_message *seen, int64_t now_us);
void passage_edge(struct passage *p, const struct line_edge *edge, int64_t now_us);
void passage_answers(struct passage *p, int64_t now_us); /* what journal_fd() announced */
void passage_alarm(struct passage *p, enum passage_alarm alarm, bool on, int64_t now_us);
/* The same with `detail`, what it is about; news only when it begins or ends. */
void passage_alarm_about(struct passage *p, enum passage_alarm alarm, bool on, const char *detail, int64_t now_us);
/* Asks the journal for a step of purging, one at a time. p->purge_more: its answer was that another step is wanted. */
void passage_purge(struct passage *p, int64_t now_us);
void passage_note(struct passage *p, enum event_kind kind, const char *detail, int64_t now_us); /* start, stop */
/* Everything that is due: debouncing, deadlines, outputs, requests to the journal. Call after every event. */
void passage_advance(struct passage *p, int64_t now_us);
int64_t passage_next_us(const struct passage *p, int64_t now_us);
bool passage_all_recorded(const struct passage *p);
void passage_tell_unrecorded(const struct passage *p); /* the daemon ends: what no disk took goes to the log */
/* The lane ends: its open passage is interrupted, the outputs go inactive for good; recording goes on. */
void passage_stop(struct passage *p, int64_t now_us);
void passage_line_lost(struct passage *p, int64_t now_us); /* the daemon ends: say why first */
/* Asks the journal to take a new configuration, borrowed until it answered. 0 or -EAGAIN. */
int passage_reload_journal(struct passage *p, const struct journal_settings *fresh);
bool passage_journal_reloaded(struct passage *p, int *ret_error); /* true once, after its answer */
/* For operator.c. The parts every event and input goes through: times and event_id into an event; an event to be recorded, even
 * when the disk is away just now; an input to the lane, its effects recorded, its outputs on the wires. */
void passage_stamp(const struct passage *p, struct event *event, int64_t now_us);
void passage_record(struct passage *p, const struct event *event);
int passage_tell(struct passage *p, const struct lane_input *input); /* as lane_input() */
/* One request of the operator's at a time, copied. False: the journal has no room. Its answer: NULL = not yet; once. */
bool passage_ask(struct passage *p, struct journal_request *request);
const struct journal_answer *passage_command_answer(struct passage *p);
void passage_show_override(struct passage *p, const char *event_id);
/* A new configuration that settings_reload() allowed. From the next event on it counts; what runs keeps its ends. The journal
 * must have taken its part before. */
void passage_reconfigure(struct passage *p, const struct settings *settings);

#endif
