/* Messages from the broker -> structs: declarations, revocations, other lanes' passages. A stranger's JSON: lengths
 * first, then json-c with bounded depth, every member checked, unknown members refused (passage: ignored, for it may
 * grow). Pure. Also the reader and writer of qrgatectl's JSON lines. Schemas:
 * config/schemas/{declaration,revocation,passage}.json. */
#ifndef MQTT_INBOUND_H
#define MQTT_INBOUND_H

#include "daemon/journal/journal.h"

enum { INBOUND_MESSAGE_MAX_BYTES = 2048, INBOUND_TRANSACTION_BYTES = 65, INBOUND_WHY_BYTES = 192,
       INBOUND_FUTURE_TOLERATED_S = 300 };

/* All: 0, or -EBADMSG with `why` = member, value (cut, printable; a person's number with its digits as '*', for `why`
 * is logged and published), what is allowed; *ret is zeroed then. -ENOMEM: json-c had no memory. `now_s` refuses
 * times in the future (300 s tolerated). `ret_transaction` receives the message's transaction_id, "" when there is
 * none or it is bad. */
int inbound_declaration(const char *text, size_t length_bytes, int64_t now_s, struct declared *ret,
                        char ret_transaction[INBOUND_TRANSACTION_BYTES], char *why, size_t why_bytes);
int inbound_revocation(const char *text, size_t length_bytes, int64_t now_s, struct revocation *ret,
                       char ret_transaction[INBOUND_TRANSACTION_BYTES], char *why, size_t why_bytes);
/* 1: *ret is a passage that changes presence (granted of a lane without sensor, override with a person, completed of
 * a lane with one: `changes_presence` of the message says it); 0: another message of that topic; or -EBADMSG. `lane`
 * is the topic's. */
int inbound_passage(const char *text, size_t length_bytes, const char *lane, struct followed_passage *ret, char *why,
                    size_t why_bytes);
/* What a declaration as a whole must meet, by whatever road it came: NULL, or what is wrong and what is allowed.
 * `answered`: the questions were answered, be it with no; without a colour they must have been. */
const char *inbound_declaration_check(const struct declared *declared, bool answered);
/* A group's name: 1 to 32 bytes of letters of any script, digits, '_', '.', '-', and spaces between them: it needs no
 * escape in CSV and JSON, and a spreadsheet takes it for nothing else. */
bool inbound_group_valid(const char *group, size_t length_bytes);

/* One JSON line without its end. Length or -EMSGSIZE. With `person` set it is written instead of identities. */
int inbound_declaration_write(const struct declared *declared, char *ret_text, size_t text_bytes);
int inbound_revocation_write(const struct revocation *revocation, char *ret_text, size_t text_bytes);

#endif
