/* Health: what the kernel's texts are read as, the message exactly, and that it fits whatever the numbers. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/health/report.h"
#include "daemon/mqtt/json_write.h"
#include "daemon/mqtt/messages.h"
#include "daemon/vision/supervisor.h"

static void temperatures_are_read(void **state)
{
    static const struct {
        const char *text;
        bool taken;
        int thousandths_c;
    } cases[] = {{"48312\n", true, 48312}, {"48312", true, 48312}, {"-5000\n", true, -5000}, {"0\n", true, 0},
                 {"200000\n", true, 200000}, {"200001\n", false, 0}, {"-100001\n", false, 0}, {"", false, 0}, {"\n", false, 0},
                 {"-\n", false, 0}, {"48 312\n", false, 0}, {"hot\n", false, 0}, {"99999999999999999999\n", false, 0}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int value = 7;
        assert_int_equal(report_parse_temperature(cases[i].text, strlen(cases[i].text), &value), cases[i].taken);
        assert_int_equal(value, cases[i].taken ? cases[i].thousandths_c : 7);
    }
}

static void memory_is_read(void **state)
{
    static const char *const bad[] = {"", "123", "123 ", "123\t456", " 123 456", "a 1", "1 -1", "1 9999999999999999 1"};
    int64_t bytes = 0;
    (void)state;
    assert_true(report_parse_memory("1033 421 350 20 0 300 0\n", 24, 4096, &bytes));
    assert_int_equal(bytes, 421 * 4096);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(report_parse_memory(bad[i], strlen(bad[i]), 4096, &bytes));
    assert_false(report_parse_memory("1 421 ", 6, 0, &bytes));
    assert_true(report_parse_memory("1 999999999999999", 17, 9000, &bytes));
    assert_false(report_parse_memory("1 999999999999999", 17, 10000, &bytes)); /* would be no int64_t any more */
}

static void this_process_is_measured(void **state)
{
    int64_t by_path = 0, by_fd = 0;
    int temperature = 0, fd = open(REPORT_MEMORY_PATH, O_RDONLY | O_CLOEXEC);
    (void)state;
    assert_true(report_memory(REPORT_MEMORY_PATH, &by_path));
    assert_in_range(by_path, 100000, 4000000000);
    assert_true(report_memory_of(fd, &by_fd));
    assert_true(report_memory_of(fd, &by_fd)); /* again and again */
    assert_in_range(by_fd, 100000, 4000000000);
    assert_int_equal(close(fd), 0);
    assert_false(report_memory_of(-1, &by_fd));
    assert_false(report_memory("/proc/self/nothing", &by_path));
    assert_false(report_temperature("/proc/self/nothing", &temperature));
    assert_false(report_temperature("/proc/self/comm", &temperature));
    struct report_clock clock = report_clock();
    assert_true(clock.error_us >= -1 && clock.error_max_us >= -1);
}

static void thousandths_are_exact(void **state)
{
    char text[256];
    struct json json;
    (void)state;
    json_begin(&json, text, sizeof text);
    json_thousandths(&json, "a", 48312);
    json_thousandths(&json, "b", -1);
    json_thousandths(&json, "c", 0);
    json_thousandths(&json, "d", -100050);
    json_thousandths(&json, "e", INT64_MIN);
    json_thousandths(&json, "f", INT64_MAX);
    assert_true(json_end(&json) > 0);
    assert_string_equal(text, "{\"a\":48.312,\"b\":-0.001,\"c\":0.000,\"d\":-100.050,\"e\":-9223372036854775.808,"
                              "\"f\":9223372036854775.807}");
}

static void health_is_exact(void **state)
{
    char text[MESSAGE_BYTES];
    struct lane_health health = {
        .at_us = INT64_C(1767225599123999), .clock_trusted = true, .uptime_s = 60, .frames = 1800, .broken_frames = 1, .scans = 900,
        .reads = 4, .eye_restarts = 2, .frames_per_1000_s = 29970, .frame_to_relay = {3, 6527, 8447}, .unsent_rows = 5,
        .pending_events = 6, .inbox_messages = 7, .last_seq = 99, .has_temperature = true, .temperature_thousandths_c = 48312,
        .journal = {.used_bytes = 4096, .disk_free_bytes = 8192, .percent = 3, .first_seq = 2, .purged_unsent_rows = 1},
        .memory_bytes = 11, .eye_memory_bytes = 12, .clock_synchronised = true, .clock_error_us = 13, .clock_error_max_us = 14,
        .is_mqtt_5 = true, .has_certificate = true, .certificate_days_left = -1, .has_ca = true, .ca_days_left = 3650};
    (void)state;
    int length = message_health(&health, text, sizeof text);
    assert_int_equal(length, (int)strlen(text));
    assert_string_equal(
        text, "{\"schema\":\"qrgate/health/1\",\"at\":\"2025-12-31T23:59:59.123Z\",\"clock_trusted\":true,\"uptime_s\":60,"
              "\"eye\":{\"frames\":1800,\"broken_frames\":1,\"scans\":900,\"reads\":4,\"frames_per_s\":29.970,\"restarts\":2},"
              "\"frame_to_relay\":{\"count\":3,\"p50_us\":6527,\"p99_us\":8447},\"publish_to_ack\":{\"count\":0},"
              "\"queues\":{\"unsent_rows\":5,\"pending_events\":6,\"inbox_messages\":7},"
              "\"journal\":{\"used_bytes\":4096,\"percent\":3,\"first_seq\":2,\"last_seq\":99,\"purged_unsent\":1,"
              "\"disk_free_bytes\":8192},\"temperature_c\":48.312,\"memory\":{\"main_bytes\":11,\"eye_bytes\":12},"
              "\"clock\":{\"synchronised\":true,\"error_us\":13,\"error_max_us\":14},"
              "\"mqtt\":{\"protocol\":\"5\",\"certificate_days_left\":-1,\"ca_days_left\":3650}}");
    health.has_temperature = health.has_certificate = health.has_ca = health.is_mqtt_5 = health.clock_synchronised = false;
    health.memory_bytes = health.eye_memory_bytes = health.clock_error_us = health.clock_error_max_us = -1;
    assert_true(message_health(&health, text, sizeof text) > 0);
    assert_non_null(strstr(text, "\"disk_free_bytes\":8192},\"memory\":{},\"clock\":{\"synchronised\":false},"
                                 "\"mqtt\":{\"protocol\":\"3.1.1\"}}"));
}

static void the_largest_fits(void **state)
{
    char text[MESSAGE_BYTES];
    struct lane_health health;
    (void)state;
    memset(&health, 0, sizeof health);
    int64_t *const numbers[] = {
        &health.uptime_s, &health.frames, &health.broken_frames, &health.scans, &health.reads, &health.eye_restarts,
        &health.frames_per_1000_s, &health.frame_to_relay.count, &health.frame_to_relay.p50_us, &health.frame_to_relay.p99_us,
        &health.publish_to_ack.count, &health.publish_to_ack.p50_us, &health.publish_to_ack.p99_us, &health.unsent_rows,
        &health.pending_events, &health.inbox_messages, &health.journal.used_bytes, &health.journal.disk_free_bytes,
        &health.journal.first_seq, &health.journal.purged_unsent_rows, &health.last_seq, &health.memory_bytes,
        &health.eye_memory_bytes, &health.clock_error_us, &health.clock_error_max_us, &health.certificate_days_left,
        &health.ca_days_left};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        *numbers[i] = INT64_MAX;
    health.journal.percent = health.temperature_thousandths_c = INT32_MIN;
    health.has_temperature = health.has_certificate = health.has_ca = true;
    int length = message_health(&health, text, sizeof text);
    assert_in_range(length, 1, MESSAGE_BYTES - 1);
    assert_int_equal(message_health(&health, text, (size_t)length), -90); /* EMSGSIZE: not one byte less */
}

/* A blocked eye costs an eye, and not the lane, also where it may be silent for longer than systemd's watchdog waits. */
static void the_eyes_keeper_is_at_work_until_an_eye_is_overdue(void **state)
{
    (void)state;
    struct supervisor s = {.pid = 1, .heard = true, .heard_at_us = 1000000, .hang_ms = 15000};
    assert_true(supervisor_in_time(&s, 1000000));
    assert_true(supervisor_in_time(&s, 1000000 + 15000 * 1000));
    assert_false(supervisor_in_time(&s, 1000001 + 15000 * 1000));
    s.heard = false; /* an eye that opens its camera has ten seconds, and not less than later */
    assert_true(supervisor_in_time(&s, 1000000 + 15000 * 1000));
    assert_false(supervisor_in_time(&s, 1000001 + 15000 * 1000));
    s.hang_ms = 3000;
    assert_true(supervisor_in_time(&s, 1000000 + 10000 * 1000));
    assert_false(supervisor_in_time(&s, 1000001 + 10000 * 1000));
    s.pid = 0;
    assert_true(supervisor_in_time(&s, INT64_MAX));
}

static void counts_of_ended_eyes_are_kept(void **state)
{
    struct supervisor s = {.before = {10, 1, 5, 2}, .lately = {3, 0, 2, 1}};
    struct supervisor_counts counts = supervisor_counts(&s);
    (void)state;
    assert_int_equal(counts.frames, 13);
    assert_int_equal(counts.broken_frames, 1);
    assert_int_equal(counts.scans, 7);
    assert_int_equal(counts.reads, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_eyes_keeper_is_at_work_until_an_eye_is_overdue),
        cmocka_unit_test(temperatures_are_read),   cmocka_unit_test(memory_is_read),
        cmocka_unit_test(this_process_is_measured), cmocka_unit_test(thousandths_are_exact),
        cmocka_unit_test(health_is_exact),         cmocka_unit_test(the_largest_fits),
        cmocka_unit_test(counts_of_ended_eyes_are_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
