/* What qrgatectl trace found, for its printers. */
#ifndef CTL_TRACE_TRACE_H
#define CTL_TRACE_TRACE_H

#include "daemon/ctl/lists/lists.h"
#include "daemon/ctl/trace/sweep.h"

struct trace_contact {
    const struct sweep_person *person;
    const struct subjects_entry *entry; /* of the office's list; NULL = not on it */
    char group[CREDENTIAL_GROUP_BYTES];
};

struct trace {
    struct ctl *ctl;
    struct site site;
    struct reading reading;
    struct subjects subjects;
    struct reading_person who;
    struct sweep sweep;
    struct sweep_bounds bounds;
    int32_t traced; /* in sweep.persons */
    struct trace_contact *contacts; /* by degree, then how near they came */
    size_t count, first_degree;
    size_t passages; /* of the traced one, in the time asked for */
};

const char *trace_lane(const struct trace *trace, int lane); /* "" for -1 */
const char *trace_how(const struct sweep_person *person);    /* "gate", "inside", "gate_and_inside" */
void trace_print_text(const struct trace *trace);
void trace_print_csv(const struct trace *trace);
void trace_print_json(const struct trace *trace);
void trace_print_page(const struct trace *trace);

#endif
