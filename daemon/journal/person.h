/* One person, in all tables: what is stored about them, and how it is forgotten. Called by qrgatectl on its own
 * connection, beside a daemon that works; the daemon's thread sees it by SQLite. */
#ifndef JOURNAL_PERSON_H
#define JOURNAL_PERSON_H

#include "daemon/journal/journal.h"

struct sqlite3;

/* SQL: all hashes of the person whom ?1, the hash of any of their numbers, leads to. */
#define PERSON_OF "(SELECT coalesce((SELECT person FROM identity WHERE identity = ?1), ?1))"
#define PERSON_HASHES "(SELECT " PERSON_OF " UNION ALL SELECT identity FROM identity WHERE person = " PERSON_OF ")"

/* How many rows there were, or went. */
struct person_rows {
    int64_t events, unsent_events /* of them */, presence, declarations, numbers, tokens;
};

/* 1: `hash` is one of the person's; 0: not; or negative errno. */
int person_same(struct sqlite3 *db, const char *person, const char *hash);
int person_count(struct sqlite3 *db, const char *person, struct person_rows *ret);

/* Forgets the person: events stay, chained, without person and salt; all else goes. One transaction; what the files hold
 * of it is gone after database_wipe_log(), which this tries. -EINVAL: no hash. */
int person_erase(struct sqlite3 *db, const char *person, struct person_rows *ret);

struct person_presence {
    int inside; /* 1, 0, or -1: not known */
    int64_t at_us, own_at_us;
    char lane[JOURNAL_LANE_BYTES], event_id[JOURNAL_ID_BYTES];
};
struct person_token {
    uint8_t token_id[CREDENTIAL_TOKEN_ID_BYTES];
    int64_t last_step;
};
/* What to do with each; other than 0 ends the walk and is its result. NULL: left out. */
struct person_take {
    int (*number)(const char *hash, void *userdata); /* the person's own first */
    int (*declaration)(const char *hash, const struct declaration *declaration, const char *source, void *userdata);
    int (*presence)(const struct person_presence *presence, void *userdata);
    int (*token)(const struct person_token *token, void *userdata);
};
/* All but events, for which there is store_walk_person(). -EILSEQ: a row that no version of ours wrote. */
int person_walk(struct sqlite3 *db, const char *person, const struct person_take *take, void *userdata);

#endif
