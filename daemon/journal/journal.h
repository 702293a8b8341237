/* The journal: SQLite, the record of every event and, being that, the outbox too; beside it the register of declarations.
 * A thread of its own is the only user of the database in qrgated. Requests and answers are fixed-size and travel through
 * bounded queues allocated at open; the answer is announced on journal_fd(). Main thread calls, journal thread works. */
#ifndef JOURNAL_JOURNAL_H
#define JOURNAL_JOURNAL_H

#include "daemon/decision/decision.h"

enum { JOURNAL_ID_BYTES = 33, JOURNAL_QUEUE_MAX = 64, JOURNAL_PATH_BYTES = 256, JOURNAL_SCHEMA_VERSION = 6,
       JOURNAL_VERB_BYTES = 12, JOURNAL_OPERATOR_BYTES = 33, JOURNAL_TRANSACTION_BYTES = 65, JOURNAL_BATCH_MAX = 100 };

enum event_kind {
    EVENT_GRANTED,  /* verdict open: the relay moves after this row is on disk */
    EVENT_HELD,     /* verdict hold: staff decide */
    EVENT_DENIED,
    EVENT_OVERRIDE, /* the guard's button opened */
    EVENT_COMPLETED, EVENT_NOT_USED, /* the passage of a grant or override: its `bound_event_id` */
    EVENT_INTERRUPTED, /* … it was cut: by a restart, a crash, an emergency. Each has at most one of the three, and one
                        * for sure where there is a sensor; else a passage that took its course has none */
    EVENT_ALARM_BEGIN, EVENT_ALARM_END,
    EVENT_START, EVENT_STOP,
    EVENT_COMMAND, /* an operator's, by MQTT: verb, operator_name, detail: why. (An operator's `open` is an EVENT_OVERRIDE) */
    EVENT_KIND_COUNT
};
const char *event_kind_name(enum event_kind kind); /* "granted", … */

/* One row. Personal data enters only as `person`, the keyed hash. */
struct event {
    int64_t seq;                        /* 1, 2, 3 … without a gap; given by the journal */
    char event_id[JOURNAL_ID_BYTES];    /* 128 random bits, hex; given by whoever makes the event */
    enum event_kind kind;
    int64_t at_us;                      /* Unix time, microseconds */
    int64_t monotonic_us;               /* CLOCK_MONOTONIC of the same moment */
    bool clock_trusted;
    enum reason reason;
    enum declaration_status status;
    enum credential_kind credential;
    char person[JOURNAL_ID_BYTES];      /* first 128 bits of HMAC-SHA-256(site key, subject), hex; "" = nobody known */
    char bound_event_id[JOURNAL_ID_BYTES]; /* "" = none */
    char alarm[32];                     /* EVENT_ALARM_…: which, e.g. "camera_lost" */
    char detail[96];
    enum direction direction;       /* the lane's; verdicts and passages */
    enum presence_scope scope;      /* verdicts: whose presence was known */
    char verb[JOURNAL_VERB_BYTES];  /* EVENT_COMMAND, and the override by one: "open", "mode", … else "" */
    char operator_name[JOURNAL_OPERATOR_BYTES]; /* of the same: who; else "" */
};

enum journal_op {
    JOURNAL_DECIDE,    /* look-up, decision and insert in one transaction */
    JOURNAL_RECORD,    /* insert request.event */
    JOURNAL_READ,      /* request.batch->events from after_seq on, up to until_seq, as many as there is room for */
    JOURNAL_MARK,      /* the broker acknowledged all request.batch->seqs: one transaction; those purged meanwhile too */
    JOURNAL_COMMAND,   /* insert request.event (EVENT_COMMAND, or EVENT_OVERRIDE with REASON_OPERATOR; verb and operator_name
                        * required), unless request.transaction was seen before: -EALREADY, over restarts too */
    /* Rows past their age (by event.at_us, which is now, where event.clock_trusted), or for want of room, a bounded number of
     * them; answer.more: ask again soon. Works on a full disk too, from a reserve, and so does MARK. */
    JOURNAL_PURGE,
    JOURNAL_PING,      /* answered at once: the thread lives; answer.room, answer.head */
    JOURNAL_DECLARE,   /* request.declared into the register */
    JOURNAL_REVOKE,    /* request.revocation onto the list */
    JOURNAL_FOLLOW,    /* request.passage: somebody went through another lane of the site */
    JOURNAL_RELOAD,    /* request.fresh's policy and trust from the next request on */
    JOURNAL_MUSTER,    /* who is inside: the page after request.after_person */
};

enum { JOURNAL_IDENTITIES_MAX = 4, JOURNAL_SOURCE_BYTES = 16, JOURNAL_LANE_BYTES = 33, JOURNAL_MUSTER_MAX = 16 };

/* A declaration for the register. Either `person`, the keyed hash, or up to four numbers of one person ("cccd:…", "bhyt:…");
 * the first that the register knows says who it is. */
struct declared {
    char person[JOURNAL_ID_BYTES];
    char identities[JOURNAL_IDENTITIES_MAX][CREDENTIAL_SUBJECT_BYTES];
    struct declaration declaration;
    char source[JOURNAL_SOURCE_BYTES]; /* a word for the reader of the table: "manual", "import", "mqtt" */
};

struct revocation {
    uint8_t token_id[CREDENTIAL_TOKEN_ID_BYTES];
    int64_t revoked_at_s;
    bool lifted; /* takes the id off the list again; a newer entry wins */
    char source[JOURNAL_SOURCE_BYTES];
};

/* Another lane's passage message. */
struct followed_passage {
    char event_id[JOURNAL_ID_BYTES], person[JOURNAL_ID_BYTES];
    enum direction direction;
    int64_t at_us;
    char lane[JOURNAL_LANE_BYTES];
};

/* A page of those inside, in the order of the hash. Who comes or goes between two pages may be on none. */
struct muster_row {
    char person[JOURNAL_ID_BYTES];
    int64_t since_us; /* of their last passage */
    char lane[JOURNAL_LANE_BYTES];
};
struct muster_page {
    int count; /* fewer than JOURNAL_MUSTER_MAX: the last page */
    struct muster_row rows[JOURNAL_MUSTER_MAX];
    int64_t inside_count; /* everybody, now */
};

/* Rows on their way to the broker and back: the caller's, borrowed from the request until its answer. */
struct journal_batch {
    int count;    /* READ: room on the way in, rows found on the way out; MARK: seqs */
    bool sent_too; /* READ: rows that were acknowledged before as well */
    int64_t until_seq; /* READ: the last that is wanted; 0 = no bound */
    struct event events[JOURNAL_BATCH_MAX];
    int64_t seqs[JOURNAL_BATCH_MAX];
};

/* The newest row's hash (chain.h); seq 0: there is no row. */
struct journal_head {
    int64_t seq;
    uint8_t hash[32];
};

/* How full the journal is. Percent of the nearest bound: its own size, or the disk. */
struct journal_room {
    int64_t used_bytes, most_bytes, disk_free_bytes;
    int percent; /* stays below 90 as long as acknowledged rows can be purged */
    int64_t first_seq, purged_unsent_rows; /* the oldest row that is kept; rows that went though no broker had them */
};

struct journal_request {
    enum journal_op op;
    uint64_t tag; /* comes back in the answer */
    int64_t after_seq;
    struct journal_batch *batch; /* READ, MARK */
    char transaction[JOURNAL_TRANSACTION_BYTES]; /* COMMAND */
    struct event event; /* RECORD: all but seq and direction; person is taken from the event it is bound to when "". DECIDE:
                         * event_id, at_us, monotonic_us, clock_trusted. FOLLOW: at_us and clock_trusted, so that
                         * a lane whose clock is ahead isn't believed beyond the skew; zeros: it is believed */
    int32_t utc_offset_s; /* DECIDE: local time's */
    bool presence_shared; /* DECIDE: the broker is connected, so other lanes are heard */
    bool lock_down;       /* DECIDE: denied by it */
    char after_person[JOURNAL_ID_BYTES];  /* MUSTER: the last of the page before; "" = the first page */
    /* RELOAD: borrowed until the answer (or journal_close()), and so are its certificates until another RELOAD has been
     * answered with 0. After an answer with 0 the old certificates are the caller's to free, else the new ones. */
    const struct journal_settings *fresh;
    struct declared declared;         /* DECLARE */
    struct revocation revocation;     /* REVOKE */
    struct followed_passage passage;  /* FOLLOW */
    uint32_t payload_bytes; /* DECIDE */
    uint8_t payload[CREDENTIAL_PAYLOAD_MAX_BYTES];
};

struct journal_answer {
    enum journal_op op;
    uint64_t tag;
    int error;              /* 0, or negative errno: nothing was recorded. -EEXIST: RECORD of the end of a passage that
                             * has one. -EPERM: RELOAD with another path, site key, sensor or lane: that needs a restart.
                             * -EALREADY: COMMAND's transaction was seen. -ENOSPC: the disk is full */
    bool taken;             /* DECLARE, REVOKE, FOLLOW: false: the register has something newer. error -EEXIST: DECLARE's
                             * identities belong to different people; -EINVAL: not a declaration */
    struct event event;     /* as committed */
    struct verdict verdict; /* DECIDE */
    struct muster_page muster; /* MUSTER */
    int64_t unsent_rows;    /* after this request */
    int64_t last_seq;       /* after this request: the newest row's, 0 = none */
    bool more;              /* PURGE */
    struct journal_room room; /* PING, PURGE */
    struct journal_head head; /* PING */
};

struct journal_settings {
    char path[JOURNAL_PATH_BYTES];
    uint8_t site_key[32];
    bool has_old_site_key; /* while the key is being replaced: site_key_change.h */
    uint8_t old_site_key[32];
    struct policy policy;
    struct credential_trust trust;
    bool has_sensor;  /* presence changes at `completed`; without a sensor at `granted` and `override`, and a `not_used` or
                       * `interrupted` takes it back */
    char lane[JOURNAL_LANE_BYTES];
    int keep_days;          /* acknowledged events older than that are purged; 0 = never by age */
    int register_days;      /* declarations older than that, but for revoked people; 0 = never by age */
    bool has_no_broker;     /* nobody will ever acknowledge a row: by age they go all the same */
    /* Of the database, register included, with its log; 0 = no bound but the disk. From 85 % on the oldest acknowledged rows go,
     * beyond it, when none is left, unsent ones. */
    int64_t size_max_bytes;
    /* The moment of journal_open(), which is when a passage that an end of power or a crash has cut ends `interrupted`: what
     * was granted or overridden under a sensor and has no end in the journal. (Without a sensor none is waited for: a grant
     * there has taken its course unless the lane says otherwise.) */
    int64_t opened_at_us, opened_monotonic_us;
    bool opened_clock_trusted;
};

struct journal;

/* Opens or creates, migrates, checks, starts the thread. -EPROTO with `why`: the file is from a newer version; -EACCES &c:
 * unwritable. The settings are copied, the certificates borrowed. */
int journal_open(const struct journal_settings *settings, struct journal **ret_journal, char *why, size_t why_bytes);
/* 0, or -EAGAIN when JOURNAL_QUEUE_MAX requests wait (nothing was taken). Copies the request. Never blocks on the disk. */
int journal_submit(struct journal *journal, const struct journal_request *request);
/* The newest row's seq when journal_open() had done its work, 0 = none: what a run before this one has left. */
int64_t journal_last_seq(const struct journal *journal);
int journal_fd(struct journal *journal); /* eventfd, readable when answers wait */
/* 1: *ret_answer; 0: none waits. */
int journal_take(struct journal *journal, struct journal_answer *ret_answer);
void journal_close(struct journal *journal); /* finishes what is queued, joins the thread; accepts NULL */

#endif
