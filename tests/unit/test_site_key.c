/* The change of the site key: the overlap, in which who shows a number is known as before, and its end, after which nobody
 * can say whose the old rows were. And the key's file. */
#include <errno.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "worker_fixture.h"

#include "daemon/credential/rotating.h"
#include "daemon/journal/chain.h"
#include "daemon/journal/person.h"
#include "daemon/journal/register.h"
#include "daemon/journal/site_key_change.h"
#include "daemon/settings/site_key.h"

enum { DAY_S = 86400 };
static const uint8_t OLD_BYTE = 0x5a, NEW_BYTE = 0xa5;

static void under_key(uint8_t byte, const char *subject, char ret_hash[JOURNAL_ID_BYTES])
{
    uint8_t key[32];
    memset(key, byte, sizeof(key));
    register_person(key, subject, ret_hash);
}

static void keys(struct fixture *f, uint8_t current, bool has_old)
{
    memset(f->settings.site_key, current, sizeof(f->settings.site_key));
    memset(f->settings.old_site_key, OLD_BYTE, sizeof(f->settings.old_site_key));
    f->settings.has_old_site_key = has_old;
    f->settings.opened_at_us = f->at_us;
    struct credential_trust *trust = &f->settings.trust;
    rotating_key_from_site_key(f->settings.site_key, trust->rotation_key);
    rotating_key_from_site_key(f->settings.old_site_key, trust->old_rotation_key);
    trust->has_rotation_key = true;
    trust->has_old_rotation_key = has_old;
    restart(f);
}

static int count_of(struct fixture *f, const char *table, const char *column, const char *hash)
{
    char sql[160];
    (void)snprintf(sql, sizeof(sql), "SELECT count(*) FROM %s WHERE %s = '%s'", table, column, hash);
    return (int)number_in(f, sql);
}

static void chain_holds(struct fixture *f)
{
    struct chain_report report;
    assert_int_equal(chain_verify(f->worker.store.db, f->settings.site_key, &report), 0);
    if (report.broken_seq != 0)
        fail_msg("broken at %lld: %s", (long long)report.broken_seq, report.why);
}

static void who_shows_a_number_is_known_and_moves(void **state)
{
    struct fixture *f = *state;
    char old[JOURNAL_ID_BYTES], new[JOURNAL_ID_BYTES], person[JOURNAL_ID_BYTES];
    keys(f, OLD_BYTE, false);
    assert_int_equal(declare_at(f, ANH, "badge:17", STATUS_GREEN, f->at_us / 1000000 - 60), 0);
    assert_int_equal(show(f, ANH_CARD), REASON_STATUS_GREEN);
    under_key(OLD_BYTE, ANH, old);
    under_key(NEW_BYTE, ANH, new);

    keys(f, NEW_BYTE, true);
    assert_int_equal(number_in(f, "SELECT count(*) FROM old_hash"), 2);
    assert_int_equal(count_of(f, "declaration", "person", old), 1);
    assert_int_equal(register_of_subject(&f->worker.people, ANH, person), 0);
    assert_string_equal(person, old); /* asked for, not shown */
    assert_int_equal(show(f, ANH_CARD), REASON_STATUS_GREEN);
    assert_string_equal(f->answer.event.person, new);
    assert_int_equal(count_of(f, "declaration", "person", old), 0);
    assert_int_equal(count_of(f, "declaration", "person", new), 1);
    assert_int_equal(count_of(f, "presence", "person", old), 0);
    assert_int_equal(count_of(f, "presence", "person", new), 1);
    assert_int_equal(number_in(f, "SELECT count(*) FROM presence"), 1);
    assert_int_equal(count_of(f, "identity", "person", new), 2); /* the badge, and what other lanes still say */
    chain_holds(f);

    /* their other number, by the old hash and, once shown, by the new one */
    assert_int_equal(register_of_subject(&f->worker.people, "badge:17", person), 0);
    assert_string_equal(person, new);
    assert_int_equal(declare_at(f, "badge:17", "", STATUS_YELLOW, f->at_us / 1000000), 0);
    assert_int_equal(number_in(f, "SELECT count(*) FROM declaration"), 1);
    assert_int_equal(show(f, ANH_CARD), REASON_STATUS_YELLOW);
    under_key(NEW_BYTE, "badge:17", person);
    assert_int_equal(count_of(f, "identity", "identity", person), 1);
    assert_int_equal(number_in(f, "SELECT count(*) FROM old_hash WHERE moved = 0"), 0);
}

/* The number a person is called by is not the one shown first. */
static void the_second_number_moves_the_person_too(void **state)
{
    struct fixture *f = *state;
    char new_badge[JOURNAL_ID_BYTES], new_anh[JOURNAL_ID_BYTES], person[JOURNAL_ID_BYTES];
    keys(f, OLD_BYTE, false);
    assert_int_equal(declare_at(f, ANH, "badge:17", STATUS_GREEN, f->at_us / 1000000 - 60), 0);
    keys(f, NEW_BYTE, true);
    under_key(NEW_BYTE, "badge:17", new_badge);
    under_key(NEW_BYTE, ANH, new_anh);
    assert_int_equal(declare_at(f, "badge:17", "", STATUS_GREEN, f->at_us / 1000000 - 30), 0);
    assert_int_equal(count_of(f, "declaration", "person", new_badge), 1);
    assert_int_equal(number_in(f, "SELECT count(*) FROM declaration"), 1);
    assert_int_equal(show(f, ANH_CARD), REASON_STATUS_GREEN);
    assert_string_equal(f->answer.event.person, new_badge);
    assert_int_equal(register_of_subject(&f->worker.people, ANH, person), 0);
    assert_string_equal(person, new_badge);

    keys(f, NEW_BYTE, false);
    assert_int_equal(number_in(f, "SELECT count(*) FROM declaration"), 1);
    assert_int_equal(number_in(f, "SELECT count(*) FROM identity"), 1);
    assert_int_equal(count_of(f, "identity", "identity", new_anh), 1);
    assert_int_equal(show(f, ANH_CARD), REASON_STATUS_GREEN);
}

static void the_end_leaves_old_rows_to_nobody(void **state)
{
    struct fixture *f = *state;
    static const char *const others[] = { "declaration", "presence", "identity" };
    char old_anh[JOURNAL_ID_BYTES], old_binh[JOURNAL_ID_BYTES];
    keys(f, OLD_BYTE, false);
    declare_green(f, ANH);
    declare_green(f, BINH);
    (void)show(f, ANH_CARD);
    (void)show(f, BINH_CARD);
    under_key(OLD_BYTE, ANH, old_anh);
    under_key(OLD_BYTE, BINH, old_binh);
    const int64_t then_us = f->at_us;
    f->at_us = 1000000; /* booted without a clock */
    keys(f, NEW_BYTE, true);
    f->at_us = then_us;
    assert_int_equal(show(f, ANH_CARD), REASON_STATUS_GREEN);
    const int64_t now_us = f->at_us;
    f->at_us = 0; /* a restart in between changes nothing, by whatever clock */
    keys(f, NEW_BYTE, true);
    f->at_us = now_us;
    assert_int_equal(number_in(f, "SELECT count(*) FROM old_hash"), 2);
    assert_int_equal(number_in(f, "SELECT count(*) FROM site_key"), 2);

    keys(f, NEW_BYTE, false);
    for (int i = 0; i < 3; i++) {
        const char *column = i == 2 ? "identity" : "person";
        assert_int_equal(count_of(f, others[i], column, old_anh) + count_of(f, others[i], column, old_binh), 0);
    }
    assert_int_equal(count_of(f, "event", "person", old_anh), 1); /* whose that was nobody can say */
    assert_int_equal(count_of(f, "event", "person", old_binh), 1);
    assert_int_equal(number_in(f, "SELECT count(*) FROM old_hash"), 0);
    assert_int_equal(show(f, ANH_CARD), REASON_STATUS_GREEN);
    assert_int_equal(show(f, BINH_CARD), REASON_NO_DECLARATION);
    chain_holds(f);
}

static void other_lanes_may_be_later(void **state)
{
    struct fixture *f = *state;
    char old[JOURNAL_ID_BYTES];
    struct presence presence;
    keys(f, OLD_BYTE, false);
    declare_green(f, ANH);
    (void)show(f, ANH_CARD);
    keys(f, NEW_BYTE, true);
    pass_time(f, 60);
    (void)show(f, ANH_CARD);
    pass_time(f, 60);
    struct followed_passage *passage = &fresh(f, JOURNAL_FOLLOW)->passage;
    under_key(OLD_BYTE, ANH, old);
    (void)strcpy(passage->event_id, "ff");
    (void)strcpy(passage->person, old);
    (void)strcpy(passage->lane, "lane2");
    passage->direction = DIRECTION_OUT;
    passage->at_us = f->at_us;
    assert_int_equal(ask(f), 0);
    assert_true(f->answer.taken);
    presence_of(f, ANH, &presence);
    assert_true(presence.known);
    assert_false(presence.inside);
}

/* Inside under the old hash; gone, by another lane that says the new one; and back here, which makes the two one. */
static void who_moves_is_counted_once(void **state)
{
    struct fixture *f = *state;
    static const char inside[] = "SELECT count(*) FROM presence WHERE inside = 1";
    struct presence presence;
    keys(f, OLD_BYTE, false);
    declare_green(f, ANH);
    declare_green(f, BINH);
    assert_int_equal(show(f, ANH_CARD), REASON_STATUS_GREEN);
    f->settings.policy.occupancy_limit = 1;
    f->settings.policy.occupancy_full = VERDICT_DENY;
    keys(f, NEW_BYTE, true);
    pass_time(f, 60);
    assert_true(follow_lane(f, "ff", ANH, DIRECTION_OUT, f->at_us)); /* nobody here can know yet whom that means */
    assert_int_equal(show(f, BINH_CARD), REASON_OCCUPANCY_FULL);

    const struct event of_binh = f->answer.event;
    pass_time(f, 60);
    struct journal_request *request = fresh(f, JOURNAL_DECIDE);
    request->payload_bytes = (uint32_t)strlen(ANH_CARD);
    memcpy(request->payload, ANH_CARD, strlen(ANH_CARD));
    memcpy(request->event.event_id, of_binh.event_id, sizeof(of_binh.event_id));
    assert_int_equal(ask(f), -EEXIST); /* what was moved is back where it was */
    presence_of(f, ANH, &presence);
    assert_int_equal(presence.inside_count, 1);
    assert_int_equal(number_in(f, inside), 1);

    assert_int_equal(show(f, ANH_CARD), REASON_STATUS_GREEN);
    presence_of(f, ANH, &presence);
    assert_true(presence.inside);
    assert_int_equal(presence.inside_count, 1);
    assert_int_equal(number_in(f, inside), 1);
}

static void purged_ranges_and_rotating_codes_go_over(void **state)
{
    struct fixture *f = *state;
    struct rotating_holder holder = { .subject = ANH, .expires_at_s = f->at_us / 1000000 + 90 * DAY_S };
    char text[ROTATING_TEXT_BYTES];
    f->settings.keep_days = 30;
    keys(f, OLD_BYTE, false);
    rotating_derive(f->settings.trust.rotation_key, &holder);
    for (int i = 0; i < 5; i++)
        record(f, EVENT_START, "");
    run_sql(f, "UPDATE event SET sent = 1");
    pass_time(f, 31 * DAY_S);
    declare_green(f, ANH);
    (void)show(f, ANH_CARD);
    (void)fresh(f, JOURNAL_PURGE);
    assert_int_equal(ask(f), 0);
    assert_int_equal(number_in(f, "SELECT count(*) FROM purged"), 1);

    keys(f, NEW_BYTE, true);
    chain_holds(f); /* under the new key */
    assert_true(rotating_write(&holder, f->at_us / 1000000 / ROTATING_STEP_S, text, sizeof(text)) > 0);
    assert_int_equal(show(f, text), REASON_STATUS_GREEN);
    keys(f, NEW_BYTE, false);
    chain_holds(f);
    pass_time(f, 60);
    assert_true(rotating_write(&holder, f->at_us / 1000000 / ROTATING_STEP_S, text, sizeof(text)) > 0);
    assert_int_equal(show(f, text), REASON_SIGNATURE_INVALID);
}

static void a_key_that_nobody_announced_changes_nothing(void **state)
{
    struct fixture *f = *state;
    keys(f, OLD_BYTE, false);
    declare_green(f, ANH);
    keys(f, NEW_BYTE, false); /* copied without its second line */
    assert_int_equal(number_in(f, "SELECT count(*) FROM declaration"), 1);
    assert_int_equal(number_in(f, "SELECT count(*) FROM old_hash"), 0);
    assert_int_equal(show(f, ANH_CARD), REASON_NO_DECLARATION);
    keys(f, OLD_BYTE, false);
    assert_int_equal(show(f, ANH_CARD), REASON_STATUS_GREEN);
}

/* ---- the file ---------------------------------------------------------------------------------------------------- */

#define HEX "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define OTHER "ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

static void write_key(const struct fixture *f, const char *text, char ret_path[96])
{
    (void)snprintf(ret_path, 96, "%s/site.key", f->folder);
    FILE *file = fopen(ret_path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(ret_path, 0640), 0);
}

static void two_keys_are_read_and_written(void **state)
{
    static const char *const bad[] = {
        HEX "\n" OTHER "\n", HEX "\nold " OTHER "\n", HEX "\nold " OTHER " until tomorrow\n", HEX "\nold " HEX "00 until 2026-01-31T00:00:00Z\n",
        HEX "\nold " OTHER " until 2026-01-31T00:00:00Z\nmore\n", "old " OTHER " until 2026-01-31T00:00:00Z\n" HEX "\n",
        HEX "\nold " OTHER " until ",
    };
    struct fixture *f = *state;
    struct site_keys keys;
    struct stat status;
    char path[96], link_path[100], why[512] = "", text[256] = "";
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        write_key(f, bad[i], path);
        if (site_keys_load(path, &keys, why, sizeof(why)) != -EINVAL)
            fail_msg("taken: %s", bad[i]);
        assert_null(strstr(why, "0001020304")); /* no key in a message */
    }
    write_key(f, HEX "\r\nold " OTHER " until 2026-01-31T00:00:00Z\r\n", path);
    assert_int_equal(site_keys_load(path, &keys, why, sizeof(why)), 0);
    assert_true(keys.has_old);
    assert_int_equal(keys.old[0], 0xff);
    assert_int_equal(keys.old_until_s, 1769817600);

    (void)snprintf(link_path, sizeof(link_path), "%s.was", path);
    assert_int_equal(link(path, link_path), 0); /* the bytes that were there, wherever they are now */
    assert_int_equal(site_keys_replace(path, &keys, why, sizeof(why)), 0);
    FILE *file = fopen(link_path, "re");
    assert_non_null(file);
    const size_t length = fread(text, 1, sizeof(text), file);
    assert_int_equal(fclose(file), 0);
    assert_true(length > 128);
    for (size_t i = 0; i < length; i++)
        assert_int_equal(text[i], 0);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0640);
    struct site_keys again;
    assert_int_equal(site_keys_load(path, &again, why, sizeof(why)), 0);
    assert_memory_equal(again.current, keys.current, sizeof(keys.current));
    assert_memory_equal(again.old, keys.old, sizeof(keys.old));
    assert_int_equal(again.old_until_s, keys.old_until_s);
}

/* A disk that takes no more than 100 bytes of a file: enough for one key, not to overwrite two. */
static void a_key_that_is_replaced_but_not_overwritten_is_said(void **state)
{
    struct fixture *f = *state;
    struct site_keys keys;
    struct rlimit whole, small;
    char path[96], why[512] = "";
    write_key(f, HEX "\nold " OTHER " until 2026-01-31T00:00:00Z\n", path);
    assert_int_equal(site_keys_load(path, &keys, why, sizeof(why)), 0);
    keys.has_old = false;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &whole), 0);
    small = (struct rlimit){ .rlim_cur = 100, .rlim_max = whole.rlim_max };
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    const int result = site_keys_replace(path, &keys, why, sizeof(why));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &whole), 0);
    assert_int_equal(result, 1);
    assert_non_null(strstr(why, "the new site key is in its place, but the old file couldn't be overwritten: No space left"));
    assert_int_equal(site_keys_load(path, &keys, why, sizeof(why)), 0);
    assert_false(keys.has_old);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(who_shows_a_number_is_known_and_moves),
        TEST(the_second_number_moves_the_person_too),
        TEST(the_end_leaves_old_rows_to_nobody),
        TEST(other_lanes_may_be_later),
        TEST(who_moves_is_counted_once),
        TEST(purged_ranges_and_rotating_codes_go_over),
        TEST(a_key_that_nobody_announced_changes_nothing),
        TEST(two_keys_are_read_and_written),
        TEST(a_key_that_is_replaced_but_not_overwritten_is_said),
    };
    return cmocka_run_group_tests_name("site_key", tests, NULL, NULL);
}
