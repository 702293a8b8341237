/* How much room there is, and the reserve: a file of zeros beside the database that is given up when the disk is
 * full, so that acknowledgements can still be written down and old rows be purged, and is made again when there is
 * room. Internal to journal/; the journal thread. No allocation after room_open(). */
#ifndef JOURNAL_ROOM_H
#define JOURNAL_ROOM_H

#include "daemon/journal/journal.h"

struct sqlite3;
struct sqlite3_stmt;

/* The log's ordinary length, and as much for the pages that are copied from it into the file. */
enum { ROOM_RESERVE_BYTES = 8 << 20 };

enum room_statement { ROOM_PAGES, ROOM_FREE_PAGES, ROOM_STATEMENT_COUNT };

struct room {
    struct sqlite3_stmt *statements[ROOM_STATEMENT_COUNT];
    const struct journal_settings *settings;
    char log_path[JOURNAL_PATH_BYTES + 8], reserve_path[JOURNAL_PATH_BYTES + 8];
    bool has_reserve;
    int64_t page_bytes;
};

/* What a purge must know beyond what is told. */
struct room_excess {
    int64_t sent_bytes;   /* so much of acknowledged rows should go: more than 85 % of the nearest bound is in use */
    int64_t unsent_bytes; /* so much must go whatever it is: more than size_max_bytes is in use */
};

/* Takes a zeroed room, makes the reserve where there is space for it. */
int room_open(struct sqlite3 *db, const struct journal_settings *settings, struct room *ret);
void room_close(struct room *room); /* the reserve stays, for the next start; accepts a zeroed one */

/* All of *ret but the rows. */
int room_measure(struct room *room, struct journal_room *ret, struct room_excess *ret_excess);
/* 0, or -ENOSPC: what is left is for acknowledgements and the purge. */
int room_admit(struct room *room);
/* Makes the reserve again once there is room for it. */
void room_keep_reserve(struct room *room);
/* True: there is more space than before. */
bool room_give_up_reserve(struct room *room);
/* The same before there is a room: a start on a full disk. */
bool room_give_up_reserve_of(const char *database);

#endif
