/* What answers make of a person, row by row and to the second; how long a declaration is good; the lists of names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "daemon/decision/declaration.h"

#define NOW_S INT64_C(1790000000)
enum { WINDOW_S = 21 * 86400 };

static struct declaration_policy no_policy(void)
{
    return (struct declaration_policy){.validity_s = 3 * 86400, .symptom_window_s = WINDOW_S,
                                       .contact_window_s = WINDOW_S + 1, .travel_window_s = WINDOW_S + 2};
}

static struct declaration answered(void)
{
    return (struct declaration){.found = true, .declared_at_s = NOW_S};
}

static void test_no_yes_is_green(void **state)
{
    struct declaration_policy policy = no_policy();
    struct declaration declaration = answered();

    (void)state;
    assert_int_equal(declaration_derive(&declaration, &policy, NOW_S), STATUS_GREEN);
    declaration.found = false;
    assert_int_equal(declaration_derive(&declaration, &policy, NOW_S), STATUS_NONE);
}

/* One answer at a time, with every status it may be given, and every colour beside it. */
static void check_answer(struct declaration *declaration, const struct declaration_policy *policy,
                         enum declaration_status on_answer)
{
    for (int colour = 0; colour < STATUS_COUNT; colour++) {
        enum declaration_status c = (enum declaration_status)colour;
        enum declaration_status expected = declaration_status_worse(on_answer, c) ? on_answer : c;
        declaration->status = c;
        assert_int_equal(declaration_derive(declaration, policy, NOW_S),
                         expected == STATUS_NONE ? STATUS_GREEN : expected);
    }
}

static void test_every_answer(void **state)
{
    (void)state;
    for (int status = 0; status < STATUS_COUNT; status++) {
        enum declaration_status s = (enum declaration_status)status;
        for (int symptom = 0; symptom < SYMPTOM_COUNT; symptom++) {
            struct declaration_policy policy = no_policy();
            struct declaration declaration = answered();
            policy.on_symptom[symptom] = s;
            check_answer(&declaration, &policy, STATUS_NONE); /* not answered with yes */
            declaration.answers.symptoms = (uint16_t)(1u << symptom);
            check_answer(&declaration, &policy, s);
            declaration.answers.symptoms = (uint16_t)~(1u << symptom); /* all the others */
            check_answer(&declaration, &policy, STATUS_NONE);
        }
        for (int contact = 0; contact < CONTACT_COUNT; contact++) {
            struct declaration_policy policy = no_policy();
            struct declaration declaration = answered();
            policy.on_contact[contact] = s;
            declaration.answers.contacts = (uint16_t)(1u << contact);
            check_answer(&declaration, &policy, s);
            declaration.answers.contacts = (uint16_t)~(1u << contact);
            check_answer(&declaration, &policy, STATUS_NONE);
        }
        struct declaration_policy policy = no_policy();
        struct declaration declaration = answered();
        policy.on_travel = s;
        check_answer(&declaration, &policy, STATUS_NONE);
        declaration.answers.travelled = true;
        check_answer(&declaration, &policy, s);
    }
}

static void test_the_worst_counts(void **state)
{
    struct declaration_policy policy = no_policy();
    struct declaration declaration = answered();

    (void)state;
    policy.on_symptom[SYMPTOM_COUGH] = STATUS_YELLOW;
    policy.on_symptom[SYMPTOM_FEVER] = STATUS_RED;
    policy.on_contact[CONTACT_SYMPTOMS] = STATUS_WHITE;
    policy.on_travel = STATUS_YELLOW;
    declaration.answers = (struct declaration_answers){.contacts = 1u << CONTACT_SYMPTOMS};
    assert_int_equal(declaration_derive(&declaration, &policy, NOW_S), STATUS_WHITE);
    declaration.answers.symptoms = 1u << SYMPTOM_COUGH;
    assert_int_equal(declaration_derive(&declaration, &policy, NOW_S), STATUS_YELLOW);
    declaration.answers.symptoms |= 1u << SYMPTOM_FEVER;
    declaration.answers.travelled = true;
    assert_int_equal(declaration_derive(&declaration, &policy, NOW_S), STATUS_RED);
    declaration.status = STATUS_REVOKED;
    assert_int_equal(declaration_derive(&declaration, &policy, NOW_S), STATUS_REVOKED);
    static const enum declaration_status no_status[] = {STATUS_COUNT, (enum declaration_status)-1};
    for (size_t i = 0; i < 2; i++) {
        policy.on_travel = no_status[i]; /* a forgotten setting closes */
        declaration = answered();
        declaration.answers.travelled = true;
        assert_int_equal(declaration_derive(&declaration, &policy, NOW_S), STATUS_RED);
        declaration.answers.travelled = false;
        declaration.status = no_status[i]; /* a damaged row says nothing */
        assert_int_equal(declaration_derive(&declaration, &policy, NOW_S), STATUS_NONE);
        assert_true(declaration_status_worse(no_status[i], STATUS_YELLOW));
        assert_true(declaration_status_worse(STATUS_REVOKED, no_status[i]));
    }
}

/* Each window by itself: its last second counts, the next doesn't; 0 is the time of declaring. */
static void test_windows(void **state)
{
    struct declaration_policy policy = no_policy();
    static const int64_t window_s[] = {WINDOW_S, WINDOW_S + 1, WINDOW_S + 2};

    (void)state;
    policy.on_symptom[SYMPTOM_FEVER] = policy.on_contact[CONTACT_PATIENT] = policy.on_travel = STATUS_RED;
    for (int which = 0; which < 3; which++) {
        for (int own_time = 0; own_time <= 1; own_time++) {
            struct declaration declaration = answered();
            struct declaration_answers *answers = &declaration.answers;
            int64_t *at_s[] = {&answers->symptoms_at_s, &answers->contact_at_s, &answers->travel_at_s};
            answers->symptoms = which == 0 ? 1u << SYMPTOM_FEVER : 0;
            answers->contacts = which == 1 ? 1u << CONTACT_PATIENT : 0;
            answers->travelled = which == 2;
            int64_t from_s = own_time ? NOW_S - 5000 : NOW_S;
            if (own_time)
                *at_s[which] = from_s;
            assert_int_equal(declaration_derive(&declaration, &policy, from_s + window_s[which]), STATUS_RED);
            assert_int_equal(declaration_derive(&declaration, &policy, from_s + window_s[which] + 1), STATUS_GREEN);
            assert_int_equal(declaration_derive(&declaration, &policy, from_s - 1), STATUS_RED); /* the future counts */
        }
    }
}

static void test_order_of_statuses(void **state)
{
    static const enum declaration_status order[] = {STATUS_NONE, STATUS_GREEN, STATUS_WHITE, STATUS_YELLOW,
                                                    STATUS_EXPIRED, STATUS_RED, STATUS_REVOKED};

    (void)state;
    assert_int_equal(sizeof order / sizeof order[0], STATUS_COUNT);
    for (int a = 0; a < STATUS_COUNT; a++)
        for (int b = 0; b < STATUS_COUNT; b++)
            assert_int_equal(declaration_status_worse(order[a], order[b]), a > b);
}

static void test_valid_for_a_duration(void **state)
{
    struct declaration_policy policy = no_policy();
    struct declaration declaration = answered();
    struct moment moment = {.now_s = NOW_S, .clock_trusted = true};

    (void)state;
    assert_true(declaration_valid(&declaration, &policy, &moment));
    moment.now_s = NOW_S + policy.validity_s;
    assert_true(declaration_valid(&declaration, &policy, &moment));
    moment.now_s++;
    assert_false(declaration_valid(&declaration, &policy, &moment));
    declaration.found = false;
    moment.now_s = NOW_S;
    assert_false(declaration_valid(&declaration, &policy, &moment));
}

/* Midnight is local: whatever validity_s says, and by the offset that holds now. */
static void test_valid_until_midnight(void **state)
{
    static const int32_t offsets_s[] = {0, 7 * 3600, -5 * 3600 - 1800, 14 * 3600, -12 * 3600};
    struct declaration_policy policy = no_policy();

    (void)state;
    policy.since_midnight = true;
    policy.validity_s = 1;
    for (size_t i = 0; i < sizeof offsets_s / sizeof offsets_s[0]; i++) {
        int64_t midnight_s = INT64_C(20718) * 86400 - offsets_s[i];
        struct moment moment = {.utc_offset_s = offsets_s[i]};
        struct declaration morning = answered(), evening = answered(), yesterday = answered();
        morning.declared_at_s = midnight_s;
        evening.declared_at_s = midnight_s + 86399;
        yesterday.declared_at_s = midnight_s - 1;
        moment.now_s = midnight_s + 86399;
        assert_true(declaration_valid(&morning, &policy, &moment));
        assert_true(declaration_valid(&evening, &policy, &moment));
        assert_false(declaration_valid(&yesterday, &policy, &moment));
        moment.now_s++;
        assert_false(declaration_valid(&morning, &policy, &moment));
        assert_false(declaration_valid(&evening, &policy, &moment));
    }
    /* the clocks were put forward by an hour since: 23:30 of yesterday by the old hour is 00:30 of today by the new */
    struct declaration late = answered();
    late.declared_at_s = INT64_C(20718) * 86400 - 1800;
    struct moment winter = {.now_s = late.declared_at_s + 7200, .utc_offset_s = 0};
    struct moment summer = {.now_s = late.declared_at_s + 7200, .utc_offset_s = 3600};
    assert_false(declaration_valid(&late, &policy, &winter));
    assert_true(declaration_valid(&late, &policy, &summer));
}

static void test_hostile_times(void **state)
{
    static const int64_t extremes[] = {INT64_MIN, INT64_MIN + 1, -1, 0, 1, INT64_MAX - 1, INT64_MAX};
    static const int32_t offsets_s[] = {INT32_MIN, -1, 0, INT32_MAX};
    enum { COUNT = sizeof extremes / sizeof extremes[0] };

    (void)state;
    for (unsigned i = 0; i < COUNT * COUNT * COUNT * 4; i++) {
        int64_t declared_at_s = extremes[i % COUNT], now_s = extremes[i / COUNT % COUNT];
        int64_t span_s = extremes[i / COUNT / COUNT % COUNT];
        struct declaration_policy policy = no_policy();
        policy.validity_s = policy.symptom_window_s = span_s;
        policy.on_symptom[0] = STATUS_RED;
        struct declaration declaration = {.found = true, .declared_at_s = declared_at_s, .answers = {.symptoms = 1}};
        struct moment moment = {.now_s = now_s, .utc_offset_s = offsets_s[i / COUNT / COUNT / COUNT]};
        if (span_s >= 0 && declared_at_s >= now_s) {
            assert_true(declaration_valid(&declaration, &policy, &moment));
            assert_int_equal(declaration_derive(&declaration, &policy, now_s), STATUS_RED);
        }
        policy.since_midnight = true;
        if (declared_at_s >= now_s)
            assert_true(declaration_valid(&declaration, &policy, &moment));
    }
}

static void test_names(void **state)
{
    enum declared_by by = DECLARED_BY_SELF;
    uint16_t bits = 99;

    (void)state;
    for (int i = 0; i < SYMPTOM_COUNT; i++) {
        assert_true(symptoms_from_names(symptom_name((enum symptom)i), &bits));
        assert_int_equal(bits, 1u << i);
    }
    for (int i = 0; i < CONTACT_COUNT; i++) {
        assert_true(contacts_from_names(contact_name((enum contact)i), &bits));
        assert_int_equal(bits, 1u << i);
    }
    assert_true(declared_by_from_name("guard", &by));
    assert_int_equal(by, DECLARED_BY_GUARD);
    assert_true(declared_by_from_name("self", &by));
    assert_int_equal(by, DECLARED_BY_SELF);
    assert_false(declared_by_from_name("Guard", &by) || declared_by_from_name("", &by) ||
                 declared_by_from_name("guar", &by) || declared_by_from_name("guards", &by));
    assert_string_equal(symptom_name(SYMPTOM_SORE_THROAT), "sore_throat");
    assert_string_equal(symptom_name(SYMPTOM_COUNT), "?");
    assert_string_equal(contact_name((enum contact)-1), "?");
    assert_string_equal(declared_by_name(DECLARED_BY_COUNT), "?");
}

static void test_lists_of_names(void **state)
{
    uint16_t bits = 99;

    (void)state;
    assert_true(symptoms_from_names("", &bits));
    assert_int_equal(bits, 0);
    assert_true(symptoms_from_names(" ;, ", &bits));
    assert_int_equal(bits, 0);
    assert_true(symptoms_from_names("fever, cough;tiredness fever", &bits));
    assert_int_equal(bits, 1u << SYMPTOM_FEVER | 1u << SYMPTOM_COUGH | 1u << SYMPTOM_TIREDNESS);
    bits = 99;
    assert_false(symptoms_from_names("fever,patient", &bits));
    assert_false(symptoms_from_names("Fever", &bits));
    assert_false(symptoms_from_names("feve", &bits));
    assert_false(symptoms_from_names("feverish", &bits));
    assert_false(symptoms_from_names("fever|cough", &bits));
    assert_false(contacts_from_names("fever", &bits));
    assert_int_equal(bits, 99); /* untouched */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_yes_is_green), cmocka_unit_test(test_every_answer),
        cmocka_unit_test(test_the_worst_counts), cmocka_unit_test(test_windows),
        cmocka_unit_test(test_order_of_statuses), cmocka_unit_test(test_valid_for_a_duration),
        cmocka_unit_test(test_valid_until_midnight), cmocka_unit_test(test_hostile_times), cmocka_unit_test(test_names),
        cmocka_unit_test(test_lists_of_names),
    };
    return cmocka_run_group_tests_name("declaration", tests, NULL, NULL);
}
