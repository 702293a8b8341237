/* A backlog in a real journal, for publisher_driver.c. */
#ifndef DRIVER_BACKLOG_H
#define DRIVER_BACKLOG_H

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "daemon/journal/store.h"

/* What a journal takes: nothing that is bound to another row. */
static struct event plain_row(int64_t seq)
{
    static const enum event_kind kinds[] = {EVENT_HELD, EVENT_DENIED, EVENT_DENIED, EVENT_ALARM_BEGIN};
    struct event event = {.kind = kinds[seq % 4], .at_us = INT64_C(1767225600000000) + seq, .clock_trusted = true,
                          .reason = seq % 4 == 3 ? REASON_NONE : REASON_STATUS_RED, .status = STATUS_RED,
                          .credential = CREDENTIAL_CCCD};
    (void)snprintf(event.event_id, sizeof event.event_id, "%032" PRIx64, (uint64_t)seq);
    if (event.kind == EVENT_ALARM_BEGIN)
        (void)snprintf(event.alarm, sizeof event.alarm, "held");
    else
        (void)snprintf(event.person, sizeof event.person, "%032" PRIx64, UINT64_MAX - (uint64_t)seq);
    return event;
}

/* As if written by an earlier run: not by the journal's thread, which syncs the disk for each. */
static int fill(const char *path, int64_t rows)
{
    struct store store = {0};
    char why[256] = "";
    int r = store_open(&store, path, why, sizeof why);
    if (r == 0)
        r = store_begin(&store);
    for (int64_t i = 1; i <= rows && r == 0; i++) {
        const uint8_t salt[CHAIN_SALT_BYTES] = {(uint8_t)i, (uint8_t)(i >> 8), (uint8_t)(i >> 16)};
        struct event event = plain_row(i);
        r = store_insert(&store, &event, salt);
    }
    if (r == 0)
        r = store_commit(&store);
    if (r < 0)
        (void)fprintf(stderr, "publisher_driver: %s: %s %s\n", path, strerror(-r), why);
    store_close(&store);
    return r;
}

#endif
