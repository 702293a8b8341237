/* Requests of operators, with auth acl and signed: the first byte says which verb and what came with it. Whatever is taken is whole
 * and in its bounds, whatever is refused says why; a request nobody signed is never taken where signatures count, and one that is
 * taken in a signed envelope is taken for what it says. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/credential/utf8.h"
#include "daemon/mqtt/command.h"
#include "daemon/mqtt/commands.h"
#include "daemon/mqtt/messages.h"
#include "tests/unit/signed_request.h"

#define NOW_US INT64_C(1790000000000000)
#define MONOTONIC_US INT64_C(5000000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds, const char *what)
{
    if (holds)
        return;
    (void)fprintf(stderr, "fuzz_command: broken: %s\n", what);
    abort();
}

static void check_text(const char *text, size_t bytes, const char *what)
{
    require(memchr(text, '\0', bytes) != NULL && utf8_plain((const uint8_t *)text, strlen(text)), what);
}

static void check_taken(const struct command *c, const struct command_arrival *arrival)
{
    require((unsigned)c->verb < COMMAND_VERB_COUNT && strcmp(command_verb_name(c->verb), arrival->verb) == 0, "verb");
    require(c->transaction[0] != '\0' && c->operator_name[0] != '\0', "a command without transaction or operator");
    require(!arrival->retained, "a retained one");
    require(c->until_us >= MONOTONIC_US && c->until_us <= MONOTONIC_US + INT64_C(10000000), "until");
    require((c->verb != COMMAND_OPEN && c->verb != COMMAND_MODE) || c->why[0] != '\0', "without a why");
    require((c->for_s > 0) == (c->verb == COMMAND_MODE && c->mode == COMMAND_MODE_HOLD_OPEN), "for_s");
    require((c->from_seq > 0) == (c->verb == COMMAND_RESEND), "from_seq");
    require((c->declared.declaration.declared_at_s > 0) == (c->verb == COMMAND_DECLARE), "declaration");
    require((c->revocation.revoked_at_s > 0) == (c->verb == COMMAND_REVOKE), "revocation");
}

static enum command_error check(const struct command_rules *rules, const struct command_arrival *arrival, const uint8_t *bytes,
                                size_t length, struct command *command)
{
    char why[COMMAND_MESSAGE_BYTES], text[MESSAGE_BYTES];
    enum command_error error = command_read(rules, arrival, bytes, length, command, why);
    require((unsigned)error < COMMAND_ERROR_COUNT && error != COMMAND_FAILED, "error");
    require(memchr(why, '\0', sizeof why) != NULL && (error == COMMAND_OK) == (why[0] == '\0'), "why");
    check_text(command->transaction, sizeof command->transaction, "transaction");
    check_text(command->operator_name, sizeof command->operator_name, "operator");
    check_text(command->why, sizeof command->why, "why of the command");
    if (error == COMMAND_OK)
        check_taken(command, arrival);
    struct response response = {.verb = command->verb, .outcome = {.error = error}};
    memcpy(response.transaction, command->transaction, sizeof response.transaction);
    memcpy(response.outcome.message, why, sizeof why);
    require(response_write(&response, "", text, sizeof text) > 0, "the response");
    require(utf8_valid((const uint8_t *)text, strlen(text)), "the response is a message");
    return error;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const verbs[16] = {"open", "mode", "declare", "revoke", "reload", "report", "resend", "identify", "time", "",
                                          "unknown", "opening", "open", "mode", "declare", "resend"};
    static uint8_t secret[64], bytes[SIGNED_REQUEST_MAX_BYTES];
    static char json[SIGNED_REQUEST_MAX_BYTES];
    static struct command command, again;
    struct command_rules rules = {.auth = COMMAND_AUTH_ACL, .verbs = (1u << COMMAND_VERB_COUNT) - 1, .operators_count = 1,
                                  .lane_path = "s/l",
                                  .operators = {{.name = "anna", .kid = "anna1", .verbs = (1u << COMMAND_VERB_COUNT) - 1}}};
    if (size < 1)
        return 0;
    const struct command_arrival arrival = {.verb = verbs[data[0] & 15], .retained = (data[0] & 0x90) == 0x90,
                                            .expiry_s = data[0] & 0x20 ? 9 : -1, .age_max_us = (data[0] & 0xc0) == 0xc0 ? INT64_MAX : 0,
                                            .now_us = MONOTONIC_US, .unix_us = NOW_US, .clock_trusted = (data[0] & 0x40) == 0};
    signed_request_keys(2, rules.operators[0].public_key, secret); /* a key that signed nothing */
    const enum command_error acl = check(&rules, &arrival, data + 1, size - 1, &command);
    rules.auth = COMMAND_AUTH_SIGNED;
    require(check(&rules, &arrival, data + 1, size - 1, &again) != COMMAND_OK, "taken without a signature");
    signed_request_keys(1, rules.operators[0].public_key, secret);
    (void)check(&rules, &arrival, data + 1, size - 1, &again);
    if (size > 8000 || memchr(data + 1, '\0', size - 1) != NULL)
        return 0;
    memcpy(json, data + 1, size - 1);
    json[size - 1] = '\0';
    const size_t length = signed_request(json, "anna1", COSE_ALG_EDDSA, secret, bytes);
    if (check(&rules, &arrival, bytes, length, &again) != COMMAND_OK)
        return 0;
    require(strcmp(again.operator_name, "anna") == 0, "the key's owner");
    if (acl == COMMAND_OK)
        require(again.verb == command.verb && again.for_s == command.for_s && again.from_seq == command.from_seq &&
                    strcmp(again.why, command.why) == 0 && strcmp(again.transaction, command.transaction) == 0, "the same command");
    bytes[length - 1] ^= 1;
    require(check(&rules, &arrival, bytes, length, &again) == COMMAND_SIGNATURE_INVALID, "taken with a broken signature");
    return 0;
}
