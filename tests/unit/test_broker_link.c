/* What qrgatectl leaves behind when a connect takes too long: nothing, once Paho has come back. With a Paho that waits until a
 * test lets it go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <dirent.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <time.h>

#include "daemon/ctl/broker_link.c"

static sem_t may_return, has_ended;
static enum paho_stage outcome;
static atomic_int told_timeout_ms;

void paho_init(struct paho *paho, void (*acked)(void *context, int index, int reason), void *context)
{
    *paho = (struct paho){.socket_fd = -1, .acked = acked, .context = context};
}

struct paho_outcome paho_connect(struct paho *paho, const struct paho_greeting *greeting)
{
    (void)paho;
    assert_string_equal(greeting->settings->host, "h");
    atomic_store(&told_timeout_ms, greeting->timeout_ms);
    while (sem_wait(&may_return) < 0)
        continue;
    return (struct paho_outcome){.stage = outcome, .code = outcome == PAHO_CONNECTED ? 0 : MQTTCLIENT_FAILURE};
}

void paho_end(struct paho *paho)
{
    (void)paho;
    (void)sem_post(&has_ended);
}

bool paho_connected(const struct paho *paho)
{
    return paho->socket_fd >= 0;
}

int paho_idle_reads(const struct paho *paho)
{
    (void)paho;
    return 1;
}

bool paho_read(struct paho *paho, struct paho_message *ret)
{
    (void)paho, (void)ret;
    return false;
}

void paho_message_free(struct paho_message *message)
{
    (void)message;
}

int paho_publish(struct paho *paho, int index, const char *topic, const void *bytes, size_t length_bytes, bool retained, int expiry_s)
{
    (void)paho, (void)index, (void)topic, (void)bytes, (void)length_bytes, (void)retained, (void)expiry_s;
    return MQTTCLIENT_DISCONNECTED;
}

int paho_subscribe(struct paho *paho, const char *filter, int qos, bool no_retained)
{
    (void)paho, (void)filter, (void)qos, (void)no_retained;
    return MQTTCLIENT_DISCONNECTED;
}

const char *mqtt_reason_text(int code)
{
    (void)code;
    return "";
}

/* qrgatectl.c's */
enum ctl_exit ctl_complain_fills(const struct ctl *ctl, enum ctl_exit code, const char *key, const char *const fills[])
{
    (void)ctl, (void)key, (void)fills;
    return code;
}

const char *printable(const char *text, char *buffer, size_t buffer_bytes)
{
    (void)buffer, (void)buffer_bytes;
    return text;
}

static int descriptors(void)
{
    DIR *all = opendir("/proc/self/fd");
    int count = 0;
    assert_non_null(all);
    while (readdir(all) != NULL)
        count++;
    (void)closedir(all);
    return count;
}

static void await_end(void)
{
    struct timespec until;
    assert_int_equal(clock_gettime(CLOCK_REALTIME, &until), 0);
    until.tv_sec += 20;
    assert_int_equal(sem_timedwait(&has_ended, &until), 0);
}

static const struct broker broker = {.mqtt = {.host = "h", .port = 1}};

static void connects_that_were_given_up_leave_nothing_behind(void **state)
{
    char text[BROKER_TEXT_BYTES];
    struct broker_link *link;
    const int before = descriptors();
    (void)state;
    for (int i = 0; i < 20; i++) {
        outcome = i % 2 == 0 ? PAHO_NOT_REACHED : PAHO_CONNECTED;
        assert_int_equal(broker_open(&broker, -1, 1, &link, text), BROKER_TIME_OVER);
        assert_null(link);
        assert_int_equal(sem_trywait(&has_ended), -1); /* Paho is at work */
        assert_int_equal(sem_post(&may_return), 0);
        await_end();
    }
    for (int i = 0; i < 1000 && descriptors() != before; i++) /* the last thread's last instructions */
        (void)poll(NULL, 0, 10);
    assert_int_equal(descriptors(), before);
}

static void paho_gives_up_sooner_than_we_do(void **state)
{
    char text[BROKER_TEXT_BYTES];
    struct broker_link *link;
    const int before = descriptors();
    (void)state;
    outcome = PAHO_NOT_REACHED;
    assert_int_equal(sem_post(&may_return), 0);
    assert_int_equal(broker_open(&broker, -1, 20000, &link, text), BROKER_UNREACHABLE);
    assert_int_equal(atomic_load(&told_timeout_ms), 19000);
    assert_int_equal(sem_trywait(&has_ended), 0);
    outcome = PAHO_CONNECTED;
    assert_int_equal(sem_post(&may_return), 0);
    assert_int_equal(broker_open(&broker, -1, 20000, &link, text), BROKER_OK);
    broker_close(link);
    assert_int_equal(sem_trywait(&has_ended), 0);
    assert_int_equal(descriptors(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connects_that_were_given_up_leave_nothing_behind),
        cmocka_unit_test(paho_gives_up_sooner_than_we_do),
    };
    if (sem_init(&may_return, 0, 0) < 0 || sem_init(&has_ended, 0, 0) < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
