/* A pull reader for the few CBOR items of a code, on libcbor's cbor_stream_decode, which allocates nothing and keeps
 * no state. Refuses what a code never needs and a parser may trip over: strings of indefinite length, text that is not
 * UTF-8, map keys other than integers and text, keys given twice, nesting deeper than CBOR_READ_DEPTH_MAX; and arrays and
 * maps of indefinite length, unless the reader is told otherwise. Used by cose.c, token.c, rotating.c and dcc.c. Pure. */
#ifndef CREDENTIAL_CBOR_READ_H
#define CREDENTIAL_CBOR_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CBOR_READ_DEPTH_MAX = 4, CBOR_READ_MAP_MAX = 32 };

enum cbor_read_kind {
    CBOR_READ_UINT, CBOR_READ_NEGINT, CBOR_READ_BYTES, CBOR_READ_TEXT, CBOR_READ_ARRAY, CBOR_READ_MAP, CBOR_READ_TAG,
    CBOR_READ_FLOAT, CBOR_READ_SIMPLE
};
enum cbor_read_simple { CBOR_READ_FALSE = 20, CBOR_READ_TRUE, CBOR_READ_NULL, CBOR_READ_UNDEFINED };

/* The `number` of an array or map of indefinite length. Only with allow_indefinite. */
#define CBOR_READ_INDEFINITE UINT64_MAX

struct cbor_value {
    enum cbor_read_kind kind;
    uint64_t number; /* UINT, TAG: itself; NEGINT: -1 - number; BYTES, TEXT: bytes; ARRAY: items; MAP: pairs;
                      * SIMPLE: one of enum cbor_read_simple */
    const uint8_t *bytes; /* BYTES, TEXT: inside the reader's buffer */
    double real;          /* FLOAT */
};

struct cbor_reader {
    const uint8_t *bytes;
    size_t length_bytes, at;
    bool allow_indefinite; /* arrays and maps; some issuers of EU certificates write them. Zero = strict */
};

/* The keys of one map, kept to find a second one alike; start with count = 0. */
struct cbor_keys {
    struct cbor_value seen[CBOR_READ_MAP_MAX];
    size_t count;
};

/* The next head: a scalar or string whole, a container or tag without what it holds. 0 or -EBADMSG. */
int cbor_read_next(struct cbor_reader *reader, struct cbor_value *ret);
/* Is there an item (array) or pair (map) after the `done` ones? Steps over the end of an indefinite one. At the end of the
 * bytes it says yes, and the next read fails. */
bool cbor_read_more(struct cbor_reader *reader, const struct cbor_value *container, uint64_t done);
/* A key of a map: integer or text, not among `keys` yet. 0 or -EBADMSG. */
int cbor_read_key(struct cbor_reader *reader, struct cbor_keys *keys, struct cbor_value *ret);
/* One whole item, checked as closely as if it were used; `depth` containers are open around it. 0 or -EBADMSG. */
int cbor_read_skip(struct cbor_reader *reader, int depth);
bool cbor_read_ended(const struct cbor_reader *reader);
/* True when the value is an integer that fits. */
bool cbor_read_int64(const struct cbor_value *value, int64_t *ret);

#endif
