/* Single values of a health certificate: what each form of member must be, and what is kept of it. Only for dcc_claims.c.
 * Pure. */
#ifndef CREDENTIAL_DCC_VALUE_H
#define CREDENTIAL_DCC_VALUE_H

#include "daemon/credential/cbor_read.h"
#include "daemon/credential/dcc_claims.h"

/* For cbor_read_skip(): what nobody asks for may be nested as in a header, wherever in the certificate it stands. */
enum { DCC_NESTED_DEPTH = 1 };

/* What the value of a member must be, and what is kept of it. */
enum dcc_form {
    DCC_FORM_TEXT,     /* kept, cut at the room; room 0: not kept */
    DCC_FORM_SHORT,    /* the same, at most 80 characters */
    DCC_FORM_COUNTRY,  /* kept when it is the usual two letters */
    DCC_FORM_NAME,     /* struct dcc_text */
    DCC_FORM_STANDARD, /* struct dcc_text of A-Z and '<' */
    DCC_FORM_VERSION,
    DCC_FORM_BIRTH,
    DCC_FORM_DATE,     /* int64_t */
    DCC_FORM_TIME,     /* int64_t */
    DCC_FORM_COUNT,    /* int */
    DCC_FORM_RESULT,   /* bool: detected */
    DCC_FORM_NAMES,    /* an object: struct dcc_names */
    DCC_FORM_ENTRIES,  /* an array of objects: struct health_certificate */
};

/* A value, and whether a tag for times stands before it. */
struct dcc_scalar {
    struct cbor_value value;
    bool tagged;
};

/* The next item whole: what is no scalar is skipped, and its kind tells. 0 or -EBADMSG. */
int dcc_scalar_read(struct cbor_reader *reader, struct dcc_scalar *ret);
/* False: not what the form allows. `room`: of a text kept at `ret`. Not for objects and arrays. */
bool dcc_value_keep(const struct dcc_scalar *scalar, enum dcc_form form, void *ret, size_t room);
/* An integer or a float of 1 to the end of the year 9999; a fraction is cut off. */
bool dcc_seconds_read(const struct cbor_value *value, int64_t *ret_s);
bool dcc_text_is(const struct cbor_value *text, const char *other);

#endif
