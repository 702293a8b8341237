/* Requests of operators: what is taken, and each reason to refuse one, with auth acl and signed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "signed_request.h"

#include "daemon/mqtt/command.h"

#define NOW_S INT64_C(1790000000) /* 2026-09-21T14:13:20Z */
#define NOW_US (NOW_S * 1000000)
#define MONOTONIC_US INT64_C(5000000000)
#define HEAD "\"transaction\":\"t-1\",\"operator\":\"Chị Hoa\",\"issued_at\":1790000000"
#define SIGNED_HEAD "\"transaction\":\"t-1\",\"issued_at\":1790000000,\"lane\":\"site/lane1\""
#define DECLARATION "{\"schema\":\"qrgate/declaration/1\",\"subject\":\"cccd:022199012345\",\"status\":\"green\"," \
                    "\"declared_at\":\"2026-01-15T08:00:00+07:00\"}"

struct world {
    struct command_rules rules;
    struct command_arrival arrival;
    struct command command;
    char why[COMMAND_MESSAGE_BYTES];
    uint8_t secret[2][64];
};

static int setup(void **state)
{
    static struct world w;
    memset(&w, 0, sizeof w);
    w.rules = (struct command_rules){.auth = COMMAND_AUTH_ACL, .verbs = (1u << COMMAND_VERB_COUNT) - 1, .operators_count = 2,
                                     .lane_path = "site/lane1"};
    w.rules.operators[0] = (struct command_operator){.name = "anna", .kid = "anna1", .verbs = (1u << COMMAND_VERB_COUNT) - 1};
    w.rules.operators[1] = (struct command_operator){.name = "ben", .kid = "ben1", .verbs = 1u << COMMAND_TIME};
    for (int i = 0; i < 2; i++)
        signed_request_keys((uint8_t)(i + 1), w.rules.operators[i].public_key, w.secret[i]);
    w.arrival = (struct command_arrival){.verb = "time", .expiry_s = -1, .now_us = MONOTONIC_US, .unix_us = NOW_US,
                                         .clock_trusted = true};
    *state = &w;
    return 0;
}

static enum command_error give_bytes(struct world *w, const char *verb, const void *bytes, size_t length)
{
    /* A copy of its own length, so that a sanitizer sees a read beyond it. */
    uint8_t *copy = malloc(length > 0 ? length : 1);
    assert_non_null(copy);
    memcpy(copy, bytes, length);
    w->arrival.verb = verb;
    memset(w->why, 'x', sizeof w->why);
    enum command_error error = command_read(&w->rules, &w->arrival, copy, length, &w->command, w->why);
    free(copy);
    assert_non_null(memchr(w->why, '\0', sizeof w->why));
    assert_int_equal(error == COMMAND_OK, w->why[0] == '\0');
    return error;
}

static enum command_error give(struct world *w, const char *verb, const char *json)
{
    return give_bytes(w, verb, json, strlen(json));
}

static enum command_error give_signed(struct world *w, const char *verb, const char *json)
{
    static uint8_t bytes[SIGNED_REQUEST_MAX_BYTES];
    w->rules.auth = COMMAND_AUTH_SIGNED;
    return give_bytes(w, verb, bytes, signed_request(json, "anna1", COSE_ALG_EDDSA, w->secret[0], bytes));
}

#define assert_refused(call, error, words)                                                                             \
    do {                                                                                                               \
        assert_int_equal(call, error);                                                                                 \
        if (strstr(w->why, words) == NULL)                                                                             \
            fail_msg("'%s' lacks '%s'", w->why, words);                                                                \
    } while (0)

/* ---- what is taken ----------------------------------------------------------------------------------------------- */

static void each_verb_is_taken_with_its_members(void **state)
{
    struct world *w = *state;
    assert_int_equal(give(w, "open", "{" HEAD ",\"why\":\"giao hàng\",\"schema\":\"qrgate/request/1\",\"verb\":\"open\","
                                     "\"lane\":\"site/lane1\"}"), COMMAND_OK);
    assert_int_equal(w->command.verb, COMMAND_OPEN);
    assert_string_equal(w->command.transaction, "t-1");
    assert_string_equal(w->command.operator_name, "Chị Hoa");
    assert_string_equal(w->command.why, "giao hàng");
    assert_int_equal(w->command.until_us, MONOTONIC_US + 10000000);
    assert_int_equal(give(w, "mode", "{" HEAD ",\"why\":\"x\",\"mode\":\"hold_open\",\"for_s\":600}"), COMMAND_OK);
    assert_int_equal(w->command.mode, COMMAND_MODE_HOLD_OPEN);
    assert_int_equal(w->command.for_s, 600);
    assert_int_equal(give(w, "mode", "{" HEAD ",\"why\":\"x\",\"mode\":\"lock_down\"}"), COMMAND_OK);
    assert_int_equal(w->command.mode, COMMAND_MODE_LOCK_DOWN);
    assert_int_equal(give(w, "mode", "{" HEAD ",\"why\":\"x\",\"mode\":\"normal\"}"), COMMAND_OK);
    assert_int_equal(w->command.mode, COMMAND_MODE_NORMAL);
    assert_int_equal(give(w, "declare", "{" HEAD ",\"declaration\":" DECLARATION "}"), COMMAND_OK);
    assert_string_equal(w->command.declared.identities[0], "cccd:022199012345");
    assert_int_equal(w->command.declared.declaration.status, STATUS_GREEN);
    assert_int_equal(give(w, "revoke", "{" HEAD ",\"revocation\":{\"token_id\":\"00112233445566778899aabbccddeeff\","
                                       "\"revoked_at\":1789999999}}"), COMMAND_OK);
    assert_int_equal(w->command.revocation.token_id[15], 0xff);
    assert_int_equal(give(w, "resend", "{" HEAD ",\"from_seq\":12}"), COMMAND_OK);
    assert_int_equal(w->command.from_seq, 12);
    static const char *const plain[] = {"reload", "report", "identify", "time"};
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++) {
        assert_int_equal(give(w, plain[i], "{" HEAD "}"), COMMAND_OK);
        assert_string_equal(command_verb_name(w->command.verb), plain[i]);
    }
}

static void names_are_stable_and_each_its_own(void **state)
{
    enum command_verb verb;
    (void)state;
    for (int i = 0; i < COMMAND_VERB_COUNT; i++) {
        assert_true(command_verb_from_name(command_verb_name((enum command_verb)i), &verb));
        assert_int_equal(verb, i);
    }
    assert_false(command_verb_from_name("unknown", &verb));
    assert_string_equal(command_verb_name(COMMAND_VERB_COUNT), "unknown");
    assert_string_equal(command_error_name(COMMAND_OK), "");
    for (int i = COMMAND_MALFORMED; i < COMMAND_ERROR_COUNT; i++)
        for (int k = 0; k < i; k++)
            assert_string_not_equal(command_error_name((enum command_error)i), command_error_name((enum command_error)k));
}

/* ---- before it is read ------------------------------------------------------------------------------------------- */

static void retained_too_large_switched_off_and_unknown(void **state)
{
    struct world *w = *state;
    static char large[COMMAND_REQUEST_MAX_BYTES + 2];
    memset(large, ' ', sizeof large);
    memcpy(large, "{" HEAD "}", sizeof "{" HEAD "}" - 1);
    assert_int_equal(give_bytes(w, "time", large, COMMAND_REQUEST_MAX_BYTES), COMMAND_OK);
    assert_refused(give_bytes(w, "time", large, COMMAND_REQUEST_MAX_BYTES + 1), COMMAND_TOO_LARGE, "16385 bytes; allowed are 16384");
    w->arrival.retained = true;
    assert_refused(give(w, "open", "{" HEAD ",\"why\":\"x\"}"), COMMAND_RETAINED, "without the retain flag");
    assert_string_equal(w->command.transaction, "t-1"); /* for the response */
    w->arrival.retained = false;
    assert_refused(give(w, "opne", "{" HEAD "}"), COMMAND_UNKNOWN_VERB, "allowed are open, mode");
    assert_string_equal(w->command.transaction, "t-1");
    assert_int_equal(w->command.verb, COMMAND_VERB_COUNT);
    assert_refused(give(w, "", "{" HEAD "}"), COMMAND_UNKNOWN_VERB, "allowed");
    w->rules.verbs &= ~(1u << COMMAND_OPEN);
    assert_refused(give(w, "open", "{" HEAD ",\"why\":\"x\"}"), COMMAND_NO_RIGHTS, "commands.verbs");
    assert_int_equal(give(w, "time", "{" HEAD "}"), COMMAND_OK);
    w->rules.auth = COMMAND_AUTH_OFF;
    assert_refused(give(w, "time", "{" HEAD "}"), COMMAND_NO_RIGHTS, "commands.auth");
}

/* ---- members ----------------------------------------------------------------------------------------------------- */

static void malformed_ones_say_place_and_what_is_allowed(void **state)
{
    static const struct {
        const char *verb, *json, *words;
    } rows[] = {
        {"time", "", "0 bytes"},
        {"time", "[]", "not a JSON object"},
        {"time", "{\"transaction\":\"t\"", "ends too early"},
        {"time", "{" HEAD "} x", "not JSON"},
        {"time", "{" HEAD ",\"extra\":1}", "'extra': no such member"},
        {"time", "{" HEAD ",\"transaction\":\"u\"}", "comes twice"},
        {"time", "{\"operator\":\"a\",\"issued_at\":1790000000}", "transaction is missing"},
        {"time", "{\"transaction\":\"t\",\"issued_at\":1790000000}", "operator is missing"},
        {"time", "{\"transaction\":\"a b\",\"operator\":\"a\",\"issued_at\":1790000000}", "transaction 'a b': allowed are 1 to 64"},
        {"time", "{\"transaction\":\"t\",\"operator\":\"\",\"issued_at\":1790000000}", "operator '': allowed"},
        {"time", "{\"transaction\":\"t\",\"operator\":\"a\\nb\",\"issued_at\":1790000000}", "operator"},
        {"time", "{\"transaction\":\"t\",\"operator\":\"123456789012345678901234567890123\",\"issued_at\":1790000000}", "1 to 32 bytes"},
        {"time", "{\"transaction\":\"t\",\"operator\":\"a\",\"issued_at\":\"yesterday\"}", "issued_at 'yesterday': allowed"},
        {"time", "{\"transaction\":\"t\",\"operator\":\"a\",\"issued_at\":1790000000000}", "issued_at"},
        {"time", "{" HEAD ",\"schema\":\"qrgate/request/2\"}", "qrgate/request/1"},
        {"time", "{" HEAD ",\"verb\":\"open\"}", "verb: another one than the topic's, which is time"},
        {"time", "{" HEAD ",\"for_s\":3}", "'for_s': not a member of a request to time"},
        {"open", "{" HEAD "}", "why is missing"},
        {"open", "{" HEAD ",\"why\":\"\"}", "why '': allowed are 1 to 80"},
        {"open", "{" HEAD ",\"why\":\"x\",\"mode\":\"normal\"}", "'mode': not a member of a request to open"},
        {"mode", "{" HEAD ",\"why\":\"x\"}", "mode is missing"},
        {"mode", "{" HEAD ",\"why\":\"x\",\"mode\":\"emergency\"}", "allowed are normal, hold_open, lock_down"},
        {"mode", "{" HEAD ",\"why\":\"x\",\"mode\":\"hold_open\"}", "for_s is missing"},
        {"mode", "{" HEAD ",\"why\":\"x\",\"mode\":\"lock_down\",\"for_s\":60}", "for_s: allowed only with hold_open"},
        {"mode", "{" HEAD ",\"why\":\"x\",\"mode\":\"hold_open\",\"for_s\":0}", "for_s '0': allowed"},
        {"mode", "{" HEAD ",\"why\":\"x\",\"mode\":\"hold_open\",\"for_s\":1.5}", "for_s"},
        {"resend", "{" HEAD "}", "from_seq is missing"},
        {"resend", "{" HEAD ",\"from_seq\":0}", "from_seq '0': allowed is a whole number from 1"},
        {"declare", "{" HEAD "}", "declaration is missing"},
        {"declare", "{" HEAD ",\"declaration\":\"022199012345\"}", "declaration '************': allowed is an object"},
        {"declare", "{" HEAD ",\"declaration\":{\"subject\":\"cccd:022199012345\"}}", "declaration: declared_at is missing"},
        {"declare", "{" HEAD ",\"declaration\":{\"status\":\"green\",\"status\":\"red\",\"subject\":\"cccd:022199012345\","
                    "\"declared_at\":1789999999}}", "comes twice"},
        {"revoke", "{" HEAD ",\"revocation\":{\"token_id\":\"1\"}}", "revocation: token_id"},
    };
    struct world *w = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_refused(give(w, rows[i].verb, rows[i].json), COMMAND_MALFORMED, rows[i].words);
        assert_int_equal(w->command.declared.identities[0][0], '\0');
    }
    assert_refused(give(w, "time", "{" HEAD ",\"lane\":\"site/lane2\"}"), COMMAND_OTHER_LANE, "this is site/lane1");
}

/* ---- age --------------------------------------------------------------------------------------------------------- */

static enum command_error aged(struct world *w, const char *issued_at)
{
    char json[256];
    (void)snprintf(json, sizeof json, "{\"transaction\":\"t\",\"operator\":\"a\"%s%s}", issued_at[0] ? ",\"issued_at\":" : "",
                   issued_at);
    return give(w, "time", json);
}

static void ten_seconds_by_issued_at_and_not_from_the_future(void **state)
{
    struct world *w = *state;
    assert_int_equal(aged(w, "1789999990"), COMMAND_OK);
    assert_int_equal(w->command.until_us, MONOTONIC_US); /* not a moment longer */
    assert_int_equal(aged(w, "1789999996"), COMMAND_OK);
    assert_int_equal(w->command.until_us, MONOTONIC_US + 6000000);
    assert_refused(aged(w, "1789999989"), COMMAND_STALE, "issued 11 s ago; allowed are 10");
    assert_refused(aged(w, "1789996400"), COMMAND_STALE, "3600 s ago");
    assert_int_equal(aged(w, "1790000010"), COMMAND_OK);
    assert_int_equal(w->command.until_us, MONOTONIC_US + 10000000);
    assert_refused(aged(w, "1790000011"), COMMAND_FROM_THE_FUTURE, "11 s ahead");
    w->arrival.unix_us = NOW_US + 10000001; /* a microsecond too old */
    assert_int_equal(aged(w, "1790000000"), COMMAND_STALE);
    assert_int_equal(aged(w, "\"2026-09-21T21:13:21.5+07:00\""), COMMAND_OK);
    assert_int_equal(w->command.until_us, MONOTONIC_US + 1499999);
}

static void ten_seconds_by_message_expiry(void **state)
{
    struct world *w = *state;
    assert_refused(aged(w, ""), COMMAND_UNDATED, "issued_at is missing");
    w->arrival.expiry_s = 11;
    assert_refused(aged(w, ""), COMMAND_UNDATED, "issued_at is missing");
    w->arrival.expiry_s = 10;
    assert_int_equal(aged(w, ""), COMMAND_OK);
    assert_int_equal(w->command.until_us, MONOTONIC_US + 10000000);
    w->arrival.waited_us = 4000000;
    assert_int_equal(aged(w, ""), COMMAND_OK);
    assert_int_equal(w->command.until_us, MONOTONIC_US + 6000000);
    assert_int_equal(aged(w, "1789999998"), COMMAND_OK); /* the sooner of both */
    assert_int_equal(w->command.until_us, MONOTONIC_US + 6000000);
    w->arrival.waited_us = 10000001;
    assert_refused(aged(w, ""), COMMAND_STALE, "past its message expiry");
    assert_int_equal(aged(w, "1790000000"), COMMAND_STALE);
    w->arrival.waited_us = 0;
    w->arrival.age_max_us = 4000000;
    assert_int_equal(aged(w, ""), COMMAND_OK);
    assert_int_equal(w->command.until_us, MONOTONIC_US + 6000000);
    w->arrival.age_max_us = 10000001; /* what is left of an hour is no date */
    assert_refused(aged(w, ""), COMMAND_UNDATED, "waited at the broker");
    w->arrival.age_max_us = INT64_MAX;
    assert_refused(aged(w, ""), COMMAND_UNDATED, "waited at the broker");
    assert_int_equal(aged(w, "1790000000"), COMMAND_OK);
    w->arrival.expiry_s = 3600;
    assert_int_equal(aged(w, "1789999980"), COMMAND_STALE);
    assert_int_equal(aged(w, "1789999999"), COMMAND_OK);
}

static void a_clock_that_nobody_trusts_judges_nothing(void **state)
{
    struct world *w = *state;
    w->arrival.clock_trusted = false;
    assert_refused(aged(w, "1790000000"), COMMAND_CLOCK_UNTRUSTED, "send it with a message expiry of at most 10 s");
    w->arrival.expiry_s = 60;
    assert_int_equal(aged(w, "1790000000"), COMMAND_CLOCK_UNTRUSTED);
    w->arrival.expiry_s = 5;
    assert_int_equal(aged(w, "1600000000"), COMMAND_OK);
    assert_int_equal(w->command.until_us, MONOTONIC_US + 5000000);
    assert_refused(give_signed(w, "time", "{" SIGNED_HEAD ",\"verb\":\"time\"}"), COMMAND_CLOCK_UNTRUSTED, "mend the clock");
}

/* ---- signatures -------------------------------------------------------------------------------------------------- */

static void a_signed_one_is_its_keys_owners(void **state)
{
    struct world *w = *state;
    assert_int_equal(give_signed(w, "open", "{" SIGNED_HEAD ",\"verb\":\"open\",\"why\":\"x\"}"), COMMAND_OK);
    assert_string_equal(w->command.operator_name, "anna");
    assert_string_equal(w->command.why, "x");
    assert_int_equal(give_signed(w, "time", "{" SIGNED_HEAD ",\"verb\":\"time\",\"operator\":\"anna\"}"), COMMAND_OK);
    assert_refused(give_signed(w, "time", "{" SIGNED_HEAD ",\"verb\":\"time\",\"operator\":\"ben\"}"), COMMAND_NO_RIGHTS, "is anna's");
    assert_string_equal(w->command.operator_name, "");
}

/* Topic and expiry are the broker's word. */
static void a_signed_one_must_say_what_where_and_when(void **state)
{
    struct world *w = *state;
    assert_refused(give_signed(w, "time", "{\"transaction\":\"t\",\"issued_at\":1790000000,\"verb\":\"time\"}"), COMMAND_MALFORMED,
                   "lane is missing");
    assert_refused(give_signed(w, "time", "{" SIGNED_HEAD "}"), COMMAND_MALFORMED, "verb is missing");
    assert_refused(give_signed(w, "report", "{" SIGNED_HEAD ",\"verb\":\"time\"}"), COMMAND_MALFORMED, "verb: another one");
    assert_refused(give_signed(w, "time", "{\"transaction\":\"t\",\"issued_at\":1790000000,\"verb\":\"time\",\"lane\":\"s/lane1\"}"),
                   COMMAND_OTHER_LANE, "this is site/lane1");
    w->arrival.expiry_s = 5;
    assert_refused(give_signed(w, "time", "{\"transaction\":\"t\",\"verb\":\"time\",\"lane\":\"site/lane1\"}"), COMMAND_UNDATED,
                   "issued_at is missing");
    assert_string_equal(w->command.transaction, "t");
}

static void forged_unknown_and_unsigned_are_refused(void **state)
{
    struct world *w = *state;
    static uint8_t bytes[SIGNED_REQUEST_MAX_BYTES];
    static const char json[] = "{" SIGNED_HEAD ",\"verb\":\"time\"}", open[] = "{" SIGNED_HEAD ",\"verb\":\"open\",\"why\":\"x\"}";
    w->rules.auth = COMMAND_AUTH_SIGNED;
    assert_refused(give(w, "time", json), COMMAND_NOT_SIGNED, "signed requests only");
    assert_string_equal(w->command.transaction, "t-1");
    size_t length = signed_request(json, "anna1", COSE_ALG_EDDSA, w->secret[1], bytes);
    assert_refused(give_bytes(w, "time", bytes, length), COMMAND_SIGNATURE_INVALID, "anna1");
    assert_string_equal(w->command.transaction, "t-1");
    assert_string_equal(w->command.operator_name, "");
    length = signed_request(json, "carl1", COSE_ALG_EDDSA, w->secret[1], bytes);
    assert_refused(give_bytes(w, "time", bytes, length), COMMAND_KEY_UNKNOWN, "commands.operators");
    length = signed_request(json, "anna1", COSE_ALG_ES256, w->secret[0], bytes);
    assert_refused(give_bytes(w, "time", bytes, length), COMMAND_MALFORMED, "EdDSA");
    length = signed_request(open, "ben1", COSE_ALG_EDDSA, w->secret[1], bytes);
    assert_refused(give_bytes(w, "open", bytes, length), COMMAND_NO_RIGHTS, "verbs of the key \"ben1\"");
    length = signed_request(json, "ben1", COSE_ALG_EDDSA, w->secret[1], bytes);
    assert_int_equal(give_bytes(w, "time", bytes, length), COMMAND_OK);
    for (size_t i = 0; i < length; i++) { /* each byte of it counts */
        bytes[i] ^= 1;
        assert_int_not_equal(give_bytes(w, "time", bytes, length), COMMAND_OK);
        assert_int_not_equal(give_bytes(w, "time", bytes, i), COMMAND_OK);
        bytes[i] ^= 1;
    }
    w->rules.auth = COMMAND_AUTH_ACL;
    assert_int_equal(give_bytes(w, "time", bytes, length), COMMAND_MALFORMED); /* no JSON */
}

int main(void)
{
    const struct CMUnitTest command[] = {
        cmocka_unit_test_setup(each_verb_is_taken_with_its_members, setup),
        cmocka_unit_test_setup(names_are_stable_and_each_its_own, setup),
        cmocka_unit_test_setup(retained_too_large_switched_off_and_unknown, setup),
        cmocka_unit_test_setup(malformed_ones_say_place_and_what_is_allowed, setup),
        cmocka_unit_test_setup(ten_seconds_by_issued_at_and_not_from_the_future, setup),
        cmocka_unit_test_setup(ten_seconds_by_message_expiry, setup),
        cmocka_unit_test_setup(a_clock_that_nobody_trusts_judges_nothing, setup),
        cmocka_unit_test_setup(a_signed_one_is_its_keys_owners, setup),
        cmocka_unit_test_setup(a_signed_one_must_say_what_where_and_when, setup),
        cmocka_unit_test_setup(forged_unknown_and_unsigned_are_refused, setup),
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(command, NULL, NULL);
}
