/* Messages from the broker: declarations, revocations, passages; and what they share with command line and CSV: the
 * forms of a number and of a time. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "daemon/credential/subject.h"
#include "daemon/decision/time_text.h"
#include "daemon/mqtt/inbound.h"

#define NOW_S INT64_C(1790000000) /* 2026-09-21T14:13:20Z */
#define WHOSE "\"subject\":\"cccd:022199012345\""
#define WHEN "\"declared_at\":1789990000"

struct heard {
    struct declared declared;
    char transaction[INBOUND_TRANSACTION_BYTES], why[INBOUND_WHY_BYTES];
};

static int hear(const char *text, struct heard *ret)
{
    (void)strcpy(ret->why, "");
    return inbound_declaration(text, strlen(text), NOW_S, &ret->declared, ret->transaction, ret->why, sizeof(ret->why));
}

/* Field by field: padding may differ. */
static void assert_same(const struct declared *a, const struct declared *b)
{
    const struct declaration *c = &a->declaration, *d = &b->declaration;
    assert_string_equal(a->person, b->person);
    for (int i = 0; i < JOURNAL_IDENTITIES_MAX; i++)
        assert_string_equal(a->identities[i], b->identities[i]);
    assert_string_equal(a->source, b->source);
    assert_int_equal(c->found, d->found);
    assert_int_equal(c->status, d->status);
    assert_int_equal(c->declared_at_s, d->declared_at_s);
    assert_int_equal(c->answers.symptoms, d->answers.symptoms);
    assert_int_equal(c->answers.contacts, d->answers.contacts);
    assert_int_equal(c->answers.travelled, d->answers.travelled);
    assert_int_equal(c->answers.symptoms_at_s, d->answers.symptoms_at_s);
    assert_int_equal(c->answers.contact_at_s, d->answers.contact_at_s);
    assert_int_equal(c->answers.travel_at_s, d->answers.travel_at_s);
    assert_int_equal(c->answers.by, d->answers.by);
    assert_string_equal(c->group, d->group);
}

/* ---- numbers and times ------------------------------------------------------------------------------------------- */

static void subjects(void **state)
{
    static const struct {
        const char *text, *subject; /* NULL: refused */
    } cases[] = {
        { "cccd:022199012345", "cccd:022199012345" },
        { "cccd:02219901234", NULL },
        { "cccd:0221990123456", NULL },
        { "cccd:02219901234x", NULL },
        { "CCCD:022199012345", NULL },
        { "022199012345", NULL },
        { "cmnd:100200300", "cmnd:100200300" },
        { "cmnd:10020030", NULL },
        { "bhyt:0123456789", "bhyt:0123456789" },
        { "bhyt:DN4790123456789", "bhyt:0123456789" },
        { "bhyt:dn4790123456789", NULL },
        { "bhyt:D54790123456789", NULL },
        { "bhyt:DN479012345678", NULL },
        { "bhyt:012345678", NULL },
        { "qid:1", "qid:1" },
        { "qid:162979388586171100", "qid:162979388586171100" },
        { "qid:1629793885861711001", NULL },
        { "qid:", NULL },
        { "badge:0042", "badge:0042" },
        { "badge:a.B-c_9", "badge:a.B-c_9" },
        { "badge:12345678901234567890123456789012", "badge:12345678901234567890123456789012" },
        { "badge:123456789012345678901234567890123", NULL },
        { "badge:a b", NULL },
        { "badge:\xc3\xa9", NULL },
        { "hc1:0123456789abcdef0123456789abcdef", "hc1:0123456789abcdef0123456789abcdef" },
        { "hc1:0123456789ABCDEF0123456789abcdef", NULL },
        { "", NULL },
        { "name:x", NULL },
    };
    char subject[CREDENTIAL_SUBJECT_BYTES];
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const bool taken = subject_read(cases[i].text, strlen(cases[i].text), subject);
        if (taken != (cases[i].subject != NULL))
            fail_msg("%s: %s", cases[i].text, taken ? "taken" : "refused");
        assert_string_equal(subject, cases[i].subject ? cases[i].subject : "");
    }
    assert_false(subject_read("cccd:02219901\00045", 17, subject)); /* a NUL among the digits */
    assert_true(subject_read("cccd:022199012345,x", 17, subject));   /* no NUL at the end is needed */
}

static void times_by_rfc_3339(void **state)
{
    static const struct {
        const char *text;
        int64_t at_s; /* 0: refused */
        int32_t us;
    } cases[] = {
        { "2023-11-14T22:13:20Z", 1700000000, 0 },
        { "2023-11-15t05:13:20.25+07:00", 1700000000, 250000 },
        { "2023-11-14T22:13:20.123456789Z", 1700000000, 123456 },
        { "2024-02-29T00:00:00z", 1709164800, 0 },
        { "2000-01-01T00:00:00Z", 946684800, 0 },
        { "2200-12-31T23:59:59Z", 7289654399, 0 },
        { "2000-01-01T00:00:00+00:01", 0, 0 },
        { "2023-02-29T00:00:00Z", 0, 0 },
        { "2100-02-29T00:00:00Z", 0, 0 },
        { "2023-04-31T00:00:00Z", 0, 0 },
        { "2023-00-10T00:00:00Z", 0, 0 },
        { "2023-13-10T00:00:00Z", 0, 0 },
        { "2023-11-00T00:00:00Z", 0, 0 },
        { "2023-11-14T24:00:00Z", 0, 0 },
        { "2023-11-14T22:60:00Z", 0, 0 },
        { "2023-11-14T22:13:60Z", 0, 0 },
        { "2023-11-14T22:13Z", 0, 0 },
        { "2023-11-14T22:13:20", 0, 0 },
        { "2023-11-14 22:13:20Z", 0, 0 },
        { "2023-11-14T22:13:20.Z", 0, 0 },
        { "2023-11-14T22:13:20+0700", 0, 0 },
        { "2023-11-14T22:13:20+07", 0, 0 },
        { "2023-11-14T22:13:20+07:", 0, 0 },
        { "2023-11-14T22:13:20+15:00", 0, 0 },
        { "2023-11-14T22:13:20+07:60", 0, 0 },
        { "2023-11-14T22:13:20Zx", 0, 0 },
        { "1999-12-31T23:59:59Z", 0, 0 },
        { "", 0, 0 },
        { "1700000000", 0, 0 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t at_s = 0;
        int32_t us = 0;
        const bool taken = time_text_read(cases[i].text, strlen(cases[i].text), &at_s, &us);
        if (taken != (cases[i].at_s != 0) || at_s != cases[i].at_s || us != cases[i].us)
            fail_msg("%s: %d %lld %d", cases[i].text, taken, (long long)at_s, (int)us);
    }
}

static void times_as_typed(void **state)
{
    static const struct {
        const char *text;
        int64_t at_s; /* 0: refused */
        bool local;
    } cases[] = {
        { "1700000000", 1700000000, false },
        { "2023-11-14T22:13:20", 1700000000, true },
        { "2023-11-14 22:13", 1699999980, true },
        { "2023-11-15T05:13+0700", 1699999980, false },
        { "2023-11-15 05:13:20+07", 1700000000, false },
        { "2023-11-14T12:13:20.75-10", 1700000000, false },
        { "946684799", 0, false },
        { "0946684800", 0, false },
        { "99999999999", 0, false },
        { "2026", 0, false },
        { "20260921", 0, false },
        { "2026-09-21", 0, false },
        { "2026-09-21T21:13:20 +07:00", 0, false },
        { "2026-09-21T21:13:20+7", 0, false },
        { "2026-09-21T21:13:20+070", 0, false },
        { "", 0, false },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t at_s = 0;
        bool local = false;
        const bool taken = time_text_read_typed(cases[i].text, strlen(cases[i].text), &at_s, &local);
        if (taken != (cases[i].at_s != 0) || (taken && (at_s != cases[i].at_s || local != cases[i].local)))
            fail_msg("%s: %d %lld %d", cases[i].text, taken, (long long)at_s, local);
    }
}

/* Every day of two centuries, against the C library. */
static void times_written_are_read_again(void **state)
{
    (void)state;
    for (int64_t at_s = TIME_TEXT_LEAST_S; at_s <= TIME_TEXT_MOST_S; at_s += 86399) {
        char text[TIME_TEXT_BYTES], expected[TIME_TEXT_BYTES];
        struct tm parts;
        const time_t at = (time_t)at_s;
        int64_t again = 0;
        assert_non_null(gmtime_r(&at, &parts));
        assert_true(strftime(expected, sizeof(expected), "%Y-%m-%dT%H:%M:%SZ", &parts) > 0);
        assert_string_equal(time_text_write(at_s, text), expected);
        assert_true(time_text_read(text, strlen(text), &again, NULL));
        assert_int_equal(again, at_s);
    }
    char text[TIME_TEXT_BYTES];
    assert_string_equal(time_text_write(0, text), "0");
    assert_string_equal(time_text_write(INT64_MIN, text), "-9223372036854775808");
}

/* ---- declarations ------------------------------------------------------------------------------------------------ */

static void a_declaration_with_everything(void **state)
{
    struct heard heard;
    (void)state;
    assert_int_equal(
        hear("{\"schema\":\"qrgate/declaration/1\",\"transaction_id\":\"form_7-a\","
             "\"identities\":[\"cccd:022199012345\",\"bhyt:DN4790123456789\",\"bhyt:0123456789\",\"badge:0042\"],"
             "\"status\":\"white\",\"declared_at\":\"2026-09-21T21:13:20+07:00\",\"symptoms\":[\"tiredness\",\"fever\"],"
             "\"contacts\":[\"sick_country\"],\"travelled\":true,\"symptoms_at\":1789990000,"
             "\"contact_at\":\"2026-09-20T00:00:00Z\",\"travel_at\":1789000000,\"by\":\"guard\",\"group\":\"staff\"}",
             &heard),
        0);
    const struct declared *d = &heard.declared;
    assert_string_equal(heard.transaction, "form_7-a");
    assert_string_equal(d->person, "");
    assert_string_equal(d->identities[0], "cccd:022199012345");
    assert_string_equal(d->identities[1], "bhyt:0123456789");
    assert_string_equal(d->identities[2], "badge:0042"); /* the BHYT number in its two forms is one */
    assert_string_equal(d->identities[3], "");
    assert_string_equal(d->source, "mqtt");
    assert_true(d->declaration.found);
    assert_int_equal(d->declaration.status, STATUS_WHITE);
    assert_int_equal(d->declaration.declared_at_s, NOW_S);
    assert_int_equal(d->declaration.answers.symptoms, 1u << SYMPTOM_FEVER | 1u << SYMPTOM_TIREDNESS);
    assert_int_equal(d->declaration.answers.contacts, 1u << CONTACT_SICK_COUNTRY);
    assert_true(d->declaration.answers.travelled);
    assert_int_equal(d->declaration.answers.symptoms_at_s, 1789990000);
    assert_int_equal(d->declaration.answers.contact_at_s, 1789862400);
    assert_int_equal(d->declaration.answers.travel_at_s, 1789000000);
    assert_int_equal(d->declaration.answers.by, DECLARED_BY_GUARD);
    assert_string_equal(d->declaration.group, "staff");
}

static void good_declarations(void **state)
{
    static const char *const cases[] = {
        "{" WHOSE "," WHEN ",\"status\":\"green\"}",
        " \r\n\t{ " WHOSE " , " WHEN " , \"symptoms\" : [ ] } ",
        "{\"person\":\"0123456789abcdef0123456789abcdef\"," WHEN ",\"status\":\"revoked\"}",
        "{" WHOSE "," WHEN ",\"travelled\":false}",
        "{" WHOSE "," WHEN ",\"status\":\"green\",\"group\":\"b\u1ea3o v\u1ec7\"}",
        "{" WHOSE "," WHEN ",\"contacts\":[\"patient\",\"symptoms\"]}",
        "{" WHOSE ",\"declared_at\":1790000300,\"status\":\"red\"}", /* a little ahead is tolerated */
        "{\"\\u0073ubject\":\"cccd:\\u0030\\u00322199012345\"," WHEN ",\"status\":\"green\"}",
    };
    struct heard heard;
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (hear(cases[i], &heard) != 0)
            fail_msg("%s: %s", cases[i], heard.why);
    assert_string_equal(heard.declared.identities[0], "cccd:022199012345");
}

static void bad_declarations(void **state)
{
    static const struct {
        const char *text, *why; /* what `why` must hold */
    } cases[] = {
        { "", "0 bytes: allowed are 1 to 2048" },
        { "{", "it ends too early" },
        { "[]", "not a JSON object" },
        { "null", "not JSON" },
        { "{}x", "not JSON" },
        { "{} {}", "not JSON" },
        { "{'a':1}", "not JSON" },
        { "{" WHOSE "," WHEN ",'status':\"green\"}", "not JSON" },
        { "{" WHOSE "," WHEN ",\"status\":\"green\",}", "not JSON" },
        { "/**/{" WHOSE "," WHEN ",\"status\":\"green\"}", "not JSON" },
        { "{\"a\":\"\xff\"}", "UTF-8" },
        { "{\"a\":\"\\\u00e1\"}", "not JSON" },
        { "{\"\u1ec7\u1ec7\u1ec7\":x}", "not JSON at byte 13" }, /* of the text as it came */
        { "{" WHOSE "," WHEN ",\"status\":\"gre\nen\"}", "control characters" },
        { "{" WHOSE "," WHEN ",\"status\\u0000\":\"green\"}", "control characters" },
        { "{" WHOSE "," WHEN ",\"group\":[[[[]]]]}", "not JSON" }, /* too deep */
        { "{" WHOSE "," WHEN ",\"status\":\"red\",\"status\":\"green\"}", "a member comes twice" },
        { "{" WHOSE "," WHEN ",\"status\":\"red\",\"st\\u0061tus\":\"green\"}", "a member comes twice" },
        { "{" WHOSE "," WHEN ",\"status\":\"green\",\"name\":\"A\"}", "'name': no such member" },
        { "{" WHOSE "," WHEN "}", "status is missing" },
        { "{" WHOSE "," WHEN ",\"by\":\"self\"}", "status is missing" },
        { "{" WHOSE ",\"status\":\"green\"}", "declared_at is missing" },
        { "{" WHEN ",\"status\":\"green\"}", "whose: allowed is one of" },
        { "{" WHOSE ",\"person\":\"0123456789abcdef0123456789abcdef\"," WHEN ",\"status\":\"green\"}", "whose: " },
        { "{" WHOSE ",\"identities\":[\"cmnd:100200300\"]," WHEN ",\"status\":\"green\"}", "whose: " },
        { "{\"subject\":\"cccd:02219901234\"," WHEN ",\"status\":\"green\"}", "subject 'cccd:***********': allowed is" },
        { "{\"subject\":22199012345," WHEN ",\"status\":\"green\"}", "subject '***********'" },
        { "{\"subject\":null," WHEN ",\"status\":\"green\"}", "subject 'null'" },
        { "{\"identities\":[]," WHEN ",\"status\":\"green\"}", "1 to 4 numbers" },
        { "{\"identities\":[\"qid:1\",\"qid:2\",\"qid:3\",\"qid:4\",\"qid:5\"]," WHEN ",\"status\":\"green\"}",
          "1 to 4 numbers" },
        { "{\"identities\":[\"qid:1\",\"qid:1\"]," WHEN ",\"status\":\"green\"}", "each number once" },
        { "{\"identities\":[\"qid:1\",2]," WHEN ",\"status\":\"green\"}", "identities '[\"qid:*\",*]'" },
        { "{\"identities\":\"qid:1\"," WHEN ",\"status\":\"green\"}", "1 to 4 numbers" },
        { "{\"person\":\"0123456789ABCDEF0123456789abcdef\"," WHEN ",\"status\":\"green\"}", "32 hex digits" },
        { "{\"person\":\"\"," WHEN ",\"status\":\"green\"}", "32 hex digits" },
        { "{" WHOSE "," WHEN ",\"status\":\"blue\"}", "status 'blue': allowed are green" },
        { "{" WHOSE "," WHEN ",\"status\":\"none\"}", "status 'none'" },
        { "{" WHOSE "," WHEN ",\"status\":\"expired\"}", "status 'expired'" },
        { "{" WHOSE "," WHEN ",\"status\":\"\\u001b[31m\"}", "status '?[31m'" },
        { "{" WHOSE "," WHEN ",\"status\":true}", "status 'true'" },
        { "{" WHOSE ",\"declared_at\":\"yesterday\",\"status\":\"green\"}", "declared_at 'yesterday': allowed is" },
        { "{" WHOSE ",\"declared_at\":\"1789990000\",\"status\":\"green\"}", "declared_at '1789990000'" },
        { "{" WHOSE ",\"declared_at\":1789990000.0,\"status\":\"green\"}", "declared_at '1789990000.0'" },
        { "{" WHOSE ",\"declared_at\":1.789e9,\"status\":\"green\"}", "whole number" },
        { "{" WHOSE ",\"declared_at\":NaN,\"status\":\"green\"}", "whole number" },
        { "{" WHOSE ",\"declared_at\":0,\"status\":\"green\"}", "from 2000" },
        { "{" WHOSE ",\"declared_at\":-5,\"status\":\"green\"}", "from 2000" },
        { "{" WHOSE ",\"declared_at\":9999999999999999,\"status\":\"green\"}", "from 2000" },
        { "{" WHOSE ",\"declared_at\":99999999999999999999999,\"status\":\"green\"}", "allowed is" }, /* json-c 0.18: no JSON */
        { "{" WHOSE ",\"declared_at\":1790000301,\"status\":\"green\"}", "is in the future" },
        { "{" WHOSE "," WHEN ",\"symptoms\":[\"fever\"],\"symptoms_at\":1790000301}", "symptoms_at '1790000301': is in" },
        { "{" WHOSE "," WHEN ",\"symptoms\":\"fever\"}", "symptoms 'fever': allowed is a list" },
        { "{" WHOSE "," WHEN ",\"symptoms\":[\"Fever\"]}", "each once" },
        { "{" WHOSE "," WHEN ",\"symptoms\":[\"fever\",\"fever\"]}", "each once" },
        { "{" WHOSE "," WHEN ",\"symptoms\":[{\"fever\":true}]}", "each once" },
        { "{" WHOSE "," WHEN ",\"contacts\":[\"fever\"]}", "patient, sick_country, symptoms" },
        { "{" WHOSE "," WHEN ",\"travelled\":1}", "true, false" },
        { "{" WHOSE "," WHEN ",\"travelled\":false,\"travel_at\":1789990000}", "travel_at: allowed only with" },
        { "{" WHOSE "," WHEN ",\"symptoms\":[],\"symptoms_at\":1789990000}", "symptoms_at: allowed only with" },
        { "{" WHOSE "," WHEN ",\"status\":\"red\",\"contact_at\":1789990000}", "contact_at: allowed only with" },
        { "{" WHOSE "," WHEN ",\"status\":\"green\",\"by\":\"nurse\"}", "self, guard" },
        { "{" WHOSE "," WHEN ",\"status\":\"green\",\"group\":\"\"}", "1 to 32" },
        { "{" WHOSE "," WHEN ",\"status\":\"green\",\"group\":\"a,b\"}", "1 to 32" },
        { "{" WHOSE "," WHEN ",\"status\":\"green\",\"group\":\"123456789012345678901234567890123\"}", "1 to 32" },
        { "{" WHOSE "," WHEN ",\"status\":\"green\",\"group\":\"\u00e1\u00e1\u00e1\u00e1\u00e1\u00e1\u00e1\u00e1"
          "\u00e1\u00e1\u00e1\u00e1\u00e1\u00e1\u00e1\u00e1\u00e1\"}",
          "1 to 32" },
        { "{" WHOSE "," WHEN ",\"status\":\"green\",\"group\":\"a\\u202eb\"}", "group 'a???b'" },
        { "{" WHOSE "," WHEN ",\"status\":\"green\",\"schema\":\"qrgate/declaration/2\"}", "schema 'qrgate/declaration/2'" },
        { "{" WHOSE "," WHEN ",\"status\":\"green\",\"transaction_id\":\"a b\"}", "transaction_id 'a b': allowed" },
        { "{" WHOSE "," WHEN ",\"status\":\"green\",\"transaction_id\":\"\"}", "transaction_id ''" },
        { "{" WHOSE "," WHEN ",\"status\":\"green\",\"transaction_id\":7}", "transaction_id '7'" },
    };
    static const struct declared nothing;
    struct heard heard;
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const int result = hear(cases[i].text, &heard);
        if (result != -EBADMSG || !strstr(heard.why, cases[i].why))
            fail_msg("%s: %d, %s", cases[i].text, result, heard.why);
        assert_same(&heard.declared, &nothing);
        assert_string_equal(heard.transaction, "");
    }
}

static void a_refused_message_keeps_its_transaction(void **state)
{
    struct heard heard;
    char longest[INBOUND_TRANSACTION_BYTES], text[512];
    (void)state;
    memset(longest, 'x', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    (void)snprintf(text, sizeof(text), "{\"status\":\"blue\",\"transaction_id\":\"%s\"}", longest);
    assert_int_equal(hear(text, &heard), -EBADMSG);
    assert_string_equal(heard.transaction, longest);
    (void)snprintf(text, sizeof(text), "{\"status\":\"blue\",\"transaction_id\":\"%sx\"}", longest);
    assert_int_equal(hear(text, &heard), -EBADMSG);
    assert_string_equal(heard.transaction, "");
}

static void lengths_are_bounded(void **state)
{
    struct heard heard;
    char text[INBOUND_MESSAGE_MAX_BYTES + 2], small[16];
    (void)state;
    memset(text, ' ', sizeof(text));
    const char *good = "{" WHOSE "," WHEN ",\"status\":\"green\"}";
    memcpy(text, good, strlen(good));
    assert_int_equal(inbound_declaration(text, INBOUND_MESSAGE_MAX_BYTES, NOW_S, &heard.declared, heard.transaction,
                                         heard.why, sizeof(heard.why)),
                     0);
    assert_int_equal(inbound_declaration(text, INBOUND_MESSAGE_MAX_BYTES + 1, NOW_S, &heard.declared,
                                         heard.transaction, heard.why, sizeof(heard.why)),
                     -EBADMSG);
    assert_non_null(strstr(heard.why, "2049 bytes"));
    assert_int_equal(inbound_declaration("{}", 2, NOW_S, &heard.declared, heard.transaction, small, sizeof(small)),
                     -EBADMSG);
    assert_int_equal(strlen(small), sizeof(small) - 1); /* cut, and ended */
}

/* The texts that say what is allowed name what the tables know. */
static void why_names_all_that_is_allowed(void **state)
{
    struct heard heard;
    (void)state;
    assert_int_equal(hear("{\"symptoms\":[1]}", &heard), -EBADMSG);
    for (int i = 0; i < SYMPTOM_COUNT; i++)
        assert_non_null(strstr(heard.why, symptom_name((enum symptom)i)));
    assert_int_equal(hear("{\"contacts\":[1]}", &heard), -EBADMSG);
    for (int i = 0; i < CONTACT_COUNT; i++)
        assert_non_null(strstr(heard.why, contact_name((enum contact)i)));
    assert_int_equal(hear("{\"subject\":\"badge:012345678901234567890123456789  \"}", &heard), -EBADMSG);
    assert_non_null(strstr(heard.why, SUBJECT_ALLOWED)); /* the longest one fits whole */
}

/* ---- revocations ------------------------------------------------------------------------------------------------- */

#define TOKEN "\"token_id\":\"00112233445566778899aabbccddeeff\""

static void revocations(void **state)
{
    static const struct {
        const char *text, *why; /* NULL: taken */
    } cases[] = {
        { "{" TOKEN ",\"revoked_at\":1789990000}", NULL },
        { "{" TOKEN ",\"revoked_at\":\"2026-09-21T14:13:20Z\",\"schema\":\"qrgate/revocation/1\",\"transaction_id\":\"r1\","
          "\"lifted\":true}",
          NULL },
        { "{" TOKEN "}", "revoked_at is missing" },
        { "{\"revoked_at\":1789990000}", "token_id is missing" },
        { "{\"token_id\":\"00112233445566778899AABBCCDDEEFF\",\"revoked_at\":1789990000}", "32 hex digits" },
        { "{\"token_id\":\"0011\",\"revoked_at\":1789990000}", "32 hex digits" },
        { "{\"token_id\":\"00000000000000000000000000000000\",\"revoked_at\":1789990000}", "no token's id" },
        { "{" TOKEN ",\"revoked_at\":1790000301}", "is in the future" },
        { "{" TOKEN ",\"revoked_at\":1789990000,\"lifted\":\"no\"}", "true, false" },
        { "{" TOKEN ",\"revoked_at\":1789990000,\"schema\":\"qrgate/declaration/1\"}", "schema '" },
        { "{" TOKEN ",\"revoked_at\":1789990000,\"subject\":\"qid:1\"}", "no such member" },
        { "{" TOKEN "," TOKEN ",\"revoked_at\":1789990000}", "comes twice" },
    };
    static const uint8_t id[CREDENTIAL_TOKEN_ID_BYTES] = { 0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
                                                            0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff };
    char transaction[INBOUND_TRANSACTION_BYTES], why[INBOUND_WHY_BYTES];
    struct revocation revocation;
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *text = cases[i].text;
        (void)strcpy(why, "");
        const int result = inbound_revocation(text, strlen(text), NOW_S, &revocation, transaction, why, sizeof(why));
        if (result != (cases[i].why ? -EBADMSG : 0) || (cases[i].why && !strstr(why, cases[i].why)))
            fail_msg("%s: %d, %s", text, result, why);
        if (result == 0) {
            assert_memory_equal(revocation.token_id, id, sizeof(id));
            assert_int_equal(revocation.revoked_at_s, i == 0 ? 1789990000 : NOW_S);
            assert_int_equal(revocation.lifted, i == 1);
            assert_string_equal(revocation.source, "mqtt");
            assert_string_equal(transaction, i == 1 ? "r1" : "");
        } else {
            assert_int_equal(revocation.revoked_at_s, 0);
        }
    }
}

/* ---- passages ---------------------------------------------------------------------------------------------------- */

#define EVENT "\"event_id\":\"00112233445566778899aabbccddeeff\",\"at\":\"2026-09-21T14:13:20.123Z\""
#define PERSON "\"person\":\"0123456789abcdef0123456789abcdef\""

static void passages(void **state)
{
    static const struct {
        const char *text;
        int result;
    } cases[] = {
        { "{" EVENT "," PERSON ",\"direction\":\"in\",\"changes_presence\":true,\"schema\":\"qrgate/passage/1\","
          "\"kind\":\"granted\",\"seq\":7,\"future\":{\"a\":[1]}}",
          1 },
        { "{" EVENT "," PERSON ",\"direction\":\"in\",\"changes_presence\":false}", 0 },
        { "{" EVENT "," PERSON ",\"direction\":\"in\"}", 0 },
        { "{" EVENT "," PERSON ",\"direction\":\"none\",\"changes_presence\":true}", 0 },
        { "{" EVENT "," PERSON ",\"changes_presence\":true}", 0 },
        { "{" EVENT ",\"direction\":\"in\",\"changes_presence\":true}", 0 },
        { "{" EVENT "," PERSON ",\"direction\":\"up\",\"changes_presence\":true}", -EBADMSG },
        { "{" EVENT "," PERSON ",\"direction\":\"in\",\"changes_presence\":1}", -EBADMSG },
        { "{" EVENT ",\"person\":\"x\",\"direction\":\"in\",\"changes_presence\":true}", -EBADMSG },
        { "{" EVENT "," PERSON "," PERSON ",\"direction\":\"in\",\"changes_presence\":true}", -EBADMSG },
        { "{" PERSON ",\"direction\":\"in\",\"changes_presence\":true}", -EBADMSG },
        { "{" EVENT "," PERSON ",\"direction\":\"in\",\"changes_presence\":true,\"schema\":\"qrgate/alarm/1\"}", -EBADMSG },
        { "{\"event_id\":\"00112233445566778899aabbccddeeff\",\"at\":1790000000," PERSON ",\"direction\":\"in\"}",
          -EBADMSG },
        { "nonsense", -EBADMSG },
    };
    char why[INBOUND_WHY_BYTES];
    struct followed_passage passage;
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *text = cases[i].text;
        (void)strcpy(why, "");
        const int result = inbound_passage(text, strlen(text), "lane2", &passage, why, sizeof(why));
        if (result != cases[i].result || (result < 0) != (why[0] != '\0'))
            fail_msg("%s: %d, %s", text, result, why);
        if (result != 1) {
            assert_string_equal(passage.event_id, "");
            assert_string_equal(passage.person, "");
            assert_int_equal(passage.at_us, 0);
        }
    }
    assert_int_equal(inbound_passage(cases[0].text, strlen(cases[0].text), "lane2", &passage, why, sizeof(why)), 1);
    assert_string_equal(passage.event_id, "00112233445566778899aabbccddeeff");
    assert_string_equal(passage.person, "0123456789abcdef0123456789abcdef");
    assert_string_equal(passage.lane, "lane2");
    assert_int_equal(passage.direction, DIRECTION_IN);
    assert_int_equal(passage.at_us, NOW_S * 1000000 + 123000);
    assert_int_equal(inbound_passage(cases[0].text, strlen(cases[0].text), "", &passage, why, sizeof(why)), -EBADMSG);
    assert_int_equal(inbound_passage(cases[0].text, strlen(cases[0].text), "123456789012345678901234567890123", &passage,
                                     why, sizeof(why)),
                     -EBADMSG);
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

static void declarations_written_are_read_again(void **state)
{
    struct declared declared = {
        .identities = { "cccd:022199012345", "bhyt:0123456789" },
        .declaration = { .found = true, .status = STATUS_YELLOW, .declared_at_s = 1789990000,
                         .answers = { .symptoms = (1u << SYMPTOM_COUNT) - 1, .contacts = (1u << CONTACT_COUNT) - 1,
                                      .travelled = true, .symptoms_at_s = 1789990001, .contact_at_s = 1789990002,
                                      .travel_at_s = 1789990003, .by = DECLARED_BY_GUARD },
                         .group = "staff" },
        .source = "mqtt",
    };
    struct heard heard;
    char text[1024];
    (void)state;
    const int length = inbound_declaration_write(&declared, text, sizeof(text));
    assert_int_equal(length, strlen(text));
    assert_int_equal(hear(text, &heard), 0);
    assert_same(&heard.declared, &declared);

    for (size_t room = 0; room <= (size_t)length; room++) {
        assert_int_equal(inbound_declaration_write(&declared, text, room), -EMSGSIZE);
        assert_true(room == 0 || text[0] == '\0');
    }
    assert_int_equal(inbound_declaration_write(&declared, text, (size_t)length + 1), length);

    declared = (struct declared){ .person = "0123456789abcdef0123456789abcdef",
                                  .declaration = { .found = true, .declared_at_s = 1789990000 },
                                  .source = "mqtt" };
    assert_true(inbound_declaration_write(&declared, text, sizeof(text)) > 0);
    assert_string_equal(text, "{\"person\":\"0123456789abcdef0123456789abcdef\",\"declared_at\":\"2026-09-21T11:26:40Z\","
                              "\"symptoms\":[],\"contacts\":[],\"travelled\":false,\"by\":\"self\"}");
    assert_int_equal(hear(text, &heard), 0);
    assert_same(&heard.declared, &declared);
}

static void revocations_written_are_read_again(void **state)
{
    const struct revocation revocation = { .token_id = { 1, 2, 0xff }, .revoked_at_s = 1789990000, .lifted = true,
                                           .source = "mqtt" };
    struct revocation again;
    char text[256], transaction[INBOUND_TRANSACTION_BYTES], why[INBOUND_WHY_BYTES];
    (void)state;
    const int length = inbound_revocation_write(&revocation, text, sizeof(text));
    assert_true(length > 0);
    assert_int_equal(inbound_revocation(text, (size_t)length, NOW_S, &again, transaction, why, sizeof(why)), 0);
    assert_memory_equal(again.token_id, revocation.token_id, sizeof(again.token_id));
    assert_int_equal(again.revoked_at_s, revocation.revoked_at_s);
    assert_true(again.lifted);
    assert_int_equal(inbound_revocation_write(&revocation, text, (size_t)length), -EMSGSIZE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(subjects),
        cmocka_unit_test(times_by_rfc_3339),
        cmocka_unit_test(times_as_typed),
        cmocka_unit_test(times_written_are_read_again),
        cmocka_unit_test(a_declaration_with_everything),
        cmocka_unit_test(good_declarations),
        cmocka_unit_test(bad_declarations),
        cmocka_unit_test(a_refused_message_keeps_its_transaction),
        cmocka_unit_test(lengths_are_bounded),
        cmocka_unit_test(why_names_all_that_is_allowed),
        cmocka_unit_test(revocations),
        cmocka_unit_test(passages),
        cmocka_unit_test(declarations_written_are_read_again),
        cmocka_unit_test(revocations_written_are_read_again),
    };
    return cmocka_run_group_tests_name("inbound", tests, NULL, NULL);
}
