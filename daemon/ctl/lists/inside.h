/* Who is inside, of one lane's journal or of several: for the commands inside and muster. */
#ifndef CTL_LISTS_INSIDE_H
#define CTL_LISTS_INSIDE_H

#include "daemon/ctl/lists/lists.h"

struct inside_person {
    char person[JOURNAL_ID_BYTES], lane[JOURNAL_LANE_BYTES], group[CREDENTIAL_GROUP_BYTES];
    int64_t since_us;
    const struct subjects_entry *entry; /* of the office's list; NULL = not on it */
};

struct inside {
    struct ctl *ctl;
    struct site site;
    struct reading reading;
    struct subjects subjects;
    struct inside_person *persons; /* by group, then who is named, then by the time */
    size_t count, room;
    size_t groups, named;
};

enum { INSIDE_PERSONS_MAX = 1000000 };

/* By the journals and the list that the command's options name. Closed by inside_close() whatever the answer. */
enum ctl_exit inside_read(struct ctl *ctl, const char *messages, const char *subjects, struct inside *ret);
void inside_close(struct inside *inside);
/* What both commands end with: CTL_SOME_BAD when lines of a list or a file were bad; a hint when nobody is known. */
enum ctl_exit inside_result(const struct inside *inside);
/* The list for paper and terminal. */
void inside_print(const struct inside *inside);
size_t inside_group_size(const struct inside *inside, size_t first); /* of the group that begins at `first` */
const char *inside_group_name(const struct inside *inside, size_t first);

#endif
