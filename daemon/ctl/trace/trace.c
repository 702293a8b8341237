/* qrgatectl trace: whom somebody met at the gates and inside, first and second degree (truy vết). Read-only. */
#include "daemon/ctl/trace/trace.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { DAYS_DEFAULT = 14, WINDOW_DEFAULT_S = 900, WINDOW_MOST_S = 86400, STAY_DEFAULT_S = 86400 };

enum { JOURNAL, MESSAGES, SINCE, UNTIL, WINDOW, STAY, DEGREE, SUBJECTS, FORMAT, JSON };
static const struct ctl_option OPTIONS[] = {
    [JOURNAL] = READING_JOURNAL_OPTION,
    [MESSAGES] = READING_MESSAGES_OPTION,
    [SINCE] = { "since", "TIME", false, "meetings from then on (default: 14 days ago)" },
    [UNTIL] = { "until", "TIME", false, "and until then (default: now)" },
    [WINDOW] = { "window", "DURATION", false, "passing the same gate so soon after each other is a meeting (default 15m)" },
    [STAY] = { "stay", "DURATION", false, "who never went out is taken to have been in for so long (default 24h)" },
    [DEGREE] = { "degree", "1|2", false, "2 (default): also whom the first ones met afterwards" },
    [SUBJECTS] = SUBJECTS_OPTION,
    [FORMAT] = { "format", "text|csv|json|html", false, "text by default; html is a page to print" },
    [JSON] = { "json", NULL, false, "as --format json: one object a line, the traced person first" },
    { NULL, NULL, false, NULL },
};

enum format { TEXT, CSV, JSON_LINES, HTML, FORMAT_COUNT };
static const char *const FORMATS[FORMAT_COUNT] = { "text", "csv", "json", "html" };
static void (*const PRINTERS[FORMAT_COUNT])(const struct trace *) = { trace_print_text, trace_print_csv, trace_print_json,
                                                                      trace_print_page };

const char *trace_lane(const struct trace *trace, int lane)
{
    return lane >= 0 ? trace->reading.sources[lane].lane : "";
}

const char *trace_how(const struct sweep_person *person)
{
    return person->at_gate && person->inside ? "gate_and_inside" : person->at_gate ? "gate" : "inside";
}

/* ---- the command line ---------------------------------------------------------------------------------------------- */

static enum ctl_exit take_duration(struct ctl *ctl, int option, int64_t default_s, int64_t most_s, int64_t *ret_us)
{
    int64_t s = default_s;
    char buffer[80];
    if (ctl->values[option] && (!parse_duration(ctl->values[option], &s) || s > most_s))
        return ctl_complain(ctl, CTL_USAGE, "trace.duration", "option", OPTIONS[option].name,
                            "value", printable(ctl->values[option], buffer, sizeof(buffer)),
                            "most", LANG_N((most_s / 3600)), NULL);
    *ret_us = s * 1000000;
    return CTL_OK;
}

static enum ctl_exit take_time(struct ctl *ctl, int option, int64_t default_s, int64_t *ret_us)
{
    int64_t s = default_s;
    char buffer[80];
    if (ctl->values[option] && !parse_time_or_day(ctl->values[option], &s))
        return ctl_complain(ctl, CTL_USAGE, "option.wrong", "option", OPTIONS[option].name,
                            "value", printable(ctl->values[option], buffer, sizeof(buffer)), "allowed", ALLOWED_TIME_OR_DAY,
                            NULL);
    *ret_us = s * 1000000;
    return CTL_OK;
}

static enum ctl_exit take_bounds(struct ctl *ctl, struct sweep_bounds *ret)
{
    const char *degree = ctl->values[DEGREE];
    char buffer[80];
    enum ctl_exit result = take_duration(ctl, WINDOW, WINDOW_DEFAULT_S, WINDOW_MOST_S, &ret->window_us);
    if (result == CTL_OK)
        result = take_duration(ctl, STAY, STAY_DEFAULT_S, 31 * 86400, &ret->stay_us);
    if (result == CTL_OK)
        result = take_time(ctl, UNTIL, ctl->now_s + 1, &ret->until_us);
    if (result == CTL_OK)
        result = take_time(ctl, SINCE, ret->until_us / 1000000 - DAYS_DEFAULT * 86400, &ret->from_us);
    if (result == CTL_OK && ret->from_us >= ret->until_us)
        return ctl_complain(ctl, CTL_USAGE, "trace.no_time", NULL);
    if (result == CTL_OK && degree && strcmp(degree, "1") != 0 && strcmp(degree, "2") != 0)
        return ctl_complain(ctl, CTL_USAGE, "trace.degree", "value", printable(degree, buffer, sizeof(buffer)), NULL);
    ret->degrees = degree && degree[0] == '1' ? 1 : 2;
    return result;
}

static enum ctl_exit take_format(struct ctl *ctl, enum format *ret)
{
    const char *format = ctl->values[FORMAT];
    char buffer[80];
    *ret = ctl->values[JSON] ? JSON_LINES : TEXT;
    for (int i = 0; format && i < FORMAT_COUNT; i++) {
        if (strcmp(format, FORMATS[i]) == 0) {
            *ret = (enum format)i;
            return CTL_OK;
        }
    }
    return !format ? CTL_OK
                   : ctl_complain(ctl, CTL_USAGE, "trace.format", "value", printable(format, buffer, sizeof(buffer)),
                                  NULL);
}

/* ---- the work ------------------------------------------------------------------------------------------------------ */

/* Whoever a register knows under several numbers is one person. */
static int take_passage(const struct reading_source *source, const struct reading_passage *passage, void *userdata)
{
    struct trace *trace = userdata;
    const int32_t before = trace->sweep.count;
    char person[JOURNAL_ID_BYTES];
    int32_t who = sweep_person(&trace->sweep, passage->person);
    if (who < 0)
        return -ENOMEM;
    struct sweep_person *row = &trace->sweep.persons[who];
    if (who == before) { /* not seen before: `via` keeps, until the sweep, under which number they are counted */
        const int error = reading_resolve(&trace->reading, passage->person, person);
        if (error < 0)
            return error;
        const int32_t real = strcmp(person, passage->person) == 0 ? who : sweep_person(&trace->sweep, person);
        if (real < 0)
            return -ENOMEM;
        row = &trace->sweep.persons[who]; /* the table may have moved */
        row->via = real;
        if (real == trace->sweep.count - 1 && real != who)
            trace->sweep.persons[real].via = real;
    }
    who = row->via;
    const bool counts = who == trace->traced && passage->at_us >= trace->bounds.from_us;
    trace->passages += counts;
    return sweep_add(&trace->sweep, passage->at_us, who, (int)(source - trace->reading.sources), passage->direction);
}

static int nearest_first(const void *left, const void *right)
{
    const struct sweep_person *a = ((const struct trace_contact *)left)->person;
    const struct sweep_person *b = ((const struct trace_contact *)right)->person;
    if (a->degree != b->degree)
        return a->degree < b->degree ? -1 : 1;
    if (a->at_gate != b->at_gate)
        return a->at_gate ? -1 : 1;
    if (a->gate_meetings != b->gate_meetings)
        return a->gate_meetings > b->gate_meetings ? -1 : 1;
    if (a->together_us != b->together_us)
        return a->together_us > b->together_us ? -1 : 1;
    if (a->first_us != b->first_us)
        return a->first_us < b->first_us ? -1 : 1;
    return strcmp(a->hash, b->hash);
}

static int collect(struct trace *trace)
{
    trace->contacts = calloc((size_t)trace->sweep.count + 1, sizeof(*trace->contacts));
    if (!trace->contacts)
        return -ENOMEM;
    int error = 0;
    for (int32_t i = 0; i < trace->sweep.count && error == 0; i++) {
        const struct sweep_person *person = &trace->sweep.persons[i];
        if (person->degree == 0 || person->degree == SWEEP_UNMET)
            continue;
        struct trace_contact *contact = &trace->contacts[trace->count++];
        contact->person = person;
        contact->entry = subjects_find(&trace->subjects, person->hash);
        error = reading_group(&trace->reading, person->hash, contact->group);
        trace->first_degree += person->degree == 1;
    }
    if (trace->count > 0)
        qsort(trace->contacts, trace->count, sizeof(*trace->contacts), nearest_first);
    return error;
}

static enum ctl_exit find(struct trace *trace)
{
    const struct reading_source *source = NULL;
    trace->traced = sweep_person(&trace->sweep, trace->who.hashes[0]);
    int error = trace->traced < 0 ? -ENOMEM : 0;
    if (error == 0) {
        trace->sweep.persons[trace->traced].via = trace->traced;
        /* Those who were in already when the time begins came in before it. */
        error = reading_passages(&trace->reading, trace->bounds.from_us - trace->bounds.stay_us, trace->bounds.until_us, &source,
                                 take_passage, trace);
    }
    for (int32_t i = 0; i < trace->sweep.count; i++)
        trace->sweep.persons[i].via = SWEEP_NOBODY;
    if (error == 0)
        error = sweep_run(&trace->sweep, trace->traced, &trace->bounds);
    if (error == 0)
        error = collect(trace);
    return error < 0 ? reading_fail(&trace->reading, source, error) : CTL_OK;
}

static enum ctl_exit run(struct ctl *ctl)
{
    struct trace trace = { .ctl = ctl };
    enum format format = TEXT;
    enum ctl_exit result = take_format(ctl, &format);
    if (result == CTL_OK) /* before the times: they are the place's */
        result = site_read(ctl, ctl->journals_count > 0 || ctl->values[MESSAGES], format == HTML, &trace.site);
    if (result == CTL_OK)
        result = take_bounds(ctl, &trace.bounds);
    if (result == CTL_OK)
        result = reading_open(ctl, ctl->values[MESSAGES], &trace.reading);
    if (result == CTL_OK)
        result = reading_find_person(&trace.reading, ctl->operand, &trace.who);
    if (result == CTL_OK)
        result = subjects_read(&trace.reading, ctl->values[SUBJECTS], &trace.subjects);
    if (result == CTL_OK)
        result = find(&trace);
    if (result == CTL_OK) {
        PRINTERS[format](&trace);
        if (format == CSV || format == JSON_LINES)
            (void)lists_tell_lanes(stderr, &trace.reading, &trace.site, trace.bounds.until_us);
        if (trace.subjects.bad > 0 || trace.reading.bad_lines > 0)
            result = CTL_SOME_BAD;
    }
    free(trace.contacts);
    sweep_free(&trace.sweep);
    subjects_free(&trace.subjects);
    reading_close(&trace.reading);
    site_close(&trace.site);
    return result;
}

const struct ctl_command CTL_TRACE = {
    .name = "trace",
    .operand = "PERSON",
    .summary = "Find whom somebody met at the gates and inside",
    .details = "PERSON is a number (cccd:022199012345, bhyt:, badge:, …), hashed with the site key, or the beginning of a person's\n"
               "hash as events prints it. Two meet when they pass the same gate within the window of each other, and while both\n"
               "are inside, by lanes with a direction. First degree: who met PERSON. Second degree: who met one of those at that\n"
               "moment or later. Give the journals of all lanes for the whole picture: --journal gate-a.db --journal gate-b.db.\n"
               "Persons who were erased are in nobody's trace any more.\n",
    .options = OPTIONS,
    .run = run,
};
