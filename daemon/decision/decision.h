/* credential + declaration + policy + time -> verdict with a reason code. Pure: `now_s` comes from the caller. */
#ifndef DECISION_DECISION_H
#define DECISION_DECISION_H

#include "daemon/credential/credential.h"

enum verdict_action { VERDICT_OPEN, VERDICT_HOLD, VERDICT_DENY, VERDICT_ACTION_COUNT };

/* One per cause; names are stable (reason_name), the schema and the manual are made from the table in reason.c. */
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

struct verdict decide(const struct credential *credential, const struct declaration *declaration,
                      const struct policy *policy, int64_t now_s, bool clock_trusted);

const char *verdict_action_name(enum verdict_action action); /* "open", "hold", "deny" */
bool verdict_action_from_name(const char *name, enum verdict_action *ret);
const char *reason_name(enum reason reason);                 /* "status_green", … */
const char *reason_meaning(enum reason reason);              /* one English sentence for manual and schema */

#endif
