/* Reads tests/data/credentials/NAME.tsv and holds credential_read() to each of its rows; shared by the tests of
 * daemon/credential, which run from the repo's root. */
#ifndef TESTS_VECTORS_H
#define TESTS_VECTORS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/credential/credential.h"
#include "daemon/credential/utf8.h"

#ifndef TESTS_DATA
#define TESTS_DATA "tests/data"
#endif

/* The last two columns may be left out of a row: what they would hold is then not looked at. */
enum { VECTOR_LINE_BYTES = 40000, VECTOR_COLUMNS = 13, VECTOR_COLUMNS_LEAST = 11 };
enum { V_WHAT, V_PAYLOAD, V_KIND, V_FAULT, V_DETAIL, V_SUBJECT, V_NAME, V_STATUS, V_ISSUED, V_EXPIRES, V_WARNINGS,
       V_ALIASES /* "a b" */, V_NAME_COMPARE };

/* Secret key whose seed is `first`, `first` + 1, … as the files say. */
static inline void vector_key(uint8_t first, uint8_t public_key[32], uint8_t secret_key[64])
{
    uint8_t seed[32];

    for (size_t i = 0; i < sizeof seed; i++)
        seed[i] = (uint8_t)(first + i);
    assert_int_equal(crypto_sign_seed_keypair(public_key, secret_key, seed), 0);
}

static inline struct credential_trust vector_trust(void)
{
    struct credential_trust trust = {.count = 3}; /* the third has no kid */
    uint8_t secret_key[64];

    trust.keys[0] = (struct credential_trust_key){.kid = "qg01", .kid_bytes = 4, .issuer = "gate.example"};
    vector_key(0x00, trust.keys[0].public_key, secret_key);
    trust.keys[1] = (struct credential_trust_key){.kid = "any1", .kid_bytes = 4};
    vector_key(0x20, trust.keys[1].public_key, secret_key);
    vector_key(0x00, trust.keys[2].public_key, secret_key);
    return trust;
}

static inline size_t vector_unescape(const char *text, uint8_t *dst)
{
    size_t used = 0;

    for (const char *at = text; *at != '\0';) {
        unsigned byte;
        if (at[0] == '\\') {
            assert_int_equal(sscanf(at, "\\x%2x", &byte), 1);
            dst[used++] = (uint8_t)byte;
            at += 4;
        } else {
            dst[used++] = (uint8_t)*at++;
        }
    }
    return used;
}

static inline bool bytes_are_zero(const void *bytes, size_t count)
{
    const uint8_t *at = bytes;

    for (size_t i = 0; i < count; i++)
        if (at[i] != 0)
            return false;
    return true;
}

/* What holds for every credential, whatever was read. */
static inline void assert_credential_sound(const struct credential *credential)
{
    assert_true((unsigned)credential->kind < CREDENTIAL_KIND_COUNT);
    assert_true((unsigned)credential->fault < CREDENTIAL_FAULT_COUNT);
    assert_non_null(memchr(credential->detail, '\0', sizeof credential->detail));
    assert_non_null(memchr(credential->subject, '\0', sizeof credential->subject));
    assert_non_null(memchr(credential->name, '\0', sizeof credential->name));
    assert_true(utf8_plain((const uint8_t *)credential->name, strlen(credential->name)));
    assert_non_null(memchr(credential->name_compare, '\0', sizeof credential->name_compare));
    assert_true(utf8_plain((const uint8_t *)credential->name_compare, strlen(credential->name_compare)));
    for (int i = 0; i < CREDENTIAL_ALIASES_MAX; i++) {
        assert_non_null(memchr(credential->aliases[i], '\0', sizeof credential->aliases[i]));
        if (credential->aliases[i][0] != '\0')
            assert_string_not_equal(credential->aliases[i], credential->subject);
    }
    for (int check = 0; check < CREDENTIAL_CHECK_COUNT; check++) {
        assert_true(credential->checks[check] <= CHECK_FAILED);
        if (credential->fault == CREDENTIAL_OK)
            assert_int_not_equal(credential->checks[check], CHECK_FAILED);
    }
    if (credential->fault == CREDENTIAL_OK) {
        bool masked = (credential->warnings & CREDENTIAL_WARN_MASKED) != 0;
        if (!masked || credential->kind != CREDENTIAL_PERSONAL_CODE)
            assert_string_not_equal(credential->subject, "");
        assert_string_equal(credential->detail, "");
        return;
    }
    assert_string_not_equal(credential->detail, "");
    assert_true(strlen(credential->detail) < sizeof credential->detail - 1); /* none was cut */
    assert_true(bytes_are_zero(credential->subject, sizeof credential->subject));
    assert_true(bytes_are_zero(credential->name, sizeof credential->name));
    assert_true(bytes_are_zero(credential->token_id, sizeof credential->token_id));
    assert_false(credential->has_status);
    assert_int_equal(credential->status, STATUS_NONE);
    assert_int_equal(credential->issued_at_s, 0);
    assert_int_equal(credential->expires_at_s, 0);
    assert_int_equal(credential->warnings, 0);
    assert_false(credential->is_signed);
    assert_true(bytes_are_zero(credential->aliases, sizeof credential->aliases));
    assert_true(bytes_are_zero(credential->name_compare, sizeof credential->name_compare));
    assert_true(bytes_are_zero(credential->group, sizeof credential->group));
    assert_true(bytes_are_zero(&credential->health, sizeof credential->health));
    assert_true(credential->key_from_s == 0 && credential->key_until_s == 0 && credential->rotation_step == 0);
}

static inline void assert_credential_equal(const struct credential *a, const struct credential *b)
{
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->fault, b->fault);
    assert_string_equal(a->detail, b->detail);
    assert_memory_equal(a->subject, b->subject, sizeof a->subject);
    assert_memory_equal(a->name, b->name, sizeof a->name);
    assert_int_equal(a->has_status, b->has_status);
    assert_int_equal(a->status, b->status);
    assert_int_equal(a->issued_at_s, b->issued_at_s);
    assert_int_equal(a->expires_at_s, b->expires_at_s);
    assert_memory_equal(a->token_id, b->token_id, sizeof a->token_id);
    assert_int_equal(a->warnings, b->warnings);
    assert_memory_equal(a->aliases, b->aliases, sizeof a->aliases);
    assert_memory_equal(a->name_compare, b->name_compare, sizeof a->name_compare);
    assert_memory_equal(a->checks, b->checks, sizeof a->checks);
}

static inline const char *vector_text(const char *column)
{
    return strcmp(column, "-") == 0 ? "" : column;
}

/* "a b" of the credential's aliases, in their order. */
static inline void check_aliases(const struct credential *credential, const char *wanted)
{
    char got[CREDENTIAL_ALIASES_MAX * CREDENTIAL_SUBJECT_BYTES] = "";

    for (int i = 0; i < CREDENTIAL_ALIASES_MAX && credential->aliases[i][0] != '\0'; i++) {
        if (i > 0)
            strcat(got, " ");
        strcat(got, credential->aliases[i]);
    }
    assert_string_equal(got, wanted);
}

/* Which kinds may carry a status or an id: a site token always does. */
static inline void check_what_kind_has(const struct credential *credential)
{
    bool ok = credential->fault == CREDENTIAL_OK, has_id = !bytes_are_zero(credential->token_id, 16);

    assert_int_equal(credential->has_status, ok && credential->kind == CREDENTIAL_SITE_TOKEN);
    switch (credential->kind) {
    case CREDENTIAL_SITE_TOKEN: case CREDENTIAL_ROTATING_TOKEN:
        assert_int_equal(has_id, ok);
        assert_int_equal(credential->is_signed, ok);
        break;
    case CREDENTIAL_HEALTH_CERTIFICATE:
        assert_int_equal(credential->is_signed, ok);
        break;
    case CREDENTIAL_CCCD: case CREDENTIAL_PERSONAL_CODE: case CREDENTIAL_BHYT:
        assert_int_equal(credential->checks[CHECK_SCHEMA], ok ? CHECK_PASSED : CHECK_FAILED);
        assert_false(has_id || credential->is_signed);
        break;
    default:
        assert_false(has_id || credential->is_signed || ok);
        break;
    }
}

static inline void check_vector(char *const columns[VECTOR_COLUMNS], const struct credential_trust *trust)
{
    static uint8_t payload[VECTOR_LINE_BYTES];
    uint8_t *exact;
    struct credential credential;
    size_t length = vector_unescape(columns[V_PAYLOAD], payload);
    char name[4 * CREDENTIAL_NAME_BYTES];

    exact = malloc(length > 0 ? length : 1); /* of its exact size, so that a sanitizer sees a byte too far */
    assert_non_null(exact);
    memcpy(exact, payload, length);
    memset(&credential, 0xa5, sizeof credential);
    credential_read(exact, length, trust, &credential);
    free(exact);

    if (strcmp(credential_fault_name(credential.fault), columns[V_FAULT]) != 0)
        fail_msg("%s: %s (%s)", columns[V_WHAT], credential_fault_name(credential.fault), credential.detail);
    if (strstr(credential.detail, vector_text(columns[V_DETAIL])) == NULL)
        fail_msg("%s: detail %s", columns[V_WHAT], credential.detail);
    assert_credential_sound(&credential);
    if (strcmp(credential_kind_name(credential.kind), columns[V_KIND]) != 0)
        fail_msg("%s: taken for %s", columns[V_WHAT], credential_kind_name(credential.kind));
    assert_string_equal(credential.subject, vector_text(columns[V_SUBJECT]));
    name[vector_unescape(vector_text(columns[V_NAME]), (uint8_t *)name)] = '\0';
    assert_string_equal(credential.name, name);
    assert_string_equal(declaration_status_name(credential.status), columns[V_STATUS]);
    assert_int_equal(credential.issued_at_s, strtoll(columns[V_ISSUED], NULL, 10));
    assert_int_equal(credential.expires_at_s, strtoll(columns[V_EXPIRES], NULL, 10));
    if (credential.warnings != strtoul(columns[V_WARNINGS], NULL, 10))
        fail_msg("%s: warnings %u", columns[V_WHAT], credential.warnings);
    if (columns[V_ALIASES] != NULL)
        check_aliases(&credential, vector_text(columns[V_ALIASES]));
    if (columns[V_NAME_COMPARE] != NULL)
        assert_string_equal(credential.name_compare, vector_text(columns[V_NAME_COMPARE]));
    check_what_kind_has(&credential);
}

/* Checks every row; fails when there are fewer than `least_rows`, so that an empty file is no success. */
static inline void check_vectors_with(const char *name, size_t least_rows, const struct credential_trust *trust)
{
    static char line[VECTOR_LINE_BYTES];
    char path[256];
    size_t rows = 0;

    assert_true(snprintf(path, sizeof path, "%s/credentials/%s", TESTS_DATA, name) < (int)sizeof path);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        fail_msg("%s: not there; run from the repo's root", path);
    while (fgets(line, sizeof line, file) != NULL) {
        char *columns[VECTOR_COLUMNS], *rest = line;
        if (line[0] == '#')
            continue;
        line[strcspn(line, "\n")] = '\0';
        for (int i = 0; i < VECTOR_COLUMNS; i++) {
            columns[i] = strsep(&rest, "\t"); /* NULL behind the last one */
            assert_true(columns[i] != NULL || i >= VECTOR_COLUMNS_LEAST);
        }
        check_vector(columns, trust);
        rows++;
    }
    assert_int_equal(fclose(file), 0);
    assert_true(rows >= least_rows);
}

static inline void check_vectors(const char *name, size_t least_rows)
{
    struct credential_trust trust = vector_trust();

    check_vectors_with(name, least_rows, &trust);
}

#endif
