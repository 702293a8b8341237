/* An operator's request to a lane, made: the JSON of daemon/mqtt/command.h, signed or not, and held against the lane's own reader
 * before it is sent. Pure. qrgatectl send; daemon/mqtt/command.c is the other end. */
#ifndef CTL_REQUEST_H
#define CTL_REQUEST_H

#include "daemon/mqtt/command.h"
#include "daemon/settings/key_file.h"

struct request {
    const char *verb, *transaction, *lane_path; /* lane_path: "SITE/LANE" */
    int64_t issued_at_us;
    const char *operator_name, *why, *mode; /* NULL = not said */
    int64_t for_s, from_seq;                /* 0 = not said */
    const char *declaration, *revocation;   /* whole JSON objects; NULL = none */
};

enum { REQUEST_SIGNED_MAX_BYTES = COMMAND_REQUEST_MAX_BYTES };

/* The length without the NUL, or -EMSGSIZE. */
int request_write(const struct request *request, char *ret_json, size_t json_bytes);
/* A COSE_Sign1 (tag 18, EdDSA, kid in the protected header). The length, or -EMSGSIZE. */
int request_sign(const struct key_file *secret, const char *json, size_t json_bytes, uint8_t *ret_bytes, size_t bytes);
/* What a lane that trusts this key, or with `secret` NULL its broker, would say to it. */
enum command_error request_check(const struct request *request, const struct key_file *secret, const void *bytes,
                                 size_t length_bytes, char why[COMMAND_MESSAGE_BYTES]);

#endif
