/* The one table of reason codes, their stable names and meanings; the messages' schema and the manual are made from it.
 * Pure; any thread. */
#include "daemon/decision/decision.h"

#include <string.h>

static const struct {
    const char *name, *meaning;
} reasons[REASON_COUNT] = {
    [REASON_STATUS_GREEN] = {"status_green", "The person's declaration is green."},
    [REASON_STATUS_YELLOW] = {"status_yellow", "The person's declaration is yellow."},
    [REASON_STATUS_RED] = {"status_red", "The person's declaration is red; time never makes it milder."},
    [REASON_STATUS_EXPIRED] = {"status_expired", "The person's declaration is older than a declaration stays valid."},
    [REASON_STATUS_REVOKED] = {"status_revoked", "The person's declaration has been revoked."},
    [REASON_NO_DECLARATION] = {"no_declaration",
                               "No declaration of this person counts now: none is known, or it is from the future."},
    [REASON_TOKEN_EXPIRED] = {"token_expired", "The signed code's time is over; a new one is needed."},
    [REASON_TOKEN_NOT_YET_VALID] = {"token_not_yet_valid", "The signed code begins to be valid later than now."},
    [REASON_SIGNATURE_INVALID] = {"signature_invalid", "The code's signature does not hold: it is forged or changed."},
    [REASON_KEY_UNKNOWN] = {"key_unknown",
                            "The code is signed with a key, or for an issuer, that this gate does not trust."},
    [REASON_CODE_MALFORMED] = {"code_malformed", "The code is of a kind this gate reads, but broken."},
    [REASON_CODE_UNSUPPORTED] = {"code_unsupported", "The code is of no kind that this gate reads."},
    [REASON_CLOCK_UNTRUSTED] = {"clock_untrusted", "The gate's clock is not trusted, so validity could not be judged."},
    [REASON_JOURNAL_FAILED] = {"journal_failed", "Nothing could be recorded, and unrecorded the gate never opens."},
    [REASON_BUTTON] = {"button", "The guard decided with the button."},
    [REASON_NONE] = {"none", "The event has no verdict."},
};

static const char *const action_names[VERDICT_ACTION_COUNT] = {
    [VERDICT_OPEN] = "open", [VERDICT_HOLD] = "hold", [VERDICT_DENY] = "deny",
};

const char *reason_name(enum reason reason)
{
    return (unsigned)reason < REASON_COUNT ? reasons[reason].name : "?";
}

const char *reason_meaning(enum reason reason)
{
    return (unsigned)reason < REASON_COUNT ? reasons[reason].meaning : "?";
}

const char *verdict_action_name(enum verdict_action action)
{
    return (unsigned)action < VERDICT_ACTION_COUNT ? action_names[action] : "?";
}

bool verdict_action_from_name(const char *name, enum verdict_action *ret)
{
    for (int action = 0; action < VERDICT_ACTION_COUNT; action++) {
        if (strcmp(name, action_names[action]) == 0) {
            *ret = (enum verdict_action)action;
            return true;
        }
    }
    return false;
}
