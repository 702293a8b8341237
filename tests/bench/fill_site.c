/* Writes two lanes' journals of a busy site, by the journal's own code: people come for a shift of eight hours, day after day, as
 * fast as a turnstile can take them (some 27,400 events a day). More events are more days. Run by reading.py, and by
 * test_reading.py for its query plans.
 *
 *     fill_site FOLDER EVENTS PEOPLE     FOLDER/in.db and FOLDER/out.db, ending on Sunday 22 November 2026 */
#include <errno.h>
#include <sodium.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/journal/database.h"
#include "daemon/journal/store.h"

enum { PER_TRANSACTION = 20000, EVENTS_MAX = 20000000, EVENTS_A_DAY = 27400, PER_STAY = 4 /* two grants, two completed */,
       STAYS_A_DAY = EVENTS_A_DAY / PER_STAY, REFUSED_EVERY = 50, OVERRIDE_EVERY = 500, STRIDE = 6007 };
#define DAY_US INT64_C(86400000000)
#define MINUTE_US INT64_C(60000000)
#define END_US INT64_C(1795366800000000) /* 2026-11-23T00:00:00+07:00 */

struct passage {
    int64_t at_us;
    int32_t person;
};

struct lane {
    struct store store;
    const char *name;
    enum direction direction;
    struct passage *passages;
    int64_t count;
};

static uint64_t random_state = 88172645463325252u; /* the same site each time */

static int64_t below(int64_t bound)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (int64_t)(random_state % (uint64_t)bound);
}

static void hash_of(int32_t person, char ret[JOURNAL_ID_BYTES])
{
    uint8_t bytes[16];
    const uint64_t words[2] = { (uint64_t)person * UINT64_C(0x9e3779b97f4a7c15) + 1, (uint64_t)person * UINT64_C(0xbf58476d1ce4e5b9) + 7 };
    memcpy(bytes, words, sizeof(bytes));
    (void)sodium_bin2hex(ret, JOURNAL_ID_BYTES, bytes, sizeof(bytes));
}

static int by_time(const void *left, const void *right)
{
    const struct passage *a = left, *b = right;
    return a->at_us < b->at_us ? -1 : a->at_us > b->at_us;
}

/* Person 0 comes every day; of the others each about as often as the site is large. */
static int plan(struct lane lanes[2], int64_t days, int32_t people)
{
    for (int i = 0; i < 2; i++) {
        lanes[i].passages = malloc((size_t)(days * STAYS_A_DAY) * sizeof(*lanes[i].passages));
        if (!lanes[i].passages)
            return -ENOMEM;
    }
    for (int64_t day = 0; day < days; day++) {
        for (int64_t i = 0; i < STAYS_A_DAY; i++) {
            const int32_t person = i == 0 ? 0 : (int32_t)(((day * STAYS_A_DAY + i) * STRIDE) % people);
            const int64_t shift_us = (6 + 8 * (i % 3)) * 60 * MINUTE_US - below(70) * MINUTE_US;
            const int64_t in_us = END_US - (days - day) * DAY_US + shift_us + below(MINUTE_US);
            const int64_t out_us = in_us + (8 * 60 + below(40)) * MINUTE_US + below(MINUTE_US);
            lanes[0].passages[lanes[0].count++] = (struct passage){ in_us, person };
            if (out_us < END_US)
                lanes[1].passages[lanes[1].count++] = (struct passage){ out_us, person };
        }
    }
    for (int i = 0; i < 2; i++)
        qsort(lanes[i].passages, (size_t)lanes[i].count, sizeof(*lanes[i].passages), by_time);
    return 0;
}

static int insert(struct lane *lane, struct event *event)
{
    uint8_t salt[CHAIN_SALT_BYTES], id[16];
    randombytes_buf(salt, sizeof(salt));
    randombytes_buf(id, sizeof(id));
    (void)sodium_bin2hex(event->event_id, sizeof(event->event_id), id, sizeof(id));
    event->clock_trusted = true;
    event->direction = lane->direction;
    return store_insert(&lane->store, event, salt);
}

static int insert_passage(struct lane *lane, const struct passage *passage, int64_t number)
{
    const bool asked = lane->direction == DIRECTION_IN && number % OVERRIDE_EVERY == 0;
    struct event grant = { .kind = EVENT_GRANTED, .at_us = passage->at_us - 2000000, .reason = REASON_STATUS_GREEN,
                           .status = STATUS_GREEN, .credential = CREDENTIAL_CCCD };
    struct event end = { .kind = EVENT_COMPLETED, .at_us = passage->at_us, .reason = REASON_NONE };
    int error = 0;
    hash_of(passage->person, grant.person);
    memcpy(end.person, grant.person, sizeof(end.person));
    if (number % REFUSED_EVERY == 0) {
        struct event refused = grant;
        refused.kind = asked ? EVENT_HELD : EVENT_DENIED;
        refused.reason = asked ? REASON_NO_DECLARATION : REASON_STATUS_RED;
        refused.status = asked ? STATUS_NONE : STATUS_RED;
        refused.at_us -= 10000000;
        error = insert(lane, &refused);
        if (asked) {
            grant.kind = EVENT_OVERRIDE;
            grant.reason = REASON_BUTTON;
            memcpy(grant.bound_event_id, refused.event_id, sizeof(grant.bound_event_id));
        }
    }
    if (error == 0)
        error = insert(lane, &grant);
    memcpy(end.bound_event_id, grant.event_id, sizeof(end.bound_event_id));
    if (error == 0)
        error = insert(lane, &end);
    return error < 0 ? error : store_set_ending(&lane->store, grant.event_id, STORE_ENDED);
}

static int fill(struct lane *lane)
{
    int error = 0;
    for (int64_t i = 0; i < lane->count && error == 0; i++) {
        if (i % PER_TRANSACTION == 0)
            error = store_begin(&lane->store);
        if (error == 0)
            error = insert_passage(lane, &lane->passages[i], i + 1);
        if (error == 0 && (i % PER_TRANSACTION == PER_TRANSACTION - 1 || i == lane->count - 1))
            error = store_commit(&lane->store);
    }
    return error < 0 ? error : database_run(lane->store.db, "UPDATE event SET sent = 1 WHERE sent = 0");
}

static int run_bound(sqlite3_stmt *s, const char *person, int64_t at_us, bool inside, const char *lane)
{
    if (bind_text(s, 1, person) != SQLITE_OK || sqlite3_bind_int64(s, 2, at_us) != SQLITE_OK ||
        sqlite3_bind_int(s, 3, inside ? 1 : 0) != SQLITE_OK || bind_text(s, 4, lane) != SQLITE_OK)
        return -ENOMEM;
    return statement_run(s);
}

/* Both lanes hear each other, so both know who is inside; and everybody is declared, in one of a few groups. */
static int write_people(struct lane *lane, const struct lane lanes[2], int32_t people)
{
    static const char *const sql[] = {
        "INSERT INTO presence VALUES (?1, ?3, ?2, ?4, '', ?2, 'none', NULL, 0, 0) ON CONFLICT DO UPDATE SET inside = "
        "excluded.inside, at_us = excluded.at_us, lane = excluded.lane WHERE excluded.at_us > at_us",
        "INSERT INTO declaration (person, status, declared_at_s, source, grp) VALUES (?1, 'green', ?2 / 1000000, 'import', "
        "'group ' || ?3 || ?4)",
    };
    sqlite3_stmt *statements[2] = { NULL };
    char person[JOURNAL_ID_BYTES], number[16];
    int error = statements_prepare(lane->store.db, sql, 2, statements);
    if (error == 0)
        error = store_begin(&lane->store);
    for (int k = 0; k < 2; k++)
        for (int64_t i = 0; i < lanes[k].count && error == 0; i++) {
            const struct passage *passage = &lanes[k].passages[i];
            if (passage->at_us < END_US - 3 * DAY_US)
                continue;
            hash_of(passage->person, person);
            error = run_bound(statements[0], person, passage->at_us, lanes[k].direction == DIRECTION_IN, lanes[k].name);
        }
    for (int32_t i = 0; i < people && error == 0; i++) {
        hash_of(i, person);
        (void)snprintf(number, sizeof(number), "%d", (int)(i % 7));
        error = run_bound(statements[1], person, END_US - DAY_US, i % 2, number);
    }
    statements_finalize(statements, 2);
    return error < 0 ? error : store_commit(&lane->store);
}

static int write_lane(struct lane *lane, const struct lane lanes[2], const char *folder, int32_t people)
{
    char path[512], why[512] = "", sql[96];
    (void)snprintf(path, sizeof(path), "%s/%s.db", folder, lane->name);
    int error = store_open(&lane->store, path, why, sizeof(why));
    if (error < 0) {
        (void)fprintf(stderr, "fill_site: %s\n", why);
        return error;
    }
    error = database_run(lane->store.db, "PRAGMA synchronous = OFF; PRAGMA cache_size = -400000; PRAGMA wal_autocheckpoint = 20000");
    (void)snprintf(sql, sizeof(sql), "INSERT INTO about VALUES ('lane', '%s')", lane->name);
    if (error == 0)
        error = database_run(lane->store.db, sql);
    if (error == 0)
        error = fill(lane);
    if (error == 0)
        error = write_people(lane, lanes, people);
    if (error == 0)
        error = database_run(lane->store.db, "PRAGMA wal_checkpoint(TRUNCATE)");
    store_close(&lane->store);
    return error;
}

int main(int argc, char **argv)
{
    static struct lane lanes[2] = { { .name = "in", .direction = DIRECTION_IN }, { .name = "out", .direction = DIRECTION_OUT } };
    const long long events = argc == 4 ? strtoll(argv[2], NULL, 10) : 0, people = argc == 4 ? strtoll(argv[3], NULL, 10) : 0;
    if (events < EVENTS_A_DAY || events > EVENTS_MAX || people < 1 || people > 10000000) {
        (void)fprintf(stderr, "usage: fill_site FOLDER EVENTS PEOPLE, %d to %d events\n", (int)EVENTS_A_DAY, (int)EVENTS_MAX);
        return 2;
    }
    if (sodium_init() < 0)
        return 1;
    int error = plan(lanes, events / EVENTS_A_DAY, (int32_t)people);
    for (int i = 0; i < 2 && error == 0; i++)
        error = write_lane(&lanes[i], lanes, argv[1], (int32_t)people);
    if (error < 0)
        (void)fprintf(stderr, "fill_site: %s\n", strerror(-error));
    for (int i = 0; i < 2; i++)
        free(lanes[i].passages);
    return error < 0 ? 1 : 0;
}
