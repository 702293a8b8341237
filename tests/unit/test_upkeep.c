/* Upkeep by an invented clock: when it asks for what, and when alarms begin and end. passage.c and the publisher are stood in for
 * here, so that hours pass in no time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/upkeep.c"

static struct world {
    struct passage passage;
    struct settings settings;
    struct supervisor eye;
    struct upkeep upkeep;
    struct certificates certificates;
    struct lane_health health;
    char detail[CERTIFICATES_DETAIL_BYTES];
    int purges, inspections, reports, heads;
    struct lane_chain_head head;
    bool asked;
    int64_t now_us;
} w;

void passage_alarm_about(struct passage *p, enum passage_alarm alarm, bool on, const char *detail, int64_t now_us)
{
    (void)now_us;
    p->alarms[alarm] = on;
    (void)snprintf(w.detail, sizeof w.detail, "%s", detail);
}

void passage_alarm(struct passage *p, enum passage_alarm alarm, bool on, int64_t now_us)
{
    passage_alarm_about(p, alarm, on, "", now_us);
}

void passage_purge(struct passage *p, int64_t now_us)
{
    (void)now_us;
    p->purge_more = false;
    w.purges++;
}

struct certificates publisher_certificates(const struct publisher *publisher)
{
    (void)publisher;
    return w.certificates;
}

void publisher_inspect(struct publisher *publisher)
{
    (void)publisher;
    w.inspections++;
}

bool publisher_health_asked(struct publisher *publisher)
{
    const bool asked = w.asked;
    (void)publisher;
    w.asked = false;
    return asked;
}

void publisher_health(struct publisher *publisher, const struct lane_health *health)
{
    (void)publisher;
    w.health = *health;
    w.reports++;
}

void publisher_chain_head(struct publisher *publisher, const struct lane_chain_head *head)
{
    (void)publisher;
    w.head = *head;
    w.heads++;
}

static int begin(void **state)
{
    (void)state;
    memset(&w, 0, sizeof w);
    w.settings.clock_trust = SETTINGS_CLOCK_ALWAYS;
    w.settings.mqtt.certificate_warn_days = 30;
    w.passage.settings = &w.settings;
    w.eye.statm_fd = -1;
    w.now_us = s_us(1000);
    upkeep_init(&w.upkeep, &w.passage, NULL, &w.eye, w.now_us);
    return 0;
}

/* As main's loop: at each deadline, and no sooner. */
static void pass(int seconds)
{
    const int64_t until_us = w.now_us + s_us(seconds);
    upkeep_tick(&w.upkeep, w.now_us);
    while (upkeep_next_us(&w.upkeep) <= until_us) {
        assert_true(upkeep_next_us(&w.upkeep) > w.now_us);
        w.now_us = upkeep_next_us(&w.upkeep);
        upkeep_tick(&w.upkeep, w.now_us);
    }
    w.now_us = until_us;
}

static void everything_has_its_hour(void **state)
{
    (void)state;
    pass(4);
    assert_int_equal(w.reports, 0);
    assert_int_equal(w.purges, 1); /* what grew old while the lane was off */
    pass(2);
    assert_int_equal(w.reports, 1);
    pass(594);
    assert_int_equal(w.reports, 10);
    assert_int_equal(w.inspections, 0);
    pass(3000);
    assert_int_equal(w.inspections, 1);
    assert_int_equal(w.purges, 2);
    pass(2 * 3600);
    assert_int_equal(w.inspections, 3);
    assert_int_equal(w.purges, 4);
    assert_int_equal(w.reports, 180);
    upkeep_reloaded(&w.upkeep);
    assert_int_equal(w.inspections, 4);
}

static void the_journal_s_head_is_told_each_day(void **state)
{
    (void)state;
    pass(60);
    assert_int_equal(w.heads, 0); /* no row yet */
    w.passage.head = (struct journal_head){.seq = 7, .hash = {1}};
    pass(2);
    assert_int_equal(w.heads, 1);
    assert_int_equal(w.head.head.seq, 7);
    assert_int_equal(w.head.head.hash[0], 1);
    assert_true(w.head.clock_trusted);
    assert_true(w.head.at_us > 0);
    w.passage.head.seq = 9;
    pass(DAY_S - 10);
    assert_int_equal(w.heads, 1);
    pass(20);
    assert_int_equal(w.heads, 2);
    assert_int_equal(w.head.head.seq, 9);
}

static void a_report_comes_when_it_is_asked_for(void **state)
{
    (void)state;
    w.eye.before = (struct supervisor_counts){.frames = 100};
    w.passage.frame_to_relay_lately.count = 1;
    w.asked = true;
    pass(0);
    assert_int_equal(w.reports, 1);
    assert_int_equal(w.health.frame_to_relay.count, 1);
    assert_int_equal(w.health.memory_bytes > 0, true);
    assert_int_equal(w.health.eye_memory_bytes, -1);
    pass(4);
    w.eye.lately = (struct supervisor_counts){.frames = 120};
    w.asked = true;
    pass(0);
    assert_int_equal(w.reports, 2);
    assert_int_equal(w.health.frames, 220);
    assert_int_equal(w.health.frames_per_1000_s, 30000); /* 120 in 4 s */
    assert_int_equal(w.health.frame_to_relay.count, 0); /* told before */
    w.eye.lately.frames = 0; /* an eye that counts backwards */
    w.asked = true;
    pass(1);
    assert_int_equal(w.health.frames_per_1000_s, 0);
    w.eye.before.frames = UINT64_MAX;
    w.asked = true;
    pass(0);
    assert_true(w.health.frames > 0);
}

static void a_full_journal_is_an_alarm_until_there_is_room_again(void **state)
{
    static const struct {
        int percent;
        bool alarm;
    } steps[] = {{89, false}, {90, true}, {89, true}, {85, true}, {84, false}, {89, false}, {150, true}, {0, false}};
    (void)state;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        w.passage.room.percent = steps[i].percent;
        pass(2);
        assert_int_equal(w.passage.alarms[ALARM_JOURNAL_FULL], steps[i].alarm);
    }
}

static void a_full_journal_is_purged_sooner(void **state)
{
    (void)state;
    pass(10);
    assert_int_equal(w.purges, 1);
    w.passage.room.percent = 90;
    pass(48);
    assert_int_equal(w.purges, 1); /* the last one is not yet a minute ago */
    pass(602); /* from second 60 to 660, each minute */
    assert_int_equal(w.purges, 12);
    w.passage.room.percent = 80;
    pass(3000);
    assert_int_equal(w.purges, 12);
    for (int i = 0; i < 5; i++) { /* and again at once, while the journal wants it */
        w.passage.purge_more = true;
        pass(0);
    }
    assert_int_equal(w.purges, 17);
}

static void certificates_are_judged_by_a_clock_that_is_trusted(void **state)
{
    const int64_t now_s = clock_unix_us() / 1000000;
    (void)state;
    w.certificates.client_ends_s = now_s + 29 * DAY_S;
    w.settings.clock_trust = SETTINGS_CLOCK_NTP;
    pass(2);
    assert_int_equal(w.passage.alarms[ALARM_CERTIFICATE_EXPIRING], clock_synchronised());
    w.settings.clock_trust = SETTINGS_CLOCK_ALWAYS;
    pass(2);
    assert_true(w.passage.alarms[ALARM_CERTIFICATE_EXPIRING]);
    assert_int_equal(strncmp(w.detail, "mqtt.cert_file ends on ", 23), 0);
    pass(60);
    assert_true(w.health.has_certificate && !w.health.has_ca);
    assert_in_range(w.health.certificate_days_left, 28, 29);
    w.certificates.client_ends_s = 0; /* can't be read just now: nothing new */
    pass(2);
    assert_true(w.passage.alarms[ALARM_CERTIFICATE_EXPIRING]);
    w.certificates.client_ends_s = now_s + 90 * DAY_S;
    w.certificates.ca_ends_s = now_s + 31 * DAY_S;
    pass(2);
    assert_false(w.passage.alarms[ALARM_CERTIFICATE_EXPIRING]);
    w.settings.mqtt.certificate_warn_days = 40; /* a reload */
    pass(2);
    assert_true(w.passage.alarms[ALARM_CERTIFICATE_EXPIRING]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(everything_has_its_hour, begin),
        cmocka_unit_test_setup(the_journal_s_head_is_told_each_day, begin),
        cmocka_unit_test_setup(a_report_comes_when_it_is_asked_for, begin),
        cmocka_unit_test_setup(a_full_journal_is_an_alarm_until_there_is_room_again, begin),
        cmocka_unit_test_setup(a_full_journal_is_purged_sooner, begin),
        cmocka_unit_test_setup(certificates_are_judged_by_a_clock_that_is_trusted, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
