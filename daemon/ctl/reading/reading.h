/* Reading, for every question that qrgatectl answers: one or several lanes' journals, or a file of messages as the broker
 * delivers them, behind one door. Rows come by time, person, lane, kind and reason, always by an index; nothing is written,
 * and a daemon that writes meanwhile isn't held up. One moment: what is opened is read as it was then. One thread. */
#ifndef CTL_READING_READING_H
#define CTL_READING_READING_H

#include "daemon/ctl/ctl.h"
#include "daemon/journal/store.h"

enum { READING_SOURCES_MAX = CTL_JOURNALS_MAX, READING_HASHES_MAX = 16, READING_BEHIND_US = 900000000 };

/* The options of a command that reads, to stand in its table. */
#define READING_JOURNAL_OPTION                                                                                           \
    { "journal", "FILE", false, "a lane's journal, or a copy of it; give it again for each further lane" }
#define READING_MESSAGES_OPTION                                                                                          \
    { "messages", "FILE", false, "instead: passage and alarm messages that a subscriber wrote down, a line each" }

/* One lane. */
struct reading_source {
    struct sqlite3 *db; /* the tables of a journal */
    struct sqlite3_stmt *resolve, *unmoved, *group;
    char lane[JOURNAL_LANE_BYTES];
    char path[JOURNAL_PATH_BYTES];
    int64_t last_us;     /* newest event under a trusted clock; 0 = there is none */
    int64_t missing;     /* messages: numbers that the file has not, between its first and its last */
    bool from_messages;
    bool has_numbers;    /* some people are known by several */
};

struct reading {
    struct ctl *ctl;
    struct reading_source sources[READING_SOURCES_MAX];
    int count;
    int64_t last_us;  /* of all */
    int64_t bad_lines; /* of the file of messages; they were told */
};

/* By --journal, `messages` (or NULL), else the one journal that --database or the configuration names. Failures are
 * printed. Takes anything; to be closed whatever the answer. */
enum ctl_exit reading_open(struct ctl *ctl, const char *messages, struct reading *ret);
void reading_close(struct reading *reading);
/* For reading.c alone: one source for each lane of the file. (messages.c) */
enum ctl_exit reading_open_messages(struct reading *reading, const char *path);
/* "can't be read", with the source's own words; for return. */
enum ctl_exit reading_fail(const struct reading *reading, const struct reading_source *source, int error);
/* Ends more than a quarter of an hour before the newest of all: what happened there since isn't known. */
bool reading_is_behind(const struct reading *reading, const struct reading_source *source);

/* ---- who ----------------------------------------------------------------------------------------------------------- */

/* A person and every hash that events may know them by; the first is the person's own. */
struct reading_person {
    char hashes[READING_HASHES_MAX][JOURNAL_ID_BYTES];
    int count;
};
#define READING_PERSON_ALLOWED                                                                                           \
    "allowed is a number (cccd:022199012345, bhyt:, badge: …), or a person's hash, its first 4 hex digits at least"
/* By number (hashed with the site's key) or by the beginning of a hash. Printed: nobody or several begin so. */
enum ctl_exit reading_find_person(struct reading *reading, const char *text, struct reading_person *ret);
/* The person that a hash leads to: itself, unless a register knows it as a number of somebody. */
int reading_resolve(struct reading *reading, const char *hash, char ret_person[JOURNAL_ID_BYTES]);
/* The person of a number. */
struct site_keys;
int reading_of_subject(struct reading *reading, const struct site_keys *keys, const char *subject, char ret_person[JOURNAL_ID_BYTES]);
/* "" when no register says. */
int reading_group(struct reading *reading, const char *person, char ret_group[CREDENTIAL_GROUP_BYTES]);

/* ---- events -------------------------------------------------------------------------------------------------------- */

struct reading_filter {
    int64_t from_us, until_us; /* until_us not included; 0 = no bound */
    const char *lane, *kind, *reason; /* NULL = any */
    const struct reading_person *person; /* NULL = everybody */
};
typedef int reading_each(const struct reading_source *source, const struct stored_event *row, void *userdata);
/* In the order of time, of one lane in the order of seq; until `each` answers other than 0, which is then the result.
 * `newest` > 0: only so many, the newest. Negative errno: *ret_source is the one that failed. */
int reading_events(const struct reading *reading, const struct reading_filter *filter, int64_t newest,
                   const struct reading_source **ret_source, reading_each *each, void *userdata);

/* Somebody known went through. */
struct reading_passage {
    int64_t at_us, seq;
    enum direction direction;
    char person[JOURNAL_ID_BYTES]; /* as the event has it */
};
typedef int reading_each_passage(const struct reading_source *source, const struct reading_passage *passage, void *userdata);
/* Source after source, each in the order of seq. */
int reading_passages(const struct reading *reading, int64_t from_us, int64_t until_us,
                     const struct reading_source **ret_source, reading_each_passage *each, void *userdata);

/* ---- for reading/ alone -------------------------------------------------------------------------------------------- */

struct reading_range {
    int64_t first_seq, last_seq;
};
/* Where the rows of a filter are, in order, none touching another; by the tally. To be freed. (ranges.c) */
int reading_ranges(const struct reading_source *source, const struct reading_filter *filter, bool passages,
                   struct reading_range **ret_ranges, int *ret_count);

#endif
