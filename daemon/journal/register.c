/* The register: who declared what, which numbers are one person, which tokens are revoked. Called by the journal thread
 * and by qrgatectl, each with a writer on its own connection.
 *
 * A person is known by the hash of the number first declared, and only the other numbers have a row in `identity`: so a
 * register of people with one number each is one table. A hash with a row there is never a person and has no declaration,
 * so that one look-up leads from any number to its person; and whoever has such numbers has a declaration. */
#include "daemon/journal/register.h"

#include <errno.h>
#include <sodium.h>
#include <sqlite3.h>
#include <string.h>

#include "daemon/journal/database.h"
#include "daemon/journal/register_parts.h"
#include "daemon/journal/register_row.h"

#define PRESENCE_REST \
    "inside, at_us, lane, event_id, own_at_us, own_direction, was_inside, was_at_us, was_own_at_us"

static const char *const SQL[REGISTER_STATEMENT_COUNT] = {
    [REGISTER_IDENTITY] = "SELECT person FROM identity WHERE identity = ?1",
    [REGISTER_BIND_IDENTITY] = "INSERT INTO identity (identity, person) VALUES (?1, ?2)",
    [REGISTER_DECLARE] =
        "INSERT INTO declaration (person, source, " REGISTER_ROW_COLUMNS ") "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) ON CONFLICT (person) DO UPDATE SET "
        "source = excluded.source, status = excluded.status, declared_at_s = excluded.declared_at_s, "
        "symptoms = excluded.symptoms, contacts = excluded.contacts, travelled = excluded.travelled, "
        "symptoms_at_s = excluded.symptoms_at_s, contact_at_s = excluded.contact_at_s, "
        "travel_at_s = excluded.travel_at_s, declared_by = excluded.declared_by, grp = excluded.grp "
        "WHERE excluded.declared_at_s >= declaration.declared_at_s",
    [REGISTER_FIND] = "SELECT " REGISTER_ROW_COLUMNS " FROM declaration WHERE person = ?1",
    /* Of the same second, revoking beats lifting, in whatever order they come. */
    [REGISTER_REVOKE] =
        "INSERT INTO revocation (token_id, revoked_at_s, lifted, source) VALUES (?1, ?2, ?3, ?4) "
        "ON CONFLICT (token_id) DO UPDATE SET revoked_at_s = excluded.revoked_at_s, lifted = excluded.lifted, "
        "source = excluded.source WHERE excluded.revoked_at_s > revocation.revoked_at_s OR "
        "(excluded.revoked_at_s = revocation.revoked_at_s AND excluded.lifted <= revocation.lifted)",
    [REGISTER_REVOKED] = "SELECT 1 FROM revocation WHERE token_id = ?1 AND lifted = 0",
    [REGISTER_FORGET] = "DELETE FROM declaration WHERE person = ?1",
    [REGISTER_HAS_NUMBERS] = "SELECT 1 FROM declaration WHERE person = ?1 AND has_numbers = 1",
    [REGISTER_SET_HAS_NUMBERS] = "UPDATE declaration SET has_numbers = 1 WHERE person = ?1 AND has_numbers = 0",
    /* ?1 was a person, ?2 is the one who now is both. REPLACE: the newer row takes the place of the older one whole. */
    [REGISTER_MOVE] =
        "INSERT OR REPLACE INTO declaration (person, source, " REGISTER_ROW_COLUMNS ") "
        "SELECT ?2, source, " REGISTER_ROW_COLUMNS " FROM declaration WHERE person = ?1 AND declared_at_s > "
        "coalesce((SELECT declared_at_s FROM declaration WHERE person = ?2), -1)",
    [REGISTER_MOVE_PRESENCE] =
        "INSERT OR REPLACE INTO presence (person, " PRESENCE_REST ") SELECT ?2, " PRESENCE_REST
        " FROM presence WHERE person = ?1 AND max(at_us, own_at_us) > "
        "coalesce((SELECT max(at_us, own_at_us) FROM presence WHERE person = ?2), -1)",
    [REGISTER_FORGET_PRESENCE] = "DELETE FROM presence WHERE person = ?1",
    [REGISTER_OLD_HASH] = "SELECT 1 FROM old_hash WHERE hash = ?1 AND moved = 0",
    [REGISTER_OLD_MOVED] = "UPDATE old_hash SET moved = 1 WHERE hash = ?1",
    [REGISTER_MOVE_NUMBERS] = "UPDATE identity SET person = ?2 WHERE person = ?1",
};

void register_person(const uint8_t site_key[32], const char *subject, char ret_person[JOURNAL_ID_BYTES])
{
    uint8_t mac[crypto_auth_hmacsha256_BYTES];
    _Static_assert(crypto_auth_hmacsha256_KEYBYTES == 32, "the site key is the HMAC's key");
    (void)crypto_auth_hmacsha256(mac, (const uint8_t *)subject, strlen(subject), site_key); /* can't fail */
    (void)sodium_bin2hex(ret_person, JOURNAL_ID_BYTES, mac, (JOURNAL_ID_BYTES - 1) / 2);
    sodium_memzero(mac, sizeof(mac));
}

int register_writer_open(sqlite3 *db, const uint8_t site_key[32], struct register_writer *ret)
{
    *ret = (struct register_writer){ .db = db };
    memcpy(ret->site_key, site_key, sizeof(ret->site_key));
    const int error = statements_prepare(db, SQL, REGISTER_STATEMENT_COUNT, ret->statements);
    if (error < 0)
        register_writer_close(ret);
    return error;
}

void register_writer_close(struct register_writer *writer)
{
    statements_finalize(writer->statements, REGISTER_STATEMENT_COUNT);
    sodium_memzero(writer, sizeof(*writer));
}

int register_exists(sqlite3_stmt *statement, const char *text)
{
    if (bind_text(statement, 1, text) != SQLITE_OK)
        return -ENOMEM;
    const int code = sqlite3_step(statement);
    statement_end(statement);
    return code == SQLITE_ROW ? 1 : database_error(code);
}

int register_run(sqlite3_stmt *statement, const char *first, const char *second)
{
    if (bind_text(statement, 1, first) != SQLITE_OK || (second && bind_text(statement, 2, second) != SQLITE_OK))
        return -ENOMEM;
    return statement_run(statement);
}

/* 1: the hash is a number of *ret_person; 0: of nobody else; or negative errno. */
static int find_bound(struct register_writer *writer, const char *hash, char ret_person[JOURNAL_ID_BYTES])
{
    sqlite3_stmt *statement = writer->statements[REGISTER_IDENTITY];
    if (bind_text(statement, 1, hash) != SQLITE_OK)
        return -ENOMEM;
    const int code = sqlite3_step(statement);
    int result = database_error(code);
    if (code == SQLITE_ROW)
        result = column_text(statement, 0, ret_person, JOURNAL_ID_BYTES) < 0 || !person_valid(ret_person) ? -EILSEQ : 1;
    statement_end(statement);
    return result;
}

int register_of_subject(struct register_writer *writer, const char *subject, char ret_person[JOURNAL_ID_BYTES])
{
    char hash[JOURNAL_ID_BYTES];
    register_person(writer->site_key, subject, hash);
    const int unmoved = writer->has_old_key ? register_unmoved(writer, subject, hash) : 0;
    return unmoved < 0 ? unmoved : register_resolve(writer, hash, ret_person);
}

int register_resolve(struct register_writer *writer, const char *hash, char ret_person[JOURNAL_ID_BYTES])
{
    const int result = find_bound(writer, hash, ret_person);
    if (result == 0)
        memmove(ret_person, hash, strlen(hash) + 1);
    return result < 0 ? result : 0;
}

/* ---- who is declared --------------------------------------------------------------------------------------------- */

/* One number of a declaration, and whom it leads to. */
struct number {
    char hash[JOURNAL_ID_BYTES], person[JOURNAL_ID_BYTES];
    const char *text; /* "" = given as a hash */
    bool known;       /* the register knows the person */
    bool bound;       /* by a row in `identity` */
};
struct numbers {
    struct number all[JOURNAL_IDENTITIES_MAX + 1];
    int count;
};

static void add_number(struct numbers *numbers, const char *hash, const char *text)
{
    struct number *number = &numbers->all[numbers->count];
    for (int i = 0; i < numbers->count; i++)
        if (strcmp(numbers->all[i].hash, hash) == 0)
            return;
    *number = (struct number){ .text = text };
    memcpy(number->hash, hash, sizeof(number->hash));
    numbers->count++;
}

/* A number in clear: under the present key, where all that was known of it under the old one is moved first. */
static int add_subject(struct register_writer *writer, struct numbers *numbers, const char *subject)
{
    char hash[JOURNAL_ID_BYTES];
    int error = 0;
    if (subject[0] == '\0')
        return 0;
    register_person(writer->site_key, subject, hash);
    if (writer->has_old_key)
        error = register_rekey(writer, subject, hash);
    add_number(numbers, hash, subject);
    return error;
}

static int collect(struct register_writer *writer, const struct declared *declared, struct numbers *ret)
{
    int error = 0;
    ret->count = 0;
    if (declared->person[0] != '\0')
        add_number(ret, declared->person, "");
    for (int i = 0; i < JOURNAL_IDENTITIES_MAX && error == 0; i++)
        error = add_subject(writer, ret, declared->identities[i]);
    return error;
}

/* A declaration under the hash itself first: most people show the number they declared with, and who has a declaration
 * is nobody else's number. */
static int look_up(struct register_writer *writer, struct number *number)
{
    memcpy(number->person, number->hash, sizeof(number->person));
    int result = register_exists(writer->statements[REGISTER_FIND], number->hash);
    if (result == 0) {
        result = find_bound(writer, number->hash, number->person);
        number->bound = result == 1;
    }
    number->known = result == 1;
    return result < 0 ? result : 0;
}

/* Of a declaration's only number: whether anybody knew it makes no difference then. */
static int look_up_alone(struct register_writer *writer, struct number *number)
{
    number->known = false;
    return register_resolve(writer, number->hash, number->person);
}

/* "cccd:" and so on: nobody has two of one kind, so two people who have one each are two. */
static bool same_kind(const char *a, const char *b)
{
    const size_t length = strcspn(a, ":") + 1;
    return a[0] != '\0' && strncmp(a, b, length) == 0;
}

/* Whose declaration it is. People who have several numbers already stay who they are; one of them at most may be
 * meant, and people with a single number may turn out to be that one. */
static int choose_person(struct register_writer *writer, const struct numbers *numbers, const char **ret_person)
{
    const struct number *first_known = NULL, *settled = NULL;
    for (int i = 0; i < numbers->count; i++) {
        const struct number *number = &numbers->all[i];
        if (!number->known)
            continue;
        for (int j = 0; j < i; j++)
            if (numbers->all[j].known && strcmp(numbers->all[j].person, number->person) != 0 &&
                same_kind(numbers->all[j].text, number->text))
                return -EEXIST;
        const int has_others = number->bound ? 1 : register_exists(writer->statements[REGISTER_HAS_NUMBERS], number->hash);
        if (has_others < 0)
            return has_others;
        if (has_others == 1 && settled && strcmp(settled->person, number->person) != 0)
            return -EEXIST;
        if (has_others == 1)
            settled = number;
        if (!first_known)
            first_known = number;
    }
    *ret_person = settled ? settled->person : first_known ? first_known->person : numbers->all[0].person;
    return 0;
}

/* The hash was perhaps a person of its own, or shown before anybody knew whose it is: what is known under it is the
 * person's now, where it is newer. */
int register_bind(struct register_writer *writer, const char *hash, bool known, const char *person)
{
    static const struct {
        enum register_statement statement;
        bool both, of_known;
    } steps[] = {
        { REGISTER_BIND_IDENTITY, true, false }, { REGISTER_MOVE, true, true },
        { REGISTER_FORGET, false, true },        { REGISTER_MOVE_PRESENCE, true, false },
        { REGISTER_FORGET_PRESENCE, false, false },
    };
    int error = 0;
    writer->presence_moved = true;
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]) && error == 0; i++)
        if (known || !steps[i].of_known)
            error = register_run(writer->statements[steps[i].statement], hash, steps[i].both ? person : NULL);
    return error;
}

static int upsert(struct register_writer *writer, const char *person, const struct declared *declared, bool *ret_taken)
{
    sqlite3_stmt *s = writer->statements[REGISTER_DECLARE];
    const struct declaration *d = &declared->declaration;
    char symptoms[REGISTER_NAMES_BYTES], contacts[REGISTER_NAMES_BYTES];
    register_symptom_names(d->answers.symptoms, symptoms);
    register_contact_names(d->answers.contacts, contacts);

    int code = SQLITE_OK; /* a bind fails only for want of memory */
    code |= bind_text(s, 1, person);
    code |= bind_text(s, 2, declared->source);
    code |= bind_text(s, 3, declaration_status_name(d->status));
    code |= sqlite3_bind_int64(s, 4, d->declared_at_s);
    code |= bind_text(s, 5, symptoms);
    code |= bind_text(s, 6, contacts);
    code |= sqlite3_bind_int(s, 7, d->answers.travelled ? 1 : 0);
    code |= sqlite3_bind_int64(s, 8, d->answers.symptoms_at_s);
    code |= sqlite3_bind_int64(s, 9, d->answers.contact_at_s);
    code |= sqlite3_bind_int64(s, 10, d->answers.travel_at_s);
    code |= bind_text(s, 11, declared_by_name(d->answers.by));
    code |= bind_text(s, 12, d->group);
    const int error = code == SQLITE_OK ? statement_run(s) : -ENOMEM;
    statement_end(s); /* what is bound lies in this frame */
    *ret_taken = error == 0 && sqlite3_changes(writer->db) > 0;
    return error;
}

int register_write(struct register_writer *writer, const struct declared *declared, bool *ret_taken)
{
    struct numbers numbers;
    const char *person;
    bool bound = false, had_numbers = false;
    int error = declared_valid(declared) ? 0 : -EINVAL;
    *ret_taken = false;
    if (error < 0)
        return error;
    error = collect(writer, declared, &numbers);
    if (error == 0 && numbers.count == 1)
        error = look_up_alone(writer, &numbers.all[0]);
    for (int i = 0; i < numbers.count && numbers.count > 1 && error == 0; i++)
        error = look_up(writer, &numbers.all[i]);
    if (error == 0)
        error = choose_person(writer, &numbers, &person);
    for (int i = 0; i < numbers.count && numbers.count > 1 && error == 0; i++) {
        had_numbers = had_numbers || numbers.all[i].bound;
        if (!numbers.all[i].bound && strcmp(numbers.all[i].hash, person) != 0) {
            error = register_bind(writer, numbers.all[i].hash, numbers.all[i].known, person);
            bound = true;
        }
    }
    if (error == 0)
        error = upsert(writer, person, declared, ret_taken);
    if (error == 0 && (bound || had_numbers)) /* its declaration may have grown old and be new again */
        error = register_run(writer->statements[REGISTER_SET_HAS_NUMBERS], person, NULL);
    return error;
}

/* ---- who is shown ------------------------------------------------------------------------------------------------ */

int register_identify(struct register_writer *writer, const struct credential *credential,
                      char ret_person[JOURNAL_ID_BYTES], bool *ret_conflict)
{
    struct numbers numbers = { .count = 0 };
    const struct number *known = NULL;
    *ret_conflict = false;
    ret_person[0] = '\0';
    if (credential->subject[0] == '\0')
        return 0;
    int error = add_subject(writer, &numbers, credential->subject);
    for (int i = 0; i < CREDENTIAL_ALIASES_MAX && error == 0; i++)
        error = add_subject(writer, &numbers, credential->aliases[i]);
    for (int i = 0; i < numbers.count && error == 0; i++) {
        struct number *number = &numbers.all[i];
        error = look_up(writer, number);
        if (error == 0 && number->known) {
            *ret_conflict = *ret_conflict || (known && strcmp(known->person, number->person) != 0);
            known = known ? known : number;
        }
    }
    if (error == 0)
        memcpy(ret_person, known && !*ret_conflict ? known->person : numbers.all[0].person, JOURNAL_ID_BYTES);
    return error;
}

int register_find(struct register_writer *writer, const char *person, struct declaration *ret)
{
    sqlite3_stmt *find = writer->statements[REGISTER_FIND];
    *ret = (struct declaration){ .status = STATUS_NONE };
    if (bind_text(find, 1, person) != SQLITE_OK)
        return -ENOMEM;
    const int code = sqlite3_step(find);
    const int error = code == SQLITE_ROW ? register_row_read(find, 0, ret) : database_error(code);
    statement_end(find);
    return error;
}
