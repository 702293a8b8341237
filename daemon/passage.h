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

enum { PASSAGE_OPEN_QUESTIONS_MAX = 2 };

enum passage_alarm { ALARM_CAMERA_LOST, ALARM_JOURNAL_FAILING, PASSAGE_ALARM_COUNT };

/* A decision asked of the journal and not yet answered. */
struct passage_question {
    bool used, late; /* late: the deadline passed, whatever comes may not open */
    uint64_t tag;
    int64_t captured_at_us, asked_at_us;
    uint8_t digest[REPEAT_DIGEST_BYTES];
};

struct passage {
    const struct settings *settings; /* these four are borrowed */
    struct lines *lines;
    struct journal *journal;
    struct publisher *publisher;
    struct lane lane;
    struct repeat repeat;
    struct debounce button;
    struct pending pending;
    struct watchdog *watchdog;
    struct latency frame_to_relay;
    struct passage_question questions[PASSAGE_OPEN_QUESTIONS_MAX];
    bool levels[LANE_OUTPUT_COUNT];
    bool alarms[PASSAGE_ALARM_COUNT];
    bool stopping;             /* outputs are inactive and stay so */
    int lines_error;           /* a line was lost: the lane can't go on */
    uint64_t next_tag;
    int64_t relay_cause_us;    /* captured_at_us of the grant whose relay edge is still to come, 0: none */
    bool publisher_asking, ping_asked;
    int64_t ping_due_us;
    struct journal_request request; /* filled and copied by journal_submit(); too large for a stack frame */
};

void passage_init(struct passage *p, const struct settings *settings, struct lines *lines, struct journal *journal,
                  struct publisher *publisher, struct watchdog *watchdog, int64_t now_us);
void passage_seen(struct passage *p, const struct link_message *seen, int64_t now_us);
void passage_edge(struct passage *p, const struct line_edge *edge);
void passage_answers(struct passage *p, int64_t now_us); /* what journal_fd() announced */
void passage_alarm(struct passage *p, enum passage_alarm alarm, bool on, int64_t now_us);
void passage_note(struct passage *p, enum event_kind kind, const char *detail, int64_t now_us); /* start, stop */
/* Everything that is due: debouncing, deadlines, outputs, requests to the journal. Call after every event. */
void passage_advance(struct passage *p, int64_t now_us);
int64_t passage_next_us(const struct passage *p, int64_t now_us);
bool passage_all_recorded(const struct passage *p);
void passage_outputs_inactive(struct passage *p); /* for good: recording goes on, the wires don't move again */

#endif
