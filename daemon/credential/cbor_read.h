/* A pull reader for the few CBOR items of a token, on libcbor's cbor_stream_decode, which allocates nothing and keeps
 * no state. Refuses what a token never needs and a parser may trip over: indefinite lengths, text that is not UTF-8,
 * map keys other than integers and text, keys given twice, nesting deeper than CBOR_READ_DEPTH_MAX. Used by cose.c and
 * token.c. Pure. */
#ifndef CREDENTIAL_CBOR_READ_H
#define CREDENTIAL_CBOR_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CBOR_READ_DEPTH_MAX = 4, CBOR_READ_MAP_MAX = 32 };

enum cbor_read_kind {
    CBOR_READ_UINT, CBOR_READ_NEGINT, CBOR_READ_BYTES, CBOR_READ_TEXT, CBOR_READ_ARRAY, CBOR_READ_MAP, CBOR_READ_TAG,
    CBOR_READ_FLOAT, CBOR_READ_SIMPLE /* false, true, null, undefined */
};

struct cbor_value {
    enum cbor_read_kind kind;
    uint64_t number; /* UINT, TAG: itself; NEGINT: -1 - number; BYTES, TEXT: bytes; ARRAY: items; MAP: pairs */
    const uint8_t *bytes; /* BYTES, TEXT: inside the reader's buffer */
    double real;          /* FLOAT */
};

struct cbor_reader {
    const uint8_t *bytes;
    size_t length_bytes, at;
};

/* The keys of one map, kept to find a second one alike; start with count = 0. */
struct cbor_keys {
    struct cbor_value seen[CBOR_READ_MAP_MAX];
    size_t count;
};

/* The next head: a scalar or string whole, a container or tag without what it holds. 0 or -EBADMSG. */
int cbor_read_next(struct cbor_reader *reader, struct cbor_value *ret);
/* A key of a map: integer or text, not among `keys` yet. 0 or -EBADMSG. */
int cbor_read_key(struct cbor_reader *reader, struct cbor_keys *keys, struct cbor_value *ret);
/* One whole item, checked as closely as if it were used; `depth` containers are open around it. 0 or -EBADMSG. */
int cbor_read_skip(struct cbor_reader *reader, int depth);
bool cbor_read_ended(const struct cbor_reader *reader);
/* True when the value is an integer that fits. */
bool cbor_read_int64(const struct cbor_value *value, int64_t *ret);

#endif
