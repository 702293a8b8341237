/* What the lists of qrgatectl share: JSON lines, the office's list of numbers and names, and the lanes that know less than the
 * others. One thread. */
#ifndef CTL_LISTS_LISTS_H
#define CTL_LISTS_LISTS_H

#include "daemon/ctl/site.h"
#include "daemon/ctl/reading/reading.h"

/* ,"name":"text" — a stranger's text: what isn't UTF-8 is shown byte by byte. */
void lists_json_text(FILE *out, const char *name, const char *text);
/* "2026-01-31T08:30:00.123456Z" */
const char *lists_time_us(int64_t at_us, char buffer[SITE_TIME_BYTES]);

/* A line for each lane whose events end before until_us and earlier than the newest of all, and for each that has gaps. Answers
 * how many. */
int lists_tell_lanes(FILE *out, const struct reading *reading, const struct site *site, int64_t until_us);

/* ---- the office's list ---------------------------------------------------------------------------------------------- */

enum { SUBJECTS_NAME_BYTES = 96 };
struct subjects_entry {
    char person[JOURNAL_ID_BYTES];
    char subject[CREDENTIAL_SUBJECT_BYTES], name[SUBJECTS_NAME_BYTES];
};
struct subjects {
    struct subjects_entry *entries; /* by person, the first line of each */
    size_t count, room;
    int64_t lines, bad; /* numbers read; lines that are none, which were told */
    bool listed;        /* a list was given */
};
#define SUBJECTS_OPTION                                                                                                  \
    { "subjects", "FILE", false, "a list of numbers (and names), to say who is who; it is read and not kept" }
/* `path` NULL: nobody is known. To be freed whatever the answer: there are names in it. */
enum ctl_exit subjects_read(struct reading *reading, const char *path, struct subjects *ret);
void subjects_free(struct subjects *subjects);
/* NULL: not on the list. */
const struct subjects_entry *subjects_find(const struct subjects *subjects, const char *person);

#endif
