/* The pull reader of cbor_read.h. Used by cose.c, token.c, rotating.c and dcc.c, on the journal thread in qrgated. */
#include "daemon/credential/cbor_read.h"

#include <cbor.h>
#include <errno.h>
#include <string.h>

#include "daemon/credential/utf8.h"

/* libcbor 0.9 changed the type of lengths; it matters where size_t has 32 bits. */
#if CBOR_MAJOR_VERSION == 0 && CBOR_MINOR_VERSION < 9
typedef size_t cbor_length;
#else
typedef uint64_t cbor_length;
#endif

struct head {
    struct cbor_value value;
    bool refused, indefinite;
};

static void take(void *context, enum cbor_read_kind kind, uint64_t number, const uint8_t *bytes, double real)
{
    struct head *head = context;
    head->value = (struct cbor_value){.kind = kind, .number = number, .bytes = bytes, .real = real};
}

static void on_uint8(void *context, uint8_t number) { take(context, CBOR_READ_UINT, number, NULL, 0); }
static void on_uint16(void *context, uint16_t number) { take(context, CBOR_READ_UINT, number, NULL, 0); }
static void on_uint32(void *context, uint32_t number) { take(context, CBOR_READ_UINT, number, NULL, 0); }
static void on_uint64(void *context, uint64_t number) { take(context, CBOR_READ_UINT, number, NULL, 0); }
static void on_negint8(void *context, uint8_t number) { take(context, CBOR_READ_NEGINT, number, NULL, 0); }
static void on_negint16(void *context, uint16_t number) { take(context, CBOR_READ_NEGINT, number, NULL, 0); }
static void on_negint32(void *context, uint32_t number) { take(context, CBOR_READ_NEGINT, number, NULL, 0); }
static void on_negint64(void *context, uint64_t number) { take(context, CBOR_READ_NEGINT, number, NULL, 0); }
static void on_bytes(void *context, cbor_data bytes, cbor_length n) { take(context, CBOR_READ_BYTES, n, bytes, 0); }
static void on_text(void *context, cbor_data bytes, cbor_length n) { take(context, CBOR_READ_TEXT, n, bytes, 0); }
static void on_array(void *context, cbor_length n) { take(context, CBOR_READ_ARRAY, n, NULL, 0); }
static void on_map(void *context, cbor_length n) { take(context, CBOR_READ_MAP, n, NULL, 0); }
static void on_tag(void *context, uint64_t number) { take(context, CBOR_READ_TAG, number, NULL, 0); }
static void on_float(void *context, float real) { take(context, CBOR_READ_FLOAT, 0, NULL, (double)real); }
static void on_double(void *context, double real) { take(context, CBOR_READ_FLOAT, 0, NULL, real); }
static void on_null(void *context) { take(context, CBOR_READ_SIMPLE, CBOR_READ_NULL, NULL, 0); }
static void on_undefined(void *context) { take(context, CBOR_READ_SIMPLE, CBOR_READ_UNDEFINED, NULL, 0); }

static void on_bool(void *context, bool value)
{
    take(context, CBOR_READ_SIMPLE, value ? CBOR_READ_TRUE : CBOR_READ_FALSE, NULL, 0);
}

static void on_refused(void *context)
{
    struct head *head = context;
    head->refused = true;
}

static void take_indefinite(void *context, enum cbor_read_kind kind)
{
    struct head *head = context;
    take(context, kind, CBOR_READ_INDEFINITE, NULL, 0);
    head->indefinite = true;
}

static void on_indefinite_array(void *context) { take_indefinite(context, CBOR_READ_ARRAY); }
static void on_indefinite_map(void *context) { take_indefinite(context, CBOR_READ_MAP); }

static const struct cbor_callbacks callbacks = {
    .uint8 = on_uint8, .uint16 = on_uint16, .uint32 = on_uint32, .uint64 = on_uint64,
    .negint8 = on_negint8, .negint16 = on_negint16, .negint32 = on_negint32, .negint64 = on_negint64,
    .byte_string = on_bytes, .byte_string_start = on_refused,
    .string = on_text, .string_start = on_refused,
    .array_start = on_array, .indef_array_start = on_indefinite_array,
    .map_start = on_map, .indef_map_start = on_indefinite_map,
    .tag = on_tag,
    .float2 = on_float, .float4 = on_float, .float8 = on_double,
    .undefined = on_undefined, .null = on_null, .boolean = on_bool,
    .indef_break = on_refused,
};

/* libcbor before 0.11 refuses tags 6 to 20 written in one byte, and COSE_Sign1 is tag 18: that form is read here. */
static bool read_short_tag(struct cbor_reader *reader, struct cbor_value *ret)
{
    uint8_t first = reader->bytes[reader->at];

    if (first < 0xc0 || first > 0xd7)
        return false;
    reader->at++;
    *ret = (struct cbor_value){.kind = CBOR_READ_TAG, .number = first - 0xc0u};
    return true;
}

int cbor_read_next(struct cbor_reader *reader, struct cbor_value *ret)
{
    size_t left_bytes = reader->length_bytes - reader->at;
    struct head head = {.refused = false};

    if (left_bytes == 0)
        return -EBADMSG;
    if (read_short_tag(reader, ret))
        return 0;
    struct cbor_decoder_result result = cbor_stream_decode(reader->bytes + reader->at, left_bytes, &callbacks, &head);
    if (result.status != CBOR_DECODER_FINISHED || head.refused || result.read == 0 || result.read > left_bytes)
        return -EBADMSG;
    if (head.value.kind == CBOR_READ_TEXT && !utf8_valid(head.value.bytes, (size_t)head.value.number))
        return -EBADMSG;
    /* A definite count of 2^64-1 would be taken for an indefinite one; it can't be true anyhow. */
    bool holds = head.value.kind == CBOR_READ_ARRAY || head.value.kind == CBOR_READ_MAP;
    if (holds && head.value.number == CBOR_READ_INDEFINITE && !(head.indefinite && reader->allow_indefinite))
        return -EBADMSG;
    reader->at += result.read;
    *ret = head.value;
    return 0;
}

bool cbor_read_more(struct cbor_reader *reader, const struct cbor_value *container, uint64_t done)
{
    static const uint8_t break_code = 0xff;

    if (container->number != CBOR_READ_INDEFINITE)
        return done < container->number;
    if (reader->at == reader->length_bytes || reader->bytes[reader->at] != break_code)
        return true;
    reader->at++;
    return false;
}

/* By value, not by encoding: 4 may be written 04 or 18 04. */
static bool same_key(const struct cbor_value *a, const struct cbor_value *b)
{
    if (a->kind != b->kind || a->number != b->number)
        return false;
    return a->kind != CBOR_READ_TEXT || memcmp(a->bytes, b->bytes, (size_t)a->number) == 0;
}

int cbor_read_key(struct cbor_reader *reader, struct cbor_keys *keys, struct cbor_value *ret)
{
    if (keys->count == CBOR_READ_MAP_MAX || cbor_read_next(reader, ret) < 0)
        return -EBADMSG;
    if (ret->kind != CBOR_READ_UINT && ret->kind != CBOR_READ_NEGINT && ret->kind != CBOR_READ_TEXT)
        return -EBADMSG;
    for (size_t i = 0; i < keys->count; i++)
        if (same_key(&keys->seen[i], ret))
            return -EBADMSG;
    keys->seen[keys->count++] = *ret;
    return 0;
}

int cbor_read_skip(struct cbor_reader *reader, int depth)
{
    struct cbor_value value, key;
    struct cbor_keys keys;

    keys.count = 0; /* the rest of a kilobyte needs no zeros */
    if (cbor_read_next(reader, &value) < 0)
        return -EBADMSG;
    bool holds = value.kind == CBOR_READ_ARRAY || value.kind == CBOR_READ_MAP || value.kind == CBOR_READ_TAG;
    if (!holds)
        return 0;
    if (depth >= CBOR_READ_DEPTH_MAX)
        return -EBADMSG;
    /* A hostile count ends at the end of the buffer: each turn reads a byte at least. */
    if (value.kind == CBOR_READ_TAG)
        value.number = 1;
    for (uint64_t i = 0; cbor_read_more(reader, &value, i); i++) {
        if (value.kind == CBOR_READ_MAP && cbor_read_key(reader, &keys, &key) < 0)
            return -EBADMSG;
        if (cbor_read_skip(reader, depth + 1) < 0)
            return -EBADMSG;
    }
    return 0;
}

bool cbor_read_ended(const struct cbor_reader *reader)
{
    return reader->at == reader->length_bytes;
}

bool cbor_read_int64(const struct cbor_value *value, int64_t *ret)
{
    if ((value->kind != CBOR_READ_UINT && value->kind != CBOR_READ_NEGINT) || value->number > INT64_MAX)
        return false;
    *ret = value->kind == CBOR_READ_UINT ? (int64_t)value->number : -1 - (int64_t)value->number;
    return true;
}
