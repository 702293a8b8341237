/* Weekly windows to the minute, over midnight, on holidays, in other time zones; groups; the texts they are read from. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "daemon/decision/schedule.h"

enum { DAY_S = 86400, MON = 1, TUE = 2, SAT = 32, SUN = 64, DAILY = 0x7f };
enum { MONDAY = 20717 }; /* 2026-09-21 */

static struct schedule_row window(const char *group, uint8_t days, int from_min, int to_min)
{
    struct schedule_row row = {.days = days, .from_min = from_min, .to_min = to_min};
    (void)snprintf(row.group, sizeof row.group, "%s", group);
    return row;
}

static struct schedule of_one(struct schedule_row row)
{
    return (struct schedule){.rows = {row}, .count = 1};
}

/* At so many minutes after the local midnight that begins `day`. */
static bool allows_at(const struct schedule *schedule, const char *group, int64_t day, int minute, int32_t offset_s)
{
    struct moment moment = {.now_s = day * DAY_S + minute * 60 - offset_s, .utc_offset_s = offset_s};
    bool first = schedule_allows(schedule, group, &moment);
    moment.now_s += 59; /* a whole minute is alike */
    assert_int_equal(schedule_allows(schedule, group, &moment), first);
    return first;
}

/* Every minute of a fortnight against a second, slower reckoning. */
static bool expected(const struct schedule_row *row, int64_t day, int minute)
{
    for (int begin = -1; begin <= 0; begin++) {
        int64_t begin_day = day + begin;
        int at = minute - begin * 1440; /* since the midnight of the day it begins */
        int end = row->to_min > row->from_min ? row->to_min : row->to_min + 1440;
        if ((row->days >> (begin_day - MONDAY + 70) % 7 & 1) && at >= row->from_min && at < end)
            return true;
    }
    return false;
}

static void test_every_minute_of_a_fortnight(void **state)
{
    static const struct {
        uint8_t days;
        int from_min, to_min;
    } rows[] = {{MON, 0, 1440}, {DAILY, 0, 1440}, {SAT | SUN, 360, 1080}, {MON | SUN, 1320, 360}, {TUE, 480, 480},
                {MON, 1439, 1440}, {MON, 0, 1}, {SUN, 1439, 0}, {MON, 1439, 1}, {MON, 1440, 60}, {0, 0, 1440}, {SUN, 0, 0}};
    static const int32_t offsets_s[] = {0, 7 * 3600, -9 * 3600 - 1800, 14 * 3600, -12 * 3600};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct schedule_row row = window("*", rows[i].days, rows[i].from_min, rows[i].to_min);
        struct schedule schedule = of_one(row);
        int32_t offset_s = offsets_s[i % 5];
        for (int64_t day = MONDAY; day < MONDAY + 14; day++)
            for (int minute = 0; minute < 1440; minute++)
                if (allows_at(&schedule, "", day, minute, offset_s) != expected(&row, day, minute))
                    fail_msg("row %zu, day %d, minute %d", i, (int)(day - MONDAY), minute);
    }
}

static void test_over_midnight_belongs_to_the_day_it_begins(void **state)
{
    struct schedule schedule = of_one(window("*", MON, 22 * 60, 6 * 60));
    int32_t vietnam_s = 7 * 3600;

    (void)state;
    assert_false(allows_at(&schedule, "", MONDAY, 5 * 60, vietnam_s));
    assert_false(allows_at(&schedule, "", MONDAY, 22 * 60 - 1, vietnam_s));
    assert_true(allows_at(&schedule, "", MONDAY, 22 * 60, vietnam_s));
    assert_true(allows_at(&schedule, "", MONDAY + 1, 6 * 60 - 1, vietnam_s));
    assert_false(allows_at(&schedule, "", MONDAY + 1, 6 * 60, vietnam_s));
    assert_false(allows_at(&schedule, "", MONDAY + 1, 22 * 60, vietnam_s));
}

static void test_holidays(void **state)
{
    struct schedule schedule = of_one(window("*", DAILY, 22 * 60, 6 * 60));
    static const int32_t holidays[] = {MONDAY - 300, MONDAY + 1, MONDAY + 2, MONDAY + 90};

    (void)state;
    memcpy(schedule.holidays, holidays, sizeof holidays);
    schedule.holidays_count = 4;
    assert_true(allows_at(&schedule, "", MONDAY + 1, 3 * 60, 0)); /* the holiday's early hours are Monday night's */
    assert_false(allows_at(&schedule, "", MONDAY + 1, 23 * 60, 0));
    assert_false(allows_at(&schedule, "", MONDAY + 2, 3 * 60, 0));
    assert_false(allows_at(&schedule, "", MONDAY + 2, 23 * 60, 0));
    assert_false(allows_at(&schedule, "", MONDAY + 3, 3 * 60, 0)); /* an ordinary morning, of a holiday's night */
    assert_true(allows_at(&schedule, "", MONDAY + 3, 23 * 60, 0));
    assert_false(allows_at(&schedule, "", MONDAY - 300, 23 * 60, 0));
    assert_false(allows_at(&schedule, "", MONDAY + 90, 23 * 60, 0));
    assert_true(allows_at(&schedule, "", MONDAY + 91, 23 * 60, 0));
    schedule.rows[0].on_holidays = true;
    assert_true(allows_at(&schedule, "", MONDAY + 1, 23 * 60, 0));
    /* local: a holiday of UTC's calendar alone is none here */
    schedule.rows[0] = window("*", DAILY, 0, 1440);
    schedule.holidays[0] = MONDAY;
    schedule.holidays_count = 1;
    struct moment evening = {.now_s = (int64_t)MONDAY * DAY_S + 20 * 3600, .utc_offset_s = 7 * 3600};
    assert_true(schedule_allows(&schedule, "", &evening));
    evening.utc_offset_s = 0;
    assert_false(schedule_allows(&schedule, "", &evening));
}

/* The same second before and after the clocks are changed by an hour: the clock on the wall decides. */
static void test_offset_changes(void **state)
{
    struct schedule schedule = of_one(window("*", DAILY, 6 * 60, 14 * 60));
    struct moment moment = {.now_s = (int64_t)MONDAY * DAY_S + 5 * 3600 + 1800};

    (void)state;
    assert_false(schedule_allows(&schedule, "", &moment));
    moment.utc_offset_s = 3600;
    assert_true(schedule_allows(&schedule, "", &moment));
    moment.now_s = (int64_t)MONDAY * DAY_S + 13 * 3600 + 1800;
    assert_false(schedule_allows(&schedule, "", &moment));
    moment.utc_offset_s = 0;
    assert_true(schedule_allows(&schedule, "", &moment));
}

static void test_groups(void **state)
{
    struct schedule schedule = {.count = 0};

    (void)state;
    assert_true(allows_at(&schedule, "", MONDAY, 0, 0)); /* no rows: always, for everybody */
    assert_true(allows_at(&schedule, "night", MONDAY, 0, 0));
    schedule.rows[0] = window("night", DAILY, 22 * 60, 6 * 60);
    schedule.rows[1] = window("*", 0, 0, 1440); /* beyond the count */
    schedule.count = 1;
    assert_false(allows_at(&schedule, "night", MONDAY, 12 * 60, 0));
    assert_true(allows_at(&schedule, "office", MONDAY, 12 * 60, 0)); /* no rows of its own, none for "*" */
    assert_true(allows_at(&schedule, "", MONDAY, 12 * 60, 0));
    schedule.rows[1] = window("*", MON, 8 * 60, 17 * 60);
    schedule.rows[2] = window("night", SAT, 12 * 60, 13 * 60); /* several rows: any */
    schedule.rows[3] = window("*", DAILY, 0, 1440); /* beyond the count */
    schedule.count = 3;
    assert_true(allows_at(&schedule, "office", MONDAY, 12 * 60, 0));
    assert_false(allows_at(&schedule, "office", MONDAY + 1, 12 * 60, 0));
    assert_false(allows_at(&schedule, "", MONDAY, 17 * 60, 0));
    assert_false(allows_at(&schedule, "night", MONDAY, 12 * 60, 0)); /* "*" is not for who has rows */
    assert_true(allows_at(&schedule, "night", MONDAY + 5, 12 * 60, 0));
    assert_true(allows_at(&schedule, "night", MONDAY + 5, 23 * 60, 0));
    assert_false(allows_at(&schedule, "nigh", MONDAY + 5, 23 * 60, 0)); /* whole names */
    assert_false(allows_at(&schedule, "nights", MONDAY + 5, 23 * 60, 0));
}

static void test_full_tables(void **state)
{
    struct schedule schedule = {.count = SCHEDULE_ROWS_MAX, .holidays_count = HOLIDAYS_MAX};

    (void)state;
    for (int i = 0; i < SCHEDULE_ROWS_MAX; i++)
        schedule.rows[i] = window("*", i == SCHEDULE_ROWS_MAX - 1 ? DAILY : 0, 0, 1440);
    for (int i = 0; i < HOLIDAYS_MAX; i++)
        schedule.holidays[i] = MONDAY + 2 * i;
    for (int i = 0; i < HOLIDAYS_MAX; i++) {
        assert_false(allows_at(&schedule, "", MONDAY + 2 * i, 0, 0));
        assert_true(allows_at(&schedule, "", MONDAY + 2 * i + 1, 0, 0));
    }
    schedule.count = schedule.holidays_count = SIZE_MAX; /* damaged: never read beyond the tables */
    assert_true(allows_at(&schedule, "", MONDAY + 1, 0, 0));
}

static void test_hostile_times(void **state)
{
    static const int64_t times_s[] = {INT64_MIN, INT64_MIN + 1, -1, 0, 1, INT64_MAX - 1, INT64_MAX};
    static const int32_t offsets_s[] = {INT32_MIN, -1, 0, 1, INT32_MAX};
    struct schedule never = of_one(window("*", 0, 0, 1440)), always = of_one(window("*", DAILY, 0, 1440));
    struct schedule odd = of_one(window("*", DAILY, INT32_MIN, INT32_MAX));

    (void)state;
    never.holidays_count = always.holidays_count = 1;
    always.rows[0].on_holidays = true;
    for (size_t i = 0; i < sizeof times_s / sizeof times_s[0]; i++) {
        for (size_t j = 0; j < sizeof offsets_s / sizeof offsets_s[0]; j++) {
            struct moment moment = {.now_s = times_s[i], .utc_offset_s = offsets_s[j]};
            assert_false(schedule_allows(&never, "", &moment));
            assert_true(schedule_allows(&always, "", &moment));
            assert_true(schedule_allows(&odd, "", &moment));
        }
    }
    /* days before 1970 are days as well: 1969-12-29 was a Monday */
    struct schedule mondays = of_one(window("*", MON, 60, 120));
    assert_true(allows_at(&mondays, "", -3, 60, 0));
    assert_true(allows_at(&mondays, "", -3, 119, 0));
    assert_false(allows_at(&mondays, "", -3, 59, 0));
    assert_false(allows_at(&mondays, "", -2, 60, 0));
}

static void test_days_from_text(void **state)
{
    static const struct {
        const char *text;
        int days; /* -1: refused */
    } rows[] = {{"mon", 1}, {"sun", 64}, {"mon-fri", 31}, {"sat,sun", 96}, {"daily", 127}, {"mon,wed-fri", 29},
                {"fri-mon", 16 + 32 + 64 + 1}, {"sat-sat", 32}, {"mon, tue", 3}, {"mon,mon", 1}, {"mon-sun", 127},
                {"", -1}, {"mon,", -1}, {",mon", -1}, {"mon-", -1}, {"-mon", -1}, {"mon-fri-sun", -1}, {"Mon", -1},
                {"monday", -1}, {"mon fri", -1}, {"mon,daily", -1}, {"daily ", -1}, {"mo", -1}, {"mon,,tue", -1}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t days = 0x80;
        bool taken = schedule_days_from_text(rows[i].text, &days);
        if (taken != (rows[i].days >= 0) || days != (taken ? rows[i].days : 0x80))
            fail_msg("\"%s\" gave %d, %#x", rows[i].text, taken, days);
    }
}

static void test_minutes_from_text(void **state)
{
    static const char *const bad[] = {"", "6:00", "06:0", "06:000", "24:01", "25:00", "06:60", "-1:00", "06.00", "06:00 ",
                                      " 6:00", "ab:cd", "0600", "+6:00"};
    int got = -7;

    (void)state;
    for (int minutes = 0; minutes <= 1440; minutes++) {
        char text[12];
        (void)snprintf(text, sizeof text, "%02d:%02d", minutes / 60, minutes % 60);
        assert_true(schedule_minutes_from_text(text, &got));
        assert_int_equal(got, minutes);
    }
    got = -7;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(schedule_minutes_from_text(bad[i], &got));
    assert_int_equal(got, -7);
}

static void test_date_from_text(void **state)
{
    static const struct {
        const char *text;
        int32_t day;
    } rows[] = {{"2026-02-17", 20501}, {"2026-09-21", MONDAY}, {"2000-01-01", 10957}, {"2024-02-29", 19782},
                {"2100-03-01", 47541}};
    static const char *const bad[] = {"", "2026-2-17", "2026-02-30", "2025-02-29", "2100-02-29", "2026-13-01", "2026-00-01",
                                      "2026-01-00", "17-02-2026", "2026/02/17", "2026-02-17 ", "2026-02-17T00:00:00Z",
                                      "20260217", "-026-02-17", "1850-01-01"};
    int32_t day = -7;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_true(schedule_date_from_text(rows[i].text, &day));
        assert_int_equal(day, rows[i].day);
    }
    day = -7;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (schedule_date_from_text(bad[i], &day))
            fail_msg("\"%s\" was taken", bad[i]);
    assert_int_equal(day, -7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_minute_of_a_fortnight),
        cmocka_unit_test(test_over_midnight_belongs_to_the_day_it_begins), cmocka_unit_test(test_holidays),
        cmocka_unit_test(test_offset_changes), cmocka_unit_test(test_groups), cmocka_unit_test(test_full_tables),
        cmocka_unit_test(test_hostile_times), cmocka_unit_test(test_days_from_text),
        cmocka_unit_test(test_minutes_from_text), cmocka_unit_test(test_date_from_text),
    };
    return cmocka_run_group_tests_name("schedule", tests, NULL, NULL);
}
