/* Writes N events, none of them acknowledged, into a new journal by the journal's own code, as a run before an outage would have
 * left them. Run by test_faults.py for a backlog that nobody wants to press a button for.
 *
 *     fill_journal FILE EVENTS */
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/journal/store.h"

enum { PER_TRANSACTION = 10000, EVENTS_MAX = 10000000, EVERY_US = 3000000 };

static void random_hex(char ret[JOURNAL_ID_BYTES])
{
    uint8_t bytes[(JOURNAL_ID_BYTES - 1) / 2];
    randombytes_buf(bytes, sizeof bytes);
    (void)sodium_bin2hex(ret, JOURNAL_ID_BYTES, bytes, sizeof bytes);
}

static int insert(struct store *store, int64_t i, int64_t first_at_us)
{
    uint8_t salt[CHAIN_SALT_BYTES];
    struct event event = {.kind = i % 3 == 0 ? EVENT_DENIED : EVENT_GRANTED, .at_us = first_at_us + i * EVERY_US,
                          .monotonic_us = i * EVERY_US, .clock_trusted = true, .credential = CREDENTIAL_CCCD,
                          .reason = i % 3 == 0 ? REASON_STATUS_RED : REASON_STATUS_GREEN,
                          .status = i % 3 == 0 ? STATUS_RED : STATUS_GREEN};
    random_hex(event.event_id);
    random_hex(event.person);
    randombytes_buf(salt, sizeof salt);
    return store_insert(store, &event, salt);
}

/* The newest is of now_us: nothing is so old that the lane would purge it. */
static int fill(struct store *store, int64_t events, int64_t now_us)
{
    int r = 0;
    for (int64_t i = 1; i <= events && r == 0; i++) {
        if (i % PER_TRANSACTION == 1)
            r = store_begin(store);
        if (r == 0)
            r = insert(store, i, now_us - events * EVERY_US);
        if (r == 0 && (i % PER_TRANSACTION == 0 || i == events))
            r = store_commit(store);
    }
    return r;
}

int main(int argc, char **argv)
{
    static struct store store;
    char why[512] = "";
    const long long events = argc == 3 ? strtoll(argv[2], NULL, 10) : 0;
    if (events < 1 || events > EVENTS_MAX) {
        (void)fprintf(stderr, "usage: fill_journal FILE EVENTS, 1 to %d\n", (int)EVENTS_MAX);
        return 2;
    }
    if (sodium_init() < 0)
        return 1;
    int r = store_open(&store, argv[1], why, sizeof why);
    if (r == 0)
        r = fill(&store, events, (int64_t)time(NULL) * 1000000);
    if (r < 0)
        (void)fprintf(stderr, "fill_journal: %s: %s %s\n", argv[1], strerror(-r), why);
    store_close(&store);
    return r < 0 ? 1 : 0;
}
