/* What is erased or has grown old is in no file any more: the database's bytes are searched, with its log and its index. */
#include <errno.h>

#include "worker_fixture.h"

#include "daemon/credential/rotating.h"
#include "daemon/journal/database.h"
#include "daemon/journal/person.h"
#include "daemon/journal/register.h"
#include "daemon/journal/tidy.h"

enum { DAY_S = 86400, PEOPLE = 1000, SHOWS = 3000, ERASE_EACH = 3, FILE_MAX_BYTES = 32 << 20 };

/* xorshift32: the same every time. */
static uint32_t next_number(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

static void number_of_person(int i, char ret[CREDENTIAL_SUBJECT_BYTES])
{
    (void)snprintf(ret, CREDENTIAL_SUBJECT_BYTES, "cccd:0220991%05d", i);
}

static void second_number(int i, char ret[CREDENTIAL_SUBJECT_BYTES])
{
    (void)snprintf(ret, CREDENTIAL_SUBJECT_BYTES, "bhyt:22012%05d", i);
}

/* How often a text is in the database's three files. */
static int found_in_files(const struct fixture *f, const char *text)
{
    static const char *const ends[] = { "", "-wal", "-shm" };
    char path[300], *bytes = malloc(FILE_MAX_BYTES);
    int count = 0;
    assert_non_null(bytes);
    for (int i = 0; i < 3; i++) {
        (void)snprintf(path, sizeof(path), "%s%s", f->settings.path, ends[i]);
        FILE *file = fopen(path, "re");
        assert_non_null(file);
        const size_t length = fread(bytes, 1, FILE_MAX_BYTES, file);
        assert_true(length < FILE_MAX_BYTES);
        (void)fclose(file);
        for (const char *at = bytes; (at = memmem(at, length - (size_t)(at - bytes), text, strlen(text))); at++)
            count++;
    }
    free(bytes);
    return count;
}

static int hash_found(const struct fixture *f, const char *subject)
{
    char person[JOURNAL_ID_BYTES];
    person_of(f, subject, person);
    return found_in_files(f, person);
}

/* A site's life in small: people declared in no order of their hashes, some with two numbers, shown, refused, going in and
 * out, so that each table's pages split and merge. */
static void live(struct fixture *f, uint32_t seed, int shows)
{
    char first[CREDENTIAL_SUBJECT_BYTES], second[CREDENTIAL_SUBJECT_BYTES], card[128];
    run_sql(f, "PRAGMA synchronous = OFF"); /* thousands of rows, and no power cut */
    for (int i = 0; i < PEOPLE; i++) {
        number_of_person(i, first);
        second_number(i, second);
        assert_int_equal(declare_at(f, first, i % 3 == 0 ? second : "", STATUS_GREEN, f->at_us / 1000000 - 60), 0);
    }
    for (int i = 0; i < shows; i++) {
        const int who = (int)(next_number(&seed) % PEOPLE);
        (void)snprintf(card, sizeof(card), "0220991%05d||NGUYEN VAN A|01011954|Nam|%.*s|01082022", who,
                       (int)(next_number(&seed) % 40), "Quang Ninh, Quang Yen, Phuong Ha An, Khu 2");
        pass_time(f, 20);
        (void)show(f, card);
        char granted[JOURNAL_ID_BYTES];
        memcpy(granted, f->answer.event.event_id, sizeof(granted));
        if (f->answer.event.kind == EVENT_GRANTED)
            record(f, EVENT_COMPLETED, granted);
        number_of_person(who, first);
        if (i % 5 == 0)
            assert_int_equal(declare_at(f, first, "", STATUS_GREEN, f->at_us / 1000000), 0);
    }
}

static void erase(struct fixture *f, const char *subject)
{
    char person[JOURNAL_ID_BYTES];
    struct person_rows rows;
    sqlite3 *other = NULL;
    char why[256];
    person_of(f, subject, person);
    assert_int_equal(database_open(f->settings.path, &other, why, sizeof(why)), 0); /* as qrgatectl does it */
    assert_int_equal(person_erase(other, person, &rows), 0);
    (void)sqlite3_close(other);
}

static void purge_all(struct fixture *f)
{
    do {
        (void)fresh(f, JOURNAL_PURGE);
        assert_int_equal(ask(f), 0);
    } while (f->answer.more);
}

/* Old pages are emptied row by row, as where a broker has acknowledged some, and filled again: that is what leaves copies. */
static void erased_people_are_nowhere_in_the_files(void **state)
{
    struct fixture *f = *state;
    struct chain_report report;
    char subject[CREDENTIAL_SUBJECT_BYTES], second[CREDENTIAL_SUBJECT_BYTES];
    f->settings.has_sensor = true;
    f->settings.keep_days = 30;
    for (uint32_t part = 0; part < 4; part++) {
        live(f, 2463534242 + part, SHOWS / 4);
        pass_time(f, 31 * DAY_S);
        for (int acknowledged = 4; acknowledged <= 56; acknowledged += 4) {
            char sql[120];
            (void)snprintf(sql, sizeof(sql), "UPDATE event SET sent = 1 WHERE seq * 2654435761 / 65536 %% 64 < %d",
                           acknowledged);
            run_sql(f, sql);
            restart(f); /* the purge begins at the first row again */
            purge_all(f);
        }
    }
    live(f, 99, SHOWS / 4);
    for (int i = 0; i < PEOPLE; i += ERASE_EACH) {
        number_of_person(i, subject);
        assert_true(hash_found(f, subject) > 0);
        erase(f, subject);
    }
    for (int i = 0; i < PEOPLE; i += ERASE_EACH) {
        number_of_person(i, subject);
        second_number(i, second);
        if (hash_found(f, subject) != 0 || hash_found(f, second) != 0)
            fail_msg("%s is still there, %d times", subject, hash_found(f, subject) + hash_found(f, second));
    }
    number_of_person(1, subject);
    assert_true(hash_found(f, subject) > 0); /* the others stay */
    assert_int_equal(chain_verify(f->worker.store.db, f->settings.site_key, &report), 0);
    assert_int_equal(report.broken_seq, 0);
    assert_true(report.erased > PEOPLE / ERASE_EACH / 4);
}

static void a_gap_is_zeroed_and_nothing_else(void **state)
{
    uint8_t page[1024], before[1024];
    (void)state;
    for (size_t kind = 0; kind < 16; kind++) {
        for (int at_start = 0; at_start <= 1; at_start++) {
            const size_t header = at_start ? 100 : 0;
            memset(page, 0xee, sizeof(page));
            page[header] = (uint8_t)kind;
            page[header + 3] = 0, page[header + 4] = 5; /* cells */
            page[header + 5] = 3, page[header + 6] = 0; /* they begin at 768 */
            memcpy(before, page, sizeof(page));
            tidy_page(page, sizeof(page), at_start);
            const bool leaf = kind == 10 || kind == 13, interior = kind == 2 || kind == 5;
            const size_t gap = leaf || interior ? header + (leaf ? 8 : 12) + 10 : 768;
            for (size_t i = 0; i < sizeof(page); i++)
                assert_int_equal(page[i], i >= gap && i < 768 ? 0 : before[i]);
        }
    }
    page[0] = 13, page[3] = 0xff, page[4] = 0xff; /* more pointers than the page has bytes */
    memcpy(before, page, sizeof(page));
    tidy_page(page, sizeof(page), 0);
    assert_memory_equal(page, before, sizeof(page));
}

static void what_has_grown_old_is_nowhere_in_the_files(void **state)
{
    struct fixture *f = *state;
    char subject[CREDENTIAL_SUBJECT_BYTES], second[CREDENTIAL_SUBJECT_BYTES];
    f->settings.keep_days = f->settings.register_days = 30;
    f->settings.policy.direction = DIRECTION_OUT; /* nobody stays inside */
    live(f, 7, 400);
    assert_int_equal(declare_at(f, BINH, "badge:17", STATUS_REVOKED, f->at_us / 1000000), 0);
    run_sql(f, "UPDATE event SET sent = 1");
    pass_time(f, 31 * DAY_S);
    declare_green(f, ANH);
    (void)show(f, ANH_CARD);
    purge_all(f);
    assert_int_equal(number_in(f, "SELECT count(*) FROM event"), 1);
    assert_int_equal(number_in(f, "SELECT count(*) FROM declaration"), 2); /* the young one, and a revoked person's */
    assert_int_equal(number_in(f, "SELECT count(*) FROM identity"), 1);
    for (int i = 0; i < PEOPLE; i++) {
        number_of_person(i, subject);
        second_number(i, second);
        if (hash_found(f, subject) != 0 || hash_found(f, second) != 0)
            fail_msg("%s is still there", subject);
    }
    assert_true(hash_found(f, ANH) > 0);
    assert_true(hash_found(f, BINH) > 0);
}

static void without_a_broker_age_alone_counts(void **state)
{
    struct fixture *f = *state;
    f->settings.keep_days = 30;
    declare_green(f, ANH);
    (void)show(f, ANH_CARD);
    pass_time(f, 31 * DAY_S);
    (void)show(f, ANH_CARD);
    purge_all(f);
    assert_int_equal(number_in(f, "SELECT count(*) FROM event"), 2);
    f->settings.has_no_broker = true;
    restart(f);
    purge_all(f);
    assert_int_equal(number_in(f, "SELECT count(*) FROM event"), 1);
    assert_int_equal(number_in(f, "SELECT min(seq) FROM event"), 2);
    assert_int_equal(f->worker.store.unsent_rows, 1);
}

static void a_declaration_that_holds_stays_however_few_the_days(void **state)
{
    struct fixture *f = *state;
    f->settings.register_days = 1;
    f->settings.policy.declaration.validity_s = 3 * DAY_S;
    declare_green(f, ANH);
    assert_int_equal(declare_at(f, BINH, "", STATUS_GREEN, f->at_us / 1000000 - 4 * DAY_S), 0);
    pass_time(f, 2 * DAY_S);
    purge_all(f);
    assert_int_equal(number_in(f, "SELECT count(*) FROM declaration"), 1);
    f->settings.register_days = 0;
    pass_time(f, 400 * DAY_S);
    purge_all(f);
    assert_int_equal(number_in(f, "SELECT count(*) FROM declaration"), 1);
}

/* The daemon's purge doesn't wait for who reads, and cuts the log when they are done. */
static void a_reader_only_delays_the_cut(void **state)
{
    struct fixture *f = *state;
    sqlite3 *reader = NULL;
    f->settings.keep_days = 30;
    declare_green(f, ANH);
    (void)show(f, ANH_CARD);
    run_sql(f, "UPDATE event SET sent = 1");
    pass_time(f, 31 * DAY_S);
    record(f, EVENT_START, "");
    assert_int_equal(sqlite3_open(f->settings.path, &reader), SQLITE_OK);
    assert_int_equal(sqlite3_exec(reader, "BEGIN; SELECT count(*) FROM event", NULL, NULL, NULL), SQLITE_OK);
    purge_all(f);
    assert_true(f->worker.wipe_due);
    assert_int_equal(sqlite3_exec(reader, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    purge_all(f);
    assert_false(f->worker.wipe_due);
    assert_int_equal(sqlite3_close(reader), SQLITE_OK);
    run_sql(f, "DELETE FROM declaration; DELETE FROM presence");
    assert_int_equal(database_wipe_log(f->worker.store.db, true), 0);
    assert_int_equal(hash_found(f, ANH), 0);
}

/* ---- one person, counted and read -------------------------------------------------------------------------------- */

struct told {
    int numbers, declarations, presence, tokens;
    char group[CREDENTIAL_GROUP_BYTES];
};
static int tell_number(const char *hash, void *userdata)
{
    (void)hash;
    return ((struct told *)userdata)->numbers++, 0;
}
static int tell_declaration(const char *hash, const struct declaration *declaration, const char *source, void *userdata)
{
    struct told *told = userdata;
    (void)hash;
    assert_string_equal(source, "manual");
    memcpy(told->group, declaration->group, sizeof(told->group));
    return told->declarations++, 0;
}
static int tell_presence(const struct person_presence *presence, void *userdata)
{
    assert_int_equal(presence->inside, 1);
    assert_string_equal(presence->lane, "lane1");
    return ((struct told *)userdata)->presence++, 0;
}
static int tell_token(const struct person_token *token, void *userdata)
{
    (void)token;
    return ((struct told *)userdata)->tokens++, 0;
}

static void show_rotating(struct fixture *f, const char *subject)
{
    struct rotating_holder holder = { .expires_at_s = f->at_us / 1000000 + DAY_S };
    char text[ROTATING_TEXT_BYTES];
    (void)snprintf(holder.subject, sizeof(holder.subject), "%s", subject);
    rotating_derive(f->settings.trust.rotation_key, &holder);
    assert_true(rotating_write(&holder, f->at_us / 1000000 / ROTATING_STEP_S, text, sizeof(text)) > 0);
    assert_int_equal(show(f, text), REASON_STATUS_GREEN);
}

static void all_that_is_stored_of_one_person_is_found_by_each_number(void **state)
{
    static const struct person_take take = { tell_number, tell_declaration, tell_presence, tell_token };
    struct fixture *f = *state;
    char person[JOURNAL_ID_BYTES];
    struct person_rows rows;
    rotating_key_from_site_key(f->settings.site_key, f->settings.trust.rotation_key);
    f->settings.trust.has_rotation_key = true;
    assert_int_equal(declare_at(f, ANH, "badge:17", STATUS_GREEN, f->at_us / 1000000), 0);
    declare_green(f, BINH);
    (void)show(f, BINH_CARD);
    (void)show(f, ANH_CARD);
    show_rotating(f, ANH);
    run_sql(f, "UPDATE event SET sent = 1 WHERE seq <= 2");
    const char *const numbers[] = { ANH, "badge:17" };
    for (int i = 0; i < 2; i++) {
        struct told told = { 0 };
        person_of(f, numbers[i], person);
        assert_int_equal(person_count(f->worker.store.db, person, &rows), 0);
        assert_int_equal(rows.events, 2);
        assert_int_equal(rows.unsent_events, 1);
        assert_int_equal(rows.presence, 1);
        assert_int_equal(rows.declarations, 1);
        assert_int_equal(rows.numbers, 1);
        assert_int_equal(rows.tokens, 1);
        assert_int_equal(person_walk(f->worker.store.db, person, &take, &told), 0);
        assert_int_equal(told.numbers, 2);
        assert_int_equal(told.declarations, 1);
        assert_int_equal(told.presence, 1);
        assert_int_equal(told.tokens, 1);
    }
    struct person_rows erased;
    assert_int_equal(person_erase(f->worker.store.db, person, &erased), 0);
    assert_memory_equal(&erased, &rows, sizeof(rows));
    assert_int_equal(person_count(f->worker.store.db, person, &rows), 0);
    assert_int_equal(rows.events + rows.presence + rows.declarations + rows.numbers + rows.tokens, 0);
    assert_int_equal(person_count(f->worker.store.db, "", &rows), -EINVAL);
    person_of(f, BINH, person);
    assert_int_equal(person_count(f->worker.store.db, person, &rows), 0);
    assert_int_equal(rows.events + rows.declarations + rows.presence, 3);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(erased_people_are_nowhere_in_the_files),
        cmocka_unit_test(a_gap_is_zeroed_and_nothing_else),
        TEST(what_has_grown_old_is_nowhere_in_the_files),
        TEST(without_a_broker_age_alone_counts),
        TEST(a_declaration_that_holds_stays_however_few_the_days),
        TEST(a_reader_only_delays_the_cut),
        TEST(all_that_is_stored_of_one_person_is_found_by_each_number),
    };
    return cmocka_run_group_tests_name("forget", tests, NULL, NULL);
}
