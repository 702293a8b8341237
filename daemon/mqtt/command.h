/* A request of an operator, PREFIX/SITE/LANE/request/VERB, and the response to it. Pure: a stranger's bytes -> struct command, or why
 * not; and the response as JSON. A request is JSON with json_read's rules, or (auth = signed) a COSE_Sign1 of such JSON.
 * commands.h turns the crank; daemon/operator.c carries them out. Schemas: config/schemas/request.json, response.json.
 *
 * Members of every request: transaction, operator, why, issued_at (RFC 3339 with a zone, or Unix seconds), lane ("SITE/LANE"),
 * verb, schema ("qrgate/request/1"). mode: mode, for_s. resend: from_seq. declare: declaration, an object as on the topic of that
 * name. revoke: revocation, likewise. Any other is refused. A signed request must name lane, verb and issued_at, for a topic and
 * a message's expiry are not signed; its operator is the key's. */
#ifndef MQTT_COMMAND_H
#define MQTT_COMMAND_H

#include "daemon/journal/journal.h"
#include "daemon/mqtt/inbound.h"
#include "daemon/mqtt/topics.h"

enum command_verb {
    COMMAND_OPEN,     /* one passage: why */
    COMMAND_MODE,     /* normal | hold_open (for_s) | lock_down: why */
    COMMAND_DECLARE,  /* declaration: as on the topic of that name */
    COMMAND_REVOKE,   /* revocation: likewise */
    COMMAND_RELOAD,   /* the configuration, as by SIGHUP */
    COMMAND_REPORT,   /* state, info and health again, now; the response carries the health */
    COMMAND_RESEND,   /* events from seq on, once more, as historical */
    COMMAND_IDENTIFY, /* a signal, so that somebody at the gates finds this one */
    COMMAND_TIME,     /* the lane's clock */
    COMMAND_VERB_COUNT
};

/* Stable words of `error`; "" for none. */
enum command_error {
    COMMAND_OK,
    COMMAND_MALFORMED,         /* message says place, value, what is allowed */
    COMMAND_UNKNOWN_VERB,
    COMMAND_TOO_LARGE,         /* over COMMAND_REQUEST_MAX_BYTES */
    COMMAND_RETAINED,
    COMMAND_STALE,             /* issued more than COMMAND_AGE_MAX_S ago */
    COMMAND_FROM_THE_FUTURE,   /* … or that much ahead */
    COMMAND_UNDATED,           /* neither issued_at nor a message expiry of at most COMMAND_AGE_MAX_S */
    COMMAND_CLOCK_UNTRUSTED,   /* this lane's clock can't tell how old it is: send it with a message expiry (acl), or mend the clock */
    COMMAND_REPEATED,          /* that transaction was seen before */
    COMMAND_SIGNATURE_INVALID,
    COMMAND_KEY_UNKNOWN,
    COMMAND_NOT_SIGNED,
    COMMAND_NO_RIGHTS,         /* the verb is switched off, or isn't this operator's */
    COMMAND_OTHER_LANE,        /* meant for another one */
    COMMAND_REFUSED,           /* by the lane in its mode: message says which */
    COMMAND_BUSY,              /* another one is under way, too many wait */
    COMMAND_FAILED,            /* the journal, the configuration: message says what */
    COMMAND_ERROR_COUNT
};

_Static_assert((int)TOPIC_RESPONSES == (int)COMMAND_VERB_COUNT + 1, "a topic for each verb, and one for those unknown");

enum { COMMAND_REQUEST_MAX_BYTES = 16384, COMMAND_AGE_MAX_S = 10, COMMAND_WHY_BYTES = 81, COMMAND_MESSAGE_BYTES = 192,
       COMMAND_OPERATORS_MAX = 16 };

struct command {
    enum command_verb verb;
    char transaction[JOURNAL_TRANSACTION_BYTES]; /* required: 1 to 64 of A-Z a-z 0-9 . _ : - */
    char operator_name[JOURNAL_OPERATOR_BYTES];  /* required; signed: the key's */
    char why[COMMAND_WHY_BYTES];                 /* required for open and mode, plain text */
    int64_t until_us; /* CLOCK_MONOTONIC: older than it may be from then on, and not to be begun any more */
    enum command_mode { COMMAND_MODE_NORMAL, COMMAND_MODE_HOLD_OPEN, COMMAND_MODE_LOCK_DOWN } mode;
    int for_s;                                   /* hold_open: required */
    int64_t from_seq;                            /* resend */
    struct declared declared;
    struct revocation revocation;
};

/* Whose signatures count, each for some verbs. Read from the folder of operators' public keys (settings/operators.c). */
struct command_operator {
    char name[JOURNAL_OPERATOR_BYTES];
    char kid[17];
    uint8_t public_key[32];
    unsigned verbs; /* bits by enum command_verb */
};

enum command_auth { COMMAND_AUTH_OFF, COMMAND_AUTH_ACL, COMMAND_AUTH_SIGNED };

/* What a request is held against. */
struct command_rules {
    enum command_auth auth;
    unsigned verbs; /* that are switched on here */
    int operators_count;
    struct command_operator operators[COMMAND_OPERATORS_MAX];
    char lane_path[TOPIC_BYTES]; /* "SITE/LANE": what `lane` must be */
};

/* How it came. */
struct command_arrival {
    const char *verb; /* the topic's last level */
    bool retained;
    int64_t expiry_s; /* MQTT 5 message expiry as received; -1 = none */
    int64_t waited_us;  /* since it came, in this process */
    int64_t age_max_us; /* it was published no longer ago: what is left of an expiry alone is no date. INT64_MAX: nobody knows */
    int64_t now_us;   /* CLOCK_MONOTONIC */
    int64_t unix_us;  /* now */
    bool clock_trusted;
};

/* COMMAND_OK and *ret; or the error and `why` for the response, and in ret->transaction and ret->operator_name what could be
 * read. Never looks beyond length_bytes. */
enum command_error command_read(const struct command_rules *rules, const struct command_arrival *arrival, const uint8_t *bytes,
                                size_t length_bytes, struct command *ret, char why[COMMAND_MESSAGE_BYTES]);

const char *command_verb_name(enum command_verb verb); /* "open", …; "unknown" for COMMAND_VERB_COUNT */
bool command_verb_from_name(const char *name, enum command_verb *ret);
const char *command_error_name(enum command_error error); /* "malformed", …; "" for COMMAND_OK */

#endif
