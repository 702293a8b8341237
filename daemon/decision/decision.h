/* credential + declaration + policy + presence + time -> verdict with a reason code. Pure: everything is passed in. Called
 * by the journal thread for each decision, and by qrgatectl explain. */
#ifndef DECISION_DECISION_H
#define DECISION_DECISION_H

#include "daemon/credential/credential.h"
#include "daemon/decision/declaration.h"
#include "daemon/decision/schedule.h"

/* From mild to strict: decide() compares them. */
enum verdict_action { VERDICT_OPEN, VERDICT_HOLD, VERDICT_DENY, VERDICT_ACTION_COUNT };

/* One per cause; names are stable (reason_name), the schema and the manual are made from the table in reason.c.
 * JOURNAL_FAILED, BUTTON and NONE never come from decide(). */
enum reason {
    REASON_STATUS_GREEN,
    REASON_STATUS_YELLOW,
    REASON_STATUS_RED,
    REASON_STATUS_WHITE,
    REASON_STATUS_EXPIRED,
    REASON_STATUS_REVOKED,
    REASON_NO_DECLARATION,
    REASON_TOKEN_EXPIRED,
    REASON_TOKEN_NOT_YET_VALID,
    REASON_TOKEN_REVOKED,        /* its id is on the revocation list */
    REASON_TOKEN_REPLAYED,       /* rotating: this step was used already */
    REASON_TOKEN_OUT_OF_STEP,    /* rotating: a screenshot, or a phone whose clock is off */
    REASON_SIGNATURE_INVALID,
    REASON_KEY_UNKNOWN,
    REASON_KEY_NOT_VALID,
    REASON_CODE_MALFORMED,
    REASON_CODE_UNSUPPORTED,
    REASON_PLACE_CODE,           /* "show your own code" */
    REASON_NUMBER_MASKED,        /* a personal code without a whole number: nobody can be looked up */
    REASON_NUMBER_MISMATCH,      /* the number disagrees with sex or birth year, and policy minds */
    REASON_IDENTITY_CONFLICT,    /* the code's numbers belong to different people of the register */
    REASON_CERTIFICATE_RULE,     /* the vaccination, test or recovery doesn't meet the site's rules */
    REASON_OUTSIDE_SCHEDULE,
    REASON_ANTIPASSBACK_TIME,    /* again too soon */
    REASON_ANTIPASSBACK_PRESENCE, /* in twice, or out without in */
    REASON_OCCUPANCY_FULL,
    REASON_EXIT_OPEN,            /* a lane out that lets everybody known leave */
    REASON_LANE_LOCKED,          /* too many refusals in a row */
    REASON_LOCK_DOWN,            /* by command: nobody goes through */
    REASON_CLOCK_UNTRUSTED,
    REASON_JOURNAL_FAILED, /* nothing could be recorded: never opens */
    REASON_BUTTON,         /* the guard decided */
    REASON_OPERATOR,       /* an operator opened, by MQTT */
    REASON_NONE,           /* an event without a verdict: start, stop, alarms */
    REASON_COUNT
};

enum direction { DIRECTION_NONE, DIRECTION_IN, DIRECTION_OUT, DIRECTION_COUNT };

/* What is known of where people are. SCOPE_OWN: only by this lane, the others can't be heard. */
enum presence_scope { PRESENCE_SCOPE_NONE, PRESENCE_SCOPE_OWN, PRESENCE_SCOPE_SHARED, PRESENCE_SCOPE_COUNT };

struct presence {
    bool known, inside;        /* this person */
    int64_t changed_at_s;
    int64_t last_passage_at_s; /* this person's last one at this lane in its direction; 0 = none */
    int64_t inside_count;      /* everybody */
};

/* Everything the rules look at. All borrowed for the call. */
struct decision_facts {
    const struct credential *credential;
    const struct declaration *declaration; /* NULL = nothing found */
    struct presence presence;
    struct moment moment;
    bool revoked;           /* credential->token_id is on the list */
    bool step_used;         /* credential->rotation_step is not newer than the last one accepted */
    bool identity_conflict;
    bool locked;
    bool lock_down;
};

enum clock_policy { CLOCK_POLICY_HOLD, CLOCK_POLICY_DENY, CLOCK_POLICY_OPEN_IF_SIGNATURE_VALID };

/* EU-format certificates. 0 days or hours = no bound. */
enum { HEALTH_PRODUCTS_MAX = 16 };
struct health_policy {
    bool accept; /* false: every such certificate is refused by certificate_rule */
    char products[HEALTH_PRODUCTS_MAX][40];
    size_t products_count; /* 0 = any */
    bool all_doses;        /* dn >= sd */
    int vaccination_from_days, vaccination_until_days; /* after the dose */
    int molecular_test_hours, antigen_test_hours;      /* tt LP6464-4, LP217198-3; any other type is refused */
    int recovery_from_days, recovery_until_days;       /* after the first positive test; `df` and `du` count too */
    enum verdict_action unmet;                         /* what certificate_rule does */
};

struct policy {
    enum verdict_action by_status[STATUS_COUNT]; /* what each status does */
    struct declaration_policy declaration;
    struct health_policy health;
    struct schedule schedule;
    enum verdict_action outside_schedule;
    enum direction direction;
    bool exit_open;                    /* a lane out: who is known may leave, whatever status, time or schedule say */
    int64_t antipassback_s;            /* 0 = off */
    enum verdict_action antipassback_time, antipassback_presence; /* OPEN = off */
    int64_t occupancy_limit;           /* 0 = off; lanes in */
    enum verdict_action occupancy_full;
    enum verdict_action number_mismatch; /* OPEN = a warning stays a warning */
    int refusals_lock;                 /* so many denials in a row lock; 0 = off */
    int64_t refusals_lock_s;
    enum clock_policy clock_untrusted; /* expiry can't be judged */
    int64_t clock_skew_s;              /* tolerated for `iat` in the future */
};

struct verdict {
    enum verdict_action action;
    enum reason reason;
    enum declaration_status status;
};

enum { ROTATION_STEP_S = 30, ROTATION_STEPS_EITHER_SIDE = 1 };

/* One ordered table of rules; its order and meaning:
 *  1. a locked lane denies everything, and so does one in lock-down;
 *  2. a credential with a fault is denied with the reason of its fault;
 *  3. what must never open: revoked token, step used: denied; numbers of different people, a number masked so that nobody
 *     can be looked up: held. With exit_open at a lane out, who is known (a row of the register, a verified signature, inside
 *     by presence) and isn't stopped so far leaves: opened by exit_open. Then a step out of step, a certificate's signer out
 *     of its validity, both with a trusted clock: denied;
 *  4. what time says: clock untrusted (policy.clock_untrusted; open-if-signature-valid: who brings a verified signature over
 *     a status, so no rotating token, is judged without time, everybody else is held); token or certificate before its `iat`
 *     less the skew: denied; at or after its `exp`: denied, whatever by_status[STATUS_EXPIRED] says, for an old token may be
 *     a photograph; a register row from the future beyond the skew: counts as no declaration; one no longer valid:
 *     by_status[STATUS_EXPIRED];
 *  5. the certificate's rules (never milder than held), the schedule (not with an untrusted clock), anti-passback, occupancy,
 *     a mismatching number: each by its own action, OPEN = off. Presence that isn't known passes;
 *  6. what the status says: by_status[status]; revoked is never milder than held. Whose: a token's own, and the register's
 *     where its row is not older than the token: both; a certificate's, green when its rules are met, red for a positive
 *     test at any age, in the same way with the register's; else the register's alone. A certificate that doesn't meet the
 *     rules leaves it to certificate_rule, unless the register has a row.
 * 1, 2 and 3 end the matter where they deny or open. For the rest the strictest action wins, so that no rule makes a verdict
 * milder; alike, the first gives the reason, but for red and revoked, which keep their name and with a rule that applies
 * never open: an expired red stays shut. */
struct verdict decide(const struct decision_facts *facts, const struct policy *policy);

/* The rows of that table, for the manual. `action`: a fixed action's name, or the key of the configuration that gives it;
 * `ends`: no later row has its say. REASON_NONE: the rows of 6, whose reason is the status's. False: there are no more. */
struct decision_rule {
    enum reason reason;
    const char *action;
    bool ends;
};
bool decision_rule(size_t index, struct decision_rule *ret);

/* The lock: counts denials, to be kept by the caller between decisions. */
struct refusals {
    int in_a_row;
    int64_t locked_until_us; /* CLOCK_MONOTONIC; 0 = not locked */
};
bool refusals_locked(const struct refusals *refusals, int64_t monotonic_us);
/* After each verdict that was recorded, and with VERDICT_OPEN for an override. LANE_LOCKED and LOCK_DOWN don't count. */
void refusals_count(struct refusals *refusals, const struct policy *policy, const struct verdict *verdict,
                    int64_t monotonic_us);

const char *verdict_action_name(enum verdict_action action); /* "open", "hold", "deny" */
bool verdict_action_from_name(const char *name, enum verdict_action *ret);
const char *reason_name(enum reason reason);                 /* "status_green", … */
const char *reason_meaning(enum reason reason);              /* one English sentence for manual and schema */
const char *reason_remedy(enum reason reason);               /* one short sentence: what the worker or the guard does next */
const char *reason_example(enum reason reason);              /* one sentence for the manual: when it comes up */
const char *direction_name(enum direction direction);        /* "none", "in", "out" */
bool direction_from_name(const char *name, enum direction *ret);
const char *presence_scope_name(enum presence_scope scope);  /* "none", "own", "shared" */
bool presence_scope_from_name(const char *name, enum presence_scope *ret);

#endif
