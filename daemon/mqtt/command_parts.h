/* What command.c and command_members.c share. */
#ifndef MQTT_COMMAND_PARTS_H
#define MQTT_COMMAND_PARTS_H

#include "daemon/credential/cose.h"
#include "daemon/mqtt/command.h"

struct json_object;

/* What a request came in. */
struct envelope {
    bool is_cose;
    const char *fault; /* of the COSE; NULL = none */
    struct cose_message message;
    int json_error;
};

/* Returns `error`. */
enum command_error command_refuse(char why[COMMAND_MESSAGE_BYTES], enum command_error error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* "" when there is none, or none that is allowed. `root` may be NULL. */
void command_find_transaction(struct json_object *root, char ret_transaction[JOURNAL_TRANSACTION_BYTES]);
/* Everything the JSON says into *ret, whose verb is known; `operator` is whose signature held, or NULL. *ret_issued_at_us: 0 =
 * not said. */
enum command_error command_read_members(struct json_object *root, const struct command_rules *rules,
                                        const struct command_arrival *arrival, const struct command_operator *operator,
                                        struct command *ret, int64_t *ret_issued_at_us, char why[COMMAND_MESSAGE_BYTES]);

#endif
