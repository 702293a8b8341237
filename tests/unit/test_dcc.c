/* EU-format health certificates: the made-up vectors as a daemon and as `explain` read them, each bit changed, ids under
 * rewriting, certificates that share a kid. */
#include "tests/unit/vectors.h"

#include <zlib.h>

#include "daemon/credential/base45.h"
#include "daemon/credential/cose.h"
#include "daemon/credential/dcc.h"
#include "daemon/settings/trust_folder.h"

enum { PREFIX = 4, ROWS_LEAST = 300, COLUMNS = VECTOR_COLUMNS + 2, X_CHECKS = VECTOR_COLUMNS, X_HEALTH, HEALTH_BYTES = 512,
       MESSAGE_BYTES = 2048, MANY = 70 };
#define FOLDER TESTS_DATA "/credentials/hc1"

static int load(void **state)
{
    static struct credential_trust trust;

    if (trust_folder_load(FOLDER "/trust", &trust, stderr) < 0)
        return -1;
    *state = &trust;
    return 0;
}

static int unload(void **state)
{
    trust_folder_free(*state);
    return 0;
}

/* ---- rows ---- */

typedef void (*row_function)(char *columns[COLUMNS], const struct credential_trust *trust);

static void each_row(const struct credential_trust *trust, row_function function)
{
    static char line[VECTOR_LINE_BYTES];
    FILE *file = fopen(FOLDER "/hc1.tsv", "r");
    int rows = 0;

    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL) {
        char *columns[COLUMNS], *rest = line;
        if (line[0] == '#')
            continue;
        line[strcspn(line, "\n")] = '\0';
        for (int i = 0; i < COLUMNS; i++) {
            columns[i] = strsep(&rest, "\t");
            assert_non_null(columns[i]);
        }
        function(columns, trust);
        rows++;
    }
    assert_int_equal(fclose(file), 0);
    assert_true(rows >= ROWS_LEAST);
}

static struct credential read_row(char *const columns[COLUMNS], const struct credential_trust *trust)
{
    static uint8_t payload[VECTOR_LINE_BYTES];
    struct credential credential;

    credential_read(payload, vector_unescape(columns[V_PAYLOAD], payload), trust, &credential);
    return credential;
}

static const char *shown(const char *text)
{
    return text[0] == '\0' ? "-" : text;
}

static void describe(const struct health_certificate *h, char text[HEALTH_BYTES])
{
    static const char *const types[] = {"-", "vaccination", "test", "recovery"};
    int used = snprintf(text, HEALTH_BYTES, "%s", types[h->type]);

    if (h->type == HEALTH_NONE)
        return;
    used += snprintf(text + used, HEALTH_BYTES - (size_t)used, " %s %s %s %s", shown(h->country), shown(h->birth_date),
                     h->disease, h->certificate_id);
    assert_true(used < HEALTH_BYTES / 2);
    char *rest = text + used;
    size_t room = HEALTH_BYTES - (size_t)used;
    if (h->type == HEALTH_VACCINATION)
        (void)snprintf(rest, room, " %s %d/%d %lld", h->product, h->dose, h->doses, (long long)h->vaccinated_on_s);
    else if (h->type == HEALTH_TEST)
        (void)snprintf(rest, room, " %s %s %lld", h->test_type, h->detected ? "detected" : "not_detected",
                       (long long)h->sampled_at_s);
    else
        (void)snprintf(rest, room, " %lld %lld %lld", (long long)h->first_positive_s, (long long)h->from_s,
                       (long long)h->until_s);
}

static void check_explained_row(char *columns[COLUMNS], const struct credential_trust *trust)
{
    static const char letters[] = {[CHECK_NOT_REACHED] = '-', [CHECK_PASSED] = 'P', [CHECK_FAILED] = 'F'};
    struct credential_trust explaining = *trust;
    char checks[CREDENTIAL_CHECK_COUNT + 1] = "", health[HEALTH_BYTES];

    explaining.explain = true;
    struct credential credential = read_row(columns, &explaining);
    for (int i = 0; i < CREDENTIAL_CHECK_COUNT; i++)
        checks[i] = letters[credential.checks[i]];
    if (strcmp(checks, columns[X_CHECKS]) != 0)
        fail_msg("%s: checks %s (%s)", columns[V_WHAT], checks, credential.detail);
    if (strcmp(credential_fault_name(credential.fault), columns[V_FAULT]) != 0)
        fail_msg("%s: %s (%s)", columns[V_WHAT], credential_fault_name(credential.fault), credential.detail);
    describe(&credential.health, health);
    if (strcmp(health, columns[X_HEALTH]) != 0)
        fail_msg("%s: %s", columns[V_WHAT], health);
    assert_int_equal(credential.is_signed, credential.fault == CREDENTIAL_OK);
}

/* What a daemon reads where a certificate is good is what is explained of it, and no check is left out. */
static void check_daemon_row(char *columns[COLUMNS], const struct credential_trust *trust)
{
    struct credential credential = read_row(columns, trust);
    char health[HEALTH_BYTES];

    describe(&credential.health, health);
    assert_string_equal(health, credential.fault == CREDENTIAL_OK ? columns[X_HEALTH] : "-");
    if (credential.fault != CREDENTIAL_OK)
        return;
    for (int i = 0; i < CREDENTIAL_CHECK_COUNT; i++)
        assert_int_equal(credential.checks[i], CHECK_PASSED);
    assert_false(bytes_are_zero(credential.token_id, sizeof credential.token_id));
    assert_true(credential.key_from_s > 0 && credential.key_until_s > credential.key_from_s);
}

/* Without any trust nothing is signed by anyone, and what is malformed stays so. */
static void check_untrusted_row(char *columns[COLUMNS], const struct credential_trust *trust)
{
    struct credential credential = read_row(columns, NULL);

    (void)trust;
    assert_credential_sound(&credential);
    if (strcmp(columns[V_FAULT], "malformed") == 0)
        assert_int_equal(credential.fault, CREDENTIAL_FAULT_MALFORMED);
    else if (strcmp(columns[V_FAULT], "unsupported") != 0)
        assert_int_equal(credential.fault, CREDENTIAL_FAULT_KEY_UNKNOWN);
}

static void test_vectors(void **state)
{
    check_vectors_with("hc1/hc1.tsv", ROWS_LEAST, *state);
}

static void test_explained(void **state)
{
    each_row(*state, check_explained_row);
}

static void test_as_a_daemon(void **state)
{
    each_row(*state, check_daemon_row);
}

static void test_untrusted(void **state)
{
    each_row(*state, check_untrusted_row);
}

/* ---- one certificate changed ---- */

struct first_row {
    char payload[VECTOR_LINE_BYTES];
    bool taken;
};
static struct first_row first; /* each_row() has no argument for it */

static void take_first(char *columns[COLUMNS], const struct credential_trust *trust)
{
    (void)trust;
    if (first.taken)
        return;
    first.payload[vector_unescape(columns[V_PAYLOAD], (uint8_t *)first.payload)] = '\0';
    first.taken = true;
}

/* The COSE message of the file's first row. */
static size_t first_message(const struct credential_trust *trust, uint8_t message[MESSAGE_BYTES])
{
    uint8_t packed[MESSAGE_BYTES];
    uLongf length = MESSAGE_BYTES;

    first.taken = false;
    each_row(trust, take_first);
    int packed_bytes = base45_decode(first.payload + PREFIX, strlen(first.payload) - PREFIX, packed, sizeof packed);
    assert_true(packed_bytes > 0);
    assert_int_equal(uncompress(message, &length, packed, (uLong)packed_bytes), Z_OK);
    return length;
}

static struct credential read_message(const uint8_t *message, size_t length, const struct credential_trust *trust)
{
    uint8_t packed[2 * MESSAGE_BYTES];
    char text[4 * MESSAGE_BYTES] = "HC1:";
    uLongf packed_bytes = sizeof packed;
    struct credential credential;

    assert_int_equal(compress2(packed, &packed_bytes, message, length, 0), Z_OK);
    int body = base45_encode(packed, packed_bytes, text + PREFIX, sizeof text - PREFIX);
    assert_true(body > 0);
    credential_read((const uint8_t *)text, (size_t)body + PREFIX, trust, &credential);
    assert_credential_sound(&credential);
    return credential;
}

/* No changed bit anywhere in the message opens anything: what still verifies says the same, under the same id. */
static void test_every_bit(void **state)
{
    uint8_t message[MESSAGE_BYTES];
    size_t length = first_message(*state, message);
    struct credential original = read_message(message, length, *state);

    assert_int_equal(original.fault, CREDENTIAL_OK);
    for (size_t bit = 0; bit < length * 8; bit++) {
        message[bit / 8] ^= (uint8_t)(1u << bit % 8);
        struct credential credential = read_message(message, length, *state);
        if (credential.fault == CREDENTIAL_OK)
            assert_credential_equal(&credential, &original);
        message[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t cut = 0; cut < length; cut++)
        assert_int_equal(read_message(message, cut, *state).fault, CREDENTIAL_FAULT_MALFORMED);
}

/* Tags and unprotected headers may be rewritten by anyone; a revoked certificate must not come back by that. */
static void test_id_under_rewriting(void **state)
{
    static const uint8_t opening[] = {0xd8, 0x3d, 0xd8, 0x12, 0x98, 0x04};
    uint8_t message[MESSAGE_BYTES], other[MESSAGE_BYTES];
    size_t length = first_message(*state, message);
    struct credential original = read_message(message, length, *state);

    struct credential same = read_message(message + 1, length - 1, *state); /* untagged */
    assert_credential_equal(&same, &original);
    memcpy(other, opening, sizeof opening);
    memcpy(other + sizeof opening, message + 2, length - 2);
    same = read_message(other, length - 2 + sizeof opening, *state);
    assert_credential_equal(&same, &original);
}

/* ---- keys ---- */

static struct trust_certificate find_kid_of(const struct credential_trust *trust, const uint8_t *message, size_t length)
{
    struct cose_message cose;

    assert_null(cose_read(message, length, COSE_SIGN1, &cose));
    for (size_t i = 0; i < trust->certificates->count; i++)
        if (memcmp(trust->certificates->certificates[i].kid, cose.kid, TRUST_CERTIFICATE_KID_BYTES) == 0)
            return trust->certificates->certificates[i];
    fail_msg("the signer of the first row is not in the folder");
    return trust->certificates->certificates[0];
}

static struct trust_certificate any_other(const struct credential_trust *trust, const struct trust_certificate *than)
{
    for (size_t i = 0; i < trust->certificates->count; i++) {
        struct trust_certificate one = trust->certificates->certificates[i];
        if (one.cose_alg == than->cose_alg && one.key != than->key) {
            memcpy(one.kid, than->kid, sizeof one.kid);
            return one;
        }
    }
    fail_msg("no other certificate in the folder");
    return *than;
}

static void test_shared_kid(void **state)
{
    const struct credential_trust *all = *state;
    uint8_t message[MESSAGE_BYTES];
    size_t length = first_message(all, message);
    struct trust_certificate right = find_kid_of(all, message, length), wrong = any_other(all, &right), some[MANY];
    struct certificate_trust certificates = {.count = 2, .certificates = some};
    struct credential_trust trust = {.certificates = &certificates};

    right.usage = wrong.usage = 0;
    some[0] = wrong, some[1] = right;
    assert_int_equal(read_message(message, length, &trust).fault, CREDENTIAL_OK);
    some[0] = right, some[1] = wrong;
    assert_int_equal(read_message(message, length, &trust).fault, CREDENTIAL_OK);
    some[0] = some[1] = wrong;
    assert_int_equal(read_message(message, length, &trust).fault, CREDENTIAL_FAULT_SIGNATURE);
    /* It verifies under a key that may not sign it; another of its kid may, but didn't. */
    right.usage = TRUST_USAGE_TEST;
    some[0] = wrong, some[1] = right;
    assert_int_equal(read_message(message, length, &trust).fault, CREDENTIAL_FAULT_KEY_NOT_VALID);
    certificates.count = 0;
    assert_int_equal(read_message(message, length, &trust).fault, CREDENTIAL_FAULT_KEY_UNKNOWN);
}

/* However many share a kid, one code costs a bounded number of verifications. */
static void test_tries_are_bounded(void **state)
{
    const struct credential_trust *all = *state;
    uint8_t message[MESSAGE_BYTES];
    size_t length = first_message(all, message);
    struct trust_certificate right = find_kid_of(all, message, length), some[MANY];
    struct certificate_trust certificates = {.count = MANY, .certificates = some};
    struct credential_trust trust = {.certificates = &certificates};

    for (size_t i = 0; i < MANY; i++)
        some[i] = any_other(all, &right);
    some[63] = right;
    assert_int_equal(read_message(message, length, &trust).fault, CREDENTIAL_OK);
    some[63] = some[0], some[64] = right;
    assert_int_equal(read_message(message, length, &trust).fault, CREDENTIAL_FAULT_SIGNATURE);
}

static void test_recognised(void **state)
{
    (void)state;
    assert_true(dcc_recognises((const uint8_t *)"HC1:", 4));
    assert_false(dcc_recognises((const uint8_t *)"HC1:", 3));
    assert_false(dcc_recognises((const uint8_t *)"HC11", 4));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors), cmocka_unit_test(test_explained), cmocka_unit_test(test_as_a_daemon),
        cmocka_unit_test(test_untrusted), cmocka_unit_test(test_every_bit), cmocka_unit_test(test_id_under_rewriting),
        cmocka_unit_test(test_shared_kid), cmocka_unit_test(test_tries_are_bounded), cmocka_unit_test(test_recognised),
    };
    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests_name("dcc", tests, load, unload);
}
