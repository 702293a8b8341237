/* From the bytes of a code to a credential: one ordered table of recognisers, the first that knows the shape reads it.
 * Called by the journal thread for each decision, and by qrgatectl explain. Pure. */
#include "daemon/credential/credential.h"

#include <string.h>

#include "daemon/credential/cccd.h"
#include "daemon/credential/recogniser.h"
#include "daemon/credential/token.h"

/* The order matters: a prefix settles it, and the cards that only '|' tells apart go from surest sign to least. */
static const struct recogniser recognisers[] = {
    {CREDENTIAL_SITE_TOKEN, token_recognises, token_read}, /* "QG1:" */
    /* room for: HC1: (EU-format health certificate) */
    /* room for: shc:/ (SMART Health Card) */
    /* room for: http(s)://…tokhaiyte.vn, …pccovid.gov.vn (a place's code, with a reason of its own) */
    /* room for: BHYT health-insurance card ('|', ends in "|$" or begins with its number) */
    /* room for: personal code of Decision 1405 ('|', exactly 6 fields) */
    {CREDENTIAL_CCCD, cccd_recognises, cccd_read}, /* '|', 7 or 11 fields, 12 digits first */
};

void credential_fail(struct credential *ret, enum credential_fault fault, const char *detail)
{
    enum credential_kind kind = ret->kind;
    size_t length = strlen(detail);

    if (length >= sizeof ret->detail)
        length = sizeof ret->detail - 1;
    memset(ret, 0, sizeof *ret);
    ret->kind = kind;
    ret->fault = fault;
    memcpy(ret->detail, detail, length);
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
        return;
    }
    credential_fail(ret, CREDENTIAL_FAULT_UNSUPPORTED, "code: of no kind that this gate reads (QG1, citizen card)");
}

const char *credential_kind_name(enum credential_kind kind)
{
    static const char *const names[CREDENTIAL_KIND_COUNT] = {
        [CREDENTIAL_UNSUPPORTED] = "unsupported", [CREDENTIAL_SITE_TOKEN] = "site_token", [CREDENTIAL_CCCD] = "cccd",
    };
    return (unsigned)kind < CREDENTIAL_KIND_COUNT ? names[kind] : "?";
}

static const char *const status_names[STATUS_COUNT] = {
    [STATUS_NONE] = "none", [STATUS_GREEN] = "green", [STATUS_YELLOW] = "yellow", [STATUS_RED] = "red",
    [STATUS_EXPIRED] = "expired", [STATUS_REVOKED] = "revoked",
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
