/* qrgatectl events: the journal as a list, by time, lane, person, kind and reason. Read-only. */
#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/ctl/lists/lists.h"
#include "daemon/journal/database.h"
#include "daemon/journal/event.h"
#include "daemon/journal/purged.h"

enum { DEFAULT_LIMIT = 100 };

enum { JOURNAL, MESSAGES, SINCE, UNTIL, LANE, PERSON, REASON, KIND, LIMIT, JSON };
static const struct ctl_option OPTIONS[] = {
    [JOURNAL] = READING_JOURNAL_OPTION,
    [MESSAGES] = READING_MESSAGES_OPTION,
    [SINCE] = { "since", "TIME", false, "from then on" },
    [UNTIL] = { "until", "TIME", false, "until then" },
    [LANE] = { "lane", "NAME", false, "of this lane alone" },
    [PERSON] = { "person", "WHO", false, "of one person: a number (cccd:…), or the hash's first digits" },
    [REASON] = { "reason", "NAME", false, "with this reason alone, such as status_red" },
    [KIND] = { "kind", "NAME", false, "of this kind alone, such as denied" },
    [LIMIT] = { "limit", "N", false, "only the newest N (default 100, with --since all; 0 = all)" },
    [JSON] = { "json", NULL, false, "one JSON object a line" },
    { NULL, NULL, false, NULL },
};

/* The ranges of purged rows, told where their rows would stand. */
struct ranges {
    sqlite3_stmt *statement;
    struct purged_range range; /* the next one, when has_range */
    bool has_range;
};

struct list {
    bool json;
    struct reading *reading;
    struct site site;
    struct reading_filter filter;
    struct reading_person person;
    int64_t limit;
    struct ranges ranges[READING_SOURCES_MAX];
    bool begun[READING_SOURCES_MAX];
};

/* ---- purged ranges ------------------------------------------------------------------------------------------------ */

static int next_range(struct ranges *ranges)
{
    const int found = purged_next(ranges->statement, &ranges->range);
    ranges->has_range = found == 1;
    return found < 0 ? found : 0;
}

static void print_range(const struct list *list, const struct reading_source *source, const struct purged_range *range)
{
    const long long first = range->first_seq, last = range->last_seq, unsent = range->unsent_rows;
    if (list->json) {
        (void)printf("{\"seq\":%lld,\"kind\":\"purged\",\"last_seq\":%lld,\"unsent_rows\":%lld", first, last, unsent);
        lists_json_text(stdout, "lane", source->lane);
        (void)printf("}\n");
        return;
    }
    (void)printf("%6lld  ", first);
    lang_print(stdout, list->site.lang, "events.purged", "last", LANG_N(last), "rows", LANG_N(last - first + 1), "unsent",
               LANG_N(unsent), NULL);
    (void)printf("\n");
}

/* Those before the row, and not before the first one listed; the last row is never purged. Who asks for a person or a reason
 * can't be told whether what is gone was theirs. */
static int print_ranges(struct list *list, const struct reading_source *source, int64_t before_seq)
{
    const size_t place = (size_t)(source - list->reading->sources);
    struct ranges *ranges = &list->ranges[place];
    int error = 0;
    if (list->filter.person || list->filter.reason || list->filter.kind)
        return 0;
    if (!list->begun[place]) {
        list->begun[place] = true;
        error = purged_walk(source->db, &ranges->statement);
        if (error == 0)
            error = next_range(ranges);
        const bool whole = list->limit == 0 && list->filter.from_us == 0;
        while (error == 0 && ranges->has_range && !whole && ranges->range.last_seq < before_seq - 1)
            error = next_range(ranges);
    }
    while (error == 0 && ranges->has_range && ranges->range.first_seq < before_seq) {
        print_range(list, source, &ranges->range);
        error = next_range(ranges);
    }
    return error;
}

/* ---- rows --------------------------------------------------------------------------------------------------------- */

static int print_json(const struct reading_source *source, const struct stored_event *row, void *userdata)
{
    const struct event *event = &row->event;
    char when[SITE_TIME_BYTES];
    const int error = print_ranges(userdata, source, event->seq);
    if (error < 0)
        return error;
    (void)printf("{\"seq\":%lld", (long long)event->seq);
    lists_json_text(stdout, "lane", source->lane);
    lists_json_text(stdout, "event_id", event->event_id);
    lists_json_text(stdout, "kind", event_kind_name(event->kind));
    lists_json_text(stdout, "at", lists_time_us(event->at_us, when));
    (void)printf(",\"at_us\":%lld,\"clock_trusted\":%s", (long long)event->at_us, event->clock_trusted ? "true" : "false");
    lists_json_text(stdout, "reason", reason_name(event->reason));
    lists_json_text(stdout, "status", declaration_status_name(event->status));
    lists_json_text(stdout, "credential", credential_kind_name(event->credential));
    lists_json_text(stdout, "person", event->person);
    lists_json_text(stdout, "direction", direction_name(event->direction));
    lists_json_text(stdout, "bound_event_id", event->bound_event_id);
    lists_json_text(stdout, "alarm", event->alarm);
    lists_json_text(stdout, "detail", event->detail);
    lists_json_text(stdout, "verb", event->verb);
    lists_json_text(stdout, "operator", event->operator_name);
    (void)printf(",\"erased\":%s,\"sent\":%s}\n", row->erased ? "true" : "false", row->sent ? "true" : "false");
    return ferror(stdout) ? -EIO : 0;
}

static void print_word(const char *text, int columns)
{
    char buffer[256];
    (void)printf(" %s", lang_pad(buffer, sizeof(buffer), text, columns));
}

/* What comes behind the columns, where there is any. */
static void print_rest(const struct list *list, const struct event *event)
{
    const struct lang *lang = list->site.lang;
    char text[sizeof(event->detail) + 4], who[sizeof(event->operator_name) + 4];
    if (event->bound_event_id[0]) {
        (void)snprintf(text, sizeof(text), "%.8s", event->bound_event_id);
        (void)printf("  ");
        lang_print(stdout, lang, "events.of", "event", text, NULL);
    }
    if (event->verb[0]) {
        (void)printf("  ");
        lang_print(stdout, lang, "events.by", "verb", printable(event->verb, text, sizeof(text)), "operator",
                   printable(event->operator_name, who, sizeof(who)), NULL);
    }
    if (event->alarm[0])
        (void)printf("  %s", say_word(lang, "alarm", printable(event->alarm, text, sizeof(text))));
    if (event->detail[0])
        (void)printf("  %s", printable(event->detail, text, sizeof(text)));
}

static int print_plain(const struct reading_source *source, const struct stored_event *row, void *userdata)
{
    const struct event *event = &row->event;
    struct list *list = userdata;
    const struct lang *lang = list->site.lang;
    char when[SITE_TIME_BYTES], name[JOURNAL_LANE_BYTES + 4];
    const int error = print_ranges(list, source, event->seq);
    if (error < 0)
        return error;
    (void)printf("%6lld  %s%c", (long long)event->seq, site_time(event->at_us, true, when), event->clock_trusted ? ' ' : '?');
    if (list->reading->count > 1)
        print_word(printable(source->lane, name, sizeof(name)), 12);
    print_word(say_word(lang, "kind", event_kind_name(event->kind)), 15);
    print_word(event->reason == REASON_NONE ? "-" : say_word(lang, "reason", reason_name(event->reason)), 30);
    print_word(event->status == STATUS_NONE ? "-" : say_word(lang, "status", declaration_status_name(event->status)), 8);
    print_word(event_is_verdict(event->kind) ? credential_kind_name(event->credential) : "-", 11);
    (void)snprintf(name, sizeof(name), "%.8s", event->person[0] ? event->person : "-");
    print_word(row->erased ? say(lang, "events.erased") : name, 8);
    print_rest(list, event);
    (void)printf("\n");
    return ferror(stdout) ? -EIO : 0;
}

/* ---- the command -------------------------------------------------------------------------------------------------- */

static enum ctl_exit take_time(struct ctl *ctl, int option, int64_t *ret_us)
{
    int64_t at_s = 0;
    char buffer[80];
    if (ctl->values[option] && !parse_time_or_day(ctl->values[option], &at_s))
        return ctl_complain(ctl, CTL_USAGE, "option.wrong", "option", OPTIONS[option].name,
                            "value", printable(ctl->values[option], buffer, sizeof(buffer)), "allowed", ALLOWED_TIME_OR_DAY,
                            NULL);
    *ret_us = at_s * 1000000;
    return CTL_OK;
}

static enum ctl_exit take_limit(struct ctl *ctl, int64_t *ret)
{
    const char *text = ctl->values[LIMIT];
    char buffer[80];
    *ret = ctl->values[SINCE] ? 0 : DEFAULT_LIMIT;
    if (!text)
        return CTL_OK;
    const size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 12 || text[digits] != '\0')
        return ctl_complain(ctl, CTL_USAGE, "events.limit", "value", printable(text, buffer, sizeof(buffer)), NULL);
    *ret = strtoll(text, NULL, 10);
    return CTL_OK;
}

static enum ctl_exit take_names(struct ctl *ctl, struct reading_filter *filter)
{
    enum reason reason;
    enum event_kind kind;
    char buffer[80];
    filter->lane = ctl->values[LANE];
    filter->reason = ctl->values[REASON];
    filter->kind = ctl->values[KIND];
    if (filter->reason && !reason_from_name(filter->reason, &reason))
        return ctl_complain(ctl, CTL_USAGE, "events.reason",
                            "value", printable(filter->reason, buffer, sizeof(buffer)), NULL);
    if (filter->kind && !event_kind_from_name(filter->kind, &kind))
        return ctl_complain(ctl, CTL_USAGE, "events.kind", "value", printable(filter->kind, buffer, sizeof(buffer)),
                            NULL);
    return CTL_OK;
}

static enum ctl_exit check_lane(const struct list *list)
{
    char buffer[80];
    int i = 0;
    if (!list->filter.lane)
        return CTL_OK;
    while (i < list->reading->count && strcmp(list->reading->sources[i].lane, list->filter.lane) != 0)
        i++;
    return i < list->reading->count ? CTL_OK
                                    : ctl_complain(list->reading->ctl, CTL_FAILED, "events.lane",
                                                   "value", printable(list->filter.lane, buffer, sizeof(buffer)),
                                                   NULL);
}

static enum ctl_exit print_list(struct list *list)
{
    const struct reading_source *source = NULL;
    const int error = reading_events(list->reading, &list->filter, list->limit, &source, list->json ? print_json : print_plain,
                                     list);
    for (int i = 0; i < list->reading->count; i++)
        (void)sqlite3_finalize(list->ranges[i].statement); /* accepts NULL; repeats the code of step */
    if (error < 0)
        return reading_fail(list->reading, source, error);
    (void)lists_tell_lanes(stderr, list->reading, &list->site, INT64_MAX);
    return list->reading->bad_lines > 0 ? CTL_SOME_BAD : CTL_OK;
}

static enum ctl_exit run(struct ctl *ctl)
{
    struct reading reading = { .count = 0 };
    struct list list = { .reading = &reading, .json = ctl->values[JSON] != NULL };
    enum ctl_exit result = take_limit(ctl, &list.limit);
    if (result == CTL_OK)
        result = take_names(ctl, &list.filter);
    if (result == CTL_OK) /* before the times: they are the place's */
        result = site_read(ctl, ctl->journals_count > 0 || ctl->values[MESSAGES], false, &list.site);
    if (result == CTL_OK)
        result = take_time(ctl, SINCE, &list.filter.from_us);
    if (result == CTL_OK)
        result = take_time(ctl, UNTIL, &list.filter.until_us);
    if (result == CTL_OK)
        result = reading_open(ctl, ctl->values[MESSAGES], &reading);
    if (result == CTL_OK && ctl->values[PERSON])
        result = reading_find_person(&reading, ctl->values[PERSON], &list.person);
    list.filter.person = ctl->values[PERSON] ? &list.person : NULL;
    if (result == CTL_OK)
        result = check_lane(&list);
    if (result == CTL_OK)
        result = print_list(&list);
    reading_close(&reading);
    site_close(&list.site);
    return result;
}

const struct ctl_command CTL_EVENTS = {
    .name = "events",
    .summary = "List the journal, the newest last",
    .details = "Columns: seq, time at the place (? = the clock wasn't trusted), lane where there are several, what, why, status,\n"
               "credential, person's hash (first 8), then what it belongs to, an operator's verb and name, alarm and detail (of\n"
               "an operator: why) where there are any.\n"
               "Rows that were purged are told as a range.\n",
    .options = OPTIONS,
    .run = run,
};
