/* Which frames are looked at, and how: nothing costs nothing, what can't be read gets every look and then rest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/vision/plan.h"
#include "daemon/vision/reader.h"

static int looks_in(struct plan *plan, int frames, bool moved, enum plan_outcome outcome)
{
    int looks = 0;
    for (int i = 0; i < frames; i++)
        if (plan_next(plan, moved) >= 0) {
            looks++;
            plan_told(plan, outcome);
        }
    return looks;
}

static void an_empty_still_view_rests(void **state)
{
    (void)state;
    struct plan plan = {.has_looked = false};
    assert_int_equal(plan_next(&plan, false), 0); /* the first frame */
    plan_told(&plan, PLAN_NOTHING);
    assert_int_equal(looks_in(&plan, 10 * PLAN_REST_FRAMES, false, PLAN_NOTHING), 10);
    assert_int_equal(looks_in(&plan, 20, true, PLAN_NOTHING), 20);
    assert_int_equal(plan_next(&plan, true), 0); /* the cheapest */
}

static void a_code_that_was_read_rests_too(void **state)
{
    (void)state;
    struct plan plan = {.has_looked = false};
    assert_int_equal(looks_in(&plan, PLAN_REST_FRAMES, false, PLAN_READ), 1);
    assert_int_equal(looks_in(&plan, 2 * PLAN_REST_FRAMES, false, PLAN_READ), 2);
}

static void what_is_unread_gets_every_look_once_and_then_rests(void **state)
{
    (void)state;
    struct plan plan = {.has_looked = false};
    for (int look = 0; look < READER_LOOKS; look++) {
        assert_int_equal(plan_next(&plan, false), look);
        plan_told(&plan, PLAN_SIGHTED);
    }
    assert_int_equal(looks_in(&plan, PLAN_REST_FRAMES - 1, false, PLAN_SIGHTED), 0);
    assert_int_equal(plan_next(&plan, false), 0); /* a rare retry, of each look in turn */
    plan_told(&plan, PLAN_SIGHTED);
    assert_int_equal(looks_in(&plan, 3 * PLAN_REST_FRAMES, false, PLAN_SIGHTED), 3);
    assert_int_equal(plan_next(&plan, true), 4); /* moved: at once */
}

static void reading_it_ends_the_round(void **state)
{
    (void)state;
    struct plan plan = {.has_looked = false};
    (void)looks_in(&plan, 3, true, PLAN_SIGHTED);
    assert_int_equal(plan_next(&plan, true), 3);
    plan_told(&plan, PLAN_READ);
    assert_int_equal(plan_next(&plan, true), 0);
    plan_told(&plan, PLAN_NOTHING);
    assert_int_equal(plan_next(&plan, true), 0);
}

static void what_may_be_a_code_gets_other_looks_seldom(void **state)
{
    (void)state;
    struct plan plan = {.has_looked = false};
    int others = 0, last = 0;
    for (int frame = 0; frame < 4 * PLAN_PERHAPS_FRAMES * READER_LOOKS; frame++) {
        const int look = plan_next(&plan, true);
        assert_in_range(look, 0, READER_LOOKS - 1);
        if (look > 0) {
            assert_int_equal(look, last % (READER_LOOKS - 1) + 1);
            last = look;
            others++;
        }
        plan_told(&plan, PLAN_PERHAPS);
    }
    assert_in_range(others, 3 * READER_LOOKS, 5 * READER_LOOKS);
    assert_int_equal(looks_in(&plan, 4 * PLAN_REST_FRAMES, false, PLAN_PERHAPS), 4); /* still: as an empty one */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_still_view_rests),
        cmocka_unit_test(a_code_that_was_read_rests_too),
        cmocka_unit_test(what_is_unread_gets_every_look_once_and_then_rests),
        cmocka_unit_test(reading_it_ends_the_round),
        cmocka_unit_test(what_may_be_a_code_gets_other_looks_seldom),
    };
    return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
