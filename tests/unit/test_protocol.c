/* The choice between MQTT 5 and 3.1.1: every phase with every thing that can happen to it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/mqtt/protocol.h"

enum { NOW_US = 5000 };

static struct protocol fresh(void)
{
    struct protocol protocol;
    protocol_init(&protocol, MQTT_PROTOCOL_AUTO);
    return protocol;
}

static void refusal_ends_in_3_1_1_for_a_day(void **state)
{
    struct protocol p = fresh();
    (void)state;
    assert_true(protocol_is_5(&p, NOW_US));
    assert_true(protocol_failed(&p, PROTOCOL_REFUSED, NOW_US));
    assert_false(protocol_is_5(&p, NOW_US));
    assert_true(protocol_connected(&p));
    assert_false(protocol_failed(&p, PROTOCOL_OTHER, NOW_US)); /* the broker is away meanwhile: no reason to change */
    assert_false(protocol_failed(&p, PROTOCOL_CLOSED, NOW_US));
    assert_false(protocol_is_5(&p, NOW_US + PROTOCOL_OLD_US - 1));
    assert_true(protocol_is_5(&p, NOW_US + PROTOCOL_OLD_US));
    assert_true(protocol_failed(&p, PROTOCOL_REFUSED, NOW_US)); /* still old */
    assert_false(protocol_failed(&p, PROTOCOL_REFUSED, NOW_US)); /* nor 3.1.1, suddenly: renewed */
    assert_true(protocol_is_5(&p, NOW_US));
}

static void two_closes_make_a_trial(void **state)
{
    struct protocol p = fresh();
    (void)state;
    assert_false(protocol_failed(&p, PROTOCOL_CLOSED, NOW_US));
    assert_true(protocol_is_5(&p, NOW_US));
    assert_false(protocol_failed(&p, PROTOCOL_OTHER, NOW_US)); /* not in a row */
    assert_false(protocol_failed(&p, PROTOCOL_CLOSED, NOW_US));
    assert_true(protocol_is_5(&p, NOW_US));
    assert_false(protocol_failed(&p, PROTOCOL_CLOSED, NOW_US));
    assert_false(protocol_is_5(&p, NOW_US));
    assert_false(protocol_connected(&p)); /* not to stay: first 5 once more */
    assert_true(protocol_is_5(&p, NOW_US));
    assert_true(protocol_failed(&p, PROTOCOL_CLOSED, NOW_US));
    assert_false(protocol_is_5(&p, NOW_US));
    assert_true(protocol_connected(&p));
}

static void trial(struct protocol *p)
{
    *p = fresh();
    assert_false(protocol_failed(p, PROTOCOL_CLOSED, NOW_US));
    assert_false(protocol_failed(p, PROTOCOL_CLOSED, NOW_US));
    assert_false(protocol_is_5(p, NOW_US));
}

static void suspicion_is_given_up_again(void **state)
{
    struct protocol p;
    (void)state;
    for (int failure = PROTOCOL_REFUSED; failure <= PROTOCOL_OTHER; failure++) {
        trial(&p); /* 3.1.1 doesn't work either */
        assert_false(protocol_failed(&p, (enum protocol_failure)failure, NOW_US));
        assert_int_equal(p.phase, PROTOCOL_NEW);
        assert_int_equal(p.closed, 0);
    }
    trial(&p);
    assert_false(protocol_connected(&p));
    assert_false(protocol_failed(&p, PROTOCOL_OTHER, NOW_US)); /* gone again: nothing is proved */
    assert_int_equal(p.phase, PROTOCOL_NEW);
    trial(&p);
    assert_false(protocol_connected(&p));
    assert_true(protocol_connected(&p)); /* it does know 5 */
    assert_int_equal(p.phase, PROTOCOL_NEW);
    trial(&p);
    assert_false(protocol_connected(&p));
    assert_true(protocol_failed(&p, PROTOCOL_REFUSED, NOW_US));
    assert_int_equal(p.phase, PROTOCOL_OLD);
}

static void who_spoke_5_closes_for_another_reason(void **state)
{
    struct protocol p = fresh();
    (void)state;
    assert_true(protocol_connected(&p));
    for (int i = 0; i < 10; i++) {
        assert_false(protocol_failed(&p, PROTOCOL_CLOSED, NOW_US));
        assert_true(protocol_is_5(&p, NOW_US));
    }
    assert_true(protocol_failed(&p, PROTOCOL_REFUSED, NOW_US)); /* but what it says counts: it was replaced */
}

static void a_fixed_protocol_stays(void **state)
{
    (void)state;
    for (int wanted = MQTT_PROTOCOL_5; wanted <= MQTT_PROTOCOL_3_1_1; wanted++) {
        struct protocol p;
        protocol_init(&p, (enum mqtt_protocol)wanted);
        for (int i = 0; i < 5; i++) {
            assert_false(protocol_failed(&p, i % 2 ? PROTOCOL_CLOSED : PROTOCOL_REFUSED, NOW_US));
            assert_int_equal(protocol_is_5(&p, NOW_US + i * PROTOCOL_OLD_US), wanted == MQTT_PROTOCOL_5);
        }
        assert_true(protocol_connected(&p));
        assert_int_equal(protocol_is_5(&p, NOW_US), wanted == MQTT_PROTOCOL_5);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refusal_ends_in_3_1_1_for_a_day),
        cmocka_unit_test(two_closes_make_a_trial),
        cmocka_unit_test(suspicion_is_given_up_again),
        cmocka_unit_test(who_spoke_5_closes_for_another_reason),
        cmocka_unit_test(a_fixed_protocol_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
