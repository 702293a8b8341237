/* The one table of reason codes: stable names, meanings, what to do next, an example. The messages' schema and the manual
 * are made from it. Below it the names of the other small enums. Pure; any thread. */
#include "daemon/decision/decision.h"

#include <string.h>

static const struct {
    const char *name, *meaning, *remedy, *example;
} reasons[REASON_COUNT] = {
    [REASON_STATUS_GREEN] = {
        "status_green", "The person's declaration is green.", "Walk through.",
        "A worker declared this morning that she is well, and shows her citizen card."},
    [REASON_STATUS_YELLOW] = {
        "status_yellow", "The person's declaration is yellow.", "The guard asks how the worker feels, and decides.",
        "A worker declared a sore throat, and at this site a sore throat is yellow."},
    [REASON_STATUS_RED] = {
        "status_red", "The person's declaration is red, or a certificate shows a positive test; time never makes it milder.",
        "The worker stays outside and calls the health officer.",
        "A worker declared a fever, or was declared red by the health office; ten days later it is still red."},
    [REASON_STATUS_WHITE] = {
        "status_white", "The person's declaration is white: not judged yet.",
        "The guard asks the health office for the person's colour.",
        "The town's list carries a newcomer as white until somebody has looked at the case."},
    [REASON_STATUS_EXPIRED] = {
        "status_expired", "The person's declaration is older than a declaration stays valid.",
        "The worker declares again, on the phone or with the guard, and shows the code once more.",
        "The last declaration is from Monday, declarations are valid for 72 hours, and it is Friday."},
    [REASON_STATUS_REVOKED] = {
        "status_revoked", "The person's declaration has been revoked.", "The guard sends the person to the office.",
        "A worker's contract ended yesterday, and the office revoked the declaration."},
    [REASON_NO_DECLARATION] = {
        "no_declaration", "No declaration of this person counts now: none is known, or it is from the future.",
        "The worker declares, on the phone or with the guard, and shows the code once more.",
        "A driver from another firm shows a citizen card that the register has never seen."},
    [REASON_TOKEN_EXPIRED] = {
        "token_expired", "The signed code's time is over, and an old one may be a photograph.",
        "The worker gets a new code from the office.",
        "A printed code was issued for 72 hours on Monday and is shown on Friday."},
    [REASON_TOKEN_NOT_YET_VALID] = {
        "token_not_yet_valid", "The signed code begins to be valid later than now.",
        "The worker comes back when the code has begun, or gets another one from the office.",
        "A visitor's code for tomorrow is shown today."},
    [REASON_TOKEN_REVOKED] = {
        "token_revoked", "The signed code is on the list of revoked codes.",
        "The guard keeps the code, if it is printed, and sends the person to the office.",
        "A worker reported a lost badge, the office revoked it, and somebody shows it."},
    [REASON_TOKEN_REPLAYED] = {
        "token_replayed", "The changing code was used already; each one opens once.",
        "The worker waits for the next code on the phone, half a minute at most, and shows it.",
        "Two people show the same phone within half a minute."},
    [REASON_TOKEN_OUT_OF_STEP] = {
        "token_out_of_step", "The changing code is not the one of this half minute: a screenshot, or a phone with a wrong clock.",
        "The worker opens the code's page anew and sets the phone's clock to automatic.",
        "A worker shows a picture that a colleague sent an hour ago."},
    [REASON_SIGNATURE_INVALID] = {
        "signature_invalid", "The code's signature does not hold: it is forged or changed.",
        "The guard looks at the code and who shows it, and reports it.",
        "Somebody changed yellow to green in a code and printed it again."},
    [REASON_KEY_UNKNOWN] = {
        "key_unknown", "The code is signed with a key, or for an issuer, that this gate does not trust.",
        "The guard asks where the code is from; the office adds the issuer's key if it is to be trusted.",
        "A code of the factory next door is shown."},
    [REASON_KEY_NOT_VALID] = {
        "key_not_valid", "The key that signed the code may not sign this, or not at this time.",
        "The worker asks the issuer for a new code.",
        "A vaccination certificate is signed with a key that is for tests alone, or whose own certificate has run out."},
    [REASON_CODE_MALFORMED] = {
        "code_malformed", "The code is of a kind this gate reads, but broken.",
        "The worker shows the code again, flat and whole, or another one.",
        "A citizen card's code has a birth date of the 45th of a month."},
    [REASON_CODE_UNSUPPORTED] = {
        "code_unsupported", "The code is of no kind that this gate reads.",
        "The worker shows a citizen card, an insurance card, a personal code or the site's own code.",
        "A payment code is shown by mistake."},
    [REASON_PLACE_CODE] = {
        "place_code", "This is a place's code, not a person's.", "The worker shows a code of their own.",
        "A worker shows a photograph of the poster at the entrance."},
    [REASON_NUMBER_MASKED] = {
        "number_masked", "The personal code hides its number, so that nobody can be looked up.",
        "The worker shows the citizen card, or a personal code with the whole number.",
        "A code printed from the telephone shows ******029317 and no other number."},
    [REASON_NUMBER_MISMATCH] = {
        "number_mismatch", "The citizen number disagrees with the sex or the year of birth beside it.",
        "The guard compares the card with the person.",
        "The number says a man born in 1990, the card's text says a woman."},
    [REASON_IDENTITY_CONFLICT] = {
        "identity_conflict", "The numbers in this one code belong to different people of the register.",
        "The guard looks at the person's papers; the office mends the register.",
        "The citizen number is one worker's, and the insurance number in the same code is another's."},
    [REASON_CERTIFICATE_RULE] = {
        "certificate_rule", "The vaccination, test or recovery certificate does not meet this site's rules.",
        "The worker shows a certificate that does, or another code.",
        "A rapid test is 60 hours old where 48 are allowed, or the last dose was nine days ago where 14 are asked for."},
    [REASON_OUTSIDE_SCHEDULE] = {
        "outside_schedule", "The person's group may not pass at this time.",
        "The worker comes back in the group's hours, or the guard asks the foreman.",
        "The night shift's hours begin at 22:00, and one of it comes at 20:00."},
    [REASON_ANTIPASSBACK_TIME] = {
        "antipassback_time", "The same person passed this lane only just before.",
        "The worker waits a little; the guard makes sure that one code is not used by two.",
        "A code goes back over the arm to a colleague, who shows it ten seconds later."},
    [REASON_ANTIPASSBACK_PRESENCE] = {
        "antipassback_presence", "The person comes in who is inside already, or goes out who never came in.",
        "The guard lets the worker through when it is the right person, with the button.",
        "A worker left by the loading door without showing the code, and comes in again at the gate."},
    [REASON_OCCUPANCY_FULL] = {
        "occupancy_full", "As many people are inside as may be.", "The worker waits until somebody has left.",
        "The canteen may hold 60, and 60 are in it."},
    [REASON_EXIT_OPEN] = {
        "exit_open", "This is a lane out that lets everybody known leave, whatever the status.", "Walk through.",
        "A worker came in green, was declared red at noon, and goes home."},
    [REASON_LANE_LOCKED] = {
        "lane_locked", "Too many codes in a row were refused at this lane; it reads none for a while.",
        "The guard comes to the lane; the button still opens, and ends the lock.",
        "Somebody tries ten home-made codes one after the other."},
    [REASON_LOCK_DOWN] = {
        "lock_down", "The lane is in lock-down: by command, nobody goes through.",
        "The worker keeps away and follows the guards; the button still opens once, a command ends the lock-down.",
        "An intruder is in the yard, and the control room has closed every lane."},
    [REASON_CLOCK_UNTRUSTED] = {
        "clock_untrusted", "The gate's clock is not trusted, so validity could not be judged.",
        "The guard looks at the date of the declaration; the technician sets the gate's clock right.",
        "After a power cut the gate starts without a network and does not know the time."},
    [REASON_JOURNAL_FAILED] = {
        "journal_failed", "Nothing could be recorded, and unrecorded the gate never opens.",
        "The guard opens with the button and calls the technician.",
        "The memory card is full or broken."},
    [REASON_BUTTON] = {
        "button", "The guard decided with the button.", "Walk through.",
        "A yellow worker was asked and is well; the guard presses the button."},
    [REASON_OPERATOR] = {
        "operator", "An operator opened from afar, by a request over MQTT.", "Walk through.",
        "A driver rings at night where no guard is, and the control room lets him in."},
    [REASON_NONE] = {
        "none", "The event has no verdict.", "Nothing is to be done at the gate.",
        "The gate was started, or its camera was lost."},
};

static const char *const action_names[VERDICT_ACTION_COUNT] = {
    [VERDICT_OPEN] = "open", [VERDICT_HOLD] = "hold", [VERDICT_DENY] = "deny",
};
static const char *const direction_names[DIRECTION_COUNT] = {
    [DIRECTION_NONE] = "none", [DIRECTION_IN] = "in", [DIRECTION_OUT] = "out",
};
static const char *const scope_names[PRESENCE_SCOPE_COUNT] = {
    [PRESENCE_SCOPE_NONE] = "none", [PRESENCE_SCOPE_OWN] = "own", [PRESENCE_SCOPE_SHARED] = "shared",
};

const char *reason_name(enum reason reason)
{
    return (unsigned)reason < REASON_COUNT ? reasons[reason].name : "?";
}

const char *reason_meaning(enum reason reason)
{
    return (unsigned)reason < REASON_COUNT ? reasons[reason].meaning : "?";
}

const char *reason_remedy(enum reason reason)
{
    return (unsigned)reason < REASON_COUNT ? reasons[reason].remedy : "?";
}

const char *reason_example(enum reason reason)
{
    return (unsigned)reason < REASON_COUNT ? reasons[reason].example : "?";
}

static const char *name_of(unsigned value, const char *const *names, unsigned count)
{
    return value < count ? names[value] : "?";
}

/* -1: no such name. */
static int value_of(const char *name, const char *const *names, int count)
{
    for (int i = 0; i < count; i++)
        if (strcmp(name, names[i]) == 0)
            return i;
    return -1;
}

const char *verdict_action_name(enum verdict_action action)
{
    return name_of((unsigned)action, action_names, VERDICT_ACTION_COUNT);
}

bool verdict_action_from_name(const char *name, enum verdict_action *ret)
{
    int value = value_of(name, action_names, VERDICT_ACTION_COUNT);

    if (value >= 0)
        *ret = (enum verdict_action)value;
    return value >= 0;
}

const char *direction_name(enum direction direction)
{
    return name_of((unsigned)direction, direction_names, DIRECTION_COUNT);
}

bool direction_from_name(const char *name, enum direction *ret)
{
    int value = value_of(name, direction_names, DIRECTION_COUNT);

    if (value >= 0)
        *ret = (enum direction)value;
    return value >= 0;
}

const char *presence_scope_name(enum presence_scope scope)
{
    return name_of((unsigned)scope, scope_names, PRESENCE_SCOPE_COUNT);
}

bool presence_scope_from_name(const char *name, enum presence_scope *ret)
{
    int value = value_of(name, scope_names, PRESENCE_SCOPE_COUNT);

    if (value >= 0)
        *ret = (enum presence_scope)value;
    return value >= 0;
}
