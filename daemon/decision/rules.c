/* The rules in their order: when each applies, what it then does, and the status it shows. Read by decision.c in the journal
 * thread, and by whoever prints the table. Pure; times come from strangers, so no sum of them may overflow. */
#include "daemon/decision/rules.h"

#include "daemon/decision/time_sums.h"

static bool clock_trusted(const struct situation *s) { return s->facts->moment.clock_trusted; }
static bool has_fault(const struct situation *s, enum credential_fault fault) { return s->credential->fault == fault; }
static bool is_kind(const struct situation *s, enum credential_kind kind) { return s->credential->kind == kind; }

static bool is_future(const struct situation *s, int64_t at_s)
{
    return at_s > add_saturated(s->facts->moment.now_s, s->policy->clock_skew_s);
}

/* ---- when a rule applies ---- */

static bool lane_locked(const struct situation *s) { return s->facts->locked; }
static bool lock_down(const struct situation *s) { return s->facts->lock_down; }

static bool place_code(const struct situation *s)
{
    return has_fault(s, CREDENTIAL_FAULT_PLACE_CODE) || is_kind(s, CREDENTIAL_PLACE_CODE);
}

static bool code_unsupported(const struct situation *s)
{
    return has_fault(s, CREDENTIAL_FAULT_UNSUPPORTED) || is_kind(s, CREDENTIAL_UNSUPPORTED) ||
           is_kind(s, CREDENTIAL_SMART_HEALTH_CARD) || (unsigned)s->credential->kind >= CREDENTIAL_KIND_COUNT;
}

static bool key_unknown(const struct situation *s) { return has_fault(s, CREDENTIAL_FAULT_KEY_UNKNOWN); }

/* No reader lets one go without a fault; should one ever, it stops here. */
static bool signature_invalid(const struct situation *s)
{
    bool is_unverified = (s->is_token || s->is_certificate) && !s->credential->is_signed;
    return has_fault(s, CREDENTIAL_FAULT_SIGNATURE) || (has_fault(s, CREDENTIAL_OK) && is_unverified);
}

static bool key_not_valid(const struct situation *s) { return has_fault(s, CREDENTIAL_FAULT_KEY_NOT_VALID); }
static bool code_malformed(const struct situation *s) { return !has_fault(s, CREDENTIAL_OK); } /* any other */
static bool token_revoked(const struct situation *s) { return s->facts->revoked; }
static bool step_used(const struct situation *s) { return s->facts->step_used; }
static bool identity_conflict(const struct situation *s) { return s->facts->identity_conflict; }

static bool number_masked(const struct situation *s)
{
    return (s->credential->warnings & CREDENTIAL_WARN_MASKED) && !s->shows_somebody;
}

static bool exit_open(const struct situation *s)
{
    const struct presence *presence = &s->facts->presence;

    return s->policy->exit_open && s->policy->direction == DIRECTION_OUT && !identity_conflict(s) && !number_masked(s) &&
           (s->has_row || s->credential->is_signed || (presence->known && presence->inside));
}

static bool out_of_step(const struct situation *s)
{
    int64_t step = divide_down(s->facts->moment.now_s, ROTATION_STEP_S), shown = s->credential->rotation_step;

    return is_kind(s, CREDENTIAL_ROTATING_TOKEN) && clock_trusted(s) &&
           (shown < step - ROTATION_STEPS_EITHER_SIDE || shown > step + ROTATION_STEPS_EITHER_SIDE);
}

static bool signer_not_valid(const struct situation *s)
{
    int64_t from_s = s->credential->key_from_s, until_s = s->credential->key_until_s, now_s = s->facts->moment.now_s;

    return clock_trusted(s) && ((from_s != 0 && now_s < from_s) || (until_s != 0 && now_s > until_s));
}

/* Where nothing is declared nothing can expire. */
static bool clock_untrusted(const struct situation *s)
{
    return !clock_trusted(s) && (s->is_token || s->is_certificate || s->has_row || s->policy->schedule.count > 0);
}

static bool not_yet_valid(const struct situation *s)
{
    return clock_trusted(s) && (s->is_token || s->is_certificate) && is_future(s, s->credential->issued_at_s);
}

static bool expired(const struct situation *s)
{
    int64_t expires_at_s = s->credential->expires_at_s;
    bool has_end = s->is_token || (s->is_certificate && expires_at_s != 0);

    return clock_trusted(s) && has_end && s->facts->moment.now_s >= expires_at_s; /* RFC 8392: not on or after */
}

static bool row_counts_alone(const struct situation *s) { return clock_trusted(s) && s->has_row && !s->has_own; }

static bool declaration_future(const struct situation *s)
{
    return row_counts_alone(s) && is_future(s, s->facts->declaration->declared_at_s);
}

static bool declaration_expired(const struct situation *s)
{
    return row_counts_alone(s) && !declaration_valid(s->facts->declaration, &s->policy->declaration, &s->facts->moment);
}

static bool certificate_rule(const struct situation *s) { return s->is_certificate && s->health == HEALTH_RULES_UNMET; }

static bool outside_schedule(const struct situation *s)
{
    const char *group = s->credential->group;

    if (group[0] == '\0' && s->has_row)
        group = s->facts->declaration->group;
    return clock_trusted(s) && s->policy->outside_schedule != VERDICT_OPEN &&
           !schedule_allows(&s->policy->schedule, group, &s->facts->moment);
}

/* A passage from the future was stamped by a clock that was wrong: it would lock a person out until then. */
static bool antipassback_time(const struct situation *s)
{
    int64_t last_at_s = s->facts->presence.last_passage_at_s;

    return s->policy->antipassback_time != VERDICT_OPEN && s->policy->antipassback_s > 0 && last_at_s != 0 &&
           !is_future(s, last_at_s) &&
           subtract_saturated(s->facts->moment.now_s, last_at_s) < s->policy->antipassback_s;
}

static bool antipassback_presence(const struct situation *s)
{
    const struct presence *presence = &s->facts->presence;
    bool in_twice = s->policy->direction == DIRECTION_IN && presence->inside;
    bool out_without_in = s->policy->direction == DIRECTION_OUT && !presence->inside;

    return s->policy->antipassback_presence != VERDICT_OPEN && presence->known && (in_twice || out_without_in);
}

static bool occupancy_full(const struct situation *s)
{
    return s->policy->occupancy_full != VERDICT_OPEN && s->policy->direction == DIRECTION_IN &&
           s->policy->occupancy_limit > 0 && s->facts->presence.inside_count >= s->policy->occupancy_limit;
}

static bool number_mismatch(const struct situation *s)
{
    return s->policy->number_mismatch != VERDICT_OPEN &&
           (s->credential->warnings & (CREDENTIAL_WARN_SEX_MISMATCH | CREDENTIAL_WARN_BIRTH_MISMATCH));
}

static bool own_status(const struct situation *s) { return s->has_own; }

/* The register's, or that nobody declared anything: a certificate that was refused needs no second reason. */
static bool row_status(const struct situation *s)
{
    return s->has_row ? s->row_speaks : !s->has_own && !certificate_rule(s);
}

/* ---- what it then does ---- */

static enum verdict_action at_least(enum verdict_action least, enum verdict_action action)
{
    if ((unsigned)action >= VERDICT_ACTION_COUNT)
        return VERDICT_DENY; /* a setting that was forgotten closes */
    return action > least ? action : least;
}

static enum verdict_action of_status(const struct policy *policy, enum declaration_status status)
{
    return at_least(status == STATUS_REVOKED ? VERDICT_HOLD : VERDICT_OPEN, policy->by_status[status]);
}

static enum verdict_action deny(const struct situation *s)
{
    (void)s;
    return VERDICT_DENY;
}

static enum verdict_action hold(const struct situation *s)
{
    (void)s;
    return VERDICT_HOLD;
}

static enum verdict_action open_it(const struct situation *s)
{
    (void)s;
    return VERDICT_OPEN;
}

static enum verdict_action as_untrusted(const struct situation *s)
{
    switch (s->policy->clock_untrusted) {
    case CLOCK_POLICY_HOLD: return VERDICT_HOLD;
    case CLOCK_POLICY_OPEN_IF_SIGNATURE_VALID: return s->has_own ? VERDICT_OPEN : VERDICT_HOLD; /* own: always signed */
    case CLOCK_POLICY_DENY: break;
    }
    return VERDICT_DENY;
}

static enum verdict_action as_none(const struct situation *s) { return of_status(s->policy, STATUS_NONE); }
static enum verdict_action as_masked(const struct situation *s) { return at_least(VERDICT_HOLD, as_none(s)); }
static enum verdict_action as_expired(const struct situation *s) { return of_status(s->policy, STATUS_EXPIRED); }
static enum verdict_action as_own(const struct situation *s) { return of_status(s->policy, s->own); }
static enum verdict_action as_row(const struct situation *s) { return of_status(s->policy, s->row); }
static enum verdict_action as_unmet(const struct situation *s) { return at_least(VERDICT_HOLD, s->policy->health.unmet); }

static enum verdict_action as_outside(const struct situation *s)
{
    return at_least(VERDICT_OPEN, s->policy->outside_schedule);
}

static enum verdict_action as_time(const struct situation *s)
{
    return at_least(VERDICT_OPEN, s->policy->antipassback_time);
}

static enum verdict_action as_presence(const struct situation *s)
{
    return at_least(VERDICT_OPEN, s->policy->antipassback_presence);
}

static enum verdict_action as_full(const struct situation *s) { return at_least(VERDICT_OPEN, s->policy->occupancy_full); }

static enum verdict_action as_mismatch(const struct situation *s)
{
    return at_least(VERDICT_OPEN, s->policy->number_mismatch);
}

/* ---- the table ---- */

enum { ENDS = true, JOINS = false };

static const struct rule rules[] = {
    {lane_locked, REASON_LANE_LOCKED, deny, "deny", SHOW_NONE, ENDS},
    {lock_down, REASON_LOCK_DOWN, deny, "deny", SHOW_NONE, ENDS},
    {place_code, REASON_PLACE_CODE, deny, "deny", SHOW_NONE, ENDS},
    {code_unsupported, REASON_CODE_UNSUPPORTED, deny, "deny", SHOW_NONE, ENDS},
    {key_unknown, REASON_KEY_UNKNOWN, deny, "deny", SHOW_NONE, ENDS},
    {signature_invalid, REASON_SIGNATURE_INVALID, deny, "deny", SHOW_NONE, ENDS},
    {key_not_valid, REASON_KEY_NOT_VALID, deny, "deny", SHOW_NONE, ENDS},
    {code_malformed, REASON_CODE_MALFORMED, deny, "deny", SHOW_NONE, ENDS},
    {token_revoked, REASON_TOKEN_REVOKED, deny, "deny", SHOW_DECLARED, ENDS},
    {step_used, REASON_TOKEN_REPLAYED, deny, "deny", SHOW_DECLARED, ENDS},
    {identity_conflict, REASON_IDENTITY_CONFLICT, hold, "hold", SHOW_DECLARED, JOINS},
    {number_masked, REASON_NUMBER_MASKED, as_masked, "hold, or policy.none where stricter", SHOW_NONE, JOINS},
    {exit_open, REASON_EXIT_OPEN, open_it, "open, by policy.exit", SHOW_DECLARED, ENDS},
    {out_of_step, REASON_TOKEN_OUT_OF_STEP, deny, "deny", SHOW_DECLARED, ENDS},
    {signer_not_valid, REASON_KEY_NOT_VALID, deny, "deny", SHOW_DECLARED, ENDS},
    {clock_untrusted, REASON_CLOCK_UNTRUSTED, as_untrusted, "policy.clock_untrusted", SHOW_DECLARED, JOINS},
    {not_yet_valid, REASON_TOKEN_NOT_YET_VALID, deny, "deny", SHOW_DECLARED, JOINS},
    {expired, REASON_TOKEN_EXPIRED, deny, "deny", SHOW_EXPIRED, JOINS},
    {declaration_future, REASON_NO_DECLARATION, as_none, "policy.none", SHOW_NONE, JOINS},
    {declaration_expired, REASON_STATUS_EXPIRED, as_expired, "policy.expired", SHOW_EXPIRED, JOINS},
    {certificate_rule, REASON_CERTIFICATE_RULE, as_unmet, "certificate.unmet", SHOW_DECLARED, JOINS},
    {outside_schedule, REASON_OUTSIDE_SCHEDULE, as_outside, "schedule.outside", SHOW_DECLARED, JOINS},
    {antipassback_time, REASON_ANTIPASSBACK_TIME, as_time, "antipassback.time", SHOW_DECLARED, JOINS},
    {antipassback_presence, REASON_ANTIPASSBACK_PRESENCE, as_presence, "antipassback.presence", SHOW_DECLARED, JOINS},
    {occupancy_full, REASON_OCCUPANCY_FULL, as_full, "occupancy.full", SHOW_DECLARED, JOINS},
    {number_mismatch, REASON_NUMBER_MISMATCH, as_mismatch, "policy.number_mismatch", SHOW_DECLARED, JOINS},
    {own_status, REASON_NONE, as_own, "policy.STATUS, the code's own", SHOW_OWN, JOINS},
    {row_status, REASON_NONE, as_row, "policy.STATUS, the register's", SHOW_ROW, JOINS},
};
enum { RULES_COUNT = sizeof rules / sizeof rules[0] };

const struct rule *rule_at(size_t index)
{
    return index < RULES_COUNT ? &rules[index] : NULL;
}

bool decision_rule(size_t index, struct decision_rule *ret)
{
    if (index >= RULES_COUNT)
        return false;
    *ret = (struct decision_rule){rules[index].reason, rules[index].action_words, rules[index].ends};
    return true;
}
