/* The register of declarations, and the files of keys beside it: site key and trust folder. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <ftw.h>
#include <sodium.h>
#include <sqlite3.h>

#include "daemon/journal/database.h"
#include "daemon/journal/register.h"
#include "daemon/journal/register_row.h"
#include "daemon/settings/key_file.h"
#include "daemon/settings/site_key.h"
#include "daemon/settings/trust_folder.h"

struct fixture {
    char folder[64];
    sqlite3 *db;
    struct register_writer writer;
};

static char *in_folder(const struct fixture *f, const char *name, char path[128])
{
    (void)snprintf(path, 128, "%s/%s", f->folder, name);
    return path;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    char path[128], why[256];
    assert_non_null(f);
    (void)strcpy(f->folder, "/tmp/qrgate-register-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    assert_true(sodium_init() >= 0);
    if (database_open(in_folder(f, "j.db", path), &f->db, why, sizeof(why)) != 0)
        fail_msg("%s", why);
    const uint8_t key[32] = { 0x5a };
    if (register_writer_open(f->db, key, &f->writer) != 0)
        fail_msg("%s", sqlite3_errmsg(f->db));
    *state = f;
    return 0;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *place)
{
    (void)status, (void)type, (void)place;
    return remove(path);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    register_writer_close(&f->writer);
    assert_int_equal(sqlite3_close(f->db), SQLITE_OK); /* no statement was forgotten */
    (void)nftw(f->folder, remove_one, 4, FTW_DEPTH | FTW_PHYS);
    free(f);
    return 0;
}

static void person_is_the_keyed_hash(void **state)
{
    /* RFC 4231 has no 32-byte key; this value is Python's hmac over the same bytes. */
    uint8_t key[32], other_key[32] = { 0 };
    char person[JOURNAL_ID_BYTES], again[JOURNAL_ID_BYTES];
    (void)state;
    for (int i = 0; i < 32; i++)
        key[i] = (uint8_t)i;
    register_person(key, "cccd:022199012345", person);
    assert_string_equal(person, "39266480f6047697c1029708778aef18");
    register_person(key, "cccd:022199012345", again);
    assert_string_equal(person, again);
    register_person(key, "cccd:022199012346", again);
    assert_string_not_equal(person, again);
    register_person(other_key, "cccd:022199012345", again);
    assert_string_not_equal(person, again);
}

/* ---- declarations ------------------------------------------------------------------------------------------------ */

#define P "00112233445566778899aabbccddeeff"
#define Q "ffeeddccbbaa99887766554433221100"
#define CITIZEN "cccd:022199012345"
#define INSURED "bhyt:0123456789"
#define OLD_ID "cmnd:100200300"

static struct declared declared_person(const char *person, enum declaration_status status, int64_t at_s)
{
    struct declared declared = { .source = "manual", .declaration = { .status = status, .declared_at_s = at_s } };
    (void)strcpy(declared.person, person);
    return declared;
}

static struct declared declared_numbers(const char *a, const char *b, const char *c, enum declaration_status status,
                                        int64_t at_s)
{
    struct declared declared = declared_person("", status, at_s);
    const char *const numbers[] = { a, b, c };
    for (int i = 0; i < 3; i++)
        /* the first place is left out: any may be */
        (void)snprintf(declared.identities[i + 1], CREDENTIAL_SUBJECT_BYTES, "%s", numbers[i]);
    return declared;
}

static bool write_it(struct fixture *f, const struct declared *declared)
{
    bool taken = false;
    const int error = register_write(&f->writer, declared, &taken);
    if (error != 0)
        fail_msg("%s", strerror(-error));
    return taken;
}

static bool write_numbers(struct fixture *f, const char *a, const char *b, const char *c, enum declaration_status status,
                          int64_t at_s)
{
    const struct declared declared = declared_numbers(a, b, c, status, at_s);
    return write_it(f, &declared);
}

static bool write_person(struct fixture *f, const char *person, enum declaration_status status, int64_t at_s)
{
    const struct declared declared = declared_person(person, status, at_s);
    return write_it(f, &declared);
}

static void hash_of(const struct fixture *f, const char *number, char ret[JOURNAL_ID_BYTES])
{
    register_person(f->writer.site_key, number, ret);
}

/* What the register says of the person that a number leads to. */
static enum declaration_status status_of(struct fixture *f, const char *number, int64_t *ret_at_s)
{
    struct declaration found;
    char hash[JOURNAL_ID_BYTES], person[JOURNAL_ID_BYTES];
    hash_of(f, number, hash);
    assert_int_equal(register_resolve(&f->writer, hash, person), 0);
    assert_int_equal(register_find(&f->writer, person, &found), 0);
    if (ret_at_s)
        *ret_at_s = found.declared_at_s;
    return found.status;
}

static int64_t number_in(struct fixture *f, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    assert_int_equal(sqlite3_prepare_v2(f->db, sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    const int64_t number = sqlite3_column_int64(statement, 0);
    (void)sqlite3_finalize(statement);
    return number;
}

static int64_t everything(struct fixture *f) /* a number that every write changes */
{
    return number_in(f, "SELECT (SELECT count(*) FROM identity) * 1000000 + "
                        "(SELECT total(declared_at_s) FROM declaration)");
}

static void declares_and_finds(void **state)
{
    struct fixture *f = *state;
    struct declaration found;
    assert_int_equal(register_find(&f->writer, P, &found), 0);
    assert_false(found.found);
    assert_int_equal(found.status, STATUS_NONE);
    assert_true(write_person(f, P, STATUS_YELLOW, 1000));
    assert_int_equal(register_find(&f->writer, P, &found), 0);
    assert_true(found.found);
    assert_int_equal(found.status, STATUS_YELLOW);
    assert_int_equal(found.declared_at_s, 1000);
    assert_int_equal(register_find(&f->writer, Q, &found), 0);
    assert_false(found.found);
}

static void every_field_comes_back(void **state)
{
    struct fixture *f = *state;
    struct declared declared = declared_person(P, STATUS_WHITE, 253402300799);
    struct declaration found, *wanted = &declared.declaration;
    char names[REGISTER_NAMES_BYTES];
    wanted->found = true;
    wanted->answers = (struct declaration_answers){ .symptoms = (1u << SYMPTOM_COUNT) - 1,
                                                    .contacts = (1u << CONTACT_COUNT) - 1,
                                                    .travelled = true,
                                                    .symptoms_at_s = 1,
                                                    .contact_at_s = 2,
                                                    .travel_at_s = 3,
                                                    .by = DECLARED_BY_GUARD };
    memset(wanted->group, 'g', sizeof(wanted->group) - 1);
    assert_true(write_it(f, &declared));
    assert_int_equal(register_find(&f->writer, P, &found), 0);
    assert_int_equal(found.status, wanted->status);
    assert_int_equal(found.declared_at_s, wanted->declared_at_s);
    assert_int_equal(found.answers.symptoms, wanted->answers.symptoms);
    assert_int_equal(found.answers.contacts, wanted->answers.contacts);
    assert_true(found.answers.travelled);
    assert_int_equal(found.answers.symptoms_at_s, 1);
    assert_int_equal(found.answers.contact_at_s, 2);
    assert_int_equal(found.answers.travel_at_s, 3);
    assert_int_equal(found.answers.by, DECLARED_BY_GUARD);
    assert_string_equal(found.group, wanted->group);
    for (int i = 0; i < SYMPTOM_COUNT; i++) { /* one by one: each has a name of its own */
        uint16_t bits = 0;
        register_symptom_names((uint16_t)(1u << i), names);
        assert_true(symptoms_from_names(names, &bits));
        assert_int_equal(bits, 1u << i);
    }
    assert_int_equal(number_in(f, "SELECT length(symptoms) - length(replace(symptoms, ',', '')) FROM declaration"),
                     SYMPTOM_COUNT - 1);
    declared.declaration = (struct declaration){ .status = STATUS_GREEN, .declared_at_s = 253402300799 };
    assert_true(write_it(f, &declared)); /* and all of them go again */
    assert_int_equal(register_find(&f->writer, P, &found), 0);
    assert_int_equal(found.answers.symptoms, 0);
    assert_int_equal(found.answers.contacts, 0);
    assert_false(found.answers.travelled);
    assert_int_equal(found.answers.symptoms_at_s, 0);
    assert_int_equal(found.answers.by, DECLARED_BY_SELF);
    assert_string_equal(found.group, "");
}

static void older_never_overwrites_newer(void **state)
{
    struct fixture *f = *state;
    struct declaration found;
    assert_true(write_person(f, P, STATUS_RED, 1000));
    assert_false(write_person(f, P, STATUS_GREEN, 999));
    assert_int_equal(register_find(&f->writer, P, &found), 0);
    assert_int_equal(found.status, STATUS_RED);
    assert_true(write_person(f, P, STATUS_YELLOW, 1000)); /* a correction of the same moment */
    assert_true(write_person(f, P, STATUS_GREEN, 1001));
    assert_int_equal(register_find(&f->writer, P, &found), 0);
    assert_int_equal(found.status, STATUS_GREEN);
    assert_int_equal(found.declared_at_s, 1001);
}

static void refuses_what_nobody_declares(void **state)
{
    struct fixture *f = *state;
    struct declared declared;
    bool taken;
#define REFUSED(statement) \
    do { \
        declared = declared_numbers(CITIZEN, "", "", STATUS_GREEN, 1000); \
        statement; \
        taken = true; \
        assert_int_equal(register_write(&f->writer, &declared, &taken), -EINVAL); \
        assert_false(taken); \
    } while (0)
    REFUSED(declared.declaration.status = STATUS_EXPIRED);
    REFUSED(declared.declaration.status = STATUS_COUNT);
    REFUSED(declared.declaration.declared_at_s = -1);
    REFUSED(declared.declaration.declared_at_s = INT64_MAX);
    REFUSED(declared.declaration.answers.symptoms = 1u << SYMPTOM_COUNT);
    REFUSED(declared.declaration.answers.contacts = 1u << CONTACT_COUNT);
    REFUSED(declared.declaration.answers.symptoms_at_s = -1);
    REFUSED(declared.declaration.answers.contact_at_s = INT64_MIN);
    REFUSED(declared.declaration.answers.travel_at_s = 253402300800);
    REFUSED(declared.declaration.answers.by = DECLARED_BY_COUNT);
    REFUSED(memset(declared.declaration.group, 'g', sizeof(declared.declaration.group)));
    REFUSED(memset(declared.source, 's', sizeof(declared.source)));
    REFUSED(memset(declared.identities[3], 'i', sizeof(declared.identities[3])));
    REFUSED(declared.identities[1][0] = '\0'); /* nobody */
    REFUSED((void)strcpy(declared.person, "short"));
    REFUSED(memset(declared.person, 'a', sizeof(declared.person)));
    REFUSED((memset(declared.person, 'A', 32), declared.person[32] = '\0'));
#undef REFUSED
    assert_int_equal(everything(f), 0);
    declared = declared_numbers(CITIZEN, "", "", STATUS_NONE, 1000); /* the answers alone */
    assert_true(write_it(f, &declared));
}

static void foreign_values_are_an_error_not_a_guess(void **state)
{
    static const char *const columns[] = { "status", "symptoms", "contacts", "declared_by" };
    struct fixture *f = *state;
    struct declaration found;
    char sql[96];
    for (int i = 0; i < 4; i++) {
        assert_int_equal(sqlite3_exec(f->db, "DELETE FROM declaration", NULL, NULL, NULL), SQLITE_OK);
        assert_true(write_person(f, P, STATUS_GREEN, 1000));
        (void)snprintf(sql, sizeof(sql), "UPDATE declaration SET %s = 'purple'", columns[i]);
        assert_int_equal(sqlite3_exec(f->db, sql, NULL, NULL, NULL), SQLITE_OK);
        assert_int_equal(register_find(&f->writer, P, &found), -EILSEQ);
        assert_false(found.found);
    }
}

/* ---- several numbers --------------------------------------------------------------------------------------------- */

static void numbers_of_one_declaration_are_one_person(void **state)
{
    struct fixture *f = *state;
    char first[JOURNAL_ID_BYTES], hash[JOURNAL_ID_BYTES], person[JOURNAL_ID_BYTES];
    assert_true(write_numbers(f, CITIZEN, INSURED, OLD_ID, STATUS_GREEN, 1000));
    hash_of(f, CITIZEN, first);
    static const char *const numbers[] = { CITIZEN, INSURED, OLD_ID };
    for (int i = 0; i < 3; i++) {
        hash_of(f, numbers[i], hash);
        assert_int_equal(register_resolve(&f->writer, hash, person), 0);
        assert_string_equal(person, first);
    }
    assert_int_equal(number_in(f, "SELECT count(*) FROM identity"), 2); /* the first needs none */
    assert_true(write_numbers(f, OLD_ID, "", "", STATUS_RED, 1001));    /* by any of them */
    assert_int_equal(status_of(f, CITIZEN, NULL), STATUS_RED);
    hash_of(f, INSURED, hash); /* also given as a hash, by another lane's export */
    assert_true(write_person(f, hash, STATUS_YELLOW, 1002));
    assert_int_equal(status_of(f, CITIZEN, NULL), STATUS_YELLOW);
    assert_true(write_numbers(f, "qid:1", INSURED, CITIZEN, STATUS_GREEN, 1003)); /* a known number says who it is */
    assert_int_equal(status_of(f, "qid:1", NULL), STATUS_GREEN);
    hash_of(f, "qid:1", hash);
    assert_int_equal(register_resolve(&f->writer, hash, person), 0);
    assert_string_equal(person, first);
    assert_int_equal(number_in(f, "SELECT count(*) FROM declaration"), 1);
    assert_int_equal(number_in(f, "SELECT count(*) FROM identity"), 3);
    const struct declared twice = declared_numbers(CITIZEN, CITIZEN, CITIZEN, STATUS_GREEN, 1004);
    assert_true(write_it(f, &twice));
    assert_int_equal(number_in(f, "SELECT count(*) FROM identity"), 3);
}

static void numbers_are_bound_though_the_declaration_is_older(void **state)
{
    struct fixture *f = *state;
    assert_true(write_numbers(f, CITIZEN, "", "", STATUS_RED, 1000));
    assert_false(write_numbers(f, CITIZEN, INSURED, "", STATUS_GREEN, 999));
    assert_int_equal(status_of(f, INSURED, NULL), STATUS_RED);
}

static void a_person_of_one_number_becomes_anothers_number(void **state)
{
    static const struct {
        int64_t citizen_at_s, insured_at_s, together_at_s, expected_at_s;
    } cases[] = {
        { 100, 200, 50, 200 },  /* the alias's own declaration was the newest: it moves */
        { 200, 100, 50, 200 },  /* the person's was */
        { 100, 200, 300, 300 }, /* the one that joins them is */
        { 100, 100, 50, 100 },
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t at_s;
        assert_int_equal(database_run(f->db, "DELETE FROM declaration; DELETE FROM identity"), 0);
        assert_true(write_numbers(f, CITIZEN, "", "", STATUS_RED, cases[i].citizen_at_s));
        assert_true(write_numbers(f, INSURED, "", "", STATUS_YELLOW, cases[i].insured_at_s));
        assert_int_equal(write_numbers(f, CITIZEN, INSURED, "", STATUS_GREEN, cases[i].together_at_s),
                         cases[i].together_at_s == cases[i].expected_at_s);
        (void)status_of(f, CITIZEN, &at_s);
        assert_int_equal(at_s, cases[i].expected_at_s);
        assert_int_equal(status_of(f, INSURED, NULL), status_of(f, CITIZEN, NULL));
        assert_int_equal(number_in(f, "SELECT count(*) FROM declaration"), 1);
        assert_int_equal(number_in(f, "SELECT count(*) FROM identity"), 1);
    }
    /* somebody with several numbers takes in the one, whatever comes first in the declaration */
    assert_true(write_numbers(f, OLD_ID, "", "", STATUS_RED, 400));
    assert_true(write_numbers(f, OLD_ID, INSURED, "", STATUS_GREEN, 401));
    assert_int_equal(status_of(f, CITIZEN, NULL), STATUS_GREEN);
    assert_int_equal(number_in(f, "SELECT count(*) FROM declaration"), 1);
}

static void refused_as_different(struct fixture *f, const char *a, const char *b, const char *c)
{
    const struct declared declared = declared_numbers(a, b, c, STATUS_GREEN, 9000);
    const int64_t before = everything(f);
    bool taken = true;
    assert_int_equal(register_write(&f->writer, &declared, &taken), -EEXIST);
    assert_false(taken);
    assert_int_equal(everything(f), before);
}

static void different_peoples_numbers_are_refused(void **state)
{
    struct fixture *f = *state;
    assert_true(write_numbers(f, CITIZEN, INSURED, "", STATUS_GREEN, 1000));
    assert_true(write_numbers(f, "cccd:022054000001", "bhyt:9876543210", "", STATUS_RED, 1000));
    refused_as_different(f, CITIZEN, "bhyt:9876543210", "");
    refused_as_different(f, "qid:5", INSURED, "bhyt:9876543210"); /* by their second numbers; nothing of qid:5 stays */
    refused_as_different(f, "cccd:022054000001", INSURED, "qid:5");
    /* nobody has two citizen numbers: a slip in a list must not make two people one */
    assert_true(write_numbers(f, "cccd:022054000002", "", "", STATUS_RED, 1000));
    assert_true(write_numbers(f, "cccd:022054000003", "", "", STATUS_RED, 1000));
    refused_as_different(f, "cccd:022054000002", "cccd:022054000003", "");
    refused_as_different(f, "cccd:022054000002", "", CITIZEN);
    assert_int_equal(status_of(f, "cccd:022054000002", NULL), STATUS_RED);
}

static void identify(struct fixture *f, const char *subject, const char *alias, const char *expected, bool conflict)
{
    struct credential credential = { .kind = CREDENTIAL_PERSONAL_CODE };
    char person[JOURNAL_ID_BYTES] = "x", hash[JOURNAL_ID_BYTES] = "";
    bool found_conflict = !conflict;
    (void)strcpy(credential.subject, subject);
    (void)strcpy(credential.aliases[1], alias);
    if (expected[0] != '\0')
        hash_of(f, expected, hash);
    assert_int_equal(register_identify(&f->writer, &credential, person, &found_conflict), 0);
    assert_string_equal(person, hash);
    assert_int_equal(found_conflict, conflict);
}

static void a_credential_shows_one_person(void **state)
{
    struct fixture *f = *state;
    identify(f, CITIZEN, "", CITIZEN, false); /* nobody knows them */
    identify(f, CITIZEN, INSURED, CITIZEN, false);
    identify(f, "", INSURED, "", false); /* a number that is hidden is nobody's */
    assert_true(write_numbers(f, INSURED, OLD_ID, "", STATUS_GREEN, 1000));
    identify(f, CITIZEN, INSURED, INSURED, false); /* known by its other number alone */
    identify(f, CITIZEN, OLD_ID, INSURED, false);
    identify(f, OLD_ID, "", INSURED, false);
    identify(f, OLD_ID, INSURED, INSURED, false);
    assert_true(write_numbers(f, CITIZEN, "", "", STATUS_GREEN, 1000));
    identify(f, CITIZEN, "", CITIZEN, false);
    identify(f, CITIZEN, INSURED, CITIZEN, true); /* two people, both known: the subject's */
    identify(f, OLD_ID, CITIZEN, INSURED, true);
    identify(f, CITIZEN, "qid:nobody", CITIZEN, false);
}

/* ---- revoked tokens ---------------------------------------------------------------------------------------------- */

static bool revoke_it(struct fixture *f, uint8_t id, int64_t at_s, bool lifted)
{
    const struct revocation revocation = {
        .token_id = { id }, .revoked_at_s = at_s, .lifted = lifted, .source = "import"
    };
    bool taken = false;
    assert_int_equal(register_revoke(&f->writer, &revocation, &taken), 0);
    return taken;
}

static bool is_revoked(struct fixture *f, uint8_t id)
{
    const uint8_t token_id[CREDENTIAL_TOKEN_ID_BYTES] = { id };
    bool revoked = false;
    assert_int_equal(register_is_revoked(&f->writer, token_id, &revoked), 0);
    return revoked;
}

static void newer_revocations_win(void **state)
{
    struct fixture *f = *state;
    bool taken = true;
    assert_false(is_revoked(f, 1));
    assert_true(revoke_it(f, 1, 100, false));
    assert_true(is_revoked(f, 1));
    assert_false(is_revoked(f, 2));
    assert_false(revoke_it(f, 1, 99, true));
    assert_false(revoke_it(f, 1, 100, true)); /* of the same second: the list is the safe side */
    assert_true(revoke_it(f, 1, 100, false)); /* told twice */
    assert_true(is_revoked(f, 1));
    assert_true(revoke_it(f, 1, 101, true));
    assert_false(is_revoked(f, 1));
    assert_false(revoke_it(f, 1, 100, false));
    assert_false(is_revoked(f, 1));
    assert_true(revoke_it(f, 1, 101, false));
    assert_true(is_revoked(f, 1));
    struct revocation bad = { .revoked_at_s = 5 }; /* zeros are no token */
    assert_int_equal(register_revoke(&f->writer, &bad, &taken), -EINVAL);
    assert_false(taken);
    bad = (struct revocation){ .token_id = { 3 }, .revoked_at_s = -1 };
    assert_int_equal(register_revoke(&f->writer, &bad, &taken), -EINVAL);
    bad.revoked_at_s = 1;
    memset(bad.source, 'x', sizeof(bad.source));
    assert_int_equal(register_revoke(&f->writer, &bad, &taken), -EINVAL);
}

/* ---- walks ------------------------------------------------------------------------------------------------------- */

struct walked {
    int rows, stop_after;
    char last[JOURNAL_ID_BYTES];
    int64_t sum;
};

static int see_declaration(const char *person, const struct declaration *declaration, const char *source, void *userdata)
{
    struct walked *walked = userdata;
    assert_true(strcmp(person, walked->last) > 0);
    (void)strcpy(walked->last, person);
    assert_string_equal(source, "manual");
    assert_true(declaration->found);
    walked->sum += declaration->declared_at_s;
    return ++walked->rows == walked->stop_after ? 7 : 0;
}

static int see_revocation(const struct revocation *revocation, void *userdata)
{
    struct walked *walked = userdata;
    assert_int_equal(revocation->token_id[0], walked->rows + 1);
    assert_int_equal(revocation->lifted, walked->rows == 1);
    assert_string_equal(revocation->source, "import");
    walked->sum += revocation->revoked_at_s;
    return ++walked->rows == walked->stop_after ? 7 : 0;
}

static void walks_meet_every_row(void **state)
{
    struct fixture *f = *state;
    struct walked walked = { 0 };
    int64_t count;
    assert_int_equal(register_walk(f->db, see_declaration, &walked), 0);
    assert_int_equal(walked.rows, 0);
    for (int i = 1; i <= 50; i++) {
        char number[32];
        (void)snprintf(number, sizeof(number), "badge:%d", i);
        assert_true(write_numbers(f, number, "", "", STATUS_GREEN, i));
    }
    assert_int_equal(register_count(f->db, &count), 0);
    assert_int_equal(count, 50);
    assert_int_equal(register_walk(f->db, see_declaration, &walked), 0);
    assert_int_equal(walked.rows, 50);
    assert_int_equal(walked.sum, 50 * 51 / 2);
    walked = (struct walked){ .stop_after = 3 };
    assert_int_equal(register_walk(f->db, see_declaration, &walked), 7);
    assert_int_equal(walked.rows, 3);
    for (uint8_t i = 1; i <= 3; i++)
        assert_true(revoke_it(f, i, 10 * i, i == 2));
    walked = (struct walked){ 0 };
    assert_int_equal(register_walk_revocations(f->db, see_revocation, &walked), 0);
    assert_int_equal(walked.rows, 3);
    assert_int_equal(walked.sum, 60);
    walked = (struct walked){ .stop_after = 2 };
    assert_int_equal(register_walk_revocations(f->db, see_revocation, &walked), 7);
    assert_int_equal(walked.rows, 2);
    assert_int_equal(database_run(f->db, "UPDATE declaration SET grp = hex(zeroblob(99))"), 0);
    walked = (struct walked){ 0 };
    assert_int_equal(register_walk(f->db, see_declaration, &walked), -EILSEQ);
    assert_int_equal(walked.rows, 0);
}

static void an_import_may_take_more_memory(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(database_tune_import(f->db), 0);
    assert_int_equal(database_run(f->db, "BEGIN IMMEDIATE"), 0);
    for (int i = 0; i < 1000; i++) {
        char number[32];
        (void)snprintf(number, sizeof(number), "badge:%d", i);
        assert_true(write_numbers(f, number, "", "", STATUS_GREEN, 1000));
    }
    assert_int_equal(number_in(f, "PRAGMA synchronous"), 2); /* and is as safe as ever */
    assert_int_equal(database_run(f->db, "COMMIT"), 0);
    assert_int_equal(number_in(f, "SELECT count(*) FROM declaration"), 1000);
}

/* ---- files of keys ----------------------------------------------------------------------------------------------- */

static void write_file(const struct fixture *f, const char *name, const char *text, mode_t mode)
{
    char path[128];
    FILE *file = fopen(in_folder(f, name, path), "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static void site_key_is_made_once_and_read(void **state)
{
    struct fixture *f = *state;
    uint8_t key[32] = { 0 }, again[32] = { 0 }, zeros[32] = { 0 };
    char path[128], why[256] = "";
    struct stat status;
    assert_int_equal(site_key_load(in_folder(f, "site.key", path), key, why, sizeof(why)), -ENOENT);
    assert_non_null(strstr(why, path));
    assert_int_equal(site_key_create(path, why, sizeof(why)), 0);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_int_equal(status.st_size, 65);
    assert_int_equal(site_key_load(path, key, why, sizeof(why)), 0);
    assert_memory_not_equal(key, zeros, 32);
    assert_int_equal(site_key_create(path, why, sizeof(why)), -EEXIST);
    assert_int_equal(site_key_load(path, again, why, sizeof(why)), 0);
    assert_memory_equal(key, again, 32);
    assert_int_equal(chmod(path, 0644), 0);
    assert_int_equal(site_key_load(path, key, why, sizeof(why)), -EPERM);
    assert_non_null(strstr(why, "chmod"));
    assert_memory_equal(key, zeros, 32);
}

#define HEX "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

static void bad_site_keys_are_refused(void **state)
{
    static const char *const bad[] = {
        "",        "\n", HEX "00\n",   HEX "\n\n",
        HEX " \n", "zz", HEX HEX "\n", "g00102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n"
    };
    struct fixture *f = *state;
    uint8_t key[32];
    char path[128], why[256];
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        write_file(f, "k", bad[i], 0600);
        if (site_key_load(in_folder(f, "k", path), key, why, sizeof(why)) != -EINVAL)
            fail_msg("taken: '%s'", bad[i]);
    }
    write_file(f, "k", HEX, 0640);
    assert_int_equal(site_key_load(in_folder(f, "k", path), key, why, sizeof(why)), 0);
    assert_int_equal(key[31], 0x1f);
    write_file(f, "k", HEX "\r\n", 0640);
    assert_int_equal(site_key_load(path, key, why, sizeof(why)), 0);
}

/* A valid Ed25519 public key (that of RFC 8032, test 1) */
#define PUB "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"

static int load(const struct fixture *f, struct credential_trust *trust, char *said, size_t said_bytes)
{
    char path[128];
    memset(said, 0, said_bytes);
    FILE *errors = fmemopen(said, said_bytes, "w");
    assert_non_null(errors);
    const int result = trust_folder_load(in_folder(f, "trust", path), trust, errors);
    (void)fclose(errors);
    return result;
}

static void trust_folder_is_read(void **state)
{
    struct fixture *f = *state;
    struct credential_trust trust;
    char path[128], said[2048];
    assert_int_equal(load(f, &trust, said, sizeof(said)), -ENOENT);
    assert_non_null(strstr(said, "trust.folder"));
    assert_int_equal(mkdir(in_folder(f, "trust", path), 0755), 0);
    assert_int_equal(load(f, &trust, said, sizeof(said)), 0);
    assert_int_equal(trust.count, 0);
    write_file(f, "trust/b.pub", "# comment\r\n\r\nkid: two\r\ned25519: " PUB "\r\n", 0644);
    write_file(f, "trust/a.pub", "kid: one\nissuer:  Ward 3, \xC3\x82u \ned25519: " PUB, 0644);
    write_file(f, "trust/README.md", "not a key", 0644);
    write_file(f, "trust/.hidden.pub", "not a key", 0644);
    assert_int_equal(load(f, &trust, said, sizeof(said)), 0);
    assert_string_equal(said, "");
    assert_int_equal(trust.count, 2);
    assert_int_equal(trust.keys[0].kid_bytes, 3);
    assert_memory_equal(trust.keys[0].kid, "one", 3);
    assert_string_equal(trust.keys[0].issuer, "Ward 3, \xC3\x82u");
    assert_int_equal(trust.keys[0].public_key[0], 0xd7);
    assert_memory_equal(trust.keys[1].kid, "two", 3);
    assert_string_equal(trust.keys[1].issuer, "");
}

static void bad_trust_files_are_named_with_line(void **state)
{
    static const struct {
        const char *text, *said;
    } cases[] = {
        { "", "a.pub:0: " },
        { "kid: one\n", "`ed25519: …` is missing" },
        { "ed25519: " PUB "\n", "`kid: …` is missing" },
        { "kid: one\ned25519: 12\n", "a.pub:2: the key must be exactly 64" },
        { "kid: one\ned25519: " PUB "00\n", "a.pub:2: the key must be exactly 64" },
        { "kid: one\n\ned25519: 0000000000000000000000000000000000000000000000000000000000000000\n",
          "a.pub:3: these 64 digits" },
        { "kid: one two\ned25519: " PUB "\n", "a.pub:1: kid" },
        { "kid: 12345678901234567\ned25519: " PUB "\n", "a.pub:1: kid" },
        { "kid: .one\ned25519: " PUB "\n", "a.pub:1: kid" },
        { "kid: one\nkid: two\ned25519: " PUB "\n", "a.pub:2: a second kid" },
        { "kid: one\nissuer: \xff\ned25519: " PUB "\n", "a.pub:2: issuer" },
        { "kid: one\nhello\ned25519: " PUB "\n", "a.pub:2: a line must be" },
        { "kid: one\ned25519-secret: " PUB "\n", "a.pub:2: 'ed25519-secret': this is a SECRET key" },
        { "kid: one\ncolour: blue\ned25519: " PUB "\n", "a.pub:2: 'colour': allowed are" },
        { "kid: one\n\x1b[31mcolour: blue\ned25519: " PUB "\n", "a.pub:2: '?': allowed are" }, /* nothing for a terminal */
        { "kid: one\nc\xff: blue\ned25519: " PUB "\n", "a.pub:2: '?': allowed are" },
    };
    struct fixture *f = *state;
    struct credential_trust trust;
    char path[128], said[2048];
    assert_int_equal(mkdir(in_folder(f, "trust", path), 0755), 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        write_file(f, "trust/a.pub", cases[i].text, 0644);
        if (load(f, &trust, said, sizeof(said)) != -EINVAL || !strstr(said, cases[i].said))
            fail_msg("case %zu said: %s", i, said);
        assert_int_equal(trust.count, 0);
    }
    write_file(f, "trust/a.pub", "kid: one\ned25519: " PUB "\n", 0644);
    write_file(f, "trust/b.pub", "kid: one\ned25519: " PUB "\n", 0644);
    assert_int_equal(load(f, &trust, said, sizeof(said)), -EINVAL);
    assert_non_null(strstr(said, "b.pub: kid 'one' is in another file"));
}

/* What stands behind the last line that is read would be believed by who wrote it alone. */
static void a_line_too_many_is_refused(void **state)
{
    struct fixture *f = *state;
    struct credential_trust trust;
    char path[128], said[2048], text[1024] = "kid: one\ned25519: " PUB "\nissuer: i\nuntil: 2046-12-31\n";
    assert_int_equal(mkdir(in_folder(f, "trust", path), 0755), 0);
    for (int line = 5; line <= 200; line++)
        (void)strcat(text, "#\n");
    write_file(f, "trust/a.pub", text, 0644);
    assert_int_equal(load(f, &trust, said, sizeof(said)), 0);
    assert_int_equal(key_file_set_until(in_folder(f, "trust/a.pub", path), 1800000000), 0); /* in the old one's place */
    assert_int_equal(load(f, &trust, said, sizeof(said)), 0);
    assert_int_equal(trust.keys[0].until_s, 1800000000);

    write_file(f, "trust/a.pub", strcat(text, "until: 2026-01-31\n"), 0644);
    assert_int_equal(load(f, &trust, said, sizeof(said)), -EINVAL);
    assert_non_null(strstr(said, "a.pub:201: too many lines; up to 200 are allowed\n"));
    memcpy(strstr(text, "until:"), "#ntil:", 6);
    *strrchr(text, 'u') = '\0'; /* 200 lines again, none of them an end */
    write_file(f, "trust/a.pub", text, 0644);
    assert_int_equal(load(f, &trust, said, sizeof(said)), 0);
    assert_int_equal(key_file_set_until(path, 1800000000), -EFBIG);
    assert_int_equal(load(f, &trust, said, sizeof(said)), 0); /* it is as it was */
}

static void too_many_keys_are_refused(void **state)
{
    struct fixture *f = *state;
    struct credential_trust trust;
    char path[128], said[2048], name[32], text[128];
    assert_int_equal(mkdir(in_folder(f, "trust", path), 0755), 0);
    for (int i = 0; i <= CREDENTIAL_TRUST_KEYS_MAX; i++) {
        assert_int_equal(load(f, &trust, said, sizeof(said)), 0);
        (void)snprintf(name, sizeof(name), "trust/%02d.pub", i);
        (void)snprintf(text, sizeof(text), "kid: k%d\ned25519: " PUB "\n", i);
        write_file(f, name, text, 0644);
    }
    assert_int_equal(load(f, &trust, said, sizeof(said)), -EINVAL);
    assert_non_null(strstr(said, "16.pub: one key too many"));
}

static void key_files_round_trip(void **state)
{
    struct fixture *f = *state;
    struct key_file wrote = { .kid = "k-1", .issuer = "Ward 3" }, read;
    char path[128], said[512];
    struct stat status;
    memset(wrote.key, 7, sizeof(wrote.key));
    assert_int_equal(key_file_write(in_folder(f, "s.key", path), true, &wrote), 0);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_int_equal(key_file_write(path, true, &wrote), -EEXIST);
    memset(said, 0, sizeof(said));
    FILE *errors = fmemopen(said, sizeof(said), "w");
    assert_non_null(errors);
    assert_int_equal(key_file_read(path, true, &read, errors), 0);
    assert_memory_equal(&wrote, &read, sizeof(read));
    assert_int_equal(key_file_read(path, false, &read, errors), -EINVAL); /* a secret isn't taken for a public key */
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(key_file_read(path, true, &read, errors), -EPERM);
    (void)fclose(errors);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(person_is_the_keyed_hash),
        cmocka_unit_test_setup_teardown(declares_and_finds, setup, teardown),
        cmocka_unit_test_setup_teardown(older_never_overwrites_newer, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_what_nobody_declares, setup, teardown),
        cmocka_unit_test_setup_teardown(every_field_comes_back, setup, teardown),
        cmocka_unit_test_setup_teardown(foreign_values_are_an_error_not_a_guess, setup, teardown),
        cmocka_unit_test_setup_teardown(numbers_of_one_declaration_are_one_person, setup, teardown),
        cmocka_unit_test_setup_teardown(numbers_are_bound_though_the_declaration_is_older, setup, teardown),
        cmocka_unit_test_setup_teardown(a_person_of_one_number_becomes_anothers_number, setup, teardown),
        cmocka_unit_test_setup_teardown(different_peoples_numbers_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_credential_shows_one_person, setup, teardown),
        cmocka_unit_test_setup_teardown(newer_revocations_win, setup, teardown),
        cmocka_unit_test_setup_teardown(walks_meet_every_row, setup, teardown),
        cmocka_unit_test_setup_teardown(an_import_may_take_more_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(site_key_is_made_once_and_read, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_site_keys_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(trust_folder_is_read, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_trust_files_are_named_with_line, setup, teardown),
        cmocka_unit_test_setup_teardown(a_line_too_many_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(too_many_keys_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(key_files_round_trip, setup, teardown),
    };
    return cmocka_run_group_tests_name("register", tests, NULL, NULL);
}
