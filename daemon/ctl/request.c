/* A request's JSON, its signature, and the lane's own reader as the judge of both. Called by send.c. */
#include "daemon/ctl/request.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "daemon/credential/cbor_write.h"
#include "daemon/credential/cose.h"
#include "daemon/mqtt/json_write.h"
#include "daemon/mqtt/messages.h"

enum { CBOR_BYTES = 0x40, CBOR_ONE_MORE = 24, CBOR_TWO_MORE = 25, CBOR_HEAD_MAX_BYTES = 3 };

static void text_member(struct json *json, const char *name, const char *text)
{
    if (text)
        json_text(json, name, text, strlen(text));
}

static void object_member(struct json *json, const char *name, const char *text)
{
    if (text)
        json_object_text(json, name, text, strlen(text));
}

int request_write(const struct request *request, char *ret_json, size_t json_bytes)
{
    struct json json;
    char at[MESSAGE_TIME_BYTES];
    message_time(request->issued_at_us, at);
    json_begin(&json, ret_json, json_bytes);
    json_text(&json, "schema", "qrgate/request/1", strlen("qrgate/request/1"));
    text_member(&json, "transaction", request->transaction);
    text_member(&json, "operator", request->operator_name);
    text_member(&json, "why", request->why);
    text_member(&json, "issued_at", at);
    text_member(&json, "lane", request->lane_path);
    text_member(&json, "verb", request->verb);
    text_member(&json, "mode", request->mode);
    if (request->for_s != 0)
        json_integer(&json, "for_s", request->for_s);
    if (request->from_seq != 0)
        json_integer(&json, "from_seq", request->from_seq);
    object_member(&json, "declaration", request->declaration);
    object_member(&json, "revocation", request->revocation);
    return json_end(&json);
}

/* The head of a byte string; what needs more than two bytes for its length doesn't go into a request. */
static size_t bytes_head(uint8_t head[CBOR_HEAD_MAX_BYTES], size_t length_bytes)
{
    const bool is_short = length_bytes < 256;
    if (length_bytes < CBOR_ONE_MORE) {
        head[0] = (uint8_t)(CBOR_BYTES | length_bytes);
        return 1;
    }
    head[0] = CBOR_BYTES | (is_short ? CBOR_ONE_MORE : CBOR_TWO_MORE);
    head[1] = (uint8_t)(is_short ? length_bytes : length_bytes >> 8);
    head[2] = (uint8_t)length_bytes;
    return is_short ? 2 : 3;
}

static void write_header(struct cbor_writer *writer, const char *kid)
{
    cbor_write_map(writer, 2);
    cbor_write_int(writer, COSE_HEADER_ALG);
    cbor_write_int(writer, COSE_ALG_EDDSA);
    cbor_write_int(writer, COSE_HEADER_KID);
    cbor_write_bytes(writer, kid, strlen(kid));
}

int request_sign(const struct key_file *secret, const char *json, size_t json_bytes, uint8_t *ret_bytes, size_t bytes)
{
    struct cbor_writer header = { .used = 0 }, front = { .used = 0 }, end = { .used = 0 };
    uint8_t to_be_signed[COMMAND_REQUEST_MAX_BYTES + 64], signature[crypto_sign_BYTES], public_key[32], secret_key[64];
    uint8_t head[CBOR_HEAD_MAX_BYTES];
    write_header(&header, secret->kid);
    const struct cose_message message = { .kind = COSE_SIGN1, .header = header.bytes, .header_bytes = header.used,
                                          .payload = (const uint8_t *)json, .payload_bytes = json_bytes };
    const int length = cose_to_be_signed(&message, to_be_signed, sizeof(to_be_signed));
    if (header.full || length < 0 || json_bytes > UINT16_MAX)
        return -EMSGSIZE;
    (void)crypto_sign_seed_keypair(public_key, secret_key, secret->key); /* neither can fail */
    (void)crypto_sign_detached(signature, NULL, to_be_signed, (unsigned long long)length, secret_key);
    sodium_memzero(secret_key, sizeof(secret_key));
    cbor_write_tag(&front, COSE_TAG_SIGN1);
    cbor_write_array(&front, 4);
    cbor_write_bytes(&front, header.bytes, header.used);
    cbor_write_map(&front, 0);
    cbor_write_bytes(&end, signature, sizeof(signature));
    const size_t head_bytes = bytes_head(head, json_bytes), whole = front.used + head_bytes + json_bytes + end.used;
    if (front.full || end.full || whole > bytes)
        return -EMSGSIZE;
    memcpy(ret_bytes, front.bytes, front.used);
    memcpy(ret_bytes + front.used, head, head_bytes);
    memcpy(ret_bytes + front.used + head_bytes, json, json_bytes);
    memcpy(ret_bytes + whole - end.used, end.bytes, end.used);
    return (int)whole;
}

enum command_error request_check(const struct request *request, const struct key_file *secret, const void *bytes,
                                 size_t length_bytes, char why[COMMAND_MESSAGE_BYTES])
{
    struct command_rules rules = { .auth = secret ? COMMAND_AUTH_SIGNED : COMMAND_AUTH_ACL,
                                   .verbs = (1u << COMMAND_VERB_COUNT) - 1 };
    const struct command_arrival arrival = { .verb = request->verb, .expiry_s = -1, .unix_us = request->issued_at_us,
                                             .clock_trusted = true };
    struct command_operator *operator = &rules.operators[0];
    struct command command;
    uint8_t secret_key[64];
    (void)snprintf(rules.lane_path, sizeof(rules.lane_path), "%s", request->lane_path);
    if (secret) {
        rules.operators_count = 1;
        operator->verbs = rules.verbs;
        (void)snprintf(operator->name, sizeof(operator->name), "%s", request->operator_name ? request->operator_name : "?");
        (void)snprintf(operator->kid, sizeof(operator->kid), "%s", secret->kid);
        (void)crypto_sign_seed_keypair(operator->public_key, secret_key, secret->key); /* can't fail */
        sodium_memzero(secret_key, sizeof(secret_key));
    }
    const enum command_error error = command_read(&rules, &arrival, bytes, length_bytes, &command, why);
    sodium_memzero(&command, sizeof(command));
    return error;
}
