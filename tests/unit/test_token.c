/* Site tokens: the made-up vectors, writing and reading back, each bit changed, ids under rewriting, a foreign
 * implementation's COSE example. */
#include "tests/unit/vectors.h"

#include <errno.h>

#include "daemon/credential/base45.h"
#include "daemon/credential/cose.h"
#include "daemon/credential/token.h"

enum { PREFIX = 4, MESSAGE_BYTES = 1024 /* the most that a token may have */ };

static struct token_claims short_claims(void)
{
    return (struct token_claims){.issuer = "qy", .subject = "n0001", .status = STATUS_GREEN,
                                 .issued_at_s = 1790000000, .expires_at_s = 1790086400};
}

/* The widest that fits: every text full. */
static struct token_claims wide_claims(void)
{
    struct token_claims claims = short_claims();

    memset(claims.issuer, 'i', sizeof claims.issuer - 1);
    memset(claims.subject, 's', sizeof claims.subject - 1);
    memset(claims.name, 'n', sizeof claims.name - 1);
    memset(claims.group, 'g', sizeof claims.group - 1);
    claims.status = STATUS_REVOKED;
    claims.expires_at_s = TOKEN_TIME_MAX_S;
    return claims;
}

static struct credential_trust trust_for(const struct token_claims *claims, uint8_t secret_key[64])
{
    struct credential_trust trust = {.count = 1, .keys = {{.kid = "qg01", .kid_bytes = 4}}};

    vector_key(0x40, trust.keys[0].public_key, secret_key);
    memcpy(trust.keys[0].issuer, claims->issuer, sizeof trust.keys[0].issuer);
    return trust;
}

static int write_token(const struct token_claims *claims, const uint8_t secret_key[64], char text[TOKEN_TEXT_BYTES])
{
    return token_write(claims, (const uint8_t *)"qg01", 4, secret_key, text, TOKEN_TEXT_BYTES);
}

static struct credential read_text(const char *text, size_t length, const struct credential_trust *trust)
{
    struct credential credential;
    credential_read((const uint8_t *)text, length, trust, &credential);
    assert_credential_sound(&credential);
    return credential;
}

static struct credential read_message(const uint8_t *message, size_t length, const struct credential_trust *trust)
{
    char text[2 * MESSAGE_BYTES] = "QG1:";
    int body = base45_encode(message, length, text + PREFIX, sizeof text - PREFIX);
    assert_true(body >= 0);
    return read_text(text, (size_t)body + PREFIX, trust);
}

static void test_vectors(void **state)
{
    (void)state;
    check_vectors("token.tsv", 190);
}

static void check_round_trip(const struct token_claims *claims)
{
    uint8_t secret_key[64];
    struct credential_trust trust = trust_for(claims, secret_key);
    char text[TOKEN_TEXT_BYTES];
    int length = write_token(claims, secret_key, text);

    assert_true(length > PREFIX);
    assert_int_equal(length, (int)strlen(text));
    struct credential credential = read_text(text, (size_t)length, &trust);
    assert_int_equal(credential.fault, CREDENTIAL_OK);
    assert_int_equal(credential.kind, CREDENTIAL_SITE_TOKEN);
    assert_string_equal(credential.subject, claims->subject);
    assert_string_equal(credential.name, claims->name);
    assert_string_equal(credential.group, claims->group);
    assert_true(credential.is_signed);
    assert_int_equal(credential.status, claims->status);
    assert_int_equal(credential.issued_at_s, claims->issued_at_s);
    assert_int_equal(credential.expires_at_s, claims->expires_at_s);
}

static void test_round_trip(void **state)
{
    struct token_claims claims = short_claims(), wide = wide_claims();

    (void)state;
    for (int status = 0; status < STATUS_COUNT; status++) {
        claims.status = (enum declaration_status)status;
        check_round_trip(&claims);
    }
    check_round_trip(&wide);
    claims.issued_at_s = claims.expires_at_s = 1;
    check_round_trip(&claims);
}

static void test_size_of_a_short_token(void **state)
{
    struct token_claims claims = short_claims();
    uint8_t secret_key[64], message[MESSAGE_BYTES];
    char text[TOKEN_TEXT_BYTES];

    (void)state;
    (void)trust_for(&claims, secret_key);
    int length = write_token(&claims, secret_key, text);
    assert_int_equal(length, 178); /* QR version 7-M holds 178 letters, 6-L 195 */
    assert_int_equal(base45_decode(text + PREFIX, (size_t)length - PREFIX, message, sizeof message), 116);
}

static void test_write_refuses(void **state)
{
    const struct token_claims good = short_claims();
    struct token_claims bad;
    uint8_t secret_key[64];
    char text[TOKEN_TEXT_BYTES];
    static const int64_t times[] = {0, -1, INT64_MIN, INT64_MAX, TOKEN_TIME_MAX_S + 1};

    (void)state;
    (void)trust_for(&good, secret_key);
    bad = good, bad.issuer[0] = '\0';
    assert_int_equal(write_token(&bad, secret_key, text), -EINVAL);
    bad = good, bad.subject[0] = '\0';
    assert_int_equal(write_token(&bad, secret_key, text), -EINVAL);
    bad = good, bad.subject[2] = '\n';
    assert_int_equal(write_token(&bad, secret_key, text), -EINVAL);
    bad = good, memset(bad.name, 'n', sizeof bad.name); /* without an end */
    assert_int_equal(write_token(&bad, secret_key, text), -EINVAL);
    bad = good, bad.name[0] = (char)0xff;
    assert_int_equal(write_token(&bad, secret_key, text), -EINVAL);
    bad = good, memset(bad.group, 'g', sizeof bad.group); /* without an end */
    assert_int_equal(write_token(&bad, secret_key, text), -EINVAL);
    bad = good, bad.group[0] = '\t';
    assert_int_equal(write_token(&bad, secret_key, text), -EINVAL);
    bad = good, bad.status = STATUS_COUNT;
    assert_int_equal(write_token(&bad, secret_key, text), -EINVAL);
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        bad = good, bad.issued_at_s = times[i];
        assert_int_equal(write_token(&bad, secret_key, text), -EINVAL);
        bad = good, bad.expires_at_s = times[i];
        assert_int_equal(write_token(&bad, secret_key, text), -EINVAL);
    }
    assert_int_equal(token_write(&good, (const uint8_t *)"", 0, secret_key, text, sizeof text), -EINVAL);
    assert_int_equal(token_write(&good, (const uint8_t *)"0123456789abcdefg", 17, secret_key, text, sizeof text),
                     -EINVAL);
    for (size_t room = 0; room <= 178; room++)
        assert_int_equal(token_write(&good, (const uint8_t *)"qg01", 4, secret_key, text, room), -EMSGSIZE);
    assert_int_equal(token_write(&good, (const uint8_t *)"qg01", 4, secret_key, text, 179), 178);
}

/* No changed bit anywhere in the message opens anything: what still verifies says the same, under the same id. */
static void test_every_bit(void **state)
{
    struct token_claims claims = short_claims();
    uint8_t secret_key[64], message[MESSAGE_BYTES];
    struct credential_trust trust = trust_for(&claims, secret_key);
    char text[TOKEN_TEXT_BYTES];
    int length = write_token(&claims, secret_key, text);
    int message_bytes = base45_decode(text + PREFIX, (size_t)length - PREFIX, message, sizeof message);

    (void)state;
    assert_true(message_bytes > 0);
    struct credential original = read_text(text, (size_t)length, &trust);
    for (size_t bit = 0; bit < (size_t)message_bytes * 8; bit++) {
        message[bit / 8] ^= (uint8_t)(1u << bit % 8);
        struct credential credential = read_message(message, (size_t)message_bytes, &trust);
        if (credential.fault == CREDENTIAL_OK)
            assert_credential_equal(&credential, &original);
        message[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t cut = 0; cut < (size_t)message_bytes; cut++)
        assert_int_equal(read_message(message, cut, &trust).fault, CREDENTIAL_FAULT_MALFORMED);
}

/* Anyone may rewrite what isn't signed; a revoked token must not come back under another id by that. */
static void test_id_under_rewriting(void **state)
{
    static const uint8_t long_opening[] = {0xd8, 0x12, 0x98, 0x04}, cwt_opening[] = {0xd8, 0x3d, 0xd2, 0x84};
    static const uint8_t more_header[] = {0xa1, 0x18, 0x63, 0x61, 'x'};
    struct token_claims claims = short_claims();
    uint8_t secret_key[64], message[MESSAGE_BYTES], other[MESSAGE_BYTES];
    struct credential_trust trust = trust_for(&claims, secret_key);
    char text[TOKEN_TEXT_BYTES];
    int length = write_token(&claims, secret_key, text);
    int decoded = base45_decode(text + PREFIX, (size_t)length - PREFIX, message, sizeof message);

    (void)state;
    assert_true(decoded > 13);
    size_t rest = (size_t)decoded - 2, after_header = 2 + 10; /* D2 84, then the protected header of 1 + 9 bytes */
    struct credential original = read_text(text, (size_t)length, &trust);
    assert_int_equal(original.fault, CREDENTIAL_OK);

    struct credential same = read_message(message + 1, (size_t)decoded - 1, &trust); /* untagged */
    assert_credential_equal(&same, &original);
    memcpy(other, long_opening, 4), memcpy(other + 4, message + 2, rest);
    same = read_message(other, rest + 4, &trust);
    assert_credential_equal(&same, &original);
    memcpy(other, cwt_opening, 4), memcpy(other + 4, message + 2, rest);
    same = read_message(other, rest + 4, &trust);
    assert_credential_equal(&same, &original);

    assert_int_equal(message[after_header], 0xa0); /* the empty unprotected header */
    memcpy(other, message, after_header);
    memcpy(other + after_header, more_header, sizeof more_header);
    memcpy(other + after_header + sizeof more_header, message + after_header + 1, (size_t)decoded - after_header - 1);
    same = read_message(other, (size_t)decoded - 1 + sizeof more_header, &trust);
    assert_credential_equal(&same, &original);
}

static void test_ids_differ(void **state)
{
    struct token_claims claims = short_claims();
    uint8_t secret_key[64];
    struct credential_trust trust = trust_for(&claims, secret_key);
    char text[TOKEN_TEXT_BYTES];

    (void)state;
    struct credential first = read_text(text, (size_t)write_token(&claims, secret_key, text), &trust);
    claims.issued_at_s++;
    struct credential second = read_text(text, (size_t)write_token(&claims, secret_key, text), &trust);
    assert_int_equal(second.fault, CREDENTIAL_OK);
    assert_memory_not_equal(first.token_id, second.token_id, sizeof first.token_id);
}

/* Two keys under one kid, as at a change of keys: either verifies. A trust list that claims too much is cut. */
static void test_trust_lists(void **state)
{
    struct token_claims claims = short_claims();
    uint8_t secret_key[64], other_secret[64];
    struct credential_trust trust = trust_for(&claims, secret_key), none = {.count = 0};
    char text[TOKEN_TEXT_BYTES];
    size_t length = (size_t)write_token(&claims, secret_key, text);

    (void)state;
    assert_int_equal(read_text(text, length, NULL).fault, CREDENTIAL_FAULT_KEY_UNKNOWN);
    assert_int_equal(read_text(text, length, &none).fault, CREDENTIAL_FAULT_KEY_UNKNOWN);
    trust.keys[1] = trust.keys[0];
    vector_key(0x60, trust.keys[0].public_key, other_secret);
    assert_int_equal(read_text(text, length, &trust).fault, CREDENTIAL_FAULT_SIGNATURE);
    trust.count = 2;
    assert_int_equal(read_text(text, length, &trust).fault, CREDENTIAL_OK);
    trust.keys[1].kid_bytes = 5;
    assert_int_equal(read_text(text, length, &trust).fault, CREDENTIAL_FAULT_SIGNATURE);
    trust.keys[0].kid_bytes = SIZE_MAX;
    trust.count = SIZE_MAX;
    assert_int_equal(read_text(text, length, &trust).fault, CREDENTIAL_FAULT_KEY_UNKNOWN);
}

/* A point of small order as "public key" would verify anything; libsodium refuses it. */
static void test_weak_key(void **state)
{
    struct token_claims claims = short_claims();
    uint8_t secret_key[64];
    struct credential_trust trust = trust_for(&claims, secret_key);
    char text[TOKEN_TEXT_BYTES];
    size_t length = (size_t)write_token(&claims, secret_key, text);

    (void)state;
    memset(trust.keys[0].public_key, 0, sizeof trust.keys[0].public_key);
    assert_int_equal(read_text(text, length, &trust).fault, CREDENTIAL_FAULT_SIGNATURE);
    trust.keys[0].public_key[0] = 1;
    assert_int_equal(read_text(text, length, &trust).fault, CREDENTIAL_FAULT_SIGNATURE);
}

/* eddsa-sig-01 of the COSE working group's examples, with the first key of RFC 8032. */
static void test_foreign_example(void **state)
{
    static const char hex[] =
        "d28445a201270300a10442313154546869732069732074686520636f6e74656e742e58407142fd2ff96d56db85bee905a76ba1d0"
        "b7321a95c8c4d3607c5781932b7afb8711497dfa751bf40b58b3bcc32300b1487f3db34085eef013bf08f4a44d6fef0d";
    static const char key_hex[] = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
    uint8_t message[128], public_key[32], signed_bytes[COSE_TO_BE_SIGNED_MAX_BYTES];
    struct cose_message example;
    size_t length;

    (void)state;
    assert_int_equal(sodium_hex2bin(message, sizeof message, hex, sizeof hex - 1, NULL, &length, NULL), 0);
    assert_int_equal(sodium_hex2bin(public_key, 32, key_hex, sizeof key_hex - 1, NULL, NULL, NULL), 0);
    assert_null(cose_read(message, length, COSE_SIGN1, &example));
    assert_int_equal(example.kid_bytes, 2);
    assert_memory_equal(example.kid, "11", 2);
    assert_int_equal(example.payload_bytes, 20);
    assert_memory_equal(example.payload, "This is the content.", 20);
    int signed_length = cose_to_be_signed(&example, signed_bytes, sizeof signed_bytes);
    assert_true(signed_length > 0);
    assert_true(cose_verify_eddsa(signed_bytes, (size_t)signed_length, &example, public_key));
    signed_bytes[signed_length - 1] ^= 1;
    assert_false(cose_verify_eddsa(signed_bytes, (size_t)signed_length, &example, public_key));
    for (size_t room = 0; room < (size_t)signed_length; room++)
        assert_int_equal(cose_to_be_signed(&example, signed_bytes, room), -EMSGSIZE);
}

/* `iat` at, before and after the bounds of the key's time; 0 is no bound. `nbf` doesn't save a token dated too late. */
static void test_key_time(void **state)
{
    static const struct {
        int64_t from_s, until_s;
        enum credential_fault fault;
        const char *detail;
    } cases[] = {
        {0, 0, CREDENTIAL_OK, ""},
        {1790000000, 0, CREDENTIAL_OK, ""},
        {1790000001, 0, CREDENTIAL_FAULT_KEY_NOT_VALID, "before"},
        {0, 1790000000, CREDENTIAL_OK, ""},
        {0, 1789999999, CREDENTIAL_FAULT_KEY_NOT_VALID, "after"},
        {1790000000, 1790000000, CREDENTIAL_OK, ""},
        {1790000001, 1789999999, CREDENTIAL_FAULT_KEY_NOT_VALID, "before"},
    };
    struct token_claims claims = short_claims();
    uint8_t secret_key[64];
    struct credential_trust trust = trust_for(&claims, secret_key);
    char text[TOKEN_TEXT_BYTES];
    size_t length = (size_t)write_token(&claims, secret_key, text);

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        trust.keys[0].from_s = cases[i].from_s;
        trust.keys[0].until_s = cases[i].until_s;
        struct credential credential = read_text(text, length, &trust);
        assert_int_equal(credential.fault, cases[i].fault);
        assert_non_null(strstr(credential.detail, cases[i].detail));
        assert_int_equal(credential.checks[CHECK_SIGNATURE], CHECK_PASSED);
        assert_int_equal(credential.checks[CHECK_KEY_USAGE],
                         cases[i].fault == CREDENTIAL_OK ? CHECK_PASSED : CHECK_FAILED);
    }
}

/* Two keys of one issuer whose times overlap, as at a change of keys: each signs in its own. */
static void test_overlapping_keys(void **state)
{
    struct token_claims claims = short_claims();
    uint8_t old_key[64], new_key[64];
    struct credential_trust trust = trust_for(&claims, old_key);
    char text[TOKEN_TEXT_BYTES];

    (void)state;
    trust.keys[1] = trust.keys[0];
    memcpy(trust.keys[1].kid, "qg02", 4);
    vector_key(0x60, trust.keys[1].public_key, new_key);
    trust.count = 2;
    trust.keys[0].until_s = 1790000100;
    trust.keys[1].from_s = 1790000050;
    for (int64_t at_s = 1790000000; at_s <= 1790000150; at_s += 25) {
        claims.issued_at_s = at_s;
        int length = write_token(&claims, old_key, text);
        assert_int_equal(read_text(text, (size_t)length, &trust).fault,
                         at_s <= 1790000100 ? CREDENTIAL_OK : CREDENTIAL_FAULT_KEY_NOT_VALID);
        length = token_write(&claims, (const uint8_t *)"qg02", 4, new_key, text, sizeof text);
        assert_int_equal(read_text(text, (size_t)length, &trust).fault,
                         at_s >= 1790000050 ? CREDENTIAL_OK : CREDENTIAL_FAULT_KEY_NOT_VALID);
    }
}

static void assert_checks(const struct credential *credential, const char *wanted)
{
    char got[CREDENTIAL_CHECK_COUNT + 1] = "";

    for (int check = 0; check < CREDENTIAL_CHECK_COUNT; check++)
        got[check] = ".+-"[credential->checks[check]];
    assert_string_equal(got, wanted);
}

/* In the order base45, zlib, cose, key, signature, key_usage, claims, schema. */
static void test_checks(void **state)
{
    struct token_claims claims = short_claims();
    uint8_t secret_key[64], message[MESSAGE_BYTES];
    struct credential_trust trust = trust_for(&claims, secret_key);
    char text[TOKEN_TEXT_BYTES];
    size_t length = (size_t)write_token(&claims, secret_key, text);
    struct credential credential = read_text(text, length, &trust);

    (void)state;
    assert_checks(&credential, "+.+++++.");
    int bytes = base45_decode(text + PREFIX, length - PREFIX, message, sizeof message);
    message[bytes - 1] ^= 1;
    credential = read_message(message, (size_t)bytes, &trust);
    assert_checks(&credential, "+.++-...");
    credential = read_message(message, (size_t)bytes - 1, &trust);
    assert_checks(&credential, "+.-.....");
    credential = read_text("QG1:~", 5, &trust);
    assert_checks(&credential, "-.......");
    memcpy(trust.keys[0].issuer, "another", 8);
    credential = read_text(text, length, &trust);
    assert_int_equal(credential.fault, CREDENTIAL_FAULT_KEY_UNKNOWN);
    assert_checks(&credential, "+.+++-+.");
    trust.count = 0;
    credential = read_text(text, length, &trust);
    assert_checks(&credential, "+.+-....");
}

/* Only where people ask why: what a token says stays beside a fault of key or signature, and nothing beside others. */
static void test_explain(void **state)
{
    struct token_claims claims = wide_claims();
    uint8_t secret_key[64], other_secret[64];
    struct credential_trust trust = trust_for(&claims, secret_key);
    struct credential credential;
    char text[TOKEN_TEXT_BYTES];
    size_t length = (size_t)write_token(&claims, secret_key, text);

    (void)state;
    trust.explain = true;
    credential_read((const uint8_t *)text, length, &trust, &credential);
    assert_int_equal(credential.fault, CREDENTIAL_OK);
    assert_true(credential.is_signed);
    trust.keys[0].until_s = 1;
    credential_read((const uint8_t *)text, length, &trust, &credential);
    assert_int_equal(credential.fault, CREDENTIAL_FAULT_KEY_NOT_VALID);
    assert_false(credential.is_signed);
    assert_string_equal(credential.group, claims.group);
    vector_key(0x60, trust.keys[0].public_key, other_secret);
    credential_read((const uint8_t *)text, length, &trust, &credential);
    assert_int_equal(credential.fault, CREDENTIAL_FAULT_SIGNATURE);
    assert_false(credential.is_signed);
    assert_string_equal(credential.subject, claims.subject);
    assert_string_equal(credential.name, claims.name);
    assert_int_equal(credential.status, claims.status);
    assert_int_equal(credential.expires_at_s, claims.expires_at_s);
    assert_checks(&credential, "+.++-.+.");
    trust.count = 0;
    credential_read((const uint8_t *)text, length, &trust, &credential);
    assert_int_equal(credential.fault, CREDENTIAL_FAULT_KEY_UNKNOWN);
    assert_string_equal(credential.subject, claims.subject);
    text[length - 1] = '~';
    credential_read((const uint8_t *)text, length, &trust, &credential);
    assert_int_equal(credential.fault, CREDENTIAL_FAULT_MALFORMED);
    assert_string_equal(credential.subject, "");
    text[length - 1] = '\0';
    trust.explain = false;
    assert_int_equal(read_text(text, length - 1, &trust).fault, CREDENTIAL_FAULT_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors), cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_size_of_a_short_token), cmocka_unit_test(test_write_refuses),
        cmocka_unit_test(test_every_bit), cmocka_unit_test(test_id_under_rewriting), cmocka_unit_test(test_ids_differ),
        cmocka_unit_test(test_trust_lists), cmocka_unit_test(test_weak_key), cmocka_unit_test(test_foreign_example),
        cmocka_unit_test(test_key_time), cmocka_unit_test(test_overlapping_keys), cmocka_unit_test(test_checks),
        cmocka_unit_test(test_explain),
    };
    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests_name("token", tests, NULL, NULL);
}
