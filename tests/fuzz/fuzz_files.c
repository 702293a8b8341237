/* Fuzzes what reads our own files, which another hand may have written: the site key's file, the outputs that qrgate-safe
 * drives, and the pages that the journal tidies on their way to the disk. The first byte says which. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/journal/tidy.h"
#include "daemon/outputs.h"
#include "daemon/settings/site_key.h"

enum { PAGE_BYTES = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds, const char *what)
{
    if (holds)
        return;
    (void)fprintf(stderr, "fuzz_files: broken: %s\n", what);
    abort();
}

static void fuzz_key(const uint8_t *data, size_t size)
{
    struct site_keys keys, again;
    if (site_keys_read((const char *)data, size, &keys) != 0)
        return;
    require(size >= 2 * SITE_KEY_BYTES && site_keys_read((const char *)data, size, &again) == 0, "a key is a key");
    require(memcmp(keys.current, again.current, sizeof keys.current) == 0, "the same key");
}

/* What is taken is what would be written: the same lines, in whatever order. */
static void fuzz_outputs(const uint8_t *data, size_t size)
{
    struct line_settings out[LINE_OUT_COUNT], again[LINE_OUT_COUNT];
    char text[OUTPUTS_TEXT_BYTES];
    if (outputs_parse((const char *)data, size, out) != 0)
        return;
    const int length = outputs_print(out, text);
    require(length == (int)size, "not a byte more or less");
    require(outputs_parse(text, (size_t)length, again) == 0 && memcmp(out, again, sizeof out) == 0, "the same outputs");
}

/* A page's own bytes stay, whatever it claims to be; only a run of it may have become zeros. */
static void fuzz_page(const uint8_t *data, size_t size)
{
    uint8_t page[PAGE_BYTES] = {0}, before[PAGE_BYTES];
    memcpy(page, data, size < sizeof page ? size : sizeof page);
    memcpy(before, page, sizeof page);
    for (int at_start = 0; at_start <= 1; at_start++) {
        tidy_page(page, sizeof page, at_start);
        for (size_t i = 0; i < sizeof page; i++)
            require(page[i] == before[i] || page[i] == 0, "nothing but zeros is written");
        require(memcmp(page, before, 8) == 0, "the header stays");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    if (data[0] % 4 == 0)
        fuzz_key(data + 1, size - 1);
    else if (data[0] % 4 == 2)
        fuzz_outputs(data + 1, size - 1);
    else
        fuzz_page(data + 1, size - 1);
    return 0;
}
