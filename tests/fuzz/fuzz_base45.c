/* Base45: what decodes must encode to the same text, and any bytes must come back from their encoding. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/credential/base45.h"

enum { BYTES = 1 << 14 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds, const char *what)
{
    if (holds)
        return;
    (void)fprintf(stderr, "fuzz_base45: broken: %s\n", what);
    abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t bytes[BYTES], again[BYTES];
    static char text[2 * BYTES];
    if (size > BYTES / 2)
        return 0;
    int decoded = base45_decode((const char *)data, size, bytes, sizeof bytes);
    if (decoded >= 0) {
        int encoded = base45_encode(bytes, (size_t)decoded, text, sizeof text);
        require(encoded == (int)size && (size == 0 || memcmp(text, data, size) == 0), "decode, encode: another text");
    }
    int encoded = base45_encode(data, size, text, sizeof text);
    require(encoded >= 0 && strlen(text) == (size_t)encoded, "encode");
    decoded = base45_decode(text, (size_t)encoded, again, sizeof again);
    require(decoded == (int)size && (size == 0 || memcmp(again, data, size) == 0), "encode, decode: other bytes");
    if (size > 0)
        require(base45_decode(text, (size_t)encoded, again, size - 1) < 0, "more was written than there was room for");
    return 0;
}
