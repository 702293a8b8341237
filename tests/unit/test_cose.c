/* COSE as its readers share it: both kinds, what is strict for a site's own algorithms and lenient for the EU's, the signed
 * structures, and verifying with keys of another kind. Whole tokens and certificates are in test_token, test_rotating and
 * test_dcc. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <sodium.h>
#include <string.h>

#include "daemon/credential/cbor_read.h"
#include "daemon/credential/cose.h"

enum { BYTES = 1024 };

struct built {
    uint8_t bytes[BYTES];
    size_t length;
};

static void put(struct built *built, const void *bytes, size_t length)
{
    assert_true(built->length + length <= sizeof built->bytes);
    if (length > 0)
        memcpy(built->bytes + built->length, bytes, length);
    built->length += length;
}

static void put_bytes(struct built *built, const void *bytes, size_t length)
{
    const uint8_t head[] = {0x59, (uint8_t)(length >> 8), (uint8_t)length};

    put(built, head, sizeof head);
    put(built, bytes, length);
}

/* An array of four behind `opening`; `unprotected` is CBOR already, the payload "x". */
static struct built build(const char *opening, const char *header, size_t header_bytes, const char *unprotected,
                          const uint8_t *signature, size_t signature_bytes)
{
    struct built built = {.length = 0};

    put(&built, opening, strlen(opening));
    put(&built, "\x84", 1);
    put_bytes(&built, header, header_bytes);
    put(&built, unprotected, strlen(unprotected));
    put_bytes(&built, "x", 1);
    put_bytes(&built, signature, signature_bytes);
    return built;
}

static const uint8_t zeros[COSE_SIGNATURE_MAX_BYTES + 1];

/* ---- what is read ---- */

/* alg -8, -7, -37, 5 */
#define EDDSA "\xa1\x01\x27"
#define ES256 "\xa1\x01\x26"
#define PS256 "\xa1\x01\x38\x24"
#define HMAC "\xa1\x01\x05"
#define HEADER(text) text, sizeof text - 1

static void test_reading(void **state)
{
    static const struct {
        const char *what, *opening, *header;
        size_t header_bytes;
        const char *unprotected;
        size_t signature_bytes;
        enum cose_kind kind;
        const char *wrong; /* NULL: read */
    } cases[] = {
        {"EdDSA", "\xd2", HEADER(EDDSA), "\xa0", 64, COSE_SIGN1, NULL},
        {"EdDSA, tag twice", "\xd2\xd2", HEADER(EDDSA), "\xa0", 64, COSE_SIGN1, "tag"},
        {"EdDSA, alg unprotected", "", HEADER("\xa0"), EDDSA, 64, COSE_SIGN1, "protected header only"},
        {"EdDSA, alg in both", "", HEADER(EDDSA), EDDSA, 64, COSE_SIGN1, "protected header only"},
        {"EdDSA, kid in both", "", HEADER("\xa2\x01\x27\x04\x41k"), "\xa1\x04\x41k", 64, COSE_SIGN1, "kid"},
        {"EdDSA, 63 bytes", "", HEADER(EDDSA), "\xa0", 63, COSE_SIGN1, "64"},
        {"ES256, tag twice", "\xd2\xd2", HEADER(ES256), "\xa0", 64, COSE_SIGN1, NULL},
        {"ES256, three tags", "\xd2\xd2\xd2", HEADER(ES256), "\xa0", 64, COSE_SIGN1, "array of 4"},
        {"ES256, tags 61 and 18", "\xd8\x3d\xd2", HEADER(ES256), "\xa0", 64, COSE_SIGN1, NULL},
        {"ES256, kid in both", "", HEADER("\xa2\x01\x26\x04\x41k"), "\xa1\x04\x41j", 64, COSE_SIGN1, NULL},
        {"ES256, any length", "", HEADER(ES256), "\xa0", 1, COSE_SIGN1, NULL},
        {"PS256 unprotected, no header", "", HEADER(""), PS256, 512, COSE_SIGN1, NULL},
        {"PS256, too long", "", HEADER(PS256), "\xa0", 513, COSE_SIGN1, "512"},
        {"no alg", "", HEADER(""), "\xa0", 64, COSE_SIGN1, "alg: missing"},
        {"HMAC", "\xd1", HEADER(HMAC), "\xa0", 32, COSE_MAC0, NULL},
        {"HMAC, tags 61 and 17", "\xd8\x3d\xd1", HEADER(HMAC), "\xa0", 32, COSE_MAC0, NULL},
        {"HMAC, untagged", "", HEADER(HMAC), "\xa0", 32, COSE_MAC0, NULL},
        {"HMAC, tag twice", "\xd1\xd1", HEADER(HMAC), "\xa0", 32, COSE_MAC0, "tag"},
        {"HMAC, alg unprotected", "", HEADER(""), HMAC, 32, COSE_MAC0, "protected header only"},
        {"HMAC, 31 bytes", "", HEADER(HMAC), "\xa0", 31, COSE_MAC0, "32"},
        {"HMAC behind Sign1's tag", "\xd2", HEADER(HMAC), "\xa0", 32, COSE_MAC0, "tag 17"},
        {"EdDSA behind Mac0's tag", "\xd1", HEADER(EDDSA), "\xa0", 64, COSE_SIGN1, "tag 18"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct built built = build(cases[i].opening, cases[i].header, cases[i].header_bytes, cases[i].unprotected, zeros,
                                   cases[i].signature_bytes);
        struct cose_message message;
        const char *wrong = cose_read(built.bytes, built.length, cases[i].kind, &message);
        if (cases[i].wrong == NULL ? wrong != NULL : wrong == NULL || strstr(wrong, cases[i].wrong) == NULL)
            fail_msg("%s: %s", cases[i].what, wrong == NULL ? "read" : wrong);
        if (wrong != NULL)
            continue;
        assert_int_equal(message.kind, cases[i].kind);
        assert_int_equal(message.signature_bytes, cases[i].signature_bytes);
        assert_int_equal(message.payload_bytes, 1);
        if (message.kid_bytes > 0)
            assert_int_equal(message.kid[0], 'k'); /* the protected one */
    }
}

static void test_too_long(void **state)
{
    static uint8_t bytes[COSE_MESSAGE_MAX_BYTES + 1];
    struct cose_message message;

    (void)state;
    assert_non_null(strstr(cose_read(bytes, sizeof bytes, COSE_SIGN1, &message), "32768"));
}

/* ---- what is signed ---- */

static void test_structures(void **state)
{
    static const uint8_t sign[] = {0x84, 0x6a, 'S', 'i', 'g', 'n', 'a', 't', 'u', 'r', 'e', '1', 0x43, 0xa1, 0x01, 0x26,
                                   0x40, 0x41, 'x'};
    static const uint8_t mac[] = {0x84, 0x64, 'M', 'A', 'C', '0', 0x43, 0xa1, 0x01, 0x05, 0x40, 0x41, 'x'};
    static const uint8_t no_header[] = {0x84, 0x6a, 'S', 'i', 'g', 'n', 'a', 't', 'u', 'r', 'e', '1', 0x40, 0x40, 0x41, 'x'};
    struct built built = build("", HEADER(ES256), "\xa0", zeros, 64);
    struct cose_message message;
    uint8_t bytes[BYTES];

    (void)state;
    assert_null(cose_read(built.bytes, built.length, COSE_SIGN1, &message));
    assert_int_equal(cose_to_be_signed(&message, bytes, sizeof bytes), sizeof sign);
    assert_memory_equal(bytes, sign, sizeof sign);
    for (size_t room = 0; room < sizeof sign; room++)
        assert_int_equal(cose_to_be_signed(&message, bytes, room), -EMSGSIZE);
    built = build("", HEADER(HMAC), "\xa0", zeros, 32);
    assert_null(cose_read(built.bytes, built.length, COSE_MAC0, &message));
    assert_int_equal(cose_to_be_signed(&message, bytes, sizeof bytes), sizeof mac);
    assert_memory_equal(bytes, mac, sizeof mac);
    built = build("", HEADER("\xa0"), ES256, zeros, 64); /* an empty map is signed as no bytes */
    assert_null(cose_read(built.bytes, built.length, COSE_SIGN1, &message));
    assert_int_equal(cose_to_be_signed(&message, bytes, sizeof bytes), sizeof no_header);
    assert_memory_equal(bytes, no_header, sizeof no_header);
}

/* ---- verifying ---- */

static void test_hmac(void **state)
{
    static const uint8_t key[32] = {1, 2, 3}, other_key[32] = {1, 2, 4}, signed_bytes[] = "signed";
    uint8_t mac[32];
    struct cose_message message = {.kind = COSE_MAC0, .alg = COSE_ALG_HMAC256, .signature = mac, .signature_bytes = 32};

    (void)state;
    assert_int_equal(crypto_auth_hmacsha256(mac, signed_bytes, sizeof signed_bytes, key), 0);
    assert_true(cose_verify_hmac(signed_bytes, sizeof signed_bytes, &message, key));
    assert_false(cose_verify_hmac(signed_bytes, sizeof signed_bytes - 1, &message, key));
    assert_false(cose_verify_hmac(signed_bytes, sizeof signed_bytes, &message, other_key));
    message.signature_bytes = 31;
    assert_false(cose_verify_hmac(signed_bytes, sizeof signed_bytes, &message, key));
    message.signature_bytes = 32;
    message.alg = COSE_ALG_EDDSA;
    assert_false(cose_verify_hmac(signed_bytes, sizeof signed_bytes, &message, key));
    assert_false(cose_verify_eddsa(signed_bytes, sizeof signed_bytes, &message, key)); /* 32 bytes are no signature */
}

static int sign(EVP_PKEY *key, int salt, const uint8_t *bytes, size_t length, uint8_t *signature, size_t *signature_bytes)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *key_context;
    int result = context != NULL ? EVP_DigestSignInit_ex(context, &key_context, "SHA256", NULL, NULL, key, NULL) : 0;

    if (result == 1 && salt >= 0)
        result = EVP_PKEY_CTX_set_rsa_padding(key_context, RSA_PKCS1_PSS_PADDING) > 0 &&
                 EVP_PKEY_CTX_set_rsa_pss_saltlen(key_context, salt) > 0;
    if (result == 1)
        result = EVP_DigestSign(context, signature, signature_bytes, bytes, length);
    EVP_MD_CTX_free(context);
    return result;
}

static void test_ps256(void **state)
{
    static const uint8_t bytes[] = "signed";
    EVP_PKEY *key = EVP_RSA_gen(2048), *ec = EVP_EC_gen("P-256");
    uint8_t signature[COSE_SIGNATURE_MAX_BYTES];
    size_t length = sizeof signature;
    struct cose_message message = {.alg = COSE_ALG_PS256, .signature = signature};

    (void)state;
    assert_true(key != NULL && ec != NULL);
    assert_int_equal(sign(key, 32, bytes, sizeof bytes, signature, &length), 1);
    message.signature_bytes = length;
    assert_true(cose_verify_openssl(bytes, sizeof bytes, &message, key, COSE_ALG_PS256));
    assert_false(cose_verify_openssl(bytes, sizeof bytes - 1, &message, key, COSE_ALG_PS256));
    assert_false(cose_verify_openssl(bytes, sizeof bytes, &message, key, COSE_ALG_ES256));
    assert_false(cose_verify_openssl(bytes, sizeof bytes, &message, ec, COSE_ALG_PS256));
    message.signature_bytes--;
    assert_false(cose_verify_openssl(bytes, sizeof bytes, &message, key, COSE_ALG_PS256));
    length = sizeof signature;
    assert_int_equal(sign(key, 20, bytes, sizeof bytes, signature, &length), 1); /* another salt */
    message.signature_bytes = length;
    assert_false(cose_verify_openssl(bytes, sizeof bytes, &message, key, COSE_ALG_PS256));
    EVP_PKEY_free(key);
    EVP_PKEY_free(ec);
}

/* r and s out of OpenSSL's DER, each of 32 bytes. */
static void from_der(const uint8_t *der, size_t length, uint8_t ret[64])
{
    const unsigned char *at = der;
    ECDSA_SIG *parts = d2i_ECDSA_SIG(NULL, &at, (long)length);

    assert_non_null(parts);
    assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_r(parts), ret, 32), 32);
    assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_s(parts), ret + 32, 32), 32);
    ECDSA_SIG_free(parts);
}

/* Often enough that halves with a leading zero and with the highest bit set are among them. */
static void test_es256(void **state)
{
    EVP_PKEY *key = EVP_EC_gen("P-256"), *rsa = EVP_RSA_gen(2048);
    uint8_t der[COSE_SIGNATURE_MAX_BYTES], signature[64];
    struct cose_message message = {.alg = COSE_ALG_ES256, .signature = signature, .signature_bytes = 64};
    int zeros_seen = 0;

    (void)state;
    assert_true(key != NULL && rsa != NULL);
    for (uint32_t i = 0; i < 2000 || (zeros_seen < 2 && i < 100000); i++) {
        size_t length = sizeof der;
        assert_int_equal(sign(key, -1, (const uint8_t *)&i, sizeof i, der, &length), 1);
        from_der(der, length, signature);
        zeros_seen += signature[0] == 0 || signature[32] == 0;
        assert_true(cose_verify_openssl((const uint8_t *)&i, sizeof i, &message, key, COSE_ALG_ES256));
    }
    assert_true(zeros_seen >= 2);
    signature[63] ^= 1;
    assert_false(cose_verify_openssl((const uint8_t *)"x", 1, &message, key, COSE_ALG_ES256));
    assert_false(cose_verify_openssl((const uint8_t *)"x", 1, &message, rsa, COSE_ALG_ES256));
    memset(signature, 0, sizeof signature);
    assert_false(cose_verify_openssl((const uint8_t *)"x", 1, &message, key, COSE_ALG_ES256));
    memset(signature, 0xff, sizeof signature);
    assert_false(cose_verify_openssl((const uint8_t *)"x", 1, &message, key, COSE_ALG_ES256));
    message.alg = COSE_ALG_EDDSA;
    assert_false(cose_verify_openssl((const uint8_t *)"x", 1, &message, key, COSE_ALG_EDDSA));
    EVP_PKEY_free(key);
    EVP_PKEY_free(rsa);
}

/* ---- arrays and maps of indefinite length ---- */

static void test_indefinite(void **state)
{
    static const struct {
        const char *bytes;
        size_t length;
        bool strict, lenient;
    } cases[] = {
        {"\x83\x01\x02\x03", 4, true, true}, {"\x9f\x01\x02\xff", 4, false, true}, {"\xbf\x01\x02\xff", 4, false, true},
        {"\x9f\xff", 2, false, true}, {"\x9f\x9f\xbf\xff\xff\xff", 6, false, true}, {"\x9f\x01", 2, false, false},
        {"\xbf\x01\xff", 3, false, false}, {"\xbf\x01\x02\x01\x03\xff", 6, false, false}, {"\xff", 1, false, false},
        {"\x81\xff", 2, false, false}, {"\x7f\x61x\xff", 4, false, false}, {"\x5f\x41x\xff", 4, false, false},
        {"\x9b\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10, false, false},
        {"\x9b\xff\xff\xff\xff\xff\xff\xff\xff\xff", 10, false, false},
        {"\x9f\x9f\x9f\x9f\x9f\xff\xff\xff\xff\xff", 10, false, false}, /* too deep */
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cbor_reader strict = {.bytes = (const uint8_t *)cases[i].bytes, .length_bytes = cases[i].length};
        struct cbor_reader lenient = strict;
        lenient.allow_indefinite = true;
        bool strict_read = cbor_read_skip(&strict, 0) == 0, lenient_read = cbor_read_skip(&lenient, 0) == 0;
        if (strict_read != cases[i].strict || lenient_read != cases[i].lenient)
            fail_msg("case %zu: %d, %d", i, strict_read, lenient_read);
        if (lenient_read)
            assert_true(cbor_read_ended(&lenient));
    }
}

static void test_simple_values(void **state)
{
    static const uint8_t bytes[] = {0xf4, 0xf5, 0xf6, 0xf7};
    struct cbor_reader reader = {.bytes = bytes, .length_bytes = sizeof bytes};

    (void)state;
    for (uint64_t simple = CBOR_READ_FALSE; simple <= CBOR_READ_UNDEFINED; simple++) {
        struct cbor_value value;
        assert_int_equal(cbor_read_next(&reader, &value), 0);
        assert_int_equal(value.kind, CBOR_READ_SIMPLE);
        assert_int_equal(value.number, simple);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reading), cmocka_unit_test(test_too_long), cmocka_unit_test(test_structures),
        cmocka_unit_test(test_hmac), cmocka_unit_test(test_ps256), cmocka_unit_test(test_es256),
        cmocka_unit_test(test_indefinite), cmocka_unit_test(test_simple_values),
    };
    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests_name("cose", tests, NULL, NULL);
}
