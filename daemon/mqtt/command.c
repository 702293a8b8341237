/* A request's bytes -> struct command, or why not: length, retained, rights, signature, members, lane, age, in this order. Called
 * by commands.c, main thread. */
#include "daemon/mqtt/command.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "daemon/credential/cose.h"
#include "daemon/mqtt/command_parts.h"
#include "daemon/mqtt/json_read.h"

#define AGE_MAX_US ((int64_t)COMMAND_AGE_MAX_S * 1000000)

static const char *const verb_names[COMMAND_VERB_COUNT] = {
    [COMMAND_OPEN] = "open",     [COMMAND_MODE] = "mode",     [COMMAND_DECLARE] = "declare",
    [COMMAND_REVOKE] = "revoke", [COMMAND_RELOAD] = "reload", [COMMAND_REPORT] = "report",
    [COMMAND_RESEND] = "resend", [COMMAND_IDENTIFY] = "identify", [COMMAND_TIME] = "time",
};
static const char *const error_names[COMMAND_ERROR_COUNT] = {
    [COMMAND_OK] = "", [COMMAND_MALFORMED] = "malformed", [COMMAND_UNKNOWN_VERB] = "unknown_verb",
    [COMMAND_TOO_LARGE] = "too_large", [COMMAND_RETAINED] = "retained", [COMMAND_STALE] = "stale",
    [COMMAND_FROM_THE_FUTURE] = "from_the_future", [COMMAND_UNDATED] = "undated",
    [COMMAND_CLOCK_UNTRUSTED] = "clock_untrusted", [COMMAND_REPEATED] = "repeated",
    [COMMAND_SIGNATURE_INVALID] = "signature_invalid", [COMMAND_KEY_UNKNOWN] = "key_unknown",
    [COMMAND_NOT_SIGNED] = "not_signed", [COMMAND_NO_RIGHTS] = "no_rights", [COMMAND_OTHER_LANE] = "other_lane",
    [COMMAND_REFUSED] = "refused", [COMMAND_BUSY] = "busy", [COMMAND_FAILED] = "failed",
};

const char *command_verb_name(enum command_verb verb)
{
    return (unsigned)verb < COMMAND_VERB_COUNT ? verb_names[verb] : "unknown";
}

bool command_verb_from_name(const char *name, enum command_verb *ret)
{
    for (int i = 0; i < COMMAND_VERB_COUNT; i++)
        if (strcmp(verb_names[i], name) == 0) {
            *ret = (enum command_verb)i;
            return true;
        }
    return false;
}

const char *command_error_name(enum command_error error)
{
    return (unsigned)error < COMMAND_ERROR_COUNT ? error_names[error] : "failed";
}

enum command_error command_refuse(char why[COMMAND_MESSAGE_BYTES], enum command_error error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(why, COMMAND_MESSAGE_BYTES, format, arguments); /* a cut message is still a message */
    va_end(arguments);
    return error;
}

/* ---- may it be looked at? ---------------------------------------------------------------------------------------- */

static enum command_error check_arrival(const struct command_rules *rules, const struct command_arrival *arrival,
                                        enum command_verb *ret_verb, char why[COMMAND_MESSAGE_BYTES])
{
    if (arrival->retained)
        return command_refuse(why, COMMAND_RETAINED, "it was published as retained and would come again and again; publish "
                              "it without the retain flag");
    if (rules->auth == COMMAND_AUTH_OFF)
        return command_refuse(why, COMMAND_NO_RIGHTS, "commands.auth is \"off\" at this lane; allowed are acl, signed");
    if (!command_verb_from_name(arrival->verb, ret_verb))
        return command_refuse(why, COMMAND_UNKNOWN_VERB, "request/VERB: allowed are open, mode, declare, revoke, reload, "
                              "report, resend, identify, time");
    if ((rules->verbs & 1u << *ret_verb) == 0)
        return command_refuse(why, COMMAND_NO_RIGHTS, "\"%s\" is not one of commands.verbs at this lane",
                              command_verb_name(*ret_verb));
    return COMMAND_OK;
}

/* ---- who signed it? ---------------------------------------------------------------------------------------------- */

static const struct command_operator *find_operator(const struct command_rules *rules, const struct cose_message *message)
{
    for (int i = 0; i < rules->operators_count; i++) {
        const struct command_operator *operator = &rules->operators[i];
        if (message->kid_bytes == strlen(operator->kid) && memcmp(message->kid, operator->kid, message->kid_bytes) == 0)
            return operator;
    }
    return NULL;
}

static enum command_error check_signature(const struct command_rules *rules, const struct envelope *envelope,
                                          enum command_verb verb, const struct command_operator **ret_operator,
                                          char why[COMMAND_MESSAGE_BYTES])
{
    uint8_t to_be_signed[COMMAND_REQUEST_MAX_BYTES + 64];
    const struct cose_message *message = &envelope->message;
    if (!envelope->is_cose)
        return command_refuse(why, COMMAND_NOT_SIGNED, "this lane takes signed requests only; qrgatectl send --key signs");
    if (envelope->fault != NULL)
        return command_refuse(why, COMMAND_MALFORMED, "COSE_Sign1: %s", envelope->fault);
    if (message->alg != COSE_ALG_EDDSA)
        return command_refuse(why, COMMAND_MALFORMED, "COSE_Sign1: header alg: allowed is -8 (EdDSA)");
    const struct command_operator *operator = find_operator(rules, message);
    if (operator == NULL)
        return command_refuse(why, COMMAND_KEY_UNKNOWN, "no key of that kid in the folder commands.operators of this lane");
    const int length = cose_to_be_signed(message, to_be_signed, sizeof to_be_signed);
    if (length < 0 || !cose_verify_eddsa(to_be_signed, (size_t)length, message, operator->public_key))
        return command_refuse(why, COMMAND_SIGNATURE_INVALID, "not signed by the key \"%s\"", operator->kid);
    if ((operator->verbs & 1u << verb) == 0)
        return command_refuse(why, COMMAND_NO_RIGHTS, "\"%s\" is not one of the verbs of the key \"%s\"",
                              command_verb_name(verb), operator->kid);
    *ret_operator = operator;
    return COMMAND_OK;
}

/* ---- how old is it? ---------------------------------------------------------------------------------------------- */

static enum command_error check_issued_at(const struct command_arrival *arrival, int64_t issued_at_us, int64_t *ret_left_us,
                                          char why[COMMAND_MESSAGE_BYTES])
{
    const int64_t age_us = arrival->unix_us - issued_at_us; /* both in range: no overflow */
    if (age_us > AGE_MAX_US)
        return command_refuse(why, COMMAND_STALE, "issued %lld s ago; allowed are %d", (long long)(age_us / 1000000),
                              COMMAND_AGE_MAX_S);
    if (age_us < -AGE_MAX_US)
        return command_refuse(why, COMMAND_FROM_THE_FUTURE, "issued %lld s ahead of this lane's clock; allowed are %d: mend "
                              "the sender's clock or the lane's", (long long)(-age_us / 1000000), COMMAND_AGE_MAX_S);
    *ret_left_us = age_us > 0 ? AGE_MAX_US - age_us : AGE_MAX_US;
    return COMMAND_OK;
}

/* By issued_at where this lane's clock can judge it, else, where the broker is trusted, by an expiry: a broker doesn't deliver
 * what is past it. What is left of an hour is no date: so it counts where nothing had waited at the broker shortly before. */
static enum command_error check_age(const struct command_rules *rules, const struct command_arrival *arrival,
                                    int64_t issued_at_us, int64_t *ret_until_us, char why[COMMAND_MESSAGE_BYTES])
{
    const bool has_expiry = arrival->expiry_s >= 0;
    const int64_t expiry_left_us = has_expiry ? arrival->expiry_s * 1000000 - arrival->waited_us : 0;
    const bool dated_by_expiry = has_expiry && arrival->expiry_s <= COMMAND_AGE_MAX_S &&
                                 arrival->age_max_us <= AGE_MAX_US && rules->auth == COMMAND_AUTH_ACL;
    int64_t left_us = expiry_left_us;
    if (has_expiry && expiry_left_us < 0)
        return command_refuse(why, COMMAND_STALE, "past its message expiry");
    if (issued_at_us != 0 && arrival->clock_trusted) {
        enum command_error error = check_issued_at(arrival, issued_at_us, &left_us, why);
        if (error != COMMAND_OK)
            return error;
        left_us = has_expiry && expiry_left_us < left_us ? expiry_left_us : left_us;
    } else if (!dated_by_expiry && issued_at_us != 0) {
        return command_refuse(why, COMMAND_CLOCK_UNTRUSTED, "this lane's clock can't be trusted to tell how old it is; %s",
                              rules->auth != COMMAND_AUTH_ACL ? "mend the clock"
                              : arrival->age_max_us > AGE_MAX_US && has_expiry
                                  ? "it may have waited at the broker, for this lane or behind others: ask again, or mend the clock"
                                  : "send it with a message expiry of at most 10 s, or mend the clock");
    } else if (!dated_by_expiry) {
        return command_refuse(why, COMMAND_UNDATED, arrival->age_max_us > AGE_MAX_US && has_expiry
                              ? "issued_at is missing, and it may have waited at the broker, for this lane or behind others"
                              : "issued_at is missing; allowed is 2026-01-31T08:30:00+07:00 or Unix seconds, at most 10 s ago");
    } else if (AGE_MAX_US - arrival->age_max_us < left_us) {
        left_us = AGE_MAX_US - arrival->age_max_us;
    }
    *ret_until_us = arrival->now_us + left_us;
    return COMMAND_OK;
}

/* ---- all of it --------------------------------------------------------------------------------------------------- */

static enum command_error judge(const struct command_rules *rules, const struct command_arrival *arrival,
                                const struct envelope *envelope, struct json_object *root, struct command *ret,
                                char why[COMMAND_MESSAGE_BYTES])
{
    const struct command_operator *operator = NULL;
    char json_why[COMMAND_MESSAGE_BYTES];
    int64_t issued_at_us = 0;
    memcpy(json_why, why, sizeof json_why);
    enum command_error error = check_arrival(rules, arrival, &ret->verb, why);
    if (error == COMMAND_OK && rules->auth == COMMAND_AUTH_SIGNED)
        error = check_signature(rules, envelope, ret->verb, &operator, why);
    if (error == COMMAND_OK && root == NULL)
        error = command_refuse(why, envelope->json_error == -ENOMEM ? COMMAND_FAILED : COMMAND_MALFORMED, "%s", json_why);
    if (error == COMMAND_OK)
        error = command_read_members(root, rules, arrival, operator, ret, &issued_at_us, why);
    if (error == COMMAND_OK)
        error = check_age(rules, arrival, issued_at_us, &ret->until_us, why);
    return error;
}

enum command_error command_read(const struct command_rules *rules, const struct command_arrival *arrival, const uint8_t *bytes,
                                size_t length_bytes, struct command *ret, char why[COMMAND_MESSAGE_BYTES])
{
    struct envelope envelope = {.is_cose = false};
    const uint8_t *json = bytes;
    size_t json_bytes = length_bytes;
    memset(ret, 0, sizeof *ret);
    ret->verb = COMMAND_VERB_COUNT;
    why[0] = '\0';
    if (length_bytes > COMMAND_REQUEST_MAX_BYTES)
        return command_refuse(why, COMMAND_TOO_LARGE, "%zu bytes; allowed are %d", length_bytes, COMMAND_REQUEST_MAX_BYTES);
    if (rules->auth == COMMAND_AUTH_SIGNED && length_bytes > 0 && strchr(" \t\r\n{", bytes[0]) == NULL) {
        envelope.is_cose = true;
        envelope.fault = cose_read(bytes, length_bytes, COSE_SIGN1, &envelope.message);
        json = envelope.message.payload;
        json_bytes = envelope.fault == NULL ? envelope.message.payload_bytes : 0;
    }
    struct json_object *root = json_read((const char *)json, json_bytes, COMMAND_REQUEST_MAX_BYTES, &envelope.json_error, why,
                                         COMMAND_MESSAGE_BYTES);
    command_find_transaction(root, ret->transaction); /* whatever is wrong: who sent it waits for an answer by that name */
    enum command_error error = judge(rules, arrival, &envelope, root, ret, why);
    json_read_free(root);
    if (error != COMMAND_OK) { /* nothing of it can be carried out by mistake */
        memset(&ret->declared, 0, sizeof ret->declared);
        memset(&ret->revocation, 0, sizeof ret->revocation);
        ret->until_us = INT64_MIN;
    } else {
        why[0] = '\0';
    }
    return error;
}
