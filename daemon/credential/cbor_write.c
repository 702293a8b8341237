/* The CBOR writer of cbor_write.h, over libcbor's encoders, which allocate nothing. */
#include "daemon/credential/cbor_write.h"

#include <cbor.h>
#include <string.h>

static uint8_t *room(struct cbor_writer *writer)
{
    return writer->bytes + writer->used;
}

static size_t left(const struct cbor_writer *writer)
{
    return sizeof writer->bytes - writer->used;
}

/* libcbor answers 0 when it had no room. */
static void advance(struct cbor_writer *writer, size_t written)
{
    writer->used += written;
    if (written == 0)
        writer->full = true;
}

static void put_raw(struct cbor_writer *writer, const void *bytes, size_t length_bytes)
{
    if (writer->full || length_bytes > left(writer)) {
        writer->full = true;
        return;
    }
    if (length_bytes > 0)
        memcpy(room(writer), bytes, length_bytes);
    writer->used += length_bytes;
}

void cbor_write_int(struct cbor_writer *writer, int64_t number)
{
    advance(writer, number >= 0 ? cbor_encode_uint((uint64_t)number, room(writer), left(writer))
                                : cbor_encode_negint((uint64_t)(-1 - number), room(writer), left(writer)));
}

void cbor_write_text(struct cbor_writer *writer, const char *text)
{
    size_t length = strlen(text);

    advance(writer, cbor_encode_string_start(length, room(writer), left(writer)));
    put_raw(writer, text, length);
}

void cbor_write_bytes(struct cbor_writer *writer, const void *bytes, size_t length_bytes)
{
    advance(writer, cbor_encode_bytestring_start(length_bytes, room(writer), left(writer)));
    put_raw(writer, bytes, length_bytes);
}

void cbor_write_array(struct cbor_writer *writer, size_t items)
{
    advance(writer, cbor_encode_array_start(items, room(writer), left(writer)));
}

void cbor_write_map(struct cbor_writer *writer, size_t pairs)
{
    advance(writer, cbor_encode_map_start(pairs, room(writer), left(writer)));
}

void cbor_write_tag(struct cbor_writer *writer, unsigned tag)
{
    advance(writer, cbor_encode_tag(tag, room(writer), left(writer)));
}
