/* Rotating tokens: the made-up vectors, the keys' derivation, every step and bit, the provisioning text. */
#include "tests/unit/vectors.h"

#include <errno.h>

#include "daemon/credential/base45.h"
#include "daemon/credential/cbor_write.h"
#include "daemon/credential/rotating.h"
#include "daemon/credential/token.h"

enum { PREFIX = 4, STEP = 59666666 };
enum { R_WHAT, R_PAYLOAD, R_KIND, R_FAULT, R_DETAIL, R_SUBJECT, R_EXPIRES, R_STEP, R_ID, R_SERIAL, R_COLUMNS };

static void site_key(uint8_t first, uint8_t ret[32])
{
    for (size_t i = 0; i < 32; i++)
        ret[i] = (uint8_t)(first + i);
}

static struct credential_trust site_trust(uint8_t first)
{
    struct credential_trust trust = {.has_rotation_key = true};
    uint8_t key[32];

    site_key(first, key);
    rotating_key_from_site_key(key, trust.rotation_key);
    return trust;
}

/* The holder of the first vector. */
static struct rotating_holder first_holder(void)
{
    static const uint8_t serial[ROTATING_SERIAL_BYTES] = {0xa1, 0xb2, 0xc3, 0xd4, 0xe5, 0xf6, 0x07, 0x18};
    struct rotating_holder holder = {.subject = "cccd:022199012345", .expires_at_s = 1792592000};
    struct credential_trust trust = site_trust(0);

    memcpy(holder.serial, serial, sizeof serial);
    rotating_derive(trust.rotation_key, &holder);
    return holder;
}

static struct credential read_text(const char *text, size_t length, const struct credential_trust *trust)
{
    struct credential credential;

    credential_read((const uint8_t *)text, length, trust, &credential);
    assert_credential_sound(&credential);
    return credential;
}

static void assert_hex(const uint8_t *bytes, size_t count, const char *wanted)
{
    char hex[2 * 64 + 1];

    assert_string_equal(sodium_bin2hex(hex, sizeof hex, bytes, count), wanted);
}

/* The numbers in the head of rotating.tsv, which another program computed. */
static void test_keys(void **state)
{
    static const char provision[] = "QGS1:1XK2FEIPC8UC846OF6OA7746QF60R6FN0$MDSFPJ-0*JK2YOA3TG+0/E7360*VE1443R7 AK-%"
                                    "8-HGAR4/LBKQF*85P.SD G*QH3N8B51HADRRT90";
    struct rotating_holder holder = first_holder(), back;
    struct credential_trust trust = site_trust(0);
    char text[ROTATING_PROVISION_BYTES];

    (void)state;
    assert_hex(trust.rotation_key, 32, "892c353f8c93fc240cf2fcf5fbb64221cbd9b20f0eb8ece03a1f7124ab0a723e");
    assert_hex(holder.secret, 32, "593c21a01a461f81b6246d5adf7b4d291ce4f784f18b32435608d568a8ea3f09");
    assert_int_equal(rotating_provision_write(&holder, text, sizeof text), (int)strlen(provision));
    assert_string_equal(text, provision);
    assert_int_equal(rotating_provision_read(text, &back), 0);
    assert_string_equal(back.subject, holder.subject);
    assert_int_equal(back.expires_at_s, holder.expires_at_s);
    assert_memory_equal(back.serial, holder.serial, sizeof back.serial);
    assert_memory_equal(back.secret, holder.secret, sizeof back.secret);
}

/* What the writer makes of a row's claims is the row's code. */
static void check_writer(char *const columns[R_COLUMNS], const char *payload)
{
    struct credential_trust trust = site_trust(0);
    struct rotating_holder holder = {.expires_at_s = strtoll(columns[R_EXPIRES], NULL, 10)};
    char text[ROTATING_TEXT_BYTES];

    assert_true(strlen(columns[R_SUBJECT]) < sizeof holder.subject);
    strcpy(holder.subject, columns[R_SUBJECT]);
    assert_int_equal(sodium_hex2bin(holder.serial, sizeof holder.serial, columns[R_SERIAL], strlen(columns[R_SERIAL]),
                                    NULL, NULL, NULL), 0);
    rotating_derive(trust.rotation_key, &holder);
    assert_true(rotating_write(&holder, strtoll(columns[R_STEP], NULL, 10), text, sizeof text) > 0);
    assert_string_equal(text, payload);
}

static void check_row(char *const columns[R_COLUMNS], const struct credential_trust *trust)
{
    static uint8_t payload[VECTOR_LINE_BYTES];
    size_t length = vector_unescape(columns[R_PAYLOAD], payload);
    uint8_t *exact = malloc(length); /* of its exact size, so that a sanitizer sees a byte too far */
    char id[2 * CREDENTIAL_TOKEN_ID_BYTES + 1] = "";
    struct credential credential;

    assert_non_null(exact);
    memcpy(exact, payload, length);
    payload[length] = '\0';
    memset(&credential, 0xa5, sizeof credential);
    credential_read(exact, length, trust, &credential);
    free(exact);
    if (strcmp(credential_fault_name(credential.fault), columns[R_FAULT]) != 0 ||
        strcmp(credential_kind_name(credential.kind), columns[R_KIND]) != 0)
        fail_msg("%s: %s, %s (%s)", columns[R_WHAT], credential_kind_name(credential.kind),
                 credential_fault_name(credential.fault), credential.detail);
    if (strstr(credential.detail, vector_text(columns[R_DETAIL])) == NULL)
        fail_msg("%s: detail %s", columns[R_WHAT], credential.detail);
    assert_credential_sound(&credential);
    bool ok = credential.fault == CREDENTIAL_OK;
    if (ok)
        sodium_bin2hex(id, sizeof id, credential.token_id, sizeof credential.token_id);
    assert_string_equal(credential.subject, vector_text(columns[R_SUBJECT]));
    assert_int_equal(credential.expires_at_s, strtoll(columns[R_EXPIRES], NULL, 10));
    assert_int_equal(credential.rotation_step, strtoll(columns[R_STEP], NULL, 10));
    assert_string_equal(id, vector_text(columns[R_ID]));
    assert_int_equal(credential.is_signed, ok);
    assert_false(credential.has_status); /* whatever the holder put in */
    if (columns[R_SERIAL][0] != '-')
        check_writer(columns, (const char *)payload);
}

static void test_vectors(void **state)
{
    static char line[VECTOR_LINE_BYTES];
    struct credential_trust trust = site_trust(0);
    FILE *file = fopen(TESTS_DATA "/credentials/rotating.tsv", "r");
    size_t rows = 0;

    (void)state;
    if (file == NULL)
        fail_msg("rotating.tsv: not there; run from the repo's root");
    while (fgets(line, sizeof line, file) != NULL) {
        char *columns[R_COLUMNS], *rest = line;
        if (line[0] == '#')
            continue;
        line[strcspn(line, "\n")] = '\0';
        for (int i = 0; i < R_COLUMNS; i++) {
            columns[i] = strsep(&rest, "\t");
            assert_non_null(columns[i]);
        }
        check_row(columns, &trust);
        rows++;
    }
    assert_int_equal(fclose(file), 0);
    assert_true(rows >= 125);
}

/* Every step has a code of its own, and all of them one id: what is revoked is the holder, not the moment. */
static void test_steps(void **state)
{
    struct rotating_holder holder = first_holder(), other = holder;
    struct credential_trust trust = site_trust(0);
    char text[ROTATING_TEXT_BYTES], before[ROTATING_TEXT_BYTES] = "";
    uint8_t id[CREDENTIAL_TOKEN_ID_BYTES], other_id[CREDENTIAL_TOKEN_ID_BYTES];

    (void)state;
    rotating_token_id(&holder, id);
    for (int64_t step = STEP - 100; step < STEP + 100; step++) {
        int length = rotating_write(&holder, step, text, sizeof text);
        assert_int_equal(length, (int)strlen(text));
        assert_string_not_equal(text, before);
        strcpy(before, text);
        struct credential credential = read_text(text, (size_t)length, &trust);
        assert_int_equal(credential.fault, CREDENTIAL_OK);
        assert_int_equal(credential.kind, CREDENTIAL_ROTATING_TOKEN);
        assert_int_equal(credential.rotation_step, step);
        assert_memory_equal(credential.token_id, id, sizeof id);
        assert_int_equal(credential.issued_at_s, 0);
    }
    other.serial[7] ^= 1;
    rotating_token_id(&other, other_id);
    assert_memory_not_equal(id, other_id, sizeof id);
    other = holder, other.expires_at_s++;
    rotating_token_id(&other, other_id);
    assert_memory_not_equal(id, other_id, sizeof id);
}

/* Codes of one site's holders at another, and without any site key. */
static void test_whose(void **state)
{
    struct rotating_holder holder = first_holder();
    struct credential_trust trust = site_trust(0), other = site_trust(0x20), none = {.has_rotation_key = false};
    char text[ROTATING_TEXT_BYTES];
    size_t length = (size_t)rotating_write(&holder, STEP, text, sizeof text);

    (void)state;
    assert_int_equal(read_text(text, length, &trust).fault, CREDENTIAL_OK);
    struct credential credential = read_text(text, length, &other);
    assert_int_equal(credential.fault, CREDENTIAL_FAULT_SIGNATURE);
    assert_int_equal(credential.rotation_step, 0);
    assert_int_equal(credential.checks[CHECK_KEY], CHECK_PASSED);
    assert_int_equal(credential.checks[CHECK_SIGNATURE], CHECK_FAILED);
    credential = read_text(text, length, &none);
    assert_int_equal(credential.fault, CREDENTIAL_FAULT_KEY_UNKNOWN);
    assert_int_equal(credential.checks[CHECK_KEY], CHECK_FAILED);
    assert_int_equal(credential.checks[CHECK_SIGNATURE], CHECK_NOT_REACHED);
    assert_int_equal(read_text(text, length, NULL).fault, CREDENTIAL_FAULT_KEY_UNKNOWN);
    none.explain = true;
    credential_read((const uint8_t *)text, length, &none, &credential);
    assert_int_equal(credential.fault, CREDENTIAL_FAULT_KEY_UNKNOWN);
    assert_string_equal(credential.subject, holder.subject);
    assert_int_equal(credential.rotation_step, STEP);
    assert_false(credential.is_signed);
}

/* No changed bit opens anything: what still verifies is the same code written another way. */
static void test_every_bit(void **state)
{
    struct rotating_holder holder = first_holder();
    struct credential_trust trust = site_trust(0);
    char text[ROTATING_TEXT_BYTES], changed[2 * ROTATING_TEXT_BYTES] = "QG1:";
    uint8_t message[ROTATING_TEXT_BYTES];
    size_t length = (size_t)rotating_write(&holder, STEP, text, sizeof text);
    int bytes = base45_decode(text + PREFIX, length - PREFIX, message, sizeof message);
    struct credential original = read_text(text, length, &trust);
    size_t accepted = 0;

    (void)state;
    assert_true(bytes > 0);
    for (size_t bit = 0; bit < (size_t)bytes * 8; bit++) {
        message[bit / 8] ^= (uint8_t)(1u << bit % 8);
        int body = base45_encode(message, (size_t)bytes, changed + PREFIX, sizeof changed - PREFIX);
        struct credential credential = read_text(changed, (size_t)body + PREFIX, &trust);
        if (credential.fault == CREDENTIAL_OK) {
            assert_credential_equal(&credential, &original);
            assert_int_equal(credential.rotation_step, original.rotation_step);
            accepted++;
        }
        message[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_true(accepted <= 1); /* none of the message's bits is free but in tags, and 17 is needed to be recognised */
    for (size_t cut = PREFIX; cut < length; cut++)
        assert_int_not_equal(read_text(text, cut, &trust).fault, CREDENTIAL_OK);
}

static void test_write_refuses(void **state)
{
    static const int64_t steps[] = {0, -1, INT64_MIN, INT64_MAX, TOKEN_TIME_MAX_S / 30 + 1};
    static const int64_t times[] = {0, -1, INT64_MAX, TOKEN_TIME_MAX_S + 1};
    struct rotating_holder good = first_holder(), bad;
    char text[ROTATING_TEXT_BYTES];

    (void)state;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
        assert_int_equal(rotating_write(&good, steps[i], text, sizeof text), -EINVAL);
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        bad = good, bad.expires_at_s = times[i];
        assert_int_equal(rotating_write(&bad, STEP, text, sizeof text), -EINVAL);
        assert_int_equal(rotating_provision_write(&bad, text, sizeof text), -EINVAL);
    }
    bad = good, bad.subject[0] = '\0';
    assert_int_equal(rotating_write(&bad, STEP, text, sizeof text), -EINVAL);
    memset(bad.subject, 's', sizeof bad.subject); /* without an end */
    assert_int_equal(rotating_write(&bad, STEP, text, sizeof text), -EINVAL);
    assert_int_equal(rotating_provision_write(&bad, text, sizeof text), -EINVAL);
    size_t length = (size_t)rotating_write(&good, STEP, text, sizeof text);
    for (size_t room = 0; room <= length; room++)
        assert_int_equal(rotating_write(&good, STEP, text, room), -EMSGSIZE);
    assert_int_equal(rotating_write(&good, STEP, text, length + 1), (int)length);
    memset(bad.subject, 's', sizeof bad.subject - 1), bad.subject[sizeof bad.subject - 1] = '\0';
    bad.expires_at_s = TOKEN_TIME_MAX_S;
    length = (size_t)rotating_write(&bad, TOKEN_TIME_MAX_S / 30, text, sizeof text);
    assert_true(length > 0 && length < ROTATING_TEXT_BYTES); /* the widest has room */
    assert_true(rotating_provision_write(&bad, text, sizeof text) > 0);
}

/* A provisioning text is whole or it is nothing. */
static void test_provision_refuses(void **state)
{
    struct rotating_holder holder = first_holder(), back;
    char text[ROTATING_PROVISION_BYTES], changed[ROTATING_PROVISION_BYTES + 64];
    int length = rotating_provision_write(&holder, text, sizeof text);

    (void)state;
    for (int cut = 0; cut < length; cut++) {
        memcpy(changed, text, (size_t)cut);
        changed[cut] = '\0';
        memset(&back, 0xa5, sizeof back);
        assert_int_equal(rotating_provision_read(changed, &back), -EBADMSG);
        assert_true(bytes_are_zero(&back, sizeof back));
    }
    memset(changed, 'A', sizeof changed - 1), changed[sizeof changed - 1] = '\0';
    memcpy(changed, text, 5);
    assert_int_equal(rotating_provision_read(changed, &back), -EBADMSG);
    assert_true(rotating_write(&holder, STEP, changed, sizeof changed) > 0);
    assert_int_equal(rotating_provision_read(changed, &back), -EBADMSG);
    memcpy(changed, text, (size_t)length + 1);
    changed[0] = 'q';
    assert_int_equal(rotating_provision_read(changed, &back), -EBADMSG);
    struct credential_trust trust = site_trust(0);
    assert_int_equal(read_text(text, (size_t)length, &trust).fault, CREDENTIAL_FAULT_UNSUPPORTED);
}

/* A secret beside a step would be a code's claims with the secret in them: no such thing was ever written by us. */
static void test_provision_claims(void **state)
{
    static const int64_t also[] = {ROTATING_CLAIM_SECRET, ROTATING_CLAIM_STEP};
    struct rotating_holder holder = first_holder(), back;
    char text[ROTATING_PROVISION_BYTES] = "QGS1:";

    (void)state;
    for (size_t count = 0; count <= 2; count++) {
        struct cbor_writer writer = {.used = 0};
        cbor_write_map(&writer, 3 + count);
        cbor_write_int(&writer, ROTATING_CLAIM_SUB), cbor_write_text(&writer, holder.subject);
        cbor_write_int(&writer, ROTATING_CLAIM_EXP), cbor_write_int(&writer, holder.expires_at_s);
        cbor_write_int(&writer, ROTATING_CLAIM_SERIAL), cbor_write_bytes(&writer, holder.serial, sizeof holder.serial);
        for (size_t i = 0; i < count; i++) {
            cbor_write_int(&writer, also[i]);
            if (also[i] == ROTATING_CLAIM_STEP)
                cbor_write_int(&writer, STEP);
            else
                cbor_write_bytes(&writer, holder.secret, sizeof holder.secret);
        }
        assert_false(writer.full);
        assert_true(base45_encode(writer.bytes, writer.used, text + 5, sizeof text - 5) > 0);
        assert_int_equal(rotating_provision_read(text, &back), count == 1 ? 0 : -EBADMSG);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys), cmocka_unit_test(test_vectors), cmocka_unit_test(test_steps),
        cmocka_unit_test(test_whose), cmocka_unit_test(test_every_bit), cmocka_unit_test(test_write_refuses),
        cmocka_unit_test(test_provision_refuses), cmocka_unit_test(test_provision_claims),
    };
    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests_name("rotating", tests, NULL, NULL);
}
