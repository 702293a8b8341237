/* Health, certificates, room in the journal. Main thread. */
#include "daemon/upkeep.h"

#include <string.h>

#include "daemon/health/clock.h"
#include "daemon/health/report.h"
#include "daemon/mqtt/certificates.h"

/* FULL and RELIEVED: percent of the journal's room, apart so that one row more or less is no news. */
enum { LOOK_EVERY_S = 1, HEALTH_FIRST_S = 5, HEALTH_EVERY_S = 60, HOUR_S = 3600, DAY_S = 86400, PURGE_AGAIN_S = 60, FULL = 90, RELIEVED = 85 };

static int64_t s_us(int seconds)
{
    return (int64_t)seconds * 1000000;
}

void upkeep_init(struct upkeep *u, struct passage *passage, struct publisher *publisher, const struct supervisor *eye,
                 int64_t now_us)
{
    *u = (struct upkeep){.passage = passage, .publisher = publisher, .eye = eye, .started_us = now_us, .told_us = now_us,
                         .look_due_us = now_us, .health_due_us = now_us + s_us(HEALTH_FIRST_S),
                         .hour_due_us = now_us + s_us(HOUR_S), .purge_due_us = now_us};
}

static bool clock_is_trusted(const struct upkeep *u)
{
    return u->passage->settings->clock_trust == SETTINGS_CLOCK_ALWAYS || clock_synchronised();
}

/* ---- what may become an alarm ---- */

static void look_at_certificates(struct upkeep *u, int64_t now_us)
{
    const struct certificates certificates = publisher_certificates(u->publisher);
    char detail[CERTIFICATES_DETAIL_BYTES];
    if ((certificates.ca_ends_s == 0 && certificates.client_ends_s == 0) || !clock_is_trusted(u))
        return; /* nothing is known: what was said before stays said */
    passage_alarm_about(u->passage, ALARM_CERTIFICATE_EXPIRING,
                        certificates_end_soon(&certificates, clock_unix_us() / 1000000,
                                              u->passage->settings->mqtt.certificate_warn_days, detail),
                        detail, now_us);
}

static void look_at_journal(struct upkeep *u, int64_t now_us)
{
    struct passage *p = u->passage;
    const bool full = p->room.percent >= FULL;
    if (full || p->room.percent < RELIEVED)
        passage_alarm(p, ALARM_JOURNAL_FULL, full, now_us);
    if (p->purge_more || now_us >= u->purge_due_us || (full && now_us >= u->purge_due_us - s_us(HOUR_S - PURGE_AGAIN_S))) {
        passage_purge(p, now_us);
        u->purge_due_us = now_us + s_us(HOUR_S);
    }
}

/* The journal's head, each day, into other hands. */
static void look_at_head(struct upkeep *u, int64_t now_us)
{
    const struct lane_chain_head head = {.at_us = clock_unix_us(), .clock_trusted = clock_is_trusted(u),
                                         .head = u->passage->head};
    if (head.head.seq == 0 || now_us < u->head_due_us)
        return;
    u->head_due_us = now_us + s_us(DAY_S);
    publisher_chain_head(u->publisher, &head);
}

/* ---- health ---- */

static struct lane_times times_of(const struct latency *latency)
{
    return (struct lane_times){.count = (int64_t)latency->count, .p50_us = latency_quantile_us(latency, 0.5),
                               .p99_us = latency_quantile_us(latency, 0.99)};
}

/* The eye's numbers are a stranger's: bounded before they are used. */
static int64_t bounded(uint64_t count)
{
    return count > INT64_MAX / 2 ? INT64_MAX / 2 : (int64_t)count;
}

static void gather_eye(struct upkeep *u, struct lane_health *health, int64_t now_us)
{
    const struct supervisor_counts counts = supervisor_counts(u->eye);
    const int64_t elapsed_us = now_us - u->told_us > 0 ? now_us - u->told_us : 1;
    const uint64_t fresh = counts.frames > u->frames_told ? counts.frames - u->frames_told : 0;
    health->frames = bounded(counts.frames);
    health->broken_frames = bounded(counts.broken_frames);
    health->scans = bounded(counts.scans);
    health->reads = bounded(counts.reads);
    health->eye_restarts = u->eye->starts > 0 ? bounded(u->eye->starts - 1) : 0;
    health->frames_per_1000_s = (int64_t)((double)fresh * 1e9 / (double)elapsed_us);
    u->frames_told = counts.frames;
}

static void gather_machine(struct upkeep *u, struct lane_health *health)
{
    const struct report_clock clock = report_clock();
    health->has_temperature = report_temperature(REPORT_TEMPERATURE_PATH, &health->temperature_thousandths_c);
    if (!report_memory(REPORT_MEMORY_PATH, &health->memory_bytes))
        health->memory_bytes = -1;
    if (!report_memory_of(u->eye->statm_fd, &health->eye_memory_bytes))
        health->eye_memory_bytes = -1;
    health->clock_synchronised = clock.synchronised;
    health->clock_error_us = clock.error_us;
    health->clock_error_max_us = clock.error_max_us;
}

static void gather_certificates(struct upkeep *u, struct lane_health *health)
{
    const struct certificates certificates = publisher_certificates(u->publisher);
    const int64_t now_s = clock_unix_us() / 1000000;
    health->has_certificate = certificates.client_ends_s != 0 && health->clock_trusted;
    health->has_ca = certificates.ca_ends_s != 0 && health->clock_trusted;
    health->certificate_days_left = certificates_days_left(certificates.client_ends_s, now_s);
    health->ca_days_left = certificates_days_left(certificates.ca_ends_s, now_s);
}

static void report(struct upkeep *u, int64_t now_us)
{
    struct lane_health health = {.at_us = clock_unix_us(), .clock_trusted = clock_is_trusted(u),
                                 .uptime_s = (now_us - u->started_us) / 1000000,
                                 .frame_to_relay = times_of(&u->passage->frame_to_relay_lately),
                                 .pending_events = u->passage->pending.count, .journal = u->passage->room,
                                 .last_seq = u->passage->last_seq};
    gather_eye(u, &health, now_us);
    gather_machine(u, &health);
    gather_certificates(u, &health);
    publisher_health(u->publisher, &health);
    memset(&u->passage->frame_to_relay_lately, 0, sizeof u->passage->frame_to_relay_lately);
    u->told_us = now_us;
}

/* ---- the crank ---- */

void upkeep_tick(struct upkeep *u, int64_t now_us)
{
    if (u->passage->purge_more || now_us >= u->look_due_us) {
        u->look_due_us = now_us + s_us(LOOK_EVERY_S);
        look_at_journal(u, now_us);
        look_at_certificates(u, now_us);
        look_at_head(u, now_us);
    }
    if (now_us >= u->hour_due_us) {
        u->hour_due_us = now_us + s_us(HOUR_S);
        publisher_inspect(u->publisher);
    }
    if (now_us >= u->health_due_us)
        u->health_due_us = now_us + s_us(HEALTH_EVERY_S);
    else if (!publisher_health_asked(u->publisher))
        return;
    report(u, now_us);
}

int64_t upkeep_next_us(const struct upkeep *u)
{
    return u->look_due_us < u->health_due_us ? u->look_due_us : u->health_due_us;
}

void upkeep_reloaded(struct upkeep *u)
{
    publisher_inspect(u->publisher);
}
