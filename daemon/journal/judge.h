/* A payload's verdict: gathers what decide() wants to know, and remembers between decisions what is not in a row of its
 * own: the lock after refusals, the newest time. Internal to journal/; the journal thread. No allocation after
 * judge_open(). */
#ifndef JOURNAL_JUDGE_H
#define JOURNAL_JUDGE_H

#include "daemon/journal/presence.h"
#include "daemon/journal/register.h"

enum judge_statement { JUDGE_LAST_STEP, JUDGE_BURN_STEP, JUDGE_STATEMENT_COUNT };

struct judge {
    const struct journal_settings *settings;
    struct sqlite3 *db;
    struct register_writer *people;
    struct presence_table *presence;
    struct sqlite3_stmt *statements[JUDGE_STATEMENT_COUNT];
    struct refusals refusals;
    bool refusals_restored;
    int64_t newest_at_us, newest_monotonic_us; /* of the journal's rows with a trusted clock */
    bool newest_is_of_this_run;                /* else newest_monotonic_us may be of another boot */
};

/* What follows from a verdict once its row is inserted. */
struct judged {
    bool burn; /* the rotating token's step is used up */
    uint8_t token_id[CREDENTIAL_TOKEN_ID_BYTES];
    int64_t step;
    char person[JOURNAL_ID_BYTES];
};

/* Takes a zeroed judge; everything is borrowed. */
int judge_open(struct judge *judge, const struct journal_settings *settings, struct sqlite3 *db,
               struct register_writer *people, struct presence_table *presence);
void judge_close(struct judge *judge);

int64_t judge_skew_us(const struct judge *judge); /* clocks of the site's lanes may differ by so much */
/* Sets clock_trusted to false when the clock has gone back behind the journal. True: the event is older than the newest
 * row because it waited, by CLOCK_MONOTONIC, which never goes back. */
bool judge_clock(const struct judge *judge, struct event *event);
/* Inside a transaction, writing nothing but what register_identify() moves: all of *event but event_id, times and
 * clock_trusted, which it takes. */
int judge_decide(struct judge *judge, const struct journal_request *request, struct event *event, struct judged *ret);
/* Inside the same transaction, after the row. */
int judge_burn(struct judge *judge, const struct judged *judged);
/* The row is on disk. */
void judge_recorded(struct judge *judge, const struct event *event);

#endif
