/* Who is inside, and who went through this lane when: one row for each person, moved by passages here and at the site's
 * other lanes. Internal to journal/; the journal thread, inside its transactions. No allocation after presence_open(). */
#ifndef JOURNAL_PRESENCE_H
#define JOURNAL_PRESENCE_H

#include "daemon/journal/journal.h"

struct sqlite3;
struct sqlite3_stmt;

enum presence_statement {
    PRESENCE_FIND, PRESENCE_WRITE, PRESENCE_COUNT, PRESENCE_DATA_VERSION, PRESENCE_MUSTER, PRESENCE_STATEMENT_COUNT
};

struct presence_table {
    struct sqlite3 *db;
    struct sqlite3_stmt *statements[PRESENCE_STATEMENT_COUNT];
    int64_t inside_count;  /* committed */
    int64_t inside_change; /* by the transaction that is open */
    int64_t data_version;  /* SQLite's: another one means that another program has written */
    bool counted;          /* false: inside_count must be read from the table */
};

/* Takes a zeroed table. */
int presence_open(struct sqlite3 *db, struct presence_table *ret);
void presence_close(struct presence_table *table); /* accepts a zeroed one */
/* The transaction's end. */
void presence_committed(struct presence_table *table);
void presence_rolled_back(struct presence_table *table);
/* Rows may have become others by something else than the functions below. */
void presence_recount(struct presence_table *table);

/* What decide() wants to know. `person` "" = nobody known: the count alone. */
int presence_read(struct presence_table *table, const char *person, enum direction direction, struct presence *ret);

/* Those inside whose hash is greater than after_person. */
int presence_muster(struct presence_table *table, const char *after_person, struct muster_page *ret);
/* Somebody's passage through this lane: in -> inside, out -> not, none -> only that they passed. `late`: the event is
 * recorded after newer ones, so what is known of later stays. */
int presence_pass(struct presence_table *table, const struct event *event, const char *lane, bool late);
/* Nobody went through after all: undoes event->bound_event_id where that made the row. */
int presence_undo(struct presence_table *table, const struct event *event);
/* Another lane's; its person is resolved already. *ret_taken false: this or something newer is known. */
int presence_follow(struct presence_table *table, const struct followed_passage *passage, bool *ret_taken);

#endif
