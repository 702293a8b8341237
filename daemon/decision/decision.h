/* credential + declaration + policy + time -> verdict with a reason code. Pure: `now_s` comes from the caller.
 * Called by the journal thread for each decision, and by qrgatectl explain. */
#ifndef DECISION_DECISION_H
#define DECISION_DECISION_H

#include "daemon/credential/credential.h"

/* From mild to strict: decide() compares them. */
enum verdict_action { VERDICT_OPEN, VERDICT_HOLD, VERDICT_DENY, VERDICT_ACTION_COUNT };

/* One per cause; names are stable (reason_name), the schema and the manual are made from the table in reason.c.
 * JOURNAL_FAILED, BUTTON and NONE never come from decide(). */
enum reason {
    REASON_STATUS_GREEN,
    REASON_STATUS_YELLOW,
    REASON_STATUS_RED,
    REASON_STATUS_EXPIRED,
    REASON_STATUS_REVOKED,
    REASON_NO_DECLARATION,
    REASON_TOKEN_EXPIRED,
    REASON_TOKEN_NOT_YET_VALID,
    REASON_SIGNATURE_INVALID,
    REASON_KEY_UNKNOWN,
    REASON_CODE_MALFORMED,
    REASON_CODE_UNSUPPORTED,
    REASON_CLOCK_UNTRUSTED,
    REASON_JOURNAL_FAILED, /* nothing could be recorded: never opens */
    REASON_BUTTON,         /* the guard decided */
    REASON_NONE,           /* an event without a verdict: start, stop, alarms */
    REASON_COUNT
};

/* The register's answer for one person. */
struct declaration {
    bool found;
    enum declaration_status status; /* as declared; expiry is judged by decide() */
    int64_t declared_at_s;
};

struct policy {
    enum verdict_action by_status[STATUS_COUNT]; /* what each status does */
    int64_t validity_s;                          /* a declaration is good for so long after declared_at_s */
    enum verdict_action clock_untrusted;         /* expiry can't be judged */
    int64_t clock_skew_s;                        /* tolerated for `iat` in the future */
};

struct verdict {
    enum verdict_action action;
    enum reason reason;
    enum declaration_status status;
};

/* Whose declaration: a token's own, else `declaration` (the register's answer; NULL = nothing found). In this order:
 *  1. a credential with a fault is denied with the reason of its fault;
 *  2. what time says: clock untrusted (policy.clock_untrusted); token before its `iat` less the skew: denied; token at
 *     or after its `exp`: denied, whatever by_status[STATUS_EXPIRED] says, for an old token may be a photograph; a
 *     register row from the future beyond the skew: counts as no declaration; one older than validity_s:
 *     by_status[STATUS_EXPIRED];
 *  3. what the status says: by_status[status].
 * Where 2 and 3 both speak the stricter action wins, so that time never makes a verdict milder; alike, time gives the
 * reason, but for red and revoked, which keep their name and then never open: an expired red stays shut. */
struct verdict decide(const struct credential *credential, const struct declaration *declaration,
                      const struct policy *policy, int64_t now_s, bool clock_trusted);

const char *verdict_action_name(enum verdict_action action); /* "open", "hold", "deny" */
bool verdict_action_from_name(const char *name, enum verdict_action *ret);
const char *reason_name(enum reason reason);                 /* "status_green", … */
const char *reason_meaning(enum reason reason);              /* one English sentence for manual and schema */

#endif
