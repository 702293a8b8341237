/* COSE messages of both kinds: whatever is accepted must lie inside the message, and never verify under a key that didn't
 * sign it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/credential/cose.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds, const char *what)
{
    if (holds)
        return;
    (void)fprintf(stderr, "fuzz_cose: broken: %s\n", what);
    abort();
}

static bool inside(const uint8_t *part, size_t part_bytes, const uint8_t *data, size_t size)
{
    return part_bytes == 0 || (part >= data && part_bytes <= size && part + part_bytes <= data + size);
}

static void check(const uint8_t *data, size_t size, enum cose_kind kind)
{
    static uint8_t to_be_signed[COSE_TO_BE_SIGNED_MAX_BYTES];
    static const uint8_t key[32] = {7};
    struct cose_message message;
    const char *fault = cose_read(data, size, kind, &message);
    if (fault != NULL) {
        require(fault[0] != '\0' && strlen(fault) < 96, "a fault without words");
        return;
    }
    require(message.kind == kind, "kind");
    require(inside(message.header, message.header_bytes, data, size) && inside(message.payload, message.payload_bytes, data, size) &&
                inside(message.signature, message.signature_bytes, data, size) && inside(message.kid, message.kid_bytes, data, size),
            "a part outside of the message");
    int length = cose_to_be_signed(&message, to_be_signed, sizeof to_be_signed);
    require(length != 0 && length <= (int)sizeof to_be_signed, "to be signed");
    if (length < 0)
        return;
    require(!cose_verify_eddsa(to_be_signed, (size_t)length, &message, key), "verified by a key that is none");
    require(!cose_verify_hmac(to_be_signed, (size_t)length, &message, key), "verified by a guessed key");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check(data, size, COSE_SIGN1);
    check(data, size, COSE_MAC0);
    return 0;
}
