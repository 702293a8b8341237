/* Which decoders are built in, and the calls of decoder.h handed on to the one that was made. Scanned with by the eye process,
 * from its one thread; names and versions are for any process. */
#include "hw/decoder.h"

static const struct {
    const char *name;
    struct decoder *(*make)(void); /* NULL: not built in */
    void (*version)(char *ret_text, size_t text_bytes);
} drivers[DECODER_KINDS] = {
    [DECODER_ZBAR] = {"zbar", decoder_zbar_new, decoder_zbar_version},
#if QRG_WITH_ZXING
    [DECODER_ZXING] = {"zxing", decoder_zxing_new, decoder_zxing_version},
#else
    [DECODER_ZXING] = {"zxing", NULL, NULL},
#endif
};

const char *decoder_name(enum decoder_kind kind)
{
    return (unsigned)kind < DECODER_KINDS ? drivers[kind].name : "?";
}

bool decoder_is_built_in(enum decoder_kind kind)
{
    return (unsigned)kind < DECODER_KINDS && drivers[kind].make != NULL;
}

void decoder_version(enum decoder_kind kind, char *ret_text, size_t text_bytes)
{
    if (decoder_is_built_in(kind))
        drivers[kind].version(ret_text, text_bytes);
    else if (text_bytes > 0)
        ret_text[0] = '\0';
}

struct decoder *decoder_new(enum decoder_kind kind)
{
    return decoder_is_built_in(kind) ? drivers[kind].make() : NULL;
}

int decoder_scan(struct decoder *decoder, const struct decoder_picture *picture,
                 struct decoder_code ret_codes[DECODER_CODES_MAX])
{
    return decoder->ops->scan(decoder, picture, ret_codes);
}

void decoder_free(struct decoder *decoder)
{
    if (decoder)
        decoder->ops->free(decoder);
}
