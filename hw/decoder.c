/* Hands the calls of decoder.h on to the decoder that was made. Used by the eye process, from its one thread. */
#include "hw/decoder.h"

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
