/* A small CBOR writer of fixed room for the messages we make ourselves: site and rotating tokens, provisioning texts.
 * Lengths definite, numbers in their shortest form. Used by token.c and rotating.c. Pure. */
#ifndef CREDENTIAL_CBOR_WRITE_H
#define CREDENTIAL_CBOR_WRITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CBOR_WRITE_MAX_BYTES = 1024 };

/* Grows until something doesn't fit; then `full`, looked at once at the end. Start with {0}. */
struct cbor_writer {
    uint8_t bytes[CBOR_WRITE_MAX_BYTES];
    size_t used;
    bool full;
};

void cbor_write_int(struct cbor_writer *writer, int64_t number);
void cbor_write_text(struct cbor_writer *writer, const char *text);
void cbor_write_bytes(struct cbor_writer *writer, const void *bytes, size_t length_bytes);
void cbor_write_array(struct cbor_writer *writer, size_t items);
void cbor_write_map(struct cbor_writer *writer, size_t pairs);
void cbor_write_tag(struct cbor_writer *writer, unsigned tag);

#endif
