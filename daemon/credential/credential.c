/* From the bytes of a code to a credential: one ordered table of recognisers, the first that knows the shape reads it.
 * Called by the journal thread for each decision, and by qrgatectl explain. Pure. */
#include "daemon/credential/credential.h"

#include <string.h>

#include "daemon/credential/bhyt.h"
#include "daemon/credential/cccd.h"
#include "daemon/credential/dcc.h"
#include "daemon/credential/name.h"
#include "daemon/credential/personal_1405.h"
#include "daemon/credential/place.h"
#include "daemon/credential/recogniser.h"
#include "daemon/credential/rotating.h"
#include "daemon/credential/token.h"
#include "daemon/credential/utf8.h"

/* The order matters: a prefix settles it, and the cards that only '|' tells apart go from surest sign to least. */
static const struct recogniser recognisers[] = {
    {CREDENTIAL_ROTATING_TOKEN, rotating_recognises, rotating_read},   /* "QG1:", a COSE_Mac0 inside */
    {CREDENTIAL_SITE_TOKEN, token_recognises, token_read},             /* "QG1:" */
    {CREDENTIAL_HEALTH_CERTIFICATE, dcc_recognises, dcc_read},         /* "HC1:" */
    {CREDENTIAL_SMART_HEALTH_CARD, smart_health_card_recognises, smart_health_card_read}, /* "shc:/" */
    {CREDENTIAL_PLACE_CODE, place_recognises, place_read},             /* a link to the declaration's site */
    {CREDENTIAL_BHYT, bhyt_recognises, bhyt_read},                     /* '|', ends in "|$" or begins with its number */
    {CREDENTIAL_PERSONAL_CODE, personal_1405_recognises, personal_1405_read}, /* '|', 6 fields, date and 0 or 1 */
    {CREDENTIAL_CCCD, cccd_recognises, cccd_read},                     /* '|', 7 or 11 fields, 12 digits first */
};

/* All but kind, checks, fault and detail. */
static void wipe(struct credential *ret)
{
    struct credential kept = *ret;

    memset(ret, 0, sizeof *ret);
    ret->kind = kept.kind;
    ret->fault = kept.fault;
    memcpy(ret->checks, kept.checks, sizeof ret->checks);
    memcpy(ret->detail, kept.detail, sizeof ret->detail);
}

static void set_fault(struct credential *ret, enum credential_fault fault, const char *detail)
{
    size_t length = strnlen(detail, sizeof ret->detail - 1);

    ret->fault = fault;
    memset(ret->detail, 0, sizeof ret->detail);
    memcpy(ret->detail, detail, length);
}

void credential_fail(struct credential *ret, enum credential_fault fault, const char *detail)
{
    set_fault(ret, fault, detail);
    wipe(ret);
}

void credential_fail_check(struct credential *ret, enum credential_check check, enum credential_fault fault,
                           const char *detail)
{
    ret->checks[check] = CHECK_FAILED;
    credential_fail(ret, fault, detail);
}

void credential_mark_fault(struct credential *ret, enum credential_check check, enum credential_fault fault,
                           const char *detail)
{
    ret->checks[check] = CHECK_FAILED;
    if (ret->fault == CREDENTIAL_OK)
        set_fault(ret, fault, detail);
}

bool credential_take_name(struct credential *ret, const uint8_t *bytes, size_t length_bytes)
{
    bool changed;

    memset(ret->name, 0, sizeof ret->name);
    if (!utf8_plain(bytes, length_bytes))
        return false;
    if (!name_normalise(bytes, length_bytes, ret->name, sizeof ret->name, &changed)) {
        memset(ret->name, 0, sizeof ret->name); /* it may hold a beginning without end */
        return false;
    }
    if (changed)
        ret->warnings |= CREDENTIAL_WARN_NAME_NOT_NFC;
    return true;
}

/* Some printers and decoders end a code so. A space is never stripped: it is a digit of Base45. */
static size_t without_ending(const uint8_t *payload, size_t length_bytes)
{
    while (length_bytes > 0) {
        uint8_t last = payload[length_bytes - 1];
        if (last != '\0' && last != '\r' && last != '\n')
            break;
        length_bytes--;
    }
    return length_bytes;
}

/* May what was read stay beside this fault? Only for people who ask why a key or signature is refused. */
static bool explained(const struct credential *credential, const struct credential_trust *trust)
{
    if (trust == NULL || !trust->explain)
        return false;
    return credential->fault == CREDENTIAL_FAULT_KEY_UNKNOWN || credential->fault == CREDENTIAL_FAULT_SIGNATURE ||
           credential->fault == CREDENTIAL_FAULT_KEY_NOT_VALID;
}

/* Here and not in each reader, so that none can forget it. */
static void finish(const struct credential_trust *trust, struct credential *ret)
{
    if (ret->fault != CREDENTIAL_OK) {
        ret->is_signed = false;
        if (!explained(ret, trust))
            wipe(ret);
    }
    name_compare_form(ret->name, ret->name_compare, sizeof ret->name_compare);
}

void credential_read(const uint8_t *payload, size_t length_bytes, const struct credential_trust *trust,
                     struct credential *ret)
{
    memset(ret, 0, sizeof *ret);
    ret->kind = CREDENTIAL_UNSUPPORTED;
    if (length_bytes > CREDENTIAL_PAYLOAD_MAX_BYTES) {
        credential_fail(ret, CREDENTIAL_FAULT_UNSUPPORTED, "code: 7089 bytes at most are allowed");
        return;
    }
    size_t text_bytes = without_ending(payload, length_bytes);
    if (text_bytes == 0) {
        credential_fail(ret, CREDENTIAL_FAULT_UNSUPPORTED, "code: empty");
        return;
    }
    for (size_t i = 0; i < sizeof recognisers / sizeof recognisers[0]; i++) {
        if (!recognisers[i].recognises(payload, text_bytes))
            continue;
        ret->kind = recognisers[i].kind;
        recognisers[i].read(payload, text_bytes, trust, ret);
        finish(trust, ret);
        return;
    }
    credential_fail(ret, CREDENTIAL_FAULT_UNSUPPORTED,
                    "code: of no kind that this gate reads (QG1, HC1, citizen, personal or insurance)");
}

const char *credential_kind_name(enum credential_kind kind)
{
    static const char *const names[CREDENTIAL_KIND_COUNT] = {
        [CREDENTIAL_UNSUPPORTED] = "unsupported", [CREDENTIAL_SITE_TOKEN] = "site_token", [CREDENTIAL_CCCD] = "cccd",
        [CREDENTIAL_ROTATING_TOKEN] = "rotating_token", [CREDENTIAL_HEALTH_CERTIFICATE] = "health_certificate",
        [CREDENTIAL_PERSONAL_CODE] = "personal_code_1405", [CREDENTIAL_BHYT] = "bhyt",
        [CREDENTIAL_PLACE_CODE] = "place_code", [CREDENTIAL_SMART_HEALTH_CARD] = "smart_health_card",
    };
    return (unsigned)kind < CREDENTIAL_KIND_COUNT ? names[kind] : "?";
}

const char *credential_fault_name(enum credential_fault fault)
{
    static const char *const names[CREDENTIAL_FAULT_COUNT] = {
        [CREDENTIAL_OK] = "ok", [CREDENTIAL_FAULT_UNSUPPORTED] = "unsupported",
        [CREDENTIAL_FAULT_MALFORMED] = "malformed", [CREDENTIAL_FAULT_KEY_UNKNOWN] = "key_unknown",
        [CREDENTIAL_FAULT_SIGNATURE] = "signature", [CREDENTIAL_FAULT_KEY_NOT_VALID] = "key_not_valid",
        [CREDENTIAL_FAULT_PLACE_CODE] = "place_code",
    };
    return (unsigned)fault < CREDENTIAL_FAULT_COUNT ? names[fault] : "?";
}

const char *credential_check_name(enum credential_check check)
{
    static const char *const names[CREDENTIAL_CHECK_COUNT] = {
        [CHECK_BASE45] = "base45", [CHECK_ZLIB] = "zlib", [CHECK_COSE] = "cose", [CHECK_KEY] = "key",
        [CHECK_SIGNATURE] = "signature", [CHECK_KEY_USAGE] = "key_usage", [CHECK_CLAIMS] = "claims",
        [CHECK_SCHEMA] = "schema",
    };
    return (unsigned)check < CREDENTIAL_CHECK_COUNT ? names[check] : "?";
}

static const char *const status_names[STATUS_COUNT] = {
    [STATUS_NONE] = "none", [STATUS_GREEN] = "green", [STATUS_YELLOW] = "yellow", [STATUS_RED] = "red",
    [STATUS_EXPIRED] = "expired", [STATUS_REVOKED] = "revoked", [STATUS_WHITE] = "white",
};

const char *declaration_status_name(enum declaration_status status)
{
    return (unsigned)status < STATUS_COUNT ? status_names[status] : "?";
}

bool declaration_status_from_name(const char *name, enum declaration_status *ret)
{
    for (int status = 0; status < STATUS_COUNT; status++) {
        if (strcmp(name, status_names[status]) == 0) {
            *ret = (enum declaration_status)status;
            return true;
        }
    }
    return false;
}
