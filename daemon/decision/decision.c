/* decide(): one ordered table of rules, the first that applies speaks. Called by the journal thread in the transaction
 * of a decision, and by qrgatectl explain. Pure; times come from strangers, so no sum of them may overflow. */
#include "daemon/decision/decision.h"

/* Everything the rules look at. */
struct situation {
    const struct credential *credential;
    const struct policy *policy;
    int64_t now_s;
    bool clock_trusted;
    bool is_token;
    bool is_registered; /* no token, and the register has a row */
    enum declaration_status status; /* as declared */
    int64_t declared_at_s;          /* of the register's row */
};

static int64_t add_saturated(int64_t a, int64_t b)
{
    int64_t sum;

    if (__builtin_add_overflow(a, b, &sum))
        return b > 0 ? INT64_MAX : INT64_MIN;
    return sum;
}

static bool is_future(const struct situation *situation, int64_t at_s)
{
    return at_s > add_saturated(situation->now_s, situation->policy->clock_skew_s);
}

/* ---- when a rule applies ---- */

static bool code_unsupported(const struct situation *s)
{
    return s->credential->fault == CREDENTIAL_FAULT_UNSUPPORTED || s->credential->kind == CREDENTIAL_UNSUPPORTED;
}

static bool key_unknown(const struct situation *s) { return s->credential->fault == CREDENTIAL_FAULT_KEY_UNKNOWN; }
static bool signature_invalid(const struct situation *s) { return s->credential->fault == CREDENTIAL_FAULT_SIGNATURE; }
static bool code_malformed(const struct situation *s) { return s->credential->fault != CREDENTIAL_OK; } /* any other */

static bool clock_untrusted(const struct situation *s)
{
    return !s->clock_trusted && (s->is_token || s->is_registered); /* where nothing is declared, nothing can expire */
}

static bool token_not_yet_valid(const struct situation *s)
{
    return s->is_token && is_future(s, s->credential->issued_at_s);
}

static bool token_expired(const struct situation *s)
{
    return s->is_token && s->now_s >= s->credential->expires_at_s; /* RFC 8392: not accepted on or after */
}

static bool declaration_future(const struct situation *s)
{
    return s->is_registered && is_future(s, s->declared_at_s);
}

static bool declaration_expired(const struct situation *s)
{
    return s->is_registered && add_saturated(s->declared_at_s, s->policy->validity_s) < s->now_s;
}

/* ---- what it then does ---- */

static enum verdict_action of_status(const struct policy *policy, enum declaration_status status)
{
    enum verdict_action action = policy->by_status[status];
    return (unsigned)action < VERDICT_ACTION_COUNT ? action : VERDICT_DENY;
}

static enum verdict_action always_deny(const struct policy *policy)
{
    (void)policy;
    return VERDICT_DENY;
}

static enum verdict_action as_untrusted(const struct policy *policy)
{
    return (unsigned)policy->clock_untrusted < VERDICT_ACTION_COUNT ? policy->clock_untrusted : VERDICT_DENY;
}

static enum verdict_action as_none(const struct policy *policy) { return of_status(policy, STATUS_NONE); }
static enum verdict_action as_expired(const struct policy *policy) { return of_status(policy, STATUS_EXPIRED); }

enum { AS_DECLARED = STATUS_COUNT };

static const struct rule {
    bool (*applies)(const struct situation *situation);
    enum reason reason;
    enum verdict_action (*action)(const struct policy *policy);
    int status;       /* shown in the verdict; or AS_DECLARED */
    bool status_next; /* the status has its say too */
} rules[] = {
    {code_unsupported, REASON_CODE_UNSUPPORTED, always_deny, STATUS_NONE, false},
    {key_unknown, REASON_KEY_UNKNOWN, always_deny, STATUS_NONE, false},
    {signature_invalid, REASON_SIGNATURE_INVALID, always_deny, STATUS_NONE, false},
    {code_malformed, REASON_CODE_MALFORMED, always_deny, STATUS_NONE, false},
    {clock_untrusted, REASON_CLOCK_UNTRUSTED, as_untrusted, AS_DECLARED, true},
    {token_not_yet_valid, REASON_TOKEN_NOT_YET_VALID, always_deny, AS_DECLARED, true},
    {token_expired, REASON_TOKEN_EXPIRED, always_deny, STATUS_EXPIRED, true},
    {declaration_future, REASON_NO_DECLARATION, as_none, STATUS_NONE, true},
    {declaration_expired, REASON_STATUS_EXPIRED, as_expired, STATUS_EXPIRED, true},
};

static const enum reason reason_of_status[STATUS_COUNT] = {
    [STATUS_NONE] = REASON_NO_DECLARATION, [STATUS_GREEN] = REASON_STATUS_GREEN,
    [STATUS_YELLOW] = REASON_STATUS_YELLOW, [STATUS_RED] = REASON_STATUS_RED,
    [STATUS_EXPIRED] = REASON_STATUS_EXPIRED, [STATUS_REVOKED] = REASON_STATUS_REVOKED,
};

static struct situation situation_of(const struct credential *credential, const struct declaration *declaration,
                                     const struct policy *policy, int64_t now_s, bool clock_trusted)
{
    struct situation situation = {
        .credential = credential, .policy = policy, .now_s = now_s, .clock_trusted = clock_trusted,
        .is_token = credential->kind == CREDENTIAL_SITE_TOKEN, .status = STATUS_NONE,
    };

    if (credential->has_status) {
        situation.status = credential->status;
    } else if (declaration != NULL && declaration->found) {
        situation.status = declaration->status;
        situation.declared_at_s = declaration->declared_at_s;
    }
    if ((unsigned)situation.status >= STATUS_COUNT)
        situation.status = STATUS_NONE;
    situation.is_registered = !credential->has_status && situation.status != STATUS_NONE;
    return situation;
}

/* Both speak: see the header. */
static struct verdict join(struct verdict by_time, struct verdict by_status)
{
    bool is_bad = by_status.status == STATUS_RED || by_status.status == STATUS_REVOKED;

    if (is_bad && by_status.action == VERDICT_OPEN)
        by_status.action = VERDICT_HOLD;
    if (by_status.action == by_time.action)
        return is_bad ? by_status : by_time;
    return by_status.action > by_time.action ? by_status : by_time;
}

struct verdict decide(const struct credential *credential, const struct declaration *declaration,
                      const struct policy *policy, int64_t now_s, bool clock_trusted)
{
    struct situation situation = situation_of(credential, declaration, policy, now_s, clock_trusted);
    struct verdict by_status = {of_status(policy, situation.status), reason_of_status[situation.status],
                                situation.status};

    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        if (!rules[i].applies(&situation))
            continue;
        struct verdict by_rule = {rules[i].action(policy), rules[i].reason,
                                  rules[i].status == AS_DECLARED ? situation.status
                                                                 : (enum declaration_status)rules[i].status};
        return rules[i].status_next ? join(by_rule, by_status) : by_rule;
    }
    return by_status;
}
