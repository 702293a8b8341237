/* The table of rules that decide() goes through. Only for decision.c. Pure. */
#ifndef DECISION_RULES_H
#define DECISION_RULES_H

#include "daemon/decision/decision.h"
#include "daemon/decision/health_rules.h"

/* Everything the rules look at. */
struct situation {
    const struct decision_facts *facts;
    const struct credential *credential;
    const struct policy *policy;
    bool shows_somebody; /* a number to look up */
    bool is_token;       /* the site's: its times are always given */
    bool is_certificate;
    enum health_judgement health; /* certificates */
    bool has_own;        /* the code itself says a status */
    bool has_row;        /* the register knows a declaration */
    bool row_speaks;     /* … and it isn't older than what the code itself says */
    enum declaration_status own, row;
};

/* The status in a rule's verdict. */
enum rule_status { SHOW_NONE, SHOW_EXPIRED, SHOW_DECLARED /* the worse of both */, SHOW_OWN, SHOW_ROW };

struct rule {
    bool (*applies)(const struct situation *situation);
    enum reason reason; /* REASON_NONE: the status's */
    enum verdict_action (*action)(const struct situation *situation);
    const char *action_words; /* for the manual */
    enum rule_status shown;
    bool ends; /* the next have no say */
};

const struct rule *rule_at(size_t index); /* NULL: there are no more */

#endif
