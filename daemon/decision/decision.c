/* decide(): of the rules that apply the strictest wins. Called by the journal thread in the transaction of a decision, and by
 * qrgatectl explain. Pure. */
#include "daemon/decision/rules.h"

static const enum reason reason_of_status[STATUS_COUNT] = {
    [STATUS_NONE] = REASON_NO_DECLARATION, [STATUS_GREEN] = REASON_STATUS_GREEN,
    [STATUS_YELLOW] = REASON_STATUS_YELLOW, [STATUS_RED] = REASON_STATUS_RED,
    [STATUS_EXPIRED] = REASON_STATUS_EXPIRED, [STATUS_REVOKED] = REASON_STATUS_REVOKED,
    [STATUS_WHITE] = REASON_STATUS_WHITE,
};

/* ---- the situation ---- */

static enum declaration_status known_status(enum declaration_status status)
{
    return (unsigned)status < STATUS_COUNT ? status : STATUS_NONE;
}

static bool shows_somebody(const struct credential *credential)
{
    bool has_number = credential->subject[0] != '\0';

    for (size_t i = 0; i < CREDENTIAL_ALIASES_MAX; i++)
        has_number |= credential->aliases[i][0] != '\0';
    return has_number;
}

static void take_own(struct situation *s)
{
    const struct credential *credential = s->credential;

    s->shows_somebody = shows_somebody(credential);
    s->is_token = credential->kind == CREDENTIAL_SITE_TOKEN || credential->kind == CREDENTIAL_ROTATING_TOKEN;
    s->is_certificate = credential->kind == CREDENTIAL_HEALTH_CERTIFICATE;
    if (s->is_certificate) {
        s->health = health_judge(&credential->health, &s->policy->health, &s->facts->moment, s->policy->clock_skew_s);
        s->has_own = s->health != HEALTH_RULES_UNMET;
        s->own = s->health == HEALTH_POSITIVE ? STATUS_RED : s->has_own ? STATUS_GREEN : STATUS_NONE;
    } else if (credential->kind == CREDENTIAL_SITE_TOKEN && credential->has_status) {
        s->has_own = true;
        s->own = known_status(credential->status);
    }
}

static void take_row(struct situation *s)
{
    const struct declaration *declaration = s->facts->declaration;

    if (declaration == NULL || !declaration->found || !s->shows_somebody)
        return;
    /* Without a clock no answer can be called too old: as on the day of declaring. */
    int64_t at_s = s->facts->moment.clock_trusted ? s->facts->moment.now_s : declaration->declared_at_s;
    s->row = known_status(declaration_derive(declaration, &s->policy->declaration, at_s));
    s->has_row = s->row != STATUS_NONE;
    s->row_speaks = s->has_row && (!s->has_own || declaration->declared_at_s >= s->credential->issued_at_s);
}

static enum declaration_status shown_status(const struct situation *s, enum rule_status shown)
{
    switch (shown) {
    case SHOW_NONE: return STATUS_NONE;
    case SHOW_EXPIRED: return STATUS_EXPIRED;
    case SHOW_OWN: return s->own;
    case SHOW_ROW: return s->row;
    case SHOW_DECLARED: break;
    }
    return s->row_speaks && declaration_status_worse(s->row, s->own) ? s->row : s->own;
}

/* ---- the verdict ---- */

/* What was said so far, and by whom. */
struct word {
    struct verdict verdict;
    bool by_rule;  /* some rule before the statuses applied */
    bool by_status; /* the verdict is a status's */
    bool is_said;
};

static bool is_bad(enum declaration_status status) { return status == STATUS_RED || status == STATUS_REVOKED; }

/* Alike: the first keeps the word, but for a bad status, and for the worse of two. */
static bool outweighs(const struct verdict *verdict, bool is_status, const struct word *word)
{
    if (!word->is_said || verdict->action != word->verdict.action)
        return !word->is_said || verdict->action > word->verdict.action;
    if (!is_status)
        return false;
    return word->by_status ? declaration_status_worse(verdict->status, word->verdict.status) : is_bad(verdict->status);
}

static void speak(struct word *word, const struct rule *rule, const struct situation *situation)
{
    bool is_status = rule->reason == REASON_NONE;
    struct verdict verdict = {rule->action(situation), rule->reason, shown_status(situation, rule->shown)};

    if (is_status) {
        verdict.reason = reason_of_status[verdict.status];
        if (word->by_rule && is_bad(verdict.status) && verdict.action == VERDICT_OPEN)
            verdict.action = VERDICT_HOLD;
    }
    if (outweighs(&verdict, is_status, word)) {
        word->verdict = verdict;
        word->by_status = is_status;
    }
    word->by_rule |= !is_status;
    word->is_said = true;
}

struct verdict decide(const struct decision_facts *facts, const struct policy *policy)
{
    struct situation situation = {.facts = facts, .credential = facts->credential, .policy = policy};
    struct word word = {.verdict = {VERDICT_DENY, REASON_NO_DECLARATION, STATUS_NONE}};
    const struct rule *rule;

    take_own(&situation);
    take_row(&situation);
    for (size_t i = 0; (rule = rule_at(i)) != NULL; i++) {
        if (!rule->applies(&situation))
            continue;
        speak(&word, rule, &situation);
        if (rule->ends)
            break;
    }
    return word.verdict;
}
